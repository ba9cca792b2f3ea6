"""What people are answered, and the verdict on it: held-out test people, or of a small table everybody, each by a
model that never saw them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Self

import numpy as np

from fmd_core.data import Array, AttributeDataset, Split, ignore_progress
from fmd_core.errors import DataError
from fmd_core.heads.protocol import Head
from fmd_core.measure.verdict.answered import Answered
from fmd_core.measure.verdict.goal import Goal
from fmd_core.measure.verdict.judging import give_verdict
from fmd_core.measure.verdict.model_warnings import model_warnings, open_order, taught_on
from fmd_core.measure.verdict.twins import TwinAnswers
from fmd_core.measure.verdict.values import (
    AuditWarning,
    Finding,
    Judges,
    Limits,
    Outcome,
    Verdict,
    WarningKind,
)
from fmd_core.measure.verdict.warnings import dataset_warnings, too_good, unread_columns
from fmd_core.models.classifier import Classifier
from fmd_core.models.taught import teachers_among
from fmd_core.study.fixing import Fixing
from fmd_core.study.folds import can_train_again, fold_models, is_small
from fmd_core.study.steps import Progress
from fmd_core.study.subject import Change, Named, Subject, named

OF_READING = (WarningKind.TARGET_LEAK, WarningKind.IDENTIFIER)
"""Warnings of what a model reads: nobody knows what another system reads."""
Asked = tuple[Answered, tuple[TwinAnswers, ...]]


class Answering(Fixing):
    """The one place in which dashboard, report and `fmd audit` ask a model."""

    def _named(self, change: Change | None) -> Named[Head]:
        return named(change, lambda: self.head)

    def verdict(
        self,
        change: Change | None = None,
        *,
        favourable: str = "",
        references: Mapping[str, str] | None = None,
        limits: Limits | None = None,
    ) -> Verdict:
        """Everything that may be said of the answers, worst first: twins, selection, equal truth and service, with
        what could not be tested; of the original where no change is named. Weights and persons are those of the
        data.

        Parameters
        ----------
        favourable : the answer that people would rather get; that of the data where it is "".
        references : the level that others are compared with, by attribute; those of the data where it is None.
        limits : from where on a difference counts; 10 points and a ratio of 0.8 where it is None.
        """
        of, limits = self._named(change), limits or Limits()
        compared = dict(self.data.references if references is None else references)
        judges = self.judges(of)
        answered, twins = self.answers(of)

        def make() -> Verdict:
            return give_verdict(
                self.data, answered, twins, favourable=favourable, references=compared, limits=limits,
                warnings=(
                    *open_order(self.data, self.model.outputs), *too_good(self.data, answered),
                    *taught_on(teachers_among(self.original.model, self.data)), *self._known_warnings(),
                ),
                not_read=unread_columns(self.data), judges=judges, model=self._digest(of),
            )  # fmt: skip

        chosen = favourable, self.data.favourable, tuple(sorted(compared.items())), limits
        return self.memory.recall(self._counted("verdict", of.name, *chosen), make)

    def reached(self, goal: Goal, split: Split, head: Head | None = None) -> Finding | None:
        """As for fixes; but a model that does not answer, or of which nobody knows what its answers mean, is within no
        limit, as in the verdict."""
        found = super().reached(goal, split, head)
        if found is None or found.outcome is not Outcome.WITHIN:
            return found
        answered = self._answered(split, self.head if head is None else head)
        said = (
            *model_warnings(self.data, answered), *open_order(self.data, self.model.outputs),
            *too_good(self.data, answered),
        )  # fmt: skip
        is_forbidden = any(warning.forbids_within for warning in said)
        return replace(found, outcome=Outcome.UNKNOWN) if is_forbidden else found

    def _known_warnings(self) -> tuple[AuditWarning, ...]:
        """What is known of the file that the data came from, then what a look at them finds."""
        data = self.data
        seen = self.memory.recall(self._key("data warnings"), lambda: dataset_warnings(data, data.persons))
        return tuple(dict.fromkeys((*data.warnings, *seen)))

    def _digest(self, of: Named[Head]) -> str:
        """Content digest of the model that is judged."""
        return self.model.fingerprint if of.name is None else self.model.with_head(of.make()).fingerprint

    def judges(self, change: Change | None = None) -> Judges:
        """Who judges: of a small table everybody, where other models can be trained as the original was."""
        if not is_small(self.data):
            return Judges.HELD_OUT
        if not can_train_again(self.original.model, self.data):
            return Judges.FEW_OF_UNKNOWN_TRAINING
        return Judges.EVERYBODY if self._named(change).name is None else Judges.FEW_OF_CHANGED

    def answers(self, change: Change | None = None, progress: Progress = ignore_progress) -> Asked:
        """What those who judge are answered, and how far that differs from what their twins are. Of a small table
        other models are trained first, and `progress` may raise to stop."""
        of = self._named(change)
        if self.judges(of) is not Judges.EVERYBODY:
            return self.memory.recall(self._counted("asked", of.name), partial(self._answers, of))
        folds = self._folds(progress)
        return self.memory.recall(self._counted("asked by folds"), lambda: self._joined(folds))

    def are_answered(self) -> bool:
        """Whether no other model has to be trained for the answers of the original."""
        return self.judges() is not Judges.EVERYBODY or self.memory.holds(self.original._key("folds"))

    def answered(self) -> Answered:
        """Those who judge the original, with what it answers them, before their twins are read; of a small table other
        models are trained first, unless they `are_answered`."""
        if self.judges() is not Judges.EVERYBODY:
            return self._answered("test", self.head)
        folds = self._by_fold(self._folds(ignore_progress))
        return Answered.joined([fold._answered("test", fold.head) for fold in folds])

    def _answers(self, of: Named[Head]) -> Asked:
        """Of held-out test people."""
        data, head = self.data, of.make()
        answered = self._answered("test", head)
        silent, told = {*self.untested(), *unread_columns(data)}, self.told_twice()
        twins = [
            TwinAnswers.of(head, self.pairs("test", name), self.placebo("test", name), is_kept=name in told)
            for name in data.attributes
            if name not in silent
        ]
        return answered, tuple(twins)

    def _folds(self, progress: Progress) -> tuple[tuple[Array, Classifier], ...]:
        was = self.original
        return self.memory.recall(was._key("folds"), lambda: fold_models(was.model, was.data, progress))

    def _joined(self, folds: tuple[tuple[Array, Classifier], ...]) -> Asked:
        """Of everybody, each as the fold says in whose test they are."""
        found = [fold._answers(fold._named(None)) for fold in self._by_fold(folds)]
        twins = [
            TwinAnswers.joined(parts)
            for name in self.data.attributes
            if (parts := [one for _, theirs in found for one in theirs if one.attribute == name])
        ]
        return Answered.joined([people for people, _ in found]), tuple(twins)

    def _by_fold(self, folds: tuple[tuple[Array, Classifier], ...]) -> list[Self]:
        """The same questions to each other model, about those whom it never saw."""
        subjects = [Subject.given(replace(self.data, split=split), model) for split, model in folds]
        return [
            type(self).of(s, memory=self.memory, most_unlike=self.most_unlike, left_out=self.left_out)
            for s in subjects
        ]


def verdict_of_answers(
    data: AttributeDataset,
    predicted: Array,
    *,
    favourable: str = "",
    references: Mapping[str, str] | None = None,
    limits: Limits | None = None,
) -> Verdict:
    """The same of another system's answers `predicted`, a class's code for every row of the data (n,): it cannot be
    asked about anybody's twin. Test people judge. Raises DataError where the answers are no classes of the data.
    """
    if len(predicted) != len(data) or predicted.min() < 0 or predicted.max() >= len(data.target.levels):
        raise DataError(
            f"{len(predicted)} answers with codes from {predicted.min()} to {predicted.max()} do not say for each of "
            f"{len(data)} {data.unit}s which of the {len(data.target.levels)} classes it was given."
        )
    rows = data.rows("test")
    answered = Answered(rows, data.target.codes[rows], predicted[rows], data.weights, data.persons)
    compared = data.references if references is None else references
    return give_verdict(
        data,
        answered,
        None,
        favourable=favourable,
        references=compared,
        limits=limits,
        warnings=data.warnings,
    )


def verdict_of_another_system(
    data: AttributeDataset,
    *,
    favourable: str = "",
    references: Mapping[str, str] | None = None,
    limits: Limits | None = None,
) -> Verdict:
    """The same of the answers that came with the data. Everybody judges, for none of them taught that system as far as
    is known here, unless the data themselves say who is for the test. Raises DataError where no answers came."""
    if data.answered is None:
        raise DataError(
            f"'{data.name}' came without another system's answers; name the column that holds them."
        )
    split = _who_judges_another_system(data)
    said = tuple(w for w in data.warnings if w.kind not in OF_READING and not _is_of_parts(w))
    people = replace(data, split=split, warnings=said, not_read=())
    return verdict_of_answers(
        people, data.answered, favourable=favourable, references=references, limits=limits
    )


def answered_by_another_system(data: AttributeDataset) -> Answered:
    """The same people with the answers that came with them. Raises DataError where none came."""
    if data.answered is None:
        raise DataError(f"'{data.name}' came without another system's answers.")
    rows = np.flatnonzero(_who_judges_another_system(data) == "test")
    return Answered(rows, data.target.codes[rows], data.answered[rows], data.weights, data.persons)


def _who_judges_another_system(data: AttributeDataset) -> Array:
    return np.full(len(data), "test") if data.parts_are_drawn else data.split


def _is_of_parts(warning: AuditWarning) -> bool:
    """Whether it says that equal rows stand in several parts, which matters only to what was trained on one."""
    return warning.kind is WarningKind.REPEATED_PEOPLE and not warning.column
