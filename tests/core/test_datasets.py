"""The bundled coloured digits: what the docstring promises, and damaged files."""

import json
import shutil
from hashlib import sha256

import numpy as np
import pytest
from scipy.stats import chi2_contingency

from fmd_core import DataError, load_dataset, load_demo_classifier
from fmd_core.data import SPLITS
from fmd_core.datasets.demos.colored_digits import INKS, load_colored_digits, make_colored_digits
from fmd_core.datasets.families import sample_folder

FOLDER = sample_folder() / "colored_digits"


def crosstab(dataset, split, attribute):
    rows, column = dataset.rows(split), dataset.attribute(attribute)
    table = np.zeros((10, len(column.levels)))
    np.add.at(table, (dataset.target.codes[rows], column.codes[rows]), 1)
    return table


# --- what it is


def test_splits_are_disjoint_and_cover_every_image(demo):
    sizes = {split: len(demo.dataset.rows(split)) for split in SPLITS}
    assert sizes == json.loads((FOLDER / "manifest.json").read_text())["split_sizes"]
    covered = np.concatenate([demo.dataset.rows(split) for split in SPLITS])
    np.testing.assert_array_equal(np.sort(covered), np.arange(1797))


def test_handwriting_and_labels_are_scikit_learns(demo):
    from sklearn.datasets import load_digits

    digits = load_digits()
    np.testing.assert_array_equal(demo.dataset.source.strokes, digits.images)
    np.testing.assert_array_equal(demo.dataset.target.codes, digits.target)


def test_no_image_stands_in_two_splits(demo):
    # scikit-learn's digits hold no exact duplicate at all, so nothing leaks between the splits.
    strokes = demo.dataset.source.strokes.reshape(1797, -1)
    assert len(np.unique(strokes, axis=0)) == 1797


def test_every_split_has_every_digit_in_equal_shares(demo):
    for split in SPLITS:
        counts = crosstab(demo.dataset, split, "paper").sum(axis=1)
        assert counts.min() > 0.8 * counts.mean()


def test_training_ink_goes_with_the_digit(demo):
    aligned = demo.dataset.bias_aligned("colour")[demo.dataset.rows("train")].mean()
    assert 0.95 < aligned < 0.99
    np.testing.assert_array_equal(demo.dataset.usual_level("colour"), np.arange(10))


@pytest.mark.parametrize("split", ["external", "validation", "test"])
def test_ink_elsewhere_is_independent_of_the_digit(demo, split):
    assert chi2_contingency(crosstab(demo.dataset, split, "colour")).pvalue > 0.001


@pytest.mark.parametrize("split", SPLITS)
def test_paper_is_independent_of_the_digit(demo, split):
    assert chi2_contingency(crosstab(demo.dataset, split, "paper")).pvalue > 0.001


def test_the_independence_test_can_fail(demo):
    table = crosstab(demo.dataset, "train", "colour")
    assert chi2_contingency(table).pvalue < 1e-10


def test_pictures_have_the_ink_that_they_say(demo):
    source, rows = demo.dataset.source, demo.dataset.rows("test")[:50]
    images = source.read(rows)
    assert images.shape == (50, 32, 32, 3)
    assert images.dtype == "uint8"
    for image, row, code in zip(images, rows, source.color[rows], strict=True):
        hexes = {"".join(f"{v:02X}" for v in pixel) for pixel in image[source._coverage[row] == 1]}
        assert hexes == {list(INKS.values())[code]}


def test_another_attribute_cannot_be_redrawn(demo):
    with pytest.raises(DataError) as caught:
        demo.dataset.source.counterfactual(np.arange(2), "hat", np.zeros(2, int))
    assert str(caught.value) == ("Coloured digits cannot be redrawn with another 'hat'; use colour or paper.")


def test_fingerprint_changes_with_one_pen_stroke(demo):
    def made(**change):
        with np.load(FOLDER / "digits.npz") as arrays:
            return make_colored_digits(**({name: arrays[name] for name in arrays.files} | change))

    strokes = demo.dataset.source.strokes.copy()
    strokes[1000, 4, 4] ^= 1
    assert made().fingerprint == demo.dataset.fingerprint != made(strokes=strokes).fingerprint


# --- the files


@pytest.mark.parametrize("name", ["digits.npz", "model.safetensors"])
def test_manifest_digests_equal_the_files(name):
    manifest = json.loads((FOLDER / "manifest.json").read_text())
    assert manifest["sha256"][name] == sha256((FOLDER / name).read_bytes()).hexdigest()


@pytest.fixture
def copy(tmp_path):
    for name in ("digits.npz", "manifest.json"):
        shutil.copy(FOLDER / name, tmp_path)
    return tmp_path


def message(folder):
    with pytest.raises(DataError) as caught:
        load_colored_digits(folder)
    return str(caught.value)


def test_an_untouched_copy_opens(copy, demo):
    assert load_colored_digits(copy).fingerprint == demo.dataset.fingerprint


@pytest.mark.parametrize("name", ["digits.npz", "manifest.json"])
def test_a_missing_file_is_named(copy, name):
    (copy / name).unlink()
    assert message(copy) == f"The demo file '{name}' is missing; restore the folder sample_data and reload."


@pytest.mark.parametrize("position", [0, 1000, -1])
def test_changed_digits_are_refused(copy, position):
    content = bytearray((copy / "digits.npz").read_bytes())
    content[position] ^= 1
    (copy / "digits.npz").write_bytes(content)
    assert message(copy) == (
        "The demo file 'digits.npz' was changed or damaged; restore the folder sample_data and reload."
    )


@pytest.mark.parametrize(
    "content", [b"", b"{", b"{}", b"[]", b'{"sha256": {}}', b'{"sha256": null}', b"\xff\xfe"]
)
def test_a_damaged_manifest_is_refused(copy, content):
    (copy / "manifest.json").write_bytes(content)
    assert message(copy) == "The demo's manifest.json is damaged; restore the folder sample_data and reload."


def write_digits(folder, content):
    """Digits with a manifest that vouches for them."""
    (folder / "digits.npz").write_bytes(content)
    manifest = {"sha256": {"digits.npz": sha256(content).hexdigest()}}
    (folder / "manifest.json").write_text(json.dumps(manifest))


def test_digits_that_are_no_archive_are_refused(copy):
    write_digits(copy, b"PK\x03\x04 not a zip")
    assert message(copy) == "The demo file 'digits.npz' cannot be read; restore the folder sample_data."


def test_an_array_missing_or_pickled_is_refused(copy):
    for arrays in ({"strokes": np.zeros((2, 8, 8))}, {"strokes": np.array([{}, None], dtype=object)}):
        np.savez(copy / "made.npz", **arrays)
        write_digits(copy, (copy / "made.npz").read_bytes())
        assert message(copy) == "The demo file 'digits.npz' cannot be read; restore the folder sample_data."


@pytest.mark.parametrize("load", [load_dataset, load_demo_classifier])
def test_an_unknown_name_lists_the_known_ones(load):
    with pytest.raises(DataError) as caught:
        load("faces")
    known = "colored_digits, synthetic_faces, hate_texts, colored_mnist, celeba, adult, import"
    assert str(caught.value) == f"Unknown data set 'faces'. Known are: {known}."


def test_the_sample_folder_can_be_moved(copy, monkeypatch, demo):
    copy.rename(copy.parent / "colored_digits")
    monkeypatch.setenv("FMD_SAMPLE_DIR", str(copy.parent))
    assert load_dataset("colored_digits").fingerprint == demo.dataset.fingerprint
