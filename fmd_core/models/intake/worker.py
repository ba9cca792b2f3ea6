"""The process in which a user's weights file is opened: `python -m fmd_core.models.intake.worker`.

Reads a request as JSON from standard input and writes an answer as JSON to standard output:
either {"passport": ...}, with the classifier written to the requested path, or {"refusal": one
sentence, "converter": a name in `fmd_core.models.intake.intake`}. It limits its own memory and time before
the file is touched, and never passes on the wording of a foreign error.
"""

from __future__ import annotations

import errno
import json
import os
import re
import sys
import warnings
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fmd_core.data import Array
from fmd_core.errors import ModelError
from fmd_core.heads.linear import LinearHead
from fmd_core.home import is_disk_full
from fmd_core.kinds import find_kind
from fmd_core.models.architectures import build_encoder, find_architecture, split_state
from fmd_core.models.classifier import Classifier
from fmd_core.models.files import FORMAT, load_classifier, save_classifier
from fmd_core.models.preprocess import Preprocess

if TYPE_CHECKING:
    import torch

WRAPPERS = ("state_dict", "model_state_dict", "model")
PREFIXES = ("module.", "model.", "_orig_mod.")  # of DataParallel, of Lightning, of torch.compile
COUNTER = "num_batches_tracked"  # the one whole number in a state dict: batches that BatchNorm saw
NOT_LEARNED = ("running_mean", "running_var", COUNTER)
LAYER_NAME = re.compile(r"[A-Za-z0-9_.\-]{1,200}")
SYSTEM_MODULES = {"os", "posix", "nt", "subprocess", "sys", "builtins", "runpy", "shutil", "socket", "pty"}
DAMPING = 1e-3
LONGEST_NAME = 80
State = dict[str, "torch.Tensor"]


class Refused(Exception):
    """Why the file is not used, and the name of the converter that helps its owner."""

    def __init__(self, reason: str, converter: str = "model") -> None:
        super().__init__(reason)
        self.converter = converter


def main() -> None:
    """Answer the one request on standard input."""
    request = json.load(sys.stdin)
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever a library prints is not the answer
    limit_memory(request["memory_bytes"], request["cpu_seconds"], request["max_bytes"])
    json.dump(answer(request), answers)
    answers.close()


def limit_memory(memory_bytes: int, cpu_seconds: int, max_bytes: int) -> None:
    """Limit this process for good: its processor time, what it writes, and memory beyond torch."""
    try:
        import resource
    except ImportError:  # Windows: only the wall clock of the parent limits
        return
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_seconds, cpu_seconds + 5))
    resource.setrlimit(resource.RLIMIT_FSIZE, (2 * max_bytes, 2 * max_bytes))
    import torch

    torch.set_num_threads(1)
    statm = Path("/proc/self/statm")
    if statm.exists():
        limit = int(statm.read_text().split()[0]) * resource.getpagesize() + memory_bytes
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """What is found of the requested file; the classifier lies at request['out'] afterwards."""
    try:
        return {"passport": convert(request)}
    except Refused as refused:
        return {"refusal": str(refused), "converter": refused.converter}
    except ModelError as error:
        return {"refusal": str(error), "converter": ""}
    except Exception as error:
        if is_memory_error(error):
            reason = (
                "Opening the file takes more memory than is allowed for weights; bring a smaller network."
            )
            return {"refusal": reason, "converter": ""}
        if isinstance(error, OSError) or is_disk_full(error):
            reason = "The file could not be read, or the converted model not be stored; look whether the disk is full."
            return {"refusal": reason, "converter": ""}
        return {
            "refusal": "The file is damaged or not a plain state dict; save it again.",
            "converter": "model",
        }


def is_memory_error(error: Exception) -> bool:
    """Whether memory ran out: torch says so with an error that means other things too."""
    foreign = re.search(r"allocate memory|not enough memory|bad_alloc", str(error)) is not None
    return isinstance(error, MemoryError) or foreign or getattr(error, "errno", None) == errno.ENOMEM


def convert(request: dict[str, Any]) -> dict[str, Any]:
    """Open, check, try out and write; the fields of a passport."""
    path, safetensors = Path(request["path"]), request["format"] == "safetensors"
    prefix = ""
    is_ours = safetensors and safetensors_metadata(path).get("format") == FORMAT
    if is_ours:
        classifier, n_outputs, checks = open_our_own(path, request["n_classes"])
        layers = {
            **classifier.encoder_state,
            **{f"head.{name}": array for name, array in classifier.head.arrays.items()},
        }
    else:
        tensors, checks = read_safetensors(path) if safetensors else read_state_dict(path)
        tensors, prefix = strip_prefix(tensors)
        checks += [f"The prefix '{prefix}' of every layer's name was taken off."] if prefix else []
        layers = dense_arrays(tensors, request["max_tensors"], request["max_elements"])
        checks.append(f"All {len(layers)} layers are plain tables of finite decimal numbers.")
        classifier, n_outputs, how = assemble(layers, request)
        checks.append(how)
    checks += try_out(classifier, request["n_inputs"])
    save_classifier(classifier, Path(request["out"]))
    return {
        "architecture": classifier.architecture,
        "n_parameters": sum(array.size for name, array in layers.items() if not name.endswith(NOT_LEARNED)),
        "n_outputs": n_outputs,
        "layers": [(name, array.shape) for name, array in layers.items()],
        "checks": checks,
        "stripped_prefix": prefix,
        "is_ours": is_ours,
    }


# --- reading


def open_our_own(path: Path, n_classes: int) -> tuple[Classifier, int, list[str]]:
    """A classifier that FMD Studio wrote."""
    classifier = load_classifier(path)
    found = classifier.head.n_classes
    if found != n_classes:
        raise Refused(
            f"The model tells {found} classes apart, but the target has {n_classes}; "
            "open a model that was trained for this target.",
            "",
        )
    name = "".join(letter for letter in classifier.name if letter.isprintable())[:LONGEST_NAME]
    classifier = replace(
        classifier, name=name, trained_on="", recipe=None
    )  # which a file from elsewhere could claim
    return classifier, found, ["FMD Studio wrote this file; its architecture and normalisation are in it."]


def safetensors_metadata(path: Path) -> dict[str, str]:
    """The free text in a safetensors header."""
    from safetensors import safe_open

    with safe_open(path, framework="pt") as file:
        return file.metadata() or {}


def read_safetensors(path: Path) -> tuple[State, list[str]]:
    """Layers by name."""
    from safetensors.torch import load_file

    return load_file(path), ["The file can hold numbers only, no code."]


def read_state_dict(path: Path) -> tuple[State, list[str]]:
    """Layers by name out of PyTorch's archive, without running anything that it asks for."""
    import pickle

    import torch

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            loaded = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise refusal_of_objects(str(error)) from None
    tensors, key = unwrap(loaded)
    where = f"The weights lie in '{key}'; the rest of the file was not used." if key else ""
    return tensors, ["The file asks for no code to be run.", *([where] if where else [])]


def refusal_of_objects(message: str) -> Refused:
    """In our words: what the unpickler met that is not weights. Its own message says to trust the file."""
    found = re.search(r"GLOBAL ([A-Za-z_][\w.]{0,80})", message)
    name = found[1] if found else ""
    if name.split(".")[0] in SYSTEM_MODULES:
        return Refused(
            f"The file asks Python to run '{name}', which weights never do, and it was not run; "
            "do not open this file anywhere, and get the weights from a source that you trust.",
            "",
        )
    what = f"the Python object '{name}'" if name else "Python objects"
    return Refused(f"The file holds {what} beside or instead of plain weights; save the weights alone.")


def unwrap(loaded: object) -> tuple[State, str]:
    """The layers in what was loaded, and the key that they lay under ('' for none)."""
    import torch

    if not isinstance(loaded, dict):
        raise Refused("The file holds no layers by name; save the state dict of the network.")
    for key in ("", *WRAPPERS):
        inner = loaded.get(key) if key else loaded
        if isinstance(inner, dict) and inner and all(isinstance(v, torch.Tensor) for v in inner.values()):
            return inner, key
    raise Refused("The file holds more or other things than layers by name; save the state dict alone.")


def strip_prefix(tensors: State) -> tuple[State, str]:
    """The same layers without the prefixes that all of them share, and what was taken off."""
    for name in tensors:
        if not (isinstance(name, str) and LAYER_NAME.fullmatch(name)):
            raise Refused(
                "A layer's name is not made of letters, digits and dots; save the state dict again."
            )
    stripped = ""
    while found := next((p for p in PREFIXES if all(name.startswith(p) for name in tensors)), ""):
        tensors, stripped = {name.removeprefix(found): t for name, t in tensors.items()}, stripped + found
    return tensors, stripped


# --- checking


def dense_arrays(tensors: State, max_tensors: int, max_elements: int) -> dict[str, Array]:
    """Layers as float32 arrays, copied only after all of them were found to be what they claim."""
    if len(tensors) > max_tensors:
        raise Refused(
            f"The file lists {len(tensors):,} layers, more than {max_tensors:,}; bring one network's."
        )
    for name, tensor in tensors.items():
        check_tensor(name, tensor)
    elements = sum(tensor.numel() for tensor in tensors.values())
    if elements > max_elements:
        raise Refused(
            f"The file holds {elements:,} numbers, more than {max_elements:,}; bring a smaller network.", ""
        )
    arrays = {name: as_array(tensor) for name, tensor in tensors.items()}
    bad = [name for name, array in arrays.items() if not np.isfinite(array).all()]
    if bad:
        raise Refused(
            f"Layer '{bad[0]}' holds values that are not numbers (NaN, or infinite in 32 bits); "
            "bring weights from before the training went astray.",
            "",
        )
    return arrays


def check_tensor(name: str, tensor: torch.Tensor) -> None:
    """Refuse what is not a plain table of numbers that the file really holds."""
    import torch

    decimal = tensor.dtype in (torch.float16, torch.bfloat16, torch.float32, torch.float64)
    counter = name.endswith(COUNTER) and tensor.dtype == torch.int64 and tensor.dim() == 0
    plain = type(tensor) in (torch.Tensor, torch.nn.Parameter) and tensor.layout == torch.strided
    if not (plain and (decimal or counter) and not tensor.is_quantized and tensor.device.type == "cpu"):
        found = (str(tensor.dtype), str(tensor.layout), tensor.device.type, type(tensor).__name__)
        kind = ", ".join(
            f.removeprefix("torch.") for f in found if f not in ("torch.strided", "cpu", "Tensor")
        )
        raise Refused(
            f"Layer '{name}' is not a plain table of decimal numbers ({kind}); save the weights as such."
        )
    if tensor.untyped_storage().nbytes() < tensor.numel() * tensor.element_size():
        stored = tensor.untyped_storage().nbytes() // tensor.element_size()
        raise Refused(
            f"Layer '{name}' claims {tensor.numel():,} numbers, but the file holds only {stored:,} of them."
        )


def as_array(tensor: torch.Tensor) -> Array:
    """float32, contiguous; the counter of batches stays a whole number."""
    import torch

    kept = tensor.dtype if tensor.dtype == torch.int64 else torch.float32
    return np.asarray(tensor.detach().to(kept).contiguous().numpy())


# --- putting together


def assemble(layers: dict[str, Array], request: dict[str, Any]) -> tuple[Classifier, int, str]:
    """The classifier that the layers make, its file's number of outputs, and how those were read."""
    name, n_inputs = request["architecture"], request["n_inputs"]
    for mean in [
        key for key in layers if key.endswith(".running_mean")
    ]:  # PyTorch before 0.4.1 had no counters
        layers.setdefault(mean.replace("running_mean", COUNTER), np.zeros((), "int64"))
    try:
        encoder, weight, bias = split_state(name, layers, n_inputs)
    except ModelError:
        refuse_grayscale(layers, build_encoder(name, n_inputs))
        raise
    head, how = make_head(weight, bias, request["n_classes"], request["output"])
    in_order = dict(sorted(encoder.items()))
    preprocess = Preprocess(request["normalisation"], request["size"])
    return Classifier(name, in_order, head, DAMPING, preprocess), len(weight), how


def refuse_grayscale(layers: dict[str, Array], encoder: torch.nn.Module) -> None:
    """Say it in words where the only trouble is that the network was made for one channel."""
    name, first = next(((k, v) for k, v in encoder.state_dict().items() if v.dim() == 4), ("", None))
    if first is not None and name in layers and layers[name].shape == (len(first), 1, *first.shape[2:]):
        raise Refused(
            f"The network reads grayscale pictures: its first layer '{name}' has 1 input channel, not 3; "
            "repeat that layer over 3 channels, divide it by 3 and save the weights again.",
            "",
        )


def make_head(weight: Array, bias: Array, n_classes: int, output: int | None) -> tuple[LinearHead, str]:
    """A softmax head out of the last layer (K, d), and how its outputs were read."""
    n = len(weight)
    if output is None and n == n_classes:
        return LinearHead(weight, bias), f"Its {n} outputs are read as one per class (softmax)."
    if output is None and n == 1 and n_classes == 2:
        output = 0
    if output is None or n_classes != 2:
        ask = f"say which of them, 0 to {n - 1}, answers the target" if n > 1 and n_classes == 2 else ""
        found = f"The model has {n} output{'s' * (n != 1)}, but the target has {n_classes} classes; "
        raise Refused(found + (ask or "open a model that was trained for this target") + ".", "")
    if not 0 <= output < n:
        raise Refused(f"The model has no output {output}; its outputs are counted from 0 to {n - 1}.", "")
    # softmax over (-x/2, x/2) gives the second class the probability sigmoid(x)
    halves = np.array([-0.5, 0.5])
    head = LinearHead(np.outer(halves, weight[output].astype("float64")), halves * float(bias[output]))
    return head, f"Output {output} of {n} is read as the probability of the second class (sigmoid)."


def try_out(classifier: Classifier, n_inputs: int) -> list[str]:
    """Features of three fixed inputs, twice: refuses what fails, differs or is not a number."""
    inputs = trial_inputs(classifier, n_inputs)
    first, again = (run(classifier, inputs) for _ in range(2))
    with np.errstate(all="ignore"):
        finite = np.isfinite(first).all() and np.isfinite(classifier.head.logits(first)).all()
    if not finite:
        raise Refused(
            "The network answers with values that are not numbers (NaN or infinite); bring other weights."
        )
    if first.tobytes() != again.tobytes():
        raise Refused("The network answers the same input differently each time, so it cannot be judged.")
    size = np.abs(first).max()
    if np.abs(run(classifier, inputs[:2]) - first[:2]).max() > 1e-3 * size:
        raise Refused(
            "The network's answer to one input changes with the inputs beside it, so it cannot be judged."
        )
    checks = ["A trial run with training behaviour switched off gave the same finite answer twice."]
    if np.abs(first - first[0]).max() <= 1e-6 * size:
        checks.append(
            "Warning: the network gave different inputs the same features; it may be untrained or dead."
        )
    return checks


def trial_inputs(classifier: Classifier, n_inputs: int) -> Array:
    """Three inputs of noise, of the kind and size that the classifier reads; the same each time."""
    side = classifier.preprocess.size or find_architecture(classifier.architecture).size
    return find_kind(classifier.kind).noise(np.random.default_rng(0), 3, width=n_inputs, side=side)


def run(classifier: Classifier, inputs: Array) -> Array:
    """Features of `inputs`; an input that the network cannot take is refused in words."""
    try:
        return classifier.encode([inputs])
    except (RuntimeError, AssertionError, ValueError) as error:
        if is_memory_error(error):
            raise
        usual = find_architecture(classifier.architecture).size
        raise Refused(find_kind(classifier.kind).misfit(inputs, usual), "") from None


if __name__ == "__main__":
    main()
