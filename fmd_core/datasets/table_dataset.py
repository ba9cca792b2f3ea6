"""A table as a data set: which column is the answer, which should not matter, who is in which split."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from fmd_core.data import Array, AttributeDataset, Column, frozen_array
from fmd_core.datasets.own.sniffing_columns import NOT_STATED, number_text, number_texts
from fmd_core.datasets.table_encoding import (
    MISSING,
    OTHER,
    RARE,
    Binned,
    Change,
    Numbers,
    TableColumn,
    TableSource,
    encode_categories,
    encode_numbers,
)
from fmd_core.errors import DataError
from fmd_core.text import one_form

if TYPE_CHECKING:
    import pandas as pd

MAX_CLASSES = 20
MAX_LEVELS = 20  # of a protected attribute
MAX_INPUTS = 4_000

AlsoChange = Mapping[str, Mapping[str, Mapping[str, str]]]
"""attribute -> column -> old level -> new level: what else changes when the attribute does. Without any level, {},
the column becomes what is usual in the new group: the band of an age that is changed."""


def make_table_dataset(
    name: str,
    frame: pd.DataFrame,
    *,
    target: str,
    classes: Mapping[str, str] | None = None,
    protected: Sequence[str | Binned],
    split: Array,
    leave_out: Sequence[str] = (),
    also_change: AlsoChange | None = None,
    unit: str = "person",
    notes: Sequence[str] = (),
) -> AttributeDataset:
    """A data set of the n records of `frame`; `split` holds their split names (n,).

    Columns of a number dtype are standardised, all others are categories; NaN, None and "" are
    missing. `classes` names the class of each value of `target` (each value its own class when
    None). A protected column in `leave_out` is reported on, but is no input of the model.

    Raises DataError for unknown columns, values without a class, one class only, a protected
    column with one value only, or a table too wide to encode.
    """
    binned = {p.column if isinstance(p, Binned) else p: p for p in protected}
    _check_columns(frame, [target, *binned, *leave_out], len(split))
    train = np.asarray(split) == "train"
    attributes: dict[str, Column] = {}
    columns: list[TableColumn] = []
    for column in frame.columns:
        series, is_input = frame[column], column not in leave_out
        if column in binned:
            attributes[column] = protected_column(series, binned[column])
            columns.append(_encode_protected(series, binned[column], attributes[column], train, is_input))
        elif column != target and is_input:
            columns.append(_encode_input(series, train))
    source = TableSource(tuple(columns), _changes(columns, attributes, also_change or {}, train))
    if len(source.input_names) > MAX_INPUTS:
        raise DataError(
            f"The columns make {len(source.input_names):,} inputs, more than {MAX_INPUTS:,}; leave columns out."
        )
    return AttributeDataset(
        name,
        target_column(frame[target], classes),
        {key: attributes[key] for key in binned},
        np.asarray(split),
        source,
        pair_method="flipped",
        unit=unit,
        notes=tuple(notes),
    )


def _check_columns(frame: pd.DataFrame, asked: Sequence[str], n_split: int) -> None:
    if not frame.columns.is_unique:
        twice = frame.columns[frame.columns.duplicated()][0]
        raise DataError(f"Two columns are called '{twice}'; give every column a name of its own.")
    known = list(frame.columns)
    for name in asked:
        if name not in known:
            raise DataError(f"There is no column '{name}'. The table has: {', '.join(known[:20])}.")
    if len(frame) != n_split:
        raise DataError(f"The split names {n_split} rows, but the table has {len(frame)}.")


def _texts(series: pd.Series) -> tuple[Array, list[str]]:
    """Codes (n,) and levels of any column as text, in natural order, missing values last."""
    import pandas as pd

    codes, found = pd.factorize(series, use_na_sentinel=False)
    texts = _level_texts(found.tolist())
    levels = sorted(set(texts), key=natural)
    places = {level: place for place, level in enumerate(levels)}
    return np.array([places[text] for text in texts])[codes], levels


def _level_texts(values: Sequence[object]) -> list[str]:
    """What the level of each different value is called: numbers in full where short ones would be one."""
    texts = [level_text(value) for value in values]
    short = Counter(text for text, value in zip(texts, values, strict=True) if isinstance(value, float))
    return [
        repr(value) if isinstance(value, float) and value == value and short[text] > 1 else text
        for text, value in zip(texts, values, strict=True)
    ]


def level_text(value: object) -> str:
    """What a level is called whose cells hold `value`: as text, 'not stated' where there is none, or a program's word
    for that."""
    if value is None or value != value or value == "":  # NaN is not itself
        return MISSING
    if isinstance(value, float):
        return number_text(value)
    text = one_form(str(value).strip())
    return MISSING if not text or text.lower() in NOT_STATED else text


def natural(level: str) -> tuple[bool, bool, float, str, str]:
    """Sort key: numbers by size, then words by the alphabet, then what is missing. No two levels tie, and 'nan',
    which is neither less nor more than a number, is a word: else the order would hang on the process."""
    try:
        number = float(level)
    except ValueError:
        number = math.nan
    if math.isfinite(number):
        return False, False, number, level, level
    return level == MISSING, True, 0.0, level.casefold(), level


def target_column(series: pd.Series, classes: Mapping[str, str] | None) -> Column:
    """The class of each row, in the order of `classes`."""
    codes, levels = _texts(series)
    classes = None if classes is None else {one_form(v): one_form(c) for v, c in classes.items()}
    mapping = {level: level for level in levels} if classes is None else classes
    unknown = [level for level in levels if level not in mapping]
    if MISSING in unknown or (classes is None and MISSING in levels):
        raise DataError(f"'{series.name}' is empty in some rows; leave out rows without a class.")
    if unknown:
        raise DataError(
            f"'{series.name}' has the value '{unknown[0]}', for which no class was named; "
            f"named were: {', '.join(mapping) or 'none'}."
        )
    names = tuple(dict.fromkeys(mapping[level] for level in (classes or levels) if level in levels))
    if len(names) < 2:
        raise DataError(
            f"'{series.name}' says '{names[0] if names else MISSING}' in every row, so there is nothing to "
            "predict; choose another target."
        )
    if len(names) > MAX_CLASSES:
        raise DataError(
            f"'{series.name}' has {len(names):,} different values; a target may have {MAX_CLASSES} classes. "
            "Choose another target, or put its values together."
        )
    return Column(str(series.name), np.array([names.index(mapping[level]) for level in levels])[codes], names)


def protected_column(series: pd.Series, rule: str | Binned) -> Column:
    """Groups of a protected column; groups of fewer than `RARE` rows are put together."""
    name = str(series.name)
    if isinstance(rule, Binned):
        codes, levels = rule.codes(_numbers(series)), [*rule.labels, MISSING]
    else:
        codes, levels = _pooled(*_texts(series))
    present = np.unique(codes)
    if len(present) < 2:
        raise DataError(
            f"'{name}' has one value only ({levels[present[0]]}), so no groups can be compared; "
            "do not name it as protected."
        )
    return Column(name, np.searchsorted(present, codes), tuple(levels[code] for code in present))


def _pooled(codes: Array, levels: list[str]) -> tuple[Array, list[str]]:
    """The same column with its rare levels, and all beyond the `MAX_LEVELS` most common, as 'other'."""
    counts = np.bincount(codes, minlength=len(levels))
    common = (
        set(np.argsort(-counts, kind="stable")[: MAX_LEVELS - 1])
        if len(levels) > MAX_LEVELS
        else range(len(levels))
    )
    kept = [level for code, level in enumerate(levels) if code in common and counts[code] >= RARE]
    if len(kept) == len(levels):
        return codes, levels
    names = kept if OTHER in kept else [*kept, OTHER]
    places = {level: place for place, level in enumerate(names)}
    return np.array([places.get(level, places[OTHER]) for level in levels])[codes], names


def _numbers(series: pd.Series) -> Array:
    import pandas as pd

    if not pd.api.types.is_numeric_dtype(series):
        raise DataError(f"'{series.name}' is not a column of numbers, so it cannot be cut into groups.")
    return series.to_numpy("float64", na_value=np.nan)


def _encode_input(series: pd.Series, train: Array) -> TableColumn:
    import pandas as pd

    if pd.api.types.is_numeric_dtype(series) and not pd.api.types.is_bool_dtype(series):
        return encode_numbers(str(series.name), _numbers(series), train)
    codes, levels = _texts(series)
    return encode_categories(str(series.name), codes, levels, train)


def _encode_protected(
    series: pd.Series, rule: str | Binned, column: Column, train: Array, is_input: bool
) -> TableColumn:
    if isinstance(rule, Binned):
        return encode_numbers(column.name, _numbers(series), train, is_input=is_input, is_protected=True)
    return encode_categories(column.name, column.codes, column.levels, train, pool=False, is_input=is_input)


def _changes(
    columns: Sequence[TableColumn], attributes: Mapping[str, Column], also_change: AlsoChange, train: Array
) -> dict[str, Change]:
    """For each attribute, what its column becomes under each level and what changes with it."""
    places = {column.name: place for place, column in enumerate(columns)}
    strangers = [name for name in also_change if name not in attributes]
    if strangers:
        raise DataError(f"'{strangers[0]}' is not a protected column: {', '.join(attributes) or 'none is'}.")
    changes = {}
    for name, column in attributes.items():
        own = columns[places[name]]
        values = _typical(own, column, train) if isinstance(own, Numbers) else np.arange(len(column.levels))
        changes[name] = Change(column.codes, places[name], frozen_array(values))
        for other, swap in also_change.get(name, {}).items():
            if other not in places or other == name:
                raise DataError(
                    f"'{other}' cannot change with '{name}': it is not another column that the model reads."
                )
            place, now = places[other], changes[name]
            if swap:
                also = {**now.also, place: _swap(columns[place], swap)}
                changes[name] = replace(now, also=also)
            else:
                usual = {**now.usual, place: _usual(columns[place], own, now, train)}
                changes[name] = replace(now, usual=usual)
    return changes


def _usual(column: TableColumn, own: TableColumn, change: Change, train: Array) -> Array:
    """What `column` mostly is, (n_levels,), among people of each group who are as it makes them: of a number,
    those whose own is next to the one that a changed record gets."""
    found = []
    for code, becomes in enumerate(change.values):
        group = np.flatnonzero((change.own == code) & train)
        group = group if len(group) else np.flatnonzero(change.own == code)
        if isinstance(own, Numbers) and np.isfinite(becomes):
            away = np.abs(own.own[group] - becomes)
            group = group[away == np.nanmin(away)]
        values = column.own[group]
        known = values[np.isfinite(values)] if isinstance(column, Numbers) else values
        if isinstance(column, Numbers):
            found.append(np.quantile(known, 0.5, method="lower") if len(known) else np.nan)
        else:
            found.append(np.bincount(known).argmax())
    return np.array(found, dtype=column.own.dtype)


def _typical(own: Numbers, column: Column, train: Array) -> Array:
    """Median of each group in training, (n_levels,); of the whole group where training has none of it."""
    typical = []
    for code in range(len(column.levels)):
        group = own.own[(column.codes == code) & train]
        group = group if np.isfinite(group).any() else own.own[column.codes == code]
        typical.append(np.nanmedian(group) if np.isfinite(group).any() else np.nan)
    return np.array(typical)


def _swap(column: TableColumn, swap: Mapping[str, str]) -> Array:
    """A swap of levels by name, as a `Change` has it."""
    known = np.unique(column.own) if isinstance(column, Numbers) else np.arange(len(column.levels))
    is_number = isinstance(column, Numbers)
    texts = number_texts(known) if is_number else [column.text(value) for value in known]
    places = {text: place for place, text in enumerate(texts)}
    swap = {one_form(old): one_form(new) for old, new in swap.items()}
    for level in (*swap, *swap.values()):
        if level not in places:
            raise DataError(f"'{column.name}' has no level '{level}'. It has: {', '.join([*places][:20])}.")
    new = known[[places[swap[text]] if text in swap else place for place, text in enumerate(texts)]]
    return np.stack([known, new]) if isinstance(column, Numbers) else new
