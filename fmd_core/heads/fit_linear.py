"""The fit of a linear head, the problem of `fmd_core.heads.fitting` where it is strictly convex: a trust-region
Newton method (scipy) in coordinates where the curvature of the features is the identity, so that a
handful of conjugate-gradient steps suffice.
"""

from __future__ import annotations

import numpy as np
from scipy.linalg import LinAlgError, cholesky, helmert, solve_triangular
from scipy.linalg.blas import dtrmm
from scipy.special import log_softmax

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
    and no pass over the samples. What is small for each sample lies (classes, samples): reductions over a handful of
    classes are fast along that axis."""

    def __init__(
        self, problem: ConvexProblem, n_classes: int, anchor: Array | None, consistency: float
    ) -> None:
        identity = np.eye(len(problem.square))
        quadratic = consistency * problem.contrast_square + problem.damping * identity
        try:
            self.root = cholesky(problem.square / n_classes + quadratic, lower=True)
        except LinAlgError as error:
            raise SolverError(
                f"The features are nearly dependent at damping = {problem.damping:g}; raise damping tenfold."
            ) from error
        self.inverse_root = solve_triangular(self.root, identity, lower=True)
        # turned, it is no more than the identity, however strong: nothing of it is lost by rounding
        half = dtrmm(1.0, self.inverse_root, quadratic, lower=True)
        self.quadratic = dtrmm(1.0, self.inverse_root, half, side=True, lower=True, trans_a=True)
        self.contrasts = helmert(n_classes)  # (K-1, K)
        self.x, self.coarse_x = problem.inputs, problem.coarse_inputs
        self.weights, self.coarse_weights = problem.weights, problem.weights.astype("float32")
        self.picked = problem.labels, np.arange(len(problem.labels))
        self.coarse_contrasts = self.contrasts.astype("float32")
        pull = np.zeros((n_classes - 1, len(identity))) if anchor is None else self._shaped(anchor)
        self.back = problem.damping * pull @ self.inverse_root.T
        self.pulled = 0.5 * problem.damping * float(np.vdot(pull, pull))

    def enter(self, theta: Array) -> Array:
        return (self._shaped(theta) @ self.root).ravel()

    def leave(self, phi: Array) -> Array:
        return (self._shaped(phi) @ self.inverse_root).ravel()

    def value_and_gradient(self, phi: Array) -> tuple[float, Array]:
        self.at, matrix = phi.copy(), self._shaped(phi)
        theta = matrix @ self.inverse_root
        said = log_softmax(self.contrasts.T @ _scores(theta, self.x), axis=0)
        error = np.exp(said)
        self.coarse_p = error.astype("float32")
        error[self.picked] -= 1
        pulled = _products(self.contrasts @ (error * self.weights), self.x)  # one row less than classes
        slope, bend = pulled @ self.inverse_root.T, matrix @ self.quadratic
        # damping/2 |theta - anchor|^2, expanded so that both quadratics share one product
        value = 0.5 * np.vdot(matrix, bend) - np.vdot(matrix, self.back) + self.pulled
        value -= self.weights @ said[self.picked]
        return float(value), (slope + bend - self.back).ravel()

    def hessian_product(self, phi: Array, direction: Array) -> Array:
        """In float32: that bends the way to the minimum a little, and not where it lies."""
        if not np.array_equal(phi, self.at):  # a rejected step was evaluated in between
            self.value_and_gradient(phi)
        matrix, p, contrasts = self._shaped(direction), self.coarse_p, self.coarse_contrasts
        change = contrasts.T @ _scores((matrix @ self.inverse_root).astype("float32"), self.coarse_x)
        change -= np.einsum("kn,kn->n", p, change)
        change *= p
        change *= self.coarse_weights
        slope = _products(contrasts @ change, self.coarse_x) @ self.inverse_root.T
        return (slope + matrix @ self.quadratic).ravel()

    def _shaped(self, vector: Array) -> Array:
        return vector.reshape(len(self.contrasts), -1)


def _scores(theta: Array, x: Array) -> Array:
    """What samples x (n, d) score along the rows of theta (k, d), (k, n)."""
    if len(theta) == 1:  # BLAS spends more on preparing so narrow a product than on computing it
        return np.asarray((x @ theta[0])[None])
    return np.asarray(theta @ x.T)


def _products(weights: Array, x: Array) -> Array:
    """Sums (k, d) of samples x (n, d), each as often as `weights` (k, n) says."""
    if len(weights) == 1:
        return np.asarray((weights[0] @ x)[None])
    return np.asarray(weights @ x)
