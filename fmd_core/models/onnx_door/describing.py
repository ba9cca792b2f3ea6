"""What a file says of itself: what its inputs read, what its outputs are called. In the limited process alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fmd_core.models.taught import IN_ONNX
from fmd_core.models.taught import LONGEST as MOST_TAUGHT

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto

    from fmd_core.models.onnx_door.cutting import Cut

LONGEST = 120
MOST_TABLES = 2_000
MOST_WORDS = 2_000  # categories of one input


def description(model: ModelProto, cut: Cut, inputs: list[dict[str, Any]]) -> dict[str, Any]:
    """For whoever opens the file: plain values of bounded size."""
    opset = next((one.version for one in model.opset_import if one.domain in ("", "ai.onnx")), 0)
    words = {said["name"]: _categories(model.graph, said["name"]) for said in inputs if said["type"] == "str"}
    return {
        "inputs": inputs,
        "words": {name: found for name, found in words.items() if found},
        "link": cut.link,
        "layer": cut.layer,
        "classes": [one[:LONGEST] for one in cut.classes],
        "n_parameters": _learned(model.graph),
        "tables": [(t.name[:LONGEST], list(t.dims)) for t in model.graph.initializer[:MOST_TABLES]],
        "n_nodes": len(model.graph.node),
        "opset": opset,
        "producer": "".join(c for c in model.producer_name if c.isprintable())[:40],
        "taught_by": next((p.value[: 1 + MOST_TAUGHT] for p in model.metadata_props if p.key == IN_ONNX), ""),
        "quantised": any(
            "Quantize" in n.op_type or n.op_type.startswith("QLinear") for n in model.graph.node
        ),
    }


def _learned(graph: GraphProto) -> int:
    """Decimal numbers that the file stores, those in attributes of scikit-learn's operators included."""
    import math

    stored = sum(math.prod(t.dims) for t in graph.initializer if t.data_type in (1, 10, 11, 16))
    return stored + sum(len(a.floats) for n in graph.node if n.domain == "ai.onnx.ml" for a in n.attribute)


def _categories(graph: GraphProto, name: str) -> list[str]:
    """The words that an input of words is compared with, where a OneHotEncoder reads it; [] where nobody says."""
    names, found = {name}, []
    for node in graph.node:
        if not names & set(node.input):
            continue
        if node.op_type in ("Identity", "Reshape", "Squeeze", "Unsqueeze", "Flatten", "Cast"):
            names.update(node.output)
        for attribute in node.attribute:
            if attribute.name in ("cats_strings", "keys_strings"):
                found += [one.decode("utf-8", "replace")[:LONGEST] for one in attribute.strings[:MOST_WORDS]]
    return found
