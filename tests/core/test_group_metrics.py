"""Group metrics against scikit-learn and NumPy by mask, for two classes and pooled."""

from dataclasses import fields

import numpy as np
import pytest
from sklearn.metrics import confusion_matrix

from fmd_core.intervals import Estimate
from fmd_core.measure import group_metrics as module
from fmd_core.measure.group_metrics import GroupMetrics, group_metrics

NAMES = [field.name for field in fields(GroupMetrics)]


def people(k, n=400, seed=0):
    """Labels, answers that are right more often in the privileged group, and privilege (n, k)."""
    rng = np.random.default_rng(seed)
    labels, level = rng.integers(0, k, n), rng.integers(0, k, n)
    right = rng.random(n) < np.where(level == labels, 0.9, 0.6)
    answers = np.where(right, labels, rng.integers(0, k, n))
    return labels, answers, level[:, None] == np.arange(k)


def by_hand(truth, says, group):
    """The six figures of a yes-or-no question, by scikit-learn's confusion matrix of each group."""
    rate, true_rate, false_rate = {}, {}, {}
    for side in (True, False):
        here = group == side
        (tn, fp), (fn, tp) = confusion_matrix(truth[here], says[here], labels=[False, True])
        rate[side], true_rate[side] = says[here].mean(), tp / (tp + fn)
        false_rate[side] = fp / (fp + tn)
    gaps = [r[True] - r[False] for r in (true_rate, false_rate)]
    return dict(
        zip(
            NAMES,
            [
                rate[True],
                rate[False],
                rate[True] - rate[False],
                rate[False] / rate[True],
                gaps[0],
                max(abs(g) for g in gaps),
            ],
            strict=True,
        )
    )


def as_question(labels, answers, privileged):
    """Two classes: is it class 1? More: each person is asked about every class."""
    k = privileged.shape[1]
    if k == 2:
        return labels == 1, answers == 1, privileged[:, 1]
    asked = np.tile(np.arange(k), len(labels))
    return np.repeat(labels, k) == asked, np.repeat(answers, k) == asked, privileged.ravel()


LABELS, ANSWERS, PRIVILEGED = people(2)
CASES = [
    pytest.param((LABELS, ANSWERS, PRIVILEGED), id="2 classes"),
    # With yes and no exchanged the larger gap moves from the positives to the negatives, or back.
    pytest.param((1 - LABELS, 1 - ANSWERS, PRIVILEGED), id="2 classes exchanged"),
    pytest.param(people(4), id="4 classes"),
]


def test_the_cases_have_their_larger_gap_on_either_side():
    gaps = [by_hand(*as_question(*case.values[0])) for case in CASES]
    assert {abs(g["equal_opportunity_difference"]) == g["equalized_odds_difference"] for g in gaps} == {
        True,
        False,
    }


@pytest.mark.parametrize("case", CASES)
def test_values_equal_those_computed_by_mask(case):
    expected, found = by_hand(*as_question(*case)), group_metrics(*case)
    for name in NAMES:
        assert getattr(found, name).value == pytest.approx(expected[name], abs=1e-12), name


@pytest.mark.parametrize("case", CASES)
def test_interval_formulas_give_the_value_on_the_full_sample(case, monkeypatch):
    monkeypatch.setattr(module, "bootstrap_means", lambda v: np.repeat(v.mean(axis=0)[None], 3, axis=0))
    found = group_metrics(*case)
    pooled = case[2].shape[1] > 2  # of two classes only the larger of two gaps is resampled
    for name in NAMES if pooled else ("equalized_odds_difference",):
        estimate = getattr(found, name)
        assert estimate.low == pytest.approx(estimate.value, abs=1e-12), name
        assert estimate.high == pytest.approx(estimate.value, abs=1e-12), name


@pytest.mark.parametrize("k", [2, 4])
def test_intervals_hold_their_value(k):
    found = group_metrics(*people(k))
    for name in NAMES:
        estimate = getattr(found, name)
        assert estimate.low < estimate.value < estimate.high, name


def test_people_behind_a_figure_are_the_smaller_group():
    labels, answers, privileged = people(2)
    found, first = group_metrics(labels, answers, privileged), privileged[:, 1]
    everyone = min(first.sum(), (~first).sum())
    positives = min((labels[first] == 1).sum(), (labels[~first] == 1).sum())
    negatives = min((labels[first] == 0).sum(), (labels[~first] == 0).sum())
    assert found.demographic_parity_difference.n == everyone
    assert found.equal_opportunity_difference.n == positives
    assert found.equalized_odds_difference.n == min(positives, negatives)
    rates = found.selection_rate_privileged, found.selection_rate_others
    assert [rate.n for rate in rates] == [first.sum(), (~first).sum()]  # each of one group alone


@pytest.mark.parametrize("k", [2, 4])
def test_a_model_that_ignores_the_attribute_has_no_gap(k):
    labels, answers, _ = people(k)
    twice = np.tile(labels, k), np.tile(answers, k)  # every person once with each level
    found = group_metrics(*twice, np.repeat(np.eye(k, dtype=bool), len(labels), axis=0))
    assert found.demographic_parity_difference.value == pytest.approx(0, abs=1e-12)
    assert found.disparate_impact.value == pytest.approx(1)
    assert found.equalized_odds_difference.value == pytest.approx(0, abs=1e-12)


def test_too_few_people_in_a_group_give_no_figure():
    labels, answers, _ = people(2)
    seven = np.arange(400) < 7
    found = group_metrics(labels, answers, np.stack([~seven, seven], axis=1))
    for name in NAMES[:4]:
        estimate = getattr(found, name)
        assert estimate == Estimate(None, None, None, 7, "not enough people to say (n = 7)")


def test_too_few_positives_leave_the_selection_rates():
    labels, answers, privileged = people(2)
    keep = (labels == 0) | (np.cumsum(labels == 1) <= 20)
    found = group_metrics(labels[keep], answers[keep], privileged[keep])
    assert found.demographic_parity_difference.value is not None
    n = found.equal_opportunity_difference.n
    assert n < 30
    assert found.equal_opportunity_difference == Estimate.unknown(n)
    assert found.equalized_odds_difference == Estimate.unknown(n)


def test_a_privileged_group_that_is_never_selected_gives_a_reason_and_not_infinity():
    labels, answers, privileged = people(2)
    answers = np.where(privileged[:, 1], 0, answers)
    found = group_metrics(labels, answers, privileged)
    assert found.disparate_impact.value is None
    assert found.disparate_impact.problem == "the privileged group never gets the favourable answer"
    for name in NAMES:
        estimate = getattr(found, name)
        numbers = [v for v in (estimate.value, estimate.low, estimate.high) if v is not None]
        assert np.isfinite(numbers).all(), name


def test_nobody_selected_at_all_gives_no_infinity():
    labels, answers, privileged = people(2)
    found = group_metrics(labels, np.zeros_like(answers), privileged)
    assert found.disparate_impact.value is None
    assert found.demographic_parity_difference.value == 0


def test_logging_works_again_after_aif360():
    import logging

    group_metrics(*people(2))
    assert logging.root.manager.disable == logging.NOTSET


def two_groups(right, n):
    """Positives of the usual group and of the others, of whom so many are told "yes"."""
    says = np.concatenate([np.arange(of) < yes for yes, of in zip(right, n, strict=True)]).astype(int)
    usual = np.repeat([True, False], n)
    return np.ones(sum(n), int), says, np.stack([usual, usual], axis=1)


def test_differences_of_proportions_have_newcombes_interval():
    """56 of 70 and 48 of 80, the first example of Newcombe (Statistics in Medicine 1998), method 10."""
    found = group_metrics(*two_groups((56, 48), (70, 80)))
    for estimate in (found.equal_opportunity_difference, found.demographic_parity_difference):
        assert estimate.value == pytest.approx(0.2)
        assert (estimate.low, estimate.high) == pytest.approx((0.0524, 0.3339), abs=5e-5)


def test_a_group_that_is_always_answered_alike_has_an_interval_all_the_same():
    found = group_metrics(*two_groups((40, 40), (40, 40)))
    assert found.equal_opportunity_difference.value == 0
    assert found.equal_opportunity_difference.low < -0.05
    assert found.equal_opportunity_difference.high > 0.05
    assert found.selection_rate_others.low < 0.95
    assert found.disparate_impact.low < 0.95 < 1.05 < found.disparate_impact.high


def test_the_resamples_of_an_attribute_are_drawn_once(monkeypatch):
    asked, means = [], module.bootstrap_means
    monkeypatch.setattr(module, "bootstrap_means", lambda values: asked.append(len(values)) or means(values))
    labels, says, group = (np.arange(200) % k == 0 for k in (2, 3, 5))
    cells = module.GroupCells(labels.astype(int), says.astype(int), np.stack([group, group], axis=1))
    for formula in (module._rate(0), module._rate(1), module._odds):
        assert cells.estimate(0.5, formula, 200).low is not None
    assert asked == [200]


def test_draws_that_are_known_are_not_drawn_again(monkeypatch):
    labels, says, group = (np.arange(200) % k == 0 for k in (2, 3, 5))
    given = labels.astype(int), says.astype(int), np.stack([group, group], axis=1)
    cells, alone = module.GroupCells(*given), group_metrics(*given)
    draws = module.bootstrap_means(cells.per_person)
    monkeypatch.setattr(module, "bootstrap_means", None)
    assert cells.metrics(draws) == alone
