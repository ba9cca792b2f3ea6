"""From harmful samples to unlearning: every stop is an exact refit, judged by test people."""

from dataclasses import replace

import numpy as np
import pytest

import fmd_core as fmd
from fmd_core.study.aim import Aim
from fmd_core.unlearn.baselines import refits_on_pairs

KINDS = ["without the top", "without all harmful", "refit on twins"]


@pytest.fixture(scope="module")
def stops(tiny):
    return {stop.kind: stop for stop in tiny.study.bridge(k=10)}


def test_every_stop_is_measured_after_a_refit(tiny, stops):
    assert list(stops) == KINDS
    scores, train = tiny.scores, tiny.features["train"]
    for kind, n in zip(KINDS[:2], (10, scores.n_harmful), strict=True):
        head = fmd.refit_without(tiny.head, train, scores.most_harmful(n), damping=tiny.damping)
        found = stops[kind].comparison
        assert stops[kind].n == n
        assert found.bias.before.value == pytest.approx(
            fmd.counterfactual_bias(tiny.head, tiny.pairs["test"])
        )
        assert found.bias.after.value == pytest.approx(
            fmd.counterfactual_bias(head, tiny.pairs["test"]), abs=1e-6
        )
        assert found.calibrated is not None


def test_the_refit_on_twins_is_one_of_those_that_are_offered(tiny, stops):
    pairs = tiny.study.pairs("external", "mark")
    offered = [fmd.counterfactual_bias(h, tiny.pairs["test"]) for h, _ in refits_on_pairs(tiny.head, [pairs])]
    assert stops["refit on twins"].n == len(pairs)
    assert min(abs(stops["refit on twins"].comparison.bias.after.value - b) for b in offered) < 1e-9


def test_another_number_of_samples_costs_one_refit(tiny):
    study = fmd.Study(tiny.dataset, tiny.classifier, aim="mark", influence_method="first-order")
    assert not study.is_bridged(k=10)
    first = study.bridge(k=10)
    assert study.is_bridged(k=10)
    assert not study.is_bridged(k=11)
    assert study.bridge(k=11)[1:] == first[1:]


def test_every_question_has_a_bridge_of_its_own(tiny):
    by_worst = tiny.study.bridge(Aim(("shade",), "worst group"), k=10)
    assert by_worst[0].comparison.attribute == "shade"
    assert by_worst[0].comparison.gap is None
    gap = tiny.study.bridge(Aim(("mark",), "predictive equality"), k=10)[0].comparison
    assert gap.gap.name == "predictive equality gap"


def test_a_model_that_was_not_fitted_here_is_fitted_with_everybody_first(tiny):
    foreign = replace(
        tiny.classifier, head=tiny.head.moved(np.full(tiny.head.n_parameters, 0.2)), fingerprint="f"
    )
    found = fmd.Study(tiny.dataset, foreign, aim="mark").bridge(k=5)
    assert [stop.kind for stop in found] == ["everybody again", *KINDS]
    assert found[0].comparison.bias.after.value == pytest.approx(
        fmd.counterfactual_bias(tiny.head, tiny.pairs["test"]), abs=1e-6
    )


def test_what_cannot_be_made_says_why(tiny, monkeypatch):
    study = fmd.Study(tiny.dataset, tiny.classifier, aim="mark")
    everybody = replace(study.scores(), removal_effect=np.full(200, -1.0))
    monkeypatch.setattr(study, "scores", lambda *_: everybody)
    found = {stop.kind: stop for stop in study.bridge(k=5)}
    assert found["without all harmful"].comparison is None
    assert "leave out fewer" in found["without all harmful"].why_not
