"""Every road to a finding within its limit: strategies, depths and aims side by side, as validation people see them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from app.record.variants import Recipe
from app.view_models.aiming import aim_words
from app.view_models.learning_on import TITLE as DEEPER
from app.view_models.unlearn import served, stop_label, stop_name
from fmd_core import AttributeDataset, Estimate, PathPoint, figures
from fmd_core.measure.bias_functions import FairnessMeasure
from fmd_core.measure.verdict.rules import is_forbidden_within, smaller_group
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
AIMS: dict[FairnessMeasure, str] = {
    "counterfactual": "twins alike",
    "demographic parity": "answers alike",
    "equal opportunity": "equal truth alike",
    "predictive equality": "false answers alike",
    "worst group": "the worst group better",
}
COLUMNS = (
    "How", "What may change", "Aim", "Difference, points", "n, smaller group", "Verdict", "Accuracy, %",
    "Worst group right, %", "Bias, points", "In answers, points", "Answers changed, %", "Strength", "Guard",
)  # fmt: skip


@dataclass(frozen=True)
class Destination:
    """Where a row of the table leads: a way, and a stop of its slider."""

    way: Way
    stop: str


def standing(variant: Recipe) -> Destination:
    """Where the page stands."""
    way = Way(variant.aim, variant.strategy, variant.review.depth)
    return Destination(way, stop_label(variant.strength, variant.blend))


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


def build(suggestion: Suggestion, data: AttributeDataset, untried: Sequence[Way] = ()) -> RoadsView:
    """The roads that were tried, best first, then those that nobody has tried yet."""
    rows = [_row(road) for road in suggestion.roads] + [_untried(way) for way in untried]
    best = suggestion.best
    return RoadsView(
        headline=_headline(suggestion, data, untried),
        notes=tuple(filter(None, (_before(suggestion), _elsewhere(suggestion, data, untried)))),
        table=pd.DataFrame(rows, columns=list(COLUMNS)),
        destinations=(*(_destination(road) for road in suggestion.roads), *(None for _ in untried)),
        best=None if best is None else _destination(best),
    )


def _headline(suggestion: Suggestion, data: AttributeDataset, untried: Sequence[Way]) -> str:
    best, before = suggestion.best, suggestion.before
    if before is None:
        return "Validation people cannot say how far any road leads: too few of them are concerned."
    limit = f"its limit of {limit_words(before)}"
    if before.outcome is Outcome.WITHIN:
        return f"On validation people this lies within {limit} already: {before.sentence}"
    none = "None of the roads tried so far" if untried else "No road"
    if best is None or best.best is None or best.original is None:
        return f"{none} that is allowed brings this nearer to {limit}."
    name = _road_name(best.way, data, best.best)
    told = f"{_sentence(best.best.found)} Accuracy goes {moved(best.original, best.best)}."
    if best.reaches:
        cheapest = "Of the roads tried so far the cheapest" if untried else "The cheapest road"
        return f"{cheapest} that brings this within {limit} is {name}: {told}"
    return f"{none} brings this surely within {limit}. The nearest is {name}: {told}"


def _road_name(way: Way, data: AttributeDataset, point: PathPoint) -> str:
    """'“Learn from external samples” of the last layer, so that twins by sex are answered alike, at strength 0.3'."""
    found = find_strategy(way.strategy)
    depth = find_depth(way.depth).title
    return (
        f"“{found.title}” of {figures.without_capital(depth)}, so that {aim_words(data, way.aim)}, at "
        f"{found.strength_name} {stop_name(point)}"
    )


def _sentence(finding: Finding | None) -> str:
    return "" if finding is None else finding.sentence


def _before(suggestion: Suggestion) -> str:
    before = suggestion.before
    return "" if before is None else f"The original model on validation people: {before.sentence}"


def _elsewhere(suggestion: Suggestion, data: AttributeDataset, untried: Sequence[Way]) -> str:
    """Which other road would, where none reaches the limit."""
    best, before = suggestion.best, suggestion.before
    if suggestion.is_reached or before is None:
        return ""
    said = [f"{figures.counted(len(untried), 'road')} not tried yet."] if untried else []
    nearest = before if best is None or best.best is None else best.best.found or before
    if few := doubt(nearest).strip():
        said.append(few)
    elif (road := suggestion.refused) is not None and (point := road.refused) is not None:
        said.append(
            f"Within the limit would be {_road_name(road.way, data, point)}, which the guard refuses: {point.refusal}. "
            "Allowing that is yours to decide."
        )
    elif not untried and not is_forbidden_within(nearest):
        said.append(
            f"No setting would be within the limit, whatever the guard allowed: “{DEEPER}” below, feature unlearning, "
            "training again, or more people of the groups concerned may do more."
        )
    return " ".join(said)


def _row(road: Road) -> tuple[str, ...]:
    best = road.best
    if best is None:
        return _silent(road.way, road.why_not)
    if best.found is None:
        return _silent(road.way, "cannot be measured")
    found = best.found
    return (
        *_named(road.way),
        figures.figure(Estimate(found.value, found.low, found.high, found.n)),
        figures.count(smaller_group(found)),
        REACHED[found.outcome],
        figures.points(best.accuracy),
        served(best),
        figures.points(best.bias),
        figures.points(best.decided),
        figures.points(best.changed),
        stop_name(best),
        "allowed" if road.moves else "nothing better is allowed",
    )


def _untried(way: Way) -> tuple[str, ...]:
    return _silent(way, f"not tried yet ({find_depth(way.depth).cost})")


def _silent(way: Way, why: str) -> tuple[str, ...]:
    """A row without figures, and why there are none."""
    named = _named(way)
    return (*named, "", "", why, *[""] * (len(COLUMNS) - len(named) - 3))


def _named(way: Way) -> tuple[str, str, str]:
    depth = find_depth(way.depth).title.removeprefix("The ")
    return find_strategy(way.strategy).title, figures.with_capital(depth), AIMS[way.aim.measure]


def _destination(road: Road) -> Destination | None:
    return None if road.best is None else Destination(road.way, stop_name(road.best))
