"""Every step on disk first and then here: what could not be kept, what another tab did, what is taken up again."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from app.record.journal import Journal
from app.record.review import Review
from app.record.variants import of_data
from app.session import access, keeping, memory
from app.session.state.reviews import (
    address,
    begun_with,
    forget_warnings,
    journal,
    journals,
    open_review,
    opened,
    place,
    places,
    title,
)
from app.session.state.work import trained_in


def write(changed: Journal, *done: str) -> None:
    """Keep a step on disk first, then here: `done` is what was done, and its detail.

    When another tab went on with this review nothing is changed, and `behind` says so.
    """
    if changed == journal():
        return
    access.require_change()
    from app.storage import StaleReviewError

    key, (action, detail) = opened().key, done
    contents = {**memory.value("contents", {}).get(key, {}), **begun_with(key)}
    step = keeping.Step(
        (action, access.signed(detail)), changed, address(), title(), contents, datetime.now(UTC)
    )
    try:
        _keep(key, (*_unsaved(key), step), n_late=len(_unsaved(key)))
    except StaleReviewError as problem:
        memory.put("behind", str(problem))
        return
    memory.put("journals", {**journals(), key: changed})


def _keep(key: tuple[str, str], steps: tuple[keeping.Step, ...], *, n_late: int) -> None:
    """Keep steps in the order in which they were taken; the first `n_late` could not be written before. Those that
    cannot be written now wait for the next: the review goes on, and every page says that they are in no log.

    Raises StaleReviewError, and then none waits that did not before.
    """
    from app.storage import StaleReviewError, StorageError

    for number, step in enumerate(steps):
        try:
            kept = keeping.keep(places().get(key), opened(), step, is_late=number < n_late)
        except StorageError as problem:
            if isinstance(problem, StaleReviewError):
                raise
            memory.put("not_kept", str(problem))
            memory.put("unsaved", {**memory.value("unsaved", {}), key: steps[number:]})
            return
        memory.put("places", {**places(), key: kept})
        memory.put("began_with", {**memory.value("began_with", {}), key: dict(step.contents)})
        memory.put("unsaved", {**memory.value("unsaved", {}), key: steps[number + 1 : n_late]})
    forget_warnings()


def _unsaved(key: tuple[str, str]) -> tuple[keeping.Step, ...]:
    found: tuple[keeping.Step, ...] = memory.value("unsaved", {}).get(key, ())
    return found


def unsaved() -> int:
    """How many steps of the review at hand are in force here and stand in no log."""
    return len(_unsaved(opened().key))


def save_again() -> None:
    """Try once more to keep the steps that could not be written."""
    access.require_change()
    from app.storage import StaleReviewError

    key = opened().key
    try:
        _keep(key, _unsaved(key), n_late=len(_unsaved(key)))
    except StaleReviewError as problem:
        memory.put("behind", str(problem))


def not_kept() -> str:
    """Why the last steps could not be kept, or ''."""
    return str(memory.value("not_kept", "")) if unsaved() else ""


def behind() -> str:
    """Why this tab cannot go on before the review is loaded again, or ''."""
    return str(memory.value("behind", ""))


def load_again() -> None:
    """Go on with the review at hand as another tab left it; what is typed here stays typed."""
    at, looked_at = place(), opened()
    if at is not None:
        adopt(keeping.open_kept(at.id))
        open_review(looked_at)  # with the twins that were chosen
    memory.forget("behind")


def adopt(opened: keeping.Opened) -> None:
    """Go on with a review that was kept."""
    key = (opened.data, opened.model)
    open_review(Review(*key))
    forget_warnings()
    memory.forget("followed")  # the slider stands where the review says
    memory.put("journals", {**journals(), key: opened.journal})
    memory.put("places", {**places(), key: opened.place})
    memory.put("began_with", {**memory.value("began_with", {}), key: dict(opened.contents)})
    memory.put("unsaved", {**memory.value("unsaved", {}), key: ()})


def start_anew() -> None:
    """Begin a new review of the same model; the one at hand stays kept."""
    key = opened().key
    for kind in ("journals", "places", "began_with", "unsaved"):
        memory.put(kind, {k: v for k, v in memory.value(kind, {}).items() if k != key})


def answer_again(data: str, what: str, *, keeps_decision: bool) -> None:
    """Go on with the same people and model under other answers about the data: `what` changed. The steps taken go
    along into a review of its own; the one at hand stays as it was. What was decided only goes along where no figure
    is another (`keeps_decision`)."""
    access.require_change()
    old, was = opened(), journal()
    trained = tuple(replace(t, variant=of_data(t.variant, data)) for t in trained_in(old.key))
    open_review(replace(old, data=data))
    memory.put("trained", {**memory.value("trained", {}), opened().key: trained})
    if was != Journal():
        moved = replace(was, history=was.history.of_data(data))
        moved = moved if keeps_decision else replace(moved, decision=None)
        write(moved, "answered again", what)
