"""What is handed over of another system's answers: the page and the document that `fmd audit` writes."""

from __future__ import annotations

import time
from dataclasses import dataclass

import streamlit as st

from app import cache
from app.record.criteria import Criteria
from app.record.review import Review
from app.reporting import downloads
from app.session import state
from app.view_models import report
from app.widgets import components, without_model
from fmd_core import Verdict
from fmd_core.commands.common import own_version
from fmd_core.report.audit_document import document
from fmd_core.report.audit_page import audit_page


@dataclass(frozen=True)
class Files:
    """What is handed over, with the verdict that it is about."""

    verdict: Verdict
    html: str
    json: str


def files(review: Review, criteria: Criteria) -> Files:
    """The audit of what another system answered, judged by `criteria`."""
    begun = time.monotonic()
    verdict = cache.verdict(review, None, criteria)
    made = document(verdict, version=own_version(), seconds=time.monotonic() - begun)
    return Files(verdict, audit_page(verdict, cache.dataset(review)), made.to_json() + "\n")


def draw(review: Review) -> None:
    """Files to take away, and the page as it will be read."""
    made = files(review, state.criteria())
    components.header(
        "Report · another system's answers",
        made.verdict.headline,
        "What was found, in one page that needs no server and no network: send it to someone who was not in the room.",
    )
    left, right = st.columns(2)
    with left:
        note = "Reads in any browser and prints well."
        downloads.save("Audit (HTML)", made.html, "fairness-audit.html", note, first=True)
    with right:
        note = "For programs, as fmd audit --json writes it."
        downloads.save("Figures (JSON)", made.json, "fairness-audit.json", note)
    st.header("Preview", anchor=False)
    with st.container(border=True):
        st.iframe(report.in_frame(made.html), height=900)
    without_model.way_on()
