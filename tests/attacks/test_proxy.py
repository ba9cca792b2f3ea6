"""The nginx configuration of docs/deployment.md as it stands there, in front of real servers: TLS, both logins."""

import http.client
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import threading
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import pytest
from playwright.sync_api import expect
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from app.server import HEADERS
from tests.attacks.test_headers import TABLE
from tests.attacks.test_login import free_port
from tests.attacks.test_server import Stranger
from tests.browser import ROOT, Visitor, wait_for_health, way_to

NGINX = shutil.which("nginx", path=os.environ["PATH"] + ":/usr/sbin:/usr/local/sbin")
NAME = "studio.localhost"  # stands for studio.example.org: a browser asks this machine for it
ANNA, VERA = "anna@example.org", "vera@board.example.org"
WORD_JOINER = "\u2060"  # keeps an address on a page from becoming a link
LISTS = {"FMD_REVIEWERS": f"{ANNA} @audit.example.org", "FMD_VIEWERS": "@board.example.org"}
TEMPORARY = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not (NGINX and shutil.which("openssl")),
        reason="nginx and openssl are not installed: apt-get install nginx-light",
    ),
]


# --- what the documentation says


def blocks():
    """The whole server of the documentation, and the same that asks for the login itself."""
    text = (ROOT / "docs" / "deployment.md").read_text()
    code = re.findall(r"(?:^    .*\n)+", text, re.MULTILINE)
    plain, asking = (next(b for b in code if word in b) for word in ("listen 443", "auth_request"))
    location = re.search(r"^      location / {\n(.*?)^      }\n", plain, re.MULTILINE | re.DOTALL)
    assert "..." in asking
    asking = re.sub(r"^ +\.\.\..*\n", lambda _: location[1], asking, flags=re.MULTILINE)
    return plain, plain.replace(location[0], asking)


def setting(name):
    """A setting that the documentation gives the server, as a shell would read it."""
    text = (ROOT / "docs" / "deployment.md").read_text()
    return re.search(rf"""{name}=(['"])(.+?)\1""", text)[2].replace("studio.example.org", NAME)


# --- what runs


@contextmanager
def running(command, end=signal.SIGKILL, **options):
    process = subprocess.Popen([str(part) for part in command], cwd=ROOT, **options)
    try:
        yield process
    finally:
        process.send_signal(end)
        process.wait(10)


@contextmanager
def login_proxy(port):
    """What oauth2-proxy answers: whoever has Vera's cookie is Vera."""

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self):
            known = "_oauth2_proxy=vera" in self.headers.get("Cookie", "")
            self.send_response(403 if self.path != "/oauth2/auth" else 202 if known else 401)
            if known:
                self.send_header("X-Auth-Request-Email", VERA)
            self.send_header("Content-Length", "7")
            self.end_headers()
            self.wfile.write(b"Sign in")

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", port), Answers)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield
    server.shutdown()
    server.server_close()


def nginx_settings(folder, servers):
    """The blocks with ports and certificate of our own, and what stands around them on any machine."""
    cert, key = folder / "cert.pem", folder / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={NAME}",
         "-addext", f"subjectAltName=DNS:{NAME}", "-keyout", key, "-out", cert],
        check=True, capture_output=True,
    )  # fmt: skip
    parts = []
    for block, ports in servers:
        for written, meant in {
            "listen 443": f"listen 127.0.0.1:{ports['tls']}", ":8501": f":{ports['server']}",
            ":4180": f":{ports['login']}", "/etc/ssl/studio.pem": str(cert), "/etc/ssl/studio.key": str(key),
            "studio.example.org": NAME,
        }.items():  # fmt: skip
            assert written in block or written == ":4180", written
            block = block.replace(written, meant)
        parts.append(block)
    kept = "".join(f"{kind}_temp_path {folder}/{kind};\n" for kind in TEMPORARY)
    user = "user root;\n" if os.geteuid() == 0 else ""
    config = folder / "nginx.conf"
    config.write_text(
        f"{user}daemon off;\npid {folder}/pid;\nerror_log {folder}/error.log;\nevents {{}}\n"
        f"http {{\naccess_log off;\n{kept}{''.join(parts)}}}\n"
    )
    return config, ssl.create_default_context(cafile=cert)


@pytest.fixture(scope="module")
def proxied(tmp_path_factory):
    """Two servers behind one nginx: `own` has Streamlit's login, at `asking` the proxy asks."""
    folder = tmp_path_factory.mktemp("proxied")
    own, asking = ({name: free_port() for name in ("tls", "server", "login")} for _ in range(2))
    config, trust = nginx_settings(folder, zip(blocks(), (own, asking), strict=True))
    url, provider = f"https://{NAME}:{own['tls']}", f"http://127.0.0.1:{own['login']}"
    secrets = folder / "secrets.toml"
    secrets.write_text(
        f"[auth]\nredirect_uri = '{url}/oauth2callback'\ncookie_secret = '{'s' * 40}'\nclient_id = 'studio'\n"
        f"client_secret = 'x'\nserver_metadata_url = '{provider}/.well-known/openid-configuration'\n"
    )
    common = os.environ | LISTS
    common["STREAMLIT_SERVER_ALLOWED_HOSTS"] = setting("STREAMLIT_SERVER_ALLOWED_HOSTS")
    header = "STREAMLIT_SERVER_TRUSTED_USER_HEADERS"
    settings = ({"STREAMLIT_SECRETS_FILES": str(secrets)}, {header: setting(header)})
    with ExitStack() as stack:
        stack.enter_context(login_proxy(asking["login"]))
        stack.enter_context(
            running([sys.executable, Path(__file__).with_name("provider.py"), own["login"], ANNA])
        )
        servers = []
        for ports, special in zip((own, asking), settings, strict=True):
            log = folder / f"{ports['server']}.log"
            command = [
                sys.executable, "-m", "streamlit", "run", "app/server.py", "--server.port", ports["server"],
            ]  # fmt: skip
            out = stack.enter_context(log.open("wb"))
            options = {"stdout": out, "stderr": subprocess.STDOUT, "start_new_session": True}
            process = stack.enter_context(running(command, env=common | special, **options))
            servers.append((process, f"http://127.0.0.1:{ports['server']}", log))
        with (folder / "said").open("wb") as out:
            command = [NGINX, "-e", folder / "error.log", "-c", config]
            nginx = stack.enter_context(
                running(command, signal.SIGTERM, stderr=out)
            )  # takes its workers along
        for found in servers:
            wait_for_health(*found)
        assert nginx.poll() is None, (folder / "said").read_text()
        yield SimpleNamespace(own=own, asking=asking, trust=trust, url=url)
    assert not [log.read_text() for _, _, log in servers if "Traceback" in log.read_text()]
    complaints = [line for line in (folder / "error.log").read_text().splitlines() if "[error]" in line]
    assert not [line for line in complaints if "too large body" not in line]


def ask(proxied, ports, path, headers=(), method="GET"):
    """Status, headers and body."""
    line = http.client.HTTPSConnection("127.0.0.1", ports["tls"], timeout=20, context=proxied.trust)
    line._context.check_hostname = False  # we ask by number; the name stands in the Host header
    try:
        line.request(method, path, headers={"Host": f"{NAME}:{ports['tls']}"} | dict(headers))
        answer = line.getresponse()
        return answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read()
    finally:
        line.close()


def visit_stream(proxied, ports, headers=(), **options):
    """A websocket through the proxy."""
    host = f"{NAME}:{ports['tls']}"
    line = socket.create_connection(("127.0.0.1", ports["tls"]), timeout=20)
    told = {"additional_headers": dict(headers), "origin": f"https://{host}"} | options
    return connect(
        f"wss://{host}/_stcore/stream", sock=line, ssl=proxied.trust, server_hostname=NAME,
        subprotocols=["streamlit"], max_size=None, **told,
    )  # fmt: skip


# --- the proxy


@pytest.mark.browser
def test_who_logs_in_through_tls_works_as_without_a_proxy(proxied, chromium):
    context = chromium.new_context(ignore_https_errors=True)
    page = context.new_page()
    sockets, answers = [], []
    page.on("websocket", lambda found: sockets.append(found.url))
    page.on("response", lambda answer: answers.append(answer))
    visitor = Visitor(page, proxied.url)
    page.goto(f"{proxied.url}/data")
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_text(f"{ANNA.replace('@', '@' + WORD_JOINER)}, reviewer")).to_be_visible()
    way_to(page, "Data").click()
    page.get_by_role("radio", name="Your table").click()
    with page.expect_response(lambda answer: answer.request.method == "PUT") as sent:
        page.get_by_test_id("stFileUploaderDropzoneInput").set_input_files(
            {"name": "people.csv", "mimeType": "text/csv", "buffer": TABLE.encode()}
        )
    assert sent.value.status == 204
    expect(page.get_by_text("60 rows").first).to_be_visible()
    assert set(sockets) == {f"wss://{NAME}:{proxied.own['tls']}/_stcore/stream"}
    assert all(cookie["secure"] for cookie in context.cookies())
    assert {"_streamlit_user", "_streamlit_xsrf"} <= {cookie["name"] for cookie in context.cookies()}
    expected = HEADERS | {"strict-transport-security": "max-age=31536000"}
    ours = [answer for answer in answers if answer.url.startswith(proxied.url)]
    assert len(ours) > 10
    assert not [a.url for a in ours for name, value in expected.items() if a.headers.get(name) != value]
    context.close()
    assert (visitor.errors, visitor.outside) == ([], [])


def test_nothing_foreign_gets_through(proxied):
    assert ask(proxied, proxied.own, "/_stcore/health")[0] == 200
    assert ask(proxied, proxied.own, "/_stcore/metrics")[0] == 404
    for host in ("evil.example", f"{NAME}.evil.example", ""):
        assert ask(proxied, proxied.own, "/", {"Host": host})[0] == 400
    for origin in ("https://evil.example", f"https://{NAME}", f"https://{NAME}:1", "null"):
        with pytest.raises(InvalidStatus) as refused, visit_stream(proxied, proxied.own, origin=origin):
            pass
        assert refused.value.response.status_code == 403


@pytest.mark.parametrize(("megabytes", "status"), [(512, 403), (700, 413)])
def test_an_upload_is_judged_before_it_is_sent(proxied, megabytes, status):
    """The server refuses a stranger's, and the proxy one that is too large: it waits for neither."""
    headers = {"Content-Length": str(megabytes << 20)}
    assert ask(proxied, proxied.own, "/_stcore/upload_file/stranger/1", headers, "PUT")[0] == status


# --- the login header

FORGED = ("X-Auth-Request-Email", "X_Auth_Request_Email")


@pytest.mark.parametrize("name", FORGED)
def test_a_stranger_with_a_header_of_their_own_stays_one(proxied, name):
    assert ask(proxied, proxied.asking, "/", {name: ANNA})[::2] == (403, b"Sign in")
    with pytest.raises(InvalidStatus) as refused, visit_stream(proxied, proxied.asking, {name: ANNA}):
        pass
    assert refused.value.response.status_code == 403


@pytest.mark.parametrize("name", FORGED)
def test_a_viewer_with_a_header_of_their_own_stays_one(proxied, name):
    said = look(lambda cookie: visit_stream(proxied, proxied.asking, {"Cookie": cookie, name: ANNA}))
    assert f"{VERA}, viewer" in said
    assert ANNA not in said


def test_past_the_proxy_the_header_would_be_believed(proxied):
    """Why nobody but the proxy may reach the port; and the tests above can fail."""
    url = f"ws://127.0.0.1:{proxied.asking['server']}/_stcore/stream"
    headers = {"X-Auth-Request-Email": ANNA}
    said = look(lambda _: connect(url, subprotocols=["streamlit"], max_size=None, additional_headers=headers))
    assert f"{ANNA}, reviewer" in said


def look(open_stream):
    """What the method page says to a visitor who has Vera's cookie, its addresses as they were written."""
    cookie = "_oauth2_proxy=vera"
    with open_stream(cookie) as stream:
        return Stranger(cookie, stream).look("method").replace("\\", "").replace(WORD_JOINER, "")
