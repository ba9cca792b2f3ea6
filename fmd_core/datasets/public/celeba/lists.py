"""CelebA's lists, official or Kaggle's: which attributes there are, who shows them, which part, which person."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from fmd_core.data import Array
from fmd_core.errors import DataError

PICTURES = "img_align_celeba"
ATTRIBUTES, PARTITION, IDENTITIES = "list_attr_celeba.txt", "list_eval_partition.txt", "identity_CelebA.txt"
BY_HAND = "or put CelebA's official files there yourself"


def celeba_attributes(folder: Path) -> tuple[str, ...]:
    """The official names of the attributes, 40 in the official list, from its second line."""
    path = _existing(folder, ATTRIBUTES)
    if path.suffix == ".csv":
        names = _kaggle_header(path)[1:]
        if len(set(names)) != len(names) or len(names) < 2:
            raise DataError(
                f"'{path.name}' should start with a line of attribute names; download Kaggle's file again."
            )
        return names
    with path.open(encoding="utf-8-sig", errors="replace") as lines:
        count, names = lines.readline(1000), tuple(lines.readline(100_000).split())
    if not count.strip().isdecimal() or len(set(names)) != len(names) or len(names) < 2:
        raise DataError(
            f"'{ATTRIBUTES}' should start with a line that counts the faces and a line of attribute names, "
            f"but starts with {count.strip()[:40]!r}; download the official file again."
        )
    return names


def _kaggle_header(path: Path) -> tuple[str, ...]:
    with path.open(encoding="utf-8-sig", errors="replace") as lines:
        return tuple(name.strip() for name in lines.readline(100_000).split(","))


class _Rows(NamedTuple):
    names: Array  # (n,) str, picture names without suffix
    values: Array  # (n, k) str


def _read_rows(folder: Path, name: str, columns: Sequence[int], *, header: int = 0) -> _Rows:
    """Picture names and the cells of some columns; `header` lines are passed over."""
    path = _existing(folder, name)
    is_kaggle = path.suffix == ".csv"
    text, name = path.read_text(encoding="utf-8-sig", errors="replace"), path.name
    lines = [line for line in text.splitlines()[1 if is_kaggle else header :] if line.strip()]
    again = "download the official file again."
    if not lines:
        raise DataError(f"'{name}' lists no faces; {again}")
    try:
        cells = np.loadtxt(
            lines,
            dtype=str,
            usecols=(0, *columns),
            comments=None,
            ndmin=2,
            delimiter="," if is_kaggle else None,
        )
        cells = np.char.strip(cells)
    except ValueError as error:
        raise DataError(f"Some lines of '{name}' are shorter than the others; {again}") from error
    names = np.array([cell.rpartition(".")[0] for cell in cells[:, 0]])
    if len(np.unique(names)) < len(names):
        raise DataError(f"'{name}' lists a face more than once; {again}")
    return _Rows(names, cells[:, 1:])


def attribute_codes(folder: Path, official: tuple[str, ...], chosen: list[int]) -> tuple[Array, Array]:
    """Picture names (n,) and 0-or-1 codes (n, k) of the chosen attributes."""
    last = len(official)  # read as well, so that a line that is cut off is noticed
    rows = _read_rows(folder, ATTRIBUTES, (*(c + 1 for c in chosen), last), header=2)
    path = _existing(folder, ATTRIBUTES)
    if path.suffix != ".csv":  # Kaggle's list does not say how many it has
        _check_number(path, len(rows.names))
    odd = rows.values[~np.isin(rows.values, ("1", "-1"))]
    if len(odd):
        raise DataError(
            f"'{path.name}' has the value {str(odd[0])[:20]!r} where CelebA has 1 or -1; download it again."
        )
    return rows.names, (rows.values[:, :-1] == "1").astype("int64")


def _check_number(path: Path, listed: int) -> None:
    """The official list says in its first line how many faces it has."""
    with path.open(encoding="utf-8-sig", errors="replace") as lines:
        announced = int(lines.readline())
    if announced != listed:
        raise DataError(
            f"'{path.name}' announces {announced:,} faces but lists {listed:,}; "
            "download the official file again, or correct its first line."
        )


def persons_of(folder: Path, files: Array) -> Array:
    """Who is on each of `files` (n,), by CelebA's numbers. Raises DataError where its list is missing or incomplete."""
    found = whole_numbers(folder, IDENTITIES, np.array([os.path.splitext(name)[0] for name in files]))
    if lost := int((found < 0).sum()):
        raise DataError(f"'{IDENTITIES}' does not say who is on {lost:,} of {len(files):,} pictures.")
    return found


def whole_numbers(folder: Path, name: str, listed: Array) -> Array:
    """The number that the list `name` gives each picture of `listed`, (n,); -1 where it has none."""
    rows = _read_rows(folder, name, (1,))
    cells = rows.values[:, 0]
    digits = np.char.isdecimal(cells) & (np.char.str_len(cells) < 10)
    if not digits.all():
        raise DataError(
            f"'{name}' has {str(cells[~digits][0])[:20]!r} in place of a number; download the official file again."
        )
    order = np.argsort(rows.names)
    place = order[np.searchsorted(rows.names, listed, sorter=order).clip(max=len(order) - 1)]
    return np.where(rows.names[place] == listed, cells[place].astype("int64"), -1)


def _existing(folder: Path, name: str) -> Path:
    """The path of a list, or a DataError where it is missing or no list."""
    path = list_path(folder, name)
    if not path.is_file():
        raise DataError(f"CelebA is not complete here: '{name}' is missing; download it, {BY_HAND}.")
    if is_web_page(path):
        raise DataError(web_page(path.name))
    return path


def list_path(folder: Path, name: str) -> Path:
    """The official list, or Kaggle's where that alone is there."""
    kaggle = (folder / name).with_suffix(".csv")
    return kaggle if kaggle.is_file() and not (folder / name).is_file() else folder / name


def is_web_page(path: Path) -> bool:
    """Whether a file begins like HTML: what Google Drive sends when its quota is used up."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(200).removeprefix(b"\xef\xbb\xbf").lstrip()[:1] == b"<"


def web_page(name: str) -> str:
    """That a file is no list or picture but a web page, and what to do."""
    return (
        f"'{name}' is a web page, probably Google Drive's notice that its daily quota is used up, and "
        "not the file itself; delete it and download it again another day."
    )
