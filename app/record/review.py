"""What is under review: which data, which model, which twins count, and which bias is meant."""

from __future__ import annotations

from dataclasses import dataclass

from fmd_core.study.aim import Aim

__all__ = ["ANOTHER_SYSTEM", "BUNDLED", "NO_MODEL", "Aim", "Review"]

NO_MODEL, BUNDLED = "", "bundled"  # no model is chosen; the one that ships with a demo
ANOTHER_SYSTEM = "another_system"  # nor is one needed: the data bring what another system answered


@dataclass(frozen=True)
class Review:
    """Data and model by name; hashable, so it is its own cache key."""

    data: str = "colored_digits"  # reference, see fmd_core.datasets
    model: str = BUNDLED  # id on the shelf, BUNDLED, NO_MODEL or ANOTHER_SYSTEM
    most_unlike: float | None = None
    """Match distance beyond which two real people are no twins; None: every match counts."""
    depth: str = "last layer"
    """How much of the model is open to change: decides what its features are."""
    vetoes: tuple[tuple[str, int], ...] = ()
    """Pairs that the reviewer left out: attribute, and row of the person whose pair it is."""
    beside: str = ""
    """Id on the shelf of a model that was made from this one, whose features stand beside its own."""

    @property
    def key(self) -> tuple[str, str]:
        """What a journal belongs to: data and model, however deep it is open and whichever twins count."""
        return self.data, self.model

    def vetoed(self, attribute: str) -> tuple[int, ...]:
        """Rows of the people whose pairs by an attribute are left out."""
        return tuple(row for name, row in self.vetoes if name == attribute)

    @property
    def has_model(self) -> bool:
        """Whether a model is chosen."""
        if self.model == BUNDLED:
            from fmd_core.datasets.families import (
                FAMILIES,  # half a second, and the first page waits for nobody
            )

            return FAMILIES[self.data].has_model if self.data in FAMILIES else False
        return self.model not in (NO_MODEL, ANOTHER_SYSTEM)

    @property
    def is_of_another_system(self) -> bool:
        """Whether the answers that came with the data are reviewed, without any model."""
        return self.model == ANOTHER_SYSTEM
