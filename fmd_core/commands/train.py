"""`fmd train`: train as the Model page does, and keep the model for the dashboard."""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from fmd_core.commands.common import (
    add_json,
    add_threads,
    check_place,
    for_people,
    positive_int,
    progress_line,
    write_document,
)
from fmd_core.data import AttributeDataset
from fmd_core.datasets.families import load_dataset
from fmd_core.errors import DataError
from fmd_core.measure.bias_functions import predictions
from fmd_core.models.classifier import Classifier
from fmd_core.models.encoding import extract_features
from fmd_core.models.feature_store import FeatureStore
from fmd_core.models.files import save_classifier
from fmd_core.models.shelf import keep_model
from fmd_core.models.training import suggested_architecture, train_classifier

SCHEMA = "fmd-train-1"
EXAMPLE = """example:
  fmd train "celeba?target=Smiling&protected=Male" --epochs 5 --out smiling.safetensors
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What to train on, with which network, and where the model goes."""
    parser.description, parser.epilog = __doc__, EXAMPLE
    parser.add_argument(
        "reference", metavar="DATA", help='such as adult or "celeba?target=Smiling&protected=Male"'
    )
    parser.add_argument("--option", action="append", default=[], metavar="KEY=VALUE", help="of the data set")
    parser.add_argument("--architecture", help="network; the default suits the data")
    parser.add_argument(
        "--epochs", type=positive_int, help="passes over the training samples; the default takes minutes"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--name", help="what the dashboard calls the model")
    parser.add_argument("--out", type=Path, metavar="FILE", help="also write the model here (.safetensors)")
    add_json(parser, SCHEMA)
    add_threads(parser)
    parser.set_defaults(stopped="Stopped; nothing was kept.")


def run(arguments: argparse.Namespace) -> int:
    """Train, measure on validation people, keep."""
    begun = time.monotonic()
    dataset = load_dataset(arguments.reference, **_options(arguments.option))
    check_place(arguments.out)
    check_place(arguments.json)
    architecture = arguments.architecture or suggested_architecture(dataset)
    with progress_line() as line:
        trained = train_classifier(
            dataset,
            architecture=architecture,
            epochs=arguments.epochs,
            seed=arguments.seed,
            progress=line.show,
        )
    trained = replace(trained, name=arguments.name or f"{architecture}, seed {arguments.seed}")
    accuracy, n = _accuracy(trained, dataset)
    people = for_people(arguments.json)
    print(f"Validation accuracy: {100 * accuracy:.1f} % of {n:,}.", file=people)
    model_id = _kept(dataset, trained, arguments.out)
    print(f"Kept for the dashboard as '{trained.name}' ({model_id}).", file=people)
    if arguments.out is not None:
        print(f"Written to {arguments.out}.", file=people)
    if arguments.json is not None:
        content = {
            "data": arguments.reference,
            "dataset": {"name": dataset.name, "fingerprint": dataset.fingerprint},
            "architecture": architecture,
            "seed": arguments.seed,
            "accuracy": {"split": "validation", "value": accuracy, "n": n},
            "model": {"id": model_id, "name": trained.name, "fingerprint": trained.fingerprint},
            "out": None if arguments.out is None else str(arguments.out),
            "seconds": round(time.monotonic() - begun, 1),
        }
        write_document(SCHEMA, content, arguments.json)
    return 0


def _accuracy(classifier: Classifier, dataset: AttributeDataset) -> tuple[float, int]:
    """Share of validation people whom the model is right about, and how many they are."""
    people = extract_features(classifier, dataset, split="validation", store=FeatureStore())
    right = predictions(classifier.head, people.features) == people.labels
    return float(right.mean()), len(people)


def _kept(dataset: AttributeDataset, classifier: Classifier, out: Path | None) -> str:
    """The model's id on the shelf; also written to `out`."""
    try:
        model_id = keep_model(dataset, classifier)
        if out is not None:
            save_classifier(classifier, out)
    except OSError as error:
        raise DataError(f"The model cannot be saved: {error.strerror}.") from error
    return model_id


def _options(pairs: Sequence[str]) -> dict[str, str]:
    wrong = [pair for pair in pairs if "=" not in pair]
    if wrong:
        raise DataError(f"An option is written as key=value, got '{wrong[0]}'.")
    return {key: value for key, _, value in (pair.partition("=") for pair in pairs)}
