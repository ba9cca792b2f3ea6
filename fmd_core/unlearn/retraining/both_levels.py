"""Training with every level shown: each of the people is seen twice in a step, with two levels drawn anew, so that the
attribute tells nothing (counterfactual data augmentation, Kaushik et al., ICLR 2020, arXiv 1909.12434).

    loss = CE(f(x_a), y) + CE(f(x_b), y),      a, b fresh random levels
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fmd_core.data import AttributeDataset
from fmd_core.models.classifier import Classifier
from fmd_core.unlearn.deeper.settings import why_only_groups
from fmd_core.unlearn.retraining.trainer import Batch, Trainer

if TYPE_CHECKING:
    import torch


def why_not(classifier: Classifier, dataset: AttributeDataset, attribute: str) -> str:  # noqa: ARG001
    """Where nobody can be shown with another level."""
    why = why_only_groups(dataset, attribute)
    return f"Nobody here can be shown with another {attribute}: {why}." if why else ""


def train_both_levels(trainer: Trainer) -> dict[int, Classifier]:
    """Networks by epochs."""
    import torch

    network = trainer.fresh()

    def loss_of(batch: Batch) -> torch.Tensor:
        people = len(batch.places)
        shown = [
            trainer.with_level(batch.places, trainer.rng.integers(trainer.n_levels, size=people))
            for _ in range(2)
        ]
        answers = network(torch.cat(shown))
        return 2 * torch.nn.functional.cross_entropy(answers, torch.cat([batch.labels, batch.labels]))

    return trainer.learn(
        network,
        loss_of,
        freeze=lambda epoch: trainer.frozen(network, f"every level shown, {epoch} epochs"),
    )
