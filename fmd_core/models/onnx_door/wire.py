"""How the limited process and this one talk: a line of JSON, then the arrays that it announces, raw."""

from __future__ import annotations

import json
from typing import IO, Any

import numpy as np

from fmd_core.data import Array

MAX_HEADER = 4 << 20
MAX_ARRAY = 2 << 30


def write(out: IO[bytes], said: dict[str, Any], arrays: list[Array]) -> None:
    """One message. Words (dtype U) go as JSON, numbers as they lie in memory."""
    bodies = [_body(array) for array in arrays]
    shapes = [
        {"dtype": "str" if a.dtype.kind in "UO" else a.dtype.str, "shape": a.shape, "bytes": len(body)}
        for a, body in zip(arrays, bodies, strict=True)
    ]
    out.write(json.dumps({"said": said, "arrays": shapes}).encode() + b"\n")
    for body in bodies:
        out.write(body)
    out.flush()


def _body(array: Array) -> bytes | memoryview:
    if array.dtype.kind in "UO":
        return json.dumps(array.ravel().tolist()).encode()
    whole = np.ascontiguousarray(array)
    return whole.tobytes() if array.ndim == 0 else whole.data.cast("B")


def read(source: IO[bytes]) -> tuple[dict[str, Any], list[Array]] | None:
    """The next message, None at the end. Raises ValueError for what is none."""
    line = source.readline(MAX_HEADER)
    if not line:
        return None
    head = json.loads(line)
    return head["said"], [_array(source, one) for one in head["arrays"]]


def _array(source: IO[bytes], said: dict[str, Any]) -> Array:
    length, shape = int(said["bytes"]), tuple(int(side) for side in said["shape"])
    if not 0 <= length <= MAX_ARRAY:
        raise ValueError("too long")
    body = source.read(length)
    if len(body) < length:
        raise ValueError("broken off")
    if said["dtype"] == "str":
        return np.array(json.loads(body), dtype="U" if length else "U1").reshape(shape)
    kind = np.dtype(said["dtype"])
    if kind.hasobject:
        raise ValueError("no numbers")
    return np.frombuffer(body, kind).reshape(shape)
