"""Did it really work: the variant beside what simpler fixes do to the same people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from app.view_models.charts import ACCENT, NEUTRAL, Bar, BarChart
from fmd_core import Comparison, Rival, figures
from fmd_core.report import wording
from fmd_core.unlearn.baselines import find_baseline

VERDICTS = {
    "improved": "Improved: the {bias} falls by {size} points, more than chance would{accuracy}.",
    "mixed": "Mixed: the {bias} {moves} by {size} points{accuracy}{doubts}.",
    "no evidence": "No evidence: the change of the {bias}, {size} points, is within what chance does.",
    "worse": "Worse: the {bias} {moves} by {size} points{accuracy}{doubts}.",
    "unchanged": "Nothing has changed.",
}
FLATTER = "Not an improvement: the {bias} falls by {size} points{accuracy}{doubts}."


@dataclass(frozen=True)
class ProofView:
    """The verdict and the figures behind it."""

    verdict: str
    chart: BarChart
    note: str
    baselines: str
    """What each of the simpler fixes does, a paragraph each."""


def verdict(comparison: Comparison) -> str:
    """What changed on held-out people, and whether chance would do as much."""
    difference = comparison.judged.difference
    if difference.value is None:
        return wording.comparison_headline(comparison)
    size = figures.points(abs(difference.value))
    clause = wording.accuracy_clause(comparison.accuracy, "overall accuracy")
    accuracy = f", and {clause} too" if comparison.accuracy.is_beyond_chance else f"; {clause}"
    told = (
        FLATTER
        if comparison.verdict == "no evidence" and comparison.is_flatter
        else VERDICTS[comparison.verdict]
    )
    return told.format(
        bias=wording.bias_name(comparison),
        size=size,
        accuracy=accuracy,
        moves="rises" if difference.value > 0 else "falls",
        doubts="".join(f"; {doubt}" for doubt in wording.doubts(comparison)),
    )


def build(comparison: Comparison, rivals: Sequence[tuple[Rival, Comparison]], unit: str) -> ProofView:
    """`comparison` is that of the variant; `rivals` are measured on the same held-out people."""
    rows = [("This variant", comparison), *((rival.title, found) for rival, found in rivals)]
    return ProofView(
        verdict=verdict(comparison),
        chart=BarChart(
            bars=tuple(
                Bar(name, found.judged.difference, NEUTRAL if place else ACCENT)
                for place, (name, found) in enumerate(rows)
            ),
            summary=_summary(rows),
            table=pd.DataFrame(
                [
                    (
                        name,
                        figures.figure(found.judged.after),
                        "" if found.calibrated is None else figures.figure(found.calibrated.after),
                        figures.figure(found.judged.difference, difference=True),
                        figures.figure(found.accuracy.difference, difference=True),
                        found.judged.after.n,
                    )
                    for name, found in rows
                ],
                columns=[
                    "Fix",
                    "Bias after, points",
                    "Calibrated, points",
                    "Change of bias",
                    "Change of accuracy",
                    "n",
                ],
            ),
        ),
        note=(
            f"Each fix is measured on the same held-out {figures.many(unit)}, which had no part in any of them. The "
            "refits are exact: "
            "the last layer is fitted to convergence again."
        ),
        baselines="\n\n".join(f"**{rival.title}:** {find_baseline(rival.name).note}" for rival, _ in rivals),
    )


def _summary(rows: Sequence[tuple[str, Comparison]]) -> str:
    parts = []
    for name, found in rows:
        moved = found.judged.difference
        problem = moved.problem.removesuffix(".")
        said = problem if moved.value is None else f"{figures.points(moved.value)} points"
        parts.append(f"{figures.without_capital(name)} {said}")
    return f"Change of the bias: {'; '.join(parts)}."
