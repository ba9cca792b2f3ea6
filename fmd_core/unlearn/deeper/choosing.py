"""People who did not teach choose how far to go: steps and share of the way, within what may be lost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fmd_core.data import Array
from fmd_core.showing import Row, one_line, table
from fmd_core.unlearn.deeper.answers import Asked, Figures, Logits, figures_of
from fmd_core.unlearn.deeper.improving import find_improvement
from fmd_core.unlearn.deeper.settings import Improve
from fmd_core.unlearn.guarded_path import ROUNDING, TOLERANCE

if TYPE_CHECKING:
    import pandas as pd

SHARES = tuple(place / 20 for place in range(1, 21))
"""Of the way from the original to what learned on: logits are mixed, so that a finer step costs milliseconds."""
RESTORED = (0.0, 0.25, 0.5, 0.75, 1.0)
"""How much of the correction for how often each class was shown is tried."""


@dataclass(frozen=True, eq=False)
class DeeperPoint:
    """A network between the original (share 0) and one that learned on for `steps` steps (share 1)."""

    steps: int
    share: float
    figures: Figures
    refusal: str
    """Why the guard refuses it, '' where it is admitted."""
    restored: float = 0.0
    """How much of how often each class occurs was given back to what learned on, 0 to 1: see `prior_correction`."""

    def __repr__(self) -> str:
        said = f"refused: {self.refusal}" if self.refusal else "admitted"
        return one_line(
            self,
            f"{self.steps} steps, {100 * self.share:g} % of the way",
            self._restored,
            repr(self.figures),
            said,
        )

    @property
    def _restored(self) -> str:
        return f"{100 * self.restored:g} % restored" if self.restored else ""

    def as_row(self) -> Row:
        """Columns of `DeeperPath.to_frame`."""
        of = self.figures
        return {
            "steps": self.steps, "share": self.share, "restored": self.restored, "accuracy": of.accuracy,
            "balanced": of.balanced, "worst_group": of.worst.value, "worst_group_n": of.worst.n, "bias": of.bias,
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
    """People behind every point: validation people, and external people where neither judged whom they taught."""
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


@dataclass(frozen=True, eq=False)
class Ladder:
    """Every mixture of the original and the networks that learned on, as those who choose see it; how much may be lost
    is not asked yet."""

    original: Figures
    tried: tuple[tuple[int, float, float, Figures], ...]
    """Steps, share of the way, how much was restored, figures."""
    people: int
    least: int
    why_not: str = ""
    """Why nothing but the original is admitted, in a clause; '' where the guard is asked."""

    @classmethod
    def of(
        cls,
        asked: Asked,
        original: Logits,
        repaired: Mapping[int, Logits],
        shares: Sequence[float] = SHARES,
        correction: Array | None = None,
    ) -> Ladder:
        """The mixtures of `original` and each in `repaired`, by steps, at `shares` of the way; where there is a
        `correction` (C,) of logits, with several parts of it as well."""
        before = figures_of(asked, original)
        tried = tuple(
            (steps, share, restored, figures_of(asked, original.mixed(moved, share)))
            for steps, logits in repaired.items()
            for restored in ((0.0,) if correction is None else RESTORED)
            for moved in [logits if correction is None else logits.moved(restored * correction)]
            for share in shares
        )
        least = 0 if asked.lacks_group else min(group.n for group in before.groups)
        return cls(before, tried, len(asked.people), least, asked.why_not)

    def choose(
        self, improve: Improve, tolerance: float = TOLERANCE, classes: Sequence[str] = ()
    ) -> DeeperPath:
        """The path of those who let so much be lost; see `choose`."""
        start = DeeperPoint(0, 0.0, self.original, "")
        points = [start] + [
            DeeperPoint(
                steps,
                share,
                found,
                self.why_not or _refusal(self.original, found, tolerance, classes),
                restored,
            )
            for steps, share, restored, found in self.tried
        ]
        admitted = [point for point in points if not point.refusal]
        return DeeperPath(tuple(points), _furthest(admitted, improve), tolerance, self.people, self.least)


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
    """Judge every mixture, by `shares`, of the original and the networks in `repaired`, by steps, on people who did
    not teach them.

    Admitted is what loses no more than `tolerance` of overall accuracy, gives up no class, and makes neither the worst
    group (of those with at least 10 people; fewer decide nothing) worse nor the calibrated bias larger by more than one
    standard error. Chosen is, of what is admitted, the best by what should improve (`improving`); of those that lie
    within its standard error of it, the one that went furthest: the smallest group is often a handful, and which of
    the best serves it best is luck.
    """
    return Ladder.of(asked, original, repaired, shares).choose(improve, tolerance, classes)


def _furthest(admitted: Sequence[DeeperPoint], improve: Improve) -> DeeperPoint:
    """Of the points that cannot be told from the best one and are better than the original, which comes first, that
    with the largest share of the way, then the one that gives back least, then of steps; the original where none is
    better, or nobody can say."""
    loss = find_improvement(improve).loss
    original = admitted[0]
    known = [(found, point) for point in admitted if (found := loss(point.figures)) is not None]
    start = loss(original.figures)
    if start is None:
        return original
    (least, error), _ = min(known, key=lambda one: one[0][0])
    better = [(of, point) for (of, _), point in known if of < start[0] - ROUNDING]
    among = [point for of, point in better if of <= least + error + ROUNDING]
    return max(among, key=lambda point: (point.share, -point.restored, point.steps), default=original)


def _refusal(before: Figures, after: Figures, tolerance: float, classes: Sequence[str]) -> str:
    lost = before.accuracy - after.accuracy
    if lost > tolerance + ROUNDING:
        return f"accuracy falls by {100 * lost:.1f} points, more than the {100 * tolerance:g} allowed"
    if died := before.answered - after.answered:
        gone = min(died)
        return f"{classes[gone] if classes else f'class {gone}'} is never answered any more"
    was, now = before.decisive, after.decisive
    if was is not None and now is not None and now.value < was.value - was.error - ROUNDING:
        return f"the worst group falls from {100 * was.value:.1f} to {100 * now.value:.1f} % of {now.n}"
    if before.calibrated is not None and after.calibrated is not None:
        rise = after.calibrated - before.calibrated
        if rise > before.calibrated_error + ROUNDING:
            return f"the bias at equal sureness rises by {100 * rise:.1f} points, beyond its error"
    return ""
