"""The rows of a table as a reviewer says they are: which numbers mean 'not known', whose the equal rows are, and which
groups the protected columns make."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from fmd_core.data import Array
from fmd_core.datasets.own.answers import Answers, answered_columns, people_of, protected_rule, used_rows
from fmd_core.datasets.own.sheet_checks import check_sheet
from fmd_core.datasets.own.sniffing import Sheet, count
from fmd_core.datasets.own.sniffing_columns import profile_column
from fmd_core.datasets.table_dataset import protected_column
from fmd_core.datasets.table_encoding import MISSING
from fmd_core.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

    from fmd_core.datasets.own.table import TableImport


def without_unknown(sheet: Sheet, not_known: Mapping[str, str]) -> Sheet:
    """The sheet with empty cells where a column holds the number that means 'not known', as is said in its notes."""
    if not not_known:
        return sheet
    frame, columns, notes = sheet.frame.copy(), list(sheet.columns), list(sheet.notes)
    for name, number in not_known.items():
        old = sheet.column(name)
        unknown = sheet.texts(name) == number
        frame[name] = frame[name].mask(unknown, "")
        profile = profile_column(name, frame[name], comma_is_decimal=old.style == "decimal comma")
        columns[columns.index(old)] = replace(profile, role=old.role)
        notes.append(f"'{name}' is {number} in {count(int(unknown.sum()), 'row')}, read as '{MISSING}'.")
    return replace(sheet, frame=frame, columns=tuple(columns), notes=tuple(notes))


def persons_of(sheet: Sheet, settings: TableImport, rows: Array) -> Array | None:
    """A code for the person of each of `rows` (m,), None where each row is a person of its own."""
    if settings.person or settings.equal_rows == "several people":
        return people_of(sheet, settings, rows)
    facts = told_apart(sheet, settings).iloc[rows]
    return facts.groupby(list(facts.columns), sort=False).ngroup().to_numpy("int64")


def group_levels(sheet: Sheet, answers: Answers) -> dict[str, tuple[str, ...]]:
    """The groups that each protected column makes of the rows that are used; none where there would be one only."""
    rows = used_rows(sheet, answers)[0]
    frame, found = answered_columns(sheet, answers, rows), {}
    for name in answers.protected:
        with suppress(DataError):  # one value only: opening says so
            found[name] = protected_column(frame[name], protected_rule(sheet, answers, name, rows)).levels
    return found


def told_apart(sheet: Sheet, settings: TableImport) -> pd.DataFrame:
    """The cells by which rows are told apart: of all columns but identifiers and the split."""
    labels = (settings.target, *settings.protected)
    out = {settings.split_column, *check_sheet(sheet, labels).identifiers}
    return sheet.frame[[column.name for column in sheet.columns if column.name not in out]]
