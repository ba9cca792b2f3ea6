"""Where a column of numbers is cut: limits of groups that somebody names, and the mark that makes a target of it."""

from __future__ import annotations

import math
import re
from dataclasses import replace

import numpy as np

from fmd_core.datasets.own.sniffing import Sheet
from fmd_core.datasets.own.sniffing_columns import number_text, profile_column
from fmd_core.errors import DataError

MOST_LIMITS = 19


def limits_of(column: str, text: str) -> tuple[float, ...]:
    """Rising numbers from a text such as '30, 45, 60'. Raises DataError for anything else."""
    parts = [part for part in re.split(r"[;,\s]+", text.strip()) if part]
    try:
        found = tuple(float(part) for part in parts)
    except ValueError:
        found = ()
    rising = list(found) == sorted(set(found)) and all(math.isfinite(limit) for limit in found)
    if not found or not rising or len(found) > MOST_LIMITS:
        raise DataError(
            f"The limits of the groups of '{column}' must be 1 to {MOST_LIMITS} rising numbers, such as 30, 45, 60; "
            f"got '{text.strip()[:40]}'."
        )
    return found


def answers_of_cut(cut: float) -> tuple[str, str]:
    """What the two answers are called that a cut makes of a column of numbers."""
    return f"under {number_text(cut)}", f"{number_text(cut)} or more"


def with_cut(sheet: Sheet, target: str, cut: str) -> Sheet:
    """The sheet with two answers in the place of the numbers of `target`, '' where one is missing; as it is without
    a cut. Raises DataError for a cut that is no number, and where all rows lie on one side of it."""
    if not cut:
        return sheet
    (edge,) = limits_of(target, cut) if len(cut.split()) == 1 else (math.nan,)
    if math.isnan(edge):
        raise DataError(f"'{target}' is cut at one number, not at '{cut[:40]}'.")
    values = sheet.numbers(target)
    known = values[np.isfinite(values)]
    if not len(known) or not known.min() < edge <= known.max():
        raise DataError(
            f"All values of '{target}' lie on one side of {number_text(edge)}; cut it between "
            f"{number_text(known.min()) if len(known) else 'its lowest'} and "
            f"{number_text(known.max()) if len(known) else 'its highest value'}."
        )
    under, above = answers_of_cut(edge)
    words = np.where(np.isfinite(values), np.where(values >= edge, above, under), "").astype(object)
    frame = sheet.frame.copy()
    frame[target] = words
    frame[target] = frame[target].astype("str")
    profile = replace(
        profile_column(target, frame[target], comma_is_decimal=False), role=sheet.column(target).role
    )
    columns = tuple(profile if column.name == target else column for column in sheet.columns)
    return replace(sheet, frame=frame, columns=columns)
