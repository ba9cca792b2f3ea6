"""CelebA: faces of celebrities with 40 yes-or-no attributes (Liu et al., ICCV 2015).

Reads the official layout, whole or any subset of its pictures, at any picture size:

    img_align_celeba/000001.jpg ...   list_eval_partition.txt (0 train, 1 validation, 2 test)
    list_attr_celeba.txt (1, -1)      identity_CelebA.txt (who is on the picture)

and Kaggle's: the same lists as .csv with a line of names, the pictures in img_align_celeba/img_align_celeba/. Kaggle
leaves out who is on the pictures; the official identity_CelebA.txt can be put beside them.

The terms of CelebA allow non-commercial research only and no passing on of the pictures.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from fmd_core.data import (
    SPLITS,
    Array,
    AttributeDataset,
    Column,
    InputKind,
    content_fingerprint,
    frozen_array,
)
from fmd_core.errors import DataError

PICTURES = "img_align_celeba"
ATTRIBUTES, PARTITION, IDENTITIES = "list_attr_celeba.txt", "list_eval_partition.txt", "identity_CelebA.txt"
SUFFIXES = (".jpg", ".jpeg", ".png")
MAX_PIXELS = 50_000_000  # a file of 100 kB can claim more memory than there is
SMALLEST, LARGEST = 8, 512
_NO = (  # read better with "no" than with "not"
    "5 o clock shadow", "arched eyebrows", "bags under eyes", "bangs", "bushy eyebrows", "double chin",
    "eyeglasses", "goatee", "heavy makeup", "high cheekbones", "mustache", "receding hairline",
    "rosy cheeks", "sideburns",
)  # fmt: skip
_SAID_BEFORE = {
    "blond hair": "blond", "attractive": "attractive", "bald": "bald", "chubby": "chubby", "smiling": "smiling",
    "young": "young", "blurry": "blurred",
}  # fmt: skip
_HALVING_SEED = 20231210
_BY_HAND = "or put CelebA's official files there yourself"


@dataclass(frozen=True, eq=False)
class CelebaSource:
    """Faces on disk, opened when they are asked for; never more of them in memory than one call reads."""

    folder: Path  # that holds the pictures
    files: Array  # (n,) str, file names
    lengths: Array  # (n,) int64, file sizes in bytes
    size: int
    kind: InputKind = "image"

    @cached_property
    def fingerprint(self) -> str:
        """Digest of file names, file sizes and `size`. The pixels are not read for it: a picture that
        is replaced by another of the very same name and length goes unnoticed."""
        return content_fingerprint("celeba v1", str(self.size), self.files, self.lengths)

    def read(self, rows: Array) -> Array:
        """The middle square of each picture (178 x 178 of the official 178 x 218), smoothly resized to
        `size`: uint8 (m, size, size, 3). One thread: more were not faster (0.55 and 0.5 ms a picture)."""
        faces = np.empty((len(rows), self.size, self.size, 3), "uint8")
        for place, row in enumerate(rows):
            with self._picture(row) as picture:
                picture.draft("RGB", (self.size, self.size))  # a JPEG can be decoded at 1/2, 1/4 or 1/8
                faces[place] = _middle_square(picture, self.size)
        return faces

    def counterfactual(self, rows: Array, attribute: str, codes: Array) -> Array:  # noqa: ARG002  protocol
        """Always a DataError: nobody can redraw a photograph of a person."""
        raise DataError(
            f"A photographed face cannot be redrawn with another '{attribute}'; use twins that are matched."
        )

    def display(self, row: int, attribute: str = "", code: int = 0) -> Array:
        """The whole picture at the size that it is stored in, uint8 (height, width, 3)."""
        if attribute:
            return self.counterfactual(np.array([row]), attribute, np.array([code]))
        with self._picture(row) as picture:
            return np.array(picture.convert("RGB"))

    @contextmanager
    def _picture(self, row: int) -> Iterator[Image.Image]:
        """The opened file of a sample; whatever goes wrong with it in the block becomes a DataError."""
        path = self.folder / str(self.files[row])
        try:
            with Image.open(path, formats=("JPEG", "PNG")) as picture:
                if picture.width * picture.height > MAX_PIXELS:
                    raise Image.DecompressionBombError
                yield picture
        except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
            raise DataError(
                f"The picture '{path.name}' has more than {MAX_PIXELS // 1_000_000} million pixels; "
                "delete it, the others can be used without it."
            ) from error
        except (OSError, SyntaxError, ValueError) as error:  # what Pillow raises for broken files
            raise DataError(_what_is_wrong(path)) from error


def load_celeba(
    folder: Path, *, target: str = "Blond_Hair", protected: Sequence[str] = ("Male",), size: int = 64
) -> AttributeDataset:
    """Faces of the official layout in `folder`, at `size` pixels for the model.

    Attributes go by their official names, in any case, with underscores or spaces. The official
    training and test parts keep their roles; the official validation part is halved by person into
    external and validation. No person is in two splits. What was left out stands in `notes`.
    Raises DataError where a list is missing, broken or a saved web page, and for unknown attributes.
    """
    if not SMALLEST <= size <= LARGEST:
        raise DataError(f"Faces of {size} pixels cannot be used; choose {SMALLEST} to {LARGEST}.")
    official = celeba_attributes(folder)
    chosen = _chosen(official, target, protected)
    listed, codes = _attribute_codes(folder, official, chosen)
    files, sizes, notes = _pictures_of(folder, listed)
    role, more_notes = _roles(folder, listed, files != "")
    keep = role >= 0
    if not keep.any():
        raise DataError(f"None of the pictures in '{PICTURES}' is named in CelebA's lists; are these CelebA?")
    columns = [
        Column(_plain(official[c]), codes[keep, k], _levels(official[c])) for k, c in enumerate(chosen)
    ]
    source = CelebaSource(
        _picture_folder(folder), frozen_array(files[keep]), frozen_array(sizes[keep], "int64"), size
    )
    notes += more_notes + [f"The model sees the middle square of each picture, {size} x {size} pixels."]
    return AttributeDataset(
        "CelebA",
        columns[0],
        {column.name: column for column in columns[1:]},
        np.array(SPLITS)[role[keep]],
        source,
        pair_method="matched",
        unit="face",
        notes=tuple(notes),
        shareable=False,  # the agreement forbids handing pictures on
        favourable=None,  # what a face shows is no advantage by itself: a reviewer may say otherwise
        phrases={column.name: _phrases(column) for column in columns},
    )


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


def download_celeba(folder: Path) -> None:
    """Let torchvision download CelebA into `folder` from the authors' Google Drive (1.4 GB, twice that
    once unpacked). Raises DataError that says in words why it was refused. Imports torch."""
    from torchvision.datasets import CelebA

    here = type("CelebA", (CelebA,), {"base_folder": folder.name})  # its own folder name is fixed
    try:
        here(root=folder.parent, split="all", download=True)
    except Exception as error:  # torchvision, gdown, requests and zipfile each have their own
        raise DataError(_refusal(folder, error)) from error


def _refusal(folder: Path, error: Exception) -> str:
    """Why a download failed, in words."""
    saved = [name for name in (PICTURES + ".zip", ATTRIBUTES, PARTITION, IDENTITIES)
             if _is_web_page(folder / name)]  # fmt: skip
    text = str(error).lower()
    if saved or "too many users" in text or "quota" in text or "public link" in text:
        what = f"sent a web page instead of '{saved[0]}'" if saved else "refused"
        return f"Google Drive {what}: its daily quota for CelebA is used up; try again tomorrow, {_BY_HAND}."
    if "gdown" in text and "required" in text:
        return (
            f"torchvision downloads CelebA with the package gdown, which is not here; install it, {_BY_HAND}."
        )
    if isinstance(error, PermissionError):
        return f"CelebA cannot be saved: the folder '{folder.name}' may not be written to; choose another."
    if "corrupted" in text or "zip" in text:
        return f"What arrived is not the CelebA that torchvision expects; try again, {_BY_HAND}."
    return f"CelebA cannot be downloaded ({type(error).__name__}); check the connection, {_BY_HAND}."


# --- the lists


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


def _attribute_codes(folder: Path, official: tuple[str, ...], chosen: list[int]) -> tuple[Array, Array]:
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
    found = _whole_numbers(folder, IDENTITIES, np.array([os.path.splitext(name)[0] for name in files]))
    if lost := int((found < 0).sum()):
        raise DataError(f"'{IDENTITIES}' does not say who is on {lost:,} of {len(files):,} pictures.")
    return found


def _whole_numbers(folder: Path, name: str, listed: Array) -> Array:
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


# --- roles


def _roles(folder: Path, listed: Array, here: Array) -> tuple[Array, list[str]]:
    """Position in SPLITS of each listed face (n,), -1 where it is left out, and the notes on it."""
    part = _whole_numbers(folder, PARTITION, listed)
    if part.max() > 2:
        raise DataError(
            f"'{PARTITION}' has part {part.max()}; CelebA's are 0 train, 1 validation and 2 test."
        )
    notes, person = [], np.arange(len(listed))
    if _list_path(folder, IDENTITIES).exists():
        person = _whole_numbers(folder, IDENTITIES, listed)
    else:
        notes.append(f"'{IDENTITIES}' is missing: that no person is in two splits could not be checked.")
    known = here & (part >= 0) & (person >= 0)
    if lost := int((here & ~known).sum()):
        notes.append(f"{lost:,} faces were left out: the lists of splits and persons do not name them.")
    role = np.full(len(listed), -1)
    role[known] = _without_overlap(part[known], person[known])
    if shared := int((known & (role < 0)).sum()):
        notes.append(f"{shared:,} faces were left out: the same person is in a split that judges the model.")
    notes.append("CelebA's validation part is halved by person: half decides the fix, half guards it.")
    return role, notes


def _without_overlap(part: Array, person: Array) -> Array:
    """Roles (n,) in which no person has two; -1 for faces of a person whom a later part keeps.

    Test is kept before validation, validation before training: who judges must not have taught.
    """
    people, of = np.unique(person, return_inverse=True)
    keeper = np.zeros(len(people), "int64")
    np.maximum.at(keeper, of, part)
    role = np.where(part == 0, SPLITS.index("train"), SPLITS.index("test"))
    role[part != keeper[of]] = -1
    halved = (part == 1) & (role >= 0)
    role[halved] = _halves(of[halved])
    return role


def _halves(person: Array) -> Array:
    """External or validation for each face (m,): persons in a fixed random order, cut in the middle."""
    people, of, faces = np.unique(person, return_inverse=True, return_counts=True)
    order = np.random.default_rng(_HALVING_SEED).permutation(len(people))
    before = np.empty(len(people), "int64")
    before[order] = np.cumsum(faces[order]) - faces[order]
    first = before < len(person) / 2
    return np.where(first[of], SPLITS.index("external"), SPLITS.index("validation"))


# --- pictures


def _pictures_of(folder: Path, listed: Array) -> tuple[Array, Array, list[str]]:
    """File name (n,), "" where there is none, and file size (n,) of each listed face, and the notes."""
    found = _picture_files(folder)
    _check_smallest(_picture_folder(folder), found)
    stems = listed.tolist()
    empty = sum(not length for _, length in found.values())
    files = np.array([found[s][0] if s in found and found[s][1] else "" for s in stems])
    sizes = np.array([found[s][1] if s in found else 0 for s in stems])
    notes = []
    if missing := int(sum(s not in found for s in stems)):
        notes.append(f"{missing:,} of {len(stems):,} listed faces have no picture here and were left out.")
    if empty:
        notes.append(f"{empty:,} picture files are empty and were left out.")
    if unlisted := len(found) - (len(stems) - missing):
        notes.append(f"{unlisted:,} pictures were left out because '{ATTRIBUTES}' does not list them.")
    return files, sizes, notes


def _picture_folder(folder: Path) -> Path:
    """Where the pictures lie: Kaggle's archive has a folder of the same name in the folder."""
    inner = folder / PICTURES / PICTURES
    return inner if inner.is_dir() else folder / PICTURES


def _picture_files(folder: Path) -> dict[str, tuple[str, int]]:
    """File name and size of every picture by its name without suffix."""
    if not (folder / PICTURES).is_dir():
        archive = folder / f"{PICTURES}.zip"
        if _is_web_page(archive):
            raise DataError(_web_page(archive.name))
        do = f"unpack '{archive.name}'" if archive.exists() else "download CelebA"
        raise DataError(f"The folder '{PICTURES}' with CelebA's pictures is missing; {do} first.")
    with os.scandir(_picture_folder(folder)) as entries:
        named = [(os.path.splitext(entry.name), entry) for entry in entries]
        found = {
            stem: (entry.name, entry.stat().st_size) for (stem, suffix), entry in named
            if suffix.lower() in SUFFIXES
        }  # fmt: skip
    if not found:
        raise DataError(f"The folder '{PICTURES}' holds no .jpg or .png; are the pictures one folder deeper?")
    return found


def _check_smallest(folder: Path, found: dict[str, tuple[str, int]]) -> None:
    """Refuse web pages saved as pictures, which are smaller than faces; opening all takes too long."""
    for name, length in sorted(found.values(), key=lambda file: file[1])[:5]:
        if length and _is_web_page(folder / name):
            raise DataError(_web_page(name))


def _middle_square(picture: Image.Image, size: int) -> Array:
    """The largest centred square of a picture, (size, size, 3)."""
    side = min(picture.size)
    left, top = (picture.width - side) // 2, (picture.height - side) // 2
    # cut out first: resize(box=...) would blend in what lies just outside
    square = picture.crop((left, top, left + side, top + side)).convert("RGB")
    return np.asarray(square.resize((size, size), Image.Resampling.BILINEAR))


# --- words


def _plain(official: str) -> str:
    """An attribute as a person would write it: 5_o_Clock_Shadow is 5 o clock shadow."""
    return " ".join(official.replace("_", " ").lower().split())


def _levels(official: str) -> tuple[str, str]:
    """What faces without and with an attribute are called."""
    name = _plain(official)
    if name == "no beard":
        return "beard", name
    return f"{'no' if name in _NO else 'not'} {name}", name


def _phrases(column: Column) -> dict[str, str]:
    """How people without and with an attribute are called, by level."""
    without, with_it = column.levels
    name = column.name
    if name == "male":
        return {"": "sex", without: "women", with_it: "men"}
    if name in _SAID_BEFORE:  # "blond men"
        said = _SAID_BEFORE[name]
        return {without: f"{{}} who are not {said}", with_it: f"{said} {{}}"}
    if name.startswith("wearing "):
        worn = name.removeprefix("wearing ")
        return {without: f"{{}} without {worn}", with_it: f"{{}} with {worn}"}
    if name == "no beard":
        return {without: "{} with a beard", with_it: "{} without a beard"}
    return {without: f"{{}} without {name}", with_it: f"{{}} with {name}"}


def _chosen(official: tuple[str, ...], target: str, protected: Sequence[str]) -> list[int]:
    """Positions of the target and then of the protected attributes, each once."""
    names = [protected] if isinstance(protected, str) else protected
    wanted = list(dict.fromkeys(_position(official, name) for name in names))
    first = _position(official, target)
    if not wanted:
        raise DataError("No protected attribute is chosen; choose at least one, such as Male.")
    if first in wanted:
        raise DataError(f"'{official[first]}' cannot be target and protected attribute; choose another.")
    return [first, *wanted]


def _position(official: tuple[str, ...], wanted: str) -> int:
    names = [_plain(name) for name in official]
    if _plain(wanted) not in names:
        close = [official[names.index(name)] for name in get_close_matches(_plain(wanted), names)]
        known = f"Close to it: {', '.join(close)}." if close else f"There are: {', '.join(official)}."
        raise DataError(f"CelebA has no attribute {wanted[:40]!r}. {known}")
    return names.index(_plain(wanted))


def _existing(folder: Path, name: str) -> Path:
    """The path of a list, or a DataError where it is missing or no list."""
    path = _list_path(folder, name)
    if not path.is_file():
        raise DataError(f"CelebA is not complete here: '{name}' is missing; download it, {_BY_HAND}.")
    if _is_web_page(path):
        raise DataError(_web_page(path.name))
    return path


def _list_path(folder: Path, name: str) -> Path:
    """The official list, or Kaggle's where that alone is there."""
    kaggle = (folder / name).with_suffix(".csv")
    return kaggle if kaggle.is_file() and not (folder / name).is_file() else folder / name


def _is_web_page(path: Path) -> bool:
    """Whether a file begins like HTML: what Google Drive sends when its quota is used up."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(200).removeprefix(b"\xef\xbb\xbf").lstrip()[:1] == b"<"


def _web_page(name: str) -> str:
    return (
        f"'{name}' is a web page, probably Google Drive's notice that its daily quota is used up, and "
        "not the file itself; delete it and download it again another day."
    )


def _what_is_wrong(path: Path) -> str:
    """Why a picture could not be read, in words."""
    if not path.is_file():
        return f"The picture '{path.name}' is gone since the data set was opened; open the data set again."
    if _is_web_page(path):
        return _web_page(path.name)
    return f"The picture '{path.name}' is damaged; delete it, the others can be used without it."
