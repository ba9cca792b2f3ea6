"""The tour plays a whole review, goes back, can be left, and applies nothing."""

from app.frame import tour


def press(test, key):
    return test.button(key=key).click().run()


def said(test):
    return " ".join(m.value for m in test.markdown)


def test_the_tour_leads_through_a_review_and_applies_nothing(open_page):
    test = press(open_page("start"), "begin_tour")
    for number, stop in enumerate(tour.STOPS, 1):
        assert not test.exception
        assert f"**{stop.title}**" in said(test)
        assert f"{number} of {len(tour.STOPS)}" in said(test)
        in_address = (
            {"strength"} if number > len(tour.STOPS) - 2 else set()
        )  # the view, and nothing of the tour
        assert set(test.query_params) == in_address
        if stop.page == "unlearn":
            slider = test.select_slider[0]
            assert slider.value.startswith("0 ") != stop.suggests
        if number < len(tour.STOPS):
            test = press(test, "tour_next")
    assert "journals" not in test.session_state  # no step was taken
    test = press(test, "tour_back")
    assert not test.select_slider[0].value.startswith("0 ")
    test = press(test, "tour_leave")
    assert "Leave" not in [b.label for b in test.button]
    assert tour.AT not in test.session_state


def test_the_target_of_the_fix_is_the_limit_of_its_kind(open_page):
    test = open_page("unlearn")
    test.number_input(key="target").set_value(20.0).run()
    assert test.session_state["limit_twins"] == 20.0
    test.selectbox(key="measure").set_value("predictive equality").run()
    assert test.number_input(key="target").value == 10.0  # another kind has a limit of its own
    test.number_input(key="target").set_value(15.0).run()
    assert test.session_state["limit_equal_truth"] == 15.0
    assert test.session_state["limit_twins"] == 20.0
