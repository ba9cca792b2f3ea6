"""Work in steps, whose shares of the whole are told as it goes on."""

from __future__ import annotations

from collections.abc import Callable, Sequence

Progress = Callable[[float], None]
Step = Callable[[Progress], object]


def in_turn(steps: Sequence[Step], progress: Progress) -> None:
    """Do one step after the other, each an equal share of the whole."""
    for position, step in enumerate(steps):
        told = part(progress, position / len(steps), (position + 1) / len(steps))
        told(0.0)
        step(told)


def part(progress: Progress, start: float, end: float) -> Progress:
    """Progress for a part of the work: its 0 to 1 becomes `start` to `end` of the whole."""
    return lambda share: progress(start + share * (end - start))
