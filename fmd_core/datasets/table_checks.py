"""Columns of a table that give a protected attribute away, so that twins show less than the whole bias; and by which
levels a column tells another one nearly surely."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from fmd_core.data import Array, AttributeDataset, Column
from fmd_core.datasets.own.sniffing_columns import number_text
from fmd_core.datasets.table_encoding import MISSING, OTHER, Numbers, TableColumn, TableSource
from fmd_core.errors import DataError

NEARLY_SURE = 0.98
MIN_ROWS = 20  # of a level, before it is said to give anything away
FEW_ROWS = 5  # with one value of a number, before it can be said to decide anything
MIN_COVERAGE = 0.05
_CHANCE = 1e-6
NEARLY_EVERYBODY = 0.9  # of the training rows: of so many a column must tell an attribute to follow it


@dataclass(frozen=True)
class Giveaway:
    """A column some of whose levels tell a protected attribute nearly surely (in 98 of 100 rows)."""

    attribute: str
    column: str
    coverage: float  # share of training rows with such a level
    levels: Mapping[str, str]  # level of the column -> level of the attribute
    of_ranges: bool = False  # levels are ranges of many numbers, so that no value can be swapped
    is_protected: bool = False  # the column is itself protected, so that it is never left out for this
    follows: bool = False  # one of both columns decides the other, as an age does its band
    groups: int = 2  # of the attribute, those put together or not stated aside

    @property
    def swap(self) -> dict[str, str]:
        """Levels that can be exchanged when the attribute changes: two that stand for its two sides."""
        if self.groups != 2 or self.of_ranges or len(self.levels) != 2 or len(set(self.levels.values())) != 2:
            return {}
        first, second = self.levels
        return {first: second, second: first}

    @property
    def along(self) -> dict[str, str] | None:
        """How the column can change with the attribute, as `AlsoChange` has it: a swap; {} for what is usual in
        the new group, where it tells nearly everybody's or one column decides the other; None where neither is
        known."""
        return self.swap or ({} if self.follows or self.coverage >= NEARLY_EVERYBODY else None)

    @property
    def words(self) -> str:
        """The finding in a sentence."""
        shown = "; ".join(f"{level} means {group}" for level, group in list(self.levels.items())[:3])
        return (
            f"'{self.column}' gives '{self.attribute}' away in {self.coverage:.0%} of the training rows ({shown}): "
            f"{self._advice}."
        )

    @property
    def _advice(self) -> str:
        if not self.is_protected:
            return "let it change together, or leave it out"
        if self.along is not None:
            return "let it change together; it is protected too, so it is not left out"
        return "it is protected too, so it is not left out, and twins show too little; look at the groups"


def giveaways(dataset: AttributeDataset) -> tuple[Giveaway, ...]:
    """Columns that the model reads and that give a protected attribute away, the worst first.
    Columns that already change with the attribute are not named."""
    source = dataset.source
    if not isinstance(source, TableSource):
        raise DataError("Only the columns of a table can give an attribute away.")
    train, found = dataset.rows("train"), []
    groups = [levels_in(column, train) for column in source.columns]
    for name, attribute in dataset.attributes.items():
        change = source.changes[name]
        for place, (column, levels) in enumerate(zip(source.columns, groups, strict=True)):
            if column.input_names and place not in change.places:
                told = _giveaway(column.name, levels, attribute, train)
                own = source.columns[change.place].own[train]
                follows = bool(told) and (
                    _decides(own, column.own[train]) or _decides(column.own[train], attribute.codes[train])
                )
                protected = column.name in dataset.attributes
                found += [replace(one, is_protected=protected, follows=follows) for one in told]
    return tuple(sorted(found, key=lambda giveaway: -giveaway.coverage))


def same_in_other_words(found: Iterable[Giveaway]) -> dict[str, dict[str, dict[str, str]]]:
    """What changes with a protected attribute where nobody was asked: a column of two levels that says the same of
    nearly everybody ('gender' beside 'sex'). As `AlsoChange` has it."""
    along: dict[str, dict[str, dict[str, str]]] = {}
    for giveaway in found:
        if giveaway.swap and giveaway.coverage >= NEARLY_EVERYBODY:
            along.setdefault(giveaway.attribute, {})[giveaway.column] = giveaway.swap
    return along


def _decides(values: Array, others: Array) -> bool:
    """Whether the `values` (m,) of one column say nearly surely what another one is, `others` (m,), for nearly
    everybody; values that hardly anybody shares say nothing."""
    own, codes = (np.unique(column, return_inverse=True)[1] for column in (values, others))
    pairs, counts = np.unique(np.stack([own, codes]), axis=1, return_counts=True)
    rows, most = np.bincount(own), np.zeros(own.max() + 1, "int64")
    np.maximum.at(most, pairs[0], counts)
    shared = rows >= FEW_ROWS
    if rows[shared].sum() < NEARLY_EVERYBODY * len(values):
        return False
    wrong, blind = 1 - most[shared].sum() / rows[shared].sum(), 1 - np.bincount(codes).max() / len(codes)
    return bool(wrong <= min(1 - NEARLY_SURE, blind / 5))


@dataclass(frozen=True)
class Levels:
    """A column in training by levels."""

    codes: Array  # (m,)
    names: list[str]
    are_ranges: bool = False


def levels_in(column: TableColumn, train: Array) -> Levels:
    """What a column says in training; many numbers are cut into tenths."""
    values = column.own[train]
    if not isinstance(column, Numbers):
        return Levels(values.astype("int64"), list(column.levels))
    found, codes = np.unique(values, return_inverse=True)
    if len(found) <= 20:
        return Levels(codes, [column.text(value) for value in found])
    edges = np.unique(np.nanquantile(values, np.linspace(0.1, 0.9, 9)))
    names = [number_text(edge) for edge in edges]
    ranges = [f"under {names[0]}", *(f"from {name}" for name in names)]
    places = np.searchsorted(edges, values, side="right")
    unknown = np.isnan(values)  # no amount: who has none is often told by that alone
    if unknown.any():
        places, ranges = np.where(unknown, len(ranges), places), [*ranges, MISSING]
    return Levels(places, ranges, are_ranges=True)


def _giveaway(name: str, column: Levels, attribute: Column, train: Array) -> list[Giveaway]:
    sure, best, table = sure_levels(column, attribute, train)
    rows = table.sum(axis=1)
    coverage = float(rows[sure].sum() / len(train))
    if coverage < MIN_COVERAGE:
        return []
    order = [i for i in np.argsort(-rows) if sure[i]]
    meant = {column.names[i]: attribute.levels[best[i]] for i in order}
    groups = len(set(attribute.levels) - {OTHER, MISSING})
    return [Giveaway(attribute.name, name, coverage, meant, column.are_ranges, groups=groups)]


def sure_levels(column: Levels, told: Column, train: Array) -> tuple[Array, Array, Array]:
    """Which levels of a column tell another column nearly surely (k,) bool, what each tells (k,), and the
    counts (k, levels of the other)."""
    n_groups = len(told.levels)
    cells = np.bincount(column.codes * n_groups + told.codes[train], minlength=len(column.names) * n_groups)
    table = cells.reshape(len(column.names), n_groups)
    rows, best = table.sum(axis=1), table.argmax(axis=1)
    base = (table.sum(axis=0) / len(train))[best]
    share = table.max(axis=1) / np.maximum(rows, 1)
    # Sure, much surer than without the column, and not so by chance.
    sure = (
        (share >= NEARLY_SURE) & (1 - share <= (1 - base) / 5) & (rows >= MIN_ROWS) & (base**rows < _CHANCE)
    )
    return sure, best, table
