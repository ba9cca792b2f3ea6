"""The questions about columns of numbers: where a target is cut, and which groups a protected column makes; and which
other column could be the target."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

import streamlit as st

from app.session import memory
from app.view_models import import_data, import_doubts
from app.view_models import import_numbers as view
from app.widgets import components
from fmd_core.datasets.own.answers import Answers
from fmd_core.datasets.own.sniffing import Sheet
from fmd_core.errors import DataError

A = TypeVar("A", bound=Answers)
MOST_OTHERS = 3


def other_targets(sheet: Sheet, suggested: str, chosen: str | None, names: list[str], key: str) -> None:
    """Why the target is suggested, and which other columns could be it, each a click away."""
    found = view.target_reasons(sheet, names)
    if chosen and chosen == suggested and chosen in found:
        st.caption(components.plain(f"Suggested: {found[chosen]}."))
    others = [name for name in found if name != chosen][:MOST_OTHERS]
    if others:
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.caption("Or rather", width="content")
            for name in others:
                st.button(
                    components.plain(name), key=f"{key}_rather_{name}", help=found[name],
                    on_click=memory.setter(key, name),
                )  # fmt: skip


def cut(sheet: Sheet, answers: A, place: str) -> tuple[A, Sheet, str]:
    """Where a target of many numbers is cut in two answers; the sheet with these answers, and what is still to be
    said, '' where nothing is."""
    asked = view.cut_asked(sheet, answers.target)
    if asked is None:
        return answers, sheet, ""
    number = st.number_input(
        components.plain(asked.question), value=None, placeholder=asked.example, key=f"{place}_cut_{answers.target}",
        width=420,
    )  # fmt: skip
    st.caption(components.plain(asked.facts))
    if number is None:
        return answers, sheet, asked.request
    answers = replace(answers, cut=view.number_words(number))
    try:
        return answers, import_doubts.cut_target(sheet, answers.target, answers.cut), ""
    except DataError as error:
        return replace(answers, cut=""), sheet, str(error)


def groups(sheet: Sheet, name: str, place: str) -> tuple[import_data.Grouping, str]:
    """How a column of numbers makes groups of people, and the limits where they are one's own."""
    options = import_data.groupings(sheet.column(name))
    if len(options) == 1:
        return options[0], ""
    grouping = st.radio(
        components.plain(f"Groups by {name}"), options, format_func=import_data.GROUPING_TITLES.__getitem__,
        horizontal=True, key=f"{place}_groups_{name}",
    )  # fmt: skip
    if grouping != "own":
        return grouping, ""
    limits = st.text_input(
        components.plain(f"Limits of the groups by {name}"), placeholder=view.limits_example(sheet, name),
        key=f"{place}_limits_{name}", width=420, help="Each limit begins a group: 30, 45 makes under 30, 30 to under "
        "45, and 45 or more.",
    )  # fmt: skip
    st.caption(components.plain(view.groups_words(sheet, name, limits)))
    return grouping, limits.strip()
