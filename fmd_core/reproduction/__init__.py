"""The published comparison by one command: train, debias in every way, measure, and write it down.

    python -m fmd_core reproduce

Orchestration only: what is measured stands in `fmd_core.reproduction.experiments`, how it reads in
`fmd_core.reproduction.markdown`.
"""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from fmd_core.data import AttributeDataset
from fmd_core.datasets.families import load_dataset
from fmd_core.errors import DataError
from fmd_core.models.feature_store import FeatureStore
from fmd_core.models.training import TrainingStep, ignore_step
from fmd_core.reproduction.experiments import Experiment
from fmd_core.reproduction.held_out import Row
from fmd_core.reproduction.markdown import page
from fmd_core.reproduction.results import Results, Table, aims, summarise
from fmd_core.reproduction.trained_models import Study, this_machine, train_or_reuse

ALIGNED = ("0.995", "0.99", "0.98", "0.95")
STUDIES: dict[str, tuple[Study, ...]] = {
    "colored_mnist": (
        *(Study(f"colored_mnist?aligned={share}", "small_cnn", 3) for share in ALIGNED),
        Study("colored_mnist?aligned=0.995", "face_cnn", 3),  # how much depends on the network
    ),
    "adult": (Study("adult", "mlp", 4),),
    "celeba": (Study("celeba", "face_cnn", 5, (0.01, 0.02)),),
    "colored_digits": (Study("colored_digits", "small_cnn", 20),),
}
DEFAULT_DATA = ("colored_mnist", "adult", "celeba")
PACKAGES = ("numpy", "scipy", "scikit-learn", "torch", "aif360")
JSON, MARKDOWN = "results.json", "results.md"


def reproduce(
    data: Sequence[str] = DEFAULT_DATA,
    *,
    seeds: int = 3,
    quick: bool = False,
    say: Callable[[str], None] = print,
    progress: Callable[[TrainingStep], None] = ignore_step,
) -> Results:
    """Run every study of the families `data`; `quick` is one seed, one epoch and one study for each.

    Models are reused when they were trained here before. Data sets that are not on this machine are
    skipped; raises DataError when none is left, or for a family without studies.
    """
    tables: list[Table] = []
    skipped: list[str] = []
    seeds = 1 if quick else seeds
    for study in _chosen(data, quick):
        try:
            dataset = load_dataset(study.reference)
        except DataError as error:
            skipped.append(f"{study.reference} was skipped: {error}")
            say(skipped[-1])
            continue
        tables += _tables(study, dataset, seeds, say, progress)
    if not tables:
        raise DataError(f"None of {', '.join(data)} is on this machine, so nothing was measured.")
    versions = {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}}
    date = datetime.now(UTC).strftime("%Y-%m-%d")
    return Results(
        _machine(), versions, date, seeds, quick, tuple(tables), tuple(aims(tables)), tuple(skipped)
    )


def write_results(results: Results, folder: Path) -> tuple[Path, Path]:
    """Write the page and the numbers behind it; the page is made of those numbers alone."""
    numbers, text = folder / JSON, folder / MARKDOWN
    content = asdict(results)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        numbers.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
        text.write_text(page(content), encoding="utf-8")
    except OSError as error:
        raise DataError(f"The results cannot be written to '{folder}': {error.strerror}.") from error
    return text, numbers


def _chosen(data: Sequence[str], quick: bool) -> list[Study]:
    studies: list[Study] = []
    for family in dict.fromkeys(data):
        if family not in STUDIES:
            raise DataError(f"There is no study of '{family}'. Choose from: {', '.join(STUDIES)}.")
        found = STUDIES[family]
        studies += [replace(found[0], epochs=1)] if quick else found
    return studies


def _tables(
    study: Study,
    dataset: AttributeDataset,
    seeds: int,
    say: Callable[[str], None],
    progress: Callable[[TrainingStep], None],
) -> list[Table]:
    """A table for every protected attribute."""
    store, rows = FeatureStore(), {name: list[Row]() for name in dataset.attributes}
    seconds, machines = [], dict[str, None]()
    for seed in range(seeds):
        say(f"{dataset.name}, seed {seed}: the model")
        trained = train_or_reuse(study, dataset, seed, progress)
        seconds.append(trained.seconds)
        machines[trained.machine] = None
        for name, found in rows.items():
            say(f"{dataset.name}, seed {seed}: {name}")
            work = Experiment(dataset, trained.classifier, name, study.tolerances, store)
            found += [replace(row, seed=seed) for row in work.rows()]
    return [
        Table(
            study.reference, dataset.name, dataset.target.name, name, study.architecture, study.epochs,
            tuple(seconds), " / ".join(machines), tuple(found), summarise(found),
        )
        for name, found in rows.items()
    ]  # fmt: skip


def _machine() -> str:
    busy = f", load {os.getloadavg()[0]:.1f} at the end" if hasattr(os, "getloadavg") else ""
    return f"{this_machine()}{busy}"
