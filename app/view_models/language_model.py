"""A language model's figures as charts and tables. Nothing here says that a model is free of bias."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pandas as pd

from app.view_models import charts
from fmd_core.intervals import Estimate
from fmd_core.language.document import figure

if TYPE_CHECKING:
    from app.view_models.language_asked import Scored
    from fmd_core.language.scores import BiasScore
    from fmd_core.language.study import Debiased, Scores, Tried

EVEN = 0.5
LABELS = {
    "all": "Everything",
    "gender": "Gender",
    "profession": "Profession",
    "race": "Race",
    "religion": "Religion",
}


def preferences(scored: Scored) -> charts.BarChart:
    """How often the stereotype is the likelier one, by bias type; 50 of 100 is even."""
    bars = tuple(
        charts.Bar(label(one), _share(one.ss), charts.ACCENT if number == 0 else charts.NEUTRAL)
        for number, one in enumerate(scored.scores.types)
    )
    known = [one for one in scored.scores.types[1:] if one.ss.value is not None]
    most = max(known, key=lambda one: one.ss.value or 0.0, default=None)
    summary = f"The stereotype is likelier {scored.scores.all.ss.value:.0f} of 100 times; 50 would be even."
    if most is not None and len(known) > 1:
        summary += f" Most often for {label(most).lower()}: {most.ss.value:.0f} of 100."
    few = [label(one).lower() for one in scored.scores.types if one.ss.low is None]
    if few:
        summary += f" No interval for {', '.join(few)}: too few terms."
    return charts.BarChart(bars, summary, table(scored.scores))


def table(scores: Scores) -> pd.DataFrame:
    """Every figure by bias type; perplexity and the difference stand beside every ICAT."""
    rows = [
        {
            "Bias type": label(one),
            "Examples": one.n_examples,
            "Target terms": one.n_terms,
            "Sensible (LMS)": figure(one.lms),
            "Stereotype likelier (SS)": figure(one.ss),
            "ICAT": figure(one.icat),
            "How far apart": figure(one.difference, 3),
            "Perplexity": f"{scores.perplexity:.1f}",
        }
        for one in scores.types
    ]
    found = pd.DataFrame(rows)
    has_third = any(one.lms is not None for one in scores.types)
    return found if has_third else found.drop(columns=["Sensible (LMS)", "ICAT"])


def before_after(told: Debiased, one: Tried) -> pd.DataFrame:
    """Before and after, on the target terms that had no say."""
    rows = []
    for name, scores in (("Before", told.before), ("After", one.after)):
        overall = scores.all
        rows.append({
            "": name,
            "Sensible (LMS)": figure(overall.lms),
            "Stereotype likelier (SS)": figure(overall.ss),
            "ICAT": figure(overall.icat),
            "How far apart": figure(overall.difference, 3),
            "Perplexity": f"{scores.perplexity:.1f}",
        })  # fmt: skip
    return pd.DataFrame(rows)


def label(one: BiasScore) -> str:
    """A bias type for people."""
    return LABELS.get(one.bias_type, one.bias_type.replace("-", " ").capitalize())


def _share(found: Estimate) -> Estimate:
    """Percent as a share; a bar without an interval has no whisker."""
    value = (found.value or 0.0) / 100
    low, high = (value if end is None else end / 100 for end in (found.low, found.high))
    return replace(found, value=value, low=low, high=high)
