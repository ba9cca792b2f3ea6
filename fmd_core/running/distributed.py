"""Row blocks on a Dask cluster, for data that outgrow one machine.

With the setting FMD_DASK_SCHEDULER, such as tcp://10.0.0.5:8786, features, curvature and scores are
sums or maps over row blocks that the workers of that scheduler compute. Without it every function
here works in memory, and Dask is never imported.

Rows that lie in a file, as stored features do, are read by the workers themselves where all of them
see the same file; other rows are sent. What a worker that dies had under way, another one does again.

Scheduler and workers need the same packages and the same version of `fmd_core`. Between its own
processes Dask exchanges pickles, so whoever reaches the scheduler can run code there: keep it in a
private network, or use a tls:// address with certificates in Dask's settings (distributed.comm.tls).
Files of users are read on this machine and never unpickled on any.
"""

from __future__ import annotations

import mmap
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from fmd_core.data import Array, ignore_progress
from fmd_core.errors import FMDError

SETTING = "FMD_DASK_SCHEDULER"
READ_BYTES = 32 * 2**20
"""Features of a block that workers read: some tenths of a second of work, which is how long a stop waits."""
SENT_BYTES = 8 * 2**20  # of a block that is sent; Dask warns of messages above 10 MB
BLOCKS_PER_THREAD = 3  # under way at a time: one at work, the next at hand, one on its way back
CONNECT_SECONDS, POLL_SECONDS, LONELY_SECONDS = 10.0, 0.5, 30.0
Progress = Callable[[float], None]
Function = Callable[..., Array] | Any  # also one that the cluster keeps
Block = tuple[Any, ...]
"""Arguments of one call. A `FileRows` or a future of Dask among them stands for the rows it leads to."""

_CLIENTS: dict[str, Any] = {}
_CLIENTS_LOCK = threading.Lock()
_WATCH: ContextVar[Progress] = ContextVar("watch", default=ignore_progress)


class ClusterError(FMDError):
    """The Dask cluster cannot be reached, or lost what it was working on."""


@dataclass(frozen=True)
class FileRows:
    """Rows of a C-ordered matrix in a file, which whoever needs them maps."""

    path: str
    offset: int  # bytes before the first row
    dtype: str
    shape: tuple[int, int]

    @classmethod
    def behind(cls, features: Array) -> FileRows | None:
        """Where the memory of a matrix (n, d) lies in a file; None where it does not."""
        root: object = features
        while isinstance(root, np.ndarray) and not isinstance(root.base, mmap.mmap):
            root = root.base
        if not isinstance(root, np.memmap) or root.filename is None or not features.flags.c_contiguous:
            return None
        offset = root.offset + features.ctypes.data - root.ctypes.data
        return cls(str(Path(root.filename).absolute()), offset, features.dtype.str, features.shape)

    def part(self, rows: slice) -> FileRows:
        """Some of the rows."""
        n, d = self.shape
        start, stop, _ = rows.indices(n)
        skipped = start * d * np.dtype(self.dtype).itemsize
        return FileRows(self.path, self.offset + skipped, self.dtype, (stop - start, d))

    def read(self) -> Array:
        """A read-only map of the rows."""
        try:
            return np.memmap(self.path, self.dtype, "r", self.offset, self.shape)
        except (OSError, ValueError) as error:  # gone; shorter than it was
            raise ClusterError(
                f"A worker of the Dask cluster cannot read '{Path(self.path).name}'. Give all workers the folder "
                "that it lies in, or none, then start this step again."
            ) from error


def is_on() -> bool:
    """Whether work goes to a cluster."""
    return bool(os.environ.get(SETTING))


@contextmanager
def watched(progress: Progress) -> Iterator[None]:
    """Within, waiting for the cluster tells `progress` 0 over and over, so that it can raise to stop:
    for work whose length nobody knows, such as a solve by products."""
    token = _WATCH.set(lambda _share: progress(0.0))
    try:
        yield
    finally:
        _WATCH.reset(token)


def map_rows(
    function: Callable[..., Array], features: Array, *columns: Array, progress: Progress = ignore_progress
) -> Array:
    """function(features (n, d), *columns (n,)), which gives one answer per row, (n, ...)."""
    if not is_on():
        return function(features, *columns)
    blocks = row_blocks(features, *columns)
    return np.concatenate(list(map_blocks(function, blocks, len(blocks), progress)))


def sum_rows(
    function: Callable[..., Array], features: Array, *columns: Array, progress: Progress = ignore_progress
) -> Array:
    """function(features (n, d), *columns (n,)), which adds up over rows."""
    if not is_on():
        return function(features, *columns)
    return sum_blocks(function, row_blocks(features, *columns), progress)


def sum_blocks(function: Function, blocks: Sequence[Block], progress: Progress | None = None) -> Array:
    """The sum of function(*block), always in the same order."""
    answers = map_blocks(function, blocks, len(blocks), progress)
    total = np.array(next(answers))
    for answer in answers:
        total += answer
    return total


def keep(value: object) -> Any:  # noqa: ANN401
    """A value with the cluster, for as long as what this returns exists: sent once, used many times.

    The scheduler holds it too, and from there another worker gets it when the one that had it dies.
    """
    import dask

    with dask.config.set({"distributed.admin.large-graph-warning-threshold": "1 TiB"}):
        return _client().submit(_itself, value, pure=False)  # what is scattered is lost with its worker


def row_blocks(features: Array, *columns: Array, passes: Literal["one", "many"] = "one") -> list[Block]:
    """Features (n, d) and columns (n,) in blocks. For many passes, rows that have to be sent are kept
    with the cluster; for one, they are sent when their turn comes."""
    client = _client()
    source = FileRows.behind(features)
    if source and not _everybody_reads(client, source, features):
        source = None
    row_bytes = max(1, features.shape[1] * features.itemsize)
    size = max(1, (READ_BYTES if source else SENT_BYTES) // row_bytes)
    parts = [slice(start, start + size) for start in range(0, max(1, len(features)), size)]

    def rows(part: slice) -> object:
        if source:
            return source.part(part)
        return keep(features[part]) if passes == "many" else features[part]

    return [(rows(part), *(column[part] for column in columns)) for part in parts]


def map_blocks(
    function: Function, blocks: Iterable[Block], total: int, progress: Progress | None = None
) -> Iterator[Array]:
    """function(*block) of each of `total` blocks, in order, with only a few under way at a time.

    `progress` is told the share done at least every second and may raise to stop. However this ends,
    what is not done by then is cancelled; a block that a worker has begun it finishes, for nothing.
    Raises ClusterError when the cluster is gone, has no workers, or loses them over the same block.
    """
    client, tell = _client(), progress or _WATCH.get()
    at_once = BLOCKS_PER_THREAD * max(1, sum(client.nthreads().values()))
    kept = keep(function) if callable(function) else function
    waiting: deque[Any] = deque()
    done = 0

    def answer() -> Array:
        nonlocal done
        found = _answer(client, waiting[0], lambda: tell(done / total))
        waiting.popleft()
        done += 1
        return found

    try:
        for block in blocks:
            waiting.append(client.submit(_call, kept, *block, pure=False))
            if len(waiting) >= at_once:
                yield answer()
        while waiting:
            yield answer()
    finally:
        left = list(waiting) if kept is function else [kept, *waiting]
        if left and client.status == "running":
            client.cancel(left)


def _answer(client: Any, future: Any, tell: Callable[[], None]) -> Array:  # noqa: ANN401
    """Wait for one result; meanwhile tell, and see that there is somebody to wait for."""
    from concurrent.futures import CancelledError

    from distributed import KilledWorker

    seen, done = time.monotonic(), False
    while not done:
        tell()
        try:
            future.exception(POLL_SECONDS)  # not result: what the work raised could be a TimeoutError too
            done = True
        except TimeoutError:
            now = time.monotonic()
            seen = now if client.status == "running" and client.nthreads() else seen
            if now - seen > LONELY_SECONDS:
                raise ClusterError(
                    f"The Dask cluster at '{_address()}' has had no workers for {LONELY_SECONDS:.0f} seconds; "
                    "start some, then start this step again."
                ) from None
    try:
        return future.result()
    except KilledWorker as error:
        raise ClusterError(
            f"{error.allowed_failures + 1} workers of the Dask cluster died over the same rows, most likely for "
            "want of memory. Give them more, then start this step again."
        ) from error
    except CancelledError as error:  # nobody else cancels: the scheduler is gone, and all that it kept
        raise _unreachable() from error


def _client() -> Any:  # noqa: ANN401
    """The connection to the scheduler, shared by all threads; a new one where the last one broke."""
    from distributed import Client  # not above: without the setting, nothing of Dask is imported

    address = _address()
    with _CLIENTS_LOCK:
        client = _CLIENTS.get(address)
        if client is None or client.status != "running":
            try:
                client = Client(address, timeout=CONNECT_SECONDS, set_as_default=False)
            except (OSError, ValueError, TypeError) as error:  # nobody there; no address; TLS without keys
                raise _unreachable() from error
            _CLIENTS[address] = client
    return client


def _address() -> str:
    return os.environ[SETTING]


def _unreachable() -> ClusterError:
    return ClusterError(
        f"The Dask scheduler at '{_address()}' does not answer. Start it, correct the setting {SETTING}, or leave "
        "that out to compute on this machine."
    )


def _everybody_reads(client: Any, source: FileRows, features: Array) -> bool:  # noqa: ANN401
    """Whether every worker finds the same rows in the file, judged by the first and the last."""
    ends = np.array(features[[0, -1]]) if len(features) else features
    found = client.run(_reads, source, ends, on_error="return")
    return bool(found) and all(answer is True for answer in found.values())


# --- on the workers


def _reads(source: FileRows, ends: Array) -> bool:
    return bool(np.array_equal(source.read()[[0, -1]], ends))


def _itself(value: object) -> object:
    return value


def _call(function: Callable[..., Array], *block: object) -> Array:
    return function(*(part.read() if isinstance(part, FileRows) else part for part in block))
