"""Which setting to suggest: the cheapest that brings a finding within its limit, on validation people.

Settings are ranked, best first, by

    1. whether the finding is within its limit: enough people, and the far end of the interval inside of it
    2. where it is not, how far that end still lies beyond the limit
    3. accuracy: what it costs, less what it gains
    4. how many people get another answer
    5. how deep the model is changed, and with how much strength

1 to 3 count in steps of half a point, because less is chance. What the guard refuses and what makes the worst
served group worse is not suggested, nor is any change of a model whose finding is within its limit already.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fmd_core.data import Array, AttributeDataset, FeatureSet
from fmd_core.measure.comparison import LOSS_TOLERANCE
from fmd_core.measure.verdict.answered import Answered, classes_of, levels_of
from fmd_core.measure.verdict.rules import lacking
from fmd_core.measure.verdict.sentences import group_name
from fmd_core.measure.verdict.values import Outcome

if TYPE_CHECKING:
    from fmd_core.unlearn.guarded_path import PathPoint, UnlearningPath

STEP = 0.005  # a share: differences below half a point are chance
FEWEST = 10  # validation people of a group that is watched; how many they are is told wherever it is named


@dataclass(frozen=True, eq=False)
class Watched:
    """Some validation people whose accuracy is watched, by name."""

    name: str
    members: Array  # (n,) bool, of the validation samples
    n: int  # people: several samples of one person are one


@dataclass(frozen=True)
class Served:
    """How many of a group are answered right."""

    name: str
    accuracy: float
    n: int


def watched_groups(
    dataset: AttributeDataset, people: FeatureSet, attributes: Sequence[str]
) -> tuple[Watched, ...]:
    """Every true class of every level of the attributes, of those who are not too few for any share."""
    everyone = Answered(people.rows, people.labels, people.labels)
    cells = [
        level & of_class
        for attribute in attributes
        for level in levels_of(dataset, everyone, attribute)
        for of_class in classes_of(dataset, everyone)
    ]
    found = (
        Watched(group_name(dataset, cell.members), cell.mask, dataset.n_people(people.rows[cell.mask]))
        for cell in cells
    )
    return tuple(group for group in found if group.n >= FEWEST)


def worst_served(groups: Sequence[Watched], right: Array) -> Served | None:
    """Which of the groups is right least often, by `right` (n,) bool; None where nobody is watched."""
    found = [Served(g.name, float(right[g.members].mean()), g.n) for g in groups]
    return min(found, key=lambda served: served.accuracy, default=None)


def is_within(point: PathPoint) -> bool:
    """Whether the finding is within its limit."""
    return point.found is not None and point.found.outcome is Outcome.WITHIN


def refused_within(path: UnlearningPath) -> list[PathPoint]:
    """Settings that would bring the finding within its limit, had the guard not refused them."""
    return [point for point in (*path.points, *path.blends) if point.refusal and is_within(point)]


def is_harmful(point: PathPoint, original: PathPoint) -> bool:
    """Whether whoever is served worst is served worse than whoever was before."""
    was, now = original.worst, point.worst
    return was is not None and now is not None and now.accuracy < was.accuracy - LOSS_TOLERANCE


def rank(point: PathPoint, original: PathPoint) -> tuple[bool, int, int, float]:
    """Sorting key of one setting, best first."""
    assert point.found is not None, "only settings whose finding is measured are ranked"
    within = is_within(point)
    beyond = 0 if within else _steps(lacking(point.found))
    return not within, beyond, _steps(original.accuracy - point.accuracy), point.changed


def cheapest(points: Sequence[PathPoint]) -> PathPoint:
    """The setting to suggest; the first of the `points` is the original, which is suggested where nothing is better
    or there is nothing to bring within a limit."""
    original = points[0]
    if is_within(original):
        return original
    able = [p for p in points if not p.refusal and p.found is not None and not is_harmful(p, original)]
    return min(able, key=lambda point: (*rank(point, original), point.result.strength))


def _steps(share: float) -> int:
    return round(share / STEP)
