"""Tables to be spoilt: texts in every layout and encoding, Parquet of every type."""

import csv
import io
from decimal import Decimal
from random import Random

import numpy as np

CELLS = (
    "", " ", "f", "m", "yes", "no", "0", "1", "-1", "0.5", "1,5", "1.234,5", "1,234.5", "007", "1e400", "-1e308", "nan",
    "NaN", "inf", "-inf", "Infinity", "NA", "?", "train", "test", "9" * 400, "1" * 20 + ".5", "٣", "½", "true", "=1+1",
    "<b>", "a\u202eb", "\u2028", "x" * 200, 'say "hi"', "two\nlines", "a;b", "a,b", "a\tb", "𝔘", "e\u0301",
    "000001.jpg",
    "1_000", "0x10", "١٢٣", "-", "+", ".", "--5", "1e5", "1E-5", "2026-11-22", "−5",
)  # fmt: skip
HEADERS = (
    "sex", "age", "label", "income", "split", "file", "x", "y", "", " ", "sex", "id", "a" * 500, "<b>x</b>", "na\nme",
    "=cmd()",
    "column 1", "größe", "\u202ename", "0", "1.5", "x (2)",
)  # fmt: skip
ENCODINGS = (
    *("utf-8",) * 6,
    "utf-8-sig",
    "utf-16",
    "utf-16-le",
    "utf-16-be",
    "utf-32",
    "latin-1",
    "cp1252",
    "cp500",
)


def csv_text(rng: Random) -> bytes:
    """A table as text: usually a sound one with a few odd cells, in some layout and encoding."""
    width, height = rng.choice((1, 2, 3, 5, 5, 8, 60)), rng.choice((0, 1, 30, 120, 120, 300))
    if rng.random() < 0.02:
        width, height = rng.choice((2_001, 20_000)), 2
    header = [rng.choice(HEADERS) if rng.random() < 0.4 else f"c{i}" for i in range(width)]
    kinds = [
        rng.choice((("f", "m"), ("0", "1"), ("a", "b", "c"), ("f", "m"), None, CELLS)) for _ in range(width)
    ]
    odd = rng.choice((0, 0, 0.01, 0.2))
    rows = [[_cell(rng, kind, odd, i) for kind in kinds] for i in range(height)]
    for _ in range(rng.choice((0, 0, 0, 2))):
        if rows:
            rows[rng.randrange(len(rows))] = ["x"] * rng.randrange(width + 3)
    buffer = io.StringIO()
    quoting = rng.choice((csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_MINIMAL))
    end = rng.choice(("\n", "\r\n", "\n", "\r"))
    writer = csv.writer(buffer, delimiter=rng.choice(",,,,;;\t|:"), quoting=quoting, lineterminator=end)
    writer.writerows([*([header] if rng.random() < 0.9 else []), *rows])
    above = rng.choice((*("",) * 9, "sep=;\n", "# made by a tool\n", "\n\n", "sep=,\n", '"'))
    return (above + buffer.getvalue()).encode(rng.choice(ENCODINGS), "replace")


def _cell(rng: Random, kind: tuple[str, ...] | None, odd: float, row: int) -> str:
    if rng.random() < odd:
        return rng.choice(CELLS)
    return rng.choice(kind) if kind else f"{row}.{rng.randrange(9)}"


def parquet(rng: Random) -> bytes:
    """A Parquet file of columns of all types, with any compression."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    n = rng.choice((0, 1, 40, 120, 120, 300))
    numbers = np.random.default_rng(rng.randrange(2**32))
    names = [rng.choice(HEADERS) if rng.random() < 0.3 else f"c{i}" for i in range(rng.choice((1, 2, 4, 6)))]
    columns = (
        [_column(rng, numbers, n) for _ in names]
        if rng.random() < 0.6
        else [_plain_column(rng, n) for _ in names]
    )
    table = pa.Table.from_arrays(columns, names=names)
    buffer = io.BytesIO()
    pq.write_table(
        table, buffer, compression=rng.choice(("none", "snappy", "gzip", "zstd", "lz4", "brotli")),
        use_dictionary=rng.random() < 0.6, data_page_version=rng.choice(("1.0", "2.0")),
        row_group_size=rng.choice((None, 7, 100)),
    )  # fmt: skip
    return buffer.getvalue()


def _plain_column(rng: Random, n: int) -> object:
    import pyarrow as pa

    return pa.array([rng.choice(("f", "m")) if n % 2 else i % 3 for i in range(n)])


def _column(rng: Random, numbers: np.random.Generator, n: int) -> object:
    import pyarrow as pa

    words = [rng.choice(("f", "m")) for _ in range(n)]
    makers = (
        lambda: pa.array(words), lambda: pa.array(words).dictionary_encode(),
        lambda: pa.array([rng.choice((*CELLS, None)) for _ in range(n)]),
        lambda: pa.array(numbers.integers(0, 2, n)), lambda: pa.array(numbers.normal(size=n)),
        lambda: pa.array([rng.choice((float("nan"), float("inf"), 1e308, None, 0.5)) for _ in range(n)], pa.float64()),
        lambda: pa.array([rng.choice((2**63 - 1, -(2**63), 0, None)) for _ in range(n)], pa.int64()),
        lambda: pa.array([rng.random() < 0.5 for _ in range(n)]),
        lambda: pa.array(numbers.integers(-(2**62), 2**62, n)).cast(pa.timestamp("us")),
        lambda: pa.array(numbers.integers(0, 2**20, n)).cast(pa.timestamp("ns", tz="Europe/Berlin")),
        lambda: pa.array(numbers.integers(-(2**30), 2**30, n).astype("int32")).cast(pa.date32()),
        lambda: pa.array(numbers.integers(0, 86_399, n).astype("int32")).cast(pa.time32("s")),
        lambda: pa.array(numbers.integers(-(2**62), 2**62, n)).cast(pa.duration("ns")),
        lambda: pa.array([Decimal("1.10") if rng.random() < 0.9 else None for _ in range(n)], pa.decimal128(38, 10)),
        lambda: pa.array([b"\xff\x00"] * n), lambda: pa.array([b"abcd"] * n, pa.binary(4)),
        lambda: pa.array([[1, 2]] * n), lambda: pa.array([{"a": 1}] * n), lambda: pa.nulls(n),
        lambda: pa.array(["x" * 5_000] * n), lambda: pa.array(numbers.normal(size=n).astype("float16")),
        lambda: pa.array(words, pa.large_string()),
    )  # fmt: skip
    return rng.choice(makers)()
