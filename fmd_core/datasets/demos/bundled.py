"""Files that ship with a demo, checked against its manifest before they are used."""

from __future__ import annotations

import json
import zlib
from hashlib import sha256
from pathlib import Path
from zipfile import BadZipFile

from fmd_core.errors import DataError

UNREADABLE = (
    BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, KeyError, IndexError, TypeError, ValueError,
    MemoryError,
)  # fmt: skip  # what zipfile and NumPy raise on a damaged npz, and code that expects other arrays in it


def read_verified(folder: Path, name: str) -> bytes:
    """Content of a demo's file whose sha256 its manifest.json names."""
    try:
        expected = json.loads((folder / "manifest.json").read_text())["sha256"][name]
        content = (folder / name).read_bytes()
    except FileNotFoundError as error:
        missing = Path(str(error.filename)).name
        raise DataError(
            f"The demo file '{missing}' is missing; restore the folder sample_data and reload."
        ) from error
    except OSError as error:
        raise DataError(
            f"The demo file '{name}' cannot be read; restore the folder sample_data and reload."
        ) from error
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise DataError(
            "The demo's manifest.json is damaged; restore the folder sample_data and reload."
        ) from error
    if sha256(content).hexdigest() != expected:
        raise DataError(
            f"The demo file '{name}' was changed or damaged; restore the folder sample_data and reload."
        )
    return content
