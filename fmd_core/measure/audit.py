"""The audit of a model on held-out people.

Twins who are two real people differ in more than the attribute; then the excess over placebo twins,
who share the attribute, is what the attribute does.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from fmd_core.data import Array, AttributeDataset, FeatureSet
from fmd_core.errors import DataError
from fmd_core.figures import count
from fmd_core.heads.answering import Answering, Told
from fmd_core.heads.protocol import Head
from fmd_core.intervals import (
    MIN_PEOPLE,
    Estimate,
    estimate_from_draws,
    joint_bootstrap_means,
    mean_estimates,
    rate_estimate,
)
from fmd_core.measure.bias_functions import (
    MEASURES,
    GroupGap,
    Measure,
    pair_differences,
    pair_flips,
    predictions,
)
from fmd_core.measure.group_metrics import GroupCells, GroupMetrics
from fmd_core.measure.verdict.sentences import group_name
from fmd_core.measure.verdict.values import Member
from fmd_core.showing import Row, figure_columns, figure_in_points, one_line, table
from fmd_core.twins.pairs import CounterfactualPairs

if TYPE_CHECKING:
    import pandas as pd

REPORTED = (
    "bias", "flips", "placebo", "excess", "parity_gap", "opportunity_gap", "predictive_gap", "aligned_accuracy",
    "conflicting_accuracy",
)  # fmt: skip
"""Figures of an attribute that are columns of a report's table."""


@dataclass(frozen=True)
class ServedGroup:
    """How well people of one class and one attribute level are served."""

    label: str
    level: str
    accuracy: Estimate
    called: str = ""
    """The same people in the data's own words, 'blond men'; '' where nobody said."""

    @property
    def who(self) -> str:
        """Whom it is about, as a sentence calls them."""
        return self.called or f"{self.label}, {self.level}"

    def __repr__(self) -> str:
        return one_line(self, f"{self.label}, {self.level}: {figure_in_points(self.accuracy)}")

    def as_row(self) -> Row:
        """Columns of `AttributeBias.to_frame`."""
        return {"target_class": self.label, "level": self.level} | figure_columns(
            "accuracy", self.accuracy, n="n"
        )


@dataclass(frozen=True)
class AttributeBias:
    """How much one attribute decides the answer."""

    attribute: str
    bias: Estimate
    """Counterfactual bias B, in [0, 1]."""
    flips: Estimate
    """Share of pairs where the answer itself changes."""
    aligned_accuracy: Estimate
    """Accuracy where the sample shows the level that is usual for its class."""
    conflicting_accuracy: Estimate
    metrics: GroupMetrics
    groups: tuple[ServedGroup, ...] = ()
    """Every class and level that occurs, the worst served first; those with too few people last."""
    placebo: Estimate | None = None
    """B between placebo twins, for matched twins only: what matching alone costs."""
    excess: Estimate | None = None
    """B minus the placebo's, paired by person; may be below 0."""
    distance: float = 0.0
    """Median match distance; 0 for exact twins, 1 for two strangers of one class."""
    parity_gap: Estimate | None = None
    """Gap in mean probability between the groups; the interval runs the same way, so it may reach below 0."""
    opportunity_gap: Estimate | None = None
    """The same among those whose true class it is."""
    parity_favours: bool = True
    """Whether it is the usual level that gets the answer more often in `parity_gap`, by probability."""
    opportunity_favours: bool = True
    """The same of `opportunity_gap`."""
    predictive_gap: Estimate | None = None
    """The same among those whose true class it is not: false alarms (predictive equality)."""
    predictive_favours: bool = True
    """The same of `predictive_gap`."""

    def by(self, measure: Measure) -> Estimate:
        """The figure that a verdict rests on: of twins the excess where there is a placebo, else B."""
        if measure == "counterfactual":
            return self.bias if self.excess is None else self.excess
        gaps = {
            "demographic parity": self.parity_gap,
            "equal opportunity": self.opportunity_gap,
            "predictive equality": self.predictive_gap,
        }
        return gaps[measure] or Estimate.unknown(0, "not measured")

    def favours(self, measure: Measure) -> bool:
        """Whether a gap between groups favours those who go with the pattern."""
        favours = {
            "demographic parity": self.parity_favours,
            "equal opportunity": self.opportunity_favours,
            "predictive equality": self.predictive_favours,
        }
        return favours.get(measure, True)

    @property
    def judged(self) -> Estimate:
        """`by` the counterfactual measure."""
        return self.by("counterfactual")

    def __repr__(self) -> str:
        what = "bias" if self.excess is None else "bias beyond placebo twins"
        return one_line(
            self, f"{self.attribute}: {what} {figure_in_points(self.judged)}", f"n = {count(self.judged.n)}"
        )

    def as_row(self) -> Row:
        """Columns of `BiasReport.to_frame`."""
        figures = {name: getattr(self, name) for name in REPORTED}
        row: dict[str, object] = {"attribute": self.attribute, "n": self.bias.n}
        for name, value in figures.items():
            row |= figure_columns(name, value)
        return row | {"distance": self.distance}

    def to_frame(self) -> pd.DataFrame:
        """How well each class and level is served: `target_class`, `level`, `accuracy` with `_low` and `_high` (a
        share and its 95 % interval, missing below 30 people) and `n`; the worst served first."""
        return table(group.as_row() for group in self.groups)


@dataclass(frozen=True)
class BiasReport:
    """The audit of one head on one set of held-out people, worst attribute first."""

    accuracy: Estimate
    attributes: tuple[AttributeBias, ...]

    def __repr__(self) -> str:
        worst = next(iter(self.attributes), None)
        told = (
            "no attribute" if worst is None else f"worst {worst.attribute}: {figure_in_points(worst.judged)}"
        )
        more = f"{len(self.attributes)} attributes" if len(self.attributes) > 1 else ""
        return one_line(self, told, more, f"accuracy {figure_in_points(self.accuracy, '%')}")

    def to_frame(self) -> pd.DataFrame:
        """A row for each attribute, the worst first: `attribute`, `n` (pairs) and the figures of `AttributeBias`
        by its own names, each with `_low` and `_high`, its 95 % interval. All are shares in [0, 1]; what was not
        measured is missing."""
        return table((bias.as_row() for bias in self.attributes), ("attribute", "n", *REPORTED, "distance"))


NO_PLACEBOS: Mapping[str, CounterfactualPairs] = MappingProxyType({})


def audit_bias(
    head: Head,
    dataset: AttributeDataset,
    features: FeatureSet,
    pairs: Sequence[CounterfactualPairs],
    placebos: Mapping[str, CounterfactualPairs] = NO_PLACEBOS,
) -> BiasReport:
    """Measure every attribute that has `pairs`, on the people in `features`; `placebos` by attribute.

    Pairs and features should come from people who had no part in training or in the fix.

    Parameters
    ----------
    head
        Reads `features` (n, d) and answers one of K classes.
    dataset
        Where the people come from: it knows their attributes, and which level is usual for a class.
    features
        The people whose answers are judged, n of them.
    pairs
        Twins of each attribute to measure, from `pair_counterfactuals` of the same split.
    placebos
        Placebo twins of matched pairs, by attribute: their bias is what matching alone costs.

    Returns
    -------
    BiasReport
        Shares in [0, 1] with 95 % intervals, the attribute that decides most first; a figure of fewer than 30
        people has no value, and says so.

    Examples
    --------
    >>> found = fmd.audit_bias(model.head, data, people["test"], [twins["test"]])
    >>> found
    BiasReport(worst colour: 64.1 points (...), accuracy 37.3 % (...))
    >>> found.to_frame()[["attribute", "bias", "flips"]].round(2)
      attribute  bias  flips
    0    colour  0.64   0.62
    """
    told = Told(head)
    predicted = predictions(told, features.features)
    begun = (
        _audit_attribute(told, dataset, features, p, placebos.get(p.attribute), predicted) for p in pairs
    )
    found: list[AttributeBias] = []
    at_once = max(AT_ONCE, AT_ONCE_PEOPLE // max(len(features), 1))
    while some := list(islice(begun, at_once)):
        found += _resampled(some)
    return BiasReport(
        accuracy=measured_accuracy(told, features),
        attributes=tuple(sorted(found, key=lambda a: -(a.judged.value or 0))),
    )


def measured_accuracy(head: Answering, people: FeatureSet) -> Estimate:
    """How often the head is right of these people."""
    right = predictions(head, people.features) == people.labels
    return rate_estimate(right.sum(), len(right))


AT_ONCE, AT_ONCE_PEOPLE = 8, 400_000
"""Attributes whose figures are resampled in one product, at least, and as many as there are so many people of all
together: more are a little faster, but take about 300 bytes of memory for a person and attribute."""
Tables = dict[str, Array]
Measuring = Generator[Tables, Tables, AttributeBias]
"""Gives what is to be resampled, (n, m) by name, is sent the means in resamples, (DRAWS, m), and returns what it
measured."""


def _resampled(some: Sequence[Measuring]) -> list[AttributeBias]:
    """The measurements of some attributes, from one product where they are of as many people."""
    asked = [next(measuring) for measuring in some]
    means = iter(joint_bootstrap_means([values for tables in asked for values in tables.values()]))
    found = []
    for measuring, tables in zip(some, asked, strict=True):
        try:
            measuring.send({name: next(means) for name in tables})
        except StopIteration as done:
            found.append(done.value)
    return found


def _audit_attribute(
    head: Told,
    dataset: AttributeDataset,
    features: FeatureSet,
    pairs: CounterfactualPairs,
    placebo: CounterfactualPairs | None,
    predicted: Array,
) -> Measuring:
    codes = dataset.attribute(pairs.attribute).codes[features.rows]
    privileged = codes[:, None] == dataset.usual_level(pairs.attribute)
    aligned = dataset.bias_aligned(pairs.attribute)[features.rows]
    right = predicted == features.labels
    twins = Told(head.head)  # their answers are asked twice and then let go
    figures = {"bias": np.abs(pair_differences(twins, pairs))[:, None]}
    if placebo is not None:
        figures["placebo"] = _beyond_placebo(twins, pairs, placebo)
    flips = rate_estimate(pair_flips(twins, pairs).sum(), len(pairs))
    cells = GroupCells(features.labels, predicted, privileged)
    gaps = [_gap_or_why(dataset, features, pairs.attribute, m) for m in MEASURES[1:]]
    tables = {name: values for name, values in figures.items() if len(values) >= MIN_PEOPLE}
    if cells.comparable:
        tables["cells"] = cells.per_person
    tables |= {gap.measure: gap_table([head], gap) for gap in gaps if isinstance(gap, GroupGap)}
    draws = yield tables
    parity, opportunity, predictive = (_gap_estimate(head, gap, draws) for gap in gaps)
    means = {name: mean_estimates(values, draws.get(name)) for name, values in figures.items()}
    return AttributeBias(
        attribute=pairs.attribute,
        bias=means["bias"][0],
        flips=flips,
        aligned_accuracy=rate_estimate(right[aligned].sum(), int(aligned.sum())),
        conflicting_accuracy=rate_estimate(right[~aligned].sum(), int((~aligned).sum())),
        metrics=cells.metrics(draws.get("cells")),
        groups=served_groups(dataset, pairs.attribute, features, right),
        placebo=None if placebo is None else means["placebo"][0],
        excess=None if placebo is None else means["placebo"][1],
        distance=float(np.median(pairs.distance)),
        parity_gap=parity[0],
        opportunity_gap=opportunity[0],
        parity_favours=parity[1],
        opportunity_favours=opportunity[1],
        predictive_gap=predictive[0],
        predictive_favours=predictive[1],
    )


def _gap_or_why(
    dataset: AttributeDataset, features: FeatureSet, attribute: str, measure: Measure
) -> GroupGap | Estimate:
    """The gap between the groups of an attribute, or an estimate that says why there is none."""
    try:
        gap = GroupGap.of(dataset, features, attribute, measure)
    except DataError as error:
        return Estimate.refused(str(error))
    people = min(gap_people(gap))
    return Estimate.unknown(people) if people < MIN_PEOPLE else gap


def _gap_estimate(head: Answering, gap: GroupGap | Estimate, draws: Tables) -> tuple[Estimate, bool]:
    """A gap with its interval, in the direction that it has, and whether that favours the usual level."""
    if isinstance(gap, Estimate):
        return gap, True
    favours = gap.signed(head) >= 0
    moved = gaps_drawn(draws[gap.measure])[0]
    return estimate_from_draws(gap.value(head), moved if favours else -moved, gap.n_counted), favours


def gap_people(gap: GroupGap) -> tuple[int, int]:
    """How many people stand on the usual and on the other side of a gap."""
    usual, others = (int(side.any(axis=1).sum()) for side in gap.sides)
    return usual, others


def gap_table(heads: Sequence[Answering], gap: GroupGap) -> Array:
    """Whose means make the signed gap of each head, (n, 2 + 2 heads): how many of each person's answers count on
    either side, and their probabilities by each head."""
    usual, others = gap.sides
    sizes = np.stack([usual.sum(axis=1), others.sum(axis=1)], axis=1)
    given = [head.probabilities(gap.features.features) for head in heads]
    sums = [np.stack([(p * usual).sum(axis=1), (p * others).sum(axis=1)], axis=1) for p in given]
    return np.hstack([sizes, *sums]).astype("float64")


def gaps_drawn(draws: Array) -> list[Array]:
    """The signed gap of each head from means of a `gap_table` (draws, 2 + 2 heads)."""
    size = np.maximum(draws[:, :2], np.finfo("float64").tiny)  # a group that a resample misses says 0
    shares = [draws[:, at : at + 2] / size for at in range(2, draws.shape[1], 2)]
    return [share[:, 0] - share[:, 1] for share in shares]


def served_groups(
    dataset: AttributeDataset, attribute: str, features: FeatureSet, right: Array
) -> tuple[ServedGroup, ...]:
    """Accuracy of every class and attribute level that occurs among the people, the worst first and those with too
    few people last; `right` (n,) says whose answer is right."""
    column, target = dataset.attribute(attribute), dataset.target
    codes = column.codes[features.rows]
    found, n_levels = [], len(column.levels)
    there = np.flatnonzero(np.bincount(features.labels * n_levels + codes))
    for label, level in zip(*np.divmod(there, n_levels), strict=True):
        members = (features.labels == label) & (codes == level)
        accuracy = rate_estimate(right[members].sum(), int(members.sum()))
        of = Member(target.name, target.levels[label]), Member(attribute, column.levels[level])
        found.append(ServedGroup(of[0].level, of[1].level, accuracy, group_name(dataset, of)))
    return tuple(sorted(found, key=lambda g: (g.accuracy.value is None, g.accuracy.value or 0.0)))


def _beyond_placebo(head: Answering, pairs: CounterfactualPairs, placebo: CounterfactualPairs) -> Array:
    """The placebo's distance and the excess over it, of the people who have both twins, (n, 2)."""
    _, own, other = np.intersect1d(pairs.rows, placebo.rows, return_indices=True)
    gap = np.abs(pair_differences(head, pairs))[own]
    floor = np.abs(pair_differences(head, placebo))[other]
    return np.column_stack([floor, gap - floor])
