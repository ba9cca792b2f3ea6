"""Networks taken apart and put together; pictures made ready; features in batches and from the store."""

from dataclasses import dataclass, field, replace

import numpy as np
import pytest

import fmd_core as fmd
from fmd_core.data import SPLITS, content_fingerprint
from fmd_core.errors import ModelError
from fmd_core.models import encoding
from fmd_core.models.architectures import (
    ARCHITECTURES,
    build_encoder,
    find_architecture,
    load_published,
    split_state,
)
from fmd_core.models.classifier import Classifier
from fmd_core.models.encoding import BATCH_PIXELS, encode_rows, row_batches
from fmd_core.models.feature_store import FeatureStore
from fmd_core.models.files import load_classifier, save_classifier
from fmd_core.models.preprocess import Preprocess

pytestmark = pytest.mark.slow  # large networks

SMALL = {"small_cnn": 0, "face_cnn": 0, "mlp": 5}  # name -> columns that go in


def encoder_state(name, n_inputs=0, seed=0):
    """Weights of an encoder, every number drawn, so that no two layers can be mistaken for each other."""
    rng, found = np.random.default_rng(seed), {}
    for key, value in build_encoder(name, n_inputs).state_dict().items():
        drawn = rng.normal(0, 0.1, tuple(value.shape)).astype("float32")
        if key.endswith("num_batches_tracked"):
            drawn = np.array(7)
        elif key.endswith("running_var") or (key.endswith("weight") and drawn.ndim == 1):
            drawn = 1 + np.abs(drawn)  # spread and factor of a batch normalisation
        found[key] = drawn
    return found


def whole_state(name, n_inputs=0, n_classes=3):
    """A network's whole state dict."""
    width, rng = {"small_cnn": 64, "face_cnn": 128, "mlp": 64}[name], np.random.default_rng(1)
    weight = rng.normal(size=(n_classes, width)).astype("float32")
    head = {"head.weight": weight, "head.bias": np.arange(n_classes, dtype="float32")}
    return encoder_state(name, n_inputs) | head


def classifier(name, n_inputs=0, n_classes=3, **options):
    encoder, weight, bias = split_state(name, whole_state(name, n_inputs, n_classes), n_inputs)
    return Classifier(name, encoder, fmd.LinearHead(weight, bias), 1e-3, **options)


def pictures(n, side=16, seed=0):
    """Noise, each picture brighter than the last."""
    noise = np.random.default_rng(seed).random((n, side, side, 3))
    return (255 * noise * np.arange(1, n + 1).reshape(-1, 1, 1, 1) / n).astype("uint8")


@dataclass(frozen=True, eq=False)
class CountingSource:
    """Inputs in memory that remembers how many rows each reading took. Setting the mark shows
    in the first row or column."""

    inputs: np.ndarray
    kind: str
    reads: list = field(default_factory=list)

    @property
    def fingerprint(self):
        return content_fingerprint(self.inputs)

    def read(self, rows):
        self.reads.append(len(rows))
        return self.inputs[rows]

    def counterfactual(self, rows, attribute, codes):
        assert attribute == "mark"
        changed = self.read(rows)
        changed[:, 0] = np.reshape(codes, (-1, *[1] * (changed.ndim - 2)))
        return changed


def dataset(inputs, kind, n_classes=3):
    n = len(inputs)
    label = fmd.Column("shape", np.arange(n) % n_classes, ("round", "square", "star")[:n_classes])
    mark = fmd.Column("mark", np.arange(n) % 2, ("dot", "dash"))
    return fmd.AttributeDataset(
        "Counted", label, {"mark": mark}, np.resize(SPLITS, n), CountingSource(inputs, kind)
    )


@pytest.fixture
def images():
    return dataset(pictures(24), "image")


@pytest.fixture
def table():
    rows = np.random.default_rng(0).normal(size=(24, 5)).astype("float32")
    return dataset(rows, "table")


def message(call, *arguments, **options):
    with pytest.raises(ModelError) as caught:
        call(*arguments, **options)
    return str(caught.value)


# --- taken apart and put together


@pytest.mark.parametrize(("name", "n_inputs"), SMALL.items())
def test_a_state_taken_apart_and_joined_is_the_same(name, n_inputs):
    state = whole_state(name, n_inputs)
    encoder, weight, bias = split_state(name, state, n_inputs)
    assert set(state) - set(encoder) == {"head.weight", "head.bias"}
    np.testing.assert_array_equal(bias, [0, 1, 2])
    joined = encoder | {"head.weight": weight, "head.bias": bias}
    assert joined.keys() == state.keys()
    for key in state:
        assert np.shape(joined[key]) == np.shape(state[key])
        np.testing.assert_array_equal(joined[key], state[key])


@pytest.mark.parametrize(("name", "n_inputs"), SMALL.items())
def test_features_are_what_the_whole_network_has_before_its_last_layer(name, n_inputs):
    import torch

    state = whole_state(name, n_inputs)
    whole = torch.nn.Sequential()
    for key, layer in build_encoder(name, n_inputs).named_children():
        whole.add_module(key, layer)
    whole.add_module("head", torch.nn.Linear(state["head.weight"].shape[1], 3))
    whole.load_state_dict({key: torch.tensor(array) for key, array in state.items()})
    seen = []
    whole.head.register_forward_hook(lambda _, given, __: seen.append(given[0]))

    inputs = pictures(3, find_architecture(name).size) if not n_inputs else np.eye(3, 5, dtype="float32")
    model = classifier(name, n_inputs)
    with torch.inference_mode():
        answers = whole.eval()(model.preprocess.apply(inputs)).numpy()
    features = model.encode([inputs])
    np.testing.assert_allclose(features, seen[0], rtol=1e-4, atol=1e-5)
    assert np.ptp(features, axis=0).max() > 1e-3  # inputs are told apart
    np.testing.assert_allclose(model.head.logits(features), answers, rtol=1e-4, atol=1e-4)


def test_a_network_of_torchvision_is_its_features_under_its_last_layer():
    import torch
    import torchvision

    torch.manual_seed(0)
    whole = torchvision.models.resnet18(weights=None, num_classes=5)
    whole.train()(torch.randn(4, 3, 64, 64))  # statistics of its own in the batch normalisation
    state = {name: tensor.numpy().copy() for name, tensor in whole.state_dict().items()}
    encoder, weight, bias = split_state("resnet18", state)
    joined = encoder | {"fc.weight": weight, "fc.bias": bias}
    assert joined.keys() == state.keys()
    assert all(joined[key] is state[key] for key in state)

    model = Classifier("resnet18", encoder, fmd.LinearHead(weight, bias), 1e-3, Preprocess("imagenet", 64))
    inputs = pictures(3, 80)
    with torch.inference_mode():
        answers = whole.eval()(model.preprocess.apply(inputs)).numpy()
    features = model.encode([inputs])
    assert features.shape == (3, 512)
    np.testing.assert_allclose(model.head.logits(features), answers, rtol=1e-4, atol=1e-4)
    assert np.ptp(answers, axis=0).max() > 1e-2


def test_every_published_network_comes_apart_at_its_last_layer():
    import torch
    import torchvision

    with torch.device("meta"):  # shapes without numbers: the large networks take seconds to draw
        for name, found in ARCHITECTURES.items():
            if not found.pretrained:
                continue
            whole = torchvision.models.get_model(name, weights=None).state_dict()
            state = {k: np.broadcast_to(np.float32(0), tuple(v.shape)) for k, v in whole.items()}
            encoder, weight, bias = split_state(name, state)
            assert (weight.shape[0], bias.shape, len(encoder)) == (1000, (1000,), len(state) - 2)


def test_a_head_without_bias_gets_one_of_zeros():
    state = whole_state("small_cnn")
    del state["head.bias"]
    _, weight, bias = split_state("small_cnn", state)
    np.testing.assert_array_equal(bias, np.zeros(3))
    assert bias.dtype == weight.dtype


@pytest.mark.parametrize(("name", "n_inputs"), SMALL.items())
def test_a_saved_model_comes_back_with_its_fingerprint_and_shapes(name, n_inputs, tmp_path):
    model = replace(classifier(name, n_inputs), feature_scale=0.3, name="mine")
    save_classifier(model, tmp_path / "m.safetensors")
    found = load_classifier(tmp_path / "m.safetensors")
    assert (found.fingerprint, found.feature_scale, found.name) == (model.fingerprint, 0.3, "mine")
    head = {f"head.{part}": array for part, array in found.head.arrays.items()}
    split_state(name, found.encoder_state | head, n_inputs)


# --- published weights, with no network in the test


@pytest.fixture
def published(monkeypatch):
    """What the next download gives, or raises."""
    import torchvision

    given = []

    def download(*_, **__):
        if isinstance(given[0], Exception):
            raise given[0]
        return given[0]

    monkeypatch.setattr(torchvision.models._api, "load_state_dict_from_url", download)
    return given


def test_published_weights_fill_the_encoder_without_their_head(published):
    import torch
    import torchvision

    torch.manual_seed(2)
    state = torchvision.models.resnet18(weights=None).state_dict()
    # as in files from before PyTorch 0.4.1
    published.append({k: v for k, v in state.items() if not k.endswith("num_batches_tracked")})
    encoder = build_encoder("resnet18")
    load_published("resnet18", encoder)
    found = encoder.state_dict()
    assert found.keys() == state.keys() - {"fc.weight", "fc.bias"}
    assert all(torch.equal(found[key], state[key]) for key in found)


def test_a_download_that_fails_is_said_in_words(published):
    published.append(OSError("no route"))
    assert message(load_published, "resnet18", None) == (
        "The published weights of ResNet-18 could not be fetched (OSError); "
        "check the network, or start from scratch."
    )


def test_nobody_publishes_weights_of_our_own_networks():
    assert message(load_published, "face_cnn", build_encoder("face_cnn")) == (
        "Nobody publishes weights for 'face_cnn'; choose another network, or start from scratch."
    )


# --- what does not fit


def misfit(change, name="small_cnn", n_inputs=0):
    state = whole_state(name, 5)
    change(state)
    found = message(split_state, name, state, n_inputs)
    begin, end = f"The weights do not fit '{name}': ", ". Choose another architecture."
    assert found.startswith(begin)
    assert found.endswith(end)
    return found.removeprefix(begin).removesuffix(end)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda s: s.pop("0.weight"), "missing 0.weight (16, 3, 3, 3)"),
        (lambda s: s.update({"9.more": np.zeros((2, 4))}), "left over 9.more (2, 4)"),
        (lambda s: s.update({"0.bias": np.zeros(15)}), "0.bias is (15,), not (16,)"),
        (lambda s: s.pop("head.weight"), "missing head.weight, the last linear layer"),
        (lambda s: s.update({"head.bias": np.zeros(2)}), "head.bias is (2,), not (3,)"),
        (
            lambda s: s.update({"fc.weight": s.pop("head.weight"), "0.bias": np.zeros(1)}),
            "missing head.weight, the last linear layer; 0.bias is (1,), not (16,); left over fc.weight (3, 64)",
        ),
    ],
    ids=["missing", "left over", "wrong shape", "no head", "bias of another size", "several"],
)
def test_a_state_that_does_not_fit_says_why(change, said):
    assert misfit(change) == said


def test_only_the_first_three_reasons_are_named():
    def rename(state):
        for key in [k for k in state if k.startswith(("0.", "3."))]:
            state[f"net.{key}"] = state.pop(key)

    said = misfit(rename)
    assert said.endswith("; and 5 more")  # four missing, four left over
    assert said.count("missing") == 3


def test_exactly_three_reasons_leave_no_more():
    assert "more" not in misfit(lambda s: [s.pop(k) for k in ("0.bias", "3.bias", "6.bias")])


def test_a_network_of_another_table_is_refused():
    assert misfit(lambda _: None, "mlp", n_inputs=6) == "0.weight is (128, 5), not (128, 6)"


def test_a_network_for_tables_needs_columns():
    assert message(build_encoder, "mlp") == (
        "A network for tables needs to know how many columns go in; got none."
    )


@pytest.mark.parametrize(
    "call",
    [
        find_architecture,
        build_encoder,
        lambda n: split_state(n, {}),
    ],
    ids=["find", "build", "split"],
)
def test_an_unknown_architecture_lists_the_known_ones(call):
    assert message(call, "huge") == f"Unknown architecture 'huge'. Known: {', '.join(ARCHITECTURES)}."


# --- pictures made ready


@pytest.mark.parametrize(
    ("normalisation", "mean", "spread"),
    [
        ("symmetric", (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
        ("unit", (0, 0, 0), (1, 1, 1)),
        ("imagenet", (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),  # as torchvision's pages give them
    ],
)
def test_colours_are_normalised_by_channel(normalisation, mean, spread):
    given = pictures(2, 9)
    before = given.copy()
    found = Preprocess(normalisation).apply(given).numpy()
    wanted = (given / 255 - np.array(mean)) / np.array(spread)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, wanted.transpose(0, 3, 1, 2), atol=1e-5)
    np.testing.assert_array_equal(given, before)


def test_pictures_are_scaled_to_the_size_asked_for():
    given = np.zeros((2, 24, 60, 3), "uint8")
    given[0, :, 30:] = 255  # left black, right white
    given[1, 12:, :, 0] = 255  # above black, below red
    found = Preprocess("unit", 12).apply(given).numpy()
    assert found.shape == (2, 3, 12, 12)
    np.testing.assert_allclose(found[0, :, :, :5], 0, atol=1e-6)
    np.testing.assert_allclose(found[0, :, :, 7:], 1, atol=1e-6)
    np.testing.assert_allclose(found[1, 0, 7:], 1, atol=1e-6)
    np.testing.assert_allclose(found[1, 1:], 0, atol=1e-6)


def test_shrinking_averages_instead_of_picking_pixels():
    lines = np.zeros((1, 64, 64, 3), "uint8")
    lines[:, :, ::8] = 255  # one in eight
    found = Preprocess("unit", 8).apply(lines).numpy()
    np.testing.assert_allclose(found[..., 1:-1], 1 / 8, atol=0.02)


def test_pictures_of_the_right_size_and_table_rows_stay_as_they_are():
    given, rows = pictures(2, 16), np.arange(6, dtype="float32").reshape(2, 3)
    np.testing.assert_array_equal(Preprocess(size=16).apply(given), Preprocess().apply(given))
    np.testing.assert_array_equal(Preprocess("imagenet", 16).apply(rows), rows)


@pytest.mark.parametrize("size", [-1, 0, 7, 513])
def test_sizes_that_no_network_reads_are_refused(size):
    assert (
        message(Preprocess, size=size) == f"Images of {size} pixels a side cannot be used; choose 8 to 512."
    )


def test_the_smallest_and_largest_sizes_are_allowed():
    assert [Preprocess(size=size).size for size in (8, 512)] == [8, 512]


def test_an_unknown_normalisation_lists_the_known_ones():
    assert message(Preprocess, "sepia") == (
        "Unknown normalisation 'sepia'. Choose one of: symmetric, unit, imagenet."
    )


# --- features, a batch at a time


@pytest.mark.parametrize("side", [1, 32, 64, 65, 224, 512, 5000])
def test_a_batch_of_large_images_has_fewer_of_them(side):
    parts = list(row_batches(1100, side))
    sizes = [part.stop - part.start for part in parts]
    np.testing.assert_array_equal(np.concatenate([np.arange(1100)[p] for p in parts]), np.arange(1100))
    assert max(sizes) == 1 or max(sizes) * side**2 <= BATCH_PIXELS
    assert max(sizes) <= 512
    assert len(sizes) == 1100 or (max(sizes) + 1) * side**2 > BATCH_PIXELS or max(sizes) == 512  # no fewer


@pytest.mark.parametrize(
    ("size", "most"), [(None, 4), (8, 4), (32, 1)], ids=["as they come", "shrunk", "enlarged"]
)
def test_the_larger_of_the_sizes_read_and_scaled_to_bounds_a_batch(images, monkeypatch, size, most):
    monkeypatch.setattr(encoding, "BATCH_PIXELS", 4 * 16**2)
    model, rows = classifier("small_cnn", preprocess=Preprocess(size=size)), np.arange(10)
    features = encode_rows(model, images, rows)
    assert max(images.source.reads) == most
    np.testing.assert_allclose(features, model.encode([images.source.inputs[:10]]), atol=1e-4)


def test_progress_is_told_before_each_batch(images, monkeypatch):
    monkeypatch.setattr(encoding, "BATCH_PIXELS", 4 * 16**2)
    told = []
    encode_rows(classifier("small_cnn"), images, np.arange(10), progress=told.append)
    assert told == [0, 0.4, 0.8]


@pytest.mark.parametrize("codes", [None, np.ones(20, int)], ids=["as they are", "mark set"])
def test_features_from_the_store_are_the_same_and_nothing_is_read_again(table, tmp_path, codes):
    model, rows = classifier("mlp", 5), np.arange(20)
    asked = {"attribute": "" if codes is None else "mark", "codes": codes}
    plain = encode_rows(model, table, rows, **asked)
    store = FeatureStore(tmp_path)
    np.testing.assert_array_equal(encode_rows(model, table, rows, store=store, **asked), plain)
    table.source.reads.clear()
    other_head = model.with_head(fmd.LinearHead(np.zeros((3, 64)), np.zeros(3)))
    for again in (model, other_head):
        np.testing.assert_array_equal(encode_rows(again, table, rows, store=store, **asked), plain)
    assert table.source.reads == []


def test_whatever_changes_the_features_is_read_anew(table, tmp_path):
    model, store, rows, codes = classifier("mlp", 5), FeatureStore(tmp_path), np.arange(20), np.arange(20) % 2
    asked = [
        (model, rows, {}),
        (model, rows[::-1].copy(), {}),
        (model, rows, {"attribute": "mark", "codes": codes}),
        (model, rows, {"attribute": "mark", "codes": 1 - codes}),
        (replace(model, feature_scale=2.0), rows, {}),
        (replace(model, encoder_state=encoder_state("mlp", 5, seed=9)), rows, {}),
    ]
    found = [encode_rows(m, table, r, store=store, **options) for m, r, options in asked]
    for features, (m, r, options) in zip(found, asked, strict=True):
        np.testing.assert_array_equal(features, encode_rows(m, table, r, **options))
    assert len({features.tobytes() for features in found}) == len(asked)
    np.testing.assert_array_equal(found[4], 2 * found[0])


# --- a model and data that do not belong together


def test_a_model_for_images_is_refused_on_a_table(table):
    model = classifier("small_cnn")
    assert message(fmd.extract_features, model, table, split="test") == (
        "The model reads images, but 'Counted' holds tables; open a model that was trained for this data set."
    )
    assert message(encode_rows, model, table, np.arange(3)) == (
        "The model reads images, but the data are rows; open a model that was trained for this data set."
    )


def test_a_model_for_tables_is_refused_on_images(images):
    model = classifier("mlp", 5)
    assert message(fmd.extract_features, model, images, split="test") == (
        "The model reads tables, but 'Counted' holds images; open a model that was trained for this data set."
    )
    assert message(encode_rows, model, images, np.arange(3)) == (
        "The model reads tables, but the data are images; open a model that was trained for this data set."
    )


@pytest.mark.parametrize("n_classes", [2, 4])
def test_a_model_for_other_classes_is_refused_before_anything_is_read(table, n_classes):
    model = replace(classifier("mlp", 5), head=fmd.LinearHead(np.zeros((n_classes, 64)), np.zeros(n_classes)))
    assert message(fmd.extract_features, model, table, split="test") == (
        f"The model tells {n_classes} classes apart, but 'shape' has 3; "
        "open a model that was trained for this data set."
    )
    assert table.source.reads == []
