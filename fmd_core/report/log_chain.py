"""The hashes of a review's log, which its report carries: each covers its entry, the review as it then was, and
the entry before it. Whoever has the report can follow them without the database.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass

START = "0" * 64  # stands where the first entry names the one before it


@dataclass(frozen=True)
class LogEntry:
    """One step of a review, exactly as recorded, so that its hash can be computed again from it."""

    sequence: int  # 1 is the creation
    at: str  # ISO 8601 in UTC, with microseconds
    action: str
    detail: str
    content: str
    """What `content_digest` said of the review after this step."""
    previous: str
    """Hash of the entry before, START for the first."""
    hash: str


def entry_hash(
    review: str, sequence: int, *, at: str, action: str, detail: str, content: str, previous: str
) -> str:
    """SHA-256, in hexadecimal digits, over the canonical JSON of an entry. Never change what it covers:
    every log recorded so far would seem broken."""
    return digest(
        {
            "previous": previous,
            "review": review,
            "sequence": sequence,
            "at": at,
            "action": action,
            "detail": detail,
            "content": content,
        }
    )


def digest(fields: dict[str, object]) -> str:
    """SHA-256 of the canonical JSON of named values."""
    # Only a tampered row holds something else than text and numbers; null stands for it then, which
    # no recorded hash was made of.
    text = json.dumps(fields, sort_keys=True, separators=(",", ":"), default=lambda _: None)
    return hashlib.sha256(text.encode()).hexdigest()


def is_as_recorded(review: str, entry: LogEntry) -> bool:
    """Whether an entry's hash is that of what it says."""
    said = {name: getattr(entry, name) for name in ("at", "action", "detail", "content", "previous")}
    return entry.hash == entry_hash(review, entry.sequence, **said)


def first_fault(review: str, entries: Sequence[LogEntry]) -> tuple[int, str] | None:
    """Place, from 1, of the first entry that does not follow from those before it, and what is wrong with it; None
    where all do."""
    previous = START
    for place, entry in enumerate(entries, start=1):
        if entry.sequence != place:
            return place, "an entry is missing or out of order here"
        if entry.previous != previous:
            return place, "it does not follow from the entry before it"
        if not is_as_recorded(review, entry):
            return place, "it is not what was recorded"
        previous = entry.hash
    return None
