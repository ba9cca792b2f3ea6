"""What each page says when only its first screen is seen: the finding, of what is under review."""

import numpy as np
from streamlit.testing.v1 import AppTest

from app import cache
from app.record.review import Aim, Review
from app.view_models import unlearn
from tests.app.test_pages import lead, press, titles

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
    data, known = cache.dataset(REVIEW), []
    anybody = np.ones(len(right), bool)
    classes = [anybody, *(test.labels == label for label in np.unique(test.labels))]
    for codes in (column.codes[test.rows] for column in data.attributes.values()):
        levels = [anybody, *(codes == level for level in np.unique(codes))]
        groups = [of_class & level for of_class in classes for level in levels]
        known += [float(right[who].mean()) for who in groups if who.sum() >= 30]
    least = cache.so_far(REVIEW).least
    assert least.accuracy.value == min(known)
    page = open_page("model")
    assert (
        titles(page)
        == f"Right for 37.3 % of 450 held-out digits, but for {100 * least.accuracy.value:.1f} % of {least.name}."
    )
    assert "ships with Coloured digits" in kicker(page)
    assert "That is the original" not in lead(page)
    applied = press(open_page("unlearn"), "Apply our suggestion").switch_page("app_pages/model.py").run()
    assert titles(applied) == titles(page)
    assert "That is the original; Find and Compare tell of Variant 1, which is in force." in lead(applied)


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
