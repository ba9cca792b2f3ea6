"""The questions about a reviewer's own data, and what came of the answers, as plain data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Mapping
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np
import pandas as pd

from app.view_models.import_doubts import Doubt, data_doubts
from fmd_core import AttributeDataset, DataError, figures
from fmd_core.data import SPLITS, Split
from fmd_core.datasets.own.answers import Answers, Grouping, suggest_grouping, suggest_split_values
from fmd_core.datasets.own.cut_points import limits_of
from fmd_core.datasets.own.imports import Kept
from fmd_core.datasets.own.sniffing import ColumnProfile, Sheet
from fmd_core.datasets.own.sniffing_columns import is_amount
from fmd_core.datasets.own.table import Giveaway, TableImport, giveaways
from fmd_core.datasets.table_dataset import natural
from fmd_core.kinds import find_kind

GROUPING_TITLES: dict[Grouping, str] = {
    "values": "every value",
    "ages": "age groups",
    "thirds": "low, middle and high third",
    "halves": "lower and upper half",
    "quarters": "four quarters",
    "own": "limits of your own",
}
MOST_GROUPS = 20  # different numbers that can be groups of their own
SPLIT_TITLES: dict[Split, str] = {
    "train": "teaches the model",
    "external": "decides the fix",
    "validation": "guards the fix",
    "test": "judges the fix",
}
NO_SPLIT = "out"
PART_TITLES = {str(split): title for split, title in SPLIT_TITLES.items()} | {NO_SPLIT: "left out"}
MOST_CLASSES = 20
Cure = Literal["keep", "leave out", "change along"]


def groupings(column: ColumnProfile) -> tuple[Grouping, ...]:
    """How this column can make groups, the suggested way first."""
    first = suggest_grouping(column)
    if column.kind != "number" or column.n_levels <= 2:
        return (first,)
    few = column.n_levels <= MOST_GROUPS
    return (first, *(way for way in get_args(Grouping) if way != first and (few or way != "values")))


def class_rows(column: ColumnProfile, left_out: Container[str] = ()) -> pd.DataFrame | None:
    """Every value of a target with its rows and an answer to edit, empty for those `left_out`; None for too many
    values. They stand in the order in which a model has them: 0 before 1, whichever is more frequent."""
    if column.n_levels > MOST_CLASSES:
        return None
    rows = dict(zip(column.levels, column.counts, strict=True))
    levels = sorted(rows, key=natural)
    return pd.DataFrame(
        {
            "Value": levels,
            "Rows": [rows[level] for level in levels],
            "Answer": ["" if level in left_out else level for level in levels],
        }
    )


def class_values(rows: pd.DataFrame) -> dict[str, str]:
    """Which value is which answer, from the edited rows; a cleared one is left out."""
    answers = rows["Answer"].fillna("").str.strip()
    return {value: name for value, name in zip(rows["Value"], answers, strict=True) if name}


def split_rows(column: ColumnProfile) -> pd.DataFrame | None:
    """Every value of a split column with what it seems to mean; None for too many values."""
    if column.n_levels > MOST_CLASSES:
        return None
    meant = suggest_split_values(column)
    parts = [meant.get(level, NO_SPLIT) for level in column.levels]
    return pd.DataFrame({"Value": list(column.levels), "Rows": list(column.counts), "Part": parts})


def split_values(rows: pd.DataFrame) -> dict[str, Split]:
    """Which value means which part, from the edited rows."""
    return {
        value: split
        for value, split in zip(rows["Value"], rows["Part"], strict=True)
        if split in SPLIT_TITLES
    }


def kept_names(kept: tuple[Kept, ...], kind: str) -> dict[str, str]:
    """Imports of one kind by id, the latest first; of the same name, all but the latest are numbered."""
    names: dict[str, str] = {}
    same = Counter[str]()
    for found in kept:
        if found.kind == kind:
            same[found.name] += 1
            older = same[found.name] > 1
            names[found.id] = f"{found.name} ({same[found.name]}, older)" if older else found.name
    return names


def missing(sheet: Sheet, answers: Answers) -> str:
    """What is still to be said before the data can be opened; empty when nothing is."""
    if answers.unanswered():
        return answers.unanswered()
    if not answers.target:
        return "Choose the column that the model predicts."
    target = sheet.column(answers.target)
    if target.n_levels > MOST_CLASSES and is_amount(target):
        return f"Say from which value on '{target.name}' is the other answer."
    if target.n_levels > MOST_CLASSES:
        return (
            f"'{target.name}' has {target.n_levels:,} different values, and a model here chooses between "
            f"{MOST_CLASSES} answers at most. Choose another column to predict."
        )
    if target.n_levels < 2:
        return f"'{target.name}' says the same in every row, so there is nothing to predict. Choose another column."
    if len(set(answers.classes.values())) < 2:
        return "Keep at least two different answers."
    if not answers.compares():
        return "Choose at least one column that should not matter."
    for name, grouping in answers.protected.items():
        if grouping == "own":
            try:
                limits_of(name, answers.limits.get(name, ""))
            except DataError as error:
                return str(error)
    if answers.split_column and "train" not in answers.split_values.values():
        return (
            f"Say which value of '{answers.split_column}' teaches the model, or choose no column and let chance "
            "share the rows out."
        )
    return ""


@dataclass(frozen=True)
class Incoming:
    """What a job is about that brings data in: the file, by its name."""

    name: str


@dataclass(frozen=True)
class Imported:
    """Data that came in: the id under which `imports` knows them, what was said about them, and what was found."""

    id: str
    name: str
    answers: Answers
    summary: str
    notes: tuple[str, ...]
    giveaways: tuple[Giveaway, ...]
    doubts: tuple[Doubt, ...] = ()

    @property
    def is_settled(self) -> bool:
        """Whether nothing is left to be chosen."""
        return not self.giveaways and not self.doubts

    def without(self, earlier: Imported) -> Imported:
        """What is left to be chosen once the reviewer has answered what an earlier import of the file asked."""
        cured = {(giveaway.attribute, giveaway.column) for giveaway in earlier.giveaways}
        settled = {doubt.key for doubt in earlier.doubts}
        return replace(
            self,
            giveaways=tuple(g for g in self.giveaways if (g.attribute, g.column) not in cured),
            doubts=tuple(doubt for doubt in self.doubts if doubt.key not in settled),
        )


def describe_import(id: str, name: str, answers: Answers, data: AttributeDataset, sheet: Sheet) -> Imported:
    """What a reviewer reads, and has to choose, after an import."""
    found = giveaways(data) if find_kind(data.source.kind).has_giveaways else ()
    told = {giveaway.words for giveaway in found}
    sizes = ", ".join(f"{int((data.split == s).sum()):,} {_SHORT[s]}" for s in SPLITS)
    levels = ", ".join(data.target.levels)
    people = figures.counted(len(data), data.unit)
    if data.persons is not None:
        n = figures.counted(len(np.unique(data.persons)), "person")
        people = f"{figures.counted(len(data), 'row')} of {n}"
    summary = f"{people} with the answers {levels}: {sizes}."
    if data.answered is not None:
        judged = (
            "all of them judge it"
            if data.parts_are_drawn
            else f"{figures.count(len(data.rows('test')))} judge it"
        )
        summary = f"{people} and what another system answered them ({levels}): {judged}."
        return Imported(
            id, name, answers, summary, data.notes_of_people, (), data_doubts(data, sheet, answers)
        )
    notes = tuple(note for note in data.notes if note not in told)
    return Imported(id, name, answers, summary, notes, found, data_doubts(data, sheet, answers))


_SHORT: dict[Split, str] = {
    "train": "to teach the model",
    "external": "to decide the fix",
    "validation": "to guard it",
    "test": "to judge it",
}


def cures(giveaway: Giveaway) -> dict[Cure, str]:
    """What can be done about a column that gives an attribute away, in words; our advice first. A protected
    column is never left out: what is not read cannot be measured."""
    found: dict[Cure, str] = {}
    if giveaway.swap:
        one, other = giveaway.swap
        found["change along"] = f"A twin changes it too: {one} and {other} swap"
    elif giveaway.along is not None:
        found["change along"] = f"A twin changes both: {giveaway.attribute}, and {giveaway.column} with it"
    if not giveaway.is_protected:
        found["leave out"] = f"The model shall not read {giveaway.column}"
    return {**found, "keep": "Leave it as it is; twins show too little, so look at the groups"}


def giveaway_words(giveaway: Giveaway) -> str:
    """What gives what away, and how often."""
    shown = "; ".join(f"{level} means {group}" for level, group in list(giveaway.levels.items())[:3])
    return (
        f"{giveaway.column} tells {giveaway.attribute} for {figures.percent(giveaway.coverage)} of the "
        f"training rows ({shown})"
    )


def cured(
    answers: TableImport, found: tuple[Giveaway, ...], chosen: Mapping[tuple[str, str], Cure | None]
) -> TableImport:
    """The answers with what was chosen for each giveaway, by its attribute and column."""
    out = {g.column for g in found if chosen[g.attribute, g.column] == "leave out"}
    also = {name: dict(columns) for name, columns in answers.also_change.items()}
    for g in found:
        if chosen[g.attribute, g.column] == "change along" and g.column not in out:
            also.setdefault(g.attribute, {})[g.column] = g.along or {}
    leave_out = tuple(dict.fromkeys((*answers.leave_out, *sorted(out))))
    return replace(answers, leave_out=leave_out, also_change=also)


__all__ = [
    "NO_SPLIT", "PART_TITLES", "SPLIT_TITLES", "Grouping", "Imported", "Incoming", "Split", "class_rows",
    "class_values", "cured", "cures", "describe_import", "giveaway_words", "groupings", "kept_names", "missing",
    "split_rows", "split_values",
]  # fmt: skip
