"""State dicts and safetensors files of networks of our list, and the files that FMD Studio writes itself."""

from __future__ import annotations

import re
import warnings
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fmd_core.data import Array
from fmd_core.errors import ModelError
from fmd_core.heads.linear import LinearHead
from fmd_core.models.architectures import ARCHITECTURES, build_encoder, split_state
from fmd_core.models.classifier import Classifier
from fmd_core.models.files import FORMATS, load_classifier
from fmd_core.models.intake.found import Found, Refused, Request
from fmd_core.models.intake.layer_names import (
    COUNTER,
    of_the_network,
    recognised,
    refuse_other_libraries,
    renamed,
    width_of,
    without_shared_prefix,
)
from fmd_core.models.preprocess import Preprocess

if TYPE_CHECKING:
    import torch

WRAPPERS = (
    "state_dict",
    "model_state_dict",
    "model",
    "net",
    "network",
    "weights",
    "params",
    "model_state",
    "module",
)
FORGOTTEN = (
    "lightning_fabric.utilities.data.AttributeDict",
    "pytorch_lightning.utilities.parsing.AttributeDict",
)
"""Settings that Lightning keeps beside weights: read as plain dictionaries, and not used."""
NOT_LEARNED = ("running_mean", "running_var", COUNTER)
LAYER_NAME = re.compile(r"[A-Za-z0-9_.\-]{1,200}")
SYSTEM_MODULES = {"os", "posix", "nt", "subprocess", "sys", "builtins", "runpy", "shutil", "socket", "pty"}
DAMPING = 1e-3
LONGEST_NAME = 80
State = dict[str, "torch.Tensor"]


def read(request: Request) -> Found:
    """The model in the file."""
    path, safetensors = Path(request["path"]), request["door"] == "safetensors"
    if safetensors and safetensors_metadata(path).get("format") in FORMATS:
        return open_our_own(path, request["n_classes"])
    found: tuple[Any, list[str]] = read_safetensors(path) if safetensors else read_state_dict(path)
    tensors, checks = found  # numpy's from safetensors, else torch's
    check_names(tensors)
    mine, left = of_the_network(tensors)
    named: Any
    named, prefix = without_shared_prefix(mine)
    checks += left + ([f"The prefix '{prefix}' of every layer's name was taken off."] if prefix else [])
    layers = dense_arrays(named, request["max_tensors"], request["max_elements"])
    checks.append(f"All {len(layers)} layers are plain tables of finite decimal numbers.")
    layers = dict(layers) | counters(layers)
    request = {**request, "architecture": request["architecture"] or recognise(layers, request)}
    named = renamed(request["architecture"], layers, prefix)
    layers, prefix = named.layers, named.prefix
    classifier, n_outputs, how = assemble(layers, request)
    checks += [*named.checks, how]
    return Found(classifier, n_outputs, shapes(layers), learned(layers), checks, stripped_prefix=prefix)


def shapes(layers: dict[str, Array]) -> dict[str, tuple[int, ...]]:
    """The shape of each layer."""
    return {name: tuple(array.shape) for name, array in layers.items()}


def learned(layers: dict[str, Array]) -> int:
    """How many numbers were learned."""
    return sum(array.size for name, array in layers.items() if not name.endswith(NOT_LEARNED))


def open_our_own(path: Path, n_classes: int) -> Found:
    """A classifier that FMD Studio wrote."""
    classifier = load_classifier(path)
    found = classifier.head.n_classes
    if n_classes not in (0, found):
        raise Refused(
            f"The model tells {found} classes apart, but the target has {n_classes}; "
            "open a model that was trained for this target.",
            "",
        )
    name = "".join(letter for letter in classifier.name if letter.isprintable())[:LONGEST_NAME]
    classifier = replace(
        classifier, name=name, trained_on="", recipe=None
    )  # which a file from elsewhere could claim
    head = {f"head.{name}": array for name, array in classifier.head.arrays.items()}
    layers = {**classifier.encoder_state, **head}
    told = "FMD Studio wrote this file; its architecture and normalisation are in it."
    return Found(classifier, found, shapes(layers), learned(layers), [told], is_ours=True)


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
            stand_ins: list[Any] = [(dict, name) for name in FORGOTTEN]
            with torch.serialization.safe_globals(stand_ins):
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


def check_names(tensors: State) -> None:
    """Refuse names that no layer has."""
    for name in tensors:
        if not (isinstance(name, str) and LAYER_NAME.fullmatch(name)):
            raise Refused(
                "A layer's name is not made of letters, digits and dots; save the state dict again."
            )


def counters(layers: dict[str, Array]) -> dict[str, Array]:
    """The counters of batches that PyTorch before 0.4.1 did not write."""
    means = [key.replace("running_mean", COUNTER) for key in layers if key.endswith(".running_mean")]
    return {name: np.zeros((), "int64") for name in means if name not in layers}


def recognise(layers: dict[str, Array], request: Request) -> str:
    """The network that the layers belong to. Refused where it is none of our list."""
    refuse_other_libraries(layers)
    found = recognised(layers, kind=request["kind"])
    if found:
        return found
    known = ", ".join(one.title for one in ARCHITECTURES.values())
    raise Refused(
        f"These are the weights of a network that is not known here ({known} are); export the model to ONNX, which "
        "says what its layers do.", "onnx",
    )  # fmt: skip


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


def assemble(layers: dict[str, Array], request: Request) -> tuple[Classifier, int, str]:
    """The classifier that the layers make, its file's number of outputs, and how those were read."""
    name = request["architecture"]
    n_inputs = request["n_inputs"] or width_of(name, layers)
    try:
        encoder, weight, bias = split_state(name, layers, n_inputs)
    except ModelError as error:
        refuse_other_libraries(layers)
        refuse_grayscale(layers, build_encoder(name, n_inputs))
        other = recognised(layers)
        if other and other != name:
            advice = f"They are those of {ARCHITECTURES[other].title}: choose that network."
            raise Refused(str(error).replace("Choose another architecture.", advice), "") from None
        raise Refused(str(error), "onnx") from None
    head, how = make_head(weight, bias, request["n_classes"] or max(2, len(weight)), request["output"])
    in_order = dict(sorted(encoder.items()))
    preprocess = Preprocess(request["normalisation"], request["size"], **request["preparation"])
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
