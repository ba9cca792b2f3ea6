"""What a language model's jobs are asked, and what they found."""

from __future__ import annotations

from dataclasses import dataclass

from fmd_core.language.examples import SETS, SetName
from fmd_core.language.harmful import Influence
from fmd_core.language.judging import Debiased, Scores
from fmd_core.language.unlearning import Form


@dataclass(frozen=True)
class Asked:
    """What a job scores."""

    reference: str
    """"smollm2", the path of a folder, or "upload"."""
    title: str
    set_name: SetName
    most: int | None
    content: str = ""
    """What tells it from another model of the same reference."""

    @property
    def words(self) -> str:
        """For the title of a job."""
        return f"{self.title} on {SETS[self.set_name]}"


@dataclass(frozen=True)
class Scored:
    """What a scoring job found; light, so that it may be kept."""

    asked: Asked
    sentence: str
    scores: Scores
    n_examples: int
    seconds: float


@dataclass(frozen=True)
class TakenOut:
    """What a job of unlearning came to."""

    asked: Asked
    forms: tuple[Form, ...]
    told: Debiased
    sentences: tuple[str, ...]
    """One for each form, in the order of `told.tried`."""


@dataclass(frozen=True)
class Weighed:
    """What the sentences of a corpus do to a model."""

    asked: Asked
    teach: tuple[Influence, ...]
    """Those that teach its preferences, the strongest first."""
