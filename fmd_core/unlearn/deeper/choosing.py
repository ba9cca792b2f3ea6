"""Validation people choose how far to go: steps and share of the way, within what may be lost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fmd_core.showing import Row, one_line, table
from fmd_core.unlearn.deeper.answers import Asked, Figures, Logits, figures_of
from fmd_core.unlearn.deeper.training import Improve
from fmd_core.unlearn.guarded_path import ROUNDING, TOLERANCE

if TYPE_CHECKING:
    import pandas as pd

SHARES = (0.25, 0.5, 0.75, 1.0)


@dataclass(frozen=True, eq=False)
class DeeperPoint:
    """A network between the original (share 0) and one that learned on for `steps` steps (share 1)."""

    steps: int
    share: float
    figures: Figures
    refusal: str
    """Why the guard refuses it, '' where it is admitted."""

    def __repr__(self) -> str:
        said = f"refused: {self.refusal}" if self.refusal else "admitted"
        return one_line(
            self, f"{self.steps} steps, {100 * self.share:g} % of the way", repr(self.figures), said
        )

    def as_row(self) -> Row:
        """Columns of `DeeperPath.to_frame`."""
        of = self.figures
        return {
            "steps": self.steps, "share": self.share, "accuracy": of.accuracy, "balanced": of.balanced,
            "worst_group": of.worst.value, "worst_group_n": of.worst.n, "bias": of.bias,
            "calibrated_bias": of.calibrated, "flips": of.flips, "admitted": not self.refusal,
            "refusal": self.refusal,
        }  # fmt: skip


@dataclass(frozen=True, eq=False)
class DeeperPath:
    """Every point that was tried, the original first, and the one that validation people would choose."""

    points: tuple[DeeperPoint, ...]
    chosen: DeeperPoint
    """The original where nothing better is admitted."""
    tolerance: float
    people: int
    """Validation people behind every point."""
    least: int
    """How many the smallest group among them has: of a handful the choice says little; 0 where nobody of some group
    is among them."""

    @property
    def original(self) -> DeeperPoint:
        return self.points[0]

    def __repr__(self) -> str:
        admitted = sum(not point.refusal for point in self.points)
        return one_line(self, f"chosen {self.chosen!r}", f"{admitted} of {len(self.points)} admitted")

    def to_frame(self) -> pd.DataFrame:
        """A row for each point: `steps`, `share`, figures of validation people, `admitted`, `refusal`, `chosen`."""
        return table({**point.as_row(), "chosen": point is self.chosen} for point in self.points)


def choose(
    asked: Asked,
    original: Logits,
    repaired: Mapping[int, Logits],
    *,
    improve: Improve,
    tolerance: float = TOLERANCE,
    classes: Sequence[str] = (),
    shares: Sequence[float] = SHARES,
) -> DeeperPath:
    """Judge every mixture, by `shares`, of the original and the networks in `repaired`, by steps, on validation people.

    Admitted is what loses no more than `tolerance` of overall accuracy, gives up no class, and makes neither the worst
    group worse nor the calibrated bias larger by more than one standard error. Chosen is, of what is admitted,
    the least max(B, flips) ("twins"); or of those whose accuracy with every group counted alike lies within one
    standard error of the largest, the one that went furthest ("groups"): the smallest group among validation people
    is often a handful, and which of the best serves it best is luck.
    """
    before = figures_of(asked, original)
    start = DeeperPoint(0, 0.0, before, "")
    points = [start]
    for steps, logits in repaired.items():
        for share in shares:
            found = figures_of(asked, original.mixed(logits, share))
            points.append(DeeperPoint(steps, share, found, _refusal(before, found, tolerance, classes)))
    admitted = [point for point in points if not point.refusal]
    return DeeperPath(
        points=tuple(points),
        chosen=_furthest(admitted) if improve == "groups" else max(admitted, key=_alike),
        tolerance=tolerance,
        people=len(asked.people),
        least=0 if asked.lacks_group else min(group.n for group in before.groups),
    )


def _furthest(admitted: Sequence[DeeperPoint]) -> DeeperPoint:
    """Of the points that cannot be told from the best one and are better than the original, which comes first, that
    with the largest share of the way, then of steps; the original where none is better."""
    original, *others = admitted
    best = max(admitted, key=lambda point: point.figures.balanced)
    least = best.figures.balanced - best.figures.balanced_error
    better = [p for p in others if p.figures.balanced > original.figures.balanced]
    among = [point for point in better if point.figures.balanced >= least]
    return max(among, key=lambda point: (point.share, point.steps), default=original)


def _alike(point: DeeperPoint) -> float:
    return -max(point.figures.bias or 0.0, point.figures.flips or 0.0)


def _refusal(before: Figures, after: Figures, tolerance: float, classes: Sequence[str]) -> str:
    lost = before.accuracy - after.accuracy
    if lost > tolerance + ROUNDING:
        return f"accuracy falls by {100 * lost:.1f} points, more than the {100 * tolerance:g} allowed"
    if died := before.answered - after.answered:
        gone = min(died)
        return f"{classes[gone] if classes else f'class {gone}'} is never answered any more"
    if after.worst.value < before.worst.value - before.worst.error - ROUNDING:
        return f"the worst group falls from {100 * before.worst.value:.1f} to {100 * after.worst.value:.1f} %"
    if before.calibrated is not None and after.calibrated is not None:
        rise = after.calibrated - before.calibrated
        if rise > before.calibrated_error + ROUNDING:
            return f"the bias at equal sureness rises by {100 * rise:.1f} points, beyond its error"
    return ""
