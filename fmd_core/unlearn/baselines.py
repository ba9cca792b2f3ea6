"""What unlearning is measured against: what a baseline is, and the list of all that there are.

To add one, write it in a module of its own, `register_baseline` it there, and name that module in
BASELINE_MODULES. Here are the parts that they are made of: a last layer fitted afresh to the same pairs,
and, for the published comparison, answers that are averaged over every value of the attribute.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

import numpy as np

from fmd_core.data import Array, AttributeDataset, FeatureSet, group_codes, ignore_progress
from fmd_core.errors import DataError, SolverError
from fmd_core.heads.fitting import ConvexProblem, fit_head
from fmd_core.heads.linear import LinearHead
from fmd_core.heads.protocol import Head
from fmd_core.influence.scores import InfluenceScores
from fmd_core.measure.bias_functions import predictions
from fmd_core.method import Need
from fmd_core.models.classifier import Classifier
from fmd_core.models.encoding import encode_rows
from fmd_core.showing import one_line
from fmd_core.twins.pairs import CounterfactualPairs
from fmd_core.unlearn.objective import balanced_weights

if TYPE_CHECKING:
    from fmd_core.models.feature_store import FeatureStore

DAMPINGS = (1e-2, 1e-3, 1e-4, 1e-5)
"""What a refit is tried with; validation people choose."""
BASELINE_MODULES = ("fmd_core.unlearn.rivals",)
"""Where ours are registered, imported when somebody first looks one up."""


@dataclass(frozen=True, eq=False)
class BaselineInputs:
    """What a baseline is fitted with. Validation people are no part of it: they choose."""

    head: Head
    train: FeatureSet
    pairs: Sequence[CounterfactualPairs]  # on external people, by each attribute
    k: int  # training samples to leave out, where it leaves any out
    damping: float
    scores: InfluenceScores | None = None


@dataclass(frozen=True, eq=False)
class Fitted:
    """What a baseline offers."""

    heads: Mapping[Head, str]
    """Each with its setting in words; of several, validation people choose."""
    n: int
    """Training samples left out, or pairs fitted to."""


@dataclass(frozen=True, kw_only=True)
class Baseline:
    """A simpler fix that a variant is held against on the same people."""

    name: str
    """As reports keep it."""
    title: str
    """On screens and in reports; {n} stands for the number of samples or pairs."""
    note: str
    """What it does, in a sentence."""
    fit: Callable[[BaselineInputs], Fitted]
    needs: frozenset[Need] = frozenset()
    """Of its inputs: "scores", "pairs"."""
    published: str = ""
    """Its name in the published comparison; one without stays out of it."""

    def __repr__(self) -> str:
        return one_line(self, self.name, self.title)

    def fitted(self, inputs: BaselineInputs) -> Fitted:
        """What it offers. Raises DataError where an input that it needs is missing."""
        if "scores" in self.needs and inputs.scores is None:
            raise DataError(
                f"'{self.name}' needs the training samples' influence on the bias (scores); give it."
            )
        if "pairs" in self.needs and not inputs.pairs:
            raise DataError(f"'{self.name}' needs twins of external people (pairs); give them.")
        return self.fit(inputs)


_known: dict[str, Baseline] = {}


def register_baseline(baseline: Baseline) -> None:
    """Put a baseline on the list. Raises DataError for a name that is taken."""
    if _known.get(baseline.name, baseline) != baseline:
        raise DataError(f"There is a baseline '{baseline.name}' already; choose another name.")
    _known[baseline.name] = baseline


def unregister_baseline(name: str) -> None:
    """Take a baseline off the list, for a program that goes on without it."""
    _known.pop(find_baseline(name).name)


def baselines() -> tuple[Baseline, ...]:
    """Every baseline, in the order in which they are shown."""
    for module in BASELINE_MODULES:
        import_module(module)
    return tuple(_known.values())


def find_baseline(name: str) -> Baseline:
    """The baseline of that name. Raises DataError, with the names there are."""
    every = {each.name: each for each in baselines()}
    if name not in every:
        raise DataError(f"Unknown baseline '{name}'. Choose one of: {', '.join(every)}.")
    return every[name]


def refit_on_pairs(head: Head, pairs: Sequence[CounterfactualPairs], *, damping: float) -> Head:
    """Deep feature reweighting: the last layer fitted afresh to both sides of the pairs, every group of class
    and attribute level counting equally (Kirichenko et al., ICLR 2023, arXiv 2204.02937); of several
    attributes each counts the same.

    Of the last layer only the shape is used. Raises SolverError when `damping` is too small for the features.
    """
    parts = []
    for p in pairs:
        truth, levels = np.tile(p.labels, 2), np.concatenate([p.favoured_codes, p.other_codes])
        both = np.concatenate([p.favoured.features, p.other.features])
        parts.append((both, truth, balanced_weights(group_codes(truth, levels)) / len(pairs)))
    features, labels, weights = (np.concatenate(part) for part in zip(*parts, strict=True))
    blank = LinearHead(np.zeros_like(head.last.weight), np.zeros_like(head.last.bias))
    return head.with_last(fit_head(blank, ConvexProblem(head.hidden(features), labels, weights, damping)))


def most_even(heads: Sequence[Head], people: FeatureSet, groups: Array) -> Head:
    """The head with the best accuracy when every group counts equally; `groups` (n,) is that of each
    of the `people`. Not the worst group's accuracy: in the smallest one that is a handful of people."""
    weights = balanced_weights(groups)
    return max(heads, key=lambda head: weights @ (predictions(head, people.features) == people.labels))


def refits_on_pairs(head: Head, pairs: Sequence[CounterfactualPairs]) -> Iterator[tuple[Head, float]]:
    """`refit_on_pairs` at every one of DAMPINGS that can be solved."""
    for damping in DAMPINGS:
        try:
            yield refit_on_pairs(head, pairs, damping=damping), damping
        except SolverError:  # too small for these features; the largest always has an answer
            if damping == DAMPINGS[0]:
                raise


def averaged_answers(
    classifier: Classifier,
    dataset: AttributeDataset,
    rows: Array,
    attribute: str,
    *,
    store: FeatureStore | None = None,
    progress: Callable[[float], None] = ignore_progress,
) -> Array:
    """Most likely class of `rows` when P(class) is averaged over every level of `attribute`, (n,).

    Both twins of a pair get the same average, so B is 0 by construction: no fix of the head can do
    better. Raises DataError where the data set cannot change the attribute.
    """
    n_levels = len(dataset.attribute(attribute).levels)
    total = np.zeros((len(rows), classifier.head.n_classes))
    for level in range(n_levels):
        progress(level / n_levels)
        codes = np.full(len(rows), level)
        features = encode_rows(classifier, dataset, rows, attribute=attribute, codes=codes, store=store)
        total += classifier.head.probabilities(features)
    return np.argmax(total, axis=1)


@dataclass(frozen=True)
class GroupAccuracy:
    """Accuracy of the people of one class who show one attribute level."""

    label: int
    level: int
    accuracy: float
    people: int


def worst_group(right: Array, labels: Array, levels: Array, *, least: int) -> GroupAccuracy | None:
    """The group of class and attribute level with the lowest accuracy, of those with at least `least`
    people; None when there is no such group. `right` (n,) says whose answer is right."""
    found = []
    for label, level in sorted(set(zip(labels.tolist(), levels.tolist(), strict=True))):
        inside = (labels == label) & (levels == level)
        if (n := int(inside.sum())) >= least:
            found.append(GroupAccuracy(label, level, float(right[inside].mean()), n))
    return min(found, key=lambda group: group.accuracy, default=None)
