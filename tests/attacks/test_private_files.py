"""What a person brings lies where nobody else on the machine can read it, and goes when it is deleted."""

import asyncio
import logging
import os
import stat
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from zipfile import ZipFile

import pytest
from PIL import Image
from streamlit.proto.Common_pb2 import FileURLs
from streamlit.runtime.uploaded_file_manager import UploadedFile, UploadedFileRec

from app import server
from app.jobs.registry import REGISTRY
from app.opening import uploads
from app.serving import logs
from fmd_core.datasets.own import imports
from fmd_core.datasets.own.sniffing import read_table
from fmd_core.datasets.own.table import suggest_table
from fmd_core.home import home_folder

TABLE = b"age,sex,hired\n" + b"".join(
    b"%d,%s,%s\n" % (20 + i % 40, b"fm"[i % 2 :][:1], b"yn"[i % 3 == 0 :][:1]) for i in range(60)
)


@pytest.fixture(autouse=True)
def usual_machine(monkeypatch, tmp_path):
    """A home of the test's own, on a machine where new files are for all to read."""
    monkeypatch.setenv("FMD_HOME", str(tmp_path / "home"))
    before = os.umask(0o022)
    yield
    os.umask(before)


def given(name="people.csv", content=TABLE):
    return UploadedFile(UploadedFileRec("1", name, "text/csv", content), FileURLs())


def modes(folder):
    """Who may do what with a folder and all that is in it."""
    return {stat.filemode(path.stat().st_mode) for path in (folder, *folder.rglob("*"))}


def test_an_upload_is_for_us_alone_and_gone_when_it_was_looked_at():
    with uploads.on_disk(given()) as path:
        assert path.read_bytes() == TABLE
        assert modes(home_folder() / "uploads") == {"drwx------", "-rw-------"}
    assert not list((home_folder() / "uploads").iterdir())


def test_an_upload_folder_that_was_open_is_closed():
    (home_folder() / "uploads").mkdir(mode=0o755)
    with uploads.on_disk(given()):
        assert modes(home_folder() / "uploads") == {"drwx------", "-rw-------"}


def test_a_lent_upload_is_for_us_alone_and_gone_when_the_job_gives_it_back():
    seen, may_end = [], threading.Event()

    def start(paths):
        def work(_progress):
            may_end.wait(30)
            seen.append(modes(home_folder() / "uploads"))
            uploads.give_back(*paths)

        return REGISTRY.start("private files", "private files", work)

    job = uploads.lend("private files", (given(), given("faces.zip")), start)
    may_end.set()
    assert job.wait(30)
    assert seen == [{"drwx------", "-rw-------"}]
    assert not list((home_folder() / "uploads").iterdir())


def test_an_upload_is_gone_when_its_job_is_stopped_before_it_began_and_when_it_fails():
    may_end, uploaded = threading.Event(), home_folder() / "uploads"
    first = REGISTRY.start("first", "first", lambda _: may_end.wait(30))
    while first.state == "waiting":
        time.sleep(0.001)
    began = []
    waiting = uploads.lend("second", (given(),), lambda _: REGISTRY.start("second", "second", began.append))
    assert [path.name for path in uploaded.rglob("upload0*")] == ["upload0.csv"]
    REGISTRY.cancel(waiting.id)
    assert waiting.state == "stopped"
    assert not list(uploaded.iterdir())
    may_end.set()
    assert first.wait(30)
    failing = uploads.lend("third", (given(),), lambda _: REGISTRY.start("third", "third", lambda _: 1 / 0))
    assert failing.wait(30)
    assert (failing.state, began) == ("failed", [])
    assert not list(uploaded.iterdir())


def test_what_a_killed_server_left_goes_with_the_next_upload(monkeypatch):
    left = home_folder() / "uploads" / "left"
    left.mkdir(parents=True)
    (left / "upload0.csv").write_bytes(TABLE)
    uploads.lend("x", (given(),), lambda _: REGISTRY.start("x", "x", lambda _: None)).wait(30)
    assert left.exists()  # it may be in use
    monkeypatch.setattr(uploads, "LONGEST_STAY", -1.0)
    uploads.lend("y", (given(),), lambda _: REGISTRY.start("y", "y", lambda _: None)).wait(30)
    assert not left.exists()


def test_an_import_is_closed_to_others_and_gone_when_it_is_deleted(tmp_path):
    table, archive, picture = tmp_path / "people.csv", tmp_path / "faces.zip", BytesIO()
    table.write_bytes(TABLE)
    Image.new("RGB", (8, 8)).save(picture, "PNG")
    with ZipFile(archive, "w") as packed:
        packed.writestr("a.png", picture.getvalue())
    folder = imports.begin_import(table, archive)
    assert {p.name for p in folder.iterdir()} >= {"table.csv", "pictures"}
    for closed in (folder, folder.parent):
        assert stat.filemode(closed.stat().st_mode) == "drwx------"
    kept = imports.finish_import(folder, "people", suggest_table(read_table(table)))
    imports.delete_import(kept)
    assert not folder.exists()


def start_and_stop(during=lambda: None):
    """Live through the server's start and end; in a thread, because Playwright's loop may run in this one."""

    async def live():
        async with server.lifespan(server.app):
            during()

    with ThreadPoolExecutor(1) as pool:
        pool.submit(asyncio.run, live()).result()


def test_whatever_the_server_writes_is_for_its_user_alone(monkeypatch, tmp_path):
    monkeypatch.setattr(server.warmup, "start", lambda: None)
    monkeypatch.setattr(logs, "begin", lambda: None)

    def write():
        (tmp_path / "folder").mkdir()
        (tmp_path / "folder" / "file").touch()

    start_and_stop(write)
    assert modes(tmp_path / "folder") == {"drwx------", "-rw-------"}


@pytest.mark.parametrize(
    ("address", "level", "login"),
    [("127.0.0.1", "INFO", ""), ("0.0.0.0", "WARNING", ""), ("0.0.0.0", "INFO", "a@b")],
)
def test_a_server_that_is_open_without_a_login_warns_of_it(monkeypatch, caplog, address, level, login):
    monkeypatch.setattr(server.warmup, "start", lambda: None)
    monkeypatch.setattr(logs, "begin", lambda: None)
    monkeypatch.setattr(server.st, "get_option", {"server.address": address}.__getitem__)
    monkeypatch.setenv("FMD_REVIEWERS", login)

    with caplog.at_level(logging.INFO):
        start_and_stop()
    assert [record.levelname for record in caplog.records if record.name == "fmd.server"] == [level]
