"""Learning from failure (Nam et al., NeurIPS 2020, arXiv 2007.02561, algorithm 1): a prejudiced network learns what is
easy by generalised cross-entropy, a second one counts most whom the first fails. It asks for no attribute.

    loss = GCE(f_B) + W CE(f_D),      W = CE(f_B) / (CE(f_B) + CE(f_D))
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fmd_core.models.classifier import Classifier
from fmd_core.unlearn.retraining.relative_difficulty import RelativeDifficulty, generalised_cross_entropy
from fmd_core.unlearn.retraining.trainer import Batch, Trainer

if TYPE_CHECKING:
    import torch


def train_lff(trainer: Trainer) -> dict[int, Classifier]:
    """The second network by epochs."""
    import torch

    biased, debiased = trainer.fresh(), trainer.fresh()
    difficulty = RelativeDifficulty(trainer.labels)

    def loss_of(batch: Batch) -> torch.Tensor:
        answers = biased(batch.inputs)
        easy = torch.nn.functional.cross_entropy(answers.detach(), batch.labels, reduction="none")
        hard = trainer.losses(debiased, batch)
        weights = difficulty.weights(batch.places, easy, hard)
        return generalised_cross_entropy(answers, batch.labels).mean() + (weights * hard).mean()

    return trainer.learn(
        torch.nn.ModuleList([biased, debiased]),
        loss_of,
        freeze=lambda epoch: trainer.frozen(debiased, f"LfF, {epoch} epochs"),
    )
