"""Compare: which of two models or variants is to be preferred."""

from __future__ import annotations

from collections.abc import Sequence

from app.record.history import OTHER_MODEL, History
from app.record.journal_json import variant_id
from app.record.review import BUNDLED
from app.record.variants import Side, describe
from app.view_models.before_after import ORIGINAL, BeforeAfter, spoken
from app.view_models.unlearn import refused
from fmd_core import Comparison, figures
from fmd_core.report import wording
from fmd_core.text import cut

LONGEST_IN_HEADLINE = 48  # characters of a name, which stands whole beneath
ASK = "Choose two. What you apply on the Fix page can be chosen here too, beside other models for this data."
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


def address_of(side: Side, model: str) -> str:
    """A side as it stands in an address, where `model` is the one under review: 'original', 'variant-…' by what it
    is made of, or 'model-…' by id."""
    if side.variant is not None:
        return f"variant-{variant_id(side.variant)}"
    return "original" if side.model == model else f"model-{side.model}"


def first_choice(found: dict[str, Side], history: History) -> tuple[str, str | None]:
    """What to compare until the reviewer chooses: the original and what is in force or was made last. Nothing, where
    only other models are there: none of them is more to the point than another, and to ask one takes a while."""
    names = list(found)
    in_force = history.name(history.current)
    latest = names[len(history.kept)] if history.kept else None
    return names[0], in_force if in_force in names else latest


def made(side: Side, history: History) -> str:
    """How one side came about, and that the guard refused it where it did."""
    return f"{describe(side.variant)}{refused(history.refusal(side.variant))}" if side.variant else "as it is"


def refusals(found: Sequence[Side], names: Sequence[str], history: History) -> str:
    """A sentence for each side that was applied although the guard refuses it; '' where none was."""
    told = [
        f"{name} was applied although the guard refuses it: {history.refusal(side.variant)}."
        for side, name in zip(found, names, strict=True)
        if history.refusal(side.variant)
    ]
    return " ".join(told)


def who_gained_and_lost(comparison: Comparison, result: BeforeAfter) -> str:
    """The same change told by people and by groups; '' where nothing changed."""
    return (
        " ".join(filter(None, (result.who_pays, wording.gainers_sentence(comparison))))
        if result.who_pays
        else ""
    )


def headline(comparison: Comparison, names: tuple[str, str], unit: str) -> str:
    """What the second does to the first's bias and accuracy, asked of so many of a `unit`."""
    first, second = (cut(name, LONGEST_IN_HEADLINE) for name in names)
    if comparison.verdict == "unchanged":
        asked = f"{figures.count(len(comparison.rows))} held-out {figures.many(unit)}"
        return f"{first} and {second} give all {asked} the same answers."
    found = wording.comparison_headline(comparison)
    return f"{second} against {spoken(first)}. {found}"
