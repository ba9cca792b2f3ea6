"""Twins who are two real people, and placebo twins beside them."""

from dataclasses import replace

import numpy as np
import pytest

import fmd_core as fmd
from fmd_core.data import FeatureSet
from fmd_core.report.writing import json_values
from fmd_core.twins.matching import NOBODY, all_but_the_answer, nearest_partners
from fmd_core.twins.pairs import placebo_pairs
from fmd_core.unlearn.objective import pair_weights
from fmd_core.unlearn.one_strength import unlearn
from fmd_core.unlearn.strategies import UnlearningInputs


@pytest.fixture(scope="module")
def matched(tiny):
    return tiny.pairs_of("test", method="matched")


def everyone(tiny, split="test"):
    return tiny.features[split]


def test_twins_share_the_class_and_not_the_attribute(tiny, matched):
    column = tiny.dataset.attribute("mark")
    for side, codes in ((matched.favoured, matched.favoured_codes), (matched.other, matched.other_codes)):
        np.testing.assert_array_equal(column.codes[side.rows], codes)
        np.testing.assert_array_equal(tiny.dataset.target.codes[side.rows], matched.labels)
    assert (matched.favoured_codes != matched.other_codes).all()
    np.testing.assert_array_equal(matched.favoured_codes, tiny.dataset.usual_level("mark")[matched.labels])


def test_a_twin_is_the_nearest_person_that_may_be_one(tiny, matched):
    people, codes = everyone(tiny), tiny.dataset.attribute("mark").codes
    usual, alike = tiny.dataset.usual_level("mark"), all_but_the_answer(people.features, tiny.head)
    for i in range(len(matched)):
        row = matched.rows[i]
        me = np.flatnonzero(people.rows == row)[0]
        partner = matched.other.rows[i] if matched.favoured.rows[i] == row else matched.favoured.rows[i]
        allowed = (people.labels == people.labels[me]) & (codes[people.rows] != codes[row])
        if codes[row] != usual[people.labels[me]]:
            allowed &= codes[people.rows] == usual[people.labels[me]]
        lengths = np.linalg.norm(alike - alike[me], axis=1)
        there = np.flatnonzero(people.rows == partner)[0]
        assert allowed[there]
        assert lengths[there] == pytest.approx(lengths[allowed].min(), abs=1e-5)


def test_what_is_alike_is_white_and_free_of_the_answer(tiny):
    found = all_but_the_answer(everyone(tiny).features, tiny.head).astype("float64")
    answers = tiny.head.logits(everyone(tiny).features.astype("float64"))
    contrasts = answers[:, 1:] - answers[:, :1]
    centred = contrasts - contrasts.mean(axis=0)
    assert np.abs(found.T @ centred).max() < 0.15 * np.linalg.norm(found) * np.linalg.norm(centred) / 4
    spread = np.linalg.eigvalsh(np.cov(found.T))
    # gone: what tells the classes apart; and the marks, one of three, have a constant sum
    assert (spread < 0.05).sum() == tiny.head.n_classes - 1 + 1
    assert spread[spread > 0.5] == pytest.approx(1, abs=0.35)


def test_distance_is_a_share_of_two_strangers_of_the_class():
    rng = np.random.default_rng(0)
    features = rng.normal(0, 3, (4000, 5))
    people = FeatureSet(features, np.zeros(4000, int), np.arange(4000))
    codes = np.arange(4000) % 2
    partner, distance = nearest_partners(people, codes, np.array([0] * 4000), same=False)
    strangers = np.linalg.norm(features[:2000] - features[2000:], axis=1)
    i = 17
    assert distance[i] == pytest.approx(
        np.linalg.norm(features[i] - features[partner[i]]) / np.sqrt((strangers**2).mean()), rel=0.05
    )


def test_a_placebo_is_somebody_else_with_the_same_level(tiny):
    placebo = placebo_pairs(tiny.dataset, everyone(tiny), "mark", tiny.head)
    codes = tiny.dataset.attribute("mark").codes
    assert (placebo.favoured.rows != placebo.other.rows).all()
    np.testing.assert_array_equal(codes[placebo.favoured.rows], codes[placebo.other.rows])
    np.testing.assert_array_equal(placebo.favoured.rows, placebo.rows)


def test_who_has_nobody_to_match_is_left_out():
    people = FeatureSet(np.eye(5), np.array([0, 0, 0, 1, 1]), np.arange(5))
    codes, usual = np.array([0, 0, 1, 1, 1]), np.zeros(5, int)
    partner, distance = nearest_partners(people, codes, usual, same=False)
    assert partner.tolist()[3:] == [NOBODY, NOBODY]
    assert np.isinf(distance[3:]).all()
    assert partner[2] in (0, 1)
    alone, _ = nearest_partners(people, codes, usual, same=True)
    assert alone[2] == NOBODY


def test_no_twins_at_all_is_said(tiny):
    codes = tiny.dataset.target.codes  # the attribute is the class: nobody differs by it alone
    column = fmd.Column("mark", codes, tiny.dataset.attribute("mark").levels)
    dataset = replace(tiny.dataset, attributes={"mark": column})
    with pytest.raises(fmd.DataError, match="Nobody has a twin by 'mark'"):
        fmd.pair_counterfactuals(dataset, tiny.classifier, split="test", attribute="mark", method="matched")


def test_a_cap_on_the_distance_keeps_the_alike(matched):
    cap = float(np.median(matched.distance))
    kept = matched.within(cap)
    assert 0 < len(kept) < len(matched)
    assert kept.distance.max() <= cap
    assert set(kept.rows) < set(matched.rows)
    with pytest.raises(fmd.DataError, match="No twins are as alike as 0; the most alike are at"):
        matched.within(0)


def test_given_features_are_used_instead_of_encoding_again(tiny, matched):
    again = fmd.pair_counterfactuals(
        tiny.dataset,
        tiny.classifier,
        split="test",
        attribute="mark",
        method="matched",
        features=everyone(tiny),
    )
    assert again.fingerprint == matched.fingerprint


# --- the audit beside a placebo


def placebo_report(tiny, matched, head=None):
    placebo = placebo_pairs(tiny.dataset, everyone(tiny), "mark", tiny.head)
    return fmd.audit_bias(
        head or tiny.head, tiny.dataset, everyone(tiny), [matched], {"mark": placebo}
    ).attributes[0]


def test_excess_is_bias_less_placebo(tiny, matched):
    found = placebo_report(tiny, matched)
    assert found.excess.value == pytest.approx(found.bias.value - found.placebo.value)
    assert found.judged is found.excess
    assert found.excess.low < found.excess.value < found.excess.high
    assert found.distance == np.median(matched.distance)


def test_without_placebo_the_bias_is_judged(tiny):
    found = fmd.audit_bias(tiny.head, tiny.dataset, everyone(tiny), [tiny.pairs["test"]]).attributes[0]
    assert (found.placebo, found.excess, found.judged) == (None, None, found.bias)


def test_a_model_that_ignores_the_attribute_has_no_excess(tiny, matched):
    """It still tells two people apart, which is what the placebo is for."""
    weight = tiny.head.weight.copy()
    weight[:, 3:] = 0
    found = placebo_report(tiny, matched, fmd.LinearHead(weight, tiny.head.bias))
    assert found.bias.value > 0.02
    assert found.excess.value < 0.5 * found.bias.value


# --- the fix


def test_matched_pairs_weigh_every_group_alike(tiny):
    external = tiny.pairs_of("external", method="matched")
    weights = pair_weights(external, tiny.features["train"])
    groups = sorted(set(zip(external.labels.tolist(), external.own_codes.tolist(), strict=True)))
    totals = [weights[(external.labels == y) & (external.own_codes == a)].sum() for y, a in groups]
    assert totals == pytest.approx([1 / len(groups)] * len(groups))


def test_drawn_pairs_weigh_a_class_as_much_as_training_does(tiny):
    train, external = tiny.features["train"], tiny.pairs["external"]
    some = external.subset(
        np.concatenate([np.flatnonzero(external.labels != 1), np.flatnonzero(external.labels == 1)[:3]])
    )
    weights = pair_weights(some, train)
    for label in range(3):
        assert weights[some.labels == label].sum() == pytest.approx((train.labels == label).mean())


def test_more_pairs_of_one_group_do_not_count_more(tiny):
    external = tiny.pairs_of("external", method="matched")
    once = UnlearningInputs(**{**vars(tiny.inputs), "bias": fmd.CounterfactualBias(external)})
    group = (external.labels == 0) & (external.own_codes == 0)
    doubled = external.subset(np.concatenate([np.arange(len(external)), np.flatnonzero(group)]))
    twice = UnlearningInputs(**{**vars(tiny.inputs), "bias": fmd.CounterfactualBias(doubled)})
    heads = [unlearn(tiny.head, given, strength=0.1).head for given in (once, twice)]
    assert group.any()
    np.testing.assert_allclose(heads[0].theta, heads[1].theta, atol=1e-4)


def test_replacing_skips_samples_without_a_twin(tiny):
    keep = np.arange(0, len(tiny.pairs["train"]), 2)
    some = UnlearningInputs(**{**vars(tiny.inputs), "train_pairs": (tiny.pairs["train"].subset(keep),)})
    worst = tiny.inputs.scores.most_harmful(40)
    found = unlearn(tiny.head, some, strategy="paper-replace", k=40, strength=1.0)
    with_twin = worst[np.isin(worst, keep)]
    train, twins = (
        tiny.features["train"].subset(with_twin),
        tiny.pairs["train"].subset(with_twin).counterparts,
    )
    share = np.full(len(with_twin), 1 / len(tiny.features["train"]))
    gradient = tiny.head.loss_gradient(train.features, train.labels, share) - tiny.head.loss_gradient(
        twins.features, twins.labels, share
    )
    step = found.head.theta - tiny.head.theta
    np.testing.assert_allclose(step, found.step_share * tiny.curvature.solve(gradient), rtol=1e-6)


def test_the_guard_takes_the_placebo_off(tiny, matched):
    placebo = placebo_pairs(tiny.dataset, everyone(tiny), "mark", tiny.head)
    guard = fmd.Guard(everyone(tiny), fmd.CounterfactualBias(matched, placebo))
    assert guard.bias.value(tiny.head) == pytest.approx(
        fmd.counterfactual_bias(tiny.head, matched) - fmd.counterfactual_bias(tiny.head, placebo)
    )


def test_a_comparison_judges_by_the_excess(tiny, matched):
    placebo = placebo_pairs(tiny.dataset, everyone(tiny), "mark", tiny.head)
    after = tiny.head.moved(np.linspace(-0.2, 0.2, tiny.head.n_parameters))
    found = fmd.compare(tiny.head, after, tiny.dataset, everyone(tiny), matched, placebo)
    assert found.judged is found.excess
    assert found.excess.before.value == pytest.approx(placebo_report(tiny, matched).excess.value)
    assert all(change.name == "accuracy" for change in found.groups)
    assert fmd.compare(tiny.head, after, tiny.dataset, everyone(tiny), matched).excess is None


def test_the_report_tells_placebo_and_excess(tiny, matched):
    placebo = placebo_pairs(tiny.dataset, everyone(tiny), "mark", tiny.head)
    audit = fmd.audit_bias(tiny.head, tiny.dataset, everyone(tiny), [matched], {"mark": placebo})
    dataset = replace(tiny.dataset, pair_method="matched", notes=("3 rows skipped.",), shareable=False)
    evidence = fmd.Evidence(dataset, tiny.classifier, audit, 0.1, tiny.scores, 5)
    found = json_values(fmd.build_report(evidence))["found"]["attributes"][0]
    assert found["excess"]["value"] == audit.attributes[0].excess.value
    page = fmd.render_report(evidence)
    assert "Beyond the placebo" in page
    assert f"{100 * audit.attributes[0].excess.value:.1f}" in page
    assert "3 rows skipped." in page
    assert "does not let them be handed on" in page
    assert "data:image" not in page
