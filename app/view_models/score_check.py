"""Check these scores: what was predicted beside what was measured."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd

from app.view_models import blame
from fmd_core import Estimate, ScoreCheck, figures
from fmd_core.influence.score_check import DRAWS, PLANTS, GroupCheck, Verdict
from fmd_core.report.sections import EFFECTS

HEADLINES: dict[Verdict, str] = {
    "can be relied on": "These scores can be relied on.",
    "rough": "These scores are rough.",
    "not to be relied on": "These scores are not to be relied on.",
}
RULE = (
    "Relied on: leaving out the harmful lowers the bias, and leaving out the helpful raises it, more than any random "
    "draw, on who was held out too; both predictions are within a quarter of the truth or 0.1 points; and 9 of 10 "
    "planted signs are right. Not to be relied on: that order fails, or the signs could be guesses. Rough: between."
)
HEADINGS = [
    "Left out",
    "Scores added up",
    "Predicted",
    "Measured",
    "Held-out: predicted",
    "Held-out: measured",
]


@dataclass(frozen=True)
class ScoreCheckView:
    """Verdict, paired bars with their table, and the planted samples."""

    headline: str
    reason: str
    labels: tuple[str, ...]
    predicted: tuple[Estimate, ...]
    measured: tuple[Estimate, ...]
    summary: str
    table: pd.DataFrame
    held_out: str
    planted: str
    axis: str
    caution: str  # about a model that was not fitted to convergence, else empty


NEEDS_ONE_LAYER = (
    "These scores are predictions for the last two layers. They cannot be checked here: two fits of two layers differ "
    "by more than what was left out."
)


def invitation(k: int, unit: str) -> str:
    """What pressing the button would do."""
    return (
        f"Scores are predictions. To see what is true, we fit the model's last layer again without the {k} most "
        f"harmful {figures.many(unit)}, without {k} random ones ({DRAWS} draws) and without the {k} most helpful, "
        f"and then with each of {PLANTS} external {figures.many(unit)} planted in the training data."
    )


def lead(check: ScoreCheck) -> str:
    """What was measured, for the top of the page."""
    harmful, points = check.groups[0], _in_points(check)
    what = blame.subject(check.people) if check.people else "the model's bias"
    return (
        f"Checked: fitted again without the {check.k} most harmful, {what} changes by "
        f"{points(harmful.mean('measured'))} {blame.unit(check.people)}; predicted were "
        f"{points(harmful.mean('predicted'))}."
    )


def build(check: ScoreCheck, unit: str) -> ScoreCheckView:
    """The check in words and figures; `unit` is what one sample is called."""
    harmful, random, helpful = check.groups
    points = _in_points(check)

    def pair(group: GroupCheck, people: str = "") -> str:
        measured, predicted = group.mean(f"measured{people}"), group.mean(f"predicted{people}")
        return f"{points(measured)} {blame.unit(check.people)} (predicted {points(predicted)})"

    many = figures.many(unit)
    return ScoreCheckView(
        headline=HEADLINES[check.verdict],
        reason=_reason(check, unit),
        labels=tuple(_label(group, check.k) for group in check.groups),
        predicted=tuple(_estimate(group, "predicted") for group in check.groups),
        measured=tuple(_estimate(group, "measured") for group in check.groups),
        summary=(
            f"Without the {check.k} most harmful {blame.subject(check.people)} changes by {pair(harmful)}, "
            f"without {check.k} random ones by {pair(random)}, without the {check.k} most helpful by "
            f"{pair(helpful)}. Random is the mean of {len(random.draws)} draws, the whiskers their range."
        ),
        table=pd.DataFrame(
            [(_label(g, check.k), *(points(g.mean(name)) for name in EFFECTS)) for g in check.groups],
            columns=HEADINGS,
        ),
        held_out=(
            f"On held-out {many}, which the scores do not know: {pair(harmful, '_held_out')} without the "
            f"harmful, {pair(helpful, '_held_out')} without the helpful. The single scores add up to "
            f"{points(harmful.mean('added_up'))} and {points(helpful.mean('added_up'))}: effects of {many} that go "
            "together do not simply add up."
        ),
        planted=_planted(check, unit),
        axis=f"change of {blame.subject(check.people)}, {blame.unit(check.people)}",
        caution=_caution(check, unit),
    )


def _reason(check: ScoreCheck, unit: str) -> str:
    what, many = blame.subject(check.people), figures.many(unit)
    if not check.in_order("measured"):
        return (
            f"Leaving out the {many} ranked first does not move {what} as predicted, or no more than leaving out "
            "random ones does."
        )
    if not check.planted.beats_chance:
        moves = f"{figures.with_capital(what)} does not move"
        return f"{moves} the way the scores of planted {many} say more often than by guessing."
    if check.verdict == "can be relied on":
        return f"Leaving out the {many} ranked first does what was predicted, in kind and in size."
    if not check.in_order("measured_held_out"):
        return f"They hold on the {many} that they were made from, but not on held-out {many}."
    off = [g.kind for g in (check.groups[0], check.groups[2]) if not g.is_close]
    if off:
        return f"Who is harmful and who is helpful holds, but how much is predicted poorly ({' and '.join(off)})."
    return f"The ranking holds, but some planted {many} move {what} the other way."


def _planted(check: ScoreCheck, unit: str) -> str:
    test = check.planted
    many = figures.many(unit)
    chance = "p < 0.001" if test.p_value < 0.001 else f"p = {test.p_value:.3f}"
    return (
        f"Then {test.n} external {many} were planted in the training data, one at a time: {test.right} of {test.n} "
        f"signs right, that is, {blame.subject(check.people)} moved the way the score says (on held-out "
        f"{many} {test.right_held_out} of {test.n}). Guessing gets {test.n / 2:g} ({chance})."
    )


def _caution(check: ScoreCheck, unit: str) -> str:
    if check.converged:
        return ""
    return (
        f"This model's last layer is not the best fit of its own loss: fitting it again with all {figures.many(unit)} "
        f"moves it by {100 * check.head_distance:.0f} % of its length and {blame.subject(check.people)} from "
        f"{figures.points(check.bias)} to {figures.points(check.bias_refitted)} points. Effects are measured from "
        "there; scores are those of the model as it was given."
    )


def _label(group: GroupCheck, k: int) -> str:
    return f"{k} random" if group.kind == "random" else f"{k} most {group.kind}"


def _estimate(group: GroupCheck, name: str) -> Estimate:
    return Estimate(group.mean(name), *group.ends(name), len(group.draws))


def _in_points(check: ScoreCheck) -> Callable[[float], str]:
    """How to write the changes of one check."""
    return figures.in_points(end for group in check.groups for end in group.ends("measured"))
