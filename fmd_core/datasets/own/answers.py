"""What a reviewer says about a sheet: target, protected columns, split; and the rows that follow.

Shared by tables and by folders of images. An answer is plain text and numbers, so that it can be
kept as JSON and shown again.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, Literal, Self, get_args

import numpy as np

from fmd_core.data import SPLITS, Array, Split
from fmd_core.datasets.own.cut_points import limits_of
from fmd_core.datasets.own.people import codes_of, share_out_people
from fmd_core.datasets.own.sniffing import ColumnProfile, Sheet, count
from fmd_core.datasets.table_encoding import AGE_EDGES, Binned, ages, between, equal_parts
from fmd_core.errors import DataError
from fmd_core.text import one_form

if TYPE_CHECKING:
    import pandas as pd

Grouping = Literal["values", "ages", "thirds", "halves", "quarters", "own"]
"""How a protected column makes groups: each value one, four age groups, equal parts, or limits of one's own."""
SHARES: dict[Split, float] = {"train": 0.6, "external": 0.1, "validation": 0.1, "test": 0.2}
EQUAL_PARTS: dict[Grouping, int] = {"halves": 2, "thirds": 3, "quarters": 4}
MIN_CLASS = 10  # rows: fewer cannot be shared out over four splits
_ASKED_LATER = {
    "favourable",
    "references",
    "phrases",
    "person",
    "weights",
    "one_spelling",
    "not_known",
    "equal_rows",
    "answered",
    "answer_classes",
    "scores_of",
    "folders",
    "without_picture",
    "limits",
    "cut",
    "lists",
    "template",
    "case",
}  # imports of before have no answer to these
_SPLIT_WORDS: dict[str, Split] = {
    r"train\w*|training|0": "train", r"external": "external", r"val\w*|dev\w*|1": "validation",
    r"test\w*|holdout|hold-out|eval\w*|2": "test",
}  # fmt: skip


@dataclass(frozen=True)
class Answers:
    """Which column is what. `classes` names the class of each value of the target that is used, each
    value being its own class when empty; `split_values` the split of each value of `split_column`."""

    target: str
    protected: Mapping[str, Grouping]
    classes: Mapping[str, str] = field(default_factory=dict)
    split_column: str = ""
    split_values: Mapping[str, Split] = field(default_factory=dict)
    unit: str = "row"
    seed: int = 0
    favourable: str | None = field(default="", kw_only=True)
    """Of two classes the one that is good for whom it is said of; '' where nobody said, None where neither is."""
    references: Mapping[str, str] = field(default_factory=dict, kw_only=True)
    """The level that others are compared with, by protected column."""
    phrases: Mapping[str, Mapping[str, str]] = field(default_factory=dict, kw_only=True)
    """What people of a level are called, by column and level; no part of any fingerprint."""
    person: str = field(default="", kw_only=True)
    """The column that says whose row it is: all rows of a person are in one part, and it is not read."""
    weights: str = field(default="", kw_only=True)
    """The column that says how many people a row stands for; it is not read."""
    one_spelling: tuple[str, ...] = field(default=(), kw_only=True)
    """Columns whose labels are put together where they differ in capitals or spaces alone."""
    limits: Mapping[str, str] = field(default_factory=dict, kw_only=True)
    """The limits of the groups of a protected column that are one's own, as rising numbers: '30, 45, 60'."""
    cut: str = field(default="", kw_only=True)
    """The number from which on a target of numbers is the other of two answers; '' where its values are answers."""

    def __post_init__(self) -> None:
        check_choices("a grouping", self.protected.values(), get_args(Grouping))
        check_choices("a split", self.split_values.values(), SPLITS)

    def compares(self) -> bool:
        """Whether anything was named that should not matter."""
        return bool(self.protected)

    def unanswered(self) -> str:
        """What else is to be said before such data can be opened, as a request; '' when nothing is."""
        return ""

    def to_dict(self) -> dict[str, str]:
        """Every answer as a JSON text by name."""
        return {f.name: json.dumps(getattr(self, f.name)) for f in fields(self)}

    @classmethod
    def from_dict(cls, saved: Mapping[str, str]) -> Self:
        """Answers that `to_dict` gave. Raises DataError where they are damaged."""
        known = {f.name: f.type for f in fields(cls) if f.name in saved or f.name not in _ASKED_LATER}
        try:
            values = {name: _one_form(json.loads(saved[name])) for name in known}
            return cls(**{name: _typed(value, str(known[name])) for name, value in values.items()})
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise DataError(
                "The saved answers about this data are damaged; import the data again."
            ) from error


def check_choices(what: str, values: Any, choices: tuple[str, ...]) -> None:  # noqa: ANN401
    """DataError names the first of `values` that is none of `choices`."""
    for value in values:
        if value not in choices:
            raise DataError(f"'{value}' is not {what}. Choose one of: {', '.join(choices)}.")


def _typed(value: Any, kind: str) -> Any:  # noqa: ANN401
    """`value` if it is what the annotation `kind` says, with lists as tuples; else TypeError."""
    if kind == "int" and isinstance(value, int) and not isinstance(value, bool):
        return value
    if kind.startswith(("str", "Folders")) and isinstance(value, str):
        return value
    if kind == "str | None" and value is None:
        return value
    if kind.startswith("tuple") and isinstance(value, list) and all(isinstance(x, str) for x in value):
        return tuple(value)
    if kind.startswith(("Mapping", "AlsoChange")) and isinstance(value, dict) and _is_text_tree(value):
        return value
    raise TypeError


def _one_form(value: Any) -> Any:  # noqa: ANN401
    """Every text in one form, as a sheet is read: answers kept by an earlier version may hold the other."""
    if isinstance(value, str):
        return one_form(value)
    if isinstance(value, list):
        return [_one_form(part) for part in value]
    return {one_form(k): _one_form(v) for k, v in value.items()} if isinstance(value, dict) else value


def _is_text_tree(value: Any) -> bool:  # noqa: ANN401
    return isinstance(value, str) or (isinstance(value, dict) and all(map(_is_text_tree, value.values())))


def people_of(sheet: Sheet, answers: Answers, rows: Array) -> Array | None:
    """A code for the person of each of `rows` (m,), None where no column names people."""
    return codes_of(sheet.texts(answers.person)[rows]) if answers.person else None


def weights_of(sheet: Sheet, answers: Answers, rows: Array) -> Array | None:
    """How many people each of `rows` (m,) stands for, None where no column says so."""
    if not answers.weights:
        return None
    values = sheet.numbers(answers.weights)[rows]
    if not np.isfinite(values).all() or values.min(initial=0.0) < 0 or not values.any():
        raise DataError(
            f"The weights '{answers.weights}' must be numbers of 0 or more in every row, and not all 0."
        )
    return values


def used_rows(sheet: Sheet, answers: Answers) -> tuple[Array, Array, list[str]]:
    """Rows that have a class and a split, (m,), the split that the sheet gives them (m,), and a
    sentence for each reason to skip others. Without a split column all are 'train'."""
    labels, notes = sheet.texts(answers.target), []
    keep = labels != ""
    if not keep.all():
        notes.append(f"{count(int((~keep).sum()), 'row')} skipped: '{answers.target}' is empty.")
    if answers.classes:
        strange = keep & ~np.isin(labels, list(answers.classes))
        if strange.any():
            value = labels[strange][0]
            notes.append(f"{count(int(strange.sum()), 'row')} skipped: '{value}' and the like have no class.")
        keep &= ~strange
    given = np.full(len(sheet), "train", dtype=object)
    if answers.split_column:
        parts = sheet.texts(answers.split_column)
        given = np.array([answers.split_values.get(part, "") for part in parts], dtype=object)
        lost = keep & (given == "")
        if lost.any():
            notes.append(
                f"{count(int(lost.sum()), 'row')} skipped: '{answers.split_column}' names no split for them."
            )
        keep &= ~lost
    if not keep.any():
        raise DataError(
            f"No row has a class: check the target '{answers.target}' and the split. {' '.join(notes)}"
        )
    return np.flatnonzero(keep), given[keep].astype(str), notes


def share_out(labels: Array, given: Array, seed: int, persons: Array | None) -> tuple[Array, list[str]]:
    """As `complete_split`, with all rows of a person, by the codes `persons` (n,), in one part."""
    split, notes = complete_split(labels, given, seed)
    if persons is None:
        return split, notes
    return share_out_people(split, given, persons, seed)


def complete_split(labels: Array, given: Array, seed: int) -> tuple[Array, list[str]]:
    """Draw the splits that `given` (m,) does not name out of its 'train' rows, with the
    same mix of classes in `labels` (m,), and say so."""
    import pandas as pd
    from sklearn.model_selection import train_test_split

    split = given.astype("<U10")
    missing = [name for name in SPLITS if name != "train" and not (given == name).any()]
    pool = np.flatnonzero(given == "train")
    if len(pool) == 0:
        raise DataError("No row is in the split 'train'; say which value of the split column means train.")
    if not missing:
        return split, []
    codes, found = pd.factorize(labels)  # comparing words would take ten times longer
    sizes = np.bincount(codes[pool], minlength=len(found))
    if sizes.min() < MIN_CLASS:
        raise DataError(
            f"The class '{found[sizes.argmin()]}' has {count(int(sizes.min()), 'row')} for training; "
            f"at least {MIN_CLASS} are needed. Put it together with another class, or leave it out."
        )
    left = SHARES["train"] + sum(SHARES[name] for name in missing)
    for name in missing:
        share, left = SHARES[name] / left, left - SHARES[name]
        pool, drawn = train_test_split(pool, test_size=share, stratify=codes[pool], random_state=seed)
        split[drawn] = name
    sizes_now = ", ".join(f"{name} {int((split == name).sum()):,}" for name in SPLITS)
    return split, [
        f"Drawn by chance, so that each part has the same mix of classes: {', '.join(missing)} ({sizes_now})."
    ]


def answered_columns(sheet: Sheet, answers: Answers, rows: Array) -> pd.DataFrame:
    """Target and protected columns of `rows`: numbers where they are to be cut into groups, else texts."""
    import pandas as pd

    columns = {answers.target: sheet.texts(answers.target)[rows]}
    for name, grouping in answers.protected.items():
        columns[name] = (sheet.texts if grouping == "values" else sheet.numbers)(name)[rows]
    return pd.DataFrame(columns)


def used_classes(answers: Answers, labels: Iterable[str]) -> dict[str, str] | None:
    """The classes that occur, in the order of the answers; None where each value is its own."""
    present = set(labels)
    return {level: name for level, name in answers.classes.items() if level in present} or None


def protected_rule(sheet: Sheet, answers: Answers, name: str, rows: Array) -> str | Binned:
    """How the protected column `name` makes groups in `rows`."""
    grouping = answers.protected[name]
    if grouping == "values":
        return name
    if grouping == "ages":
        return ages(name)
    if grouping == "own":
        return between(name, limits_of(name, answers.limits.get(name, "")))
    return equal_parts(name, sheet.numbers(name)[rows], EQUAL_PARTS[grouping])


def suggest_grouping(column: ColumnProfile) -> Grouping:
    """Age groups for ages, thirds for other numbers of many values, else each value a group."""
    if column.kind != "number" or column.n_levels <= 10:
        return "values"
    named = re.search(r"(?:^|[^a-z])age(?:[^a-z]|$)", column.name.lower())
    in_years = any(float(level) >= AGE_EDGES[0] for level in column.levels)  # else bands by number: 1, 2, 3
    return "ages" if named and in_years else "thirds"


def suggest_split_values(column: ColumnProfile) -> dict[str, Split]:
    """Which value of a split column means which split; values that say nothing are left out."""
    found: dict[str, Split] = {}
    for level in column.levels:
        for words, split in _SPLIT_WORDS.items():
            if re.fullmatch(words, level.lower()):
                found[level] = split
    return found


def suggested(sheet: Sheet) -> dict[str, Any]:
    """Answers to begin with, from the roles that the columns seem to have; `target` may be ''."""
    by_role = {
        role: [c for c in sheet.columns if c.role == role] for role in ("target", "protected", "split")
    }
    target, split = by_role["target"][:1], by_role["split"][:1]
    return {
        "target": target[0].name if target else "",
        "protected": {c.name: suggest_grouping(c) for c in by_role["protected"]},
        "split_column": split[0].name if split else "",
        "split_values": suggest_split_values(split[0]) if split else {},
    }
