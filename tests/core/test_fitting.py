"""The convex fit against scikit-learn and against an objective written out a second time."""

import numpy as np
import pytest
from scipy.linalg import helmert
from scipy.optimize import OptimizeResult
from scipy.sparse import csr_matrix
from scipy.special import softmax
from sklearn.linear_model import LogisticRegression

from fmd_core import LinearHead, SolverError
from fmd_core.heads.fitting import ConvexProblem, fit_head

N, D = 80, 3


def samples(k, seed=0):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, k, N)
    return rng.normal(size=(N, D)) + rng.normal(size=(k, D))[labels], labels


def zero_head(k):
    return LinearHead(np.zeros((k, D)), np.zeros(k))


def objective(theta, k, problem, anchor, consistency):
    """The sum in the docstring of fmd_core.heads.fitting, term by term."""
    matrix = theta.reshape(k - 1, D + 1)
    logits = np.column_stack([problem.features, np.ones(len(problem.features))]) @ matrix.T @ helmert(k)
    own = softmax(logits, axis=1)[np.arange(len(problem.labels)), problem.labels]
    total = -(problem.weights * np.log(own)).sum() + problem.damping / 2 * ((theta - anchor) ** 2).sum()
    if problem.contrasts is not None:
        moved = problem.contrasts @ logits
        total += consistency / 2 * (problem.contrast_weights * (moved**2).sum(axis=1)).sum()
    return total


def contrasts(m, rng):
    a = rng.normal(size=(m, N))
    return csr_matrix(a - a.mean(axis=1, keepdims=True))


def slope(function, at, step=1e-5):
    return np.array([(function(at + s) - function(at - s)) / (2 * step) for s in step * np.eye(len(at))])


@pytest.mark.parametrize("k", [2, 5])
def test_fit_equals_scikit_learn(k):
    x, y = samples(k)
    damping = 0.01
    head = fit_head(zero_head(k), ConvexProblem(x, y, np.full(N, 1 / N), damping))
    # scikit-learn gives two classes one weight row w, where ours are w/2 and -w/2: half the square.
    reference = LogisticRegression(
        C=(2 if k == 2 else 1) / (N * damping), fit_intercept=False, tol=1e-10, max_iter=5000
    ).fit(np.column_stack([x, np.ones(N)]), y)
    expected = reference.predict_proba(np.column_stack([x, np.ones(N)]))
    np.testing.assert_allclose(head.probabilities(x), expected, atol=1e-6)


@pytest.mark.parametrize("k", [2, 5])
@pytest.mark.parametrize("consistency", [0.0, 0.7])
def test_every_term_balances_at_the_solution(k, consistency):
    rng, (x, y) = np.random.default_rng(1), samples(k)
    weights, shares = rng.random(N) / N, rng.random(6) / 6
    problem = ConvexProblem(x, y, weights, 0.02, contrasts(6, rng), shares)
    anchor = rng.normal(size=(k - 1) * (D + 1))
    found = fit_head(zero_head(k), problem, anchor=anchor, consistency=consistency).theta
    gradient = slope(lambda t: objective(t, k, problem, anchor, consistency), found)
    elsewhere = slope(lambda t: objective(t, k, problem, anchor, consistency), anchor)
    assert np.abs(gradient).max() < 1e-7 < 1e-3 < np.abs(elsewhere).max()


def test_the_start_does_not_matter():
    x, y = samples(3)
    problem = ConvexProblem(x, y, np.full(N, 1 / N), 0.01)
    far = zero_head(3).moved(np.random.default_rng(0).normal(0, 3, 2 * (D + 1)))
    np.testing.assert_allclose(fit_head(far, problem).theta, fit_head(zero_head(3), problem).theta, atol=1e-5)


def test_a_heavy_anchor_keeps_the_head_in_place():
    x, y = samples(3)
    anchor = np.random.default_rng(0).normal(size=2 * (D + 1))
    head = fit_head(zero_head(3), ConvexProblem(x, y, np.full(N, 1 / N), 1e6), anchor=anchor)
    np.testing.assert_allclose(head.theta, anchor, atol=1e-5)


def test_huge_consistency_makes_the_head_blind_to_the_contrasts():
    x, y = samples(4)
    unwanted = contrasts(2, np.random.default_rng(1))

    def sight(consistency):
        problem = ConvexProblem(x, y, np.full(N, 1 / N), 0.01, unwanted, np.full(2, 0.5))
        fitted = fit_head(zero_head(4), problem, consistency=consistency)
        return np.abs(unwanted @ x @ (fitted.weight - fitted.weight.mean(axis=0)).T).max()

    assert sight(1e7) < 1e-6 < 0.1 < sight(0.0)


def test_starting_head_is_left_alone():
    x, y = samples(3)
    start = zero_head(3)
    before = start.fingerprint
    fit_head(start, ConvexProblem(x, y, np.full(N, 1 / N), 0.01))
    assert start.fingerprint == before == zero_head(3).fingerprint


def test_a_fit_that_does_not_converge_names_damping(monkeypatch):
    def give_up(_function, at, **_):
        return OptimizeResult(x=at, fun=1.0, jac=np.full(len(at), 0.25), success=False)

    monkeypatch.setattr("scipy.optimize.minimize", give_up)
    x, y = samples(3)
    with pytest.raises(SolverError) as caught:
        fit_head(zero_head(3), ConvexProblem(x, y, np.full(N, 1 / N), 0.01))
    assert str(caught.value) == (
        "The head could not be fitted at damping = 0.01 (slope 2.5e-01 left); raise damping tenfold."
    )
