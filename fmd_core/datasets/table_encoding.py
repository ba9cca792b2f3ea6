"""Records as a model reads them: categories as one-hot columns, numbers standardised.

A `TableSource` keeps each column once, as it came, and makes the float32 inputs of the rows that
are asked for: no dense copy of the whole table is ever held.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from fmd_core.data import Array, InputKind, content_fingerprint, frozen_array
from fmd_core.datasets.own.sniffing_columns import number_text
from fmd_core.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

RARE = 10  # a level with fewer training rows than this shares the input "other"
OTHER, MISSING = "other", "not stated"
ROUNDING = 1e-9  # a spread below this share of the numbers themselves is what rounding left
TOO_LARGE = 1e30  # beyond this a number is a slip, and its square would not fit
AGE_EDGES = (30.0, 45.0, 60.0)
AGE_LABELS = ("under 30", "30 to 44", "45 to 59", "60 or more")


@dataclass(frozen=True)
class Binned:
    """A protected number by groups: group i holds edges[i-1] <= value < edges[i]."""

    column: str
    edges: tuple[float, ...]
    labels: tuple[str, ...]

    def __post_init__(self) -> None:
        if not self.edges or list(self.edges) != sorted(set(self.edges)):
            raise DataError(f"The limits of the groups of '{self.column}' must rise, not {self.edges}.")
        if len(self.labels) != len(self.edges) + 1 or len(set(self.labels)) != len(self.labels):
            raise DataError(
                f"{len(self.edges)} limits make {len(self.edges) + 1} groups of '{self.column}', "
                f"each with a name of its own; got: {', '.join(self.labels)}."
            )

    def codes(self, values: Array) -> Array:
        """Group of each value, (n,) int64; a missing value is in the group after the last."""
        found = np.searchsorted(self.edges, values, side="right")
        return np.where(np.isfinite(values), found, len(self.labels))


def ages(column: str) -> Binned:
    """The four age groups that people use."""
    return Binned(column, AGE_EDGES, AGE_LABELS)


def thirds(column: str, values: Array) -> Binned:
    """Three groups of about equal size, cut at short numbers; fewer where many rows share one value."""
    return equal_parts(column, values, 3)


def equal_parts(column: str, values: Array, parts: int) -> Binned:
    """As `thirds`, with so many parts."""
    known = values[np.isfinite(values)]
    lowest = known.min() if len(known) else 0.0
    whole = len(known) > 0 and bool((known == np.floor(known)).all())
    cuts = np.quantile(known, [part / parts for part in range(1, parts)]) if len(known) else ()
    places = 2 - int(np.floor(np.log10(np.ptp(known)))) if len(known) and np.ptp(known) > 0 else 0
    edges = sorted({float(np.ceil(c)) if whole else round(float(c), places) for c in cuts if c > lowest})
    if not edges:  # more than two thirds are the lowest value: the rest is the other group
        above = known[known > lowest]
        if len(above) == 0:
            raise DataError(f"'{column}' has one value only, so it cannot be cut into groups.")
        edges = [float(above.min())]
    return between(column, edges)


def between(column: str, edges: Sequence[float]) -> Binned:
    """The groups that rising limits make, called by them."""
    if not edges:
        raise DataError(f"The groups of '{column}' need at least one limit.")
    names = [number_text(edge) for edge in edges]
    middle = [f"{low} to under {high}" for low, high in pairwise(names)]
    return Binned(column, tuple(edges), (f"under {names[0]}", *middle, f"{names[-1]} or more"))


@dataclass(frozen=True, eq=False)
class Categories:
    """A column of texts. Rare levels share one input, so that `slots` is not one to one."""

    name: str
    own: Array  # (n,) int32 code of `levels`
    levels: tuple[str, ...]
    slots: Array  # (n_levels,) place of each level among `slot_names`
    slot_names: tuple[str, ...]
    is_input: bool = True

    @property
    def input_names(self) -> tuple[str, ...]:
        return tuple(f"{self.name} = {level}" for level in self.slot_names) if self.is_input else ()

    def write(self, out: Array, values: Array) -> None:
        """Fill the one-hot columns `out` (m, width) for codes (m,)."""
        out[np.arange(len(values)), self.slots[values]] = 1

    def text(self, value: float) -> str:
        return self.levels[int(value)]

    def cells(self, values: Array) -> Array:
        """Codes (m,) as texts, None where missing."""
        levels = [None if level == MISSING else level for level in self.levels]
        return np.array([*levels, None], dtype=object)[values]

    @property
    def parts(self) -> list[Array | str]:
        """What the fingerprint is made of."""
        return [self.name, *self.levels, self.own, self.slots, *self.input_names]


@dataclass(frozen=True, eq=False)
class Numbers:
    """A column of numbers, NaN where missing: that becomes the training median, with an input
    of its own that says so where training knows missing values."""

    name: str
    own: Array  # (n,) float32 where that is exact, else float64
    mean: float
    scale: float
    median: float
    tells_missing: bool
    is_input: bool = True

    @property
    def input_names(self) -> tuple[str, ...]:
        names = (self.name, f"{self.name} missing") if self.tells_missing else (self.name,)
        return names if self.is_input else ()

    def write(self, out: Array, values: Array) -> None:
        """Fill the columns `out` (m, 1 or 2) for numbers (m,)."""
        known = np.isfinite(values)
        out[:, 0] = (np.where(known, values, self.median) - self.mean) / self.scale
        if self.tells_missing:
            out[:, 1] = ~known

    def text(self, value: float) -> str:
        return number_text(value) if np.isfinite(value) else MISSING

    def cells(self, values: Array) -> Array:
        """Numbers (m,), NaN where missing."""
        return values.astype("float64")

    @property
    def parts(self) -> list[Array | str]:
        """What the fingerprint is made of."""
        return [self.name, self.own, np.array([self.mean, self.scale, self.median]), *self.input_names]


TableColumn = Categories | Numbers


@dataclass(frozen=True, eq=False)
class Change:
    """What setting a protected attribute does to a record."""

    own: Array  # (n,) code of the attribute that each row really has
    place: int  # position of the attribute's column
    values: Array  # (n_levels,) what that column becomes under each code
    also: Mapping[int, Array] = field(default_factory=dict)
    """By position: new code by old code; of a column of numbers (2, k), the known numbers in rising
    order, NaN last, and under each the new one."""
    usual: Mapping[int, Array] = field(default_factory=dict)
    """By position: what that column becomes under each code of the attribute, (n_levels,)."""

    @property
    def places(self) -> tuple[int, ...]:
        """Positions of all columns that change, the attribute's own first."""
        return (self.place, *self.also, *self.usual)

    @property
    def parts(self) -> list[Array | str]:
        """What the fingerprint is made of."""
        also = [part for place, codes in sorted(self.also.items()) for part in (str(place), codes)]
        usual = [part for place, new in sorted(self.usual.items()) for part in (f"usual {place}", new)]
        return [str(self.place), self.own, self.values, *also, *usual]


@dataclass(frozen=True, eq=False)
class TableSource:
    """Encodes records as float32 (m, d); a twin is the same record with its column changed."""

    columns: tuple[TableColumn, ...]
    changes: Mapping[str, Change]
    kind: InputKind = "table"

    @cached_property
    def input_names(self) -> tuple[str, ...]:
        """What each of the d inputs says, such as 'sex = Female' or 'age'."""
        return tuple(name for column in self.columns for name in column.input_names)

    @cached_property
    def fingerprint(self) -> str:
        parts: list[Array | str] = ["table v1"]
        for column in self.columns:
            parts += column.parts
        for name, change in self.changes.items():
            parts += [name, *change.parts]
        return content_fingerprint(*parts)

    def read(self, rows: Array) -> Array:
        return self._encode([column.own[rows] for column in self.columns], len(rows))

    def counterfactual(self, rows: Array, attribute: str, codes: Array) -> Array:
        return self._encode(self._changed(rows, attribute, codes), len(rows))

    def display(self, row: int, attribute: str = "", code: int = 0) -> dict[str, str]:
        rows = np.array([row])
        values = (
            self._changed(rows, attribute, np.array([code]))
            if attribute
            else [column.own[rows] for column in self.columns]
        )
        return {
            column.name: column.text(value[0]) for column, value in zip(self.columns, values, strict=True)
        }

    def read_frame(self, rows: Array) -> pd.DataFrame:
        """The records of `rows` by column, texts and numbers, for a model that reads a table as it is."""
        return self._framed([column.own[rows] for column in self.columns])

    def counterfactual_frame(self, rows: Array, attribute: str, codes: Array) -> pd.DataFrame:
        """The same with `attribute` set to `codes` (m,)."""
        return self._framed(self._changed(rows, attribute, codes))

    def _framed(self, values: Sequence[Array]) -> pd.DataFrame:
        import pandas as pd

        found = zip(self.columns, values, strict=True)
        return pd.DataFrame({column.name: column.cells(own) for column, own in found})

    def _changed(self, rows: Array, attribute: str, codes: Array) -> list[Array]:
        """Every column's values for `rows`, each (m,), with the attribute set. A row that has the
        asked level already keeps its own value, not the typical one of its group."""
        if attribute not in self.changes:
            known = ", ".join(self.changes) or "none"
            raise DataError(f"'{attribute}' cannot be changed in this table; what can be: {known}.")
        change, values = self.changes[attribute], [column.own[rows] for column in self.columns]
        moved = np.asarray(codes) != change.own[rows]
        values[change.place] = np.where(moved, change.values[codes], values[change.place])
        for place, swap in change.also.items():
            old = values[place]
            new = swap[old] if swap.ndim == 1 else swap[1][np.searchsorted(swap[0], old)]
            values[place] = np.where(moved, new, old)
        for place, new in change.usual.items():
            values[place] = np.where(moved, new[codes], values[place])
        return values

    def _encode(self, values: Sequence[Array], m: int) -> Array:
        out, start = np.zeros((m, len(self.input_names)), "float32"), 0
        for column, own in zip(self.columns, values, strict=True):
            stop = start + len(column.input_names)
            if stop > start:
                column.write(out[:, start:stop], own)
            start = stop
        return out


def encode_categories(
    name: str, codes: Array, levels: Sequence[str], train: Array, *, pool: bool = True, is_input: bool = True
) -> Categories:
    """A column of codes (n,); with `pool`, levels with fewer than `RARE` rows in `train` (n,) bool
    share the input 'other'."""
    counts = np.bincount(codes[train], minlength=len(levels))
    common = [level for level, count in zip(levels, counts, strict=True) if count >= RARE or not pool]
    names = common if len(common) == len(levels) or OTHER in common else [*common, OTHER]
    places = {level: place for place, level in enumerate(names)}
    slots = np.array([places[level] if level in places else places[OTHER] for level in levels])
    return Categories(
        name, frozen_array(codes, "int32"), tuple(levels), frozen_array(slots), tuple(names), is_input
    )


def encode_numbers(
    name: str, values: Array, train: Array, *, is_input: bool = True, is_protected: bool = False
) -> Numbers:
    """A column of numbers (n,), NaN where missing, standardised by its known values in `train` (n,) bool.

    One that is alike in all training rows, up to rounding, and nowhere missing there, tells a model nothing: it is
    no input. Dividing by what rounding left would make any other number enormous."""
    values = np.where(np.abs(values) <= TOO_LARGE, values, np.nan).astype("float64")  # also infinities
    known = values[train & np.isfinite(values)]
    if len(known) == 0:
        raise DataError(f"'{name}' has no number in the training rows; leave it out.")
    small = values.astype("float32")
    exact = np.array_equal(small.astype("float64"), values, equal_nan=True)
    is_constant = is_one_number(known)
    tells_missing = bool(np.isnan(values[train]).any())
    return Numbers(
        name,
        frozen_array(small if exact else values),
        float(known.mean()),
        1.0 if is_constant else float(known.std()),
        float(np.median(known)),
        tells_missing,
        is_input and (tells_missing or not is_constant or is_protected),
    )


def is_one_number(values: Array) -> bool:
    """Whether numbers (n,) are one number, up to rounding."""
    return bool(np.ptp(values) <= ROUNDING * np.abs(values).max())
