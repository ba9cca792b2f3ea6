"""ONNX files that attack, claim too much, or are no classifier: each is one clear sentence, and nothing of it runs."""

import os
import time
from pathlib import Path

import numpy as np
import pytest

from fmd_core.errors import ModelError
from fmd_core.models.intake import intake
from fmd_core.models.onnx_door import session
from fmd_core.models.onnx_door.checks import read_model
from fmd_core.models.onnx_door.cutting import find_cut
from fmd_core.models.onnx_door.session import Runner
from tests.onnx_files import FLOATS, WHOLE, helper, model, network, onnx, saved, table

BOOL = onnx.TensorProto.BOOL


def looked_at(data):
    """The checks and the cut of the limited process, in this one."""
    return find_cut(read_model(data))


def refused(data):
    with pytest.raises(ModelError) as caught:
        looked_at(data)
    said = str(caught.value)
    assert "\n" not in said
    assert len(said) < 600
    return said


def external():
    made = network()
    big = made.graph.initializer[0]
    big.ClearField("raw_data")
    big.data_location = onnx.TensorProto.EXTERNAL
    big.external_data.add(key="location", value="../../etc/passwd")
    return made


def in_a_constant():
    made = network()
    hidden = table("", np.zeros(4, "float32"))
    hidden.ClearField("raw_data")
    hidden.data_location = onnx.TensorProto.EXTERNAL
    hidden.external_data.add(key="location", value="/etc/hostname")
    node = helper.make_node("Constant", [], ["c"])
    node.attribute.add(name="value", type=onnx.AttributeProto.TENSOR, t=hidden)
    made.graph.node.insert(0, node)
    return made


def looping(kind="Loop"):
    made = network()
    body = helper.make_graph(
        [helper.make_node("Identity", ["go"], ["again"]), helper.make_node("Identity", ["v"], ["w"])], "body",
        [helper.make_tensor_value_info(n, t, []) for n, t in (("i", WHOLE), ("go", BOOL), ("v", FLOATS))],
        [helper.make_tensor_value_info("again", BOOL, []), helper.make_tensor_value_info("w", FLOATS, [])],
    )  # fmt: skip
    made.graph.initializer.append(table("most", np.array(2**62)))
    made.graph.initializer.append(table("yes", np.array(True)))
    made.graph.initializer.append(table("start", np.array(1, "float32")))
    made.graph.node.insert(0, helper.make_node(kind, ["most", "yes", "start"], ["end"], body=body))
    return made


def hidden_loop():
    """A loop inside of a branch."""
    made = network()
    inner = helper.make_graph(
        [looping().graph.node[0]], "then", [], [helper.make_tensor_value_info("end", FLOATS, [])]
    )
    made.graph.initializer.append(table("yes", np.array(True)))
    made.graph.node.insert(0, helper.make_node("If", ["yes"], ["o"], then_branch=inner, else_branch=inner))
    return made


def deep_branches():
    graph = helper.make_graph(
        [helper.make_node("Constant", [], ["o"], value=table("", np.zeros(1, "float32")))], "leaf", [],
        [helper.make_tensor_value_info("o", FLOATS, [1])],
    )  # fmt: skip
    for level in range(7):
        node = helper.make_node("If", ["yes"], ["o"], then_branch=graph, else_branch=graph)
        graph = helper.make_graph(
            [node], f"level {level}", [], [helper.make_tensor_value_info("o", FLOATS, [1])]
        )
    made = network()
    made.graph.initializer.append(table("yes", np.array(True)))
    made.graph.node.insert(0, helper.make_node("If", ["yes"], ["z"], then_branch=graph, else_branch=graph))
    return made


def giant(kind="ConstantOfShape"):
    made = network()
    made.graph.initializer.append(table("shape", np.array([200_000, 200_000])))
    reads = ["shape"] if kind == "ConstantOfShape" else ["x", "shape"]
    made.graph.node.insert(0, helper.make_node(kind, reads, ["zeros"]))
    return made


def claims_more():
    made = network()
    made.graph.initializer[0].dims[:] = [100_000, 100_000]
    return made


def claims_a_little_more():
    made = network()
    made.graph.initializer[0].dims[:] = [9, 4]
    return made


def negative():
    made = network()
    made.graph.initializer[0].dims[:] = [-8, 4]
    return made


def giant_input():
    made = network()
    made.graph.input[0].type.tensor_type.shape.dim[1].dim_value = 2**40
    return made


def other_domain(domain="evil.corp", kind="Download"):
    made = network()
    made.opset_import.append(helper.make_opsetid(domain, 1))
    made.graph.node.insert(0, helper.make_node(kind, ["x"], ["z"], domain=domain))
    return made


def with_function():
    made = network()
    double = helper.make_function(
        "mine",
        "Double",
        ["a"],
        ["b"],
        [helper.make_node("Add", ["a", "a"], ["b"])],
        [helper.make_opsetid("", 17)],
    )
    made.functions.append(double)
    return made


def in_a_circle():
    made = network()
    made.graph.node[0].input[0] = "s"
    return made


def two_versions():
    made = network()
    made.opset_import.append(helper.make_opsetid("ai.onnx", 9))
    return made


def sparse():
    made = network()
    made.graph.sparse_initializer.append(
        helper.make_sparse_tensor(
            table("v", np.ones(1, "float32")), table("i", np.zeros(1, "int64")), [10**9]
        )
    )
    return made


def many_steps():
    made = network()
    made.graph.node.extend(helper.make_node("Identity", ["x"], [f"n{i}"]) for i in range(20_001))
    return made


def trees():
    node = helper.make_node(
        "TreeEnsembleClassifier", ["x"], ["label", "y"], domain="ai.onnx.ml", classlabels_int64s=[0, 1],
        nodes_treeids=[0], nodes_nodeids=[0], nodes_featureids=[0], nodes_values=[0.0], nodes_modes=["LEAF"],
        nodes_truenodeids=[0], nodes_falsenodeids=[0], class_treeids=[0], class_nodeids=[0], class_ids=[0],
        class_weights=[1.0],
    )  # fmt: skip
    outputs = [
        helper.make_tensor_value_info("label", WHOLE, ["n"]),
        helper.make_tensor_value_info("y", FLOATS, ["n", 2]),
    ]
    return model([node], outputs=outputs, ml=3)


def quantised_end():
    made = network()
    made.graph.initializer.extend([table("scale", np.float32(0.1)), table("zero", np.uint8(128))])
    made.graph.node.append(helper.make_node("QuantizeLinear", ["s", "scale", "zero"], ["q"]))
    made.graph.node.append(helper.make_node("DequantizeLinear", ["q", "scale", "zero"], ["y"]))
    made.graph.output[0].name = "y"
    return made


def labels_only():
    made = network()
    made.graph.node.append(helper.make_node("ArgMax", ["s"], ["label"], axis=1, keepdims=0))
    del made.graph.output[:]
    made.graph.output.append(helper.make_tensor_value_info("label", WHOLE, ["n"]))
    return made


def attention_of_itself():
    return model([helper.make_node("MatMul", ["x", "x"], ["y"])])


HOSTILE = {
    "numbers in another file": (external, "lie in another file"),
    "a constant in another file": (in_a_constant, "lie in another file"),
    "a loop without end": (looping, "repeats a part of itself (Loop)"),
    "a loop in a branch": (hidden_loop, "repeats a part of itself (Loop)"),
    "branches in branches": (deep_branches, "branches inside of branches"),
    "zeros of 160 GB": (giant, "200000x200000 numbers out of nothing"),
    "a row repeated to 160 GB": (lambda: giant("Expand"), "200000x200000 numbers out of nothing"),
    "a table that claims 40 GB": (claims_more, "claims 10,000,000,000 numbers"),
    "a table that claims a row more": (claims_a_little_more, "but the file holds others"),
    "a negative shape": (negative, "impossible shape"),
    "an input of 4 TB": (giant_input, "more than can be"),
    "an unknown domain": (other_domain, "'Download' of 'evil.corp'"),
    "an operator that onnxruntime lacks": (
        lambda: other_domain("com.microsoft", "Shell"),
        "'Shell' of 'com.microsoft'",
    ),
    "code in Python": (lambda: other_domain("com.microsoft.extensions", "PyOp"), "no part of ONNX"),
    "functions of its own": (with_function, "functions of its own ('Double')"),
    "a circle": (in_a_circle, "breaks the rules of ONNX"),
    "two versions of one set": (two_versions, "two versions of one set"),
    "sparse tables": (sparse, "sparse tables"),
    "20,001 steps": (many_steps, "more than 20,000 steps"),
    "operators of 2016": (lambda: network(opset=6), "version 6 of ONNX's operators"),
    "operators of the future": (lambda: network(opset=99), "version 99 of ONNX's operators"),
    "trees": (trees, "decides by trees"),
    "a quantised last layer": (quantised_end, "The last layer is quantised"),
    "labels only": (labels_only, "gives out classes only"),
    "a product with itself": (attention_of_itself, "does not end in a linear layer"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_onnx_file_is_refused_in_one_sentence(name):
    make, said = HOSTILE[name]
    assert said in refused(saved(make()))


@pytest.mark.parametrize("cut", [1, 40, -7])
def test_a_broken_protobuf_is_refused(cut):
    assert "damaged" in refused(saved(network())[:cut]) or cut == 1


def test_another_protobuf_is_refused():
    assert refused(saved(network().graph))


@pytest.mark.parametrize("opset", [7, 9, 11, 13, 15, 17, 19, 21, onnx.defs.onnx_opset_version()])
def test_every_version_that_can_be_run_is_opened(opset):
    made = network(opset=opset)
    assert looked_at(saved(made)).layer == "Gemm"


@pytest.mark.parametrize("opset", [7, 13, 21])
def test_and_run(opset):
    runner = Runner(saved(network(opset=opset)))
    try:
        said, _ = runner.ask("check", [np.ones((3, 4), "float32")])
    finally:
        runner.close()
    assert said["apart"] < 1e-6


def wall(made):
    begun = time.monotonic()
    runner = Runner(saved(made))
    with pytest.raises(ModelError) as caught:
        runner.ask("features", [np.ones((3, 4), "float32")])
    runner.close()
    assert time.monotonic() - begun < 60
    return str(caught.value)


def test_memory_that_only_running_takes_ends_in_a_sentence(monkeypatch):
    """Shapes that hang on the input cannot be seen without running."""
    monkeypatch.setattr(session, "MEMORY_BYTES", 1 << 30)
    made = network()
    made.graph.initializer.append(table("times", np.array([60_000, 60_000])))
    made.graph.initializer.append(table("axes", np.array([1])))
    nodes = [
        helper.make_node("Identity", ["times"], ["size"]), helper.make_node("ConstantOfShape", ["size"], ["many"]),
        helper.make_node("ReduceSum", ["many"], ["one"], keepdims=0), helper.make_node("Add", ["f", "one"], ["f2"]),
    ]  # fmt: skip
    for node in reversed(nodes):
        made.graph.node.insert(2, node)
    made.graph.node[-1].input[0] = "f2"
    assert "memory" in wall(made)


def test_a_network_that_takes_too_long_is_stopped(monkeypatch):
    monkeypatch.setattr(session, "BATCH_SECONDS", 0.3)
    made, side = network(), 2048
    made.graph.initializer.append(table("wide", np.full((4, side), 1e-9, "float32")))
    nodes = [
        helper.make_node("MatMul", ["x", "wide"], ["row"]), helper.make_node("Transpose", ["row"], ["tall"]),
        helper.make_node("MatMul", ["tall", "row"], ["p0"]),
        *(helper.make_node("MatMul", [f"p{step}", f"p{step}"], [f"p{step + 1}"]) for step in range(200)),
        helper.make_node("ReduceMax", ["p200"], ["top"], keepdims=0), helper.make_node("Add", ["f", "top"], ["f2"]),
    ]  # fmt: skip
    for node in reversed(nodes):
        made.graph.node.insert(2, node)
    made.graph.node[-1].input[0] = "f2"
    assert "longer than 0.3 seconds" in wall(made)


def test_the_process_writes_no_file_and_does_not_outlive_its_owner():
    runner = Runner(saved(network()))
    number = runner._process.pid
    told = Path(f"/proc/{number}/limits")
    limits = told.read_text() if told.exists() else ""
    runner.close()
    assert not limits or "Max file size             0" in limits
    assert not os.path.exists(f"/proc/{number}")


def test_no_secrets_go_into_the_process(monkeypatch):
    monkeypatch.setenv("FMD_DATABASE_URL", "postgres://secret")
    runner = Runner(saved(network()))
    try:
        path = Path(f"/proc/{runner._process.pid}/environ")
        found = path.read_bytes() if path.exists() else b""
    finally:
        runner.close()
    assert b"secret" not in found


def test_through_the_door_a_refusal_leaves_nothing_behind(tmp_path):
    path, out = tmp_path / "model.onnx", tmp_path / "out" / "model.safetensors"
    path.write_bytes(saved(external()))
    with pytest.raises(intake.IntakeRefusal, match="lie in another file"):
        intake.open_weights(path, n_classes=2, out=out)
    assert not list(out.parent.iterdir())
