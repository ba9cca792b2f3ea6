"""Did the unlearning do what simpler things would not have done?

Three heads to hold it against, all fitted to convergence: without the most harmful training samples,
without as many random ones, and afresh on the same external twins.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from fmd_core.baselines import group_codes, most_even, refits_on_pairs
from fmd_core.counterfactual import CounterfactualPairs
from fmd_core.data import Array, FeatureSet
from fmd_core.figures import count
from fmd_core.heads import Head
from fmd_core.influence import InfluenceScores
from fmd_core.removal import refit_without
from fmd_core.showing import one_line

RivalName = Literal["without harmful", "without random", "refit on twins"]
RANDOM_SEED = 0
DEFAULT_K = (
    100  # samples to leave out where the strategy itself counts none, or a tenth of all if that is less
)


@dataclass(frozen=True, eq=False)
class Rival:
    """A head made in a simpler way."""

    name: RivalName
    head: Head
    k: int
    """Training samples left out, or pairs fitted to."""

    @property
    def title(self) -> str:
        """In words."""
        return {
            "without harmful": f"Refit without the {self.k} most harmful",
            "without random": f"Refit without {self.k} random samples",
            "refit on twins": f"Plain refit on {self.k} twins",
        }[self.name]

    def __repr__(self) -> str:
        return one_line(self, self.name, f"k = {count(self.k)}", f"{self.head!r}")


def rival_heads(
    head: Head,
    train: FeatureSet,
    scores: InfluenceScores,
    pairs: Sequence[CounterfactualPairs],
    guards: FeatureSet,
    levels: Array,
    *,
    k: int,
    damping: float,
) -> tuple[Rival, ...]:
    """The three heads. `k` samples go, those that `scores` rank first or drawn under RANDOM_SEED.

    The damping of the refit on `pairs` is the one that serves the groups of the validation people
    `guards`, with attribute levels `levels` (n,), most evenly. Raises DataError where leaving out k
    samples leaves a class without any.
    """
    drawn = np.random.default_rng(RANDOM_SEED).choice(len(train), size=k, replace=False)
    refits = [found for found, _ in refits_on_pairs(head, pairs)]
    return (
        Rival("without harmful", refit_without(head, train, scores.most_harmful(k), damping=damping), k),
        Rival("without random", refit_without(head, train, drawn, damping=damping), k),
        Rival(
            "refit on twins",
            most_even(refits, guards, group_codes(guards.labels, levels)),
            sum(len(p) for p in pairs),
        ),
    )


def default_k(n: int) -> int:
    """How many of n training samples to leave out where a strategy names no number."""
    return min(DEFAULT_K, n // 10)
