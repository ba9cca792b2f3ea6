"""Charts draw the figures that they are given, and nothing that is not known."""

import numpy as np
import pytest

from app import charts
from app.charts import Bar, CurvePoint
from fmd_core import Estimate

KNOWN = Estimate(0.5, 0.4, 0.7, 100)


def test_bars_are_in_percent_with_whiskers_to_the_interval():
    trace = charts.bars([Bar("a", KNOWN)], axis="points").data[0]
    assert trace.x == (50.0,)
    assert trace.error_x.array == pytest.approx([20.0])
    assert trace.error_x.arrayminus == pytest.approx([10.0])


def test_an_unknown_figure_gets_no_bar():
    trace = charts.bars([Bar("a", KNOWN), Bar("b", Estimate.unknown(7))], axis="points").data[0]
    assert trace.y == ("a",)


def test_the_limit_is_drawn_where_it_is():
    figure = charts.bars([Bar("a", KNOWN)], axis="points", limit=0.12)
    assert figure.layout.shapes[0].x0 == pytest.approx(12)
    assert figure.layout.annotations[0].text == "limit 12"
    assert not charts.bars([Bar("a", KNOWN)], axis="points").layout.shapes


def test_signed_bars_leave_room_below_zero():
    below = Estimate(-0.3, -0.5, -0.1, 100)
    assert charts.bars([Bar("a", below)], axis="points", signed=True).layout.xaxis.range[0] < -50


def test_the_curve_marks_suggestion_choice_and_refused_strengths():
    points = [CurvePoint(60, 40, "0", admitted=True), CurvePoint(5, 75, "1", admitted=False)]
    figure = charts.trade_off(points, [], points[1], points[0])
    blends, jump, curve, full, suggested, chosen = figure.data
    assert (jump.x, jump.line.dash, curve.x) == ((60, 5), "dot", (5,))
    assert (blends.x, full.x) == ((), (60, 5))
    assert full.marker.symbol == ("circle", "circle-open")
    assert (suggested.x, suggested.y) == ((5,), (75,))
    assert (chosen.x, chosen.y) == ((60,), (40,))


def test_before_and_after_stand_side_by_side():
    figure = charts.before_after(["Bias"], [KNOWN], [Estimate(0.1, 0.0, 0.2, 100)])
    assert [(t.name, t.x) for t in figure.data] == [("before", (50.0,)), ("after", (10.0,))]


def test_confusion_shows_counts_and_hides_zeros():
    trace = charts.confusion(np.array([[3, 0], [1, 2]]), ["a", "b"], top=9).data[0]
    assert [list(row) for row in trace.text] == [["3", ""], ["1", "2"]]
    assert (trace.zmin, trace.zmax) == (0, 9)
