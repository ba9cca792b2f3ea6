"""The last two layers as a head: hidden = relu(x W' + b), then a linear head on them.

theta is [W b] (h, d+1) flattened, then the linear head's contrast coordinates. The loss is no longer
convex in theta, and its curvature here is the Gauss-Newton matrix: sum of w J' (diag p - p p') J, J
the slope of the logits by theta. It is what is left of the Hessian when the network is taken as its
tangent: never indefinite, and equal to it wherever the loss is flat in the logits.

Features stay in their own precision, a block of rows at a time, and are summed over blocks in float64.
Where a matrix is built and factored, all is float64: in float32 a saturated network's curvature is off
by more than a small damping (measured: 8e-6 of its largest eigenvalue).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from fmd_core.data import Array, content_fingerprint, frozen_array
from fmd_core.errors import ModelError
from fmd_core.heads.kronecker import KroneckerCurvature, per_unit_of, weighted_square
from fmd_core.heads.linear import BLOCK_ROWS, LinearHead, label_errors, softmax_bend
from fmd_core.showing import one_line

JACOBIAN_NUMBERS = 4_000_000
"""Slopes of logits by parameters that are held at once, where they are built at all."""

EASE = 30
"""How often the damping counts in the preconditioner. Few samples bend a network that is sure of most,
and a Kronecker product spreads their bend over directions where there is none; with 30, conjugate
gradients need a third fewer products than with 1 (measured: 322 to 234 and 206 to 155)."""


@dataclass(frozen=True, eq=False)
class MLPHead:
    """Two layers on frozen features (n, d): h hidden units, then `last` on those."""

    hidden_weight: Array  # (h, d) float64
    hidden_bias: Array  # (h,) float64
    last: LinearHead

    def __post_init__(self) -> None:
        weight, bias = frozen_array(self.hidden_weight, "float64"), frozen_array(self.hidden_bias, "float64")
        if weight.ndim != 2 or bias.shape != (len(weight),) or len(weight) != self.last.n_features:
            raise ModelError(
                "A hidden layer needs weights (units, features), one bias per unit, and a last layer that reads "
                f"these units; got {weight.shape}, {bias.shape} and a last layer of {self.last.n_features}."
            )
        if not (np.isfinite(weight).all() and np.isfinite(bias).all()):
            raise ModelError("The hidden layer's weights hold values that are not numbers (NaN or infinite).")
        object.__setattr__(self, "hidden_weight", weight)
        object.__setattr__(self, "hidden_bias", bias)

    @property
    def n_classes(self) -> int:
        return self.last.n_classes

    @property
    def n_features(self) -> int:
        return self.hidden_weight.shape[1]

    @property
    def n_hidden_parameters(self) -> int:
        """How many parameters, the first ones of theta, belong to the hidden layer."""
        return self.hidden_weight.size + self.hidden_bias.size

    @property
    def n_parameters(self) -> int:
        return self.n_hidden_parameters + self.last.n_parameters

    @cached_property
    def fingerprint(self) -> str:
        return content_fingerprint(self.hidden_weight, self.hidden_bias, self.last.fingerprint)

    @cached_property
    def theta(self) -> Array:
        hidden = np.column_stack([self.hidden_weight, self.hidden_bias])
        return frozen_array(np.concatenate([hidden.ravel(), self.last.theta]))

    def moved(self, direction: Array) -> MLPHead:
        step, rest = self._split(direction)
        return MLPHead(
            self.hidden_weight + step[:, :-1], self.hidden_bias + step[:, -1], self.last.moved(rest)
        )

    def hidden(self, features: Array) -> Array:
        """What the hidden layer makes of features, (n, h), in their own precision."""
        dtype = features.dtype
        return np.maximum(features @ self.hidden_weight.T.astype(dtype) + self.hidden_bias.astype(dtype), 0)

    def concatenated(self) -> LinearHead:
        """The same answers as a linear head on `concatenated_features`: no weight on the features yet.

        Fitting it is convex, and reaches what the hidden layer threw away.
        """
        unread = np.zeros((self.n_classes, self.n_features))
        return LinearHead(np.column_stack([unread, self.last.weight]), self.last.bias)

    def concatenated_features(self, features: Array) -> Array:
        """[features, hidden], (n, d + h), for `concatenated`."""
        return np.concatenate([features, self.hidden(features)], axis=1)

    @property
    def arrays(self) -> dict[str, Array]:
        return {"hidden_weight": self.hidden_weight, "hidden_bias": self.hidden_bias, **self.last.arrays}

    @property
    def answer_directions(self) -> Array:
        """Those of the network with every hidden unit on."""
        return self.last.answer_directions @ self.hidden_weight

    def with_last(self, last: LinearHead) -> MLPHead:
        return MLPHead(self.hidden_weight, self.hidden_bias, last)

    def rescaled(self, factor: float) -> MLPHead:
        return MLPHead(self.hidden_weight / factor, self.hidden_bias, self.last)

    def logits(self, features: Array) -> Array:
        return np.concatenate([self.last.logits(hidden) for _, _, hidden in self.blocks(features)])

    def probabilities(self, features: Array) -> Array:
        return np.concatenate([self.last.probabilities(hidden) for _, _, hidden in self.blocks(features)])

    def losses(self, features: Array, labels: Array) -> Array:
        return np.concatenate(
            [self.last.losses(hidden, labels[part]) for part, _, hidden in self.blocks(features)]
        )

    def loss_gradient(self, features: Array, labels: Array, weights: Array) -> Array:
        total = np.zeros(self.n_parameters)
        for part, x, hidden in self.blocks(features):
            error = label_errors(self.last.probabilities(hidden), labels[part])
            total += self.pulled(error * weights[part, None], x, hidden)
        return total

    def gradient_products(self, features: Array, labels: Array, direction: Array) -> Array:
        products = np.empty(len(labels))
        for part, x, hidden in self.blocks(features):
            error = label_errors(self.last.probabilities(hidden), labels[part])
            np.einsum(
                "nk,nk->n", error, self.pushed(direction, x, hidden), out=products[part], dtype="float64"
            )
        return products

    def leave_one_out_products(
        self, features: Array, labels: Array, direction: Array, inverse: Array, share: float
    ) -> Array:
        # As for a linear head, with the slope J of a sample's logits in place of I (x) x:
        # (A - share J' M J)^-1 J' e = A^-1 J' (I - share M V)^-1 e with V = J A^-1 J'.
        products = np.empty(len(labels))
        for part, x, hidden in self.blocks(features, self._jacobian_rows, "float64"):
            p = self.last.probabilities(hidden)
            jacobian, bend = self._jacobian(x, hidden), p[:, :, None] * (np.eye(self.n_classes) - p[:, None])
            reach = jacobian @ inverse @ jacobian.transpose(0, 2, 1)
            error = label_errors(p, labels[part])[..., None]
            solved = np.linalg.solve(np.eye(self.n_classes) - share * bend @ reach, error)[..., 0]
            products[part] = np.einsum("nk,nk->n", solved, jacobian @ direction)
        return products

    def probability_gradient(self, features: Array, labels: Array, weights: Array) -> Array:
        total = np.zeros(self.n_parameters)
        for part, x, hidden in self.blocks(features):
            p = self.last.probabilities(hidden)
            own = p[np.arange(len(p)), labels[part]] * weights[part]
            total -= self.pulled(label_errors(p, labels[part]) * own[:, None], x, hidden)
        return total

    def hessian(self, features: Array, weights: Array) -> Array:
        total = np.zeros((self.n_parameters, self.n_parameters))
        for part, x, hidden in self.blocks(features, self._jacobian_rows, "float64"):
            root = _bend_root(self.last.probabilities(hidden)) * np.sqrt(weights[part])[:, None, None]
            rows = (root.transpose(0, 2, 1) @ self._jacobian(x, hidden)).reshape(-1, self.n_parameters)
            total += rows.T @ rows
        return total

    def hessian_operator(self, features: Array, weights: Array) -> Callable[[Array], Array]:
        dead: Array = ~np.any(features, axis=0)
        if dead.any():  # a pooled convolution has many: half of the features, in our small network
            return self._operator_without(dead, features, weights)
        blocks = [
            (x, hidden, self.last.probabilities(hidden), weights[part, None].astype(x.dtype))
            for part, x, hidden in self.blocks(features)
        ]

        def product(direction: Array) -> Array:
            total = np.zeros(self.n_parameters)
            for x, hidden, p, weight in blocks:
                total += self.pulled(softmax_bend(p, self.pushed(direction, x, hidden)) * weight, x, hidden)
            return total

        return product

    def _operator_without(self, dead: Array, features: Array, weights: Array) -> Callable[[Array], Array]:
        """`hessian_operator` where some features are 0 everywhere: nothing bends in their weights."""
        smaller = MLPHead(self.hidden_weight[:, ~dead], self.hidden_bias, self.last)
        inner = smaller.hessian_operator(np.ascontiguousarray(features[:, ~dead]), weights)
        bends = np.ones(self.n_parameters, dtype=bool)
        bends[: self.n_hidden_parameters] = np.tile(np.append(~dead, True), len(self.hidden_bias))

        def product(direction: Array) -> Array:
            answer = np.zeros(self.n_parameters)
            answer[bends] = inner(direction[bends])
            return answer

        return product

    def preconditioner(self, features: Array, weights: Array, damping: float) -> Callable[[Array], Array]:
        units, width = self.last.n_features, self.n_features + 1
        inner, square = np.zeros((units, units)), np.zeros((width, width))
        for part, x, hidden in self.blocks(features):
            root = _bend_root(self.last.probabilities(hidden)) * np.sqrt(weights[part])[:, None, None]
            reach = root.transpose(0, 2, 1) @ self.last.weight * (hidden > 0)[:, None]
            flat = reach.reshape(-1, units)
            inner += flat.T @ flat
            square += weighted_square(with_constant(x), np.einsum("nkh,nkh->n", reach, reach))
        first = KroneckerCurvature(per_unit_of(inner), square, EASE * damping)
        last = self.last.preconditioner(self.hidden(features), weights, EASE * damping)
        border = self.n_hidden_parameters
        return lambda vector: np.concatenate([first.solve(vector[:border]), last(vector[border:])])

    def blocks(
        self, features: Array, rows: int | None = None, dtype: str | None = None
    ) -> Iterator[tuple[slice, Array, Array]]:
        """Which rows, their features and what the hidden layer makes of them, some rows at a time; in
        the features' own precision, or that of `dtype`."""
        step = BLOCK_ROWS if rows is None else rows
        for start in range(0, max(1, len(features)), step):
            part = slice(start, start + step)
            x = features[part].astype(dtype or features.dtype, copy=False)
            yield part, x, self.hidden(x)

    def pushed(self, direction: Array, features: Array, hidden: Array) -> Array:
        """Change of the logits along `direction` (p,) to first order, (n, K)."""
        step, rest = self._split(direction.astype(features.dtype))
        change = (features @ step[:, :-1].T + step[:, -1]) * (hidden > 0)
        return change @ self.last.weight.T.astype(features.dtype) + self.last.pushed(rest, hidden)

    def pulled(self, slopes: Array, features: Array, hidden: Array) -> Array:
        """The other way: slopes by each sample's logits (n, K) as one by the parameters, (p,)."""
        slopes = slopes.astype(features.dtype)
        below = (slopes @ self.last.weight.astype(features.dtype)) * (hidden > 0)
        first = np.column_stack([below.T @ features, below.sum(axis=0)])
        return np.concatenate([first.ravel().astype("float64"), self.last.pulled(slopes, hidden)])

    def _split(self, direction: Array) -> tuple[Array, Array]:
        """A direction (p,) as that of the hidden layer (h, d+1) and that of the last one."""
        border = self.n_hidden_parameters
        return direction[:border].reshape(len(self.hidden_weight), -1), direction[border:]

    @property
    def _jacobian_rows(self) -> int:
        return max(1, JACOBIAN_NUMBERS // (self.n_classes * self.n_parameters))

    def _jacobian(self, features: Array, hidden: Array) -> Array:
        """Slopes of the logits by theta, (n, K, p)."""
        n, k = len(features), self.n_classes
        x, on = with_constant(features), hidden > 0
        first = np.einsum("kh,nh,nd->nkhd", self.last.weight, on, x)
        last = np.einsum("jk,nd->nkjd", self.last.contrasts, with_constant(hidden))
        return np.concatenate([first.reshape(n, k, -1), last.reshape(n, k, -1)], axis=2)

    def __repr__(self) -> str:
        units = f"{len(self.hidden_bias)} hidden units"
        return one_line(self, f"{self.n_classes} classes", units, f"{self.n_features} features")


def with_constant(features: Array) -> Array:
    """[features 1], (n, d + 1)."""
    return np.concatenate([features, np.ones((len(features), 1), features.dtype)], axis=1)


def _bend_root(probabilities: Array) -> Array:
    """R (n, K, K) with R R' = diag p - p p': for q = sqrt p, which has length 1, I - q q' is its own
    square."""
    q = np.sqrt(probabilities)
    return q[:, :, None] * (np.eye(q.shape[1], dtype=q.dtype) - q[:, :, None] * q[:, None])
