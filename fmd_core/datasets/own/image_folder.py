"""A reviewer's own pictures with a table that says what each shows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from PIL import Image

from fmd_core.data import Array, AttributeDataset, Column, InputKind, content_fingerprint, ignore_progress
from fmd_core.datasets.own.answers import (
    Answers,
    answered_columns,
    people_of,
    protected_rule,
    share_out,
    suggested,
    used_classes,
    used_rows,
    weights_of,
)
from fmd_core.datasets.own.archives import list_images
from fmd_core.datasets.own.sheet_checks import with_one_spelling
from fmd_core.datasets.own.sniffing import Sheet, count
from fmd_core.datasets.own.table import check_answers
from fmd_core.datasets.pictures import ImageCheck, check_images, read_fitted, read_square, read_whole
from fmd_core.datasets.table_checks import attribute_notes
from fmd_core.datasets.table_dataset import protected_column, target_column
from fmd_core.errors import DataError
from fmd_core.text import one_form, short_name

SIZES = (16, 512)
DISPLAY = 320


@dataclass(frozen=True)
class FolderImport(Answers):
    """Answers about pictures: besides, the column that names the file, and the size that the model
    reads (the middle square of a picture, `size` pixels wide)."""

    file: str = ""
    size: int = 64
    unit: str = "image"

    def __post_init__(self) -> None:
        super().__post_init__()
        if not SIZES[0] <= self.size <= SIZES[1]:
            raise DataError(
                f"Pictures of {self.size} pixels cannot be used; choose {SIZES[0]} to {SIZES[1]}."
            )

    def unanswered(self) -> str:
        return "" if self.file else "Choose the column with the file names."


@dataclass(frozen=True, eq=False)
class FolderSource:
    """Reads pictures from disk when they are asked for: uint8 (m, size, size, 3)."""

    paths: tuple[Path, ...]
    digests: tuple[str, ...]  # sha256 of each file when it was checked
    size: int
    kind: InputKind = "image"

    @cached_property
    def fingerprint(self) -> str:
        return content_fingerprint("image folder v1", str(self.size), *self.digests)

    def read(self, rows: Array) -> Array:
        out = np.empty((len(rows), self.size, self.size, 3), "uint8")
        for place, row in enumerate(rows):
            out[place] = read_square(self.paths[row], self.size)
        return out

    def read_fitted(self, rows: Array, fit: Callable[[Image.Image], Array]) -> Array:
        """Whole pictures as `fit` scales and cuts them."""
        return np.stack([read_fitted(self.paths[row], fit) for row in rows])

    def counterfactual(self, rows: Array, attribute: str, codes: Array) -> Array:  # noqa: ARG002
        raise DataError(
            f"A photograph cannot be taken again with another '{attribute}': its twins are real pictures "
            "that match it. Choose the method 'matched'."
        )

    def display(self, row: int, attribute: str = "", code: int = 0) -> Array:
        if attribute:
            self.counterfactual(np.array([row]), attribute, np.array([code]))
        return read_whole(self.paths[row], DISPLAY)


def suggest_folder(sheet: Sheet) -> FolderImport:
    """Answers to begin with; `file` and `target` are '' where no column looks like one."""
    files = [column.name for column in sheet.columns if column.role == "file"]
    return FolderImport(**suggested(sheet), file=files[0] if files else "")


def open_image_folder(
    images: Path | Mapping[str, Path],
    sheet: Sheet,
    settings: FolderImport,
    progress: Callable[[float], None] = ignore_progress,
) -> AttributeDataset:
    """The data set of the pictures that `sheet` names, each opened and decoded once here.

    `images` is a folder (also one that `open_zip` wrote) or files by name. What is missing, extra,
    damaged or twice is counted in the notes. Raises DataError for answers that do not fit the
    sheet, and when no picture is left.
    """
    if not settings.file:
        raise DataError("No column with file names is chosen; say which column names the picture.")
    sheet = with_one_spelling(sheet, settings.one_spelling)
    check_answers(sheet, settings)
    files = list_images(images) if isinstance(images, Path) else dict(images)
    rows, given, notes = used_rows(sheet, settings)
    found, missing = _match(sheet.texts(settings.file)[rows], files)
    notes += _match_notes(found, missing, files)
    check = check_images({name: files[name] for name in dict.fromkeys(found) if name}, progress)
    keep = np.array([name in check.digests for name in found], bool) & _first_of_each(found)
    if not keep.any():
        raise DataError(
            f"No picture is left. '{settings.file}' names {short_name(missing[0]) if missing else 'no usable file'}; "
            f"the folder holds {short_name(next(iter(files)))}. {' '.join((*notes, *check.notes))}"
        )
    kept = [name for name, stays in zip(found, keep, strict=True) if stays]
    told = [*notes, *check.notes]
    try:
        return _dataset(sheet, settings, rows[keep], given[keep], kept, files, check, told)
    except DataError as error:  # few pictures left may be the reason
        raise DataError(" ".join((str(error), *told))) from error


def _dataset(
    sheet: Sheet,
    settings: FolderImport,
    rows: Array,
    given: Array,
    names: list[str],
    files: Mapping[str, Path],
    check: ImageCheck,
    notes: list[str],
) -> AttributeDataset:
    frame = answered_columns(sheet, settings, rows)
    target = target_column(frame[settings.target], used_classes(settings, frame[settings.target]))
    words = np.array(target.levels, dtype=object)[target.codes]
    persons = people_of(sheet, settings, rows)
    split, drawn = share_out(words, given, settings.seed, persons)
    attributes: dict[str, Column] = {}
    for name, grouping in settings.protected.items():
        attributes[name] = protected_column(frame[name], protected_rule(sheet, name, grouping, rows))
    digests = tuple(check.digests[name] for name in names)
    source = FolderSource(tuple(files[name] for name in names), digests, settings.size)
    dataset = AttributeDataset(
        sheet.name, target, attributes, split, source, pair_method="matched", unit=settings.unit,
        favourable=settings.favourable, phrases=settings.phrases, references=settings.references,
        persons=persons, weights=weights_of(sheet, settings, rows),
    )  # fmt: skip
    told = (*sheet.notes, *notes, *drawn, *_leak_notes(digests, split), *attribute_notes(dataset, frame))
    return replace(dataset, notes=told)


def _match(cells: Array, files: Mapping[str, Path]) -> tuple[list[str], list[str]]:
    """For each cell the name of its file, '' if there is none, and the cells without a file.

    A cell is only looked up among the files that are there, never opened as a path: by the whole
    name, then by its last part, then without capitals and without a suffix, where that is unique.
    Letters with marks are compared in one form: a Mac writes them in another than tables do.
    """
    ways: tuple[Callable[[str], str], ...] = (
        one_form,
        lambda name: one_form(name).replace("\\", "/").rsplit("/", 1)[-1],
        lambda name: one_form(name).replace("\\", "/").rsplit("/", 1)[-1].casefold(),
        lambda name: one_form(name).replace("\\", "/").rsplit("/", 1)[-1].casefold().rsplit(".", 1)[0],
    )
    indexes = []
    for way in ways:
        counts = Counter(map(way, files))
        indexes.append({way(name): name for name in files if counts[way(name)] == 1})
    found = []
    for cell in cells:
        hits = (index[way(cell)] for way, index in zip(ways, indexes, strict=True) if way(cell) in index)
        found.append(next(hits, "") if cell else "")
    return found, [cell for cell, name in zip(cells, found, strict=True) if not name]


def _first_of_each(found: list[str]) -> Array:
    """Whether a row is the first that names its file, (m,) bool."""
    seen: set[str] = set()
    return np.array([not (name in seen or seen.add(name)) for name in found], bool)  # type: ignore[func-returns-value]


def _match_notes(found: list[str], missing: list[str], files: Mapping[str, Path]) -> list[str]:
    notes = []
    if missing:
        notes.append(
            f"{count(len(missing), 'row')} skipped: the picture is missing ('{short_name(missing[0]) or 'no name'}')."
        )
    named = [name for name in found if name]
    extra = len(files) - len(set(named))
    if extra:
        notes.append(f"{count(extra, 'picture')} not used: no row names {'it' if extra == 1 else 'them'}.")
    again = len(named) - len(set(named))
    if again:
        notes.append(f"{count(again, 'row')} skipped: an earlier row names the same picture.")
    return notes


def _leak_notes(digests: tuple[str, ...], split: Array) -> list[str]:
    """A sentence if the same picture stands under two names, and if so in the test and outside it."""
    marks, notes = np.array(digests), []
    again = len(marks) - len(np.unique(marks))
    if again:
        notes.append(f"{count(again, 'picture')} the same as another, byte for byte, under another name.")
    leaked = int(np.isin(marks[split == "test"], marks[split != "test"]).sum())
    if leaked:
        notes.append(
            f"{leaked:,} of {int((split == 'test').sum()):,} test pictures stand outside the test as well: a leak. "
            "The test looks better than it is; take them out."
        )
    return notes
