"""Rebuild assets/tour.webp, the moving picture that opens the README: the tour, played in a real browser.

python assets/take_tour.py
"""

from __future__ import annotations

import io
import signal
import sys
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, expect, sync_playwright

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from app.frame import tour  # noqa: E402
from tests.benchmarks.app_speed import start_server, wait_for_health  # noqa: E402
from tests.browser import FLAGS  # noqa: E402
from tests.ensure_browser import find  # noqa: E402

SIZE = 1280, 800
SHOWN = 960, 600  # pixels of the moving picture
STILL_MS, FIRST_MS, SETTLED_MS = 3_600, 2_200, 1_800
QUALITY = 72


def shot(page: Page) -> Image.Image:
    """The screen, once nothing moves any more."""
    page.wait_for_timeout(SETTLED_MS)
    picture = Image.open(io.BytesIO(page.screenshot()))
    return picture.convert("RGB").resize(SHOWN, Image.Resampling.LANCZOS)


def play(page: Page, url: str) -> list[Image.Image]:
    """Every stop of the tour."""
    page.goto(url)
    page.get_by_text("% of 450 held-out").wait_for(timeout=120_000)
    seen = [shot(page)]
    page.get_by_role("button", name="Take the tour").click()
    for number, stop in enumerate(tour.STOPS, 1):
        expect(page.get_by_text(f"{number} of {len(tour.STOPS)}")).to_be_visible(timeout=60_000)
        expect(page.get_by_text(stop.title, exact=True).first).to_be_visible()
        expect(page.get_by_test_id("stApp")).to_have_attribute(
            "data-test-script-state", "notRunning", timeout=60_000
        )
        expect(page.get_by_test_id("stSkeleton")).to_have_count(0)
        if stop.page == "harmful":
            expect(
                page.get_by_role("list", name="Harmful training digits").get_by_role("button")
            ).to_have_count(50)
            expect(page.get_by_text("% done")).to_have_count(0, timeout=120_000)  # the whole page is there
        seen.append(shot(page))
        if number < len(tour.STOPS):
            page.get_by_role("button", name="Next", exact=True).click()
    return seen


def main() -> None:
    """Serve, play, write."""
    process, url, _ = start_server()
    try:
        wait_for_health(url)
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=find(), args=FLAGS)
            page = browser.new_page(viewport={"width": SIZE[0], "height": SIZE[1]}, color_scheme="light")
            frames = play(page, url)
            browser.close()
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(20)
    target = ROOT / "assets" / "tour.webp"
    times = [FIRST_MS, *[STILL_MS] * (len(frames) - 1)]
    frames[0].save(target, save_all=True, append_images=frames[1:], duration=times, loop=0, quality=QUALITY)
    print(f"{target}: {target.stat().st_size / 1e6:.1f} MB, {len(frames)} frames")


if __name__ == "__main__":
    main()
