"""What held-out people say of the variant in force, as the report declares it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from fmd_core.data import AttributeDataset
from fmd_core.forget.forgetting import Forgetting
from fmd_core.forget.forgetting_words import forgetting_sentences
from fmd_core.forget.probes import ProbeResult
from fmd_core.measure.bias_report import BiasReport
from fmd_core.measure.changed_answers import OUTCOMES, changed_examples, outcome
from fmd_core.measure.comparison import Comparison
from fmd_core.measure.scan import Finding
from fmd_core.report import wording
from fmd_core.report.evidence import Evidence
from fmd_core.report.fields import Change, Figure
from fmd_core.report.schema import held_out
from fmd_core.report.sections import as_declared, attribute, findings_of
from fmd_core.unlearn.rivals import Rival

PICTURES = 12
DOUBTED = 20  # labels that look wrong that the page shows
REMARKS = 100  # samples with something said of them that the page shows


def measured(evidence: Evidence, comparison: Comparison) -> held_out.Measured:
    """Before and after, who pays, what simpler fixes did, and whose answer changed."""
    after, changed = evidence.audit_after, _changed(evidence.dataset, comparison)
    labels = evidence.dataset.target.codes[comparison.rows]
    was, now = _ends(evidence, comparison)
    still = wording.still_beyond(comparison, evidence.threshold)
    return held_out.Measured(
        attribute=comparison.attribute,
        headline=wording.comparison_headline(comparison),
        sentence_before=was,
        sentence_after=f"{now} {still}".rstrip(),
        verdict=comparison.verdict,
        who_pays=f"{wording.people_sentence(comparison, evidence.dataset.unit)} "
        f"{wording.losers_sentence(comparison)}",
        bias=as_declared(Change, comparison.bias),
        gap=None if comparison.gap is None else as_declared(Change, comparison.gap),
        judged=as_declared(Change, comparison.judged),
        excess=None if comparison.excess is None else as_declared(Change, comparison.excess),
        calibrated=None if comparison.calibrated is None else as_declared(Change, comparison.calibrated),
        flips=as_declared(Change, comparison.flips),
        accuracy=as_declared(Change, comparison.accuracy),
        aligned_accuracy=as_declared(Change, comparison.aligned_accuracy),
        conflicting_accuracy=as_declared(Change, comparison.conflicting_accuracy),
        attributes_after=None if after is None else [attribute(f) for f in findings_of(evidence, after)],
        rivals=[_rival(rival, found) for rival, found in evidence.rivals],
        no_rivals=evidence.no_rivals,
        groups=[as_declared(Change, change) for change in comparison.groups],
        intersections=[as_declared(Change, change) for change in comparison.intersections],
        confusion_before=comparison.confusion_before.tolist(),
        confusion_after=comparison.confusion_after.tolist(),
        changed=changed,
        shown=comparison.rows[changed_examples(comparison, labels, PICTURES)].tolist(),
        outcomes={name: sum(entry.outcome == name for entry in changed) for name in OUTCOMES},
    )


def forgetting(found: Forgetting) -> held_out.Forgetting:
    """What fresh readers tell before and after, and what it cost the task."""
    headline, *others = forgetting_sentences(found)
    return held_out.Forgetting(
        headline=headline,
        sentence=" ".join(others),
        readings=[
            held_out.Reading(r.attribute, r.kind, _probe(r.before), _probe(r.after)) for r in found.readings
        ],
        accuracy=as_declared(Change, found.accuracy),
        seconds=found.seconds,
        classes=[as_declared(Change, replace(change, group=change.who)) for change in found.classes],
        majority=None if found.majority is None else _share(found.majority),
        majority_class=found.majority_class,
        reliance=None if found.reliance is None else as_declared(Change, found.reliance),
    )


def _probe(result: ProbeResult) -> held_out.Probe:
    return held_out.Probe(
        accuracy=as_declared(Figure, result.estimate),
        chance=_share(result.chance),
        majority=_share(result.majority),
        auc=_share(result.auc),
        taught=result.taught,
        by_seed=[_share(found) for found in result.by_seed],
    )


def _share(sum_of_weights: float) -> float:
    """A share that rounding took beyond 1, or below 0, at its end."""
    return min(max(sum_of_weights, 0.0), 1.0)


def _ends(evidence: Evidence, comparison: Comparison) -> tuple[str, str]:
    """Before and after in a sentence each. For the worst group, of the one that those who choose have named:
    whom test people find the worst may be another one, and another one afterwards."""
    if comparison.measure == "worst group":
        lag = comparison.judged
        return wording.lag_sentence(lag.before, lag.who), wording.lag_sentence(lag.after, lag.who)
    was, now = (
        wording.attribute_sentence(found, comparison.called)
        for found in _before_and_after(evidence, comparison)
    )
    return was, now


def _before_and_after(evidence: Evidence, comparison: Comparison) -> tuple[Finding, Finding]:
    def by_name(audit: BiasReport) -> Finding:
        return next(f for f in findings_of(evidence, audit) if f.attribute == comparison.attribute)

    was = by_name(evidence.audit)
    if evidence.audit_after is not None:
        return was, by_name(evidence.audit_after)
    ends = comparison.bias.after, comparison.flips.after
    short = replace(was.audit, bias=ends[0], flips=ends[1], placebo=None, excess=None)
    return was, replace(was, audit=short)


def _rival(rival: Rival, comparison: Comparison) -> held_out.Rival:
    return held_out.Rival(
        name=rival.name,
        title=rival.title,
        k=rival.k,
        after=as_declared(Figure, comparison.judged.after),
        difference=as_declared(Figure, comparison.judged.difference),
        accuracy_difference=as_declared(Figure, comparison.accuracy.difference),
        calibrated=None
        if comparison.calibrated is None
        else as_declared(Figure, comparison.calibrated.after),
    )


def _changed(dataset: AttributeDataset, comparison: Comparison) -> list[held_out.ChangedAnswer]:
    """Every held-out sample whose answer changed; classes by index."""
    columns = (
        comparison.rows,
        dataset.target.codes[comparison.rows],
        comparison.predicted_before,
        comparison.predicted_after,
    )
    return [
        held_out.ChangedAnswer(row, truth, before, after, outcome(truth, before, after))
        for row, truth, before, after in np.stack(columns, axis=1)[comparison.changed].tolist()
    ]
