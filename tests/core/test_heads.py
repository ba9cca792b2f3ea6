"""The head's kernels against differences, autograd and one case worked by hand."""

import numpy as np
import pytest
import torch
from scipy.linalg import helmert
from scipy.special import softmax

from fmd_core import LinearHead, ModelError
from fmd_core.heads import linear
from fmd_core.heads.kronecker import KroneckerCurvature, per_unit_of
from fmd_core.heads.softmax import softmax_rows

N, D = 12, 4


@pytest.fixture(params=[2, 5], ids=["2 classes", "5 classes"])
def case(request):
    """(head, features, labels, weights), all float64."""
    k, rng = request.param, np.random.default_rng(1)
    head = LinearHead(rng.normal(size=(k, D)), rng.normal(size=k))
    return head, rng.normal(size=(N, D)), rng.integers(0, k, N), rng.random(N)


def slope(function, size, step=1e-5):
    """Central differences of `function` of a direction, at 0."""
    steps = step * np.eye(size)
    return np.array([(function(s) - function(-s)) / (2 * step) for s in steps])


def autograd(head, features, labels, weights, loss):
    """Gradient by torch with respect to [W b], turned into contrast coordinates."""
    weight, bias = (torch.tensor(np.array(a), requires_grad=True) for a in (head.weight, head.bias))
    logits = torch.tensor(features) @ weight.T + bias
    (loss(logits, torch.tensor(labels)) * torch.tensor(weights)).sum().backward()
    return (helmert(head.n_classes) @ np.column_stack([weight.grad.numpy(), bias.grad.numpy()])).ravel()


def cross_entropy(logits, labels):
    return torch.nn.functional.cross_entropy(logits, labels, reduction="none")


def own_probability(logits, labels):
    return logits.softmax(1)[torch.arange(len(labels)), labels]


def test_losses_are_cross_entropy_in_nats(case):
    head, x, y, _ = case
    expected = -np.log(softmax(x @ head.weight.T + head.bias, axis=1)[np.arange(N), y])
    np.testing.assert_allclose(head.losses(x, y), expected)


def test_loss_gradient_matches_differences_and_autograd(case):
    head, x, y, w = case
    found = head.loss_gradient(x, y, w)
    by_steps = slope(lambda t: w @ head.moved(t).losses(x, y), head.n_parameters)
    np.testing.assert_allclose(found, by_steps, atol=1e-8)
    np.testing.assert_allclose(found, autograd(head, x, y, w, cross_entropy), atol=1e-12)


def test_probability_gradient_matches_differences_and_autograd(case):
    head, x, y, w = case
    found = head.probability_gradient(x, y, w)
    by_steps = slope(lambda t: w @ head.moved(t).probabilities(x)[np.arange(N), y], head.n_parameters)
    np.testing.assert_allclose(found, by_steps, atol=1e-8)
    np.testing.assert_allclose(found, autograd(head, x, y, w, own_probability), atol=1e-12)


def test_hessian_is_the_slope_of_the_gradient(case):
    head, x, y, w = case
    by_steps = slope(lambda t: head.moved(t).loss_gradient(x, y, w), head.n_parameters)
    np.testing.assert_allclose(head.hessian(x, w), by_steps, atol=1e-8)


def test_hessian_has_no_null_space_left(case):
    head, x, _, w = case
    assert np.linalg.eigvalsh(head.hessian(x, w)).min() > 1e-6


def test_hessian_operator_multiplies_with_the_hessian(case):
    head, x, _, w = case
    product, directions = head.hessian_operator(x, w), np.eye(head.n_parameters)
    found = np.stack([product(v) for v in directions], axis=1)
    np.testing.assert_allclose(found, head.hessian(x, w), atol=1e-12)


def test_gradient_products_equal_explicit_gradients(case):
    head, x, y, _ = case
    direction = np.random.default_rng(2).normal(size=head.n_parameters)
    explicit = [head.loss_gradient(x[i : i + 1], y[i : i + 1], np.ones(1)) @ direction for i in range(N)]
    np.testing.assert_allclose(head.gradient_products(x, y, direction), explicit, atol=1e-12)


def test_the_preconditioner_is_exact_for_one_sample(case):
    head, x, _, w = case
    solve = head.preconditioner(x[:1], w[:1], 0.3)
    found = np.stack([solve(v) for v in np.eye(head.n_parameters)], axis=1)
    exact = head.hessian(x[:1], w[:1]) + 0.3 * np.eye(head.n_parameters)
    np.testing.assert_allclose(found, np.linalg.inv(exact), atol=1e-10)


def test_the_preconditioner_brings_the_curvature_near_the_identity(case):
    head, x, _, w = case
    exact = head.hessian(x, w) + 1e-3 * np.eye(head.n_parameters)
    solve = head.preconditioner(x, w, 1e-3)
    eased = np.stack([solve(column) for column in exact.T])
    values = np.linalg.eigvals(eased).real
    assert values.min() > 0
    assert values.max() / values.min() < np.linalg.cond(exact) / 5


def test_rescaled_answers_the_same_from_scaled_features(case):
    head, x, _, _ = case
    np.testing.assert_allclose(head.rescaled(3.0).logits(3 * x), head.logits(x))


def test_moving_adds_the_direction_to_the_logits(case):
    head, x, _, _ = case
    direction = np.random.default_rng(2).normal(size=head.n_parameters)
    moved, step = head.moved(direction), helmert(head.n_classes).T @ direction.reshape(-1, D + 1)
    shift = np.column_stack([x, np.ones(N)]) @ step.T
    np.testing.assert_allclose(moved.probabilities(x), softmax(head.logits(x) + shift, axis=1))
    np.testing.assert_allclose(moved.theta, head.theta + direction)


def test_one_vector_added_to_every_class_changes_nothing(case):
    head, x, _, _ = case
    same = LinearHead(head.weight + np.arange(D), head.bias + 3.0)
    np.testing.assert_allclose(same.theta, head.theta, atol=1e-12)
    np.testing.assert_allclose(same.probabilities(x), head.probabilities(x), atol=1e-12)


def test_one_sample_worked_by_hand():
    # Two classes at even odds, x = 2, y = 1. Contrast (1, -1)/sqrt 2. Error p - e_y = (1/2, -1/2), so
    # the contrast error is 1/sqrt 2 and its curvature p0 p1 (1 + 1)^2 / 2 = 1/2; [x 1] = [2 1].
    head = LinearHead([[0.0], [0.0]], [0.0, 0.0])
    x, y, one = np.array([[2.0]]), np.array([1]), np.ones(1)
    np.testing.assert_allclose(head.losses(x, y), [np.log(2)])
    np.testing.assert_allclose(head.loss_gradient(x, y, one), np.array([2, 1]) / np.sqrt(2))
    np.testing.assert_allclose(head.probability_gradient(x, y, one), -np.array([2, 1]) / np.sqrt(2) / 2)
    np.testing.assert_allclose(head.hessian(x, one), [[2, 1], [1, 0.5]])


def test_float32_features_agree_with_float64(case):
    head, x, y, w = case
    direction = np.random.default_rng(2).normal(size=head.n_parameters)
    small = x.astype("float32")
    for found, exact in [
        (head.probabilities(small), head.probabilities(x)),
        (head.loss_gradient(small, y, w), head.loss_gradient(x, y, w)),
        (head.probability_gradient(small, y, w), head.probability_gradient(x, y, w)),
        (head.gradient_products(small, y, direction), head.gradient_products(x, y, direction)),
        (head.hessian(small, w), head.hessian(x, w)),
        (head.hessian_operator(small, w)(direction), head.hessian_operator(x, w)(direction)),
    ]:
        np.testing.assert_allclose(found, exact, atol=2e-5)


def test_row_blocks_give_the_same_curvature(case, monkeypatch):
    head, x, _, w = case
    direction = np.random.default_rng(2).normal(size=head.n_parameters)
    whole, eased = head.hessian(x, w), head.preconditioner(x, w, 0.1)(direction)
    monkeypatch.setattr(linear, "BLOCK_ROWS", 5)
    np.testing.assert_allclose(head.hessian(x, w), whole, atol=1e-12)
    np.testing.assert_allclose(head.preconditioner(x, w, 0.1)(direction), eased, atol=1e-12)


def test_weights_and_fingerprint_are_fixed():
    weight = np.ones((2, 3))
    head = LinearHead(weight, np.zeros(2))
    weight[0, 0] = 9
    assert head.weight[0, 0] == 1
    assert not head.theta.flags.writeable
    assert head.fingerprint == LinearHead(np.ones((2, 3)), np.zeros(2)).fingerprint
    assert head.fingerprint != head.moved(np.full(4, 1e-12)).fingerprint


@pytest.mark.parametrize(("weight", "bias"), [((1, 3), 1), ((2, 3), 3), ((3,), 3)])
def test_impossible_shapes_are_refused(weight, bias):
    with pytest.raises(ModelError) as caught:
        LinearHead(np.zeros(weight), np.zeros(bias))
    assert str(caught.value) == (
        "A linear head needs weights (classes, features) and one bias per class, at least two classes; "
        f"got {weight} and {(bias,)}."
    )


def test_weights_that_are_not_numbers_are_refused():
    with pytest.raises(ModelError) as caught:
        LinearHead([[np.nan], [0]], [0, 0])
    assert str(caught.value) == "The head's weights hold values that are not numbers (NaN or infinite)."


@pytest.mark.parametrize("scale", [0.1, 3.0, 30.0])
def test_the_preconditioner_needs_no_matrix_of_any_single_sample(scale, monkeypatch):
    """The same as from the sum of C (diag p - p p') C' over the samples, also where the head is sure."""
    rng = np.random.default_rng(0)
    x, w = rng.normal(size=(5_000, 12)).astype("float32"), rng.random(5_000)
    head = LinearHead(scale * rng.normal(size=(7, 12)), rng.normal(size=7))
    p, c = head.probabilities(x.astype("float64")), head.contrasts
    bends = c @ (np.einsum("n,nk,kl->kl", w, p, np.eye(7)) - (w[:, None] * p).T @ p) @ c.T
    ones = np.column_stack([x, np.ones(len(x))]).astype("float64")
    square = (ones * (w * (p * (1 - p)).sum(axis=1))[:, None]).T @ ones
    monkeypatch.setattr(type(head), "_inner", None)
    found = head.preconditioner(x, w, 1e-3)
    direction = rng.normal(size=head.n_parameters)
    wanted = KroneckerCurvature(per_unit_of(bends), square, 1e-3).solve(direction)
    np.testing.assert_allclose(found(direction), wanted, rtol=2e-3, atol=2e-4 * np.abs(wanted).max())


@pytest.mark.parametrize("classes", [2, 3, 7, 8, 10])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_shares_along_a_short_axis_are_scipys_to_the_bit(classes, dtype):
    logits = (4 * np.random.default_rng(classes).standard_normal((5_003, classes))).astype(dtype)
    found = softmax_rows(logits)
    assert found.dtype == dtype
    assert np.array_equal(found, softmax(logits, axis=1))
