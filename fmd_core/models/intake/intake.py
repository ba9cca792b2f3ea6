"""Weights that a user brings: looked at without opening, then opened in a process of its own.

A weights file can run code, claim terabytes or be something else entirely. So this process
reads only its first bytes and its table of contents, and refuses what cannot be weights. The
rest happens in `fmd_core.models.intake.worker`, which has limits on memory and time and may die.
"""

from __future__ import annotations

import atexit
import hashlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from fmd_core.home import REPOSITORY
from fmd_core.models.architectures import find_architecture
from fmd_core.models.intake.file_doors import find_door, inspect_file
from fmd_core.models.intake.refusals import CONVERTERS, IntakeRefusal
from fmd_core.models.intake.weight_files import MAX_BYTES, MAX_ELEMENTS, MAX_TENSORS
from fmd_core.models.preprocess import Preprocess
from fmd_core.running.whole_files import written_whole

__all__ = ["CONVERTERS", "IntakeRefusal", "Passport", "inspect_file", "open_weights"]

MAX_ANSWER_BYTES = 4 << 20
MEMORY_BYTES = 4 << 30  # what the worker may take beyond torch itself
WALL_SECONDS = 60.0
CPU_SECONDS = 60
WORKER = (sys.executable, "-m", "fmd_core.models.intake.worker")
KEPT_SETTINGS = ("PATH", "LD_LIBRARY_PATH", "LANG", "TMPDIR", "SYSTEMROOT")


@dataclass(frozen=True)
class Passport:
    """What is known of a weights file that was opened and found to be usable."""

    file_name: str
    sha256: str
    n_bytes: int
    format: str  # name in FILE_DOORS
    architecture: str  # a network of our list, or what it is in words
    n_parameters: int
    n_outputs: int
    layers: tuple[tuple[str, tuple[int, ...]], ...]  # name and shape, without the stripped prefix
    checks: tuple[str, ...]  # what was looked at and found to be in order, a sentence each
    stripped_prefix: str  # such as "module.", or ""
    is_ours: bool  # whether FMD Studio wrote the file
    title: str = ""  # what it is, for people
    kind: str = "image"  # what it reads: a name in `fmd_core.kinds`
    n_features: int = 0
    classes: tuple[
        str, ...
    ] = ()  # what each output means, in the words of the file; () where it does not say
    preprocess: Mapping[str, Any] = field(
        default_factory=dict
    )  # what the file says of how pictures are made ready
    can: tuple[str, ...] = ()  # names in ABILITIES

    @property
    def door(self) -> str:
        """The door by the name that documents give it."""
        return find_door(self.format).family


ABILITIES = {
    "last layer": "its last layer can be audited and unlearned, with twins and harmful samples",
    "two layers": "its last two layers can be unlearned",
    "gradients": "heat maps by gradients show where it looks",
    "deeper": "all of its layers can be trained further",
}
"""What can be done with a model that was opened, in words."""


def open_weights(
    path: Path,
    *,
    architecture: str = "",
    kind: str = "",
    n_classes: int = 0,
    n_inputs: int = 0,
    size: int | None = None,
    normalisation: str = "symmetric",
    preparation: Preprocess | None = None,
    layout: str = "",
    output: int | None = None,
    out: Path,
) -> Passport:
    """Open the model at `path` by whichever of FILE_DOORS takes it, and write the classifier that it makes to `out`.

    A state dict or safetensors file holds a whole network of the named `architecture` ("": it is recognised by its
    layers), with pictures of `size` and `normalisation`; other files say these themselves. `preparation` is what
    happens to pictures in full, in place of both; `layout` of an ONNX file whose shape does not say it. `kind` of the
    data and `n_classes` of the target are checked unless "" and 0; `output` picks the one output, counted from 0, that
    answers a target of two classes. The head's rows are in the order of the model's own outputs. Raises IntakeRefusal
    with one sentence, and then leaves `out` as it was.
    """
    if architecture:
        find_architecture(architecture)  # raises for an unknown name, as does the next
    prepared = preparation or Preprocess(normalisation, size)
    format_, passed = inspect_file(path)
    out.parent.mkdir(parents=True, exist_ok=True)
    request: dict[str, Any] = {"path": str(path.resolve()), "door": format_, "architecture": architecture}
    request |= {
        "kind": kind,
        "n_classes": n_classes,
        "n_inputs": n_inputs,
        "size": prepared.size,
        "layout": layout,
    }
    request |= {"normalisation": prepared.normalisation, "preparation": prepared.unusual}
    with written_whole(out) as part:
        digest = _sha256(path)
        found = _ask_worker(request | {"output": output, "out": str(part)})
        return _passport(found, path, digest, format_, passed)


def _passport(found: dict[str, Any], path: Path, digest: str, format_: str, passed: str) -> Passport:
    try:
        return Passport(
            file_name=path.name,
            sha256=digest,
            n_bytes=path.stat().st_size,
            format=format_,
            architecture=str(found["architecture"]),
            n_parameters=int(found["n_parameters"]),
            n_outputs=int(found["n_outputs"]),
            layers=tuple((str(name), tuple(int(side) for side in shape)) for name, shape in found["layers"]),
            checks=(passed, *(str(check) for check in found["checks"])),
            stripped_prefix=str(found["stripped_prefix"]),
            is_ours=bool(found["is_ours"]),
            title=str(found["title"]),
            kind=str(found["kind"]),
            n_features=int(found["n_features"]),
            classes=tuple(str(one) for one in found["classes"]),
            preprocess=dict(found["preprocess"]),
            can=tuple(name for name in found["can"] if name in ABILITIES),
        )
    except (KeyError, TypeError, ValueError):
        raise _broke_down() from None


def _sha256(path: Path) -> str:
    """Of a file; of a folder, of the names and digests of what lies right in it."""
    if path.is_dir():
        listed = [f"{_sha256(file)}  {file.name}\n" for file in sorted(path.iterdir()) if file.is_file()]
        return hashlib.sha256("".join(listed).encode()).hexdigest()
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


# --- the process that opens the file


def _ask_worker(request: dict[str, Any]) -> dict[str, Any]:
    """The worker's findings; raises IntakeRefusal with its reason, or with how it ended."""
    return _asked(_taken() or _started(WORKER), request)


def ask_process(module: str, request: dict[str, Any]) -> dict[str, Any]:
    """The findings of another module that is run as the worker is, under the same limits and with the same answers."""
    return _asked(_started((sys.executable, "-m", module)), request)


def _asked(waiting: _Waiting, request: dict[str, Any]) -> dict[str, Any]:
    limits = {"memory_bytes": MEMORY_BYTES, "cpu_seconds": CPU_SECONDS}
    limits |= {"max_bytes": MAX_BYTES, "max_tensors": MAX_TENSORS, "max_elements": MAX_ELEMENTS}
    with waiting.answer as answer:  # not a pipe: what is written into it stays bounded
        process = waiting.process
        try:
            process.communicate(json.dumps(request | limits).encode(), timeout=WALL_SECONDS)
        except subprocess.TimeoutExpired:
            raise _took_too_long() from None
        finally:
            _end(process)
        answer.seek(0)
        return _findings(answer.read(MAX_ANSWER_BYTES), process.returncode)


@dataclass
class _Waiting:
    """A process that waits for its one file."""

    process: subprocess.Popen[bytes]
    answer: IO[bytes]
    command: tuple[str, ...]


_spare: list[_Waiting] = []
_lock = threading.Lock()


def prepare() -> None:
    """Start the process that will open the next file, so that torch is loaded when it comes.

    It opens one file, under the same limits as any, or ends by itself when none has come for a while.
    """
    with _lock:
        while _spare and _spare[-1].process.poll() is not None:
            _discard(_spare.pop())
        if not _spare:
            _spare.append(_started(WORKER))


def _taken() -> _Waiting | None:
    """The process that was prepared, if it still waits."""
    with _lock:
        while _spare:
            waiting = _spare.pop()
            if waiting.process.poll() is None and waiting.command == WORKER:
                return waiting
            _discard(waiting)
    return None


@atexit.register
def _discard_all() -> None:
    while _spare:
        _discard(_spare.pop())


def _discard(waiting: _Waiting) -> None:
    """Give up a process that was prepared."""
    _end(waiting.process)
    if waiting.process.stdin is not None:
        waiting.process.stdin.close()
    waiting.answer.close()


def _started(command: tuple[str, ...]) -> _Waiting:
    settings = {name: os.environ[name] for name in KEPT_SETTINGS if name in os.environ}  # no secrets
    settings |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    answer = tempfile.TemporaryFile()  # noqa: SIM115  closed by whoever asks the process
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=answer,
            stderr=subprocess.DEVNULL,
            cwd=REPOSITORY,
            env=settings,
            start_new_session=True,
        )
    except BaseException:
        answer.close()
        raise
    return _Waiting(process, answer, command)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill the worker and what it may have started, if it still runs."""
    if process.poll() is None:
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
        process.wait()


def _findings(answer: bytes, code: int) -> dict[str, Any]:
    if code == -getattr(signal, "SIGXCPU", 0):
        raise _took_too_long()
    if code == -getattr(signal, "SIGKILL", 0):
        raise IntakeRefusal(
            "The machine stopped the process that opened the file, most likely for want of memory; "
            "close other programs, or bring smaller weights."
        )
    try:
        found = json.loads(answer)
        if code == 0 and "passport" in found:
            return dict(found["passport"])
        reason, converter = str(found["refusal"])[:1000], str(found["converter"])
    except (ValueError, KeyError, TypeError):
        reason, converter = "", ""
    if code != 0 or not reason or converter not in CONVERTERS:
        raise _broke_down()
    raise IntakeRefusal(reason, converter)


def _broke_down() -> IntakeRefusal:
    return IntakeRefusal(
        "The process that opened the file broke down, so the file is not used; save the weights again.",
        "model",
    )


def _took_too_long() -> IntakeRefusal:
    return IntakeRefusal(
        f"Opening the file took longer than {WALL_SECONDS:g} seconds and was stopped; "
        "bring the plain weights of one network, which open in a few seconds."
    )
