"""What a model loses where a part of a sample is covered: needs its answers alone, so that it serves every encoder.

Of a picture, square patches slide over it, each covered by the average training picture (Zeiler and Fergus 2014, as
captum does it); of a record, each column in turn is given its most usual value.
"""

from __future__ import annotations

from typing import Any, cast

import numpy as np
from scipy.special import logsumexp

from fmd_core.data import Array, AttributeDataset, frozen_array
from fmd_core.kinds import find_kind
from fmd_core.models.classifier import Classifier
from fmd_core.models.encoding import read_inputs

ACROSS = 12  # patches beside each other, half covering the next
AT_ONCE = 64  # covered pictures that the model answers together
TYPICAL_ROWS = 2_000  # training rows that say what is usual


def log_odds(classifier: Classifier, inputs: Array, target: int) -> Array:
    """Log-odds of class `target`, nats, (m,)."""
    logits = classifier.head.logits(classifier.encode([inputs]).astype("float64"))
    others = [k for k in range(logits.shape[1]) if k != target]
    return np.asarray(logits[:, target] - logsumexp(logits[:, others], axis=1))


def occlude_picture(classifier: Classifier, picture: Array, usual: Array, target: int) -> tuple[Array, float]:
    """How many nats of log-odds are lost where a spot is covered, (height, width) on average over the patches that
    cover it, and the log-odds uncovered. `picture` and `usual` are (height, width, 3)."""
    import torch
    from captum.attr import Occlusion

    height, width = picture.shape[:2]
    stride = max(1, min(height, width) // ACROSS)

    def answers(inputs: torch.Tensor) -> torch.Tensor:
        batch = np.rint(inputs.permute(0, 2, 3, 1).numpy()).clip(0, 255).astype("uint8")
        return torch.from_numpy(log_odds(classifier, batch, target))

    def as_tensor(image: Array) -> torch.Tensor:
        return torch.from_numpy(image.astype("float32")).permute(2, 0, 1)[None]

    with torch.no_grad():
        found = Occlusion(answers).attribute(
            as_tensor(picture), sliding_window_shapes=(3, 2 * stride, 2 * stride), strides=(3, stride, stride),
            baselines=as_tensor(usual), perturbations_per_eval=AT_ONCE,
        )  # fmt: skip
    lost = found[0, 0].double().numpy()  # the same for each colour
    return frozen_array(lost), float(log_odds(classifier, picture[None].astype("uint8"), target)[0])


def occlude_record(
    classifier: Classifier, dataset: AttributeDataset, record: Array, target: int
) -> tuple[Array, tuple[str, ...], float]:
    """How many nats of log-odds are lost where a column gets its most usual training value, (n_columns,), the columns'
    names, and the log-odds as it is. `record` is one row as `read_inputs` gives it."""
    rows = dataset.rows("train")[:TYPICAL_ROWS]
    train = read_inputs(classifier, dataset, rows)
    if hasattr(record, "columns"):
        names, covered = _covered_frame(record, train)
    else:
        names, covered = _covered_rows(dataset, np.asarray(record), np.asarray(train))
    found = log_odds(classifier, covered, target)
    return frozen_array(found[0] - found[1:]), names, float(found[0])


def _covered_frame(record: Any, train: Any) -> tuple[tuple[str, ...], Array]:  # noqa: ANN401 - frames of pandas
    import pandas as pd

    names = tuple(str(name) for name in record.columns)
    covered = pd.concat([record] * (len(names) + 1), ignore_index=True)
    for place, name in enumerate(names, start=1):
        column = train[name]
        is_number = pd.api.types.is_numeric_dtype(column)
        usual = column.median() if is_number else next(iter(column.mode()), None)
        covered.loc[place, name] = usual
    return names, cast(Array, covered)


def _covered_rows(dataset: AttributeDataset, record: Array, train: Array) -> tuple[tuple[str, ...], Array]:
    """By the inputs of one column together, which are given their mean."""
    width = record.shape[1]
    places, names = find_kind(dataset.source.kind).parts(np.arange(width), dataset.source)
    del places
    columns = [c for c in getattr(dataset.source, "columns", ()) if c.input_names]
    widths = [len(c.input_names) for c in columns] or [1] * width
    ends = np.cumsum(widths)
    covered, usual = np.repeat(record, len(names) + 1, axis=0), train.mean(axis=0)
    for place, (end, n) in enumerate(zip(ends, widths, strict=True), start=1):
        covered[place, end - n : end] = usual[end - n : end]
    return names, covered
