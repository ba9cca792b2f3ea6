"""The tables, as the latest migration leaves them. Only migrations create or change them."""

from sqlalchemy import Column, ForeignKey, Index, Integer, MetaData, Table, Text

METADATA = MetaData(
    naming_convention={  # so that a later migration can name what it changes
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    }
)

REVIEWS = Table(
    "reviews",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("owner", Text, nullable=False),
    Column("data", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("version", Integer, nullable=False),  # entries in its log
    Column("head", Text, nullable=False),  # hash of the last entry: shows when the end of the log is missing
    Column("created", Text, nullable=False),  # times are ISO 8601 in UTC: what was hashed, on every database
    Column("changed", Text, nullable=False),
    # JSON as text, because the log's digests are over its very letters; last, because SQLite reads
    # through it to whatever comes after it.
    Column("state", Text, nullable=False),
    Index(None, "owner", "changed"),
)

AUDIT_LOG = Table(
    "audit_log",
    METADATA,
    Column("review", ForeignKey("reviews.id", ondelete="CASCADE"), primary_key=True),
    Column("sequence", Integer, primary_key=True, autoincrement=False),
    Column("at", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Column("content", Text, nullable=False),
    Column("previous", Text, nullable=False),
    Column("hash", Text, nullable=False),
    # A row number would be a second key, by which INSERT OR REPLACE takes a row's place.
    sqlite_with_rowid=False,
)
