"""Reviews are kept: what is saved comes back, two tabs do not overwrite each other, bad input is told."""

import math
import stat
import subprocess
import sys
import threading
from datetime import UTC, datetime
from enum import StrEnum

import numpy as np
import pytest
from sqlalchemy import text

from app.storage import ReviewStore, StaleReviewError, StorageError, UnknownReviewError, database
from app.storage.reviews import REVIEW_ID
from app.storage.values import MAX_ACTION, MAX_DETAIL, MAX_NAME, MAX_STATE
from fmd_core import FMDError

STATE = {
    "vetoes": [["sex", 3]],
    "notes": "naïve ☂ \x00 \ud800",
    "strength": 0.1,
    "last": None,
    "on": True,
    "a": 1,
}


@pytest.fixture
def review(store):
    return store.create("ann", data="adult", model="bundled", state=STATE)


# --- what is kept


def test_a_review_comes_back_as_it_was(store, review):
    found = store.load(review)
    assert found.state == STATE
    assert list(found.state) == list(STATE)
    assert (found.id, found.owner, found.data, found.model, found.version) == (
        review,
        "ann",
        "adult",
        "bundled",
        1,
    )
    assert found.created == found.changed
    assert abs((datetime.now(UTC) - found.created).total_seconds()) < 60


def test_a_save_is_there_for_the_next_server(store, review, url, open_store):
    assert store.save(review, version=1, action="apply", detail="ρ = 10", state={"k": 5}) == 2
    assert store.save(review, version=2, action="undo", detail="", state={"k": 6}) == 3
    store.close()
    other = open_store(url)
    found = other.load(review)
    assert (found.state, found.version) == ({"k": 6}, 3)
    assert found.created < found.changed
    log = other.log(review)
    assert [(entry.sequence, entry.action, entry.detail) for entry in log] == [
        (1, "created", "data: adult, model: bundled"),
        (2, "apply", "ρ = 10"),
        (3, "undo", ""),
    ]
    assert datetime.fromisoformat(log[-1].at) == found.changed
    assert other.check_log(review).intact


def test_ids_cannot_be_guessed(store):
    ids = {store.create("ann", data="adult", model="", state={}) for _ in range(5)}
    assert len(ids) == 5
    assert all(REVIEW_ID.fullmatch(name) for name in ids)


def test_a_closed_store_opens_again(store, review):
    store.close()
    assert store.load(review).id == review


def test_the_last_changed_review_comes_first_and_only_to_its_owner(store):
    first, second, third = (store.create("ann", data=f"set {n}", model="m", state={}) for n in range(3))
    store.create("bob", data="adult", model="m", state={})
    store.save(first, version=1, action="note", detail="", state={})
    found = store.listing("ann")
    assert [summary.id for summary in found] == [first, third, second]
    assert [summary.data for summary in found] == ["set 0", "set 2", "set 1"]
    assert [summary.version for summary in found] == [2, 1, 1]
    assert found[0].created < found[0].changed
    assert store.listing("nobody") == []


def test_a_deleted_review_is_gone_with_its_log(store, review):
    other = store.create("ann", data="adult", model="", state={})
    store.delete(review)
    for asked in (store.load, store.log, store.check_log, store.delete):
        with pytest.raises(UnknownReviewError):
            asked(review)
    assert [summary.id for summary in store.listing("ann")] == [other]
    assert store.check_log(other).intact
    with store._opened().connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM audit_log")).scalar() == 1


def test_what_a_deleted_review_said_is_not_left_in_the_files(sqlite_url, open_store, tmp_path):
    store = open_store(sqlite_url)
    review = store.create("ann", data="adult", model="", state={"notes": "Mrs Miller " * 200})
    store.save(review, version=1, action="note", detail="Mr Smith", state={"notes": "x"})
    names = (b"Mrs Miller", b"Mr Smith", b"adult")
    assert all(any(name in file.read_bytes() for file in tmp_path.iterdir()) for name in names)
    store.delete(review)
    assert not any(name in file.read_bytes() for file in tmp_path.iterdir() for name in names)


# --- several at once


def test_a_second_tab_does_not_overwrite_the_first(store, review):
    store.save(review, version=1, action="veto", detail="pair 3", state={"tab": 1})
    with pytest.raises(StaleReviewError) as caught:
        store.save(review, version=1, action="veto", detail="pair 4", state={"tab": 2})
    assert str(caught.value) == (
        "This review went on in another tab (step 2, here step 1): load it again, then repeat your last step."
    )
    assert store.load(review).state == {"tab": 1}
    assert [entry.detail for entry in store.log(review)][1:] == ["pair 3"]
    with pytest.raises(StaleReviewError):  # a version that is still to come
        store.save(review, version=3, action="veto", detail="", state={})


def test_many_threads_lose_nothing(url, open_store):
    stores = [open_store(url), open_store(url)]  # as two servers would
    shared, problems = [], []

    def work(number):
        try:
            store = stores[number % 2]
            own = store.create(f"owner {number}", data="d", model="m", state={"of": number})
            if number == 0:
                shared.append(own)
                begun.set()
            begun.wait(20)
            for turn in range(6):
                store.save(own, version=turn + 1, action="own", detail=str(number), state={"of": number})
                while True:
                    found = store.load(shared[0])
                    assert store.check_log(shared[0]).intact
                    state = found.state | {str(number): turn + 1}
                    try:
                        store.save(shared[0], version=found.version, action="shared", detail="", state=state)
                        break
                    except StaleReviewError:
                        continue
            assert store.load(own).state["of"] == number
        except BaseException as problem:
            problems.append(problem)
            begun.set()

    begun = threading.Event()
    threads = [threading.Thread(target=work, args=(number,)) for number in range(1, 6)]
    for thread in threads:
        thread.start()
    shared.append(stores[0].create("all", data="d", model="m", state={}))
    begun.set()
    for thread in threads:
        thread.join(60)
    assert problems == []
    found = stores[1].load(shared[0])
    assert found.state == {str(number): 6 for number in range(1, 6)}
    assert found.version == 1 + 5 * 6
    assert stores[0].check_log(shared[0]).intact


def test_somebody_who_holds_the_database_is_waited_for_and_then_told(url, open_store, monkeypatch):
    monkeypatch.setattr(database, "BUSY_SECONDS", 1)
    store = open_store(url)
    review = store.create("ann", data="d", model="m", state={})
    engine = database.open_engine(database.database_url(url))
    with database.writing(engine).begin() as connection:
        connection.execute(text("UPDATE reviews SET model = model"))
        assert store.load(review).version == 1  # readers do not wait
        with pytest.raises(StorageError) as caught:
            store.save(review, version=1, action="a", detail="", state={})
    engine.dispose()
    assert str(caught.value) == database.BUSY
    assert store.save(review, version=1, action="a", detail="", state={}) == 2


# --- what cannot be kept


@pytest.mark.parametrize("review", ["", "x" * 22, "../../etc/passwd", "a\x00" * 11, None, 7, "x" * 10_000])
def test_an_unknown_id_is_told(store, review):
    for asked in (store.load, store.log, store.check_log, store.delete):
        with pytest.raises(UnknownReviewError, match="There is no review '") as caught:
            asked(review)
        assert len(str(caught.value)) < 140
    with pytest.raises(UnknownReviewError):
        store.save(review, version=1, action="a", detail="", state={})


class Colour(StrEnum):
    RED = "red"


DEEP: dict = {}
for _ in range(100_000):
    DEEP = {"": DEEP}
ROUND: dict = {}
ROUND["itself"] = ROUND


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ({"a": math.nan}, "cannot be kept as JSON: Out of range float values"),
        ({"a": [math.inf]}, "cannot be kept as JSON: Out of range float values"),
        ({"a": {1, 2}}, "cannot be kept as JSON: Object of type set"),
        ({"a": b"x"}, "cannot be kept as JSON: Object of type bytes"),
        ({"a": np.float32(1)}, "cannot be kept as JSON: Object of type float32"),
        ({"a": datetime(2026, 1, 1, tzinfo=UTC)}, "cannot be kept as JSON: Object of type datetime"),
        (DEEP, "cannot be kept as JSON: maximum recursion depth"),
        (ROUND, "cannot be kept as JSON: Circular reference"),
        ({"a": 10**5000}, "cannot be kept as JSON: Exceeds the limit"),
        ({"a": (1, 2)}, "would not come back from JSON as it is: use lists instead of tuples"),
        ({1: "a"}, "would not come back from JSON as it is"),
        ([1], "must be a dictionary, not list"),
        ({"a": "x" * MAX_STATE}, "takes 2.0 MB: at most 2 MB can be kept"),
    ],
    ids=lambda value: None if isinstance(value, str) else "",
)
def test_a_state_that_cannot_be_kept_is_told(sqlite_url, open_store, state, said):
    store = open_store(sqlite_url)
    review = store.create("ann", data="d", model="m", state={"before": 1})
    with pytest.raises(StorageError) as caught:
        store.save(review, version=1, action="a", detail="", state=state)
    assert said in str(caught.value)
    with pytest.raises(StorageError):
        store.create("ann", data="d", model="m", state=state)
    assert store.load(review).state == {"before": 1}
    assert len(store.log(review)) == 1


def test_the_largest_and_the_oddest_state_that_can_be_kept(store):
    large = {"a": "x" * (MAX_STATE - len('{"a":""}'))}
    review = store.create("ann", data="d", model="m", state=large)
    assert store.load(review).state == large
    odd = {"": [], "f": np.float64(0.1), "e": Colour.RED, "n": -0.0, "big": 10**30, "é": {"ü": [[{}]]}}
    store.save(review, version=1, action="a", detail="", state=odd)
    found = store.load(review).state
    assert found == odd
    assert math.copysign(1, found["n"]) == -1
    assert store.check_log(review).intact


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (
            {"action": "x" * (MAX_ACTION + 1)},
            "The action of a review has 201 characters: at most 200 can be kept.",
        ),
        ({"detail": "x" * (MAX_DETAIL + 1)}, "The detail of a review has 10,001 characters: at most 10,000"),
        ({"action": "a\x00"}, "The action of a review contains a character that is no text"),
        ({"detail": "\ud800"}, "The detail of a review contains a character that is no text"),
        ({"detail": None}, "The detail of a review must be text, not NoneType."),
    ],
)
def test_a_step_that_cannot_be_kept_is_told(store, review, changed, said):
    with pytest.raises(StorageError, match=said.replace("(", r"\(")):
        store.save(review, **{"version": 1, "action": "a", "detail": "", "state": {}} | changed)
    assert store.load(review).version == 1


@pytest.mark.parametrize("name", ["owner", "data", "model"])
def test_names_are_checked_too(store, name):
    names = {"owner": "ann", "data": "d", "model": "m"}
    fits = names | {name: "é" * MAX_NAME}
    review = store.create(fits.pop("owner"), **fits, state={})
    assert getattr(store.load(review), name) == "é" * MAX_NAME
    for bad in ("é" * (MAX_NAME + 1), "\x00", 3):
        wrong = names | {name: bad}
        with pytest.raises(StorageError, match=f"The {name} of a review"):
            store.create(wrong.pop("owner"), **wrong, state={})


# --- where


def test_without_settings_the_reviews_are_in_a_private_file_under_fmd_home(tmp_path, monkeypatch, open_store):
    monkeypatch.setenv("FMD_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("FMD_DATABASE_URL", "")
    store = open_store()
    review = store.create("ann", data="d", model="m", state={})
    files = list((tmp_path / "home").iterdir())
    assert tmp_path / "home" / "reviews.sqlite3" in files
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    assert open_store().load(review).id == review


def test_the_setting_names_the_database(url, monkeypatch, open_store):
    monkeypatch.setenv("FMD_DATABASE_URL", url)
    review = open_store().create("ann", data="d", model="m", state={})
    assert open_store(url).load(review).id == review


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("mysql://ann:secret@host/db", "names the database 'mysql': only postgresql and sqlite"),
        ("postgresql://ann:secret@host:port/db", "is no address of a database"),
        ("secret", "is no address of a database"),
        ("sqlite://", "names no file"),
        ("sqlite:///:memory:", "names no file"),
        ("sqlite:///file:secret?mode=memory&uri=true", "names no file"),
        ("sqlite:////nowhere/secret/reviews.sqlite3", "cannot be used"),
        ("postgresql://ann:secret@/db?host=/nowhere", "cannot be used"),
    ],
)
def test_an_address_that_cannot_be_used_is_told_without_its_secrets(url, said):
    with pytest.raises(StorageError) as caught:
        ReviewStore(url).listing("ann")
    assert said in str(caught.value)
    assert "secret" not in str(caught.value)
    assert isinstance(caught.value, FMDError)


def test_drivers_are_ours_whatever_the_address_says():
    assert database.database_url("postgres://host/db").drivername == "postgresql+psycopg"
    assert database.database_url("postgresql+psycopg2://host/db").drivername == "postgresql+psycopg"
    assert database.database_url("sqlite+aiosqlite:///x.db").drivername == "sqlite"


def test_a_file_that_is_no_database_is_told_and_left_alone(sqlite_url, tmp_path):
    file = tmp_path / "reviews.sqlite3"
    file.write_bytes(b"holiday photos" * 1_000)
    with pytest.raises(StorageError) as caught:
        ReviewStore(sqlite_url).listing("ann")
    assert str(caught.value) == database.DAMAGED
    assert file.read_bytes() == b"holiday photos" * 1_000


def test_a_full_disk_is_told_and_loses_nothing(sqlite_url, open_store):
    store = open_store(sqlite_url)
    review = store.create("ann", data="d", model="m", state={"n": 1})
    with store._opened().connect() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")  # of this, the pool's only connection
    with pytest.raises(StorageError) as caught:
        store.save(review, version=1, action="a", detail="", state={"is locked": "x" * 100_000})
    assert str(caught.value) == database.FULL
    assert "is locked" not in str(caught.value.__cause__)  # which may be logged
    assert store.load(review).state == {"n": 1}
    assert store.check_log(review).intact


def test_the_first_page_does_not_wait_for_a_database():
    code = "import sys; from app import storage; assert not {'sqlalchemy', 'alembic', 'psycopg'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
