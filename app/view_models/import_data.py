"""The questions about a reviewer's own data, as plain data."""

from __future__ import annotations

from typing import get_args

import pandas as pd

from fmd_core.data import Split
from fmd_core.datasets.answers import Answers, Grouping, suggest_grouping, suggest_split_values
from fmd_core.datasets.sniffing import ColumnProfile

GROUPING_TITLES: dict[Grouping, str] = {
    "values": "every value",
    "ages": "age groups",
    "thirds": "low, middle and high third",
}
MOST_CLASSES = 20


def groupings(column: ColumnProfile) -> tuple[Grouping, ...]:
    """How this column can make groups, the suggested way first."""
    first = suggest_grouping(column)
    if first == "values":
        return (first,)
    return (first, *(other for other in get_args(Grouping) if other not in (first, "values")))


def class_rows(column: ColumnProfile) -> pd.DataFrame | None:
    """Every value of a target with its rows and an answer to edit; None for too many values."""
    if column.n_levels > MOST_CLASSES:
        return None
    return pd.DataFrame(
        {"Value": list(column.levels), "Rows": list(column.counts), "Answer": list(column.levels)}
    )


def split_values(column: ColumnProfile) -> dict[str, Split]:
    """Which value of a split column means which part."""
    return suggest_split_values(column)


def missing(answers: Answers) -> str:
    """What is still to be said before the data can be opened; empty when nothing is."""
    if not answers.target:
        return "Choose the column that the model predicts."
    if not answers.protected:
        return "Choose at least one column that should not matter."
    if getattr(answers, "file", "x") == "":
        return "Choose the column with the file names."
    return ""


__all__ = ["Grouping", "Split", "class_rows", "groupings", "missing", "split_values"]
