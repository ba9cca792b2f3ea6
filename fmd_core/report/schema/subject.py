"""What was reviewed, by whom and how: the data, the original model, what was chosen and decided."""

from __future__ import annotations

import datetime
from typing import ClassVar

from fmd_core.data import PairMethod
from fmd_core.measure.bias_functions import FairnessMeasure
from fmd_core.report.evidence import DecisionVerdict
from fmd_core.report.fields import Count, Least, Lines, Number, Part, Share, Some, Text


class Seeds(Part, frozen=True):
    """What randomness began with."""

    pairs: Count
    bootstrap: Count
    bootstrap_draws: Count
    random_removal: Count


class Heading(Part, frozen=True):
    """A section of the page, and what it is evidence for."""

    title: Text
    model_card: Some[Text]
    evidence_for: Some[Text]


class Decision(Part, frozen=True):
    """What the reviewer decided, and about which head."""

    LINES: ClassVar = ("notes", "intended_use")
    verdict: DecisionVerdict | None
    reviewer: Text
    date: datetime.date | None
    notes: Lines
    intended_use: Lines
    head_sha256: Text


class LeftOut(Part, frozen=True):
    """A pair that the reviewer left out, by the row of the person whose it is."""

    attribute: Text
    row: Count


class Setting(Part, frozen=True):
    """How a variant is made; None where the original is in force or the strategy does not use it."""

    strategy: Text | None
    strength: Number | None
    k: Count | None
    blend: Share | None


class Settings(Setting, frozen=True):
    """Everything that was chosen; what belongs to a variant is None with the original in force."""

    measure: FairnessMeasure
    attributes: Least[Text]
    limit: Share
    most_unlike: Number | None
    left_out: Some[LeftOut]
    depth: Text
    tolerance: Number | None


class Samples(Part, frozen=True):
    """How many lie in each part of the data."""

    train: Count
    external: Count
    validation: Count
    test: Count


class Composition(Samples, frozen=True):
    """How many of each part show one level of one column."""

    column: Text
    level: Text


class Data(Part, frozen=True):
    """The data set: its digest, its parts, and who is in them."""

    name: Text
    sha256: Text
    target: Text
    classes: Some[Text]
    attributes: dict[Text, Some[Text]]
    notes: Some[Text]
    twins: PairMethod
    unit: Text
    kind: Text
    shareable: bool
    samples: Samples
    composition: Some[Composition]


class Model(Part, frozen=True):
    """The original model and its digests."""

    architecture: Text
    parameters: Count
    sha256: Text
    head_sha256: Text
    damping: Number
