"""What a report is made from: everything found, done and measured, and what the reviewer made of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Literal, get_args

from fmd_core.data import AttributeDataset
from fmd_core.errors import DataError
from fmd_core.figures import count
from fmd_core.forget.forgetting import Forgetting
from fmd_core.influence.label_doubts import LabelDoubts
from fmd_core.influence.score_check import ScoreCheck
from fmd_core.influence.scores import InfluenceScores
from fmd_core.measure.bias_functions import FairnessMeasure
from fmd_core.measure.bias_report import BiasReport
from fmd_core.measure.comparison import Comparison
from fmd_core.measure.verdict.values import Finding, Verdict
from fmd_core.models.classifier import Classifier
from fmd_core.models.depth import LAST_LAYER
from fmd_core.report.twin import TwinExample
from fmd_core.showing import Row, one_line, table
from fmd_core.unlearn.guarded_path import PathPoint
from fmd_core.unlearn.rivals import Rival
from fmd_core.unlearn.strategies import UnlearningResult

if TYPE_CHECKING:
    import pandas as pd

DecisionVerdict = Literal["accept", "needs work", "reject"]
DECISIONS: tuple[DecisionVerdict, ...] = get_args(DecisionVerdict)
LONGEST_NOTES = 50_000  # characters


@dataclass(frozen=True, eq=False)
class Step:
    """One entry of the visible history."""

    at: datetime
    action: str  # such as "apply", "undo", "back to original", "left a pair out"
    attribute: str
    result: UnlearningResult  # in force after it
    note: str = ""  # what else there is to say of it
    refusal: str = ""  # why the guard refused what was applied all the same

    def __repr__(self) -> str:
        return one_line(self, f"{self.at:%Y-%m-%d %H:%M}", self.action, self.attribute, self.result.setting)


@dataclass(frozen=True)
class Decision:
    """What the reviewer decided about the model in force, and wrote down. All of it may be missing."""

    verdict: DecisionVerdict | None = None
    reviewer: str = ""
    date: date | None = None
    notes: str = ""
    intended_use: str = ""
    """What the model is for, by whom and where it is used, as far as the reviewer knows."""

    def __post_init__(self) -> None:
        if self.verdict not in (None, *DECISIONS):
            raise DataError(
                f"Unknown decision '{self.verdict}'. A decision is one of: {', '.join(DECISIONS)}."
            )
        for text, what in ((self.notes, "notes"), (self.intended_use, "intended use")):
            if len(text) > LONGEST_NOTES:
                raise DataError(
                    f"The {what} have {len(text):,} characters; a report takes {LONGEST_NOTES:,}. Shorten them."
                )

    def __repr__(self) -> str:
        if self.verdict is None:
            return one_line(self, "no decision yet")
        by = f"by {self.reviewer}" if self.reviewer else ""
        return one_line(self, self.verdict, by, "" if self.date is None else f"{self.date}")


@dataclass(frozen=True)
class SampleRemark:
    """What the reviewer said of one training sample, by its row in the data set."""

    row: int
    marked: bool = False
    excluded: bool = False
    """The model should not have learned from it."""
    note: str = ""

    def __repr__(self) -> str:
        flags = "marked" if self.marked else "", "excluded" if self.excluded else ""
        return one_line(self, f"row {self.row}", *flags, self.note)


@dataclass(frozen=True)
class LogLine:
    """One line of the audit log: what was done, and the hash that ties it to all lines before it."""

    at: datetime
    action: str
    detail: str
    hash: str
    content: str = ""
    """Digest of the review after this step; '' where it is not known."""
    previous: str = ""
    """Hash of the line before."""

    def __repr__(self) -> str:
        return one_line(self, f"{self.at:%Y-%m-%d %H:%M}", self.action, f"hash {self.hash[:8]}", self.detail)

    def as_row(self) -> Row:
        """Columns of `AuditTrail.to_frame`."""
        return {"at": self.at, "action": self.action, "detail": self.detail, "hash": self.hash}


@dataclass(frozen=True)
class AuditTrail:
    """The review's append-only log as it was kept, and whether it is whole."""

    lines: tuple[LogLine, ...]
    is_intact: bool
    sentence: str
    """What was found when the hashes were followed."""
    review: str = ""
    """The review's id, which every hash covers; '' where the lines do not say enough to compute one again."""

    def __repr__(self) -> str:
        return one_line(self, f"{count(len(self.lines))} lines", "whole" if self.is_intact else "not whole")

    def to_frame(self) -> pd.DataFrame:
        """A row for each line: `at`, `action`, `detail` and `hash`."""
        return table((line.as_row() for line in self.lines), ("at", "action", "detail", "hash"))


@dataclass(frozen=True, eq=False)
class Remedy:
    """One thing that was tried against the bias beside unlearning, by its title."""

    title: str
    comparison: Comparison | None
    """Original against what came of it; None where it cannot be made."""
    why_not: str = ""


@dataclass(frozen=True, eq=False)
class Evidence:
    """All that a report is made from. With the original in force, what speaks of a variant is None."""

    dataset: AttributeDataset
    classifier: Classifier
    audit: BiasReport
    threshold: float
    scores: InfluenceScores
    top_k: int
    history: tuple[Step, ...] = ()
    point: PathPoint | None = None
    """The setting in force and what the guard says of it."""
    tolerance: float | None = None
    """Accuracy that the guard allows to be lost, as a share."""
    comparison: Comparison | None = None
    audit_after: BiasReport | None = None
    measure: FairnessMeasure = "counterfactual"
    attributes: tuple[str, ...] = ()
    """What is taken out at once; the attribute of the scores if nothing is said."""
    depth: str = LAST_LAYER
    """How much of the model was open to change."""
    most_unlike: float | None = None
    """Match distance beyond which two real people were not counted as twins."""
    left_out: tuple[tuple[str, int], ...] = ()
    """Pairs that the reviewer left out: attribute, and row of the person whose pair it is."""
    rivals: tuple[tuple[Rival, Comparison], ...] = ()
    """What simpler fixes do to the same held-out people."""
    no_rivals: str = ""
    """Why there are none, as a sentence."""
    checks: tuple[ScoreCheck, ...] = ()
    """What came of checking the scores, one for each K."""
    decision: Decision = Decision()
    remarks: tuple[SampleRemark, ...] = ()
    """What the reviewer said of single training samples."""
    doubted: LabelDoubts | None = None
    """Training samples that look mislabelled; None where nobody looked."""
    remedies: tuple[Remedy, ...] = ()
    """What leaving samples out, and a refit on twins, do to held-out people; none where that was not tried."""
    verdict: Verdict | None = None
    """The worst of everything that was measured of the original; None where that was not asked."""
    verdict_after: Verdict | None = None
    """The same of the variant in force."""
    was_for: Finding | None = None
    """What the variant was to bring within its limit: the worst finding that its aim takes out; None where there is
    none."""
    twin: TwinExample | None = None
    """One pair of held-out twins with what is answered both; None where there are none."""
    forgetting: Forgetting | None = None
    """What fresh readers tell before and after, of a variant that forgets; None where they were not asked."""
    forgotten: tuple[str, ...] = ()
    """Attributes, or the pattern, that the variant in force was to forget."""
    changed_layers: tuple[str, ...] | None = None
    """Layers whose weights are not the original's, of a network that was trained on; None where that was not
    looked at."""
    trail: AuditTrail | None = None
    """The stored audit log; None where the review is not kept."""

    def __repr__(self) -> str:
        found = (
            "the original"
            if self.comparison is None
            else f"{self.comparison.attribute}: {self.comparison.verdict}"
        )
        decided = self.decision.verdict or "no decision yet"
        return one_line(self, self.dataset.name, self.classifier.name, found, decided)
