"""Every road to a finding within its limit: strategies, depths and aims side by side, as validation people see them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from app.view_models.aiming import aim_words
from app.view_models.unlearn import served, stop_name
from fmd_core import Estimate, PathPoint, figures
from fmd_core.measure.verdict.sentences import limit_words
from fmd_core.measure.verdict.values import Finding, Outcome
from fmd_core.method import find_strategy
from fmd_core.models.depth import find_depth
from fmd_core.report.aiming import doubt, moved
from fmd_core.study.suggestion import Road, Suggestion, Way

REACHED = {
    Outcome.WITHIN: "within the limit",
    Outcome.UNKNOWN: "cannot be said",
    Outcome.BEYOND: "beyond the limit",
}
COLUMNS = (
    "How", "What may change", "The aim: that", "Strength", "What is aimed at", "Difference, points", "n",
    "Bias, points", "In answers, points", "Worst group right, %", "Accuracy, %", "Answers changed, %", "Guard",
)  # fmt: skip


@dataclass(frozen=True)
class Destination:
    """Where a row of the table leads: a way, and a stop of its slider."""

    way: Way
    stop: str


@dataclass(frozen=True)
class RoadsView:
    """The table and what it says."""

    headline: str
    notes: tuple[str, ...]
    """Which other road would, and how the original does."""
    table: pd.DataFrame
    destinations: tuple[Destination | None, ...]
    """One for each row; None where there is nowhere to go."""
    best: Destination | None


def build(suggestion: Suggestion, untried: Sequence[Way] = ()) -> RoadsView:
    """The roads that were tried, best first, then those that nobody has tried yet."""
    rows = [_row(road) for road in suggestion.roads] + [_untried(way) for way in untried]
    best = suggestion.best
    return RoadsView(
        headline=_headline(suggestion, untried),
        notes=tuple(filter(None, (_before(suggestion), _elsewhere(suggestion, untried)))),
        table=pd.DataFrame(rows, columns=list(COLUMNS)),
        destinations=(*(_destination(road) for road in suggestion.roads), *(None for _ in untried)),
        best=None if best is None else _destination(best),
    )


def _headline(suggestion: Suggestion, untried: Sequence[Way]) -> str:
    limit = f"its limit of {limit_words(suggestion.finding)}"
    best, before = suggestion.best, suggestion.before
    if before is None:
        return "Validation people cannot say how far any road leads: too few of them are concerned."
    if before.outcome is Outcome.WITHIN:
        return f"On validation people this lies within {limit} already: {before.sentence}"
    tried = "of the roads tried so far" if untried else "of all roads"
    if best is None or best.best is None or best.path is None:
        return f"None {tried} that is allowed brings this nearer to {limit}."
    name = road_name(best.way)
    setting = f"{name[:1].upper()}{name[1:]}, {_strength(best.best)}"
    told = f"{_sentence(best.best.found)} Accuracy goes {moved(best.path.original, best.best)}."
    if best.reaches:
        return f"{setting} is the cheapest {tried} that brings this within {limit}: {told}"
    return f"None {tried} brings this surely within {limit}. The nearest is {name}, {_strength(best.best)}: {told}"


def road_name(way: Way) -> str:
    """'learn from external samples, the last layer, so that twins by sex are answered alike'."""
    title = find_strategy(way.strategy).title
    return f"“{title}”, {find_depth(way.depth).layers}, so that {aim_words(way.aim)}"


def _strength(point: PathPoint) -> str:
    name = find_strategy(point.result.strategy).strength_name
    return f"{name} {stop_name(point)}"


def _sentence(finding: Finding | None) -> str:
    return "" if finding is None else finding.sentence


def _before(suggestion: Suggestion) -> str:
    before = suggestion.before
    return "" if before is None else f"The original model on validation people: {before.sentence}"


def _elsewhere(suggestion: Suggestion, untried: Sequence[Way]) -> str:
    """Which other road would, where none reaches the limit."""
    if suggestion.is_reached or suggestion.before is None:
        return ""
    said = []
    if untried:
        said.append(f"{figures.counted(len(untried), 'road')} were not tried yet.")
    best = suggestion.best
    if best is not None and best.best is not None and best.best.found is not None:
        said.append(doubt(best.best.found).strip())
    if (found := suggestion.refused) is not None:
        road, point = found
        said.append(
            f"It would be within the limit by {road_name(road.way)}, {_strength(point)}, which the guard refuses: "
            f"{point.refusal}. Allowing that is yours to decide."
        )
    else:
        said.append(
            "No setting that was tried would be within the limit, whatever the guard allowed: more people of the "
            "groups concerned, feature unlearning, or training again may do more."
        )
    return " ".join(filter(None, said))


def _row(road: Road) -> tuple[object, ...]:
    named = _named(road.way)
    if road.path is None or road.best is None:
        return (*named, "", road.why_not, *[""] * (len(COLUMNS) - len(named) - 2))
    best, found = road.best, road.best.found
    if found is None:
        return (*named, "", "cannot be measured", *[""] * (len(COLUMNS) - len(named) - 2))
    return (
        *named,
        stop_name(best),
        REACHED[found.outcome],
        figures.figure(Estimate(found.value, found.low, found.high, found.n)),
        figures.count(found.n),
        figures.points(best.bias),
        figures.points(best.decided),
        served(best),
        figures.points(best.accuracy),
        figures.points(best.changed),
        "allowed" if road.moves else "nothing better is allowed",
    )


def _untried(way: Way) -> tuple[object, ...]:
    named = _named(way)
    cost = f"not tried yet ({find_depth(way.depth).cost})"
    return (*named, "", cost, *[""] * (len(COLUMNS) - len(named) - 2))


def _named(way: Way) -> tuple[str, str, str]:
    return find_strategy(way.strategy).title, find_depth(way.depth).title, aim_words(way.aim)


def _destination(road: Road) -> Destination | None:
    return None if road.best is None else Destination(road.way, stop_name(road.best))
