"""Where the last linear layer of an ONNX graph lies: it becomes the head, what it reads the features.

From the answers back: past what only turns scores into probabilities (Softmax, Sigmoid, ZipMap, ...) to a Gemm, a
MatMul with or without an Add, or a LinearClassifier of scikit-learn. Runs in the limited process alone.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from fmd_core.data import Array
from fmd_core.errors import ModelError
from fmd_core.text import short_name

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, NodeProto

Link = Literal["scores", "softmax", "log-softmax", "sigmoid"]
LINK_OF: dict[str, Link] = {"Softmax": "softmax", "LogSoftmax": "log-softmax", "Sigmoid": "sigmoid"}
AS_GIVEN = (
    "Bring its answers instead: a column of answers or probabilities in the table of your data is reviewed as another "
    "system's (groups, selection, equal truth and the report; no twins, no training samples, no unlearning)."
)
PASSED = ("Identity", "Cast", "Dropout", "Flatten", "Reshape", "Squeeze", "Unsqueeze", "ZipMap")
TREES = ("TreeEnsembleClassifier", "TreeEnsembleRegressor", "TreeEnsemble", "SVMClassifier", "SVMRegressor")
QUANTISED = (
    "QLinearMatMul", "MatMulInteger", "QGemm", "DynamicQuantizeMatMul", "MatMulIntegerToFloat", "MatMulNBits",
    "ConvInteger", "QLinearConv",
)  # fmt: skip
MAX_STEPS = 40  # from the answers to the layer
MAX_CLASSES = 1000


@dataclass(frozen=True)
class Cut:
    """The last linear layer of a graph."""

    features: str
    """Name of the tensor that it reads, (n, d)."""
    weight: Array
    """(outputs, d) float64, with the layer's own factors multiplied in."""
    bias: Array
    answers: str
    """Name of the tensor with scores or probabilities, (n, outputs) or (n,)."""
    link: Link
    """What turns the layer's scores into `answers`."""
    layer: str
    """The operator: Gemm, MatMul, LinearClassifier."""
    made: str
    """Name of the tensor that the layer gives out, bias included."""
    nodes: tuple[int, ...]
    """Places of the nodes that are the layer."""
    classes: tuple[str, ...] = ()
    """The file's own names of its outputs, in order; () where it has none."""
    pair: bool = False
    """Whether the one score was spelled out for two classes, so that `answers` has two columns."""
    notes: tuple[str, ...] = field(default=())


def find_cut(model: ModelProto) -> Cut:
    """The last linear layer. Raises ModelError, in a sentence that says what can be done, where there is none."""
    walk = _Walk(model.graph)
    named = _named_classes(model, walk)
    problems: list[ModelError] = []
    for output in sorted(model.graph.output, key=lambda value: _is_label(model.graph, value.name)):
        if _is_label(model.graph, output.name):
            continue
        try:
            return _with_names(walk.trace(output.name), named)
        except ModelError as problem:
            problems.append(problem)
    raise (
        problems[0]
        if problems
        else ModelError(
            f"The network gives out classes only, without scores or probabilities; export it with them. {AS_GIVEN}"
        )
    )


def _with_names(cut: Cut, named: tuple[str, ...]) -> Cut:
    n = 2 if len(cut.weight) == 1 else len(cut.weight)
    return replace(cut, classes=named) if len(named) == n and not cut.classes else cut


def _is_label(graph: GraphProto, name: str) -> bool:
    from onnx import TensorProto

    value = next(output for output in graph.output if output.name == name)
    if not value.type.HasField("tensor_type"):
        return False
    kind = value.type.tensor_type.elem_type
    return kind in (TensorProto.STRING, TensorProto.INT64, TensorProto.INT32, TensorProto.BOOL)


class _Walk:
    """Back through a graph from an output."""

    def __init__(self, graph: GraphProto) -> None:
        self.graph = graph
        self.maker = {name: place for place, node in enumerate(graph.node) for name in node.output if name}
        self.tables = {table.name: table for table in graph.initializer}

    def node(self, name: str) -> NodeProto | None:
        place = self.maker.get(name)
        return None if place is None else self.graph.node[place]

    def constant(self, name: str, depth: int = 0) -> Array | None:
        """The value of a tensor that hangs on no input: stored, or made by a few plain steps of what is."""
        from onnx import numpy_helper

        if name in self.tables:
            return np.asarray(numpy_helper.to_array(self.tables[name]))
        node = self.node(name)
        if node is None or depth > 6:
            return None
        if node.op_type == "Constant":
            found = next((a for a in node.attribute if a.name == "value"), None)
            return None if found is None else np.asarray(numpy_helper.to_array(found.t))
        inputs = [self.constant(one, depth + 1) for one in node.input if one]
        if not inputs or any(one is None for one in inputs):
            return None
        return _folded(node, [one for one in inputs if one is not None])

    def trace(self, name: str) -> Cut:
        """The linear layer behind an output."""
        answers, pair = name, False
        link: Link = "scores"
        classes: tuple[str, ...] = ()
        for _ in range(MAX_STEPS):
            node = self.node(name)
            if node is None:
                raise ModelError(
                    f"The output '{short_name(name)}' is an input or a constant, not an answer; export it again."
                )
            kind = node.op_type
            if kind == "ZipMap":
                classes, answers = _labels_of(node), node.input[0]
            elif kind in LINK_OF:
                if link != "scores":
                    raise _not_linear(f"{kind} under another {link}")
                link = LINK_OF[kind]
            elif kind == "Concat" and (one := self._one_of_pair(node)):
                pair, name = True, one
                continue
            elif kind not in PASSED:
                return self._layer(name, answers, link, pair, classes)
            name = node.input[0]
        raise _not_linear("a long row of steps without a layer")

    def _one_of_pair(self, node: NodeProto) -> str:
        """Of a Concat of 1 - p and p, the tensor p; '' for another one."""
        if len(node.input) != 2:
            return ""
        first, second = (self.node(one) for one in node.input)
        if first is None or second is None or first.op_type != "Sub" or first.input[1] != node.input[1]:
            return ""
        one = self.constant(first.input[0])
        return node.input[1] if one is not None and one.size == 1 and float(one.ravel()[0]) == 1 else ""

    def _layer(self, name: str, answers: str, link: Link, pair: bool, classes: tuple[str, ...]) -> Cut:
        place = self.maker[name]
        node = self.graph.node[place]
        if node.op_type == "LinearClassifier":
            return _classifier_layer(node, place, name, answers, link, classes)
        nodes, bias, made = [place], None, name
        if node.op_type == "Add":
            bias, name = self._added(node)
            place = self.maker.get(name, -1)
            if bias is None or place < 0:
                raise _not_linear("an addition of two parts of the network")
            node, nodes = self.graph.node[place], [place, *nodes]
        if node.op_type not in ("Gemm", "MatMul"):
            raise _no_layer(node.op_type)
        weight, own_bias = self._weights(node)
        total = np.zeros(len(weight)) if bias is None else _spread(bias, len(weight))
        if own_bias is not None:
            total = total + _spread(own_bias, len(weight))
        return Cut(
            node.input[0], weight, total, answers, link, node.op_type, made, tuple(nodes), classes, pair
        )

    def _added(self, node: NodeProto) -> tuple[Array | None, str]:
        for place in (0, 1):
            found = self.constant(node.input[place])
            if found is not None:
                return found, node.input[1 - place]
        return None, ""

    def _weights(self, node: NodeProto) -> tuple[Array, Array | None]:
        """Weight (K, d) and bias of a Gemm or MatMul."""
        said = {a.name: a for a in node.attribute}
        weight = self.constant(node.input[1])
        if weight is None or weight.ndim != 2 or weight.dtype.kind != "f":
            raise _not_linear("a product of two parts of the network")
        if "transA" in said and said["transA"].i:
            raise _not_linear("a product over samples")
        alpha = said["alpha"].f if "alpha" in said else 1.0
        beta = said["beta"].f if "beta" in said else 1.0
        out = weight if "transB" in said and said["transB"].i else weight.T
        if not 1 <= len(out) <= MAX_CLASSES:
            raise ModelError(
                f"The last layer has {len(out):,} outputs; {MAX_CLASSES:,} classes at most can be reviewed."
            )
        bias = None
        if node.op_type == "Gemm" and len(node.input) > 2 and node.input[2]:
            bias = self.constant(node.input[2])
            if bias is None:
                raise _not_linear("a bias that hangs on the input")
            bias = bias.astype("float64") * beta
        return out.astype("float64") * alpha, bias


def _folded(node: NodeProto, inputs: list[Array]) -> Array | None:
    """What a plain step makes of constants; None for others."""
    first = inputs[0]
    if node.op_type == "Identity":
        return first
    if node.op_type == "Transpose":
        axes = next((list(a.ints) for a in node.attribute if a.name == "perm"), None)
        return np.transpose(first, axes)
    if node.op_type == "Cast":
        return first.astype("float32")
    if node.op_type == "DequantizeLinear" and len(inputs) > 1:
        axis = next((a.i for a in node.attribute if a.name == "axis"), 1)
        scale, zero = (
            _along(one, first.ndim, axis)
            for one in (inputs[1], inputs[2] if len(inputs) > 2 else np.zeros(1))
        )
        return ((first.astype("float32") - zero.astype("float32")) * scale).astype("float32")
    return None


def _along(values: Array, n_axes: int, axis: int) -> Array:
    """One number, or one for each place along an axis, ready to be multiplied in."""
    if values.size == 1:
        return values.reshape(())
    shape = [1] * n_axes
    shape[axis] = -1
    return values.reshape(shape)


def _spread(bias: Array, n: int) -> Array:
    flat = np.asarray(bias, "float64").ravel()
    if flat.size not in (1, n):
        raise _not_linear("a bias of another size than its outputs")
    return np.broadcast_to(flat, n).astype("float64")


def _classifier_layer(
    node: NodeProto, place: int, name: str, answers: str, link: Link, classes: tuple[str, ...]
) -> Cut:
    """A LinearClassifier of ai.onnx.ml, as skl2onnx writes logistic regressions."""
    said = {a.name: a for a in node.attribute}
    post = said["post_transform"].s.decode() if "post_transform" in said else "NONE"
    if list(node.output).index(name) == 0:
        raise ModelError(
            f"The network gives out classes only, without probabilities; export it with them. {AS_GIVEN}"
        )
    bias = np.array(said["intercepts"].floats, "float64") if "intercepts" in said else np.zeros(1)
    rows = max(len(bias), 1)
    weight = np.array(said["coefficients"].floats, "float64").reshape(rows, -1)
    names = tuple(map(str, said["classlabels_ints"].ints)) if "classlabels_ints" in said else ()
    if not names and "classlabels_strings" in said:
        names = tuple(one.decode("utf-8", "replace") for one in said["classlabels_strings"].strings)
    names, pair = classes or names, False
    if (
        post == "LOGISTIC"
        and rows == 2
        and np.allclose(weight[0], -weight[1])
        and np.isclose(bias[0], -bias[1])
    ):
        weight, bias, pair, link = weight[1:], bias[1:], True, "sigmoid"
    elif post == "LOGISTIC" and rows == 1:
        pair, link = True, "sigmoid"
    elif post == "SOFTMAX":
        link = "softmax"
    elif post != "NONE":
        raise ModelError(
            f"Each class has a yes or no of its own ({post.lower()}, one against the rest), which is no softmax; fit a "
            f"multinomial LogisticRegression instead. {AS_GIVEN}"
        )
    return Cut(node.input[0], weight, bias, answers, link, node.op_type, name, (place,), names, pair)


def _labels_of(node: NodeProto) -> tuple[str, ...]:
    for attribute in node.attribute:
        if attribute.name == "classlabels_int64s" and attribute.ints:
            return tuple(map(str, attribute.ints))
        if attribute.name == "classlabels_strings" and attribute.strings:
            return tuple(one.decode("utf-8", "replace") for one in attribute.strings)
    return ()


def _named_classes(model: ModelProto, walk: _Walk) -> tuple[str, ...]:
    """Names of the outputs that the file itself gives: by its labels, or in its notes."""
    for node in model.graph.node:
        if node.op_type == "ArrayFeatureExtractor" and (found := walk.constant(node.input[0])) is not None:
            return tuple(
                str(one.decode() if isinstance(one, bytes) else one) for one in found.ravel()[:MAX_CLASSES]
            )
    for note in model.metadata_props:
        if note.key.casefold() in ("id2label", "names", "classes", "class_names", "labels") and (
            names := _listed(note.value[:100_000])
        ):
            return names
    return ()


def _listed(text: str) -> tuple[str, ...]:
    """Names from a JSON or Python list, or from a mapping of places to names; () for what is neither."""
    found: object = None
    for read in (json.loads, ast.literal_eval):
        try:
            found = read(text)
            break
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            continue
    if isinstance(found, dict):
        try:
            by_place = {int(place): str(name) for place, name in found.items()}
        except (TypeError, ValueError):
            return ()
        return (
            tuple(by_place[k] for k in range(len(by_place)))
            if sorted(by_place) == list(range(len(by_place)))
            else ()
        )
    return tuple(map(str, found)) if isinstance(found, list) else ()


def _no_layer(operator: str) -> ModelError:
    if operator in TREES:
        kind = "trees" if operator.startswith("Tree") else "support vectors"
        return ModelError(
            f"The model decides by {kind}, so there is no last linear layer that could be audited for its training "
            f"samples or unlearned. {AS_GIVEN}"
        )
    if operator in QUANTISED or operator in ("QuantizeLinear", "DequantizeLinear"):
        return ModelError(
            f"The last layer is quantised ({operator}): its answers are rounded to a few levels, so that taking it off "
            "would give others. Export the network before it was quantised."
        )
    return _not_linear(f"the operator '{short_name(operator)}'")


def _not_linear(what: str) -> ModelError:
    return ModelError(
        f"The network does not end in a linear layer with a softmax or sigmoid: before its answers stands {what}, so "
        f"that it cannot be taken apart. {AS_GIVEN}"
    )


def needed_for(graph: GraphProto, wanted: Sequence[str]) -> list[int]:
    """Places of the nodes that the tensors `wanted` hang on, in order."""
    maker = {name: place for place, node in enumerate(graph.node) for name in node.output if name}
    found: set[int] = set()
    open_ = list(wanted)
    while open_:
        place = maker.get(open_.pop())
        if place is None or place in found:
            continue
        found.add(place)
        open_ += [name for name in graph.node[place].input if name]
        open_ += _read_by_branches(graph.node[place])
    return sorted(found)


def _read_by_branches(node: NodeProto) -> list[str]:
    inner = [a.g for a in node.attribute if a.HasField("g")] + [g for a in node.attribute for g in a.graphs]
    return [
        name
        for graph in inner
        for one in graph.node
        for name in [*[n for n in one.input if n], *_read_by_branches(one)]
    ]
