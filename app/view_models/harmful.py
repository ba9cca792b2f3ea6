"""Harmful samples: which training samples taught the bias."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from app.charts import ACCENT, FLAG, NEUTRAL, Bar, BarChart
from fmd_core import AttributeDataset, Estimate, InfluenceScores, wording
from fmd_core.datasets.sniffing import safe_cell

KINDS = ("Harmful", "Helpful")
EVERYTHING = "All"
MOST_TILES = 200
UNCHECKED = "Predicted for the model's last layer; effects of many samples do not simply add up."


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
    unit: str = "image"  # what a sample is called

    @property
    def name(self) -> str:
        """In words: 'red 3' for an image, 'masculine, dark' for a person."""
        return f"{self.level} {self.label}" if self.unit == "image" else f"{self.level}, {self.label}"

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
    caution: str  # what to know about this K, empty if nothing
    hidden: int  # ranked and matching the filter, but beyond what the gallery shows
    composition: BarChart
    csv: bytes


def build(
    data: AttributeDataset,
    scores: InfluenceScores,
    *,
    k: int,
    kind: str,
    label: str = EVERYTHING,
    checked: str = "",
) -> HarmfulView:
    """Top `k` of one `kind`, of the class named `label` or of all. Refuses K beyond the training set.

    `checked` is a sentence on what was measured, where that was done.
    """
    ranked = scores.most_harmful(k) if kind == KINDS[0] else scores.most_helpful(k)
    aligned = data.bias_aligned(scores.attribute)[scores.rows]
    samples = [_sample(data, scores, aligned, int(p), rank) for rank, p in enumerate(ranked, start=1)]
    matching = [s for s in samples if label in (EVERYTHING, s.label)]
    top = int((scores.most_harmful(1) if kind == KINDS[0] else scores.most_helpful(1))[0])
    first = _sample(data, scores, aligned, top, 1)
    return HarmfulView(
        headline=_headline(first, kind, wording.bias_name(scores)),
        lead=(
            f"{scores.n_harmful} of {len(scores.rows)} training samples are harmful: without one of them the bias, "
            f"{wording.points(scores.bias)} points on the external samples, is predicted to be lower. "
            f"{checked or UNCHECKED}"
        ),
        samples=tuple(matching[:MOST_TILES]),
        caution=_caution(scores, k, kind),
        hidden=max(0, len(matching) - MOST_TILES),
        csv=_csv(data, scores, aligned),
        composition=_composition(scores, aligned, k),
    )


def _headline(first: Sample, kind: str, bias: str) -> str:
    role = "teacher of" if kind == KINDS[0] else "witness against"
    what = first.name if first.unit == "image" else f"{first.unit}: {first.name}"
    return f"The strongest {role} the {bias} is a {what}."


def _caution(scores: InfluenceScores, k: int, kind: str) -> str:
    n = scores.n_harmful if kind == KINDS[0] else len(scores.rows) - scores.n_harmful
    return f"Only {n} samples are {kind.lower()}; the list goes on with the other kind." if k > n else ""


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
        unit=data.unit,
    )


def _composition(scores: InfluenceScores, aligned: np.ndarray, k: int) -> BarChart:
    everyone = f"all {len(aligned)} training samples"
    parts = [
        (f"{k} most harmful", aligned[scores.most_harmful(k)], FLAG),
        (f"{k} most helpful", aligned[scores.most_helpful(k)], ACCENT),
        (everyone, aligned, NEUTRAL),
    ]
    shares = [f"{a.sum()} of {name.removeprefix('all ')}" for name, a, _ in parts]
    return BarChart(
        bars=tuple(Bar(name, _exact(a), color) for name, a, color in parts),
        summary=f"With their usual {scores.attribute}: {', '.join(shares)}.",
        table=pd.DataFrame(
            [(name, wording.points(float(a.mean())), int(a.sum()), len(a)) for name, a, _ in parts],
            columns=["Samples", f"Usual {scores.attribute}, %", "Count", "of"],
        ),
    )


def _exact(flags: np.ndarray) -> Estimate:
    """A share that was counted, not sampled: its interval is the share itself."""
    share = float(flags.mean()) if len(flags) else 0.0
    return Estimate(share, share, share, len(flags))


def _csv(data: AttributeDataset, scores: InfluenceScores, aligned: np.ndarray) -> bytes:
    columns = (data.target, *data.attributes.values())
    order = scores.most_harmful(len(scores.rows))
    frame = pd.DataFrame(
        {"rank": np.arange(1, len(order) + 1), "sample": scores.rows[order]}
        | {
            safe_cell(c.name): [safe_cell(c.levels[code]) for code in c.codes[scores.rows[order]]]
            for c in columns
        }
        | {"bias_aligned": aligned[order], "removal_effect_points": 100 * scores.removal_effect[order]}
    )
    return frame.to_csv(index=False).encode()


@dataclass(frozen=True)
class Detail:
    """One sample in words."""

    title: str
    sentences: tuple[str, ...]


def explain(sample: Sample, attribute: str, measured: float) -> Detail:
    """Why this sample counts as it does; `measured` is what an exact refit without it does to the bias."""
    verb, way = ("lower", "harmful") if sample.effect < 0 else ("raise", "helpful")
    link = "shows the usual" if sample.usual else "shows an unusual"
    teaches = "so it repeats the shortcut" if sample.usual else "so it contradicts the shortcut"
    if sample.usual == (way == "harmful"):
        why = f"It {link} {attribute} for its class, {teaches}."
    else:
        why = f"It {link} {attribute} for its class, and is {way} all the same, by the rest of the {sample.unit}."
    return Detail(
        title=f"Training sample {sample.row}: {sample.name}",
        sentences=(
            f"Removing it is predicted to {verb} the bias by {abs(100 * sample.effect):.3f} points: it is {way}. "
            "Fitted again without it, the bias changes by "
            f"{wording.signed(f'{100 * measured:+.3f}')} points.",
            why,
        ),
    )
