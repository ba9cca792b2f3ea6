"""What a verdict is made of: frozen values, and three words for what may be said."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from fmd_core.datasets.data_warnings import AuditWarning as AuditWarning
from fmd_core.datasets.data_warnings import WarningKind as WarningKind
from fmd_core.errors import DataError
from fmd_core.intervals import MIN_PEOPLE
from fmd_core.showing import Row, one_line, table

if TYPE_CHECKING:
    import pandas as pd


class Outcome(StrEnum):
    """What may be said of a finding, and of a model."""

    BEYOND = "beyond the limit"
    WITHIN = "within the limit on everything that could be tested"
    UNKNOWN = "cannot be said"


class Family(StrEnum):
    """Four ways to be unfair."""

    TWINS = "twins"
    """The answer changes when only the attribute does."""
    SELECTION = "selection"
    """Groups get an answer more or less often."""
    EQUAL_TRUTH = "equal truth"
    """Among people of one true class, groups are recognised more or less often."""
    SERVICE = "service"
    """Answers are right less often for a group than for everybody else."""


class Measure(StrEnum):
    """What the value of a finding is a difference of."""

    BIAS = "bias"
    """Mean change of the probability of the true class between twins, beyond placebo twins where there are some."""
    FLIPS = "flips"
    """Share of twins who get another answer, likewise."""
    SELECTION_RATE = "selection rate"
    HIT_RATE = "hit rate"
    ACCURACY = "accuracy"


class Gap(StrEnum):
    """Why something was not tested."""

    TOO_FEW = "too few people"
    ONE_LEVEL = "one level only"
    NOT_READ = "not read"
    NO_TWINS = "no twins"
    TOLD_TWICE = "told by another column"
    ANOTHER_SYSTEM = "another system's answers"
    NEVER_ANSWERED = "never answered"
    NOT_NAMED = "favourable answer not named"


class Judges(StrEnum):
    """Who judges a model."""

    HELD_OUT = "held-out test people"
    EVERYBODY = "everybody, each by a model that never saw them"
    FEW_OF_CHANGED = "few test people, for a changed model cannot be trained again"
    FEW_OF_UNKNOWN_TRAINING = "few test people, for nobody knows how the model was trained on these data"


_FAMILIES = {
    "counterfactual": Family.TWINS,
    "demographic parity": Family.SELECTION,
    "equal opportunity": Family.EQUAL_TRUTH,
    "predictive equality": Family.EQUAL_TRUTH,
    "worst group": Family.SERVICE,
}


def family_of_aim(measure: str) -> Family:
    """To which kind of difference a bias measure belongs, by its name."""
    if measure not in _FAMILIES:
        raise DataError(f"Unknown bias measure '{measure}'. Choose one of: {', '.join(_FAMILIES)}.")
    return _FAMILIES[measure]


@dataclass(frozen=True)
class Limits:
    """From where on a difference counts, as shares (0.1 is 10 points); all in one place."""

    twins: float = 0.1
    selection: float = 0.1
    equal_truth: float = 0.1
    service: float = 0.1
    ratio: float = 0.8
    """Least ratio of two groups' rates of the favourable answer (the four-fifths rule)."""

    @classmethod
    def of_points(cls, share: float) -> Limits:
        """One limit for every difference, as a share."""
        return cls(twins=share, selection=share, equal_truth=share, service=share)

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not 0 <= value <= 1:
                raise DataError(
                    f"The limit '{name}' must lie between 0 and 1 (0.1 is 10 points), got {value:g}."
                )

    def __repr__(self) -> str:
        points = ", ".join(f"{name} {100 * value:g}" for name, value in vars(self).items() if name != "ratio")
        return f"Limits({points} points, ratio {self.ratio:g})"

    def of_aim(self, measure: str) -> float:
        """The limit of what is to be taken out, by the name of its bias measure."""
        return self.of(family_of_aim(measure))

    def of(self, family: Family) -> float:
        """The limit of a family's differences."""
        return {
            Family.TWINS: self.twins,
            Family.SELECTION: self.selection,
            Family.EQUAL_TRUTH: self.equal_truth,
            Family.SERVICE: self.service,
        }[family]


@dataclass(frozen=True)
class Rate:
    """A share of a group's people with its 95 % interval (Wilson)."""

    value: float
    low: float
    high: float
    n: int
    effective: float
    """How many people of equal weight would be as much evidence; `n` without weights."""

    @property
    def ends(self) -> tuple[float, float, float]:
        """Value, low and high."""
        return self.value, self.low, self.high

    @property
    def is_enough(self) -> bool:
        """Whether there are enough people to say anything."""
        return self.n >= MIN_PEOPLE and self.effective >= MIN_PEOPLE


@dataclass(frozen=True)
class Ratio:
    """The worse group's rate over the better one's, with its 95 % interval (MOVER-R)."""

    value: float
    low: float
    high: float
    limit: float


@dataclass(frozen=True)
class Member:
    """One property that the people of a group share: the column, and its level as the data have it."""

    column: str
    level: str


@dataclass(frozen=True)
class Group:
    """All figures of one group of test people; a rate is None where nobody is there to have it.

    The last four are about the favourable answer; where there is none they are None.
    """

    name: str
    members: tuple[Member, ...]
    n: int
    accuracy: Rate
    selection_rate: Rate | None = None
    true_positive_rate: Rate | None = None
    false_positive_rate: Rate | None = None
    precision: Rate | None = None


@dataclass(frozen=True)
class Finding:
    """One difference that was measured: how much worse the first group fares than the second.

    Of twins there are no groups, and `n` counts pairs; else `n` are the people of the first group.
    """

    family: Family
    measure: Measure
    attributes: tuple[str, ...]  # one, or two that were crossed
    groups: tuple[str, ...]  # names: the worse, the better; () for twins
    value: float  # a difference of shares, in [0, 1] up to chance
    low: float
    high: float
    n: int
    limit: float
    outcome: Outcome = Outcome.UNKNOWN
    sentence: str = ""
    answer: str = ""
    """The class that a rate is about: the favourable answer, or the true class; "" for accuracy and twins."""
    members: tuple[tuple[Member, ...], ...] = ()
    """Who the `groups` are; () stands for everybody else."""
    worse: Rate | None = None
    better: Rate | None = None
    ratio: Ratio | None = None
    p: float = 1.0
    """Of being no more than the limit, one-sided."""
    adjusted_p: float = 1.0
    """The same, adjusted for looking at all findings of the family (Benjamini and Hochberg)."""

    def as_row(self) -> Row:
        """One row of `Verdict.to_frame`."""
        names = (
            "family",
            "measure",
            "attribute",
            "outcome",
            "value",
            "low",
            "high",
            "limit",
            "n",
            "adjusted_p",
        )
        row = {name: getattr(self, name) for name in (*names, "sentence")}
        return {name: str(value) if isinstance(value, StrEnum) else value for name, value in row.items()}

    @property
    def attribute(self) -> str:
        """The attribute, or both by name."""
        return " and ".join(self.attributes)

    @property
    def beyond(self) -> float:
        """How far the near end of the interval lies beyond the limit, in shares; below 0 it does not. A
        ratio counts by what it lacks to its limit, in shares of the better group's people."""
        by_difference = self.low - self.limit
        if self.ratio is None or self.better is None:
            return by_difference
        return max(by_difference, (self.ratio.limit - self.ratio.high) * self.better.value)


@dataclass(frozen=True)
class NotTested:
    """What was not tested and why, in words."""

    family: Family
    attribute: str
    gap: Gap
    why: str
    forbids_within: bool = True
    """False for what nobody could test with what was given: another system's answers have no twins, and of
    several levels one may be rare. It is named, but the rest may be within the limit."""


@dataclass(frozen=True)
class Favourable:
    """The answer that people would rather get, and who says so."""

    level: str
    reason: str
    is_sure: bool = True
    """False where neither the names nor the reviewer say which answer is the good one."""


@dataclass(frozen=True)
class Accuracy:
    """How often the answers are right, beside what always giving the most common class would be."""

    value: float
    low: float
    high: float
    n: int
    majority: float
    majority_class: str


@dataclass(frozen=True, eq=False)
class Verdict:
    """All that may be said of a classifier, worst first."""

    outcome: Outcome
    headline: str
    detail: str
    """A second sentence: what changing only the attribute does, or why nothing can be said."""
    accuracy: Accuracy | None
    classes: tuple[str, ...]  # in the model's order
    favourable: Favourable | None  # None with more than two classes and none chosen
    findings: tuple[Finding, ...]  # worst first
    groups: tuple[Group, ...]
    warnings: tuple[AuditWarning, ...]
    not_tested: tuple[NotTested, ...]
    not_read: tuple[str, ...]
    limits: Limits = field(default_factory=Limits)
    data: str = ""  # digest of the data set
    model: str = ""  # digest of the model, "" for another system's answers
    judges: Judges = Judges.HELD_OUT
    judged_by: str = ""
    """The same in a sentence, "" where held-out test people judge and there are enough of them."""
    references: Mapping[str, str] = field(default_factory=dict)
    """The level that others were compared with, by attribute; the one with the highest rate where none is named."""

    @property
    def attribute(self) -> str:
        """The attribute of the worst finding, with which to go on; "" where there is none."""
        return self.findings[0].attributes[0] if self.findings else ""

    @property
    def worst(self) -> Finding | None:
        """The finding that the headline is about."""
        return self.findings[0] if self.findings else None

    @property
    def is_of_another_system(self) -> bool:
        """Whether the answers came with the data, so that there are no twins."""
        return any(one.gap is Gap.ANOTHER_SYSTEM for one in self.not_tested)

    def of(self, family: Family) -> tuple[Finding, ...]:
        """The findings of a family, worst first."""
        return tuple(finding for finding in self.findings if finding.family is family)

    def __repr__(self) -> str:
        return one_line(self, self.outcome.value, self.headline, f"{len(self.findings)} findings")

    def to_frame(self) -> pd.DataFrame:
        """A row for each finding, worst first: `family`, `measure`, `attribute`, `outcome`, `value`, `low`, `high`
        and `limit` (shares; `value` is a difference), `n` people or pairs, `adjusted_p` and the `sentence`."""
        return table([finding.as_row() for finding in self.findings])
