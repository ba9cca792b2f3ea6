"""Term lists, and texts with one term in another's place.

A list has a column for each level of an attribute and a row for each set of terms that stand for one another:
he | she, or Christians | Muslims | Jews. In a twin every term of the text's own level becomes the term of the other
level in its row, and the other way round, so that nobody is left over. Case is kept, and "a" or "an" follows the new
word. Terms in what says nothing of a person are left alone: fixed phrases such as "black hole" or "Muslim world", and
names such as "Black Sabbath". English only.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

from fmd_core.data import content_fingerprint
from fmd_core.errors import DataError

_LISTS = Path(__file__).parent / "lists"
LISTS = ("gender", "names", "religion", "nationality", "race", "orientation", "groups")
"""The lists that ship, by name; `fmd_core/datasets/texts/lists/README.md` has their sources and licences."""
NEUTRAL = "neutral"
"""The list of placebo swaps: words that say nothing of anybody."""
FIXED = "fixed"
"""The phrases in which a term is left alone."""
MOST_ROWS = 500
_TITLES = {"mr", "mrs", "ms"}  # a name follows them, and they say whose it is
_NO_NOUN = re.compile(
    r"(?:and|or|but|to|for|in|on|at|of|with|from|by|as|is|was|were|are|be|been|has|had|will|would|can|could|should|that"
    r"|who|when|while|if|because|so|then|not|a|an|the|this|these|those|there|here|again|alone|away|back|up|down|out|off"
    r"|over|today|yesterday|tomorrow|now|too|very|i|you|he|she|it|we|they|me|him|them|us|what|how|why|where"
    r"|said|says|did|does|do|have|may|might|must|wants|went|came)\b",
    re.IGNORECASE,
)
_NEXT_WORD = re.compile(r"\s+([\w'-]+)")
_DETERMINER = re.compile(r"\b(?:an?|the|this|that|another|every|each|any|some|one|no)\s+$", re.IGNORECASE)
_ARTICLE = re.compile(r"\b(a)n?(\s+)$", re.IGNORECASE)
_SENTENCE_BEGINS = re.compile(r"(?:^|[.!?:;\"'(\n-])\s*$")


@dataclass(frozen=True)
class Swapped:
    """A text with terms in others' places, and where in it they stand: (begin, end) of each."""

    text: str
    spans: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class TermList:
    """Terms that stand for one another: `rows[i][k]` is how row i says level k."""

    levels: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def __post_init__(self) -> None:
        if len(self.levels) < 2 or len(set(self.levels)) != len(self.levels):
            raise DataError(
                f"A term list needs two or more columns with names of their own, got {self.levels}."
            )
        if not 1 <= len(self.rows) <= MOST_ROWS:
            raise DataError(f"A term list has 1 to {MOST_ROWS} rows, got {len(self.rows)}.")
        for row in self.rows:
            if len(row) != len(self.levels) or not all(term.strip() for term in row):
                raise DataError(f"Each row of a term list needs a term for each of {self.levels}, got {row}.")

    @cached_property
    def fingerprint(self) -> str:
        """Content digest."""
        return content_fingerprint("terms 2", *self.levels, *(term for row in self.rows for term in row))

    @cached_property
    def _known(self) -> dict[str, tuple[tuple[int, int], ...]]:
        """Row and level of each term in lower case; the same word may stand for two, as 'her' does."""
        found: dict[str, tuple[tuple[int, int], ...]] = {}
        for place, row in enumerate(self.rows):
            for level, term in enumerate(row):
                found[term.lower()] = (*found.get(term.lower(), ()), (place, level))
        return found

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        longest = sorted(self._known, key=lambda term: (-len(term), term))
        either = "|".join(re.escape(term).replace(r"\ ", r"\s+") for term in longest)
        return re.compile(rf"(?<![\w@#])(?:{either})(?!\w)", re.IGNORECASE)

    def found(self, text: str) -> list[tuple[int, int, int, int]]:
        """Begin, end, row and level of each term in a text that says something of a person, in order."""
        return [hit for hit, is_alone in self._hits(text) if not is_alone]

    def left_alone(self, text: str) -> list[str]:
        """The terms of a text that stand in a fixed phrase or in a name, as they are written."""
        return [text[hit[0] : hit[1]] for hit, is_alone in self._hits(text) if is_alone]

    def _hits(self, text: str) -> list[tuple[tuple[int, int, int, int], bool]]:
        """Every term, and whether it is left alone."""
        hits: list[tuple[tuple[int, int, int, int], bool]] = []
        fixed: list[tuple[int, int]] | None = None
        for hit in self._pattern.finditer(text):
            if fixed is None:
                fixed = [phrase.span() for phrase in _fixed_phrases().finditer(text)]
            places = self._known[" ".join(hit.group().lower().split())]
            row, level = places[0] if len(places) == 1 else self._meant(places, text, *hit.span())
            is_fixed = any(begin < hit.end() and hit.start() < end for begin, end in fixed)
            is_name = _is_in_name(text, *hit.span(), self.rows[row][level])
            hits.append(((hit.start(), hit.end(), row, level), is_fixed or is_name))
        return hits

    def _meant(self, places: Sequence[tuple[int, int]], text: str, begin: int, end: int) -> tuple[int, int]:
        """Which of several rows a word stands in: 'her' before a noun is 'his', else 'him'; the like of 'his'. What is
        a noun and an adjective, as 'Muslim', is an adjective before a noun and where no article stands before it.
        Else the first row counts."""
        spoken = {row: " ".join(self.rows[row]).lower() for row, _ in places}
        after = _NEXT_WORD.match(text, end)
        owns = after is not None and not _NO_NOUN.match(after.group(1))
        if _is_of_pronouns(spoken):
            for row, level in places:
                if ("his" in spoken[row].split() and "her" in spoken[row].split()) == owns:
                    return row, level
        elif owns or not _DETERMINER.search(text, max(0, begin - 12), begin):
            return next(
                (place for place in places if not any(" " in term for term in self.rows[place[0]])), places[0]
            )
        return places[0]

    def level_of(self, text: str) -> int | None:
        """The level that most terms of a text name, the first of equals; None without any term."""
        counts = [0] * len(self.levels)
        for *_, level in self.found(text):
            counts[level] += 1
        return max(range(len(counts)), key=lambda k: counts[k]) if any(counts) else None

    def swap(self, text: str, own: int, other: int) -> Swapped:
        """The text with the terms of two levels exchanged. A text without any stays as it is."""
        out, spans, done = "", [], 0
        exchanged = {own: other, other: own}
        for begin, end, row, level in self.found(text):
            if level not in exchanged or own == other:
                continue
            new = in_case_of(text[begin:end], self.rows[row], level, exchanged[level], at_start=begin == 0)
            out = _with_article(out + text[done:begin], text[begin:end], new)
            spans.append((len(out), len(out) + len(new)))
            out, done = out + new, end
        return Swapped(out + text[done:], tuple(spans))

    def spans(self, text: str, level: int) -> tuple[tuple[int, int], ...]:
        """Where the terms of a level stand in a text."""
        return tuple((begin, end) for begin, end, _, k in self.found(text) if k == level)

    def swap_one(self, text: str) -> Swapped | None:
        """The text with the first of its terms in the list's earliest row swapped, as a placebo; None without any."""
        hits = self.found(text)
        if not hits:
            return None
        begin, end, row, level = min(hits, key=lambda hit: (hit[2], hit[0]))
        new = in_case_of(text[begin:end], self.rows[row], level, 1 - level, at_start=begin == 0)
        return Swapped(text[:begin] + new + text[end:], ((begin, begin + len(new)),))


def _with_article(before: str, old: str, new: str) -> str:
    """What stands before a term, with "a" or "an" as the new one wants it, where that changes."""
    # by the letter, and not as `figures.with_article`: other texts would make every feature stale that is kept of twins
    is_open, was_open = (word[:1].lower() in "aeio" for word in (new, old))
    article = _ARTICLE.search(before, max(0, len(before) - 12)) if is_open != was_open else None
    if article is None:
        return before
    letter = "N" if article.group(0).strip() == "AN" else "n"
    return before[: article.start()] + article.group(1) + letter * is_open + article.group(2)


def _is_in_name(text: str, begin: int, end: int, term: str) -> bool:
    """Whether a word that the list writes small stands with a capital before another capital, within a sentence."""
    old, after = text[begin:end], _NEXT_WORD.match(text, end)
    if (
        after is None
        or not term.islower()
        or old.lower() in _TITLES
        or not (old[0].isupper() and old[1:].islower())
    ):
        return False
    next_word = after.group(1)
    is_name = next_word[:1].isupper() and next_word[1:].islower()
    return is_name and not _SENTENCE_BEGINS.search(text, max(0, begin - 12), begin)


@cache
def _fixed_phrases() -> re.Pattern[str]:
    phrases = (_LISTS / f"{FIXED}.csv").read_text(encoding="utf-8").split("\n")
    either = "|".join(re.escape(phrase).replace(r"\ ", r"\s+") for phrase in phrases if phrase)
    return re.compile(rf"(?<!\w)(?:{either})(?!\w)", re.IGNORECASE)


def _is_of_pronouns(spoken: dict[int, str]) -> bool:
    words = {word for row in spoken.values() for word in row.split()}
    return {"his", "him"} & words != set() and {"her", "hers"} & words != set()


def in_case_of(old: str, row: Sequence[str], level: int, other: int, *, at_start: bool) -> str:
    """The term of another level written as `old` is: in capitals, with a capital that the list does not write, or as
    the list has it."""
    listed, new = row[level], row[other]
    if old.split()[0].split("'")[0] == "I" and not at_start:  # always a capital, whatever it is in place of
        return new
    if sum(c.isalpha() for c in old) > 1 and old.isupper():
        return new.upper()
    if at_start and old[:1].isupper():
        return new[:1].upper() + new[1:]
    if old[:1].isupper() and old[1:].islower() and listed[:1].islower() and new.islower():
        return new[:1].upper() + new[1:]
    return "I" + new[1:] if new.split()[0].split("'")[0] == "i" else new


@cache
def shipped_terms(name: str) -> TermList:
    """One of `LISTS`, or the neutral list. Raises DataError for another name."""
    if name not in (*LISTS, NEUTRAL):
        raise DataError(f"There is no term list '{name[:40]}'. Lists are: {', '.join((*LISTS, NEUTRAL))}.")
    with (_LISTS / f"{name}.csv").open(newline="", encoding="utf-8") as file:
        levels, *rows = csv.reader(file)
    return TermList(tuple(levels), tuple(tuple(row) for row in rows))
