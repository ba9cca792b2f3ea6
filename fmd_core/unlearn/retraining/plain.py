"""Training as the original had it, once more: what the additional people alone are worth."""

from __future__ import annotations

from fmd_core.models.classifier import Classifier
from fmd_core.unlearn.retraining.trainer import Trainer


def train_plain(trainer: Trainer) -> dict[int, Classifier]:
    """Empirical risk: the mean cross-entropy, everybody counted alike. Networks by epochs."""
    network = trainer.fresh()
    return trainer.learn(
        network,
        lambda batch: trainer.losses(network, batch).mean(),
        freeze=lambda epoch: trainer.frozen(network, f"trained again, {epoch} epochs"),
    )
