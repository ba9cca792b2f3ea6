"""The process in which a language model that somebody brought is opened first: `python -m fmd_core.language.trial`.

It has the limits of the process that opens other models (memory, time, what it writes) and may die; only what opened
and read two sentences there is opened by the server.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fmd_core.errors import ModelError
from fmd_core.models.intake.found import Request
from fmd_core.models.intake.intake import ask_process
from fmd_core.models.intake.worker import answer_request, is_memory_error

SENTENCES = ("The sun rises.", "A letter came today.")
DAMAGED = "The folder is damaged or not the language model that it seems to be; save it again."
NO_MEMORY = "Opening the model takes more memory than is allowed for weights; bring a smaller one."
NO_NUMBERS = "The model answers with values that are not numbers (NaN or infinite); bring other weights."


def try_model(path: Path) -> str:
    """Open a model in a process of its own; its fingerprint. IntakeRefusal where it does not open."""
    return str(ask_process("fmd_core.language.trial", {"path": str(path.resolve())})["fingerprint"])


def main() -> None:
    """Answer the one request on standard input."""
    import transformers  # noqa: F401  loads torch too, before memory is limited

    answer_request(answer)


def answer(request: Request) -> dict[str, Any]:
    """What came of opening it: a fingerprint, or a refusal in a sentence."""
    try:
        return {"passport": {"fingerprint": _tried(Path(request["path"]))}}
    except ModelError as error:
        return {"refusal": str(error), "converter": ""}
    except Exception as error:
        return {"refusal": NO_MEMORY if is_memory_error(error) else DAMAGED, "converter": ""}


def _tried(path: Path) -> str:
    import numpy as np

    from fmd_core.language.opening import open_language_model
    from fmd_core.language.reading import read

    model = open_language_model(path)
    if not np.isfinite(read(model, SENTENCES).features).all():
        raise ModelError(NO_NUMBERS)
    return model.fingerprint


if __name__ == "__main__":
    main()
