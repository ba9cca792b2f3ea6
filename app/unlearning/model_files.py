"""A network that was trained on as one file, which opens here again."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import fmd_core as fmd
from app import cache
from app.record.review import Review
from app.record.variants import Retrained, Variant
from fmd_core.errors import ModelError
from fmd_core.models.depth import LAST_LAYER
from fmd_core.models.files import save_classifier
from fmd_core.models.mixture import mixed_network
from fmd_core.models.onnx_door.encoder import onnx_encoder
from fmd_core.models.onnx_door.opening import whole_file
from fmd_core.models.onnx_export import save_onnx
from fmd_core.models.shelf import model_file


def network_file(variant: Retrained) -> bytes:
    """The whole network; of a point on the way, original and repaired network mixed into one. Raises ModelError where
    `why_no_file` says why."""
    data = cache.dataset(variant.review)
    if variant.share == 1:
        return model_file(data, variant.review.beside)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "model.safetensors"
        save_classifier(_mixed(variant), path)
        return path.read_bytes()


def network_onnx(variant: Retrained) -> bytes:
    """The same as an ONNX graph, from prepared samples to logits."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        save_onnx(_mixed(variant), path)
        return path.read_bytes()


def onnx_file(review: Review, variant: Variant | None) -> bytes:
    """The ONNX file that a model came in, with the last layer in force in the place of its own; b"" of a model that
    came by another door, and of one that is open deeper than its last layer."""
    if (variant.review if variant else review).depth != LAST_LAYER:
        return b""
    model, head = cache.classifier(review), cache.head(review, variant)
    if onnx_encoder(model) is None or not isinstance(head, fmd.LinearHead):
        return b""
    return whole_file(model, head)


def why_no_file(variant: Retrained) -> str:
    """Why there is no file, in a sentence; '' where there is one."""
    try:
        if variant.share < 1:
            _mixed(variant)
    except ModelError as problem:
        return str(problem)
    return ""


def _mixed(variant: Retrained) -> fmd.Classifier:
    original, repaired = cache.both(variant.review)
    return mixed_network(original, repaired, variant.share)
