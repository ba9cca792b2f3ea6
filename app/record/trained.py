"""What training a model on came to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from app.record.variants import Retrained

if TYPE_CHECKING:
    from fmd_core.forget.finetuning import Round
    from fmd_core.study.debiasing import Change
    from fmd_core.unlearn.deeper.settings import Improve


@dataclass(frozen=True)
class Pattern:
    """A group of channels: which layer, how many groups it was cut into, and which of them."""

    layer: str
    n_groups: int | None
    group: int


@dataclass(frozen=True)
class Learnt:
    """What may have changed of a network that learned on, what was to improve, and how far it was taken."""

    change: Change
    improve: Improve
    steps: int
    """Of the network that is kept: what those who choose chose, or the last one where they chose the original."""


@dataclass(frozen=True)
class Trained:
    """A variant that was trained, how the losses went, and the pattern if it was one."""

    variant: Retrained
    rounds: tuple[Round, ...]
    seconds: float
    pattern: Pattern | None = None
    coverage: float | None = None
    """Mean share of a training image that the pattern covers, 0 to 1."""
    learnt: Learnt | None = None
    """Where it learned on so that people are served better; None where it was to forget."""
