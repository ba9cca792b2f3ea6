"""What a config.json may say: by lists of known types and words, a check for each value; nothing else is taken over."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from fmd_core.errors import ModelError

Check = Callable[[Any], bool]
MOST_LAYERS, WIDEST, MOST_WORDS = 200, 65_536, 600_000
REFUSED = (
    "auto_map",
    "quantization_config",
    "custom_pipelines",
    "trust_remote_code",
    "adapter_config",
    "peft_type",
)
"""What no plain model says: code of its own, or weights in another form."""


@dataclass(frozen=True)
class Rules:
    """What the config.json of one kind of model may say."""

    types: Collection[str]
    """Each `model_type` that is opened."""
    allowed: Mapping[str, Check]
    """What is taken over, by name, and what it may be."""
    instead: str
    """What to bring in place of a model with code of its own, a clause."""
    opened_as: str = ""
    """Such as "as a language model"."""
    elsewhere: str = ""
    """What to do with a model of another type, a sentence."""
    never: tuple[str, ...] = ()
    """What would change a model's answers and is not followed: refused rather than left out."""


def believed(told: object, rules: Rules) -> tuple[dict[str, Any], dict[str, Any]]:
    """A config.json as it was read, and what of it is taken over. ModelError for what no plain model says."""
    if not isinstance(told, dict) or not all(isinstance(key, str) for key in told):
        raise ModelError(
            "config.json is no description of a model; save the model again with save_pretrained()."
        )
    if bad := next((key for key in REFUSED if told.get(key) not in (None, False)), ""):
        raise ModelError(
            f"config.json asks for '{bad}': code of the model's own or weights in another form, which are never "
            f"loaded; {rules.instead}."
        )
    model_type = told.get("model_type")
    if not isinstance(model_type, str) or model_type not in rules.types:
        raise ModelError(
            f"config.json names the model type {str(model_type)[:40]!r}, which is not opened"
            f"{' ' if rules.opened_as else ''}{rules.opened_as}; those that are: {', '.join(rules.types)}."
            f"{' ' if rules.elsewhere else ''}{rules.elsewhere}"
        )
    if odd := next((key for key in rules.never if told.get(key) not in (None, False, 1.0)), ""):
        raise ModelError(
            f"config.json sets '{odd}', which is not followed here, so its answers would be others."
        )
    settings = {key: value for key, value in told.items() if key in rules.allowed}
    if wrong := next((key for key, value in settings.items() if not rules.allowed[key](value)), ""):
        raise ModelError(
            f"config.json gives '{wrong}' the value {str(told[wrong])[:40]!r}, which is not followed here; save the "
            "model again with save_pretrained()."
        )
    return told, settings


def whole(low: int, high: int) -> Check:
    """A whole number between both, no bool."""
    return lambda value: type(value) is int and low <= value <= high


def number(low: float, high: float) -> Check:
    """A number between both, no bool."""
    return lambda value: type(value) in (int, float) and low <= value <= high


def several(low: int, high: int) -> Check:
    """A list of one to eight whole numbers."""
    one = whole(low, high)
    return lambda value: isinstance(value, list) and 1 <= len(value) <= 8 and all(map(one, value))


def one_of(*known: Any) -> Check:  # noqa: ANN401  whatever JSON can hold
    """One of these values, of the same type: 1 is not True."""
    return lambda value: any(value is one or (type(value) is type(one) and value == one) for one in known)


def nothing_or(check: Check) -> Check:
    """null, or what passes the check."""
    return lambda value: value is None or check(value)


flag = one_of(True, False)
"""true or false."""
