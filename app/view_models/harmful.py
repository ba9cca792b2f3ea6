"""Harmful samples: which training samples taught the bias."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from app.charts import ACCENT, FLAG, NEUTRAL, Bar, BarChart
from fmd_core import AttributeDataset, InfluenceScores, wording
from fmd_core.intervals import rate_estimate

KINDS = ("Harmful", "Helpful")
EVERYTHING = "All"
MOST_TILES = 200


@dataclass(frozen=True)
class Sample:
    """One training sample with its score."""

    rank: int
    position: int  # in the training set
    row: int  # in the data set
    label: str
    level: str
    usual: bool
    effect: float  # predicted change of B on removal, share

    @property
    def effect_text(self) -> str:
        """Effect in points, three decimals: single samples move little."""
        return wording.signed(f"{100 * self.effect:+.3f} points")


@dataclass(frozen=True)
class HarmfulView:
    """The ranking at one K, filtered, with its composition and the whole list as CSV."""

    headline: str
    lead: str
    samples: tuple[Sample, ...]
    hidden: int  # ranked and matching the filter, but beyond what the gallery shows
    classes: tuple[str, ...]
    composition: BarChart
    csv: bytes


def build(
    data: AttributeDataset, scores: InfluenceScores, *, k: int, kind: str, label: str = EVERYTHING
) -> HarmfulView:
    """Top `k` of one `kind`, of the class named `label` or of all. Refuses K beyond the training set."""
    ranked = scores.most_harmful(k) if kind == KINDS[0] else scores.most_helpful(k)
    aligned = data.bias_aligned(scores.attribute)[scores.rows]
    samples = [_sample(data, scores, aligned, int(p), rank) for rank, p in enumerate(ranked, start=1)]
    matching = [s for s in samples if label in (EVERYTHING, s.label)]
    total = float(scores.removal_effect[scores.most_harmful(k)].sum())
    worst = _sample(data, scores, aligned, int(scores.most_harmful(1)[0]), 1)
    return HarmfulView(
        headline=f"The strongest teacher of the {scores.attribute} bias is a {worst.level} {worst.label}.",
        lead=(
            f"Removing it is predicted to lower the bias by {100 * -worst.effect:.2f} points, the {k} most harmful "
            f"add up to {100 * -total:.1f} of {wording.points(scores.bias)} points. Predicted for the last layer, on "
            f"the external twins, which decide the fix. All {len(scores.rows)} training samples were scored."
        ),
        samples=tuple(matching[:MOST_TILES]),
        hidden=max(0, len(matching) - MOST_TILES),
        classes=(EVERYTHING, *data.target.levels),
        csv=_csv(data, scores, aligned),
        composition=_composition(scores, aligned, k),
    )


def _sample(
    data: AttributeDataset, scores: InfluenceScores, aligned: np.ndarray, p: int, rank: int
) -> Sample:
    row, column = int(scores.rows[p]), data.attribute(scores.attribute)
    return Sample(
        rank=rank,
        position=p,
        row=row,
        label=data.target.levels[data.target.codes[row]],
        level=column.levels[column.codes[row]],
        usual=bool(aligned[p]),
        effect=float(scores.removal_effect[p]),
    )


def _composition(scores: InfluenceScores, aligned: np.ndarray, k: int) -> BarChart:
    everyone = f"all {len(aligned)} training samples"
    parts = [
        (f"{k} most harmful", aligned[scores.most_harmful(k)], FLAG),
        (f"{k} most helpful", aligned[scores.most_helpful(k)], ACCENT),
        (everyone, aligned, NEUTRAL),
    ]
    rows = [
        (name, rate_estimate(int(a.sum()), len(a)), int(a.sum()), len(a), color) for name, a, color in parts
    ]
    shares = [f"{a.sum()} of {name.removeprefix('all ')}" for name, a, _ in parts]
    return BarChart(
        bars=tuple(Bar(name, estimate, color) for name, estimate, _, _, color in rows),
        summary=f"With their usual {scores.attribute}: {', '.join(shares)}.",
        table=pd.DataFrame(
            [(name, wording.figure(e), count, n) for name, e, count, n, _ in rows],
            columns=["Samples", f"Usual {scores.attribute}, %", "Count", "n"],
        ),
    )


def _csv(data: AttributeDataset, scores: InfluenceScores, aligned: np.ndarray) -> bytes:
    columns = (data.target, *data.attributes.values())
    order = scores.most_harmful(len(scores.rows))
    frame = pd.DataFrame(
        {"rank": np.arange(1, len(order) + 1), "sample": scores.rows[order]}
        | {c.name: [c.levels[code] for code in c.codes[scores.rows[order]]] for c in columns}
        | {"bias_aligned": aligned[order], "removal_effect_points": 100 * scores.removal_effect[order]}
    )
    return frame.to_csv(index=False).encode()


@dataclass(frozen=True)
class Detail:
    """One sample in words."""

    title: str
    sentences: tuple[str, ...]


def explain(sample: Sample, attribute: str) -> Detail:
    """Why this sample counts as it does."""
    verb, way = ("lower", "harmful") if sample.effect < 0 else ("raise", "helpful")
    link = (
        f"It wears the {attribute} that most of its class wear, so it repeats the shortcut."
        if sample.usual
        else f"It wears an unusual {attribute} for its class, so it contradicts the shortcut."
    )
    return Detail(
        title=f"Training sample {sample.row}: {sample.level} {sample.label}",
        sentences=(
            f"Removing it is predicted to {verb} the bias by {abs(100 * sample.effect):.3f} points: it is {way}.",
            link,
        ),
    )
