"""Which sentences of a corpus pull a language model towards the preferences that were found in it.

Only sentences that somebody supplies can be scored: nobody here knows what a model was trained on. The influence of a
sentence is that of the method's paper, on the rows of the last layer where stereotypes and their opposites part: if it
is taken out of the training, the bias B moves by about grad B . H^-1 . grad loss(sentence). With the loss's gradient
sum_t (p_tr - [token t is r]) f_t by row r this is one product with the rows V = H^-1 grad B.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fmd_core.data import Array
from fmd_core.language.head import AS_IS, BLOCK, Answers, TokenHead
from fmd_core.language.unlearning import Partings


@dataclass(frozen=True)
class Influence:
    """What one sentence does."""

    sentence: str
    score: float
    """How much B falls when it is taken out, in the corpus's own scale: only order and sign mean something."""


def influences(found: Partings, head: TokenHead, corpus: Answers) -> Array:
    """Of each sentence of a reading, (sentences,): above 0 it teaches the bias, below 0 it works against it."""
    reading, normalisers = corpus.reading, corpus.normalisers[:, AS_IS]
    pull = found.solve(found.gradient(found.difference)).astype("float32")
    number = np.full(len(head.weight), -1)
    number[found.rows] = np.arange(len(found.rows))
    expected, own = np.empty(len(reading.features)), np.zeros(len(reading.tokens))
    for start in range(0, len(expected), BLOCK):
        part = slice(start, start + BLOCK)
        likely = np.exp(head.logits(reading.features[part], found.rows) - normalisers[part, None])
        expected[part] = np.einsum("nr,nr->n", likely, reading.features[part] @ pull.T, dtype="float64")
    at = number[reading.tokens]
    known = np.flatnonzero(at >= 0)
    own[known] = np.einsum(
        "nd,nd->n", reading.features[reading.position[known]], pull[at[known]], dtype="float64"
    )
    loss_along = expected[reading.position] - own
    summed: Array = -np.add.reduceat(loss_along, reading.starts[:-1])
    return summed


def most_harmful(sentences: list[str], scores: Array, most: int = 50) -> tuple[Influence, ...]:
    """Those that teach the bias most, the worst first; only those above 0."""
    order = np.argsort(-scores)[:most]
    return tuple(Influence(sentences[i], float(scores[i])) for i in order if scores[i] > 0)
