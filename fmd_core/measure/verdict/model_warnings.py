"""A model that does not answer is not fair: one answer for everybody, chance level, swapped classes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fmd_core import figures
from fmd_core.data import Array, AttributeDataset, Split
from fmd_core.measure.verdict.answered import Answered, classes_of
from fmd_core.measure.verdict.values import Accuracy, AuditWarning, WarningKind
from fmd_core.models.class_order import Outputs, better_order, is_far_better

HARDLY_EVER = 0.02  # of the times that a class is true: answered less often, it is as good as never
MIN_OF_CLASS = 10  # people of a class, before it is a fault that nobody is given that answer
HARDLY_BETTER = 0.1  # how much more often than by guessing each class must be recognised on average


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
    found = better_order(confusion)
    if not is_far_better(found, confusion, len(answered)):
        return None
    levels = dataset.target.levels
    swapped = ", ".join(f"'{levels[j]}' is '{levels[k]}'" for j, k in enumerate(found.named) if j != k)
    return _forbid(
        WarningKind.CLASS_ORDER,
        f"The answers are right for {figures.percent(found.right)}, but in another order of the classes they would be "
        f"for {figures.percent(found.other)} ({swapped}): name the classes in the model's order.",
    )


def open_order(dataset: AttributeDataset, outputs: Outputs | None) -> tuple[AuditWarning, ...]:
    """That nobody has said yet in which order the model's outputs stand, where that has to be said."""
    if outputs is None or not outputs.is_open:
        return ()
    named = ", ".join(
        f"output {j} means '{name}'" for j, name in enumerate(outputs.of_places(dataset.target.levels))
    )
    why = "two orders are usual for such classes"
    if outputs.better is not None:
        why = (
            f"read like this it is right for {figures.percent(outputs.better.right)} of validation, in another order "
            f"for {figures.percent(outputs.better.other)}"
        )
    return (
        _forbid(
            WarningKind.CLASS_ORDER,
            f"Nobody has confirmed yet that {named}, and {why}: say on the Model page which order is meant.",
        ),
    )


def taught_on(parts: Sequence[Split]) -> tuple[AuditWarning, ...]:
    """That other people than those for training taught the model on: what is measured on them would be too good."""
    others = [part for part in parts if part != "train"]
    if not others:
        return ()
    so = (
        "nobody is left to guard a change of it, so none is admitted"
        if "validation" in others
        else "a fix that they decide may do less to others than to them; validation people guard it"
    )
    who = figures.with_capital(figures.listed(others))
    return (
        AuditWarning(WarningKind.TAUGHT, "", f"{who} people taught this model when it learned on: {so}."),
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
