"""How fast the dashboard feels: first paint, reruns, slider moves and page switches in Chromium.

    python tests/benchmarks/app_speed.py [--loaded] [--quick]

With `--loaded`, what follows the first finding waits until the background loading is over; `--quick` shows with few
moves that everything works.
Prints a Markdown table and keeps it in tests/benchmarks/results/. Nothing is asserted.
"""

from __future__ import annotations

import gc
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import psutil
from playwright.sync_api import Locator, Page, sync_playwright
from streamlit.testing.v1 import AppTest
from threadpoolctl import threadpool_limits

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from app import cache  # noqa: E402
from app.record.review import Review  # noqa: E402
from app.serving import warmup  # noqa: E402
from tests.benchmarks.timing import blas, results_folder  # noqa: E402
from tests.browser import FLAGS, Visitor, way_to  # noqa: E402
from tests.ensure_browser import find  # noqa: E402

QUICK = "--quick" in sys.argv
MOVES = 3 if QUICK else 30


def start_server() -> tuple[subprocess.Popen[bytes], str, float]:
    """Process, address, and the moment of its start."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    home = tempfile.mkdtemp(prefix="fmd-bench-")  # nobody's reviews are in it
    begun = time.perf_counter()
    command = [sys.executable, "-m", "streamlit", "run", "app/server.py", "--server.port", str(port)]
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=os.environ | {"FMD_HOME": home},
    )
    return process, f"http://127.0.0.1:{port}", begun


def wait_for_health(url: str) -> None:
    """Until the server answers."""
    while True:
        try:
            with urllib.request.urlopen(f"{url}/_stcore/health", timeout=2):
                return
        except OSError:
            time.sleep(0.02)


def wait_until_idle(process: subprocess.Popen[bytes]) -> None:
    """Until the server has loaded in the background what it loads."""
    server = psutil.Process(process.pid)
    while True:
        before = sum(server.cpu_times()[:2])
        time.sleep(4)
        if sum(server.cpu_times()[:2]) - before < 0.3:
            return


def timed(visitor: Visitor, action) -> float:
    """Milliseconds from the action until its rerun is finished and painted."""
    begun = time.perf_counter()
    visitor.act(action)
    return 1000 * (time.perf_counter() - begun)


WATCH = """selector => {
  const look = () => [...document.querySelectorAll(selector)].at(-1)?.outerHTML;
  const old = look();
  window.moved = new Promise(done => addEventListener('keydown', event => {
    const begun = event.timeStamp;
    const next = () => requestAnimationFrame(() => look() && look() !== old ? done(performance.now() - begun) : next());
    next();
  }, {once: true, capture: true}));
}"""

MOVED = """() => Promise.race([
  window.moved, new Promise((_, no) => setTimeout(() => no('nothing looked different for 20 s'), 20000)),
])"""


def moves(visitor: Visitor, page: Page, slider: Locator, keys: list[str], selector: str) -> list[float]:
    """Milliseconds from each key press on a slider to the frame in which the last element of
    `selector` looks different, by the browser's own clock."""
    times = []
    for key in keys:
        page.evaluate(WATCH, selector)
        visitor.act(lambda key=key: slider.press(key))
        times.append(page.evaluate(MOVED))
    return times


PAINTED = """k => new Promise(done => {
  const begun = performance.now();
  const next = () => {
    const roots = [...document.querySelectorAll('*')].map(e => e.shadowRoot).filter(Boolean);  // of components
    const shown = 'ul.gallery[aria-label="Harmful training digits"] img';  // not those of the panel beside it
    const pictures = roots.flatMap(root => [...root.querySelectorAll(shown)]);
    const all = pictures.length === k && pictures.every(p => p.complete && p.naturalWidth);
    all ? requestAnimationFrame(() => done(performance.now() - begun)) : requestAnimationFrame(next);
  };
  next();
})"""


def galleries(page: Page, k: int) -> list[float]:
    """Milliseconds from Enter in the field K to the frame in which every picture is decoded, three times
    from another K, by the browser's own clock."""
    field, times = page.get_by_role("spinbutton", name="How many", exact=True), []
    for _ in range(3):
        for size in (10, k):
            field.fill(str(size))
            field.press("Enter", no_wait_after=True)
            took = page.evaluate(PAINTED, size)
        times.append(took)
    return times


def row(name: str, times: list[float]) -> str:
    """One line of the table."""
    ordered = sorted(times)
    p95 = ordered[min(len(ordered) - 1, round(0.95 * len(ordered)))]
    return f"| {name} | {len(times)} | {statistics.median(times):.0f} | {p95:.0f} |"


def server_moves() -> list[float]:
    """Milliseconds of server time per strength, first visits: the whole page by AppTest, without
    a browser, on one BLAS thread as in the server."""
    threadpool_limits(1, user_api="blas")
    warmup._done.set()
    cache.warm(Review())
    cache.warm_scores(Review())  # else the page prepares them in a job
    page = AppTest.from_file(str(ROOT / "app/main.py"), default_timeout=90).run()
    page = page.switch_page("app_pages/unlearn.py").run()
    gc.collect()
    gc.freeze()
    times = []
    for stop in page.select_slider(key="stop_colour_iterated_last layer").options[1:]:
        begun = time.perf_counter()
        page.select_slider(key="stop_colour_iterated_last layer").set_value(stop).run()
        times.append(1000 * (time.perf_counter() - begun))
    return times


def main() -> None:
    """Measure and print."""
    lines = ["| what | n | median ms | p95 ms |", "|---|---|---|---|"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find(), args=FLAGS, timeout=90_000)
        browser.new_page().close()  # the browser's own first start is not ours
        process, url, begun = start_server()
        try:
            wait_for_health(url)
            lines.append(row("server start to health", [1000 * (time.perf_counter() - begun)]))
            page = browser.new_page(viewport={"width": 1440, "height": 900})
            page.set_default_timeout(90_000)
            visitor = Visitor(page, url)
            page.goto(url, wait_until="commit")
            page.get_by_text("Is this classifier biased").first.wait_for()
            words = 1000 * (time.perf_counter() - begun)
            lines.append(row("server start to the first words painted", [words]))
            page.get_by_role("heading", level=1).wait_for()
            heading = 1000 * (time.perf_counter() - begun)
            lines.append(row("server start to the page itself, answering", [heading]))
            page.locator("ul.gallery img").first.wait_for()
            painted = 1000 * (time.perf_counter() - begun)
            lines.append(row("server start to its first picture", [painted]))
            page.get_by_text("% of 450 held-out").wait_for()
            lines.append(row("server start to measured accuracy", [1000 * (time.perf_counter() - begun)]))
            first = timed(visitor, lambda: page.get_by_role("button", name="Find the bias").first.click())
            lines.append(row("click to the first finding", [first]))
            if "--loaded" in sys.argv:
                wait_until_idle(process)
            names = ["Harmful samples", "Unlearn", "Report", "Find bias"] * 5
            switches = [timed(visitor, way_to(page, n).click) for n in names]
            lines.append(row("page switch (first visits included)", switches))
            page.get_by_role("button", name="Limits", exact=True).click()
            slider = page.get_by_role("slider").first
            reruns = moves(visitor, page, slider, ["ArrowRight"] * MOVES, ".annotation-text")
            lines.append(row("threshold move on Find bias to the new chart", reruns))
            visitor.go("Twins")
            page.locator("ul.gallery img").first.wait_for()
            flips = page.get_by_text("Only where the answer flips")
            lines.append(
                row("rerun by a toggle on Twins", [timed(visitor, flips.click) for _ in range(MOVES)])
            )
            visitor.go("Harmful samples")
            lines += [row(f"gallery of {k} pictures painted", galleries(page, k)) for k in (200, 500)]
            visitor.go("Unlearn")
            page.locator(".scatterlayer .trace").first.wait_for()
            slider, ring = page.get_by_role("slider", name="Strength"), ".fmd-ring"
            there_and_back = ["ArrowRight"] * 10 + ["ArrowLeft"] * 10
            for name in ("strength move to new curve painted", "the same strengths again"):
                lines.append(row(name, moves(visitor, page, slider, there_and_back, ring)))
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(20)
            browser.close()
    written(lines)  # whoever stops it keeps what there is
    lines.append(row("server time of a strength move, whole page", server_moves()))
    print(written(lines))


def written(lines: list[str]) -> str:
    """The table so far, left in the results."""
    table = f"BLAS: {blas()}.\n\n" + "\n".join(lines) + "\n"
    results = results_folder(quick=QUICK)
    results.mkdir(parents=True, exist_ok=True)
    (results / "app_speed.md").write_text(table)
    return table


if __name__ == "__main__":
    main()
