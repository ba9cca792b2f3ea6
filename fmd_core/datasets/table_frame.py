"""A pandas DataFrame as a data set: no files, no questions, and the frame's own columns stay to be had."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from fmd_core.data import SPLITS, Array, AttributeDataset, content_fingerprint
from fmd_core.datasets.own.answers import Grouping, complete_split, suggest_grouping, suggest_split_values
from fmd_core.datasets.own.sniffing import first_ten, listed
from fmd_core.datasets.own.sniffing_columns import LEVELS_SHOWN, ColumnProfile, are_few
from fmd_core.datasets.table_checks import giveaways
from fmd_core.datasets.table_dataset import AlsoChange, level_text, make_table_dataset, target_column
from fmd_core.datasets.table_encoding import MISSING, Binned, Numbers, TableColumn, TableSource, ages, thirds
from fmd_core.datasets.table_notes import attribute_notes, leak_note, number_notes
from fmd_core.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

# What pandas calls columns of objects: of several types, or of numbers.
MIXED, NUMBERS = ("mixed", "mixed-integer"), ("integer", "floating", "mixed-integer-float", "decimal")


@dataclass(frozen=True, eq=False)
class FrameTable(TableSource):
    """The records of a frame, encoded as of any table, and in the frame's own columns and types for a model
    that reads those, such as a scikit-learn pipeline. Target and split are not in `frame`."""

    frame: pd.DataFrame = field(kw_only=True)

    @cached_property
    def fingerprint(self) -> str:
        import pandas as pd

        objects = [
            str(name) for name, dtype in self.frame.dtypes.items() if pd.api.types.is_object_dtype(dtype)
        ]
        plain = self.frame.assign(**{name: self.frame[name].map(_written) for name in objects})  # of any type
        cells = pd.util.hash_pandas_object(plain, index=False).to_numpy()
        types = [f"{name}: {dtype}" for name, dtype in self.frame.dtypes.items()]
        return content_fingerprint("frame v1", super().fingerprint, *types, cells)

    def read_frame(self, rows: Array) -> pd.DataFrame:
        return self.frame.iloc[rows].copy()

    def counterfactual_frame(self, rows: Array, attribute: str, codes: Array) -> pd.DataFrame:
        changed, shown = self._changed(rows, attribute, codes), self.read_frame(rows)
        change = self.changes[attribute]
        for place in change.places:
            column, new = self.columns[place], changed[place]
            moved = (new != column.own[rows]) & ~((new != new) & np.isnan(column.own[rows].astype("float64")))
            shown[column.name] = self._with(shown[column.name], column, place, new, moved)
        return shown

    def _with(self, cells: pd.Series, column: TableColumn, place: int, new: Array, moved: Array) -> pd.Series:
        """`cells` (m,) of one column with the values `new` of the source, as the frame writes them, where
        `moved`; the column's type stays unless a number does not fit it."""
        import pandas as pd

        if isinstance(column, Numbers):
            values = np.where(moved, new, cells.to_numpy("float64", na_value=np.nan))
            found = pd.Series(values, index=cells.index, name=cells.name)
            known = values[~np.isnan(values)]
            whole = pd.api.types.is_integer_dtype(cells.dtype)
            return found.astype(cells.dtype) if not whole or (known == np.floor(known)).all() else found
        written = cells.astype(object).to_numpy(copy=True)
        written[moved] = self._writings[place][new[moved]]
        return pd.Series(written, index=cells.index, name=cells.name, dtype=object).astype(cells.dtype)

    @cached_property
    def _writings(self) -> dict[int, Array]:
        """How the frame writes each level, mostly, of every column of categories that a twin changes."""
        places = {p for change in self.changes.values() for p in change.places}
        found = {}
        for place in sorted(places):
            column = self.columns[place]
            if not isinstance(column, Numbers):
                cells = self.frame[column.name].astype(object)
                found[place] = np.empty(len(column.levels), dtype=object)
                for code in np.unique(column.own):
                    found[place][code] = cells[column.own == code].mode(dropna=False).iloc[0]
        return found


def table(
    frame: pd.DataFrame,
    *,
    target: str,
    protected: str | Sequence[str] | Mapping[str, Grouping | Binned],
    split: str | Sequence[str] | Array | None = None,
    name: str = "Table",
    classes: Mapping[str, str] | None = None,
    leave_out: Sequence[str] = (),
    also_change: AlsoChange | None = None,
    unit: str = "row",
    favourable: str = "",
    phrases: Mapping[str, Mapping[str, str]] | None = None,
    seed: int = 0,
) -> AttributeDataset:
    """The data set that a DataFrame makes, one sample a row, by the rules of the import page.

    A twin is the same row with a protected column changed (`pair_method` is "flipped"). Categories become
    one-hot inputs, numbers are standardised by training rows; columns in which nearly every row has a text of
    its own, or all rows are alike, are left out, and the notes say so.

    Parameters
    ----------
    frame
        n rows, columns named by text. It is copied.
    target
        The column that a model predicts: 2 to 20 different values, none empty.
    protected
        The columns that should not matter. Numbers of more than ten different values are cut: ages into four
        groups, others into thirds; a mapping says for each column "values", "ages", "thirds", or names groups
        of its own (`Binned`). An empty cell is the group "not stated".
    split
        A column, or n values, that say who is in which part: train, external (or nobody), validation, test.
        Parts that nobody is in are drawn out of training; without a split all four are drawn, 60, 10, 10 and
        20 of 100 rows, with the same mix of classes and by `seed`.
    name, unit
        What the data set and one row of it are called.
    classes
        The class of each value of the target (as text), to put values together; each its own when None.
    leave_out
        Columns that the models trained here shall not read. `source.read_frame` has them all the same.
    also_change
        What else changes with a protected column: {"sex": {"relationship": {"Husband": "Wife", "Wife": "Husband"}}};
        {"age": {"age band": {}}} gives the other column what is usual in the new group.
    favourable
        The class that is good for the person it is said of, '' where there is none.
    phrases
        Words of one's own for what a verdict says.

    Returns
    -------
    AttributeDataset
        Its `source` gives rows encoded for a network (`read`) and as they are (`read_frame`).

    Raises
    ------
    DataError
        For an unknown column (the message lists the columns), two columns of one name, cells of several types,
        a target that is empty, constant or of over 20 values, a protected column that makes no groups, a part
        of an unknown name, a class of too few rows.
    """
    import pandas as pd

    groupings = _asked(frame, target, protected, split, leave_out)
    parts = frame[split].to_numpy(dtype=object) if isinstance(split, str) else split
    raw = frame.drop(columns=[split] if isinstance(split, str) else []).copy()
    read = [n for n in raw.columns if n not in leave_out or n in groupings]
    clean = pd.DataFrame({n: _clean(raw[n]) for n in read})
    _check_target(clean[target])
    column = target_column(clean[target], classes)
    words = np.array(column.levels, dtype=object)[column.codes]
    given = np.full(len(raw), "train", dtype=object) if parts is None else _parts(parts, len(raw))
    divided, drawn = complete_split(words, given, seed)
    rules = [_rule(clean[p], how) for p, how in groupings.items()]
    useless, notes = _useless(clean, {target, *groupings})
    dataset = make_table_dataset(
        name, clean.drop(columns=useless), target=target, classes=classes, protected=rules, split=divided,
        leave_out=[n for n in leave_out if n in groupings], also_change=also_change, unit=unit,
    )  # fmt: skip
    encoded = cast(TableSource, dataset.source)
    told = [
        *notes, *drawn, *leak_note(clean, divided, unit), *number_notes(dataset, leave_out),
        *attribute_notes(dataset, clean),
        *(giveaway.words for giveaway in giveaways(dataset)),
    ]  # fmt: skip
    source = FrameTable(encoded.columns, encoded.changes, frame=raw.drop(columns=target))
    return replace(
        dataset, source=source, notes=tuple(told), favourable=favourable, phrases=dict(phrases or {}),
        parts_are_drawn=parts is None,
    )  # fmt: skip


def _written(cell: object) -> str:
    """A cell as text; members of a set in an order of their own, since theirs is another in every process."""
    return repr(sorted(map(repr, cell))) if isinstance(cell, set | frozenset) else repr(cell)


def _asked(
    frame: pd.DataFrame,
    target: str,
    protected: str | Sequence[str] | Mapping[str, Grouping | Binned],
    split: object,
    leave_out: Sequence[str],
) -> dict[str, Grouping | Binned | None]:
    """How each protected column makes groups, None where nothing was said; the columns that are named are there
    and different ones."""
    import pandas as pd

    if not isinstance(frame, pd.DataFrame):
        raise DataError(f"A table is a pandas DataFrame, not {type(frame).__name__}; convert it first.")
    strange = [name for name in frame.columns if not isinstance(name, str)]
    if strange:
        raise DataError(
            f"Columns are named by text, but one is called {strange[0]!r}; try frame.columns.map(str)."
        )
    if not frame.columns.is_unique:
        twice = frame.columns[frame.columns.duplicated()][0]
        raise DataError(f"Two columns are called '{twice}'; give every column a name of its own.")
    if len(frame) == 0:
        raise DataError("The table has no rows.")
    names = [protected] if isinstance(protected, str) else list(protected)
    asked: dict[str, Grouping | Binned | None] = dict.fromkeys(names)
    asked |= dict(protected) if isinstance(protected, Mapping) else {}
    if not asked:
        raise DataError("No protected column is chosen; say which columns should not matter.")
    for name in (target, *names, *leave_out, *([split] if isinstance(split, str) else [])):
        if name not in frame.columns:
            raise DataError(f"There is no column '{name}'. The table has: {first_ten(list(frame.columns))}.")
    for other, role in ((target, "the target"), (split, "the split")):
        if isinstance(other, str) and other in asked:
            raise DataError(f"'{other}' is {role}, so it cannot be protected as well.")
    for other, role in ((split, "the split"), (target if target in leave_out else None, "left out")):
        if isinstance(other, str) and other == target:
            raise DataError(f"'{target}' is the target, so it cannot be {role} as well.")
    return asked


def _clean(series: pd.Series) -> pd.Series:
    """A column for the encoding: numbers of a plain type, else objects, None where empty."""
    import pandas as pd

    objects = pd.api.types.infer_dtype(series, skipna=True) if pd.api.types.is_object_dtype(series) else ""
    if objects in MIXED:
        seen = {type(cell).__name__: cell for cell in series.dropna()}
        shown = ", ".join(f"{str(cell)[:40]!r} ({kind})" for kind, cell in list(seen.items())[:3])
        raise DataError(f"'{series.name}' mixes types: {shown}; make it one type, or leave it out.")
    if objects in NUMBERS:
        return series.astype("float64")
    if pd.api.types.is_numeric_dtype(series) and not pd.api.types.is_bool_dtype(series):
        plain = isinstance(series.dtype, np.dtype)
        return series if plain else series.astype("float64")
    return series.astype(object).where(series.notna(), None)


def _check_target(series: pd.Series) -> None:
    empty = int(series.isna().sum())
    if empty:
        raise DataError(
            f"The target '{series.name}' is empty in {empty:,} of {len(series):,} rows; leave those rows out: "
            f"frame.dropna(subset=['{series.name}'])."
        )


def _parts(values: Any, n: int) -> Array:  # noqa: ANN401
    """The split of each of n rows, by values that name it."""
    given = np.asarray(values, dtype=object)
    if given.shape != (n,):
        raise DataError(f"The split says something of {given.size:,} rows, but the table has {n:,}.")
    texts = [level_text(value) for value in given.tolist()]
    levels = tuple(dict.fromkeys(texts))
    counts = tuple(texts.count(level) for level in levels[:100])
    meant = suggest_split_values(ColumnProfile("split", "category", len(levels), levels, counts, 0))
    strange = [level for level in levels if level not in meant]
    if strange:
        raise DataError(
            f"The split says '{strange[0]}' of a row, which is no part of the data. Parts are: {', '.join(SPLITS)}."
        )
    return np.array([meant[text] for text in texts], dtype=object)


def _rule(series: pd.Series, how: Grouping | Binned | None) -> str | Binned:
    """How a protected column makes groups; refuses one that makes none."""
    import pandas as pd

    name, n_levels = str(series.name), int(series.nunique())
    is_number = pd.api.types.is_numeric_dtype(series)
    levels = tuple(str(value) for value in series.value_counts().index[:LEVELS_SHOWN])
    profile = ColumnProfile(name, "number" if is_number else "category", n_levels, levels, (), 0)
    chosen = how or suggest_grouping(profile)
    if n_levels + int(series.isna().any()) < 2:
        only = level_text(series.iloc[0])
        raise DataError(
            f"'{name}' has one value only ({only}), so no groups can be compared; do not name it as protected."
        )
    if isinstance(chosen, Binned):
        return replace(chosen, column=name)
    if chosen == "values":
        if not are_few(n_levels, len(series)):
            raise DataError(
                f"'{name}' has {n_levels:,} different values in {len(series):,} rows, which makes no groups; "
                "put its values together, or do not name it as protected."
            )
        return name
    if chosen not in ("ages", "thirds"):
        raise DataError(f"'{chosen}' is not a grouping. Choose one of: values, ages, thirds.")
    if not is_number:
        raise DataError(f"'{name}' is not a column of numbers, so it cannot be cut into {chosen}.")
    return ages(name) if chosen == "ages" else thirds(name, series.to_numpy("float64", na_value=np.nan))


def _useless(clean: pd.DataFrame, needed: set[str]) -> tuple[list[str], list[str]]:
    """Columns that teach nothing, and what to say of them and of empty cells."""
    import pandas as pd

    texts, constant, gaps = [], [], []
    for name in clean.columns.difference(list(needed), sort=False):
        levels, missing = int(clean[name].nunique()), int(clean[name].isna().sum())
        if not pd.api.types.is_numeric_dtype(clean[name]) and not are_few(levels, len(clean)):
            texts.append(name)
        elif levels < 2 and not (levels and missing):
            constant.append(name)
    for name in clean.columns.difference([*texts, *constant], sort=False):
        missing = int(clean[name].isna().sum())
        gaps += [f"'{name}' ({missing:,})"] if missing else []
    notes = [f"Left out, since nearly every row has its own text: {listed(texts)}."] if texts else []
    notes += [f"Left out, since all rows are alike: {listed(constant)}."] if constant else []
    notes += [f"Empty cells are read as '{MISSING}': {first_ten(gaps)}."] if gaps else []
    return [*texts, *constant], notes
