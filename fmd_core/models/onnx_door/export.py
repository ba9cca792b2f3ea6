"""The same ONNX file with another head: every other table and step stays as it is, byte for byte."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fmd_core.data import Array
from fmd_core.errors import ModelError
from fmd_core.models.onnx_door.cutting import Cut

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, NodeProto

WEIGHT, BIAS = "fmd_head_weight", "fmd_head_bias"


def with_head(model: ModelProto, cut: Cut, weight: Array, bias: Array) -> bytes:
    """The file of `model`, whose last layer is `cut`, with `weight` (outputs, d) and `bias` (outputs,) in its place.

    A table that another step reads too is left alone, and the layer given one of its own. Raises ModelError where
    the numbers do not fit the layer's own precision.
    """
    if weight.shape != cut.weight.shape or bias.shape != cut.bias.shape:
        raise ModelError(
            f"A head of {weight.shape[0]} outputs and {weight.shape[1]} features does not fit the file's "
            f"{cut.weight.shape[0]} and {cut.weight.shape[1]}."
        )
    changed = type(model)()
    changed.CopyFrom(model)
    if cut.layer == "LinearClassifier":
        _set_classifier(changed.graph.node[cut.nodes[0]], cut, weight, bias)
        return bytes(changed.SerializeToString(deterministic=True))
    graph, node = changed.graph, changed.graph.node[cut.nodes[0]]
    said = {a.name: a for a in node.attribute}
    alpha = said["alpha"].f if "alpha" in said else 1.0
    beta = said["beta"].f if "beta" in said else 1.0
    if not np.array_equal(weight, cut.weight):
        table = weight / alpha
        _put(graph, node, 1, WEIGHT, table if "transB" in said and said["transB"].i else table.T)
    if not np.array_equal(bias, cut.bias):
        _set_bias(graph, node, cut, bias, beta)
    return bytes(changed.SerializeToString(deterministic=True))


def _set_bias(graph: GraphProto, node: NodeProto, cut: Cut, bias: Array, beta: float) -> None:
    """Into the Add after a MatMul, the third input of a Gemm, or an Add of its own."""
    import onnx

    if len(cut.nodes) == 2:  # the layer's own bias, if it has one as well, stays part of the sum
        place = cut.nodes[1]
        inner = np.zeros(len(bias))
        if node.op_type == "Gemm" and len(node.input) > 2 and node.input[2]:
            inner = beta * np.broadcast_to(_table(graph, node.input[2]).astype("float64").ravel(), len(bias))
        add = graph.node[place]
        _put(graph, add, 1 - list(add.input).index(node.output[0]), BIAS, bias - inner)
    elif node.op_type == "Gemm":
        while len(node.input) < 3:
            node.input.append("")
        _put(graph, node, 2, BIAS, bias / beta if beta else bias)
        if not beta:
            next(a for a in node.attribute if a.name == "beta").f = 1.0
    else:
        made, inner_name = node.output[0], f"{WEIGHT}_product"
        node.output[0] = inner_name
        extra = onnx.helper.make_node("Add", [inner_name, ""], [made], name=f"{BIAS}_added")
        _put(graph, extra, 1, BIAS, bias)
        graph.node.insert(cut.nodes[0] + 1, extra)


def _table(graph: GraphProto, name: str) -> Array:
    from onnx import numpy_helper

    found = next((table for table in graph.initializer if table.name == name), None)
    if found is None:
        raise ModelError(
            "The last layer's bias is computed in the file, so no other one can be put in its place."
        )
    return np.asarray(numpy_helper.to_array(found))


def _put(graph: GraphProto, node: NodeProto, place: int, fresh: str, values: Array) -> None:
    """Let input `place` of a node be `values`: in the table that it reads, where nobody else reads that."""
    from onnx import numpy_helper

    old = node.input[place]
    table = next((one for one in graph.initializer if one.name == old and old), None)
    readers = sum(list(one.input).count(old) for one in graph.node) if old else 0
    kind = np.dtype("float32") if table is None else numpy_helper.to_array(table).dtype
    if kind.kind != "f":
        kind = np.dtype("float32")
    numbers = np.ascontiguousarray(values).astype(kind)
    if not np.isfinite(numbers).all():
        raise ModelError(f"The changed head holds numbers that are too large for the file's {kind}.")
    if table is not None and readers == 1 and numpy_helper.to_array(table).dtype == kind:
        shape = tuple(table.dims)
        numbers = numbers.reshape(shape) if numbers.size == int(np.prod(shape)) else numbers
        table.CopyFrom(numpy_helper.from_array(numbers, old))
        return
    name, taken = fresh, {one.name for one in graph.initializer}
    while name in taken:
        name += "_"
    graph.initializer.append(numpy_helper.from_array(numbers, name))
    node.input[place] = name


def _set_classifier(node: NodeProto, cut: Cut, weight: Array, bias: Array) -> None:
    said = {a.name: a for a in node.attribute}
    both = cut.pair and len(said["intercepts"].floats if "intercepts" in said else ()) == 2
    rows, offsets = (np.vstack([-weight, weight]), np.concatenate([-bias, bias])) if both else (weight, bias)
    if not (np.isfinite(rows.astype("float32")).all() and np.isfinite(offsets.astype("float32")).all()):
        raise ModelError("The changed head holds numbers that are too large for the file's float32.")
    for name, values in (("coefficients", rows.ravel()), ("intercepts", offsets)):
        if name not in said:
            attribute = node.attribute.add()
            attribute.name, attribute.type = name, 6  # FLOATS
            said[name] = attribute
        del said[name].floats[:]
        said[name].floats.extend(values.astype("float32").tolist())
