"""docs/text.md: made of its rows alone, aims said as they are, kept as it is measured, and the default as measured."""

import json
from dataclasses import asdict

import numpy as np
import pytest

from fmd_core.errors import DataError
from fmd_core.home import REPOSITORY
from fmd_core.method import default_strategy
from fmd_core.reproduction import text_cases, text_study
from fmd_core.reproduction.text_cases import TextCase, text_data
from fmd_core.reproduction.text_page import ALIKE, ahead, page, preferred, write_texts
from fmd_core.reproduction.text_study import TextRow, study_texts

DEMO = TextCase(text_cases.DEMO, "group")


def rows(after, *, accuracy=0.8):
    return [
        TextRow("Words", seed, treatment, right, bias, 0.05, 0.2, 1.0, 100, 80, (("a", low), ("b", 0.5)))
        for seed in range(3)
        for treatment, right, bias, low in (("original", 0.7, 0.3, 0.1), ("retained", accuracy, after, 0.45))
    ]


def forms(study, twins, costs):
    """A row of both forms for each seed; `costs` are what the retained form is worse by, in bias."""
    return [
        TextRow(study, seed, form, 0.8, bias, None, 0.0, 0.0, 100, 80, twins=twins)
        for seed, cost in enumerate(costs)
        for form, bias in (("original", 0.3), ("iterated", 0.1), ("retained", 0.1 + cost))
    ]


def test_aims_are_met_or_missed_by_their_figures():
    met, missed = page(rows(0.04), "d", "m"), page(rows(0.2, accuracy=0.6), "d", "m")
    assert "- Met: B at most a third of the original's (30.0 to 4.0 points)." in met
    assert "- Met: neutral statements within 10 points (5 points)." in met
    assert "- Missed: B below the original's placebo and 1 point (20.0 and 5.0 points)." in missed
    assert "- Missed: no loss of accuracy (-10.0 points)." in missed


def test_no_aim_is_said_of_few_twins_nor_of_a_bias_that_is_none():
    few = [TextRow(**{**asdict(row), "pairs": 6}) for row in rows(0.04)]
    assert "6 test texts with twins: too few to say" in page(few, "d", "m")
    none = [TextRow(**{**asdict(row), "placebo": 0.29}) for row in rows(0.04)]
    said = page(none, "d", "m")
    assert "there is no bias here that a fix could be judged by" in said
    assert "- Met" not in said


def test_what_is_not_measured_stays_empty_and_no_aim_is_said_of_it(tmp_path):
    bare = [
        TextRow("Digits", 0, t, 0.5, 0.1, None, 0.1, 0.0, 9, 9, twins="generated")
        for t in ("original", "retained")
    ]
    text, numbers = write_texts([*rows(0.04), *bare], tmp_path)
    assert len(json.loads(numbers.read_text())["rows"]) == 8
    after = text.read_text().split("## Digits")[1].split("## Which form")[0]
    assert "mean of 1 seed," in after
    assert "Met" not in after
    assert "| original | 50.0 | 10.0 | 0.0 |  | 10.0 | 0.0 |" in after
    with pytest.raises(DataError, match="Nothing was measured"):
        write_texts([], tmp_path)


def test_a_form_is_better_only_where_every_seed_says_so():
    found = ahead(
        [
            *forms("a", "swapped", (-0.03, -0.02)),
            *forms("b", "swapped", (-0.05, 0.01)),
            *forms("c", "flipped", (0.02, 0.03)),
        ]
    )
    assert found == {"a": pytest.approx(0.025), "b": 0.0, "c": pytest.approx(-0.025)}


def test_the_better_form_is_ahead_somewhere_and_behind_nowhere():
    better, worse = forms("a", "swapped", (-0.03, -0.02)), forms("b", "swapped", (0.03, 0.02))
    assert preferred(better) == {"swapped": "retained"}
    assert preferred(worse) == {"swapped": "iterated"}
    assert preferred([*better, *worse]) == {"swapped": ALIKE}


def test_the_default_is_what_the_published_rows_say():
    published = json.loads((REPOSITORY / "docs" / "text.json").read_text())["rows"]
    for twins, form in preferred([text_study._row(row) for row in published]).items():
        assert form in (ALIKE, default_strategy(twins)), twins


def test_what_was_measured_is_kept_and_not_measured_again(monkeypatch, tmp_path):
    monkeypatch.setenv("FMD_HOME", str(tmp_path))
    monkeypatch.setattr(text_study, "TEXT_CASES", (DEMO,))
    monkeypatch.setattr(text_study, "ELSEWHERE", ())
    measured = []

    def measure(_case, seed, _read):
        measured.append(seed)
        if seed == 1 and len(measured) == 2:
            raise KeyboardInterrupt
        return "data", rows(0.04)[:1]

    monkeypatch.setattr(text_study, "_of_texts", measure)
    with pytest.raises(KeyboardInterrupt):
        study_texts(seeds=2, say=lambda _: None)
    said = []
    assert study_texts(seeds=2, measures=False, say=said.append) == rows(0.04)[:1]
    assert said == ["Words and groups, seed 1, is not measured yet."]
    assert study_texts(seeds=2, say=said.append) == [*rows(0.04)[:1], *rows(0.04)[:1]]
    assert measured == [0, 1, 1]
    monkeypatch.setattr(text_study, "VERSION", text_study.VERSION + 1)
    study_texts(seeds=1, say=said.append)
    assert measured == [0, 1, 1, 0]


def test_an_unknown_study_is_named():
    with pytest.raises(DataError, match=r"no study of texts 'tweet'.*Tweets by gender"):
        study_texts(["tweet"])


@pytest.fixture
def tweets_are_here(tmp_path, monkeypatch):
    """A folder as the public tweets lie, 300 of them; every fifth names somebody."""
    folder = tmp_path / "text" / "davidson"
    folder.mkdir(parents=True)
    said = [f"{'gay people' if i % 5 == 0 else 'trains'} number {i} again" for i in range(300)]
    lines = ["tweet,class", *(f"{text},{1 + i % 2}" for i, text in enumerate(said))]
    (folder / "labeled_data.csv").write_text("\n".join(lines))
    monkeypatch.setenv("FMD_DATA_DIR", str(tmp_path))


@pytest.mark.usefixtures("tweets_are_here")
def test_identity_is_asked_with_sentences_that_taught_nothing(monkeypatch):
    monkeypatch.setattr(text_cases, "MOST_TEXTS", 120)
    data = text_data(TextCase("Tweets", "identity"), 0)
    sentences = data.source.case.codes > 0
    assert (~sentences).sum() == 120
    named = [bool(text_cases.shipped_terms("groups").found(text)) for text in data.source.texts[:120]]
    assert sum(named) == 60  # all there are, although they are a fifth
    assert not (sentences & (data.split == "train")).any()
    for template in np.unique(data.persons[sentences]):
        assert len(np.unique(data.split[data.persons == template])) == 1
    row = int(np.flatnonzero(sentences)[0])
    twins = data.source.showable(np.array([row]), "identity")[0]
    assert twins[:7].all()
    assert not twins[7]
    assert (data.split != text_data(TextCase("Tweets", "identity"), 1).split).any()


@pytest.mark.slow
def test_the_study_runs_on_what_ships(monkeypatch, tmp_path):
    monkeypatch.setenv("FMD_HOME", str(tmp_path))
    monkeypatch.setenv("FMD_DATA_DIR", str(tmp_path))
    found = study_texts(["Words and groups", "digits", "Tweets by gender"], seeds=1, say=lambda _: None)
    assert {row.study for row in found} == {"Words and groups", "Coloured digits by colour"}
    assert {row.treatment for row in found if row.study == "Words and groups"} == {
        "original", *text_study.STRATEGIES, text_study.CDA, text_study.THRESHOLDS,
    }  # fmt: skip
    write_texts(found, tmp_path)
