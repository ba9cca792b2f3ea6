"""What the container's health check says."""

import errno
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from app.serving import health

ROOT = Path(__file__).parents[2]


class Well(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture
def port():
    server = HTTPServer(("127.0.0.1", 0), Well)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()
    server.server_close()


def test_a_server_that_answers_with_a_folder_to_write_to_is_well(port, tmp_path, monkeypatch):
    monkeypatch.setenv("FMD_HOME", str(tmp_path))
    assert health.faults(port) == []
    assert list(tmp_path.iterdir()) == []
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "app.serving.health", str(port)],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "The server answers, and FMD_HOME can be written to.\n")
    assert "numpy" not in done.stderr
    assert "streamlit" not in done.stderr


def test_each_fault_is_a_sentence(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("x")
    monkeypatch.setenv("FMD_HOME", str(tmp_path / "file"))
    said = health.faults(9)
    assert said[0] == "The server does not answer on port 9."
    assert said[1].startswith("FMD_HOME cannot be written to: ")


def test_a_full_disk_is_said(port, tmp_path, monkeypatch):
    def full(**_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setenv("FMD_HOME", str(tmp_path))
    monkeypatch.setattr(health.tempfile, "TemporaryFile", full)
    assert health.faults(port) == ["The disk of FMD_HOME is full."]
