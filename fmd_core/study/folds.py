"""A small table shared out five times, so that everybody is judged by a model that never saw them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from fmd_core.data import Array, AttributeDataset
from fmd_core.models.classifier import Classifier
from fmd_core.models.training import TrainingStep, trained_again
from fmd_core.study.steps import Progress, in_turn

FOLDS = 5
SMALL_TEST = 1_000  # test people: of fewer, a table is cross-fitted
_VALIDATION = 0.1


def is_small(data: AttributeDataset) -> bool:
    """Whether a table whose parts were drawn has so few test people that everybody should judge."""
    drawn = data.parts_are_drawn and data.source.kind == "table"
    return drawn and len(data.rows("test")) < SMALL_TEST


def can_train_again(model: Classifier, data: AttributeDataset) -> bool:
    """Whether a model was trained here on these data, in a way that is known."""
    return model.recipe is not None and model.trained_on == data.fingerprint


def shared_out(data: AttributeDataset, seed: int) -> list[AttributeDataset]:
    """The data once for each fold, which is the test, with the same mix of classes; all rows of a person lie in
    one fold."""
    from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

    labels, rows, persons = data.target.codes, np.zeros(len(data)), data.persons
    if persons is None:
        parts = StratifiedKFold(FOLDS, shuffle=True, random_state=seed).split(rows, labels)
    else:
        parts = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=seed).split(rows, labels, persons)
    folds, rng = [], np.random.default_rng(seed)
    for others, test in parts:
        split = np.full(len(data), "train", "<U10")
        split[test] = "test"
        split[rng.permutation(others)[: max(2, round(_VALIDATION * len(others)))]] = "validation"
        folds.append(replace(data, split=split))
    return folds


def fold_models(
    model: Classifier, data: AttributeDataset, progress: Progress
) -> tuple[tuple[Array, Classifier], ...]:
    """For each fold its split (n,) and a model trained on its training part as `model` was on its own. `progress`
    may raise to stop."""
    assert model.recipe is not None
    found: list[tuple[Array, Classifier]] = []

    def train(fold: AttributeDataset, tell: Progress) -> None:
        def told(step: TrainingStep) -> None:
            tell(step.share)

        found.append((fold.split, trained_again(model, fold, told)))

    folds = shared_out(data, model.recipe.seed)
    in_turn([lambda tell, fold=fold: train(fold, tell) for fold in folds], progress)  # type: ignore[misc]
    return tuple(found)
