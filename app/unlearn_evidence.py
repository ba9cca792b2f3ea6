"""Before and after on people who took no part: the lower half of the Unlearn page."""

from __future__ import annotations

import streamlit as st

import fmd_core as fmd
from app import cache, charts, components, gallery, glossary, panels, portraits
from app.review import Review
from app.variants import Variant
from app.view_models import proof
from app.view_models.unlearn import BEFORE_AFTER, ResultView
from fmd_core.proof import default_k


def did_it_work(review: Review, variant: Variant, comparison: fmd.Comparison) -> None:
    """The variant beside what simpler fixes do to the same people."""
    st.header("Did it really work?", anchor=False, help=glossary.tip("Verdict", "Refit"))
    k = variant.k or default_k(len(cache.features(review, "train")))
    try:
        with st.spinner("Fitting what to hold it against"):
            view = proof.build(comparison, cache.rivals(review, variant.aim, k))
    except fmd.FMDError as error:  # before and after, and who pays, stand all the same
        components.show_problem(error)
        return
    st.write(components.plain(view.verdict))
    panels.bar_chart(view.chart, key="proof", axis="change of the bias, points", signed=True)
    st.caption(view.note)


def draw(review: Review, result: ResultView, names: tuple[str, str] = BEFORE_AFTER) -> None:
    """Figures, who pays, what is mixed up, and whose answer changed; `names` are what is compared."""
    title = " and ".join(names)
    st.header(
        components.plain(f"{title[:1].upper()}{title[1:]}, on held-out people"),
        anchor=False,
        help=glossary.tip("Held-out people", "Interval (95 %)"),
    )
    figure = charts.before_after(result.labels, result.before, result.after, names)
    panels.chart(figure, result.summary, result.table, key="before_after")
    st.header(
        "Who pays?",
        anchor=False,
        help=glossary.tip("Who pays", "Adjusted for looking at many", "McNemar’s test"),
    )
    st.caption(
        "Every class, every attribute value, and the usual against the unusual; who lost by more than chance comes "
        "first."
    )
    st.dataframe(result.groups, hide_index=True, alt="Accuracy by group before and after")
    if result.intersections_note:
        st.subheader("People who share two properties", anchor=False)
        st.caption(components.plain(result.intersections_note))
        st.dataframe(result.intersections, hide_index=True, alt=result.intersections_note)
    st.header("Which answers are mixed up", anchor=False, help=glossary.tip("Mixed-up answers"))
    for column, when in zip(st.columns(2, gap="large"), (0, 1), strict=True):
        with column:
            _confusion(result, when)
    st.header("Whose answer changed", anchor=False)
    st.write(components.plain(result.examples_summary))
    tiles = [
        gallery.Tile(
            e.row,
            (portraits.picture(review, e.row, f"A held-out {e.truth}, {e.outcome}"),),
            f"{e.before} → {e.after}",
            e.outcome,
        )
        for e in result.examples
    ]
    gallery.show(tiles, key="changed", label="Images whose answer changed", size="ten")


def _confusion(result: ResultView, when: int) -> None:
    counts, summary = result.confusions[when], result.confusion_summaries[when]
    figure = charts.confusion(counts, result.classes, result.confusion_top)
    st.plotly_chart(figure, key=f"confusion_{when}", config=charts.CONFIG, alt=summary)
    st.caption(components.plain(summary))
    with st.expander("The same as a table"):
        st.dataframe(counts, alt=summary)
