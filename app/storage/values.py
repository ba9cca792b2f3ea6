"""What a review may hold: text that every database keeps, and a state that JSON gives back as it was."""

from __future__ import annotations

import json
from typing import Any

from app.storage.errors import StorageError

MAX_STATE = 2_000_000  # bytes of JSON
MAX_NAME, MAX_ACTION, MAX_DETAIL = 2_000, 200, 10_000  # characters


def checked_text(name: str, value: str, longest: int) -> str:
    """`value`, if a database can keep it."""
    if not isinstance(value, str):
        raise StorageError(f"The {name} of a review must be text, not {type(value).__name__}.")
    if len(value) > longest:
        raise StorageError(
            f"The {name} of a review has {len(value):,} characters: at most {longest:,} can be kept."
        )
    if "\x00" in value or any("\ud800" <= letter <= "\udfff" for letter in value):
        raise StorageError(f"The {name} of a review contains a character that is no text: write it anew.")
    return value


def json_text(state: dict[str, Any]) -> str:
    """`state` as JSON text of ASCII letters, from which the very same state can be read."""
    if not isinstance(state, dict):
        raise StorageError(f"The state of a review must be a dictionary, not {type(state).__name__}.")
    try:
        text = json.dumps(state, separators=(",", ":"), allow_nan=False)
        same = len(text) > MAX_STATE or json.loads(text) == state
    except (TypeError, ValueError, RecursionError) as problem:
        raise StorageError(
            f"The state of a review cannot be kept as JSON: {str(problem)[:200]}."
        ) from problem
    if len(text) > MAX_STATE:
        raise StorageError(
            f"The state of a review takes {len(text) / 1e6:.1f} MB: at most {MAX_STATE / 1e6:g} MB can be kept."
        )
    if not same:
        raise StorageError(
            "The state of a review would not come back from JSON as it is: use lists instead of tuples "
            "and text as keys."
        )
    return text
