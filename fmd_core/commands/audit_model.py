"""The model that `fmd audit` and `fmd debias` ask: a file's, the one that comes with a demo, or one trained here."""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from fmd_core.commands.audit_data import AuditData
from fmd_core.commands.common import positive_int, say
from fmd_core.data import AttributeDataset
from fmd_core.errors import DataError, ModelError
from fmd_core.figures import with_capital

if TYPE_CHECKING:
    from fmd_core.models.classifier import Classifier
    from fmd_core.models.feature_store import FeatureStore
    from fmd_core.models.preprocess import Preprocess

HELP = (
    "a model file or folder: one of FMD Studio, ONNX, a Hugging Face folder, skops, or PyTorch weights with --arch; "
    "without it one is trained"
)
COLOURS = ("imagenet", "symmetric", "unit")
LAYOUTS = ("NCHW", "NHWC")


@dataclass(frozen=True)
class Brought:
    """A model file, and what its owner says of it that it does not say itself."""

    file: Path | None = None
    architecture: str = ""
    """The network that weights belong to; "": recognised by its layers."""
    colours: str = ""
    """How pictures are made ready, one of COLOURS."""
    size: int | None = None
    """Pixels a side; None: as the file or its network says."""
    layout: str = ""
    """Of an ONNX file whose shape does not say it, one of LAYOUTS."""
    output: int | None = None
    """Which of several yes-or-no outputs answers, counted from 0."""
    names_classes: bool = False
    """Whether the classes of the data were named in the model's order."""

    @classmethod
    def of(cls, arguments: argparse.Namespace) -> Brought:
        """What a command line says."""
        said = bool(getattr(arguments, "classes", ""))
        return cls(
            arguments.model, arguments.arch, arguments.colours, arguments.size, arguments.layout,
            arguments.output, said,
        )  # fmt: skip


def add_model_options(parser: argparse.ArgumentParser) -> None:
    """What is said of the file of `--model`."""
    parser.add_argument(
        "--arch",
        default="",
        metavar="NAME",
        help="the network that PyTorch weights belong to, such as resnet18",
    )
    parser.add_argument(
        "--colours",
        default="",
        choices=COLOURS,
        help="how pictures were made ready, where the file does not say it",
    )
    parser.add_argument(
        "--size",
        type=positive_int,
        metavar="PIXELS",
        help="a side of the pictures, where the file does not say it",
    )
    parser.add_argument(
        "--layout",
        default="",
        choices=LAYOUTS,
        help="where the channels lie, where an ONNX file does not say it",
    )
    parser.add_argument(
        "--output",
        type=int,
        metavar="N",
        help="which output, from 0, means the second class, where it has several",
    )


def open_model(data: AuditData, brought: Brought, seed: int) -> Classifier:
    """The model in a file; without one the demo's, else one that is trained as on the Model page. Raises DataError
    where there is no such file, and what opening or training raises."""
    if brought.file is not None:
        if not brought.file.exists():
            raise DataError(f"There is no model file '{brought.file}'.")
        # What a file claims of its training nobody can check, so no other model is trained by it.
        return replace(_opened(data.dataset, brought.file, brought), trained_on="", recipe=None)
    if data.has_model:
        from fmd_core.models.shelf import load_demo_classifier

        say("The model is the one that comes with this data set.")
        return load_demo_classifier(data.has_model)
    return _train(data.dataset, seed)


def _opened(data: AttributeDataset, file: Path, brought: Brought) -> Classifier:
    """A model that FMD Studio wrote, or one that is opened in the limited process, as on the Model page."""
    from fmd_core.models.files import load_classifier, read_description

    try:
        read_description(file)
    except ModelError:
        return _adopted(data, file, brought)
    return load_classifier(file)


def _adopted(data: AttributeDataset, file: Path, brought: Brought) -> Classifier:
    from fmd_core.kinds import find_kind
    from fmd_core.models.adopting import adopt
    from fmd_core.models.class_order import reordered
    from fmd_core.models.files import load_classifier
    from fmd_core.models.intake.intake import open_weights
    from fmd_core.text import short_name

    kind, n_classes = data.source.kind, len(data.target.levels)
    preparation = _preparation(file, brought) if find_kind(kind).is_prepared else None
    rows = data.source.read(data.rows("train")[:1])
    n_inputs = int(rows.shape[1]) if kind == "table" else 0
    say("Opening the file in a process of its own.")
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "model.safetensors"
        passport = open_weights(
            file, architecture=brought.architecture, kind=kind, n_classes=n_classes, n_inputs=n_inputs,
            preparation=preparation, layout=brought.layout, output=brought.output, out=out,
        )  # fmt: skip
        opened = load_classifier(out)
    adopted = adopt(opened, data, classes=passport.classes, is_ours=passport.is_ours, store=store_for(data))
    for note in adopted.notes:
        say(note)
    model = replace(adopted.classifier, name=short_name(file.name))
    return reordered(model, range(n_classes)) if brought.names_classes else model


def _preparation(file: Path, brought: Brought) -> Preprocess | None:
    """How pictures are made ready as the owner says; None where the file says it. DataError where nobody does: another
    guess makes another model."""
    from fmd_core.models.architectures import find_architecture
    from fmd_core.models.intake.file_doors import find_door, inspect_file
    from fmd_core.models.preprocess import Preprocess

    door = find_door(inspect_file(file)[0])
    if not brought.colours:
        if door.name == "hugging_face" and brought.size is None:
            return None
        raise DataError(
            f"{with_capital(door.title)} does not say how pictures were made ready in its training; say "
            f"it with --colours {', '.join(COLOURS[:-1])} or {COLOURS[-1]}, and --size where that matters."
        )
    size = brought.size
    if size is None and door.asks_architecture and brought.architecture:
        size = find_architecture(brought.architecture).size
    return Preprocess(brought.colours, size)


def _train(dataset: AttributeDataset, seed: int) -> Classifier:
    from fmd_core.models.training import suggested_architecture, train_classifier

    return train_classifier(dataset, architecture=suggested_architecture(dataset), seed=seed)


def store_for(dataset: AttributeDataset) -> FeatureStore | None:
    """Features of pictures are kept on disk, where the dashboard finds them too; a table's are made faster."""
    from fmd_core.models.feature_store import FeatureStore

    return FeatureStore() if dataset.source.kind == "image" else None
