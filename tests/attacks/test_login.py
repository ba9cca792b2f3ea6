"""The real login: the server with secrets of its own, a provider, and a browser in between."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.attacks.test_server import ask, strangers
from tests.browser import ROOT, Visitor, wait_for_health, way_to

pytestmark = pytest.mark.slow  # starts servers and a provider

VIEWER = "vera@board.example"


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    """Address of a server with a login; its provider says that everybody is Vera."""
    folder, provider_port, port = tmp_path_factory.mktemp("guarded"), free_port(), free_port()
    url, secrets, log = f"http://127.0.0.1:{port}", folder / "secrets.toml", folder / "log"
    secrets.write_text(
        f"[auth]\nredirect_uri = '{url}/oauth2callback'\ncookie_secret = '{'s' * 40}'\nclient_id = 'studio'\n"
        f"client_secret = 'x'\nserver_metadata_url = 'http://127.0.0.1:{provider_port}/.well-known/openid-configuration'\n"
    )
    settings = {
        "STREAMLIT_SECRETS_FILES": str(secrets),
        "FMD_REVIEWERS": "anna@example.org",
        "FMD_VIEWERS": VIEWER,
    }
    provider = subprocess.Popen(
        [sys.executable, Path(__file__).with_name("provider.py"), str(provider_port), VIEWER]
    )
    with log.open("wb") as out:
        server = subprocess.Popen(
            [sys.executable, "-m", "streamlit", "run", "app/server.py", "--server.port", str(port)],
            cwd=ROOT, stdout=out, stderr=subprocess.STDOUT, env=os.environ | settings, start_new_session=True,
        )  # fmt: skip
    try:
        wait_for_health(server, url, log)
        yield url
    finally:
        for process in (server, provider):
            process.send_signal(signal.SIGINT)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:  # a shell's background job ignores it
                process.kill()
                process.wait()
    assert "Traceback" not in log.read_text(), log.read_text()
    assert "vera" not in log.read_text()


def test_a_stranger_past_the_browser_gets_a_log_in_button_and_can_send_no_file(guarded):
    with strangers(guarded) as (found,):
        for page in ("", "find_bias", "data", "report"):
            said = found.look(page, "data=synthetic_faces")
            assert "Log in to look" in said
            assert "Harmful" not in said
        assert found.put(guarded, {"Content-Length": "3"}, b"abc")[0] == 403
        found.cookie += "; _streamlit_user=forged"
        assert found.put(guarded, {"Content-Length": "3"}, b"abc")[0] == 403
    assert ask(guarded, "GET", "/_stcore/metrics")[0] == 404


@pytest.mark.browser
def test_who_logs_in_gets_the_role_of_the_list_and_out_again(guarded, chromium):
    page = chromium.new_context().new_page()
    visitor = Visitor(page, "http://127.0.0.1")
    page.goto(f"{guarded}/find_bias")
    expect(page.get_by_role("heading", level=1)).to_have_text("FMD Studio")
    expect(page.get_by_test_id("stPageLink-NavLink")).to_have_count(0)
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_text("You may look at everything here and change nothing.")).to_be_visible()
    way_to(page, "Data").click()
    expect(page.get_by_text("ask a reviewer to do this")).to_be_visible()
    with page.expect_navigation():  # it leads over the server and back: a reload in between would be cut off
        page.get_by_role("button", name="Log out").click()
    expect(page.get_by_role("button", name="Log in")).to_be_visible()
    page.reload()
    expect(page.get_by_role("button", name="Log in")).to_be_visible()
    page.context.close()
    assert visitor.errors == []
    assert visitor.outside == []
