"""What somebody brings, put together as one list and looked at: the same for the import page, `fmd import` and an
import that is opened again."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from fmd_core.datasets.own.answers import Answers
from fmd_core.datasets.own.image_folder import FolderImport, suggest_folder
from fmd_core.datasets.own.one_hot import OneHot, find_one_hot, folded
from fmd_core.datasets.own.picture_lists import find_file_column, joined, list_from_names, with_folder_columns
from fmd_core.datasets.own.picture_matching import Folders, Matched, PictureIndex
from fmd_core.datasets.own.sheet_checks import without_header_rows
from fmd_core.datasets.own.sniffing import AS_FOUND, Correction, Sheet, read_table
from fmd_core.datasets.own.table import suggest_table
from fmd_core.errors import DataError

MOST_LISTS = 8
_OWN_NAME = re.compile(r"table(?:_[1-7])?(?:\.[a-z0-9]{1,9})?")


@dataclass(frozen=True)
class ListFile:
    """A table that was brought: where it lies, what it was called, and how it is laid out."""

    path: Path
    name: str
    said: Correction = AS_FOUND

    def read(self) -> Sheet:
        """The table under its own name, without headers that stand in it again."""
        try:
            return without_header_rows(replace(read_table(self.path, said=self.said), name=self.name))
        except DataError as error:
            raise DataError(str(error).replace(self.path.name, self.name)) from error


@dataclass(frozen=True)
class Reading:
    """How files are read: tables in order, what pictures are called together, whether an answer in several columns
    becomes one."""

    lists: tuple[ListFile, ...]
    name: str
    fold: bool = True

    def __post_init__(self) -> None:
        if len(self.lists) > MOST_LISTS:
            raise DataError(f"At most {MOST_LISTS} lists can be put together, not {len(self.lists)}.")

    def to_json(self) -> str:
        """As a text that `from_json` reads."""
        lists = [{"file": one.path.name, "name": one.name, "said": asdict(one.said)} for one in self.lists]
        return json.dumps({"lists": lists, "name": self.name, "fold": self.fold})

    @classmethod
    def from_json(cls, text: str, folder: Path) -> Reading:
        """What `to_json` wrote, the tables in `folder`. Raises DataError where it is damaged."""
        try:
            saved = json.loads(text)
            lists = tuple(_list_file(one, folder) for one in saved["lists"])
            return cls(lists, str(saved["name"]), bool(saved["fold"]))
        except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
            raise DataError("How this import is read is damaged; import the data again.") from error


def _list_file(saved: Mapping[str, Any], folder: Path) -> ListFile:
    if not _OWN_NAME.fullmatch(saved["file"]):
        raise ValueError
    return ListFile(folder / saved["file"], str(saved["name"]), Correction(**saved["said"]))


@dataclass(frozen=True, eq=False)
class Brought:
    """One list of all that was brought, and what was found in it."""

    sheet: Sheet
    answers: Answers
    """Suggestions to begin with."""
    one_hot: tuple[OneHot, ...]
    """Answers in several columns, whether they were put into one or not."""
    index: PictureIndex | None = None

    def match(self, file: str, folders: Folders = "agree") -> Matched | None:
        """Which picture each row means by the column `file`; None for tables."""
        if self.index is None or not file:
            return None
        index = self.index if folders == "agree" else PictureIndex(self.index.names, folders)
        return index.match(self.sheet.texts(file).tolist())


def bring_table(sheet: Sheet, *, fold: bool = True) -> Brought:
    """A table, with suggestions."""
    found = find_one_hot(sheet)
    sheet = folded(sheet, found) if fold else sheet
    return Brought(sheet, suggest_table(sheet), found)


def bring_pictures(sheets: Sequence[Sheet], files: Sequence[str], name: str, *, fold: bool = True) -> Brought:
    """Pictures by the names `files`, with their lists, or with what folders and names tell where there is none.
    Raises DataError where neither does, and for lists that name no picture in common."""
    index = PictureIndex(files)
    sheet = joined(sheets, index) if sheets else list_from_names(name, files)
    file = find_file_column(sheet, index)
    if file and sheets:
        sheet = with_folder_columns(sheet, index.match(sheet.texts(file).tolist()).files)
    found = find_one_hot(sheet)
    sheet = folded(sheet, found) if fold else sheet
    suggested: FolderImport = suggest_folder(sheet)
    target = "" if suggested.target == file else suggested.target
    protected = {name: how for name, how in suggested.protected.items() if name != file}
    return Brought(sheet, replace(suggested, file=file, target=target, protected=protected), found, index)
