"""Pictures out of a zip that somebody sent: only pictures, under names of our own, within limits.

Names inside an archive are never used as paths: the pictures are written as 000000.jpg, 000001.png
and so on, and `names.json` beside them says what each was called.
"""

from __future__ import annotations

import json
import re
import shutil
import stat
import unicodedata
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile, ZipInfo

from fmd_core.data import ignore_progress
from fmd_core.datasets.own.sniffing import count
from fmd_core.errors import DataError
from fmd_core.home import room_needed
from fmd_core.text import short_name

MAX_ENTRIES = 50_000
MAX_DIRECTORY = 32 * 2**20  # bytes of the list of contents, which zipfile holds in memory
MAX_TOTAL = 4 * 2**30
MAX_FILE = 64 * 2**20
MAX_RATIO = 100  # unpacked to packed: pictures are packed already, so that they hardly shrink
SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff")
KINDS = "JPEG, PNG, WebP, BMP or TIFF"
_ROOMY = (".bmp", ".tif", ".tiff")  # may be stored unpacked, so that a plain one shrinks as much as zip can
NAMES = "names.json"
_OWN_NAME = re.compile(r"[0-9]{6}\.(?:jpg|jpeg|png|webp|bmp|tif|tiff)")
_ARCHIVES = (".zip", ".tar", ".gz", ".tgz", ".7z", ".rar", ".bz2", ".xz")
_JUNK = re.compile(r"(?:^|/)(?:__MACOSX/|\._|\.DS_Store$|Thumbs\.db$|desktop\.ini$)")


@dataclass(frozen=True)
class Extracted:
    """What came out of an archive: pictures by the name that they have in it, and what did not."""

    folder: Path
    files: Mapping[str, Path]
    skipped: Mapping[str, str]  # name in the archive, cut to 80 characters -> reason

    @property
    def notes(self) -> tuple[str, ...]:
        """Skipped files by reason, with one name each."""
        reasons = Counter(self.skipped.values())
        first = {reason: name for name, reason in reversed([*self.skipped.items()])}
        return tuple(
            f"{count(number, 'file')} of the archive skipped: {reason} ('{first[reason]}')."
            for reason, number in reasons.most_common()
        )


def open_zip(path: Path, destination: Path, progress: Callable[[float], None] = ignore_progress) -> Extracted:
    """Write the pictures of a zip into the new folder `destination`, under names of our own.

    Raises DataError for what is no zip, one with over 50,000 entries, over 4 GB unpacked, or no
    picture at all; single files with dangerous names or contents are skipped and said.
    """
    if destination.exists():
        raise DataError(f"The folder '{destination.name}' exists already; unpack into a new one.")
    try:
        with _archive(path) as archive, room_needed(DataError):
            chosen, skipped = _choose(path, archive.infolist())
            destination.mkdir(parents=True)
            files = _extract(archive, chosen, destination, skipped, progress)
            names = {name: file.name for name, file in files.items()}
            (destination / NAMES).write_text(json.dumps(names))
    except BaseException:  # also a cancel: leave nothing half done
        shutil.rmtree(destination, ignore_errors=True)
        raise
    return Extracted(destination, files, skipped)


def names_in_zip(path: Path) -> tuple[str, ...]:
    """What the pictures of a zip are called, by its list of contents alone. Raises DataError as `open_zip`."""
    with _archive(path) as archive:
        return tuple(_choose(path, archive.infolist())[0])


@contextmanager
def _archive(path: Path) -> Iterator[ZipFile]:
    """A zip whose list of contents fits in memory; whatever breaks in it is a DataError."""
    _check_directory(path)
    try:
        with ZipFile(path) as archive:
            yield archive
    except (BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise DataError(
            f"'{short_name(path.name)}' is not a zip archive, or it is damaged; pack it again."
        ) from error


def list_images(folder: Path) -> dict[str, Path]:
    """Pictures by name: those of an unpacked archive, else all in a folder and the folders in it.

    Links are not followed. Raises DataError for a folder without pictures.
    """
    if not folder.is_dir():
        raise DataError(f"There is no folder '{short_name(str(folder))}'; check the name.")
    files = _own_files(folder)
    if files is None:
        found = (p for p in sorted(folder.rglob("*")) if p.suffix.lower() in SUFFIXES)
        files = {p.relative_to(folder).as_posix(): p for p in found if p.is_file() and not p.is_symlink()}
    if not files:
        raise DataError(
            f"The folder '{short_name(folder.name)}' holds no picture; put {KINDS} files into it."
        )
    return files


def _own_files(folder: Path) -> dict[str, Path] | None:
    """What `open_zip` wrote, or None for any other folder, also one that only looks like it."""
    try:
        names = json.loads((folder / NAMES).read_text())
    except (OSError, ValueError, RecursionError):
        return None
    if not isinstance(names, dict) or not all(
        isinstance(file, str) and _OWN_NAME.fullmatch(file) and not (folder / file).is_symlink()
        for file in names.values()
    ):
        return None
    return {name: folder / file for name, file in names.items()}


def _check_directory(path: Path) -> None:
    """Refuse a list of contents that would not fit in memory, before zipfile reads it."""
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            file.seek(max(0, size - 65_557))  # the end record and the longest comment
            tail = file.read()
    except OSError as error:
        raise DataError(f"'{short_name(path.name)}' cannot be read; choose the file again.") from error
    end = tail.rfind(b"PK\x05\x06")
    if tail[-22:-18] == b"PK\x05\x06" and tail[-2:] == b"\0\0":
        end = len(tail) - 22  # where zipfile looks first
    if end < 0 or len(tail) < end + 22:
        raise DataError(f"'{short_name(path.name)}' is not a zip archive, or it is damaged; pack it again.")
    directory = int.from_bytes(tail[end + 12 : end + 16], "little")
    if b"PK\x06\x07" in tail[max(0, end - 20) : end] or directory > MAX_DIRECTORY:
        raise DataError(
            f"'{short_name(path.name)}' has more entries than the {MAX_ENTRIES:,} allowed, or is over 4 GB; "
            "pack fewer files, or name a folder on this computer."
        )


def _choose(path: Path, entries: list[ZipInfo]) -> tuple[dict[str, ZipInfo], dict[str, str]]:
    """Entries to extract by name, and the reasons against the others."""
    if len(entries) > MAX_ENTRIES:
        raise DataError(
            f"'{short_name(path.name)}' has {len(entries):,} entries; {MAX_ENTRIES:,} are the most. Pack fewer files."
        )
    chosen: dict[str, ZipInfo] = {}
    skipped: dict[str, str] = {}
    folded: set[str] = set()
    for entry in entries:
        name, reason = _plain(entry), _reason_against(entry)
        if name.endswith("/") and not entry.file_size:
            continue  # a folder
        key = unicodedata.normalize("NFC", name).casefold()
        if not reason and key in folded:
            reason = "the name is there twice, or differs only in capitals"
        if reason:
            skipped[_unique(short_name(name), skipped)] = reason
            continue
        folded.add(key)
        chosen[name] = entry
    total = sum(entry.file_size for entry in chosen.values())
    if total > MAX_TOTAL:
        raise DataError(
            f"'{short_name(path.name)}' holds {total / 2**30:,.1f} GB of pictures; {MAX_TOTAL // 2**30} GB are "
            "the most. Pack fewer, or name a folder on this computer."
        )
    if not chosen:
        why = f" ({next(iter(skipped.values()))})" if skipped else ""
        raise DataError(
            f"'{short_name(path.name)}' holds no picture that can be used{why}; pack {KINDS} files."
        )
    return chosen, skipped


def _plain(entry: ZipInfo) -> str:
    """The name of an entry with the slashes that the format asks for: some programs on Windows write others."""
    return entry.orig_filename.replace("\\", "/")


def _reason_against(entry: ZipInfo) -> str:
    """Why an entry is not extracted, '' if it is."""
    name = _plain(entry)
    suffix = Path(name).suffix.lower()
    if _JUNK.search(name):
        return "a system file"
    if name.startswith("/") or re.match(r"[A-Za-z]:", name) or ".." in name.split("/"):
        return "the name leads out of the archive"
    if any(unicodedata.category(character) == "Cc" for character in name):
        return "the name holds control characters"
    if stat.S_ISLNK(entry.external_attr >> 16):
        return "a link, not a file"
    if suffix in _ARCHIVES:
        return "an archive in the archive"
    if suffix not in SUFFIXES:
        return f"not a {KINDS} picture"
    if entry.flag_bits & 0x1:
        return "encrypted"
    if entry.compress_type not in (ZIP_STORED, ZIP_DEFLATED):
        return "packed in an unusual way"
    if entry.file_size > MAX_FILE:
        return f"larger than {MAX_FILE // 2**20} MB"
    if suffix not in _ROOMY and entry.file_size > MAX_RATIO * max(1, entry.compress_size):
        return f"over {MAX_RATIO} times larger than packed, as no picture is"
    return ""


def _extract(
    archive: ZipFile,
    chosen: Mapping[str, ZipInfo],
    destination: Path,
    skipped: dict[str, str],
    progress: Callable[[float], None],
) -> dict[str, Path]:
    files: dict[str, Path] = {}
    for number, (name, entry) in enumerate(chosen.items()):
        target = destination / f"{number:06d}{Path(name).suffix.lower()}"
        try:
            # Never more than was announced and checked: zipfile stops there.
            with archive.open(entry) as packed, target.open("xb") as out:
                shutil.copyfileobj(packed, out, 2**20)
            files[name] = target
        except (BadZipFile, EOFError, RuntimeError, NotImplementedError, ValueError, zlib.error):
            target.unlink(missing_ok=True)
            skipped[_unique(short_name(name), skipped)] = "damaged"
        progress((number + 1) / len(chosen))
    return files


def _unique(name: str, taken: Mapping[str, str]) -> str:
    unique, again = name, 2
    while unique in taken:
        unique, again = f"{name} ({again})", again + 1
    return unique
