"""The Report page: the reviewer's form, and opening a report again."""

import json
from datetime import UTC, date, datetime

import pytest

import fmd_core as fmd
from app import cache
from app.record.review import Aim, Review
from app.reporting import decision_form
from app.view_models import report
from app.widgets import components
from fmd_core.report.writing import report_json
from tests.app.conftest import let_go

REVIEW = Review()
MARKUP = "![x](http://evil.example/a.png) :red[b]"


def shown(test) -> dict:
    """The report in the first preview, as text."""
    return test.get("iframe")[0].proto.srcdoc


def kicker(test) -> str:
    """The line above the headline."""
    return next(h.proto.body for h in test.main.get("html") if "fmd-kicker" in h.proto.body)


def press(test, label):
    return next(b for b in test.button if b.label == label).click().run()


def file_for(test, content, key="opened_report"):
    return test.file_uploader(key=key).set_value(("report.json", content, "application/json")).run()


def written() -> bytes:
    """A report on the same review, as a file."""
    evidence = fmd.Evidence(
        cache.dataset(REVIEW), cache.classifier(REVIEW), cache.audit(REVIEW, None), 0.1,
        cache.scores(REVIEW, Aim(("colour",))), 50,
    )  # fmt: skip
    earlier = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)  # than this review's, which is made in the same second
    return report_json(fmd.build_report(evidence, created=earlier)).encode()


def test_the_form_may_stay_empty(open_page):
    test = open_page("report")
    assert not test.exception
    assert "No decision yet. All of this may stay empty." in [c.value for c in test.caption]
    assert "No decision yet." in shown(test)
    assert "not decided yet" in kicker(test)


def test_what_is_saved_is_in_the_report_and_survives_a_page_switch(open_page):
    test = open_page("report")
    key = f"{REVIEW.data}_{REVIEW.model}"
    test.radio(key=f"verdict_{key}").set_value("needs work")
    test.text_input(key=f"reviewer_{key}").set_value(f"Ann {MARKUP}")
    test.text_area(key=f"notes_{key}").set_value("One.\n<script>alert(1)</script>")
    test = press(test, "Save to the report")
    assert "Needs work" in shown(test)
    assert "Report · decided: needs work" in kicker(test)
    assert "&lt;script&gt;alert(1)" in shown(test)
    assert "<script" not in shown(test)
    saved = next(c.value for c in test.caption if c.value.startswith("Saved"))
    assert "![x](" not in saved
    assert ":red[" not in saved
    test = test.switch_page("app_pages/twins.py").run().switch_page("app_pages/report.py").run()
    assert test.radio(key=f"verdict_{key}").value == "needs work"
    assert test.text_area(key=f"notes_{key}").value.startswith("One.")
    assert "Needs work" in shown(test)


def test_what_is_typed_is_a_draft_until_it_is_saved(open_page):
    test, key = open_page("report"), f"{REVIEW.data}_{REVIEW.model}"
    assert not test.warning
    assert (
        test.radio(key=f"verdict_{key}").value == decision_form.UNDECIDED
    )  # a button that is seen to be chosen
    test = test.radio(key=f"verdict_{key}").set_value("accept").run()
    test = test.text_input(key=f"reviewer_{key}").set_value("Ann").run()
    test = test.text_area(key=f"notes_{key}").set_value("Unsaved\u202e words.").run()
    assert "Not saved yet" in test.warning[0].value
    assert "No decision yet." in shown(test)
    assert "Unsaved" not in shown(test)
    test = test.switch_page("app_pages/twins.py").run().switch_page("app_pages/report.py").run()
    assert test.radio(key=f"verdict_{key}").value == "accept"
    assert test.text_input(key=f"reviewer_{key}").value == "Ann"
    assert "Not saved yet" in test.warning[0].value
    assert "journals" not in test.session_state
    test = press(test, "Save to the report")
    assert not test.warning
    assert "Unsaved words." in shown(test)
    assert "<bdi>Ann</bdi>" in shown(test)


def test_text_from_right_to_left_stays_in_its_place():
    evidence = fmd.Evidence(
        cache.dataset(REVIEW), cache.classifier(REVIEW), cache.audit(REVIEW, None), 0.1,
        cache.scores(REVIEW, Aim(("colour",))), 50,
        decision=fmd.Decision("accept", "مريم", date(2026, 11, 22), "one\u202etwo", "\u2066three"),
    )  # fmt: skip
    page = fmd.render_report(evidence)
    assert page.count("by <bdi>مريم</bdi>") == 2
    assert '<div class="notes" dir="auto">onetwo</div>' in page
    assert not set(page) & set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
    _, sentence = report.decision_in_force((evidence.decision, "ab"), "ab")
    assert "by \u2068مريم\u2069, 22 November 2026" in sentence
    assert components.plain("http://a.b www.a.b a@b.c") == "http\\:\u2060//a.b www\u2060.a.b a@\u2060b.c"
    assert components.plain("a\u202eb \u2068c\u2069") == "ab \u2068c\u2069"


def test_another_variant_has_no_decision_yet(open_page):
    test = open_page("report")
    test.radio(key=f"verdict_{REVIEW.data}_{REVIEW.model}").set_value("reject")
    test = press(test, "Save to the report")
    test = press(press(test.switch_page("app_pages/unlearn.py").run(), "Go to our suggestion"), "Apply this")
    test = test.switch_page("app_pages/report.py").run()
    assert "No decision yet." in shown(test)
    assert "not decided yet" in kicker(test)
    assert any("was decided about another variant" in c.value for c in test.caption)
    assert "What simpler fixes did to the same people" in shown(test)
    assert "Plain refit on 200 twins" in shown(test)
    test = press(test.switch_page("app_pages/unlearn.py").run(), "Undo")
    assert "Reject" in shown(test.switch_page("app_pages/report.py").run())


def test_a_score_check_that_was_run_is_in_the_report(open_page):
    assert "were not checked against refits" in shown(open_page("report"))
    cache.score_check(REVIEW, Aim(("colour",)), 3)
    try:
        assert "Checked with K = 3 by the attribute colour" in shown(open_page("report"))
    finally:
        let_go("score check")


def test_a_report_opens_again_and_is_compared(open_page):
    test = open_page("report")
    test = file_for(test, written())
    assert not test.exception
    assert not test.error
    assert not test.warning
    pages = [frame.proto.srcdoc for frame in test.get("iframe")]
    assert "Opened from a file, to be read only." in pages[1]
    assert "pictures are missing here" in pages[1]
    test.segmented_control(key="compare_with").set_value("here").run()
    told = [m.value for m in test.markdown]
    assert any("Same data, same model, and the same head in force" in t for t in told)
    assert test.table[-1].value.columns.tolist() == ["What", "Same?", "Opened report", "This review"]
    test.segmented_control(key="compare_with").set_value("file").run()
    test = file_for(test, written(), "second_report")
    assert test.table[-1].value.columns.tolist()[-1] == "Second report"


def test_a_changed_report_is_warned_of(open_page):
    test = open_page("report")
    report = json.loads(written())
    report["found"]["accuracy"]["value"] = report["found"]["accuracy"]["high"]
    test = file_for(test, json.dumps(report).encode())
    assert "its seal does not fit" in test.warning[0].value


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"<html>", "a web page, not JSON"),
        (b"[" * 100_000, "nested more deeply"),
        (b'{"format": "fmd-report-1"}', "fmd-report-1"),
        (b'{"format": "![x](http://evil.example/a.png)"}', "evil"),
    ],
)
def test_a_hostile_file_is_one_sentence_and_the_review_goes_on(open_page, content, told):
    test = file_for(open_page("report"), content)
    assert not test.exception
    assert len(test.error) == 1
    assert told in test.error[0].value.replace("\\", "")
    assert "![x](" not in test.error[0].value
    assert "Changing only the colour moves the answer by 64.1 points" in shown(test)


def test_markup_in_an_opened_report_is_not_read(open_page):
    test = open_page("report")
    report = json.loads(written())
    report["data"]["name"] = report["decision"]["reviewer"] = report["found"]["attributes"][0]["headline"] = (
        MARKUP
    )
    report["found"]["attributes"][0]["attribute"] = MARKUP
    report["decision"]["verdict"] = "accept"
    test = file_for(test, json.dumps(report).encode())
    test.segmented_control(key="compare_with").set_value("here").run()
    texts = [m.value for m in test.markdown] + [w.value for w in test.warning]
    texts += [str(cell) for table in test.table for cell in table.value.to_numpy().ravel()]
    joined = " ".join(texts)
    assert "evil" in joined
    assert "![x](" not in joined
    assert ":red[" not in joined
