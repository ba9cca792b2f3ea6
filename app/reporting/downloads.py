"""Files to take away from the Report page."""

from __future__ import annotations

import streamlit as st

MIME = {
    "html": "text/html",
    "json": "application/json",
    "safetensors": "application/octet-stream",
    "onnx": "application/octet-stream",
}


def save(label: str, content: str | bytes, name: str, note: str, *, first: bool = False) -> None:
    """A file to take away, and what it is for."""
    st.download_button(
        label, content, name, MIME[name.split(".")[1]], type="primary" if first else "secondary",
        icon=":material/download:", on_click="ignore", width="stretch",
    )  # fmt: skip
    st.caption(note)
