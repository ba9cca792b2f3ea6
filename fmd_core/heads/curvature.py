"""The curvature of the training loss around a head, and solving with it.

H is the mean Gauss-Newton matrix of the training loss over the training samples, which is the exact
Hessian of a linear head; the damped curvature is H + damping * I. Few parameters are solved with a
dense Cholesky factor, many by conjugate gradients: products with H, which is never built, eased by a
Kronecker-factored preconditioner.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, partial
from typing import Literal, get_args

import numpy as np
from scipy.linalg import LinAlgError, cho_factor, cho_solve

from fmd_core.data import Array, FeatureSet, ignore_progress
from fmd_core.errors import DataError, SolverError
from fmd_core.heads.few_passes import FEWEST_PARAMETERS, MANY_ROWS, FewPasses, NotSolved
from fmd_core.heads.linear import LinearHead
from fmd_core.heads.protocol import Head
from fmd_core.running import distributed
from fmd_core.showing import one_line

Progress = Callable[[float], None]
Solver = Literal["auto", "cholesky", "conjugate_gradient"]
DENSE_PARAMETERS = 1_100
"""Up to here a dense factor costs milliseconds; beyond it products are cheaper (measured)."""
RELATIVE_RESIDUAL = 1e-4
"""Scores then keep their order to 1e-7 (rank correlation, measured on 50,000 samples and two layers)."""
MOST_PRODUCTS = 500
TRUSTED_RESIDUAL = 1e-2  # of an answer put back in: rounding in float32 can leave more than was aimed at


@dataclass(frozen=True, eq=False)
class Curvature:
    """Damped curvature of one head on one training set, ready to solve."""

    solve: Callable[[Array], Array]
    """x (p,) with (H + damping I) x = the right-hand side (p,)."""
    damping: float
    solver: Solver
    """What is used: 'cholesky' or 'conjugate_gradient', never 'auto'."""
    head_fingerprint: str
    few_passes: FewPasses | None = None
    """Of very many samples what gives scores without ever building or factoring H; None: `solve` is as quick."""

    def gradient_products(self, head: Head, train: FeatureSet, rhs: Array, progress: Progress) -> Array:
        """Each training sample's loss gradient times the solution for `rhs` (p,), (n,)."""
        size = float(np.linalg.norm(rhs))  # products are taken in single precision, which small numbers leave
        if self.few_passes is not None and 0 < size < np.inf and self.few_passes.are_these(train.features):
            with suppress(NotSolved):
                return size * self.few_passes.gradient_products(rhs / size, train.labels, progress)
        with distributed.watched(progress):
            product = partial(head.gradient_products, direction=self.solve(rhs))
        return distributed.map_rows(product, train.features, train.labels, progress=progress)

    def __repr__(self) -> str:
        return one_line(
            self, self.solver, f"damping {self.damping:g}", f"of head {self.head_fingerprint[:8]}"
        )


def fit_curvature(
    head: Head,
    train: FeatureSet,
    *,
    damping: float = 1e-3,
    solver: Solver = "auto",
    progress: Callable[[float], None] = ignore_progress,
) -> Curvature:
    """Prepare the damped mean Hessian of `head` over `train`.

    `damping` is the lambda of the paper. It should equal the weight decay with which the head
    was fitted: then it belongs to the loss and nothing is approximated. `progress` may raise to
    stop: before the work begins, and on a cluster (see `fmd_core.running.distributed`) all the time.

    Parameters
    ----------
    head
        With p parameters.
    train
        The n samples that it was fitted to.
    damping
        Above 0.
    solver
        'cholesky' builds and factors H (p, p), 'conjugate_gradient' needs products with it only; 'auto' takes the
        first up to 1,100 parameters.
    progress
        Is told the share that is done, 0 to 1.

    Raises
    ------
    SolverError
        Where the damping is not above 0, or so small that H + damping I is singular.
    DataError
        For an unknown solver.

    Examples
    --------
    >>> curvature = fmd.fit_curvature(model.head, people["train"], damping=model.damping)
    >>> curvature
    Curvature(cholesky, damping 0.001, of head ...)
    >>> curvature.solve(np.ones(model.head.n_parameters)).shape
    (585,)
    """
    if not np.isfinite(damping) or damping <= 0:
        raise SolverError(f"damping must be above 0, got {damping}; 0.001 is a good start.")
    if solver not in get_args(Solver):
        raise DataError(f"Unknown solver '{solver}'. Choose one of: {', '.join(get_args(Solver))}.")
    may_pass = solver == "auto"
    if may_pass:
        solver = "cholesky" if head.n_parameters <= DENSE_PARAMETERS else "conjugate_gradient"
    weights = np.full(len(train), 1 / len(train))
    build = _cholesky if solver == "cholesky" else _conjugate_gradient
    progress(0.0)
    if may_pass and isinstance(head, LinearHead) and _pays(head, len(train)):
        later = _once(partial(build, head, train.features, weights, damping, ignore_progress))
        few = FewPasses(head, train.features, weights, damping, DENSE_PARAMETERS)
        return Curvature(later, damping, solver, head.fingerprint, few)
    solve = build(head, train.features, weights, damping, progress)
    return Curvature(solve, damping, solver, head.fingerprint)


def _pays(head: Head, n: int) -> bool:
    """Whether a few passes cost less than a solver of all samples, which a cluster shares out as it is."""
    return n > MANY_ROWS and head.n_parameters >= FEWEST_PARAMETERS and not distributed.is_on()


def _once(build: Callable[[], Callable[[Array], Array]]) -> Callable[[Array], Array]:
    """A solver that is made when it is first asked: scores alone never do."""
    made = cache(build)
    return lambda rhs: made()(rhs)


def _cholesky(
    head: Head, features: Array, weights: Array, damping: float, progress: Callable[[float], None]
) -> Callable[[Array], Array]:
    hessian = head.hessian
    if isinstance(head, LinearHead) and len(features) > MANY_ROWS:
        hessian = partial(head.hessian, products="float32")
    matrix = distributed.sum_rows(hessian, features, weights, progress=progress)
    matrix[np.diag_indices_from(matrix)] += damping
    try:
        factor = cho_factor(matrix, lower=True, overwrite_a=True)
    except (LinAlgError, ValueError) as error:  # not positive; not finite
        raise _singular(damping) from error
    return lambda rhs: cho_solve(factor, rhs)


def _conjugate_gradient(
    head: Head, features: Array, weights: Array, damping: float, progress: Callable[[float], None]
) -> Callable[[Array], Array]:
    from scipy.sparse.linalg import LinearOperator, cg  # slow to import, needed by large heads only

    operator = _operator(head, features, weights)
    size = head.n_parameters
    progress(0.0)
    inverse = head.preconditioner(features, weights, damping)
    try:
        inverse(np.zeros(size))  # takes it apart now rather than in the first solve
    except (LinAlgError, ValueError) as error:  # not finite
        raise _singular(damping) from error
    preconditioner = LinearOperator((size, size), matvec=inverse, dtype="float64")

    def solve(rhs: Array) -> Array:
        product = operator()
        matrix = LinearOperator((size, size), matvec=lambda v: product(v) + damping * v, dtype="float64")
        answer, failed = cg(matrix, rhs, rtol=RELATIVE_RESIDUAL, maxiter=MOST_PRODUCTS, M=preconditioner)
        left = np.linalg.norm(matrix @ answer - rhs)
        if failed or not left <= TRUSTED_RESIDUAL * np.linalg.norm(rhs):  # also where it is not a number
            raise SolverError(
                f"Conjugate gradients did not converge at damping = {damping:g}; raise damping tenfold."
            )
        return answer

    return solve


def _operator(head: Head, features: Array, weights: Array) -> Callable[[], Callable[[Array], Array]]:
    """What gives the product with H, to be asked for once a solve: a cluster keeps rows for as long."""
    if not distributed.is_on():
        product = head.hessian_operator(features, weights)
        return lambda: product

    def on_cluster() -> Callable[[Array], Array]:
        function = distributed.keep(partial(_product, head))
        blocks = distributed.row_blocks(features, weights, passes="many")
        return lambda v: distributed.sum_blocks(function, [(v, *block) for block in blocks])

    return on_cluster


def _product(head: Head, direction: Array, features: Array, weights: Array) -> Array:
    return head.hessian_operator(features, weights)(direction)


def _singular(damping: float) -> SolverError:
    return SolverError(f"The curvature is singular at damping = {damping:g}; raise damping tenfold.")
