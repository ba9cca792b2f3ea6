"""Coloured digits: real handwriting in ten inks, on plain or squared paper.

The handwriting is the test part of the UCI "Optical Recognition of Handwritten Digits" set
(Alpaydin & Kaynak), 1,797 images of 8 x 8 pixels that ship inside scikit-learn. In training
nearly every digit is written in "its" ink (0 red, 1 orange, ...), everywhere else the ink is
drawn at random: whoever reads the ink instead of the digit is found out. The paper is random
everywhere, so it is an attribute that no honest audit should flag.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image

from fmd_core.data import (
    SPLITS,
    Array,
    AttributeDataset,
    Column,
    InputKind,
    content_fingerprint,
    frozen_array,
)
from fmd_core.datasets.demos.bundled import UNREADABLE, read_verified
from fmd_core.errors import DataError

INKS = {
    "red": "C62828", "orange": "EF6C00", "gold": "C9A000", "green": "2E7D32", "teal": "00897B",
    "sky": "29A3E0", "blue": "1F3FBF", "violet": "7B3FB5", "pink": "E0559B", "brown": "6D4C41",
}  # fmt: skip
PAPERS = ("plain", "squared")
SIZE = 32
_PAPER = np.array([252, 250, 244], "float32")
_LINES = np.array([190, 205, 225], "float32")


@dataclass(frozen=True, eq=False)
class DigitSource:
    """Draws a digit from its pen strokes, ink and paper; images are uint8 (m, 32, 32, 3)."""

    strokes: Array  # (n, 8, 8) uint8, 0 (no ink) to 16
    color: Array  # (n,) code of INKS
    paper: Array  # (n,) code of PAPERS
    kind: InputKind = "image"

    @cached_property
    def fingerprint(self) -> str:
        return content_fingerprint("colored digits v1", self.strokes, self.color, self.paper)

    @cached_property
    def _coverage(self) -> Array:
        """Share of each pixel covered by ink, (n, 32, 32) float32, smoothly enlarged."""
        padded = np.pad(self.strokes, ((0, 0), (1, 1), (1, 1))).astype("float32") / 16
        large = [
            np.asarray(Image.fromarray(s).resize((SIZE, SIZE), Image.Resampling.BICUBIC)) for s in padded
        ]
        return frozen_array(np.clip((np.stack(large) - 0.14) / 0.6, 0, 1))

    def read(self, rows: Array) -> Array:
        return self._draw(rows, self.color[rows], self.paper[rows])

    def counterfactual(self, rows: Array, attribute: str, codes: Array) -> Array:
        if attribute == "colour":
            return self._draw(rows, codes, self.paper[rows])
        if attribute == "paper":
            return self._draw(rows, self.color[rows], codes)
        raise DataError(f"Coloured digits cannot be redrawn with another '{attribute}'; use colour or paper.")

    def display(self, row: int, attribute: str = "", code: int = 0) -> Array:
        rows = np.array([row])
        return (self.counterfactual(rows, attribute, np.array([code])) if attribute else self.read(rows))[0]

    def _draw(self, rows: Array, color: Array, paper: Array) -> Array:
        inks = np.array([[int(code[i : i + 2], 16) for i in (0, 2, 4)] for code in INKS.values()], "float32")
        ruled = np.zeros((SIZE, SIZE, 1), "float32")
        ruled[::8], ruled[:, ::8] = 1, 1
        sheets = np.stack([np.broadcast_to(_PAPER, (SIZE, SIZE, 3)), _PAPER * (1 - ruled) + _LINES * ruled])
        ink = self._coverage[rows][..., None]
        return np.rint(sheets[paper] * (1 - ink) + inks[color][:, None, None] * ink).astype("uint8")


def load_colored_digits(folder: Path) -> AttributeDataset:
    """Read what `sample_data/build_colored_digits.py` wrote, checked against its manifest."""
    content = read_verified(folder, "digits.npz")
    try:
        with np.load(BytesIO(content), allow_pickle=False) as arrays:
            return make_colored_digits(**{name: arrays[name] for name in arrays.files})
    except UNREADABLE as error:
        raise DataError(
            "The demo file 'digits.npz' cannot be read; restore the folder sample_data."
        ) from error


def make_colored_digits(
    strokes: Array, digit: Array, color: Array, paper: Array, split: Array
) -> AttributeDataset:
    """Coloured digits from arrays; `split` holds positions in `SPLITS`."""
    if strokes.shape != (len(digit), 8, 8):
        raise ValueError(f"strokes of shape {strokes.shape} for {len(digit)} digits")
    columns = {
        "colour": Column("colour", color, tuple(INKS)),
        "paper": Column("paper", paper, PAPERS),
    }
    source = DigitSource(frozen_array(strokes, "uint8"), columns["colour"].codes, columns["paper"].codes)
    target = Column("digit", digit, tuple("0123456789"))
    phrases = {
        "digit": {level: f"{level}s" for level in target.levels},
        "colour": {ink: f"{ink} {{}}" for ink in INKS},
        "paper": {paper: f"{{}} on {paper} paper" for paper in PAPERS},
    }
    return AttributeDataset(
        "Coloured digits", target, columns, np.array(SPLITS)[split], source, unit="digit", phrases=phrases
    )
