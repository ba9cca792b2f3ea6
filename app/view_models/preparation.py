"""How pictures are made ready for a model, and what it then sees."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fmd_core import AttributeDataset
from fmd_core.data import Array, WholePictures
from fmd_core.imaging import data_uri
from fmd_core.models.preprocess import Preprocess, Resize

RESIZES: dict[Resize, str] = {
    "middle square": "The middle square of the imported pictures",
    "squash": "Squashed, whatever its proportions",
    "shorter side": "Shorter side scaled, the middle cut out",
    "longer side": "Longer side scaled, the rest black",
}
NUMBERS = "Numbers of its own"
SHOWN, SIDE = 3, 112


@dataclass(frozen=True)
class SeenPicture:
    """One picture as the model sees it."""

    source: str
    """As a data URI."""
    note: str
    alt: str


def as_seen(data: AttributeDataset, preprocess: Preprocess) -> tuple[SeenPicture, ...]:
    """Three pictures of the training part, brought back to colours, and the numbers that the model reads."""
    rows = data.rows("train")[:SHOWN]
    if preprocess.is_read_whole and isinstance(data.source, WholePictures):
        inputs = data.source.read_fitted(rows, preprocess.fitted)
    else:
        inputs = data.source.read(rows)
    values = preprocess.prepared(inputs)
    return tuple(
        _seen(one, preprocess, data.target.levels[data.target.codes[row]])
        for one, row in zip(values, rows, strict=True)
    )


def _seen(values: Array, preprocess: Preprocess, label: str) -> SeenPicture:
    """Channels are shown in the model's order, so that a wrong one is seen."""
    mean, spread = (np.array(numbers)[: len(values), None, None] for numbers in preprocess.colours)
    colours = np.clip(np.rint((values * spread + mean) * 255), 0, 255).astype("uint8").transpose(1, 2, 0)
    picture = np.repeat(colours, 3, axis=2) if colours.shape[2] == 1 else colours
    height, width = picture.shape[:2]
    note = f"{width} x {height}, {values.min():.2f} to {values.max():.2f}"
    return SeenPicture(
        data_uri(np.ascontiguousarray(picture), SIDE),
        note,
        f"A training picture ({label}) as the model sees it",
    )
