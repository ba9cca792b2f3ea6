"""What "biased" can mean: differentiable functions of the head that are 0 when it is not.

    counterfactual       B(theta) = mean over twins of | P(y | c) - P(y | c̄) |
    demographic parity   B(theta) = | mean P(k | x), usual level for k - the same, other levels |
    equal opportunity    the same among those whose true class is k
    predictive equality  the same among those whose true class is another: false alarms

All lie in [0, 1]. The first is Chen et al. (NeurIPS 2023, section 3), whose influence and unlearning
take any differentiable B; the others are the group gaps of Hardt et al. (2016) and, for false alarms, of
Corbett-Davies et al. (KDD 2017), on probabilities in place of decisions, so that they have a slope. With two
classes equal opportunity is about class 1 and predictive equality about class 0: each alone leaves the other's
people out. Auditing and unlearning know a bias by the protocol `BiasFunction` alone, influence by `Taught`,
which the loss of one group is as well (`fmd_core.measure.group_loss`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, Protocol, get_args

import numpy as np

from fmd_core.data import Array, AttributeDataset, FeatureSet
from fmd_core.errors import DataError
from fmd_core.figures import count
from fmd_core.heads.answering import Answering
from fmd_core.heads.protocol import Head
from fmd_core.heads.softmax import most_likely
from fmd_core.showing import one_line
from fmd_core.twins.pairs import CounterfactualPairs

Measure = Literal["counterfactual", "demographic parity", "equal opportunity", "predictive equality"]
MEASURES: tuple[Measure, ...] = get_args(Measure)
FairnessMeasure = Literal[Measure, "worst group"]
"""What training samples are asked about and a fix can aim at: a bias between twins or groups, or that one group is
served worst (`fmd_core.measure.worst_group`)."""
FAIRNESS_MEASURES: tuple[FairnessMeasure, ...] = get_args(FairnessMeasure)


class Taught(Protocol):
    """What a head with p parameters has learned that it should not have, measured on fixed people."""

    @property
    def attribute(self) -> str:
        """The protected attribute, or several by name."""

    @property
    def measure(self) -> FairnessMeasure: ...
    @property
    def plants(self) -> tuple[FeatureSet, ...]:
        """Samples that should teach it and samples that should speak against it, in turn."""

    def __len__(self) -> int:
        """Pairs or people behind it."""

    def value(self, head: Head) -> float:
        """How much of it; less is better."""

    def gradient(self, head: Head) -> Array:
        """Its slope, (p,), in the head's coordinates."""


class BiasFunction(Taught, Protocol):
    """A bias of a head with p parameters, measured on fixed people."""

    @property
    def parts(self) -> tuple[BiasFunction, ...]:
        """The biases that this one is the mean of: itself, or one for each attribute."""

    def __len__(self) -> int:
        """Pairs or people behind it."""

    def value(self, head: Answering) -> float:
        """B; 0 is unbiased."""

    def decided(self, head: Answering) -> float:
        """The same of decisions in place of probabilities, which B does not see: a head that is sure of
        nothing has a small B, whatever it answers."""

    def gradient(self, head: Head) -> Array:
        """Slope of B, (p,), in the head's coordinates. Where B has a kink it is taken as flat."""


def pair_differences(head: Answering, pairs: CounterfactualPairs) -> Array:
    """P(y | favoured side) - P(y | other side) of every pair, (m,), in [-1, 1]."""
    pick = np.arange(len(pairs)), pairs.labels
    return head.probabilities(pairs.favoured.features)[pick] - head.probabilities(pairs.other.features)[pick]


def predictions(head: Answering, features: Array) -> Array:
    """Most likely class of each sample, (n,)."""
    return most_likely(head.probabilities(features))


def pair_flips(head: Answering, pairs: CounterfactualPairs) -> Array:
    """Whether the answer differs between the two sides, (m,) bool."""
    return predictions(head, pairs.favoured.features) != predictions(head, pairs.other.features)


def distances_beside_placebo(
    head: Answering, pairs: CounterfactualPairs, placebo: CounterfactualPairs
) -> tuple[Array, Array, Array]:
    """Of those who have twins and placebo twins: row in the data set, and how far apart the answers to their twins lie
    and those to their placebo twins, (m,) each. So what matching costs is taken off by person."""
    rows, own, other = np.intersect1d(pairs.rows, placebo.rows, return_indices=True)
    distance, floor = (np.abs(pair_differences(head, some)) for some in (pairs, placebo))
    return rows, distance[own], floor[other]


def counterfactual_bias(head: Answering, pairs: CounterfactualPairs) -> float:
    """B in [0, 1]: 0 when changing only the attribute never changes the answer, 1 when it decides it.

    The mean over the m `pairs` of how far the probabilities of the true class lie apart between both twins.

    Examples
    --------
    >>> round(fmd.counterfactual_bias(model.head, twins["test"]), 2)
    0.64
    """
    return float(np.abs(pair_differences(head, pairs)).mean())


def counterfactual_bias_gradient(head: Head, pairs: CounterfactualPairs) -> Array:
    """Gradient of B, (p,), in the head's p coordinates (see `Head.moved`). At a pair without any difference the
    absolute value has no slope; such a pair adds nothing.

    Examples
    --------
    >>> slope = fmd.counterfactual_bias_gradient(model.head, twins["external"])
    >>> downhill = model.head.moved(-slope)
    >>> fmd.counterfactual_bias(downhill, twins["test"]) < fmd.counterfactual_bias(model.head, twins["test"])
    True
    """
    weights = np.sign(pair_differences(head, pairs)) / len(pairs)
    return head.probability_gradient(
        pairs.favoured.features, pairs.labels, weights
    ) - head.probability_gradient(pairs.other.features, pairs.labels, weights)


@dataclass(frozen=True, eq=False)
class CounterfactualBias:
    """B on twins; with `placebo` twins, who share the attribute, theirs is taken off (so it may be
    below 0): what matching alone costs is no bias."""

    pairs: CounterfactualPairs
    placebo: CounterfactualPairs | None = None
    measure: Measure = "counterfactual"

    @property
    def attribute(self) -> str:
        return self.pairs.attribute

    @property
    def parts(self) -> tuple[BiasFunction, ...]:
        return (self,)

    @property
    def plants(self) -> tuple[FeatureSet, ...]:
        return self.pairs.favoured, self.pairs.other

    def __len__(self) -> int:
        return len(self.pairs)

    def value(self, head: Answering) -> float:
        floor = 0.0 if self.placebo is None else counterfactual_bias(head, self.placebo)
        return counterfactual_bias(head, self.pairs) - floor

    def decided(self, head: Answering) -> float:
        floor = 0.0 if self.placebo is None else float(pair_flips(head, self.placebo).mean())
        return float(pair_flips(head, self.pairs).mean()) - floor

    def gradient(self, head: Head) -> Array:
        slope = counterfactual_bias_gradient(head, self.pairs)
        return slope if self.placebo is None else slope - counterfactual_bias_gradient(head, self.placebo)

    def __repr__(self) -> str:
        less = "" if self.placebo is None else f"less {count(len(self.placebo))} placebo pairs"
        return one_line(self, self.attribute, f"{count(len(self))} {self.pairs.method} pairs", less)


@dataclass(frozen=True, eq=False)
class GroupGap:
    """The gap between two groups in the mean probability of an answer.

    With two classes the answer is class 1 and the groups are the level that is usual for it
    against the others. With more, every class is an answer once and people are pooled, as in
    `fmd_core.measure.group_metrics`.
    """

    attribute: str
    measure: Measure
    features: FeatureSet
    privileged: Array
    """(n, K) bool: whether the person shows the level that is usual for the class."""

    def __post_init__(self) -> None:
        n_usual, n_others = (int(side.sum()) for side in self.sides)
        if not n_usual or not n_others:
            missing = "with" if not n_usual else "against"
            raise DataError(
                f"The {self.measure} gap by '{self.attribute}' needs two groups, but nobody here goes {missing} the "
                "pattern; choose another measure or attribute."
            )

    @classmethod
    def of(
        cls, dataset: AttributeDataset, features: FeatureSet, attribute: str, measure: Measure
    ) -> GroupGap:
        """The gap among the people in `features`."""
        codes = dataset.attribute(attribute).codes[features.rows]
        return cls(attribute, measure, features, codes[:, None] == dataset.usual_level(attribute))

    @property
    def parts(self) -> tuple[BiasFunction, ...]:
        return (self,)

    @property
    def plants(self) -> tuple[FeatureSet, ...]:
        usual = self.privileged[np.arange(len(self)), self.features.labels]
        return self.features.subset(usual), self.features.subset(~usual)

    def __len__(self) -> int:
        return len(self.features)

    @cached_property
    def sides(self) -> tuple[Array, Array]:
        """Which answers of which people count, (n, K) bool: of the usual and of the other levels."""
        n_classes = self.privileged.shape[1]
        counted = np.ones_like(self.privileged, dtype=bool)
        if n_classes == 2:
            counted[:, 0] = False
        is_true = self.features.labels[:, None] == np.arange(n_classes)
        if self.measure == "equal opportunity":
            counted &= is_true
        elif self.measure == "predictive equality":
            counted &= ~is_true
        return counted & self.privileged, counted & ~self.privileged

    @cached_property
    def n_counted(self) -> int:
        """People who count on either side: with two classes those of class 1 alone for equal opportunity, those of
        class 0 for predictive equality."""
        usual, others = self.sides
        return int((usual | others).any(axis=1).sum())

    @cached_property
    def coefficients(self) -> Array:
        """(n, K): the gap is the sum of these times P(class | x)."""
        usual, others = self.sides
        return usual / usual.sum() - others / others.sum()

    def signed(self, head: Answering) -> float:
        """The gap with its sign: above 0 the usual level gets the answer more often."""
        return float((self.coefficients * head.probabilities(self.features.features)).sum())

    def value(self, head: Answering) -> float:
        return abs(self.signed(head))

    def decided(self, head: Answering) -> float:
        answers = np.eye(self.privileged.shape[1])[predictions(head, self.features.features)]
        return abs(float((self.coefficients * answers).sum()))

    def gradient(self, head: Head) -> Array:
        slope, used = np.zeros(head.n_parameters), np.flatnonzero(self.coefficients.any(axis=0))
        for answer in used:
            labels = np.full(len(self), answer)
            slope += head.probability_gradient(self.features.features, labels, self.coefficients[:, answer])
        return np.sign(self.signed(head)) * slope

    def __repr__(self) -> str:
        return one_line(self, f"{self.measure} by {self.attribute}", f"{count(len(self))} people")


@dataclass(frozen=True, eq=False)
class JointBias:
    """The mean of several biases, to be taken out at once."""

    parts: tuple[BiasFunction, ...]

    def __post_init__(self) -> None:
        if len({part.attribute for part in self.parts}) < len(self.parts) or not self.parts:
            names = ", ".join(part.attribute for part in self.parts) or "none"
            raise DataError(f"Joint unlearning needs one or more different attributes, got: {names}.")

    @property
    def attribute(self) -> str:
        return " and ".join(part.attribute for part in self.parts)

    @property
    def measure(self) -> FairnessMeasure:
        return self.parts[0].measure

    @property
    def plants(self) -> tuple[FeatureSet, ...]:
        return tuple(side for part in self.parts for side in part.plants)

    def __len__(self) -> int:
        return sum(len(part) for part in self.parts)

    def value(self, head: Answering) -> float:
        return float(np.mean([part.value(head) for part in self.parts]))

    def decided(self, head: Answering) -> float:
        return float(np.mean([part.decided(head) for part in self.parts]))

    def gradient(self, head: Head) -> Array:
        slopes: Array = np.mean([part.gradient(head) for part in self.parts], axis=0)
        return slopes

    def __repr__(self) -> str:
        return one_line(
            self, f"mean over {self.attribute}", self.measure, f"{count(len(self))} pairs or people"
        )


def joint(parts: Sequence[BiasFunction]) -> BiasFunction:
    """One bias as it is, several as their mean."""
    return parts[0] if len(parts) == 1 else JointBias(tuple(parts))
