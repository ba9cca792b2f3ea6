"""Where columns of numbers are cut, and why a column is suggested as the target; as plain data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from app.view_models.import_data import MOST_CLASSES
from fmd_core import DataError, figures
from fmd_core.datasets.own.cut_points import limits_of
from fmd_core.datasets.own.sniffing import Sheet
from fmd_core.datasets.own.sniffing_columns import is_amount, number_text, target_candidates
from fmd_core.datasets.table_encoding import between


def target_reasons(sheet: Sheet, names: Sequence[str]) -> dict[str, str]:
    """Why each of the columns `names` could be the target, the likeliest first."""
    free = [c for c in sheet.columns if c.name in names and c.role in ("input", "target")]
    return {found.name: found.reason for found in target_candidates(free, sheet.columns)}


@dataclass(frozen=True)
class CutAsked:
    """The question where a target of numbers is cut."""

    question: str
    example: str
    facts: str
    request: str
    """What is still to be said, '' where the numbers may stay answers of their own."""


def cut_asked(sheet: Sheet, target: str) -> CutAsked | None:
    """The question where a target is cut; None where it is no amount."""
    column = sheet.column(target) if target else None
    if column is None or not is_amount(column):
        return None
    values = sheet.numbers(target)
    known = values[np.isfinite(values)]
    low, middle, high = (number_text(float(v)) for v in (known.min(), np.median(known), known.max()))
    must = column.n_levels > MOST_CLASSES
    question = f"'{target}' is a number. From which value on is it the other answer?"
    facts = f"It runs from {low} to {high}; half of the rows lie below {middle}."
    if not must:
        facts += " Leave it empty to make each number an answer of its own."
    request = f"Say from which value on '{target}' is the other answer." if must else ""
    return CutAsked(question, f"such as {middle}", facts, request)


def number_words(value: float) -> str:
    """A number as it is kept with the answers."""
    return number_text(value)


def limits_example(sheet: Sheet, name: str) -> str:
    """Limits that would cut a column in quarters."""
    values = sheet.numbers(name)
    known = values[np.isfinite(values)]
    cuts = dict.fromkeys(number_text(round(float(v))) for v in np.quantile(known, (0.25, 0.5, 0.75)))
    return f"such as {', '.join(cuts)}"


def groups_words(sheet: Sheet, name: str, limits: str) -> str:
    """The groups that limits make, with their rows; or what is wrong with the limits."""
    if not limits.strip():
        return "Numbers that rise, with commas between them."
    try:
        rule = between(name, limits_of(name, limits))
    except DataError as error:
        return str(error)
    sizes = np.bincount(rule.codes(sheet.numbers(name)), minlength=len(rule.labels) + 1)
    words = [
        f"{label}: {figures.counted(int(n), 'row')}" for label, n in zip(rule.labels, sizes, strict=False)
    ]
    missing = int(sizes[len(rule.labels)])
    return "; ".join(words + ([f"not stated: {figures.counted(missing, 'row')}"] if missing else [])) + "."
