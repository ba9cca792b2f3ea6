"""Arrays that are kept in a file with a digest of all that it says: half a file of zeros would make other figures, and
nobody would see why."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from fmd_core.data import Array, content_fingerprint
from fmd_core.running.whole_files import written_whole

DIGEST = "digest"


class DamagedError(Exception):
    """A file is not there, not whole, not as it was written, or holds values that are not numbers."""


def keep_arrays(path: Path, arrays: Mapping[str, Array], told: Mapping[str, str]) -> None:
    """Write arrays, and what is `told` of them, whole or not at all; the folder must exist. Raises what safetensors
    raises, as on a full disk: see `room_needed`."""
    from safetensors.numpy import save_file

    given = {name: np.asarray(array, order="C") for name, array in arrays.items()}
    with written_whole(path) as part:
        save_file(given, part, {**told, DIGEST: _digest(given, told)})


def read_arrays(path: Path, undigested: str = "") -> tuple[dict[str, Array], dict[str, str]]:
    """What was kept; DamagedError where it is not that any more. Files of the format `undigested` are older than
    digests: of these the numbers alone are looked at."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            told = dict(file.metadata() or {})
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError, ValueError, TypeError, AttributeError) as error:
        raise DamagedError(str(path)) from error
    finite = all(np.isfinite(array).all() for array in arrays.values() if array.dtype.kind == "f")
    is_older = bool(undigested) and told.get("format") == undigested and DIGEST not in told
    if not finite or (not is_older and told.pop(DIGEST, "") != _digest(arrays, told)):
        raise DamagedError(str(path))
    return arrays, told


def _digest(arrays: Mapping[str, Array], told: Mapping[str, str]) -> str:
    return content_fingerprint(*_parts(arrays, told))


def _parts(arrays: Mapping[str, Array], told: Mapping[str, str]) -> Iterator[str | Array]:
    for name in sorted(told):
        yield from (name, told[name])
    for name in sorted(arrays):
        yield from (name, arrays[name])
