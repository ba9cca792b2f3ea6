"""A classifier as an ONNX file, for programs that know neither FMD Studio nor torch.

One input `inputs`: what `preprocess.apply` makes of samples, float32, pictures (n, 3, side, side) or rows (n, columns).
One output `logits` (n, classes), in the order of the classes; softmax makes probabilities of them.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fmd_core.errors import ModelError
from fmd_core.heads.linear import LinearHead
from fmd_core.kinds import find_kind
from fmd_core.models.architectures import find_architecture
from fmd_core.models.classifier import Classifier
from fmd_core.models.taught import IN_ONNX, as_text

if TYPE_CHECKING:
    from torch import nn

SUFFIX = ".onnx"
OPSET = 17


def why_no_onnx(classifier: Classifier) -> str:
    """Why a classifier cannot be written as ONNX, in a sentence; '' where it can."""
    ours = classifier.own_encoder is None and isinstance(classifier.head, LinearHead)
    return "" if ours else f"{classifier.title} cannot be written as ONNX: only networks of our list can."


def save_onnx(classifier: Classifier, path: Path) -> None:
    """Write encoder and head as one ONNX graph. Raises ModelError where `why_no_onnx` says why."""
    import torch

    if why := why_no_onnx(classifier):
        raise ModelError(why)
    side = classifier.preprocess.size or find_architecture(classifier.architecture).size
    kind = find_kind(classifier.kind)
    width = kind.stored_width(classifier.encoder_state)
    one = kind.noise(np.random.default_rng(0), 1, width=width, side=side)
    inputs = classifier.preprocess.apply(one, classifier.kind)
    names = {"inputs": {0: "n"}, "logits": {0: "n"}}
    with warnings.catch_warnings():  # the exporter that replaces this one needs a library more
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.onnx.export(
            whole_network(classifier), (inputs,), str(path), dynamo=False, opset_version=OPSET,
            input_names=["inputs"], output_names=["logits"], dynamic_axes=names,
        )  # fmt: skip
    if classifier.taught_by:
        _say_who_taught(classifier, path)


def _say_who_taught(classifier: Classifier, path: Path) -> None:
    """Into the file's properties, where programs that do not know them leave them alone."""
    import onnx

    model = onnx.load(str(path))
    onnx.helper.set_model_props(model, {IN_ONNX: as_text(classifier.taught_by)})
    onnx.save(model, str(path))


def whole_network(classifier: Classifier) -> nn.Module:
    """Encoder and last layer in a row, from what `preprocess.apply` gives to logits."""
    import torch

    head = classifier.head.last.rescaled(1 / classifier.feature_scale)
    last = torch.nn.Linear(head.n_features, head.n_classes)
    last.load_state_dict(
        {name: torch.tensor(array, dtype=torch.float32) for name, array in head.arrays.items()}
    )
    return torch.nn.Sequential(classifier.as_module(), last).eval()
