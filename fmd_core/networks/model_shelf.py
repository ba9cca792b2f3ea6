"""Models that were trained or opened on this machine, kept by the task that they answer.

A model lies under `home_folder()/models/<task>/<id>.safetensors`; the task is a digest of what is
predicted from what, so that a model is offered for the same task on other data as well.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import time
from dataclasses import dataclass
from pathlib import Path

from fmd_core.data import AttributeDataset, content_fingerprint
from fmd_core.errors import ModelError
from fmd_core.home import home_folder, room_needed
from fmd_core.models import Classifier, load_classifier, save_classifier

_ID = re.compile(r"[0-9a-f]{32}")
_HALF_WRITTEN = re.compile(r".*\.part|\.tmp.*")  # ours; how safetensors names a file until it is whole
ABANDONED_SECONDS = 3600.0  # a model is written in seconds


@dataclass(frozen=True)
class Shelved:
    """A model on the shelf."""

    id: str
    name: str
    architecture: str


def keep_model(dataset: AttributeDataset, classifier: Classifier) -> str:
    """Put a model on the shelf, whole or not at all; returns its id, the start of its fingerprint."""
    folder, model_id = _task(dataset), classifier.fingerprint[:32]
    folder.mkdir(parents=True, exist_ok=True)
    _sweep()
    part = folder / f"{model_id}.{secrets.token_hex(8)}.part"  # two sessions may keep the same model
    try:
        with room_needed(ModelError):
            save_classifier(classifier, part)
        os.replace(part, folder / f"{model_id}.safetensors")
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    return model_id


def shelved_models(dataset: AttributeDataset) -> tuple[Shelved, ...]:
    """Models for the task of `dataset`, latest first; damaged files are left out."""
    files = sorted(_task(dataset).glob("*.safetensors"), key=lambda f: f.stat().st_mtime, reverse=True)
    found = []
    for path in files:
        if not _ID.fullmatch(path.stem):
            continue  # not ours, and `open_model` would refuse it
        try:
            model = load_classifier(path)
        except ModelError:
            continue
        found.append(Shelved(path.stem, model.name, model.architecture))
    return tuple(found)


def open_model(dataset: AttributeDataset, model_id: str) -> Classifier:
    """A model from the shelf by id."""
    return load_classifier(_file(dataset, model_id))


def model_file(dataset: AttributeDataset, model_id: str) -> bytes:
    """The same as the file that it is kept in."""
    return _file(dataset, model_id).read_bytes()


def _file(dataset: AttributeDataset, model_id: str) -> Path:
    path = _task(dataset) / f"{model_id}.safetensors"
    if not _ID.fullmatch(model_id) or not path.is_file():
        raise ModelError("This model is not on this machine, or was made for another task; choose another.")
    return path


def _sweep() -> None:
    """Remove what a kill left half-written, of every task."""
    for path in _shelf().glob("*/*"):
        with contextlib.suppress(OSError):  # another process may remove it first
            if _HALF_WRITTEN.fullmatch(path.name) and time.time() - path.stat().st_mtime > ABANDONED_SECONDS:
                path.unlink()


def _shelf() -> Path:
    return home_folder() / "models"


def _task(dataset: AttributeDataset) -> Path:
    kind = dataset.source.kind
    inputs = str(dataset.source.read(dataset.rows("test")[:1]).shape[1]) if kind == "table" else ""
    digest = content_fingerprint(kind, inputs, dataset.target.name, *dataset.target.levels)
    return _shelf() / digest[:16]
