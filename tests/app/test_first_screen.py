"""What each page says when only its first screen is seen: the finding, of what is under review."""

import numpy as np
from streamlit.testing.v1 import AppTest

from app import cache
from app.cache import warming
from app.record.review import Aim, Review
from app.view_models import unlearn
from fmd_core import FeatureSet
from fmd_core.measure.verdict.sentences import group_name
from fmd_core.measure.verdict.values import Member
from tests.app.test_pages import titles

REVIEW = Review()


def kicker(test):
    return next(h.body for h in test.main.get("html") if "fmd-kicker" in h.body)


def test_data_says_what_is_under_review_and_asks_nothing_before_a_kind_is_chosen(open_page):
    test = open_page("data")
    assert titles(test) == "Coloured digits: a model predicts digit; colour and paper should not matter."
    assert test.segmented_control(key="family").value is None
    assert not test.selectbox(key="attribute").disabled
    assert [box.key for box in test.main.selectbox] == []
    assert not any(button.key == "open" for button in test.button)
    parts = "900 taught the model, 200 decide the fix, 247 guard it and 450 judge it."
    assert any(parts in html.body for html in test.get("html"))


def test_who_asks_for_other_data_finds_the_first_form_open(open_page):
    start = open_page("start")
    start.button(key="open_data").click().run()
    assert start.segmented_control(key="family").value == "celeba"
    start.segmented_control(key="family").set_value("demos").run()
    start.switch_page("app_pages/start.py").run().button(key="open_data").click().run()
    assert start.segmented_control(key="family").value == "demos"  # where they were


def test_the_model_is_headed_by_whom_it_is_least_often_right_about(open_page):
    test = cache.features(REVIEW, "test")
    right = cache.classifier(REVIEW).head.probabilities(test.features).argmax(axis=1) == test.labels
    data, known = cache.dataset(REVIEW), {}
    columns = [np.zeros(len(data), int), *(column.codes for column in data.attributes.values())]
    for codes in columns:
        for label in np.unique(test.labels):
            for level in np.unique(codes):
                who = (test.labels == label) & (codes[test.rows] == level)
                if who.sum() >= 30:
                    known[int(label), int(who.sum())] = float(right[who].mean())
    name, rate = cache.least_right_so_far(REVIEW)
    assert rate.value == min(known.values())
    page = open_page("model")
    assert (
        titles(page)
        == f"Right for 37.3 % of 450 held-out digits, but for {100 * rate.value:.1f} % of {name}."
    )
    assert "ships with Coloured digits" in kicker(page)


def test_whom_the_model_fails_may_be_one_level_of_a_class(monkeypatch):
    review = Review("synthetic_faces")
    data = cache.dataset(review)
    rows, presented = data.rows("test"), data.attribute("presentation")
    labels, codes = data.target.codes[rows], presented.codes[rows]
    failed = np.flatnonzero((labels == 1) & (codes == 0))
    answers = labels.copy()
    answers[failed[::2]] = 0
    people = FeatureSet(np.zeros((len(rows), 1)), labels, rows)
    monkeypatch.setattr(warming, "_answered_so_far", lambda _review: (people, answers))
    name, rate = cache.least_right_so_far(review)
    members = [Member(data.target.name, data.target.levels[1]), Member("presentation", presented.levels[0])]
    assert name == group_name(data, members)
    assert (rate.n, rate.value) == (len(failed), len(failed[1::2]) / len(failed))


def test_the_report_says_above_its_finding_that_nothing_is_decided(open_page):
    assert "not decided yet" in kicker(open_page("report"))


def test_the_cards_say_on_whose_word_one_is_recommended(open_page):
    path = cache.path(REVIEW, Aim(("colour",)), "iterated", 0, 0.01)
    said = unlearn.chosen_by(path, "digit")
    assert said in [caption.value.replace("\\", "") for caption in open_page("unlearn").caption]
    assert f"{path.people} validation digits" in said
    assert "of test digits" in said


def test_the_sidebar_says_what_the_worst_finding_is_about_where_that_is_another(open_page):
    test = open_page("find_bias")
    assert not any("worst finding is about" in caption.value for caption in test.sidebar.caption)
    test.selectbox(key="attribute").set_value("paper").run()
    told = "The next steps look at paper. The worst finding is about colour."
    assert told in [caption.value for caption in test.sidebar.caption]
    twins = test.switch_page("app_pages/twins.py").run()
    assert told in [caption.value for caption in twins.sidebar.caption]
    twins.button(key="review_decisive").click().run()
    assert twins.selectbox(key="attribute").value == "colour"
    assert told not in [caption.value for caption in twins.sidebar.caption]


def test_the_worst_finding_is_that_of_the_review_at_hand_and_goes_when_there_is_none():
    """Limits are moved in a part of the page: the sidebar, drawn already, is drawn again where it says something
    else."""

    def script():
        import streamlit as st

        from app.record.review import Review
        from app.session import state
        from app.session import worst_finding as worst

        def drawn(attribute):
            again = worst.keep(attribute)
            worst.told()
            return again, worst.said()

        worst.begin()
        found = [worst.keep("paper"), *map(drawn, ("paper", "paper", "colour", ""))]
        drawn("paper")
        state.open_review(Review("synthetic_faces"))
        st.session_state["found"] = [*found, worst.said()]

    test = AppTest.from_function(script, default_timeout=60).run()
    assert not test.exception
    assert test.session_state["found"] == [
        False, (False, "paper"), (False, "paper"), (True, "colour"), (True, ""), "",
    ]  # fmt: skip
