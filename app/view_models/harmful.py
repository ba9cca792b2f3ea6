"""Harmful samples: which training samples taught the bias."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

import numpy as np
import pandas as pd

from app.record.journal import Remark
from app.view_models import blame
from app.view_models.charts import ACCENT, FLAG, NEUTRAL, Bar, BarChart
from app.view_models.training_sample import LOOKS_WRONG, Sample, leader, sample_at
from fmd_core import AttributeDataset, Comparison, Estimate, InfluenceScores, figures
from fmd_core.influence.label_doubts import LabelDoubts
from fmd_core.measure.scan import Finding
from fmd_core.measure.verdict.sentences import attribute_name
from fmd_core.report import wording

Kind = Literal["Harmful", "Helpful"]
KINDS: tuple[Kind, ...] = get_args(Kind)
MOST_TILES = 500
Shown = Literal["top", "doubted", "marked", "noted", "excluded"]
SHOWN: dict[Shown, str] = {
    "top": "All that are listed",
    "doubted": LOOKS_WRONG,
    "marked": "Marked",
    "noted": "With a note",
    "excluded": "Excluded",
}
UNCHECKED = "Predicted for the model's last layer; effects of many of them do not simply add up."


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
    doubts: str = ""
    """How many labels look wrong, and what that means; '' where nobody looked."""


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
    doubts: LabelDoubts | None = None,
) -> HarmfulView:
    """Top `k` of one `kind`, of the class named `label`, or of all for None. Refuses K beyond the training set.

    `checked` is a sentence on what was measured, where that was done; `said` is what the reviewer said of
    single samples. `shown` other than "top" asks for some of those, whatever their rank. `held_out` is what test
    people say of the bias that is scored, `doubts` which labels look wrong.
    """
    said, top_k = said or Said(), scores.most_harmful(k)  # refuses a K that is not possible
    first_ones = top_k if kind == "Harmful" else scores.most_helpful(k)
    everybody = first_ones if shown == "top" else _ranking(scores, kind)
    wanted = _rows_of(doubts) if shown == "doubted" else said.of(shown)
    aligned = data.bias_aligned(scores.attribute)[scores.rows]
    samples = [
        sample_at(data, scores, aligned, p, rank, said.badge(int(scores.rows[p])), doubts)
        for rank, p in enumerate(everybody.tolist(), start=1)
        if wanted is None or int(scores.rows[p]) in wanted
    ]
    matching = [s for s in samples if label in (None, s.label)]
    first = sample_at(data, scores, aligned, int(_ranking(scores, kind)[0]), rank=1)
    called = attribute_name(data, scores.attribute)
    of_test_people = "" if scores.people else _on_test_people(held_out, data.unit)
    return HarmfulView(
        headline=blame.headline(
            scores, leader(data, scores.attribute, first), called, data.unit, is_harmful=kind == "Harmful"
        ),
        lead=(
            f"{figures.count(scores.n_harmful)} of {_training(len(scores.rows), data.unit)} are harmful: "
            f"without one of them {blame.subject(scores.people)}{of_test_people} is predicted to be lower. "
            f"{checked or UNCHECKED}"
        ),
        elsewhere=_elsewhere(scores, called, data.unit),
        samples=tuple(matching[:MOST_TILES]),
        caution=_caution(scores, k, kind, data.unit),
        hidden=max(0, len(matching) - MOST_TILES),
        composition=_composition(scores, called, aligned, k, data.unit),
        doubts="" if doubts is None else _doubts(doubts, aligned, first_ones, kind, data.unit),
    )


def _training(n: int, unit: str) -> str:
    """'900 training digits'."""
    return f"{figures.count(n)} training {figures.many(unit)}"


def _elsewhere(scores: InfluenceScores, called: str, unit: str) -> str:
    """What the people by whom samples are scored say themselves."""
    many = figures.many(unit)
    external = (
        f"The {many} set aside to decide the fix, by which those that taught the model are scored, put the"
    )
    if scores.people:
        loss = figures.points(scores.bias)
        return f"{external} loss of {scores.people} at {loss} points (0 is to be sure of every truth)."
    name = wording.bias_name(scores, called)
    return f"The bias is that of test {many}. {external} {name} at {figures.points(scores.bias)} points."


def _rows_of(doubts: LabelDoubts | None) -> frozenset[int]:
    return frozenset() if doubts is None else frozenset(doubts.rows[doubts.doubted].tolist())


def _doubts(doubts: LabelDoubts, aligned: np.ndarray, shown: np.ndarray, kind: Kind, unit: str) -> str:
    """How many labels look wrong: in all, among those ranked first, and against the pattern."""
    n, total = figures.count(doubts.n), _training(len(doubts.rows), unit)
    if not doubts.n:
        return f"None of {total} looks mislabelled."
    here, against = int(doubts.doubted[shown].sum()), int((doubts.doubted & ~aligned).sum())
    look = "looks" if doubts.n == 1 else "look"
    return (
        f"{n} of {total} {look} mislabelled; among these {figures.count(len(shown))} most "
        f"{kind.lower()}: {figures.count(here)}; against the pattern: {figures.count(against)}. A rare but right "
        "one looks the same, so look before you decide."
    )


def _on_test_people(found: Finding | None, unit: str) -> str:
    if found is None or found.estimate.value is None:
        return ""
    beyond = (
        " beyond the placebo" if found.audit.excess is not None and found.measure == "counterfactual" else ""
    )
    return f"{beyond}, {figures.points(found.estimate.value)} points on test {figures.many(unit)},"


def nobody(data: AttributeDataset, label: str | None, k: int, shown: Shown) -> str:
    """Why the gallery is empty, and what to do."""
    of_class = "" if label is None else f" of {data.target.name} {label}"
    if shown == "doubted":
        return f"No training {data.unit}{of_class} looks mislabelled."
    if shown != "top":
        return (
            f"You have {shown} no {data.unit}{of_class} yet: select one in the gallery and say so beside it."
        )
    return (
        f"No {data.target.name} {label} among the first {k}; choose another {data.target.name}, or list more."
    )


def _ranking(scores: InfluenceScores, kind: Kind) -> np.ndarray:
    """Positions of all training samples, (n,), the most harmful or helpful first."""
    n = len(scores.rows)
    return scores.most_harmful(n) if kind == "Harmful" else scores.most_helpful(n)


def _caution(scores: InfluenceScores, k: int, kind: Kind, unit: str) -> str:
    n = scores.n_harmful if kind == "Harmful" else len(scores.rows) - scores.n_harmful
    return (
        f"Only {figures.count(n)} {figures.many(unit)} are {kind.lower()}; the list goes on with the other kind."
        if k > n
        else ""
    )


def _composition(scores: InfluenceScores, called: str, aligned: np.ndarray, k: int, unit: str) -> BarChart:
    everyone, with_pattern = _training(len(aligned), unit), f"{figures.with_capital(called)} with the pattern"
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
        summary=f"{with_pattern}: {', '.join(shares)}.",
        table=pd.DataFrame(
            [(name, figures.points(float(a.mean())), int(a.sum()), len(a)) for name, a, _ in parts],
            columns=[
                figures.many(unit).capitalize(),
                f"{with_pattern}, %",
                "Count",
                "of",
            ],
        ),
    )


def _exact(flags: np.ndarray) -> Estimate:
    """A share that was counted, not sampled: its interval is the share itself."""
    share = float(flags.mean()) if len(flags) else 0.0
    return Estimate(share, share, share, len(flags))


def exclusion_sentence(comparison: Comparison, n: int, unit: str) -> str:
    """What fitting again without `n` excluded samples does to held-out people."""
    left_out = f"this training {unit}" if n == 1 else f"these {_training(n, unit)}"
    said = wording.comparison_headline(comparison)
    return (
        f"Fitted again without {left_out}, on {figures.count(len(comparison.rows))} test {figures.many(unit)}: "
        f"{figures.without_capital(said)}"
    )
