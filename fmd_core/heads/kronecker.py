"""Weighted squares of features, and the Kronecker products that stand in for a curvature.

A layer's curvature, the sum over samples of bend_i (x) x_i x_i', is nearly inner (x) square: `inner`
(k, k) says how the loss bends in what the layer gives out, `square` (d, d) is the weighted square of
what goes in (Martens and Grosse 2015). A sample counts in the square as much as its own bend does:
where a model is sure of most samples, the few others make the curvature.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.linalg import eigh

from fmd_core.data import Array

ALL_VECTORS = "evd"
"""LAPACK's divide and conquer: of all eigenvectors at once the quickest."""


def weighted_square(x: Array, weights: Array) -> Array:
    """X' diag(weights) X (d, d) for weights >= 0: one matrix times its own transpose, which BLAS
    does at half the cost."""
    root = x * np.sqrt(np.maximum(weights, 0))[:, None].astype(x.dtype)
    return root.T @ root


def per_unit_of(inner: Array) -> Array:
    """A bend (k, k) with a trace of 1: the square carries how much there is."""
    return inner / max(float(np.trace(inner)), np.finfo("float64").tiny)


@dataclass(frozen=True, eq=False)
class KroneckerCurvature:
    """inner (x) square + damping I, both factors symmetric and semidefinite, ready to solve with
    and to measure in: a step of length 1 in its coordinates bends the loss by about 1/2."""

    inner: Array  # (k, k)
    square: Array  # (d, d)
    damping: float

    @cached_property
    def _parts(self) -> tuple[Array, Array, Array]:
        """Eigenvectors of both factors, and the square roots of the eigenvalues of the whole (k, d)."""
        inner_values, inner_vectors = eigh(self.inner, driver=ALL_VECTORS)
        square_values, square_vectors = eigh(self.square, driver=ALL_VECTORS)
        values = np.outer(np.maximum(inner_values, 0), np.maximum(square_values, 0)) + self.damping
        return inner_vectors, square_vectors, np.sqrt(values)

    def solve(self, vector: Array) -> Array:
        """The inverse times `vector` (k d,)."""
        return self.leave(self.slope(vector))

    def enter(self, theta: Array) -> Array:
        """Coordinates (k d,) of the parameters in which the curvature is the identity."""
        inner, square, root = self._parts
        return ((inner.T @ theta.reshape(root.shape) @ square) * root).ravel()

    def leave(self, coordinates: Array) -> Array:
        """The parameters (k d,) at some coordinates."""
        inner, square, root = self._parts
        return (inner @ (coordinates.reshape(root.shape) / root) @ square.T).ravel()

    def slope(self, gradient: Array) -> Array:
        """A gradient by the parameters as one by the coordinates, (k d,)."""
        inner, square, root = self._parts
        return ((inner.T @ gradient.reshape(root.shape) @ square) / root).ravel()
