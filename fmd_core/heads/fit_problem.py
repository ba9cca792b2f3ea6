"""What a head is fitted to; see `fmd_core.heads.fitting`."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from fmd_core.data import Array
from fmd_core.heads.kronecker import weighted_square

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix


@dataclass(frozen=True, eq=False)
class ConvexProblem:
    """The terms of the sum in `fmd_core.heads.fitting`; weights should sum to about 1."""

    features: Array  # (n, d)
    labels: Array  # (n,)
    weights: Array  # (n,)
    damping: float
    contrasts: csr_matrix | None = None
    """a (m, n), rows summing to 0: combinations of the samples' logits that should vanish, such as one
    twin's less the other's."""
    contrast_weights: Array | None = None  # v (m,)

    @cached_property
    def inputs(self) -> Array:
        """Features with a constant 1, (n, d + 1) float64."""
        return np.column_stack([self.features, np.ones(len(self.features))]).astype("float64")

    @cached_property
    def coarse_inputs(self) -> Array:
        """The same in float32, for what only points the way."""
        return self.inputs.astype("float32")

    @cached_property
    def square(self) -> Array:
        """sum_i w_i x_i x_i', (d + 1, d + 1): the same for every strength, so it is kept."""
        return weighted_square(self.inputs, self.weights)

    @cached_property
    def contrast_square(self) -> Array:
        """sum_j v_j d_j d_j' with d_j = sum_i a_ji x_i, (d + 1, d + 1)."""
        if self.contrasts is None or self.contrast_weights is None:
            return np.zeros_like(self.square)
        return weighted_square(self.contrasts @ self.inputs, self.contrast_weights)
