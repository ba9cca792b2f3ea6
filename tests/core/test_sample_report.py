"""The sample report in docs/: it opens, and it is what the report's page draws today."""

import re
from pathlib import Path

import fmd_core as fmd
from fmd_core.report.typeface import INTER

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
WHERE = "they are in the HTML page that was saved with this report, not in its JSON."
MISSING = f" Their pictures are missing here: {WHERE}"


def test_the_sample_report_is_current():
    opened = fmd.read_report((DOCS / "sample_report.json").read_bytes())
    assert opened.is_intact
    page = fmd.render_page(opened.report).replace(MISSING, "").replace(", without their pictures", "")
    written = (DOCS / "sample_report.html").read_text()
    again = "rebuild it: python assets/make_sample_report.py"
    assert re.sub(r"<img[^>]*>", "", written) == page, again
    assert len(written) < 600_000
    assert written.count("<img") > 4


def test_the_report_and_the_dashboard_have_one_typeface():
    assert INTER.read_bytes() == (ROOT / "app" / "static" / "Inter.woff2").read_bytes()
