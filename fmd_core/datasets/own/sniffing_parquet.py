"""Parquet as texts: plain columns only, and never more than the caps once written out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fmd_core.datasets.own.sniffing_formats import check_size
from fmd_core.errors import DataError
from fmd_core.text import short_name

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa  # type: ignore[import-untyped]

MAX_TEXT = 2**30  # characters of a column once written out: one word can stand for any number of rows
MAX_BYTES = 2 * 2**30  # of the whole file, uncompressed


def read_parquet(path: Path, limit: int | None) -> tuple[list[str], pd.DataFrame, bool]:
    """Header, columns by place as texts, and whether these are all rows.

    Raises DataError for a damaged file, nested or binary columns, and more cells than we can hold.
    """
    import pandas as pd
    import pyarrow as pa
    import pyarrow.parquet as pq  # type: ignore[import-untyped]

    try:
        with pq.ParquetFile(path) as file:
            schema, rows = file.schema_arrow, file.metadata.num_rows
            _check(
                schema,
                rows,
                sum(file.metadata.row_group(i).total_byte_size for i in range(file.num_row_groups)),
            )
            texts = [f.name for f in schema if pa.types.is_string(f.type) or pa.types.is_large_string(f.type)]
        with pq.ParquetFile(path, read_dictionary=texts) as file:
            table = file.read()
    except (pa.ArrowException, OSError, ValueError) as error:
        raise DataError(f"'{short_name(path.name)}' is a damaged Parquet file; save it again.") from error
    table = table if limit is None else table.slice(0, limit)
    columns = {i: _column(table.column(i), name) for i, name in enumerate(table.column_names)}
    return list(table.column_names), pd.DataFrame(columns), limit is None or rows <= limit


def _check(schema: pa.Schema, rows: int, size: int) -> None:
    import pyarrow as pa

    check_size(rows, len(schema))
    if size > MAX_BYTES:
        raise DataError(f"The table needs {size / 2**30:,.1f} GB unpacked; save fewer rows or columns.")
    for item in schema:
        kind = item.type.value_type if pa.types.is_dictionary(item.type) else item.type
        if pa.types.is_nested(kind) or pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
            raise DataError(
                f"The column '{short_name(item.name)}' holds {kind}, not plain texts or numbers; save it without."
            )


def _column(column: pa.ChunkedArray, name: str) -> pd.Series:
    """`_texts` of a column, in words where a value has none: a year of 6 digits, an unknown time zone."""
    import pyarrow as pa

    try:
        return _texts(column, name)
    except (pa.ArrowException, OverflowError, ValueError, LookupError, TypeError) as error:
        raise DataError(
            f"The column '{short_name(name)}' holds {column.type} values that cannot be written as texts; "
            "save it without."
        ) from error


def _texts(column: pa.ChunkedArray, name: str) -> pd.Series:
    """A plain Arrow column as texts; whole numbers stay whole although a gap made them floats."""
    import pandas as pd
    import pyarrow as pa
    import pyarrow.compute as pc  # type: ignore[import-untyped]

    coded = column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
    coded = coded if pa.types.is_dictionary(coded.type) else pc.dictionary_encode(coded)
    levels = [_plain_text(value) for value in coded.dictionary.to_pylist()] + [""]
    codes = np.asarray(coded.indices.cast("int32").fill_null(len(levels) - 1))
    lengths = np.array([len(level) for level in levels])
    if lengths @ np.bincount(codes, minlength=len(levels)) > MAX_TEXT:
        raise DataError(
            f"The column '{short_name(name)}' holds over {MAX_TEXT:,} characters; save it without."
        )
    return pd.Series(np.array(levels, dtype=object)[codes], dtype="str")


def _plain_text(value: object) -> str:
    """A value as it would stand in a text file: of a number, every digit that it has."""
    if value is None:
        return ""
    return repr(float(value)).removesuffix(".0") if isinstance(value, float) else str(value)
