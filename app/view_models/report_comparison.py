"""Two reports side by side: headline figures, what is the same, and one sentence on what differs.

Works on reports as `fmd_core.build_report` and `fmd_core.read_report` give them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pandas as pd

import fmd_core as fmd
from app.view_models.report import VERDICTS
from fmd_core import wording
from fmd_core.kinds import find_kind

Report = dict[str, Any]
NONE = "–"
MISSING_PICTURES = "Pictures are not in it: they are in the HTML page that was saved with it."
LARGEST_PAGE = 24 << 20  # characters; more would hold up the browser that shows it


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
    caution = "" if found.is_intact else wording.broken_seal("This file")
    banner = " ".join(["Opened from a file, to be read only.", caution]).strip()
    html = fmd.render_page(report, opened=banner)
    if len(html) > LARGEST_PAGE:
        raise fmd.DataError("This report would make a page too large to show.")
    return OpenedView(
        sentence=f"“{report['data']['name']}”, written {when(report)}. {headline(report)} "
        f"Decision: {_decision(report)}. "
        + (MISSING_PICTURES if find_kind(report["data"]["kind"]).has_pictures else ""),
        caution=caution,
        html=html,
    )


def headline(report: Report) -> str:
    """What a report says first."""
    text: str = (report["measured"] or report["found"]["attributes"][0])["headline"]
    return text


def when(report: Report) -> str:
    """When a report was written."""
    return wording.moment(report["created"])


def compare(first: Report, second: Report, names: tuple[str, str]) -> ReportComparison:
    """Two reports under their `names`."""
    rows = [(what, tell(first), tell(second)) for what, tell in _rows(first, second)]
    table = pd.DataFrame(
        [(what, "yes" if a == b else "no", _short(what, a), _short(what, b)) for what, a, b in rows],
        columns=["What", "Same?", *names],
    )
    return ReportComparison(_sentence(first, second, names), table)


def _short(what: str, text: str) -> str:
    """A digest by its beginning, anything else as it is."""
    return text[:16] if what.endswith("digest") else text


def _rows(first: Report, second: Report) -> list[tuple[str, Callable[[Report], str]]]:
    """What is compared, and how to tell it of one report."""
    names = dict.fromkeys(a["attribute"] for r in (first, second) for a in r["found"]["attributes"])
    return [
        ("Written", when),
        ("Data", lambda r: r["data"]["name"]),
        ("Data digest", lambda r: r["data"]["sha256"]),
        ("Model digest", lambda r: r["model"]["sha256"]),
        ("Head in force, digest", _head),
        ("Setting in force", _setting),
        ("What counts as bias", lambda r: r["settings"]["measure"]),
        ("Limit, points", lambda r: f"{100 * r['settings']['limit']:g}"),
        *((f"Bias by {name}, original", lambda r, n=name: _bias(r["found"]["attributes"], n)) for name in names),
        *((f"Bias by {name}, in force", lambda r, n=name: _bias(_in_force(r), n)) for name in names),
        ("Accuracy, original, %", lambda r: _figure(r["found"]["accuracy"])),
        ("Accuracy, in force, %", lambda r: _figure(_accuracy(r))),
        ("Did it work?", lambda r: r["measured"]["verdict"] if r["measured"] else "nothing was unlearned"),
        ("Decision", _decision),
    ]  # fmt: skip


def _sentence(first: Report, second: Report, names: tuple[str, str]) -> str:
    if first["seal"] == second["seal"] and first == second:
        return "Both are the same report."
    opening = _same_subject(first, second)
    if first["data"]["sha256"] != second["data"]["sha256"]:
        return f"{opening}, so their figures cannot be held against each other."
    parts = [opening, _differing_bias(first, second, names), _differing_decision(first, second, names)]
    return "; ".join(part for part in parts if part) + "."


def _same_subject(first: Report, second: Report) -> str:
    if first["data"]["sha256"] != second["data"]["sha256"]:
        return "They are about different data"
    if first["model"]["sha256"] != second["model"]["sha256"]:
        return "Same data, different models"
    if _head(first) == _head(second):
        return "Same data, same model, and the same head in force"
    return "Same data and same original model, different heads in force"


def _differing_bias(first: Report, second: Report, names: tuple[str, str]) -> str:
    attribute = (first["measured"] or first["found"]["attributes"][0])["attribute"]
    measures = [r["settings"]["measure"] for r in (first, second)]
    if measures[0] != measures[1]:
        return f"bias was measured in two ways ({measures[0]} and {measures[1]})"
    found: list[dict[str, Any]] = [
        next((a["judged"] for a in _in_force(r) if a["attribute"] == attribute), {"value": None})
        for r in (first, second)
    ]
    one, other = found
    if one["value"] is None or other["value"] is None:
        return f"the bias by {attribute} in force is not known in both"
    said = [wording.points(e["value"]) for e in (one, other)]
    if said[0] == said[1]:
        return f"the bias by {attribute} in force is {said[0]} points in both"
    apart = one["low"] > other["high"] or other["low"] > one["high"]
    return (
        f"the bias by {attribute} in force is {said[0]} points in {_spoken(names[0])} and {said[1]} in "
        f"{_spoken(names[1])}, and their intervals {'do not overlap' if apart else 'overlap'}"
    )


def _differing_decision(first: Report, second: Report, names: tuple[str, str]) -> str:
    verdicts = [r["decision"]["verdict"] for r in (first, second)]
    if verdicts[0] == verdicts[1]:
        return ""
    said = [VERDICTS[v].lower() for v in verdicts]
    return f"the decision is “{said[0]}” in {_spoken(names[0])} and “{said[1]}” in {_spoken(names[1])}"


def _spoken(name: str) -> str:
    """'This review' is 'this review', 'Opened report' is 'the opened report'."""
    small = name[0].lower() + name[1:]
    return small if small.startswith("this ") else f"the {small}"


def _in_force(report: Report) -> list[dict[str, Any]]:
    """Every attribute of the model in force."""
    measured = report["measured"]
    after = measured["attributes_after"] if measured else report["found"]["attributes"]
    return after or []


def _bias(attributes: list[dict[str, Any]], name: str) -> str:
    return next((_figure(a["judged"]) for a in attributes if a["attribute"] == name), NONE)


def _accuracy(report: Report) -> dict[str, Any]:
    found: dict[str, Any] = (
        report["measured"]["accuracy"]["after"] if report["measured"] else report["found"]["accuracy"]
    )
    return found


def _figure(estimate: dict[str, Any]) -> str:
    return wording.figure(fmd.Estimate(**estimate))


def _head(report: Report) -> str:
    current = report["done"]["current"]
    head: str = current["head_sha256"] if current else report["model"]["head_sha256"]
    return head


def _setting(report: Report) -> str:
    current = report["done"]["current"]
    return current["setting"] if current else "the original model"


def _decision(report: Report) -> str:
    made = report["decision"]
    if made["verdict"] is None:
        return "none yet"
    return VERDICTS[made["verdict"]].lower() + (f", by {made['reviewer']}" if made["reviewer"] else "")
