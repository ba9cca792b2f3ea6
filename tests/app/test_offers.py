"""An offer says whom it costs only where that could be judged."""

from dataclasses import replace

from app import cache
from app.record.review import Aim, Review
from app.record.variants import Recipe
from app.view_models import offers
from fmd_core.intervals import Estimate

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
