"""Training on a small table and small pictures: learns, repeats, tells how far it is, stops at once."""

import threading
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
import pytest

import fmd_core as fmd
from fmd_core.data import content_fingerprint
from fmd_core.datasets.own.table import make_table_dataset
from fmd_core.errors import DataError, ModelError
from fmd_core.models import training
from fmd_core.models.training import (
    feature_scale,
    refit_head,
    suggested_architecture,
    suggested_epochs,
    suggested_preprocess,
    train_classifier,
)

pytestmark = pytest.mark.slow  # trains

N, EPOCHS = 1_500, 12


def make_table(n=N):
    """Who earns much: those who work long or know much, not both. No line tells them apart."""
    rng = np.random.default_rng(5)
    hours, skill, sex = rng.normal(40, 5, n), rng.normal(0, 1, n), rng.choice(["f", "m"], n)
    frame = pd.DataFrame(
        {
            "hours": hours,
            "skill": skill,
            "sex": sex,
            "income": np.where((hours > 40) != (skill > 0), "high", "low"),
        }
    )
    split = np.resize(["train", "train", "train", "external", "validation", "test"], n)
    return make_table_dataset("Pay", frame, target="income", protected=["sex"], split=split)


@pytest.fixture(scope="module")
def table():
    import torch

    torch.set_num_threads(1)
    return make_table()


@pytest.fixture(scope="module")
def trained(table):
    """A model and every step of its training."""
    steps = []
    return train_classifier(table, architecture="mlp", epochs=EPOCHS, seed=1, progress=steps.append), steps


@dataclass(frozen=True, eq=False)
class Source:
    """Inputs in memory; counts what is read."""

    inputs: np.ndarray
    kind: str
    reads: list = field(default_factory=list)

    @property
    def fingerprint(self):
        return content_fingerprint(self.inputs)

    def read(self, rows):
        self.reads.append(rows)
        return self.inputs[rows]


def dataset_of(inputs, kind, labels):
    n = len(inputs)
    label = fmd.Column("light", labels, ("dark", "bright"))
    mark = fmd.Column("mark", np.arange(n) % 2, ("dot", "dash"))
    split = np.resize(["train", "train", "external", "validation", "test"], n)
    return fmd.AttributeDataset("Lamps", label, {"mark": mark}, split, Source(inputs, kind))


@pytest.fixture
def lamps():
    """Dark and bright pictures."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 100)
    noise = rng.integers(0, 90, (100, 16, 16, 3))
    return dataset_of((noise + 160 * labels[:, None, None, None]).astype("uint8"), "image", labels)


def accuracy(model, dataset, split="test"):
    found = fmd.extract_features(model, dataset, split=split)
    return (model.head.probabilities(found.features).argmax(axis=1) == found.labels).mean()


def message(kind, call, *arguments, **options):
    with pytest.raises(kind) as caught:
        call(*arguments, **options)
    return str(caught.value)


# --- what is learned


def test_a_network_for_tables_learns_what_no_line_can(table, trained):
    model, _ = trained
    assert (model.architecture, model.kind) == ("mlp", "table")
    assert accuracy(model, table) > 0.9
    identity = table.source.read(table.rows("train")), table.target.codes[table.rows("train")]
    line = np.linalg.lstsq(np.column_stack([identity[0], np.ones(len(identity[0]))]), identity[1] * 2.0 - 1)[
        0
    ]
    test = table.source.read(table.rows("test"))
    guessed = np.column_stack([test, np.ones(len(test))]) @ line > 0
    assert (guessed == table.target.codes[table.rows("test")]).mean() < 0.65


def test_a_small_network_learns_pictures_and_keeps_how_they_were_made_ready(lamps):
    model = train_classifier(lamps, epochs=4, preprocess=fmd.Preprocess("unit", 8))
    assert (model.architecture, model.preprocess) == ("small_cnn", fmd.Preprocess("unit", 8))
    assert accuracy(model, lamps) > 0.9


def test_a_model_knows_what_it_was_trained_on(table, trained):
    assert trained[0].trained_on == table.fingerprint


# --- what is suggested


@pytest.mark.parametrize(("side", "network"), [(16, "small_cnn"), (47, "small_cnn"), (48, "face_cnn")])
def test_the_network_suits_the_size_of_the_pictures(side, network):
    data = dataset_of(np.zeros((10, side, side, 3), "uint8"), "image", np.arange(10) % 2)
    assert suggested_architecture(data) == network


def test_a_table_goes_to_the_network_for_tables_and_takes_a_dozen_rounds(table):
    assert (suggested_architecture(table), suggested_epochs(table)) == ("mlp", 12)


@pytest.mark.parametrize(("n", "epochs"), [(100, 20), (10_000, 15), (100_000, 3)])
def test_more_pictures_take_fewer_rounds(n, epochs):
    data = dataset_of(np.zeros((n, 1, 1, 3), "uint8"), "image", np.arange(n) % 2)
    assert len(data.rows("train")) == 0.4 * n
    assert suggested_epochs(data) == epochs


def test_large_networks_see_pictures_as_torchvision_made_them_to():
    assert suggested_preprocess("resnet18") == fmd.Preprocess("imagenet", 224)
    assert suggested_preprocess("face_cnn") == suggested_preprocess("mlp") == fmd.Preprocess()


def test_training_follows_what_is_suggested(lamps, monkeypatch):
    monkeypatch.setattr(training, "suggested_epochs", lambda _: 2)
    monkeypatch.setattr(training, "suggested_preprocess", lambda _: fmd.Preprocess("unit", 8))
    steps = []
    model = train_classifier(lamps, progress=steps.append)
    assert model.preprocess == fmd.Preprocess("unit", 8)
    assert {step.epochs for step in steps} == {2}


def test_the_head_is_converged(table, trained):
    model, _ = trained
    train = fmd.extract_features(model, table, split="train")
    slope = model.head.loss_gradient(
        train.features.astype("float64"), train.labels, np.full(len(train), 1 / len(train))
    )
    assert np.abs(slope).max() > 1e-4  # so that the sum below is not 0 + 0
    np.testing.assert_allclose(slope + model.damping * model.head.theta, 0, atol=1e-6)


def test_the_damping_asked_for_is_the_one_fitted_with(table, trained):
    weak, _ = trained
    strong = refit_head(replace(weak, damping=1.0), table)
    assert strong.damping == 1.0
    assert np.linalg.norm(strong.head.theta) < 0.5 * np.linalg.norm(weak.head.theta)
    asked = train_classifier(table, architecture="mlp", epochs=1, damping=0.5)
    assert asked.damping == 0.5


def test_the_same_seed_gives_the_same_model_and_another_seed_another(table):
    first, again, other = (
        train_classifier(table, architecture="mlp", epochs=2, seed=seed) for seed in (3, 3, 4)
    )
    for name, weights in first.encoder_state.items():
        np.testing.assert_allclose(again.encoder_state[name], weights, atol=1e-5)
        assert np.abs(other.encoder_state[name] - weights).max() > 1e-3
    np.testing.assert_allclose(again.head.theta, first.head.theta, atol=1e-3)


# --- the size of the features


def test_features_of_training_have_a_mean_square_of_one(table, trained):
    model, _ = trained
    train = fmd.extract_features(model, table, split="train")
    assert np.square(train.features, dtype="float64").mean() == pytest.approx(1, abs=1e-4)
    assert model.feature_scale != pytest.approx(1, abs=0.05)
    assert feature_scale(model, table) == pytest.approx(1, abs=1e-4)
    assert feature_scale(replace(model, feature_scale=1.0), table) == pytest.approx(model.feature_scale)


def test_scaling_the_features_leaves_the_answers_as_they_were(table):
    import torch

    run = training._Run(table, "mlp", fmd.Preprocess(), seed=0, epochs=1)  # before the head is refitted
    run.train(training.ignore_step)
    inputs = table.source.read(table.rows("test"))
    with torch.inference_mode():
        plain = torch.softmax(run.top(run.encoder(torch.from_numpy(inputs))), dim=1).numpy()
    model = run.finish(1e-3)
    assert model.feature_scale != pytest.approx(1, abs=0.05)
    np.testing.assert_allclose(model.head.probabilities(model.encode([inputs])), plain, atol=1e-5)


@pytest.mark.parametrize("weight", [0.0, np.nan], ids=["dead", "not numbers"])
def test_features_without_a_size_are_refused_in_words(table, trained, weight):
    model, _ = trained
    dead = {name: np.full_like(array, weight) for name, array in model.encoder_state.items()}
    said = message(ModelError, feature_scale, replace(model, encoder_state=dead), table)
    assert said == (
        f"The network's features have a mean square of {weight:g}, so that no head can learn from them; "
        "choose another network or other weights."
    )


# --- how far it is


def test_steps_rise_to_the_end(trained):
    _, steps = trained
    per_epoch = (N // 2) // 256
    np.testing.assert_allclose([s.share for s in steps], np.arange(1, len(steps) + 1) / len(steps))
    assert [s.epoch for s in steps] == list(np.repeat(np.arange(EPOCHS), per_epoch))
    assert {s.epochs for s in steps} == {EPOCHS}
    assert all(s.seconds_left >= 0 for s in steps)
    assert (steps[-1].share, steps[-1].seconds_left) == (1, 0)


def test_the_loss_falls_from_that_of_guessing(trained):
    _, steps = trained
    assert steps[0].loss == pytest.approx(np.log(2), abs=0.15)
    assert steps[-1].loss < steps[0].loss - 0.05


def test_accuracy_is_told_once_an_epoch_is_over(trained):
    _, steps = trained
    assert {s.accuracy for s in steps if s.epoch == 0} == {None}
    by_epoch = [{s.accuracy for s in steps if s.epoch == e} for e in range(1, EPOCHS)]
    assert all(len(told) == 1 for told in by_epoch)
    told = [value.pop() for value in by_epoch]
    assert all(0 <= value <= 1 for value in told)
    assert told[-1] > 0.85
    assert told[-1] > told[0]


def test_every_training_row_is_learned_from_once_an_epoch(lamps, monkeypatch):
    steps, asked, given = [], [], training.KeptPictures.__call__

    def noted(self, rows):
        asked.append(np.array(rows))
        return given(self, rows)

    monkeypatch.setattr(training.KeptPictures, "__call__", noted)
    train_classifier(lamps, epochs=2, progress=steps.append)
    assert len(steps) == 2  # fewer rows than a batch: one step an epoch
    whole = [r for r in asked if len(r) == 40]
    rows = set(lamps.rows("train"))
    learned = [r for r in whole if set(r) == rows and list(r) != sorted(r)]  # shuffled, unlike an encoding
    assert len(learned) == 2
    assert list(learned[0]) != list(learned[1])


# --- stopped, refused


class Stopped(BaseException):
    pass


def test_a_stop_is_met_at_once_and_leaves_no_thread_behind(table, tmp_path, monkeypatch):
    monkeypatch.setenv("FMD_HOME", str(tmp_path))
    counted = replace(table, source=Source(table.source.read(np.arange(N)), "table"))
    threads, steps = set(threading.enumerate()), []

    def progress(step):
        steps.append(step)
        if len(steps) == 3:
            raise Stopped

    with pytest.raises(Stopped) as caught:
        train_classifier(counted, architecture="mlp", epochs=50, progress=progress)
    assert caught.value.__traceback__ is not None  # the frames are still held,
    assert set(threading.enumerate()) <= threads  # and yet no reader waits in them
    assert len(steps) == 3
    assert len(counted.source.reads) <= 1 + 2 + 2 + 2  # width, epoch 1, its accuracy, epoch 2 begun
    assert list(tmp_path.iterdir()) == []


def test_data_that_cannot_be_read_stop_it_in_their_own_words(table):
    class Broken(Source):
        def read(self, rows):
            if len(rows) > 2:
                raise DataError("The picture 'x.png' cannot be used.")
            return super().read(rows)

    broken = replace(table, source=Broken(table.source.read(np.arange(N)), "table"))
    said = message(DataError, train_classifier, broken, architecture="mlp", epochs=1)
    assert said == "The picture 'x.png' cannot be used."


@pytest.mark.parametrize(
    ("name", "architecture", "said"),
    [
        ("table", "small_cnn", "'small_cnn' reads images, but 'Pay' holds tables; choose another."),
        ("lamps", "mlp", "'mlp' reads tables, but 'Lamps' holds images; choose another."),
    ],
)
def test_an_architecture_of_the_wrong_kind_is_refused(request, name, architecture, said):
    data = request.getfixturevalue(name)
    assert message(ModelError, train_classifier, data, architecture=architecture) == said


def test_an_unknown_architecture_is_refused(table):
    said = message(ModelError, train_classifier, table, architecture="huge")
    assert said.startswith("Unknown architecture 'huge'. Known: small_cnn, ")


def test_a_loss_that_is_no_number_is_said_in_words():
    inputs = np.random.default_rng(0).normal(size=(60, 3)).astype("float32")
    inputs[20:] = np.nan
    data = dataset_of(inputs, "table", np.arange(60) % 2)
    assert message(ModelError, train_classifier, data, architecture="mlp", epochs=1) == (
        "Training went astray (the loss is not a number); choose another architecture."
    )
