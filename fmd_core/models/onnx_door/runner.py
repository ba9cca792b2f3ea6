"""The process in which an ONNX file is opened and run: `python -m fmd_core.models.onnx_door.runner`.

It limits its own memory, cuts itself off from the network where the system lets it, and then answers requests from
standard input until that closes, each a line of JSON with its arrays behind it (see `wire`). The first is the file
itself. It never passes on the wording of a foreign error.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fmd_core.data import Array
from fmd_core.errors import ModelError
from fmd_core.models.onnx_door import wire
from fmd_core.text import short_name

if TYPE_CHECKING:
    import onnxruntime
    from onnx import ModelProto

    from fmd_core.models.onnx_door.cutting import Cut

CHUNK = 256  # samples that go through the network at once
NO_USER, NO_NETWORK = 0x10000000, 0x40000000  # CLONE_NEWUSER and CLONE_NEWNET of Linux
ELEMENT = {
    1: "float32",
    10: "float16",
    11: "float64",
    2: "uint8",
    3: "int8",
    6: "int32",
    7: "int64",
    8: "str",
    9: "bool",
}
"""Types of ONNX's tensors that an input may have, by their number."""
PARENT_DIES = 1  # PR_SET_PDEATHSIG


def main() -> None:
    """Answer requests until nobody asks any more."""
    source, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever a library prints is no answer
    opened: _Opened | None = None
    while (request := wire.read(source)) is not None:
        said, arrays = request
        try:
            if said["ask"] == "open":
                limit(int(said["memory_bytes"]))
                opened = _Opened(arrays[0].tobytes(), int(said["threads"]))
                reply: dict[str, Any] = opened.description()
                given = [opened.cut.weight, opened.cut.bias]
            elif opened is None:
                raise ModelError("No network was opened.")
            else:
                reply, given = opened.answer(said, arrays)
        except ModelError as problem:
            reply, given = {"refusal": str(problem)}, []
        except MemoryError:
            reply, given = {"refusal": TOO_MUCH}, []
        except Exception as error:
            reply, given = {"refusal": _foreign(error)}, []
        wire.write(answers, reply, given)


TOO_MUCH = "The network takes more memory than is allowed; bring a smaller one."


def _foreign(error: Exception) -> str:
    text = str(error)
    if any(word in text for word in ("allocate", "bad_alloc", "out of memory", "Failed to allocate")):
        return TOO_MUCH
    if "NOT_IMPLEMENTED" in text or "Could not find an implementation" in text:
        return (
            "The network uses a step that onnxruntime cannot do on this machine's processor; export it with usual "
            "operators and 32-bit numbers."
        )
    if "INVALID_ARGUMENT" in text or "Got invalid dimensions" in text:
        return "The network cannot read an input of this size; see which size and layout the file asks for."
    return "The network in the file cannot be run: it is damaged, or its parts do not fit together; export it again."


def limit(memory_bytes: int) -> None:
    """Limit this process for good: its memory beyond the libraries, and the network."""
    import onnx  # noqa: F401 - before the limit, which counts what comes later
    import onnxruntime  # noqa: F401

    _leave_network()
    try:
        import resource
    except ImportError:  # Windows: only the clock of the parent limits
        return
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))  # it writes no files
    statm = Path("/proc/self/statm")
    if statm.exists():
        most = int(statm.read_text().split()[0]) * resource.getpagesize() + memory_bytes
        inherited = resource.getrlimit(resource.RLIMIT_AS)[1]  # of the process that opens files
        most = most if inherited == resource.RLIM_INFINITY else min(most, inherited)
        resource.setrlimit(resource.RLIMIT_AS, (most, most))


def _leave_network() -> bool:
    """End with the process that asks; whether this one could be put into a network of its own, without a way out."""
    import ctypes
    import signal

    try:
        system = ctypes.CDLL(None, use_errno=True)
        system.prctl(PARENT_DIES, signal.SIGKILL)
        return system.unshare(NO_USER | NO_NETWORK) == 0
    except (OSError, AttributeError, TypeError):  # no Linux
        return False


class _Opened:
    """A file that was found in order, cut, and ready to run."""

    def __init__(self, data: bytes, threads: int) -> None:
        from fmd_core.models.onnx_door.checks import read_model
        from fmd_core.models.onnx_door.cutting import find_cut

        self.threads = threads
        self.model: ModelProto = read_model(data)
        self.cut: Cut = find_cut(self.model)
        self.inputs = _inputs(self.model)
        self.below, self.names = self._session_of([self.cut.features])
        self._whole: onnxruntime.InferenceSession | None = None

    def description(self) -> dict[str, Any]:
        """What is found of the file."""
        from fmd_core.models.onnx_door import describing

        return describing.description(self.model, self.cut, self.inputs)

    def answer(self, said: dict[str, Any], arrays: list[Array]) -> tuple[dict[str, Any], list[Array]]:
        """Features, the whole network's answers, or the file with another head."""
        if said["ask"] == "features":
            return {}, [self.features(arrays)]
        if said["ask"] == "check":
            return self.check(arrays), []
        if said["ask"] == "export":
            from fmd_core.models.onnx_door.export import with_head

            data = with_head(self.model, self.cut, arrays[0], arrays[1])
            return {}, [np.frombuffer(data, "uint8")]
        raise ModelError("Unknown question.")

    def features(self, arrays: list[Array]) -> Array:
        """What the last layer reads, (n, d) float32."""
        found = self._run(self.below, arrays)
        if found.ndim != 2 or found.shape[1] != self.cut.weight.shape[1]:
            raise ModelError(
                f"The last layer reads a table of shape {found.shape[1:]} for each sample, not "
                f"{self.cut.weight.shape[1]} numbers, so that it answers each part of a sample by itself; bring a "
                "classifier of whole samples."
            )
        return found.astype("float32")

    def check(self, arrays: list[Array]) -> dict[str, Any]:
        """How far the whole network's answers are from those of the last layer on its features."""
        if self._whole is None:
            self._whole, _ = self._session_of([self.cut.answers])
        whole = self._run(self._whole, arrays).astype("float64")
        whole = whole.reshape(len(whole), -1)
        features = self.features(arrays).astype("float64")
        scores = features @ self.cut.weight.T + self.cut.bias
        ours = _linked(scores, self.cut.link)
        if self.cut.pair and whole.shape[1] == 2:
            ours = np.column_stack([1 - ours[:, 0], ours[:, 0]])
        apart = float(np.abs(whole - ours).max()) if whole.shape == ours.shape else float("inf")
        size = float(max(1.0, np.abs(ours).max())) if self.cut.link in ("scores", "log-softmax") else 1.0
        return {"apart": apart / size, "finite": bool(np.isfinite(whole).all())}

    def _session_of(self, wanted: list[str]) -> tuple[onnxruntime.InferenceSession, list[str]]:
        """The part of the graph that gives out `wanted`, ready to run."""
        import onnxruntime
        from onnx import ModelProto, ValueInfoProto

        from fmd_core.models.onnx_door.cutting import needed_for

        part = ModelProto()
        part.CopyFrom(self.model)
        graph = part.graph
        read = [value.name for value in self.model.graph.input]
        if wanted[0] in read:  # a linear model alone: an output may not be an input
            from onnx import helper

            graph.node.append(helper.make_node("Identity", [wanted[0]], ["fmd_features"]))
            wanted = ["fmd_features"]
        keep = [graph.node[place] for place in needed_for(graph, wanted)]
        nodes = [type(node).FromString(node.SerializeToString()) for node in keep]
        del graph.node[:], graph.output[:], graph.value_info[:]
        graph.node.extend(nodes)
        graph.output.append(ValueInfoProto(name=wanted[0]))
        used = {name for node in nodes for name in node.input} | _inner(nodes)
        tables = [table for table in graph.initializer if table.name in used]
        kept = [type(table).FromString(table.SerializeToString()) for table in tables]
        del graph.initializer[:]
        graph.initializer.extend(kept)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = self.threads, 1
        options.enable_cpu_mem_arena = False  # what a large batch took is given back
        options.log_severity_level = 4
        _name_type(graph, wanted[0])
        session = onnxruntime.InferenceSession(
            part.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
        return session, [value.name for value in session.get_inputs()]

    def _run(self, session: onnxruntime.InferenceSession, arrays: list[Array]) -> Array:
        names = {value.name for value in session.get_inputs()}
        feeds = {
            said["name"]: _as_input(array, said)
            for said, array in zip(self.inputs, arrays, strict=True)
            if said["name"] in names
        }
        n, fixed = len(arrays[0]), self.inputs[0]["batch"]
        step = fixed or CHUNK
        parts = []
        for start in range(0, n, step):
            batch = {name: values[start : start + step] for name, values in feeds.items()}
            left = len(next(iter(batch.values())))
            if fixed and left < fixed:  # the file reads so many at once, no fewer
                batch = {
                    name: np.concatenate([v, np.repeat(v[-1:], fixed - left, axis=0)])
                    for name, v in batch.items()
                }
            found = np.asarray(session.run(None, batch)[0])
            if len(found) < left or found.dtype.kind != "f":
                raise ModelError("The network does not answer each sample by itself with decimal numbers.")
            parts.append(found[:left])
        return np.concatenate(parts)


def _linked(scores: Array, link: str) -> Array:
    from scipy.special import expit, log_softmax, softmax

    ways = {
        "scores": lambda x: x, "sigmoid": expit, "softmax": lambda x: softmax(x, axis=1),
        "log-softmax": lambda x: log_softmax(x, axis=1),
    }  # fmt: skip
    return np.asarray(ways[link](scores))


def _inner(nodes: list[Any]) -> set[str]:
    from fmd_core.models.onnx_door.cutting import _read_by_branches

    return {name for node in nodes for name in _read_by_branches(node)}


def _name_type(graph: Any, name: str) -> None:  # noqa: ANN401 - a GraphProto, which is no type at run time
    """An output needs no type where the graph's own is known; onnxruntime infers it."""
    for value in graph.output:
        if value.name == name:
            value.type.Clear()


def _inputs(model: ModelProto) -> list[dict[str, Any]]:
    """Name, type, declared shape and fixed batch of each input that is no stored table."""
    stored = {table.name for table in model.graph.initializer}
    found = []
    for value in model.graph.input:
        if value.name in stored:
            continue
        tensor = value.type.tensor_type
        if not value.type.HasField("tensor_type") or tensor.elem_type not in ELEMENT:
            raise ModelError(
                f"The network's input '{short_name(value.name)}' is no plain table of numbers or words."
            )
        dims = [d.dim_value if d.HasField("dim_value") else 0 for d in tensor.shape.dim]
        found.append(
            {
                "name": value.name,
                "type": ELEMENT[tensor.elem_type],
                "shape": dims[1:],
                "batch": dims[0] if dims else 0,
            }
        )
    if not found:
        raise ModelError("The network reads no input, so it answers everybody alike.")
    return found


def _as_input(array: Array, said: dict[str, Any]) -> Array:
    """Numbers or words as the input's declared type."""
    if said["type"] == "str":
        return array.astype(object)
    if array.dtype.kind in "US":
        raise ModelError(
            f"The input '{short_name(said['name'])}' reads numbers, but the data has words there."
        )
    if said["type"] in ("int64", "int32", "int8") and not np.isfinite(array).all():
        raise ModelError(
            f"The input '{short_name(said['name'])}' reads whole numbers, but some are missing in the data."
        )
    return np.ascontiguousarray(array.astype(said["type"]))


if __name__ == "__main__":
    main()
