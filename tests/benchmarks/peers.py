"""The field's libraries, asked what our scores answer: what does a training sample do to the bias?

Every peer gets the same head, the same rows and the same question, the function

    q(theta) = sum_j w_j P(y_j | x_j)

over both sides of the pairs, whose slope at the head is that of B. Where a library lets a test sample be of
any shape, all pairs are one test sample, which is its fastest way. Each returns scores (n,) in the order of
the effect of removal, up to a factor above 0: peers scale theirs in different ways.

They are no part of the product: `make bench` installs them beside it (requirements-bench.txt).
"""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib.metadata import PackageNotFoundError, version

import numpy as np

from fmd_core import FeatureSet, LinearHead
from fmd_core.data import Array
from tests.benchmarks import peer_methods as methods
from tests.benchmarks.peer_methods import Question

CG_STEPS = 10, 30  # dattri always runs all of them; 10 is its default
Score = Callable[[LinearHead, FeatureSet, Question, float], Array]


@dataclass(frozen=True)
class Peer:
    """One method of one library."""

    name: str
    package: str
    score: Score

    @property
    def missing(self) -> str:
        """Why it cannot run here; empty if it can."""
        try:
            version(self.package)
        except PackageNotFoundError:
            return f"{self.package} is not installed here (`make bench` installs it)."
        return ""

    def scores(self, head: LinearHead, train: FeatureSet, question: Question, damping: float) -> Array:
        """Its scores (n,), without its progress bars and notes."""
        logging.getLogger("accelerate").setLevel(logging.ERROR)
        quiet = contextlib.redirect_stderr(io.StringIO()), contextlib.redirect_stdout(io.StringIO())
        with warnings.catch_warnings(), quiet[0], quiet[1]:
            warnings.simplefilter("ignore")
            return np.asarray(self.score(head, train, question, damping))


PEERS = (
    Peer("captum NaiveInfluenceFunction", "captum", methods.captum_naive),
    Peer(
        f"captum ArnoldiInfluenceFunction, {methods.ARNOLDI_DIMENSIONS} dimensions",
        "captum",
        methods.captum_arnoldi,
    ),
    *(
        Peer(f"dattri conjugate gradients, {n} steps", "dattri", partial(methods.dattri_cg, steps=n))
        for n in CG_STEPS
    ),
    Peer("kronfluence EK-FAC", "kronfluence", methods.kronfluence_ekfac),
    Peer(f"TRAK, {methods.PROJECTED_TO} dimensions", "traker", methods.trak),
    Peer("captum TracInCPFast", "captum", methods.captum_tracin),
)
PAIR_BY_PAIR = Peer(
    "dattri conjugate gradients, side by side",
    "dattri",
    partial(methods.dattri_cg, steps=CG_STEPS[0], singly=True),
)
"""How its examples ask: for speed alone, as the scores are the same."""
