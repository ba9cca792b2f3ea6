"""An ONNX graph without its last layer as an `Encoder`, and what of the data goes into which of its inputs."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Literal, cast

import msgspec
import numpy as np

from fmd_core.data import Array, InputKind, content_fingerprint, frozen_array
from fmd_core.errors import ModelError
from fmd_core.models.onnx_door.session import Runner, runner_of
from fmd_core.models.preprocess import AsTheyAre, Preprocess
from fmd_core.text import short_name

if TYPE_CHECKING:
    import pandas as pd

    from fmd_core.models.classifier import Classifier

Layout = Literal["NCHW", "NHWC"]
STORED_AS = "onnx"
FILE, SPEC = "onnx", "spec"
"""Names, in a file of ours, of the array that holds the ONNX file and of the text that says how it is read."""


class Feed(msgspec.Struct, frozen=True):
    """What goes into one input of the graph."""

    name: str
    type: str
    columns: tuple[str, ...] = ()
    """Columns of the table, in the input's order; () of pictures, and of all encoded inputs together."""
    flat: bool = False
    """Whether the input is a row of values (n,), not a table (n, w)."""
    known: tuple[str, ...] = ()
    """Words that the file compares the input with; () where it does not say."""
    words: dict[str, str] = {}
    """Of an input of words: what each of the data's values is called in the file, where it is called otherwise."""
    missing: str = ""
    """What stands for a missing word."""


class Spec(msgspec.Struct, frozen=True):
    """What has to be known of a graph to run it, beside its bytes."""

    kind: InputKind
    title: str
    n_features: int
    n_parameters: int
    n_outputs: int
    feeds: tuple[Feed, ...]
    layout: Layout = "NCHW"
    width: int = 0
    """Of one input for all columns: how many numbers it reads; 0 where the file does not say."""
    names: tuple[str, ...] = ()
    """The file's own names of its outputs."""
    output: int | None = None
    """The one output, or score, that says yes to the second class; None: an output for each class."""


@dataclass(frozen=True, eq=False)
class OnnxEncoder:
    """The graph in `data`, which runs in a limited process of its own."""

    data: bytes
    spec: Spec
    preprocess: Preprocess = field(default_factory=AsTheyAre)
    stored_as: ClassVar[str] = STORED_AS
    why_frozen: ClassVar[str] = (
        "An ONNX file gives answers and no gradients, so that only its last layer can be changed: to train more of it, "
        "bring the network itself, as a state dict or a folder of Hugging Face."
    )

    @property
    def kind(self) -> InputKind:
        return self.spec.kind

    @property
    def title(self) -> str:
        return self.spec.title

    @property
    def n_features(self) -> int:
        return self.spec.n_features

    @property
    def n_parameters(self) -> int:
        """Of the graph below its last layer."""
        return self.spec.n_parameters - self.spec.n_outputs * (self.spec.n_features + 1)

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns that it reads of a table; () where it reads all inputs as they are encoded."""
        return tuple(dict.fromkeys(name for feed in self.spec.feeds for name in feed.columns))

    @cached_property
    def _digest(self) -> str:
        return hashlib.sha256(self.data).hexdigest()

    @cached_property
    def fingerprint(self) -> str:
        settings = msgspec.json.encode(self.spec).decode()
        return content_fingerprint("onnx", self._digest, settings, self.preprocess.content)

    @property
    def _runner(self) -> Runner:
        return runner_of(self.data, self._digest)

    def encode_batches(self, batches: Iterable[Array]) -> Iterator[Array]:
        """Features (m, d) float32 of each batch: uint8 pictures (m, height, width, 3), a frame, or encoded rows."""
        for batch in batches:
            _, (features,) = self._runner.ask("features", self.inputs(batch))
            if not np.isfinite(features).all():
                raise ModelError(
                    "The network gave values that are not numbers (NaN or infinite); see whether the data miss values "
                    "that it needs."
                )
            yield frozen_array(features)

    def difference(self, batch: Array) -> float:
        """How far the file's own answers are from those of its last layer on these features: of a probability, or
        relative to the largest score. Infinite where they are of another shape."""
        said, _ = self._runner.ask("check", self.inputs(batch))
        return float(said["apart"])

    def inputs(self, batch: Array) -> list[Array]:
        """A batch as the graph's inputs, in their order."""
        if self.kind == "image":
            values = self.preprocess.prepared(batch)
            values = values if self.spec.layout == "NCHW" else values.transpose(0, 2, 3, 1)
            return [np.ascontiguousarray(np.rint(values) if self.spec.feeds[0].type == "uint8" else values)]
        if not self.columns:
            return [np.asarray(batch, "float32")]
        frame = self._framed(batch)
        return [_values(frame, feed) for feed in self.spec.feeds]

    def _framed(self, batch: Array) -> pd.DataFrame:
        if not hasattr(batch, "columns"):
            raise ModelError(
                f"The model reads the columns {', '.join(self.columns[:12])} by name, but was given rows without "
                "names; give it a table that has them."
            )
        return cast("pd.DataFrame", batch)

    def stored(self) -> tuple[dict[str, str], dict[str, Array]]:
        """What `restore` makes it of."""
        return {SPEC: msgspec.json.encode(self.spec).decode()}, {FILE: np.frombuffer(self.data, "uint8")}

    def with_outputs(self, weight: Array, bias: Array) -> bytes:
        """The ONNX file with another last layer: weights (n_outputs, d) and bias (n_outputs,) in its own order."""
        _, (data,) = self._runner.ask("export", [weight.astype("float64"), bias.astype("float64")])
        return bytes(data.tobytes())

    def own_head(self) -> tuple[Array, Array]:
        """Weight (n_outputs, d) and bias (n_outputs,) of the file's own last layer."""
        weight, bias = self._runner.head
        return weight, bias


def restore(settings: Mapping[str, str], arrays: Mapping[str, Array], preprocess: Preprocess) -> OnnxEncoder:
    """The encoder that a file of ours describes. Raises ModelError where it does not say how the graph is read; what
    the graph tries is looked at in the process that runs it."""
    try:
        spec = msgspec.json.decode(settings[SPEC], type=Spec)
        return OnnxEncoder(arrays[FILE].astype("uint8").tobytes(), spec, preprocess)
    except (KeyError, msgspec.MsgspecError) as error:
        raise ModelError(
            "The file does not say how its ONNX network is read; open the ONNX file again."
        ) from error


def onnx_encoder(classifier: Classifier) -> OnnxEncoder | None:
    """The classifier's encoder where it is an ONNX file."""
    return classifier.own_encoder if isinstance(classifier.own_encoder, OnnxEncoder) else None


def _values(frame: pd.DataFrame, feed: Feed) -> Array:
    """The columns of one input: numbers, NaN where missing, or words."""
    part = frame[list(feed.columns)]
    if feed.type == "str":
        found = np.array(
            [[_word(cell, feed) for cell in row] for row in part.to_numpy(dtype=object)], dtype="U"
        ).reshape(len(part), -1)
    else:
        found = _numbers(part, feed)
    return found[:, 0] if feed.flat else found


def _word(cell: Any, feed: Feed) -> str:  # noqa: ANN401 - whatever a cell holds
    if cell is None or cell != cell:
        return feed.missing
    return feed.words.get(str(cell), str(cell))


def _numbers(part: pd.DataFrame, feed: Feed) -> Array:
    try:
        return part.to_numpy("float64", na_value=np.nan)
    except (TypeError, ValueError) as error:
        raise ModelError(
            f"The input '{short_name(feed.name)}' reads numbers, but a column of {', '.join(feed.columns[:6])} holds "
            "words."
        ) from error
