"""Experimental: taking preferences out of rows of the last layer, as the method's paper does for language models.

Where a stereotype and its opposite part, they are guessed from the same features f, so the difference of their
log-probabilities there is d = (w_s - w_a) . f + b_s - b_a: linear in the rows of both tokens, whatever the others are.
The bias is the mean of d squared over the examples that decide. What must not change is held by a curvature of the
loss on all their other tokens, row by row: H_r = p_r C + ridge, with p_r how likely the token is there and C the second
moment of the features (an upper bound of the softmax's own Hessian restricted to these rows).

- "published": one step along -H^-1 grad B (Chen et al., NeurIPS 2023), of a length on a ladder;
- "rows": the minimum of strength x B + 1/2 delta H delta, by conjugate gradients, for a ladder of strengths.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.sparse.linalg import LinearOperator, cg

from fmd_core.data import Array
from fmd_core.errors import DataError, SolverError
from fmd_core.language.examples import Example
from fmd_core.language.head import AS_IS, Answers, RowChange, TokenHead

RowForm = Literal["published", "rows"]
BlockForm = Literal["block", "low-rank"]
Form = Literal["published", "rows", "block", "low-rank"]
FORMS: dict[Form, str] = {
    "published": "one published step",
    "rows": "rows of the last layer, solved",
    "block": "the last block, trained",
    "low-rank": "a low-rank update of the last blocks, trained",
}
"""Ways to take a preference out, and how deep each reaches."""
LADDER: dict[RowForm, tuple[float, ...]] = {
    "published": (0.1, 0.25, 0.5, 1.0),
    "rows": (0.001, 0.01, 0.1),
}
"""Shares of the step at which B would be least along it; weights of B against the curvature, in its own scale."""
CHOSEN_PERPLEXITY = 1.02
"""What the deciding terms choose may raise perplexity on their sentences by no more."""
RIDGE = 0.1
MOST_RETAINED = 4_000  # positions that hold what must not change
MIN_PAIRS = 20


@dataclass(frozen=True, eq=False)
class Partings:
    """Where the two sentences of deciding examples part, and what must stay as it is."""

    features: Array
    """(n, d) float64."""
    plus: Array
    """(n,) numbers of the stereotype's tokens in `rows`."""
    minus: Array
    rows: Array
    """(r,) tokens."""
    difference: Array
    """(n,) d of the model as it is."""
    likely: Array
    """(r,) mean probability of these tokens where they are not asked about."""
    axes: Array
    """(d, d) eigenvectors of the retained features' second moment, as columns."""
    spread: Array
    """(d,) their eigenvalues."""

    @property
    def bias(self) -> float:
        """Mean squared difference."""
        return float(np.mean(self.difference**2))

    def gradient(self, differences: Array) -> Array:
        """Of the mean squared difference by the rows, (r, d)."""
        pulled = (2 / len(differences)) * differences[:, None] * self.features
        found = np.zeros((len(self.rows), self.features.shape[1]))
        np.add.at(found, self.plus, pulled)
        np.add.at(found, self.minus, -pulled)
        return found

    def moved(self, delta: Array) -> Array:
        """How the differences change with the rows, (n,)."""
        found: Array = np.einsum("nd,nd->n", delta[self.plus] - delta[self.minus], self.features)
        return found

    def curvature(self) -> Array:
        """Eigenvalues of H_r, (r, d)."""
        held = np.outer(self.likely, self.spread)
        return held + RIDGE * held.mean()

    def solve(self, right: Array) -> Array:
        """H^-1 times (r, d)."""
        found: Array = ((right @ self.axes) / self.curvature()) @ self.axes.T
        return found

    def times(self, delta: Array) -> Array:
        """H times (r, d)."""
        found: Array = ((delta @ self.axes) * self.curvature()) @ self.axes.T
        return found


def partings(examples: Sequence[Example], deciding: Array, answers: Answers, head: TokenHead) -> Partings:
    """Of the deciding examples of a reading of all. DataError where too few part at one place."""
    reading = answers.reading
    first = np.cumsum([0, *(len(one.sentences) for one in examples)])
    places, plus, minus = [], [], []
    for number in deciding:
        a, b = reading.span(first[number]), reading.span(first[number] + 1)
        for at, (one, other) in enumerate(zip(reading.position[a], reading.position[b], strict=False)):
            tokens = reading.tokens[a][at], reading.tokens[b][at]
            if one == other and tokens[0] != tokens[1]:
                places.append(one)
                plus.append(tokens[0])
                minus.append(tokens[1])
    if len(places) < MIN_PAIRS:
        raise DataError(
            f"Only {len(places)} of the deciding examples part at one place, too few to change anything by; at least "
            f"{MIN_PAIRS} are needed."
        )
    sentences = [s for number in deciding for s in range(first[number], first[number + 1])]
    read = np.unique(np.concatenate([reading.position[reading.span(s)] for s in sentences]))
    retained = np.setdiff1d(read, places)
    retained = retained[np.linspace(0, len(retained) - 1, min(len(retained), MOST_RETAINED)).astype(int)]
    rows, both = np.unique([plus, minus], return_inverse=True)
    first_of, second_of = both.reshape(2, -1)
    features = reading.features[places].astype("float64")
    kept = reading.features[retained]
    spread, axes = np.linalg.eigh(kept.T.astype("float64") @ kept / len(kept))
    likely = np.exp(head.logits(kept, rows) - answers.normalisers[retained, AS_IS, None]).mean(
        axis=0, dtype="float64"
    )
    weight, bias = head.weight[rows].astype("float64"), head.bias[rows].astype("float64")
    apart = (
        np.einsum("nd,nd->n", weight[first_of] - weight[second_of], features)
        + bias[first_of]
        - bias[second_of]
    )
    return Partings(features, first_of, second_of, rows, apart, likely, axes, np.maximum(spread, 0))


def change(form: RowForm, found: Partings, strength: float) -> RowChange:
    """The rows' change of one form at one place of its ladder. SolverError where it does not settle."""
    if form not in LADDER:
        raise DataError(f"There is no form '{form}' of unlearning in rows. There are: {', '.join(LADDER)}.")
    if form == "published":
        step = -found.solve(found.gradient(found.difference))
        moved = found.moved(step)
        best = -float(found.difference @ moved) / float(moved @ moved)
        return RowChange(found.rows, strength * best * step)
    return RowChange(found.rows, _minimum(found, strength))


def _minimum(found: Partings, strength: float) -> Array:
    """Argmin of weight x B(delta) + 1/2 delta H delta; weight 1 would count both curvatures alike on average."""
    shape = len(found.rows), found.features.shape[1]
    of_bias = 4 * float(np.mean(found.features**2)) / shape[0]
    weight = strength * float(found.curvature().mean()) / of_bias

    def product(flat: Array) -> Array:
        delta = flat.reshape(shape)
        return (weight * found.gradient(found.moved(delta)) + found.times(delta)).ravel()

    def prepared(flat: Array) -> Array:
        return found.solve(flat.reshape(shape)).ravel()

    size = shape[0] * shape[1]
    right = -weight * found.gradient(found.difference).ravel()
    solution, failed = cg(
        LinearOperator((size, size), product), right, rtol=1e-4, maxiter=2000,
        M=LinearOperator((size, size), prepared),
    )  # fmt: skip
    if failed:
        raise SolverError(f"The change of strength {strength:g} did not settle; take a lower strength.")
    found_rows: Array = solution.reshape(shape)
    return found_rows
