"""Names and texts that somebody sent, made fit to show: one line, no hidden marks, 80 characters.

They stay plain text: whoever shows them has to escape them.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

NAME_LENGTH = 80


def clean_text(text: str) -> str:
    """One line without control characters or marks that reverse what stands after them, each letter in one form."""
    if text.isascii() and text.isprintable():
        return " ".join(text.split())  # nearly every cell: no need to look at its letters
    kept = (" " if c in "\t\r\n" else c for c in text if c in "\t\r\n" or not _is_hidden(c))
    return one_form(" ".join("".join(kept).split()))


def one_form(text: str) -> str:
    """Letters with marks as one sign each (Unicode NFC): a Mac writes them as two, and equal words would differ."""
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def _is_hidden(character: str) -> bool:
    # Cc: control, Cs: half of a character. Marks of direction, and spaces of no width, can disguise a
    # name; the joiners that emoji and some scripts need stay
    return (
        unicodedata.category(character) in ("Cc", "Cs")
        or character
        in "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200b\u200e\u200f\u061c\u2060\ufeff"
    )


def clean_names(names: Iterable[str], blank: str = "column {}") -> tuple[str, ...]:
    """The same names in at most 80 characters, none empty (`blank` with its number), no two alike."""
    taken: dict[str, None] = {}
    for number, name in enumerate(names, start=1):
        short = cut(clean_text(name)) or blank.format(number)
        unique, again = short, 2
        while unique in taken:
            unique, again = f"{short[: NAME_LENGTH - 8]} ({again})", again + 1
        taken[unique] = None
    return tuple(taken)


def split_names(text: str) -> tuple[str, ...]:
    """Names that are written with commas between them."""
    return tuple(part.strip() for part in text.split(",") if part.strip())


def letters_alone(name: str) -> str:
    """A name by its letters and digits alone, in small letters: 'Hours per-week' is 'hoursperweek'."""
    return "".join(letter for letter in name.casefold() if letter.isalnum())


def cut(text: str, length: int = NAME_LENGTH) -> str:
    """At most `length` characters; an ellipsis says where some are missing."""
    return text if len(text) <= length else text[: length - 1] + "…"


def short_name(name: str) -> str:
    """A name in a sentence."""
    return cut(clean_text(name))
