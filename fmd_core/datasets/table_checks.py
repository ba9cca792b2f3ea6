"""Two things that make a table's audit say too little: columns that give a protected attribute
away, and the same record in the test and outside it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from fmd_core import figures
from fmd_core.data import Array, AttributeDataset, Column
from fmd_core.datasets.own.sniffing import first_ten, listed
from fmd_core.datasets.own.sniffing_columns import number_text
from fmd_core.datasets.table_encoding import (
    MISSING,
    OTHER,
    Numbers,
    TableColumn,
    TableSource,
    is_one_number,
)
from fmd_core.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

NEARLY_SURE = 0.98
FAR_OUTSIDE = 1.0  # in widths of training's range beyond its ends: no model was shown anything near
MIN_ROWS = 20  # of a level, before it is said to give anything away
FEW_ROWS = 5  # with one value of a number, before it can be said to decide anything
MIN_COVERAGE = 0.05
_CHANCE = 1e-6
NEARLY_EVERYBODY = 0.9  # of the training rows: of so many a column must tell an attribute to follow it
HALF_OF_A_CLASS = 0.5  # people of a class whom a column must tell before it is said to tell the answer
ONE_VALUE = 0.998  # of the people whom a leak tells, before another column hangs on it
TREE_DEPTH, JOINT_ERROR = 3, 0.06


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
    groups = [_levels(column, train) for column in source.columns]
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
class _Levels:
    """A column in training by levels."""

    codes: Array  # (m,)
    names: list[str]
    are_ranges: bool = False


def _levels(column: TableColumn, train: Array) -> _Levels:
    """What a column says in training; many numbers are cut into tenths."""
    values = column.own[train]
    if not isinstance(column, Numbers):
        return _Levels(values.astype("int64"), list(column.levels))
    found, codes = np.unique(values, return_inverse=True)
    if len(found) <= 20:
        return _Levels(codes, [column.text(value) for value in found])
    edges = np.unique(np.nanquantile(values, np.linspace(0.1, 0.9, 9)))
    names = [number_text(edge) for edge in edges]
    ranges = [f"under {names[0]}", *(f"from {name}" for name in names)]
    places = np.searchsorted(edges, values, side="right")
    unknown = np.isnan(values)  # no amount: who has none is often told by that alone
    if unknown.any():
        places, ranges = np.where(unknown, len(ranges), places), [*ranges, MISSING]
    return _Levels(places, ranges, are_ranges=True)


def _giveaway(name: str, column: _Levels, attribute: Column, train: Array) -> list[Giveaway]:
    sure, best, table = _sure_levels(column, attribute, train)
    rows = table.sum(axis=1)
    coverage = float(rows[sure].sum() / len(train))
    if coverage < MIN_COVERAGE:
        return []
    order = [i for i in np.argsort(-rows) if sure[i]]
    meant = {column.names[i]: attribute.levels[best[i]] for i in order}
    groups = len(set(attribute.levels) - {OTHER, MISSING})
    return [Giveaway(attribute.name, name, coverage, meant, column.are_ranges, groups=groups)]


@dataclass(frozen=True)
class Leak:
    """Columns that tell the target nearly surely: one by itself, or several together."""

    columns: tuple[str, ...]
    answer: str
    """The class whose people are told."""
    share: float
    """How many of its people in training are told, or, of several columns, how often they are right."""
    after: str = ""
    """The column that tells, without which this one says nothing: it is not known before the answer either."""


def target_leaks(dataset: AttributeDataset) -> tuple[Leak, ...]:
    """Columns that the model reads and that by themselves nearly surely tell at least half of the people of
    some class, the worst first: the same check as for protected attributes, with the target in their place."""
    source = dataset.source
    if not isinstance(source, TableSource):
        return ()
    train, found = dataset.rows("train"), []
    labels = dataset.target.codes[train]
    sizes = np.bincount(labels, minlength=len(dataset.target.levels))
    read = [(column, _levels(column, train)) for column in source.columns if column.input_names]
    told_rows: dict[str, list[Array]] = {}  # by leak, of each class that it tells
    for column, levels in read:
        sure, best, table = _sure_levels(levels, dataset.target, train)
        told = np.bincount(best[sure], weights=table.max(axis=1)[sure], minlength=len(sizes)) / np.maximum(
            sizes, 1
        )
        if told.max(initial=0.0) >= HALF_OF_A_CLASS:
            worst = int(told.argmax())
            found.append(Leak((column.name,), dataset.target.levels[worst], float(told[worst])))
            classes = np.flatnonzero(told >= HALF_OF_A_CLASS)
            told_rows[column.name] = [(sure & (best == of))[levels.codes] for of in classes]
    found.sort(key=lambda leak: -leak.share)
    return (*found, *_hanging(read, found, told_rows))


def _hanging(
    read: Sequence[tuple[TableColumn, _Levels]],
    leaks: Sequence[Leak],
    told_rows: Mapping[str, Sequence[Array]],
) -> Iterator[Leak]:
    for column, levels in read:
        if column.name in told_rows:
            continue
        names = [leak.columns[0] for leak in leaks]
        after = [name for name in names if any(_hangs_on(levels.codes, told) for told in told_rows[name])]
        if after:
            yield Leak((column.name,), "", 0.0, after=after[0])


def _hangs_on(codes: Array, told: Array) -> bool:
    """Whether a column, `codes` (m,), has nothing to say of all whom another one tells, `told` (m,) bool: one value
    there, and others only elsewhere. Such are the details of what became of people."""
    inside, outside = codes[told], codes[~told]
    if min(len(inside), len(outside)) < MIN_ROWS:
        return False
    usual = np.bincount(inside).argmax()
    differ = float((outside != usual).sum()) / len(codes)
    return bool((inside == usual).mean() >= ONE_VALUE and differ >= MIN_COVERAGE)


def joint_leak(dataset: AttributeDataset, seed: int = 0) -> Leak | None:
    """A few columns that together tell nearly every class of people who were held back: a shallow tree is
    right in seven of eight cases where a guess is wrong."""
    from sklearn.metrics import balanced_accuracy_score
    from sklearn.tree import DecisionTreeClassifier

    source = dataset.source
    if not isinstance(source, TableSource):
        return None
    train, held = dataset.rows("train"), dataset.rows("validation")
    columns = [column for column in source.columns if column.input_names]
    values = np.column_stack([np.nan_to_num(column.own.astype("float64"), nan=-1e9) for column in columns])
    tree = DecisionTreeClassifier(max_depth=TREE_DEPTH, class_weight="balanced", random_state=seed)
    tree.fit(values[train], dataset.target.codes[train])
    truth, said = dataset.target.codes[held], tree.predict(values[held])
    base = np.bincount(truth).max() / len(truth)
    share = float(np.mean(said == truth))
    if 1 - share > (1 - base) / 8 or balanced_accuracy_score(truth, said) < 1 - JOINT_ERROR:
        return None
    used = tuple(
        columns[i].name for i in np.argsort(-tree.feature_importances_) if tree.feature_importances_[i] > 0.05
    )
    return Leak(used, "", share) if used else None


def _sure_levels(column: _Levels, told: Column, train: Array) -> tuple[Array, Array, Array]:
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


def number_notes(dataset: AttributeDataset, left_out: Sequence[str] = ()) -> list[str]:
    """What a model of a table cannot know of its numbers: columns that are alike in all training rows, so that none
    reads them (those in `left_out` were left out anyway), and people of the other parts far outside what training
    holds."""
    source = dataset.source
    if not isinstance(source, TableSource):
        return []
    train, notes, constant, far = dataset.split == "train", [], [], []
    for column in source.columns:
        if not isinstance(column, Numbers) or column.name in left_out:
            continue
        known = column.own[train & np.isfinite(column.own)].astype("float64")
        low, high = float(known.min()), float(known.max())
        if not column.is_input and is_one_number(known):
            constant.append(column.name)
        elif column.is_input:
            room = FAR_OUTSIDE * (high - low or abs(high))
            away = int((~train & ((column.own < low - room) | (column.own > high + room))).sum())
            if away:
                far.append(
                    f"'{column.name}' in {figures.count(away)} (training: {number_text(low)} to {number_text(high)})"
                )
    if constant:
        notes.append(
            f"Not read by a model trained here, since all training rows are alike: {listed(constant)}."
        )
    if far:
        notes.append(
            f"Numbers of people outside training that are far from all that a model learned from: {first_ten(far)}."
            " What a model says of them is a guess."
        )
    return notes


def attribute_notes(dataset: AttributeDataset, frame: pd.DataFrame) -> list[str]:
    """What a reader should know about the groups: rare ones put together, or the target in disguise.
    `frame` holds the protected columns of the n samples as they came."""
    notes = []
    n_classes = len(dataset.target.levels)
    for name, column in dataset.attributes.items():
        if OTHER in column.levels and set(frame[name].replace("", MISSING)) - set(column.levels):
            notes.append(f"Rare values of '{name}' are put together as '{OTHER}'.")
        cells = np.bincount(
            column.codes * n_classes + dataset.target.codes, minlength=len(column.levels) * n_classes
        ).reshape(-1, n_classes)
        if (np.count_nonzero(cells, axis=1) == 1).all():
            notes.append(
                f"'{name}' says the same as '{dataset.target.name}' in every row, so a model cannot be fair and "
                "right at once; is it the target in other words?"
            )
    return notes


def leak_note(frame: pd.DataFrame, split: Array, unit: str) -> list[str]:
    """A sentence if test records stand outside the test too, word for word; `frame` holds what counts."""
    import pandas as pd

    marks = pd.util.hash_pandas_object(frame, index=False).to_numpy()
    test = split == "test"
    twice = int(np.isin(marks[test], marks[~test]).sum())
    if not twice:
        return []
    return [
        f"{twice:,} of {int(test.sum()):,} test {figures.many(unit)} ({twice / test.sum():.1%}) are equal to "
        f"{figures.with_article(unit)} in training or in the fix in every column: a leak, unless "
        "they are different ones. The test may look better than it is."
    ]
