"""The questions about another system whose answers are a column of a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

import streamlit as st

from app.view_models import import_answered as view
from app.view_models import import_questions
from app.view_models.import_answered import Who
from app.widgets import components
from fmd_core.datasets.own.sniffing import Sheet
from fmd_core.datasets.own.table import TableImport

IN_A_ROW = 3
T = TypeVar("T", bound=TableImport)


def who(place: str) -> Who:
    """Who answers: asked first, for nearly everything else follows."""
    return st.radio(
        "Who answers?", view.WHO, format_func=view.TITLES.__getitem__, horizontal=True, key=f"{place}_who",
    )  # fmt: skip


def column(names: Sequence[str], likely: Sequence[str], place: str) -> str:
    """The column with the answers; '' until it is chosen."""
    options, first = view.ordered(likely, names), view.first_guess(likely, names)
    left, _ = st.columns(2)
    chosen = left.selectbox(
        "Its answers stand in", options, index=None if first is None else options.index(first),
        key=f"{place}_answered", placeholder="Choose the column",
        help="Where nobody knows the truth, choose the same column: how often each answer is given can be compared.",
    )  # fmt: skip
    return chosen or ""


def what_it_holds(sheet: Sheet, answers: T, by: Who, place: str) -> tuple[T, str]:
    """Answers or probabilities, and what each value stands for where the target calls it otherwise; with what is still
    open, as a request, '' when nothing is."""
    classes = import_questions.class_names(answers)
    if by == "a model" or not answers.answered or not classes:
        return answers, view.missing(sheet, answers, by, "")
    profile = sheet.column(answers.answered)
    titles = view.holds(profile, answers, classes)
    held: str | None = view.ANSWERS
    key = "_".join((place, answers.answered, *classes))
    if list(titles) != [view.ANSWERS]:
        held = st.radio(
            components.plain(f"'{answers.answered}' holds"), list(titles), index=None, horizontal=True,
            format_func=lambda name: components.plain(titles[name]), key=f"{key}_holds",
        )  # fmt: skip
    answers = replace(answers, scores_of=held or "")
    asked = view.values(profile, answers) if held == view.ANSWERS else None
    if asked is None:
        return answers, view.missing(sheet, answers, by, held)
    found, twice = view.value_classes(_values(asked, answers.answered, classes, key))
    answers = replace(answers, answer_classes=found)
    open_ = view.TWICE.format(twice, answers.answered) if twice else view.missing(sheet, answers, by, held)
    return answers, open_


def _values(asked: view.Values, column: str, classes: Sequence[str], key: str) -> dict[str, list[str]]:
    """The values of the column that stand for each class."""
    st.caption(components.plain(f"Which values of {column} stand for which answer?"))
    chosen = {}
    for start in range(0, len(classes), IN_A_ROW):
        row = classes[start : start + IN_A_ROW]
        for place, name in zip(st.columns(min(len(classes), IN_A_ROW)), row, strict=False):
            chosen[name] = place.multiselect(
                components.plain(f"“{name}”"), asked.options, default=asked.first[name], placeholder="Choose values",
                key=f"{key}_values_{name}",
            )  # fmt: skip
    return chosen
