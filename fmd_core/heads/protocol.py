"""What a head is: the layers above the features, which alone are moved."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from fmd_core.data import Array

if TYPE_CHECKING:
    from fmd_core.heads.linear import LinearHead


class Head(Protocol):
    """What influence and unlearning need to know of a head with p parameters."""

    @property
    def n_classes(self) -> int: ...
    @property
    def n_features(self) -> int: ...
    @property
    def n_parameters(self) -> int: ...
    @property
    def fingerprint(self) -> str: ...
    @property
    def theta(self) -> Array:
        """Parameters, (p,)."""

    @property
    def arrays(self) -> dict[str, Array]:
        """The weights by name, as they are saved."""

    @property
    def last(self) -> LinearHead:
        """The last layer: the head itself, if it has only that."""

    @property
    def answer_directions(self) -> Array:
        """Directions of the features that tell the classes apart, (K-1, d)."""

    def hidden(self, features: Array) -> Array:
        """What the last layer reads, (n, h): the features themselves, if there is no other."""

    def with_last(self, last: LinearHead) -> Head:
        """The same head under another last layer."""

    def moved(self, direction: Array) -> Head:
        """A new head at theta + direction."""

    def rescaled(self, factor: float) -> Head:
        """A head that answers the same when the features are `factor` times as large."""

    def logits(self, features: Array) -> Array:
        """Scores before softmax, (n, K), in the features' own precision."""

    def probabilities(self, features: Array) -> Array:
        """P(class | x), (n, K)."""

    def losses(self, features: Array, labels: Array) -> Array:
        """Cross-entropy of each sample in nats, (n,)."""

    def loss_gradient(self, features: Array, labels: Array, weights: Array) -> Array:
        """Sum over samples of weight times the gradient of the loss, (p,)."""

    def gradient_products(self, features: Array, labels: Array, direction: Array) -> Array:
        """Each sample's loss gradient times `direction`, (n,), without building gradients."""

    def leave_one_out_products(
        self, features: Array, labels: Array, direction: Array, inverse: Array, share: float
    ) -> Array:
        """`gradient_products` with each sample's own curvature, of weight `share`, left out of the
        curvature whose inverse is given, (n,)."""

    def probability_gradient(self, features: Array, labels: Array, weights: Array) -> Array:
        """Sum over samples of weight times the gradient of P(label | x), (p,)."""

    def hessian(self, features: Array, weights: Array) -> Array:
        """Weighted sum of the samples' loss Hessians, (p, p), each in its Gauss-Newton form: the loss
        bends, the logits do not. For a linear head that is the Hessian itself. Weights are >= 0."""

    def hessian_operator(self, features: Array, weights: Array) -> Callable[[Array], Array]:
        """A function that multiplies `hessian` with a direction (p,), without building it."""

    def preconditioner(self, features: Array, weights: Array, damping: float) -> Callable[[Array], Array]:
        """A function that solves with what stands in for `hessian` + damping I, quick and roughly right."""
