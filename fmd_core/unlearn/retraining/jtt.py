"""Just train twice (Liu et al., ICML 2021, arXiv 2107.09044): a network that is trained briefly says by its mistakes
who is rare; a second one sees those more often. It asks for no attribute.

The authors tune epochs of the first network and the weight by the worst group; here neither is tuned.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fmd_core.data import Array
from fmd_core.models.classifier import Classifier
from fmd_core.unlearn.retraining.trainer import Trainer

if TYPE_CHECKING:
    from torch import nn

BRIEF = 0.25  # of the epochs, at least one: the first network
WEIGHT = 20.0  # lambda_up, how much more often its mistakes are drawn; the authors try 5, 20, 50, 100


def train_jtt(trainer: Trainer) -> dict[int, Classifier]:
    """Networks by epochs of the second training."""
    brief = max(1, round(BRIEF * trainer.epochs))
    share = brief / (brief + trainer.epochs)
    first, second = trainer.fresh(), trainer.fresh()
    trainer.learn(first, lambda batch: trainer.losses(first, batch).mean(), epochs=brief, part=(0.0, share))
    weights = np.where(_mistaken(trainer, first), WEIGHT, 1.0)
    return trainer.learn(
        second,
        lambda batch: trainer.losses(second, batch).mean(),
        drawn=weights / weights.sum(),
        part=(share, 1.0),
        freeze=lambda epoch: trainer.frozen(second, f"JTT, {epoch} epochs"),
    )


def _mistaken(trainer: Trainer, network: nn.Module) -> Array:
    """Who is answered wrong, (n,) bool."""
    import torch

    network.eval()
    wrong = np.zeros(len(trainer.rows), dtype=bool)
    with torch.inference_mode():
        for places, inputs in trainer.everybody():
            wrong[places] = network(inputs).argmax(dim=1).numpy() != trainer.labels[places]
    return wrong
