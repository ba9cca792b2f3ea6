"""CelebA: the official layout, whole or in part, and every way in which a download goes wrong."""

import gzip
import sys
from itertools import product
from types import ModuleType

import numpy as np
import pytest
from PIL import Image

from fmd_core.data import SPLITS
from fmd_core.datasets.public.celeba import celeba_attributes, download_celeba, load_celeba, pictures
from fmd_core.datasets.public.celeba.lists import ATTRIBUTES, IDENTITIES, PARTITION, PICTURES
from fmd_core.errors import DataError
from fmd_core.home import data_folder

NAMES = ("5_o_Clock_Shadow", "Blond_Hair", "Male", "No_Beard", "Wearing_Hat")
QUOTA = "<!DOCTYPE html><html><head><title>Google Drive - Quota exceeded</title></head><body/></html>"
REAL = data_folder() / "celeba"
real = pytest.mark.skipif(not (REAL / ATTRIBUTES).exists(), reason="no CelebA in the data folder")

# (part, person): persons 1-4 train, 11-14 valid with two faces each, 21-22 test
FACES = [(0, 1), (0, 2), (0, 3), (0, 4)] * 3 + [(1, 11), (1, 12), (1, 13), (1, 14)] * 2 + [(2, 21), (2, 22)]


def write_celeba(folder, faces=FACES, *, newline="\r\n", size=(178, 218)):
    """A small copy of the official layout; bit k of a face's number says whether it has attribute k."""
    (folder / PICTURES).mkdir(parents=True, exist_ok=True)
    names = [f"{i + 1:06d}.jpg" for i in range(len(faces))]
    signs = [["1" if i >> k & 1 else "-1" for k in range(len(NAMES))] for i in range(len(faces))]
    rows = [f"{name}  {'  '.join(sign)}" for name, sign in zip(names, signs, strict=True)]
    lists = {
        ATTRIBUTES: [str(len(faces)), " ".join(NAMES) + " ", *rows],
        PARTITION: [f"{name} {part}" for name, (part, _) in zip(names, faces, strict=True)],
        IDENTITIES: [f"{name} {person}" for name, (_, person) in zip(names, faces, strict=True)],
    }
    for file, lines in lists.items():
        (folder / file).write_bytes((newline.join(lines) + newline).encode())
    for i, name in enumerate(names):
        Image.new("RGB", size, (i * 9, 100, 200)).save(folder / PICTURES / name)
    return folder


@pytest.fixture
def folder(tmp_path):
    return write_celeba(tmp_path / "celeba")


def counts(dataset):
    return {split: int((dataset.split == split).sum()) for split in SPLITS}


def noted(dataset, words):
    return [note for note in dataset.notes if words in note]


def refused(folder, *words, **options):
    with pytest.raises(DataError) as caught:
        load_celeba(folder, **options)
    for word in words:
        assert word in str(caught.value)


# --- what is read


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_the_official_layout(tmp_path, newline):
    dataset = load_celeba(write_celeba(tmp_path, newline=newline))
    assert counts(dataset) == {"train": 12, "external": 4, "validation": 4, "test": 2}
    assert dataset.target.name == "blond hair"
    assert dataset.target.levels == ("not blond hair", "blond hair")
    assert dataset.target.codes.tolist() == [i >> 1 & 1 for i in range(22)]
    assert list(dataset.attributes) == ["male"]
    assert dataset.attribute("male").codes.tolist() == [i >> 2 & 1 for i in range(22)]
    assert (dataset.pair_method, dataset.unit, dataset.source.kind) == ("matched", "face", "image")
    assert dataset.fingerprint == load_celeba(write_celeba(tmp_path, newline="\n")).fingerprint
    assert not noted(dataset, "left out")


def test_every_attribute_can_be_target_and_protected(folder):
    for target, other in product(NAMES, NAMES):
        if target != other:
            dataset = load_celeba(folder, target=target, protected=[other])
            assert dataset.target.codes.tolist() == [i >> NAMES.index(target) & 1 for i in range(22)]
    every = load_celeba(folder, target="Male", protected=[n for n in NAMES if n != "Male"])
    assert [c.levels for c in every.attributes.values()] == [
        ("no 5 o clock shadow", "5 o clock shadow"),
        ("not blond hair", "blond hair"),
        ("beard", "no beard"),
        ("not wearing hat", "wearing hat"),
    ]
    assert celeba_attributes(folder) == NAMES


@pytest.mark.parametrize("spelling", ["Wearing_Hat", "wearing hat", "WEARING_HAT", " wearing  hat"])
def test_attributes_go_by_any_spelling(folder, spelling):
    assert list(load_celeba(folder, protected=[spelling, "Wearing_Hat"]).attributes) == ["wearing hat"]
    assert list(load_celeba(folder, protected=spelling).attributes) == ["wearing hat"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"target": "Blnd_Hair"}, ("no attribute 'Blnd_Hair'", "Close to it: Blond_Hair.")),
        ({"protected": ["Zebra"]}, ("no attribute 'Zebra'", "There are: 5_o_Clock_Shadow, Blond_Hair")),
        ({"target": "male"}, ("'Male' cannot be target and protected",)),
        ({"protected": []}, ("No protected attribute",)),
        ({"size": 4}, ("Faces of 4 pixels", "8 to 512")),
        ({"size": 5000}, ("Faces of 5000 pixels",)),
    ],
)
def test_choices_that_cannot_be(folder, options, words):
    refused(folder, *words, **options)


@pytest.mark.parametrize("size", [(178, 218), (89, 109), (40, 30), (9, 700), (500, 500)])
def test_any_picture_size(tmp_path, size):
    source = load_celeba(write_celeba(tmp_path, FACES[:2] + FACES[-2:], size=size), size=32).source
    faces = source.read(np.array([3, 0, 0]))
    assert faces.shape == (3, 32, 32, 3)
    assert faces.dtype == np.uint8
    assert np.abs(faces.astype(int) - [[[[27, 100, 200]]], [[[0, 100, 200]]], [[[0, 100, 200]]]]).max() <= 3
    assert source.display(1).shape == (size[1], size[0], 3)


def test_the_model_sees_the_middle_square_and_people_the_whole(folder):
    face = np.full((218, 178, 3), 250, "uint8")
    face[20:198] = (10, 200, 30)
    Image.fromarray(face).save(folder / PICTURES / "000003.jpg", "PNG")  # named .jpg: the content counts
    source = load_celeba(folder).source
    assert (source.read(np.array([2]))[0] == (10, 200, 30)).all()
    assert np.array_equal(source.display(2), face)


def test_grey_transparent_and_png_pictures_are_faces_too(folder):
    Image.new("L", (178, 218), 90).save(folder / PICTURES / "000001.jpg")
    Image.new("RGBA", (178, 218), (1, 2, 3, 0)).save(folder / PICTURES / "000002.png")
    (folder / PICTURES / "000002.jpg").unlink()
    faces = load_celeba(folder, size=8).source.read(np.array([0, 1]))
    assert faces[:, 0, 0].tolist() == [[90, 90, 90], [1, 2, 3]]


def test_quick_decoding_shows_the_same_face(folder):
    rng = np.random.default_rng(0)
    smooth = Image.fromarray(rng.integers(0, 255, (9, 7, 3), "uint8")).resize((712, 872), 3)
    smooth.save(folder / PICTURES / "000001.jpg", quality=95)
    exact = smooth.crop((0, 80, 712, 792)).resize((64, 64), Image.Resampling.BILINEAR)
    face = load_celeba(folder).source.read(np.array([0]))[0]
    assert np.abs(face.astype(int) - np.asarray(exact)).mean() < 2


def test_pictures_are_opened_only_when_asked_for(folder, monkeypatch):
    opened, really = [], Image.open
    monkeypatch.setattr(Image, "open", lambda path, **kw: opened.append(path.name) or really(path, **kw))
    dataset = load_celeba(folder)
    assert dataset.fingerprint
    assert opened == []
    many = dataset.source.read(np.array([5, 2]))
    assert opened == ["000006.jpg", "000003.jpg"]
    assert np.array_equal(many[1], dataset.source.read(np.array([2]))[0])


def test_photographs_have_no_drawn_twins(folder):
    source = load_celeba(folder).source
    with pytest.raises(DataError, match="cannot be redrawn with another 'male'"):
        source.counterfactual(np.array([0]), "male", np.array([1]))
    with pytest.raises(DataError, match="use twins that are matched"):
        source.display(0, "male", 1)


def test_the_fingerprint_tells_what_the_model_reads(folder):
    first = load_celeba(folder)
    hat = load_celeba(folder, target="Wearing_Hat")
    assert first.fingerprint != hat.fingerprint
    assert first.source.fingerprint == hat.source.fingerprint  # the same faces: features can be reused
    assert first.source.fingerprint != load_celeba(folder, size=32).source.fingerprint
    Image.new("RGB", (178, 218), "white").save(folder / PICTURES / "000001.jpg", quality=20)
    assert first.source.fingerprint != load_celeba(folder).source.fingerprint


# --- subsets


def test_a_subset_of_the_pictures(folder):
    for name in ("000002.jpg", "000022.jpg"):
        (folder / PICTURES / name).unlink()
    (folder / PICTURES / "000004.jpg").write_bytes(b"")
    Image.new("RGB", (9, 9)).save(folder / PICTURES / "900000.jpg")
    (folder / PICTURES / "Thumbs.db").write_bytes(b"x")
    dataset = load_celeba(folder)
    assert counts(dataset) == {"train": 10, "external": 4, "validation": 4, "test": 1}
    assert dataset.source.files[:2].tolist() == ["000001.jpg", "000003.jpg"]
    assert dataset.target.codes[:2].tolist() == [0, 1]
    assert noted(dataset, "2 of 22 listed faces have no picture here")
    assert noted(dataset, "1 picture files are empty")
    assert noted(dataset, f"1 pictures were left out because '{ATTRIBUTES}' does not list them")


def test_faces_that_another_list_does_not_name_are_left_out(folder):
    for name, start in ((PARTITION, 1), (IDENTITIES, 2)):  # the first faces are gone from each
        lines = (folder / name).read_text().splitlines()
        (folder / name).write_text("\n".join(lines[start:][::-1]))
    dataset = load_celeba(folder)
    assert counts(dataset)["train"] == 10
    assert noted(dataset, "2 faces were left out: the lists of splits and persons")


def test_nothing_in_common(folder):
    lines = [line.replace("0000", "9999") for line in (folder / PARTITION).read_text().splitlines()]
    (folder / PARTITION).write_text("\n".join(lines))
    refused(folder, "None of the pictures")


# --- persons


def people_by_split(dataset, faces=FACES):
    person = np.array([faces[int(name[:6]) - 1][1] for name in dataset.source.files])
    return [set(person[dataset.split == split]) for split in SPLITS]


def test_validation_is_halved_by_person(folder):
    dataset = load_celeba(folder)
    groups = people_by_split(dataset)
    assert sum(len(group) for group in groups) == len(set.union(*groups))
    assert groups[1] | groups[2] == {11, 12, 13, 14}
    assert (load_celeba(folder).split == dataset.split).all()
    assert noted(dataset, "halved by person")


@pytest.mark.parametrize(
    ("faces", "left", "kept"),
    [
        ([(0, 1), (0, 7), (1, 11), (1, 12), (2, 7)], 1, ["000001", "000003", "000004", "000005"]),
        ([(0, 1), (0, 7), (1, 7), (1, 12), (2, 21)], 1, ["000001", "000003", "000004", "000005"]),
        ([(0, 7), (0, 1), (1, 7), (1, 12), (1, 13), (2, 7)], 2, ["000002", "000004", "000005", "000006"]),
    ],
)
def test_a_person_is_kept_where_the_model_is_judged(tmp_path, faces, left, kept):
    dataset = load_celeba(write_celeba(tmp_path, faces))
    assert [name[:6] for name in dataset.source.files] == kept
    assert noted(dataset, f"{left:,} faces were left out: the same person")


def test_without_identities_it_goes_on_and_says_so(folder):
    (folder / IDENTITIES).unlink()
    dataset = load_celeba(folder)
    assert counts(dataset) == {"train": 12, "external": 4, "validation": 4, "test": 2}
    assert noted(dataset, f"'{IDENTITIES}' is missing")


# --- broken files


@pytest.mark.parametrize("name", [ATTRIBUTES, PARTITION, IDENTITIES])
def test_a_quota_page_saved_as_a_list(folder, name):
    (folder / name).write_text("\ufeff\n " + QUOTA)
    refused(folder, f"'{name}' is a web page", "Google Drive", "download it again another day")


@pytest.mark.parametrize("name", [ATTRIBUTES, PARTITION])
def test_a_missing_list(folder, name):
    (folder / name).unlink()
    refused(folder, f"'{name}' is missing", "official files")


@pytest.mark.parametrize(
    ("name", "old", "new", "words"),
    [
        (ATTRIBUTES, "22", "202599", "announces 202,599 faces but lists 22"),
        (ATTRIBUTES, "22", "image_id,Male", "starts with 'image_id,Male'"),
        (ATTRIBUTES, "Male", "Blond_Hair", "a line of attribute names"),
        (ATTRIBUTES, "000022.jpg  1  -1  1  -1  1", "000022.jpg  1  -1", "shorter than the others"),
        (ATTRIBUTES, "000022.jpg  1  -1  1", "000022.jpg  1  yes  1", "the value 'yes' where CelebA has 1 or -1"),
        (ATTRIBUTES, "000022.jpg", "000021.jpg", "lists a face more than once"),
        (PARTITION, "000022.jpg 2", "000022.jpg test", "has 'test' in place of a number"),
        (PARTITION, "000022.jpg 2", "000022.jpg -1", "has '-1' in place of a number"),
        (PARTITION, "000022.jpg 2", "000022.jpg 3", "has part 3"),
        (PARTITION, "000022.jpg 2", "000022.jpg", "shorter than the others"),
        (IDENTITIES, "000022.jpg 22", "000022.jpg 99999999999999999999", "in place of a number"),
    ],
)  # fmt: skip
def test_a_broken_list(folder, name, old, new, words):
    text = (folder / name).read_text()
    assert old in text
    (folder / name).write_text(text.replace(old, new, 1))
    refused(folder, f"'{name}'", words)


def test_a_list_of_bytes_that_are_no_text(folder):
    text = (folder / ATTRIBUTES).read_bytes().replace(b"000022.jpg", b"\xff\xfe\x00.jpg")
    (folder / ATTRIBUTES).write_bytes(text)
    assert noted(load_celeba(folder), "1 of 22 listed faces have no picture")


def test_an_empty_list(folder):
    (folder / PARTITION).write_text("\n\n")
    refused(folder, f"'{PARTITION}' lists no faces")


def test_a_quota_page_saved_as_a_picture(folder):
    (folder / PICTURES / "000002.jpg").write_text(QUOTA)
    refused(folder, "'000002.jpg' is a web page")


def test_a_broken_picture_is_named_when_it_is_read(folder, monkeypatch):
    source = load_celeba(folder).source
    (folder / PICTURES / "000002.jpg").write_text(QUOTA)
    noise = np.random.default_rng(0).integers(0, 255, (218, 178, 3), "uint8")
    Image.fromarray(noise).save(folder / PICTURES / "000003.jpg")
    whole = (folder / PICTURES / "000003.jpg").read_bytes()
    (folder / PICTURES / "000003.jpg").write_bytes(whole[: len(whole) // 2])
    (folder / PICTURES / "000004.jpg").write_bytes(b"GIF89a" + bytes(50))
    (folder / PICTURES / "000005.jpg").unlink()
    for row, words in enumerate(["a web page", "damaged", "damaged", "gone"], start=1):
        with pytest.raises(DataError, match=f"00000{row + 1}.jpg' is {words}"):
            source.read(np.array([0, row]))
        with pytest.raises(DataError, match=words):
            source.display(row)
    monkeypatch.setattr(pictures, "MAX_PIXELS", 1000)
    with pytest.raises(DataError, match=r"000001.jpg' has more than .* pixels"):
        source.read(np.array([0]))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)  # Pillow's own alarm, an error from twice that
    with pytest.raises(DataError, match="pixels"):
        source.read(np.array([0]))


def test_pictures_that_are_not_there(folder):
    (folder / PICTURES).rename(folder / "elsewhere")
    refused(folder, f"'{PICTURES}' with CelebA's pictures is missing; download CelebA first")
    (folder / f"{PICTURES}.zip").write_text(QUOTA)
    refused(folder, f"'{PICTURES}.zip' is a web page")
    (folder / f"{PICTURES}.zip").write_bytes(b"PK\3\4")
    refused(folder, f"unpack '{PICTURES}.zip' first")
    (folder / PICTURES / PICTURES).mkdir(parents=True)
    refused(folder, "one folder deeper?")


# --- download


@pytest.fixture
def torchvision(monkeypatch):
    """A torchvision whose CelebA does what the test says, on the instance it is given."""
    package, datasets = ModuleType("torchvision"), ModuleType("torchvision.datasets")

    class CelebA:
        base_folder, action = "celeba", staticmethod(lambda folder: write_celeba(folder))

        def __init__(self, root, split, download):
            assert (split, download) == ("all", True)
            type(self).action(root / self.base_folder)

    datasets.CelebA = CelebA
    monkeypatch.setitem(sys.modules, "torchvision", package)
    monkeypatch.setitem(sys.modules, "torchvision.datasets", datasets)
    return CelebA


def test_a_download_can_be_opened(tmp_path, torchvision):
    assert torchvision.base_folder == "celeba"
    download_celeba(tmp_path / "faces")
    assert len(load_celeba(tmp_path / "faces")) == 22


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (RuntimeError("To download files from GDrive, 'gdown' is required."), "the package gdown"),
        (Exception("Too many users have viewed or downloaded this file recently."), "daily quota"),
        (Exception("Cannot retrieve the public link of the file."), "daily quota"),
        (RuntimeError("File not found or corrupted."), "not the CelebA that torchvision expects"),
        (RuntimeError("Dataset not found or corrupted."), "not the CelebA that torchvision expects"),
        (PermissionError(13, "Permission denied"), "the folder 'celeba' may not be written to"),
        (ConnectionError("[Errno -3] Temporary failure in name resolution"), "check the connection"),
    ],
)
def test_a_refused_download_is_explained(tmp_path, torchvision, error, words):
    def fail(_folder):
        raise error

    torchvision.action = staticmethod(fail)
    with pytest.raises(DataError, match=words):
        download_celeba(tmp_path / "celeba")


def test_a_quota_page_in_place_of_the_pictures(tmp_path, torchvision):
    def fail(folder):
        folder.mkdir()
        (folder / f"{PICTURES}.zip").write_text(QUOTA)
        raise RuntimeError("File is not a zip file")

    torchvision.action = staticmethod(fail)
    with pytest.raises(DataError, match=rf"sent a web page instead of '{PICTURES}.zip'.*tomorrow"):
        download_celeba(tmp_path / "celeba")


# --- the real faces


@real
def test_the_real_faces():
    dataset = load_celeba(REAL)
    blond, male = dataset.target.codes == 1, dataset.attribute("male").codes == 1

    def groups(mask):
        return [int((mask & b & m).sum()) for b in (blond, ~blond) for m in (male, ~male)]

    official = counts(dataset)
    assert (len(dataset), official["train"], official["test"]) == (20_000, 12_000, 4_000)
    assert abs(official["external"] - 2_000) < 10  # cut between persons
    assert groups(dataset.split == "train") == [131, 1_528, 5_245, 5_096]
    assert groups(dataset.split == "test") == [36, 440, 1_625, 1_899]
    assert groups(np.isin(dataset.split, ("external", "validation"))) == [41, 542, 1_789, 1_628]
    assert not noted(dataset, "left out")
    assert len(celeba_attributes(REAL)) == 40
    assert dataset.source.read(np.arange(0, 20_000, 2_000)).std() > 30


@real
def test_no_real_person_is_in_two_splits():
    dataset = load_celeba(REAL)
    person = dict(line.split() for line in (REAL / IDENTITIES).read_text().splitlines())
    people = [
        {person[name] for name in dataset.source.files[dataset.split == split].tolist()} for split in SPLITS
    ]
    assert sum(map(len, people)) == len(set.union(*people)) == 6_359 + 907 + 928


@real
def test_the_whole_official_lists_with_a_subset_of_the_faces(tmp_path):
    packed = REAL / "full_annotations"
    if not packed.is_dir():
        pytest.skip("the whole lists are not in the data folder")
    for name in (ATTRIBUTES, PARTITION, IDENTITIES):
        (tmp_path / name).write_bytes(gzip.decompress((packed / f"{name}.gz").read_bytes()))
    (tmp_path / PICTURES).symlink_to(REAL / PICTURES)
    dataset = load_celeba(tmp_path)
    assert (len(dataset), counts(dataset)["train"], counts(dataset)["test"]) == (20_000, 12_000, 4_000)
    assert noted(dataset, "182,599 of 202,599 listed faces have no picture here")


# --- Kaggle's form


def test_kaggles_lists_and_folder_open_as_the_official_ones(folder, tmp_path):
    official, kaggle = load_celeba(folder, target="Male", protected=["Blond_Hair"]), tmp_path / "kaggle"
    (kaggle / PICTURES).mkdir(parents=True)
    (folder / PICTURES).rename(kaggle / PICTURES / PICTURES)
    for name, header in ((ATTRIBUTES, ["image_id", *NAMES]), (PARTITION, ["image_id", "partition"])):
        rows = [line.split() for line in (folder / name).read_text().splitlines() if ".jpg" in line]
        text = "\n".join(",".join(row) for row in [header, *rows])
        (kaggle / name).with_suffix(".csv").write_text(text)
    (folder / IDENTITIES).rename(kaggle / IDENTITIES)
    assert celeba_attributes(kaggle) == NAMES
    found = load_celeba(kaggle, target="Male", protected=["Blond_Hair"])
    assert found.fingerprint == official.fingerprint
    np.testing.assert_array_equal(found.split, official.split)
    (kaggle / IDENTITIES).unlink()
    assert noted(load_celeba(kaggle), "could not be checked")
    (kaggle / ATTRIBUTES).with_suffix(".csv").write_text("image_id\n000001.jpg\n")
    refused(kaggle, "list_attr_celeba.csv", "should start with a line of attribute names")
