"""Unlearn: strengths and what they do, what the guard says, and what was done so far."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from app.record.history import History
from app.record.review import Aim
from app.record.variants import Recipe, Variant, describe
from app.view_models.charts import CurvePoint
from fmd_core import BiasReport, PathPoint, UnlearningPath, Verdict, figures, find_strategy, scan
from fmd_core.measure.verdict.values import Outcome
from fmd_core.report import wording


@dataclass(frozen=True)
class CurveView:
    """The bias-accuracy curve on validation samples."""

    full: tuple[CurvePoint, ...]
    blends: tuple[CurvePoint, ...]
    suggested: CurvePoint
    chosen: CurvePoint
    summary: str
    reason: str
    warning: str  # why the guard refuses the choice, empty when it admits it


def stops(path: UnlearningPath) -> dict[str, PathPoint]:
    """Where the slider can stand, by name: every strength, and the suggestion if it is a blend."""
    found = [*path.points]
    if path.suggested not in found:
        full = next(i for i, p in enumerate(found) if p.result.strength == path.suggested.result.strength)
        found.insert(full, path.suggested)
    return {_name(point): point for point in found}


def stop_of(path: UnlearningPath, variant: Variant | None) -> str:
    """Where on the slider a variant stands that was made on this very path, by name; '' for any other."""
    if not isinstance(variant, Recipe):
        return ""
    return next(
        (
            name
            for name, point in stops(path).items()
            if (point.result.strength, point.result.blend) == (variant.strength, variant.blend)
        ),
        "",
    )


def standing_on_original(path: UnlearningPath, choice: PathPoint, history: History) -> str:
    """What to say while the slider stands on the original and something else is in force; else ''."""
    if choice is not path.original or history.current is None:
        return ""
    name = history.name(history.current)
    return f"The slider stands on the original; {name} is in force."


def build_curve(path: UnlearningPath, choice: PathPoint) -> CurveView:
    """`choice` is the point of `path` that the slider stands on."""
    refused = wording.guard_refusal(choice.refusal) if choice.refusal else ""
    strength = _strength_name(path)
    if path.step_share < 1:
        share = f"{strength.capitalize()} 1 is {100 * path.step_share:.2g} % of the published step"
        refused = f"{refused} {share}: the rest would move the last layer by more than its own size.".strip()
    return CurveView(
        full=tuple(_point(p) for p in path.points),
        blends=tuple(_point(p) for p in path.blends),
        suggested=_point(path.suggested),
        chosen=_point(choice),
        summary=(
            f"From bias {figures.points(path.original.bias)} and accuracy {figures.percent(path.original.accuracy)} at "
            f"{strength} 0 to {figures.points(path.points[-1].bias)} and {figures.percent(path.points[-1].accuracy)} "
            f"at {strength} {path.points[-1].result.strength:g}, on {figures.count(path.people)} validation samples."
        ),
        reason=wording.suggestion_reason(path),
        warning=refused,
    )


def curve_table(path: UnlearningPath) -> pd.DataFrame:
    """The curve as a table."""
    points = [*path.points, *([path.suggested] if path.suggested in path.blends else [])]
    rows = [_row(point, path) for point in points]
    return pd.DataFrame(
        rows, columns=[_strength_name(path).capitalize(), "Bias, points", "Accuracy, %", "Guard"]
    )


def _strength_name(path: UnlearningPath) -> str:
    return find_strategy(path.original.result.strategy).strength_name


def _point(point: PathPoint) -> CurvePoint:
    return CurvePoint(100 * point.bias, 100 * point.accuracy, _name(point), not point.refusal)


def _name(point: PathPoint) -> str:
    name = figures.strength_label(point.result.strength)
    return name if point.result.blend == 1 else f"{name}, {100 * point.result.blend:.0f} % of the way"


def _row(point: PathPoint, path: UnlearningPath) -> tuple[str, str, str, str]:
    verdict = point.refusal or ("our suggestion" if point is path.suggested else "allowed")
    return _name(point), figures.points(point.bias), figures.points(point.accuracy), verdict


def within_limit(audit: BiasReport, verdict: Verdict, aim: Aim, threshold: float) -> str:
    """What to say of an attribute that the original model does not decide by; else empty. Where something else is
    beyond its limit, that comes first: a small figure of one kind is no all-clear."""
    scanned = scan(audit, threshold, aim.measure)
    found = next((f for f in scanned if f.attribute == aim.attribute), None)
    if found is None or found.verdict != "within the limit":
        return ""
    if verdict.outcome is not Outcome.WITHIN:
        return f"{verdict.headline} {wording.attribute_sentence(found)} What counts as bias is chosen in the sidebar."
    return (
        f"{wording.attribute_headline(found)} There is little to take out: what improves below comes "
        "from refitting the last layer."
    )


def refused(refusal: str) -> str:
    """What to add to a variant that was applied although the guard refuses it; '' where it does not."""
    return f"; applied although the guard refuses it: {refusal}" if refusal else ""


def history_table(history: History) -> pd.DataFrame:
    """The visible history, latest first."""
    rows = [
        (
            entry.at.strftime("%H:%M:%S"),
            entry.action,
            entry.note or f"{describe(entry.variant)}{refused(history.refusal(entry.variant))}",
        )
        for entry in reversed(history.log)
    ]
    return pd.DataFrame(rows, columns=["UTC", "Action", "What, or in force after it"])
