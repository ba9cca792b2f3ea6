"""Work in steps, whose shares of the whole are told as it goes on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Condition, Event
from typing import TypeVar

Progress = Callable[[float], None]
Step = Callable[[Progress], object]
T = TypeVar("T")

LOOK_SECONDS = 0.2  # between two looks at work that tells nothing


def in_turn(steps: Sequence[Step], progress: Progress) -> None:
    """Do one step after the other, each an equal share of the whole."""
    for position, step in enumerate(steps):
        told = part(progress, position / len(steps), (position + 1) / len(steps))
        told(0.0)
        step(told)


def at_once(works: Sequence[Callable[[Progress], T]], progress: Progress, threads: int) -> list[T]:
    """What pieces of work give, done in so many threads, or one after the other in this one where that is 1.

    `progress` is told their mean share in the thread of the caller. Where it raises, or one of them fails, the others
    are stopped when next they tell how far they are.
    """
    if threads == 1 or len(works) == 1:
        return [
            work(part(progress, place / len(works), (place + 1) / len(works)))
            for place, work in enumerate(works)
        ]
    shares, news, stop = [0.0] * len(works), Condition(), Event()

    def telling(place: int) -> Progress:
        def tell(share: float) -> None:
            if stop.is_set():
                raise _StoppedError
            with news:
                shares[place] = share
                news.notify()

        return tell

    with ThreadPoolExecutor(threads) as pool:
        running = [pool.submit(work, telling(place)) for place, work in enumerate(works)]
        try:
            while not any(map(_failed, running)):
                over = all(one.done() for one in running)
                progress(sum(shares) / len(shares))
                if over:
                    break
                with news:
                    news.wait(LOOK_SECONDS)
        finally:
            stop.set()
    reasons = [reason for one in running if (reason := one.exception()) is not None]
    for reason in reasons:
        if not isinstance(reason, _StoppedError):
            raise reason
    return [one.result() for one in running]


class _StoppedError(Exception):
    """Another piece of work failed, or somebody asked to stop."""


def _failed(work: Future[T]) -> bool:
    return work.done() and work.exception() is not None


def part(progress: Progress, start: float, end: float) -> Progress:
    """Progress for a part of the work: its 0 to 1 becomes `start` to `end` of the whole."""
    return lambda share: progress(start + share * (end - start))
