"""What a verdict needs to know of data that are brought in: the good answer, whom others are compared with, what
people are called, whose row is whose; as plain data."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pandas as pd

from app.view_models.import_doubts import KEPT_SHEETS
from fmd_core import AttributeDataset, DataError, figures
from fmd_core.data import Column
from fmd_core.datasets.own.answers import Answers
from fmd_core.datasets.own.sniffing import Sheet
from fmd_core.datasets.own.table import TableImport
from fmd_core.datasets.own.table_rows import group_levels
from fmd_core.datasets.phrases import suggest_phrases
from fmd_core.measure.verdict.favourable import suggest_favourable
from fmd_core.text import clean_text

NOBODY = "nobody is better off with either"
NO_REFERENCE = "the group with the highest rate"
NO_PERSON = "each row is a person of its own"
NO_WEIGHTS = "each row stands for one person"
UNSAID = "Say which answer is the good one for the person, or that nobody is better off with either."
COLUMN, LEVEL, CALLED, ANSWER, PLACE = "Column", "Value", "They are called", "Answer", "Place"
LONGEST_PHRASE = 60
OTHERS = "…"  # in a phrase: whom else the sentence is about
Phrases = Mapping[str, Mapping[str, str]]


# --- the good answer


@dataclass(frozen=True)
class Favoured:
    """The question which answer is the good one."""

    options: tuple[str | None, ...]
    """The answers, and None: nobody is better off with either."""
    titles: tuple[str, ...]
    """The options in words."""
    suggested: int | None
    """The option to begin with, None where nothing is sure."""
    reason: str


def favoured(target: str, levels: Sequence[str]) -> Favoured | None:
    """Which of two answers is the good one; None where there are not two."""
    if len(levels) != 2:
        return None
    found = suggest_favourable(Column(target, np.zeros(1, "int64"), tuple(levels)))
    assert found is not None
    reason = f"Suggested: {found.reason}." if found.is_sure else "The names do not say it for sure."
    return Favoured(
        (*levels, None),
        (*(f"{target}: {level}" for level in levels), NOBODY),
        levels.index(found.level) if found.is_sure else None,
        f"{reason} It decides whose rates are compared, and who counts as favoured.",
    )


def class_names(answers: Answers) -> tuple[str, ...]:
    """The answers that a model chooses from, in its order."""
    return tuple(dict.fromkeys(answers.classes.values()))


def unsaid(answers: Answers) -> str:
    """What a verdict still needs to be told, as a request; '' when nothing."""
    return UNSAID if len(class_names(answers)) == 2 and answers.favourable == "" else ""


# --- the order of the answers


def place_rows(names: Sequence[str]) -> pd.DataFrame:
    """The answers with the place of each in a model's output, to edit."""
    return pd.DataFrame({ANSWER: list(names), PLACE: range(1, len(names) + 1)})


def in_places(classes: Mapping[str, str], rows: pd.DataFrame) -> dict[str, str]:
    """Which value is which answer, in the order of the edited places; what has none comes last."""
    places = pd.to_numeric(rows[PLACE], errors="coerce").fillna(len(rows) + 1)
    order = dict(zip(rows[ANSWER], places, strict=True))
    return dict(sorted(classes.items(), key=lambda item: order.get(item[1], len(rows) + 1)))


# --- groups and what they are called


@lru_cache(maxsize=KEPT_SHEETS)
def _groups(sheet: Sheet, asked: str) -> dict[str, tuple[str, ...]]:
    return group_levels(sheet, Answers(**json.loads(asked)))


def groups_of(sheet: Sheet, answers: Answers) -> dict[str, tuple[str, ...]]:
    """The groups that each protected column makes, as far as the answers say it."""
    if not answers.target or not answers.classes:
        return {}
    names = ("target", "protected", "classes", "split_column", "split_values", "limits")
    asked = json.dumps({name: getattr(answers, name) for name in names})
    try:
        return _groups(sheet, asked)
    except DataError:  # what is wrong is said where the data are opened
        return {}


def phrase_rows(
    groups: Mapping[str, Sequence[str]], target: str, classes: Sequence[str], said: Phrases | None = None
) -> pd.DataFrame:
    """Every group and every answer with what its people are called, to edit: as was said, else as is plain."""
    rows = []
    for column, levels in groups.items():
        known = suggest_phrases(column, levels) if said is None else said.get(column, {})
        rows += [(column, level, known.get(level, "")) for level in levels]
    known = {c: f"{{}} with {target} {c}" for c in classes} if said is None else said.get(target, {})
    rows += [(target, level, known.get(level, "")) for level in classes]
    frame = pd.DataFrame(rows, columns=[COLUMN, LEVEL, CALLED])
    frame[CALLED] = frame[CALLED].str.replace("{}", OTHERS, regex=False)
    return frame


def phrase_values(rows: pd.DataFrame) -> dict[str, dict[str, str]]:
    """Phrases by column and level, from the edited rows; an empty one is none."""
    found: dict[str, dict[str, str]] = {}
    for column, level, text in zip(rows[COLUMN], rows[LEVEL], rows[CALLED].fillna(""), strict=True):
        phrase = clean_text(str(text)).replace("{", "").replace("}", "").replace("...", OTHERS)
        phrase = " ".join(phrase[:LONGEST_PHRASE].split()).replace(OTHERS, "{}")
        if phrase and phrase != "{}":
            found.setdefault(column, {})[level] = phrase
    return found


# --- what was said


@dataclass(frozen=True)
class Facts:
    """What was said about an import: a line each, and the same in a sentence."""

    table: pd.DataFrame
    summary: str


def facts(data: AttributeDataset, answers: Answers) -> Facts:
    """What was said about an import."""
    compared = [f"{name}: {level}" for name, level in answers.references.items()]
    called = [
        phrase.replace("{}", OTHERS)
        for name in (*data.attributes, data.target.name)
        for phrase in data.phrases.get(name, {}).values()
    ]
    by = answers.answered if isinstance(answers, TableImport) else ""
    lines = {
        **({"Another system's answers": f"stand in '{by}'"} if by else {}),
        "The truth" if by else "The model predicts": f"{data.target.name}: {', '.join(data.target.levels)}",
        "The good answer": _good(data.target, answers.favourable),
        "Compared with": "; ".join(compared) or NO_REFERENCE,
        "People are called": ", ".join(called) or "by column and value",
        "Whose row it is": _persons(data, answers),
        "A row counts": f"as '{answers.weights}' says" if answers.weights else "once",
    }
    table = pd.DataFrame({"Question": list(lines), "Answer": list(lines.values())})
    return Facts(table, " ".join(f"{name}: {said}." for name, said in lines.items()))


def _good(target: Column, said: str | None) -> str:
    if said is None:
        return NOBODY
    if said:
        return said
    found = suggest_favourable(target)
    return f"none, of {len(target.levels)}" if found is None else f"not said; {found.level} is taken"


def _persons(data: AttributeDataset, answers: Answers) -> str:
    if data.persons is None:
        return NO_PERSON
    n = figures.counted(len(np.unique(data.persons)), "person")
    whose = f"'{answers.person}' says it" if answers.person else "equal rows are of one person"
    return f"{whose}: {n} in {figures.counted(len(data), 'row')}"


def changes(before: Answers, after: Answers) -> str:
    """What was changed of the answers, for the record."""
    told = []
    if before.favourable != after.favourable:
        told.append(f"the good answer: {NOBODY if after.favourable is None else after.favourable}")
    if before.references != after.references:
        compared = ", ".join(f"{name}: {level}" for name, level in after.references.items())
        told.append(f"compared with: {compared or NO_REFERENCE}")
    if before.phrases != after.phrases:
        told.append("what people are called")
    return "; ".join(told)


def same_figures(before: Answers, after: Answers) -> bool:
    """Whether only words differ."""
    return (before.favourable, before.references) == (after.favourable, after.references)
