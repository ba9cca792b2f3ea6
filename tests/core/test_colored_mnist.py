"""Coloured MNIST: the idx files, the four splits and who gets which ink."""

import gzip
import struct

import numpy as np
import pytest

from fmd_core.data import SPLITS
from fmd_core.datasets.demos.colored_digits import INKS
from fmd_core.datasets.public.colored_mnist import ALIGNED, load_colored_mnist
from fmd_core.errors import DataError
from fmd_core.home import data_folder

IMAGES, LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"
QUOTA = b"<!DOCTYPE html><html><title>Not found</title></html>"
REAL = data_folder() / "MNIST"
real = pytest.mark.skipif(not (REAL / "raw").is_dir(), reason="no MNIST in the data folder")


def idx(array):
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()


def write_mnist(folder, *, packed=True, train=240, test=60):
    """A small copy of the four official files."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(1)
    for part, n in (("train", train), ("t10k", test)):
        images = rng.integers(0, 256, (n, 28, 28), "uint8")
        for name, array in (("images-idx3", images), ("labels-idx1", np.arange(n, dtype="uint8") % 10)):
            content = idx(array)
            path = folder / f"{part}-{name}-ubyte{'.gz' if packed else ''}"
            path.write_bytes(gzip.compress(content, 1) if packed else content)
    return folder


@pytest.fixture
def folder(tmp_path):
    return write_mnist(tmp_path / "raw", packed=False)


def counts(dataset):
    return {split: int((dataset.split == split).sum()) for split in SPLITS}


# --- what is read


def test_packed_or_not_in_raw_or_not(tmp_path):
    prints = set()
    for packed, place in ((True, "raw"), (False, "raw"), (True, ""), (False, "")):
        top = tmp_path / f"{packed}{place}"
        write_mnist(top / place, packed=packed)
        prints.add(load_colored_mnist(top).fingerprint)
    assert len(prints) == 1


def test_splits_and_names(folder):
    dataset = load_colored_mnist(folder, aligned=0.995)
    assert counts(dataset) == {"train": 200, "external": 20, "validation": 20, "test": 60}
    assert (dataset.split[240:] == "test").all()
    assert dataset.name == "Coloured MNIST, 99.5 % aligned"
    assert dataset.target.codes.tolist() == [i % 10 for i in range(240)] + [i % 10 for i in range(60)]
    assert (dataset.pair_method, dataset.unit, dataset.source.kind) == ("generated", "digit", "image")
    assert dataset.attribute("colour").levels == tuple(INKS)


def test_torchvision_reads_the_same(folder):
    mnist = pytest.importorskip("torchvision.datasets.mnist")
    strokes = load_colored_mnist(folder).source.strokes
    assert np.array_equal(strokes[:240], mnist.read_image_file(folder / IMAGES).numpy())


def test_ink_on_white(folder):
    source = load_colored_mnist(folder).source
    image, strokes = source.read(np.array([7]))[0], source.strokes[7]
    ink = np.array([int(list(INKS.values())[source.color[7]][i : i + 2], 16) for i in (0, 2, 4)])
    assert image.shape == (28, 28, 3)
    assert image.dtype == np.uint8
    assert (image[strokes == 0] == 255).all()
    assert (image[strokes == 255] == ink).all()
    share = strokes[..., None] / 255
    assert np.abs(image - (255 * (1 - share) + ink * share)).max() <= 0.5001


def test_a_twin_differs_in_nothing_but_ink(folder):
    source = load_colored_mnist(folder).source
    rows = np.array([3, 3, 50])
    assert np.array_equal(source.counterfactual(rows, "colour", source.color[rows]), source.read(rows))
    twins = source.counterfactual(np.arange(10), "colour", np.arange(10))
    assert np.array_equal(twins[4], source.display(4, "colour", 4))
    assert np.array_equal(source.display(4), source.read(np.array([4]))[0])
    assert ((twins == 255).all(axis=-1) == (source.strokes[:10] == 0)).all()
    with pytest.raises(DataError, match="with another 'paper'; use colour"):
        source.counterfactual(rows, "paper", rows)


def test_pixels_cannot_be_written_to(folder):
    with pytest.raises(ValueError):
        load_colored_mnist(folder).source.strokes[0] = 0


# --- colours


@pytest.mark.parametrize("aligned", [0.9, 1.0, 0.5, float("nan"), 99])
def test_only_the_shares_of_the_paper(folder, aligned):
    with pytest.raises(DataError, match=r"choose one of: 0.95, 0.98, 0.99, 0.995"):
        load_colored_mnist(folder, aligned=aligned)


def test_a_higher_share_only_adds_aligned_digits(tmp_path):
    write_mnist(tmp_path, train=3_600, test=100)
    datasets = [load_colored_mnist(tmp_path, aligned=aligned) for aligned in ALIGNED]
    own = [d.attribute("colour").codes == d.target.codes for d in datasets]
    for less, more, d in zip(own, own[1:], datasets[1:], strict=False):
        train = d.split == "train"
        assert (more[train] >= less[train]).all()
        assert more[train].sum() > less[train].sum()
        assert (d.split == datasets[0].split).all()
        held_out = d.attribute("colour").codes[~train]
        assert np.array_equal(held_out, datasets[0].attribute("colour").codes[~train])
    assert len({d.fingerprint for d in datasets}) == 4
    assert load_colored_mnist(tmp_path).fingerprint == datasets[2].fingerprint


# --- broken files


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        (IMAGES, QUOTA, "does not start like an idx file"),
        (IMAGES, b"", "does not start like an idx file"),
        (LABELS, idx(np.zeros((240, 1, 1), "uint8")), "does not start like an idx file"),
        (IMAGES, idx(np.zeros((240, 32, 32), "uint8")), r"announces 240 items of shape \(32, 32\)"),
        (IMAGES, struct.pack(">BBBB3I", 0, 0, 8, 3, 2**31, 28, 28), "announces 2,147,483,648 items"),
        (IMAGES, idx(np.zeros((240, 28, 28), "uint8"))[:-1], "fewer bytes than the 188,160"),
        (IMAGES, idx(np.zeros((240, 28, 28), "uint8")) + b"0", "more bytes than"),
        (IMAGES, idx(np.zeros((239, 28, 28), "uint8")), "has 239 images, but .* has 240 labels"),
        (LABELS, idx(np.full(240, 10, "uint8")), "does not hold the labels 0 to 9"),
    ],
)
def test_a_broken_file(folder, name, content, words):
    (folder / name).write_bytes(content)
    with pytest.raises(DataError, match=words) as caught:
        load_colored_mnist(folder)
    assert f"'{name}'" in str(caught.value)
    assert "download MNIST again" in str(caught.value)


def test_no_digits_at_all(folder):
    (folder / IMAGES).write_bytes(idx(np.zeros((0, 28, 28), "uint8")))
    (folder / LABELS).write_bytes(idx(np.zeros(0, "uint8")))
    with pytest.raises(DataError, match="labels 0 to 9"):
        load_colored_mnist(folder)


@pytest.mark.parametrize(
    ("damage", "words"), [("page", "a web page"), ("cut", "cut off"), ("flip", "damaged")]
)
def test_a_broken_archive(tmp_path, damage, words):
    path = write_mnist(tmp_path) / f"{IMAGES}.gz"
    whole = bytearray(path.read_bytes())
    if damage == "flip":
        whole[5_000:5_030] = bytes(30)
    path.write_bytes({"page": QUOTA, "cut": whole[:-50_000], "flip": whole}[damage])
    with pytest.raises(DataError, match=rf"'{IMAGES}.gz' .*{words}"):
        load_colored_mnist(tmp_path)


def test_a_missing_file(folder):
    (folder / LABELS).unlink()
    with pytest.raises(DataError, match=rf"'{LABELS}' \(or '{LABELS}.gz'\) is missing"):
        load_colored_mnist(folder)


# --- the real digits


@real
@pytest.mark.parametrize("aligned", [0.95, 0.995])
def test_the_real_digits(aligned):
    dataset = load_colored_mnist(REAL, aligned=aligned)
    assert counts(dataset) == {"train": 50_000, "external": 5_000, "validation": 5_000, "test": 10_000}
    assert dataset.target.codes[:5].tolist() == [5, 0, 4, 1, 9]
    own = dataset.attribute("colour").codes == dataset.target.codes
    assert own[dataset.split == "train"].mean() == pytest.approx(aligned, abs=0.002)
    others = dataset.attribute("colour").codes[dataset.split != "train"]
    assert np.bincount(others).min() / len(others) > 0.09
    for split in ("external", "validation", "test"):
        assert own[dataset.split == split].mean() == pytest.approx(0.1, abs=0.015)
    assert dataset.usual_level("colour").tolist() == list(range(10))
