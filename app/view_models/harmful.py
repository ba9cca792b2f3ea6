"""Harmful samples: which training samples taught the bias."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

import numpy as np
import pandas as pd

from app.record.journal import Remark
from app.view_models.charts import ACCENT, FLAG, NEUTRAL, Bar, BarChart
from fmd_core import AttributeDataset, Comparison, Estimate, InfluenceScores, figures
from fmd_core.datasets.own.sniffing import safe_cell
from fmd_core.measure.scan import Finding
from fmd_core.report import wording

Kind = Literal["Harmful", "Helpful"]
KINDS: tuple[Kind, ...] = get_args(Kind)
MOST_TILES = 500
Shown = Literal["top", "marked", "noted", "excluded"]
SHOWN: dict[Shown, str] = {
    "top": "All of the top K",
    "marked": "Marked",
    "noted": "With a note",
    "excluded": "Excluded",
}
UNCHECKED = "Predicted for the model's last layer; effects of many samples do not simply add up."


@dataclass(frozen=True)
class Sample:
    """One training sample with its score."""

    rank: int
    position: int  # in the training set
    row: int  # in the data set
    label: str
    level: str
    aligned: bool  # its level goes with the pattern of its class
    effect: float  # predicted change of B on removal, share
    unit: str = "image"  # what a sample is called
    badge: str = ""  # what the reviewer said of it, in a word

    @property
    def name(self) -> str:
        """In words: 'red 3' for an image, 'masculine, dark' for a person."""
        return f"{self.level} {self.label}" if self.unit == "image" else f"{self.level}, {self.label}"

    @property
    def effect_text(self) -> str:
        """Effect in points, three decimals: single samples move little."""
        return figures.signed(f"{100 * self.effect:+.3f} points")


@dataclass(frozen=True)
class Said:
    """What the reviewer said of single training samples, by row."""

    remarks: Mapping[int, Remark] = field(default_factory=dict)
    excluded: frozenset[int] = frozenset()

    def of(self, shown: Shown) -> frozenset[int] | None:
        """The rows that a filter asks for, None for all."""
        if shown == "marked":
            return frozenset(row for row, remark in self.remarks.items() if remark.marked)
        if shown == "noted":
            return frozenset(row for row, remark in self.remarks.items() if remark.note)
        return self.excluded if shown == "excluded" else None

    def badge(self, row: int) -> str:
        """A word for the picture; what weighs most comes first."""
        remark = self.remarks.get(row, Remark())
        if row in self.excluded:
            return "excluded"
        return "marked" if remark.marked else "note" if remark.note else ""


@dataclass(frozen=True)
class HarmfulView:
    """The ranking at one K, filtered, with its composition and the whole list as CSV."""

    headline: str
    lead: str
    samples: tuple[Sample, ...]
    elsewhere: str
    """The same bias of the people by whom samples are scored: a click away from that of test people."""
    caution: str  # what to know about this K, empty if nothing
    hidden: int  # ranked and matching the filter, but beyond what the gallery shows
    composition: BarChart


def build(
    data: AttributeDataset,
    scores: InfluenceScores,
    *,
    k: int,
    kind: Kind,
    label: str | None = None,
    checked: str = "",
    said: Said | None = None,
    shown: Shown = "top",
    held_out: Finding | None = None,
) -> HarmfulView:
    """Top `k` of one `kind`, of the class named `label`, or of all for None. Refuses K beyond the training set.

    `checked` is a sentence on what was measured, where that was done; `said` is what the reviewer said of
    single samples. `shown` other than "top" asks for some of those, whatever their rank. `held_out` is what test
    people say of the bias that is scored.
    """
    said, top_k = said or Said(), scores.most_harmful(k)  # refuses a K that is not possible
    first_ones = top_k if kind == "Harmful" else scores.most_helpful(k)
    everybody = first_ones if shown == "top" else _ranking(scores, kind)
    wanted = said.of(shown)
    aligned = data.bias_aligned(scores.attribute)[scores.rows]
    samples = [
        _sample(data, scores, aligned, int(p), rank, said)
        for rank, p in enumerate(everybody, start=1)
        if wanted is None or int(scores.rows[p]) in wanted
    ]
    matching = [s for s in samples if label in (None, s.label)]
    first = _sample(data, scores, aligned, int(_ranking(scores, kind)[0]), 1, said)
    return HarmfulView(
        headline=_headline(first, kind, wording.bias_name(scores)),
        lead=(
            f"{figures.count(scores.n_harmful)} of {figures.count(len(scores.rows))} training samples are harmful: "
            f"without one of them the bias{_on_test_people(held_out)} is predicted to be lower. {checked or UNCHECKED}"
        ),
        elsewhere=(
            f"The bias is that of test samples. External samples, by which training samples are scored, put the "
            f"{wording.bias_name(scores)} at {figures.points(scores.bias)} points."
        ),
        samples=tuple(matching[:MOST_TILES]),
        caution=_caution(scores, k, kind),
        hidden=max(0, len(matching) - MOST_TILES),
        composition=_composition(scores, aligned, k),
    )


def _on_test_people(found: Finding | None) -> str:
    if found is None or found.estimate.value is None:
        return ""
    beyond = (
        " beyond the placebo" if found.audit.excess is not None and found.measure == "counterfactual" else ""
    )
    return f"{beyond}, {figures.points(found.estimate.value)} points on test samples,"


def nobody(data: AttributeDataset, label: str | None, k: int, shown: Shown) -> str:
    """Why the gallery is empty, and what to do."""
    of_class = "" if label is None else f" of {data.target.name} {label}"
    if shown != "top":
        return f"You have {shown} no sample{of_class} yet: select one in the gallery and say so beside it."
    return (
        f"No {data.target.name} {label} among the top {k}; choose another {data.target.name} or a larger K."
    )


def _ranking(scores: InfluenceScores, kind: Kind) -> np.ndarray:
    """Positions of all training samples, (n,), the most harmful or helpful first."""
    n = len(scores.rows)
    return scores.most_harmful(n) if kind == "Harmful" else scores.most_helpful(n)


def _headline(first: Sample, kind: Kind, bias: str) -> str:
    does = "teaches" if kind == "Harmful" else "works against"
    what = f"is a {first.name}" if first.unit == "image" else f"is {first.row} ({first.name})"
    return f"The training sample that most {does} the {bias} {what}."


def _caution(scores: InfluenceScores, k: int, kind: Kind) -> str:
    n = scores.n_harmful if kind == "Harmful" else len(scores.rows) - scores.n_harmful
    return (
        f"Only {figures.count(n)} samples are {kind.lower()}; the list goes on with the other kind."
        if k > n
        else ""
    )


def _sample(
    data: AttributeDataset, scores: InfluenceScores, aligned: np.ndarray, p: int, rank: int, said: Said
) -> Sample:
    row, column = int(scores.rows[p]), data.attribute(scores.attribute)
    return Sample(
        rank=rank,
        position=p,
        row=row,
        label=data.target.levels[data.target.codes[row]],
        level=column.levels[column.codes[row]],
        aligned=bool(aligned[p]),
        effect=float(scores.removal_effect[p]),
        unit=data.unit,
        badge=said.badge(row),
    )


def _composition(scores: InfluenceScores, aligned: np.ndarray, k: int) -> BarChart:
    everyone = f"{figures.count(len(aligned))} training samples"
    parts = [
        (f"{figures.count(k)} most harmful", aligned[scores.most_harmful(k)], FLAG),
        (f"{figures.count(k)} most helpful", aligned[scores.most_helpful(k)], ACCENT),
        (f"all {everyone}", aligned, NEUTRAL),
    ]
    whole = [parts[0][0], parts[1][0], everyone]
    shares = [
        f"{figures.count(int(a.sum()))} of {name}" for name, (_, a, _) in zip(whole, parts, strict=True)
    ]
    return BarChart(
        bars=tuple(Bar(name, _exact(a), color) for name, a, color in parts),
        summary=f"{scores.attribute.capitalize()} with the pattern: {', '.join(shares)}.",
        table=pd.DataFrame(
            [(name, figures.points(float(a.mean())), int(a.sum()), len(a)) for name, a, _ in parts],
            columns=["Samples", f"{scores.attribute.capitalize()} with the pattern, %", "Count", "of"],
        ),
    )


def _exact(flags: np.ndarray) -> Estimate:
    """A share that was counted, not sampled: its interval is the share itself."""
    share = float(flags.mean()) if len(flags) else 0.0
    return Estimate(share, share, share, len(flags))


def csv(data: AttributeDataset, scores: InfluenceScores) -> bytes:
    """Every training sample, the most harmful first, as a file."""
    aligned = data.bias_aligned(scores.attribute)[scores.rows]
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


def explain(sample: Sample, attribute: str, measured: float | None = None) -> Detail:
    """Why this sample counts as it does; `measured` is what an exact refit without it does to the bias, where one
    was made."""
    verb, way = ("lower", "harmful") if sample.effect < 0 else ("raise", "helpful")
    effect = (
        f"Removing it is predicted to {verb} the bias by {abs(100 * sample.effect):.3f} points: it is {way}."
    )
    if measured is not None:
        change = figures.signed(f"{100 * measured:+.3f}")
        effect += f" Fitted again without it, the bias changes by {change} points."
    link = f"Its {attribute} goes {'with' if sample.aligned else 'against'} the pattern of its class"
    teaches = "so it repeats the shortcut" if sample.aligned else "so it contradicts the shortcut"
    if sample.aligned == (way == "harmful"):
        why = f"{link}, {teaches}."
    else:
        why = f"{link}, and it is {way} all the same, by the rest of the {sample.unit}."
    return Detail(
        title=f"#{sample.rank} · Training sample {sample.row}: {sample.name}", sentences=(effect, why)
    )


def exclusion_sentence(comparison: Comparison, n: int) -> str:
    """What fitting again without `n` excluded samples does to held-out people."""
    left_out = "this training sample" if n == 1 else f"these {figures.count(n)} training samples"
    said = wording.comparison_headline(comparison)
    return (
        f"Fitted again without {left_out}, on {figures.count(len(comparison.rows))} test samples: "
        f"{said[:1].lower()}{said[1:]}"
    )
