"""Who gains and who pays as lines from before to after: the choice of whom to draw and whom to name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from fmd_core import figures
from fmd_core.measure.changes import Change
from fmd_core.measure.comparison import Comparison
from fmd_core.showing import one_line

Role = Literal["pays", "gains", "worst", ""]
"""Why a line is named: lost beyond chance, gained most beyond chance, served worst after; '' for the rest."""
NAMED_PAYING = 2  # those who lost most
WORDS: dict[Role, str] = {"pays": "pays", "gains": "gains most", "worst": "served worst", "": ""}


@dataclass(frozen=True)
class Slope:
    """One group's line: how often its answers are right before and after."""

    change: Change
    role: Role

    @property
    def ends(self) -> tuple[float, float]:
        """Shares that are right, before and after."""
        return self.change.before.value or 0.0, self.change.after.value or 0.0

    def __repr__(self) -> str:
        return one_line(self, self.change.who, self.role, moved(self.change))


@dataclass(frozen=True)
class Slopes:
    """Lines worst first, and of how many groups that could be judged they were chosen."""

    lines: tuple[Slope, ...]
    judged: int

    def of(self, role: Role) -> Slope | None:
        """The first line named for `role`, the largest move first; None where there is none."""
        found = [line for line in self.lines if line.role == role]
        return max(found, key=lambda s: abs(s.change.difference.value or 0.0), default=None)

    @property
    def summary(self) -> str:
        """Who gains most, who pays most and who is served worst, in one sentence."""
        if not self.lines:
            return "No group has enough people to say whether it gains or pays."
        gains, pays = self.of("gains"), self.of("pays")
        worst = self.lines[0].change
        gained = f"{_moved(gains.change)} gain most" if gains else "nobody gains beyond chance"
        paid = f"{_moved(pays.change)} pay most" if pays else "nobody pays beyond chance"
        return (
            f"Of {figures.counted(self.judged, 'group')} {gained}; {paid}; {_moved(worst)} are served worst."
        )

    def __repr__(self) -> str:
        named = [line.change.who for line in self.lines if line.role]
        return one_line(self, f"{figures.count(len(self.lines))} lines", *named)


def choose_slopes(comparison: Comparison) -> Slopes:
    """The groups of a comparison with enough people, and whoever moved most or is served worst by name.

    Named are the two who lost most and the one who gained most, both beyond chance and of all that the comparison
    judged (those who share two properties too), and whoever is served worst after.
    """
    known = [change for change in comparison.groups if change.difference.value is not None]
    crossed = [change for change in comparison.intersections if change.difference.value is not None]
    cell = comparison.worst_after
    moves: list[Slope] = [Slope(change, "pays") for change in comparison.losers[:NAMED_PAYING]]
    moves += [Slope(change, "gains") for change in comparison.gainers[:1]]
    shown = [*known, *(line.change for line in moves), *([] if cell is None else [cell])]
    named = {_key(line.change): line for line in moves}
    if shown:
        worst = min(shown, key=_after)
        named.setdefault(_key(worst), Slope(worst, "worst"))
    rest = [Slope(change, "") for change in known if _key(change) not in named]
    lines = sorted((*named.values(), *rest), key=lambda line: _after(line.change))
    return Slopes(tuple(lines), len(known) + len(crossed))


def _after(change: Change) -> float:
    return change.after.value or 0.0


def _key(change: Change) -> object:
    """The same people are one line, whichever list they come from."""
    return frozenset(change.properties) or change.group


def _moved(change: Change) -> str:
    return f"{change.who} ({moved(change)} %)"


def moved(change: Change) -> str:
    """'12 → 65', in percent without decimals."""
    before, after = change.before.value or 0.0, change.after.value or 0.0
    return f"{figures.points(before, 0)} → {figures.points(after, 0)}"
