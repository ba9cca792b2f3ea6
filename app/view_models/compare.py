"""Compare: which of two models or variants is to be preferred."""

from __future__ import annotations

from collections.abc import Sequence

from app.history import OTHER_MODEL, History
from app.review import BUNDLED
from app.variants import Side, describe
from fmd_core import Comparison, wording

ORIGINAL = "The original model"
SAME = "Both are the same: choose two that differ."


def sides(model: str, history: History, others: Sequence[tuple[str, str]]) -> dict[str, Side]:
    """What can be compared, by name: the model under review, what was made of it, and the `others` on this
    machine for the same task (id and name each)."""
    found = {ORIGINAL: Side(model)}
    found |= {kept.name: Side(model, kept.variant) for kept in history.kept}
    for other, name in others:
        if other != model:
            title = "the one that ships with the demo" if other == BUNDLED else name
            free = f"{OTHER_MODEL}{title}"
            found[free if free not in found else f"{free} ({other[:8]})"] = Side(other)
    return found


def first_choice(found: dict[str, Side], history: History) -> tuple[str, str]:
    """What to compare until the reviewer chooses: the original and what is in force or was made last."""
    names = list(found)
    in_force = history.name(history.current)
    latest = names[len(history.kept)] if history.kept else names[-1]
    return names[0], in_force if in_force in names else latest


def made(side: Side) -> str:
    """How one side came about."""
    return describe(side.variant) if side.variant else "as it is"


def headline(comparison: Comparison, names: tuple[str, str]) -> str:
    """What the second does to the first's bias and accuracy."""
    if comparison.verdict == "unchanged":
        return f"{names[0]} and {names[1]} give all {len(comparison.rows)} held-out samples the same answers."
    found = wording.comparison_headline(comparison)
    first = names[0].replace(ORIGINAL, "the original model")
    return f"{names[1]} against {first}: {found[:1].lower()}{found[1:]}"
