"""The two solvers against the explicit inverse, and what is refused."""

import numpy as np
import pytest

from fmd_core import DataError, SolverError, curvature, fit_curvature
from fmd_core.curvature import kronecker_inverse


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
    assert np.linalg.norm(found.solve(rhs) - expected) < 1e-4 * np.linalg.norm(expected)


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


def test_kronecker_inverse_equals_the_explicit_inverse():
    rng = np.random.default_rng(0)
    inner, square = (a @ a.T for a in (rng.normal(size=(2, 2)), rng.normal(size=(4, 4))))
    explicit = np.linalg.inv(np.kron(inner, square) + 0.3 * np.eye(8))
    found = np.stack([kronecker_inverse(inner, square, 0.3)(v) for v in np.eye(8)], axis=1)
    np.testing.assert_allclose(found, explicit, atol=1e-12)
