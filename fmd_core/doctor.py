"""What is missing on this machine, in words: `fmd doctor`.

Everything is imported where it is used, because whatever it is may be what is missing.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import re
import shutil
import socket
import sys
import tempfile
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from fmd_core.errors import FMDError, HomeError
from fmd_core.home import REPOSITORY, data_folder, home_folder
from fmd_core.running.cache_limit import budget

Weight = Literal["ok", "note", "missing"]
PYTHONS = ((3, 11), (3, 13))
GIB = 2**30
LEAST_MEMORY, GOOD_MEMORY = 2 * GIB, 4 * GIB  # the server alone takes 0.9 GB; training and large data more
LEAST_DISK, GOOD_DISK = GIB // 2, 4 * GIB  # stored features alone may take 2 GB
PATIENCE_SECONDS = 5
CGROUP_LIMIT = Path("/sys/fs/cgroup/memory.max")  # of the container, where there is one
PUBLIC_DATA = {  # the file without which a reader finds nothing
    "CelebA": "celeba/list_attr_celeba.txt",
    "Coloured MNIST": "MNIST/raw/train-images-idx3-ubyte*",
    "Adult": "adult/adult.data",
}
LISTS = ("FMD_REVIEWERS", "FMD_VIEWERS")
LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")


@dataclass(frozen=True)
class Finding:
    """One sentence about this machine; "note" is what only some work needs."""

    weight: Weight
    sentence: str


def examine() -> Iterator[Finding]:
    """Every check in turn. One that breaks down is itself a finding."""
    for check in CHECKS:
        try:
            yield from check()
        except Exception as error:  # a half-installed library raises whatever it likes
            what = check.__name__.strip("_").replace("_", " ")
            yield Finding("missing", f"The check of {what} broke down with {type(error).__name__}.")


def line(finding: Finding) -> str:
    """'missing  captum is not installed: ...'."""
    return f"{finding.weight:8} {finding.sentence}"


def summary(missing: int) -> str:
    """The last sentence, by how many things are missing."""
    if missing:
        return f"{missing} thing{'s are' if missing > 1 else ' is'} missing."
    return "Everything that is needed is here."


# --- programs


def _python() -> Iterator[Finding]:
    here = sys.version_info[:2]
    named = f"Python {here[0]}.{here[1]}"
    if PYTHONS[0] <= here <= PYTHONS[1]:
        yield Finding("ok", f"{named}.")
    else:
        yield Finding("missing", f"{named} is here: FMD Studio needs 3.11, 3.12 or 3.13.")


def _packages() -> Iterator[Finding]:
    from packaging.requirements import Requirement

    pins = REPOSITORY / "requirements.txt"
    if pins.is_file():
        texts, cure = _pinned(pins.read_text()), "pip install -r requirements.txt"
        all_well = "All {} pinned packages, in the versions of requirements.txt."
    else:  # installed from a wheel
        texts, cure = importlib.metadata.requires("fmd-studio") or [], "pip install --upgrade fmd-studio"
        all_well = "All {} packages that the library needs."
    # A marker tells for which Python a package is, or for which extra: nobody knows which extras are wanted.
    wanted = [
        pin for pin in map(Requirement, texts) if pin.marker is None or pin.marker.evaluate({"extra": ""})
    ]
    wrong = []
    for pin in wanted:
        found = _version(pin.name)
        if found is None:
            wrong.append(f"{pin.name} is not installed")
        elif not pin.specifier.contains(found, prereleases=True):
            wrong.append(f"{pin.name} is {found}, wanted {pin.specifier}")
    for problem in wrong:
        yield Finding("missing", f"{problem}: run {cure}.")
    if not wrong:
        yield Finding("ok", all_well.format(len(wanted)))


def _pinned(text: str) -> list[str]:
    """The lines of a requirements file that name a package."""
    lines = (line.split("#")[0].strip() for line in text.splitlines())
    return [line for line in lines if line and not line.startswith("-")]


def _torch_and_torchvision() -> Iterator[Finding]:
    from packaging.requirements import Requirement

    torch, vision = _version("torch"), _version("torchvision")
    if torch is None or vision is None:
        return  # said above
    needs = [Requirement(text) for text in importlib.metadata.requires("torchvision") or ()]
    wanted = next((need.specifier for need in needs if need.name == "torch"), None)
    if wanted is None or wanted.contains(torch, prereleases=True):
        yield Finding("ok", f"torch {torch} and torchvision {vision} are a pair.")
    else:
        yield Finding("missing", f"torchvision {vision} was built for torch{wanted}, and {torch} is here.")


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _browser() -> Iterator[Finding]:
    finder = REPOSITORY / "tests" / "ensure_browser.py"
    if not finder.is_file():
        return  # an installation without its tests
    spec = importlib.util.spec_from_file_location("ensure_browser", finder)
    if spec is None or spec.loader is None:
        raise ImportError(finder.name)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    try:
        found = module.find()
    except ImportError:
        found = None
    if found:
        yield Finding("ok", f"A browser for the tests: {found}.")
    else:
        yield Finding("note", "No browser for the tests: run make test, which looks for one and installs it.")


# --- room


def _memory() -> Iterator[Finding]:
    import psutil  # type: ignore[import-untyped]

    known = psutil.virtual_memory()
    total, free = int(known.total), int(known.available)
    limit = CGROUP_LIMIT.read_text().strip() if CGROUP_LIMIT.is_file() else "max"
    if limit.isdecimal():
        total, free = min(total, int(limit)), min(free, int(limit))
    words = f"{total / GIB:.1f} GB of memory, {free / GIB:.1f} GB free"
    if total < LEAST_MEMORY:
        yield Finding("missing", f"{words}: the server needs at least {LEAST_MEMORY / GIB:g} GB.")
    elif free < GOOD_MEMORY:
        yield Finding(
            "note", f"{words}: training and large data go better with {GOOD_MEMORY / GIB:g} GB free."
        )
    else:
        yield Finding("ok", f"{words}.")


def _home() -> Iterator[Finding]:
    named = os.environ.get("FMD_HOME") or "~/.fmd-studio"
    try:
        folder = home_folder()
        with tempfile.NamedTemporaryFile(dir=folder):
            pass
    except HomeError as error:
        yield Finding("missing", str(error))
        return
    except OSError as error:
        yield Finding("missing", f"FMD_HOME ({named}) cannot be written to: {error.strerror}.")
        return
    yield Finding("ok", f"FMD_HOME ({named}) can be written to.")
    if folder.stat().st_mode & 0o077:
        yield Finding("note", f"Other users of this machine can look into FMD_HOME: chmod 700 {folder}.")
    free = shutil.disk_usage(folder).free
    words = f"{free / GIB:.1f} GB of disk are free there"
    if free < LEAST_DISK:
        yield Finding("missing", f"{words}: at least {LEAST_DISK / GIB:g} GB are needed.")
    else:
        yield Finding(
            "ok" if free >= GOOD_DISK else "note", f"{words}; large data want {GOOD_DISK / GIB:g} GB."
        )


# --- data


def _data() -> Iterator[Finding]:
    folder = data_folder()
    for name, pattern in PUBLIC_DATA.items():
        if next(folder.glob(pattern), None):
            yield Finding("ok", f"{name} is in {folder}.")
        else:
            yield Finding("note", f"{name} is not in {folder} (FMD_DATA_DIR): its demo cannot be opened.")


def _database() -> Iterator[Finding]:
    given = os.environ.get("FMD_DATABASE_URL")
    if not given and importlib.util.find_spec("sqlalchemy") is None:
        return  # the library without the dashboard, which alone keeps reviews
    from sqlalchemy import URL, create_engine, inspect, make_url, text
    from sqlalchemy.exc import ArgumentError, SQLAlchemyError

    try:
        url = (
            make_url(given)
            if given
            else URL.create("sqlite", database=str(home_folder() / "reviews.sqlite3"))
        )
    except (ArgumentError, ValueError):  # not shown: there may be a password in it
        yield Finding(
            "missing", "FMD_DATABASE_URL is no address of a database: postgresql://user:password@host/name."
        )
        return
    is_file = url.get_backend_name() == "sqlite"
    if is_file and not Path(str(url.database)).exists():  # connecting would make it, for all to read
        yield Finding("ok", "There is no file with reviews yet; the first step of a review makes it.")
        return
    name = f"The database ({'a file' if is_file else f'{url.get_backend_name()} on {url.host}'})"
    wait = {"timeout": PATIENCE_SECONDS} if is_file else {"connect_timeout": PATIENCE_SECONDS}
    if url.get_backend_name() in ("postgresql", "postgres"):
        url = url.set(drivername="postgresql+psycopg")
    try:
        engine = create_engine(url, hide_parameters=True, connect_args=wait)
        with engine.connect() as connection:
            connection.execute(text("PRAGMA schema_version" if is_file else "SELECT 1"))  # reads the file
            tables = set(inspect(connection).get_table_names())
        engine.dispose()
    except (SQLAlchemyError, ImportError) as error:
        yield Finding("missing", f"{name} does not answer ({type(error).__name__}): check FMD_DATABASE_URL.")
        return
    if "reviews" in tables and "alembic_version" not in tables:
        yield Finding(
            "missing",
            f"{name} holds reviews, and its own version (alembic_version) is lost: put back a good copy.",
        )
    else:
        yield Finding("ok", f"{name} answers.")


def _dask() -> Iterator[Finding]:
    given = os.environ.get("FMD_DASK_SCHEDULER")
    if not given:
        return
    if importlib.util.find_spec("distributed") is None:
        yield Finding("missing", "FMD_DASK_SCHEDULER is set, and dask.distributed is not installed.")
    try:
        parts = urlsplit(given)
        with socket.create_connection((parts.hostname or "", parts.port or 8786), PATIENCE_SECONDS):
            yield Finding("ok", f"The Dask scheduler {given} answers.")
    except (OSError, ValueError) as error:
        words = getattr(error, "strerror", None) or "no such address"
        yield Finding(
            "missing", f"The Dask scheduler {given} does not answer ({words}): check FMD_DASK_SCHEDULER."
        )


# --- settings


def _login() -> Iterator[Finding]:
    given = {name: re.split(r"[\s,;]+", os.environ.get(name, "").strip()) for name in LISTS}
    entries = {name: [entry for entry in found if entry] for name, found in given.items()}
    for name, found in entries.items():
        for entry in found:
            if not re.fullmatch(r"[^@]*@[^@]+", entry):
                yield Finding(
                    "missing",
                    f"{name} holds '{entry}', which is no address and no @domain: it lets nobody in.",
                )
    file = REPOSITORY / ".streamlit" / "secrets.toml"
    try:
        auth = tomllib.loads(file.read_text()).get("auth") if file.is_file() else None
    except ValueError:
        yield Finding("missing", "The file .streamlit/secrets.toml is no TOML: with it nobody can log in.")
        return
    if auth and not any(entries.values()):
        yield Finding("missing", "A login is set up, and FMD_REVIEWERS names nobody: nobody gets in.")
    elif any(entries.values()) and not auth:
        yield Finding(
            "note",
            "FMD_REVIEWERS or FMD_VIEWERS is set without a login: only a proxy's header lets people in.",
        )
    elif auth:
        yield Finding("ok", "A login is set up, and people are on the lists.")


def _cache() -> Iterator[Finding]:
    try:
        budget()
    except FMDError as fault:
        yield Finding("missing", str(fault))


def _log_level() -> Iterator[Finding]:
    given = os.environ.get("FMD_LOG_LEVEL", "")
    if given and given.strip().upper() not in LOG_LEVELS:
        yield Finding("missing", f"FMD_LOG_LEVEL is '{given[:40]}': use one of {', '.join(LOG_LEVELS)}.")


CHECKS: tuple[Callable[[], Iterator[Finding]], ...] = (
    _python, _packages, _torch_and_torchvision, _memory, _home, _data, _browser, _database, _dask, _login, _log_level,
    _cache,
)  # fmt: skip
