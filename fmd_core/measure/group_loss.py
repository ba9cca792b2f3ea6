"""How badly one group is served, as a slope can be taken of it: the mean cross-entropy of its people.

    L_G(theta) = mean over x in G of - log P(y | x)

Its influence (Koh and Liang 2017) says which training samples taught the model to fail those people.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from fmd_core.data import Array, AttributeDataset, FeatureSet
from fmd_core.errors import DataError
from fmd_core.figures import count, many
from fmd_core.heads.protocol import Head
from fmd_core.measure.bias_functions import predictions
from fmd_core.measure.served_groups import ServedGroup, served_groups
from fmd_core.showing import one_line

FEWEST_GROUPS = 2  # that are large enough, so that one of them can be the worst


@dataclass(frozen=True, eq=False)
class GroupLoss:
    """The mean loss, in nats, of the people of one class who show one level of an attribute; 0 is to be sure of
    every truth."""

    attribute: str
    people: FeatureSet
    """The group's members, m of them."""
    others: FeatureSet
    """People of the same level and another class, who should teach the model to take members for them."""
    called: str
    """The members in the data's own words: 'blond men'."""
    measure: Literal["worst group"] = "worst group"

    def __post_init__(self) -> None:
        if not len(self.people):
            raise DataError(
                f"There are no {self.called} among these, so nobody can say who taught the model to fail "
                "them; choose another question."
            )

    @classmethod
    def of(
        cls, dataset: AttributeDataset, features: FeatureSet, attribute: str, group: ServedGroup
    ) -> GroupLoss:
        """The loss of a group among the people in `features`. Raises DataError where none of them is there."""
        column, target = dataset.attribute(attribute), dataset.target
        shows = column.codes[features.rows] == column.levels.index(group.level)
        belongs = features.labels == target.levels.index(group.label)
        return cls(attribute, features.subset(shows & belongs), features.subset(shows & ~belongs), group.who)

    @property
    def plants(self) -> tuple[FeatureSet, ...]:
        return self.others, self.people

    def __len__(self) -> int:
        return len(self.people)

    def value(self, head: Head) -> float:
        return float(head.losses(self.people.features, self.people.labels).mean())

    def gradient(self, head: Head) -> Array:
        share = np.full(len(self), 1 / len(self))
        return head.loss_gradient(self.people.features, self.people.labels, share)

    def __repr__(self) -> str:
        return one_line(self, self.called, f"{count(len(self))} people")


def by_service(
    head: Head, dataset: AttributeDataset, features: FeatureSet, attribute: str, least: int
) -> tuple[ServedGroup, ...]:
    """The groups of class and level with at least `least` people, whom `head` answers right least often first. They
    count as in the verdict: by the weights of the data, and rows of one person as one. Raises DataError where no two
    groups have as many: of one group nobody can say that it is the worst."""
    right = predictions(head, features.features) == features.labels
    groups = served_groups(dataset, attribute, features, right, least, is_weighed=True)
    large = tuple(group for group in groups if group.accuracy.value is not None)
    if len(large) < FEWEST_GROUPS:
        raise DataError(nobody_large(dataset, attribute, least))
    return large


def nobody_large(dataset: AttributeDataset, attribute: str, least: int) -> str:
    """Why nobody can be called served worst, and what to do."""
    unit = many(dataset.unit)
    return (
        f"No two groups of {dataset.target.name} and {attribute} have {least} {unit} each of those who choose, so who "
        f"is served worst cannot be said; choose something else, or bring more {unit}."
    )
