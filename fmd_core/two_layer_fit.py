"""Fits of a two-layer head on fixed features: the problem of `fmd_core.fitting`, which is convex in the
logits but not in the parameters.

Gauss-Newton steps by truncated conjugate gradients within a trust region (scipy); a step is kept
only if the objective itself falls. The coordinates are those in which a layer-wise Kronecker
curvature, an upper bound like that of the linear fit, is the identity (K-FAC, Martens and Grosse 2015).
"""

from __future__ import annotations

import numpy as np
from scipy.special import log_softmax, softmax

from fmd_core.data import Array
from fmd_core.errors import SolverError
from fmd_core.fit_problem import ConvexProblem
from fmd_core.heads import label_errors, softmax_bend
from fmd_core.kronecker import KroneckerCurvature, weighted_square
from fmd_core.mlp_head import MLPHead, with_constant

STEPS = 40
PROGRESS = 1e-4
"""Share of the objective that a step must take off for the search to go on."""
FIRST_RADIUS = 1.0  # a step of this length bends the objective by about 1/2


def fit_two_layers(
    start: MLPHead, problem: ConvexProblem, anchor: Array | None, consistency: float
) -> MLPHead:
    """A head near `start` with a lower objective, at the bottom as far as the gates of the hidden units
    allow; never one with a higher objective. Raises SolverError, which names the damping."""
    from scipy.optimize import minimize  # slow to import

    fit = _TwoLayerFit(start, problem, anchor, consistency)
    seen = [fit.value_and_gradient(fit.enter(start.theta))[0]]

    def slow(intermediate_result: object) -> None:
        value = float(getattr(intermediate_result, "fun", np.nan))
        seen.append(value)
        if 0 < seen[-2] - value < PROGRESS * abs(value):  # a refused step leaves it as it was
            raise StopIteration

    result = minimize(
        fit.value_and_gradient,
        fit.enter(start.theta),
        jac=True,
        hessp=fit.curvature_product,
        method="trust-ncg",
        callback=slow,
        options={"gtol": 1e-6, "maxiter": STEPS, "initial_trust_radius": FIRST_RADIUS},
    )
    if not (np.isfinite(result.fun) and np.isfinite(result.x).all()):
        raise SolverError(
            f"The two layers could not be fitted at damping = {problem.damping:g}; raise damping tenfold."
        )
    return start.moved(fit.leave(result.x) - start.theta)


class _TwoLayerFit:
    """The objective as a function of Kronecker coordinates around the start."""

    def __init__(
        self, start: MLPHead, problem: ConvexProblem, anchor: Array | None, consistency: float
    ) -> None:
        self.start, self.problem = start, problem
        self.anchor = np.zeros(start.n_parameters) if anchor is None else anchor
        weights = problem.contrast_weights
        # without contrasts no term: then nothing below multiplies with them
        self.contrasts = problem.contrasts if consistency and weights is not None else None
        self.contrast_weights = np.zeros(0) if weights is None else consistency * weights
        self.first, self.last = self._layers()

    def _layers(self) -> tuple[KroneckerCurvature, KroneckerCurvature]:
        """Bounds on the curvature of each layer by itself."""
        start, problem = self.start, self.problem
        hidden = start.hidden(problem.features)
        centred = (start.last.contrasts @ start.last.weight).astype("float64")
        on = (hidden > 0).astype(problem.features.dtype)
        together = (on * problem.weights[:, None].astype(on.dtype)).T @ on / problem.weights.sum()
        inner = (centred.T @ centred) * together
        return (
            KroneckerCurvature(inner, self._square(problem.features), problem.damping),
            KroneckerCurvature(np.eye(start.n_classes - 1), self._square(hidden), problem.damping),
        )

    def _square(self, x: Array) -> Array:
        """How a layer's inputs (n, d) let the objective bend, (d + 1, d + 1)."""
        square = weighted_square(with_constant(x), self.problem.weights) / self.start.n_classes
        if self.contrasts is None:
            return square.astype("float64")
        differences = np.pad(self.contrasts @ x, ((0, 0), (0, 1)))  # the constant cancels
        return square + weighted_square(differences, self.contrast_weights)

    def enter(self, theta: Array) -> Array:
        border = self.start.n_hidden_parameters
        return np.concatenate([self.first.enter(theta[:border]), self.last.enter(theta[border:])])

    def leave(self, phi: Array) -> Array:
        border = self.start.n_hidden_parameters
        return np.concatenate([self.first.leave(phi[:border]), self.last.leave(phi[border:])])

    def _slope(self, gradient: Array) -> Array:
        border = self.start.n_hidden_parameters
        return np.concatenate([self.first.slope(gradient[:border]), self.last.slope(gradient[border:])])

    def value_and_gradient(self, phi: Array) -> tuple[float, Array]:
        self.at, theta, problem = phi.copy(), self.leave(phi), self.problem
        self.head = self.start.moved(theta - self.start.theta)
        self.blocks = list(self.head.blocks(problem.features))
        logits = np.concatenate([self.head.last.logits(hidden) for _, _, hidden in self.blocks])
        self.probabilities = softmax(logits, axis=1)
        own = log_softmax(logits.astype("float64"), axis=1)[np.arange(len(logits)), problem.labels]
        moved = self._pulled_apart(logits)
        away = theta - self.anchor
        value = -problem.weights @ own + 0.5 * np.vdot(logits, moved) + 0.5 * problem.damping * away @ away
        slopes = label_errors(self.probabilities, problem.labels) * problem.weights[:, None] + moved
        return float(value), self._slope(self._pulled(slopes) + problem.damping * away)

    def curvature_product(self, phi: Array, direction: Array) -> Array:
        """The Gauss-Newton matrix times a direction, both in coordinates."""
        if not np.array_equal(phi, self.at):  # a rejected step was evaluated in between
            self.value_and_gradient(phi)
        theta = self.leave(direction)
        change = np.concatenate([self.head.pushed(theta, x, hidden) for _, x, hidden in self.blocks])
        bent = softmax_bend(self.probabilities, change) * self.problem.weights[:, None]
        return self._slope(
            self._pulled(bent + self._pulled_apart(change)) + self.problem.damping * theta
        )

    def _pulled(self, slopes: Array) -> Array:
        parts = [self.head.pulled(slopes[part], x, hidden) for part, x, hidden in self.blocks]
        return np.sum(parts, axis=0)

    def _pulled_apart(self, logits: Array) -> Array:
        """Slope by the logits (n, K) of the contrasts' term at some logits; it is linear in them."""
        if self.contrasts is None:
            return np.zeros_like(logits)
        moved = self.contrasts @ logits.astype("float64")
        moved -= moved.mean(axis=1, keepdims=True)
        return self.contrasts.T @ (moved * self.contrast_weights[:, None])
