"""What counts as bias, several attributes at once, and the proof that it worked."""

import threading

import numpy as np
import pytest

from app import cache
from app.jobs import preparation
from app.jobs.registry import REGISTRY
from app.record.review import Aim, Review
from app.session import memory, state
from app.view_models import find_bias, proof
from fmd_core import DataError, Study, figures
from fmd_core.measure.verdict.goal import Goal
from tests.app.test_pages import go_to_suggestion, in_force, press, titles

REVIEW = Review()
PARITY = "demographic parity"


def choose(test, measure):
    return test.selectbox(key="measure").set_value(measure).run()


@pytest.mark.parametrize("measure", [PARITY, "equal opportunity"])
def test_every_page_follows_what_counts_as_bias(open_page, measure):
    test = choose(open_page("find_bias"), measure)
    assert (
        titles(test) == cache.verdict(REVIEW, None).headline
    )  # whatever counts as bias, no finding is hidden
    assert "Gap, points" in test.table[1].value.columns
    test = test.switch_page("app_pages/harmful.py").run()
    assert f"most teaches the {measure} gap by colour is a" in titles(test)
    test = go_to_suggestion(test.switch_page("app_pages/unlearn.py").run())
    assert f"the {measure} gap by colour falls" in titles(test).lower()
    test = press(test, "Apply this").switch_page("app_pages/report.py").run()
    assert f"the {measure} gap by colour falls" in titles(test).lower()
    assert not test.exception


def test_each_bias_has_its_own_scores_and_heads():
    aims = [Aim(("colour",), m) for m in ("counterfactual", PARITY, "equal opportunity")]
    assert len({tuple(cache.scores(REVIEW, aim).most_harmful(20)) for aim in aims}) == 3
    assert (
        len({cache.path(REVIEW, a, "iterated", 0, 0.01).suggested.result.head.fingerprint for a in aims}) == 3
    )


def test_several_attributes_are_taken_out_at_once(open_page):
    test = open_page("unlearn")
    test.multiselect(key="also").set_value(["paper"]).run()
    test = go_to_suggestion(test)
    goal = Goal.of(cache.verdict(REVIEW, None).worst)
    alone, joint = (
        cache.path(REVIEW, Aim(names), "iterated", 0, 0.01, goal).suggested.result.head.fingerprint
        for names in (("colour",), ("colour", "paper"))
    )
    assert alone != joint
    test = press(test, "Apply this")
    assert in_force(test) == joint[:16]
    assert any("colour and paper" in m.value for m in test.markdown)
    test = test.switch_page("app_pages/report.py").run()
    assert not test.exception


def test_the_attribute_under_review_is_not_offered_twice(open_page):
    test = open_page("unlearn")
    test.multiselect(key="also").set_value(["paper"]).run()
    test.selectbox(key="attribute").set_value("paper").run()
    assert test.multiselect(key="also").options == ["colour"]
    assert test.multiselect(key="also").value == []
    assert not test.exception


def show(test, tab):
    """Open a tab of the evidence, as a click on it does."""
    test.session_state["evidence_unlearn"] = tab
    return test.run()


def test_the_evidence_opens_with_the_verdict_and_draws_the_open_tab_alone(open_page):
    test = go_to_suggestion(open_page("unlearn"))
    assert any(m.value.startswith("Improved\\: the colour bias falls by") for m in test.markdown)
    assert not test.dataframe
    test = show(test, "Who pays?")
    assert test.dataframe
    assert not any("Fix" in t.value.columns for t in test.table)
    slider = test.select_slider(key="stop_colour_iterated_last layer")
    assert slider.set_value(slider.options[1]).run().dataframe  # another strength leaves the tab open


def test_the_proof_holds_the_variant_against_simpler_fixes(open_page):
    test = show(go_to_suggestion(open_page("unlearn")), "Did it really work?")
    table = next(t.value for t in test.table if "Fix" in t.value.columns)
    assert table["Fix"].tolist() == [
        "This variant",
        "Refit without the 90 most harmful",
        "Refit without 90 at random",
        "Plain refit on 200 twins",
        "Only the thresholds moved",
    ]
    found = cache.rivals(REVIEW, Aim(("colour",)), 90)
    assert table["Change of bias"].tolist()[1:] == [
        figures.figure(comparison.judged.difference, difference=True) for _, comparison in found
    ]
    assert any(m.value.startswith("Improved\\: the colour bias falls by") for m in test.markdown)


def test_the_proof_leaves_out_as_many_as_the_strategy(open_page):
    test = open_page("unlearn")
    test.selectbox(key="strategy").set_value("paper-remove").run()
    slider = test.select_slider(key="stop_colour_paper-remove_last layer")
    slider.set_value(slider.options[-1]).run()
    test.number_input(key="unlearn_k").set_value(40).run()
    test = show(test, "Did it really work?")
    table = next(t.value for t in test.table if "Fix" in t.value.columns)
    assert "Refit without the 40 most harmful" in table["Fix"].tolist()


def test_leaving_too_many_out_is_one_sentence(open_page):
    test = open_page("unlearn")
    test.selectbox(key="strategy").set_value("paper-remove").run()
    test.number_input(key="unlearn_k").set_value(len(cache.features(REVIEW, "train"))).run()
    slider = test.select_slider(key="stop_colour_paper-remove_last layer")
    test = show(slider.set_value(slider.options[-1]).run(), "Did it really work?")
    assert not test.exception
    assert len(test.error) == 1
    assert "no example of" in test.error[0].value
    assert show(test, "Who pays?").dataframe
    assert not test.error


@pytest.mark.parametrize("verdict", ["improved", "mixed", "no evidence", "worse"])
def test_every_verdict_has_its_sentence(verdict):
    assert proof.VERDICTS[verdict].startswith(verdict.split()[0].capitalize())


def open_deep(open_page, depth="concatenated"):
    test = open_page("unlearn")
    test.selectbox(key="depth").set_value(depth).run()
    return go_to_suggestion(test)


def test_two_layers_take_out_what_one_cannot_see(open_page):
    one = titles(go_to_suggestion(open_page("unlearn")))
    two = titles(open_deep(open_page))
    accuracy = [float(t.split("to ")[-1].split(" %")[0]) for t in (one, two)]
    assert "the colour bias falls" in one.lower()
    assert "the colour bias falls" in two.lower()
    assert accuracy[1] > accuracy[0] + 5


def test_a_deep_variant_is_in_force_everywhere(open_page):
    test = press(open_deep(open_page), "Apply this")
    assert any("concatenated" in m.value for m in test.markdown)
    for page in ("find_bias", "twins", "harmful", "report", "unlearn"):
        test = test.switch_page(f"app_pages/{page}.py").run()
        assert not test.exception, page
        assert not test.error, page
    assert test.button
    test = press(test, "Back to original")
    assert in_force(test) == cache.classifier(REVIEW).head.fingerprint[:16]


def test_depths_of_one_model_answer_alike():
    found = [cache.classifier(Review(depth=d)) for d in ("last layer", "concatenated", "two layers")]
    people = [cache.features(Review(depth=d), "test") for d in ("last layer", "concatenated", "two layers")]
    answers = [m.head.probabilities(p.features) for m, p in zip(found, people, strict=True)]
    assert len({p.features.shape[1] for p in people}) == 3
    for other in answers[1:]:
        np.testing.assert_allclose(other, answers[0], atol=1e-4)


def test_matched_twins_are_the_same_people_at_every_depth():
    pairs = cache.pairs(REVIEW, "test", "colour")
    deep = cache.features(Review(depth="concatenated"), "test")
    kept = pairs.seen_in(deep)
    np.testing.assert_array_equal(kept.rows, pairs.rows)
    np.testing.assert_array_equal(kept.favoured.rows, pairs.favoured.rows)
    np.testing.assert_array_equal(kept.favoured.features, deep.features)
    with pytest.raises(DataError, match="not among those"):
        pairs.seen_in(deep.subset(np.arange(5)))


def test_the_guard_takes_the_placebo_off_and_the_scores_do_not(monkeypatch):
    floor = cache.pairs(REVIEW, "validation", "paper")
    monkeypatch.setattr(Study, "placebo", lambda *_: floor)
    aim = Aim(("colour",))
    assert cache.guard(REVIEW, aim, 0.01).bias.placebo is floor
    assert cache.inputs(REVIEW, aim, "iterated").bias.placebo is None


def test_what_is_taken_out_names_no_attribute_twice(monkeypatch):
    monkeypatch.setattr(memory.st, "session_state", {"attribute": "paper", "also": ["paper", "colour"]})
    assert state.joint_aim() == Aim(("paper", "colour"))
    assert state.aim() == Aim(("paper",))


def test_a_path_that_was_stopped_waits_to_be_begun_again(open_page, monkeypatch):
    cache.warm(REVIEW)
    monkeypatch.setattr(preparation, "PATIENCE_SECONDS", 0.05)
    begun, go_on = threading.Event(), threading.Event()

    def slow(_review, _aim, _strategy, k, progress):
        begun.set()
        while k == 77 and not go_on.wait(0.02):
            progress(0.1)

    monkeypatch.setattr(cache, "warm_path", slow)
    test = open_page("unlearn")
    test.selectbox(key="strategy").set_value("paper-remove").run()
    test.number_input(key="unlearn_k").set_value(77).run()
    assert titles(test) == "Trying every strength against colour."
    job = REGISTRY.find(test.session_state["job_preparation"])
    assert begun.wait(5)
    REGISTRY.cancel(job.id)
    assert job.wait(5)
    test.run()
    assert titles(test) == "Trying every strength against colour was stopped."
    go_on.set()
    test = press(test, "Begin again")
    assert "was stopped" not in titles(test)
    assert not test.exception


def test_scores_that_take_long_are_a_job_that_can_be_stopped(open_page, monkeypatch):
    cache.warm(REVIEW)
    monkeypatch.setattr(preparation, "PATIENCE_SECONDS", 0.05)
    monkeypatch.setattr(cache, "are_scored", lambda *_: False)
    go_on = threading.Event()

    def slow(_review, _aim, progress):
        while not go_on.wait(0.02):
            progress(0.1)

    monkeypatch.setattr(cache, "scores", slow)
    training = REGISTRY.start("long", "Somebody trains", lambda _: go_on.wait(60))
    test = open_page("harmful")
    assert titles(test).startswith("Scoring every training digit")
    job = REGISTRY.find(test.session_state["job_preparation"])
    assert job.state == "running"  # and not waiting until the training ends
    assert training.state == "running"
    REGISTRY.cancel(job.id)
    assert job.wait(5)
    assert "was stopped" in titles(test.run())
    go_on.set()
    assert training.wait(5)


def test_a_single_sample_s_effect_is_measured_beside_its_prediction():
    scores, aim = cache.scores(REVIEW, Aim(("colour",))), Aim(("colour",))
    some = [int(p) for p in (*scores.most_harmful(3), *scores.most_helpful(3))]
    measured = [cache.measured_effect(REVIEW, aim, p) for p in some]
    np.testing.assert_allclose(measured, scores.removal_effect[some], rtol=0.2)
    assert np.sign(measured).tolist() == [-1, -1, -1, 1, 1, 1]


def test_everybody_is_looked_at_at_once(open_page):
    test = open_page("find_bias")
    flags = cache.red_flags(REVIEW, None)
    view = find_bias.build_flags(flags)
    assert any(
        m.value.startswith(("Served worst over all classes", "Over all classes")) for m in test.markdown
    )
    assert view.table["n"].tolist() == [f.accuracy.n for f in flags][: len(view.table)]
    assert "not enough people to say" in " ".join(view.table["Right, %"])
    assert set(view.attributes) == {"colour", "paper"}


def test_a_selected_row_opens_the_story_of_its_attribute(monkeypatch):
    session = {"red_flags": {"selection": {"rows": [1], "columns": [], "cells": []}}}
    monkeypatch.setattr(memory.st, "session_state", session)
    assert memory.selected_rows("red_flags") == [1]
    memory.put("attribute", "paper")
    assert state.attribute() == "paper"
