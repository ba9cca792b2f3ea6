"""The account of forgetting: what can still be read of an attribute, and what that cost.

Before and after are seen through the features that each gives the same people, so that the encoder may have
changed as well. Fresh probes are the only judge (see `fmd_core.forget.probes`); within the target classes,
for what the class gives away must stay.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from fmd_core.data import Array, AttributeDataset, FeatureSet
from fmd_core.errors import DataError, ModelError
from fmd_core.figures import count, in_points, percent
from fmd_core.forget.erasure import Erased
from fmd_core.forget.probes import Kind, ProbeResult, probe
from fmd_core.heads.linear import LinearHead
from fmd_core.measure.bias_functions import predictions
from fmd_core.measure.candidates import Candidate
from fmd_core.measure.changes import Change, rate_changes
from fmd_core.measure.comparing import compare_candidates
from fmd_core.measure.comparison import Comparison
from fmd_core.measure.counting import Counting
from fmd_core.measure.verdict.sentences import group_name
from fmd_core.measure.verdict.values import Member
from fmd_core.showing import Row, one_line, table
from fmd_core.twins.pairs import CounterfactualPairs

if TYPE_CHECKING:
    import pandas as pd

NO_TWINS: Mapping[str, CounterfactualPairs] = MappingProxyType({})


@dataclass(frozen=True, eq=False)
class Seen:
    """A model as some people show it: its last layer and what that reads."""

    head: LinearHead
    teachers: FeatureSet
    """Those whose features teach the probes: people who had no part in training or in forgetting."""
    judges: FeatureSet
    """Held-out people, others than the teachers."""
    twins: Mapping[str, CounterfactualPairs] = field(default_factory=lambda: NO_TWINS)
    """By attribute, of the judges."""
    placebos: Mapping[str, CounterfactualPairs] = field(default_factory=lambda: NO_TWINS)

    def after(self, erased: Erased) -> Seen:
        """The same people after an erasure, which leaves the encoder as it is."""
        erasure = erased.erasure

        def sides(found: Mapping[str, CounterfactualPairs]) -> dict[str, CounterfactualPairs]:
            return {
                name: replace(p, favoured=erasure.people(p.favoured), other=erasure.people(p.other))
                for name, p in found.items()
            }

        people = erasure.people(self.teachers), erasure.people(self.judges)
        return Seen(erased.refitted, *people, sides(self.twins), sides(self.placebos))

    def __repr__(self) -> str:
        twins = f"twins by {', '.join(self.twins)}" if self.twins else ""
        return one_line(
            self,
            f"{count(len(self.judges))} judges",
            f"{count(len(self.teachers))} teachers",
            f"{self.head!r}",
            twins,
        )


@dataclass(frozen=True, eq=False)
class Reading:
    """What one kind of fresh probe reads of one attribute, before and after."""

    attribute: str
    kind: Kind
    before: ProbeResult
    after: ProbeResult

    def __repr__(self) -> str:
        ends = f"{percent(self.before.accuracy)} to {percent(self.after.accuracy)}"
        return one_line(
            self, f"{self.attribute} by {self.kind}: {ends}", f"chance {percent(self.after.chance)}"
        )

    def as_row(self) -> Row:
        """Columns of `Forgetting.to_frame`."""
        row: dict[str, object] = {"attribute": self.attribute, "reader": self.kind, "n": self.after.n}
        for name, result in (("before", self.before), ("after", self.after)):
            row |= dict(
                zip((name, f"{name}_low", f"{name}_high"), (result.accuracy, *result.interval), strict=True)
            )
        return row | {"chance": self.after.chance}


@dataclass(frozen=True, eq=False)
class Forgetting:
    """What was forgotten and what it cost."""

    readings: tuple[Reading, ...]
    """By attribute, linear first."""
    accuracy: Change
    """Of the task, on the judges, paired by person."""
    comparisons: tuple[Comparison, ...]
    """Counterfactual bias and groups, of the attributes that have twins."""
    seconds: float
    """What forgetting took, from features to heads; judging not counted."""
    classes: tuple[Change, ...] = ()
    """Of the judges, how many of each true class are recognised, in the order of the classes."""
    majority: float | None = None
    """Share of the judges for whom one and the same answer is right, and which that is."""
    majority_class: str = ""
    reliance: Change | None = None
    """How far hiding a pattern, the change's group, moves the probability of the true class; of a forgotten pattern."""

    @property
    def attributes(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(r.attribute for r in self.readings))

    def reading(self, attribute: str, kind: Kind) -> Reading:
        """The reading of one attribute by one kind of probe."""
        return next(r for r in self.readings if (r.attribute, r.kind) == (attribute, kind))

    def __repr__(self) -> str:
        read = [
            f"{r.attribute} by {r.kind}: {percent(r.before.accuracy, 0)} to {percent(r.after.accuracy, 0)}"
            for r in self.readings
        ]
        task = self.accuracy.difference.value
        return one_line(self, *read, "" if task is None else f"task {in_points([task])(task)} points")

    def to_frame(self) -> pd.DataFrame:
        """A row for each attribute and kind of probe: `attribute`, `reader`, `n` people, how many of them it tells
        right `before` and `after` (shares, each with `_low` and `_high`, its 95 % interval) and by `chance`."""
        return table(reading.as_row() for reading in self.readings)


def judge_forgetting(
    before: Seen,
    after: Seen,
    dataset: AttributeDataset,
    attributes: Sequence[str],
    *,
    seconds: float,
    seeds: Sequence[int] = (0, 1, 2),
) -> Forgetting:
    """Read `attributes` with fresh probes before and after, and compare the answers to the task.

    Raises DataError when before and after do not show the same people, or teachers are among the judges.

    Examples
    --------
    >>> erased = fmd.erase(model.head, data, people["train"], ["colour"], damping=model.damping)
    >>> before = fmd.Seen(model.head, people["external"], people["test"])
    >>> forgetting = fmd.judge_forgetting(
    ...     before, before.after(erased), data, ["colour"], seconds=erased.seconds, seeds=(0,)
    ... )
    >>> forgetting
    Forgetting(colour by linear: 99 % to 50 %, colour by mlp: ... % to ... %, task +... points)
    >>> fmd.forgetting_sentence(forgetting)
    'Colour can still be read: a linear reader tells it for 50 % (before 99 %)...'
    """
    _check(before, after)
    kinds: tuple[Kind, ...] = ("linear", "mlp")
    readings = [
        Reading(name, kind, *(_read(seen, dataset, name, kind, seeds) for seen in (before, after)))
        for name in dict.fromkeys(attributes)
        for kind in kinds
    ]
    right = [predictions(seen.head, seen.judges.features) == seen.judges.labels for seen in (before, after)]
    counting = Counting.of(dataset, before.judges.rows)
    everyone = rate_changes([("", np.ones(len(before.judges), dtype=bool), ())], *right, counting=counting)[0]
    comparisons = [
        compare_candidates(_candidate(before, name), _candidate(after, name), dataset)
        for name in dict.fromkeys(attributes)
        if name in before.twins
    ]
    classes, (majority, commonest) = (
        _class_changes(before.judges, dataset, *right),
        _majority(before, dataset),
    )
    return Forgetting(tuple(readings), everyone, tuple(comparisons), seconds, classes, majority, commonest)


def _class_changes(
    judges: FeatureSet, dataset: AttributeDataset, before: Array, after: Array
) -> tuple[Change, ...]:
    """Hit rate of every class, by whom is right (n,) before and after."""
    target = dataset.target
    groups = [
        (level, judges.labels == code, ((target.name, level),)) for code, level in enumerate(target.levels)
    ]
    return tuple(
        replace(change, name="hit rate", called=group_name(dataset, (Member(target.name, change.group),)))
        for change in rate_changes(groups, before, after, counting=Counting.of(dataset, judges.rows))
    )


def _majority(seen: Seen, dataset: AttributeDataset) -> tuple[float, str]:
    counts = np.bincount(seen.judges.labels, minlength=len(dataset.target.levels))
    return float(counts.max() / counts.sum()), dataset.target.levels[int(counts.argmax())]


def _read(seen: Seen, dataset: AttributeDataset, name: str, kind: Kind, seeds: Sequence[int]) -> ProbeResult:
    codes = dataset.attribute(name).codes
    sides = [(people.features, codes[people.rows]) for people in (seen.teachers, seen.judges)]
    strata = seen.teachers.labels, seen.judges.labels
    return probe(
        *sides[0], *sides[1], kind=kind, seeds=seeds, train_strata=strata[0], test_strata=strata[1],
        test_persons=None if dataset.persons is None else dataset.persons[seen.judges.rows],
    )  # fmt: skip


def _candidate(seen: Seen, name: str) -> Candidate:
    if name not in seen.twins:
        raise DataError(f"There are twins by '{name}' before, but none after; make them for both models.")
    return Candidate(seen.head, seen.judges, seen.twins[name], seen.placebos.get(name))


def _check(before: Seen, after: Seen) -> None:
    for seen in (before, after):
        if not isinstance(seen.head, LinearHead):
            raise ModelError("Forgetting is judged at the last layer; open the model there.")
        if np.intersect1d(seen.teachers.rows, seen.judges.rows).size:
            raise DataError(
                "Some people both teach and judge the probes; take two splits that do not overlap."
            )
    if not np.array_equal(before.judges.rows, after.judges.rows):
        raise DataError("Before and after show different people; encode the same rows with both models.")
    if not np.array_equal(before.teachers.rows, after.teachers.rows):
        raise DataError(
            "Before and after are read with different teachers; encode the same rows with both models."
        )
