"""Models in words: how a training goes, what is known of a weights file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from app.view_models.start import accuracy
from app.view_models.training import Asked
from fmd_core import AttributeDataset, Classifier, TrainingStep, figures
from fmd_core.datasets.own.sniffing import listed
from fmd_core.models.architectures import ARCHITECTURES, find_architecture
from fmd_core.models.intake.file_doors import find_door
from fmd_core.models.intake.intake import ABILITIES, Passport
from fmd_core.models.shelf import Shelved

NORMALISATION_TITLES = {
    "symmetric": "-1 to 1",
    "unit": "0 to 1",
    "imagenet": "ImageNet's mean and spread (torchvision)",
}
SCORES = {
    True: "as good as for a model trained here: its last layer was fitted to the end",
    False: "approximations: its last layer was not fitted to the end here, which the scores take for granted. "
    "Bias before and after is measured all the same.",
}


@dataclass(frozen=True)
class Made:
    """What a job that makes a model comes back with; a passport if the weights were brought."""

    data: str
    model: str
    passport: Passport | None = None


@dataclass(frozen=True)
class Refused:
    """Weights that are not used: why, and code for their owner to run, or nothing."""

    reason: str
    converter: str


@dataclass(frozen=True)
class ModelFor:
    """What a job is about that makes a model: the data, by their reference; of a training also what was asked, and
    how often the network was right about validation samples after each round, which grows."""

    data: str
    asked: Asked | None = None
    rounds: list[float] = field(default_factory=list, compare=False)


def fitting(data: AttributeDataset) -> list[str]:
    """Networks that read this kind of data."""
    return [name for name, found in ARCHITECTURES.items() if found.kind == data.source.kind]


def usual_normalisation(architecture: str) -> str:
    """How a network of this kind mostly expects its colours."""
    return "imagenet" if find_architecture(architecture).pretrained else "symmetric"


def shelved_name(model: Shelved) -> str:
    """A model on the shelf by name and by when it was kept: several may have one name."""
    name = model.name or "A model without a name"
    return name if model.kept is None else f"{name}, kept {figures.moment(model.kept.isoformat())}"


def caution(data: AttributeDataset, offered: Sequence[Shelved]) -> str:
    """A sentence on the models that may know the samples held out here; empty where none may."""
    strange = [
        model.name or "a model without a name" for model in offered if model.trained_on != data.fingerprint
    ]
    if not strange:
        return ""
    return (
        f"Not known to have been trained on exactly this data, so that {figures.many(data.unit)} held out here may "
        f"have taught the model: {listed(strange)}."
    )


def step_words(step: TrainingStep) -> str:
    """Where a training stands."""
    accuracy = "" if step.accuracy is None else f", right for {figures.percent(step.accuracy)} of validation"
    return f"Round {step.epoch + 1} of {step.epochs}, loss {step.loss:.3f}{accuracy}"


def fact_rows(data: AttributeDataset, model: Classifier, right: str) -> list[dict[str, str]]:
    """What is open, as a table, and how often it is `right`, '' while that is not known."""
    rows = {
        "Network": f"{model.title}, {model.n_parameters:,} numbers learned",
        "Last layer": f"from {model.head.n_features:,} features to {model.head.n_classes:,} answers",
        "Accuracy": right or accuracy(data, None, model),
        "Fingerprint": model.fingerprint[:16],
    }
    return [{"": name, "Model": value} for name, value in rows.items()]


def passport_rows(passport: Passport) -> list[dict[str, str]]:
    """A passport as a table."""
    last = f", the last from {passport.n_features:,} features to {passport.n_outputs:,} answers"
    kind = find_door(passport.format).title
    prefix = passport.stripped_prefix
    rows = {
        "File": f"{passport.file_name}, {kind} of {passport.n_bytes / 2**20:,.1f} MiB",
        "Network": f"{passport.title}, {passport.n_parameters:,} numbers learned",
        "Layers": f"{len(passport.layers)} tables of numbers{last}",
        "Names of the layers": f"all began with '{prefix}', which was taken off" if prefix else "as expected",
        "What can be done": "; ".join(ABILITIES[name] for name in passport.can),
        "Scores of who taught it": SCORES[passport.is_ours],
    }
    return [{"": name, "Passport": value} for name, value in rows.items()]
