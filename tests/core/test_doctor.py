"""What the doctor says of a machine, well and ill."""

import importlib.metadata
import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pandas
import psutil
import pytest

from fmd_core import doctor, home
from fmd_core.__main__ import main as command

ROOT = Path(__file__).parents[2]
SETTINGS = ("FMD_DATABASE_URL", "FMD_DASK_SCHEDULER", "FMD_REVIEWERS", "FMD_VIEWERS", "FMD_LOG_LEVEL")


@pytest.fixture(autouse=True)
def plain_machine(monkeypatch, tmp_path):
    for name in SETTINGS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("FMD_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(doctor, "CGROUP_LIMIT", tmp_path / "no limit")


def said(check):
    return [(finding.weight, finding.sentence) for finding in check()]


def only(check):
    (finding,) = check()
    return finding.weight, finding.sentence


def test_this_machine_is_well_and_the_command_says_so():
    answer = subprocess.run(
        [sys.executable, "-m", "fmd_core", "doctor"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        env=os.environ,
    )
    assert (answer.returncode, answer.stderr) == (0, "")
    assert answer.stdout.endswith("Everything that is needed is here.\n")
    assert "torch" in answer.stdout


def test_what_is_missing_is_counted_and_makes_the_exit_code(monkeypatch, capsys):
    monkeypatch.setattr(doctor, "CHECKS", (lambda: iter([doctor.Finding("missing", "No x.")]),) * 2)
    assert command(["doctor"]) == 1
    assert capsys.readouterr().out == "missing  No x.\nmissing  No x.\n\n2 things are missing.\n"


def test_notes_alone_are_no_failure(monkeypatch):
    monkeypatch.setattr(doctor, "CHECKS", (lambda: iter([doctor.Finding("note", "No x.")]),))
    assert command(["doctor"]) == 0


def test_the_document_has_standard_output_to_itself(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(doctor, "CHECKS", (lambda: iter([doctor.Finding("missing", "No x.")]),))
    assert command(["doctor", "--json", "-"]) == 1
    document = json.loads(capsys.readouterr().out)
    assert document == {
        "schema": "fmd-doctor-1",
        "version": importlib.metadata.version("fmd-studio"),
        "missing": 1,
        "findings": [{"weight": "missing", "sentence": "No x."}],
    }
    assert command(["doctor", "--json", str(tmp_path / "d.json")]) == 1
    assert json.loads((tmp_path / "d.json").read_text()) == document
    assert capsys.readouterr().out.endswith("1 thing is missing.\n")


def test_it_answers_where_libraries_are_missing():
    code = (
        "import sys; sys.modules.update(dict.fromkeys(('numpy', 'torch', 'threadpoolctl', 'psutil', 'streamlit')))\n"
        "from fmd_core.__main__ import main; sys.exit(main(['doctor']))"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert (answer.returncode, answer.stderr) == (1, "")
    assert "missing  The check of memory broke down with ModuleNotFoundError." in answer.stdout


def test_an_installed_library_is_held_against_what_it_declares(monkeypatch, tmp_path):
    monkeypatch.setattr(doctor, "REPOSITORY", tmp_path)
    declared = ["numpy>=2", "no-such-package>=1; extra == 'app'", "pandas<1", "no-such-core"]
    monkeypatch.setattr(importlib.metadata, "requires", lambda _: declared)
    assert said(doctor._packages) == [
        ("missing", f"pandas is {pandas.__version__}, wanted <1: run pip install --upgrade fmd-studio."),
        ("missing", "no-such-core is not installed: run pip install --upgrade fmd-studio."),
    ]


def test_without_the_dashboard_no_database_is_missed(monkeypatch):
    monkeypatch.setattr(doctor.importlib.util, "find_spec", lambda _: None)
    assert said(doctor._database) == []


def test_a_check_that_breaks_down_is_a_finding(monkeypatch):
    def _a_thing():
        raise RuntimeError("/home/maria")
        yield

    monkeypatch.setattr(doctor, "CHECKS", (_a_thing,))
    assert list(doctor.examine()) == [
        doctor.Finding("missing", "The check of a thing broke down with RuntimeError.")
    ]


@pytest.mark.parametrize(
    ("version", "weight"), [((3, 10), "missing"), ((3, 11), "ok"), ((3, 13), "ok"), ((3, 14), "missing")]
)
def test_python(monkeypatch, version, weight):
    monkeypatch.setattr(doctor.sys, "version_info", (*version, 0))
    assert only(doctor._python)[0] == weight


def versions(monkeypatch, **known):
    real = importlib.metadata.version

    def version(name):
        found = known.get(name, real(name))
        if found is None:
            raise importlib.metadata.PackageNotFoundError(name)
        return found

    monkeypatch.setattr(importlib.metadata, "version", version)


def test_packages_that_are_missing_or_of_another_version(monkeypatch):
    versions(monkeypatch, captum=None, pandas="2.0.0")
    pinned = dict(
        line.split("==") for line in (ROOT / "requirements.txt").read_text().split() if "==" in line
    )
    assert said(doctor._packages) == [
        ("missing", "captum is not installed: run pip install -r requirements.txt."),
        ("missing", f"pandas is 2.0.0, wanted =={pinned['pandas']}: run pip install -r requirements.txt."),
    ]


def test_a_package_for_another_python_is_not_missed(monkeypatch, tmp_path):
    monkeypatch.setattr(doctor, "REPOSITORY", tmp_path)
    (tmp_path / "requirements.txt").write_text(
        'no-such-package==1; python_version < "3"\nnumpy  # any\n-e .\n'
    )
    assert only(doctor._packages)[0] == "ok"


def test_torch_and_torchvision_are_a_pair_or_not(monkeypatch):
    assert only(doctor._torch_and_torchvision)[0] == "ok"
    versions(monkeypatch, torch="2.1.0+cpu")
    weight, sentence = only(doctor._torch_and_torchvision)
    assert weight == "missing"
    assert sentence.endswith("2.1.0+cpu is here.")


@pytest.mark.parametrize(
    ("total", "free", "limit", "weight"),
    [(8, 6, "max", "ok"), (8, 3, "max", "note"), (1.5, 1, "max", "missing"), (64, 60, str(1 << 30), "missing"),
     (64, 60, str(3 << 30), "note")],
)  # fmt: skip
def test_memory_of_the_machine_and_of_its_container(monkeypatch, tmp_path, total, free, limit, weight):
    known = SimpleNamespace(total=total * doctor.GIB, available=free * doctor.GIB)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: known)
    monkeypatch.setattr(doctor, "CGROUP_LIMIT", tmp_path / "memory.max")
    (tmp_path / "memory.max").write_text(f"{limit}\n")
    assert only(doctor._memory)[0] == weight


def test_home_that_cannot_be_written_to(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("FMD_HOME", str(tmp_path / "file"))
    weight, sentence = only(doctor._home)
    assert weight == "missing"
    assert "it is a file" in sentence


@pytest.mark.parametrize(("free", "weight"), [(10, "ok"), (1, "note"), (0.1, "missing")])
def test_home_that_is_open_to_others_and_its_disk(monkeypatch, free, weight):
    home.home_folder().chmod(0o750)
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda _: SimpleNamespace(free=free * doctor.GIB))
    assert [w for w, _ in said(doctor._home)] == ["ok", "note", weight]
    home.home_folder().chmod(0o700)
    assert [w for w, _ in said(doctor._home)] == ["ok", weight]
    assert list(home.home_folder().iterdir()) == []  # it leaves nothing


def test_which_public_data_are_there(monkeypatch, tmp_path):
    monkeypatch.setenv("FMD_DATA_DIR", str(tmp_path))
    assert {weight for weight, _ in said(doctor._data)} == {"note"}
    (tmp_path / "adult").mkdir()
    (tmp_path / "adult" / "adult.data").write_text("")
    assert [weight for weight, _ in said(doctor._data)] == ["note", "note", "ok"]


def test_a_browser_is_wanted_only_where_there_are_tests(monkeypatch, tmp_path):
    monkeypatch.setattr(doctor, "REPOSITORY", tmp_path)
    assert said(doctor._browser) == []
    (tmp_path / "tests").mkdir()
    for body, weight in (
        ("return '/usr/bin/chromium'", "ok"),
        ("return None", "note"),
        ("import nowhere_at_all", "note"),
    ):
        (tmp_path / "tests" / "ensure_browser.py").write_text(f"def find():\n    {body}\n")
        assert only(doctor._browser)[0] == weight


def test_the_database_file_is_not_made_by_looking(monkeypatch, tmp_path):
    assert only(doctor._database)[0] == "ok"
    assert not (home.home_folder() / "reviews.sqlite3").exists()
    bad = tmp_path / "bad.sqlite3"
    bad.write_text("no database " * 100)
    monkeypatch.setenv("FMD_DATABASE_URL", f"sqlite:///{bad}")
    assert only(doctor._database)[0] == "missing"
    bad.write_bytes(b"")  # what SQLite takes for a new database
    assert only(doctor._database)[0] == "ok"


@pytest.mark.parametrize(
    "url", ["postgresql://maria:geheim@127.0.0.1:9/x", "postgres:geheim", "oracle://maria:geheim@host/x"]
)
def test_a_database_that_cannot_be_reached_keeps_its_password(monkeypatch, url):
    monkeypatch.setenv("FMD_DATABASE_URL", url)
    weight, sentence = only(doctor._database)
    assert weight == "missing"
    assert "geheim" not in sentence


def test_the_dask_scheduler_when_there_is_one(monkeypatch):
    assert said(doctor._dask) == []
    monkeypatch.setattr(doctor.importlib.util, "find_spec", lambda _: None)
    with socket.create_server(("127.0.0.1", 0)) as scheduler:
        monkeypatch.setenv("FMD_DASK_SCHEDULER", f"tcp://127.0.0.1:{scheduler.getsockname()[1]}")
        assert [weight for weight, _ in said(doctor._dask)] == ["missing", "ok"]
    monkeypatch.setattr(doctor.importlib.util, "find_spec", lambda _: object())
    assert only(doctor._dask)[0] == "missing"
    monkeypatch.setenv("FMD_DASK_SCHEDULER", "tcp://127.0.0.1:port")
    assert "no such address" in only(doctor._dask)[1]


def test_the_login(monkeypatch, tmp_path):
    monkeypatch.setattr(doctor, "REPOSITORY", tmp_path)
    assert said(doctor._login) == []
    monkeypatch.setenv("FMD_VIEWERS", "@example.org; example.org *")
    assert [weight for weight, _ in said(doctor._login)] == ["missing", "missing", "note"]
    (tmp_path / ".streamlit").mkdir()
    secrets = tmp_path / ".streamlit" / "secrets.toml"
    secrets.write_text("[auth]\nclient_id = 'x'\n")
    monkeypatch.setenv("FMD_VIEWERS", "@example.org")
    assert only(doctor._login)[0] == "ok"
    monkeypatch.delenv("FMD_VIEWERS")
    assert "nobody gets in" in only(doctor._login)[1]
    secrets.write_text("[auth\n")
    assert "no TOML" in only(doctor._login)[1]


def test_the_log_level(monkeypatch):
    monkeypatch.setenv("FMD_LOG_LEVEL", "debug")
    assert said(doctor._log_level) == []
    monkeypatch.setenv("FMD_LOG_LEVEL", "loud")
    assert only(doctor._log_level)[0] == "missing"


def test_a_cache_without_room_is_said(monkeypatch):
    monkeypatch.delenv("FMD_CACHE_MB", raising=False)
    assert said(doctor._cache) == []
    monkeypatch.setenv("FMD_CACHE_MB", "0")
    assert only(doctor._cache)[0] == "missing"


def test_a_database_that_lost_its_version_is_said(monkeypatch, tmp_path):
    import sqlite3

    file = tmp_path / "r.sqlite3"
    with sqlite3.connect(file) as connection:
        connection.execute("CREATE TABLE reviews (id TEXT)")
    monkeypatch.setenv("FMD_DATABASE_URL", f"sqlite:///{file}")
    weight, sentence = only(doctor._database)
    assert weight == "missing"
    assert "alembic_version" in sentence
