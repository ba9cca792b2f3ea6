"""Every group with all its figures; none is pooled."""

from __future__ import annotations

from itertools import product

import numpy as np

from fmd_core.data import AttributeDataset
from fmd_core.measure.verdict.answered import Answered, People, classes_of, levels_of
from fmd_core.measure.verdict.sentences import group_name
from fmd_core.measure.verdict.values import Favourable, Group


def group_table(
    dataset: AttributeDataset, answered: Answered, favourable: Favourable | None
) -> tuple[Group, ...]:
    """Every level of every attribute, then every true class of it, in the order of the data."""
    levels = [(group, name) for name in dataset.attributes for group in levels_of(dataset, answered, name)]
    crossed = [of_class & group for (group, _), of_class in product(levels, classes_of(dataset, answered))]
    everybody = People((), np.ones(len(answered), dtype=bool))
    singles = [_group(dataset, answered, group, favourable) for group in (everybody, *(g for g, _ in levels))]
    cells = [_group(dataset, answered, group, None) for group in crossed]
    return tuple(group for group in (*singles, *cells) if group is not None)


def least_right(dataset: AttributeDataset, answered: Answered) -> tuple[Group | None, int]:
    """Of every class and all of `group_table` the one whose answers are least often right, and how many have too few
    people to be among them; None where all have."""
    _, *groups = group_table(dataset, answered, None)
    classes = [_group(dataset, answered, people, None) for people in classes_of(dataset, answered)]
    known = [group for group in (*classes, *groups) if group is not None]
    tested = [group for group in known if group.accuracy.is_enough]
    return min(tested, key=lambda group: group.accuracy.value, default=None), len(known) - len(tested)


def _group(
    dataset: AttributeDataset, answered: Answered, group: People, favourable: Favourable | None
) -> Group | None:
    accuracy = answered.rate(answered.right, group.mask)
    if accuracy is None:
        return None
    name = group_name(dataset, group.members) if group.members else "everybody"
    if favourable is None:
        return Group(name, group.members, accuracy.n, accuracy)
    good = dataset.target.levels.index(favourable.level)
    says, is_good = answered.predicted == good, answered.labels == good
    return Group(
        name,
        group.members,
        accuracy.n,
        accuracy,
        selection_rate=answered.rate(says, group.mask),
        true_positive_rate=answered.rate(says, group.mask & is_good),
        false_positive_rate=answered.rate(says, group.mask & ~is_good),
        precision=answered.rate(is_good, group.mask & says),
    )
