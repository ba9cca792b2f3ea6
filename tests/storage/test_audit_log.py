"""The log can only grow: the database refuses anything else, and what was done to its file is found."""

import hashlib
import json
import sqlite3
from contextlib import closing

import psycopg
import pytest

from app.storage import BrokenLogError, StorageError
from app.storage.audit_log import check_chain, content_digest
from fmd_core.report.log_chain import START, entry_hash

STEPS = 4  # with the creation


@pytest.fixture
def recorded(store):
    """A review of several steps, and a second one whose log must stay whole."""
    return steps(store), steps(store)


def steps(store):
    review = store.create("ann", data="adult", model="bundled", state={"step": 1})
    for step in range(2, STEPS + 1):
        store.save(review, version=step - 1, action=f"step {step}", detail="né", state={"step": step})
    return review


# --- what a hash covers


def test_the_hash_of_an_entry_is_what_it_always_was():
    """Written out by hand: a change here makes every log recorded so far seem broken."""
    state = '{"k":5}'
    content = hashlib.sha256(
        rb'{"data":"adult","model":"","owner":"ann \u00e9","state":"{\"k\":5}"}'
    ).hexdigest()
    assert content_digest(owner="ann é", data="adult", model="", state=state) == content
    said = (
        f'{{"action":"apply","at":"2026-11-22T10:00:00.000001+00:00","content":"{content}",'
        r'"detail":"\u03c1 = 10",'
        f'"previous":"{"a" * 64}","review":"r","sequence":2}}'
    )
    assert (
        entry_hash(
            "r",
            2,
            at="2026-11-22T10:00:00.000001+00:00",
            action="apply",
            detail="ρ = 10",
            content=content,
            previous="a" * 64,
        )
        == hashlib.sha256(said.encode()).hexdigest()
    )


def test_a_log_can_be_checked_without_us(store, recorded):
    """By nothing but its entries, as a report carries them."""
    previous = "0" * 64
    for entry in store.log(recorded[0]):
        said = {
            "review": recorded[0],
            "previous": previous,
            **{name: getattr(entry, name) for name in ("sequence", "at", "action", "detail", "content")},
        }
        text = json.dumps(said, sort_keys=True, separators=(",", ":"))
        previous = hashlib.sha256(text.encode()).hexdigest()
        assert entry.hash == previous
    assert store.check_log(recorded[0]).head == previous


def test_an_intact_log(store, recorded):
    found = store.check_log(recorded[0])
    assert (found.intact, found.broken_at, found.entries) == (True, None, STEPS)
    assert found.sentence == "The log of 4 entries is intact."
    new = store.create("ann", data="d", model="m", state={})
    assert store.check_log(new).sentence == "The log of 1 entry is intact."


# --- what the database refuses

REFUSED = [
    "UPDATE audit_log SET action = 'x' WHERE sequence = 2",
    "UPDATE audit_log SET sequence = 9 WHERE sequence = 4",
    "DELETE FROM audit_log WHERE sequence = 4",
    "DELETE FROM audit_log",
]


@pytest.mark.parametrize(
    "statement",
    [
        *REFUSED,
        "INSERT OR REPLACE INTO audit_log SELECT review, sequence, at, 'x', detail, content, previous, hash "
        "FROM audit_log WHERE sequence = 2",
        "INSERT OR REPLACE INTO audit_log (rowid, review, sequence, at, action, detail, content, previous, hash) "
        "SELECT 2, review, 9, at, action, detail, content, previous, hash FROM audit_log WHERE sequence = 2",
        "UPDATE OR REPLACE audit_log SET sequence = 3 WHERE sequence = 2",
        "REPLACE INTO audit_log SELECT * FROM audit_log",
    ],
)
@pytest.mark.parametrize("foreign_keys", ["ON", "OFF"])
def test_sqlite_lets_nobody_rewrite_the_log(open_store, sqlite_url, tmp_path, statement, foreign_keys):
    store = open_store(sqlite_url)
    review = steps(store)
    with closing(sqlite3.connect(tmp_path / "reviews.sqlite3")) as connection:
        connection.execute(f"PRAGMA foreign_keys = {foreign_keys}")
        with pytest.raises(sqlite3.Error, match=r"append-only|no column named rowid"), connection:
            connection.execute(statement)
    assert store.check_log(review).intact


@pytest.mark.parametrize("statement", [*REFUSED, "TRUNCATE audit_log", "TRUNCATE reviews CASCADE"])
def test_postgresql_lets_nobody_rewrite_the_log(open_store, postgresql_url, statement):
    store = open_store(postgresql_url)
    review = steps(store)
    with (
        psycopg.connect(postgresql_url) as connection,
        pytest.raises(psycopg.errors.RaiseException, match="append-only"),
    ):
        connection.execute(statement)
    assert store.check_log(review).intact


# --- what was done to the file all the same

NO_TRIGGERS = [f"DROP TRIGGER audit_log_no_{what}" for what in ("update", "delete", "replace")]
IN_LOG = " WHERE review = :review AND sequence "


@pytest.mark.parametrize(
    ("tampering", "place", "why"),
    [
        ([f"UPDATE audit_log SET detail = 'x' {IN_LOG} = 3"], 3, "it is not what was recorded"),
        ([f"UPDATE audit_log SET action = 'x' {IN_LOG} = 1"], 1, "it is not what was recorded"),
        ([f"UPDATE audit_log SET at = '2020' {IN_LOG} = 2"], 2, "it is not what was recorded"),
        ([f"UPDATE audit_log SET content = 'x' {IN_LOG} = 2"], 2, "it is not what was recorded"),
        ([f"UPDATE audit_log SET hash = 'x' {IN_LOG} = 2"], 2, "it is not what was recorded"),
        ([f"UPDATE audit_log SET previous = 'x' {IN_LOG} = 2"], 2, "it does not follow from the entry before it"),
        ([f"UPDATE audit_log SET detail = x'6e' {IN_LOG} = 2"], 2, "it is not what was recorded"),
        ([f"UPDATE audit_log SET sequence = 'two' {IN_LOG} = 2"], 2, "an entry is missing or out of order here"),
        ([f"DELETE FROM audit_log {IN_LOG} = 1"], 1, "an entry is missing or out of order here"),
        ([f"DELETE FROM audit_log {IN_LOG} = 3"], 3, "an entry is missing or out of order here"),
        ([f"DELETE FROM audit_log {IN_LOG} = 4"], 3, "it is the last one here, but the review counts 4"),
        ([f"DELETE FROM audit_log {IN_LOG} > 1"], 1, "it is the last one here, but the review counts 4"),
        ([f"DELETE FROM audit_log {IN_LOG} > 0"], 1, "no entry is left"),
        (
            [
                f"UPDATE audit_log SET sequence = -1 {IN_LOG} = 2",
                f"UPDATE audit_log SET sequence = 2 {IN_LOG} = 3",
                f"UPDATE audit_log SET sequence = 3 {IN_LOG} = -1",
            ],
            2,
            "it does not follow from the entry before it",
        ),
        (
            [  # the order is changed and every link is mended, the hashes are not
                f"UPDATE audit_log SET sequence = 5 {IN_LOG} = 3",
                f"UPDATE audit_log SET sequence = 3 {IN_LOG} = 4",
                f"UPDATE audit_log SET sequence = 4 {IN_LOG} = 5",
                "UPDATE audit_log AS a SET previous = (SELECT hash FROM audit_log AS b WHERE b.review = a.review "
                f"AND b.sequence = a.sequence - 1) {IN_LOG} > 1",
            ],
            3,
            "it is not what was recorded",
        ),
        (
            [
                "INSERT INTO audit_log SELECT review, 5, at, action, detail, content, previous, hash "
                f"FROM audit_log {IN_LOG} = 4"
            ],
            5,
            "it does not follow from the entry before it",
        ),
        (
            [
                f"DELETE FROM audit_log {IN_LOG} = 4",
                "UPDATE reviews SET version = 3 WHERE id = :review",
            ],
            3,
            "the review knows another one as its last",
        ),
        (
            [  # the end is cut off cleanly, but the state is the later one
                f"DELETE FROM audit_log {IN_LOG} = 4",
                "UPDATE reviews SET version = 3, head = (SELECT hash FROM audit_log WHERE review = id "
                "AND sequence = 3) WHERE id = :review",
            ],
            3,
            "the review was changed after it without a record",
        ),
        (["UPDATE reviews SET version = 7 WHERE id = :review"], 4, "it is the last one here, but the review counts 7"),
        (["UPDATE reviews SET head = 'x' WHERE id = :review"], 4, "the review knows another one as its last"),
        *(
            ([f"UPDATE reviews SET {column} WHERE id = :review"], 4, "the review was changed after it without a record")
            for column in ("state = '{}'", "owner = 'eve'", "data = 'celeba'", "model = 'x'", "model = x'6e'")
        ),
    ],
)  # fmt: skip
def test_tampering_is_found(open_store, sqlite_url, tmp_path, tampering, place, why):
    store = open_store(sqlite_url)
    review, other = steps(store), steps(store)
    store.close()
    with closing(sqlite3.connect(tmp_path / "reviews.sqlite3")) as connection, connection:
        for statement in [*NO_TRIGGERS, *tampering]:
            connection.execute(statement, {"review": review})
    found = store.check_log(review)
    assert (found.intact, found.broken_at) == (False, place)
    assert found.sentence == f"The log is broken at entry {place}: {why}."
    assert store.check_log(other).intact
    store.log(review)  # can still be looked at


@pytest.mark.parametrize(
    "tampering",
    [
        "UPDATE reviews SET state = '{\"step\":9}'",
        "UPDATE reviews SET model = 'other'",
        "UPDATE reviews SET head = 'x'",
        "UPDATE audit_log SET detail = 'x' WHERE sequence = 4",
        "DELETE FROM audit_log WHERE sequence = 4",
        "DELETE FROM audit_log",
    ],
)
def test_a_broken_log_is_not_gone_on_with(open_store, sqlite_url, tmp_path, tampering):
    """A new entry would vouch for what was changed before it."""
    store = open_store(sqlite_url)
    review = steps(store)
    with closing(sqlite3.connect(tmp_path / "reviews.sqlite3")) as connection, connection:
        for statement in [*NO_TRIGGERS, tampering]:
            connection.execute(statement)
    before = store.load(review)
    with pytest.raises(BrokenLogError, match="This review was changed outside FMD Studio"):
        store.save(review, version=STEPS, action="a", detail="", state={"step": 5})
    assert store.load(review) == before
    assert not store.check_log(review).intact
    store.delete(review)
    assert store.listing("ann") == []


@pytest.mark.parametrize(
    "damage", ["state = '{\"a\":'", "state = '[]'", "state = x'00ff'", "changed = 'x'", "created = x'00'"]
)
def test_a_damaged_review_is_told(open_store, sqlite_url, tmp_path, damage):
    store = open_store(sqlite_url)
    review = steps(store)
    with closing(sqlite3.connect(tmp_path / "reviews.sqlite3")) as connection, connection:
        connection.execute(f"UPDATE reviews SET {damage}")
    with pytest.raises(StorageError, match="A review was damaged outside FMD Studio"):
        store.load(review)
    if "state" not in damage:
        with pytest.raises(StorageError, match="A review was damaged outside FMD Studio"):
            store.listing("ann")


def test_text_that_cannot_be_decoded_is_told(open_store, sqlite_url, tmp_path):
    store = open_store(sqlite_url)
    review = steps(store)
    with closing(sqlite3.connect(tmp_path / "reviews.sqlite3")) as connection, connection:
        connection.execute("UPDATE reviews SET state = CAST(x'ff' AS TEXT)")
    for asked in (store.load, store.check_log):
        with pytest.raises(StorageError, match="damaged"):
            asked(review)


def test_a_log_of_another_review_is_not_taken_for_this_one(store, recorded):
    entries = store.log(recorded[0])
    end = {"length": STEPS, "head": entries[-1].hash, "content": entries[-1].content}
    assert check_chain(recorded[0], entries, **end).intact
    assert check_chain(recorded[1], entries, **end).broken_at == 1
    assert entries[0].previous == START
