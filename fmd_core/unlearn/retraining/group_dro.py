"""Group distributionally robust optimisation (Sagawa et al., ICLR 2020, arXiv 1911.08731, algorithm 1).

    q_g  <-  q_g exp(eta l_g) / sum,      loss = sum_g q_g l_g

l_g is the mean loss of group g in the batch, groups are class and attribute level and are drawn alike often, as in
the authors' code. Theirs adds strong weight decay and early stopping; here validation people choose the epoch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fmd_core.models.classifier import Classifier
from fmd_core.unlearn.deeper.objectives import group_weights
from fmd_core.unlearn.retraining.trainer import Batch, Trainer

if TYPE_CHECKING:
    import torch

STEP = 0.01  # eta, the authors' for CelebA


def train_group_dro(trainer: Trainer) -> dict[int, Classifier]:
    """Networks by epochs."""
    import torch

    network = trainer.fresh()
    shares = torch.full((trainer.n_groups,), 1 / trainer.n_groups)

    def loss_of(batch: Batch) -> torch.Tensor:
        each = trainer.losses(network, batch)
        people = torch.bincount(batch.groups, minlength=trainer.n_groups)
        sums = torch.zeros(trainer.n_groups).index_add(0, batch.groups, each)
        means = sums / people.clamp(min=1)
        shares.mul_(torch.exp(STEP * means.detach()))
        shares.div_(shares.sum())
        return shares @ means

    return trainer.learn(
        network,
        loss_of,
        drawn=group_weights(trainer.groups, 1.0),
        freeze=lambda epoch: trainer.frozen(network, f"GroupDRO, {epoch} epochs"),
    )
