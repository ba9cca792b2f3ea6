"""What networks answer to one part of the people and to their twins, as logits: two networks are mixed by
mixing these, in milliseconds, at any depth.

    mixed = (1 - t) logits of the original + t logits of the repaired
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from fmd_core.data import Array, AttributeDataset, FeatureSet, group_codes
from fmd_core.heads.protocol import Head
from fmd_core.intervals import MIN_PEOPLE
from fmd_core.measure.calibration import fitted_temperature
from fmd_core.measure.verdict.sentences import group_name
from fmd_core.measure.verdict.values import Member
from fmd_core.showing import one_line
from fmd_core.twins.pairs import CounterfactualPairs

Sides = tuple[Array, Array]
COUNTED = 10
"""People of whom a share decides something: of fewer it is luck."""


@dataclass(frozen=True, eq=False)
class Asked:
    """People of one part, their twins and, where twins are other people, their placebo twins."""

    people: FeatureSet
    levels: Array
    """(n,) attribute level of each person."""
    pairs: CounterfactualPairs | None
    placebo: CounterfactualPairs | None
    lacks_group: bool = False
    """Whether nobody is here of some class and level that the data have."""
    why_not: str = ""
    """Why these people admit no change, whatever it does to them, in a clause; '' where they may."""

    @cached_property
    def groups(self) -> Array:
        """(n,) a number for each class and attribute level."""
        return group_codes(self.people.labels, self.levels)

    def answers(self, head: Head) -> Logits:
        """What a head on these features answers to everybody."""

        def log(features: Array) -> Array:
            return np.log(np.maximum(head.probabilities(features), np.finfo("float64").tiny))

        def sides(pairs: CounterfactualPairs | None) -> Sides | None:
            return None if pairs is None else (log(pairs.favoured.features), log(pairs.other.features))

        return Logits(log(self.people.features), sides(self.pairs), sides(self.placebo))

    @classmethod
    def together(cls, parts: Sequence[Asked]) -> Asked:
        """The people of several parts as those of one; of twins there are some only where every part has them."""
        people = FeatureSet.joined([part.people for part in parts])
        levels = np.concatenate([part.levels for part in parts])
        pairs = [part.pairs for part in parts if part.pairs is not None]
        placebo = [part.placebo for part in parts if part.placebo is not None]
        return cls(
            people, levels, joined_pairs(pairs) if len(pairs) == len(parts) else None,
            joined_pairs(placebo) if len(placebo) == len(parts) else None,
            all(part.lacks_group for part in parts), next((part.why_not for part in parts if part.why_not), ""),
        )  # fmt: skip

    def temperature(self, logits: Logits) -> float:
        """What suits these people's answers; of validation people, the one that test people are judged at."""
        return fitted_temperature(logits.people, self.people.labels)


@dataclass(frozen=True, eq=False)
class Logits:
    """Logits, up to a number for each person, of people (n, C), twins and placebo twins, (m, C) a side."""

    people: Array
    twins: Sides | None
    placebo: Sides | None

    @classmethod
    def together(cls, parts: Sequence[Logits]) -> Logits:
        """Answers to several parts in the order of `Asked.together`."""

        def sides(of: Sequence[Sides | None]) -> Sides | None:
            known = [both for both in of if both is not None]
            if len(known) < len(of):
                return None
            return np.concatenate([one for one, _ in known]), np.concatenate([two for _, two in known])

        return cls(
            np.concatenate([part.people for part in parts]),
            sides([part.twins for part in parts]), sides([part.placebo for part in parts]),
        )  # fmt: skip

    def moved(self, by: Array) -> Logits:
        """`by` (C,) added to everybody's logits."""

        def both(sides: Sides | None) -> Sides | None:
            return None if sides is None else (sides[0] + by, sides[1] + by)

        return Logits(self.people + by, both(self.twins), both(self.placebo))

    def mixed(self, other: Logits, share: float) -> Logits:
        """`share` of the way to `other`."""

        def mix(one: Array, two: Array) -> Array:
            return (1 - share) * one + share * two

        def sides(one: Sides | None, two: Sides | None) -> Sides | None:
            return None if one is None or two is None else (mix(one[0], two[0]), mix(one[1], two[1]))

        return Logits(
            mix(self.people, other.people), sides(self.twins, other.twins), sides(self.placebo, other.placebo)
        )


@dataclass(frozen=True)
class GroupRate:
    """How many people of one class and attribute level are answered right."""

    label: int
    level: int
    value: float
    n: int

    def called(self, dataset: AttributeDataset, attribute: str) -> str:
        """What these people are called: 'blond men'."""
        column, target = dataset.attribute(attribute), dataset.target
        members = Member(target.name, target.levels[self.label]), Member(attribute, column.levels[self.level])
        return group_name(dataset, members)

    @property
    def error(self) -> float:
        """Standard error of the rate, drawn a little to the middle (Agresti and Coull 1998): in a group of a handful
        everybody may be answered right by luck."""
        n, rate = self.n + 4, (self.n * self.value + 2) / (self.n + 4)
        return float(np.sqrt(rate * (1 - rate) / n))


@dataclass(frozen=True)
class Gap:
    """The distance between the level with the highest and that with the lowest rate, of those with at least 10
    people."""

    value: float
    error: float
    """Standard error."""
    people: int
    """How many the smaller of the two levels has, at the least."""


def _mean_gap(rates: Sequence[GroupRate]) -> Gap | None:
    """Over the answers: of two the second alone, since the other's is the same or another question."""
    answers = sorted({rate.label for rate in rates})
    found = []
    for answer in answers[1:] if len(answers) == 2 else answers:
        levels = [rate for rate in rates if rate.label == answer and rate.n >= COUNTED]
        if len(levels) > 1:
            top, low = (of(levels, key=lambda rate: rate.value) for of in (max, min))
            error = float(np.hypot(top.error, low.error))
            found.append(Gap(top.value - low.value, error, min(top.n, low.n)))
    if not found:
        return None
    return Gap(
        float(np.mean([gap.value for gap in found])),
        float(np.sqrt(np.sum([gap.error**2 for gap in found]))) / len(found),
        min(gap.people for gap in found),
    )


@dataclass(frozen=True)
class Figures:
    """What a network does to people. Shares lie in [0, 1]."""

    accuracy: float
    balanced: float
    """Mean over the groups of class and attribute level: every group counts alike."""
    groups: tuple[GroupRate, ...]
    answered: frozenset[int]
    """Classes that somebody is answered."""
    bias: float | None
    """B between twins, less that between placebo twins where there are some; None without twins."""
    calibrated: float | None
    """The same of probabilities at the temperature that suits."""
    calibrated_error: float
    """Standard error of `calibrated`."""
    flips: float | None
    """Share of twins who get another answer, less that of placebo twins."""
    temperature: float
    selected: tuple[GroupRate, ...] = ()
    """How many people of each level get each answer, whatever their class."""

    @property
    def parity(self) -> Gap | None:
        """How far levels lie apart in how often they get an answer; of more than two answers the mean."""
        return _mean_gap(self.selected)

    @property
    def opportunity(self) -> Gap | None:
        """The same among people whose true class the answer is."""
        return _mean_gap(self.groups)

    @property
    def decisive(self) -> GroupRate | None:
        """The group that is answered right least often, of those with at least 10 people; None where none has."""
        return min((g for g in self.groups if g.n >= COUNTED), key=lambda group: group.value, default=None)

    @property
    def balanced_error(self) -> float:
        """Standard error of `balanced`."""
        return float(np.sqrt(sum(group.error**2 for group in self.groups))) / len(self.groups)

    @property
    def worst(self) -> GroupRate:
        """The group that is answered right least often, of those with at least 30 people; of all where none has."""
        enough = [g for g in self.groups if g.n >= MIN_PEOPLE] or list(self.groups)
        return min(enough, key=lambda group: group.value)

    def __repr__(self) -> str:
        worst = self.worst
        return one_line(
            self, f"accuracy {self.accuracy:.3f}", f"balanced {self.balanced:.3f}",
            f"worst group {worst.value:.3f} of {worst.n}",
            "" if self.bias is None else f"bias {self.bias:.3f}, calibrated {self.calibrated:.3f}",
            "" if self.flips is None else f"flips {self.flips:.3f}",
        )  # fmt: skip


def figures_of(asked: Asked, logits: Logits, temperature: float | None = None) -> Figures:
    """Figures of one part of the people. `temperature` is that of validation people; None: fitted here."""
    labels = asked.people.labels
    answers = logits.people.argmax(axis=1)
    right = answers == labels
    width = 1 + int(asked.levels.max(initial=0))
    inside = {int(g): asked.groups == g for g in np.unique(asked.groups)}
    groups = tuple(
        GroupRate(g // width, g % width, float(right[those].mean()), int(those.sum()))
        for g, those in inside.items()
    )
    at_level = {int(level): asked.levels == level for level in np.unique(asked.levels)}
    selected = tuple(
        GroupRate(answer, level, float((answers[those] == answer).mean()), int(those.sum()))
        for answer in range(logits.people.shape[1])
        for level, those in at_level.items()
    )
    heat = asked.temperature(logits) if temperature is None else temperature
    bias, calibrated, flips, error = None, None, None, 0.0
    if logits.twins is not None and asked.pairs is not None:
        floor = None if asked.placebo is None else asked.placebo.labels
        of_twins, of_placebo = (logits.twins, asked.pairs.labels), (logits.placebo, floor)
        bias = _less(_gaps(1.0), of_twins, of_placebo)[0]
        calibrated, error = _less(_gaps(heat), of_twins, of_placebo)
        flips = _less(_changed, of_twins, of_placebo)[0]
    return Figures(
        accuracy=float(right.mean()),
        balanced=float(np.mean([group.value for group in groups])),
        groups=groups,
        answered=frozenset(answers.tolist()),
        bias=bias,
        calibrated=calibrated,
        calibrated_error=error,
        flips=flips,
        temperature=heat,
        selected=selected,
    )


def joined_pairs(parts: Sequence[CounterfactualPairs]) -> CounterfactualPairs:
    """The pairs of several parts."""

    def of(name: str) -> Array:
        return np.concatenate([getattr(part, name) for part in parts])

    return CounterfactualPairs(
        parts[0].attribute, parts[0].method, FeatureSet.joined([part.favoured for part in parts]),
        FeatureSet.joined([part.other for part in parts]), of("favoured_codes"), of("other_codes"), of("own_codes"),
        of("rows"), of("distance"),
    )  # fmt: skip


Of = Callable[[Sides, Array], Array]


def _less(
    of: Of, twins: tuple[Sides, Array], placebo: tuple[Sides | None, Array | None]
) -> tuple[float, float]:
    """Mean over twins less the mean over placebo twins, and its standard error."""
    found = of(*twins)
    value, variance = float(found.mean()), float(found.var() / len(found))
    if placebo[0] is not None and placebo[1] is not None:
        floor = of(placebo[0], placebo[1])
        value, variance = value - float(floor.mean()), variance + float(floor.var() / len(floor))
    return value, float(np.sqrt(variance))


def _gaps(temperature: float) -> Of:
    """| P(y | c) - P(y | c̄) | of each pair."""
    from scipy.special import softmax

    def gaps(sides: Sides, labels: Array) -> Array:
        pick = np.arange(len(labels)), labels
        one, two = (softmax(side / temperature, axis=1)[pick] for side in sides)
        return np.asarray(np.abs(one - two))

    return gaps


def _changed(sides: Sides, labels: Array) -> Array:  # noqa: ARG001  as `_gaps`
    return np.asarray(sides[0].argmax(axis=1) != sides[1].argmax(axis=1), dtype="float64")
