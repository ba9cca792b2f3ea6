"""Fits of two layers: the objective written out again, a guaranteed decrease, and influence against refits."""

import numpy as np
import pytest
from scipy.sparse import csr_matrix
from scipy.special import log_softmax

import fmd_core as fmd
from fmd_core import LinearHead, MLPHead, SolverError
from fmd_core.heads.fitting import ConvexProblem, fit_head

N, D, H, K = 80, 3, 6, 3


def samples(k, seed=0):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, k, N)
    return rng.normal(size=(N, D)) + rng.normal(size=(k, D))[labels], labels


def contrasts(m, rng):
    a = rng.normal(size=(m, N))
    return csr_matrix(a - a.mean(axis=1, keepdims=True))


def network(seed=0, k=K):
    rng = np.random.default_rng(seed)
    last = LinearHead(rng.normal(size=(k, H)), np.zeros(k))
    return MLPHead(rng.normal(size=(H, D)), 0.1 * rng.normal(size=H), last)


def objective(head, problem, anchor, consistency):
    """The sum in the docstring of fmd_core.heads.fitting, term by term."""
    logits = head.logits(problem.features.astype("float64"))
    own = log_softmax(logits, axis=1)[np.arange(len(logits)), problem.labels]
    total = -(problem.weights * own).sum() + problem.damping / 2 * ((head.theta - anchor) ** 2).sum()
    if problem.contrasts is not None:
        moved = problem.contrasts @ (logits - logits.mean(axis=1, keepdims=True))
        total += consistency / 2 * (problem.contrast_weights * (moved**2).sum(axis=1)).sum()
    return total


def slope(function, size, step=1e-6):
    return np.array([(function(s) - function(-s)) / (2 * step) for s in step * np.eye(size)])


@pytest.mark.parametrize("k", [2, 5])
@pytest.mark.parametrize("consistency", [0.0, 0.7])
def test_the_search_ends_near_the_bottom(k, consistency, monkeypatch):
    monkeypatch.setattr("fmd_core.heads.fit_two_layer.PROGRESS", 1e-7)
    monkeypatch.setattr("fmd_core.heads.fit_two_layer.STEPS", 400)
    rng, (x, y) = np.random.default_rng(1), samples(k)
    problem = ConvexProblem(x, y, rng.random(N) / N, 0.02, contrasts(6, rng), rng.random(6) / 6)
    start = network(k=k)
    anchor = start.theta + 0.1 * rng.normal(size=start.n_parameters)
    found = fit_head(start, problem, anchor=anchor, consistency=consistency)

    def steepness(head):
        return np.abs(
            slope(lambda t: objective(head.moved(t), problem, anchor, consistency), head.n_parameters)
        ).max()

    assert steepness(found) < 0.03 * steepness(start)  # a gate may lie on the way down
    assert objective(found, problem, anchor, consistency) < objective(start, problem, anchor, consistency)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_objective_never_rises(seed, dtype):
    rng, (x, y) = np.random.default_rng(seed), samples(K, seed)
    unwanted = contrasts(20, rng)
    problem = ConvexProblem(x.astype(dtype), y, np.full(N, 1 / N), 1e-3, unwanted, np.full(20, 0.05))
    start = network(seed)
    before = objective(start, problem, start.theta, 3.0)
    after = objective(
        fit_head(start, problem, anchor=start.theta, consistency=3.0), problem, start.theta, 3.0
    )
    assert after < before


def test_dead_and_duplicated_features_and_a_saturated_start_are_fitted():
    x, y = samples(K)
    hard = np.column_stack([x, x, np.zeros((N, 3))]).astype("float32")
    rng = np.random.default_rng(0)
    last = LinearHead(100 * rng.normal(size=(K, H)), np.zeros(K))
    start = MLPHead(rng.normal(size=(H, 9)), np.zeros(H), last)
    problem = ConvexProblem(hard, y, np.full(N, 1 / N), 1e-3)
    found = fit_head(start, problem, anchor=start.theta)
    assert objective(found, problem, start.theta, 0) < objective(start, problem, start.theta, 0) / 3
    np.testing.assert_allclose(found.hidden_weight[:, 6:], start.hidden_weight[:, 6:])  # nothing to learn


def test_a_heavy_anchor_keeps_the_head_in_place():
    x, y = samples(K)
    start = network()
    head = fit_head(start, ConvexProblem(x, y, np.full(N, 1 / N), 1e6), anchor=start.theta)
    np.testing.assert_allclose(head.theta, start.theta, atol=1e-5)


def test_a_fit_that_goes_astray_names_damping():
    x, y = samples(K)
    problem = ConvexProblem(np.float32(5e37) * x.astype("float32"), y, np.full(N, 1 / N), 0.01)
    with np.errstate(all="ignore"), pytest.raises(SolverError, match=r"fitted at damping = 0.01.*tenfold\.$"):
        fit_head(network(), problem)


def test_a_head_of_another_kind_is_refused():
    x, y = samples(K)
    with pytest.raises(SolverError, match=r"^A head of the kind object cannot be fitted"):
        fit_head(object(), ConvexProblem(x, y, np.full(N, 1 / N), 0.01))


def test_influence_tells_what_a_refit_without_the_sample_does(monkeypatch):
    monkeypatch.setattr("fmd_core.heads.fit_two_layer.PROGRESS", 1e-10)
    monkeypatch.setattr("fmd_core.heads.fit_two_layer.STEPS", 1000)
    x, y = samples(K)
    x, damping, weights = x.astype("float64"), 0.1, np.full(N, 1 / N)
    head = fit_head(network(), ConvexProblem(x, y, weights, damping))
    train = fmd.FeatureSet(x, y, np.arange(N))
    curvature = fmd.fit_curvature(head, train, damping=damping)
    target = np.full(5, 1), np.random.default_rng(5).normal(size=(5, D))

    def bias(at):  # any smooth function of the head will do
        return at.probabilities(target[1])[:, 1].mean()

    gradient = head.probability_gradient(target[1], target[0], np.full(5, 0.2))
    predicted = head.gradient_products(x, y, curvature.solve(gradient)) / N
    true = []
    for i in range(0, N, 4):
        without = weights * (np.arange(N) != i)
        true.append(bias(fit_head(head, ConvexProblem(x, y, without, damping))) - bias(head))
    assert np.corrcoef(predicted[::4], true)[0, 1] > 0.95
    assert (np.sign(predicted[::4]) == np.sign(true)).mean() > 0.9
    assert 0.5 < np.linalg.norm(predicted[::4]) / np.linalg.norm(true) < 1.5
