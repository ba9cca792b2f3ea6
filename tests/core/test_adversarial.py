"""Forgetting annotated attributes: the losses by hand, what is read afterwards, what stays, what is refused."""

import threading
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import fmd_core as fmd
from fmd_core.datasets.own.table import make_table_dataset
from fmd_core.errors import DataError, ModelError, SolverError
from fmd_core.forget import pressures
from fmd_core.forget.adversarial import STRENGTHS, AdversarySettings, forget_by_adversary
from fmd_core.forget.finetuning import TrainableCopy
from fmd_core.models.shelf import keep_model, open_model

pytestmark = pytest.mark.slow  # trains

N = 1_200


@pytest.fixture(scope="module")
def people():
    """Who earns much hangs on hours and skill; sex and town leave traces of their own."""
    import torch

    torch.set_num_threads(1)
    rng = np.random.default_rng(5)
    sex, town = rng.integers(0, 2, N), rng.integers(0, 2, N)
    hours, skill = rng.normal(0, 1, N), rng.normal(0, 1, N)
    frame = pd.DataFrame(
        {
            "hours": hours,
            "skill": skill,
            "height": 1.5 * sex + rng.normal(0, 0.7, N),
            "rent": 1.5 * town + rng.normal(0, 0.7, N),
            "sex": np.array(["f", "m"])[sex],
            "town": np.array(["north", "south"])[town],
            "income": np.where(hours + skill + 0.4 * sex > 0.2, "high", "low"),
        }
    )
    split = np.resize(["train", "train", "train", "external", "validation", "test"], N)
    found = make_table_dataset("Pay", frame, target="income", protected=["sex", "town"], split=split)
    more = (
        fmd.Column("rare", np.arange(N) % 100 == 0, ("no", "yes")),
        fmd.Column("only", np.zeros(N), ("one",)),
        fmd.Column("wage", 1 - found.target.codes, ("w", "v")),
    )
    return replace(found, attributes={**found.attributes, **{column.name: column for column in more}})


@pytest.fixture(scope="module")
def model(people):
    return fmd.train_classifier(people, architecture="mlp", epochs=6, seed=1)


def read_by(model, people, attribute):
    """Accuracy of a fresh network that reads the attribute from features."""
    from sklearn.neural_network import MLPClassifier

    taught, judged = (fmd.extract_features(model, people, split=s) for s in ("train", "test"))
    codes = people.attribute(attribute).codes
    reader = MLPClassifier((32,), early_stopping=True, random_state=0, max_iter=200)
    reader.fit(taught.features, codes[taught.rows])
    return reader.score(judged.features, codes[judged.rows])


def accuracy(model, people):
    found = fmd.extract_features(model, people, split="test")
    return (model.head.probabilities(found.features).argmax(axis=1) == found.labels).mean()


def refused(kind, call, *arguments, **options):
    with pytest.raises(kind) as caught:
        call(*arguments, **options)
    return str(caught.value)


# --- what is forgotten


def test_a_fresh_reader_loses_half_of_what_it_could_read_and_the_task_stays(model, people):
    before = read_by(model, people, "sex")
    assert before > 0.85
    found = forget_by_adversary(model, people, ["sex"])
    assert found.variant == "matching"
    assert read_by(found.classifier, people, "sex") - 0.5 < 0.5 * (before - 0.5)
    assert accuracy(found.classifier, people) > accuracy(model, people) - 0.04


def test_sparing_forgets_less_and_leaves_what_nobody_named(model, people):
    found = forget_by_adversary(model, people, ["sex"], variant="sparing").classifier
    assert read_by(found, people, "sex") < read_by(model, people, "sex") - 0.08
    assert read_by(found, people, "town") > read_by(model, people, "town") - 0.08
    assert accuracy(found, people) > accuracy(model, people) - 0.04


@pytest.mark.parametrize("reach", ["last hidden layer", "whole network"])
def test_twins_come_to_look_the_same(model, people, reach):
    """Twins here are the same record with the other sex; what else goes with sex stays."""
    settings = AdversarySettings(reach, strength=3.0)
    found = forget_by_adversary(model, people, ["sex"], variant="twins", settings=settings).classifier

    def gap(judged):
        pairs = fmd.pair_counterfactuals(people, judged, split="test", attribute="sex")
        return np.square(pairs.favoured.features - pairs.other.features, dtype="float64").mean()

    assert gap(found) < 0.3 * gap(model)
    assert accuracy(found, people) > accuracy(model, people) - 0.04


def test_several_are_forgotten_at_once(model, people):
    found = forget_by_adversary(
        model, people, ["sex", "town", "sex"], variant="matching", settings=AdversarySettings(strength=3.0)
    )
    for name in ("sex", "town"):
        assert read_by(found.classifier, people, name) - 0.5 < 0.6 * (read_by(model, people, name) - 0.5)
    assert found.attributes == ("sex", "town")
    assert found.classifier.name.endswith("without sex and town")


@pytest.mark.parametrize("variant", list(STRENGTHS))
def test_every_variant_works_against_what_its_pressure_measures(model, people, variant):
    """Beside the same game in which the encoder does not care."""
    found, careless = (
        forget_by_adversary(
            model, people, ["sex"], variant=variant, settings=AdversarySettings(strength=strength, epochs=2)
        )
        for strength in (None, 1e-9)
    )
    assert len(found.rounds) == 2
    assert all(np.isfinite([r.task_loss, r.forgetting_loss]).all() for r in found.rounds)
    gain = careless.rounds[-1].forgetting_loss - found.rounds[-1].forgetting_loss
    assert gain > 0.1 * abs(careless.rounds[-1].forgetting_loss)
    assert (found.settings.strength, found.settings.epochs) == (STRENGTHS[variant], 2)
    assert found.seconds > 0


def test_more_strength_forgets_more(model, people):
    weak, strong = (
        forget_by_adversary(
            model, people, ["sex"], variant="matching", settings=AdversarySettings(strength=s, epochs=8)
        )
        for s in (0.01, 5.0)
    )
    assert strong.rounds[-1].forgetting_loss < 0.9 * weak.rounds[-1].forgetting_loss
    assert read_by(strong.classifier, people, "sex") < read_by(weak.classifier, people, "sex") - 0.1


# --- what it gives


def test_only_the_layer_in_reach_is_changed_and_never_the_originals(model, people):
    before = {name: array.copy() for name, array in model.encoder_state.items()}
    hidden, whole = (
        forget_by_adversary(
            model, people, ["sex"], variant="matching", settings=AdversarySettings(reach, epochs=1)
        ).classifier
        for reach in ("last hidden layer", "whole network")
    )

    def changed(other):
        return {
            name for name, array in before.items() if not np.array_equal(other.encoder_state[name], array)
        }

    assert changed(model) == set()
    assert changed(hidden) == {"2.weight", "2.bias"}
    assert changed(whole) == set(before)


def test_features_have_a_mean_square_of_one_and_the_head_is_converged(model, people):
    found = forget_by_adversary(
        model, people, ["sex"], variant="matching", settings=AdversarySettings(epochs=2)
    ).classifier
    train = fmd.extract_features(found, people, split="train")
    assert np.square(train.features, dtype="float64").mean() == pytest.approx(1, abs=1e-4)
    slope = found.head.loss_gradient(
        train.features.astype("float64"), train.labels, np.full(len(train), 1 / len(train))
    )
    assert np.abs(slope).max() > 1e-4  # so that the sum below is not 0 + 0
    np.testing.assert_allclose(slope + found.damping * found.head.theta, 0, atol=1e-5)


def test_a_seed_says_it_all(model, people):
    first, again, other = (
        forget_by_adversary(
            model, people, ["sex"], variant="ensemble", settings=AdversarySettings(epochs=1), seed=seed
        ).classifier
        for seed in (3, 3, 4)
    )
    assert first.fingerprint == again.fingerprint
    assert first.fingerprint != other.fingerprint


def test_the_changed_model_comes_back_from_the_shelf_bit_for_bit(model, people, tmp_path, monkeypatch):
    monkeypatch.setenv("FMD_HOME", str(tmp_path))
    found = forget_by_adversary(
        model, people, ["sex"], settings=AdversarySettings("whole network", epochs=1)
    ).classifier
    back = open_model(people, keep_model(people, found))
    assert back.fingerprint == found.fingerprint
    rows = people.source.read(people.rows("test"))
    np.testing.assert_array_equal(back.encode([rows]), found.encode([rows]))


# --- progress and stopping


def test_progress_rises_to_one_with_the_losses(model, people):
    steps = []
    found = forget_by_adversary(
        model,
        people,
        ["sex"],
        variant="matching",
        settings=AdversarySettings(epochs=3),
        progress=steps.append,
    )
    shares = [step.share for step in steps]
    assert shares == sorted(shares)
    assert shares[-1] == 1
    assert (steps[0].epoch, steps[-1].epoch, steps[-1].epochs) == (0, 2, 3)
    per_epoch = len(steps) // 3
    assert steps[per_epoch - 1].task_loss == pytest.approx(found.rounds[0].task_loss)
    assert steps[per_epoch - 1].forgetting_loss == pytest.approx(found.rounds[0].forgetting_loss)


@pytest.mark.parametrize("reach", ["last hidden layer", "whole network"])
def test_a_stop_leaves_the_original_and_no_thread_behind(model, people, reach):
    class Stopped(Exception):
        pass

    def stop(step):
        if step.share > 0.3:
            raise Stopped

    before, threads = model.fingerprint, threading.active_count()
    features = fmd.extract_features(model, people, split="test").features
    with pytest.raises(Stopped):
        forget_by_adversary(
            model, people, ["sex"], settings=AdversarySettings(reach, epochs=3), progress=stop
        )
    assert threading.active_count() == threads
    fresh = replace(model, name=model.name)  # reads the weights again
    assert fresh.fingerprint == before
    np.testing.assert_array_equal(fmd.extract_features(fresh, people, split="test").features, features)


# --- the losses by hand


def tensors(*arrays):
    import torch

    return [torch.as_tensor(np.asarray(a)) for a in arrays]


def groups(shift, n=200):
    """Features of one class whose levels differ by `shift` in the first column."""
    rng = np.random.default_rng(0)
    codes = np.arange(n)[:, None] % 2
    features = rng.normal(size=(n, 3)).astype("float32")
    features[:, 0] += shift * codes[:, 0]
    return tensors(features, np.zeros(n, int), codes)


def test_matching_grows_with_the_difference_and_not_with_the_scale():
    matching = pressures.Matching([2])
    none, some, much = (float(matching(*groups(shift))) for shift in (0.0, 1.0, 3.0))
    assert 0 <= none < 0.1 < some < much
    features, labels, codes = groups(1.0)
    assert float(matching(features * 100, labels, codes)) == pytest.approx(some, rel=0.02)


def test_matching_is_the_kernels_mean_discrepancy():
    features, labels, codes = groups(1.0, n=40)
    scaled = (features / (features.std(dim=0) + 1e-3)).double().numpy()
    squares = ((scaled[:, None] - scaled[None]) ** 2).sum(axis=2)
    width = np.sort(squares.ravel())[(squares.size - 1) // 2] + 1e-6
    kernel = sum(np.exp(-squares / (width * w)) for w in (0.25, 1, 4))
    own = codes[:, 0].numpy() == 1
    expected = (
        kernel[np.ix_(own, own)].mean()
        + kernel[np.ix_(~own, ~own)].mean()
        - 2 * kernel[np.ix_(own, ~own)].mean()
    )
    assert float(pressures.Matching([2])(features, labels, codes)) == pytest.approx(expected, rel=1e-3)


def test_the_sparing_estimate_is_unbiased():
    """Around 0 over many draws of the same distribution, where the other one is not."""
    rng, found = np.random.default_rng(3), {True: [], False: []}
    for _ in range(60):
        drawn = tensors(
            rng.normal(size=(12, 3)).astype("float32"), np.zeros(12, int), np.arange(12)[:, None] % 2
        )
        for sparing, values in found.items():
            values.append(pressures.Matching([2], sparing=sparing)(*drawn).item())
    unbiased = np.array(found[True])
    assert abs(unbiased.mean()) < 3 * unbiased.std() / np.sqrt(60)
    assert np.mean(found[False]) > 0.2


def test_matching_looks_within_classes_only():
    """Levels that differ because their classes do are no difference."""
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 2, 400)
    codes = np.where(rng.random(400) < 0.9, labels, 1 - labels)[:, None]
    features = (rng.normal(size=(400, 3)) + 4 * labels[:, None]).astype("float32")
    within = float(pressures.Matching([2])(*tensors(features, labels, codes)))
    blind = float(pressures.Matching([2])(*tensors(features, np.zeros(400, int), codes)))
    assert within < 0.15 < blind


def test_matching_says_nothing_of_fewer_than_three():
    features, labels, codes = groups(5.0, n=40)
    codes[:] = 0
    codes[:2] = 1
    assert float(pressures.Matching([2])(features, labels, codes)) == 0
    codes[:3] = 1
    assert float(pressures.Matching([2])(features, labels, codes)) > 0


def test_the_twin_gap_is_in_squared_spreads():
    import torch

    features = torch.tensor([[0.0, 0.0], [2.0, 20.0]])
    spread = features.std(dim=0) + 1e-3
    twins = features + spread * torch.tensor([[1.0, 3.0]])
    assert float(pressures.twin_gap(features, twins)) == pytest.approx((1 + 9) / 2, rel=1e-4)
    assert float(pressures.twin_gap(features, features)) == 0


def test_an_ensemble_that_is_told_the_class_leaves_what_the_class_says():
    """The attribute is the class: to know it from the class is the prior, and costs nothing."""
    import torch

    torch.manual_seed(0)
    features, labels = torch.randn(256, 3), torch.arange(256) % 2
    codes = labels[:, None]
    told = pressures.Ensemble(3, [2], [torch.tensor([[1.0, 0.0], [0.0, 1.0]])], 2)
    blind = pressures.Ensemble(3, [2], [torch.tensor([[0.5, 0.5]])])
    for _ in range(35):
        of_told, of_blind = told(features, labels, codes), blind(features + labels[:, None], labels, codes)
    assert float(of_told) < 0.1 * float(of_blind)


def test_an_ensembles_members_start_anew_in_turn(monkeypatch):
    import torch

    monkeypatch.setattr(pressures, "FRESH_EVERY", 5)
    ensemble = pressures.Ensemble(3, [2], [torch.tensor([[0.5, 0.5]])])
    features, labels, codes = groups(1.0, n=64)
    first = list(ensemble.adversaries)
    for _ in range(11):
        ensemble(features, labels, codes)
    kept = [a is b for a, b in zip(ensemble.adversaries, first, strict=True)]
    assert kept == [True, False, False]


def test_reversal_pushes_features_where_its_adversary_errs():
    import torch

    torch.manual_seed(0)
    reversal = pressures.GradientReversal(3, [2])
    features, labels, codes = groups(3.0)
    for _ in range(60):
        reversal(features, labels, codes)
    features.requires_grad_(True)
    before = reversal(features, labels, codes)
    before.backward()
    assert -0.2 < before.item() < 0  # it reads them well
    moved = (features - 2_000 * features.grad).detach()
    assert float(reversal(moved, labels, codes)) < 2 * before.item()
    assert features.grad[:, 0].abs().sum() > features.grad[:, 1].abs().sum()


# --- what is refused


@pytest.mark.parametrize(
    ("names", "sentence"),
    [
        ([], "No attribute is chosen; choose at least one to forget."),
        (["hat"], "Unknown attribute 'hat'. This data set has: sex, town, rare, only, wage."),
        (
            ["income"],
            "'income' is what the model predicts and cannot be forgotten; choose another attribute.",
        ),
        (
            ["wage"],
            "'wage' and 'income' decide each other among these people, so that one cannot be forgotten without "
            "the other; choose another attribute.",
        ),
        (
            ["only"],
            "'only' has one value only (one) among these people, so there is nothing to forget; choose another "
            "attribute.",
        ),
    ],
)
def test_what_cannot_be_forgotten_is_refused_in_a_sentence(model, people, names, sentence):
    assert refused(DataError, forget_by_adversary, model, people, names) == sentence


def test_a_rare_level_is_refused(model, people):
    count = int((people.attribute("rare").codes[people.rows("train")] == 1).sum())
    assert refused(DataError, forget_by_adversary, model, people, ["rare"]) == (
        f"Only {count} people show 'rare: yes'; forgetting it needs 30 of each level."
    )


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"reach": "head"}, "Unknown reach 'head'. Choose one of: last hidden layer, whole network."),
        ({"strength": 0.0}, "The strength must be a number above 0, got 0."),
        ({"strength": float("nan")}, "The strength must be a number above 0, got nan."),
        ({"epochs": 0}, "Forgetting takes at least one epoch, got 0."),
    ],
)
def test_settings_without_sense_are_refused(options, sentence):
    assert refused(DataError, AdversarySettings, **options) == sentence


def test_an_unknown_variant_is_refused(model, people):
    assert refused(DataError, forget_by_adversary, model, people, ["sex"], variant="magic") == (
        "Unknown variant 'magic'. Choose one of: published, ensemble, conditional, matching, sparing, twins."
    )


def test_a_network_without_a_hidden_layer_is_told_so(model, people):
    other = replace(model, architecture="resnet18")
    with pytest.raises(ModelError):
        forget_by_adversary(other, people, ["sex"])
    deep = fmd.deepened(model, "two layers")
    assert refused(ModelError, forget_by_adversary, deep, people, ["sex"]) == (
        "This classifier is open at 'two layers'; change the original with one last layer."
    )


def test_a_loss_that_is_lost_is_said(model, people):
    import torch

    copy = TrainableCopy(model, people, reach="last hidden layer", seed=0)

    def lost(_, inputs):
        loss = copy.top(copy.encoder(inputs)).sum()
        return loss, loss * torch.inf

    with pytest.raises(SolverError, match=r"^Forgetting went astray"):
        copy.run(copy.read, lost, epochs=1, batch=64, learning_rate=1e-3, weight=1.0)


def test_features_that_are_gone_are_said(model, people):
    import torch

    copy = TrainableCopy(model, people, reach="last hidden layer", seed=0)
    with torch.no_grad():
        copy.encoder[0].weight.zero_()
        copy.encoder[0].bias.fill_(-1.0)
    with pytest.raises(SolverError, match=r"^Nothing is left of the features \(their mean square is 0\)"):
        copy.frozen("none")
