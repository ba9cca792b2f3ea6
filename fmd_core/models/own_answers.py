"""The owner's own predictions held against ours: the proof that a model was opened as it was meant.

A small CSV (file name or row number, then a class or a probability) or a NumPy array of probabilities or classes.
"""

from __future__ import annotations

import ast
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

import msgspec
import numpy as np

from fmd_core.data import Array, AttributeDataset
from fmd_core.errors import DataError
from fmd_core.figures import count
from fmd_core.text import short_name

MOST_ROWS = 100_000
MOST_ASKED = 2_000  # of them, evenly spread: enough to find another preprocessing
EQUAL = 1e-3  # of a probability: other libraries and processors differ by about 1e-5
MAX_BYTES = 64 << 20
NPY = b"\x93NUMPY"
SHOWN = 5


@dataclass(frozen=True)
class OwnAnswers:
    """What an owner says that the model answered, for rows of the data."""

    rows: Array
    """(n,) rows of the data set."""
    classes: Array | None
    """(n,) codes of the target, where classes were given."""
    probabilities: Array | None
    """(n, K) in the order of the target's classes, where all were given; (n,) of the last class, where one was."""


class Agreement(msgspec.Struct, frozen=True):
    """How far our answers are from the owner's."""

    n: int
    flips: int
    """Rows that are answered with another class."""
    largest: float | None
    """Largest difference of a probability; None where only classes were given."""

    @property
    def is_equal(self) -> bool:
        return self.flips == 0 and (self.largest is None or self.largest <= EQUAL)


def read_answers(content: bytes, name: str, data: AttributeDataset, paths: Sequence[str] = ()) -> OwnAnswers:
    """An owner's list of answers.

    Parameters
    ----------
    content, name
        The file: CSV with a header, or `.npy` with an entry for each row of the data or of its test part.
    paths
        File names of the data's pictures by row, where there are some.

    Raises
    ------
    DataError
        In a sentence, for a list that cannot be read or matched.
    """
    if len(content) > MAX_BYTES:
        raise DataError(f"The list has {len(content) >> 20} MiB; {MAX_BYTES >> 20} at most can be compared.")
    if content[:6] == NPY:
        return _from_array(_load(content), data)
    return _from_table(content, name, data, paths)


def _load(content: bytes) -> Array:
    """An array of plain numbers or words, looked at before it is read."""
    try:
        header = (
            content[10 : 10 + int.from_bytes(content[8:10], "little")]
            if content[6] == 1
            else content[12:4096].split(b"\n")[0]
        )
        shape = ast.literal_eval(header.decode("latin-1").strip())["shape"]
        if np.prod([int(side) for side in shape], dtype="float64") > MOST_ROWS * 100:
            raise ValueError("too large")
        found: Array = np.load(io.BytesIO(content), allow_pickle=False)
    except (
        ValueError,
        SyntaxError,
        KeyError,
        TypeError,
        EOFError,
        OSError,
        UnicodeError,
        MemoryError,
    ) as error:
        raise DataError(
            "The .npy file is damaged, too large or holds objects; save plain numbers with numpy.save."
        ) from error
    return found


def _from_array(values: Array, data: AttributeDataset) -> OwnAnswers:
    test = data.rows("test")
    known = {len(data): np.arange(len(data)), len(test): test}
    if values.ndim not in (1, 2) or len(values) not in known:
        raise DataError(
            f"The array has the shape {values.shape}; it must have an entry for each of the {count(len(data))} rows of "
            f"'{data.name}', or of the {count(len(test))} of its test part, in their order."
        )
    rows = known[len(values)]
    values = values[:, 0] if values.ndim == 2 and values.shape[1] == 1 else values
    if values.ndim == 2:
        return OwnAnswers(rows, None, _probabilities(values.astype("float64"), data))
    if values.dtype.kind == "f" and not (values == np.rint(values)).all():
        return OwnAnswers(rows, None, _one(values, data))
    return OwnAnswers(rows, _codes([str(value) for value in values.tolist()], data), None)


def _from_table(content: bytes, name: str, data: AttributeDataset, paths: Sequence[str]) -> OwnAnswers:
    import csv

    try:
        text = content.decode("utf-8-sig")
        first = text.partition("\n")[0]
        lines = list(csv.reader(io.StringIO(text), delimiter=max(",;\t", key=first.count)))
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(
            f"'{short_name(name)}' is no table of text; give a CSV with a header, or a .npy file."
        ) from error
    lines = [line for line in lines if any(cell.strip() for cell in line)]
    if len(lines) < 2 or len(lines[0]) < 2:
        raise DataError(
            "The list needs a header and two columns: the file name or row number, and the class or its probability."
        )
    header, body = lines[0], lines[1 : MOST_ROWS + 1]
    if any(len(line) != len(header) for line in body):
        raise DataError(f"Not every line of the list has {len(header)} cells, as its header has.")
    rows = _rows([line[0].strip() for line in body], data, paths)
    cells = np.array([[cell.strip() for cell in line[1:]] for line in body], dtype=object)
    return _answers(rows, [one.strip() for one in header[1:]], cells, data)


def _answers(rows: Array, header: Sequence[str], cells: Array, data: AttributeDataset) -> OwnAnswers:
    levels = list(data.target.levels)
    if cells.shape[1] == len(levels) > 1:
        order = (
            [header.index(level) for level in levels]
            if sorted(header) == sorted(levels)
            else list(range(len(levels)))
        )
        return OwnAnswers(rows, None, _probabilities(_numbers(cells[:, order]), data))
    first = [str(cell) for cell in cells[:, 0]]
    if all(cell in levels for cell in first):
        return OwnAnswers(rows, _codes(first, data), None)
    numbers = _numbers(cells[:, :1])[:, 0]
    if (numbers == np.rint(numbers)).all():
        return OwnAnswers(rows, _codes([str(int(number)) for number in numbers], data), None)
    return OwnAnswers(rows, None, _one(numbers, data))


def _rows(keys: Sequence[str], data: AttributeDataset, paths: Sequence[str]) -> Array:
    """Rows by file name, by its path from the end where names repeat, or by number, counted from 0."""
    if paths and not all(key.isdecimal() for key in keys):
        known: dict[str, list[int]] = {}
        for row, path in enumerate(paths):
            known.setdefault(PurePosixPath(path.replace("\\", "/")).name, []).append(row)
        found = [_row(key, known, paths) for key in keys]
        missing = [key for key, row in zip(keys, found, strict=True) if row < 0]
        if missing:
            raise DataError(
                f"{count(len(missing))} of {count(len(keys))} names are no picture of '{data.name}', or several: "
                f"{', '.join(missing[:SHOWN])}."
            )
        return np.array(found)
    if not all(key.isdecimal() and int(key) < len(data) for key in keys):
        raise DataError(
            f"The first column must be a file name, or a row number from 0 to {len(data) - 1}; "
            f"'{keys[0][:40]}' is neither."
        )
    return np.array([int(key) for key in keys])


def _row(key: str, known: Mapping[str, list[int]], paths: Sequence[str]) -> int:
    parts = PurePosixPath(key.replace("\\", "/")).parts
    rows = known.get(parts[-1], []) if parts else []
    for depth in range(2, len(parts) + 1):
        if len(rows) <= 1:
            break
        rows = [
            row
            for row in rows
            if PurePosixPath(paths[row].replace("\\", "/")).parts[-depth:] == parts[-depth:]
        ]
    return rows[0] if len(rows) == 1 else -1


def _numbers(cells: Array) -> Array:
    try:
        found = cells.astype("float64")
    except ValueError as error:
        raise DataError(
            f"'{str(cells.ravel()[0])[:40]}' is neither a class of the target nor a number."
        ) from error
    if not np.isfinite(found).all():
        raise DataError("Some answers in the list are not numbers (NaN or infinite).")
    return found


def _probabilities(values: Array, data: AttributeDataset) -> Array:
    k = len(data.target.levels)
    if values.shape[1] != k:
        raise DataError(
            f"The list has {values.shape[1]} numbers for each row, but the target has {k} classes."
        )
    sums = values.sum(axis=1)
    if values.min() < -1e-6 or np.abs(sums - 1).max() > 0.01:
        raise DataError("The numbers of a row must be probabilities: from 0 to 1, and 1 together.")
    return values


def _one(values: Array, data: AttributeDataset) -> Array:
    if len(data.target.levels) != 2:
        raise DataError(
            f"One probability for each row is enough for two classes only; the target has {len(data.target.levels)}."
        )
    if values.min() < 0 or values.max() > 1:
        raise DataError(
            f"A probability lies between 0 and 1; the list has {values.min():.3g} to {values.max():.3g}."
        )
    return values.astype("float64")


def _codes(words: Sequence[str], data: AttributeDataset) -> Array:
    """Codes of classes by name; by place, counted from 0, where no word is a class."""
    levels = list(data.target.levels)
    plain = [word.removesuffix(".0") if word not in levels else word for word in words]
    if all(word in levels for word in plain):
        return np.array([levels.index(word) for word in plain])
    if all(word.isdecimal() and int(word) < len(levels) for word in plain):
        return np.array([int(word) for word in plain])
    strange = next(word for word in plain if word not in levels)
    raise DataError(f"'{strange[:40]}' is no class of '{data.target.name}': {', '.join(levels[:12])}.")


def spread_out(own: OwnAnswers) -> OwnAnswers:
    """At most `MOST_ASKED` of the answers, evenly spread over the list."""
    if len(own.rows) <= MOST_ASKED:
        return own
    keep = np.linspace(0, len(own.rows) - 1, MOST_ASKED).astype(int)
    return OwnAnswers(
        own.rows[keep], None if own.classes is None else own.classes[keep],
        None if own.probabilities is None else own.probabilities[keep],
    )  # fmt: skip


def agreement(own: OwnAnswers, probabilities: Array) -> Agreement:
    """The owner's answers beside ours for the same rows: `probabilities` (n, K) in the order of the classes."""
    ours, theirs = probabilities.argmax(axis=1), own.probabilities
    if own.classes is not None:
        return Agreement(len(own.rows), int((ours != own.classes).sum()), None)
    assert theirs is not None
    whole = np.column_stack([1 - theirs, theirs]) if theirs.ndim == 1 else theirs
    apart = np.abs(whole - probabilities)
    # two classes at one half are nobody's answer: rounding decides which is named
    near = np.sort(whole, axis=1)[:, -1] - np.sort(whole, axis=1)[:, -2] <= EQUAL
    flips = (whole.argmax(axis=1) != ours) & ~(near & (apart.max(axis=1) <= EQUAL))
    return Agreement(len(own.rows), int(flips.sum()), float(apart.max()))
