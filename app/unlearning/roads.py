"""Every road to a finding within its limit, tried as a job; each can be gone with one click."""

from __future__ import annotations

import streamlit as st

from app import cache
from app.jobs import job_panel
from app.jobs.job import Progress
from app.jobs.registry import REGISTRY
from app.record.review import Review
from app.record.variants import Recipe
from app.session import memory, state
from app.unlearning import aimed
from app.view_models import glossary
from app.view_models import roads as words
from app.widgets import components
from fmd_core.measure.verdict.goal import Goal
from fmd_core.measure.verdict.values import Finding
from fmd_core.study.aim import aim_of
from fmd_core.study.suggestion import Suggestion

PLACE, TABLE = "roads", "roads"


def draw(variant: Recipe) -> None:
    """The panel, which costs nothing until somebody opens it."""
    finding = aimed.finding(variant.aim) or aimed.verdict().worst
    if finding is None:
        return
    fold = st.expander("Every road", key="every_road", on_change="rerun")
    if fold.open:
        with fold:
            _panel(finding, variant)


def _panel(finding: Finding, variant: Recipe) -> None:
    review, k, tolerance = state.review(), state.harmful_count(), variant.tolerance
    goal = aimed.goal_of(finding)
    st.markdown(
        components.plain(
            f"Every way to unlearn and every depth, to bring this within its limit: {finding.sentence}"
        ),
        help=glossary.tip("Our suggestion", "Guard"),
    )
    done = cache.are_tried(review, goal, k, tolerance)
    if not done and _is_under_way(review, goal, k, tolerance):
        return
    tried = () if done else cache.tried_ways(review, goal, k, tolerance)
    if done or tried:
        suggestion = cache.try_roads(review, goal, k, tolerance, some=tried)
        untried = [] if done else [way for way in cache.ways(review, goal) if way not in tried]
        _table(words.build(suggestion, cache.dataset(review), untried), variant)


def _is_under_way(review: Review, goal: Goal, k: int, tolerance: float) -> bool:
    """Draw the job that tries every road while it lives, else the button that begins it."""
    key = f"roads {review} {goal} {k} {tolerance}"

    def work(progress: Progress) -> Suggestion:
        return cache.try_roads(
            review, goal, k, tolerance, lambda share: progress(share, "Going one road after the other")
        )

    job = REGISTRY.find(state.shown_job(PLACE))
    is_ours = job is not None and job.key == key
    if job is not None and is_ours and job.live:
        job_panel.draw(job.id)
        return True
    st.caption(
        "The last layers take seconds each, deep ones up to minutes; it can be stopped, and what was tried until then "
        "is kept."
    )
    if st.button("Try every road", key="try_roads"):
        begun = job_panel.start_job(
            key, f"Trying every road {aim_of(goal, cache.dataset(review).target.levels).purpose}", work
        )
        state.show_job(PLACE, begun.id)
        st.rerun()
    if job is not None and is_ours:
        job_panel.draw(job.id)  # how it ended
    return False


def _table(view: words.RoadsView, variant: Recipe) -> None:
    st.markdown(f"**{components.plain(view.headline)}**")
    for note in view.notes:
        st.caption(components.plain(note))

    def follow() -> None:
        rows = memory.selected_rows(TABLE)
        if rows and (there := view.destinations[rows[0]]):
            state.go_to(there.way, there.stop)

    if view.best is not None:
        is_there = view.best == words.standing(variant)
        if st.button("Go there", key="go_to_best", disabled=is_there):
            state.go_to(view.best.way, view.best.stop)
            st.rerun()
    st.dataframe(
        view.table, hide_index=True, alt=view.headline, key=TABLE, on_select=follow,
        selection_mode="single-row",
    )  # fmt: skip
    st.caption(
        "Select a row to go there. Every figure is of validation people; test people judge afterwards."
    )
