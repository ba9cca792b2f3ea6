"""How long work takes on this machine: learned from what it did, never made up."""

import json

import pytest

from app.jobs.durations import KEPT, KINDS, Durations, Size
from app.jobs.registry import JobRegistry


@pytest.fixture
def durations(tmp_path):
    return Durations(tmp_path / "folder" / "durations.json")


def test_a_machine_that_did_nothing_like_it_knows_nothing(durations):
    assert durations.expect(Size("train", 100)) is None
    durations.record(Size("train", 100), 10)
    assert durations.expect(Size("read", 100)) is None


def test_the_middle_pace_counts_and_grows_with_the_size(durations):
    for seconds in (10, 12, 90):  # once another program was in the way
        durations.record(Size("train", 100), seconds)
    assert durations.expect(Size("train", 200)) == pytest.approx(24)


def test_works_about_as_large_tell_best(durations):
    durations.record(Size("train", 10), 5)  # nearly all of it is the beginning
    durations.record(Size("train", 1000), 100)
    assert durations.expect(Size("train", 900)) == pytest.approx(90)
    assert durations.expect(Size("train", 12)) == pytest.approx(6)


def test_another_server_reads_what_one_learned(durations, tmp_path):
    durations.record(Size("train", 100), 10)
    assert Durations(tmp_path / "folder" / "durations.json").expect(Size("train", 100)) == pytest.approx(10)


def test_only_the_latest_are_kept(durations, tmp_path):
    for n in range(KEPT + 3):
        durations.record(Size("train", 100), 10 + n)
    for n in range(KINDS + 1):
        durations.record(Size(f"kind {n}", 1), 1)
    told = json.loads((tmp_path / "folder" / "durations.json").read_text())
    assert len(told) == KINDS
    assert "train" not in told
    durations.record(Size("train", 100), 10)
    for n in range(KEPT + 3):
        durations.record(Size("train", 100), 20 + n)
    assert len(json.loads((tmp_path / "folder" / "durations.json").read_text())["train"]) == KEPT


@pytest.mark.parametrize(
    "told",
    ["", "no JSON", "[]", '{"train": 3}', '{"train": [[1, -2]]}', '{"train": [[1]]}', '{"train": [[0, 1], ["a", 1]]}',
     '{"train": [[true, 1]]}', '{"train": [[NaN, 1], [Infinity, 2]]}', "[" * 100_000],
)  # fmt: skip
def test_a_file_that_says_nothing_is_no_error(durations, tmp_path, told):
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "durations.json").write_text(told)
    assert durations.expect(Size("train", 100)) is None
    durations.record(Size("train", 100), 10)
    assert durations.expect(Size("train", 100)) == pytest.approx(10)


def test_a_disk_that_takes_no_note_loses_an_estimate_only(tmp_path):
    (tmp_path / "file").write_text("in the way")
    blocked = Durations(tmp_path / "file" / "durations.json")
    blocked.record(Size("train", 100), 10)
    assert blocked.expect(Size("train", 100)) is None


def test_work_that_ended_well_teaches_and_work_that_failed_does_not(durations):
    registry = JobRegistry(durations=durations)

    def fail(_progress):
        raise ValueError

    assert registry.start("a", "A", fail, size=Size("train", 10)).wait(5)
    job = registry.start("b", "B", lambda _: None, size=Size("read", 10))
    assert job.wait(5)
    assert job.expected is None
    registry.start("c", "C", lambda _: None).wait(5)  # the worker has learned before it goes on
    assert durations.expect(Size("train", 10)) is None
    assert durations.expect(Size("read", 10)) > 0
    registry.close()


def test_time_left_is_known_before_the_first_report(durations):
    durations.record(Size("train", 10), 600)
    registry, seen = JobRegistry(durations=durations), []

    def work(_progress):
        seen.append(job_of(registry).seconds_left)

    assert registry.start("a", "A", work, size=Size("train", 10)).wait(5)
    assert 590 < seen[0] <= 600
    registry.close()


def job_of(registry):
    return registry.recent()[0]
