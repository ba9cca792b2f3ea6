"""The tables come from migrations alone: up, down and up again, without drift."""

import subprocess
import sys
import threading

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import inspect, text

from app.storage import ReviewStore, StorageError, database
from app.storage.database import ALEMBIC, NEWER, database_url, open_engine, upgrade, writing
from app.storage.tables import METADATA


@pytest.fixture
def sqlite_url(tmp_path):
    """In place of the one with tables in it."""
    return f"sqlite:///{tmp_path / 'reviews.sqlite3'}"


@pytest.fixture
def engine(url):
    found = open_engine(database_url(url))
    yield found
    found.dispose()


def alembic(engine, order, *arguments):
    with writing(engine).begin() as connection:
        getattr(command, order)(Config(ALEMBIC, attributes={"connection": connection}), *arguments)


def left_over(engine):
    """Names of everything in the database but Alembic's own table."""
    names = set(inspect(engine).get_table_names()) - {"alembic_version"}
    ask = (
        "SELECT name FROM sqlite_master WHERE type = 'trigger'"
        if engine.dialect.name == "sqlite"
        else "SELECT tgname FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid "
        "WHERE NOT tgisinternal AND relnamespace = current_schema()::regnamespace UNION "
        "SELECT proname FROM pg_proc WHERE pronamespace = current_schema()::regnamespace"
    )
    with engine.connect() as connection:
        return names | {row[0] for row in connection.execute(text(ask))}


def test_up_down_and_up_again(engine):
    upgrade(engine)
    alembic(engine, "check")  # raises where the tables are not what tables.py says
    everything = left_over(engine)
    assert set(METADATA.tables) < everything
    alembic(engine, "downgrade", "base")
    assert left_over(engine) == set()
    upgrade(engine)
    assert left_over(engine) == everything
    alembic(engine, "check")


def test_keys_are_what_the_tables_say(engine):
    """Alembic's check does not look at primary keys and what a deletion does."""
    upgrade(engine)
    found = inspect(engine)
    for name, table in METADATA.tables.items():
        assert found.get_pk_constraint(name)["constrained_columns"] == [c.name for c in table.primary_key]
        assert {c["name"]: c["nullable"] for c in found.get_columns(name)} == {
            c.name: c.nullable for c in table.columns
        }
    (key,) = found.get_foreign_keys("audit_log")
    assert key["options"] == {"ondelete": "CASCADE"}


def test_reviews_survive_a_second_upgrade(url, engine, open_store):
    store = open_store(url)
    review = store.create("ann", data="d", model="m", state={"a": 1})
    store.close()
    upgrade(engine)
    assert store.load(review).state == {"a": 1}


def test_servers_that_start_together_share_the_work(url):
    """Each thread here stands for a process: Alembic's global names are kept apart by our lock there."""
    engines = [open_engine(database_url(url)) for _ in range(2)]
    with writing(engines[0]).begin() as connection:
        if engines[0].dialect.name == "postgresql":
            connection.execute(text(f"SELECT pg_advisory_xact_lock({database.MIGRATION_LOCK})"))
        other = threading.Thread(target=upgrade, args=(engines[1],))
        other.start()
        other.join(0.3)
        assert other.is_alive(), "it waits for whoever began"
    other.join(20)
    assert not other.is_alive()
    assert left_over(engines[0]) >= set(METADATA.tables)
    for engine in engines:
        engine.dispose()


def test_a_migration_that_fails_leaves_nothing(engine, monkeypatch):
    monkeypatch.setattr("sqlalchemy.schema.CreateIndex.__init__", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        upgrade(engine)
    assert left_over(engine) == set()
    monkeypatch.undo()
    upgrade(engine)
    assert left_over(engine) >= set(METADATA.tables)


def test_a_database_of_a_newer_version_is_told(url, engine, open_store):
    upgrade(engine)
    with writing(engine).begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(StorageError) as caught:
        open_store(url).listing("ann")
    assert str(caught.value) == NEWER


def test_the_alembic_command_finds_the_database(sqlite_url, open_store, monkeypatch, tmp_path):
    """What a developer types after a change of the tables; here there is none to write down."""
    open_store(sqlite_url).listing("ann")
    monkeypatch.setenv("FMD_DATABASE_URL", sqlite_url)
    answer = subprocess.run(
        [sys.executable, "-m", "alembic", "-c", ALEMBIC, "check"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert answer.returncode == 0, answer.stderr
    assert "No new upgrade operations detected" in answer.stdout


def test_a_database_that_lost_its_version_is_said_in_words(url):
    first = ReviewStore(url)
    kept = first.create("ann", data="d", model="m", state={})
    with writing(first._opened()).begin() as connection:
        connection.execute(text("DROP TABLE alembic_version"))
    first.close()
    second = ReviewStore(url)
    with pytest.raises(StorageError) as caught:
        second.load(kept)
    assert str(caught.value) == database.UNVERSIONED
    second.close()
