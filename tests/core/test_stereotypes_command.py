"""`fmd stereotypes`: one document for programs, sentences for people, one sentence for what cannot be."""

import json

import pytest

from fmd_core import __main__ as command
from fmd_core.language import study
from tests import language_models as tiny


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.setenv("FMD_DATA_DIR", str(tiny.data_folder(tmp_path / "data")))
    monkeypatch.setattr(study, "prose_lines", lambda: ["the nurse was kind .", "they is loud ."])
    return tiny.folder(tmp_path / "model")


def test_the_document_has_every_figure_and_the_sentences_none_too_many(place, capsys):
    assert (
        command.main(["stereotypes", str(place), "--debias", "--forms", "published", "rows", "--json", "-"])
        == 0
    )
    said = capsys.readouterr()
    told = json.loads(said.out)
    assert (told["schema"], told["set"], told["examples"]) == ("fmd-stereotypes-1", "stereoset", 40)
    assert [one["bias_type"] for one in told["types"]] == ["all", "place", "work"]
    assert set(told["types"][0]) == {"bias_type", "examples", "terms", "lms", "ss", "icat", "difference"}
    assert told["types"][0]["ss"]["low"] <= told["types"][0]["ss"]["value"] <= told["types"][0]["ss"]["high"]
    assert told["types"][1]["icat"]["low"] is None  # four terms
    assert told["perplexity"] > 1
    assert {one["form"] for one in told["debias"]["tried"]} == {"published", "rows"}
    assert told["at_best_temperature"]["temperature"] > 0
    assert "Experimental: changed by 4 target terms, judged on 4 others." in said.err
    assert "not a promise" in said.err


def test_fewer_pairs_of_crows_have_no_icat(place, capsys):
    assert (
        command.main(
            ["stereotypes", str(place), "--set", "crows-pairs", "--most", "40", "--debias", "--forms", "rows"]
        )
        == 0
    )
    said = capsys.readouterr().out
    assert "–" in said
    assert "judged on 8 others (pairs of sentences)" in said


def test_what_cannot_be_scored_is_one_sentence(place, capsys, monkeypatch, tmp_path):
    assert command.main(["stereotypes", str(tmp_path / "nowhere")]) == 3
    assert capsys.readouterr().err.count("\n") == 1
    monkeypatch.setenv("FMD_DATA_DIR", str(tmp_path / "empty"))
    assert command.main(["stereotypes", str(place)]) == 3
    assert "FMD_DATA_DIR" in capsys.readouterr().err
