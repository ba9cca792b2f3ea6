"""What a head is fitted to; see `fmd_core.fitting`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fmd_core.data import Array

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix


@dataclass(frozen=True, eq=False)
class ConvexProblem:
    """The terms of the sum in `fmd_core.fitting`; weights should sum to about 1."""

    features: Array  # (n, d)
    labels: Array  # (n,)
    weights: Array  # (n,)
    damping: float
    contrasts: csr_matrix | None = None
    """a (m, n), rows summing to 0: combinations of the samples' logits that should vanish, such as one
    twin's less the other's."""
    contrast_weights: Array | None = None  # v (m,)
