"""The model that `fmd audit` and `fmd debias` ask: a file's, the one that comes with a demo, or one trained here."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from fmd_core.commands.audit_data import AuditData
from fmd_core.commands.common import say
from fmd_core.data import AttributeDataset
from fmd_core.errors import DataError

if TYPE_CHECKING:
    from fmd_core.models.classifier import Classifier
    from fmd_core.models.feature_store import FeatureStore


def open_model(data: AuditData, file: Path | None, seed: int) -> Classifier:
    """The model in `file`; without one the demo's, else one that is trained as on the Model page. Raises DataError
    where there is no such file, and what opening or training raises."""
    if file is not None:
        from fmd_core.models.files import load_classifier

        if not file.is_file():
            raise DataError(f"There is no model file '{file}'.")
        # What a file claims of its training nobody can check, so no other model is trained by it.
        return replace(load_classifier(file), trained_on="", recipe=None)
    if data.has_model:
        from fmd_core.models.shelf import load_demo_classifier

        say("The model is the one that comes with this data set.")
        return load_demo_classifier(data.has_model)
    return _train(data.dataset, seed)


def _train(dataset: AttributeDataset, seed: int) -> Classifier:
    from fmd_core.models.training import suggested_architecture, train_classifier

    return train_classifier(dataset, architecture=suggested_architecture(dataset), seed=seed)


def store_for(dataset: AttributeDataset) -> FeatureStore | None:
    """Features of pictures are kept on disk, where the dashboard finds them too; a table's are made faster."""
    from fmd_core.models.feature_store import FeatureStore

    return FeatureStore() if dataset.source.kind == "image" else None
