"""See to it that a review's features, twins and audit are there before a page speaks of them."""

from __future__ import annotations

import streamlit as st

from app import cache, components, job_panel, warmup
from app.review import Review
from fmd_core.jobs import REGISTRY, Progress

PATIENCE_SECONDS = 1.0  # work that is done sooner needs no panel


def require(review: Review) -> None:
    """Go on at once when everything is there; else start the work as a job, show it, and stop the page."""
    if not review.has_model:
        components.header(
            "Model", "There is no model to review yet.", "Choose one, train one here, or open weights."
        )
        components.next_step("app_pages/model.py", "Choose a model")
        st.stop()
    if cache.is_warm(review):
        return
    if review == Review() and not warmup.is_done():  # the first demo is being made ready already
        components.header("One moment", "Getting the demo ready.")
        with st.spinner("Loading"):
            warmup.wait()
        if cache.is_warm(review):
            st.rerun()
    data = cache.dataset(review)

    def work(progress: Progress) -> None:
        cache.warm(
            review, lambda share: progress(share, "Reading every sample with the model, then its twins")
        )

    job = REGISTRY.start(f"prepare {review.data} {review.model}", f"Getting {data.name} ready", work)
    if job.wait(PATIENCE_SECONDS) and job.state == "finished":
        return
    job_panel.follow(job)
    components.header("One moment", f"Getting {data.name} ready.")
    job_panel.draw(job.id)
    st.caption("Every sample is read once by the model; the result is kept, so the next time is quick.")
    st.stop()
