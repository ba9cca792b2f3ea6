"""Which attributes can be forgotten, whatever the way."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from fmd_core.data import Array, AttributeDataset, Column
from fmd_core.errors import DataError

LEAST_OF_A_LEVEL = 30
"""People who must show a level before anything is learnt of it."""


def columns_to_forget(dataset: AttributeDataset, attributes: Sequence[str]) -> list[Column]:
    """The columns of `attributes`, each once. Raises DataError for none, an unknown one and the target itself."""
    if not attributes:
        raise DataError("No attribute is chosen; choose at least one to forget.")
    if dataset.target.name in attributes:
        raise DataError(
            f"'{dataset.target.name}' is what the model predicts and cannot be forgotten; choose another attribute."
        )
    return [dataset.attribute(name) for name in dict.fromkeys(attributes)]


def check_forgettable(column: Column, codes: Array, labels: Array, target: str) -> None:
    """Refuse a column that shows too little to be learnt, or that cannot be told from the target.

    `codes` (n,) are the levels of the people who are learned from, `labels` (n,) their classes. Raises
    DataError where all show one level, a level is shown by fewer than 30, or attribute and target decide
    each other in either direction.
    """
    name, (levels, counts) = column.name, np.unique(codes, return_counts=True)
    if len(levels) < 2:
        raise DataError(
            f"'{name}' has one value only ({column.levels[levels[0]]}) among these people, so there is nothing to "
            "forget; choose another attribute."
        )
    if counts.min() < LEAST_OF_A_LEVEL:
        rare = column.levels[levels[counts.argmin()]]
        raise DataError(
            f"Only {counts.min()} people show '{name}: {rare}'; forgetting it needs {LEAST_OF_A_LEVEL} of each level."
        )
    if _decides(labels, codes) or _decides(codes, labels):
        raise DataError(
            f"'{name}' and '{target}' decide each other among these people, so that one cannot be forgotten without "
            "the other; choose another attribute."
        )


def _decides(given: Array, decided: Array) -> bool:
    """Whether people who share the one share the other."""
    ordered = sorted(set(zip(given.tolist(), decided.tolist(), strict=True)))
    return all(first[0] != second[0] for first, second in pairwise(ordered))
