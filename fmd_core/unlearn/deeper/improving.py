"""What can improve when a network learns on: for each aim what it is called, and by what a point is chosen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from fmd_core.data import AttributeDataset
from fmd_core.errors import DataError
from fmd_core.figures import points
from fmd_core.measure.served_groups import ServedGroup
from fmd_core.measure.verdict.sentences import attribute_name
from fmd_core.unlearn.deeper.answers import Figures, Gap, GroupRate
from fmd_core.unlearn.deeper.settings import Improve, why_only_groups

Loss = tuple[float, float]
"""What is to be small, and its standard error: points that lie within it of the least cannot be told apart."""


@dataclass(frozen=True)
class Improvement:
    """One aim. Objectives by its name stand in `objectives`."""

    name: Improve
    title: str
    """The choice on a screen."""
    note: str
    """What training does for it, in a sentence."""
    what: str
    """What a figure of it is, in the middle of a sentence."""
    loss: Callable[[Figures], Loss | None]
    """None where nobody can say: no twins, or too few people."""
    figure: Callable[[Figures], str]
    """The figure as it is written, without its unit; '' where nobody can say."""
    unit: str = "%"


def _groups(of: Figures) -> Loss:
    return -of.balanced, of.balanced_error


def _worst(of: Figures) -> Loss | None:
    found = of.decisive
    return None if found is None else (-found.value, found.error)


def _twins(of: Figures) -> Loss | None:
    # without slack: twins are as many as people, and what is less is less
    return None if of.bias is None or of.flips is None else (max(of.bias, of.flips), 0.0)


def _gap(gap: Gap | None) -> Loss | None:
    return None if gap is None else (gap.value, gap.error)


def _points(value: float | None) -> str:
    return "" if value is None else points(value)


def _gap_points(gap: Gap | None) -> str:
    return "" if gap is None else points(gap.value)


IMPROVEMENTS: dict[Improve, Improvement] = {
    found.name: found
    for found in (
        Improvement(
            "groups", "Every group counted alike",
            "Training shows the groups of each class and attribute value equally often.",
            "the share that is right with every group counted alike", _groups, lambda of: points(of.balanced),
        ),
        Improvement(
            "worst group", "The group that is served worst",
            "Training shows groups more evenly than they occur, and a group counts more the worse it is answered.",
            "the share that is right in the group that is served worst", _worst,
            lambda of: _points(None if of.decisive is None else of.decisive.value),
        ),
        Improvement(
            "opportunity", "Recognised equally often",
            "Training also counts how far groups of one class lie apart in how surely the class is recognised.",
            "the distance between groups in how often they are recognised", lambda of: _gap(of.opportunity),
            lambda of: _gap_points(of.opportunity), "points",
        ),
        Improvement(
            "parity", "Answered equally often",
            "Training also counts how far groups lie apart in how surely they get an answer, whatever is true.",
            "the distance between groups in how often they get an answer", lambda of: _gap(of.parity),
            lambda of: _gap_points(of.parity), "points",
        ),
        Improvement(
            "twins", "Twins answered alike",
            "Training shows everybody with two attribute values drawn anew, and asks for one answer.",
            "the share of decisions that flip between twins", _twins, lambda of: _points(of.flips),
        ),
    )
}  # fmt: skip


def find_improvement(name: str) -> Improvement:
    """An aim by name. Raises DataError, which lists what there is."""
    for improvement in IMPROVEMENTS.values():
        if improvement.name == name:
            return improvement
    raise DataError(f"Unknown aim '{name[:80]}'. Choose one of: {', '.join(IMPROVEMENTS)}.")


def improvements(dataset: AttributeDataset, attribute: str) -> tuple[Improvement, ...]:
    """The aims that there are by an attribute, the usual one first."""
    order: Sequence[Improve] = ("groups", "worst group", "opportunity", "parity")
    if not why_only_groups(dataset, attribute):
        order = ("twins", *order)
    return tuple(IMPROVEMENTS[name] for name in order)


def in_the_data_s_words(
    improve: Improve, dataset: AttributeDataset, attribute: str, worst: ServedGroup | None = None
) -> str:
    """Whom an aim is about, as the data call them: 'blond hair recognised as often in every male'."""
    target, column = dataset.target, dataset.attribute(attribute)
    called = attribute_name(dataset, attribute)
    if improve == "worst group":
        return "" if worst is None else f"{worst.who}, {points(worst.accuracy.value or 0.0)} % right now"
    groups = [GroupRate(k, a, 0.0, 0) for k in range(len(target.levels)) for a in range(len(column.levels))]
    named = [group.called(dataset, attribute) for group in groups]
    two = len(target.levels) == 2
    answer = f"'{target.levels[1]}'" if two else "each answer"
    people = [dataset.phrases.get(attribute, {}).get(level, "") for level in column.levels]
    plain = all(people) and not any("{}" in phrase for phrase in people)
    levels = people if plain else [f"{called} {level}" for level in column.levels]
    listed = _listed(levels)
    return {
        "groups": _listed(named),
        "twins": f"the same {dataset.unit} with another {called}",
        "parity": f"{listed} get {answer} equally often",
        "opportunity": f"{listed} whose true answer it is get {answer} equally often",
    }[improve]


MOST_NAMED = 4


def _listed(names: Sequence[str]) -> str:
    if len(names) > MOST_NAMED:
        names = [*names[: MOST_NAMED - 1], f"{len(names) - MOST_NAMED + 1} more"]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
