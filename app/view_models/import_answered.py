"""Who answers the people of a table that is brought in: a model, or another system whose answers stand in a column of
it; as plain data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from app.view_models.import_data import MOST_CLASSES
from fmd_core import DataError
from fmd_core.data import Column
from fmd_core.datasets.own.answered import answered_codes
from fmd_core.datasets.own.answers import used_classes, used_rows
from fmd_core.datasets.own.sniffing import ColumnProfile, Sheet
from fmd_core.datasets.own.table import TableImport
from fmd_core.datasets.table_dataset import natural

Who = Literal["a model", "another system"]
WHO: tuple[Who, ...] = get_args(Who)
TITLES: dict[Who, str] = {
    "a model": "a model that I train or open here",
    "another system": "another system: its answers are a column of this table",
}
ANSWERS = ""  # what the column holds where it is not the probability of a class
CHOOSE = "Choose the column that holds the other system's answers."
HOLDS = "Say what the column with the other system's answers holds."
UNKNOWN = "Say which answer '{}' stands for in '{}'."
TWICE = "'{}' stands for two answers in '{}'; take it out of one."


def first_guess(likely: Sequence[str], names: Sequence[str]) -> str | None:
    """The one column that looks like another system's answers; None where none does, or several."""
    found = [name for name in likely if name in names]
    return found[0] if len(found) == 1 else None


def ordered(likely: Sequence[str], names: Sequence[str]) -> list[str]:
    """The columns to choose from, first those that look like another system's answers."""
    return [*(n for n in likely if n in names), *(n for n in names if n not in likely)]


def holds(column: ColumnProfile, answers: TableImport, classes: Sequence[str]) -> dict[str, str]:
    """What a column can hold, in words by the class whose probability it is, '' for answers."""
    found = {ANSWERS: "the answers themselves"}
    if column.kind == "number" and len(classes) == 2 and not set(column.levels) <= set(_called(answers)):
        found |= {name: f"how probable “{name}” is, from 0 to 1" for name in classes}
        if column.n_levels > MOST_CLASSES:
            del found[ANSWERS]
    return found


def _called(answers: TableImport) -> dict[str, str]:
    """The class of each value that the target's column or its classes have."""
    return {**{name: name for name in answers.classes.values()}, **answers.classes}


@dataclass(frozen=True)
class Values:
    """Which values of a column stand for which class, where the target does not call them so."""

    options: tuple[str, ...]
    """Every value, in natural order."""
    first: Mapping[str, tuple[str, ...]]
    """The values to begin with, by class: those that the target calls so."""


def values(column: ColumnProfile, answers: TableImport) -> Values | None:
    """What is to be asked of the values of a column of answers; None where all are called as in the target, or are
    too many to be answers."""
    called = _called(answers)
    if column.n_levels > MOST_CLASSES or set(column.levels) <= set(called):
        return None
    levels = tuple(sorted(column.levels, key=natural))
    return Values(
        levels, {name: tuple(x for x in levels if called.get(x) == name) for name in answers.classes.values()}
    )


def value_classes(chosen: Mapping[str, Sequence[str]]) -> tuple[dict[str, str], str]:
    """The class of each value, from those chosen for each class; and a value that was chosen twice, else ''."""
    found: dict[str, str] = {}
    for name, theirs in chosen.items():
        if twice := next((value for value in theirs if value in found), ""):
            return found, twice
        found |= dict.fromkeys(theirs, name)
    return found, ""


def missing(sheet: Sheet, answers: TableImport, who: Who, held: str | None) -> str:
    """What is still to be said of the other system before it can be judged, or what is wrong with its column; ''
    when nothing. `held` is what the column holds, None where that is to be said."""
    if who == "a model":
        return ""
    if not answers.answered:
        return CHOOSE
    if held is None:
        return HOLDS
    column = sheet.column(answers.answered)
    known: Mapping[str, str] = {**_called(answers), **answers.answer_classes}
    unknown = [value for value in sorted(column.levels, key=natural) if value not in known]
    if not answers.scores_of and column.n_levels <= MOST_CLASSES and unknown:
        return UNKNOWN.format(unknown[0], answers.answered)
    return _wrong(sheet, answers)


def _wrong(sheet: Sheet, answers: TableImport) -> str:
    """What is wrong with the column, as the import would say it; '' where the rest is not answered yet."""
    if not answers.target or not answers.protected or not answers.classes:
        return ""
    try:
        rows = used_rows(sheet, answers)[0]
    except DataError:  # the split is not said yet
        return ""
    used = used_classes(answers, sheet.texts(answers.target)[rows])
    levels = tuple(dict.fromkeys((used or {}).values()))
    try:
        answered_codes(sheet, answers, rows, Column(answers.target, np.zeros(1, "int64"), levels))
    except DataError as problem:
        return str(problem)
    return ""
