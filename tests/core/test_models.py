"""Saving, opening and encoding; what is refused; what is not imported and never executed."""

import pickle
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load, save_file

import fmd_core as fmd
from fmd_core import ModelError, load_classifier, save_classifier
from fmd_core.models.classifier import TrainingRecipe
from fmd_core.models.encoding import row_batches
from fmd_core.models.files import FORMAT, head_to_safetensors

HEAVY = ("torch", "torchvision", "captum", "aif360", "streamlit", "plotly", "pandas", "sklearn")


@pytest.fixture
def parts(demo, tmp_path):
    """Tensors, metadata and a path to write them to: one change makes a bad file."""
    tensors = {f"encoder.{name}": array.copy() for name, array in demo.classifier.encoder_state.items()}
    tensors |= {"head.weight": demo.head.weight.copy(), "head.bias": demo.head.bias.copy()}
    metadata = {"format": FORMAT, "architecture": "small_cnn", "damping": "0.001"}
    return tensors, metadata, tmp_path / "model.safetensors"


def message(path):
    with pytest.raises(ModelError) as caught:
        load_classifier(path)
    return str(caught.value)


DAMAGED = "The weights file 'model.safetensors' is damaged or not a safetensors file; restore the original."
FOREIGN = "The weights file 'model.safetensors' was not written by FMD Studio, or has no head."


# --- opening what was saved


def test_a_saved_classifier_comes_back_bit_for_bit(demo, tmp_path):
    save_classifier(demo.classifier, tmp_path / "copy.safetensors")
    found = load_classifier(tmp_path / "copy.safetensors")
    assert found.fingerprint == demo.classifier.fingerprint
    assert (found.architecture, found.damping) == (demo.classifier.architecture, demo.damping)
    assert found.trained_on == demo.classifier.trained_on == demo.dataset.fingerprint
    assert found.head.weight.tobytes() == demo.head.weight.tobytes()
    for name, array in demo.classifier.encoder_state.items():
        assert found.encoder_state[name].tobytes() == array.tobytes()


def test_the_untouched_parts_open(parts):
    tensors, metadata, path = parts
    save_file(tensors, path, metadata)
    assert load_classifier(path).damping == 0.001
    assert load_classifier(path).trained_on == ""  # as in files that are older than this entry


@pytest.mark.parametrize("claimed", ["x", "A" * 64, "a" * 63, "a" * 64 + "\n"])
def test_training_data_that_are_no_fingerprint_are_not_believed(parts, claimed):
    tensors, metadata, path = parts
    save_file(tensors, path, metadata | {"trained_on": claimed})
    assert load_classifier(path).trained_on == ""


def test_how_a_model_was_trained_is_kept_until_it_is_another(demo, tmp_path):
    recipe = TrainingRecipe(epochs=3, seed=7)
    save_classifier(replace(demo.classifier, recipe=recipe), tmp_path / "copy.safetensors")
    found = load_classifier(tmp_path / "copy.safetensors")
    assert (found.recipe, found.fingerprint) == (recipe, demo.classifier.fingerprint)
    assert found.with_head(demo.head.moved(np.ones(demo.head.n_parameters))).recipe is None
    assert found.with_weights({}).recipe is None


@pytest.mark.parametrize(
    "claimed",
    ["x", "{}", "[]", '{"epochs": 0, "seed": 0}', '{"epochs": 1000000000, "seed": 0}', '{"epochs": 1, "seed": -1}',
     '{"epochs": "1", "seed": 0}', "null"],
)  # fmt: skip
def test_a_training_that_could_not_be_done_again_is_not_believed(parts, claimed):
    tensors, metadata, path = parts
    save_file(tensors, path, metadata | {"recipe": claimed})
    assert load_classifier(path).recipe is None


def test_a_head_alone_is_written_in_full_precision(demo):
    found = load(head_to_safetensors(demo.head, {"note": "x"}))
    assert fmd.LinearHead(found["head.weight"], found["head.bias"]).fingerprint == demo.head.fingerprint


# --- files that cannot be used


def test_a_missing_file_is_named(tmp_path):
    found = message(tmp_path / "gone.safetensors")
    assert found == "The weights file 'gone.safetensors' is missing; restore it and reload the page."
    assert str(tmp_path) not in found


@pytest.mark.parametrize("share", [0, 0.01, 0.5, 0.99])
def test_a_truncated_file_is_refused(parts, share):
    tensors, metadata, path = parts
    save_file(tensors, path, metadata)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    assert message(path) == DAMAGED


@pytest.mark.parametrize(
    "content", [b"<!doctype html><html>Not found</html>", b"PK\x03\x04 zip", b"\x00" * 64]
)
def test_another_kind_of_file_is_refused(tmp_path, content):
    (tmp_path / "model.safetensors").write_bytes(content)
    assert message(tmp_path / "model.safetensors") == DAMAGED


class Bomb:
    def __reduce__(self):
        return Path.touch, (Path("exploded"),)


def test_a_pickle_is_refused_and_not_executed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    content = pickle.dumps(Bomb())
    (tmp_path / "model.safetensors").write_bytes(content)
    assert message(tmp_path / "model.safetensors") == DAMAGED
    assert not (tmp_path / "exploded").exists()
    pickle.loads(content)
    assert (tmp_path / "exploded").exists()  # it would have gone off


@pytest.mark.parametrize(
    "change",
    [{"format": "other"}, {"format": None}, {"damping": None}, {"architecture": None}],
    ids=["other format", "no format", "no damping", "no architecture"],
)
def test_metadata_of_another_program_is_refused(parts, change):
    tensors, metadata, path = parts
    save_file(tensors, path, {k: v for k, v in (metadata | change).items() if v is not None})
    assert message(path) == FOREIGN


def test_no_metadata_at_all_is_refused(parts):
    tensors, _, path = parts
    save_file(tensors, path)
    assert message(path) == FOREIGN


@pytest.mark.parametrize("name", ["head.weight", "head.bias"])
def test_a_file_without_a_head_is_refused(parts, name):
    tensors, metadata, path = parts
    del tensors[name]
    save_file(tensors, path, metadata)
    assert message(path) == FOREIGN


def test_number_types_that_numpy_lacks_are_refused(parts):
    import torch
    from safetensors.torch import save_file as save_torch

    tensors, metadata, path = parts
    torches = {name: torch.tensor(array) for name, array in tensors.items()}
    save_torch(torches | {"head.bias": torches["head.bias"].bfloat16()}, path, metadata)
    assert message(path) == DAMAGED


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_encoder_weights_that_are_not_numbers_are_named(parts, bad):
    tensors, metadata, path = parts
    tensors["encoder.3.weight"].flat[5] = bad
    save_file(tensors, path, metadata)
    assert message(path) == (
        "Layer '3.weight' of 'model.safetensors' holds values that are not numbers; restore the original."
    )


def test_head_weights_that_are_not_numbers_are_refused(parts):
    tensors, metadata, path = parts
    tensors["head.bias"][0] = np.nan
    save_file(tensors, path, metadata)
    assert message(path) == "The head's weights hold values that are not numbers (NaN or infinite)."


# --- weights that do not fit


def encode_message(classifier, demo):
    with pytest.raises(ModelError) as caught:
        classifier.encode([demo.dataset.source.read(np.arange(2))])
    return str(caught.value)


@pytest.mark.parametrize("change", ["smaller", "missing", "left over"])
def test_layers_that_do_not_fit_the_architecture_are_refused(demo, change):
    state = dict(demo.classifier.encoder_state)
    if change == "smaller":
        state["0.weight"] = state["0.weight"][:8]
    elif change == "missing":
        del state["0.weight"]
    else:
        state["99.weight"] = state["0.weight"]
    assert encode_message(replace(demo.classifier, encoder_state=state), demo) == (
        "The weights do not fit the architecture 'small_cnn': layers are missing, "
        "left over or of another size."
    )


def test_an_unknown_architecture_lists_the_known_ones(demo):
    found = encode_message(replace(demo.classifier, architecture="huge"), demo)
    assert found.startswith("Unknown architecture 'huge'. Known: small_cnn, face_cnn, mlp, resnet18")


def test_a_head_for_other_features_is_refused(demo):
    narrow = fmd.LinearHead(np.zeros((10, 32)), np.zeros(10))
    assert encode_message(demo.classifier.with_head(narrow), demo) == (
        "The encoder gives 64 features, but the head expects 32; open weights that belong together."
    )


# --- encoding


def test_features_do_not_depend_on_the_batch_size(demo):
    images = demo.dataset.source.read(demo.dataset.rows("test")[:70])
    whole = demo.classifier.encode([images])
    for size in (1, 7, 64):
        parts = (images[b] for b in row_batches(len(images), size))
        np.testing.assert_allclose(demo.classifier.encode(parts), whole, atol=1e-4)


def test_features_are_those_of_the_split(demo):
    features, rows = demo.features["test"], demo.dataset.rows("test")
    assert features.features.shape == (450, 64)
    assert features.features.dtype == "float32"
    assert not features.features.flags.writeable
    np.testing.assert_array_equal(features.rows, rows)
    np.testing.assert_array_equal(features.labels, demo.dataset.target.codes[rows])


def test_batches_cover_every_row_once():
    for n in (1, 511, 512, 513, 1200):
        covered = np.concatenate([np.arange(n)[part] for part in row_batches(n)])
        np.testing.assert_array_equal(covered, np.arange(n))


def test_fingerprint_changes_with_head_and_encoder(demo):
    model = demo.classifier
    other_head = model.with_head(demo.head.moved(np.full(demo.head.n_parameters, 1e-9)))
    state = dict(model.encoder_state)
    state["0.bias"] = state["0.bias"] + np.float32(1e-6)
    other_encoder = replace(model, encoder_state=state)
    assert len({m.fingerprint for m in (model, other_head, other_encoder)}) == 3


def test_the_number_of_parameters_counts_encoder_and_head(demo):
    convolutions = sum(9 * a * b + b for a, b in ((3, 16), (16, 32), (32, 64)))
    assert demo.classifier.n_parameters == convolutions + (1024 * 64 + 64) + (64 * 10 + 10)


# --- training


def test_training_ends_at_a_converged_head_and_repeats(demo):
    seen = []
    first = fmd.train_classifier(demo.dataset, epochs=1, seed=3, progress=seen.append)
    train = fmd.extract_features(first, demo.dataset, split="train")
    slope = first.head.loss_gradient(
        train.features.astype("float64"), train.labels, np.full(len(train), 1 / len(train))
    )
    np.testing.assert_allclose(slope + first.damping * first.head.theta, 0, atol=1e-5)
    assert [step.share for step in seen] == sorted(step.share for step in seen)
    assert seen[-1].share == 1
    assert all(step.accuracy is None and step.seconds_left >= 0 for step in seen)  # judged after an epoch
    again = fmd.train_classifier(demo.dataset, epochs=1, seed=3)
    np.testing.assert_allclose(again.head.theta, first.head.theta, atol=1e-3)


def test_the_demo_head_is_converged(demo):
    train = demo.features["train"]
    slope = demo.head.loss_gradient(train.features.astype("float64"), train.labels, np.full(900, 1 / 900))
    np.testing.assert_allclose(slope + demo.damping * demo.head.theta, 0, atol=1e-6)


# --- light import


def heavy_imports(statement):
    """Heavy packages that a fresh Python has loaded after `statement`."""
    code = f"import sys\n{statement}\nprint(*sorted(set(sys.modules) & set({HEAVY!r})))"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return answer.stdout.split()


def test_importing_the_core_stays_light():
    assert heavy_imports("import fmd_core, fmd_core.datasets, fmd_core.report.wording") == []


def test_the_check_above_can_fail(tmp_path):
    (tmp_path / "torch.py").write_text("")  # an empty stand-in: the real one takes seconds
    assert heavy_imports(f"sys.path.insert(0, {str(tmp_path)!r})\nimport torch") == ["torch"]


def test_a_model_of_other_classes_is_refused_by_the_data(demo):
    seven = demo.classifier.with_head(fmd.LinearHead(np.zeros((7, 64)), np.zeros(7)))
    with pytest.raises(
        ModelError, match=r"^The model tells 7 classes apart, but 'digit' has 10; open a model"
    ):
        fmd.extract_features(seven, demo.dataset, split="test")


@pytest.mark.parametrize("damping", ["abc", "nan", "0", "inf"])
def test_a_damping_that_is_no_number_above_zero_is_refused(demo, tmp_path, damping):
    path = tmp_path / "model.safetensors"
    tensors = {"head.weight": demo.head.weight, "head.bias": demo.head.bias}
    save_file(tensors, path, {"format": "fmd-classifier-1", "architecture": "small_cnn", "damping": damping})
    with pytest.raises(ModelError, match=f"names the damping '{damping}', which is not a number above 0"):
        load_classifier(path)
