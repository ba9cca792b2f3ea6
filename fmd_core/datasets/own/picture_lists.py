"""The list of a set of pictures, put together: from several files, and from what folders and names tell."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

import numpy as np

from fmd_core import figures
from fmd_core.datasets.own.answers import suggest_split_values
from fmd_core.datasets.own.picture_matching import PictureIndex, path_parts, without_suffix
from fmd_core.datasets.own.sniffing import Sheet, listed, sheet_of_frame
from fmd_core.datasets.own.sniffing_columns import profile_column
from fmd_core.errors import DataError
from fmd_core.text import clean_names, short_name

if TYPE_CHECKING:
    import pandas as pd

FILE, SPLIT, FOLDER, LABEL = "file", "split", "folder", "label"
MOST_LEVELS = 200  # different folders that can be labels
LOOKED_AT = 300  # rows that the column with the file names is found by
NEARLY_ALL = 0.95  # of the names must have a form that is read
_FACES = re.compile(r"(\d{1,3})_([01])_([0-4])_\d{8,20}\b.*")
_SEXES = ("male", "female")
_RACES = ("White", "Black", "Asian", "Indian", "Other")  # in the order of UTKFace's description
_SPLIT_IN_NAME = re.compile(r"(?:^|[^a-z])(train(?:ing)?|val(?:id(?:ation)?)?|dev|test)(?:[^a-z]|$)")


def list_from_names(name: str, files: Sequence[str]) -> Sheet:
    """A list made of the names of pictures alone: their folders as labels and parts, or what their names tell.
    Raises DataError where neither tells anything."""
    import pandas as pd

    columns = folder_columns(files)
    notes: list[str] = []
    if FOLDER in columns:
        columns = {(LABEL if key == FOLDER else key): names for key, names in columns.items()}
    if set(columns) <= {SPLIT}:
        told, notes = name_columns(files)
        columns = {**columns, **told}
    if set(columns) <= {SPLIT}:
        raise DataError(
            f"Neither the folders nor the names in '{short_name(name)}' tell what the pictures show; bring a list as "
            "well: file name, what is to be predicted, and what should not matter."
        )
    sheet = sheet_of_frame(name, "names of pictures", pd.DataFrame({FILE: list(files), **columns}), notes)
    labels = [c.name for c in sheet.columns if c.name.startswith(FOLDER) and c.n_levels <= 20]
    if labels and not any(c.role == "target" for c in sheet.columns):
        roles = tuple(replace(c, role="target") if c.name == labels[-1] else c for c in sheet.columns)
        sheet = replace(sheet, columns=roles)
    return sheet


def folder_columns(files: Sequence[str]) -> dict[str, list[str]]:
    """What the folders of pictures tell, by column: the part ('train/...') as `split`, each other level that
    differs as `folder`, or `folder 1` and so on, '' where a picture lies less deep."""
    deep = [path_parts(file)[:-1] for file in files]
    depth = max(map(len, deep), default=0)
    found: dict[str, list[str]] = {}
    levels: list[list[str]] = []
    for place in range(depth):
        names = [parts[place] if place < len(parts) else "" for parts in deep]
        counts = Counter(name for name in names if name)
        if len(counts) < 2 or len(counts) > min(MOST_LEVELS, len(files) / 2):
            continue
        if SPLIT not in found and _all_parts(list(counts)):
            found[SPLIT] = names
        else:
            levels.append(names)
    for number, names in enumerate(levels, start=1):
        found[FOLDER if len(levels) == 1 else f"{FOLDER} {number}"] = names
    return found


def _all_parts(names: Sequence[str]) -> bool:
    """Whether folders are called train, val or test."""
    column = profile_column(SPLIT, _series(names), comma_is_decimal=False)
    return len(suggest_split_values(column)) == len(names) and not all(name.isdigit() for name in names)


def _series(texts: Sequence[str]) -> pd.Series:
    import pandas as pd

    return pd.Series(list(texts), dtype="str")


def name_columns(files: Sequence[str]) -> tuple[dict[str, list[str]], list[str]]:
    """What the names of pictures tell, by column, and what is to be said of it: UTKFace's age_gender_race_date, else
    the parts between '_', '-' and '.' that have few values."""
    stems = [without_suffix(path_parts(file)[-1]) for file in files]
    faces = [_FACES.fullmatch(stem) for stem in stems]
    if sum(map(bool, faces)) >= NEARLY_ALL * len(stems):
        told = {
            "age": [face[1] if face else "" for face in faces],
            "gender": [_SEXES[int(face[2])] if face else "" for face in faces],
            "race": [_RACES[int(face[3])] if face else "" for face in faces],
        }
        odd = len(stems) - sum(map(bool, faces))
        notes = ["The names were read as UTKFace's: age, gender (0 male), race (0 White to 4 Other), date."]
        return told, notes + (
            [f"{figures.counted(odd, 'name')} of another form, read as empty."] if odd else []
        )
    cells = [re.split(r"[_\-. ]+", stem) for stem in stems]
    width = Counter(map(len, cells)).most_common(1)[0][0]
    if width < 2 or sum(len(c) == width for c in cells) < NEARLY_ALL * len(cells):
        return {}, []
    told = {}
    for place in range(width):
        names = [c[place] if len(c) == width else "" for c in cells]
        counts = Counter(names)
        if (
            1 < len(counts) <= 20
            and min(counts.values()) > 1
            and not all(n.isdigit() and len(n) > 2 for n in counts)
        ):
            told[f"part {place + 1} of the name"] = names
    return told, [f"The names have parts with few values: {listed(list(told))}."] if told else []


def find_file_column(sheet: Sheet, index: PictureIndex | None) -> str:
    """The column that names the pictures: the one whose first cells name most of those that are there, '' if none."""
    by_role = next((column.name for column in sheet.columns if column.role == FILE), "")
    if index is None:
        return by_role
    best, hits = by_role, 0
    for column in sheet.columns:
        looked = sheet.texts(column.name)[:LOOKED_AT].tolist()
        cells = list(dict.fromkeys(looked))
        if len(cells) < 2 or (column.kind == "number" and (by_role or len(cells) < NEARLY_ALL * len(looked))):
            continue  # an age of 23 is not the picture 23.jpg
        found = index.match(cells).matched
        if found > hits or (found == hits and found and column.name == by_role):
            best, hits = column.name, found
    return best


def with_folder_columns(sheet: Sheet, files: Sequence[str]) -> Sheet:
    """The list with what the folders of each row's picture tell, unless a column says the same; `files` (n,) are the
    pictures of the rows, '' where a row has none."""
    known = [file for file in files if file]
    told = folder_columns(known) if known else {}
    frame, added = sheet.frame.copy(), []
    for name, values in told.items():
        at = iter(values)
        cells = [next(at) if file else "" for file in files]
        if any(_says_the_same(frame[column.name].tolist(), cells, files) for column in sheet.columns):
            continue
        if name == SPLIT and any(column.role == SPLIT for column in sheet.columns):
            continue
        unique = clean_names([*map(str, frame.columns), name])[-1]
        frame[unique] = np.array(cells, dtype=object)
        added.append(unique)
    if not added:
        return sheet
    note = f"Told by the folders of the pictures: {listed(added)}."
    return _again(sheet, frame, (*sheet.notes, note), added)


def _says_the_same(one: Sequence[str], other: Sequence[str], files: Sequence[str]) -> bool:
    pairs = {(a, b) for a, b, file in zip(one, other, files, strict=True) if file}
    return len(pairs) == len({a for a, _ in pairs}) == len({b for _, b in pairs})


def _again(sheet: Sheet, frame: pd.DataFrame, notes: tuple[str, ...], added: Sequence[str]) -> Sheet:
    """The sheet with new columns, the others as they were looked at."""
    import pandas as pd

    fresh = sheet_of_frame(sheet.name, sheet.format, pd.DataFrame({n: frame[n] for n in added}))
    known = {c.name: c for c in (*sheet.columns, *fresh.columns)}
    has_target = any(c.role == "target" for c in sheet.columns)
    columns = tuple(
        replace(known[n], role="input")
        if n in added and has_target and known[n].role == "target"
        else known[n]
        for n in map(str, frame.columns)
    )
    return replace(sheet, frame=frame, columns=columns, notes=notes)


# --- several lists


def joined(sheets: Sequence[Sheet], index: PictureIndex | None) -> Sheet:
    """Several lists as one. Lists of the same columns are put below each other; other lists are joined to the first
    by the name of the picture. Raises DataError where two lists share no file names."""
    stacks: dict[frozenset[str], list[Sheet]] = {}
    for sheet in sheets:
        stacks.setdefault(frozenset(c.name for c in sheet.columns), []).append(sheet)
    whole, *others = (_stacked(same) for same in stacks.values())
    for other in others:
        whole = _joined(whole, other, index)
    return whole


def _stacked(sheets: Sequence[Sheet]) -> Sheet:
    """Lists of the same columns below each other, with the part that each list's name tells."""
    import pandas as pd

    if len(sheets) == 1:
        return sheets[0]
    first = sheets[0]
    names = [c.name for c in first.columns]
    frame = pd.concat([sheet.frame[names] for sheet in sheets], ignore_index=True)
    parts = [_SPLIT_IN_NAME.search(PurePosixPath(sheet.name.lower()).name) for sheet in sheets]
    by_list = all(parts) and len({part[1] for part in parts if part}) > 1
    if by_list and not any(c.role == SPLIT for c in first.columns):
        name = clean_names([*names, SPLIT])[-1]
        frame[name] = np.repeat([part[1] for part in parts if part], [len(sheet) for sheet in sheets])
    notes = [note for sheet in sheets for note in sheet.notes]
    said = f"{len(sheets)} lists of the same columns were put below each other: {listed([s.name for s in sheets])}."
    by_comma = any(c.style == "decimal comma" for sheet in sheets for c in sheet.columns)
    return sheet_of_frame(
        first.name, first.format, frame, (*dict.fromkeys(notes), said), comma_is_decimal=by_comma
    )


def _joined(one: Sheet, other: Sheet, index: PictureIndex | None) -> Sheet:
    """`one` with the columns of `other`, row by row by the name of the picture; what has no partner is counted."""
    mine, theirs = _keys(one, other, index)
    place: dict[tuple[str, ...], int] = {}
    for row, text in enumerate(other.texts(theirs).tolist()):
        place.setdefault(_key(text), row)
    rows = np.array([place.get(_key(text), -1) for text in one.texts(mine).tolist()])
    if not (rows >= 0).any():
        raise DataError(
            f"'{one.name}' and '{other.name}' name no picture in common ('{mine}' and '{theirs}'); bring lists of the "
            "same pictures."
        )
    frame = one.frame.copy()
    new = [c.name for c in other.columns if c.name != theirs]
    names = clean_names([*map(str, frame.columns), *new])[len(frame.columns) :]
    for name, unique in zip(new, names, strict=True):
        cells = other.frame[name].to_numpy(dtype=object)
        frame[unique] = np.where(rows >= 0, cells[np.maximum(rows, 0)], "")
    used = len(np.unique(rows[rows >= 0]))
    said = [f"'{one.name}' and '{other.name}' were joined by the name of the picture."]
    for n, of, where in ((int((rows < 0).sum()), len(one), other), (len(other) - used, len(other), one)):
        if n:
            said.append(
                f"{figures.counted(n, 'row')} of {figures.count(of)} name no picture of '{where.name}'."
            )
    by_comma = any(c.style == "decimal comma" for c in (*one.columns, *other.columns))
    notes = (*one.notes, *other.notes, *said)
    name = f"{one.name} + {other.name}"
    return sheet_of_frame(name, one.format, frame, notes, comma_is_decimal=by_comma)


def _key(text: str) -> tuple[str, ...]:
    parts = path_parts(text)
    return (*parts[:-1], without_suffix(parts[-1]).casefold()) if parts else ()


def _keys(one: Sheet, other: Sheet, index: PictureIndex | None) -> tuple[str, str]:
    """The columns that name the pictures in two lists: those that name pictures that are there, else the columns of
    one name that have most values in common."""
    mine, theirs = (find_file_column(sheet, index) for sheet in (one, other))
    if mine and theirs and _common(one, mine, other, theirs):
        return mine, theirs
    shared = [c.name for c in one.columns if any(c.name == o.name for o in other.columns)]
    found = max(shared, key=lambda name: _common(one, name, other, name), default="")
    if not found or not _common(one, found, other, found):
        raise DataError(
            f"'{one.name}' and '{other.name}' have no column of file names in common; give both a column that names "
            "the picture."
        )
    return found, found


def _common(one: Sheet, mine: str, other: Sheet, theirs: str) -> int:
    return len(_set(one, mine) & _set(other, theirs))


def _set(sheet: Sheet, name: str) -> set[tuple[str, ...]]:
    return {_key(text) for text in sheet.texts(name).tolist() if text}
