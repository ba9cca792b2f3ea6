"""What a network that learns on is asked for, as a loss for each step.

    groups       people are drawn by w[i] = (1 - lambda)/n + lambda/(G n_g), g their class and level; cross-entropy
    worst group  the same, and a group counts more the worse it is answered: q_g <- q_g exp(eta loss_g) of each step
                 (Sagawa et al., Distributionally Robust Neural Networks, ICLR 2020, arXiv 1911.08731)
    parity       cross-entropy of everybody alike, and the squared distance between levels in how likely an answer is
    opportunity  the same between levels among those whose true class the answer is
    twins        CE(f(x_a), y) + CE(f(x_b), y) + mean (f(x_a) - f(x_b))^2,  a and b two levels, drawn anew

For parity and opportunity people are drawn as for groups, so that a rare level is in every batch, and count by
1/(n w[i]), so that it is everybody whom they stand for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fmd_core.data import Array
from fmd_core.unlearn.deeper.material import Material

if TYPE_CHECKING:
    import torch

AGREEMENT = 1.0  # weight of the squared difference between twins' logits
CLOSENESS = 10.0  # weight of the squared distance between levels
SHIFTS_CLASSES = ("groups", "worst group")
"""Aims whose training shows classes more or less often than they occur."""
RISE = 0.05  # eta: how fast a badly answered group comes to count more


def group_weights(groups: Array, emphasis: float) -> Array:
    """How much each person counts, (n,), summing to 1: `emphasis` of the total is shared out evenly over the
    groups (n,) that occur, the rest evenly over people."""
    _, inverse, counts = np.unique(groups, return_inverse=True, return_counts=True)
    return (1 - emphasis) / len(groups) + emphasis / (len(counts) * counts[inverse])


def prior_correction(labels: Array, groups: Array, emphasis: float) -> Array:
    """What is to be added to logits (C,) so that each class is expected as often as it occurs, after people were drawn
    by `group_weights`: log n_k/n - log sum of w[i] over class k (Menon et al., Long-tail learning via logit adjustment,
    ICLR 2021, arXiv 2007.07314). Only what was shifted between the groups of a class is left then."""
    weights = group_weights(groups, emphasis)
    shown = np.bincount(labels, weights=weights)
    return np.log(np.bincount(labels) / len(labels)) - np.log(shown)


@dataclass(frozen=True, eq=False)
class Batch:
    """Logits of people, and what is known of them."""

    answers: torch.Tensor
    truth: torch.Tensor
    levels: torch.Tensor
    groups: torch.Tensor
    counts: torch.Tensor
    """How many people each stands for, on average 1."""


class GroupObjective:
    """A loss of people who were drawn by their groups' weights. It may remember: `remembered` (G,) is its state."""

    def __init__(self, n_groups: int, n_levels: int) -> None:
        import torch

        self.n_levels = n_levels
        self.remembered = torch.full((n_groups,), 1 / n_groups)

    def __call__(self, batch: Batch) -> torch.Tensor:
        """Cross-entropy of those who were drawn."""
        import torch

        return torch.nn.functional.cross_entropy(batch.answers, batch.truth)


class GroupDRO(GroupObjective):
    """Groups that are answered badly come to count more: group distributionally robust optimisation."""

    def __call__(self, batch: Batch) -> torch.Tensor:
        """Cross-entropy, weighted by how badly each group has been answered so far."""
        import torch

        losses = torch.nn.functional.cross_entropy(batch.answers, batch.truth, reduction="none")
        n = torch.bincount(batch.groups, minlength=len(self.remembered))
        mean = torch.zeros_like(self.remembered).index_add(0, batch.groups, losses.detach()) / n.clamp(min=1)
        risen = self.remembered * torch.exp(RISE * mean)
        self.remembered = risen / risen.sum()
        weights = (len(self.remembered) * self.remembered)[batch.groups]
        return torch.sum(weights * losses) / torch.sum(weights)


class Gap(GroupObjective):
    """Levels are to get an answer equally often: everybody's, or of those whose true class it is."""

    of_true_class = False

    def __call__(self, batch: Batch) -> torch.Tensor:
        """Cross-entropy of everybody alike, and how far levels lie apart."""
        import torch

        losses = torch.nn.functional.cross_entropy(batch.answers, batch.truth, reduction="none")
        chances = torch.softmax(batch.answers, dim=1)
        answers = range(1, 2) if chances.shape[1] == 2 else range(chances.shape[1])
        apart = [self._apart(batch, chances[:, k], k) for k in answers]
        return (batch.counts * losses).mean() + CLOSENESS * torch.stack(apart).mean()

    def _apart(self, batch: Batch, chance: torch.Tensor, k: int) -> torch.Tensor:
        """Mean squared distance of the levels' mean chances of answer `k` from their middle."""
        import torch

        counts = batch.counts * (batch.truth == k) if self.of_true_class else batch.counts
        people = torch.zeros(self.n_levels).index_add(0, batch.levels, counts)
        likely = torch.zeros(self.n_levels).index_add(0, batch.levels, counts * chance)
        here = people > 0
        means = likely[here] / people[here]
        return ((means - means.mean()) ** 2).mean() if len(means) else chance.sum() * 0


class Opportunity(Gap):
    """Levels are to be recognised equally often."""

    of_true_class = True


GROUP_OBJECTIVES: dict[str, type[GroupObjective]] = {
    "groups": GroupObjective,
    "worst group": GroupDRO,
    "parity": Gap,
    "opportunity": Opportunity,
}


def group_losses(
    objective: GroupObjective,
    material: Material,
    draws: Callable[[], tuple[torch.Tensor, Array]],
    answers_of: Callable[[torch.Tensor], torch.Tensor],
    weights: Array,
) -> Iterator[torch.Tensor]:
    """A loss for each step. `draws` gives what the part that learns reads of a batch, and its places; `weights` (n,)
    is by what people are drawn."""
    import torch

    counts = 1 / (len(weights) * np.maximum(weights, np.finfo("float64").tiny))
    while True:
        inputs, places = draws()
        yield objective(
            Batch(
                answers_of(inputs),
                torch.from_numpy(material.labels[places]),
                torch.from_numpy(material.codes[places]),
                torch.from_numpy(material.groups[places]),
                torch.from_numpy(counts[places].astype("float32")),
            )
        )


def twin_losses(
    material: Material,
    draws: Callable[[], tuple[torch.Tensor, torch.Tensor, Array]],
    answers_of: Callable[[torch.Tensor], torch.Tensor],
) -> Iterator[torch.Tensor]:
    """Cross-entropy of two people who are the same but for the attribute, and how differently they are answered;
    `draws` gives what the part that learns reads of both, and their places."""
    import torch

    while True:
        one, two, places = draws()
        answers = answers_of(torch.cat([one, two]))
        truth = torch.from_numpy(material.labels[places])
        task = torch.nn.functional.cross_entropy(answers, torch.cat([truth, truth]))
        apart = torch.mean((answers[: len(one)] - answers[len(one) :]) ** 2)
        yield 2 * task + AGREEMENT * apart
