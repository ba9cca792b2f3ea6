"""Where a network's last block begins: what lies below is read once, what lies above may learn."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

from fmd_core.errors import ModelError

if TYPE_CHECKING:
    from torch import nn


def split_at_last_block(network: nn.Module, title: str) -> tuple[nn.Module, nn.Module]:
    """Trunk and last block of a network: `block(trunk(x))` is what the network gives, and the block's weights
    have the names that they have in the network.

    Of layers in a row the block begins at the last convolution, or at the last linear layer where there is
    none; of a residual network it is the last stage. ModelError, in a sentence, for another structure, and
    where nothing would be left below.
    """
    from torch import nn

    children = list(network.named_children())
    names = [name for name, _ in children]
    if isinstance(network, nn.Sequential):
        kinds = [nn.Conv2d] if any(isinstance(layer, nn.Conv2d) for _, layer in children) else [nn.Linear]
        places = [i for i, (_, layer) in enumerate(children) if isinstance(layer, *kinds)]
        start = places[-1] if places else 0
        below, above = children[:start], children[start:]
    elif names[-6:] == ["layer1", "layer2", "layer3", "layer4", "avgpool", "fc"]:  # torchvision's ResNet
        flat = ("flatten", nn.Flatten(1))  # its forward flattens between the two
        below, above = children[:-3], [*children[-3:-1], flat, children[-1]]
    else:
        raise ModelError(
            f"{title} is no row of layers and no residual network, so its last block cannot be told apart; let the "
            "whole network learn."
        )
    if not any(True for _, layer in below for _ in layer.parameters()):
        raise ModelError(f"{title} has one block only; let the whole network learn.")
    return nn.Sequential(OrderedDict(below)), nn.Sequential(OrderedDict(above))
