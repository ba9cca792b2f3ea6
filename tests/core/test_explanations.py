"""Attributions add up, are where a model made by hand looks, and follow the head."""

import subprocess
import sys
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import pytest

import fmd_core as fmd
from fmd_core import DataError, ModelError, explain
from fmd_core.data import SPLITS
from fmd_core.datasets.own.table import make_table_dataset
from fmd_core.explain import attributions
from fmd_core.explain.attributions import Explanation, average_input, methods
from fmd_core.kinds import find_kind
from fmd_core.models.architectures import ARCHITECTURES, build_encoder
from fmd_core.models.classifier import Classifier
from fmd_core.models.training import train_classifier

SIDE = 8
SPOT = 2, 5  # row and column that the linear model by hand reads


@dataclass(frozen=True, eq=False)
class Pictures:
    """Images in memory."""

    images: np.ndarray
    kind: str = "image"
    fingerprint: str = "pictures"

    def read(self, rows):
        return self.images[rows]

    def counterfactual(self, rows, _attribute, codes):
        return np.where(codes[:, None, None, None] == 1, 255 - self.images[rows], self.images[rows])


def dataset_of(images):
    half = np.arange(len(images)) % 2
    split = np.resize(SPLITS, len(images))
    columns = fmd.Column("class", half, ("no", "yes")), fmd.Column("mark", half, ("plain", "inverted"))
    return fmd.AttributeDataset("Pictures", columns[0], {"mark": columns[1]}, split, Pictures(images))


@pytest.fixture
def noise():
    return dataset_of(np.random.default_rng(0).integers(0, 256, (12, SIDE, SIDE, 3), "uint8"))


@pytest.fixture
def by_hand(monkeypatch):
    """A classifier of any torch encoder under a head of two classes."""

    def made(build, weight, **options):
        architecture = replace(ARCHITECTURES["small_cnn"], name="by_hand", build=lambda _: build())
        monkeypatch.setitem(ARCHITECTURES, "by_hand", architecture)
        state = {name: tensor.numpy().copy() for name, tensor in build().state_dict().items()}
        return Classifier("by_hand", state, fmd.LinearHead(weight, np.zeros(2)), 1e-3, **options)

    return made


@pytest.fixture
def linear(by_hand):
    """Reads the green of one pixel: log-odds of 'yes' are 3 times it, scaled to [-1, 1]."""
    from torch import nn

    weight = np.zeros((2, 3, SIDE, SIDE))
    weight[1, 1, *SPOT], weight[0, 1, *SPOT] = 2.0, -1.0
    return by_hand(nn.Flatten, weight.reshape(2, -1))


@pytest.fixture
def bright_spots(by_hand):
    """One convolution that answers to light: 'yes' is how much of it there is."""
    import torch

    def build():
        layer = torch.nn.Conv2d(3, 1, 1)
        torch.nn.init.constant_(layer.weight, 1.0)
        torch.nn.init.constant_(layer.bias, 0.5)
        return torch.nn.Sequential(layer, torch.nn.ReLU(), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten())

    return by_hand(build, np.array([[-1.0], [1.0]]))


def of_demo(demo, row, method="integrated-gradients", **options):
    target = int(demo.dataset.target.codes[row])
    return explain(
        options.pop("classifier", demo.classifier), demo.dataset, row, target=target, method=method, **options
    )


# --- Integrated Gradients


def test_a_linear_model_gets_weight_times_difference_and_nothing_elsewhere(linear, noise):
    found = explain(linear, noise, 5, target=1, method="integrated-gradients")
    green = noise.source.images[5][(*SPOT, 1)] - average_input(noise)[(*SPOT, 1)]
    expected = np.zeros((SIDE, SIDE))
    expected[SPOT] = 3 * green / 127.5
    np.testing.assert_allclose(found.contributions, expected, atol=1e-5)
    assert found.completeness_error < 1e-5


def test_the_other_class_of_two_is_the_negative(linear, noise):
    yes, no = (explain(linear, noise, 5, target=t, method="integrated-gradients") for t in (1, 0))
    np.testing.assert_allclose(yes.contributions, -no.contributions, atol=1e-6)
    assert yes.probability + no.probability == pytest.approx(1)


def test_a_twin_is_explained_as_it_is_drawn(linear, noise):
    own, twin = (
        explain(linear, noise, 5, target=1, method="integrated-gradients", attribute="mark", code=code)
        for code in (0, 1)
    )
    assert own.score == pytest.approx(-twin.score, abs=1e-5)  # inverted around the middle of the colours


def test_contributions_sum_to_the_difference_of_log_odds(demo):
    rows = demo.dataset.rows("test")[:8]
    mean = average_input(demo.dataset)
    features = demo.classifier.encode([demo.dataset.source.read(rows), np.rint(mean)[None].astype("uint8")])
    p = demo.head.probabilities(features)[np.arange(9), [*demo.dataset.target.codes[rows], 0]]
    for row, probability in zip(rows, p[:-1], strict=True):
        found = of_demo(demo, int(row), baseline=mean)
        assert found.probability == pytest.approx(float(probability), abs=1e-4)
        assert not found.is_rough
        difference = found.score - found.baseline_score
        assert found.contributions.sum() == pytest.approx(difference, abs=max(0.05, 0.05 * abs(difference)))
        assert found.contributions.shape == (32, 32)


def test_adding_the_same_to_every_class_changes_no_map(demo):
    row = int(demo.dataset.rows("test")[0])
    shifted = fmd.LinearHead(demo.head.weight + np.linspace(-1, 1, demo.head.n_features), demo.head.bias + 3)
    found = [of_demo(demo, row, classifier=demo.classifier.with_head(h)) for h in (demo.head, shifted)]
    np.testing.assert_allclose(found[0].contributions, found[1].contributions, atol=1e-4)


def test_contributions_that_do_not_add_up_are_called_rough():
    values = np.array([1.0, 2.0])
    assert not Explanation("integrated-gradients", 0, values, (), 3.1, 0.0).is_rough
    rough = Explanation("integrated-gradients", 0, values, (), 4.0, 0.0)
    assert (rough.is_rough, rough.completeness_error) == (True, pytest.approx(1.0))
    assert Explanation("grad-cam", 0, values, (), 4.0).completeness_error is None


def test_the_probability_of_extreme_log_odds_is_a_number():
    assert Explanation("grad-cam", 0, np.zeros((1, 1)), (), -1e5).probability == 0
    assert Explanation("grad-cam", 0, np.zeros((1, 1)), (), 1e5).probability == 1


# --- Grad-CAM


def test_grad_cam_finds_the_bright_corner(bright_spots):
    images = np.zeros((8, SIDE, SIDE, 3), "uint8")
    images[:, :3, 5:] = 255
    found = explain(bright_spots, dataset_of(images), 0, target=1, method="grad-cam")
    assert found.contributions.shape == (SIDE, SIDE)
    assert found.contributions[:3, 5:].min() > 0
    assert found.contributions[4:, :4].max() == 0
    against = explain(bright_spots, dataset_of(images), 0, target=0, method="grad-cam")
    assert against.contributions.max() == 0  # only what speaks for the class is drawn


def test_grad_cam_of_the_demo_is_positive_and_at_input_resolution(demo):
    for row in demo.dataset.rows("test")[:5]:
        found = of_demo(demo, int(row), "grad-cam")
        assert found.contributions.shape == (32, 32)
        assert found.contributions.min() >= 0
        assert (found.columns, found.baseline_score) == ((), None)


def test_the_last_map_takes_in_normalisation_and_activation():
    import torch

    encoder = build_encoder("face_cnn").eval()
    layer = attributions._last_map(encoder, torch.zeros(1, 3, 64, 64))
    assert layer is encoder[-5]  # the relu before pooling, flattening and two dense layers
    assert not any(module._forward_hooks for module in encoder.modules())


# --- before and after


@pytest.mark.parametrize("method", ["integrated-gradients", "grad-cam"])
def test_maps_change_with_unlearning_and_stay_with_the_same_head(demo, method):
    row = int(demo.dataset.rows("test")[3])
    before = of_demo(demo, row, method)
    again = of_demo(demo, row, method, classifier=demo.classifier.with_head(demo.head))
    after = of_demo(demo, row, method, classifier=demo.classifier.with_head(demo.path.suggested.result.head))
    np.testing.assert_array_equal(before.contributions, again.contributions)
    assert np.abs(after.contributions - before.contributions).max() > 1e-3
    assert after.probability != pytest.approx(before.probability)


def test_the_classifier_is_left_as_it_was(demo):
    row = int(demo.dataset.rows("test")[0])
    inputs = demo.dataset.source.read(np.array([row]))
    before = demo.classifier.encode([inputs])
    of_demo(demo, row, "grad-cam")
    of_demo(demo, row)
    np.testing.assert_array_equal(demo.classifier.encode([inputs]), before)
    assert not any(module._forward_hooks for module in demo.classifier.encoder.module.modules())


def test_a_head_with_a_hidden_layer_answers_alike_in_torch(demo):
    import torch

    from fmd_core.heads.two_layer import MLPHead

    rng, features = np.random.default_rng(0), demo.features["test"].features[:6]
    head = MLPHead(
        rng.normal(size=(5, 64)), rng.normal(size=5), fmd.LinearHead(rng.normal(size=(3, 5)), np.ones(3))
    )
    for found in (demo.head, head):
        logits = attributions._head_module(found)(torch.tensor(features)).numpy()
        np.testing.assert_allclose(logits, found.logits(features), rtol=1e-3, atol=1e-3)


# --- tables


@pytest.fixture(scope="module")
def people():
    """Income goes with 'job' alone; 'age' has an input for missing values."""
    rng, n = np.random.default_rng(0), 600
    job = rng.choice(["clerk", "cook", "smith"], n)
    age = rng.integers(18, 80, n).astype(float)
    age[::50] = np.nan
    frame = pd.DataFrame(
        {
            "age": age,
            "job": job,
            "sex": rng.choice(["f", "m"], n),
            "income": np.where(job == "cook", "low", "high"),
        }
    )
    data = make_table_dataset(
        "People", frame, target="income", protected=["sex"], split=np.resize(SPLITS, n), leave_out=()
    )
    return data, train_classifier(data, architecture="mlp", epochs=30)


def test_columns_of_a_record_add_up_and_the_one_that_matters_leads(people):
    data, model = people
    target = data.target.levels.index("low")
    cook = next(int(row) for row in data.rows("test") if data.source.display(int(row))["job"] == "cook")
    found = explain(model, data, cook, target=target, method="integrated-gradients")
    assert found.columns == ("age", "job", "sex")
    assert found.columns[int(found.contributions.argmax())] == "job"
    assert found.contributions.sum() == pytest.approx(found.score - found.baseline_score, abs=0.05)
    assert methods(model, data) == ("integrated-gradients",)


def test_the_baseline_of_a_table_is_the_mean_training_row(people):
    data, _ = people
    np.testing.assert_allclose(
        average_input(data), data.source.read(data.rows("train")).mean(axis=0), atol=1e-5
    )


def test_a_source_that_names_no_columns_counts_its_inputs(tiny):
    contributions, names = find_kind("table").parts(np.array([0.5, -1.0]), tiny.dataset.source)
    assert (contributions.tolist(), names) == ([0.5, -1.0], ("input 1", "input 2"))


# --- what is offered, and refused


def test_small_images_begin_with_pixels_large_ones_with_regions(bright_spots, noise):
    assert methods(bright_spots, noise) == ("integrated-gradients", "grad-cam")
    large = dataset_of(np.zeros((8, 160, 160, 3), "uint8"))
    assert methods(bright_spots, large) == ("grad-cam", "integrated-gradients")


def test_a_network_without_convolutions_has_no_regions(linear, noise):
    assert methods(linear, noise) == ("integrated-gradients",)
    with pytest.raises(ModelError, match="Grad-CAM needs a network with convolutions"):
        explain(linear, noise, 0, target=0, method="grad-cam")


def test_a_transformer_has_no_regions():
    import torch

    class Patches(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.cut, self.mix = torch.nn.Conv2d(3, 4, 4, 4), torch.nn.MultiheadAttention(4, 1)

        def forward(self, x):
            patches = self.cut(x).flatten(2).transpose(1, 2)
            return self.mix(patches, patches, patches)[0].mean(dim=1)

    with pytest.raises(ModelError, match="convolutions up to its last layers"):
        attributions._last_map(Patches(), torch.zeros(1, 3, SIDE, SIDE))


def test_a_map_of_one_spot_is_refused():
    import torch

    with pytest.raises(ModelError, match="one spot"):
        attributions._last_map(build_encoder("face_cnn").eval(), torch.zeros(1, 3, 16, 16))


def test_unknown_names_are_refused_in_a_sentence(linear, noise):
    with pytest.raises(DataError, match=r"Unknown method 'x'. Choose one of: integrated-gradients, grad-cam"):
        explain(linear, noise, 0, target=0, method="x")
    with pytest.raises(DataError, match="There is no class 2; choose one from 0 to 1"):
        explain(linear, noise, 0, target=2, method="grad-cam")


def test_a_model_of_other_data_is_refused(demo, noise):
    with pytest.raises(ModelError, match="tells 10 classes apart"):
        explain(demo.classifier, noise, 0, target=0, method="grad-cam")


def test_an_unknown_kind_of_head_is_refused():
    with pytest.raises(ModelError, match="head of the kind 'object' looks cannot be shown"):
        attributions._head_module(object())


def test_torch_waits_until_something_is_explained():
    code = "import sys, fmd_core.explain.attributions; sys.exit(any(m in sys.modules for m in ('torch', 'captum')))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
