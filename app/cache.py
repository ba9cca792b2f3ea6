"""Heavy results, computed once per content and shared by all visitors. The only user of
st.cache_resource; core values are frozen and their arrays read-only, so sharing is safe.

Each function takes small hashable keys and calls the one before it for its heavy input.
"""

from __future__ import annotations

import numpy as np
import streamlit as st

import fmd_core as fmd
from app.history import Recipe
from app.state import DATASET
from fmd_core import datasets
from fmd_core.data import Split
from fmd_core.imaging import png_data_uri
from fmd_core.influence import InfluenceMethod
from fmd_core.unlearning import StrategyName


@st.cache_resource(max_entries=4, show_spinner=False)
def dataset(name: str) -> fmd.AttributeDataset:
    """Rows, target, attributes and split."""
    return fmd.load_dataset(name)


@st.cache_resource(max_entries=4, show_spinner=False)
def classifier(name: str) -> fmd.Classifier:
    """The original model."""
    return datasets.load_demo_classifier(name)


@st.cache_resource(max_entries=16, show_spinner=False)
def features(name: str, split: Split) -> fmd.FeatureSet:
    """What the encoder makes of one split."""
    return fmd.extract_features(classifier(name), dataset(name), split=split)


@st.cache_resource(max_entries=32, show_spinner=False)
def pairs(name: str, split: Split, attribute: str) -> fmd.CounterfactualPairs:
    """The twins of one split."""
    return fmd.pair_counterfactuals(dataset(name), classifier(name), split=split, attribute=attribute)


@st.cache_resource(max_entries=4, show_spinner=False)
def curvature(name: str) -> fmd.Curvature:
    """Curvature of the training loss around the original head."""
    model = classifier(name)
    return fmd.fit_curvature(model.head, features(name, "train"), damping=model.damping)


@st.cache_resource(max_entries=8, show_spinner=False)
def scores(name: str, attribute: str) -> fmd.InfluenceScores:
    """Influence of every training sample on the bias of the original model."""
    head, external = classifier(name).head, pairs(name, "external", attribute)
    found = curvature(name)
    method: InfluenceMethod = "leave-one-out" if found.solver == "cholesky" else "first-order"
    return fmd.bias_influence(head, features(name, "train"), external, found, method=method)


def inputs(name: str, attribute: str) -> fmd.UnlearningInputs:
    """What decides the fix: training samples and external twins."""
    return fmd.UnlearningInputs(
        train=features(name, "train"),
        train_pairs=pairs(name, "train", attribute),
        external=pairs(name, "external", attribute),
        curvature=curvature(name),
        scores=scores(name, attribute),
    )


def guard(name: str, attribute: str, tolerance: float) -> fmd.Guard:
    """Who guards the fix: validation samples and twins."""
    return fmd.Guard(features(name, "validation"), pairs(name, "validation", attribute), tolerance)


@st.cache_resource(max_entries=32, show_spinner=False)
def solutions(name: str, attribute: str, strategy: StrategyName, k: int) -> tuple[fmd.UnlearningResult, ...]:
    """Every strength of one strategy, before anybody judges it."""
    return fmd.solve_path(classifier(name).head, inputs(name, attribute), strategy=strategy, k=k)


@st.cache_resource(max_entries=64, show_spinner=False)
def path(name: str, attribute: str, strategy: StrategyName, k: int, tolerance: float) -> fmd.UnlearningPath:
    """The guarded path of one strategy: another tolerance judges again, but solves nothing."""
    return fmd.judge_path(solutions(name, attribute, strategy, k), guard(name, attribute, tolerance))


def point(recipe: Recipe) -> fmd.PathPoint:
    """The point of its guarded path that a recipe names."""
    found = path(recipe.dataset, recipe.attribute, recipe.strategy, recipe.k, recipe.tolerance)
    wanted = (recipe.strength, recipe.blend)
    return next(p for p in (*found.points, *found.blends) if (p.result.strength, p.result.blend) == wanted)


def result(name: str, recipe: Recipe | None) -> fmd.UnlearningResult:
    """What a recipe makes; the original head for None."""
    return (
        fmd.UnlearningResult(classifier(name).head, "iterated", 0.0, 0)
        if recipe is None
        else point(recipe).result
    )


def head(name: str, recipe: Recipe | None) -> fmd.LinearHead:
    """The head in force: a recipe's, or the original one."""
    return result(name, recipe).head


def changeable(data: fmd.AttributeDataset) -> list[str]:
    """Attributes with more than one value: the others cannot be changed, so not be tested."""
    return [attribute.name for attribute in data.attributes.values() if len(attribute.levels) > 1]


@st.cache_resource(max_entries=32, show_spinner=False)
def audit(name: str, recipe: Recipe | None) -> fmd.BiasReport:
    """Every attribute's bias on held-out test people."""
    data = dataset(name)
    twins = [pairs(name, "test", attribute) for attribute in changeable(data)]
    return fmd.audit_bias(head(name, recipe), data, features(name, "test"), twins)


@st.cache_resource(max_entries=256, show_spinner=False)
def comparison(recipe: Recipe, attribute: str) -> fmd.Comparison:
    """Original against a recipe, by one attribute, on held-out test samples."""
    name = recipe.dataset
    test, twins = features(name, "test"), pairs(name, "test", attribute)
    return fmd.compare(classifier(name).head, head(name, recipe), dataset(name), test, twins)


@st.cache_resource(max_entries=8_192, show_spinner=False)
def thumbnail(name: str, row: int, attribute: str = "", code: int = 0) -> str:
    """A sample as a data URI, with `attribute` redrawn to `code` if one is named."""
    source, rows = dataset(name).source, np.array([row])
    image = source.counterfactual(rows, attribute, np.array([code])) if attribute else source.read(rows)
    return png_data_uri(image[0], scale=2)


def warm_findings() -> None:
    """Compute what the first pages of the bundled demo say."""
    audit(DATASET, None)


def warm_scores() -> None:
    """Compute what its later pages need."""
    for attribute in changeable(dataset(DATASET)):
        scores(DATASET, attribute)
        path(DATASET, attribute, "iterated", 0, 0.01)
