"""What is said of pip-audit's answers: a weakness fails, a lost network does not and is never called clean."""

import json

import pytest

from tests import audit_dependencies
from tests.audit_dependencies import NOT_AUDITED, PUBLISHES_NONE, audit, judge, loudly

CLEAN = {"name": "jinja2", "version": "3.1.6", "vulns": []}
WEAK = {"name": "jinja2", "version": "2.10", "vulns": [{"id": "PYSEC-2019-217", "fix_versions": ["2.10.1"]}]}
NEW = {"name": "x", "version": "1", "vulns": [{"id": "PYSEC-1", "fix_versions": []}]}
UNKNOWN = {"name": "fmd-studio", "skip_reason": "Dependency not found on PyPI"}


@pytest.fixture(autouse=True)
def at_a_desk(monkeypatch):
    monkeypatch.delenv("CI", raising=False)


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


UNAUDITED = [
    lambda: of(UNKNOWN), of, lambda: judge("", "requests.exceptions.ConnectionError: ..."),
]  # fmt: skip


def too_late():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(audit_dependencies.subprocess, "run", never)
        return audit_dependencies._asked([])


def never(command, *, timeout, **_):
    raise audit_dependencies.subprocess.TimeoutExpired(command, timeout)


@pytest.mark.parametrize("answer", [*UNAUDITED, too_late])
def test_what_was_not_audited_is_not_called_clean_and_is_said_loudly(answer):
    code, words = answer()
    assert code == 0
    assert "NOT audited" in words
    assert loudly(words).startswith("!!!!")
    assert loudly("No known weakness in 1 packages.") == "No known weakness in 1 packages."


NO_NETWORK = (0, f"{NOT_AUDITED} no network, or the registry does not answer.")


@pytest.mark.parametrize(
    ("second", "ci", "code", "words"),
    [
        ((0, "No known weakness in 9 packages."), "true", 0, "No known weakness in 9 packages."),
        ((1, "Known weaknesses:"), "", 1, "Known weaknesses:"),
        (NO_NETWORK, "", 0, "no audit was possible"),
        (NO_NETWORK, "true", 0, "no audit was possible"),
        ((0, PUBLISHES_NONE), "", 0, "knows none of the packages"),
        ((0, PUBLISHES_NONE), "true", 1, "knows none of the packages"),
        ((1, "pip-audit broke down:"), "", 1, "pip-audit broke down:"),
    ],
)
def test_where_the_registry_publishes_none_another_service_is_asked(second, ci, code, words, monkeypatch):
    """In CI what could have been audited and was not is a fault; where nothing can be reached it is said loudly."""
    asked = []

    def answer(arguments):
        asked.append(arguments)
        return (0, PUBLISHES_NONE) if len(asked) == 1 else second

    monkeypatch.setattr(audit_dependencies, "_asked", answer)
    monkeypatch.setenv("CI", ci)
    result = audit([])
    assert result[0] == code
    assert words in result[1]
    assert (loudly(result[1]) != result[1]) == (NOT_AUDITED in second[1])
    assert asked[1][-1] == "--vulnerability-service=osv"


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
