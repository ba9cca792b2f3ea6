"""One training sample: what it is called, what it does to the bias, and whether its label looks wrong."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from app.view_models import blame
from fmd_core import AttributeDataset, InfluenceScores, figures
from fmd_core.influence.label_doubts import LabelDoubts
from fmd_core.measure.verdict.sentences import group_name, level_name
from fmd_core.measure.verdict.values import Member

LOOKS_WRONG = "Looks mislabelled?"
NAMED_BY_CLASS = ("image", "digit")
"""Units whose samples are what their class is called: 'a red 0'. A person or a text is not."""


@dataclass(frozen=True)
class Sample:
    """One training sample with its score."""

    rank: int
    position: int  # in the training set
    row: int  # in the data set
    label: str
    level: str
    who: str  # what people with the level are called: 'women', or the level itself
    aligned: bool  # its level goes with the pattern of its class
    effect: float  # predicted change of B on removal, share
    unit: str = "image"  # what a sample is called
    badge: str = ""  # what the reviewer said of it, in a word
    people: str = ""  # whose loss the effect is a change of; '' where it is a bias
    doubt: str = ""  # why its label looks wrong, a sentence; '' where it does not

    @property
    def name(self) -> str:
        """In words: 'red 3' for a digit, 'women, blond hair' for a face."""
        return f"{self.who} {self.label}" if self.unit in NAMED_BY_CLASS else f"{self.who}, {self.label}"

    @property
    def effect_text(self) -> str:
        """Effect in points, three decimals: single samples move little."""
        return figures.signed(f"{100 * self.effect:+.3f} {blame.unit(self.people)}")

    @property
    def note(self) -> str:
        """What stands under its picture: the effect, and whether the label looks wrong."""
        return self.effect_text + (f"\n{LOOKS_WRONG}" if self.doubt else "")


def sample_at(
    data: AttributeDataset,
    scores: InfluenceScores,
    aligned: np.ndarray,
    p: int,
    rank: int,
    badge: str = "",
    doubts: LabelDoubts | None = None,
) -> Sample:
    """The training sample at position `p`, with what the reviewer said of it as a `badge`; `aligned` (n,) of all."""
    row, column = int(scores.rows[p]), data.attribute(scores.attribute)
    return Sample(
        rank=rank,
        position=p,
        row=row,
        label=data.target.levels[data.target.codes[row]],
        level=column.levels[column.codes[row]],
        who=level_name(data, scores.attribute, int(column.codes[row])),
        aligned=bool(aligned[p]),
        effect=float(scores.removal_effect[p]),
        unit=data.unit,
        badge=badge,
        people=scores.people,
        doubt="" if doubts is None else _doubt(data, doubts, p),
    )


def _doubt(data: AttributeDataset, doubts: LabelDoubts, p: int) -> str:
    """Why the label of the sample at position `p` looks wrong; '' where it does not."""
    if not doubts.doubted[p]:
        return ""
    names, own = data.target.levels, int(doubts.labels[p])
    instead = names[int(doubts.likelier[p])]
    given, usual, other = (
        figures.percent(float(share)) for share in (doubts.own[p], doubts.usual[own], doubts.other[p])
    )
    return (
        f"{LOOKS_WRONG} A fit that never saw it gives its label “{names[own]}” {given}, where others labelled so get "
        f"{usual} on average, and “{instead}” {other}. It may as well be a rare {data.unit} with the right label."
    )


def leader(data: AttributeDataset, attribute: str, first: Sample) -> str:
    """'is a red 3', 'is 10689, of the blond women', 'is 81 (none of them, fine)'."""
    if first.unit in NAMED_BY_CLASS:
        return f"is {figures.with_article(first.name)}"
    if not data.phrases.get(attribute):
        return f"is {first.row} ({first.name})"
    group = group_name(data, [Member(data.target.name, first.label), Member(attribute, first.level)])
    return f"is {first.row}, of the {group}"


@dataclass(frozen=True)
class Detail:
    """One sample in words."""

    title: str
    sentences: tuple[str, ...]


def explain(sample: Sample, called: str, measured: float | None = None) -> Detail:
    """Why this sample counts as it does. The data call the attribute `called`; `measured` is what an exact refit
    without it does to the bias, where one was made."""
    verb, way = ("lower", "harmful") if sample.effect < 0 else ("raise", "helpful")
    what, unit = blame.subject(sample.people), blame.unit(sample.people)
    effect = (
        f"Removing it is predicted to {verb} {what} by {abs(100 * sample.effect):.3f} {unit}: it is {way}."
    )
    if measured is not None:
        change = figures.signed(f"{100 * measured:+.3f}")
        effect += f" Fitted again without it, {what} changes by {change} {unit}."
    link = f"Its {called} goes {'with' if sample.aligned else 'against'} the pattern of its class"
    teaches = "so it repeats the shortcut" if sample.aligned else "so it contradicts the shortcut"
    if sample.aligned == (way == "harmful"):
        why = f"{link}, {teaches}."
    else:
        why = f"{link}, and it is {way} all the same, by the rest of the {sample.unit}."
    sentences = (effect, *(() if sample.people else (why,)), *((sample.doubt,) if sample.doubt else ()))
    return Detail(
        title=f"#{sample.rank} · Training {sample.unit} {sample.row}: {sample.name}", sentences=sentences
    )
