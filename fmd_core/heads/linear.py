"""The last layer, what unlearning changes unless more is opened (see `fmd_core.models.depth`).

A softmax head has one weight row per class, but adding the same vector to every row changes
no prediction. So parameters are handled in contrast coordinates: theta = C [W b], shape
(K-1, d+1), with C the orthonormal Helmert contrasts (rows sum to zero). Nothing is lost,
the curvature loses its null space, and two classes cost half. Directions, gradients and
curvature below are all in these coordinates, flattened to p = (K-1)(d+1) numbers.

Loss is the cross-entropy of one sample, in nats.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from scipy.linalg import helmert
from scipy.special import log_softmax, softmax

from fmd_core.data import Array, content_fingerprint, frozen_array
from fmd_core.errors import ModelError
from fmd_core.heads.kronecker import KroneckerCurvature, per_unit_of, weighted_square
from fmd_core.heads.softmax import softmax_rows
from fmd_core.showing import one_line

BLOCK_ROWS = 4_096
"""Rows handled at once, so that a block and what is made of it stay in the processor's cache."""
HessianProducts = Literal["float64", "float32"]


@dataclass(frozen=True, eq=False)
class LinearHead:
    """Softmax regression on frozen features: logits = features W' + b."""

    weight: Array  # (K, d) float64
    bias: Array  # (K,) float64

    def __post_init__(self) -> None:
        weight, bias = frozen_array(self.weight, "float64"), frozen_array(self.bias, "float64")
        if weight.ndim != 2 or bias.shape != (len(weight),) or len(weight) < 2:
            raise ModelError(
                f"A linear head needs weights (classes, features) and one bias per class, at least two "
                f"classes; got {weight.shape} and {bias.shape}."
            )
        if not (np.isfinite(weight).all() and np.isfinite(bias).all()):
            raise ModelError("The head's weights hold values that are not numbers (NaN or infinite).")
        object.__setattr__(self, "weight", weight)
        object.__setattr__(self, "bias", bias)

    @property
    def n_classes(self) -> int:
        return len(self.weight)

    @property
    def n_features(self) -> int:
        return self.weight.shape[1]

    @property
    def n_parameters(self) -> int:
        return (self.n_classes - 1) * (self.n_features + 1)

    @cached_property
    def fingerprint(self) -> str:
        return content_fingerprint(self.weight, self.bias)

    @cached_property
    def contrasts(self) -> Array:
        """C (K-1, K), orthonormal and orthogonal to the constant."""
        return helmert(self.n_classes)

    @cached_property
    def theta(self) -> Array:
        return frozen_array((self.contrasts @ np.column_stack([self.weight, self.bias])).ravel())

    def moved(self, direction: Array) -> LinearHead:
        step = self.contrasts.T @ direction.reshape(self.n_classes - 1, -1)
        return LinearHead(self.weight + step[:, :-1], self.bias + step[:, -1])

    @property
    def arrays(self) -> dict[str, Array]:
        return {"weight": self.weight, "bias": self.bias}

    @property
    def answer_directions(self) -> Array:
        return self.weight[1:] - self.weight[:1]

    @property
    def last(self) -> LinearHead:
        return self

    def hidden(self, features: Array) -> Array:
        return features

    def with_last(self, last: LinearHead) -> LinearHead:
        return last

    def rescaled(self, factor: float) -> LinearHead:
        return LinearHead(self.weight / factor, self.bias)

    def logits(self, features: Array) -> Array:
        return features @ self.weight.T.astype(features.dtype) + self.bias.astype(features.dtype)

    def probabilities(self, features: Array) -> Array:
        return softmax_rows(self.logits(features))

    def losses(self, features: Array, labels: Array) -> Array:
        return -log_softmax(self.logits(features), axis=1)[np.arange(len(labels)), labels]

    def loss_gradient(self, features: Array, labels: Array, weights: Array) -> Array:
        error = label_errors(self.probabilities(features), labels)
        return self.pulled(error * weights[:, None], features)

    def gradient_products(self, features: Array, labels: Array, direction: Array) -> Array:
        # One pass over the features gives the scores and their product with the direction. Both
        # lie (classes, samples): reductions over a handful of classes are fast along that axis.
        width, dtype, expand = self.n_classes - 1, features.dtype, self.contrasts.T.astype(features.dtype)
        both = np.concatenate([self.theta.reshape(width, -1), direction.reshape(width, -1)]).astype(dtype)
        products = np.empty(len(labels))
        for start in range(0, len(labels), BLOCK_ROWS):
            part = slice(start, start + BLOCK_ROWS)
            scores = _row_products(both[:, :-1], features[part]) + both[:, -1:]
            error = softmax(expand @ scores[:width], axis=0)
            error[labels[part], np.arange(scores.shape[1])] -= 1
            np.einsum("kn,kn->n", error, expand @ scores[width:], out=products[part], dtype="float64")
        return products

    def leave_one_out_products(
        self, features: Array, labels: Array, direction: Array, inverse: Array, share: float
    ) -> Array:
        # A sample's curvature is U M U' with U = I (x) x, its gradient U e. By Woodbury
        # (A - share U M U')^-1 U e = A^-1 U (I - share M V)^-1 e with V = U' A^-1 U.
        width, size = self.n_classes - 1, self.n_features + 1
        columns = inverse.reshape(width, size, width * size)
        products = np.empty(len(labels))
        for start in range(0, len(labels), BLOCK_ROWS):
            part = slice(start, start + BLOCK_ROWS)
            x = np.column_stack([features[part], np.ones(len(features[part]))])
            error = label_errors(self.probabilities(x[:, :-1]), labels[part]) @ self.contrasts.T
            inner = self._inner(x[:, :-1], np.full(len(x), share))
            reach = np.stack(
                [np.einsum("nla,na->nl", (x @ c).reshape(len(x), width, size), x) for c in columns], axis=1
            )
            solved = np.linalg.solve(np.eye(width) - inner @ reach, error[..., None])[..., 0]
            products[part] = np.einsum("nk,nk->n", solved, x @ direction.reshape(width, size).T)
        return products

    def probability_gradient(self, features: Array, labels: Array, weights: Array) -> Array:
        probabilities = self.probabilities(features)
        own = probabilities[np.arange(len(labels)), labels]
        return self.pulled(-label_errors(probabilities, labels) * (own * weights)[:, None], features)

    def hessian(self, features: Array, weights: Array, products: HessianProducts = "float64") -> Array:
        """In float32 the products of a block take half the time, and their sums, in float64, are right to 1e-6."""
        width, size = self.n_classes - 1, self.n_features + 1
        total = np.zeros((width, size, width, size))
        for start in range(0, len(features), BLOCK_ROWS):
            part = slice(start, start + BLOCK_ROWS)
            x = np.column_stack([features[part], np.ones(len(features[part]))]).astype(products, copy=False)
            inner = self._inner(x[:, :-1], weights[part])
            for j in range(width):
                for k in range(j + 1):
                    cross = (x * inner[:, j, k, None]).T @ x if j != k else weighted_square(x, inner[:, j, j])
                    total[j, :, k, :] += cross
                    if j != k:
                        total[k, :, j, :] += cross
        return total.reshape(self.n_parameters, self.n_parameters)

    def hessian_operator(self, features: Array, weights: Array) -> Callable[[Array], Array]:
        p, weight_column = self.probabilities(features), weights.astype(features.dtype)[:, None]

        def product(direction: Array) -> Array:
            bent = softmax_bend(p, self.pushed(direction, features))
            return self.pulled(bent * weight_column, features)

        return product

    def preconditioner(self, features: Array, weights: Array, damping: float) -> Callable[[Array], Array]:
        # Of C (diag p - p p') C' only the sum over the samples and each one's trace, sum p (1 - p), are needed: the
        # matrices of single samples, (K-1)^2 numbers each, are never made. The diagonal of the sum is not taken from
        # the product: of sure samples p - p^2 would be what rounding leaves.
        size, classes = self.n_features + 1, self.n_classes
        own, outer, square = np.zeros(classes), np.zeros((classes, classes)), np.zeros((size, size))
        for start in range(0, len(features), BLOCK_ROWS):
            part = slice(start, start + BLOCK_ROWS)
            x = np.column_stack([features[part], np.ones(len(features[part]), features.dtype)])
            p = self.probabilities(features[part])
            weighted = p * weights[part, None].astype(p.dtype)
            outer += weighted.T @ p
            bent = weighted * (1 - p)
            own += bent.sum(axis=0, dtype="float64")
            square += weighted_square(x, bent.sum(axis=1, dtype="float64"))
        np.fill_diagonal(outer, -own)
        inner = self.contrasts @ -outer @ self.contrasts.T
        return KroneckerCurvature(per_unit_of(inner), square, damping).solve

    def pushed(self, direction: Array, features: Array) -> Array:
        """Change of the logits along `direction` (p,), less its mean over the classes, (n, K)."""
        matrix = direction.reshape(self.n_classes - 1, -1).astype(features.dtype)
        return (features @ matrix[:, :-1].T + matrix[:, -1]) @ self.contrasts.astype(features.dtype)

    def pulled(self, slopes: Array, features: Array) -> Array:
        """The other way: slopes by each sample's logits (n, K) as one by the parameters, (p,)."""
        gradient = np.column_stack([slopes.T.astype(features.dtype) @ features, slopes.sum(axis=0)])
        return (self.contrasts @ gradient.astype("float64")).ravel()

    def _inner(self, features: Array, weights: Array) -> Array:
        """C (diag p - p p') C' times weight, per sample: (n, K-1, K-1)."""
        p, c = self.probabilities(features), self.contrasts.astype(features.dtype)
        projected = p @ c.T
        outer = np.einsum("jk,nk,lk->njl", c, p, c, optimize=True)
        outer -= projected[:, :, None] * projected[:, None, :]
        return outer * weights[:, None, None].astype(features.dtype)

    def __repr__(self) -> str:
        return one_line(self, f"{self.n_classes} classes", f"{self.n_features} features")


def label_errors(probabilities: Array, labels: Array) -> Array:
    """Slope of the loss by each sample's logits, (n, K): probabilities less 1 at the label."""
    error = probabilities.copy()
    error[np.arange(len(labels)), labels] -= 1
    return error


def softmax_bend(probabilities: Array, change: Array) -> Array:
    """(diag p - p p') times each sample's change of logits, (n, K)."""
    return probabilities * (change - np.einsum("nk,nk->n", probabilities, change)[:, None])


def _row_products(rows: Array, features: Array) -> Array:
    """Rows (r, d) times features (n, d), shape (r, n). BLAS spends more on preparing a product
    this narrow than on computing it, so that one or two rows are faster one at a time."""
    if len(rows) <= 2:
        return np.stack([features @ row for row in rows])
    return np.ascontiguousarray((features @ rows.T).T)
