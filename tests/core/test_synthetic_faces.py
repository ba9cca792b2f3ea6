"""The bundled synthetic faces: what the docstring promises, what a redrawing changes, damaged files."""

import json
import shutil
from hashlib import sha256
from importlib.util import module_from_spec, spec_from_file_location
from itertools import combinations

import numpy as np
import pytest
from scipy.stats import chi2_contingency

import fmd_core as fmd
from fmd_core import DataError
from fmd_core.data import SPLITS
from fmd_core.datasets.demos import face_drawing
from fmd_core.datasets.demos.bundled import read_verified
from fmd_core.datasets.demos.face_drawing import LEVELS, draw_faces, hair_color
from fmd_core.datasets.demos.synthetic_faces import load_synthetic_faces
from fmd_core.datasets.families import sample_folder

pytestmark = pytest.mark.slow  # draws thousands of faces

FOLDER = sample_folder() / "synthetic_faces"
MANIFEST = json.loads((FOLDER / "manifest.json").read_text())
CONTROLS = [name for name in LEVELS if name != "presentation"]
UNREADABLE = "The demo file 'faces.npz' cannot be read; restore the folder sample_data."


@pytest.fixture(scope="module")
def faces():
    return load_synthetic_faces(FOLDER)


@pytest.fixture(scope="module")
def classifier():
    import torch

    torch.set_num_threads(1)
    read_verified(FOLDER, "model.safetensors")
    return fmd.load_classifier(FOLDER / "model.safetensors")


def column(dataset, name):
    return dataset.target if name == dataset.target.name else dataset.attribute(name)


def p_value(dataset, rows, first, second):
    one, two = column(dataset, first), column(dataset, second)
    table = np.zeros((len(one.levels), len(two.levels)))
    np.add.at(table, (one.codes[rows], two.codes[rows]), 1)
    return chi2_contingency(table).pvalue


# --- the people


def test_splits_have_the_sizes_that_the_manifest_says(faces):
    assert {split: len(faces.rows(split)) for split in SPLITS} == MANIFEST["split_sizes"]
    assert (faces.unit, faces.pair_method, faces.source.kind) == ("face", "generated", "image")


def test_there_are_a_dozen_attributes_and_hair_colour_is_none_of_them(faces):
    assert len(faces.attributes) >= 12
    assert faces.target.name not in faces.attributes
    assert faces.target.levels == ("dark", "blond")


def test_the_script_draws_the_same_lots_again():
    spec = spec_from_file_location("build", sample_folder() / "build_synthetic_faces.py")
    build = module_from_spec(spec)
    spec.loader.exec_module(build)
    again = build.everybody()
    with np.load(FOLDER / "faces.npz") as shipped:
        assert set(shipped.files) == set(again)
        for name in shipped.files:
            np.testing.assert_array_equal(shipped[name], again[name])


def test_nobody_is_there_twice(faces):
    assert len(np.unique(faces.source.seed)) == len(faces)


def test_training_ties_blond_hair_to_feminine_faces(faces):
    train = faces.rows("train")
    levels = faces.attribute("presentation").levels
    assert [levels[code] for code in faces.usual_level("presentation")] == ["masculine", "feminine"]
    aligned = faces.bias_aligned("presentation")[train]
    assert aligned.mean() == pytest.approx(MANIFEST["aligned_share"], abs=0.002)
    for code in (0, 1):  # the link is as strong in both classes
        assert aligned[faces.target.codes[train] == code].mean() == pytest.approx(
            MANIFEST["aligned_share"], abs=0.005
        )


@pytest.mark.parametrize("split", ["external", "validation", "test"])
def test_nowhere_else_does_it(faces, split):
    assert p_value(faces, faces.rows(split), "hair colour", "presentation") > 0.5


@pytest.mark.parametrize("split", SPLITS)
def test_all_other_attributes_are_independent(faces, split):
    # 91 pairs in each of 4 splits: the smallest of 364 honest p-values is near 1/364.
    names = ["hair colour", *LEVELS]
    pairs = [pair for pair in combinations(names, 2) if pair != ("hair colour", "presentation")]
    assert min(p_value(faces, faces.rows(split), *pair) for pair in pairs) > 1e-4


def test_the_independence_test_can_fail(faces):
    assert p_value(faces, faces.rows("train"), "hair colour", "presentation") < 1e-10


def test_every_level_has_enough_people_to_judge(faces):
    for attribute in faces.attributes.values():
        counts = np.bincount(attribute.codes[faces.rows("test")], minlength=len(attribute.levels))
        assert counts.min() >= 60, attribute.name


def test_nobody_is_called_otherwise_than_the_hair_looks(faces):
    dark, blond = (faces.source.shade[faces.target.codes == code] for code in (0, 1))
    assert dark.max() <= round(255 * MANIFEST["shade_ends"][0][1])
    assert blond.min() >= round(255 * MANIFEST["shade_ends"][1][0])
    assert dark.max() + 70 < blond.min()  # nobody is in between


def test_blond_is_golden_and_dark_is_dark_under_every_lamp(faces):
    """A label must be believed at a glance: no hair is mousy, and none looks like what it lies on."""
    source, blond = faces.source, faces.target.codes == 1
    paints = face_drawing._paints(source.codes, source.seed.astype("uint64"), source.shade)
    seen = {name: np.clip(color * paints["light"], 0, 255) for name, color in paints.items()}
    hair = seen["hair"]
    assert (hair[blond] >= [175, 145, 70]).all()
    assert (hair[blond, 0] - hair[blond, 2] >= 65).all()  # yellow, never grey
    assert (hair[~blond] <= [100, 70, 50]).all()
    for ground in ("disc", "hat", "scarf", "jacket"):
        assert np.abs(hair - seen[ground]).sum(axis=1).min() >= 40, ground


def test_all_of_the_hair_is_of_one_colour():
    """Curls, back and brows are no darker than the lightest brown where the hair is truly blond."""
    for shade in (171, 200, 230):
        codes = {name: np.zeros(12, "int64") for name in LEVELS}
        codes["hair style"] = np.full(12, LEVELS["hair style"].index("curly"))
        looks = draw_faces(codes, np.arange(12, dtype="uint32"), np.full(12, shade), 256).astype(int)
        hair = looks[:, 20:60, 60:200].reshape(12, -1, 3)
        brown = hair_color(np.array([255 * 0.37]))[0].sum() * 0.9
        skin_or_hair = hair[:, :, 0] > hair[:, :, 2] + 20  # the backdrop is none of it
        assert ((hair.sum(axis=2) < brown) & skin_or_hair).mean() < 0.01, shade


# --- the drawings


def test_the_same_people_are_always_drawn_alike(faces):
    # Whoever changes the drawing has to train the model again and to write the new means here.
    once = faces.source.read(np.arange(64))
    np.testing.assert_allclose(once.mean(axis=(0, 1, 2)), [189.013, 176.801, 163.061], atol=0.02)
    face_drawing._mask.cache_clear()
    np.testing.assert_array_equal(faces.source.read(np.arange(64)), once)


def test_a_face_looks_the_same_alone_and_in_any_company(faces):
    rows = np.array([900, 3, 41, 41, 7])
    together = faces.source.read(rows)
    assert together.shape == (5, 64, 64, 3)
    assert together.dtype == "uint8"
    for image, row in zip(together, rows, strict=True):
        np.testing.assert_array_equal(image, faces.source.read(np.array([row]))[0])


def test_faces_differ_where_only_the_seed_does():
    codes = {name: np.zeros(40, "int64") for name in LEVELS}
    images = draw_faces(codes, np.arange(40, dtype="uint32"), np.full(40, 80))
    assert len(np.unique(images.reshape(40, -1), axis=0)) == 40


@pytest.mark.parametrize("attribute", LEVELS)
def test_the_own_level_is_the_same_picture(faces, attribute):
    rows = np.arange(100, 130)
    same = faces.source.counterfactual(rows, attribute, faces.attribute(attribute).codes[rows])
    np.testing.assert_array_equal(same, faces.source.read(rows))


def changed_pixels(faces, attribute, code, rows):
    """Where the redrawing with level `code` visibly differs, (m, 64, 64) bool."""
    before = faces.source.read(rows).astype("int64")
    after = faces.source.counterfactual(rows, attribute, np.full(len(rows), code)).astype("int64")
    return (np.abs(after - before) >= 8).any(axis=3)


@pytest.mark.parametrize("attribute", LEVELS)
def test_every_level_can_be_seen_on_everybody(faces, attribute):
    own = faces.attribute(attribute)
    for code, level in enumerate(own.levels):
        rows = faces.rows("test")[:150]
        rows = rows[own.codes[rows] != code][:40]
        changed = changed_pixels(faces, attribute, code, rows).sum(axis=(1, 2))
        assert (changed >= 8).mean() >= 0.95, (level, np.sort(changed)[:5])


@pytest.mark.parametrize(
    ("attribute", "top", "bottom"),
    [
        ("hat", 0, 26),
        ("earrings", 30, 48),
        ("scarf", 44, 64),
        ("clothes", 48, 64),
        ("expression", 36, 54),
        ("eye colour", 24, 42),
    ],
)  # rows of the picture; a face may stand two pixels higher or lower
def test_a_change_stays_where_it_belongs(faces, attribute, top, bottom):
    rows = faces.rows("test")[:80]
    for code in range(len(faces.attribute(attribute).levels)):
        changed = changed_pixels(faces, attribute, code, rows)
        assert not changed[:, :top].any()
        assert not changed[:, bottom:].any()


def test_hair_shows_under_every_hat_on_every_head(faces):
    rows, styles = faces.rows("test")[:20], LEVELS["hair style"]
    for style in range(len(styles)):
        for hat in range(len(LEVELS["hat"])):
            codes = {name: own[rows] for name, own in faces.source.codes.items()}
            codes |= {"hair style": np.full(20, style), "hat": np.full(20, hat), "scarf": np.zeros(20, int)}
            dark, light = (
                draw_faces(codes, faces.source.seed[rows], np.full(20, shade)).astype(int)
                for shade in (60, 200)
            )
            shown = (np.abs(light - dark).sum(axis=3) > 90).sum(axis=(1, 2))
            assert shown.min() >= 200, (styles[style], hat, shown.min())


def test_hair_grows_lighter_all_the_way():
    assert (np.diff(hair_color(np.arange(256)).sum(axis=1)) > 0).all()


def test_another_attribute_cannot_be_redrawn(faces):
    with pytest.raises(DataError) as caught:
        faces.source.counterfactual(np.arange(2), "shoes", np.zeros(2, int))
    assert str(caught.value) == (
        f"Synthetic faces cannot be redrawn with another 'shoes'; use one of: {', '.join(LEVELS)}."
    )


def test_the_display_is_the_same_person_four_times_as_large(faces):
    for row in (0, 5, 77):
        large = faces.source.display(row)
        assert large.shape == (256, 256, 3)
        assert large.dtype == "uint8"
        small = large.reshape(64, 4, 64, 4, 3).mean(axis=(1, 3))
        assert np.abs(small - faces.source.read(np.array([row]))[0]).mean() < 2
    own = int(faces.attribute("hat").codes[5])
    np.testing.assert_array_equal(faces.source.display(5, "hat", own), faces.source.display(5))
    assert (faces.source.display(5, "hat", (own + 1) % 3) != faces.source.display(5)).any()


# --- the model


@pytest.fixture(scope="module")
def bias(faces, classifier):
    """B of every attribute on the external people: fewer than in test, and as unknown to the model."""
    return {
        name: fmd.counterfactual_bias(
            classifier.head,
            fmd.pair_counterfactuals(faces, classifier, split="external", attribute=name),
        )
        for name in faces.attributes
    }


def test_the_model_leans_on_presentation(faces, classifier, bias):
    features = fmd.extract_features(classifier, faces, split="test")
    right = classifier.head.probabilities(features.features).argmax(axis=1) == features.labels
    aligned = faces.bias_aligned("presentation")[features.rows]
    assert right.mean() > 0.85
    assert right[aligned].mean() - right[~aligned].mean() > 0.08
    assert bias["presentation"] > 0.10


def test_and_on_nothing_else(bias):
    assert max(bias[name] for name in CONTROLS) < 0.05, bias


# --- the files


@pytest.mark.parametrize("name", ["faces.npz", "model.safetensors"])
def test_manifest_digests_equal_the_files(name):
    assert MANIFEST["sha256"][name] == sha256((FOLDER / name).read_bytes()).hexdigest()


def test_no_picture_is_stored():
    assert (FOLDER / "faces.npz").stat().st_size < 200_000


@pytest.fixture
def copy(tmp_path):
    for name in ("faces.npz", "manifest.json"):
        shutil.copy(FOLDER / name, tmp_path)
    return tmp_path


def message(folder):
    with pytest.raises(DataError) as caught:
        load_synthetic_faces(folder)
    return str(caught.value)


def test_an_untouched_copy_opens(copy, faces):
    assert load_synthetic_faces(copy).fingerprint == faces.fingerprint


@pytest.mark.parametrize("name", ["faces.npz", "manifest.json"])
def test_a_missing_file_is_named(copy, name):
    (copy / name).unlink()
    assert message(copy) == f"The demo file '{name}' is missing; restore the folder sample_data and reload."


@pytest.mark.parametrize("position", [0, 1000, -1])
def test_changed_people_are_refused(copy, position):
    content = bytearray((copy / "faces.npz").read_bytes())
    content[position] ^= 1
    (copy / "faces.npz").write_bytes(content)
    assert message(copy) == (
        "The demo file 'faces.npz' was changed or damaged; restore the folder sample_data and reload."
    )


def vouch_for(folder, arrays):
    np.savez(folder / "faces.npz", **arrays)
    digest = sha256((folder / "faces.npz").read_bytes()).hexdigest()
    (folder / "manifest.json").write_text(json.dumps({"sha256": {"faces.npz": digest}}))


def stored(folder):
    with np.load(folder / "faces.npz") as arrays:
        return {name: arrays[name] for name in arrays.files}


def test_a_file_that_is_no_archive_is_refused(copy):
    content = b"PK\x03\x04 not a zip"
    (copy / "faces.npz").write_bytes(content)
    (copy / "manifest.json").write_text(json.dumps({"sha256": {"faces.npz": sha256(content).hexdigest()}}))
    assert message(copy) == UNREADABLE


def test_arrays_missing_left_over_pickled_or_too_few_are_refused(copy):
    arrays = stored(copy)
    without_shade = {name: values for name, values in arrays.items() if name != "shade"}
    for bad in (
        without_shade,
        arrays | {"hats": arrays["seed"]},
        arrays | {"seed": np.array([{}, None], dtype=object)},
        arrays | {"attributes": arrays["attributes"][:, 1:]},
        arrays | {"split": arrays["split"] + 9},
    ):
        vouch_for(copy, bad)
        assert message(copy) == UNREADABLE


def test_columns_of_unequal_length_are_refused(copy):
    arrays = stored(copy)
    for name in ("seed", "shade"):
        vouch_for(copy, arrays | {name: arrays[name][1:]})
        assert message(copy) == UNREADABLE
