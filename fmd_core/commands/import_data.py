"""`fmd import`: what the import page would read of a table, or of pictures and their lists; and keep it."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from fmd_core import figures
from fmd_core.commands.common import add_json, check_place, for_people, write_document
from fmd_core.data import SPLITS
from fmd_core.datasets.data_warnings import WarningKind
from fmd_core.datasets.families import reference
from fmd_core.datasets.own.answers import Answers, suggest_grouping, used_rows
from fmd_core.datasets.own.archives import list_images, names_in_zip
from fmd_core.datasets.own.bringing import Brought, ListFile, Reading, bring_pictures, bring_table
from fmd_core.datasets.own.cut_points import with_cut
from fmd_core.datasets.own.image_folder import FolderImport
from fmd_core.datasets.own.imports import begin_import, finish_import, first_look, give_up
from fmd_core.datasets.own.sheet_checks import CheckedSheet, check_sheet, with_one_spelling
from fmd_core.datasets.own.sniffing import DELIMITERS, Correction
from fmd_core.datasets.own.table import TableImport
from fmd_core.datasets.table_dataset import MAX_CLASSES, natural
from fmd_core.errors import DataError
from fmd_core.text import split_names

SCHEMA = "fmd-import-1"
_MARKS = {**{words.replace(" ", "-"): sign for sign, words in DELIMITERS.items()}, "": ""}
EXAMPLE = """\
example:
  fmd import celeba.zip --list list_attr_celeba.csv --list list_eval_partition.csv --dry-run
  fmd import hiring.xlsx --target hired --protected sex,age --json -
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The files, and what can be said of them."""
    parser.description, parser.epilog = __doc__, EXAMPLE
    parser.add_argument("file", type=Path, metavar="FILE", help="a table, or a zip or folder of pictures")
    parser.add_argument(
        "--list",
        type=Path,
        action="append",
        default=[],
        metavar="LIST",
        help="what the pictures show; may be repeated",
    )
    parser.add_argument("--dry-run", action="store_true", help="look and say, and keep nothing")
    parser.add_argument("--target", default="", metavar="COLUMN", help="what a model predicts")
    parser.add_argument("--protected", default="", metavar="A,B", help="columns that should not matter")
    parser.add_argument(
        "--cut", default="", metavar="NUMBER", help="from here on a target of numbers is the other answer"
    )
    parser.add_argument(
        "--by-name",
        action="store_true",
        help="a picture of the same name in another folder is the same picture",
    )
    parser.add_argument(
        "--skip-missing", action="store_true", help="leave out rows without a picture, however many they are"
    )
    parser.add_argument(
        "--separator", default="", choices=sorted(_MARKS), help="what stands between the cells of a table"
    )
    parser.add_argument(
        "--decimal", default="", choices=("", ".", ","), help="the mark of decimals in a table"
    )
    parser.add_argument("--encoding", default="", help="of a table, such as cp1252")
    add_json(parser, SCHEMA)
    parser.set_defaults(stopped="Stopped; nothing was kept.")


def run(arguments: argparse.Namespace) -> int:
    """Look, keep it unless it is a dry run, say what was found."""
    check_place(arguments.json or None)
    reading, pictures = _reading(arguments)
    brought = _brought(reading, pictures)
    answers, checked = _answers(brought, arguments)
    found = _found(brought, answers, checked)
    if not arguments.dry_run:
        found |= _kept(arguments.file, reading, answers, found["warnings"], is_pictures=pictures is not None)
    for sentence in _sentences(found):
        print(sentence, file=for_people(arguments.json))
    if arguments.json:
        write_document(SCHEMA, found, arguments.json)
    return 0


# --- what is read


def _reading(arguments: argparse.Namespace) -> tuple[Reading, tuple[str, ...] | None]:
    """How the files are read, and the names of the pictures, None for a table."""
    file: Path = arguments.file
    said = Correction(
        encoding=arguments.encoding, delimiter=_MARKS[arguments.separator], decimal=arguments.decimal
    )
    is_pictures = file.is_dir() or file.suffix.lower() == ".zip"
    for path in (*arguments.list, file):
        if not path.exists():
            raise DataError(f"There is no file '{path}'; check the name.")
    if not is_pictures:
        if arguments.list:
            raise DataError("--list belongs to pictures: a zip or a folder. Give a table as FILE alone.")
        return Reading((ListFile(file, file.name, said),), file.stem), None
    names = tuple(list_images(file)) if file.is_dir() else names_in_zip(file)
    return Reading(tuple(ListFile(path, path.name, said) for path in arguments.list), file.stem), names


def _brought(reading: Reading, pictures: tuple[str, ...] | None) -> Brought:
    sheets = [one.read() for one in reading.lists]
    return bring_table(sheets[0]) if pictures is None else bring_pictures(sheets, pictures, reading.name)


def _answers(brought: Brought, arguments: argparse.Namespace) -> tuple[Answers, CheckedSheet]:
    """What is suggested, but for what was asked for; and what there is to know of the columns."""
    answers, sheet = brought.answers, brought.sheet
    target = arguments.target or answers.target
    asked = split_names(arguments.protected)
    for name in (*asked, *([arguments.target] if arguments.target else [])):
        sheet.column(name)
    protected = {name: suggest_grouping(sheet.column(name)) for name in asked} if asked else answers.protected
    protected = {name: how for name, how in protected.items() if name != target}
    checked = check_sheet(sheet, [name for name in (target, *protected) if name])
    answers = replace(
        answers, target=target, protected=protected, cut=arguments.cut, person=checked.persons,
        one_spelling=tuple(w.column for w in checked.warnings if w.kind is WarningKind.SPELLING),
    )  # fmt: skip
    if isinstance(answers, TableImport):
        out = (*answers.leave_out, *checked.identifiers, *checked.weights, *checked.answers)
        labels = {target, *protected, checked.persons}
        answers = replace(answers, leave_out=tuple(name for name in dict.fromkeys(out) if name not in labels))
    if isinstance(answers, FolderImport):
        answers = replace(
            answers,
            folders="ignored" if arguments.by_name else "agree",
            without_picture="skip" if arguments.skip_missing else "ask",
        )
    return answers, checked


# --- what is said


def _found(brought: Brought, answers: Answers, checked: CheckedSheet) -> dict[str, Any]:
    """The document, by the names of its schema."""
    sheet, warnings = brought.sheet, [*brought.sheet.notes]
    file, matched = "", None
    if isinstance(answers, FolderImport):
        file, matched = answers.file, brought.match(answers.file, answers.folders)
    warnings += [warning.sentence for warning in checked.warnings if not file or warning.column != file]
    splits: dict[str, int] = {}
    classes: list[str] = []
    if answers.target:
        read = with_cut(with_one_spelling(sheet, answers.one_spelling), answers.target, answers.cut)
        column = read.column(answers.target)
        classes = sorted(column.levels, key=natural) if column.n_levels <= MAX_CLASSES else []
        _, given, skipped = used_rows(read, answers)
        warnings += skipped
        if answers.split_column:
            splits = {part: int((given == part).sum()) for part in SPLITS}
    else:
        warnings.append("No column looks like the target; say which: --target COLUMN.")
    if not answers.protected:
        warnings.append("No column looks protected; say which should not matter: --protected A,B.")
    if matched is not None and (doubt := matched.doubt()):
        warnings.append(doubt)
    return {
        "rows": len(sheet),
        "pictures": matched.pictures if matched else 0,
        "matched": matched.matched if matched else 0,
        "unmatched_rows": len(matched.missing) if matched else 0,
        "unused_pictures": len(matched.unused) if matched else 0,
        "target": answers.target,
        "protected": list(answers.protected),
        "splits": splits,
        "classes": classes,
        "columns": [column.name for column in sheet.columns],
        "file": file,
        "warnings": list(dict.fromkeys(warnings)),
        "kept": "",
    }


def _sentences(found: dict[str, Any]) -> Sequence[str]:
    told = [f"{figures.counted(found['rows'], 'row')}, {figures.counted(len(found['columns']), 'column')}."]
    if found["pictures"]:
        told.append(
            f"{figures.count(found['matched'])} of {figures.counted(found['rows'], 'row')} have a picture by "
            f"'{found['file']}'; {figures.counted(found['unused_pictures'], 'picture')} belong to no row."
        )
    told.append(
        f"Target: {found['target'] or 'none found'}. Protected: {', '.join(found['protected']) or 'none found'}."
    )
    if found["splits"]:
        told.append(f"Parts: {', '.join(f'{part} {size:,}' for part, size in found['splits'].items())}.")
    if found["kept"]:
        told.append(f"Kept on this machine as '{found['kept']}', for fmd audit and the dashboard.")
    return [*told, *(f"Note: {warning}" for warning in found["warnings"])]


def _kept(
    file: Path, reading: Reading, answers: Answers, warnings: Sequence[str], *, is_pictures: bool
) -> dict[str, Any]:
    """Keep the files with these answers, opened once: what that adds to the document."""
    if answers.unanswered():
        raise DataError(
            "No column of the list names a picture that is there; bring the list of these pictures."
        )
    folder = begin_import(
        None,
        file if is_pictures and file.is_file() else None,
        pictures=file if is_pictures and file.is_dir() else None,
        reading=reading,
    )
    try:
        data = first_look(folder, reading.name, answers)
        kept = finish_import(folder, reading.name, answers)
    except BaseException:  # what cannot be opened is not kept
        give_up(folder)
        raise
    return {
        "kept": reference("import", id=kept),
        "splits": {part: int((data.split == part).sum()) for part in SPLITS},
        "classes": list(data.target.levels),
        "warnings": list(dict.fromkeys((*warnings, *data.notes))),
    }
