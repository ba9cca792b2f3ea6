"""The real server and a real Chromium.

Reruns are awaited by counting `script_finished` messages on the websocket, which React cannot
coalesce away; every request that leaves this machine fails the test.
"""

import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest
from playwright.sync_api import expect, sync_playwright
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

from tests.ensure_browser import find

ROOT = Path(__file__).parents[1]
FLAGS = [
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


expect.set_options(timeout=60_000)  # the first visitor may come while the libraries still load


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    """Address of a freshly started dashboard; its log must end without a traceback."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log, url = tmp_path_factory.mktemp("server") / "log", f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "streamlit", "run", "app/server.py", "--server.port", str(port)]
    with log.open("wb") as out:
        process = subprocess.Popen(
            command, cwd=ROOT, stdout=out, stderr=subprocess.STDOUT, start_new_session=True
        )
    wait_for_health(process, url, log)
    yield url
    process.send_signal(signal.SIGINT)
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    assert "Traceback" not in log.read_text(), log.read_text()


def wait_for_health(process, url, log):
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text()
        try:
            with urllib.request.urlopen(f"{url}/_stcore/health", timeout=2) as answer:
                if answer.status == 200:
                    return
        except OSError:
            time.sleep(0.1)
    process.kill()
    pytest.fail("no health in 90 s:\n" + log.read_text())


@pytest.fixture(scope="session")
def chromium():
    path = find()
    assert path, "no Chromium: run `python tests/ensure_browser.py`"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS, timeout=90_000)
        yield browser
        browser.close()


ON_THE_WAY = {
    "Data": ("Data & model", "Data"),
    "Model": ("Data & model", "Model"),
    "Find bias": ("Find",),
    "Harmful samples": ("Look",),
    "Twins": ("Look", "Twins"),
    "Unlearn": ("Fix",),
    "Report": ("Report",),
}
"""The links that lead to a page, one after the other; what is not here lies under "More"."""


def way_to(page, name):
    """Press the links on the way to a page but for the last, which is returned."""
    way = ON_THE_WAY.get(name)
    if way is None:
        if not page.get_by_role("link", name=name, exact=True).count():
            page.get_by_role("button", name="More", exact=True).click()
        return page.get_by_role("link", name=name, exact=True)
    for link in way[:-1]:
        if not page.get_by_role("link", name=way[-1], exact=True).count():
            page.get_by_role("link", name=link, exact=True).click()
    return page.get_by_role("link", name=way[-1], exact=True)


class Visitor:
    """A browser page on the dashboard."""

    def __init__(self, page, base):
        self.page, self.base, self.finished, self.outside, self.errors = page, base, 0, [], []
        page.on("websocket", lambda socket: socket.on("framereceived", self._count))
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.route("**/*", self._guard)

    def _guard(self, route):
        if route.request.url.startswith((self.base, "data:", "blob:")):
            route.continue_()
        else:
            self.outside.append(route.request.url)
            route.abort()

    def _count(self, frame):
        if isinstance(frame, bytes):
            message = ForwardMsg()
            message.ParseFromString(frame)
            self.finished += message.WhichOneof("type") == "script_finished"

    def act(self, action, timeout=60):
        """Do something that causes a rerun; return when it is finished and painted."""
        before, start = self.finished, time.monotonic()
        action()
        while self.finished <= before:
            assert time.monotonic() - start < timeout, "no rerun finished"
            self.page.wait_for_timeout(10)
        # Not `expect`, which looks again only after 100 ms and would hide how fast a rerun is.
        app = self.page.get_by_test_id("stApp")
        while app.get_attribute("data-test-script-state") != "notRunning":
            assert time.monotonic() - start < timeout, "the page went on running"
            self.page.wait_for_timeout(5)
        self.page.evaluate("() => new Promise(r => requestAnimationFrame(() => requestAnimationFrame(r)))")

    def open(self, path=""):
        """Load a page of the dashboard."""
        self.act(lambda: self.page.goto(f"{self.base}/{path}"))
        return self

    def go(self, name):
        """Go to a page by the steps on top."""
        link = way_to(self.page, name)
        self.act(link.click)

    def follow(self, name):
        """Press the page's next button."""
        self.act(lambda: self.page.get_by_role("button", name=name).first.click())


@pytest.fixture
def visit(chromium, server):
    """A function that brings a new visitor; afterwards nothing may have gone wrong unseen."""
    visitors = []

    def come(width=1440, height=900, theme="light"):
        context = chromium.new_context(
            viewport={"width": width, "height": height}, color_scheme=theme, accept_downloads=True
        )
        context.set_default_timeout(60_000)
        visitors.append(Visitor(context.new_page(), server))
        return visitors[-1]

    yield come
    for visitor in visitors:
        exceptions = visitor.page.get_by_test_id("stException").count()
        visitor.page.context.close()
        assert (visitor.errors, visitor.outside, exceptions) == ([], [], 0)
