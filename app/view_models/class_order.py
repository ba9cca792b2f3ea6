"""What each output of a model means, in words, and what speaks for another order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fmd_core import AttributeDataset, figures
from fmd_core.models.class_order import Outputs, Reason, usual_orders

SHOWN = 12
WHY: Mapping[Reason, str] = {
    Reason.NAMED: "The file names its outputs, by words that the data know.",
    Reason.SORTED: "The file does not say it in the data's words: sorted by size or alphabet, as most trainers do.",
    Reason.TWO_ORDERS: "The file does not say it in the data's words, and two orders are usual for them.",
    Reason.OURS: "FMD Studio wrote the file; its outputs are taken for the classes in the data's order.",
    Reason.SAID: "As a reviewer said.",
}


@dataclass(frozen=True)
class Choice:
    """An order that can be taken with one click."""

    label: str
    meaning: tuple[int, ...]


@dataclass(frozen=True)
class Question:
    """What stands between the model and its first figure; `choices` has the likeliest first."""

    headline: str
    lead: str
    choices: tuple[Choice, ...]


def sentence(levels: Sequence[str], outputs: Outputs) -> str:
    """The order in one line."""
    named = outputs.of_places(levels)[:SHOWN]
    parts = [f"output {j} means {name}" for j, name in enumerate(named)]
    more = len(outputs.meaning) - len(named)
    return f"O{', '.join(parts)[1:]}{f', and {more} more' if more else ''}."


def own_names(outputs: Outputs) -> str:
    """What the file calls its outputs, where the data call them otherwise; ''."""
    if not outputs.names or outputs.reason is Reason.NAMED or outputs.reason is Reason.OURS:
        return ""
    return f"In the file they are called {', '.join(outputs.names[:SHOWN])}."


def question(data: AttributeDataset, outputs: Outputs | None) -> Question | None:
    """What has to be answered before any figure; None where the order is known or was confirmed."""
    if outputs is None or not outputs.is_open:
        return None
    levels = data.target.levels
    as_is = Choice(f"Keep: {_short(levels, outputs.meaning)}", outputs.meaning)
    if (better := outputs.better) is not None:
        people = f"{figures.count(better.n)} validation {figures.many(data.unit)}"
        return Question(
            "Are the model's outputs named in the right order?",
            f"As its outputs are read now, it would be right for {figures.percent(better.right)} of {people}; in "
            f"another order for {figures.percent(better.other)}. Before any figure is shown, say which is meant.",
            (Choice(f"Use: {_short(levels, better.meaning)}", better.meaning), as_is),
        )
    others = [Choice(_short(levels, order), order) for order in usual_orders(levels)]
    return Question(
        "In which order does the model give its answers?",
        "Some trainers sort classes by size, others as text (“1”, “10”, “2”), and the file does not say which. Before "
        "any figure is shown, say which is meant.",
        tuple(others),
    )


def _short(levels: Sequence[str], meaning: Sequence[int]) -> str:
    named = [f"{output} is {levels[place]}" for output, place in enumerate(meaning)]
    return ", ".join(named[:6]) + (", …" if len(named) > 6 else "")


def chosen(levels: Sequence[str], names: Sequence[str]) -> tuple[int, ...] | None:
    """The order that was picked by name, an output each; None where a class is named twice."""
    meaning = tuple(levels.index(name) for name in names)
    return meaning if len(set(meaning)) == len(meaning) else None
