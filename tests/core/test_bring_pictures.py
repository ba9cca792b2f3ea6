"""Pictures as people have them: which row means which picture, what folders and names tell, lists put together."""

import csv
import io
from zipfile import ZIP_STORED, ZipFile, ZipInfo

import numpy as np
import pytest
from PIL import Image

from fmd_core.datasets.own import imports
from fmd_core.datasets.own.archives import names_in_zip, open_zip
from fmd_core.datasets.own.bringing import ListFile, Reading, bring_pictures
from fmd_core.datasets.own.image_folder import FolderImport, open_image_folder
from fmd_core.datasets.own.picture_copies import copy_notes
from fmd_core.datasets.own.picture_lists import list_from_names
from fmd_core.datasets.own.picture_matching import PictureIndex
from fmd_core.datasets.own.sheet_checks import check_sheet
from fmd_core.datasets.own.sniffing import read_table
from fmd_core.datasets.pictures import check_images, read_square
from fmd_core.errors import DataError

N = 60


def matched(cells, files, **options):
    return list(PictureIndex(files, **options).match(cells).files)


def saved(path, header, rows):
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([header, *rows] if header else rows)
    return path


def lists(*paths):
    return [ListFile(path, path.name).read() for path in paths]


def labels(i):
    return ["no", "yes"][i % 2], ["none", "red"][i // 2 % 2]


# --- which row means which picture

DEEP = ["mydata/train/a/1.jpg", "mydata/train/b/1.jpg", "mydata/val/a/1.jpg"]


@pytest.mark.parametrize(
    "prefix",
    [
        "",
        "mydata/",
        "./mydata/",
        "./",
        "/home/anna/mydata/",
        "/data/x/mydata/",
        "C:\\Users\\anna\\mydata\\",
        "..\\mydata\\",
    ],
)
def test_a_row_means_the_picture_whose_path_ends_alike(prefix):
    cells = [prefix + end.removeprefix("mydata/") for end in DEEP]
    if "\\" in prefix:
        cells = [cell.replace("/", "\\") for cell in cells]
    assert matched(cells, DEEP) == DEEP


def test_a_picture_of_another_folder_is_never_taken():
    cells, files = [f"train/{i}.jpg" for i in range(9)], [f"val/{i}.jpg" for i in range(9)]
    found = PictureIndex(files).match(cells)
    assert set(found.files) == {""}
    assert (found.matched, len(found.missing), len(found.unused)) == (0, 9, 9)
    # somebody may say that it is the same folder under another name
    assert matched(cells, files, folders="ignored") == files
    with pytest.raises(DataError, match=r"'maybe' is no way to match folders. Choose one of: agree, ignored"):
        PictureIndex(files, "maybe")


def test_rows_of_several_folders_do_not_share_a_flat_picture():
    assert matched(["train/1.jpg", "val/1.jpg", "train/2.jpg"], ["1.jpg", "2.jpg"]) == ["", "", "2.jpg"]
    assert matched(["train/1.jpg", "1.jpg"], ["1.jpg"]) == ["", "1.jpg"]  # the whole name is sure


def test_a_name_that_ends_several_paths_means_none_of_them():
    assert matched(["1.jpg", "a/1.jpg", "b/1.jpg"], DEEP) == ["", "", "mydata/train/b/1.jpg"]
    assert matched(["1.jpg", "1.jpg"], ["1.jpg", "old/1.jpg"]) == ["1.jpg", "1.jpg"]


@pytest.mark.parametrize(
    ("cell", "file"),
    [
        ("Face.JPG", "face.jpg"),
        ("ISIC_0027419", "x/ISIC_0027419.jpg"),
        ("face.dcm", "face.png"),
        ("1.2.840", "1.2.840.png"),
        ("se\u0301.png", "s\u00e9.png"),
    ],
)
def test_capitals_accents_and_suffixes_may_differ(cell, file):
    assert matched([cell], [file, "other.jpg"]) == [file]


def test_a_picture_is_not_given_to_a_second_row_of_another_suffix():
    assert matched(["1.png", "1.jpg"], ["1.jpg"]) == ["", "1.jpg"]


def test_rows_and_pictures_are_counted_both_ways():
    found = PictureIndex([f"{i}.jpg" for i in range(10)]).match(
        [*(f"{i}.jpg" for i in range(8)), "x.jpg", "0.jpg"]
    )
    assert found.sentence == "9 of 10 rows have a picture; the list names 8 of 10 pictures."
    assert (found.repeated, found.is_doubtful) == (1, True)
    assert found.doubt().startswith(
        "1 row of 10 have no picture, such as 'x.jpg'; 2 pictures of 10 belong to no row"
    )
    few = PictureIndex([f"{i}.jpg" for i in range(199)]).match([f"{i}.jpg" for i in range(200)])
    assert (few.is_doubtful, few.doubt()) == (False, "")  # half a per cent


# --- what folders and names tell


def test_folders_are_labels_and_parts_wherever_the_part_stands():
    above = [
        f"set/{part}/{label}/{i}.jpg"
        for part in ("train", "val", "test")
        for label in ("cat", "dog")
        for i in range(4)
    ]
    below = [
        f"{label}/{part}/{i}.jpg"
        for part in ("Training", "test")
        for label in ("cat", "dog")
        for i in range(4)
    ]
    for files in (above, below):
        brought = bring_pictures([], files, "animals")
        assert (brought.answers.target, brought.answers.split_column) == ("label", "split")
        assert set(brought.sheet.texts("label")) == {"cat", "dog"}
        assert brought.match(brought.answers.file).matched == len(files)
    assert brought.answers.split_values == {"Training": "train", "test": "test"}


def test_two_levels_of_folders_are_two_columns():
    files = [f"{sex}/{mood}/{i}.jpg" for sex in ("f", "m") for mood in ("sad", "glad") for i in range(5)]
    sheet = list_from_names("faces", files)
    assert [c.name for c in sheet.columns] == ["file", "folder 1", "folder 2"]
    assert sheet.column("folder 2").role == "target"


def test_utkface_tells_age_gender_and_race_in_its_names():
    files = [f"UTKFace/{20 + i}_{i % 2}_{i % 5}_2017011617450{i:04}.jpg.chip.jpg" for i in range(N)]
    files[7] = "UTKFace/39_1_20170116174525125.jpg.chip.jpg"  # as three of the real ones
    sheet = bring_pictures([], files, "UTKFace").sheet
    assert sheet.texts("gender")[:2].tolist() == ["male", "female"]
    assert sheet.texts("race")[:5].tolist() == ["White", "Black", "Asian", "Indian", "Other"]
    assert sheet.texts("age")[[3, 7]].tolist() == ["23", ""]
    assert "1 name of another form, read as empty." in sheet.notes


def test_parts_of_names_with_few_values_are_offered_and_numbers_are_not():
    files = [f"{('smile', 'neutral')[i % 2]}_{('f', 'm')[i // 2 % 2]}_{i:04}.png" for i in range(N)]
    sheet = list_from_names("faces", files)
    assert [c.name for c in sheet.columns] == ["file", "part 1 of the name", "part 2 of the name"]
    with pytest.raises(
        DataError, match="Neither the folders nor the names in 'x' tell what the pictures show"
    ):
        list_from_names("x", [f"img_{i:04}.png" for i in range(N)])


def test_parts_that_only_the_folders_of_a_list_tell_are_used(tmp_path):
    rows = [[f"{'val' if i % 3 == 0 else 'train'}/{i}.jpg", *labels(i)] for i in range(N)]
    path = saved(tmp_path / "fairface.csv", ["file", "service", "gender"], rows)
    brought = bring_pictures(lists(path), [f"fairface-025/{row[0]}" for row in rows], "fairface")
    assert brought.answers.split_values == {"train": "train", "val": "validation"}
    # a list that says the same is not said again
    path = saved(
        tmp_path / "f.csv", ["file", "service", "part"], [[r[0], r[1], r[0].split("/")[0]] for r in rows]
    )
    assert [c.name for c in bring_pictures(lists(path), [r[0] for r in rows], "x").sheet.columns] == [
        "file", "service", "part",
    ]  # fmt: skip


# --- lists


def test_the_column_with_file_names_is_the_one_that_names_pictures_that_are_there(tmp_path):
    rows = [[i, f"0{i % 9}.Bird/Bird_{i}.jpg", i % 2, i % 3, f"/o/ocean/{i:08}.jpg"] for i in range(N)]
    path = saved(tmp_path / "metadata.csv", ["img_id", "img_filename", "y", "split", "place_filename"], rows)
    brought = bring_pictures(lists(path), [f"waterbird_1/{row[1]}" for row in rows], "waterbirds")
    assert (brought.answers.file, brought.answers.target) == ("img_filename", "y")
    assert brought.answers.split_values == {"0": "train", "1": "validation", "2": "test"}
    swapped = saved(
        tmp_path / "m.csv", ["place_filename", "img_filename", "y"], [[r[4], r[1], r[2]] for r in rows]
    )
    assert bring_pictures(lists(swapped), [row[1] for row in rows], "w").answers.file == "img_filename"


def test_a_list_without_a_header_and_names_without_a_suffix(tmp_path):
    path = saved(tmp_path / "list.csv", None, [[f"{i:03}.jpg", *labels(i)] for i in range(N)])
    assert lists(path)[0].texts("column 1")[0] == "000.jpg"
    path = saved(
        tmp_path / "ham.csv",
        ["lesion_id", "image_id", "dx"],
        [[f"L{i // 2}", f"ISIC_{i}", "nv"] for i in range(N)],
    )
    assert (
        bring_pictures(lists(path), [f"part/ISIC_{i}.jpg" for i in range(N)], "ham").answers.file
        == "image_id"
    )


def test_lists_of_other_columns_are_joined_by_the_name_of_the_picture(tmp_path):
    one = saved(
        tmp_path / "attr.csv",
        ["image_id", "Smiling", "Male"],
        [[f"{i}.jpg", i % 2 * 2 - 1, 1] for i in range(N)],
    )
    other = saved(
        tmp_path / "parts.csv",
        ["image_id", "partition"],
        [[f"{i}.jpg", i % 3] for i in reversed(range(N - 4))],
    )
    brought = bring_pictures(lists(one, other), [f"img/{i}.jpg" for i in range(N)], "celeba")
    assert brought.sheet.texts("partition")[:4].tolist() == ["0", "1", "2", "0"]
    assert brought.sheet.texts("partition")[-1] == ""
    assert "4 rows of 60 name no picture of 'parts.csv'." in brought.sheet.notes
    strange = saved(tmp_path / "s.csv", ["image_id", "age"], [[f"q{i}.jpg", i] for i in range(N)])
    with pytest.raises(DataError, match="have no column of file names in common"):
        bring_pictures(lists(one, strange), [f"img/{i}.jpg" for i in range(N)], "celeba")


def test_lists_of_the_same_columns_are_put_below_each_other_with_their_part(tmp_path):
    header, sizes = ["file", "race", "gender"], {"train": 40, "val": 20}
    paths = [
        saved(tmp_path / f"label_{part}.csv", header, [[f"{part}_{i}.jpg", *labels(i)] for i in range(n)])
        for part, n in sizes.items()
    ]
    brought = bring_pictures(
        lists(*paths), [f"{p}_{i}.jpg" for p, n in (("train", 40), ("val", 20)) for i in range(n)], "f"
    )
    assert (len(brought.sheet), brought.answers.split_column) == (60, "split")
    assert brought.sheet.texts("split").tolist() == ["train"] * 40 + ["val"] * 20


def test_one_answer_in_several_columns_becomes_one(tmp_path):
    kinds = ["MEL", "NV", "BCC"]
    rows = [
        [f"{i}.jpg", *(int(i % 3 == k) for k in range(3)), int(i % 2 == 0), int(i % 2), i % 2, (i + 1) % 2]
        for i in range(N)
    ]
    header = ["image", *kinds, "sex_f", "sex_m", "ill", "healthy_lung"]
    brought = bring_pictures(
        lists(saved(tmp_path / "t.csv", header, rows)), [f"{i}.jpg" for i in range(N)], "ham"
    )
    assert brought.sheet.texts("label")[:3].tolist() == kinds
    assert brought.sheet.texts("sex")[:2].tolist() == ["f", "m"]
    assert "ill" in [c.name for c in brought.sheet.columns]  # two columns of two names stay two
    assert brought.answers.target == "label"
    kept = bring_pictures(lists(tmp_path / "t.csv"), [f"{i}.jpg" for i in range(N)], "ham", fold=False)
    assert [c.name for c in kept.sheet.columns] == header


def test_columns_that_overlap_in_one_row_are_not_one_answer(tmp_path):
    rows = [[f"{i}.jpg", *(int(i % 3 == k) for k in range(3))] for i in range(N)]
    rows[5][1] = rows[5][2] = 1
    brought = bring_pictures(
        lists(saved(tmp_path / "t.csv", ["image", "a", "b", "c"], rows)), [r[0] for r in rows], "x"
    )
    assert brought.one_hot == ()


# --- opened


@pytest.fixture
def folder(tmp_path):
    made, rng = tmp_path / "faces", np.random.default_rng(0)
    made.mkdir()
    for i in range(N):
        art = rng.integers(0, 255, (6, 6, 3)).astype("uint8")
        Image.fromarray(art).resize((24, 24), Image.Resampling.BICUBIC).save(made / f"{i}.png")
    return made


def answers(**more):
    return FolderImport("smile", {"hat": "values"}, file="file", size=16, **more)


def test_more_than_one_row_in_a_hundred_without_a_picture_has_to_be_said(tmp_path, folder):
    rows = [[f"{i}.png", *labels(i)] for i in range(N + 4)]
    sheet = read_table(saved(tmp_path / "s.csv", ["file", "smile", "hat"], rows))
    with pytest.raises(
        DataError, match=r"^4 rows of 64 have no picture, such as '60.png'; .* to be skipped\.$"
    ):
        open_image_folder(folder, sheet, answers())
    data = open_image_folder(folder, sheet, answers(without_picture="skip"))
    assert len(data) == N
    assert "4 rows skipped: the picture is missing ('60.png')." in data.notes


def test_answers_of_before_know_nothing_of_folders_and_rows_without_a_picture():
    saved_before = {
        k: v
        for k, v in answers().to_dict().items()
        if k not in ("folders", "without_picture", "limits", "cut")
    }
    assert FolderImport.from_dict(saved_before) == answers()
    assert FolderImport.from_dict(answers(folders="ignored").to_dict()).folders == "ignored"


@pytest.mark.parametrize("suffix", ["bmp", "tif", "webp"])
def test_bmp_tiff_and_webp_are_read(tmp_path, suffix):
    Image.new("RGB", (30, 30), (200, 10, 10)).save(tmp_path / f"a.{suffix}")
    assert np.abs(read_square(tmp_path / f"a.{suffix}", 16)[8, 8].astype(int) - [200, 10, 10]).max() < 8
    with ZipFile(tmp_path / "p.zip", "w", ZIP_STORED) as archive:
        archive.write(tmp_path / f"a.{suffix}", f"x/a.{suffix}")
    assert list(open_zip(tmp_path / "p.zip", tmp_path / "out").files) == [f"x/a.{suffix}"]


def test_backslashes_in_an_archive_are_folders(tmp_path):
    picture = io.BytesIO()
    Image.new("RGB", (8, 8)).save(picture, "PNG")
    with ZipFile(tmp_path / "p.zip", "w") as archive:
        for name in ("set\\train\\1.png", "set\\val\\1.png"):
            entry = ZipInfo("x")
            entry.filename = name
            archive.writestr(entry, picture.getvalue())
    assert names_in_zip(tmp_path / "p.zip") == ("set/train/1.png", "set/val/1.png")
    assert set(open_zip(tmp_path / "p.zip", tmp_path / "out").files) == {"set/train/1.png", "set/val/1.png"}


def test_twelve_bits_in_sixteen_are_scaled_by_the_range_of_the_set(tmp_path):
    for i in range(N):
        art = np.full((12, 12), 40 * i, "uint16")
        art[0, 0] = 0 if i == 0 else 4095 if i == 1 else 40 * i
        Image.fromarray(art).save(tmp_path / f"{i}.png")
    rows = [[f"{i}.png", *labels(i)] for i in range(N)]
    sheet = read_table(saved(tmp_path / "s.csv", ["file", "smile", "hat"], rows))
    data = open_image_folder(tmp_path, sheet, answers())
    seen = data.source.read(np.array([0, 30, 59]))[:, 8, 8, 0]
    assert seen.tolist() == [0, round(1200 / 4095 * 255), round(2360 / 4095 * 255)]
    assert data.source.display(59)[8, 8, 0] == seen[2]  # a person sees what the model sees
    assert (
        "Pictures of more than 8 bits hold values from 0 to 4,095: these are black and white here."
        in data.notes
    )
    assert check_images({"1.png": tmp_path / "1.png"}).depth == (40.0, 4095.0)


def test_copies_that_were_saved_again_are_counted_across_parts(tmp_path, folder):
    parts, rows = ["train", "test"], []
    for i in range(N):
        rows.append([f"{i}.png", *labels(i // 2), parts[i % 2]])
    for i in range(3):  # a test picture that is a training picture, as a JPEG of another size
        with Image.open(folder / f"{2 * i}.png") as picture:
            picture.resize((36, 36), Image.Resampling.BICUBIC).save(folder / f"copy{i}.jpg", quality=92)
        rows.append([f"copy{i}.jpg", *labels(i), "test"])
    sheet = read_table(saved(tmp_path / "s.csv", ["file", "smile", "hat", "part"], rows))
    data = open_image_folder(
        folder, sheet, answers(split_column="part", split_values={"train": "train", "test": "test"})
    )
    assert any(
        note.startswith("3 of 33 test pictures look the same as one outside the test") for note in data.notes
    )


def test_plain_pictures_are_no_copies_of_each_other():
    thumbs, split = np.full((8, 16, 16, 3), 120, "uint8"), np.array(["train", "test"] * 4)
    assert copy_notes([str(i) for i in range(8)], thumbs, split) == []


def test_all_pictures_of_a_lesion_are_in_one_part(tmp_path, folder):
    rows = [[f"{i}.png", *labels(i // 2), f"HAM_{i // 2:05}"] for i in range(N)]
    path = saved(tmp_path / "s.csv", ["file", "smile", "hat", "lesion_id"], rows)
    sheet = read_table(path)
    assert check_sheet(sheet, ["smile", "hat"]).persons == "lesion_id"
    data = open_image_folder(folder, sheet, answers(person="lesion_id"))
    assert all(len(set(data.split[data.persons == who])) == 1 for who in np.unique(data.persons))


# --- kept


def test_an_import_of_several_lists_opens_again_as_it_was_read(tmp_path, folder, monkeypatch):
    monkeypatch.setenv("FMD_HOME", str(tmp_path / "home"))
    one = saved(tmp_path / "a.csv", ["file", "smile"], [[f"{i}.png", labels(i)[0]] for i in range(N)])
    other = saved(tmp_path / "b.csv", ["file", "hat"], [[f"{i}.png", labels(i)[1]] for i in range(N)])
    reading = Reading((ListFile(one, "a.csv"), ListFile(other, "b.csv")), "faces")
    begun = imports.begin_import(None, None, pictures=folder, reading=reading)
    kept = imports.finish_import(begun, "faces", answers())
    one.unlink()
    data = imports.open_import(kept)
    assert (len(data), list(data.attributes)) == (N, ["hat"])
    assert imports.sheet_of(kept).notes == ("'a.csv' and 'b.csv' were joined by the name of the picture.",)
    again = imports.answer_again(kept, answers(seed=1))
    assert len(imports.open_import(again)) == N
    (begun / "reading.json").write_text(
        '{"lists": [{"file": "../x.csv", "name": "x", "said": {}}], "name": "", "fold": true}'
    )
    with pytest.raises(DataError, match="How this import is read is damaged; import the data again"):
        imports.open_import(kept)


def test_a_zip_alone_is_enough_where_folders_tell_all(tmp_path, monkeypatch):
    monkeypatch.setenv("FMD_HOME", str(tmp_path / "home"))
    with ZipFile(tmp_path / "faces.zip", "w") as archive:
        for i in range(N):
            picture = io.BytesIO()
            Image.new("RGB", (8, 8), (i, 0, 0)).save(picture, "PNG")
            archive.writestr(
                f"faces/{('f', 'm')[i % 2]}/{('sad', 'glad')[i // 2 % 2]}/{i}.png", picture.getvalue()
            )
    names = names_in_zip(tmp_path / "faces.zip")
    brought = bring_pictures([], names, "faces")
    told = FolderImport("folder 2", {"folder 1": "values"}, file=brought.answers.file, size=16)
    begun = imports.begin_import(None, tmp_path / "faces.zip", reading=Reading((), "faces"))
    data = imports.open_import(imports.finish_import(begun, "faces", told))
    assert (len(data), data.target.levels) == (N, ("glad", "sad"))
