"""From harmful samples to unlearning: a section of the Harmful page that ends where the bias is taken out."""

from __future__ import annotations

import streamlit as st

from app import cache
from app.jobs import job_panel, preparation
from app.jobs.job import Job, Progress
from app.jobs.registry import REGISTRY
from app.record.review import Aim, Review
from app.record.variants import Retrained
from app.session import state
from app.view_models import charts, glossary, waterfall
from app.widgets import components, panels
from fmd_core import FMDError

PLACE = "waterfall"


def draw(review: Review, asked: Aim, k: int) -> None:
    """Begins by itself: each fix is a refit that is made once."""
    st.header(waterfall.TITLE, anchor=False, help=glossary.tip("Refit", "Calibrated bias", "Held-out people"))
    try:
        fixes = _fixes(review, asked, k)
    except FMDError as error:
        components.show_problem(error)
        return
    if fixes is not None:
        learned = _learned(review, asked)
        unit, about = cache.dataset(review).unit, _about(review, asked)
        _result([*fixes, *learned], unit, about, has_learned=bool(learned))


def _about(review: Review, asked: Aim) -> waterfall.About | None:
    """The group that samples are asked about, which those who choose have named; None for another question."""
    group = cache.worst_served(review, asked.attribute) if asked.measure == "worst group" else None
    if group is None:
        return None
    target = cache.dataset(review).target.name
    return waterfall.About(group.who, ((target, group.label), (asked.attribute, group.level)))


def _fixes(review: Review, asked: Aim, k: int) -> list[waterfall.Fix] | None:
    """Every fix that was made; None while they are being made."""
    if not cache.is_bridged(review, asked, k) and not _made(review, asked, k):
        return None
    return [waterfall.fix_of(stop) for stop in cache.bridge(review, asked, k)]


def _made(review: Review, asked: Aim, k: int) -> bool:
    """Make them as a job that is waited for a moment; else show how far it is."""
    place = f"{PLACE} {k} {asked} {review}"

    def work(progress: Progress) -> None:
        cache.bridge(review, asked, k, lambda share: progress(share, "Fitting the last layer again"))

    job = REGISTRY.find(state.shown_job(place))
    if job is None:
        job = REGISTRY.start(place, f"Trying what helps {asked.purpose}", work, brief=True)
        state.show_job(place, job.id)
        if not job.wait(preparation.PATIENCE_SECONDS):
            job_panel.follow(job)
    return _is_over(job, place)


def _is_over(job: Job, place: str) -> bool:
    if job.live:
        job_panel.draw(job.id)
        return False
    if job.state == "stopped":
        st.info("This was stopped; nothing has changed.")
        st.button("Begin again", key="waterfall_again", on_click=state.show_job, args=(place, ""))
        return False
    return True  # what failed fails again where the page can word it


def _learned(review: Review, asked: Aim) -> list[waterfall.Fix]:
    """Networks that learned on in this session, as far on the way as they were applied."""
    kept = [one.variant for one in state.history().kept if isinstance(one.variant, Retrained)]
    applied = {variant.review.beside: variant for variant in kept}
    made = [trained.variant for trained in state.trained_here() if trained.learnt is not None]
    fixes = []
    for variant in made:
        if variant.aim.attribute == asked.attribute:
            there = applied.get(variant.review.beside, variant)
            with st.spinner("Comparing before and after"):
                found = cache.comparison(review, there, asked.attribute)
            fixes.append(waterfall.learned(there.what, there.share, found))
    return fixes


def _result(
    fixes: list[waterfall.Fix], unit: str, about: waterfall.About | None, *, has_learned: bool
) -> None:
    if all(fix.comparison is None for fix in fixes):
        for fix in fixes:
            st.info(components.plain(f"{fix.label}: {fix.why_not}"))
        return
    shown = st.segmented_control(
        "Figure", list(waterfall.FIGURES), format_func=waterfall.FIGURES.__getitem__, default="bias", required=True,
        key="waterfall_figure", persist_state="session", label_visibility="collapsed",
    )  # fmt: skip
    view = waterfall.build(fixes, shown, unit, about)
    if view.lesson:
        st.write(f"**{components.plain(view.lesson)}**")
    if view.steps:
        figure = charts.waterfall(view.steps, axis=view.axis, unit=view.unit)
        panels.chart(figure, view.summary, view.table, key="waterfall")
    else:
        st.info(waterfall.TOO_FEW)
    for said in view.missing:
        st.info(components.plain(said))
    st.caption(waterfall.HAS_LEARNED if has_learned else waterfall.NOT_RUN)
    if not has_learned:
        st.page_link("app_pages/unlearn.py", label=waterfall.LEARN_ON, icon=":material/arrow_forward:")
