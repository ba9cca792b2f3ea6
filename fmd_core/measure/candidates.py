"""Whom a comparison asks: a head with what it reads of the people who judge it, and of their twins."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from fmd_core.data import Array, FeatureSet
from fmd_core.errors import DataError
from fmd_core.figures import count
from fmd_core.heads.answering import Answering
from fmd_core.heads.protocol import Head
from fmd_core.measure.calibration import head_temperature, tempered
from fmd_core.showing import one_line
from fmd_core.twins.pairs import CounterfactualPairs


class Judged(Protocol):
    """What biases are compared by: answers to people and to their twins."""

    @property
    def head(self) -> Answering: ...
    @property
    def features(self) -> FeatureSet: ...
    @property
    def pairs(self) -> CounterfactualPairs: ...
    @property
    def placebo(self) -> CounterfactualPairs | None: ...


@dataclass(frozen=True, eq=False)
class Candidate:
    """A head with what it reads of the people who judge it: their features, and their twins'."""

    head: Head
    features: FeatureSet
    pairs: CounterfactualPairs
    placebo: CounterfactualPairs | None = None
    validation: FeatureSet | None = None
    """Validation people as the head reads them, who say how sure it should be; None: nothing is calibrated."""

    def calibrated(self) -> Candidate:
        """The same as sure as it is right of its validation people."""
        assert self.validation is not None, "asked only where validation people were given"
        return replace(self, head=tempered(self.head, head_temperature(self.head, self.validation)))

    def __repr__(self) -> str:
        beside = "" if self.placebo is None else f"{count(len(self.placebo))} placebo pairs"
        return one_line(self, f"{count(len(self.features))} people", f"{self.pairs!r}", beside)


@dataclass(frozen=True, eq=False)
class AnsweringCandidate:
    """People and twins with a head that is only asked for answers."""

    head: Answering
    features: FeatureSet
    pairs: CounterfactualPairs
    placebo: CounterfactualPairs | None = None


def check_same_people(before: Judged, after: Judged) -> None:
    """Refuse two candidates who were not judged by the same people and twins."""
    same = [
        np.array_equal(getattr(was, side), getattr(now, side))
        for was, now in ((before.features, after.features), (before.pairs, after.pairs))
        for side in ("rows", "labels")
    ]
    if not all(same) or (before.placebo is None) != (after.placebo is None):
        raise DataError("The two models were not judged on the same people and twins; pair them alike.")


def places_among(people: Array, some: Array) -> Array:
    """Where each of `some` (m,) stands among `people` (n,), both by their rows in the data set, (m,). Raises DataError
    where somebody is missing."""
    order = np.argsort(people, kind="stable")
    place: Array = order[np.minimum(np.searchsorted(people, some, sorter=order), len(people) - 1)]
    if not np.array_equal(people[place], some):
        raise DataError("The counterfactual pairs hold people who are not among the features.")
    return place
