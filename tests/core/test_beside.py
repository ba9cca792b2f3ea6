"""Two networks as one: both answers are kept, every judge takes it, and what does not belong is refused."""

from dataclasses import replace

import numpy as np
import pytest

import fmd_core as fmd
from fmd_core.data import content_fingerprint
from fmd_core.errors import ModelError
from fmd_core.models.architectures import build_encoder
from fmd_core.models.shelf import keep_model, open_model
from fmd_core.models.side_by_side import beside


def network(name, seed, scale=0.3, columns=5, classes=3):
    import torch

    torch.manual_seed(seed)
    state = {k: t.numpy() for k, t in build_encoder(name, columns).state_dict().items()}
    rng, width = np.random.default_rng(seed), 64
    head = fmd.LinearHead(rng.normal(size=(classes, width)), rng.normal(size=classes))
    return fmd.Classifier(name, state, head, 0.02, fmd.Preprocess("unit"), scale, f"seed {seed}")


def inputs(name, n=7):
    rng = np.random.default_rng(1)
    if name == "mlp":
        return rng.normal(size=(n, 5)).astype("float32")
    return rng.integers(0, 255, (n, 16, 16, 3)).astype("uint8")


@pytest.mark.parametrize("name", ["mlp", "small_cnn"])
def test_both_answers_are_kept(name):
    first, second = network(name, 0), network(name, 1, scale=2.0)
    both, head = beside(first, second)
    features = both.encode([inputs(name)])
    here, there = (model.encode([inputs(name)]) for model in (first, second))
    np.testing.assert_allclose(features, np.column_stack([here, there]), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(both.head.logits(features), first.head.logits(here), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(head.logits(features), second.head.logits(there), rtol=1e-4, atol=1e-5)
    assert np.abs(here - there).max() > 0.1
    assert (both.damping, both.name, both.kind) == (0.02, "seed 0", first.kind)


def test_features_are_known_by_both_networks():
    one, two, three = (network("mlp", seed) for seed in range(3))
    prints = {beside(*pair)[0].encoder_fingerprint for pair in ((one, two), (one, three), (two, one))}
    assert len(prints | {one.encoder_fingerprint, two.encoder_fingerprint}) == 5
    rescaled = beside(one, replace(two, feature_scale=0.5))[0]
    assert rescaled.encoder_fingerprint not in prints
    other_head = beside(one, two.with_head(three.head))[0]
    assert other_head.encoder_fingerprint in prints


def test_the_layers_whose_weights_differ_are_named():
    first = network("small_cnn", 0)
    assert beside(first, first)[0].changed_layers == ()
    names = list(first.encoder_state)
    one = first.encoder_state | {names[-1]: first.encoder_state[names[-1]] + 1}
    layer = names[-1].rpartition(".")[0]
    assert beside(first, replace(first, encoder_state=one))[0].changed_layers == (layer,)
    every = beside(first, network("small_cnn", 1))[0].changed_layers
    assert every[-1] == layer
    assert len(every) == len({name.rpartition(".")[0] for name in names})


def test_a_two_layer_head_reads_its_half():
    first = network("mlp", 0)
    second = fmd.deepened(network("mlp", 1), "two layers")
    both, head = beside(first, second)
    features = both.encode([inputs("mlp")])
    assert isinstance(head, fmd.MLPHead)
    expected = second.head.logits(second.encode([inputs("mlp")]))
    np.testing.assert_allclose(head.logits(features), expected, rtol=1e-4, atol=1e-5)


def test_what_judges_two_heads_judges_two_networks(tiny):
    """The dataset of the tiny problem, seen by two networks: the comparison of one with itself is even, and
    that of two agrees with what each does alone."""
    first, second = network("mlp", 0, columns=6), network("mlp", 1, columns=6)
    dataset = replace(tiny.dataset, source=Rows(tiny.dataset))
    both, head = beside(first, second)
    people = fmd.extract_features(both, dataset, split="test")
    pairs = fmd.pair_counterfactuals(dataset, both, split="test", attribute="mark")
    found = fmd.compare(both.head, head, dataset, people, pairs)
    for model, measured in ((first, found.accuracy.before), (second, found.accuracy.after)):
        alone = fmd.extract_features(model, dataset, split="test")
        right = model.head.probabilities(alone.features).argmax(axis=1) == alone.labels
        assert measured.value == pytest.approx(right.mean())
    same, twin = beside(first, first)
    even = fmd.compare(same.head, twin, dataset, fmd.extract_features(same, dataset, split="test"),
                       fmd.pair_counterfactuals(dataset, same, split="test", attribute="mark"))  # fmt: skip
    assert even.bias.before.value == pytest.approx(even.bias.after.value, abs=1e-6)


class Rows:
    """The tiny problem's rows in the precision that networks read."""

    def __init__(self, dataset):
        self.inner, self.kind = dataset.source, "table"
        self.fingerprint = content_fingerprint(self.inner.fingerprint)

    def read(self, rows):
        return self.inner.read(rows).astype("float32")

    def counterfactual(self, rows, attribute, codes):
        return self.inner.counterfactual(rows, attribute, codes).astype("float32")


def test_the_changed_network_is_what_is_kept_and_both_are_made_again(tiny, tmp_path, monkeypatch):
    monkeypatch.setenv("FMD_HOME", str(tmp_path))
    dataset = replace(tiny.dataset, source=Rows(tiny.dataset))
    first, second = network("mlp", 0, columns=6), network("mlp", 1, columns=6)
    both, head = beside(first, second)
    again, head_again = beside(first, open_model(dataset, keep_model(dataset, second)))
    assert again.fingerprint == both.fingerprint
    assert head_again.fingerprint == head.fingerprint
    rows = dataset.source.read(dataset.rows("test"))
    np.testing.assert_array_equal(again.encode([rows]), both.encode([rows]))


def test_where_it_looks_can_be_asked_of_both():
    images = inputs("small_cnn", 8)
    column = fmd.Column("shape", np.arange(8) % 3, ("a", "b", "c"))
    split = np.resize(["train", "external", "validation", "test"], 8)
    dataset = fmd.AttributeDataset("Pictures", column, {}, split, Pictures(images))
    first, second = network("small_cnn", 0), network("small_cnn", 1)
    both, head = beside(first, second)
    for model, judged in ((first, both), (second, both.with_head(head))):
        alone, found = (
            fmd.explain(m, dataset, 1, target=0, method="integrated-gradients") for m in (model, judged)
        )
        np.testing.assert_allclose(found.contributions, alone.contributions, rtol=1e-2, atol=1e-4)


class Pictures:
    kind, fingerprint = "image", "eight pictures"

    def __init__(self, images):
        self.images = images

    def read(self, rows):
        return self.images[rows]


@pytest.mark.parametrize(
    ("other", "sentence"),
    [
        (network("small_cnn", 1), "read different things (tables; images)"),
        (
            replace(network("mlp", 1), preprocess=fmd.Preprocess("symmetric")),
            "prepare their inputs as different things (unit; symmetric)",
        ),
        (network("mlp", 1, classes=4), "tell apart different things (3 classes; 4 classes)"),
    ],
)
def test_networks_that_do_not_belong_together_are_refused(other, sentence):
    with pytest.raises(ModelError) as caught:
        beside(network("mlp", 0), other)
    assert str(caught.value) == (
        f"The two networks {sentence}; compare a network with one that was made from it."
    )


def test_an_unknown_head_is_refused():
    odd = type("OddHead", (), {"n_classes": 3, "n_features": 64})()
    with pytest.raises(ModelError, match=r"^A head of the kind OddHead cannot be put beside another\.$"):
        beside(network("mlp", 0), network("mlp", 1).with_head(odd))
