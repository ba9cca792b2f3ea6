"""How Alembic reaches the database: by the connection that `database.upgrade` hands it, or, from the
command line, by FMD_DATABASE_URL."""

from alembic import context
from sqlalchemy import Connection

from app.storage.database import database_url, open_engine, writing
from app.storage.tables import METADATA


def migrate(connection: Connection) -> None:
    """Run the migrations that were asked for, all in the connection's transaction."""
    # Batches, because SQLite cannot change a column in place.
    context.configure(connection=connection, target_metadata=METADATA, render_as_batch=True)
    with context.begin_transaction():
        context.run_migrations()


given = context.config.attributes.get("connection")
if given is not None:
    migrate(given)
else:
    engine = open_engine(database_url())
    with writing(engine).begin() as connection:
        migrate(connection)
    engine.dispose()
