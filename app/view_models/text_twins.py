"""Twins of texts before they are brought in: what a term list would make of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fmd_core import figures
from fmd_core.datasets.texts.terms import TermList

LOOKED_AT, SHOWN, LONGEST = 2_000, 20, 160
Marked = tuple[str, tuple[tuple[int, int], ...]]


@dataclass(frozen=True)
class Preview:
    """The first twins of a file, and how many of its texts have none."""

    pairs: tuple[tuple[Marked, Marked], ...]
    summary: str


def preview(texts: Sequence[str], terms: TermList) -> Preview:
    """Twins of the first `LOOKED_AT` texts, 20 at most."""
    looked, named, alone = texts[:LOOKED_AT], 0, list[str]()
    pairs: list[tuple[Marked, Marked]] = []
    for text in looked:
        alone += terms.left_alone(str(text))
        level = terms.level_of(str(text))
        if level is None:
            continue
        named += 1
        if len(pairs) < SHOWN and len(str(text)) <= LONGEST:
            twin = terms.swap(str(text), level, (level + 1) % len(terms.levels))
            pairs.append(((str(text), terms.spans(str(text), level)), (twin.text, twin.spans)))
    of = f"the first {figures.count(len(looked))}" if len(looked) < len(texts) else figures.count(len(looked))
    told = f"{figures.count(named)} of {of} texts name somebody by it; the others have no twin."
    if alone:
        told += f" {figures.counted(len(alone), 'word')} in fixed phrases or names, as in “black hole”, left alone."
    return Preview(tuple(pairs), told)
