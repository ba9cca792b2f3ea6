"""What a weights file is, told from its first bytes and its table of contents, without opening it.

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
from pathlib import Path
from typing import Any, Literal

from fmd_core.errors import ModelError

WeightsFormat = Literal["safetensors", "state_dict"]

MAX_BYTES = 1 << 30
MAX_TENSORS = 5_000
MAX_ELEMENTS = 200_000_000
MAX_DIRECTORY_BYTES = 4 << 20  # of a zip archive or safetensors header; 5,000 layers need about 1 MB
CONVERTERS = {
    "": "",
    "model": """\
from safetensors.torch import save_file
state = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in model.state_dict().items()}
save_file(state, "weights.safetensors")  # `model` is your network, built and filled as in your own code""",
    "legacy": """\
import torch
state = torch.load("old.pth", map_location="cpu", weights_only=True)  # the name of your file
torch.save(state, "weights.pt")""",
    "torchscript": """\
import torch
state = torch.jit.load("model.pt", map_location="cpu").state_dict()  # the name of your own file
torch.save(state, "weights.pt")""",
}
"""Code for the owner to run, by what is wrong. Fixed here: nothing in a file can choose its words."""


class IntakeRefusal(ModelError):
    """A weights file that is not used, and why. `converter` is code for its owner to run, or ''."""

    def __init__(self, reason: str, converter: str = "") -> None:
        super().__init__(reason)
        self.converter = CONVERTERS[converter]


ELSEWHERE = "FMD Studio opens PyTorch weights: a state dict or a safetensors file"
AGAIN = "save the plain weights again"
KINDS: tuple[tuple[bytes, str, str], ...] = (
    (rb"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P", "legacy", f"a bare pickle of an old PyTorch; {AGAIN}"),
    (rb"\x80[\x02-\x05]|c[\w.]+\n[\w.]+\n", "model", f"a bare pickle, which can run code; {AGAIN}"),
    (rb".{257}ustar", "model", f"a tar archive, as only the oldest PyTorch wrote; {AGAIN}"),
    (rb"\x1f\x8b|BZh|\xfd7zXZ|\x28\xb5\x2f\xfd|7z\xbc\xaf|Rar!", "", "a compressed archive; unpack it first"),
    (rb"(\xef\xbb\xbf)?\s*<", "", "a web page; the download link led to a log-in or error page"),
    (rb"version https://git-lfs", "", "a Git LFS pointer, not the file itself; fetch that with git lfs pull"),
    (rb"\x89HDF", "", f"a Keras or HDF5 file; {ELSEWHERE}"),
    (rb"\x08[\x03-\x20][\x12\x1a:B]", "", f"an ONNX file; {ELSEWHERE}, of the network before its export"),
    (rb"\x08\x01\x12|.{4}TFL3", "", f"a TensorFlow file; {ELSEWHERE}"),
    (rb"GGUF", "", f"a GGUF file of a language model; {ELSEWHERE}"),
    (rb"\x93NUMPY", "", f"a NumPy array; {ELSEWHERE}"),
    (rb"\x89PNG|\xff\xd8\xff|GIF8|%PDF|RIFF", "", f"a picture or document; {ELSEWHERE}"),
    (rb"[\t\n\r -\x7e]+$", "", f"a text file; {ELSEWHERE}"),
)
"""How other files begin (a pattern), the converter for their owner, and what they are in words."""
ARCHIVES: tuple[tuple[str, str, str], ...] = (
    (r"(^|/)constants\.pkl$|^[^/]+/code/", "torchscript", f"a TorchScript program; {AGAIN}"),
    (r"(^|/)archive_format$|(^|/)models/model\.json$", "model", f"an exported PyTorch program; {AGAIN}"),
    (r"\.weights\.h5$|(^|/)keras_metadata\.pb$", "", f"a Keras model; {ELSEWHERE}"),
    (r"\.npy$", "", f"a NumPy archive; {ELSEWHERE}"),
    (r"\.(pth?|safetensors|ckpt|bin)$", "", "a zip archive around weights; unpack it first"),
)
"""The same for zip archives, by a name in them."""
WIDTHS = {"F16": 2, "BF16": 2, "F32": 4, "F64": 8, "I64": 8}  # bytes per number; I64 counts batches


def inspect_file(path: Path) -> tuple[WeightsFormat, str]:
    """The format of a weights file and a sentence on what was found in order; nothing is loaded.

    Raises IntakeRefusal for all that is not a state dict in PyTorch's archive or a safetensors file.
    """
    if not path.is_file():
        raise IntakeRefusal("The weights file is missing; bring it again.")
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
    if start[:4] in (b"PK\3\4", b"PK\5\6"):
        _check_archive(path, n_bytes)
        return "state_dict", "Every entry of the archive lies uncompressed in it, and their sizes add up."
    kind = None if start[5:9] == b"\0\0\0{" else _kind(start)  # a length below 2^40 can look like anything
    if kind is None and (start[8:9] == b"{" or path.suffix == ".safetensors"):
        _check_safetensors(path, n_bytes)
        return "safetensors", "The safetensors header fits the file: every byte belongs to one layer."
    converter, words = kind or ("model", f"not a kind of file that is known here; {ELSEWHERE}")
    raise IntakeRefusal(f"This is {words}.", converter)


def _kind(start: bytes) -> tuple[str, str] | None:
    """Converter and words for a file that begins like this."""
    found = (kind for kind in KINDS if re.match(kind[0], start, re.DOTALL | re.IGNORECASE))
    return next(((converter, words) for _, converter, words in found), None)


def _check_archive(path: Path, n_bytes: int) -> None:
    """Refuse a zip archive that is not a state dict, or that could unpack to more than it is."""
    entries = _zip_entries(path, n_bytes)
    names = [entry.filename for entry in entries]
    for pattern, converter, words in ARCHIVES:
        if any(re.search(pattern, name) for name in names):
            raise IntakeRefusal(f"This is {words}.", converter)
    if sum(name.endswith("/data.pkl") for name in names) != 1 or len(set(names)) < len(names):
        raise IntakeRefusal(
            f"This is a zip archive without the weights of one network; {ELSEWHERE}.", "model"
        )
    if any(entry.compress_type != zipfile.ZIP_STORED or entry.flag_bits & 1 for entry in entries):
        raise IntakeRefusal(
            "The archive is compressed inside, which PyTorch never does, and could unpack to far more than "
            "its size; save the weights again.",
            "model",
        )
    if sum(entry.file_size for entry in entries) > n_bytes:
        raise IntakeRefusal(
            f"The archive says that it holds {sum(entry.file_size for entry in entries):,} bytes, but the file has "
            f"only {n_bytes:,}; save the weights again.",
            "model",
        )


def _zip_entries(path: Path, n_bytes: int) -> list[zipfile.ZipInfo]:
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


def _check_safetensors(path: Path, n_bytes: int) -> None:
    """Refuse a safetensors file whose header does not describe exactly its bytes."""
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
