"""See to it that what takes long is there before a page speaks of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from app import cache, components, job_panel, warmup
from app.review import Aim, Review
from fmd_core.jobs import REGISTRY, Job, Progress

if TYPE_CHECKING:
    from fmd_core.unlearning import StrategyName

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

    key = f"prepare {review.data} {review.model} {review.depth}"
    job = REGISTRY.start(key, f"Getting {data.name} ready", work)
    if job.wait(PATIENCE_SECONDS) and job.state == "finished":
        return
    _wait_on_screen(
        job,
        f"Getting {data.name} ready.",
        "Every sample is read once by the model; the result is kept, so the next time is quick.",
    )


def require_path(review: Review, aim: Aim, strategy: StrategyName, k: int) -> None:
    """The same for every strength of one way to unlearn. What cannot be done is left to the page to say."""
    if (review, aim, strategy, k) in cache.solved():
        return

    def work(progress: Progress) -> None:
        cache.warm_path(review, aim, strategy, k, lambda share: progress(share, "Trying every strength"))

    job = REGISTRY.start(f"solve {review} {aim} {strategy} {k}", f"Unlearning {aim.words}", work)
    if job.wait(PATIENCE_SECONDS) or job.state == "failed":
        return
    _wait_on_screen(
        job,
        f"Trying every strength against {aim.words}.",
        "Every strength is solved once; then the slider moves at once.",
    )


def _wait_on_screen(job: Job, headline: str, note: str) -> None:
    job_panel.follow(job)
    components.header("One moment", headline)
    job_panel.draw(job.id)
    st.caption(note)
    st.stop()
