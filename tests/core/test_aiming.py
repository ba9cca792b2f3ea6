"""The suggestion aims at the limit: the finding asked of validation people, the order of settings, every road."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

import fmd_core as fmd
from fmd_core.measure.verdict.answered import Answered
from fmd_core.measure.verdict.goal import Goal
from fmd_core.measure.verdict.judging import give_verdict
from fmd_core.measure.verdict.rules import lacking, smaller_group
from fmd_core.measure.verdict.twins import TwinAnswers
from fmd_core.measure.verdict.values import Family, Measure, Member, Outcome
from fmd_core.report.aiming import became, became_sentence, suggestion_reason
from fmd_core.study.aim import Aim, aim_of, finding_of
from fmd_core.study.suggestion import Road, Suggestion, Way
from fmd_core.unlearn.aiming import Served, cheapest, rank, watched_groups
from fmd_core.unlearn.guarded_path import PathPoint, UnlearningPath
from fmd_core.unlearn.strategies import UnlearningResult

HEAD = fmd.LinearHead(np.eye(2), np.zeros(2))
BLOND = ("other", "blond")
CELLS = {  # (level, truth, answer) -> count: the figures of CelebA's blond men
    (0, 1, 1): 7, (0, 1, 0): 29, (1, 1, 1): 180, (1, 1, 0): 50, (0, 0, 0): 800, (1, 0, 0): 900, (1, 0, 1): 20,
}  # fmt: skip


class Nothing:
    kind, fingerprint = "image", "none"


def people(cells=CELLS, **more):
    rows = np.array([key for key, count in cells.items() for _ in range(count)])
    group, truth, said = rows.T
    columns = (
        fmd.Column("hair", truth, ("other", "blond")),
        {"sex": fmd.Column("sex", group, ("men", "women"))},
    )
    phrases = {"sex": {"men": "men", "women": "women"}, "hair": {"blond": "blond {}"}}
    data = fmd.AttributeDataset(
        "Hair", *columns, np.repeat("test", len(rows)), Nothing(), phrases=phrases, **more
    )
    return data, Answered(np.arange(len(rows)), truth, said)


def findings(cells=CELLS):
    data, answered = people(cells)
    return data, answered, give_verdict(data, answered, None, favourable="blond").findings


# --- a finding, asked again


@pytest.mark.parametrize("family", [Family.EQUAL_TRUTH, Family.SELECTION, Family.SERVICE])
def test_the_same_people_give_the_same_finding(family):
    data, answered, found = findings()
    worst = next(f for f in found if f.family is family)
    again = Goal.of(worst).measured(data, answered)
    assert (again.value, again.low, again.high, again.n, again.sentence) == (
        worst.value, worst.low, worst.high, worst.n, worst.sentence,
    )  # fmt: skip


def test_of_twins_the_larger_of_bias_and_flips_counts():
    data, answered, _ = findings()
    flat = TwinAnswers("sex", np.arange(500), np.full(500, 0.01), np.arange(500) < 100)
    goal = Goal(Family.TWINS, ("sex",), 0.1)
    found = goal.measured(data, answered, flat)  # unsure of everything, and one in five flips
    assert (found.measure, found.value, found.outcome) == (Measure.FLIPS, 0.2, Outcome.BEYOND)
    assert goal.measured(data, answered) is None


def test_another_group_that_becomes_the_worst_is_seen():
    data, answered, found = findings()
    goal = Goal.of(next(f for f in found if f.family is Family.EQUAL_TRUTH and f.answer == "blond"))
    said = np.array(answered.predicted)
    blond = answered.labels == 1
    said[blond] = data.attribute("sex").codes[blond] == 0  # now all blond men, and no blond woman
    turned = goal.measured(data, Answered(answered.rows, answered.labels, said))
    assert (turned.groups[0], turned.outcome) == ("blond women", Outcome.BEYOND)


def test_few_people_are_never_within():
    few = {cell: max(1, count // 10) for cell, count in CELLS.items()}
    few |= {(0, 1, 1): 20, (0, 1, 0): 0, (1, 1, 1): 20, (1, 1, 0): 0}
    data, answered = people({cell: count for cell, count in few.items() if count})
    goal = Goal.of(next(f for f in findings()[2] if f.family is Family.EQUAL_TRUTH and f.answer == "blond"))
    found = goal.measured(data, answered)
    assert (found.value, found.outcome) == (0, Outcome.UNKNOWN)


OTHERS = {
    (0, 1, 1): 900,
    (0, 1, 0): 100,
    (1, 1, 1): 850,
    (1, 1, 0): 150,
    (0, 0, 0): 50,
}  # 90 and 85 % recognised


def asked_of_three(cells):
    """Of the hit rates of a third group beside two large ones that are alike enough."""
    rows = np.array([key for key, count in (OTHERS | cells).items() for _ in range(count)])
    group, truth, said = rows.T
    target = fmd.Column("hired", truth, ("no", "yes"))
    origin = fmd.Column("origin", group, ("a", "b", "c"))
    data = fmd.AttributeDataset("Hiring", target, {"origin": origin}, np.repeat("test", len(rows)), Nothing())
    third = ((Member("origin", "c"),), (Member("origin", "a"),))
    goal = Goal(Family.EQUAL_TRUTH, ("origin",), 0.1, "yes", third)
    return goal.measured(data, Answered(np.arange(len(rows)), truth, said))


def test_one_answer_for_everybody_is_never_within():
    data, answered = people({cell: 10 * n for cell, n in CELLS.items()})
    goal = Goal.of(give_verdict(data, answered, None, favourable="blond").worst)
    silent = Answered(answered.rows, answered.labels, np.zeros_like(answered.predicted))
    for asked in (goal, replace(goal, family=Family.SELECTION)):
        found = asked.measured(data, silent)
        assert found.value == 0
        assert found.outcome is Outcome.UNKNOWN
        assert "The model answers 'other' for everybody" in found.sentence


def test_whom_a_goal_is_about_must_be_there():
    assert asked_of_three({}) is None
    assert asked_of_three({(2, 0, 0): 40}) is None


@pytest.mark.parametrize(("right", "wrong"), [(9, 1), (30, 4)])  # too few for anything, and too few for this
def test_two_large_groups_that_are_alike_do_not_hide_a_small_one(right, wrong):
    found = asked_of_three({(2, 1, 1): right, (2, 1, 0): wrong})
    assert (found.outcome, smaller_group(found)) == (Outcome.UNKNOWN, right + wrong)


def test_every_finding_has_an_aim_and_an_aim_finds_its_worst():
    _, _, found = findings()
    assert aim_of(found[0], BLOND) == Aim(
        ("sex",), "equal opportunity"
    )  # blond men are recognised 19 % of the time
    assert finding_of(found, aim_of(found[0], BLOND), BLOND) is found[0]
    selection = next(f for f in found if f.family is Family.SELECTION)
    assert aim_of(selection, BLOND) == Aim(("sex",), "demographic parity")
    assert aim_of(replace(selection, family=Family.TWINS), BLOND) == Aim(("sex",))
    assert finding_of(found, Aim(("sex",)), BLOND) is None
    assert finding_of(found, Aim(("race", "sex"), "demographic parity"), BLOND) is selection


def test_of_two_classes_the_first_has_an_aim_of_its_own():
    _, _, found = findings()
    truth = next(f for f in found if f.family is Family.EQUAL_TRUTH)
    falsely = aim_of(replace(truth, answer="other"), BLOND)
    assert falsely == Aim(("sex",), "predictive equality")
    assert aim_of(replace(truth, answer="other"), (*BLOND, "red")).measure == "equal opportunity"


# --- the order of settings


def point(strength, high, accuracy=0.9, changed=0.1, worst=0.5, refusal=""):
    found = findings()[2][0]
    within = Outcome.WITHIN if high <= 0.1 else Outcome.BEYOND
    found = replace(found, value=high - 0.02, low=high - 0.04, high=high, ratio=None, outcome=within)
    result = UnlearningResult(HEAD, "iterated", strength, 0)
    served = Served("blond men", worst, 40)
    return PathPoint(result, accuracy, 0.1, 0.1, refusal, changed, served, found)


START = point(0, 0.5, changed=0)


def suggested(*points):
    return cheapest((START, *points)).result.strength


def test_the_cheapest_that_reaches_the_limit_is_suggested():
    assert suggested(point(0.1, 0.2), point(0.3, 0.09), point(1, 0.01, accuracy=0.88)) == 0.3


def test_where_none_reaches_it_the_nearest_is():
    assert suggested(point(0.1, 0.4, accuracy=0.95), point(0.3, 0.3), point(1, 0.2, accuracy=0.89)) == 1


def test_half_a_point_of_accuracy_is_chance_and_then_fewer_changes_count():
    assert suggested(point(0.1, 0.09, changed=0.05), point(0.3, 0.09, accuracy=0.902)) == 0.1
    assert suggested(point(0.1, 0.09, changed=0.05), point(0.3, 0.09, accuracy=0.92)) == 0.3


def test_what_the_guard_refuses_or_harms_the_worst_served_is_not_suggested():
    assert suggested(point(0.1, 0.09, refusal="accuracy falls"), point(0.3, 0.3)) == 0.3
    assert suggested(point(0.1, 0.09, worst=0.4), point(0.3, 0.3)) == 0.3
    assert suggested(point(0.1, 0.09, worst=0.495)) == 0.1  # less than a point


def test_what_is_within_its_limit_already_is_left_alone():
    within = point(0, 0.05, changed=0)
    assert cheapest((within, point(0.1, 0.01, accuracy=0.99))) is within


def test_a_ratio_counts_by_what_it_lacks():
    selection = next(f for f in findings()[2] if f.family is Family.SELECTION)
    assert lacking(selection) == pytest.approx(
        max(selection.high - 0.1, (0.8 - selection.ratio.low) * selection.better.value)
    )


def path(*points):
    return UnlearningPath((START, *points), (), cheapest((START, *points)), 1.0, 0.01, 500)


def test_the_reason_names_who_it_is_for_and_whether_the_limit_is_reached():
    reached = suggestion_reason(path(point(0.3, 0.09)), "face")
    assert reached.startswith(
        "the cheapest strength that brings this within its limit of 10 points: Blond men are"
    )
    near = suggestion_reason(
        path(point(0.3, 0.3), point(1, 0.05, accuracy=0.8, refusal="accuracy falls by 10.0 points")), "face"
    )
    assert near.startswith(
        "no strength here brings this surely within its limit of 10 points; the nearest gives:"
    )
    assert "The guard refuses 1 setting that would be within it" in near
    assert suggestion_reason(path(point(0.3, 0.6)), "face").startswith(
        "to leave the model as it is. No strength here"
    )


# --- every road


def test_groups_that_are_watched_are_told_with_their_number():
    data, answered = people()
    everyone = fmd.FeatureSet(np.zeros((len(answered), 1), "float32"), answered.labels, answered.rows)
    names = [(group.name, int(group.members.sum())) for group in watched_groups(data, everyone, ["sex"])]
    assert ("blond men", 36) in names
    assert len(names) == 4


def test_between_groups_every_measure_is_a_road_and_between_twins_only_twins(tiny):
    group, twins = Goal.of(findings()[2][0]), Goal(Family.TWINS, ("mark",), 0.1)
    ways = tiny.study.ways(replace(group, attributes=("mark",)), ["iterated"], ["last layer"])
    assert [way.aim.measure for way in ways] == [
        "equal opportunity",
        "counterfactual",
        "demographic parity",
        "worst group",
    ]
    assert [way.aim for way in tiny.study.ways(twins, ["iterated"], ["last layer"])] == [Aim(("mark",))]


@pytest.fixture(scope="module")
def roads(tiny):
    return tiny.study.suggest(strategies=["iterated", "paper-external"], depths=["last layer"], k=20)


def test_the_best_road_comes_first_and_says_what_it_costs(tiny, roads):
    assert {road.way.strategy for road in roads.roads} == {"iterated", "paper-external"}
    keys = [rank(road.best, road.original) for road in roads.roads]
    assert keys == sorted(keys)
    best = roads.best.best
    assert best.refusal == ""
    assert lacking(best.found) < lacking(roads.before)
    assert best.found.n == len(tiny.pairs["validation"])
    frame = roads.to_frame()
    assert frame["value"].tolist() == [road.best.found.value for road in roads.roads]
    assert len(repr(roads)) < 121


def test_validation_people_choose_and_test_people_do_not(tiny, roads, monkeypatch):
    asked = []
    fresh = fmd.Study(tiny.dataset, tiny.classifier, aim="mark", influence_method="first-order")
    features = type(fresh).features
    monkeypatch.setattr(
        type(fresh), "features", lambda self, split, *a: asked.append(split) or features(self, split, *a)
    )
    again = fresh.suggest(roads.goal, strategies=["iterated", "paper-external"], depths=["last layer"], k=20)
    assert again.best.best.result.head.fingerprint == roads.best.best.result.head.fingerprint
    assert "validation" in asked
    assert "test" not in asked


def test_a_path_without_a_goal_is_suggested_by_the_best_trade(tiny, roads):
    goal = roads.goal
    plain, aimed = tiny.study.path(), tiny.study.path(goal=goal)
    assert plain.suggested.found is None
    assert aimed.suggested.found is not None
    assert [p.accuracy for p in plain.points] == [p.accuracy for p in aimed.points]


def test_what_the_guard_refuses_is_named_and_not_suggested():
    dear, refusal = point(3, 0.05, accuracy=0.8), "accuracy falls by 10.0 points"
    found = path(
        point(0.3, 0.6), replace(dear, refusal=refusal), point(10, 0.05, accuracy=0.7, refusal=refusal)
    )
    way = Way(Aim(("sex",), "equal opportunity"), "iterated", "last layer")
    suggestion = Suggestion.of(Goal.of(findings()[2][0]), START.found, [Road.along(way, found)])
    assert suggestion.best is None
    assert not suggestion.is_reached
    assert suggestion.refused.refused.result.strength == 3
    assert Suggestion.of(suggestion.goal, None, [Road(way, why_not="no twins")]).refused is None


def test_settings_are_the_same_whatever_a_path_aims_at(tiny, roads):
    study = fmd.Study(tiny.dataset, tiny.classifier, aim="mark", influence_method="first-order")
    aimed = study.path(k=0, goal=roads.goal)
    assert study.known_path("mark", "iterated", 0, 0.01) is aimed
    plain = study.path(k=0)
    assert [p.result for p in plain.points] == [p.result for p in aimed.points]


def test_what_was_tried_before_a_stop_is_kept(tiny, roads):
    class StoppedError(Exception):
        pass

    def stop(share):
        if share > 0.5:
            raise StoppedError

    study = fmd.Study(tiny.dataset, tiny.classifier, aim="mark", influence_method="first-order")
    ways = study.ways(roads.goal, ["paper-external", "iterated"], ["last layer"])
    with pytest.raises(StoppedError):
        study.try_roads(roads.goal, ways, 0, progress=stop)
    goal = roads.goal
    assert [study.is_tried(way, goal, 0) for way in ways] == [True, False]
    assert not study.are_tried(roads.goal, ways, 0)


def test_what_cannot_be_tried_says_why_and_comes_last(tiny, roads):
    study = tiny.study
    ways = study.ways(roads.goal, ["paper-remove", "iterated"], ["last layer"])
    found = study.try_roads(roads.goal, ways, 10_000)
    assert [road.way.strategy for road in found.roads] == ["iterated", "paper-remove"]
    assert "K = 10000 is not possible" in found.roads[-1].why_not


def test_a_study_opens_deeper_by_name(demo):
    assert [depth.name for depth in demo.study.depths()] == ["last layer", "concatenated", "two layers"]
    deep = demo.study.at("concatenated")
    assert deep.model.depth == "concatenated"
    assert deep.at("last layer").model is demo.classifier
    assert deep.original.model is demo.classifier
    with pytest.raises(fmd.ModelError, match="Unknown depth 'deepest'"):
        _ = demo.study.at("deepest").model


def test_a_table_s_model_that_is_too_good_brings_nobody_within_a_limit():
    n = 600
    sex, hired = np.tile(["f", "m"], n // 2), np.repeat(["no", "yes"], n // 2)
    data = fmd.table(
        pd.DataFrame({"sex": sex, "x": np.arange(n) / n, "hired": hired}), target="hired", protected=["sex"]
    )
    rows = np.arange(n)
    truth, women = data.target.codes, data.attribute("sex").codes == 0
    missed = np.where(women & (rows % 4 == 0), 1 - truth, truth)
    goal = Goal(Family.SERVICE, ("sex",), 0.1, members=((Member("sex", "f"),), ()))
    finding = goal.measured(data, Answered(rows, truth, missed))

    def after(predicted):
        changed = SimpleNamespace(rows=rows, truth=truth, predicted_before=missed, predicted_after=predicted)
        return became(finding, data, changed, {})[1]

    assert after(np.where(rows % 20 < 2, 1 - truth, truth)).outcome is Outcome.WITHIN
    found = after(truth)
    assert found.outcome is Outcome.UNKNOWN
    assert "some columns seem to hold the answer together" in found.sentence
    assert "whether that is within its limit of 10 points cannot be said." in became_sentence(finding, found)
