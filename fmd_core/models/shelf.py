"""Models that were trained or opened on this machine, kept by the task that they answer.

A model lies under `home_folder()/models/<task>/<id>.safetensors`; the task is a digest of what is
predicted from what, so that a model is offered for the same task on other data as well. What it was
trained on is said beside it: samples held out there may have taught it.
"""

from __future__ import annotations

import contextlib
import re
import time
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from fmd_core.data import AttributeDataset, content_fingerprint
from fmd_core.datasets.demos.bundled import read_verified
from fmd_core.datasets.families import FAMILIES, load_dataset, parse_reference, sample_folder
from fmd_core.datasets.table_encoding import TableSource
from fmd_core.errors import DataError, ModelError
from fmd_core.home import home_folder, room_needed
from fmd_core.models.class_order import Outputs, Reason
from fmd_core.models.classifier import Classifier
from fmd_core.models.files import (
    RECIPE,
    TAUGHT_BY,
    known_digest,
    known_recipe,
    load_classifier,
    read_description,
    save_classifier,
)
from fmd_core.models.known_texts import FEATURES, load_known_texts
from fmd_core.models.own_answers import Agreement
from fmd_core.models.taught import known_taught, together
from fmd_core.running.whole_files import written_whole
from fmd_core.text import short_name

_ID = re.compile(r"[0-9a-f]{32}")
_HALF_WRITTEN = re.compile(r".*\.part|\.tmp.*")  # ours; how safetensors names a file until it is whole
AGREEMENT = ".answers.json"
ABANDONED_SECONDS = 3600.0  # a model is written in seconds


@dataclass(frozen=True)
class Shelved:
    """A model on the shelf."""

    id: str
    name: str
    architecture: str
    trained_on: str = ""  # fingerprint of the data that it was trained on here, "" where that is not known
    kept: datetime | None = field(default=None, compare=False)
    """When it was put there, in UTC; what tells models of one name apart is no part of what they are."""


def keep_model(dataset: AttributeDataset, classifier: Classifier) -> str:
    """Put a model on the shelf, whole or not at all; returns its id, the start of its fingerprint."""
    folder, model_id = _task(dataset), _id_of(classifier)
    if classifier.outputs is None and len(dataset.target.levels) == classifier.head.n_classes:
        order = tuple(range(classifier.head.n_classes))
        classifier = replace(classifier, outputs=Outputs(order, Reason.OURS, dataset.target.levels))
    folder.mkdir(parents=True, exist_ok=True)
    _sweep()
    path = folder / f"{model_id}.safetensors"
    # the same weights may have been brought as a file after they were trained here
    classifier = _as_known(classifier, path)
    with room_needed(ModelError), written_whole(path) as part:  # two sessions may keep the same model
        save_classifier(classifier, part)
    return model_id


def _id_of(classifier: Classifier) -> str:
    """The start of its fingerprint; of a model whose order a reviewer has confirmed another one, for it is another
    answer about the same numbers."""
    said = classifier.outputs
    if said is None or not said.is_confirmed:
        return classifier.fingerprint[:32]
    return content_fingerprint(classifier.fingerprint, "order", *map(str, said.meaning))[:32]


def shelved_models(dataset: AttributeDataset) -> tuple[Shelved, ...]:
    """Models for the task of `dataset`, latest first, by their headers; damaged ones are left out."""
    files = sorted(_task(dataset).glob("*.safetensors"), key=lambda f: f.stat().st_mtime, reverse=True)
    found = []
    for path in files:
        if not _ID.fullmatch(path.stem):
            continue  # not ours, and `open_model` would refuse it
        try:
            told = read_description(path)
        except ModelError:
            continue
        trained_on = known_digest(told.get("trained_on", ""))
        kept = datetime.fromtimestamp(path.stat().st_mtime, UTC)
        found.append(Shelved(path.stem, told.get("name", ""), told["architecture"], trained_on, kept))
    return tuple(found)


def open_model(dataset: AttributeDataset, model_id: str) -> Classifier:
    """A model from the shelf by id. Raises ModelError where its numbers are not those that were kept under it."""
    found = load_classifier(_file(dataset, model_id))
    if model_id not in (found.fingerprint[:32], _id_of(found)):
        raise ModelError(
            f"The file of the model '{short_name(found.title)}' was changed since it was kept: its numbers are others. "
            "Put back the original file, or bring this one in under Model as a model of its own."
        )
    return found


def model_file(dataset: AttributeDataset, model_id: str) -> bytes:
    """The same as the file that it is kept in."""
    return _file(dataset, model_id).read_bytes()


def keep_agreement(dataset: AttributeDataset, model_id: str, found: Agreement) -> None:
    """Store beside a model how far its answers are from its owner's own; the last one counts."""
    path = _file(dataset, model_id).with_suffix(AGREEMENT)
    with room_needed(ModelError), written_whole(path) as part:
        part.write_bytes(msgspec.json.encode(found))


def agreement_of(dataset: AttributeDataset, model_id: str) -> Agreement | None:
    """What was stored; None where its owner's answers were never given."""
    try:
        return msgspec.json.decode(
            _file(dataset, model_id).with_suffix(AGREEMENT).read_bytes(), type=Agreement
        )
    except (FileNotFoundError, msgspec.MsgspecError):
        return None


def _file(dataset: AttributeDataset, model_id: str) -> Path:
    path = _task(dataset) / f"{model_id}.safetensors"
    if _ID.fullmatch(model_id) and path.is_file():
        return path
    raise ModelError("This model is not on this machine, or was made for another task; choose another.")


def _as_known(classifier: Classifier, path: Path) -> Classifier:
    """The model with what the file on the shelf, if there is one, says of its training."""
    try:
        told = read_description(path)
    except ModelError:
        return classifier
    taught_by = together(classifier.taught_by, known_taught(told.get(TAUGHT_BY, "")))
    classifier = replace(classifier, taught_by=taught_by)
    if classifier.trained_on:
        return classifier
    recipe = known_recipe(told.get(RECIPE, ""))
    return replace(classifier, trained_on=known_digest(told.get("trained_on", "")), recipe=recipe)


def _sweep() -> None:
    """Remove what a kill left half-written, of every task."""
    for path in _shelf().glob("*/*"):
        with contextlib.suppress(OSError):  # another process may remove it first
            if _HALF_WRITTEN.fullmatch(path.name) and time.time() - path.stat().st_mtime > ABANDONED_SECONDS:
                path.unlink()


def _shelf() -> Path:
    return home_folder() / "models"


def _task(dataset: AttributeDataset) -> Path:
    """The folder of what is predicted from what: for a table its inputs by name, since as many others mean
    something else."""
    source = dataset.source
    inputs = content_fingerprint(*source.input_names) if isinstance(source, TableSource) else ""
    digest = content_fingerprint(source.kind, inputs, dataset.target.name, *dataset.target.levels)
    return _shelf() / digest[:16]


MODEL = "model.safetensors"


def load_demo_classifier(name: str) -> Classifier:
    """The model that comes with a bundled data set, checked against its manifest.

    Raises DataError for an unknown data set, one without a model, or files that are missing or were changed.
    """
    family, _ = parse_reference(name)
    if not FAMILIES[family].has_model:
        raise DataError(f"No model ships with '{family}'; train one or open weights.")
    folder = sample_folder() / family
    read_verified(folder, MODEL)
    known = load_known_texts(folder) if (folder / FEATURES).is_file() else None
    return replace(load_classifier(folder / MODEL, known), trained_on=load_dataset(family).fingerprint)
