"""What unlearning aims at: proposed from the worst finding, and every road to its limit."""

from dataclasses import replace

import pytest
from streamlit.testing.v1 import AppTest

import fmd_core as fmd
from app import cache
from app.jobs.registry import REGISTRY
from app.record.review import Aim, Review
from app.record.variants import Recipe
from app.view_models import aiming, roads
from app.view_models import unlearn as words
from fmd_core.measure.verdict.goal import Goal
from fmd_core.measure.verdict.values import Outcome
from fmd_core.study.suggestion import Suggestion, Way
from tests.app.test_pages import go_to_suggestion, lead, press, titles
from tests.app.test_verdict_view import BLOND, people

REVIEW = Review()
LAST = "last layer"


def test_blond_men_are_aimed_at_by_equal_truth_and_not_by_twins():
    data, answered = people(BLOND)
    verdict = fmd.give_verdict(data, answered, None, favourable="blond")
    twins, truth = Aim(("sex",)), Aim(("sex",), "equal opportunity")
    assert aiming.better_aim(verdict, twins) == truth
    said = aiming.proposal(verdict, data, twins)
    assert "Here the aim is that twins by sex are answered alike." in said
    assert "Blond men are recognised 19 % of the time (10 to 35, n = 36), blond women 78 %." in said
    assert "people with equal truth are recognised equally often, by sex" in said
    assert aiming.better_aim(verdict, truth) is None
    assert aiming.better_aim(verdict, Aim(("age", "sex"), "equal opportunity")) is None


def test_nothing_is_proposed_while_nothing_is_beyond_its_limit():
    few = {cell: max(1, count // 30) for cell, count in BLOND.items()}
    verdict = fmd.give_verdict(*people(few), None, favourable="blond")
    assert verdict.outcome is not Outcome.BEYOND
    assert aiming.aim_behind(verdict) is None


def test_what_is_worst_is_aimed_at_with_one_click(open_page):
    test = open_page("unlearn")
    assert not [
        b for b in test.button if b.label == "Aim at that instead"
    ]  # colour, twins: that is the worst
    test.selectbox(key="measure").set_value("equal opportunity").run()
    test.selectbox(key="attribute").set_value("paper").run()
    assert titles(test).startswith("Not aimed at here: Changing only the colour moves the answer by")
    test = press(test, "Aim at that instead")
    assert titles(test).startswith("Nothing has changed yet.")
    assert (test.selectbox(key="attribute").value, test.selectbox(key="measure").value) == (
        "colour", "counterfactual",
    )  # fmt: skip
    assert not test.exception


def test_one_click_leads_from_the_headline_to_what_helps(open_page):
    test = open_page("find_bias")
    test.selectbox(key="attribute").set_value("paper").run()
    test.selectbox(key="measure").set_value("demographic parity").run()
    test.button(key="unlearn_worst").click().run()
    assert "Fix" in " ".join(e.proto.body for e in test.get("html") if "fmd-kicker" in e.proto.body)
    assert (test.session_state["attribute"], test.session_state["measure"]) == ("colour", "counterfactual")
    assert not test.exception


def test_where_nothing_can_be_said_there_is_no_shortcut(open_page, monkeypatch):
    test = open_page("find_bias")
    assert "Unlearn this" in [b.label for b in test.button]
    silent = replace(cache.verdict(REVIEW, None), outcome=Outcome.UNKNOWN)
    monkeypatch.setattr(cache, "verdict", lambda *_: silent)
    assert "Unlearn this" not in [b.label for b in test.run().button]


def test_flips_and_the_worst_group_stand_beside_the_bias(open_page):
    test = open_page("unlearn")
    assert test.button_group(key="axis").options == [
        "Bias",
        "Flips",
    ]  # 247 digits: no class of a colour has ten
    test.session_state["table_of_curve"] = True
    columns = next(t.value.columns for t in test.run().table if "Guard" in t.value.columns)
    assert columns.tolist() == ["Strength", "Bias, points", "Flips, points", "Accuracy, %", "Guard"]
    path = cache.path(REVIEW, Aim(("colour",)), "iterated", 0, 0.01)
    flips = words.build_curve(path, path.points[3], "digit", "decided", "Flips")
    assert [p.bias for p in flips.full] == pytest.approx([100 * p.decided for p in path.points])
    assert flips.axis == "flips, points"
    assert flips.summary.startswith(f"From flips {100 * path.original.decided:.1f} and accuracy")


def test_who_is_served_worst_lies_across_with_its_number(open_page):
    aim = Aim(("paper",))
    path = cache.path(REVIEW, aim, "iterated", 0, 0.01)
    assert words.axes(path, "counterfactual")["worst"] == "Worst group"
    curve = words.build_curve(path, path.original, "digit", "worst", "Worst group")
    worst = path.original.worst
    assert curve.stops[words.stop_name(path.original)].bias == pytest.approx(100 * (1 - worst.accuracy))
    assert f"({worst.name}, n = {worst.n})" in curve.summary
    assert "Worst group right, %" in words.curve_table(path).columns
    test = open_page("unlearn")
    test.selectbox(key="attribute").set_value("paper").run()
    test.button_group(key="axis").set_value("worst").run()
    assert any((c.help or "").startswith("From worst group") for c in test.caption)


def test_whom_the_fix_was_for_is_said_before_and_after():
    data, answered = people(BLOND)
    finding = fmd.give_verdict(data, answered, None, favourable="blond").worst
    said = answered.predicted.copy()
    said[:25] = 1  # more blond men are recognised

    class Changed:
        rows, truth, verdict = answered.rows, answered.labels, "improved"
        predicted_before, predicted_after = answered.predicted, said

    told = aiming.concerned(finding, data, Changed, {})
    assert told.startswith(
        "What it was for. Before: Blond men are recognised 19 % of the time (10 to 35, n = 36)"
    )
    assert "Now: Blond men are recognised 69 % of the time (53 to 82, n = 36), blond women 78 %." in told
    assert told.endswith(
        "Asked alone, whether that is within its limit of 10 points cannot be said with so many people."
    )
    assert aiming.concerned(None, data, Changed, {}) == ""
    assert aiming.would_stay(finding, data, Changed, {}, 0.1) == (
        "Whether our suggestion brings that within its limit of 10 points cannot be said with so many people."
    )
    Changed.predicted_after = answered.predicted
    assert aiming.would_stay(finding, data, Changed, {}, 0.1) == (
        "With our suggestion that stays, asked alone, beyond its limit of 10 points."
    )
    Changed.predicted_after = 0 * answered.labels  # one answer for everybody treats all groups alike
    for told in (
        aiming.concerned(finding, data, Changed, {}),
        aiming.would_stay(finding, data, Changed, {}, 0.1),
    ):
        assert "The model answers 'other' for everybody" in told
        assert "within its limit of 10 points cannot be said." in told
    Changed.predicted_after = answered.labels  # everybody right
    assert aiming.would_stay(finding, data, Changed, {}, 0.1) == ""


def test_what_is_beyond_its_limit_once_the_worst_is_within_is_said():
    data, answered = people({cell: 10 * count for cell, count in BLOND.items()})
    verdict = fmd.give_verdict(data, answered, None, favourable="blond")
    right = replace(answered, predicted=answered.labels)
    after = fmd.give_verdict(data, right, None, favourable="blond")

    class Changed:
        rows, truth, verdict = answered.rows, answered.labels, "improved"
        predicted_before, predicted_after = answered.predicted, answered.labels

    aim = Aim(("sex",), "predictive equality")
    told = aiming.brought_within(verdict, aim, data, Changed, is_suggested=True)
    assert told.startswith(
        "It would bring what is worst within its limit of 10 points too, asked alone: Blond"
    )
    assert aiming.is_brought_within(verdict.worst, data, Changed, {})
    assert aiming.worst_then(after, is_suggested=True).startswith(
        "With our suggestion this is worst, and beyond its limit: 'blond' is the answer for 4 % of men"
    )
    assert aiming.worst_then(replace(after, outcome=Outcome.UNKNOWN), is_suggested=False) == ""
    Changed.predicted_before = answered.labels  # other people may have judged what is worst
    assert aiming.brought_within(verdict, aim, data, Changed, is_suggested=False) == ""
    assert not aiming.is_brought_within(verdict.worst, data, Changed, {})


def test_the_page_asks_the_whole_verdict_before_it_calls_the_worst_within(monkeypatch):
    asked = cache.verdict

    def beyond_then(review, variant, criteria=None):
        found = asked(review, variant, criteria)
        headline = "Someone else is worst." if variant else found.headline
        return replace(found, outcome=Outcome.BEYOND, headline=headline)

    monkeypatch.setattr(cache, "verdict", beyond_then)
    test = AppTest.from_file("../../app/main.py", default_timeout=150)
    test.query_params["data"] = "synthetic_faces"
    test = test.run().switch_page("app_pages/unlearn.py").run()
    assert "With our suggestion this is worst, and beyond its limit: Someone else is worst." in lead(test)
    assert "With it this is worst, and beyond its limit: Someone else is worst." in lead(
        go_to_suggestion(test)
    )


def test_what_our_suggestion_leaves_is_said_before_it_is_applied(open_page):
    told = " ".join(h.proto.body for h in open_page("unlearn").get("html"))
    assert "The bias would stay beyond the limit of 10 points." in told


def test_of_what_nobody_may_call_within_it_is_not_said_that_every_road_misses_it():
    worst = cache.verdict(REVIEW, None).worst
    before = replace(worst, value=0.01, low=0.0, high=0.02, outcome=Outcome.UNKNOWN)
    view = roads.build(Suggestion(Goal.of(worst), before, ()), cache.dataset(REVIEW))
    assert view.headline.startswith("No road that is allowed brings this nearer")
    assert not any("No setting would" in note or "its interval is not" in note for note in view.notes)


@pytest.fixture
def two_roads(monkeypatch):
    """Of all ways the two quickest."""
    some = tuple(Way(Aim(("colour",)), name, LAST) for name in ("paper-external", "iterated"))
    monkeypatch.setattr(cache, "ways", lambda *_: some)
    monkeypatch.setattr("app.cache.fixes.ways", lambda *_: some)
    return some


@pytest.mark.usefixtures("two_roads")
def test_every_road_is_tried_as_a_job_and_gone_with_one_click(open_page):
    test = open_page("unlearn")
    assert not [b for b in test.button if b.label == "Try every road"]  # folded
    test.session_state["every_road"] = True
    test = press(test.run(), "Try every road")
    job = REGISTRY.find(test.session_state["job_roads"])
    assert job.wait(60)
    test.run()
    table = next(d.value for d in test.dataframe if "Worst group right, %" in d.value.columns)
    assert set(table["How"]) == {"Learn from external samples", "One step on external samples"}
    assert table["n, smaller group"].tolist() == ["247", "247"]
    assert any(m.value.startswith("**No road brings this surely within its limit") for m in test.markdown)
    test.selectbox(key="strategy").set_value("paper-external").run()
    test.button(key="go_to_best").click().run()
    assert test.selectbox(key="strategy").value == "iterated"
    found = cache.try_roads(REVIEW, Goal.of(cache.verdict(REVIEW, None).worst), 100, 0.01)
    assert test.select_slider[0].value == words.stop_name(found.best.best)
    assert test.button(key="go_to_best").disabled
    assert not test.exception


def test_the_table_of_roads_says_what_was_not_tried(two_roads):
    goal = Goal.of(cache.verdict(REVIEW, None).worst)
    found = cache.try_roads(REVIEW, goal, 100, 0.01, some=two_roads[:1])
    deep = Way(Aim(("colour",)), "iterated", "two layers")
    view = roads.build(found, cache.dataset(REVIEW), [deep])
    assert view.table["Verdict"].tolist() == [
        "beyond the limit",
        "not tried yet (minutes, and features are read once more)",
    ]
    assert view.destinations[1] is None
    assert view.headline.startswith(
        "None of the roads tried so far brings this surely within its limit of 10 points."
    )
    assert "1 road not tried yet." in view.notes[1]


def test_the_first_screen_says_who_gained_and_lost(open_page):
    said = lead(go_to_suggestion(open_page("unlearn")))
    assert "answered right now and were not" in said
    assert "wrong now and were right" in said
    test = open_page("unlearn")
    test.selectbox(key="attribute").set_value("paper").run()
    assert "little to take out" not in " ".join(i.value for i in test.info) + titles(test)


def test_what_is_worst_and_goes_with_the_suggestion_does_not_head_the_page():
    test = AppTest.from_file("../../app/main.py", default_timeout=150)
    test.query_params["data"] = "synthetic_faces"
    test = test.run().switch_page("app_pages/unlearn.py").run()
    assert titles(test).startswith("Nothing has changed yet. Our suggestion is judged improved")
    assert (
        "It would bring what is worst within its limit of 10 points too, asked alone: Blond masculine"
        in lead(test)
    )
    assert not [b for b in test.button if b.label == "Aim at that instead"]
    test = go_to_suggestion(test)
    assert "What is worst comes within its limit of 10 points with it, asked alone: Blond masculine" in lead(
        test
    )


def test_what_is_worst_is_not_said_to_go_with_a_change_that_leaves_it():
    review, twins = Review("synthetic_faces"), Aim(("presentation",))
    verdict, data = cache.verdict(review, None), cache.dataset(review)
    assert aiming.better_aim(verdict, twins)
    nothing = Recipe(review, twins, "iterated", 0, 0.0, 1.0, 0.01)
    left = cache.comparison(review, nothing, "presentation")
    assert aiming.brought_within(verdict, twins, data, left, is_suggested=True) == ""
