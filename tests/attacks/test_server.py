"""Rows 20, 21 and 25 of the hostile inputs against the real server, without a browser in between; row 22 with one."""

import http.client
import re
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import expect
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.exceptions import InvalidStatus
from websockets.sync.client import ClientConnection, connect

from fmd_core.datasets.families import load_dataset
from fmd_core.models.shelf import keep_model, load_demo_classifier
from tests.browser import way_to

pytestmark = pytest.mark.slow  # starts servers

TEN_GIGABYTES = 10 << 30
LIMIT = 512 << 20  # server.maxUploadSize


def ask(server, method, path, headers=(), body=b""):
    """Status, headers and body of an answer to a request that no client would put right on the way."""
    connection = http.client.HTTPConnection(urlsplit(server).netloc, timeout=20)
    try:
        connection.putrequest(method, path, skip_host="Host" in dict(headers))
        for name, value in dict(headers).items():
            connection.putheader(name, value)
        connection.endheaders(body)
        answer = connection.getresponse()
        return answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read()
    finally:
        connection.close()


@dataclass
class Stranger:
    """A client that speaks to the server as the browser does."""

    cookie: str
    socket: ClientConnection
    session: str = ""

    def look(self, page="", query=""):
        """Everything that the server says of a page."""
        message, said = BackMsg(), []
        message.rerun_script.page_name, message.rerun_script.query_string = page, query
        self.socket.send(message.SerializeToString())
        while True:
            found = ForwardMsg()
            found.ParseFromString(self.socket.recv(timeout=90))
            said.append(str(found))
            if found.WhichOneof("type") == "new_session":
                self.session = found.new_session.initialize.session_id or self.session
            early = ForwardMsg.FINISHED_EARLY_FOR_RERUN
            if found.WhichOneof("type") == "script_finished" and found.script_finished != early:
                return "".join(said)

    def put(self, server, headers, body=b""):
        own = {"Cookie": self.cookie, "X-Xsrftoken": self.cookie.split("=", 1)[1]}
        return ask(server, "PUT", f"/_stcore/upload_file/{self.session}/1", own | headers, body)


@contextmanager
def strangers(server, n=1):
    """So many visitors at once."""
    with ExitStack() as stack:
        found = []
        for _ in range(n):
            cookie = ask(server, "GET", "/_stcore/health")[1]["set-cookie"].split(";")[0]
            told = {
                "additional_headers": {"Cookie": cookie},
                "subprotocols": ["streamlit", cookie.split("=", 1)[1]],
            }
            found.append(
                Stranger(cookie, stack.enter_context(connect(stream(server), max_size=None, **told)))
            )
        yield found


def stream(server):
    return f"ws://{urlsplit(server).netloc}/_stcore/stream"


@pytest.fixture
def stranger(server):
    with strangers(server) as (found,):
        found.look()
        yield found


# --- 20: paths

SECRETS = {"app/main.py": b"set_page_config", "/etc/passwd": b"root:", "fmd_core/home.py": b"FMD_HOME"}
PATHS = (
    "/app/static/../main.py", "/app/static/..%2fmain.py", "/app/static/%2e%2e/main.py", "/app/static/..\\main.py",
    "/app/static/..%5cmain.py", "/app/static/....//main.py", "/app/static//etc/passwd", "/app/static/%2fetc%2fpasswd",
    "/app/static/a%00b", "/app/static/CON", "//host/share", "/app/static//host/share/x",
    "/app/static/%5c%5chost%5cshare", "/media/../../etc/passwd", "/media/..%2f..%2fetc%2fpasswd",
    "/component/x/../../app/main.py",
    "/component/x/%2e%2e/%2e%2e/etc/passwd", "/static/../../../app/main.py", "/app/main.py", "/fmd_core/home.py",
    "/etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "/~/+/../media/x",
)  # fmt: skip


def test_row_20_no_path_in_the_address_gives_a_file_of_ours(server):
    assert ask(server, "GET", "/app/static/Inter.woff2")[2] == Path("app/static/Inter.woff2").read_bytes()
    page = ask(server, "GET", "/")[2]
    for path, secret in SECRETS.items():
        assert secret in Path(path).read_bytes()
    for path in PATHS:
        status, _, body = ask(server, "GET", path)
        assert status in (400, 404) or body == page, path
        assert not any(secret in body for secret in SECRETS.values()), path


# --- 21: the address


def test_row_21_a_hostile_query_shows_no_trace(server):
    query = (
        "k=NaN&k=-1&attribute=%00%3Cscript%3E&data=import%3Fid%3D..%2F..%2Fetc%2Fpasswd&model="
        + "x" * 5_000
        + "&%ff=%fe&job=%2e%2e"
    )
    with strangers(server) as (found,):
        said = found.look(query=query)
    assert "it was ignored." in said
    assert not re.search(r"Traceback|stException|File \\\"|/etc/passwd'|site-packages", said)


# --- 25: past the browser


def test_row_25_foreign_hosts_and_origins_are_refused(server):
    for host in ("evil.example", "127.0.0.1.evil.example", "evil.example:80", "[::1].evil.example"):
        for path in ("/", "/_stcore/health", "/app/static/Inter.woff2"):
            assert ask(server, "GET", path, {"Host": host})[0] == 400
    for options in (
        {"origin": "http://evil.example"}, {"origin": "null"}, {"origin": "http://127.0.0.1.evil.example"},
        {"additional_headers": {"Host": "evil.example"}},
    ):  # fmt: skip
        with pytest.raises(InvalidStatus) as refused, connect(stream(server), **options):
            pass
        assert refused.value.response.status_code in (400, 403)


@pytest.mark.parametrize(
    "path", ["/", "/unlearn", "/nowhere", "/_stcore/health", "/media/x.png", "/app/static/Inter.woff2"]
)
def test_row_25_nobody_can_frame_any_answer(server, path):
    _, headers, _ = ask(server, "GET", path)
    assert headers["x-frame-options"] == "DENY"
    assert "frame-ancestors 'none'" in headers["content-security-policy"]


def test_row_25_an_upload_needs_a_session_and_its_token(server, stranger):
    assert (
        ask(server, "PUT", f"/_stcore/upload_file/{stranger.session}/1", {"Content-Length": "3"}, b"abc")[0]
        == 403
    )
    assert replace(stranger, session="another").put(server, {"Content-Length": "3"}, b"abc")[0] == 400
    for wrong in ({"Content-Length": "-1"}, {"Content-Length": "x"}):
        assert stranger.put(server, wrong)[0] == 400


def test_row_25_ten_gigabytes_are_refused_unread(server, stranger):
    begin = time.monotonic()
    assert stranger.put(server, {"Content-Length": str(TEN_GIGABYTES)}, bytes(1 << 16))[0] == 413
    assert time.monotonic() - begin < 20


def test_row_25_a_body_without_a_length_is_stopped_at_the_limit(server, stranger):
    head = (
        f"PUT /_stcore/upload_file/{stranger.session}/1 HTTP/1.1\r\nHost: {urlsplit(server).netloc}\r\n"
        f"Cookie: {stranger.cookie}\r\nX-Xsrftoken: {stranger.cookie.split('=', 1)[1]}\r\n"
        "Content-Type: multipart/form-data; boundary=x\r\nTransfer-Encoding: chunked\r\n\r\n"
    ).encode()  # fmt: skip
    part = b'--x\r\nContent-Disposition: form-data; name="f"; filename="a.csv"\r\n\r\n'
    block, sent, answer = bytes(4 << 20), 0, b""
    with socket.create_connection(urlsplit(server).netloc.split(":"), timeout=60) as line:
        line.sendall(head + b"%x\r\n%s\r\n" % (len(part), part))
        with suppress(OSError):  # the server hangs up, as it should
            while sent < 2 * LIMIT:
                line.sendall(b"%x\r\n" % len(block) + block + b"\r\n")
                sent += len(block)
        with suppress(OSError):
            answer = line.recv(4096)
    assert sent < 2 * LIMIT or b" 413 " in answer.split(b"\r\n")[0]
    assert ask(server, "GET", "/_stcore/health")[0] == 200


def test_row_25_nobody_can_read_the_server_s_metrics(server):
    assert ask(server, "GET", "/_stcore/metrics")[0] in (403, 404)


def test_row_25_no_agent_can_drive_the_app(server):
    """`enableAgentApi` is off: its description is there all the same, but nothing behind it."""
    for path in ("/_stcore/agent/interact", "/_stcore/agent/mcp"):
        headers = {"Content-Type": "application/json", "Content-Length": "2"}
        status, _, body = ask(server, "POST", path, headers, b"{}")
        assert status in (400, 403), path
        assert b"not_available" in body or b"is off" in body or b"not available" in body, body


def test_row_25_two_visitors_with_different_models_at_once_do_not_meet(server):
    data, model = load_dataset("colored_digits"), load_demo_classifier("colored_digits")
    weaker = keep_model(data, model.with_head(replace(model.head, weight=0.3 * model.head.weight)))
    queries = ["", f"model={weaker}"]
    with strangers(server, 2) as both:
        alone = [headline(one, query) for one, query in zip(both, queries, strict=True)]
    assert alone[0] != alone[1]
    with strangers(server, 4) as crowd, ThreadPoolExecutor(4) as pool:
        found = list(pool.map(headline, crowd, queries * 2))
    assert found == alone * 2


def headline(visitor, query):
    """The first sentence of the bias page, once what it needs is there."""
    for _ in range(100):
        said = visitor.look("find_bias", query).replace("\\", "")
        if "What counts as bias" in said and (lead := re.findall(r"class='fmd-lead'>([^<]+)<", said)):
            return lead[0]
        time.sleep(0.1)
    raise AssertionError("the page never came")


# --- 22: a browser that goes


@pytest.mark.browser
def test_row_22_a_lost_network_and_a_closed_browser_leave_one_job_and_the_original(visit):
    visitor = visit().open("unlearn")
    page = visitor.page
    original = page.get_by_text("Fingerprint of the last layer in force:").inner_text()
    way_to(page, "Model").click()
    rounds = page.get_by_role("spinbutton", name="Rounds over the data")
    rounds.fill("100")
    rounds.press("Enter")
    page.get_by_role("button", name="Train", exact=True).dblclick()
    panel = page.get_by_test_id("stMain")
    expect(panel.get_by_role("button", name="Cancel")).to_be_visible()
    address = page.url.removeprefix(visitor.base + "/")
    page.context.set_offline(True)
    page.wait_for_timeout(1_500)
    page.context.set_offline(False)
    other = visit().open(address)  # while the first is cut off, then gone
    page.goto("about:blank")
    panel = other.page.get_by_test_id("stMain")
    expect(panel.get_by_text("Training for Coloured digits")).to_have_count(2)  # heading and panel
    panel.get_by_role("button", name="Cancel").click()
    expect(panel.get_by_text("Stopped after")).to_be_visible()
    way_to(other.page, "Unlearn").click()
    expect(other.page.get_by_text(original)).to_be_visible()
