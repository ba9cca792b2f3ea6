"""What was answered yesterday is answered today: in another process, from another computer's files."""

import subprocess
import sys
import unicodedata

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import fmd_core as fmd
from fmd_core.datasets.own.answers import Answers
from fmd_core.datasets.own.image_folder import FolderImport, open_image_folder
from fmd_core.datasets.own.sniffing import read_table
from fmd_core.datasets.own.table import TableImport, open_table
from fmd_core.datasets.pictures import check_images
from fmd_core.datasets.table_dataset import make_table_dataset
from fmd_core.datasets.table_encoding import Binned

N = 240
SPLIT = np.resize(["train", "train", "train", "external", "validation", "test"], N)

FINGERPRINTS = """
import datetime, decimal, sys
import numpy as np, pandas as pd
import fmd_core as fmd
from pathlib import Path
from fmd_core.datasets.own.sniffing import read_table
from fmd_core.datasets.own.table import TableImport, open_table, suggest_table
from fmd_core.datasets.own.image_folder import open_image_folder, suggest_folder
from fmd_core.models.content import digest_of

rng, n = np.random.default_rng(0), 240
levels = ["nan", "NA", "10", "9", "1.0", "1", "-inf", "inf", "Ä", "ä", "b", "B", "", None, "9.0", "z"]
odd = [levels[i] for i in rng.integers(0, len(levels), n)]
frame = pd.DataFrame({
    "odd": pd.Series(odd, dtype=object), "group": rng.choice(["x", "y", "X"], n), "size": rng.normal(size=n),
    "when": [datetime.date(2020, 1, 1 + int(k)) for k in rng.integers(0, 9, n)],
    "tags": [frozenset(rng.choice(list("abcdef"), 3).tolist()) for _ in range(n)],
    "answer": rng.choice(["no", "yes"], n),
})
table = fmd.table(frame, target="answer", protected=["group", "odd"], leave_out=["tags"])
print(table.fingerprint, table.attributes["odd"].levels)
folder = Path(sys.argv[1])
sheet = read_table(folder / "people.csv")
own = open_table(sheet, TableImport(target="answer", protected={"group": "values", "odd": "values"}))
print(own.fingerprint, own.source.input_names, own.notes, suggest_table(sheet))
images = open_image_folder(folder / "pictures", read_table(folder / "pictures.csv"),
                           suggest_folder(read_table(folder / "pictures.csv")))
print(images.fingerprint, images.notes)
for name in ("colored_digits", "synthetic_faces"):
    print(fmd.load_dataset(name).fingerprint, fmd.load_demo_classifier(name).fingerprint)
print(digest_of({"b", "a", "c"}, {"y": 1, "x": {2, 3, "s"}}, frozenset({("t", 1), ("s", 2)})))
"""


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(1)
    words = ["nan", "10", "9", "NA", "north", "North", "1.0", "zoë"]
    people = pd.DataFrame(
        {
            "odd": rng.choice(words, N), "group": rng.choice(["x", "y"], N), "size": rng.normal(size=N),
            "answer": rng.choice(["no", "yes"], N),
        }
    )  # fmt: skip
    people.to_csv(tmp_path / "people.csv", index=False)
    (tmp_path / "pictures").mkdir()
    names = [f"{k}.png" for k in range(N)]
    for k, name in enumerate(names):
        colour = (k % 256, k // 256, 7)
        Image.new("RGB", (16, 16), colour).save(tmp_path / "pictures" / name)
    pd.DataFrame({"file": names, "sex": people["group"], "label": people["answer"]}).to_csv(
        tmp_path / "pictures.csv", index=False
    )
    return tmp_path


def test_every_fingerprint_is_the_same_under_three_hash_seeds(folder):
    said = [
        subprocess.run(
            [sys.executable, "-c", FINGERPRINTS, folder], env={"PYTHONHASHSEED": seed, **environment()},
            capture_output=True, text=True, check=True,
        ).stdout
        for seed in ("0", "1", "31337")
    ]  # fmt: skip
    assert len(said[0].splitlines()) == 6
    assert said[0] == said[1] == said[2]


def environment():
    import os

    return {k: v for k, v in os.environ.items() if k != "PYTHONHASHSEED"}


# --- words for nothing


@pytest.mark.parametrize("word", ["nan", "NaN", "NA", "N/A", "#N/A", "<NA>", "null"])
def test_a_programs_word_for_nothing_is_no_group_of_its_own(word, tmp_path):
    group = np.where(np.arange(N) % 5 == 0, word, np.where(np.arange(N) % 2, "a", "b"))
    frame = pd.DataFrame({"group": group, "x": np.arange(N) % 3, "answer": np.resize(["no", "no", "yes"], N)})
    data = fmd.table(frame, target="answer", protected="group")
    assert data.attributes["group"].levels == ("a", "b", "not stated")
    frame.to_csv(tmp_path / "t.csv", index=False)
    sheet = read_table(tmp_path / "t.csv")
    assert sheet.column("group").levels == ("a", "b")
    assert f"Read as empty cells: {word} in 'group' (48)." in sheet.notes
    answers = TableImport(target="answer", protected={"group": "values"})
    assert open_table(sheet, answers).attributes["group"].levels == ("a", "b", "not stated")


def test_words_that_may_be_an_answer_stay():
    frame = pd.DataFrame(
        {"group": np.resize(["none", "unknown", "?"], N), "answer": np.resize(["n", "y"], N)}
    )
    assert fmd.table(frame, target="answer", protected="group").attributes["group"].levels == (
        "?",
        "none",
        "unknown",
    )


# --- numbers that differ late


def test_labels_that_differ_after_ten_digits_stay_two(tmp_path):
    values = np.resize([0.12345678901, 0.12345678902, 0.5], N)
    frame = pd.DataFrame({"score": values, "group": np.resize(["a", "b"], N), "x": np.arange(N) % 7})
    data = fmd.table(frame, target="score", protected="group")
    assert data.target.levels == ("0.12345678901", "0.12345678902", "0.5")
    frame.to_csv(tmp_path / "t.csv", index=False)
    sheet = read_table(tmp_path / "t.csv")
    assert set(sheet.column("score").levels) == set(data.target.levels)
    assert open_table(sheet, TableImport(target="score", protected={"group": "values"})).target.levels == (
        data.target.levels
    )


# --- a number that is one number in training


def one_number(value, held_out):
    rng = np.random.default_rng(2)
    steady = np.full(N, value)
    steady[SPLIT != "train"] = held_out
    return pd.DataFrame(
        {
            "steady": steady, "size": rng.normal(size=N), "group": rng.choice(["a", "b"], N),
            "answer": rng.choice(["no", "yes"], N),
        }
    )  # fmt: skip


@pytest.mark.parametrize("value", [0.1, 0.1 + 0.2, 1e6 / 3, 0.0, -7.7e-9])
def test_a_number_that_is_constant_in_training_is_no_input_and_that_is_said(value):
    frame = one_number(value, value + 0.02)
    data = fmd.table(frame, target="answer", protected="group", split=SPLIT)
    assert "steady" not in data.source.input_names
    assert np.abs(data.source.read(np.arange(N))).max() < 10
    assert "Not read by a model trained here, since all training rows are alike: 'steady'." in data.notes
    assert data.source.display(3)["steady"]  # a person still has it


def test_a_number_that_varies_a_little_is_an_input():
    frame = one_number(1.0, 1.0)
    frame["steady"] += np.where(np.arange(N) % 2, 1e-6, 0)
    data = fmd.table(frame, target="answer", protected="group", split=SPLIT)
    assert "steady" in data.source.input_names
    assert not any("alike" in note for note in data.notes)


def test_one_that_is_protected_or_missing_at_times_stays_an_input():
    frame = one_number(30.0, 50.0)
    data = make_table_dataset(
        "T", frame, target="answer", protected=[Binned("steady", (40.0,), ("young", "old"))], split=SPLIT
    )
    assert "steady" in data.source.input_names
    frame.loc[::3, "steady"] = np.nan
    data = make_table_dataset("T", frame, target="answer", protected=["group"], split=SPLIT)
    assert {"steady", "steady missing"} <= set(data.source.input_names)


def test_held_out_numbers_far_outside_training_are_said(tmp_path):
    frame = one_number(1.0, 1.0)
    frame["size"] = np.where(SPLIT == "train", np.arange(N) % 10, 5)
    frame.loc[np.flatnonzero(SPLIT == "test")[:3], "size"] = 1_000
    frame.loc[np.flatnonzero(SPLIT == "test")[3], "size"] = 12  # outside, and near
    data = fmd.table(frame, target="answer", protected="group", split=SPLIT)
    assert any("'size' in 3 (training: 0 to 9)" in note for note in data.notes)
    frame.assign(part=SPLIT).to_csv(tmp_path / "t.csv", index=False)
    answers = TableImport(
        target="answer", protected={"group": "values"}, split_column="part",
        split_values={s: s for s in fmd.data.SPLITS},
    )  # fmt: skip
    assert any("'size' in 3 (training: 0 to 9)" in n for n in open_table(tmp_path / "t.csv", answers).notes)


# --- one name in two forms


def test_a_level_written_in_two_forms_is_one(tmp_path):
    forms = [unicodedata.normalize(form, "Zoë") for form in ("NFC", "NFD")]
    assert forms[0] != forms[1]
    frame = pd.DataFrame({"group": np.resize([*forms, "Max"], N), "answer": np.resize(["n", "y"], N)})
    data = fmd.table(frame, target="answer", protected="group", classes={"n": forms[1], "y": "y"})
    assert data.attributes["group"].levels == ("Max", forms[0])
    assert data.target.levels == (forms[0], "y")
    frame.to_csv(tmp_path / "t.csv", index=False)
    assert set(read_table(tmp_path / "t.csv").column("group").levels) == {"Max", forms[0]}


@pytest.mark.parametrize(("on_disk", "in_table"), [("NFD", "NFC"), ("NFC", "NFD")])
def test_a_picture_is_found_whichever_form_its_name_has(on_disk, in_table, tmp_path):
    (tmp_path / "pictures").mkdir()
    names = [f"é{k}.png" for k in range(60)]
    for k, name in enumerate(names):
        Image.new("RGB", (16, 16), (k, 3 * k, 9)).save(
            tmp_path / "pictures" / unicodedata.normalize(on_disk, name)
        )
    told = [unicodedata.normalize(in_table, name) for name in names]
    pd.DataFrame(
        {"file": told, "sex": np.resize(["f", "m", "m"], 60), "label": np.resize(["n", "y"], 60)}
    ).to_csv(tmp_path / "t.csv", index=False)
    answers = FolderImport(target="label", protected={"sex": "values"}, file="file", size=16)
    assert len(open_image_folder(tmp_path / "pictures", read_table(tmp_path / "t.csv"), answers)) == 60


def test_answers_kept_in_the_other_form_still_name_their_columns():
    named = Answers(target=unicodedata.normalize("NFD", "größe"), protected={}, one_spelling=("é",))
    assert Answers.from_dict(named.to_dict()).target == unicodedata.normalize("NFC", "größe")


# --- pictures


@pytest.mark.parametrize("turn", [0, 9])
def test_a_note_of_the_camera_that_means_nothing_is_not_said_to_turn(turn, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = turn
    Image.new("RGB", (8, 8)).save(tmp_path / "a.jpg", exif=exif)
    assert check_images({"a": tmp_path / "a.jpg"}).converted == {}


def test_sixteen_bits_a_colour_are_said_to_be_reduced(tmp_path):
    import struct
    import zlib

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(b"\0" + struct.pack(">12H", *range(0, 60000, 5000)) for _ in range(4))
    head = struct.pack(">IIBBBBB", 4, 4, 16, 2, 0, 0, 0)
    data = (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )
    (tmp_path / "deep.png").write_bytes(data)
    assert check_images({"a": tmp_path / "deep.png"}).converted == {"reduced from 16 bits to 8": 1}
