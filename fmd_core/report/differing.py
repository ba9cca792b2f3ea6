"""Where two values say something else, as HTML: the swapped words of a text, or all of a short entry."""

from __future__ import annotations

import re
from difflib import SequenceMatcher
from html import escape

from markupsafe import Markup

from fmd_core.figures import unbroken

FEWEST_ALIKE = 3  # words that both say, from which on only the others are marked


def differing(own: str, other: str) -> Markup:
    """`own` with what `other` says otherwise in bold; all of it where they have next to nothing in common. Nothing in
    the text is read as markup."""
    if own == other:
        return Markup(escape(unbroken(own)))
    words, others = _words(own), _words(other)
    parts, alike = [], 0
    for what, begin, end, *_ in SequenceMatcher(None, words, others, autojunk=False).get_opcodes():
        text = "".join(words[begin:end])
        alike += (end - begin) * (what == "equal")
        bare = text.strip()
        parts.append(escape(text) if what == "equal" or not bare else _bold(text, bare))
    told = "".join(parts) if alike > FEWEST_ALIKE else f"<b>{escape(unbroken(own))}</b>"
    return Markup(told)


def _words(text: str) -> list[str]:
    """Words and what stands between them."""
    return re.findall(r"[\w'-]+|\s+|[^\w\s'-]", text)


def _bold(text: str, bare: str) -> str:
    before, _, after = text.partition(bare)
    return f"{escape(before)}<b>{escape(bare)}</b>{escape(after)}"
