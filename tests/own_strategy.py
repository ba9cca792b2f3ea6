"""A strategy and a baseline as somebody outside would write them: one value each, and nothing else."""

import numpy as np

from fmd_core import Baseline, LinearHead, Mover, Strategy
from fmd_core.unlearn.baselines import Fitted


def project_out(head, inputs, _k):
    """Take from the weights what the pairs differ in most, by a share."""
    differences = np.concatenate(
        [part.pairs.favoured.features - part.pairs.other.features for part in inputs.bias.parts]
    )
    directions = np.linalg.svd(differences.astype("float64"), full_matrices=False)[2][:2]

    def move(share, _start):
        if share == 0:
            return head
        return LinearHead(head.weight - share * head.weight @ directions.T @ directions, head.bias)

    return Mover(move)


STRATEGY = Strategy(
    name="project-out",
    title="Project out what twins differ in",
    note="Takes from the last layer what tells twins apart.",
    prepare=project_out,
    strengths=(0.25, 0.5, 1.0),
    needs=frozenset({"pairs"}),
    strength_name="share",
    formula=r"W(I-\rho VV^{\top})",
    formula_words="Projecting out:",
)
BASELINE = Baseline(
    name="always the most common",
    title="Always the most common class of {n}",
    note="Answers with the most common class of the training samples.",
    fit=lambda given: Fitted({_constant(given): "no setting"}, len(given.train)),
    published="most common class",
)


def _constant(given):
    counts = np.bincount(given.train.labels, minlength=given.head.n_classes)
    return LinearHead(np.zeros_like(given.head.weight), np.log(counts))
