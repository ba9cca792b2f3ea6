"""The page that makes a model forget an attribute, and what it leaves in history, comparison and report."""

from dataclasses import replace

import numpy as np
import pytest

from app import cache
from app.cache import judgements, opened, patterns
from app.jobs.registry import REGISTRY
from app.opening import model_forms
from app.record.review import Aim, Review
from app.record.trained import Pattern, Trained
from app.record.variants import Erasure, Retrained, describe
from app.reporting import gathering
from app.session import memory, state
from app.unlearning import forgetting_job
from app.view_models import feature_unlearning
from fmd_core import DataError, ModelError
from fmd_core.forget.finetuning import Round
from tests.app.test_pages import press, titles

REVIEW, AIM = Review(), Aim(("colour",))
ERASURE = Erasure(REVIEW, AIM, ("colour",), "within class", 0.01)


def journal(test):
    return test.session_state["journals"][REVIEW.data, REVIEW.model]


def test_erasing_is_the_first_look_and_is_judged_by_fresh_readers(open_page):
    test = open_page("feature_unlearning")
    found = cache.forgetting(ERASURE, ("colour",))
    linear = found.reading("colour", "linear")
    assert linear.before.accuracy > 0.9
    assert linear.after.margin < linear.before.margin / 4
    assert f"a linear reader tells it for {100 * linear.after.accuracy:.0f} %" in titles(test)
    assert not test.exception
    assert not test.error


def test_an_erasure_is_a_variant_like_any_other(open_page):
    test = press(open_page("feature_unlearning"), "Apply this")
    assert journal(test).history.current == ERASURE
    assert describe(ERASURE) == "colour erased from the features, within class"
    test = test.switch_page("app_pages/compare.py").run()
    found = cache.comparison(REVIEW, ERASURE, "colour")
    assert f"to {100 * found.bias.after.value:.1f} points" in titles(test)
    test = test.switch_page("app_pages/report.py").run()
    assert not test.exception
    assert not test.error


def test_the_head_of_an_erasure_answers_as_the_refitted_one_on_erased_features():
    made = cache.erased(ERASURE)
    people = cache.features(REVIEW, "test")
    wanted = made.refitted.probabilities(made.erasure.apply(people.features))
    np.testing.assert_allclose(cache.head(REVIEW, ERASURE).probabilities(people.features), wanted, atol=1e-5)


def test_a_report_on_an_erasure_holds_what_fresh_readers_told(open_page):
    judgements._forgetting.clear()
    test = press(open_page("feature_unlearning"), "Apply this")
    assert cache.known_forgetting(ERASURE) is cache.forgetting(ERASURE, ("colour",))
    test = test.switch_page("app_pages/report.py").run()
    assert not test.exception
    page = test.get("iframe")[0].proto.srcdoc
    assert "What was forgotten" in page
    assert "colour, a linear reader" in page
    judgements._forgetting.clear()
    page = test.run().get("iframe")[0].proto.srcdoc
    assert "was not asked in this review" in page
    assert cache.known_forgetting(ERASURE) is None  # a report computes nothing anew


def test_of_several_accounts_the_one_of_the_most_attributes_is_reported():
    both = cache.forgetting(ERASURE, ("colour", "paper"))
    cache.forgetting(ERASURE, ("colour",))
    assert cache.known_forgetting(ERASURE) is both
    judgements._forgetting.clear()


def test_a_page_about_another_attribute_than_the_sidebar_s_is_headed_by_it(open_page):
    test = open_page("feature_unlearning")
    test.multiselect(key="forget_colored_digits").set_value(["paper"]).run()
    assert "paper" in titles(test).lower()
    assert "colour" not in titles(test).lower()
    assert any("the paper bias" in m.value for m in test.markdown)  # before and after is about it too
    classes = next(t.value for t in test.table if "Class" in t.value.columns)
    assert classes["Class"].tolist()[:2] == ["0s", "1s"]
    test = next(b for b in test.button if b.label == "Apply although refused").click().run()
    made = journal(test).history.current
    refusal = cache.point(made).refusal
    assert journal(test).history.refusal(made) == refusal != ""
    assert (made.attributes, made.aim.attributes) == (("paper",), ("paper",))
    page = test.switch_page("app_pages/report.py").run().get("iframe")[0].proto.srcdoc
    assert "To be forgotten: paper." in page
    assert page.count(refusal) == 4  # first page, in force, history and audit log
    assert "Each class before and after" in page


def test_a_pattern_needs_no_annotation_and_heads_its_page(open_page, same_model_again):
    opened.open_beside.clear()
    groups = cache.channel_groups(REVIEW, "", None)
    name = feature_unlearning.pattern_name(1, groups.n_groups, groups.layer)
    made = replace(same_model_again, way="pattern", what=f"{name} forgotten by training", forgotten=(name,))
    test = open_page("find_bias")
    trained = Trained(made, (Round(1.0, 2.0), Round(0.5, 1.0)), 3.0, Pattern("", None, 1), 0.3)
    test.session_state["trained"] = {(REVIEW.data, REVIEW.model): (trained,)}
    test.session_state["forget_colored_digits"] = []
    test.session_state["forget_way"] = "pattern"
    test = test.switch_page("app_pages/feature_unlearning.py").run()
    assert not test.exception
    assert titles(test).startswith(
        f"There is no evidence that the answers hang less on {name}: hiding it moves"
    )
    assert not [t for t in test.table if "Reader" in t.value.columns]
    test = (
        press(test, "Apply this")
        if any(b.label == "Apply this" and not b.disabled for b in test.button)
        else test
    )
    opened.open_beside.clear()


def test_nothing_chosen_asks_for_an_attribute(open_page):
    test = open_page("feature_unlearning")
    test.multiselect(key="forget_colored_digits").set_value([]).run()
    assert titles(test) == "Can the model forget an attribute?"
    assert "Choose an attribute" in test.info[0].value


def test_what_cannot_be_erased_is_one_sentence(open_page, monkeypatch):
    def refuse(*_args, **_kwargs):
        raise DataError("Only 7 people show 'colour: red'; forgetting it needs 30 of each level.")

    monkeypatch.setattr(cache, "forgetting", refuse)
    test = open_page("feature_unlearning")
    assert titles(test) == "This cannot be forgotten."
    assert "Only 7 people" in test.error[0].value


def test_a_model_without_convolutions_has_no_patterns(open_page, monkeypatch):
    def refuse(_review):
        raise ModelError("Patterns of channels need a network with convolutions, and this one has none.")

    monkeypatch.setattr(cache, "convolutions", refuse)
    test = open_page("feature_unlearning")
    test.segmented_control(key="forget_way").set_value("pattern").run()
    assert titles(test) == "This cannot be forgotten."
    assert "need a network with convolutions" in test.error[0].value


@pytest.fixture
def same_model_again(monkeypatch):
    """A "changed" model that is the original: what stands beside it must give the same answers."""
    original = opened.open_model
    monkeypatch.setattr(opened, "open_model", lambda data, _model: original(data, "bundled"))
    beside = "f" * 32
    return Retrained(Review(beside=beside), AIM, "adversary", "colour forgotten by training", 0.01)


def test_a_retrained_model_stands_beside_the_original(same_model_again):
    opened.open_beside.clear()
    found = cache.comparison(REVIEW, same_model_again, "colour")
    assert found.verdict == "unchanged"
    assert cache.point(same_model_again).refusal == ""
    assert cache.features(same_model_again.review, "test").features.shape[1] == 2 * 64
    assert gathering._changed_layers(REVIEW, same_model_again) == ()
    assert gathering._changed_layers(REVIEW, None) is gathering._changed_layers(REVIEW, ERASURE) is None
    account = cache.forgetting(same_model_again, ("colour",))
    assert (
        account.reading("colour", "linear").before.accuracy
        == account.reading("colour", "linear").after.accuracy
    )
    opened.open_beside.clear()


def test_training_is_a_job_whose_model_is_kept_and_shown(open_page):
    """The training itself is tested in the core: here a quick one round."""
    test = open_page("feature_unlearning")
    test.segmented_control(key="forget_way").set_value("adversary").run()
    assert titles(test) == "Can the model forget colour?"
    test.number_input(key="forget_rounds").set_value(1).run()
    test = press(test, "Start training")
    job = REGISTRY.find(test.session_state["job_forgetting"])
    assert job is not None
    assert job.wait(120)
    assert job.state == "finished", job.error
    test.run()
    (trained,) = test.session_state["trained"][REVIEW.data, REVIEW.model]
    assert len(trained.rounds) == 1
    assert trained.variant.review.beside
    assert trained.variant.forgotten == ("colour",)
    kept = dict(model_forms.on_this_machine(REVIEW))[trained.variant.review.beside]
    assert (
        "colour forgotten by training" in kept
    )  # told from other trainings by what, strength, rounds and date
    assert ", 1 round, kept " in kept
    assert "colour" in titles(test).lower()
    test = next(b for b in test.button if b.label.startswith("Apply")).click().run()  # the guard may refuse
    assert journal(test).history.current == trained.variant
    assert not test.exception


def test_a_cancelled_training_leaves_nothing(monkeypatch):
    monkeypatch.setattr(memory.st, "session_state", {"attribute": "colour"})
    monkeypatch.setattr(forgetting_job.st, "rerun", lambda: None)
    monkeypatch.setattr(forgetting_job.job_panel, "start_job", lambda *a: REGISTRY.start(*a))
    forgetting_job.train(("colour",), AIM, "published", 1.0, 50, 0.01)
    job = REGISTRY.find(state.shown_job(forgetting_job.PLACE))
    REGISTRY.cancel(job.id)
    assert job.wait(60)
    assert (job.state, job.result) == ("stopped", None)
    assert forgetting_job._live == {}
    assert state.trained_here() == ()


def test_several_trainings_are_kept_once_each(monkeypatch):
    monkeypatch.setattr(memory.st, "session_state", {})
    variant = Retrained(Review(beside="a" * 32), AIM, "pattern", "pattern 1", 0.01)
    first = Trained(variant, (Round(1.0, 2.0),), 3.0, Pattern("conv", None, 0))
    state.remember_trained(first)
    state.remember_trained(first)
    assert state.trained_here() == (first,)
    assert forgetting_job.is_about(first, REVIEW, "pattern")
    assert not forgetting_job.is_about(first, REVIEW, "adversary")


def test_a_training_that_ends_while_another_review_is_open_belongs_to_its_own(monkeypatch):
    monkeypatch.setattr(memory.st, "session_state", {})
    trained = Trained(Retrained(Review(beside="a" * 32), AIM, "adversary", "x", 0.01), (), 3.0)
    state.open_review(Review("synthetic_faces"))
    state.remember_trained(trained)
    assert state.trained_here() == ()
    state.open_review(REVIEW)
    assert state.trained_here() == (trained,)


def test_two_cuts_into_patterns_are_told_apart(monkeypatch):
    monkeypatch.setattr(memory.st, "session_state", {"attribute": "colour"})
    begun = []
    monkeypatch.setattr(forgetting_job, "_begin", lambda _title, variant, *_: begun.append(variant.what))
    for n_groups in (2, 3):
        forgetting_job.train_without(Pattern("", n_groups, 0), 2, 0.01)
    layer = cache.channel_groups(REVIEW, "", 2).layer
    assert begun == [f"pattern 1 of {n} in layer {layer} forgotten by training, 2 rounds" for n in (2, 3)]
    assert layer


class TestWords:
    def test_losses(self):
        rounds = (Round(1.0, 2.0), Round(0.5, 1.25))
        assert feature_unlearning.losses_summary(rounds) == (
            "Over 2 rounds the task's loss went from 1.000 to 0.500, that of forgetting from 2.000 to 1.250."
        )
        assert feature_unlearning.losses_table(rounds)["Task loss"].tolist() == ["1.000", "0.500"]

    def test_coverage(self):
        assert feature_unlearning.coverage_sentence(0.341).startswith(
            "The pattern covers 34.1 % of a training"
        )

    def test_spectrum(self):
        said = "40 channels of this layer respond to anything. "
        assert feature_unlearning.spectrum_summary(2, 40, by_hand=False) == said + (
            "By what they respond to they fall into 2 groups: in the picture, the largest step comes after point 2."
        )
        assert feature_unlearning.spectrum_summary(5, 40, by_hand=True) == said + (
            "They are sorted into 5 groups by what they respond to, as you chose."
        )


def test_patterns_are_shown_and_one_can_be_chosen(open_page):
    test = open_page("feature_unlearning")
    test.segmented_control(key="forget_way").set_value("pattern").run()
    groups = cache.channel_groups(REVIEW, "", None)
    assert sum(m.value.startswith("**Pattern") for m in test.markdown) == groups.n_groups
    assert any(b.label == "Forget this pattern" for b in test.button)
    assert not test.exception


def test_reliance_on_a_pattern_is_asked_of_the_original_and_of_the_changed_model(monkeypatch):
    original = cache.classifier(REVIEW)
    heads = {"bundled": original, "c" * 32: original.with_head(cache.head(REVIEW, ERASURE))}
    asked = []

    def told(model, _data, _groups, _group, rows, *, found_by):
        assert found_by is original
        asked.append(model)
        return np.full(len(rows), 0.4 if model is original else 0.1)

    monkeypatch.setattr(patterns, "channel_groups", lambda *_: None)
    monkeypatch.setattr(patterns, "pattern_reliance", told)
    monkeypatch.setattr(opened, "open_model", lambda _data, model: heads[model])
    found = cache.reliance(REVIEW, "mocked", 2, 0, "c" * 32)
    assert asked == [heads["bundled"], heads["c" * 32]]
    assert (found.before.value, found.after.value) == pytest.approx((0.4, 0.1))
    assert found.difference.value == pytest.approx(-0.3)
