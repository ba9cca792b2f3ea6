"""The same classifier with one layer more in its head, for every architecture; what is refused."""

from dataclasses import replace

import numpy as np
import pytest

from fmd_core import Classifier, LinearHead, MLPHead, ModelError, Preprocess, deepened
from fmd_core.models.architectures import ARCHITECTURES, build_encoder, find_hidden_layer

SMALL = {"small_cnn": 0, "face_cnn": 0, "mlp": 5}  # name -> columns that go in


def classifier(name, feature_scale=0.3):
    import torch

    torch.manual_seed(0)
    state = {k: t.numpy() for k, t in build_encoder(name, SMALL[name]).state_dict().items()}
    width, rng = {"small_cnn": 64, "face_cnn": 128, "mlp": 64}[name], np.random.default_rng(0)
    head = LinearHead(rng.normal(size=(3, width)), rng.normal(size=3))
    return Classifier(name, state, head, 0.02, Preprocess("unit"), feature_scale, "mine")


def inputs(name):
    rng = np.random.default_rng(1)
    if name == "mlp":
        return rng.normal(size=(7, 5)).astype("float32")
    return rng.integers(0, 255, (7, 32, 32, 3)).astype("uint8")


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize("depth", ["concatenated", "two layers"])
@pytest.mark.parametrize("scale", [1.0, 2.5])
def test_answers_stay_the_same_whatever_the_scales(name, depth, scale):
    model = classifier(name)
    deep = deepened(model, depth, scale=scale)
    before = model.head.logits(model.encode([inputs(name)]))
    features = deep.encode([inputs(name)])
    np.testing.assert_allclose(deep.head.logits(features), before, rtol=1e-4, atol=1e-5)
    assert features.shape[1] == deep.head.n_features
    assert (deep.damping, deep.name, deep.preprocess) == (0.02, "mine", model.preprocess)
    assert deep.feature_scale == scale


@pytest.mark.parametrize("name", SMALL)
def test_both_forms_read_the_same_layer(name):
    model = classifier(name)
    two, both = (deepened(model, depth, scale=1.7) for depth in ("two layers", "concatenated"))
    assert isinstance(two.head, MLPHead)
    assert isinstance(both.head, LinearHead)
    below = two.encode([inputs(name)])
    features = two.head.concatenated_features(below)
    np.testing.assert_allclose(both.encode([inputs(name)]), features, rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(both.head.weight, two.head.concatenated().weight)


@pytest.mark.parametrize("name", SMALL)
def test_the_hidden_layer_is_the_encoders_last_before_relu(name):
    *_, (linear_name, linear), (_, relu) = build_encoder(name, SMALL[name]).named_children()
    assert (type(linear).__name__, type(relu).__name__) == ("Linear", "ReLU")
    assert find_hidden_layer(name) == linear_name


def test_no_number_is_lost_or_counted_twice():
    model = classifier("small_cnn")
    assert deepened(model, "two layers").n_parameters == model.n_parameters
    assert deepened(model, "concatenated").n_parameters == model.n_parameters + 3 * 1024


def test_every_form_has_features_of_its_own():
    model = classifier("mlp")
    forms = [deepened(model, d, scale=s) for d in ("two layers", "concatenated") for s in (1.0, 2.0)]
    assert len({form.encoder_fingerprint for form in (model, *forms)}) == 5


def test_the_depth_that_it_has_changes_nothing():
    model = classifier("mlp")
    assert deepened(model, "last layer") is model
    deep = deepened(model, "two layers")
    assert deepened(deep, "two layers") is deep


@pytest.mark.parametrize("name", sorted(set(ARCHITECTURES) - set(SMALL)))
@pytest.mark.parametrize("depth", ["concatenated", "two layers"])
def test_networks_without_a_hidden_layer_are_refused(name, depth):
    model = replace(classifier("mlp"), architecture=name)
    with pytest.raises(ModelError) as caught:
        deepened(model, depth)
    assert str(caught.value) == (
        f"{ARCHITECTURES[name].title} has no hidden layer right below its last one, so that only the last "
        "layer can be unlearned; networks with one: small_cnn, face_cnn, mlp."
    )


def test_going_on_from_another_depth_is_refused():
    deep = deepened(classifier("mlp"), "two layers")
    with pytest.raises(ModelError, match=r"^This classifier is open at 'two layers'; change the depth of"):
        deepened(deep, "concatenated")


def test_a_missing_layer_is_named():
    model = classifier("mlp")
    state = {name: array for name, array in model.encoder_state.items() if not name.startswith("2.")}
    with pytest.raises(ModelError, match=r"^Layer '2' is missing in the weights; open the whole network"):
        deepened(replace(model, encoder_state=state), "two layers")
