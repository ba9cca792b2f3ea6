"""Two problems for the core tests: a tiny one that takes milliseconds, and the bundled demo."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.linalg  # noqa: F401  loads scipy's BLAS before its threads are limited
from threadpoolctl import threadpool_limits

import fmd_core as fmd
from fmd_core.data import SPLITS, Array, content_fingerprint
from fmd_core.heads.fitting import ConvexProblem, fit_head


@pytest.fixture(scope="session", autouse=True)
def one_blas_thread() -> Iterator[None]:
    """Small products on a shared machine: with two threads they wait for each other (up to 100x)."""
    with threadpool_limits(1):
        yield


@dataclass(frozen=True, eq=False)
class Problem:
    """A data set, a model and everything that the steps of the method need."""

    dataset: fmd.AttributeDataset
    classifier: Any
    attribute: str

    @property
    def head(self) -> fmd.LinearHead:
        return self.classifier.head

    @property
    def damping(self) -> float:
        return self.classifier.damping

    @cached_property
    def study(self) -> fmd.Study:
        return fmd.Study(self.dataset, self.classifier, aim=self.attribute, influence_method="first-order")

    @cached_property
    def features(self) -> dict[str, fmd.FeatureSet]:
        return {s: self.study.features(s) for s in SPLITS}

    @cached_property
    def pairs(self) -> dict[str, fmd.CounterfactualPairs]:
        return {s: self.study.pairs(s, self.attribute) for s in SPLITS}

    def pairs_of(self, split: str, attribute: str = "", **options: Any) -> fmd.CounterfactualPairs:
        return fmd.pair_counterfactuals(
            self.dataset, self.classifier, split=split, attribute=attribute or self.attribute, **options
        )

    def bias(self, split: str) -> fmd.CounterfactualBias:
        return fmd.CounterfactualBias(self.pairs[split])

    @property
    def curvature(self) -> fmd.Curvature:
        return self.study.curvature()

    @property
    def scores(self) -> fmd.InfluenceScores:
        return self.study.scores()

    @cached_property
    def inputs(self) -> fmd.UnlearningInputs:
        """What any strategy needs."""
        return replace(self.study.inputs(strategy="paper-replace"), bias=self.bias("external"))

    @cached_property
    def guard(self) -> fmd.Guard:
        return replace(self.study.guard(), bias=self.bias("validation"), classes=())

    @property
    def path(self) -> fmd.UnlearningPath:
        return self.study.path()

    @property
    def comparison(self) -> fmd.Comparison:
        return self.study.comparison(self.path.suggested)

    def audit(self) -> fmd.BiasReport:
        return self.study.audit()


@dataclass(frozen=True, eq=False)
class TinySource:
    """Rows of numbers: three that tell the class, then the mark as one-hot columns."""

    signal: Array  # (n, 3)
    mark: Array  # (n,)
    kind: str = "table"

    @property
    def fingerprint(self) -> str:
        return content_fingerprint(self.signal, self.mark)

    def read(self, rows: Array) -> Array:
        return self.counterfactual(rows, "mark", self.mark[rows])

    def counterfactual(self, rows: Array, attribute: str, codes: Array) -> Array:
        mark = codes if attribute == "mark" else self.mark[rows]  # shade leaves no trace
        return np.column_stack([self.signal[rows], 1.5 * np.eye(3)[mark]])

    def display(self, row: int, attribute: str = "", code: int = 0) -> dict[str, str]:
        return {"row": str(row), attribute: str(code)}


@dataclass(frozen=True, eq=False)
class TinyClassifier:
    """Encodes a row as itself."""

    head: fmd.LinearHead
    damping: float
    kind: str = "table"
    preprocess: fmd.Preprocess = field(default_factory=fmd.Preprocess)
    encoder_fingerprint: str = "as it is"
    architecture: str = "none"
    fingerprint: str = "tiny"
    n_parameters: int = 18
    outputs: None = None
    taught_by: dict = field(default_factory=dict)

    @property
    def encoder(self) -> TinyClassifier:
        return self

    def encode(self, batches: Iterable[Array]) -> Array:
        return np.concatenate(list(batches))


TINY_SIZES = {"train": 200, "external": 90, "validation": 120, "test": 150}


def tiny_dataset(seed: int = 3) -> fmd.AttributeDataset:
    """Three classes, a mark that goes with the class for 95 % of training, a shade that does not."""
    rng, n = np.random.default_rng(seed), sum(TINY_SIZES.values())
    split = np.repeat(list(TINY_SIZES), list(TINY_SIZES.values()))
    label = rng.integers(0, 3, n)
    mark = rng.integers(0, 3, n)
    own = (split == "train") & (rng.random(n) < 0.95)
    mark[own] = label[own]
    signal = 1.2 * np.eye(3)[label] + rng.normal(0, 1, (n, 3))
    return fmd.AttributeDataset(
        "Tiny",
        fmd.Column("shape", label, ("round", "square", "star")),
        {
            "mark": fmd.Column("mark", mark, ("dot", "dash", "cross")),
            "shade": fmd.Column("shade", (rng.random(n) < 0.1).astype(int), ("common", "rare")),
        },
        split,
        TinySource(signal, mark),
    )


@pytest.fixture(scope="session")
def tiny() -> Problem:
    damping, dataset = 1e-3, tiny_dataset()
    blank = Problem(dataset, TinyClassifier(fmd.LinearHead(np.zeros((3, 6)), np.zeros(3)), damping), "mark")
    train = blank.features["train"]
    weights = np.full(len(train), 1 / len(train))
    head = fit_head(blank.head, ConvexProblem(train.features, train.labels, weights, damping))
    return Problem(dataset, replace(blank.classifier, head=head), "mark")


@pytest.fixture(scope="session")
def demo() -> Problem:
    import torch

    torch.set_num_threads(1)
    return Problem(
        fmd.load_dataset("colored_digits"), fmd.load_demo_classifier("colored_digits"), attribute="colour"
    )


@pytest.fixture(scope="session")
def hired() -> tuple[fmd.AttributeDataset, fmd.Classifier]:
    """A table where few women are hired, so few that those who choose take turns, and its model."""
    rng, n = np.random.default_rng(0), 900
    frame = pd.DataFrame({"sex": rng.choice(["f", "m"], n), "x": rng.normal(size=n)})
    frame["hired"] = np.where(frame.x + 2 * (frame.sex == "m") + rng.normal(size=n) > 1.5, "yes", "no")
    data = fmd.table(frame, target="hired", protected=["sex"])
    return data, fmd.train_classifier(data, architecture="mlp", epochs=1)
