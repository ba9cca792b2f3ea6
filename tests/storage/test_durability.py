"""A step that was saved stays saved, whenever the server is killed: each save is whole or not there."""

import random
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

pytestmark = pytest.mark.slow  # kills writers

STATEMENTS = 4  # of a save: read the review, read its last entry, add the entry, change the review


@pytest.fixture
def killed(url, open_store):
    """Start writers on one review and kill them as told; what each had been promised is yielded."""
    store = open_store(url)
    review = store.create("ann", data="d", model="m", state={"step": 1})
    forker = subprocess.Popen(
        [sys.executable, Path(__file__).with_name("writer.py"), url, review],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )

    def kill(order):
        forker.stdin.write(f"{order}\n")
        forker.stdin.flush()
        answer = forker.stdout.readline()
        assert answer, "the forking process ended"
        return store, review, int(answer)

    yield kill
    forker.stdin.close()
    forker.wait(10)
    forker.stdout.close()


def wait_until_the_server_is_done(url):
    """A killed writer's commit may already be with PostgreSQL, which finishes it on its own."""
    if not url.startswith("postgresql"):
        return
    under_way = (
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
        "AND backend_type = 'client backend' AND pid <> pg_backend_pid() AND state <> 'idle'"
    )
    last = time.monotonic() + 30
    with psycopg.connect(url, autocommit=True) as connection:
        while connection.execute(under_way).fetchone() != (0,):
            assert time.monotonic() < last, "a statement of a killed writer does not end"
            time.sleep(0.005)


def check_after_the_kill(store, review, promised, url):
    wait_until_the_server_is_done(url)
    found = store.load(review)
    assert found.version in (promised, promised + 1), "the step under way may be there, none else"
    assert found.state["step"] == found.version
    log = store.log(review)
    assert [entry.detail for entry in log[1:]] == [str(step) for step in range(2, found.version + 1)]
    chain = store.check_log(review)
    assert chain.intact, chain.sentence
    return found.version - promised


def test_kill_at_a_random_point_loses_no_saved_step(killed, url):
    luck, last = random.Random(7), 1
    for _ in range(32 if url.startswith("sqlite") else 8):  # PostgreSQL's own files are not in danger
        store, review, promised = killed(round(luck.uniform(0, 25), 3))
        assert promised > last
        check_after_the_kill(store, review, promised, url)
        last = promised
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_kill_before_each_statement_of_a_save_leaves_the_old_review(killed, url):
    for statement in range(1, STATEMENTS + 2):  # the last is the commit
        assert check_after_the_kill(*killed(f"at {statement}"), url) == 0
    # The next statement is the following save's first: so there are no more in a save than these.
    store, review, promised = killed(f"at {STATEMENTS + 2}")
    assert promised == store.load(review).version
    assert len(store.log(review)) == promised


def test_a_commit_is_on_the_disk_before_it_returns(sqlite_url, open_store):
    """A power cut cannot be tested here; what SQLite then promises is asked for."""
    store = open_store(sqlite_url)
    with store._opened().connect() as connection:
        pragmas = ("journal_mode", "synchronous", "foreign_keys", "busy_timeout", "secure_delete")
        asked = {name: connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in pragmas}
    assert asked == {
        "journal_mode": "wal",
        "synchronous": 2,  # FULL
        "foreign_keys": 1,
        "busy_timeout": 10_000,  # milliseconds
        "secure_delete": 1,
    }


def test_postgresql_waits_for_the_disk_and_not_for_locks(postgresql_url, open_store):
    with open_store(postgresql_url)._opened().connect() as connection:
        assert connection.exec_driver_sql("SHOW synchronous_commit").scalar() == "on"
        assert connection.exec_driver_sql("SHOW lock_timeout").scalar() == "10s"


def test_a_database_server_that_was_restarted_is_found_again(postgresql_url, open_store):
    store = open_store(postgresql_url)
    review = store.create("ann", data="d", model="m", state={})
    with psycopg.connect(postgresql_url, autocommit=True) as connection:
        ended = connection.execute(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        ).fetchone()
    assert ended > (0,)
    assert store.save(review, version=1, action="a", detail="", state={}) == 2
