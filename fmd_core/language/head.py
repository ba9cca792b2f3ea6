"""The last layer of a language model: log-probabilities of tokens, and what changed rows of it do to them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fmd_core.data import Array
from fmd_core.language.opening import LanguageModel
from fmd_core.language.reading import Reading, Tell, head_of

BLOCK = 256  # positions at once: 256 x 50,000 tokens are 50 MB
LEAST_REST = 1e-9


@dataclass(frozen=True, eq=False)
class TokenHead:
    """W (V, d) and b (V,) of `softmax(features @ W.T + b)`, float32."""

    weight: Array
    bias: Array

    @classmethod
    def of(cls, model: LanguageModel) -> TokenHead:
        """A model's own."""
        layer = head_of(model)
        weight = layer.weight.detach().numpy()
        bias = np.zeros(len(weight), "float32") if layer.bias is None else layer.bias.detach().numpy()
        return cls(weight, bias)

    def logits(self, features: Array, rows: Array) -> Array:
        """(n, rows) float32 of some tokens only."""
        found: Array = features @ self.weight[rows].T + self.bias[rows]
        return found


@dataclass(frozen=True, eq=False)
class RowChange:
    """What is added to some rows of W; everything else stays."""

    rows: Array
    """(r,) token numbers, each once."""
    delta: Array
    """(r, d)."""


def log_normalisers(head: TokenHead, features: Array, tell: Tell | None = None) -> Array:
    """Log of the sum of exp over all tokens at each position, (n,) float64."""
    found = np.empty(len(features))
    for start in range(0, len(features), BLOCK):
        logits = features[start : start + BLOCK] @ head.weight.T
        logits += head.bias
        top = logits.max(axis=1, keepdims=True)
        np.exp(np.subtract(logits, top, out=logits), out=logits)
        found[start : start + BLOCK] = top[:, 0] + np.log(logits.sum(axis=1, dtype="float64"))
        if tell:
            tell(min(1.0, (start + BLOCK) / len(features)))
    return found


def token_log_probabilities(head: TokenHead, reading: Reading, normalisers: Array) -> Array:
    """Log p of each token of a reading, (tokens,) float64."""
    found = np.empty(len(reading.tokens))
    for start in range(0, len(found), 4 * BLOCK):
        part = slice(start, start + 4 * BLOCK)
        token, place = reading.tokens[part], reading.position[part]
        logits = np.einsum("nd,nd->n", reading.features[place], head.weight[token], dtype="float64")
        found[part] = logits + head.bias[token] - normalisers[place]
    return found


def changed_log_probabilities(
    head: TokenHead, reading: Reading, normalisers: Array, before: Array, change: RowChange
) -> Array:
    """Log p of each token when some rows have changed, (tokens,) float64, from those `before`.

    Only the changed rows are multiplied again: log Z' = log Z + log(1 + sum over them of (p' - p)).
    """
    number = np.full(len(head.weight), -1)
    number[change.rows] = np.arange(len(change.rows))
    delta = np.asarray(change.delta, "float32")
    moved, added = np.empty(len(reading.features)), np.empty(len(reading.tokens))
    for start in range(0, len(moved), BLOCK):
        part = slice(start, start + BLOCK)
        logits = head.logits(reading.features[part], change.rows) - normalisers[part, None]
        after = logits + reading.features[part] @ delta.T
        moved[part] = np.exp(after).sum(axis=1) - np.exp(logits).sum(axis=1)
    shift = np.log(np.maximum(1 + moved, LEAST_REST))
    for start in range(0, len(added), 4 * BLOCK):
        part = slice(start, start + 4 * BLOCK)
        at = number[reading.tokens[part]]
        gained = np.einsum("nd,nd->n", reading.features[reading.position[part]], delta[at], dtype="float64")
        added[part] = np.where(at >= 0, gained, 0.0)
    found: Array = before + added - shift[reading.position]
    return found
