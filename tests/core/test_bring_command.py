"""`fmd import`: what the import page would read, as a document and as a sentence; and what is kept."""

import json

import pytest
from PIL import Image

from fmd_core import __main__ as command
from fmd_core.datasets.families import load_dataset

KEYS = {
    "schema", "version", "rows", "pictures", "matched", "unmatched_rows", "unused_pictures", "target", "protected",
    "splits", "classes", "columns", "file", "warnings", "kept",
}  # fmt: skip
N = 60


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("FMD_HOME", str(tmp_path / "home"))


@pytest.fixture
def faces(tmp_path):
    for i in range(N):
        (tmp_path / "faces" / "train").mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8), (i, 9, 200 - i)).save(tmp_path / "faces" / "train" / f"{i}.png")
    return tmp_path / "faces"


def listed(tmp_path, n=N, name="list.csv", folder="train"):
    rows = [f"{folder}/{i}.png,{('no', 'yes')[i % 2]},{('f', 'm')[i // 2 % 2]}" for i in range(n)]
    (tmp_path / name).write_text("path,label,gender\n" + "\n".join(rows))
    return str(tmp_path / name)


def run(tmp_path, *arguments):
    out = tmp_path / "out.json"
    code = command.main(["import", *map(str, arguments), "--json", str(out)])
    return code, json.loads(out.read_text()) if out.exists() else None


def test_a_dry_run_says_everything_and_keeps_nothing(tmp_path, faces, capsys):
    code, made = run(tmp_path, faces, "--list", listed(tmp_path, n=N - 10), "--dry-run")
    assert (code, set(made), made["schema"]) == (0, KEYS, "fmd-import-1")
    assert (
        made["rows"],
        made["pictures"],
        made["matched"],
        made["unmatched_rows"],
        made["unused_pictures"],
    ) == (50, 60, 50, 0, 10)
    assert (made["target"], made["protected"], made["classes"], made["file"]) == (
        "label",
        ["gender"],
        ["no", "yes"],
        "path",
    )
    assert made["kept"] == ""
    assert not (tmp_path / "home" / "imports").exists()
    assert "50 of 50 rows have a picture by 'path'; 10 pictures belong to no row." in capsys.readouterr().out


def test_what_is_kept_opens_by_its_reference(tmp_path, faces):
    code, made = run(tmp_path, faces, "--list", listed(tmp_path))
    assert (code, sum(made["splits"].values())) == (0, N)
    assert len(load_dataset(made["kept"])) == N


def test_rows_without_a_picture_are_not_skipped_unasked(tmp_path, faces, capsys):
    code, made = run(tmp_path, faces, "--list", listed(tmp_path, n=N + 5))
    assert (code, made) == (3, None)
    assert "5 rows of 65 have no picture, such as 'train/60.png'" in capsys.readouterr().err
    assert list((tmp_path / "home" / "imports").iterdir()) == []
    code, made = run(tmp_path, faces, "--list", listed(tmp_path, n=N + 5), "--skip-missing")
    assert (code, made["unmatched_rows"]) == (0, 5)


def test_pictures_of_another_folder_need_to_be_said_to_be_the_same(tmp_path, faces):
    lists = listed(tmp_path, folder="val")
    assert run(tmp_path, faces, "--list", lists, "--dry-run")[1]["matched"] == 0
    code, made = run(tmp_path, faces, "--list", lists, "--by-name")
    assert (code, made["matched"]) == (0, N)


def test_a_table_with_its_layout_and_cut(tmp_path):
    rows = [f"{1000 + i},5;{'fm'[i % 2]}" for i in range(200)]
    (tmp_path / "pay.csv").write_text("salary;sex\n" + "\n".join(rows))
    code, made = run(
        tmp_path, tmp_path / "pay.csv", "--target", "salary", "--cut", "1100", "--separator", "semicolon",
        "--decimal", ",",
    )  # fmt: skip
    assert (code, made["classes"]) == (0, ["1100 or more", "under 1100"])
    assert (made["pictures"], made["protected"]) == (0, ["sex"])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["{}/gone.csv"], "There is no file"),
        (["{}/list.csv", "--list", "{}/list.csv"], "--list belongs to pictures"),
        (["{}/list.csv", "--target", "gone"], "There is no column 'gone'"),
        (["{}/list.csv", "--encoding", "klingon"], "is not an encoding that can be chosen"),
    ],
)
def test_bad_input_is_one_sentence(tmp_path, capsys, arguments, words):
    listed(tmp_path)
    assert command.main(["import", *(argument.format(tmp_path) for argument in arguments)]) == 3
    said = capsys.readouterr()
    assert words in said.err
    assert (said.out, said.err.count("\n")) == ("", 1)
