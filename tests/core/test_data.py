"""Checks at the door, read-only arrays and content fingerprints."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from fmd_core import AttributeDataset, Column, DataError, FeatureSet
from fmd_core.data import content_fingerprint, frozen_array


class NoSource:
    fingerprint = "none"


def dataset(target=(0, 1, 0, 1), attribute=(0, 1, 1, 0), split=None, levels=("a", "b"), name="mark"):
    return AttributeDataset(
        "Small",
        Column("shape", target, ("round", "square")),
        {name: Column(name, attribute, levels)},
        ["train"] * len(target) if split is None else split,
        NoSource(),
    )


def features(values=((0.0, 1.0), (2.0, 3.0)), labels=(0, 1), rows=(5, 6)):
    return FeatureSet(np.array(values), labels, rows)


def message(make, *arguments, **options):
    with pytest.raises(DataError) as caught:
        make(*arguments, **options)
    return str(caught.value)


# --- checks


@pytest.mark.parametrize(("codes", "shape"), [([], "(0,)"), ([[0, 1]], "(1, 2)")])
def test_a_column_needs_one_value_per_sample(codes, shape):
    found = message(Column, "mark", codes, ("a", "b"))
    assert found == f"Column 'mark' needs one value per sample, got shape {shape}."


@pytest.mark.parametrize("codes", [[0, 2], [-1, 1]])
def test_a_column_needs_a_level_for_every_code(codes):
    assert message(Column, "mark", codes, ("a", "b")) == (
        f"Column 'mark' has codes from {codes[0]} to {codes[1]}, but only 2 levels: a, b."
    )


def test_an_attribute_of_another_length_is_refused():
    found = message(dataset, attribute=(0, 1))
    assert found == "'mark' has 2 values for 4 samples; they must be equally long."


def test_a_split_of_another_length_is_refused():
    found = message(dataset, split=["train"])
    assert found == "'split' has 1 values for 4 samples; they must be equally long."


def test_an_unknown_split_lists_the_known_ones():
    found = message(dataset, split=["train", "dev", "test", "test"])
    assert found == "Unknown split 'dev'. A split is one of: train, external, validation, test."


def test_an_empty_split_is_named():
    assert message(dataset().rows, "test") == "The data set 'Small' has no samples in its 'test' split."


def test_an_unknown_attribute_lists_the_known_ones():
    assert message(dataset().attribute, "hat") == "Unknown attribute 'hat'. This data set has: mark."
    none = replace(dataset(), attributes={})
    assert message(none.attribute, "hat") == "Unknown attribute 'hat'. This data set has: none."


@pytest.mark.parametrize(
    ("options", "shape", "labels", "rows"),
    [
        ({"labels": (0,)}, (2, 2), 1, 2),
        ({"rows": (5,)}, (2, 2), 2, 1),
        ({"values": (0.0, 1.0)}, (2,), 2, 2),
    ],
)
def test_features_that_do_not_fit_together_are_refused(options, shape, labels, rows):
    assert message(features, **options) == (
        f"Features of shape {shape}, {labels} labels and {rows} rows do not describe the same samples."
    )


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_features_that_are_not_numbers_are_counted(bad):
    assert message(features, ((bad, bad), (0.0, 1.0))) == (
        "The encoder gave values that are not numbers for 1 of 2 samples; check the weights and the inputs."
    )


# --- arrays stay as they are


def test_arrays_are_read_only():
    found, data = features(), dataset()
    arrays = [found.features, found.labels, found.rows, data.split, data.target.codes]
    for array in arrays:
        with pytest.raises(ValueError, match="read-only"):
            array[0] = array[0]
    with pytest.raises(TypeError):
        data.attributes["mark"] = data.target


class Wrapper:
    """Gives out its own array, as some array libraries do."""

    def __init__(self, values):
        self.values = values

    def __array__(self, dtype=None, copy=None):
        return self.values


def read_only_view(array):
    view = array[:]
    view.flags.writeable = False
    return view


@pytest.mark.parametrize(
    "offer",
    [
        lambda a: a,
        lambda a: a[:],
        lambda a: a.reshape(2, 2),
        lambda a: memoryview(a),
        lambda a: Wrapper(a),
        read_only_view,
        lambda a: np.broadcast_to(a, (2, 4)),
        lambda a: pd.Series(a, copy=False),
    ],
    ids=["array", "slice", "reshaped", "buffer", "wrapper", "read-only view", "broadcast", "series"],
)
@pytest.mark.parametrize("dtype", [None, "int64", "float64"])
def test_a_frozen_array_neither_follows_nor_freezes_the_callers(offer, dtype):
    own = np.arange(4)
    frozen = frozen_array(offer(own), dtype)
    before = frozen.copy()
    own[:] = 99  # the caller's array can still be written
    np.testing.assert_array_equal(frozen, before)
    assert not frozen.flags.writeable


def test_a_frozen_array_is_not_copied_again():
    frozen = frozen_array([1, 2, 3])
    assert frozen_array(frozen) is frozen
    assert np.shares_memory(frozen_array(frozen[1:]), frozen)


def test_a_read_only_file_is_not_read_into_memory(tmp_path):
    np.save(tmp_path / "a.npy", np.arange(5))
    mapped = np.load(tmp_path / "a.npy", mmap_mode="r")
    assert np.shares_memory(frozen_array(mapped), mapped)


def test_subset_takes_positions_or_a_mask():
    for keep in (np.array([1]), np.array([False, True])):
        part = features().subset(keep)
        assert (part.features.tolist(), part.labels.tolist(), part.rows.tolist()) == ([[2, 3]], [1], [6])


# --- fingerprints


def test_fingerprint_is_that_of_the_content():
    assert features().fingerprint == features().fingerprint
    assert dataset().fingerprint == dataset().fingerprint


@pytest.mark.parametrize("part", ["values", "labels", "rows"])
def test_any_byte_of_features_changes_the_fingerprint(part):
    start = {"values": np.arange(4.0).reshape(2, 2), "labels": np.array([0, 1]), "rows": np.array([5, 6])}
    raw = start[part].tobytes()
    for position in range(len(raw)):
        changed = bytearray(raw)
        changed[position] ^= 1
        other = np.frombuffer(bytes(changed), start[part].dtype).reshape(start[part].shape)
        assert features(**(start | {part: other})).fingerprint != features(**start).fingerprint


@pytest.mark.parametrize(
    "options",
    [
        {"target": (0, 1, 0, 0)},
        {"attribute": (0, 1, 1, 1)},
        {"split": ["train", "train", "train", "test"]},
        {"levels": ("a", "c")},
        {"name": "hat"},
    ],
)
def test_any_part_of_a_data_set_changes_its_fingerprint(options):
    assert dataset(**options).fingerprint != dataset().fingerprint


def test_levels_that_hold_the_separator_keep_their_own_fingerprint():
    assert dataset(levels=("a|b", "c")).fingerprint != dataset(levels=("a", "b|c")).fingerprint


def test_fingerprint_knows_type_shape_and_order():
    a = np.arange(4, dtype="int32")
    parts = [(a,), (a.astype("int64"),), (a.reshape(2, 2),), (a[::-1],), (a[:2], a[2:]), ("a", "b"), ("ab",)]
    assert len({content_fingerprint(*p) for p in parts}) == len(parts)


# --- who is usual


def test_aligned_samples_show_the_usual_level():
    data = dataset(target=[0, 0, 0, 1, 1, 1], attribute=[1, 1, 0, 0, 0, 1])
    assert data.usual_level("mark").tolist() == [1, 0]
    assert data.bias_aligned("mark").tolist() == [True, True, False, True, True, False]


def test_usual_level_looks_at_training_only():
    data = dataset(
        target=[0, 0, 1, 1, 0, 0, 1, 1],
        attribute=[0, 0, 1, 1, 1, 1, 0, 0],
        split=["train"] * 4 + ["test"] * 4,
    )
    assert data.usual_level("mark").tolist() == [0, 1]


def test_usual_level_is_over_represented_not_just_frequent():
    # Level "a" is the most frequent in both classes; class 1 has more of "b" than the others have.
    data = dataset(target=[0] * 10 + [1] * 10, attribute=[0] * 9 + [1] + [0] * 6 + [1] * 4)
    assert data.usual_level("mark").tolist() == [0, 1]


def test_a_class_missing_from_training_still_has_a_usual_level():
    data = dataset(target=[0, 0, 1], attribute=[0, 1, 1], split=["train", "train", "test"])
    assert len(data.usual_level("mark")) == 2
