"""Solving with a linear head's curvature in a few passes over many samples.

Conjugate gradients, eased by the exact curvature of some random samples: it is so close to that of all that about five
products with the latter suffice. Each reads the features once, in blocks that stay in the processor's cache, and what
it says of each sample adds up to the scores, which take no pass of their own. The answer is good enough for the order
of scores; what needs more solves with `fmd_core.heads.curvature` of all samples.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from itertools import count

import numpy as np
from scipy.linalg import LinAlgError, cho_factor, cho_solve
from scipy.special import softmax

from fmd_core.data import Array
from fmd_core.heads.linear import LinearHead

MANY_ROWS = 50_000
"""From here on it is faster than a dense factor, or products with all samples at every step (measured)."""
FEWEST_PARAMETERS = 128  # below, a dense factor costs no more than the passes
SAMPLE, NESTED_SAMPLE = 8_192, 16_384
COMPARED = 256  # samples, to know others by
SEED = 0
BLOCK_ROWS = 1_024
SLOPE_ROWS = 16_384  # of what is small for each sample
RELATIVE_RESIDUAL = 2e-3
"""Scores of 162,770 samples then keep their order to 4e-6 (1 - Spearman), within 2e-3 of the largest (measured)."""
TRUSTED_RESIDUAL = 4e-3  # of the answer put back in
TRUSTED_DRIFT = 1e-4
"""Up to here the residual that conjugate gradients keep is that of the answer, and it is not put back in."""
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
        passes, rows, largest = count(1), self._rows, 0.0
        walked = _Walked()  # of this request alone: several ask at once

        def product(direction: Array) -> Array:
            nonlocal largest
            progress(min(0.95, next(passes) / USUAL_PASSES))
            bent = rows.product(direction, walked)
            largest = max(largest, float(direction @ bent) / float(direction @ direction))
            return bent

        found = conjugate_gradients(
            product, rhs, self._ease, RELATIVE_RESIDUAL, MOST_PRODUCTS, taken=walked.take
        )
        # How far rounding may have led the residual off (van der Vorst and Ye, SIAM J. Sci. Comput. 2000).
        drift = np.finfo(rows.features.dtype).eps * largest * np.linalg.norm(found) / np.linalg.norm(rhs)
        if not drift <= TRUSTED_DRIFT:
            left = np.linalg.norm(rows.product(found) - rhs)
            if not left <= TRUSTED_RESIDUAL * np.linalg.norm(rhs):  # also where it is not a number
                raise NotSolved
        return rows.loss_slopes(labels, walked)

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
            every = slice(None, None, max(1, len(some.features) // SAMPLE))  # fewer are enough for a factor
            shares = some.weights[every] * (len(some.weights) / len(some.weights[every]))
            inverse = some.head.preconditioner(some.features[every], shares, some.damping)
            inverse(np.zeros(some.head.n_parameters))
        except (LinAlgError, ValueError) as error:  # not positive; not finite
            raise NotSolved from error
        return lambda rhs: conjugate_gradients(
            some.product, rhs, inverse, NESTED_RESIDUAL, NESTED_PRODUCTS, strict=False
        )


class _Walked:
    """What the steps of one request do to each sample's logits, in contrasts."""

    def __init__(self) -> None:
        self.change: Array | None = None
        """Along the direction that was multiplied last, (K - 1, n)."""
        self.moved: Array | None = None
        """All steps taken, (K - 1, n)."""

    def take(self, step: float) -> None:
        """Move along the direction that was multiplied last."""
        if self.change is None:
            raise ValueError("no product was made yet")
        taken = self.change.dtype.type(step) * self.change
        self.moved = taken if self.moved is None else self.moved + taken


class _Rows:
    """Samples, and the product of their damped curvature with a direction. What is small for each sample lies (classes,
    samples): reductions over a handful of classes are fast along that axis."""

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

    def product(self, direction: Array, walked: _Walked | None = None) -> Array:
        """(H + damping I) times `direction` (p,); `walked` is told what the direction does to each sample."""
        head, dtype, n = self.head, self.features.dtype, len(self.features)
        width, contrasts = head.n_classes - 1, head.contrasts.astype(dtype)
        own, turned = (v.reshape(width, -1).astype(dtype) for v in (head.theta, direction))
        is_first, total = self._probabilities is None, np.zeros((width, head.n_features + 1))
        answers = np.empty((head.n_classes, n), dtype) if self._probabilities is None else self._probabilities
        changes = np.empty((width, n), dtype)
        for start in range(0, n, BLOCK_ROWS):
            part = slice(start, start + BLOCK_ROWS)
            x = self.features[part]
            if is_first:  # in the pass that reads the features anyway
                answers[:, part] = softmax(contrasts.T @ _scores(x, own), axis=0)
            changes[:, part] = change = _scores(x, turned)
            bent = self._bent(answers[:, part], change, self.weights[part], contrasts)
            total[:, :-1] += bent[0] @ x if width == 1 else bent @ x
            total[:, -1] += bent.sum(axis=1)
        self._probabilities = answers
        if walked is not None:
            walked.change = changes
        return total.ravel() + self.damping * direction

    def loss_slopes(self, labels: Array, walked: _Walked) -> Array:
        """Slope of each sample's loss along all steps taken, (n,)."""
        found = np.zeros(len(labels))
        if self._probabilities is None or walked.moved is None:
            return found
        expand = self.head.contrasts.T.astype(self.features.dtype)
        for start in range(0, len(labels), SLOPE_ROWS):
            part = slice(start, start + SLOPE_ROWS)
            change = expand @ walked.moved[:, part]
            found[part] = _error_products(self._probabilities[:, part], labels[part], change)
        return found

    def _bent(self, p: Array, change: Array, weights: Array, contrasts: Array) -> Array:
        """Curvature in contrasts, weight C (diag p - p p') C', times each sample's change, (K - 1, b)."""
        if len(change) == 1:  # the same of two classes
            return np.asarray(2 * weights * p[0] * p[1] * change)
        spread = contrasts.T @ change
        spread -= np.einsum("kn,kn->n", p, spread)
        spread *= p
        spread *= weights
        return np.asarray(contrasts @ spread)


def _error_products(p: Array, labels: Array, change: Array) -> Array:
    """Each sample's sum of (p_k - [k is the label]) change_k, (b,), as a sum over the other classes: p - 1 of a sure
    sample is what rounding leaves."""
    beyond = change - change[labels, np.arange(len(labels))]
    return np.asarray(np.einsum("kn,kn->n", p, beyond))


def _scores(x: Array, matrix: Array) -> Array:
    """What samples (b, d) score along the rows of a matrix (k, d + 1) with a constant, (k, b)."""
    if len(matrix) == 1:  # BLAS spends more on preparing so narrow a product than on computing it
        return np.asarray((x @ matrix[0, :-1] + matrix[0, -1])[None])
    return np.asarray(matrix[:, :-1] @ x.T + matrix[:, -1:])


def conjugate_gradients(
    product: Product,
    rhs: Array,
    ease: Product,
    residual: float,
    most: int,
    *,
    strict: bool = True,
    taken: Callable[[float], None] = lambda step: None,  # noqa: ARG005
) -> Array:
    """Flexible conjugate gradients (Notay, SIAM J. Sci. Comput. 2000): what eases them need not be linear, as conjugate
    gradients are not. `taken` is told each step along the direction that was multiplied last. Raises NotSolved where
    `most` products do not suffice, unless any answer will do."""
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
        taken(step)
        before, left = left, left - step * bent
        eased = ease(left)
        direction = eased + float(eased @ (left - before)) / slope * direction
    if strict and not np.linalg.norm(left) <= aimed:
        raise NotSolved
    return found
