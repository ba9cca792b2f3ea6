"""What a reader of model files is asked and what it answers with, inside the limited process."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypedDict

from fmd_core.data import Array
from fmd_core.errors import ModelError
from fmd_core.models.classifier import Classifier
from fmd_core.models.intake.file_doors import other_kind


class Request(TypedDict):
    """What is known of a file before it is opened, and where its classifier goes; plain JSON."""

    path: str
    door: str
    """Name in `fmd_core.models.intake.file_doors.FILE_DOORS`."""
    out: str
    architecture: str
    """Name of a network of our list; "" to recognise it. Only state dicts have to be told."""
    kind: str
    """What the data hold, a name in `fmd_core.kinds`; "" where the file alone says it."""
    n_classes: int
    """Of the target; 0 where the file alone says it."""
    n_inputs: int
    """Columns of the table that it reads; 0 for pictures and where that is not known."""
    size: int | None
    normalisation: str
    preparation: dict[str, Any]
    """Further fields of `Preprocess` that the owner chose; {} where the file, or the usual way, says them."""
    layout: str
    """Of an ONNX file's pictures, where its shape does not say: "NCHW" or "NHWC"; "" by its shape."""
    output: int | None
    """The one output that answers a target of two classes."""
    max_tensors: int
    max_elements: int


@dataclass
class Found:
    """A model taken apart by a reader. The worker tries it out, writes it down and makes the passport of it."""

    classifier: Classifier
    """In the order of the model's own outputs, damping not yet fitted to the data."""
    n_outputs: int
    layers: Mapping[str, tuple[int, ...]]
    """Shape of each table of numbers by its name in the file."""
    n_parameters: int
    checks: list[str]
    """What was looked at and found to be in order, a sentence each."""
    classes: tuple[str, ...] = ()
    """What each output means, in the words of the file; () where it does not say."""
    preprocess: dict[str, Any] = field(default_factory=dict)
    """What the file says of how pictures are made ready; {} where it does not say."""
    stripped_prefix: str = ""
    is_ours: bool = False
    trial: Array | None = None
    """Three inputs to try it on; None: noise of the kind that it reads."""


class Refused(ModelError):
    """Why the file is not used, and the name of the converter that helps its owner."""

    def __init__(self, reason: str, converter: str = "model") -> None:
        super().__init__(reason)
        self.converter = converter


def refuse_other_kind(kind: str, request: Request) -> None:
    """Say at once where a model reads another kind of samples than the data hold."""
    if request["kind"] and kind != request["kind"]:
        raise Refused(other_kind(kind, request["kind"]), "")
