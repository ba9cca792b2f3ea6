"""Features as given: a matrix that somebody else's model made of the rows of one data set."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike

from fmd_core.data import Array, AttributeDataset, InputKind, content_fingerprint, frozen_array
from fmd_core.errors import ModelError
from fmd_core.models.door import Asked, Door, Opened
from fmd_core.models.encoder import Encoder


@dataclass(frozen=True, eq=False)
class GivenFeatures:
    """Features (n, d) by row of the data set whose fingerprint is `dataset`; inputs are not looked at."""

    features: Array
    dataset: str
    kind: InputKind
    title: str = "features as given"
    n_parameters: int = 0

    @property
    def n_features(self) -> int:
        return int(self.features.shape[1])

    @cached_property
    def fingerprint(self) -> str:
        return content_fingerprint("features as given", self.features, self.dataset)

    def encode_rows(self, dataset: AttributeDataset, rows: Array) -> Array:
        """The features of `rows`."""
        if dataset.fingerprint != self.dataset:
            raise ModelError(
                f"The features were given for the rows of another data set than '{dataset.name}' as it is now; wrap "
                "the features of this one."
            )
        return self.features[rows]

    def encode_batches(self, batches: Iterable[Array]) -> Iterator[Array]:
        """Refused: what the model would make of an input is not known."""
        for batch in batches:
            raise ModelError(
                f"Features were given by row, so {len(batch)} inputs by themselves cannot be encoded; wrap the model "
                "that made them."
            )
        yield from ()


def _takes_matrix(model: object) -> bool:
    return getattr(model, "ndim", None) == 2 and hasattr(model, "__array__")


def _open_matrix(model: ArrayLike, asked: Asked) -> Opened:
    if asked.data is None:
        raise ModelError("Features belong to the rows of a data set; give it as data=.")
    try:
        features = frozen_array(np.array(model), "float32")
    except (TypeError, ValueError) as error:
        raise ModelError(f"Features must be a table of numbers; {error}.") from error
    if len(features) != len(asked.data) or not features.shape[1]:
        raise ModelError(
            f"There are {features.shape[0]} rows of {features.shape[1]} features, but '{asked.data.name}' has "
            f"{len(asked.data)} samples; give one row for each, in its order."
        )
    return Opened(GivenFeatures(features, asked.data.fingerprint, asked.data.source.kind), None)


def _takes_encoder(model: object) -> bool:
    return isinstance(model, Encoder)


def _open_encoder(model: Encoder, asked: Asked) -> Opened:
    if asked.data is None and asked.head is None:
        raise ModelError("An encoder needs a last layer: give head=(weights, bias), or data= to fit one on.")
    return Opened(model, None)


MATRIX = Door("a matrix of features, with data=", _takes_matrix, _open_matrix)
ENCODER = Door("an Encoder of your own", _takes_encoder, _open_encoder)
