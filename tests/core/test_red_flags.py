"""Every group and pair of groups at once."""

from dataclasses import replace
from itertools import combinations
from statistics import NormalDist

import numpy as np
import pytest
from scipy.stats import false_discovery_control

from fmd_core import Column, Estimate, RedFlag, figures, red_flags
from fmd_core.measure.bias_functions import predictions
from tests.core.test_comparison import members


@pytest.fixture
def flags(tiny):
    return red_flags(tiny.head, tiny.dataset, tiny.features["test"])


def test_every_level_and_every_pair_of_levels_is_looked_at(tiny, flags):
    people, columns = tiny.features["test"], tuple(tiny.dataset.attributes.values())
    names = [f"{c.name}: {level}" for c in columns for level in c.levels]
    names += [
        f"{a.name}: {x}, {b.name}: {y}"
        for a, b in combinations(columns, 2)
        for x in a.levels
        for y in b.levels
    ]
    sizes = {name: int(members(tiny, people, name).sum()) for name in names}
    assert {f.group: f.accuracy.n for f in flags} == {name: n for name, n in sizes.items() if n}
    assert sum(f.accuracy.value is None for f in flags) == sum(0 < n < 30 for n in sizes.values()) > 0


def test_figures_recomputed_by_mask(tiny, flags):
    people = tiny.features["test"]
    right = predictions(tiny.head, people.features) == people.labels
    known, raw = [f for f in flags if f.adjusted_p is not None], []
    for flag in known:
        mask = members(tiny, people, flag.group)
        gap = right[mask].mean() - right[~mask].mean()
        assert flag.gap.value == pytest.approx(gap)
        assert flag.gap.low < gap < flag.gap.high
        p = right.mean()
        raw.append(
            2 * NormalDist().cdf(-abs(gap) / np.sqrt(p * (1 - p) * (1 / mask.sum() + 1 / (~mask).sum())))
        )
    np.testing.assert_allclose([f.adjusted_p for f in known], false_discovery_control(raw))


def test_too_few_people_is_an_answer_and_stands_last(flags):
    last = [f for f in flags if f.gap.value is None]
    assert last
    assert tuple(flags[-len(last) :]) == tuple(last)
    assert all("not enough people to say" in f.accuracy.problem for f in last if f.accuracy.n < 30)


def test_a_model_that_fails_one_group_is_flagged_for_it(tiny):
    people, rng = tiny.features["test"], np.random.default_rng(0)
    right = predictions(tiny.head, people.features) == people.labels
    lucky = np.ones(len(tiny.dataset), int)
    lucky[people.rows] = np.where(rng.random(len(right)) < 0.2, ~right, right)
    luck = Column("luck", lucky, ("bad", "good"))
    data = replace(tiny.dataset, attributes={**tiny.dataset.attributes, "luck": luck})
    found = red_flags(tiny.head, data, people)
    flagged = [f for f in found if f.is_flag]
    assert any(f.group == "luck: bad" for f in flagged)
    assert all("luck: bad" in f.group and f.gap.value < 0 for f in flagged)
    assert found[0] in flagged
    assert [f.is_flag for f in found] == sorted((f.is_flag for f in found), reverse=True)
    called = replace(data, phrases={"luck": {"bad": "{} out of luck"}})
    named = red_flags(tiny.head, called, people)
    assert next(f.who for f in named if f.group == "luck: bad") == f"{figures.many(data.unit)} out of luck"


@pytest.mark.parametrize(
    ("gap", "p", "verdict"),
    [
        (0.054, 0.0005, "served better"),
        (-0.054, 0.0005, "served worse"),
        (0.054, 0.2, "within chance"),
        (-0.054, 0.05, "within chance"),
        (0.0, 0.01, "within chance"),
        (None, None, "cannot be said"),
    ],
)
def test_the_verdict_on_a_group_has_two_sides(gap, p, verdict):
    estimate = Estimate.unknown(7) if gap is None else Estimate(gap, gap - 0.013, gap + 0.013, 450)
    flag = RedFlag(("male",), "male: male", Estimate(0.9, 0.8, 0.95, 450), estimate, p)
    assert flag.verdict == verdict
    assert flag.is_flag == (verdict == "served worse")


def test_the_interval_covers_what_it_should():
    """Newcombe (1998): 95 % of intervals hold the true difference."""
    from fmd_core.measure.red_flags import _measure

    rng, held = np.random.default_rng(0), 0
    mask = np.arange(200) < 50
    for _ in range(1000):
        right = rng.random(200) < np.where(mask, 0.8, 0.9)
        gap = _measure(right, mask)[1]
        held += gap.low <= -0.1 <= gap.high
    assert 0.93 < held / 1000 < 0.98
