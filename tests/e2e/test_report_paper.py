"""The report on paper: nothing is wider than A4, so nothing is printed smaller or cut off."""

import re
from dataclasses import replace

import pytest

import fmd_core as fmd
from app import cache
from app.record.review import Aim, Review

pytestmark = [pytest.mark.browser, pytest.mark.slow]  # prints in a browser
REVIEW, AIM = Review("synthetic_faces"), Aim(("presentation",))
A4_INSIDE = 680  # pixels: 210 mm less two margins of 15 mm
A4_HEIGHT = 990  # 297 mm less margins of 16 and 18 mm


@pytest.fixture(scope="module")
def report():
    """Thirteen attributes and a long word in the notes."""
    notes = fmd.Decision("reject", "Ann", notes="A word of " + "x" * 500)
    return replace(cache.study(REVIEW).evidence(None, AIM), decision=notes)


def test_the_report_fits_on_a4(chromium, report, tmp_path):
    (tmp_path / "report.html").write_text(fmd.render_report(report))
    page = chromium.new_page(viewport={"width": A4_INSIDE, "height": 900})
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto((tmp_path / "report.html").as_uri())
    page.emulate_media(media="print", color_scheme="dark")
    assert page.evaluate("document.documentElement.scrollWidth") <= A4_INSIDE
    wide = page.locator(".scroll").evaluate_all(
        "all => all.filter(e => e.scrollWidth > e.clientWidth).length"
    )
    assert wide == 0
    paper = "getComputedStyle(document.body).backgroundColor"
    assert page.evaluate(paper) == "rgb(255, 255, 255)"  # light, whatever the screen is
    opening = page.locator("header.one").bounding_box()
    assert opening["height"] <= A4_HEIGHT
    pages = len(re.findall(rb"/Type\s*/Page\b", page.pdf(format="A4", prefer_css_page_size=True)))
    assert 3 <= pages <= 12
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []
    digits = cache.study(Review())
    (tmp_path / "report.html").write_text(fmd.render_report(digits.evidence(digits.path().suggested)))
    page.reload()
    assert page.locator("header.one").bounding_box()["height"] <= A4_HEIGHT
    page.close()
