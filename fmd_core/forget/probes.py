"""Fresh probes: can an attribute still be read from features? The only judge of forgetting.

To beat the adversary that a model was trained against is not to forget (Elazar and Goldberg 2018, arXiv
1808.06640). So readers are fitted afresh to the features of some people and judged on others. Their teachers should
be people who had no part in the erasure either: among those a linear reader finds nothing by
construction, however little the erasure means for anybody else.

People are weighted so that every level counts the same; with `strata`, such as the target classes, every level
counts the same in each of them. Then guessing is right for 1 in so many levels, and so is whoever knows the
stratum and no more: what a reader reads beyond `chance` it reads of the attribute itself. Without weights a
reader of "blond" would seem to know who is a woman.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np

from fmd_core.data import Array, frozen_array
from fmd_core.errors import DataError
from fmd_core.figures import count, percent, points
from fmd_core.intervals import MIN_PEOPLE, Estimate, bootstrap_means, estimate_from_draws
from fmd_core.measure.counting import Counting
from fmd_core.showing import one_line

Kind = Literal["linear", "mlp"]
PROBE_CAP = 6_000
"""At most so many people teach a probe, and judge it; drawn by CAP_SEED."""
CAP_SEED = 0
LEAST_OF_A_LEVEL = 5
HIDDEN, MOST_EPOCHS, PATIENCE = 64, 60, 10
ROUNDING = 1e-6
"""Columns that vary by less than this share of the features' size are left out. What an erasure leaves of
them is rounding, and a scaled rounding error still tells the attribute perfectly."""


@dataclass(frozen=True, eq=False)
class ProbeResult:
    """How well fresh readers of one kind tell the levels of an attribute. Shares lie in [0, 1]."""

    kind: Kind
    accuracy: float
    """Mean over the seeds, every level counting the same (see above)."""
    chance: float
    majority: float
    """Share of the commonest level: plain accuracy of always saying that one. Not comparable with `accuracy`."""
    auc: float
    """Area under the ROC curve, weighted alike; of several levels each against the rest, on average."""
    interval: tuple[float, float]
    """95 % interval of `accuracy` over people, by bootstrap."""
    n: int  # people judged on
    taught: int  # people who taught the probe
    by_seed: tuple[float, ...]

    @property
    def estimate(self) -> Estimate:
        """`accuracy` with its interval."""
        return Estimate(self.accuracy, *self.interval, self.n)

    @property
    def margin(self) -> float:
        """Accuracy beyond chance; below 0 by chance alone."""
        return self.accuracy - self.chance

    @property
    def spread(self) -> float:
        """Standard deviation over the seeds; 0 for a linear probe, which has only one answer."""
        return float(np.std(self.by_seed))

    def __repr__(self) -> str:
        low, high = self.interval
        found = f"{percent(self.accuracy)} right ({points(low)} to {points(high)})"
        return one_line(self, self.kind, found, f"chance {percent(self.chance)}", f"n = {count(self.n)}")


def probe(
    train_x: Array,
    train_z: Array,
    test_x: Array,
    test_z: Array,
    *,
    kind: Kind,
    seeds: Sequence[int] = (0, 1, 2),
    train_strata: Array | None = None,
    test_strata: Array | None = None,
    test_persons: Array | None = None,
) -> ProbeResult:
    """Fit fresh readers of the levels `train_z` (n,) to `train_x` (n, d) and judge them on test people.

    Parameters
    ----------
    train_x, train_z
        Features (n, d) and levels (n,) of the people who teach the readers.
    test_x, test_z
        The same of the people who judge them.
    kind
        'linear' or 'mlp', a network with one hidden layer.
    seeds
        One reader for each, which start its weights; a linear one has only one answer.
    train_strata, test_strata
        What may be known anyway (n,), such as the target class.
    test_persons
        Whose each row is that judges (n,), where people have several: then the interval is one over people.

    Raises
    ------
    DataError
        For an unknown kind, no seed, too few people of a level, and where no stratum shows two levels.

    Examples
    --------
    >>> colour = data.attribute("colour").codes
    >>> taught, judged = people["external"], people["test"]
    >>> fmd.probe(
    ...     taught.features, colour[taught.rows], judged.features, colour[judged.rows], kind="linear"
    ... )
    ProbeResult(linear, 98.8 % right (...), chance 10.0 %, n = 450)
    """
    if kind not in get_args(Kind):
        raise DataError(f"Unknown kind of probe '{kind}'. Choose one of: {', '.join(get_args(Kind))}.")
    if not seeds:
        raise DataError("A probe needs at least one seed.")
    teachers = _People.of(train_x, train_z, train_strata, "teach")
    judges = _People.of(test_x, test_z, test_strata, "judge", test_persons)
    if not np.array_equal(np.unique(teachers.z), np.unique(judges.z)):
        raise DataError(
            "A probe needs people of every level both to teach and to judge it; take more people."
        )
    scale = _Scale(teachers.x)
    x, seen = scale(teachers.x), scale(judges.x)
    told = []
    for seed in seeds if kind == "mlp" else seeds[:1]:
        reader = _fitted(kind, x, teachers, seed)
        told.append((reader.classes_[np.argmax(chances := reader.predict_proba(seen), axis=1)], chances))
    right = np.stack([answer == judges.z for answer, _ in told])
    weights = judges.weights / judges.weights.sum()
    low, high = _interval(weights, right.mean(axis=0), judges.persons)
    return ProbeResult(
        kind=kind,
        accuracy=float(weights @ right.mean(axis=0)),
        chance=float(weights @ judges.guess),
        majority=float(np.bincount(judges.z).max() / len(judges.z)),
        auc=float(np.mean([_auc(judges, chances) for _, chances in told])),
        interval=(low, high),
        n=len(np.unique(judges.persons)),
        taught=len(teachers.z),
        by_seed=tuple(float(r @ weights) for r in right),
    )


@dataclass(frozen=True, eq=False)
class _People:
    """Those who teach or judge, with the weights that make levels count the same."""

    x: Array  # (n, d) float64
    z: Array  # (n,)
    weights: Array  # (n,)
    guess: Array  # (n,) how often somebody who knows only the stratum is right
    persons: Array  # (n,) codes of whose each row is

    @classmethod
    def of(cls, x: Array, z: Array, strata: Array | None, role: str, persons: Array | None = None) -> _People:
        persons = np.arange(len(z)) if persons is None else np.asarray(persons)
        strata = np.zeros(len(z), dtype="int64") if strata is None else np.asarray(strata)
        if x.ndim != 2 or not len(x) == len(z) == len(strata):
            raise DataError(
                f"Features {x.shape}, {len(z)} levels and {len(strata)} strata are not of the same people."
            )
        if not np.isfinite(x).all():
            raise DataError(f"The features of those who {role} the probe hold values that are not numbers.")
        kept = np.sort(np.random.default_rng(CAP_SEED).permutation(len(z))[:PROBE_CAP])
        weights, guess = _even(z[kept], strata[kept])
        kept, weights, guess = kept[weights > 0], weights[weights > 0], guess[weights > 0]
        if (n := len(np.unique(persons[kept]))) < MIN_PEOPLE:
            raise DataError(
                f"At least {MIN_PEOPLE} people must {role} the probe who differ in the attribute, got {n}."
            )
        counts = np.unique(z[kept], return_counts=True)[1]
        if counts.min() < LEAST_OF_A_LEVEL:
            raise DataError(
                f"Only {counts.min()} people with one of the values {role} the probe; it needs {LEAST_OF_A_LEVEL}. "
                "Leave that value out, or put it together with another, when you open the data."
            )
        return cls(x[kept].astype("float64"), frozen_array(z[kept], "int64"), weights, guess, persons[kept])


def _even(z: Array, strata: Array) -> tuple[Array, Array]:
    """Weights (n,) that give each level of a stratum the same, and a stratum what it has; 1 over the number of
    its levels, (n,). A stratum with a single level teaches nothing and weighs 0."""
    weights, guess = np.zeros(len(z)), np.ones(len(z))
    for stratum in np.unique(strata):
        inside = np.flatnonzero(strata == stratum)
        levels, place, counts = np.unique(z[inside], return_inverse=True, return_counts=True)
        guess[inside] = 1 / len(levels)
        if len(levels) > 1:
            weights[inside] = len(inside) / (len(levels) * counts[place])
    return weights, guess


class _Scale:
    """Columns to mean 0 and spread 1, without those that do not vary."""

    def __init__(self, x: Array) -> None:
        self.mean, spread = x.mean(axis=0), x.std(axis=0)
        self.kept = spread > ROUNDING * np.sqrt(np.mean(x**2))
        self.spread = spread[self.kept]

    def __call__(self, x: Array) -> Array:
        if not self.kept.any():
            return np.zeros((len(x), 1))  # nothing left to read
        return (x - self.mean)[:, self.kept] / self.spread


def _fitted(kind: Kind, x: Array, teachers: _People, seed: int) -> Any:  # noqa: ANN401  scikit-learn has no types
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression
    from sklearn.neural_network import MLPClassifier

    reader = (
        LogisticRegression(max_iter=1_000)
        if kind == "linear"
        else MLPClassifier(
            (HIDDEN,),
            alpha=1e-2,
            learning_rate_init=3e-3,
            early_stopping=True,
            validation_fraction=0.15,
            n_iter_no_change=PATIENCE,
            max_iter=MOST_EPOCHS,
            random_state=seed,
        )
    )
    with warnings.catch_warnings():  # early stopping keeps the best epoch, also where all were needed
        warnings.simplefilter("ignore", ConvergenceWarning)
        return reader.fit(x, teachers.z, sample_weight=teachers.weights)


def _auc(judges: _People, chances: Array) -> float:
    from sklearn.metrics import roc_auc_score

    given = [
        roc_auc_score(judges.z == level, share, sample_weight=judges.weights)
        for level, share in zip(np.unique(judges.z), chances.T, strict=True)
    ]
    return float(np.mean(given))


def _interval(weights: Array, right: Array, persons: Array) -> tuple[float, float]:
    table = np.stack([weights, weights * right], axis=1)
    if len(np.unique(persons)) < len(persons):
        table = Counting(np.ones(len(persons)), persons).summed(table)
    draws = bootstrap_means(table)
    found = estimate_from_draws(0.0, draws[:, 1] / draws[:, 0], len(table))
    return found.low or 0.0, found.high or 0.0
