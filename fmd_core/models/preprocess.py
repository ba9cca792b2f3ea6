"""How images are made ready for a network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fmd_core.data import Array
from fmd_core.errors import ModelError

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

    def apply(self, inputs: Array) -> torch.Tensor:
        """uint8 images (m, height, width, 3) to float (m, 3, side, side); table rows stay as they are."""
        import torch

        if inputs.ndim == 2:
            return torch.from_numpy(inputs)
        images = torch.from_numpy(inputs).permute(0, 3, 1, 2).float()
        if self.size is not None and images.shape[-2:] != (self.size, self.size):
            images = torch.nn.functional.interpolate(
                images, (self.size, self.size), mode="bilinear", antialias=True, align_corners=False
            )
        mean, spread = (torch.tensor(c).view(3, 1, 1) * 255 for c in NORMALISATIONS[self.normalisation])
        return images.sub_(mean).div_(spread)


@dataclass(frozen=True)
class AsTheyAre(Preprocess):
    """Inputs go into the network as the data set gives them, fractions in single precision."""

    @property
    def content(self) -> str:
        return "AsTheyAre()"

    def apply(self, inputs: Array) -> torch.Tensor:
        """The same numbers in the same shape."""
        import torch

        return torch.from_numpy(np.array(inputs, "float32" if inputs.dtype.kind == "f" else inputs.dtype))
