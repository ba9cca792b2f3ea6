"""The fit of a linear head, the problem of `fmd_core.heads.fitting` where it is strictly convex: a trust-region
Newton method (scipy) in coordinates where the curvature of the features is the identity, so that a
handful of conjugate-gradient steps suffice.
"""

from __future__ import annotations

import numpy as np
from scipy.linalg import LinAlgError, cholesky, helmert, solve_triangular
from scipy.special import logsumexp

from fmd_core.data import Array
from fmd_core.errors import SolverError
from fmd_core.heads.fit_problem import ConvexProblem
from fmd_core.heads.linear import LinearHead

GRADIENT_TOLERANCE = 1e-8


def fit_linear(
    start: LinearHead, problem: ConvexProblem, anchor: Array | None, consistency: float
) -> LinearHead:
    """The only minimum, whatever the start. Raises SolverError, which names the damping."""
    whitened = _Whitened(problem, start.n_classes, anchor, consistency)
    from scipy.optimize import minimize  # half a second to import, and a first page needs none of it

    result = minimize(
        whitened.value_and_gradient,
        whitened.enter(start.theta),
        jac=True,
        hessp=whitened.hessian_product,
        method="trust-ncg",
        options={"gtol": GRADIENT_TOLERANCE, "maxiter": 300, "initial_trust_radius": 10.0},
    )
    # trust-ncg also stops when rounding hides any further progress: near enough is converged.
    slope = float(np.abs(result.jac).max())
    if not np.isfinite(result.fun) or not (result.success or slope < 1e4 * GRADIENT_TOLERANCE):
        raise SolverError(
            f"The head could not be fitted at damping = {problem.damping:g} "
            f"(slope {slope:.1e} left); raise damping tenfold."
        )
    return start.moved(whitened.leave(result.x) - start.theta)


class _Whitened:
    """The problem in coordinates phi = theta R, where R R' bounds the features' curvature. The features
    stay as they are: the small matrix is turned instead, so that another strength costs a Cholesky factor
    and no pass over the samples."""

    def __init__(
        self, problem: ConvexProblem, n_classes: int, anchor: Array | None, consistency: float
    ) -> None:
        square = consistency * problem.contrast_square
        identity = np.eye(len(square))
        try:
            self.root = cholesky(problem.square / n_classes + square + problem.damping * identity, lower=True)
        except LinAlgError as error:
            raise SolverError(
                f"The features are nearly dependent at damping = {problem.damping:g}; raise damping tenfold."
            ) from error
        self.inverse_root = solve_triangular(self.root, identity, lower=True)
        self.contrasts = helmert(n_classes)  # (K-1, K)
        self.x, self.coarse_x = problem.inputs, problem.coarse_inputs
        self.labels, self.weights = problem.labels, problem.weights
        self.coarse_weights = problem.weights.astype("float32")[:, None]
        self.coarse_contrasts = self.contrasts.astype("float32")
        self.decay = problem.damping * self.inverse_root @ self.inverse_root.T
        self.quadratic = self.inverse_root @ square @ self.inverse_root.T + self.decay
        self.pull = (
            np.zeros((n_classes - 1, len(square))) if anchor is None else self._shaped(anchor) @ self.root
        )

    def enter(self, theta: Array) -> Array:
        return (self._shaped(theta) @ self.root).ravel()

    def leave(self, phi: Array) -> Array:
        return (self._shaped(phi) @ self.inverse_root).ravel()

    def value_and_gradient(self, phi: Array) -> tuple[float, Array]:
        self.at, matrix = phi.copy(), self._shaped(phi)
        logits = self.x @ (matrix @ self.inverse_root).T @ self.contrasts
        normaliser = logsumexp(logits, axis=1)
        error = np.exp(logits - normaliser[:, None])
        self.coarse_p = error.astype("float32")
        picked = np.arange(len(self.labels)), self.labels
        error[picked] -= 1
        pulled = (error * self.weights[:, None]) @ self.contrasts.T  # one column less than classes
        slope = pulled.T @ self.x @ self.inverse_root.T
        bend, back = matrix @ self.quadratic, self.pull @ self.decay
        value = self.weights @ (normaliser - logits[picked])
        # damping/2 |theta - anchor|^2, expanded so that both quadratics share one product
        value += 0.5 * np.vdot(matrix, bend) - np.vdot(matrix, back) + 0.5 * np.vdot(self.pull, back)
        return float(value), (slope + bend - back).ravel()

    def hessian_product(self, phi: Array, direction: Array) -> Array:
        """In float32: that bends the way to the minimum a little, and not where it lies."""
        if not np.array_equal(phi, self.at):  # a rejected step was evaluated in between
            self.value_and_gradient(phi)
        matrix, p, contrasts = self._shaped(direction), self.coarse_p, self.coarse_contrasts
        change = self.coarse_x @ (matrix @ self.inverse_root).T.astype("float32") @ contrasts
        change -= np.einsum("nk,nk->n", p, change)[:, None]
        change *= p
        change *= self.coarse_weights
        slope = (change @ contrasts.T).T @ self.coarse_x @ self.inverse_root.T
        return (slope + matrix @ self.quadratic).ravel()

    def _shaped(self, vector: Array) -> Array:
        return vector.reshape(len(self.contrasts), -1)
