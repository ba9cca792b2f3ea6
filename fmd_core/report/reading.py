"""A report opened again from its JSON, which anybody may have written.

Nothing in it is trusted: size and number of parts are capped before it is parsed, every value that a
page needs is checked by a schema and copied, and what the schema does not name is left behind. Texts
lose hidden marks and stay plain text: whoever shows them has to escape them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, get_args

from fmd_core.bias_functions import MEASURES
from fmd_core.data import SPLITS, PairMethod
from fmd_core.datasets.names import short_name
from fmd_core.errors import DataError
from fmd_core.kinds import kind_names
from fmd_core.models.depth import DEPTHS
from fmd_core.report.checks import (
    MAX_PARTS,
    TEXT,
    Check,
    count,
    day,
    estimate,
    flag,
    list_of,
    map_of,
    maybe,
    moment,
    number,
    one_of,
    record,
    share,
    text,
)
from fmd_core.report.evidence import DECISIONS, LONGEST_NOTES
from fmd_core.report.sections import EFFECTS
from fmd_core.report.writing import FORMAT, seal
from fmd_core.unlearning import METHODS

MAX_BYTES = 16 << 20
OLDER = "fmd-report-2"


@dataclass(frozen=True, eq=False)
class OpenedReport:
    """A report that was read from a file."""

    report: dict[str, Any]
    is_intact: bool
    """Whether its seal fits, that is, whether nothing was changed since it was written."""


def read_report(content: bytes) -> OpenedReport:
    """Read the JSON of a report. Raises DataError, in one sentence, for what is none."""
    raw = _parsed(content)
    if not isinstance(raw, dict) or not isinstance(raw.get("format"), str):
        raise DataError(
            "This is JSON, but no report of FMD Studio: choose the JSON file saved beside a report."
        )
    if raw["format"] not in (FORMAT, OLDER):
        raise DataError(
            f"This report has the format '{short_name(raw['format'])}', and this version opens '{FORMAT}' and "
            f"'{OLDER}' only."
        )
    report: dict[str, Any] = REPORT(raw if raw["format"] == FORMAT else _brought_up(raw), "")
    _check_classes(report)
    try:
        is_intact = raw.get("seal") == seal(raw)
    except (RecursionError, ValueError):
        is_intact = False
    return OpenedReport(report, is_intact)


def _brought_up(raw: dict[str, Any]) -> dict[str, Any]:
    """A report of the format before: nobody had remarked on samples, and no log was kept."""
    taught = raw.get("taught_by")
    if isinstance(taught, dict):
        taught = {**taught, "remarks": []}
    return {**raw, "taught_by": taught, "audit_log": None}


def _parsed(content: bytes) -> object:
    if len(content) > MAX_BYTES:
        raise DataError(
            f"This file has {len(content):,} bytes; a report has {MAX_BYTES >> 20} MiB at most, {MAX_BYTES:,} bytes."
        )
    if content.count(b"{") + content.count(b"[") > MAX_PARTS:
        raise DataError(f"This file has more than {MAX_PARTS:,} parts, more than any report.")
    try:
        return json.loads(content.decode("utf-8-sig"), parse_constant=_refuse_constant)
    except RecursionError:
        raise DataError("This file is nested more deeply than any report.") from None
    except UnicodeDecodeError:
        raise DataError("This file is no text, so no report: choose the JSON file saved beside it.") from None
    except json.JSONDecodeError as error:
        page = content.lstrip()[:1] == b"<"
        what = "a web page, not JSON" if page else f"no JSON (line {error.lineno})"
        raise DataError(f"This file is {what}: choose the JSON file saved beside the report.") from None
    except ValueError:  # an integer of thousands of digits
        raise DataError("This file holds a number that is too large for any report.") from None


def _refuse_constant(name: str) -> None:
    raise DataError(f"This file holds '{name}', which is no number, so it cannot be opened as a report.")


# --- what a report holds

CHANGE = record(
    {
        "name": TEXT, "group": TEXT, "before": estimate, "after": estimate, "difference": estimate,
        "p_value": maybe(share),
    }
)  # fmt: skip
METRICS = record(
    dict.fromkeys(
        (
            "selection_rate_privileged",
            "selection_rate_others",
            "demographic_parity_difference",
            "disparate_impact",
            "equal_opportunity_difference",
            "equalized_odds_difference",
        ),
        estimate,
    )
)
ATTRIBUTE = record(
    {
        "attribute": TEXT, "bias": estimate, "flips": estimate, "aligned_accuracy": estimate,
        "conflicting_accuracy": estimate, "metrics": METRICS, "placebo": maybe(estimate),
        "excess": maybe(estimate), "judged": estimate, "verdict": TEXT, "adjusted_p": maybe(share),
        "headline": TEXT, "sentence": TEXT,
    }
)  # fmt: skip
SAMPLES = list_of(
    record(
        {"rank": count, "row": count, "removal_effect": number, "bias_aligned": flag, "shows": map_of(TEXT)}
    )
)
REMARK = record({"row": count, "marked": flag, "excluded": flag, "note": TEXT, "shows": map_of(TEXT)})
SETTINGS: dict[str, Check] = {
    "strategy": maybe(one_of(*METHODS)),
    "strength": maybe(number),
    "k": maybe(count),
    "blend": maybe(share),
}
GUARD = record(
    {
        "admitted": flag, "refusal": TEXT, "validation_bias": number, "validation_accuracy": number,
        "tolerance": maybe(number),
    }
)  # fmt: skip
EFFECT = record({"mean": number, "least": number, "most": number})
SCORE_CHECK = record(
    {
        "attribute": TEXT, "k": count, "verdict": TEXT, "converged": flag,
        "groups": list_of(
            record({"kind": one_of("harmful", "random", "helpful"), "draws": count} | dict.fromkeys(EFFECTS, EFFECT))
        ),
        "planted": record({"right": count, "n": count, "p_value": share, "right_held_out": count}),
    }
)  # fmt: skip
RIVAL = record(
    {
        "name": TEXT, "title": TEXT, "k": count, "after": estimate, "difference": estimate,
        "accuracy_difference": estimate,
    }
)  # fmt: skip
MEASURED = record(
    {
        "attribute": TEXT, "headline": TEXT, "sentence_before": TEXT, "sentence_after": TEXT, "verdict": TEXT,
        "who_pays": TEXT, "bias": CHANGE, "gap": maybe(CHANGE), "judged": CHANGE, "excess": maybe(CHANGE),
        "flips": CHANGE, "accuracy": CHANGE, "aligned_accuracy": CHANGE, "conflicting_accuracy": CHANGE,
        "attributes_after": maybe(list_of(ATTRIBUTE)), "rivals": list_of(RIVAL), "no_rivals": TEXT,
        "groups": list_of(CHANGE), "intersections": list_of(CHANGE, most=MAX_PARTS),
        "changed": list_of(
            record({"row": count, "truth": count, "before": count, "after": count, "outcome": TEXT}),
            most=MAX_PARTS,
        ),
        "shown": list_of(count), "outcomes": map_of(count),
    }
)  # fmt: skip


def _depth(value: object, place: str) -> str:
    """One of the depths that there are when the report is read: others may have been added."""
    return str(one_of(*DEPTHS)(value, place))


REPORT = record(
    {
        "format": TEXT,
        "created": moment,
        "seal": TEXT,
        "versions": map_of(TEXT),
        "seeds": record(
            {"pairs": count, "bootstrap": count, "bootstrap_draws": count, "random_removal": count}
        ),
        "decision": record(
            {
                "verdict": maybe(one_of(*DECISIONS)),
                "reviewer": TEXT,
                "date": maybe(day),
                "notes": text(LONGEST_NOTES, lines=True),
                "intended_use": text(LONGEST_NOTES, lines=True),
                "head_sha256": TEXT,
            }
        ),
        "settings": record(
            {
                "measure": one_of(*MEASURES),
                "attributes": list_of(TEXT, least=1),
                "limit": share,
                "depth": _depth,
                "most_unlike": maybe(number),
                "left_out": list_of(record({"attribute": TEXT, "row": count})),
                "tolerance": maybe(number),
            }
            | SETTINGS
        ),
        "data": record(
            {
                "name": TEXT,
                "sha256": TEXT,
                "target": TEXT,
                "classes": list_of(TEXT),
                "attributes": map_of(list_of(TEXT)),
                "notes": list_of(TEXT),
                "twins": one_of(*get_args(PairMethod)),
                "unit": TEXT,
                "kind": lambda value, place: one_of(*kind_names())(value, place),  # those known now
                "shareable": flag,
                "samples": record(dict.fromkeys(SPLITS, count)),
                "composition": list_of(
                    record({"column": TEXT, "level": TEXT} | dict.fromkeys(SPLITS, count))
                ),
            }
        ),
        "model": record(
            {"architecture": TEXT, "parameters": count, "sha256": TEXT, "head_sha256": TEXT, "damping": number}
        ),
        "found": record(
            {
                "threshold": share,
                "accuracy": estimate,
                "worst_served": TEXT,
                "measure": one_of(*MEASURES),
                "attributes": list_of(ATTRIBUTE, least=1),
            }
        ),
        "taught_by": record(
            {"attribute": TEXT, "bias": TEXT, "top_k": count, "most_harmful": SAMPLES, "most_helpful": SAMPLES,
             "remarks": list_of(REMARK, most=MAX_PARTS)}
        ),
        "score_checks": list_of(SCORE_CHECK),
        "done": record(
            {
                "history": list_of(
                    record(
                        {"at": moment, "action": TEXT, "attribute": TEXT, "setting": TEXT, "head_sha256": TEXT}
                    )
                ),
                "current": maybe(
                    record(SETTINGS | {"step_share": number, "setting": TEXT, "head_sha256": TEXT, "guard": GUARD})
                ),
            }
        ),
        "audit_log": maybe(
            record(
                {
                    "is_intact": flag,
                    "sentence": TEXT,
                    "lines": list_of(
                        record({"at": moment, "action": TEXT, "detail": TEXT, "hash": TEXT}), most=MAX_PARTS
                    ),
                }
            )
        ),
        "measured": maybe(MEASURED),
        "caveats": list_of(TEXT),
    }
)  # fmt: skip


def _check_classes(report: dict[str, Any]) -> None:
    """Answers are told by the place of their class."""
    known = len(report["data"]["classes"])
    for entry in report["measured"]["changed"] if report["measured"] else ():
        if max(entry["truth"], entry["before"], entry["after"]) >= known:
            raise DataError(
                "This report cannot be opened: 'measured.changed' names a class that 'data.classes' does not have."
            )
