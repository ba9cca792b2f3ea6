"""Which training samples taught the bias.

    I(z) = - grad B' (H + damping I)^-1 grad L(z)          (Chen et al. 2023; Koh & Liang 2017)

Removing z from the n training samples changes B by -I(z) / n to first order. One solve gives
S = (H + damping I)^-1 grad B; scoring all samples is then one matrix product, because the
gradient of a linear head is an outer product of error and features.

'leave-one-out' takes z out of the curvature H as well, exactly, by a low-rank correction per
sample; the others keep their weight 1/n. It matters where single samples weigh much: on the
bundled demo the first-order effect is 0.6 of the true one, the corrected effect 1.0 (see
tests/core/test_influence.py).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

from fmd_core.data import Array, FeatureSet, frozen_array, ignore_progress
from fmd_core.errors import DataError, SolverError
from fmd_core.figures import count, in_points
from fmd_core.heads.curvature import Curvature
from fmd_core.heads.protocol import Head
from fmd_core.measure.bias_functions import FairnessMeasure, Taught
from fmd_core.measure.group_loss import GroupLoss
from fmd_core.running import distributed
from fmd_core.showing import one_line

if TYPE_CHECKING:
    import pandas as pd

InfluenceMethod = Literal["first-order", "leave-one-out"]


@dataclass(frozen=True, eq=False)
class InfluenceScores:
    """What removing each training sample would do to the bias, or to the loss of those who are served worst."""

    attribute: str
    removal_effect: Array
    """(n,) predicted change of B, a share, or of the loss of those who are served worst, in nats; below 0: removing
    lowers it, so harmful."""
    rows: Array  # (n,) row of each training sample in its data set
    bias: float  # B, or that loss, of the people whom the scores refer to
    method: InfluenceMethod = "first-order"
    measure: FairnessMeasure = "counterfactual"
    people: str = ""
    """Whose loss it is where one group's is scored, in the data's own words: 'blond men'; else ''."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "removal_effect", frozen_array(self.removal_effect, "float64"))

    @property
    def n_harmful(self) -> int:
        """How many samples are harmful at all: beyond this rank removal is predicted to raise B."""
        return int((self.removal_effect < 0).sum())

    def most_harmful(self, k: int) -> Array:
        """Positions of the k samples whose removal lowers B most, worst first, (k,)."""
        return self._ranked(k, self.removal_effect)

    def most_helpful(self, k: int) -> Array:
        """Positions of the k samples whose removal raises B most, strongest first, (k,)."""
        return self._ranked(k, -self.removal_effect)

    def _ranked(self, k: int, keys: Array) -> Array:
        n = len(keys)
        if not 0 <= k <= n:
            raise DataError(f"K = {k} is not possible: choose K between 0 and the {n} training samples.")
        return np.argsort(keys, kind="stable")[:k]

    def __repr__(self) -> str:
        most = float(self.removal_effect.min(initial=0.0))
        what = f"{self.attribute} bias" if self.measure != "worst group" else f"the loss of {self.people}"
        does = f"most harmful lowers {what} by {in_points([most])(-most).lstrip('+')} points"
        return one_line(
            self,
            f"{count(len(self.removal_effect))} training samples",
            does if most < 0 else "none is harmful",
        )

    def to_frame(self) -> pd.DataFrame:
        """A row for each training sample, the most harmful first: its `position` among the training samples, its
        `row` in the data set, and `removal_effect`, what leaving it out is predicted to change (in the units
        of that field; below 0: harmful)."""
        import pandas as pd

        order = np.argsort(self.removal_effect, kind="stable")
        columns = {"position": order, "row": self.rows[order], "removal_effect": self.removal_effect[order]}
        return pd.DataFrame(columns)


def bias_influence(
    head: Head,
    train: FeatureSet,
    bias: Taught,
    curvature: Curvature,
    *,
    method: InfluenceMethod = "first-order",
    progress: Callable[[float], None] = ignore_progress,
) -> InfluenceScores:
    """Score every training sample by its effect on `bias`, which is measured on external people.

    The head should be fitted to convergence with weight decay equal to the damping; then the
    first-order score is the exact derivative of B by the sample's weight. 'leave-one-out' needs
    a dense curvature (solver 'cholesky') and costs about n p^2 operations. `progress` may raise to
    stop: before the work begins, and on a cluster (see `fmd_core.running.distributed`) all the time.

    Parameters
    ----------
    head, train
        The head and the n training samples that it was fitted to.
    bias
        What the samples are blamed for, such as `CounterfactualBias` of external twins, or the `GroupLoss` of the
        people who are served worst.
    curvature
        `fit_curvature` of the same head and samples.
    method
        'first-order' (Koh and Liang 2017), or 'leave-one-out' where single samples weigh much.
    progress
        Is told the share that is done, 0 to 1.

    Returns
    -------
    InfluenceScores
        The predicted change of the bias, a share, or of a `GroupLoss`, in nats, when a sample is left out; below 0: it
        falls, so the sample is harmful.

    Raises
    ------
    DataError
        For a curvature of another head, and for an unknown method.
    SolverError
        For leave-one-out scores of a curvature that was not factored.

    Examples
    --------
    >>> scores = fmd.bias_influence(model.head, people["train"], bias["external"], curvature)
    >>> scores
    InfluenceScores(900 training samples, most harmful lowers colour bias by 0.174 points)
    >>> scores.to_frame().head(2).round(4)
       position   row  removal_effect
    0       546  1078         -0.0017
    1        38    77         -0.0012
    """
    if curvature.head_fingerprint != head.fingerprint:
        raise DataError("This curvature belongs to another head; call fit_curvature for the head at hand.")
    if method not in get_args(InfluenceMethod):
        raise DataError(f"Unknown method '{method}'. Choose one of: {', '.join(get_args(InfluenceMethod))}.")
    if method == "leave-one-out" and curvature.solver != "cholesky":
        raise SolverError("Leave-one-out scores need solver = 'cholesky'; use it, or method = 'first-order'.")
    progress(0.0)
    n, gradient = len(train), bias.gradient(head)
    if method == "first-order":
        products = curvature.gradient_products(head, train, gradient, progress)
    else:
        with distributed.watched(progress):
            solution, inverse = curvature.solve(gradient), curvature.solve(np.eye(head.n_parameters))
        product = partial(head.leave_one_out_products, direction=solution, inverse=inverse, share=1 / n)
        products = distributed.map_rows(product, train.features, train.labels, progress=progress)
    people = bias.called if isinstance(bias, GroupLoss) else ""
    return InfluenceScores(
        bias.attribute, products / n, train.rows, bias.value(head), method, bias.measure, people
    )
