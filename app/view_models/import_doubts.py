"""What is suspicious about data that are brought in, each with the ways out that a reviewer chooses from. None is
chosen for the reviewer: each changes what a verdict says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal, TypeVar

from fmd_core import AttributeDataset, figures
from fmd_core.datasets.data_warnings import (
    WarningKind,
    found_leaks,
    leak_warning,
    repeated_rows,
    sentinel_of,
    sentinel_warnings,
)
from fmd_core.datasets.own.answers import Answers, used_rows
from fmd_core.datasets.own.cut_points import with_cut
from fmd_core.datasets.own.sheet_checks import CheckedSheet, check_sheet, rare_labels, with_one_spelling
from fmd_core.datasets.own.sniffing import Sheet
from fmd_core.datasets.own.sniffing_columns import number_text
from fmd_core.datasets.own.table import TableImport
from fmd_core.datasets.own.table_rows import told_apart, without_unknown
from fmd_core.datasets.table_encoding import Numbers, TableSource

A = TypeVar("A", bound=Answers)
Way = Literal["leave out", "together", "empty", "keep"]
MOST_NAMED = 4
KEPT_SHEETS = 2  # a form asks the same of its sheet whenever an answer changes


@dataclass(frozen=True)
class Doubt:
    """Something suspicious, and what can be done about it."""

    kind: WarningKind
    columns: tuple[str, ...]
    sentence: str
    ways: Mapping[Way, str]
    value: str = ""
    """The number that seems to mean 'not known'."""

    @property
    def key(self) -> str:
        """Its name among the doubts about one file."""
        return "_".join((self.kind, *self.columns, self.value))


@lru_cache(maxsize=KEPT_SHEETS)
def one_spelling(sheet: Sheet, columns: tuple[str, ...]) -> Sheet:
    """The sheet with one spelling of each label of `columns`."""
    return with_one_spelling(sheet, columns)


@lru_cache(maxsize=KEPT_SHEETS)
def cut_target(sheet: Sheet, target: str, cut: str) -> Sheet:
    """The sheet with two answers in the place of the numbers of its target."""
    return with_cut(sheet, target, cut)


@lru_cache(maxsize=KEPT_SHEETS)
def checked(sheet: Sheet, labels: tuple[str, ...]) -> CheckedSheet:
    """What there is to know of the columns of a sheet, `labels` being target and protected columns."""
    return check_sheet(sheet, labels)


def spelling_doubts(sheet: Sheet, labels: Sequence[str]) -> tuple[Doubt, ...]:
    """Columns of labels that differ in capitals or spaces alone, or that are words for 'not known'."""
    found = []
    for name in labels:
        before = sheet.frame[name]
        after = with_one_spelling(replace(sheet, frame=sheet.frame[[name]]), [name]).frame[name]
        differ = before != after
        read = dict(zip(before[differ], after[differ], strict=True))
        if not read:
            continue
        same: dict[str, list[str]] = {}
        for text, to in read.items():
            same.setdefault(to, []).append(f"'{text}'")
        unknown = same.pop("", [])
        said = [f"'{to}' also as {_some(texts)}" for to, texts in same.items()]
        said += [f"'not stated' as {_some(unknown)}"] if unknown else []
        found.append(
            Doubt(
                WarningKind.SPELLING,
                (name,),
                f"'{name}' seems to spell labels in several ways: {'; '.join(said)}.",
                {"together": "They mean the same: put them together", "keep": "They mean different things"},
            )
        )
    return tuple(found)


def other_system_doubts(found: CheckedSheet) -> tuple[Doubt, ...]:
    """Columns that look like another system's answers."""
    if not found.answers:
        return ()
    one = len(found.answers) == 1
    named = _some([f"'{name}'" for name in found.answers])
    return (
        Doubt(
            WarningKind.TARGET_LEAK,
            found.answers,
            f"{named} {'looks' if one else 'look'} like what another system answered; a model that reads "
            f"{'it' if one else 'them'} learns what that system says.",
            {
                "leave out": f"The model shall not read {'it' if one else 'them'}",
                "keep": f"The model may read {'it' if one else 'them'}",
            },
        ),
    )


def rare_doubts(sheet: Sheet, target: str) -> tuple[Doubt, ...]:
    """Answers that stand in too few rows to be learned."""
    rare = rare_values(sheet, target)
    if not rare:
        return ()
    named = _some([f"'{level}'" for level in rare])
    return (
        Doubt(
            WarningKind.TOO_FEW,
            (target,),
            f"Too few rows to learn from have the answer {named}.",
            {"leave out": "Leave those rows out", "keep": "Put them with another answer, in the table below"},
        ),
    )


def rare_values(sheet: Sheet, target: str) -> tuple[str, ...]:
    """The values of a target that stand in too few rows, where others do not."""
    classes, said = rare_labels(sheet, target)
    return tuple(level for level in sheet.column(target).levels if level not in classes) if said else ()


def persons_sentence(found: CheckedSheet) -> str:
    """That a column seems to name people; '' where none does."""
    if not found.persons:
        return ""
    n = found.sheet.column(found.persons).n_levels
    return (
        f"'{found.persons}' seems to name people: {figures.count(n)} in "
        f"{figures.counted(len(found.sheet), 'row')}. All rows of a person then stand in one part and count as one."
    )


def weights_sentence(found: CheckedSheet) -> str:
    """That columns look like weights of the sample; '' where none does."""
    if not found.weights:
        return ""
    named = _some([f"'{name}'" for name in found.weights])
    looks = "looks like a weight" if len(found.weights) == 1 else "look like weights"
    return (
        f"{named} {looks} of the sample. Weighted, the verdict and its groups are about the people that the rows "
        "stand for."
    )


def identifiers_sentence(found: CheckedSheet) -> str:
    """That columns name people and say nothing of them, so that they are not read at first; '' where none does."""
    if not found.identifiers:
        return ""
    named = _some([f"'{name}'" for name in found.identifiers])
    one = len(found.identifiers) == 1
    return (
        f"Nearly every row has a value of its own in {named}, which {'names' if one else 'name'} people: the model "
        f"does not read {'it' if one else 'them'}, unless you say so under “More about these data”."
    )


def data_doubts(data: AttributeDataset, sheet: Sheet, answers: Answers) -> tuple[Doubt, ...]:
    """What only shows once the columns are read: those that tell the answer, numbers that mean 'not known', and
    rows that stand in several parts."""
    if not isinstance(answers, TableImport):
        return ()
    if answers.answered:  # nothing is read, so that only groups can be wrong
        return tuple(doubt for doubt in _sentinels(data) if doubt.columns[0] in data.attributes)
    return (*_leaks(data), *_sentinels(data), *_repeated(data, sheet, answers))


def _leaks(data: AttributeDataset) -> list[Doubt]:
    found = []
    for leak in found_leaks(data):
        columns = tuple(name for name in leak.columns if name not in data.attributes)
        them = _some([f"'{name}'" for name in columns])
        ways: dict[Way, str] = {
            "leave out": f"The model shall not read {them}",
            "keep": "It is known before the answer: the model may read it",
        }
        if not columns:
            ways = {"keep": "It is protected, so it is never left out; every verdict says what it tells"}
        sentence = leak_warning(data, leak, is_read=True).sentence
        found.append(Doubt(WarningKind.TARGET_LEAK, columns or leak.columns, sentence, ways))
    return found


def _sentinels(data: AttributeDataset) -> list[Doubt]:
    source, found = data.source, []
    assert isinstance(source, TableSource)
    columns = {column.name: column.own for column in source.columns if isinstance(column, Numbers)}
    for warning in sentinel_warnings(data):
        value = sentinel_of(columns[warning.column])
        assert value is not None
        text = number_text(value)
        ways: dict[Way, str] = {
            "empty": f"Read {text} as an empty cell",
            "keep": f"{text} is a number like the others",
        }
        found.append(Doubt(warning.kind, (warning.column,), warning.sentence, ways, text))
    return found


def _repeated(data: AttributeDataset, sheet: Sheet, answers: TableImport) -> list[Doubt]:
    if data.persons is not None:
        return []
    sheet = without_unknown(one_spelling(sheet, answers.one_spelling), answers.not_known)
    sheet = with_cut(sheet, answers.target, answers.cut)
    rows = used_rows(sheet, answers)[0]
    ways: dict[Way, str] = {
        "together": "They are the same people: keep equal rows in one part",
        "keep": "They are different people who happen to be alike",
    }
    return [
        Doubt(warning.kind, (), warning.sentence, ways)
        for warning in repeated_rows(told_apart(sheet, answers).iloc[rows], data.split)
    ]


def resolved(answers: TableImport, doubts: Sequence[Doubt], chosen: Mapping[str, Way | None]) -> TableImport:
    """The answers with the way that was chosen out of each doubt, by its key."""
    for doubt in doubts:
        way = chosen[doubt.key]
        if way == "leave out":
            answers = replace(answers, leave_out=tuple(dict.fromkeys((*answers.leave_out, *doubt.columns))))
        elif way == "empty":
            answers = replace(answers, not_known={**answers.not_known, doubt.columns[0]: doubt.value})
        elif way == "together":
            answers = replace(answers, equal_rows="one person")
    return answers


def _some(names: Sequence[str]) -> str:
    """Names in a sentence, many of them shortened."""
    more = len(names) - MOST_NAMED
    return figures.listed([*names[:MOST_NAMED], *([f"{more} more"] if more > 0 else [])])
