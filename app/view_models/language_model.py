"""A language model's figures as charts and tables. Nothing here says that a model is free of bias."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pandas as pd

from app.view_models import charts
from fmd_core.intervals import Estimate
from fmd_core.language.document import figure, moved_share

if TYPE_CHECKING:
    from app.view_models.language_asked import Scored
    from fmd_core.language.judging import Debiased, Scores
    from fmd_core.language.scores import BiasScore
    from fmd_core.language.unlearning import Form

EVEN = 0.5
DEPTHS: dict[Form, str] = {
    "published": "Last layer, one published step",
    "rows": "Last layer, solved",
    "block": "Last block, trained",
    "low-rank": "Last blocks, low-rank update",
}
"""What a depth is called on screen, the shallowest first."""
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


def closer(told: Debiased) -> charts.BarChart:
    """How much closer each depth brings the two sentences of terms that had no say; kept ones in the accent."""
    was = told.before.even_difference.value or 0.0
    bars = tuple(
        charts.Bar(
            DEPTHS[one.form], _part_of(one.moved, was), charts.NEUTRAL if one.refused else charts.ACCENT
        )
        for one in told.tried
    )
    return charts.BarChart(bars, _summary(told), before_after(told))


def _summary(told: Debiased) -> str:
    kept = [one for one in told.tried if not one.refused]
    if not kept:
        return "No depth is kept: each is refused, for the reasons below."
    best = min(kept, key=lambda one: one.moved.value or 0.0)
    return (
        f"{DEPTHS[best.form]} brings the two sentences closest of {len(kept)} that are kept: "
        f"{moved_share(told.before, best)}, at perplexity "
        f"{told.before.perplexity:.1f} before and {best.after.perplexity:.1f} after. Grey bars are refused."
    )


def refusals(told: Debiased) -> list[str]:
    """A sentence for each reason, with the depths that it refuses."""
    depths: dict[str, list[str]] = {}
    for one in told.tried:
        if one.refused:
            depths.setdefault(one.refused, []).append(DEPTHS[one.form])
    return [f"{'; '.join(names)}. {why}" for why, names in depths.items()]


def before_after(told: Debiased) -> pd.DataFrame:
    """Before, and after each depth, on the target terms that had no say; what it costs stands in every row."""
    rows = [("Before", told.before, "", ""), *(
        (DEPTHS[one.form], one.after, moved_share(told.before, one), "Refused" if one.refused else "Kept")
        for one in told.tried
    )]  # fmt: skip
    found = pd.DataFrame([
        {
            "": name,
            "Sensible (LMS)": figure(scores.all.lms),
            "Stereotype likelier (SS)": figure(scores.all.ss),
            "ICAT": figure(scores.all.icat),
            "How far apart": figure(scores.all.difference, 3),
            "Change, when equally sure": moved,
            "Perplexity": f"{scores.perplexity:.1f}",
            "By the rules": verdict,
        }
        for name, scores, moved, verdict in rows
    ])  # fmt: skip
    return found if told.before.all.lms is not None else found.drop(columns=["Sensible (LMS)", "ICAT"])


def label(one: BiasScore) -> str:
    """A bias type for people."""
    return LABELS.get(one.bias_type, one.bias_type.replace("-", " ").capitalize())


def _part_of(moved: Estimate, was: float) -> Estimate:
    """A change as a share of what it was; without an interval no whisker."""
    value = (moved.value or 0.0) / was if was else 0.0
    low, high = (value if end is None or not was else end / was for end in (moved.low, moved.high))
    return replace(moved, value=value, low=low, high=high)


def _share(found: Estimate) -> Estimate:
    """Percent as a share; a bar without an interval has no whisker."""
    value = (found.value or 0.0) / 100
    low, high = (value if end is None else end / 100 for end in (found.low, found.high))
    return replace(found, value=value, low=low, high=high)
