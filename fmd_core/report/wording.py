"""One place for what a result means in a sentence; how numbers are written is said in `fmd_core.figures`."""

from __future__ import annotations

from collections.abc import Sequence

from fmd_core.figures import (
    count,
    counted,
    in_hundred,
    interval,
    listed,
    percent,
    points,
    value,
)
from fmd_core.influence.scores import InfluenceScores
from fmd_core.intervals import Estimate
from fmd_core.measure.audit import AttributeBias
from fmd_core.measure.bias_functions import Measure
from fmd_core.measure.changes import Change
from fmd_core.measure.comparison import Comparison
from fmd_core.measure.scan import Finding
from fmd_core.method import Strategy, find_strategy
from fmd_core.unlearn.guarded_path import UnlearningPath
from fmd_core.unlearn.strategies import UnlearningResult

NAMED_LOSERS = 3
DECIDES = 0.2  # from 20 points on an attribute is said to decide the answer
SUBJECTS: dict[Measure, str] = {
    "counterfactual": "{}",
    "demographic parity": "the demographic parity gap by {}",
    "equal opportunity": "the equal opportunity gap by {}",
    "predictive equality": "the predictive equality gap by {}",
}

AMONG: dict[Measure, str] = {
    "demographic parity": "",
    "equal opportunity": " among those who truly belong to it",
    "predictive equality": " among those who do not belong to it",
}
"""Whose probability a gap between groups compares."""


def strategy_note(strategy: str | Strategy, measure: Measure) -> str:
    """What a strategy does, in a sentence or two."""
    found = find_strategy(strategy)
    return found.note if measure == "counterfactual" else found.group_note or found.note


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


def attribute_sentence(finding: Finding, called: str = "") -> str:
    """What the attribute, which may be `called` otherwise than its column, does to the answer, with interval and
    number of people."""
    found, name = finding.estimate, called or finding.attribute
    if found.value is None or found.low is None or found.high is None:
        return _problem_sentence(_capital(name), found)
    interval = f"(95 % interval {points(found.low)} to {points(found.high)}, n = {count(found.n)})"
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


def _matched_sentence(name: str, audit: AttributeBias, excess: Estimate, placebo: Estimate) -> str:
    """The same for twins who are two real people, with the floor that placebo twins show."""
    bias = audit.bias
    if excess.value is None or placebo.value is None or bias.value is None:
        return _problem_sentence(_capital(name), excess if excess.value is None else bias)
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


def bias_name(found: Comparison | InfluenceScores, called: str = "") -> str:
    """What a figure is about: 'colour bias', 'sex bias beyond the placebo', 'demographic parity gap by sex', 'loss of
    blond men'. Scores know their attribute by its name alone: `called` is what the data call it."""
    name = called or (found.called if isinstance(found, Comparison) else "") or found.attribute
    if isinstance(found, InfluenceScores) and found.people:
        return f"loss of {found.people}"
    if found.measure != "counterfactual":
        return f"{found.measure} gap by {name}"
    beyond = isinstance(found, Comparison) and found.excess is not None
    return f"{name} bias{' beyond the placebo' if beyond else ''}"


def comparison_headline(comparison: Comparison) -> str:
    """Did it work, in one sentence: the verdict, the bias, accuracy, and what speaks against it."""
    bias, verdict = comparison.judged, comparison.verdict
    if verdict == "unchanged":
        return "Nothing has changed: this is the original model."
    if bias.before.value is None or bias.after.value is None:
        return _problem_sentence("Whether it worked cannot be said", bias.before)
    ends = points(bias.before.value), points(bias.after.value)
    subject = f"the {bias_name(comparison)}"
    if bias.difference.excludes_zero:
        moved = f"from {ends[0]} to {ends[1]} points" if ends[0] != ends[1] else "by less than 0.1 points"
        said = f"{subject} {'rises' if (bias.difference.value or 0) > 0 else 'falls'} {moved}"
    else:
        said = f"no evidence that {subject} changes ({ends[0]} to {ends[1]} points)"
    openings = {"improved": "Improved: ", "mixed": "Mixed: ", "worse": "Worse: "}
    opening = openings.get(verdict, "Not an improvement: " if comparison.is_flatter else "")
    against = doubts(comparison) if verdict in ("mixed", "worse") or comparison.is_flatter else ()
    tail = f"; {listed(against)}" if against else ""
    joint = "but" if bias.fell and comparison.accuracy.fell else "and"
    sentence = f"{opening}{said}, {joint} {_accuracy_with_figures(comparison.accuracy)}{tail}."
    return sentence if opening else _capital(sentence)


def doubts(comparison: Comparison) -> tuple[str, ...]:
    """What keeps a change from being an improvement beside the bias itself, a clause each."""
    found = [_flatter_clause(comparison)] if comparison.is_flatter else []
    if comparison.died:
        named = listed([comparison.classes[c] for c in comparison.died])
        found.append(f"{named} {'is' if len(comparison.died) == 1 else 'are'} never answered any more")
    if n := len(comparison.payers):
        found.append(f"{counted(n, 'group')} {'loses' if n == 1 else 'lose'} accuracy")
    if comparison.is_worst_group_worse:
        found.append("whoever is served worst is served worse than before")
    if comparison.measure == "counterfactual" and comparison.judged.fell and not comparison.flips.fell:
        found.append("there is no evidence that fewer decisions flip")
    if not comparison.can_say_who_pays:
        found.append("there are not enough people to say who pays")
    return tuple(found)


def _flatter_clause(comparison: Comparison) -> str:
    """Why a bias that fell is no improvement by itself."""
    even = comparison.calibrated
    if even is None or even.before.value is None or even.after.value is None:
        return "there are too few validation people to say whether the answers only became flatter"
    moved = f"{points(even.before.value)} to {points(even.after.value)} points"
    said = (
        f"it rises, {moved}"
        if comparison.is_calibrated_worse
        else f"there is no evidence that it falls ({moved})"
    )
    return f"the answers became flatter, not fairer: calibrated, {said}"


def calibrated_sentence(comparison: Comparison) -> str:
    """What is judged once both models are as sure as they are right; '' where nobody asked."""
    even = comparison.calibrated
    if even is None or comparison.verdict == "unchanged":
        return ""
    if even.before.value is None or even.after.value is None:
        return _problem_sentence("Calibrated bias", even.before)
    ends = f"from {points(even.before.value)} to {points(even.after.value)} points"
    does = "falls" if comparison.is_calibrated_better else "shows no evidence of a change,"
    does = "rises" if comparison.is_calibrated_worse else does
    told = "" if not comparison.is_flatter else " The answers became flatter, not fairer."
    return f"Calibrated, with both models as sure as they are right, the {bias_name(comparison)} {does} {ends}.{told}"


def people_sentence(comparison: Comparison, unit: str) -> str:
    """How many are answered right now and were not, how many the other way round, and whoever was served
    worst; `unit` is what one of them is called."""
    gained, lost = len(comparison.gained), len(comparison.lost)
    those = (
        f"{counted(gained, unit)} {'is' if gained == 1 else 'are'} answered right now and {_was(gained)} not"
    )
    others = f"{count(lost)} {'is' if lost == 1 else 'are'} wrong now and {_was(lost)} right"
    return f"{those}; {others}. {worst_group_sentence(comparison)}".rstrip()


def worst_group_sentence(comparison: Comparison) -> str:
    """Who was served worst, before and after, and who is now; '' where no group has enough people."""
    was, now = comparison.worst_before, comparison.worst_after
    if was is None or now is None or was.after.value is None:
        return ""
    same = was.group == now.group
    said = f"Served worst within one class {'before and after' if same else 'before'}: {_cell(was)}."
    return said if same else f"{said} And now: {_cell(now)}."


def _cell(cell: Change) -> str:
    moved = f"{percent(cell.before.value or 0)} to {percent(cell.after.value or 0)}"
    return f"{cell.who}, right {moved} (n = {count(cell.before.n)})"


def _was(number: int) -> str:
    return "was" if number == 1 else "were"


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


def gainers_sentence(comparison: Comparison) -> str:
    """Who gained by more than chance, the three that gained most by name; '' where no group did."""
    gained = comparison.gainers
    named = [change for change in gained if change.properties][:NAMED_LOSERS]
    if not named:
        return ""
    those = "; ".join(
        f"{c.who} by {points(c.difference.value or 0)} points ({interval(c.difference)})" for c in named
    )
    more = len(gained) - len(named)
    return f"Gained most: {those}{f'; and {more} more' if more else ''}."


def losers_sentence(comparison: Comparison) -> str:
    """Who pays, in one sentence; the worst three by name."""
    everyone = (*comparison.groups, *comparison.intersections)
    everyone += tuple(change for change in comparison.losers if change not in everyone)
    measurable = [c for c in everyone if c.difference.value is not None]
    unknown = len(everyone) - len(measurable)
    tail = f" For {count(unknown)} more there are not enough people to say." if unknown else ""
    losers, doubtful = comparison.losers, [c for c in comparison.groups if c.is_doubtful_loss]
    if not measurable:
        return "In no group are there enough people to say whether it lost accuracy."
    if losers:
        return f"{len(losers)} of {counted(len(measurable), 'group')} lost accuracy: {_named(losers)}.{tail}"
    if doubtful:
        tail = f" Looked at alone these lost too, but of so many groups some do by chance: {_named(doubtful)}.{tail}"
    return f"None of {counted(len(measurable), 'group')} lost accuracy by more than chance.{tail}"


def moved_groups(changes: Sequence[Change], most: int) -> list[str]:
    """Groups whose accuracy moved, `most` of those that have a name in the data a clause each, and how many more."""
    named = [change for change in changes if change.properties][:most]
    told = [
        f"{c.who}: {value(c.difference, difference=True)} points ({interval(c.difference)}), n = {count(c.before.n)}"
        for c in named
    ]
    more = len(changes) - len(named)
    return told + (
        [f"and {counted(more, 'more group')}" if named else counted(more, "group")] if more else []
    )


def _named(losers: Sequence[Change]) -> str:
    names = "; ".join(f"{c.who} {_loss(c)}" for c in losers[:NAMED_LOSERS])
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


def setting(strategy: str | Strategy, strength: float, k: int, blend: float) -> str:
    """Strategy and settings of one unlearning along a path."""
    if strength == 0:
        return "the original model"
    found = find_strategy(strategy)
    parts = [found.title, f"{found.strength_name} {strength:g}"]
    if found.uses_k:
        parts.append(f"K = {k}")
    if blend < 1:
        parts.append(f"{100 * blend:.0f} % of the way")
    return ", ".join(parts)


def made(result: UnlearningResult) -> str:
    """How a variant was made, in words: its own, or strategy and settings; and how far its step was shortened."""
    if result.what:
        return result.what
    said, share = setting(result.strategy, result.strength, result.k, result.blend), result.step_share
    if share == 1 or result.strength == 0:
        return said
    shortened = percent(share, digits=1 if share >= 0.01 else 3)
    return f"{said}, of a step shortened to {shortened} of the published one"


def guard_refusal(refusal: str) -> str:
    """That the guard refuses a setting, and why."""
    return f"The guard refuses this: {refusal}, on validation samples."


def broken_seal(file: str) -> str:
    """That a report is not as it was written; `file` begins the sentence, such as 'This file'."""
    return f"{file} was changed after it was written: its seal does not fit."


def guard_rule(path: UnlearningPath) -> str:
    """What the guard allows on a path."""
    return (
        f"On {count(path.people)} validation samples accuracy may fall by at most "
        f"{counted(100 * path.tolerance, 'point')} overall, no class by more than 5 or be given up, and the bias "
        "may not rise."
    )


def suggestion_reason(path: UnlearningPath) -> str:
    """Why the guarded path suggests what it suggests."""
    best, start = path.suggested, path.original
    refused = [p for p in (*path.points, *path.blends) if p.refusal]
    rule = guard_rule(path)
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
