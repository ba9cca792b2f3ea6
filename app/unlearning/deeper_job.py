"""Let a network learn on as a job: what comes of it is a network on the shelf, with everybody asked about it."""

from __future__ import annotations

import time
from dataclasses import replace

import streamlit as st

from app import cache
from app.jobs import job_panel
from app.jobs.job import Job, Progress
from app.jobs.registry import REGISTRY
from app.record.review import Review
from app.record.trained import Learnt, Trained
from app.record.variants import Retrained
from app.session import access, state
from app.unlearning import learned_runs
from app.view_models import learning_on
from fmd_core.study.debiasing import Change
from fmd_core.study.deeper import deepen
from fmd_core.study.learned import Learned, keep_learned, keep_thresholds
from fmd_core.unlearn.deeper.settings import DeeperSettings, Improve

PLACE, ASKING = "deeper", "deeper_asking"
SETTINGS = DeeperSettings
ASKED = (0.25, 0.5, 0.75, 1.0)
"""Points of the way that are compared with the original at once; any other costs a moment when it is chosen."""
PATIENCE_SECONDS = 1.0  # work that is done sooner needs no panel


def begin(change: Change, improve: Improve, tolerance: float) -> None:
    """Begin to let the network under review learn on, against the attribute under review."""
    access.require_change()
    review, aim = state.review(), state.fix_aim()
    attribute = aim.attribute
    key = f"deeper {review} {attribute} {change} {improve} {tolerance}"  # also whose pairs are left out

    def work(progress: Progress) -> Trained:
        told = progress.part(0.0, 0.77)
        found = _learned(review, attribute, change, improve, tolerance, told)
        variant = Retrained(
            replace(review, beside=found.id),
            aim,
            learning_on.way_of(found),
            learning_on.named(found),
            tolerance,
        )
        ask_everybody(variant, progress.part(0.77, 1.0))
        return Trained(variant, (), found.seconds, learnt=Learnt(found.change, found.improve, found.steps))

    title = f"Letting the network learn on: {learning_on.CHANGES[change].lower()}, about {attribute}"
    state.show_job(PLACE, job_panel.start_job(key, title, work, about=(PLACE, review.key)).id)
    st.rerun()


def _learned(
    review: Review, attribute: str, change: Change, improve: Improve, tolerance: float, told: Progress
) -> Learned:
    """What comes of it, on the shelf."""
    begun, study = time.perf_counter(), cache.study(review)

    def name(steps: int) -> str:
        made = learning_on.made(attribute, change, improve, steps)
        return f"{study.model.name or study.model.architecture}, {made}"

    if change == "threshold":
        told(0.0, "Moving the thresholds, then asking validation people")
        return keep_thresholds(study, attribute, improve, tolerance, name(0))
    found = deepen(
        study, attribute, SETTINGS(change, improve), tolerance=tolerance, holds_points=True,
        progress=lambda share: told(0.97 * share, "Learning on, then asking those who did not teach it"),
    )  # fmt: skip
    told(0.97, "Keeping the network")
    return keep_learned(found, name(found.steps), time.perf_counter() - begun)


def follow() -> bool:
    """The panel of the work that goes on; whether there is any. What came of it is kept."""
    job = _of_this_review()
    if job is None:
        return False
    if isinstance(job.result, Trained):
        state.show_job(PLACE, "")
        state.remember_trained(job.result)
        learned_runs.put_on_stage(job.result.variant.review.beside)  # who waited for it sees it
        st.rerun()
    job_panel.draw(job.id)
    if job.state == "stopped":
        st.info("Stopped. The model is as it was.")
    return job.live


def is_live() -> bool:
    """Whether work goes on."""
    job = _of_this_review()
    return job is not None and job.live


def _of_this_review() -> Job | None:
    """The work that was begun here, where it is about what is under review now."""
    job = REGISTRY.find(state.shown_job(PLACE))
    if job is not None and job.about == (PLACE, state.review().key):
        return job
    return _named_in_address()


def _named_in_address() -> Job | None:
    """Work of this review that the address names, as after a refresh of the page, unless its end is known."""
    known = {trained.variant.review.beside for trained in state.trained_here()}
    for job in filter(None, map(REGISTRY.find, state.jobs())):
        found = job.result.variant.review.beside if isinstance(job.result, Trained) else ""
        if job.about == (PLACE, state.review().key) and found not in known and (found or job.live):
            return job
    return None


def ask_everybody(variant: Retrained, progress: Progress) -> None:
    """Ask original and network about everybody, so that every point between them costs nothing."""
    attribute = variant.aim.attribute
    asking = progress.part(0.0, 0.7)
    cache.warm(variant.review, lambda share: asking(share, "Asking both networks about everybody"))
    for place, share in enumerate(ASKED):
        progress(0.7 + 0.3 * place / len(ASKED), "Comparing before and after")
        there = replace(variant, share=share)
        cache.point(there)
        cache.comparison(there.review, there, attribute)
        cache.other_biases(there.review, there, attribute)
        cache.deeper_figures(there.review, attribute, share)


def is_known(variant: Retrained) -> bool:
    """Whether everybody was asked."""
    return cache.is_warm(variant.review) and cache.is_deeper_known(variant.review, variant.aim.attribute)


def have_asked(variant: Retrained) -> bool:
    """Whether everybody was asked; else the job that does so is begun and drawn, as after a restart."""
    if is_known(variant):
        return True
    review = variant.review
    key = f"ask {review} {variant.aim}"
    last = REGISTRY.find(state.shown_job(ASKING))
    if last is not None and last.key == key and not last.live and last.state != "finished":
        job_panel.draw(last.id)
        st.button("Begin again", on_click=state.show_job, args=(ASKING, ""), key="ask_deeper_again")
        return False
    if last is not None and last.key == key and last.state == "finished":
        return True  # the memory is too small for what is open; it is made anew, as slow as that is
    job = _ask(review, key, variant)
    if job.wait(PATIENCE_SECONDS) and job.state == "finished":
        job_panel.leave(job)
        return True
    state.show_job(ASKING, job.id)
    job_panel.follow(job)
    job_panel.draw(job.id)
    return False


def _ask(review: Review, key: str, variant: Retrained) -> Job:
    title = f"Asking the network that learned on about {cache.dataset(review).name}"
    return REGISTRY.start(key, title, lambda progress: ask_everybody(variant, progress), brief=True)
