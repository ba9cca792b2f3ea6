"""Excel workbooks (.xlsx) as texts: values only, never a formula that is computed, nothing from outside the file.

A workbook is a zip of XML: what it holds unpacked is checked before openpyxl reads it, documents that define entities
are refused, and a sheet that claims a million columns is cut off by the cap on cells, not by the memory.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree.ElementTree import ParseError
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile
from zlib import error as ZlibError

from fmd_core import figures
from fmd_core.datasets.own import sniffing_formats
from fmd_core.datasets.own.sniffing_formats import MAX_COLUMNS, WHAT_WORKS
from fmd_core.datasets.own.sniffing_layout import Correction, agreement, table_shape
from fmd_core.errors import DataError
from fmd_core.text import short_name

if TYPE_CHECKING:
    import pandas as pd
    from openpyxl.workbook import Workbook

MAX_UNPACKED = 400 * 2**20  # bytes of all XML
MAX_PARTS = 2_000
MAX_EMPTY = 10_000  # empty rows in a row: behind them a sheet is over
LOOKED_AT = 200  # rows that the shape of the table is told by
_ENTITIES = re.compile(rb"<!(?:DOCTYPE|ENTITY)|<\0!\0D\0O\0C|\0<\0!\0D\0O", re.IGNORECASE)
_FORMULA = re.compile(rb"<f[\s>/]")
_BROKEN = (
    BadZipFile, ZlibError, ParseError, OSError, ValueError, KeyError, TypeError, AttributeError, IndexError,
    NotImplementedError, OverflowError, AssertionError, RecursionError,
)  # fmt: skip  # what openpyxl raises on damaged workbooks


def read_workbook(path: Path, said: Correction) -> tuple[list[str], pd.DataFrame, list[str]]:
    """Header, columns by place as texts, and what there is to say. The first page that holds a table is read, or the
    one that was `said`. Raises DataError for damaged and oversized workbooks and for a page that is not there."""
    name = short_name(path.name)
    try:
        formulas = _check_parts(path, name)
        return _read(path, name, said, formulas)
    except DataError:
        raise
    except _BROKEN as error:
        raise DataError(
            f"'{name}' is a damaged Excel workbook; save it again, or save the page as CSV."
        ) from error


def page_names(path: Path) -> tuple[str, ...]:
    """What the pages of a workbook are called, () where it is damaged."""
    import openpyxl

    try:
        _check_parts(path, short_name(path.name))
        book = openpyxl.load_workbook(path, read_only=True, data_only=True, keep_links=False)
    except (DataError, *_BROKEN):
        return ()
    try:
        return tuple(_pages(book))
    finally:
        book.close()


def _check_parts(path: Path, name: str) -> int:
    """How many cells of the workbook are formulas. Raises DataError for what should not be unpacked or parsed."""
    formulas = 0
    with ZipFile(path) as archive:
        parts = archive.infolist()
        if len(parts) > MAX_PARTS or sum(part.file_size for part in parts) > MAX_UNPACKED:
            raise DataError(
                f"'{name}' needs over {MAX_UNPACKED // 2**20} MB unpacked, or has over {MAX_PARTS:,} parts; save the "
                "page as CSV."
            )
        for part in parts:
            if part.flag_bits & 0x1 or part.compress_type not in (ZIP_STORED, ZIP_DEFLATED):
                raise DataError(
                    f"'{name}' is encrypted or packed in an unusual way; save it without a password."
                )
            if not part.filename.endswith((".xml", ".rels")):
                continue
            is_page, tail = part.filename.startswith("xl/worksheets/"), b""
            with archive.open(part) as unpacked:
                while block := unpacked.read(2**20):  # never more than was announced and checked
                    if _ENTITIES.search(tail + block):
                        raise DataError(
                            f"'{name}' defines XML entities, which no workbook needs; save it again."
                        )
                    formulas += len(_FORMULA.findall(block)) if is_page else 0
                    tail = block[-20:]
    return formulas


def _read(
    path: Path, name: str, said: Correction, formulas: int
) -> tuple[list[str], pd.DataFrame, list[str]]:
    import openpyxl
    import pandas as pd

    book = openpyxl.load_workbook(path, read_only=True, data_only=True, keep_links=False)
    try:
        page, rows, errors = _page(book, name, said.page)
        others = [other for other in _pages(book) if other != page]
    finally:
        book.close()
    width = agreement([_trimmed(row) for row in rows[:LOOKED_AT]])[1]
    width = max(width, max((len(_trimmed(row)) for row in rows[:LOOKED_AT]), default=1))
    even = [[*row[:width], *[""] * (width - len(row))] for row in rows]
    skip, _, has_header = table_shape(name, [_cut(row, width) for row in even], width, said)
    header = even[skip] if has_header else [f"column {i + 1}" for i in range(width)]
    body = even[skip + has_header :]
    frame = pd.DataFrame({i: pd.Series([row[i] for row in body], dtype="str") for i in range(width)})
    notes = (
        [f"Page '{page}' of the workbook is read; not read: {figures.listed(others[:5])}."] if others else []
    )
    if skip:
        notes.append(f"{figures.counted(skip, 'line')} above the table passed over.")
    if not has_header:
        notes.append("The first row looks like data, so the columns are called column 1, column 2 and so on.")
    if formulas:
        notes.append(
            f"{figures.counted(formulas, 'cell')} of the workbook hold formulas: the values that it was saved with are "
            "read; nothing is computed here."
        )
    if errors:
        notes.append(
            f"{figures.counted(errors, 'cell')} with an error of Excel, such as #N/A, read as empty."
        )
    return header, frame, notes


def _cut(row: Sequence[str], width: int) -> list[str]:
    """A row above the table is short; one of the table has all its cells, empty ones too."""
    filled = len(_trimmed(row))
    return list(row[:filled]) if filled <= width / 2 else list(row)


def _trimmed(row: Sequence[str]) -> list[str]:
    """A row without the empty cells behind it."""
    end = len(row)
    while end and not row[end - 1]:
        end -= 1
    return list(row[:end])


def _pages(book: Workbook) -> list[str]:
    return [page.title for page in book.worksheets]


def _page(book: Workbook, name: str, asked: str) -> tuple[str, list[list[str]], int]:
    """The page that is asked for, else the first with two rows and two columns: its name, its filled rows as texts,
    and how many cells hold an error."""
    if asked and asked not in _pages(book):
        raise DataError(f"'{name}' has no page '{asked[:40]}'. It has: {', '.join(_pages(book)[:20])}.")
    for page in book.worksheets:
        if asked and page.title != asked:
            continue
        page.reset_dimensions()  # what it claims may be anything
        errors = [0]
        rows = list(_rows(page, errors))
        if asked or (len(rows) > 1 and max(map(len, rows)) > 1):
            return str(page.title), rows, errors[0]
    raise DataError(f"'{name}' holds no table: no page has two rows and two columns. {WHAT_WORKS}")


def _rows(page: Any, errors: list[int]) -> Iterator[list[str]]:  # noqa: ANN401
    """The filled rows of a page as texts; counts its errors."""
    cells = empty = 0
    for row in page.iter_rows():
        if len(row) > MAX_COLUMNS and any(cell.value is not None for cell in row[MAX_COLUMNS:]):
            raise DataError(
                f"The page '{short_name(page.title)}' has cells in column {len(row):,}; {MAX_COLUMNS:,} columns are "
                "the most. Save fewer."
            )
        texts = []
        for cell in row[:MAX_COLUMNS]:
            is_error = getattr(cell, "data_type", "") == "e"
            errors[0] += is_error
            texts.append("" if is_error else _text(cell.value))
        texts = _trimmed(texts)
        empty = 0 if texts else empty + 1
        if empty > MAX_EMPTY:
            return
        cells += len(texts)
        if cells > sniffing_formats.MAX_CELLS:
            raise DataError(f"The page has more than {sniffing_formats.MAX_CELLS:,} cells; save fewer rows.")
        if texts:
            yield texts


def _text(value: object) -> str:
    """A cell as it would stand in a text file: dates as 2021-07-10, booleans as True and False."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return (
            value.date().isoformat()
            if value.time() == time()
            else value.isoformat(sep=" ", timespec="seconds")
        )
    if isinstance(value, (date, time)):
        return value.isoformat()
    if isinstance(value, timedelta):
        return str(value)
    return repr(value).removesuffix(".0") if isinstance(value, float) else str(value)
