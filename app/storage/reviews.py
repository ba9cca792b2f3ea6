"""Reviews in a database: opened, saved step by step, listed, deleted, and their log checked."""

from __future__ import annotations

import json
import re
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Engine, Row, delete, insert, select, update

from app.storage.audit_log import ChainCheck, check_chain, content_digest, fault_at_end
from app.storage.database import (
    database_url,
    forget_deleted,
    in_words,
    open_engine,
    reading,
    upgrade,
    writing,
)
from app.storage.errors import BrokenLogError, StaleReviewError, StorageError, UnknownReviewError
from app.storage.tables import AUDIT_LOG, REVIEWS
from app.storage.values import MAX_ACTION, MAX_DETAIL, MAX_NAME, checked_text, json_text
from fmd_core.report.log_chain import START, LogEntry, entry_hash

REVIEW_ID = re.compile(r"[A-Za-z0-9_-]{22}")  # what secrets.token_urlsafe(16) gives

_opening = threading.Lock()  # of the process, not of a store: see database.upgrade


@dataclass(frozen=True)
class ReviewSummary:
    """A review in a list."""

    id: str
    data: str
    model: str
    version: int
    created: datetime  # both in UTC
    changed: datetime


@dataclass(frozen=True)
class StoredReview:
    """A review as it was last saved."""

    id: str
    owner: str
    data: str
    model: str
    state: dict[str, Any]
    version: int
    """Entries in its log: 1 when created, one more with every save."""
    created: datetime  # both in UTC
    changed: datetime


class ReviewStore:
    """Every review of an installation. One per process; any thread may use it.

    Each call is one transaction: it happened whole or not at all, also when the process is killed,
    and what returned is on the disk. Whatever the database refuses is a StorageError.
    """

    def __init__(self, url: str | None = None) -> None:
        """`url` is one of SQLAlchemy's; without it see `database_url`. The database is opened, and its
        tables brought up to date, when the first call needs it."""
        self._url = url
        self._engine: Engine | None = None

    def create(
        self,
        owner: str,
        *,
        data: str,
        model: str,
        state: dict[str, Any],
        first: tuple[str, str] | None = None,
    ) -> str:
        """Keep a new review, its log begun by the entry "created" and, in the same transaction, by what was done
        `first` (action and detail) if anything was; returns its id, which nobody can guess.

        Raises StorageError for a value that cannot be kept, as in `save`.
        """
        content = {
            "owner": checked_text("owner", owner, MAX_NAME),
            "data": checked_text("data", data, MAX_NAME),
            "model": checked_text("model", model, MAX_NAME),
            "state": json_text(state),
        }
        review = secrets.token_urlsafe(16)
        detail = f"data: {data}, model: {model or 'none'}"
        entries = [_entry(review, 1, "created", detail, START, content)]
        if first:
            action, told = (
                checked_text("action", first[0], MAX_ACTION),
                checked_text("detail", first[1], MAX_DETAIL),
            )
            entries.append(_entry(review, 2, action, told, entries[0].hash, content))
        last = entries[-1]
        row = {
            **content,
            "version": last.sequence,
            "head": last.hash,
            "created": entries[0].at,
            "changed": last.at,
        }
        with self._transaction(writes=True) as connection:
            connection.execute(insert(REVIEWS).values(id=review, **row))
            for entry in entries:
                connection.execute(insert(AUDIT_LOG).values(review=review, **asdict(entry)))
        return review

    def load(self, review: str) -> StoredReview:
        """A review as it was last saved. Raises UnknownReviewError."""
        with self._transaction() as connection:
            row = _find(connection, review)
        with _tampering_in_words():
            state = json.loads(row.state)
            if not isinstance(state, dict):
                raise TypeError(state)
            return StoredReview(state=state, owner=row.owner, **_summary(row))

    def save(self, review: str, *, version: int, action: str, detail: str, state: dict[str, Any]) -> int:
        """Keep a review's new state and, in the same transaction, what was done; returns its new version.

        `state` is what JSON can hold, given back by `load` as it was: numbers (no NaN or infinity),
        texts, lists (no tuples) and dictionaries by text; at most MAX_STATE bytes.
        Raises StaleReviewError when `version` is not the latest (a second tab saved first),
        UnknownReviewError, BrokenLogError when the review is not what its log says, and StorageError
        for a value that cannot be kept.
        """
        text = json_text(state)
        action = checked_text("action", action, MAX_ACTION)
        detail = checked_text("detail", detail, MAX_DETAIL)
        with self._transaction(writes=True) as connection:
            row = _find(connection, review, lock=True)
            if row.version != version:
                raise StaleReviewError(
                    f"This review went on in another tab (step {row.version}, here step {version}): "
                    "load it again, then repeat your last step."
                )
            _refuse_broken(row, _entries(connection, review, last=True))
            content = _content(row) | {"state": text}
            entry = _entry(review, row.version + 1, action, detail, row.head, content)
            changes = {"state": text, "version": entry.sequence, "head": entry.hash, "changed": entry.at}
            connection.execute(insert(AUDIT_LOG).values(review=review, **asdict(entry)))
            connection.execute(update(REVIEWS).where(REVIEWS.c.id == review).values(changes))
        return entry.sequence

    def listing(self, owner: str) -> list[ReviewSummary]:
        """An owner's reviews, the last changed first."""
        ask = (
            select(*(REVIEWS.c[name] for name in ("id", "data", "model", "version", "created", "changed")))
            .where(REVIEWS.c.owner == checked_text("owner", owner, MAX_NAME))
            .order_by(REVIEWS.c.changed.desc(), REVIEWS.c.id)
        )
        with self._transaction() as connection:
            rows = connection.execute(ask).all()
        with _tampering_in_words():
            return [ReviewSummary(**_summary(row)) for row in rows]

    def delete(self, review: str) -> None:
        """Remove a review and its log for good. Raises UnknownReviewError."""
        with self._transaction(writes=True) as connection:
            _find(connection, review, lock=True)
            connection.execute(delete(REVIEWS).where(REVIEWS.c.id == review))  # and with it, its log
        with in_words():
            forget_deleted(self._opened())

    def log(self, review: str) -> tuple[LogEntry, ...]:
        """What was done in a review, the first step first. Raises UnknownReviewError."""
        with self._transaction() as connection:
            _find(connection, review)
            return _entries(connection, review)

    def check_log(self, review: str) -> ChainCheck:
        """Whether a review's log is what was recorded, and the review what its log says. Raises
        UnknownReviewError."""
        with self._transaction() as connection:
            row, entries = _find(connection, review), _entries(connection, review)
        return check_chain(review, entries, **_end(row))

    def close(self) -> None:
        """Close every connection; a later call opens them again."""
        with _opening:
            if self._engine is not None:
                self._engine.dispose()
                self._engine = None

    @contextmanager
    def _transaction(self, *, writes: bool = False) -> Iterator[Connection]:
        with in_words():
            engine = self._opened()
            with (writing(engine) if writes else reading(engine)).begin() as connection:
                yield connection

    def _opened(self) -> Engine:
        """The database with its tables up to date. One that failed to open is tried again next time."""
        with _opening:
            if self._engine is None:
                engine = open_engine(database_url(self._url))
                try:
                    upgrade(engine)
                except BaseException:
                    engine.dispose()
                    raise
                self._engine = engine
            return self._engine


def _find(connection: Connection, review: str, *, lock: bool = False) -> Row[Any]:
    """A review's row; with `lock` nobody else can change it until the transaction ends."""
    known = isinstance(review, str) and REVIEW_ID.fullmatch(review)  # ids come from the address
    ask = select(REVIEWS).where(REVIEWS.c.id == review)
    row = connection.execute(ask.with_for_update() if lock else ask).one_or_none() if known else None
    if row is None:
        raise UnknownReviewError(
            f"There is no review '{str(review)[:40]}': it may have been deleted. Choose another one."
        )
    return row


def _entries(connection: Connection, review: str, *, last: bool = False) -> tuple[LogEntry, ...]:
    """A review's log in the order of its sequence, or only its last entry."""
    columns = [column for column in AUDIT_LOG.c if column.name != "review"]
    ask = select(*columns).where(AUDIT_LOG.c.review == review)
    order = AUDIT_LOG.c.sequence
    rows = connection.execute(ask.order_by(order.desc()).limit(1) if last else ask.order_by(order))
    return tuple(LogEntry(**row._mapping) for row in rows)


def _content(row: Row[Any]) -> dict[str, str]:
    return {name: getattr(row, name) for name in ("owner", "data", "model", "state")}


def _end(row: Row[Any]) -> dict[str, Any]:
    """What a review says of its log's end."""
    return {"length": row.version, "head": row.head, "content": content_digest(**_content(row))}


def _refuse_broken(row: Row[Any], last: tuple[LogEntry, ...]) -> None:
    fault = fault_at_end(row.id, last[0] if last else None, **_end(row))
    if fault:
        raise BrokenLogError(
            f"This review was changed outside FMD Studio (the last entry of its log: {fault}), so nothing more "
            "can be recorded in it: start a new review, or put back the last good copy of the database."
        )


@contextmanager
def _tampering_in_words() -> Iterator[None]:
    try:
        yield
    except (TypeError, ValueError, RecursionError) as problem:
        raise StorageError(
            "A review was damaged outside FMD Studio and cannot be read: put back the last good copy of "
            "the database."
        ) from problem


def _entry(
    review: str, sequence: int, action: str, detail: str, previous: str, content: dict[str, str]
) -> LogEntry:
    at = datetime.now(UTC).isoformat(timespec="microseconds")
    said = {"at": at, "action": action, "detail": detail, "content": content_digest(**content)}
    return LogEntry(
        sequence, **said, previous=previous, hash=entry_hash(review, sequence, **said, previous=previous)
    )


def _summary(row: Row[Any]) -> dict[str, Any]:
    times = {name: datetime.fromisoformat(getattr(row, name)) for name in ("created", "changed")}
    return {name: getattr(row, name) for name in ("id", "data", "model", "version")} | times
