"""Asks a classifier about held-out people and their twins; of a small table everybody, by models that
never saw them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import permutations
from typing import TYPE_CHECKING

import numpy as np

from fmd_core.data import Array, AttributeDataset, Column, FeatureSet
from fmd_core.datasets.own.people import keep_together
from fmd_core.datasets.table_checks import giveaways
from fmd_core.datasets.table_encoding import TableSource
from fmd_core.errors import DataError, NoTwinsError
from fmd_core.measure.bias_functions import predictions
from fmd_core.measure.verdict.answered import Answered
from fmd_core.measure.verdict.twins import TwinAnswers
from fmd_core.models.classifier import Classifier
from fmd_core.models.encoding import extract_features
from fmd_core.twins.pairs import CounterfactualPairs, pair_counterfactuals, placebo_pairs

if TYPE_CHECKING:
    from fmd_core.models.feature_store import FeatureStore

FOLDS = 5
SMALL_TEST = 1_000  # test people: of fewer, a table is cross-fitted
TELLS = 0.2  # of the rows in which another column tells an attribute: twins show too little
_VALIDATION = 0.1

Asked = tuple[Answered, tuple[TwinAnswers, ...]]


def ask(
    classifier: Classifier,
    dataset: AttributeDataset,
    *,
    weights: Array | None = None,
    persons: Array | None = None,
    skip: Sequence[str] = (),
    store: FeatureStore | None = None,
) -> Asked:
    """What a classifier answers to the test people, and to their twins by every attribute but those to `skip`."""
    people = extract_features(classifier, dataset, split="test", store=store)
    answered = Answered(
        people.rows, people.labels, predictions(classifier.head, people.features), weights, persons
    )
    told = told_twice(dataset)
    found = []
    for attribute in dataset.attributes:
        if attribute not in skip and len(dataset.attribute(attribute).levels) > 1:
            twins = _twins(classifier, dataset, attribute, people, store)
            if twins:
                found.append(TwinAnswers.of(classifier.head, *twins, is_kept=attribute in told))
    return answered, tuple(found)


def _twins(
    classifier: Classifier,
    dataset: AttributeDataset,
    attribute: str,
    people: FeatureSet,
    store: FeatureStore | None,
) -> tuple[CounterfactualPairs, CounterfactualPairs | None] | None:
    """Pairs and, of matched twins, the placebo; None where nobody has a twin."""
    try:
        pairs = pair_counterfactuals(
            dataset, classifier, split="test", attribute=attribute, features=people, store=store
        )
        matched = dataset.pair_method == "matched"
        return pairs, placebo_pairs(dataset, people, attribute, classifier.head) if matched else None
    except NoTwinsError:
        return None


def told_twice(dataset: AttributeDataset) -> set[str]:
    """Attributes that another column, which a twin keeps, tells in most rows."""
    if not isinstance(dataset.source, TableSource):
        return set()
    told = {giveaway.attribute for giveaway in giveaways(dataset) if giveaway.coverage >= TELLS}
    places = {column.name: place for place, column in enumerate(dataset.source.columns) if column.input_names}
    for one, other in permutations([name for name in dataset.attributes if name in places], 2):
        kept = places[other] not in dataset.source.changes[one].places
        if kept and _tells(dataset.attribute(other), dataset.attribute(one)):
            told.add(one)  # age and its band
    return told


def _tells(column: Column, attribute: Column) -> bool:
    """Whether guessing an attribute by another one is wrong at most half as often as without."""
    cells = np.zeros((len(column.levels), len(attribute.levels)))
    np.add.at(cells, (column.codes, attribute.codes), 1)
    blind = cells.sum(axis=0).max()
    return bool(cells.sum() - cells.max(axis=1).sum() <= (cells.sum() - blind) / 2)


def fold_splits(dataset: AttributeDataset, seed: int, persons: Array | None = None) -> list[Array]:
    """A split (n,) for each fold, in which it is the test, with the same mix of classes; all rows of a
    person lie in one fold."""
    from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

    labels, rows = dataset.target.codes, np.zeros(len(dataset))
    if persons is None:
        parts = StratifiedKFold(FOLDS, shuffle=True, random_state=seed).split(rows, labels)
    else:
        parts = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=seed).split(rows, labels, persons)
    splits = []
    rng = np.random.default_rng(seed)
    for others, test in parts:
        split = np.full(len(dataset), "train", "<U10")
        split[test] = "test"
        held = rng.permutation(others)[: max(2, round(_VALIDATION * len(others)))]
        split[held] = "validation"
        splits.append(split)
    return splits


def ask_cross_fitted(
    train: Callable[[AttributeDataset], Classifier],
    dataset: AttributeDataset,
    *,
    seed: int = 0,
    weights: Array | None = None,
    persons: Array | None = None,
    skip: Sequence[str] = (),
) -> tuple[Answered, tuple[TwinAnswers, ...], Classifier]:
    """Answers to everybody, each by the one of five models that did not see them; and the first model."""
    if dataset.pair_method == "matched":
        raise DataError("Only tables can be cross-fitted: pictures take too long to learn from five times.")
    answered, twins, models = [], [], []
    for split in fold_splits(dataset, seed, persons):
        part = replace(dataset, split=split)
        model = train(part)
        people, theirs = ask(model, part, weights=weights, persons=persons, skip=skip)
        answered.append(people)
        twins.append(theirs)
        models.append(model)
    together = [
        TwinAnswers.joined([t for fold in twins for t in fold if t.attribute == name])
        for name in dataset.attributes
        if any(t.attribute == name for fold in twins for t in fold)
    ]
    return Answered.joined(answered), tuple(together), models[0]


def parts_by_person(dataset: AttributeDataset, persons: Array, seed: int) -> AttributeDataset:
    """The data set with its parts drawn again, in the same sizes, so that nobody is in two."""
    return replace(dataset, split=keep_together(dataset.split, persons, seed))
