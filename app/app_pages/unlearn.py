"""Take the bias out: strengths, the guard, before and after, undo."""

import streamlit as st

from app import cache, charts, components, gallery, panels, state
from app.unlearn_controls import choose, history_panel
from app.view_models import unlearn

NAME = state.DATASET


@components.fragment
def conversation() -> None:
    """The slider and everything that it moves."""
    top = st.container()
    left, right = st.columns([2, 3], gap="large")
    with left, st.spinner("Trying every strength"):
        path, choice, recipe = choose(NAME, state.attribute())
    comparison = cache.comparison(recipe)
    curve, result = unlearn.build_curve(path, choice), unlearn.build_result(cache.dataset(NAME), comparison)
    with top:
        components.header("Unlearn · against the original model", result.headline, result.who_pays)
        with st.container(key="cards"):
            for card in result.cards:
                st.metric(card.label, card.value, card.delta, delta_color=card.better_when, border=True)
    with left:
        if curve.warning:
            st.warning(curve.warning)
        st.caption(f"Our suggestion: {curve.reason}")
    with right:
        figure = charts.trade_off(curve.full, curve.blends, curve.suggested, curve.chosen)
        st.plotly_chart(figure, key="trade_off", config=charts.CONFIG, alt=curve.summary)
        st.caption(curve.summary)
        with st.expander("The same as a table"):
            st.table(curve.table, border="horizontal", hide_index=True, alt=curve.summary)
    history_panel(recipe)
    if comparison.verdict == "unchanged":
        st.info("Move the strength, or go to our suggestion, and see before and after here.")
    else:
        evidence(result)


def evidence(result: unlearn.ResultView) -> None:
    """Before and after on people who took no part."""
    st.header("Before and after, on held-out people", anchor=False)
    figure = charts.before_after(result.labels, result.before, result.after)
    panels.chart(figure, result.summary, result.table, key="before_after")
    st.header("Who pays?", anchor=False)
    st.caption(
        "Every class, every attribute value, and the usual against the unusual; the largest loss first."
    )
    st.dataframe(result.groups, hide_index=True, alt="Accuracy by group before and after")
    st.header("Which answers are mixed up", anchor=False)
    for column, counts, summary, key in zip(
        st.columns(2, gap="large"),
        result.confusions,
        result.confusion_summaries,
        ("before", "after"),
        strict=True,
    ):
        with column:
            figure = charts.confusion(counts, result.classes, result.confusion_top)
            st.plotly_chart(figure, key=f"confusion_{key}", config=charts.CONFIG, alt=summary)
            st.caption(summary)
            with st.expander("The same as a table"):
                st.dataframe(counts, alt=summary)
    st.header("Whose answer changed", anchor=False)
    st.write(result.examples_summary)
    tiles = [
        gallery.Tile(
            e.row,
            (gallery.Picture(cache.thumbnail(NAME, e.row), f"A held-out {e.truth}, {e.outcome}"),),
            f"{e.before} → {e.after}",
            e.outcome,
        )
        for e in result.examples
    ]
    gallery.show(tiles, key="changed", label="People whose answer changed", size="ten")


conversation()
components.next_step("app_pages/report.py", "Write the report")
