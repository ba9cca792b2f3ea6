"""The simpler fixes that a variant is held against."""

import numpy as np
import pytest

from fmd_core import DataError, counterfactual_bias, rival_heads
from fmd_core.influence.removal import refit_without
from fmd_core.unlearn.baselines import BaselineInputs, find_baseline, refit_on_pairs, refits_on_pairs
from fmd_core.unlearn.rivals import RANDOM_SEED, default_k


def rivals_of(problem, k=100):
    guards = problem.features["validation"]
    levels = problem.dataset.attribute(problem.attribute).codes[guards.rows]
    return rival_heads(
        problem.head, problem.features["train"], problem.scores, [problem.pairs["external"]], guards, levels,
        k=k, damping=problem.damping,
    )  # fmt: skip


def test_each_rival_is_what_its_name_says(demo):
    found = {rival.name: rival for rival in rivals_of(demo)}
    assert list(found) == ["without harmful", "without random", "refit on twins", "thresholds moved"]
    train = demo.features["train"]
    expected = {
        "without harmful": demo.scores.most_harmful(100),
        "without random": np.random.default_rng(RANDOM_SEED).choice(len(train), 100, replace=False),
    }
    for name, members in expected.items():
        alone = refit_without(demo.head, train, members, damping=demo.damping)
        assert found[name].head.fingerprint == alone.fingerprint
        assert found[name].k == 100
    assert found["refit on twins"].k == len(demo.pairs["external"])


def test_moved_thresholds_change_no_weight_and_answer_a_rare_class_sooner(demo):
    labels = demo.features["train"].labels
    rare = np.concatenate([np.flatnonzero(labels == 8)[:5], np.flatnonzero(labels != 8)])
    few = demo.features["train"].subset(rare)
    moved = find_baseline("thresholds moved").fitted(
        BaselineInputs(demo.head, few, [demo.pairs["external"]], 0, demo.damping)
    )
    people, answered = demo.features["validation"].features, []
    for head in moved.heads:
        np.testing.assert_array_equal(head.last.weight, demo.head.last.weight)
        answered.append(int((head.probabilities(people).argmax(axis=1) == 8).sum()))
    assert next(iter(moved.heads)).fingerprint == demo.head.fingerprint
    assert answered == sorted(answered)
    assert answered[-1] > answered[0]


def test_harmful_samples_matter_more_than_random_ones(demo):
    before = counterfactual_bias(demo.head, demo.pairs["test"])
    left = {r.name: counterfactual_bias(r.head, demo.pairs["test"]) for r in rivals_of(demo)}
    assert left["without harmful"] < before - 0.02 < left["without random"]
    assert left["refit on twins"] < before / 2


def test_leaving_everybody_out_is_refused(tiny):
    with pytest.raises(DataError, match="leave no example"):
        rivals_of(tiny, k=len(tiny.features["train"]))


@pytest.mark.parametrize(("n", "k"), [(95, 9), (1000, 100), (20_000, 100)])
def test_a_tenth_goes_but_no_more_than_a_hundred(n, k):
    assert default_k(n) == k


def test_the_refit_is_the_one_that_serves_every_group_most_evenly(demo):
    guards = demo.features["validation"]
    levels = demo.dataset.attribute("colour").codes[guards.rows]

    def evenness(head):
        right = head.probabilities(guards.features).argmax(axis=1) == guards.labels
        groups = sorted(set(zip(guards.labels.tolist(), levels.tolist(), strict=True)))
        return np.mean([right[(guards.labels == y) & (levels == a)].mean() for y, a in groups])

    tried = [evenness(head) for head, _ in refits_on_pairs(demo.head, [demo.pairs["external"]])]
    chosen = next(r.head for r in rivals_of(demo) if r.name == "refit on twins")
    assert len(set(tried)) > 1
    assert evenness(chosen) == max(tried) > tried[0]


def test_the_same_twins_twice_are_the_same_refit(tiny):
    once, twice = (refit_on_pairs(tiny.head, [tiny.pairs["external"]] * n, damping=1e-2) for n in (1, 2))
    np.testing.assert_allclose(once.theta, twice.theta, atol=1e-5)
