"""Two processes of one server: the same FMD_HOME, the same database, each visitor with one of them.

The proxy is nginx with the configuration that compose.yaml mounts, as it stands there but for ports and names.
"""

import http.client
import os
import re
import shutil
import signal
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from app.jobs import job_panel
from app.serving import health
from tests.attacks.test_login import free_port
from tests.raw_session import ROOT, Server, Visitor, cookies_of

NGINX = shutil.which("nginx", path=os.environ["PATH"] + ":/usr/sbin:/usr/local/sbin")
TEMPORARY = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
pytestmark = pytest.mark.slow  # starts servers


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """Two servers that were started at once on an empty home."""
    home = tmp_path_factory.mktemp("home")
    servers = [Server(home, "a.log"), Server(home, "b.log")]
    yield servers
    for server in servers:
        server.stop()
        said = server.log.read_text()
        assert "Traceback" not in said, said


def until(ready, seconds=180):
    """What `ready` gives as soon as that is something."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := ready():
            return found
        time.sleep(0.3)
    raise AssertionError("it never came")


def ready_to_fix(server, query=""):
    """A visitor on the Fix page, once the work that it waits for is done."""
    visitor = Visitor(server, query)

    def there():
        visitor.go("unlearn")
        return visitor.shows("Strength")

    until(there)
    return visitor


def in_force(said):
    return re.findall(r"^\*\*In force:\*\* (.*)$", said, re.MULTILINE)[-1]


def test_a_review_made_in_one_is_seen_in_the_other_and_nobody_overwrites_a_step(pair):
    a, b = pair
    here = ready_to_fix(a)
    strength = here.options("Strength")[2]
    here.slide("Strength", strength)
    assert f"strength {strength}" in in_force(here.press("Apply this"))
    review = re.search(r"review=[\w-]+", here.query)[0]

    there = ready_to_fix(b, review)
    assert f"strength {strength}" in in_force(there.go("unlearn"))
    assert in_force(there.press("Undo")) == "the original model"
    said = here.press("Undo")  # of what is not in force any more
    assert "Your last step was not taken" in said
    assert not here.exceptions + there.exceptions
    for server in pair:
        assert in_force(ready_to_fix(server, review).text) == "the original model"


def test_both_say_the_same_and_features_are_kept_once(pair):
    texts = []
    for server in pair:
        visitor = Visitor(server, "data=synthetic_faces")
        until(lambda visitor=visitor: "points" in visitor.go("find_bias"))
        texts.append(re.findall(r"[\d.]+ points", visitor.text))
        assert not visitor.exceptions
    assert texts[0]
    assert texts[0] == texts[1]
    until(lambda: not list((pair[0].home / "features").glob("*.lock")))
    kept = [path.name for path in (pair[0].home / "features").iterdir()]
    assert all(re.fullmatch(r"[0-9a-f]{64}\.npy", name) for name in kept), kept


def test_a_model_trained_in_one_is_on_the_shelf_of_the_other_and_its_job_is_not_denied(pair):
    a, b = pair
    here = Visitor(a)
    here.go("model")
    here.fill("Rounds over the data", 3)
    here.press("Train")
    job = re.search(r"job=[\w-]+", here.query)[0]
    there = Visitor(b, job)
    said = there.go("model")
    assert job_panel.ELSEWHERE.split("{}")[1] in said, said[-2000:]
    assert job_panel.UNKNOWN not in said
    until(lambda: list((a.home / "models").rglob("*.safetensors")))
    until(lambda: "Finished in" in here.go("model") or "In force" in here.text, 60)
    said = Visitor(b, job).go("model")
    assert "3 rounds" in said or "seed 0" in said, said[-3000:]
    assert not here.exceptions + there.exceptions


def test_what_one_sweeps_at_its_start_is_nothing_that_the_other_still_writes(pair):
    """B works: an import that is being checked, a model and features that are being written. A starts anew."""
    a, _ = pair
    imported = a.home / "imports" / ("c" * 32)
    model = a.home / "models" / "task" / f"{'d' * 32}.safetensors.{'0' * 16}.part"
    features = a.home / "features" / f"{'e' * 64}.npy.{'0' * 16}.part"
    for path in (imported / "table.csv", model, features):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"half of it")
    a.stop()
    a.start()
    ready_to_fix(a).close()
    assert (imported / "table.csv").exists()
    assert model.exists()
    assert features.exists()
    for path in (model, features, imported / "table.csv"):
        path.unlink()
    imported.rmdir()


def test_the_health_check_is_of_each_process(pair, monkeypatch):
    a, b = pair
    monkeypatch.setenv("FMD_HOME", str(a.home))
    assert [health.faults(server.port) for server in pair] == [[], []]
    b.stop()
    try:
        assert health.faults(a.port) == []
        assert health.faults(b.port) == [f"The server does not answer on port {b.port}."]
    finally:
        b.start()


# --- behind the proxy


@contextmanager
def proxy(folder, servers):
    """nginx with the configuration of compose.yaml; what it names in Docker's network is here."""
    text, port = (ROOT / "compose.nginx.conf").read_text(), free_port()
    resolver = re.search(r"^resolver .*\n", text, re.MULTILINE)[0]
    peers = "".join(f"server 127.0.0.1:{server.port} max_fails=1 fail_timeout=5s;\n" for server in servers)
    for written, meant in {
        resolver: "", "server studio:8501 resolve;": peers, "listen 8501": f"listen 127.0.0.1:{port}",
    }.items():  # fmt: skip
        assert written in text, written
        text = text.replace(written, meant)
    kept = "".join(f"{kind}_temp_path {folder}/{kind};\n" for kind in TEMPORARY)
    user = "user root;\n" if os.geteuid() == 0 else ""
    config = folder / "nginx.conf"
    config.write_text(
        f"{user}daemon off;\npid {folder}/pid;\nerror_log {folder}/error.log;\nevents {{}}\n"
        f"http {{\naccess_log off;\n{kept}{text}}}\n"
    )
    with (folder / "said").open("wb") as out:
        process = subprocess.Popen([NGINX, "-e", folder / "error.log", "-c", config], stderr=out)
    try:
        front = Front(port)
        until(lambda: process.poll() is not None or front.answers(), 20)
        assert process.poll() is None, (folder / "said").read_text()
        yield front
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(10)


class Front:
    """The one address, as `Visitor` knows a server; each `cookie` is a new visitor's."""

    def __init__(self, port):
        self.port, self.kept = port, ""

    def cookie(self):
        """A new visitor's cookies, or those that are `kept`."""
        return self.kept or cookies_of(self.ask("GET", "/_stcore/health"))

    def ask(self, method, path, headers=(), body=None):
        line = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        line.request(method, path, body, dict(headers))
        answer = line.getresponse()
        answer.read()
        line.close()
        return answer

    def answers(self):
        try:
            return self.ask("GET", "/_stcore/health").status == 200
        except OSError:
            return False


def connections(server):
    """Visitors' sockets that a server has open."""
    wanted = f":{server.port:04X}"
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(row[1].endswith(wanted) and row[3] == "01" for row in rows)


def come(front, pair, many):
    """So many visitors through the proxy, and how many of them each process has."""
    before = [connections(server) for server in pair]
    visitors = [Visitor(front) for _ in range(many)]
    return visitors, [connections(server) - had for server, had in zip(pair, before, strict=True)]


@pytest.mark.skipif(not NGINX, reason="nginx is not installed: apt-get install nginx-light")
def test_visitors_are_spread_stay_where_they_are_and_go_on_with_the_other_when_theirs_is_gone(pair, tmp_path):
    with proxy(tmp_path, pair) as front:
        visitors, spread = come(front, pair, 12)
        assert min(spread) >= 1, spread
        assert front.cookie() != front.cookie()  # every newcomer's is another

        front.kept = front.cookie()  # one browser from here on
        assert "studio=" in front.kept
        again = front.ask("GET", "/_stcore/health", {"Cookie": front.kept})
        assert "studio=" not in cookies_of(again)  # it keeps the one that it has
        for visitor in visitors:
            visitor.close()
        time.sleep(2)  # until they are gone
        tabs, spread = come(front, pair, 4)
        assert sorted(spread) == [0, 4], (
            spread
        )  # all tabs of a browser, so their uploads too, go to one process
        mine = pair[spread.index(4)]

        tabs[0].go("unlearn")
        until(lambda: tabs[0].go("unlearn") and tabs[0].shows("Strength"))
        strength = tabs[0].options("Strength")[1]
        tabs[0].slide("Strength", strength)
        tabs[0].press("Apply this")
        review = re.search(r"review=[\w-]+", tabs[0].query)[0]
        mine.kill()
        try:
            until(front.answers, 20)
            visitor = Visitor(front, review)  # the same browser, the same cookie
            until(lambda: visitor.go("unlearn") and visitor.shows("Strength"))
            assert f"strength {strength}" in in_force(visitor.text)
            visitor.close()
        finally:
            mine.start()
