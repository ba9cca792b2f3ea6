"""A journal as plain JSON values and back, declared once. What is read comes from outside: it is checked, never
trusted. Format 1 does not change: the audit log's hashes cover the text that is made of it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from datetime import date as Day
from datetime import datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast

import msgspec

from app.record.history import Decided, Entry, History, Kept, Step, tidy_name
from app.record.journal import Journal, Remark
from app.record.review import BUNDLED, Aim, Review
from app.record.variants import Erasure, Exclusion, Recipe, Retrained, Variant
from fmd_core.method import find_method, find_strategy

if TYPE_CHECKING:
    from fmd_core.report.evidence import Decision

FORMAT: Literal[1] = 1
Number = int | float  # a whole number is written as it was read
Veto = tuple[str, int]


# --- what is kept


class ReviewPart(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A review; what came to it later has a default."""

    data: str = "colored_digits"
    model: str = BUNDLED
    most_unlike: Number | None = None
    depth: str = "last layer"
    vetoes: tuple[Veto, ...]
    beside: str = ""


class AimPart(msgspec.Struct, frozen=True):
    """The bias that is meant."""

    attributes: tuple[str, ...]
    measure: str


class VariantPart(msgspec.Struct, frozen=True, tag_field="kind", forbid_unknown_fields=True):
    """How a variant is made: the fields of its class in `app.record.variants`."""

    review: ReviewPart
    aim: AimPart


class RecipePart(VariantPart, frozen=True, tag="recipe"):
    """A point of a guarded path."""

    strategy: str
    k: int
    strength: Number
    blend: Number
    tolerance: Number


class ExclusionPart(VariantPart, frozen=True, tag="exclusion"):
    """A refit without excluded samples."""

    rows: tuple[int, ...]
    tolerance: Number


class ErasurePart(VariantPart, frozen=True, tag="erasure"):
    """Attributes erased in closed form."""

    attributes: tuple[str, ...]
    form: str
    tolerance: Number


class RetrainedPart(VariantPart, frozen=True, tag="retrained", omit_defaults=True):
    """A network that was trained on; what came to it later is not written where it says nothing."""

    way: str
    what: str
    tolerance: Number
    forgotten: tuple[str, ...] = ()
    share: Annotated[float, msgspec.Meta(gt=0, le=1)] = 1.0


AnyVariant = RecipePart | ExclusionPart | ErasurePart | RetrainedPart
PARTS: dict[type[Variant], type[AnyVariant]] = {
    Recipe: RecipePart,
    Exclusion: ExclusionPart,
    Erasure: ErasurePart,
    Retrained: RetrainedPart,
}
NAMED: dict[str, Callable[[str], object]] = {"strategy": find_strategy, "way": find_method}
"""Fields of a variant that name a method, and where it is looked up."""
CLASSES = {part: kind for kind, part in PARTS.items()}


class DecidedPart(msgspec.Struct, frozen=True):
    """What holds after a step."""

    variant: AnyVariant | None
    vetoes: tuple[Veto, ...]
    excluded: tuple[int, ...]


class StepPart(msgspec.Struct, frozen=True):
    """A step that was taken."""

    action: str
    after: DecidedPart


class EntryPart(msgspec.Struct, frozen=True, omit_defaults=True):
    """A line of the visible log; a refusal, which came to it later, is not written where there is none."""

    at: str
    action: str
    variant: AnyVariant | None
    note: str
    refusal: str = ""


class KeptPart(msgspec.Struct, frozen=True):
    """A variant with its name."""

    name: str
    variant: AnyVariant


class RemarkPart(msgspec.Struct, frozen=True):
    """What was said of one training sample."""

    row: int
    marked: bool
    note: str


class DecisionPart(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What was decided, and of which head."""

    verdict: str | None = None
    reviewer: str = ""
    date: Day | None
    notes: str = ""
    intended_use: str = ""
    head: str


class JournalPart(msgspec.Struct, frozen=True):
    """Everything that is kept of a review."""

    format: Literal[1]
    steps: tuple[StepPart, ...]
    position: int
    log: tuple[EntryPart, ...]
    kept: tuple[KeptPart, ...]
    remarks: tuple[RemarkPart, ...]
    decision: DecisionPart | None


# --- to be kept


def dump(journal: Journal) -> dict[str, Any]:
    """A journal as JSON values."""
    past = journal.history
    values = JournalPart(
        FORMAT,
        tuple(StepPart(step.action, _decided(step.after)) for step in past.steps),
        past.position,
        tuple(
            EntryPart(e.at.isoformat(), e.action, _variant(e.variant), e.note, e.refusal) for e in past.log
        ),
        tuple(KeptPart(kept.name, cast(AnyVariant, _variant(kept.variant))) for kept in past.kept),
        tuple(RemarkPart(row, remark.marked, remark.note) for row, remark in journal.remarks.items()),
        None if journal.decision is None else _decision(*journal.decision),
    )
    plain: dict[str, Any] = json.loads(json.dumps(msgspec.to_builtins(values), allow_nan=False))
    return plain  # tuples became lists


def variant_id(variant: Variant) -> str:
    """A short name of what a variant is made of: the same in every session, 16 hexadecimal digits."""
    values = msgspec.to_builtins(_variant(variant))
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:16]


def _decided(decided: Decided) -> DecidedPart:
    return DecidedPart(_variant(decided.variant), decided.vetoes, decided.excluded)


def _variant(variant: Variant | None) -> AnyVariant | None:
    if variant is None:
        return None
    review, aim = ReviewPart(**vars(variant.review)), AimPart(**vars(variant.aim))
    fields = {**vars(variant), "review": review, "aim": aim}
    if fields.get("share") == 1:  # a default that is another object would be written
        del fields["share"]
    return PARTS[type(variant)](**fields)


def _decision(made: Decision, head: str) -> DecisionPart:
    return DecisionPart(**vars(made), head=head)


# --- read again


def load(raw: object) -> Journal:
    """The journal that was dumped. Raises DataError, in one sentence, for what is none."""
    from fmd_core.errors import DataError

    try:
        return _journal(msgspec.convert(raw, JournalPart))
    except (msgspec.ValidationError, ValueError, DataError) as error:
        raise DataError(
            f"This review cannot be opened: what was kept of it is damaged or from another version ({error})."
        ) from error


def _journal(found: JournalPart) -> Journal:
    if not 0 <= found.position <= len(found.steps):
        raise ValueError(f"step {found.position} of {len(found.steps)}")
    steps = tuple(Step(step.action, _read_decided(step.after)) for step in found.steps)
    log = tuple(
        Entry(datetime.fromisoformat(e.at), e.action, _read_variant(e.variant), e.note, e.refusal)
        for e in found.log
    )
    remarks = {said.row: Remark(said.marked, said.note) for said in found.remarks}
    decision = None if found.decision is None else _read_decision(found.decision)
    history = History(steps, found.position, log, _read_kept(found.kept))
    return Journal(history, MappingProxyType(remarks), decision)


def _read_kept(kept: Sequence[KeptPart]) -> tuple[Kept, ...]:
    """Kept variants; one whose name means something else, or is taken, gets a free one."""
    found = History()
    for one in kept:
        variant, name = cast(Variant, _read_variant(one.variant)), tidy_name(one.name)
        usable = name if found.may_be_called(variant, name) else found.free_name()
        found = History(kept=(*found.kept, Kept(usable, variant)))
    return found.kept


def _read_decided(found: DecidedPart) -> Decided:
    return Decided(_read_variant(found.variant), found.vetoes, found.excluded)


def _read_variant(found: AnyVariant | None) -> Variant | None:
    if found is None:
        return None
    fields = msgspec.structs.asdict(found)
    for field, find in NAMED.items():
        if field in fields:
            find(fields[field])  # a name that is not known here would compute nothing later
    review = Review(**msgspec.structs.asdict(found.review))
    aim = Aim(**msgspec.structs.asdict(found.aim))
    return CLASSES[type(found)](**{**fields, "review": review, "aim": aim})


def _read_decision(found: DecisionPart) -> tuple[Decision, str]:
    from fmd_core.report.evidence import Decision

    fields = {name: value for name, value in msgspec.structs.asdict(found).items() if name != "head"}
    return Decision(**fields), found.head
