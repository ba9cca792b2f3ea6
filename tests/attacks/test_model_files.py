"""Rows 1 to 10 of the hostile inputs: weights files that attack, claim too much, or are not weights."""

import argparse
import io
import json
import os
import pickle
import struct
import warnings
import zipfile
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from fmd_core.models.classifier import Classifier
from fmd_core.models.files import load_classifier
from fmd_core.models.intake import intake, worker

# --- 1, 2: pickles


class Bomb:
    def __init__(self, command):
        self.command = command

    def __reduce__(self):
        return os.system, (self.command,)


def test_row_01_a_pickle_that_runs_a_command_is_refused_and_not_run(refusal, state, tmp_path, monkeypatch):
    marker, path = tmp_path / "exploded", tmp_path / "weights.pt"
    torch.save({**state, "extra": Bomb(f"touch {marker}")}, path)
    monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")  # must not reach the worker
    found = refusal(path)
    assert str(found).startswith("The file asks Python to run 'posix.system', which weights never do")
    assert found.converter == ""
    assert not marker.exists()
    torch.load(path, weights_only=False)
    assert marker.exists()  # it would have gone off


@pytest.mark.usefixtures("unopened")
def test_row_02_a_pickle_of_an_old_pytorch_is_refused_with_a_way_to_save_it_again(
    refusal, state, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    torch.save(state, "old.pth", _use_new_zipfile_serialization=False)
    found = refusal(tmp_path / "old.pth")
    assert str(found) == "This is a bare pickle of an old PyTorch; save the plain weights again."
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        exec(found.converter, {})
    assert intake.inspect_file(tmp_path / "weights.pt")[0] == "state_dict"


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.usefixtures("unopened")
def test_row_02_a_bare_pickle_of_any_age_is_refused(refusal, tmp_path, protocol):
    marker, path = tmp_path / "exploded", tmp_path / "model.pth.tar"
    path.write_bytes(pickle.dumps(Bomb(f"touch {marker}"), protocol))
    assert str(refusal(path)) == "This is a bare pickle, which can run code; save the plain weights again."
    assert not marker.exists()
    pickle.loads(path.read_bytes())
    assert marker.exists()


# --- 3: archives that are more than they seem


def archive_of(state, path, compression=zipfile.ZIP_STORED, zeros=0):
    """The archive that torch would write, packed by hand, with an entry of so many zero bytes."""
    buffer = io.BytesIO()
    torch.save(state, buffer)
    with zipfile.ZipFile(buffer) as source, zipfile.ZipFile(path, "w", compression) as target:
        for entry in source.infolist():
            target.writestr(entry.filename, source.read(entry))
        if zeros:
            with target.open("archive/data/99", "w", force_zip64=True) as file:
                for _ in range(zeros >> 20):
                    file.write(bytes(1 << 20))
    return path


COMPRESSED = (
    "The archive is compressed inside, which PyTorch never does, and could unpack to far more than its size; "
    "save the weights again."
)


@pytest.mark.usefixtures("unopened")
def test_row_03_a_deflated_bomb_is_refused_from_its_directory(refusal, state, tmp_path):
    path = archive_of(state, tmp_path / "weights.pt", zipfile.ZIP_DEFLATED, zeros=256 << 20)
    assert path.stat().st_size < 1 << 20
    assert str(refusal(path)) == COMPRESSED


def test_row_03_the_same_archive_without_compression_is_fine(state, tmp_path):
    path = archive_of(state, tmp_path / "weights.pt", zeros=1 << 20)
    assert intake.inspect_file(path)[0] == "state_dict"


@pytest.mark.usefixtures("unopened")
def test_row_03_one_compressed_entry_among_stored_ones_is_enough(refusal, state, tmp_path):
    path = archive_of(state, tmp_path / "weights.pt")
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("archive/data/99", bytes(1 << 20), zipfile.ZIP_DEFLATED)
    assert str(refusal(path)) == COMPRESSED


@pytest.mark.usefixtures("unopened")
def test_row_03_entries_that_share_their_bytes_do_not_add_up(refusal, state, tmp_path):
    path = archive_of(state, tmp_path / "weights.pt", zeros=1 << 20)
    with zipfile.ZipFile(path, "a") as archive:
        whole = next(entry for entry in archive.infolist() if entry.filename == "archive/data/99")
        for number in range(100, 200):
            again = zipfile.ZipInfo(f"archive/data/{number}")
            again.header_offset, again.CRC = whole.header_offset, whole.CRC
            again.compress_size = again.file_size = whole.file_size
            archive.filelist.append(again)
            archive.NameToInfo[again.filename] = again
        archive._didModify = True
    assert str(refusal(path)).startswith("The archive says that it holds ")


@pytest.mark.parametrize("change", ["appended", "comment", "second directory"])
@pytest.mark.usefixtures("unopened")
def test_row_03_a_directory_that_readers_could_disagree_on_is_refused(refusal, state, tmp_path, change):
    path = archive_of(state, tmp_path / "weights.pt")
    content = path.read_bytes()
    if change == "appended":
        path.write_bytes(content + b"x")
    elif change == "comment":
        path.write_bytes(content[:-2] + struct.pack("<H", 3) + b"abc")
    else:  # the first half is an archive too
        path.write_bytes(content + content)
    assert str(refusal(path)).startswith("The archive is damaged or incomplete")


@pytest.mark.parametrize("n", [6_000, 100_000])
@pytest.mark.usefixtures("unopened")
def test_row_03_thousands_of_entries_are_not_even_listed(refusal, tmp_path, n):
    path = tmp_path / "weights.pt"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", b"")
        entry = archive.infolist()[0]
        for number in range(n):
            copy = zipfile.ZipInfo(f"archive/data/{number}")
            copy.header_offset, copy.CRC = entry.header_offset, 0
            archive.filelist.append(copy)
        archive._didModify = True
    assert str(refusal(path)) == "The file lists more than 5,000 layers; bring the weights of one network."


@pytest.mark.usefixtures("unopened")
def test_row_03_a_file_beyond_the_limit_is_not_read(refusal, tmp_path):
    path = tmp_path / "weights.pt"
    with path.open("wb") as file:
        file.truncate(intake.MAX_BYTES + 1)  # sparse: takes no room on the disk
    assert str(refusal(path)).startswith(
        "The file has 1,024 MiB, more than the 1,024 MiB that can be opened;"
    )


# --- 4: tensors that are not the plain numbers that they seem


def test_row_04_one_stored_number_cannot_claim_a_million_million(refusal, state, tmp_path):
    path = tmp_path / "weights.pt"
    torch.save({**state, "0.weight": torch.zeros(1).expand(10**6, 10**6)}, path)
    assert path.stat().st_size < 1 << 20
    assert str(refusal(path)) == (
        "Layer '0.weight' claims 1,000,000,000,000 numbers, but the file holds only 1 of them."
    )


@pytest.mark.usefixtures("here")
def test_row_04_many_views_of_one_table_are_counted_one_by_one(refusal, tmp_path):
    table = torch.zeros(1_000_000)
    torch.save({f"{i}.weight": table for i in range(300)}, tmp_path / "weights.pt")
    assert (tmp_path / "weights.pt").stat().st_size < 5 << 20
    assert str(refusal(tmp_path / "weights.pt")).startswith(
        "The file holds 300,000,000 numbers, more than 200,"
    )


@pytest.mark.usefixtures("here")
def test_row_04_a_layer_list_without_end_is_refused(refusal, tmp_path):
    table = torch.zeros(1)
    torch.save({f"{i}.weight": table for i in range(5_001)}, tmp_path / "weights.pt")
    assert str(refusal(tmp_path / "weights.pt")).startswith("The file lists 5,001 layers, more than 5,000;")


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (lambda: torch.eye(3).to_sparse(), "float32, sparse_coo"),
        (lambda: torch.quantize_per_tensor(torch.ones(3), 0.1, 0, torch.qint8), "qint8"),
        (lambda: torch.zeros(3, device="meta"), "float32, meta"),
        (lambda: torch.zeros(3, dtype=torch.complex64), "complex64"),
        (lambda: torch.zeros(3, dtype=torch.int64), "int64"),
        (lambda: torch.zeros(3, dtype=torch.bool), "bool"),
        (lambda: torch.zeros(3, dtype=torch.float8_e4m3fn), "float8_e4m3fn"),
    ],
)
@pytest.mark.usefixtures("here")
def test_row_04_only_dense_decimal_numbers_are_taken(refusal, state, tmp_path, make, kind):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.save({**state, "odd": make()}, tmp_path / "weights.pt")
    assert str(refusal(tmp_path / "weights.pt")) == (
        f"Layer 'odd' is not a plain table of decimal numbers ({kind}); save the weights as such."
    )


@pytest.mark.usefixtures("here")
def test_row_04_only_the_counter_of_batches_may_be_whole_and_single(refusal, state, tmp_path):
    torch.save({**state, "1.num_batches_tracked": torch.zeros(2, dtype=torch.int64)}, tmp_path / "weights.pt")
    assert "Layer '1.num_batches_tracked' is not a plain table" in str(refusal(tmp_path / "weights.pt"))


@pytest.mark.usefixtures("here")
def test_row_04_a_transposed_layer_is_plain_enough(opened, state, tmp_path):
    name = next(k for k, v in state.items() if v.dim() == 2 and k != "head.weight")
    turned = state[name].t().contiguous().t()
    assert not turned.is_contiguous()
    torch.save({**state, name: turned}, tmp_path / "weights.pt")
    opened(tmp_path / "weights.pt")
    found = load_classifier(tmp_path / "out/model.safetensors").encoder_state[name]
    np.testing.assert_array_equal(found, state[name].numpy())


# --- 5: more than weights in the file


@pytest.mark.parametrize(
    ("extra", "name"),
    [
        (lambda: torch.nn.Linear(2, 2), "torch.nn.modules.linear.Linear"),
        (lambda: argparse.Namespace(lr=0.1), "argparse.Namespace"),
        (lambda: np.float64(0.9), "numpy._core.multiarray.scalar"),
    ],
)
@pytest.mark.usefixtures("here")
def test_row_05_objects_beside_the_weights_are_named_and_the_way_out_works(
    refusal, opened, state, tmp_path, monkeypatch, extra, name
):
    monkeypatch.chdir(tmp_path)
    torch.save({"state_dict": state, "extra": extra()}, "checkpoint.pt")
    found = refusal(tmp_path / "checkpoint.pt")
    assert str(found) == (
        f"The file holds the Python object '{name}' beside or instead of plain weights; save the weights alone."
    )
    owner = argparse.Namespace(state_dict=lambda: state)
    exec(found.converter, {"model": owner})
    assert opened(tmp_path / "weights.safetensors").format == "safetensors"


@pytest.mark.usefixtures("here")
def test_row_05_a_whole_network_is_refused(refusal, tmp_path):
    torch.save(torch.nn.Sequential(torch.nn.Linear(2, 2)), tmp_path / "network.pt")
    found = refusal(tmp_path / "network.pt")
    assert "'torch.nn.modules.container.Sequential'" in str(found)
    assert "model.state_dict()" in found.converter


@pytest.mark.parametrize(
    "content", [[], [torch.zeros(2)], {}, {"epoch": 3}, {"state_dict": {}}, torch.zeros(2)]
)
@pytest.mark.usefixtures("here")
def test_row_05_plain_things_that_are_no_layers_are_refused(refusal, tmp_path, content):
    torch.save(content, tmp_path / "weights.pt")
    assert "layers by name" in str(refusal(tmp_path / "weights.pt"))


@pytest.mark.parametrize("name", [3, "", "a" * 10_000, "<img src=x>", "[x](http://x)", "a\nb", "\u202egnp"])
@pytest.mark.usefixtures("here")
def test_row_05_a_layer_name_that_is_none_is_refused_and_not_shown(refusal, state, tmp_path, name):
    torch.save({**state, name: torch.zeros(1)}, tmp_path / "weights.pt")
    assert str(refusal(tmp_path / "weights.pt")).startswith("A layer's name is not made of letters, digits")


# --- 6: not weights at all


def torchscript():
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.save(torch.jit.trace(torch.nn.Linear(2, 2), torch.zeros(1, 2)), buffer)
    return buffer.getvalue()


def zip_of(*names):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in names:
            archive.writestr(name, b"{}")
    return buffer.getvalue()


def starts_as_pickle(module):
    """How a pickle of an object of that module begins."""
    return (
        b"\x80\x04\x95\x16\x15\0\0\0\0\0\0\x8c"
        + bytes([len(module)])
        + module.encode()
        + b"\x94\x8c\x08Estimator"
    )


OTHER_FILES = {
    "empty": (lambda: b"", "The file is empty"),
    "html": (lambda: b"\n<!DOCTYPE html><html><body>Quota exceeded</body></html>", "This is a web page"),
    "git lfs": (lambda: b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7\n", "This is a Git LFS"),
    "json": (lambda: b'{"model_type": "resnet"}', "This is a text file"),
    "json, ninth byte": (lambda: b'{"abcde":{"a":1}}', "This is a text file"),
    "torchscript": (torchscript, "This is a TorchScript program"),
    "exported": (lambda: zip_of("m/archive_format", "m/models/model.json"), "This is an exported PyTorch"),
    "tensorflow": (lambda: b"\x08\x01\x12\xb4\x02", "This is a TensorFlow file; export it to ONNX"),
    "tflite": (lambda: b"\x1c\0\0\0TFL3\x14\0", "This is a TensorFlow Lite file; export it to ONNX"),
    "xgboost": (
        lambda: b'{"learner":{"attributes":{}',
        "This is a model of XGBoost; trees have no last layer",
    ),
    "xgboost ubj": (lambda: b"{L\0\0\0\0\0\0\0\x07learner{", "This is a model of XGBoost; trees have no"),
    "lightgbm": (lambda: b"tree\nversion=v4\nnum_class=1\n", "This is a model of LightGBM; trees have no"),
    "catboost": (lambda: b"CBM1\x50\x13\0\0", "This is a model of CatBoost; trees have no last layer"),
    "mar": (lambda: zip_of("MAR-INF/MANIFEST.json", "model.pth"), "This is a TorchServe archive"),
    "pmml": (lambda: b'<?xml version="1.0"?><PMML version="4.4">', "This is a PMML file; bring its answers"),
    "joblib": (lambda: b"x\x9c\x01\x02\x03", "This is a compressed pickle of joblib"),
    "scikit-learn": (lambda: starts_as_pickle("sklearn.pipeline"), "This is a pickle of scikit-learn"),
    "forest": (
        lambda: starts_as_pickle("sklearn.ensemble._forest"),
        "This is a pickle of trees; trees have no",
    ),
    "keras h5": (lambda: b"\x89HDF\r\n\x1a\n" + bytes(64), "This is a Keras or HDF5 file"),
    "keras zip": (lambda: zip_of("config.json", "model.weights.h5"), "This is a Keras model"),
    "npz": (lambda: zip_of("weights.npy"), "This is a NumPy archive"),
    "npy": (lambda: b"\x93NUMPY\x01\0", "This is a NumPy array"),
    "zip around": (lambda: zip_of("best/model.pth"), "This is a zip archive around weights"),
    "other zip": (lambda: zip_of("word/document.xml"), "This is a zip archive without the weights"),
    "no entries": (lambda: zip_of(), "This is a zip archive without the weights"),
    "gzip": (lambda: b"\x1f\x8b\x08\0abc", "This is a compressed archive"),
    "tar": (lambda: b"x".ljust(257, b"\0") + b"ustar\x0000", "This is a tar archive"),
    "gguf": (lambda: b"GGUF\x03\0\0\0", "This is a GGUF file"),
    "png": (lambda: b"\x89PNG\r\n\x1a\n", "This is a picture"),
    "noise": (lambda: bytes([7, 200, 31, 99] * 40), "This is not a kind of file that is known"),
}


@pytest.mark.parametrize("kind", OTHER_FILES)
@pytest.mark.usefixtures("unopened")
def test_row_06_each_other_kind_of_file_has_its_own_sentence(refusal, tmp_path, kind):
    make, start = OTHER_FILES[kind]
    (tmp_path / "weights.pt").write_bytes(make())
    assert str(refusal(tmp_path / "weights.pt")).startswith(start)


@pytest.mark.usefixtures("unopened")
def test_row_06_the_weights_of_a_torchscript_program_can_be_taken_out(refusal, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "model.pt").write_bytes(torchscript())
    found = refusal(tmp_path / "model.pt")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        exec(found.converter, {})
    assert intake.inspect_file(tmp_path / "weights.pt")[0] == "state_dict"


@pytest.mark.usefixtures("unopened")
def test_row_06_a_core_ml_file_is_told_from_onnx_by_its_name(refusal, tmp_path):
    (tmp_path / "model.mlmodel").write_bytes(b"\x08\x04\x12\x70\x0a\x2a\x0a\x05image")
    assert str(refusal(tmp_path / "model.mlmodel")).startswith("This is a Core ML model; export the network")


@pytest.mark.parametrize("share", [0.01, 0.5, 0.9, 0.999])
@pytest.mark.usefixtures("unopened")
def test_row_06_a_truncated_archive_is_called_incomplete(refusal, state, tmp_path, share):
    path = tmp_path / "weights.pt"
    torch.save(state, path)
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    assert str(refusal(path)).startswith("The archive is damaged or incomplete, the upload")


@pytest.mark.usefixtures("unopened")
def test_row_06_a_missing_file_and_a_folder_are_refused(refusal, tmp_path):
    assert str(refusal(tmp_path / "gone.pt")) == str(refusal(tmp_path))


@pytest.mark.usefixtures("here")
def test_row_06_damage_inside_the_archive_is_one_sentence(refusal, state, tmp_path):
    path = archive_of(state, tmp_path / "weights.pt")
    with zipfile.ZipFile(path) as archive:
        content = {entry.filename: archive.read(entry) for entry in archive.infolist()}
    for pickled in (b"", b"\x80\x02", b"garbage", content["archive/data.pkl"][:50]):
        with zipfile.ZipFile(path, "w") as archive:
            for name, value in (content | {"archive/data.pkl": pickled}).items():
                archive.writestr(name, value)
        assert str(refusal(path)).startswith(("The file is damaged", "The file holds "))


# --- 7: safetensors


def safetensors(header, data=b"", length=None):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


def layer(begin, end, shape=None, dtype="F32"):
    return {
        "dtype": dtype,
        "shape": [(end - begin) // 4] if shape is None else shape,
        "data_offsets": [begin, end],
    }


DAMAGED = "The safetensors file is damaged: "
BAD_HEADERS = {
    "length 2^63": (
        safetensors({}, length=2**63),
        "its header says it is 9,223,372,036,854,775,808 bytes long",
    ),
    "longer than the file": (safetensors({}, length=3), "its header says it is 3 bytes long"),
    "not JSON": (safetensors(b"{nonsense"), "its header cannot be read"),
    "not UTF-8": (safetensors(b'{"\xff":1}'), "its header cannot be read"),
    "deep": (safetensors(b'{"a":' + b"[" * 200_000), "its header cannot be read"),
    "huge number": (safetensors(b'{"a":' + b"9" * 9_999 + b"}"), "its header cannot be read"),
    "a name twice": (safetensors(b'{"a":{},"a":{}}'), "its header cannot be read"),
    "overlap": (safetensors({"a": layer(0, 8), "b": layer(4, 12)}, bytes(12)), "its layers overlap"),
    "the same bytes": (safetensors({"a": layer(0, 8), "b": layer(0, 8)}, bytes(8)), "its layers overlap"),
    "gap": (safetensors({"a": layer(0, 4), "b": layer(8, 12)}, bytes(12)), "its layers overlap, leave gaps"),
    "late start": (safetensors({"a": layer(4, 8)}, bytes(8)), "its layers overlap, leave gaps"),
    "bytes left": (safetensors({"a": layer(0, 4)}, bytes(5)), "its layers overlap, leave gaps"),
    "truncated": (safetensors({"a": layer(0, 8)}, bytes(7)), "its layers overlap, leave gaps or do not end"),
    "shape": (safetensors({"a": layer(0, 8, [3])}, bytes(8)), "a layer of shape (3,) has 8 bytes"),
    "backwards": (safetensors({"a": layer(8, 0, [2])}, bytes(8)), "a layer of shape (2,) has -8 bytes"),
    "negative": (safetensors({"a": layer(0, 8, [-1, -2])}, bytes(8)), "a layer has an impossible shape"),
    "true": (safetensors({"a": layer(0, 4, [True])}, bytes(4)), "a layer has an impossible shape"),
    "2^64 numbers": (safetensors({"a": layer(0, 0, [2**64])}), "a layer has an impossible shape"),
    "1000 axes": (safetensors({"a": layer(0, 4, [1] * 1000)}, bytes(4)), "a layer has an impossible shape"),
    "no shape": (safetensors({"a": {"dtype": "F32", "data_offsets": [0, 0]}}), "a layer has no type, shape"),
    "no object": (safetensors({"a": 7}), "a layer has no type, shape or place"),
    "three offsets": (safetensors({"a": layer(0, 4) | {"data_offsets": [0, 4, 8]}}), "a layer has no type"),
}


@pytest.mark.parametrize("kind", BAD_HEADERS)
@pytest.mark.usefixtures("unopened")
def test_row_07_a_safetensors_header_that_lies_is_refused_early(refusal, tmp_path, kind):
    content, what = BAD_HEADERS[kind]
    (tmp_path / "weights.safetensors").write_bytes(content)
    assert str(refusal(tmp_path / "weights.safetensors")).startswith(DAMAGED + what)


@pytest.mark.parametrize("n", [5_001, 100_000])
@pytest.mark.usefixtures("unopened")
def test_row_07_thousands_of_tensors_are_refused(refusal, tmp_path, n):
    header = {f"layer{i}": layer(4 * i, 4 * i + 4) for i in range(n)}
    (tmp_path / "weights.safetensors").write_bytes(safetensors(header, bytes(4 * n)))
    assert str(refusal(tmp_path / "weights.safetensors")).startswith("The file lists more than 5,000 layers")


@pytest.mark.usefixtures("unopened")
def test_row_07_numbers_of_other_types_are_refused(refusal, tmp_path):
    save_file({"a": torch.zeros(8, dtype=torch.float8_e4m3fn)}, tmp_path / "weights.safetensors")
    assert str(refusal(tmp_path / "weights.safetensors")).startswith(
        "A layer holds numbers of the type 'F8_E4M3'; decimal numbers of 16 to 64 bits can be read."
    )


def test_row_07_empty_layers_and_any_header_length_pass(tmp_path):
    path = tmp_path / "weights.safetensors"
    path.write_bytes(
        safetensors({"a": layer(0, 0, [0]), "b": layer(0, 4), "c": layer(4, 4, [0, 5])}, bytes(4))
    )
    assert intake.inspect_file(path)[0] == "safetensors"
    lookalikes = (0x0280, 0x8B1F)  # lengths that begin like a pickle and like gzip
    for length in lookalikes:
        path.write_bytes(
            safetensors(b'{"b":' + json.dumps(layer(0, 4)).encode().ljust(length - 6) + b"}", bytes(4))
        )
        assert intake.inspect_file(path)[0] == "safetensors"


# --- 8: weights of something else


@pytest.mark.usefixtures("here")
def test_row_08_another_architecture_is_a_list_of_mismatches(refusal, state, tmp_path):
    torch.save(state, tmp_path / "weights.pt")
    found = str(refusal(tmp_path / "weights.pt", architecture="resnet18"))
    assert "missing fc.weight" in found
    assert "conv1.weight (64, 3, 7, 7)" in found
    assert " more" in found
    assert len(found) < 400


@pytest.mark.parametrize("prefix", ["module.", "model.", "_orig_mod.", "module.model."])
@pytest.mark.usefixtures("here")
def test_row_08_prefixes_are_stripped_and_said(opened, state, tmp_path, prefix):
    torch.save({prefix + name: tensor for name, tensor in state.items()}, tmp_path / "weights.pt")
    passport = opened(tmp_path / "weights.pt")
    assert passport.stripped_prefix == prefix
    assert dict(passport.layers) == {name: tuple(tensor.shape) for name, tensor in state.items()}
    assert any(prefix in check for check in passport.checks)


@pytest.mark.usefixtures("here")
def test_row_08_a_prefix_of_some_layers_is_no_prefix(refusal, state, tmp_path):
    torch.save({**state, "module.extra.weight": torch.zeros(3)}, tmp_path / "weights.pt")
    assert "left over module.extra.weight (3,)" in str(refusal(tmp_path / "weights.pt"))


@pytest.mark.usefixtures("here")
def test_row_08_an_extra_head_is_named(refusal, state, tmp_path):
    torch.save({**state, "aux.weight": torch.zeros(5, 64)}, tmp_path / "weights.pt")
    assert "left over aux.weight (5, 64)" in str(refusal(tmp_path / "weights.pt"))


@pytest.mark.usefixtures("here")
def test_row_08_another_number_of_classes_is_told(refusal, state, tmp_path):
    torch.save(state, tmp_path / "weights.pt")
    assert str(refusal(tmp_path / "weights.pt", n_classes=10)) == (
        "The model has 2 outputs, but the target has 10 classes; open a model that was trained for this target."
    )


# --- 9: numbers that are none


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf"), 1e300])
@pytest.mark.usefixtures("here")
def test_row_09_weights_that_are_not_numbers_are_named(refusal, state, tmp_path, bad):
    broken = state["3.weight"].double().clone()
    broken.view(-1)[7] = bad
    torch.save({**state, "3.weight": broken}, tmp_path / "weights.pt")
    save_file({**state, "3.weight": broken}, tmp_path / "weights.safetensors")
    for name in ("weights.pt", "weights.safetensors"):
        assert str(refusal(tmp_path / name)).startswith("Layer '3.weight' holds values that are not numbers")


@pytest.mark.usefixtures("here")
def test_row_09_finite_weights_with_infinite_answers_are_refused(refusal, state, tmp_path):
    huge = {name: torch.full_like(tensor, 1e30) for name, tensor in state.items()}
    torch.save(huge, tmp_path / "weights.pt")
    assert str(refusal(tmp_path / "weights.pt")).startswith(
        "The network answers with values that are not numbers"
    )


# --- 10: what the outputs and the inputs mean


def outputs(state, rows, tmp_path):
    """The same network with so many outputs; returns path and the new last layer."""
    torch.manual_seed(1)
    weight, bias = torch.randn(rows, 64), torch.randn(rows)
    torch.save({**state, "head.weight": weight, "head.bias": bias}, tmp_path / "weights.pt")
    return tmp_path / "weights.pt", weight.double().numpy(), bias.double().numpy()


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


FEATURES = np.random.default_rng(3).normal(size=(50, 64))


@pytest.mark.parametrize(("rows", "output", "read"), [(1, None, 0), (1, 0, 0), (40, 20, 20), (2, 1, 1)])
@pytest.mark.usefixtures("here")
def test_row_10_one_sigmoid_output_becomes_the_same_two_class_head(
    opened, state, tmp_path, rows, output, read
):
    path, weight, bias = outputs(state, rows, tmp_path)
    passport = opened(path, output=output)
    head = load_classifier(tmp_path / "out/model.safetensors").head
    expected = sigmoid(FEATURES @ weight[read] + bias[read])
    np.testing.assert_allclose(head.probabilities(FEATURES)[:, 1], expected, atol=1e-12)
    assert passport.n_outputs == rows
    assert (
        f"Output {read} of {rows} is read as the probability of the second class (sigmoid)."
        in passport.checks
    )


@pytest.mark.usefixtures("here")
def test_row_10_two_outputs_are_softmax(opened, state, tmp_path):
    path, weight, bias = outputs(state, 2, tmp_path)
    passport = opened(path)
    logits = FEATURES @ weight.T + bias
    expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    head = load_classifier(tmp_path / "out/model.safetensors").head
    np.testing.assert_allclose(head.probabilities(FEATURES), expected, atol=1e-12)
    assert "Its 2 outputs are read as one per class (softmax)." in passport.checks


ASK = "say which of them, 0 to 39, answers the target."
OTHER = "open a model that was trained for this target."


@pytest.mark.parametrize(
    ("rows", "options", "message"),
    [
        (40, {}, "The model has 40 outputs, but the target has 2 classes; " + ASK),
        (40, {"output": 40}, "The model has no output 40; its outputs are counted from 0 to 39."),
        (40, {"output": -1}, "The model has no output -1; its outputs are counted from 0 to 39."),
        (
            40,
            {"output": 3, "n_classes": 5},
            "The model has 40 outputs, but the target has 5 classes; " + OTHER,
        ),
        (1, {"n_classes": 5}, "The model has 1 output, but the target has 5 classes; " + OTHER),
    ],
)
@pytest.mark.usefixtures("here")
def test_row_10_other_outputs_are_asked_about(refusal, state, tmp_path, rows, options, message):
    path, *_ = outputs(state, rows, tmp_path)
    assert str(refusal(path, **options)) == message


@pytest.mark.usefixtures("here")
def test_row_10_a_network_for_grayscale_is_recognised(refusal, state, tmp_path):
    torch.save({**state, "0.weight": state["0.weight"][:, :1]}, tmp_path / "weights.pt")
    assert str(refusal(tmp_path / "weights.pt")).startswith(
        "The network reads grayscale pictures: its first layer '0.weight' has 1 input channel, not 3;"
    )


class Encoder(torch.nn.Module):
    """A network with one kind of trouble, put in the place of a classifier's encoder."""

    def __init__(self, trouble):
        super().__init__()
        self.layer = {"noise": torch.nn.Dropout(0.5), "neighbours": torch.nn.BatchNorm2d(3)}.get(trouble)
        self.trouble = trouble

    def forward(self, images):
        if self.trouble == "size":
            raise AssertionError("Wrong image height! Expected 224 but got 32!")
        if self.trouble == "dead":
            images = torch.ones_like(images)
        return (images if self.layer is None else self.layer(images)).flatten(1)[:, :64]


def tried(path, trouble, opened, tmp_path):
    opened(path)
    classifier = replace(load_classifier(tmp_path / "out/model.safetensors"))
    classifier.encoder.__dict__["module"] = Encoder(trouble).train()  # as if eval() had been forgotten
    return worker.try_out(classifier, 0)


@pytest.mark.parametrize(
    ("trouble", "message"),
    [
        ("noise", "The network answers the same input differently each time"),
        ("neighbours", "The network's answer to one input changes with the inputs beside it"),
        ("size", "The network cannot read pictures of 32 pixels a side; its usual size is 32"),
    ],
)
@pytest.mark.usefixtures("here")
def test_row_10_the_trial_run_catches_training_mode_and_sizes(opened, state, tmp_path, trouble, message):
    torch.save(state, tmp_path / "weights.pt")
    with pytest.raises(worker.Refused, match=f"^{message}"):
        tried(tmp_path / "weights.pt", trouble, opened, tmp_path)


@pytest.mark.usefixtures("here")
def test_row_10_a_dead_network_is_a_warning(opened, state, tmp_path):
    torch.save(state, tmp_path / "weights.pt")
    assert len(tried(tmp_path / "weights.pt", "none", opened, tmp_path)) == 1
    assert "Warning: " in tried(tmp_path / "weights.pt", "dead", opened, tmp_path)[1]


@pytest.mark.usefixtures("here")
def test_row_10_answers_are_those_of_the_network_in_eval_mode(opened, tmp_path):
    from torchvision.models import resnet18

    torch.manual_seed(0)
    network = resnet18(num_classes=3)
    with torch.no_grad():
        network.train()(torch.randn(8, 3, 64, 64))  # moves the running means away from their start
    torch.save(network.state_dict(), tmp_path / "weights.pt")
    opened(tmp_path / "weights.pt", architecture="resnet18", n_classes=3, size=None)
    classifier = load_classifier(tmp_path / "out/model.safetensors")
    assert isinstance(classifier, Classifier)
    images = np.random.default_rng(0).integers(0, 256, (4, 64, 64, 3), "uint8")
    given = torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255  # normalisation "unit"
    with torch.no_grad():
        expected = network.eval()(given).softmax(1).numpy()
    np.testing.assert_allclose(
        classifier.head.probabilities(classifier.encode([images])), expected, atol=1e-5
    )
