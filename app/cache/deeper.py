"""Networks that learned on, kept on the shelf and named by `Review.beside`: how far validation people would go, and
what every point between original and network does to test people. Logits are mixed; no network is asked twice."""

from __future__ import annotations

import fmd_core as fmd
from app.cache.bounded import kept
from app.cache.opened import classifier, dataset, open_beside, open_model, plain, study
from app.record.review import Review
from app.record.variants import Retrained
from fmd_core.data import SPLITS, Split
from fmd_core.study.debiasing import JudgedBaseline, judged_baselines
from fmd_core.study.deeper import asked, mixture
from fmd_core.unlearn.deeper.answers import Asked, Figures, Logits, figures_of
from fmd_core.unlearn.deeper.choosing import SHARES, DeeperPath, choose
from fmd_core.unlearn.deeper.planning import seconds_needed, why_not
from fmd_core.unlearn.deeper.training import REACHES, DeeperSettings, Improve, Reach

THE_NETWORK = 1  # stands for its steps: of several networks one is kept


@kept()
def reaches(review: Review) -> dict[Reach, str]:
    """What of a model may learn on, and why it cannot, in a sentence; '' where it can."""
    return {reach: why_not(classifier(plain(review)), reach) for reach in REACHES}


@kept()
def deeper_seconds(review: Review, attribute: str, reach: Reach, improve: Improve) -> float:
    """About how long it takes on this machine, measured with a few batches; at the end both networks are asked about
    everybody."""
    data, settings = dataset(review), DeeperSettings(reach, improve)
    everybody = 2 * sum(len(data.rows(split)) for split in SPLITS)
    return seconds_needed(classifier(plain(review)), data, attribute, settings, besides=everybody)


@kept()
def _answers(review: Review, split: Split, attribute: str) -> tuple[Logits, Logits]:
    """What the original and the network beside it answer to one part of the people."""
    people, original = asked(study(review), split, attribute)
    return original, people.answers(open_beside(review.data, review.model, review.beside)[1])


def _people(review: Review, split: Split, attribute: str) -> Asked:
    return asked(study(review), split, attribute)[0]


@kept()
def deeper_path(
    review: Review, attribute: str, improve: Improve, tolerance: float, shares: tuple[float, ...] = SHARES
) -> DeeperPath:
    """The original and points on the way to the network beside it, as validation people see them: another tolerance
    judges again, but asks no network."""
    original, repaired = _answers(review, "validation", attribute)
    return choose(
        _people(review, "validation", attribute), original, {THE_NETWORK: repaired}, improve=improve,
        tolerance=tolerance, classes=dataset(review).target.levels, shares=shares,
    )  # fmt: skip


@kept()
def deeper_figures(review: Review, attribute: str, share: float) -> Figures:
    """What a point on the way does to test people, at the temperature of validation people."""
    original, repaired = _answers(review, "validation", attribute)
    guards = _people(review, "validation", attribute)
    heat = guards.temperature(original.mixed(repaired, share))
    original, repaired = _answers(review, "test", attribute)
    return figures_of(_people(review, "test", attribute), original.mixed(repaired, share), heat)


def is_deeper_known(review: Review, attribute: str) -> bool:
    """Whether no network has to be asked for what is said of the points on the way."""
    return all(_answers.holds(review, split, attribute) for split in ("validation", "test"))


@kept()
def deeper_baselines(
    review: Review, attribute: str, improve: Improve, tolerance: float
) -> dict[str, JudgedBaseline]:
    """What simpler fixes come to under the same guard, by name."""
    return judged_baselines(study(plain(review)), attribute, improve, tolerance)


def deeper_refusal(variant: Retrained) -> str:
    """Why the guard refuses a network that learned on, or a point on the way to it; '' where it does not."""
    path = deeper_path(variant.review, variant.aim.attribute, "groups", variant.tolerance, (variant.share,))
    return path.points[-1].refusal


def mixed_head(variant: Retrained) -> fmd.Head:
    """The head of a point on the way, on the features of both networks side by side."""
    review = variant.review
    if variant.share == 1:
        return open_beside(review.data, review.model, review.beside)[1]
    return mixture(*both(review), variant.share)[1]


def both(review: Review) -> tuple[fmd.Classifier, fmd.Classifier]:
    """The original, and the network beside it."""
    return open_model(review.data, review.model), open_model(review.data, review.beside)
