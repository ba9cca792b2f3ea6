"""The Data and Model pages: uploads, refusals in a sentence, what came in, and jobs that make models."""

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from app import cache
from app.jobs import preparation
from app.jobs.registry import REGISTRY
from app.opening import data_forms, model_forms, uploads
from app.record.review import NO_MODEL, Review
from app.view_models import import_data, models
from app.widgets import components
from fmd_core import train_classifier
from fmd_core.datasets.families import load_dataset, reference
from fmd_core.datasets.own import imports
from fmd_core.datasets.own.sniffing import read_table
from fmd_core.datasets.own.table import Giveaway, TableImport
from fmd_core.models.intake import intake
from fmd_core.models.shelf import Shelved, keep_model, shelved_models
from tests.app.test_pages import lead

HOME = ("Husband", "Wife", "Single", "Single")
TABLE = "id,age,sex,role,income\n" + "".join(
    f"P{i},{20 + i % 50},{'MF'[i % 2]},{HOME[i % 4]},{('low', 'high')[i % 3 == 0]}\n" for i in range(600)
)
GIVEAWAY = Giveaway("sex", "role", 0.5, {"Husband": "M", "Wife": "F"})
REFUSED = {
    "<!DOCTYPE html><html><body>Log in</body></html>": "'bad.csv' is a web page (HTML), not a table: "
    "the download failed. Download the file again.",
    "": "'bad.csv' is empty. Choose a table saved as CSV (comma, semicolon, tab or space), Excel (.xlsx), ARFF, "
    "JSON or Parquet.",
}


def data_page(open_page, family="table"):
    return open_page("data").segmented_control(key="family").set_value(family).run()


def upload(test, name, text):
    test.file_uploader(key="table_file").upload(name, text.encode(), "text/csv").run()
    return test


def end_of(start: str):
    """The latest job of a kind, at its end."""
    job = next(job for job in REGISTRY.recent() if job.key.startswith(start))
    assert job.wait(60)
    return job


@pytest.mark.parametrize("family", ["celeba", "colored_mnist", "adult", "table", "pictures", "demos"])
def test_every_kind_of_data_has_a_form(open_page, family):
    test = data_page(open_page, family)
    assert not test.exception
    assert len(test.title) == 1


@pytest.mark.parametrize("text", REFUSED, ids=["web page", "empty"])
def test_a_file_that_is_no_table_is_refused_in_a_sentence(open_page, text):
    test = upload(data_page(open_page), "bad.csv", text)
    assert [error.value for error in test.error] == [components.plain(REFUSED[text])]
    assert not test.exception
    assert not upload(test, "good.csv", TABLE).error  # and the page goes on


def test_own_table_from_upload_to_model_page(open_page):
    test = upload(data_page(open_page), "staff.csv", TABLE)
    assert "600 rows, 5 columns" in test.caption[0].value
    test.button(key="import").click().run()
    job = end_of("import ")
    test.run()
    assert job.state == "finished"
    assert [s.value for s in test.subheader] == ["Other data, or your own", "What came in from staff"]
    assert any("Drawn by chance" in text.value for text in test.markdown)
    cure = next(radio for radio in test.radio if "role tells sex" in radio.label)
    assert cure.value is None  # nothing that moves a verdict is chosen for the reviewer
    alike = next(radio for radio in test.radio if "stand outside the test word for word" in radio.label)
    assert alike.value is None
    alike.set_value("keep")
    assert test.button(key="imported").disabled
    cure.set_value("change along").run()
    test.button(key="imported").click().run()
    assert [t.value for t in test.title] == ["No model is chosen yet."]
    data = test.session_state["review"].data
    assert job.result.id not in data  # a new import, so that nobody reads another under the old name
    assert load_dataset(data).source.changes["sex"].also
    assert not list(uploads._uploads().iterdir())
    imports.delete_import(data.rpartition("=")[2])


def kept_table(tmp_path, text, *, leave_out=(), seed=0):
    """A table as an import; returns its reference."""
    (tmp_path / "t.csv").write_text(text)
    folder = imports.begin_import(tmp_path / "t.csv", None)
    answers = TableImport("income", {"sex": "values"}, leave_out=leave_out, seed=seed)
    return reference("import", id=imports.finish_import(folder, "pay", answers))


def trained_on(data):
    found = load_dataset(data)
    return keep_model(
        found, replace(train_classifier(found, architecture="mlp", epochs=1), name=f"of {data}")
    )


PAY = "a,b,sex,income\n" + "".join(
    f"{i % 7}.5,{i % 11}.5,{'MF'[i % 2]},{('low', 'high')[i % 3 == 0]}\n" for i in range(300)
)


def test_only_a_model_that_was_trained_on_the_data_is_put_under_review(tmp_path, open_page):
    first = kept_table(tmp_path, PAY)
    model = trained_on(first)
    assert data_forms.latest_review(first) == Review(first, model)
    again = kept_table(tmp_path, PAY)
    assert data_forms.latest_review(again) == Review(again, model)  # the same data, and split in the same way
    split_anew = kept_table(tmp_path, PAY, seed=1)
    assert data_forms.latest_review(split_anew) == Review(split_anew, NO_MODEL)
    corrected = kept_table(tmp_path, PAY.replace("0.5,0.5,M", "1.5,0.5,M", 1))
    assert data_forms.latest_review(corrected) == Review(corrected, NO_MODEL)
    test = open_page("model")
    test.session_state["review"] = Review(first, model)
    assert not any("may have taught" in caption.value for caption in test.run().caption)
    test.session_state["review"] = Review(corrected, NO_MODEL)
    (told,) = [caption.value for caption in test.run().caption if "may have taught" in caption.value]
    assert components.plain(f"of {first}") in told
    offered = test.selectbox(key=f"model_of_{corrected}_{NO_MODEL}")
    assert offered.value is None
    offered.set_value(model).run()
    assert test.session_state["review"] == Review(corrected, model)
    assert any("may have taught the model" in caption.value for caption in test.caption)


def test_as_many_other_columns_are_another_task(tmp_path):
    without_a, without_b = (kept_table(tmp_path, PAY, leave_out=(left,)) for left in "ab")
    model = trained_on(without_a)
    assert data_forms.latest_review(without_a).model == model
    assert data_forms.latest_review(without_b).model == NO_MODEL
    assert not shelved_models(load_dataset(without_b))


def test_which_models_may_know_the_held_out_samples_is_a_sentence():
    data = load_dataset("colored_digits")
    own, other, unknown = (
        Shelved(letter * 32, letter.upper(), "small_cnn", trained)
        for letter, trained in (("a", data.fingerprint), ("b", "b" * 64), ("c", ""))
    )
    assert models.caution(data, [own]) == models.caution(data, []) == ""
    assert models.caution(data, [own, other, unknown]) == (
        "Not known to have been trained on exactly this data, so that samples held out here may have taught the "
        "model: 'B', 'C'."
    )


def test_deleting_what_is_under_review_goes_back_to_the_demo(open_page, tmp_path):
    path = tmp_path / "staff.csv"
    path.write_text(TABLE)
    folder = imports.begin_import(path, None)
    kept = imports.finish_import(folder, "staff", TableImport("income", {"sex": "values"}))
    test = data_page(open_page)
    test.session_state["review"] = Review(f"import?id={kept}", NO_MODEL)
    test.selectbox(key="kept_table").set_value(kept).run()
    test.button(key="delete_table").click().run()
    assert test.session_state["review"] == Review()
    assert kept not in {found.id for found in imports.kept_imports()}


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (["yes"], "says the same in every row"),
        ([f"c{i}" for i in range(25)], "has 25 different values"),
        (["yes", "no"], ""),
    ],
)
def test_a_target_that_cannot_be_one_is_named_before_the_import(tmp_path, values, words):
    path = tmp_path / "t.csv"
    path.write_text(
        "sex,answer\n" + "".join(f"{'MF'[i % 2]},{values[i % len(values)]}\n" for i in range(500))
    )
    sheet = read_table(path)
    rows = import_data.class_rows(sheet.column("answer"))
    classes = {} if rows is None else import_data.class_values(rows)
    told = import_data.missing(sheet, TableImport("answer", {"sex": "values"}, classes))
    assert words in told
    assert bool(words) == bool(told)


def test_an_emptied_class_is_left_out_and_one_alone_is_not_enough(tmp_path):
    rows = pd.DataFrame({"Value": ["a", "b", "c"], "Rows": [1, 1, 1], "Answer": ["x", None, " "]})
    assert import_data.class_values(rows) == {"a": "x"}
    path = tmp_path / "t.csv"
    path.write_text("sex,answer\nM,a\nF,b\nF,a\nM,b\n")
    answers = TableImport("answer", {"sex": "values"}, {"a": "x"})
    assert import_data.missing(read_table(path), answers) == "Keep at least two different answers."


def test_split_words_become_parts():
    rows = pd.DataFrame({"Value": ["tr", "te", "old"], "Part": ["train", "test", import_data.NO_SPLIT]})
    assert import_data.split_values(rows) == {"tr": "train", "te": "test"}


def test_a_protected_column_is_never_offered_to_be_left_out():
    twice = replace(GIVEAWAY, column="gender", levels={"f": "F", "m": "M"}, coverage=1.0, is_protected=True)
    band = replace(twice, attribute="age", column="band", levels={"18 to 24": "under 30"})
    hint = replace(band, coverage=0.5)
    assert [list(import_data.cures(found)) for found in (twice, band, hint)] == [
        ["change along", "keep"], ["change along", "keep"], ["keep"],
    ]  # fmt: skip
    assert import_data.cures(band)["change along"] == "A twin changes both: age, and band with it"
    assert "look at the groups" in import_data.cures(hint)["keep"]
    answers = TableImport("income", {"age": "ages", "band": "values"})
    cured = import_data.cured(answers, (band,), {("age", "band"): "change along"})
    assert (cured.leave_out, cured.also_change) == ((), {"age": {"band": {}}})


@pytest.mark.parametrize(
    ("cure", "leave_out", "also"),
    [
        ("keep", ("id",), {}),
        ("leave out", ("id", "role"), {}),
        ("change along", ("id",), {"sex": {"role": {"Husband": "Wife", "Wife": "Husband"}}}),
    ],
)
def test_what_is_done_about_a_giveaway(cure, leave_out, also):
    answers = TableImport("income", {"sex": "values"}, leave_out=("id",))
    cured = import_data.cured(answers, (GIVEAWAY,), {("sex", "role"): cure})
    assert (cured.leave_out, cured.also_change) == (leave_out, also)


def test_only_two_sides_can_change_along():
    one_side = replace(GIVEAWAY, levels={"Husband": "M"})
    assert list(import_data.cures(GIVEAWAY)) == ["change along", "leave out", "keep"]
    assert list(import_data.cures(one_side)) == ["leave out", "keep"]


def test_imports_of_one_name_can_be_told_apart():
    kept = tuple(imports.Kept(str(i), "staff", "table") for i in range(3))
    assert len(set(import_data.kept_names(kept, "table").values())) == 3
    assert import_data.kept_names(kept, "images") == {}


def test_a_model_trained_on_from_another_is_prepared_in_its_own_right(monkeypatch):
    asked = []
    monkeypatch.setattr(preparation, "_have_done", lambda key, *_, **__: asked.append(key))
    monkeypatch.setattr(cache, "is_warm", lambda _review: False)
    for beside in ("", "a" * 32):
        preparation.require(Review("synthetic_faces", beside=beside))
    assert len(set(asked)) == 2


def test_the_model_page_says_what_is_open_and_how_often_it_is_right(open_page):
    cache.warm(Review())
    test = open_page("model")
    told = dict(test.table[0].value.itertuples(index=False, name=None))
    assert told["Network"] == "Small network (3 layers), 89,834 numbers learned"
    assert told["Last layer"] == "from 64 features to 10 answers"
    assert (
        told["Accuracy"]
        == "Right for 37.3 % of 450 held-out digits; always answering “1” would be right for 10.2 %."
    )
    assert "Overall 33.0 to 41.9 %; " in lead(test)  # how sure that is, right below the head
    assert told["Fingerprint"] == cache.classifier(Review()).fingerprint[:16]


def test_a_double_start_trains_once_and_the_address_finds_it(open_page):
    test = open_page("model")
    test.number_input(key="epochs_colored_digits").set_value(100).run()
    test.button(key="train").click().run()
    test.button(key="train").click().run()
    jobs = [job for job in REGISTRY.recent() if job.key.startswith("train colored_digits") and job.live]
    assert len(jobs) == 1
    other = open_page("start")
    other.query_params["job"] = jobs[0].id
    other.switch_page("app_pages/model.py").run()
    REGISTRY.cancel(jobs[0].id)
    assert jobs[0].wait(30)
    assert jobs[0].state == "stopped"
    assert other.session_state["job_model_colored_digits"] == jobs[0].id


def test_refused_weights_are_a_sentence_and_code_for_their_owner(open_page):
    test = open_page("model")
    test.segmented_control(key="model_way").set_value("open").run()
    test.file_uploader(key="weights").upload("net.pt", b"\x80\x04\x95torch", "application/x").run()
    assert [error.value[:7] for error in test.error] == ["This is"]
    assert test.code[0].value == intake.CONVERTERS["model"]
    assert "open_weights" not in {button.key for button in test.button}
    scikit = b"\x80\x04\x95\x16\x00\x00\x00\x00\x00\x00\x00\x8c\x10sklearn.pipeline\x94\x8c\x08Pipeline"
    test.file_uploader(key="weights").upload("our model (1).pkl", scikit, "application/x").run()
    assert "skops" in test.error[0].value
    assert 'joblib.load("our model _1_.pkl")' in test.code[0].value
    for name in ("a.onnx.gz", "b.keras", "c.tflite", "d"):  # no suffix is turned away without words
        test.file_uploader(key="weights").upload(name, b"\x1f\x8b\x08", "application/x").run()
        assert "unpack it first" in test.error[0].value
    assert not list(uploads._uploads().iterdir())


def test_our_own_weights_open_with_a_passport(open_page):
    test = open_page("model")
    test.segmented_control(key="model_way").set_value("open").run()
    weights = Path("sample_data/colored_digits/model.safetensors").read_bytes()
    test.file_uploader(key="weights").upload("ours.safetensors", weights, "application/x").run()
    test.button(key="open_weights").click().run()
    made = end_of("open ").result
    assert isinstance(made, models.Made)
    test.run()
    assert [t.value for t in test.title] == ["ours.safetensors"]
    rows = {row[""]: row["Passport"] for row in models.passport_rows(made.passport)}
    assert rows["Scores of harmful samples"].startswith("as good as")
    assert rows["Layers"].endswith("the last from 64 features to 10 answers")
    foreign = replace(made.passport, is_ours=False)
    told = {row[""]: row["Passport"] for row in models.passport_rows(foreign)}
    assert told["Scores of harmful samples"].startswith("approximations")


def test_a_job_in_the_address_opens_the_data_whose_model_it_makes_and_no_other_job_does(monkeypatch):
    opened = []
    monkeypatch.setattr(model_forms.state, "jobs", lambda: ())
    monkeypatch.setattr(model_forms.state, "open_review", opened.append)
    monkeypatch.setattr(model_forms.state, "show_job", lambda *_: None)
    for about in (models.ModelFor("synthetic_faces"), import_data.Incoming("a.csv"), None):
        job = REGISTRY.start(
            f"train synthetic_faces {about}", "Training for a.csv", lambda _: None, about=about
        )
        monkeypatch.setattr(model_forms.st, "query_params", {"job": job.id})
        model_forms.adopt_named_job()
        assert job.wait(20)
    assert [review.data for review in opened] == ["synthetic_faces"]
