"""Patterns without annotation: channels that go together are found, shown, and forgotten."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

import fmd_core as fmd
from fmd_core.data import content_fingerprint
from fmd_core.errors import DataError, ModelError, SolverError
from fmd_core.forget import channels
from fmd_core.forget.channels import (
    channel_groups,
    convolution_layers,
    forget_pattern,
    heat_maps,
    pattern_reliance,
    without_pattern,
)
from fmd_core.forget.finetuning import TrainableCopy
from fmd_core.models.architectures import build_encoder

SIDE, N = 16, 480
RED, GREEN = np.arange(8), np.arange(8, 16)  # channels of the first layer, by what they are made to see


class Pictures:
    kind = "image"

    def __init__(self, images):
        self.images, self.fingerprint = images, content_fingerprint(images)

    def read(self, rows):
        return self.images[rows]


@pytest.fixture(scope="module")
def pictures():
    """Both a red and a green spot, each somewhere, are large in class 'big': either one tells the class."""
    import torch

    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, N)
    images = rng.integers(0, 40, (N, SIDE, SIDE, 3))
    for image, label in zip(images, labels, strict=True):
        for colour, left in ((0, 0), (1, SIDE // 2)):
            size = 3 + 2 * label
            y, x = rng.integers(0, SIDE - size), left + rng.integers(0, SIDE // 2 - size + 1)
            image[y : y + size, x : x + size, colour] += 200
    split = np.resize(["train", "train", "external", "validation", "test"], N)
    column = fmd.Column("size", labels, ("small", "big"))
    return fmd.AttributeDataset("Spots", column, {}, split, Pictures(images.astype("uint8")))


@pytest.fixture(scope="module")
def model(pictures):
    """A network whose first layer sees red in half of its channels and green in the others."""
    import torch

    torch.manual_seed(0)
    state = {k: t.numpy().copy() for k, t in build_encoder("small_cnn").state_dict().items()}
    rng = np.random.default_rng(0)
    first = np.zeros((16, 3, 3, 3), "float32")
    for members, seen, other in ((RED, 0, 1), (GREEN, 1, 0)):
        first[members, seen, 1, 1] = rng.uniform(0.6, 1.0, 8)
        first[members, other, 1, 1] = -0.6
    state["0.weight"], state["0.bias"] = first, np.full(16, 0.1, "float32")
    head = fmd.LinearHead(rng.normal(size=(2, 64)) / 8, np.zeros(2))
    raw = fmd.Classifier("small_cnn", state, head, 1e-3, name="spots")
    copy = TrainableCopy(raw, pictures, reach="whole network", seed=0)
    copy.encoder[0].requires_grad_(False)

    def losses(positions, inputs):
        task = torch.nn.functional.cross_entropy(copy.top(copy.encoder(inputs)), copy.labels[positions])
        return task, task * 0

    copy.run(copy.read, losses, epochs=12, batch=32, learning_rate=2e-3, weight=0.0)
    return copy.frozen("spots")


@pytest.fixture(scope="module")
def groups(model, pictures):
    return channel_groups(model, pictures, layer="0")


def group_of(groups, members):
    """The group that these channels make up."""
    (found,) = set(groups.groups[members].tolist())
    return found


def accuracy(model, dataset):
    found = fmd.extract_features(model, dataset, split="test")
    return (model.head.probabilities(found.features).argmax(axis=1) == found.labels).mean()


def message(kind, call, *arguments, **options):
    with pytest.raises(kind) as caught:
        call(*arguments, **options)
    return str(caught.value)


# --- groups


def test_channels_that_see_the_same_are_one_group(groups):
    assert groups.n_groups == 2
    red, green = group_of(groups, RED), group_of(groups, GREEN)
    assert red != green
    np.testing.assert_array_equal(groups.members(red), RED)
    np.testing.assert_array_equal(groups.members(green), GREEN)


def test_the_likeness_is_the_correlation_over_places_and_images(groups):
    assert groups.similarity.shape == (16, 16)
    assert groups.similarity[np.ix_(RED, RED)].min() > 0.9
    assert groups.similarity[np.ix_(RED, GREEN)].max() < 0.1
    np.testing.assert_allclose(np.diag(groups.similarity), 1)
    assert (np.diff(groups.eigenvalues) >= 0).all()
    assert groups.eigenvalues[0] == pytest.approx(0, abs=1e-9)
    assert np.diff(groups.eigenvalues)[1:].argmax() == 0  # the gap after the second


def test_three_planted_groups_are_counted_by_the_gap():
    planted = np.repeat([0, 1, 2], [4, 5, 6])
    rng = np.random.default_rng(0)
    likeness = np.where(planted[:, None] == planted, 0.8, -0.1) + rng.normal(0, 0.02, (15, 15))
    likeness = (likeness + likeness.T) / 2
    np.fill_diagonal(likeness, 1)
    values, found = channels._clustered(likeness, None, 0)
    assert len(values) == 15
    assert len({(a, b) for a, b in zip(planted, found, strict=True)}) == 3
    assert len(np.unique(channels._clustered(likeness, 5, 0)[1])) == 5


def test_channels_that_are_active_by_turns_do_not_belong_together():
    planted = np.repeat([0, 1], 6)
    likeness = np.where(planted[:, None] == planted, 0.6, -0.9)
    np.fill_diagonal(likeness, 1)
    values, found = channels._clustered(likeness, None, 0)
    assert len({(a, b) for a, b in zip(planted, found, strict=True)}) == 2
    assert values[1] < 0.05 < values[2]  # two groups that have nothing to do with each other


def test_dead_channels_belong_to_no_group(model, pictures):
    weight, bias = (model.encoder_state[f"0.{kind}"].copy() for kind in ("weight", "bias"))
    weight[[3, 12]], bias[[3, 12]] = 0, -1
    dead = replace(model, encoder_state={**model.encoder_state, "0.weight": weight, "0.bias": bias})
    found = channel_groups(dead, pictures, layer="0")
    np.testing.assert_array_equal(np.flatnonzero(found.groups == -1), [3, 12])
    assert found.similarity.shape == (14, 14)
    weight[:], bias[:] = 0, -1
    silent = replace(model, encoder_state={**model.encoder_state, "0.weight": weight, "0.bias": bias})
    assert message(SolverError, channel_groups, silent, pictures, layer="0") == (
        "Only 0 channels of layer '0' respond to anything; choose another."
    )


def test_layers_are_named_with_their_maps(model, pictures):
    assert convolution_layers(model, pictures) == {"0": (16, 16), "3": (8, 8), "6": (4, 4)}
    assert channel_groups(model, pictures).layer == "3"  # the last that still shows places


def test_maps_are_taken_after_normalisation_and_activation():
    """Of a ResNet too, where one layer is used twice."""
    import torch

    torch.manual_seed(0)
    encoder = build_encoder("resnet18").eval()
    classifier = SimpleNamespace(
        as_module=lambda: encoder, preprocess=SimpleNamespace(apply=torch.from_numpy)
    )
    found = channels._maps(classifier, np.random.default_rng(0).random((2, 3, 64, 64), "float32"))
    assert len(found) == 20
    for name in ("conv1", "layer1.0.conv1", "layer1.1.conv2", "layer4.1.conv2"):
        assert (found[name] >= 0).all()


# --- heat and masks


def test_heat_lies_where_the_pattern_is(model, pictures, groups):
    rows = pictures.rows("test")[:40]
    images = pictures.source.read(rows).astype(float)
    for members, colour in ((RED, 0), (GREEN, 1)):
        heat = heat_maps(model, pictures, groups, group_of(groups, members), rows)
        assert heat.shape == (40, SIDE, SIDE)
        spot = images[..., colour] > 150
        assert heat[spot].mean() > 3 * heat[~spot].mean()
    train = pictures.rows("train")
    covered = (heat_maps(model, pictures, groups, 0, train) >= 1).mean()
    assert 0.02 < covered <= 0.17  # of the sample's places it is 15 %, ties included


def test_others_may_read_features_while_a_pattern_is_looked_for(model, pictures, groups):
    """The server's visitors share one classifier."""
    rows = pictures.rows("test")
    alone, between = heat_maps(model, pictures, groups, 0, rows[:4]), []

    def meanwhile(*_):
        if not between:
            between.append(True)
            model.encode([pictures.source.read(rows[4:8])])

    listener = list(model.encoder.module.children())[-1].register_forward_hook(meanwhile)
    try:
        found = heat_maps(model, pictures, groups, 0, rows[:4])
    finally:
        listener.remove()
    assert between
    np.testing.assert_array_equal(found, alone)


def test_only_the_hot_places_are_replaced():
    images, others = np.zeros((1, 2, 2, 3), "uint8"), np.full((1, 2, 2, 3), 9, "uint8")
    heat = np.array([[[0.0, 0.99], [1.0, 5.0]]])
    found = without_pattern(images, heat, others)
    assert found[0, :, :, 0].tolist() == [[0, 0], [9, 9]]
    assert found.dtype == np.uint8


def test_reliance_is_no_more_than_the_answers_can_move(model, pictures, groups):
    rows = pictures.rows("test")
    found = pattern_reliance(model, pictures, groups, group_of(groups, RED), rows)
    assert found.shape == (len(rows),)
    assert 0 <= found.min() <= found.max() <= 1
    blind = model.with_head(fmd.LinearHead(np.zeros((2, 64)), np.zeros(2)))
    assert pattern_reliance(blind, pictures, groups, 0, rows, found_by=model).max() == 0


# --- forgetting


def test_answers_no_longer_hang_on_the_pattern_and_the_task_stays(model, pictures, groups):
    red, rows = group_of(groups, RED), pictures.rows("test")
    before = pattern_reliance(model, pictures, groups, red, rows).mean()
    assert before > 0.05
    weights = {name: array.copy() for name, array in model.encoder_state.items()}
    steps = []
    found = forget_pattern(model, pictures, groups, red, epochs=12, progress=steps.append)
    after = pattern_reliance(found.classifier, pictures, groups, red, rows, found_by=model).mean()
    assert after < 0.5 * before
    assert accuracy(found.classifier, pictures) > accuracy(model, pictures) - 0.05
    assert 0.02 < found.coverage < 0.2
    assert len(found.rounds) == 12
    assert found.rounds[-1].forgetting_loss < 0.7 * found.rounds[0].forgetting_loss
    assert steps[-1].share == 1
    assert found.group == red
    assert all(np.array_equal(model.encoder_state[name], array) for name, array in weights.items())


def test_a_seed_says_it_all(model, pictures, groups):
    first, again, other = (
        forget_pattern(model, pictures, groups, 0, epochs=1, seed=seed).classifier.fingerprint
        for seed in (1, 1, 2)
    )
    assert first == again != other


# --- what is refused


def test_a_model_without_convolutions_is_told_so(pictures):
    import torch

    torch.manual_seed(0)
    state = {k: t.numpy() for k, t in build_encoder("mlp", 5).state_dict().items()}
    head = fmd.LinearHead(np.zeros((2, 64)), np.zeros(2))
    table = replace(pictures, source=type("T", (Pictures,), {"kind": "table"})(np.zeros((N, 5), "float32")))
    assert message(ModelError, convolution_layers, fmd.Classifier("mlp", state, head, 1e-3), table) == (
        "Patterns of channels need a network with convolutions, and this one has none that look at the "
        "whole picture; choose another model, or forget an attribute by its annotation."
    )


@pytest.mark.parametrize("group", [-1, 2])
def test_an_unknown_group_is_refused_wherever_it_is_named(model, pictures, groups, group):
    sentence = f"There is no group {group}; choose one from 0 to 1."
    rows = pictures.rows("test")[:4]
    assert message(DataError, groups.members, group) == sentence
    for call in (heat_maps, pattern_reliance):
        assert message(DataError, call, model, pictures, groups, group, rows) == sentence
    assert message(DataError, forget_pattern, model, pictures, groups, group) == sentence


def test_unknown_layers_and_numbers_are_refused(model, pictures, groups):
    assert message(DataError, channel_groups, model, pictures, layer="9") == (
        "Unknown layer '9'. This network's convolutions: 0, 3, 6."
    )
    for number in (1, 13):
        assert message(DataError, channel_groups, model, pictures, layer="0", n_groups=number) == (
            f"These channels fall into 2 to 12 groups, got {number}."
        )
    for options in ({"epochs": 0}, {"strength": 0.0}, {"strength": float("nan")}):
        text = message(DataError, forget_pattern, model, pictures, groups, 0, **options)
        assert text.startswith("Forgetting takes at least one epoch and a strength above 0, got ")


def test_a_stop_in_the_middle_goes_through(model, pictures, groups):
    class Stopped(Exception):
        pass

    def stop(_):
        raise Stopped

    before = model.fingerprint
    with pytest.raises(Stopped):
        forget_pattern(model, pictures, groups, 0, progress=stop)
    assert replace(model).fingerprint == before
