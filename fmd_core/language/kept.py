"""Readings and changes kept as files, so that long work goes on where it ended. Only arrays: nothing in them is run."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from fmd_core.data import Array
from fmd_core.language.block_training import BlockChange
from fmd_core.language.head import Answers, RowChange
from fmd_core.language.reading import Batch, Reading
from fmd_core.running.whole_arrays import keep_arrays, read_arrays
from fmd_core.running.whole_files import written_whole

UNREADABLE = (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile)
"""What is raised of a damaged file: a zip has a checksum of each array."""
ROWS, DELTA, BLOCK = "rows", "delta", "block."
PARTS = ("ids", "counts", "hidden", "asked")


def kept_answers(path: Path, make: Callable[[], Answers]) -> Answers:
    """The answers in the file, or made and kept there."""
    try:
        return _read(path)
    except UNREADABLE:
        found = make()
    path.parent.mkdir(parents=True, exist_ok=True)
    with written_whole(path) as part, part.open("wb") as file:
        np.savez(file, **_arrays(found))  # type: ignore[arg-type]  # only arrays by name
    return found


def _arrays(found: Answers) -> dict[str, Array]:
    reading = found.reading
    arrays = {
        "logits": found.logits, "normalisers": found.normalisers, "features": reading.features,
        "position": reading.position, "tokens": reading.tokens, "starts": reading.starts,
    }  # fmt: skip
    for number, batch in enumerate(reading.batches):
        arrays |= {f"{part}.{number}": getattr(batch, part) for part in PARTS}
    return arrays


def _read(path: Path) -> Answers:
    with np.load(path, allow_pickle=False) as file:
        names = set(file.files)
        batches: list[Batch] = []
        while f"ids.{len(batches)}" in names:
            batches.append(Batch(*(file[f"{part}.{len(batches)}"] for part in PARTS)))
        reading = Reading(
            file["features"], file["position"], file["tokens"], file["starts"], tuple(batches)
        )  # fmt: skip
        found = Answers(reading, file["logits"], file["normalisers"])
    numbers = found.logits, found.normalisers, reading.features, *(batch.hidden for batch in batches)
    if not all(np.isfinite(array).all() for array in numbers):
        raise ValueError("values that are not numbers")
    return found


def keep_change(path: Path, change: RowChange | BlockChange) -> None:
    """Write a change whole."""
    if isinstance(change, RowChange):
        arrays = {ROWS: change.rows, DELTA: change.delta}
    else:
        arrays = {f"{BLOCK}{name}": one.detach().numpy() for name, one in change.weights.items()}
    keep_arrays(path, arrays, {})


def read_change(path: Path) -> RowChange | BlockChange:
    """A change that was kept. DamagedError where it is not as it was."""
    import torch

    found, _ = read_arrays(path)
    if ROWS in found:
        return RowChange(found[ROWS], found[DELTA])
    return BlockChange({name.removeprefix(BLOCK): torch.from_numpy(one) for name, one in found.items()})
