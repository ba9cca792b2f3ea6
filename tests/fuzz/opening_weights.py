"""Weights as a visitor opens them; the worker is forked, so that torch need not be loaded for each file."""

import json
import os
import resource
import signal
import tempfile
import time
from pathlib import Path
from random import Random

import numpy as np

from tests.fuzz import weights
from tests.fuzz.mutation import changed

WORKER_SECONDS = 15.0
worker_bytes = [0]  # the most that the worker of the case at hand took beyond the process that it came from


def write_safetensors(rng: Random, folder: Path) -> None:
    (folder / f"weights.{rng.choice(('safetensors', 'bin', 'pt'))}").write_bytes(weights.safetensors(rng))


def write_archive(rng: Random, folder: Path) -> None:
    (folder / "weights.pt").write_bytes(weights.archive(rng))


def read_weights(_: Random, folder: Path) -> object:
    """As a visitor opens them. The worker is forked here, where torch is loaded already; it takes the
    same limits, does the same work and dies alone."""
    from fmd_core.models.intake import intake

    intake._ask_worker = _forked_worker
    (path,) = folder.iterdir()
    return intake.open_weights(
        path, architecture="mlp", n_classes=weights.CLASSES, n_inputs=weights.INPUTS, size=None,
        normalisation="symmetric", out=folder / "out" / "model.safetensors",
    )  # fmt: skip


def read_model(rng: Random, folder: Path) -> object:
    """As `read_weights`, of a file that says more of itself; then as it is opened from the shelf, and asked."""
    import onnxruntime  # noqa: F401  here and not in every fork
    import skops.io  # noqa: F401
    import transformers  # noqa: F401

    from fmd_core.models.files import load_classifier
    from fmd_core.models.intake import intake

    intake._ask_worker = _forked_worker
    (path,) = folder.iterdir()
    out = folder / "out" / "model.safetensors"
    found = intake.open_weights(path, kind=rng.choice(("", "", "image", "table")), out=out)
    if found.door == "onnx":  # it runs in a process of its own, which is not what is looked at here
        return found
    classifier = load_classifier(out)
    return classifier.fingerprint


def _forked_worker(request: dict) -> dict:
    from fmd_core.models.intake import intake
    from fmd_core.models.intake import worker as intake_worker

    limits = {"max_tensors": intake.MAX_TENSORS, "max_elements": intake.MAX_ELEMENTS}
    with tempfile.TemporaryFile() as answer:
        worker = os.fork()
        if worker == 0:
            try:
                intake_worker.limit_memory(1 << 30, 10, intake.MAX_BYTES)
                os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
                answer.write(json.dumps(intake_worker.answer(request | limits)).encode())
                answer.flush()
            finally:
                os._exit(0)  # whatever happens, there must not be two of this process
        code = _wait(worker)
        if code is None:
            raise intake._took_too_long()
        answer.seek(0)
        return intake._findings(answer.read(intake.MAX_ANSWER_BYTES), code)


def _wait(worker: int) -> int | None:
    """How the worker ended; None when it had to be stopped."""
    base = int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() >> 10
    until = time.monotonic() + WORKER_SECONDS
    while time.monotonic() < until:
        ended, status, usage = os.wait4(worker, os.WNOHANG)
        if ended:
            worker_bytes[0] = max(0, usage.ru_maxrss - base) << 10
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.002)
    os.kill(worker, signal.SIGKILL)
    os.waitpid(worker, 0)
    return None


def write_classifier(rng: Random, folder: Path) -> None:
    content = weights.own_classifier() if rng.random() < 0.3 else weights.safetensors(rng)
    (folder / "model.safetensors").write_bytes(changed(rng, content) if rng.random() < 0.3 else content)


def read_classifier(_: Random, folder: Path) -> object:
    from fmd_core.models.files import load_classifier

    found = load_classifier(folder / "model.safetensors")
    return found.encode([np.zeros((2, weights.INPUTS), "float32")])
