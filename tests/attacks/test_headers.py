"""The security headers on every kind of answer, and the content security policy in force on every page."""

import base64
import hashlib
import re
import urllib.request
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import expect
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from app.server import HEADERS, _is_own, _refusal
from app.session import access
from tests.attacks.test_server import ask, stranger, stream  # noqa: F401
from tests.browser import way_to

pytestmark = pytest.mark.slow  # starts servers

PAGES = {
    "Data": "data", "Model": "model", "Find bias": "find_bias", "Twins": "twins", "Harmful samples": "harmful",
    "Unlearn": "unlearn", "Feature unlearning": "feature_unlearning", "Compare": "compare", "Report": "report",
    "Method & glossary": "method",
}  # fmt: skip
KINDS = ("/", "/static/js/", "/static/css/", "/app/static/", "/_stcore/", "/media/", "/_stcore/upload_file/")
TABLE = "age,sex,hired\n" + "".join(f"{20 + i % 40},{'fm'[i % 2]},{'yn'[i % 3 == 0]}\n" for i in range(60))


class Watched:
    """A visitor whose console and answers are kept."""

    def __init__(self, visitor):
        self.visitor, self.page, self.answers, self.said = visitor, visitor.page, [], []
        self.page.on("response", lambda answer: self.answers.append(answer))
        self.page.on("console", lambda message: self.said.append(message.text))

    def open(self, page):
        self.visitor.open(page)
        self.settled()

    def go(self, page):
        way_to(self.page, page).click()
        expect(self.page).to_have_url(re.compile(f"/{PAGES[page]}\\b"))
        self.settled()

    def settled(self):
        expect(self.page.get_by_test_id("stMain").get_by_role("heading", level=1).first).to_be_visible()
        expect(self.page.get_by_test_id("stSkeleton")).to_have_count(0)
        self.page.wait_for_load_state("load")
        self.page.wait_for_timeout(500)  # not "networkidle", which a busy machine may never reach


@pytest.mark.browser
def test_no_page_breaks_the_policy_and_every_answer_carries_the_headers(visit, server):
    watched = Watched(visit())
    for page in ("method", ""):
        watched.open(page)
    for page in PAGES:
        watched.go(page)
    page = watched.page
    way_to(page, "Data").click()
    page.get_by_role("radio", name="Your table").click()
    with page.expect_response(lambda answer: answer.request.method == "PUT") as sent:
        page.get_by_test_id("stFileUploaderDropzoneInput").set_input_files(
            {"name": "people.csv", "mimeType": "text/csv", "buffer": TABLE.encode()}
        )
    assert sent.value.status == 204
    way_to(page, "Harmful samples").click()
    with page.expect_download() as loaded:
        page.get_by_role("button", name="Download all scores as CSV").click()
    media = page.request.get(loaded.value.url)
    assert media.status == 200
    answers = [(answer.url, answer.headers) for answer in (*watched.answers, media)]
    paths = {urlsplit(url).path for url, _ in answers if url.startswith(server)}
    assert all(any(path.startswith(kind) for path in paths) for kind in KINDS)
    wanting = {
        urlsplit(url).path
        for url, headers in answers
        if url.startswith(server) and any(headers.get(name) != value for name, value in HEADERS.items())
    }
    assert not wanting
    # Streamlit's one inline script, by its hash: it sets a flag for search engines' crawlers. A browser that asks for
    # a document gets one of ours too, which the policy knows.
    inline = re.findall(r"<script>(.*?)</script>", urllib.request.urlopen(server).read().decode(), re.DOTALL)
    assert [script.strip() for script in inline] == ["window.prerenderReady = false"]
    known = base64.b64encode(hashlib.sha256(inline[0].encode()).digest()).decode()
    violations = [text for text in watched.said if "Content Security Policy" in text or "violates" in text]
    assert len([text for text in violations if known in text]) == 2  # once a document: the policy is in force
    assert [text for text in violations if known not in text] == []


@pytest.mark.browser
def test_the_policy_stops_a_script_a_frame_a_form_and_a_message_to_elsewhere(visit):
    watched = Watched(visit())
    watched.open("method")
    done = watched.page.evaluate(
        """async () => {
          const blocked = new Set();
          document.addEventListener('securitypolicyviolation', e => blocked.add(e.effectiveDirective));
          const add = (tag, set) => {
            const made = Object.assign(document.createElement(tag), set);
            document.body.append(made);
            return made;
          };
          add('script', { textContent: 'window.broken = 1' });
          add('iframe', { src: 'http://127.0.0.1:9/' });
          add('img', { src: 'http://127.0.0.1:9/x.png' });
          add('object', { data: 'http://127.0.0.1:9/x' });
          add('form', { action: 'http://127.0.0.1:9/', method: 'post' }).submit();
          try { new WebSocket('ws://127.0.0.1:9/'); } catch {}
          await fetch('http://127.0.0.1:9/').catch(() => {});
          setTimeout(() => (0, eval)('window.broken = 2'));  // later: the debugger's own code may evaluate
          for (let look = 0; look < 100 && blocked.size < 7; look++) await new Promise(r => setTimeout(r, 100));
          return [window.broken ?? 0, [...blocked].sort()];
        }"""
    )
    watched.visitor.errors = [e for e in watched.visitor.errors if "unsafe-eval" not in e]
    assert done == [
        0, ["connect-src", "form-action", "frame-src", "img-src", "object-src", "script-src", "script-src-elem"],
    ]  # fmt: skip


# --- other sites


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "http://127.0.0.1:1", "http://localhost:3000", "file://"]
)
def test_another_site_is_refused_before_streamlit_looks_it_up(server, stranger, origin):  # noqa: F811
    for path in ("/", "/_stcore/health", "/_stcore/host-config", "/app/static/Inter.woff2"):
        assert ask(server, "GET", path, {"Origin": origin})[::2] == (
            403,
            b"This request comes from another site.",
        )
    assert stranger.put(server, {"Origin": origin, "Content-Length": "3"}, b"abc")[0] == 403
    with pytest.raises(InvalidStatus) as refused, connect(stream(server), origin=origin):
        pass
    assert (refused.value.response.status_code, refused.value.response.body) == (
        403, b"This request comes from another site.",
    )  # fmt: skip


def test_our_own_pages_are_let_in(server):
    assert ask(server, "GET", "/_stcore/health", {"Origin": server})[0] == 200
    with connect(stream(server), origin=server):
        pass


@pytest.mark.parametrize(
    ("origin", "host", "own"),
    [
        ("https://studio.example", "studio.example", True), ("https://studio.example", "studio.example:443", True),
        ("http://studio.example:8501", "studio.example:8501", True), ("http://STUDIO.example", "studio.example", True),
        ("http://[::1]:8501", "[::1]:8501", True), ("http://studio.example", "studio.example:8501", False),
        ("https://studio.example", "studio.example:80", False),
        ("https://studio.example.evil", "studio.example", False),
        ("https://studio.example@evil.example", "studio.example", False), ("http://a:x", "a:x", False),
        ("", "studio.example", False), ("chrome-extension://abc", "abc", False), ("null", "null", False),
        ("http://studio.example", "", False),
    ],
)  # fmt: skip
def test_a_page_is_ours_when_it_names_the_host_and_port_that_were_asked(origin, host, own):
    assert _is_own(origin, host) is own


# --- what is nobody's to ask for


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "POST"])
@pytest.mark.parametrize(
    "path",
    [
        "/_stcore/metrics", "/_stcore/metrics/", "/%5fstcore/metrics", "/find_bias/_stcore/metrics",
        "/_stcore/metrics?families=x",
    ],
)  # fmt: skip
def test_the_server_s_metrics_are_nobody_s(server, method, path):
    status, headers, body = ask(server, method, path)
    assert status == 404
    assert b"TYPE" not in body
    assert headers["x-frame-options"] == "DENY"


def test_with_a_login_only_sessions_that_were_let_in_may_send_files(monkeypatch):
    def put(session):
        return _refusal({"type": "http", "path": f"/base/_stcore/upload_file/{session}/1", "headers": []})

    assert put("abc") is None  # no login here
    monkeypatch.setenv("FMD_REVIEWERS", "anna@example.org")
    monkeypatch.setattr(access, "_admitted", {"known"})
    assert put("known") is None
    assert [put(session)[0] for session in ("abc", "", "known2", "..")] == [403] * 4
