"""Apply, undo, redo, back to the original, and everything done so far: the same on every page that makes variants."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import streamlit as st

from app import cache
from app.record.history import History
from app.record.variants import Variant, describe
from app.session import state
from app.view_models import glossary, unlearn
from app.widgets import components, panels


@dataclass(frozen=True)
class Shortcut:
    """Another first button than "Apply this": what it says and does."""

    label: str
    act: Callable[[], None]


def draw(
    variant: Variant, *, refused: bool, shortcut: Shortcut | None = None, is_original: bool = False
) -> None:
    """The panel for a variant on screen, which the guard may have refused. One that `is_original` changes nothing:
    the way to it is "Back to original"."""
    past = state.history()
    head, tried = cache.head(state.review(), past.current), cache.head(variant.review, variant)
    with st.container(border=True):
        st.markdown(f"**In force:** {components.plain(_called(past))}")
        same = tried.fingerprint == head.fingerprint
        with st.container(horizontal=True):
            if shortcut:
                _act(shortcut.label, shortcut.act, primary=True)
            else:
                label = "Apply although refused" if refused else "Apply this"
                _act(label, lambda: apply(variant), disabled=same or is_original, primary=not refused)
            _act("Undo", state.undo, disabled=not past.can_undo)
            _act("Redo", state.redo, disabled=not past.can_redo)
            _act("Back to original", state.back_to_original, disabled=past.current is None)
        if past.current and not same and not is_original:
            st.caption(
                "Applying replaces what is in force: every variant starts from the original model. All that were in "
                "force are kept on the Compare page."
            )
        st.caption(
            f"Fingerprint of the last layer in force: {head.fingerprint[:16]}",
            help=glossary.tip("Fingerprint"),
        )
        if past.log:
            with st.popover("History", icon=":material/history:"):
                st.table(
                    panels.plain_cells(unlearn.history_table(past)),
                    border="horizontal",
                    hide_index=True,
                    alt="History",
                )


def apply(variant: Variant) -> None:
    """Put a variant in force, with what the guard says of it."""
    state.apply(variant, cache.point(variant).refusal)


def _called(past: History) -> str:
    """What is in force by name, how it was made, and that the guard refuses it."""
    if past.current is None:
        return "the original model"
    refused = unlearn.refused(past.refusal(past.current))
    return f"{past.name(past.current)}, {describe(past.current)}{refused}"


def _act(label: str, action: Callable[[], None], *, disabled: bool = False, primary: bool = False) -> None:
    """A button whose effect the whole app must see, the sidebar too."""
    kind: Literal["primary", "secondary"] = "primary" if primary else "secondary"
    if st.button(label, type=kind, disabled=disabled):
        action()
        st.rerun()
