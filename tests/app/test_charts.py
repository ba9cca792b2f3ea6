"""Charts draw the figures that they are given, and nothing that is not known."""

import numpy as np
import pytest

from app.view_models import charts
from app.view_models.charts import Bar, CurvePoint
from app.view_models.charts.curves import CURVE_HEIGHT
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


def test_each_row_has_a_mark_at_its_own_limit():
    rows = [Bar("a", KNOWN, limit=0.1), Bar("b", KNOWN, limit=0.9), Bar("c", KNOWN)]
    figure = charts.bars(rows, axis="points")
    marks = figure.data[1]
    assert (marks.x, marks.y) == (pytest.approx((10, 90)), ("a", "b"))
    assert figure.layout.xaxis.range[1] > 90
    assert len(charts.bars([Bar("c", KNOWN)], axis="points").data) == 1


def test_signed_bars_leave_room_below_zero():
    below = Estimate(-0.3, -0.5, -0.1, 100)
    assert charts.bars([Bar("a", below)], axis="points", signed=True).layout.xaxis.range[0] < -50


def test_signed_bars_use_the_whole_width_however_small_the_change():
    below = Estimate(-0.003, -0.006, 0.0, 100)
    low, high = charts.bars([Bar("a", below)], axis="points", signed=True).layout.xaxis.range
    assert low == pytest.approx(-0.648)
    assert high == pytest.approx(0.048)
    none = Estimate(0.0, 0.0, 0.0, 100)
    assert charts.bars([Bar("a", none)], axis="points", signed=True).layout.xaxis.range == (-1, 1)
    assert charts.bars([Bar("a", none)], axis="points").layout.xaxis.range == pytest.approx((0, 10.8))


def test_long_names_go_on_in_a_second_line():
    names = ["Right, against the pattern", "Bias"]
    for figure in (
        charts.bars([Bar(name, KNOWN) for name in names], axis="points"),
        charts.readings(names, [KNOWN] * 2, [KNOWN] * 2, [0.5] * 2),
        charts.predicted_measured(names, [KNOWN] * 2, [KNOWN] * 2),
    ):
        assert figure.layout.yaxis.tickvals == tuple(names)
        assert figure.layout.yaxis.ticktext == ("Right, against the<br>pattern", "Bias")


def test_titles_of_axes_fit_a_telephone():
    titles = [
        charts.readings(["a"], [KNOWN], [KNOWN], [0.5]).layout.xaxis.title.text,
    ]
    assert max(map(len, titles)) <= 32


def test_the_curve_marks_suggestion_choice_and_refused_strengths():
    points = [CurvePoint(60, 40, "0", admitted=True), CurvePoint(5, 75, "1", admitted=False)]
    scene = charts.trade_off(points, [], points[1])
    blends, jump, curve, full, suggested = scene.figure.data
    assert (jump.x, jump.line.dash, curve.x) == ((60, 5), "dot", (5,))
    assert (blends.x, full.x) == ((), (60, 5))
    assert full.marker.symbol == ("circle", "circle-open")
    assert (suggested.x, suggested.y) == ((5,), (75,))
    assert (scene.figure.layout.xaxis.range, scene.figure.layout.yaxis.range) == (scene.x, scene.y)


def test_a_point_s_place_over_the_curve():
    low, high = CurvePoint(50, 40, "0", admitted=True), CurvePoint(0, 75, "1", admitted=True)
    scene = charts.trade_off([low, high], [], high)
    inner = CURVE_HEIGHT - charts.CURVE_MARGIN["t"] - charts.CURVE_MARGIN["b"]
    right, down = scene.place(low)
    assert right == pytest.approx(1 / 1.06)
    assert down == pytest.approx(charts.CURVE_MARGIN["t"] + inner * 1.08 / 1.16)
    assert scene.place(high) == pytest.approx((0, charts.CURVE_MARGIN["t"] + inner * 0.08 / 1.16))
    below = CurvePoint(-2, 75, "2", admitted=True)  # less than between placebo twins
    assert charts.trade_off([low, below], [], below).place(below)[0] == pytest.approx(0.12 / (53 + 2.12))
    one = charts.trade_off([high], [], high)  # a path of the original alone still has axes
    assert one.place(high)[1] == pytest.approx(charts.CURVE_MARGIN["t"] + inner / 2)


def test_confusion_shows_counts_and_hides_zeros():
    trace = charts.confusion(np.array([[3, 0], [1, 2]]), ["a", "b"], top=9).data[0]
    assert [list(row) for row in trace.text] == [["3", ""], ["1", "2"]]
    assert (trace.zmin, trace.zmax) == (0, 9)
