"""One treatment over all folds or seeds of a case.

Of folds everybody is tested once, so people are pooled. Of seeds the same people are tested by several networks: their
shares are averaged, and n stays that of one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from fmd_core.intervals import MIN_PEOPLE, wilson_interval
from fmd_core.reproduction.cases import Case
from fmd_core.reproduction.cells import PARTS, Cell, Row, read_cell


@dataclass(frozen=True)
class Worst:
    """The group that is answered right least often, of those with at least 30 people."""

    name: str
    value: float
    low: float
    high: float
    n: int


@dataclass(frozen=True)
class Summary:
    """What one treatment comes to. Shares lie in [0, 1]; None where it cannot be said."""

    treatment: str
    runs: tuple[int, ...]
    """Folds or seeds that were measured."""
    accuracy: float
    lowest: float
    """Accuracy of the worst run, and of the best."""
    highest: float
    balanced: float
    worst: Worst | None
    bias: float | None
    calibrated: float | None
    flips: float | None
    seconds: float
    chosen: tuple[str, ...]


def cells_of(case: Case, seeds: int) -> list[Cell]:
    """Every cell that was measured, part by part."""
    found = (read_cell(case.name, run, part) for part in PARTS for run in case.runs(seeds))
    return [cell for cell in found if cell is not None]


def summarise(case: Case, cells: Sequence[Cell]) -> Iterator[Summary]:
    """Every treatment, in the order in which it was measured."""
    rows: dict[str, dict[int, Row]] = {}
    for cell in cells:
        for row in cell.rows:
            rows.setdefault(row.treatment, {})[cell.run] = row
    for treatment, by_run in rows.items():
        yield _summary(treatment, by_run, pooled=case.folds > 1)


def _summary(treatment: str, by_run: dict[int, Row], *, pooled: bool) -> Summary:
    rows = list(by_run.values())
    groups = _pooled(rows) if pooled else _averaged(rows)
    total = sum(n for *_, n in groups)
    accuracies = [row.accuracy for row in rows]
    return Summary(
        treatment=treatment,
        runs=tuple(by_run),
        accuracy=sum(value * n for _, value, n in groups) / total if pooled else float(np.mean(accuracies)),
        lowest=min(accuracies),
        highest=max(accuracies),
        balanced=float(np.mean([value for _, value, _ in groups])),
        worst=_worst(groups),
        bias=_mean([row.bias for row in rows]),
        calibrated=_mean([row.calibrated for row in rows]),
        flips=_mean([row.flips for row in rows]),
        seconds=float(np.mean([row.seconds for row in rows])),
        chosen=tuple(row.chosen for row in rows),
    )


Groups = list[tuple[str, float, int]]


def _pooled(rows: Sequence[Row]) -> Groups:
    right: dict[str, float] = {}
    people: dict[str, int] = {}
    for row in rows:
        for name, value, n in row.groups:
            right[name] = right.get(name, 0.0) + value * n
            people[name] = people.get(name, 0) + n
    return [(name, right[name] / n, n) for name, n in people.items()]


def _averaged(rows: Sequence[Row]) -> Groups:
    values: dict[str, list[float]] = {}
    for row in rows:
        for name, value, _ in row.groups:
            values.setdefault(name, []).append(value)
    return [(name, float(np.mean(values[name])), n) for name, _, n in rows[0].groups]


def _worst(groups: Groups) -> Worst | None:
    large = [group for group in groups if group[2] >= MIN_PEOPLE]
    if not large:
        return None
    name, value, n = min(large, key=lambda group: group[1])
    low, high = wilson_interval(value, n)
    return Worst(name, value, float(low), float(high), n)


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if len(known) == len(values) else None
