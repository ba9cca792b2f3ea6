"""Rebuild assets/screenshots: every page, light and dark, wide and narrow.

python assets/take_screenshots.py [--whole] [page ...]
"""

from __future__ import annotations

import re
import signal
import sys
from pathlib import Path

from playwright.sync_api import Page, expect, sync_playwright

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from tests.benchmarks.app_speed import start_server, wait_for_health  # noqa: E402
from tests.browser import FLAGS  # noqa: E402
from tests.ensure_browser import find  # noqa: E402

PAGES = {
    "start": "",
    "data": "data",
    "model": "model",
    "find_bias": "find_bias",
    "twins": "twins",
    "harmful": "harmful",
    "unlearn": "unlearn",
    "feature_unlearning": "feature_unlearning",
    "compare": "compare",
    "report": "report",
    "language_model": "language_model",
    "method": "method",
}
LOOKS = [("light", 1440, 900), ("dark", 1440, 900), ("light", 390, 844), ("dark", 390, 844)]
SETTLED_MS = 1_500  # charts and pictures load after the text


def prepare(page: Page, name: str) -> None:
    """Bring a page into the state worth showing."""
    page.get_by_role("heading", level=1).first.wait_for()
    expect(page.get_by_text("Getting the demo ready.")).to_have_count(0, timeout=90_000)
    if name == "start":
        page.get_by_text("% of 450 held-out").wait_for()
    if name == "model":
        while not page.get_by_role("heading", level=1, name="Right for").count():  # it is being read still
            page.wait_for_timeout(2_000)
            page.reload()
            page.get_by_role("heading", level=1).first.wait_for()
    if name == "harmful":
        page.get_by_role("list", name="Harmful training digits").get_by_role("button").first.click()
        page.get_by_text("Fitted again without it").wait_for()
    if name == "feature_unlearning":
        page.get_by_role("heading", name="What it does to the answers").wait_for()
    if name == "compare":
        page.get_by_role("button", name="Make a variant").click()
        page.get_by_role("button", name="Apply our suggestion").click()
        expect(page).to_have_url(re.compile("review="))  # the variant is kept, whoever opens that address
        page.goto(page.url.replace("/unlearn", "/compare"))
        page.get_by_role("heading", name="Variants that you kept").wait_for()
    if name == "unlearn":
        page.get_by_role("button", name="Go to our suggestion").click()
        page.get_by_role("heading", name="The colour bias falls").wait_for()


def main() -> None:
    """Take every screenshot."""
    folder = ROOT / "assets" / "screenshots"
    folder.mkdir(exist_ok=True)
    process, url, _ = start_server()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find(), args=FLAGS, timeout=90_000)
        wait_for_health(url)
        for theme, width, height in LOOKS:
            page = browser.new_page(viewport={"width": width, "height": height}, color_scheme=theme)
            page.set_default_timeout(90_000)
            chosen = [name for name in PAGES if name in sys.argv] or list(PAGES)
            for name, path in ((name, PAGES[name]) for name in chosen):
                page.set_viewport_size({"width": width, "height": height})
                page.goto(f"{url}/{path}")
                prepare(page, name)
                expect(page.get_by_test_id("stSkeleton")).to_have_count(0)
                page.wait_for_timeout(SETTLED_MS)
                tall = page.evaluate("document.querySelector('[data-testid=stMain]').scrollHeight")
                if "--whole" in sys.argv:
                    page.set_viewport_size({"width": width, "height": min(tall, 6_000)})
                    page.wait_for_timeout(SETTLED_MS)
                page.evaluate("document.querySelector('[data-testid=stMain]').scrollTo(0, 0)")
                page.screenshot(path=folder / f"{name}_{theme}_{width}.png")
            page.close()
        browser.close()
    process.send_signal(signal.SIGINT)
    process.wait(20)


if __name__ == "__main__":
    main()
