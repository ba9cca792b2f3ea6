"""Models in words: how a training goes, what is known of a weights file."""

from __future__ import annotations

from dataclasses import replace

from fmd_core import AttributeDataset, Classifier, LinearHead, TrainingStep, wording
from fmd_core.intake import Passport
from fmd_core.training import feature_scale

NORMALISATION_TITLES = {
    "symmetric": "-1 to 1",
    "unit": "0 to 1",
    "imagenet": "ImageNet's mean and spread (torchvision)",
}


def suggested_architecture(data: AttributeDataset) -> str:
    """A network that trains in minutes on this data."""
    if data.source.kind == "table":
        return "mlp"
    return "small_cnn" if data.source.read(data.rows("train")[:1]).shape[1] < 48 else "face_cnn"


def suggested_epochs(data: AttributeDataset) -> int:
    """Rounds over the training part that take minutes at most."""
    if data.source.kind == "table":
        return 12
    return max(3, min(20, 60_000 // len(data.rows("train"))))


def step_words(step: TrainingStep) -> str:
    """Where a training stands."""
    accuracy = "" if step.accuracy is None else f", right for {wording.percent(step.accuracy)} of validation"
    return f"Round {step.epoch + 1} of {step.epochs}, loss {step.loss:.3f}{accuracy}"


def with_unit_features(model: Classifier, data: AttributeDataset) -> Classifier:
    """The same answers from features scaled to a mean square of 1, for which the damping is made."""
    scale = feature_scale(replace(model, feature_scale=1.0), data)
    ratio = scale / model.feature_scale
    head = LinearHead(model.head.weight / ratio, model.head.bias)
    return replace(model, head=head, feature_scale=scale)


def passport_rows(passport: Passport) -> list[dict[str, str]]:
    """A passport as a table."""
    rows = {
        "File": f"{passport.file_name}, {passport.n_bytes:,} bytes, {passport.format.replace('_', ' ')}",
        "Digest (sha256)": passport.sha256,
        "Network": f"{passport.architecture}, {passport.n_parameters:,} parameters",
        "Answers": str(passport.n_outputs),
        "Layers": f"{len(passport.layers)}, the last {passport.layers[-1][0]} {passport.layers[-1][1]}",
        "Prefix taken off": passport.stripped_prefix or "none",
    }
    return [{"": name, "Passport": value} for name, value in rows.items()]
