"""The review that a visitor looks at, its journal, and where it is kept."""

from __future__ import annotations

from dataclasses import replace

from app.record.history import History
from app.record.journal import Journal
from app.record.review import Review
from app.record.variants import Variant
from app.session import keeping, memory


def review() -> Review:
    """What this visitor looks at; the first demo until another is chosen."""
    return replace(opened(), vetoes=history().now.vetoes)


def open_review(chosen: Review) -> None:
    """Look at other data, another model or other twins from now on; each keeps its own journal."""
    if chosen.key != opened().key:
        forget_warnings()
    if chosen.data != opened().data:  # of other data, whatever their levels are called
        memory.put("favourable", "")
        memory.put("references", "")
    memory.put("review", replace(chosen, vetoes=()))


def opened() -> Review:
    """The same without the pairs that were left out in it: what journal and place go by."""
    found: Review = memory.value("review", Review())
    return found


def journal() -> Journal:
    """What this visitor did in the review at hand."""
    return journals().get(opened().key, Journal())


def journals() -> dict[tuple[str, str], Journal]:
    """What was done in every review, by its key."""
    found: dict[tuple[str, str], Journal] = memory.value("journals", {})
    return found


def history() -> History:
    """This visitor's history of decisions on the model under review."""
    return journal().history


def current() -> Variant | None:
    """The variant in force, None for the original model."""
    return history().current


def title() -> str:
    """What the review at hand is called."""
    return str(memory.value("title", opened().data))


def address() -> dict[str, str]:
    """What was chosen, as it stood in the address when a page was last drawn."""
    found: dict[str, str] = memory.value("address", {})
    return found


def place() -> keeping.Place | None:
    """Where the review at hand is kept; None before its first step."""
    return places().get(opened().key)


def places() -> dict[tuple[str, str], keeping.Place]:
    """Where every review is kept that has begun, by its key."""
    found: dict[tuple[str, str], keeping.Place] = memory.value("places", {})
    return found


def know_contents(contents: keeping.Contents) -> None:
    """What the data and the model at hand are by their fingerprints, as far as they are open."""
    key = opened().key
    known = memory.value("contents", {})
    memory.put("contents", {**known, key: {**known.get(key, {}), **contents}})


def changed_since_begun() -> tuple[str, ...]:
    """What is another than when the review at hand was begun: "data", "model"."""
    key = opened().key
    now = memory.value("contents", {}).get(key, {})
    return tuple(what for what, was in begun_with(key).items() if now.get(what, was) != was)


def begun_with(key: tuple[str, str]) -> keeping.Contents:
    """Fingerprints of data and model when the review of that key was begun."""
    found: keeping.Contents = memory.value("began_with", {}).get(key, {})
    return found


def forget_warnings() -> None:
    """Nothing is wrong with what is opened or kept now."""
    memory.forget("not_kept")
    memory.forget("behind")
