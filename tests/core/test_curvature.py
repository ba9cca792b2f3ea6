"""The two solvers against the explicit inverse, and what is refused."""

from itertools import product

import numpy as np
import pytest

from fmd_core import DataError, FeatureSet, LinearHead, MLPHead, SolverError, fit_curvature
from fmd_core.heads import curvature
from fmd_core.heads.kronecker import KroneckerCurvature, weighted_square


def explicit_inverse(tiny, damping):
    x = tiny.features["train"].features.astype("float64")
    matrix = tiny.head.hessian(x, np.full(len(x), 1 / len(x)))
    return np.linalg.inv(matrix + damping * np.eye(len(matrix)))


@pytest.mark.parametrize("solver", ["cholesky", "conjugate_gradient"])
@pytest.mark.parametrize("damping", [1e-3, 1.0])
def test_both_solvers_equal_the_explicit_inverse(tiny, solver, damping):
    rhs = np.random.default_rng(0).normal(size=tiny.head.n_parameters)
    expected = explicit_inverse(tiny, damping) @ rhs
    found = fit_curvature(tiny.head, tiny.features["train"], damping=damping, solver=solver)
    assert np.linalg.norm(found.solve(rhs) - expected) < 1e-3 * np.linalg.norm(expected)


def test_curvature_remembers_what_it_belongs_to(tiny):
    found = fit_curvature(tiny.head, tiny.features["train"], damping=0.5)
    assert (found.damping, found.head_fingerprint) == (0.5, tiny.head.fingerprint)


@pytest.mark.parametrize("damping", [0, -0.1, float("nan"), float("inf")])
def test_damping_that_is_not_above_zero_is_refused(tiny, damping):
    with pytest.raises(SolverError) as caught:
        fit_curvature(tiny.head, tiny.features["train"], damping=damping)
    assert str(caught.value) == f"damping must be above 0, got {damping}; 0.001 is a good start."


def test_unknown_solver_lists_the_known_ones(tiny):
    with pytest.raises(DataError) as caught:
        fit_curvature(tiny.head, tiny.features["train"], solver="magic")
    assert str(caught.value) == ("Unknown solver 'magic'. Choose one of: auto, cholesky, conjugate_gradient.")


@pytest.mark.parametrize(("spare", "expected"), [(0, "cholesky"), (-1, "conjugate_gradient")])
def test_auto_picks_by_size(tiny, monkeypatch, spare, expected):
    monkeypatch.setattr(curvature, "DENSE_PARAMETERS", tiny.head.n_parameters + spare)
    assert fit_curvature(tiny.head, tiny.features["train"]).solver == expected


def test_singular_curvature_names_damping(tiny, monkeypatch):
    indefinite = -np.eye(tiny.head.n_parameters)
    monkeypatch.setattr(type(tiny.head), "hessian", lambda *_: indefinite.copy())
    with pytest.raises(SolverError) as caught:
        fit_curvature(tiny.head, tiny.features["train"], damping=0.01)
    assert str(caught.value) == "The curvature is singular at damping = 0.01; raise damping tenfold."


def test_conjugate_gradients_that_do_not_converge_name_damping(tiny, monkeypatch):
    monkeypatch.setattr("scipy.sparse.linalg.cg", lambda _matrix, rhs, **_: (rhs, 500))
    found = fit_curvature(tiny.head, tiny.features["train"], damping=0.01, solver="conjugate_gradient")
    with pytest.raises(SolverError) as caught:
        found.solve(np.ones(tiny.head.n_parameters))
    assert str(caught.value) == (
        "Conjugate gradients did not converge at damping = 0.01; raise damping tenfold."
    )


def test_the_kronecker_curvature_solves_like_the_explicit_inverse():
    rng = np.random.default_rng(0)
    inner, square = (a @ a.T for a in (rng.normal(size=(2, 2)), rng.normal(size=(4, 4))))
    explicit = np.linalg.inv(np.kron(inner, square) + 0.3 * np.eye(8))
    solve = KroneckerCurvature(inner, square, 0.3).solve
    np.testing.assert_allclose(np.stack([solve(v) for v in np.eye(8)], axis=1), explicit, atol=1e-12)


def test_the_weighted_square_takes_rounding_below_zero_as_zero():
    x = np.random.default_rng(0).normal(size=(5, 3)).astype("float32")
    weights = np.array([0.5, 0, -1e-18, 2, 1])
    found = weighted_square(x, weights)
    assert found.dtype == "float32"
    np.testing.assert_allclose(found, (x * weights[:, None]).T @ x, atol=1e-6)


# --- where solving is hard: both heads


N, D = 400, 12


def hard_case(layers, trouble):
    """(head, features) of three classes, hard to solve."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(N, D)).astype("float32")
    labels = rng.integers(0, 3, N)
    if trouble == "duplicated features":
        x[:, D // 2 :] = x[:, : D // 2]
    if trouble == "a constant column":
        x[:, 0] = 1000
    if trouble == "class imbalance":
        labels = np.zeros(N, int)
        labels[:3] = 1
        labels[3] = 2
    if trouble == "dead features":
        x[:, 3:] = 0
    width = D if layers == 1 else 5
    scale = 100 if trouble == "saturated softmax" else 1
    head = LinearHead(scale * rng.normal(size=(3, width)), np.zeros(3))
    if trouble == "class imbalance":
        head = LinearHead(head.weight, np.array([12.0, 0, -5]))
    if layers == 2:
        head = MLPHead(rng.normal(size=(5, D)) / 3, rng.normal(size=5), head)
    return head, FeatureSet(x, labels, np.arange(N))


TROUBLES = (
    "duplicated features",
    "a constant column",
    "class imbalance",
    "dead features",
    "saturated softmax",
)


REFUSED = (2, "saturated softmax", "conjugate_gradient")  # in words: see the next test


@pytest.mark.parametrize(
    ("layers", "trouble", "solver"),
    sorted({*product((1, 2), TROUBLES, ("cholesky", "conjugate_gradient"))} - {REFUSED}),
)
@pytest.mark.parametrize("damping", [1e-3, 1e-5])
def test_hard_problems_are_solved_at_a_usual_damping(layers, trouble, solver, damping):
    head, train = hard_case(layers, trouble)
    rhs = head.loss_gradient(train.features, train.labels, np.full(N, 1 / N))
    found = fit_curvature(head, train, damping=damping, solver=solver).solve(rhs)
    exact = head.hessian(train.features.astype("float64"), np.full(N, 1 / N))
    left = exact @ found + damping * found - rhs
    assert np.linalg.norm(left) < 0.02 * np.linalg.norm(rhs)


def test_a_saturated_network_names_the_knob_and_turning_it_helps():
    head, train = hard_case(2, "saturated softmax")
    rhs = head.loss_gradient(train.features, train.labels, np.full(N, 1 / N))
    with pytest.raises(SolverError, match=r"did not converge at damping = 0.001; raise damping tenfold"):
        fit_curvature(head, train, damping=1e-3, solver="conjugate_gradient").solve(rhs)
    dense, products = (
        fit_curvature(head, train, damping=1.0, solver=s).solve(rhs)
        for s in ("cholesky", "conjugate_gradient")
    )
    np.testing.assert_allclose(products, dense, atol=1e-2 * np.abs(dense).max())


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("trouble", TROUBLES)
@pytest.mark.parametrize("solver", ["cholesky", "conjugate_gradient"])
def test_without_damping_to_speak_of_the_answer_is_finite_or_names_the_knob(layers, trouble, solver):
    head, train = hard_case(layers, trouble)
    rhs = np.random.default_rng(1).normal(size=head.n_parameters)
    try:
        found = fit_curvature(head, train, damping=1e-14, solver=solver).solve(rhs)
    except SolverError as error:
        assert "damping = 1e-14; raise damping tenfold" in str(error)  # noqa: PT017
    else:
        assert np.isfinite(found).all()


@pytest.mark.parametrize("layers", [1, 2])
def test_answers_that_overflow_in_float32_name_the_knob(layers):
    head, train = hard_case(layers, "")
    huge = FeatureSet(train.features * np.float32(5e37), train.labels, train.rows)
    with np.errstate(all="ignore"), pytest.raises(SolverError, match=r"singular at damping = 0.001; raise"):
        fit_curvature(head, huge, solver="conjugate_gradient")
    dense = fit_curvature(head, huge, solver="cholesky").solve(np.ones(head.n_parameters))  # float64
    assert np.isfinite(dense).all()


@pytest.mark.parametrize("layers", [1, 2])
def test_both_solvers_agree_on_both_heads(layers):
    head, train = hard_case(layers, "")
    rhs = np.random.default_rng(1).normal(size=head.n_parameters)
    dense, products = (
        fit_curvature(head, train, damping=1e-2, solver=s).solve(rhs)
        for s in ("cholesky", "conjugate_gradient")
    )
    np.testing.assert_allclose(products, dense, atol=1e-3 * np.abs(dense).max())
