"""Long work of a visitor's: jobs that pages follow, networks that were trained on, files that were opened."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.session import memory
from app.session.state.reviews import opened

if TYPE_CHECKING:
    from app.record.trained import Trained
    from fmd_core.models.intake.intake import Passport


def jobs() -> tuple[str, ...]:
    """Ids of the long work that this visitor started or looked at, oldest first."""
    return tuple(memory.value("jobs", ()))


def remember_job(job: str) -> None:
    """Keep a job in this visitor's list."""
    memory.put("jobs", (*(j for j in jobs() if j != job), job))


def forget_job(job: str) -> None:
    """Take a job off this visitor's list."""
    memory.put("jobs", tuple(j for j in jobs() if j != job))


def leave_job(job: str) -> None:
    """Wait no longer for a job that goes on for somebody else: no place follows it any more."""
    forget_job(job)
    for place in memory.keys_of("job_", job):
        memory.put(place, "")
    memory.put("left_job", job)


def has_left(job: str) -> bool:
    """Whether this visitor stopped waiting for a job that goes on, and did not come back."""
    return bool(memory.value("left_job", "") == job)


def come_back() -> None:
    """Wait again for what was left."""
    memory.forget("left_job")


def show_job(place: str, job: str) -> None:
    """Let a place on a page follow a job."""
    memory.put(f"job_{place}", job)


def shown_job(place: str) -> str:
    """The job that a place on a page follows, or ''."""
    return str(memory.value(f"job_{place}", ""))


def trained_here() -> tuple[Trained, ...]:
    """What this visitor had trained on, in the review at hand, oldest first."""
    return trained_in(opened().key)


def trained_in(key: tuple[str, str]) -> tuple[Trained, ...]:
    """The same of the review with that key."""
    found: tuple[Trained, ...] = memory.value("trained", {}).get(key, ())
    return found


def remember_trained(trained: Trained) -> None:
    """Keep what training a model on came to, with the review that it began in."""
    key = trained.variant.review.key
    others = tuple(t for t in trained_in(key) if t.variant != trained.variant)
    memory.put("trained", {**memory.value("trained", {}), key: (*others, trained)})


def keep_passport(model: str, passport: Passport) -> None:
    """Remember what was found when a model's weights were opened."""
    memory.put(f"passport_{model}", passport)


def passport(model: str) -> Passport | None:
    """What was found when this visitor opened the weights of a model."""
    found: Passport | None = memory.value(f"passport_{model}", None)
    return found
