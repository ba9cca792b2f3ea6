"""One memory for heavy results, shared by all visitors and bounded in bytes: what was used longest ago makes
room. How much there is says the setting FMD_CACHE_MB.

What is held no longer is computed again. What is asked for twice at the same time is computed once, and
meanwhile nobody waits who asks for something else. Errors are not kept.
"""

from __future__ import annotations

import gc
import inspect
import logging
import mmap
import sys
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from functools import partial, update_wrapper
from operator import attrgetter
from threading import Condition
from types import BuiltinFunctionType, CodeType, FrameType, FunctionType, ModuleType
from typing import Any, Generic, ParamSpec, TypeVar

import numpy as np
from cachetools import LRUCache, cached
from cachetools.keys import hashkey

from fmd_core.data import Array
from fmd_core.running.cache_limit import budget

P = ParamSpec("P")
R = TypeVar("R")
ENTRY_BYTES = 1_000  # a key and its places in the tables, about
MAP_BYTES = 4 * 2**20
"""What a file that is mapped counts for, however long it is: the system takes its memory back by itself when
that is short, but the file stays open, and a process may have only so many."""
NOBODYS = type, ModuleType, BuiltinFunctionType, CodeType, FrameType

LOG = logging.getLogger("fmd.cache")


@dataclass(frozen=True, slots=True)
class _Held:
    value: Any
    n_bytes: int


_RESULTS: LRUCache[Any, _Held] = LRUCache(budget(), getsizeof=attrgetter("n_bytes"))
_CHANGED = Condition()  # guards _RESULTS, and is told of every result that is done


@cached(_RESULTS, key=lambda key, _make, _growth: key, condition=_CHANGED)
def _find(_key: Hashable, make: Callable[[], object], growth: float) -> _Held:
    value = make()
    n_bytes = ENTRY_BYTES + round(growth * size_of(value))  # here: the tables are not locked
    if n_bytes > _RESULTS.maxsize:
        LOG.warning("a result is larger than the whole cache (FMD_CACHE_MB) and is not kept")
    return _Held(value, n_bytes)


class SharedMemory:
    """The shared memory as a study knows it, by keys of its own (`fmd_core.study.memory.Memory`)."""

    def recall(self, key: tuple[Hashable, ...], make: Callable[[], R], growth: float = 1.0) -> R:
        """The result that is held, or a new one."""
        found: R = _find(hashkey(*key), make, growth).value
        return found

    def holds(self, key: tuple[Hashable, ...]) -> bool:
        """Whether a result costs nothing."""
        return hashkey(*key) in _RESULTS

    def held(self) -> list[tuple[Hashable, ...]]:
        """Keys of every result that costs nothing, in no order."""
        with _CHANGED:
            return [tuple(key) for key in _RESULTS]


class Kept(Generic[P, R]):
    """A function whose results are kept by its arguments, which are hashable. One whose name begins with an
    underscore is no part of the key."""

    def __init__(self, function: Callable[P, R], growth: float) -> None:
        update_wrapper(self, function)
        self._function, self._growth, self._key = function, growth, _key_of(function)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """The result that is held, or a new one."""
        key, make = self._key(*args, **kwargs), partial(self._function, *args, **kwargs)
        found: R = _find(key, make, self._growth).value
        return found

    def holds(self, *asked: Hashable) -> bool:
        """Whether a result costs nothing. `asked` is every argument that is part of the key, in order."""
        return hashkey(self._function, *asked) in _RESULTS

    def held(self) -> list[tuple[Any, ...]]:
        """Arguments of every result that costs nothing, those that are part of the key, in no order."""
        with _CHANGED:
            return [key[1:] for key in _RESULTS if key[0] is self._function]

    def clear(self) -> None:
        """Let go of every result of this function."""
        with _CHANGED:
            for asked in self.held():
                del _RESULTS[hashkey(self._function, *asked)]


def kept(*, growth: float = 1.0) -> Callable[[Callable[P, R]], Kept[P, R]]:
    """Keep the results of a function in the shared memory. `growth` is how many times as large a result gets
    in use, where it makes something of itself only when that is needed."""
    return lambda function: Kept(function, growth)


def clear() -> None:
    """Let go of all results."""
    with _CHANGED:
        _RESULTS.clear()


def held_bytes() -> int:
    """Bytes that all results hold now."""
    return int(_RESULTS.currsize)


def size_of(value: object) -> int:
    """Bytes that live as long as `value` does, each object once: arrays with all the memory that a view keeps
    alive, tensors, text, and whatever else it leads to. Classes, modules and code are everybody's."""
    tensor = getattr(sys.modules.get("torch"), "Tensor", ())  # not imported for this
    seen: set[int] = set()
    memory: dict[int, int] = {}  # bytes by address
    left = [value]
    while left:
        item = left.pop()
        if id(item) in seen or isinstance(item, NOBODYS):
            continue
        seen.add(id(item))
        if isinstance(item, np.ndarray):
            memory.update([_memory_behind(item)])
            left += item.ravel().tolist() if item.dtype.hasobject else []
        elif isinstance(item, tensor):
            storage = item.untyped_storage()
            memory[storage.data_ptr()] = storage.nbytes()
        elif isinstance(item, FunctionType):  # not its module, which `gc` would lead to
            left += [item.__closure__, item.__defaults__, item.__kwdefaults__]
        else:
            memory[id(item)] = sys.getsizeof(item)
            left += gc.get_referents(item)
    return sum(memory.values())


def _memory_behind(array: Array) -> tuple[int, int]:
    """Where the memory of an array lies, as an address of who owns it, and its bytes."""
    while isinstance(array.base, np.ndarray):
        array = array.base
    owner: object = array if array.base is None else array.base
    is_map = isinstance(owner, mmap.mmap)
    return id(owner), MAP_BYTES if is_map else max(array.nbytes, sys.getsizeof(owner))


def _key_of(function: Callable[..., object]) -> Callable[..., Hashable]:
    """What makes the key of a call: the function and the arguments that count, named or not."""
    signature = inspect.signature(function)
    names = list(signature.parameters)
    counted = [place for place, name in enumerate(names) if not name.startswith("_")]

    def key(*args: Hashable, **kwargs: Hashable) -> Hashable:
        if kwargs or len(args) < len(names):
            bound = signature.bind(*args, **kwargs)
            bound.apply_defaults()
            args = bound.args
        return hashkey(function, *[args[place] for place in counted])

    return key
