"""What `python tests/fuzz/run.py` found, each as the smallest file that shows it."""

import io
import json
from hashlib import sha256

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from safetensors.numpy import save_file

from fmd_core.datasets.demos.bundled import read_verified
from fmd_core.datasets.demos.colored_digits import load_colored_digits
from fmd_core.datasets.families import load_dataset
from fmd_core.datasets.own import imports
from fmd_core.datasets.own.image_folder import FolderImport
from fmd_core.datasets.own.sniffing import read_preview, read_table
from fmd_core.datasets.public.adult import TRAIN, load_adult
from fmd_core.datasets.public.celeba import load_celeba
from fmd_core.errors import DataError, ModelError
from fmd_core.models.files import load_classifier
from fmd_core.text import clean_text
from tests.core.test_adult import write_adult
from tests.core.test_celeba import write_celeba

MANIFEST = "manifest.json"


@pytest.mark.parametrize(
    "column",
    [
        pa.array([2**30, 1], pa.int32()).cast(pa.date32()),
        pa.array([2**62, 1]).cast(pa.timestamp("us")),
        pa.array([2**62, 1]).cast(pa.duration("s")),
        pa.array([1, 2]).cast(pa.timestamp("s", tz="Nowhere/Atlantis")),
    ],
    ids=lambda column: str(column.type),
)
def test_row_14_dates_beyond_the_calendar_are_refused_in_words(tmp_path, column):
    pq.write_table(pa.table({"when": column, "x": [1, 2]}), tmp_path / "t.parquet")
    for read in (read_preview, read_table):
        with pytest.raises(
            DataError, match=r"^The column 'when' holds .* cannot be written as texts; save it without\.$"
        ):
            read(tmp_path / "t.parquet")


def test_row_14_usual_dates_are_still_read(tmp_path):
    pq.write_table(
        pa.table({"when": pa.array([0, 1]).cast(pa.timestamp("s")), "x": [1, 2]}), tmp_path / "t.parquet"
    )
    assert read_table(tmp_path / "t.parquet").texts("when").tolist() == [
        "1970-01-01 00:00:00",
        "1970-01-01 00:00:01",
    ]


@pytest.mark.parametrize("number", ["inf", "1e400", "9" * 400, "nan"])
def test_row_16_an_age_without_end_is_no_number(tmp_path, number):
    path = write_adult(tmp_path) / TRAIN
    lines = path.read_text().split("\n")
    lines[3] = ",".join([number, *lines[3].split(",")[1:]])
    path.write_text("\n".join(lines))
    with pytest.raises(
        DataError, match=rf"^'{TRAIN}' has '{number[:40]}' as age, which is no number; put UCI's"
    ):
        load_adult(tmp_path)


def test_row_19_a_sign_that_no_text_has_is_written_out(tmp_path):
    path = write_adult(tmp_path) / TRAIN
    path.write_text(path.read_text().replace(">50K", ">50K\0", 1))
    with pytest.raises(DataError, match=rf"^'{TRAIN}' holds the sign '\\x00', which no text of Adult has"):
        load_adult(tmp_path)


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("list_attr_celeba.txt", b"22\r\n", b"\x1b[31m\r\n"),
        ("list_attr_celeba.txt", b"  -1", b"  \x071"),
        ("list_eval_partition.txt", b"000001.jpg 0", b"000001.jpg \x1b"),
    ],
)
def test_row_19_marks_in_celeba_s_lists_are_written_out(tmp_path, file, old, new):
    path = write_celeba(tmp_path) / file
    assert old in path.read_bytes()
    path.write_bytes(path.read_bytes().replace(old, new))
    with pytest.raises(DataError) as caught:
        load_celeba(tmp_path)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("name", ["x\0y", "a\u202eb", "celeba?\x1b=1", "celeba?size=\x07"])
def test_row_21_marks_in_a_reference_are_written_out(name):
    with pytest.raises(DataError) as caught:
        load_dataset(name)
    assert str(caught.value).isprintable()
    assert "\\" in str(caught.value)


@pytest.mark.parametrize("mark", ["\u200b", "\u200e", "\u061c", "\u2060", "\ufeff", "\ud800"])
def test_row_19_two_names_that_look_alike_are_alike(mark):
    assert clean_text(f"s{mark}ex") == "sex"


def test_row_19_joiners_that_scripts_need_stay():
    assert clean_text("👩\u200d💻 می\u200cخواهم") == "👩\u200d💻 می\u200cخواهم"


# --- our own files


def test_a_manifest_nested_without_end_is_damaged(tmp_path):
    (tmp_path / MANIFEST).write_text('{"a":' * 100_000)
    with pytest.raises(DataError, match=r"manifest\.json is damaged"):
        read_verified(tmp_path, "digits.npz")


def digits(folder, spoil=lambda content: content, **changed):
    """A demo whose manifest fits its files."""
    arrays = {"strokes": np.zeros((8, 8, 8), "uint8")} | {
        k: np.arange(8) % 4 for k in ("digit", "color", "split")
    }
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays | {"paper": np.arange(8) % 2} | changed)
    content = spoil(buffer.getvalue())
    (folder / "digits.npz").write_bytes(content)
    (folder / MANIFEST).write_text(json.dumps({"sha256": {"digits.npz": sha256(content).hexdigest()}}))
    return load_colored_digits(folder)


def bad_block(content):
    start = content.index(b"strokes.npy") + len(b"strokes.npy") + int.from_bytes(content[28:30], "little")
    return content[:start] + b"\xff" * 8 + content[start + 8 :]


def test_a_damaged_npz_is_refused_in_words(tmp_path):
    assert len(digits(tmp_path)) == 8
    for spoilt in (
        {"spoil": bad_block},
        {"strokes": np.zeros(3)},
        {"split": np.full(8, 99)},
        {"strokes": np.zeros((1, 8, 8))},
    ):
        with pytest.raises(DataError, match=r"'digits\.npz' cannot be read"):
            digits(tmp_path, **spoilt)


@pytest.mark.parametrize("content", ['{"a":' * 100_000, "{", "3", '{"a": 1}', "[1]", "\xff"])
def test_damaged_notes_of_an_import_are_said(tmp_path, content):
    (tmp_path / "t.csv").write_text(
        "file,sex,y\n" + "".join(f"{i}.png,{'fm'[i % 2]},{i // 2 % 2}\n" for i in range(80))
    )
    folder = imports.begin_import(tmp_path / "t.csv", None)
    (folder / "pictures").mkdir()
    from PIL import Image

    for i in range(80):
        Image.new("RGB", (8, 8), (i, 0, 0)).save(folder / "pictures" / f"{i}.png")
    imports.finish_import(folder, "x", FolderImport("y", {"sex": "values"}, file="file", size=16))
    assert len(imports.open_import(folder.name)) == 80
    (folder / imports.SKIPPED).write_text(content, "latin-1")
    with pytest.raises(DataError, match="The saved notes of this import are damaged"):
        imports.open_import(folder.name)
    imports.delete_import(folder.name)


def test_a_setting_of_thousands_of_letters_is_cut(tmp_path):
    tensors = {"head.weight": np.zeros((2, 2)), "head.bias": np.zeros(2)}
    told = {
        "format": "fmd-classifier-1",
        "architecture": "mlp",
        "damping": "1",
        "feature_scale": "x" * 5_000 + "\0",
    }
    save_file(tensors, tmp_path / "m.safetensors", told)
    with pytest.raises(ModelError, match=r"names the feature scale 'x{40}', which is no") as caught:
        load_classifier(tmp_path / "m.safetensors")
    assert len(str(caught.value)) < 200
