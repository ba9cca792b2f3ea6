"""Leaving training samples out of the last layer: what it would do, predicted and exactly.

The n training samples weigh 1/n each in the loss, and keep that weight when others are left out:

    F_kept(theta) = 1/n sum over kept L(theta; x_i, y_i) + damping/2 |theta|^2

`refit_without` minimises it. `predict_removal` takes one Newton step from the head that was fitted to
all, with the curvature of the kept samples; g is the left-out samples' share of the gradient:

    theta + (H_kept + damping I)^-1 g        g = 1/n sum over left out grad L

Adding up influence scores keeps the curvature of all samples instead, and is far off for groups that
matter, mostly too small: with them goes what held the head in place (Basu et al., ICML 2020).
"""

from __future__ import annotations

from typing import TypeVar, cast

import numpy as np
from numpy.typing import ArrayLike
from scipy.linalg import LinAlgError, cho_factor, cho_solve

from fmd_core.data import Array, FeatureSet
from fmd_core.errors import DataError, SolverError
from fmd_core.heads.curvature import DENSE_PARAMETERS, fit_curvature
from fmd_core.heads.fitting import ConvexProblem, fit_head
from fmd_core.heads.protocol import Head
from fmd_core.method import Method, register

AnyHead = TypeVar("AnyHead", bound=Head)
EXCLUSION = Method(
    name="exclusion",
    title="Fit again without those that the reviewer excluded",
    leaves_out_excluded=True,
)
register(EXCLUSION)


def refit_without(head: AnyHead, train: FeatureSet, members: ArrayLike, *, damping: float) -> AnyHead:
    """The head fitted to convergence without the samples at positions `members` (k,), searched from `head`.

    With no members this is the fit to all samples: `head` itself where that has converged. A linear
    head's is the only minimum. Of two layers it is one near `head`, and two such fits differ by more than
    the samples that were left out.

    Parameters
    ----------
    head
        Where the search begins.
    train
        All n training samples.
    members
        Positions (k,) of those to leave out; each once.
    damping
        Weight decay of the fit, lambda.

    Raises
    ------
    DataError
        For positions that do not exist or come twice, and where a class would be left without any sample.

    Examples
    --------
    >>> without = fmd.refit_without(model.head, people["train"], scores.most_harmful(50), damping=model.damping)
    >>> fmd.counterfactual_bias(without, twins["test"]) < fmd.counterfactual_bias(model.head, twins["test"])
    True
    """
    kept = train.subset(kept_samples(train, members))
    weights = np.full(len(kept), 1 / len(train))
    return cast(AnyHead, fit_head(head, ConvexProblem(kept.features, kept.labels, weights, damping)))


def refit_with(
    head: AnyHead, train: FeatureSet, extra: FeatureSet, *, weight: float, damping: float
) -> AnyHead:
    """The head fitted to convergence with `extra` samples of `weight` each beside the training samples,
    which keep their 1/n."""
    weights = np.concatenate([np.full(len(train), 1 / len(train)), np.full(len(extra), weight)])
    features = np.concatenate([train.features, extra.features.astype(train.features.dtype)])
    labels = np.concatenate([train.labels, extra.labels])
    return cast(AnyHead, fit_head(head, ConvexProblem(features, labels, weights, damping)))


def predict_removal(
    head: AnyHead, train: FeatureSet, members: ArrayLike, *, damping: float, whole: Array | None = None
) -> AnyHead:
    """The head one Newton step away from `head`, without the samples at positions `members` (k,).

    `whole` is `whole_curvature(head, train)`, for callers who ask for many groups: the curvature of the
    left-out samples is taken off it, which costs k instead of n - k samples. (A Woodbury correction of
    the inverse would cost k (K - 1) solves and a system of that size: more than a new factor of p
    parameters from k = p / K on.) Heads too large for a dense factor are solved by conjugate gradients
    on products with the kept samples' curvature.

    Parameters
    ----------
    head
        Fitted to the mean loss over `train`; p parameters.
    train
        The n training samples it was fitted on.
    members
        Positions among them, (k,), each once.
    damping
        Weight decay in units of the mean loss, as the head was fitted with.
    whole
        (p, p), or None: not at hand, or too large.

    Raises
    ------
    DataError
        For positions that do not exist or come twice, and where a class would have no sample left.
    SolverError
        Where the curvature cannot be solved.

    Examples
    --------
    >>> worst = scores.most_harmful(50)
    >>> stepped = fmd.predict_removal(model.head, people["train"], worst, damping=model.damping)
    >>> round(fmd.counterfactual_bias(stepped, twins["test"]), 2)
    0.62
    """
    kept = kept_samples(train, members)
    n, out = len(train), ~kept
    if not out.any():
        return head
    share = np.full(int(out.sum()), 1 / n)
    slope = head.loss_gradient(train.features[out], train.labels[out], share)
    if whole is not None and out.sum() <= n / 2:
        step = _solved(whole - head.hessian(train.features[out], share), damping, slope)
    else:  # fit_curvature takes the mean over the kept samples, where the others' share is to be missing
        scale = kept.sum() / n
        step = fit_curvature(head, train.subset(kept), damping=damping / scale).solve(slope) / scale
    return cast(AnyHead, head.moved(step))


def whole_curvature(head: Head, train: FeatureSet) -> Array | None:
    """Mean Hessian over all training samples, (p, p); None for a head too large for a dense one."""
    if head.n_parameters > DENSE_PARAMETERS:
        return None
    return head.hessian(train.features, np.full(len(train), 1 / len(train)))


def kept_samples(train: FeatureSet, members: ArrayLike) -> Array:
    """Which samples stay when those at positions `members` go, (n,) bool.

    Refuses positions that do not exist or come twice, and to leave a class without any sample.
    """
    positions, n = np.asarray(members), len(train)
    if positions.size == 0:
        return np.ones(n, dtype=bool)
    if positions.ndim != 1 or not np.issubdtype(positions.dtype, np.integer):
        raise DataError(
            f"Samples to leave out are a list of positions, got {positions.dtype} {positions.shape}."
        )
    if positions.min() < 0 or positions.max() >= n:
        worst = positions.min() if positions.min() < 0 else positions.max()
        raise DataError(f"There is no training sample {worst}: positions go from 0 to {n - 1}.")
    kept = np.ones(n, dtype=bool)
    kept[positions] = False
    if (~kept).sum() < len(positions):
        raise DataError("A training sample can be left out only once; list every position once.")
    missing = np.setdiff1d(train.labels, train.labels[kept])
    if len(missing):
        raise DataError(
            f"Leaving out these {len(positions)} of {n} training samples would leave no example of "
            f"{len(missing)} of {len(np.unique(train.labels))} classes; leave out fewer."
        )
    return kept


def _solved(matrix: Array, damping: float, rhs: Array) -> Array:
    matrix[np.diag_indices_from(matrix)] += damping
    try:
        return cho_solve(cho_factor(matrix, lower=True, overwrite_a=True), rhs)
    except LinAlgError as error:
        raise SolverError(
            f"The curvature without these samples is singular at damping = {damping:g}; raise damping tenfold."
        ) from error
