"""What unlearning changed for people who had no part in it, and the verdict on it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from fmd_core.data import Array
from fmd_core.figures import count, points
from fmd_core.measure.bias_functions import FairnessMeasure
from fmd_core.measure.changes import Change, losers_first
from fmd_core.showing import figure_in_points, one_line, table

if TYPE_CHECKING:
    import pandas as pd

Verdict = Literal["improved", "mixed", "no evidence", "worse", "unchanged"]
LOSS_TOLERANCE = 0.01  # a group may lose as much before it counts against a change, as a share
ROUNDING = 1e-3  # a calibrated bias that moves by less has not moved: a fitted temperature is no more exact


@dataclass(frozen=True, eq=False)
class Comparison:
    """What unlearning changed for held-out people. All shares lie in [0, 1]."""

    attribute: str
    bias: Change
    flips: Change
    accuracy: Change
    aligned_accuracy: Change
    conflicting_accuracy: Change
    groups: tuple[Change, ...]
    """Accuracy by bias-aligned or not, class and attribute level: those who lost beyond chance first, then
    by size of the loss, unmeasurable last."""
    confusion_before: Array  # (K, K) counts, rows true class, columns answer
    confusion_after: Array
    rows: Array  # (n,) row of each person in the data set
    predicted_before: Array  # (n,)
    predicted_after: Array  # (n,)
    truth: Array  # (n,) true class of each person
    classes: tuple[str, ...]
    excess: Change | None = None
    """Bias minus that of placebo twins, for matched twins only."""
    gap: Change | None = None
    """The gap between groups, or of one group behind everybody else, where that is the measure."""
    intersections: tuple[Change, ...] = ()
    """The same as `groups` for those who share two properties, where there are enough people."""
    cells: tuple[Change, ...] = ()
    """Accuracy of every class x level of the attribute, in their order: whom a fix is for."""
    own: Change | None = None
    """How often those are right whose lag is judged, where that is the measure; None where nobody can say."""
    measure: FairnessMeasure = "counterfactual"
    called: str = ""
    """The attribute as a sentence calls it, 'sex' for CelebA's 'male'; '' where nobody said."""
    calibrated: Change | None = None
    """What is `judged`, of both models at the temperature that suits validation people: as sure as they are right.
    None where no validation people were given; without a figure where they are too few."""

    @property
    def judged(self) -> Change:
        """The change that the verdict rests on: of the measure chosen, and of twins beyond the placebo."""
        return self.gap or self.excess or self.bias

    @property
    def is_flatter(self) -> bool:
        """Whether what is judged fell only because the answers became flatter: with both models as sure as they are
        right there is no evidence that it fell, or nobody can say."""
        return self.judged.fell and self.calibrated is not None and not self.is_calibrated_better

    @property
    def is_calibrated_better(self) -> bool:
        """Whether what is judged fell with both models as sure as they are right."""
        return self._has_calibrated(-1)

    @property
    def is_calibrated_worse(self) -> bool:
        """Whether it rose."""
        return self._has_calibrated(1)

    def _has_calibrated(self, sign: int) -> bool:
        """Whether calibrated bias rose (1) or fell (-1), by more than chance and rounding."""
        if self.calibrated is None or not self.calibrated.is_beyond_chance:
            return False
        return sign * (self.calibrated.difference.value or 0.0) > ROUNDING

    @property
    def changed(self) -> Array:
        """Positions of the people whose answer changed, (c,)."""
        return np.flatnonzero(self.predicted_before != self.predicted_after)

    @property
    def gained(self) -> Array:
        """Positions of the people who are answered right now and were not, (g,)."""
        return np.flatnonzero((self.predicted_before != self.truth) & (self.predicted_after == self.truth))

    @property
    def lost(self) -> Array:
        """Positions of the people who are answered wrong now and were right, (l,)."""
        return np.flatnonzero((self.predicted_before == self.truth) & (self.predicted_after != self.truth))

    @property
    def died(self) -> tuple[int, ...]:
        """Classes that were answered before, are somebody's true class, and are never answered any more."""
        dead = (self.confusion_before.sum(axis=0) > 0) & (self.confusion_after.sum(axis=0) == 0)
        return tuple(int(c) for c in np.flatnonzero(dead & (self.confusion_before.sum(axis=1) > 0)))

    @property
    def worst_before(self) -> Change | None:
        """The class x level whom the model before served worst; None where no cell has enough people."""
        return min(self._known_cells, key=lambda cell: cell.before.value or 0.0, default=None)

    @property
    def worst_after(self) -> Change | None:
        """The one whom the model after serves worst."""
        return min(self._known_cells, key=lambda cell: cell.after.value or 0.0, default=None)

    @property
    def _known_cells(self) -> list[Change]:
        return [cell for cell in self.cells if cell.before.value is not None and cell.after.value is not None]

    @property
    def is_worst_group_worse(self) -> bool:
        """Whether whoever is served worst now is served worse than whoever was before."""
        was, now = self.worst_before, self.worst_after
        return was is not None and now is not None and (now.after.value or 0) < (was.before.value or 0)

    @property
    def has_costs(self) -> bool:
        """Whether somebody pays: accuracy or a group falls beyond chance, a class died, or whoever is served
        worst is served worse."""
        return bool(self.accuracy.fell or self.payers or self.died or self.is_worst_group_worse)

    @property
    def can_say_who_pays(self) -> bool:
        """Whether accuracy is known, and that of some group."""
        some = (*self.groups, *self.intersections, *self.cells)
        return self.accuracy.after.value is not None and any(c.difference.value is not None for c in some)

    @property
    def verdict(self) -> Verdict:
        """What the change did to people.

        Improved: the bias fell beyond its interval, calibrated too (else the answers became flatter, not fairer), and
        with it what `is_decisive`; and nobody pays (`has_costs`), which could be said. Worse: the bias rose,
        or somebody pays for a bias that cannot be said to have changed, and no group gained. Mixed is what is both.
        A figure that cannot be said, or nothing beyond chance, is no evidence.
        """
        difference = self.judged.difference
        moved = {change.difference.value for change in (self.judged, self.bias)}
        if (
            len(self.changed) == 0 and moved <= {0, None} and moved != {None}
        ):  # of few people nobody knows a lag
            return "unchanged"
        if difference.value is None:
            return "no evidence"
        rose = self.is_calibrated_worse if self.is_flatter else self.judged.rose
        if self.judged.fell and not self.is_flatter:
            return (
                "improved" if self.is_decisive and self.can_say_who_pays and not self.has_costs else "mixed"
            )
        if rose or self.has_costs:
            return "mixed" if any(c.rose for c in (*self.groups, *self.intersections)) else "worse"
        return "no evidence"

    @property
    def is_decisive(self) -> bool:
        """Whether a bias that fell is seen in what people are told: of twins fewer decisions flip beyond chance, and of
        the worst group its own people are right more often, where a lag also falls when everybody else loses."""
        if self.measure == "counterfactual":
            return self.flips.fell
        if self.measure == "worst group":
            return self.own is not None and self.own.rose
        return True

    @property
    def payers(self) -> tuple[Change, ...]:
        """The `losers` who lost more than `LOSS_TOLERANCE`."""
        return tuple(c for c in self.losers if -(c.difference.value or 0) > LOSS_TOLERANCE)

    @property
    def losers(self) -> tuple[Change, ...]:
        """Groups whose accuracy fell by more than chance."""
        return tuple(sorted(self._moved(lambda change: change.fell), key=losers_first))

    @property
    def gainers(self) -> tuple[Change, ...]:
        """Groups whose accuracy rose by more than chance, the largest gain first."""
        return tuple(
            sorted(self._moved(lambda change: change.rose), key=lambda c: -(c.difference.value or 0.0))
        )

    def _moved(self, how: Callable[[Change], bool]) -> list[Change]:
        """Groups that moved, each once. A class x level of the attribute is tested among few (`cells`) and again among
        all pairs of properties: whoever moves in either has moved, for whom the fix is for is not hidden by others."""
        found = [change for change in (*self.groups, *self.intersections) if how(change)]
        named = {frozenset(change.properties) for change in found}
        return found + [c for c in self.cells if how(c) and frozenset(c.properties) not in named]

    def __repr__(self) -> str:
        ends = self.judged.before.value, self.judged.after.value
        bias = "" if ends[0] is None or ends[1] is None else f"{points(ends[0])} to {points(ends[1])} points"
        accuracy = f"accuracy {figure_in_points(self.accuracy.difference)}"
        return one_line(
            self, f"{self.attribute}: {self.verdict}", bias, accuracy, f"{count(len(self.rows))} people"
        )

    def to_frame(self) -> pd.DataFrame:
        """A row for each `Change`, overall figures first, then groups and intersections: see `Change.as_row`."""
        overall = (self.bias, self.excess, self.gap, self.calibrated, self.flips, self.accuracy)
        changes = [*(change for change in overall if change is not None), *self.groups, *self.intersections]
        return table(change.as_row() for change in changes)
