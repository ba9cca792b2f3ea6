"""The library's networks: built of a description and weights, and parted from their last layer."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from fmd_core.data import Array
from fmd_core.errors import ModelError
from fmd_core.models.hugging_face.config import Described, Family

if TYPE_CHECKING:
    from torch import nn

LIBRARY = "Hugging Face models need the library transformers; install it with pip install 'fmd-studio[huggingface]'."
INNER = "network"
"""What the library's network is called inside ours."""
COUNTERS = (".position_ids", ".relative_position_index")
"""Ends of names of what is no weight, but whole numbers that the network makes itself."""
SPARE = (".position_ids", ".pooler.dense.weight", ".pooler.dense.bias", ".relative_position_index")
"""Ends of names in a file that a classifier does not read."""


def build(described: Described, state: Mapping[str, Array], n_outputs: int) -> nn.Module:
    """The library's network with these weights, by their names in the file; in eval mode, nothing left to chance.

    Raises ModelError for weights that are missing, left over or of another shape.
    """
    transformers = library()
    import torch

    family = described.family
    config = getattr(transformers, family.config)(
        **described.settings, num_labels=n_outputs, attn_implementation="eager"
    )
    cls = getattr(transformers, family.network)
    wanted = size_of(cls, config)
    given = sum(array.size for array in state.values())
    if wanted > 1.01 * given + 100_000:  # position ids and counters are no weights
        raise ModelError(
            f"config.json describes a network of {wanted:,} numbers, but the weights are {given:,}; bring the "
            "config.json and the weights that were saved together."
        )
    tensors = {name: torch.from_numpy(np.array(array)) for name, array in state.items()}
    network, told = load(cls, config, tensors, f"{_misfit(family)}; bring files that were saved together.")
    missing = sorted(told["missing_keys"])
    extra = sorted(name for name in told["unexpected_keys"] if not name.endswith(SPARE))
    shapes = sorted(str(one[0] if isinstance(one, tuple) else one) for one in told["mismatched_keys"])
    for what, names in (("lack", missing), ("have another shape in", shapes), ("also hold", extra)):
        if names:
            listed = ", ".join(name[:80] for name in names[:3])
            raise ModelError(
                f"{_misfit(family)}: they {what} {listed}"
                f"{' and others' if len(names) > 3 else ''}; bring files that were saved together."
            )
    ready: nn.Module = network.eval().requires_grad_(False)
    return ready


def library() -> Any:  # noqa: ANN401  the library's module
    """transformers, kept from any network; ModelError where it is not installed."""
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    try:
        import transformers
    except ImportError as error:
        raise ModelError(LIBRARY) from error
    transformers.utils.logging.disable_progress_bar()
    transformers.utils.logging.set_verbosity_error()
    return transformers


def size_of(cls: Any, config: Any) -> int:  # noqa: ANN401  the library's classes
    """How many numbers the network has, without memory for them."""
    import torch

    try:
        with torch.device("meta"):
            empty = cls(config)
    except (
        RuntimeError,
        ValueError,
        TypeError,
        KeyError,
        AttributeError,
        ZeroDivisionError,
        IndexError,
    ) as error:
        raise ModelError(
            "config.json describes no network that can be built; save the model again with save_pretrained()."
        ) from error
    return sum(tensor.numel() for tensor in empty.state_dict().values())


def load(cls: Any, config: Any, tensors: Mapping[str, Any], misfit: str) -> tuple[nn.Module, dict[str, Any]]:  # noqa: ANN401
    """The library's class with float32 weights that are at hand, and what it says of their names.

    Raises ModelError with the sentence `misfit` for weights that are none of this class; RuntimeError where memory
    runs out.
    """
    import torch

    try:
        network, told = cls.from_pretrained(
            None, config=config, state_dict=tensors, output_loading_info=True, use_safetensors=True,
            local_files_only=True, trust_remote_code=False, dtype=torch.float32, ignore_mismatched_sizes=True,
        )  # fmt: skip
    except (RuntimeError, ValueError, TypeError, KeyError, AttributeError) as error:
        if isinstance(error, RuntimeError) and "memory" in str(error):
            raise
        raise ModelError(misfit) from error
    return network, told


def _misfit(family: Family) -> str:
    return f"The weights do not fit the {family.title} that config.json describes"


def with_last_layer(
    described: Described, state: Mapping[str, Array]
) -> tuple[dict[str, Array], Array, Array]:
    """Weights without the last layer, its weight (K, d) and bias (K,). ModelError where it is missing."""
    name = described.family.head
    weight, bias = state.get(f"{name}.weight"), state.get(f"{name}.bias")
    if (
        weight is None
        or weight.ndim != 2
        or not weight.size
        or (bias is not None and bias.shape != weight.shape[:1])
    ):
        raise ModelError(
            f"The weights have no last layer '{name}' that tells classes apart, so this is a network for something "
            "else; bring a classifier that was fine-tuned for your classes."
        )
    below = {key: array for key, array in state.items() if key not in (f"{name}.weight", f"{name}.bias")}
    return below, weight, np.zeros(len(weight), weight.dtype) if bias is None else bias


def without_last_layer(
    described: Described, state: Mapping[str, Array], width: int, names: tuple[str, ...]
) -> nn.Module:
    """The network that ends before its last layer, which reads `width` features; its inputs have these `names` in the
    library."""
    import torch

    head = described.family.head
    last = {f"{head}.weight": np.zeros((2, width), "float32"), f"{head}.bias": np.zeros(2, "float32")}
    network = build(described, {**state, **last}, 2)

    class Features(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            network.set_submodule(head, torch.nn.Identity())
            self.add_module(INNER, network)

        def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
            named = dict(zip(names, inputs, strict=True))
            answers: torch.Tensor = self.get_submodule(INNER)(**named).logits
            return answers

    return Features().eval().requires_grad_(False)
