"""A reviewer's own pictures with a table that says what each shows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import get_args

import numpy as np
from PIL import Image

from fmd_core.data import Array, AttributeDataset, Column, InputKind, content_fingerprint, ignore_progress
from fmd_core.datasets.own.answers import (
    Answers,
    answered_columns,
    check_choices,
    people_of,
    protected_rule,
    share_out,
    suggested,
    used_classes,
    used_rows,
    weights_of,
)
from fmd_core.datasets.own.archives import list_images
from fmd_core.datasets.own.cut_points import with_cut
from fmd_core.datasets.own.picture_copies import copy_notes
from fmd_core.datasets.own.picture_matching import Folders, Matched, PictureIndex
from fmd_core.datasets.own.sheet_checks import with_one_spelling
from fmd_core.datasets.own.sniffing import Sheet, count
from fmd_core.datasets.own.table import check_answers
from fmd_core.datasets.pictures import Depth, ImageCheck, check_images, read_fitted, read_square, read_whole
from fmd_core.datasets.table_dataset import protected_column, target_column
from fmd_core.datasets.table_notes import attribute_notes
from fmd_core.errors import DataError
from fmd_core.text import short_name

SIZES = (16, 512)
DISPLAY = 320
WITHOUT_PICTURE = ("ask", "skip")


@dataclass(frozen=True)
class FolderImport(Answers):
    """Answers about pictures: besides, the column that names the file, and the size that the model
    reads (the middle square of a picture, `size` pixels wide)."""

    file: str = ""
    size: int = 64
    unit: str = "image"
    folders: Folders = field(default="agree", kw_only=True)
    """Whether a picture of the same name in another folder is another picture."""
    without_picture: str = field(default="ask", kw_only=True)
    """What becomes of rows without a picture where they are more than one in a hundred, one of `WITHOUT_PICTURE`."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choices("a way to match folders", [self.folders], get_args(Folders))
        check_choices("a way to treat rows without a picture", [self.without_picture], WITHOUT_PICTURE)
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
    depth: Depth | None = None  # black and white of pictures of more than 8 bits

    @cached_property
    def fingerprint(self) -> str:
        deep = [] if self.depth is None else [f"depth {self.depth}"]  # a set of 8 bits stays what it was
        return content_fingerprint("image folder v1", str(self.size), *self.digests, *deep)

    def read(self, rows: Array) -> Array:
        out = np.empty((len(rows), self.size, self.size, 3), "uint8")
        for place, row in enumerate(rows):
            out[place] = read_square(self.paths[row], self.size, self.depth)
        return out

    def read_fitted(self, rows: Array, fit: Callable[[Image.Image], Array]) -> Array:
        """Whole pictures as `fit` scales and cuts them."""
        return np.stack([read_fitted(self.paths[row], fit, self.depth) for row in rows])

    def counterfactual(self, rows: Array, attribute: str, codes: Array) -> Array:  # noqa: ARG002
        raise DataError(
            f"A photograph cannot be taken again with another '{attribute}': its twins are real pictures "
            "that match it. Choose the method 'matched'."
        )

    def display(self, row: int, attribute: str = "", code: int = 0) -> Array:
        if attribute:
            self.counterfactual(np.array([row]), attribute, np.array([code]))
        return read_whole(self.paths[row], DISPLAY, self.depth)


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
    sheet, when no picture is left, and when more than one row in a hundred has none that nobody said to skip.
    """
    if not settings.file:
        raise DataError("No column with file names is chosen; say which column names the picture.")
    sheet = with_cut(with_one_spelling(sheet, settings.one_spelling), settings.target, settings.cut)
    check_answers(sheet, settings)
    files = list_images(images) if isinstance(images, Path) else dict(images)
    rows, given, notes = used_rows(sheet, settings)
    matched = PictureIndex(files, settings.folders).match(sheet.texts(settings.file)[rows].tolist())
    found, missing = matched.files, matched.missing
    if matched.matched and settings.without_picture == "ask" and (doubt := matched.doubt()):
        raise DataError(
            f"{doubt} Mend the list, bring the other pictures, or say that those rows are to be skipped."
        )
    notes += _match_notes(matched)
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
    for name in settings.protected:
        attributes[name] = protected_column(frame[name], protected_rule(sheet, settings, name, rows))
    digests = tuple(check.digests[name] for name in names)
    source = FolderSource(tuple(files[name] for name in names), digests, settings.size, depth=check.depth)
    thumbs = np.stack([check.thumbs[name] for name in names])
    dataset = AttributeDataset(
        sheet.name, target, attributes, split, source, pair_method="matched", unit=settings.unit,
        favourable=settings.favourable, phrases=settings.phrases, references=settings.references,
        persons=persons, weights=weights_of(sheet, settings, rows),
    )  # fmt: skip
    told = (
        *sheet.notes,
        *notes,
        *drawn,
        *copy_notes(digests, thumbs, split),
        *attribute_notes(dataset, frame),
    )
    return replace(dataset, notes=told)


def _first_of_each(found: Sequence[str]) -> Array:
    """Whether a row is the first that names its file, (m,) bool."""
    seen: set[str] = set()
    return np.array([not (name in seen or seen.add(name)) for name in found], bool)  # type: ignore[func-returns-value]


def _match_notes(matched: Matched) -> list[str]:
    notes, missing, extra = [], matched.missing, len(matched.unused)
    if missing:
        notes.append(
            f"{count(len(missing), 'row')} skipped: the picture is missing ('{short_name(missing[0]) or 'no name'}')."
        )
    if extra:
        notes.append(f"{count(extra, 'picture')} not used: no row names {'it' if extra == 1 else 'them'}.")
    if matched.repeated:
        notes.append(f"{count(matched.repeated, 'row')} skipped: an earlier row names the same picture.")
    return notes
