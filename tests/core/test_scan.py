"""Verdicts on all attributes at once."""

import numpy as np
import pytest
from scipy.stats import false_discovery_control, norm

from fmd_core import AttributeBias, BiasReport, Estimate, scan
from fmd_core.measure.group_metrics import GroupMetrics

UNKNOWN = Estimate.unknown(7)
LIMIT = 0.1


def audit(name, value, error=0.02, gap=None):
    bias = UNKNOWN if value is None else Estimate(value, value - 1.96 * error, value + 1.96 * error, 450)
    return AttributeBias(name, bias, UNKNOWN, UNKNOWN, UNKNOWN, GroupMetrics(*[UNKNOWN] * 6), parity_gap=gap)


def verdicts(*audits, measure="counterfactual"):
    return {f.attribute: f.verdict for f in scan(BiasReport(UNKNOWN, audits), LIMIT, measure)}


def test_worst_first_unmeasurable_last():
    found = scan(BiasReport(UNKNOWN, (audit("a", 0.1), audit("b", None), audit("c", 0.5))), LIMIT)
    assert [f.attribute for f in found] == ["c", "a", "b"]
    assert found[2].verdict == "cannot be said"
    assert found[2].words == "not enough people to say (n = 7)"
    assert found[2].adjusted_p is None


def test_one_attribute_is_judged_by_its_interval():
    assert verdicts(audit("a", 0.15)) == {"a": "biased"}
    assert verdicts(audit("a", 0.12)) == {"a": "too close to call"}
    assert verdicts(audit("a", 0.05)) == {"a": "within the limit"}


def test_looking_at_many_asks_for_more_evidence():
    borderline = audit("a", 0.141)  # its interval lies above the limit, only just
    assert verdicts(borderline)["a"] == "biased"
    crowd = [audit(f"n{i}", 0.09) for i in range(20)]
    assert verdicts(borderline, *crowd)["a"] == "too close to call"
    assert verdicts(audit("a", 0.3), *crowd)["a"] == "biased"


def test_p_values_are_benjamini_and_hochberg_s():
    values = [0.3, 0.15, 0.12, 0.02]
    found = scan(BiasReport(UNKNOWN, tuple(audit(str(v), v) for v in values)), LIMIT)
    raw = norm.sf((np.array(values) - LIMIT) / 0.02)
    assert [f.adjusted_p for f in found] == pytest.approx(false_discovery_control(raw), rel=1e-3)


def test_few_verdicts_are_wrong_where_nothing_is_beyond_the_limit():
    """Of 400 scans of 20 attributes that lie at the limit exactly, about 2.5 % may call one biased."""
    rng, wrong = np.random.default_rng(0), 0
    for _ in range(400):
        wrong += (
            "biased" in verdicts(*(audit(str(i), LIMIT + rng.normal(0, 0.02)) for i in range(20))).values()
        )
    assert wrong / 400 < 0.05


def test_a_figure_without_spread_is_above_or_below():
    assert verdicts(audit("a", 0.2, 0), audit("b", 0.05, 0)) == {"a": "biased", "b": "within the limit"}
    assert verdicts(audit("a", LIMIT, 0)) == {"a": "too close to call"}


def test_each_measure_has_its_own_verdict():
    even, uneven = Estimate(0.01, 0.0, 0.02, 450), Estimate(0.4, 0.35, 0.45, 450)
    audits = audit("a", 0.5, gap=even), audit("b", 0.02, gap=uneven)
    assert verdicts(*audits, measure="demographic parity") == {"b": "biased", "a": "within the limit"}
    assert verdicts(*audits) == {"a": "biased", "b": "within the limit"}
