"""Texts: an array of str (m,), shown with the words that matter marked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, cast

import numpy as np

from fmd_core.data import Array, Display, SampleSource
from fmd_core.kinds.kind import Kind, Portrait, Preparation

SIDE = 64  # a text takes a batch as much room as a picture of so many pixels a side: seconds until a stop takes effect


class Marked(Protocol):
    """A text as it is shown: what a source of texts gives."""

    @property
    def text(self) -> str:
        """All of it."""

    @property
    def spans(self) -> tuple[tuple[int, int], ...]:
        """Begin and end of each place that is marked, in order."""


class TextKind(Kind):
    """Texts, such as comments."""

    name, plural, samples = "text", "texts", "texts"
    reads_words = True

    def reads(self, inputs: Array) -> bool:
        return inputs.ndim == 1 and inputs.dtype.kind in "OU"

    def portrait(self, shown: Display, side: int) -> Portrait:  # noqa: ARG002 - text has no side
        marked = cast(Marked, shown)
        return Portrait(text=marked.text, marks=marked.spans)

    def side(self, inputs: Array, preparation: Preparation) -> int:  # noqa: ARG002
        return SIDE

    def record(self, shown: Display) -> Mapping[str, str]:
        return {"text": cast(Marked, shown).text}

    def width(self, inputs: Array) -> int:  # noqa: ARG002 - encoders for texts read any length
        return 0

    def parts(self, contributions: Array, source: SampleSource) -> tuple[Array, tuple[str, ...]]:  # noqa: ARG002
        return contributions, tuple(f"token {i + 1}" for i in range(len(contributions)))

    def noise(self, rng: np.random.Generator, n: int, *, width: int, side: int) -> Array:  # noqa: ARG002
        """Words that mean nothing."""
        letters = rng.choice(list("abcdefghijklmnopqrstuvwxyz     "), (n, 40))
        return np.array(["".join(row) for row in letters], dtype=object)

    def misfit(self, inputs: Array, usual: int) -> str:  # noqa: ARG002
        return "The model cannot read texts; it was made for something else."
