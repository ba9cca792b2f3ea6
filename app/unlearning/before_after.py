"""Before and after on people who took no part: what Unlearn, Feature unlearning and Compare show of a change."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

import fmd_core as fmd
from app import cache
from app.record.review import Review
from app.record.variants import Variant
from app.view_models import charts, glossary, proof
from app.view_models.before_after import BEFORE_AFTER, BeforeAfter
from app.widgets import components, gallery, paired_bars, panels, portraits

Section = tuple[str, Callable[[], None]]
"""A tab: its name, and what draws it."""


def draw(
    page: str, review: Review, result: BeforeAfter, *more: Section, names: tuple[str, str] = BEFORE_AFTER
) -> None:
    """Figures, `more`, who pays, what is mixed up, and whose answer changed, a tab each; `names` are what is
    compared. Only the open tab is computed and sent: that is what keeps a slider quick."""
    sections: tuple[Section, ...] = (
        ("Before and after" if names == BEFORE_AFTER else "Side by side", lambda: _figures(result, names)),
        *more,
        ("Who pays?", lambda: _who_pays(result)),
        ("Mixed-up answers", lambda: _mixed_up(result)),
        ("Whose answer changed", lambda: _changed(review, result)),
    )
    st.space("small")
    tabs = st.tabs(
        [components.plain(label) for label, _ in sections], key=f"evidence_{page}", on_change="rerun"
    )
    for tab, (_, section) in zip(tabs, sections, strict=True):
        if tab.open:
            with tab:
                section()


def did_it_work(review: Review, variant: Variant, comparison: fmd.Comparison) -> Section:
    """The variant beside what simpler fixes do to the same people."""

    def section() -> None:
        with st.spinner("Fitting what to hold it against"):
            view = proof.build(comparison, cache.rivals_of(review, variant), cache.dataset(review).unit)
        st.markdown(
            components.plain(view.verdict), help=f"{glossary.tip('Verdict', 'Refit')}\n\n{view.baselines}"
        )
        panels.bar_chart(view.chart, key="proof", axis="change of the bias, points", signed=True)
        st.caption(view.note)

    def worded() -> None:
        try:
            section()
        except fmd.FMDError as error:  # before and after, and who pays, stand all the same
            components.show_problem(error)

    return "Did it really work?", worded


def _lead(words: str, *terms: str) -> None:
    st.markdown(components.plain(words), help=glossary.tip(*terms))


def _figures(result: BeforeAfter, names: tuple[str, str]) -> None:
    _lead(result.verdict, "Verdict", "Held-out people", "Interval (95 %)")
    paired_bars.picture(
        result.labels, list(zip(result.before, result.after, strict=True)), names=names,
        axis="percent; bias in points", summary=result.summary, key="before_after",
    )  # fmt: skip
    panels.table_of(result.table, result.summary)


def _who_pays(result: BeforeAfter) -> None:
    _lead(
        "Every class, every attribute value, and who is usual or unusual for the class; who lost by more than chance "
        "comes first.",
        "Who pays", "The pattern", "Adjusted for looking at many", "McNemar’s test",
    )  # fmt: skip
    st.dataframe(result.groups, hide_index=True, alt="Accuracy by group before and after")
    if result.intersections_note:
        st.subheader("People who share two properties", anchor=False)
        st.caption(components.plain(result.intersections_note))
        st.dataframe(result.intersections, hide_index=True, alt=result.intersections_note)


def _mixed_up(result: BeforeAfter) -> None:
    _lead("Rows are the truth, columns the answer; what lies off the diagonal is wrong.", "Mixed-up answers")
    for column, when in zip(st.columns(2, gap="large"), (0, 1), strict=True):
        with column:
            _confusion(result, when)


def _changed(review: Review, result: BeforeAfter) -> None:
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


def _confusion(result: BeforeAfter, when: int) -> None:
    counts, summary = result.confusions[when], result.confusion_summaries[when]
    figure = charts.confusion(counts, result.classes, result.confusion_top)
    panels.picture(figure, summary, key=f"confusion_{when}")
    panels.folded_table(lambda: result.confusion_table(when), summary, key=f"confusion_{when}")
