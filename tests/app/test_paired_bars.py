"""Paired bars: what the browser is sent, and what hovering says."""

import pytest

from app.widgets import figure_tools, paired_bars
from fmd_core.intervals import Estimate


@pytest.fixture
def sent(monkeypatch):
    found = []
    monkeypatch.setattr(paired_bars, "_component", lambda *, key, data: found.append(data))  # noqa: ARG005
    monkeypatch.setattr(figure_tools, "caption", lambda *_, **__: None)
    return found


def draw(*estimates, names=("before", "after")):
    paired_bars.picture(
        ["Bias"], [estimates], names=names, axis="percent", summary="In a sentence.", key="bars"
    )


def test_a_pair_stands_side_by_side_with_intervals_and_people(sent):
    draw(Estimate(0.5, 0.4, 0.6, 1200), Estimate(0.1, 0.0, 0.2, 100))
    assert (sent[0]["names"], sent[0]["label"]) == (["before", "after"], "In a sentence.")
    (row,) = sent[0]["rows"]
    assert row["label"] == "Bias"
    assert [(bar["value"], bar["low"], bar["high"]) for bar in row["bars"]] == [(50, 40, 60), (10, 0, 20)]
    assert [bar["said"] for bar in row["bars"]] == [
        "Bias, before: 50.0 (40.0 to 60.0), n = 1,200",
        "Bias, after: 10.0 (0.0 to 20.0), n = 100",
    ]


def test_what_is_not_known_has_no_bar_and_says_why(sent):
    draw(Estimate.unknown(3), Estimate(0.1, 0.1, 0.1, 100))
    unknown, exact = sent[0]["rows"][0]["bars"]
    assert (unknown["value"], unknown["low"], unknown["high"]) == (None, None, None)
    assert unknown["said"] == "Bias, before: not enough people to say (n = 3)"
    assert exact["low"] == exact["high"]  # no whisker


def test_names_that_somebody_gave_fit_the_legend_and_do_not_turn_it(sent):
    draw(Estimate.unknown(0), Estimate.unknown(0), names=("a" * 90, "\u202eevil"))
    assert len(sent[0]["names"][0]) <= paired_bars.LONGEST_NAME
    assert sent[0]["names"][1] == "evil"
