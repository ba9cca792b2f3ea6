"""See to it that what takes long is there before a page speaks of it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import streamlit as st

from app import cache
from app.jobs import job_panel, job_words
from app.jobs.durations import Size
from app.jobs.job import Progress
from app.jobs.registry import REGISTRY
from app.record.review import Aim, Review
from app.record.variants import Erasure, Recipe, Retrained, Variant
from app.serving import warmup
from app.session import memory, state
from app.view_models import training
from app.widgets import components, skeleton
from fmd_core import figures

PATIENCE_SECONDS = 1.0  # work that is done sooner needs no panel
PLACE = "preparation"
JUDGES = "The table is small: five more models are trained, so that everybody is judged by one that never saw them."
A_WHILE = timedelta(minutes=10)


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
    data, small = cache.dataset(review), not cache.are_answered(review)
    one = data.unit
    _have_done(
        f"prepare {review.data} {review.model} {review.depth} {review.beside}",
        _title(review, data.name),
        f"Reading every {one} with the model, then its twins"
        + (", then training the judges" if small else ""),
        lambda told: cache.warm(review, told),
        f"Every {one} is read once by the model; the result is kept, so the next time is quick."
        + (f" {JUDGES}" if small else ""),
        size=Size(f"prepare {cache.classifier(cache.plain(review)).title} {review.depth}", _n_read(review)),
        early=lambda: _early(review),
    )


def _n_read(review: Review) -> int:
    """Samples that are read: everybody, and the twins of those who judge."""
    data = cache.dataset(review)
    return len(data) + len(cache.changeable(data)) * len(data.rows("test"))


def _early(review: Review) -> None:
    """What is known before the rest: how often the model is right; and that it is not yet known for whom."""
    known = cache.so_far(review)
    if known is not None:
        said = training.right_sentence(known.right, cache.dataset(review).unit)
        st.write(components.plain(f"Known so far: {said} For whom it is wrong is measured next."))


def _title(review: Review, data: str) -> str:
    from fmd_core.models.depth import find_depth  # not before the page is drawn

    depth = find_depth(review.depth)
    return (
        f"Opening the {depth.layers} of the model on {data}"
        if depth.features_change
        else f"Getting {data} ready"
    )


def require_in_force(variant: Variant | None) -> None:
    """The same for the variant in force: after a restart it is made again, from its recipe."""
    if variant is None:
        return
    require(variant.review)
    if isinstance(variant, Recipe):
        require_path(*variant.sweep)


def require_scores(review: Review, asked: Aim) -> None:
    """The same for the influence of every training sample."""
    if cache.are_scored(review, asked):
        return

    one = cache.dataset(review).unit
    _have_done(
        f"score {review} {asked}",
        f"Scoring every training {one} by what it does to {asked.topic}",
        f"Scoring every training {one}",
        lambda told: cache.scores(review, asked, told),
        f"Every {one} is scored once; then the gallery is quick.",
        failure_is_told=True,
        size=_learned(review, "score"),
    )


def _learned(review: Review, kind: str) -> Size:
    """Work whose time grows with the samples that taught the model and with what its head reads of each."""
    model = cache.classifier(review)
    n_answers = model.head.n_features * model.head.n_classes
    return Size(f"{kind} {n_answers}", len(cache.dataset(review).rows("train")))


def require_label_doubts(review: Review) -> None:
    """The same for the labels that look wrong. What cannot be done is left to the page to say."""
    if cache.are_labels_doubted(review):
        return

    many = figures.many(cache.dataset(review).unit)
    _have_done(
        f"doubt labels {review}",
        f"Looking for training {many} that look mislabelled",
        f"Asking five fits about {many} that they never saw",
        lambda told: cache.label_doubts(review, told),
        f"The last layer is fitted five times, each time without a fifth of the {many}; then the marks are there.",
        failure_is_told=True,
        size=_learned(review, "doubt labels"),
    )


def require_path(review: Review, aim: Aim, strategy: str, k: int) -> None:
    """The same for every strength of one way to unlearn. What cannot be done is left to the page to say."""
    if cache.is_solved(review, aim, strategy, k):
        return

    _have_done(
        f"solve {review} {aim} {strategy} {k}",
        f"Trying every strength {aim.purpose}",
        "Trying every strength",
        lambda told: cache.warm_path(review, aim, strategy, k, told),
        "Every strength is solved once; then the slider moves at once.",
        failure_is_told=True,
        size=_learned(review, f"solve {strategy}"),
    )


def require_forgetting(variant: Erasure | Retrained, attributes: tuple[str, ...]) -> None:
    """The same for what fresh readers still tell of attributes."""
    require(variant.review)
    if cache.is_judged(variant, attributes):
        return

    _have_done(
        f"judge {variant} {attributes}",
        f"Asking fresh readers what they can still tell of {' and '.join(attributes)}"
        if attributes
        else f"Asking both models about every held-out {cache.dataset(variant.review).unit}",
        "Training fresh readers",
        lambda told: cache.forgetting(variant, attributes, told),
        "Readers are trained afresh on the features before and after: only they say what is forgotten.",
        failure_is_told=True,
    )


def _have_done(
    key: str,
    title: str,
    doing: str,
    compute: Callable[[Callable[[float], None]], object],
    note: str,
    *,
    failure_is_told: bool = False,
    size: Size | None = None,
    early: Callable[[], None] | None = None,
) -> None:
    """Go on when `compute`, which tells its share done, is done; else show the job, with what it is `doing`, what is
    known `early` and the outline of the page to come, and stop the page. With `failure_is_told` the page itself meets
    the error, and words it where it belongs."""

    def work(progress: Progress) -> None:
        compute(lambda share: progress(share, doing))

    if _was_just_done(key):
        return
    last = REGISTRY.find(state.shown_job(PLACE))
    going_on = REGISTRY.live(key)
    if (last is not None and (last.key, last.state) == (key, "stopped")) or (
        going_on is not None and state.has_left(going_on.id)
    ):
        _offer_again(title)
    job = REGISTRY.start(key, title, work, brief=True, size=size)
    if job.wait(PATIENCE_SECONDS) and (
        job.state == "finished" or (job.state == "failed" and failure_is_told)
    ):
        job_panel.leave(job)
        return
    state.show_job(PLACE, job.id)
    job_panel.follow(job)
    components.header("One moment", job_words.heading(job, "")[0])
    job_panel.draw(job.id, also=early and (lambda _: early()))
    st.caption(note)
    skeleton.draw()
    st.stop()


def _was_just_done(key: str) -> bool:
    """Whether this visitor has waited for the same work a while ago, and yet it is not held any more. Then the memory
    is too small for what is open at the same time (FMD_CACHE_MB), and the page makes it anew, as slow as that
    is, where waiting for it again would never end."""
    jobs = [job for job in map(REGISTRY.find, state.jobs()) if job is not None and job.key == key]
    return any(
        job.state == "finished" and job.finished is not None and datetime.now(UTC) - job.finished < A_WHILE
        for job in jobs
    )


def _offer_again(title: str) -> None:
    """What was stopped does not begin again by itself."""
    from fmd_core.models.depth import LAST_LAYER

    components.header("Stopped", f"{title} was stopped.", "Nothing has changed: the model is as it was.")
    with st.container(horizontal=True):
        st.button("Begin again", type="primary", on_click=_begin_again)
        if state.depth() != LAST_LAYER:
            st.button("Change the last layer only", on_click=memory.setter("depth", LAST_LAYER))
    st.stop()


def _begin_again() -> None:
    state.come_back()
    state.show_job(PLACE, "")
