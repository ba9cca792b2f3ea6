"""JSON as a table: a list of records, a record a line, or a list under one name; and what pandas writes by columns."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fmd_core import figures
from fmd_core.datasets.own.sniffing_formats import check_size, find_encoding
from fmd_core.errors import DataError
from fmd_core.text import short_name

if TYPE_CHECKING:
    import pandas as pd

MAX_BYTES = 64 * 2**20  # a document takes ten times its size in memory
_WHAT = "JSON is read as a list of records ([{...}, {...}]) or as a record a line"


def read_json(path: Path) -> tuple[list[str], pd.DataFrame, list[str]]:
    """Header, columns by place as texts, and what was skipped. Raises DataError for what is no list of flat records,
    and for more than 64 MB."""
    import pandas as pd

    name = short_name(path.name)
    if path.stat().st_size > MAX_BYTES:
        raise DataError(f"'{name}' has over {MAX_BYTES // 2**20} MB; save it as CSV or Parquet.")
    try:
        text = path.read_text(encoding=find_encoding(path))
        records, odd = _records(text, name)
    except (UnicodeError, ValueError, RecursionError) as error:
        raise DataError(f"'{name}' is a damaged JSON document; save it again.") from error
    header = list(dict.fromkeys(key for record in records for key in record))
    check_size(len(records), len(header))
    if len(header) < 2:
        raise DataError(f"The records of '{name}' have fewer than two columns. {_WHAT}.")
    columns = {i: [_text(record.get(key), key, name) for record in records] for i, key in enumerate(header)}
    frame = pd.DataFrame({i: pd.Series(column, dtype="str") for i, column in columns.items()})
    return header, frame, [f"{figures.counted(odd, 'line')} skipped: no record."] if odd else []


def _records(text: str, name: str) -> tuple[Sequence[Mapping[str, Any]], int]:
    """The records of a document, and how many lines are none."""
    try:
        found = json.loads(text)
    except json.JSONDecodeError:
        return _lines(text, name)
    for _ in range(2):  # {"data": [...]}, as many services answer
        if isinstance(found, dict):
            inner = [value for value in found.values() if isinstance(value, list)]
            if len(inner) == 1 and inner[0] and isinstance(inner[0][0], dict):
                found = inner[0]
    if isinstance(found, dict) and len(found) > 1:
        found = _by_columns(found)
    if not isinstance(found, list) or not found or not all(isinstance(record, dict) for record in found):
        raise DataError(f"'{name}' is a JSON document, but no table. {_WHAT}.")
    return found, 0


def _by_columns(document: Mapping[str, Any]) -> object:
    """Columns by name as records, each a list or values by row; anything else as it is."""
    columns = list(document.values())
    if all(isinstance(column, list) for column in columns) and len({len(c) for c in columns}) == 1:
        return [dict(zip(document, row, strict=True)) for row in zip(*columns, strict=True)]
    if all(isinstance(column, dict) for column in columns) and len({tuple(c) for c in columns}) == 1:
        return [{name: column[row] for name, column in document.items()} for row in columns[0]]
    return document


def _lines(text: str, name: str) -> tuple[list[Mapping[str, Any]], int]:
    records: list[Mapping[str, Any]] = []
    odd = 0
    for line in _filled(text.splitlines()):
        try:
            record = json.loads(line)
        except json.JSONDecodeError:
            record = None
        if isinstance(record, dict):
            records.append(record)
        else:
            odd += 1
    if not records or odd > len(records):
        raise DataError(f"'{name}' is a damaged JSON document, or no table. {_WHAT}.")
    return records, odd


def _filled(lines: Iterable[str]) -> Iterable[str]:
    return (line for line in lines if line.strip())


def _text(value: object, key: str, name: str) -> str:
    """A plain value as it would stand in a text file."""
    if value is None:
        return ""
    if isinstance(value, (dict, list)):
        kind = "a record" if isinstance(value, dict) else "a list"
        raise DataError(
            f"The column '{short_name(key)}' of '{name}' holds {kind}, no plain value; save it without."
        )
    return repr(value).removesuffix(".0") if isinstance(value, float) else str(value)
