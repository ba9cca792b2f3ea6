"""The evidence pack: one report of everything found, done and measured (see `fmd_core.report.schema`), its JSON, and
one self-contained HTML page drawn from it (no network, no scripts, prints well)."""

from __future__ import annotations

import hashlib
import json
import platform
from contextlib import suppress
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import msgspec

from fmd_core.data import AttributeDataset
from fmd_core.intervals import BOOTSTRAP_SEED, DRAWS
from fmd_core.kinds import find_kind
from fmd_core.method import find_method
from fmd_core.report import sections
from fmd_core.report.duties import caveats, sections_of
from fmd_core.report.evidence import Decision, Evidence, Step
from fmd_core.report.first_page import first_page
from fmd_core.report.measured import PICTURES, REMARKS, forgetting, measured
from fmd_core.report.page import render_page
from fmd_core.report.schema import Report
from fmd_core.report.schema.subject import Seeds
from fmd_core.report.twin import portraits
from fmd_core.twins.pairs import PAIR_SEED
from fmd_core.unlearn.rivals import RANDOM_SEED

__all__ = [
    "FORMAT",
    "Decision",
    "Evidence",
    "Report",
    "Step",
    "build_report",
    "json_values",
    "render_report",
    "report_json",
    "seal",
]

FORMAT = "fmd-report-3"
PICTURE_SIDE = 128  # pixels
PACKAGES = ("fmd-studio", "numpy", "scipy", "torch", "torchvision", "captum", "aif360", "streamlit")


def build_report(evidence: Evidence, *, created: datetime | None = None) -> Report:
    """Everything that was found, done and measured as one value, with its seal; nothing is computed but sentences.

    Parameters
    ----------
    evidence
        The model, the people, what was measured and what was decided.
    created
        When it was written, with its time zone; None: now.

    Returns
    -------
    Report
        Declared in `fmd_core.report.schema`: shares in [0, 1], intervals of 95 %.
    """
    comparison = evidence.comparison
    strategy = None if evidence.point is None else evidence.point.result.strategy
    forgets = evidence.forgetting is not None or (strategy is not None and find_method(strategy).forgets)
    report = Report(
        format=FORMAT,
        created=(created or datetime.now(UTC)).isoformat(timespec="seconds"),
        versions={"python": platform.python_version()} | _versions(),
        seeds=Seeds(
            pairs=PAIR_SEED, bootstrap=BOOTSTRAP_SEED, bootstrap_draws=DRAWS, random_removal=RANDOM_SEED
        ),
        sections=[
            section.heading for section in sections_of(has_variant=comparison is not None, forgets=forgets)
        ],
        decision=sections.decision(evidence),
        settings=sections.settings(evidence),
        data=sections.data(evidence.dataset),
        model=sections.model(evidence.classifier),
        found=sections.found(evidence),
        taught_by=sections.harmful(evidence),
        score_checks=[sections.score_check(check) for check in evidence.checks],
        done=sections.done(evidence),
        audit_log=sections.audit_log(evidence.trail),
        measured=None if comparison is None else measured(evidence, comparison),
        forgetting=None if evidence.forgetting is None else forgetting(evidence.forgetting),
        first_page=first_page(evidence),
        caveats=caveats(evidence),
        seal="",
    )
    return msgspec.structs.replace(report, seal=seal(json_values(report)))


def json_values(report: Report) -> dict[str, Any]:
    """The report as plain JSON values: dictionaries, lists, texts and numbers."""
    values: dict[str, Any] = msgspec.to_builtins(report, enc_hook=sections.plain_scalar)
    return values


def _versions() -> dict[str, str]:
    """Of the packages that the figures depend on; the library may be installed without the dashboard's."""
    found = {}
    for name in PACKAGES:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def seal(report: dict[str, Any]) -> str:
    """Digest of everything in a report but the seal itself. It shows that a file was changed by accident or
    in haste; whoever wants to can compute another one."""
    content = {name: value for name, value in report.items() if name != "seal"}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def report_json(report: Report) -> str:
    """The report as JSON text, which `read_report` opens again. ValueError for NaN or infinity: there is never one."""
    return json.dumps(json_values(report), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def render_report(evidence: Evidence, *, report: Report | None = None) -> str:
    """The report as one HTML page that needs no network: pictures inside, of data that may be handed on.

    `report` if it was built already. Raises DataError where a picture that is to be shown cannot be read.
    """
    report = report or build_report(evidence)
    rows = [sample.row for sample in report.taught_by.most_harmful[:PICTURES]]
    rows += report.measured.shown if report.measured else []
    rows += [remark.row for remark in report.taught_by.remarks[:REMARKS]]
    twins = [] if evidence.twin is None else portraits(evidence.dataset, evidence.twin, PICTURE_SIDE)
    return render_page(report, _pictures(evidence.dataset, rows), twins=twins)


def _pictures(dataset: AttributeDataset, rows: list[int]) -> dict[int, str]:
    kind = find_kind(dataset.source.kind)
    if not kind.has_pictures or not dataset.shareable:
        return {}
    return {row: kind.portrait(dataset.source.display(row), PICTURE_SIDE).picture for row in rows}
