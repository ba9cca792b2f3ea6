"""Which attribute the worst finding is about, as the Find page last said it: the sidebar names it beside the one under
review."""

from __future__ import annotations

from app.session import memory, state

SAID, TOLD = "worst_finding", "worst_finding_told"


def keep(attribute: str) -> bool:
    """Keep what Find says of the review at hand, "" where nothing is beyond its limit; returns whether the sidebar,
    drawn already, says something else."""
    memory.put(SAID, (_about(), attribute))
    return memory.value(TOLD, attribute) != attribute


def said() -> str:
    """The attribute, or "" where none is beyond its limit or Find has not said it of what is under review now."""
    about, attribute = memory.value(SAID, (None, ""))
    return str(attribute) if about == _about() else ""


def begin() -> None:
    """A page is drawn anew: the sidebar has said nothing yet."""
    memory.forget(TOLD)


def told() -> None:
    """The sidebar says it now."""
    memory.put(TOLD, said())


def _about() -> object:
    """All that the finding hangs on: also the pairs that are left out, and by what is judged."""
    return state.review(), state.current(), state.criteria()
