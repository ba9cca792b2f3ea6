"""ARFF, the tables of Weka and OpenML, as texts.

scipy.io.arff is not used: it has no text attributes, so that Titanic cannot be opened, turns numbers into floats and
words into bytes, and stops at the first row that does not fit, where rows are counted and said here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from fmd_core import figures
from fmd_core.datasets.own import sniffing_formats
from fmd_core.datasets.own.sniffing_formats import check_size, find_encoding
from fmd_core.errors import DataError
from fmd_core.text import short_name

if TYPE_CHECKING:
    import pandas as pd

MAX_LINE = 2_000_000
_ATTRIBUTE = re.compile(
    r"@attribute\s+('(?:\\.|[^'\\])*'|\"(?:\\.|[^\"\\])*\"|[^\s]+)\s*(.*)", re.IGNORECASE | re.DOTALL
)
_CELL = re.compile(r"\s*('(?:\\.|[^'\\])*'|\"(?:\\.|[^\"\\])*\"|[^,]*)\s*(?:,|$)")


def read_arff(path: Path) -> tuple[list[str], pd.DataFrame, list[str]]:
    """Header, columns by place as texts with '?' as empty cells, and what was skipped. Raises DataError for a file
    without attributes or data, sparse rows, and tables in a cell."""
    import pandas as pd

    name = short_name(path.name)
    try:
        with path.open(encoding=find_encoding(path)) as file:
            lines = _lines(file, name)
            header = _header(lines, name)
            check_size(0, len(header))
            rows, odd = _rows(lines, header, name)
    except UnicodeError as error:
        raise DataError(f"'{name}' is damaged: its text breaks off. Save it again as UTF-8.") from error
    frame = pd.DataFrame({i: pd.Series([row[i] for row in rows], dtype="str") for i in range(len(header))})
    notes = [f"{figures.counted(odd, 'row')} skipped: not {len(header)} cells."] if odd else []
    return header, frame, notes


def _lines(file: TextIO, name: str) -> Iterator[str]:
    while line := file.readline(MAX_LINE):
        if len(line) == MAX_LINE:
            raise DataError(f"'{name}' has a line of over {MAX_LINE:,} characters, so it is not a table.")
        if (line := line.strip()) and not line.startswith("%"):
            yield line


def _header(lines: Iterator[str], name: str) -> list[str]:
    """The names of the attributes, up to @data."""
    header: list[str] = []
    for line in lines:
        if line.lower().startswith("@data"):
            break
        if found := _ATTRIBUTE.fullmatch(line):
            if found[2].strip().lower().startswith("relational"):
                raise DataError(
                    f"The attribute '{short_name(found[1])}' of '{name}' is a table; save it without."
                )
            header.append(_unquoted(found[1]))
    if len(header) < 2:
        raise DataError(f"'{name}' names fewer than two attributes, so it is no table; save it as CSV.")
    return header


def _rows(lines: Iterator[str], header: Sequence[str], name: str) -> tuple[list[list[str]], int]:
    """The rows that have a cell for every attribute, and how many have not."""
    rows, odd = [], 0
    for line in lines:
        if line.startswith("{"):
            raise DataError(
                f"'{name}' is a sparse ARFF file, which names only cells that are not 0; save it as CSV."
            )
        cells = _cells(line)
        if len(cells) == len(header):
            rows.append(cells)
        else:
            odd += 1
        if len(rows) * len(header) > sniffing_formats.MAX_CELLS:
            check_size(len(rows), len(header))
    return rows, odd


def _cells(line: str) -> list[str]:
    cells, place = [], 0
    while place <= len(line):
        found = _CELL.match(line, place)
        if not found:
            return []  # a quotation mark that never closes
        cells.append("" if found[1].strip() == "?" else _unquoted(found[1].strip()))
        if found.end() == place or not found[0].endswith(","):
            break
        place = found.end()
    return cells


def _unquoted(text: str) -> str:
    if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"":
        return re.sub(r"\\(.)", r"\1", text[1:-1])
    return text
