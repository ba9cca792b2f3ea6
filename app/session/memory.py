"""What Streamlit remembers of a visitor. The only module that touches st.session_state."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import streamlit as st


def has(key: str) -> bool:
    """Whether a widget has a value yet."""
    return key in st.session_state


def value(key: str, default: object) -> Any:  # noqa: ANN401 - whatever was put there
    """The value of a widget, or what it has at first."""
    return st.session_state.get(key, default)


def chosen(key: str) -> Any:  # noqa: ANN401 - whatever the widget holds
    """The value of a widget that has one."""
    return st.session_state[key]


def put(key: str, value: object) -> None:
    """Give a widget a value before it is drawn."""
    st.session_state[key] = value


def forget(key: str) -> None:
    """Let a widget start from its default again."""
    st.session_state.pop(key, None)


def forget_all(beginning: str) -> None:
    """Let every widget whose key begins so start from its default again."""
    for key in [key for key in st.session_state if str(key).startswith(beginning)]:
        forget(str(key))


def keys_of(beginning: str, held: object) -> list[str]:
    """Keys that begin so and hold a value."""
    return [str(k) for k, v in st.session_state.items() if str(k).startswith(beginning) and v == held]


def put_later(key: str, value: object) -> None:
    """Give a widget another value from the next drawing of the page on: it is drawn already in this one, or stands
    outside of the fragment that runs."""
    st.session_state[f"later_{key}"] = value


def settle(key: str) -> None:
    """Give a widget, not yet drawn, what was put later."""
    if f"later_{key}" in st.session_state:
        st.session_state[key] = st.session_state.pop(f"later_{key}")


def setter(key: str, value: object) -> Callable[[], None]:
    """A callback that gives a widget another value."""

    def assign() -> None:
        st.session_state[key] = value

    return assign


def offer(key: str, options: tuple[Any, ...], first: Any) -> None:  # noqa: ANN401 - whatever the widget holds
    """Give a widget the value `first` unless the visitor chose another of its options: what was only offered
    gives way to a better offer."""
    offered = f"offered_{key}"
    if st.session_state.get(key) not in options or st.session_state[key] == st.session_state.get(offered):
        st.session_state[key] = st.session_state[offered] = first


def keep_within(key: str, options: tuple[Any, ...]) -> None:
    """Give a widget its first option again when the options no longer hold its value."""
    if st.session_state.get(key) not in options:
        st.session_state[key] = options[0]


def keep_among(key: str, options: tuple[Any, ...]) -> None:
    """Drop from a widget of several choices those that are no longer offered."""
    kept = [value for value in st.session_state.get(key, ()) if value in options]
    if key in st.session_state and kept != list(st.session_state[key]):
        st.session_state[key] = kept


def selected_rows(table: str) -> list[int]:
    """Which rows of a table are selected."""
    found: list[int] = st.session_state[table]["selection"]["rows"]
    return found


def is_first_time(key: object) -> bool:
    """Whether `key` is another than at the last call: for what is to be tried once, not for ever."""
    last, st.session_state["tried"] = st.session_state.get("tried"), key
    return bool(last != key)


def has_arrived() -> bool:
    """Whether this session has drawn a page before; true from the first call on."""
    return bool(st.session_state.get("arrived")) or bool(st.session_state.update(arrived=True))


def keep_notes(place: str, notes: list[str]) -> None:
    """Sentences to be said on the page that is drawn next."""
    st.session_state[place] = ("", notes)


def notes_of(place: str, page: str) -> list[str]:
    """Sentences that were kept, on the first page that asks for them and on no other."""
    said_on, found = st.session_state.get(place, ("", []))
    if said_on not in ("", page):
        st.session_state.pop(place)
        return []
    if found:
        st.session_state[place] = (page, found)
    return list(found)
