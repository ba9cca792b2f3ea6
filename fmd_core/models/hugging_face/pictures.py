"""Features of pictures: a picture classifier of the library without its last layer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

from fmd_core.data import Array, InputKind, content_fingerprint
from fmd_core.errors import ModelError
from fmd_core.models.hugging_face.encoder import WithoutLastLayer, described_by
from fmd_core.models.hugging_face.network import INNER
from fmd_core.models.network_encoder import content_of, read_by
from fmd_core.models.preprocess import Preprocess

if TYPE_CHECKING:
    from torch import nn

STORED_AS = "hugging_face"


@dataclass(frozen=True, eq=False)
class HuggingFaceEncoder(WithoutLastLayer):
    """A picture classifier of the library without its last layer: uint8 (m, height, width, 3) to features (m, d)."""

    preprocess: Preprocess

    stored_as = STORED_AS

    @property
    def kind(self) -> InputKind:
        return self.described.family.kind

    @cached_property
    def fingerprint(self) -> str:
        return content_fingerprint(
            STORED_AS, *self.settings().values(), self.preprocess.content, *content_of(self.state)
        )

    @cached_property
    def module(self) -> nn.Module:
        """The network that all who read features share: to be run, not to be changed or listened to."""
        return self.built("pixel_values")

    def encode_batches(self, batches: Iterable[Array]) -> Iterator[Array]:
        """Features (m, d) float32 of each batch of pictures."""
        return read_by(self.module, self.preprocess, self.kind, batches)

    def as_module(self) -> nn.Module:
        """A copy of the network, from prepared pictures to features."""
        return deepcopy(self.module)

    def with_weights(self, learned: Mapping[str, Array]) -> HuggingFaceEncoder:
        """The same network with some weights replaced, by their names in `as_module().state_dict()`."""
        now = {name: tensor.numpy() for name, tensor in self.module.state_dict().items()} | dict(learned)
        return replace(self, state={name.removeprefix(f"{INNER}."): array for name, array in now.items()})

    def hidden_name(self) -> str:
        """Refused: below the last layer lies no linear layer with relu."""
        raise ModelError(
            f"{self.title} has no hidden layer right below its last one; unlearn the last layer, or all."
        )

    def stored(self) -> tuple[dict[str, str], dict[str, Array]]:
        """What the network is, as text, and its weights."""
        return self.settings(), dict(self.state)


def restore(
    settings: Mapping[str, str], arrays: Mapping[str, Array], preprocess: Preprocess
) -> HuggingFaceEncoder:
    """The encoder that `HuggingFaceEncoder.stored` described. ModelError for another description."""
    described, width = described_by(settings, "image", "pictures")
    return HuggingFaceEncoder(described, dict(arrays), width, preprocess)
