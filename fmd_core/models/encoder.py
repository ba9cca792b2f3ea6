"""What turns inputs into features. Whatever a model is made of, the rest of FMD Studio knows it by this.

An `Encoder` is frozen and answers the same input in the same way, whatever else is in the batch. What only some
encoders can do is an ability of its own, asked for before it is used: `Network`, `Trainable`, `Layered`, `KnowsRows`,
`ReadsTokens`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from fmd_core.data import Array, AttributeDataset, InputKind
from fmd_core.errors import ModelError
from fmd_core.models.preprocess import Preprocess

if TYPE_CHECKING:
    from torch import nn


@runtime_checkable
class Encoder(Protocol):
    """Inputs to features; see `fmd_core.models.sklearn_encoder` for a short one."""

    @property
    def kind(self) -> InputKind:
        """What it reads."""

    @property
    def title(self) -> str:
        """What it is, for people: "ResNet-18", "scikit-learn: StandardScaler"."""

    @property
    def n_features(self) -> int:
        """d, how many numbers it makes of one input."""

    @property
    def n_parameters(self) -> int:
        """How many numbers were learned."""

    @property
    def fingerprint(self) -> str:
        """Content digest of all that decides the features; '' where that cannot be known, and nothing is stored."""

    def encode_batches(self, batches: Iterable[Array]) -> Iterator[Array]:
        """Features (m, d) float32 of each batch: uint8 images (m, height, width, 3) or rows (m, columns)."""


@runtime_checkable
class Network(Protocol):
    """The ability to be differentiated and listened to: a torch network."""

    @property
    def preprocess(self) -> Preprocess:
        """What happens to an input before the network sees it."""

    def as_module(self) -> nn.Module:
        """A fresh copy, from prepared inputs to features (m, d): whoever has it may change it."""


@runtime_checkable
class Trainable(Network, Protocol):
    """The ability to take on what a copy of the network has learned."""

    def with_weights(self, learned: Mapping[str, Array]) -> Encoder:
        """The same network with some weights replaced, by their names in `as_module().state_dict()`."""

    def hidden_name(self) -> str:
        """Name in `as_module()` of the linear layer that ends the network, but for relu. ModelError for another end."""


@runtime_checkable
class Layered(Protocol):
    """The ability to end earlier: its last layer may be linear, with relu on top."""

    def hidden_layer(self) -> tuple[Array, Array]:
        """Weight (d, h) and bias (d,) of the last layer. ModelError, in a sentence, where it is no such layer."""

    def below_hidden(self) -> Encoder:
        """What the last layer reads, (m, h)."""

    def beside_hidden(self, factor: float) -> Encoder:
        """What the last layer reads beside what it makes of it, the latter times `factor` > 0: (m, h + d)."""


@runtime_checkable
class KnowsRows(Protocol):
    """The ability to answer by row: features were given for the rows of one data set, inputs are not looked at."""

    def encode_rows(self, dataset: AttributeDataset, rows: Array) -> Array:
        """Features (m, d) float32 of `rows`. ModelError for another data set."""


@runtime_checkable
class Stored(Protocol):
    """The ability to be written into a file of FMD Studio, and to be made again of it by `restore` in the module that
    `fmd_core.models.files.RESTORERS` names."""

    @property
    def stored_as(self) -> str:
        """Name in RESTORERS."""

    def stored(self) -> tuple[dict[str, str], dict[str, Array]]:
        """Settings as text, and arrays, of which `restore(settings, arrays, preprocess) -> Encoder` makes the same
        encoder again. Nothing in them is believed there: a file may come from anywhere."""


@runtime_checkable
class ReadsTokens(Protocol):
    """The ability to read texts a token at a time, by a torch network."""

    def mask_token(self) -> int:
        """The number of the token that says that one is hidden. ModelError where tokens cannot be had here."""

    def tokens(self, text: str) -> tuple[list[int], list[tuple[int, int]]]:
        """Token numbers of a text, and of each where it begins and ends in it; (0, 0) for what is no part of it.
        ModelError, in a sentence, where they cannot be had here."""

    def token_features(self, text: str) -> tuple[Array, list[tuple[int, int]]]:
        """What each token adds to the features of a text, (t, d) float32 with the features as their sum, and where it
        stands. ModelError as above."""

    def as_module(self) -> nn.Module:
        """A fresh copy, from token numbers (m, length) to features (m, d), with its word vectors in `words`."""


def network_of(encoder: Encoder) -> Network:
    """The encoder as a network. ModelError, in a sentence, where it is none."""
    if isinstance(encoder, Network):
        return encoder
    raise ModelError(
        _why_frozen(encoder)
        or f"{encoder.title} is no torch network, so what happens inside it cannot be looked at or trained further; "
        "its features and its last layer can. Wrap a torch module for the rest."
    )


def trainable(encoder: Encoder) -> Trainable:
    """The encoder as one that can take on other weights. ModelError, in a sentence, where it cannot."""
    if isinstance(encoder, Trainable):
        return encoder
    raise ModelError(
        _why_frozen(encoder)
        or f"{encoder.title} cannot be trained further here; wrap a torch module, or train it yourself."
    )


def _why_frozen(encoder: Encoder) -> str:
    """What an encoder says itself of why its inside is closed; '' where it says nothing."""
    return str(getattr(encoder, "why_frozen", ""))


def layers_of(encoder: Encoder) -> Layered:
    """The encoder as one that can end earlier. ModelError, in a sentence, where it cannot."""
    if isinstance(encoder, Layered):
        return encoder
    raise ModelError(
        f"{encoder.title} has no hidden layer right below its last one that could be opened, so that only the last "
        "layer can be unlearned."
    )
