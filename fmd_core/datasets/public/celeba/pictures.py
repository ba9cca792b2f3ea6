"""CelebA's pictures: which lie there, and how they are read; what is wrong with one, in words."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from PIL import Image

from fmd_core.data import Array, InputKind, content_fingerprint
from fmd_core.datasets.public.celeba.lists import ATTRIBUTES, PICTURES, is_web_page, web_page
from fmd_core.errors import DataError

SUFFIXES = (".jpg", ".jpeg", ".png")
MAX_PIXELS = 50_000_000  # a file of 100 kB can claim more memory than there is


@dataclass(frozen=True, eq=False)
class CelebaSource:
    """Faces on disk, opened when they are asked for; never more of them in memory than one call reads."""

    folder: Path  # that holds the pictures
    files: Array  # (n,) str, file names
    lengths: Array  # (n,) int64, file sizes in bytes
    size: int
    kind: InputKind = "image"

    @cached_property
    def fingerprint(self) -> str:
        """Digest of file names, file sizes and `size`. The pixels are not read for it: a picture that
        is replaced by another of the very same name and length goes unnoticed."""
        return content_fingerprint("celeba v1", str(self.size), self.files, self.lengths)

    def read(self, rows: Array) -> Array:
        """The middle square of each picture (178 x 178 of the official 178 x 218), smoothly resized to
        `size`: uint8 (m, size, size, 3). One thread: more were not faster (0.55 and 0.5 ms a picture)."""
        faces = np.empty((len(rows), self.size, self.size, 3), "uint8")
        for place, row in enumerate(rows):
            with self._picture(row) as picture:
                picture.draft("RGB", (self.size, self.size))  # a JPEG can be decoded at 1/2, 1/4 or 1/8
                faces[place] = _middle_square(picture, self.size)
        return faces

    def counterfactual(self, rows: Array, attribute: str, codes: Array) -> Array:  # noqa: ARG002  protocol
        """Always a DataError: nobody can redraw a photograph of a person."""
        raise DataError(
            f"A photographed face cannot be redrawn with another '{attribute}'; use twins that are matched."
        )

    def display(self, row: int, attribute: str = "", code: int = 0) -> Array:
        """The whole picture at the size that it is stored in, uint8 (height, width, 3)."""
        if attribute:
            return self.counterfactual(np.array([row]), attribute, np.array([code]))
        with self._picture(row) as picture:
            return np.array(picture.convert("RGB"))

    @contextmanager
    def _picture(self, row: int) -> Iterator[Image.Image]:
        """The opened file of a sample; whatever goes wrong with it in the block becomes a DataError."""
        path = self.folder / str(self.files[row])
        try:
            with Image.open(path, formats=("JPEG", "PNG")) as picture:
                if picture.width * picture.height > MAX_PIXELS:
                    raise Image.DecompressionBombError
                yield picture
        except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
            raise DataError(
                f"The picture '{path.name}' has more than {MAX_PIXELS // 1_000_000} million pixels; "
                "delete it, the others can be used without it."
            ) from error
        except (OSError, SyntaxError, ValueError) as error:  # what Pillow raises for broken files
            raise DataError(_what_is_wrong(path)) from error


def pictures_of(folder: Path, listed: Array) -> tuple[Array, Array, list[str]]:
    """File name (n,), "" where there is none, and file size (n,) of each listed face, and the notes."""
    found = _picture_files(folder)
    _check_smallest(picture_folder(folder), found)
    stems = listed.tolist()
    empty = sum(not length for _, length in found.values())
    files = np.array([found[s][0] if s in found and found[s][1] else "" for s in stems])
    sizes = np.array([found[s][1] if s in found else 0 for s in stems])
    notes = []
    if missing := int(sum(s not in found for s in stems)):
        notes.append(f"{missing:,} of {len(stems):,} listed faces have no picture here and were left out.")
    if empty:
        notes.append(f"{empty:,} picture files are empty and were left out.")
    if unlisted := len(found) - (len(stems) - missing):
        notes.append(f"{unlisted:,} pictures were left out because '{ATTRIBUTES}' does not list them.")
    return files, sizes, notes


def picture_folder(folder: Path) -> Path:
    """Where the pictures lie: Kaggle's archive has a folder of the same name in the folder."""
    inner = folder / PICTURES / PICTURES
    return inner if inner.is_dir() else folder / PICTURES


def _picture_files(folder: Path) -> dict[str, tuple[str, int]]:
    """File name and size of every picture by its name without suffix."""
    if not (folder / PICTURES).is_dir():
        archive = folder / f"{PICTURES}.zip"
        if is_web_page(archive):
            raise DataError(web_page(archive.name))
        do = f"unpack '{archive.name}'" if archive.exists() else "download CelebA"
        raise DataError(f"The folder '{PICTURES}' with CelebA's pictures is missing; {do} first.")
    with os.scandir(picture_folder(folder)) as entries:
        named = [(os.path.splitext(entry.name), entry) for entry in entries]
        found = {
            stem: (entry.name, entry.stat().st_size) for (stem, suffix), entry in named
            if suffix.lower() in SUFFIXES
        }  # fmt: skip
    if not found:
        raise DataError(f"The folder '{PICTURES}' holds no .jpg or .png; are the pictures one folder deeper?")
    return found


def _check_smallest(folder: Path, found: dict[str, tuple[str, int]]) -> None:
    """Refuse web pages saved as pictures, which are smaller than faces; opening all takes too long."""
    for name, length in sorted(found.values(), key=lambda file: file[1])[:5]:
        if length and is_web_page(folder / name):
            raise DataError(web_page(name))


def _middle_square(picture: Image.Image, size: int) -> Array:
    """The largest centred square of a picture, (size, size, 3)."""
    side = min(picture.size)
    left, top = (picture.width - side) // 2, (picture.height - side) // 2
    # cut out first: resize(box=...) would blend in what lies just outside
    square = picture.crop((left, top, left + side, top + side)).convert("RGB")
    return np.asarray(square.resize((size, size), Image.Resampling.BILINEAR))


def _what_is_wrong(path: Path) -> str:
    """Why a picture could not be read, in words."""
    if not path.is_file():
        return f"The picture '{path.name}' is gone since the data set was opened; open the data set again."
    if is_web_page(path):
        return web_page(path.name)
    return f"The picture '{path.name}' is damaged; delete it, the others can be used without it."
