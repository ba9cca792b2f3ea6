"""Published methods that were trained beside a model: what they answer is kept, the networks are not."""

from __future__ import annotations

from dataclasses import replace

from app.cache.bounded import kept
from app.cache.opened import classifier, dataset, plain, study
from app.record.review import Review
from fmd_core.data import ignore_progress
from fmd_core.study.retraining import TrainedBeside, retrain, seconds_beside
from fmd_core.study.steps import Progress
from fmd_core.unlearn.retraining.methods import METHODS


@kept()
def methods_beside(review: Review, attribute: str) -> dict[str, str]:
    """The methods there are, and why each cannot be done here, in a sentence; '' where it can."""
    model, data = classifier(plain(review)), dataset(review)
    return {name: method.why_not(model, data, attribute) for name, method in METHODS.items()}


@kept()
def seconds_of_methods(review: Review, attribute: str) -> dict[str, float]:
    """About how long each takes on this machine, measured with a few steps."""
    can = {name: METHODS[name] for name, why in methods_beside(review, attribute).items() if not why}
    return seconds_beside(study(plain(review)), attribute, can)


@kept()
def trained_beside(
    review: Review, attribute: str, method: str, _progress: Progress = ignore_progress
) -> TrainedBeside:
    """One method, trained and asked about validation and test people; takes as long as a training."""
    found = retrain(study(plain(review)), attribute, method, progress=_progress)
    return replace(found, networks={})


def known_beside(review: Review, attribute: str) -> dict[str, TrainedBeside]:
    """What was trained and is still held, by method, in their order."""
    return {
        name: trained_beside(review, attribute, name)
        for name in METHODS
        if trained_beside.holds(review, attribute, name)
    }
