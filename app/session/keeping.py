"""Reviews that outlive the browser and the server: every step is kept in the database as it is taken."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from app.record import journal_json
from app.record.journal import Journal
from app.record.review import Review
from app.session import access
from fmd_core.text import cut

if TYPE_CHECKING:
    from app.storage import ReviewStore, StoredReview
    from fmd_core.report.evidence import AuditTrail

MOST_LISTED = 8
Settings = Mapping[str, str]
"""What was chosen, as it stands in the address."""
Contents = Mapping[str, str]
"""Fingerprints of the data ("data") and of the model ("model") that a review began with, those that are known."""
LONGEST_DETAIL = 4_000  # characters: a report takes no longer ones


@dataclass(frozen=True)
class Place:
    """Where a review is kept, and which step of it this visitor has seen last."""

    id: str
    version: int


@dataclass(frozen=True)
class Opened:
    """A review as it was last kept."""

    place: Place
    data: str
    model: str
    journal: Journal
    settings: Settings
    contents: Contents


@dataclass(frozen=True)
class Step:
    """What is to be kept of a step: what was done, its detail, and how the review stands after it."""

    done: tuple[str, str]
    journal: Journal
    settings: Settings
    title: str
    contents: Contents
    taken: datetime  # in UTC


@dataclass(frozen=True)
class Listed:
    """A review in the list on the first page."""

    id: str
    title: str
    in_force: str
    steps: int
    changed: datetime  # in UTC


@lru_cache(maxsize=1)
def store() -> ReviewStore:
    """The database, one for the process."""
    from app.storage import ReviewStore  # half a second, and the first page waits for no database

    return ReviewStore()


def owner() -> str:
    """Whose reviews are listed: the person who logged in, or whoever sits at this machine."""
    return access.email() if access.is_required() else "local"


def keep(place: Place | None, review: Review, step: Step, *, is_late: bool = False) -> Place:
    """Keep a step: what was done, and the review after it. The first step makes the review, in the same transaction.
    One that `is_late` could not be written when it was taken, and its line of the log says so.

    Raises StaleReviewError when another tab was faster, and StorageError when nothing can be kept.
    """
    from app.storage import UnknownReviewError

    state = {"title": step.title, "settings": dict(step.settings), "journal": journal_json.dump(step.journal)}
    if step.contents:
        state["contents"] = dict(step.contents)
    late = f" (taken {step.taken:%Y-%m-%d %H:%M:%S} UTC; it could not be written then)" if is_late else ""
    action, detail = step.done[0], cut(step.done[1], LONGEST_DETAIL) + late
    if place is not None:
        try:
            version = store().save(place.id, version=place.version, action=action, detail=detail, state=state)
            return Place(place.id, version)
        except UnknownReviewError:  # deleted in another tab, and gone on with here
            pass
    made = store().create(owner(), data=review.data, model=review.model, state=state, first=(action, detail))
    return Place(made, 2)


def open_kept(review: str) -> Opened:
    """A review by id. Raises UnknownReviewError, or DataError for one that is damaged."""
    return _opened(store().load(review))


def _opened(found: StoredReview) -> Opened:
    journal = journal_json.load(found.state["journal"]) if found.state else Journal()
    settings: dict[str, Any] = found.state.get("settings", {})
    contents: dict[str, Any] = found.state.get("contents", {})
    place = Place(found.id, found.version)
    return Opened(place, found.data, found.model, journal, _texts(settings), _texts(contents))


def _texts(values: Mapping[str, Any]) -> dict[str, str]:
    return {str(name): str(value) for name, value in values.items()}


def listed() -> list[Listed]:
    """The reviews of whoever looks, the last changed first."""
    return [_listed(store().load(summary.id)) for summary in store().listing(owner())[:MOST_LISTED]]


def _listed(found: StoredReview) -> Listed:
    from fmd_core.errors import DataError

    title = str(found.state.get("title") or found.data)
    try:
        past = _opened(found).journal.history
    except DataError:
        return Listed(found.id, title, "cannot be opened", 0, found.changed)
    return Listed(found.id, title, past.name(past.current), len(past.log), found.changed)


def trail(place: Place | None, unsaved: int = 0) -> AuditTrail | None:
    """The audit log of a kept review, and whether it is whole: not while `unsaved` steps could not be written."""
    from fmd_core.report.evidence import AuditTrail, LogLine

    if place is None:
        never = "No step of this review could be saved, so it has no log."
        return AuditTrail((), False, never) if unsaved else None

    checked = store().check_log(place.id)
    lines = tuple(
        LogLine(
            datetime.fromisoformat(entry.at),
            entry.action,
            entry.detail,
            entry.hash,
            entry.content,
            entry.previous,
        )
        for entry in store().log(place.id)
    )
    if unsaved:
        steps = "1 step stands" if unsaved == 1 else f"{unsaved} steps stand"
        return AuditTrail(
            lines,
            False,
            f"{checked.sentence} {steps} in no log: what was done last could not be saved.",
            place.id,
        )
    return AuditTrail(lines, checked.intact, checked.sentence, place.id)


def delete(review: str) -> None:
    """Remove a review and its log for good."""
    access.require_change()
    store().delete(review)
