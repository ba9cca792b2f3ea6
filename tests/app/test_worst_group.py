"""The Fix page for whoever is served worst: choosing it, what cards and history say, and where nobody can say."""

from dataclasses import replace

import pytest

from app import cache
from app.record.review import Review
from app.record.variants import Recipe, describe
from app.view_models import aiming, blame, network_stage, offers
from fmd_core import FMDError
from fmd_core.measure.verdict.goal import Goal
from fmd_core.measure.verdict.values import Family, Member
from fmd_core.report import wording
from fmd_core.study.aim import Aim
from tests.app.test_pages import press, titles

REVIEW, AIM = Review(), Aim(("paper",), "worst group")


def text(test):
    parts = (*test.caption, *test.markdown, *test.info, *test.error)
    return " ".join(
        [*(str(part.value) for part in parts), *(e.proto.body for e in test.get("html"))]
    ).replace("\\", "")


def test_it_is_chosen_on_the_page_and_said_everywhere(open_page):
    test = open_page("unlearn")
    test.selectbox(key="improves").set_value("worst group").run()
    assert titles(test) == "This cannot be tried."
    assert "No two groups of digit and colour have 10 digits each of those who choose" in text(test)
    test.selectbox(key="attribute").set_value("paper").run()
    assert not test.exception
    group = cache.worst_served(REVIEW, "paper")
    said = text(test)
    assert f"By paper that is {group.who}: right for" in said
    assert "Test digits have no say in it." in said
    assert "<span>For</span>" in said
    assert test.query_params["improve"] == "worst group"
    assert next(iter(test.button_group(key="axis").options)) == "Worst group"
    path = cache.path(REVIEW, AIM, "iterated", 0, 0.01, cache.worst_group_goal(REVIEW, "paper", 0.1))
    assert path.suggested is not path.original
    test.button(key="show_recommended").click().run()
    press(test, "Apply this")
    assert not test.exception
    assert "whoever is served worst by paper" in text(test) + str([t.value for t in test.table])
    test.selectbox(key="improves").set_value("").run()
    assert "improve" not in test.query_params
    assert not test.exception


def test_a_card_names_whom_it_is_for_and_how_many_they_are():
    path = cache.path(REVIEW, AIM, "iterated", 0, 0.01)
    best = path.suggested.result
    made = Recipe(REVIEW, AIM, "iterated", 0, best.strength, best.blend, 0.01)
    found = cache.comparison(REVIEW, made, "paper")
    card = offers.card(offers.offers(path)[0], found, None, None, "last layer")
    name, words = card.rows[0]
    group = cache.worst_served(REVIEW, "paper")
    assert name == "For"
    assert words.startswith(group.who)
    assert f"n = {found.judged.after.n}" in words or "cannot be said" in words
    assert describe(made).startswith("whoever is served worst by paper: Learn from external samples")
    assert wording.bias_name(found) == f"lag of {group.who}"


def test_the_network_below_improves_the_same_group():
    data = cache.dataset(REVIEW)
    assert network_stage.improve_for(data, AIM) == "worst group"
    assert "too few of them; of those it cannot be said" in blame.served_worst(
        data, "paper", cache.worst_served(REVIEW, "paper"), 3
    )
    assert blame.served_worst(data, "colour", None, 99) == ""


def test_nothing_else_is_worst_where_the_finding_is_of_the_very_group():
    goal = Goal(Family.SERVICE, ("sex",), 0.1, members=((Member("hair", "blond"), Member("sex", "man")), ()))
    finding = replace(
        cache.verdict(REVIEW, None).worst, family=Family.EQUAL_TRUTH, answer="blond",
        members=((Member("sex", "man"),), (Member("sex", "woman"),)),
    )  # fmt: skip
    assert aiming.is_of_same_people(finding, goal)
    assert not aiming.is_of_same_people(replace(finding, answer="dark"), goal)
    assert not aiming.is_of_same_people(replace(finding, members=finding.members[::-1]), goal)
    assert not aiming.is_of_same_people(None, goal)
    verdict = replace(cache.verdict(REVIEW, None), findings=(finding,))
    aim = Aim(("sex",), "worst group")
    assert aiming.missed(verdict, aim, goal) == ""
    assert aiming.missed(verdict, aim, None).startswith("Not aimed at here: ")


def test_of_colours_nobody_can_be_named():
    assert cache.worst_served(REVIEW, "colour") is None
    assert cache.worst_group_goal(REVIEW, "colour", 0.1) is None
    with pytest.raises(FMDError, match="cannot be said"):
        cache.path(REVIEW, Aim(("colour",), "worst group"), "iterated", 0, 0.01)
