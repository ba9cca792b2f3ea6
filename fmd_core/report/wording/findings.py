"""What an attribute does to the answer, in a sentence."""

from __future__ import annotations

from fmd_core.figures import count, counted, in_hundred, percent, points, with_capital
from fmd_core.intervals import Estimate
from fmd_core.measure.bias_functions import FairnessMeasure
from fmd_core.measure.bias_report import AttributeBias
from fmd_core.measure.scan import Finding

DECIDES = 0.2  # from 20 points on an attribute is said to decide the answer
SUBJECTS: dict[FairnessMeasure, str] = {
    "counterfactual": "{}",
    "demographic parity": "the demographic parity gap by {}",
    "equal opportunity": "the equal opportunity gap by {}",
    "predictive equality": "the predictive equality gap by {}",
    "worst group": "the lag of whoever is served worst by {}",
}

AMONG: dict[FairnessMeasure, str] = {
    "demographic parity": "",
    "equal opportunity": " among those who truly belong to it",
    "predictive equality": " among those who do not belong to it",
}
"""Whose probability a gap between groups compares."""


def attribute_headline(finding: Finding, called: str = "") -> str:
    """The finding on one attribute, which may be `called` otherwise than its column, in one short sentence."""
    name, limit = called or finding.attribute, f"the limit of {counted(100 * finding.threshold, 'point')}"
    if finding.verdict == "cannot be said":
        if finding.estimate.value is not None:
            few = counted(finding.audit.n_unsaid, "group")
            what = SUBJECTS[finding.measure].format(name)
            return f"Whether {what} stays within {limit} cannot be said: of {few} there are too few."
        if finding.estimate.reason == "too few":
            return f"There are too few people to say (n = {finding.estimate.n}) about {name}."
        return problem_sentence(with_capital(name), finding.estimate)
    what = SUBJECTS[finding.measure].format(name)
    if finding.verdict == "within the limit":
        return f"{with_capital(what)} stays within {limit}."
    if finding.verdict == "too close to call":
        return f"Whether {what} stays within {limit} is too close to call."
    if finding.measure == "counterfactual":
        decides = (finding.estimate.value or 0) >= DECIDES
        return (
            f"This model decides by {name}."
            if decides
            else f"{with_capital(name)} moves the answer beyond {limit}."
        )
    return f"{with_capital(what)} is beyond {limit}."


def problem_sentence(about: str, unknown: Estimate) -> str:
    """Why there is no figure: a problem that is a sentence of its own as it is, else behind what it is about."""
    return unknown.problem if unknown.reason == "sentence" else f"{about}: {unknown.problem}."


def attribute_sentence(finding: Finding, called: str = "") -> str:
    """What the attribute, which may be `called` otherwise than its column, does to the answer, with interval and
    number of people."""
    found, name = finding.estimate, called or finding.attribute
    if found.value is None or found.low is None or found.high is None:
        return problem_sentence(with_capital(name), found)
    interval = f"(95 % interval {points(found.low)} to {points(found.high)}, n = {count(found.n)})"
    if finding.measure == "worst group":
        return _worst_lag_sentence(finding)
    if finding.measure != "counterfactual":
        among = AMONG[finding.measure]
        more = "more" if finding.audit.favours(finding.measure) else "less"
        return (
            f"On average a class gets {points(found.value)} points {more} probability{among} where the {name} "
            f"is usual for the class than elsewhere {interval}."
        )
    if finding.audit.excess is not None and finding.audit.placebo is not None:
        return _matched_sentence(name, finding.audit, finding.audit.excess, finding.audit.placebo)
    sentence = f"Changing only the {name} changes the answer by {points(found.value)} points {interval}"
    flips = finding.audit.flips
    return (
        f"{sentence}."
        if flips.value is None
        else f"{sentence}; for {in_hundred(flips.value)} it flips the decision."
    )


def lag_sentence(lag: Estimate, who: str, looked: str = "") -> str:
    """How far one group lags behind everybody else, with interval and number of people; `looked` says at how many
    groups somebody looked for it."""
    if lag.value is None or lag.low is None or lag.high is None:
        return problem_sentence(f"How far {who} lag behind everybody else", lag)
    interval = f"95 % interval {points(lag.low)} to {points(lag.high)}, n = {count(lag.n)}{looked}"
    return f"The model is right for {points(lag.value)} points fewer of {who} than of everybody else ({interval})."


def _worst_lag_sentence(finding: Finding) -> str:
    """The same of whoever is served worst, and of how many groups nobody can say."""
    groups = [group for group in finding.audit.groups if group.accuracy.value is not None]
    looked = f", adjusted for looking at {counted(len(groups), 'group')}" if len(groups) > 1 else ""
    few = finding.audit.n_unsaid
    unsaid = f" Of {counted(few, 'group')} there are too few to say." if few else ""
    return lag_sentence(finding.estimate, groups[0].who, looked) + unsaid


def _matched_sentence(name: str, audit: AttributeBias, excess: Estimate, placebo: Estimate) -> str:
    """The same for twins who are two real people, with the floor that placebo twins show."""
    bias = audit.bias
    if excess.value is None or placebo.value is None or bias.value is None:
        return problem_sentence(with_capital(name), excess if excess.value is None else bias)
    if not audit.distance:  # exact twins with a placebo are texts
        return (
            f"Changing only the {name} in a text changes the answer by {points(bias.value)} points; changing a neutral "
            f"word {points(placebo.value)}. That leaves {points(excess.value)} points for {name} itself (95 % interval "
            f"{points(excess.low or 0)} to {points(excess.high or 0)}, n = {count(excess.n)})."
        )
    return (
        f"Two people who differ by {name}, else as alike as we can find them, get answers "
        f"{points(bias.value)} points apart; two who share it {points(placebo.value)}. That leaves "
        f"{points(excess.value)} points for {name} itself (95 % interval {points(excess.low or 0)} to "
        f"{points(excess.high or 0)}, n = {count(excess.n)})."
    )


def worst_served_sentence(audit: AttributeBias, everyone: Estimate) -> str:
    """The group of one class and one attribute level that is served clearly worse than all; else empty.

    Groups of attributes alone, over all classes, are another matter: see `fmd_core.measure.red_flags`.
    """
    if not audit.groups or everyone.low is None or everyone.value is None:
        return ""
    worst = audit.groups[0]
    accuracy = worst.accuracy
    if accuracy.value is None or accuracy.high is None or accuracy.high >= everyone.low:
        return ""
    return (
        f"Served worst within one class: {worst.who}. The model is right for "
        f"{percent(accuracy.value)} of them (95 % interval {points(accuracy.low or 0)} to {points(accuracy.high)}, "
        f"n = {count(accuracy.n)}), and for {percent(everyone.value)} of all."
    )
