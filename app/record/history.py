"""The visible history of a review: what was decided, undo and redo, and the variants that were kept.

Undo and redo walk through everything that changes a figure: the variant in force, pairs that were
left out, samples that were excluded. The log only ever grows.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, field, replace
from datetime import datetime

from app.record.variants import Variant, of_data

LONGEST_NAME = 60  # characters
ORIGINAL, NAMELESS = "the original model", "a variant without a name"
APPLIED, BACK, UNDONE, REDONE = "apply", "back to original", "undo", "redo"  # actions, as journals hold them
OTHER_MODEL = "Model: "  # how the Compare page begins the name of another model


def tidy_name(name: str) -> str:
    """A name in one line, without control characters and marks that turn the direction of text, at most
    LONGEST_NAME characters."""
    if not (name.isascii() and name.isprintable()):
        from fmd_core.text import clean_text  # half a second, and the first page lists plain names

        name = clean_text(name)
    return " ".join(name.split())[:LONGEST_NAME].strip()


def _heard(name: str) -> str:
    """A name as it is heard: capitals and wide letters make no other name."""
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())


def is_reserved(name: str) -> bool:
    """Whether a name means something else already: the original, another model, or no name."""
    heard = _heard(name)
    return heard in ("", ORIGINAL, NAMELESS) or heard.startswith(_heard(OTHER_MODEL))


@dataclass(frozen=True)
class Decided:
    """What holds after a step."""

    variant: Variant | None = None
    """In force; None is the original model."""
    vetoes: tuple[tuple[str, int], ...] = ()
    """Pairs that are left out: attribute, and row of the person whose pair it is."""
    excluded: tuple[int, ...] = ()
    """Rows of the training samples that the model should not have learned from."""


@dataclass(frozen=True)
class Step:
    """One thing that was done, and what holds after it."""

    action: str
    after: Decided


@dataclass(frozen=True)
class Entry:
    """One line of the log: what was done, and the variant in force after it."""

    at: datetime
    action: str
    variant: Variant | None
    note: str = ""  # what else there is to say of it
    refusal: str = ""
    """Why the guard refused a variant that was applied all the same, a clause."""


@dataclass(frozen=True)
class Kept:
    """A variant with a name, to go back to or to branch from."""

    name: str
    variant: Variant


@dataclass(frozen=True)
class History:
    """Steps taken; `position` counts those in force, and 0 is the start."""

    steps: tuple[Step, ...] = ()
    position: int = 0
    log: tuple[Entry, ...] = ()
    kept: tuple[Kept, ...] = field(default=())
    """Every variant that was ever in force, unless it was let go, in the order of their first use."""

    def of_data(self, data: str) -> History:
        """The same history of the same people under another name of the data."""

        def moved(variant: Variant | None) -> Variant | None:
            return None if variant is None else of_data(variant, data)

        return replace(
            self,
            steps=tuple(
                replace(s, after=replace(s.after, variant=moved(s.after.variant))) for s in self.steps
            ),
            log=tuple(replace(entry, variant=moved(entry.variant)) for entry in self.log),
            kept=tuple(replace(kept, variant=of_data(kept.variant, data)) for kept in self.kept),
        )

    @property
    def now(self) -> Decided:
        """What holds."""
        return self.steps[self.position - 1].after if self.position else Decided()

    @property
    def current(self) -> Variant | None:
        """The variant in force, None for the original model."""
        return self.now.variant

    @property
    def can_undo(self) -> bool:
        """Whether there is a step to take back."""
        return self.position > 0

    @property
    def can_redo(self) -> bool:
        """Whether a step was taken back and can be taken again."""
        return self.position < len(self.steps)

    @property
    def last(self) -> str:
        """The step that undo would take back, or ''."""
        return self.steps[self.position - 1].action if self.can_undo else ""

    @property
    def next(self) -> str:
        """The step that redo would take again, or ''."""
        return self.steps[self.position].action if self.can_redo else ""

    def name(self, variant: Variant | None) -> str:
        """What a variant is called; one that was let go has no name but its recipe."""
        if variant is None:
            return ORIGINAL
        return next((k.name for k in self.kept if k.variant == variant), NAMELESS)

    def refusal(self, variant: Variant | None) -> str:
        """Why the guard refused a variant when it was last applied; '' where it did not, or it never was."""
        applied = [
            e for e in self.log if e.action == APPLIED and e.variant == variant and variant is not None
        ]
        return applied[-1].refusal if applied else ""

    def apply(self, variant: Variant, at: datetime, refusal: str = "") -> History:
        """Put a variant in force, and keep it, with why the guard refuses it if it does. The one in force already
        changes nothing (double click)."""
        known = any(k.variant == variant for k in self.kept)
        kept = self.kept if known else (*self.kept, Kept(self.free_name(), variant))
        return replace(self, kept=kept).done(APPLIED, replace(self.now, variant=variant), at, refusal=refusal)

    def original(self, at: datetime) -> History:
        """Put the original model in force; pairs and samples that were left out stay so."""
        return self.done(BACK, replace(self.now, variant=None), at)

    def done(self, action: str, after: Decided, at: datetime, note: str = "", refusal: str = "") -> History:
        """Take a step. One that changes nothing is none; steps that were undone are gone."""
        if after == self.now:
            return self
        steps = (*self.steps[: self.position], Step(action, after))
        return replace(self, steps=steps, position=len(steps)).noted(action, note, at, refusal)

    def undo(self, at: datetime) -> History:
        """One step back."""
        if not self.can_undo:
            return self
        return replace(self, position=self.position - 1).noted(UNDONE, self._what(self.last), at)

    def redo(self, at: datetime) -> History:
        """One step forward again."""
        if not self.can_redo:
            return self
        return replace(self, position=self.position + 1).noted(REDONE, self._what(self.next), at)

    def rename(self, variant: Variant, name: str, at: datetime) -> History:
        """Give a kept variant another name; one that is taken or means something else changes nothing."""
        name = tidy_name(name)
        if name == self.name(variant) or not self.may_be_called(variant, name):
            return self
        old = self.name(variant)
        kept = tuple(replace(k, name=name) if k.variant == variant else k for k in self.kept)
        return replace(self, kept=kept).noted("named", f"{old} is now called {name}", at)

    def may_be_called(self, variant: Variant, name: str) -> bool:
        """Whether a name is free for a kept variant and could be taken for nothing else."""
        taken = {_heard(k.name) for k in self.kept if k.variant != variant}
        return not is_reserved(name) and _heard(name) not in taken

    def let_go(self, variant: Variant, at: datetime) -> History:
        """Take a variant off the list; the log keeps it."""
        kept = tuple(k for k in self.kept if k.variant != variant)
        return replace(self, kept=kept).noted("let go", self.name(variant), at)

    def noted(self, action: str, note: str, at: datetime, refusal: str = "") -> History:
        """Write a line into the log."""
        return replace(self, log=(*self.log, Entry(at, action, self.current, note, refusal)))

    def _what(self, action: str) -> str:
        """What is taken back or again; a variant speaks for itself in the log."""
        return "" if action in (APPLIED, BACK) else action

    def free_name(self) -> str:
        """The first of "Variant 1", "Variant 2" … that no kept variant has."""
        taken = {_heard(k.name) for k in self.kept}
        return next(f"Variant {n}" for n in range(1, len(taken) + 2) if f"variant {n}" not in taken)
