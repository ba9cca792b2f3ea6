"""The stage of the Unlearn page: fixed twins whose captions follow the slider, and who gains and who pays."""

from __future__ import annotations

from dataclasses import dataclass

from fmd_core import AttributeDataset, Comparison, CounterfactualPairs, Head, figures
from fmd_core.measure.bias_functions import predictions
from fmd_core.measure.changes import Change
from fmd_core.measure.slopes import WORDS, Role, choose_slopes


@dataclass(frozen=True)
class StageSide:
    """One side of a twin: who is shown, and what they are answered now."""

    row: int
    code: int
    level: str
    answer: str
    is_right: bool


@dataclass(frozen=True)
class StageTwin:
    """A pair on the stage."""

    truth: str
    sides: tuple[StageSide, StageSide]

    @property
    def is_one_answer(self) -> bool:
        """Whether both sides get the same answer."""
        return self.sides[0].answer == self.sides[1].answer


@dataclass(frozen=True)
class StageView:
    """The twins with their answers, and the sentence that sums them up."""

    twins: tuple[StageTwin, ...]
    summary: str
    redrawn: bool  # whether a side is the same sample with its attribute changed


def build(data: AttributeDataset, pairs: CounterfactualPairs, before: Head, now: Head) -> StageView:
    """What `now` answers the pairs, which are those on the stage, and how many of them `before` gave one answer."""
    said = [predictions(now, side.features) for side in (pairs.favoured, pairs.other)]
    was = [predictions(before, side.features) for side in (pairs.favoured, pairs.other)]
    levels, classes = data.attribute(pairs.attribute).levels, data.target.levels

    def side(i: int, which: int) -> StageSide:
        shown = (pairs.favoured, pairs.other)[which]
        code = int((pairs.favoured_codes, pairs.other_codes)[which][i])
        answer = int(said[which][i])
        return StageSide(
            int(shown.rows[i]), code, levels[code], classes[answer], answer == int(pairs.labels[i])
        )

    twins = tuple(
        StageTwin(classes[int(pairs.labels[i])], (side(i, 0), side(i, 1))) for i in range(len(pairs))
    )
    alike, earlier = int((said[0] == said[1]).sum()), int((was[0] == was[1]).sum())
    then = "as before" if alike == earlier else f"before, {earlier}"
    return StageView(
        twins, f"{alike} of {len(twins)} twins now get one answer; {then}.", pairs.method != "matched"
    )


@dataclass(frozen=True)
class Line:
    """One group on the slope chart; shares of right answers."""

    name: str
    before: float
    after: float
    detail: str
    role: Role
    words: str  # why it is named, '' where it is not


@dataclass(frozen=True)
class SlopeView:
    """Who gains and who pays, worst first, and the sentence that sums it up."""

    lines: tuple[Line, ...]
    summary: str


def build_slopes(comparison: Comparison) -> SlopeView:
    """The lines that the report draws too, with what is said of each."""
    found = choose_slopes(comparison)
    lines = tuple(
        Line(line.change.who, *line.ends, told(line.change), line.role, WORDS[line.role])
        for line in found.lines
    )
    return SlopeView(lines, found.summary)


def told(change: Change) -> str:
    """A group's figures with their intervals."""
    beyond = "beyond chance" if change.is_beyond_chance else "no more than chance"
    return (
        f"{change.who}: right {figures.figure(change.before)} % before, {figures.figure(change.after)} % now, "
        f"n = {figures.count(change.after.n)}; {beyond}"
    )
