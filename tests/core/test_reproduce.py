"""Baselines of the last layer, and every way to treat one model, measured on the same people."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

import fmd_core as fmd
from fmd_core.data import group_codes
from fmd_core.measure.bias_functions import predictions
from fmd_core.models.feature_store import FeatureStore
from fmd_core.reproduction.experiments import FIXED, FIXED_STRENGTH, VANILLA, Experiment, guarded
from fmd_core.unlearn.baselines import (
    averaged_answers,
    find_baseline,
    most_even,
    refit_on_pairs,
    worst_group,
)

pytestmark = pytest.mark.slow  # trains

ITERATED = guarded("iterated", 0.01)
REFIT = find_baseline("refit on twins").published
MOVED = find_baseline("thresholds moved").published


# --- baselines


@pytest.mark.parametrize("damping", [1e-1, 1e-2, 1e-3])
def test_the_refit_is_a_group_balanced_logistic_regression(tiny, damping):
    pairs = tiny.pairs["external"]
    x = np.concatenate([pairs.favoured.features, pairs.other.features])
    y = np.tile(pairs.labels, 2)
    groups = group_codes(y, np.concatenate([pairs.favoured_codes, pairs.other_codes]))
    found, counts = np.unique(groups, return_counts=True)
    weights = 1 / (len(found) * counts[np.searchsorted(found, groups)])
    # sklearn leaves the intercept out of the penalty; as a column it is in, as it is for our heads
    with_constant = np.column_stack([x, np.ones(len(x))]).astype("float64")
    theirs = LogisticRegression(C=1 / damping, fit_intercept=False, tol=1e-10, max_iter=10_000)
    theirs.fit(with_constant, y, sample_weight=weights)
    ours = refit_on_pairs(tiny.head, [pairs], damping=damping)
    assert ours.probabilities(x.astype("float64")) == pytest.approx(
        theirs.predict_proba(with_constant), abs=1e-5
    )


def test_the_refit_owes_nothing_to_the_head(tiny):
    moved = tiny.head.moved(np.full(tiny.head.n_parameters, 3.0))
    fits = [refit_on_pairs(head, [tiny.pairs["external"]], damping=1e-2) for head in (tiny.head, moved)]
    assert fits[0].fingerprint == fits[1].fingerprint


def test_most_even_counts_groups_and_not_people(tiny):
    people = tiny.features["validation"]
    right = predictions(tiny.head, people.features) == people.labels
    reverse = tiny.head.moved(-2 * tiny.head.theta)
    wrong_ones = np.where(right, 0, 1)  # those that the head has right are one group, the others another
    heads = [tiny.head, reverse]
    even = [
        np.mean([(predictions(h, people.features) == people.labels)[wrong_ones == g].mean() for g in (0, 1)])
        for h in heads
    ]
    assert most_even(heads, people, wrong_ones) is heads[int(np.argmax(even))]


def test_worst_group_wants_enough_people():
    labels = np.repeat([0, 0, 1], [40, 5, 40])
    levels = np.repeat([0, 1, 1], [40, 5, 40])
    right = np.concatenate([np.arange(40) < 30, np.zeros(5), np.arange(40) < 20]).astype(bool)
    found = worst_group(right, labels, levels, least=30)
    assert (found.label, found.level, found.accuracy, found.people) == (1, 1, 0.5, 40)
    assert worst_group(right, labels, levels, least=5).accuracy == 0
    assert worst_group(right, labels, levels, least=41) is None


def test_averaged_answers_ask_once_for_every_level(tiny):
    rows = tiny.dataset.rows("test")
    shown = [tiny.dataset.source.counterfactual(rows, "mark", np.full(len(rows), c)) for c in range(3)]
    expected = np.mean([tiny.head.probabilities(x) for x in shown], axis=0).argmax(axis=1)
    assert np.array_equal(averaged_answers(tiny.classifier, tiny.dataset, rows, "mark"), expected)


# --- rows


@pytest.fixture(scope="module")
def demo_rows(demo, tmp_path_factory):
    store = FeatureStore(tmp_path_factory.mktemp("features"))
    work = Experiment(demo.dataset, demo.classifier, "colour", (0.01, 0.02), store)
    return {row.method: row for row in work.rows()}


def test_every_treatment_has_its_row(demo_rows):
    strategies = ("paper-remove", "paper-replace", "paper-external", "iterated", "retained")
    paths = [guarded(strategy, tolerance) for strategy in strategies for tolerance in (0.01, 0.02)]
    assert list(demo_rows) == [VANILLA, *paths, FIXED, REFIT, MOVED]


def test_rows_are_what_the_dashboard_shows(demo, demo_rows):
    heads = {
        VANILLA: demo.head,
        ITERATED: demo.path.suggested.result.head,
        FIXED: fmd.unlearn(demo.head, demo.inputs, strength=FIXED_STRENGTH).head,
    }
    for method, head in heads.items():
        row = demo_rows[method]
        report = fmd.audit_bias(head, demo.dataset, demo.features["test"], [demo.pairs["test"]])
        found = report.attributes[0]
        assert row.accuracy == report.accuracy.value
        assert row.bias == found.bias.value
        assert row.parity == found.metrics.demographic_parity_difference.value
        assert row.opportunity == found.metrics.equal_opportunity_difference.value
        assert row.placebo is None
        assert row.excess is None


def test_rows_say_what_was_used(demo, demo_rows):
    for row in demo_rows.values():
        used = row.method != VANILLA
        assert row.pairs == (len(demo.pairs["external"]) if used and row.method != MOVED else 0)
        assert (row.seconds > 0) == used
        assert (row.guard_seconds > 0) == (used and row.method != FIXED)
        assert bool(row.setting) == used
    assert demo_rows[guarded("paper-remove", 0.01)].setting.startswith("K = 90, ")  # a tenth of 900


def test_the_published_steps_pay_for_curvature_and_scores(demo, tmp_path, monkeypatch):
    ticks = iter(np.arange(100.0))
    monkeypatch.setattr("fmd_core.reproduction.experiments.time.perf_counter", lambda: next(ticks))
    work = Experiment(demo.dataset, demo.classifier, "colour", (0.01,), FeatureStore(tmp_path))
    seconds = {row.method.split(",")[0]: row.seconds for row in work.rows() if "guarded" in row.method}
    # every measured step lasts one tick: curvature, scores, path
    assert seconds == {
        "paper-remove": 3,
        "paper-replace": 3,
        "paper-external": 2,
        "iterated": 1,
        "retained": 1,
    }


def test_real_people_are_measured_beside_placebo_twins(demo, tmp_path):
    matched = replace(demo.dataset, pair_method="matched")
    row = next(Experiment(matched, demo.classifier, "colour", (0.01,), FeatureStore(tmp_path)).rows())
    assert row.placebo is not None
    assert row.excess == pytest.approx(row.bias - row.placebo, abs=0.05)  # on people who have both twins
