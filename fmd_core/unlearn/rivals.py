"""Did the unlearning do what simpler things would not have done?

Three heads to hold it against, all fitted to convergence: without the most harmful training samples,
without as many random ones, and afresh on the same external twins. Whoever registers another baseline
has it here too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fmd_core.data import Array, FeatureSet
from fmd_core.figures import count
from fmd_core.heads.protocol import Head
from fmd_core.influence.removal import refit_without
from fmd_core.influence.scores import InfluenceScores
from fmd_core.showing import one_line
from fmd_core.twins.pairs import CounterfactualPairs
from fmd_core.unlearn.baselines import (
    Baseline,
    BaselineInputs,
    Fitted,
    baselines,
    find_baseline,
    group_codes,
    most_even,
    refits_on_pairs,
    register_baseline,
)

RANDOM_SEED = 0
DEFAULT_K = (
    100  # samples to leave out where the strategy itself counts none, or a tenth of all if that is less
)


@dataclass(frozen=True, eq=False)
class Rival:
    """A head made in a simpler way."""

    name: str
    """Of its baseline."""
    head: Head
    k: int
    """Training samples left out, or pairs fitted to."""

    @property
    def title(self) -> str:
        """In words."""
        return find_baseline(self.name).title.format(n=self.k)

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
    """The head of every baseline. `k` samples go, those that `scores` rank first or drawn under RANDOM_SEED.

    Where a baseline offers several, such as the refit on `pairs` with its dampings, it is the one that serves
    the groups of the validation people `guards`, with attribute levels `levels` (n,), most evenly. Raises
    DataError where leaving out k samples leaves a class without any.
    """
    given = BaselineInputs(head, train, pairs, k, damping, scores)
    groups = group_codes(guards.labels, levels)
    offers = ((baseline.name, baseline.fitted(given)) for baseline in baselines())
    return tuple(Rival(name, most_even(list(offer.heads), guards, groups), offer.n) for name, offer in offers)


def default_k(n: int) -> int:
    """How many of n training samples to leave out where a strategy names no number."""
    return min(DEFAULT_K, n // 10)


# --- the three baselines


def _without_harmful(given: BaselineInputs) -> Fitted:
    assert given.scores is not None, "a need of this baseline"
    return _without(given, given.scores.most_harmful(given.k))


def _without_random(given: BaselineInputs) -> Fitted:
    drawn = np.random.default_rng(RANDOM_SEED).choice(len(given.train), size=given.k, replace=False)
    return _without(given, drawn)


def _without(given: BaselineInputs, members: Array) -> Fitted:
    return Fitted({refit_without(given.head, given.train, members, damping=given.damping): ""}, given.k)


def _refit_on_twins(given: BaselineInputs) -> Fitted:
    heads = {head: f"damping {damping:g}" for head, damping in refits_on_pairs(given.head, given.pairs)}
    return Fitted(heads, sum(len(pairs) for pairs in given.pairs))


register_baseline(
    Baseline(
        name="without harmful",
        title="Refit without the {n} most harmful",
        note="The last layer is fitted again without the training samples that the scores call most harmful.",
        fit=_without_harmful,
        needs=frozenset({"scores"}),
    )
)
register_baseline(
    Baseline(
        name="without random",
        title="Refit without {n} random samples",
        note="The last layer is fitted again without as many training samples drawn at random.",
        fit=_without_random,
    )
)
register_baseline(
    Baseline(
        name="refit on twins",
        title="Plain refit on {n} twins",
        note="The last layer is fitted afresh to both sides of the external twins, every group counting equally "
        "(deep feature reweighting).",
        fit=_refit_on_twins,
        needs=frozenset({"pairs"}),
        published="last-layer refit",
    )
)
