"""CelebA's attributes as people write them, and what faces with and without one are called."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches

from fmd_core.data import Column
from fmd_core.errors import DataError

_NO = (  # read better with "no" than with "not"
    "5 o clock shadow", "arched eyebrows", "bags under eyes", "bangs", "bushy eyebrows", "double chin",
    "eyeglasses", "goatee", "heavy makeup", "high cheekbones", "mustache", "receding hairline",
    "rosy cheeks", "sideburns",
)  # fmt: skip
_SAID_BEFORE = {
    "blond hair": "blond", "attractive": "attractive", "bald": "bald", "chubby": "chubby", "smiling": "smiling",
    "young": "young", "blurry": "blurred",
}  # fmt: skip


def plain(official: str) -> str:
    """An attribute as a person would write it: 5_o_Clock_Shadow is 5 o clock shadow."""
    return " ".join(official.replace("_", " ").lower().split())


def levels(official: str) -> tuple[str, str]:
    """What faces without and with an attribute are called."""
    name = plain(official)
    if name == "no beard":
        return "beard", name
    return f"{'no' if name in _NO else 'not'} {name}", name


def phrases(column: Column) -> dict[str, str]:
    """How people without and with an attribute are called, by level."""
    without, with_it = column.levels
    name = column.name
    if name == "male":
        return {"": "sex", without: "women", with_it: "men"}
    if name in _SAID_BEFORE:  # "blond men"
        said = _SAID_BEFORE[name]
        return {without: f"{{}} who are not {said}", with_it: f"{said} {{}}"}
    if name.startswith("wearing "):
        worn = name.removeprefix("wearing ")
        return {without: f"{{}} without {worn}", with_it: f"{{}} with {worn}"}
    if name == "no beard":
        return {without: "{} with a beard", with_it: "{} without a beard"}
    return {without: f"{{}} without {name}", with_it: f"{{}} with {name}"}


def positions(official: tuple[str, ...], target: str, protected: Sequence[str]) -> list[int]:
    """Positions of the target and then of the protected attributes, each once."""
    names = [protected] if isinstance(protected, str) else protected
    wanted = list(dict.fromkeys(_position(official, name) for name in names))
    first = _position(official, target)
    if not wanted:
        raise DataError("No protected attribute is chosen; choose at least one, such as Male.")
    if first in wanted:
        raise DataError(f"'{official[first]}' cannot be target and protected attribute; choose another.")
    return [first, *wanted]


def _position(official: tuple[str, ...], wanted: str) -> int:
    names = [plain(name) for name in official]
    if plain(wanted) not in names:
        close = [official[names.index(name)] for name in get_close_matches(plain(wanted), names)]
        known = f"Close to it: {', '.join(close)}." if close else f"There are: {', '.join(official)}."
        raise DataError(f"CelebA has no attribute {wanted[:40]!r}. {known}")
    return names.index(plain(wanted))
