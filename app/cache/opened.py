"""What is under review, opened: data, model and the study of both, features and twins."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import fmd_core as fmd
from app.cache.bounded import SharedMemory, kept
from app.record.review import BUNDLED, Review
from fmd_core.data import Split, ignore_progress
from fmd_core.models import shelf
from fmd_core.models.deepening import deepened_to_scale, depths_of
from fmd_core.models.depth import LAST_LAYER
from fmd_core.models.feature_store import FeatureStore
from fmd_core.models.side_by_side import beside
from fmd_core.study.learned import knowing_its_teachers
from fmd_core.study.steps import Progress
from fmd_core.study.study import Study
from fmd_core.study.subject import Subject

GROWTH_MODEL = 2.0  # the network is built from a copy of the weights
MEMORY = SharedMemory()


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
        return shelf.load_demo_classifier(data)
    return knowing_its_teachers(shelf.open_model(open_data(data), model), model)


_DATA, _MODELS = open_data, open_model  # which know what is open


def known_contents(review: Review) -> dict[str, str]:
    """Fingerprints of the data ("data") and of the original model ("model"), of what is open already."""
    found = {}
    if _DATA.holds(review.data):
        found["data"] = open_data(review.data).fingerprint
    if _MODELS.holds(review.data, review.model):
        found["model"] = open_model(review.data, review.model).fingerprint
    return found


@kept(growth=GROWTH_MODEL)
def _deepened(data: str, model: str, depth: str) -> fmd.Classifier:
    return deepened_to_scale(open_model(data, model), open_data(data), depth)


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


def study(review: Review) -> Study:
    """The procedure of a review, with the memory that all visitors share. It opens data and model when they are
    asked for, and is made anew for each question: what it knows lies in the memory."""
    return Study.of(
        _subject(every_twin(review)), memory=MEMORY, store=store(), most_unlike=review.most_unlike,
        left_out=review.vetoes,
    )  # fmt: skip


def _subject(review: Review) -> Subject:
    alone = plain(review)
    return Subject(
        review, partial(dataset, review), partial(classifier, review),
        None if review == alone else _subject(alone),
        None if review != alone else lambda depth: _subject(replace(review, depth=depth)),
    )  # fmt: skip


def features(review: Review, split: Split, progress: Progress = ignore_progress) -> fmd.FeatureSet:
    """What the encoder makes of one split."""
    return study(review).features(split, progress)


def are_read(review: Review, split: Split) -> bool:
    """Whether `features` cost nothing."""
    return study(review).are_read(split)


def pair_up(review: Review, split: Split, attribute: str, progress: Progress = ignore_progress) -> None:
    """Look for the twins of one split; that there are none is no error yet."""
    study(review).pair_up(split, attribute, progress)


def pairs(
    review: Review, split: Split, attribute: str, progress: Progress = ignore_progress
) -> fmd.CounterfactualPairs:
    """The twins of one split that are alike enough to count."""
    return study(review).pairs(split, attribute, progress)


def placebo(review: Review, split: Split, attribute: str) -> fmd.CounterfactualPairs | None:
    """Placebo twins of one split, where twins are two real people; else None."""
    return study(review).placebo(split, attribute)


def are_paired(review: Review, split: Split, attribute: str) -> bool:
    """Whether `pairs` cost nothing, whoever is left out."""
    return study(review).are_paired(split, attribute)


def depths(review: Review) -> tuple[str, ...]:
    """How deep the model can be opened: only the last layer, where no plain layer lies below it."""
    return tuple(depth.name for depth in depths_of(open_model(review.data, review.model)))


def n_inputs(review: Review) -> int:
    """How many numbers the model reads of one sample of a table."""
    data = dataset(review)
    return int(data.source.read(data.rows("test")[:1]).shape[1])


def untested(review: Review) -> dict[str, str]:
    """Attributes by which no test samples can be compared, and why, in a sentence each."""
    return study(review).untested()


def testable(review: Review) -> list[str]:
    """Attributes by which test samples can be compared. Raises DataError when there are none."""
    return study(review).testable()
