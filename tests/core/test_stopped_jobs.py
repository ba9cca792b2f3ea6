"""A job whose server was killed is found again as stopped; one that ended, or lives elsewhere, is not."""

import json
import os
import signal
import subprocess
import sys
import threading
from datetime import UTC, datetime

import pytest

from app.jobs import notes as stopped_jobs
from app.jobs.notes import JobNotes
from app.jobs.registry import JobRegistry

SERVER = """
import sys, time
from pathlib import Path
from app.jobs.registry import JobRegistry
from app.jobs.notes import JobNotes

registry = JobRegistry(notes=JobNotes(Path(sys.argv[1])))
jobs = [registry.start(f"key {n}", f"Training {n}", lambda progress: time.sleep(60)) for n in range(2)]
while jobs[0].state != "running":
    time.sleep(0.01)
print(*(job.id for job in jobs), flush=True)
sys.stdin.read()
if sys.argv[2] == "close":
    registry.close(0.1)
"""


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "jobs"


@pytest.fixture
def server(folder):
    """Another server on the same folder: the ids of a job that runs and one that waits, and how to end it."""
    processes = []

    def start(end="kill"):
        process = subprocess.Popen(
            [sys.executable, "-c", SERVER, str(folder), end], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        processes.append(process)
        return process, process.stdout.readline().decode().split()

    yield start
    for process in processes:
        process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()


def next_server(folder):
    return JobRegistry(notes=JobNotes(folder))


def test_jobs_of_a_killed_server_have_stopped_and_others_can_begin(folder, server):
    process, ids = server()
    assert all(next_server(folder).find(job) is None for job in ids), "they live, if elsewhere"
    told = [next_server(folder).elsewhere(job) for job in ids]
    assert [(note.id, note.title) for note in told] == [(job, f"Training {n}") for n, job in enumerate(ids)]
    process.send_signal(signal.SIGKILL)
    process.wait()
    registry = next_server(folder)
    assert all(registry.elsewhere(job) is None for job in ids)
    for number, job in enumerate(map(registry.find, ids)):
        assert (job.state, job.ended_with_server, job.live) == ("stopped", True, False)
        assert (job.id, job.key, job.title) == (ids[number], f"key {number}", f"Training {number}")
        assert job.started <= datetime.now(UTC)
        assert job.wait(0)
    again = registry.start("key 0", "Training 0", lambda _: "done")
    assert again.id != ids[0]
    assert again.wait(5)
    assert again.result == "done"
    assert next_server(folder).find(ids[0]).ended_with_server, "also after a second restart"


def test_jobs_of_a_server_that_was_shut_down_have_stopped_with_it(folder, server):
    process, ids = server("close")
    process.stdin.close()
    process.wait(10)
    assert [next_server(folder).find(job).ended_with_server for job in ids] == [True, True]


def test_a_job_that_ended_leaves_no_note(folder):
    registry, gate = next_server(folder), threading.Event()
    ended = registry.start("a", "A", lambda _: 1 / 0)
    assert ended.wait(5)
    held = registry.start("b", "B", lambda _: gate.wait(5))
    waiting = registry.start("c", "C", lambda _: None)
    assert {path.stem for path in folder.iterdir()} >= {held.id, waiting.id}
    assert registry.elsewhere(held.id) is None  # it is here
    registry.cancel(waiting.id)
    gate.set()
    assert held.wait(5)
    last = registry.start("d", "D", lambda _: None)  # the worker tidies up before it takes the next
    assert last.wait(5)
    assert {path.stem for path in folder.iterdir()} <= {last.id}
    assert not ended.ended_with_server
    assert not waiting.ended_with_server


def test_a_note_is_for_the_user_of_the_server_only(folder):
    notes = JobNotes(folder)
    file = notes.write("a" * 22, "key", "title")
    assert (folder.stat().st_mode & 0o777, (folder / f"{'a' * 22}.json").stat().st_mode & 0o777) == (
        0o700,
        0o600,
    )
    notes.erase("a" * 22, file)
    assert not list(folder.iterdir())


@pytest.mark.parametrize(
    "text",
    [
        "", '{"id": "', "[]", "{}", "5", '"x"', "\ud800",
        json.dumps({"id": "b" * 22, "key": "k", "title": "t", "begun": "2026-01-01T00:00:00+00:00"}),
        json.dumps({"id": "a" * 22, "key": "k", "title": "t", "begun": "yesterday"}),
        json.dumps({"id": "a" * 22, "key": "k", "title": 5, "begun": "2026-01-01T00:00:00+00:00"}),
        json.dumps({"id": "a" * 22, "key": "k", "title": "t" * 1_000_000, "begun": "2026-01-01T00:00:00+00:00"}),
        json.dumps({"id": "a" * 22, "key": "k", "title": "t", "begun": 5}), "[" * 10_000,
    ],
)  # fmt: skip
def test_a_note_that_is_torn_or_forged_is_not_believed(folder, text):
    folder.mkdir()
    (folder / f"{'a' * 22}.json").write_bytes(text.encode(errors="surrogatepass"))
    assert next_server(folder).find("a" * 22) is None


def test_the_latest_notes_are_kept_and_never_a_living_one_dropped(folder, monkeypatch):
    monkeypatch.setattr(stopped_jobs, "MOST_KEPT", 2)
    notes = JobNotes(folder)
    living = notes.write("0" * 22, "key", "title")
    for number in range(1, 6):
        os.close(notes.write(str(number) * 22, "key", "title"))  # as if its process had died
        os.utime(folder / f"{str(number) * 22}.json", ns=(number, number))
    os.utime(folder / f"{'0' * 22}.json", ns=(0, 0))
    newest = notes.write("9" * 22, "key", "title")
    assert {path.stem[0] for path in folder.iterdir()} == {"0", "5", "9"}
    notes.erase("0" * 22, living)
    notes.erase("9" * 22, newest)


def test_work_is_done_where_no_note_can_be_written(tmp_path, caplog):
    (tmp_path / "jobs").write_text("a file in the way")
    registry = next_server(tmp_path / "jobs")
    job = registry.start("a", "A", lambda _: 42)
    assert job.wait(5)
    assert job.result == 42
    assert "a job is not noted" in caplog.text
