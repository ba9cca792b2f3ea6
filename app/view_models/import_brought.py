"""What was brought, put together and matched; and the words in which a layout is corrected. Plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from app.view_models.import_doubts import KEPT_SHEETS
from fmd_core.datasets.own.archives import list_images
from fmd_core.datasets.own.bringing import Brought, bring_pictures, bring_table
from fmd_core.datasets.own.picture_matching import Folders, Matched
from fmd_core.datasets.own.sniffing import DELIMITERS, ENCODINGS, Correction, Sheet
from fmd_core.datasets.own.sniffing_layout import SAMPLE_ROWS

Lost = Literal["skip", "ignored"]
LAID_OUT = ("text", "Excel")  # formats that can be laid out in several ways
CORRECTED = ("encoding", "delimiter", "header", "skip", "decimal", "page")
MOST_SKIPPED = SAMPLE_ROWS
SEPARATORS = dict(DELIMITERS)
ENCODING_TITLES = {encoding: f"{words} ({encoding})" for encoding, words in ENCODINGS.items()}
HEADERS = {"names": "names the columns", "data": "is data already"}
DECIMALS = {".": "point: 1,234.5", ",": "comma: 1.234,5"}
LOST: dict[Lost, str] = {
    "ignored": "It is the same picture in another folder: match by the name of the file alone",
    "skip": "Leave these rows out",
}


@dataclass(frozen=True)
class FoundLayout:
    """How a table was found to be laid out, in words."""

    separator: str = ""
    encoding: str = ""
    header: str = ""
    skip: str = ""
    page: str = ""


def found_layout(sheet: Sheet | None) -> FoundLayout:
    """What is known of the layout of a sheet; nothing where it could not be read."""
    layout = sheet.layout if sheet is not None else None
    if layout is None:
        return FoundLayout()
    return FoundLayout(
        DELIMITERS.get(layout.delimiter, layout.delimiter),
        ENCODINGS.get(layout.encoding, layout.encoding),
        HEADERS["names" if layout.header else "data"],
        str(layout.skip),
    )


def correction(chosen: Mapping[str, Any]) -> Correction:
    """What was said of a layout, from the values of the form; None is what was not said."""
    texts = {name: chosen.get(name) or "" for name in ("encoding", "delimiter", "decimal", "page")}
    header, skip = chosen.get("header"), chosen.get("skip")
    return Correction(
        **texts,
        header=None if header is None else header == "names",
        skip=None if skip is None else int(skip),
    )


@lru_cache(maxsize=2 * KEPT_SHEETS)
def table(sheet: Sheet, *, fold: bool) -> Brought:
    """A table with suggestions."""
    return bring_table(sheet, fold=fold)


@lru_cache(maxsize=2 * KEPT_SHEETS)
def pictures(sheets: tuple[Sheet, ...], files: tuple[str, ...], name: str, *, fold: bool) -> Brought:
    """Pictures with one list."""
    return bring_pictures(sheets, files, name, fold=fold)


@lru_cache(maxsize=2 * KEPT_SHEETS)
def matched(brought: Brought, file: str, folders: Folders) -> Matched | None:
    """Which picture each row means."""
    return brought.match(file, folders)


def names_in(folder: Path) -> tuple[str, ...]:
    """The pictures of a folder by name."""
    return _names(folder, folder.stat().st_mtime_ns)


@lru_cache(maxsize=KEPT_SHEETS)
def _names(folder: Path, _changed: int) -> tuple[str, ...]:
    return tuple(list_images(folder))


def ways_for_lost(found: Matched, by_name: Matched) -> dict[Lost, str]:
    """What can be done about rows without a picture: match by name alone only where that finds more, and go on
    without them only where others have one."""
    helps = {"ignored": by_name.matched > found.matched, "skip": found.matched > 0}
    return {way: words for way, words in LOST.items() if helps[way]}
