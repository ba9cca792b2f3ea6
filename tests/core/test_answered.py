"""Another system's answers in a table: codes of the classes, no input of any model, refused in one sentence."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from fmd_core.datasets.own.sniffing import read_table
from fmd_core.datasets.own.table import TableImport, open_table
from fmd_core.errors import DataError
from fmd_core.study.answering import verdict_of_another_system

N = 200
ASKED = TableImport("repaid", {"sex": "values"}, {"no": "no", "yes": "yes"}, favourable="yes")


def frame():
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "sex": rng.choice(["F", "M"], N),
            "income": rng.normal(40, 9, N).round(1),
            "risk": rng.random(N).round(3),
            "band": rng.choice(["Low", "Medium", "High"], N),
            "said": rng.choice(["no", "yes"], N),
            "repaid": rng.choice(["no", "yes"], N),
        }
    )


@pytest.fixture
def opened(tmp_path):
    def made(table=None, **answers):
        path = tmp_path / "loans.csv"
        (frame() if table is None else table).to_csv(path, index=False)
        return open_table(read_table(path), replace(ASKED, **answers))

    return made


def inputs(dataset):
    return {column.name for column in dataset.source.columns if column.input_names}


def test_the_column_is_what_was_answered_and_no_model_reads_it(opened):
    data = opened(answered="said")
    assert (np.array(data.target.levels)[data.answered] == frame()["said"]).all()
    assert "said" not in inputs(data)
    assert {"income", "band"} <= inputs(data)
    assert "said" in data.not_read
    assert set(np.unique(data.split)) == {
        "train",
        "external",
        "validation",
        "test",
    }  # for a model trained later


def test_the_answers_are_part_of_the_fingerprint(opened):
    data = opened(answered="said")
    assert data.fingerprint != replace(data, answered=None).fingerprint
    assert data.fingerprint != replace(data, answered=1 - data.answered).fingerprint
    assert replace(data, answered=None, persons=data.answered).fingerprint != data.fingerprint


def test_values_stand_for_the_classes_that_were_said(opened):
    data = opened(answered="band", answer_classes={"Low": "yes", "Medium": "no", "High": "no"})
    assert (data.answered == (frame()["band"] == "Low")).all()


@pytest.mark.parametrize("of", ["no", "yes"])
def test_a_score_is_of_the_class_that_was_said(opened, of):
    data = opened(answered="risk", scores_of=of)
    assert ((np.array(data.target.levels)[data.answered] == of) == (frame()["risk"] >= 0.5)).all()


def test_everybody_judges_another_system_unless_the_data_say_who_does(opened):
    assert verdict_of_another_system(opened(answered="said")).accuracy.n == N
    table = frame().assign(part=["train", "test"] * (N // 2))
    data = opened(
        table, answered="said", split_column="part", split_values={"train": "train", "test": "test"}
    )
    assert verdict_of_another_system(data).accuracy.n == N // 2


def test_decisions_without_any_truth_are_compared_by_how_often_they_are_made(opened):
    data = opened(answered="repaid")
    assert (data.answered == data.target.codes).all()
    verdict = verdict_of_another_system(data)
    assert {f.family.value for f in verdict.findings if f.value} == {"selection"}


def test_nothing_is_said_of_what_a_model_reads(opened):
    data = opened(answered="said")
    verdict = verdict_of_another_system(data)
    assert not verdict.not_read
    assert not verdict.model
    assert {one.family.value for one in verdict.not_tested} == {"twins"}
    assert any("Drawn by chance" in note for note in data.notes)
    assert not any("Drawn by chance" in note for note in data.notes_of_people)


def test_imports_of_before_name_no_other_system_and_later_ones_are_kept():
    saved = json.loads(json.dumps(replace(ASKED, answered="risk", scores_of="yes").to_dict()))
    assert TableImport.from_dict(saved) == replace(ASKED, answered="risk", scores_of="yes")
    before = {k: v for k, v in saved.items() if k not in ("answered", "answer_classes", "scores_of")}
    assert TableImport.from_dict(before) == ASKED


@pytest.mark.parametrize(
    ("answers", "sentence"),
    [
        ({"answered": "hats"}, "There is no column 'hats'."),
        ({"answered": "sex"}, "'sex' holds another system's answers, so it cannot be protected, the split,"),
        ({"answered": "band"}, "The predictions 'band' say 'High', which is no class of 'repaid': no, yes."),
        ({"answered": "income", "scores_of": "yes"}, "The scores 'income' must be probabilities from 0 to 1 of 'yes'"),
        ({"answered": "risk", "scores_of": "perhaps"}, "'repaid' has no class 'perhaps'. It has: no, yes."),
    ],
)  # fmt: skip
def test_what_is_no_answer_is_refused_in_a_sentence(opened, answers, sentence):
    with pytest.raises(DataError) as refused:
        opened(**answers)
    assert str(refused.value).startswith(sentence)


def test_gaps_are_counted_and_refused(opened):
    table = frame()
    table.loc[:2, "said"], table.loc[:3, "risk"] = None, None
    with pytest.raises(DataError, match="The predictions 'said' are empty in 3 rows"):
        opened(table, answered="said")
    with pytest.raises(DataError, match="in every row; 4 rows have no number"):
        opened(table, answered="risk", scores_of="yes")


def test_codes_beyond_the_classes_are_refused(opened):
    data = opened(answered="said")
    with pytest.raises(DataError, match="codes from 0 to 2"):
        replace(data, answered=np.arange(N) % 3)
    with pytest.raises(DataError, match="came without another system's answers"):
        verdict_of_another_system(replace(data, answered=None))


def test_how_many_people_a_row_stands_for_is_no_input_of_a_model(opened):
    data = opened(frame().assign(people=np.arange(N) % 7 + 1.0), weights="people")
    assert data.weights[:3].tolist() == [1.0, 2.0, 3.0]
    assert "income" in inputs(data)
    assert "people" not in inputs(data)
    assert "people" in data.not_read
