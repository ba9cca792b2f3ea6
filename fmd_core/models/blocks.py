"""Where the part of a network that may learn begins: what lies below is read once."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

from fmd_core.errors import ModelError

if TYPE_CHECKING:
    from torch import nn


def split_at(reach: str, network: nn.Module, title: str) -> tuple[nn.Module, nn.Module]:
    """Trunk and block of an encoder, so that `block(trunk(x))` is what it gives; the block's weights have the names
    that they have in the network.

    At 'last layer' the block is nothing: what learns stands above the encoder. At 'last two layers' it begins at the
    last linear layer of layers in a row; at 'last block' at their last convolution, or at the last linear layer
    where there is none, and at the last stage of a residual network. ModelError, in a sentence, for another
    structure, and where nothing would be left below.
    """
    from torch import nn

    if reach == "last layer":
        return network, nn.Identity()
    children = list(network.named_children())
    names = [name for name, _ in children]
    if isinstance(network, nn.Sequential):
        convolves = reach == "last block" and any(isinstance(layer, nn.Conv2d) for _, layer in children)
        wanted = nn.Conv2d if convolves else nn.Linear
        places = [i for i, (_, layer) in enumerate(children) if isinstance(layer, wanted)]
        start = places[-1] if places else 0
        below, above = children[:start], children[start:]
    elif reach == "last block" and names[-6:] == ["layer1", "layer2", "layer3", "layer4", "avgpool", "fc"]:
        flat = ("flatten", nn.Flatten(1))  # torchvision's ResNet flattens between the two
        below, above = children[:-3], [*children[-3:-1], flat, children[-1]]
    else:
        raise ModelError(
            f"The {reach} of {title} cannot be told apart: it is no row of layers. Let the whole network learn."
        )
    if not any(True for _, layer in below for _ in layer.parameters()):
        raise ModelError(f"The {reach} of {title} is all there is; let the whole network learn.")
    return nn.Sequential(OrderedDict(below)), nn.Sequential(OrderedDict(above))


def why_not(reach: str, network: nn.Module, title: str) -> str:
    """Why a network cannot be opened there, in a sentence; '' where it can."""
    try:
        split_at(reach, network, title)
    except ModelError as problem:
        return str(problem)
    return ""
