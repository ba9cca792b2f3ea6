"""scikit-learn estimators: what lies below the last linear layer is the encoder. torch is not needed."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from scipy.special import expit

from fmd_core.data import Array, InputKind
from fmd_core.errors import ModelError
from fmd_core.heads.linear import LinearHead
from fmd_core.models.content import digest_of
from fmd_core.models.door import Asked, Door, FirstAnswers, Opened, binary_head

ADVICE = "wrap a LogisticRegression, an MLPClassifier or a binary SGDClassifier(loss='log_loss')."
Estimator = Any  # scikit-learn has no types
Table = Any  # an array, a frame or a sparse matrix
Layers = tuple[tuple[Array, Array], ...]
ACTIVATIONS: dict[str, Callable[[Array], Array]] = {
    "identity": lambda x: x,
    "relu": lambda x: np.maximum(x, 0),
    "tanh": np.tanh,
    "logistic": expit,
}


@dataclass(frozen=True, eq=False)
class SklearnEncoder:
    """Fitted transformers in a row, then the hidden layers of an MLPClassifier if there are any."""

    title: str
    steps: tuple[Estimator, ...]
    n_features: int
    columns: tuple[str, ...] = ()
    """Names of the inputs, where the estimator was fitted on a frame."""
    layers: tuple[tuple[Array, Array], ...] = ()
    """Weight (h, d) and bias (h,) of each hidden layer."""
    activation: str = "relu"
    beside: float = 0.0
    """Above 0: what the last layer reads is given out beside what it makes of it, the latter times this."""
    first: FirstAnswers | None = None

    @property
    def kind(self) -> InputKind:
        return "table"

    @cached_property
    def n_parameters(self) -> int:
        learned = [held for step in self.steps for name, held in vars(step).items() if name.endswith("_")]
        arrays = [held for held in learned if isinstance(held, np.ndarray)]
        return sum(array.size for array in [*arrays, *(part for layer in self.layers for part in layer)])

    @cached_property
    def fingerprint(self) -> str:
        return digest_of(self.steps, self.columns, self.layers, self.activation, self.beside)

    def encode_batches(self, batches: Iterable[Array]) -> Iterator[Array]:
        """Features (m, d) float32 of each batch of rows."""
        for batch in batches:
            features = self._encode(batch)
            if self.first is not None:
                self.first.check(batch, features)
            yield features.astype("float32")

    def _encode(self, batch: Array) -> Array:
        try:
            values = framed(batch, self.columns)
            for step in self.steps:
                values = step.transform(values)
            below = values = dense(values)
        except (ValueError, TypeError, KeyError) as error:
            problem = str(error).strip().splitlines() or [type(error).__name__]
            raise ModelError(
                f"The model cannot read rows of {batch.shape[1]} columns ({problem[0][:160]}); give it the columns "
                "that it was fitted on."
            ) from error
        for weight, bias in self.layers:
            below = values
            values = ACTIVATIONS[self.activation](below @ weight.T + bias)
        return np.concatenate([below, self.beside * values], axis=1) if self.beside else values

    def hidden_layer(self) -> tuple[Array, Array]:
        """The last hidden layer of an MLPClassifier with relu."""
        if not self.layers or self.activation != "relu":
            raise ModelError(
                f"{self.title} has no hidden layer with relu right below its last one, so that only the last layer "
                "can be unlearned."
            )
        return self.layers[-1]

    def below_hidden(self) -> SklearnEncoder:
        """Without the last hidden layer."""
        width = self.hidden_layer()[0].shape[1]
        return replace(self, layers=self.layers[:-1], n_features=width, first=None)

    def beside_hidden(self, factor: float) -> SklearnEncoder:
        """What the last hidden layer reads beside what it makes of it."""
        width = sum(self.hidden_layer()[0].shape)
        return replace(self, beside=factor, n_features=width, first=None)


def framed(batch: Array, columns: tuple[str, ...]) -> Table:
    """Rows as the estimator was fitted on them: a frame where it knows columns by name."""
    if not columns or batch.shape[1] != len(columns):
        return batch
    import pandas as pd  # whoever fitted on a frame has it

    return pd.DataFrame(batch, columns=list(columns))


def dense(values: Table) -> Array:
    """A table of numbers, from what a transformer gives."""
    return np.asarray(values.toarray() if hasattr(values, "toarray") else values, "float64")


def _takes(model: object) -> bool:
    base = sys.modules.get("sklearn.base")  # who has an estimator has imported it
    return base is not None and isinstance(model, base.BaseEstimator)


def _open(model: Estimator, asked: Asked) -> Opened:
    if asked.head is not None or asked.preprocess is not None or asked.kind == "image":
        raise ModelError(
            "A scikit-learn estimator knows its last layer and reads rows of a table: leave out head=, preprocess= "
            "and kind=."
        )
    found = getattr(model, "best_estimator_", model)  # of a search over settings
    whole: Estimator = deepcopy(found)  # fitting it again changes nothing
    steps, final = _steps(whole)
    _refuse_unfitted(final)
    head, layers, damping = _last_layer(final)
    columns = tuple(str(name) for name in getattr(whole, "feature_names_in_", ()))
    title = "scikit-learn: " + ", ".join(type(step).__name__ for step in (*steps, final))
    first = FirstAnswers(head, lambda batch: whole.predict_proba(framed(batch, columns)), ADVICE)
    activation = getattr(final, "activation", "relu")
    encoder = SklearnEncoder(title, steps, head.n_features, columns, layers, activation, first=first)
    return Opened(encoder, head, list(final.classes_), damping)


def _steps(whole: Estimator) -> tuple[tuple[Estimator, ...], Estimator]:
    """The transformers and the classifier at the end, of nested pipelines too."""
    from sklearn.pipeline import Pipeline

    if not isinstance(whole, Pipeline):
        return (), whole
    before, final = _steps(whole.steps[-1][1])
    own = tuple(step for _, step in whole.steps[:-1] if step is not None and step != "passthrough")
    return (*own, *before), final


def _refuse_unfitted(final: Estimator) -> None:
    from sklearn.exceptions import NotFittedError
    from sklearn.utils.validation import check_is_fitted

    try:
        check_is_fitted(final)
    except NotFittedError as error:
        raise ModelError(f"{type(final).__name__} is not fitted yet; fit it, then wrap it.") from error
    except TypeError as error:
        raise ModelError(f"{type(final).__name__} is no classifier; {ADVICE}") from error


Damping = Callable[[int], float | None]


def _last_layer(final: Estimator) -> tuple[LinearHead, Layers, Damping]:
    """Head, hidden layers and weight decay of a fitted classifier; ModelError for one without a linear last layer."""
    from sklearn.linear_model import LogisticRegression, SGDClassifier
    from sklearn.neural_network import MLPClassifier

    name = type(final).__name__
    if isinstance(final, LogisticRegression):
        return _linear_head(final.coef_, final.intercept_), (), lambda n: _of_logistic(final, n)
    if isinstance(final, SGDClassifier) and final.loss == "log_loss":
        if len(final.classes_) > 2:
            raise ModelError(
                f"{name} fits one class against the rest, which is no softmax; fit a LogisticRegression instead."
            )
        decay = 2 * final.alpha if final.penalty == "l2" else None
        return _linear_head(final.coef_, final.intercept_), (), lambda _: decay
    if isinstance(final, MLPClassifier):
        if final.n_outputs_ > 1 and final.out_activation_ != "softmax":
            raise ModelError(
                f"This {name} answers several questions at once; fit one for each, then wrap them."
            )
        weights, biases = final.coefs_, final.intercepts_
        layers = tuple((w.T, b) for w, b in zip(weights[:-1], biases[:-1], strict=True))
        return _linear_head(weights[-1].T, biases[-1]), layers, lambda _: None  # not trained to convergence
    if (
        hasattr(final, "decision_function")
        and not hasattr(final, "predict_proba")
        and hasattr(final, "coef_")
    ):
        raise ModelError(
            f"{name} gives scores and no probabilities, so there is no cross-entropy to take apart; fit a "
            "LogisticRegression on the same inputs, then wrap that."
        )
    raise ModelError(
        f"{name} has no last linear layer with a softmax, which is what is audited and unlearned; {ADVICE} Of a "
        "forest, wrap a pipeline of RandomTreesEmbedding and LogisticRegression, or fmd.wrap(features, data=...) with "
        "features of your own."
    )


def _linear_head(weight: Array, bias: Array) -> LinearHead:
    weight, bias = np.atleast_2d(weight), np.broadcast_to(np.ravel(bias), len(np.atleast_2d(weight)))
    return binary_head(weight[0], float(bias[0])) if len(weight) == 1 else LinearHead(weight, bias)


def _of_logistic(final: Estimator, n: int) -> float | None:
    """C times the summed loss + |w|^2/2 is, by sample, a decay of 1 / (C n); two classes share w as halves, whose
    contrast is w / sqrt 2, so that it counts twice."""
    inverse = float(np.ravel(getattr(final, "C_", final.C if hasattr(final, "C") else np.inf))[0])
    mixed = np.any(getattr(final, "l1_ratio_", getattr(final, "l1_ratio", 0)) or 0)
    if mixed or getattr(final, "penalty", "l2") not in ("l2", "deprecated") or not 0 < inverse < np.inf:
        return None
    return (2 if len(final.classes_) == 2 else 1) / (inverse * n)


DOOR = Door("a scikit-learn classifier", _takes, _open)
