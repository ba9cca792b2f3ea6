"""The check of the scores: right scores pass it, wrong ones do not."""

from dataclasses import replace

import numpy as np
import pytest

from fmd_core import (
    DataError,
    GroupGap,
    InfluenceScores,
    JointBias,
    ModelError,
    bias_influence,
    check_scores,
    fit_curvature,
    refit_without,
)
from fmd_core.heads.linear import LinearHead
from fmd_core.heads.two_layer import MLPHead
from fmd_core.influence import score_check
from fmd_core.influence.score_check import (
    Effect,
    GroupCheck,
    ScoreCheck,
    SignTest,
    planted_samples,
    sign_test,
)


def check(problem, scores=None, **changes):
    settings = {"k": 10, "draws": 3, "plants": 10} | changes
    return check_scores(
        problem.head,
        problem.features["train"],
        problem.bias("external"),
        scores or problem.scores,
        held_out=problem.bias("test"),
        damping=problem.damping,
        **settings,
    )


@pytest.fixture(scope="module")
def demo_check(demo):
    return check(demo, k=50, draws=5, plants=20)


def shuffled(scores):
    mixed = np.random.default_rng(0).permutation(scores.removal_effect)
    return InfluenceScores(scores.attribute, mixed, scores.rows, scores.bias)


# --- right scores


def test_the_demo_s_scores_can_be_relied_on(demo_check):
    assert demo_check.verdict == "can be relied on"
    assert demo_check.converged
    harmful, random, helpful = demo_check.groups
    assert harmful.mean("measured") < random.mean("measured") < helpful.mean("measured")
    assert harmful.mean("measured_held_out") < 0 < helpful.mean("measured_held_out")
    assert demo_check.planted.right >= 18
    assert demo_check.planted.right_held_out >= 16


def test_predictions_are_nearer_than_scores_added_up(demo_check):
    for group in (demo_check.groups[0], demo_check.groups[2]):
        truth = group.mean("measured")
        assert abs(group.mean("predicted") - truth) < 0.5 * abs(group.mean("added_up") - truth)


def test_measured_is_a_refit_on_both_peoples(tiny):
    train, members = tiny.features["train"], tiny.scores.most_harmful(10)
    refitted = refit_without(tiny.head, train, members, damping=tiny.damping)
    effect = check(tiny).groups[0].draws[0]
    for split, measured in (("external", effect.measured), ("test", effect.measured_held_out)):
        bias = tiny.bias(split)
        assert measured == pytest.approx(bias.value(refitted) - bias.value(tiny.head), abs=1e-6)
    assert effect.added_up == pytest.approx(tiny.scores.removal_effect[members].sum())


def test_random_draws_are_seeded(tiny):
    def drawn(**changes):
        return [effect.measured for effect in check(tiny, plants=2, **changes).groups[1].draws]

    assert drawn() == drawn()
    assert drawn() != drawn(seed=1)
    assert len(set(drawn())) == 3


# --- wrong scores


def test_shuffled_scores_are_not_to_be_relied_on(demo):
    assert check(demo, shuffled(demo.scores), k=50).verdict == "not to be relied on"


def test_scores_of_the_wrong_sign_are_not_to_be_relied_on(tiny):
    turned = InfluenceScores("mark", -tiny.scores.removal_effect, tiny.scores.rows, tiny.scores.bias)
    found = check(tiny, turned)
    assert found.verdict == "not to be relied on"
    assert not found.in_order("measured")


def test_planted_samples_tell_shuffled_scores(tiny, monkeypatch):
    """With 60 plants right scores get nearly all signs right, shuffled ones about half."""
    right = check(tiny, draws=1, plants=60)
    assert right.planted.right >= 0.9 * right.planted.n
    monkeypatch.setattr(score_check, "bias_influence", lambda *given: shuffled(bias_influence(*given)))
    mixed = check(tiny, draws=1, plants=60)
    assert 0.3 * mixed.planted.n < mixed.planted.right < 0.7 * mixed.planted.n
    assert not mixed.planted.beats_chance
    assert mixed.verdict == "not to be relied on"


# --- the sign test by itself


def test_nineteen_of_twenty_signs_by_hand():
    predicted = np.tile([1.0, -2.0], 10)
    measured = predicted * 0.1
    measured[3] *= -1
    found = sign_test(predicted, measured, -measured)
    assert (found.right, found.n, found.right_held_out) == (19, 20, 1)
    assert found.p_value == pytest.approx(21 / 2**20)  # 20 or 1 of the 2^20 outcomes are as good


def test_an_effect_of_nothing_agrees_with_nothing():
    assert sign_test(np.zeros(4), np.ones(4), np.ones(4)).right == 0
    assert sign_test(np.ones(4), np.zeros(4), np.ones(4)).right == 0


@pytest.mark.parametrize(("right", "beats"), [(14, False), (15, True)])
def test_fourteen_of_twenty_could_be_guesses(right, beats):
    measured = np.where(np.arange(20) < right, 1.0, -1.0)
    assert sign_test(np.ones(20), measured, measured).beats_chance == beats


# --- a head that was not fitted here


def test_effects_of_a_foreign_head_are_measured_from_a_refit_with_everybody(tiny):
    train, bias = tiny.features["train"], tiny.bias("external")
    foreign = tiny.head.moved(np.full(tiny.head.n_parameters, 0.2))
    scores = bias_influence(foreign, train, bias, fit_curvature(foreign, train, damping=tiny.damping))
    found = check_scores(
        foreign,
        train,
        bias,
        scores,
        held_out=tiny.bias("test"),
        k=10,
        damping=tiny.damping,
        draws=1,
        plants=2,
    )
    without = refit_without(foreign, train, scores.most_harmful(10), damping=tiny.damping)
    assert found.groups[0].mean("measured") == pytest.approx(
        bias.value(without) - bias.value(tiny.head), abs=1e-5
    )
    assert found.head_distance == pytest.approx(
        0.2 * np.sqrt(tiny.head.n_parameters) / np.linalg.norm(foreign.theta), rel=1e-3
    )
    assert not found.converged
    assert found.bias == bias.value(foreign)
    assert found.bias_refitted == pytest.approx(bias.value(tiny.head), abs=1e-6)


# --- what is planted


def test_half_of_the_planted_are_from_either_side(tiny):
    pairs = tiny.pairs["external"]
    found = planted_samples(tiny.bias("external"), 20, np.random.default_rng(0))

    def among(side, part):
        return all((side.features == sample).all(axis=1).any() for sample in part)

    assert among(pairs.favoured, found.features[:10])
    assert among(pairs.other, found.features[10:])
    assert not among(pairs.other, found.features[:10])
    assert len(np.unique(found.rows[:10])) == 10


def test_few_pairs_are_planted_once_each(tiny):
    few = replace(tiny.bias("external"), pairs=tiny.pairs["external"].subset(np.arange(3)))
    assert len(planted_samples(few, 20, np.random.default_rng(0))) == 6


def test_group_gaps_and_several_attributes_are_checked_too(tiny):
    train, gaps = tiny.features["train"], {}
    for split in ("external", "test"):
        people = tiny.features[split]
        gaps[split] = JointBias(
            tuple(GroupGap.of(tiny.dataset, people, name, "demographic parity") for name in ("mark", "shade"))
        )
    scores = bias_influence(tiny.head, train, gaps["external"], tiny.curvature)
    found = check_scores(
        tiny.head, train, gaps["external"], scores, held_out=gaps["test"], k=10, damping=tiny.damping, draws=3
    )
    assert found.attribute == "mark and shade"
    assert found.planted.n == 20
    assert found.planted.right >= 17
    assert found.in_order("measured")


# --- how it goes on


def test_every_refit_is_reported_and_a_report_can_stop_it(tiny):
    told = []
    check(tiny, progress=told.append)
    assert len(told) == 3 + 3 + 10
    assert told == sorted(told)
    assert told[-1] == 1

    class StopError(Exception):
        pass

    def stop(share):
        told.append(share)
        raise StopError

    told.clear()
    with pytest.raises(StopError):
        check(tiny, progress=stop)
    assert len(told) == 1


@pytest.mark.parametrize("k", [0, 101, 500])
def test_k_that_cannot_be_checked(tiny, k):
    with pytest.raises(DataError) as caught:
        check(tiny, k=k)
    assert str(caught.value) == (
        f"K = {k} cannot be checked: the most harmful and the most helpful would overlap; choose K between 1 and 100, "
        "half of the 200 training samples."
    )


def test_scores_of_other_samples_are_refused(tiny):
    other = InfluenceScores("mark", np.zeros(200), np.arange(200) + 1, 0.5)
    with pytest.raises(DataError, match="These scores are of other training samples"):
        check(tiny, other)


def test_two_layers_are_refused_in_a_sentence(tiny):
    head = MLPHead(np.ones((4, 6)), np.zeros(4), LinearHead(np.zeros((3, 4)), np.zeros(3)))
    model = replace(tiny.classifier, head=head)
    with pytest.raises(ModelError, match="Scores of two layers cannot be checked"):
        check(replace(tiny, classifier=model), tiny.scores)


# --- the verdict's rule


def made(harmful=-0.03, random=(-0.002, 0.001), helpful=0.05, *, predicted=1.0, held_out=1.0, right=20):
    """A check whose predictions are `predicted` times, and held-out effects `held_out` times the truth."""

    def group(kind, *truths):
        effects = [Effect(t / 2, predicted * t, t, held_out * t, held_out * t) for t in truths]
        return GroupCheck(kind, tuple(effects))

    groups = group("harmful", harmful), group("random", *random), group("helpful", helpful)
    p_value = 1e-6 if right > 14 else 0.3
    return ScoreCheck("mark", 10, groups, SignTest(right, 20, p_value), 0.5, 0.5, 0.0)


@pytest.mark.parametrize(
    ("case", "verdict"),
    [
        ({}, "can be relied on"),
        ({"predicted": 1.24}, "can be relied on"),
        ({"predicted": 1.26}, "rough"),
        ({"predicted": 0.7}, "rough"),
        ({"predicted": 2, "harmful": -4e-4, "random": (0.0,), "helpful": 4e-4}, "can be relied on"),
        ({"held_out": -1}, "rough"),
        ({"right": 18}, "can be relied on"),
        ({"right": 17}, "rough"),
        ({"right": 12}, "not to be relied on"),
        ({"harmful": -0.001}, "not to be relied on"),
        ({"harmful": 0.01, "random": (0.02,)}, "not to be relied on"),
        ({"helpful": 0.0005}, "not to be relied on"),
        ({"helpful": -0.001, "random": (-0.002,)}, "not to be relied on"),
    ],
)
def test_verdict(case, verdict):
    assert made(**case).verdict == verdict


def test_mean_and_range_of_the_draws():
    random = made().groups[1]
    assert random.mean("measured") == pytest.approx(-0.0005)
    assert random.ends("measured") == (-0.002, 0.001)
