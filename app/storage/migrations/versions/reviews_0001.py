"""Reviews, and an audit log to which the database itself lets nobody do anything but append."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

# An entry leaves only with its review: the cascade deletes it when the review is already gone.
# A later migration that changes audit_log in a batch copies the table on SQLite and loses these
# triggers: it has to create them again.
REFUSE = "SELECT RAISE(ABORT, 'audit_log is append-only')"
SQLITE = (
    f"CREATE TRIGGER audit_log_no_update BEFORE UPDATE ON audit_log BEGIN {REFUSE}; END",
    "CREATE TRIGGER audit_log_no_delete BEFORE DELETE ON audit_log "
    f"WHEN EXISTS (SELECT 1 FROM reviews WHERE id = OLD.review) BEGIN {REFUSE}; END",
    # INSERT OR REPLACE deletes without asking the trigger for deletions.
    "CREATE TRIGGER audit_log_no_replace BEFORE INSERT ON audit_log WHEN EXISTS "
    "(SELECT 1 FROM audit_log WHERE review = NEW.review AND sequence = NEW.sequence) "
    f"BEGIN {REFUSE}; END",
)
POSTGRESQL = (
    """
    CREATE FUNCTION audit_log_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF TG_OP = 'DELETE' THEN
            IF NOT EXISTS (SELECT 1 FROM reviews WHERE id = OLD.review) THEN
                RETURN OLD;
            END IF;
        END IF;
        RAISE EXCEPTION 'audit_log is append-only';
    END $$
    """,
    "CREATE TRIGGER audit_log_append_only BEFORE UPDATE OR DELETE ON audit_log "
    "FOR EACH ROW EXECUTE FUNCTION audit_log_refuse()",
    "CREATE TRIGGER audit_log_no_truncate BEFORE TRUNCATE ON audit_log "
    "FOR EACH STATEMENT EXECUTE FUNCTION audit_log_refuse()",
)


def texts(*names: str) -> list[sa.Column[str]]:
    """Columns of text, each of them filled."""
    return [sa.Column(name, sa.Text, nullable=False) for name in names]


def upgrade() -> None:
    """From nothing to this."""
    op.create_table(
        "reviews",
        sa.Column("id", sa.Text, nullable=False),
        *texts("owner", "data", "model"),
        sa.Column("version", sa.Integer, nullable=False),
        *texts("head", "created", "changed", "state"),
        sa.PrimaryKeyConstraint("id", name="pk_reviews"),
    )
    op.create_index("ix_reviews_owner_changed", "reviews", ["owner", "changed"])
    op.create_table(
        "audit_log",
        sa.Column("review", sa.Text, nullable=False),
        sa.Column("sequence", sa.Integer, nullable=False),
        *texts("at", "action", "detail", "content", "previous", "hash"),
        sa.PrimaryKeyConstraint("review", "sequence", name="pk_audit_log"),
        sa.ForeignKeyConstraint(["review"], ["reviews.id"], name="fk_audit_log_review", ondelete="CASCADE"),
        sqlite_with_rowid=False,
    )
    for statement in SQLITE if op.get_bind().dialect.name == "sqlite" else POSTGRESQL:
        op.execute(statement)


def downgrade() -> None:
    """Back to nothing; SQLite's triggers leave with their table."""
    op.drop_table("audit_log")
    op.drop_table("reviews")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION audit_log_refuse()")
