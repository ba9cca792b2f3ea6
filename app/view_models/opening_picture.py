"""What Find bias opens with: two who are answered differently, and how many in a hundred fare as they do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fmd_core import AttributeDataset, CounterfactualPairs, Head, figures
from fmd_core.data import Array
from fmd_core.measure.verdict.answered import Answered
from fmd_core.measure.verdict.sentences import OTHERS, answer_name, attribute_name, group_names, share_words
from fmd_core.measure.verdict.values import Family, Finding, Measure, Member, Rate

VERBS = {Family.EQUAL_TRUTH: "are recognised", Family.SERVICE: "get a right answer"}


@dataclass(frozen=True)
class Share:
    """How many of whom, as a figure and in a hundred dots."""

    figure: str
    counts: str  # "7 of 36", or the number of people where they do not count alike
    who: str
    hundred: int


@dataclass(frozen=True)
class Shown:
    """Who is shown, and what they are answered."""

    row: int
    code: int  # of the attribute, where the sample is drawn or written anew with it
    name: str
    answer: str
    is_well: bool  # whether the answer is the one that this side gets more often


@dataclass(frozen=True)
class Side:
    """One side of the picture; of twins the figure is of both together."""

    shown: Shown | None
    share: Share | None = None


@dataclass(frozen=True)
class OpeningPicture:
    """Two sides, the one that fares worse first."""

    alike: str  # what the two have in common
    sides: tuple[Side, Side]
    redrawn: str = ""  # the attribute that is changed in one sample; "" for two samples
    together: Share | None = None


Two = tuple[Shown, Shown]


def build(
    data: AttributeDataset,
    finding: Finding,
    answered: Answered,
    head: Head | None,
    pairs: CounterfactualPairs | None,
    flips: Finding | None,
) -> OpeningPicture | None:
    """The picture of a finding. `pairs` are twins by its attribute, with the `head` that answers them, where there are
    any; `flips` says how many twins get another answer. None where nobody can be shown and no share is known."""
    twins = None if head is None or pairs is None else _twins(data, finding, head, pairs)
    redrawn = "" if pairs is None or twins is None or pairs.method == "matched" else pairs.attribute
    if finding.family is Family.TWINS:
        together = _of_twins(data, flips)
        if twins is None and together is None:
            return None
        first, second = twins or (None, None)
        return OpeningPicture(_alike(data, pairs, twins), (Side(first), Side(second)), redrawn, together)
    if finding.worse is None or finding.better is None:
        return None
    first, second = twins or _apart(data, finding, answered)
    names, answer = group_names(data, finding), answer_name(data, finding.answer)
    plain = answered.weights is None and answered.persons is None
    sides = (
        Side(first, _share(finding, answer, finding.worse, names[0], plain=plain)),
        Side(second, _share(finding, answer, finding.better, names[1], plain=plain)),
    )
    return OpeningPicture(_alike(data, pairs, twins), sides, redrawn)


def _alike(data: AttributeDataset, pairs: CounterfactualPairs | None, twins: Two | None) -> str:
    if pairs is None or twins is None:
        return "One of each"
    other = f"other {attribute_name(data, pairs.attribute)}"
    return f"Most alike, {other}" if pairs.method == "matched" else f"Same {data.unit}, {other}"


def _share(finding: Finding, answer: str, rate: Rate, name: str, *, plain: bool) -> Share:
    verb = VERBS.get(finding.family, f"are answered “{answer}”")
    if finding.family is Family.SERVICE and finding.answer:
        verb = VERBS[Family.EQUAL_TRUTH]
    name = "the others" if name == OTHERS else name
    counts = f"{figures.count(round(rate.value * rate.n))} of {figures.count(rate.n)}"
    counts = counts if plain else f"n = {figures.count(rate.n)}"
    return Share(share_words(rate), counts, f"of {name} {verb}", round(100 * rate.value))


def _of_twins(data: AttributeDataset, flips: Finding | None) -> Share | None:
    """What twins do beyond their placebo is no share of anybody."""
    if flips is None or data.pair_method in ("matched", "swapped"):
        return None
    many, name = figures.many(data.unit), attribute_name(data, flips.attribute)
    return Share(
        figures.percent(flips.value, 0), f"n = {figures.count(flips.n)}",
        f"of {many} get another answer when only the {name} changes", round(100 * flips.value),
    )  # fmt: skip


def _twins(data: AttributeDataset, finding: Finding, head: Head, pairs: CounterfactualPairs) -> Two | None:
    """A pair that shows a finding: the most alike, or where they are one sample a clear and typical one, whose answer
    changes about as much as half of them do; None where no pair shows it."""
    probabilities = [head.probabilities(side.features) for side in (pairs.favoured, pairs.other)]
    said = [p.argmax(axis=1) for p in probabilities]
    codes = pairs.favoured_codes, pairs.other_codes
    moved = np.abs(probabilities[0] - probabilities[1]).max(axis=1)
    found: list[tuple[int, int]] = []
    for worse in (1, 0):
        better = 1 - worse
        shows = _is_worse(data, finding, pairs.labels, said[worse]) & ~_is_worse(
            data, finding, pairs.labels, said[better]
        )
        shows &= said[worse] != said[better]
        if finding.family is not Family.TWINS:
            shows &= _is_of(data, finding, 0, codes[worse]) & _is_of(data, finding, 1, codes[better])
            if finding.family is Family.EQUAL_TRUTH:
                shows &= pairs.labels == data.target.levels.index(finding.answer)
        found += [(i, worse) for i in map(int, np.flatnonzero(shows))]
    if not found:
        return None
    choose = _clearest if pairs.method == "generated" else _most_alike
    i, worse = choose(pairs, found, moved)
    sides = (pairs.favoured, pairs.other)
    levels = data.attribute(pairs.attribute).levels
    first, second = (
        Shown(
            int(sides[s].rows[i]), int(codes[s][i]), levels[codes[s][i]], data.target.levels[said[s][i]], s != worse
        )
        for s in (worse, 1 - worse)
    )  # fmt: skip
    return first, second


def _most_alike(
    pairs: CounterfactualPairs, found: Sequence[tuple[int, int]], moved: Array
) -> tuple[int, int]:
    """(pair, worse side) of the two who are most like each other; of equals the one whose answer changes about as much
    as half of them do."""
    typical = float(np.median([moved[i] for i, _ in found]))
    return min(
        found, key=lambda one: (float(pairs.distance[one[0]]), abs(float(moved[one[0]]) - typical), one)
    )


def _clearest(pairs: CounterfactualPairs, found: Sequence[tuple[int, int]], moved: Array) -> tuple[int, int]:
    """Of pictures that are drawn twice, (pair, worse side) of the one that is most like others of its class to the
    model, so that whoever looks sees what it is, among those whose answer changes about as much as half of them do."""
    low, high = np.quantile([moved[i] for i, _ in found], (0.25, 0.75))

    def unlike(one: tuple[int, int]) -> float:
        i, worse = one
        own = (pairs.favoured, pairs.other)[1 - worse].features
        usual = own[pairs.labels == pairs.labels[i]].mean(axis=0)
        size = float(np.linalg.norm(own[i]) * np.linalg.norm(usual))
        return -float(own[i] @ usual) / size if size else 0.0

    return min((one for one in found if low <= moved[one[0]] <= high), key=lambda one: (unlike(one), one))


def _is_worse(data: AttributeDataset, finding: Finding, labels: Array, said: Array) -> Array:
    """Whether each answer is one that the worse group gets more often."""
    if finding.family is Family.SELECTION:
        return said != data.target.levels.index(finding.answer)
    return said != labels


def _is_of(data: AttributeDataset, finding: Finding, group: int, codes: Array) -> Array:
    """Whether each level is that of a finding's group."""
    if len(finding.attributes) != 1:
        return np.zeros(len(codes), dtype=bool)  # of two attributes a twin changes only one
    own = [member for member in finding.members[group] if member.column == finding.attributes[0]]
    if not own:
        return np.ones(len(codes), dtype=bool)
    return codes == data.attribute(own[0].column).levels.index(own[0].level)


def _apart(data: AttributeDataset, finding: Finding, answered: Answered) -> tuple[Shown | None, Shown | None]:
    """One of each group, as the groups mostly fare; None where nobody of a group does."""
    bad = _is_worse(data, finding, answered.labels, answered.predicted)
    if finding.family is Family.EQUAL_TRUTH:
        of_class = answered.labels == data.target.levels.index(finding.answer)
    else:
        of_class = np.ones(len(answered), dtype=bool)
    names = group_names(data, finding)
    found: list[Shown | None] = []
    for group, (fares, name) in enumerate(zip((bad, ~bad), names, strict=True)):
        mine = _has(data, finding.members[group], answered.rows)
        if not finding.members[group]:
            mine = ~_has(data, finding.members[1 - group], answered.rows)
        places = np.flatnonzero(mine & of_class & fares)
        if not len(places):
            found.append(None)
            continue
        row, code = int(answered.rows[places[0]]), int(answered.predicted[places[0]])
        found.append(Shown(row, 0, name, data.target.levels[code], group == 1))
    return found[0], found[1]


def _has(data: AttributeDataset, members: Sequence[Member], rows: Array) -> Array:
    """Whether each row shares all of the levels."""
    columns = {data.target.name: data.target, **data.attributes}
    shares = [columns[m.column].codes[rows] == columns[m.column].levels.index(m.level) for m in members]
    return np.logical_and.reduce(shares) if shares else np.ones(len(rows), dtype=bool)


def flips_of(findings: Sequence[Finding], finding: Finding) -> Finding | None:
    """How many twins by the same attribute get another answer."""
    return next(
        (f for f in findings if f.measure is Measure.FLIPS and f.attributes == finding.attributes), None
    )
