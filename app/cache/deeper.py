"""Networks that learned on, kept on the shelf and named by `Review.beside`: how far those who did not teach them would
go, and what every point between original and network does to test people. Logits are mixed; no network is asked
twice."""

from __future__ import annotations

import fmd_core as fmd
from app.cache.bounded import kept
from app.cache.opened import classifier, dataset, open_beside, open_model, plain, study
from app.record.review import Review
from app.record.variants import Retrained
from fmd_core.data import SPLITS
from fmd_core.errors import ModelError
from fmd_core.figures import with_capital
from fmd_core.models.taught import why_no_choice
from fmd_core.study.debiasing import Change, JudgedBaseline, judged_baselines
from fmd_core.study.deeper import asked, interrupted, mixture, take_turns
from fmd_core.study.learned import Learned, choosers_of, has_lost_its_choosers, learned_from
from fmd_core.unlearn.deeper.answers import Asked, Figures, Logits, figures_of
from fmd_core.unlearn.deeper.choosing import SHARES, DeeperPath, Ladder
from fmd_core.unlearn.deeper.planning import seconds_needed, why_not
from fmd_core.unlearn.deeper.settings import REACHES, DeeperSettings, Improve, Reach
from fmd_core.unlearn.deeper.training import learning_at_once

NO_CHOOSERS = "what this network answered before those who judge it taught it cannot be read any more"
THE_NETWORK = 1  # stands for its steps: of several networks one is kept


@kept()
def changes(review: Review) -> dict[Change, str]:
    """What of a model may change, and why it cannot, in a sentence; '' where it can. Thresholds can where a last layer
    can."""
    model = classifier(plain(review))
    nobody = why_no_choice(model, dataset(review))
    learns: dict[Change, str] = {reach: nobody or why_not(model, reach) for reach in REACHES}
    return {"threshold": learns["last layer"], **learns}


@kept()
def deeper_seconds(review: Review, attribute: str, reach: Reach, improve: Improve) -> float:
    """About how long it takes on this machine, measured with a few batches; at the end both networks are asked about
    everybody."""
    data, settings = dataset(review), DeeperSettings(reach, improve)
    everybody = 2 * sum(len(data.rows(split)) for split in SPLITS)
    networks = 1 + take_turns(study(plain(review)), attribute, improve)
    return seconds_needed(
        classifier(plain(review)), data, attribute, settings, besides=everybody, halves=networks,
        at_once=learning_at_once(networks),
    )  # fmt: skip


def deeper_done(review: Review, attribute: str, settings: DeeperSettings) -> tuple[int, int]:
    """How many steps of work that was interrupted are kept, of how many; what is kept lies on disk."""
    points = interrupted(study(plain(review)), attribute, settings)
    return sum(max(found.steps, default=0) for found in points), len(points) * settings.steps[-1]


def learned(review: Review) -> tuple[Learned, ...]:
    """Networks that learned on from the model under review, on this machine, oldest first."""
    return learned_from(dataset(review), classifier(plain(review)))


@kept()
def _choosers(review: Review, attribute: str) -> tuple[Asked, Logits, Logits]:
    """Who choose how far to go to the network beside the original, and what the two answered to them."""
    told = next((found for found in learned(review) if found.id == review.beside), None)
    nobody = ModelError(f"{with_capital(NO_CHOOSERS)}; let it learn again.")
    if told is None and has_lost_its_choosers(review.beside):
        raise nobody
    if told is not None and len(told.judged_by) > 1:
        if told.attribute != attribute:
            raise nobody
        alone, network = study(plain(review)), open_model(review.data, review.beside)
        return choosers_of(alone, attribute, network, told)
    people, original = asked(study(review), "validation", attribute)
    return people, original, people.answers(open_beside(review.data, review.model, review.beside)[1])


@kept()
def _judges(review: Review, attribute: str) -> tuple[Asked, Logits, Logits]:
    """Test people, and what the original and the network beside it answer to them."""
    people, original = asked(study(review), "test", attribute)
    return people, original, people.answers(open_beside(review.data, review.model, review.beside)[1])


@kept()
def _ladder(review: Review, attribute: str, shares: tuple[float, ...]) -> Ladder:
    """The original and points on the way to the network beside it, as those who choose see them."""
    people, original, repaired = _choosers(review, attribute)
    return Ladder.of(people, original, {THE_NETWORK: repaired}, shares)


def deeper_path(
    review: Review, attribute: str, improve: Improve, tolerance: float, shares: tuple[float, ...] = SHARES
) -> DeeperPath:
    """The same judged at a tolerance: another one, or another aim, judges again, but asks no network."""
    return _ladder(review, attribute, shares).choose(improve, tolerance, dataset(review).target.levels)


@kept()
def deeper_figures(review: Review, attribute: str, share: float) -> Figures:
    """What a point on the way does to test people, at the temperature of those who choose."""
    guards, original, repaired = _choosers(review, attribute)
    heat = guards.temperature(original.mixed(repaired, share))
    people, original, repaired = _judges(review, attribute)
    return figures_of(people, original.mixed(repaired, share), heat)


def is_deeper_known(review: Review, attribute: str) -> bool:
    """Whether no network has to be asked for what is said of the points on the way."""
    return _choosers.holds(review, attribute) and _judges.holds(review, attribute)


@kept()
def deeper_baselines(
    review: Review, attribute: str, improve: Improve, tolerance: float
) -> dict[str, JudgedBaseline]:
    """What simpler fixes come to under the same guard, by name."""
    return judged_baselines(study(plain(review)), attribute, improve, tolerance)


def deeper_refusal(variant: Retrained) -> str:
    """Why the guard refuses a network that learned on, or a point on the way to it; '' where it does not. What was to
    improve has no part in it."""
    try:
        path = deeper_path(
            variant.review, variant.aim.attribute, "groups", variant.tolerance, (variant.share,)
        )
    except ModelError:
        if has_lost_its_choosers(variant.review.beside):
            return NO_CHOOSERS
        raise
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
