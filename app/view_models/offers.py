"""Three ways to take the bias out: gentle, recommended, strongest, each with what it costs whom."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from app.view_models import unlearn
from fmd_core import Comparison, PathPoint, UnlearningPath, figures
from fmd_core.measure import slopes
from fmd_core.measure.changes import Change
from fmd_core.measure.verdict.values import Finding, Outcome

Reach = Literal["reaches", "stays within", "misses", "cannot be said", "refused"]
"""Whether a target is reached on held-out people, who were beyond it before; "refused" is the guard's word."""


@dataclass(frozen=True)
class Offer:
    """A stop of a slider that is offered: its name, where it is and why it is refused, '' where it is not."""

    title: str
    stop: str
    refusal: str


@dataclass(frozen=True)
class PathOffer(Offer):
    """One on the path of the last layer."""

    point: PathPoint


@dataclass(frozen=True)
class Card:
    """What an offer does to held-out people."""

    title: str
    stop: str
    moved: str
    """'64 → 8', in points."""
    reach: Reach
    by_ratio: bool
    """Whether a ratio of rates has to be within its limit too, not the points alone."""
    rows: tuple[tuple[str, str], ...]
    """What, and how it changes."""


def offers(path: UnlearningPath) -> tuple[PathOffer, ...]:
    """The suggestion, about half of it, and as far as the path leads; fewer where they are the same."""
    stops = unlearn.stops(path)
    names = {id(point): name for name, point in stops.items()}
    best, original = path.suggested, path.original
    others = [p for p in stops.values() if p is not original and p is not best]
    found: list[PathOffer] = []
    half = (_size(best) + _size(original)) / 2
    gentle = [p for p in others if not p.refusal and _size(best) < _size(p) < _size(original)]
    if gentle and best is not original:
        found.append(_offer("Gentle", min(gentle, key=lambda p: abs(_size(p) - half)), names))
    if best is not original:
        found.append(_offer("Recommended", best, names))
    farther = [p for p in others if _size(p) < _size(best)]
    if farther:
        found.append(_offer("Strongest", min(farther, key=_size), names))
    return tuple(found)


def _offer(title: str, point: PathPoint, names: dict[int, str]) -> PathOffer:
    return PathOffer(title, names[id(point)], point.refusal, point)


def _size(point: PathPoint) -> float:
    """The larger of bias and flips: answers that are merely less sure make the bias alone small."""
    return max(point.bias, point.decided)


def card(
    offer: Offer, comparison: Comparison, before: Finding | None, after: Finding | None, how: str
) -> Card:
    """`before` and `after` are what is to come within its limit, asked of held-out people; without them the bias that
    is unlearned stands for it, and nobody can say whether it reaches its target. `how` says what is changed."""
    judged, flips, accuracy = comparison.judged, comparison.flips, comparison.accuracy
    ends = (judged.before.value, judged.after.value)
    if before is not None and after is not None:
        ends = (before.value, after.value)
    known = [figures.points(end, 0) for end in ends if end is not None]
    found = slopes.choose_slopes(comparison)
    rows = [
        *_named(comparison),
        ("Right", _rate(accuracy)),
        ("Flips", _rate(flips)),
        ("Gains", _who(found, "gains")),
        ("Pays", _who(found, "pays")),
        ("Changes", how),
    ]
    by_ratio = after is not None and after.ratio is not None
    return Card(
        offer.title, offer.stop, " → ".join(known), _reach(offer, before, after), by_ratio, tuple(rows)
    )


def _rate(change: Change) -> str:
    """Before and after; of too few people nobody can say either, which is not 0."""
    if change.difference.value is None:
        return f"cannot be said, n = {figures.count(change.difference.n)}"
    return f"{slopes.moved(change)} %"


def _named(comparison: Comparison) -> list[tuple[str, str]]:
    """Whom it is for and how many of them are right, where it is for the group that is served worst."""
    if comparison.measure != "worst group":
        return []
    own, judged = comparison.own, comparison.judged
    if own is None or own.after.value is None:
        return [("For", f"{judged.who}: cannot be said, n = {figures.count(judged.after.n)}")]
    return [("For", f"{own.who} {slopes.moved(own)} % right, n = {figures.count(own.after.n)}")]


def _who(found: slopes.Slopes, role: slopes.Role) -> str:
    """Whom it is, or of how many groups nobody: where none has enough people it cannot be said."""
    line = found.of(role)
    if line is None and not found.judged:
        return "cannot be said: no group has enough people"
    if line is None:
        return f"none of {figures.counted(found.judged, 'group')} beyond chance"
    return f"{line.change.who} {slopes.moved(line.change)} %"


def _reach(offer: Offer, before: Finding | None, after: Finding | None) -> Reach:
    if offer.refusal:
        return "refused"
    if after is None:
        return "cannot be said"
    if before is not None and before.outcome is after.outcome is Outcome.WITHIN:
        return "stays within"
    words: dict[Outcome, Reach] = {Outcome.WITHIN: "reaches", Outcome.BEYOND: "misses"}
    return words.get(after.outcome, "cannot be said")
