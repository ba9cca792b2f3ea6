"""Unlearn: strengths and what they do, what the guard says, and what was done so far."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import pandas as pd

from app.record.history import History
from app.record.review import Aim
from app.record.variants import Recipe, Variant, describe
from app.view_models.charts import CurvePoint
from fmd_core import BiasReport, PathPoint, UnlearningPath, Verdict, figures, find_strategy, scan
from fmd_core.measure.bias_functions import FairnessMeasure
from fmd_core.measure.verdict.values import Outcome
from fmd_core.report import wording
from fmd_core.report.aiming import suggestion_reason

Axis = Literal["bias", "decided", "worst"]
"""What lies across the curve: the bias, the same counted in decisions, or who is served worst."""


@dataclass(frozen=True)
class CurveView:
    """The bias-accuracy curve on validation samples."""

    full: tuple[CurvePoint, ...]
    blends: tuple[CurvePoint, ...]
    suggested: CurvePoint
    stops: dict[str, CurvePoint]
    """Where the slider can stand."""
    axis: str  # what lies across
    judges: str  # of whom the curve is: a bias has other figures among them than among test samples
    summary: str
    reason: str
    warning: str  # why the guard refuses the choice, empty when it admits it


def stops(path: UnlearningPath) -> dict[str, PathPoint]:
    """Where the slider can stand, by name: every strength, and the suggestion if it is a blend."""
    found = [*path.points]
    if path.suggested not in found:
        full = next(i for i, p in enumerate(found) if p.result.strength == path.suggested.result.strength)
        found.insert(full, path.suggested)
    return {stop_name(point): point for point in found}


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


def standing_on_original(history: History) -> str:
    """What to say while the slider stands on the original and something else is in force; else ''."""
    if history.current is None:
        return ""
    name = history.name(history.current)
    return f"The slider stands on the original; {name} is in force."


def would_be(judged: str) -> str:
    """What to say while nothing has changed: how our suggestion is judged, in the sentence that would stand there;
    `judged` is '' where it is to leave the model as it is."""
    if not judged:
        return (
            "Nothing has changed yet. Of what the last layer can do, our suggestion is to leave it as it is."
        )
    return f"Nothing has changed yet. Our suggestion is judged {figures.without_capital(judged)}"


def chosen_by(path: UnlearningPath, unit: str) -> str:
    """On whose word one of the cards is recommended, and whose figures they all show: never the same people."""
    many = figures.many(unit)
    return (
        f"“Recommended” rests on {figures.count(path.people)} validation {many}; the figures are of test {many}, "
        "where another card may look better."
    )


def counted_in(measure: FairnessMeasure) -> str:
    """Why the points on the cards are not those of a gap that heads the page; '' where both count the same."""
    if measure in ("counterfactual", "worst group"):
        return ""
    return "The cards count answers; the gap that heads the page is one of probabilities, so that the two differ."


def axes(path: UnlearningPath, measure: FairnessMeasure) -> dict[Axis, str]:
    """What may stand along the curve, and what it is called; the worst group where any has enough people."""
    if measure == "worst group":
        return {"worst": "Worst group", "decided": "Lag in answers", "bias": "Lag"}
    is_gap = measure != "counterfactual"
    found: dict[Axis, str] = {
        "bias": "Gap" if is_gap else "Bias",
        "decided": "Gap in answers" if is_gap else "Flips",
    }
    return found | ({"worst": "Worst group"} if path.original.worst is not None else {})


def build_curve(
    path: UnlearningPath, choice: PathPoint, unit: str, axis: Axis = "bias", name: str = "Bias"
) -> CurveView:
    """`choice` is the point of `path` that the slider stands on; `unit` what each of those who judge is
    called, and `axis` what bias, flips or the worst group there is, by `name`."""
    many = figures.many(unit)
    refused = wording.guard_refusal(choice.refusal) if choice.refusal else ""
    strength = _strength_name(path)
    if path.step_share < 1:
        share = f"{strength.capitalize()} 1 is {100 * path.step_share:.2g} % of the published step"
        refused = f"{refused} {share}: the rest would move the last layer by more than its own size.".strip()
    return CurveView(
        full=tuple(_point(p, axis) for p in path.points),
        blends=tuple(_point(p, axis) for p in path.blends),
        suggested=_point(path.suggested, axis),
        stops={name: _point(p, axis) for name, p in stops(path).items()},
        axis=f"{name.lower()} answered wrong, %" if axis == "worst" else f"{name.lower()}, points",
        judges=(
            f"What {figures.count(path.people)} validation {many} say, who guard the choice; the cards above are of "
            f"test {many}, who judge it."
        ),
        summary=(
            f"From {_told(path.original, axis, name)} and accuracy {figures.percent(path.original.accuracy)} at "
            f"{strength} 0 to {_told(path.points[-1], axis)} and {figures.percent(path.points[-1].accuracy)} "
            f"at {strength} {path.points[-1].result.strength:g}, on {figures.count(path.people)} validation {many}."
        ),
        reason=f"Our suggestion: {suggestion_reason(path, unit)}",
        warning=refused,
    )


def _told(point: PathPoint, axis: Axis, name: str = "") -> str:
    """'bias 64.1', 'worst group 57.1 % wrong (blond men, n = 28)'."""
    lead = f"{name.lower()} " if name else ""
    if axis != "worst" or point.worst is None:
        return f"{lead}{figures.points(point.decided if axis == 'decided' else point.bias)}"
    worst = point.worst
    return f"{lead}{figures.percent(1 - worst.accuracy)} wrong ({worst.name}, n = {figures.count(worst.n)})"


def curve_table(path: UnlearningPath, measure: FairnessMeasure = "counterfactual") -> pd.DataFrame:
    """The curve as a table."""
    points = [*path.points, *([path.suggested] if path.suggested in path.blends else [])]
    rows = [_row(point, path) for point in points]
    named = axes(path, measure)
    columns = [_strength_name(path).capitalize(), f"{named['bias']}, points", f"{named['decided']}, points"]
    columns += ["Worst group right, %"] if "worst" in named else []
    return pd.DataFrame(rows, columns=[*columns, "Accuracy, %", "Guard"])


def _strength_name(path: UnlearningPath) -> str:
    return find_strategy(path.original.result.strategy).strength_name


def _point(point: PathPoint, axis: Axis) -> CurvePoint:
    """To the left is better on every axis, so of the worst group who is answered wrong is shown."""
    across = point.decided if axis == "decided" else point.bias
    if axis == "worst" and point.worst is not None:
        across = 1 - point.worst.accuracy
    return CurvePoint(100 * across, 100 * point.accuracy, stop_name(point), not point.refusal)


def served(point: PathPoint) -> str:
    """Who is served worst, how well, and how many they are: '42.9, blond men (n = 28)'."""
    worst = point.worst
    if worst is None:
        return ""
    return f"{figures.points(worst.accuracy)}, {worst.name} (n = {figures.count(worst.n)})"


def stop_name(point: PathPoint) -> str:
    """Where the slider stands for a point."""
    return stop_label(point.result.strength, point.result.blend)


def stop_label(strength: float, blend: float) -> str:
    """The same for a strength and a share of the way."""
    name = figures.strength_label(strength)
    return name if blend == 1 else f"{name}, {100 * blend:.0f} % of the way"


def _row(point: PathPoint, path: UnlearningPath) -> tuple[str, ...]:
    verdict = point.refusal or ("our suggestion" if point is path.suggested else "allowed")
    worst = () if path.original.worst is None else (served(point),)
    across = figures.points(point.bias), figures.points(point.decided), *worst
    return stop_name(point), *across, figures.points(point.accuracy), verdict


def within_limit(audit: BiasReport, verdict: Verdict, aim: Aim, threshold: float, called: str) -> str:
    """What to say of an attribute, as the data call it, that the original model does not decide by; else empty. Where
    anything else is not within its limit, a small figure of one kind is no all-clear, and the verdict is said too. Of
    the worst group held-out people say it at the top of the page, of the group that was named."""
    if aim.measure == "worst group":
        return ""
    scanned = scan(audit, threshold, aim.measure)
    found = next((f for f in scanned if f.attribute == aim.attribute), None)
    if found is None or found.verdict != "within the limit":
        return ""
    if verdict.outcome is Outcome.WITHIN:
        return (
            f"{wording.attribute_headline(found, called)} There is little to take out: what improves below comes "
            "from refitting the last layer."
        )
    small = f"{wording.attribute_headline(found, called)} {wording.attribute_sentence(found, called)}"
    if verdict.outcome is Outcome.UNKNOWN:
        return f"{small} That is no all-clear. {verdict.headline}"
    return f"{small} That is no all-clear: something else is beyond its limit."


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
