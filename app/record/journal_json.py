"""A journal as plain JSON values and back. What is read comes from outside: it is checked, never trusted."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import date, datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from app.record.history import Decided, Entry, History, Kept, Step, tidy_name
from app.record.journal import Journal, Remark
from app.record.review import Aim, Review
from app.record.variants import Erasure, Exclusion, Recipe, Retrained, Variant
from fmd_core.unlearn.method import find_method, find_strategy

if TYPE_CHECKING:
    from fmd_core.report.evidence import Decision

FORMAT = 1
KINDS: dict[str, type[Variant]] = {
    "recipe": Recipe,
    "exclusion": Exclusion,
    "erasure": Erasure,
    "retrained": Retrained,
}
NAMED: dict[str, Callable[[str], object]] = {"strategy": find_strategy, "way": find_method}
"""Fields of a variant that name a method, and where it is looked up."""
Raw = Mapping[str, Any]


def dump(journal: Journal) -> dict[str, Any]:
    """A journal as JSON values."""
    past = journal.history
    values = {
        "format": FORMAT,
        "steps": [{"action": step.action, "after": _decided(step.after)} for step in past.steps],
        "position": past.position,
        "log": [
            {"at": e.at.isoformat(), "action": e.action, "variant": _variant(e.variant), "note": e.note}
            for e in past.log
        ],
        "kept": [{"name": kept.name, "variant": _variant(kept.variant)} for kept in past.kept],
        "remarks": [{"row": row, **asdict(remark)} for row, remark in journal.remarks.items()],
        "decision": None if journal.decision is None else _decision(*journal.decision),
    }
    plain: dict[str, Any] = json.loads(json.dumps(values, allow_nan=False))  # tuples become lists
    return plain


def load(raw: object) -> Journal:
    """The journal that was dumped. Raises DataError, in one sentence, for what is none."""
    from fmd_core.errors import DataError

    try:
        return _journal(raw)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise DataError(
            f"This review cannot be opened: what was kept of it is damaged or from another version ({error})."
        ) from error


def _journal(raw: Any) -> Journal:  # noqa: ANN401 - whatever JSON holds
    if raw["format"] != FORMAT:
        raise ValueError(f"format {raw['format']!r}")
    steps = tuple(Step(str(s["action"]), _read_decided(s["after"])) for s in raw["steps"])
    position = int(raw["position"])
    if not 0 <= position <= len(steps):
        raise ValueError(f"step {position} of {len(steps)}")
    log = tuple(
        Entry(
            datetime.fromisoformat(e["at"]),
            str(e["action"]),
            _maybe(_read_variant, e["variant"]),
            str(e["note"]),
        )
        for e in raw["log"]
    )
    kept = _read_kept(raw["kept"])
    remarks = {int(r["row"]): Remark(bool(r["marked"]), str(r["note"])) for r in raw["remarks"]}
    decision = _maybe(_read_decision, raw["decision"])
    return Journal(History(steps, position, log, kept), MappingProxyType(remarks), decision)


def _read_kept(raw: Any) -> tuple[Kept, ...]:  # noqa: ANN401 - whatever JSON holds
    """Kept variants; one whose name means something else, or is taken, gets a free one."""
    found = History()
    for one in raw:
        variant, name = _read_variant(one["variant"]), tidy_name(str(one["name"]))
        usable = name if found.may_be_called(variant, name) else found.free_name()
        found = History(kept=(*found.kept, Kept(usable, variant)))
    return found.kept


def _decided(decided: Decided) -> dict[str, Any]:
    return {
        "variant": _variant(decided.variant),
        "vetoes": [list(veto) for veto in decided.vetoes],
        "excluded": list(decided.excluded),
    }


def _read_decided(raw: Raw) -> Decided:
    vetoes = tuple((str(attribute), int(row)) for attribute, row in raw["vetoes"])
    return Decided(_maybe(_read_variant, raw["variant"]), vetoes, tuple(int(row) for row in raw["excluded"]))


def _variant(variant: Variant | None) -> dict[str, Any] | None:
    if variant is None:
        return None
    kind = next(name for name, found in KINDS.items() if isinstance(variant, found))
    return {"kind": kind, **asdict(variant)}


def _read_variant(raw: Raw) -> Variant:
    given = {name: value for name, value in raw.items() if name not in ("kind", "review", "aim")}
    given = {name: tuple(value) if isinstance(value, list) else value for name, value in given.items()}
    for field, find in NAMED.items():
        if field in given:
            find(given[field])  # a name that is not known here would compute nothing later
    return KINDS[raw["kind"]](review=_read_review(raw["review"]), aim=_read_aim(raw["aim"]), **given)


def _read_review(raw: Raw) -> Review:
    vetoes = tuple((str(attribute), int(row)) for attribute, row in raw["vetoes"])
    return Review(**{**raw, "vetoes": vetoes})


def _read_aim(raw: Raw) -> Aim:
    return Aim(tuple(str(name) for name in raw["attributes"]), raw["measure"])


def _decision(made: Decision, head: str) -> dict[str, Any]:
    day = None if made.date is None else made.date.isoformat()
    return {**asdict(made), "date": day, "head": head}


def _read_decision(raw: Raw) -> tuple[Decision, str]:
    from fmd_core.report.evidence import Decision

    given = {name: value for name, value in raw.items() if name != "head"}
    return Decision(**{**given, "date": _maybe(date.fromisoformat, raw["date"])}), str(raw["head"])


def _maybe(read: Callable[[Any], Any], value: Any) -> Any:  # noqa: ANN401 - as `read` has it
    return None if value is None else read(value)
