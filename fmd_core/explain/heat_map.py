"""Where a model looks, drawn over a picture: blue speaks for the answer, orange against it.

Blue and orange are told apart in every common kind of colour blindness, also where one of them
looks grey. The picture below is grey, so that its own colours are not taken for the map's.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter

from fmd_core.data import Array

FOR, AGAINST = "#2F55D4", "#D9630D"
SIDE = 256  # pixels of the longer side
FADE = 0.6  # share of white in the grey picture: colours stand out on dark and on light parts
STRONGEST = 0.9  # opacity at the end of the scale: the picture still shows through
BEND = 0.75  # opacity is strength to this power: weak parts are seen, noise is not
SOFT = 0.014  # standard deviation of the blur, as a share of the side: single pixels are noise to the eye


def scale_of(maps: Sequence[Array]) -> float:
    """The end of a colour scale that signed maps (height, width) share, in their unit, above 0: what
    one pixel in 50 of the strongest map exceeds."""
    return max([float(np.percentile(np.abs(values), 98)) for values in maps] + [1e-9])


def overlay(picture: Array, values: Array, scale: float) -> Array:
    """A signed map (height, width) over a uint8 picture (any height, any width, 3): uint8 with a
    longer side of `SIDE`. Where their proportions differ, the map is of the picture's middle, as models read it.
    """
    height, width = values.shape
    size = (round(SIDE * width / max(height, width)), round(SIDE * height / max(height, width)))
    grey = np.asarray(_middle(Image.fromarray(picture), width / height).convert("L").resize(size, _SMOOTH))
    large = np.asarray(Image.fromarray(values.astype("float32")).resize(size, _SMOOTH))
    strength = np.clip(gaussian_filter(large, SOFT * SIDE) / scale, -1, 1)[..., None]
    opacity = STRONGEST * np.abs(strength) ** BEND
    below = grey[..., None] * (1 - FADE) + 255 * FADE
    hue = np.where(strength > 0, _rgb(FOR), _rgb(AGAINST))
    return np.rint(below * (1 - opacity) + hue * opacity).astype("uint8")


_SMOOTH = Image.Resampling.BICUBIC


def _middle(image: Image.Image, proportion: float) -> Image.Image:
    """The largest middle part with `proportion` of width to height."""
    width, height = min(image.width, image.height * proportion), min(image.height, image.width / proportion)
    left, top = (image.width - width) / 2, (image.height - height) / 2
    return image.crop((round(left), round(top), round(left + width), round(top + height)))


def _rgb(color: str) -> Array:
    return np.array([int(color[i : i + 2], 16) for i in (1, 3, 5)], "float64")
