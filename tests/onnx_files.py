"""Small ONNX files for tests, made step by step: the exporters of frameworks are not needed."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

FLOATS, WHOLE, WORDS = TensorProto.FLOAT, TensorProto.INT64, TensorProto.STRING


def table(name, values):
    return numpy_helper.from_array(np.asarray(values), name)


def model(nodes, tables=(), inputs=None, outputs=None, *, opset=17, ir=8, ml=None, microsoft=False, **more):
    inputs = inputs or [helper.make_tensor_value_info("x", FLOATS, ["n", 4])]
    outputs = outputs or [helper.make_tensor_value_info("y", FLOATS, ["n", None])]
    sets = [helper.make_opsetid("", opset)]
    sets += [helper.make_opsetid("ai.onnx.ml", ml)] if ml else []
    sets += [helper.make_opsetid("com.microsoft", 1)] if microsoft else []
    graph = helper.make_graph(list(nodes), "g", inputs, outputs, list(tables))
    made = helper.make_model(graph, opset_imports=sets, ir_version=ir, producer_name="tests", **more)
    return made


def network(n_classes=2, n_inputs=4, hidden=8, *, end=("Gemm",), seed=0, opset=17, bias=True):
    """inputs -> Gemm, Relu -> the last layer, then `end` nodes."""
    rng = np.random.default_rng(seed)
    first = rng.normal(size=(hidden, n_inputs)).astype("float32")
    last, offset = (
        rng.normal(size=(n_classes, hidden)).astype("float32"),
        rng.normal(size=n_classes).astype("float32"),
    )
    tables = [table("w1", first), table("b1", np.zeros(hidden, "float32"))]
    nodes = [
        helper.make_node("Gemm", ["x", "w1", "b1"], ["h"], transB=1),
        helper.make_node("Relu", ["h"], ["f"]),
    ]
    if end[0] == "Gemm":
        tables += [table("w2", last), table("b2", offset)]
        nodes.append(helper.make_node("Gemm", ["f", "w2", "b2"] if bias else ["f", "w2"], ["s"], transB=1))
    else:
        tables.append(table("w2", last.T.copy()))
        nodes.append(helper.make_node("MatMul", ["f", "w2"], ["m" if bias else "s"]))
        if bias:
            tables.append(table("b2", offset))
            nodes.append(helper.make_node("Add", ["b2", "m"], ["s"]))
    name = "s"
    for place, kind in enumerate(end[1:]):
        out = f"e{place}"
        nodes.append(helper.make_node(kind, [name], [out], **({"axis": -1} if "Softmax" in kind else {})))
        name = out
    outputs = [helper.make_tensor_value_info(name, FLOATS, ["n", n_classes])]
    inputs = [helper.make_tensor_value_info("x", FLOATS, ["n", n_inputs])]
    return model(nodes, tables, inputs, outputs, opset=opset)


def answers(data, feeds):
    """What onnxruntime itself makes of a file: every output."""
    import onnxruntime

    return onnxruntime.InferenceSession(data).run(None, feeds)


def saved(made):
    return made.SerializeToString()


__all__ = [
    "FLOATS",
    "WHOLE",
    "WORDS",
    "answers",
    "helper",
    "model",
    "network",
    "numpy_helper",
    "onnx",
    "saved",
    "table",
]
