"""Where a study keeps what it has computed, so that every step is computed once.

The memory is given to the study: the dashboard gives one that all visitors share and that is bounded in bytes, a
notebook a dict or nothing. Errors are not kept.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, MutableMapping
from typing import Any, Protocol, TypeVar

T = TypeVar("T")
Key = tuple[Hashable, ...]
"""What was computed, about what, and with which choices: small, and the same for the same content."""


class Memory(Protocol):
    """Results by their keys. It may let go of any of them at any time."""

    def recall(self, key: Key, make: Callable[[], T], growth: float = 1.0) -> T:
        """The result that is kept, or a new one. `growth` is how many times as large it gets in use."""
        ...

    def holds(self, key: Key) -> bool:
        """Whether a result costs nothing."""
        ...

    def held(self) -> list[Key]:
        """Keys of every result that costs nothing, in no order."""
        ...


class DictMemory:
    """A dict as a memory: it lets go of nothing."""

    def __init__(self, results: MutableMapping[Key, Any]) -> None:
        self._results = results

    def recall(self, key: Key, make: Callable[[], T], growth: float = 1.0) -> T:  # noqa: ARG002
        """The result that is kept, or a new one."""
        if key not in self._results:
            self._results[key] = make()
        found: T = self._results[key]
        return found

    def holds(self, key: Key) -> bool:
        """Whether there is a result."""
        return key in self._results

    def held(self) -> list[Key]:
        """Keys of all results."""
        return list(self._results)
