"""What is said of pip-audit's answers: a weakness fails, a lost network does not and is never called clean."""

import json

import pytest

from tests.audit_dependencies import audit, judge

CLEAN = {"name": "jinja2", "version": "3.1.6", "vulns": []}
WEAK = {"name": "jinja2", "version": "2.10", "vulns": [{"id": "PYSEC-2019-217", "fix_versions": ["2.10.1"]}]}
NEW = {"name": "x", "version": "1", "vulns": [{"id": "PYSEC-1", "fix_versions": []}]}
UNKNOWN = {"name": "fmd-studio", "skip_reason": "Dependency not found on PyPI"}


def of(*packages):
    return judge(json.dumps({"dependencies": packages, "fixes": []}), "")


def test_a_weakness_fails_and_names_its_cure():
    code, words = of(CLEAN, WEAK, NEW)
    assert code == 1
    assert "jinja2 2.10: PYSEC-2019-217, mended in 2.10.1" in words
    assert "x 1: PYSEC-1, mended in no version yet" in words


def test_none_is_well_and_what_was_not_looked_up_is_named():
    assert of(CLEAN) == (0, "No known weakness in 1 packages.")
    assert of(CLEAN, UNKNOWN) == (0, "No known weakness in 1 packages, 1 not known there: fmd-studio.")


@pytest.mark.parametrize("answer", [of(UNKNOWN), of(), judge("", "requests.exceptions.ConnectionError: ...")])
def test_what_was_not_audited_is_not_called_clean(answer):
    code, words = answer
    assert code == 0
    assert "NOT audited" in words


def test_a_broken_audit_fails():
    assert judge("", "usage: pip-audit")[0] == 1
    assert judge("{}", "Traceback")[0] == 1


def test_without_a_network_the_real_program_is_understood(monkeypatch, tmp_path):
    (tmp_path / "pins.txt").write_text("jinja2==3.1.6\n")
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    code, words = audit(["-r", str(tmp_path / "pins.txt"), "--no-deps", "--disable-pip"])
    assert code == 0
    assert "no network" in words
