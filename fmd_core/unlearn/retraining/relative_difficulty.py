"""What learning from failure and its successors share: how much harder each person is for the network that learns
without prejudice than for the prejudiced one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fmd_core.data import Array

if TYPE_CHECKING:
    import torch

AMPLIFIED = 0.7  # q of the generalised cross-entropy
MEMORY = 0.7  # of the running mean of each person's loss


def generalised_cross_entropy(answers: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """(1 - p_y^q) / q of each person, (m,): the surer an answer, the more is learned from it, so that what is easy is
    learned and the rest is not (Zhang and Sabuncu, NeurIPS 2018)."""
    right = answers.softmax(dim=1).gather(1, labels[:, None])[:, 0]
    return (1 - right.clamp(min=1e-8) ** AMPLIFIED) / AMPLIFIED


class RelativeDifficulty:
    """W(x) = CE(f_B) / (CE(f_B) + CE(f_D)) from running means of each person's two losses, each divided by the largest
    of its class, as in the authors' code of LfF and of LDR."""

    def __init__(self, labels: Array) -> None:
        self._labels = labels
        self._means = np.zeros((2, len(labels)))

    def weights(self, places: Array, biased: torch.Tensor, debiased: torch.Tensor) -> torch.Tensor:
        """How much each of these people counts, (m,), after their losses (m,) were taken note of."""
        import torch

        scaled = []
        for mean, losses in zip(self._means, (biased, debiased), strict=True):
            mean[places] = MEMORY * mean[places] + (1 - MEMORY) * losses.detach().numpy()
            most = np.zeros(int(self._labels.max()) + 1)
            np.maximum.at(most, self._labels, mean)
            scaled.append(mean[places] / np.maximum(most[self._labels[places]], 1e-8))
        return torch.from_numpy(scaled[0] / np.maximum(scaled[0] + scaled[1], 1e-8)).float()
