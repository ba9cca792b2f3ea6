"""The worst group as what a fix is for: figures known by hand, and who may say which group it is."""

import numpy as np
import pytest

import fmd_core as fmd
from fmd_core.data import FeatureSet
from fmd_core.heads.answering import Recorded
from fmd_core.measure.bias_functions import joint
from fmd_core.measure.served_groups import served_groups, worst_lag
from fmd_core.measure.verdict.values import Family, Outcome
from fmd_core.measure.worst_group import WorstGroup, judged_by_group, lag_change
from fmd_core.report import wording
from fmd_core.study.aim import Aim, aim_of
from fmd_core.unlearn.aiming import FEWEST
from fmd_core.unlearn.worst_group import TILT, worst_group_mover

SIZES = {("no", "old"): 20, ("no", "new"): 10, ("yes", "old"): 12, ("yes", "new"): 10}
SURE = {("no", "old"): 0.9, ("no", "new"): 0.8, ("yes", "old"): 0.6, ("yes", "new"): 0.2}


class Nothing:
    """Samples that nobody reads."""

    kind, fingerprint = "table", "nothing"


def people(times=1):
    """A data set of groups, and what a model is known to answer to its test people, as features."""
    cells = [cell for cell, n in SIZES.items() for _ in range(n * times)]
    n, labels = len(cells), np.array([int(label == "yes") for label, _ in cells])
    codes = np.array([int(level == "new") for _, level in cells])
    data = fmd.AttributeDataset(
        "Known", fmd.Column("hired", np.tile(labels, 2), ("no", "yes")),
        {"form": fmd.Column("form", np.tile(codes, 2), ("old", "new"))},
        np.repeat(["train", "test"], n), Nothing(),
    )  # fmt: skip
    truth = np.array([SURE[cell] for cell in cells])
    given = np.where(labels[:, None] == np.arange(2), truth[:, None], 1 - truth[:, None])
    return data, FeatureSet(given, labels, np.arange(n, 2 * n))


def is_new(data, them):
    return data.attribute("form").codes[them.rows] == 1


ANSWERS = Recorded(slice(0, 2))


def test_the_lag_is_that_of_the_worst_group_of_enough_people():
    data, them = people()
    lag = WorstGroup.of(data, them, "form", least=10)
    assert len(lag.groups) == 4
    assert lag.value(ANSWERS) == pytest.approx((20 * 0.9 + 10 * 0.8 + 12 * 0.6) / 42 - 0.2, abs=1e-6)
    assert lag.decided(ANSWERS) == pytest.approx(1.0)  # all of it wrong, everybody else right
    larger = WorstGroup.of(data, them, "form", least=11)
    assert larger.value(ANSWERS) == pytest.approx((20 * 0.9 + 10 * 0.8 + 10 * 0.2) / 40 - 0.6, abs=1e-6)
    assert joint([lag]).measure == "worst group"


def test_of_small_groups_it_cannot_be_said():
    data, them = people()
    with pytest.raises(
        fmd.DataError, match="No two groups of hired and form have 21 images each of those who choose"
    ):
        WorstGroup.of(data, them, "form", least=21)


def test_the_slope_is_that_of_the_lag(tiny):
    lag = WorstGroup.of(tiny.dataset, tiny.features["validation"], "mark", least=FEWEST)
    slope, step = lag.gradient(tiny.head), 1e-5
    for place in range(0, tiny.head.n_parameters, 4):
        way = np.zeros(tiny.head.n_parameters)
        way[place] = step
        ends = [lag.value(tiny.head.moved(sign * way)) for sign in (1, -1)]
        assert (ends[0] - ends[1]) / (2 * step) == pytest.approx(slope[place], abs=1e-3)


@pytest.mark.parametrize("strength", [0.5, 2.0, 50.0])
def test_more_strength_lets_the_worst_group_count_more_as_known_by_hand(strength):
    """90 people of one class and 10 of the other who all look the same: at tilt t the odds are 9^(-1/(t + 1))."""
    labels = np.r_[np.zeros(90, int), np.ones(10, int)]
    data = fmd.AttributeDataset(
        "Alike", fmd.Column("hired", labels, ("no", "yes")),
        {"form": fmd.Column("form", np.zeros(100, int), ("old",))}, np.full(100, "train"), Nothing(),
    )  # fmt: skip
    them = FeatureSet(np.zeros((100, 1)), labels, np.arange(100))
    head = fmd.LinearHead(np.zeros((2, 1)), np.zeros(2))
    bias = WorstGroup.of(data, them, "form", least=10)
    mover = worst_group_mover(head, bias, them, damping=1e-9)
    chances = mover.move(strength, head).probabilities(np.zeros((1, 1)))[0]
    assert chances[1] / chances[0] == pytest.approx(9 ** (-1 / (1 + TILT * strength)), rel=1e-3)
    assert mover.move(0.0, head) is head


def test_held_out_people_are_asked_about_the_group_that_was_named():
    data, them = people(times=4)
    before = them.labels.copy()
    before[(them.labels == 1) & is_new(data, them)] = 0  # all 40 hired new are missed
    after = before.copy()
    missed = np.flatnonzero(before != them.labels)
    after[missed[:30]] = 1
    after[np.flatnonzero(them.labels == 0)[:4]] = 1  # four of the 168 others pay
    found = comparison(data, them, before, after)
    group = next(g for g in served_groups(data, "form", them, before == them.labels, 10) if g.level == "new")
    lag = lag_change(found, data, "form", group)
    assert (lag.before.value, lag.after.n) == (pytest.approx(1.0), 40)
    assert lag.after.value == pytest.approx(164 / 168 - 30 / 40)
    assert lag.fell
    judged = judged_by_group(found, data, group)
    assert judged.judged.name == "lag"
    assert wording.bias_name(judged) == "lag of form new with hired yes"
    assert judged.verdict in ("improved", "mixed")
    assert judged.is_decisive


def test_a_lag_that_falls_because_everybody_else_loses_is_no_improvement():
    data, them = people(times=20)
    before = them.labels.copy()
    worst = np.flatnonzero((them.labels == 1) & is_new(data, them))
    before[worst[:100]] = 0
    after = before.copy()
    after[worst[:2]] = 1
    after[np.flatnonzero(them.labels == 0)[:6]] = 1  # so that whether accuracy falls cannot be said
    group = next(g for g in served_groups(data, "form", them, before == them.labels, 10) if g.level == "new")
    judged = judged_by_group(comparison(data, them, before, after), data, group)
    assert judged.judged.fell
    assert not judged.has_costs
    assert judged.verdict == "mixed"
    assert "no evidence that form new with hired yes are right more often" in wording.comparison_headline(
        judged
    )


def test_what_fewer_than_30_of_the_group_show_cannot_be_said():
    data, them = people()
    before = np.zeros_like(them.labels)
    found = comparison(data, them, before, them.labels)
    group = served_groups(data, "form", them, before == them.labels, 10)[0]
    judged = judged_by_group(found, data, group)
    assert judged.judged.after.value is None
    assert judged.verdict == "no evidence"
    assert wording.comparison_headline(judged).startswith("Whether it worked cannot be said")


def comparison(data, them, before, after):
    """What a model answered before and after, as a comparison; its twins tell nothing here."""
    eye, codes = np.eye(2), is_new(data, them).astype(int)
    both = FeatureSet(np.column_stack([eye[before], eye[after]]), them.labels, them.rows)
    twins = fmd.CounterfactualPairs("form", "flipped", both, both, codes, codes, codes)
    return fmd.compare(*map(known, (Recorded(slice(0, 2)), Recorded(slice(2, 4)))), data, both, twins)


def known(recorded):
    """Recorded answers as a head of two classes."""

    class Known:
        n_classes, probabilities = 2, staticmethod(recorded.probabilities)
        logits = staticmethod(lambda features: np.log(recorded.probabilities(features) + 1e-9))

    return Known()


def test_the_judges_figure_is_widened_for_looking_at_all_groups():
    data, them = people(times=10)
    right = np.ones(len(them), bool)
    right[np.flatnonzero((them.labels == 1) & is_new(data, them))[:50]] = False
    groups = served_groups(data, "form", them, right)
    lag = worst_lag(groups, right)
    assert (lag.value, lag.n) == (pytest.approx(1 - 50 / 100), 100)
    alone = worst_lag(groups[:1], right)
    assert lag.low < alone.low < alone.high < lag.high
    assert (
        worst_lag(served_groups(data, "form", them.subset(np.arange(20)), right[:20]), right[:20]).value
        is None
    )


# --- the study


AIM = Aim(("mark",), "worst group")


def rates(tiny, splits, least):
    """How often the original is right of each class and mark, by name, of those with enough people."""
    codes = tiny.dataset.attribute("mark").codes
    found = {}
    features = [tiny.features[s] for s in splits]
    right = np.concatenate([tiny.head.probabilities(f.features).argmax(axis=1) == f.labels for f in features])
    labels = np.concatenate([f.labels for f in features])
    marks = np.concatenate([codes[f.rows] for f in features])
    for label in range(3):
        for mark in range(3):
            inside = (labels == label) & (marks == mark)
            if inside.sum() >= least:
                found[label, mark] = float(right[inside].mean())
    return found


def test_those_who_choose_say_who_is_served_worst_and_test_people_do_not(tiny):
    by_choosers = rates(tiny, ("external", "validation"), FEWEST)
    label, mark = min(by_choosers, key=by_choosers.get)
    worst = tiny.study.worst_served("mark")
    target, column = tiny.dataset.target.levels, tiny.dataset.attribute("mark").levels
    assert (worst.label, worst.level) == (target[label], column[mark])
    assert worst.accuracy.value == pytest.approx(by_choosers[label, mark])
    asked = fmd.Study(tiny.dataset, tiny.classifier)
    asked.worst_served("mark")
    assert asked.are_read("validation")
    assert not asked.are_read("test")


def test_the_last_layer_serves_the_worst_group_better_and_the_guard_is_the_same(tiny):
    path = tiny.study.path(AIM, tolerance=0.02)
    here = rates(tiny, ("validation",), FEWEST)
    assert path.original.worst.accuracy == pytest.approx(min(here.values()))
    assert path.suggested is not path.original
    assert path.suggested.decided < path.original.decided
    assert path.suggested.accuracy >= path.original.accuracy - 0.02
    assert all(point.accuracy >= path.original.accuracy for point in tiny.study.path(AIM, tolerance=0).points
               if not point.refusal)  # fmt: skip
    rises = [p for p in path.points if p.bias > path.original.bias + 0.001]
    assert all(point.refusal for point in rises)
    found = tiny.study.comparison(path.suggested, AIM)
    group = tiny.study.worst_served("mark")
    assert found.measure == "worst group"
    assert set(found.judged.properties) == {("shape", group.label), ("mark", group.level)}


@pytest.mark.parametrize("strategy", ["paper-external", "paper-remove", "paper-replace", "retained"])
def test_every_strategy_knows_the_aim(tiny, strategy):
    path = tiny.study.path(AIM, strategy)
    assert len(path.points) > 1
    assert wording.strategy_note(strategy, "worst group")


def test_the_goal_is_about_the_named_group_and_leads_back_to_the_aim(tiny):
    goal = tiny.study.worst_group_goal("mark", 0.1)
    group = tiny.study.worst_served("mark")
    assert goal.family is Family.SERVICE
    assert {member.level for member in goal.members[0]} == {group.label, group.level}
    assert aim_of(goal, tiny.dataset.target.levels) == AIM
    assert AIM in {way.aim for way in tiny.study.ways(goal, depths=["last layer"])}
    found = tiny.study.reached(goal, "test")
    assert found.outcome in Outcome
    assert group.level in found.sentence or group.who in found.sentence
    aimed = tiny.study.path(AIM, goal=goal)
    assert aimed.original.found is not None


def test_of_digits_no_group_is_large_enough(demo):
    with pytest.raises(
        fmd.DataError, match="No two groups of digit and colour have 10 digits each of those who choose"
    ):
        demo.study.path(Aim(("colour",), "worst group"))
    assert demo.study.groups_unsaid("colour") == 99
