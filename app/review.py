"""What is under review: which data, which model, and which twins count."""

from __future__ import annotations

from dataclasses import dataclass

NO_MODEL, BUNDLED = "", "bundled"  # no model is chosen; the one that ships with a demo


@dataclass(frozen=True)
class Review:
    """Data and model by name; hashable, so it is its own cache key."""

    data: str = "colored_digits"  # reference, see fmd_core.datasets
    model: str = BUNDLED  # id on the shelf, BUNDLED or NO_MODEL
    most_unlike: float | None = None
    """Match distance beyond which two real people are no twins; None: every match counts."""

    @property
    def has_model(self) -> bool:
        """Whether a model is chosen."""
        if self.model == BUNDLED:
            from fmd_core.datasets import FAMILIES  # half a second, and the first page waits for nobody

            return FAMILIES[self.data].has_model if self.data in FAMILIES else False
        return self.model != NO_MODEL
