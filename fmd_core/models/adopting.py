"""A model that was opened from a file, made ready for one data set: inputs, order of outputs, size of features.

The one place for every door: what a file cannot know of the data is settled here, and said.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from fmd_core.data import AttributeDataset, ignore_progress
from fmd_core.models import skops_file
from fmd_core.models.class_order import Outputs, Reason, checked, in_order, read_outputs
from fmd_core.models.classifier import Classifier
from fmd_core.models.encoding import check_fit, extract_features
from fmd_core.models.onnx_door.columns import fitted_to
from fmd_core.models.training import feature_scale, with_feature_scale

if TYPE_CHECKING:
    from fmd_core.models.feature_store import FeatureStore


@dataclass(frozen=True)
class Adopted:
    """A model ready to be reviewed, and what was settled, a sentence each."""

    classifier: Classifier
    notes: tuple[str, ...]


def adopt(
    classifier: Classifier,
    data: AttributeDataset,
    *,
    classes: Sequence[str] = (),
    is_ours: bool = False,
    store: FeatureStore | None = None,
    progress: Callable[[float], None] = ignore_progress,
) -> Adopted:
    """`classifier`, whose head is in the order of its own outputs, for the classes and columns of `data`.

    Parameters
    ----------
    classes
        What the file calls its outputs, in their order; () where it does not say.
    is_ours
        Whether FMD Studio wrote the file: its features are scaled already, and without `classes` its outputs are in
        the order of the classes that it was trained for.

    Raises
    ------
    ModelError
        For a model of another number of classes, other columns or another kind of data.
    """
    check_fit(classifier, data)
    fitted, notes = fitted_to(classifier, data)
    fitted, found = skops_file.fitted_to(fitted, data)
    notes = (*notes, *found)
    outputs = _outputs(fitted, data, tuple(classes), is_ours=is_ours)
    last = fitted.head.last
    head = fitted.head.with_last(in_order(last.weight, last.bias, outputs.meaning))
    ordered = replace(fitted, head=head, outputs=outputs)
    if ordered.feature_scale == 1:
        ordered = with_feature_scale(ordered, feature_scale(ordered, data))
    people = extract_features(ordered, data, split="validation", store=store, progress=progress)
    predicted = np.concatenate(
        [
            ordered.head.logits(people.features[i : i + 4096]).argmax(axis=1)
            for i in range(0, len(people), 4096)
        ]
    )
    return Adopted(replace(ordered, outputs=checked(outputs, people.labels, predicted)), notes)


def _outputs(
    classifier: Classifier, data: AttributeDataset, classes: tuple[str, ...], *, is_ours: bool
) -> Outputs:
    levels, known = data.target.levels, classifier.outputs
    if is_ours and known is not None and known.names:
        classes = known.names
    found = read_outputs(levels, classes)
    if is_ours and found.reason is not Reason.NAMED:
        return Outputs(tuple(range(len(levels))), Reason.OURS, classes)
    return found
