"""Heads that are asked the same again and again: fewer products, the same answers."""

import numpy as np
import pytest

from fmd_core import LinearHead, judge, judge_path, solve_path
from fmd_core.heads import answering
from fmd_core.heads.answering import Between, Rays
from fmd_core.heads.softmax import most_likely
from fmd_core.heads.two_layer import MLPHead


@pytest.fixture
def three():
    """Two linear heads and the one three tenths of the way between them, with features."""
    rng = np.random.default_rng(0)
    first = LinearHead(rng.standard_normal((4, 6)), rng.standard_normal(4))
    last = first.moved(rng.standard_normal(first.n_parameters))
    share = first.moved(0.3 * (last.theta - first.theta))
    return first, last, share, rng.standard_normal((50, 6)).astype("float32")


def test_a_blend_is_the_blend_of_the_tables(three, monkeypatch):
    first, last, blend, x = three
    rays = Rays(first)
    ends = rays.told(first), rays.told(last)
    expected = blend.probabilities(x)
    for end, head in zip(ends, (first, last), strict=True):
        assert np.array_equal(end.probabilities(x), head.probabilities(x))
    monkeypatch.setattr(LinearHead, "logits", None)  # nobody multiplies by features again
    told = rays.told(blend, 0.3)
    assert isinstance(told, Between)
    assert np.abs(told.probabilities(x) - expected).max() < 1e-6
    assert told.probabilities(x) is told.probabilities(x)


@pytest.mark.parametrize("together", [1, 3, 100], ids=["each alone", "three at a time", "all"])
def test_heads_of_a_path_share_a_product_and_answer_what_each_does_alone(three, monkeypatch, together):
    first, _, _, x = three
    rng = np.random.default_rng(2)
    path = [first, *(first.moved(rng.standard_normal(first.n_parameters)) for _ in range(7))]
    other = LinearHead(rng.standard_normal((3, 6)), rng.standard_normal(3))
    expected = [[head.probabilities(features) for features in (x, x + 1)] for head in (*path, other)]
    asked, logits = [], LinearHead.logits
    monkeypatch.setattr(LinearHead, "logits", lambda head, x: asked.append(1) or logits(head, x))
    monkeypatch.setattr(answering, "TOGETHER_BYTES", together * len(x) * 4 * x.itemsize)
    rays, features = Rays(first, [*path, other]), (x, x + 1)
    for head, wanted in zip((*path, other), expected, strict=True):
        told = rays.told(head)
        for some, alone in zip(features, wanted, strict=True):
            assert np.abs(told.probabilities(some) - alone).max() < 1e-6
    products = 1 + -(-7 // together) + 1  # the original, the solutions, and the one of another shape
    assert len(asked) == 2 * products
    again = rays.told(path[1])  # behind those that are held
    assert np.abs(again.probabilities(x) - expected[1][0]).max() < 1e-6


def test_the_likeliest_class_is_the_one_that_argmax_names():
    rng = np.random.default_rng(0)
    for classes in (1, 2, 3, 10, 63, 64, 100):
        table = rng.integers(0, 4, (200, classes)).astype("float32")  # with ties
        for ordered in (table, np.asfortranarray(table)):
            assert np.array_equal(most_likely(ordered), table.argmax(axis=1))
    broken = np.array([[0.2, np.nan], [0.1, 0.9], [np.inf, np.nan]])
    assert np.array_equal(most_likely(broken), broken.argmax(axis=1))
    assert most_likely(np.empty((0, 2))).shape == (0,)


def test_others_at_the_same_place_in_memory_get_answers_of_their_own(three):
    """What was let go leaves its place to what is made next."""
    first, _, _, x = three
    told = Rays(first).told(first)
    for step in range(20):
        assert np.array_equal(told.probabilities(x + step), first.probabilities(x + step))


def test_who_does_not_lie_on_the_line_is_asked_itself(three):
    first, last, blend, x = three
    rays = Rays(first)
    rays.told(last)
    for head, share in ((blend, 0.31), (LinearHead(blend.weight + 1e-6, blend.bias), 0.3)):
        told = rays.told(head, share)
        assert not isinstance(told, Between)
        assert np.array_equal(told.probabilities(x), head.probabilities(x))


def test_a_head_with_a_hidden_layer_has_no_line(three):
    rng = np.random.default_rng(1)
    first = MLPHead(rng.standard_normal((6, 6)), rng.standard_normal(6), three[0])
    last = first.moved(rng.standard_normal(first.n_parameters))
    half = first.moved(0.5 * (last.theta - first.theta))
    rays, x = Rays(first), three[3]
    rays.told(last)
    assert np.array_equal(rays.told(half, 0.5).probabilities(x), half.probabilities(x))


def test_a_path_is_judged_from_the_tables_of_its_solutions(tiny, monkeypatch):
    results, guard = solve_path(tiny.head, tiny.inputs), tiny.guard
    alone = [judge(tiny.head, result, guard) for result in results]
    asked, logits = [], LinearHead.logits
    monkeypatch.setattr(LinearHead, "logits", lambda head, x: asked.append(id(head)) or logits(head, x))
    path = judge_path(results, guard)
    assert len(path.points) == 11
    assert (
        len(asked) == 3 * 2
    )  # validation people and both sides of their twins: the original, and all solutions
    found = {id(point.result): point for point in (*path.points, *path.blends)}
    for one in alone:
        point = found[id(one.result)]
        assert (point.accuracy, point.decided, point.changed) == (one.accuracy, one.decided, one.changed)
        assert point.refusal == one.refusal
        assert point.bias == pytest.approx(one.bias, abs=1e-7)
