"""What an audit found: figures of every attribute, and of the whole."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fmd_core.figures import count
from fmd_core.intervals import Estimate
from fmd_core.measure.bias_functions import FairnessMeasure
from fmd_core.measure.group_metrics import GroupMetrics
from fmd_core.measure.served_groups import ServedGroup
from fmd_core.showing import Row, figure_columns, figure_in_points, one_line, table

if TYPE_CHECKING:
    import pandas as pd

REPORTED = (
    "bias", "flips", "placebo", "excess", "parity_gap", "opportunity_gap", "predictive_gap", "aligned_accuracy",
    "conflicting_accuracy",
)  # fmt: skip
"""Figures of an attribute that are columns of a report's table."""


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
    worst_lag: Estimate | None = None
    """How much less often the worst of the `groups` is right than everybody else."""

    @property
    def n_unsaid(self) -> int:
        """Of how many of the groups there are too few people to say how well they are served."""
        return sum(group.accuracy.value is None for group in self.groups)

    def by(self, measure: FairnessMeasure) -> Estimate:
        """The figure that a verdict rests on: of twins the excess where there is a placebo, else B."""
        if measure == "counterfactual":
            return self.bias if self.excess is None else self.excess
        gaps = {
            "demographic parity": self.parity_gap,
            "equal opportunity": self.opportunity_gap,
            "predictive equality": self.predictive_gap,
            "worst group": self.worst_lag,
        }
        return gaps[measure] or Estimate.unknown(0, "not measured")

    def favours(self, measure: FairnessMeasure) -> bool:
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
