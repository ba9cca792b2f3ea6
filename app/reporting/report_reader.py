"""Opening a report again, to read it and to hold it against another one."""

from __future__ import annotations

import streamlit as st

import fmd_core as fmd
from app.view_models import report, report_comparison
from app.widgets import components, panels
from fmd_core.report.reading import MAX_BYTES
from fmd_core.report.schema import Report

AGAINST = {"nothing": "nothing", "here": "this review", "file": "another file"}


def draw(current: Report) -> None:
    """An upload; then the report, and a table beside a second one. `current` is that of the review at hand."""
    st.write(
        "The JSON file that is saved beside a report opens here again, to be read only. Nothing in it is run, and it "
        "does not change your review."
    )
    first = _upload("Report (JSON)", "opened_report")
    if first is None:
        return
    view = report_comparison.opened(first)
    st.write(components.plain(view.sentence))
    if view.caution:
        st.warning(components.plain(view.caution))
    against = st.segmented_control(
        "Compare with", list(AGAINST), format_func=AGAINST.__getitem__, default="nothing", required=True,
        key="compare_with",
    )  # fmt: skip
    if against == "here":
        _side_by_side(first.report, current, report_comparison.HERE)
    elif against == "file" and (second := _upload("Second report (JSON)", "second_report")) is not None:
        if caution := second.cautions("The second file"):
            st.warning(components.plain(caution))
        _side_by_side(first.report, second.report, report_comparison.SECOND)
    st.header("The opened report", anchor=False)
    with st.container(border=True):
        st.iframe(report.in_frame(view.html), height=900)


def _upload(label: str, key: str) -> fmd.OpenedReport | None:
    given = st.file_uploader(label, type="json", key=key, max_upload_size=MAX_BYTES >> 20)
    if given is None:
        return None
    try:
        return fmd.read_report(given.getvalue())
    except fmd.FMDError as error:
        components.show_problem(error)
        return None


def _side_by_side(first: Report, second: Report, name: report_comparison.Name) -> None:
    view = report_comparison.compare(first, second, (report_comparison.OPENED, name))
    st.write(components.plain(view.sentence))
    st.table(
        panels.plain_cells(view.table), border="horizontal", hide_index=True, alt="Two reports side by side"
    )
