"""The bias-accuracy curve of a path, with a ring around the visitor's choice.

A chart is drawn anew in the browser whenever anything in it changes: Streamlit tells charts apart by their content.
The ring is all that a move of the slider changes, so it lies over the chart as an element of its own, which goes with
the slider by itself, and the curve stays where it is.
"""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd
import streamlit as st

from app.session import memory
from app.view_models import charts, glossary
from app.view_models.unlearn import Axis, CurveView
from app.widgets import components, figure_tools, panels
from app.widgets.following import FOLLOW_JS

STAGE = "trade_off_stage"
STRENGTHS = "strengths (hollow: refused)"
_SIZE = 22  # pixels, of the ring
_STAR = "50% 0, 61% 35%, 98% 35%, 68% 57%, 79% 91%, 50% 70%, 21% 91%, 32% 57%, 2% 35%, 39% 35%"
_MARKS = {  # side in pixels and look: pages let no drawing through, but styles
    "part of the way": (6, f"border-radius: 50%; background: {charts.NEUTRAL}; opacity: .6"),
    STRENGTHS: (10, f"border-radius: 50%; background: {charts.ACCENT}"),
    "our suggestion": (17, f"background: {charts.FLAG}; clip-path: polygon({_STAR})"),
    "your choice": (15, f"border-radius: 50%; border: 3px solid {charts.LIMIT}"),
}
STYLE = f"""<style>
.st-key-{STAGE} {{ position: relative; }}
.st-key-{STAGE} > [data-testid=stElementContainer]:has(.fmd-ring) {{ position: absolute; inset: 0; width: 100%;
  pointer-events: none; }}
.fmd-ring {{ position: absolute; width: {_SIZE}px; height: {_SIZE}px; box-sizing: border-box; border-radius: 50%;
  border: 3px solid {charts.LIMIT}; transform: translate(-50%, -50%); }}
.fmd-legend {{ display: flex; flex-wrap: wrap; gap: 2px 20px; font-size: 13px; }}
.fmd-legend span {{ display: flex; align-items: center; gap: 7px; }}
.fmd-legend i {{ box-sizing: border-box; }}
</style>"""
_RING_JS = (
    FOLLOW_JS
    + """
export default function ({ data, parentElement }) {
  const ring = parentElement.querySelector('.fmd-ring');
  return follow(parentElement, data.slider, (stop) => {
    const place = data.places[stop];
    if (!place) return false;
    [ring.style.left, ring.style.top] = place;
    ring.hidden = false;
    return true;
  });
}
"""
)
_ring = st.components.v2.component(
    "fmd_ring",
    html="<div class='fmd-ring' aria-hidden='true' hidden></div>",
    js=_RING_JS,
    isolate_styles=False,
)


def choose_axis(named: dict[Axis, str]) -> Axis:
    """What lies across: bias, flips, or who is served worst."""
    memory.keep_within("axis", tuple(named))
    st.segmented_control(
        "Across", list(named), format_func=named.__getitem__, key="axis", required=True, label_visibility="collapsed",
        help=glossary.tip("Decision flip", "Our suggestion"),
    )  # fmt: skip
    return next(axis for axis in named if axis == memory.chosen("axis"))


def draw(view: CurveView, table: Callable[[], pd.DataFrame], *, slider: str, large: str = STRENGTHS) -> None:
    """Legend, curve, the ring where the slider in the container `slider` stands, the sentence that sums them up, and a
    table that is made when it is opened. `large` says what the large points are."""
    scene = charts.trade_off(view.full, view.blends, view.suggested, view.axis)
    with st.container(key=STAGE):
        st.plotly_chart(scene.figure, key="trade_off", config=charts.CONFIG, alt=view.summary)
        places = {stop: _place(*scene.place(point)) for stop, point in view.stops.items()}
        _ring(key="ring", data={"places": places, "slider": slider})
    st.html(STYLE + _legend(large))
    figure_tools.caption(view.judges, "trade_off", "Bias and accuracy", help=components.plain(view.summary))
    panels.folded_table(table, view.summary, key="curve")


def _place(right: float, down: float) -> tuple[str, str]:
    """Left and top as styles: a share of the plot's width, and pixels from the top of the chart."""
    edge = charts.CURVE_MARGIN
    return f"calc({edge['l']}px + {right:.4f} * (100% - {edge['l'] + edge['r']}px))", f"{down:.1f}px"


def _legend(large: str) -> str:
    """What the marks mean; hidden from screen readers, who have the table."""
    items = (
        f"<span><i style='width: {side}px; height: {side}px; {look}'></i>{large if name == STRENGTHS else name}</span>"
        for name, (side, look) in _MARKS.items()
    )
    return f"<div class='fmd-legend' aria-hidden='true'>{''.join(items)}</div>"
