"""Fits of a head on fixed features.

Training to convergence, exact refits without some samples, and the iterated unlearning
strategy are all the same problem,

    sum_i w_i CE(theta; x_i, y_i) + consistency/2 sum_j v_j |sum_i a_ji logits_i|^2
                                  + damping/2 |theta - anchor|^2      (logits less their mean over classes),

For a linear head it is strictly convex; see `fmd_core.heads.fit_linear`. For two layers it is convex in the
logits only; see `fmd_core.heads.fit_two_layer`.
"""

from __future__ import annotations

from typing import overload

from fmd_core.data import Array
from fmd_core.errors import SolverError
from fmd_core.heads.fit_linear import fit_linear
from fmd_core.heads.fit_problem import ConvexProblem
from fmd_core.heads.fit_two_layer import fit_two_layers
from fmd_core.heads.linear import LinearHead
from fmd_core.heads.protocol import Head
from fmd_core.heads.two_layer import MLPHead

__all__ = ["ConvexProblem", "fit_head"]


@overload
def fit_head(
    start: LinearHead, problem: ConvexProblem, *, anchor: Array | None = None, consistency: float = 0.0
) -> LinearHead: ...
@overload
def fit_head(
    start: MLPHead, problem: ConvexProblem, *, anchor: Array | None = None, consistency: float = 0.0
) -> MLPHead: ...
@overload
def fit_head(
    start: Head, problem: ConvexProblem, *, anchor: Array | None = None, consistency: float = 0.0
) -> Head: ...


def fit_head(
    start: Head, problem: ConvexProblem, *, anchor: Array | None = None, consistency: float = 0.0
) -> Head:
    """The head that minimises `problem`, searched from `start`; `anchor` (p,) defaults to 0.

    A linear head's is the only minimum, whatever the start; for two layers it is one near the start.
    Raises SolverError, which names the damping, when none is found.
    """
    if isinstance(start, MLPHead):
        return fit_two_layers(start, problem, anchor, consistency)
    if not isinstance(start, LinearHead):
        raise SolverError(
            f"A head of the kind {type(start).__name__} cannot be fitted; use one or two layers."
        )
    return fit_linear(start, problem, anchor, consistency)
