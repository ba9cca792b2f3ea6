"""A reviewer's own table as a data set, by the answers given on the import page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fmd_core.data import Array, AttributeDataset
from fmd_core.datasets.data_warnings import AuditWarning, WarningKind, repeated_rows
from fmd_core.datasets.own.answered import answered_codes
from fmd_core.datasets.own.answers import (
    Answers,
    Grouping,
    answered_columns,
    check_choices,
    protected_rule,
    share_out,
    suggested,
    used_classes,
    used_rows,
    weights_of,
)
from fmd_core.datasets.own.cut_points import with_cut
from fmd_core.datasets.own.sheet_checks import check_sheet, with_one_spelling
from fmd_core.datasets.own.sniffing import Sheet, first_ten, listed, read_table
from fmd_core.datasets.own.table_rows import persons_of, without_unknown
from fmd_core.datasets.table_checks import Giveaway, giveaways
from fmd_core.datasets.table_dataset import MAX_CLASSES, AlsoChange, make_table_dataset
from fmd_core.datasets.table_encoding import MISSING, Binned, TableSource, ages, thirds
from fmd_core.datasets.table_notes import attribute_notes, leak_note, number_notes
from fmd_core.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "AlsoChange", "Binned", "Giveaway", "Grouping", "TableImport", "TableSource", "ages", "giveaways",
    "make_table_dataset", "open_table", "suggest_table", "thirds",
]  # fmt: skip


EQUAL_ROWS = ("several people", "one person")


@dataclass(frozen=True)
class TableImport(Answers):
    """Answers about a table: besides, columns that the model shall not read, and what else changes
    when a protected attribute does (sex: relationship: Husband <-> Wife)."""

    leave_out: tuple[str, ...] = ()
    also_change: AlsoChange = field(default_factory=dict)
    unit: str = "person"
    not_known: Mapping[str, str] = field(default_factory=dict, kw_only=True)
    """The number that means 'not known', by column: such cells are read as empty."""
    equal_rows: str = field(default="several people", kw_only=True)
    """Whose the rows are that are equal in all that counts, one of `EQUAL_ROWS`."""
    answered: str = field(default="", kw_only=True)
    """The column with what another system answered; it is not read. '' where no other system does."""
    answer_classes: Mapping[str, str] = field(default_factory=dict, kw_only=True)
    """The class that a value of `answered` stands for, where it is called otherwise than in the target."""
    scores_of: str = field(default="", kw_only=True)
    """The class whose probability `answered` holds; '' where it holds answers."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choices("an owner of equal rows", [self.equal_rows], EQUAL_ROWS)


def suggest_table(sheet: Sheet) -> TableImport:
    """Answers to begin with; `target` is '' where no column looks like one."""
    left_out = tuple(column.name for column in sheet.columns if column.role in ("ignore", "file"))
    return TableImport(**suggested(sheet), leave_out=left_out)


def open_table(table: Path | Sheet, settings: TableImport) -> AttributeDataset:
    """The data set that a table and the answers about it make; what was skipped is in its notes.

    Raises DataError for an unknown column, a target with one class or over 20, a protected column
    with one value, a class too small to share out.
    """
    sheet = with_one_spelling(table if isinstance(table, Sheet) else read_table(table), settings.one_spelling)
    sheet = without_unknown(sheet, settings.not_known)
    sheet = with_cut(sheet, settings.target, settings.cut)
    check_answers(sheet, settings)
    rows, given, skipped = used_rows(sheet, settings)
    labels = sheet.texts(settings.target)[rows]
    classes = np.array([settings.classes.get(label, label) for label in labels], dtype=object)
    persons = persons_of(sheet, settings, rows)
    split, drawn = share_out(classes, given, settings.seed, persons)
    frame, left_out = _frame(sheet, settings, rows)
    dataset = make_table_dataset(
        sheet.name,
        frame,
        target=settings.target,
        classes=used_classes(settings, labels),
        protected=[protected_rule(sheet, settings, name, rows) for name in settings.protected],
        split=split,
        leave_out=[name for name in settings.leave_out if name in settings.protected],
        also_change=settings.also_change,
        unit=settings.unit,
    )
    told = [giveaway.words for giveaway in giveaways(dataset)]
    leaks = leak_note(frame, split, settings.unit)
    numbers = number_notes(dataset, settings.leave_out)
    of_reading = (*left_out, *drawn, *leaks, *numbers, *told)
    dataset = replace(
        dataset,
        favourable=settings.favourable,
        phrases=settings.phrases,
        references=settings.references,
        persons=persons,
        weights=weights_of(sheet, settings, rows),
        answered=answered_codes(sheet, settings, rows, dataset.target),
        not_read=_unread(sheet, dataset),
        parts_are_drawn=not settings.split_column,
        notes=(
            *sheet.notes,
            *skipped,
            *left_out,
            *drawn,
            *leaks,
            *numbers,
            *attribute_notes(dataset, frame),
            *told,
        ),
        notes_of_reading=of_reading,
    )
    return replace(dataset, warnings=_file_warnings(sheet, settings, rows, dataset))


def _unread(sheet: Sheet, dataset: AttributeDataset) -> tuple[str, ...]:
    """Columns of the file that the model does not read."""
    source = dataset.source
    read = {c.name for c in source.columns if c.input_names} if isinstance(source, TableSource) else set()
    return tuple(c.name for c in sheet.columns if c.name not in read and c.name != dataset.target.name)


def _file_warnings(
    sheet: Sheet, settings: TableImport, rows: Array, dataset: AttributeDataset
) -> tuple[AuditWarning, ...]:
    """What only the whole file tells: numbers of people, weights, other systems' answers, rows that stand in
    several parts."""
    read = {column.name for column in sheet.columns} - set(dataset.not_read)
    labels = [settings.target, *settings.protected, *([settings.answered] if settings.answered else [])]
    checked = check_sheet(sheet, labels, persons=settings.person, weights=settings.weights, read=read)
    said_elsewhere = {WarningKind.SPELLING, *(() if settings.person else (WarningKind.REPEATED_PEOPLE,))}
    found = [warning for warning in checked.warnings if warning.kind not in said_elsewhere]
    if dataset.persons is None:
        aside = {*checked.identifiers, settings.split_column}
        facts = sheet.frame.iloc[rows].drop(columns=[c.name for c in sheet.columns if c.name in aside])
        found += repeated_rows(facts, dataset.split)
    return tuple(found)


def check_answers(sheet: Sheet, answers: Answers) -> None:
    """The answers name different columns that are there, and a target that can be one."""
    if not answers.target:
        raise DataError("No target is chosen; say which column the model predicts.")
    if not answers.compares():
        raise DataError("No protected column is chosen; say which columns should not matter.")
    target = sheet.column(answers.target)
    for name in (*answers.protected, *([answers.split_column] if answers.split_column else [])):
        sheet.column(name)
        if name == answers.target:
            raise DataError(f"'{name}' is the target, so it cannot be protected or the split as well.")
    if answers.split_column in answers.protected:
        raise DataError(f"'{answers.split_column}' is the split, so it cannot be protected as well.")
    for name, does in ((answers.person, "names people"), (answers.weights, "says how many people a row is")):
        if name:
            sheet.column(name)
        if name and name in (answers.target, answers.split_column, *answers.protected):
            raise DataError(f"'{name}' {does}, so it cannot be target, protected or the split as well.")
    if not answers.classes and target.n_levels > MAX_CLASSES:
        raise DataError(
            f"'{answers.target}' has {target.n_levels:,} different values; a target may have {MAX_CLASSES} "
            "classes. Choose another target, or put its values together."
        )


def _frame(sheet: Sheet, settings: TableImport, rows: Array) -> tuple[pd.DataFrame, list[str]]:
    """The columns that count, numbers as numbers, and why others do not."""
    import pandas as pd

    answered = answered_columns(sheet, settings, rows)
    never = {settings.split_column, settings.person, settings.weights, settings.answered, *settings.leave_out}
    columns: dict[str, Array | pd.Series] = {}
    texts, constant = [], []
    for column in sheet.columns:
        if column.name in answered:
            columns[column.name] = answered[column.name]
        elif column.name in never:
            continue
        elif column.kind == "text":
            texts.append(column.name)
        elif column.n_levels < 2 and not (column.n_levels and column.missing):
            constant.append(column.name)
        else:
            values = sheet.numbers if column.kind == "number" else sheet.texts
            columns[column.name] = values(column.name)[rows]
    notes = [f"Left out, since nearly every row has its own text: {listed(texts)}."] if texts else []
    notes += [f"Left out, since all rows are alike: {listed(constant)}."] if constant else []
    used = columns.keys() - {settings.target}  # a row without its class is skipped
    gaps = [f"'{c.name}' ({c.missing:,})" for c in sheet.columns if c.name in used and c.missing]
    notes += [f"Empty cells are read as '{MISSING}': {first_ten(gaps)}."] if gaps else []
    return pd.DataFrame(columns), notes
