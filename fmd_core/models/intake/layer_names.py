"""Whose layers these are: names as people's training code makes them, brought to those of a network of our list.

A network inside a module of one's own has its names behind `net.`, `model.` or `backbone.`; its last layer may have
another name, or lie in a Sequential behind dropout; a loss with weights leaves numbers that are not the network's.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache

from fmd_core.data import Array
from fmd_core.kinds import find_kind
from fmd_core.models.architectures import ARCHITECTURES, build_encoder, find_architecture
from fmd_core.models.intake.found import Refused

PREFIXES = (
    "module.",
    "model.",
    "_orig_mod.",
    "net.",
    "network.",
    "backbone.",
    "encoder.",
    "classifier_model.",
)
"""Of DataParallel, Lightning, torch.compile, and of what people call the network in a module of their own."""
NOT_OF_THE_NETWORK = re.compile(r"(loss|loss_fn|criterion|ema_loss)(\.|$)")
COUNTER = "num_batches_tracked"  # the one whole number in a state dict: batches that BatchNorm saw
TEXT_LAYER = re.compile(r"(word_embeddings|embed_tokens|\bwte)\.weight$")
LIBRARY_LAYER = re.compile(r"(^|\.)(vit|deit|swin|convnext|convnextv2|resnet\.embedder)\.")
MOST_TAKEN_OFF = 5
Shapes = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True)
class Renamed:
    """Layers by the names of a network of our list."""

    layers: dict[str, Array]
    prefix: str = ""
    """What all of the network's names began with."""
    checks: list[str] = field(default_factory=list)


def of_the_network(layers: Mapping[str, Array]) -> tuple[dict[str, Array], list[str]]:
    """Without what belongs to a loss, and a sentence on that."""
    kept = {name: array for name, array in layers.items() if not NOT_OF_THE_NETWORK.match(name)}
    left = len(layers) - len(kept)
    told = [f"{left} table{'s' * (left > 1)} of numbers of a loss {'were' if left > 1 else 'was'} left out."]
    return (kept, told) if left and kept else (dict(layers), [])


def without_shared_prefix(layers: Mapping[str, Array]) -> tuple[dict[str, Array], str]:
    """Without the prefixes that all names share, and what was taken off."""
    named, stripped = dict(layers), ""
    for _ in range(MOST_TAKEN_OFF):
        found = next((p for p in PREFIXES if all(name.startswith(p) for name in named)), "")
        if not found:
            break
        named, stripped = {name.removeprefix(found): a for name, a in named.items()}, stripped + found
    return named, stripped


def renamed(architecture: str, layers: Mapping[str, Array], prefix: str) -> Renamed:
    """Layers by the names of `architecture`, as far as they can be brought to them; `prefix` was taken off before."""
    wanted = wanted_shapes(architecture, width_of(architecture, layers))
    head, checks, named = find_architecture(architecture).head, [], dict(layers)
    inner = _inner_prefix(wanted, named)
    if inner:
        checks.append(f"The network's layers lie under '{inner}'.")
        named = {name.removeprefix(inner) if name.startswith(inner) else name: a for name, a in named.items()}
    if f"{head}.weight" not in named and wanted.keys() <= _with_counters(named).keys():
        last = _last_layer(named, wanted)
        if last:
            checks.append(f"Layer '{last}' is its last one.")
            for part in ("weight", "bias"):
                if f"{last}.{part}" in named:
                    named[f"{head}.{part}"] = named.pop(f"{last}.{part}")
    return Renamed(named, prefix + inner, checks)


def _inner_prefix(wanted: Shapes, layers: Mapping[str, Array]) -> str:
    """What the names of the whole encoder begin with; "" where they are as wanted, or nowhere."""
    first = next(iter(wanted))
    if first in layers:
        return ""
    for name in layers:
        prefix = name.removesuffix(first)
        if name.endswith("." + first) and all(
            prefix + key in layers for key in wanted if not key.endswith(COUNTER)
        ):
            return prefix
    return ""


def _last_layer(layers: Mapping[str, Array], wanted: Shapes) -> str:
    """Name of the one linear layer that is not the encoder's; "" for none. Refused where there are several."""
    rest = [name for name in layers if name not in wanted and not name.endswith(COUNTER)]
    linear = [
        name.removesuffix(".weight") for name in rest if name.endswith(".weight") and layers[name].ndim == 2
    ]
    others = [name for name in rest if name.rpartition(".")[0] not in linear]
    if len(linear) > 1:
        raise Refused(
            f"Above the network lie {len(linear)} linear layers ({', '.join(linear[:3])}), and what happens between "
            "them is not in the file; export the model to ONNX, which says it.",
            "onnx",
        )
    return linear[0] if linear and not others else ""


def _with_counters(layers: Mapping[str, Array]) -> dict[str, object]:
    """Names with the counters that PyTorch before 0.4.1 did not write."""
    counters = [name.replace("running_mean", COUNTER) for name in layers if name.endswith("running_mean")]
    return dict.fromkeys([*layers, *counters])


def width_of(architecture: str, layers: Mapping[str, Array]) -> int:
    """How many columns the network was built for, by its first matrix; 0 for pictures."""
    return find_kind(find_architecture(architecture).kind).stored_width(layers)


@cache
def wanted_shapes(architecture: str, n_inputs: int) -> dict[str, tuple[int, ...]]:
    """Names and shapes of an encoder's layers; no memory is taken for them."""
    import torch

    with torch.device("meta"):
        return {
            name: tuple(t.shape) for name, t in build_encoder(architecture, n_inputs).state_dict().items()
        }


def recognised(layers: Mapping[str, Array], *, kind: str = "") -> str:
    """The network of our list that has layers of these names and shapes; "" for none."""
    for name, found in ARCHITECTURES.items():
        width = width_of(name, layers)
        if (kind and found.kind != kind) or (found.kind == "table" and not width):
            continue
        wanted = wanted_shapes(name, width)
        try:
            named = renamed(name, layers, "").layers
        except Refused:
            continue
        last = {f"{found.head}.weight", f"{found.head}.bias"}
        more = [key for key in named if key not in wanted and key not in last and not key.endswith(COUNTER)]
        fits = all(
            key.endswith(COUNTER) or (key in named and named[key].shape == s) for key, s in wanted.items()
        )
        if fits and not more:  # a smaller network may lie in a larger one
            return name
    return ""


def refuse_other_libraries(layers: Mapping[str, Array]) -> None:
    """Say at once that these are the weights of a text model, or of a model of Hugging Face without its description."""
    text = next((name for name in layers if TEXT_LAYER.search(name)), "")
    if text:
        raise Refused(
            f"These are the weights of a model for texts (layer '{text}'); bring its whole folder, with config.json "
            "and tokenizer.json, as one zip, for data that hold texts.", "",
        )  # fmt: skip
    library = next((name for name in layers if LIBRARY_LAYER.search(name)), "")
    if library:
        raise Refused(
            f"These are the weights of a Hugging Face model without its description (layer '{library}'); bring its "
            "whole folder, with config.json, as one zip.", "",
        )  # fmt: skip
