"""Another system's answers in the dashboard: asked on import, judged on Find bias, handed over as `fmd audit` does."""

import json

import numpy as np
import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from app import cache
from app.opening import data_forms
from app.record.criteria import Criteria
from app.record.review import ANOTHER_SYSTEM, NO_MODEL, Review
from app.reporting import audit_files
from app.view_models import import_answered as view
from app.widgets import without_model
from fmd_core import Limits
from fmd_core import __main__ as command
from fmd_core.datasets.own import imports
from fmd_core.datasets.own.sniffing import read_table
from fmd_core.datasets.own.table import TableImport
from tests.app.said import words
from tests.app.test_choosing import data_page, end_of, upload

N = 900
ASKED = TableImport("repaid", {"sex": "values"}, {"no": "no", "yes": "yes"}, favourable="yes")


def loans():
    rng = np.random.default_rng(1)
    sex, repaid = rng.choice(["women", "men"], N), rng.random(N) < 0.5
    sure = np.clip(0.2 + 0.45 * repaid + 0.2 * (sex == "men") + rng.normal(0, 0.12, N), 0, 1)
    return pd.DataFrame(
        {
            "sex": sex,
            "region": rng.choice(["north", "south"], N),
            "income": rng.normal(40, 9, N).round(2),
            "marks": rng.integers(1, 11, N),
            "band": np.where(sure > 0.5, "good", np.where(sure > 0.3, "middle", "bad")),
            "probability": sure.round(3),
            "repaid": np.where(repaid, "yes", "no"),
        }
    )


@pytest.fixture
def kept(tmp_path):
    """The reference of the table as it would be imported."""
    made = []

    def keep(answers, table=None):
        path = tmp_path / "loans.csv"
        (loans() if table is None else table).to_csv(path, index=False)
        made.append(imports.finish_import(imports.begin_import(path, None), "loans", answers))
        return f"import?id={made[-1]}"

    yield keep
    for one in made:
        imports.delete_import(one)


def named(elements, label):
    return next(element for element in elements if element.label == label)


def test_from_the_import_to_find_bias_and_back_from_a_model(open_page):
    test = upload(data_page(open_page), "loans.csv", loans().to_csv(index=False))
    assert named(test.radio, "Who answers?").value == "a model"
    named(test.radio, "Who answers?").set_value("another system").run()
    column = named(test.selectbox, "Its answers stand in")
    assert column.value == "probability"  # the one column that looks like it
    assert not any("looks like what another system" in radio.label for radio in test.radio)
    holds = named(test.radio, "'probability' holds")
    assert holds.value is None  # nothing that moves a verdict is chosen for the reviewer
    assert test.info[-1].value == view.HOLDS
    column.set_value("band").run()
    named(test.multiselect, "“no”").set_value(["bad"]).run()
    named(test.multiselect, "“yes”").set_value(["good", "bad"]).run()
    assert "stands for two answers" in test.info[-1].value
    named(test.multiselect, "“yes”").set_value(["good"]).run()
    assert test.info[-1].value == "Say which answer 'middle' stands for in 'band'."
    assert test.button(key="import").disabled
    named(test.multiselect, "“no”").set_value(["bad", "middle"]).run()
    test.button(key="import").click().run()
    job = end_of("import ")
    test.run()
    assert not any("Drawn by chance" in text.value for text in test.markdown)
    test.button(key="imported").click().run()

    review = test.session_state["review"]
    assert review == Review(f"import?id={job.result.id}", ANOTHER_SYSTEM)
    verdict = cache.verdict(review, None)
    assert [words(title.value) for title in test.title] == [verdict.headline]
    assert verdict.accuracy.n == N
    assert without_model.WHY in test.info[-1].value
    assert "By attribute" not in [header.value for header in test.header]
    assert not [
        box for box in test.selectbox if box.label in ("Attribute under review", "What counts as bias")
    ]
    test.switch_page("app_pages/find_bias.py").run()  # where the browser is already
    test.slider(key="threshold").set_value(30).run()
    wide = cache.verdict(review, None, Criteria(Limits.of_points(0.3)))
    assert [words(title.value) for title in test.title] == [wide.headline]
    address = dict(test.query_params)

    for page in ("twins", "harmful", "unlearn", "feature_unlearning", "compare"):
        test.switch_page(f"app_pages/{page}.py").run()
        assert [title.value for title in test.title] == ["Another system answers here."]
        assert not test.exception
    test.switch_page("app_pages/report.py").run()
    assert [words(title.value) for title in test.title] == [wide.headline]
    test.switch_page("app_pages/start.py").run()
    assert not test.exception

    test.session_state["review"] = Review(review.data, NO_MODEL)  # as if a model were chosen for these people
    test.switch_page("app_pages/model.py").run()
    test.button(key="another_system").click().run()
    assert test.session_state["review"] == review

    second = AppTest.from_file("../../app/main.py", default_timeout=150)
    for name, value in {**address, "improve": "worst group"}.items():
        second.query_params[name] = value
    second.run().switch_page("app_pages/unlearn.py").run()
    assert [title.value for title in second.title] == ["Another system answers here."]
    second.switch_page("app_pages/find_bias.py").run()
    assert not second.warning
    assert [words(title.value) for title in second.title] == [wide.headline]
    imports.delete_import(job.result.id)


@pytest.mark.parametrize("way", ["answers", "scores", "weighted"])
def test_the_figures_are_those_of_the_command(kept, tmp_path, way):
    table, more, asked = loans(), [], {"answered": "probability", "scores_of": "yes"}
    given = ["--scores", "probability"]
    if way != "scores":
        table["said"] = np.where(table["probability"] >= 0.5, "yes", "no")
        asked, given = {"answered": "said", "leave_out": ("probability",)}, ["--predictions", "said"]
    if way == "weighted":
        table["heads"] = 1 + np.arange(N) % 3
        asked, more = asked | {"weights": "heads"}, ["--weights", "heads"]
    review = Review(kept(TableImport(**(vars(ASKED) | asked)), table), ANOTHER_SYSTEM)
    out, path = tmp_path / "out.json", tmp_path / "loans.csv"
    told = ["--target", "repaid", "--protected", "sex", "--favourable", "yes", "--limit", "selection=5"]
    command.main(["audit", str(path), "--json", str(out), *told, *given, *more])
    here = audit_files.files(review, Criteria(Limits(selection=0.05)))
    ours, theirs = json.loads(here.json), json.loads(out.read_text())
    for unlike in ("data", "seconds"):  # the dashboard keeps what a model may read later
        assert ours.pop(unlike) != ""
        assert theirs.pop(unlike) != ""
    assert ours == theirs
    assert len(ours["findings"]) > 3
    assert "Audit of another system&#39;s answers to loans" in here.html
    assert "<script" not in here.html
    assert "points for twins" not in here.html


def test_data_with_answers_are_opened_by_them_and_others_cannot_be(kept):
    data = kept(TableImport(**(vars(ASKED) | {"answered": "probability", "scores_of": "yes"})))
    assert data_forms.latest_review(data) == Review(data, ANOTHER_SYSTEM)
    without = kept(ASKED)
    assert data_forms.latest_review(without) == Review(without, NO_MODEL)
    test = AppTest.from_file("../../app/main.py", default_timeout=150)
    test.query_params["data"], test.query_params["model"] = without, ANOTHER_SYSTEM
    test.run()
    assert test.session_state["review"] == Review(without, NO_MODEL)
    assert "these data came without another system's answers" in test.warning[0].value


def test_numbers_that_are_neither_answers_nor_probabilities_are_refused_before_the_import(tmp_path):
    loans().to_csv(tmp_path / "loans.csv", index=False)
    sheet = read_table(tmp_path / "loans.csv")
    for column in ("marks", "income"):
        asked = TableImport(**(vars(ASKED) | {"answered": column, "scores_of": "yes"}))
        said = view.missing(sheet, asked, "another system", "yes")
        assert said.startswith(
            f"The scores '{column}' must be probabilities from 0 to 1 of 'yes' in every row; they run"
        )
    marks = TableImport(**(vars(ASKED) | {"answered": "marks"}))
    assert list(view.holds(sheet.column("marks"), marks, ("no", "yes"))) == ["", "no", "yes"]
    assert list(view.holds(sheet.column("income"), marks, ("no", "yes"))) == [
        "no",
        "yes",
    ]  # too many for answers
    assert view.values(sheet.column("marks"), marks).options == tuple(map(str, range(1, 11)))
    assert view.missing(sheet, marks, "another system", "") == "Say which answer '1' stands for in 'marks'."
    assert view.missing(sheet, marks, "a model", "") == ""
