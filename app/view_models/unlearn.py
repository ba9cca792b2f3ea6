"""Unlearn: strengths and what they do, what the guard says, before and after."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from app.charts import CurvePoint
from app.history import History
from app.review import Aim
from app.variants import describe
from app.view_models import proof
from fmd_core import (
    AttributeDataset,
    BiasReport,
    Change,
    Comparison,
    PathPoint,
    UnlearningPath,
    scan,
    wording,
)
from fmd_core.comparison import OUTCOMES, changed_examples, outcome
from fmd_core.data import Array
from fmd_core.intervals import MIN_PEOPLE, Estimate

EXAMPLES = 10
MOST_INTERSECTIONS = 30
BEFORE_AFTER = ("before", "after")


@dataclass(frozen=True)
class CurveView:
    """The bias-accuracy curve on validation samples."""

    full: tuple[CurvePoint, ...]
    blends: tuple[CurvePoint, ...]
    suggested: CurvePoint
    chosen: CurvePoint
    summary: str
    table: pd.DataFrame
    reason: str
    warning: str  # why the guard refuses the choice, empty when it admits it


Better = Literal["normal", "inverse", "off"]
"""Whether a rise is good, bad, or cannot be said: streamlit's names for the colour of a delta."""


@dataclass(frozen=True)
class Headline:
    """One figure as a card: before, after and by how much."""

    label: str
    value: str
    delta: str
    better_when: Better
    terms: tuple[str, ...]  # of the glossary


@dataclass(frozen=True)
class Example:
    """A held-out person whose answer changed."""

    row: int
    truth: str
    before: str
    after: str
    outcome: str  # one of OUTCOMES


@dataclass(frozen=True)
class ResultView:
    """Before and after on held-out test samples."""

    headline: str
    verdict: str
    cards: tuple[Headline, ...]
    labels: tuple[str, ...]
    before: tuple[Estimate, ...]
    after: tuple[Estimate, ...]
    summary: str
    table: pd.DataFrame
    who_pays: str
    groups: pd.DataFrame
    intersections: pd.DataFrame
    intersections_note: str
    classes: tuple[str, ...]
    confusions: tuple[Array, Array]
    confusion_top: int
    confusion_summaries: tuple[str, str]
    examples: tuple[Example, ...]
    examples_summary: str


def stops(path: UnlearningPath) -> dict[str, PathPoint]:
    """Where the slider can stand, by name: every strength, and the suggestion if it is a blend."""
    found = [*path.points]
    if path.suggested not in found:
        full = next(i for i, p in enumerate(found) if p.result.strength == path.suggested.result.strength)
        found.insert(full, path.suggested)
    return {_name(point): point for point in found}


def build_curve(path: UnlearningPath, choice: PathPoint) -> CurveView:
    """`choice` is the point of `path` that the slider stands on."""
    refused = f"The guard refuses this: {choice.refusal}." if choice.refusal else ""
    if path.step_share < 1:
        refused = (
            f"{refused} Strength 1 is {100 * path.step_share:.2g} % of the published step: the rest would move the "
            "last layer by more than its own size."
        ).strip()
    return CurveView(
        full=tuple(_point(p) for p in path.points),
        blends=tuple(_point(p) for p in path.blends),
        suggested=_point(path.suggested),
        chosen=_point(choice),
        summary=(
            f"From bias {wording.points(path.original.bias)} and accuracy {wording.percent(path.original.accuracy)} at "
            f"strength 0 to {wording.points(path.points[-1].bias)} and {wording.percent(path.points[-1].accuracy)} at "
            f"strength {path.points[-1].result.strength:g}, on {path.people} validation samples."
        ),
        table=pd.DataFrame(
            [_row(p, path) for p in path.points]
            + ([_row(path.suggested, path)] if path.suggested in path.blends else []),
            columns=["Strength", "Bias, points", "Accuracy, %", "Guard"],
        ),
        reason=wording.suggestion_reason(path),
        warning=refused,
    )


def _point(point: PathPoint) -> CurvePoint:
    return CurvePoint(100 * point.bias, 100 * point.accuracy, _name(point), not point.refusal)


def _name(point: PathPoint) -> str:
    name = wording.strength_label(point.result.strength)
    return name if point.result.blend == 1 else f"{name}, {100 * point.result.blend:.0f} % of the way"


def _row(point: PathPoint, path: UnlearningPath) -> tuple[str, str, str, str]:
    verdict = point.refusal or ("our suggestion" if point is path.suggested else "allowed")
    return _name(point), wording.points(point.bias), wording.points(point.accuracy), verdict


def within_limit(audit: BiasReport, aim: Aim, threshold: float) -> str:
    """What to say of an attribute that the original model does not decide by; else empty."""
    scanned = scan(audit, threshold, aim.measure)
    found = next((f for f in scanned if f.attribute == aim.attribute), None)
    if found is None or found.verdict != "within the limit":
        return ""
    return (
        f"{wording.attribute_headline(found)} There is little to take out: what improves below comes "
        "from refitting the last layer."
    )


def build_result(
    data: AttributeDataset,
    comparison: Comparison,
    others: Sequence[Change] = (),
    names: tuple[str, str] = BEFORE_AFTER,
) -> ResultView:
    """Everything below the curve; `others` are the biases by the other attributes, `names` what is compared."""
    changes: tuple[tuple[str, Change, Better], ...] = (
        (_judged_label(comparison), comparison.judged, "inverse"),
        ("Accuracy", comparison.accuracy, "normal"),
        (f"Right, usual {comparison.attribute}", comparison.aligned_accuracy, "normal"),
        (f"Right, unusual {comparison.attribute}", comparison.conflicting_accuracy, "normal"),
    )
    labels = tuple(label for label, _, _ in changes)
    top = int(max(comparison.confusion_before.max(), comparison.confusion_after.max()))
    return ResultView(
        headline=wording.comparison_headline(comparison),
        verdict=proof.verdict(comparison),
        cards=tuple(
            _card(label, change, better, terms)
            for (label, change, better), terms in zip(changes, _terms(comparison), strict=True)
        ),
        labels=labels,
        before=tuple(change.before for _, change, _ in changes),
        after=tuple(change.after for _, change, _ in changes),
        summary=(
            f"Grey is {names[0]}, blue {names[1]}, on {comparison.bias.before.n} held-out test samples; "
            "whiskers are 95 % intervals."
        ),
        table=_changes_table(
            [(label, change) for label, change, _ in changes]
            + ([] if comparison.gap is None else [("Counterfactual bias", comparison.bias)])
            + [(f"{_judged_label(comparison)} by {other.group}", other) for other in others],
            "Figure",
            names,
        ),
        who_pays="" if comparison.verdict == "unchanged" else wording.who_pays(comparison, others),
        groups=_changes_table([(change.group, change) for change in comparison.groups], "Accuracy of", names),
        intersections=_changes_table(
            [(change.group, change) for change in comparison.intersections[:MOST_INTERSECTIONS]],
            "Accuracy of",
            names,
        ),
        intersections_note=_intersections_note(comparison),
        classes=data.target.levels,
        confusions=(comparison.confusion_before, comparison.confusion_after),
        confusion_top=top,
        confusion_summaries=(
            _confusion_summary(names[0], comparison.confusion_before, data.target.levels),
            _confusion_summary(names[1], comparison.confusion_after, data.target.levels),
        ),
        examples=_examples(data, comparison),
        examples_summary=_examples_summary(data, comparison),
    )


def _judged_label(comparison: Comparison) -> str:
    if comparison.gap is not None:
        return "Gap"
    return "Bias" if comparison.excess is None else "Bias beyond placebo"


def _intersections_note(comparison: Comparison) -> str:
    n, lost = len(comparison.intersections), sum(c.fell for c in comparison.intersections)
    if n == 0:
        return ""
    shown = f"; the {MOST_INTERSECTIONS} largest losses are shown" if n > MOST_INTERSECTIONS else ""
    who = (
        "One group that shares two properties has" if n == 1 else f"{n} groups that share two properties have"
    )
    return (
        f"{who} at least {MIN_PEOPLE} people; {lost} lost accuracy by more than chance, adjusted for looking at all "
        f"groups{shown}."
    )


def _terms(comparison: Comparison) -> tuple[tuple[str, ...], ...]:
    """Glossary terms of the four cards."""
    judged: tuple[str, ...] = ("Counterfactual bias",)
    if comparison.gap is not None:
        judged = (
            "Demographic parity" if comparison.measure == "demographic parity" else "Equal opportunity",
        )
    elif comparison.excess is not None:
        judged = ("Excess (beyond the placebo)", "Placebo twins")
    return (*judged, "Points"), ("Accuracy",), ("Usual and unusual",), ("Usual and unusual",)


def _card(label: str, change: Change, better_when: Better, terms: tuple[str, ...]) -> Headline:
    unit = " points" if better_when == "inverse" else " %"
    if change.after.value is None or change.difference.value is None:
        return Headline(label, "?", change.after.problem, "off", terms)
    moved = f"{100 * change.difference.value:+.1f}"
    delta = "" if float(moved) == 0 else f"{moved} points"
    return Headline(label, wording.points(change.after.value) + unit, delta, better_when, terms)


def _changes_table(rows: list[tuple[str, Change]], title: str, names: tuple[str, str]) -> pd.DataFrame:
    return pd.DataFrame(
        [
            (
                label,
                wording.figure(change.before),
                wording.figure(change.after),
                wording.figure(change.difference, difference=True),
                change.before.n,
            )
            for label, change in rows
        ],
        columns=[title, *(name[:1].upper() + name[1:] for name in names), "Difference", "n"],
    )


def _confusion_summary(name: str, counts: Array, classes: Sequence[str]) -> str:
    wrong, when = counts - np.diag(np.diag(counts)), name[:1].upper() + name[1:]
    if wrong.sum() == 0:
        return f"{when}: no mistakes."
    truth, answer = np.unravel_index(wrong.argmax(), wrong.shape)
    return (
        f"{when}: {int(wrong.sum())} of {int(counts.sum())} wrong; most often {classes[int(truth)]} taken for "
        f"{classes[int(answer)]} ({int(wrong.max())} times)."
    )


def _examples(data: AttributeDataset, comparison: Comparison) -> tuple[Example, ...]:
    classes, truth = data.target.levels, data.target.codes[comparison.rows]
    return tuple(
        Example(
            row=int(comparison.rows[i]),
            truth=classes[truth[i]],
            before=classes[comparison.predicted_before[i]],
            after=classes[comparison.predicted_after[i]],
            outcome=outcome(truth[i], comparison.predicted_before[i], comparison.predicted_after[i]),
        )
        for i in changed_examples(comparison, truth, EXAMPLES)
    )


def _examples_summary(data: AttributeDataset, comparison: Comparison) -> str:
    changed, before, after = comparison.changed, comparison.predicted_before, comparison.predicted_after
    truth = data.target.codes[comparison.rows]
    counts = Counter(outcome(truth[i], before[i], after[i]) for i in changed)
    parts = ", ".join(f"{counts[name]} {name}" for name in OUTCOMES)
    return f"{len(changed)} of {len(comparison.rows)} held-out samples get another answer: {parts}."


def history_table(history: History) -> pd.DataFrame:
    """The visible history, latest first."""
    rows = [
        (entry.at.strftime("%H:%M:%S"), entry.action, entry.note or describe(entry.variant))
        for entry in reversed(history.log)
    ]
    return pd.DataFrame(rows, columns=["UTC", "Action", "What, or in force after it"])
