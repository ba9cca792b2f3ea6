"""Heads as those see them who only measure: what they answer to some features, each table made once.

A linear head's logits are linear in its weights, so those of a head part of the way between two others are the blend
of theirs: no product with the features. Heads that are known beforehand share one product, which reads the features
once. A head with a hidden layer has no such line and is asked itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from scipy.special import softmax

from fmd_core.data import Array
from fmd_core.heads.linear import LinearHead
from fmd_core.heads.protocol import Head
from fmd_core.heads.softmax import softmax_rows

TOGETHER_BYTES = 64_000_000
"""Of the logits of heads that share a product with the same features."""
ON_THE_LINE = 1e-10
"""How far from the line weights may lie by rounding, as a share of the largest."""


class Answering(Protocol):
    """What measuring needs of a head."""

    def probabilities(self, features: Array) -> Array:
        """P(class | x), (n, K)."""


@dataclass(frozen=True)
class Recorded:
    """Answers that are known, as a head: these columns of the features are P(class | x) themselves."""

    columns: slice

    def probabilities(self, features: Array) -> Array:
        """P(class | x), (n, K)."""
        return features[:, self.columns]


class Told:
    """A head that is asked for the same features again and again, and computes each answer once. Meant for a moment:
    it holds the features that it was asked for."""

    def __init__(self, head: Head) -> None:
        self.head = head
        self._logits: dict[int, Array] = {}
        self._probabilities: dict[int, Array] = {}
        self._asked: list[Array] = []  # held, so that nothing else gets their places in memory

    def logits(self, features: Array) -> Array:
        """Scores before softmax, (n, K), in the features' own precision."""
        return self._once(self._logits, features, self._scored)

    def probabilities(self, features: Array) -> Array:
        """P(class | x), (n, K)."""
        return self._once(self._probabilities, features, self._softened)

    def _softened(self, features: Array) -> Array:
        return softmax_rows(self.logits(features))  # to the bit what the head says itself

    def _scored(self, features: Array) -> Array:
        return self.head.logits(features)

    def _once(self, known: dict[int, Array], features: Array, make: Callable[[Array], Array]) -> Array:
        if id(features) not in known:
            known[id(features)] = make(features)
            self._asked.append(features)
        return known[id(features)]


class Together:
    """Linear heads of one shape whose logits are made by one product with the features, as many of them at once as
    memory allows. Those of one share of the heads are held at a time."""

    def __init__(self, heads: Sequence[LinearHead]) -> None:
        self.heads = tuple(heads)
        self._made: dict[int, tuple[Array, slice, tuple[Array, ...]]] = {}

    def logits(self, place: int, features: Array) -> Array:
        """Those of the head at `place`, (n, K): of its own product they are off by rounding alone."""
        _, share, tables = self._made.get(
            id(features), (features, slice(0, 0), ())
        )  # held, so that it is these
        if not share.start <= place < share.stop:
            n_classes = len(self.heads[0].bias)
            size = max(1, TOGETHER_BYTES // (len(features) * n_classes * features.itemsize or 1))
            share = slice(place - place % size, place - place % size + size)
            heads = self.heads[share]
            joint = LinearHead(
                np.concatenate([head.weight for head in heads]), np.concatenate([head.bias for head in heads])
            )
            tables = tuple(map(np.ascontiguousarray, np.split(joint.logits(features), len(heads), axis=1)))
            self._made[id(features)] = features, share, tables
        return tables[place - share.start]


class OneOf(Told):
    """A head among those that share a product."""

    def __init__(self, together: Together, place: int) -> None:
        super().__init__(together.heads[place])
        self._together, self._place = together, place

    def _scored(self, features: Array) -> Array:
        return self._together.logits(self._place, features)


class Between(Told):
    """A linear head part of the way, `share`, from one to another, whose logits are known."""

    def __init__(self, head: Head, first: Told, last: Told, share: float) -> None:
        super().__init__(head)
        self._first, self._last, self._share = first, last, share

    def _scored(self, features: Array) -> Array:
        start = self._first.logits(features)
        return start + self._share * (self._last.logits(features) - start)

    def _softened(self, features: Array) -> Array:
        # reductions over a handful of classes are fast along the other axis
        return softmax(np.ascontiguousarray(self._scored(features).T), axis=0).T


class Rays:
    """Heads that are asked in the order of a path: solutions, each followed by heads on the way to it from the
    original. Tables of the original, of the last solution and of what shares its product are held, no others.

    Parameters
    ----------
    original
        Where all of them begin; asked by itself, as everywhere else.
    path
        Heads that will be asked, where they are known, in that order.
    """

    def __init__(self, original: Head, path: Sequence[Head] = ()) -> None:
        self.original = self._solution = Told(original)
        alike = [
            head
            for head in path
            if isinstance(head, LinearHead)
            and isinstance(original, LinearHead)
            and head is not original
            and head.weight.shape == original.weight.shape
        ]
        self._together = Together(alike)
        self._places = {id(head): place for place, head in enumerate(alike)}

    def told(self, head: Head, share: float = 1.0) -> Told:
        """`head` as it is to be asked; `share` of the way to the solution before, 1 where it is one itself."""
        if head is self.original.head:
            return self.original
        if share != 1 and _is_between(head, self.original.head, self._solution.head, share):
            return Between(head, self.original, self._solution, share)
        place = self._places.get(id(head))
        told = Told(head) if place is None else OneOf(self._together, place)
        if share == 1:
            self._solution = told
        return told


def _is_between(head: Head, first: Head, last: Head, share: float) -> bool:
    three = (head, first, last)
    if not all(isinstance(one, LinearHead) for one in three):
        return False
    here, start, end = (np.column_stack([one.arrays["weight"], one.arrays["bias"]]) for one in three)
    if not here.shape == start.shape == end.shape:
        return False
    largest = max(np.abs(start).max(), np.abs(end).max())
    return bool(np.abs(start + share * (end - start) - here).max() <= ON_THE_LINE * largest)
