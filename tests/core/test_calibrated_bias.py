"""Calibrated bias beside bias: answers that only become flatter are no improvement."""

from dataclasses import replace

import numpy as np
import pytest

import fmd_core as fmd
from fmd_core.intervals import Estimate
from fmd_core.measure.bias_functions import MEASURES
from fmd_core.measure.calibration import COLDEST, HOTTEST, fitted_temperature, head_temperature, tempered
from fmd_core.report import wording
from fmd_core.twins.pairs import placebo_pairs


def compared(tiny, after, measure="counterfactual", *, validation=True, placebo=None, pairs=None):
    guards = tiny.features["validation"] if validation else None
    twins = pairs or tiny.pairs["test"]
    return fmd.compare(tiny.head, after, tiny.dataset, tiny.features["test"], twins, placebo, measure, guards)


def flattened(head, share=0.8):
    """The same answers, less sure."""
    return head.moved(-share * head.theta)


def fixed(tiny):
    return tiny.path.suggested.result.head


def test_a_tempered_head_gives_the_same_answers_less_surely(tiny):
    people = tiny.features["test"].features
    cool, hot = tempered(tiny.head, 0.5).probabilities(people), tempered(tiny.head, 4.0).probabilities(people)
    assert (cool.argmax(axis=1) == hot.argmax(axis=1)).all()
    assert (cool.max(axis=1) > hot.max(axis=1)).all()
    logits = tiny.head.logits(people)
    np.testing.assert_allclose(tempered(tiny.head, 4.0).logits(people), logits / 4, atol=1e-9)


def test_the_temperature_undoes_flattening(tiny):
    guards = tiny.features["validation"]
    was, now = (head_temperature(head, guards) for head in (tiny.head, flattened(tiny.head)))
    assert now == pytest.approx(was / 5, rel=1e-3)
    assert fitted_temperature(tiny.head.logits(guards.features), guards.labels) == was
    assert COLDEST < now < was < HOTTEST


@pytest.mark.parametrize("measure", MEASURES)
def test_answers_that_only_become_flatter_are_no_improvement(tiny, measure):
    found = compared(tiny, flattened(tiny.head), measure)
    assert found.calibrated.after.value == pytest.approx(found.calibrated.before.value, abs=1e-4)
    if measure == "counterfactual":
        assert found.judged.fell
        assert found.is_flatter
        assert found.verdict == "no evidence"
    if found.is_flatter:
        assert "the answers became flatter, not fairer: calibrated, there is no evidence that it falls" in (
            wording.comparison_headline(found)
        )
        assert wording.comparison_headline(found).startswith("Not an improvement: ")
        assert wording.calibrated_sentence(found).endswith("The answers became flatter, not fairer.")
    assert not compared(tiny, flattened(tiny.head), measure, validation=False).is_flatter


def test_a_fix_that_makes_twins_alike_is_less_biased_calibrated_too(tiny):
    found = compared(tiny, fixed(tiny))
    assert found.judged.fell
    assert found.calibrated.fell
    assert not found.is_flatter
    assert found.verdict == compared(tiny, fixed(tiny), validation=False).verdict
    assert "Calibrated, with both models as sure as they are right, the mark bias falls from" in (
        wording.calibrated_sentence(found)
    )


def test_each_model_is_measured_at_its_own_temperature(tiny):
    after, guards = fixed(tiny), tiny.features["validation"]
    found = compared(tiny, after).calibrated
    for end, head in ((found.before, tiny.head), (found.after, after)):
        even = tempered(head, head_temperature(head, guards))
        assert end.value == pytest.approx(fmd.counterfactual_bias(even, tiny.pairs["test"]))
    assert found.name == "calibrated counterfactual bias"


def test_of_matched_twins_the_placebo_is_taken_off_at_the_same_temperature(tiny):
    matched = tiny.pairs_of("test", method="matched")
    floor = placebo_pairs(tiny.dataset, tiny.features["test"], "mark", tiny.head)
    found = compared(tiny, flattened(tiny.head), placebo=floor, pairs=matched)
    assert found.calibrated.name == "calibrated excess over placebo"
    assert found.calibrated.difference.value == pytest.approx(0, abs=1e-4)
    assert found.calibrated.before.value != pytest.approx(found.excess.before.value, abs=1e-4)


def test_a_flatter_fix_that_costs_somebody_is_worse_and_one_that_helps_somebody_mixed(tiny):
    found = compared(tiny, flattened(tiny.head))
    found = replace(found, gap=None, groups=(), intersections=(), cells=())
    loss = replace(found.accuracy, difference=Estimate(-0.1, -0.15, -0.05, 150), p_value=0.001)
    gain = replace(loss, difference=Estimate(0.1, 0.05, 0.15, 150))
    assert replace(found, accuracy=loss).verdict == "worse"
    assert replace(found, accuracy=loss, groups=(gain,)).verdict == "mixed"


def test_too_few_validation_people_cannot_say_that_it_is_an_improvement(demo):
    few = demo.features["validation"].subset(np.arange(10))
    found = fmd.compare(
        demo.head, fixed(demo), demo.dataset, demo.features["test"], demo.pairs["test"], validation=few
    )
    assert found.calibrated.after.value is None
    assert found.verdict == "no evidence"
    assert "too few validation people to say whether the answers only became flatter" in (
        wording.comparison_headline(found)
    )


def test_the_study_asks_validation_people_and_the_report_tells(tiny, demo):
    assert tiny.comparison.calibrated.name == "calibrated counterfactual bias"
    assert demo.comparison.verdict == "improved"
    point = demo.path.suggested
    report = fmd.build_report(demo.study.evidence(point))
    assert report.measured.calibrated.after.value == pytest.approx(demo.comparison.calibrated.after.value)
    assert all(rival.calibrated is not None for rival in report.measured.rivals)
    assert report.first_page.calibrated == wording.calibrated_sentence(demo.comparison)
    assert "Calibrated, with both models as sure as they are right, the colour bias" in fmd.render_page(
        report, {}
    )
    opened = fmd.read_report(fmd.report_json(report).encode()).report
    assert opened.measured.calibrated == report.measured.calibrated
