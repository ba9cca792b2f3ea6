"""Values to plotly figures. Text and whiskers take the colour of the page's text (see
assets/app.css), so that they follow light and dark; the few colours set here suit both.

Figures are written as plotly's own JSON and checked once per content, by `go.Figure`: building
them by `add_` and `update_` calls checks at every call and takes ten times as long (measured).

    drawing    what all share: colours, sizes, axes
    estimates  bars with whiskers
    curves     lines and points
    amounts    bars without an interval
    cells      coloured cells
"""

from app.view_models.charts.amounts import Step, contributions, waterfall
from app.view_models.charts.cells import confusion, heat_table
from app.view_models.charts.curves import (
    CURVE_MARGIN,
    CurvePoint,
    along_the_way,
    frontier,
    losses,
    spectrum,
    trade_off,
)
from app.view_models.charts.drawing import ACCENT, CONFIG, FLAG, LIMIT, NEUTRAL
from app.view_models.charts.estimates import Bar, BarChart, bars, predicted_measured, readings

__all__ = [
    "ACCENT",
    "CONFIG",
    "CURVE_MARGIN",
    "FLAG",
    "LIMIT",
    "NEUTRAL",
    "Bar",
    "BarChart",
    "CurvePoint",
    "Step",
    "along_the_way",
    "bars",
    "confusion",
    "contributions",
    "frontier",
    "heat_table",
    "losses",
    "predicted_measured",
    "readings",
    "spectrum",
    "trade_off",
    "waterfall",
]
