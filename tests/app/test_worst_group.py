"""The Fix page for whoever is served worst: choosing it, what cards and history say, and where nobody can say."""

import json
from dataclasses import replace

import numpy as np
import pytest

from app import cache
from app.record import journal_json
from app.record.review import Review
from app.record.variants import Recipe, describe
from app.view_models import aiming, blame, network_stage, offers, proof
from app.view_models.before_after import BeforeAfter
from fmd_core import Estimate, FMDError
from fmd_core.measure.verdict.goal import Goal
from fmd_core.measure.verdict.values import Family, Member
from fmd_core.report import wording
from fmd_core.study.aim import Aim
from tests.app.test_pages import press, titles
from tests.app.test_permalink import address, visit

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


def journal_of(test):
    return test.session_state["journals"][REVIEW.data, REVIEW.model]


def test_undo_redo_the_report_and_another_browser_keep_whom_it_was_for():
    first = visit("unlearn", attribute="paper", improve="worst group")
    assert not first.warning
    group = cache.worst_served(REVIEW, "paper")
    assert f"By paper that is {group.who}: right for" in text(first)
    first.button(key="show_recommended").click().run()
    made = journal_of(press(first, "Apply this")).history.current
    assert made.aim == AIM
    there = visit("unlearn", **address(first))
    assert not there.warning
    assert titles(there) == titles(first)
    first.switch_page("app_pages/report.py").run()
    assert not first.exception
    assert titles(first) == wording.comparison_headline(cache.comparison(REVIEW, made, "paper"))
    first.switch_page("app_pages/unlearn.py").run()
    assert journal_of(press(first, "Undo")).history.current is None
    first.selectbox(key="improves").set_value("").run()  # what is meant now is another thing
    assert journal_of(press(first, "Redo")).history.current == made
    journal = journal_of(first)
    assert journal_json.load(json.loads(json.dumps(journal_json.dump(journal)))) == journal


def test_who_said_it_and_how_they_are_counted_is_told():
    data, group = cache.dataset(REVIEW), cache.worst_served(REVIEW, "paper")
    persons = replace(data, persons=np.arange(len(data)) // 2)
    weighed = replace(persons, weights=np.ones(len(data)))
    n = group.accuracy.n
    assert f"of {n} external and validation digits, who choose." in blame.served_worst(
        data, "paper", group, 0
    )
    assert (
        f"of {n} validation digits, those that belong together counted once, by their weights, who choose."
        in blame.served_worst(weighed, "paper", group, 0, parts=("validation",))
    )
    assert "Another group is right as often; this one is meant." in blame.served_worst(
        data, "paper", group, 0, alike=1
    )
    said = blame.sentence(persons, AIM, 20, group)
    assert f"of {n} external and validation digits, those that belong together counted once (" in said
    assert "Scored by the loss of 20 of them, with each row counted once, set aside" in said
    only = blame.sentence(data, AIM, 20, group, ("validation",))
    assert "Scored by the loss of 20 external digits of that group, set aside" in only
    taught = cache.taught(REVIEW, AIM)
    assert blame.people_behind(data, taught) == len(taught)
    assert blame.people_behind(persons, taught) == len(np.unique(taught.people.rows // 2))


def test_the_first_card_of_the_worst_group_is_its_lag():
    best = cache.path(REVIEW, AIM, "iterated", 0, 0.01).suggested.result
    made = Recipe(REVIEW, AIM, "iterated", 0, best.strength, best.blend, 0.01)
    assert BeforeAfter(cache.dataset(REVIEW), cache.comparison(REVIEW, made, "paper")).labels[0] == "Lag"


def test_of_few_people_a_change_is_not_called_chance():
    best = cache.path(REVIEW, AIM, "iterated", 0, 0.01).suggested.result
    made = Recipe(REVIEW, AIM, "iterated", 0, best.strength, best.blend, 0.01)
    found = cache.comparison(REVIEW, made, "paper")
    unknown = replace(found.judged, **dict.fromkeys(("before", "after", "difference"), Estimate.unknown(19)))
    assert proof.verdict(replace(found, gap=unknown)) == (
        "Whether it worked cannot be said: not enough people to say (n = 19)."
    )
