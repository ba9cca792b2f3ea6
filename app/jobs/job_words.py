"""What is said of work that goes on: how far it is, what comes before it, how long things take."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import streamlit as st

from app.jobs.job import Job
from app.jobs.registry import REGISTRY
from app.session import state
from fmd_core import figures

MOST_NAMED = 3  # works before one's own that are named


def state_words(job: Job) -> str:
    """Where a job stands, in words."""
    if job.stopping:
        return "Stopping"
    if job.state == "running":
        return ", ".join(filter(None, [f"{100 * job.share:.0f} % done", time_left_words(job.seconds_left)]))
    if job.ended_with_server:
        return "Stopped when the server ended"
    took = duration_words(job.finished - job.started) if job.finished and job.started else ""
    return {
        "waiting": "Waiting until other work is done",
        "finished": f"Finished in {took}" if took else "Finished",
        "stopped": f"Stopped after {took}" if took else "Stopped before it began",
        "failed": f"Failed after {took}" if took else "Failed",
    }[job.state]


def heading(job: Job, then: str) -> tuple[str, str]:
    """Headline and lead of a page whose work goes on; `then` is a sentence on what will be there."""
    said = f"{job.title} waits for its turn." if REGISTRY.ahead(job) else f"{job.title}."
    return said, f"You may go on elsewhere; the sidebar says how far it is. {then}"


def queue_words(job: Job) -> str:
    """Whose work comes before this one's and how long that takes; nothing of one that runs. Another visitor's work
    has no name here: its title may name their data."""
    ahead, own = REGISTRY.ahead(job), state.jobs()
    if not ahead:
        return ""
    named = [
        f"your own \u201c{other.title}\u201d" if other.id in own else "somebody else's work"
        for other in ahead
    ]
    shown = [*named[:MOST_NAMED], *([f"{len(named) - MOST_NAMED} more"] if len(named) > MOST_NAMED else [])]
    left = [other.seconds_left for other in ahead]
    known = [seconds for seconds in left if seconds is not None]
    until = "" if len(known) < len(left) else f" ({time_left_words(sum(known))})"
    return f"Before it: {figures.listed(shown)}{until}."


def since_words(job: Job) -> str:
    """Since when it runs, by the clock of who looks."""
    if job.state != "running" or job.started is None:
        return ""
    try:
        zone = ZoneInfo(st.context.timezone or "")
    except (ValueError, KeyError, OSError):  # the browser did not say, or this machine does not know it
        return f"for {duration_words(datetime.now(UTC) - job.started)}"
    return (
        f"since {job.started.astimezone(zone):%H:%M}, for {duration_words(datetime.now(UTC) - job.started)}"
    )


def expected_words(job: Job) -> str:
    """How long a job that waits will take once it runs; nothing where this machine did nothing like it yet."""
    if job.state != "waiting" or job.expected is None:
        return ""
    return f"takes {about_words(job.expected)} once it runs"


def about_words(seconds: float) -> str:
    """About how long something takes in all."""
    return "a few seconds" if seconds < 10 else f"about {_rounded(seconds)}"


def time_left_words(seconds: float | None) -> str:
    """About how long something still takes; nothing when nobody can say."""
    if seconds is None:
        return ""
    if seconds < 10:
        return "a few seconds left"
    return f"about {_rounded(seconds)} left"


def duration_words(took: timedelta) -> str:
    """How long something took."""
    seconds = took.total_seconds()
    if seconds < 1:
        return "less than a second"
    return _count(round(seconds), "second") if seconds < 59.5 else _rounded(seconds)


def _rounded(seconds: float) -> str:
    """A time as a person says it: tens of seconds, minutes, half hours."""
    if seconds < 55:
        return _count(round(seconds, -1), "second")
    if seconds < 59.5 * 60:
        return _count(max(1, round(seconds / 60)), "minute")
    return _count(round(seconds / 1800) / 2, "hour")


def _count(number: float, unit: str) -> str:
    return f"{number:g} {unit}{'' if number == 1 else 's'}"
