"""Counterfactual bias, its gradient and the audit."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import fmd_core as fmd
from fmd_core import (
    CounterfactualPairs,
    FeatureSet,
    LinearHead,
    audit_bias,
    counterfactual_bias,
    counterfactual_bias_gradient,
    intervals,
)
from fmd_core.measure import audit
from fmd_core.measure.bias_functions import pair_differences, pair_flips, predictions
from fmd_core.measure.verdict.sentences import group_name
from fmd_core.measure.verdict.values import Member


def swapped(pairs):
    return replace(
        pairs,
        favoured=pairs.other,
        other=pairs.favoured,
        favoured_codes=pairs.other_codes,
        other_codes=pairs.favoured_codes,
    )


def test_identical_sides_have_no_bias(tiny):
    pairs = replace(tiny.pairs["test"], other=tiny.pairs["test"].favoured)
    assert counterfactual_bias(tiny.head, pairs) == 0
    assert not counterfactual_bias_gradient(tiny.head, pairs).any()
    assert not pair_flips(tiny.head, pairs).any()


def test_an_attribute_without_a_trace_has_no_bias(tiny):
    assert counterfactual_bias(tiny.head, tiny.pairs_of("test", "shade")) == 0


def test_swapping_the_sides_changes_nothing(tiny):
    pairs = tiny.pairs["test"]
    assert counterfactual_bias(tiny.head, pairs) == counterfactual_bias(tiny.head, swapped(pairs)) > 0
    np.testing.assert_allclose(
        counterfactual_bias_gradient(tiny.head, pairs),
        counterfactual_bias_gradient(tiny.head, swapped(pairs)),
    )


def test_a_head_that_sees_only_the_attribute_has_total_bias():
    # Class 0 is favoured with x = 1; the other side has x = -1 and gets class 1.
    head, one = LinearHead([[50.0], [-50.0]], [0, 0]), np.ones((3, 1))
    sides = [FeatureSet(sign * one, np.zeros(3, int), np.arange(3)) for sign in (1, -1)]
    pairs = CounterfactualPairs("mark", "generated", *sides, *(np.full(3, code) for code in (0, 1, 0)))
    assert counterfactual_bias(head, pairs) == pytest.approx(1)
    assert pair_flips(head, pairs).all()


finite = st.floats(-30, 30)


@settings(max_examples=100, deadline=None)
@given(
    weight=arrays("float64", (3, 2), elements=finite),
    bias=arrays("float64", 3, elements=finite),
    sides=arrays("float64", (2, 5, 2), elements=finite),
    labels=arrays("int64", 5, elements=st.integers(0, 2)),
)
def test_bias_lies_between_none_and_total(weight, bias, sides, labels):
    favoured, other = (FeatureSet(side, labels, np.arange(5)) for side in sides)
    pairs = CounterfactualPairs("mark", "generated", favoured, other, labels, labels, labels)
    head = LinearHead(weight, bias)
    found = counterfactual_bias(head, pairs)
    assert 0 <= found <= 1
    assert found == counterfactual_bias(head, swapped(pairs))
    assert np.isfinite(counterfactual_bias_gradient(head, pairs)).all()


def test_gradient_matches_differences(tiny):
    pairs, step = tiny.pairs["test"], 1e-6
    by_steps = [
        (counterfactual_bias(tiny.head.moved(s), pairs) - counterfactual_bias(tiny.head.moved(-s), pairs))
        / (2 * step)
        for s in step * np.eye(tiny.head.n_parameters)
    ]
    np.testing.assert_allclose(counterfactual_bias_gradient(tiny.head, pairs), by_steps, atol=1e-7)


def test_audit_recomputed_by_mask(tiny):
    report, people = tiny.audit(), tiny.features["test"]
    logits = people.features @ tiny.head.weight.T + tiny.head.bias
    right = logits.argmax(axis=1) == people.labels
    assert report.accuracy.value == right.mean()
    assert report.accuracy.n == len(people) == 150
    for found in report.attributes:
        pairs = tiny.pairs_of("test", found.attribute)
        usual = tiny.dataset.usual_level(found.attribute)
        aligned = usual[people.labels] == tiny.dataset.attribute(found.attribute).codes[people.rows]
        sides = [
            tiny.head.probabilities(side.features)[np.arange(150), pairs.labels]
            for side in (pairs.favoured, pairs.other)
        ]
        answers = [predictions(tiny.head, side.features) for side in (pairs.favoured, pairs.other)]
        assert found.bias.value == pytest.approx(np.abs(sides[0] - sides[1]).mean())
        assert found.flips.value == (answers[0] != answers[1]).mean()
        assert found.aligned_accuracy.n == aligned.sum()
        assert found.conflicting_accuracy.n == (~aligned).sum()
        for estimate, mask in (
            (found.aligned_accuracy, aligned),
            (found.conflicting_accuracy, ~aligned),
        ):
            if mask.sum() >= 30:
                assert estimate.value == right[mask].mean()


def test_audit_lists_the_worst_attribute_first(tiny):
    pairs = [tiny.pairs_of("test", name) for name in ("shade", "mark")]
    report = audit_bias(tiny.head, tiny.dataset, tiny.features["test"], pairs)
    assert [a.attribute for a in report.attributes] == ["mark", "shade"]


def test_demo_is_biased_by_colour_and_not_by_paper(demo):
    by_name = {a.attribute: a for a in demo.audit().attributes}
    assert by_name["colour"].bias.low > 0.3 > 0.1 > by_name["paper"].bias.high
    assert by_name["colour"].aligned_accuracy.low > by_name["colour"].conflicting_accuracy.high


def test_pair_differences_keep_their_sign(tiny):
    pairs = tiny.pairs["test"]
    found = pair_differences(tiny.head, pairs)
    np.testing.assert_allclose(found, -pair_differences(tiny.head, swapped(pairs)))
    assert (found > 0).mean() > 0.9  # the favoured side is favoured


def test_whom_a_class_serves_is_told_as_sentences_name_them(tiny):
    (found,) = (a for a in tiny.study.audit().attributes if a.attribute == "mark")
    (group,) = (g for g in found.groups if (g.label, g.level) == ("star", "dot"))
    assert group.who == group_name(tiny.dataset, (Member("shape", "star"), Member("mark", "dot")))


def test_all_attributes_are_resampled_in_one_product(tiny, monkeypatch):
    """And nothing is said of one that would not be said of it alone."""
    people, twins = (
        tiny.features["test"],
        [tiny.pairs["test"], replace(tiny.pairs["test"], attribute="shade")],
    )
    alone = [audit_bias(tiny.head, tiny.dataset, people, [one]).attributes[0] for one in twins]
    asked, product = [], intervals._sums
    monkeypatch.setattr(intervals, "_sums", lambda values: asked.append(values.shape) or product(values))
    found = {a.attribute: a for a in audit_bias(tiny.head, tiny.dataset, people, twins).attributes}
    assert len(asked) == 1
    for one in alone:
        joint = found[one.attribute]
        assert joint.metrics == one.metrics  # of counts: to the bit
        for name in ("bias", "flips", "parity_gap", "opportunity_gap", "predictive_gap"):
            ends = [getattr(of, name) for of in (joint, one)]
            assert ends[0].n == ends[1].n
            assert (ends[0].value, ends[0].low) == pytest.approx((ends[1].value, ends[1].low), abs=1e-12)


def test_every_class_and_level_that_occurs_is_served_and_no_other():
    rng, n, levels = np.random.default_rng(0), 400, ("a", "b", "c", "d")
    labels, codes = rng.integers(3, size=n), rng.integers(4, size=n)
    codes[labels == 1] = np.minimum(codes[labels == 1], 2)  # nobody of the second class is a d
    codes[rng.choice(np.flatnonzero((labels == 2) & (codes == 3)), 20, replace=False)] = 0
    frame = pd.DataFrame(
        {"y": np.array(["x", "y", "z"])[labels], "who": np.array(levels)[codes], "v": rng.normal(size=n)}
    )
    data = fmd.table(frame, target="y", protected=["who"])
    rows = rng.permutation(n)[:350]
    right = rng.random(350) < 0.7
    people = FeatureSet(np.zeros((350, 1)), data.target.codes[rows], rows)
    found = audit.served_groups(data, "who", people, right)
    expected = {}
    for label, level in {*zip(frame.y[rows], frame.who[rows], strict=True)}:
        these = right[(frame.y[rows] == label).to_numpy() & (frame.who[rows] == level).to_numpy()]
        expected[label, level] = len(these), float(these.mean()) if len(these) >= 30 else None
    assert {(g.label, g.level): (g.accuracy.n, g.accuracy.value) for g in found} == expected
    known = [g.accuracy.value for g in found]
    tested = [value for value in known if value is not None]
    assert known == [*sorted(tested), *[None] * (len(known) - len(tested))]
    assert 0 < len(tested) < len(known) == 11


def test_however_many_attributes_are_resampled_at_once_all_are_measured_and_alike(tiny, monkeypatch):
    pairs = [replace(tiny.pairs_of("test", name), attribute=name) for name in tiny.dataset.attributes] * 5
    given = tiny.head, tiny.dataset, tiny.features["test"], pairs
    together = audit_bias(*given).attributes
    monkeypatch.setattr(audit, "AT_ONCE", 3)
    monkeypatch.setattr(audit, "AT_ONCE_PEOPLE", 0)
    assert audit_bias(*given).attributes == together
    assert len(together) == len(pairs) > 8
