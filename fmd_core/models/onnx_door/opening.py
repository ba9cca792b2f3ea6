"""An ONNX file to a classifier, in the limited process that opens files; and its head back to a whole file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import msgspec
import numpy as np

from fmd_core.data import Array
from fmd_core.errors import ModelError
from fmd_core.heads.linear import LinearHead
from fmd_core.heads.protocol import Head
from fmd_core.models.classifier import Classifier
from fmd_core.models.door import TOLERANCE
from fmd_core.models.intake.found import Found, Refused, Request
from fmd_core.models.intake.state_dicts import make_head
from fmd_core.models.onnx_door.encoder import Feed, Layout, OnnxEncoder, Spec, onnx_encoder
from fmd_core.models.onnx_door.session import runner_of
from fmd_core.models.preprocess import Preprocess
from fmd_core.models.taught import known_taught

DAMPING = 1e-3
USUAL_SIDE = 224  # of pictures, where the file reads any size and nobody said one
LINKS = {
    "scores": "scores, to which the softmax (or sigmoid) is applied here",
    "softmax": "probabilities of a softmax", "log-softmax": "the logarithms of a softmax",
    "sigmoid": "probabilities of a sigmoid",
}  # fmt: skip


def read(request: Request) -> Found:
    """The classifier that an ONNX file holds. Raises Refused or ModelError, in a sentence."""
    data = Path(request["path"]).read_bytes()
    runner = runner_of(data)
    told, (weight, bias) = runner.description, runner.head
    feeds = told["inputs"]
    is_picture = len(feeds) == 1 and len(feeds[0]["shape"]) == 3
    spec = _spec(told, weight, request["output"], is_picture=is_picture)
    preprocess = Preprocess()
    if is_picture:
        layout, preprocess = _pictures(feeds[0], request)
        spec = msgspec.structs.replace(spec, layout=layout)
    elif any(len(one["shape"]) > 1 for one in feeds):
        raise Refused(_unreadable(feeds), "")
    head, how = _head(weight, bias, told, request)
    encoder = OnnxEncoder(data, spec, preprocess)
    taught_by = known_taught(told["taught_by"])
    classifier = Classifier(
        spec.title, {}, head, DAMPING, preprocess, own_encoder=encoder, taught_by=taught_by
    )
    checks = [
        f"{told['n_nodes']:,} steps of ONNX (version {told['opset']} of its operators), none of which repeats itself "
        "or reads another file.",
        f"Its last layer ({told['layer']}) gives out {LINKS[told['link']]}. {how}",
    ]
    if told["quantised"]:
        checks.append(
            "Warning: parts of the network are quantised to 8 bits. It is reviewed as it is; a changed last layer is "
            "written in 32 bits."
        )
    trial = _trial(spec, preprocess, request["n_inputs"])
    checks.append(_same_answers(encoder, trial))
    layers = {str(name): tuple(int(side) for side in shape) for name, shape in told["tables"]}
    return Found(
        classifier, len(weight), layers, int(told["n_parameters"]), checks, tuple(told["classes"]),
        trial=trial,
    )  # fmt: skip


def _spec(told: Mapping[str, Any], weight: Array, output: int | None, *, is_picture: bool) -> Spec:
    feeds = tuple(
        Feed(
            one["name"], one["type"],
            () if is_picture or _is_matrix(told["inputs"]) else (one["name"],),
            flat=not one["shape"], known=tuple(told["words"].get(one["name"], ())),
        )
        for one in told["inputs"]
    )  # fmt: skip
    producer = told["producer"]
    title = f"ONNX network{f' from {producer}' if producer else ''}"
    kind = "image" if is_picture else "table"
    return Spec(
        kind, title, int(weight.shape[1]), int(told["n_parameters"]), len(weight), feeds,
        width=_width(told["inputs"]), output=output, names=tuple(told["classes"]),
    )  # fmt: skip


def _width(feeds: Sequence[Mapping[str, Any]]) -> int:
    return int(feeds[0]["shape"][0]) if _is_matrix(feeds) and len(feeds[0]["shape"]) == 1 else 0


def _is_matrix(feeds: Sequence[Mapping[str, Any]]) -> bool:
    """Whether one input reads all columns together, as numbers."""
    return len(feeds) == 1 and feeds[0]["type"] != "str" and feeds[0]["shape"] not in ([], [1])


def _unreadable(feeds: Sequence[Mapping[str, Any]]) -> str:
    named = ", ".join(f"'{one['name'][:40]}' {one['shape']}" for one in feeds[:6])
    return (
        f"The network reads {len(feeds)} input{'s' * (len(feeds) != 1)} ({named}); here it must be one picture "
        "(channels, height, width), or columns of a table. Text is not read by this door: bring its folder of Hugging "
        "Face, or its answers in a column."
    )


def _pictures(feed: Mapping[str, Any], request: Request) -> tuple[Layout, Preprocess]:
    """Layout and preparation by the declared shape, where that says them, else as the owner did."""
    shape: list[int] = feed["shape"]
    said = request["layout"]
    first, last = shape[0] in (1, 3), shape[2] in (1, 3)
    layout: Layout = "NHWC" if said == "NHWC" or (not said and last and not first) else "NCHW"
    channels, height, width = shape if layout == "NCHW" else (shape[2], shape[0], shape[1])
    if channels not in (0, 1, 3):
        raise Refused(
            f"The network reads pictures of {channels} channels; grayscale (1) and colours (3) can be made ready.",
            "",
        )
    chosen = Preprocess(request["normalisation"], request["size"], **_fields(request["preparation"]))
    side = height or chosen.size or USUAL_SIDE
    wide = width or (chosen.width or side)
    preprocess = replace(
        chosen, size=side, width=None if wide == side else wide,
        grayscale=channels == 1 or (chosen.grayscale and channels == 0),
        scaled_to=None if chosen.scaled_to is None else max(chosen.scaled_to, side),
    )  # fmt: skip
    return layout, preprocess


def _fields(said: Mapping[str, Any]) -> dict[str, Any]:
    """Fields of a Preprocess that came as JSON."""
    return {name: tuple(value) if isinstance(value, list) else value for name, value in said.items()}


def _head(weight: Array, bias: Array, told: Mapping[str, Any], request: Request) -> tuple[LinearHead, str]:
    """A softmax head in the order of the file's outputs."""
    n_classes = request["n_classes"] or max(len(weight), 2)
    own = told["link"] == "sigmoid" and len(weight) > 1 and request["output"] is None
    if own:
        raise Refused(
            f"Each of its {len(weight)} outputs says yes or no for itself (sigmoid), so that they are no classes of "
            "one question; say which of them answers the target, 0 being the first.",
            "",
        )
    return make_head(weight, bias, n_classes, request["output"])


def _trial(spec: Spec, preprocess: Preprocess, n_inputs: int) -> Array:
    """Three inputs of noise: pictures, rows of numbers, or a frame with words that the file knows."""
    rng = np.random.default_rng(0)
    if spec.kind == "image":
        side = preprocess.size or USUAL_SIDE
        return rng.integers(0, 256, (3, side, preprocess.width or side, 3), "uint8")
    columns = [name for feed in spec.feeds for name in feed.columns]
    if not columns:
        return rng.normal(size=(3, spec.width or n_inputs or spec.n_features)).astype("float32")
    import pandas as pd

    made = {
        feed.columns[0]: rng.choice(feed.known or ("a", "b"), 3)
        if feed.type == "str"
        else np.abs(np.rint(rng.normal(0, 2, 3)))
        for feed in spec.feeds
    }
    return cast(Array, pd.DataFrame(made))


def _same_answers(encoder: OnnxEncoder, trial: Array) -> str:
    apart = encoder.difference(trial)
    if not apart <= TOLERANCE:
        raise Refused(
            "The file's own answers and those of its last layer on its features are not the same "
            f"(up to {apart:.2g} apart), so it cannot be taken apart.",
            "",
        )
    return f"Taken apart it answers as the whole file does, to {max(apart, 1e-9):.0e}."


def whole_file(classifier: Classifier, head: Head) -> bytes:
    """The ONNX file with `head`, a last layer for `classifier`'s features and the data's classes, in the place of its
    own. Raises ModelError for a model that came by another door, and for a head of more than one layer."""
    encoder = onnx_encoder(classifier)
    if encoder is None or classifier.outputs is None:
        raise ModelError(f"{classifier.title} did not come from an ONNX file, so there is none to write.")
    if not isinstance(head, LinearHead):
        raise ModelError("Only a changed last layer can be written into an ONNX file.")
    meaning = list(classifier.outputs.meaning)
    weight = head.weight.astype("float64")[meaning] * classifier.feature_scale
    bias = head.bias.astype("float64")[meaning]
    own_weight, own_bias = encoder.own_head()
    place = encoder.spec.output if len(own_weight) > 1 else 0
    if place is None:
        same = _is_same(weight, own_weight) and _is_same(bias, own_bias)
        return encoder.with_outputs(own_weight if same else weight, own_bias if same else bias)
    row, offset = weight[1] - weight[0], bias[1] - bias[0]
    new_weight, new_bias = np.array(own_weight), np.array(own_bias)
    if not (_is_same(row, own_weight[place]) and _is_same(offset, own_bias[place])):
        new_weight[place], new_bias[place] = row, offset
    return encoder.with_outputs(new_weight, new_bias)


def _is_same(one: Array, other: Array) -> bool:
    """Equal but for what scaling there and back rounds."""
    return bool(np.allclose(one, other, rtol=1e-12, atol=1e-15))


@dataclass(frozen=True)
class Described:
    """What a file says of itself before it is opened for any data."""

    is_picture: bool
    layout: Layout | None
    """Of pictures, where the shape says it; None where it has to be asked."""
    height: int | None
    width: int | None
    grayscale: bool | None
    inputs: tuple[str, ...]
    n_outputs: int
    is_several: bool
    """Whether each output says yes or no for itself."""
    names: tuple[str, ...]


def describe(data: bytes) -> Described:
    """A look at an ONNX file, in the limited process. Raises ModelError, in a sentence, for what is refused."""
    runner = runner_of(data)
    told, n = runner.description, len(runner.head[0])
    feeds = told["inputs"]
    names = tuple(str(one["name"]) for one in feeds)
    several = told["link"] == "sigmoid" and n > 1
    shape = feeds[0]["shape"]
    if len(feeds) != 1 or len(shape) != 3:
        return Described(False, None, None, None, None, names, n, several, tuple(told["classes"]))
    first, last = shape[0] in (1, 3), shape[2] in (1, 3)
    layout: Layout | None = None if first == last else "NCHW" if first else "NHWC"
    height, width = (shape[0], shape[1]) if layout == "NHWC" else (shape[1], shape[2])
    channels = shape[2] if layout == "NHWC" else shape[0] if layout else 0
    return Described(
        True, layout, height or None, width or None, None if channels == 0 else channels == 1, names, n, several,
        tuple(told["classes"]),
    )  # fmt: skip
