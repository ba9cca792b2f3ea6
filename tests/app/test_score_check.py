"""Check these scores: what the section says, and that nothing is refitted before somebody asks."""

from threading import Event

import numpy as np
import pytest

import fmd_core as fmd
from app import cache
from app.jobs import preparation
from app.jobs.registry import REGISTRY
from app.record.review import Aim, Review
from app.view_models import charts, score_check
from fmd_core import DataError, Estimate
from fmd_core.heads.linear import LinearHead
from fmd_core.heads.two_layer import MLPHead
from fmd_core.influence.score_check import Effect, GroupCheck, ScoreCheck, SignTest
from fmd_core.study import teaching

REVIEW, AIM = Review(), Aim(("colour",))
LABEL = "Check these scores"


def made(harmful=-0.031, random=(-0.002, 0.004), helpful=0.05, *, right=19, p_value=21 / 2**20, **changes):
    """Predictions fall a tenth short of the truth, scores a half, held-out people feel half of it."""

    def group(kind, *truths):
        effects = [Effect(t / 2, 0.9 * t, t, 0.44 * t, t / 2) for t in truths]
        return GroupCheck(kind, tuple(effects))

    settings = {"bias": 0.6, "bias_refitted": 0.6, "head_distance": 0.0} | changes
    groups = group("harmful", harmful), group("random", *random), group("helpful", helpful)
    return ScoreCheck("colour", 50, groups, SignTest(right, 20, p_value, 17), **settings)


# --- the view model


def test_predicted_and_measured_stand_side_by_side():
    view = score_check.build(made(), "digit")
    assert view.summary == (
        "Without the 50 most harmful the bias changes by −3.1 points (predicted −2.8), without 50 random ones by +0.1 "
        "points (predicted +0.1), without the 50 most helpful by +5.0 points (predicted +4.5). Random is the mean of "
        "2 draws, the whiskers their range."
    )
    assert view.labels == ("50 most harmful", "50 random", "50 most helpful")
    assert view.measured[1] == Estimate(pytest.approx(0.001), -0.002, 0.004, 2)
    assert view.predicted[0].value == pytest.approx(-0.0279)


def test_the_table_has_every_figure():
    table = score_check.build(made(), "digit").table
    assert table.iloc[0].tolist() == ["50 most harmful", "−1.6", "−2.8", "−3.1", "−1.4", "−1.6"]
    assert table["Measured"].tolist() == ["−3.1", "+0.1", "+5.0"]


@pytest.mark.parametrize(("scale", "shown"), [(1, "−3.1"), (0.1, "−0.31"), (0.01, "−0.031")])
def test_small_changes_get_more_decimals(scale, shown):
    view = score_check.build(made(-0.031 * scale, (0.0,), 0.05 * scale), "digit")
    assert view.table["Measured"][0] == shown


def test_held_out_people_and_the_sum_of_scores_are_said():
    assert score_check.build(made(), "digit").held_out == (
        "On held-out digits, which the scores do not know: −1.6 points (predicted −1.4) without the harmful, +2.5 "
        "points (predicted +2.2) without the helpful. The single scores add up to −1.6 and +2.5: effects of digits "
        "that go together do not simply add up."
    )


def test_the_planted_sign_test_is_one_sentence_and_its_chance():
    assert score_check.build(made(), "digit").planted == (
        "Then 20 external digits were planted in the training data, one at a time: 19 of 20 signs right, that is, "
        "the bias moved the way the score says (on held-out digits 17 of 20). Guessing gets 10 (p < 0.001)."
    )
    assert "12 of 20 signs right" in score_check.build(made(right=12, p_value=0.2517), "digit").planted
    assert "(p = 0.252)" in score_check.build(made(right=12, p_value=0.2517), "digit").planted


@pytest.mark.parametrize(
    ("found", "headline", "reason"),
    [
        (made(), "can be relied on", "in kind and in size"),
        (made(right=17), "rough", "some planted digits move the bias the other way"),
        (made(0.03), "not to be relied on", "does not move the bias as predicted"),
        (made(right=12, p_value=0.25), "not to be relied on", "more often than by guessing"),
    ],
)
def test_the_verdict_has_a_reason(found, headline, reason):
    view = score_check.build(found, "digit")
    assert headline in view.headline
    assert reason in view.reason


def test_a_poor_size_names_who_is_off():
    effects = (Effect(-0.03, -0.02, -0.05, -0.02, -0.05),)
    found = made()
    off = ScoreCheck(
        "colour", 50, (GroupCheck("harmful", effects), *found.groups[1:]), found.planted, 0.6, 0.6, 0.0
    )
    assert score_check.build(off, "digit").reason.endswith("but how much is predicted poorly (harmful).")


def test_effects_that_do_not_hold_elsewhere_are_said():
    effects = (Effect(0.02, 0.045, 0.05, -0.01, -0.01),)
    found = made()
    elsewhere = ScoreCheck(
        "colour", 50, (*found.groups[:2], GroupCheck("helpful", effects)), found.planted, 0.6, 0.6, 0.0
    )
    assert score_check.build(elsewhere, "digit").reason.endswith("but not on held-out digits.")


def test_a_head_that_had_not_converged_is_named():
    assert score_check.build(made(), "digit").caution == ""
    caution = score_check.build(made(head_distance=0.146, bias=0.414, bias_refitted=0.419), "digit").caution
    assert "moves it by 15 % of its length and the bias from 41.4 to 41.9 points" in caution


def test_the_top_of_the_page_says_both():
    assert score_check.lead(made()) == (
        "Checked: fitted again without the 50 most harmful, the model's bias changes by −3.1 points; predicted were "
        "−2.8."
    )


# --- the chart


def test_only_what_has_a_range_has_whiskers():
    exact, ranged = Estimate(-0.03, -0.03, -0.03, 1), Estimate(0.0, -0.01, 0.02, 5)
    figure = charts.predicted_measured(["a", "b"], [exact, ranged], [exact, exact])
    found = [(t.name, t.y, t.x, t.error_x.visible, t.showlegend) for t in figure.data]
    assert found == [
        ("predicted", ("a",), (-3.0,), False, True),
        ("predicted", ("b",), (0.0,), True, False),
        ("measured", ("a", "b"), (-3.0, -3.0), False, True),
        ("measured", (), (), False, False),
    ]
    assert figure.data[1].error_x.array == pytest.approx([2.0])
    assert figure.layout.yaxis.categoryarray == ("a", "b")


# --- the page


def button(test):
    return next((b for b in test.button if b.label == LABEL), None)


def lead(test) -> str:
    return next(h.body for h in test.get("html") if "training digits are harmful" in h.body)


@pytest.mark.usefixtures("fresh_caches")
def test_nothing_is_refitted_before_it_is_asked_for_and_then_only_once(open_page, monkeypatch):
    calls, check = [], fmd.check_scores

    def counted(*given, **named):
        calls.append(named["k"])
        return check(*given, **named, draws=2, plants=6)

    monkeypatch.setattr(teaching, "check_scores", counted)
    test = open_page("harmful")
    test.number_input(key="harmful_k").set_value(12).run()
    assert not calls
    assert "do not simply add up" in lead(test)
    assert not any("Left out" in table.value for table in test.table)

    test = button(test).click().run()
    assert not test.exception
    assert not test.error
    assert calls == [12]
    assert button(test) is None
    assert test.table[0].value["Left out"].tolist() == ["12 most harmful", "12 random", "12 most helpful"]
    found = cache.known_score_check(REVIEW, AIM, 12)
    assert score_check.lead(found) in lead(test).replace("&#x27;", "'")

    test.number_input(key="harmful_k").set_value(13).run()
    assert button(test) is not None  # another K has not been checked
    test.number_input(key="harmful_k").set_value(12).run()
    assert button(test) is None
    assert calls == [12]


@pytest.mark.usefixtures("fresh_caches")
def test_a_check_that_takes_longer_is_followed_and_can_be_stopped(open_page, monkeypatch):
    gate, finish = Event(), fmd.check_scores

    def slow(*given, progress, **named):
        gate.wait(30)
        return finish(*given, progress=progress, **named)

    monkeypatch.setattr(teaching, "check_scores", slow)
    test = open_page("harmful")
    monkeypatch.setattr(preparation, "PATIENCE_SECONDS", 0.01)
    test = button(test).click().run()
    job = next(job for job in REGISTRY.recent() if job.title == "Checking the scores of the colour bias")
    assert job.live
    assert button(test) is None
    next(b for b in test.button if b.label == "Cancel").click().run()
    gate.set()
    assert job.wait(30)
    assert job.state == "stopped"
    assert cache.known_score_check(REVIEW, AIM, 50) is None
    test.run()
    assert button(test) is not None


@pytest.mark.usefixtures("fresh_caches")
def test_a_k_that_cannot_be_checked_is_one_sentence(open_page):
    test = open_page("harmful")
    test.number_input(key="harmful_k").set_value(451).run()
    test = button(test).click().run()
    assert not test.exception
    assert [e.value.replace("\\", "") for e in test.error] == [
        "K = 451 cannot be checked: the most harmful and the most helpful would overlap; choose K between 1 and 450, "
        "half of the 900 training samples."
    ]
    assert button(test) is not None


@pytest.mark.usefixtures("fresh_caches")
def test_a_failure_is_kept_for_nobody(monkeypatch):
    def fail(*_given, **_named):
        raise DataError("no")

    monkeypatch.setattr(teaching, "check_scores", fail)
    with pytest.raises(DataError):
        cache.score_check(REVIEW, AIM, 20)
    assert cache.known_score_check(REVIEW, AIM, 20) is None


def two_layers(monkeypatch):
    from app.samples import score_check as section

    class Model:
        head = MLPHead(np.ones((4, 6)), np.zeros(4), LinearHead(np.zeros((3, 4)), np.zeros(3)))

    monkeypatch.setattr(section.cache, "classifier", lambda _review: Model())
    return section


def test_two_layers_are_not_offered_the_check(monkeypatch):
    section, said = two_layers(monkeypatch), []
    monkeypatch.setattr(section.st, "info", said.append)
    section.draw(REVIEW, AIM, 21)
    assert said == [score_check.NEEDS_ONE_LAYER]
