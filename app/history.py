"""The visible history of unlearning: what was tried, what is in force, undo and redo.

Only recipes are kept, never weights: the same recipe on the same original gives the same
head, so going back is exact and the original cannot be harmed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from app.review import Aim, Review

if TYPE_CHECKING:
    from fmd_core.unlearning import StrategyName


@dataclass(frozen=True)
class Recipe:
    """How one variant is made from the original model; hashable, so it is its own cache key."""

    review: Review
    aim: Aim
    strategy: StrategyName
    k: int
    strength: float
    blend: float
    tolerance: float


def describe(recipe: Recipe | None) -> str:
    """A recipe in words; None is the original model."""
    if recipe is None:
        return "the original model"
    from fmd_core import wording  # half a second, and the first page has nothing to describe

    made = wording.setting(recipe.strategy, recipe.strength, recipe.k, recipe.blend)
    depth = {"last layer": ""}.get(recipe.review.depth, f", {recipe.review.depth}")
    return f"{recipe.aim.words}: {made}{depth}"


@dataclass(frozen=True)
class Entry:
    """One line of the log: what was done, and the recipe in force after it (None: original)."""

    at: datetime
    action: str
    recipe: Recipe | None
    note: str = ""  # what else there is to say of it


@dataclass(frozen=True)
class History:
    """Variants applied so far; `position` counts those in force, 0 is the original."""

    variants: tuple[Recipe, ...] = ()
    position: int = 0
    log: tuple[Entry, ...] = ()

    @property
    def current(self) -> Recipe | None:
        """The recipe in force, None for the original model."""
        return self.variants[self.position - 1] if self.position else None

    @property
    def can_undo(self) -> bool:
        """Whether there is a step to take back."""
        return self.position > 0

    @property
    def can_redo(self) -> bool:
        """Whether a step was taken back and can be taken again."""
        return self.position < len(self.variants)

    def apply(self, recipe: Recipe, at: datetime) -> History:
        """Put a variant in force. The one in force already changes nothing (double click)."""
        if recipe == self.current:
            return self
        variants = (*self.variants[: self.position], recipe)
        return History(variants, len(variants), self.log)._logged("apply", at)

    def undo(self, at: datetime) -> History:
        """One step back."""
        return replace(self, position=self.position - 1)._logged("undo", at) if self.can_undo else self

    def redo(self, at: datetime) -> History:
        """One step forward again."""
        return replace(self, position=self.position + 1)._logged("redo", at) if self.can_redo else self

    def original(self, at: datetime) -> History:
        """All the way back; every step can be taken again by redo."""
        return replace(self, position=0)._logged("back to original", at) if self.can_undo else self

    def noted(self, action: str, note: str, at: datetime) -> History:
        """Something was decided that changes no head: it stands in the log and is not undone here."""
        return self._logged(action, at, note)

    def _logged(self, action: str, at: datetime, note: str = "") -> History:
        return replace(self, log=(*self.log, Entry(at, action, self.current, note)))
