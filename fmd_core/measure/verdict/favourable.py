"""Which answer people would rather get: suggested by the words, with the reason, never decided in silence."""

from __future__ import annotations

import re
from collections.abc import Sequence

from fmd_core.data import Column
from fmd_core.errors import DataError
from fmd_core.measure.verdict.values import Favourable

_GOOD = {
    "yes", "y", "ja", "oui", "si", "sí", "true", "1",
    "approved", "approve", "accepted", "accept", "hired", "hire", "granted", "good",
    "pass", "passed", "admitted", "selected", "invited", "survived", "loan originated", "originated", "positive",
    "low", "low risk", "employed", "promoted", "eligible", "over 50k", ">50k",
}  # fmt: skip
_BAD = {
    "no", "n", "nein", "non", "nee", "false", "0",
    "denied", "deny", "rejected", "reject", "refused", "bad", "fail", "failed", "dropped",
    "defaulted", "default", "fraud", "high", "high risk", "died", "dead", "unemployed", "left", "churned",
    "up to 50k", "<=50k", "not hired", "not approved",
}  # fmt: skip
_UNWANTED = re.compile(
    r"recid|default|fraud|churn|attrition|delinq|bad|risk|denied|denial|reject|fail|dropout|death|died|mortal|"
    r"arrest|offen[cs]e|violent|toxic|disease|diabet|cancer|readmi|fault|late|overdue|bankrupt"
)
_PLAIN = {"0", "1", "no", "yes", "n", "y", "false", "true", "ja", "nein", "oui", "non", "nee", "si", "sí"}


def suggest_favourable(target: Column) -> Favourable | None:
    """The favourable answer of a target with two classes; None where there are more.

    What the classes say comes first ('approved', 'bad'), then whether the target names something that
    nobody wants ('default': then "no" is the good answer). Else the second class, said to be a guess.
    """
    if len(target.levels) != 2:
        return None
    first, second = target.levels
    words = [_plain(level) for level in target.levels]
    numbers = _numbers(target.levels)
    if numbers is not None:  # 0 and 1, -1 and 1, 1 and 2: the larger is read as yes
        words = ["0", "1"] if numbers[0] < numbers[1] else ["1", "0"]
    unwanted = _UNWANTED.search(_plain(target.name).replace(" ", ""))
    if set(words) <= _PLAIN:
        yes = second if words[1] in _GOOD and words[0] not in _GOOD else first
        no = first if yes == second else second
        if unwanted:
            return Favourable(no, f"'{target.name}' names something that nobody wants ('{unwanted[0]}')")
        named = _plain(target.name) in _GOOD | {
            "income",
            "hired",
            "approved",
            "admit",
            "admission",
            "pass bar",
        }
        return Favourable(yes, f"'{target.name}' is read as something wanted", is_sure=named)
    for level, other, word, opposite in ((first, second, *words), (second, first, words[1], words[0])):
        if word in _GOOD and opposite not in _GOOD:
            return Favourable(level, f"the word '{level}'")
        if word in _BAD and opposite not in _BAD:
            return Favourable(other, f"the other answer is '{level}'")
    return Favourable(
        second, "nothing says which answer is the good one, so the second was taken", is_sure=False
    )


def chosen_favourable(target: Column, level: str, reason: str = "chosen by the reviewer") -> Favourable:
    """The favourable answer that somebody named; DataError lists what there is."""
    if level not in target.levels:
        known = ", ".join(target.levels)
        raise DataError(f"'{target.name}' has no answer '{level}'. It has: {known}.")
    return Favourable(level, reason)


def _numbers(levels: Sequence[str]) -> list[float] | None:
    """Levels as numbers, None where they are words."""
    try:
        return [float(level) for level in levels]
    except ValueError:
        return None


def _plain(text: str) -> str:
    return " ".join(re.sub(r"[_\-.]+", " ", text.lower()).split())
