"""The groups in which a comparison looks for who pays: with and against the pattern, single and crossed properties."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations, product

from fmd_core.data import Array, AttributeDataset, Column, FeatureSet
from fmd_core.intervals import MIN_PEOPLE
from fmd_core.measure.changes import Change, Group, rate_changes
from fmd_core.measure.counting import Counting
from fmd_core.measure.verdict.sentences import attribute_name, group_name
from fmd_core.measure.verdict.values import Member

USUAL = ("{} usual for the class", "{} unusual for the class")
"""What those are called who go with and against the pattern, by the name of the attribute."""


def group_changes(
    dataset: AttributeDataset, features: FeatureSet, attribute: str, right: Sequence[Array]
) -> tuple[list[Change], list[Change], list[Change]]:
    """Accuracy with and against the pattern, of every class and level, and of those who share two."""
    aligned = dataset.bias_aligned(attribute)[features.rows]
    kinds: list[Group] = [
        (f"{attribute} with the pattern", aligned, ()),
        (f"{attribute} against the pattern", ~aligned, ()),
    ]
    columns = [_levels(column, features) for column in (dataset.target, *dataset.attributes.values())]
    singles = [group for column in columns for group in column]
    crossed = [
        group
        for left, right_ in combinations(columns, 2)
        for group in _crossed(left, right_)
        if group[1].sum() >= MIN_PEOPLE
    ]
    name = attribute_name(dataset, attribute)
    counting = Counting.of(dataset, features.rows)
    changes = rate_changes([*kinds, *singles], *right, counting=counting)
    for place, words in enumerate(USUAL):
        changes[place] = replace(changes[place], called=words.format(name))
    # a family of their own: hundreds of small groups should not hide what happens to a large one
    pairs = rate_changes(crossed, *right, counting=counting) if crossed else []
    return changes[: len(kinds)], changes[len(kinds) :], pairs


def _levels(column: Column, features: FeatureSet) -> list[Group]:
    """Who has each level of a column."""
    codes = column.codes[features.rows]
    return [
        (f"{column.name}: {level}", codes == code, ((column.name, level),))
        for code, level in enumerate(column.levels)
    ]


def _crossed(left: Sequence[Group], right: Sequence[Group]) -> list[Group]:
    """Who belongs to one of the left and to one of the right."""
    return [
        (f"{first[0]}, {second[0]}", first[1] & second[1], (*first[2], *second[2]))
        for first, second in product(left, right)
    ]


def called(dataset: AttributeDataset, changes: Sequence[Change]) -> tuple[Change, ...]:
    """The same changes with their people in the data's own words."""

    def words(change: Change) -> str:
        members = [Member(*shared) for shared in change.properties]
        return group_name(dataset, members) if members else ""

    return tuple(replace(change, called=change.called or words(change)) for change in changes)


def cells(dataset: AttributeDataset, features: FeatureSet, attribute: str) -> list[Group]:
    """Everybody by class and level of the attribute."""
    return _crossed(_levels(dataset.target, features), _levels(dataset.attribute(attribute), features))
