"""Long work on screen. AppTest never ticks a timer: every run here is one poll."""

import os
import secrets
import threading
import time
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest
from streamlit.testing.v1 import AppTest

from app.jobs import job_panel, job_words
from app.jobs.job import Job
from app.jobs.notes import JobNotes
from app.jobs.registry import REGISTRY
from fmd_core.errors import DataError


@pytest.fixture
def gate():
    found = threading.Event()
    yield found
    found.set()
    for job in REGISTRY.recent():
        assert job.wait(5)


def running(gate, key, title="Reading photographs"):
    """A job that has told a first progress and goes on until the gate opens."""

    def work(progress):
        while not gate.wait(0.01):
            progress(0.25, "part <b>one</b>")
        return "result"

    job = REGISTRY.start(key, title, work)
    deadline = time.monotonic() + 5
    while not job.message:
        assert time.monotonic() < deadline
        time.sleep(0.005)
    return job


def visit(page, args=()):
    """A session on a page; the machine may be busy."""
    return AppTest.from_function(page, default_timeout=60, args=args)


def panel(job_id):
    import streamlit as st

    from app.jobs import job_panel

    job = job_panel.draw(job_id)
    st.text(f"state: {job.state if job else None}")


def sidebar():
    from app.jobs import job_panel

    job_panel.sidebar_list()


def starter(key):
    import streamlit as st

    from app.jobs import job_panel

    if st.button("Go", key="go"):
        job_panel.start_job(key, "Training", lambda progress: progress(1.0) or key)
    job_panel.sidebar_list()


def html(test):
    return " ".join(element.proto.body for element in test.get("html"))


def sidebar_html(test):
    return " ".join(element.proto.body for element in test.sidebar.get("html"))


@pytest.fixture(autouse=True)
def count_timers(monkeypatch):
    """AppTest drops the messages that set timers, so fragments are counted where they are made."""
    made = []
    fragment = job_panel.st.fragment

    def counted(func, *, run_every=None, **options):
        made.append(run_every)
        return fragment(func, run_every=run_every, **options)

    monkeypatch.setattr(job_panel.st, "fragment", counted)
    return made


# --- after a restart


@pytest.fixture
def left_behind():
    """A job that was under way when an earlier server was killed."""
    job = secrets.token_urlsafe(16)
    os.close(JobNotes().write(job, "key", "Training <b>for</b> faces"))  # its lock ends, as with its process
    return job


def test_the_panel_says_that_a_job_ended_with_its_server_and_how_to_begin_again(left_behind, count_timers):
    test = visit(panel, args=(left_behind,)).run()
    assert test.text[0].value == "state: stopped"
    assert "Training &lt;b&gt;for&lt;/b&gt; faces" in html(test)
    assert "Stopped when the server ended" in html(test)
    assert "begin it again on its page" in html(test)
    assert not test.button
    assert count_timers == [None]


def test_the_sidebar_says_it_of_the_job_in_the_address(left_behind):
    test = visit(sidebar)
    test.query_params["job"] = left_behind
    test.run()
    assert "Stopped when the server ended. Nothing of it was kept; begin it again" in sidebar_html(test)
    assert not test.sidebar.caption


# --- the panel


def test_a_running_job_shows_what_it_does_and_polls(gate, count_timers):
    job = running(gate, "panel", "Reading <i>photographs</i> ![x](http://evil.example/x.png)")
    test = visit(panel, args=(job.id,)).run()
    assert not test.exception
    assert "Reading &lt;i&gt;photographs&lt;/i&gt; ![x](http" in html(test)  # as it stands, not as markup
    assert "25 % done" in html(test)
    assert " · part &lt;b&gt;one&lt;/b&gt;" in html(test)
    assert not test.markdown
    assert test.get("progress")[0].proto.value == 25
    assert not test.button[0].disabled
    assert count_timers == [0.5]


def test_cancel_stops_the_job_and_the_polling(gate, count_timers):
    job = running(gate, "cancelled")
    test = visit(panel, args=(job.id,)).run()
    test.button(key=f"cancel_{job.id}").click().run()
    assert job.wait(1)
    test.run()
    assert test.text[0].value == "state: stopped"
    assert "Stopped after " in html(test)
    assert not test.button
    assert not test.get("progress")
    assert count_timers[-1] is None


@pytest.fixture
def session(monkeypatch):
    """Lets a test say who looks."""

    def become(name):
        monkeypatch.setattr(job_panel, "_session", lambda: name)

    return become


def test_one_visitors_cancel_does_not_end_what_another_waits_for(gate, session):
    job = running(gate, "for two")
    session("ann")
    ann = visit(panel, args=(job.id,)).run()
    assert "Somebody else" not in html(ann)
    session("bob")
    bob = visit(panel, args=(job.id,)).run()
    assert "Somebody else waits for the same work" in html(bob)
    bob.button(key=f"cancel_{job.id}").click().run()
    assert (job.live, job.stopping) == (True, False)
    assert bob.info[0].value == job_panel.GOES_ON
    assert not bob.button
    session("ann")
    ann.run()
    assert "Somebody else" not in html(ann)
    ann.button(key=f"cancel_{job.id}").click().run()
    assert job.wait(1)
    assert job.state == "stopped"


def test_who_left_and_starts_the_same_again_waits_for_it_again(gate, session):
    running(gate, "in the way")
    tests = {}
    for name in ("ann", "bob"):
        session(name)
        tests[name] = visit(starter, args=("shared by two",)).run()
        tests[name].button(key="go").click().run()
    job = REGISTRY.live("shared by two")
    assert not REGISTRY.leave(job.id, "bob", lambda _: True)
    assert REGISTRY.leave(job.id, "ann", lambda who: who != "ann")
    assert job.state == "stopped"


def test_a_browser_that_is_gone_holds_nothing(gate):
    job = running(gate, "left behind")
    job.follow("a tab that was closed")
    assert REGISTRY.leave(job.id, "me", lambda _: False)
    assert job.wait(1)


def test_the_end_is_seen_and_polling_stops(gate, count_timers):
    job = running(gate, "ends")
    test = visit(panel, args=(job.id,)).run()
    gate.set()
    assert job.wait(5)
    test.run()
    assert test.text[0].value == "state: finished"
    assert "Finished in " in html(test)
    assert count_timers == [0.5, None]


def test_a_job_that_ends_between_two_polls_reruns_the_page(gate, monkeypatch, count_timers):
    job = running(gate, "rerun")
    known = [{job.id}, set()]
    monkeypatch.setattr(job_panel, "_live", lambda _: known.pop(0) if known else set())
    test = visit(panel, args=(job.id,)).run()
    assert not test.exception
    assert count_timers == [0.5, None]  # the second script run is the rerun


def test_a_failure_shows_its_one_sentence():
    def work(_progress):
        raise DataError("The archive holds no pictures; choose another.")

    job = REGISTRY.start("failing", "Opening", work)
    assert job.wait(5)
    test = visit(panel, args=(job.id,)).run()
    assert [error.value for error in test.error] == ["The archive holds no pictures; choose another."]
    assert "Failed after " in html(test)


@pytest.mark.parametrize("job_id", ["", "a" * 22, "<script>alert(1)</script>", "../../x"])
def test_an_unknown_job_is_one_sentence(job_id):
    test = visit(panel, args=(job_id,)).run()
    assert [info.value for info in test.info] == [job_panel.UNKNOWN]
    assert test.text[0].value == "state: None"


# --- start and the sidebar


def test_start_puts_the_id_into_address_and_sidebar():
    test = visit(starter, args=("start",)).run()
    assert not test.sidebar.get("html")
    test.button(key="go").click().run()
    job = REGISTRY.find(test.query_params["job"])
    assert job.wait(5)
    assert job.result == "start"
    del test.query_params["job"]  # as a link of the navigation does
    test.run()
    assert "Training: Finished in " in sidebar_html(test)


@pytest.mark.parametrize(("listed_for", "stays"), [(timedelta(minutes=1), True), (timedelta(0), False)])
def test_a_job_that_ended_well_leaves_list_and_address_after_a_while(monkeypatch, listed_for, stays):
    monkeypatch.setattr(job_panel, "LISTED_FOR", listed_for)
    test = visit(starter, args=(f"gone {stays}",)).run()
    test.button(key="go").click().run()
    job = next(job for job in REGISTRY.recent() if job.key == f"gone {stays}")  # it may have left already
    assert job.wait(5)
    test.run()
    assert ("Finished" in sidebar_html(test)) == stays
    assert ("job" in test.query_params) == stays


def test_the_line_of_a_job_that_ended_goes_by_itself(monkeypatch, count_timers):
    """Nobody need press anything: the list looks once more when its time is up, and is gone."""
    job = REGISTRY.start("goes by itself", "Reading", lambda _progress: "read")
    assert job.wait(5)
    test = visit(sidebar)
    test.query_params["job"] = job.id
    test.run()
    assert "Reading: Finished" in sidebar_html(test)
    assert (
        0 < count_timers[-1] <= job_panel.LISTED_FOR.total_seconds() + 1 < 30
    )  # what is over is not in the way

    def listed(job_id):
        from app.jobs import job_panel

        job_panel._list((job_id,))

    monkeypatch.setattr(job_panel, "LISTED_FOR", timedelta(0))
    assert not html(visit(listed, args=(job.id,)).run())


def test_a_job_that_failed_stays_listed_until_it_is_dismissed(monkeypatch, count_timers):
    monkeypatch.setattr(job_panel, "LISTED_FOR", timedelta(0))

    def fail(_progress):
        raise DataError("No.")

    job = REGISTRY.start("fails and stays", "Reading", fail)
    assert job.wait(5)
    test = visit(sidebar)
    test.query_params["job"] = job.id
    test.run().run()
    assert "Reading: Failed" in sidebar_html(test)
    assert count_timers[-1] is None  # it waits for nobody
    test.button(key=f"dismiss_{job.id}").click().run()
    assert not sidebar_html(test)
    assert "job" not in test.query_params


def test_two_sessions_that_start_the_same_follow_one_job(gate):
    running(gate, "in the way")
    tests = [visit(starter, args=("shared",)).run() for _ in range(2)]
    for test in tests:
        test.button(key="go").click().run()
        assert "Training: Waiting until other work is done" in sidebar_html(test)
    assert tests[0].query_params["job"] == tests[1].query_params["job"]


def test_a_fresh_session_with_the_address_finds_the_job_and_keeps_it(gate, count_timers):
    job = running(gate, "found again")
    test = visit(sidebar)
    test.query_params["job"] = job.id
    test.run()
    assert "Reading photographs: 25 % done" in sidebar_html(test)
    assert count_timers == [2.0]
    del test.query_params["job"]
    test.run()
    assert "Reading photographs: 25 % done" in sidebar_html(test)


@pytest.mark.parametrize("job_id", ["a" * 22, "<script>alert(1)</script>", "../../etc/passwd"])
def test_an_address_that_names_no_job_is_said_and_ignored(job_id, count_timers):
    test = visit(sidebar)
    test.query_params["job"] = job_id
    test.run()
    assert not test.exception
    assert [caption.value for caption in test.sidebar.caption] == [job_panel.UNKNOWN]
    assert not test.sidebar.get("html")
    assert count_timers == []


def test_a_job_that_was_dropped_leaves_the_list():
    test = visit(sidebar)
    test.session_state["jobs"] = ("a" * 22,)
    test.run()
    assert test.session_state["jobs"] == ()
    assert not test.sidebar.get("html")


def test_a_visitor_without_jobs_sees_nothing():
    test = visit(sidebar).run()
    assert not test.sidebar.children


def test_a_job_that_waits_says_whose_work_comes_before_it(gate, monkeypatch):
    monkeypatch.setattr(Job, "seconds_left", 90.0)
    running(gate, "of somebody else", "Reading <b>their</b> photographs")
    own = visit(starter, args=("own",)).run()
    own.button(key="go").click().run()
    mine = REGISTRY.live("own")
    later = REGISTRY.start("later", "Training later", lambda progress: progress(1.0))
    monkeypatch.setattr(later, "expected", 300.0)
    test = visit(panel, args=(later.id,))
    test.session_state["jobs"] = (mine.id,)
    test.run()
    said = html(test)
    assert "Before it: somebody else&#x27;s work and your own “Training” (about 3 minutes left)." in said
    assert "photographs" not in said  # whose data it is about is theirs to tell
    assert "takes about 5 minutes once it runs" in said
    assert job_words.heading(later, "Then.")[0] == "Training later waits for its turn."


def test_a_running_job_says_since_when_by_the_clock_of_who_looks(gate, monkeypatch):
    job = running(gate, "since when")
    assert job_words.since_words(job).startswith("for ")
    monkeypatch.setattr("streamlit.runtime.context.ContextProxy.timezone", "Asia/Kolkata")
    at = job.started.astimezone(ZoneInfo("Asia/Kolkata"))
    assert job_words.since_words(job).startswith(f"since {at:%H:%M}, for ")
    assert job_words.heading(job, "Then.")[0] == "Reading photographs."


def test_what_is_known_early_is_drawn_in_the_panel(gate):
    job = running(gate, "early")
    test = visit(early, args=(job.id,)).run()
    assert "Known so far: Reading photographs" in html(test)


def early(job_id):
    import streamlit as st

    from app.jobs import job_panel

    job_panel.draw(job_id, also=lambda job: st.html(f"Known so far: {job.title}"))


# --- words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (None, ""),
        (0, "a few seconds left"),
        (9.9, "a few seconds left"),
        (10, "about 10 seconds left"),
        (44, "about 40 seconds left"),
        (54.9, "about 50 seconds left"),
        (55, "about 1 minute left"),
        (89, "about 1 minute left"),
        (130, "about 2 minutes left"),
        (3569, "about 59 minutes left"),
        (3570, "about 1 hour left"),
        (5400, "about 1.5 hours left"),
        (1e6, "about 278 hours left"),
    ],
)
def test_time_left_in_words(seconds, words):
    assert job_words.time_left_words(seconds) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.2, "less than a second"),
        (1, "1 second"),
        (12.4, "12 seconds"),
        (59.4, "59 seconds"),
        (59.6, "1 minute"),
        (600, "10 minutes"),
    ],
)
def test_duration_in_words(seconds, words):
    assert job_words.duration_words(timedelta(seconds=seconds)) == words
