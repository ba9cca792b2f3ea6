"""Long work on screen: a panel for one job, a list of this visitor's jobs in the sidebar.

Both poll only while something lives; the end of a job reruns the page once, which draws it without
a timer. Titles and messages may hold names from files, so they are never read as Markdown.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from html import escape

import streamlit as st
from streamlit.runtime import Runtime
from streamlit.runtime.scriptrunner import get_script_run_ctx

from app.jobs import job_words
from app.jobs.durations import Size
from app.jobs.job import Job, Progress
from app.jobs.registry import REGISTRY
from app.session import access, state
from app.widgets import components
from fmd_core import FMDError

PANEL_SECONDS, LIST_SECONDS = 0.5, 2.0  # between two looks; every look costs the server a small rerun
LISTED_FOR = timedelta(seconds=20)  # after its end; who is on another page sees that it is done
BEGIN_AGAIN = "Nothing of it was kept; begin it again on its page, unless the page does so by itself."
GOES_ON = "You stopped waiting for this work. It goes on for somebody else who needs the same."
ELSEWHERE = (
    "under way for {}, in another process of this server. Whoever began it sees how far it is and can stop it; what is "
    "kept of it will be here too."
)
UNKNOWN = "That job is not known here; it may have ended with the server."


def start_job(
    key: str, title: str, work: Callable[[Progress], object], about: object = None, size: Size | None = None
) -> Job:
    """Begin long work, or find the same work going on, and put its id into address and session."""
    job = REGISTRY.start(key, title, work, about=about, size=size)
    follow(job)
    return job


def follow(job: Job) -> None:
    """Put a job's id into address and session, so that a refresh finds it again."""
    state.come_back()
    state.remember_job(job.id)
    job.follow(_session())
    st.query_params["job"] = job.id


def leave(job: Job) -> None:
    """Take a job that ended off the list and out of the address: the page shows what came of it."""
    state.forget_job(job.id)
    if st.query_params.get("job") == job.id:
        del st.query_params["job"]


def draw(job_id: str, also: Callable[[Job], None] | None = None) -> Job | None:
    """A panel that follows one job to its end; `also` draws what it can show before. None, and a sentence, when
    nobody knows the id."""
    job = REGISTRY.find(job_id)
    if job is None:
        st.info(UNKNOWN)
        return None
    if state.has_left(job.id):
        st.info(GOES_ON)
        return None
    _follow(partial(_panel, also=also), (job.id,), PANEL_SECONDS)
    return job


def sidebar_list() -> None:
    """This visitor's jobs, the latest first, with the one that the address names."""
    named = st.query_params.get("job", "")
    if REGISTRY.find(named) and named not in state.jobs():
        state.remember_job(named)
    for job_id in state.jobs():
        job = REGISTRY.find(job_id)
        if job is None:  # ended so long ago that it was dropped
            state.forget_job(job_id)
        elif _is_over(job):
            leave(job)
    with st.sidebar:
        if state.jobs():
            _follow(_list, state.jobs()[::-1], LIST_SECONDS, _until_off_the_list())
        if named and REGISTRY.find(named) is None:
            _somewhere_else(named)


def _somewhere_else(job_id: str) -> None:
    """A job of which this process has nothing but its note: it is watched until it ends, or nobody knows it."""
    if REGISTRY.elsewhere(job_id) is None:
        st.caption(UNKNOWN)
        return

    def poll() -> None:
        note = REGISTRY.elsewhere(job_id)
        if note is None:
            gone = REGISTRY.find(job_id) is None  # it ended; one whose process was killed is listed as such
            if gone and st.query_params.get("job") == job_id:
                del st.query_params["job"]
            st.rerun()
        else:
            begun = datetime.fromisoformat(note.begun)
            _line(f"{note.title}: {ELSEWHERE.format(job_words.duration_words(datetime.now(UTC) - begun))}")

    st.fragment(poll, run_every=LIST_SECONDS)()


def _is_over(job: Job) -> bool:
    """Whether a job ended well, or was stopped, and its end has been listed for long enough."""
    return (
        not job.live
        and not _stays(job)
        and job.finished is not None
        and datetime.now(UTC) - job.finished > LISTED_FOR
    )


def _until_off_the_list() -> float | None:
    """Seconds until the first job that ended leaves the list, a little more; None where none will."""
    ended = [
        job.finished for job in map(REGISTRY.find, state.jobs()) if job and job.finished and not _stays(job)
    ]
    if not ended:
        return None
    return max(0.0, (min(ended) + LISTED_FOR - datetime.now(UTC)).total_seconds()) + 1


def _stays(job: Job) -> bool:
    """Whether a job is listed until the visitor has seen how it ended: nothing came of it that they wanted."""
    return job.state == "failed" or job.ended_with_server


def _known(ids: tuple[str, ...]) -> list[Job]:
    """The jobs of these ids, which this session waits for as long as it shows them."""
    found = [job for job in map(REGISTRY.find, ids) if job and not state.has_left(job.id)]
    for job in found:
        job.follow(_session())
    return found


def _live(ids: tuple[str, ...]) -> set[str]:
    return {job.id for job in _known(ids) if job.live}


def _follow(
    part: Callable[..., None], ids: tuple[str, ...], seconds: float, after: float | None = None
) -> None:
    """Draw a part, again and again while one of its jobs lives, and rerun the page when one ends. `after` is when to
    look once more though none lives, in seconds."""
    live = _live(ids)

    def poll() -> None:
        if live - _live(ids):
            st.rerun()
        part(ids)

    st.fragment(poll, run_every=seconds if live else after)()


def _panel(ids: tuple[str, ...], also: Callable[[Job], None] | None = None) -> None:
    """One job: what it does, how far it is, what it shows so far, and a way to stop it."""
    for job in _known(ids):
        with st.container(border=True):
            st.html(f"<strong>{escape(job.title)}</strong>")
            if job.state == "failed":
                components.show_problem(FMDError(job.error))
            elif job.live:
                st.progress(job.share)
            said = (job_words.state_words(job), job_words.since_words(job), job_words.expected_words(job))
            _line(" · ".join(filter(None, (*said, job.message if job.live else ""))))
            if waits := job_words.queue_words(job):
                _line(waits)
            if also:
                also(job)
            if job.live and access.may_change():
                _cancel_button(job)
                if job.others(_session(), _is_here):
                    _line("Somebody else waits for the same work: if you cancel, it goes on for them.")
            elif job.ended_with_server:
                _line(BEGIN_AGAIN)


def _session() -> str:
    """Who looks, by Streamlit's id of the session."""
    context = get_script_run_ctx()
    return context.session_id if context else ""


def _is_here(session: str) -> bool:
    """Whether a session still has a browser: a refresh or a closed tab leaves one without."""
    return not Runtime.exists() or Runtime.instance().is_active_session(session)


def _cancel(job_id: str) -> None:
    """Stop a job, or only stop waiting for it where somebody else does too."""
    if not REGISTRY.leave(job_id, _session(), _is_here):
        state.leave_job(job_id)
        if st.query_params.get("job") == job_id:
            del st.query_params["job"]


def _cancel_button(job: Job) -> None:
    st.button(
        "Cancel",
        key=f"cancel_{job.id}",
        on_click=_cancel,
        args=(job.id,),
        disabled=job.stopping,
        help="What was done so far is thrown away.",
    )


def _list(ids: tuple[str, ...]) -> None:
    """Jobs in a few words each; nothing once all of them have ended and been listed for long enough."""
    shown = [job for job in _known(ids) if not _is_over(job)]
    if not shown:
        return
    st.html("<div style='font-size:.87rem;font-weight:600'>Work in the background</div>")
    for job in shown:
        _line(
            f"{job.title}: {job_words.state_words(job)}{f'. {BEGIN_AGAIN}' if job.ended_with_server else ''}"
        )
        if job.live:
            st.progress(job.share)
        elif _stays(job) and st.button("Dismiss", key=f"dismiss_{job.id}", type="tertiary"):
            leave(job)
            st.rerun()


def _line(text: str) -> None:
    st.html(f"<div style='font-size:.87rem'>{escape(text)}</div>")
