"""What a visitor has chosen. The only module that touches st.session_state."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import streamlit as st

from app.history import History, Recipe

DATASET = "colored_digits"


def history() -> History:
    """This visitor's history of unlearning."""
    found: History = st.session_state.setdefault("history", History())
    return found


def apply(recipe: Recipe) -> None:
    """Put a variant in force."""
    st.session_state["history"] = history().apply(recipe, _now())


def undo() -> None:
    """Take the last step back."""
    st.session_state["history"] = history().undo(_now())


def redo() -> None:
    """Take a step that was undone again."""
    st.session_state["history"] = history().redo(_now())


def back_to_original() -> None:
    """Return to the original model, bit for bit."""
    st.session_state["history"] = history().original(_now())


def current() -> Recipe | None:
    """The recipe in force, None for the original model."""
    return history().current


def attribute() -> str:
    """The protected attribute under review, chosen in the sidebar."""
    return str(st.session_state["attribute"])


def threshold() -> float:
    """The limit delta as a share, chosen on the bias page; 10 points until then."""
    return float(st.session_state.get("threshold", 10)) / 100


def jobs() -> tuple[str, ...]:
    """Ids of the long work that this visitor started or looked at, oldest first."""
    return tuple(st.session_state.get("jobs", ()))


def remember_job(job: str) -> None:
    """Keep a job in this visitor's list."""
    st.session_state["jobs"] = (*(j for j in jobs() if j != job), job)


def forget_job(job: str) -> None:
    """Take a job off this visitor's list."""
    st.session_state["jobs"] = tuple(j for j in jobs() if j != job)


def setter(key: str, value: object) -> Callable[[], None]:
    """A callback that gives a widget another value."""

    def assign() -> None:
        st.session_state[key] = value

    return assign


def keep_within(key: str, options: tuple[Any, ...]) -> None:
    """Give a widget its first option again when the options no longer hold its value."""
    if st.session_state.get(key) not in options:
        st.session_state[key] = options[0]


def _now() -> datetime:
    return datetime.now(UTC)
