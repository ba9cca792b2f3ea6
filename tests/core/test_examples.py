"""The scripts in examples/ run as they are, and what needs no torch imports none."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow  # whole scripts in processes of their own

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
SAID = {  # what the last lines must contain
    "own_scikit_learn_model": "improved.",
    "own_torch_model": "mixed.",
    "your_dataframe": "Written to",
    "two_models_compared": "group: green: ",
    "three_steps_of_the_paper": "paper-external: bias ",
}
WITHOUT_TORCH = """
import runpy, sys

class Without:
    def find_spec(self, name, *_):
        if name.partition(".")[0] in ("torch", "torchvision", "captum"):
            raise ImportError(f"{name} is not here")

sys.meta_path.insert(0, Without())
runpy.run_path(sys.argv[1])
"""


def run(*words, tmp_path):
    answer = subprocess.run(
        [sys.executable, *words],
        cwd=tmp_path,
        env={
            **os.environ,
            "PYTHONPATH": str(EXAMPLES.parent),
            "OMP_NUM_THREADS": "1",
            "OPENBLAS_NUM_THREADS": "1",
        },
        capture_output=True,
        text=True,
        timeout=250,
    )
    assert answer.returncode == 0, answer.stderr
    return answer.stdout


def test_every_example_is_run():
    assert {path.stem for path in EXAMPLES.glob("*.py")} == set(SAID)
    assert all(f"`{name}.py`" in (EXAMPLES / "README.md").read_text() for name in SAID)


@pytest.mark.parametrize("name", [name for name in SAID if name != "own_scikit_learn_model"])
def test_an_example_runs(name, tmp_path):
    page = tmp_path / "report.html"
    assert SAID[name] in run(EXAMPLES / f"{name}.py", page, tmp_path=tmp_path)
    if name == "your_dataframe":
        assert page.read_text().lstrip().lower().startswith("<!doctype html>")


def test_a_table_with_a_scikit_learn_model_needs_no_torch(tmp_path):
    said = run("-c", WITHOUT_TORCH, EXAMPLES / "own_scikit_learn_model.py", tmp_path=tmp_path)
    assert SAID["own_scikit_learn_model"] in said
