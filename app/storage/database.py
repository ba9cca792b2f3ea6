"""The database under the reviews: an SQLite file, or PostgreSQL where FMD_DATABASE_URL names one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import URL, Connection, Engine, create_engine, event, func, make_url, select
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from app.storage.errors import StorageError
from fmd_core.home import home_folder

if TYPE_CHECKING:
    import sqlite3

    import psycopg

BUSY_SECONDS = 10  # that one transaction waits for another, and that a database may take to answer
ALEMBIC = Path(__file__).parent / "migrations" / "alembic.ini"
MIGRATION_LOCK = 7_310_127  # any number that nobody else locks in the same PostgreSQL database

BUSY = "The database with the reviews is busy: nothing was changed, try again in a moment."
FULL = "The disk is full: nothing was changed, make room and try again."
DAMAGED = "The database with the reviews is damaged: put back the last good copy of it."
SILENT = (
    "The database with the reviews cannot be used: check that it is there and may be written, "
    "and load the review again to see what was saved."
)
UNVERSIONED = (
    "The database holds reviews, and what says by which version of FMD Studio (its table alembic_version) is lost: put "
    "back the last good copy of it."
)
NEWER = "The reviews were kept by a newer FMD Studio: start that one, or name another database."
KNOWN = {  # by what SQLite and PostgreSQL say of it
    "locked": BUSY,
    "lock timeout": BUSY,
    "queuepool limit": BUSY,
    "disk is full": FULL,
    "no space left": FULL,
    "not a database": DAMAGED,
    "malformed": DAMAGED,
    "could not decode": DAMAGED,
    "already exists": UNVERSIONED,  # the first migration meets the tables that it makes
}


def database_url(given: str | None = None) -> URL:
    """Where the reviews are: `given`, else the setting FMD_DATABASE_URL, else a file in FMD_HOME.

    Raises StorageError for anything but an SQLite file or PostgreSQL.
    """
    text = given or os.environ.get("FMD_DATABASE_URL")
    if not text:
        return URL.create("sqlite", database=str(home_folder() / "reviews.sqlite3"))
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):  # not shown and not chained: there may be a password in it
        raise StorageError(
            "FMD_DATABASE_URL is no address of a database: write postgresql://user:password@host/name, "
            "or leave it out to keep the reviews in a file."
        ) from None
    name = url.get_backend_name()
    if name in ("postgresql", "postgres"):
        return url.set(drivername="postgresql+psycopg")
    if name != "sqlite":
        raise StorageError(
            f"FMD_DATABASE_URL names the database '{name[:40]}': only postgresql and sqlite can be used."
        )
    file = url.database or ""
    if file in ("", ":memory:") or file.startswith("file:"):
        raise StorageError(
            "FMD_DATABASE_URL names no file for the reviews: write sqlite:////path/to/reviews.sqlite3."
        )
    return url.set(drivername="sqlite")


def open_engine(url: URL) -> Engine:
    """Connections to the database, which may be used by many threads at once. `writing` and `reading`
    say how a transaction begins. What a reviewer wrote stays out of errors: they may be
    logged, and are told apart by their words."""
    if url.get_backend_name() == "sqlite":
        # Ours alone, and before SQLite makes it for all to read. Never opened when it is there:
        # closing it again would release the locks that SQLite holds on it in this process.
        with suppress(FileExistsError):
            Path(str(url.database)).touch(mode=0o600, exist_ok=False)
        engine = create_engine(url, hide_parameters=True, connect_args={"timeout": BUSY_SECONDS})
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine
    # A connection that died with a restarted server is noticed and replaced before it is used.
    engine = create_engine(
        url, hide_parameters=True, pool_pre_ping=True, connect_args={"connect_timeout": BUSY_SECONDS}
    )
    event.listen(engine, "connect", _prepare_postgresql)
    return engine


def writing(engine: Engine) -> Engine:
    """For transactions that write. In SQLite they take the write lock when they begin: one that reads
    first and asks for it later is refused when somebody wrote in between."""
    return engine.execution_options(writes=True)


def reading(engine: Engine) -> Engine:
    """For transactions that only read, and see the database as it was when they began."""
    if engine.dialect.name == "sqlite":
        return engine  # sees one moment anyway
    return engine.execution_options(isolation_level="REPEATABLE READ")


def _prepare_sqlite(connection: sqlite3.Connection, _: object) -> None:
    connection.isolation_level = None  # Python's driver begins too late; _begin_sqlite does it
    for pragma in (
        "journal_mode = WAL",  # readers and the writer do not wait for each other
        # A commit returns when its bytes are on the disk. NORMAL would keep the file whole, but
        # after a power cut steps could be missing that the reviewer saw as saved.
        "synchronous = FULL",
        "foreign_keys = ON",  # off unless asked for; the log leaves with its review
        "secure_delete = ON",  # what a deleted review said is overwritten, not only unlinked
    ):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get("writes")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _prepare_postgresql(connection: psycopg.Connection, _: object) -> None:
    connection.execute(f"SET lock_timeout = '{BUSY_SECONDS}s'")
    connection.commit()  # else the setting leaves with the first rollback


def upgrade(engine: Engine) -> None:
    """Bring the tables up to date, in one transaction; nothing happens when they are.

    Alembic keeps what it works on in global names: one thread at a time.
    """
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    with writing(engine).begin() as connection:
        if engine.dialect.name == "postgresql":  # a second server that starts now waits here
            connection.execute(select(func.pg_advisory_xact_lock(MIGRATION_LOCK)))
        try:
            command.upgrade(Config(ALEMBIC, attributes={"connection": connection}), "head")
        except CommandError as problem:  # the database's revision is none of ours
            raise StorageError(NEWER) from problem


def forget_deleted(engine: Engine) -> None:
    """Empty SQLite's journal, which still holds what was deleted. Waits for nobody: as long as others
    read, it stays, and is emptied after a later deletion."""
    if engine.dialect.name == "sqlite":
        with closing(engine.raw_connection()) as connection:  # no transaction may be open for it
            connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")


@contextmanager
def in_words() -> Iterator[None]:
    """What the database or the disk refuses becomes a StorageError of one sentence."""
    try:
        yield
    except (SQLAlchemyError, OSError) as problem:
        said = str(problem).lower()
        raise StorageError(next((KNOWN[sign] for sign in KNOWN if sign in said), SILENT)) from problem
