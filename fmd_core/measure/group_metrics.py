"""Group fairness metrics by aif360, with the guards and intervals that it leaves out.

With two classes the favourable answer is class 1. With more, classes are pooled one against
the rest: each person stands once for every class, the favourable answer is "says this class",
and the privileged group are the people who show the attribute level that is usual for that
class. Pooled figures are even for a model that ignores the attribute as long as classes are
about equally large; rare classes should be looked at one by one.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal

import numpy as np

from fmd_core.data import Array
from fmd_core.figures import count
from fmd_core.intervals import (
    MIN_PEOPLE,
    Bounded,
    Estimate,
    bootstrap_means,
    estimate_from_draws,
    rate_difference,
    rate_ratio,
    wilson_interval,
)
from fmd_core.showing import figure_columns, figure_in_points, one_line, table

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class GroupMetrics:
    """Differences are privileged minus the others, in probability; disparate impact is the
    others' selection rate over the privileged group's (1 is even)."""

    selection_rate_privileged: Estimate
    selection_rate_others: Estimate
    demographic_parity_difference: Estimate
    disparate_impact: Estimate
    equal_opportunity_difference: Estimate
    equalized_odds_difference: Estimate

    def __repr__(self) -> str:
        parity = self.demographic_parity_difference
        return one_line(self, "demographic parity " + figure_in_points(parity), f"n = {count(parity.n)}")

    def to_frame(self) -> pd.DataFrame:
        """A row for each `metric`: `value`, `low` and `high` (shares; disparate impact is a ratio), `n` people."""
        return table(
            {"metric": name} | figure_columns("value", value, n="n") for name, value in vars(self).items()
        )


def group_metrics(labels: Array, predictions: Array, privileged: Array) -> GroupMetrics:
    """Metrics of `predictions` (n,) against `labels` (n,).

    `privileged` (n, K) says for each person and class whether the person shows the attribute
    level that is usual for that class.
    """
    return GroupCells(labels, predictions, privileged).metrics()


class GroupCells:
    """Per person, how many of its rows fall in each cell (group, truth, answer): sums of these
    are all that a group metric is made of, so a bootstrap over people is one matrix product."""

    def __init__(self, labels: Array, predictions: Array, privileged: Array) -> None:
        """As for `group_metrics`."""
        classes = np.arange(privileged.shape[1]) if privileged.shape[1] > 2 else np.array([1])
        truth, says = labels[:, None] == classes, predictions[:, None] == classes
        cell = 4 * privileged[:, classes] + 2 * truth + says
        sums = [(cell == number).sum(axis=1) for number in range(8)]
        self.per_person = np.stack(sums, axis=1).astype("float64")  # (n, 8)

    def metrics(self, draws: Array | None = None) -> GroupMetrics:
        """The metrics; `draws` (DRAWS, 8) are the means of `per_person` in resamples, where they are known."""
        if draws is not None:
            self.draws = draws.T
        exact = _aif360(self.per_person.sum(axis=0)) if self.comparable else {}
        given, hits = self._bounds("all"), self._bounds("positive")
        return GroupMetrics(
            selection_rate_privileged=self.estimate(
                exact.get("rate1"), _rate(1), self.group(1), given and given[1]
            ),
            selection_rate_others=self.estimate(
                exact.get("rate0"), _rate(0), self.group(0), given and given[0]
            ),
            demographic_parity_difference=self.estimate(
                exact.get("parity"),
                lambda m: _rate(1)(m) - _rate(0)(m),
                self.people("all"),
                given and rate_difference(given[1], given[0]),
            ),
            disparate_impact=self.estimate(
                exact.get("impact"),
                lambda m: _rate(0)(m) / _rate(1)(m),
                self.people("all"),
                given and given[1][0] > 0 and rate_ratio(given[0], given[1]),
            ),
            equal_opportunity_difference=self.estimate(
                exact.get("opportunity"),
                lambda m: _hit(1)(m) - _hit(0)(m),
                self.people("positive"),
                hits and rate_difference(hits[1], hits[0]),
            ),
            equalized_odds_difference=self.estimate(
                exact.get("odds"), _odds, min(self.people("positive"), self.people("negative"))
            ),
        )

    def _bounds(self, who: str) -> tuple[Bounded, Bounded] | None:
        """Share told "yes" of all, or of the positives, of the others and of the usual, with Wilson's intervals. None
        where a person counts once for each of several classes: their rows hang together, and a bootstrap over people
        knows that."""
        if len(self.per_person) and self.per_person.sum(axis=1).max() > 1:
            return None
        counts = self.per_person.sum(axis=0).reshape(2, 2, 2)  # group, truth, answer
        counts = counts.sum(axis=1) if who == "all" else counts[:, 1]
        if (counts.sum(axis=1) < 1).any():
            return None
        shares, n = counts[:, 1] / counts.sum(axis=1), counts.sum(axis=1)
        low, high = wilson_interval(shares, n)
        first, second = ((float(shares[g]), float(low[g]), float(high[g])) for g in (0, 1))
        return first, second

    def people(self, who: str) -> int:
        """People behind a metric: the smaller group's count, among all, positives or negatives."""
        parts = {"all": [0, 1, 2, 3], "positive": [2, 3], "negative": [0, 1]}[who]
        columns = [[4 * group + part for part in parts] for group in (0, 1)]
        return min(int((self.per_person[:, c].sum(axis=1) > 0).sum()) for c in columns)

    def group(self, group: int) -> int:
        """People of one group; of the smaller one where the groups cannot be compared."""
        if not self.comparable:
            return self.people("all")
        return int((self.per_person[:, 4 * group : 4 * group + 4].sum(axis=1) > 0).sum())

    @cached_property
    def draws(self) -> Array:
        """Means of the cells in resamples of the people, (8, DRAWS): the same for every metric."""
        return bootstrap_means(self.per_person).T

    @property
    def comparable(self) -> bool:
        return self.people("all") >= MIN_PEOPLE

    def estimate(
        self,
        value: float | None,
        formula: Callable[[Array], Array],
        n: int,
        known: Bounded | Literal[False] | None = None,
    ) -> Estimate:
        """aif360's value with the interval that is `known` (Wilson's, Newcombe's, MOVER-R), which stays open where a
        group is always answered alike; else with the bootstrap interval of the same formula."""
        if value is None or n < MIN_PEOPLE:
            return Estimate.unknown(n)
        if not np.isfinite(value):
            return Estimate.unknown(n, "the privileged group never gets the favourable answer")
        if known and np.isfinite(known).all():
            return Estimate(value, known[1], known[2], n)
        with np.errstate(divide="ignore", invalid="ignore"):
            draws = formula(self.draws)
        return estimate_from_draws(value, draws[np.isfinite(draws)], n)


def _rate(group: int) -> Callable[[Array], Array]:
    """Selection rate of a group, from cells ordered (group, truth, answer)."""
    return lambda m: (m[4 * group + 1] + m[4 * group + 3]) / m[4 * group : 4 * group + 4].sum(axis=0)


def _hit(group: int, truth: int = 1) -> Callable[[Array], Array]:
    """Share told "yes" among a group's positives (truth 1) or negatives (truth 0)."""
    start = 4 * group + 2 * truth
    return lambda m: m[start + 1] / (m[start] + m[start + 1])


def _odds(m: Array) -> Array:
    gaps = [_hit(1, truth)(m) - _hit(0, truth)(m) for truth in (0, 1)]
    return np.maximum(np.abs(gaps[0]), np.abs(gaps[1]))


def import_aif360() -> tuple[type, type]:
    """aif360's data set and metric classes, without its warnings about packages not used here."""
    logging.disable(logging.WARNING)
    try:
        from aif360.datasets import BinaryLabelDataset
        from aif360.metrics import ClassificationMetric
    finally:
        logging.disable(logging.NOTSET)
    return BinaryLabelDataset, ClassificationMetric


def _aif360(counts: Array) -> dict[str, float]:
    """`counts` (8,) of rows by cell. Given as eight rows that weigh so much, aif360 counts the same whole numbers as
    from a table of everybody."""
    import pandas as pd

    binary_label_dataset, classification_metric = import_aif360()
    group, truth, says = np.unravel_index(np.arange(8), (2, 2, 2))

    def table(answers: Array) -> object:
        frame = pd.DataFrame({"group": group, "answer": answers, "rows": counts}).astype("float64")
        return binary_label_dataset(
            df=frame, label_names=["answer"], protected_attribute_names=["group"],
            instance_weights_name="rows",
        )  # fmt: skip

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # 0/0 of an empty cell: our own guard says it
        metric = classification_metric(
            table(truth), table(says), unprivileged_groups=[{"group": 0}], privileged_groups=[{"group": 1}]
        )
        # aif360 subtracts privileged from unprivileged; on screen a gap in favour is positive.
        return {
            "rate1": float(metric.selection_rate(privileged=True)),
            "rate0": float(metric.selection_rate(privileged=False)),
            "parity": -float(metric.statistical_parity_difference()),
            "impact": float(metric.disparate_impact()),
            "opportunity": -float(metric.equal_opportunity_difference()),
            "odds": float(metric.equalized_odds_difference()),
        }
