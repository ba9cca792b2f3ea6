"""The topmost blocks of a language model, run again on what they were given, with weights of their own or others.

The blocks below are not run: every text's numbers on their way into the first of these blocks are kept when it is read
(`reading.Batch`). The network itself is never changed: another set of weights is lent to a copy that shares all others.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from fmd_core.data import Array
from fmd_core.errors import ModelError

if TYPE_CHECKING:
    import torch
    from torch import nn

    from fmd_core.language.opening import LanguageModel
    from fmd_core.language.reading import Batch

TOP = 4
"""Blocks that may be changed; a model with fewer has all of them."""
NO_BLOCKS = "The model's blocks are not found in it, so only its last layer can be changed."


class Enough(Exception):
    """What was wanted is known: the rest of the network need not run."""


def head_of(model: LanguageModel) -> nn.Linear:
    """The layer that turns features into one number for each token."""
    return _head(model.network)


def _head(network: Any) -> nn.Linear:  # noqa: ANN401  of the library's classes
    layer = network.get_output_embeddings()
    if layer is None or layer.weight.ndim != 2:
        raise ModelError("The model has no last layer over its words, so nothing can be scored.")
    found: nn.Linear = layer
    return found


def blocks_of(network: Any) -> nn.ModuleList:  # noqa: ANN401
    """A network's blocks, the first one first. ModelError where they are not found."""
    from torch import nn

    wanted = network.config.num_hidden_layers
    found = (one for one in network.modules() if isinstance(one, nn.ModuleList) and len(one) == wanted)
    blocks = next(found, None)
    if blocks is None:
        raise ModelError(NO_BLOCKS)
    return blocks


def top_blocks(network: Any, number: int) -> list[nn.Module]:  # noqa: ANN401
    """The last so many blocks, or all there are."""
    blocks = blocks_of(network)
    return list(blocks[max(0, len(blocks) - number) :])


def _pass_on() -> nn.Module:
    """In place of a block below: what comes in goes on."""
    from torch import nn

    class PassOn(nn.Module):
        def forward(self, hidden: torch.Tensor, *_args: object, **_kwargs: object) -> torch.Tensor:
            return hidden

    return PassOn()


class TopBlocks:
    """The last blocks of a model and what follows up to the last layer, as a function of their weights."""

    def __init__(self, model: LanguageModel, number: int = TOP) -> None:
        network: Any = model.network
        shared: dict[int, Any] = {id(one): one for one in (*network.parameters(), *network.buffers())}
        self.network: Any = copy.deepcopy(network, shared)
        self.network.config.use_cache = False
        blocks = blocks_of(self.network)
        self.number = min(number, len(blocks))
        below = len(blocks) - self.number
        for place in range(below):
            blocks[place] = _pass_on()
        names = {id(one): name for name, one in self.network.named_parameters()}
        self._named = [
            {names[id(weight)]: weight for weight in block.parameters()} for block in blocks[below:]
        ]
        blocks[below].register_forward_pre_hook(self._give)
        _head(self.network).register_forward_pre_hook(self._hear)
        self._given: torch.Tensor | None = None
        self._heard: torch.Tensor | None = None

    def weights(self, last: int = 1) -> dict[str, torch.Tensor]:
        """Of the last few blocks, by name; shared with the model, not to be changed in place."""
        found: dict[str, torch.Tensor] = {}
        for block in self._named[max(0, self.number - last) :]:
            found |= block
        return {name: weight.detach() for name, weight in found.items()}

    def features(
        self,
        ids: torch.Tensor,
        counts: torch.Tensor,
        hidden: torch.Tensor,
        weights: Mapping[str, torch.Tensor] | None = None,
    ) -> torch.Tensor:
        """What the last layer is given, (texts, tokens, width), with these weights in place of their own."""
        import torch

        self._given = hidden
        with suppress(Enough):
            torch.func.functional_call(
                self.network, dict(weights or {}), (), {"input_ids": ids, "attention_mask": counts}
            )
        found, self._heard, self._given = self._heard, None, None
        if found is None:
            raise ModelError(NO_BLOCKS)
        return found

    def features_of(
        self, batches: Sequence[Batch], positions: int, weights: Mapping[str, torch.Tensor] | None = None
    ) -> Array:
        """What the last layer is given at every position of a reading, (positions, width) float32."""
        import torch

        found = np.empty((positions, _head(self.network).weight.shape[1]), "float32")
        with torch.no_grad():
            for batch in batches:
                answers = self.features(*batch.tensors(), weights).numpy()
                found[batch.asked[:, 2]] = answers[batch.asked[:, 0], batch.asked[:, 1]]
        return found

    def lifted(self, batches: Sequence[Batch], blocks: int) -> list[Batch]:
        """What fewer blocks than these are given, of what these were given."""
        import torch

        if blocks >= self.number:
            return list(batches)
        heard: list[torch.Tensor] = []
        first = top_blocks(self.network, blocks)[0]
        hook = first.register_forward_pre_hook(lambda _block, given: heard.append(given[0]))
        found = []
        with torch.no_grad():
            for batch in batches:
                heard.clear()
                self.features(*batch.tensors())
                found.append(replace(batch, hidden=heard[0].numpy()))
        hook.remove()
        return found

    def _give(self, _block: nn.Module, given: tuple[Any, ...]) -> tuple[Any, ...]:
        return (self._given, *given[1:])

    def _hear(self, _layer: nn.Module, given: tuple[torch.Tensor, ...]) -> None:
        self._heard = given[0]
        raise Enough
