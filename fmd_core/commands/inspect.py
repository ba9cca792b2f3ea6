"""`fmd inspect`: what a model file is and what can be done with it, opened in the limited process."""

from __future__ import annotations

import argparse
import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fmd_core.commands.common import BAD_INPUT, add_json, check_place, for_people, say, write_document
from fmd_core.data import Array
from fmd_core.errors import DataError, ModelError
from fmd_core.kinds import find_kind
from fmd_core.text import split_names

if TYPE_CHECKING:
    from fmd_core.models.classifier import Classifier
    from fmd_core.models.intake.intake import Passport
    from fmd_core.models.intake.refusals import IntakeRefusal

SCHEMA = "fmd-passport-1"
MOST_BYTES = 1 << 30  # of inputs
ARRAY_FILE = re.compile(r"\.npy$", re.IGNORECASE)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `fmd inspect` is told."""
    parser.description = (
        "Say what a model file is and what can be done with it: ONNX, PyTorch weights, a Hugging Face folder or a zip "
        "of one, skops. It is opened in a process with limits on memory and time; no code in it is run. Exit status 3 "
        "where it cannot be opened."
    )
    parser.epilog = "example:\n  fmd inspect model.onnx --inputs pictures.npy --classes no,yes --json -\n"
    parser.add_argument("file", type=Path, metavar="FILE", help="the model's file or folder")
    parser.add_argument(
        "--inputs", type=Path, metavar="NPY",
        help="inputs to answer: pictures uint8 (n, height, width, 3), or rows of numbers (n, columns)",
    )  # fmt: skip
    parser.add_argument(
        "--classes",
        type=split_names,
        default=(),
        help="what its outputs mean, in their order, with commas between",
    )
    add_json(parser, SCHEMA)


def run(arguments: argparse.Namespace) -> int:
    """Open the file, describe it, and answer the inputs if there are any."""
    from fmd_core.models.files import load_classifier
    from fmd_core.models.intake.intake import IntakeRefusal, open_weights

    check_place(arguments.json)
    inputs = None if arguments.inputs is None else _inputs(arguments.inputs)
    say("Opening the file in a process of its own.")
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "model.safetensors"
        try:
            passport = open_weights(arguments.file, out=out)
        except IntakeRefusal as refusal:
            return _refused(refusal, arguments)
        classifier = load_classifier(out)
    document = _document(passport, classifier, arguments.classes)
    if inputs is not None:
        answers = classifier.head.probabilities(classifier.encode([inputs]).astype("float64"))
        document["probabilities"] = answers.tolist()
    _tell(document, arguments.json)
    if arguments.json:
        write_document(SCHEMA, document, arguments.json)
    return 0


def _inputs(path: Path) -> Array:
    """An array that holds numbers only. DataError for anything else."""
    import numpy as np

    if not ARRAY_FILE.search(path.name) or not path.is_file():
        raise DataError(f"There are no inputs '{path}'; give an array that numpy.save wrote (.npy).")
    try:
        array = np.load(path, allow_pickle=False, mmap_mode="r")
        if not isinstance(array, np.ndarray) or array.nbytes > MOST_BYTES or array.dtype.kind not in "uif":
            raise ValueError
    except (ValueError, OSError, EOFError) as error:
        raise DataError(f"'{path}' is no array of numbers of at most {MOST_BYTES >> 30} GiB.") from error
    pictures = array.ndim == 4 and array.shape[3] == 3 and array.dtype == np.uint8
    if not (pictures or array.ndim == 2) or not len(array):
        raise DataError(
            f"'{path}' holds {array.dtype} of the shape {array.shape}; give pictures uint8 (n, height, width, 3) or "
            "rows (n, columns)."
        )
    return np.ascontiguousarray(array) if pictures else np.ascontiguousarray(array, "float64")


def _document(passport: Passport, classifier: Classifier, named: tuple[str, ...]) -> dict[str, Any]:
    from fmd_core.models.intake.intake import ABILITIES

    n = classifier.head.n_classes
    if named and len(named) != n:
        raise ModelError(
            f"The model tells {n} classes apart, but {len(named)} were named: {', '.join(named)[:200]}."
        )
    kind = "" if passport.kind == "table" else f", {_prepared(classifier)}"
    return {
        "opened": True,
        "sentence": f"{passport.title}: {passport.n_parameters:,} numbers learned, {passport.n_features:,} features, "
        f"{n} classes{kind}.",
        "door": passport.door,
        "architecture": passport.architecture,
        "kind": passport.kind,
        "n_features": passport.n_features,
        "n_parameters": passport.n_parameters,
        "n_outputs": passport.n_outputs,
        "classes": list(named or passport.classes) or None,
        "preprocess": _preprocess(classifier) if passport.kind == "image" else None,
        "can": [{"name": name, "sentence": ABILITIES[name]} for name in passport.can],
        "checks": list(passport.checks),
        "digest": passport.sha256,
        "is_ours": passport.is_ours,
    }


def _preprocess(classifier: Classifier) -> dict[str, Any]:
    """How pictures are made ready."""
    used = classifier.preprocess
    mean, spread = used.colours
    return {"size": used.size, "mean": list(mean), "spread": list(spread)} | used.unusual


def _prepared(classifier: Classifier) -> str:
    kind = find_kind(classifier.kind)
    if not kind.is_prepared:
        return kind.plural
    size = classifier.preprocess.size
    return f"pictures of {size} pixels a side" if size else "pictures as they come"


def _refused(refusal: IntakeRefusal, arguments: argparse.Namespace) -> int:
    """Say why, with code for the owner, and exit as for any bad input."""
    import sys

    from fmd_core.models.intake.refusals import with_file

    code = with_file(refusal.converter, arguments.file.name)
    print(refusal, file=sys.stderr)
    if code:
        print(
            f"Run this where the model was made, then bring the file that it writes:\n\n{code}",
            file=sys.stderr,
        )
    if arguments.json:
        write_document(
            SCHEMA, {"opened": False, "sentence": str(refusal), "converter": code or None}, arguments.json
        )
    return BAD_INPUT


def _tell(document: dict[str, Any], place: str | None) -> None:
    """The same for people."""
    out = for_people(place)
    print(document["sentence"], file=out)
    if document["classes"]:
        print(f"Its outputs, in their order: {', '.join(document['classes'][:30])}.", file=out)
    for ability in document["can"]:
        print(f"- {ability['sentence']}", file=out)
    for check in document["checks"]:
        print(f"  {check}", file=out)
    for number, row in enumerate(document.get("probabilities", [])[:10]):
        print(f"input {number}: {', '.join(f'{value:.4f}' for value in row[:20])}", file=out)
