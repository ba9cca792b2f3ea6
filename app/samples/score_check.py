"""Predicted against measured effect of leaving samples out: a section of the Harmful page."""

from __future__ import annotations

import streamlit as st

import fmd_core as fmd
from app import cache
from app.jobs import job_panel, preparation
from app.jobs.job import Progress
from app.jobs.registry import REGISTRY
from app.record.review import Aim, Review
from app.session import state
from app.view_models import charts, glossary, score_check
from app.widgets import components, panels

TITLE = "Check these scores"


def draw(review: Review, asked: Aim, k: int) -> None:
    """A button until it is pressed for this K; then the work; then what came of it."""
    st.header(TITLE, anchor=False, help=glossary.tip("Refit", "Planted samples"))
    found = cache.known_score_check(review, asked, k)
    if found is not None:
        _result(found, cache.dataset(review).unit)
        return
    if not isinstance(cache.classifier(review).head, fmd.LinearHead):
        st.info(score_check.NEEDS_ONE_LAYER)
        return
    st.write(components.plain(score_check.invitation(k, cache.dataset(review).unit)))
    job = state.shown_job(_place(review, asked, k))
    if job and (shown := job_panel.draw(job)) and shown.live:
        return
    st.button(TITLE, icon=":material/fact_check:", on_click=_begin, args=(review, asked, k))


def lead(review: Review, asked: Aim, k: int) -> str:
    """What was measured at this K; empty before it was."""
    found = cache.known_score_check(review, asked, k)
    return "" if found is None else score_check.lead(found)


def _place(review: Review, asked: Aim, k: int) -> str:
    return f"score check {k} {asked} {review}"


def _begin(review: Review, asked: Aim, k: int) -> None:
    """Start the refits as a job; a small data set is done with them before the page is drawn."""

    def work(progress: Progress) -> None:
        cache.score_check(
            review, asked, k, lambda share: progress(share, "Fitting the last layer again and again")
        )

    place = _place(review, asked, k)
    job = REGISTRY.start(place, f"Checking the scores of {asked.topic}", work, brief=True)
    state.show_job(place, job.id)
    if not job.wait(preparation.PATIENCE_SECONDS):
        job_panel.follow(job)


def _result(found: fmd.ScoreCheck, unit: str) -> None:
    view = score_check.build(found, unit)
    st.write(f"**{components.plain(view.headline)}** {components.plain(view.reason)}")
    if view.caution:
        st.info(components.plain(view.caution))
    figure = charts.predicted_measured(view.labels, view.predicted, view.measured, view.axis)
    panels.chart(figure, view.summary, view.table, key="score_check")
    st.write(components.plain(view.held_out))
    st.write(components.plain(view.planted))
    st.caption(components.plain(score_check.RULE))
