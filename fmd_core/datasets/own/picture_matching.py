"""Which picture a row of a list means: by the longest path that both end in, and never where their folders differ.

A cell is only looked up among the pictures that are there, never opened as a path.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from fmd_core import figures
from fmd_core.errors import DataError
from fmd_core.text import short_name

Folders = Literal["agree", "ignored"]
"""Whether the folders of a row and of its picture must agree, or file names alone decide."""
MOST_MISSING = 0.01  # share of rows without a picture from which on somebody has to say that it is right
PICTURE_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif", ".dcm")


@dataclass(frozen=True)
class Matched:
    """Rows and pictures, counted both ways."""

    files: tuple[str, ...]
    """The picture of each row, '' where there is none."""
    missing: tuple[str, ...]
    """What the rows without a picture say."""
    pictures: int
    """How many pictures there are."""
    unused: tuple[str, ...]
    """Pictures that no row names."""

    @property
    def matched(self) -> int:
        """Rows that have a picture."""
        return len(self.files) - len(self.missing)

    @property
    def repeated(self) -> int:
        """Rows whose picture an earlier row names."""
        named = [name for name in self.files if name]
        return len(named) - len(set(named))

    @property
    def is_doubtful(self) -> bool:
        """Whether so many rows have no picture that somebody has to say that it is right."""
        return len(self.missing) > MOST_MISSING * len(self.files)

    @property
    def sentence(self) -> str:
        """The counts both ways: '594 of 600 rows have a picture; 6 of 600 pictures are not named.'"""
        rows, used = len(self.files), self.pictures - len(self.unused)
        return (
            f"{figures.count(self.matched)} of {figures.counted(rows, 'row')} have a picture; the list names "
            f"{figures.count(used)} of {figures.counted(self.pictures, 'picture')}."
        )

    def doubt(self) -> str:
        """What is missing, with an example of each side; '' where next to nothing is."""
        if not self.is_doubtful:
            return ""
        example = f", such as '{short_name(self.unused[0])}'" if self.unused else ""
        return (
            f"{figures.counted(len(self.missing), 'row')} of {figures.count(len(self.files))} have no picture, such as "
            f"'{short_name(self.missing[0]) or 'no name'}'; {figures.counted(len(self.unused), 'picture')} of "
            f"{figures.count(self.pictures)} {'belongs' if len(self.unused) == 1 else 'belong'} to no row{example}."
        )


def path_parts(text: str) -> tuple[str, ...]:
    """The folders and the name of a path of any system: without a drive, '.' and '..'."""
    plain = unicodedata.normalize("NFC", text).replace("\\", "/")
    if plain[1:2] == ":":
        plain = plain[2:]
    return tuple(part for part in plain.split("/") if part not in ("", ".", ".."))


def without_suffix(name: str) -> str:
    """A file name without what says that it is a picture."""
    stem, dot, suffix = name.rpartition(".")
    return stem if dot and stem and f".{suffix.casefold()}" in PICTURE_SUFFIXES else name


class PictureIndex:
    """The pictures that are there, by every end of their paths."""

    def __init__(self, names: Iterable[str], folders: Folders = "agree") -> None:
        if folders not in get_args(Folders):
            raise DataError(
                f"'{folders}' is no way to match folders. Choose one of: {', '.join(get_args(Folders))}."
            )
        self.names = tuple(names)
        self._only_names = folders == "ignored"
        self._passes = [_Pass(self.names, way, self._parts) for way in _WAYS]

    def match(self, cells: Sequence[str]) -> Matched:
        """The picture of each of `cells` (n,); the same text means the same picture."""
        different = {cell: self._parts(cell) for cell in dict.fromkeys(cells)}
        found: dict[str, str] = {}
        claimed: set[str] = set()
        for one in self._passes:
            hits: dict[str, list[tuple[int, str]]] = {}
            for cell, parts in different.items():
                if cell not in found and parts and (hit := one.find(parts)) and hit[1] not in claimed:
                    hits.setdefault(hit[1], []).append((hit[0], cell))
            for name, rivals in hits.items():
                best = max(length for length, _ in rivals)
                winners = [cell for length, cell in rivals if length == best]
                if len({different[cell] for cell in winners}) == 1:  # else several rows could mean it
                    found.update(dict.fromkeys(winners, name))
                claimed.add(name)
        files = tuple(found.get(cell, "") for cell in cells)
        named = set(files)
        return Matched(
            files,
            tuple(cell for cell, name in zip(cells, files, strict=True) if not name),
            len(self.names),
            tuple(name for name in self.names if name not in named),
        )

    def _parts(self, text: str) -> tuple[str, ...]:
        parts = path_parts(text)
        return parts[-1:] if self._only_names else parts


class _Pass:
    """One way to compare names."""

    def __init__(
        self,
        names: Sequence[str],
        way: Callable[[tuple[str, ...]], tuple[str, ...]],
        parts_of: Callable[[str], tuple[str, ...]],
    ) -> None:
        self._way = way
        self._whole: dict[tuple[str, ...], str] = {}
        self._ends: dict[tuple[str, ...], str] = {}  # '' where several pictures end so
        seen: Counter[tuple[str, ...]] = Counter()
        for name in names:
            parts = way(parts_of(name))
            seen[parts] += 1
            self._whole[parts] = name
            for start in range(1, len(parts)):
                end = parts[start:]
                self._ends[end] = "" if end in self._ends else name
        for parts, number in seen.items():
            if number > 1:
                self._whole[parts] = ""

    def find(self, parts: tuple[str, ...]) -> tuple[int, str] | None:
        """How well they agree (more parts are better, all of both best) and the picture, if exactly one is meant and
        no folder speaks against it: then one of the two paths is the end of the other."""
        parts = self._way(parts)
        if parts in self._whole:
            return (2 * len(parts) + 1, self._whole[parts]) if self._whole[parts] else None
        if parts in self._ends:
            return (2 * len(parts), self._ends[parts]) if self._ends[parts] else None
        for start in range(1, len(parts)):
            if name := self._whole.get(parts[start:]):
                return 2 * (len(parts) - start), name
        return None


def _as_written(parts: tuple[str, ...]) -> tuple[str, ...]:
    return parts


def _without_capitals(parts: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(part.casefold() for part in parts)


def _without_suffixes(parts: tuple[str, ...]) -> tuple[str, ...]:
    plain = _without_capitals(parts)
    return (*plain[:-1], without_suffix(plain[-1])) if plain else ()


_WAYS = (_as_written, _without_capitals, _without_suffixes)
