"""From harmful samples to unlearning: what leaving them out really does, and what a refit on twins does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import pandas as pd

from app.view_models.charts import ACCENT, FLAG, NEUTRAL, Step
from fmd_core import Change, Comparison, Estimate, figures
from fmd_core.report import wording
from fmd_core.study.bridging import Stop, StopKind

TITLE = "What helps: leaving some out, or unlearning"
ORIGINAL = "Original model"
Figure = Literal["bias", "worst", "accuracy"]
FIGURES: dict[Figure, str] = {"bias": "Bias", "worst": "Worst group", "accuracy": "Accuracy"}
LABELS: dict[StopKind, str] = {
    "everybody again": "Fitted again with everybody",
    "without the top": "Without the {n} most harmful",
    "without all harmful": "Without all {n} harmful",
    "refit on twins": "Last layer refitted on twins",
}
TOO_FEW = "No group has enough people to say how the worst served fares."
NOT_RUN = (
    "Learning on below the last layer was not run in this session. It stands on the Fix page, under “Deeper”, and "
    "may reach groups that nothing here does."
)
HAS_LEARNED = "How far a network that learned on is taken is chosen on the Fix page, under “Deeper”."
LEARN_ON = "Let it learn on, on the Fix page"
REMOVALS = ("without the top", "without all harmful")


@dataclass(frozen=True)
class About:
    """A group that samples were asked about, by name, and what its people share: (column, level) each."""

    who: str
    properties: tuple[tuple[str, str], ...]


@dataclass(frozen=True, eq=False)
class Fix:
    """A fix by name, with what it does to held-out people; `comparison` is None where it cannot be made."""

    label: str
    comparison: Comparison | None
    why_not: str = ""
    is_removal: bool = False


@dataclass(frozen=True)
class WaterfallView:
    """One figure of every fix as steps, all figures in a sentence and a table, and what follows."""

    steps: tuple[Step, ...]
    axis: str
    unit: str
    summary: str
    table: pd.DataFrame
    lesson: str
    """Whether leaving samples out helps whoever is served worst."""
    missing: tuple[str, ...]
    """What could not be made, and why."""


def fix_of(stop: Stop) -> Fix:
    """A stop of the bridge in words."""
    label = LABELS[stop.kind].format(n=figures.count(stop.n))
    return Fix(label, stop.comparison, stop.why_not, stop.kind in REMOVALS)


def learned(what: str, share: float, found: Comparison) -> Fix:
    """A network that learned on, `share` of the way to it."""
    far = "" if share == 1 else f", {figures.percent(share, digits=0)} of the way"
    return Fix(f"Deeper: {what}{far}", found)


def build(fixes: Sequence[Fix], shown: Figure, unit: str, about: About | None = None) -> WaterfallView:
    """The picture of one figure, and the rest in words, of a `unit` each. At least one fix was made. The words are
    about the group that samples were asked `about`, else about whoever is served worst."""
    made = [(fix.label, fix.comparison) for fix in fixes if fix.comparison is not None]
    first = made[0][1]
    changes = [(label, _change(found, shown)) for label, found in made]
    levels = [(ORIGINAL, changes[0][1].before), *((label, change.after) for label, change in changes)]
    return WaterfallView(
        steps=_steps(levels, shown),
        axis={
            "bias": f"{wording.bias_name(first)}, points",
            "worst": "right in whichever group is served worst, %",
            "accuracy": "right, %",
        }[shown],
        unit="" if shown == "bias" else " %",
        summary=_summary(made, unit, about),
        table=_table(made),
        lesson=_lesson(fixes, unit, about),
        missing=tuple(
            f"{fix.label} cannot be made: {fix.why_not}" for fix in fixes if fix.comparison is None
        ),
    )


def _change(found: Comparison, shown: Figure) -> Change:
    """Of the worst group the ends are of whoever is served worst, before and after."""
    if shown == "bias":
        return found.judged
    if shown == "accuracy":
        return found.accuracy
    was, now = found.worst_before, found.worst_after
    if was is None or now is None:
        unknown = Estimate.unknown(0)
        return Change("worst group", "", unknown, unknown, unknown)
    return Change("worst group", "", was.before, now.after, Estimate.unknown(now.after.n))


def _steps(levels: Sequence[tuple[str, Estimate]], shown: Figure) -> tuple[Step, ...]:
    known = [(label, level.value) for label, level in levels if level.value is not None]
    if len(known) < len(levels):  # without the original there is nothing to begin from
        return ()
    first = known[0][1]

    def color(value: float) -> str:
        return ACCENT if (value < first) == (shown == "bias") else FLAG

    fixed = (Step(label, value, color(value)) for label, value in known[1:])
    return Step(*known[0], NEUTRAL), *fixed


def _table(made: Sequence[tuple[str, Comparison]]) -> pd.DataFrame:
    first = made[0][1]
    was = first.worst_before
    rows = [
        (
            ORIGINAL, figures.figure(first.judged.before),
            "" if first.calibrated is None else figures.figure(first.calibrated.before),
            "" if was is None else f"{figures.figure(was.before)}: {was.who}",
            figures.figure(first.accuracy.before), "",
        )
    ]  # fmt: skip
    for label, found in made:
        now = found.worst_after
        rows.append(
            (
                label, figures.figure(found.judged.after),
                "" if found.calibrated is None else figures.figure(found.calibrated.after),
                "" if now is None else f"{figures.figure(now.after)}: {now.who}",
                figures.figure(found.accuracy.after), found.verdict,
            )
        )  # fmt: skip
    columns = [
        "Fix", "Bias, points", "Calibrated, points", "Served worst: right, %", "Right, %", "Verdict",
    ]  # fmt: skip
    table = pd.DataFrame(rows, columns=columns)
    return table.loc[:, (table != "").any()]  # where no group has enough people none is served worst


def _own(found: Comparison, about: About | None) -> Change | None:
    """Whom the words are about; None where too few of them are among those who judge."""
    if about is None:
        return found.worst_before
    cell = next((cell for cell in found.cells if set(cell.properties) == set(about.properties)), None)
    return None if cell is None or cell.difference.value is None else cell


def _summary(made: Sequence[tuple[str, Comparison]], unit: str, about: About | None) -> str:
    first = made[0][1]
    was = _own(first, about)
    if first.judged.before.value is None:
        return f"{wording.bias_name(first).capitalize()}: {first.judged.before.problem}."
    start = f"On {figures.count(len(first.rows))} held-out {figures.many(unit)} the {wording.bias_name(first)} is "
    start += f"{figures.points(first.judged.before.value)} points, the model right for "
    start += f"{figures.percent(first.accuracy.before.value or 0)}"
    if was is not None:
        start += f" and for {figures.percent(was.before.value or 0)} of {was.who}"
    parts = [_part(label, found, about) for label, found in made]
    return f"{start}; {'; '.join(parts)}. Every fix starts from the original model."


def _part(label: str, found: Comparison, about: About | None) -> str:
    bias, accuracy, own = found.judged.after.value, found.accuracy.after.value, _own(found, about)
    said = f"{figures.without_capital(label)}: "
    said += "bias unknown" if bias is None else f"{figures.points(bias)} points"
    said += f", {figures.percent(accuracy or 0)}"
    return said if own is None else f"{said}, {figures.percent(own.after.value or 0)}"


def _lesson(fixes: Sequence[Fix], unit: str, about: About | None) -> str:
    """Said of whom it is about, by the largest removal that could be made; of the bias where no group has
    enough people."""
    removals = [fix for fix in fixes if fix.is_removal and fix.comparison is not None]
    if not removals:
        return ""
    most = removals[-1]
    found = most.comparison
    assert found is not None, "left out above"
    own = _own(found, about)
    if own is None:
        few = (
            "No group has enough people" if about is None else f"There are too few test {figures.many(unit)}"
        )
        whom = "whoever is served worst" if about is None else about.who
        asked = f"to say whether removing {figures.many(unit)} helps {whom}"
        return f"{few} {asked}; only the bias and accuracy can be told."
    ends = f"{figures.percent(own.before.value or 0)} to {figures.percent(own.after.value or 0)}"
    who = f"{own.who} ({ends}, n = {figures.count(own.before.n)})"
    label = figures.without_capital(most.label)
    then = f"{_now_worst(found, own)} {_refit(fixes, own.group)}".strip()
    if own.rose:
        more, price = f"{label}, more of {who} are answered right", _price(found)
        said = (
            f"Removing has its price: {more}, {price}."
            if price
            else f"Here removing helps: {more}, beyond chance."
        )
        return f"{said} {then}".rstrip()
    said = "fewer" if own.fell else "there is no evidence that more"
    return f"Removing explains, it does not cure groups: {label}, {said} of {who} are answered right. {then}".rstrip()


def _now_worst(found: Comparison, own: Change) -> str:
    """Whoever is served worst instead; '' where it is nobody else."""
    now = found.worst_after
    if now is None or now.group == own.group or now.after.value is None:
        return ""
    return f"Served worst then: {now.who}, {figures.percent(now.after.value)} right."


def _price(found: Comparison) -> str:
    """What somebody pays for it, a clause; '' where nobody does beyond chance."""
    accuracy = found.accuracy
    if accuracy.fell and accuracy.before.value is not None and accuracy.after.value is not None:
        ends = f"{figures.percent(accuracy.before.value)} to {figures.percent(accuracy.after.value)}"
        return f"and overall accuracy falls from {ends}"
    return "and others lose" if found.has_costs else ""


def _refit(fixes: Sequence[Fix], group: str) -> str:
    """What the last fix that leaves nobody out does to the same people."""
    others = [fix for fix in fixes if not fix.is_removal and fix.comparison is not None]
    if not others or others[-1].comparison is None:
        return ""
    own = next((cell for cell in others[-1].comparison.cells if cell.group == group), None)
    if own is None or own.after.value is None:
        return ""
    return f"{others[-1].label}: {figures.percent(own.after.value)}."
