"""pyproject.toml says in ranges what is needed; requirements*.txt pin what is run and tested. They agree."""

import re
import tomllib
from itertools import chain
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]


def declared(*groups):
    """Requirements by name, without this project itself."""
    found = [Requirement(text) for text in chain(*groups)]
    return {canonicalize_name(one.name): one for one in found if one.name != PROJECT["name"]}


def pinned(name):
    """The pins of a requirements file by name."""
    lines = [line.split("#")[0].strip() for line in (ROOT / name).read_text().splitlines()]
    found = [Requirement(line) for line in lines if line and not line.startswith("-")]
    return {canonicalize_name(one.name): one for one in found}


def disagreements(wanted, pins):
    """What is declared and not pinned, pinned and not declared, or pinned outside its range, as sentences."""
    yield from (f"{name} is declared and not pinned" for name in sorted(wanted.keys() - pins.keys()))
    yield from (f"{name} is pinned and not declared" for name in sorted(pins.keys() - wanted.keys()))
    for name in sorted(wanted.keys() & pins.keys()):
        pin = re.fullmatch(r"==([\w.]+)", str(pins[name].specifier))
        if pin is None:
            yield f"{name} is not pinned to one version"
        elif not wanted[name].specifier.contains(pin[1]):
            yield f"{name} is pinned to {pin[1]}, outside {wanted[name].specifier}"
        if (wanted[name].extras, str(wanted[name].marker)) != (pins[name].extras, str(pins[name].marker)):
            yield f"{name} has other extras or another marker than its pin"


def test_what_is_run_is_pinned_within_what_is_declared():
    doors = (EXTRAS[name] for name in ("app", "dask", "postgres", "onnx", "huggingface", "skops"))
    wanted = declared(PROJECT["dependencies"], *doors)
    assert list(disagreements(wanted, pinned("requirements.txt"))) == []


def test_what_tests_is_pinned_within_what_is_declared():
    assert list(disagreements(declared(EXTRAS["dev"], EXTRAS["text"]), pinned("requirements-dev.txt"))) == []


def test_the_wheel_is_built_in_the_pinned_version():
    build = tomllib.loads((ROOT / "pyproject.toml").read_text())["build-system"]["requires"]
    assert [Requirement(text) for text in build] == [pinned("requirements-dev.txt")["hatchling"]]


def test_the_extras_are_those_that_are_promised():
    assert set(EXTRAS) == {"app", "dask", "postgres", "onnx", "huggingface", "skops", "text", "dev"}


@pytest.mark.parametrize(
    ("range_", "pin", "words"),
    [
        ("a>=1", "b==1", ["a is declared and not pinned", "b is pinned and not declared"]),
        ("a>=2,<3", "a==3.0", ["a is pinned to 3.0, outside <3,>=2"]),
        ("a", "a>=1", ["a is not pinned to one version"]),
        ("a[x]", "a==1", ["a has other extras or another marker than its pin"]),
    ],
)
def test_a_disagreement_is_found(range_, pin, words):
    pins = {Requirement(pin).name: Requirement(pin)}
    assert list(disagreements(declared([range_]), pins)) == words


# --- what the container installs


def locked(name):
    """Version and digests of every library in a lock file."""
    found = {}
    for line in (ROOT / name).read_text().replace("\\\n", " ").splitlines():
        if line.strip() and not line.startswith("#"):
            pin, *digests = line.split()
            found.update([(canonicalize_name(pin.split("==")[0]), (pin.split("==")[1], digests))])
    return found


def test_the_container_installs_what_is_pinned():
    lock = {**locked("requirements.lock"), **locked("requirements-cpu.lock")}
    pins = pinned("requirements.txt")
    here = {
        name
        for name, pin in pins.items()
        if pin.marker is None or pin.marker.evaluate({"python_version": "3.11"})
    }
    wrong = [
        n for n in sorted(here) if n not in lock or not pins[n].specifier.contains(lock[n][0].split("+")[0])
    ]
    assert wrong == [], "make lock"
    assert lock["hatchling"][0] == str(pinned("requirements-dev.txt")["hatchling"].specifier).lstrip("=")


def test_every_library_but_torchs_pair_is_locked_by_its_digest():
    lock = locked("requirements.lock")
    digest = re.compile(r"--hash=sha256:[0-9a-f]{64}")
    assert [n for n, (_, found) in lock.items() if not found or not all(map(digest.fullmatch, found))] == []
    assert set(locked("requirements-cpu.lock")) == {"torch", "torchvision"}


def test_no_cuda_comes_into_the_container():
    assert [
        n for n in locked("requirements.lock") if n.startswith(("nvidia", "cuda", "triton", "torch"))
    ] == []
    dockerfile = (ROOT / "Dockerfile").read_text()
    assert re.search(r"^ARG BASE=python:3\.11-slim@sha256:[0-9a-f]{64}$", dockerfile, re.MULTILINE)
    installs = re.findall(r"^RUN pip install .*$", dockerfile, re.MULTILINE)
    assert len(installs) == 3
    assert all("--no-deps" in one for one in installs)
