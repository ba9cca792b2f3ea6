"""How deep a classifier is open: where its encoder ends and its head, which unlearning changes, begins.

A depth is one value. Whoever lists depths or needs to know something of one asks it; `add_depth` adds another.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fmd_core.errors import ModelError
from fmd_core.heads.linear import LinearHead
from fmd_core.heads.protocol import Head
from fmd_core.heads.two_layer import MLPHead
from fmd_core.models.architectures import below_hidden, side_by_side
from fmd_core.models.encoder import Encoder, layers_of
from fmd_core.showing import one_line

if TYPE_CHECKING:
    from torch import nn

LAST_LAYER = "last layer"
"""The depth that every classifier is opened at first."""
RETRAINED = "retrained layers"
"""What reports call it where a network was trained on: which layers changed, they say beside it. No model is opened
there."""


@dataclass(frozen=True, eq=False)
class Depth:
    """Where encoder and head meet, and how layers go from the one to the other."""

    name: str
    """What reviews, reports, addresses and files call it."""
    title: str
    """The choice on a screen."""
    layers: str
    """What may change, in the middle of a sentence and without an article."""
    changed: str
    """The same as the beginning of "... changed": "the last layer was"."""
    note: str
    """What it is good for, a sentence or two."""
    needs: str
    cost: str
    move: Callable[[Encoder, Head, float, float], tuple[Encoder, Head]]
    """Encoder and head that answer the same and meet at this depth, of those that meet at the last layer:
    `move(encoder, head, factor, scale)`, where the head reads the encoder's output times `factor` so far,
    and times `scale` then. ModelError, in a sentence, where the model cannot be opened here."""
    features_change: bool = True
    """Whether the head reads other features than the last layer does: they, and twins, are then read again."""
    cut: Callable[[nn.Module], nn.Module] | None = None
    """What of a whole encoder of our list of architectures is left below the head; None: all of it."""
    measured_at: str = ""
    """The depth whose features say how large `scale` should be; '' for its own."""

    def __repr__(self) -> str:
        return one_line(self, self.name, self.title, self.cost)

    def why_not(self, encoder: Encoder, head: Head) -> str:
        """Why a model that is open at its last layer cannot be opened here, in a sentence; '' where it can."""
        try:
            self.move(encoder, head, 1.0, 1.0)
        except ModelError as problem:
            return str(problem)
        return ""


def find_depth(name: str) -> Depth:
    """A depth by name. Raises ModelError, which lists what there is."""
    if name not in DEPTHS:
        raise ModelError(f"Unknown depth '{name[:80]}'. Choose one of: {', '.join(DEPTHS)}.")
    return DEPTHS[name]


def add_depth(depth: Depth) -> Depth:
    """Let `depth` be chosen wherever depths are. Raises ModelError where another one has its name."""
    if DEPTHS.setdefault(depth.name, depth) is not depth:
        raise ModelError(f"There is a depth '{depth.name}' already; give the new one another name.")
    return depth


def _stay(encoder: Encoder, head: Head, factor: float, scale: float) -> tuple[Encoder, Head]:
    return encoder, head.rescaled(scale / factor)


def _side_by_side(encoder: Encoder, head: Head, factor: float, scale: float) -> tuple[Encoder, Head]:
    """The encoder gives out the last hidden layer's input too, which the linear head does not read yet."""
    layers = layers_of(encoder)
    weight, _ = layers.hidden_layer()
    unread = np.zeros((head.n_classes, weight.shape[1]))
    widened = LinearHead(np.column_stack([unread, head.last.weight]), head.last.bias)
    # one scale serves both halves: the hidden layer makes up for the difference
    return layers.beside_hidden(factor / scale), widened


def _in_full(encoder: Encoder, head: Head, factor: float, scale: float) -> tuple[Encoder, Head]:
    """The encoder stops before its last hidden layer, which moves into the head."""
    layers = layers_of(encoder)
    weight, bias = layers.hidden_layer()
    # relu(a x) = a relu(x) for a > 0: the scale moves into the layer
    hidden = weight.astype("float64") * (factor / scale), bias.astype("float64") * factor
    return layers.below_hidden(), MLPHead(*hidden, head.last)


HIDDEN = "a linear layer with relu right below the last one"
DEPTHS: dict[str, Depth] = {
    depth.name: depth
    for depth in (
        Depth(
            LAST_LAYER, "The last layer", "last layer", "the last layer was",
            note="One layer is quickest.",
            needs="nothing but features", cost="seconds",
            move=_stay, features_change=False,
        ),
        Depth(
            "concatenated", "The last two layers, side by side", "last two layers",
            "the last two layers, side by side, were",
            note="Two reach what the last one cannot see, and often keep more accuracy; side by side means that the "
            "last layer also reads what goes into the layer below it.",
            needs=HIDDEN, cost="seconds to a minute, and features are read once more",
            move=_side_by_side, cut=side_by_side, measured_at="two layers",
        ),
        Depth(
            "two layers", "The last two layers, in full (slow)", "last two layers", "the last two layers were",
            note="In full means that both layers' weights change.",
            needs=HIDDEN, cost="minutes, and features are read once more",
            move=_in_full, cut=below_hidden,
        ),
    )
}  # fmt: skip
