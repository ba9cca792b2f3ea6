"""What training samples can be blamed for, in words: the bias under review, a gap, or whoever is served worst."""

from __future__ import annotations

from collections.abc import Sequence

from fmd_core import AttributeDataset, InfluenceScores, figures
from fmd_core.data import Split
from fmd_core.intervals import MIN_PEOPLE
from fmd_core.measure.bias_functions import MEASURES, Measure, Taught
from fmd_core.measure.group_loss import GroupLoss
from fmd_core.measure.served_groups import ServedGroup
from fmd_core.measure.verdict.sentences import attribute_name, group_name
from fmd_core.measure.verdict.values import Member
from fmd_core.report import wording
from fmd_core.study.aim import Aim
from fmd_core.study.people import CHOOSERS

MEASURE_NAMES: dict[Measure, str] = {
    "counterfactual": "Twins answered differently",
    "demographic parity": "Groups answered differently",
    "equal opportunity": "Groups with equal truth answered differently",
    "predictive equality": "Groups falsely given an answer differently",
}
WORST = "Whoever is served worst"
AS_CHOSEN = "What counts as bias"
IMPROVEMENTS = {"": AS_CHOSEN, "worst group": WORST}
"""What a fix can be for, by its name in the session: '' is the bias under review, which the sidebar names."""
SET_ASIDE = "set aside to decide the fix"
MOST_LEVELS = 4  # groups that a sentence names


def options(under_review: Measure) -> dict[str, str]:
    """What can be asked, by its name in the session: '' is the bias under review, which comes first."""
    others: dict[str, str] = {name: MEASURE_NAMES[name] for name in MEASURES if name != under_review}
    return {"": f"{AS_CHOSEN}: {MEASURE_NAMES[under_review].lower()}", **others, "worst group": WORST}


def subject(people: str) -> str:
    """What a score is a change of: the bias, or the loss of `people`."""
    return f"the loss of {people}" if people else "the bias"


def unit(people: str) -> str:
    """What it is counted in."""
    return "points of loss" if people else "points"


def headline(scores: InfluenceScores, what: str, called: str, unit: str, *, is_harmful: bool) -> str:
    """Who leads the ranking: `what` the sample is, 'is a red 3'; `called` is the attribute as the data call it, `unit`
    a sample."""
    leads = f"The training {unit} {'who' if unit == 'person' else 'that'} most"
    if scores.people:
        does = "taught the model to miss" if is_harmful else "helps the model to recognise"
        return f"{leads} {does} {scores.people} {what}."
    does = "teaches" if is_harmful else "works against"
    return f"{leads} {does} the {wording.bias_name(scores, called)} {what}."


def sentence(
    data: AttributeDataset,
    asked: Aim,
    n: int,
    group: ServedGroup | None = None,
    parts: Sequence[Split] = CHOOSERS,
) -> str:
    """What harmful means here and by whom samples are scored, `n` external people or pairs; `group` are those who are
    served worst, where they are asked about, by the word of people of some `parts`."""
    if asked.measure == "worst group":
        assert group is not None, "the question is about them"
        return _worst(data, group, n, parts)
    who, classes = _groups(data, asked.attribute), data.target.levels
    name, people = attribute_name(data, asked.attribute), f"{figures.count(n)} {figures.many(data.unit)}"
    two = len(classes) == 2
    teaches = {
        "counterfactual": f"to answer twins by {name} differently",
        "demographic parity": f"to answer {f'“{classes[1]}”' if two else 'a class'} more often for some of {who} than "
        "for others",
        "equal opportunity": f"to recognise {f'“{classes[1]}”' if two else 'a class'} better in some of {who} than in "
        "others",
        "predictive equality": f"to give {f'“{classes[1]}”' if two else 'a class'} falsely to some of {who} more often "
        "than to others",
    }[asked.measure]
    by = f"{figures.counted(n, 'pair')} of twins" if asked.measure == "counterfactual" else people
    return f"Harmful means here: it teaches the model {teaches}. Scored by {by} {SET_ASIDE}."


def _worst(data: AttributeDataset, group: ServedGroup, n: int, parts: Sequence[Split]) -> str:
    once = "" if _is_plain(data) else " with each row counted once,"
    whose = "of them" if "external" in parts else f"external {figures.many(data.unit)} of that group"
    told = (
        f"Harmful means here: it teaches the model to miss {group.who}, who are served worst: it is right for "
        f"{figures.percent(group.accuracy.value or 0)} of {_who_chose(data, group, parts)} "
        f"({figures.interval(group.accuracy)}). Scored by the loss of {figures.count(n)} {whose},{once} {SET_ASIDE}."
    )
    few = " They are few: check these scores, below, before you rely on them."
    return told + (few if n < MIN_PEOPLE else "")


def people_behind(data: AttributeDataset, taught: Taught) -> int:
    """By how many pairs or people samples are scored: where the loss of a group is what they are scored by, and the
    data know whose each row is, rows of one person are one."""
    return data.n_people(taught.people.rows) if isinstance(taught, GroupLoss) else len(taught)


def served_worst(
    data: AttributeDataset,
    attribute: str,
    group: ServedGroup | None,
    unsaid: int,
    *,
    alike: int = 0,
    parts: Sequence[Split] = CHOOSERS,
) -> str:
    """Who is meant by whoever is served worst, by the word of people of some `parts`, how many other groups are served
    `alike`, and of how many groups nobody can say; '' where nobody can be named."""
    if group is None:
        return ""
    rate, many = group.accuracy, figures.many(data.unit)
    told = [
        f"By {attribute_name(data, attribute)} that is {group.who}: right for {figures.percent(rate.value or 0)} "
        f"({figures.interval(rate)}) of {_who_chose(data, group, parts)}, who choose. Test {many} have no say in it."
    ]
    if alike:
        others = "Another group is" if alike == 1 else f"{figures.count(alike)} other groups are"
        told.append(f"{others} right as often; this one is meant.")
    if unsaid:
        few = figures.counted(unsaid, "group")
        told.append(f"{few} {'has' if unsaid == 1 else 'have'} too few of them; of those it cannot be said.")
    return " ".join(told)


def _who_chose(data: AttributeDataset, group: ServedGroup, parts: Sequence[Split]) -> str:
    """'36 external and validation digits', and how they are counted where that is not one by one."""
    once = "" if data.persons is None else ", those that belong together counted once"
    weighed = "" if data.weights is None else ", by their weights"
    who = f"{figures.listed(list(parts))} {figures.many(data.unit)}"
    return f"{figures.count(group.accuracy.n)} {who}{once}{weighed}"


def _is_plain(data: AttributeDataset) -> bool:
    """Whether every row is one person of its own, who counts as much as any other."""
    return data.persons is None and data.weights is None


def _groups(data: AttributeDataset, attribute: str) -> str:
    """'men and women', or where there are many 'all groups by race'."""
    levels = data.attribute(attribute).levels
    if len(levels) > MOST_LEVELS:
        return f"all groups by {attribute_name(data, attribute)}"
    return figures.listed([group_name(data, [Member(attribute, level)]) for level in levels])
