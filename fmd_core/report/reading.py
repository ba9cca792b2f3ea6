"""A report opened again from its JSON, which anybody may have written.

Nothing in it is trusted: size and number of parts are capped before it is parsed, every value is checked against
`fmd_core.report.schema` and copied, and what is not declared there is left behind. Texts lose hidden marks and
stay plain text: whoever shows them has to escape them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from fmd_core.errors import DataError
from fmd_core.kinds import kind_names
from fmd_core.method import methods
from fmd_core.models.depth import DEPTHS, RETRAINED
from fmd_core.report.faults import fault, refusal
from fmd_core.report.fields import MAX_PARTS, Part
from fmd_core.report.log_chain import LogEntry, first_fault
from fmd_core.report.schema import Report
from fmd_core.report.writing import FORMAT, seal
from fmd_core.showing import one_line
from fmd_core.text import clean_text, short_name

MAX_BYTES = 16 << 20
OLDER = "fmd-report-2"
ROUNDING = 1e-9


@dataclass(frozen=True, eq=False)
class OpenedReport:
    """A report that was read from a file."""

    report: Report
    is_intact: bool
    """Whether its seal fits, that is, whether nothing was changed since it was written."""
    log_fault: str | None = None
    """Where its audit log does not follow from its own hashes, a sentence; '' where it does, None where it holds too
    little to tell, as in reports from before."""
    outside: tuple[str, ...] = ()
    """Places of figures that lie outside their own interval."""

    def cautions(self, file: str) -> str:
        """What speaks against believing it, '' where nothing does; `file` begins each sentence, such as 'This file'."""
        said = [] if self.is_intact else [f"{file} was changed after it was written: its seal does not fit."]
        if self.log_fault:
            said.append(self.log_fault)
        if self.outside:
            more = (
                f" and {len(self.outside) - 1} more lie outside their"
                if len(self.outside) > 1
                else " lies outside its"
            )
            said.append(f"The figure '{self.outside[0]}'{more} own interval, so it may have been changed.")
        return " ".join(said)

    def __repr__(self) -> str:
        name, created = self.report.data.name, self.report.created
        return one_line(self, name, f"written {created}", "as written" if self.is_intact else "changed since")


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
    report = _checked(raw if raw["format"] == FORMAT else _brought_up(raw))
    try:
        is_intact = raw.get("seal") == seal(raw)
    except (RecursionError, ValueError):
        is_intact = False
    return OpenedReport(report, is_intact, _log_fault(raw.get("audit_log")), tuple(_outside(report)))


def _log_fault(log: dict[str, Any] | None) -> str | None:
    """As `OpenedReport.log_fault`, of the values as they stand in the file: hashes cover them uncleaned."""
    if not log or not (log.get("review") or any(line.get("previous") for line in log["lines"])):
        return None
    entries = [
        LogEntry(
            place,
            datetime.fromisoformat(line["at"]).isoformat(timespec="microseconds"),
            line["action"], line["detail"], line.get("content", ""), line.get("previous", ""), line["hash"],
        )
        for place, line in enumerate(log["lines"], start=1)
    ]  # fmt: skip
    fault = first_fault(log.get("review", ""), entries)
    return f"Its audit log is broken at entry {fault[0]}: {fault[1]}." if fault else ""


def _outside(part: Any, place: str = "") -> Iterator[str]:  # noqa: ANN401  any part of a report
    """Where a figure lies outside its own interval."""
    if isinstance(part, list):
        for number, one in enumerate(part):
            yield from _outside(one, f"{place}[{number}]")
    elif isinstance(part, Part):
        fields = msgspec.structs.asdict(part)
        value, low, high = fields.get("value"), fields.get("low"), fields.get("high")
        if (
            value is not None and low is not None and high is not None
            and not low - ROUNDING <= value <= high + ROUNDING
        ):  # fmt: skip
            yield place
        for name, one in fields.items():
            yield from _outside(one, f"{place}.{name}" if place else name)


def _brought_up(raw: dict[str, Any]) -> dict[str, Any]:
    """A report of the format before: nobody had remarked on samples, and no log was kept."""
    taught = raw.get("taught_by")
    if isinstance(taught, dict):
        taught = {**taught, "remarks": []}
    return {**raw, "taught_by": taught, "audit_log": None}


def _checked(raw: dict[str, Any]) -> Report:
    """The report that JSON values hold, its texts cleaned."""
    try:
        report = _converted(raw)
    except UnicodeEncodeError:
        raise DataError("This report cannot be opened: a name in it holds half of a character.") from None
    for place, value, known in _names(report):
        if value is not None and value not in known:
            raise refusal(place, f"one of: {', '.join(known)}")
    for place, classes in _classes(report):
        if max(classes, default=0) >= len(report.data.classes):
            raise DataError(
                f"This report cannot be opened: '{place}' names a class that 'data.classes' does not have."
            )
    cleaned: Report = _cleaned(report)
    return cleaned


def _converted(raw: dict[str, Any]) -> Report:
    try:
        return msgspec.convert(raw, Report)
    except msgspec.ValidationError:
        raise fault(raw, Report) from None


def _names(report: Report) -> Iterator[tuple[str, str | None, tuple[str, ...]]]:
    """Where a report names something that a page looks up, and what there is."""
    yield "settings.depth", report.settings.depth, (*DEPTHS, RETRAINED)
    known = tuple(method.name for method in methods())
    yield "settings.strategy", report.settings.strategy, known
    yield "data.kind", report.data.kind, kind_names()
    if report.done.current:
        yield "done.current.strategy", report.done.current.strategy, known


def _classes(report: Report) -> Iterator[tuple[str, list[int]]]:
    """Where a report tells a class by its place, and which."""
    changed = report.measured.changed if report.measured else []
    yield "measured.changed", [code for one in changed for code in (one.truth, one.before, one.after)]
    doubted = report.taught_by.doubted.first if report.taught_by.doubted else []
    yield "taught_by.doubted", [code for one in doubted for code in (one.label, one.likelier)]
    if report.first_page and report.first_page.twin:
        twin = report.first_page.twin
        answers = [said for side in twin.sides for said in (side.before, side.after) if said]
        yield "first_page.twin", [twin.truth, *(said.answer for said in answers)]


def _cleaned(value: Any, *, lines: bool = False) -> Any:  # noqa: ANN401  any part of a report
    """The same without hidden marks in its texts and names, which stand in one line unless `lines`."""
    if isinstance(value, str):
        whole = value.encode("utf-8", "replace").decode()  # a half of a character cannot be sent to a browser
        return "\n".join(clean_text(line) for line in whole.splitlines()) if lines else clean_text(whole)
    if isinstance(value, list):
        return [_cleaned(part) for part in value]
    if isinstance(value, dict):
        return {_cleaned(key): _cleaned(part) for key, part in value.items()}
    if not isinstance(value, Part):
        return value
    fields = msgspec.structs.asdict(value)
    return type(value)(**{key: _cleaned(part, lines=key in value.LINES) for key, part in fields.items()})


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
