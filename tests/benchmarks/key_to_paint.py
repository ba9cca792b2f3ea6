"""From a key on the strength slider of the Fix page to the frame that shows what it did, in Chromium.

    python tests/benchmarks/key_to_paint.py [--data celeba --model ID] [--moves 60] [--rounds 3] [--profile FILE]

Wall times are the browser's own, from the key event to after the frame: of the twins' captions and the ring on the
curve, and of all that the move changes. Beside them what a move costs, which a busy machine changes less: processor
time of the page's main thread and of the server, messages and bytes. The quietest round counts, its load is said.
Prints a Markdown table. Nothing is asserted.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
from playwright.sync_api import CDPSession, Page, sync_playwright

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from tests.browser import FLAGS, Visitor  # noqa: E402
from tests.ensure_browser import find  # noqa: E402
from tests.raw_session import Server  # noqa: E402

AT_REST_MS = 400  # without a change in the page: the move is over
AT_REST_S = 0.3
"""CPU that a server takes in four seconds when it loads nothing."""
WATCH = """() => {
  const painted = window.painted = {};
  const soon = new Set();
  const frame = (name) => {
    if (!soon.size) requestAnimationFrame(() => {
      const after = new MessageChannel();  // comes after the frame
      after.port1.onmessage = () => {
        for (const part of soon) painted[part] = performance.now();
        soon.clear();
      };
      after.port2.postMessage(0);
    });
    soon.add(name);
  };
  const what = { subtree: true, childList: true, characterData: true, attributes: true };
  const watch = (node, name) => new MutationObserver(() => frame(name)).observe(node, what);
  watch(document.querySelector('[data-testid=stMainBlockContainer]'), 'all');
  const inner = (node) => [...node.querySelectorAll('*')].map((e) => e.shadowRoot).filter(Boolean);
  for (const root of inner(document)) {
    const stage = root.querySelector('.stage');
    watch(root, 'all');
    if (stage) watch(stage, 'captions');
  }
  watch(document.querySelector('.fmd-ring').parentElement, 'ring');
  addEventListener('keydown', (event) => {
    for (const name of Object.keys(painted)) delete painted[name];
    window.pressed = event.timeStamp;
  }, { capture: true });
}"""
REST = """(quiet) => new Promise((done) => {
  const look = () => {
    const last = Math.max(window.pressed, ...Object.values(window.painted));
    performance.now() - last > quiet ? done({ ...window.painted, pressed: window.pressed }) : setTimeout(look, 20);
  };
  look();
})"""


@dataclass(frozen=True)
class Move:
    """What one move took, all in milliseconds but the last two."""

    seen: float
    """Captions and ring."""
    whole: float
    browser: float
    server: float
    messages: int
    kilobytes: float


class Wire:
    """Counts what the server sends."""

    def __init__(self, page: Page) -> None:
        self.messages, self.bytes = 0, 0
        page.on("websocket", lambda socket: socket.on("framereceived", self._count))

    def _count(self, frame: bytes | str) -> None:
        self.messages += 1
        self.bytes += len(frame)


def main_thread(session: CDPSession) -> float:
    """Processor milliseconds of the page's main thread so far."""
    metrics = session.send("Performance.getMetrics")["metrics"]
    return 1000 * next(metric["value"] for metric in metrics if metric["name"] == "TaskDuration")


def moves(
    page: Page, visitor: Visitor, wire: Wire, server: psutil.Process, keys: list[str]
) -> Iterator[Move]:
    """Press the keys on the slider, one after the other, each when the page is at rest."""
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable", {"timeDomain": "threadTicks"})
    slider = page.get_by_role("slider", name="Strength")
    slider.focus()
    for key in keys:
        page.wait_for_timeout(300)
        sent, size = wire.messages, wire.bytes
        browser, worked = main_thread(session), sum(server.cpu_times()[:2])
        visitor.act(lambda key=key: slider.press(key))
        times = page.evaluate(REST, AT_REST_MS)
        begun = times.pop("pressed")
        took = {name: time - begun for name, time in times.items()}
        yield Move(
            max(took.get("captions", 0.0), took["ring"]),
            max(took.values()),
            main_thread(session) - browser,
            1000 * (sum(server.cpu_times()[:2]) - worked),
            wire.messages - sent,
            (wire.bytes - size) / 1024,
        )


@contextmanager
def fix_page(
    url: str, query: str, server: psutil.Process, *, loading: bool
) -> Iterator[tuple[Page, Visitor, Wire]]:
    """The Fix page in a browser of its own, at rest; `loading` does not wait for what the server loads ahead."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find(), args=FLAGS, timeout=90_000)
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.set_default_timeout(240_000)
        visitor, wire = Visitor(page, url), Wire(page)
        page.goto(f"{url}/unlearn?{query}", wait_until="commit")
        page.locator(".fmd-ring").wait_for(state="attached")
        page.locator(".stage .twin").first.wait_for()
        page.wait_for_timeout(6_000)
        while not loading and worked_in(server, page, 4_000) > AT_REST_S:
            pass
        page.evaluate(WATCH)
        try:
            yield page, visitor, wire
        finally:
            browser.close()


def worked_in(server: psutil.Process, page: Page, milliseconds: int) -> float:
    """Seconds of CPU that a server takes in that time."""
    before = sum(server.cpu_times()[:2])
    page.wait_for_timeout(milliseconds)
    return sum(server.cpu_times()[:2]) - before


def there_and_back(page: Page, wanted: int) -> list[str]:
    """So many keys over all stops of the slider."""
    stops = int(page.get_by_role("slider", name="Strength").get_attribute("max") or 1)
    way = ["ArrowRight"] * stops + ["ArrowLeft"] * stops
    return [way[at % len(way)] for at in range(wanted)]


def row(name: str, done: list[Move], load: float) -> str:
    """One line of the table."""

    def two(values: list[float]) -> str:
        ordered = sorted(values)
        p95 = ordered[min(len(ordered) - 1, round(0.95 * len(ordered)))]
        return f"{statistics.median(ordered):.0f} / {p95:.0f}"

    cells = [
        two([m.seen for m in done]),
        two([m.whole for m in done]),
        two([m.browser for m in done]),
        f"{statistics.mean(m.server for m in done):.0f}",
        f"{statistics.mean(m.messages for m in done):.0f}",
        f"{statistics.mean(m.kilobytes for m in done):.0f}",
        f"{load:.1f}",
    ]
    return f"| {name} | {len(done)} | {' | '.join(cells)} |"


HEAD = (
    "| moves | n | captions and ring, ms: median / p95 | all of it, ms: median / p95 | "
    "main thread, CPU ms: median / p95 | server, CPU ms | messages | KiB | load |\n"
    "|---|---|---|---|---|---|---|---|---|"
)


def profiled(page: Page, visitor: Visitor, wire: Wire, server: psutil.Process, file: Path) -> None:
    """Twenty more moves with the browser's own sampling profiler; opens in any Chromium's developer tools."""
    session = page.context.new_cdp_session(page)
    session.send("Profiler.enable")
    session.send("Profiler.start")
    list(moves(page, visitor, wire, server, there_and_back(page, 20)))
    file.write_text(json.dumps(session.send("Profiler.stop")["profile"]))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", default="colored_digits")
    parser.add_argument("--model", default="")
    parser.add_argument("--home", type=Path, help="FMD_HOME with the model; a new one where it is left out")
    parser.add_argument("--moves", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--profile", type=Path)
    parser.add_argument("--loading", action="store_true", help="begin while the server still loads ahead")
    asked = parser.parse_args()
    query = f"data={asked.data}" + (f"&model={asked.model}" if asked.model else "")
    lines = [HEAD]
    with tempfile.TemporaryDirectory() as scratch:
        server = Server(asked.home or Path(scratch))
        process = psutil.Process(server.process.pid)
        try:
            with fix_page(f"http://127.0.0.1:{server.port}", query, process, loading=asked.loading) as (
                page,
                visitor,
                wire,
            ):
                for number in range(asked.rounds):
                    done = list(moves(page, visitor, wire, process, there_and_back(page, asked.moves)))
                    lines.append(row(f"{asked.data}, round {number + 1}", done, os.getloadavg()[0]))
                    print(lines[-1], file=sys.stderr, flush=True)
                if asked.profile:
                    profiled(page, visitor, wire, process, asked.profile)
        finally:
            server.stop()
    print("\n".join(lines))


if __name__ == "__main__":
    main()
