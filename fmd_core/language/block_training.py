"""Experimental: weights of the topmost blocks trained so that two sentences come closer and all else stays.

What is made small is the squared difference of the deciding pairs' scores, at equal sharpness (a model that is only
flatter gains nothing), plus how far the answers move at all positions that are read meanwhile (`second_order`). Either
all weights of the last block are trained, or a low-rank change of every matrix of the last few blocks (Hu et al.,
ICLR 2022), by Adam, on pairs drawn from a fixed seed. A fifth of the deciding terms has no part in the training: they
choose where on the way to stop.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fmd_core.data import Array
from fmd_core.language.blocks import TopBlocks
from fmd_core.language.reading import Batch
from fmd_core.language.second_order import PairMoves

if TYPE_CHECKING:
    import torch

PAIRS_AT_ONCE = 32
RANK = 8


@dataclass(frozen=True)
class Plan:
    """How a depth is trained."""

    blocks: int
    """How many of the last blocks change."""
    rank: int | None
    """Of the change of each matrix; None for all weights."""
    rate: float
    retain: float
    """What a nat of KL costs against the share of the squared difference that is left."""
    steps: int
    keep_every: int


@dataclass(frozen=True, eq=False)
class BlockChange:
    """Other weights for some blocks."""

    blocks: int
    weights: Mapping[str, torch.Tensor]
    """By name of the parameter; all others stay."""


class Texts:
    """Texts that were read, found again by the positions that were asked of them."""

    def __init__(self, batches: Sequence[Batch], positions: int) -> None:
        self.batches = batches
        self.home = np.full((positions, 3), -1)  # batch, text, token
        for number, batch in enumerate(batches):
            self.home[batch.asked[:, 2]] = np.column_stack(
                [np.full(len(batch.asked), number), batch.asked[:, 0], batch.asked[:, 1]]
            )

    def gather(self, positions: Array) -> tuple[tuple[Array, Array, Array], Array]:
        """Ids, counts and hidden of the texts that hold these positions, and where in them each lies, (n, 2)."""
        home = self.home[positions]
        texts, row = np.unique(home[:, :2], axis=0, return_inverse=True)
        row = row.reshape(-1)
        width = max(int(self.batches[b].counts[t].sum()) for b, t in texts)
        shape = (len(texts), width)
        ids, counts = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
        hidden = np.zeros((*shape, self.batches[0].hidden.shape[2]), "float32")
        for place, (b, t) in enumerate(texts):
            own = self.batches[b]
            long = int(own.counts[t].sum())
            ids[place, :long], counts[place, :long] = own.ids[t, :long], 1
            hidden[place, :long] = own.hidden[t, :long]
        return (ids, counts, hidden), np.column_stack([row, home[:, 2]])


def train(
    top: TopBlocks, texts: Texts, features: Array, moves: PairMoves, training: Array, plan: Plan, seed: int = 0
) -> Iterator[tuple[int, BlockChange]]:
    """Train on some pairs of `moves`; at every `plan.keep_every` steps how many there were and the weights so far."""
    import torch

    own = top.weights(plan.blocks)
    leaves, changed = _leaves(own, plan.rank, seed)
    optimiser = torch.optim.Adam(leaves, lr=plan.rate)
    covariance = torch.from_numpy(moves.covariance)
    usual = float(np.mean(moves.difference[training] ** 2))
    rng, order = np.random.default_rng(seed), np.empty(0, int)
    for step in range(1, plan.steps + 1):
        if len(order) < min(PAIRS_AT_ONCE, len(training)):
            order = rng.permutation(training)
        drawn, order = order[:PAIRS_AT_ONCE], order[PAIRS_AT_ONCE:]
        entries, pair = moves.of(drawn)
        (ids, counts, hidden), at = texts.gather(moves.position[entries])
        found = top.features(*map(torch.from_numpy, (ids, counts, hidden)), changed())
        before = torch.from_numpy(features[moves.position[entries]])
        delta = found[at[:, 0], at[:, 1]] - before
        spread = delta @ covariance
        kl = 0.5 * (spread * delta).sum(1).mean()
        flatter = 1 + (spread * before).sum() / ((before @ covariance) * before).sum()
        moved = torch.zeros(len(drawn)).index_add(
            0, torch.from_numpy(pair), (torch.from_numpy(moves.pull[entries]) * delta).sum(1)
        )
        left = (torch.from_numpy(moves.difference[drawn]).float() + moved) / flatter
        loss = (left**2).mean() / usual + plan.retain * kl
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        if step % plan.keep_every == 0:
            yield step, BlockChange(plan.blocks, {k: v.detach().clone() for k, v in changed().items()})


def _leaves(own, rank, seed):
    import torch

    if rank is None:
        leaves = {name: weight.clone().requires_grad_() for name, weight in own.items()}
        return list(leaves.values()), lambda: leaves
    generator = torch.Generator().manual_seed(seed)
    pairs = {}
    for name, weight in own.items():
        if weight.ndim == 2:
            first = torch.randn(rank, weight.shape[1], generator=generator) / weight.shape[1] ** 0.5
            pairs[name] = first.requires_grad_(), torch.zeros(weight.shape[0], rank, requires_grad=True)

    def changed():
        return {name: own[name] + second @ first for name, (first, second) in pairs.items()}

    return [one for both in pairs.values() for one in both], changed
