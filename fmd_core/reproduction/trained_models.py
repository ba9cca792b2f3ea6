"""Models that are trained for the published comparison, and found again by how they were trained."""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from fmd_core.data import AttributeDataset, content_fingerprint
from fmd_core.errors import ModelError
from fmd_core.home import home_folder
from fmd_core.models.classifier import Classifier
from fmd_core.models.shelf import keep_model, open_model
from fmd_core.models.training import TrainingStep, ignore_step, train_classifier
from fmd_core.running.whole_files import written_whole


@dataclass(frozen=True)
class Study:
    """A data set and how its models are trained."""

    reference: str
    architecture: str
    epochs: int
    tolerances: tuple[float, ...] = (0.01,)  # accuracy that the guard lets go, as a share


@dataclass(frozen=True)
class Trained:
    """A model of a study and how long its training took (when it was trained)."""

    classifier: Classifier
    seconds: float
    machine: str  # that it was trained on


def train_or_reuse(
    study: Study,
    dataset: AttributeDataset,
    seed: int,
    progress: Callable[[TrainingStep], None] = ignore_step,
) -> Trained:
    """The study's model for `seed`: from the model shelf when it was trained here before."""
    key = content_fingerprint(dataset.fingerprint, study.architecture, str(study.epochs), str(seed))
    note = home_folder() / "trained" / f"{key[:32]}.json"
    try:
        known = json.loads(note.read_text(encoding="utf-8"))
        return Trained(open_model(dataset, known["model"]), float(known["seconds"]), str(known["machine"]))
    except (OSError, ValueError, KeyError, TypeError, ModelError):
        pass  # not trained yet, or no longer there
    trained = _train(study, dataset, seed, progress)
    note.parent.mkdir(parents=True, exist_ok=True)
    model = keep_model(dataset, trained.classifier)
    told = json.dumps({"model": model, "seconds": trained.seconds, "machine": trained.machine})
    with written_whole(note) as part:
        part.write_text(told, encoding="utf-8")
    return trained


def _train(
    study: Study, dataset: AttributeDataset, seed: int, progress: Callable[[TrainingStep], None]
) -> Trained:
    begun = time.perf_counter()
    found = train_classifier(
        dataset, architecture=study.architecture, epochs=study.epochs, seed=seed, progress=progress
    )
    name = f"{dataset.name}: {study.architecture}, {study.epochs} epochs, seed {seed}"
    return Trained(replace(found, name=name), time.perf_counter() - begun, this_machine())


def this_machine() -> str:
    """The machine in a few words."""
    return f"{platform.system()} {platform.machine()}, {os.cpu_count()} CPUs"
