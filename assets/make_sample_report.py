"""Rebuild docs/sample_report.html and docs/sample_report.json: the bundled digits with our suggestion applied.

python assets/make_sample_report.py
"""

from __future__ import annotations

import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

import fmd_core as fmd  # noqa: E402
from fmd_core.report.writing import Step, report_json  # noqa: E402

DEMO, ATTRIBUTE = "colored_digits", "colour"
NOTES = (
    "A sample: this decision was written by the script that made the report, to show where yours would stand. "
    "Before the model is used, look again at what remains beyond the limit."
)
USE = "To read handwritten digits whatever ink they are written in."


def main() -> None:
    """Write both files."""
    study = fmd.Study(fmd.load_dataset(DEMO), fmd.load_demo_classifier(DEMO), aim=ATTRIBUTE)
    now, point = datetime.now(UTC), study.path().suggested
    evidence = replace(
        study.evidence(point),
        history=(Step(now, "apply", ATTRIBUTE, point.result),),
        decision=fmd.Decision("needs work", "Sample reviewer", now.date(), NOTES, USE),
    )
    report = fmd.build_report(evidence, created=now)
    (ROOT / "docs" / "sample_report.html").write_text(fmd.render_report(evidence, report=report))
    (ROOT / "docs" / "sample_report.json").write_text(report_json(report))


if __name__ == "__main__":
    main()
