"""DATA of `fmd audit`: a reference, a table, or pictures with a list, opened with every warning."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from fmd_core.data import AttributeDataset, Split
from fmd_core.datasets.data_warnings import AuditWarning, WarningKind, found_leaks, leak_warning
from fmd_core.datasets.families import FAMILIES, load_dataset, parse_reference
from fmd_core.datasets.own.answered import answered_codes
from fmd_core.datasets.own.answers import Answers, suggest_grouping, suggest_split_values, used_rows
from fmd_core.datasets.own.archives import list_images, names_in_zip, open_zip
from fmd_core.datasets.own.bringing import ListFile, bring_pictures
from fmd_core.datasets.own.image_folder import FolderImport, open_image_folder
from fmd_core.datasets.own.one_hot import find_one_hot
from fmd_core.datasets.own.sheet_checks import (
    CheckedSheet,
    check_sheet,
    rare_labels,
    without_header_rows,
)
from fmd_core.datasets.own.sniffing import Sheet, read_table
from fmd_core.datasets.own.table import TableImport, giveaways, open_table, suggest_table
from fmd_core.datasets.table_checks import same_in_other_words
from fmd_core.errors import DataError

MOST_LEAKS = 5  # rounds of leaving out what tells the answer


@dataclass(frozen=True)
class DataRequest:
    """What the command line says of the data."""

    data: str
    target: str = ""
    protected: tuple[str, ...] = ()
    id: str = ""
    weights: str = ""
    predictions: str = ""
    scores: str = ""
    list: Path | None = None
    split: str = ""
    classes: tuple[str, ...] = ()
    keep: tuple[str, ...] = ()
    along: tuple[str, ...] = ()
    """Columns that tell a protected one and change with it."""
    reads_all: bool = False
    """Whether a model that is given decides what is read, so that nothing is left out for it."""
    seed: int = 0

    @property
    def is_audit_of_answers(self) -> bool:
        """Whether another system's answers are audited."""
        return bool(self.predictions or self.scores)


@dataclass(frozen=True, eq=False)
class AuditData:
    """What is opened: the data set, with everything that is known of it."""

    dataset: AttributeDataset
    has_model: str = ""  # the reference whose demo brings a model


def open_data(request: DataRequest, kept: ExitStack) -> AuditData:
    """Open DATA; folders that are needed as long as it is lie in `kept`. Raises DataError in one sentence."""
    path = Path(request.data)
    if path.is_dir() or path.suffix.lower() == ".zip":
        return _open_pictures(path, request, kept)
    if path.is_file():
        return _open_table(path, request)
    if path.suffix and "?" not in request.data:
        raise DataError(f"There is no file '{request.data}', and no data set is called so.")
    return _open_reference(request)


# --- references


def _open_reference(request: DataRequest) -> AuditData:
    family, options = parse_reference(request.data)
    for name, value in (("target", request.target), ("protected", ",".join(request.protected))):
        if value and name in FAMILIES[family].defaults:
            options[name] = value
    for name in ("weights", "predictions", "scores", "id"):
        if getattr(request, name):
            raise DataError(f"--{name} names a column of a table, and '{family}' is none; give a file.")
    dataset = load_dataset(family, **options)
    if request.target and "target" not in options and request.target != dataset.target.name:
        raise DataError(f"'{family}' predicts '{dataset.target.name}', not '{request.target}'.")
    if request.protected and "protected" not in options:
        chosen = {name: dataset.attribute(name) for name in request.protected}
        compared = {name: level for name, level in dataset.references.items() if name in chosen}
        dataset = replace(dataset, attributes=chosen, references=compared)
    _check_order(dataset, request.classes)
    demo = family if FAMILIES[family].has_model else ""
    return AuditData(dataset, has_model=demo)


def _asks_for_folded(lists: Sequence[Sheet], request: DataRequest) -> bool:
    """Whether a column is asked for that would become part of another."""
    hot = {name for sheet in lists for one in find_one_hot(sheet) for name in one.levels}
    return bool(hot & {request.target, *request.protected})


def _check_order(dataset: AttributeDataset, classes: tuple[str, ...]) -> None:
    if classes and tuple(classes) != dataset.target.levels:
        raise DataError(
            f"The classes of '{dataset.target.name}' are, in order: {', '.join(dataset.target.levels)}; got "
            f"{', '.join(classes)}."
        )


# --- pictures


def _open_pictures(path: Path, request: DataRequest, kept: ExitStack) -> AuditData:
    for name in ("weights", "predictions", "scores", "id"):
        if getattr(request, name):
            raise DataError(
                f"--{name} works with tables only so far; give the list itself as DATA for a table audit."
            )
    names = names_in_zip(path) if path.is_file() else tuple(list_images(path))
    lists = [ListFile(request.list, request.list.name).read()] if request.list else []
    brought = bring_pictures(lists, names, path.stem, fold=not _asks_for_folded(lists, request))
    sheet, suggested = brought.sheet, brought.answers
    target, protected = _roles(sheet, request, suggested.target, suggested.protected)
    checked = check_sheet(sheet, [target, *protected])
    split_column, split_values = _split_of(checked.sheet, request.split, suggested)
    assert isinstance(suggested, FolderImport)
    settings = replace(
        suggested,
        target=target,
        protected={name: suggest_grouping(checked.sheet.column(name)) for name in protected},
        classes=_class_order(checked.sheet, target, request.classes),
        seed=request.seed,
        split_column=split_column,
        split_values=split_values,
        person=checked.persons,
    )
    folder = path
    if path.is_file():
        folder = Path(kept.enter_context(TemporaryDirectory())) / "pictures"
        open_zip(path, folder)
    dataset = open_image_folder(folder, checked.sheet, settings)
    said = [w for w in checked.warnings if w.column in (target, *protected, checked.persons)]
    return AuditData(replace(dataset, warnings=tuple(said)))


# --- tables


def _open_table(path: Path, request: DataRequest) -> AuditData:
    sheet = without_header_rows(read_table(path))
    suggested = suggest_table(sheet)
    others = [n for n in (request.predictions, request.scores, request.weights, request.id) if n]
    for name in others:
        sheet.column(name)
    target, protected = _roles(sheet, request, suggested.target, suggested.protected)
    labels = [target, *protected, *([request.predictions] if request.predictions else [])]
    checked = check_sheet(sheet, labels, persons=request.id, weights=request.weights)
    sheet = checked.sheet
    rare, rare_said = ({}, []) if request.classes else rare_labels(sheet, target)
    unread = dict.fromkeys((*_not_inputs(checked, suggested.leave_out, request), *others))
    split_column, split_values = _split_of(sheet, request.split, suggested)
    settings = TableImport(
        target=target,
        protected={name: suggest_grouping(sheet.column(name)) for name in protected},
        classes=_class_order(sheet, target, request.classes) or rare,
        leave_out=tuple(name for name in unread if name not in labels and name != target),
        seed=request.seed,
        split_column=split_column,
        split_values=split_values,
        person=checked.persons,
        weights=request.weights,
    )
    said = [*(w for w in checked.warnings if w.kind is WarningKind.SPELLING), *rare_said]
    if request.is_audit_of_answers:
        return AuditData(_with_warnings(_open_answered(sheet, settings, request), *said))
    settings, leaks = _without_leaks(sheet, settings, request)
    dataset = open_table(sheet, _with_what_follows(sheet, settings, request.along))
    return AuditData(_with_warnings(dataset, *leaks, *said))


def _with_warnings(dataset: AttributeDataset, *said: AuditWarning) -> AttributeDataset:
    """What this command left out or read otherwise is said first."""
    return replace(dataset, warnings=(*said, *dataset.warnings))


def _not_inputs(checked: CheckedSheet, suggested: Iterable[str], request: DataRequest) -> tuple[str, ...]:
    """Columns that are no property of a person: numbers of people, weights, texts."""
    if request.reads_all:
        return tuple(suggested)
    people = (checked.persons,) if checked.persons else ()
    left = (*suggested, *checked.identifiers, *checked.weights, *checked.answers, *people)
    return tuple(name for name in dict.fromkeys(left) if name not in request.keep)


def _without_leaks(
    sheet: Sheet, settings: TableImport, request: DataRequest
) -> tuple[TableImport, list[AuditWarning]]:
    """The answers without columns that tell the target, each with its warning. A protected column is never
    left out, nor is anything where the reviewer brings the model that reads it or asks to keep it."""
    said: list[AuditWarning] = []
    for _ in range(MOST_LEAKS):
        dataset = open_table(sheet, settings)
        if request.reads_all:
            return settings, said
        out = []
        for leak in found_leaks(dataset):
            droppable = [n for n in leak.columns if n not in settings.protected and n not in request.keep]
            if droppable:
                out += droppable
                said.append(leak_warning(dataset, replace(leak, columns=tuple(droppable)), is_read=False))
        if not out:
            break
        settings = replace(settings, leave_out=tuple(dict.fromkeys((*settings.leave_out, *out))))
    return settings, said


def _with_what_follows(sheet: Sheet, settings: TableImport, along: Sequence[str]) -> TableImport:
    """What must change with a protected column: what says the same in other words, and what was asked for."""
    found = giveaways(open_table(sheet, settings))
    changes = same_in_other_words(found)
    for name in along:
        sheet.column(name)
        followed = {g.attribute: g.along for g in found if g.column == name and g.along is not None}
        if not followed:
            raise DataError(
                f"'{name}' cannot change along: it tells no protected column for nearly everybody, nor has it two "
                "values that stand for two groups. Leave it out of --along."
            )
        for attribute, swap in followed.items():
            changes.setdefault(attribute, {})[name] = swap
    return replace(settings, also_change=changes) if changes else settings


def _roles(
    sheet: Sheet, request: DataRequest, target: str, protected: Iterable[str]
) -> tuple[str, tuple[str, ...]]:
    """Target and protected columns: as asked for, else as suggested."""
    chosen = request.target or target
    if not chosen:
        raise DataError(f"No column of '{sheet.name}' looks like the target; say which: --target COLUMN.")
    taken = {chosen, request.predictions, request.scores, request.weights, request.id}
    groups = tuple(dict.fromkeys(request.protected or tuple(n for n in protected if n not in taken)))
    if not groups:
        raise DataError(
            f"No column of '{sheet.name}' looks protected; say which should not matter: --protected COLUMN,COLUMN."
        )
    for name in (chosen, *groups):
        sheet.column(name)
    return chosen, groups


def _class_order(sheet: Sheet, target: str, classes: tuple[str, ...]) -> dict[str, str]:
    """Classes in the model's order, {} where none is given."""
    if not classes:
        return {}
    there = {str(text) for text in sheet.texts(target) if text}
    for name in classes:
        if name not in there:
            raise DataError(f"'{target}' has no class '{name}'. It has: {', '.join(sorted(there)[:20])}.")
    return {name: name for name in classes}


def _split_of(sheet: Sheet, asked: str, suggested: Answers) -> tuple[str, Mapping[str, Split]]:
    """The split column and what its values mean; '' where the parts are to be drawn."""
    name = asked or suggested.split_column
    if not name:
        return "", {}
    found = suggest_split_values(sheet.column(name)) if asked else suggested.split_values
    if "train" in found.values():
        return name, found
    if asked:
        raise DataError(
            f"'{name}' does not say which rows are for training; its values should be train, validation, test."
        )
    return "", {}


# --- another system's answers


def _open_answered(sheet: Sheet, settings: TableImport, request: DataRequest) -> AttributeDataset:
    """The people of a table with what another system answered them; nothing but target and protected columns
    matters, for nothing is trained. Scores are of the last class, in the order given."""
    used = {settings.target, *settings.protected, settings.split_column}
    never = tuple(column.name for column in sheet.columns if column.name not in used)
    people = open_table(sheet, replace(settings, leave_out=never))
    asked = replace(
        settings,
        answered=request.predictions or request.scores,
        scores_of=people.target.levels[-1] if request.scores else "",
    )
    return replace(people, answered=answered_codes(sheet, asked, used_rows(sheet, asked)[0], people.target))
