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

if TYPE_CHECKING:
    from app.storage import ReviewStore, StoredReview
    from fmd_core.report.evidence import AuditTrail

MOST_LISTED = 8
Settings = Mapping[str, str]
"""What was chosen, as it stands in the address."""


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


def keep(
    place: Place | None,
    review: Review,
    journal: Journal,
    settings: Settings,
    *,
    title: str,
    done: tuple[str, str],
) -> Place:
    """Keep a step: what was `done` and its detail, and the journal after it. The first step makes the review.

    Raises StaleReviewError when another tab was faster, and StorageError when nothing can be kept.
    """
    from app.storage import UnknownReviewError

    state = {"title": title, "settings": dict(settings), "journal": journal_json.dump(journal)}
    if place is None:
        place = Place(store().create(owner(), data=review.data, model=review.model, state={}), 1)
    action, detail = done
    try:
        version = store().save(place.id, version=place.version, action=action, detail=detail, state=state)
    except UnknownReviewError:  # deleted in another tab, and gone on with here
        return keep(None, review, journal, settings, title=title, done=done)
    return Place(place.id, version)


def open_kept(review: str) -> Opened:
    """A review by id. Raises UnknownReviewError, or DataError for one that is damaged."""
    return _opened(store().load(review))


def _opened(found: StoredReview) -> Opened:
    journal = journal_json.load(found.state["journal"]) if found.state else Journal()
    settings: dict[str, Any] = found.state.get("settings", {})
    place = Place(found.id, found.version)
    return Opened(place, found.data, found.model, journal, {str(k): str(v) for k, v in settings.items()})


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


def trail(place: Place | None) -> AuditTrail | None:
    """The audit log of a kept review, and whether it is whole."""
    if place is None:
        return None
    from fmd_core.report.evidence import AuditTrail, LogLine

    checked = store().check_log(place.id)
    lines = tuple(
        LogLine(datetime.fromisoformat(entry.at), entry.action, entry.detail, entry.hash)
        for entry in store().log(place.id)
    )
    return AuditTrail(lines, checked.intact, checked.sentence)


def delete(review: str) -> None:
    """Remove a review and its log for good."""
    access.require_change()
    store().delete(review)
