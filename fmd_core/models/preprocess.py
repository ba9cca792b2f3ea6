"""How images are made ready for a network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fmd_core.data import Array, InputKind
from fmd_core.errors import ModelError
from fmd_core.kinds import find_kind, recognised

if TYPE_CHECKING:
    import torch

Channels = tuple[float, float, float]
NORMALISATIONS: dict[str, tuple[Channels, Channels]] = {
    "symmetric": ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
    "unit": ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0)),
    "imagenet": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
}
"""Mean and spread per channel, of colours between 0 and 1, that a network expects taken out."""


@dataclass(frozen=True)
class Preprocess:
    """What happens to an image before the encoder sees it."""

    normalisation: str = "symmetric"
    size: int | None = None  # side that images are scaled to; None: as they come

    def __post_init__(self) -> None:
        if self.normalisation not in NORMALISATIONS:
            known = ", ".join(NORMALISATIONS)
            raise ModelError(f"Unknown normalisation '{self.normalisation}'. Choose one of: {known}.")
        if self.size is not None and not 8 <= self.size <= 512:
            raise ModelError(f"Images of {self.size} pixels a side cannot be used; choose 8 to 512.")

    @property
    def content(self) -> str:
        """What fingerprints are made of: spelled out, so that another field with a default orphans no features."""
        return f"Preprocess(normalisation={self.normalisation!r}, size={self.size!r})"

    @property
    def colours(self) -> tuple[Channels, Channels]:
        """Mean and spread of each channel that are taken out."""
        return NORMALISATIONS[self.normalisation]

    def apply(self, inputs: Array, kind: InputKind = "") -> torch.Tensor:
        """A batch as a network reads it: uint8 images (m, height, width, 3) to float (m, 3, side, side); records
        stay as they are. `kind` is asked; where none is named, the first that such a batch can be of."""
        return (find_kind(kind) if kind else recognised(inputs)).tensor(inputs, self)


@dataclass(frozen=True)
class AsTheyAre(Preprocess):
    """Inputs go into the network as the data set gives them, fractions in single precision."""

    @property
    def content(self) -> str:
        return "AsTheyAre()"

    def apply(self, inputs: Array, kind: InputKind = "") -> torch.Tensor:  # noqa: ARG002 - of any kind
        """The same numbers in the same shape."""
        import torch

        return torch.from_numpy(np.array(inputs, "float32" if inputs.dtype.kind == "f" else inputs.dtype))
