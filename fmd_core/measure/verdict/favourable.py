"""Which answer people would rather get: suggested by the words, with the reason, never decided in silence."""

from __future__ import annotations

import re
from collections.abc import Sequence

from fmd_core.data import Column
from fmd_core.errors import DataError
from fmd_core.measure.verdict.values import Favourable

_PLAIN = dict.fromkeys(("yes", "y", "ja", "oui", "si", "sí", "true", "t", "1"), True) | dict.fromkeys(
    ("no", "n", "nein", "non", "nee", "false", "f", "0"), False
)
"""Answers that say nothing but yes or no; what is asked is in the target's name."""
_GOOD = {
    "approved", "approve", "accepted", "accept", "hired", "hire", "granted", "good",
    "pass", "passed", "admitted", "invited", "survived", "alive", "loan originated", "originated",
    "low risk", "employed", "promoted", "eligible", "over 50k", ">50k", "repaid", "paid", "fully paid", "released",
    "graduated", "healthy", "benign", "not recidivated", "stayed",
}  # fmt: skip
_BAD = {
    "denied", "deny", "rejected", "reject", "refused", "bad", "fail", "failed", "dropped",
    "defaulted", "default", "charged off", "fraud", "high risk", "died", "dead", "unemployed", "left", "churned",
    "up to 50k", "<=50k", "not hired", "not approved", "detained", "recidivated", "ill", "malignant", "dropout",
    "toxic", "withdrawn",
}  # fmt: skip
_AMOUNTS = {"low": False, "lower": False, "high": True, "higher": True, "negative": False, "positive": True}
"""More or less of what the target names, which is better only where that is wanted."""
_UNWANTED = re.compile(
    r"\w*(?:recid|default|fraud|churn|attrition|delinq|bankrupt|toxic)\w*|\b(?:turnover|bad|risk\w*|denied|denial|"
    r"reject\w*|fail\w*|drop ?outs?|dropped|death|dead|died|dies|mortal\w*|(?:re)?arrest\w*|(?:re)?offen[cds]\w*|"
    r"violen\w*|hate\w*|abus\w*|disease\w*|diabet\w*|cancer|stroke|readmi\w*|fault\w*|late|overdue|charged? off|"
    r"foreclos\w*|evict\w*|detain\w*|dismiss\w*|laid off|layoffs?|no ?shows?|withdr\w*|complain\w*|injur\w*)\b"
)
_WANTED = re.compile(
    r"\b(?:income|wages?|salary|earnings|pay|hired?|hiring|approv\w*|admi(?:t|ts|tted|ssion)|accept\w*|grant\w*|pass|passed|"
    r"pass bar|good|surviv\w*|promot\w*|graduat\w*|employed|employment|eligib\w*|invited|originated|repaid|"
    r"repay\w*|call ?backs?|offer\w*|performance|grades?|recovered|eingestellt|bewilligt|genehmigt)\b"
)
_NOT = re.compile(r"\b(?:no|not|non|without|never)\b")


def suggest_favourable(target: Column) -> Favourable | None:
    """The favourable answer of a target with two classes; None where there are more.

    What the classes say comes first ('approved', 'bad'), then whether the target names something that nobody
    wants ('default': then "no" is the good answer) or that people want. Else a guess that is said to be one.
    """
    if len(target.levels) != 2:
        return None
    first, second = target.levels
    words = [_plain(level) for level in target.levels]
    for level, other, word, opposite in ((first, second, *words), (second, first, words[1], words[0])):
        if word in _GOOD and opposite not in _GOOD:
            return Favourable(level, f"the word '{level}'")
        if word in _BAD and opposite not in _BAD:
            return Favourable(other, f"the other answer is '{level}'")
    return _by_name(target, words)


def _by_name(target: Column, words: Sequence[str]) -> Favourable:
    """By what the target's name says of more and less of it."""
    more = _more(target.levels, words)
    if more is None:
        return _guess(target.levels[1], "nothing says which answer is the good one")
    yes, no = more
    numbers = _numbers(target.levels)
    if numbers is not None and not ({*numbers} <= {0.0, 1.0} or {*numbers} <= {-1.0, 1.0}):
        smaller = target.levels[int(numbers[0] > numbers[1])]
        return _guess(smaller, "codes do not say which answer is good, and the smaller often is")
    name = _plain(target.name)
    unwanted, wanted = _UNWANTED.search(name), _WANTED.search(name)
    if _NOT.search(name) or bool(unwanted) == bool(wanted):
        return _guess(yes, f"'{target.name}' does not say whether it is something wanted")
    if unwanted:
        return Favourable(no, f"'{target.name}' names something that nobody wants ('{unwanted[0]}')")
    return Favourable(yes, f"'{target.name}' is read as something wanted")


def _guess(level: str, reason: str) -> Favourable:
    return Favourable(level, f"a guess, since {reason}", is_sure=False)


def _more(levels: Sequence[str], words: Sequence[str]) -> tuple[str, str] | None:
    """The level that means yes, or more, and the other one; None where the levels are two things."""
    numbers = _numbers(levels)
    meant = [_PLAIN.get(word, _AMOUNTS.get(word)) for word in words]
    if numbers is not None:
        is_first = numbers[0] > numbers[1]
    elif None not in meant and meant[0] is not meant[1]:
        is_first = bool(meant[0])
    else:
        return None
    return (levels[0], levels[1]) if is_first else (levels[1], levels[0])


def says_little(answer: str) -> bool:
    """Whether an answer, such as yes, 1 or high, says something only beside the target's name."""
    word = _plain(answer)
    return word in _PLAIN or word in _AMOUNTS or _numbers([answer]) is not None


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
    apart = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", text)
    return " ".join(re.sub(r"[_\-.\s]+", " ", apart.lower()).split()).replace("> ", ">").replace("<= ", "<=")
