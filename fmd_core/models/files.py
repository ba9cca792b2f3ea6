"""Classifiers as safetensors files: saved whole, opened without running anything that they hold."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from importlib import import_module
from pathlib import Path

import msgspec
import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save, save_file

from fmd_core.data import Array, frozen_array
from fmd_core.errors import ModelError
from fmd_core.heads.linear import LinearHead
from fmd_core.heads.protocol import Head
from fmd_core.heads.two_layer import MLPHead
from fmd_core.models import sentence_encoder
from fmd_core.models.architectures import ARCHITECTURES, is_architecture
from fmd_core.models.class_order import Outputs
from fmd_core.models.classifier import Classifier, TrainingRecipe
from fmd_core.models.depth import DEPTHS, LAST_LAYER
from fmd_core.models.encoder import Encoder, Stored
from fmd_core.models.preprocess import Channels, Order, Preprocess, Resample, Resize
from fmd_core.models.taught import as_text, known_taught

FORMAT, RECIPE = "fmd-classifier-1", "recipe"
PREPARATION, OUTPUTS, TAUGHT_BY = "preparation", "outputs", "taught_by"
OWN_FORMAT = "fmd-classifier-2"
"""Of a classifier whose encoder is no network of our list; otherwise as the first."""
FORMATS = (FORMAT, OWN_FORMAT)
RESTORERS: dict[str, str] = {
    "onnx": "fmd_core.models.onnx_door.encoder",
    "hugging_face": "fmd_core.models.hugging_face.pictures",
    "hugging_face_text": "fmd_core.models.hugging_face.texts",
    "skops": "fmd_core.models.skops_file",
}
"""Module with `restore(settings, arrays, preprocess) -> Encoder`, by what `Stored.stored_as` calls it."""
SETTING = "encoder."  # begins the name of each of the encoder's settings in the header
MOST_EPOCHS = 1_000  # of a training that a file may ask for again
INSTALLED: dict[str, Callable[[], Encoder]] = {
    title: partial(sentence_encoder.sentence_encoder, title)
    for title in (sentence_encoder.NAME, sentence_encoder.HALF)
}
"""Encoders that are installed beside, by title: too large for every file, and the same for all."""
_DIGEST = re.compile(r"[0-9a-f]{64}")


def save_classifier(classifier: Classifier, path: Path) -> None:
    """Write encoder and head as safetensors.

    Of an encoder that is installed beside, the file says its name and holds the head alone. Raises ModelError for a
    model whose encoder is neither that, nor a network of our list, nor `Stored`: a file could not say how to make
    it again.
    """
    own = classifier.own_encoder
    if isinstance(own, Stored) and classifier.depth != LAST_LAYER:
        raise ModelError(
            f"{classifier.title} can be written to a file with its last layer alone changed, not open at another depth."
        )
    is_installed = own is not None and classifier.title in INSTALLED
    settings, arrays = ({}, classifier.encoder_state) if own is None or is_installed else _stored(own)
    tensors = {f"encoder.{name}": array for name, array in arrays.items()}
    tensors |= {f"head.{name}": array for name, array in classifier.head.arrays.items()}
    metadata = settings | {
        "format": FORMAT if own is None or is_installed else OWN_FORMAT,
        "architecture": classifier.title if is_installed else classifier.architecture,
        "damping": repr(classifier.damping),
        "normalisation": classifier.preprocess.normalisation,
        "size": str(classifier.preprocess.size or ""),
        "feature_scale": repr(classifier.feature_scale),
        "name": classifier.name,
        "depth": classifier.depth,
        "trained_on": classifier.trained_on,
    }
    if classifier.preprocess.unusual:
        metadata[PREPARATION] = json.dumps(classifier.preprocess.unusual)
    if classifier.outputs is not None:
        metadata[OUTPUTS] = msgspec.json.encode(classifier.outputs).decode()
    if classifier.recipe is not None:
        metadata[RECIPE] = json.dumps(asdict(classifier.recipe))
    if classifier.taught_by:
        metadata[TAUGHT_BY] = as_text(classifier.taught_by)
    # not ascontiguousarray: it makes a list of one out of a counter, and that is another fingerprint
    save_file({name: np.asarray(array, order="C") for name, array in tensors.items()}, path, metadata)
    path.chmod(0o644)  # safetensors writes for the owner alone, and an image is served by another user


def _stored(encoder: Encoder) -> tuple[dict[str, str], Mapping[str, Array]]:
    """Header lines and arrays of an encoder that is no network of our list."""
    if not isinstance(encoder, Stored):
        raise ModelError(
            f"{encoder.title} cannot be written as a file of FMD Studio: only networks of its own list can "
            f"({', '.join(ARCHITECTURES)}), and models that were opened from a file. Keep the model as you made it; "
            "its last layer can be saved by fmd_core.models.files.head_to_safetensors."
        )
    settings, arrays = encoder.stored()
    return {"door": encoder.stored_as} | {SETTING + name: text for name, text in settings.items()}, arrays


def load_classifier(path: Path, encoder: Encoder | None = None) -> Classifier:
    """Open a classifier written by `save_classifier`. Nothing in the file is ever executed.

    `encoder` takes the place of one that is installed beside. Raises ModelError for a file that is none or is damaged,
    and, with how to install it, where what is installed beside is missing.
    """
    with _opened(path) as file:
        metadata, depth = _description(file, path.name)
        tensors = {name: frozen_array(_plain(file.get_tensor(name))) for name in file.keys()}  # noqa: SIM118
    state = {name.removeprefix("encoder."): a for name, a in tensors.items() if name.startswith("encoder.")}
    installed = INSTALLED.get(metadata["architecture"])
    own = None if installed is None else encoder or installed()
    bad = [name for name, array in state.items() if not np.isfinite(array).all()]
    if bad:
        raise ModelError(
            f"Layer '{bad[0]}' of '{path.name}' holds values that are not numbers; restore the original."
        )
    preprocess = _preprocess(metadata)
    if metadata["format"] == OWN_FORMAT:
        own = _restored(metadata, state, preprocess)
    return Classifier(
        metadata["architecture"],
        {} if metadata["format"] == OWN_FORMAT else state,
        _head(tensors),
        _positive(metadata, "damping", path.name),
        preprocess,
        _positive({"feature_scale": "1.0"} | metadata, "feature_scale", path.name),
        metadata.get("name", ""),
        depth,
        known_digest(metadata.get("trained_on", "")),
        own_encoder=own,
        recipe=known_recipe(metadata.get(RECIPE, "")),
        outputs=known_outputs(metadata.get(OUTPUTS, ""), int(tensors["head.bias"].shape[0])),
        taught_by=known_taught(metadata.get(TAUGHT_BY, "")),
    )


def _plain(array: Array) -> Array:
    """Numbers that numpy has itself: another library of this process may bring more, and then a file would open or not
    by what else was imported."""
    if array.dtype.kind not in "biuf" or array.dtype.isbuiltin != 1:
        raise TypeError(f"numbers of the type {array.dtype}")
    return array


def _preprocess(metadata: Mapping[str, str]) -> Preprocess:
    """How inputs are made ready, as a file says. ModelError for what cannot be done."""
    named, size = metadata.get("normalisation", "symmetric"), _side(metadata.get("size", ""))
    try:
        more = msgspec.convert(json.loads(metadata.get(PREPARATION, "{}")), type=Unusual)
    except (ValueError, RecursionError) as error:
        raise ModelError(
            "The weights file does not say how its pictures are made ready; open it anew."
        ) from error
    return Preprocess(named, size, **{k: v for k, v in msgspec.structs.asdict(more).items() if v is not None})


class Unusual(msgspec.Struct, forbid_unknown_fields=True):
    """What a file may say of its preparation beside normalisation and size; None as by default."""

    resize: Resize | None = None
    scaled_to: int | None = None
    resample: Resample | None = None
    mean: Channels | None = None
    spread: Channels | None = None
    order: Order | None = None
    grayscale: bool | None = None
    white: float | None = None
    width: int | None = None


def known_outputs(text: str, n_classes: int) -> Outputs | None:
    """What a file says of the order of its classes, None for what is none."""
    try:
        found = msgspec.json.decode(text, type=Outputs)
    except msgspec.MsgspecError:
        return None
    is_order = sorted(found.meaning) == list(range(n_classes))
    other = found.better is None or sorted(found.better.meaning) == list(range(n_classes))
    return found if is_order and other else None


def _restored(metadata: dict[str, str], arrays: dict[str, Array], preprocess: Preprocess) -> Encoder:
    """The encoder that a file describes, by the module that wrote it, which believes nothing of it."""
    settings = {n.removeprefix(SETTING): text for n, text in metadata.items() if n.startswith(SETTING)}
    restored: Encoder = import_module(RESTORERS[metadata["door"]]).restore(settings, arrays, preprocess)
    return restored


def read_description(path: Path) -> dict[str, str]:
    """What `save_classifier` wrote beside the numbers, which stay unread: a list of models needs no more.

    Raises ModelError for a damaged header and for what FMD Studio did not write; numbers that are
    damaged are found by `load_classifier` alone.
    """
    with _opened(path) as file:
        return _description(file, path.name)[0]


@contextmanager
def _opened(path: Path) -> Iterator[safe_open]:
    """A safetensors file; what goes wrong with it is a ModelError."""
    try:
        with safe_open(path, framework="numpy") as file:
            yield file
    except FileNotFoundError as error:
        raise ModelError(
            f"The weights file '{path.name}' is missing; restore it and reload the page."
        ) from error
    except (SafetensorError, OSError, ValueError, TypeError, AttributeError) as error:  # odd number types too
        raise ModelError(
            f"The weights file '{path.name}' is damaged or not a safetensors file; restore the original."
        ) from error


def _description(file: safe_open, name: str) -> tuple[dict[str, str], str]:
    """Metadata and depth of a classifier's file, by its header alone."""
    metadata: dict[str, str] = file.metadata() or {}
    whole = {"head.weight", "head.bias"} <= set(file.keys()) and {
        "architecture",
        "damping",
    } <= metadata.keys()
    depth = metadata.get("depth", LAST_LAYER)
    told, named = metadata.get("format"), metadata.get("architecture", "")
    known = (
        is_architecture(named) or named in INSTALLED
        if told == FORMAT
        else metadata.get("door") in RESTORERS and depth == LAST_LAYER
    )
    if told not in FORMATS or not whole or not known or depth not in DEPTHS:
        raise ModelError(f"The weights file '{name}' was not written by FMD Studio, or has no head.")
    return metadata, depth


def known_digest(text: str) -> str:
    """The fingerprint that a file names, '' for what is none."""
    return text if _DIGEST.fullmatch(text) else ""


def known_recipe(text: str) -> TrainingRecipe | None:
    """The training that a file names, None for what is none or could not be done again."""
    try:
        found = msgspec.json.decode(text, type=TrainingRecipe)
    except msgspec.MsgspecError:
        return None
    return found if 1 <= found.epochs <= MOST_EPOCHS and 0 <= found.seed < 2**32 else None


def _head(tensors: dict[str, Array]) -> Head:
    last = LinearHead(tensors["head.weight"], tensors["head.bias"])
    if not {"head.hidden_weight", "head.hidden_bias"} <= tensors.keys():
        return last
    return MLPHead(tensors["head.hidden_weight"], tensors["head.hidden_bias"], last)


def _side(text: str) -> int | None:
    return int(text) if text.isdecimal() and len(text) < 5 else None


def _positive(metadata: dict[str, str], key: str, file: str) -> float:
    try:
        value = float(metadata[key])
    except ValueError:
        value = float("nan")
    if not 0 < value < float("inf"):
        raise ModelError(
            f"The weights file '{file}' names the {key.replace('_', ' ')} {metadata[key][:40]!r}, "
            "which is not a number above 0."
        )
    return value


def head_to_safetensors(head: Head, metadata: dict[str, str]) -> bytes:
    """The head alone as a safetensors file: `head.weight` (K, d), `head.bias` (K,), float64; with two
    layers also `head.hidden_weight` (h, d) and `head.hidden_bias` (h,)."""
    return save({f"head.{name}": array for name, array in head.arrays.items()}, metadata)
