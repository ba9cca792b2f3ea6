"""A classifier of texts: the sentence encoder as it is, and a head fitted on its features to convergence."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from fmd_core.data import AttributeDataset, FeatureSet, ignore_progress
from fmd_core.heads.linear import LinearHead
from fmd_core.models.classifier import Classifier
from fmd_core.models.encoding import extract_features, store_features
from fmd_core.models.preprocess import AsTheyAre
from fmd_core.models.sentence_encoder import fastest, sentence_encoder
from fmd_core.models.training import refit_head

if TYPE_CHECKING:
    from fmd_core.models.feature_store import FeatureStore

DAMPING = 5e-3  # 1e-3 to 2e-2 were tried on tweets and comments


def train_text_classifier(
    data: AttributeDataset,
    *,
    damping: float = DAMPING,
    store: FeatureStore | None = None,
    progress: Callable[[float], None] = ignore_progress,
) -> Classifier:
    """Fit a linear head on what the sentence encoder makes of the training texts; convex, so without a seed.

    `progress` is told the share that is done, and may raise to stop. Raises ModelError where the encoder is not
    installed, and for data that are no texts.
    """
    encoder, n_classes = sentence_encoder(fastest()), len(data.target.levels)
    empty = LinearHead(np.zeros((n_classes, encoder.n_features)), np.zeros(n_classes))
    raw = Classifier(encoder.title, {}, empty, damping, AsTheyAre(), own_encoder=encoder)
    found = extract_features(raw, data, split="train", store=store, progress=progress)
    scale = float(1 / np.sqrt(np.square(found.features, dtype="float64").mean()))
    scaled = replace(raw, feature_scale=scale)
    train = FeatureSet(found.features * np.float32(scale), found.labels, found.rows)
    if store is not None:  # or the review that follows would read every training text a second time
        store_features(scaled, data, found.rows, train.features, store)
    return replace(refit_head(scaled, data, train), trained_on=data.fingerprint)
