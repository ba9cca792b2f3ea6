"""The shared memory: what is a key, what goes when there is no room, and what is done once."""

import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from threading import Barrier, Event

import numpy as np
import pytest
import torch

from app.cache import bounded
from app.cache.bounded import ENTRY_BYTES, MAP_BYTES, held_bytes, kept, size_of
from fmd_core.errors import FMDError
from fmd_core.running.cache_limit import MB

PIECE = 10_000 - ENTRY_BYTES


@pytest.fixture(autouse=True)
def memory(fresh_caches, monkeypatch):  # noqa: ARG001
    """Sets how many bytes there are; nothing is held before and after."""
    return lambda n_bytes: monkeypatch.setattr(bounded._RESULTS, "_Cache__maxsize", n_bytes)


def counted(make):
    """A function with a memory, and what it was really asked."""
    asked = []

    @kept()
    def found(name):
        asked.append(name)
        return make(name)

    return found, asked


def piece(name):
    return np.full(PIECE - 112, name, "uint8").tobytes() + b" " * (112 - 33)  # with 33 of `bytes` itself


# --- the setting


def test_the_setting_says_how_much(monkeypatch):
    assert bounded.budget() == 1024 * MB
    monkeypatch.setenv("FMD_CACHE_MB", " 12 ")
    assert bounded.budget() == 12 * MB
    told = subprocess.run(
        [sys.executable, "-c", "from app.cache import bounded; print(bounded._RESULTS.maxsize)"],
        env=os.environ | {"FMD_CACHE_MB": "3"}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert int(told.stdout) == 3 * MB


@pytest.mark.parametrize("given", ["0", "-1", "1.5", "1 GB", "much", "1" * 5_000, "٣"])
def test_a_setting_that_is_no_number_is_one_sentence(monkeypatch, given):
    monkeypatch.setenv("FMD_CACHE_MB", given)
    with pytest.raises(FMDError) as caught:
        bounded.budget()
    assert str(caught.value) == (
        f"FMD_CACHE_MB is '{given[:40]}': use a whole number of megabytes, or leave it out."
    )


# --- keys


def test_an_argument_with_an_underscore_is_no_part_of_the_key():
    calls = []

    @kept()
    def found(_before, name, _progress=None, size=2):
        calls.append((name, size))
        return name * size

    assert found(None, "a") == found(print, "a", len) == found(1, size=2, name="a") == "aa"
    assert found(None, "a", None, 3) == found(None, "a", size=3) == "aaa"
    assert calls == [("a", 2), ("a", 3)]
    assert found.holds("a", 2)
    assert not found.holds("a", 4)
    assert sorted(found.held()) == [("a", 2), ("a", 3)]


def test_two_functions_keep_their_own():
    (upper, _), (lower, _) = counted(str.upper), counted(str.lower)
    assert (upper("Ab"), lower("Ab")) == ("AB", "ab")
    upper.clear()
    assert not upper.holds("Ab")
    assert lower.holds("Ab")
    bounded.clear()
    assert lower.held() == []
    assert held_bytes() == 0


def test_a_function_stays_itself():
    @kept()
    def found(name):
        """What it says."""
        return name

    assert (found.__name__, found.__doc__) == ("found", "What it says.")
    with pytest.raises(TypeError, match="missing a required argument: 'name'"):
        found()
    with pytest.raises(TypeError, match="unhashable"):
        found([])


def test_an_error_is_not_kept():
    found, asked = counted(lambda name: 1 / name)
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            found(0)
    assert asked == [0, 0]
    assert not found.holds(0)
    assert found(2) == found(2) == 0.5
    assert asked == [0, 0, 2]


# --- room


def test_what_was_used_longest_ago_goes_and_is_made_again(memory):
    memory(50_000)
    found, asked = counted(piece)
    for name in range(5):
        found(name)
    assert held_bytes() == 50_000
    found(0)  # now 1 was used longest ago
    found(5)
    assert sorted(found.held()) == [(0,), (2,), (3,), (4,), (5,)]
    found(6)
    assert sorted(found.held()) == [(0,), (3,), (4,), (5,), (6,)]
    assert asked == [0, 1, 2, 3, 4, 5, 6]
    assert found(1) == piece(1)
    assert asked[-1] == 1
    assert held_bytes() == 50_000


def test_one_large_result_makes_as_many_go_as_it_needs(memory):
    memory(50_000)
    found, _ = counted(lambda name: b"".join(map(piece, range(name))))
    for name in (1, 2, 1, 3):
        found(name)
    assert sorted(found.held()) == [(1,), (3,)]
    assert 0 < held_bytes() <= 50_000


def test_functions_share_the_room(memory):
    memory(20_000)
    (first, _), (second, _) = counted(piece), counted(piece)
    for found in (first, second):
        assert (found(1), found(2)) == (piece(1), piece(2))
    assert (first.held(), sorted(second.held())) == ([], [(1,), (2,)])


def test_a_result_larger_than_all_the_room_is_returned_and_not_kept(memory, caplog):
    memory(20_000)
    found, asked = counted(lambda name: piece(1) * name)
    found(1)
    assert len(found(3)) == len(found(3)) == 3 * len(piece(1))
    assert asked == [1, 3, 3]
    assert found.held() == [(1,)]  # nothing had to go for what cannot stay
    assert {r.message for r in caplog.records} == {
        "a result is larger than the whole cache (FMD_CACHE_MB) and is not kept"
    }


def test_a_result_that_grows_counts_for_what_it_becomes():
    @kept(growth=2.0)
    def found():
        return piece(1)

    found()
    assert held_bytes() == ENTRY_BYTES + 2 * PIECE


def test_small_results_do_not_come_for_nothing(memory):
    memory(100 * ENTRY_BYTES)
    found, _ = counted(float)
    for name in range(1_000):
        found(name)
    assert 90 < len(found.held()) < 100


# --- many at once


def test_what_many_ask_for_at_once_is_done_once():
    everybody, go_on = Barrier(9), Event()
    found, asked = counted(lambda name: go_on.wait(10) and piece(name))

    def visit(_):
        everybody.wait(10)
        return found(1)

    with ThreadPoolExecutor(8) as pool:
        visits = pool.map(visit, range(8))
        everybody.wait(10)
        until = time.monotonic() + 10
        while len(bounded._CHANGED._waiters) < 7 and len(asked) < 2 and time.monotonic() < until:
            time.sleep(0.01)
        go_on.set()
        answers = list(visits)
    assert asked == [1]
    assert all(answer is answers[0] for answer in answers)


def test_nobody_waits_for_what_another_asked_for():
    begun, go_on = Event(), Event()

    @kept()
    def found(name):
        if name == "slow":
            begun.set()
            assert go_on.wait(10)
        return name

    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(found, "slow")
        assert begun.wait(10)
        assert found("quick") == found("quick") == "quick"
        assert not slow.done()
        go_on.set()
        assert slow.result(10) == "slow"


def test_a_function_may_ask_for_itself_and_for_others_from_several_threads():
    one = kept()(lambda: 1)

    @kept()
    def total(n):
        return n + total(n - 1) if n else one()

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(total, [30, 29, 30, 10])) == [466, 436, 466, 56]


def test_who_waited_for_what_failed_tries_it():
    first, go_on = Event(), Event()

    @kept()
    def found(_who):
        if _who == "first":
            first.set()
            assert go_on.wait(10)
            raise KeyboardInterrupt  # as JobStopped, no Exception
        return _who

    with ThreadPoolExecutor(2) as pool:
        stopped = pool.submit(found, "first")
        assert first.wait(10)
        waiting = pool.submit(found, "second")
        assert not waiting.done()
        go_on.set()
        assert waiting.result(10) == "second"
        with pytest.raises(KeyboardInterrupt):
            stopped.result(10)


def test_under_pressure_every_answer_is_right_and_the_books_are_true(memory):
    memory(100_000)
    found, _ = counted(lambda name: piece(name % 200) * (1 + name % 3))
    most = []

    def visit(seed):
        rng = np.random.default_rng(seed)
        for name in rng.integers(0, 40, 300).tolist():
            assert found(name)[0] == name
            assert len(found(name)) == len(piece(0)) * (1 + name % 3)
            most.append(held_bytes())

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(visit, range(8)))
    assert max(most) <= 100_000
    assert held_bytes() == sum(held.n_bytes for held in bounded._RESULTS.values())


# --- bytes


@dataclass(frozen=True)
class Plain:
    first: object
    second: object = None

    @cached_property
    def derived(self):
        return np.zeros(5_000)


@dataclass(frozen=True, slots=True)
class Slots:
    first: object


BLOCK = np.zeros(50_000, "float32")  # 200 kB


@pytest.mark.parametrize(
    ("value", "n_bytes"),
    [
        (BLOCK, 200_000),
        (BLOCK[:10], 200_000),
        (BLOCK.reshape(100, -1).T[3:5][:, 1], 200_000),
        (np.frombuffer(b"x" * 300_000, "uint8")[5:9], 300_000),
        ([BLOCK, BLOCK[1:], (BLOCK,)], 200_000),
        ({"a": BLOCK, "b": BLOCK.copy()}, 400_000),
        (Plain(BLOCK, Plain(BLOCK + 1)), 400_000),
        (Slots(BLOCK), 200_000),
        (np.array([BLOCK, "x" * 100_000], object), 300_000),
        ("x" * 100_000, 100_000),
        (("é" * 100_000, b"y" * 100_000), 200_000),
        (lambda block=BLOCK: block, 200_000),
        ((lambda block: lambda: block)(BLOCK), 200_000),
        (torch.zeros(50_000), 200_000),
        (torch.zeros(100, 500).T[:3], 200_000),
        (torch.nn.Linear(1_000, 50, bias=False).requires_grad_(False), 200_000),
        ([torch.zeros(50_000), np], 200_000),
        (Plain, 0),
        (np, 0),
        (None, 0),
    ],
)
def test_bytes_are_counted_with_all_that_they_keep_alive(value, n_bytes):
    assert n_bytes <= size_of(value) < n_bytes + 12_000


def test_what_a_value_made_of_itself_counts():
    value = Plain(BLOCK)
    before = size_of(value)
    assert len(value.derived) == 5_000
    assert size_of(value) - before >= 40_000


def test_a_mapped_file_counts_for_being_open(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros((3_000, 1_000)))
    found = np.load(tmp_path / "a.npy", mmap_mode="r")
    assert MAP_BYTES <= size_of([found, found[5:], np.asarray(found)[2]]) < MAP_BYTES + 1_000
    assert size_of(np.array(found)) >= 24_000_000


def test_a_ring_has_an_end():
    ring = [BLOCK]
    ring.append(ring)
    assert 200_000 <= size_of(ring) < 201_000
