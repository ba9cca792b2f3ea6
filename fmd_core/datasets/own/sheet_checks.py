"""Warnings of a table before anything is read of it: identifiers, persons, weights, spellings; and the
same table with one spelling for each label."""

from __future__ import annotations

import re
from collections.abc import Container, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from fmd_core import figures
from fmd_core.datasets.data_warnings import AuditWarning, WarningKind
from fmd_core.datasets.own.answers import MIN_CLASS
from fmd_core.datasets.own.sniffing import ColumnProfile, Sheet, count
from fmd_core.datasets.own.sniffing_columns import NOT_STATED, is_amount, profile_column, suggest_roles
from fmd_core.datasets.table_dataset import MAX_CLASSES
from fmd_core.errors import DataError
from fmd_core.text import clean_names

if TYPE_CHECKING:
    import pandas as pd

_NOT_KNOWN = NOT_STATED | {"?", "-", "unknown", "missing", "not stated", "not known"}
_WEIGHTS = re.compile(
    r"fnl ?wgt|p ?weight|weights|wgt|(?:sample|survey|person|final|case|design|population|sampling|instance) ?"
    r"(?:weights?|wgt|wt)"
)
_PERSON = re.compile(
    r"(?:.* )?(?:person|patient|user|customer|client|subject|student|candidate|applicant|employee|member|participant|"
    r"people|individual|entity|identity|lesion|product|item|animal|household|speaker|writer)"
    r"(?: ?(?:id|nr|no|key|number|code))?|id"
)
_IDENTIFIER = re.compile(
    r"(?:.* )?(?:id|index|uuid|guid|key|row|rownames|nr|no|number|name|unnamed.*|column 1)"
)
_ANOTHER_SYSTEM = re.compile(
    r"model .*|(?:y )?pred(?:icted|iction|ictions)?(?: .*)?|y ?hat|.* (?:pred|prediction|predicted)|"
    r"prob(?:a|ability)?(?: .*)?|(?:.* )?(?:decile|risk|recid\w*) scores?(?: .*)?|(?:.* )?score (?:text|label|band)"
)
_WRITTEN_NUMBER = re.compile(
    r"[^a-zA-Z]*[0-9][^a-zA-Z]*(?:[a-zA-Z]{3}[^a-zA-Z]*)?"
)  # an amount, a share or a date
OWN_VALUE = 0.95  # of the rows have a value of their own: an identifier
FEWEST_PERSONS = 20


@dataclass(frozen=True, eq=False)
class CheckedSheet:
    """A table whose labels have one spelling each, and what there is to know of its columns."""

    sheet: Sheet
    warnings: tuple[AuditWarning, ...]
    identifiers: tuple[str, ...]
    persons: str  # the column that says whose row it is, "" where there is none
    weights: tuple[str, ...]  # columns that look like survey weights
    answers: tuple[str, ...] = ()  # columns that look like another system's answers


def without_header_rows(sheet: Sheet) -> Sheet:
    """The table without rows that repeat its header; where the header stands twice at the top, it becomes
    the names of the columns."""
    frame, names = sheet.frame, [column.name for column in sheet.columns]
    if len(frame) > 1 and names[0] == "column 1" and (frame.iloc[0] == frame.iloc[1]).all():
        names = list(clean_names(frame.iloc[0]))
    repeats = (frame == names).all(axis=1).to_numpy()
    if not repeats.any():
        return sheet
    kept = frame[~repeats].reset_index(drop=True)
    kept.columns = names
    profiles = [profile_column(name, kept[name], comma_is_decimal=False) for name in names]
    roles = suggest_roles(profiles, len(kept))
    columns = tuple(replace(profile, role=roles[profile.name]) for profile in profiles)
    note = f"{count(int(repeats.sum()), 'row')} skipped: the header stands there again."
    return replace(sheet, frame=kept, columns=columns, notes=(*sheet.notes, note))


def check_sheet(
    sheet: Sheet, labels: Sequence[str], *, persons: str = "", weights: str = "", read: Container[str] = ()
) -> CheckedSheet:
    """Look at all columns; `labels` are target and protected columns, whose spellings are put together. Of what
    ought not to be read, the columns in `read` are said to be read all the same."""
    said: list[AuditWarning] = []
    for name in labels:
        sheet, warning = _one_spelling(sheet, name)
        said += warning
    free = [c for c in sheet.columns if c.name not in {*labels, persons, weights}]
    whose = persons or _persons(free, len(sheet))
    heavy = tuple(c.name for c in free if c.kind == "number" and _WEIGHTS.fullmatch(_plain(c.name)))
    numbered = tuple(c.name for c in free if c.name not in (whose, *heavy) and _is_identifier(sheet, c))
    said += [
        AuditWarning(
            WarningKind.IDENTIFIER,
            name,
            f"'{name}' has a value of its own in nearly every row: it names people and says nothing of them; "
            f"{'the model reads it all the same' if name in read else 'not read'}.",
        )
        for name in numbered
    ]
    answers = tuple(c.name for c in free if _is_another_systems(c, labels))
    said += [
        AuditWarning(
            WarningKind.TARGET_LEAK,
            name,
            f"'{name}' looks like another system's answer, and the model reads it: it learns what that system says."
            if name in read
            else f"'{name}' looks like another system's answer, so it is not read; to audit that system, name it as "
            "the predictions or scores.",
        )
        for name in answers
    ]
    said += _weights_said(sheet, weights, heavy, read)
    if whose:
        said += _persons_said(sheet, whose, is_given=bool(persons))
    return CheckedSheet(sheet, tuple(said), numbered, whose, heavy, answers)


def rare_labels(sheet: Sheet, target: str) -> tuple[dict[str, str], list[AuditWarning]]:
    """Classes for the labels that are frequent enough to learn ({} where all are), and who is left out. Raises
    DataError for a target that is an amount: every year or mark would be a class of its own."""
    column = sheet.column(target)
    if is_amount(column) and column.n_levels <= MAX_CLASSES:
        raise DataError(
            f"'{target}' holds {column.n_levels} different numbers, so it is an amount and no answer. Make a column of "
            "two answers of it, such as 'pass' from 10 on, or say that each number is a class by naming all classes."
        )
    labels = sheet.texts(target)
    found, counts = np.unique(labels[labels != ""].astype(str), return_counts=True)
    rare = [(str(label), int(n)) for label, n in zip(found, counts, strict=True) if n < MIN_CLASS]
    if not rare or len(found) - len(rare) < 2 or len(found) > 50:
        return {}, []
    named = ", ".join(f"'{label}' ({n})" for label, n in rare[:5])
    left = [str(label) for label in found if str(label) not in dict(rare)]
    return {label: label for label in left}, [
        AuditWarning(
            WarningKind.SPELLING,
            target,
            f"'{target}' has labels in fewer than {MIN_CLASS} rows, which were left out: {named}.",
        )
    ]


def with_one_spelling(sheet: Sheet, columns: Sequence[str]) -> Sheet:
    """The sheet with the labels of `columns` put together where they differ in capitals or spaces alone, each
    said in its notes."""
    for name in columns:
        sheet, said = _one_spelling(sheet, name)
        sheet = replace(sheet, notes=(*sheet.notes, *(warning.sentence for warning in said)))
    return sheet


def _one_spelling(sheet: Sheet, name: str) -> tuple[Sheet, list[AuditWarning]]:
    """The sheet with labels that differ in capitals or a full stop alone put together, under the most common
    spelling, and with words for 'not known' as empty cells."""
    if sheet.column(name).kind == "number":
        return sheet, []
    cells = sheet.frame[name]
    counts = {str(text): int(n) for text, n in cells.value_counts().items()}
    best: dict[str, str] = {}
    for text in sorted(counts, key=lambda text: -counts[text]):
        best.setdefault(_same(text), text)
    new = {text: "" if text.lower() in _NOT_KNOWN else best[_same(text)] for text in counts if text}
    changed = {text: to for text, to in new.items() if text != to}
    if not changed:
        return sheet, []
    frame: pd.DataFrame = sheet.frame.copy()
    frame[name] = cells.map(lambda text: new.get(text, text)).astype(cells.dtype)
    role = sheet.column(name).role
    profile = replace(profile_column(name, frame[name], comma_is_decimal=False), role=role)
    columns = tuple(profile if c.name == name else c for c in sheet.columns)
    merged = [f"'{text}' as '{to}'" for text, to in changed.items() if to]
    empty = [f"'{text}'" for text, to in changed.items() if not to]
    read = [*merged, *([f"{', '.join(empty)} as not stated"] if empty else [])]
    warning = AuditWarning(
        WarningKind.SPELLING, name, f"'{name}' spells labels in several ways; read {'; '.join(read[:6])}."
    )
    return replace(sheet, frame=frame, columns=columns), [warning]


def _same(text: str) -> str:
    return " ".join(text.casefold().rstrip(".").split())


def _plain(name: str) -> str:
    apart = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)
    return " ".join(re.split(r"[^a-z0-9]+", apart.lower())).strip()


def _persons(columns: Sequence[ColumnProfile], n_rows: int) -> str:
    """A column whose name says that it names people, who occur several times."""
    for column in columns:
        several = FEWEST_PERSONS <= column.n_levels <= OWN_VALUE * n_rows
        if several and _PERSON.fullmatch(_plain(column.name)):
            return column.name
    return ""


def _is_another_systems(column: ColumnProfile, labels: Sequence[str]) -> bool:
    """Whether a column looks like what another system says: by its name; or a score that is a probability, or no
    fact of anybody beside an answer called the label's value (the form that audit tools take)."""
    name = _plain(column.name)
    if _ANOTHER_SYSTEM.fullmatch(name):
        return True
    return name in ("score", "scores") and ("label_value" in labels or _are_probabilities(column))


def _are_probabilities(column: ColumnProfile) -> bool:
    """Whether the most frequent values are broken numbers from 0 to 1."""
    if column.kind != "number" or column.n_levels <= 2:
        return False
    values = [float(level) for level in column.levels]
    return min(values) >= 0 and max(values) <= 1


def _is_identifier(sheet: Sheet, column: ColumnProfile) -> bool:
    if column.n_levels <= OWN_VALUE * len(sheet):
        return False
    if _IDENTIFIER.fullmatch(_plain(column.name)):
        return True
    if column.kind != "number":
        return not any(_WRITTEN_NUMBER.fullmatch(text) for text in column.examples)
    values = sheet.numbers(column.name)
    known = values[np.isfinite(values)]
    is_whole = bool((known == np.floor(known)).all())
    return is_whole and len(known) > 0 and np.ptp(known) + 1 <= 2 * len(known)  # 1, 2, 3, ...


def _weights_said(
    sheet: Sheet, weights: str, heavy: Sequence[str], read: Container[str]
) -> list[AuditWarning]:
    if weights:
        values = sheet.numbers(weights)
        known = values[np.isfinite(values)]
        worth = known.sum() ** 2 / max((known**2).sum(), 1e-300)
        return [
            AuditWarning(
                WarningKind.WEIGHTS,
                weights,
                f"Every figure is weighted by '{weights}': {figures.count(len(known))} rows are as much evidence as "
                f"{figures.count(round(float(worth)))} of equal weight. A model that is trained here knows no weights.",
            )
        ]
    return [
        AuditWarning(
            WarningKind.WEIGHTS,
            name,
            f"'{name}' looks like a weight of the sample: the model reads it, and figures are not weighted."
            if name in read
            else f"'{name}' looks like a weight of the sample: it is not read, and figures are not weighted; name it "
            "as the weights if they should be.",
        )
        for name in heavy
    ]


def _persons_said(sheet: Sheet, name: str, *, is_given: bool) -> list[AuditWarning]:
    texts = sheet.texts(name)
    _, counts = np.unique(texts[texts != ""].astype(str), return_counts=True)
    several = int((counts > 1).sum())
    if not several:
        return []
    who = "names people" if is_given else "seems to name people"
    of_all = f"{figures.count(several)} of {figures.count(len(counts))}"
    return [
        AuditWarning(
            WarningKind.REPEATED_PEOPLE,
            name,
            f"'{name}' {who}, and {of_all} stand in several rows: it is not read, nobody is put in two parts, and the "
            "rows of one person count as one.",
        )
    ]
