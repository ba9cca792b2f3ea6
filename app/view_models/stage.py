"""The stage of the Unlearn page: fixed twins whose captions follow the slider, and who gains and who pays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fmd_core import AttributeDataset, Comparison, CounterfactualPairs, figures
from fmd_core.data import Array
from fmd_core.measure.changes import Change
from fmd_core.measure.slopes import WORDS, Role, choose_slopes


@dataclass(frozen=True)
class StageSide:
    """One side of a twin: who is shown."""

    row: int
    code: int
    level: str


@dataclass(frozen=True)
class StageTwin:
    """A pair on the stage."""

    truth: str
    sides: tuple[StageSide, StageSide]


@dataclass(frozen=True)
class StageAnswers:
    """What the twins are answered at one stop of the slider, and the sentence that sums it up."""

    said: tuple[tuple[str, str], ...]
    """Of each twin both sides' answers."""
    summary: str


@dataclass(frozen=True)
class StageView:
    """The twins, and what they are answered at every stop of the slider."""

    twins: tuple[StageTwin, ...]
    stops: dict[str, StageAnswers]
    redrawn: bool  # whether a side is the same sample with its attribute changed


def build(
    data: AttributeDataset, pairs: CounterfactualPairs, before: Array, stops: Mapping[str, Array]
) -> StageView:
    """The pairs on the stage; answers are class codes (2, n_pairs), the favoured side first: `before` anything was
    changed, and at every stop by name."""
    levels, classes = data.attribute(pairs.attribute).levels, data.target.levels

    def side(i: int, which: int) -> StageSide:
        shown = (pairs.favoured, pairs.other)[which]
        code = int((pairs.favoured_codes, pairs.other_codes)[which][i])
        return StageSide(int(shown.rows[i]), code, levels[code])

    twins = tuple(
        StageTwin(classes[int(pairs.labels[i])], (side(i, 0), side(i, 1))) for i in range(len(pairs))
    )
    earlier = _alike(before)
    said = {stop: _answers(answers, classes, earlier) for stop, answers in stops.items()}
    return StageView(twins, said, pairs.method != "matched")


def _answers(answers: Array, classes: Sequence[str], earlier: int) -> StageAnswers:
    alike = _alike(answers)
    told = f"{alike} of {answers.shape[1]} twins get one answer"
    told = f"{told}, as before." if alike == earlier else f"{told}; before, {earlier}."
    said = tuple((classes[int(favoured)], classes[int(other)]) for favoured, other in answers.T)
    return StageAnswers(said, told)


def _alike(answers: Array) -> int:
    return int((answers[0] == answers[1]).sum())


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
