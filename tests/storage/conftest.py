"""Databases without reviews: an SQLite file, and PostgreSQL from Debian's package where it is installed."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from itertools import count
from pathlib import Path

import psycopg
import pytest

from app.storage import ReviewStore

NAMES = count(1)


def installed():
    """The newest PostgreSQL's programs."""
    found = Path("/usr/lib/postgresql").glob("*/bin/initdb")
    return max((path.parent for path in found), key=lambda path: int(path.parent.name), default=None)


@pytest.fixture(scope="session")
def postgresql():
    """Address of a server of this test run's own, reached by a socket only."""
    programs = installed()
    if programs is None:
        pytest.skip("PostgreSQL is not installed (Debian: apt-get install postgresql)")
    # Under /tmp itself: pytest's folders are closed to the user that the server runs as, and a
    # socket's path may have 107 characters only.
    folder = Path(tempfile.mkdtemp(prefix="fmd-pg-"))
    as_user = []
    if os.geteuid() == 0:  # refused by PostgreSQL
        as_user = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"]
        shutil.chown(folder, "nobody", "nogroup")
    initdb = [
        programs / "initdb",
        "-D",
        folder / "data",
        "-U",
        "fmd",
        "-A",
        "trust",
        "-E",
        "UTF8",
        "--no-sync",
    ]
    subprocess.run([*as_user, *initdb], check=True, stdout=subprocess.DEVNULL, cwd=folder)
    options = [f"-k{folder}", "-h", "", "-F"]  # -F: no test cuts the power
    with open(folder / "log", "wb") as log:
        server = subprocess.Popen(
            [*as_user, programs / "postgres", "-D", folder / "data", *options], stderr=log, cwd=folder
        )
    try:
        wait_until_it_answers(server, folder)
        yield f"postgresql://fmd@/postgres?host={folder}"
    finally:
        server.send_signal(signal.SIGQUIT)  # at once: nothing of it is kept
        server.wait(30)
        shutil.rmtree(folder)


def wait_until_it_answers(server, folder):
    deadline = time.monotonic() + 30
    while True:
        try:
            psycopg.connect(host=str(folder), user="fmd", dbname="postgres").close()
            return
        except psycopg.OperationalError:
            if server.poll() is not None or time.monotonic() > deadline:
                pytest.fail("PostgreSQL did not start: " + (folder / "log").read_text())
            time.sleep(0.05)


@pytest.fixture(scope="session")
def migrated(tmp_path_factory):
    """A file with empty tables, to be copied: the migrations take longer than most tests."""
    file = tmp_path_factory.mktemp("migrated") / "reviews.sqlite3"
    store = ReviewStore(f"sqlite:///{file}")
    store.listing("nobody")
    store.close()
    return file


@pytest.fixture
def sqlite_url(tmp_path, migrated):
    return f"sqlite:///{shutil.copy(migrated, tmp_path)}"


@pytest.fixture
def postgresql_url(postgresql):
    """A schema of its own in one database, which is empty as a new database is and made far faster."""
    name = f"reviews_{next(NAMES)}"
    with psycopg.connect(postgresql) as connection:
        connection.execute(f"CREATE SCHEMA {name}")
    return f"{postgresql}&options=-csearch_path%3D{name}"


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request):
    """A database of either kind."""
    return request.getfixturevalue(f"{request.param}_url")


@pytest.fixture
def open_store():
    """Stores that are closed after the test."""
    opened = []

    def open_it(url=None):
        opened.append(ReviewStore(url))
        return opened[-1]

    yield open_it
    for store in opened:
        store.close()


@pytest.fixture
def store(url, open_store):
    return open_store(url)
