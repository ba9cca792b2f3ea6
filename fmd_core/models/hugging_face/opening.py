"""A folder to a classifier and its passport, in the limited process."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from fmd_core.data import Array
from fmd_core.errors import ModelError
from fmd_core.kinds import kind_names
from fmd_core.models.classifier import Classifier
from fmd_core.models.hugging_face import files, network, tokenizer
from fmd_core.models.hugging_face.config import TEXT, Described, read_config
from fmd_core.models.hugging_face.pictures import HuggingFaceEncoder
from fmd_core.models.hugging_face.preprocessing import read_preprocessor
from fmd_core.models.hugging_face.texts import HuggingFaceTextEncoder
from fmd_core.models.intake.found import Found, Refused, Request, refuse_other_kind
from fmd_core.models.intake.state_dicts import (
    DAMPING,
    dense_arrays,
    learned,
    make_head,
    read_safetensors,
    shapes,
)
from fmd_core.models.preprocess import AsTheyAre, Preprocess


def read(request: Request) -> Found:
    """The model in the folder."""
    path = Path(request["path"])
    with tempfile.TemporaryDirectory(dir=Path(request["out"]).parent) as folder:
        there = files.unpacked(path, Path(folder))
        described = read_config(files.read_json(there[files.CONFIG]))
        refuse_other_kind(described.family.kind, request)
        words = _words(there) if described.family.kind == TEXT else ""
        layers = _layers(there, request)
        told = (
            read_preprocessor(files.read_json(there[files.PICTURES]), described)
            if (files.PICTURES in there)
            else {}
        )
    return _found(described, layers, told, words, request)


def _layers(there: dict[str, Path], request: Request) -> dict[str, Array]:
    tensors, _ = read_safetensors(files.checked_weights(there[files.WEIGHTS]))
    counted = {name: tensor for name, tensor in tensors.items() if not name.endswith(network.COUNTERS)}
    return dense_arrays(counted, request["max_tensors"], request["max_elements"])


def _found(
    described: Described, layers: dict[str, Array], told: dict[str, Any], words: str, request: Request
) -> Found:
    below, weight, bias = network.with_last_layer(described, layers)
    n_classes = request["n_classes"] or max(2, len(weight))
    if described.is_multi_label and request["output"] is None and len(weight) > 1:
        raise Refused(
            f"Its {len(weight)} outputs answer a yes-or-no question each; say which of them, 0 to {len(weight) - 1}, "
            "answers the target.", ""
        )  # fmt: skip
    head, how = make_head(weight, bias, n_classes, request["output"])
    encoder: HuggingFaceEncoder | HuggingFaceTextEncoder
    preprocess: Preprocess
    if words:
        preprocess, ready = AsTheyAre(), "Its own tokenizer.json makes tokens of texts, 512 at most."
        encoder = HuggingFaceTextEncoder(described, below, weight.shape[1], words)
    else:
        preprocess, ready = _prepared(described, told, request)
        encoder = HuggingFaceEncoder(described, below, weight.shape[1], preprocess)
    checks = [
        "The weights can hold numbers only, no code.",
        f"config.json is read by a list of known words; it describes a {described.family.title}.",
        f"All {len(layers)} layers are plain tables of finite decimal numbers.", how, ready,
    ]  # fmt: skip
    if described.left:
        checks.append(f"Not used from config.json: {', '.join(key[:40] for key in described.left[:20])}.")
    classes = described.classes if len(described.classes) == len(weight) else ()
    if described.classes and not classes:
        raise ModelError(
            f"config.json names {len(described.classes)} classes, but the last layer has {len(weight)} outputs; bring "
            "files that were saved together."
        )
    return Found(
        Classifier(encoder.title, {}, head, DAMPING, preprocess, own_encoder=encoder),
        len(weight), shapes(layers), learned(layers), checks, classes=classes, preprocess=told,
    )  # fmt: skip


def _words(there: dict[str, Path]) -> str:
    """Its tokenizer.json, of a known make."""
    if TEXT not in kind_names():
        raise Refused("This model reads texts, which this version does not; open it in one that does.", "")
    if tokenizer.FILE not in there:
        raise Refused(
            f"A model for texts needs its {tokenizer.FILE}, which makes tokens of them; save it with the tokenizer's "
            "save_pretrained().", "hugging_face",
        )  # fmt: skip
    return tokenizer.check_words(there[tokenizer.FILE].read_bytes())


def _prepared(described: Described, told: dict[str, Any], request: Request) -> tuple[Preprocess, str]:
    """How pictures are made ready, and a sentence on who says so."""
    if request["size"] or request["preparation"]:
        said = Preprocess(request["normalisation"], request["size"], **request["preparation"])
        return said, "Size and colours of pictures are as you said."
    if told:
        return Preprocess(**told), "Size and colours of pictures are those of its preprocessor_config.json."
    usual = Preprocess(request["normalisation"], described.side)
    return usual, (
        "It has no preprocessor_config.json and nobody said how pictures are made ready; taken are "
        f"{usual.size} pixels a side and colours called '{usual.normalisation}'."
    )
