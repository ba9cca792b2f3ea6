"""skops files of scikit-learn, opened in the limited process."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from fmd_core.models import skops_file
from fmd_core.models.classifier import Classifier
from fmd_core.models.intake.found import Found, Refused, Request, refuse_other_kind
from fmd_core.models.preprocess import AsTheyAre
from fmd_core.models.skops_file import SkopsEncoder

DAMPING = 1e-3
TREES = ("sklearn.ensemble.", "sklearn.tree.", "xgboost.", "lightgbm.", "catboost.")


def read(request: Request) -> Found:
    """The model in the file."""
    refuse_other_kind("table", request)
    try:
        opened = skops_file.opened(Path(request["path"]).read_bytes())
    except skops_file.ForeignTypeError as error:
        raise Refused(str(error), "answers" if error.name.startswith(TREES) else "sklearn") from None
    encoder, head = opened.encoder, opened.head
    assert isinstance(encoder, SkopsEncoder)
    assert head is not None
    classes = tuple(str(one) for one in opened.classes or ())
    if request["n_classes"] not in (0, head.n_classes):
        raise Refused(
            f"The model tells {head.n_classes} classes apart, but the target has {request['n_classes']}; "
            "open a model that was trained for this target.", "",
        )  # fmt: skip
    width = n_inputs(encoder)
    if not encoder.columns and request["n_inputs"] not in (0, width):
        raise Refused(
            f"The model reads rows of {width} numbers without names, but the data hold {request['n_inputs']}; fit it "
            "on a table with named columns, so that it finds its own.", "",
        )  # fmt: skip
    checks = [
        "Every class that the file names is on a short list of scikit-learn's own; no code of its owner's is in it.",
        f"Its answers are those of {encoder.title.removeprefix('scikit-learn: ')}.",
    ]
    if encoder.columns:
        checks.append(f"It reads {len(encoder.columns)} columns by their names.")
    classifier = Classifier(encoder.title, {}, head, DAMPING, AsTheyAre(), own_encoder=encoder)
    arrays = {f"layer {i}": weight for i, (weight, _) in enumerate(encoder.layers)} | {"last": head.weight}
    return Found(
        classifier, head.n_classes, {name: array.shape for name, array in arrays.items()},
        encoder.n_parameters + head.weight.size + head.bias.size, checks, classes, trial=trial_rows(encoder),
    )  # fmt: skip


def n_inputs(encoder: SkopsEncoder) -> int:
    """How many columns it was fitted on."""
    first = encoder.steps[0] if encoder.steps else None
    told = getattr(first, "n_features_in_", None)
    if told is None:
        told = encoder.layers[0][0].shape[1] if encoder.layers else encoder.n_features
    return int(told)


def trial_rows(encoder: SkopsEncoder) -> Any:  # noqa: ANN401  an array, or a frame where it knows columns by name
    """Three rows of noise, with words that the model knows in the columns that it reads as words."""
    rng, names = np.random.default_rng(0), encoder.columns
    rows: dict[Any, Any] = dict.fromkeys(names or range(n_inputs(encoder)))
    for key in rows:
        rows[key] = rng.normal(size=3)
    for step in encoder.steps:
        for column, values in _words(step, list(names)):
            if column in rows and len(values):
                rows[column] = np.array([values[i % len(values)] for i in range(3)])
    if names:
        import pandas as pd

        return pd.DataFrame(rows)
    columns = [np.asarray(values) for values in rows.values()]
    same = all(values.dtype.kind in "iuf" for values in columns)
    return np.column_stack([values.astype("float64" if same else "object") for values in columns])


def _words(step: Any, names: list[str]) -> list[tuple[Any, Any]]:  # noqa: ANN401  scikit-learn has no types
    """Columns, by name or place, with the values that the encoders of a step were fitted on."""
    found: list[tuple[Any, Any]] = []
    for _, part, columns in getattr(step, "transformers_", ()):
        listed = (
            [columns]
            if isinstance(columns, str | int)
            else list(columns)
            if not isinstance(columns, slice)
            else []
        )
        for inner in [part, *(one for _, one in getattr(part, "steps", ()))]:
            if hasattr(inner, "categories_") and len(inner.categories_) == len(listed):
                found += zip(listed, inner.categories_, strict=True)
    if hasattr(step, "categories_"):
        found += zip(names or range(len(step.categories_)), step.categories_, strict=False)
    return [(names[c] if isinstance(c, int | np.integer) and names else c, values) for c, values in found]
