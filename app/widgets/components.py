"""Building blocks that every page uses."""

from __future__ import annotations

import logging
import re
import unicodedata
from collections.abc import Callable, Sequence
from functools import wraps
from html import escape

import streamlit as st

from app.session import memory, state
from fmd_core import FMDError, figures

TURNING = ("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI")  # by Unicode; FSI and PDI keep a name apart


def show_problem(error: BaseException) -> bool:
    """Print an error as one sentence; nothing technical reaches the screen. True: it is handled."""
    if isinstance(error, FMDError):
        st.error(plain(str(error)))
    else:
        logging.getLogger("fmd").error("unexpected error on a page", exc_info=error)
        st.error("Something went wrong on our side. Go back one step, or reload the page to start over.")
    return True


def straight(text: str) -> str:
    """Text without the marks that turn the direction of all that follows."""
    return text if text.isascii() else "".join(c for c in text if unicodedata.bidirectional(c) not in TURNING)


def plain(text: str) -> str:
    """Text that Streamlit would read as Markdown, as it is: names come from users' files. An address in it stays text:
    a word joiner, which nobody sees, keeps it from becoming a link."""
    text = re.sub(r"(?i)(https?:(?=//)|www(?=\.)|@(?=\w))", "\\1\u2060", straight(text))
    return re.sub(r"([\\`*_\[\]<>#$~:])", r"\\\1", figures.unbroken(text))


def fragment(draw: Callable[[], None]) -> Callable[[], None]:
    """A part of a page that reruns alone when one of its controls moves; its errors are worded."""

    @st.fragment
    @wraps(draw)
    def guarded() -> None:
        try:
            draw()
            if state.behind() != memory.value("told_behind", ""):
                st.rerun()  # the whole app: it says so above the page, with the way on
        except (FMDError, SystemExit) as error:
            show_problem(error)

    return guarded


LOOKS = {"words": "{}", "worse": ":orange[{}]", "better": ":primary[{}]", "interval": ":small[:gray[{}]]"}
"""How the pieces of an answer are written."""


def header(
    question: str, answer: str | Sequence[tuple[str, str]], lead: str = "", *, help: str | None = None
) -> None:
    """The page's question, its answer in one sentence, and the figures behind it; `help` explains a term. An answer in
    pieces names the look of each."""
    pieces = ((answer, "words"),) if isinstance(answer, str) else answer
    said = "".join(LOOKS[look].format(_piece(piece, look)) if piece else "" for piece, look in pieces)
    with st.container(gap="small", key="heading"):
        st.html(f"<div class='fmd-kicker'>{escape(question)}</div>")
        st.title(said, anchor=False, help=help)
        if lead:
            st.html(f"<p class='fmd-lead'>{escape(figures.unbroken(lead))}</p>")


def _piece(text: str, look: str) -> str:
    """A piece as Markdown; no line ends within an interval."""
    return plain(text.replace(" ", "\N{NO-BREAK SPACE}") if look == "interval" else text)


def next_step(page: str, label: str, *, first: Callable[[], None] | None = None, apart: bool = True) -> None:
    """The one obvious button, at the end of a page `apart` from it; `first` is done before it leads on."""
    if apart:
        st.space("small")
    if st.button(label, type="primary", icon=":material/arrow_forward:", icon_position="right", key="next"):
        if first:
            first()
        st.switch_page(page)


def model_in_force() -> str:
    """Who answers on this page, in words."""
    if state.review().is_of_another_system:
        return "another system's answers"
    return state.history().name(state.current())
