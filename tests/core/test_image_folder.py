"""Folders and zips of pictures with a sheet: matching, cropping, turning, reading in batches."""

import json
from dataclasses import replace
from zipfile import ZipFile

import numpy as np
import pytest
from PIL import Image

from fmd_core.data import SPLITS
from fmd_core.datasets.own import image_folder
from fmd_core.datasets.own.archives import list_images, open_zip
from fmd_core.datasets.own.image_folder import FolderImport, open_image_folder, suggest_folder
from fmd_core.datasets.own.sniffing import read_table
from fmd_core.datasets.pictures import check_images, read_square, read_whole
from fmd_core.errors import DataError

N = 60
ANSWERS = FolderImport(target="smile", protected={"hat": "values"}, file="file", size=16)


def paint(path, color, size=(24, 30), **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, color).save(path, **options)


def painted(folder, n=N):
    """n pictures, each in a colour of its own; returns the rows of their sheet."""
    rows = []
    for i in range(n):
        paint(folder / f"{i:03d}.png", (i, 255 - i, 7))
        rows.append([f"{i:03d}.png", ("no", "yes")[i % 2], ("none", "red")[i // 2 % 2]])
    return rows


def sheet_of(path, rows, header=("file", "smile", "hat")):
    path.write_text("\n".join(",".join(row) for row in [header, *rows]))
    return read_table(path)


@pytest.fixture
def folder(tmp_path):
    painted(tmp_path / "faces")
    return tmp_path / "faces"


@pytest.fixture
def sheet(tmp_path, folder):
    return sheet_of(tmp_path / "faces.csv", painted(folder))


# --- a folder


def test_a_folder_becomes_a_data_set_that_reads_what_is_in_the_files(folder, sheet):
    data = open_image_folder(folder, sheet, ANSWERS)
    assert (len(data), data.pair_method, data.unit, data.source.kind) == (N, "matched", "image", "image")
    assert {s: len(data.rows(s)) for s in SPLITS} == {"train": 36, "external": 6, "validation": 6, "test": 12}
    rows = np.array([41, 3])
    images = data.source.read(rows)
    assert (images.shape, images.dtype) == ((2, 16, 16, 3), np.uint8)
    np.testing.assert_array_equal(images[:, 8, 8], [[41, 214, 7], [3, 252, 7]])
    assert [data.target.levels[c] for c in data.target.codes[:2]] == ["no", "yes"]
    assert [data.attribute("hat").levels[c] for c in data.attribute("hat").codes[[1, 2]]] == ["none", "red"]


def test_pictures_are_read_when_asked_for_not_before(folder, sheet, monkeypatch):
    seen = []
    data = open_image_folder(folder, sheet, ANSWERS)
    monkeypatch.setattr(
        image_folder,
        "read_square",
        lambda path, size, _depth: seen.append(path.name) or np.zeros((size, size, 3)),
    )
    data.source.read(np.array([2, 5]))
    assert seen == ["002.png", "005.png"]


def test_no_rows_are_read_as_no_pictures(folder, sheet):
    assert open_image_folder(folder, sheet, ANSWERS).source.read(np.array([], int)).shape == (0, 16, 16, 3)


def test_twins_of_photographs_are_matched(folder, sheet):
    source = open_image_folder(folder, sheet, ANSWERS).source
    for ask in (
        lambda: source.counterfactual(np.array([0]), "hat", np.array([1])),
        lambda: source.display(0, "hat", 1),
    ):
        with pytest.raises(
            DataError, match="cannot be taken again with another 'hat': its twins are real pictures"
        ):
            ask()


def test_progress_is_told_to_the_end(folder, sheet):
    told = []
    open_image_folder(folder, sheet, ANSWERS, told.append)
    assert told[-1] == 1


def test_the_fingerprint_follows_the_pictures_and_the_size(folder, sheet):
    first = open_image_folder(folder, sheet, ANSWERS).fingerprint
    assert open_image_folder(folder, sheet, ANSWERS).fingerprint == first
    assert open_image_folder(folder, sheet, replace(ANSWERS, size=32)).fingerprint != first
    paint(folder / "000.png", "white")
    assert open_image_folder(folder, sheet, ANSWERS).fingerprint != first


def test_a_picture_that_vanishes_later_is_named(folder, sheet):
    source = open_image_folder(folder, sheet, ANSWERS).source
    (folder / "004.png").unlink()
    with pytest.raises(DataError, match=r"The picture '004.png' cannot be used .*; import the data again"):
        source.read(np.array([4]))


@pytest.mark.parametrize(
    "cell", ["{}.png", "faces/{}.png", "faces\\{}.png", "/home/me/{}.PNG", "{}", "{}.jpg"]
)
def test_file_names_are_matched_with_folders_capitals_or_other_suffixes(tmp_path, folder, cell):
    rows = [[cell.format(row[0][:3]), *row[1:]] for row in painted(folder)]
    data = open_image_folder(folder, sheet_of(tmp_path / "s.csv", rows), ANSWERS)
    assert len(data) == N
    np.testing.assert_array_equal(data.source.read(np.array([9]))[0, 0, 0], [9, 246, 7])


def test_a_name_that_fits_two_files_fits_none(tmp_path):
    for side in ("a", "b"):
        paint(tmp_path / "faces" / side / "1.png", "red")
    rows = [[f"{i}.png", ("no", "yes")[i % 2], ("none", "red")[i // 2 % 2]] for i in range(40)]
    with pytest.raises(DataError, match=r"No picture is left. 'file' names 0.png; the folder holds a/1.png"):
        open_image_folder(tmp_path / "faces", sheet_of(tmp_path / "s.csv", rows), ANSWERS)


def test_suggestions_and_answers_survive_json(folder, sheet):
    settings = suggest_folder(sheet)
    assert settings.file == "file"
    full = replace(ANSWERS, size=48, seed=2)
    assert FolderImport.from_dict(json.loads(json.dumps(full.to_dict()))) == full
    assert (
        len(open_image_folder(folder, sheet, replace(settings, target="smile", protected={"hat": "values"})))
        == N
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [({"file": ""}, "No column with file names is chosen"), ({"file": "f"}, "There is no column 'f'")],
)
def test_answers_that_do_not_fit_are_refused(folder, sheet, options, message):
    with pytest.raises(DataError, match=message):
        open_image_folder(folder, sheet, replace(ANSWERS, **options))
    with pytest.raises(DataError, match="Pictures of 9000 pixels cannot be used; choose 16 to 512"):
        replace(ANSWERS, size=9000)


def test_folders_without_pictures_are_refused(tmp_path):
    with pytest.raises(DataError, match="There is no folder"):
        list_images(tmp_path / "nowhere")
    (tmp_path / "note.txt").write_text("x")
    with pytest.raises(DataError, match="holds no picture"):
        list_images(tmp_path)


# --- one picture


def test_the_middle_square_is_taken(tmp_path):
    wide = np.zeros((20, 60, 3), "uint8")
    wide[:, 20:40] = 200
    Image.fromarray(wide).save(tmp_path / "wide.png")
    assert (read_square(tmp_path / "wide.png", 20) == 200).all()


def test_a_person_sees_the_whole_picture_no_larger_than_it_is(tmp_path):
    paint(tmp_path / "large.jpg", "red", size=(900, 600))
    paint(tmp_path / "small.png", "red", size=(40, 30))
    assert read_whole(tmp_path / "large.jpg", 320).shape == (213, 320, 3)
    assert read_whole(tmp_path / "small.png", 320).shape == (30, 40, 3)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_camera_held_sideways_is_undone(tmp_path, orientation):
    from PIL import ImageOps

    art = np.zeros((8, 8, 3), "uint8")
    art[:4, :4, 0], art[:4, 4:, 1], art[4:, :4, 2] = 255, 255, 255
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(art).save(tmp_path / "turned.png", exif=exif)
    with Image.open(tmp_path / "turned.png") as picture:
        expected = np.asarray(ImageOps.exif_transpose(picture))
    np.testing.assert_array_equal(read_square(tmp_path / "turned.png", 8), expected)


def test_a_large_jpeg_is_much_like_its_full_decoding(tmp_path):
    ramp = np.linspace(0, 255, 1024).astype("uint8")
    art = np.stack(np.broadcast_arrays(ramp[:, None], ramp[None], np.uint8(90)), axis=-1)
    Image.fromarray(art).save(tmp_path / "ramp.jpg", quality=95)
    Image.fromarray(art).save(tmp_path / "ramp.png")
    difference = read_square(tmp_path / "ramp.jpg", 64).astype(int) - read_square(tmp_path / "ramp.png", 64)
    assert np.abs(difference).max() <= 4


def test_transparent_parts_are_white_and_16_bits_are_scaled(tmp_path):
    Image.new("RGBA", (8, 8), (255, 0, 0, 0)).save(tmp_path / "clear.png")
    Image.fromarray(np.full((8, 8), 0x8000, "uint16")).save(tmp_path / "deep.png")
    assert (read_square(tmp_path / "clear.png", 8) == 255).all()
    assert (read_square(tmp_path / "deep.png", 8) == 128).all()


def test_a_check_counts_and_never_raises(tmp_path):
    paint(tmp_path / "good.webp", "red")
    (tmp_path / "bad.jpg").write_bytes(b"not a picture")
    told = []
    check = check_images(
        {name: tmp_path / name for name in ("good.webp", "bad.jpg", "gone.png")}, told.append
    )
    assert set(check.digests) == {"good.webp"}
    assert (
        check.unusable["bad.jpg"]
        == check.unusable["gone.png"]
        == "damaged, or not a JPEG, PNG, WebP, BMP or TIFF picture"
    )
    assert told == [1]


# --- a zip


def test_a_zip_opens_like_the_folder_that_it_was(tmp_path, folder, sheet):
    with ZipFile(tmp_path / "faces.zip", "w") as archive:
        archive.write(folder, "faces")
        for path in sorted(folder.iterdir()):
            archive.write(path, f"faces/{path.name}")
    extracted = open_zip(tmp_path / "faces.zip", tmp_path / "out")
    assert extracted.skipped == {}
    assert list_images(tmp_path / "out") == extracted.files  # also after a restart
    data = open_image_folder(extracted.folder, sheet, ANSWERS)
    whole = open_image_folder(folder, sheet, ANSWERS)
    np.testing.assert_array_equal(data.source.read(np.arange(N)), whole.source.read(np.arange(N)))
    assert data.fingerprint == whole.fingerprint


def test_a_cancelled_unpacking_leaves_nothing(tmp_path, folder):
    with ZipFile(tmp_path / "faces.zip", "w") as archive:
        archive.write(folder / "000.png", "a.png")

    def cancel(_share):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        open_zip(tmp_path / "faces.zip", tmp_path / "out", cancel)
    assert not (tmp_path / "out").exists()


def test_a_zip_is_not_unpacked_over_something(tmp_path, folder):
    with pytest.raises(DataError, match="exists already"):
        open_zip(tmp_path / "faces.zip", folder)


@pytest.mark.parametrize("names", ["[1]", '{"a": "../secret.png"}', '{"a": 1}', "{", '{"a": "000000.exe"}'])
def test_a_forged_list_of_names_leads_nowhere(tmp_path, folder, names):
    paint(tmp_path / "secret.png", "red")
    (folder / "names.json").write_text(names)
    assert set(list_images(folder).values()) == set(folder.glob("*.png"))
