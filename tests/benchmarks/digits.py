"""The problem on which scores are held against refits: Coloured MNIST, or the bundled digits when it is to be quick."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from fmd_core import (
    CounterfactualBias,
    CounterfactualPairs,
    FeatureSet,
    LinearHead,
    extract_features,
    load_dataset,
    load_demo_classifier,
    pair_counterfactuals,
)
from fmd_core.influence.removal import refit_without
from fmd_core.models.feature_store import FeatureStore
from fmd_core.reproduction.trained_models import Study, train_or_reuse

STUDY = Study("colored_mnist?aligned=0.98", "small_cnn", 3)  # as in docs/results.md
SAMPLES = 10_000
WIDTH = 16


@dataclass(frozen=True, eq=False)
class Problem:
    """A head fitted to convergence on `train`, and the pairs whose bias is asked about."""

    name: str
    head: LinearHead
    train: FeatureSet
    pairs: CounterfactualPairs
    damping: float

    @property
    def bias(self) -> CounterfactualBias:
        return CounterfactualBias(self.pairs)

    def small(self) -> Problem:
        """A few rows and features of it, on which libraries load all that they load late."""
        cut = {"favoured": narrow(self.pairs.favoured), "other": narrow(self.pairs.other)}
        head = LinearHead(self.head.weight[:, :WIDTH], self.head.bias)
        return replace(
            self,
            head=head,
            train=narrow(self.train).subset(slice(0, 200)),
            pairs=replace(self.pairs, **cut).subset(slice(0, 20)),
        )

    def precise(self) -> Problem:
        """The same in float64: leaving out one sample moves B by less than float32 can tell."""
        sides = (in_float64(self.pairs.favoured), in_float64(self.pairs.other))
        pairs = replace(self.pairs, favoured=sides[0], other=sides[1])
        return replace(self, train=in_float64(self.train), pairs=pairs)


def narrow(people: FeatureSet) -> FeatureSet:
    """Their first features."""
    return replace(people, features=people.features[:, :WIDTH])


def in_float64(people: FeatureSet) -> FeatureSet:
    """The same features with more digits."""
    return replace(people, features=people.features.astype("float64"))


def load(*, quick: bool) -> Problem:
    """The problem; raises DataError where MNIST is not on this machine."""
    if quick:
        dataset, classifier = load_dataset("colored_digits"), load_demo_classifier("colored_digits")
        store, name = None, "the bundled coloured digits"
    else:
        dataset, store = load_dataset(STUDY.reference), FeatureStore()
        classifier, name = train_or_reuse(STUDY, dataset, 0).classifier, "Coloured MNIST, 98 % aligned"
    train = extract_features(classifier, dataset, split="train", store=store)
    if len(train) > SAMPLES:
        drawn = np.random.default_rng(0).choice(len(train), SAMPLES, replace=False)
        train = train.subset(np.sort(drawn))
    pairs = pair_counterfactuals(dataset, classifier, split="external", attribute="colour", store=store)
    head = refit_without(classifier.head, train, [], damping=classifier.damping)
    return Problem(
        f"{name}, {len(train):,} x {head.n_features}, {head.n_classes} classes",
        head,
        train,
        pairs,
        classifier.damping,
    )
