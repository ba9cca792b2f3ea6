"""Twins: pairs that differ in one attribute, and what the model says to both."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from fmd_core import AttributeDataset, CounterfactualPairs, Head, figures
from fmd_core.data import Array, Split
from fmd_core.measure.bias_functions import pair_differences, pair_flips
from fmd_core.measure.verdict.sentences import attribute_name, level_name

PARTS: dict[Split, str] = {
    "test": "Test: they judge",
    "external": "External: they decide the fix",
    "validation": "Validation: they guard it",
}
ORDERS = ("Largest change first", "Smallest change first", "As they come")


@dataclass(frozen=True)
class TwinSide:
    """One side of a pair: the attribute's level and the model's answer to it."""

    row: int  # of the sample shown: the person's own, or a real person's who was matched
    code: int
    level: str  # its people by name
    answer: str
    confidence: float  # probability of the true class


@dataclass(frozen=True)
class Twin:
    """A pair, ready to be drawn."""

    row: int
    label: str
    favoured: TwinSide
    other: TwinSide
    distance: float  # between the two sides, 0 for exact twins

    @property
    def flips(self) -> bool:
        """Whether the answer itself changes."""
        return self.favoured.answer != self.other.answer


@dataclass(frozen=True)
class TwinsView:
    """The pairs to show and what they say together."""

    headline: str
    lead: str
    redrawn: bool  # whether a side is the same sample with its attribute changed
    twins: tuple[Twin, ...]
    table: pd.DataFrame


def build(
    data: AttributeDataset,
    head: Head,
    pairs: CounterfactualPairs,
    *,
    order: str,
    only_flips: bool,
    most: int,
    part: Split = "test",
    placebo: CounterfactualPairs | None = None,
) -> TwinsView:
    """At most `most` pairs, in `order`, all or only those whose answer flips. A figure of another `part` than the
    test, which judges, names it. Where twins are two real people many differ for other reasons: what `placebo` twins
    do, who share the attribute, stands beside."""
    probabilities = [head.probabilities(side.features) for side in (pairs.favoured, pairs.other)]
    answers = [p.argmax(axis=1) for p in probabilities]
    flips = answers[0] != answers[1]
    size = np.abs(pair_differences(head, pairs))
    ranked = {ORDERS[0]: np.argsort(-size, kind="stable"), ORDERS[1]: np.argsort(size, kind="stable")}.get(
        order, np.arange(len(pairs))
    )
    chosen = _varied(pairs, [int(i) for i in ranked if flips[i] or not only_flips])[:most]
    names = {int(code): level_name(data, pairs.attribute, int(code)) for code in np.unique(_codes(pairs))}
    classes = data.target.levels

    def side(i: int, which: int, codes: np.ndarray) -> TwinSide:
        row = int((pairs.favoured, pairs.other)[which].rows[i])
        confidence = float(probabilities[which][i, pairs.labels[i]])
        return TwinSide(row, int(codes[i]), names[int(codes[i])], classes[answers[which][i]], confidence)

    twins = tuple(
        Twin(
            int(pairs.rows[i]),
            classes[pairs.labels[i]],
            side(i, 0, pairs.favoured_codes),
            side(i, 1, pairs.other_codes),
            float(pairs.distance[i]),
        )
        for i in chosen
    )
    return TwinsView(
        headline=_headline(data, head, pairs, flips, part, placebo),
        lead=f"{_how(data, pairs)} On the left what training tied to the class, on the right something else. "
        "A model that reads the content says the same to both.",
        redrawn=pairs.method != "matched",
        twins=twins,
        table=pd.DataFrame(
            [
                (t.row, t.label, t.favoured.level, t.favoured.answer, figures.percent(t.favoured.confidence))
                + (t.other.level, t.other.answer, figures.percent(t.other.confidence), f"{t.distance:.2f}")
                for t in twins
            ],
            columns=[data.unit.capitalize(), "Truth", "Left", "Answer left", "Probability of truth, left"]
            + ["Right", "Answer right", "Probability of truth, right", "Match distance"],
        ),
    )


def sureness(twin: Twin) -> str:
    """How probable the model holds the truth of either side."""
    left, right = (f"{100 * side.confidence:.0f} %" for side in (twin.favoured, twin.other))
    return f"probability of {twin.label}: {left} and {right}"


def _headline(
    data: AttributeDataset,
    head: Head,
    pairs: CounterfactualPairs,
    flips: Array,
    part: Split,
    placebo: CounterfactualPairs | None,
) -> str:
    named = "" if part == "test" else f"{part} "
    said = f"{figures.count(int(flips.sum()))} of {figures.count(len(pairs))} {named}twins get two different answers"
    if placebo is None:
        return f"{said}."
    if data.pair_method == "swapped":
        neutral = f"{figures.count(int(pair_flips(head, placebo).sum()))} of {figures.count(len(placebo))}"
        return f"{said}; with only a neutral word swapped {neutral} do."
    without = pair_flips(head, placebo)
    alike = f"{figures.count(int(without.sum()))} of {figures.count(len(placebo))}"
    return f"{said}; of those who share the {attribute_name(data, pairs.attribute)} {alike} do."


def _codes(pairs: CounterfactualPairs) -> Array:
    """The levels of either side, in one row."""
    return np.concatenate([pairs.favoured_codes, pairs.other_codes])


def _varied(pairs: CounterfactualPairs, ranked: list[int]) -> list[int]:
    """The same pairs, those that show somebody again last: a rare person is the twin of many."""
    seen: set[int] = set()
    first: list[int] = []
    again: list[int] = []
    for i in ranked:
        both = {int(pairs.favoured.rows[i]), int(pairs.other.rows[i])}
        (again if both & seen else first).append(i)
        seen |= both
    return first + again


def _how(data: AttributeDataset, pairs: CounterfactualPairs) -> str:
    """How these twins were made, in one sentence."""
    name = attribute_name(data, pairs.attribute)
    if pairs.method == "generated":
        return f"Each pair is one {data.unit} drawn twice; only the {name} differs."
    if pairs.method == "flipped":
        return f"Each pair is one {data.unit} with only the {name} changed in the record."
    if pairs.method == "swapped":
        return (
            f"Each pair is one {data.unit} as it is, and with only the {name} changed: by the same "
            "template, or by swapped terms."
        )
    return (
        f"Each pair is two real {figures.many(data.unit)} of one class: the most alike that the model knows, but for "
        f"the {name}. They differ in more than that; half of the pairs are closer than "
        f"{float(np.median(pairs.distance)):.2f}, where 1 is the distance of two strangers."
    )
