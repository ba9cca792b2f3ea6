"""A sample on screen: a picture, or the lines of a record."""

from __future__ import annotations

import streamlit as st

from app import cache
from app.record.review import Review
from app.session import memory
from app.widgets import gallery
from fmd_core.kinds import find_kind

SHOWN = "show_offensive"


def picture(
    review: Review, row: int, alt: str, note: str = "", *, attribute: str = "", code: int = 0, side: int = 128
) -> gallery.Picture:
    """One sample, with `attribute` set to `code` if one is named."""
    shown = cache.portrait(review.data, row, attribute, code, side)
    hidden, prose = is_hidden(review), reads_words(review)
    return gallery.Picture(shown.picture, alt, note, shown.text, shown.marks, hidden, prose)


def reads_words(review: Review) -> bool:
    """Whether samples are texts, which need wider tiles."""
    return find_kind(cache.dataset(review).source.kind).reads_words


def is_hidden(review: Review) -> bool:
    """Whether the texts of these data are offensive, and nobody has asked to see them yet."""
    return bool(getattr(cache.dataset(review).source, "offensive", False)) and not memory.value(SHOWN, False)


def offer_to_show(review: Review) -> None:
    """The way to see offensive texts; nothing for other data."""
    if getattr(cache.dataset(review).source, "offensive", False):
        st.toggle(
            "Show the texts", key=SHOWN, persist_state="session",
            help="Some are insults and threats against groups of people, real ones, so they are blurred until you ask.",
        )  # fmt: skip
