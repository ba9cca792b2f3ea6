"""Machine unlearning: four strategies that move a head away from a bias.

The published single steps (Chen et al. 2023) move the head once along H^-1 g, with g from

    paper-remove     the top-K harmful samples:                    sum grad L(z) / n
    paper-replace    those that have one, against their twins:     sum (grad L(z) - grad L(z̄)) / n
    paper-external   external pairs, no training sample needed:    mean (grad L(c) - grad L(c̄))

and strength is the share of that step, itself shortened to the trust radius (`step_share`).
`iterated`, the default, minimises over the head

    mean_i w_a L(c_i) + w_b L(c̄_i) + strength/2 |W (c_i - c̄_i)|^2 + anchor/2 |theta - theta0|^2

over the external pairs; `fmd_core.unlearn.objective` says how much each counts, and `fmd_core.unlearn.worst_group`
what is asked for where the worst group is to be served better. Where the bias is no bias between twins,
`paper-external` steps along its own slope, as far as takes it to 0 at first order; of several attributes every
strategy takes the mean. Strength 0 (or K = 0 for the two that use K) returns the very same head.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from fmd_core.data import Array, FeatureSet
from fmd_core.figures import count
from fmd_core.heads.curvature import Curvature
from fmd_core.heads.fitting import fit_head
from fmd_core.heads.protocol import Head
from fmd_core.influence.scores import InfluenceScores
from fmd_core.measure.bias_functions import BiasFunction, CounterfactualBias
from fmd_core.method import Mover, Strategy, register
from fmd_core.showing import one_line
from fmd_core.twins.pairs import CounterfactualPairs
from fmd_core.unlearn.objective import unlearning_problem
from fmd_core.unlearn.worst_group import is_worst_group, worst_group_mover

TRUST_RADIUS = 1.0  # a single step never moves the head by more than its own length


@dataclass(frozen=True, eq=False)
class UnlearningInputs:
    """What decides the fix. Nothing in here may be used to judge it."""

    train: FeatureSet
    bias: BiasFunction  # on external people
    curvature: Curvature | None = None
    """These three are needed by the strategies that say so (`Strategy.needs`)."""
    scores: InfluenceScores | None = None
    train_pairs: tuple[CounterfactualPairs, ...] = ()
    """The training samples' own twins by each attribute; samples without one stay as they are."""
    damping: float | None = None
    """Weight decay that the head was fitted with, where that is known."""

    def __repr__(self) -> str:
        given = {"curvature": self.curvature, "scores": self.scores, "twins": self.train_pairs}
        extra = " and ".join(name for name, value in given.items() if value)
        samples = f"{count(len(self.train))} training samples"
        return one_line(self, samples, f"{self.bias!r}", f"with {extra}" if extra else "")


@dataclass(frozen=True, eq=False)
class UnlearningResult:
    """A new head and how it was made. `head` is the original object when nothing was done."""

    head: Head
    strategy: str
    """Name of the method, see `fmd_core.method`."""
    strength: float
    k: int
    blend: float = 1.0  # share of the way from the original to the solution
    step_share: float = 1.0  # share of the published step that the trust region allows
    what: str = ""
    """In words, where it is no strategy with a strength."""

    @property
    def setting(self) -> str:
        """How it was made, in a few words: 'iterated, strength 0.3'."""
        blend = "" if self.blend == 1 else f"blend {self.blend:g}"
        counts = f"K = {self.k}" if self.k else ""
        return ", ".join(
            filter(None, (self.what or self.strategy, f"strength {self.strength:g}", counts, blend))
        )

    def __repr__(self) -> str:
        return one_line(self, self.setting, f"{self.head!r}")


def _iterated(head: Head, inputs: UnlearningInputs, _k: int) -> Mover:
    if is_worst_group(inputs.bias):
        return worst_group_mover(head, inputs.bias, inputs.train)
    problem = unlearning_problem(inputs.bias, inputs.train)

    def refit(strength: float, start: Head) -> Head:
        return fit_head(start, problem, anchor=head.theta, consistency=strength) if strength else head

    return Mover(refit)


def _single_step(
    slope: Callable[[Head, UnlearningInputs, int], Array], head: Head, inputs: UnlearningInputs, k: int
) -> Mover:
    """A published step: from the head along H^-1 g, with g = `slope(head, inputs, k)`, (p,)."""
    assert inputs.curvature is not None, "a need of every single step"
    step = inputs.curvature.solve(slope(head, inputs, k))
    share = _trusted_share(head, step)
    return Mover(
        lambda strength, start: head if strength == 0 else head.moved(strength * share * step),  # noqa: ARG005
        share,
    )


def _trusted_share(head: Head, step: Array) -> float:
    """The share of `step` (p,) that stays within the trust radius, at most 1."""
    reach = TRUST_RADIUS * float(np.linalg.norm(head.theta))
    length = float(np.linalg.norm(step))
    return 1.0 if length <= reach else reach / length


def _removed(head: Head, inputs: UnlearningInputs, k: int) -> Array:
    return _mean_gradient(head, inputs.train.subset(_worst(inputs, k)), len(inputs.train))


def _replaced(head: Head, inputs: UnlearningInputs, k: int) -> Array:
    worst = _worst(inputs, k)
    swaps: Array = np.mean([_swap_gradient(head, inputs.train, worst, p) for p in inputs.train_pairs], axis=0)
    return swaps


def _external(head: Head, inputs: UnlearningInputs, _k: int) -> Array:
    curvature = inputs.curvature
    assert curvature is not None, "a need of every single step"
    slopes: Array = np.mean([_external_gradient(head, curvature, p) for p in inputs.bias.parts], axis=0)
    return slopes


def _worst(inputs: UnlearningInputs, k: int) -> Array:
    """Positions of the k most harmful training samples."""
    assert inputs.scores is not None, "a need of whoever uses K"
    return inputs.scores.most_harmful(k)


def _mean_gradient(head: Head, samples: FeatureSet, n: int) -> Array:
    return head.loss_gradient(samples.features, samples.labels, np.full(len(samples), 1 / n))


def _swap_gradient(head: Head, train: FeatureSet, worst: Array, twins: CounterfactualPairs) -> Array:
    with_twin = worst[np.isin(train.rows[worst], twins.rows)]
    chosen = np.isin(twins.rows, train.rows[with_twin])
    own, twin = train.subset(with_twin), twins.counterparts.subset(chosen)
    return _mean_gradient(head, own, len(train)) - _mean_gradient(head, twin, len(train))


def _external_gradient(head: Head, curvature: Curvature, bias: BiasFunction) -> Array:
    if isinstance(bias, CounterfactualBias):
        m = len(bias.pairs)
        return _mean_gradient(head, bias.pairs.favoured, m) - _mean_gradient(head, bias.pairs.other, m)
    slope = bias.gradient(head)
    steepness = float(slope @ curvature.solve(slope))  # what a whole step of this slope takes off the gap
    return -slope * (bias.value(head) / steepness if steepness > 0 else 0.0)


# --- the four strategies

SHARES = (0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.6, 0.8, 1.0)  # of a single step

register(
    Strategy(
        name="iterated",
        title="Learn from external samples",
        note="Refits the layers that may change on external twins. Even the smallest strength refits; more strength "
        "makes it answer both twins alike.",
        group_note="Refits the layers that may change on the external part. Even the smallest strength refits; more "
        "strength makes it answer both groups alike on average.",
        worst_note="Refits the layers that may change on the training and the external part. More strength lets the "
        "groups that are answered worst count more.",
        prepare=_iterated,
        strengths=(0.01, 0.03, 0.1, 0.2, 0.3, 0.6, 1.0, 3.0, 10.0, 30.0),
        searches_blends=True,
        formula=r"\begin{aligned}\min_\theta\;&\frac1m\sum_i\Bigl[\tfrac14 L(c_i)+\tfrac34 L(\bar c_i)\Bigr]\\"
        r"+\;&\frac{\rho}{2}\,\frac1m\sum_i\bigl\|W(c_i-\bar c_i)\bigr\|^2\\"
        r"+\;&\frac{\alpha}{2}\,\bigl\|\theta-\hat\theta\bigr\|^2\end{aligned}",
        formula_words="Learning from external samples: right answers on both sides of m pairs, alike answers with "
        "the strength ρ, and an anchor α to the original. The two sides weigh 1/4 (favoured) and 3/4.",
    )
)
register(
    Strategy(
        name="paper-remove",
        title="Forget harmful samples",
        note="The published single step that takes the K most harmful out of the training.",
        prepare=partial(_single_step, _removed),
        strengths=SHARES,
        needs=frozenset({"curvature", "scores"}),
        formula=r"\theta=\hat\theta+\eta\,(H+\lambda I)^{-1}\,\frac1n\sum_{k=1}^{K}\nabla L(z_k)",
        formula_words="The published single steps, of which the strength η takes a share. Removing the K most harmful:",
    )
)
register(
    Strategy(
        name="paper-replace",
        title="Swap harmful samples for twins",
        note="The published single step that puts its twin in the place of each of the K most harmful.",
        prepare=partial(_single_step, _replaced),
        strengths=SHARES,
        needs=frozenset({"curvature", "scores", "training twins"}),
        formula=r"\begin{aligned}\theta=\hat\theta+\;&\eta\,(H+\lambda I)^{-1}\\"
        r"&\frac1n\sum_{k=1}^{K}\bigl[\nabla L(z_k)-\nabla L(\bar z_k)\bigr]\end{aligned}",
        formula_words="Putting their twins in their place:",
    )
)
register(
    Strategy(
        name="paper-external",
        title="One step on external samples",
        note="The published single step on external twins; it needs nothing of the training.",
        group_note="A single step along the slope of the gap between the groups; it needs nothing of the training.",
        worst_note="A single step along the slope of how far the group that is served worst lags behind; it needs "
        "nothing of the training.",
        prepare=partial(_single_step, _external),
        strengths=SHARES,
        needs=frozenset({"curvature"}),
        formula=r"\begin{aligned}\theta=\hat\theta+\;&\eta\,(H+\lambda I)^{-1}\\"
        r"&\frac1m\sum_{i=1}^{m}\bigl[\nabla L(c_i)-\nabla L(\bar c_i)\bigr]\end{aligned}",
        formula_words="Stepping on external twins:",
    )
)
