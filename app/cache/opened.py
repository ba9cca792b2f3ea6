"""What is under review, opened: data, model, features, twins and placebo, and the bias measured on them."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import fmd_core as fmd
from app.cache.bounded import kept
from app.cache.steps import Progress, Step
from app.record.review import BUNDLED, Aim, Review
from fmd_core import datasets
from fmd_core.bias_functions import joint
from fmd_core.counterfactual import placebo_pairs
from fmd_core.data import Split, ignore_progress
from fmd_core.deepening import deepened, depths_of
from fmd_core.errors import NoTwinsError
from fmd_core.features.beside import beside
from fmd_core.models.depth import LAST_LAYER, find_depth
from fmd_core.networks import model_shelf
from fmd_core.networks.feature_store import FeatureStore
from fmd_core.networks.training import feature_scale

GROWTH_MODEL = 2.0  # the network is built from a copy of the weights
GROWTH_PAIRS = 1.5  # `counterparts` are as large as one side


def store() -> FeatureStore:
    """Features on disk, shared by all sessions: a folder's name, which is not worth keeping."""
    return FeatureStore()


@kept()
def open_data(reference: str) -> fmd.AttributeDataset:
    """Rows, target, attributes and split of a data set."""
    return fmd.load_dataset(reference)


def dataset(review: Review) -> fmd.AttributeDataset:
    """The data under review."""
    return open_data(review.data)


@kept(growth=GROWTH_MODEL)
def open_model(data: str, model: str) -> fmd.Classifier:
    """A model for a data set by its id, open at its last layer."""
    if model == BUNDLED:
        return datasets.load_demo_classifier(data)
    return model_shelf.open_model(open_data(data), model)


@kept(growth=GROWTH_MODEL)
def _deepened(data: str, model: str, depth: str) -> fmd.Classifier:
    original, found = open_model(data, model), open_data(data)
    measured = deepened(original, find_depth(depth).measured_at or depth)
    return deepened(original, depth, scale=feature_scale(measured, found))


@kept(growth=GROWTH_MODEL)
def open_beside(data: str, model: str, changed: str) -> tuple[fmd.Classifier, fmd.Head]:
    """A model that was made from another beside it, and the head of its own answers."""
    return beside(open_model(data, model), open_model(data, changed))


def classifier(review: Review) -> fmd.Classifier:
    """The original model, open as deep as the review says."""
    if review.beside:
        return open_beside(review.data, review.model, review.beside)[0]
    if review.depth == LAST_LAYER:
        return open_model(review.data, review.model)
    return _deepened(review.data, review.model, review.depth)


def plain(review: Review) -> Review:
    """The same review of the original model alone, open at its last layer."""
    return replace(review, depth=LAST_LAYER, beside="")


def every_twin(review: Review) -> Review:
    """The same review whatever twins count: what features and twins are kept by."""
    return replace(review, most_unlike=None, vetoes=())


@kept()
def _features(review: Review, split: Split, _progress: Progress) -> fmd.FeatureSet:
    return fmd.extract_features(
        classifier(review), dataset(review), split=split, store=store(), progress=_progress
    )


def features(review: Review, split: Split, progress: Progress = ignore_progress) -> fmd.FeatureSet:
    """What the encoder makes of one split."""
    return _features(every_twin(review), split, progress)


def are_read(review: Review, split: Split) -> bool:
    """Whether `features` cost nothing."""
    return _features.holds(every_twin(review), split)


@kept(growth=GROWTH_PAIRS)
def _pairing(
    review: Review, split: Split, attribute: str, _progress: Progress
) -> fmd.CounterfactualPairs | str:
    """The twins, or why there are none: one attribute without twins says nothing against the others."""
    data, people = dataset(review), _features(review, split, _progress)
    try:
        if data.pair_method == "matched" and review != plain(review):  # who is whose twin stays
            return _pairs(plain(review), split, attribute, _progress).seen_in(people)
        return fmd.pair_counterfactuals(
            data, classifier(review), split=split, attribute=attribute, features=people, store=store(),
            progress=_progress,
        )  # fmt: skip
    except NoTwinsError as problem:
        return str(problem)


def _pairs(review: Review, split: Split, attribute: str, progress: Progress) -> fmd.CounterfactualPairs:
    found = _pairing(review, split, attribute, progress)
    if isinstance(found, str):
        raise NoTwinsError(found)
    return found


def pair_up(review: Review, split: Split, attribute: str, progress: Progress = ignore_progress) -> None:
    """Look for the twins of one split; that there are none is no error yet."""
    _pairing(every_twin(review), split, attribute, progress)


def pairs(
    review: Review, split: Split, attribute: str, progress: Progress = ignore_progress
) -> fmd.CounterfactualPairs:
    """The twins of one split that are alike enough to count."""
    found = _pairs(every_twin(review), split, attribute, progress).without(review.vetoed(attribute))
    return found if review.most_unlike is None else found.within(review.most_unlike)


def are_paired(review: Review, split: Split, attribute: str) -> bool:
    """Whether `pairs` cost nothing, whoever is left out."""
    return _pairing.holds(every_twin(review), split, attribute)


@kept()
def _placebo(review: Review, split: Split, attribute: str) -> fmd.CounterfactualPairs:
    people = _features(review, split, ignore_progress)
    if review != plain(review):
        return _placebo(plain(review), split, attribute).seen_in(people)
    return placebo_pairs(dataset(review), people, attribute, classifier(review).head)


def placebo(review: Review, split: Split, attribute: str) -> fmd.CounterfactualPairs | None:
    """Placebo twins, where twins are two real people; else None."""
    if dataset(review).pair_method != "matched":
        return None
    found = _placebo(every_twin(review), split, attribute)
    return found if review.most_unlike is None else found.within(review.most_unlike)


def bias(review: Review, split: Split, aim: Aim, *, beyond_placebo: bool = False) -> fmd.BiasFunction:
    """What is to be taken out, measured on the people of one split."""

    def part(attribute: str) -> fmd.CounterfactualBias | fmd.GroupGap:
        if aim.measure != "counterfactual":
            return fmd.GroupGap.of(dataset(review), features(review, split), attribute, aim.measure)
        floor = placebo(review, split, attribute) if beyond_placebo else None
        return fmd.CounterfactualBias(pairs(review, split, attribute), floor)

    return joint([part(attribute) for attribute in aim.attributes])


def measured_on(review: Review, split: Split, aim: Aim) -> list[Step]:
    """What `bias` reads, in steps that tell how far they are."""
    if aim.measure != "counterfactual":
        return [partial(features, review, split)]
    return [partial(pairs, review, split, attribute) for attribute in aim.attributes]


def depths(review: Review) -> tuple[str, ...]:
    """How deep the model can be opened: only the last layer, where no plain layer lies below it."""
    return tuple(depth.name for depth in depths_of(open_model(review.data, review.model)))


def n_inputs(review: Review) -> int:
    """How many numbers the model reads of one sample of a table."""
    data = dataset(review)
    return int(data.source.read(data.rows("test")[:1]).shape[1])


def changeable(data: fmd.AttributeDataset) -> list[str]:
    """Attributes with more than one value: the others cannot be changed, so not be tested."""
    return [attribute.name for attribute in data.attributes.values() if len(attribute.levels) > 1]


def untested(review: Review) -> dict[str, str]:
    """Attributes by which no test samples can be compared, and why, in a sentence each."""
    data = dataset(review)
    names = changeable(data)
    constant = {
        name: f"Every {data.unit} has the same value." for name in data.attributes if name not in names
    }
    found = {name: _pairing(every_twin(review), "test", name, ignore_progress) for name in names}
    return constant | {name: problem for name, problem in found.items() if isinstance(problem, str)}


def testable(review: Review) -> list[str]:
    """Attributes by which test samples can be compared. Raises DataError when there are none."""
    refused = untested(review)
    found = [name for name in dataset(review).attributes if name not in refused]
    if not found:
        raise fmd.DataError(" ".join(f"'{name}' cannot be tested: {why}" for name, why in refused.items()))
    return found
