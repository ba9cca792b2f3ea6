"""Pictures turned, moved and lit a little differently, so that few people of a rare group teach a network what
they have in common and not who they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

TURN = 0.15  # radians
RESIZE = 0.10  # share
SHIFT = 0.08  # of half the side
CONTRAST = 0.08  # standard deviation of the factor
BRIGHTNESS = 0.04  # standard deviation of what is added, as a share of the range of colours


def augmented(
    pictures: torch.Tensor, generator: torch.Generator, *, flip: bool, colour_range: float
) -> torch.Tensor:
    """Each of `pictures` (m, 3, side, side) turned, resized, moved, lit and, if `flip`, mirrored at random;
    `colour_range` is the difference between white and black.

    `flip` only where left and right mean nothing: a mirrored face is a face, a mirrored digit is none.
    Sizes as in the measurements that this recipe comes from (five folds of CelebA).
    """
    import torch

    n = len(pictures)

    def uniform(reach: float) -> torch.Tensor:
        return (2 * torch.rand(n, generator=generator) - 1) * reach

    turn, size = uniform(TURN), 1 + uniform(RESIZE)
    mirror = torch.where(torch.rand(n, generator=generator) < 0.5, -1.0, 1.0) if flip else torch.ones(n)
    cos, sin = torch.cos(turn) * size, torch.sin(turn) * size
    rows = [
        torch.stack([cos * mirror, -sin, uniform(SHIFT)], 1),
        torch.stack([sin * mirror, cos, uniform(SHIFT)], 1),
    ]
    grid = torch.nn.functional.affine_grid(torch.stack(rows, 1), list(pictures.shape), align_corners=False)
    moved = torch.nn.functional.grid_sample(pictures, grid, padding_mode="border", align_corners=False)
    contrast = 1 + CONTRAST * torch.randn(n, 1, 1, 1, generator=generator)
    light = BRIGHTNESS * colour_range * torch.randn(n, 1, 1, 1, generator=generator)
    centre = moved.mean(dim=(1, 2, 3), keepdim=True)
    return (moved - centre) * contrast + centre + light
