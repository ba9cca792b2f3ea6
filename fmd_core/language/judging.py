"""How a change of a language model is judged: on target terms that had no say, and when it is refused."""

from __future__ import annotations

from dataclasses import dataclass

from fmd_core.intervals import Estimate
from fmd_core.language.head import SHARPNESS
from fmd_core.language.scores import BiasScore
from fmd_core.language.unlearning import Form

MOST_PERPLEXITY = 1.05
"""A change that raises perplexity on prose by more is refused."""
MIN_SHARPNESS, MAX_SHARPNESS = SHARPNESS[0] + 0.01, SHARPNESS[-1] - 0.01
"""Beyond these the best sharpness is a bound and no optimum, and what is only flatter is not told apart."""


@dataclass(frozen=True)
class Scores:
    """A model's figures on some examples."""

    types: tuple[BiasScore, ...]
    """All together first."""
    perplexity: float
    """On prose that nobody trained on."""
    even_difference: Estimate
    """Mean |difference| at the sharpness (inverse temperature) under which that prose is likeliest: what a model that
    was only made flatter does not lower."""
    sharpness: float
    """That sharpness; 1 is the model as it is."""
    even_perplexity: float
    """On that prose, at that sharpness."""

    @property
    def all(self) -> BiasScore:
        """Over all bias types."""
        return self.types[0]


@dataclass(frozen=True)
class Tried:
    """One form of unlearning: the change chosen by the deciding terms, judged on other terms."""

    form: Form
    strength: float
    """A place on a ladder, or, of what is trained, the number of steps."""
    after: Scores
    moved: Estimate
    """How the mean |difference| at equal sharpness changed, paired over target terms."""
    refused: str
    """Why it is not kept, a sentence; "" where it may be."""


@dataclass(frozen=True)
class Debiased:
    """What unlearning comes to, on the target terms that had no say."""

    before: Scores
    tried: tuple[Tried, ...]
    left_out: tuple[tuple[Form, str], ...]
    """Forms that could not be tried, and why, a sentence."""
    n_deciding: int
    n_judging: int
    """Target terms."""


def refusal(before: Scores, after: Scores, moved: Estimate) -> str:
    """Why a change is not kept, a sentence; "" where it may be."""
    if not after.perplexity / before.perplexity <= MOST_PERPLEXITY:
        return (
            f"Refused: perplexity rises from {before.perplexity:.1f} to {after.perplexity:.1f}, by more than 5 %: the "
            "model would write worse."
        )
    if not after.even_perplexity / before.even_perplexity <= MOST_PERPLEXITY:
        return (
            f"Refused: with both made as sure as suits them best, perplexity rises from {before.even_perplexity:.1f} "
            f"to {after.even_perplexity:.1f}, by more than 5 %: the model would write worse."
        )
    if not all(MIN_SHARPNESS < one.sharpness < MAX_SHARPNESS for one in (before, after)):
        return (
            "Refused: how sure the model should be to write best lies outside of what is looked at, so it cannot be "
            "said whether it is only flatter, that is less sure of every word."
        )
    if moved.value is None or not moved.value < 0:
        return "Refused: on terms that had no say the two sentences are as far apart as before."
    if moved.high is None or not moved.high < 0:
        return "Refused: on terms that had no say it cannot be told from chance that the two sentences come closer."
    return ""
