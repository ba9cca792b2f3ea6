"""The log says what broke and where, and never what a person gave."""

import ast
import json
import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest

from app.serving import logs
from fmd_core import DataError, FMDError

ROOT = Path(__file__).parents[2]
PRIVATE = "Maria Keller"  # a name, in everything that a line could be made of
EVERYTHING = f"""
import asyncio, logging, threading, warnings
from app.serving import logs
logs.begin()
import streamlit.logger
from app.widgets.components import show_problem
from app.jobs.registry import REGISTRY

def broken(row):
    try:
        int(row)
    except ValueError as error:
        raise KeyError(row) from error

def break_down(*_):
    broken("{PRIVATE}")

REGISTRY.start("{PRIVATE}.csv", "Importing {PRIVATE}.csv", break_down).wait(30)
try:
    break_down()
except KeyError as error:
    show_problem(error)
threading.Thread(target=break_down).start()
logging.getLogger("streamlit.runtime").warning("f-string with {PRIVATE}")
streamlit.logger.get_logger("streamlit.late").warning("Rejecting %s", "{PRIVATE}")
logging.getLogger("sqlalchemy.pool").error("Exception for %r", "{PRIVATE}", exc_info=ValueError("{PRIVATE}"))
warnings.warn("column {PRIVATE}")
logging.getLogger("fmd").info("quiet %s", "{PRIVATE}")
"""


def run(code, **env):
    answer = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        env=os.environ | env,
    )
    return answer.stderr.splitlines()


def test_a_process_in_which_everything_breaks_logs_lines_of_json_without_a_name():
    lines = run(EVERYTHING)
    assert "Maria" not in "\n".join(lines)
    told = [json.loads(line) for line in lines]
    names = {line["logger"] for line in told}
    assert names >= {"fmd", "streamlit.runtime", "streamlit.late", "sqlalchemy.pool", "py.warnings"}
    assert [line["event"] for line in told if line["logger"] == "fmd"] == [
        "job failed: %s", "unexpected error on a page", "a thread died", "quiet %s",
    ]  # fmt: skip
    traces = [line["traceback"] for line in told if line["logger"] == "fmd" and "traceback" in line]
    assert len(traces) == 3
    for trace in traces:
        assert trace.index("ValueError") < trace.index("which led to") < trace.index("KeyError")
        assert "in broken" in trace


def test_the_level_is_a_setting():
    lines = run("from app.serving import logs; logs.begin(); import logging; logging.getLogger('fmd').info('x')\n"
                "logging.getLogger('fmd').error('y')", FMD_LOG_LEVEL="error")  # fmt: skip
    assert [json.loads(line)["event"] for line in lines] == ["y"]


def test_an_unknown_level_is_refused_in_words(monkeypatch):
    monkeypatch.setenv("FMD_LOG_LEVEL", "loud")
    with pytest.raises(FMDError, match="FMD_LOG_LEVEL is 'loud': use one of DEBUG, INFO"):
        logs.level()


def line_of(name, message, *args, error=None):
    record = logging.LogRecord(
        name, logging.ERROR, __file__, 7, message, args, error and (type(error), error, None)
    )
    return json.loads(logs.JsonLines().format(record))


def test_another_library_s_finished_sentence_is_left_out_and_its_place_told():
    line = line_of("asyncio", f"Task exception was never retrieved: {PRIVATE}")
    assert "event" not in line
    assert line["where"].endswith("test_logs.py:7")
    assert line_of("uvicorn.error", "Invalid request from %s", PRIVATE)["event"] == "Invalid request from %s"


def test_a_line_stays_a_line():
    assert "\n" not in logs.JsonLines().format(
        logging.LogRecord(
            "fmd", logging.ERROR, __file__, 7, "two\nlines", (), (DataError, DataError("x"), None)
        )
    )


def test_errors_that_lead_to_each_other_end():
    first, second = ValueError(PRIVATE), KeyError(PRIVATE)
    first.__cause__, second.__cause__ = second, first
    assert line_of("fmd", "x", error=first)["traceback"].count("Traceback") == 2


def test_no_path_tells_whose_machine_it_is():
    assert logs._short(str(ROOT / "app" / "main.py")) == "app/main.py"
    assert logs._short(json.__file__) == "json/__init__.py"
    assert logs._short("/home/maria/elsewhere/x.py") == "x.py"


def test_our_own_sentences_hold_no_values():
    """The first argument of every call that logs is a text that stands in the code."""
    found = 0
    for path in [*ROOT.glob("app/**/*.py"), *ROOT.glob("fmd_core/**/*.py")]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                called = ast.unparse(node.func)
                if called.startswith(("LOG.", "logging.getLogger(")) and node.func.attr != "setLevel":
                    found += 1
                    assert isinstance(node.args[0], ast.Constant), f"{path}:{node.lineno}"
    assert found >= 5
