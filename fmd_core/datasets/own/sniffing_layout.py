"""How a text table is laid out: encoding, delimiter, header.

Rows are cut by the csv module and counted
here, because pandas' own reader shifts, pads or drops rows of another length without a word.

`clevercsv` 0.8.5 finds the same delimiter in all 67 tables that we tried but one, whose cells stand in single
quotes (which we refuse). It takes 2 to 5 seconds where a table is wide or its texts long, 10 for a line of
commas, against a tenth of a second here, and would be asked at every look at a file; so it is not used.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, TextIO

from fmd_core.datasets.own.sniffing_formats import ENCODINGS, WHAT_WORKS, check_size, find_encoding
from fmd_core.errors import DataError
from fmd_core.text import short_name

MAX_LINE = 2_000_000  # characters: a longer line is no row of a table
MAX_ROW_LINES = 100  # a cell may hold line ends, but not this many: a quotation mark is missing
SAMPLE_ROWS = 200
SAMPLE_CHARACTERS = 500_000
DELIMITERS = {
    "\t": "tab",
    ";": "semicolon",
    "|": "vertical bar",
    ",": "comma",
    " ": "space",
}  # first wins a tie
_LAST = " "  # a delimiter that stands in cells as well, so that it is thought of only where no other fits
_SPACES_AGREE = 0.95  # share of rows of one width from which on spaces are delimiters
_PICTURE = re.compile(r"[^,;]*\.(?:jpe?g|png|webp|bmp|tiff?)", re.IGNORECASE)
NUMBER = re.compile(
    r"[+-]?(?:(?:0|[1-9][0-9]*)(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?"
)  # 007 is a name


@dataclass(frozen=True)
class Layout:
    """How a text table is laid out: what a page can ask about when the guess is wrong."""

    encoding: str
    delimiter: str
    header: bool
    width: int
    skip: int = 0  # rows above the table
    decimal: str = ""  # the mark of decimals where somebody said it, ',' or '.'

    @property
    def words(self) -> str:
        """'UTF-8, separated by commas'."""
        by = DELIMITERS.get(self.delimiter, self.delimiter)
        return f"{ENCODINGS.get(self.encoding, self.encoding)}, cells separated by {by}"


@dataclass(frozen=True)
class Correction:
    """What somebody says of how a file is laid out; what is not said is guessed."""

    encoding: str = ""
    delimiter: str = ""
    header: bool | None = None  # whether the first row names the columns
    skip: int | None = None  # rows above the table
    decimal: str = ""
    page: str = ""  # of a workbook

    def __post_init__(self) -> None:
        for what, value, known in (
            ("a separator", self.delimiter, DELIMITERS),
            ("an encoding", self.encoding, ENCODINGS),
            ("a decimal mark", self.decimal, (".", ",")),
        ):
            if value and value not in known:
                raise DataError(f"{value!r} is not {what} that can be chosen: {', '.join(map(repr, known))}.")
        if self.skip is not None and not 0 <= self.skip <= SAMPLE_ROWS:
            raise DataError(f"0 to {SAMPLE_ROWS} rows may stand above a table, not {self.skip}.")


AS_FOUND = Correction()


def find_layout(path: Path, said: Correction = AS_FOUND) -> Layout:
    """Guess how the table in a text file is laid out, but for what was `said`.

    Raises DataError for what is no table: one column, rows of all lengths, CelebA's lists.
    """
    encoding = said.encoding or find_encoding(path)
    with _open_text(path, encoding) as file:
        lines = _sample(_lines(file, short_name(path.name)))
    _refuse_celeba(short_name(path.name), lines)
    first = lines[0].strip().lower() if lines else ""
    told = first[4:5] if first.startswith("sep=") and len(first) == 5 else ""  # Excel's own hint
    lines = lines[1:] if told else lines
    samples = {delimiter: _cells(lines, delimiter) for delimiter in DELIMITERS if delimiter != _LAST}
    if lines and not any(samples.values()):
        raise _endless_cell(path, len(lines))
    delimiter = told if told in samples else max(samples, key=lambda d: agreement(samples[d])[0])
    share, width = agreement(samples[delimiter])
    if said.delimiter or width < 2:
        spaced = _cells(lines, _LAST)
        if said.delimiter or agreement(spaced)[0] >= _SPACES_AGREE:
            delimiter = said.delimiter or _LAST
            samples[_LAST] = spaced
            share, width = agreement(samples[delimiter])
    if width < 2:
        raise DataError(
            f"'{short_name(path.name)}' has one column only: its cells are separated neither by comma, semicolon, tab, "
            f"vertical bar nor space. {WHAT_WORKS}"
        )
    if share < 0.5 and said == AS_FOUND:
        raise DataError(
            f"The rows of '{short_name(path.name)}' have all lengths (most often {width} cells, in {share:.0%} of "
            f"rows), so it is not a table. {WHAT_WORKS}"
        )
    check_size(0, width)
    skip, width, header = table_shape(short_name(path.name), samples[delimiter], width, said)
    return Layout(encoding, delimiter, header, width, skip + bool(told), said.decimal)


def table_shape(
    name: str, rows: Sequence[Sequence[str]], width: int, said: Correction = AS_FOUND
) -> tuple[int, int, bool]:
    """How many of the first rows stand above the table, how many columns it has, and whether it names them."""
    if said.skip is None:
        skip, width = _table_start(name, rows, width)
    else:
        skip, width = said.skip, agreement(rows[said.skip :])[1]
    if width < 2 or len(rows) <= skip:
        raise DataError(f"'{name}' has no table below its first {skip} rows; say that fewer stand above it.")
    even = [row[:width] for row in rows[skip:] if len(row) >= width]
    return skip, width, has_header(even) if said.header is None else said.header


def _sample(lines: Iterator[str]) -> list[str]:
    """The first lines of a file: 200 of them, fewer where they are long, two at the least."""
    sample: list[str] = []
    for line in islice(lines, SAMPLE_ROWS):
        sample.append(line)
        if len(sample) > 1 and sum(map(len, sample)) > SAMPLE_CHARACTERS:
            break
    return sample


def _cells(lines: Sequence[str], delimiter: str) -> list[list[str]]:
    """Lines cut at `delimiter`, without empty rows; nothing where that leaves an endless cell."""
    try:
        return [row for row in _reader(lines, delimiter) if any(row)]
    except csv.Error:
        return []


def _reader(lines: Iterable[str], delimiter: str) -> Any:  # noqa: ANN401 - csv's own type has no name
    """Rows of cells; several spaces in a row separate once."""
    if delimiter == _LAST:
        lines = (f"{' '.join(line.split())}\n" for line in lines)
    return csv.reader(lines, delimiter=delimiter, skipinitialspace=delimiter != _LAST)


def agreement(rows: Sequence[Sequence[str]]) -> tuple[float, int]:
    """Share of rows that have the most frequent width, and that width; (0, 1) without a delimiter."""
    widths = Counter(len(row) for row in rows)
    width, count = widths.most_common(1)[0] if widths else (1, 0)
    return (count / len(rows), width) if width > 1 else (0.0, 1)


def _table_start(name: str, rows: Sequence[Sequence[str]], width: int) -> tuple[int, int]:
    """How many rows stand above the table, and its width: that of its header, whose rows may all
    end in one delimiter too many."""
    skip = next(place for place, row in enumerate(rows) if len(row) > width / 2)
    first = len(rows[skip])
    if first == width - 1 and all(row[-1] == "" for row in rows if len(row) == width):
        return skip, first
    if first != width:
        raise DataError(
            f"The first row of '{name}' has {first} cells, but most rows have {width}; "
            "give every column a name and save it again."
        )
    return skip, width


def has_header(rows: Sequence[Sequence[str]]) -> bool:
    """Whether the first row names the columns: numbers in columns of numbers, or words that come
    again below them, are data."""
    first, below = rows[0], rows[1:]
    if any(_PICTURE.fullmatch(cell.strip()) for cell in first):
        return False  # a list of pictures
    for place, cell in enumerate(first):
        column = [row[place] for row in below if row[place].strip()]
        if _is_number(cell) and sum(map(_is_number, column)) > 0.9 * len(column):
            return False
    again = sum(
        cell.strip() in {row[place].strip() for row in below} for place, cell in enumerate(first) if cell
    )
    return again < max(1, len(first) / 2)


def _is_number(cell: str) -> bool:
    return NUMBER.fullmatch(cell.strip().replace(",", ".")) is not None


def _refuse_celeba(name: str, lines: Sequence[str]) -> None:
    head = lines[0].strip() if lines else ""
    is_list = head.isdigit() and len(lines) > 1 and "5_o_Clock_Shadow" in lines[1]
    if is_list or (head and all(re.fullmatch(r"\d{6}\.jpg( +-?\d+)+", line.strip()) for line in lines[:5])):
        raise DataError(
            f"'{name}' is one of CelebA's own lists, not a CSV table. Open it with 'CelebA', which takes the "
            "folder with list_attr_celeba.txt and the pictures."
        )


def _open_text(path: Path, encoding: str) -> TextIO:
    try:
        return path.open(encoding=encoding, newline="")
    except LookupError as error:
        raise DataError(f"Unknown encoding '{encoding}'. Known: {', '.join(ENCODINGS)}.") from error


def _lines(file: TextIO, name: str) -> Iterator[str]:
    try:
        while line := file.readline(MAX_LINE):
            if len(line) == MAX_LINE:
                raise DataError(
                    f"'{name}' has a line of over {MAX_LINE:,} characters, so it is not a table. {WHAT_WORKS}"
                )
            yield line
    except UnicodeError as error:
        raise DataError(
            f"'{name}' is damaged: its text breaks off or is not {ENCODINGS.get(file.encoding, file.encoding)}. "
            "Save it again as UTF-8."
        ) from error


def _endless_cell(path: Path, line: int) -> DataError:
    return DataError(
        f"A quotation mark opens in line {line:,} of '{short_name(path.name)}' and never closes; "
        "mend that line and save the table again."
    )


def records(path: Path, layout: Layout) -> Iterator[list[str]]:
    """Rows of the table as cells, header first if there is one; empty rows are passed over."""
    with _open_text(path, layout.encoding) as file:
        reader = _reader(_lines(file, short_name(path.name)), layout.delimiter)
        last = found = 0
        try:
            for record in reader:
                if reader.line_num - last > MAX_ROW_LINES:
                    raise csv.Error
                last = reader.line_num
                if any(record):
                    found += 1
                    if found > layout.skip:
                        yield record
        except csv.Error as error:
            raise _endless_cell(path, last + 1) from error
