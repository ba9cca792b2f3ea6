"""Networks of our own list of architectures, by name and weights."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from fmd_core.data import Array, InputKind, content_fingerprint, frozen_array
from fmd_core.errors import ModelError
from fmd_core.kinds import find_kind
from fmd_core.models.architectures import (
    below_hidden,
    build_encoder,
    find_architecture,
    find_hidden_layer,
    side_by_side,
)
from fmd_core.models.preprocess import Preprocess

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True, eq=False)
class NetworkEncoder:
    """The network `architecture` with the weights `state`; built when it is first needed."""

    architecture: str
    state: Mapping[str, Array]
    preprocess: Preprocess
    cut: Callable[[nn.Module], nn.Module] | None = None
    """What is left of the whole encoder where it ends earlier; see `fmd_core.models.depth`."""

    @property
    def kind(self) -> InputKind:
        return find_architecture(self.architecture).kind

    @property
    def title(self) -> str:
        return find_architecture(self.architecture).title

    @cached_property
    def n_features(self) -> int:
        side = self.preprocess.size or find_architecture(self.architecture).size
        noise = find_kind(self.kind).noise(np.random.default_rng(0), 1, width=self._n_inputs, side=side)
        return next(self.encode_batches([noise])).shape[1]

    @property
    def n_parameters(self) -> int:
        return sum(array.size for array in self.state.values())

    @cached_property
    def fingerprint(self) -> str:
        cut = [] if self.cut is None else [self.cut.__name__]
        return content_fingerprint(self.architecture, self.preprocess.content, *cut, *content_of(self.state))

    @cached_property
    def module(self) -> nn.Module:
        """The network that all who read features share: to be run, not to be changed or listened to."""
        import torch

        module = build_encoder(self.architecture, self._n_inputs)
        if self.cut is not None:
            module = self.cut(module)
        state = {name: torch.from_numpy(array.copy()) for name, array in self.state.items()}
        try:
            module.load_state_dict(state)
        except RuntimeError as error:
            raise ModelError(
                f"The weights do not fit the architecture '{self.architecture}': layers are missing, "
                "left over or of another size."
            ) from error
        return module.eval().requires_grad_(False)

    @property
    def _n_inputs(self) -> int:
        return find_kind(self.kind).stored_width(self.state)

    def encode_batches(self, batches: Iterable[Array]) -> Iterator[Array]:
        """Features (m, d) float32 of each batch."""
        return read_by(self.module, self.preprocess, self.kind, batches)

    def as_module(self) -> nn.Module:
        """A copy of the network. The shared one may have been built for inference only."""
        return deepcopy(self.module)

    def with_weights(self, learned: Mapping[str, Array]) -> NetworkEncoder:
        """The same network with some weights replaced."""
        return replace(self, state={**self.state, **learned})

    def hidden_name(self) -> str:
        """Name of the last linear layer, which relu follows."""
        return find_hidden_layer(self.architecture)

    def hidden_layer(self) -> tuple[Array, Array]:
        """Weight and bias of the last linear layer, which relu follows."""
        name = self.hidden_name()
        try:
            return self.state[f"{name}.weight"], self.state[f"{name}.bias"]
        except KeyError as error:
            raise ModelError(f"Layer '{name}' is missing in the weights; open the whole network.") from error

    def below_hidden(self) -> NetworkEncoder:
        """The network without its last linear layer."""
        name = self.hidden_name()
        left = {
            key: array for key, array in self.state.items() if key not in (f"{name}.weight", f"{name}.bias")
        }
        return replace(self, state=left, cut=below_hidden)

    def beside_hidden(self, factor: float) -> NetworkEncoder:
        """The network that gives out what its last linear layer reads as well."""
        name = self.hidden_name()
        weight, bias = (frozen_array(array * np.float32(factor)) for array in self.hidden_layer())
        return replace(
            self, state={**self.state, f"{name}.weight": weight, f"{name}.bias": bias}, cut=side_by_side
        )


def content_of(state: Mapping[str, Array]) -> list[str | Array]:
    """Names and arrays of a state dict in order of the names, for a fingerprint."""
    return [part for name in sorted(state) for part in (name, state[name])]


def read_by(
    module: nn.Module, preprocess: Preprocess, kind: InputKind, batches: Iterable[Array]
) -> Iterator[Array]:
    """What a network makes of each batch of inputs, (m, d) float32."""
    import torch

    for batch in batches:
        with torch.inference_mode():
            features = module(preprocess.apply(batch, kind)).numpy()
        yield features
