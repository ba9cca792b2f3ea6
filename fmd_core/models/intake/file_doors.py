"""The kinds of model files that are opened, a `FileDoor` each. Nothing here opens a file or imports torch.

To add one: a `FileDoor` in `FILE_DOORS` (how it is told by its first bytes or its table of contents, and what is
refused before it is opened), and a module with `read(request) -> Found`, which the limited process imports. What it
makes of the file is a `Classifier`; where its encoder is none of our list of networks, the encoder has the ability
`Stored` and its module a line in `RESTORERS` of `fmd_core.models.files`, by which it is written down and made again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from fmd_core.errors import ModelError
from fmd_core.models.hugging_face import files as hugging_face_files
from fmd_core.models.intake import skops_files, weight_files
from fmd_core.models.intake.refusals import ELSEWHERE, IntakeRefusal, kind_of_archive, kind_of_start
from fmd_core.models.intake.weight_files import Seen

STATE_DICT = "state_dict"


@dataclass(frozen=True)
class FileDoor:
    """One kind of model file."""

    name: str
    title: str
    """For people, with an article: "a safetensors file"."""
    takes: Callable[[Seen], bool]
    check: Callable[[Seen], str]
    """A sentence on what was found in order before the file is opened. Raises IntakeRefusal."""
    reader: str
    """Module with `read(request: Request) -> Found`, imported in the limited process alone."""
    family: str
    """What a passport calls the door: two kinds of files may be one."""
    asks_architecture: bool = False
    """Whether the file does not say which network its numbers belong to."""


_ONNX = "fmd_core.models.onnx_door.opening"
_STATE_DICTS = "fmd_core.models.intake.state_dicts"
FILE_DOORS: tuple[FileDoor, ...] = (
    FileDoor(
        "hugging_face", "a Hugging Face folder", hugging_face_files.is_folder, hugging_face_files.check_folder,
        "fmd_core.models.hugging_face.opening", "hugging_face",
    ),
    FileDoor(
        "skops", "a skops file of scikit-learn", skops_files.is_skops, skops_files.check_skops,
        "fmd_core.models.intake.skops_reader", "skops",
    ),
    FileDoor(
        "state_dict", "a PyTorch state dict", weight_files.is_state_dict, weight_files.check_state_dict,
        _STATE_DICTS, STATE_DICT, asks_architecture=True,
    ),
    FileDoor(
        "safetensors", "a safetensors file", weight_files.is_safetensors, weight_files.check_safetensors_file,
        _STATE_DICTS, STATE_DICT, asks_architecture=True,
    ),
    FileDoor("onnx", "an ONNX file", weight_files.is_onnx, weight_files.check_onnx, _ONNX, "onnx"),
)  # fmt: skip
"""Asked in this order."""


def find_door(name: str) -> FileDoor:
    """A door by name."""
    for door in FILE_DOORS:
        if door.name == name:
            return door
    raise ModelError(f"Unknown door '{name[:40]}'. Known: {', '.join(door.name for door in FILE_DOORS)}.")


def inspect_file(path: Path) -> tuple[str, str]:
    """The name of the door for a file, and a sentence on what was found in order; nothing is loaded.

    Raises IntakeRefusal, with what the file is and what its owner can do, where no door takes it.
    """
    seen = weight_files.look(path)
    for door in FILE_DOORS:
        if door.takes(seen):
            return door.name, door.check(seen)
    if not seen.start:
        raise weight_files.missing()
    kind = kind_of_archive(seen.names) if seen.is_archive else kind_of_start(seen.start, path.suffix)
    if kind is None and seen.is_archive:
        raise weight_files.without_weights()
    converter, words = kind or ("model", f"not a kind of file that is known here; {ELSEWHERE}")
    raise IntakeRefusal(f"This is {words}.", converter)


IN_WORDS = {"image": "pictures", "table": "rows of a table", "text": "texts"}


def other_kind(kind: str, held: str) -> str:
    """Why a model that reads one kind of samples is none for data that hold another, in a sentence."""
    reads, holds = (IN_WORDS.get(one, one) for one in (kind, held))
    return f"This model reads {reads}, but the data hold {holds}; open it for data that hold {reads}."
