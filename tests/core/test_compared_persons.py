"""Before and after where one person has several rows: those are one piece of evidence together."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import binomtest

import fmd_core as fmd
from fmd_core.intervals import by_person, mean_estimates, rate_estimate
from fmd_core.measure.changes import mean_changes, rate_changes

N = 60


@pytest.fixture
def answers():
    """Whom two models are right about, (60,) each."""
    rng = np.random.default_rng(0)
    before = rng.random(N) < 0.5
    return before, before ^ (rng.random(N) < 0.3)


def everybody(n):
    return [("", np.ones(n, dtype=bool), ())]


def figures(estimate):
    return estimate.value, estimate.low, estimate.high, estimate.n


def same(found, wanted):
    for name in ("before", "after", "difference"):
        assert figures(getattr(found, name)) == pytest.approx(figures(getattr(wanted, name)), abs=1e-12)
    assert found.p_value == pytest.approx(wanted.p_value)


def test_persons_with_a_row_each_are_rows(answers):
    same(
        rate_changes(everybody(N), *answers, persons=np.arange(N)[::-1])[0],
        rate_changes(everybody(N), *answers)[0],
    )
    row = ("bias", np.ones(N, dtype=bool), *(side.astype(float) for side in answers))
    found, wanted = mean_changes([row], persons=np.arange(N))[0], mean_changes([row])[0]
    assert figures(found.difference) == pytest.approx(figures(wanted.difference))


def test_the_same_rows_again_add_no_evidence(answers):
    """Everybody ten times over: as many people, and the very figures."""
    often, persons = [np.tile(side, 10) for side in answers], np.tile(np.arange(N), 10)
    same(rate_changes(everybody(10 * N), *often, persons=persons)[0], rate_changes(everybody(N), *answers)[0])
    rng = np.random.default_rng(1)
    values = rng.random((N, 2))
    found = mean_estimates(np.tile(values, (10, 1)), persons=persons)
    for one, wanted in zip(found, mean_estimates(values), strict=True):
        assert figures(one) == pytest.approx(figures(wanted))


def test_ten_people_with_many_rows_are_ten_people(answers):
    persons = np.repeat(np.arange(10), N // 10)
    change = rate_changes(everybody(N), *answers, persons=persons)[0]
    assert change.difference.value is None
    assert change.difference.n == 10
    assert mean_estimates(np.random.default_rng(0).random((N, 1)), persons=persons)[0].value is None


def test_one_with_most_of_the_rows_is_not_many():
    """100 people, one of whom has 500 of 599 rows: as good as two who count alike."""
    persons = np.concatenate([np.arange(99), np.full(500, 99)])
    before = np.zeros(599, dtype=bool)
    change = rate_changes(everybody(599), before, ~before, persons=persons)[0]
    assert change.difference.value is None
    assert not change.rose


def test_mcnemar_asks_persons_and_intervals_their_effective_number():
    rng = np.random.default_rng(2)
    persons = rng.integers(0, 80, 400)
    before = rng.random(400) < 0.5
    after = before | (rng.random(400) < 0.15)
    change = rate_changes(everybody(400), before, after, persons=persons)[0]
    gained = by_person((after.astype(float) - before)[:, None], persons)[0][:, 0]
    up, down = int((gained > 0).sum()), int((gained < 0).sum())
    assert change.p_value == pytest.approx(binomtest(up, up + down).pvalue)
    sizes = np.bincount(persons)
    effective = 400**2 / (sizes**2).sum()
    whole = rate_estimate(round(before.mean() * 1e6), 1_000_000)
    assert change.before.value == pytest.approx(before.mean())
    reach, ideal = change.before.high - change.before.low, whole.high - whole.low
    assert reach / ideal == pytest.approx(np.sqrt(1e6 / effective), rel=0.03)
    assert change.difference.n == len(sizes[sizes > 0])


@pytest.mark.parametrize("measure", ["counterfactual", "demographic parity", "equal opportunity"])
def test_a_comparison_draws_and_counts_persons(tiny, measure):
    data, people = tiny.dataset, tiny.features["test"]
    repaired = fmd.unlearn(tiny.head, tiny.inputs, strength=0.1).head

    def compared(dataset, features, pairs):
        return fmd.compare(tiny.head, repaired, dataset, features, pairs, None, measure)

    alone = compared(data, people, tiny.pairs["test"])
    own = compared(replace(data, persons=np.arange(len(data))), people, tiny.pairs["test"])
    assert figures(own.judged.difference) == pytest.approx(figures(alone.judged.difference))
    few = replace(data, persons=np.arange(len(data)) % 5)
    told = compared(few, people, tiny.pairs["test"])
    assert told.judged.difference.value is None
    assert told.accuracy.difference.value is None
    assert told.verdict not in ("improved", "mixed", "worse")
    assert not [change for change in (*told.groups, *told.cells) if change.difference.value is not None]
