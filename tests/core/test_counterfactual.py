"""Pairs: the same sample, class and row, with one attribute changed."""

from dataclasses import replace

import numpy as np
import pytest

from fmd_core import Column, CounterfactualPairs, DataError
from fmd_core.datasets.demos.colored_digits import _PAPER, INKS


@pytest.mark.parametrize("split", ["train", "external", "validation", "test"])
def test_both_sides_are_the_same_people(demo, split):
    pairs, rows = demo.pairs[split], demo.dataset.rows(split)
    for side in (pairs.favoured, pairs.other):
        np.testing.assert_array_equal(side.rows, rows)
        np.testing.assert_array_equal(side.labels, demo.dataset.target.codes[rows])
    np.testing.assert_array_equal(pairs.rows, rows)
    assert len(pairs) == len(rows)


def test_favoured_side_shows_the_level_most_common_in_training(tiny):
    pairs, train = tiny.pairs["test"], tiny.dataset.rows("train")
    classes, marks = tiny.dataset.target.codes[train], tiny.dataset.attribute("mark").codes[train]
    usual = [np.bincount(marks[classes == k]).argmax() for k in range(3)]
    np.testing.assert_array_equal(pairs.favoured_codes, np.array(usual)[pairs.labels])


def test_other_side_shows_every_other_level_and_never_the_favoured(demo):
    pairs = demo.pairs["train"]
    assert (pairs.other_codes != pairs.favoured_codes).all()
    shifts = (pairs.other_codes - pairs.favoured_codes) % len(INKS)
    counts = np.bincount(shifts, minlength=len(INKS))[1:]
    assert counts.min() > 0.6 * len(pairs) / 9  # each equally likely


def test_features_are_those_of_the_codes(tiny):
    pairs = tiny.pairs["test"]
    for side, codes in ((pairs.favoured, pairs.favoured_codes), (pairs.other, pairs.other_codes)):
        expected = tiny.dataset.source.counterfactual(pairs.rows, "mark", codes)
        np.testing.assert_array_equal(side.features, expected)


def test_seed_decides_the_other_side(tiny):
    first, again, other = (tiny.pairs_of("test", seed=seed) for seed in (1, 1, 2))
    assert first.fingerprint == again.fingerprint != other.fingerprint
    np.testing.assert_array_equal(first.favoured.features, other.favoured.features)


def test_only_the_ink_changes_in_colour_pairs(demo):
    pairs, source = demo.pairs["test"], demo.dataset.source
    favoured, other = (
        source.counterfactual(pairs.rows, "colour", codes)
        for codes in (pairs.favoured_codes, pairs.other_codes)
    )
    blank = source._coverage[pairs.rows] == 0
    assert 0.2 < blank.mean() < 0.9
    np.testing.assert_array_equal(favoured[blank], other[blank])
    assert (favoured[~blank] != other[~blank]).any(axis=1).mean() > 0.9


def test_only_the_paper_changes_in_paper_pairs(demo):
    pairs, source = demo.pairs_of("test", "paper"), demo.dataset.source
    plain, squared = (source.counterfactual(pairs.rows, "paper", np.full(len(pairs), c)) for c in (0, 1))
    full = source._coverage[pairs.rows] == 1
    np.testing.assert_array_equal(plain[full], squared[full])
    between = np.ones((32, 32), bool)
    between[::8], between[:, ::8] = False, False
    np.testing.assert_array_equal(plain[:, between], squared[:, between])
    empty_line = (source._coverage[pairs.rows] == 0) & ~between
    assert (plain[empty_line] == _PAPER.astype("uint8")).all()
    assert (squared[empty_line] != plain[empty_line]).all()


def test_redrawing_with_the_same_level_changes_nothing(demo):
    source, rows = demo.dataset.source, demo.dataset.rows("test")[:20]
    for name in ("colour", "paper"):
        same = source.counterfactual(rows, name, demo.dataset.attribute(name).codes[rows])
        np.testing.assert_array_equal(same, source.read(rows))


def test_an_attribute_with_one_level_is_refused(tiny):
    alone = Column("hat", np.zeros(len(tiny.dataset), int), ("none",))
    changed = replace(tiny, dataset=replace(tiny.dataset, attributes={"hat": alone}))
    with pytest.raises(DataError) as caught:
        changed.pairs_of("test", "hat")
    assert str(caught.value) == (
        "'hat' has one value only (none), so there is nothing to change; "
        "choose an attribute with at least two."
    )


def test_unknown_attribute_lists_the_known_ones(tiny):
    with pytest.raises(DataError) as caught:
        tiny.pairs_of("test", "hat")
    assert str(caught.value) == "Unknown attribute 'hat'. This data set has: mark, shade."


def test_unknown_method_lists_the_known_ones(tiny):
    with pytest.raises(DataError) as caught:
        tiny.pairs_of("test", method="dreamt")
    assert (
        str(caught.value)
        == "Unknown pair method 'dreamt'. Choose one of: generated, flipped, matched, swapped."
    )


def test_sides_of_different_length_are_refused(tiny):
    pairs = tiny.pairs["test"]
    with pytest.raises(DataError) as caught:
        replace(pairs, other=pairs.other.subset(np.arange(5)))
    assert str(caught.value) == "Both sides of the counterfactual pairs must have equally many samples."


def test_sides_of_different_class_are_refused(tiny):
    pairs = tiny.pairs["test"]
    with pytest.raises(DataError) as caught:
        replace(pairs, other=replace(pairs.other, labels=(pairs.labels + 1) % 3))
    assert str(caught.value) == "The two sides of a counterfactual pair must have the same target class."


def test_subset_keeps_pairs_together(tiny):
    pairs, keep = tiny.pairs["test"], np.array([7, 2])
    part = pairs.subset(keep)
    assert isinstance(part, CounterfactualPairs)
    np.testing.assert_array_equal(part.favoured.features, pairs.favoured.features[keep])
    np.testing.assert_array_equal(part.other.features, pairs.other.features[keep])
    np.testing.assert_array_equal(part.other_codes, pairs.other_codes[keep])
    assert part.fingerprint != pairs.fingerprint


def test_a_counterpart_shows_a_level_that_the_sample_does_not(demo):
    pairs = demo.pairs["train"]
    assert (pairs.counterpart_codes != pairs.own_codes).all()
    same = pairs.own_codes == pairs.other_codes
    assert same.any()
    np.testing.assert_array_equal(pairs.counterparts.features[same], pairs.favoured.features[same])
    np.testing.assert_array_equal(pairs.counterparts.features[~same], pairs.other.features[~same])
