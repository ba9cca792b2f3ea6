"""What drives an attribute out of features while the task is learned on: one loss for each variant.

Each is a function of a batch's features (m, d), its labels (m,) and attribute codes (m, a), >= 0 or
bounded below, and sums over the attributes. Features are compared in units of their own spread, so that
shrinking them is no way out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import torch
    from torch import nn

HIDDEN = 64
LEARNING_RATE = 1e-2  # of adversaries: at 2e-3 they lagged behind the encoder, and fresh probes read more
LEAST_IN_BATCH = 3  # samples of one class and level, below which a batch says nothing of them
KEPT_BATCHES = 16  # of the latest features, for adversaries to practise on
WIDTHS = (0.25, 1.0, 4.0)  # of the kernel, in median squared distances
FRESH_EVERY = 40  # steps after which the next adversary starts anew
SPREAD_FLOOR = 1e-3


class Pressure(Protocol):
    """A loss that falls as the attributes leave the features."""

    def __call__(self, features: torch.Tensor, labels: torch.Tensor, codes: torch.Tensor) -> torch.Tensor: ...


def in_spreads(features: torch.Tensor) -> torch.Tensor:
    """Features (m, d) in units of their spread over the batch, through which no gradient flows."""
    return features / (features.detach().std(dim=0) + SPREAD_FLOOR)


class GradientReversal:
    """Min-max against one adversary (Xu et al. 2024, arXiv 2406.10951; Ganin et al. 2016): minus its
    cross-entropy in nats. It takes one step for each of the encoder's."""

    def __init__(self, width: int, levels: list[int]) -> None:
        self.adversary = _Adversary(width, levels, HIDDEN)

    def __call__(self, features: torch.Tensor, labels: torch.Tensor, codes: torch.Tensor) -> torch.Tensor:
        import torch

        del labels
        self.adversary.learn([(features.detach(), codes)])
        guesses = self.adversary.guess(features)
        losses = [torch.nn.functional.cross_entropy(g, codes[:, j]) for j, g in enumerate(guesses)]
        return -torch.stack(losses).sum()


class Ensemble:
    """Three adversaries (a linear one, two small networks) that take four steps for each of the encoder's
    and start anew in turn, so that none can be beaten for good. The encoder makes them answer as if they
    had not looked: mean over them of KL(prior | answer) in nats, 0 when every answer is the prior.

    With `n_classes` they are told the class and the prior is that of the class: what the class itself
    says of the attribute may stay.
    """

    def __init__(self, width: int, levels: list[int], priors: list[torch.Tensor], n_classes: int = 0) -> None:
        self.width, self.levels, self.priors, self.n_classes = width + n_classes, levels, priors, n_classes
        self.sizes = (0, HIDDEN, HIDDEN)
        self.adversaries = [_Adversary(self.width, levels, size) for size in self.sizes]
        self.recent: list[tuple[torch.Tensor, torch.Tensor]] = []
        self.steps = 0

    def __call__(self, features: torch.Tensor, labels: torch.Tensor, codes: torch.Tensor) -> torch.Tensor:
        import torch
        from torch.nn.functional import kl_div, log_softmax

        seen = self._seen(features, labels)
        self.recent = [*self.recent[-KEPT_BATCHES + 1 :], (seen.detach(), codes)]
        self._practise()
        total = features.new_zeros(())
        for adversary in self.adversaries:
            for j, guess in enumerate(adversary.guess(seen)):
                prior = self.priors[j][labels if self.n_classes else torch.zeros_like(labels)]
                total = total + kl_div(log_softmax(guess, dim=1), prior, reduction="batchmean")
        return total / len(self.adversaries)

    def _seen(self, features: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        import torch

        if not self.n_classes:
            return features
        told = torch.nn.functional.one_hot(labels, self.n_classes).to(features.dtype)
        return torch.cat([features, told], dim=1)

    def _practise(self) -> None:
        import torch

        place, turn = divmod(self.steps, FRESH_EVERY)
        newcomer = place % len(self.sizes) if place and not turn else -1
        if newcomer >= 0:
            self.adversaries[newcomer] = _Adversary(self.width, self.levels, self.sizes[newcomer])
        for number, adversary in enumerate(self.adversaries):
            n_steps = FRESH_EVERY if number == newcomer else 4
            drawn = torch.randint(len(self.recent), (n_steps - 1,)).tolist()
            adversary.learn([self.recent[-1], *(self.recent[k] for k in drawn)])
        self.steps += 1


class Matching:
    """No adversary: within each class, features of people with one level of the attribute should be
    distributed as those of the others. The squared maximum mean discrepancy (Gretton et al. 2012) under
    Gaussian kernels, classes weighted by their share of the batch; 0 when they are the same.

    The biased estimate of it also falls as all samples of a class become alike, the more so the smaller the
    batch. Fresh probes read least after it, of what nobody asked to forget as well. `sparing` takes the
    unbiased estimate, which leaves the rest alone and forgets less (`docs/forgetting.md`).
    """

    def __init__(self, levels: list[int], *, sparing: bool = False) -> None:
        self.levels, self.sparing = levels, sparing

    def __call__(self, features: torch.Tensor, labels: torch.Tensor, codes: torch.Tensor) -> torch.Tensor:
        import torch

        scaled, total = in_spreads(features), features.new_zeros(())
        for label in torch.unique(labels).tolist():
            members = labels == label
            kernel = _kernel(scaled[members])
            if self.sparing:  # a sample beside itself says nothing
                kernel = kernel * (1 - torch.eye(len(kernel)))
            for j, n_levels in enumerate(self.levels):
                gaps = _gaps(kernel, codes[members, j], n_levels, int(self.sparing))
                total = total + gaps.sum() / n_levels * members.float().mean()
        return total


def twin_gap(features: torch.Tensor, twins: torch.Tensor) -> torch.Tensor:
    """Pair consistency: mean squared difference between the features of twins (m, d), in squared spreads."""
    spread = features.detach().std(dim=0) + SPREAD_FLOOR
    return ((features - twins) / spread).square().mean()


def _kernel(features: torch.Tensor) -> torch.Tensor:
    """Sum of Gaussian kernels between samples, (m, m)."""
    import torch

    squares = torch.cdist(features, features).square()
    width = squares.detach().median() + 1e-6
    return torch.stack([torch.exp(-squares / (width * w)) for w in WIDTHS]).sum(dim=0)


def _gaps(kernel: torch.Tensor, codes: torch.Tensor, n_levels: int, fewer: int) -> torch.Tensor:
    """Squared discrepancy between those of each level and the others, (levels,); 0 where too few. A group of
    n counts n (n - fewer) pairs of its own."""
    import torch

    own = torch.nn.functional.one_hot(codes, n_levels).T.float()
    others, gaps = 1 - own, torch.zeros(n_levels)
    n, m = own.sum(dim=1), others.sum(dim=1)
    for first, second, pairs in ((own, own, n * (n - fewer)), (others, others, m * (m - fewer))):
        gaps = gaps + torch.einsum("lm,mk,lk->l", first, kernel, second) / pairs.clamp_min(1)
    gaps = gaps - 2 * torch.einsum("lm,mk,lk->l", own, kernel, others) / (n * m).clamp_min(1)
    return torch.where(torch.minimum(n, m) >= LEAST_IN_BATCH, gaps, 0.0)


class _Adversary:
    """Networks that try to read each attribute from features, with their optimiser."""

    def __init__(self, width: int, levels: list[int], hidden: int) -> None:
        import torch

        self.networks = torch.nn.ModuleList([_reader(width, n_levels, hidden) for n_levels in levels])
        self.optimiser = torch.optim.Adam(self.networks.parameters(), lr=LEARNING_RATE)

    def learn(self, batches: list[tuple[torch.Tensor, torch.Tensor]]) -> None:
        """One step for each batch of features (m, d) and codes (m, a)."""
        import torch

        self.networks.requires_grad_(True)
        for features, codes in batches:
            guesses = [network(features) for network in self.networks]
            losses = [torch.nn.functional.cross_entropy(g, codes[:, j]) for j, g in enumerate(guesses)]
            self.optimiser.zero_grad()
            torch.stack(losses).sum().backward()
            self.optimiser.step()

    def guess(self, features: torch.Tensor) -> list[torch.Tensor]:
        """Logits (m, levels) for each attribute; the gradient reaches the features only."""
        self.networks.requires_grad_(False)
        return [network(features) for network in self.networks]


def _reader(width: int, n_levels: int, hidden: int) -> nn.Module:
    """Normalised first, so that small features are no hiding place."""
    from torch import nn

    if not hidden:
        return nn.Sequential(nn.BatchNorm1d(width, affine=False), nn.Linear(width, n_levels))
    layers = [nn.Linear(width, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU()]
    return nn.Sequential(nn.BatchNorm1d(width, affine=False), *layers, nn.Linear(hidden, n_levels))
