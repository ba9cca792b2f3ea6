"""Did the unlearning do what simpler things would not have done?

Heads to hold it against: fitted to convergence without the most harmful training samples, without as many
random ones, and afresh on the same external twins; and the same head with nothing but its thresholds moved.
Whoever registers another baseline has it here too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fmd_core.data import Array, FeatureSet, group_codes
from fmd_core.figures import count
from fmd_core.heads.linear import LinearHead
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
    most_even,
    refits_on_pairs,
    register_baseline,
)

RANDOM_SEED = 0
MOVES = tuple(np.arange(0, 2.51, 0.125).tolist())
"""How far thresholds are moved, 1 being to where every class is equally likely; validation people choose."""
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


# --- the baselines


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


def _thresholds_moved(given: BaselineInputs) -> Fitted:
    """Every class's logit lowered in proportion to the logarithm of its share (Menon et al., ICLR 2021, arXiv
    2007.07314); of two classes this moves the one threshold. Classes that are equally frequent stay as they are."""
    last = given.head.last
    counts = np.bincount(given.train.labels, minlength=last.n_classes)
    shares = np.log(np.maximum(counts, 1) / counts.sum())
    if np.ptp(counts) == 0:
        return Fitted({given.head: "nothing to move: the classes are equally frequent"}, 0)
    return Fitted(
        {
            given.head.with_last(LinearHead(last.weight, last.bias - step * shares)): f"{step:g} of the way"
            for step in MOVES
        },
        0,
    )


register_baseline(
    Baseline(
        name="without harmful",
        title="Refit without the {n} most harmful",
        note="The last layer is fitted again without those in training that the scores call most harmful.",
        fit=_without_harmful,
        needs=frozenset({"scores"}),
    )
)
register_baseline(
    Baseline(
        name="without random",
        title="Refit without {n} at random",
        note="The last layer is fitted again without as many of the training, drawn at random.",
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
register_baseline(
    Baseline(
        name="thresholds moved",
        title="Only the thresholds moved",
        note="The same model, which answers a rare class sooner; nothing is learned.",
        fit=_thresholds_moved,
        published="thresholds moved",
    )
)
