"""How a variant of the model is made. Only recipes are kept, never weights: the same recipe on the same
original gives the same head, so going back is exact and the original cannot be harmed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from app.record.review import Aim, Review

if TYPE_CHECKING:
    from fmd_core.forget.erasure import Form


class Sweep(NamedTuple):
    """All strengths of one way to unlearn: of which model, open how deep, against what; K is 0 where it is not used."""

    review: Review
    aim: Aim
    strategy: str
    k: int


@dataclass(frozen=True)
class Recipe:
    """One point of a guarded path; hashable, so it is its own cache key."""

    review: Review
    aim: Aim
    strategy: str
    """Its name."""
    k: int
    strength: float
    blend: float
    tolerance: float

    @property
    def sweep(self) -> Sweep:
        """What it is one strength of."""
        return Sweep(self.review, self.aim, self.strategy, self.k)


@dataclass(frozen=True)
class Exclusion:
    """The last layer fitted again without training samples that the reviewer excluded."""

    review: Review
    aim: Aim
    rows: tuple[int, ...]
    tolerance: float

    @property
    def k(self) -> int:
        """How many samples are left out."""
        return len(self.rows)


@dataclass(frozen=True)
class Erasure:
    """Attributes erased from the features in closed form, and the last layer fitted to what is left."""

    review: Review
    aim: Aim
    attributes: tuple[str, ...]
    form: Form
    tolerance: float

    @property
    def k(self) -> int:
        """No sample is left out."""
        return 0


@dataclass(frozen=True)
class Retrained:
    """The network trained on, until it forgot or served people better; `review.beside` names what came of it."""

    review: Review
    aim: Aim
    way: str
    """Name of the method: the adversary, a pattern, or learning on."""
    what: str
    """What was forgotten or learned and how, in words."""
    tolerance: float
    forgotten: tuple[str, ...] = ()
    """The attributes that it was trained against, or the pattern; () where nothing was to be forgotten, and of what was
    kept before this was noted."""
    share: float = 1.0
    """How far it lies from the original to what came of it, above 0 and up to 1: of two networks' logits."""

    @property
    def k(self) -> int:
        """No sample is left out."""
        return 0


Variant = Recipe | Exclusion | Erasure | Retrained
V = TypeVar("V", bound=Variant)


@dataclass(frozen=True)
class Side:
    """A model to compare: one for the task at hand by name, and what was made of it."""

    model: str
    variant: Variant | None = None


def of_data(variant: V, data: str) -> V:
    """The same variant of the same model for the same people under another name of the data."""
    return replace(variant, review=replace(variant.review, data=data))


def describe(variant: Variant | None) -> str:
    """A variant in words; None is the original model."""
    if variant is None:
        return "the original model"
    if isinstance(variant, Exclusion):
        return f"{variant.aim.words}: fitted again without the {variant.k:,} that the reviewer excluded"
    if isinstance(variant, Erasure):
        return f"{' and '.join(variant.attributes)} erased from the features, {variant.form}"
    if isinstance(variant, Retrained):
        return variant.what if variant.share == 1 else f"{variant.what}, {100 * variant.share:g} % of the way"
    from fmd_core.models.depth import LAST_LAYER
    from fmd_core.report import wording  # half a second, and the first page has nothing to describe

    made = wording.setting(variant.strategy, variant.strength, variant.k, variant.blend)
    depth = "" if variant.review.depth == LAST_LAYER else f", {variant.review.depth}"
    return f"{variant.aim.words}: {made}{depth}"
