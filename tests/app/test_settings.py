"""A setting that cannot be is one sentence when the server begins, and no traceback."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from app.serving import settings
from fmd_core.errors import FMDError
from fmd_core.home import home_folder

ROOT = Path(__file__).parents[2]


@pytest.fixture
def a_file(tmp_path):
    (tmp_path / "file").write_text("x")
    return str(tmp_path / "file")


def test_all_is_well_here():
    assert settings.faults() == []


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("FMD_LOG_LEVEL", "loud", "FMD_LOG_LEVEL is 'loud': use one of"),
        ("FMD_CACHE_MB", "0", "FMD_CACHE_MB is '0': use a whole number of megabytes"),
        ("FMD_HOME", "a file", "which cannot be FMD Studio's folder (it is a file)"),
    ],
)
def test_a_server_that_cannot_begin_says_why_in_one_sentence(name, value, said, a_file):
    ended = subprocess.run(
        [sys.executable, "-c", "import app.server"], cwd=ROOT, capture_output=True, text=True, check=False,
        env=os.environ | {name: a_file if value == "a file" else value}, timeout=60,
    )  # fmt: skip
    assert ended.returncode == 1
    assert said in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("below", [False, True])
def test_a_home_that_is_a_file_is_a_sentence_for_whoever_asks(below, a_file, monkeypatch):
    monkeypatch.setenv("FMD_HOME", a_file + "/below" * below)
    with pytest.raises(FMDError, match=r"FMD_HOME is .* name a folder"):
        home_folder()
