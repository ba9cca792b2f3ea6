"""What the import form asks and warns of: the good answer, persons, weights, spellings, what tells the answer; and
answers that are changed later. Nothing that changes a verdict is chosen for the reviewer."""

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest

from app.opening import import_job
from app.record.history import History
from app.record.journal import Journal, Remark
from app.record.review import NO_MODEL, Aim, Review
from app.record.variants import Exclusion
from app.view_models import import_data, import_doubts
from app.view_models import import_questions as view
from fmd_core.data import AttributeDataset, Column
from fmd_core.datasets.families import load_dataset
from fmd_core.datasets.own import imports
from fmd_core.datasets.own.sniffing import read_table
from fmd_core.datasets.own.table import TableImport, open_table
from fmd_core.report.evidence import Decision
from tests.app.test_choosing import data_page, end_of, upload

N = 400
ANSWERS = TableImport("group", {"sex": "values"}, {"a": "a", "b": "b"})


def frame(**more):
    rng = np.random.default_rng(0)
    group = rng.choice(["a", "b"], N)
    return pd.DataFrame(
        {"age": rng.integers(18, 80, N), "hours": rng.normal(40, 9, N).round(2), "sex": rng.choice(["M", "F"], N)}
        | {name: column(rng, group) for name, column in more.items()}
        | {"group": group}
    )  # fmt: skip


MORE = {
    "patient_id": lambda rng, _: rng.integers(0, 90, N),
    "sample_weight": lambda rng, _: rng.choice([1.5, 2.5], N),
    "contract": lambda _, group: np.where(group == "a", "yes", "no"),
    "visits": lambda rng, _: np.where(rng.random(N) < 0.1, 999, rng.integers(0, 9, N)),
}


@pytest.fixture
def sheet(tmp_path):
    def made(table=None, **more):
        path = tmp_path / "t.csv"
        (frame(**more) if table is None else table).to_csv(path, index=False)
        return read_table(path)

    return made


# --- the good answer


def test_the_good_answer_is_suggested_with_its_reason_and_never_guessed():
    sure = view.favoured("loan", ("approved", "denied"))
    assert sure.options == ("approved", "denied", None)
    assert sure.suggested == 0
    assert "the word 'approved'" in sure.reason
    unsure = view.favoured("group", ("a", "b"))
    assert unsure.suggested is None
    assert view.favoured("grade", ("a", "b", "c")) is None


def test_a_verdict_on_two_answers_needs_to_be_told_which_is_the_good_one():
    assert view.unsaid(ANSWERS) == view.UNSAID
    assert not view.unsaid(replace(ANSWERS, favourable="a"))
    assert not view.unsaid(replace(ANSWERS, favourable=None))  # nobody is better off with either
    assert not view.unsaid(replace(ANSWERS, classes={"a": "x", "b": "y", "c": "z"}))


def test_answers_stand_in_the_order_of_a_model_whichever_is_more_frequent(sheet):
    table = frame().assign(group=[1] * 300 + [0] * 100)
    rows = import_data.class_rows(sheet(table).column("group"))
    classes = import_data.class_values(rows)
    assert list(classes) == ["0", "1"]
    rows = view.place_rows(("0", "1")).assign(**{view.PLACE: [2, None]})
    assert list(view.in_places(classes, rows)) == ["0", "1"]  # what has no place is last
    assert list(view.in_places(classes, rows.assign(**{view.PLACE: [2, 1]}))) == ["1", "0"]


# --- what is suspicious


def test_one_spelling_is_asked_for_and_words_for_not_known_are_named(sheet):
    table = frame()
    table.loc[:99, "group"], table.loc[100:104, "group"] = "A ", "?"
    (doubt,) = import_doubts.spelling_doubts(sheet(table), ["group", "sex"])
    assert "'group' seems to spell labels in several ways" in doubt.sentence
    assert "also as 'A'" in doubt.sentence or "also as 'a'" in doubt.sentence
    assert "'not stated' as '?'" in doubt.sentence
    assert list(doubt.ways) == ["together", "keep"]


def test_answers_of_too_few_rows_are_named(sheet):
    table = frame()
    table.loc[:3, "group"] = "c"
    (doubt,) = import_doubts.rare_doubts(sheet(table), "group")
    assert doubt.sentence == "Too few rows to learn from have the answer 'c'."
    rows = import_data.class_rows(
        sheet(table).column("group"), import_doubts.rare_values(sheet(table), "group")
    )
    assert list(import_data.class_values(rows)) == ["a", "b"]
    assert not import_doubts.rare_doubts(sheet(), "group")


def test_what_another_system_answered_is_not_left_out_unasked(sheet):
    found = import_doubts.checked(sheet(model_score=lambda rng, _: rng.random(N)), ("group", "sex"))
    (doubt,) = import_doubts.other_system_doubts(found)
    assert list(doubt.ways) == ["leave out", "keep"]
    out = import_doubts.resolved(ANSWERS, [doubt], {doubt.key: "leave out"})
    assert out.leave_out == ("model_score",)
    assert import_doubts.resolved(ANSWERS, [doubt], {doubt.key: "keep"}) == ANSWERS


def test_what_tells_the_answer_and_what_means_not_known_have_ways_out(sheet):
    read = sheet(contract=MORE["contract"], visits=MORE["visits"])
    leak, sentinel = import_doubts.data_doubts(open_table(read, ANSWERS), read, ANSWERS)
    assert "'contract' tells 100 % of those whose group is" in leak.sentence
    assert "'visits' is 999 in" in sentinel.sentence
    answers = import_doubts.resolved(
        ANSWERS, [leak, sentinel], {leak.key: "leave out", sentinel.key: "empty"}
    )
    assert (answers.leave_out, answers.not_known) == (("contract",), {"visits": "999"})
    assert not import_doubts.data_doubts(open_table(read, answers), read, answers)


def test_a_protected_column_that_tells_the_answer_is_never_offered_to_be_left_out(sheet):
    answers = replace(ANSWERS, protected={"sex": "values", "contract": "values"})
    read = sheet(contract=MORE["contract"])
    (leak,) = import_doubts.data_doubts(open_table(read, answers), read, answers)
    assert list(leak.ways) == ["keep"]


def test_equal_rows_are_put_together_where_the_reviewer_says_so(sheet):
    read = sheet(pd.concat([frame(), frame()]))
    (doubt,) = import_doubts.data_doubts(open_table(read, ANSWERS), read, ANSWERS)
    assert "stand outside the test word for word" in doubt.sentence
    answers = import_doubts.resolved(ANSWERS, [doubt], {doubt.key: "together"})
    data = open_table(read, answers)
    assert (data.split[:N] == data.split[N:]).all()
    assert not import_doubts.data_doubts(data, read, answers)


def test_only_what_was_not_answered_is_asked_again():
    leak, other = (import_doubts.Doubt("target_leak", (name,), "", {"keep": ""}) for name in "xy")
    first = import_data.Imported("1", "t", ANSWERS, "", (), (), (leak,))
    assert replace(first, doubts=(leak, other)).without(first).doubts == (other,)
    assert first.without(first).is_settled


# --- what people are called


def test_phrases_are_filled_in_where_they_are_plain_and_read_back():
    rows = view.phrase_rows({"sex": ["F", "M"], "race": ["A"]}, "hired", ("no", "yes"))
    assert rows[view.CALLED].tolist() == ["women", "men", "", "… with hired no", "… with hired yes"]
    assert view.phrase_values(rows) == {
        "sex": {"F": "women", "M": "men"}, "hired": {"no": "{} with hired no", "yes": "{} with hired yes"}
    }  # fmt: skip
    rows.loc[2, view.CALLED] = " ... of {race}  A\n"
    assert view.phrase_values(rows)["race"] == {"A": "{} of race A"}
    said = view.phrase_rows({"sex": ["F", "M"]}, "hired", (), {"sex": {"F": "girls"}})
    assert said[view.CALLED].tolist() == ["girls", ""]  # cleared is cleared


# --- answers that are changed


def test_the_steps_of_a_review_go_along_and_a_decision_only_where_no_figure_is_another():
    old, new = Review("import?id=old", "m"), "import?id=new"
    variant = Exclusion(old, Aim(("sex",)), (3, 4), 0.01)
    history = History().apply(variant, datetime.now(UTC))
    moved = history.of_data(new)
    assert moved.current == replace(variant, review=replace(old, data=new))
    assert {entry.variant.review.data for entry in moved.log} == {
        kept.variant.review.data for kept in moved.kept
    }
    assert moved.of_data(old.data) == history
    assert moved.undo(datetime.now(UTC)).current is None


def test_what_was_changed_is_told_and_words_are_no_figures():
    called = replace(ANSWERS, phrases={"sex": {"F": "women"}})
    assert view.changes(ANSWERS, called) == "what people are called"
    assert view.same_figures(ANSWERS, called)
    other = replace(called, favourable=None, references={"sex": "M"})
    assert view.changes(called, other) == f"the good answer: {view.NOBODY}; compared with: sex: M"
    assert not view.same_figures(called, other)


def test_a_header_that_stands_twice_is_no_person_on_the_form_either(open_page):
    header, rows = frame().to_csv(index=False).split("\n", 1)
    test = upload(data_page(open_page), "twice.csv", f"{header}\n{header}\n{rows}")
    assert next(box for box in test.selectbox if box.label == "The model predicts").value == "group"
    assert any("the header stands there again" in caption.value for caption in test.caption)


def radio(test, words):
    return next(found for found in test.radio if words in found.label)


def test_what_tells_the_answer_once_another_column_is_out_is_asked_as_well(open_page, monkeypatch):
    monkeypatch.setattr(import_job, "PATIENCE_SECONDS", 0)  # the page follows the job
    rng = np.random.default_rng(0)
    parts = rng.random((1_000, 3)).round(3)
    group = np.where(
        (parts > 0.2).all(axis=1), "a", "b"
    )  # a part tells less than half of a class, all tell both
    table = pd.DataFrame(dict(zip("pqr", parts.T, strict=True))).assign(
        sex=rng.choice(["M", "F"], 1_000), contract=np.where(group == "a", "yes", "no"), group=group
    )
    test = upload(data_page(open_page), "leaks.csv", table.to_csv(index=False))
    radio(test, "the good one").set_value(0)
    test.run().button(key="import").click().run()
    end_of("import ")
    radio(test.run(), "'contract'").set_value("leave out")
    test.run().button(key="imported").click().run()
    job = end_of("import ")
    test = open_page("data")  # a refresh finds what is asked next, by the address
    test.query_params["job"] = job.id
    joint = radio(test.run(), "tell 'group' for")
    assert "'contract'" not in joint.label
    joint.set_value("keep")
    test.run().button(key="imported").click().run()
    assert [title.value for title in test.title] == ["No model is chosen yet."]
    imports.delete_import(test.session_state["review"].data.rpartition("=")[2])


def test_a_file_full_of_doubts_from_the_form_to_a_change_of_mind(open_page):
    test = upload(data_page(open_page), "clinic.csv", frame(**MORE).to_csv(index=False))
    assert not test.exception
    assert test.button(key="import").disabled
    persons, weights = (
        next(box for box in test.selectbox if words in box.label)
        for words in ("'patient\\_id' seems to name people", "'sample\\_weight' looks like a weight")
    )
    assert (persons.value, weights.value, radio(test, "the good one").value) == (None, None, None)
    persons.set_value("patient_id")
    weights.set_value("sample_weight")
    test.run()
    assert view.UNSAID in [info.value for info in test.info]
    radio(test, "the good one").set_value(1)
    test.selectbox(key=next(b.key for b in test.selectbox if "sex\\: compared" in b.label)).set_value("M")
    test.run().button(key="import").click().run()
    end_of("import ")
    test.run()
    assert any("400 rows of" in text.value for text in test.markdown)
    assert test.button(key="imported").disabled
    for words, way in (("contract", "leave out"), ("visits", "empty")):
        asked = radio(test, f"'{words}'")
        assert asked.value is None
        asked.set_value(way)
    test.run().button(key="imported").click().run()
    assert [title.value for title in test.title] == ["No model is chosen yet."]
    first = test.session_state["review"].data
    data = load_dataset(first)
    assert (data.favourable, dict(data.references)) == ("b", {"sex": "M"})
    assert len(np.unique(data.persons)) < 91
    assert set(np.unique(data.weights)) == {1.5, 2.5}
    assert data.phrases["sex"] == {"F": "women", "M": "men"}
    assert "contract" not in {column.name for column in data.source.columns}

    decided = Journal(decision=(Decision("accept", "Ada"), "h" * 64)).remarked(3, Remark(marked=True))
    test.session_state["journals"] = {Review(first, NO_MODEL).key: decided}
    test.switch_page("app_pages/data.py").run()
    assert not test.exception
    assert test.button(key="answer_again").disabled
    radio(test, "the good one").set_value(2)
    test.run().button(key="answer_again").click().run()
    second = test.session_state["review"].data
    assert second != first
    assert (load_dataset(first).favourable, load_dataset(second).favourable) == ("b", None)
    assert load_dataset(first).fingerprint == load_dataset(second).fingerprint  # the model goes along
    journals = test.session_state["journals"]
    assert journals[Review(first, NO_MODEL).key] == decided
    along = journals[Review(second, NO_MODEL).key]
    assert (along.remarks, along.decision) == (decided.remarks, None)  # another figure, so decided anew
    for kept in (first, second):
        imports.delete_import(kept.rpartition("=")[2])


def test_facts_name_what_was_said():
    columns = (Column("hired", np.arange(4) % 2, ("no", "yes")), Column("sex", np.arange(4) // 2, ("F", "M")))
    data = AttributeDataset(
        "t", columns[0], {"sex": columns[1]}, np.array(["train"] * 4), None, persons=np.array([0, 0, 1, 2]),
        phrases={"sex": {"F": "women"}},
    )  # fmt: skip
    answers = TableImport("hired", {"sex": "values"}, favourable="yes", person="who", weights="w")
    told = view.facts(data, answers).summary
    for words in ("The good answer: yes.", "'who' says it: 3 people in 4 rows", "as 'w' says", "women"):
        assert words in told
    assert "not said; yes is taken" in view.facts(data, replace(answers, favourable="")).summary
    assert view.NOBODY in view.facts(data, replace(answers, favourable=None)).summary
