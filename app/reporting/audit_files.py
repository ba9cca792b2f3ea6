"""What is handed over of another system's answers: the page and the document that `fmd audit` writes."""

from __future__ import annotations

import time

import streamlit as st

from app import cache
from app.record.review import Review
from app.session import state
from app.view_models import report
from app.widgets import components, without_model
from fmd_core.commands.common import own_version
from fmd_core.report.audit_document import document
from fmd_core.report.audit_page import audit_page

MIME = {"html": "text/html", "json": "application/json"}


def draw(review: Review) -> None:
    """Files to take away, and the page as it will be read."""
    begun = time.monotonic()
    verdict, data = cache.verdict(review, None, state.criteria()), cache.dataset(review)
    made = document(verdict, version=own_version(), seconds=time.monotonic() - begun)
    page = audit_page(verdict, data)
    components.header(
        "Report · another system's answers",
        verdict.headline,
        "What was found, in one page that needs no server and no network: send it to someone who was not in the room.",
    )
    st.info(f"Another system answers here. {without_model.WHY}")
    left, right = st.columns(2)
    with left:
        _save(
            "Audit (HTML)", page, "fairness-audit.html", "Reads in any browser and prints well.", first=True
        )
    with right:
        figures = made.to_json() + "\n"
        _save(
            "Figures (JSON)", figures, "fairness-audit.json", "For programs, as fmd audit --json writes it."
        )
    st.header("Preview", anchor=False)
    with st.container(border=True):
        st.iframe(report.in_frame(page), height=900)


def _save(label: str, content: str, name: str, note: str, *, first: bool = False) -> None:
    st.download_button(
        label, content, name, MIME[name.split(".")[1]], type="primary" if first else "secondary",
        icon=":material/download:", on_click="ignore", width="stretch",
    )  # fmt: skip
    st.caption(note)
