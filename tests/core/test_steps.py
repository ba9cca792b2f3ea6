"""Work that is done at once: what it gives, what is told of it, and how it ends."""

import threading
import time

import pytest

from fmd_core.study.steps import at_once


def counting(answer, steps=4):
    def work(told):
        for step in range(steps):
            time.sleep(0.002)
            told((step + 1) / steps)
        return answer

    return work


@pytest.mark.parametrize("threads", [1, 2])
def test_each_gives_its_own_and_the_caller_is_told_where(threads):
    told = []
    works = [counting("a"), counting("b", 9)]
    assert at_once(works, lambda share: told.append((share, threading.get_ident())), threads) == ["a", "b"]
    shares = [share for share, _ in told]
    assert shares == sorted(shares)
    assert shares[-1] == 1
    assert {thread for _, thread in told} == {threading.get_ident()}


def test_what_is_told_of_two_is_their_mean_share():
    """Where one is done and the other has not begun, half of it is done."""
    told, done = [], threading.Event()

    def waits(share):
        assert done.wait(5)
        share(1.0)

    def heard(share):
        told.append(share)
        if share == 0.5:
            done.set()

    at_once([lambda share: share(1.0), waits], heard, 2)
    assert sorted({0.5, 1.0}) == [share for share in dict.fromkeys(told) if share]


@pytest.mark.parametrize("threads", [1, 2])
def test_who_is_told_may_stop_all_of_it(threads):
    class Enough(BaseException):
        pass

    def enough(share):
        if share > 0:
            raise Enough

    begun = time.monotonic()
    with pytest.raises(Enough):
        at_once([counting("a", 10_000), counting("b", 10_000)], enough, threads)
    assert time.monotonic() - begun < 5


def test_where_one_fails_the_others_stop_and_its_reason_is_told():
    def fails(told):
        told(0.1)
        raise ValueError("the disk is full")

    begun = time.monotonic()
    with pytest.raises(ValueError, match="the disk is full"):
        at_once([counting("a", 10_000), fails], lambda _share: None, 2)
    assert time.monotonic() - begun < 5
