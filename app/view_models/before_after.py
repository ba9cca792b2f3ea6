"""Before and after on held-out test samples: cards, tables, who pays, and whose answer changed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import pandas as pd

from app.view_models import proof
from fmd_core import AttributeDataset, Change, Comparison, figures
from fmd_core.data import Array
from fmd_core.intervals import MIN_PEOPLE, Estimate
from fmd_core.measure.changed_answers import OUTCOMES, changed_examples, outcome
from fmd_core.report import wording

EXAMPLES = 10
MOST_INTERSECTIONS = 30
BEFORE_AFTER = ("before", "after")
ORIGINAL = "The original model"  # its name beside others; nobody may give it to a variant
FLIPS = "Flipped decisions"
CALIBRATED = "Calibrated"

Better = Literal["normal", "inverse", "off"]
"""Whether a rise is good, bad, or cannot be said."""
Judgement = Literal["green", "red", "off"]
"""Better, worse, or no more than chance: streamlit's names for the colour of a delta."""


@dataclass(frozen=True)
class Headline:
    """One figure as a card: before, after and by how much."""

    label: str
    value: str
    delta: str
    judgement: Judgement
    rose: bool
    terms: tuple[str, ...]  # of the glossary


@dataclass(frozen=True)
class Example:
    """A held-out person whose answer changed."""

    row: int
    truth: str
    before: str
    after: str
    outcome: str  # one of OUTCOMES


@dataclass(frozen=True, eq=False)
class BeforeAfter:
    """What a comparison says, each part made when it is asked for: a slider moves faster than all can be
    made. `others` are the biases by the other attributes, `names` what is compared."""

    data: AttributeDataset
    comparison: Comparison
    others: Sequence[Change] = ()
    names: tuple[str, str] = BEFORE_AFTER

    @property
    def headline(self) -> str:
        """What happened to the bias, and what it cost."""
        return wording.comparison_headline(self.comparison)

    @property
    def verdict(self) -> str:
        """The same against what chance does."""
        return proof.verdict(self.comparison)

    @property
    def who_pays(self) -> str:
        """Who is right now and who is wrong now, whoever was served worst, and the groups that lost; empty where
        nothing changed."""
        if self.comparison.verdict == "unchanged":
            return ""
        people = wording.people_sentence(self.comparison, self.data.unit)
        return f"{people} {wording.who_pays(self.comparison, self.others)}"

    @cached_property
    def figures(self) -> tuple[tuple[str, Change, Better], ...]:
        """The figures that everything is about: name, change, and which way is good."""
        found = self.comparison
        # a fall that only flatter answers explain is no good news
        judged: tuple[tuple[str, Change, Better], ...] = (
            (_judged_label(found), found.judged, "off" if found.is_flatter else "inverse"),
        )
        if found.calibrated is not None:
            moved = found.is_calibrated_better or found.is_calibrated_worse
            judged += ((CALIBRATED, found.calibrated, "inverse" if moved else "off"),)
        return (
            *judged,
            (FLIPS, found.flips, "inverse"),
            ("Accuracy", found.accuracy, "normal"),
            ("Right, usual for the class", found.aligned_accuracy, "normal"),
            ("Right, unusual for the class", found.conflicting_accuracy, "normal"),
        )

    @property
    def cards(self) -> tuple[Headline, ...]:
        """The same as cards."""
        terms = _terms(self.comparison)
        return tuple(
            _card(
                *figure,
                of,
                "points" if figure[1] in (self.comparison.judged, self.comparison.calibrated) else "%",
            )
            for figure, of in zip(self.figures, terms, strict=True)
        )

    @property
    def labels(self) -> tuple[str, ...]:
        """The same as bars: their names."""
        return tuple(label for label, _, _ in self.figures)

    @property
    def before(self) -> tuple[Estimate, ...]:
        """The first bar of each pair."""
        return tuple(change.before for _, change, _ in self.figures)

    @property
    def after(self) -> tuple[Estimate, ...]:
        """The second."""
        return tuple(change.after for _, change, _ in self.figures)

    @property
    def summary(self) -> str:
        """The bars in a sentence."""
        people = figures.counted(self.comparison.accuracy.before.n, f"held-out test {self.data.unit}")
        first, second = map(spoken, self.names)
        return f"Grey is {first}, blue {second}, on {people}; whiskers are 95 % intervals."

    @property
    def table(self) -> pd.DataFrame:
        """The bars as a table, and the biases by the other attributes."""
        found = self.comparison
        rows = [(label, change) for label, change, _ in self.figures]
        rows += [] if found.gap is None else [("Counterfactual bias", found.bias)]
        rows += [(f"{_judged_label(found)} by {other.group}", other) for other in self.others]
        return _changes_table(rows, "Figure", self.names)

    @property
    def groups(self) -> pd.DataFrame:
        """Accuracy of every group."""
        rows = [(change.group, change) for change in self.comparison.groups]
        return _changes_table(rows, "Accuracy of", self.names)

    @property
    def intersections(self) -> pd.DataFrame:
        """Accuracy of people who share two properties, the largest losses."""
        rows = [(change.group, change) for change in self.comparison.intersections[:MOST_INTERSECTIONS]]
        return _changes_table(rows, "Accuracy of", self.names)

    @property
    def intersections_note(self) -> str:
        """How many such groups there are, and how many lost; empty where there are none."""
        return _intersections_note(self.comparison)

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes."""
        return self.data.target.levels

    @property
    def confusions(self) -> tuple[Array, Array]:
        """True class (down) against answer (across), before and after."""
        return self.comparison.confusion_before, self.comparison.confusion_after

    @property
    def confusion_top(self) -> int:
        """The end of the colour scale of both."""
        return int(max(counts.max() for counts in self.confusions))

    @property
    def confusion_summaries(self) -> tuple[str, str]:
        """Both in a sentence."""
        before, after = (
            _confusion_summary(name, counts, self.classes)
            for name, counts in zip(self.names, self.confusions, strict=True)
        )
        return before, after

    def confusion_table(self, when: int) -> pd.DataFrame:
        """One of both (0 before, 1 after) as a table."""
        table = pd.DataFrame(self.confusions[when], columns=list(self.classes))
        table.insert(0, "True, by answer", self.classes, allow_duplicates=True)
        return table

    @property
    def examples(self) -> tuple[Example, ...]:
        """People whose answer changed, gains and losses in turn."""
        return _examples(self.data, self.comparison)

    @property
    def examples_summary(self) -> str:
        """How many there are."""
        return _examples_summary(self.data, self.comparison)


def spoken(name: str) -> str:
    """A name inside a sentence: our own loses its capital, a name that somebody gave does not."""
    return {ORIGINAL: "the original model"}.get(name, name)


def _judged_label(comparison: Comparison) -> str:
    if comparison.gap is not None:
        return "Lag" if comparison.measure == "worst group" else "Gap"
    return "Bias" if comparison.excess is None else "Bias beyond placebo"


def _intersections_note(comparison: Comparison) -> str:
    n, lost = len(comparison.intersections), sum(c.fell for c in comparison.intersections)
    if n == 0:
        return ""
    shown = f"; the {MOST_INTERSECTIONS} largest losses are shown" if n > MOST_INTERSECTIONS else ""
    who = (
        "One group that shares two properties has" if n == 1 else f"{n} groups that share two properties have"
    )
    return (
        f"{who} at least {MIN_PEOPLE} people; {lost} lost accuracy by more than chance, adjusted for looking at all "
        f"groups{shown}."
    )


def _terms(comparison: Comparison) -> tuple[tuple[str, ...], ...]:
    """Glossary terms of the cards."""
    judged: tuple[str, ...] = ("Counterfactual bias",)
    if comparison.gap is not None:
        judged = (comparison.measure.capitalize(),)
    elif comparison.excess is not None:
        judged = ("Excess (beyond the placebo)", "Placebo twins")
    even = () if comparison.calibrated is None else (("Calibrated bias", "Points"),)
    return (*judged, "Points"), *even, ("Decision flip",), ("Accuracy",), ("The pattern",), ("The pattern",)


def _card(
    label: str, change: Change, better_when: Better, terms: tuple[str, ...], unit: Literal["points", "%"]
) -> Headline:
    if change.after.value is None or change.difference.value is None:
        return Headline(label, "?", change.after.problem, "off", False, terms)
    moved, rose = f"{100 * change.difference.value:+.1f}", change.difference.value > 0
    delta = "" if float(moved) == 0 else f"{figures.signed(moved)} points"
    return Headline(
        label,
        f"{figures.points(change.after.value)} {unit}",
        delta,
        _judgement(change, better_when),
        rose,
        terms,
    )


def _judgement(change: Change, better_when: Better) -> Judgement:
    """No colour for what the page calls chance: by its interval, and of groups by the test of all."""
    moved = change.difference
    if better_when == "off" or not (moved.excludes_zero and change.is_beyond_chance):
        return "off"
    return "green" if ((moved.value or 0) > 0) == (better_when == "normal") else "red"


def _changes_table(rows: list[tuple[str, Change]], title: str, names: tuple[str, str]) -> pd.DataFrame:
    return pd.DataFrame(
        [
            (
                label,
                figures.figure(change.before),
                figures.figure(change.after),
                figures.figure(change.difference, difference=True),
                change.before.n,
            )
            for label, change in rows
        ],
        columns=[title, *(figures.with_capital(name) for name in names), "Difference", "n"],
    )


def _confusion_summary(name: str, counts: Array, classes: Sequence[str]) -> str:
    wrong, when = counts - np.diag(np.diag(counts)), figures.with_capital(name)
    if wrong.sum() == 0:
        return f"{when}: no mistakes."
    truth, answer = np.unravel_index(wrong.argmax(), wrong.shape)
    return (
        f"{when}: {figures.count(int(wrong.sum()))} of {figures.count(int(counts.sum()))} wrong; most often "
        f"{classes[int(truth)]} taken for "
        f"{classes[int(answer)]} ({figures.counted(int(wrong.max()), 'time')})."
    )


def _examples(data: AttributeDataset, comparison: Comparison) -> tuple[Example, ...]:
    classes, truth = data.target.levels, data.target.codes[comparison.rows]
    return tuple(
        Example(
            row=int(comparison.rows[i]),
            truth=classes[truth[i]],
            before=classes[comparison.predicted_before[i]],
            after=classes[comparison.predicted_after[i]],
            outcome=outcome(truth[i], comparison.predicted_before[i], comparison.predicted_after[i]),
        )
        for i in changed_examples(comparison, truth, EXAMPLES)
    )


def _examples_summary(data: AttributeDataset, comparison: Comparison) -> str:
    changed, before, after = comparison.changed, comparison.predicted_before, comparison.predicted_after
    truth = data.target.codes[comparison.rows]
    counts = Counter(outcome(truth[i], before[i], after[i]) for i in changed)
    parts = ", ".join(f"{counts[name]} {name}" for name in OUTCOMES)
    everyone = figures.count(len(comparison.rows))
    some = f" Here are {EXAMPLES} of them:" if len(changed) > EXAMPLES else ""
    people = figures.many(data.unit)
    return f"{figures.count(len(changed))} of {everyone} held-out {people} get another answer: {parts}.{some}"
