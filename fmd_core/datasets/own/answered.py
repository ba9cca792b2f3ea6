"""What another system answered the people of a table: a column of answers, or of probabilities of one class."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fmd_core import figures
from fmd_core.data import Array, Column
from fmd_core.datasets.own.sniffing import Sheet
from fmd_core.errors import DataError

if TYPE_CHECKING:
    from fmd_core.datasets.own.table import TableImport

SURE_SCORE = 0.5  # from this probability on a class is the answer


def answered_codes(sheet: Sheet, settings: TableImport, rows: Array, target: Column) -> Array | None:
    """The class of `target` that another system answered each of `rows`, (m,) codes; None where no column holds
    its answers. Raises DataError for a column that is something else already, an answer that is no class, and for
    scores that are no probabilities from 0 to 1 of one of two classes. The target itself may be the column: where
    nobody knows the truth, how often each answer is given can still be compared."""
    name = settings.answered
    if not name:
        return None
    sheet.column(name)
    if name in (settings.split_column, settings.person, settings.weights, *settings.protected):
        raise DataError(
            f"'{name}' holds another system's answers, so it cannot be protected, the split, a person or a weight as "
            "well."
        )
    read = _of_scores if settings.scores_of else _of_answers
    return read(sheet, settings, rows, target)


def _of_answers(sheet: Sheet, settings: TableImport, rows: Array, target: Column) -> Array:
    called = {**settings.classes, **settings.answer_classes}
    said = np.array([called.get(text, text) for text in sheet.texts(settings.answered)[rows]], dtype=object)
    if empty := int((said == "").sum()):
        raise DataError(
            f"The predictions '{settings.answered}' are empty in {figures.counted(empty, 'row')}: fill in what was "
            "answered there, or leave these rows out of the table."
        )
    strange = [text for text in np.unique(said.astype(str)).tolist() if text not in target.levels]
    if strange:
        raise DataError(
            f"The predictions '{settings.answered}' say '{strange[0]}', which is no class of '{target.name}': "
            f"{', '.join(target.levels)}."
        )
    return np.array([target.levels.index(text) for text in said], dtype="int64")


def _of_scores(sheet: Sheet, settings: TableImport, rows: Array, target: Column) -> Array:
    name, of, levels = settings.answered, settings.scores_of, target.levels
    if of not in levels:
        raise DataError(f"'{target.name}' has no class '{of}'. It has: {', '.join(levels)}.")
    if len(levels) != 2:
        raise DataError(f"Scores need a target with two classes; '{target.name}' has {len(levels)}.")
    scores = sheet.numbers(name)[rows]
    if not np.isfinite(scores).all():
        lost = figures.counted(int((~np.isfinite(scores)).sum()), "row")
        raise DataError(
            f"The scores '{name}' must be probabilities from 0 to 1 of '{of}' in every row; {lost} have no number."
        )
    if scores.min() < 0 or scores.max() > 1:
        raise DataError(
            f"The scores '{name}' must be probabilities from 0 to 1 of '{of}' in every row; they run from "
            f"{scores.min():g} to {scores.max():g}. Make probabilities of them, or a column of answers."
        )
    return np.where(scores >= SURE_SCORE, levels.index(of), 1 - levels.index(of)).astype("int64")
