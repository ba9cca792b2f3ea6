"""The questions about a file that is brought in: what is what in it, what a verdict needs, what is suspicious."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

import streamlit as st

from app.opening import answered_questions, number_questions, verdict_questions
from app.view_models import import_data, import_doubts
from app.view_models import import_questions as view
from app.view_models.import_answered import Who
from app.view_models.import_doubts import Doubt, Way
from app.widgets import components
from fmd_core.datasets.own.answers import Answers
from fmd_core.datasets.own.sheet_checks import CheckedSheet
from fmd_core.datasets.own.sniffing import Sheet
from fmd_core.datasets.own.table import TableImport

A = TypeVar("A", bound=Answers)
T = TypeVar("T", bound=TableImport)
Of = TypeVar("Of", bound=Answers, covariant=True)
NOTHING = "none: share out by chance"
STILL_OPEN = "Choose what to do about everything under “Look at this first”."


@dataclass(frozen=True)
class Asked(Generic[Of]):
    """What was answered so far."""

    answers: Of
    sheet: Sheet
    """The file as it is read by these answers."""
    open: str
    """What is still to be answered before a verdict can be given, as a request; '' when nothing is."""


def ask(sheet: Sheet, suggested: A, place: str, never: str | None = None) -> Asked[A]:
    """All questions about a file; `never` is a column that says nothing of people."""
    names = [column.name for column in sheet.columns if column.name != never]
    who = answered_questions.who(place) if isinstance(suggested, TableImport) else "a model"
    answers = _what_is_what(sheet, suggested, names, place, who)
    answers, sheet, uncut = number_questions.cut(sheet, answers, place)
    found = import_doubts.checked(sheet, tuple(name for name in (answers.target, *answers.protected) if name))
    if who == "another system" and isinstance(answers, TableImport):
        answers = _by_another_system(answers, found, names, place)
        names = [name for name in names if name != answers.answered]
    answers, sheet, settled = _suspicious(sheet, answers, found, names, place, who)
    answers = replace(answers, classes=_classes(sheet, answers.target, place, settled.rare))
    unsaid = ""
    if isinstance(answers, TableImport):
        answers, unsaid = answered_questions.what_it_holds(sheet, answers, who, place)
    good = verdict_questions.favourable(answers.target, view.class_names(answers), place)
    answers = replace(answers, favourable=good)
    with st.expander("More about these data", expanded=bool(suggested.split_column)):
        answers = _more(sheet, suggested, answers, found, names, place, who)
    return Asked(answers, sheet, uncut or settled.open or unsaid or view.unsaid(answers))


def _by_another_system(answers: T, found: CheckedSheet, names: list[str], place: str) -> T:
    """The column with its answers. A model that is trained for these people later reads neither it nor what looks
    like it."""
    free = [name for name in names if name not in answers.protected]
    column = answered_questions.column(free, found.answers, place)
    like_it = [name for name in found.answers if name != column]
    out = tuple(dict.fromkeys((*answers.leave_out, *like_it, *found.identifiers, *found.weights)))
    return replace(answers, answered=column, leave_out=out)


def _what_is_what(sheet: Sheet, suggested: A, names: list[str], place: str, who: Who) -> A:
    """Target and what should not matter."""
    left, right = st.columns(2)
    truth = "The model predicts" if who == "a model" else "The truth stands in"
    with left:
        target = st.selectbox(
            truth, names, index=names.index(suggested.target) if suggested.target in names else None,
            key=f"{place}_target", placeholder="Choose the column",
        )  # fmt: skip
        number_questions.other_targets(sheet, suggested.target, target, names, f"{place}_target")
    with right:
        protected = st.multiselect(
            "Should not matter", [n for n in names if n != target],
            default=[n for n in suggested.protected if n in names and n != target], key=f"{place}_protected",
            placeholder="Choose columns",
        )  # fmt: skip
    found = {name: number_questions.groups(sheet, name, place) for name in protected}
    groupings = {name: grouping for name, (grouping, _) in found.items()}
    limits = {name: text for name, (_, text) in found.items() if text}
    return replace(suggested, target=target or "", protected=groupings, limits=limits)


@dataclass(frozen=True)
class _Settled:
    """What came of the suspicious things: values of the target that are left out, and what is still open."""

    rare: tuple[str, ...] = ()
    open: str = ""


def _suspicious(
    sheet: Sheet, answers: A, found: CheckedSheet, names: list[str], place: str, who: Who
) -> tuple[A, Sheet, _Settled]:
    """What makes the file itself doubtful, each with a choice; what only shows once it is read comes later."""
    spelled = import_doubts.spelling_doubts(sheet, [n for n in (answers.target, *answers.protected) if n])
    is_read = isinstance(answers, TableImport) and who == "a model"
    systems = import_doubts.other_system_doubts(found) if is_read else ()
    named = import_doubts.identifiers_sentence(found) if is_read else ""
    rare = import_doubts.rare_doubts(sheet, answers.target) if answers.target else ()
    if not (spelled or systems or rare or named or found.persons or found.weights):
        return answers, sheet, _Settled()
    with st.container(border=True):
        st.html("<strong>Look at this first</strong>")
        chosen = choose_ways(spelled, place)
        together = tuple(doubt.columns[0] for doubt in spelled if chosen[doubt.key] == "together")
        sheet, answers = import_doubts.one_spelling(sheet, together), replace(answers, one_spelling=together)
        rare = import_doubts.rare_doubts(sheet, answers.target) if answers.target else ()
        chosen |= choose_ways((*rare, *systems), place)
        if isinstance(answers, TableImport) and is_read:
            read = tuple(name for name in answers.leave_out if name not in found.answers)
            out = import_doubts.resolved(replace(answers, leave_out=read), systems, chosen).leave_out
            answers = replace(answers, leave_out=out)
        is_open = None in chosen.values()
        if found.persons:
            person = _whose(answers, found, names, place)
            is_open, answers = is_open or person is None, replace(answers, person=person or "")
        if found.weights:
            weights = _how_many(answers, found, names, place)
            is_open, answers = is_open or weights is None, replace(answers, weights=weights or "")
        if named:
            st.caption(components.plain(named))
    is_out = any(chosen[doubt.key] == "leave out" for doubt in rare)
    left = import_doubts.rare_values(sheet, answers.target) if is_out else ()
    return answers, sheet, _Settled(left, STILL_OPEN if is_open else "")


def _whose(answers: Answers, found: CheckedSheet, names: list[str], place: str) -> str | None:
    """The column that says whose row it is, '' where each row is a person of its own, None where it is to be said."""
    sentence = import_doubts.persons_sentence(found)
    free = [n for n in names if n not in (answers.target, answers.split_column, *answers.protected)]
    return _column("Whose row is it?", view.NO_PERSON, sentence, found.persons, free, f"{place}_person")


def _how_many(answers: Answers, found: CheckedSheet, names: list[str], place: str) -> str | None:
    """The column that says how many people a row stands for, in the same way."""
    sentence = import_doubts.weights_sentence(found)
    taken = (answers.target, answers.split_column, answers.person, *answers.protected)
    free = [n for n in names if n not in taken and found.sheet.column(n).kind == "number"]
    first = next(iter(found.weights), "")
    return _column("How many people does a row stand for?", view.NO_WEIGHTS, sentence, first, free,
                   f"{place}_weights")  # fmt: skip


def _column(question: str, none: str, sentence: str, first: str, free: list[str], key: str) -> str | None:
    """One of the `free` columns, or none of them; where one seems to be it nothing is chosen for the reviewer."""
    options = [*([first] if first in free else []), "", *(name for name in free if name != first)]
    return st.selectbox(
        components.plain(f"{sentence} {question}".strip()), options, index=None if first in free else 0,
        placeholder="Choose", key=key, format_func=lambda name: name or none,
    )  # fmt: skip


def choose_ways(doubts: Sequence[Doubt], place: str) -> dict[str, Way | None]:
    """A way out of each doubt by its key, None where it is still to be chosen: each changes what a verdict says, so
    that none is chosen for the reviewer."""
    chosen: dict[str, Way | None] = {}
    for doubt in doubts:
        titles = {way: components.plain(words) for way, words in doubt.ways.items()}
        chosen[doubt.key] = st.radio(
            components.plain(doubt.sentence), list(titles), index=None, format_func=titles.__getitem__,
            key=f"{place}_doubt_{doubt.key}",
        )  # fmt: skip
    return chosen


def _classes(sheet: Sheet, target: str, place: str, left_out: tuple[str, ...]) -> dict[str, str]:
    """Which value is which class; a value with an empty class is left out."""
    rows = import_data.class_rows(sheet.column(target), left_out) if target else None
    if rows is None:
        return {}
    key = "_".join((place, "classes", target, *rows["Value"], "without", *left_out))
    question = "Which value is which answer? Clear an answer to leave its rows out."
    return import_data.class_values(verdict_questions.edit(question, rows, key))


def _more(
    sheet: Sheet, suggested: A, answers: A, found: CheckedSheet, names: list[str], place: str, who: Who
) -> A:
    """What is rarely needed, or has a good default."""
    groups = view.groups_of(sheet, answers)
    classes = view.class_names(answers)
    if groups:
        references = verdict_questions.compared_with(groups, place)
        phrases = verdict_questions.called(groups, answers.target, classes, place)
        answers = replace(answers, references=references, phrases=phrases)
    left, right = st.columns(2)
    if not found.persons:
        with left:
            answers = replace(answers, person=_whose(answers, found, names, place) or "")
    if not found.weights:
        with right:
            answers = replace(answers, weights=_how_many(answers, found, names, place) or "")
    taken = (answers.target, answers.person, answers.weights, *answers.protected)
    column, values = _split(sheet, suggested, [n for n in names if n not in taken], place)
    answers = replace(answers, split_column=column, split_values=values)
    if who == "another system":
        return answers  # nothing is read
    if isinstance(answers, TableImport):
        answers = replace(answers, leave_out=_left_out(answers, found, names, place))
    if len(classes) > 1:
        answers = replace(answers, classes=_in_order(answers, classes, place))
    return answers


def _in_order(answers: Answers, classes: Sequence[str], place: str) -> dict[str, str]:
    """The answers in the order in which a model of the reviewer's own gives them."""
    rows = verdict_questions.edit(
        "In which place does a model of your own give each answer? It only matters if you open weights of your own.",
        view.place_rows(classes), "_".join((place, "places", *classes)),
    )  # fmt: skip
    return view.in_places(answers.classes, rows)


def _split(
    sheet: Sheet, suggested: Answers, names: list[str], place: str
) -> tuple[str, dict[str, import_data.Split]]:
    """The column that says who is in which part, if there is one, and which value means which part."""
    options = [None, *names]
    start = options.index(suggested.split_column) if suggested.split_column in names else 0
    chosen = st.selectbox(
        "Column that says who is for training and who for the test", options, index=start,
        format_func=lambda name: NOTHING if name is None else name, key=f"{place}_split",
        help="A part that no value names is drawn out of the training rows.",
    )  # fmt: skip
    if chosen is None:
        return "", {}
    rows = import_data.split_rows(sheet.column(chosen))
    if rows is None:
        return chosen, {}
    parts = verdict_questions.edit(
        "Which value means which part?", rows, f"{place}_parts_{chosen}", import_data.PART_TITLES
    )
    return chosen, import_data.split_values(parts)


def _left_out(answers: TableImport, found: CheckedSheet, names: list[str], place: str) -> tuple[str, ...]:
    """Columns that the model shall not read: those decided above, and what else the reviewer names. Numbers of
    people and weights are named at first; a protected column never is."""
    decided = [name for name in found.answers if name in names]
    taken = {answers.target, answers.split_column, answers.person, answers.weights, *decided}
    free = [name for name in names if name not in taken]
    first = {*answers.leave_out, *found.identifiers, *found.weights} - set(answers.protected)
    chosen = st.multiselect(
        "The model shall not read", free, default=[name for name in free if name in first],
        key=f"{place}_left_out", placeholder="Choose columns",
        help="Numbers of people, names, weights: what says nothing about the answer.",
    )  # fmt: skip
    return (*(name for name in answers.leave_out if name in decided), *chosen)
