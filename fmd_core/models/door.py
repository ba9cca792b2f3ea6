"""What `fmd_core.wrap` asks of a door: of what recognises one kind of model and takes it apart."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fmd_core.data import Array, AttributeDataset, InputKind
from fmd_core.errors import ModelError
from fmd_core.heads.linear import LinearHead
from fmd_core.models.encoder import Encoder
from fmd_core.models.preprocess import Preprocess

TRIED = 8  # inputs on which a model's own answers are held against ours
TOLERANCE = 1e-4  # of a probability: single precision leaves about 1e-6


@dataclass(frozen=True)
class Asked:
    """What the caller of `wrap` said of the model."""

    data: AttributeDataset | None
    head: object
    """The name of a layer, weights and bias, or None."""
    preprocess: Preprocess | None
    kind: InputKind | None
    example: Array | None


@dataclass(frozen=True)
class Opened:
    """A model taken apart."""

    encoder: Encoder
    head: LinearHead | None
    """Its last layer in the order of its own classes; None: to be fitted on the training samples."""
    classes: Sequence[Any] | None = None
    """Its classes in its order, where it knows them."""
    damping: Callable[[int], float | None] = lambda _: None
    """Its own weight decay in units of the mean loss, as it acts on `head`, by the number of training samples;
    None where that is not known."""


@dataclass(frozen=True)
class Door:
    """One kind of model that can come in."""

    title: str
    takes: Callable[[object], bool]
    open: Callable[[Any, Asked], Opened]
    """ModelError, in a sentence, for a model of this kind that cannot be taken apart."""


class FirstAnswers:
    """Holds the last layer as it was taken off against the model's own answers, on the first inputs that come."""

    def __init__(self, head: LinearHead, own: Callable[[Array], Array], advice: str) -> None:
        self.head, self.advice = head, advice
        self.own: Callable[[Array], Array] | None = own

    def check(self, batch: Array, features: Array) -> None:
        """Compare once. Raises ModelError where the answers are others."""
        own = self.own  # another thread may be done in the meantime
        if own is None:
            return
        ours = self.head.probabilities(features[:TRIED].astype("float64"))
        theirs = own(batch[:TRIED])
        if ours.shape != theirs.shape or not np.abs(ours - theirs).max() <= TOLERANCE:
            apart = (
                f"by up to {np.abs(ours - theirs).max():.2g}" if ours.shape == theirs.shape else "in shape"
            )
            raise ModelError(
                f"The model's own probabilities and those of its last layer on its features differ {apart}, so it is "
                f"no softmax of one linear layer; {self.advice}"
            )
        self.own = None


def binary_head(weight: Array, bias: float) -> LinearHead:
    """A head of two classes from one score: softmax over (-x/2, x/2) gives the second class sigmoid(x)."""
    halves = np.array([-0.5, 0.5])
    return LinearHead(np.outer(halves, np.asarray(weight, "float64")), halves * float(bias))
