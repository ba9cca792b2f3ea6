"""Train beside it: published methods on the same network and people, as a job, in the same table and picture as the
network that learned on."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import streamlit as st

from app import cache
from app.jobs import job_panel, job_words
from app.jobs.job import Progress
from app.jobs.registry import REGISTRY
from app.record.review import Review
from app.session import access, state
from app.view_models import beside as words
from app.view_models import charts, glossary, learning_on
from app.widgets import components, panels
from fmd_core import FMDError
from fmd_core.study.debiasing import JudgedBaseline
from fmd_core.unlearn.deeper.choosing import SHARES
from fmd_core.unlearn.deeper.settings import Improve

if TYPE_CHECKING:
    from collections.abc import Sequence

PLACE = "beside"
ROUNDED_TO = 10  # seconds


def draw(tolerance: float, improve: Improve, learned: Review | None = None) -> None:
    """What can be trained and what it came to. `learned` is the review with the network that learned on, where there is
    one: its way is in the picture, and the table stands above already."""
    review, attribute = state.review(), state.attribute()
    st.markdown(f"##### {words.TITLE}", help=glossary.tip("Trained beside it"))
    st.markdown(components.plain(words.LEAD))
    methods = cache.methods_beside(review, attribute)
    options = words.available(methods)
    if not options:
        st.info(components.plain(learning_on.closed(methods)))
        return
    _begin(review, attribute, options, learning_on.closed(methods))
    found = cache.known_beside(review, attribute)
    if found:
        _results(review, attribute, improve, tolerance, learned)


def judged(attribute: str, improve: Improve, tolerance: float) -> list[JudgedBaseline]:
    """What was trained beside the model under review, as rows of the table of fixes."""
    return words.judged(cache.known_beside(state.review(), attribute), improve, tolerance)


# --- before


def _begin(review: Review, attribute: str, options: Sequence[str], closed: str) -> None:
    chosen = st.multiselect(
        "Methods", options, [name for name in words.USUAL if name in options], format_func=words.titled,
        key="beside_methods", persist_state="session",
    )  # fmt: skip
    if closed:
        st.caption(components.plain(closed))
    if chosen:
        st.caption(components.plain(words.notes(chosen)))
    if _follow(review):
        return
    if not chosen:
        st.caption(words.NOTHING_CHOSEN)
        return
    with st.spinner("Measuring how long a few steps take"):
        seconds = cache.seconds_of_methods(review, attribute)
    whole = sum(seconds[name] for name in chosen)
    time = job_words.duration_words(
        timedelta(seconds=max(ROUNDED_TO, ROUNDED_TO * round(whole / ROUNDED_TO)))
    )
    st.caption(components.plain(words.cost(cache.dataset(review), time)))
    if st.button("Train beside it", icon=":material/play_arrow:", key="train_beside"):
        _start(review, attribute, tuple(chosen))


def _start(review: Review, attribute: str, methods: tuple[str, ...]) -> None:
    access.require_change()

    def work(progress: Progress) -> tuple[str, ...]:
        """Why methods made nothing, a sentence each."""
        problems = []
        for place, name in enumerate(methods):
            progress(place / len(methods), words.titled(name))
            try:
                told = progress.part(place / len(methods), (place + 1) / len(methods))
                cache.trained_beside(review, attribute, name, told)
            except FMDError as problem:  # the other methods go on
                problems.append(f"{words.titled(name)}: {problem}")
        return tuple(problems)

    title = f"Training beside the model, about {attribute}: {', '.join(map(words.titled, methods))}"
    key = f"beside {review} {attribute} {methods}"
    state.show_job(PLACE, job_panel.start_job(key, title, work, about=(PLACE, review.key)).id)
    st.rerun()


def _follow(review: Review) -> bool:
    """The panel of the work that goes on; whether there is any."""
    job = REGISTRY.find(state.shown_job(PLACE)) or next(
        (
            job
            for job in filter(None, map(REGISTRY.find, state.jobs()))
            if job.about == (PLACE, review.key) and job.live
        ),
        None,
    )
    if job is None or job.about != (PLACE, review.key):
        return False
    if job.state != "finished":
        job_panel.draw(job.id)
    elif isinstance(job.result, tuple):
        for problem in job.result:
            st.warning(components.plain(problem))
    if job.state == "stopped":
        st.info("Stopped. What was finished by then is kept; the model is as it was.")
    return job.live


# --- after


def _results(
    review: Review, attribute: str, improve: Improve, tolerance: float, learned: Review | None
) -> None:
    simpler = cache.deeper_baselines(review, attribute, improve, tolerance)
    others = [*simpler.values(), *judged(attribute, improve, tolerance)]
    shares = (0.0, *SHARES) if learned is not None else (0.0,)
    if learned is None:
        way = [(0.0, next(iter(cache.known_beside(review, attribute).values())).original)]
    else:
        way = [(share, cache.deeper_figures(learned, attribute, share)) for share in shares]
    view = words.build(cache.dataset(review), attribute, way, others, improve)
    figure = charts.frontier(
        [(spot.name, spot.across, spot.up) for spot in view.way],
        [(spot.name, spot.across, spot.up) for spot in view.spots], view.axis,
    )  # fmt: skip
    panels.picture(figure, view.summary, key="beside_frontier")
    if learned is None:
        st.table(panels.plain_cells(view.table), border="horizontal", hide_index=True, alt=view.summary)
    else:
        st.caption("The same figures are in the table of fixes above.")
