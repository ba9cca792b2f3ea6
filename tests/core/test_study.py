"""A study: who decides, who guards and who judges, every step once, and a memory that is given."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

import fmd_core as fmd
from fmd_core.errors import DataError, NoTwinsError
from fmd_core.measure.bias_functions import predictions
from fmd_core.measure.verdict.goal import Goal
from fmd_core.measure.verdict.twins import TwinAnswers
from fmd_core.measure.verdict.values import Family, Measure, Outcome
from fmd_core.study import fixing, judging, people, teaching
from fmd_core.study.memory import DictMemory
from fmd_core.study.steps import in_turn
from fmd_core.study.study import Study
from fmd_core.study.subject import Named, Subject

STEPS = (
    (people, "extract_features"),
    (people, "pair_counterfactuals"),
    (teaching, "fit_curvature"),
    (teaching, "bias_influence"),
    (fixing, "solve_path"),
    (fixing, "judge_path"),
    (judging, "compare"),
    (judging, "audit_bias"),
)


@pytest.fixture
def calls(monkeypatch):
    """Which steps were computed, and about what."""
    found = []

    def counted(step, work):
        def count(*given, **named):
            found.append((step, named.get("split", ""), named.get("attribute", "")))
            return work(*given, **named)

        return count

    for module, step in STEPS:
        monkeypatch.setattr(module, step, counted(step, getattr(module, step)))
    return found


@pytest.fixture
def study(tiny):
    return fmd.Study(tiny.dataset, tiny.classifier, aim="mark")


def ask(study):
    """Every question of a review."""
    point = study.path(strategy="paper-remove").suggested
    return [
        study.scores(), point, study.comparison(point), study.other_biases(point), study.audit(),
        study.audit(point), study.red_flags(), study.rivals(), study.score_check(k=3), study.erased(["mark"]),
    ]  # fmt: skip


def rows_of(study, split):
    return set(study.data.rows(split).tolist())


def test_training_and_external_people_decide_validation_people_guard_and_test_people_judge(study):
    inputs, guard = study.inputs(strategy="paper-replace"), study.guard(tolerance=0.03)
    assert set(inputs.train.rows.tolist()) == rows_of(study, "train")
    assert set(inputs.train_pairs[0].rows.tolist()) == rows_of(study, "train")
    assert set(inputs.bias.pairs.rows.tolist()) == rows_of(study, "external")
    assert set(guard.features.rows.tolist()) == rows_of(study, "validation")
    assert set(guard.bias.pairs.rows.tolist()) == rows_of(study, "validation")
    assert guard.tolerance == 0.03
    assert set(study.comparison(study.path().suggested).rows.tolist()) == rows_of(study, "test")


def test_a_strategy_gets_what_it_needs_and_no_more(study):
    assert (study.inputs().curvature, study.inputs().scores, study.inputs().train_pairs) == (None, None, ())
    published = study.inputs(strategy="paper-external")
    assert published.curvature is study.curvature()
    assert published.scores is None


def test_every_step_is_computed_once_however_often_it_is_asked_for(study, calls):
    first = ask(study)
    once = list(calls)
    assert len([c for c in once if c[0] == "extract_features"]) == 4
    assert len([c for c in once if c[0] == "fit_curvature"]) == 1
    assert len([c for c in once if c[0] == "bias_influence"]) == 1
    assert len([c for c in once if c[0] == "solve_path"]) == 1
    assert all(again is before for again, before in zip(ask(study), first, strict=True))
    assert calls == once


@pytest.mark.parametrize("measure", ["counterfactual", "demographic parity"])
def test_other_biases_are_those_of_bias_changes_and_ask_the_original_once(study, monkeypatch, measure):
    points = study.path(strategy="paper-remove").points[1:3]
    aim, asked, logits = fmd.Aim(("mark",), measure), [], fmd.LinearHead.logits
    monkeypatch.setattr(fmd.LinearHead, "logits", lambda head, x: asked.append(head) or logits(head, x))
    found = [study.other_biases(point, aim) for point in points]
    if (
        measure == "counterfactual"
    ):  # twins of the one that is aimed at are measured too, for the other's question
        assert sum(head is study.head for head in asked) <= 2 * len(study.testable())
    twins = [(study.pairs("test", "shade"), None)]
    for point, changes in zip(points, found, strict=True):
        expected = fmd.bias_changes(
            study.head, point.result.head, study.data, study.features("test"), twins, measure
        )
        assert [change.group for change in changes] == ["shade"]
        ends = [(c.before.value, c.after.high, c.difference.low) for c in (*changes, *expected)]
        assert ends[0] == pytest.approx(ends[1], abs=1e-12)


def test_another_tolerance_judges_again_and_solves_nothing(study, calls):
    strict, loose = (study.path(strategy="paper-external", tolerance=t) for t in (0.0, 1.0))
    assert (strict.tolerance, loose.tolerance) == (0.0, 1.0)
    assert [p.result for p in strict.points] == [p.result for p in loose.points]
    assert [c[0] for c in calls if c[0] in ("solve_path", "judge_path")] == [
        "solve_path", "judge_path", "judge_path",
    ]  # fmt: skip


def test_the_memory_is_the_caller_s_and_serves_several_studies(tiny, calls):
    memory = {}
    first = Study(tiny.dataset, tiny.classifier, aim="mark", memory=memory)
    path = first.path()
    assert memory
    done = list(calls)
    second = Study(tiny.dataset, tiny.classifier, aim="mark", memory=memory)
    assert second.path() is path
    assert second.is_solved("mark", "iterated", 0)
    assert calls == done
    other = Study(tiny.dataset, replace(tiny.classifier, fingerprint="another"), aim="mark", memory=memory)
    assert not other.is_solved("mark", "iterated", 0)
    assert not other.are_read("train")


def test_without_a_memory_two_studies_share_nothing(tiny, calls):
    for _ in range(2):
        Study(tiny.dataset, tiny.classifier, aim="mark").scores()
    assert len([c for c in calls if c[0] == "bias_influence"]) == 2


def test_keys_are_small_and_do_not_depend_on_progress(tiny):
    memory = {}
    study = Study(tiny.dataset, tiny.classifier, aim="mark", memory=memory)
    study.solutions(progress=lambda _: None)
    found = study.solutions(progress=print)
    assert found is study.solutions()
    assert max(len(repr(key)) for key in memory) < 500


def test_an_error_is_not_kept(study, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(fixing, "solve_path", None)
        with pytest.raises(TypeError):
            study.path()
    assert not study.is_solved(None, "iterated", 0)
    assert study.path().points


def test_pairs_that_are_left_out_count_nowhere_and_read_nobody_again(tiny, calls):
    memory = {}
    whole = Study(tiny.dataset, tiny.classifier, aim="mark", memory=memory)
    scores = whole.scores()
    row = int(whole.pairs("external", "mark").rows[0])
    fewer = Study(tiny.dataset, tiny.classifier, aim="mark", memory=memory, left_out=(("mark", row),))
    read = [c for c in calls if c[0] in ("extract_features", "pair_counterfactuals")]
    assert row not in fewer.pairs("external", "mark").rows
    assert not fewer.are_scored()
    assert not np.array_equal(fewer.scores().removal_effect, scores.removal_effect)
    assert [c for c in calls if c[0] in ("extract_features", "pair_counterfactuals")] == read
    assert len([c for c in calls if c[0] == "fit_curvature"]) == 1  # the twins have no part in it


def test_leave_one_out_where_it_pays(tiny, study, monkeypatch):
    assert study.scores().method == "leave-one-out"
    monkeypatch.setattr(teaching, "LEAVE_ONE_OUT_COST", 1)
    assert Study(tiny.dataset, tiny.classifier, aim="mark").scores().method == "first-order"
    memory = {}
    for method in ("first-order", "leave-one-out"):  # also out of one memory
        chosen = Study(tiny.dataset, tiny.classifier, aim="mark", influence_method=method, memory=memory)
        assert chosen.scores().method == method


def test_an_attribute_without_twins_blocks_no_other(tiny, monkeypatch):
    real = people.pair_counterfactuals

    def pair(data, model, *, attribute, **options):
        if attribute == "shade":
            raise NoTwinsError("Nobody has a twin by 'shade'.")
        return real(data, model, attribute=attribute, **options)

    monkeypatch.setattr(people, "pair_counterfactuals", pair)
    study = Study(tiny.dataset, tiny.classifier)
    assert study.untested() == {"shade": "Nobody has a twin by 'shade'."}
    assert [found.attribute for found in study.audit().attributes] == ["mark"]
    with pytest.raises(NoTwinsError):
        study.scores("shade")


def test_the_placebo_is_taken_off_by_the_guard_alone(study, monkeypatch):
    floor = study.pairs("validation", "shade")
    monkeypatch.setattr(Study, "placebo", lambda *_: floor)
    assert study.guard().bias.placebo is floor
    assert study.inputs().bias.placebo is None


def test_an_aim_is_an_attribute_several_or_a_measure(study):
    assert study.aim() == fmd.Aim(("mark",))
    assert study.aim(["mark", "shade"]) == fmd.Aim(("mark", "shade"))
    assert study.path(["mark", "shade"]).original.bias < study.path("mark").original.bias
    parity = study.path(fmd.Aim(("mark",), "demographic parity"))
    assert parity.original.bias != study.path().original.bias
    assert Study(study.data, study.model).aim() == fmd.Aim(("mark",))  # the first attribute of the data


def test_an_unknown_strategy_lists_those_that_there_are(study):
    with pytest.raises(DataError, match="iterated"):
        study.path(strategy="itarated")


def test_what_is_known_of_a_named_change_is_found_without_making_it(study):
    head = study.path().suggested.result.head
    found = study.audit(Named("a variant", lambda: head))

    def refuse():
        raise AssertionError("made again")

    assert study.audit(Named("a variant", refuse)) is found
    assert study.audit(head) is study.audit(study.path().suggested)


def test_data_and_model_are_opened_only_when_they_are_asked_for(tiny):
    opened = []

    def opener(value):
        return lambda: opened.append(value) or value

    subject = Subject("a review", opener(tiny.dataset), opener(tiny.classifier))
    study = Study.of(subject, memory=DictMemory({}), aim=fmd.Aim(("mark",)))
    assert not study.are_read("train")
    assert not study.are_paired("train", "mark")
    assert not study.are_scored()
    assert not study.is_solved(None, "iterated", 0)
    assert opened == []
    assert study.features("train") is study.features("train")
    assert opened


def test_the_same_steps_by_hand_come_out_the_same(tiny):
    """The study adds nothing to what the single functions do."""
    study = Study(tiny.dataset, tiny.classifier, aim="mark", influence_method="first-order")
    parts = {s: fmd.extract_features(tiny.classifier, tiny.dataset, split=s) for s in ("train", "validation")}
    twins = {
        s: fmd.pair_counterfactuals(tiny.dataset, tiny.classifier, split=s, attribute="mark")
        for s in ("external", "validation")
    }
    bias = {s: fmd.CounterfactualBias(pairs) for s, pairs in twins.items()}
    curvature = fmd.fit_curvature(tiny.head, parts["train"], damping=tiny.damping)
    scores = fmd.bias_influence(tiny.head, parts["train"], bias["external"], curvature)
    np.testing.assert_array_equal(study.scores().removal_effect, scores.removal_effect)
    inputs = fmd.UnlearningInputs(parts["train"], bias["external"], curvature, scores)
    path = fmd.unlearning_path(
        tiny.head, inputs, fmd.Guard(parts["validation"], bias["validation"]), strategy="paper-remove", k=20
    )
    ours = study.path(strategy="paper-remove", k=20)
    assert [p.result.head.fingerprint for p in ours.points] == [
        p.result.head.fingerprint for p in path.points
    ]
    assert ours.suggested.result.strength == path.suggested.result.strength


def test_forgetting_is_asked_of_fresh_probes_of_external_and_validation_people(study):
    found = study.forgetting(study.erased(["mark"]), ["mark"])
    assert found.attributes == ("mark",)
    reading = found.reading("mark", "linear")
    assert reading.after.accuracy < reading.before.accuracy


def test_progress_of_steps_in_turn_goes_from_nothing_to_all():
    told = []
    in_turn([lambda tell: tell(0.5), lambda tell: tell(1.0)], told.append)
    assert told == [0.0, 0.25, 0.5, 1.0]


def test_twins_who_are_real_people_are_held_against_placebo_twins(tiny):
    data = replace(tiny.dataset, pair_method="matched")
    study = fmd.Study(data, tiny.classifier, aim="mark")
    excess = {a.attribute: a.excess.value for a in study.audit().attributes}
    said = [f for f in study.verdict().of(Family.TWINS) if f.measure is Measure.BIAS]
    assert {f.attribute: f.value for f in said} == pytest.approx(
        {f.attribute: excess[f.attribute] for f in said}
    )
    assert "mark" in {f.attribute for f in said}


def test_a_protected_column_that_is_not_read_is_no_all_clear():
    skill = np.arange(1200) % 7
    frame = pd.DataFrame(
        {"sex": ["f", "m", "m"] * 400, "skill": skill, "hired": np.where(skill > 3, "yes", "no")}
    )
    data = fmd.table(frame, target="hired", protected=["sex"], leave_out=["sex"])
    train = data.rows("train")
    estimator = LogisticRegression(C=100).fit(data.source.read(train), data.target.codes[train])
    found = fmd.Study(data, fmd.wrap(estimator, data=data)).verdict()
    assert "sex" in found.not_read
    assert found.outcome is not Outcome.WITHIN
    assert not found.of(Family.TWINS)


def test_weights_and_persons_of_the_data_count_in_the_verdict(tiny):
    n = len(tiny.dataset)
    weights = np.where(tiny.dataset.target.codes == 0, 9.0, 1.0)
    data = replace(tiny.dataset, weights=weights, persons=np.arange(n) // 2)
    verdict = fmd.Study(data, tiny.classifier, aim="mark").verdict(favourable="star")
    people = tiny.features["test"]
    right = predictions(tiny.head, people.features) == people.labels
    assert (
        abs(right.mean() - np.average(right, weights=weights[people.rows])) > 0.01
    )  # else nothing is to be seen
    assert verdict.accuracy.value == pytest.approx(np.average(right, weights=weights[people.rows]))
    assert verdict.accuracy.n == len(np.unique(people.rows // 2))


def test_twins_whose_attribute_another_column_tells_never_reach_a_target(monkeypatch):
    study = fmd.Study(
        fmd.load_dataset("colored_digits"), fmd.load_demo_classifier("colored_digits"), aim="colour"
    )
    goal = Goal(Family.TWINS, ("colour",), 0.99)
    assert study.reached(goal, "test").outcome is Outcome.WITHIN
    monkeypatch.setattr(type(study), "told_twice", lambda _self: {"colour": ("ink",)})
    assert study.reached(goal, "test").outcome is Outcome.UNKNOWN  # its twins show less than the whole bias


def test_twins_who_are_the_same_person_reach_no_target():
    study = fmd.Study(
        fmd.load_dataset("colored_digits"), fmd.load_demo_classifier("colored_digits"), aim="colour"
    )
    pairs, answered = study.pairs("test", "colour"), study._answered("test", study.head)
    goal, twice = Goal(Family.TWINS, ("colour",), 0.99), replace(pairs, other=pairs.favoured)
    outcomes = [
        goal.measured(study.data, answered, TwinAnswers.of(study.head, some)).outcome
        for some in (pairs, twice)
    ]
    assert outcomes == [Outcome.WITHIN, Outcome.UNKNOWN]


def test_a_model_that_answers_everybody_alike_reaches_no_target():
    """Its twins differ by next to nothing, as everybody does; the verdict calls that "cannot be said" too."""
    study = fmd.Study(
        fmd.load_dataset("colored_digits"), fmd.load_demo_classifier("colored_digits"), aim="colour"
    )
    weight, bias = study.head.weight / 100, np.zeros(study.head.n_classes)
    bias[3] = 5.0
    goal, head = Goal(Family.TWINS, ("colour",), 0.1), fmd.LinearHead(weight, bias)
    found = study.reached(goal, "test", head)
    assert 0 < found.high < 0.1
    assert found.outcome is Outcome.UNKNOWN
    assert study.verdict(head).outcome is Outcome.UNKNOWN


def test_accuracy_is_known_before_the_audit_and_is_its_figure(study):
    assert study.accuracy() == study.audit().accuracy
