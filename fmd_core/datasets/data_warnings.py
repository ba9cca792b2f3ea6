"""Warnings of the data as a model reads them: columns that tell the answer, people in several parts,
sentinels, and what is not read."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np

from fmd_core import figures
from fmd_core.data import Array, AttributeDataset
from fmd_core.datasets.own.sniffing_columns import number_text
from fmd_core.datasets.table_encoding import Numbers, TableSource
from fmd_core.datasets.table_leaks import Leak, joint_leak, target_leaks

if TYPE_CHECKING:
    import pandas as pd

SENTINELS = (-1.0, -9.0, -99.0, -999.0, -9999.0, 99.0, 999.0, 9999.0, 99999.0, 999999.0)
LEAST_OFTEN = 5  # rows that a sentinel stands in
FEWEST_VALUES = 5  # different numbers of a column, before one of them looks like a sentinel
SAME_PEOPLE = 0.1  # of the test people, if they stand elsewhere as well: the test is no test any more
SAME_RECORDS = 0.5  # the same of rows that are equal word for word, who may be different people
OFTEN_MINUS_ONE = 0.01
SOME_RECORDS = 0.01  # fewer are coincidences
MOSTLY_DIFFERENT = 0.5  # of all rows: in a table of few columns equal rows are different people


class WarningKind(StrEnum):
    """What is said before any verdict."""

    TARGET_LEAK = "target_leak"
    IDENTIFIER = "identifier"
    REPEATED_PEOPLE = "repeated_people"
    SENTINEL = "sentinel"
    SPELLING = "spelling"
    WEIGHTS = "weights"
    ONE_ANSWER = "one_answer"
    CHANCE_LEVEL = "chance_level"
    CLASS_ORDER = "class_order"
    NOT_READ = "not_read"
    TOO_FEW = "too_few"
    TAUGHT = "taught"


@dataclass(frozen=True)
class AuditWarning:
    """Something that a reader must know before the verdict."""

    kind: WarningKind
    column: str  # "" where it is about the model or the whole table
    sentence: str
    forbids_within: bool = False
    """True where nobody may say "within the limit": the model does not answer, or reads the answer."""
    forbids_verdict: bool = False
    """True where nothing at all can be said: the model does not answer."""


def dataset_warnings(dataset: AttributeDataset, persons: Array | None = None) -> tuple[AuditWarning, ...]:
    """What a reader must know of a data set whose columns the model reads as they are."""
    return (
        *leak_warnings(dataset),
        *_people_in_parts(dataset, persons),
        *sentinel_warnings(dataset),
    )


def unread_columns(dataset: AttributeDataset) -> tuple[str, ...]:
    """Columns of a table that the model is not shown, protected ones among them."""
    source = dataset.source
    hidden = [c.name for c in source.columns if not c.input_names] if isinstance(source, TableSource) else []
    return tuple(dict.fromkeys((*dataset.not_read, *hidden)))


def leak_warnings(dataset: AttributeDataset) -> tuple[AuditWarning, ...]:
    """Columns that the model reads although they tell the answer: whoever is right by them says nothing
    about people whose answer is not known yet."""
    return tuple(leak_warning(dataset, leak, is_read=True) for leak in found_leaks(dataset))


def found_leaks(dataset: AttributeDataset) -> tuple[Leak, ...]:
    """Columns that tell the target by themselves; where there are none, several that do together."""
    single = target_leaks(dataset)
    if single:
        return single
    both = joint_leak(dataset)
    return (both,) if both else ()


def leak_warning(dataset: AttributeDataset, leak: Leak, *, is_read: bool) -> AuditWarning:
    """The warning of a leak, with what was done about it."""
    target = dataset.target.name
    if leak.after:
        done = "and the model reads it" if is_read else "so it was left out too"
        return AuditWarning(
            WarningKind.TARGET_LEAK,
            leak.columns[0],
            f"'{leak.columns[0]}' is a detail of '{leak.after}', which tells the answer, {done}: it is not known "
            "before the answer.",
            forbids_within=is_read,
        )
    if len(leak.columns) == 1 and leak.answer:
        what = f"'{leak.columns[0]}' tells {figures.percent(leak.share, 0)} of those whose {target} is {leak.answer}"
    else:
        named = " and ".join(f"'{name}'" for name in leak.columns[:4])
        tell = "tell" if len(leak.columns) > 1 else "tells"
        what = f"{named} {tell} '{target}' for {figures.percent(leak.share, 0)} of people"
    if is_read:
        done = "and the model reads it: figures of such a model say nothing about people whose answer is not known yet"
    else:
        done = "so it was left out: it is the answer in other words, and is not known before it"
    return AuditWarning(WarningKind.TARGET_LEAK, leak.columns[0], f"{what}, {done}.", forbids_within=is_read)


def _people_in_parts(dataset: AttributeDataset, persons: Array | None) -> Iterable[AuditWarning]:
    """People who stand in the test and outside of it."""
    if persons is None:
        return
    test = dataset.split == "test"
    inside = np.unique(persons[test])
    shared = int(np.isin(inside, persons[~test]).sum())
    if shared:
        of_all = f"{figures.count(shared)} of {figures.count(len(inside))}"
        yield AuditWarning(
            WarningKind.REPEATED_PEOPLE,
            "",
            f"{of_all} test people stand in other parts of the data as well, so the model may have learned them: "
            "it looks better than it is.",
            forbids_within=shared > SAME_PEOPLE * len(inside),
        )


def repeated_rows(frame: pd.DataFrame, split: Array) -> tuple[AuditWarning, ...]:
    """Rows of the test that stand outside of it word for word, where rows are mostly different."""
    import pandas as pd

    marks = pd.util.hash_pandas_object(frame, index=False).to_numpy()
    test = split == "test"
    twice = int(np.isin(marks[test], marks[~test]).sum())
    share = twice / max(int(test.sum()), 1)
    many = share > SAME_RECORDS
    of_all = f"{figures.count(twice)} of {figures.count(int(test.sum()))}"
    if share < SOME_RECORDS or not (many or len(np.unique(marks)) > MOSTLY_DIFFERENT * len(marks)):
        return ()
    return (
        AuditWarning(
            WarningKind.REPEATED_PEOPLE,
            "",
            f"{of_all} test rows stand outside the test word for word: "
            "if they are the same people, the model looks better than it is; name the column of persons.",
            forbids_within=many,
        ),
    )


def sentinel_warnings(dataset: AttributeDataset) -> tuple[AuditWarning, ...]:
    """Numbers that stand for 'not known' and are read as amounts."""
    source = dataset.source
    if not isinstance(source, TableSource):
        return ()
    found = []
    for column in source.columns:
        if isinstance(column, Numbers) and (value := sentinel_of(column.own)) is not None:
            often = int((column.own == value).sum())
            text = number_text(value)
            found.append(
                AuditWarning(
                    WarningKind.SENTINEL,
                    column.name,
                    f"'{column.name}' is {text} in {figures.count(often)} rows, far from all other values: it seems to "
                    f"mean 'not known'{_or_more(column.own, value)}, but is read as the number {text}; "
                    "where nothing is known, leave the cells empty.",
                )
            )
    return tuple(found)


def _or_more(values: Array, value: float) -> str:
    """Large amounts are also cut off at such a number, as incomes in a census are."""
    return f" or '{number_text(value)} and more'" if value == np.nanmax(values) else ""


def sentinel_of(values: Array) -> float | None:
    """The number of a column (n,) that seems to mean 'not known': a usual one of that kind, often, and away
    from all others; None where there is none."""
    known = values[np.isfinite(values)]
    numbers, counts = np.unique(known, return_counts=True)
    if len(numbers) < FEWEST_VALUES:
        return None
    for place, beside, rest in ((0, 1, numbers[1:]), (-1, -2, numbers[:-1])):
        value, often = float(numbers[place]), int(counts[place])
        least = OFTEN_MINUS_ONE if value == -1 else 0.002
        if value not in SENTINELS or often < max(LEAST_OFTEN, least * len(known)):
            continue
        spread = float(rest[-1] - rest[0]) or 1.0
        only_negative = value < 0 and rest[0] >= 0
        if only_negative or abs(value - float(numbers[beside])) > 0.5 * spread:
            return value
    return None
