"""What a training will be, before it begins: of what, on how many, how long; then how it goes."""

from __future__ import annotations

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from app import cache
from app.jobs import job_panel, job_words
from app.jobs.durations import DURATIONS, Size
from app.jobs.job import Job, Progress
from app.jobs.registry import REGISTRY
from app.record.review import Review
from app.view_models import models, training
from app.view_models.training import Asked
from app.widgets import components, gallery, portraits
from fmd_core import AttributeDataset, figures
from fmd_core.figures import with_capital
from fmd_core.kinds import find_kind
from fmd_core.models.architectures import ARCHITECTURES
from fmd_core.models.training import suggested_preprocess, time_training

LOOK_SECONDS = 1.0  # between two looks whether the pace is known
MOST_BARS = 24  # rounds that fit


def size_of(asked: Asked, data: AttributeDataset) -> Size:
    """How much work a training is: samples that the network learns from, each as often as it is seen."""
    n = len(data.rows("train"))
    if asked.epochs is None:
        return Size(f"train a last layer on {asked.network}", n)
    first = data.source.read(data.rows("train")[:1])
    side = find_kind(data.source.kind).side(first, suggested_preprocess(asked.network))
    return Size(f"train {asked.network} {side}", n * asked.epochs)


def draw(review: Review, asked: Asked) -> None:
    """The plan, sample pictures, and how long it takes on this machine."""
    data = cache.dataset(review)
    view = training.plan(data, asked.title, asked.epochs)
    with st.container(border=True, key="training_plan"):
        st.html("<div class='fmd-kicker'>What will be trained</div>")
        st.subheader(components.plain(view.title), anchor=False)
        _samples(review, view)
        st.write(components.plain(f"{view.people} {view.checked}"))
        size = size_of(asked, data)
        known = DURATIONS.expect(size)
        may_time = asked.epochs is not None and asked.network in ARCHITECTURES
        st.fragment(run_every=LOOK_SECONDS if known is None and may_time else None)(_time)(
            review, asked, size, may_time
        )


def _samples(review: Review, view: training.Plan) -> None:
    """Samples with the class that each is called; nothing for tables, whose records say little in a row."""
    if not find_kind(cache.dataset(review).source.kind).has_pictures:
        return
    data = cache.dataset(review)
    name = data.target.name
    tiles = [
        gallery.Tile(row, (portraits.picture(review, row, f"{name}: {label}", label, side=96),))
        for row, label in zip(view.rows, view.labels, strict=True)
    ]
    gallery.show(
        tiles,
        key="training_samples",
        label=f"Training {figures.many(data.unit)} and their {name}",
        size="ten",
    )


def _time(review: Review, asked: Asked, size: Size, may_time: bool) -> None:
    """How long it will take. Where nothing like it was trained here, a few steps of it are timed, once the page is
    drawn and while no other work runs, which would slow them down."""
    known = DURATIONS.expect(size)
    if known is not None:
        st.markdown(f"**{with_capital(job_words.about_words(known))} on this machine**, by its pace so far.")
        return
    if not may_time:
        st.write("This machine has trained nothing like it yet: how long it takes is said once it runs.")
        return
    key = f"time {review.data} {size.kind}"
    tried = next((job for job in REGISTRY.recent() if job.key == key and not job.live), None)
    if tried is not None and tried.state != "finished":
        st.write("How long it takes could not be tried out: it is said once it runs.")
        return
    busy = any(job.live and job.key != key for job in REGISTRY.recent())
    if _is_drawn() and not busy and REGISTRY.live(key) is None:
        REGISTRY.start(
            key, "Timing a few steps", lambda told: _try_out(review, asked, size, told), brief=True
        )
    st.write(
        "Other work is under way here: how long it takes is tried out afterwards."
        if busy
        else "Trying out a few steps, to say how long it takes on this machine …"
    )


def _try_out(review: Review, asked: Asked, size: Size, told: Progress) -> None:
    told(0.0)
    samples, seconds = time_training(cache.dataset(review), asked.network)
    DURATIONS.record(Size(size.kind, samples), seconds)


def _is_drawn() -> bool:
    """Whether this is a rerun of the fragment alone: the page is on screen already."""
    context = get_script_run_ctx()
    return bool(context and context.fragment_ids_this_run)


def draw_running(review: Review, job: Job) -> None:
    """The same while it waits or runs, with how often the network is right so far."""
    about, unit = job.about, cache.dataset(review).unit
    asked = about.asked if isinstance(about, models.ModelFor) else None
    if asked is not None:
        view = training.plan(cache.dataset(review), asked.title, asked.epochs)
        _samples(review, view)
        st.caption(components.plain(f"{view.people} {view.checked}"))

    def so_far(running: Job) -> None:
        if (
            running.live
            and isinstance(about, models.ModelFor)
            and asked
            and 1 < (asked.epochs or 1) <= MOST_BARS
        ):
            st.html(training.rounds_html(tuple(about.rounds), asked.epochs or 1, unit))

    job_panel.draw(job.id, also=so_far)
