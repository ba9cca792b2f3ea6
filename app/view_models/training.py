"""A training in words, before it begins, while it runs, and when it has ended."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import TypeGuard

import numpy as np

from app.view_models.verdict import rate_figure
from fmd_core import AttributeDataset, figures
from fmd_core.measure.verdict.sentences import Role
from fmd_core.measure.verdict.values import Accuracy, Group

ON_CARD = 10  # sample pictures, as many of each class
MOST_CLASSES = 4  # whose numbers are named


@dataclass(frozen=True)
class Asked:
    """A training that could begin: its network by name and title. `epochs` is None where only a last layer learns."""

    network: str
    title: str
    epochs: int | None


@dataclass(frozen=True)
class Plan:
    """What will be trained, on how many, and samples of them, with the class that each is called."""

    title: str
    people: str
    checked: str
    rows: tuple[int, ...]
    labels: tuple[str, ...]


def plan(data: AttributeDataset, network: str, epochs: int | None) -> Plan:
    """`epochs` is None for a network that stays as it is, of which only the last layer learns."""
    train, unit = data.rows("train"), data.unit
    codes = data.target.codes[train]
    counts = np.bincount(codes, minlength=len(data.target.levels))
    named = ", ".join(
        f"{figures.count(int(n))} {level}" for level, n in zip(data.target.levels, counts, strict=True)
    )
    classes = f" ({named})" if len(counts) <= MOST_CLASSES else ""
    often = "once" if epochs in (None, 1) else f"{epochs} times"
    checks = "" if epochs is None else f"{_many(data, 'validation')} check it after every round; "
    rows = sample_rows(codes, len(counts))
    return Plan(
        f"{network} will learn {data.target.name}",
        f"From {figures.count(len(train))} {figures.many(unit)}{classes}, each seen {often}.",
        f"{checks}{_many(data, 'test')}, which it never sees, say at the end how often it is right.",
        tuple(train[rows].tolist()),
        tuple(data.target.levels[code] for code in codes[rows]),
    )


def sample_rows(codes: np.ndarray, n_classes: int) -> np.ndarray:
    """Positions of a few samples, the classes in turn."""
    each = max(1, ON_CARD // n_classes)
    of_class = [np.flatnonzero(codes == k)[:each] for k in range(n_classes)]
    turns = [rows[turn] for turn in range(each) for rows in of_class if turn < len(rows)]
    return np.array(turns[:ON_CARD], dtype=int)


def _many(data: AttributeDataset, part: str) -> str:
    n = int((data.split == part).sum())
    return f"{figures.counted(n, data.unit)}"


def right_sentence(right: Accuracy, unit: str) -> str:
    """How often a model is right about held-out samples, which is not yet for whom."""
    return (
        f"Right for {figures.percent(right.value)} of {figures.count(right.n)} held-out {figures.many(unit)}; always "
        f"answering “{right.majority_class}” would be right for {figures.percent(right.majority)}."
    )


def majority_sentence(right: Accuracy) -> str:
    """How sure the figure of the head is, and what it has to be held against."""
    sure = f"{figures.points(right.low)} to {figures.points(right.high)} %"
    always = f"always answering “{right.majority_class}” would be right for {figures.percent(right.majority)}"
    return f"Overall {sure}; {always}."


def right_headline(
    right: Accuracy, least: Group | None, unit: str, *, is_doubted: bool
) -> tuple[tuple[str, Role], ...]:
    """The same as a page's head, in pieces: overall, and for whomever the model is `least` often right about, where
    that is less often. Of a model that does not answer (`is_doubted`) no figure is called better."""
    overall: tuple[tuple[str, Role], ...] = (
        ("Right for ", "words"), (figures.percent(right.value), "worse" if is_doubted else "better"),
        (f" of {figures.count(right.n)} held-out {figures.many(unit)}", "words"),
    )  # fmt: skip
    if not _is_lower(least, right):
        return *overall, (".", "words")
    of_whom: tuple[tuple[str, Role], ...] = (
        (", but for ", "words"), (figures.percent(least.accuracy.value), "worse"), (f" of {least.name}.", "words"),
    )  # fmt: skip
    return *overall, *of_whom


def least_sentence(right: Accuracy, least: Group | None, too_few: int, unit: str) -> str:
    """How sure the lower figure is, and whether there are groups of which nothing is known."""
    many = figures.many(unit)
    few = f"{figures.counted(too_few, 'other')} with too few {many} could be lower" if too_few else ""
    if least is None:
        return f"No class and no group has enough {many} to tell for whom it is right less often."
    if not _is_lower(least, right):
        said = f"No class and no group with enough {many} to tell is lower"
        return f"{said}; {few}." if few else f"{said}."
    low = f"{least.name} {rate_figure(least.accuracy)}, n = {figures.count(least.n)}"
    told = f"Of all classes and groups with enough {many} the lowest: {low}"
    return f"{told}; {few}." if few else f"{told}."


def _is_lower(least: Group | None, right: Accuracy) -> TypeGuard[Group]:
    if least is None or least.accuracy.value >= right.value:
        return False
    return figures.percent(least.accuracy.value) != figures.percent(right.value)  # as they are read


def rounds_html(shares: Sequence[float], epochs: int, unit: str) -> str:
    """How often a network in training was right about validation samples, a bar for each round that is done."""
    told = ", ".join(figures.percent(share) for share in shares) or "none is done yet"
    label = f"Right about validation {figures.many(unit)} after each round: {told}"
    bars = "".join(
        f"<div class='bar'><i style='height:{100 * share:.0f}%'></i><b>{100 * share:.0f} %</b></div>"
        for share in shares
    )
    empty = "<div class='bar'><i class='empty'></i><b>–</b></div>" * max(0, epochs - len(shares))
    return (
        f"<figure class='fmd-rounds'><figcaption>Right about validation {escape(figures.many(unit))}, round by round"
        f"</figcaption><div role='img' aria-label='{escape(label, quote=True)}'>{bars}{empty}</div></figure>"
    )
