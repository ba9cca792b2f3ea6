"""Learning debiased representation (Lee et al., NeurIPS 2021, arXiv 2107.01372, algorithm 1; "LDR" in the paper of
FMD): two encoders, one for what a thing is and one for what goes with it; from a fifth of the training on, what goes
with a thing is swapped between people. It asks for no attribute.

    z = [z_i | z_b],   z_swap = [z_i | z_b of somebody else, labelled y~]
    L_dis  = W CE(C_i(z), y)      + 10 GCE(C_b(z), y)
    L_swap = W CE(C_i(z_swap), y) + 10 GCE(C_b(z_swap), y~),      loss = L_dis + L_swap

W as in learning from failure. Each head's loss reaches its own encoder alone.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from fmd_core.data import AttributeDataset, frozen_array
from fmd_core.models.architectures import TWICE
from fmd_core.models.classifier import Classifier
from fmd_core.unlearn.retraining.relative_difficulty import RelativeDifficulty, generalised_cross_entropy
from fmd_core.unlearn.retraining.trainer import Batch, Trainer

if TYPE_CHECKING:
    import torch
    from torch import nn

ALIGNED = 10.0  # lambda of the prejudiced encoder's losses, the authors'
SWAPPED_FROM = 0.2  # of the training, the authors' share on coloured digits


def why_not(classifier: Classifier, dataset: AttributeDataset, attribute: str) -> str:  # noqa: ARG001
    """Two encoders under one head are written down as a network of our list twice."""
    if classifier.own_encoder is None and not classifier.architecture.endswith(TWICE):
        return ""
    return (
        "LDR puts two networks under one last layer, which can be kept only of one network of our own list."
    )


def train_ldr(trainer: Trainer) -> dict[int, Classifier]:
    """Both encoders under the head of what a thing is, by epochs."""
    import torch

    intrinsic, aligned = trainer.fresh()[0], trainer.fresh()[0]
    heads = [torch.nn.Linear(2 * trainer.original.head.n_features, trainer.n_classes) for _ in range(2)]
    own, others = heads
    difficulty = RelativeDifficulty(trainer.labels)
    generator = torch.Generator().manual_seed(trainer.seed)
    entropy = partial(torch.nn.functional.cross_entropy, reduction="none")

    def answers(one: torch.Tensor, two: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return own(torch.cat([one, two.detach()], dim=1)), others(torch.cat([one.detach(), two], dim=1))

    def loss_of(batch: Batch) -> torch.Tensor:
        one, two, labels = intrinsic(batch.inputs), aligned(batch.inputs), batch.labels
        what, with_it = answers(one, two)
        hard = entropy(what, labels)
        weights = difficulty.weights(batch.places, entropy(with_it.detach(), labels), hard)
        total = (weights * hard).mean() + ALIGNED * generalised_cross_entropy(with_it, labels).mean()
        if batch.share < SWAPPED_FROM:
            return total
        order = torch.randperm(len(labels), generator=generator)
        what, with_it = answers(one, two[order])
        swapped = generalised_cross_entropy(with_it, labels[order]).mean()
        return total + (weights * entropy(what, labels)).mean() + ALIGNED * swapped

    return trainer.learn(
        torch.nn.ModuleList([intrinsic, aligned, *heads]),
        loss_of,
        freeze=lambda epoch: _frozen(trainer, intrinsic, aligned, own, epoch),
    )


def _frozen(
    trainer: Trainer, intrinsic: nn.Module, aligned: nn.Module, head: nn.Module, epoch: int
) -> Classifier:
    """Both encoders side by side, as a network of our list twice."""
    original = trainer.original
    state = {
        f"{place}.{name}": frozen_array(tensor.detach().numpy().copy())
        for place, encoder in (("original", intrinsic), ("repaired", aligned))
        for name, tensor in encoder.state_dict().items()
    }
    both = replace(original, architecture=f"{original.architecture}{TWICE}", encoder_state=state)
    return trainer.scaled(both, head, f"LDR, {epoch} epochs")
