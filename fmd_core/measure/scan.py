"""Verdicts on all attributes at once, adjusted for looking at many.

Each attribute is tested against the limit on either side, with the standard error that its interval
implies; the p-values of all attributes are adjusted by Benjamini and Hochberg (1995), so that of the
attributes called biased at most 2.5 % are expected to be so by chance. An interval on one side of the
limit is needed as well.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.special import ndtr

from fmd_core.data import Array
from fmd_core.figures import points
from fmd_core.intervals import NORMAL_95, Estimate
from fmd_core.measure.bias_functions import FairnessMeasure
from fmd_core.measure.bias_report import AttributeBias, BiasReport
from fmd_core.showing import Results, Row, figure_columns, figure_in_points, one_line

ScanVerdict = Literal["biased", "within the limit", "too close to call", "cannot be said"]
ERROR_RATE = 0.025  # on one side, as the ends of a 95 % interval


@dataclass(frozen=True)
class Finding:
    """What the scan says of one attribute."""

    audit: AttributeBias
    measure: FairnessMeasure
    threshold: float
    verdict: ScanVerdict
    adjusted_p: float | None
    """Of being no more than the limit, adjusted; None where there is no figure."""

    @property
    def attribute(self) -> str:
        return self.audit.attribute

    @property
    def words(self) -> str:
        """The verdict, or why there is none."""
        return (self.estimate.problem or self.verdict) if self.verdict == "cannot be said" else self.verdict

    @property
    def estimate(self) -> Estimate:
        """The figure that the verdict rests on."""
        return self.audit.by(self.measure)

    def __repr__(self) -> str:
        limit = f"limit {points(self.threshold)} points"
        return one_line(self, f"{self.attribute}: {self.verdict}", figure_in_points(self.estimate), limit)

    def as_row(self) -> Row:
        """A row of what `scan` gives: `attribute`, `measure`, `verdict`, `value` with `value_low` and `value_high`
        (a share and its 95 % interval), `n` people, the limit `threshold` (a share) and `adjusted_p`."""
        named: dict[str, object] = {
            "attribute": self.attribute,
            "measure": self.measure,
            "verdict": self.verdict,
        }
        figure = figure_columns("value", self.estimate, n="n")
        return named | figure | {"threshold": self.threshold, "adjusted_p": self.adjusted_p}


def scan(
    report: BiasReport, threshold: float, measure: FairnessMeasure = "counterfactual"
) -> Results[Finding]:
    """Every attribute against the limit `threshold` (a share), worst first, unmeasurable last.

    p-values are adjusted for looking at all attributes (Benjamini and Hochberg 1995); a finding of too few people
    cannot be said, and is within no limit.

    Examples
    --------
    >>> findings = fmd.scan(fmd.audit_bias(model.head, data, people["test"], [twins["test"]]), 0.05)
    >>> findings[0]
    Finding(colour: biased, 64.1 points (...), limit 5.0 points)
    >>> findings.to_frame()[["attribute", "verdict", "n"]]
      attribute verdict    n
    0    colour  biased  450
    """
    audits = sorted(report.attributes, key=lambda a: -_value(a.by(measure)))
    estimates = [audit.by(measure) for audit in audits]
    known = np.array([e.value is not None for e in estimates], dtype=bool)
    above, below = (np.full(len(audits), np.nan) for _ in range(2))
    if known.any():
        scores = np.array([_score(e, threshold) for e in estimates if e.value is not None])
        above[known], below[known] = adjusted(ndtr(-scores)), adjusted(ndtr(scores))
    return Results(
        Finding(
            audit,
            measure,
            threshold,
            _of_all(audit, measure, _verdict(estimate, threshold, above[i], below[i])),
            float(above[i]) if known[i] else None,
        )
        for i, (audit, estimate) in enumerate(zip(audits, estimates, strict=True))
    )


def adjusted(p_values: Array) -> Array:
    """P-values (m,) adjusted for looking at all of them, by Benjamini and Hochberg."""
    from scipy.stats import false_discovery_control  # slow to import

    corrected: Array = false_discovery_control(p_values)
    return corrected


def _value(estimate: Estimate) -> float:
    return -np.inf if estimate.value is None else estimate.value


def _score(estimate: Estimate, threshold: float) -> float:
    """How many standard errors a figure lies above the limit."""
    away = (estimate.value or 0.0) - threshold
    error = ((estimate.high or 0.0) - (estimate.low or 0.0)) / (2 * NORMAL_95)
    return away / error if error > 0 else float(np.sign(away)) * np.inf if away else 0.0


def _of_all(audit: AttributeBias, measure: FairnessMeasure, verdict: ScanVerdict) -> ScanVerdict:
    """That nobody lags is not said where groups are too small to be looked at: one of them may be the worst."""
    is_open = measure == "worst group" and audit.n_unsaid > 0 and verdict == "within the limit"
    return "cannot be said" if is_open else verdict


def _verdict(estimate: Estimate, threshold: float, above: float, below: float) -> ScanVerdict:
    if estimate.value is None or estimate.low is None or estimate.high is None:
        return "cannot be said"
    if estimate.low > threshold and above <= ERROR_RATE:
        return "biased"
    return "within the limit" if estimate.high <= threshold and below <= ERROR_RATE else "too close to call"
