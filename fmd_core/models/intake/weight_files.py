"""PyTorch's archives and safetensors files, looked at by their first bytes and tables of contents alone.

Nothing here unpickles or imports torch: a file is refused in words, or handed on to the process
that opens it (see `fmd_core.models.intake.intake`).
"""

from __future__ import annotations

import json
import math
import re
import struct
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fmd_core.models.intake.refusals import CORE_ML, ELSEWHERE, IntakeRefusal, kind_of_archive, kind_of_start

MAX_BYTES = 1 << 30
MAX_TENSORS = 5_000
MAX_ELEMENTS = 200_000_000
MAX_DIRECTORY_BYTES = 4 << 20  # of a zip archive or safetensors header; 5,000 layers need about 1 MB
MOST_FILES = 200  # of a folder
WIDTHS = {"F16": 2, "BF16": 2, "F32": 4, "F64": 8, "I64": 8}  # bytes per number; I64 counts batches
ZIP_STARTS = (b"PK\3\4", b"PK\5\6")


@dataclass(frozen=True)
class Seen:
    """What is known of a file or folder without opening it."""

    path: Path
    n_bytes: int
    start: bytes
    """The first 512 bytes of a file; b"" for a folder."""
    entries: tuple[zipfile.ZipInfo, ...] = ()
    """The directory of a zip archive."""
    names: tuple[str, ...] = ()
    """Of the entries of an archive, or of the files right in a folder."""

    @property
    def is_archive(self) -> bool:
        return self.start[:4] in ZIP_STARTS


def look(path: Path) -> Seen:
    """What a door decides by. Raises IntakeRefusal for what is missing, empty, too large or a damaged archive."""
    if path.is_dir():
        files = [file for file in sorted(path.iterdir())[:MOST_FILES] if file.is_file()]
        return Seen(path, sum(file.stat().st_size for file in files), b"", names=tuple(f.name for f in files))
    if not path.is_file():
        raise missing()
    n_bytes = path.stat().st_size
    if n_bytes == 0:
        raise IntakeRefusal("The file is empty, the upload or download broke off; bring it again.")
    if n_bytes > MAX_BYTES:
        raise IntakeRefusal(
            f"The file has {n_bytes / 2**20:,.0f} MiB, more than the {MAX_BYTES >> 20:,} MiB that can be opened; "
            "bring the weights alone, without the state of the optimiser.",
            "model",
        )
    with path.open("rb") as file:
        start = file.read(512)
    entries = tuple(zip_entries(path, n_bytes)) if start[:4] in ZIP_STARTS else ()
    return Seen(path, n_bytes, start, entries, tuple(entry.filename for entry in entries))


def missing() -> IntakeRefusal:
    """For what is no file, and no folder of a model either."""
    return IntakeRefusal("The weights file is missing; bring it again.")


def is_state_dict(seen: Seen) -> bool:
    """Whether it is an archive as torch.save writes it."""
    programs = kind_of_archive(seen.names) is not None
    return seen.is_archive and not programs and sum(name.endswith("/data.pkl") for name in seen.names) == 1


def is_safetensors(seen: Seen) -> bool:
    """Whether it begins with the length of a header and a header, or says so by its name."""
    if seen.is_archive or not seen.start:
        return False
    begins = seen.start[5:9] == b"\0\0\0{"  # a length below 2^40 can look like anything
    other = not begins and kind_of_start(seen.start) is not None
    return not other and (seen.start[8:9] == b"{" or seen.path.suffix == ".safetensors")


def is_onnx(seen: Seen) -> bool:
    """Whether it begins as exporters of ONNX write it, or says so by its name and is nothing else that is known."""
    begins = re.match(rb"\x08[\x03-\x20][\x12\x1a\x22\x28\x32:B]", seen.start) is not None
    named = seen.path.suffix == ".onnx" and bool(seen.start) and not seen.is_archive
    other = seen.path.suffix == CORE_ML  # begins alike
    return (begins and not other) or (named and kind_of_start(seen.start) is None)


def check_onnx(seen: Seen) -> str:  # noqa: ARG001 - a protobuf has no table of contents
    """Nothing can be told of a protobuf without reading it."""
    return "It begins as an ONNX file does; what it tries was looked at in the limited process, before it was run."


def check_state_dict(seen: Seen) -> str:
    """Refuse an archive that could unpack to more than it is; else a sentence on what is in order."""
    if len(set(seen.names)) < len(seen.names):
        raise without_weights()
    if any(entry.compress_type != zipfile.ZIP_STORED or entry.flag_bits & 1 for entry in seen.entries):
        raise IntakeRefusal(
            "The archive is compressed inside, which PyTorch never does, and could unpack to far more than "
            "its size; save the weights again.",
            "model",
        )
    unpacked = sum(entry.file_size for entry in seen.entries)
    if unpacked > seen.n_bytes:
        raise IntakeRefusal(
            f"The archive says that it holds {unpacked:,} bytes, but the file has only {seen.n_bytes:,}; save the "
            "weights again.",
            "model",
        )
    return "Every entry of the archive lies uncompressed in it, and their sizes add up."


def without_weights() -> IntakeRefusal:
    """For an archive of no known kind."""
    return IntakeRefusal(f"This is a zip archive without the weights of one network; {ELSEWHERE}.", "model")


def check_safetensors_file(seen: Seen) -> str:
    """Refuse a header that does not fit its file; else a sentence on what is in order."""
    check_safetensors(seen.path)
    return "The safetensors header fits the file: every byte belongs to one layer."


def zip_entries(path: Path, n_bytes: int) -> list[zipfile.ZipInfo]:
    """The directory of a zip archive, read only if it is small and ends the file, so that every
    reader finds the same one."""
    with path.open("rb") as file:
        file.seek(max(0, n_bytes - 98))  # as PyTorch writes it: 56 + 20 + 22 bytes
        tail = file.read().rjust(98, b"\0")
    end = n_bytes - 22
    *_, count, size, offset, comment = struct.unpack("<4s4H2LH", tail[-22:])
    whole = tail[-22:-18] == b"PK\5\6" and comment == 0
    if tail[56:60] == b"PK\6\7":
        end -= 76
        count, size, offset, _, _, record = struct.unpack("<3Q2LQ", tail[32:72])
        whole = whole and tail[:4] == b"PK\6\6" and record == end
    whole = whole and offset + size == end
    if whole and (count > MAX_TENSORS + 100 or size > MAX_DIRECTORY_BYTES):
        raise _too_many_layers()
    try:
        if not whole:
            raise zipfile.BadZipFile
        with zipfile.ZipFile(path) as archive:
            return archive.infolist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError, OSError, struct.error):
        raise IntakeRefusal(
            "The archive is damaged or incomplete, the upload or download may have broken off; bring it again."
        ) from None


def check_safetensors(path: Path) -> None:
    """Refuse a safetensors file whose header does not describe exactly its bytes."""
    n_bytes = path.stat().st_size
    layers = [value for name, value in _header(path, n_bytes).items() if name != "__metadata__"]
    if len(layers) > MAX_TENSORS:
        raise _too_many_layers()
    spans, elements = [], 0
    for layer in layers:
        begin, end, numbers = _span(layer)
        spans.append((begin, end))
        elements += numbers
    with path.open("rb") as file:
        data = n_bytes - 8 - struct.unpack("<Q", file.read(8))[0]
    if elements > MAX_ELEMENTS:
        raise IntakeRefusal(
            f"The file holds {elements:,} numbers, more than {MAX_ELEMENTS:,}; bring a smaller one."
        )
    spans.sort()
    if [0, *(end for _, end in spans)] != [*(begin for begin, _ in spans), data]:
        raise _damaged("its layers overlap, leave gaps or do not end where the file ends")


def _header(path: Path, n_bytes: int) -> dict[str, Any]:
    with path.open("rb") as file:
        start = file.read(8)
        length = int.from_bytes(start, "little")
        if len(start) < 8 or length > n_bytes - 8:
            raise _damaged(f"its header says it is {length:,} bytes long, but the file has only {n_bytes:,}")
        if length > MAX_DIRECTORY_BYTES:
            raise _too_many_layers()
        text = file.read(length)
    try:
        header = json.loads(text, object_pairs_hook=_unique)
    except (ValueError, RecursionError):
        raise _damaged("its header cannot be read") from None
    if not isinstance(header, dict):
        raise _damaged("its header is not a list of layers by name")
    return header


def _unique(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise ValueError("a name twice")
        found[name] = value
    return found


def _span(layer: Any) -> tuple[int, int, int]:  # noqa: ANN401  whatever JSON can hold
    """Where a layer's bytes begin and end, and how many numbers they are."""
    try:
        dtype, shape, (begin, end) = layer["dtype"], layer["shape"], layer["data_offsets"]
        whole = all(type(number) is int and 0 <= number < 1 << 48 for number in (begin, end, *shape))
    except (TypeError, KeyError, ValueError):
        raise _damaged("a layer has no type, shape or place") from None
    if not whole or len(shape) > 8:
        raise _damaged("a layer has an impossible shape or place")
    if dtype not in WIDTHS:
        raise IntakeRefusal(
            f"A layer holds numbers of the type {str(dtype)[:20]!r}; decimal numbers of 16 to 64 bits can be read.",
            "model",
        )
    if math.prod(shape) * WIDTHS[dtype] != end - begin:
        raise _damaged(f"a layer of shape {tuple(shape)} has {end - begin:,} bytes")
    return begin, end, math.prod(shape)


def _damaged(what: str) -> IntakeRefusal:
    return IntakeRefusal(f"The safetensors file is damaged: {what}; bring it again.")


def _too_many_layers() -> IntakeRefusal:
    return IntakeRefusal(
        f"The file lists more than {MAX_TENSORS:,} layers; bring the weights of one network."
    )
