"""`wrap`: a classifier of whatever somebody else has made. A kind of model is one door in `DOORS`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from fmd_core.data import Array, AttributeDataset, InputKind
from fmd_core.errors import ModelError
from fmd_core.heads.linear import LinearHead
from fmd_core.models import given_features, sklearn_encoder, torch_encoder
from fmd_core.models.classifier import Classifier
from fmd_core.models.door import TRIED, Asked, Door
from fmd_core.models.encoder import KnowsRows
from fmd_core.models.encoding import check_fit, read_inputs
from fmd_core.models.preprocess import AsTheyAre, Preprocess
from fmd_core.models.training import feature_scale, refit_head, with_feature_scale

DAMPING = 1e-3
"""Where a model's own weight decay is not known; suits features with a mean square of 1."""
LEAST_DAMPING = 1e-6
"""Below, curvature is too near to singular for scores; a weaker weight decay of the model's own counts as this."""
GivenHead = LinearHead | tuple[ArrayLike, ArrayLike] | str | None
DOORS: list[Door] = [torch_encoder.DOOR, sklearn_encoder.DOOR, given_features.ENCODER, given_features.MATRIX]
"""Tried in this order."""


def wrap(
    model: object,
    *,
    data: AttributeDataset | None = None,
    head: GivenHead = None,
    classes: Sequence[Any] | None = None,
    preprocess: Preprocess | None = None,
    kind: InputKind | None = None,
    damping: float | None = None,
    example: Array | None = None,
    name: str = "",
) -> Classifier:
    """A classifier of a model of your own, which is copied and never changed.

    Its probabilities are those of the model. With `data`, features are scaled to a mean square of 1 on training
    samples, which the damping is made for; give it whenever scores and unlearning come next.

    Parameters
    ----------
    model
        A torch module, whose last `nn.Linear` becomes the head; a fitted LogisticRegression, MLPClassifier or
        binary SGDClassifier(loss="log_loss") of scikit-learn, or a pipeline that ends in one, which is given the
        rows as the data set holds them; a matrix of features (n, d), a row for each sample of `data`; or an
        `Encoder`. A model with one output is read as the probability of the second class.
    data
        What it was trained for: its training samples are taken for the model's.
    head
        Of a torch module, the name of its last linear layer, where that is not the last one defined. Of features
        and encoders, weights (K, d) and bias (K,) in the order of `classes`, or a LinearHead; if None, one is
        fitted on the training samples of `data` with weight decay `damping`.
    classes
        Names of the classes in the model's order, where it does not know them; else the order of `data`.
    preprocess
        What happens to pictures before a torch module sees them; if None, it reads what the data set holds.
    kind
        What a torch module reads, where neither `data` nor `example` tells.
    damping
        Weight decay, in units of the mean loss and for features as scaled here. If None: the model's own, where
        a LogisticRegression or SGDClassifier knows it and `data` tells for how many samples, 1e-6 at least; else
        0.001. Biases count like weights, which scikit-learn leaves out.
    example
        A few inputs (m, ...), on which the answers are held against the model's at once; else that is done on
        samples of `data`, or on the first that come.
    name
        What it is called in reports.

    Raises
    ------
    ModelError
        For a model that cannot be taken apart into features and one linear layer, that answers otherwise than
        these two, or that does not fit `data`; says what to do.
    """
    given = None if example is None else np.asarray(example)
    opened = _door(model).open(model, Asked(data, head, preprocess, kind, given))
    encoder = opened.encoder
    last = opened.head or _given_head(head, encoder.n_features, data)
    order = _order(opened.classes if classes is None else classes, last.n_classes, data)
    last = LinearHead(last.weight[order], last.bias[order])
    ready = preprocess or getattr(encoder, "preprocess", None) or AsTheyAre()
    raw = Classifier(encoder.title, {}, last, damping or DAMPING, ready, name=name, own_encoder=encoder)
    if data is not None:
        check_fit(raw, data)
    _try(raw, data, given)
    if data is None:
        return _damped(raw, damping, None)
    scaled = with_feature_scale(raw, feature_scale(raw, data))
    if opened.head is None and head is None:
        return refit_head(_damped(scaled, damping, None), data)
    decay = opened.damping(len(data.rows("train")))
    return _damped(scaled, damping, decay and decay * scaled.feature_scale**2)


def _door(model: object) -> Door:
    found = next((door for door in DOORS if door.takes(model)), None)
    if found is None:
        known = "; ".join(door.title for door in DOORS)
        raise ModelError(f"A {type(model).__name__} cannot be wrapped. What can: {known}.")
    return found


def _damped(classifier: Classifier, asked: float | None, own: float | None) -> Classifier:
    damping = asked if asked is not None else max(own, LEAST_DAMPING) if own else DAMPING
    if not 0 < damping < np.inf:
        raise ModelError(f"damping must be a number above 0, got {damping}; 0.001 is a good start.")
    return replace(classifier, damping=damping)


def _given_head(head: GivenHead, n_features: int, data: AttributeDataset | None) -> LinearHead:
    """What was given as weights and bias; zeros, to be fitted, where nothing was."""
    if head is None and data is not None:
        n_classes = len(data.target.levels)
        return LinearHead(np.zeros((n_classes, n_features)), np.zeros(n_classes))
    try:
        found = head if isinstance(head, LinearHead) else _linear(head)
    except (TypeError, ValueError) as error:
        raise ModelError("head= is weights (classes, features) and one bias per class.") from error
    if found.n_features != n_features:
        raise ModelError(
            f"The head reads {found.n_features} features, but there are {n_features}; give those that belong together."
        )
    return found


def _linear(head: GivenHead) -> LinearHead:
    if not isinstance(head, tuple | list):
        raise TypeError
    weight, bias = head
    return LinearHead(np.asarray(weight, "float64"), np.asarray(bias, "float64"))


def _order(classes: Sequence[Any] | None, n_classes: int, data: AttributeDataset | None) -> list[int]:
    """Which of the model's classes each class of the data set is."""
    if classes is None or data is None:
        if classes is not None and len(classes) != n_classes:
            raise ModelError(f"The model tells {n_classes} classes apart, but {len(classes)} were named.")
        return list(range(n_classes))
    named, levels = [str(one) for one in classes], list(data.target.levels)
    if len(named) == n_classes and sorted(named) == sorted(levels):
        return [named.index(level) for level in levels]
    codes = all(isinstance(one, int | float | np.number | np.bool_) for one in classes)
    if codes and len(classes) == len(levels) and [float(one) for one in classes] == list(range(len(levels))):
        return list(range(n_classes))
    raise ModelError(
        f"The model's classes are {', '.join(named[:12])}, but those of '{data.target.name}' are "
        f"{', '.join(levels[:12])}; name the model's {n_classes} classes in its order by these words (classes=)."
    )


def _try(classifier: Classifier, data: AttributeDataset | None, example: Array | None) -> None:
    """Let the first inputs through, on which a model's own answers are held against ours."""
    if isinstance(classifier.encoder, KnowsRows):
        return
    if example is not None:
        classifier.encode([example])
    elif data is not None:
        classifier.encode([read_inputs(classifier, data, data.rows("train")[:TRIED])])
