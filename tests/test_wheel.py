"""The wheel: what lies in it, and that the library works from it where there is no checkout and no dashboard."""

import json
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow  # builds the wheel and installs it apart

ROOT = Path(__file__).resolve().parents[1]
DEMOS = {
    "colored_digits": ("digits.npz", "manifest.json", "model.safetensors"),
    "synthetic_faces": ("README.md", "faces.npz", "manifest.json", "model.safetensors"),
    "hate_texts": ("README.md", "features.npz", "manifest.json", "model.safetensors", "texts.json"),
}
# What the library must not need: the dashboard, its libraries, and this checkout.
FENCE = """
import sys
class Fence:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("streamlit", "app", "plotly", "sqlalchemy", "dask"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Fence())
import importlib.metadata as metadata
known = metadata.version
def version(name):
    if name == "streamlit":
        raise metadata.PackageNotFoundError(name)
    return known(name)
metadata.version = version
import fmd_core
assert fmd_core.__file__.startswith(sys.argv[1]), fmd_core.__file__
"""
REPORTING = """
from fmd_core.report.writing import json_values, render_report, seal
evidence = study.evidence(path.suggested)
report = fmd.build_report(evidence)
page = render_report(evidence, report=report)
assert page.lstrip().lower().startswith("<!doctype html>"), page[:40]
fmd.load_demo_classifier("synthetic_faces")
print("well sealed" if report.seal == seal(json_values(report)) else "broken")
"""
START = """
import os, sys
os.chdir(sys.argv[1]); sys.path.insert(0, sys.argv[1])
import app.server
assert app.server.__file__.startswith(sys.argv[1])
from streamlit.testing.v1 import AppTest
page = AppTest.from_file("app/main.py", default_timeout=120).run()
assert not page.exception, page.exception
print(page.title[0].value)
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Built offline by the pinned hatchling, as `pip wheel` does it."""
    folder = tmp_path_factory.mktemp("wheel")
    code = "import sys, hatchling.build as build; print(build.build_wheel(sys.argv[1]))"
    built = subprocess.run(
        [sys.executable, "-c", code, folder], cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert built.returncode == 0, built.stderr
    return folder / built.stdout.split()[-1]


@pytest.fixture(scope="module")
def names(wheel):
    with zipfile.ZipFile(wheel) as archive:
        return archive.namelist()


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """The folder that pip installs it into, with nothing else."""
    folder = tmp_path_factory.mktemp("installed")
    command = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-index",
        "--no-deps",
        "--target",
        folder,
        wheel,
    ]
    answer = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert answer.returncode == 0, answer.stderr
    return folder


@pytest.fixture
def outside(installed, tmp_path):
    """Runs Python with the installed folder first, from a folder that is no checkout."""
    settings = {**os.environ, "PYTHONPATH": str(installed), "FMD_HOME": str(tmp_path / "home")}
    settings = {
        name: value for name, value in settings.items() if name not in ("FMD_DATA_DIR", "FMD_SAMPLE_DIR")
    }

    def run(*words):
        return subprocess.run(
            [sys.executable, *words], cwd=tmp_path, env=settings, capture_output=True, text=True, timeout=200
        )

    return run


def test_it_holds_one_package_with_everything_that_the_library_reads(names):
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"fmd_core"}
    wanted = {f"fmd_core/_bundled/{demo}/{file}" for demo, files in DEMOS.items() for file in files}
    wanted |= {
        "fmd_core/py.typed",
        "fmd_core/__init__.pyi",
        "fmd_core/report/report.html",
        "fmd_core/report/Inter.woff2",
    }
    shipped = (ROOT / "sample_data/colored_digits/features").glob("*.npy")
    wanted |= {f"fmd_core/_bundled/colored_digits/features/{path.name}" for path in shipped}
    assert sum(name.endswith(".npy") for name in wanted) == 8
    assert wanted <= set(names)
    assert len(names) == len(set(names))


def test_every_module_of_the_checkout_is_in_it_and_no_test_is(names):
    modules = {str(path.relative_to(ROOT)) for path in (ROOT / "fmd_core").rglob("*.py")}
    assert modules <= set(names)
    screens = {f"fmd_core/_dashboard/{path.relative_to(ROOT)}" for path in (ROOT / "app").rglob("*.py")}
    assert screens <= set(names)
    assert [name for name in names if re.search(r"(^|/)tests?/|__pycache__|screenshots|secrets", name)] == []


def test_the_licences_travel_with_it(names):
    inside = {name.split(".dist-info/", 1)[-1] for name in names if ".dist-info/" in name}
    assert {"licenses/LICENSE", "licenses/app/static/OFL.txt"} <= inside


def test_it_declares_what_it_needs_and_its_command(wheel):
    with zipfile.ZipFile(wheel) as archive:
        texts = {
            name.rsplit("/", 1)[-1]: archive.read(name).decode()
            for name in archive.namelist()
            if "dist-info" in name
        }
    assert "fmd = fmd_core.__main__:main" in texts["entry_points.txt"]
    needs = re.findall(r"^Requires-Dist: ([\w.-]+)[^;\n]*(;.*)?$", texts["METADATA"], re.MULTILINE)
    core = {name.lower() for name, marker in needs if "extra" not in marker}
    assert {"numpy", "torch", "aif360"} <= core
    assert core.isdisjoint({"streamlit", "plotly", "sqlalchemy", "dask", "psycopg"})


def test_the_readme_example_and_a_report_without_checkout_and_dashboard(outside, installed):
    (example,) = re.findall(
        r"^```python\n(.*?)^```", (ROOT / "README.md").read_text(), re.DOTALL | re.MULTILINE
    )
    answer = outside("-c", FENCE + example + REPORTING, installed)
    assert answer.returncode == 0, answer.stderr
    assert "well sealed" in answer.stdout


def test_its_command_helps_and_examines(outside):
    answer = outside("-m", "fmd_core", "--help")
    assert answer.returncode == 0, answer.stderr
    document = json.loads(outside("-m", "fmd_core", "doctor", "--json", "-").stdout)
    sentences = [found["sentence"] for found in document["findings"]]
    assert any(re.fullmatch(r"All \d+ packages that the library needs\.", said) for said in sentences), (
        sentences
    )


def test_the_dashboard_runs_from_inside_it(outside, installed):
    code = """
import os, sys
os.execve = lambda *call: sys.exit(print(os.getcwd(), call[2]["PYTHONPATH"].split(os.pathsep)[0]))
from fmd_core.__main__ import main
main(["run", "--no-browser"])
"""
    answer = outside("-c", code)
    assert answer.returncode == 0, answer.stderr
    folder = str(installed / "fmd_core" / "_dashboard")
    assert answer.stdout.splitlines()[-1] == f"{folder} {folder}"
    start = outside("-c", START, folder)
    assert start.returncode == 0, start.stderr
    assert start.stdout.splitlines()[-1].startswith("Is this classifier biased")
