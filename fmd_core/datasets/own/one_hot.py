"""One answer that is spread over several columns of 0 and 1, such as race_white, race_black: read as one column."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from fmd_core import figures
from fmd_core.data import Array
from fmd_core.datasets.own.sniffing import Sheet, sheet_of_frame
from fmd_core.text import clean_names

MOST_COLUMNS = 200
_YES = {"1", "true", "yes"}
_NO = {"0", "false", "no", "-1"}
_EMPTY_WORDS = {"is", "has", "was", "label", "class"}


@dataclass(frozen=True)
class OneHot:
    """Columns of which exactly one says yes in every row."""

    name: str
    levels: Mapping[str, str]
    """What a yes means, by column."""

    @property
    def sentence(self) -> str:
        """What is found and what it is read as."""
        return (
            f"{figures.listed([f'{column}' for column in self.levels])} are one answer in {len(self.levels)} columns: "
            f"read as '{self.name}'."
        )


def find_one_hot(sheet: Sheet) -> tuple[OneHot, ...]:
    """Neighbouring columns of which exactly one says yes in every row: three and more, or two of a common name."""
    found: list[OneHot] = []
    run: list[tuple[str, Array]] = []
    for column in (*sheet.columns, None):
        yes = None if column is None else _yes(sheet, column.name)
        if yes is not None and len(run) < MOST_COLUMNS:
            run.append((column.name, yes))  # type: ignore[union-attr]
            continue
        found += _in_run(run)
        run = []
    taken = [column.name for column in sheet.columns]
    names = clean_names([*taken, *(one.name for one in found)])[len(taken) :]
    return tuple(OneHot(name, one.levels) for name, one in zip(names, found, strict=True))


def folded(sheet: Sheet, found: Sequence[OneHot]) -> Sheet:
    """The sheet with one column in the place of the first of each `found`, as its notes say."""
    if not found:
        return sheet
    frame = sheet.frame.copy()
    for one in found:
        columns = list(one.levels)
        hot = np.stack([_is_yes(frame[name]) for name in columns], axis=1)
        place = list(frame.columns).index(columns[0])
        words = np.array([one.levels[name] for name in columns], dtype=object)[hot.argmax(axis=1)]
        frame = frame.drop(columns=columns)
        frame.insert(min(place, len(frame.columns)), one.name, words)
    notes = (*sheet.notes, *(one.sentence for one in found))
    by_comma = any(column.style == "decimal comma" for column in sheet.columns)
    return sheet_of_frame(sheet.name, sheet.format, frame, notes, comma_is_decimal=by_comma)


def _in_run(run: Sequence[tuple[str, Array]]) -> list[OneHot]:
    """The longest one-hot groups of a run of columns, from its beginning."""
    found, start = [], 0
    while start < len(run) - 1:
        total, longest = run[start][1].astype("int32"), 0
        for end in range(start + 1, len(run)):
            total = total + run[end][1]
            if total.max(initial=0) > 1:
                break
            if (total == 1).all():
                longest = end
        group = run[start : longest + 1]
        names = [name for name, _ in group]
        told = all(yes.any() for _, yes in group)
        if longest and told and (len(group) > 2 or _common(names)):
            found.append(OneHot(_called(names), _levels(names)))
            start = longest + 1
        else:
            start += 1
    return found


def _yes(sheet: Sheet, name: str) -> Array | None:
    """Whether each cell of a column says yes, (n,) bool; None where it says anything but yes and no."""
    column = sheet.column(name)
    if column.n_levels > 2 or column.missing or not column.levels:
        return None
    if not all(level.lower() in _YES | _NO for level in column.levels):
        return None
    return _is_yes(sheet.frame[name])


def _is_yes(cells: object) -> Array:
    texts = np.asarray(cells, dtype=object)
    different = {text: str(text).strip().lower().removesuffix(".0") in _YES for text in set(texts.tolist())}
    return np.array([different[text] for text in texts], bool)


def _common(names: Sequence[str]) -> str:
    """The words that all names begin with, '' where there are none."""
    first, last = min(names), max(names)
    same = next(
        (i for i, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), min(len(first), len(last))
    )
    return re.sub(r"[^_\- .]*$", "", first[:same])


def _called(names: Sequence[str]) -> str:
    words = re.sub(r"[_\- .]+", " ", _common(names)).strip()
    return "label" if not words or words.lower() in _EMPTY_WORDS else words


def _levels(names: Sequence[str]) -> dict[str, str]:
    start = len(_common(names))
    return {name: name[start:] or name for name in names}
