"""One pair of twins with what the model answers both, before and after: the example on a report's first page."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fmd_core.data import Array, AttributeDataset, Display, SampleSource
from fmd_core.heads.protocol import Head
from fmd_core.kinds import find_kind
from fmd_core.measure.bias_functions import pair_differences
from fmd_core.showing import one_line
from fmd_core.twins.pairs import CounterfactualPairs


@dataclass(frozen=True)
class Answer:
    """What a model says of one side."""

    answer: int
    """The class, by its place in the target's levels."""
    sure: float
    """Probability of the true class, a share."""


@dataclass(frozen=True)
class Side:
    """One of both: a sample as it is or with its attribute set to `code`."""

    row: int
    code: int
    before: Answer
    after: Answer | None


@dataclass(frozen=True)
class TwinExample:
    """The pair that the original answers most differently."""

    attribute: str
    truth: int
    is_matched: bool
    """Whether the sides are two real samples, each shown as it is."""
    sides: tuple[Side, Side]
    pairs: int
    """Of how many it is one."""

    def __repr__(self) -> str:
        return one_line(self, self.attribute, *(f"row {side.row}" for side in self.sides))


def twin_example(before: Head, pairs: CounterfactualPairs, after: Head | None = None) -> TwinExample | None:
    """The pair of `pairs` whose probability of the true class moves most by the head `before`; None of no pairs.

    It is chosen by the original alone, so that no change can look better by it than it is.
    """
    if len(pairs) == 0:
        return None
    place = int(np.abs(pair_differences(before, pairs)).argmax())
    one = pairs.subset(np.array([place]))
    truth = int(one.labels[0])

    def side(which: int) -> Side:
        people, codes = ((one.favoured, one.favoured_codes), (one.other, one.other_codes))[which]
        answers = [
            None if head is None else _answer(head, people.features, truth) for head in (before, after)
        ]
        assert answers[0] is not None
        return Side(int(people.rows[0]), int(codes[0]), answers[0], answers[1])

    return TwinExample(pairs.attribute, truth, pairs.method == "matched", (side(0), side(1)), len(pairs))


def _answer(head: Head, features: Array, truth: int) -> Answer:
    told = head.probabilities(features)[0]
    return Answer(int(told.argmax()), float(told[truth]))


def shown_values(dataset: AttributeDataset, example: TwinExample) -> tuple[dict[str, str], dict[str, str]]:
    """What both sides say, by the name of each part; empty for what has no names, and for what the licence of the
    data does not let be handed on."""
    if not dataset.shareable:
        return {}, {}
    kind, source = find_kind(dataset.source.kind), dataset.source
    first, second = (
        {str(k): str(v) for k, v in kind.record(_display(source, example, side)).items()}
        for side in example.sides
    )
    return first, second


def _display(source: SampleSource, example: TwinExample, side: Side) -> Display:
    """A side as it is shown: a real sample as it is, else with only the attribute changed."""
    if example.is_matched:
        return source.display(side.row)
    return source.display(side.row, example.attribute, side.code)


def portraits(dataset: AttributeDataset, example: TwinExample, side: int) -> list[str]:
    """Pictures of both sides as data URIs, `side` pixels; none of what has no pictures or may not be handed on."""
    kind = find_kind(dataset.source.kind)
    if not kind.has_pictures or not dataset.shareable:
        return []
    return [kind.portrait(_display(dataset.source, example, one), side).picture for one in example.sides]
