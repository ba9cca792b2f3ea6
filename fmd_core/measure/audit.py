"""The audit of a model on held-out people.

Twins who are two real people differ in more than the attribute; then the excess over placebo twins,
who share the attribute, is what the attribute does.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from itertools import islice
from types import MappingProxyType

import numpy as np

from fmd_core.data import Array, AttributeDataset, FeatureSet
from fmd_core.heads.answering import Answering, Told
from fmd_core.heads.protocol import Head
from fmd_core.intervals import (
    MIN_PEOPLE,
    Estimate,
    estimate_from_draws,
    joint_bootstrap_means,
    mean_estimates,
    rate_estimate,
)
from fmd_core.measure.bias_functions import (
    MEASURES,
    GroupGap,
    distances_beside_placebo,
    pair_differences,
    pair_flips,
    predictions,
)
from fmd_core.measure.bias_report import AttributeBias, BiasReport
from fmd_core.measure.gap_draws import gap_drawn, gap_or_why, gap_table
from fmd_core.measure.group_metrics import GroupCells
from fmd_core.measure.served_groups import served_groups, worst_lag
from fmd_core.twins.pairs import CounterfactualPairs

NO_PLACEBOS: Mapping[str, CounterfactualPairs] = MappingProxyType({})


def audit_bias(
    head: Head,
    dataset: AttributeDataset,
    features: FeatureSet,
    pairs: Sequence[CounterfactualPairs],
    placebos: Mapping[str, CounterfactualPairs] = NO_PLACEBOS,
) -> BiasReport:
    """Measure every attribute that has `pairs`, on the people in `features`; `placebos` by attribute.

    Pairs and features should come from people who had no part in training or in the fix.

    Parameters
    ----------
    head
        Reads `features` (n, d) and answers one of K classes.
    dataset
        Where the people come from: it knows their attributes, and which level is usual for a class.
    features
        The people whose answers are judged, n of them.
    pairs
        Twins of each attribute to measure, from `pair_counterfactuals` of the same split.
    placebos
        Placebo twins of matched pairs, by attribute: their bias is what matching alone costs.

    Returns
    -------
    BiasReport
        Shares in [0, 1] with 95 % intervals, the attribute that decides most first; a figure of fewer than 30
        people has no value, and says so.

    Examples
    --------
    >>> found = fmd.audit_bias(model.head, data, people["test"], [twins["test"]])
    >>> found
    BiasReport(worst colour: 64.1 points (...), accuracy 37.3 % (...))
    >>> found.to_frame()[["attribute", "bias", "flips"]].round(2)
      attribute  bias  flips
    0    colour  0.64   0.62
    """
    told = Told(head)
    predicted = predictions(told, features.features)
    begun = (
        _audit_attribute(told, dataset, features, p, placebos.get(p.attribute), predicted) for p in pairs
    )
    found: list[AttributeBias] = []
    at_once = max(AT_ONCE, AT_ONCE_PEOPLE // max(len(features), 1))
    while some := list(islice(begun, at_once)):
        found += _resampled(some)
    return BiasReport(
        accuracy=measured_accuracy(told, features),
        attributes=tuple(sorted(found, key=lambda a: -(a.judged.value or 0))),
    )


def measured_accuracy(head: Answering, people: FeatureSet) -> Estimate:
    """How often the head is right of these people."""
    right = predictions(head, people.features) == people.labels
    return rate_estimate(right.sum(), len(right))


AT_ONCE, AT_ONCE_PEOPLE = 8, 400_000
"""Attributes whose figures are resampled in one product, at least, and as many as there are so many people of all
together: more are a little faster, but take about 300 bytes of memory for a person and attribute."""
Tables = dict[str, Array]
Measuring = Generator[Tables, Tables, AttributeBias]
"""Gives what is to be resampled, (n, m) by name, is sent the means in resamples, (DRAWS, m), and returns what it
measured."""


def _resampled(some: Sequence[Measuring]) -> list[AttributeBias]:
    """The measurements of some attributes, from one product where they are of as many people."""
    asked = [next(measuring) for measuring in some]
    means = iter(joint_bootstrap_means([values for tables in asked for values in tables.values()]))
    found = []
    for measuring, tables in zip(some, asked, strict=True):
        try:
            measuring.send({name: next(means) for name in tables})
        except StopIteration as done:
            found.append(done.value)
    return found


def _audit_attribute(
    head: Told,
    dataset: AttributeDataset,
    features: FeatureSet,
    pairs: CounterfactualPairs,
    placebo: CounterfactualPairs | None,
    predicted: Array,
) -> Measuring:
    codes = dataset.attribute(pairs.attribute).codes[features.rows]
    privileged = codes[:, None] == dataset.usual_level(pairs.attribute)
    aligned = dataset.bias_aligned(pairs.attribute)[features.rows]
    right = predicted == features.labels
    twins = Told(head.head)  # their answers are asked twice and then let go
    figures = {"bias": np.abs(pair_differences(twins, pairs))[:, None]}
    if placebo is not None:
        figures["placebo"] = _beyond_placebo(twins, pairs, placebo)
    flips = rate_estimate(pair_flips(twins, pairs).sum(), len(pairs))
    cells = GroupCells(features.labels, predicted, privileged)
    gaps = [gap_or_why(dataset, features, pairs.attribute, m) for m in MEASURES[1:]]
    tables = {name: values for name, values in figures.items() if len(values) >= MIN_PEOPLE}
    if cells.comparable:
        tables["cells"] = cells.per_person
    tables |= {gap.measure: gap_table(head, gap) for gap in gaps if isinstance(gap, GroupGap)}
    draws = yield tables
    parity, opportunity, predictive = (_gap_estimate(head, gap, draws) for gap in gaps)
    means = {name: mean_estimates(values, draws.get(name)) for name, values in figures.items()}
    served = served_groups(dataset, pairs.attribute, features, right)
    return AttributeBias(
        attribute=pairs.attribute,
        bias=means["bias"][0],
        flips=flips,
        aligned_accuracy=rate_estimate(right[aligned].sum(), int(aligned.sum())),
        conflicting_accuracy=rate_estimate(right[~aligned].sum(), int((~aligned).sum())),
        metrics=cells.metrics(draws.get("cells")),
        groups=served,
        worst_lag=worst_lag(served, right),
        placebo=None if placebo is None else means["placebo"][0],
        excess=None if placebo is None else means["placebo"][1],
        distance=float(np.median(pairs.distance)),
        parity_gap=parity[0],
        opportunity_gap=opportunity[0],
        parity_favours=parity[1],
        opportunity_favours=opportunity[1],
        predictive_gap=predictive[0],
        predictive_favours=predictive[1],
    )


def _gap_estimate(head: Answering, gap: GroupGap | Estimate, draws: Tables) -> tuple[Estimate, bool]:
    """A gap with its interval, in the direction that it has, and whether that favours the usual level."""
    if isinstance(gap, Estimate):
        return gap, True
    favours = gap.signed(head) >= 0
    moved = gap_drawn(draws[gap.measure])
    return estimate_from_draws(gap.value(head), moved if favours else -moved, gap.n_counted), favours


def _beyond_placebo(head: Answering, pairs: CounterfactualPairs, placebo: CounterfactualPairs) -> Array:
    """The placebo's distance and the excess over it, of the people who have both twins, (n, 2)."""
    _, distance, floor = distances_beside_placebo(head, pairs, placebo)
    return np.column_stack([floor, distance - floor])
