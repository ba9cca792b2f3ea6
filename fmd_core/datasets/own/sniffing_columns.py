"""What the columns of a table hold, and what each could be: target, protected, split, file name."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Literal

import numpy as np

from fmd_core.data import Array
from fmd_core.datasets.own.sniffing_layout import NUMBER
from fmd_core.text import NAME_LENGTH, clean_names, clean_text

if TYPE_CHECKING:
    import pandas as pd

LEVELS_SHOWN = 100
PROSE_WORDS = 4  # of half of the values at least: names and titles have fewer
Kind = Literal["category", "number", "text"]
Role = Literal["input", "target", "protected", "split", "file", "ignore"]
NumberStyle = Literal["plain", "decimal comma", "thousands comma"]

_THOUSANDS = re.compile(r"[+-]?[1-9][0-9]{0,2}(?:,[0-9]{3})+(?:\.[0-9]+)?")
_COMMA = re.compile(
    r"[+-]?(?=[0-9,])(?:[1-9][0-9]{0,2}(?:\.[0-9]{3})+|0|[1-9][0-9]*)?(?:,[0-9]+)?(?:[eE][+-]?[0-9]{1,3})?"
)
NOT_STATED = frozenset({"na", "n/a", "#n/a", "<na>", "nan", "null"})
"""How programs write an empty cell, in small letters. 'none', 'unknown' or '?' may be an answer: the reviewer says."""
_NO_NUMBER = {"na", "n/a", "#n/a", "nan", "null", "none", "?", "-", ".", "missing", "unknown"}
_NEARLY_ALL = 0.98  # from here on, the rest of a column of numbers are slips
_IMAGE = re.compile(r".+\.(?:jpe?g|png|webp|gif|bmp|tiff?)", re.IGNORECASE)
_TARGETS = (
    r"target|labels?|label value|y|outcome",
    r"survived|hired|income|approved|approval|accepted|admit|admitted|admission|granted|promoted|passed|pass bar|"
    r"bar passed|churn\w*|attrition|turnover|(?:loan )?default(?:ed)?|default payment(?: next month)?|"
    r"(?:two year |is )?recid\w*|readmitted|dropout|(?:is )?fraud|repaid|loan status|loan approved|approval status|"
    r"action taken|call ?backs?|diagnosis|final result|credit risk|eingestellt|bewilligt|genehmigt|contratado",
    r"class|class label|result|decision|risk",
)
"""Names of what a model could predict, the plainest first: those that say so, those of decisions and of what becomes
of people, and those that may mean something else."""
_VAGUE = {"call", "called", "response", "status", "action"}
_PART = {
    "target", "label", "labels", "finding", "findings",
    "class", "outcome", "result", "income", "default", "hired", "approved", "decision",
    "diagnosis", "survived", "churn", "risk", "y",
}  # fmt: skip
_PROTECTED = re.compile(
    r"(?:^|[^a-z])(?:sex|gender|male|female|race|ethnic\w*|age|religion|national\w*|native\w*|country|disab\w*"
    r"|marital\w*|marriage|married|(?:civil|personal) status|orientation|skin\w*|pregnan\w*|colou?r|origin|citizen\w*"
    r"|foreign\w*|immigra\w*|migrant|hispanic|latin[oax]|veteran|caste"
    r"|geschlecht|alter|herkunft|staatsang\w*|behinder\w*|familienstand|sexe|sexo|edad|raza|g[ée]nero|genre|âge)(?:[^a-z]|$)"
)
AMOUNT = 10  # different numbers: a column of more is an amount, and no answer of a classifier
_SPLITS = {"split", "partition", "subset", "fold", "set", "part"}
_SPLIT_LEVELS = re.compile(r"(?:train|val|valid|dev|test|external|holdout)\w*", re.IGNORECASE)
_IDS = re.compile(r"(?:^|.*[^a-z])(?:id|index|uuid|key|row|nr|no)|unnamed.*|column 1")


@dataclass(frozen=True)
class ColumnProfile:
    """What one column holds. `levels` are its most frequent values with their `counts`, at most
    100; `missing` counts empty cells and, in a column of numbers, words such as NA."""

    name: str
    kind: Kind
    n_levels: int
    levels: tuple[str, ...]
    counts: tuple[int, ...]
    missing: int
    style: NumberStyle = "plain"
    slips: int = 0  # cells that are no number in a column of numbers; they count as missing
    role: Role = "input"
    prose: bool = False  # whether it holds sentences, which differ from row to row

    @property
    def examples(self) -> tuple[str, ...]:
        """The three most frequent values."""
        return self.levels[:3]


def tidy_cells(cells: pd.Series) -> tuple[pd.Series, int]:
    """Cells stripped, cleaned and cut to 80 characters, and how many values had to be cut. Names of
    picture files keep their length, since they must be found; different values stay different."""
    import pandas as pd

    codes, found = pd.factorize(cells)
    levels = [str(level) for level in found]
    tidy = [clean_text(level) for level in levels]
    if is_prose(tidy, len(cells)):
        return cells if tidy == levels else pd.Series(np.array(tidy, dtype=object)[codes], dtype="str"), 0
    long = [i for i, text in enumerate(tidy) if len(text) > NAME_LENGTH and not _IMAGE.fullmatch(text)]
    for i, name in zip(long, clean_names(tidy[i] for i in long), strict=True):
        tidy[i] = name
    if tidy == levels:
        return cells, 0
    return pd.Series(np.array(tidy, dtype=object)[codes], dtype="str"), len(long)


def without_programs_words(cells: pd.Series) -> tuple[pd.Series, dict[str, int]]:
    """A column of words, empty where a program wrote that nothing is stated, and how often each such word stood."""
    counts = cells.value_counts()
    found = {str(word): int(n) for word, n in counts.items() if str(word).lower() in NOT_STATED}
    return (cells.mask(cells.isin(list(found)), "") if found else cells), dict(sorted(found.items()))


def is_prose(levels: Sequence[str], n_rows: int) -> bool:
    """Whether different values of a column, in so many rows, are sentences that differ from row to row."""
    words = [level.count(" ") + 1 for level in levels]
    return 2 * len(levels) > n_rows and bool(words) and 2 * sum(n >= PROSE_WORDS for n in words) > len(words)


def profile_column(
    name: str, cells: pd.Series, *, comma_is_decimal: bool, decimal: str = ""
) -> ColumnProfile:
    """Look at one column of texts, "" where empty; `decimal` is the mark where somebody said it."""
    import pandas as pd

    codes, found = pd.factorize(cells)
    texts, counts = [str(text) for text in found], np.bincount(codes, minlength=len(found))
    filled = [i for i, text in enumerate(texts) if text]
    missing = int(len(cells) - counts[filled].sum())
    words = [texts[i] for i in filled]
    style, values = read_numbers(words, counts[filled], comma_is_decimal=comma_is_decimal, decimal=decimal)
    if style is None:
        levels = dict(zip(words, counts[filled].tolist(), strict=True))
        kind: Kind = "category" if are_few(len(levels), len(cells)) else "text"
        prose = kind == "text" and is_prose(words, len(cells))
        return replace(_profile(name, kind, levels, missing), prose=prose)
    wrong = np.isnan(values)
    told = [word.lower() not in _NO_NUMBER for word, bad in zip(words, wrong, strict=True) if bad]
    slips = int(counts[filled][wrong][told].sum()) if told else 0
    missing += int(counts[filled][wrong].sum())
    figures, places = np.unique(values[~wrong], return_inverse=True)
    sums = np.bincount(places, weights=counts[filled][~wrong], minlength=len(figures)).astype(int)
    often = np.argsort(-sums, kind="stable")[:LEVELS_SHOWN]
    called = {i: _called(figures, i) for i in often}
    levels = {called[i]: int(sums[i]) for i in often}
    return replace(_profile(name, "number", levels, missing), n_levels=len(figures), style=style, slips=slips)


def _called(figures: Array, place: int) -> str:
    """What `number_texts` calls one of many numbers."""
    first = max(0, place - 1)
    return number_texts(figures[first : place + 2])[place - first]


def _profile(name: str, kind: Kind, levels: dict[str, int], missing: int) -> ColumnProfile:
    shown = sorted(levels, key=lambda level: -levels[level])[:LEVELS_SHOWN]
    return ColumnProfile(
        name, kind, len(levels), tuple(shown), tuple(levels[level] for level in shown), missing
    )


def number_text(value: float) -> str:
    """A number as short as it can be said: 37.0 is '37'."""
    return f"{value:.0f}" if abs(value) < 1e15 and value == int(value) else f"{value:.10g}"


def number_texts(values: Array) -> list[str]:
    """The same for different numbers (n,) in rising order, in full where two would be one."""
    short = [number_text(float(value)) for value in values]
    alone = [True, *(a != b for a, b in pairwise(short)), True]
    return [
        text if before and after else repr(float(value))
        for text, value, before, after in zip(short, values, alone, alone[1:], strict=False)
    ]


def are_few(n_levels: int, n_rows: int) -> bool:
    """Whether so many different words in so many rows are categories rather than free text."""
    return n_levels <= 2 or (n_levels <= 20 and 2 * n_levels <= n_rows) or n_levels <= min(200, n_rows / 10)


def read_numbers(
    texts: Sequence[str], counts: Array, *, comma_is_decimal: bool, decimal: str = ""
) -> tuple[NumberStyle | None, Array]:
    """How the numbers of a column are written and what they are, (n_texts,), NaN where there is
    none; style None for a column of words.

    `texts` are its different values and `counts` (n_texts,) how often each stands there. Words
    such as NA do not speak against numbers; nor does one slip in fifty.
    """
    commas: tuple[NumberStyle, ...] = ("decimal comma", "thousands comma")
    styles: tuple[NumberStyle, ...] = ("plain", *(commas if comma_is_decimal else reversed(commas)))
    if decimal:
        styles = ("decimal comma",) if decimal == "," else ("plain", "thousands comma")
    for style in styles:
        first = [np.isnan(to_number(text, style)) and text.lower() not in _NO_NUMBER for text in texts[:500]]
        if sum(first) > 0.5 * len(first):
            continue  # words: need not look at all of them
        values = np.array([to_number(text, style) for text in texts])
        fits = ~np.isnan(values)
        told = fits | np.array([text.lower() not in _NO_NUMBER for text in texts], bool)
        if fits.any() and counts[fits].sum() >= _NEARLY_ALL * counts[told].sum():
            return style, values
    return None, np.full(len(texts), np.nan)


def to_number(text: str, style: NumberStyle) -> float:
    """A number written in `style`, NaN where it is none. 007 is a name, not 7."""
    if NUMBER.fullmatch(text) and (style != "decimal comma" or not re.search(r"\.[0-9]{3}$", text)):
        return float(text)
    if style == "decimal comma" and text and _COMMA.fullmatch(text) and text[-1].isdigit():
        return float(text.replace(".", "").replace(",", "."))
    if style == "thousands comma" and _THOUSANDS.fullmatch(text):
        return float(text.replace(",", ""))
    return float("nan")


def suggest_roles(columns: Sequence[ColumnProfile], n_rows: int) -> dict[str, Role]:
    """A guess for each column from its name and its values; at most one target, split and file."""
    roles: dict[str, Role] = {column.name: "input" for column in columns}
    for column in columns:
        if _is_file(column):
            roles[column.name] = "ignore" if "file" in roles.values() else "file"
        elif column.kind == "text" or column.n_levels < 2 or _is_id(column, n_rows):
            roles[column.name] = "ignore"
        elif _is_split(column) and "split" not in roles.values():
            roles[column.name] = "split"
        elif _PROTECTED.search(_plain(column.name)):
            roles[column.name] = "protected"
    if found := target_candidates([c for c in columns if roles[c.name] == "input"], columns):
        roles[found[0].name] = "target"
    return roles


@dataclass(frozen=True)
class Candidate:
    """A column that could be what a model predicts, and why."""

    name: str
    reason: str


def target_candidates(
    free: Sequence[ColumnProfile], columns: Sequence[ColumnProfile]
) -> tuple[Candidate, ...]:
    """Which of `free` a model could be meant to predict, the likeliest first: by whole words of the name, of two
    values rather than more, and late, since the answer stands there."""
    few = [c for c in free if 2 <= c.n_levels <= 20 and not is_amount(c)]
    late = list(reversed(few))
    last = [c for c in few if c is columns[-1]]
    by_reason = [
        *(
            ("its name says so", [c for c in late if re.fullmatch(names, _plain(c.name))])
            for names in _TARGETS
        ),
        ("a word of its name is one of an answer", [c for c in late if set(_plain(c.name).split()) & _PART]),
        ("it stands last", [c for c in last if c.n_levels == 2]),
        ("its name may mean an answer", [c for c in late if _plain(c.name) in _VAGUE]),
        ("it stands last", last),
    ]
    found: dict[str, Candidate] = {}
    for reason, group in by_reason:
        for column in sorted(group, key=lambda column: column.n_levels > 2):
            found.setdefault(
                column.name, Candidate(column.name, f"{reason}; it has {column.n_levels} values")
            )
    return tuple(found.values())


def is_amount(column: ColumnProfile) -> bool:
    """Whether a column holds so many different numbers that they are an amount, such as years or a grade."""
    return column.kind == "number" and column.n_levels > AMOUNT


def _plain(name: str) -> str:
    """'MaritalStatus' and 'marital-status' are both 'marital status'."""
    apart = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)
    return " ".join(re.split(r"[^a-z0-9]+", apart.lower())).strip() if apart.isascii() else apart.lower()


def _is_file(column: ColumnProfile) -> bool:
    return (
        column.kind != "number" and bool(column.levels) and all(_IMAGE.fullmatch(x) for x in column.examples)
    )


def _is_split(column: ColumnProfile) -> bool:
    name = _plain(column.name)
    if column.kind == "number":  # a partition in numbers, as CelebA's 0, 1, 2
        return name in _SPLITS and column.n_levels <= 4
    return column.n_levels <= 6 and all(_SPLIT_LEVELS.fullmatch(level) for level in column.levels)


def _is_id(column: ColumnProfile, n_rows: int) -> bool:
    return bool(_IDS.fullmatch(_plain(column.name))) and column.n_levels > 0.9 * n_rows
