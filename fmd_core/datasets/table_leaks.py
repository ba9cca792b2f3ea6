"""Columns that tell a table's answer, so that a model of it would be right for no reason: each by itself, a few
together, and such as hang on one that tells."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from fmd_core.data import Array, AttributeDataset
from fmd_core.datasets.table_checks import MIN_COVERAGE, MIN_ROWS, Levels, levels_in, sure_levels
from fmd_core.datasets.table_encoding import TableColumn, TableSource

HALF_OF_A_CLASS = 0.5  # people of a class whom a column must tell before it is said to tell the answer
ONE_VALUE = 0.998  # of the people whom a leak tells, before another column hangs on it
TREE_DEPTH, JOINT_ERROR = 3, 0.06


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
    read = [(column, levels_in(column, train)) for column in source.columns if column.input_names]
    told_rows: dict[str, list[Array]] = {}  # by leak, of each class that it tells
    for column, levels in read:
        sure, best, table = sure_levels(levels, dataset.target, train)
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
    read: Sequence[tuple[TableColumn, Levels]],
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
