"""Pictures: uint8 (m, height, width, 3), of one size."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fmd_core.data import Array, Display, SampleSource
from fmd_core.imaging import data_uri
from fmd_core.kinds.kind import Kind, Portrait, Preparation

if TYPE_CHECKING:
    import torch

SEEN, FEWEST_EPOCHS, MOST_EPOCHS = 60_000, 3, 20  # pictures in all epochs together, which take minutes
DETAILED_SIDE = 48  # pixels; from here on, pictures go to the network for faces


class ImageKind(Kind):
    """Pictures, also of people."""

    name, plural, samples = "image", "images", "images"
    training_batch = 64
    averaged = 100  # enough for a mean picture, and drawn or decoded in half a second
    explainers = ("integrated-gradients", "grad-cam")
    has_pictures = is_prepared = True

    def reads(self, inputs: Array) -> bool:
        return inputs.ndim == 4

    def portrait(self, shown: Display, side: int) -> Portrait:
        return Portrait(picture=data_uri(np.asarray(shown), side))

    def tensor(self, inputs: Array, preparation: Preparation) -> torch.Tensor:
        """As float (m, 3, side, side), colours normalised."""
        import torch

        if not preparation.is_usual:
            return torch.from_numpy(preparation.prepared(inputs))
        images, size = torch.from_numpy(inputs).permute(0, 3, 1, 2).float(), preparation.size
        if size is not None and images.shape[-2:] != (size, size):
            images = torch.nn.functional.interpolate(
                images, (size, size), mode="bilinear", antialias=True, align_corners=False
            )
        mean, spread = (torch.tensor(c).view(3, 1, 1) * 255 for c in preparation.colours)
        return images.sub_(mean).div_(spread)

    def side(self, inputs: Array, preparation: Preparation) -> int:
        """As pictures are read or as they are scaled to, the larger."""
        return max(int(inputs.shape[1]), preparation.size or 0)

    def width(self, inputs: Array) -> int:  # noqa: ARG002 - networks for pictures read any size
        return 0

    def suggested_architecture(self, inputs: Array) -> str:
        return "face_cnn" if max(inputs.shape[1:3]) >= DETAILED_SIDE else "small_cnn"

    def epochs(self, n_train: int) -> int:
        return max(FEWEST_EPOCHS, min(MOST_EPOCHS, SEEN // n_train))

    def parts(self, contributions: Array, source: SampleSource) -> tuple[Array, tuple[str, ...]]:  # noqa: ARG002
        """A map (height, width): the colours of a pixel are summed."""
        return contributions.sum(axis=0), ()

    def noise(self, rng: np.random.Generator, n: int, *, width: int, side: int) -> Array:  # noqa: ARG002
        return rng.integers(0, 256, (n, side, side, 3), "uint8")

    def misfit(self, inputs: Array, usual: int) -> str:
        return (
            f"The network cannot read pictures of {inputs.shape[1]} pixels a side; its usual size is {usual}."
        )
