"""Influence scores against retraining without the sample, and against captum."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import spearmanr

from fmd_core import (
    CounterfactualBias,
    DataError,
    FeatureSet,
    InfluenceScores,
    SolverError,
    bias_influence,
    counterfactual_bias,
    counterfactual_bias_gradient,
    fit_curvature,
)
from fmd_core.heads.fitting import ConvexProblem, fit_head
from fmd_core.measure.bias_functions import pair_differences


def true_effects(problem, positions, share=1.0):
    """Change of B per sample removed, after fitting the head again with `share` of its weight gone."""
    train, pairs = problem.features["train"], problem.pairs["external"]
    n, before = len(train), counterfactual_bias(problem.head, pairs)

    def refitted(position):
        weights = np.full(n, 1 / n)
        weights[position] *= 1 - share
        kept = ConvexProblem(train.features, train.labels, weights, problem.damping)
        return counterfactual_bias(fit_head(problem.head, kept), pairs) - before

    return np.array([refitted(position) for position in positions]) / share


@pytest.fixture(scope="module")
def tiny_truth(tiny):
    """True leave-one-out effect of every training sample."""
    return true_effects(tiny, range(200))


@pytest.fixture(scope="module")
def demo_positions(demo):
    random = np.random.default_rng(0).choice(900, 25, replace=False)
    return np.concatenate([demo.scores.most_harmful(25), demo.scores.most_helpful(25), random])


@pytest.fixture(scope="module")
def demo_truth(demo, demo_positions):
    return true_effects(demo, demo_positions)


def scored(head, train, pairs, damping=1e-3):
    return bias_influence(head, train, CounterfactualBias(pairs), fit_curvature(head, train, damping=damping))


def correlation(a, b):
    return np.corrcoef(a, b)[0, 1]


# --- against retraining: the scores are an exact slope, and a whole sample is a long way along it


def test_scores_are_the_slope_of_taking_weight_from_a_sample(tiny):
    truth = true_effects(tiny, range(200), share=0.01)
    assert correlation(tiny.scores.removal_effect, truth) > 0.9999
    assert np.polyfit(truth, tiny.scores.removal_effect, 1)[0] == pytest.approx(1, abs=0.01)


def test_scores_are_the_slope_on_the_demo(demo):
    positions = np.concatenate([demo.scores.most_harmful(6), demo.scores.most_helpful(6)])
    truth = true_effects(demo, positions, share=0.01)
    assert correlation(demo.scores.removal_effect[positions], truth) > 0.999
    assert np.polyfit(truth, demo.scores.removal_effect[positions], 1)[0] == pytest.approx(1, abs=0.02)


def test_scores_rank_whole_samples_as_leaving_them_out_does(tiny, tiny_truth):
    assert spearmanr(tiny.scores.removal_effect, tiny_truth)[0] > 0.99


def test_scores_rank_whole_samples_on_the_demo(demo, demo_positions, demo_truth):
    assert spearmanr(demo.scores.removal_effect[demo_positions], demo_truth)[0] > 0.9
    assert (demo_truth[:25] < 0).mean() > 0.9
    assert (demo_truth[25:50] > 0).mean() > 0.9


def test_stronger_damping_makes_whole_samples_proportional(tiny):
    train = tiny.features["train"]
    even = ConvexProblem(train.features, train.labels, np.full(200, 1 / 200), 0.1)
    classifier = replace(tiny.classifier, head=fit_head(tiny.head, even), damping=0.1)
    damped = replace(tiny, classifier=classifier)
    assert correlation(damped.scores.removal_effect, true_effects(damped, range(200))) > 0.99


def leave_one_out(problem):
    """Scores with each sample's own curvature left out."""
    curvature = fit_curvature(problem.head, problem.features["train"], damping=problem.damping)
    return bias_influence(
        problem.head,
        problem.features["train"],
        problem.bias("external"),
        curvature,
        method="leave-one-out",
    ).removal_effect


def test_leave_one_out_scores_are_what_leaving_out_does(tiny, tiny_truth):
    found = leave_one_out(tiny)
    assert correlation(found, tiny_truth) > 0.99
    assert np.polyfit(tiny_truth, found, 1)[0] == pytest.approx(1, abs=0.1)


def test_leave_one_out_scores_are_what_leaving_out_does_on_the_demo(demo, demo_positions, demo_truth):
    found = leave_one_out(demo)[demo_positions]
    assert correlation(found, demo_truth) > 0.99
    assert np.polyfit(demo_truth, found, 1)[0] == pytest.approx(1, abs=0.1)


def test_leave_one_out_is_a_newton_step_with_the_curvature_of_the_others(tiny):
    train, position = tiny.features["train"], 17
    own = np.zeros(len(train))
    own[position] = 1 / len(train)
    kept = tiny.head.hessian(train.features, 1 / len(train) - own) + tiny.damping * np.eye(
        tiny.head.n_parameters
    )
    gradient = counterfactual_bias_gradient(tiny.head, tiny.pairs["external"])
    step = np.linalg.solve(kept, tiny.head.loss_gradient(train.features, train.labels, own))
    assert leave_one_out(tiny)[position] == pytest.approx(gradient @ step, rel=1e-6)


def test_leave_one_out_needs_a_dense_curvature(tiny):
    train = tiny.features["train"]
    curvature = fit_curvature(tiny.head, train, damping=1e-3, solver="conjugate_gradient")
    with pytest.raises(SolverError, match=r"^Leave-one-out scores need solver = 'cholesky'; use it, or"):
        bias_influence(tiny.head, train, tiny.bias("external"), curvature, method="leave-one-out")


def test_an_unknown_method_lists_the_choices(tiny):
    curvature = fit_curvature(tiny.head, tiny.features["train"], damping=1e-3)
    with pytest.raises(
        DataError, match=r"^Unknown method 'magic'. Choose one of: first-order, leave-one-out.$"
    ):
        bias_influence(tiny.head, tiny.features["train"], tiny.bias("external"), curvature, method="magic")


def test_harmful_samples_agree_with_the_shortcut_and_helpful_ones_do_not(demo):
    aligned = demo.dataset.bias_aligned("colour")[demo.features["train"].rows]
    harmful, helpful = demo.scores.most_harmful(15), demo.scores.most_helpful(15)
    assert aligned[harmful].mean() > 0.8 > 0.5 > aligned[helpful].mean()


@pytest.mark.parametrize(("mark_of", "sign"), [("own", -1), ("next", 1)])
def test_a_planted_sample_gets_the_sign_of_what_it_teaches(tiny, mark_of, sign):
    train, label = tiny.features["train"], 0
    plain = np.concatenate([np.zeros(3), 1.5 * np.eye(3)[label if mark_of == "own" else 1]])
    with_it = FeatureSet(
        np.vstack([train.features, plain]), np.append(train.labels, label), np.append(train.rows, 0)
    )
    problem = ConvexProblem(with_it.features, with_it.labels, np.full(len(with_it), 1 / len(with_it)), 1e-3)
    head = fit_head(tiny.head, problem)
    effect = scored(head, with_it, tiny.pairs["external"]).removal_effect[-1]
    assert sign * effect > 0


def test_row_order_does_not_matter(tiny):
    train, order = tiny.features["train"], np.random.default_rng(0).permutation(200)
    shuffled = scored(tiny.head, train.subset(order), tiny.pairs["external"])
    np.testing.assert_allclose(shuffled.removal_effect, tiny.scores.removal_effect[order], atol=1e-12)
    np.testing.assert_array_equal(shuffled.rows, tiny.scores.rows[order])


def test_scores_know_the_attribute_and_the_bias(tiny):
    assert tiny.scores.attribute == "mark"
    assert tiny.scores.bias == counterfactual_bias(tiny.head, tiny.pairs["external"])
    assert not tiny.scores.removal_effect.flags.writeable


def test_ranking_starts_with_the_worst():
    scores = InfluenceScores("mark", np.array([0.2, -0.3, 0.0, -0.1]), np.arange(4), 0.5)
    assert scores.most_harmful(3).tolist() == [1, 3, 2]
    assert scores.most_helpful(2).tolist() == [0, 2]
    assert scores.most_harmful(0).tolist() == []
    assert sorted(scores.most_harmful(4)) == [0, 1, 2, 3]


@pytest.mark.parametrize("k", [-1, 201])
@pytest.mark.parametrize("ranking", ["most_harmful", "most_helpful"])
def test_k_outside_the_training_set_is_refused(tiny, k, ranking):
    with pytest.raises(DataError) as caught:
        getattr(tiny.scores, ranking)(k)
    assert str(caught.value) == f"K = {k} is not possible: choose K between 0 and the 200 training samples."


def test_curvature_of_another_head_is_refused(tiny):
    other = tiny.head.moved(np.full(tiny.head.n_parameters, 0.1))
    with pytest.raises(DataError) as caught:
        bias_influence(other, tiny.features["train"], tiny.bias("external"), tiny.curvature)
    assert str(caught.value) == (
        "This curvature belongs to another head; call fit_curvature for the head at hand."
    )


def test_pairs_without_a_difference_give_no_influence(tiny):
    pairs = tiny.pairs["external"]
    scores = scored(tiny.head, tiny.features["train"], replace(pairs, other=pairs.favoured))
    assert scores.bias == 0
    assert not scores.removal_effect.any()


def test_captum_finds_the_same_scores(tiny):
    import torch
    from captum.influence import NaiveInfluenceFunction
    from torch.utils.data import TensorDataset

    train, pairs, damping = tiny.features["train"], tiny.pairs["external"], 1e-3
    layer = torch.nn.Linear(6, 3).double()
    layer.weight.data = torch.tensor(np.array(tiny.head.weight))
    layer.bias.data = torch.tensor(np.array(tiny.head.bias))

    def probability(logits, labels):
        return logits.softmax(1)[torch.arange(len(labels)), labels]

    probability.reduction = "none"
    captum = NaiveInfluenceFunction(
        torch.nn.Sequential(layer),
        TensorDataset(torch.tensor(np.array(train.features)), torch.tensor(np.array(train.labels))),
        checkpoint="",
        checkpoints_load_func=lambda *_: 0,
        layers=["0"],
        loss_fn=torch.nn.CrossEntropyLoss(reduction="none"),
        test_loss_fn=probability,
        batch_size=len(train),
        projection_dim=None,
        sample_wise_grads_per_batch=False,
        hessian_reg=damping * len(train),  # captum's Hessian is a sum
        hessian_inverse_tol=0.0,
    )
    labels = torch.tensor(np.array(pairs.labels))
    sides = [
        captum.influence((torch.tensor(np.array(side.features)), labels)).numpy()
        for side in (pairs.favoured, pairs.other)
    ]  # each (pairs, training samples)
    signs = np.sign(pair_differences(tiny.head, pairs)) / len(pairs)
    expected = signs @ (sides[0] - sides[1])
    np.testing.assert_allclose(tiny.scores.removal_effect, expected, rtol=1e-6, atol=1e-12)
