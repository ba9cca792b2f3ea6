"""Fits of a two-layer head on fixed features: the problem of `fmd_core.heads.fitting`, which is convex in the
logits but not in the parameters.

First the last layer by itself, which is convex. Then both by Gauss-Newton steps: truncated conjugate
gradients within a trust region (scipy), a step kept only if the objective itself falls. The coordinates
are those in which a layer-wise Kronecker curvature, an upper bound like that of the linear fit, is the
identity (K-FAC, Martens and Grosse 2015).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.linalg import LinAlgError, eigh
from scipy.special import log_softmax

from fmd_core.data import Array
from fmd_core.errors import SolverError
from fmd_core.heads.fit_linear import fit_linear
from fmd_core.heads.fit_problem import ConvexProblem
from fmd_core.heads.kronecker import weighted_square
from fmd_core.heads.linear import LinearHead, label_errors, softmax_bend
from fmd_core.heads.two_layer import MLPHead, with_constant

STEPS = 60
PATIENCE, PROGRESS = 5, 0.02
"""The search ends when so many steps together took off less than this share of the objective."""
DEAD = 1e-3  # share of the damping that a direction of the features must bend the objective by to be searched
FIRST_RADIUS = 10.0  # in coordinates where a step of length 1 bends the objective by about 1/2


def fit_two_layers(
    start: MLPHead, problem: ConvexProblem, anchor: Array | None, consistency: float
) -> MLPHead:
    """A head near `start` with a lower objective, at the bottom as far as the gates of the hidden units
    allow; never one with a higher objective. Raises SolverError, which names the damping."""
    from scipy.optimize import minimize  # slow to import

    astray = f"The two layers could not be fitted at damping = {problem.damping:g}; raise damping tenfold."
    start = start.with_last(_last_layer(start, problem, anchor, consistency))
    try:
        fit = _TwoLayerFit(start, problem, anchor, consistency)
    except (LinAlgError, ValueError) as error:  # features so large that their square is not finite
        raise SolverError(astray) from error
    begin = fit.enter(start.theta)
    values = [fit.value_and_gradient(begin)[0]]

    def stop_when_slow(intermediate_result: object) -> None:
        values.append(float(getattr(intermediate_result, "fun", np.nan)))
        if len(values) > PATIENCE and values[-1 - PATIENCE] - values[-1] < PROGRESS * values[-1]:
            raise StopIteration

    result = minimize(
        fit.value_and_gradient,
        begin,
        jac=True,
        hessp=fit.curvature_product,
        method="trust-ncg",
        callback=stop_when_slow,
        options={"gtol": 1e-6, "maxiter": STEPS, "initial_trust_radius": FIRST_RADIUS},
    )
    if not (np.isfinite(result.fun) and np.isfinite(result.x).all()):
        raise SolverError(astray)
    return start.moved(fit.leave(result.x) - start.theta)


def _last_layer(
    start: MLPHead, problem: ConvexProblem, anchor: Array | None, consistency: float
) -> LinearHead:
    """The best last layer on the hidden one as it is. From the original head the joint search is three
    times as long and can be caught in a corner (measured, one model of three on coloured digits)."""
    fixed = replace(problem, features=start.hidden(problem.features))
    held = None if anchor is None else anchor[start.n_hidden_parameters :]
    return fit_linear(start.last, fixed, held, consistency)


class _TwoLayerFit:
    """The objective in coordinates phi.

    What goes into the hidden layer is turned once, onto the eigenvectors of its weighted square; that
    leaves the two-layer form, the damping and the anchor as they are, and makes the Kronecker
    curvature of that layer cheap: rows of phi are turned over the few hidden units only. Directions
    that hardly occur (a pooled convolution has many dead ones) stay at the anchor and cost nothing.
    """

    def __init__(
        self, start: MLPHead, problem: ConvexProblem, anchor: Array | None, consistency: float
    ) -> None:
        self.problem, self.damping = problem, problem.damping
        self.logit_contrasts = start.last.contrasts.astype(problem.features.dtype)  # (K-1, K)
        weights = problem.contrast_weights
        self.contrasts = problem.contrasts if consistency and weights is not None else None
        self.contrast_weights = np.zeros(0) if weights is None else consistency * weights

        x, hidden = with_constant(problem.features), start.hidden(problem.features)
        reach, on = start.last.contrasts @ start.last.weight, (hidden > 0).astype(x.dtype)
        together = (on * problem.weights.astype(x.dtype)[:, None]).T @ on / problem.weights.sum()
        unit_values, self.unit_turn = eigh(reach.T @ reach * together)
        values, turn = eigh(self._square(x, start.n_classes))
        live = values * unit_values.max() > DEAD * self.damping
        self.turn, self.x = turn[:, live], x @ turn[:, live].astype(x.dtype)
        self.scale = np.sqrt(np.outer(np.maximum(unit_values, 0), values[live]) + self.damping)
        last_values, self.last_turn = eigh(self._square(with_constant(hidden), start.n_classes))
        self.last_scale = np.sqrt(np.maximum(last_values, 0) + self.damping)

        self.full, self.border = (len(unit_values), len(values)), start.n_hidden_parameters
        theta = np.zeros(start.n_parameters) if anchor is None else anchor
        self.anchor, first = self.enter(theta), theta[: self.border].reshape(self.full)
        self.still = first - first @ self.turn @ self.turn.T

    def _square(self, x: Array, n_classes: int) -> Array:
        """How much a layer's inputs (n, d) let the objective bend at most, (d, d) float64."""
        square = weighted_square(x, self.problem.weights).astype("float64") / n_classes
        if self.contrasts is not None:
            square += weighted_square(self.contrasts @ x, self.contrast_weights)
        return square

    def enter(self, theta: Array) -> Array:
        """Coordinates of some parameters, both (p,)."""
        first, last = theta[: self.border].reshape(self.full), theta[self.border :]
        last = last.reshape(len(self.logit_contrasts), -1) @ self.last_turn
        first = self.unit_turn.T @ first @ self.turn
        return np.concatenate([(first * self.scale).ravel(), (last * self.last_scale).ravel()])

    def leave(self, phi: Array) -> Array:
        """The parameters at some coordinates, both (p,)."""
        first, last = self._turned(phi)
        return np.concatenate([(first @ self.turn.T + self.still).ravel(), last.ravel()])

    def _turned(self, phi: Array) -> tuple[Array, Array]:
        """Weights on the turned inputs (h, d+1) and, by contrast, on the hidden units (K-1, h+1)."""
        first, last = self._parts(phi)
        return self.unit_turn @ (first / self.scale), (last / self.last_scale) @ self.last_turn.T

    def _parts(self, phi: Array) -> tuple[Array, Array]:
        """Coordinates of the hidden layer (h, live) and of the last one (K-1, h+1)."""
        first = phi[: self.scale.size].reshape(self.scale.shape)
        return first, phi[self.scale.size :].reshape(len(self.logit_contrasts), -1)

    def value_and_gradient(self, phi: Array) -> tuple[float, Array]:
        self.at, problem, dtype = phi.copy(), self.problem, self.x.dtype
        first, last = self._turned(phi)
        hidden = np.maximum(self.x @ first.T.astype(dtype), 0)
        self.on, self.above = hidden > 0, last[:, :-1].astype(dtype)
        self.hidden = with_constant(hidden)
        logits = self.hidden @ last.T.astype(dtype) @ self.logit_contrasts
        by_class = log_softmax(logits.astype("float64"), axis=1)
        self.probabilities = np.exp(by_class).astype(dtype)
        apart = self._apart(logits)
        value = -problem.weights @ by_class[np.arange(len(logits)), problem.labels]
        value += 0.5 * np.vdot(logits, apart)
        away, decay = phi - self.anchor, self._decay(phi - self.anchor)
        slopes = label_errors(self.probabilities, problem.labels) * problem.weights[:, None] + apart
        return float(value + 0.5 * away @ decay), self._pulled(slopes) + decay

    def curvature_product(self, phi: Array, direction: Array) -> Array:
        """The Gauss-Newton matrix times a direction."""
        if not np.array_equal(phi, self.at):  # a rejected step was evaluated in between
            self.value_and_gradient(phi)
        first, last = (part.astype(self.x.dtype) for part in self._turned(direction))
        change = ((self.x @ first.T) * self.on) @ self.above.T + self.hidden @ last.T
        change = change @ self.logit_contrasts
        bent = softmax_bend(self.probabilities, change) * self.problem.weights[:, None]
        return self._pulled(bent + self._apart(change)) + self._decay(direction)

    def _pulled(self, slopes: Array) -> Array:
        """Slopes by the logits (n, K) as one by the coordinates, (p,)."""
        slopes = slopes.astype(self.x.dtype) @ self.logit_contrasts.T
        first = ((slopes @ self.above) * self.on).T @ self.x
        first = self.unit_turn.T @ first.astype("float64") / self.scale
        last = (slopes.T @ self.hidden).astype("float64") @ self.last_turn / self.last_scale
        return np.concatenate([first.ravel(), last.ravel()])

    def _decay(self, phi: Array) -> Array:
        """Slope of damping/2 |theta|^2."""
        first, last = self._parts(phi)
        return self.damping * np.concatenate(
            [(first / self.scale**2).ravel(), (last / self.last_scale**2).ravel()]
        )

    def _apart(self, logits: Array) -> Array:
        """Slope of the contrasts' term by the logits (n, K), in which it is linear."""
        if self.contrasts is None:
            return np.zeros_like(logits)
        moved = self.contrasts @ logits.astype("float64")
        return self.contrasts.T @ (moved * self.contrast_weights[:, None])
