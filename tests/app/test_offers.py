"""An offer says whom it costs only where that could be judged."""

from dataclasses import replace

from app import cache
from app.record.review import Aim, Review
from app.record.variants import Recipe
from app.view_models import offers, unlearn
from fmd_core.intervals import Estimate
from fmd_core.measure.verdict.values import Measure, Outcome

REVIEW, AIM = Review(), Aim(("colour",))


def card(comparison):
    path = cache.path(REVIEW, AIM, "iterated", 0, 0.01)
    return dict(offers.card(offers.offers(path)[0], comparison, None, None, "").rows)


def comparison():
    best = cache.path(REVIEW, AIM, "iterated", 0, 0.01).suggested.result
    return cache.comparison(
        REVIEW, Recipe(REVIEW, AIM, "iterated", 0, best.strength, best.blend, 0.01), "colour"
    )


def test_that_nobody_pays_names_how_many_could_be_judged():
    found = comparison()
    assert card(found)["Gains"].endswith("%")
    assert not found.losers
    judged = [c for c in (*found.groups, *found.intersections) if c.difference.value is not None]
    assert card(found)["Pays"] == f"none of {len(judged)} groups beyond chance"


def test_where_no_group_has_enough_people_it_cannot_be_said_who_pays():
    nobody = Estimate.unknown(3)
    found = comparison()
    few = tuple(
        replace(c, before=nobody, after=nobody, difference=nobody, p_value=None) for c in found.groups
    )
    rows = card(replace(found, groups=few, intersections=(), cells=()))
    assert rows["Pays"] == rows["Gains"] == "cannot be said: no group has enough people"


def test_flips_and_accuracy_of_too_few_people_are_not_nothing():
    nobody, found = Estimate.unknown(12), comparison()
    flips, accuracy = (
        replace(change, before=nobody, after=nobody, difference=nobody, p_value=None)
        for change in (found.flips, found.accuracy)
    )
    rows = card(replace(found, flips=flips, accuracy=accuracy))
    assert rows["Flips"] == rows["Right"] == "cannot be said, n = 12"


def test_a_target_that_held_before_is_not_called_reached():
    found = next(f for f in cache.verdict(REVIEW, None).findings if f.measure is Measure.BIAS)

    def reach(before, after, refusal=""):
        ends = [None if end is None else replace(found, outcome=end) for end in (before, after)]
        return offers.card(offers.Offer("Deeper", "100 %", refusal), comparison(), *ends, "").reach

    assert reach(Outcome.BEYOND, Outcome.WITHIN) == "reaches"
    assert reach(Outcome.WITHIN, Outcome.WITHIN) == "stays within"
    assert reach(Outcome.UNKNOWN, Outcome.WITHIN) == "reaches"
    assert reach(Outcome.WITHIN, Outcome.BEYOND) == "misses"
    assert reach(Outcome.BEYOND, Outcome.UNKNOWN) == reach(None, None) == "cannot be said"
    assert reach(Outcome.WITHIN, Outcome.WITHIN, "accuracy falls") == "refused"


def test_who_pays_for_our_suggestion_is_said_before_anything_is_applied():
    assert unlearn.would_be("Mixed: the bias falls; 5 groups lose accuracy.") == (
        "Nothing has changed yet. Our suggestion is judged mixed: the bias falls; 5 groups lose accuracy."
    )
    assert "leave it as it is" in unlearn.would_be("")
