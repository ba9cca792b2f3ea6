"""Leaving samples out: predictions against exact refits."""

import numpy as np
import pytest
from scipy.stats import spearmanr

from fmd_core import DataError, FeatureSet, SolverError, bias_influence, predict_removal, refit_without
from fmd_core.heads.curvature import DENSE_PARAMETERS
from fmd_core.heads.fitting import ConvexProblem, fit_head
from fmd_core.heads.linear import LinearHead
from fmd_core.heads.two_layer import MLPHead
from fmd_core.influence.removal import kept_samples, refit_with, whole_curvature


def slope_left(head, features, labels, weights, damping):
    """Gradient of the regularised loss, which is 0 at its minimum."""
    return np.abs(head.loss_gradient(features, labels, weights) + damping * head.theta).max()


def effects(problem, members):
    """Change of B without `members`: scores added up, predicted, true."""
    train, bias = problem.features["train"], problem.bias("external")
    heads = [
        find(problem.head, train, members, damping=problem.damping)
        for find in (predict_removal, refit_without)
    ]
    before = bias.value(problem.head)
    return problem.scores.removal_effect[members].sum(), *(bias.value(head) - before for head in heads)


# --- the truth


def test_a_refit_minimises_the_loss_of_the_kept_at_their_old_weight(tiny):
    train, out = tiny.features["train"], np.array([0, 7, 190])
    head = refit_without(tiny.head, train, out, damping=tiny.damping)
    weights = np.full(200, 1 / 200)
    weights[out] = 0
    assert slope_left(head, train.features, train.labels, weights, tiny.damping) < 1e-7
    assert slope_left(tiny.head, train.features, train.labels, weights, tiny.damping) > 1e-4


def test_a_converged_head_stays_where_nobody_is_left_out(tiny):
    train = tiny.features["train"]
    np.testing.assert_allclose(
        refit_without(tiny.head, train, [], damping=tiny.damping).theta, tiny.head.theta, atol=1e-6
    )
    assert predict_removal(tiny.head, train, [], damping=tiny.damping) is tiny.head


def test_another_start_finds_the_same_refit(tiny):
    train, out = tiny.features["train"], np.arange(40)
    blank = LinearHead(np.zeros((3, 6)), np.zeros(3))
    found = [refit_without(start, train, out, damping=tiny.damping).theta for start in (tiny.head, blank)]
    np.testing.assert_allclose(found[0], found[1], atol=1e-5)


def test_a_copy_with_the_weight_of_a_sample_is_that_sample_twice(tiny):
    train = tiny.features["train"]
    twice = np.ones(200) / 200
    twice[5] *= 2
    expected = fit_head(tiny.head, ConvexProblem(train.features, train.labels, twice, tiny.damping))
    found = refit_with(tiny.head, train, train.subset(np.array([5])), weight=1 / 200, damping=tiny.damping)
    np.testing.assert_allclose(found.theta, expected.theta, atol=1e-6)
    assert np.abs(found.theta - tiny.head.theta).max() > 1e-3


# --- the prediction


@pytest.mark.parametrize("position", [3, 17, 120])
def test_one_sample_is_the_leave_one_out_step(tiny, position):
    """By hand: the Hessian of the others, inverted, times the sample's gradient."""
    train, own = tiny.features["train"], np.zeros(200)
    own[position] = 1 / 200
    others = tiny.head.hessian(train.features, 1 / 200 - own) + tiny.damping * np.eye(14)
    step = np.linalg.solve(others, tiny.head.loss_gradient(train.features, train.labels, own))
    found = predict_removal(tiny.head, train, [position], damping=tiny.damping)
    np.testing.assert_allclose(found.theta, tiny.head.theta + step, atol=1e-9)


def test_leave_one_out_scores_are_its_slope(tiny):
    train, bias = tiny.features["train"], tiny.bias("external")
    exact = bias_influence(tiny.head, train, bias, tiny.curvature, method="leave-one-out").removal_effect
    gradient = bias.gradient(tiny.head)
    for position in (3, 17, 120):
        stepped = predict_removal(tiny.head, train, [position], damping=tiny.damping)
        assert gradient @ (stepped.theta - tiny.head.theta) == pytest.approx(exact[position], rel=1e-6)


@pytest.mark.parametrize("k", [1, 60, 140])
def test_taking_curvature_off_the_whole_is_the_same(tiny, k):
    train, members = tiny.features["train"], np.arange(k)
    whole = whole_curvature(tiny.head, train)
    before = whole.copy()
    afresh = predict_removal(tiny.head, train, members, damping=tiny.damping)
    taken_off = predict_removal(tiny.head, train, members, damping=tiny.damping, whole=whole)
    np.testing.assert_allclose(taken_off.theta, afresh.theta, atol=1e-9)
    np.testing.assert_array_equal(whole, before)  # it serves the next group too


def test_a_large_head_is_solved_by_products(tiny):
    """Wide features of which six tell anything: the same step as without the others."""
    train, members = tiny.features["train"], np.arange(30)
    dead = DENSE_PARAMETERS // 2
    wide = FeatureSet(np.pad(train.features, ((0, 0), (0, dead))), train.labels, train.rows)
    head = LinearHead(np.pad(tiny.head.weight, ((0, 0), (0, dead))), tiny.head.bias)
    assert whole_curvature(head, wide) is None
    narrow = predict_removal(tiny.head, train, members, damping=tiny.damping)
    found = predict_removal(head, wide, members, damping=tiny.damping)
    np.testing.assert_allclose(found.weight[:, :6], narrow.weight, atol=1e-4)
    assert np.abs(narrow.weight - tiny.head.weight).max() > 0.1


@pytest.mark.parametrize("rank", ["most_harmful", "most_helpful"])
def test_the_step_lands_nearer_to_the_refit_than_with_the_curvature_of_all(tiny, rank):
    train, members = tiny.features["train"], getattr(tiny.scores, rank)(10)
    slope = tiny.head.loss_gradient(train.features[members], train.labels[members], np.full(10, 1 / 200))
    truth = refit_without(tiny.head, train, members, damping=tiny.damping).theta
    predicted = predict_removal(tiny.head, train, members, damping=tiny.damping).theta
    old = tiny.head.theta + tiny.curvature.solve(slope)
    assert np.linalg.norm(predicted - truth) < 0.95 * np.linalg.norm(old - truth)


@pytest.mark.parametrize("rank", ["most_harmful", "most_helpful"])
@pytest.mark.parametrize("k", [20, 50])
def test_prediction_is_nearer_to_the_truth_than_scores_added_up(demo, rank, k):
    added_up, predicted, truth = effects(demo, getattr(demo.scores, rank)(k))
    assert abs(predicted - truth) < 0.7 * abs(added_up - truth)
    assert predicted == pytest.approx(truth, rel=0.25)


@pytest.mark.parametrize(("share", "least", "draws"), [(100, 0.98, 40), (2, 0.95, 30)])
def test_random_groups_are_ranked_as_refits_rank_them(demo, share, least, draws):
    """A hundredth left out, and half."""
    rng = np.random.default_rng(1)
    found = np.array([effects(demo, rng.choice(900, 900 // share, replace=False)) for _ in range(draws)])
    assert spearmanr(found[:, 1], found[:, 2])[0] >= least


@pytest.fixture(scope="module")
def large():
    """4,000 samples of two classes whose second feature is a shortcut, and the effect of leaving
    groups out: predicted and true, by size of the group."""
    rng, n = np.random.default_rng(0), 4000
    labels = rng.integers(0, 2, n)
    mark = np.where(rng.random(n) < 0.95, labels, 1 - labels)
    features = np.column_stack([labels + rng.normal(0, 1, n), mark, rng.normal(0, 1, (n, 6))])
    train = FeatureSet(features.astype("float32"), labels, np.arange(n))
    head = refit_without(LinearHead(np.zeros((2, 8)), np.zeros(2)), train, [], damping=1e-3)
    shown, hidden = np.tile(features[:300], (2, 1, 1))
    shown[:, 1], hidden[:, 1] = labels[:300], 1 - labels[:300]

    def bias(of):
        pick = np.arange(300), labels[:300]
        return np.abs(of.probabilities(shown)[pick] - of.probabilities(hidden)[pick]).mean()

    def effects_of(size):
        groups = [rng.choice(n, size, replace=False) for _ in range(30)]
        return np.array(
            [
                [
                    bias(find(head, train, g, damping=1e-3)) - bias(head)
                    for find in (predict_removal, refit_without)
                ]
                for g in groups
            ]
        )

    return {size: effects_of(size) for size in (n // 100, n // 2)}


@pytest.mark.parametrize(("size", "least"), [(40, 0.99), (2000, 0.95)])
def test_aims_for_groups_on_a_synthetic_set(large, size, least):
    predicted, truth = large[size].T
    assert spearmanr(predicted, truth)[0] >= least
    assert np.ptp(truth) > 1e-4  # there is something to rank


def test_two_layers_step_by_the_gauss_newton_matrix_of_the_kept(tiny):
    rng, train, out = np.random.default_rng(0), tiny.features["train"], np.arange(5)
    last = LinearHead(rng.normal(0, 0.5, (3, 4)), np.zeros(3))
    head = MLPHead(rng.normal(0, 0.5, (4, 6)), np.zeros(4), last)
    kept, share = np.arange(200) >= 5, np.full(200, 1 / 200)
    matrix = head.hessian(train.features, share * kept) + 1e-2 * np.eye(head.n_parameters)
    step = np.linalg.solve(matrix, head.loss_gradient(train.features, train.labels, share * ~kept))
    found = predict_removal(head, train, out, damping=1e-2)
    np.testing.assert_allclose(found.theta - head.theta, step, rtol=1e-4, atol=1e-7)


# --- what is refused


@pytest.mark.parametrize(
    ("members", "sentence"),
    [
        ([200], "There is no training sample 200: positions go from 0 to 199."),
        ([-1], "There is no training sample -1: positions go from 0 to 199."),
        ([4, 4], "A training sample can be left out only once; list every position once."),
        ([0.5], "Samples to leave out are a list of positions, got float64 (1,)."),
        (
            range(200),
            "Leaving out these 200 of 200 training samples would leave no example of 3 of 3 classes; "
            "leave out fewer.",
        ),
    ],
)
@pytest.mark.parametrize("find", [predict_removal, refit_without])
def test_positions_that_make_no_sense_are_refused(tiny, find, members, sentence):
    with pytest.raises(DataError) as caught:
        find(tiny.head, tiny.features["train"], list(members), damping=tiny.damping)
    assert str(caught.value) == sentence


def test_a_whole_class_is_refused_and_all_but_one_of_it_is_not(tiny):
    train = tiny.features["train"]
    own = np.flatnonzero(train.labels == 1)
    with pytest.raises(DataError, match="no example of 1 of 3 classes; leave out fewer"):
        refit_without(tiny.head, train, own, damping=tiny.damping)
    refitted = refit_without(tiny.head, train, own[1:], damping=tiny.damping)
    stepped = predict_removal(tiny.head, train, own[1:], damping=tiny.damping)
    before = tiny.head.probabilities(train.features)[own, 1].mean()
    for head in (refitted, stepped):
        assert head.probabilities(train.features)[own[1:], 1].mean() < before / 2


def test_kept_are_all_others(tiny):
    kept = kept_samples(tiny.features["train"], [0, 199])
    assert kept.sum() == 198
    assert not kept[[0, 199]].any()


def test_a_singular_curvature_names_the_damping(tiny):
    train = tiny.features["train"]
    with pytest.raises(SolverError, match="raise damping tenfold"):
        predict_removal(tiny.head, train, [0], damping=1e-30, whole=-np.eye(14))
