"""The limited process that runs ONNX files, as this one sees it: kept warm, a few at a time, ended by the clock."""

from __future__ import annotations

import atexit
import hashlib
import os
import signal
import subprocess
import sys
import threading
from collections import OrderedDict
from typing import Any

import numpy as np

from fmd_core.data import Array
from fmd_core.errors import ModelError
from fmd_core.home import REPOSITORY
from fmd_core.models.onnx_door import wire

MEMORY_BYTES = 4 << 30  # beyond the libraries
OPEN_SECONDS = 60.0
BATCH_SECONDS = 120.0  # one batch of pictures on a slow machine takes a few seconds
MOST_WARM = 2
COMMAND = (sys.executable, "-m", "fmd_core.models.onnx_door.runner")
KEPT_SETTINGS = ("PATH", "LD_LIBRARY_PATH", "LANG", "TMPDIR", "SYSTEMROOT", "OMP_NUM_THREADS")
NEEDED = ("onnx", "onnxruntime")


class Runner:
    """One file, open in a process of its own."""

    def __init__(self, data: bytes) -> None:
        """Raises ModelError, in a sentence, for a file that is refused or that breaks the process."""
        require_libraries()
        settings = {name: os.environ[name] for name in KEPT_SETTINGS if name in os.environ}  # no secrets
        self._process = subprocess.Popen(
            COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=REPOSITORY,
            env=settings, start_new_session=True,
        )  # fmt: skip
        self._lock = threading.Lock()
        asked = {"ask": "open", "memory_bytes": MEMORY_BYTES, "threads": _threads()}
        self.description, self.head = self._talk(asked, [np.frombuffer(data, "uint8")], OPEN_SECONDS)

    def ask(self, what: str, arrays: list[Array]) -> tuple[dict[str, Any], list[Array]]:
        """The answer to one request. Raises ModelError where the process refuses, breaks down or takes too long."""
        return self._talk({"ask": what}, arrays, BATCH_SECONDS)

    @property
    def is_alive(self) -> bool:
        return self._process.poll() is None

    def close(self) -> None:
        """End the process, after the request at hand."""
        with self._lock:
            self._kill()

    def _kill(self) -> None:
        if self._process.poll() is None:
            if hasattr(os, "killpg"):
                os.killpg(self._process.pid, signal.SIGKILL)
            else:
                self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                try:
                    pipe.close()
                except OSError:  # what was not read any more
                    continue

    def _talk(
        self, said: dict[str, Any], arrays: list[Array], seconds: float
    ) -> tuple[dict[str, Any], list[Array]]:
        late = threading.Event()

        def stop() -> None:
            late.set()
            self._process.kill()

        with self._lock:
            timer = threading.Timer(seconds, stop)
            timer.start()
            try:
                assert self._process.stdin is not None
                assert self._process.stdout is not None
                wire.write(self._process.stdin, said, arrays)
                found = wire.read(self._process.stdout)
            except (OSError, ValueError, KeyError, TypeError):
                found = None
            finally:
                timer.cancel()
            if found is None:
                self._kill()
                raise _too_long(seconds) if late.is_set() else _broke_down()
        if "refusal" in found[0]:
            if said["ask"] == "open":
                self.close()
            raise ModelError(str(found[0]["refusal"])[:1000])
        return found


def _too_long(seconds: float) -> ModelError:
    return ModelError(
        f"The network in the ONNX file took longer than {seconds:g} seconds and was stopped; bring a smaller one."
    )


def _broke_down() -> ModelError:
    return ModelError(
        "The process that runs the ONNX file broke down, most likely for want of memory, so the file is not used; "
        "export it again, or bring a smaller network."
    )


def _threads() -> int:
    """As many as the settings allow, else one for each processor that this process may use."""
    said = os.environ.get("OMP_NUM_THREADS", "")
    if said.isdecimal() and int(said) > 0:
        return int(said)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def require_libraries() -> None:
    """Raises ModelError, which says what to install, where the libraries for ONNX are missing."""
    from importlib.util import find_spec

    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        raise ModelError(
            f"ONNX files need {' and '.join(missing)}, which {'is' if len(missing) == 1 else 'are'} not installed: "
            "pip install 'fmd-studio[onnx]'."
        )


_warm: OrderedDict[str, Runner] = OrderedDict()
_guard = threading.Lock()


def runner_of(data: bytes, digest: str = "") -> Runner:
    """The process in which this file is open, started where none runs."""
    key = digest or hashlib.sha256(data).hexdigest()
    with _guard:
        found = _warm.pop(key, None)
        if found is not None and not found.is_alive:
            found.close()  # its pipes
            found = None
        found = found or Runner(data)
        _warm[key] = found
        old = [_warm.popitem(last=False)[1] for _ in range(len(_warm) - MOST_WARM)]
    for one in old:
        one.close()
    return found


def close_all() -> None:
    """End every process; they are started again when they are needed."""
    with _guard:
        old = [_warm.popitem()[1] for _ in range(len(_warm))]
    for one in old:
        one.close()


atexit.register(close_all)
