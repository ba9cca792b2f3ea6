"""Every road to a finding within its limit, and the one to suggest: what validation people say of each."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fmd_core.figures import count, percent, points
from fmd_core.measure.verdict.goal import Goal
from fmd_core.measure.verdict.rules import smaller_group
from fmd_core.measure.verdict.values import Finding
from fmd_core.models.depth import DEPTHS
from fmd_core.showing import Row, one_line, table
from fmd_core.study.aim import Aim
from fmd_core.unlearn.aiming import is_within, rank, refused_within
from fmd_core.unlearn.guarded_path import PathPoint, UnlearningPath

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Way:
    """A way to unlearn: against what, how, and how deep."""

    aim: Aim
    strategy: str
    depth: str


@dataclass(frozen=True, eq=False)
class Road:
    """Where a way leads; of its path only what is spoken of."""

    way: Way
    best: PathPoint | None = None
    """The setting to suggest; the original where none is better, None where the way cannot be tried."""
    original: PathPoint | None = None
    refused: PathPoint | None = None
    """The cheapest setting that would be within the limit, had the guard not refused it."""
    why_not: str = ""
    """Why it cannot be tried, in a sentence."""

    @classmethod
    def along(cls, way: Way, path: UnlearningPath) -> Road:
        """The road that a path is, which aims at something."""
        refused = min(refused_within(path), key=lambda point: rank(point, path.original), default=None)
        return cls(way, path.suggested, path.original, refused)

    @property
    def moves(self) -> bool:
        """Whether it leads anywhere: some setting is better than the original."""
        return self.best is not self.original

    @property
    def reaches(self) -> bool:
        """Whether it brings the finding within its limit."""
        return self.best is not None and is_within(self.best)

    def as_row(self) -> Row:
        """A row of `Suggestion.to_frame`."""
        row: dict[str, object] = {
            "strategy": self.way.strategy, "depth": self.way.depth, "aim": self.way.aim.words,
            "why_not": self.why_not,
        }  # fmt: skip
        if self.best is None or self.original is None:
            return row
        best, start = self.best, self.original
        found = best.found
        row |= {"strength": best.result.strength, "blend": best.result.blend, "reaches": self.reaches}
        if found is not None:
            row |= {"value": found.value, "low": found.low, "high": found.high, "n": smaller_group(found)}
        worst = ("" if p.worst is None else p.worst.name for p in (start, best))
        served = (None if p.worst is None else p.worst.accuracy for p in (start, best))
        return row | {
            "bias": best.bias, "decided": best.decided, "accuracy": best.accuracy,
            "accuracy_before": start.accuracy, "changed": best.changed,
            **dict(zip(("worst_before", "worst_after"), worst, strict=True)),
            **dict(zip(("worst_accuracy_before", "worst_accuracy_after"), served, strict=True)),
        }  # fmt: skip

    def __repr__(self) -> str:
        where = f"{self.way.strategy}, {self.way.depth}, {self.way.aim.words}"
        best = self.best
        if best is None or best.found is None:
            return one_line(self, where, self.why_not)
        ends = f"{points(best.found.value)} points, n = {count(best.found.n)}"
        return one_line(self, where, ends, f"accuracy {percent(best.accuracy)}", "within" * self.reaches)


@dataclass(frozen=True, eq=False)
class Suggestion:
    """Every road that was tried, best first, and what had to come within its limit."""

    goal: Goal
    before: Finding | None
    """What validation people say of the original; None where they cannot say."""
    roads: tuple[Road, ...]

    @classmethod
    def of(cls, goal: Goal, before: Finding | None, roads: Iterable[Road]) -> Suggestion:
        """The roads ranked by the order of `fmd_core.unlearn.aiming`; those that cannot be tried last."""
        return cls(goal, before, tuple(sorted(roads, key=_place)))

    @property
    def best(self) -> Road | None:
        """The road to take: the cheapest that reaches the limit, else the nearest; None where no setting is better
        than the original."""
        return next((road for road in self.roads if road.moves), None)

    @property
    def refused(self) -> Road | None:
        """The road with the cheapest setting that would be within the limit, had the guard not refused it."""
        ranked = [(rank(r.refused, r.original), r) for r in self.roads if r.refused and r.original]
        return min(ranked, key=lambda one: one[0], default=(None, None))[1]

    @property
    def is_reached(self) -> bool:
        """Whether any road brings the finding within its limit, or it is there already."""
        return any(road.reaches for road in self.roads)

    def __repr__(self) -> str:
        best = "none is better than the original" if self.best is None else f"best {self.best!r}"
        return one_line(self, f"{count(len(self.roads))} roads", best)

    def to_frame(self) -> pd.DataFrame:
        """A row for each road, best first: `strategy`, `depth`, `aim`, `why_not` (it cannot be tried), the setting
        (`strength`, `blend`), whether it `reaches` the limit, the finding after it (`value`, `low`, `high`, shares,
        and `n` of the smaller group), `bias`, `decided`, `accuracy`, `accuracy_before`, `changed` (shares of
        validation people), and who is served worst before and after."""
        return table(road.as_row() for road in self.roads)


def _place(road: Road) -> tuple[object, ...]:
    if road.original is None or road.best is None or road.best.found is None:
        return (2,)
    depth = list(DEPTHS).index(road.way.depth) if road.way.depth in DEPTHS else len(DEPTHS)
    return (0, *rank(road.best, road.original), depth, road.best.result.strength)
