"""Copy link and copy figure in a real browser: what is taken away is what is on screen."""

import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from playwright.sync_api import expect

pytestmark = [pytest.mark.browser, pytest.mark.slow]
PNG = b"\x89PNG\r\n\x1a\n"
TEXTS = {  # of each figure, what must be in its file
    "The worst finding": "The model says",
    "What was found": "beyond the limit",
}


def saved(page, label):
    with page.expect_download() as download:
        page.get_by_role("button", name=label, exact=True).click()
    return Path(download.value.path()).read_bytes()


def test_a_figure_is_saved_as_it_is_on_screen(visit):
    visitor = visit().open("find_bias")
    page = visitor.page
    for name, told in TEXTS.items():
        drawing = ET.fromstring(saved(page, f"Save as SVG: {name}"))
        assert told in " ".join("".join(drawing.itertext()).split())
        assert "data:font/woff2" in "".join(drawing.itertext())  # in the page's typeface on any machine
        assert saved(page, f"Save as PNG: {name}").startswith(PNG)
    visitor.go("Unlearn")
    for name, told in (("Who gains, who pays", "served worst"), ("Bias and accuracy", "accuracy")):
        assert told in "".join(ET.fromstring(saved(page, f"Save as SVG: {name}")).itertext())


def test_a_link_is_copied_or_laid_out(visit):
    visitor = visit()
    page = visitor.page
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    visitor.open("find_bias")
    copy = page.get_by_role("button", name="Copy link")
    copy.click()
    expect(page.get_by_text("Copied. It opens this view.")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == page.url
    page.evaluate("history.replaceState(null, '', '?k=20&job=ours')")  # while work of this visitor goes on
    page.evaluate("navigator.clipboard.writeText('nothing yet')")
    copy.click()
    copied = "nothing yet"
    while copied == "nothing yet":  # `wait_for_function` takes a promise for yes
        page.wait_for_timeout(50)
        copied = page.evaluate("navigator.clipboard.readText()")
    assert copied.endswith("/find_bias?k=20")
    page.evaluate("history.replaceState(null, '', location.pathname)")
    page.get_by_role("button", name="Copy figure: The worst finding").click()
    expect(page.get_by_text("Copied.", exact=True)).to_be_visible()
    page.evaluate("Object.defineProperty(navigator, 'clipboard', { value: undefined })")  # as without https
    copy.click()
    expect(page.get_by_label("Address of this view")).to_have_value(page.url)
