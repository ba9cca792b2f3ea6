"""Are the influence scores right? What leaving samples out really does, beside what was predicted.

Three groups of K training samples go in turn, the most harmful, random ones and the most helpful, and
the last layer is fitted again without them. Each effect on the bias stands beside two predictions: the
scores added up, and the Newton step with the curvature of the kept samples (`fmd_core.influence.removal`).

Then external twins are planted: each in turn becomes a training sample, the last layer is fitted again
with it, and the bias should move the way its score says.

Every true effect is the difference of two fits, without the group and with everybody, so that it means
something for a head, too, that was not fitted to convergence here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from fmd_core.data import Array, FeatureSet, ignore_progress
from fmd_core.errors import DataError, ModelError
from fmd_core.heads.curvature import fit_curvature
from fmd_core.heads.linear import LinearHead
from fmd_core.heads.protocol import Head
from fmd_core.influence.removal import predict_removal, refit_with, refit_without, whole_curvature
from fmd_core.influence.scores import InfluenceScores, bias_influence
from fmd_core.measure.bias_functions import Taught
from fmd_core.showing import one_line, table

if TYPE_CHECKING:
    import pandas as pd

GroupKind = Literal["harmful", "random", "helpful"]
Verdict = Literal["can be relied on", "rough", "not to be relied on"]
DRAWS, PLANTS = 5, 20
PLANT_WEIGHT = 1e-4
"""A planted sample weighs as much as a training sample, or as this share of all of them if that is more:
far above a fit's rounding."""
CLOSE, SLACK = 0.25, 1e-3  # a prediction may be off by a quarter of the truth, or by 0.1 points
RIGHT_SIGNS, CHANCE = 0.9, 0.05
CONVERGED = 1e-3  # a head that a refit moves by more of its length had not converged


@dataclass(frozen=True)
class Effect:
    """Change of B, a share, or of the loss of those who are served worst, in nats, when one group is left out; below 0:
    it falls."""

    added_up: float  # sum of the samples' scores
    predicted: float  # one Newton step with the curvature of the kept samples
    measured: float  # refit without the group less refit with everybody
    predicted_held_out: float
    measured_held_out: float


@dataclass(frozen=True)
class GroupCheck:
    """One kind of K samples: one effect, or one for each random draw."""

    kind: GroupKind
    draws: tuple[Effect, ...]

    def mean(self, name: str) -> float:
        """Mean over the draws of one of the figures of `Effect`, by its name."""
        return float(np.mean([getattr(effect, name) for effect in self.draws]))

    def ends(self, name: str) -> tuple[float, float]:
        """Least and greatest of one of the figures of `Effect` over the draws."""
        values = [getattr(effect, name) for effect in self.draws]
        return min(values), max(values)

    @property
    def is_close(self) -> bool:
        """Whether the prediction is within a quarter of what was measured, or within 0.1 points."""
        gap = abs(self.mean("predicted") - self.mean("measured"))
        return gap <= max(CLOSE * abs(self.mean("measured")), SLACK)


@dataclass(frozen=True)
class SignTest:
    """Of n planted samples, for how many the bias moved the way their score says."""

    right: int
    n: int
    p_value: float
    """Chance of as many by guessing: exact binomial test against 1/2, one-sided."""
    right_held_out: int = 0  # the same on held-out people

    @property
    def beats_chance(self) -> bool:
        """Whether guessing would hardly do as well."""
        return self.p_value < CHANCE


@dataclass(frozen=True)
class ScoreCheck:
    """What came of checking the scores by one attribute at one K."""

    attribute: str
    k: int
    groups: tuple[GroupCheck, GroupCheck, GroupCheck]
    """The most harmful, random and the most helpful."""
    planted: SignTest
    bias: float  # B of the head at hand, on the people that the scores refer to
    bias_refitted: float  # B after a refit with everybody, from where effects are measured
    head_distance: float
    """How far that refit moved the head, as a share of its length: about 0 for a converged head."""
    people: str = ""
    """Whose loss the scores are about, 'blond men'; '' where they are about a bias."""

    @property
    def converged(self) -> bool:
        """Whether the head at hand minimises the loss that the scores assume."""
        return self.head_distance <= CONVERGED

    def in_order(self, name: str) -> bool:
        """Whether leaving out the most harmful lowers B by more than any random draw does, and leaving out
        the most helpful raises it by more; `name` is a measured figure of `Effect`."""
        harmful, random, helpful = (group.ends(name) for group in self.groups)
        return harmful[0] < min(0.0, random[0]) and helpful[0] > max(0.0, random[1])

    @property
    def verdict(self) -> Verdict:
        """Whether to rely on the scores.

        'not to be relied on': the measured effects are not in order on the people that the scores refer
        to (see `in_order`), or the planted signs could be guesses (p of 0.05 or more).
        'can be relied on': they are in order, on held-out people too; both predictions for the ranked
        groups are within a quarter of the truth or 0.1 points; and 9 of 10 planted signs are right.
        'rough': everything between.
        """
        if not self.in_order("measured") or not self.planted.beats_chance:
            return "not to be relied on"
        close = self.groups[0].is_close and self.groups[2].is_close
        signs = self.planted.right >= RIGHT_SIGNS * self.planted.n
        return "can be relied on" if close and signs and self.in_order("measured_held_out") else "rough"

    def __repr__(self) -> str:
        signs = f"{self.planted.right} of {self.planted.n} planted signs right"
        return one_line(self, f"{self.attribute}: {self.verdict}", f"K = {self.k}", signs)

    def to_frame(self) -> pd.DataFrame:
        """A row for each group that was left out: its `kind`, the `draw` (random groups have several), and the
        change by the names and in the units of `Effect`."""
        return table(
            {"kind": group.kind, "draw": number} | vars(effect)
            for group in self.groups
            for number, effect in enumerate(group.draws)
        )


def check_scores(
    head: Head,
    train: FeatureSet,
    bias: Taught,
    scores: InfluenceScores,
    *,
    held_out: Taught,
    k: int,
    damping: float,
    draws: int = DRAWS,
    plants: int = PLANTS,
    seed: int = 0,
    progress: Callable[[float], None] = ignore_progress,
) -> ScoreCheck:
    """Check `scores`, which are those of `head` and `bias`, by 3 + `draws` + `plants` exact refits.

    Parameters
    ----------
    head, train, bias, scores
        What the scores were made of, and the scores.
    held_out
        The same bias on people who had no part in anything.
    k
        Samples to leave out at a time, at most half of all.
    damping
        Weight decay of the fits, lambda: that of the scores.
    draws, plants
        How many random groups, and how many planted samples.
    seed
        Draws both.
    progress
        Is told the share that is done after every refit, and may raise to stop.

    Raises
    ------
    ModelError
        For a head of two layers.
    DataError
        For a K that is too large, and for scores of other samples.

    Examples
    --------
    >>> check = fmd.check_scores(
    ...     model.head, people["train"], bias["external"], scores,
    ...     held_out=bias["test"], k=50, damping=model.damping, draws=1, plants=4,
    ... )
    >>> check
    ScoreCheck(colour: not to be relied on, K = 50, 4 of 4 planted signs right)
    >>> check.to_frame()[["kind", "predicted", "measured"]].round(2)
          kind  predicted  measured
    0  harmful      -0.04     -0.03
    1   random       0.01      0.02
    2  helpful       0.09      0.09
    """
    if not isinstance(head, LinearHead):
        raise ModelError(
            "Scores of two layers cannot be checked: two fits of them differ by more than the samples left out; "
            "check those of the last layer."
        )
    n = len(train)
    if not 1 <= k <= n // 2:
        raise DataError(
            f"K = {k} cannot be checked: the most harmful and the most helpful would overlap; choose K between 1 "
            f"and {n // 2}, half of the {n} training samples."
        )
    if not np.array_equal(scores.rows, train.rows):
        raise DataError("These scores are of other training samples; score the ones at hand.")
    rng = np.random.default_rng(seed)
    planted = planted_samples(bias, plants, rng)
    reports = iter(np.linspace(0, 1, 4 + draws + len(planted))[1:].tolist())

    def step() -> None:
        progress(next(reports))

    everybody = refit_without(head, train, [], damping=damping)
    step()
    whole = whole_curvature(head, train)
    refits = _Refits(head, everybody, train, (bias, held_out), damping, whole, step)
    random = [rng.choice(n, k, replace=False) for _ in range(draws)]
    return ScoreCheck(
        attribute=scores.attribute,
        k=k,
        groups=(
            GroupCheck("harmful", (refits.without(scores.most_harmful(k), scores),)),
            GroupCheck("random", tuple(refits.without(members, scores) for members in random)),
            GroupCheck("helpful", (refits.without(scores.most_helpful(k), scores),)),
        ),
        planted=refits.planted(planted),
        bias=bias.value(head),
        bias_refitted=bias.value(everybody),
        head_distance=float(np.linalg.norm(everybody.theta - head.theta) / np.linalg.norm(head.theta)),
        people=scores.people,
    )


def sign_test(predicted: Array, measured: Array, measured_held_out: Array) -> SignTest:
    """How often two rows of effects (m,) agree in sign; an effect of 0 agrees with nothing."""
    from scipy.stats import binomtest  # slow to import

    guess = np.sign(predicted)
    right = int((guess * np.sign(measured) > 0).sum())
    p_value = float(binomtest(right, len(guess), alternative="greater").pvalue)
    return SignTest(right, len(guess), p_value, int((guess * np.sign(measured_held_out) > 0).sum()))


def planted_samples(bias: Taught, m: int, rng: np.random.Generator) -> FeatureSet:
    """About `m` samples to plant, half of either side and evenly from every attribute: twins, for a gap
    between groups its people, for the loss of a group its members and who shares its level.
    Fewer where there are not as many."""
    sides = bias.plants
    shares = [m * (i + 1) // len(sides) - m * i // len(sides) for i in range(len(sides))]
    chosen = [
        side.subset(rng.choice(len(side), min(share, len(side)), replace=False))
        for side, share in zip(sides, shares, strict=True)
    ]
    return FeatureSet.joined(chosen)


@dataclass(frozen=True, eq=False)
class _Refits:
    """Effects on both biases, measured from the fit to everybody and predicted from the head at hand."""

    head: LinearHead
    everybody: LinearHead
    train: FeatureSet
    judges: tuple[Taught, Taught]  # what the scores refer to, and held-out people
    damping: float
    whole: Array | None  # curvature of all training samples
    step: Callable[[], None]  # told after every refit

    def without(self, members: Array, scores: InfluenceScores) -> Effect:
        """Leaving out the samples at positions `members` (k,)."""
        refitted = refit_without(self.everybody, self.train, members, damping=self.damping)
        stepped = predict_removal(self.head, self.train, members, damping=self.damping, whole=self.whole)
        self.step()
        measured = [judge.value(refitted) - judge.value(self.everybody) for judge in self.judges]
        predicted = [judge.value(stepped) - judge.value(self.head) for judge in self.judges]
        added_up = float(scores.removal_effect[members].sum())
        return Effect(added_up, predicted[0], measured[0], predicted[1], measured[1])

    def planted(self, plants: FeatureSet) -> SignTest:
        """Adding each of `plants` in turn: the sign that its score gives against the sign of the refit."""
        curvature = fit_curvature(self.head, self.train, damping=self.damping)
        removal = bias_influence(self.head, plants, self.judges[0], curvature).removal_effect
        measured = np.array([self._with(plants.subset(np.array([i]))) for i in range(len(plants))])
        return sign_test(-removal, measured[:, 0], measured[:, 1])

    def _with(self, plant: FeatureSet) -> list[float]:
        weight = max(1 / len(self.train), PLANT_WEIGHT)
        grown = refit_with(self.everybody, self.train, plant, weight=weight, damping=self.damping)
        self.step()
        return [judge.value(grown) - judge.value(self.everybody) for judge in self.judges]
