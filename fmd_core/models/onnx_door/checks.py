"""What an ONNX file must not try, looked at before anything of it is run.

Runs in the limited process alone: reading a hostile protobuf may end it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

from fmd_core.errors import ModelError
from fmd_core.text import short_name

if TYPE_CHECKING:
    from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto

MAX_BYTES = 1 << 30
MAX_NODES = 20_000
MAX_TENSORS = 20_000  # transformers spell out thousands of constants
MAX_ELEMENTS = 200_000_000  # of all tables of numbers together
MAX_SHAPE = 1 << 28  # numbers in one declared input or output, of one sample
MAX_DEPTH = 4  # branches in branches
OLDEST_OPSET = 7
MICROSOFT = frozenset((
    "Attention", "BiasGelu", "DequantizeLinear", "DynamicQuantizeMatMul", "EmbedLayerNormalization",
    "FastGelu", "FusedConv", "FusedGemm", "FusedMatMul", "Gelu", "MatMulIntegerToFloat", "MatMulNBits",
    "MultiHeadAttention", "NhwcMaxPool", "QAttention", "QGemm", "QLinearAdd", "QLinearAveragePool",
    "QLinearConcat", "QLinearGlobalAveragePool", "QLinearLeakyRelu", "QLinearMul", "QLinearSigmoid",
    "QLinearSoftmax", "QuantizeLinear", "QuickGelu", "SkipLayerNormalization",
    "SkipSimplifiedLayerNormalization",
))  # fmt: skip
"""Operators of com.microsoft that onnxruntime runs on the processor, and that its quantiser and optimiser write."""
DOMAINS = ("", "ai.onnx", "ai.onnx.ml", "com.microsoft")
REPEATING = ("Loop", "Scan", "SequenceMap")
AGAIN = "export the network again"


def read_model(data: bytes) -> ModelProto:
    """The model in `data`, found to be what can be run. Raises ModelError, in a sentence, for everything else."""
    import onnx
    from google.protobuf.message import DecodeError

    if len(data) > MAX_BYTES:
        raise ModelError(
            f"The file has {len(data) / 2**20:,.0f} MiB, more than the {MAX_BYTES >> 20:,} MiB that can be opened; "
            "bring a smaller network."
        )
    model = onnx.ModelProto()
    try:
        model.ParseFromString(data)
    except (DecodeError, RuntimeError, ValueError) as error:
        raise ModelError(
            "The ONNX file is damaged or incomplete, or holds something else; export it again, as one file."
        ) from error
    _check_versions(model)
    if len(model.functions):
        raise ModelError(
            f"The file defines functions of its own ('{short_name(model.functions[0].name)}'); {AGAIN} with functions "
            "inlined (onnx.inliner.inline_local_functions)."
        )
    if len(model.training_info):
        raise ModelError(f"The file holds a training, not only a network; {AGAIN} for inference.")
    _check_graph(model.graph)
    try:
        onnx.checker.check_model(model)
    except (onnx.checker.ValidationError, ValueError, RuntimeError) as error:
        raise ModelError(f"The file breaks the rules of ONNX ({_first_line(error)}); {AGAIN}.") from error
    return model


def _first_line(error: Exception) -> str:
    """The beginning of a foreign message: printable, and cut."""
    text = (str(error).strip().splitlines() or [type(error).__name__])[0]
    return "".join(letter for letter in text if letter.isprintable())[:140]


def _check_versions(model: ModelProto) -> None:
    import onnx

    if not model.graph.node or not model.graph.output:
        raise ModelError("The ONNX file holds no network with an output; export it again.")
    opsets: dict[str, int] = {}
    for one in model.opset_import:
        domain = "" if one.domain == "ai.onnx" else one.domain
        if opsets.setdefault(domain, one.version) != one.version:
            raise ModelError(f"The file names two versions of one set of operators; {AGAIN}.")
    newest, own = onnx.defs.onnx_opset_version(), opsets.get("", 0)
    if "" in opsets and not OLDEST_OPSET <= own <= newest:
        raise ModelError(
            f"The file uses version {own} of ONNX's operators; versions {OLDEST_OPSET} to {newest} can be run. "
            f"Export the network again with opset_version=17."
        )
    if model.ir_version > onnx.IR_VERSION:
        raise ModelError(
            f"The file has ONNX's format {model.ir_version}, newer than {onnx.IR_VERSION}, the newest that can be "
            f"read; {AGAIN} with an older exporter."
        )


def graphs(graph: GraphProto, depth: int = 0) -> Iterator[GraphProto]:
    """A graph and those of its branches. Raises ModelError where they lie in each other too deep."""
    if depth > MAX_DEPTH:
        raise ModelError(
            f"The network has branches inside of branches, {MAX_DEPTH} deep and more; {AGAIN} without."
        )
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            for inner in ([attribute.g] if attribute.HasField("g") else []) + list(attribute.graphs):
                yield from graphs(inner, depth + 1)


def _check_graph(graph: GraphProto) -> None:
    nodes, tables = 0, 0
    elements = 0
    for part in graphs(graph):
        nodes += len(part.node)
        if nodes > MAX_NODES:
            raise ModelError(f"The network has more than {MAX_NODES:,} steps; bring one classifier's.")
        if len(part.sparse_initializer):
            raise ModelError(
                f"The file holds sparse tables of numbers, which are not read; {AGAIN} with plain ones."
            )
        for node in part.node:
            _check_operator(node)
        for table in [*part.initializer, *_constants(part)]:
            tables, elements = tables + 1, elements + _numbers(table)
            if tables > MAX_TENSORS or elements > MAX_ELEMENTS:
                raise ModelError(
                    f"The file holds more than {MAX_ELEMENTS:,} numbers or {MAX_TENSORS:,} tables; "
                    "bring a smaller network."
                )
        for value in [*part.input, *part.output]:
            _check_shape(value)
    _check_filled(graph)


def _check_operator(node: NodeProto) -> None:
    if node.domain not in DOMAINS or (node.domain == "com.microsoft" and node.op_type not in MICROSOFT):
        raise ModelError(
            f"The network uses the operator '{short_name(node.op_type)}' of '{short_name(node.domain) or 'no name'}', "
            "which is no part of ONNX; "
            f"{AGAIN} with standard operators only."
        )
    if node.op_type in REPEATING:
        raise ModelError(
            f"The network repeats a part of itself ({node.op_type}), as often as it likes, which is not run here; "
            f"{AGAIN} with loops unrolled."
        )


def _constants(graph: GraphProto) -> Iterator[TensorProto]:
    """Tables of numbers in the attributes of nodes."""
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("sparse_tensor") or len(attribute.sparse_tensors):
                raise ModelError(
                    f"The file holds sparse tables of numbers, which are not read; {AGAIN} with plain ones."
                )
            yield from _tables(attribute)


def _tables(attribute: AttributeProto) -> list[TensorProto]:
    return ([attribute.t] if attribute.HasField("t") else []) + list(attribute.tensors)


def _numbers(table: TensorProto) -> int:
    """How many numbers a table holds. Raises ModelError where it holds fewer than it says, or none itself."""
    import onnx

    if table.data_location == onnx.TensorProto.EXTERNAL or len(table.external_data):
        raise ModelError(
            "The numbers of the network lie in another file (external data), which is not read; "
            f"{AGAIN} as one file: onnx.save(onnx.load('model.onnx'), 'whole.onnx')."
        )
    name = "".join(letter for letter in table.name if letter.isprintable())[:60]
    if any(side < 0 for side in table.dims) or len(table.dims) > 8:
        raise ModelError(f"The table '{name}' has an impossible shape {tuple(table.dims)[:8]}; {AGAIN}.")
    said = math.prod(table.dims)
    if said > MAX_ELEMENTS:
        raise ModelError(
            f"The table '{name}' claims {said:,} numbers, more than {MAX_ELEMENTS:,}; bring a smaller network."
        )
    try:
        stored = len(table.raw_data) or sum(
            len(values)
            for values in (
                table.float_data,
                table.int32_data,
                table.int64_data,
                table.double_data,
                table.uint64_data,
                table.string_data,
            )
        )
        width = onnx.helper.tensor_dtype_to_np_dtype(table.data_type).itemsize if table.raw_data else 0
    except (KeyError, TypeError, ValueError) as error:
        raise ModelError(f"The table '{name}' is of an unknown type ({table.data_type}); {AGAIN}.") from error
    packed = 2 if table.data_type in (onnx.TensorProto.INT4, onnx.TensorProto.UINT4) else 1
    whole = stored == said * width if table.raw_data and packed == 1 else stored * 2 * packed >= said
    if not whole:
        raise ModelError(f"The table '{name}' claims {said:,} numbers, but the file holds others; {AGAIN}.")
    return int(said)


def _check_shape(value: ValueInfoProto) -> None:
    """Refuse an input or output whose declared size nobody could hold."""
    if not value.type.HasField("tensor_type"):
        return
    sides = [d.dim_value for d in value.type.tensor_type.shape.dim if d.HasField("dim_value")]
    if any(side < 0 for side in sides) or math.prod(side for side in sides if side) > MAX_SHAPE:
        name = "".join(letter for letter in value.name if letter.isprintable())[:60]
        raise ModelError(
            f"'{name}' is declared to hold {'x'.join(map(str, sides[:8]))} numbers, more than can be; {AGAIN}."
        )


def _check_filled(graph: GraphProto) -> None:
    """Refuse what is filled or repeated to a giant size by a constant of the file."""
    from onnx import numpy_helper

    known = {table.name: table for table in graph.initializer}
    for node in graph.node:
        if node.op_type == "Constant":
            known.update((node.output[0], a.t) for a in node.attribute if a.name == "value")
    for node in graph.node:
        if node.op_type not in ("ConstantOfShape", "Expand", "Tile", "Reshape"):
            continue
        shape = known.get(node.input[-1]) if node.input else None
        if shape is None or math.prod(shape.dims) > 16:
            continue
        sides = [int(side) for side in numpy_helper.to_array(shape).ravel()]
        if math.prod(max(side, 1) for side in sides) > MAX_SHAPE:
            raise ModelError(
                f"The network makes a table of {'x'.join(map(str, sides))} numbers out of nothing, more than can be "
                f"held; {AGAIN}."
            )
