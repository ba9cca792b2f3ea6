"""What a study is about: data and a model, and a model changed."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

from fmd_core.data import AttributeDataset
from fmd_core.forget.erasure import Erased
from fmd_core.heads.protocol import Head
from fmd_core.models.classifier import Classifier
from fmd_core.models.deepening import deepened_to_scale
from fmd_core.unlearn.guarded_path import PathPoint
from fmd_core.unlearn.strategies import UnlearningResult

T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True, eq=False)
class Subject:
    """Data and a model under review, opened only when they are asked for."""

    key: Hashable
    """What results are kept by: small, and another one for other data or another model."""
    open_data: Callable[[], AttributeDataset]
    open_model: Callable[[], Classifier]
    original: Subject | None = None
    """The same model open at its last layer and nothing beside it; None: it is this one. Who is whose matched
    twin, and what is forgotten, is asked of that."""
    deeper: Callable[[str], Subject] | None = None
    """The same model open at the depth of that name; None where it cannot be opened at another."""

    @classmethod
    def given(cls, data: AttributeDataset, model: Classifier, original: Classifier | None = None) -> Subject:
        """Data and a model that are open already, known by their content."""
        whole = None if original is None or original is model else cls.given(data, original)
        key = data.fingerprint, model.fingerprint, model.damping

        def deeper(depth: str) -> Subject:
            return cls.given(data, deepened_to_scale(model, data, depth), model)

        return cls(key, lambda: data, lambda: model, whole, deeper if whole is None else None)


@dataclass(frozen=True, eq=False)
class Named(Generic[T_co]):
    """Something made of the model, by a small name that its results are kept by; it is made when it is needed."""

    name: Hashable
    make: Callable[[], T_co]


Change = Head | UnlearningResult | PathPoint | Erased | Named[Head]
"""Another head than the original's, however it is at hand."""


def named(change: Change | None, original: Callable[[], Head]) -> Named[Head]:
    """A change by its name, which is its content where it was given none; None is the original."""
    if isinstance(change, Named):
        return change
    if change is None:
        return Named(None, original)
    made = change.result if isinstance(change, PathPoint) else change
    head = made.head if isinstance(made, UnlearningResult | Erased) else made
    return Named(head.fingerprint, lambda: head)
