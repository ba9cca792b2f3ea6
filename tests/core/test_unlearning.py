"""The four strategies: identity, first-order prediction, and the published steps written out again."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.linalg import helmert
from scipy.special import softmax

from fmd_core import CounterfactualBias, DataError, counterfactual_bias, unlearn
from fmd_core.method import strategies
from fmd_core.unlearn import strategies as unlearning
from fmd_core.unlearn.objective import balanced_weights
from fmd_core.unlearn.one_strength import prepare

STRATEGIES = [strategy.name for strategy in strategies()]
USES_K = [strategy.name for strategy in strategies() if strategy.uses_k]

SINGLE_STEPS = ["paper-remove", "paper-replace", "paper-external"]


def k_for(strategy):
    return 20 if strategy in USES_K else 0


def gradient_sum(head, features, labels):
    """Sum of (p - e_y) times [x 1], written out, in contrast coordinates."""
    error = softmax(features @ head.weight.T + head.bias, axis=1) - np.eye(head.n_classes)[labels]
    with_one = np.column_stack([features, np.ones(len(features))])
    return (helmert(head.n_classes) @ (error.T @ with_one)).ravel()


def newton_step(tiny, gradient):
    x = tiny.features["train"].features
    matrix = tiny.head.hessian(x, np.full(len(x), 1 / len(x)))
    return np.linalg.inv(matrix + tiny.damping * np.eye(len(matrix))) @ gradient


def published_gradient(tiny, strategy, k):
    train, external = tiny.features["train"], tiny.pairs["external"]
    if strategy == "paper-external":
        sides = [gradient_sum(tiny.head, s.features, s.labels) for s in (external.favoured, external.other)]
        return (sides[0] - sides[1]) / len(external)
    worst = np.argsort(tiny.scores.removal_effect)[:k]
    total = gradient_sum(tiny.head, train.features[worst], train.labels[worst])
    if strategy == "paper-replace":
        total = total - gradient_sum(
            tiny.head, tiny.pairs["train"].other.features[worst], train.labels[worst]
        )
    return total / len(train)


# --- nothing asked, nothing changed


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_strength_zero_returns_the_same_head(tiny, strategy):
    assert unlearn(tiny.head, tiny.inputs, strategy=strategy, strength=0, k=5).head is tiny.head


@pytest.mark.parametrize("strategy", USES_K)
def test_no_samples_returns_the_same_head(tiny, strategy):
    assert unlearn(tiny.head, tiny.inputs, strategy=strategy, strength=1, k=0).head is tiny.head


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_the_original_head_is_never_changed(tiny, strategy):
    before = tiny.head.fingerprint, tiny.head.weight.copy(), tiny.head.bias.copy()
    result = unlearn(tiny.head, tiny.inputs, strategy=strategy, strength=0.3, k=20)
    assert result.head.fingerprint != tiny.head.fingerprint
    again = type(tiny.head)(tiny.head.weight, tiny.head.bias)  # fingerprints are remembered: count afresh
    assert again.fingerprint == before[0]
    np.testing.assert_array_equal(tiny.head.weight, before[1])
    np.testing.assert_array_equal(tiny.head.bias, before[2])


def test_the_result_says_how_it_was_made(tiny):
    result = unlearn(tiny.head, tiny.inputs, strategy="paper-remove", strength=0.3, k=7)
    assert (result.strategy, result.strength, result.k, result.blend) == ("paper-remove", 0.3, 7, 1.0)


# --- the published steps


@pytest.mark.parametrize("strategy", SINGLE_STEPS)
def test_a_published_step_recomputed(tiny, strategy):
    k = k_for(strategy)
    step = newton_step(tiny, published_gradient(tiny, strategy, k))
    share = min(1, np.linalg.norm(tiny.head.theta) / np.linalg.norm(step))
    found = unlearn(tiny.head, tiny.inputs, strategy=strategy, strength=0.4, k=k).head
    np.testing.assert_allclose(found.theta - tiny.head.theta, 0.4 * share * step, rtol=1e-5, atol=1e-9)


@pytest.mark.parametrize("k", [1, 20])
def test_a_small_removal_changes_bias_as_the_scores_predict(tiny, k):
    small = 1e-4
    after = unlearn(tiny.head, tiny.inputs, strategy="paper-remove", strength=small, k=k).head
    pairs = tiny.pairs["external"]
    change = counterfactual_bias(after, pairs) - counterfactual_bias(tiny.head, pairs)
    predicted = small * tiny.scores.removal_effect[tiny.scores.most_harmful(k)].sum()
    assert change == pytest.approx(predicted, rel=0.01)
    assert change < 0


@pytest.mark.parametrize("strategy", SINGLE_STEPS)
def test_a_step_stays_within_the_trust_radius(tiny, strategy, monkeypatch):
    monkeypatch.setattr(unlearning, "TRUST_RADIUS", 1e-3)
    k, reach = k_for(strategy), 1e-3 * np.linalg.norm(tiny.head.theta)
    moved = unlearn(tiny.head, tiny.inputs, strategy=strategy, strength=1, k=k).head
    assert np.linalg.norm(moved.theta - tiny.head.theta) == pytest.approx(reach)
    step = newton_step(tiny, published_gradient(tiny, strategy, k))
    share = prepare(tiny.head, tiny.inputs, strategy=strategy, k=k).step_share
    assert share == pytest.approx(reach / np.linalg.norm(step))


def test_a_step_within_the_trust_radius_is_whole(tiny):
    assert prepare(tiny.head, tiny.inputs, strategy="paper-remove", k=1).step_share == 1


# --- the iterated form


def iterated_objective(tiny, pairs, theta, strength, damping):
    """The sum in the docstring of fmd_core.unlearn.strategies, a class counting as much as in training."""
    d, k = tiny.head.n_features, tiny.head.n_classes
    matrix = theta.reshape(k - 1, d + 1)
    counts = np.bincount(pairs.labels, minlength=k)
    shares = np.bincount(tiny.features["train"].labels, minlength=k) / len(tiny.features["train"])
    weights = (shares / counts)[pairs.labels]
    total = damping / 2 * ((theta - tiny.head.theta) ** 2).sum()
    for share, side in ((0.25, pairs.favoured), (0.75, pairs.other)):
        logits = (side.features @ matrix[:, :d].T + matrix[:, d]) @ helmert(k)
        total -= share * weights @ np.log(softmax(logits, axis=1)[np.arange(len(pairs)), pairs.labels])
    moved = (pairs.favoured.features - pairs.other.features) @ matrix[:, :d].T
    return total + strength / 2 * weights @ (moved**2).sum(axis=1)


@pytest.mark.parametrize(
    ("repeats", "damping"),
    [(1, 1e-2), (3, 1e-3), (10, 1e-3 * 500 / 900)],
    ids=["few pairs", "pairs", "many pairs"],
)
@pytest.mark.parametrize("strength", [0.1, 3.0])
def test_iterated_minimises_what_it_says(tiny, repeats, damping, strength):
    pairs = tiny.pairs["external"].subset(np.tile(np.arange(90), repeats))
    inputs = replace(tiny.inputs, bias=CounterfactualBias(pairs))
    found = unlearn(tiny.head, inputs, strategy="iterated", strength=strength).head.theta

    def slope(at):
        return [
            (
                iterated_objective(tiny, pairs, at + s, strength, damping)
                - iterated_objective(tiny, pairs, at - s, strength, damping)
            )
            / 2e-5
            for s in 1e-5 * np.eye(len(at))
        ]

    assert np.abs(slope(found)).max() < 1e-6 < 1e-3 < np.abs(slope(tiny.head.theta)).max()


def test_more_strength_leaves_less_bias(tiny):
    left = [
        counterfactual_bias(unlearn(tiny.head, tiny.inputs, strength=s).head, tiny.pairs["test"])
        for s in (0.01, 0.1, 1.0, 100.0)
    ]
    assert counterfactual_bias(tiny.head, tiny.pairs["test"]) > left[0]
    assert left == sorted(left, reverse=True)
    assert left[-1] < 0.01


def test_classes_count_equally_in_the_weights():
    labels = np.array([0, 0, 0, 2, 2, 5])
    weights = balanced_weights(labels)
    np.testing.assert_allclose([weights[labels == c].sum() for c in (0, 2, 5)], 1 / 3)
    assert weights[0] == weights[1] == weights[2]


# --- what is refused


def message(tiny, **options):
    with pytest.raises(DataError) as caught:
        unlearn(tiny.head, tiny.inputs, **options)
    return str(caught.value)


def test_an_unknown_strategy_lists_the_known_ones(tiny):
    assert message(tiny, strategy="forget") == (
        "Unknown strategy 'forget'. Choose one of: iterated, paper-remove, paper-replace, paper-external, retained."
    )


@pytest.mark.parametrize("strength", [-0.1, float("nan"), float("inf")])
def test_a_strength_below_zero_is_refused(tiny, strength):
    assert message(tiny, strength=strength) == f"Strength must be a number of 0 or more, got {strength}."


@pytest.mark.parametrize("k", [-1, 201])
def test_k_outside_the_training_set_is_refused(tiny, k):
    assert message(tiny, strategy="paper-remove", k=k) == (
        f"K = {k} is not possible: choose K between 0 and the 200 training samples."
    )
