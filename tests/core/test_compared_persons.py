"""Before and after where one person has several rows, or rows count unequally: as in the verdict."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import betainc as betai
from scipy.stats import binomtest

import fmd_core as fmd
from fmd_core.intervals import wilson_interval
from fmd_core.measure import comparing
from fmd_core.measure.bias_functions import GroupGap, pair_differences, predictions
from fmd_core.measure.changes import mean_changes, rate_changes
from fmd_core.measure.counting import Counting, counted_means
from fmd_core.measure.verdict import twins as of_verdict
from fmd_core.measure.verdict.answered import Answered, rate_of
from fmd_core.measure.verdict.goal import Goal
from fmd_core.measure.verdict.values import Family, Limits, Outcome
from tests.core.test_verdict import people as crowd

N = 60
ONES = np.ones(N)


@pytest.fixture
def answers():
    """Whom two models are right about, (60,) each."""
    rng = np.random.default_rng(0)
    before = rng.random(N) < 0.5
    return before, before ^ (rng.random(N) < 0.3)


def overall(before, after, counting=None):
    return rate_changes([("", np.ones(len(before), dtype=bool), ())], before, after, counting=counting)[0]


def figures(estimate):
    return estimate.value, estimate.low, estimate.high, estimate.n


def same(found, wanted):
    for name in ("before", "after", "difference"):
        assert figures(getattr(found, name)) == pytest.approx(figures(getattr(wanted, name)), abs=1e-12)
    assert found.p_value == pytest.approx(wanted.p_value)


@pytest.mark.parametrize("weight", [1.0, 0.25])
def test_persons_with_a_row_each_who_count_alike_are_rows(answers, weight):
    counting = Counting(weight * ONES, np.arange(N)[::-1])
    same(overall(*answers, counting), overall(*answers))
    row = ("bias", np.ones(N, dtype=bool), *(side.astype(float) for side in answers))
    found, wanted = (
        mean_changes([row], counting=Counting(weight * ONES, np.arange(N)))[0],
        mean_changes([row])[0],
    )
    assert figures(found.difference) == pytest.approx(figures(wanted.difference))


def test_the_same_rows_again_add_no_evidence(answers):
    """Everybody ten times over: as many people, and the very figures."""
    counting = Counting(np.ones(10 * N), np.tile(np.arange(N), 10))
    same(overall(*(np.tile(side, 10) for side in answers), counting), overall(*answers))
    values = np.random.default_rng(1).random((N, 2))
    found = counted_means(np.tile(values, (10, 1)), counting)
    for one, wanted in zip(found, counted_means(values, None), strict=True):
        assert figures(one) == pytest.approx(figures(wanted))


def test_ten_people_with_many_rows_are_ten_people(answers):
    counting = Counting(ONES, np.repeat(np.arange(10), N // 10))
    for estimate in (overall(*answers, counting).difference, *counted_means(ONES[:, None], counting)):
        assert (estimate.value, estimate.n) == (None, 10)


@pytest.mark.parametrize("by", ["rows", "weights"])
def test_one_who_counts_most_is_not_many(by):
    """100 people, one of whom has 500 of 599 rows, or of what counts: as good as one who counts alone."""
    if by == "rows":
        counting = Counting(np.ones(599), np.concatenate([np.arange(99), np.full(500, 99)]))
    else:
        counting = Counting(np.concatenate([np.ones(99), [500.0]]), np.arange(100))
    before = np.zeros(len(counting.weights), dtype=bool)
    change = overall(before, ~before, counting)
    assert change.difference.value is None
    assert not change.rose
    (mean,) = counted_means(np.ones((len(before), 1)), counting)
    assert mean.value is None
    assert mean.problem == "not enough people to say (n = 100, as good as 1 who count alike)"


def test_who_counts_nothing_is_nobody(answers):
    weights = (np.arange(N) < 20).astype(float)
    assert overall(*answers, Counting(weights, np.arange(N))).difference.n == 20


def test_mcnemar_and_intervals_ask_the_effective_number_of_persons():
    rng = np.random.default_rng(2)
    persons, weights = rng.integers(0, 80, 400), rng.uniform(0.5, 2, 400)
    before = rng.random(400) < 0.5
    after = before | (rng.random(400) < 0.15)
    after[:30] = ~after[:30]
    change = overall(before, after, Counting(weights, persons))
    net = np.bincount(persons, weights * (after.astype(float) - before))
    size = np.abs(net).sum() ** 2 / (net**2).sum()
    up, down = (size * np.maximum(side, 0).sum() / np.abs(net).sum() for side in (net, -net))
    whole = [binomtest(int(k), int(n)).pvalue for k, n in ((down, up + down), (down + 1, up + down + 1))]
    assert min(whole) / 2 < change.p_value < max(whole) * 2  # between those of whole numbers, or nearly
    assert change.p_value == pytest.approx(2 * betai(up, down + 1, 0.5))
    wanted = rate_of(before, np.arange(400), weights, persons)
    assert figures(change.before) == pytest.approx((wanted.value, wanted.low, wanted.high, wanted.n))
    share = np.average(after, weights=weights)
    low, high = wilson_interval(share, wanted.effective)
    assert figures(change.after)[:3] == pytest.approx((share, float(low), float(high)))
    assert change.difference.value == pytest.approx(share - wanted.value)


def moved(gained, lost, scale=1.0, n=500):
    """The change where of n people who count 1 some gain and some lose; of either, how many and how much they count."""
    (many, much), (few, little) = gained, lost
    weights, before = np.ones(n), np.ones(n, dtype=bool)
    weights[:many], weights[many : many + few] = much, little
    before[:many], after = False, np.ones(n, dtype=bool)
    after[many : many + few] = False
    return overall(before, after, Counting(scale * weights, np.arange(n)))


def test_a_loss_of_who_counts_much_is_not_made_up_by_as_many_who_count_little():
    change = moved((10, 1.0), (10, 5.0))
    assert change.difference.high < 0
    assert change.fell


@pytest.mark.parametrize(("gained", "lost"), [((60, 1.0), (20, 5.0)), ((20, 5.0), (60, 1.0))])
def test_who_are_many_and_count_little_do_not_prove_the_opposite_of_what_they_did(gained, lost):
    change = moved(gained, lost)
    assert not change.fell
    assert not change.rose


@pytest.mark.parametrize("scale", [1e-12, 1e12])
def test_weights_in_another_unit_say_the_same(scale):
    assert moved((0, 1.0), (40, 1.0), scale).fell
    same(moved((10, 1.0), (40, 1.5), scale), moved((10, 1.0), (40, 1.5)))


@pytest.fixture
def counted(tiny):
    """Test people in which some persons have two or three rows, which count unequally."""
    rng, n = np.random.default_rng(3), len(tiny.dataset)
    return replace(tiny.dataset, persons=rng.integers(0, 2 * n, n), weights=rng.uniform(0.8, 1.2, n))


@pytest.fixture
def repaired(tiny):
    return fmd.unlearn(tiny.head, tiny.inputs, strength=0.1).head


def test_the_figure_before_is_that_of_the_verdict(tiny, counted, repaired):
    people, pairs = tiny.features["test"], tiny.pairs["test"]
    found = fmd.compare(tiny.head, repaired, counted, people, pairs)
    for head, end in ((tiny.head, found.bias.before), (repaired, found.bias.after)):
        order = np.argsort([list(people.rows).index(row) for row in pairs.rows])
        values = np.abs(pair_differences(head, pairs)).astype(float)[order]
        said = predictions(head, people.features)
        answered = Answered(people.rows, people.labels, said, counted.weights, counted.persons)
        assert figures(end)[:3] == pytest.approx(of_verdict._mean(answered, pairs.rows[order], values))
        right = said == people.labels
        wanted = rate_of(right, people.rows, counted.weights, counted.persons)
        shown = found.accuracy.before if head is tiny.head else found.accuracy.after
        assert figures(shown) == pytest.approx((wanted.value, wanted.low, wanted.high, wanted.n))
    others = comparing.bias_changes(tiny.head, repaired, counted, people, [(pairs, None)])
    same(others[0], replace(found.bias, group=tiny.attribute))


@pytest.mark.parametrize("measure", ["counterfactual", "demographic parity", "equal opportunity"])
def test_a_comparison_draws_and_counts_persons(tiny, counted, repaired, measure):
    data, people, pairs = tiny.dataset, tiny.features["test"], tiny.pairs["test"]

    def compared(dataset):
        return fmd.compare(tiny.head, repaired, dataset, people, pairs, None, measure)

    alone, n = compared(data), len(data)
    own = compared(replace(data, persons=np.arange(n), weights=np.full(n, 3.0)))
    assert figures(own.judged.difference) == pytest.approx(figures(alone.judged.difference))
    assert own.verdict == alone.verdict in ("improved", "mixed")
    wide = compared(counted).judged.difference
    assert wide.value is not None
    assert wide.n < alone.judged.difference.n  # persons, not rows
    few = compared(replace(data, persons=np.arange(n) % 5))
    assert few.judged.difference.value is None
    assert few.accuracy.difference.value is None
    assert few.verdict not in ("improved", "mixed", "worse")
    assert not [change for change in (*few.groups, *few.cells) if change.difference.value is not None]


def test_gaps_are_those_of_weighted_people(tiny, counted, repaired):
    people, pairs = tiny.features["test"], tiny.pairs["test"]
    found = fmd.compare(tiny.head, repaired, counted, people, pairs, None, "demographic parity")
    gap = GroupGap.of(counted, people, tiny.attribute, "demographic parity")
    for head, end in ((tiny.head, found.gap.before), (repaired, found.gap.after)):
        given, weights = head.probabilities(people.features), counted.weights[people.rows][:, None]
        usual, others = ((given * side * weights).sum() / (side * weights).sum() for side in gap.sides)
        assert end.value == pytest.approx(abs(usual - others))
        assert end.value != pytest.approx(abs(gap.signed(head)))
        assert end.n == counted.n_people(people.rows)


def test_every_figure_beside_it_counts_people(tiny, counted, repaired):
    """Calibrated bias, two models with features of their own, other attributes, and what can still be read."""
    people, pairs = tiny.features["test"], tiny.pairs["test"]
    n = counted.n_people(pairs.rows)
    assert n < len(pairs)
    ends = [
        fmd.Candidate(head, people, pairs, None, tiny.features["validation"])
        for head in (tiny.head, repaired)
    ]
    assert fmd.compare_candidates(*ends, counted).calibrated.difference.n == n
    assert fmd.candidate_biases([tuple(ends)], counted)[0].difference.n == n
    study = fmd.Study(counted, tiny.classifier, aim=tiny.attribute)
    for change in study.other_biases(study.path().suggested):
        assert change.difference.n == counted.n_people(study.pairs("test", change.group).rows)
    told = study.forgetting(study.erased([tiny.attribute]), [tiny.attribute])
    assert {reading.after.n for reading in told.readings} == {counted.n_people(people.rows)}
    each = [counted.n_people(people.rows[people.labels == label]) for label in range(len(told.classes))]
    assert [change.difference.n for change in told.classes] == each


@pytest.mark.parametrize("by", ["persons", "weights"])
def test_twins_of_few_people_with_many_rows_are_within_no_limit(by):
    """Five people with a hundred rows each, and five who count nearly everything."""
    n, rng = 500, np.random.default_rng(4)
    labels, sex = rng.integers(0, 2, n), rng.integers(0, 2, n)
    counting = {"persons": np.arange(n) % 5}
    if by == "weights":
        counting = {"weights": np.where(np.arange(n) < 5, 1e6, 1.0)}
    said = np.where(rng.random(n) < 0.8, labels, 1 - labels)
    data, each = crowd(labels, said, sex=sex)
    answered = replace(each, **counting)
    alike = of_verdict.TwinAnswers("sex", np.arange(n), 0.001 * rng.random(n), np.zeros(n, bool))
    goal = Goal(Family.TWINS, ("sex",), 0.1)
    assert goal.measured(data, answered, alike).outcome is Outcome.UNKNOWN
    assert goal.measured(data, each, alike).outcome is Outcome.WITHIN
    measured = of_verdict.measure_twins(data, answered, [alike], (), Limits())
    assert not measured.findings
    assert [told.why for told in measured.not_tested] == ["fewer than 30 people have a twin (n = 5)"]


def test_a_few_validation_people_with_many_rows_do_not_say_how_sure_a_model_may_be(tiny, repaired):
    """Five of them: that answers only became flatter cannot be ruled out, so nothing has improved."""
    data, people, guard = tiny.dataset, tiny.features["test"], tiny.features["validation"]
    persons = np.arange(len(data))
    persons[guard.rows] = guard.rows[np.arange(len(guard)) % 5]

    def compared(dataset):
        return fmd.compare(tiny.head, repaired, dataset, people, tiny.pairs["test"], validation=guard)

    assert compared(data).is_calibrated_better
    found = compared(replace(data, persons=persons))
    assert found.judged.fell
    assert (found.calibrated.difference.value, found.calibrated.difference.n) == (None, 5)
    assert found.is_flatter
    assert found.verdict != "improved"


def test_twins_of_people_who_all_count_nothing_say_nothing(tiny):
    data, people, pairs = tiny.dataset, tiny.features["test"], tiny.pairs["test"]
    weights = np.ones(len(data))
    weights[pairs.rows] = 0
    goal, said = Goal(Family.TWINS, (tiny.attribute,), 0.1), predictions(tiny.head, people.features)
    twins = of_verdict.TwinAnswers.of(tiny.head, pairs)
    answered = Answered(people.rows, people.labels, said, data.weights, data.persons)
    assert goal.measured(data, answered, twins) is not None
    assert goal.measured(data, replace(answered, weights=weights), twins) is None
