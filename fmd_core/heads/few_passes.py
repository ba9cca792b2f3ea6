"""Solving with a linear head's curvature in a few passes over many samples.

Conjugate gradients, eased by the exact curvature of some random samples: it is so close to that of all that about six
products with the latter suffice. Each reads the features once, in blocks that stay in the processor's cache. The answer
is good enough for the order of scores; what needs more solves with `fmd_core.heads.curvature` of all samples.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from itertools import count

import numpy as np
from scipy.linalg import LinAlgError, cho_factor, cho_solve

from fmd_core.data import Array
from fmd_core.heads.linear import LinearHead, softmax_bend
from fmd_core.heads.softmax import softmax_rows

MANY_ROWS = 50_000
"""From here on it is faster than a dense factor, or products with all samples at every step (measured)."""
FEWEST_PARAMETERS = 128  # below, a dense factor costs no more than the passes
SAMPLE, NESTED_SAMPLE = 8_192, 16_384
COMPARED = 256  # samples, to know others by
SEED = 0
BLOCK_ROWS = 1_024
RELATIVE_RESIDUAL = 2e-3
"""Scores of 162,770 samples then keep their order to 4e-6 (1 - Spearman), within 2e-3 of the largest (measured)."""
TRUSTED_RESIDUAL = 4e-3  # of the answer put back in
NESTED_RESIDUAL, NESTED_PRODUCTS = 0.1, 50
MOST_PRODUCTS, USUAL_PASSES = 40, 8
Product = Callable[[Array], Array]


class NotSolved(Exception):
    """The few passes did not suffice: another way is taken."""


class FewPasses:
    """Damped curvature of a linear head on many samples, for one right-hand side or two."""

    def __init__(
        self, head: LinearHead, features: Array, weights: Array, damping: float, dense_parameters: int
    ) -> None:
        self._rows = _Rows(head, features, weights, damping)
        self._dense = head.n_parameters <= dense_parameters

    def are_these(self, features: Array) -> bool:
        """Whether these (n, d) are the samples of the curvature, whose products come of its own passes: by shape and by
        some of them, since what was let go and read again is another array with the same content."""
        ours = self._rows.features
        if features is ours or features.shape != ours.shape:
            return features is ours
        some = np.linspace(0, len(ours) - 1, min(len(ours), COMPARED)).astype(int)
        return np.array_equal(features[some], ours[some])

    def gradient_products(self, rhs: Array, labels: Array, progress: Callable[[float], None]) -> Array:
        """Each sample's loss gradient times x (p,), with (H + damping I) x = `rhs` up to `RELATIVE_RESIDUAL`, (n,).
        Raises NotSolved."""
        passes = count(1)

        def product(direction: Array) -> Array:
            progress(min(0.95, next(passes) / USUAL_PASSES))
            return self._rows.product(direction)

        found = conjugate_gradients(product, rhs, self._ease, RELATIVE_RESIDUAL, MOST_PRODUCTS)
        products = np.empty(len(labels))
        left = np.linalg.norm(self._rows.product(found, labels, products) - rhs)
        if not left <= TRUSTED_RESIDUAL * np.linalg.norm(rhs):  # also where it is not a number
            raise NotSolved
        return products

    @cached_property
    def _ease(self) -> Product:
        """The curvature of some samples, solved with: a factor, or other conjugate gradients on those."""
        some = self._rows.some(SAMPLE if self._dense else NESTED_SAMPLE)
        try:
            if self._dense:
                matrix = some.head.hessian(some.features, some.weights, "float32")
                matrix[np.diag_indices_from(matrix)] += some.damping
                factor = cho_factor(matrix, lower=True, overwrite_a=True)
                return lambda rhs: cho_solve(factor, rhs)
            inverse = some.head.preconditioner(some.features, some.weights, some.damping)
            inverse(np.zeros(some.head.n_parameters))
        except (LinAlgError, ValueError) as error:  # not positive; not finite
            raise NotSolved from error
        return lambda rhs: conjugate_gradients(
            some.product, rhs, inverse, NESTED_RESIDUAL, NESTED_PRODUCTS, strict=False
        )


class _Rows:
    """Samples, and the product of their damped curvature with a direction."""

    def __init__(self, head: LinearHead, features: Array, weights: Array, damping: float) -> None:
        self.head, self.features, self.damping = head, features, damping
        self.weights = weights.astype(features.dtype)
        self._probabilities: Array | None = None

    def some(self, n: int) -> _Rows:
        """Random ones, who weigh as much as all."""
        rows = np.random.default_rng(SEED).permutation(len(self.features))[:n]
        rows.sort()  # they may lie in a file
        weights = self.weights[rows]
        raised = weights * (self.weights.sum(dtype="float64") / weights.sum(dtype="float64"))
        return _Rows(self.head, self.features[rows], raised, self.damping)

    def product(self, direction: Array, labels: Array | None = None, products: Array | None = None) -> Array:
        """(H + damping I) times `direction` (p,). With labels (n,) the samples' loss gradients times the direction are
        written into `products` (n,): the same numbers of each sample make both."""
        head, dtype, n = self.head, self.features.dtype, len(self.features)
        width, contrasts = head.n_classes - 1, head.contrasts.astype(dtype)
        own, turned = (v.reshape(width, -1).astype(dtype) for v in (head.theta, direction))
        is_first, total = self._probabilities is None, np.zeros((width, head.n_features + 1))
        answers = np.empty((n, head.n_classes), dtype) if self._probabilities is None else self._probabilities
        for start in range(0, n, BLOCK_ROWS):
            part = slice(start, start + BLOCK_ROWS)
            x = self.features[part]
            if is_first:  # in the pass that reads the features anyway
                answers[part] = softmax_rows(_scores(x, own) @ contrasts)
            change = _scores(x, turned)
            bent = self._bent(answers[part], change, self.weights[part], contrasts)
            total[:, :-1] += (bent[:, 0] @ x)[None] if width == 1 else bent.T @ x
            total[:, -1] += bent.sum(axis=0)
            if labels is not None and products is not None:
                products[part] = _error_products(answers[part], labels[part], change @ contrasts)
        self._probabilities = answers
        return total.ravel() + self.damping * direction

    def _bent(self, p: Array, change: Array, weights: Array, contrasts: Array) -> Array:
        """Curvature in contrasts, weight C (diag p - p p') C', times each sample's change, (b, K - 1)."""
        if change.shape[1] == 1:  # the same of two classes
            return (2 * weights * p[:, 0] * p[:, 1])[:, None] * change
        bent = softmax_bend(p, change @ contrasts)
        bent *= weights[:, None]
        return np.asarray(bent @ contrasts.T)


def _error_products(p: Array, labels: Array, change: Array) -> Array:
    """Each sample's sum of (p_k - [k is the label]) change_k, (b,), as a sum over the other classes: p - 1 of a sure
    sample is what rounding leaves."""
    beyond = change - change[np.arange(len(labels)), labels][:, None]
    return np.asarray(np.einsum("nk,nk->n", p, beyond))


def _scores(x: Array, matrix: Array) -> Array:
    """What samples (b, d) score along the rows of a matrix (k, d + 1) with a constant, (b, k)."""
    if len(matrix) == 1:  # BLAS spends more on preparing so narrow a product than on computing it
        return np.asarray((x @ matrix[0, :-1] + matrix[0, -1])[:, None])
    return np.asarray(x @ matrix[:, :-1].T + matrix[:, -1])


def conjugate_gradients(
    product: Product, rhs: Array, ease: Product, residual: float, most: int, *, strict: bool = True
) -> Array:
    """Flexible conjugate gradients (Notay, SIAM J. Sci. Comput. 2000): what eases them need not be linear, as conjugate
    gradients are not. Raises NotSolved where `most` products do not suffice, unless any answer will do."""
    found, left = np.zeros_like(rhs), rhs
    aimed = residual * float(np.linalg.norm(rhs))
    eased = direction = ease(left)
    for _ in range(most):
        if np.linalg.norm(left) <= aimed:
            return found
        bent = product(direction)
        slope = float(left @ eased)
        if not np.isfinite(slope):
            raise NotSolved
        step = slope / float(direction @ bent)
        found = found + step * direction
        before, left = left, left - step * bent
        eased = ease(left)
        direction = eased + float(eased @ (left - before)) / slope * direction
    if strict and not np.linalg.norm(left) <= aimed:
        raise NotSolved
    return found
