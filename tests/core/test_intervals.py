"""Intervals against the closed formula and by simulation."""

import numpy as np
import pytest

from fmd_core import intervals
from fmd_core.intervals import (
    DRAWS,
    Estimate,
    bootstrap_means,
    estimate_from_draws,
    mean_estimates,
    rate_estimate,
)


@pytest.mark.parametrize(("successes", "n"), [(0, 30), (17, 40), (40, 40), (333, 1000)])
def test_rate_has_wilsons_interval(successes, n):
    z, p = 1.959963984540054, successes / n  # the 97.5 % point of the normal distribution
    centre = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    found = rate_estimate(successes, n)
    assert (found.value, found.n) == (p, n)
    assert found.low == pytest.approx(centre - half, abs=1e-9)
    assert found.high == pytest.approx(centre + half, abs=1e-9)


def test_an_interval_leaves_a_fortieth_of_the_draws_on_each_side():
    found = estimate_from_draws(500.0, np.arange(1001), 30)
    assert (found.value, found.low, found.high, found.n) == (500, 25, 975, 30)


def test_mean_interval_covers_the_truth_about_19_times_in_20():
    rng = np.random.default_rng(0)
    found = mean_estimates(rng.exponential(size=(80, 200)))  # 200 repetitions of 80 people, mean 1
    covered = np.mean([e.low <= 1 <= e.high for e in found])
    assert 0.9 <= covered <= 0.99


def test_mean_interval_shrinks_with_the_root_of_the_people():
    values = np.random.default_rng(0).normal(size=(1600, 1))
    few, many = mean_estimates(values[:100])[0], mean_estimates(values)[0]
    assert (few.high - few.low) / (many.high - many.low) == pytest.approx(4, rel=0.2)


def test_columns_keep_their_order_and_their_value():
    values = np.random.default_rng(0).normal(size=(50, 3)) + [0, 10, 20]
    found = mean_estimates(values)
    np.testing.assert_allclose([e.value for e in found], values.mean(axis=0))
    assert all(e.low < e.value < e.high and e.n == 50 for e in found)


def test_same_people_give_the_same_interval():
    values = np.random.default_rng(0).normal(size=(60, 1))
    assert mean_estimates(values) == mean_estimates(values.copy())


def test_differences_are_paired():
    before = np.random.default_rng(0).normal(size=(60, 1))
    draws = bootstrap_means(np.hstack([before, before + 1]))
    np.testing.assert_allclose(draws[:, 1] - draws[:, 0], 1)


def test_every_resample_has_as_many_people_as_the_sample():
    draws = bootstrap_means(np.ones((37, 1)))
    assert draws.shape == (DRAWS, 1)
    np.testing.assert_allclose(draws, 1)


@pytest.mark.parametrize("n", [0, 1, 7, 29])
def test_fewer_than_thirty_people_give_no_figure(n):
    unknown = Estimate(None, None, None, n, f"not enough people to say (n = {n})")
    assert rate_estimate(min(n, 1), n) == unknown
    assert mean_estimates(np.ones((n, 2))) == [unknown, unknown]


def test_thirty_people_give_a_figure():
    assert rate_estimate(15, 30).value == 0.5
    assert mean_estimates(np.ones((30, 1)))[0].value == 1


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(0.1, 0.2, True), (-0.2, -0.1, True), (-0.1, 0.1, False), (0.0, 0.1, False), (None, None, False)],
)
def test_zero_is_excluded_only_by_a_whole_interval(low, high, expected):
    assert Estimate(0.0, low, high, 50).excludes_zero is expected


def test_another_problem_is_told_in_its_own_words():
    assert Estimate.unknown(40, "the ruler broke").problem == "the ruler broke"


def test_why_there_is_no_figure_is_told_by_kind_and_not_by_its_words():
    found = Estimate.unknown(7), Estimate.unknown(7, "the ruler broke"), Estimate.refused("It broke.")
    assert [estimate.reason for estimate in found] == ["too few", "clause", "sentence"]
    assert Estimate(0.1, 0.0, 0.2, 40).reason is None
    assert found[0] == Estimate(None, None, None, 7, found[0].problem)  # what is told is the same


@pytest.mark.parametrize("scale", [1, 7, 2**24])
def test_counts_are_resampled_exactly_in_half_the_time(scale):
    """To the last bit what float64 gives: whole numbers whose sums float32 holds, and none else."""
    rng = np.random.default_rng(0)
    counts = scale * rng.integers(0, 3, (700, 8)).astype("float64")
    draws = intervals._resampling_counts(700).astype("float64") @ counts / 700
    np.testing.assert_array_equal(intervals.bootstrap_means(counts), draws)
    broken = counts + 0.1
    assert intervals.bootstrap_means(broken).dtype == np.float64
    np.testing.assert_allclose(intervals.bootstrap_means(broken), draws + 0.1, rtol=1e-12)


def test_tables_resampled_together_are_those_resampled_alone():
    rng = np.random.default_rng(0)
    tables = [
        rng.integers(0, 2, (60, 8)).astype(float),
        rng.random((60, 2)),
        rng.random((45, 3)),
        rng.random((60, 1)),
    ]
    for joint, table in zip(intervals.joint_bootstrap_means(tables), tables, strict=True):
        np.testing.assert_allclose(joint, intervals.bootstrap_means(table), rtol=0, atol=1e-15)
    assert intervals.joint_bootstrap_means([]) == []
