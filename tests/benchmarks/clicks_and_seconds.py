"""How many clicks, and how long after them, from the first page to a finding and to a report, in Chromium.

    python tests/benchmarks/clicks_and_seconds.py [--celeba-home FOLDER]

FOLDER is an FMD_HOME with a model that was trained on CelebA (`fmd train celeba`), with FMD_DATA_DIR naming the
pictures. The server has loaded what it loads ahead. Clicks are counted by the page, seconds run by its clock from the
press of the button to the frame that shows the finding. Prints a Markdown table. Nothing is asserted.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil
from playwright.sync_api import Browser, sync_playwright

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from tests.browser import FLAGS  # noqa: E402
from tests.ensure_browser import find  # noqa: E402
from tests.raw_session import Server, Visitor  # noqa: E402

COUNT = """
window.clicks = 0;
addEventListener('click', (event) => { window.clicks += event.isTrusted; }, true);
addEventListener('pointerdown', (event) => { window.pressed = event.timeStamp; }, true);
"""
SEEN = """(wanted) => new Promise((done) => {
  const look = () => {
    const found = document.querySelector(wanted.of)?.textContent.trim();
    if (!found || !location.pathname.endsWith(wanted.page)) return requestAnimationFrame(look);
    const after = new MessageChannel();  // comes after the frame
    after.port1.onmessage = () => done([performance.now() - window.pressed, found]);
    requestAnimationFrame(() => after.port2.postMessage(0));
  };
  look();
})"""
FINDING = {"of": ".st-key-answer h1", "page": "find_bias"}
REPORT = {"of": "[data-testid=stMain] h1", "page": "report"}
FIRST = {"of": "h1", "page": ""}
DIGITS = ("Find the bias",)
REVIEW = (
    "Find the bias",
    "Look at who taught it that",
    "Take it out",
    "Apply our suggestion",
    "Write the report",
)
CELEBA = ("Choose data", "Open this data", "Find the bias")
TIMES = 5


@dataclass(frozen=True)
class Way:
    """What one visit took."""

    clicks: int
    last: float
    """Seconds from the last press."""
    shows: str


def walk(browser: Browser, url: str, buttons: Sequence[str], wanted: dict[str, str]) -> Way:
    """A new visitor presses the buttons, by name or selector, one after the other, as soon as each is there."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    context.set_default_timeout(240_000)
    try:
        page = context.new_page()
        page.add_init_script(COUNT)
        page.goto(url)
        for name in buttons:
            asked = (
                page.locator(name) if name.startswith(".") else page.get_by_role("button", name=name).first
            )
            asked.click()
        milliseconds, shows = page.evaluate(SEEN, wanted)
        return Way(page.evaluate("window.clicks"), milliseconds / 1000, shows)
    finally:
        context.close()


def wait_until_loaded(server: Server) -> None:
    """Until the server does nothing ahead any more."""
    visitor = Visitor(server)
    visitor.go("")
    visitor.close()
    process = psutil.Process(server.process.pid)
    while True:
        before = sum(process.cpu_times()[:2])
        time.sleep(4)
        if sum(process.cpu_times()[:2]) - before < 0.3:
            return


def row(name: str, ways: list[Way]) -> str:
    """One line of the table."""
    seconds = [way.last for way in ways]
    clicks = "/".join(sorted({str(way.clicks) for way in ways}))
    load = os.getloadavg()[0]
    return (
        f"| {name} | {len(ways)} | {clicks} | {statistics.median(seconds):.2f} | {max(seconds):.2f} | "
        f"{load:.1f} | {ways[0].shows} |"
    )


def measured(home: Path, visits: Sequence[tuple[str, Callable[[Browser, str], Way]]]) -> list[str]:
    """The lines of a server of its own."""
    server, lines = Server(home), []
    try:
        wait_until_loaded(server)
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=find(), args=FLAGS, timeout=90_000)
            walk(browser, f"http://127.0.0.1:{server.port}", (), FIRST)  # the browser's own first start
            for name, visit in visits:
                lines.append(
                    row(name, [visit(browser, f"http://127.0.0.1:{server.port}") for _ in range(TIMES)])
                )
                print(lines[-1], file=sys.stderr, flush=True)
            browser.close()
    finally:
        server.stop()
    return lines


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--celeba-home", type=Path)
    asked = parser.parse_args()
    lines = [
        "| way | n | clicks | seconds after the last, median | largest | load | what is read then |",
        "|---|---|---|---|---|---|---|",
    ]
    with tempfile.TemporaryDirectory() as scratch:
        lines += measured(
            Path(scratch),
            [
                ("digits, first page to the finding", lambda b, url: walk(b, url, DIGITS, FINDING)),
                (
                    "digits, first page to the report",
                    lambda b, url: walk(b, url, REVIEW, REPORT),
                ),
            ],
        )
    if asked.celeba_home:
        celeba = [
            (
                "CelebA with a trained model, first page to the finding",
                lambda b, url: walk(b, url, CELEBA, FINDING),
            )
        ]
        lines += measured(asked.celeba_home, celeba)
    print("\n".join(lines))


if __name__ == "__main__":
    main()
