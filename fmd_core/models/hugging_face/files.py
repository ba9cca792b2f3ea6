"""Folders that `save_pretrained` wrote, and zips of them: by names and sizes alone; their descriptions as JSON."""

from __future__ import annotations

import json
import re
import shutil
import stat
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from fmd_core.models.hugging_face import tokenizer
from fmd_core.models.intake.refusals import IntakeRefusal
from fmd_core.models.intake.weight_files import MAX_BYTES, Seen, check_safetensors
from fmd_core.text import short_name

CONFIG, WEIGHTS, PICTURES = "config.json", "model.safetensors", "preprocessor_config.json"
LARGEST: dict[str, int] = {
    CONFIG: 4 << 20,  # ImageNet-21k names its classes in 1.3 MB
    PICTURES: 1 << 20,
    WEIGHTS: MAX_BYTES,
    tokenizer.FILE: tokenizer.MOST_BYTES,
    "tokenizer_config.json": 4 << 20,
    "vocab.txt": 16 << 20,
    "vocab.json": 16 << 20,
    "merges.txt": 16 << 20,
    "special_tokens_map.json": 1 << 20,
}
"""What is read of a folder, and how many bytes it may have. Whatever else lies there is left alone."""
UNUSED = re.compile(r"(^|/)(__MACOSX/|\.DS_Store$|\.git/|\.gitattributes$)")
OTHER_WEIGHTS = re.compile(r"\.(bin|h5|msgpack|ckpt|pth?|pkl|pickle)$|-\d+-of-\d+\.safetensors$")
MOST_DEEP = 60  # brackets within brackets of a description


def is_folder(seen: Seen) -> bool:
    """Whether it looks like a saved model: a description beside weights."""
    own = [name for name in seen.names if not UNUSED.search(name)]
    described = any(PurePosixPath(name.replace("\\", "/")).name == CONFIG for name in own)
    weights = any(OTHER_WEIGHTS.search(name) or name.endswith(".safetensors") for name in own)
    keras = any(name.endswith((".weights.h5", "keras_metadata.pb")) for name in own)
    return described and weights and not keras and not any(name.endswith("/data.pkl") for name in own)


def check_folder(seen: Seen) -> str:
    """Refuse what no saved model holds, before anything is unpacked; else a sentence on what is in order."""
    sizes = _sizes(seen)
    code = next((name for name in sizes if name.endswith(".py")), "")
    if code:
        raise IntakeRefusal(
            f"The model brings Python code ('{short_name(code)}'), which is never run; bring a plain classifier of the "
            "library, or export the model to ONNX."
        )
    if WEIGHTS not in sizes:
        if any(re.search(r"-of-\d+\.safetensors$", name) for name in sizes):
            raise IntakeRefusal("The weights lie in several files; save them in one.", "hugging_face")
        raise IntakeRefusal(
            f"The folder has a config.json but no {WEIGHTS}; other weights can run code and are not opened.",
            "hugging_face",
        )
    for name, most in LARGEST.items():
        if sizes.get(name, 0) > most:
            raise IntakeRefusal(
                f"{name} has {sizes[name] / 2**20:,.1f} MiB, more than the {most / 2**20:,.0f} MiB that it may have; "
                "bring a smaller model."
            )
    return (
        "The folder holds a description and weights that can be numbers only; other files in it are not read."
    )


def _sizes(seen: Seen) -> dict[str, int]:
    """Bytes of the files beside config.json, by name."""
    if not seen.is_archive:
        return {name: (seen.path / name).stat().st_size for name in seen.names}
    for entry in seen.entries:
        _refuse_odd(entry)
    if len({name.lower() for name in seen.names}) < len(seen.names):
        raise IntakeRefusal("The archive holds a name twice; pack the folder again.")
    place = root(seen.names)
    return {
        entry.filename.removeprefix(place): entry.file_size
        for entry in seen.entries
        if entry.filename.startswith(place) and "/" not in entry.filename.removeprefix(place)
    }


def _refuse_odd(entry: zipfile.ZipInfo) -> None:
    """Refuse names that lead out of a folder, links, and what is locked or packed in an odd way."""
    name = entry.filename
    parts = name.split("/")
    if ".." in parts or name.startswith("/") or "\\" in name or ":" in parts[0] or "\0" in name:
        raise IntakeRefusal(f"The archive holds the unsafe name '{_shown(name)}'; pack the folder again.")
    if stat.S_ISLNK(entry.external_attr >> 16):
        raise IntakeRefusal(
            f"'{_shown(name)}' in the archive is a link, not a file; pack the files themselves."
        )
    if entry.flag_bits & 1:
        raise IntakeRefusal("The archive is locked with a password; pack the folder without one.")
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise IntakeRefusal("The archive is packed in an unusual way; pack the folder as a plain zip.")


def _shown(name: str) -> str:
    return "".join(letter for letter in name if letter.isprintable())[:60]


def root(names: tuple[str, ...]) -> str:
    """The folder in an archive that the model lies in, with its slash: that of the highest config.json."""
    found = [n for n in names if n.split("/")[-1] == CONFIG and not UNUSED.search(n)]
    return min(found, key=lambda name: (name.count("/"), name), default=CONFIG).removesuffix(CONFIG)


def unpacked(path: Path, folder: Path) -> dict[str, Path]:
    """The files that are read, by name; those of an archive are copied into `folder`. In the limited process alone."""
    if path.is_dir():
        return {name: path / name for name in LARGEST if (path / name).is_file()}
    found: dict[str, Path] = {}
    with zipfile.ZipFile(path) as archive:
        place = root(tuple(archive.namelist()))
        for name, most in LARGEST.items():
            if place + name not in archive.namelist():
                continue
            with archive.open(place + name) as source, (folder / name).open("wb") as target:
                shutil.copyfileobj(_Limited(source, most), target)
            found[name] = folder / name
    return found


class _Limited:
    """A file that ends with a refusal where it gives more bytes than it may."""

    def __init__(self, source: object, most: int) -> None:
        self.source, self.left = source, most

    def read(self, n: int = -1) -> bytes:
        content: bytes = self.source.read(n)  # type: ignore[attr-defined]
        self.left -= len(content)
        if self.left < 0:
            raise IntakeRefusal("A file in the archive unpacks to more than it may; pack the folder again.")
        return content


def peek(path: Path, name: str) -> object:
    """A description of a folder or archive that was checked, without unpacking the rest; None where it has none."""
    if path.is_dir():
        return read_json(path / name) if (path / name).is_file() else None
    try:
        with zipfile.ZipFile(path) as archive:
            inner = root(tuple(archive.namelist())) + name
            if inner not in archive.namelist():
                return None
            with archive.open(inner) as file:
                content = file.read(LARGEST[name] + 1)
    except (zipfile.BadZipFile, OSError, EOFError, ValueError, RuntimeError, NotImplementedError, zlib.error):
        raise IntakeRefusal(f"{name} cannot be unpacked; pack the folder again.") from None
    if len(content) > LARGEST[name]:
        raise IntakeRefusal(f"{name} unpacks to more than it may; pack the folder again.")
    return _parsed(content, name)


def read_json(path: Path) -> object:
    """A description. IntakeRefusal for what is none."""
    return _parsed(path.read_bytes(), path.name)


def _parsed(content: bytes, name: str) -> object:
    try:
        text = content.decode("utf-8-sig")
        if _depth(text) > MOST_DEEP:
            raise ValueError
        return json.loads(text)
    except (ValueError, RecursionError):
        raise IntakeRefusal(f"{name} cannot be read; save the model again with save_pretrained().") from None


def _depth(text: str) -> int:
    """How deep brackets are nested at most, those in words included."""
    deep = most = 0
    for letter in re.findall(r"[\[\]{}]", text):
        deep += 1 if letter in "[{" else -1
        most = max(most, deep)
    return most


def checked_weights(path: Path) -> Path:
    """The weights, once their header was found to describe exactly their bytes."""
    check_safetensors(path)
    return path
