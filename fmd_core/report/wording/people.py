"""Whom a change serves better or worse, in a sentence: who gains and who pays."""

from __future__ import annotations

from collections.abc import Sequence

from fmd_core.figures import count, counted, interval, percent, points, value
from fmd_core.measure.changes import Change
from fmd_core.measure.comparison import Comparison

NAMED_LOSERS = 3


def people_sentence(comparison: Comparison, unit: str) -> str:
    """How many are answered right now and were not, how many the other way round, and whoever was served
    worst; `unit` is what one of them is called."""
    gained, lost = len(comparison.gained), len(comparison.lost)
    those = (
        f"{counted(gained, unit)} {'is' if gained == 1 else 'are'} answered right now and {_was(gained)} not"
    )
    others = f"{count(lost)} {'is' if lost == 1 else 'are'} wrong now and {_was(lost)} right"
    return f"{those}; {others}. {worst_group_sentence(comparison)}".rstrip()


def worst_group_sentence(comparison: Comparison) -> str:
    """Who was served worst, before and after, and who is now, and of how many groups nobody can say; '' where no group
    has enough people."""
    was, now = comparison.worst_before, comparison.worst_after
    if was is None or now is None or was.after.value is None:
        return ""
    same = was.group == now.group
    said = f"Served worst within one class {'before and after' if same else 'before'}: {_cell(was)}."
    told = said if same else f"{said} And now: {_cell(now)}."
    few = sum(cell.after.value is None for cell in comparison.cells)
    return f"{told} Of {counted(few, 'group')} there are too few to say." if few else told


def _cell(cell: Change) -> str:
    moved = f"{percent(cell.before.value or 0)} to {percent(cell.after.value or 0)}"
    return f"{cell.who}, right {moved} (n = {count(cell.before.n)})"


def _was(number: int) -> str:
    return "was" if number == 1 else "were"


def gainers_sentence(comparison: Comparison) -> str:
    """Who gained by more than chance, the three that gained most by name; '' where no group did."""
    gained = comparison.gainers
    named = [change for change in gained if change.properties][:NAMED_LOSERS]
    if not named:
        return ""
    those = "; ".join(
        f"{c.who} by {points(c.difference.value or 0)} points ({interval(c.difference)})" for c in named
    )
    more = len(gained) - len(named)
    return f"Gained most: {those}{f'; and {more} more' if more else ''}."


def losers_sentence(comparison: Comparison) -> str:
    """Who pays, in one sentence; the worst three by name."""
    everyone = (*comparison.groups, *comparison.intersections)
    everyone += tuple(change for change in comparison.losers if change not in everyone)
    measurable = [c for c in everyone if c.difference.value is not None]
    unknown = len(everyone) - len(measurable)
    tail = f" For {count(unknown)} more there are not enough people to say." if unknown else ""
    losers, doubtful = comparison.losers, [c for c in comparison.groups if c.is_doubtful_loss]
    if not measurable:
        return "In no group are there enough people to say whether it lost accuracy."
    if losers:
        return f"{len(losers)} of {counted(len(measurable), 'group')} lost accuracy: {_named(losers)}.{tail}"
    if doubtful:
        tail = f" Looked at alone these lost too, but of so many groups some do by chance: {_named(doubtful)}.{tail}"
    return f"None of {counted(len(measurable), 'group')} lost accuracy by more than chance.{tail}"


def _named(losers: Sequence[Change]) -> str:
    names = "; ".join(f"{c.who} {_loss(c)}" for c in losers[:NAMED_LOSERS])
    return names + (f"; and {len(losers) - NAMED_LOSERS} more" if len(losers) > NAMED_LOSERS else "")


def _loss(change: Change) -> str:
    gap = change.difference
    return f"by {points(-(gap.value or 0))} points ({points(-(gap.high or 0))} to {points(-(gap.low or 0))})"


def moved_groups(changes: Sequence[Change], most: int) -> list[str]:
    """Groups whose accuracy moved, `most` of those that have a name in the data a clause each, and how many more."""
    named = [change for change in changes if change.properties][:most]
    told = [
        f"{c.who}: {value(c.difference, difference=True)} points ({interval(c.difference)}), n = {count(c.before.n)}"
        for c in named
    ]
    more = len(changes) - len(named)
    return told + (
        [f"and {counted(more, 'more group')}" if named else counted(more, "group")] if more else []
    )


def who_pays(comparison: Comparison, others: Sequence[Change] = ()) -> str:
    """`losers_sentence`, after the other attributes whose bias (a change each) rose by more than chance."""
    risen = [
        (other.group, points(other.difference.value or 0))
        for other in others
        if other.is_beyond_chance and (other.difference.value or 0) > 0
    ]
    what = "bias" if comparison.gap is None else f"{comparison.measure} gap"
    what = "lag of the worst group" if comparison.measure == "worst group" else what
    if not risen:
        return losers_sentence(comparison)
    (first, size), *more = risen
    also = "".join(f", that by {name} {by} points" for name, by in more)
    return f"The {what} by {first} rises {size} points{also}. {losers_sentence(comparison)}"
