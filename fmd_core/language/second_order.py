"""What a small move of features does to sentences, to second order: so that training needs no softmax over all words.

With delta the move of the features at a position, p the answer there and mu = E_p[w] the mean row of W under it:

- a token's log p moves by (w_token - mu) . delta, less half of delta' S delta;
- KL(before || after) is half of delta' S delta, S the covariance of the rows under p; its mean over positions is taken
  for all of them;
- logits that are only made flatter or sharper by a factor a have delta' S f = (a - 1) f' S f.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fmd_core.data import Array
from fmd_core.language.examples import Example
from fmd_core.language.head import BLOCK, TokenHead
from fmd_core.language.reading import Reading, Tell

MOST_COVARIANCE = 4_000  # positions that the mean covariance is taken over


@dataclass(frozen=True, eq=False)
class PairMoves:
    """How the difference of two sentences moves with the features, one entry for each pair and position."""

    difference: Array
    """(pairs,) float64, of the two sentences' scores, of the model as it is."""
    pair: Array
    """(entries,) int64."""
    position: Array
    """(entries,) int64, of the reading."""
    pull: Array
    """(entries, d) float32: the difference moves by the sum of pull . delta over a pair's entries."""
    covariance: Array
    """(d, d) float32, S."""

    def of(self, pairs: Array) -> tuple[Array, Array]:
        """Entries of some pairs, and which of these pairs each belongs to."""
        number = np.full(len(self.difference), -1)
        number[pairs] = np.arange(len(pairs))
        entries = np.flatnonzero(number[self.pair] >= 0)
        return entries, number[self.pair[entries]]


def pair_moves(
    examples: Sequence[Example],
    chosen: Array,
    reading: Reading,
    head: TokenHead,
    scores: Array,
    weights: Array,
    tell: Tell,
) -> PairMoves:
    """Of some `chosen` examples; `scores` (sentences,) and `weights` (tokens,) as their sentences are scored."""
    first = np.cumsum([0, *(len(one.sentences) for one in examples)])
    pair, token = [], []
    for number, example in enumerate(chosen):
        for sentence in (first[example], first[example] + 1):
            own = np.arange(reading.starts[sentence], reading.starts[sentence + 1])
            token.append(own)
            pair.append(np.full(len(own), number))
    pairs, tokens = np.concatenate(pair), np.concatenate(token)
    sign = np.where(_is_second(reading, tokens, first[chosen] + 1), -1.0, 1.0) * weights[tokens]
    keys, entry = np.unique(np.stack([pairs, reading.position[tokens]]), axis=1, return_inverse=True)
    pull = np.zeros((keys.shape[1], head.weight.shape[1]))
    np.add.at(pull, entry, sign[:, None] * head.weight[reading.tokens[tokens]])
    total = np.bincount(entry, sign, keys.shape[1])
    counts = np.bincount(entry, np.abs(sign), keys.shape[1])
    positions, at = np.unique(keys[1], return_inverse=True)
    means, covariance = _means(head, reading.features[positions], tell)
    pull -= total[:, None] * means[at]
    used = (np.abs(pull).max(axis=1) > 1e-9 * max(1e-9, float(np.abs(pull).max()))) & (counts > 0)
    difference = scores[first[chosen]] - scores[first[chosen] + 1]
    return PairMoves(difference, keys[0][used], keys[1][used], pull[used].astype("float32"), covariance)


def _is_second(reading: Reading, tokens: Array, seconds: Array) -> Array:
    """Which tokens belong to the second sentence of their pair."""
    sentence = np.searchsorted(reading.starts, tokens, side="right") - 1
    found: Array = np.isin(sentence, seconds)
    return found


def _means(head: TokenHead, features: Array, tell: Tell) -> tuple[Array, Array]:
    """Mean row of W under each answer, (n, d), and the mean covariance of the rows, (d, d)."""
    found, likely = np.empty((len(features), head.weight.shape[1])), np.zeros(len(head.weight))
    step = max(1, len(features) // MOST_COVARIANCE)
    for start in range(0, len(features), BLOCK):
        part = slice(start, start + BLOCK)
        logits = features[part] @ head.weight.T
        logits += head.bias
        logits -= logits.max(axis=1, keepdims=True)
        np.exp(logits, out=logits)
        logits /= logits.sum(axis=1, keepdims=True)
        found[part] = logits @ head.weight
        likely += logits.sum(axis=0, dtype="float64")
        tell(min(1.0, (start + BLOCK) / len(features)))
    likely /= len(features)
    second = (head.weight * likely[:, None].astype("float32")).T @ head.weight
    inner = found[::step]
    covariance = second.astype("float64") - inner.T @ inner / len(inner)
    return found, covariance.astype("float32")
