"""Dropping the training samples that hurt the worst group, then fitting the last layer again: the honest form of
"remove harmful samples" (D3M; Jain et al., NeurIPS 2024, arXiv 2406.16846, algorithm 1).

    A_i = sum_g softmax(beta l)_g I_i,g,    I_i,g = - grad l_g' (H + damping I)^-1 grad L_i / n

l_g is the mean loss of group g and I_i,g what sample i does to it, so that who has A_i > 0 hurts. The authors measure
l_g and I on held-out people whose groups are known and estimate I for whole networks by TRAK; here external people
are those, and I is that of the last layer, to first order. Validation people choose how many go.
"""

from __future__ import annotations

import numpy as np

from fmd_core.data import Array, FeatureSet
from fmd_core.errors import DataError
from fmd_core.heads.curvature import fit_curvature
from fmd_core.heads.protocol import Head
from fmd_core.influence.removal import refit_without
from fmd_core.models.classifier import Classifier
from fmd_core.models.encoding import extract_features
from fmd_core.unlearn.retraining.trainer import Trainer

SHARPNESS = 1.0  # beta; the larger, the more the worst group alone counts
SHARES = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2)
"""Of the training samples, that are left out; validation people choose."""


def train_without_hurtful(trainer: Trainer) -> dict[int, Classifier]:
    """The original under last layers fitted without the most hurtful samples, by how many went."""
    model, data = trainer.original, trainer.dataset
    train, external = (
        extract_features(model, data, split=split, store=trainer.store) for split in ("train", "external")
    )
    trainer.progress(0.3)
    levels = data.attribute(trainer.attribute).codes[external.rows]
    groups = external.labels * trainer.n_levels + levels
    hurt = harm_to_groups(model.head, train, external, groups, damping=model.damping)
    order, found = np.argsort(-hurt, kind="stable"), {}
    most = int((hurt > 0).sum())
    for place, share in enumerate(SHARES):
        trainer.progress(0.4 + 0.6 * place / len(SHARES))
        count = min(most, round(share * len(train)))
        if not count or count in found:
            continue
        try:
            found[count] = model.with_head(
                refit_without(model.head, train, order[:count], damping=model.damping)
            )
        except DataError:  # a class would be left without anybody
            break
    return found


def harm_to_groups(
    head: Head, train: FeatureSet, people: FeatureSet, groups: Array, *, damping: float
) -> Array:
    """A_i of each training sample, (n,): above 0, leaving it out lowers the loss of those who are served worst.

    `groups` (m,) is that of each of the `people` who are looked after.
    """
    numbers = np.unique(groups)
    weights, losses = np.zeros((len(numbers), len(people))), np.zeros(len(numbers))
    right = head.probabilities(people.features)[np.arange(len(people)), people.labels]
    for place, number in enumerate(numbers):
        weights[place] = (groups == number) / (groups == number).sum()
        losses[place] = -weights[place] @ np.log(np.maximum(right, 1e-12))
    attention = np.exp(SHARPNESS * (losses - losses.max()))
    gradient = head.loss_gradient(people.features, people.labels, attention / attention.sum() @ weights)
    curvature = fit_curvature(head, train, damping=damping)
    # leaving i out moves the head by + H^-1 grad L_i / n, and the loss by that times its gradient
    change: Array = head.gradient_products(train.features, train.labels, direction=curvature.solve(gradient))
    return -change / len(train)
