"""How a result shows itself at a prompt: `repr` in one line, and a table (pandas) where it is one.

A `repr` says what a person wants to know and never works anything out anew; it is no data: nothing is keyed
by it. Tables have a row for each thing measured, plain snake_case columns, and shares in [0, 1] rather than
points, so that they can be reckoned with.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Protocol, TypeVar

from fmd_core.figures import count, points

if TYPE_CHECKING:
    import pandas as pd

LONGEST = 120
"""Characters of a `repr`."""
Row = Mapping[str, object]


class HasRow(Protocol):
    """A result that is one row of a table."""

    def as_row(self) -> Row:
        """The value of each column."""


class HasFigure(Protocol):
    """A figure with its interval, as `fmd_core.intervals.Estimate`."""

    @property
    def value(self) -> float | None: ...
    @property
    def low(self) -> float | None: ...
    @property
    def high(self) -> float | None: ...
    @property
    def n(self) -> int: ...


Result = TypeVar("Result", bound=HasRow)


def one_line(value: object, *facts: str) -> str:
    """`Name(fact, fact)` for the `repr` of `value`: no line ends or hidden marks, at most LONGEST characters.

    >>> one_line(3, "of a kind", "", "and one more")
    'int(of a kind, and one more)'
    """
    told = ", ".join(fact for fact in facts if fact)
    plain = "".join(mark if mark.isprintable() else " " for mark in told)
    name = type(value).__name__
    room = LONGEST - len(name) - 2
    return f"{name}({plain if len(plain) <= room else plain[: room - 1] + '…'})"


def figure_columns(name: str, figure: HasFigure | None, *, n: str = "") -> dict[str, object]:
    """Columns `name`, `name_low` and `name_high` of a figure and its 95 % interval, None where there is none;
    with `n` the number of people in a column of that name."""
    ends = (None, None, None) if figure is None else (figure.value, figure.low, figure.high)
    columns: dict[str, object] = dict(zip((name, f"{name}_low", f"{name}_high"), ends, strict=True))
    return columns | ({n: 0 if figure is None else figure.n} if n else {})


def figure_in_points(figure: HasFigure, unit: str = "points") -> str:
    """'58.8 points (54.8 to 62.9)' of a share, or that there are too few people to say."""
    if figure.value is None or figure.low is None or figure.high is None:
        return f"not known (n = {count(figure.n)})"
    return f"{points(figure.value)} {unit} ({points(figure.low)} to {points(figure.high)})"


def table(rows: Iterable[Row], columns: Iterable[str] = ()) -> pd.DataFrame:
    """A table of `rows`; `columns` are those that it has without any row. A column of numbers stays one
    where some are missing (NaN)."""
    import pandas as pd  # half a second to import

    kept = [dict(row) for row in rows]
    frame = pd.DataFrame(kept) if kept else pd.DataFrame(columns=list(columns))
    for name in frame.columns:
        if frame[name].dtype == object and all(value is None or _is_number(value) for value in frame[name]):
            frame[name] = frame[name].astype("float64")
    return frame


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


class Results(tuple[Result, ...]):
    """Several results of a kind in their order: a tuple that is also a table."""

    __slots__ = ()

    def to_frame(self) -> pd.DataFrame:
        """A row for each result, in their order; see `as_row` of the results for the columns."""
        return table(result.as_row() for result in self)

    def __repr__(self) -> str:
        first = f"first: {self[0]!r}" if self else ""
        return one_line(self, f"{len(self)} {'result' if len(self) == 1 else 'results'}", first)
