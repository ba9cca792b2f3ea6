"""Feature unlearning: what the model can still tell of an attribute, and what forgetting it costs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from fmd_core import Estimate, Forgetting, figures
from fmd_core.forget.adversarial import ADVERSARY
from fmd_core.forget.adversarial import Variant as Pressure
from fmd_core.forget.channels import PATTERN
from fmd_core.forget.erasure import ERASURE, Form
from fmd_core.forget.finetuning import ForgettingStep, Round
from fmd_core.forget.forgetting_words import forgetting_sentences

WAYS = {method.name: method.short for method in (ERASURE, ADVERSARY, PATTERN)}
"""How to forget, by the name of the method, and what the button says."""
FORMS: dict[Form, str] = {
    "within class": "Within each class, so that the task stays",
    "plain": "Altogether (plain LEACE)",
}
FORM_NOTES: dict[Form, str] = {
    "within class": "What is erased is what tells the attribute inside each class. What the class itself "
    "gives away stays, for without it the task is lost.",
    "plain": "No linear reader can tell the attribute any more, not even through the class. Where the two go together "
    "the task goes with it.",
}
PRESSURES: dict[Pressure, str] = {
    "matching": "Make the levels alike (no adversary)",
    "sparing": "The same, with care for everything else",
    "published": "One adversary, as published",
    "ensemble": "Several adversaries, started anew in turn",
    "conditional": "Several adversaries that know the class",
    "twins": "Make twins alike",
}
READERS = {"linear": "a linear reader", "mlp": "a small network"}


@dataclass(frozen=True)
class ForgettingView:
    """The account on one variant. `labels`, `summary` and `table` are empty where no reader was asked."""

    headline: str
    lead: str
    labels: tuple[str, ...]
    before: tuple[Estimate, ...]
    after: tuple[Estimate, ...]
    chances: tuple[float, ...]
    summary: str
    table: pd.DataFrame
    classes: pd.DataFrame
    classes_summary: str


def question(way: str, names: Sequence[str]) -> tuple[str, str]:
    """What a page asks while there is no variant yet, and what it is about."""
    if way == PATTERN.name:
        return (
            "Can the model forget a pattern?",
            "Its answers should hang less on what the pattern shows, and it should still do its task. That needs no "
            "annotation.",
        )
    return (
        f"Can the model forget {' and '.join(names) if names else 'an attribute'}?",
        "It should no longer tell the attribute from what it sees, and still do its task.",
    )


def build(found: Forgetting, unit: str) -> ForgettingView:
    """What fresh readers tell before and after, and what the task lost; a `unit` is what teaches them."""
    headline, *others = forgetting_sentences(found)
    return ForgettingView(
        headline=headline,
        lead=" ".join(others),
        labels=tuple(f"{r.attribute}, {READERS[r.kind]}" for r in found.readings),
        before=tuple(r.before.estimate for r in found.readings),
        after=tuple(r.after.estimate for r in found.readings),
        chances=tuple(r.after.chance for r in found.readings),
        summary=_readers_summary(found, unit),
        table=_readers_table(found),
        classes=pd.DataFrame(
            [
                (
                    change.who,
                    figures.figure(change.before),
                    figures.figure(change.after),
                    figures.figure(change.difference, difference=True),
                    change.before.n,
                )
                for change in found.classes
            ],
            columns=["Class", "Recognised before, %", "Recognised after, %", "Difference", "n"],
        ),
        classes_summary=_classes_summary(found),
    )


def _readers_summary(found: Forgetting, unit: str) -> str:
    if not found.readings:
        return ""
    first = found.readings[0].after
    return (
        f"Readers that were trained afresh on {figures.counted(first.taught, unit)} and judged on "
        f"{figures.count(first.n)} others, before and after; every level counts the same. The mark is what "
        "guessing gets. Only they say what is forgotten, never the method itself."
        + (f" Erasing took {found.seconds:.1f} s." if found.seconds else "")
    )


def _readers_table(found: Forgetting) -> pd.DataFrame:
    rows = [
        (
            f"{r.attribute}, {READERS[r.kind]}",
            figures.figure(r.before.estimate),
            figures.figure(r.after.estimate),
            figures.points(r.after.chance),
            f"{r.before.auc:.2f}",
            f"{r.after.auc:.2f}",
            figures.span(r.after.by_seed),
            r.after.n,
        )
        for r in found.readings
    ]
    columns = ["Reader", "Before, %", "After, %", "Chance, %", "AUC before", "AUC after", "By seed, %", "n"]
    return pd.DataFrame(rows, columns=columns)


def _classes_summary(found: Forgetting) -> str:
    """How many of each class are recognised, and what one answer for everybody would get."""
    if found.majority is None:
        return "How many of each class are recognised, before and after."
    return (
        f"How many of each class are recognised, before and after; always answering “{found.majority_class}” would be "
        f"right for {figures.percent(found.majority)} of all."
    )


def step_words(step: ForgettingStep) -> str:
    """Where training against an attribute stands."""
    return (
        f"Round {step.epoch + 1} of {step.epochs}, task loss {step.task_loss:.3f}, "
        f"forgetting loss {step.forgetting_loss:.3f}"
    )


def losses_summary(rounds: Sequence[Round]) -> str:
    """The loss curves in a sentence."""
    first, last = rounds[0], rounds[-1]
    return (
        f"Over {len(rounds)} rounds the task's loss went from {first.task_loss:.3f} to {last.task_loss:.3f}, that of "
        f"forgetting from {first.forgetting_loss:.3f} to {last.forgetting_loss:.3f}."
    )


def losses_table(rounds: Sequence[Round]) -> pd.DataFrame:
    """The loss curves as a table."""
    return pd.DataFrame(
        [(n, f"{r.task_loss:.3f}", f"{r.forgetting_loss:.3f}") for n, r in enumerate(rounds, start=1)],
        columns=["Round", "Task loss", "Forgetting loss"],
    )


def spectrum_summary(n_groups: int, n_channels: int, *, by_hand: bool) -> str:
    """Into how many groups the channels fall, and who says so."""
    respond = f"{figures.counted(n_channels, 'channel')} of this layer {'respond' if n_channels > 1 else 'responds'}"
    if by_hand:
        return f"{respond} to anything. They are sorted into {n_groups} groups by what they respond to, as you chose."
    return (
        f"{respond} to anything. By what they respond to they fall into {n_groups} groups: in the picture, the largest "
        f"step comes after point {n_groups}."
    )


def spectrum_table(eigenvalues: Sequence[float]) -> pd.DataFrame:
    """The eigenvalues as a table."""
    return pd.DataFrame(
        [(place, f"{value:.3f}") for place, value in enumerate(eigenvalues, start=1)],
        columns=["Place", "Eigenvalue"],
    )


def coverage_sentence(share: float) -> str:
    """How much of the images a pattern hides."""
    return (
        f"The pattern covers {figures.percent(share)} of a training image on average; one that covers the thing itself "
        "costs accuracy."
    )


def pattern_name(group: int, n_groups: int, layer: str) -> str:
    """A pattern, which nobody has named: by its place among those of its layer."""
    return f"pattern {group + 1} of {n_groups} in layer {layer}"
