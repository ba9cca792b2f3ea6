"""The worst group where rows have weights, people several rows, or some of those who choose taught the model: figures
known by hand."""

from dataclasses import replace

import numpy as np
import pytest

import fmd_core as fmd
from fmd_core.data import FeatureSet
from fmd_core.heads.answering import Recorded
from fmd_core.heads.fitting import ConvexProblem, fit_head
from fmd_core.intervals import wilson_interval
from fmd_core.measure.group_loss import by_service
from fmd_core.measure.served_groups import people_of
from fmd_core.measure.verdict.goal import Goal
from fmd_core.measure.verdict.values import Family, Member, Outcome
from fmd_core.measure.worst_group import WorstGroup, judged_by_group
from fmd_core.report import wording
from fmd_core.report.aiming import doubt, suggestion_reason
from fmd_core.study.aim import Aim
from fmd_core.unlearn.aiming import watched_groups
from tests.core.test_worst_group import Nothing, comparison, rates

CELLS = [(0, 0), (0, 1), (1, 0), (1, 1)]
ANSWERS = Recorded(slice(0, 2))


def crowd(right, n=20, weights=None, persons=None):
    """`n` test rows of each class and form, of whom the first so many in `right` are answered right; as many train."""
    labels, codes = (np.repeat([cell[place] for cell in CELLS], n) for place in range(2))
    answers = np.where(np.concatenate([np.arange(n) < k for k in right]), labels, 1 - labels)
    data = fmd.AttributeDataset(
        "Known", fmd.Column("hired", twice(labels), ("no", "yes")),
        {"form": fmd.Column("form", twice(codes), ("old", "new"))}, np.repeat(["test", "train"], 4 * n), Nothing(),
        weights=twice(weights), persons=twice(persons),
    )  # fmt: skip
    return data, FeatureSet(np.eye(2)[answers], labels, np.arange(len(labels)))


def twice(values):
    return None if values is None else np.tile(values, 2)


def named(data, them, least=10):
    return by_service(ANSWERS, data, them, "form", least)


def test_weights_say_who_is_served_worst_as_in_the_verdict():
    weights = np.ones(80)
    weights[:10], weights[35:40] = 3.0, 6.0  # of no old those who are right, of no new those who are missed
    data, them = crowd((10, 15, 18, 18), weights=weights)
    worst = named(data, them)[0]
    assert (worst.label, worst.level) == ("no", "new")
    assert worst.accuracy.value == pytest.approx(15 / 45)
    low, high = wilson_interval(1 / 3, 45**2 / (15 + 5 * 36))
    assert (worst.accuracy.low, worst.accuracy.high) == pytest.approx((low, high))
    assert named(replace(data, weights=None), them)[0].level == "old"
    weights[:10] = 1000.0
    weights[0] = 1e9  # one person outweighs all of the group
    assert "old" not in {
        g.level for g in named(replace(data, weights=twice(weights)), them) if g.label == "no"
    }


def test_a_group_of_many_rows_of_few_people_is_not_named():
    persons = np.r_[np.repeat(np.arange(4), 5), 10 + np.repeat(np.arange(10), 2), 20 + np.arange(40)]
    data, them = crowd((0, 15, 18, 18), persons=persons)
    worst = named(data, them)[0]
    assert (worst.label, worst.level, worst.accuracy.n) == ("no", "new", 10)
    assert people_of(data, them.rows, np.repeat(np.arange(4), 20), 4).tolist() == [4, 10, 20, 20]
    assert len(WorstGroup.of(data, them, "form", least=10).groups) == 3
    assert named(replace(data, persons=None), them)[0].level == "old"


@pytest.mark.parametrize(("helped", "verdict"), [(3, "no evidence"), (5, "mixed"), (20, "improved")])
def test_an_improvement_is_counted_by_people_not_by_rows(helped, verdict):
    """40 people of the worst group have five rows each; 200 rows would make three of them an improvement."""
    n, times = 200, 5
    persons = np.repeat(np.arange(4 * n // times), times)
    data, them = crowd((0, n, n, n), n=n)
    before = np.where(np.arange(4 * n) < n, 1, them.labels)
    after = np.where(np.arange(4 * n) < helped * times, 0, before)
    by_rows, by_people = (
        judged_by_group(comparison(each, them, before, after), each, named(each, them)[0])
        for each in (data, replace(data, persons=twice(persons)))
    )
    assert by_rows.verdict == "improved"
    assert by_people.verdict == verdict
    assert (by_people.judged.after.n, by_people.own.difference.n) == (40, 40)
    assert by_people.judged.before.value == by_rows.judged.before.value == 1.0
    assert by_people.judged.after.value == pytest.approx(1 - helped / 40)
    assert by_people.judged.difference.high >= by_rows.judged.difference.high
    assert by_people.own.after.value == pytest.approx(helped / 40)
    said = wording.comparison_headline(by_people).lower()
    assert ("no evidence that" in said) == (verdict != "improved")


def test_of_few_people_with_many_rows_nothing_is_said():
    n = 60
    persons = np.r_[np.repeat(np.arange(12), 5), 12 + np.arange(3 * n)]
    data, them = crowd((0, n, n, n), n=n, persons=persons)
    before = np.where(np.arange(4 * n) < n, 1, them.labels)
    found = judged_by_group(comparison(data, them, before, them.labels), data, named(data, them)[0])
    assert found.judged.after.problem == found.own.after.problem == "not enough people to say (n = 12)"
    assert found.verdict == "no evidence"


def test_the_lag_goes_by_weights_as_what_the_change_was_for_does():
    n = 60
    weights = np.ones(4 * n)
    weights[:30] = 9.0
    data, them = crowd((0, n, n, n), n=n, weights=weights)
    before = np.where(np.arange(4 * n) < n, 1, them.labels)
    after = np.where(np.arange(4 * n) < 30, before, them.labels)  # only those who stand for few are helped
    found = judged_by_group(comparison(data, them, before, after), data, named(data, them)[0])
    assert found.judged.before.value == 1.0
    assert found.judged.after.value == pytest.approx(1 - 30 / 300)
    assert found.own.after.value == pytest.approx(30 / 300)


def test_groups_that_are_served_alike_are_counted(tiny):
    data, them = crowd((15, 15, 18, 15))
    worst, *rest = named(data, them)
    assert [group.accuracy.value == worst.accuracy.value for group in rest] == [True, True, False]
    study = fmd.Study(tiny.dataset, tiny.classifier)
    values = sorted(rates(tiny, ("external", "validation"), 10).values())
    assert study.as_badly_served("mark") == values.count(values[0]) - 1


# --- a network that some of those who choose taught


def taught(tiny, *parts):
    """The tiny model as one whose file says that these parts taught it on."""
    known = {tiny.dataset.parts_fingerprint: ("train", *parts)}
    return fmd.Study(tiny.dataset, replace(tiny.classifier, taught_by=known), influence_method="first-order")


@pytest.mark.parametrize(("teacher", "left"), [("external", "validation"), ("validation", "external")])
def test_who_taught_the_model_does_not_say_whom_it_serves_worst(tiny, teacher, left):
    study = taught(tiny, teacher)
    here = rates(tiny, (left,), 10)
    label, mark = min(here, key=here.get)
    worst = study.worst_served("mark")
    assert study.who_choose() == (left,)
    assert (worst.label, worst.level) == (
        tiny.dataset.target.levels[label],
        tiny.dataset.attribute("mark").levels[mark],
    )
    assert worst.accuracy.value == pytest.approx(here[label, mark])
    assert study.groups_unsaid("mark") == 9 - len(here)


def test_where_all_of_them_taught_it_nobody_is_named_and_nothing_is_tried(tiny):
    study, aim = taught(tiny, "external", "validation"), Aim(("mark",), "worst group")
    for ask, about in ((study.worst_served, "mark"), (study.scores, aim), (study.path, aim)):
        with pytest.raises(fmd.DataError, match="nobody is left to say who is served worst"):
            ask(about)
    assert study.groups_unsaid("mark") == 9
    goal = tiny.study.worst_group_goal("mark", 0.1)
    road = study.road(study.ways(goal, ["iterated"], ["last layer"])[0], goal)
    assert "nobody is left" in road.why_not


def test_whom_the_model_learned_from_are_within_no_limit(tiny):
    """Else the page suggests to leave it as it is, within its limit on the very people who taught it."""
    aim, large = Aim(("shade",), "worst group"), (Member("shape", "square"), Member("shade", "common"))
    goal = Goal(Family.SERVICE, ("shade",), 1.0, members=(large, ()))
    people = tiny.features["external"]  # a head that answers; that of the tiny model guesses by the mark
    weights = np.full(len(people), 1 / len(people))
    head = fit_head(tiny.head, ConvexProblem(people.features, people.labels, weights, 1e-2))
    able = replace(tiny, classifier=replace(tiny.classifier, head=head))
    assert able.study.reached(goal, "validation").outcome is Outcome.WITHIN
    study = taught(able, "validation")
    found = study.reached(goal, "validation")
    assert found.outcome is Outcome.UNKNOWN
    assert found.sentence.endswith(
        "Validation people taught this model, so they cannot judge a change of it."
    )
    assert doubt(found) == ""
    path = study.path(aim, goal=goal)
    assert path.suggested is path.original
    assert all(point.refusal for point in path.points[1:])
    reason = suggestion_reason(path, "image")
    assert "lies within" not in reason
    assert "the guard refuses every strength, because validation people taught this model" in reason
    assert "may lead farther" not in reason  # nobody is left to choose there either
    suggestion = study.try_roads(goal, study.ways(goal, ["iterated"], ["last layer"]))
    assert not suggestion.is_reached
    assert study.reached(goal, "test").outcome is Outcome.WITHIN


def test_pairs_that_the_reviewer_left_out_have_no_say_in_it(tiny):
    rows = tuple(("mark", int(row)) for row in tiny.pairs["test"].rows[:40])
    study = fmd.Study(tiny.dataset, tiny.classifier, left_out=rows, influence_method="first-order")
    aim = Aim(("mark",), "worst group")
    assert study.worst_served("mark") == tiny.study.worst_served("mark")
    ends = [one.comparison(one.path(aim).suggested, aim) for one in (study, tiny.study)]
    assert ends[0].judged == ends[1].judged
    assert ends[0].flips.before.n == ends[1].flips.before.n - 40


def test_of_many_classes_the_group_that_is_named_is_judged(demo):
    aim = Aim(("paper",), "worst group")
    people = demo.study.choosers()
    right = demo.head.probabilities(people.features).argmax(axis=1) == people.labels
    papers = demo.dataset.attribute("paper").codes[people.rows]
    found = {
        (label, paper): (float(right[inside].mean()), int(inside.sum()))
        for label in range(10)
        for paper in np.unique(papers)
        if (inside := (people.labels == label) & (papers == paper)).sum() >= 10
    }
    label, paper = min(found, key=lambda cell: found[cell][0])
    worst = demo.study.worst_served("paper")
    level = demo.dataset.attribute("paper").levels[paper]
    assert (worst.label, worst.level) == (demo.dataset.target.levels[label], level)
    assert (worst.accuracy.value, worst.accuracy.n) == pytest.approx(found[label, paper])
    judged = demo.study.comparison(demo.study.path(aim).suggested, aim).judged
    assert set(judged.properties) == {("digit", worst.label), ("paper", worst.level)}


def test_of_a_group_that_is_watched_people_are_counted_and_not_rows():
    persons = np.r_[np.repeat(np.arange(4), 5), 10 + np.repeat(np.arange(10), 2), 20 + np.arange(40)]
    data, them = crowd((0, 15, 18, 18), persons=persons)
    assert [group.n for group in watched_groups(data, them, ["form"])] == [20, 10, 20]
    assert [g.n for g in watched_groups(replace(data, persons=None), them, ["form"])] == [20] * 4


def test_what_was_not_touched_is_unchanged_also_where_few_people_know_the_lag():
    data, them = crowd((0, 20, 20, 20))
    before = np.where(np.arange(80) < 20, 1, them.labels)
    found = judged_by_group(comparison(data, them, before, before), data, named(data, them)[0])
    assert found.judged.difference.value is None
    assert found.verdict == "unchanged"
    assert wording.comparison_headline(found).startswith("Nothing has changed")
    moved = replace(found.bias, difference=replace(found.bias.difference, value=-0.01))
    assert replace(found, bias=moved).verdict == "no evidence"  # probabilities moved, and no answer did


def test_of_people_whose_weights_are_uneven_it_is_said_as_how_many_they_count():
    n = 40
    weights = np.r_[np.full(2, 50.0), np.ones(4 * n - 2)]
    data, them = crowd((0, n, n, n), n=n, weights=weights)
    worst = named(replace(data, weights=None), them)[0]
    before = np.where(np.arange(4 * n) < n, 1, them.labels)
    found = judged_by_group(comparison(data, them, before, them.labels), data, worst)
    assert found.judged.after.problem == found.own.after.problem
    assert found.judged.after.problem == "not enough people to say (n = 40, as good as 4 who count alike)"
