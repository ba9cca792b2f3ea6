"""Figures in words: one place for number formats and for what a result means in a sentence.

Shares are written in percent, differences of shares in percentage points. Sentences have plain spaces;
`unbroken` sets those inside a figure for a screen.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime

from fmd_core.bias import AttributeBias
from fmd_core.bias_functions import Measure
from fmd_core.changes import Change
from fmd_core.comparison import Comparison
from fmd_core.guarded_path import UnlearningPath
from fmd_core.influence import InfluenceScores
from fmd_core.intervals import Estimate
from fmd_core.scan import Finding
from fmd_core.unlearning import USES_K, StrategyName

NAMED_LOSERS = 3
DECIDES = 0.2  # from 20 points on an attribute is said to decide the answer
SUBJECTS: dict[Measure, str] = {
    "counterfactual": "{}",
    "demographic parity": "the demographic parity gap by {}",
    "equal opportunity": "the equal opportunity gap by {}",
}
STRATEGY_TITLES: dict[StrategyName, str] = {
    "iterated": "Learn from external samples",
    "paper-remove": "Forget harmful samples",
    "paper-replace": "Swap harmful samples for twins",
    "paper-external": "One step on external samples",
}
METHOD_TITLES: dict[str, str] = {str(name): title for name, title in STRATEGY_TITLES.items()} | {
    "exclusion": "Fit again without samples that the reviewer excluded",
    "erasure": "Erase the attribute from the features (LEACE)",
    "adversary": "Train against an adversary that reads the attribute",
    "pattern": "Forget a pattern that channels respond to",
}
STRATEGY_NOTES: dict[StrategyName, str] = {
    "iterated": "Refits the layers that may change on external twins. Even the smallest strength refits; more strength "
    "makes it answer both twins alike.",
    "paper-remove": "The published single step that takes the K most harmful training samples out.",
    "paper-replace": "The published single step that puts its twin in each of the K most harmful samples' place.",
    "paper-external": "The published single step on external twins; it needs no training samples.",
}


GROUP_NOTES: dict[StrategyName, str] = {
    "iterated": "Refits the layers that may change on external samples. Even the smallest strength refits; more "
    "strength makes it answer both groups alike on average.",
    "paper-external": "A single step along the slope of the gap between the groups; it needs no training samples.",
}
"""What is different where the bias is a gap between groups."""


def strategy_note(strategy: StrategyName, measure: Measure) -> str:
    """What a strategy does, in a sentence or two."""
    notes = STRATEGY_NOTES if measure == "counterfactual" else STRATEGY_NOTES | GROUP_NOTES
    return notes[strategy]


def many(unit: str) -> str:
    """More than one of a unit: 'image' is 'images'."""
    return {"person": "people"}.get(unit, f"{unit}s")


def counted(number: float, unit: str) -> str:
    """A number with its unit: '1 point', '2.5 points', '12,500 people'."""
    text = count(number) if isinstance(number, int) else f"{number:g}"
    return f"{text} {unit if text == '1' else many(unit)}"


def count(number: int) -> str:
    """A count of people, with a comma from a thousand on: '999', but '16,281'."""
    return f"{number:,}"


_INSIDE = re.compile(
    r"(?<=\d) (?=%)"  # 58.8 %
    r"|(?<=\d) (?=points?\b)"
    r"|(?<=\d %) (?=interval)"
    r"|\bn\b( )=( )(?=\d)"
    r"|(?<=\d) (?=to [+\N{MINUS SIGN}]?\d)|(?<=\d to) (?=[+\N{MINUS SIGN}]?\d)"
)


def unbroken(text: str) -> str:
    """The same text with no-break spaces inside figures, where a line must not end: '58.8 %', 'n = 450'."""
    return _INSIDE.sub(lambda found: found[0].replace(" ", "\N{NO-BREAK SPACE}"), text)


def points(share: float, digits: int = 1) -> str:
    """A difference of shares in percentage points: 0.588 is '58.8'."""
    text = f"{100 * share:.{digits}f}"
    return signed(text.removeprefix("-") if float(text) == 0 else text)


def signed(text: str) -> str:
    """The same text with a true minus sign."""
    return text.replace("-", "\N{MINUS SIGN}", 1) if text.startswith("-") else text


def in_points(changes: Iterable[float]) -> Callable[[float], str]:
    """How to write `changes` that are read together: in points with a sign, to as many decimals as the
    largest of them needs."""
    largest = max((abs(change) for change in changes), default=0.0)
    digits = 1 if largest >= 0.02 else 2 if largest >= 0.002 else 3

    def text(change: float) -> str:
        return f"{'+' if round(100 * change, digits) > 0 else ''}{points(change, digits)}"

    return text


def percent(share: float, digits: int = 1) -> str:
    """A share in percent: 0.588 is '58.8 %'."""
    return f"{points(share, digits)} %"


def span(shares: Sequence[float]) -> str:
    """The least and the most of some shares in percent, without the sign: '50.4 to 53.4', or '50.4' where both are."""
    ends = points(min(shares)), points(max(shares))
    return ends[0] if ends[0] == ends[1] else f"{ends[0]} to {ends[1]}"


def listed(names: Sequence[str]) -> str:
    """Names in a sentence: 'a, b and c'."""
    return " and ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else "".join(names)


def p_value(p: float) -> str:
    """A p-value with three decimals: '0.031', 'below 0.001'."""
    return "below 0.001" if p < 0.001 else f"{p:.3f}"


def moment(iso: str) -> str:
    """An ISO date with a time: '1 Mar 2025, 12:30 UTC'."""
    at = datetime.fromisoformat(iso).astimezone(UTC)
    return f"{at.day} {at:%b %Y, %H:%M} UTC"


def in_hundred(share: float) -> str:
    """A share of people: 0.588 is '59 in 100'."""
    return f"{100 * share:.0f} in 100"


def figure(estimate: Estimate, *, difference: bool = False) -> str:
    """'58.8 (54.8 to 62.9)', or why there is no figure."""
    if estimate.value is None or estimate.low is None or estimate.high is None:
        return estimate.problem
    return f"{value(estimate, difference=difference)} ({interval(estimate)})"


def value(estimate: Estimate, *, difference: bool = False) -> str:
    """The figure without its interval: '58.8', a rise of a difference with its sign; '' where there is none."""
    if estimate.value is None:
        return ""
    mark = "+" if difference and round(100 * estimate.value, 1) > 0 else ""
    return f"{mark}{points(estimate.value)}"


def interval(estimate: Estimate) -> str:
    """The 95 % interval alone: '54.8 to 62.9'; '' where there is none."""
    if estimate.low is None or estimate.high is None:
        return ""
    return f"{points(estimate.low)} to {points(estimate.high)}"


def attribute_headline(finding: Finding) -> str:
    """The finding on one attribute in one short sentence."""
    name, limit = finding.attribute, f"the limit of {counted(100 * finding.threshold, 'point')}"
    if finding.verdict == "cannot be said":
        if finding.estimate.reason == "too few":
            return f"There are too few people to say (n = {finding.estimate.n}) about {name}."
        return _problem_sentence(_capital(name), finding.estimate)
    what = SUBJECTS[finding.measure].format(name)
    if finding.verdict == "within the limit":
        return f"{_capital(what)} stays within {limit}."
    if finding.verdict == "too close to call":
        return f"Whether {what} stays within {limit} is too close to call."
    if finding.measure == "counterfactual":
        decides = (finding.estimate.value or 0) >= DECIDES
        return (
            f"This model decides by {name}."
            if decides
            else f"{_capital(name)} moves the answer beyond {limit}."
        )
    return f"{_capital(what)} is beyond {limit}."


def _problem_sentence(about: str, unknown: Estimate) -> str:
    """Why there is no figure: a problem that is a sentence of its own as it is, else behind what it is about."""
    return unknown.problem if unknown.reason == "sentence" else f"{about}: {unknown.problem}."


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def attribute_sentence(finding: Finding) -> str:
    """What the attribute does to the answer, with interval and number of people."""
    found, name = finding.estimate, finding.attribute
    if found.value is None or found.low is None or found.high is None:
        return _problem_sentence(_capital(name), found)
    interval = f"(95 % interval {points(found.low)} to {points(found.high)}, n = {count(found.n)})"
    if finding.measure != "counterfactual":
        among = " among those who truly belong to it" if finding.measure == "equal opportunity" else ""
        more = "more" if finding.audit.favours(finding.measure) else "less"
        return (
            f"On average a class gets {points(found.value)} points {more} probability{among} where the {name} "
            f"goes with the pattern than elsewhere {interval}."
        )
    if finding.audit.excess is not None and finding.audit.placebo is not None:
        return _matched_sentence(finding.audit, finding.audit.excess, finding.audit.placebo)
    sentence = f"Changing only the {name} changes the answer by {points(found.value)} points {interval}"
    flips = finding.audit.flips
    return (
        f"{sentence}."
        if flips.value is None
        else f"{sentence}; for {in_hundred(flips.value)} it flips the decision."
    )


def worst_served_sentence(audit: AttributeBias, everyone: Estimate) -> str:
    """The group of one class and one attribute level that is served clearly worse than all; else empty.

    Groups of attributes alone, over all classes, are another matter: see `fmd_core.red_flags`.
    """
    if not audit.groups or everyone.low is None or everyone.value is None:
        return ""
    worst = audit.groups[0]
    accuracy = worst.accuracy
    if accuracy.value is None or accuracy.high is None or accuracy.high >= everyone.low:
        return ""
    return (
        f"Served worst within one class: {worst.label}, {worst.level}. The model is right for "
        f"{percent(accuracy.value)} of them (95 % interval {points(accuracy.low or 0)} to {points(accuracy.high)}, "
        f"n = {count(accuracy.n)}), and for {percent(everyone.value)} of all."
    )


def _matched_sentence(audit: AttributeBias, excess: Estimate, placebo: Estimate) -> str:
    """The same for twins who are two real people, with the floor that placebo twins show."""
    bias = audit.bias
    if excess.value is None or placebo.value is None or bias.value is None:
        return _problem_sentence(_capital(audit.attribute), excess if excess.value is None else bias)
    return (
        f"Two people who differ by {audit.attribute}, else as alike as we can find them, get answers "
        f"{points(bias.value)} points apart; two who share it {points(placebo.value)}. That leaves "
        f"{points(excess.value)} points for {audit.attribute} itself (95 % interval {points(excess.low or 0)} to "
        f"{points(excess.high or 0)}, n = {count(excess.n)})."
    )


def bias_name(found: Comparison | InfluenceScores) -> str:
    """What a figure is about: 'colour bias', 'sex bias beyond the placebo', 'demographic parity gap by sex'."""
    if found.measure != "counterfactual":
        return f"{found.measure} gap by {found.attribute}"
    beyond = isinstance(found, Comparison) and found.excess is not None
    return f"{found.attribute} bias{' beyond the placebo' if beyond else ''}"


def comparison_headline(comparison: Comparison) -> str:
    """Did it work, in one sentence."""
    bias, verdict = comparison.judged, comparison.verdict
    if verdict == "unchanged":
        return "Nothing has changed: this is the original model."
    if bias.before.value is None or bias.after.value is None:
        return _problem_sentence("Whether it worked cannot be said", bias.before)
    ends = points(bias.before.value), points(bias.after.value)
    moved = f"from {ends[0]} to {ends[1]} points" if ends[0] != ends[1] else "by less than 0.1 points"
    subject = f"the {bias_name(comparison)}"
    if verdict == "no evidence":
        opening = f"No evidence that {subject} changes ({ends[0]} to {ends[1]} points)"
    else:
        opening = f"{_capital(subject)} {'rises' if verdict == 'worse' else 'falls'} {moved}"
    joint = "but" if verdict == "improved at a cost" else "and"
    return f"{opening}, {joint} {_accuracy_with_figures(comparison.accuracy)}."


def still_beyond(judged: Change, threshold: float) -> str:
    """A sentence if what is `judged` stays beyond the limit, a share, after the change; else ''."""
    if judged.after.value is None or judged.after.value <= threshold:
        return ""
    return f"The bias is still beyond the limit of {counted(round(100 * threshold), 'point')}."


def accuracy_clause(accuracy: Change, name: str = "accuracy") -> str:
    """What happened to accuracy, under its `name`, as a part of a sentence without figures."""
    if accuracy.before.value is None or accuracy.after.value is None:
        return f"{name} cannot be said"
    if not accuracy.is_beyond_chance:
        return f"there is no evidence that {name} changes"
    return f"{name} {'falls' if accuracy.fell else 'rises'}"


def _accuracy_with_figures(accuracy: Change) -> str:
    clause = accuracy_clause(accuracy)
    if accuracy.before.value is None or accuracy.after.value is None:
        return clause
    moved = f"from {percent(accuracy.before.value)} to {percent(accuracy.after.value)}"
    return f"{clause} {moved}" if accuracy.is_beyond_chance else f"{clause} ({moved})"


def losers_sentence(comparison: Comparison) -> str:
    """Who pays, in one sentence; the worst three by name."""
    everyone = (*comparison.groups, *comparison.intersections)
    measurable = [c for c in everyone if c.difference.value is not None]
    unknown = len(everyone) - len(measurable)
    tail = f" For {count(unknown)} more there are not enough people to say." if unknown else ""
    losers, doubtful = comparison.losers, [c for c in comparison.groups if c.is_doubtful_loss]
    if losers:
        return f"{len(losers)} of {counted(len(measurable), 'group')} lost accuracy: {_named(losers)}.{tail}"
    if doubtful:
        tail = f" Looked at alone these lost too, but of so many groups some do by chance: {_named(doubtful)}.{tail}"
    return f"None of {counted(len(measurable), 'group')} lost accuracy by more than chance.{tail}"


def _named(losers: Sequence[Change]) -> str:
    names = "; ".join(f"{c.group} {_loss(c)}" for c in losers[:NAMED_LOSERS])
    return names + (f"; and {len(losers) - NAMED_LOSERS} more" if len(losers) > NAMED_LOSERS else "")


def who_pays(comparison: Comparison, others: Sequence[Change] = ()) -> str:
    """`losers_sentence`, after the other attributes whose bias (a change each) rose by more than chance."""
    risen = [
        (other.group, points(other.difference.value or 0))
        for other in others
        if other.is_beyond_chance and (other.difference.value or 0) > 0
    ]
    what = "bias" if comparison.gap is None else f"{comparison.measure} gap"
    if not risen:
        return losers_sentence(comparison)
    (first, size), *more = risen
    also = "".join(f", that by {name} {by} points" for name, by in more)
    return f"The {what} by {first} rises {size} points{also}. {losers_sentence(comparison)}"


def _loss(change: Change) -> str:
    gap = change.difference
    return f"by {points(-(gap.value or 0))} points ({points(-(gap.high or 0))} to {points(-(gap.low or 0))})"


def strength_label(strength: float) -> str:
    """A strength as the slider shows it."""
    return "0 (original)" if strength == 0 else f"{strength:g}"


def setting(strategy: StrategyName, strength: float, k: int, blend: float) -> str:
    """Strategy and settings of one unlearning along a path."""
    if strength == 0:
        return "the original model"
    parts = [STRATEGY_TITLES[strategy], f"strength {strength:g}"]
    if strategy in USES_K:
        parts.append(f"K = {k}")
    if blend < 1:
        parts.append(f"{100 * blend:.0f} % of the way")
    return ", ".join(parts)


def guard_refusal(refusal: str) -> str:
    """That the guard refuses a setting, and why."""
    return f"The guard refuses this: {refusal}, on validation samples."


def broken_seal(file: str) -> str:
    """That a report is not as it was written; `file` begins the sentence, such as 'This file'."""
    return f"{file} was changed after it was written: its seal does not fit."


def suggestion_reason(path: UnlearningPath) -> str:
    """Why the guarded path suggests what it suggests."""
    best, start = path.suggested, path.original
    refused = [p for p in (*path.points, *path.blends) if p.refusal]
    rule = (
        f"On {count(path.people)} validation samples accuracy may fall by at most "
        f"{counted(100 * path.tolerance, 'point')} overall, no class by more than 5, and the bias may not rise."
    )
    if best is start:
        return (
            f"{rule} No strength is allowed and better, so we suggest to leave the model as it is. Another way to "
            "unlearn, more layers or feature unlearning may do better."
        )
    tried = len(path.points) + len(path.blends)
    breaks = "breaks" if len(refused) == 1 else "break"
    out = (
        f"{len(refused)} of {tried} tried settings {breaks} that rule. Of the rest"
        if refused
        else "Of all tried settings"
    )
    return (
        f"{rule} {out} we suggest the one that trades best, a point of bias counting as much as two points of "
        f"accuracy: bias from {points(start.bias)} to {points(best.bias)} points, counted in decisions from "
        f"{points(start.decided)} to {points(best.decided)}, accuracy from {percent(start.accuracy)} to "
        f"{percent(best.accuracy)}. The larger of both counts: a model that only becomes unsure earns nothing."
    )
