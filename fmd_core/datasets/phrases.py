"""What people of a level are called where that is plain: 'men', '{} under 30' around whom else a sentence is about."""

from __future__ import annotations

import re
from collections.abc import Iterable

from fmd_core.datasets.table_encoding import AGE_LABELS

AGES = dict(
    zip(
        AGE_LABELS, ("{} under 30", "{} aged 30 to 44", "{} aged 45 to 59", "{} aged 60 or more"), strict=True
    )
)
RACES = {
    "White": "white {}", "Black": "black {}", "Asian-Pac-Islander": "Asian or Pacific {}",
    "Amer-Indian-Eskimo": "Native American {}", "Other": "{} of another race",
}  # fmt: skip
SEXES = {"Male": "men", "Female": "women"}

_BY_WORD = {
    "male": "men", "males": "men", "man": "men", "men": "men",
    "female": "women", "females": "women", "woman": "women", "women": "women",
}  # fmt: skip
_BY_LETTER = {"m": "men", "f": "women"}
_NAMED = {"male": ("women", "men"), "female": ("men", "women")}  # of a column that asks for one sex: no, yes
_NO, _YES = {"0", "-1", "no", "false", "n", "f"}, {"1", "yes", "true", "y", "t"}
_OF_SEX = re.compile(r"(?:.* )?(?:sex|gender|geschlecht|genre|sexe|sexo)")
_OF_RACE = re.compile(r"(?:.* )?(?:race|ethnic(?:ity| group)?|origin)")
_RACES = {level.lower(): phrase for level, phrase in RACES.items()} | {
    "african-american": "African-American {}", "african american": "African-American {}", "asian": "Asian {}",
    "hispanic": "Hispanic {}", "latino": "Latino {}", "caucasian": "white {}", "native american": "Native American {}",
}  # fmt: skip


def suggest_phrases(column: str, levels: Iterable[str]) -> dict[str, str]:
    """Phrases for the levels of a protected column whose words say what people they are; a level of which
    that is not plain has none. A code, as 1 and 2, is never guessed."""
    name = " ".join(re.split(r"[^a-z]+", column.lower())).strip()
    found = {}
    for level in levels:
        word = level.lower().strip()
        phrase = _BY_WORD.get(word) or AGES.get(level, "")
        if name in _NAMED and word in _NO | _YES:
            phrase = _NAMED[name][word in _YES]
        if _OF_SEX.fullmatch(name):
            phrase = phrase or _BY_LETTER.get(word, "")
        if _OF_RACE.fullmatch(name):
            phrase = phrase or _RACES.get(word, "")
        if phrase:
            found[level] = phrase
    return found
