"""ReBias (Bahng et al., ICML 2020, arXiv 1910.02806, equation 6): features that tell nothing of what a network with a
small receptive field sees. It asks for no attribute, only that the bias is a matter of colour and texture.

    min_f  CE(f) + lambda max_g [ HSIC(f, g) - lambda_g CE(g) ]

HSIC is the unbiased estimator of Song et al. (JMLR 2012) with Gaussian kernels, as in the paper; their width is the
median distance of the batch, where the authors fix it. g sees 3 x 3 pixels.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fmd_core.data import AttributeDataset
from fmd_core.kinds import find_kind
from fmd_core.models.classifier import Classifier
from fmd_core.unlearn.retraining.trainer import Batch, Trainer

if TYPE_CHECKING:
    import torch
    from torch import nn

DEPENDENCE = 1.0  # lambda
TASK = 1.0  # lambda_g
FEWEST = 4  # people of whom dependence can be estimated


def why_not(classifier: Classifier, dataset: AttributeDataset, attribute: str) -> str:  # noqa: ARG001
    """Only pictures have patches."""
    if find_kind(classifier.kind).has_pictures:
        return ""
    return "ReBias holds the network against one that sees small patches only, and there are none but in pictures."


def train_rebias(trainer: Trainer) -> dict[int, Classifier]:
    """Networks by epochs."""
    import torch

    network, patches = trainer.fresh(), _patch_network(trainer.n_classes)

    def loss_of(batch: Batch) -> torch.Tensor:
        features, seen = network[0](batch.inputs), patches[0](batch.inputs)
        task = torch.nn.functional.cross_entropy(network[1](features), batch.labels)
        of_patches = torch.nn.functional.cross_entropy(patches[1](seen), batch.labels)
        if len(batch.places) < FEWEST:
            return task + TASK * of_patches
        alike = unbiased_hsic(features, seen.detach())
        unlike = unbiased_hsic(features.detach(), seen)  # the same number: g goes up where f goes down
        return task + DEPENDENCE * alike + DEPENDENCE * (TASK * of_patches - unlike)

    return trainer.learn(
        torch.nn.ModuleList([network, patches]),
        loss_of,
        freeze=lambda epoch: trainer.frozen(network, f"ReBias, {epoch} epochs"),
    )


def _patch_network(n_classes: int) -> nn.Sequential:
    """Features "0" that are means over patches of 3 x 3 pixels, and a last layer "1"."""
    from torch import nn

    layers: list[nn.Module] = []
    for inner, outer, size in ((3, 32, 3), (32, 64, 1)):
        layers += [nn.Conv2d(inner, outer, size, stride=size), nn.BatchNorm2d(outer), nn.ReLU()]
    features = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten())
    return nn.Sequential(features, nn.Linear(64, n_classes))


def unbiased_hsic(one: torch.Tensor, two: torch.Tensor) -> torch.Tensor:
    """How far features (m, d) and (m, e) of the same people depend on each other: 0 in the mean where they do not.

    1 / (m (m - 3)) [ tr(KL) + 1'K1 1'L1 / ((m - 1)(m - 2)) - 2 / (m - 2) 1'KL1 ],   diagonals 0,   m > 3
    """
    m = len(one)
    k, ell = _gaussian(one), _gaussian(two)
    trace = (k * ell).sum()
    both = k.sum() * ell.sum() / ((m - 1) * (m - 2))
    across = 2 / (m - 2) * (k.sum(dim=0) @ ell.sum(dim=0))
    return (trace + both - across) / (m * (m - 3))


def _gaussian(features: torch.Tensor) -> torch.Tensor:
    """Kernel (m, m) without its diagonal; its width is the median distance."""
    import torch

    squares = (features * features).sum(dim=1)
    distances = (squares[:, None] + squares[None] - 2 * features @ features.T).clamp(min=0)
    off = ~torch.eye(len(features), dtype=torch.bool)
    width = distances.detach()[off].median().clamp(min=1e-8)
    kernel: torch.Tensor = torch.exp(-distances / width) * off
    return kernel
