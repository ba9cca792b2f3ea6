"""Long work beside the pages: in a thread, with progress, cancel and an id that survives a refresh.

A page starts work and goes on; whoever knows the job's id can look at it and stop it, also after
a refresh, in a second tab or when the connection was lost. A thread, because a process takes
4-7 s to import torch (measured), a thread 0.6 s, and the second visitor hardly notices either.
torch keeps to one thread in a job because the warm-up told the whole process so.
"""

from __future__ import annotations

import atexit
import logging
import re
import secrets
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal

from app.jobs.durations import DURATIONS, Durations, Size
from app.jobs.notes import JobNote, JobNotes
from fmd_core.errors import FMDError

JobState = Literal["waiting", "running", "finished", "stopped", "failed"]
JOB_ID = re.compile(r"[A-Za-z0-9_-]{22}")  # what secrets.token_urlsafe(16) gives
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
        self._note: int | None = None  # the open file that says that it is under way
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

    def _begin(self) -> None:
        self._begun, self.started = time.monotonic(), datetime.now(UTC)
        self._due = None if self.expected is None else self._begun + self.expected
        self.state = "running"

    def _end(self, state: JobState) -> None:
        self.finished = datetime.now(UTC)
        self.state = state
        self._act()
        self._ended.set()
        self._act()  # what was asked for in between

    def _run(self, work: Callable[[Progress], object]) -> None:
        """Do the work; whatever it raises ends this job and nothing else."""
        try:
            self.result = work(Progress(self))
        except BaseException as error:  # some libraries call sys.exit, and memory may run out
            if self._stop.is_set() or isinstance(error, JobStopped):
                self._end("stopped")
                return
            self.error = _in_words(error)
            if not isinstance(error, FMDError):
                logging.getLogger("fmd").error("job failed: %s", self.title, exc_info=error)
            self._end("failed")
        else:
            self.share = 1.0
            self._end("finished")


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


Task = tuple[Job, Callable[[Progress], object]]


@dataclass
class _Lane:
    """Jobs that wait, and how many threads work on them."""

    busy: int = 0
    queue: deque[Task] = field(default_factory=deque)
    running: list[Job] = field(default_factory=list)


class JobRegistry:
    """Every job of this process. At most `workers` run at a time, and as many brief ones beside them: a page
    that needs seconds does not wait until a training ends. The others wait their turn; of those that
    ended, the latest `keep` are remembered with their results. With `notes`, a job that was under way
    when its server was killed is found again, as stopped. With `durations`, work that ends well teaches how long
    the next of its kind will take."""

    def __init__(
        self,
        workers: int = 1,
        keep: int = 50,
        notes: JobNotes | None = None,
        durations: Durations | None = None,
    ) -> None:
        self._workers, self._keep, self._notes, self._durations = workers, keep, notes, durations
        self._closing = False
        self._lock = threading.Lock()
        self._jobs: dict[str, Job] = {}  # by id, in the order of starting
        self._past: deque[str] = deque()  # ids of those that ended, in the order of ending
        self._lanes = {False: _Lane(), True: _Lane()}  # by whether its jobs are brief

    def start(
        self,
        key: str,
        title: str,
        work: Callable[[Progress], object],
        *,
        brief: bool = False,
        about: object = None,
        size: Size | None = None,
    ) -> Job:
        """Have `work` done in the background. `key` names its content: while a job of the same key
        waits or runs, that one is returned, so a double click or a second tab starts nothing twice.
        `brief` says that it is a matter of seconds, and somebody is looking at the page that needs it; `size`
        how much it is, by which this machine learns how long such work takes.
        """
        expected = self._durations.expect(size) if self._durations and size else None
        with self._lock:
            for job in self._jobs.values():
                if job.key == key and job.live and not job.stopping:
                    return job
            lane = self._lanes[brief]
            if lane.busy < self._workers:
                # No executor of concurrent.futures: the interpreter waits for its threads at exit.
                threading.Thread(target=self._work_off, args=(lane,), name="fmd-job", daemon=True).start()
                lane.busy += 1
            job = Job(key, title, about, size, expected)
            if self._notes:
                job._note = self._notes.write(job.id, key, title)
            self._jobs[job.id] = job
            lane.queue.append((job, work))
            return job

    def find(self, job_id: object) -> Job | None:
        """The job of this id. None for any other value: ids come from the address, so from anybody."""
        known = isinstance(job_id, str) and JOB_ID.fullmatch(job_id)
        if not known:
            return None
        return self._jobs.get(known.string) or self._left(known.string)

    def elsewhere(self, job_id: object) -> JobNote | None:
        """What is known of a job that another process with the same folder is doing; None for one of ours."""
        known = isinstance(job_id, str) and JOB_ID.fullmatch(job_id)
        if not known or not self._notes or known.string in self._jobs:
            return None
        return self._notes.elsewhere(known.string)

    def cancel(self, job_id: str) -> None:
        """Ask a job to stop: at once while it waits, at its next report while it runs. After its end,
        or for an id that nobody knows, nothing happens."""
        job = self.find(job_id)
        if job is None:
            return
        with self._lock:
            job._stop.set()
            if job.state == "waiting":
                for lane in self._lanes.values():
                    lane.queue = deque(entry for entry in lane.queue if entry[0] is not job)
                job._end("stopped")
                self._keep_latest(job)

    def leave(self, job_id: str, who: str, is_here: Callable[[str], bool]) -> bool:
        """Let a session wait no longer; whether that asked the job to stop, since no other session that `is_here`
        waits for it."""
        job = self.find(job_id)
        if job is None:
            return False
        with self._lock:  # two that leave at once: the second one stops it
            job._followers.discard(who)
            is_last = not job.others(who, is_here)
        if is_last:
            self.cancel(job_id)
        return is_last

    def live(self, key: str) -> Job | None:
        """The job of this key that waits or runs and is not to stop."""
        with self._lock:
            return next((j for j in self._jobs.values() if j.key == key and j.live and not j.stopping), None)

    def ahead(self, job: Job) -> tuple[Job, ...]:
        """Jobs that run or wait and must end before this one begins, in their order; none of one that runs."""
        with self._lock:
            for lane in self._lanes.values():
                waiting = [entry[0] for entry in lane.queue]
                if job in waiting:
                    return (*lane.running, *waiting[: waiting.index(job)])
        return ()

    def recent(self) -> tuple[Job, ...]:
        """Every job that waits, runs or is remembered, the latest started first."""
        with self._lock:
            return tuple(reversed(self._jobs.values()))

    def close(self, seconds: float = 1.0) -> None:
        """Ask every job to stop and give them `seconds` to tidy up. The next server says that they stopped."""
        self._closing = True
        live = [job for job in self.recent() if job.live]
        for job in live:
            self.cancel(job.id)
        until = time.monotonic() + seconds
        for job in live:
            job.wait(max(0.0, until - time.monotonic()))

    def _work_off(self, lane: _Lane) -> None:
        """What a worker thread does: jobs from its queue until there are none."""
        while task := self._next(lane):
            task[0]._run(task[1])
            self._learn_from(task[0])
            with self._lock:
                lane.running.remove(task[0])
                self._keep_latest(task[0])

    def _next(self, lane: _Lane) -> Task | None:
        with self._lock:
            if not lane.queue:
                lane.busy -= 1
                return None
            task = lane.queue.popleft()
            lane.running.append(task[0])
            task[0]._begin()
            return task

    def _learn_from(self, job: Job) -> None:
        if self._durations and job.size and job.state == "finished" and job.started and job.finished:
            self._durations.record(job.size, (job.finished - job.started).total_seconds())

    def _left(self, job_id: str) -> Job | None:
        """A job of an earlier server, remembered from now on like one that ended here."""
        note = self._notes.left(job_id) if self._notes else None
        if note is None:
            return None
        with self._lock:
            job = self._jobs.get(job_id)
            if job is None:
                job = self._jobs[job_id] = Job.left_by(note)
                self._keep_latest(job)
            return job

    def _keep_latest(self, ended: Job) -> None:
        if self._notes and not (self._closing and ended.state == "stopped"):
            self._notes.erase(ended.id, ended._note)
        self._past.append(ended.id)
        if len(self._past) > self._keep:
            del self._jobs[self._past.popleft()]


def _in_words(error: BaseException) -> str:
    """Why work failed, as one sentence without anything technical."""
    if isinstance(error, FMDError):
        return str(error)
    text = str(error).lower()  # torch has no class of its own for memory on the processor
    if isinstance(error, MemoryError) or "allocate memory" in text or "out of memory" in text:
        return NO_MEMORY
    return ENDED_EARLY if isinstance(error, SystemExit) else UNEXPECTED


REGISTRY = JobRegistry(notes=JobNotes(), durations=DURATIONS)
"""The one that the dashboard uses."""
atexit.register(REGISTRY.close)  # so that no half-written file stays behind
