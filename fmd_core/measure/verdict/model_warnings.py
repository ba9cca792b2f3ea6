"""A model that does not answer is not fair: one answer for everybody, chance level, swapped classes."""

from __future__ import annotations

import numpy as np

from fmd_core import figures
from fmd_core.data import Array, AttributeDataset
from fmd_core.intervals import NORMAL_95
from fmd_core.measure.verdict.answered import Answered, classes_of
from fmd_core.measure.verdict.values import Accuracy, AuditWarning, WarningKind

HARDLY_EVER = 0.02  # of the times that a class is true: answered less often, it is as good as never
MIN_OF_CLASS = 10  # people of a class, before it is a fault that nobody is given that answer
HARDLY_BETTER = 0.1  # how much more often than by guessing each class must be recognised on average
FAR_MORE_OFTEN = 0.1  # how much more often right another order of the classes must be


def accuracy_of(dataset: AttributeDataset, answered: Answered) -> Accuracy | None:
    """How often the answers are right, and how often the most common class would be."""
    rate = answered.rate(answered.right, np.ones(len(answered), dtype=bool))
    if rate is None:
        return None
    shares = np.bincount(answered.labels, answered.weight, len(dataset.target.levels)) / answered.weight.sum()
    most = int(shares.argmax())
    return Accuracy(rate.value, rate.low, rate.high, rate.n, float(shares[most]), dataset.target.levels[most])


def model_warnings(dataset: AttributeDataset, answered: Answered) -> tuple[AuditWarning, ...]:
    """What forbids every verdict on this model, the gravest first."""
    confusion = _confusion(dataset, answered)
    order = _class_order(dataset, answered, confusion)
    silent = _answers_missing(dataset, answered, confusion)
    found = [warning for warning in (order, silent) if warning]
    if not found and (chance := _chance_level(dataset, answered)):
        found.append(chance)
    return tuple(found)


def _confusion(dataset: AttributeDataset, answered: Answered) -> Array:
    """Weighted counts, rows true class, columns answer, (K, K)."""
    n_classes = len(dataset.target.levels)
    cells = np.bincount(
        answered.labels * n_classes + answered.predicted, answered.weight, minlength=n_classes**2
    )
    return cells.reshape(n_classes, n_classes)


def _forbid(kind: WarningKind, sentence: str) -> AuditWarning:
    return AuditWarning(kind, "", sentence, forbids_within=True, forbids_verdict=True)


def _answers_missing(dataset: AttributeDataset, answered: Answered, confusion: Array) -> AuditWarning | None:
    """One answer for everybody, or a class that is (nearly) never answered."""
    levels, given, true = dataset.target.levels, confusion.sum(axis=0), confusion.sum(axis=1)
    people = np.bincount(answered.labels, minlength=len(levels))
    if (given > 0).sum() == 1:
        only = int(given.argmax())
        share = true[only] / true.sum()
        return _forbid(
            WarningKind.ONE_ANSWER,
            f"The model answers '{levels[only]}' for everybody, which is right for {figures.percent(share)}: "
            "it does not tell people apart, so nothing can be said of its fairness.",
        )
    never = [k for k in range(len(levels)) if people[k] >= MIN_OF_CLASS and given[k] <= HARDLY_EVER * true[k]]
    if not never:
        return None
    named = ", ".join(f"'{levels[k]}' (true for {figures.count(int(people[k]))})" for k in never)
    how = "never" if not given[never].any() else "hardly ever"
    return _forbid(
        WarningKind.ONE_ANSWER,
        f"The model {how} answers {named}: people of that class have no chance, so nothing can be said.",
    )


def _class_order(dataset: AttributeDataset, answered: Answered, confusion: Array) -> AuditWarning | None:
    """Whether naming the model's answers in another order would make it right far more often."""
    from scipy.optimize import linear_sum_assignment

    _, named = linear_sum_assignment(-confusion.T)  # answer j is called named[j]
    total, n = confusion.sum(), len(answered)
    as_is, other = np.trace(confusion) / total, confusion[named, np.arange(len(named))].sum() / total
    error = np.sqrt(max(as_is + other - (other - as_is) ** 2, 0.0) / n)
    majority = confusion.sum(axis=1).max() / total
    one_answer = (confusion.sum(axis=0) > 0).sum() == 1
    surely = other - as_is - NORMAL_95 * error > 0
    if other - as_is < FAR_MORE_OFTEN or not surely or one_answer or other < majority:
        return None
    levels = dataset.target.levels
    swapped = ", ".join(f"'{levels[j]}' is '{levels[k]}'" for j, k in enumerate(named) if j != k)
    return _forbid(
        WarningKind.CLASS_ORDER,
        f"The answers are right for {figures.percent(as_is)}, but in another order of the classes they would be for "
        f"{figures.percent(other)} ({swapped}): name the classes in the model's order.",
    )


def _chance_level(dataset: AttributeDataset, answered: Answered) -> AuditWarning | None:
    """Whether the classes are recognised no better than by guessing, on average over classes; or hardly better,
    while always giving the most common answer would be right as often."""
    rates = [
        rate
        for people in classes_of(dataset, answered)
        if (rate := answered.rate(answered.right, people.mask)) is not None
    ]
    guess = 1 / len(rates)
    mean = float(np.mean([rate.value for rate in rates]))
    reach = np.sqrt(sum((rate.value - rate.low) ** 2 for rate in rates)) / len(rates)
    accuracy = accuracy_of(dataset, answered)
    if accuracy is None:
        return None
    is_chance = mean - reach <= guess
    is_blind = accuracy.low <= accuracy.majority and mean < guess + HARDLY_BETTER
    if not is_chance and not is_blind:
        return None
    how = "no better than chance" if is_chance else "hardly better than one answer for everybody"
    return AuditWarning(
        WarningKind.CHANCE_LEVEL,
        "",
        f"The answers are {how}: right for {figures.percent(accuracy.value)}, where always answering "
        f"'{accuracy.majority_class}' would be right for {figures.percent(accuracy.majority)}, and each class is "
        f"recognised {figures.percent(mean)} of the time on average (guessing: {figures.percent(guess)}).",
        forbids_within=True,
        forbids_verdict=is_chance,
    )
