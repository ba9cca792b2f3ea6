"""Who gains and who pays as lines: who is drawn, who is named, and what the sentence says of them."""

from dataclasses import replace

import pytest

import fmd_core as fmd
from fmd_core.measure.slopes import choose_slopes, moved


@pytest.fixture(scope="module")
def found(demo):
    return demo.comparison


def change_of(group, difference, after, p_value, **properties):
    n, before = 60, after - difference
    return replace(
        group, called=properties.pop("called"), properties=tuple(properties.items()), p_value=p_value,
        before=fmd.Estimate(before, before - 0.05, before + 0.05, n),
        after=fmd.Estimate(after, after - 0.05, after + 0.05, n),
        difference=fmd.Estimate(difference, difference - 0.05, difference + 0.05, n),
    )  # fmt: skip


def test_named_are_who_gained_most_and_who_is_served_worst(found):
    slopes = choose_slopes(found)
    named = {line.role: line.change for line in slopes.lines if line.role}
    assert named["gains"].who == found.gainers[0].who
    afters = [line.change.after.value for line in slopes.lines]
    assert afters == sorted(afters)
    assert named["worst"] is slopes.lines[0].change
    assert "pays" not in named
    assert f"{named['gains'].who} ({moved(named['gains'])} %) gain most; nobody pays" in slopes.summary


def test_who_pays_is_named_though_only_those_who_share_two_properties_do(found):
    payer = change_of(found.groups[0], -0.2, 0.3, 0.001, called="blond men", sex="male", hair="blond")
    slopes = choose_slopes(replace(found, intersections=(payer,), cells=(payer,)))
    assert slopes.of("pays").change is payer
    assert sum(line.change.who == "blond men" for line in slopes.lines) == 1
    assert "blond men (50 → 30 %) pay most" in slopes.summary


def test_a_loss_by_chance_is_named_nowhere_as_one(found):
    lucky = change_of(found.groups[0], -0.2, 0.9, 0.4, called="blond men", sex="male")
    slopes = choose_slopes(replace(found, groups=(lucky,), intersections=(), cells=()))
    assert slopes.of("pays") is None
    assert "nobody pays beyond chance" in slopes.summary
    assert slopes.judged == 1


def test_of_nobody_nothing_is_said(found):
    unknown = replace(
        found.groups[0], before=fmd.Estimate.unknown(7), after=fmd.Estimate.unknown(7),
        difference=fmd.Estimate.unknown(7), p_value=None,
    )  # fmt: skip
    slopes = choose_slopes(replace(found, groups=(unknown,), intersections=(), cells=()))
    assert slopes.lines == ()
    assert slopes.summary == "No group has enough people to say whether it gains or pays."
