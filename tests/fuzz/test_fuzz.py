"""A short run of the fuzzer, and proof that it sees what it is there to see."""

import json
import mmap
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest

from fmd_core.errors import DataError
from fmd_core.home import REPOSITORY
from tests.fuzz import child, run
from tests.fuzz.readers import READERS, Reader

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="peak memory is read from /proc"),
]


def test_two_hundred_spoilt_files_are_opened_or_refused_in_a_sentence():
    tally = run.fuzz(child.EVERY, "short", range(14 * len(READERS)))
    assert tally.faults == []
    assert tally.ends.total() == 14 * len(READERS)
    assert min(tally.ends["opened"], tally.ends["refused"]) > 20


def test_the_same_seed_makes_the_same_files(tmp_path):
    for reader in READERS.values():
        if reader.write.__name__ in (
            "write_report",
            "write_safetensors",
            "write_archive",
            "write_classifier",
            "write_import",
            "write_folder",
            "write_skops",
            "write_checkpoint",
            "write_onnx",
        ):
            continue  # these load torch, or write elsewhere
        made = []
        for again in ("a", "b"):
            (tmp_path / again).mkdir(exist_ok=True)
            reader.write(Random("7"), tmp_path / again)
            made.append(
                {
                    p.relative_to(tmp_path / again): p.read_bytes()
                    for p in (tmp_path / again).rglob("*")
                    if p.is_file()
                }
            )
        assert made[0] == made[1]
        subprocess.run(["rm", "-r", tmp_path / "a", tmp_path / "b"], check=True)


# --- it sees what it is there to see


LARGE = {"end": 0, "outcome": "opened", "words": "", "seconds": 0, "bytes": 2 << 30}


def raising(error):
    def read(_rng, _folder):
        raise error

    return read


@pytest.mark.parametrize(
    ("read", "outcome", "words"),
    [
        (lambda *_: None, "opened", ""),
        (raising(DataError("'a.csv' is empty. Choose another.")), "refused", ""),
        (raising(KeyError("x")), "crash", "KeyError"),
        (raising(SystemExit(0)), "crash", "SystemExit"),
        (raising(DataError("Bad.")), "bad sentence", "too short"),
        (raising(DataError("The file cannot be read, try another one")), "bad sentence", "no full stop"),
        (raising(DataError("The file \u202ecannot be read; try another.")), "bad sentence", "hidden marks"),
        (raising(DataError("ValueError: it cannot be read; try another.")), "bad sentence", "ValueError"),
        (raising(DataError(f"'{REPOSITORY}/x' cannot be read; try another.")), "bad sentence", "a path of the server"),
        (raising(DataError("One is bad. Two is bad. Three is bad. Four is bad.")), "bad sentence", "too many"),
    ],
)  # fmt: skip
def test_every_kind_of_end_is_told_apart(tmp_path, read, outcome, words):
    found = child.run_one(Reader(1, lambda *_: None, read), Random(0), tmp_path / "case")
    assert found["outcome"] == outcome
    assert words in found["words"]
    assert not (tmp_path / "case").exists()


def test_memory_is_measured(tmp_path):
    def read(_rng, _folder):
        # Pages of its own: an ordinary allocation may be given what earlier tests left in the heap.
        with mmap.mmap(-1, 80 << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as pages:
            pages[:: mmap.PAGESIZE] = bytes(len(pages) // mmap.PAGESIZE)

    found = child.run_one(Reader(1, lambda *_: None, read), Random(0), tmp_path / "case")
    assert 70 << 20 < found["bytes"] < 120 << 20


@pytest.mark.parametrize(
    ("code", "end"),
    [
        ("import os; os.kill(os.getpid(), 11)", "crash"),
        ("import os; os._exit(3)", "crash"),
        ("import time; time.sleep(60)", "hang"),
        (f"print({json.dumps(json.dumps(LARGE))})", "memory"),
    ],
)  # fmt: skip
def test_a_process_that_dies_or_hangs_is_counted_and_the_next_file_is_met(monkeypatch, code, end):
    begin = "print('{\"begin\": 0}', flush=True);"
    commands = [[sys.executable, "-c", begin + code], [sys.executable, "-c", ""]]
    real = subprocess.Popen
    monkeypatch.setattr(run.subprocess, "Popen", lambda _, **options: real(commands.pop(0), **options))
    monkeypatch.setattr(run, "START_SECONDS", 5.0)
    tally = run.fuzz("pictures", "x", range(1), seconds=0.5)
    assert dict(tally.ends) == {end: 1}
    assert len(tally.faults) == 1
    assert "--only 0" in tally.faults[0]
