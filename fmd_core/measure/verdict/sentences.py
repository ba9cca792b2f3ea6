"""Findings in the data's own words.

A level's phrase is either what its people are called ("men") or says more about others ("{} over 50K").
Without a phrase for everything that a sentence names, the fallback is "{attribute} {level}". Sentences are
made of values, and never read.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from fmd_core import figures
from fmd_core.data import AttributeDataset
from fmd_core.measure.verdict.favourable import says_little
from fmd_core.measure.verdict.rules import ALONE, among, is_beyond_alone_only
from fmd_core.measure.verdict.values import (
    Accuracy,
    Family,
    Favourable,
    Finding,
    Judges,
    Limits,
    Measure,
    Member,
    NotTested,
    Outcome,
    Rate,
    Verdict,
)

OTHERS = "everybody else"
Role = Literal["words", "worse", "better", "interval"]
"""What a piece of a sentence is: words, the figure of who fares worse or better, or an interval."""


def group_name(dataset: AttributeDataset, members: Sequence[Member]) -> str:
    """What people who share some levels are called: 'blond men', or 'sex Female and race Black'."""
    return _phrased(dataset, members) or _plain(dataset, members)


def _phrased(dataset: AttributeDataset, members: Sequence[Member]) -> str:
    """The name by phrases, '' where a level has none or two are names of people by themselves."""
    phrases = [dataset.phrases.get(member.column, {}).get(member.level, "") for member in members]
    names = [phrase for phrase in phrases if phrase and "{}" not in phrase]
    if not all(phrases) or len(names) > 1:
        return ""
    name = names[0] if names else figures.many(dataset.unit)
    for phrase in phrases:
        name = phrase.replace("{}", name) if "{}" in phrase else name
    return name


def _plain(dataset: AttributeDataset, members: Sequence[Member]) -> str:
    own = " and ".join(f"{m.column} {m.level}" for m in members if m.column != dataset.target.name)
    true = [f"{m.column} {m.level}" for m in members if m.column == dataset.target.name]
    return f"{own} with {true[0]}" if own and true else own or "".join(true)


def finding_sentence(
    dataset: AttributeDataset, finding: Finding, favourable: Favourable | None = None
) -> str:
    """What was found, with its interval and the number of people. Of people whose own class is not the favourable
    one it also says how many get that answer all the same: not being recognised spares them."""
    if finding.family is Family.TWINS:
        return _twins(dataset, finding)
    if finding.worse is None or finding.better is None:
        return ""
    if finding.family is Family.SELECTION:
        return _selection(dataset, finding, finding.worse, finding.better)
    served = _served(dataset, finding, finding.worse, finding.better)
    return served[:-1] + _spared(dataset, finding, favourable)


def _spared(dataset: AttributeDataset, finding: Finding, favourable: Favourable | None) -> str:
    """The end of a sentence about a class: how many of it get the favourable answer, where that is the other one."""
    is_known = favourable is not None and favourable.is_sure and len(dataset.target.levels) == 2
    if favourable is None or not is_known or finding.family is not Family.EQUAL_TRUTH:
        return "."
    if finding.answer == favourable.level:
        return "."
    shares = [_percent(1 - rate.value) for rate in (finding.worse, finding.better) if rate is not None]
    return f": {' and '.join(shares)} get '{answer_name(dataset, favourable.level)}' instead."


def attribute_name(dataset: AttributeDataset, attribute: str) -> str:
    """What an attribute is called in a sentence: its phrase under "", 'sex' for CelebA's 'male'."""
    return dataset.phrases.get(attribute, {}).get("", attribute)


def level_name(dataset: AttributeDataset, attribute: str, code: int) -> str:
    """What who has a level is called by themselves, 'women'; the level where its phrase says more about others."""
    level = dataset.attribute(attribute).levels[code]
    phrase = dataset.phrases.get(attribute, {}).get(level, "")
    return phrase if phrase and "{}" not in phrase else level


def _twins(dataset: AttributeDataset, finding: Finding) -> str:
    attribute = attribute_name(dataset, finding.attribute)
    ends = _twins_ends(finding)
    whom = figures.many(dataset.unit)
    is_exact = dataset.pair_method != "matched"
    changed = f"Changing only the {attribute}"
    if dataset.pair_method == "swapped":
        return _swapped(finding, changed, whom, ends)
    matched = f"Between matched {whom} who differ in {attribute}"
    if finding.measure is Measure.BIAS:
        moved = f"{figures.points(finding.value)} points"
        if is_exact:
            return f"{changed} moves the answer by {moved} ({ends})."
        return f"{matched} the answer moves by {moved} more than between those who do not ({ends})."
    if is_exact:
        return f"{changed} gives {figures.percent(finding.value)} of {whom} another answer ({ends})."
    more = f"{figures.points(finding.value)} points more often"
    return f"{matched} another answer is given {more} than between those who do not ({ends})."


def _twins_ends(finding: Finding) -> str:
    return f"{figures.points(finding.low)} to {figures.points(finding.high)}, n = {figures.count(finding.n)}"


def _swapped(finding: Finding, changed: str, whom: str, ends: str) -> str:
    """The same of texts, where a neutral word in another's place is the placebo."""
    if finding.measure is Measure.BIAS:
        moved = f"moves the answer by {figures.points(finding.value)} points"
        return f"{changed} {moved} more than changing a neutral word ({ends})."
    more = f"{figures.points(finding.value)} points more often"
    return f"{changed} gives {whom} another answer {more} than changing a neutral word ({ends})."


def _selection(dataset: AttributeDataset, finding: Finding, worse: Rate, better: Rate) -> str:
    first, second = _names(dataset, finding)
    ratio = "" if finding.ratio is None else f": a ratio of {finding.ratio.value:.2f}"
    low = f"{share_words(worse)} of {first} ({ends_words(worse)})"
    answer = answer_name(dataset, finding.answer)
    return f"'{answer}' is the answer for {low} and {share_words(better)} of {second}{ratio}."


def answer_name(dataset: AttributeDataset, answer: str) -> str:
    """What an answer is called in a sentence: 'digit 2' where its level alone says little."""
    return f"{dataset.target.name} {answer}" if says_little(answer) else answer


def _served(dataset: AttributeDataset, finding: Finding, worse: Rate, better: Rate) -> str:
    true_class = (
        (Member(dataset.target.name, finding.answer),) if finding.family is Family.EQUAL_TRUTH else ()
    )
    whom = [own + true_class if own else () for own in finding.members]
    names = [_phrased(dataset, members) if members else "the others" for members in whom]
    recognised = bool(finding.answer)
    if not all(names):
        own = finding.members[0][-1:]
        others = (
            f"{OTHERS} with {_plain(dataset, own)}"
            if own and own[0].column == dataset.target.name
            else OTHERS
        )
        first, second = (group_name(dataset, m) if m else others for m in whom)
        verb = "recognised" if recognised else "answered right"
        return f"Of {first}, {share_words(worse)} are {verb} ({ends_words(worse)}); of {second}, {share_words(better)}."
    first, second = names
    verb = "are recognised" if recognised else "get a right answer"
    low = f"{share_words(worse)} of the time ({ends_words(worse)})"
    return f"{figures.with_capital(first)} {verb} {low}, {second} {share_words(better)}."


def _names(dataset: AttributeDataset, finding: Finding) -> tuple[str, str]:
    first, second = (group_name(dataset, members) if members else OTHERS for members in finding.members)
    return first, second


def group_names(dataset: AttributeDataset, finding: Finding) -> tuple[str, ...]:
    """The groups of a finding by name, the worse first; none for twins."""
    true_class = (
        (Member(dataset.target.name, finding.answer),) if finding.family is Family.EQUAL_TRUTH else ()
    )
    return tuple(group_name(dataset, m + true_class) if m else OTHERS for m in finding.members)


def share_words(rate: Rate) -> str:
    """A share in percent, with a decimal only where it would say nothing without."""
    return _percent(rate.value)


def _percent(share: float) -> str:
    return figures.percent(share, 1 if 0 < share < 0.02 or 0.98 < share < 1 else 0)


def ends_words(rate: Rate) -> str:
    """The interval of a rate and its people: '10 to 35, n = 36'."""
    digits = 1 if rate.high < 0.02 or rate.low > 0.98 else 0
    ends = f"{figures.points(rate.low, digits)} to {figures.points(rate.high, digits)}"
    return f"{ends}, n = {figures.count(rate.n)}"


def figures_in_sentence(finding: Finding) -> tuple[tuple[str, Role], ...]:
    """The figures that the sentence of a finding names, in their order."""
    if finding.family is Family.TWINS:
        moved = f"{figures.points(finding.value)} points"
        is_share = finding.measure is Measure.FLIPS and figures.percent(finding.value) in finding.sentence
        return (
            (figures.percent(finding.value) if is_share else moved, "worse"),
            (f"({_twins_ends(finding)})", "interval"),
        )
    if finding.worse is None or finding.better is None:
        return ()
    return (
        (share_words(finding.worse), "worse"),
        (f"({ends_words(finding.worse)})", "interval"),
        (share_words(finding.better), "better"),
    )


def short_sentence(dataset: AttributeDataset, finding: Finding) -> str:
    """What was found, without its figures, which stand beside."""
    name = attribute_name(dataset, finding.attribute)
    if finding.family is Family.TWINS:
        what = "moves the answer" if finding.measure is Measure.BIAS else "gives another answer"
        if dataset.pair_method != "matched":
            return f"Changing only the {name} {what}."
        return f"Between matched {figures.many(dataset.unit)}, another {name} {what}."
    first, second = group_names(dataset, finding)
    if finding.family is Family.SELECTION:
        first, second = _names(dataset, finding)
        return f"'{answer_name(dataset, finding.answer)}' is the answer less often for {first} than for {second}."
    verb = "are recognised" if finding.answer else "get a right answer"
    return f"{figures.with_capital(first)} {verb} less often than {second}."


def limit_words(finding: Finding) -> str:
    """'10 points', or '10 points, or a ratio of 0.8'."""
    ratio = "" if finding.ratio is None else f", or a ratio of {finding.ratio.limit:g}"
    return f"{figures.counted(round(100 * finding.limit, 2), 'point')}{ratio}"


def headline(outcome: Outcome, findings: Sequence[Finding], reason: str) -> str:
    """The first sentence: what is worst, or why nothing can be said."""
    if outcome is Outcome.UNKNOWN:
        return reason
    worst = findings[0]
    if outcome is Outcome.BEYOND:
        return worst.sentence
    return f"Within the limit on everything that could be tested. The largest difference: {worst.sentence}"


def why_unknown(findings: Sequence[Finding], not_tested: Sequence[NotTested]) -> str:
    """Why nothing can be said although the model answers."""
    open_ = [finding for finding in findings if finding.outcome is Outcome.UNKNOWN]
    missing = [one for one in not_tested if one.forbids_within]
    if not findings:
        first = missing[0].why if missing else "there are no groups to compare"
        return f"Cannot be said: nothing could be tested ({first})."
    if open_ and is_beyond_alone_only(open_[0]):
        return f"Cannot be said. {open_[0].sentence} {alone_sentence(open_[0], len(findings))}"
    if open_:
        rest = len(open_) - 1
        more = f" So could {figures.count(rest)} other{'s' if rest > 1 else ''}." if rest else ""
        return (
            f"Cannot be said: one may lie beyond its limit of {limit_words(open_[0])}, with too few people "
            f"to tell. {open_[0].sentence}{more}"
        )
    first_missing = missing[0]
    return (
        f"Cannot be said: what was tested is within the limit, but {first_missing.family.value} by "
        f"{first_missing.attribute} was not tested ({first_missing.why})."
    )


def alone_sentence(finding: Finding, questions: int) -> str:
    """Why a finding cannot be said to be beyond its limit among so many `questions`, though it is when it is asked
    alone, as on the Fix page; '' of every other."""
    if not is_beyond_alone_only(finding):
        return ""
    return f"Asked {ALONE}, that is beyond its limit of {limit_words(finding)}; {among(questions)} it may be chance."


def second_sentence(findings: Sequence[Finding], not_tested: Sequence[NotTested]) -> str:
    """What changing only the attribute of the headline does; else what else is worst."""
    if not findings:
        return ""
    about = findings[0].attributes[0]
    twins = [f for f in findings if f.family is Family.TWINS]
    own = [f for f in twins if about in f.attributes and f.measure is Measure.BIAS] or twins
    if findings[0].family is Family.TWINS:
        others = [f for f in findings if f.family is not Family.TWINS]
        return others[0].sentence if others else ""
    if own:
        return own[0].sentence
    missing = [one.why for one in not_tested if one.family is Family.TWINS]
    return f"Twins were not tested: {missing[0]}." if missing else ""


def judged_by(judges: Judges, accuracy: Accuracy, unit: str) -> str:
    """Who judges, where that is not to be expected."""
    n = f"{figures.count(accuracy.n)} {figures.many(unit)}"
    if judges is Judges.EVERYBODY:
        return (
            f"The table is small, so each of its {n} is judged by one of five models that never saw them, trained as "
            "the original was."
        )
    if judges is Judges.FEW_OF_CHANGED:
        return (
            f"Only {n} who were held out judge a changed model; the original is judged by everybody, so hold the two "
            "against each other under Fix, where both are asked about the same people."
        )
    if judges is Judges.FEW_OF_UNKNOWN_TRAINING:
        return (
            f"Only {n} who were held out judge: how this model was trained is not known here, or it was trained on "
            "other data, so nobody else can be judged by a model like it that never saw them."
        )
    return ""


def criteria_sentences(dataset: AttributeDataset, verdict: Verdict) -> list[str]:
    """By what was judged, a sentence each: limits, the good answer, references, and who judged."""
    has_twins = not verdict.is_of_another_system
    said, good = [limits_sentence(verdict.limits, twins=has_twins)], verdict.favourable
    if good is not None:
        unsure = "" if good.is_sure else "; nobody has said so"
        said.append(f"The favourable answer is '{good.level}': {good.reason}{unsure}.")
    if verdict.references:
        compared = [
            f"by {attribute_name(dataset, attribute)} with {group_name(dataset, (Member(attribute, level),))}"
            for attribute, level in verdict.references.items()
        ]
        said.append(f"Others are compared {figures.listed(compared)}.")
    return said + ([verdict.judged_by] if verdict.judged_by else [])


def limits_sentence(limits: Limits, *, twins: bool = True) -> str:
    """All limits at once; that of `twins` only where there can be any."""
    named = {family: figures.counted(round(100 * limits.of(family), 2), "point") for family in Family}
    of_twins = f"{named[Family.TWINS]} for twins, " if twins else ""
    return (
        f"Limits: {of_twins}{named[Family.SELECTION]} or a ratio of {limits.ratio:g} for how "
        f"often an answer is given, {named[Family.EQUAL_TRUTH]} for how often people are recognised, "
        f"{named[Family.SERVICE]} for how often the answer is right."
    )
