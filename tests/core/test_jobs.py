"""Long work: started once, stopped within a second, and every end told in words."""

import logging
import subprocess
import sys
import threading
import time

import pytest

from app.jobs.job import ENDED_EARLY, NO_MEMORY, UNEXPECTED, JobStopped
from app.jobs.registry import REGISTRY, JobRegistry
from fmd_core.errors import DataError


@pytest.fixture
def registry():
    found = JobRegistry()
    yield found
    found.close()


@pytest.fixture
def gate():
    """Work with `held(gate)` goes on until the gate is set."""
    found = threading.Event()
    yield found
    found.set()


def held(gate, result=None):
    def work(progress):
        while not gate.wait(0.01):
            progress(0.5, "half way")
        return result

    return work


def until(condition, seconds=5.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.005)


# --- one start, one job


def test_a_job_runs_and_keeps_its_result(registry):
    job = registry.start("a", "Counting", lambda progress: progress(0.5, "half") or 42)
    assert job.wait(5)
    assert (job.state, job.result, job.share, job.message, job.error) == ("finished", 42, 1.0, "half", "")
    assert job.started <= job.finished
    assert not job.live
    assert registry.find(job.id) is job


def test_a_double_start_is_one_job(registry, gate):
    calls = []
    work = held(gate)
    jobs = [registry.start("a", "A", lambda p: calls.append(1) or work(p)) for _ in range(2)]
    gate.set()
    assert jobs[0] is jobs[1]
    assert jobs[0].wait(5)
    assert calls == [1]


def test_many_threads_that_start_the_same_get_one_job(registry, gate):
    found = []
    threads = [
        threading.Thread(target=lambda: found.append(registry.start("a", "A", held(gate)))) for _ in range(16)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({job.id for job in found}) == 1
    assert len(registry.recent()) == 1


def test_the_same_key_starts_again_after_the_end(registry):
    first = registry.start("a", "A", lambda _: 1)
    assert first.wait(5)
    second = registry.start("a", "A", lambda _: 2)
    assert second.wait(5)
    assert (first.result, second.result) == (1, 2)


def test_the_same_key_starts_again_while_the_first_is_being_stopped(registry):
    go_on = threading.Event()
    first = registry.start("a", "A", lambda p: go_on.wait(5) and p(0.5))
    until(lambda: first.state == "running")
    registry.cancel(first.id)
    assert first.stopping
    second = registry.start("a", "A", lambda _: "fresh")
    assert second is not first
    go_on.set()
    assert second.wait(5)
    assert (first.state, second.result) == ("stopped", "fresh")


# --- queue


def test_one_runs_and_the_others_wait_in_order(registry, gate):
    order = []
    first = registry.start("a", "A", held(gate))
    others = [registry.start(k, k, lambda _, k=k: order.append(k)) for k in "bcd"]
    until(lambda: first.state == "running")
    assert [job.state for job in others] == ["waiting"] * 3
    assert registry.recent() == (*reversed(others), first)
    gate.set()
    assert others[-1].wait(5)
    assert order == list("bcd")


def test_two_workers_run_two_at_a_time(gate):
    registry = JobRegistry(workers=2)
    jobs = [registry.start(k, k, held(gate)) for k in "abc"]
    until(lambda: [job.state for job in jobs] == ["running", "running", "waiting"])
    gate.set()
    assert all(job.wait(5) for job in jobs)


def test_brief_work_does_not_wait_for_a_training_but_for_other_brief_work(registry, gate):
    training = registry.start("t", "Training", held(gate))
    until(lambda: training.state == "running")
    brief = registry.start("b", "Looking", lambda _: 1, brief=True)
    assert brief.wait(5.0)
    assert (brief.result, training.state) == (1, "running")
    looking = registry.start("c", "Looking on", held(gate), brief=True)
    until(lambda: looking.state == "running")
    waiting = registry.start("d", "Looking too", lambda _: 2, brief=True)
    assert waiting.state == "waiting"
    registry.cancel(waiting.id)
    assert waiting.state == "stopped"


def test_no_thread_stays_when_nothing_is_to_do(registry):
    assert registry.start("a", "A", lambda _: None).wait(5)
    until(lambda: registry._lanes[False].busy == 0)
    assert registry.start("b", "B", lambda _: "again").wait(5)


# --- cancel


def test_cancel_while_running_stops_at_the_next_report(registry, gate):
    job = registry.start("a", "A", held(gate))
    until(lambda: job.message == "half way")
    asked = time.monotonic()
    registry.cancel(job.id)
    assert job.wait(1)
    assert time.monotonic() - asked < 1
    assert (job.state, job.result, job.error, job.stopping) == ("stopped", None, "", False)


def test_cancel_while_waiting_stops_at_once_and_never_runs(registry, gate):
    ran = []
    first = registry.start("a", "A", held(gate))
    second = registry.start("b", "B", ran.append)
    registry.cancel(second.id)
    assert second.state == "stopped"
    assert second.started is None
    gate.set()
    assert first.wait(5)
    until(lambda: registry._lanes[False].busy == 0)
    assert ran == []
    assert first.state == "finished"


def test_cancel_after_the_end_changes_nothing(registry):
    job = registry.start("a", "A", lambda _: 7)
    assert job.wait(5)
    registry.cancel(job.id)
    assert (job.state, job.result, job.stopping) == ("finished", 7, False)


def test_a_library_that_catches_every_exception_is_stopped_all_the_same(registry):
    def stubborn(progress):
        for _ in range(500):
            try:
                progress(0.1)
            except Exception:
                return "went on"
            time.sleep(0.01)

    job = registry.start("a", "A", stubborn)
    until(lambda: job.share > 0)
    registry.cancel(job.id)
    assert job.wait(1)
    assert (job.state, job.result) == ("stopped", None)


def test_an_error_on_the_way_out_of_a_stop_is_no_failure(registry, gate):
    def work(progress):
        try:
            held(gate)(progress)
        except JobStopped:
            raise RuntimeError("a library's own word for it") from None

    job = registry.start("a", "A", work)
    until(lambda: job.state == "running")
    registry.cancel(job.id)
    assert job.wait(1)
    assert (job.state, job.error) == ("stopped", "")


# --- failures in words


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (DataError("Column 'age' is empty; choose another."), "Column 'age' is empty; choose another."),
        (MemoryError(), NO_MEMORY),
        (
            RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"),
            NO_MEMORY,
        ),
        (SystemExit(3), ENDED_EARLY),
        (KeyError("/home/me/secret"), UNEXPECTED),
        (KeyboardInterrupt(), UNEXPECTED),
    ],
)
def test_a_failure_is_one_sentence_and_the_next_job_runs(registry, caplog, error, sentence):
    def work(progress):
        progress(0.25)
        raise error

    with caplog.at_level(logging.ERROR, "fmd"):
        job = registry.start("a", "Reading", work)
        assert job.wait(5)
    assert (job.state, job.error, job.share, job.result) == ("failed", sentence, 0.25, None)
    assert len(caplog.records) == (0 if isinstance(error, DataError) else 1)
    after = registry.start("b", "B", lambda _: "fine")
    assert after.wait(5)
    assert after.result == "fine"


# --- progress


@pytest.mark.parametrize(("told", "kept"), [(-1, 0.0), (0.3, 0.3), (1.0, 1.0), (7, 1.0), (float("nan"), 0.0)])
def test_any_share_told_is_kept_between_nothing_and_all(registry, told, kept):
    seen = []
    job = registry.start("a", "A", lambda p: p(told) or seen.append(job_of(registry).share))
    assert job.wait(5)
    assert (seen, job.state) == ([kept], "finished")


def job_of(registry):
    return registry.recent()[0]


def test_an_empty_message_keeps_the_last_one(registry):
    seen = []

    def work(progress):
        progress(0.1, "reading")
        progress(0.2)
        seen.append(job_of(registry).message)

    assert registry.start("a", "A", work).wait(5)
    assert seen == ["reading"]


def test_a_step_of_several_tells_its_part(registry):
    seen = []

    def work(progress):
        step = progress.part(0.5, 1.0)
        for share in (0.0, 0.5, 1.0):
            step.part(0.0, 0.5)(share)
            seen.append(job_of(registry).share)

    assert registry.start("a", "A", work).wait(5)
    assert seen == [0.5, 0.625, 0.75]


def test_seconds_left_follow_the_pace(registry, monkeypatch):
    clock, seen = [100.0], []
    monkeypatch.setattr("app.jobs.registry.time.monotonic", lambda: clock[0])

    def work(progress):
        job = job_of(registry)

        def at(seconds, share=None):
            clock[0] = 100.0 + seconds
            if share is not None:
                progress(share)
            seen.append(job.seconds_left)

        at(0.5, 0.5)  # too early
        at(10, 0.001)  # too little
        at(10, 0.25)
        at(20)  # counts down between reports
        at(41)  # outlasts the estimate
        at(60, 0.5)

    job = registry.start("a", "A", work)
    assert job._ended.wait(5)
    assert seen == [None, None, 30.0, 20.0, None, 60.0]
    assert job.seconds_left is None


def test_who_is_ahead_is_known_in_order(registry, gate):
    first, second, third = (registry.start(name, name.upper(), held(gate)) for name in "abc")
    until(lambda: first.state == "running")
    assert registry.ahead(third) == (first, second)
    assert registry.ahead(second) == (first,)
    assert registry.ahead(first) == ()
    registry.cancel(second.id)
    assert registry.ahead(third) == (first,)
    gate.set()
    assert third.wait(5)
    assert registry.ahead(third) == ()


def test_a_brief_job_does_not_wait_for_long_ones(registry, gate):
    registry.start("a", "A", held(gate))
    brief = registry.start("b", "B", held(gate), brief=True)
    until(lambda: brief.state == "running")
    assert registry.ahead(brief) == ()


# --- ids and history


@pytest.mark.parametrize(
    "hostile",
    [
        "",
        "x",
        "a" * 22,
        "../../etc/passwd",
        "<script>",
        "a" * 10_000,
        "ａ" * 22,
        "a" * 22 + "\n",
        None,
        7,
        ["a"],
    ],
)
def test_an_unknown_or_hostile_id_finds_nothing(registry, hostile):
    assert registry.find(hostile) is None
    registry.cancel(hostile)


def test_ids_cannot_be_guessed(registry):
    jobs = [registry.start(str(i), "A", lambda _: None) for i in range(20)]
    assert len({job.id for job in jobs}) == 20
    assert all(len(job.id) == 22 for job in jobs)


def test_the_history_is_bounded_and_drops_what_ended_first(gate):
    registry = JobRegistry(workers=2, keep=5)
    long = registry.start("long", "Long", held(gate))
    short = [registry.start(str(i), "Short", lambda _, i=i: bytearray(i)) for i in range(20)]
    assert short[-1].wait(5)
    until(lambda: len(registry.recent()) == 6)
    assert registry.recent() == (*reversed(short[-5:]), long)
    assert registry.find(short[0].id) is None
    gate.set()
    assert long.wait(5)
    until(lambda: len(registry.recent()) == 5)
    assert registry.find(long.id) is long  # started first, ended last


def test_jobs_cancelled_while_waiting_count_as_history(gate):
    registry = JobRegistry(keep=3)
    registry.start("long", "Long", held(gate))
    for i in range(10):
        registry.cancel(registry.start(str(i), "Short", held(gate)).id)
    assert len(registry.recent()) == 4


def test_work_is_let_go_when_its_job_ended(registry):
    import gc
    import weakref

    class Heavy:
        def __call__(self, progress):
            progress(1.0)

    work = Heavy()
    ref = weakref.ref(work)
    assert registry.start("a", "A", work).wait(5)
    del work
    until(lambda: gc.collect() is not None and ref() is None)


# --- the end of the process


@pytest.mark.parametrize(
    ("work", "told"),
    [
        ("lambda p: [p(0.1) or time.sleep(0.05) for _ in range(10_000)]", "tidied"),
        ("lambda p: time.sleep(60)", ""),  # it never looks: nobody waits for it
    ],
)
def test_the_process_ends_promptly_while_a_job_runs(work, told):
    code = f"""
import time
from app.jobs.registry import REGISTRY
def work(progress):
    try:
        ({work})(progress)
    except BaseException:
        print("tidied", flush=True)
        raise
job = REGISTRY.start("a", "A", work)
while job.state != "running":
    time.sleep(0.01)
print(time.time(), flush=True)
"""
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30)
    ended = time.time()
    began, *rest = answer.stdout.split()
    assert (answer.returncode, answer.stderr, " ".join(rest)) == (0, "", told)
    assert ended - float(began) < 2.5


def test_the_dashboard_has_one_registry():
    assert isinstance(REGISTRY, JobRegistry)


def test_what_is_to_follow_follows_every_end_once():
    registry, may_end, done = JobRegistry(), threading.Event(), []
    running = registry.start("a", "a", lambda _: may_end.wait(30))
    waiting = registry.start("b", "b", lambda _: None)
    running.when_over(lambda: done.append("a"))
    waiting.when_over(lambda: done.append("b"))
    assert done == []
    registry.cancel(waiting.id)
    assert done == ["b"]
    may_end.set()
    assert running.wait(30)
    assert done == ["b", "a"]
    running.when_over(lambda: done.append("later"))
    assert done == ["b", "a", "later"]
