"""The last layer of a language model: what it answers to features, and what changed rows of it do to the answers.

Answers are kept at several sharpnesses (inverse temperatures): a model that is only flatter tells no two sentences
apart less, so models are compared at the sharpness that suits each of them best.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy.interpolate import BarycentricInterpolator
from scipy.optimize import minimize_scalar

from fmd_core.data import Array
from fmd_core.language.blocks import head_of
from fmd_core.language.opening import LanguageModel
from fmd_core.language.reading import Reading, Tell

BLOCK = 128  # positions at once: 128 x 50,000 tokens are 25 MB
LEAST_REST = 1e-9
TENTHS = np.arange(7, 14)
SHARPNESS = TENTHS / 10
"""Inverse temperatures at which normalisers are known; between them they are smooth and interpolated."""
AS_IS = int(np.flatnonzero(TENTHS == 10)[0])


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


@dataclass(frozen=True, eq=False)
class Answers:
    """What a model answers at the positions of a reading."""

    reading: Reading
    logits: Array
    """(tokens,) float64, of the token that stands there."""
    normalisers: Array
    """(positions, 7) float64, log of the sum of exp(sharpness x logits) over all tokens, by `SHARPNESS`."""

    @classmethod
    def of(cls, head: TokenHead, reading: Reading, tell: Tell | None = None) -> Answers:
        """By a head, of the features of a reading."""
        return cls(reading, token_logits(head, reading), log_normalisers(head, reading.features, tell))

    def only(self, sentences: Array) -> Answers:
        """To some sentences."""
        reading, tokens, positions = self.reading.only(sentences)
        return Answers(reading, self.logits[tokens], self.normalisers[positions])

    def log_probabilities(self, sharpness: float = 1.0) -> Array:
        """Log p of each token, (tokens,) float64, of the model at that sharpness."""
        found: Array = sharpness * self.logits - self._normalisers(sharpness)[self.reading.position]
        return found

    @cached_property
    def best_sharpness(self) -> float:
        """The one under which these tokens are likeliest, within the bounds of `SHARPNESS`."""
        mean_logit = float(self.logits.mean())
        means = BarycentricInterpolator(
            SHARPNESS, self.normalisers[self.reading.position].mean(axis=0), rng=0
        )
        found = minimize_scalar(
            lambda s: float(means(s)) - s * mean_logit, bounds=(SHARPNESS[0], SHARPNESS[-1]), method="bounded"
        )
        return float(found.x)

    def _normalisers(self, sharpness: float) -> Array:
        if sharpness == 1.0:
            return self.normalisers[:, AS_IS]
        found: Array = BarycentricInterpolator(SHARPNESS, self.normalisers.T, rng=0)(sharpness)
        return found


def log_normalisers(head: TokenHead, features: Array, tell: Tell | None = None) -> Array:
    """Log of the sum of exp(sharpness x logits) over all tokens at each position, (n, 7) float64."""
    found = np.empty((len(features), len(SHARPNESS)))
    for start in range(0, len(features), BLOCK):
        part = slice(start, start + BLOCK)
        logits = features[part] @ head.weight.T
        logits += head.bias
        top = logits.max(axis=1, keepdims=True)
        logits -= top
        found[part] = top * SHARPNESS + np.log(_power_sums(logits))
        if tell:
            tell(min(1.0, (start + BLOCK) / len(features)))
    return found


def _power_sums(logits: Array) -> Array:
    """Sum of exp(sharpness x logits) over each row, (n, 7) float64; `logits` (n, any), at most 0, are overwritten.

    exp once, of a tenth: each next sharpness is one product more.
    """
    logits *= np.float32(0.1)
    tenth = np.exp(logits, out=logits)
    power = tenth**2
    power *= tenth
    power *= power
    power *= tenth  # to the seventh
    sums = [power.sum(axis=1, dtype="float64")]
    for _ in TENTHS[1:]:
        power *= tenth
        sums.append(power.sum(axis=1, dtype="float64"))
    return np.stack(sums, axis=1)


def token_logits(head: TokenHead, reading: Reading) -> Array:
    """Logit of each token of a reading, (tokens,) float64."""
    found = np.empty(len(reading.tokens))
    for start in range(0, len(found), 4 * BLOCK):
        part = slice(start, start + 4 * BLOCK)
        token, place = reading.tokens[part], reading.position[part]
        found[part] = np.einsum("nd,nd->n", reading.features[place], head.weight[token], dtype="float64")
        found[part] += head.bias[token]
    return found


def with_rows(head: TokenHead, answers: Answers, change: RowChange) -> Answers:
    """The answers when some rows have changed.

    Only the changed rows are multiplied again: log Z' = log Z + log(1 + sum over them of (p' - p)).
    """
    reading = answers.reading
    number = np.full(len(head.weight), -1)
    number[change.rows] = np.arange(len(change.rows))
    delta = np.asarray(change.delta, "float32")
    moved = np.empty((len(reading.features), len(SHARPNESS)))
    for start in range(0, len(moved), BLOCK):
        part = slice(start, start + BLOCK)
        before = head.logits(reading.features[part], change.rows)
        after = before + reading.features[part] @ delta.T
        for at, sharpness in enumerate(SHARPNESS):
            known = answers.normalisers[part, at, None]
            moved[part, at] = (np.exp(sharpness * after - known) - np.exp(sharpness * before - known)).sum(
                axis=1
            )
    at = number[reading.tokens]
    gained = np.zeros(len(reading.tokens))
    known = np.flatnonzero(at >= 0)
    gained[known] = np.einsum(
        "nd,nd->n", reading.features[reading.position[known]], delta[at[known]], dtype="float64"
    )
    shift = np.log(np.maximum(1 + moved, LEAST_REST))
    return replace(answers, logits=answers.logits + gained, normalisers=answers.normalisers + shift)
