"""Coloured MNIST: the original 70,000 handwritten digits, in ink that goes with the digit.

The setting of the FMD paper (Chen et al. 2023): in training nearly every digit is written in
"its" ink, everywhere else the ink is drawn at random. The inks are those of the coloured digits
that come with FMD Studio, on white, where all ten stand out (brown and blue would not on black).

The idx files are read here and not by torchvision, whose reader wants them unpacked and loads torch.
"""

from __future__ import annotations

import gzip
import zlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import BinaryIO, cast

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
from fmd_core.datasets.demos.colored_digits import INKS
from fmd_core.errors import DataError

ALIGNED = (0.95, 0.98, 0.99, 0.995)
"""Shares of training digits in their own ink that the paper reports."""
SIDE = 28
MAX_DIGITS = 100_000  # a header can claim more than fits in memory
_HELD_BACK = 12  # one in twelve of the training digits for each of external and validation: 5,000
_SEED = 20231210


@dataclass(frozen=True, eq=False)
class ColoredMnistSource:
    """Writes a digit in an ink; images are uint8 (m, 28, 28, 3), made when they are asked for."""

    strokes: Array  # (n, 28, 28) uint8, 0 (no ink) to 255
    color: Array  # (n,) code of INKS
    kind: InputKind = "image"

    @cached_property
    def fingerprint(self) -> str:
        return content_fingerprint("colored mnist v1", self.strokes, self.color)

    @cached_property
    def _shades(self) -> Array:
        """Each ink at each strength on white paper, (10, 256, 3) uint8."""
        inks = np.array([[int(code[i : i + 2], 16) for i in (0, 2, 4)] for code in INKS.values()], "float32")
        strength = np.linspace(0, 1, 256, dtype="float32")[:, None]
        return frozen_array(np.rint(255 * (1 - strength) + inks[:, None] * strength).astype("uint8"))

    def read(self, rows: Array) -> Array:
        return self._shades[self.color[rows][:, None, None], self.strokes[rows]]

    def counterfactual(self, rows: Array, attribute: str, codes: Array) -> Array:
        """The same handwriting in the inks `codes` (m,), uint8 (m, 28, 28, 3)."""
        if attribute != "colour":
            raise DataError(f"MNIST digits cannot be redrawn with another '{attribute}'; use colour.")
        return self._shades[np.asarray(codes)[:, None, None], self.strokes[rows]]

    def display(self, row: int, attribute: str = "", code: int = 0) -> Array:
        rows = np.array([row])
        return (self.counterfactual(rows, attribute, np.array([code])) if attribute else self.read(rows))[0]


def load_colored_mnist(folder: Path, *, aligned: float = 0.99) -> AttributeDataset:
    """MNIST in colour, from the four idx files in `folder` or its folder `raw`, packed (.gz) or not.

    Of the official training digits 5,000 each become external and validation; the official test
    digits judge. A higher `aligned` gives its own ink to the same training digits and to more.
    Raises DataError where a file is missing or broken, and for shares other than `ALIGNED`.
    """
    if aligned not in ALIGNED:
        known = ", ".join(str(share) for share in ALIGNED)
        raise DataError(f"Coloured MNIST has no share of {aligned} in their own ink; choose one of: {known}.")
    strokes, digit = _read_part(folder, "train")
    test_strokes, test_digit = _read_part(folder, "t10k")
    split = _split(len(digit), len(test_digit))
    digit = np.concatenate([digit, test_digit]).astype("int64")
    color = Column("colour", _colors(digit, split == SPLITS.index("train"), aligned), tuple(INKS))
    pixels = np.concatenate([strokes, test_strokes])
    pixels.flags.writeable = False
    return AttributeDataset(
        f"Coloured MNIST, {100 * aligned:g} % aligned",
        Column("digit", digit, tuple("0123456789")),
        {"colour": color},
        np.array(SPLITS)[split],
        ColoredMnistSource(frozen_array(pixels), color.codes),
        unit="digit",
        notes=("The digits are MNIST's own; the colours are ours, from a fixed random draw.",),
    )


def _split(n_train: int, n_test: int) -> Array:
    """Position in SPLITS of each digit, (n_train + n_test,): a fixed draw from the training digits."""
    split = np.full(n_train + n_test, SPLITS.index("train"))
    split[n_train:] = SPLITS.index("test")
    drawn, held = np.random.default_rng(_SEED).permutation(n_train), n_train // _HELD_BACK
    split[drawn[:held]] = SPLITS.index("external")
    split[drawn[held : 2 * held]] = SPLITS.index("validation")
    return split


def _colors(digit: Array, train: Array, aligned: float) -> Array:
    """Ink of each digit (n,): in training its own with probability `aligned`, else one of the other
    nine; elsewhere any of the ten, all equally likely."""
    rng = np.random.default_rng(_SEED + 1)
    luck, other, anyhow = (
        rng.random(len(digit)),
        rng.integers(1, 10, len(digit)),
        rng.integers(0, 10, len(digit)),
    )
    biased = np.where(luck < aligned, digit, (digit + other) % 10)
    return np.where(train, biased, anyhow)


def _read_part(folder: Path, part: str) -> tuple[Array, Array]:
    """Images (n, 28, 28) and labels (n,) of an official part, uint8."""
    names = f"{part}-images-idx3-ubyte", f"{part}-labels-idx1-ubyte"
    images, labels = _read_idx(folder, names[0], (SIDE, SIDE)), _read_idx(folder, names[1], ())
    if len(images) != len(labels):
        raise DataError(
            f"'{names[0]}' has {len(images):,} images, but '{names[1]}' has {len(labels):,} labels; "
            "download MNIST again."
        )
    if len(labels) < _HELD_BACK or labels.max() > 9:
        raise DataError(f"'{names[1]}' does not hold the labels 0 to 9 of MNIST; download MNIST again.")
    return images, labels


def _read_idx(folder: Path, name: str, shape: tuple[int, ...]) -> Array:
    """The bytes of an idx file, (n, *shape) uint8, checked against its header.

    Header: 0, 0, 8 for bytes, the number of axes; then the length of each axis, big-endian uint32.
    """
    path = _find(folder, name)
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            return _parse_idx(cast(BinaryIO, file), path.name, shape)
    except (OSError, EOFError, zlib.error) as error:  # gzip's three ways to say that it is broken
        with path.open("rb") as file:
            page = file.read(100).lstrip()[:1] == b"<"
        what = "a web page, not the file itself" if page else "cut off or damaged"
        raise DataError(f"'{path.name}' is {what}; download MNIST again.") from error


def _parse_idx(file: BinaryIO, name: str, shape: tuple[int, ...]) -> Array:
    header = file.read(4 * (2 + len(shape)))
    if len(header) < 4 * (2 + len(shape)) or header[:4] != bytes((0, 0, 8, 1 + len(shape))):
        raise DataError(
            f"'{name}' does not start like an idx file of MNIST, but with {header[:4]!r}; download MNIST again."
        )
    n, *found = np.frombuffer(header[4:], ">u4").tolist()
    if tuple(found) != shape or n > MAX_DIGITS:
        raise DataError(
            f"'{name}' announces {n:,} items of shape {tuple(found)}, where MNIST has up to {MAX_DIGITS:,} "
            f"of {shape}; download MNIST again."
        )
    size = int(n * np.prod(shape, dtype=int))
    content = file.read(size + 1)  # one more, to see whether there is more
    if len(content) != size:
        fewer = "fewer" if len(content) < size else "more"
        raise DataError(f"'{name}' holds {fewer} bytes than the {size:,} it announces; download MNIST again.")
    return np.frombuffer(content, "uint8").reshape(n, *shape)


def _find(folder: Path, name: str) -> Path:
    for place in (folder / "raw", folder):
        for path in (place / name, place / f"{name}.gz"):
            if path.is_file():
                return path
    raise DataError(
        f"MNIST is not complete here: '{name}' (or '{name}.gz') is missing; "
        "put the four original files into the folder 'MNIST/raw'."
    )
