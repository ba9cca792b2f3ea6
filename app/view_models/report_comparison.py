"""Two reports side by side: headline figures, what is the same, and one sentence on what differs.

Works on reports as `fmd_core.build_report` and `fmd_core.read_report` give them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import pandas as pd

import fmd_core as fmd
from app.view_models.report import VERDICTS
from fmd_core import figures
from fmd_core.forget.forgetting_words import READERS
from fmd_core.forget.probes import Kind
from fmd_core.kinds import find_kind
from fmd_core.report.fields import Figure
from fmd_core.report.schema import Report
from fmd_core.report.schema.biases import Attribute

NONE = "–"
MISSING_PICTURES = "Pictures are not in it: they are in the HTML page that was saved with it."
LOG_FITS = "Its audit log follows from its own hashes. "
DIGEST = 16  # characters of a digest that tell it from others
LARGEST_PAGE = 24 << 20  # characters; more would hold up the browser that shows it


@dataclass(frozen=True)
class Name:
    """What a report is called where two are held side by side."""

    title: str  # of its column
    spoken: str  # in a sentence


Names = tuple[Name, Name]
OPENED = Name("Opened report", "the opened report")
SECOND = Name("Second report", "the second report")
HERE = Name("This review", "this review")


@dataclass(frozen=True)
class OpenedView:
    """A report that was opened again, to be read only."""

    sentence: str
    caution: str  # that it was changed since it was written, else empty
    html: str


@dataclass(frozen=True)
class ReportComparison:
    """Two reports in one sentence and one table."""

    sentence: str
    table: pd.DataFrame


def opened(found: fmd.OpenedReport) -> OpenedView:
    """The page of an opened report and what to know of it. Raises DataError for one too large to show."""
    report = found.report
    caution = found.cautions("This file")
    banner = " ".join(["Opened from a file, to be read only.", caution]).strip()
    html = fmd.render_page(report, opened=banner)
    if len(html) > LARGEST_PAGE:
        raise fmd.DataError("This report would make a page too large to show.")
    return OpenedView(
        sentence=f"“{report.data.name}”, written {when(report)}. {headline(report)} "
        f"Decision: {_decision(report)}. {LOG_FITS if found.log_fault == '' else ''}"
        + (MISSING_PICTURES if find_kind(report.data.kind).has_pictures else ""),
        caution=caution,
        html=html,
    )


def headline(report: Report) -> str:
    """What a report says first."""
    if report.measured is not None:
        return report.measured.headline
    return report.found.headline or report.found.attributes[0].headline


def when(report: Report) -> str:
    """When a report was written."""
    return figures.moment(report.created)


def compare(first: Report, second: Report, names: Names) -> ReportComparison:
    """Two reports under their `names`."""
    rows = []
    for row in _rows(first, second):
        values = row.value(first), row.value(second)
        same = "yes" if values[0] == values[1] else "no"
        rows.append((row.title, same, *(value[: row.shown] for value in values)))
    table = pd.DataFrame(rows, columns=["What", "Same?", *(name.title for name in names)])
    return ReportComparison(_sentence(first, second, names), table)


@dataclass(frozen=True)
class _Row:
    """Something that two reports are compared by."""

    title: str
    value: Callable[[Report], str]
    shown: int | None = None
    """Characters of the value that the table shows, None for all: a digest is known by its beginning."""


def _rows(first: Report, second: Report) -> list[_Row]:
    names = dict.fromkeys(a.attribute for r in (first, second) for a in r.found.attributes)
    readers = dict.fromkeys(
        (found.attribute, found.kind)
        for r in (first, second)
        if r.forgetting
        for found in r.forgetting.readings
    )
    accounts = [r.forgetting for r in (first, second) if r.forgetting]
    classes = dict.fromkeys(change.group for account in accounts for change in account.classes)
    patterns = dict.fromkeys(account.reliance.group for account in accounts if account.reliance)
    return [
        _Row("Written", when),
        _Row("Data", lambda r: r.data.name),
        _Row("Data digest", lambda r: r.data.sha256, DIGEST),
        _Row("Model digest", lambda r: r.model.sha256, DIGEST),
        _Row("Head in force, digest", _head, DIGEST),
        _Row("Setting in force", _setting),
        _Row("What the guard says", _guard),
        _Row("Applied although refused", _refusals),
        _Row("What was forgotten", _forgotten),
        _Row("What counts as bias", lambda r: r.settings.measure),
        _Row("Limit, points", lambda r: f"{100 * r.settings.limit:g}"),
        *(_Row(f"Bias by {name}, original", partial(_bias_before, name)) for name in names),
        *(_Row(f"Bias by {name}, in force", partial(_bias_in_force, name)) for name in names),
        _Row("Calibrated bias, in force", _calibrated),
        *(_Row(f"Read of {name} by {READERS[kind]}, %", partial(_read, name, kind)) for name, kind in readers),
        *(_Row(f"Recognised of {name}, in force, %", partial(_recognised, name)) for name in classes),
        *(_Row(f"Hiding {name}, in force, points", partial(_hidden, name)) for name in patterns),
        _Row("Accuracy, original, %", lambda r: _figure(r.found.accuracy)),
        _Row("Accuracy, in force, %", lambda r: _figure(_accuracy(r))),
        _Row("Did it work?", lambda r: r.measured.verdict if r.measured else "nothing was unlearned"),
        _Row("Decision", _decision),
    ]  # fmt: skip


def _sentence(first: Report, second: Report, names: Names) -> str:
    if first.seal == second.seal and first == second:
        return "Both are the same report."
    opening = _same_subject(first, second)
    if first.data.sha256 != second.data.sha256:
        return f"{opening}, so their figures cannot be held against each other."
    parts = [opening, _differing_bias(first, second, names), _differing_decision(first, second, names)]
    return "; ".join(part for part in parts if part) + "."


def _same_subject(first: Report, second: Report) -> str:
    if first.data.sha256 != second.data.sha256:
        return "They are about different data"
    if first.model.sha256 != second.model.sha256:
        return "Same data, different models"
    if _head(first) == _head(second):
        return "Same data, same model, and the same head in force"
    return "Same data and same original model, different heads in force"


def _differing_bias(first: Report, second: Report, names: Names) -> str:
    attribute = (first.measured or first.found.attributes[0]).attribute
    measures = first.settings.measure, second.settings.measure
    if measures[0] != measures[1]:
        return f"bias was measured in two ways ({measures[0]} and {measures[1]})"
    one, other = (_judged(_in_force(r), attribute) for r in (first, second))
    if one is None or other is None or one.value is None or other.value is None:
        return f"the bias by {attribute} in force is not known in both"
    said = [figures.points(value) for value in (one.value, other.value)]
    if said[0] == said[1]:
        return f"the bias by {attribute} in force is {said[0]} points in both"
    return (
        f"the bias by {attribute} in force is {said[0]} points in {names[0].spoken} and {said[1]} in "
        f"{names[1].spoken}, and their intervals {'do not overlap' if _are_apart(one, other) else 'overlap'}"
    )


def _are_apart(one: Figure, other: Figure) -> bool:
    """Whether two intervals have nothing in common."""
    if one.low is None or one.high is None or other.low is None or other.high is None:
        return False
    return one.low > other.high or other.low > one.high


def _differing_decision(first: Report, second: Report, names: Names) -> str:
    verdicts = first.decision.verdict, second.decision.verdict
    if verdicts[0] == verdicts[1]:
        return ""
    said = [VERDICTS[v].lower() for v in verdicts]
    return f"the decision is “{said[0]}” in {names[0].spoken} and “{said[1]}” in {names[1].spoken}"


def _in_force(report: Report) -> list[Attribute]:
    """Every attribute of the model in force."""
    if report.measured:
        return report.measured.attributes_after or []
    return report.found.attributes


def _judged(attributes: list[Attribute], name: str) -> Figure | None:
    """The figure that the verdict on an attribute rests on."""
    return next((a.judged for a in attributes if a.attribute == name), None)


def _bias_before(name: str, report: Report) -> str:
    judged = _judged(report.found.attributes, name)
    return NONE if judged is None else _figure(judged)


def _bias_in_force(name: str, report: Report) -> str:
    judged = _judged(_in_force(report), name)
    return NONE if judged is None else _figure(judged)


def _calibrated(report: Report) -> str:
    """What is judged, of a changed model that is made as sure as it is right."""
    told = report.measured.calibrated if report.measured else None
    return NONE if told is None else _figure(told.after)


def _read(attribute: str, kind: Kind, report: Report) -> str:
    """What fresh readers of one kind tell of an attribute once it was to be forgotten, and what guessing gets."""
    readings = report.forgetting.readings if report.forgetting else []
    after = next((r.after for r in readings if (r.attribute, r.kind) == (attribute, kind)), None)
    return NONE if after is None else f"{_figure(after.accuracy)}, by guessing {figures.points(after.chance)}"


def _recognised(name: str, report: Report) -> str:
    """Hit rate of a class once something was to be forgotten."""
    classes = report.forgetting.classes if report.forgetting else []
    return next((_figure(change.after) for change in classes if change.group == name), NONE)


def _hidden(pattern: str, report: Report) -> str:
    """How far hiding a pattern moves the answers once it was to be forgotten."""
    told = report.forgetting.reliance if report.forgetting else None
    return _figure(told.after) if told and told.group == pattern else NONE


def _forgotten(report: Report) -> str:
    current = report.done.current
    return ", ".join(current.forgotten) if current and current.forgotten else NONE


def _guard(report: Report) -> str:
    """What validation people say of the variant in force."""
    if report.done.current is None:
        return NONE
    guard = report.done.current.guard
    return "admitted" if guard.admitted else f"refused: {guard.refusal}"


def _refusals(report: Report) -> str:
    """What was applied although the guard refused it, whatever is in force now."""
    return "; ".join(report.first_page.refusals) if report.first_page and report.first_page.refusals else NONE


def _accuracy(report: Report) -> Figure:
    return report.measured.accuracy.after if report.measured else report.found.accuracy


def _figure(figure: Figure) -> str:
    return figures.figure(figure.estimate)


def _head(report: Report) -> str:
    return report.done.current.head_sha256 if report.done.current else report.model.head_sha256


def _setting(report: Report) -> str:
    return report.done.current.setting if report.done.current else "the original model"


def _decision(report: Report) -> str:
    made = report.decision
    if made.verdict is None:
        return "none yet"
    return VERDICTS[made.verdict].lower() + (f", by {made.reviewer}" if made.reviewer else "")
