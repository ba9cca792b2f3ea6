"""Who may look and who may change: strangers, viewers, reviewers, and the server without a login."""

import pytest
from streamlit.testing.v1 import AppTest

from app.jobs.registry import REGISTRY
from app.record.review import Review
from app.session import access, keeping
from fmd_core.forget.adversarial import ADVERSARY
from tests.app.test_keeping import own_database  # noqa: F401  a database of the test's own
from tests.app.test_pages import press, titles

REVIEWER = {"is_logged_in": True, "email": "Anna@Example.org", "email_verified": True}
VIEWER = {"is_logged_in": True, "email": "vera@board.example"}
PAGES = ("start", "data", "model", "find_bias", "twins", "harmful", "unlearn", "compare", "report", "method")


@pytest.fixture
def lists(monkeypatch):
    monkeypatch.setenv("FMD_REVIEWERS", "anna@example.org, @lab.example")
    monkeypatch.setenv("FMD_VIEWERS", "@board.example")


@pytest.fixture
def login(lists, monkeypatch):  # noqa: ARG001
    monkeypatch.setattr(access, "get_secrets_auth_section", lambda: {"client_id": "x"})


def come(user, page="start", **address):
    test = AppTest.from_file("../../app/main.py", default_timeout=150)
    test.user = user
    for name, text in address.items():
        test.query_params[name] = text
    test.run()
    return test if page == "start" else test.switch_page(f"app_pages/{page}.py").run()


def labels(test):
    return {b.label for b in test.button}


def sentences(test):
    return [m.value for m in (*test.error, *test.info, *test.warning)]


# --- the lists


@pytest.mark.parametrize(
    ("address", "role"),
    [
        ("anna@example.org", "reviewer"), ("bob@lab.example", "reviewer"), ("vera@board.example", "viewer"),
        ("", None), ("@lab.example", None), ("lab.example", None), ("bob@sub.lab.example", None),
        ("bob@evil-lab.example", None), ("bob@lab.example.evil", None), ("x@evil.example@lab.example", None),
        ("anna@example.org@board.example", None), ("other@example.org", None),
    ],
)  # fmt: skip
@pytest.mark.usefixtures("lists")
def test_the_lists_give_what_they_say_and_no_more(address, role):
    assert access.role_of(address) == role


@pytest.mark.parametrize("setting", ["*", "example.org", "@", "anna", ""])
def test_an_entry_that_is_no_address_lets_nobody_in(monkeypatch, setting):
    monkeypatch.setenv("FMD_REVIEWERS", setting)
    assert access.role_of("anna@example.org") is None


@pytest.mark.usefixtures("lists")
def test_who_is_on_both_lists_is_a_reviewer(monkeypatch):
    monkeypatch.setenv("FMD_VIEWERS", "anna@example.org")
    assert access.role_of("anna@example.org") == "reviewer"


# --- without a login


def test_without_a_login_all_is_as_it_was():
    assert not access.is_required()
    assert access.is_admitted("any session")
    test = come({}, "data")
    assert "Coloured digits" in titles(test)
    assert not test.exception
    assert "Log out" not in labels(test)
    assert access.signed("done") == "done"


@pytest.mark.usefixtures("lists")
def test_lists_alone_close_the_door():
    test = come({"email": ""})
    assert titles(test) == "FMD Studio"
    assert "no login is set up" in test.error[0].value
    assert not test.button


def test_a_login_alone_lets_nobody_in(monkeypatch):
    monkeypatch.setattr(access, "get_secrets_auth_section", lambda: {"client_id": "x"})
    test = come(REVIEWER)
    assert "on no list" in test.error[0].value
    assert labels(test) == {"Log out"}


# --- strangers


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.usefixtures("login")
def test_a_stranger_sees_the_log_in_button_and_nothing_else(page):
    test = come({"is_logged_in": False}, page)
    assert titles(test) == "FMD Studio"
    assert labels(test) == {"Log in"}
    assert not any(
        (test.header, test.selectbox, test.get("file_uploader"), test.dataframe, test.table, test.error)
    )


@pytest.mark.parametrize(
    "user",
    [
        {**VIEWER, "email": "vera@elsewhere.example"}, {**REVIEWER, "email_verified": False},
        {**REVIEWER, "email_verified": "false"}, {"is_logged_in": True}, {"is_logged_in": True, "email": None},
    ],
)  # fmt: skip
@pytest.mark.usefixtures("login")
def test_whoever_is_on_no_list_or_not_checked_is_told_so_and_let_no_further(user):
    test = come(user)
    assert labels(test) == {"Log out"}
    assert "on no list" in test.error[0].value


@pytest.mark.usefixtures("login")
def test_a_session_that_logged_in_is_no_longer_believed_when_it_says_it_did_not():
    assert labels(come({**REVIEWER, "is_logged_in": False})) == {"Log in"}


@pytest.mark.usefixtures("login")
def test_only_a_session_that_was_let_in_may_send_files(monkeypatch):
    monkeypatch.setattr(access, "_admitted", set())
    come({"is_logged_in": False})
    come({"is_logged_in": True, "email": "x@elsewhere.example"})
    assert access._admitted == set()
    come(VIEWER)
    (session,) = access._admitted
    assert access.is_admitted(session)
    assert not access.is_admitted("another")


# --- reviewers


@pytest.fixture
def kept(login):  # noqa: ARG001
    """A review of Anna's with one step, and its id."""
    test = come(REVIEWER, "unlearn")
    press(test, "Apply our suggestion")
    return keeping_of(test).id


def keeping_of(test):
    return test.session_state["places"][Review().data, Review().model]


def test_a_reviewer_works_as_ever_and_the_log_says_who(kept):
    lines = keeping.trail(keeping.Place(kept, 2)).lines
    assert [line.action for line in lines] == ["created", "apply"]
    assert lines[-1].detail.endswith("(by anna@example.org)")
    assert "Coloured digits" in titles(come(REVIEWER, "data"))


def test_the_other_reviewer_goes_on_with_it_under_their_own_name(kept):
    test = come({"is_logged_in": True, "email": "bob@lab.example"}, "unlearn", review=kept)
    press(test, "Undo")
    assert keeping.trail(keeping_of(test)).lines[-1].detail.endswith("(by bob@lab.example)")


@pytest.mark.usefixtures("lists")
def test_a_proxy_s_header_is_as_good_as_a_login():
    test = come({"email": "anna@example.org"}, "data")
    assert "Coloured digits" in titles(test)
    assert "Log out" not in labels(test)  # the proxy knows how


# --- viewers


def test_a_viewer_looks_at_a_review_they_were_given_and_changes_nothing(kept):
    test = come(VIEWER, "unlearn", review=kept)
    assert "change nothing" in " ".join(sentences(test))
    assert any("Variant 1" in m.value for m in test.markdown)
    before = test.session_state["journals"]
    test = press(test, "Undo")
    assert "ask a reviewer" in test.error[0].value
    assert test.session_state["journals"] == before
    assert [line.action for line in keeping.trail(keeping.Place(kept, 2)).lines] == ["created", "apply"]


@pytest.mark.usefixtures("login")
def test_a_viewer_begins_no_review_either():
    test = press(come(VIEWER, "unlearn"), "Apply our suggestion")
    assert "ask a reviewer" in test.error[0].value
    assert "places" not in test.session_state


@pytest.mark.usefixtures("login")
def test_a_viewer_trains_nothing():
    test = come(VIEWER, "feature_unlearning")
    before = REGISTRY.recent()
    test = press(test.segmented_control(key="forget_way").set_value(ADVERSARY.name).run(), "Start training")
    assert "ask a reviewer" in test.error[0].value
    assert REGISTRY.recent() == before


@pytest.mark.parametrize("page", ["data", "model"])
@pytest.mark.usefixtures("login")
def test_a_viewer_brings_in_neither_data_nor_models(page):
    test = come(VIEWER, page)
    assert "ask a reviewer" in test.error[0].value
    assert labels(test) <= {"Log out", "Undo", "Redo"}
    assert not test.get("file_uploader")


@pytest.mark.parametrize("page", ["start", "find_bias", "report"])
@pytest.mark.usefixtures("login")
def test_a_viewer_reads_the_other_pages(page):
    test = come(VIEWER, page)
    assert not test.error
    assert titles(test) not in ("", "FMD Studio")
    assert "change nothing" in " ".join(sentences(test))
