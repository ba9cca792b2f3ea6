"""Published methods that were trained beside a model: what they answer is kept, and the networks lie on the shelf."""

from __future__ import annotations

from dataclasses import replace

from app.cache.bounded import kept
from app.cache.opened import classifier, dataset, plain, study
from app.record.review import Review
from fmd_core.data import ignore_progress
from fmd_core.models.taught import why_no_choice
from fmd_core.study.learned import keep_trained, learned_from, trained_before
from fmd_core.study.retraining import TrainedBeside, retrain, seconds_beside
from fmd_core.study.steps import Progress
from fmd_core.unlearn.retraining.methods import METHODS


@kept()
def methods_beside(review: Review, attribute: str) -> dict[str, str]:
    """The methods there are, and why each cannot be done here, in a sentence; '' where it can."""
    model, data = classifier(plain(review)), dataset(review)
    nobody = why_no_choice(model, data)
    return {name: nobody or method.why_not(model, data, attribute) for name, method in METHODS.items()}


@kept()
def seconds_of_methods(review: Review, attribute: str) -> dict[str, float]:
    """About how long each takes on this machine, measured with a few steps."""
    can = {name: METHODS[name] for name, why in methods_beside(review, attribute).items() if not why}
    return seconds_beside(study(plain(review)), attribute, can)


@kept()
def trained_beside(
    review: Review, attribute: str, method: str, _progress: Progress = ignore_progress
) -> TrainedBeside:
    """One method, trained and asked about validation and test people; takes as long as a training. Its networks are put
    on the shelf, where the Deeper section finds them."""
    about = study(plain(review))
    found = retrain(about, attribute, method, progress=_progress)
    keep_trained(about, found)
    return replace(found, networks={})


@kept()
def _before(review: Review, attribute: str, method: str, ids: tuple[str, ...]) -> TrainedBeside | None:  # noqa: ARG001
    """The same as it was kept, under the `ids` on the shelf."""
    return trained_before(study(plain(review)), attribute, method)


def known_beside(review: Review, attribute: str) -> dict[str, TrainedBeside]:
    """What was trained, here or before the server was started anew, by method, in their order."""
    ids: dict[str, list[str]] = {}
    for made in learned_from(dataset(review), classifier(plain(review))):
        if made.method and made.attribute == attribute:
            ids.setdefault(made.method, []).append(made.id)
    found = {
        name: trained_beside(review, attribute, name)
        if trained_beside.holds(review, attribute, name)
        else _before(review, attribute, name, tuple(ids[name]))
        for name in METHODS
        if name in ids or trained_beside.holds(review, attribute, name)
    }
    return {name: made for name, made in found.items() if made is not None}
