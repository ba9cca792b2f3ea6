"""What an ONNX file says of itself, and what has to be asked beside that."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from app import cache
from app.opening import preparation_card
from app.opening.looks import Looks
from app.record.review import Review
from app.widgets import components
from fmd_core import ModelError
from fmd_core.models.intake import intake
from fmd_core.models.onnx_door.opening import Described, describe
from fmd_core.models.preprocess import Preprocess

LAYOUTS = {
    "NCHW": "channels first, as PyTorch has them",
    "NHWC": "channels last, as TensorFlow and Keras have them",
}
_looks: Looks[Described | str] = Looks(most=4)


def is_onnx(given: UploadedFile) -> bool:
    """Whether a file says by its name that it is one."""
    return given.name.casefold().endswith(".onnx")


def draw(review: Review, given: UploadedFile) -> partial[intake.Passport] | None:
    """What opens the file once it is asked; None where it is refused, or cannot be read like this."""
    found = _looks.of(given, _look)
    if isinstance(found, str):
        st.error(components.plain(found))
        return None
    if found.is_picture:
        preparation, layout = _pictures(review, given, found)
        if preparation is None:
            return None
    else:
        preparation, layout = None, ""
        named = ", ".join(found.inputs[:20]) + (" and more" if len(found.inputs) > 20 else "")
        st.caption(components.plain(f"The file reads {named}, found among the columns by name or by number."))
    return partial(_open, review, preparation, layout, _output(review, found))


def _look(given: UploadedFile) -> Described | str:
    """What the file says, or why it is refused."""
    try:
        with st.spinner("Looking at the file in a process of its own"):
            return describe(given.getvalue())
    except ModelError as problem:
        return str(problem)


def _pictures(review: Review, given: UploadedFile, found: Described) -> tuple[Preprocess | None, str]:
    layout = ""
    if found.layout is None:
        layout = st.radio(
            "The file does not say where the channels lie", list(LAYOUTS), format_func=LAYOUTS.__getitem__,
            key=f"layout_{given.file_id}", horizontal=True,
        )  # fmt: skip
    said = (
        f"{found.width} x {found.height} pixels" if found.height and found.width else "pictures of any size"
    )
    st.caption(
        f"The file reads {said}{', grayscale' if found.grayscale else ''}"
        f"{f', {LAYOUTS[found.layout]}' if found.layout else ''}. It does not say how they are made ready."
    )
    usual = Preprocess("imagenet", found.height or 224, "squash")
    fixed = preparation_card.Fixed(found.height, found.width, found.grayscale)
    return preparation_card.draw(review, usual, f"onnx_{given.file_id}", fixed), layout


def _output(review: Review, found: Described) -> int | None:
    """Which of several outputs answers the target, where they are not one for each class."""
    levels = cache.dataset(review).target.levels
    if len(levels) != 2 or found.n_outputs == 1 or not (found.is_several or found.n_outputs != 2):
        return None
    names = (
        found.names
        if len(found.names) == found.n_outputs
        else tuple(f"output {k}" for k in range(found.n_outputs))
    )
    chosen: int | None = st.selectbox(
        components.plain(f"Which of its {found.n_outputs} outputs means {levels[1]}?"),
        range(found.n_outputs), index=None, format_func=lambda k: components.plain(names[k]), key="onnx_output",
        placeholder="Choose one", width=360,
    )  # fmt: skip
    return chosen


def _open(
    review: Review, preparation: Preprocess | None, layout: str, output: int | None, path: Path, out: Path
) -> intake.Passport:
    data = cache.dataset(review)
    n_inputs = 0 if preparation else cache.n_inputs(review)
    return intake.open_weights(
        path, n_classes=len(data.target.levels), n_inputs=n_inputs, preparation=preparation, layout=layout,
        output=output, out=out,
    )  # fmt: skip
