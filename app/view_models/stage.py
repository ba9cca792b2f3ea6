"""The stage of the Unlearn page: fixed twins whose captions follow the slider, and who gains and who pays."""

from __future__ import annotations

from dataclasses import dataclass

from fmd_core import AttributeDataset, Comparison, CounterfactualPairs, Head, figures
from fmd_core.measure.bias_functions import predictions
from fmd_core.measure.changes import Change

NAMED_PAYING = 2  # lines of the slope chart that are named beside the worst and the largest gain


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
class Slope:
    """One group on the slope chart; shares of right answers."""

    name: str
    before: float
    after: float
    detail: str
    look: str  # "pays", "gains", "worst" or "": the rest


@dataclass(frozen=True)
class SlopeView:
    """Who gains and who pays, worst first, and the sentence that sums it up."""

    lines: tuple[Slope, ...]
    summary: str


def build_slopes(comparison: Comparison) -> SlopeView:
    """Groups of people with enough of them, by what is right after."""
    known = [c for c in comparison.groups if c.after.value is not None]
    ranked = sorted(known, key=lambda c: c.after.value or 0.0)
    fell = sorted((c for c in known if c.fell), key=lambda c: c.difference.value or 0.0)
    rose = sorted((c for c in known if c.rose), key=lambda c: -(c.difference.value or 0.0))
    looks: dict[str, str] = {}
    for change, look in (
        *((c, "pays") for c in fell[:NAMED_PAYING]),
        *((c, "gains") for c in rose[:1]),
        *((c, "worst") for c in ranked[:1]),
    ):
        looks.setdefault(change.who, look)
    lines = tuple(
        Slope(c.who, c.before.value or 0.0, c.after.value or 0.0, told(c), looks.get(c.who, ""))
        for c in ranked
    )
    return SlopeView(lines, _slopes_summary(ranked, fell, rose))


def _slopes_summary(ranked: list[Change], fell: list[Change], rose: list[Change]) -> str:
    if not ranked:
        return "No group has enough people to say whether it gains or pays."
    gained = f"{rose[0].who} gain most ({moved(rose[0])} %)" if rose else "nobody gains beyond chance"
    paid = f"{fell[0].who} pay most ({moved(fell[0])} %)" if fell else "nobody pays beyond chance"
    worst = ranked[0]
    return f"Of {len(ranked)} groups {gained}; {paid}; {worst.who} are served worst ({moved(worst)} %)."


def moved(change: Change) -> str:
    """'12 → 65', in percent."""
    before, after = change.before.value or 0.0, change.after.value or 0.0
    return f"{figures.points(before, 0)} → {figures.points(after, 0)}"


def told(change: Change) -> str:
    """A group's figures with their intervals."""
    beyond = "beyond chance" if change.is_beyond_chance else "no more than chance"
    return (
        f"{change.who}: right {figures.figure(change.before)} % before, {figures.figure(change.after)} % now, "
        f"n = {figures.count(change.after.n)}; {beyond}"
    )
