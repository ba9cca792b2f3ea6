"""An audit as one HTML page: no network, no scripts, prints well. Everything in it is escaped."""

from __future__ import annotations

from pathlib import Path

from fmd_core import figures
from fmd_core.data import AttributeDataset
from fmd_core.measure.verdict.sentences import criteria_sentences, limit_words
from fmd_core.measure.verdict.values import Finding, Outcome, Rate, Verdict
from fmd_core.report.typeface import embedded

SHORT = {Outcome.WITHIN: "within", Outcome.BEYOND: "beyond", Outcome.UNKNOWN: "cannot be said"}
HERE = Path(__file__).parent


def audit_page(verdict: Verdict, dataset: AttributeDataset) -> str:
    """The page of a verdict on `dataset`."""
    from jinja2 import Environment, FileSystemLoader

    environment = Environment(
        loader=FileSystemLoader(HERE), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {
        "points": figures.points,
        "percent": figures.percent,
        "count": figures.count,
        "limit": limit_words,
        "rate": _rate,
        "word": _word,
    }
    return environment.get_template("audit.html").render(
        verdict=verdict,
        inter=embedded(),
        data=dataset,
        criteria=criteria_sentences(dataset, verdict),
        is_beyond=verdict.outcome is Outcome.BEYOND,
    )


def _rate(rate: Rate | None) -> str:
    return "" if rate is None else figures.percent(rate.value)


def _word(finding: Finding) -> str:
    return SHORT[finding.outcome]
