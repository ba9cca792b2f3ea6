"""What the features of pictures and of texts have in common: a classifier without its last layer, written and restored.

Each kind has a module with its `Encoder` and `restore`, by which `fmd_core.models.files` makes it again of a file.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from fmd_core.data import Array, InputKind
from fmd_core.errors import ModelError
from fmd_core.models.hugging_face import network
from fmd_core.models.hugging_face.allowed import WIDEST
from fmd_core.models.hugging_face.config import Described, read_config

if TYPE_CHECKING:
    from torch import nn

DAMAGED = "The description of the network in this file is damaged; restore the original."


@dataclass(frozen=True, eq=False)
class WithoutLastLayer:
    """A classifier of the library without its last layer."""

    described: Described
    state: Mapping[str, Array]
    """Weights by their names in the file, without the last layer."""
    n_features: int

    @property
    def title(self) -> str:
        return f"{self.described.family.title} (Hugging Face)"

    @property
    def n_parameters(self) -> int:
        return sum(array.size for array in self.state.values())

    def settings(self) -> dict[str, str]:
        """What the network is, as text: what `described_by` reads."""
        told = {"model_type": self.described.model_type, **self.described.settings}
        return {"config": json.dumps(told, sort_keys=True), "features": str(self.n_features)}

    def built(self, *names: str) -> nn.Module:
        """The network from inputs, by their `names` in the library, to features (m, d)."""
        return network.without_last_layer(self.described, self.state, self.n_features, names)


def described_by(settings: Mapping[str, str], kind: InputKind, reads: str) -> tuple[Described, int]:
    """The description that `WithoutLastLayer.settings` wrote, and how many features. ModelError for another
    description, or for a network that does not read this `kind`, called `reads`."""
    try:
        described, width = read_config(json.loads(settings["config"])), int(settings["features"])
    except (KeyError, ValueError, RecursionError) as error:
        raise ModelError(DAMAGED) from error
    if described.family.kind != kind or not 0 < width <= WIDEST:
        raise ModelError(f"The file describes no network for {reads}; restore the original.")
    return replace(described, left=()), width
