"""Long work beside the pages: in a thread, with progress, cancel and an id that survives a refresh.

A page starts work and goes on; whoever knows the job's id can look at it and stop it, also after
a refresh, in a second tab or when the connection was lost. A thread, because a process takes
4-7 s to import torch (measured), a thread 0.6 s, and the second visitor hardly notices either.
torch keeps to one thread in a job because the warm-up told the whole process so.
"""

from __future__ import annotations

import atexit
import re
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from app.jobs.durations import DURATIONS, Durations, Size
from app.jobs.job import Job, Progress
from app.jobs.notes import JobNote, JobNotes

JOB_ID = re.compile(r"[A-Za-z0-9_-]{22}")  # what secrets.token_urlsafe(16) gives
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
                job.note = self._notes.write(job.id, key, title)
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
            job.ask_to_stop()
            if job.state == "waiting":
                for lane in self._lanes.values():
                    lane.queue = deque(entry for entry in lane.queue if entry[0] is not job)
                job.end("stopped")
                self._keep_latest(job)

    def leave(self, job_id: str, who: str, is_here: Callable[[str], bool]) -> bool:
        """Let a session wait no longer; whether that asked the job to stop, since no other session that `is_here`
        waits for it."""
        job = self.find(job_id)
        if job is None:
            return False
        with self._lock:  # two that leave at once: the second one stops it
            job.unfollow(who)
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
            task[0].run(task[1])
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
            task[0].begin()
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
            self._notes.erase(ended.id, ended.note)
        self._past.append(ended.id)
        if len(self._past) > self._keep:
            del self._jobs[self._past.popleft()]


REGISTRY = JobRegistry(notes=JobNotes(), durations=DURATIONS)
"""The one that the dashboard uses."""
atexit.register(REGISTRY.close)  # so that no half-written file stays behind
