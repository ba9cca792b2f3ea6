"""Where the lines and words of a report's slope chart stand, in pixels; `report.html` draws them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from fmd_core import figures
from fmd_core.measure.slopes import WORDS
from fmd_core.report.schema.summary import Slope

HIGH, TOP, FOOT = 200, 12, 174  # of the whole, and where the lines begin and end
GAP = 17  # between two lines of text
PAD = 0.04  # of the span, above and below


@dataclass(frozen=True)
class Drawn:
    """One line: heights of its ends, and those of its words where it is named."""

    role: str
    before: float
    after: float
    detail: str
    name: str = ""
    was: str = ""
    now: str = ""
    interval: str = ""
    words: str = ""
    name_at: float = 0.0
    now_at: float = 0.0


@dataclass
class _Column:
    """Heights that words take on one side; each goes to the nearest that is free."""

    taken: list[float] = field(default_factory=list)

    def place(self, wanted: float) -> float:
        steps = range(int((FOOT - TOP) / GAP) + 1)
        tries = [wanted, *(wanted + way * GAP * step for step in steps for way in (1, -1))]
        tries += [other + way * GAP for other in self.taken for way in (1, -1)]
        free = [
            y for y in tries if TOP <= y <= FOOT and all(abs(y - other) >= GAP - 0.01 for other in self.taken)
        ]
        chosen = min(free, key=lambda y: abs(y - wanted), default=wanted)
        self.taken.append(chosen)
        return chosen


def drawn(slopes: Sequence[Slope]) -> list[Drawn]:
    """The lines, those without a name first, so that the named ones lie above them."""
    shares = [share for slope in slopes for share in _ends(slope)]
    low, high = min(shares, default=0.0), max(shares, default=1.0)
    span = max(high - low, 0.05)
    low, span = low - PAD * span, span * (1 + 2 * PAD)

    def height(share: float) -> float:
        return round(TOP + (1 - (share - low) / span) * (FOOT - TOP), 1)

    left, right = _Column(), _Column()

    def line(slope: Slope) -> Drawn:
        before, after = (height(share) for share in _ends(slope))
        bare = Drawn(slope.role, before, after, _detail(slope))
        if not slope.role:
            return bare
        was, now = (figures.points(share, 0) for share in _ends(slope))
        return replace(
            bare,
            name=slope.change.who,
            was=was,
            now=now,
            interval=figures.interval(slope.change.after.estimate),
            words=WORDS[slope.role],
            name_at=left.place(before),
            now_at=right.place(after),
        )

    return [line(slope) for slope in sorted(slopes, key=lambda slope: slope.role != "")]


def _detail(slope: Slope) -> str:
    change = slope.change
    ends = (figures.figure(end.estimate) for end in (change.before, change.after))
    return f"{change.who}: right {' % before, '.join(ends)} % after, n = {figures.count(change.after.n)}"


def _ends(slope: Slope) -> tuple[float, float]:
    return slope.change.before.value or 0.0, slope.change.after.value or 0.0
