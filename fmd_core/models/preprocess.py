"""How images are made ready for a network."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

from fmd_core.data import Array, InputKind
from fmd_core.errors import ModelError
from fmd_core.kinds import find_kind, recognised

if TYPE_CHECKING:
    import torch
    from PIL import Image

Channels = tuple[float, float, float]
NORMALISATIONS: dict[str, tuple[Channels, Channels]] = {
    "symmetric": ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
    "unit": ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0)),
    "imagenet": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
}
"""Mean and spread per channel, of colours between 0 and 1, that a network expects taken out."""
Resize = Literal["middle square", "squash", "shorter side", "longer side"]
Resample = Literal["bilinear", "bicubic", "nearest", "lanczos", "box", "hamming"]
Order = Literal["RGB", "BGR"]
SIDES = (8, 512)
LONGEST_RESIZE = 1024  # before the crop
LARGEST = 1e6  # of a mean or a spread


@dataclass(frozen=True, repr=False)
class Preprocess:
    """What happens to an image before the encoder sees it.

    As it stands, colours of the data set's own middle squares are normalised, and scaled where a `size` is asked
    for. With another `resize` the picture is read whole from its file: see `fitted`.
    """

    normalisation: str = "symmetric"
    """Name of a mean and a spread; without meaning where `mean` and `spread` are given."""
    size: int | None = (
        None  # side (height, where `width` is given) that images are scaled to; None: as they come
    )
    resize: Resize = "middle square"
    """How a picture that is no square becomes one: the data set's middle square; squashed; its shorter side scaled to
    `scaled_to` and the middle cut out; its longer side scaled to `size` and the rest black."""
    scaled_to: int | None = None
    """Pixels of the shorter side before the middle is cut out; None: `size`, so that nothing more is cut off."""
    resample: Resample = "bilinear"
    mean: Channels | None = None
    spread: Channels | None = None
    """In the units of `white`; both or neither."""
    order: Order = "RGB"
    grayscale: bool = False
    """One channel of brightness instead of three of colours."""
    white: float = 1.0
    """What full brightness counts as before mean and spread are taken out: 1 or 255."""
    width: int | None = None

    def __post_init__(self) -> None:
        if self.normalisation not in NORMALISATIONS:
            known = ", ".join(NORMALISATIONS)
            raise ModelError(f"Unknown normalisation '{self.normalisation}'. Choose one of: {known}.")
        for side in (self.size, self.width):
            if side is not None and not SIDES[0] <= side <= SIDES[1]:
                raise ModelError(
                    f"Images of {side} pixels a side cannot be used; choose {SIDES[0]} to {SIDES[1]}."
                )
        for name, kind in (("resize", Resize), ("resample", Resample), ("order", Order)):
            if getattr(self, name) not in get_args(kind):
                raise ModelError(
                    f"Unknown {name} {str(getattr(self, name))[:40]!r}. Choose one of: {', '.join(get_args(kind))}."
                )
        self._check_numbers()

    def _check_numbers(self) -> None:
        if (self.mean is None) != (self.spread is None):
            raise ModelError("Give mean and spread together, three numbers each, or neither.")
        numbers = (*(self.mean or ()), *(self.spread or ()), self.white)
        if not all(np.isfinite(number) and abs(number) <= LARGEST for number in numbers):
            raise ModelError(f"Mean, spread and range must be numbers up to {LARGEST:g}, got {numbers}.")
        if self.white <= 0 or min(self.spread or (1.0,)) <= 0:
            raise ModelError(f"A spread and the range must be above 0, got {self.spread} and {self.white}.")
        if self.is_read_whole and self.size is None:
            raise ModelError("Say to how many pixels a side pictures are scaled.")
        if self.scaled_to is not None and not (self.size or 1) <= self.scaled_to <= LONGEST_RESIZE:
            raise ModelError(
                f"The shorter side is scaled to {self.scaled_to} pixels before the middle is cut out; choose at least "
                f"the {self.size} that are cut out, and {LONGEST_RESIZE} at most."
            )

    def __repr__(self) -> str:
        return self.content

    @property
    def content(self) -> str:
        """What fingerprints are made of: spelled out, so that another field with a default orphans no features."""
        more = "".join(f", {name}={value!r}" for name, value in self.unusual.items())
        return f"Preprocess(normalisation={self.normalisation!r}, size={self.size!r}{more})"

    @property
    def unusual(self) -> dict[str, object]:
        """Fields beside normalisation and size that are not as by default, by name: what a file says of them."""
        later = fields(Preprocess)[2:]
        return {f.name: getattr(self, f.name) for f in later if getattr(self, f.name) != f.default}

    @property
    def colours(self) -> tuple[Channels, Channels]:
        """Mean and spread of each channel that are taken out, of colours between 0 and 1."""
        if self.mean is None or self.spread is None:
            mean, spread = NORMALISATIONS[self.normalisation]
            return mean, spread
        low, high = ([number / self.white for number in numbers] for numbers in (self.mean, self.spread))
        return (low[0], low[1], low[2]), (high[0], high[1], high[2])

    @property
    def is_read_whole(self) -> bool:
        """Whether pictures are fitted from their files instead of from the data set's middle squares."""
        return self.resize != "middle square"

    @property
    def is_usual(self) -> bool:
        """Whether only colours are normalised and squares scaled, as networks trained here expect it."""
        return not self.unusual

    def fitted(self, picture: Image.Image) -> Array:
        """A whole RGB picture as the network sees it but for its colours' scale, uint8 (height, width, 3).

        Resampled by Pillow on 8 bits, as torchvision does with pictures and Hugging Face's image processors do.
        """
        from PIL import Image, ImageOps

        how = Image.Resampling[self.resample.upper()]
        height = self.size or picture.height
        width = self.width or (self.size or picture.width)
        if self.resize == "squash":
            picture = picture.resize((width, height), how)
        elif self.resize == "shorter side":
            picture = _middle(
                _scaled_shorter(picture, self.scaled_to or min(height, width), how), width, height
            )
        elif self.resize == "longer side":
            picture = ImageOps.pad(picture, (width, height), how, color=(0, 0, 0))
        elif picture.size != (width, height):
            picture = ImageOps.fit(picture, (width, height), how)
        return np.array(picture)

    def enlarged(self, longest: int) -> Preprocess:
        """The same cut of a picture at a `longest` side of so many pixels, to show people what the network sees."""
        if self.size is None:
            return self
        factor = longest / max(self.size, self.width or self.size)
        width = None if self.width is None else round(self.width * factor)
        scaled = None if self.scaled_to is None else min(round(self.scaled_to * factor), LONGEST_RESIZE)
        return replace(self, size=round(self.size * factor), width=width, scaled_to=scaled)

    def prepared(self, inputs: Array) -> Array:
        """A batch (m, height, width, 3), uint8 or as large, to float32 (m, channels, height, width), without torch.

        Pictures of the size asked for are taken as they are; others are fitted first.
        """
        from PIL import Image

        height, width = self.size or inputs.shape[1], self.width or (self.size or inputs.shape[2])
        if inputs.shape[1:3] != (height, width):
            eight = np.clip(np.rint(inputs), 0, 255).astype("uint8")
            inputs = np.stack([self.fitted(Image.fromarray(one)) for one in eight])
        values = inputs.astype("float32")
        if self.grayscale:  # as ITU-R 601 weighs colours, which Pillow and torchvision do too
            values = np.repeat(values @ np.array([[0.299], [0.587], [0.114]], "float32"), 3, axis=3)
        if self.order == "BGR":
            values = values[..., ::-1]
        mean, spread = (np.array(numbers, "float32") * np.float32(255) for numbers in self.colours)
        values = (values - mean) / spread
        return np.ascontiguousarray(values[..., : 1 if self.grayscale else 3].transpose(0, 3, 1, 2))

    def apply(self, inputs: Array, kind: InputKind = "") -> torch.Tensor:
        """A batch as a network reads it: uint8 images (m, height, width, 3) to float (m, 3, side, side); records
        stay as they are. `kind` is asked; where none is named, the first that such a batch can be of."""
        return (find_kind(kind) if kind else recognised(inputs)).tensor(inputs, self)


def _scaled_shorter(picture: Image.Image, to: int, how: Image.Resampling) -> Image.Image:
    """The longer side is cut to whole pixels, as torchvision's Resize does."""
    w, h = picture.size
    size = (to, int(to * h / w)) if w <= h else (int(to * w / h), to)
    return picture if size == picture.size else picture.resize(size, how)


def _middle(picture: Image.Image, width: int, height: int) -> Image.Image:
    left, top = round((picture.width - width) / 2), round((picture.height - height) / 2)
    return picture.crop((left, top, left + width, top + height))  # what lies outside is black


@dataclass(frozen=True)
class AsTheyAre(Preprocess):
    """Inputs go into the network as the data set gives them, fractions in single precision."""

    def __repr__(self) -> str:
        return self.content

    @property
    def content(self) -> str:
        return "AsTheyAre()"

    def apply(self, inputs: Array, kind: InputKind = "") -> torch.Tensor:  # noqa: ARG002 - of any kind
        """The same numbers in the same shape."""
        import torch

        return torch.from_numpy(np.array(inputs, "float32" if inputs.dtype.kind == "f" else inputs.dtype))
