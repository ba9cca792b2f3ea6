"""Reviews outlive the browser and the server: every step is on disk when the page shows it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from app import cache
from app.jobs import preparation
from app.jobs.registry import REGISTRY
from app.opening import your_reviews
from app.record.journal import Remark
from app.record.review import Review
from app.session import keeping, memory, state
from app.session.state import steps, written
from app.storage import ReviewStore, StorageError
from app.view_models import unlearn
from tests.app.test_pages import press, titles
from tests.app.test_permalink import address, visit

REVIEW = Review()
KEY = (REVIEW.data, REVIEW.model)


@pytest.fixture(autouse=True)
def own_database(tmp_path, monkeypatch):
    monkeypatch.setenv("FMD_DATABASE_URL", f"sqlite:///{tmp_path / 'reviews.sqlite3'}")
    keeping.store.cache_clear()
    yield
    keeping.store().close()
    keeping.store.cache_clear()


@pytest.fixture
def applied(open_page):
    """A review with one variant in force, as its visitor sees it, and its id."""
    test = press(open_page("unlearn"), "Apply our suggestion")
    return test, test.session_state["places"][KEY].id


def journal(test):
    return test.session_state["journals"][KEY]


def test_who_only_looks_leaves_nothing_behind(open_page):
    open_page("unlearn")
    assert keeping.listed() == []


def test_a_step_is_kept_and_stands_in_the_address(applied):
    test, kept = applied
    assert address(test)["review"] == kept
    opened = keeping.open_kept(kept)
    assert (opened.data, opened.model) == KEY
    assert opened.journal == journal(test)
    assert opened.journal.history.current is not None


def test_another_browser_or_a_refresh_goes_on_where_it_was(applied):
    test, kept = applied
    other = visit("unlearn", review=kept)
    assert journal(other) == journal(test)
    assert any("Variant 1" in m.value for m in other.markdown)
    assert not other.warning
    after = press(other, "Undo")
    assert keeping.open_kept(kept).journal.history.current is None
    assert [line.action for line in keeping.trail(after.session_state["places"][KEY]).lines] == [
        "created", "apply", "undo",
    ]  # fmt: skip


def test_after_a_restart_the_variant_in_force_is_made_again_in_plain_sight(
    applied,
    fresh_caches,  # noqa: ARG001  after `applied`: a restart forgets
    monkeypatch,
):
    _, kept = applied
    cache.warm(REVIEW)
    monkeypatch.setattr(preparation, "PATIENCE_SECONDS", 0.0)
    opened = visit("find_bias", review=kept)
    job = REGISTRY.find(opened.session_state[f"job_{preparation.PLACE}"])
    assert titles(opened) == f"{job.title}."
    assert job.title.startswith("Trying every strength")
    assert job.wait(120)
    assert titles(opened.run()).startswith("Changing only the colour moves the answer")


def test_a_tab_that_is_behind_is_told_and_changes_nothing(applied):
    first, kept = applied
    second = visit("unlearn", review=kept)
    press(second, "Undo")
    first = press(first, "Back to original")
    assert "went on in another tab" in first.error[0].value
    assert titles(first)  # the page stays
    assert journal(first).history.current is not None  # what it shows is what it last saw
    assert [line.action for line in keeping.trail(second.session_state["places"][KEY]).lines][-1] == "undo"


def test_a_tab_that_is_behind_loads_again_and_keeps_what_is_typed(applied):
    first, kept = applied
    second = visit("report", review=kept)
    first = first.switch_page("app_pages/report.py").run()
    place = "_".join(KEY)
    first.text_area(key=f"notes_{place}").set_value("From the first.").run()
    first = press(first, "Save to the report")
    second.text_input(key=f"reviewer_{place}").set_value("Ann").run()
    second = press(second, "Save to the report")
    assert "went on in another tab" in second.error[0].value
    assert titles(second)
    assert second.get("iframe")
    second = second.switch_page("app_pages/twins.py").run()
    second = press(second, "Load it again")
    assert not second.error
    second = second.switch_page("app_pages/report.py").run()
    assert second.text_area(key=f"notes_{place}").value == "From the first."
    assert second.text_input(key=f"reviewer_{place}").value == "Ann"
    second = press(second, "Save to the report")
    assert not second.error
    decided = keeping.open_kept(kept).journal.decision[0]
    assert (decided.reviewer, decided.notes) == ("Ann", "From the first.")


def test_a_step_inside_a_part_of_a_page_says_so_above_it(applied):
    first, kept = applied
    press(visit("unlearn", review=kept), "Undo")
    first = first.switch_page("app_pages/harmful.py").run()
    first = press(first, "Undo")  # of the sidebar, a callback
    assert "went on in another tab" in first.error[0].value
    assert len(first.error) == 1
    first = press(first, "Load it again")
    assert journal(first).history.current is None


def test_a_database_that_fails_is_said_and_the_review_goes_on(applied, monkeypatch):
    test, _ = applied

    def fail(*_args, **_kwargs):
        raise StorageError("The disk is full: nothing was changed, make room and try again.")

    monkeypatch.setattr(ReviewStore, "save", fail)
    test = press(test, "Undo")
    assert journal(test).history.current is None
    said = test.warning[0].value.replace("\\", "")
    assert "The last step could not be saved: The disk is full" in said
    assert "in no log" in said
    test = press(test, "Redo")
    assert "The last 2 steps" in test.warning[0].value
    assert not keeping.trail(test.session_state["places"][KEY], 2).is_intact
    test = press(test, "Save again")
    assert "The last 2 steps" in test.warning[0].value
    monkeypatch.undo()
    test = press(test, "Save again")
    assert not test.warning
    lines = keeping.trail(test.session_state["places"][KEY]).lines
    assert [line.action for line in lines] == ["created", "apply", "undo", "redo"]
    assert all("it could not be written then" in line.detail for line in lines[2:])


@pytest.fixture
def alone(monkeypatch):
    """A session without a browser."""
    monkeypatch.setattr(memory.st, "session_state", {"attribute": "colour"})


def full_disk(*_args, **_kwargs):
    raise StorageError("The disk is full: nothing was changed, make room and try again.")


@pytest.mark.usefixtures("alone")
@pytest.mark.parametrize("first", [True, False])
def test_every_step_of_a_full_disk_is_logged_with_the_next_that_can_be_saved(first, monkeypatch):
    from app.reporting.gathering import gather
    from fmd_core import Decision

    if not first:
        state.say(1, Remark(True), "digit")
    with monkeypatch.context() as full:
        full.setattr(ReviewStore, "save", full_disk)
        full.setattr(ReviewStore, "create", full_disk)
        state.say(2, Remark(True), "digit")
        state.say(3, Remark(True), "digit")
        assert (state.unsaved(), state.not_kept().startswith("The disk is full")) == (2, True)
        trail = keeping.trail(state.place(), state.unsaved())
        assert not trail.is_intact
        assert "2 steps stand in no log" in trail.sentence or "No step of this review" in trail.sentence
    state.say(4, Remark(True), "digit")
    assert (state.unsaved(), state.not_kept()) == (0, "")
    trail = gather(REVIEW, Decision()).trail
    assert trail.is_intact
    told = [line.detail for line in trail.lines[1:]]
    rows = [2, 3, 4] if first else [1, 2, 3, 4]
    assert [detail.split(":")[0] for detail in told] == [f"training digit {row}" for row in rows]
    assert ["could not be written" in detail for detail in told] == [row in (2, 3) for row in rows]
    assert keeping.open_kept(state.place().id).journal == state.journal()


@pytest.mark.usefixtures("alone")
def test_the_first_step_and_its_review_are_kept_together_or_not_at_all(monkeypatch):
    from sqlalchemy import Connection
    from sqlalchemy.exc import OperationalError

    execute, calls = Connection.execute, []

    def third_fails(self, statement, *args, **kwargs):
        calls.append(statement)
        if len(calls) == 3:
            raise OperationalError("INSERT", {}, Exception("database or disk is full"))
        return execute(self, statement, *args, **kwargs)

    assert keeping.listed() == []  # opens the database
    with monkeypatch.context() as full:
        full.setattr(Connection, "execute", third_fails)
        state.say(2, Remark(True), "digit")
    assert (keeping.listed(), state.unsaved()) == ([], 1)
    state.save_again()
    assert [listed.title for listed in keeping.listed()] == ["colored_digits"]


@pytest.mark.usefixtures("alone")
def test_a_detail_of_any_length_is_logged():
    written.write(state.journal().remarked(5, Remark(True)), "said", "x" * 20_000)
    assert state.unsaved() == 0
    assert len(keeping.trail(state.place()).lines[1].detail) == keeping.LONGEST_DETAIL


@pytest.mark.usefixtures("alone")
def test_a_review_knows_the_data_and_the_model_that_it_began_with():
    state.know_contents({"data": "a" * 64, "model": "b" * 64})
    state.say(2, Remark(True), "digit")
    opened = keeping.open_kept(state.place().id)
    assert opened.contents == {"data": "a" * 64, "model": "b" * 64}
    for known, changed in (
        ({}, ()), ({"data": "a" * 64}, ()), ({"data": "c" * 64}, ("data",)),
        ({"data": "c" * 64, "model": "d" * 64}, ("data", "model")),
    ):  # fmt: skip
        memory.put("contents", {})
        state.adopt(opened)
        state.know_contents(known)
        assert state.changed_since_begun() == changed
    state.say(3, Remark(True), "digit")  # what was begun with stays, and so does the warning
    assert keeping.open_kept(state.place().id).contents == opened.contents
    assert state.changed_since_begun() == ("data", "model")
    state.start_anew()
    state.say(3, Remark(True), "digit")
    assert keeping.open_kept(state.place().id).contents == {"data": "c" * 64, "model": "d" * 64}


def test_data_that_were_changed_under_a_review_are_said_when_it_is_opened(applied):
    _, kept = applied
    assert set(keeping.open_kept(kept).contents) == {"data", "model"}
    store = keeping.store()
    found = store.load(kept)
    other = {**found.state, "contents": {**found.state["contents"], "data": "0" * 64}}
    store.save(kept, version=found.version, action="test", detail="", state=other)
    assert any(
        "not those that this review was begun with" in w.value
        for w in visit("find_bias", review=kept).warning
    )


def test_a_review_deleted_in_another_tab_is_kept_anew(applied):
    test, kept = applied
    keeping.delete(kept)
    test = press(test, "Undo")
    new = test.session_state["places"][KEY].id
    assert new != kept
    assert keeping.open_kept(new).journal == journal(test)


def test_marks_notes_and_decisions_are_kept(monkeypatch):
    from fmd_core import Decision

    monkeypatch.setattr(memory.st, "session_state", {})
    state.say(5, Remark(True, "odd"), "digit")
    state.decide(Decision("reject", "B"), "ab" * 32)
    place = state.place()
    opened = keeping.open_kept(place.id)
    assert opened.journal == state.journal()
    assert [line.detail for line in keeping.trail(place).lines[1:]] == [
        "training digit 5: marked, note: odd", "reject, by B, about head abababababababab",
    ]  # fmt: skip


def test_the_first_page_lists_reviews_opens_and_deletes_them(applied):
    _, kept = applied
    start = visit("start")
    assert "Your reviews" in [h.value for h in start.header]
    assert any("Coloured digits" in m.value and "Variant 1, 1 step" in m.value for m in start.markdown)
    opened = start.button(key=f"go_on_{kept}").click().run()
    assert titles(opened).startswith("Changing only the colour moves the answer")
    assert journal(opened).history.current is not None
    start = visit("start")
    start = start.button(key=f"delete_{kept}").click().run()
    assert "Your reviews" not in [h.value for h in start.header]
    assert keeping.listed() == []


def test_going_on_with_a_review_takes_nothing_over_from_another(applied):
    test, kept = applied
    test = press(test.switch_page("app_pages/start.py").run(), "Start a new review of the model at hand")
    test = test.switch_page("app_pages/find_bias.py").run()
    test = test.slider(key="threshold").set_value(3).run()
    test = test.selectbox(key="attribute").set_value("paper").run()
    test = test.selectbox(key="measure").set_value("demographic parity").run()
    test = test.switch_page("app_pages/unlearn.py").run()
    test = test.slider(key="tolerance").set_value(4.0).run()
    test = test.switch_page("app_pages/start.py").run()
    test = test.button(key=f"go_on_{kept}").click().run()
    assert (test.selectbox(key="attribute").value, test.slider(key="threshold").value) == ("colour", 10)
    assert test.selectbox(key="measure").value == "counterfactual"
    test = test.switch_page("app_pages/unlearn.py").run()
    assert test.slider(key="tolerance").value == 1.0
    assert unlearn.stop_of(path_of(test), journal(test).history.current) == test.select_slider[0].value


def path_of(test):
    variant = journal(test).history.current
    return cache.path(variant.review, variant.aim, variant.strategy, variant.k, variant.tolerance)


def test_what_was_wrong_with_one_review_is_not_said_of_another(monkeypatch):
    monkeypatch.setattr(memory.st, "session_state", {})
    for warn, said in (("behind", state.behind), ("not_kept", state.not_kept)):
        memory.put(warn, "Something is wrong.")
        memory.put("unsaved", {KEY: ("a step",)} if warn == "not_kept" else {})
        state.open_review(replace(REVIEW, most_unlike=0.5))  # the same data and model
        assert said() == "Something is wrong."
        state.open_review(Review("synthetic_faces"))
        assert (state.behind(), state.not_kept()) == ("", "")
        state.open_review(REVIEW)
    memory.put("unsaved", {})
    state.say(3, Remark(True), "digit")
    memory.put("behind", "Another tab was faster.")
    state.adopt(keeping.open_kept(state.place().id))
    assert state.behind() == ""


def test_a_new_review_of_the_same_model_leaves_the_old_one_as_it_is(applied):
    test, kept = applied
    start = press(test.switch_page("app_pages/start.py").run(), "Start a new review of the model at hand")
    assert "review" not in address(start)
    test = press(start.switch_page("app_pages/unlearn.py").run(), "Apply our suggestion")
    assert test.session_state["places"][KEY].id != kept
    assert len(keeping.listed()) == 2


def test_the_report_carries_the_log(monkeypatch):
    from app.record.history import Decided
    from app.reporting.gathering import gather
    from fmd_core import Decision

    monkeypatch.setattr(memory.st, "session_state", {"attribute": "colour"})
    steps._do("excluded", "training sample 3", Decided(excluded=(3,)))
    found = gather(REVIEW, Decision())
    assert [(line.action, line.detail) for line in found.trail.lines[1:]] == [
        ("excluded", "training sample 3")
    ]
    assert found.trail.is_intact
    assert [(said.row, said.excluded) for said in found.remarks] == [(3, True)]


def test_a_damaged_review_is_listed_and_says_so():
    store = keeping.store()
    kept = store.create(
        "local", data="colored_digits", model="bundled", state={"journal": {"format": 9}, "title": "T"}
    )
    assert [(listed.title, listed.in_force) for listed in keeping.listed()] == [("T", "cannot be opened")]
    start = visit("start", review=kept)
    assert any("what was kept of it is damaged" in w.value for w in start.warning)
    assert not start.exception


def test_a_review_in_the_list_is_read_once(monkeypatch):
    for title in "AB":
        keeping.store().create(
            "local", data="colored_digits", model="bundled", state={"journal": {}, "title": title}
        )
    read, load = [], ReviewStore.load
    monkeypatch.setattr(ReviewStore, "load", lambda self, review: read.append(review) or load(self, review))
    assert [listed.id for listed in keeping.listed()] == read


def test_without_a_database_the_first_page_still_shows_the_demos(monkeypatch):
    monkeypatch.setenv("FMD_DATABASE_URL", "mysql://nowhere/x")
    keeping.store.cache_clear()
    start = visit("start")
    assert len(start.error) == 1
    assert [b.label for b in start.button].count("Find the bias") == 3
    keeping.store.cache_clear()
    monkeypatch.delenv("FMD_DATABASE_URL")


@pytest.mark.parametrize(
    ("age", "words"),
    [
        ({"seconds": 5}, "just now"), ({"seconds": 61}, "1 minute ago"), ({"hours": 3}, "3 hours ago"),
        ({"days": 40}, "40 days ago"),
    ],
)  # fmt: skip
def test_how_long_ago(age, words):
    assert your_reviews.ago(datetime.now(UTC) - timedelta(**age)) == words
