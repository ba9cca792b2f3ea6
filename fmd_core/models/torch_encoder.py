"""torch modules of others: the network without its last linear layer is the encoder."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from fmd_core.data import Array, InputKind
from fmd_core.errors import ModelError
from fmd_core.heads.linear import LinearHead
from fmd_core.kinds import recognised
from fmd_core.models.content import digest_of
from fmd_core.models.door import Asked, Door, FirstAnswers, Opened, binary_head
from fmd_core.models.preprocess import AsTheyAre, Preprocess

if TYPE_CHECKING:
    import torch
    from torch import nn

ADVICE = (
    "name the last linear layer (head='fc'), and let the module return what that layer gives, with nothing after it "
    "but a softmax."
)


@dataclass(frozen=True, eq=False)
class TorchEncoder:
    """A module that gives features (m, d): frozen, in eval mode, on the CPU, in single precision."""

    network: nn.Module
    kind: InputKind
    preprocess: Preprocess
    n_features: int
    title: str
    first: FirstAnswers | None = None

    @property
    def n_parameters(self) -> int:
        return sum(weight.numel() for weight in self.network.parameters())

    @cached_property
    def fingerprint(self) -> str:
        return digest_of(self.network, self.preprocess.content)

    def encode_batches(self, batches: Iterable[Array]) -> Iterator[Array]:
        """Features (m, d) float32 of each batch."""
        for batch in batches:
            features = answers_of(self.network, self.preprocess, batch)
            if features.ndim != 2:
                raise ModelError(
                    f"Below its last linear layer the module gives {features.shape} for {len(batch)} inputs, not one "
                    f"row of features each; {ADVICE}"
                )
            if self.first is not None:
                self.first.check(batch, features)
            yield features

    def as_module(self) -> nn.Module:
        """A copy of the network without its last layer."""
        return deepcopy(self.network)

    def with_weights(self, learned: Mapping[str, Array]) -> TorchEncoder:
        """The same network with some weights replaced."""
        import torch

        network = self.as_module()
        given = {name: torch.from_numpy(np.array(array)) for name, array in learned.items()}
        network.load_state_dict(network.state_dict() | given)
        return replace(self, network=network.eval().requires_grad_(False), first=None)

    def hidden_name(self) -> str:
        """Name of the last linear layer of layers in a row."""
        linear = self._row()[-2]
        return next(name for name, layer in self.network.named_children() if layer is linear)

    def hidden_layer(self) -> tuple[Array, Array]:
        """The last linear layer with relu of layers in a row."""
        linear = self._row()[-2]
        return linear.weight.detach().numpy().copy(), linear.bias.detach().numpy().copy()

    def below_hidden(self) -> TorchEncoder:
        """The layers in a row without the last linear one."""
        from torch import nn

        row = self._row()
        return replace(
            self, network=nn.Sequential(*row[:-2]).eval(), n_features=row[-2].in_features, first=None
        )

    def beside_hidden(self, factor: float) -> TorchEncoder:
        """What the last linear layer reads beside what it makes of it."""
        from torch import nn

        row = deepcopy(self._row())
        for weight in row[-2].parameters():
            weight.mul_(factor)
        below, last = nn.Sequential(*row[:-2]), nn.Sequential(*row[-2:])
        width = row[-2].in_features + row[-2].out_features
        return replace(self, network=_beside(below, last).eval(), n_features=width, first=None)

    def _row(self) -> list[Any]:
        """Layers that end in a linear one and relu; ModelError where the network is no such row."""
        from torch import nn

        row = list(self.network.children()) if type(self.network) is nn.Sequential else []
        while row and isinstance(row[-1], nn.Identity | nn.Dropout):
            row.pop()
        ends = len(row) > 1 and isinstance(row[-1], nn.ReLU) and isinstance(row[-2], nn.Linear)
        if not ends or row[-2].bias is None:
            raise ModelError(
                f"{self.title} is no nn.Sequential that ends in a linear layer and relu below its last layer, so that "
                "only the last layer can be unlearned."
            )
        return row


def _beside(below: nn.Module, last: nn.Module) -> nn.Module:
    import torch

    class Beside(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.below, self.last = below, last

        def forward(self, inputs: torch.Tensor) -> torch.Tensor:
            read = self.below(inputs)
            return torch.cat([read, self.last(read)], dim=1)

    return Beside()


def answers_of(module: nn.Module, preprocess: Preprocess, batch: Array) -> Array:
    """What a module gives for inputs, float32. ModelError where it cannot read them."""
    import torch

    try:
        with torch.inference_mode():
            given = module(preprocess.apply(batch))
    except (RuntimeError, TypeError, AssertionError, ValueError, IndexError) as error:
        problem = str(error).strip().splitlines() or [type(error).__name__]
        raise ModelError(
            f"The module cannot read a batch of the shape {batch.shape} and type {batch.dtype} ({problem[0][:160]}); "
            "say how pictures are made ready for it (preprocess=), or give data that it was made for."
        ) from error
    if not isinstance(given, torch.Tensor):
        raise ModelError(
            f"The module answers with a {type(given).__name__}, not a tensor; wrap one that returns what its last "
            "layer gives."
        )
    return given.float().numpy()


def _takes(model: object) -> bool:
    torch = sys.modules.get("torch")  # who has a module has imported it
    return torch is not None and isinstance(model, torch.nn.Module)


def _open(model: nn.Module, asked: Asked) -> Opened:
    whole = deepcopy(model).cpu().float().eval().requires_grad_(False)
    name = _last_linear(whole, asked.head)
    network, state = _without(whole, name), whole.get_submodule(name).state_dict()
    weight = state["weight"].numpy().astype("float64")
    bias = state["bias"].numpy().astype("float64") if "bias" in state else np.zeros(len(weight))
    head = binary_head(weight[0], float(bias[0])) if len(weight) == 1 else LinearHead(weight, bias)
    preprocess = asked.preprocess or AsTheyAre()
    first = FirstAnswers(head, lambda batch: _probabilities(answers_of(whole, preprocess, batch)), ADVICE)
    title = type(model).__name__
    return Opened(TorchEncoder(network, _kind(asked), preprocess, head.n_features, title, first), head)


def _last_linear(whole: nn.Module, named: object) -> str:
    """Name of the last linear layer."""
    from torch import nn

    known = [name for name, layer in whole.named_modules() if isinstance(layer, nn.Linear)]
    if named is None and known:
        return known[-1]
    if isinstance(named, str) and named in known:
        return named
    listed = ", ".join(name or "the module itself" for name in known[-8:]) or "none"
    raise ModelError(
        f"{type(whole).__name__} has no linear layer {named!r}; its linear layers: {listed}."
        if named is not None
        else f"{type(whole).__name__} has no linear layer (torch.nn.Linear) that could be its last one."
    )


def _without(whole: nn.Module, name: str) -> nn.Module:
    """A copy with nothing in the layer's place."""
    from torch import nn

    network = deepcopy(whole)
    if not name:
        return nn.Identity()
    network.set_submodule(name, nn.Identity())
    return network


def _probabilities(answers: Array) -> Array:
    """Of logits, of one logit per sample, or of probabilities."""
    if answers.ndim == 1 or answers.shape[1] == 1:
        x = answers.reshape(-1).astype("float64")
        second = 1 / (1 + np.exp(-x))
        return np.column_stack([1 - second, second])
    if (answers >= 0).all() and np.allclose(answers.sum(axis=1), 1, atol=1e-4):
        return answers
    from scipy.special import softmax

    return np.asarray(softmax(answers.astype("float64"), axis=1))


def _kind(asked: Asked) -> InputKind:
    """What the module reads, by what was said of it."""
    if asked.kind is not None:
        return asked.kind
    if asked.data is not None:
        return asked.data.source.kind
    if asked.preprocess is not None:
        return "image"
    if asked.example is not None:
        return recognised(asked.example).name
    raise ModelError("Say what the module reads: kind='image' or kind='table', or give data= or example=.")


DOOR = Door("a torch module", _takes, _open)
