"""An owner's own answers beside ours, in words."""

from __future__ import annotations

from fmd_core import figures
from fmd_core.models.own_answers import Agreement


def sentence(found: Agreement, unit: str) -> str:
    """The verdict on whether the model was opened as it was meant."""
    people = f"{figures.count(found.n)} {figures.many(unit) if found.n != 1 else unit}"
    apart = (
        "" if found.largest is None else f"; the largest difference of a probability is {found.largest:.2g}"
    )
    if found.is_equal:
        return f"The model answers as its owner says, for all {people}{apart}."
    if not found.flips:
        return f"No answer flips among {people}, but probabilities differ{apart}: look at how inputs are made ready."
    return (
        f"{figures.count(found.flips)} of {people} {'are' if found.flips != 1 else 'is'} answered otherwise than the "
        f"owner says{apart}: the order of the outputs, or how inputs are made ready, is another than the owner's."
    )
