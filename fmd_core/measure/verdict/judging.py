"""The one function that dashboard, report and `fmd audit` ask: from what was measured to a verdict.

A difference is called beyond its limit where its 95 % interval is, and where that also holds after
adjusting for everything that was looked at: Benjamini and Hochberg inside of each family at a quarter
of 5 %, so that of models without any fault at most one in twenty is called biased. "Within" needs no
adjustment: it is said only where every single difference is within (an intersection-union test,
Berger 1982), so that looking at many makes it harder, not easier, to say.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

import numpy as np

from fmd_core.data import AttributeDataset
from fmd_core.errors import DataError
from fmd_core.measure.scan import adjusted
from fmd_core.measure.verdict import sentences
from fmd_core.measure.verdict.answered import Answered
from fmd_core.measure.verdict.differences import Measured
from fmd_core.measure.verdict.equal_truth import measure_equal_truth
from fmd_core.measure.verdict.favourable import chosen_favourable, suggest_favourable
from fmd_core.measure.verdict.groups import group_table
from fmd_core.measure.verdict.model_warnings import accuracy_of, model_warnings
from fmd_core.measure.verdict.rules import outcome_among
from fmd_core.measure.verdict.selection import measure_selection
from fmd_core.measure.verdict.service import measure_service
from fmd_core.measure.verdict.twins import TwinAnswers, measure_twins
from fmd_core.measure.verdict.values import (
    AuditWarning,
    Family,
    Favourable,
    Finding,
    Gap,
    Judges,
    Limits,
    NotTested,
    Outcome,
    Verdict,
    WarningKind,
)

NO_REFERENCES: Mapping[str, str] = MappingProxyType({})
ANOTHER_SYSTEM = "these are another system's answers, and it cannot be asked about anybody else"


def give_verdict(
    dataset: AttributeDataset,
    answered: Answered,
    twins: Sequence[TwinAnswers] | None = (),
    *,
    favourable: str = "",
    references: Mapping[str, str] = NO_REFERENCES,
    limits: Limits | None = None,
    warnings: Sequence[AuditWarning] = (),
    not_read: Sequence[str] = (),
    judges: Judges = Judges.HELD_OUT,
    model: str = "",
) -> Verdict:
    """Everything that may be said of a classifier's answers to held-out people.

    Parameters
    ----------
    dataset
        Target, protected attributes and phrases of the people.
    answered
        The people and their answers, with weights and persons where there are some.
    twins
        What twins by each attribute are answered; None where there can be none, for another system.
    favourable
        The answer that people would rather get; with two classes suggested when "".
    references
        The level that others are compared with, by attribute; else the one with the highest rate.
    limits
        From where on a difference counts.
    warnings
        What is known of the data, to be said before the verdict; those of the model are found here.
    not_read
        Columns that the model does not read.
    judges
        Who the people are.
    model
        Digest of the model.

    Raises
    ------
    DataError
        For an unknown favourable answer, reference or attribute, or nobody to judge.
    """
    limits = limits or Limits()
    accuracy = accuracy_of(dataset, answered)
    if accuracy is None:
        raise DataError(
            "There is nobody to judge the model by; the test part is empty, or all weights are 0."
        )
    _check_references(dataset, references)
    good = _favourable(dataset, favourable)
    measured = {
        Family.TWINS: _twins(dataset, answered, twins, not_read, limits),
        Family.SELECTION: measure_selection(dataset, answered, good, references, limits),
        Family.EQUAL_TRUTH: measure_equal_truth(dataset, answered, references, limits),
        Family.SERVICE: measure_service(dataset, answered, limits),
    }
    findings = _ranked(dataset, measured, good)
    not_tested = tuple(one for family in measured.values() for one in family.not_tested)
    said = (*model_warnings(dataset, answered), *_unread(dataset, not_read), *warnings)
    said = (*said, *_too_few(findings, not_tested))
    outcome = overall(findings, not_tested, said)
    reason = _reason(findings, not_tested, said) if outcome is Outcome.UNKNOWN else ""
    return Verdict(
        outcome,
        sentences.headline(outcome, findings, reason),
        sentences.second_sentence(findings, not_tested),
        accuracy,
        dataset.target.levels,
        good,
        findings,
        group_table(dataset, answered, good),
        said,
        not_tested,
        tuple(not_read),
        limits,
        data=dataset.fingerprint,
        model=model,
        judges=judges,
        judged_by=sentences.judged_by(judges, accuracy, dataset.unit),
        references=MappingProxyType(dict(references)),
    )


def _favourable(dataset: AttributeDataset, chosen: str) -> Favourable | None:
    """The answer that the reviewer named, else the one that came with the data, else what its name suggests; None
    where it was said with the data that nobody is better off with any."""
    if chosen:
        return chosen_favourable(dataset.target, chosen)
    if dataset.favourable is None:
        return None
    if dataset.favourable:
        return chosen_favourable(dataset.target, dataset.favourable, "named with the data")
    return suggest_favourable(dataset.target)


def _twins(
    dataset: AttributeDataset,
    answered: Answered,
    twins: Sequence[TwinAnswers] | None,
    not_read: Sequence[str],
    limits: Limits,
) -> Measured:
    if twins is not None:
        return measure_twins(dataset, answered, twins, not_read, limits)
    return Measured(
        not_tested=[
            NotTested(Family.TWINS, attribute, Gap.ANOTHER_SYSTEM, ANOTHER_SYSTEM, forbids_within=False)
            for attribute in dataset.attributes
        ]
    )


def overall(
    findings: Sequence[Finding], not_tested: Sequence[NotTested], warnings: Sequence[AuditWarning]
) -> Outcome:
    """The one word: beyond if anything is; within only if everything was tested and is; else unknown."""
    if any(warning.forbids_verdict for warning in warnings) or not findings:
        return Outcome.UNKNOWN
    if any(finding.outcome is Outcome.BEYOND for finding in findings):
        return Outcome.BEYOND
    open_ = any(finding.outcome is Outcome.UNKNOWN for finding in findings)
    forbidden = any(one.forbids_within for one in not_tested) or any(w.forbids_within for w in warnings)
    return Outcome.UNKNOWN if open_ or forbidden else Outcome.WITHIN


def _reason(
    findings: Sequence[Finding], not_tested: Sequence[NotTested], warnings: Sequence[AuditWarning]
) -> str:
    """Why nothing can be said, the gravest reason."""
    for warning in warnings:
        if warning.forbids_verdict:
            return warning.sentence
    if findings and all(f.outcome is Outcome.WITHIN for f in findings):
        for warning in warnings:
            if warning.forbids_within and warning.kind is not WarningKind.TOO_FEW:
                return f"Cannot be said: {warning.sentence}"
    return sentences.why_unknown(findings, not_tested)


def _ranked(
    dataset: AttributeDataset, measured: Mapping[Family, Measured], favourable: Favourable | None
) -> tuple[Finding, ...]:
    """All findings judged and worded, worst first: those beyond their limit, then by how far the near end
    of the interval lies beyond it. Where no answer is known to be the one that people would rather get, how often each
    is given comes after what is plainly to somebody's harm."""
    judged = [finding for family in measured.values() for finding in _judged(family)]
    worded = [
        replace(
            finding,
            groups=sentences.group_names(dataset, finding),
            sentence=sentences.finding_sentence(dataset, finding, favourable),
        )
        for finding in judged
    ]

    def place(finding: Finding) -> tuple[bool, bool, float]:
        neutral = finding.family is Family.SELECTION and (favourable is None or not favourable.is_sure)
        return finding.outcome is not Outcome.BEYOND, neutral, -finding.beyond

    return tuple(sorted(worded, key=place))


def _judged(measured: Measured) -> list[Finding]:
    """The findings of one family with their outcome, adjusted for all that was looked at."""
    if not measured.findings:
        return []
    p_values = np.array([finding.p for finding in measured.findings] + measured.other_p)
    corrected = adjusted(p_values)
    return [
        replace(finding, adjusted_p=float(p), outcome=outcome_among(finding, float(p)))
        for finding, p in zip(measured.findings, corrected, strict=False)
    ]


def _check_references(dataset: AttributeDataset, references: Mapping[str, str]) -> None:
    for attribute, level in references.items():
        levels = dataset.attribute(attribute).levels
        if level not in levels:
            raise DataError(f"'{attribute}' has no level '{level}'. It has: {', '.join(levels)}.")


def _unread(dataset: AttributeDataset, not_read: Sequence[str]) -> list[AuditWarning]:
    """A protected column that the model does not read is said first: nothing is fair by construction."""
    return [
        AuditWarning(
            WarningKind.NOT_READ,
            name,
            f"'{name}' is not read, so its twins cannot differ; look at the groups.",
            forbids_within=True,
        )
        for name in dataset.attributes
        if name in not_read
    ]


def _too_few(findings: Sequence[Finding], not_tested: Sequence[NotTested]) -> list[AuditWarning]:
    """Who is too rare for a verdict."""
    rare = list(dict.fromkeys(one.attribute for one in not_tested if one.gap is Gap.TOO_FEW))
    if findings and not rare:
        return []
    what = f"by {', '.join(rare[:5])}" if rare else "at all"
    return [
        AuditWarning(
            WarningKind.TOO_FEW,
            "",
            f"Some groups {what} have fewer people than a figure needs; they are named among what was not tested."
            if findings
            else "No group is large enough to be tested, so nothing can be said.",
            forbids_within=not findings,
        )
    ]
