"""A network that learned on, and the points between it and the original: who chooses how far, and what it did."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import pandas as pd

from fmd_core import AttributeDataset, Estimate, figures
from fmd_core.data import Split
from fmd_core.intervals import MIN_PEOPLE, wilson_interval
from fmd_core.study.debiasing import JudgedBaseline
from fmd_core.unlearn.deeper.answers import COUNTED, Figures, GroupRate
from fmd_core.unlearn.deeper.choosing import DeeperPath, DeeperPoint
from fmd_core.unlearn.deeper.improving import find_improvement
from fmd_core.unlearn.deeper.settings import Improve

SURENESS = (
    "Calibrated bias compares at equal sureness: a network that is sure of nothing has little bias between "
    "probabilities, and answers people no more alike."
)
NOBODY_LARGE = (
    f"Who is served worst cannot be said: no group of one class and attribute value has {MIN_PEOPLE} {{}}."
)
ON_TEST = "On {} of the held-out test part, who had no part in it, beside simpler fixes:"


def stop_label(share: float) -> str:
    """Where the slider stands."""
    return {0.0: "0 % (original)", 1.0: "100 % (repaired)"}.get(share, f"{100 * share:g} %")


@dataclass(frozen=True)
class DeeperView:
    """What is said of one network and of one point on the way to it."""

    suggestion: str
    """What validation people would choose, and why."""
    choosers: str
    """How many of them there are, and in the smallest group."""
    refusal: str
    """Why the guard refuses the point on screen; '' where it does not."""
    series: tuple[tuple[str, tuple[float, ...]], ...]
    """Shares of validation people by point of the way, a line each."""
    summary: str
    points: pd.DataFrame
    judges: str
    """Whom the next is about."""
    fixes: pd.DataFrame
    """The point beside the original and simpler fixes, on test people."""
    fixes_summary: str
    simpler_is_enough: str
    """That a simpler fix does no worse on these people; '' where none does."""
    nobody_large: str
    """That there are too few people in every group to say who is served worst; '' where there are enough."""


def build(
    data: AttributeDataset,
    attribute: str,
    path: DeeperPath,
    share: float,
    tests: tuple[Figures, Figures],
    simpler: Collection[JudgedBaseline],
    improve: Improve,
    judged_by: Sequence[Split] = ("validation",),
) -> DeeperView:
    """`path` is what validation people say of every point; `tests` what test people get of the original and of the
    point at `share`; `simpler` what they get of simpler fixes."""
    shown = next(point for point in path.points if point.share == share)
    return DeeperView(
        suggestion=suggestion(path, improve),
        choosers=_choosers(path, data, judged_by),
        refusal=shown.refusal,
        series=_series(path),
        summary=_summary(path, data, attribute),
        points=points_table(path, data, attribute),
        judges=ON_TEST.format(figures.counted(sum(group.n for group in tests[0].groups), data.unit)),
        fixes=_fixes(share, tests, simpler, data, attribute),
        fixes_summary=_fixes_summary(share, tests, simpler, data.unit),
        simpler_is_enough=_simpler_is_enough(tests[1], simpler, improve) if share else "",
        nobody_large="" if _can_say(tests[0].worst) else NOBODY_LARGE.format(figures.many(data.unit)),
    )


def suggested_stop(path: DeeperPath) -> str:
    """Where validation people would let the slider stand."""
    return stop_label(path.chosen.share)


# --- sentences


def suggestion(path: DeeperPath, improve: Improve) -> str:
    """What those who choose would choose, and why."""
    best, was = path.chosen, path.original.figures
    lost = f"at most {figures.counted(100 * path.tolerance, 'point')} of accuracy lost"
    if best is path.original:
        refused = [point.refusal for point in path.points if point.refusal]
        why = f" Of the others the guard says, for one, that {refused[-1]}." if refused else ""
        return f"Our suggestion: leave the model as it is. Nothing on the way is allowed and better, with {lost}.{why}"
    now, aim = best.figures, find_improvement(improve)
    moved = f"{aim.what} goes from {aim.figure(was)} to {aim.figure(now)} {aim.unit}"
    return (
        f"Our suggestion: {_way(best.share)}. With {lost}, {moved} for those who choose, and accuracy "
        f"from {figures.percent(was.accuracy)} to {figures.percent(now.accuracy)}."
    )


def _choosers(path: DeeperPath, data: AttributeDataset, judged_by: Sequence[Split]) -> str:
    least = path.least
    of, many = " and ".join(judged_by), figures.many(data.unit)
    said = (
        f"{figures.counted(path.people, data.unit)} of the {of} part choose, and the curve is theirs; the "
        f"smallest group of one class and attribute value has {figures.count(least)} of them."
    )
    if len(judged_by) > 1:
        said += " Nobody among them judges a network that learned from them."
    if least < COUNTED:
        return f"{said} Fewer than {COUNTED} decide nothing: before and after on test {many} says more."
    if least < MIN_PEOPLE:
        return (
            f"{said} A choice by so few says little about them, and they are not called the worst group: before and "
            f"after on test {many} says more."
        )
    return said


def _summary(path: DeeperPath, data: AttributeDataset, attribute: str) -> str:
    first, last = path.points[0].figures, path.points[-1].figures
    worst = [
        f"{figures.percent(of.worst.value)} ({of.worst.called(data, attribute)}, n = {figures.count(of.worst.n)})"
        for of in (first, last)
    ]
    said = (
        f"From the original to the repaired network, for {figures.count(path.people)} who choose: right "
        f"{figures.percent(first.accuracy)} to {figures.percent(last.accuracy)}, every group counted alike "
        f"{figures.percent(first.balanced)} to {figures.percent(last.balanced)}"
    )
    served = f", worst group {worst[0]} to {worst[1]}" if _can_say(first.worst) else ""
    if first.bias is None or last.bias is None:
        return f"{said}{served}."
    return f"{said}{served}, bias {figures.points(first.bias)} to {figures.points(last.bias)} points."


def _fixes_summary(
    share: float, tests: tuple[Figures, Figures], simpler: Collection[JudgedBaseline], unit: str
) -> str:
    rows = [("the original", tests[0]), *([(_way(share), tests[1])] if share else [])]
    rows += [(figures.without_capital(baseline.title), baseline.after) for baseline in simpler]
    told = "; ".join(
        f"{name} {figures.percent(of.balanced)} (overall {figures.percent(of.accuracy)})" for name, of in rows
    )
    return f"Right with every group counted alike, on held-out test {figures.many(unit)}: {told}."


def _simpler_is_enough(of: Figures, simpler: Collection[JudgedBaseline], improve: Improve) -> str:
    """By what was to improve, as figures are shown: intervals are wider than such differences."""
    aim = find_improvement(improve)

    def loss(found: Figures) -> float:
        known = aim.loss(found)
        return float("inf") if known is None else known[0]

    moved = [b for b in simpler if b.chosen.steps and not b.chosen.refusal and not b.is_reference]
    best = min(moved, key=lambda baseline: loss(baseline.after), default=None)
    if best is None or aim.loss(of) is None or loss(best.after) > loss(of):
        return ""
    name, found = figures.without_capital(best.title), f"{aim.figure(best.after)} {aim.unit}"
    return f"On these people a simpler fix does no worse: {name}. There {aim.what} is {found}."


# --- tables and lines


def _series(path: DeeperPath) -> tuple[tuple[str, tuple[float, ...]], ...]:
    found = [point.figures for point in path.points]
    lines: list[tuple[str, tuple[float, ...]]] = [
        ("right", tuple(of.accuracy for of in found)),
        ("every group alike", tuple(of.balanced for of in found)),
    ]
    for name, values in (
        ("bias", [of.bias for of in found]),
        ("flips", [of.flips for of in found]),
    ):
        known = [value for value in values if value is not None]
        if len(known) == len(found):
            lines.append((name, tuple(known)))
    if all(_can_say(of.worst) for of in found):
        lines.append(("worst group", tuple(of.worst.value for of in found)))
    return tuple(lines)


WORST = "Worst group right, %"
TWINS = ("Bias, points", "Calibrated bias, points", "Flips, %")
COLUMNS = ("Right, %", "Every group alike, %", WORST, *TWINS)


def points_table(path: DeeperPath, data: AttributeDataset, attribute: str) -> pd.DataFrame:
    """Every point on the way, as those who choose see it."""
    rows = [
        (stop_label(point.share), *_row(point.figures, data, attribute), _said(point, path))
        for point in path.points
    ]
    return _table(rows, ("How far", *COLUMNS, "Guard"))


def _said(point: DeeperPoint, path: DeeperPath) -> str:
    return point.refusal or ("our suggestion" if point is path.chosen else "allowed")


def _fixes(
    share: float,
    tests: tuple[Figures, Figures],
    simpler: Collection[JudgedBaseline],
    data: AttributeDataset,
    attribute: str,
) -> pd.DataFrame:
    way = _way(share)
    point = [(figures.with_capital(way), *_row(tests[1], data, attribute))] if share else []
    return fixes_table(tests[0], simpler, data, attribute, point)


def fixes_table(
    original: Figures,
    others: Collection[JudgedBaseline],
    data: AttributeDataset,
    attribute: str,
    point: Sequence[tuple[str, ...]] = (),
) -> pd.DataFrame:
    """The original, a point on the way if there is one, and other fixes, on test people."""
    rows = [("The original", *_row(original, data, attribute)), *point]
    for baseline in others:
        stays = "" if baseline.chosen.steps else " (the guard keeps the original)"
        stays = " (the guard refuses it)" if baseline.chosen.refusal else stays
        rows.append((f"{baseline.title}{stays}", *_row(baseline.after, data, attribute)))
    return _table(rows, ("Fix", *COLUMNS))


def _way(share: float) -> str:
    return "the repaired network" if share == 1 else f"{100 * share:g} % of the way to it"


def _row(of: Figures, data: AttributeDataset, attribute: str) -> tuple[str, ...]:
    twins = (of.bias, of.calibrated, of.flips)
    return (
        figures.points(of.accuracy),
        figures.points(of.balanced),
        _served(of.worst, data, attribute),
        *("" if value is None else figures.points(value) for value in twins),
    )


def _table(rows: Sequence[tuple[str, ...]], columns: Sequence[str]) -> pd.DataFrame:
    """Without columns that nobody can fill: of twins where there are none, of the worst group where none is large."""
    table = pd.DataFrame(rows, columns=list(columns))
    empty = [name for name in (WORST, *TWINS) if not any(table[name])]
    return table.drop(columns=empty)


def _can_say(group: GroupRate) -> bool:
    return group.n >= MIN_PEOPLE


def _served(group: GroupRate, data: AttributeDataset, attribute: str) -> str:
    """'61.5 (54.8 to 67.9), blond men, n = 208'; '' where there are too few people to say."""
    if not _can_say(group):
        return ""
    low, high = wilson_interval(group.value, group.n)
    share = figures.figure(Estimate(group.value, float(low), float(high), group.n))
    return f"{share}, {group.called(data, attribute)}, n = {figures.count(group.n)}"
