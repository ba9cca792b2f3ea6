"""One piece of long work as others see it, and what the work tells of itself."""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Literal

from app.jobs.durations import Size
from app.jobs.notes import JobNote
from fmd_core.errors import FMDError

JobState = Literal["waiting", "running", "finished", "stopped", "failed"]
SHARE_TO_TELL, SECONDS_TO_TELL = 0.02, 1.0  # before that a pace is a guess

NO_MEMORY = (
    "The computer ran out of memory during this work: choose less data or close other programs, "
    "then start it again."
)
ENDED_EARLY = "A library ended this work before it was done. Start it again; the server's log says more."
UNEXPECTED = "Something went wrong on our side. Start it again; the server's log says more."


class JobStopped(BaseException):
    """Raised inside work whose stop was asked for.

    Not an Exception, so that no `except Exception` on the way takes it for a failure and goes on.
    """


class Job:
    """One piece of long work as others see it. Plain attributes, each written whole: readers need
    no lock, and whoever sees the state `finished`, `stopped` or `failed` sees the rest complete."""

    def __init__(
        self,
        key: str,
        title: str,
        about: object = None,
        size: Size | None = None,
        expected: float | None = None,
    ) -> None:
        self.id = secrets.token_urlsafe(16)
        self.key = key
        self.title = title
        self.size = size
        self.expected = expected  # seconds, by what this machine did before
        self.about = about  # what it makes, for a page that finds it by the address; as its starter says
        self.state: JobState = "waiting"
        self.share = 0.0  # done, 0 to 1
        self.message = ""
        self.started: datetime | None = None
        self.finished: datetime | None = None
        self.error = ""  # one sentence, when failed
        self.result: object = None  # what the work returned, when finished
        self._followers: set[str] = set()  # sessions that wait for it
        self.note: int | None = None  # the open file that says that it is under way
        self._begun = 0.0  # by the monotonic clock, as is the next
        self._due: float | None = None
        self._stop = threading.Event()
        self._ended = threading.Event()
        self._over: list[Callable[[], None]] = []

    @property
    def live(self) -> bool:
        """Whether it waits or runs."""
        return self.state in ("waiting", "running")

    @property
    def stopping(self) -> bool:
        """Whether a stop was asked for that the work has not met yet."""
        return self.live and self._stop.is_set()

    @property
    def seconds_left(self) -> float | None:
        """Time to the end: by the pace so far, counting down between two reports; before that by past work of its
        kind. None when nobody can say: when a step outlasts the estimate, after the end."""
        if self.state == "waiting":
            return self.expected
        due = self._due
        left = None if due is None or self.state != "running" else due - time.monotonic()
        return left if left is None or left >= 0 else None

    @property
    def ended_with_server(self) -> bool:
        """Whether it was under way when an earlier server was killed or shut down."""
        return self.state == "stopped" and self.finished is None

    @classmethod
    def left_by(cls, note: JobNote) -> Job:
        """A job of an earlier server."""
        job = cls(note.key, note.title)
        job.id, job.started, job.state = note.id, datetime.fromisoformat(note.begun), "stopped"
        job._ended.set()
        return job

    def follow(self, who: str) -> None:
        """Let a session wait for it: as long as one does, another one's cancel does not stop it."""
        self._followers.add(who)

    def unfollow(self, who: str) -> None:
        """Let a session wait no longer."""
        self._followers.discard(who)

    def others(self, who: str, is_here: Callable[[str], bool]) -> bool:
        """Whether a session that `is_here` waits for it besides `who`."""
        return any(is_here(one) for one in tuple(self._followers) if one != who)

    def wait(self, seconds: float | None = None) -> bool:
        """Block until it ends, at most `seconds`; whether it did."""
        return self._ended.wait(seconds)

    def when_over(self, act: Callable[[], None]) -> None:
        """Call `act` at its end, also of one that is stopped before it began; at once when that is past."""
        self._over.append(act)
        if self._ended.is_set():
            self._act()

    def _act(self) -> None:
        while self._over:
            with suppress(IndexError):  # another thread took the last one
                self._over.pop()()

    def ask_to_stop(self) -> None:
        """Let the work end when it tells next how far it is."""
        self._stop.set()

    def begin(self) -> None:
        """It runs from now on."""
        self._begun, self.started = time.monotonic(), datetime.now(UTC)
        self._due = None if self.expected is None else self._begun + self.expected
        self.state = "running"

    def end(self, state: JobState) -> None:
        """It is over, by the one who ran it or took it off the list."""
        self.finished = datetime.now(UTC)
        self.state = state
        self._act()
        self._ended.set()
        self._act()  # what was asked for in between

    def run(self, work: Callable[[Progress], object]) -> None:
        """Do the work; whatever it raises ends this job and nothing else."""
        try:
            self.result = work(Progress(self))
        except BaseException as error:  # some libraries call sys.exit, and memory may run out
            if self._stop.is_set() or isinstance(error, JobStopped):
                self.end("stopped")
                return
            self.error = _in_words(error)
            if not isinstance(error, FMDError):
                logging.getLogger("fmd").error("job failed: %s", self.title, exc_info=error)
            self.end("failed")
        else:
            self.share = 1.0
            self.end("finished")


class Progress:
    """What work is given to tell how far it is; also fits where a `Callable[[float], None]` is asked for."""

    def __init__(self, job: Job, start: float = 0.0, end: float = 1.0) -> None:
        self._job, self._start, self._end = job, start, end

    def __call__(self, share: float, message: str = "") -> None:
        """Record the share done (0 to 1) and, unless empty, what goes on. Call it at least every second.

        Raises JobStopped when somebody asked the job to stop.
        """
        job = self._job
        if job._stop.is_set():
            raise JobStopped
        within = min(1.0, max(0.0, float(share)))
        done = self._start + within * (self._end - self._start)
        spent = time.monotonic() - job._begun
        if done >= SHARE_TO_TELL and spent >= SECONDS_TO_TELL:
            job._due = job._begun + spent / done
        job.share, job.message = done, message or job.message

    def part(self, start: float, end: float) -> Progress:
        """Progress for one step of several: its 0 to 1 becomes `start` to `end` of this one."""
        width = self._end - self._start
        return Progress(self._job, self._start + start * width, self._start + end * width)


def _in_words(error: BaseException) -> str:
    """Why work failed, as one sentence without anything technical."""
    if isinstance(error, FMDError):
        return str(error)
    text = str(error).lower()  # torch has no class of its own for memory on the processor
    if isinstance(error, MemoryError) or "allocate memory" in text or "out of memory" in text:
        return NO_MEMORY
    return ENDED_EARLY if isinstance(error, SystemExit) else UNEXPECTED
