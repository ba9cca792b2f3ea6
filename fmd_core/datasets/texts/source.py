"""Texts, a few at a time, and how a twin of each is made: by swapped terms, or as the same template says it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol

import numpy as np

from fmd_core.data import NEUTRAL_WORD, Array, Column, InputKind, content_fingerprint
from fmd_core.datasets.texts.terms import NEUTRAL, Swapped, TermList, shipped_terms
from fmd_core.errors import DataError

MOST_DECISIVE, LEAST_DECISIVE = 3, 0.3  # words that are marked, and nats that one has to add


class TwinMaker(Protocol):
    """Texts with another level of one attribute."""

    @property
    def fingerprint(self) -> str:
        """Content digest of all that decides the twins."""

    def showable(self, rows: Array) -> Array:
        """Which levels each of `rows` can be shown with, (m, n_levels) bool; its own where it has any other."""

    def shown(self, row: int, code: int) -> Swapped:
        """One text with a level that it can be shown with, and where in it the level is said."""


@dataclass(frozen=True, eq=False)
class TermTwins:
    """Twins by swapped terms; a text without a term of its own level has none."""

    texts: tuple[str, ...]
    codes: Array  # (n,) own level
    terms: TermList

    @property
    def fingerprint(self) -> str:
        return content_fingerprint("swapped", self.terms.fingerprint)

    @cached_property
    def _named(self) -> Array:
        """Whether each text says its own level, (n,) bool."""
        return np.array(
            [
                int(code) < len(self.terms.levels) and bool(self.terms.spans(text, int(code)))
                for text, code in zip(self.texts, self.codes, strict=True)
            ]
        )

    def showable(self, rows: Array) -> Array:
        said = len(self.terms.levels)  # levels beyond are those of texts that name nobody
        able = np.zeros((len(rows), max(said, int(self.codes.max()) + 1)), bool)
        able[:, :said] = self._named[rows][:, None]
        return able

    def shown(self, row: int, code: int) -> Swapped:
        own, text = int(self.codes[row]), self.texts[row]
        if code == own:
            return Swapped(text, self.terms.spans(text, own))
        return self.terms.swap(text, own, code)


@dataclass(frozen=True, eq=False)
class TemplateTwins:
    """Twins by template: the sentence that the data have in the same template for another level."""

    texts: tuple[str, ...]
    places: Array  # (n, n_levels) row of the sentence for each level, -1 where there is none

    @property
    def fingerprint(self) -> str:
        return content_fingerprint("same template", self.places)

    def showable(self, rows: Array) -> Array:
        there: Array = self.places[rows] >= 0
        return there & (there.sum(axis=1) > 1)[:, None]

    def shown(self, row: int, code: int) -> Swapped:
        """Where the sentence differs from the one of the level before it."""
        text = self.texts[int(self.places[row, code])]
        others = [int(place) for place in self.places[row] if place >= 0 and self.texts[int(place)] != text]
        return Swapped(text, (difference(text, self.texts[others[0]]),) if others else ())


@dataclass(frozen=True, eq=False)
class FirstThatCan:
    """The first of several makers that has a twin for a text."""

    makers: tuple[TwinMaker, ...]
    n_levels: int

    @property
    def fingerprint(self) -> str:
        return content_fingerprint("first that can", *(maker.fingerprint for maker in self.makers))

    def showable(self, rows: Array) -> Array:
        found = np.zeros((len(rows), self.n_levels), bool)
        for maker in self.makers:
            open_ = ~found.any(axis=1)
            own = maker.showable(rows)
            found[open_, : own.shape[1]] = own[open_]
        return found

    def shown(self, row: int, code: int) -> Swapped:
        one = np.array([row])
        for maker in self.makers:
            if maker.showable(one).any():
                return maker.shown(row, code)
        raise DataError(f"Text {row} has no twin.")


@dataclass(frozen=True, eq=False)
class TextSource:
    """Texts by row; batches are arrays of str (m,). What `display` gives is a `Swapped`, for its marks."""

    texts: tuple[str, ...]
    twins: Mapping[str, TwinMaker]
    """By attribute."""
    neutral: TermList = field(default_factory=lambda: shipped_terms(NEUTRAL))
    """Placebo swaps: two columns of words that say nothing of anybody."""
    case: Column | None = None
    """What each text is an example of, such as 'neutral statement'; None where nobody said."""
    word_effects: tuple[tuple[float, ...], ...] | None = None
    """Of each text its words' effects on the shipped model's log-odds of the last class; empty where not known."""
    offensive: bool = False
    """Whether texts are to be blurred until they are asked for."""
    kind: InputKind = field(default="text", init=False)

    @cached_property
    def fingerprint(self) -> str:
        parts = [part for name, maker in self.twins.items() for part in (name, maker.fingerprint)]
        return content_fingerprint("texts 1", *self.texts, *parts, self.neutral.fingerprint)

    def read(self, rows: Array) -> Array:
        return _batch([self.texts[row] for row in rows])

    def showable(self, rows: Array, attribute: str) -> Array:
        """Which levels each of `rows` can be shown with, (m, n_levels) bool. Of `NEUTRAL_WORD` the second is the text
        with one neutral word for another."""
        if attribute == NEUTRAL_WORD:
            there = np.array([bool(self.neutral.found(self.texts[row])) for row in rows], bool)
            return np.column_stack([there, there])
        return self._maker(attribute).showable(rows)

    def counterfactual(self, rows: Array, attribute: str, codes: Array) -> Array:
        return _batch(
            [self.display(int(row), attribute, int(code)).text for row, code in zip(rows, codes, strict=True)]
        )

    def display(self, row: int, attribute: str = "", code: int = 0) -> Swapped:
        if not attribute:
            return Swapped(self.texts[row], self.decisive(row))
        if attribute == NEUTRAL_WORD:
            swapped = self.neutral.swap_one(self.texts[row]) if code else None
            return swapped or Swapped(self.texts[row], ())
        return self._maker(attribute).shown(row, code)

    def decisive(self, row: int) -> tuple[tuple[int, int], ...]:
        """Where the words stand that speak most for what the shipped model answers, three at most; none where that is
        not known."""
        effects = self.word_effects[row] if self.word_effects else ()
        words = list(re.finditer(r"\S+", self.texts[row]))
        if len(words) != len(effects):
            return ()
        towards = np.array(effects) * (1 if sum(effects) > 0 else -1)
        strongest = [int(place) for place in np.argsort(-towards, kind="stable")[:MOST_DECISIVE]]
        return tuple(words[place].span() for place in sorted(strongest) if towards[place] >= LEAST_DECISIVE)

    def _maker(self, attribute: str) -> TwinMaker:
        if attribute not in self.twins:
            known = ", ".join(self.twins) or "none"
            raise DataError(f"A text cannot be shown with another '{attribute}'. Twins are by: {known}.")
        return self.twins[attribute]


def difference(text: str, other: str) -> tuple[int, int]:
    """Begin and end of what `text` says otherwise than `other`, in whole words."""
    begin = 0
    while begin < min(len(text), len(other)) and text[begin] == other[begin]:
        begin += 1
    end, end_other = len(text), len(other)
    while end > begin and end_other > begin and text[end - 1] == other[end_other - 1]:
        end, end_other = end - 1, end_other - 1
    while begin > 0 and not text[begin - 1].isspace():
        begin -= 1
    while end < len(text) and (text[end].isalnum() or text[end] in "'-"):
        end += 1
    return begin, end


def _batch(texts: list[str]) -> Array:
    out = np.empty(
        len(texts), dtype=object
    )  # of one width they would take four bytes for the longest's every letter
    out[:] = texts
    return out
