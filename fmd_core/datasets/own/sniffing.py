"""A reviewer's own table, read with care: what was found, what was skipped and why, in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fmd_core.data import Array
from fmd_core.datasets.own.sniffing_arff import read_arff
from fmd_core.datasets.own.sniffing_columns import (
    ColumnProfile,
    number_texts,
    profile_column,
    suggest_roles,
    tidy_cells,
    to_number,
    without_programs_words,
)
from fmd_core.datasets.own.sniffing_formats import ENCODINGS, Format, check_size, find_format
from fmd_core.datasets.own.sniffing_json import read_json
from fmd_core.datasets.own.sniffing_layout import (
    AS_FOUND,
    DELIMITERS,
    NUMBER,
    Correction,
    Layout,
    find_layout,
    records,
)
from fmd_core.datasets.own.sniffing_parquet import read_parquet
from fmd_core.datasets.own.sniffing_workbook import read_workbook
from fmd_core.errors import DataError
from fmd_core.text import clean_names, clean_text, short_name

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "AS_FOUND", "DELIMITERS", "ENCODINGS", "ColumnProfile", "Correction", "Layout", "Preview", "Sheet", "find_layout",
    "read_preview", "read_table", "safe_cell", "sheet_of_frame",
]  # fmt: skip

PREVIEW_ROWS = 1_000
HEAD_ROWS = 10
_CHUNK_CELLS = 500_000


@dataclass(frozen=True)
class Preview:
    """The beginning of a file, for a look before it is opened. Counts are of `rows` rows only."""

    name: str
    format: str  # 'CSV: UTF-8, cells separated by comma' or 'Parquet'
    layout: Layout | None  # None for Parquet
    rows: int
    complete: bool  # whether these are all rows of the file
    columns: tuple[ColumnProfile, ...]
    head: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Sheet:
    """A whole table as texts, "" where a cell is empty, with a profile of each column."""

    name: str
    format: str
    layout: Layout | None
    frame: pd.DataFrame  # of str
    columns: tuple[ColumnProfile, ...]
    notes: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.frame)

    def column(self, name: str) -> ColumnProfile:
        """The profile of a column; DataError lists what there is."""
        for column in self.columns:
            if column.name == name:
                return column
        known = ", ".join(column.name for column in self.columns[:20])
        raise DataError(f"There is no column '{name}'. '{self.name}' has: {known}.")

    def numbers(self, name: str) -> Array:
        """A column of numbers, (n,) float64, NaN where missing."""
        column = self.column(name)
        if column.kind != "number":
            raise DataError(
                f"'{name}' is not a column of numbers; its values are: {', '.join(column.examples)}."
            )
        codes, found = _factorize(self.frame[name])
        return np.array([to_number(text, column.style) for text in found])[codes]

    def texts(self, name: str) -> Array:
        """A column as words, (n,) of str, "" where missing; '1.0' and '1' are the same number."""
        if self.column(name).kind != "number":
            return self.frame[name].to_numpy(dtype=object)
        codes, found = np.unique(self.numbers(name), return_inverse=True)[::-1]
        return np.array(["" if text == "nan" else text for text in number_texts(found)], dtype=object)[codes]


def read_preview(path: Path, layout: Layout | None = None) -> Preview:
    """The first rows of a table file. `layout` overrides what was guessed (text files only).

    Raises DataError, in one sentence, for a file that is no table.
    """
    sheet, complete = _read(path, layout, PREVIEW_ROWS)
    head = tuple(tuple(row) for row in sheet.frame.head(HEAD_ROWS).itertuples(index=False, name=None))
    return Preview(
        sheet.name, sheet.format, sheet.layout, len(sheet), complete, sheet.columns, head, sheet.notes
    )


def read_table(path: Path, layout: Layout | None = None, said: Correction = AS_FOUND) -> Sheet:
    """A whole file of any format that is read here, laid out as `said`, else as it looks; `layout` overrides all that
    is found (text files only). Raises DataError, in one sentence, for a file that is no table."""
    return _read(path, layout, None, said)[0]


def sheet_of_frame(
    name: str, form: str, frame: pd.DataFrame, notes: Sequence[str] = (), *, comma_is_decimal: bool = False
) -> Sheet:
    """A sheet of texts that were put together here."""
    frame = frame.astype("str")
    columns, more = _profiles(frame, comma_is_decimal=comma_is_decimal)
    return Sheet(name, form, None, frame, columns, (*notes, *more))


def count(number: int, noun: str) -> str:
    """'1 row', '1,234 rows'."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def listed(names: Sequence[str]) -> str:
    """'a', 'b' and 3 more."""
    return first_ten([f"'{name}'" for name in names])


def first_ten(words: Sequence[str]) -> str:
    """a, b and 3 more, so that a note stays short however many there are."""
    more = f" and {len(words) - 10:,} more" if len(words) > 10 else ""
    return ", ".join(words[:10]) + more


def safe_cell(text: str) -> str:
    """A cell for CSV export: what a spreadsheet would run as a formula gets a ' in front.

    Plain numbers such as -5.2 stay numbers."""
    return (
        f"'{text}"
        if text.startswith(("=", "+", "-", "@", "\t", "\r", "\n")) and not NUMBER.fullmatch(text)
        else text
    )


def _read(
    path: Path, layout: Layout | None, limit: int | None, said: Correction = AS_FOUND
) -> tuple[Sheet, bool]:
    name, form = short_name(path.name), find_format(path)
    notes: list[str] = []
    complete = True
    words: str = form
    if form == "text":
        layout = layout or find_layout(path, said)
        words = f"CSV: {layout.words}"
        header, frame, notes, complete = _read_text(path, layout, limit)
    else:
        layout = None
        if form == "Parquet":
            header, frame, complete = read_parquet(path, limit)
        else:
            header, frame, notes = _read_rows(path, form, said)
    if len(frame) == 0:
        raise DataError(f"'{name}' has a header but no rows; choose a table with data.")
    names, renamed = _column_names(header)
    frame = frame.set_axis(list(names), axis=1)
    by_comma = layout is not None and layout.delimiter != ","
    columns, more = _profiles(frame, comma_is_decimal=by_comma, decimal=said.decimal)
    return Sheet(name, words, layout, frame, columns, (*notes, *renamed, *more)), complete


def _read_rows(path: Path, form: Format, said: Correction) -> tuple[list[str], pd.DataFrame, list[str]]:
    """Header, columns by place and what was skipped, of a format that is no text cut at delimiters."""
    if form == "Excel":
        return read_workbook(path, said)
    return (read_arff if form == "ARFF" else read_json)(path)


def _profiles(
    frame: pd.DataFrame, *, comma_is_decimal: bool, decimal: str = ""
) -> tuple[tuple[ColumnProfile, ...], list[str]]:
    """Tidy every column of `frame` in place and look at it."""
    columns, cuts, unstated = [], {}, []
    for name in map(str, frame.columns):
        frame[name], cuts[name] = tidy_cells(frame[name])
        profile = profile_column(name, frame[name], comma_is_decimal=comma_is_decimal, decimal=decimal)
        if profile.kind != "number":  # there such words are missing anyway
            frame[name], words = without_programs_words(frame[name])
            if words:
                profile = profile_column(
                    name, frame[name], comma_is_decimal=comma_is_decimal, decimal=decimal
                )
                unstated.append(f"{', '.join(words)} in '{name}' ({sum(words.values()):,})")
        columns.append(profile)
    slips = sum(column.slips for column in columns)
    found = {
        "Long values were cut to 80 characters": [name for name, number in cuts.items() if number],
        "Commas were read as decimal commas": [c.name for c in columns if c.style == "decimal comma"],
        "Commas were read as marks of thousands": [c.name for c in columns if c.style == "thousands comma"],
        f"{count(slips, 'cell')} without a number taken as missing": [c.name for c in columns if c.slips],
    }
    roles = suggest_roles(columns, len(frame))
    profiles = tuple(replace(column, role=roles[column.name]) for column in columns)
    notes = [f"{what} in {listed(names)}." for what, names in found.items() if names]
    return profiles, [*notes, *([f"Read as empty cells: {first_ten(unstated)}."] if unstated else [])]


def _column_names(header: Sequence[str]) -> tuple[tuple[str, ...], list[str]]:
    """Clean and different names, and what was done to them."""
    names, notes = clean_names(header), []
    plain = [clean_text(name) for name in header]
    twice = [name for name, count in Counter(plain).items() if count > 1 and name]
    if twice:
        shown = [names[plain.index(name)] for name in twice]
        notes.append(f"Several columns have the same name, the later ones got a number: {listed(shown)}.")
    if "" in plain:
        notes.append(f"{count(plain.count(''), 'column')} without a name, called by the place.")
    if any(len(name) > 80 for name in plain):
        notes.append("Long column names were cut to 80 characters.")
    return names, notes


def _read_text(
    path: Path, layout: Layout, limit: int | None
) -> tuple[list[str], pd.DataFrame, list[str], bool]:
    """Header, columns by place, what was skipped, and whether this is all."""
    import pandas as pd

    check_size(0, layout.width)
    rows, width = records(path, layout), layout.width
    header = next(rows, []) if layout.header else [f"column {i + 1}" for i in range(width)]
    ragged: Counter[int] = Counter()
    good = islice(_even_rows(rows, width, ragged), limit)
    chunks: list[pd.DataFrame] = []
    while chunk := list(islice(good, max(1, _CHUNK_CELLS // width))):
        cells = enumerate(zip(*chunk, strict=True))
        chunks.append(pd.DataFrame({place: pd.Series(column, dtype="str") for place, column in cells}))
        check_size(sum(map(len, chunks)), width)
    frame = pd.concat(chunks, ignore_index=True) if chunks else pd.DataFrame(columns=range(width))
    complete = limit is None or next(rows, None) is None
    header = (header + [""] * width)[:width]
    return header, frame, _text_notes(layout, ragged), complete


def _text_notes(layout: Layout, ragged: Counter[int]) -> list[str]:
    notes = []
    if not layout.header:
        notes.append("The first row looks like data, so the columns are called column 1, column 2 and so on.")
    if layout.skip:
        notes.append(f"{count(layout.skip, 'line')} above the table passed over.")
    if ragged:
        widths = " or ".join(f"{width}" for width, _ in ragged.most_common(3))
        notes.append(f"{count(ragged.total(), 'row')} skipped: {widths} cells instead of {layout.width}.")
    return notes


def _even_rows(rows: Iterator[list[str]], width: int, ragged: Counter[int]) -> Iterator[list[str]]:
    """The rows of the right width, without empty cells behind it; the others are counted."""
    for row in rows:
        if len(row) == width:
            yield row
        elif len(row) > width and not any(row[width:]):
            yield row[:width]
        else:
            ragged[len(row)] += 1


def _factorize(series: pd.Series) -> tuple[Array, list[str]]:
    import pandas as pd

    codes, found = pd.factorize(series)
    return codes, [str(text) for text in found]
