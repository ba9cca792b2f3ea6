"""Network architectures by name: an encoder whose output are the features, under a linear head.

torch and torchvision are imported when a network is first built, not when this module is.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fmd_core.data import Array, InputKind
from fmd_core.errors import ModelError

if TYPE_CHECKING:
    from torch import nn

NAMED_MISMATCHES = 3


@dataclass(frozen=True)
class Architecture:
    """A network that can be built, trained here or opened with a user's weights."""

    name: str
    title: str
    kind: InputKind
    size: int  # side of the square image that it is made for, 0 for tables
    head: str  # name of the last linear layer in the whole network's state dict
    build: Callable[[int], nn.Module]
    """The encoder in its initial state, for `n_inputs` columns (ignored by image networks)."""
    hidden: str = ""  # name of the layer below, where the encoder ends in a linear layer and relu
    pretrained: bool = False  # whether torchvision publishes weights for it


def build_encoder(name: str, n_inputs: int = 0) -> nn.Module:
    """A fresh encoder: images (m, 3, side, side) or rows (m, n_inputs) to features (m, d)."""
    return find_architecture(name).build(n_inputs)


def find_hidden_layer(name: str) -> str:
    """Name of the encoder's last linear layer, which relu follows; ModelError where there is none."""
    found = find_architecture(name)
    if not found.hidden:
        usable = ", ".join(other.name for other in ARCHITECTURES.values() if other.hidden)
        raise ModelError(
            f"{found.title} has no hidden layer right below its last one, so that only the last layer can be "
            f"unlearned; networks with one: {usable}."
        )
    return found.hidden


def below_hidden(encoder: nn.Module) -> nn.Module:
    """Layers in a row without the last two, a linear layer and relu; the others keep their names."""
    from torch import nn

    return nn.Sequential(OrderedDict(list(encoder.named_children())[:-2]))


def side_by_side(encoder: nn.Module) -> nn.Module:
    """Layers in a row, which give out the last two layers' input beside their output."""
    import torch

    class SideBySide(torch.nn.Sequential):
        def forward(self, inputs: torch.Tensor) -> torch.Tensor:
            *below, linear, relu = self
            for layer in below:
                inputs = layer(inputs)
            return torch.cat([inputs, relu(linear(inputs))], dim=1)

    return SideBySide(OrderedDict(encoder.named_children()))


def split_state(
    name: str, state: Mapping[str, Array], n_inputs: int = 0
) -> tuple[dict[str, Array], Array, Array]:
    """Take a whole network's state dict apart: encoder state, head weight (K, d), head bias (K,).

    Raises ModelError with a list of what is missing, left over or of another shape.
    """
    head = find_architecture(name).head
    weight, bias = state.get(f"{head}.weight"), state.get(f"{head}.bias")
    encoder = {key: array for key, array in state.items() if key not in (f"{head}.weight", f"{head}.bias")}
    problems = _mismatches(name, encoder, n_inputs)
    if weight is None or np.ndim(weight) != 2:
        problems.insert(0, f"missing {head}.weight, the last linear layer")
    elif bias is not None and np.shape(bias) != (len(weight),):
        problems.insert(0, f"{head}.bias is {np.shape(bias)}, not {(len(weight),)}")
    if problems or weight is None:
        named = "; ".join(problems[:NAMED_MISMATCHES])
        more = f"; and {len(problems) - NAMED_MISMATCHES} more" if len(problems) > NAMED_MISMATCHES else ""
        raise ModelError(f"The weights do not fit '{name}': {named}{more}. Choose another architecture.")
    return encoder, weight, np.zeros(len(weight), weight.dtype) if bias is None else bias


def load_published(name: str, encoder: nn.Module) -> None:
    """Fill an encoder with the weights that torchvision publishes, downloaded once and kept by torch.

    Raises ModelError where there are none, or where they cannot be fetched.
    """
    found = find_architecture(name)
    if not found.pretrained:
        raise ModelError(
            f"Nobody publishes weights for '{name}'; choose another network, or start from scratch."
        )
    import torchvision

    try:
        state = torchvision.models.get_model_weights(name).DEFAULT.get_state_dict(
            progress=False, check_hash=True
        )
    except Exception as error:  # urllib, ssl, hashes and a full disk each have their own
        raise ModelError(
            f"The published weights of {found.title} could not be fetched ({type(error).__name__}); "
            "check the network, or start from scratch."
        ) from error
    encoder.load_state_dict(
        {key: value for key, value in state.items() if not key.startswith(f"{found.head}.")}
    )


def _mismatches(name: str, state: Mapping[str, Array], n_inputs: int) -> list[str]:
    """What keeps `state` from being loaded into the encoder, a phrase each."""
    wanted = {key: tuple(value.shape) for key, value in build_encoder(name, n_inputs).state_dict().items()}
    given = {key: tuple(np.shape(value)) for key, value in state.items()}
    missing = [f"missing {key} {shape}" for key, shape in wanted.items() if key not in given]
    other = [
        f"{key} is {given[key]}, not {shape}"
        for key, shape in wanted.items()
        if key in given and given[key] != shape
    ]
    return other + missing + [f"left over {key} {shape}" for key, shape in given.items() if key not in wanted]


TWICE = " twice"
"""The end of the name of a network that is two of one kind side by side: a mixture of an original and a repaired
one, whose last layer reads both."""


def find_architecture(name: str) -> Architecture:
    """An architecture by name; 'face_cnn twice' is two of that kind side by side."""
    if name.endswith(TWICE) and name.removesuffix(TWICE) in ARCHITECTURES:
        return _twice(ARCHITECTURES[name.removesuffix(TWICE)])
    if name not in ARCHITECTURES:
        raise ModelError(f"Unknown architecture '{name}'. Known: {', '.join(ARCHITECTURES)}.")
    return ARCHITECTURES[name]


def is_architecture(name: str) -> bool:
    """Whether there is an architecture of that name."""
    return name.removesuffix(TWICE) in ARCHITECTURES


def _twice(one: Architecture) -> Architecture:
    def build(n_inputs: int) -> nn.Module:
        import torch

        class Twice(torch.nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.original, self.repaired = one.build(n_inputs), one.build(n_inputs)

            def forward(self, inputs: torch.Tensor) -> torch.Tensor:
                return torch.cat([self.original(inputs), self.repaired(inputs)], dim=1)

        return Twice()

    return Architecture(
        f"{one.name}{TWICE}", f"{one.title}, original and repaired mixed", one.kind, one.size, "head", build
    )


def _small_cnn(_: int) -> nn.Module:
    from torch import nn

    layers: list[nn.Module] = []
    for inner, outer in ((3, 16), (16, 32), (32, 64)):
        layers += [nn.Conv2d(inner, outer, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(1024, 64), nn.ReLU())


def _face_cnn(_: int) -> nn.Module:
    from torch import nn

    layers: list[nn.Module] = []
    for inner, outer, stride in ((3, 32, 2), (32, 64, 2), (64, 96, 2), (96, 128, 2)):
        convolution = nn.Conv2d(inner, outer, 3, stride=stride, padding=1, bias=False)
        layers += [convolution, nn.BatchNorm2d(outer), nn.ReLU()]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(512, 128), nn.ReLU())


def _mlp(n_inputs: int) -> nn.Module:
    from torch import nn

    if n_inputs < 1:
        raise ModelError("A network for tables needs to know how many columns go in; got none.")
    return nn.Sequential(nn.Linear(n_inputs, 128), nn.ReLU(), nn.Linear(128, 64), nn.ReLU())


def _from_torchvision(name: str, head: str) -> Callable[[int], nn.Module]:
    def build(_: int) -> nn.Module:
        import torchvision
        from torch import nn

        network: nn.Module = torchvision.models.get_model(name, weights=None)
        network.set_submodule(head, nn.Identity())
        return network

    return build


def _published(name: str, title: str, head: str) -> Architecture:
    return Architecture(name, title, "image", 224, head, _from_torchvision(name, head), pretrained=True)


ARCHITECTURES: dict[str, Architecture] = {
    found.name: found
    for found in (
        Architecture("small_cnn", "Small network (3 layers)", "image", 32, "head", _small_cnn, "11"),
        Architecture("face_cnn", "Small network (4 layers, for faces)", "image", 64, "head", _face_cnn, "14"),
        Architecture("mlp", "Network for tables (2 layers)", "table", 0, "head", _mlp, "2"),
        _published("resnet18", "ResNet-18", "fc"),
        _published("resnet34", "ResNet-34", "fc"),
        _published("resnet50", "ResNet-50", "fc"),
        _published("mobilenet_v3_large", "MobileNetV3", "classifier.3"),
        _published("efficientnet_b0", "EfficientNet-B0", "classifier.1"),
        _published("vit_b_16", "ViT-B/16", "heads.head"),
    )
}
