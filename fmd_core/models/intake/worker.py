"""The process in which a user's weights file is opened: `python -m fmd_core.models.intake.worker`.

Reads a request as JSON from standard input and writes an answer as JSON to standard output:
either {"passport": ...}, with the classifier written to the requested path, or {"refusal": one
sentence, "converter": a name in `fmd_core.models.intake.intake`}. It limits its own memory and time before
the file is touched, and never passes on the wording of a foreign error.
"""

from __future__ import annotations

import errno
import json
import os
import re
import select
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from fmd_core.data import Array
from fmd_core.errors import ModelError
from fmd_core.home import is_disk_full
from fmd_core.kinds import find_kind
from fmd_core.models.architectures import find_architecture, is_architecture
from fmd_core.models.classifier import Classifier
from fmd_core.models.encoder import Layered, Network, Trainable
from fmd_core.models.files import save_classifier
from fmd_core.models.intake.file_doors import STATE_DICT, find_door
from fmd_core.models.intake.found import Found, Refused, Request, refuse_other_kind

IDLE_SECONDS = 900.0  # until a process that was prepared for a file gives its memory back


def main() -> None:
    """Answer the one request on standard input; end where none comes."""
    import torchvision  # noqa: F401  loads torch too: what takes long is done before the file comes

    if not comes(sys.stdin, IDLE_SECONDS):
        return
    answer_request(answer)


def answer_request(answer: Callable[[Request], dict[str, Any]]) -> None:
    """Answer the request on standard input, under the limits that it names."""
    request = json.load(sys.stdin)
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever a library prints is not the answer
    limit_memory(request["memory_bytes"], request["cpu_seconds"], request["max_bytes"])
    json.dump(answer(request), answers)
    answers.close()


def comes(pipe: TextIO, seconds: float) -> bool:
    """Whether a request comes, or is there, within so many seconds."""
    if os.name != "posix":
        return True
    if not select.select([pipe], [], [], seconds)[0]:
        return False
    return bool(pipe.buffer.peek(1)) if hasattr(pipe.buffer, "peek") else True  # closed: nobody asks any more


def limit_memory(memory_bytes: int, cpu_seconds: int, max_bytes: int) -> None:
    """Limit this process for good: its processor time, what it writes, and memory beyond torch."""
    try:
        import resource
    except ImportError:  # Windows: only the wall clock of the parent limits
        return
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_seconds, cpu_seconds + 5))
    resource.setrlimit(resource.RLIMIT_FSIZE, (2 * max_bytes, 2 * max_bytes))
    import torch

    torch.set_num_threads(1)
    statm = Path("/proc/self/statm")
    if statm.exists():
        limit = int(statm.read_text().split()[0]) * resource.getpagesize() + memory_bytes
        allowed = resource.getrlimit(resource.RLIMIT_AS)[1]
        limit = limit if allowed == resource.RLIM_INFINITY else min(limit, allowed)  # it can only be lowered
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def answer(request: Request) -> dict[str, Any]:
    """What is found of the requested file; the classifier lies at request['out'] afterwards."""
    try:
        return {"passport": convert(request)}
    except Refused as refused:
        return {"refusal": str(refused), "converter": refused.converter}
    except ModelError as error:
        return {"refusal": str(error), "converter": ""}
    except Exception as error:
        if is_memory_error(error):
            reason = (
                "Opening the file takes more memory than is allowed for weights; bring a smaller network."
            )
            return {"refusal": reason, "converter": ""}
        if isinstance(error, OSError) or is_disk_full(error):
            reason = "The file could not be read, or the converted model not be stored; look whether the disk is full."
            return {"refusal": reason, "converter": ""}
        return damaged(request["door"])


def damaged(door: str) -> dict[str, Any]:
    """The refusal of a file whose reader broke down in it."""
    if find_door(door).family == STATE_DICT:
        reason = "The file is damaged or not a plain state dict; save it again."
        return {"refusal": reason, "converter": "model"}
    return {
        "refusal": "The file is damaged or not the model that it seems to be; save it again.",
        "converter": "",
    }


def is_memory_error(error: Exception) -> bool:
    """Whether memory ran out: torch says so with an error that means other things too."""
    foreign = re.search(r"allocate memory|not enough memory|bad_alloc", str(error)) is not None
    return isinstance(error, MemoryError) or foreign or getattr(error, "errno", None) == errno.ENOMEM


def convert(request: Request) -> dict[str, Any]:
    """Open, check, try out and write; the fields of a passport."""
    found: Found = import_module(find_door(request["door"]).reader).read(request)
    classifier = found.classifier
    refuse_other_kind(classifier.kind, request)
    width = request["n_inputs"] or find_kind(classifier.kind).stored_width(classifier.encoder_state)
    checks = found.checks + try_out(classifier, width, found.trial)
    save_classifier(classifier, Path(request["out"]))
    return {
        "architecture": classifier.architecture,
        "title": classifier.title,
        "kind": classifier.kind,
        "n_parameters": found.n_parameters,
        "n_outputs": found.n_outputs,
        "n_features": classifier.head.n_features,
        "classes": found.classes,
        "preprocess": found.preprocess,
        "can": abilities(classifier),
        "layers": list(found.layers.items()),
        "checks": checks,
        "stripped_prefix": found.stripped_prefix,
        "is_ours": found.is_ours,
    }


def abilities(classifier: Classifier) -> list[str]:
    """What can be done with the model, by names of `fmd_core.models.intake.intake.ABILITIES`."""
    encoder = classifier.encoder
    asked = {"gradients": Network, "deeper": Trainable}
    found = ["last layer", *(name for name, ability in asked.items() if isinstance(encoder, ability))]
    if isinstance(encoder, Layered):
        try:
            encoder.hidden_layer()
        except ModelError:
            return found
        found.append("two layers")
    return found


def try_out(classifier: Classifier, n_inputs: int, given: Array | None = None) -> list[str]:
    """Features of three fixed inputs, twice: refuses what fails, differs or is not a number."""
    inputs = trial_inputs(classifier, n_inputs) if given is None else given
    first, again = (run(classifier, inputs) for _ in range(2))
    with np.errstate(all="ignore"):
        finite = np.isfinite(first).all() and np.isfinite(classifier.head.logits(first)).all()
    if not finite:
        raise Refused(
            "The network answers with values that are not numbers (NaN or infinite); bring other weights."
        )
    if first.tobytes() != again.tobytes():
        raise Refused("The network answers the same input differently each time, so it cannot be judged.")
    size = np.abs(first).max()
    if np.abs(run(classifier, inputs[:2]) - first[:2]).max() > 1e-3 * size:
        raise Refused(
            "The network's answer to one input changes with the inputs beside it, so it cannot be judged."
        )
    checks = ["A trial run with training behaviour switched off gave the same finite answer twice."]
    if np.abs(first - first[0]).max() <= 1e-6 * size:
        checks.append(
            "Warning: the network gave different inputs the same features; it may be untrained or dead."
        )
    return checks


def trial_inputs(classifier: Classifier, n_inputs: int) -> Array:
    """Three inputs of noise, of the kind and size that the classifier reads; the same each time."""
    side = classifier.preprocess.size or usual_size(classifier)
    return find_kind(classifier.kind).noise(np.random.default_rng(0), 3, width=n_inputs, side=side)


def usual_size(classifier: Classifier) -> int:
    """The side of the pictures that its network is made for; 224 where that is not known."""
    known = is_architecture(classifier.architecture)
    return find_architecture(classifier.architecture).size if known else 224


def run(classifier: Classifier, inputs: Array) -> Array:
    """Features of `inputs`; an input that the network cannot take is refused in words."""
    try:
        return classifier.encode([inputs])
    except (RuntimeError, AssertionError, ValueError) as error:
        if is_memory_error(error):
            raise
        raise Refused(find_kind(classifier.kind).misfit(inputs, usual_size(classifier)), "") from None


if __name__ == "__main__":
    main()
