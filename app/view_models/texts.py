"""Texts in templates: what the model says of one sentence for every group, and of every kind of sentence."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fmd_core import AttributeDataset, FeatureSet, Head, figures
from fmd_core.data import Array
from fmd_core.datasets.texts.source import TextSource
from fmd_core.intervals import MIN_PEOPLE

FEWEST = 3  # texts of a group and a kind of sentence that make a mean worth showing


@dataclass(frozen=True)
class Sentences:
    """The same sentence for every group, the most flagged first."""

    answer: str
    rows: tuple[tuple[str, tuple[tuple[int, int], ...], float], ...]
    """Text, where the group stands in it, and the probability of the answer."""


@dataclass(frozen=True)
class CaseMap:
    """Mean probability of an answer by group and kind of sentence."""

    headline: str
    groups: tuple[str, ...]
    cases: tuple[str, ...]
    values: Array
    """(n_cases, n_groups), NaN where there are too few texts."""
    counts: Array
    summary: str


def answer_code(data: AttributeDataset) -> int:
    """The class that a text is flagged with: the one that is not favourable, else the last."""
    levels = data.target.levels
    if data.favourable and len(levels) == 2:
        return 1 - levels.index(data.favourable)
    return len(levels) - 1


def same_sentence(data: AttributeDataset, head: Head, people: FeatureSet, attribute: str) -> Sentences:
    """The template of the first kind of sentence that is answered most differently; empty without templates."""
    source, code = data.source, answer_code(data)
    answer = data.target.levels[code]
    if not isinstance(source, TextSource) or source.case is None or data.persons is None:
        return Sentences(answer, ())
    shares = head.probabilities(people.features)[:, code]
    fine = people.labels != code
    cases, templates = source.case.codes[people.rows], data.persons[people.rows]
    first = min(
        (int(case) for case in np.unique(cases[fine]) if _is_shared(templates[fine & (cases == case)])),
        default=-1,
    )
    inside = np.flatnonzero(fine & (cases == first))
    if not len(inside):
        return Sentences(answer, ())
    spread = {
        int(one): float(np.ptp(shares[inside[templates[inside] == one]]))
        for one in np.unique(templates[inside])
    }
    chosen = max(spread, key=lambda one: spread[one])
    places = [place for place in inside if templates[place] == chosen]
    codes = data.attribute(attribute).codes
    found = []
    for place in sorted(places, key=lambda p: -shares[p]):
        row = int(people.rows[place])
        shown = source.display(row, attribute, int(codes[row]))
        found.append((shown.text, shown.spans, float(shares[place])))
    return Sentences(answer, tuple(found))


def _is_shared(templates: Array) -> bool:
    return len(np.unique(templates)) < len(templates)


def case_map(data: AttributeDataset, head: Head, people: FeatureSet, attribute: str) -> CaseMap | None:
    """Groups by kinds of sentence among those of `people` that are said by templates; None for other data."""
    source, code = data.source, answer_code(data)
    if not isinstance(source, TextSource) or source.case is None or data.persons is None:
        return None
    times = np.bincount(data.persons)
    people = people.subset(times[data.persons[people.rows]] > 1)
    if not len(people):
        return None
    shares = head.probabilities(people.features)[:, code]
    groups, cases = data.attribute(attribute), source.case
    of_group, of_case = groups.codes[people.rows], cases.codes[people.rows]
    values = np.full((len(cases.levels), len(groups.levels)), np.nan)
    counts = np.zeros(values.shape, int)
    for case, group in sorted(set(zip(of_case.tolist(), of_group.tolist(), strict=True))):
        inside = (of_case == case) & (of_group == group)
        counts[case, group] = inside.sum()
        if inside.sum() >= FEWEST:
            values[case, group] = shares[inside].mean()
    rows, columns = np.isfinite(values).sum(axis=1) > 1, np.isfinite(values).sum(axis=0) > 1
    if not rows.any():
        return None
    values, counts = values[rows][:, columns], counts[rows][:, columns]
    names = tuple(level for level, keep in zip(groups.levels, columns, strict=True) if keep)
    kinds = tuple(level for level, keep in zip(cases.levels, rows, strict=True) if keep)
    order = np.argsort(-np.nan_to_num(values[0]), kind="stable")
    values, counts, names = values[:, order], counts[:, order], tuple(names[place] for place in order)
    answer, unit = data.target.levels[code], figures.many(data.unit)
    most, least = int(np.nanargmax(values[0])), int(np.nanargmin(values[0]))
    n = int(counts[0].sum())
    few = (
        "" if n >= MIN_PEOPLE else f" Only {figures.counted(n, data.unit)} of this kind, too few to be sure."
    )
    ends = ", ".join(f"{figures.percent(values[0, one], 0)} for {names[one]}" for one in (most, least))
    return CaseMap(
        f"How sure the model is that {figures.with_article(kinds[0])} is {answer}: {ends}.{few}",
        names, kinds, values, counts,
        f"Mean probability of '{answer}' by group and kind of sentence, among {figures.count(len(people))} test "
        f"{unit}; the same sentences for every group. {kinds[0].capitalize()}: {ends}.",
    )  # fmt: skip
