"""Which class each output of a model stands for: shown, with its reason, and held against labelled people.

A file knows its outputs by place, the data their classes by name. A wrong guess makes a model that is right for 94.6 %
look right for 5.4 %, so that no guess is silent: where two orders are usual, or another one would be right far more
often, the verdict waits for an answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from fmd_core.data import Array
from fmd_core.datasets.table_dataset import natural
from fmd_core.errors import ModelError
from fmd_core.heads.linear import LinearHead
from fmd_core.heads.protocol import Head
from fmd_core.intervals import NORMAL_95

if TYPE_CHECKING:
    from fmd_core.models.classifier import Classifier

FAR_MORE_OFTEN = 0.1  # how much more often right another order of the classes must be


class Reason(StrEnum):
    """Why an output is taken for a class."""

    NAMED = "the file names its outputs"
    SORTED = "sorted by size or alphabet, as most trainers do"
    TWO_ORDERS = "two orders are usual"
    OURS = "FMD Studio wrote the file for a target with these classes"
    SAID = "said by the reviewer"


class Better(msgspec.Struct, frozen=True):
    """Another order that would be right far more often."""

    right: float
    """Share that is right as the outputs are read."""
    other: float
    """Share that would be in the other order."""
    meaning: tuple[int, ...]
    n: int
    """Labelled people that were asked."""


class Outputs(msgspec.Struct, frozen=True):
    """What a model's outputs mean."""

    meaning: tuple[int, ...]
    """`meaning[j]` is the place among the target's classes of what output j stands for."""
    reason: Reason
    names: tuple[str, ...] = ()
    """The file's own names, () where it has none."""
    better: Better | None = None
    is_confirmed: bool = False

    @property
    def is_open(self) -> bool:
        """Whether a reviewer has to say which order is meant before anything can be said of the model."""
        return not self.is_confirmed and (self.better is not None or self.reason is Reason.TWO_ORDERS)

    def of_places(self, levels: Sequence[str]) -> tuple[str, ...]:
        """The class of each output, in the order of the outputs."""
        return tuple(levels[place] for place in self.meaning)


def usual_orders(levels: Sequence[str]) -> tuple[tuple[int, ...], ...]:
    """The orders in which trainers put classes, as places in `levels`: by size and alphabet, then as plain text
    ("1", "10", "2"), where that is another."""
    places = range(len(levels))
    by_size = tuple(sorted(places, key=lambda place: natural(levels[place])))
    as_text = tuple(sorted(places, key=lambda place: levels[place]))
    return (by_size,) if by_size == as_text else (by_size, as_text)


def read_outputs(levels: Sequence[str], names: Sequence[str] = ()) -> Outputs:
    """The outputs of a model for a target with `levels`, by the file's own `names` where they are the levels', else
    in the usual order."""
    if (found := _by_name(levels, names)) is not None:
        return Outputs(found, Reason.NAMED, tuple(names))
    orders = usual_orders(levels)
    return Outputs(orders[0], Reason.SORTED if len(orders) == 1 else Reason.TWO_ORDERS, tuple(names))


def _by_name(levels: Sequence[str], names: Sequence[str]) -> tuple[int, ...] | None:
    """Which level each name is: as it is, then by size of numbers and without regard to capitals and spaces."""
    if len(names) != len(levels):
        return None
    for plain in (str, _plain):
        known = {plain(level): place for place, level in enumerate(levels)}
        if len(known) == len(levels) and {plain(name) for name in names} == set(known):
            return tuple(known[plain(name)] for name in names)
    return None


def _plain(text: str) -> str:
    is_missing, is_word, number, _, _ = natural(text.strip())
    return (
        repr(number)
        if not is_missing and not is_word
        else "".join(c for c in text.casefold() if c.isalnum() or c in "<>=+-")
    )


def in_order(weight: Array, bias: Array, meaning: Sequence[int]) -> LinearHead:
    """A head in the order of the data's classes, of weights and biases in that of a model's outputs."""
    rows = np.argsort(np.asarray(meaning))
    return LinearHead(weight[rows], bias[rows])


def reordered(classifier: Classifier, meaning: Sequence[int]) -> Classifier:
    """The same model with its outputs read in another order, as the reviewer says. Raises ModelError for an order
    that does not name each class once, and for a model whose outputs cannot be told apart from its classes."""
    was = classifier.outputs
    if was is None:
        raise ModelError(
            "This model was trained here for these classes, so the order of its outputs is known."
        )
    if sorted(meaning) != list(range(len(was.meaning))):
        raise ModelError("Each class must be named for exactly one output.")
    said = replace_outputs(was, meaning=tuple(meaning), reason=Reason.SAID, better=None, is_confirmed=True)
    last = classifier.head.last
    by_output = [was.meaning[j] for j in range(len(meaning))]
    head: Head = classifier.head.with_last(in_order(last.weight[by_output], last.bias[by_output], meaning))
    return replace(classifier, head=head, outputs=said, recipe=None)


def replace_outputs(outputs: Outputs, **changes: object) -> Outputs:
    """The same with some fields changed."""
    return msgspec.structs.replace(outputs, **changes)


@dataclass(frozen=True)
class OtherOrder:
    """Another naming of the answers: `named[j]` is the class that answer j should be called."""

    right: float
    other: float
    named: tuple[int, ...]


def better_order(confusion: Array) -> OtherOrder:
    """The naming of a model's answers that would be right most often.

    `confusion` (K, K) counts people: rows their true class, columns their answer.
    """
    from scipy.optimize import linear_sum_assignment

    _, named = linear_sum_assignment(-confusion.T)  # answer j is called named[j]
    total = float(confusion.sum())
    as_is, other = np.trace(confusion) / total, confusion[named, np.arange(len(named))].sum() / total
    return OtherOrder(float(as_is), float(other), tuple(map(int, named)))


def is_far_better(found: OtherOrder, confusion: Array, n: float) -> bool:
    """Whether another order is right far more often than this one, by more than chance, and than one answer for
    everybody; `n` people were asked."""
    gain = found.other - found.right
    error = np.sqrt(max(found.right + found.other - gain**2, 0.0) / n)
    majority = confusion.sum(axis=1).max() / confusion.sum()
    one_answer = (confusion.sum(axis=0) > 0).sum() == 1
    return bool(
        gain >= FAR_MORE_OFTEN and gain - NORMAL_95 * error > 0 and not one_answer and found.other >= majority
    )


def checked(outputs: Outputs, labels: Array, predicted: Array) -> Outputs:
    """The outputs, held against labelled people: `labels` and `predicted` (n,) are codes of the data's classes."""
    k, n = len(outputs.meaning), len(labels)
    if not n:
        return outputs
    confusion = np.bincount(labels * k + predicted, minlength=k * k).reshape(k, k)
    found = better_order(confusion)
    if not is_far_better(found, confusion, n):
        return outputs
    meaning = tuple(found.named[place] for place in outputs.meaning)
    return replace_outputs(outputs, better=Better(found.right, found.other, meaning, n))
