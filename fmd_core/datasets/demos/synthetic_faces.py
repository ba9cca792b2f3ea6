"""Synthetic faces: drawn people, blond or dark-haired, of whom no photograph exists.

The story of CelebA with a truth that is known: in training nearly every blond face is feminine
and nearly every dark-haired one masculine, everywhere else hair colour and presentation are
drawn apart. Every other attribute is drawn on its own in every split, so that no honest audit
should flag it. A scarf or an earring goes with everybody: nothing but hair colour is tied to
presentation. Twins are drawn again from the same seed with one attribute changed.

How light the hair is, is a number that is known too: dark hair is black to brown, at most 0.37, blond
hair is golden to platinum, at least 0.67. Nobody is in between, and hair shows below every hat: whoever
looks at a face believes its label. A model errs that looks at the jacket instead, which is dark on
masculine and light on feminine people.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from io import BytesIO
from pathlib import Path
from types import MappingProxyType

import numpy as np

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
from fmd_core.datasets.demos.face_drawing import LEVELS, MODEL_SIZE, draw_faces
from fmd_core.errors import DataError

HAIR_COLORS = ("dark", "blond")
DISPLAY_SIZE = 256
_UNREADABLE = "The demo file 'faces.npz' cannot be read; restore the folder sample_data."


@dataclass(frozen=True, eq=False)
class FaceSource:
    """Draws faces from the codes of their attributes; images are uint8 (m, 64, 64, 3)."""

    codes: Mapping[str, Array]  # (n,) of every attribute in LEVELS
    shade: Array  # (n,) uint8: how light the hair is, 0 black to 255 platinum
    seed: Array  # (n,) uint32: what the attributes leave open
    kind: InputKind = "image"

    @cached_property
    def fingerprint(self) -> str:
        parts = [part for name in LEVELS for part in (name, self.codes[name])]
        return content_fingerprint("synthetic faces v2", *parts, self.shade, self.seed)

    def read(self, rows: Array) -> Array:
        return self._draw(rows, MODEL_SIZE)

    def counterfactual(self, rows: Array, attribute: str, codes: Array) -> Array:
        return self._draw(rows, MODEL_SIZE, **self._changed(attribute, codes))

    def display(self, row: int, attribute: str = "", code: int = 0) -> Array:
        change = self._changed(attribute, np.array([code])) if attribute else {}
        return self._draw(np.array([row]), DISPLAY_SIZE, **change)[0]

    def _changed(self, attribute: str, codes: Array) -> dict[str, Array]:
        if attribute not in LEVELS:
            known = ", ".join(LEVELS)
            raise DataError(
                f"Synthetic faces cannot be redrawn with another '{attribute}'; use one of: {known}."
            )
        return {attribute: codes}

    def _draw(self, rows: Array, size: int, **change: Array) -> Array:
        codes = {name: column[rows] for name, column in self.codes.items()} | change
        return draw_faces(codes, self.seed[rows], self.shade[rows], size)


def load_synthetic_faces(folder: Path) -> AttributeDataset:
    """Read what `sample_data/build_synthetic_faces.py` wrote, checked against its manifest."""
    content = read_verified(folder, "faces.npz")
    try:
        with np.load(BytesIO(content), allow_pickle=False) as arrays:
            return make_synthetic_faces(**{name: arrays[name] for name in arrays.files})
    except UNREADABLE as error:
        raise DataError(_UNREADABLE) from error


def make_synthetic_faces(
    attributes: Array, blond: Array, shade: Array, seed: Array, split: Array
) -> AttributeDataset:
    """Synthetic faces from arrays: `attributes` (n, 13) codes in the order of LEVELS, `blond` (n,)
    0 or 1, `shade` and `seed` as in `FaceSource`, `split` positions in `SPLITS`."""
    if attributes.shape != (len(blond), len(LEVELS)) or not len(blond) == len(shade) == len(seed):
        raise ValueError("every face needs one code per attribute, one shade and one seed")
    columns = {
        name: Column(name, codes, levels)
        for (name, levels), codes in zip(LEVELS.items(), attributes.T, strict=True)
    }
    codes = MappingProxyType({name: column.codes for name, column in columns.items()})
    source = FaceSource(codes, frozen_array(shade, "uint8"), frozen_array(seed, "uint32"))
    target = Column("hair colour", blond, HAIR_COLORS)
    return AttributeDataset(
        "Synthetic faces",
        target,
        columns,
        np.array(SPLITS)[split],
        source,
        unit="face",
        phrases=_phrases(),
        favourable=None,  # nobody is better off with either colour of hair
    )


def _phrases() -> dict[str, dict[str, str]]:
    """How faces of every level are called."""
    said = {
        "presentation": "{level} {{}}", "skin tone": "{{}} of {level} skin", "eye colour": "{{}} with {level} eyes",
        "expression": "{level} {{}}", "clothes": "{{}} in {level} clothes", "background": "{{}} before {level}",
        "hair style": "{{}} with {level} hair",
    }  # fmt: skip
    found = {"hair colour": {"dark": "dark-haired {}", "blond": "blond {}"}}
    for name, levels in LEVELS.items():
        if name in said:
            found[name] = {level: said[name].format(level=level) for level in levels}
        else:
            found[name] = {
                level: f"{{}} without {name}" if level == "none" else f"{{}} with {name} ({level})"
                for level in levels
            }
    return found
