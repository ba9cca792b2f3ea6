"""Deeper on the Unlearn page: what is said of it, and what it leaves in history, guard, Compare, report and file."""

from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest

from app import cache
from app.cache import deeper, fixes, opened
from app.jobs.registry import REGISTRY
from app.record.history import History
from app.record.review import Aim, Review
from app.record.trained import Learnt, Trained
from app.record.variants import Retrained, describe
from app.session import memory, state
from app.unlearning import deeper_job, learned_runs
from app.unlearning.model_files import network_file
from app.view_models import deeper as words
from app.view_models import learning_on, network_stage
from fmd_core import FeatureSet
from fmd_core.errors import ModelError
from fmd_core.models.files import load_classifier
from fmd_core.report.aiming import FARTHER
from fmd_core.study.debiasing import JudgedBaseline
from fmd_core.unlearn.deeper.answers import Asked, Logits, figures_of
from fmd_core.unlearn.deeper.choosing import SHARES, choose
from fmd_core.unlearn.deeper.settings import DeeperSettings
from tests.app.test_pages import press, titles

REVIEW = Review()
FEW = partial(DeeperSettings, kept=(20,))


class TestWords:
    """On people who are made up: 200 frequent ones who are answered right, and a few of whom the half is."""

    def path(self, rare=20, tolerance=0.01, improve="groups"):
        labels = np.array([0] * 200 + [1] * 200 + [1] * rare)
        levels = np.array([0] * 200 + [1] * 200 + [0] * rare)
        people = Asked(
            FeatureSet(np.zeros((len(labels), 1)), labels, np.arange(len(labels))), levels, None, None
        )
        answers = labels.copy()
        answers[400 : 400 + rare // 2] = 0
        original, repaired = (Logits(4.0 * np.eye(2)[of], None, None) for of in (answers, labels))
        path = choose(people, original, {1: repaired}, improve=improve, tolerance=tolerance)
        tests = figures_of(people, original), figures_of(people, repaired)
        return words.build(cache.dataset(REVIEW), "colour", path, 1.0, tests, (), improve), path

    def test_the_smallest_group_is_counted_and_a_handful_says_little(self):
        view, path = self.path()
        assert path.least == 20
        assert "420 digits of the validation part choose, and the curve is theirs" in view.choosers
        assert "has 20 of them. A choice by so few says little" in view.choosers
        assert "says little" not in self.path(rare=40)[0].choosers

    def test_nobody_is_called_worst_where_no_group_is_large(self):
        view, _ = self.path(rare=40)
        assert view.nobody_large == ""
        worst = view.fixes[words.WORST].tolist()
        assert worst[0].startswith("50.0 (35.2 to 64.8), ")
        assert worst[0].endswith("n = 40")
        tests = [replace(of, groups=tuple(replace(g, n=12) for g in of.groups)) for of in self.figures()]
        data, (_, path) = cache.dataset(REVIEW), self.path()
        view = words.build(data, "colour", path, 1.0, tuple(tests), (), "groups")
        assert words.WORST not in view.fixes.columns
        assert view.nobody_large == (
            "Who is served worst cannot be said: no group of one class and attribute value has 30 digits."
        )

    def figures(self):
        _, path = self.path()
        return path.points[0].figures, path.points[-1].figures

    def test_the_suggestion_says_what_it_gains_and_costs(self):
        view, path = self.path()
        assert path.chosen.share > 0.5
        assert view.suggestion.startswith(
            "Our suggestion: the repaired network. With at most 1 point of accuracy lost"
        )
        assert (
            "the share that is right with every group counted alike goes from 83.3 to 100.0 % for those who choose"
            in view.suggestion
        )

    def test_without_twins_there_are_no_columns_of_twins(self):
        view, _ = self.path()
        assert not set(words.TWINS) & set(view.points.columns)
        assert [name for name, _ in view.series] == ["right", "every group alike", "worst group"]

    def test_a_simpler_fix_that_does_no_worse_is_named(self):
        _, path = self.path()
        before, after = self.figures()

        def told(fix):
            moved = JudgedBaseline("Plain refit on 9 twins", path.points[1], fix)
            stays = JudgedBaseline("Only the thresholds moved", path.original, after)
            view = words.build(
                cache.dataset(REVIEW), "colour", path, 1.0, (before, after), (moved, stays), "groups"
            )
            assert "Only the thresholds moved (the guard keeps the original)" in view.fixes["Fix"].tolist()
            return view.simpler_is_enough

        assert told(after) == (
            "On these people a simpler fix does no worse: plain refit on 9 twins. There the share that is right with "
            "every group counted alike is 100.0 %."
        )
        assert told(before) == ""

    def test_where_nothing_is_allowed_the_model_stays_and_says_why(self):
        _, path = self.path()
        refused = tuple(replace(p, refusal="accuracy falls by 9 points" * bool(p.share)) for p in path.points)
        stays = replace(path, points=refused, chosen=refused[0])
        view = words.build(cache.dataset(REVIEW), "colour", stays, 0.0, self.figures(), (), "groups")
        assert view.suggestion.startswith(
            "Our suggestion: leave the model as it is. Nothing on the way is allowed"
        )
        assert view.suggestion.endswith("that accuracy falls by 9 points.")
        assert words.suggested_stop(stays) == "0 % (original)"

    def test_a_model_that_cannot_learn_on_says_why_once(self):
        shut = dict.fromkeys(learning_on.CHANGES, "A forest cannot be trained further here.")
        assert (
            learning_on.why_cannot(shut)
            == "This model cannot learn on. A forest cannot be trained further here."
        )
        assert learning_on.can_change(shut) == ()
        some = {**shut, "whole network": ""}
        assert learning_on.why_cannot(some) == ""
        assert learning_on.can_change(some) == ("whole network",)
        assert learning_on.closed(some) == "A forest cannot be trained further here."

    def test_the_cost_names_people_steps_and_time(self):
        data = cache.dataset(REVIEW)
        told = learning_on.cost(data, "last block", "twins", "25 seconds", in_turns=False)
        assert told.startswith(
            "1,100 digits of the training and the external part teach it, in 600 steps of 128 each."
        )
        assert "About 25 seconds, by a few steps that were measured on this machine." in told

    def test_thresholds_cost_nothing_and_turns_are_said(self):
        data = cache.dataset(REVIEW)
        told = learning_on.cost(data, "threshold", "groups", "", in_turns=True)
        assert told == "Nothing learns: one number for each answer is moved, which takes a moment."
        assert learning_on.cost(data, "last block", "groups", "a minute", in_turns=True).endswith(
            learning_on.IN_TURNS
        )
        assert learning_on.goes_on((0, 1600)) == ""
        assert (
            learning_on.goes_on((1200, 1600))
            == "It was interrupted after 1,200 of 1,600 steps and goes on from there."
        )
        view, _ = self.path()
        assert "learned from them" not in view.choosers

    def test_who_take_turns_and_how_few_decide_nothing_is_said(self):
        data, (_, path) = cache.dataset(REVIEW), self.path(rare=8)
        tests = path.points[0].figures, path.points[-1].figures
        both = "validation", "external"
        view = words.build(data, "colour", path, 1.0, tests, (), "groups", both)
        assert "408 digits of the validation and external part choose" in view.choosers
        assert "Nobody among them judges a network that learned from them." in view.choosers
        assert view.choosers.endswith(
            "Fewer than 10 decide nothing: before and after on test digits says more."
        )

    def test_the_name_by_which_other_places_point_here(self):
        assert f"“{learning_on.TITLE}”" in FARTHER

    def test_a_share_of_the_way_is_said_and_the_whole_way_is_not(self):
        made = Retrained(
            REVIEW, Aim(("colour",)), "learn-on", learning_on.made("colour", "last block", "twins", 400), 0.01
        )
        assert describe(made) == "colour: last block learned on, twins answered alike, 400 steps"
        assert describe(replace(made, share=0.75)) == f"{describe(made)}, 75 % of the way"


class TestCurve:
    """What lies across is what is taken out, under its own name."""

    def curve(self, measure, improve="groups"):
        _, path = TestWords().path(improve=improve)
        (axis, name), *_ = network_stage.axes(path, measure).items()
        return path, network_stage.build_curve(
            path, path.points[-1], "digit", axis, name, ("validation",), measure
        )

    def test_a_gap_is_not_called_the_bias_between_twins(self):
        path, curve = self.curve("demographic parity")
        assert curve.axis == "gap in answers, points"
        assert curve.full[0].bias == pytest.approx(100 * path.original.figures.parity.value)
        path, curve = self.curve("equal opportunity")
        assert curve.full[1].bias == pytest.approx(100 * path.points[-1].figures.opportunity.value)
        twins = replace(path.original.figures, bias=0.4, flips=0.3)
        with_twins = replace(path, points=(replace(path.original, figures=twins), *path.points[1:]))
        assert list(network_stage.axes(with_twins, "counterfactual")) == ["bias", "decided"]
        assert list(network_stage.axes(with_twins, "predictive equality")) == ["worst"]
        for measure, gap in (("demographic parity", twins.parity), ("equal opportunity", twins.opportunity)):
            (axis, name), *_ = network_stage.axes(with_twins, measure).items()
            assert (axis, name) == ("decided", "Gap in answers")
            across = network_stage.build_curve(
                with_twins, path.points[-1], "digit", axis, name, ("validation",), measure
            )
            assert across.full[0].bias == pytest.approx(100 * gap.value)  # not the flips of their twins

    def test_who_is_answered_wrong_is_said_to_be(self):
        path, curve = self.curve("counterfactual")
        wrong = 100 * (1 - path.original.figures.balanced)
        assert f"From every group alike {wrong:.1f} % wrong and" in curve.summary


def test_networks_that_came_about_alike_are_both_listed():
    made = Retrained(replace(REVIEW, beside="e" * 32), Aim(("colour",)), "learn-on", "x", 0.01)
    runs = [
        learned_runs.Run(replace(made, review=replace(REVIEW, beside=name), what=what), "twins")
        for name, what in (("a", "x"), ("b", "y"), ("c", "x"))
    ]
    assert learned_runs.by_name(runs) == {"x": runs[0], "y": runs[1], "x (2)": runs[2]}


def test_validation_people_do_not_judge_what_may_have_learned_from_them(monkeypatch, tmp_path):
    """Of a network whose choosers took turns the record is damaged: it cannot be asked now how they fare."""
    original = opened.open_model
    monkeypatch.setenv("FMD_HOME", str(tmp_path))
    monkeypatch.setattr(opened, "open_model", lambda data, _model: original(data, "bundled"))
    made = Retrained(replace(REVIEW, beside="c" * 32), Aim(("colour",)), "learn-on", "x", 0.01)
    for name, value in (("attribute", "colour"), ("fix_aim", made.aim), ("trained_here", ())):
        monkeypatch.setattr(learned_runs.state, name, lambda value=value: value)
    past = History().apply(made, datetime(2026, 1, 1, tzinfo=UTC))
    monkeypatch.setattr(learned_runs.state, "history", lambda: past)
    assert len(learned_runs.runs(REVIEW)) == 1
    file = tmp_path / "learned" / "of other data" / f"{'c' * 32}.safetensors"
    file.parent.mkdir(parents=True)
    file.write_bytes(b"damaged")
    assert learned_runs.runs(REVIEW) == []
    with pytest.raises(ModelError, match="let it learn again"):
        cache.deeper_path(made.review, "colour", "groups", 0.01)
    assert deeper.deeper_refusal(made) == deeper.NO_CHOOSERS
    for kept in (opened.open_beside, fixes._guarded, deeper._choosers, deeper._judges, deeper._ladder):
        kept.clear()


def test_a_network_learns_on_is_chosen_applied_compared_reported_and_kept(open_page, monkeypatch, tmp_path):
    """The recipe itself is tested in the core: here twenty steps of it."""
    monkeypatch.setattr(deeper_job, "SETTINGS", FEW)
    monkeypatch.setattr(cache, "deeper_seconds", lambda *_: 12.0)
    test = open_page("unlearn")
    assert [b.key for b in test.button if b.label == "Let it learn on"] == [
        "learn_on_here"
    ]  # the section is folded
    assert any(
        "Let a copy of the whole network learn on from 1,100 digits" in c.value
        and "About 10 seconds on this machine" in c.value for c in test.caption
    )  # fmt: skip
    test.session_state["deeper"] = True
    test = test.run()
    assert any("About 10 seconds, by a few steps" in c.value for c in test.caption)
    test.radio(key="deeper_reach").set_value("last block").run()
    test = test.button(key="learn_on").click().run()
    job = REGISTRY.find(test.session_state["job_deeper"])
    assert job.wait(150)
    assert job.state == "finished", job.error
    test = test.run()
    (trained,) = test.session_state["trained"][REVIEW.key]
    network = trained.variant
    assert (trained.learnt.change, trained.learnt.improve, trained.learnt.steps) == (
        "last block",
        "twins",
        20,
    )
    assert cache.is_warm(network.review)  # the next page waits for nothing

    key = f"deeper_share_{network.review.beside}"
    path = cache.deeper_path(network.review, "colour", "twins", 0.01)
    assert test.select_slider(key=key).value == words.suggested_stop(path)
    monkeypatch.setattr("app.cache.deeper.asked", None)  # no network is asked again
    for training in ("fmd_core.study.deeper.train_deeper", "app.unlearning.deeper_job.deepen"):
        monkeypatch.setattr(training, None)  # nor does one learn
    test.select_slider(key=key).set_value("35 %").run()  # a point that was not compared before
    assert not test.exception
    test.select_slider(key=key).set_value("75 %").run()
    assert not test.exception
    made = replace(network, share=0.75)
    assert (
        f"falls from 64.1 to {100 * cache.comparison(REVIEW, made, 'colour').bias.after.value:.1f} points"
        in (test.title[0].value)
    )  # it is on the stage: heading, twins and curve are about it
    assert test.button(key="show_deeper").label == (
        "Shown now" if words.suggested_stop(path) == "75 %" else "Show “Deeper”"
    )
    at = {"25 %": replace(network, share=0.25), "75 %": made}
    said = cache.stage_answers(REVIEW, "colour", None, 24, (None, *at.values()), network.review.beside)
    pairs = cache.stage(REVIEW, "colour", None, 24, network.review.beside)
    for answers, variant in zip(
        said[1:], at.values(), strict=True
    ):  # what twins are said to get is what Apply gives
        head = cache.head(REVIEW, variant)
        for own, side in zip(answers, (pairs.favoured, pairs.other), strict=True):
            assert own.tolist() == head.probabilities(side.features).argmax(axis=1).tolist()
    plain = cache.stage(REVIEW, "colour", None, 24)
    assert pairs.favoured.rows.tolist() == plain.favoured.rows.tolist()  # and they are the same twins
    first = [
        cache.head(REVIEW, None).probabilities(s.features).argmax(axis=1)
        for s in (plain.favoured, plain.other)
    ]
    assert said[0].tolist() == [found.tolist() for found in first]
    back = test.button(key="show_recommended").click().run()
    assert back.select_slider(key=state_key(back)).value != "0 (original)"
    assert not [s for s in back.select_slider if s.key == key]
    test = back.button(key="show_deeper").click().run()
    test.select_slider(key=key).set_value("75 %").run()
    table = next(t.value for t in test.table if "Fix" in t.value.columns)
    assert table["Fix"].tolist()[1:] == [
        "75 % of the way to it", "Plain refit on 200 twins", "Only the thresholds moved",
    ]  # fmt: skip
    found = cache.comparison(REVIEW, made, "colour")
    assert table["Right, %"][1] == f"{100 * found.accuracy.after.value:.1f}"
    assert table["Bias, points"][1] == f"{100 * found.bias.after.value:.1f}"
    assert table["Flips, %"][1] == f"{100 * found.flips.after.value:.1f}"

    refusal = next(p.refusal for p in path.points if p.share == 0.75)
    assert cache.point(made).refusal == refusal
    test = press(test, "Apply although refused" if refusal else "Apply this")
    history = test.session_state["journals"][REVIEW.key].history
    assert history.current == made
    assert history.refusal(made) == refusal
    assert next(b for b in test.button if b.label.startswith("Apply")).disabled
    test = test.switch_page("app_pages/compare.py").run()
    assert f"to {100 * found.bias.after.value:.1f} points" in titles(test)
    page = test.switch_page("app_pages/report.py").run().get("iframe")[0].proto.srcdoc
    assert "twins answered alike, 20 steps, 75" in page
    assert "it may still tell the attribute" in page
    assert not test.exception

    file = tmp_path / "model.safetensors"
    file.write_bytes(network_file(made))
    opened, people = load_classifier(file), cache.features(made.review, "test")
    pictures = cache.dataset(REVIEW).source.read(people.rows)
    np.testing.assert_allclose(
        opened.head.probabilities(opened.encode([pictures])),
        cache.head(REVIEW, made).probabilities(people.features),
        atol=1e-4,
    )


def state_key(test):
    """Where the last layer's slider keeps its stop."""
    return next(s.key for s in test.select_slider if s.label == "Strength")


def test_a_network_that_learned_on_is_guarded_by_its_own_rules(monkeypatch):
    """The "changed" network is the original: the guard of the page would let it pass."""
    original = opened.open_model
    monkeypatch.setattr(opened, "open_model", lambda data, _model: original(data, "bundled"))
    opened.open_beside.clear()
    made = Retrained(replace(REVIEW, beside="d" * 32), Aim(("colour",)), "learn-on", "x", 0.01)
    assert cache.point(made).refusal == ""
    fixes._guarded.clear()
    monkeypatch.setattr(deeper, "deeper_refusal", lambda _: "the worst group falls from 9.0 to 8.0 %")
    assert cache.point(made).refusal == "the worst group falls from 9.0 to 8.0 %"
    assert cache.point(replace(made, way="adversary")).refusal == ""
    for kept in (opened.open_beside, fixes._guarded, deeper._choosers, deeper._judges, deeper._ladder):
        kept.clear()


def test_after_a_restart_the_history_knows_the_network(monkeypatch):
    """Nobody remembers what was trained here: the network is found by the variant that was kept."""
    made = Retrained(replace(REVIEW, beside="e" * 32), Aim(("colour",)), "learn-on", "x", 0.01, share=0.5)
    past = History().apply(made, datetime(2026, 1, 1, tzinfo=UTC))
    for name, found in (
        ("attribute", "colour"),
        ("fix_aim", made.aim),
        ("trained_here", ()),
        ("history", past),
    ):
        monkeypatch.setattr(learned_runs.state, name, lambda found=found: found)
    monkeypatch.setattr(learned_runs.cache, "learned", lambda _review: ())
    (run,) = learned_runs.runs(REVIEW)
    assert run.variant == replace(made, share=1.0)
    assert run.improve == "twins"  # the usual here
    monkeypatch.setattr(learned_runs.state, "attribute", lambda: "paper")
    assert learned_runs.runs(REVIEW) == []


def test_learning_on_that_is_stopped_leaves_nothing(monkeypatch):
    monkeypatch.setattr(memory.st, "session_state", {"attribute": "colour"})
    monkeypatch.setattr(deeper_job.st, "rerun", lambda: None)
    monkeypatch.setattr(deeper_job.job_panel, "start_job", REGISTRY.start)
    deeper_job.begin("last block", "twins", 0.01)
    job = REGISTRY.find(state.shown_job(deeper_job.PLACE))
    REGISTRY.cancel(job.id)
    assert job.wait(60)
    assert (job.state, job.result) == ("stopped", None)
    assert state.trained_here() == ()


def test_work_about_other_pairs_is_other_work(monkeypatch):
    """Else who leaves a pair out is shown what came of all of them."""
    keys = []
    monkeypatch.setattr(memory.st, "session_state", {"attribute": "colour"})
    monkeypatch.setattr(deeper_job.st, "rerun", lambda: None)
    monkeypatch.setattr(
        deeper_job.job_panel,
        "start_job",
        lambda key, *_, **__: keys.append(key) or SimpleNamespace(id="a" * 22),
    )
    others = replace(REVIEW, vetoes=(("colour", 3),)), replace(REVIEW, most_unlike=0.5)
    for review in (REVIEW, REVIEW, *others):
        monkeypatch.setattr(deeper_job.state, "review", lambda review=review: review)
        deeper_job.begin("last block", "twins", 0.01)
    deeper_job.begin("last block", "groups", 0.01)
    deeper_job.begin("whole network", "groups", 0.01)
    deeper_job.begin("whole network", "groups", 0.02)
    assert keys[0] == keys[1]
    assert len(set(keys)) == len(keys) - 1


def test_after_a_refresh_the_address_leads_to_what_came_of_it(monkeypatch):
    made = Retrained(replace(REVIEW, beside="e" * 32), Aim(("colour",)), "learn-on", "x", 0.01)
    trained = Trained(made, (), 3.0, learnt=Learnt("last block", "twins", 20))
    ended = [
        REGISTRY.start(f"{about}", "x", lambda _: trained, about=about)
        for about in ((deeper_job.PLACE, ("celeba", "")), (deeper_job.PLACE, REVIEW.key))
    ]
    assert all(job.wait(20) for job in ended)
    monkeypatch.setattr(memory.st, "session_state", {"jobs": (ended[0].id,)})
    monkeypatch.setattr(deeper_job.st, "rerun", lambda: None)
    monkeypatch.setattr(deeper_job.job_panel, "draw", lambda _: None)
    assert not deeper_job.follow()
    state.show_job(
        deeper_job.PLACE, ended[0].id
    )  # even where it was begun here, before the data were changed
    assert not deeper_job.follow()
    assert not deeper_job.is_live()
    assert state.trained_here() == ()  # that one was of another review
    memory.put("jobs", (ended[1].id,))
    deeper_job.follow()
    assert state.trained_here() == (trained,)
    assert deeper_job._named_in_address() is None  # once is enough


def test_points_on_the_way_include_where_the_network_in_force_stands(monkeypatch):
    made = Retrained(replace(REVIEW, beside="e" * 32), Aim(("colour",)), "learn-on", "x", 0.01, share=0.6)
    run = learned_runs.Run(replace(made, share=1.0), "twins")
    monkeypatch.setattr(learned_runs.state, "current", lambda: made)
    assert learned_runs.shares(run, 0.01) == tuple(sorted({*SHARES, 0.6}))
    monkeypatch.setattr(learned_runs.state, "current", lambda: replace(made, share=0.625))
    assert 0.625 in learned_runs.shares(run, 0.01)
    monkeypatch.setattr(learned_runs.state, "current", lambda: None)
    assert learned_runs.shares(run, 0.01) == SHARES


@pytest.mark.parametrize(
    "other",
    [
        {"tolerance": 0.02},
        {"aim": Aim(("colour",), "demographic parity")},
        {"review": replace(REVIEW, beside="e" * 32, vetoes=(("colour", 3),))},
        {"review": replace(REVIEW, beside="e" * 32, data="celeba")},
        {"review": replace(REVIEW, beside="d" * 32)},
    ],
)
def test_another_aim_tolerance_or_other_data_is_another_network_in_force(monkeypatch, other):
    made = Retrained(replace(REVIEW, beside="e" * 32), Aim(("colour",)), "learn-on", "x", 0.01, share=0.6)
    run = learned_runs.Run(replace(made, share=1.0), "twins")
    monkeypatch.setattr(learned_runs.state, "current", lambda: made)
    assert learned_runs.in_force(run, 0.01) == 0.6
    monkeypatch.setattr(learned_runs.state, "current", lambda: replace(made, **other))
    assert learned_runs.in_force(run, 0.01) is None


def test_a_network_that_was_not_applied_is_listed_after_a_restart(monkeypatch):
    """Nothing but the disk knows of it."""
    from fmd_core.study.learned import keep_thresholds

    found = keep_thresholds(cache.study(REVIEW), "paper", "groups", 0.02, "thresholds moved")
    for name, value in (
        ("attribute", "paper"),
        ("fix_aim", Aim(("paper",))),
        ("trained_here", ()),
        ("history", History()),
    ):
        monkeypatch.setattr(learned_runs.state, name, lambda value=value: value)
    (run,) = learned_runs.runs(REVIEW)
    assert (run.variant.review.beside, run.improve, run.variant.tolerance) == (found.id, "groups", 0.02)
    assert run.variant.what == "paper: thresholds moved, every group counted alike"
    monkeypatch.setattr(learned_runs.state, "attribute", lambda: "colour")
    assert found.id not in {run.variant.review.beside for run in learned_runs.runs(REVIEW)}
