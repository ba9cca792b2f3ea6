"""What a kind of sample has to say of itself, so that nothing else asks what a sample is.

As it stands, `Kind` describes records of numbers, float32 (m, d): what is of another make overrides
what differs (see `fmd_core.kinds.image`).
"""

# ruff: noqa: ARG002 - what a default does not need, another kind does

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Protocol

import numpy as np

from fmd_core.data import Array, Display, SampleSource

if TYPE_CHECKING:
    import torch

Channels = tuple[float, float, float]
EPOCHS = 12  # passes over a training split that cost seconds


class Preparation(Protocol):
    """What is done to a sample before a network reads it; see `fmd_core.models.preprocess.Preprocess`."""

    @property
    def size(self) -> int | None:
        """Side that pictures are scaled to; None: as they come."""

    @property
    def colours(self) -> tuple[Channels, Channels]:
        """Mean and spread of each channel, of colours between 0 and 1, that are taken out."""

    @property
    def is_usual(self) -> bool:
        """Whether nothing else happens to a picture."""

    def prepared(self, inputs: Array) -> Array:
        """All that happens to a batch of pictures, (m, channels, height, width) float32."""


@dataclass(frozen=True)
class Portrait:
    """A sample as a page shows it: a picture as a data URI, or lines of text; the other is empty."""

    picture: str = ""
    text: str = ""
    marks: tuple[tuple[int, int], ...] = ()
    """Begin and end of each place in the text that is marked."""


class Kind(ABC):
    """A kind of sample: how it is batched, turned into tensors, shown, explained and tried out.

    A new kind is a subclass, registered by `fmd_core.kinds.register_kind`, and a `SampleSource` whose
    `kind` is its name. Only `name`, `plural`, `reads` and `portrait` have no default.
    """

    name: ClassVar[str]
    """As data sets, architectures and files name it, and one of them in words: "image"."""
    plural: ClassVar[str]
    """Several, as a model that reads them is described: "images"."""
    samples: ClassVar[str] = "rows"
    """Several, as they come in a batch."""
    training_batch: ClassVar[int] = 256
    """Samples that one step of a training learns from, fewer where they are large."""
    averaged: ClassVar[int | None] = None
    """Training samples that the average one is made of; None: all."""
    explainers: ClassVar[tuple[str, ...]] = ("integrated-gradients",)
    """Methods of `fmd_core.explain.attributions` that can be tried, the surest first."""
    has_pictures: ClassVar[bool] = False
    """Whether a report shows its samples as pictures."""
    is_prepared: ClassVar[bool] = False
    """Whether a size and a normalisation have to be known before a network reads it."""
    has_giveaways: ClassVar[bool] = False
    """Whether columns of it can give an attribute away, and be left out or changed with it."""

    reads_words: ClassVar[bool] = False
    """Whether a sample is a text, of which a page shows what each word adds."""

    @abstractmethod
    def reads(self, inputs: Array) -> bool:
        """Whether a batch can hold samples of this kind, by its shape and type."""

    @abstractmethod
    def portrait(self, shown: Display, side: int) -> Portrait:
        """What a source's `display` gave, ready for a page; `side` is the shorter side of a picture, pixels."""

    def record(self, shown: Display) -> Mapping[str, str]:
        """What a shown sample says by the name of each part; empty where parts have no names."""
        return {}

    def tensor(self, inputs: Array, preparation: Preparation) -> torch.Tensor:
        """A batch as a network reads it, first axis samples."""
        import torch

        return torch.from_numpy(inputs)

    def side(self, inputs: Array, preparation: Preparation) -> int:
        """Side of the square of pixels that takes as much memory as one sample: what bounds a batch."""
        return 1

    def width(self, inputs: Array) -> int:
        """Inputs of one sample that a network has to be built for; 0 where it reads any number."""
        return int(inputs.shape[-1])

    def stored_width(self, state: Mapping[str, Array]) -> int:
        """The same, by an encoder's weights: what their first matrix reads."""
        first = next((array for array in state.values() if array.ndim == 2), np.zeros((0, 0)))
        return int(first.shape[1])

    def suggested_architecture(self, inputs: Array) -> str:
        """The network to train on such samples; "" for the first that reads this kind."""
        return ""

    def epochs(self, n_train: int) -> int:
        """Passes over `n_train` training samples that take minutes at most."""
        return EPOCHS

    def parts(self, contributions: Array, source: SampleSource) -> tuple[Array, tuple[str, ...]]:
        """Contributions of the inputs of one sample, put together by what a person can name: (n_parts,)
        with a name each, or a map (height, width) without names."""
        return contributions, tuple(f"input {i + 1}" for i in range(len(contributions)))

    def noise(self, rng: np.random.Generator, n: int, *, width: int, side: int) -> Array:
        """So many samples of noise, to try a network out: of `width` inputs, or `side` pixels a side."""
        return rng.normal(size=(n, width)).astype("float32")

    def misfit(self, inputs: Array, usual: int) -> str:
        """Why a network could not read `inputs`, in a sentence; `usual` is the size that it is made for."""
        return (
            f"The network cannot read {self.samples} of {inputs.shape[-1]} columns; it was made for another "
            f"{self.name}."
        )
