"""Imports: begun, finished, opened, listed, deleted; half made, hostile, damaged."""

import json
import os
from dataclasses import replace
from zipfile import ZipFile

import numpy as np
import pytest
from PIL import Image

from fmd_core.datasets.families import load_dataset, reference
from fmd_core.datasets.own import imports
from fmd_core.datasets.own.image_folder import FolderImport
from fmd_core.datasets.own.imports import (
    Kept,
    begin_import,
    delete_import,
    finish_import,
    kept_imports,
    open_import,
)
from fmd_core.datasets.own.table import TableImport, open_table
from fmd_core.errors import DataError

N = 60
GONE = "This import is not on this machine, or was deleted; import the data again."
ROWS = TableImport(target="income", protected={"sex": "values", "age": "ages"})
SHEET = FolderImport(target="smile", protected={"hat": "values"}, file="file", size=16)


@pytest.fixture(autouse=True)
def root(tmp_path, monkeypatch):
    """The folder of all imports, empty."""
    monkeypatch.setenv("FMD_HOME", str(tmp_path / "kept"))
    return tmp_path / "kept" / "imports"


@pytest.fixture
def table(tmp_path):
    rng = np.random.default_rng(0)
    rows = [
        f"{rng.integers(18, 80)},{('f', 'm')[i % 2]},{rng.normal(40, 5):.2f},{('low', 'high')[i // 2 % 2]}"
        for i in range(N)
    ]
    path = tmp_path / "people.csv"
    path.write_text("\n".join(["age,sex,hours,income", *rows]))
    return path


@pytest.fixture
def pictures(tmp_path):
    """A list of pictures and the zip that holds them, and a note beside them."""
    rows = [f"{i:03d}.png,{('no', 'yes')[i % 2]},{('none', 'red')[i // 2 % 2]}" for i in range(N)]
    sheet, archive = tmp_path / "faces.csv", tmp_path / "faces.zip"
    sheet.write_text("\n".join(["file,smile,hat", *rows]))
    with ZipFile(archive, "w") as packed:
        for i in range(N):
            with packed.open(f"faces/{i:03d}.png", "w") as file:
                Image.new("RGB", (20, 20), (i, 255 - i, 7)).save(file, "PNG")
        packed.writestr("read me.txt", "hello")
    return sheet, archive


def imported(table, name="My people", answers=ROWS):
    return finish_import(begin_import(table, None), name, answers)


def message(call, *arguments):
    with pytest.raises(DataError) as caught:
        call(*arguments)
    return str(caught.value)


def left(root):
    return list(root.iterdir()) if root.exists() else []


# --- there and back


def test_a_table_is_opened_as_it_was_answered(table):
    direct = open_table(table, ROWS)
    kept = imported(table)
    table.unlink()  # an import has its own copy
    found = open_import(kept)
    assert found.name == "My people"
    assert found.source.fingerprint == direct.source.fingerprint
    np.testing.assert_array_equal(found.target.codes, direct.target.codes)
    np.testing.assert_array_equal(found.split, direct.split)
    assert (list(found.attributes), found.notes) == (list(direct.attributes), direct.notes)
    assert kept_imports() == (Kept(kept, "My people", "table"),)


def test_pictures_are_opened_as_they_were_answered(pictures):
    sheet, archive = pictures
    told = []
    folder = begin_import(sheet, archive, told.append)
    assert told == sorted(told)
    assert told[-1] == 1
    kept = finish_import(folder, "My faces", SHEET)
    sheet.unlink()
    archive.unlink()
    opening = []
    found = open_import(kept, opening.append)
    assert opening[-1] == 1
    assert (found.name, len(found), found.source.kind) == ("My faces", N, "image")
    rows = np.array([41, 3])
    images = found.source.read(rows)
    assert images.shape == (2, 16, 16, 3)
    np.testing.assert_array_equal(images[:, 8, 8], [[41, 214, 7], [3, 252, 7]])
    assert [found.target.levels[c] for c in found.target.codes[:3]] == ["no", "yes", "no"]
    assert found.notes[0].startswith(
        "1 file of the archive skipped: not a JPEG, PNG, WebP, BMP or TIFF picture"
    )
    assert kept_imports() == (Kept(kept, "My faces", "images"),)


def test_an_import_is_opened_by_its_reference(table):
    kept = imported(table)
    found = load_dataset(reference("import", id=kept))
    assert found.fingerprint == open_import(kept).fingerprint


def test_a_deleted_import_is_gone_with_its_files_and_the_other_stays(table, root):
    first, second = imported(table, "first"), imported(table, "second")
    delete_import(first)
    assert [folder.name for folder in left(root)] == [second]
    assert [found.name for found in kept_imports()] == ["second"]
    assert message(open_import, first) == message(delete_import, first) == GONE
    assert open_import(second).name == "second"


def test_the_latest_import_is_first(table, root):
    kept = {name: imported(table, name) for name in ("a", "b", "c")}
    for time, name in ((300, "b"), (200, "c"), (100, "a")):
        os.utime(root / kept[name], (time, time))
    assert [found.name for found in kept_imports()] == ["b", "c", "a"]


def test_the_same_table_twice_is_two_imports(table):
    assert imported(table) != imported(table)
    assert len(kept_imports()) == 2


def test_a_long_name_is_cut(table):
    kept = imported(table, "x" * 500)
    assert (kept_imports()[0].name, open_import(kept).name) == ("x" * 80, "x" * 80)


@pytest.mark.parametrize("name", ["people.CSV", "table", "people.txt", "ta*[b].csv", "people.2024.csv"])
def test_the_name_of_the_file_does_not_matter(table, tmp_path, name):
    other = table.rename(tmp_path / name)
    assert len(open_import(imported(other))) == N


def test_no_import_is_an_empty_list(root):
    assert kept_imports() == ()
    assert not root.exists()


# --- half made


def test_a_half_made_import_is_neither_opened_nor_listed_nor_deleted(table, root):
    folder = begin_import(table, None)
    assert [found.name for found in left(root)] == [folder.name]
    assert kept_imports() == ()
    assert message(open_import, folder.name) == message(delete_import, folder.name) == GONE
    assert finish_import(folder, "now", ROWS) == folder.name
    assert open_import(folder.name).name == "now"


def test_answers_that_were_not_written_to_the_end_do_not_count(table, monkeypatch):
    def fail(*_):
        raise OSError("no")

    folder = begin_import(table, None)
    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", fail)
        with pytest.raises(OSError, match="no"):
            finish_import(folder, "now", ROWS)
    assert kept_imports() == ()
    assert message(open_import, folder.name) == GONE


class Killed(BaseException):
    """Stands for the end of the process: nothing tidies up."""


def killed(*_args, **_kwargs):
    raise Killed


def test_a_killed_deletion_leaves_nothing_that_can_be_opened_and_the_next_sweep_takes_the_rest(
    pictures, root, monkeypatch
):
    kept = finish_import(begin_import(*pictures), "mine", SHEET)
    with monkeypatch.context() as patch:
        patch.setattr(imports.shutil, "rmtree", killed)
        with pytest.raises(Killed):
            delete_import(kept)
    assert (kept_imports(), message(open_import, kept)) == ((), GONE)
    assert len(list(root.rglob("*.png"))) == N  # still there, under no name that anybody asks for
    imports.sweep()
    assert left(root) == []


def test_a_deletion_killed_before_it_began_leaves_the_whole_import(pictures, monkeypatch):
    kept = finish_import(begin_import(*pictures), "mine", SHEET)
    with monkeypatch.context() as patch:
        patch.setattr(imports.Path, "rename", killed)
        with pytest.raises(Killed):
            delete_import(kept)
    assert len(open_import(kept)) == N


def test_an_import_is_listed_only_after_it_was_looked_at(pictures, root):
    folder = begin_import(*pictures)
    assert message(imports.first_look, folder, "mine", replace(SHEET, target="weather")).startswith(
        "There is no column"
    )
    data = imports.first_look(folder, "mine", SHEET)
    assert (data.name, len(data), kept_imports()) == ("mine", N, ())
    assert imports.begun_sheet(folder).column("hat").n_levels == 2
    finish_import(folder, "mine", SHEET)
    assert open_import(folder.name).fingerprint == data.fingerprint
    imports.give_up(begin_import(*pictures))
    assert [found.name for found in left(root)] == [folder.name]


def test_a_job_killed_while_it_looks_leaves_no_import(table, root, monkeypatch):
    from app.jobs.job import Job, Progress
    from app.opening import import_job

    monkeypatch.setattr(import_job.import_data, "describe_import", killed)
    monkeypatch.setattr(imports, "give_up", lambda _: None)  # a killed process does not
    with pytest.raises(Killed):
        import_job._opened(begin_import(table, None), "people", ROWS, Progress(Job("k", "t")))
    assert kept_imports() == ()
    assert len(left(root)) == 1


def no_zip(archive):
    archive.write_bytes(b"not a zip")


def no_picture(archive):
    archive.unlink()
    with ZipFile(archive, "w") as packed:
        packed.writestr("read me.txt", "hello")


def cut_off(archive):
    archive.write_bytes(archive.read_bytes()[:-40])


@pytest.mark.parametrize("spoil", [no_zip, no_picture, cut_off])
def test_a_zip_that_fails_leaves_nothing_behind(pictures, root, spoil):
    sheet, archive = pictures
    spoil(archive)
    assert message(begin_import, sheet, archive).startswith("'faces.zip' ")
    assert left(root) == []


def test_a_cancel_leaves_nothing_behind(pictures, root):
    class Stopped(BaseException):
        pass

    def stop(share):
        if share > 0.5:
            assert any(left(root))  # there is something to remove
            raise Stopped

    with pytest.raises(Stopped):
        begin_import(*pictures, stop)
    assert left(root) == []


def test_a_table_that_is_not_there_leaves_nothing_behind(tmp_path, root):
    with pytest.raises(FileNotFoundError):
        begin_import(tmp_path / "gone.csv", None)
    assert left(root) == []


# --- ids from an address


@pytest.mark.parametrize("call", [open_import, delete_import])
@pytest.mark.parametrize(
    "import_id",
    ["", ".", "..", "x", "../x", "/etc", "\0", "a" * 300, "a" * 32, "a" * 31 + "\n", "A" * 32, "*"],
    ids=repr,
)
def test_an_id_that_is_none_is_refused(table, call, import_id):
    imported(table)
    assert message(call, import_id) == GONE
    assert len(kept_imports()) == 1


def test_an_id_does_not_lead_out_of_the_imports(table, root, tmp_path):
    kept = imported(table)
    outside = tmp_path / "outside"
    (root / kept).rename(outside)
    for import_id in ("../../outside", str(outside)):
        assert (root / import_id / "answers.json").is_file()  # would be found
        assert message(open_import, import_id) == message(delete_import, import_id) == GONE
    assert (outside / "answers.json").is_file()


def test_a_folder_that_is_no_import_is_not_listed(table, root):
    kept = imported(table)
    (root / "notes").mkdir()
    (root / "notes" / "answers.json").write_text((root / kept / "answers.json").read_text())
    assert [found.id for found in kept_imports()] == [kept]


# --- damaged

DAMAGED = "The saved answers of this import are damaged; import the data again."


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff\xfe",
        b'{"name": "x", "kind": "table"}',
        b'{"name": "x", "kind": "table", "answers": 3}',
        b'{"name": "x", "kind": "table", "answers": "abc"}',
        b"[" * 200_000,
    ],
)
def test_damaged_answers_are_said_in_words_and_do_not_hide_the_others(table, root, content):
    bad, good = imported(table, "bad"), imported(table, "good")
    (root / bad / "answers.json").write_bytes(content)
    assert message(open_import, bad) == DAMAGED
    assert [found.id for found in kept_imports()] == [good]


def test_a_form_of_import_that_is_not_known_here_is_named(table, root):
    kept = imported(table, "sounds")
    saved = json.loads((root / kept / "answers.json").read_text())
    (root / kept / "answers.json").write_text(json.dumps(saved | {"kind": "sounds"}))
    assert message(open_import, kept) == (
        "This import is of the form 'sounds', which is not known here: table, images, texts."
    )


@pytest.mark.parametrize("kind", ["table", "images"])
@pytest.mark.parametrize(
    "change", [{"target": None}, {"target": "3"}, {"protected": "{"}, {"seed": '"x"'}, {"protected": "[1]"}]
)
def test_damaged_single_answers_are_said_in_words(pictures, root, kind, change):
    sheet, archive = pictures
    answers = SHEET if kind == "images" else TableImport(target="smile", protected={"hat": "values"})
    kept = finish_import(begin_import(sheet, archive if kind == "images" else None), "mine", answers)
    assert len(open_import(kept)) == N
    saved = json.loads((root / kept / "answers.json").read_text())
    saved["answers"] = {k: v for k, v in (saved["answers"] | change).items() if v is not None}
    (root / kept / "answers.json").write_text(json.dumps(saved))
    assert (
        message(open_import, kept) == "The saved answers about this data are damaged; import the data again."
    )


def test_a_table_that_was_removed_is_said_in_words(table, root):
    kept = imported(table)
    (root / kept / "table.csv").unlink()
    assert message(open_import, kept) == "The table of this import is missing; import the data again."


def test_pictures_that_were_removed_are_said_in_words(pictures, root):
    kept = finish_import(begin_import(*pictures), "mine", SHEET)
    for path in (root / kept / "pictures").iterdir():
        path.unlink()
    assert message(open_import, kept).startswith("The folder 'pictures' holds no picture")


def test_an_abandoned_import_is_swept_and_a_fresh_one_is_not(table, root):
    kept, abandoned, fresh = imported(table), begin_import(table, None), begin_import(table, None)
    long_ago = 1_000_000_000
    for folder in (root / kept, abandoned):
        os.utime(folder, (long_ago, long_ago))
    begin_import(table, None)
    assert not abandoned.exists()
    assert fresh.exists()
    assert [found.id for found in kept_imports()] == [kept]


def test_pictures_in_a_folder_are_read_where_they_lie(pictures, tmp_path, root, monkeypatch):
    sheet, archive = pictures
    monkeypatch.setenv("FMD_DATA_DIR", str(tmp_path / "public"))
    with ZipFile(archive) as packed:
        packed.extractall(tmp_path / "public" / "mine")  # ours, made above
    (tmp_path / "public" / "empty").mkdir()
    (tmp_path / "public" / "link").symlink_to(tmp_path / "public" / "mine" / "faces")
    found = imports.picture_folders()
    assert list(found) == ["mine/faces"]
    kept = finish_import(begin_import(sheet, None, pictures=found["mine/faces"]), "Mine", SHEET)
    assert len(open_import(kept)) == N
    assert not (root / kept / "pictures").exists()
    delete_import(kept)
    assert len(list(found["mine/faces"].iterdir())) == N  # never ours to delete
