"""Files that are written whole or not at all, whenever the process is killed or the disk is full."""

from __future__ import annotations

import contextlib
import glob
import os
import re
import secrets
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

ABANDONED_SECONDS = 86_400.0
"""A half-written file that nobody has touched for so long belongs to nobody any more."""
_PART = re.compile(r"\.[0-9a-f]{16}\.part")


@contextmanager
def written_whole(
    path: Path, *, move: Callable[[], AbstractContextManager[None]] = nullcontext
) -> Iterator[Path]:
    """A name beside `path` to write to; what was written there takes the place of `path` when the block ends.

    Until then a reader meets the old file, or none. When the block raises, what was written is removed and
    the old file stays. When the process is killed, the old file stays too, and the next writing of the same
    file removes what was left after a day. Of two writers the last one's file stays, whole.

    The data are on the disk (fsync) before the name is. A file that is replaced keeps its permissions; a new
    one has those that its writer gave it.

    Parameters
    ----------
    path
        Where the file belongs; its folder must exist.
    move
        What words the errors of the last step, such as `room_needed`; errors of the block are its own.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     with written_whole(Path(folder, "notes.txt")) as part:
    ...         _ = part.write_text("all of it")
    ...     [file.name for file in Path(folder).iterdir()]
    ['notes.txt']
    """
    _sweep(path)
    part = path.with_name(f"{path.name}.{secrets.token_hex(8)}.part")
    try:
        yield part
        with move():
            _sync(part)
            with contextlib.suppress(FileNotFoundError):
                shutil.copymode(path, part)
            os.replace(part, path)
    except BaseException:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
        raise


def write_text_whole(path: Path, text: str) -> None:
    """Write `text` as UTF-8, whole or not at all; into a pipe or a device as it comes. Raises OSError."""
    if path.exists() and not path.is_file():
        path.write_text(text, encoding="utf-8")
        return
    with written_whole(path) as part:
        part.write_text(text, encoding="utf-8")


def _sync(part: Path) -> None:
    with part.open("r+b") as file:  # Windows syncs only what is open for writing
        os.fsync(file.fileno())


def _sweep(path: Path) -> None:
    """Remove what killed writers of the same file left."""
    for part in path.parent.glob(f"{glob.escape(path.name)}.*.part"):
        with contextlib.suppress(OSError):  # another process may remove it first
            ours = _PART.fullmatch(part.name.removeprefix(path.name))
            if ours and time.time() - part.stat().st_mtime > ABANDONED_SECONDS:
                part.unlink()
