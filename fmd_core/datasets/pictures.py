"""One picture from a file that somebody sent, as plain RGB: upright, 8 bits, first frame, no more
than 50 megapixels.

Pictures of more than 8 bits (X-rays, microscopes) seldom use all of them: 12 bits in a file of 16 would be nearly
black. They are scaled by the darkest and the brightest value of the whole set, so that all change alike."""

from __future__ import annotations

import struct
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, ImageOps

from fmd_core.data import Array, ignore_progress
from fmd_core.errors import DataError
from fmd_core.text import short_name

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF")
MAX_PIXELS = 50_000_000  # Pillow only warns up to 179 million, which take half a gigabyte
MAX_BYTES = 64 * 2**20
THUMB = 16  # pixels a side of what is compared with other pictures
Depth = tuple[float, float]
"""The darkest and the brightest value of the deep pictures of a set."""
FULL_DEPTH: Depth = (0.0, 65_535.0)
_NO_PICTURE = "damaged, or not a JPEG, PNG, WebP, BMP or TIFF picture"
TOO_MANY = f"over {MAX_PIXELS // 10**6} megapixels"
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_270, 7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}  # fmt: skip  # what undoes each orientation of EXIF
_BROKEN = (
    OSError, ValueError, SyntaxError, EOFError, TypeError, IndexError, KeyError, OverflowError, struct.error,
    zlib.error, MemoryError, Warning,
)  # fmt: skip  # what Pillow raises on damaged files; Warning where a caller makes warnings errors


@dataclass(frozen=True)
class ImageCheck:
    """What is known of picture files after each was opened and decoded once, by name."""

    digests: Mapping[str, str]  # sha256 of every usable file
    unusable: Mapping[str, str]  # name -> reason
    converted: Mapping[str, int]  # what had to be changed -> how many pictures
    depth: Depth | None = None  # of the pictures of more than 8 bits, None where there is none
    thumbs: Mapping[str, Array] = field(default_factory=dict)  # uint8 (16, 16, 3) of every usable picture

    @property
    def notes(self) -> tuple[str, ...]:
        """Counts in words: what cannot be used, by reason, and what was converted."""
        reasons = Counter(self.unusable.values())
        first = {reason: name for name, reason in reversed([*self.unusable.items()])}
        bad = (
            f"{number:,} {'picture' if number == 1 else 'pictures'} skipped: {reason} "
            f"('{short_name(first[reason])}')."
            for reason, number in reasons.most_common()
        )
        changed = (
            f"{number:,} {'picture was' if number == 1 else 'pictures were'} {what}."
            for what, number in self.converted.items()
        )
        return (*bad, *changed, *self._depth_notes())

    def _depth_notes(self) -> tuple[str, ...]:
        if self.depth is None or self.depth[0] == self.depth[1]:
            return ()
        low, high = (f"{value:,.10g}" for value in self.depth)
        return (
            f"Pictures of more than 8 bits hold values from {low} to {high}: these are black and white here.",
        )


def check_images(
    files: Mapping[str, Path], progress: Callable[[float], None] = ignore_progress
) -> ImageCheck:
    """Open and decode every file once. Never raises for a bad picture: that is counted."""
    digests: dict[str, str] = {}
    unusable: dict[str, str] = {}
    converted: Counter[str] = Counter()
    thumbs: dict[str, Array] = {}
    depths: list[Depth] = []
    for number, (name, path) in enumerate(files.items(), start=1):
        try:
            changes, thumbs[name], depth = _check(path)
            digests[name] = sha256(path.read_bytes()).hexdigest()
            converted.update(changes)
            depths += [depth] if depth else []
        except DataError as error:
            unusable[name] = str(error)
        if number % 64 == 0 or number == len(files):
            progress(number / len(files))
    depth = (min(low for low, _ in depths), max(high for _, high in depths)) if depths else None
    return ImageCheck(digests, unusable, dict(converted), depth, thumbs)


def _check(path: Path) -> tuple[list[str], Array, Depth | None]:
    """What has to be converted in a picture, a small copy of it, and its darkest and brightest value where it has
    more than 8 bits; DataError, a bare reason, if it cannot be used."""
    with _opened(path) as picture:
        changes, depth = [], None
        has_deep_colours = _has_deep_colours(picture)  # asked before the camera's notes decode it
        if getattr(picture, "is_animated", False):
            changes.append("animated: the first frame is used")
        if _orientation(picture) in _TURNS:  # cameras also write 0 or 9, which mean nothing
            changes.append("turned upright, as the camera noted")
        if picture.mode == "CMYK":
            changes.append("converted from print colours (CMYK)")
        elif _is_deep(picture):
            changes.append("reduced from more than 8 bits to 8")
            values = _deep_values(picture)
            depth = (float(values.min()), float(values.max()))
        elif has_deep_colours:
            changes.append("reduced from 16 bits to 8")
        elif _is_transparent(picture):
            changes.append("transparent and put on white")
        thumb = _rgb(picture, depth).resize((THUMB, THUMB), Image.Resampling.BICUBIC)
    return changes, np.asarray(thumb), depth


def read_square(path: Path, size: int, depth: Depth | None = None) -> Array:
    """The middle square of a picture, uint8 (size, size, 3); of more than 8 bits, black and white are where `depth`
    says, else where 16 bits end. Raises DataError if it cannot be read."""
    with _named(path), _opened(path) as picture:
        turn = _TURNS.get(_orientation(picture))
        picture.draft(None, (2 * size, 2 * size))  # a large JPEG need not be decoded in full
        square = ImageOps.fit(_rgb(picture, depth), (size, size), Image.Resampling.BICUBIC)
        return np.array(square.transpose(turn) if turn is not None else square)


def read_whole(path: Path, longest: int, depth: Depth | None = None) -> Array:
    """The whole picture, at most `longest` pixels wide or high, uint8 (height, width, 3); `depth` as above."""
    with _named(path), _opened(path) as picture:
        turn = _TURNS.get(_orientation(picture))
        picture.draft(None, (longest, longest))
        rgb = _rgb(picture, depth)
        rgb.thumbnail((longest, longest), Image.Resampling.BICUBIC)
        return np.array(rgb.transpose(turn) if turn is not None else rgb)


def read_fitted(path: Path, fit: Callable[[Image.Image], Array], depth: Depth | None = None) -> Array:
    """The whole picture, upright and decoded in full, as `fit` scales and cuts it: uint8 (height, width, 3); `depth` as
    above."""
    with _named(path), _opened(path) as picture:
        turn, rgb = _TURNS.get(_orientation(picture)), _rgb(picture, depth)
        return fit(rgb.transpose(turn) if turn is not None else rgb)


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    """A picture within the limits, header read but not decoded; whatever breaks in it is a DataError."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise DataError(f"the file is larger than {MAX_BYTES // 2**20} MB")
        with Image.open(path, formats=FORMATS) as picture:
            if picture.width * picture.height > MAX_PIXELS:
                raise DataError(TOO_MANY)
            yield picture
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise DataError(TOO_MANY) from error
    except _BROKEN as error:
        raise DataError(_NO_PICTURE) from error


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """A reason with the name of the picture and what to do."""
    try:
        yield
    except DataError as error:
        name = short_name(path.name)
        raise DataError(f"The picture '{name}' cannot be used ({error}); import the data again.") from error


def _orientation(picture: Image.Image) -> int:
    try:
        return int(picture.getexif().get(ExifTags.Base.Orientation, 1))
    except _BROKEN:
        return 1  # notes of the camera may be damaged although the picture is not


def _has_deep_colours(picture: Image.Image) -> bool:
    """Whether each colour has 16 bits in the file; Pillow keeps 8 of them and calls it RGB."""
    return any(";16" in str(tile[3]) for tile in getattr(picture, "tile", ()))


def _is_transparent(picture: Image.Image) -> bool:
    return picture.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in picture.info


def _is_deep(picture: Image.Image) -> bool:
    return picture.mode.startswith("I") or picture.mode == "F"


def _deep_values(picture: Image.Image) -> Array:
    """The values of a picture of more than 8 bits, (height, width) float64."""
    values = np.asarray(picture).astype("float64")
    if not np.isfinite(values).all():
        raise DataError("some of its values are no numbers")
    return values


def _rgb(picture: Image.Image, depth: Depth | None) -> Image.Image:
    """Decode: 8 bits, three colours, transparent parts white."""
    if _is_deep(picture):
        low, high = depth if depth and depth[0] < depth[1] else FULL_DEPTH
        grey = (_deep_values(picture) - low) * (255 / (high - low))
        return Image.fromarray(np.clip(grey.round(), 0, 255).astype("uint8")).convert("RGB")
    if not _is_transparent(picture):
        return picture.convert("RGB")
    layer = picture.convert("RGBA")
    sheet = Image.new("RGBA", layer.size, "white")
    sheet.alpha_composite(layer)
    return sheet.convert("RGB")
