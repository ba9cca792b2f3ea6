"""What an uploaded model file is, told without opening it, and the words for one that is not opened."""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from app.opening import uploads
from app.opening.looks import Looks
from app.view_models import models
from app.widgets import components
from fmd_core import ModelError
from fmd_core.models.hugging_face import files
from fmd_core.models.hugging_face.config import read_config
from fmd_core.models.hugging_face.preprocessing import read_preprocessor
from fmd_core.models.intake import intake
from fmd_core.models.intake.file_doors import FileDoor, find_door, other_kind
from fmd_core.models.intake.refusals import with_file
from fmd_core.models.preprocess import Preprocess


@dataclass(frozen=True)
class Look:
    """The door of a file, and how it says that pictures are made ready."""

    door: FileDoor
    kind: str = ""
    """What it reads, a name in `fmd_core.kinds`; "" where the file has to be opened to know."""
    preprocess: Preprocess | None = None
    says_preprocess: bool = False


_looks: Looks[Look | models.Refused] = Looks(most=8)


def look(given: UploadedFile) -> Look | models.Refused:
    """What a file is, or why it is refused; looked at once."""
    return _looks.of(given, _look)


def _look(given: UploadedFile) -> Look | models.Refused:
    with uploads.on_disk(given) as path:
        try:
            door = find_door(intake.inspect_file(path)[0])
            if door.name != "hugging_face":
                return Look(door, "table" if door.name == "skops" else "")
            described = read_config(files.peek(path, files.CONFIG))
            told = files.peek(path, files.PICTURES)
            if told is None:
                usual = Preprocess("imagenet", described.side)
                return Look(door, described.family.kind, usual)
            preprocess = Preprocess(**read_preprocessor(told, described))
            return Look(door, described.family.kind, preprocess, says_preprocess=True)
        except intake.IntakeRefusal as refusal:
            return models.Refused(str(refusal), with_file(refusal.converter, given.name))
        except ModelError as problem:
            return models.Refused(str(problem), "")


def why_not(found: Look, kind: str) -> str:
    """Why a file cannot be a model for samples of this kind, in a sentence; "" where it can, as far as is known."""
    return "" if found.kind in ("", kind) else other_kind(found.kind, kind)


def show_refusal(refused: models.Refused) -> None:
    """Why a file is not opened, and code for its owner that can be copied."""
    st.error(components.plain(refused.reason))
    if refused.converter:
        st.caption("Run this where the model was made, then open the file that it writes:")
        st.code(refused.converter, language="python", wrap_lines=True)
