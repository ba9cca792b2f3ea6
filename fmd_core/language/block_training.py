"""Experimental: weights of the topmost blocks, trained so that two sentences come closer and all else stays.

What is made small is the squared difference of the deciding pairs' scores, at equal sharpness (a model that is only
flatter gains nothing), plus how far the answers move at the positions that are read meanwhile (`second_order`). Either
all weights of the last block are trained, or a low-rank change of every matrix of the last few blocks (LoRA, Hu et al.,
ICLR 2022), by Adam, on pairs drawn from a fixed seed. A fifth of the deciding terms has no part in the training: they
choose where on the way to stop. The model itself is not changed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fmd_core.data import Array
from fmd_core.errors import DataError, SolverError
from fmd_core.figures import counted
from fmd_core.language.blocks import TOP, TopBlocks
from fmd_core.language.examples import Example, choosing
from fmd_core.language.head import Answers, TokenHead
from fmd_core.language.opening import LanguageModel
from fmd_core.language.reading import Batch, Reading, Tell
from fmd_core.language.scores import perplexity, sentence_scores
from fmd_core.language.second_order import PairMoves, pair_moves
from fmd_core.language.unlearning import CHOSEN_PERPLEXITY, MIN_PAIRS, BlockForm

if TYPE_CHECKING:
    import torch

PAIRS_AT_ONCE = 32


@dataclass(frozen=True)
class Plan:
    """How a depth is trained."""

    blocks: int
    """How many of the last blocks change."""
    rank: int | None
    """Of the change of each matrix; None for all weights."""
    rate: float
    """Adam's."""
    retain: float
    """What a nat of KL costs, where leaving all of the squared difference costs 1."""
    steps: int
    keep_every: int


PLANS: dict[BlockForm, Plan] = {
    "block": Plan(1, None, 3e-4, 3.0, 100, 20),
    "low-rank": Plan(TOP, 8, 1e-3, 3.0, 60, 12),
}
NOT_KEPT = (
    "What the model's blocks were given does not fit in memory for so many examples, so only its last layer was "
    "changed; take fewer examples."
)


@dataclass(frozen=True, eq=False)
class BlockChange:
    """Other weights for some of the topmost blocks; all others stay."""

    weights: Mapping[str, torch.Tensor]
    """By name of the parameter."""


def trained(
    form: BlockForm, model: LanguageModel, head: TokenHead, examples: Sequence[Example], answers: Answers,
    weights: Array, tell: Callable[[float], object],
) -> tuple[float, BlockChange]:  # fmt: skip
    """Train on these examples' terms, but for those that choose; the chosen change and how many steps it took.

    `weights` (tokens,) as their sentences are scored. DataError where the inputs of the blocks were not kept or there
    are too few pairs, SolverError where no point of the way keeps perplexity.
    """
    plan = PLANS[form]
    if not answers.reading.batches:
        raise DataError(NOT_KEPT)
    training, chooses = choosing(examples)
    if len(examples) < MIN_PAIRS or not len(training):
        raise DataError(
            f"Only {len(examples)} examples of {counted(len({one.target for one in examples}), 'target term')} decide, "
            f"too few to train by; at least {MIN_PAIRS} of two terms are needed."
        )
    scores = sentence_scores(answers.log_probabilities(), weights, answers.reading.starts)
    moves = pair_moves(
        examples, training, answers.reading, head, scores, weights, lambda share: tell(0.1 * share)
    )
    top, judge = TopBlocks(model, plan.blocks), _Chooser.of(model, head, examples, chooses, answers, weights)
    batches = TopBlocks(model).lifted(answers.reading.batches, plan.blocks)
    texts = Texts(batches, len(answers.reading.features))
    best: tuple[float, float, BlockChange] | None = None
    for step, change in _steps(top, texts, answers.reading.features, moves, plan, tell):
        worse, left = judge.weigh(change)
        if worse <= CHOSEN_PERPLEXITY and (best is None or left < best[0]):
            best = left, float(step), change
    if best is None:
        raise SolverError("No point on the way kept perplexity on sentences that were not trained on.")
    return best[1:]


def read_again(
    model: LanguageModel, head: TokenHead, reading: Reading, change: BlockChange, tell: Tell | None = None
) -> Answers:
    """The answers with other weights in the topmost blocks, to a reading that kept what they were given."""
    if not reading.batches:
        raise DataError(NOT_KEPT)
    found = TopBlocks(model).features_of(reading.batches, len(reading.features), change.weights)
    changed = Reading(found, reading.position, reading.tokens, reading.starts)
    return Answers.of(head, changed, tell)


@dataclass(frozen=True, eq=False)
class _Chooser:
    """Deciding terms without a part in the training: what a change does to their sentences."""

    model: LanguageModel
    head: TokenHead
    before: Answers
    weights: Array
    per: int
    """Sentences of an example."""

    @classmethod
    def of(
        cls, model: LanguageModel, head: TokenHead, examples: Sequence[Example], chosen: Array, answers: Answers,
        weights: Array,
    ) -> _Chooser:  # fmt: skip
        per = len(examples[0].sentences)
        sentences = (per * chosen[:, None] + np.arange(per)).ravel()
        tokens = answers.reading.only(sentences)[1]
        return cls(model, head, answers.only(sentences), weights[tokens], per)

    def weigh(self, change: BlockChange) -> tuple[float, float]:
        """How perplexity rises, as a factor, and the mean |difference| that is left at equal sharpness."""
        after = read_again(self.model, self.head, self.before.reading, change)
        worse = perplexity(after.log_probabilities()) / perplexity(self.before.log_probabilities())
        even = after.log_probabilities(after.best_sharpness)
        scores = sentence_scores(even, self.weights, self.before.reading.starts)
        return worse, float(np.abs(scores[:: self.per] - scores[1 :: self.per]).mean())


class Texts:
    """Texts that were read, found again by the positions that were asked of them."""

    def __init__(self, batches: Sequence[Batch], positions: int) -> None:
        self.batches = batches
        self.home = np.full((positions, 3), -1)  # batch, text, token
        for number, batch in enumerate(batches):
            self.home[batch.asked[:, 2]] = np.column_stack(
                [np.full(len(batch.asked), number), batch.asked[:, :2]]
            )

    def gather(self, positions: Array) -> tuple[tuple[Array, Array, Array], Array]:
        """Ids, counts and hidden of the texts that hold these positions, and where in them each lies, (n, 2)."""
        home = self.home[positions]
        texts, row = np.unique(home[:, :2], axis=0, return_inverse=True)
        long = [int(self.batches[b].counts[t].sum()) for b, t in texts]
        shape = len(texts), max(long)
        ids, counts = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
        hidden = np.zeros((*shape, self.batches[0].hidden.shape[2]), "float32")
        for place, ((b, t), n) in enumerate(zip(texts, long, strict=True)):
            own = self.batches[b]
            ids[place, :n], counts[place, :n], hidden[place, :n] = own.ids[t, :n], 1, own.hidden[t, :n]
        return (ids, counts, hidden), np.column_stack([row.reshape(-1), home[:, 2]])


def _steps(
    top: TopBlocks, texts: Texts, features: Array, moves: PairMoves, plan: Plan, tell: Callable[[float], object]
) -> Iterator[tuple[int, BlockChange]]:  # fmt: skip
    """Every so many steps their number and the weights so far."""
    import torch

    leaves, changed = _leaves(top.weights(plan.blocks), plan.rank)
    optimiser = torch.optim.Adam(leaves, lr=plan.rate)
    rng, order = np.random.default_rng(0), np.empty(0, int)
    for step in range(1, plan.steps + 1):
        tell(0.1 + 0.9 * step / plan.steps)
        if not len(order):
            order = rng.permutation(len(moves.difference))
        drawn, order = order[:PAIRS_AT_ONCE], order[PAIRS_AT_ONCE:]
        loss = _loss(top, texts, features, moves, drawn, changed(), plan.retain)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        if step % plan.keep_every == 0:
            yield step, BlockChange({name: one.detach().clone() for name, one in changed().items()})


def _loss(
    top: TopBlocks, texts: Texts, features: Array, moves: PairMoves, drawn: Array,
    weights: Mapping[str, torch.Tensor], retain: float,
) -> torch.Tensor:  # fmt: skip
    """Of some pairs: the share of the squared difference that is left at equal sharpness, and what else moves."""
    import torch

    entries, pair = moves.of(drawn)
    (ids, counts, hidden), at = texts.gather(moves.position[entries])
    found = top.features(torch.from_numpy(ids), torch.from_numpy(counts), torch.from_numpy(hidden), weights)
    before, covariance = (
        torch.from_numpy(features[moves.position[entries]]),
        torch.from_numpy(moves.covariance),
    )
    delta = found[at[:, 0], at[:, 1]] - before
    spread = delta @ covariance
    kl = 0.5 * (spread * delta).sum(1).mean()
    sharper = 1 + (spread * before).sum() / ((before @ covariance) * before).sum()
    pulled = (torch.from_numpy(moves.pull[entries]) * delta).sum(1)
    moved = torch.zeros(len(drawn)).index_add(0, torch.from_numpy(pair), pulled)
    left = (torch.from_numpy(moves.difference[drawn]).float() + moved) / sharper
    return (left**2).mean() / float(np.mean(moves.difference**2)) + retain * kl


def _leaves(
    own: Mapping[str, torch.Tensor], rank: int | None
) -> tuple[list[torch.Tensor], Callable[[], Mapping[str, torch.Tensor]]]:
    """What is trained, and the weights that come of it; at first those of the model."""
    import torch

    if rank is None:
        whole = {name: weight.clone().requires_grad_() for name, weight in own.items()}
        return list(whole.values()), lambda: whole
    generator = torch.Generator().manual_seed(0)
    factors: dict[str, tuple[torch.Tensor, torch.Tensor]] = {}
    for name, weight in own.items():
        if weight.ndim == 2:
            first = torch.randn(rank, weight.shape[1], generator=generator) / weight.shape[1] ** 0.5
            factors[name] = first.requires_grad_(), torch.zeros(weight.shape[0], rank, requires_grad=True)

    def changed() -> Mapping[str, torch.Tensor]:
        return {name: own[name] + second @ first for name, (first, second) in factors.items()}

    return [one for both in factors.values() for one in both], changed
