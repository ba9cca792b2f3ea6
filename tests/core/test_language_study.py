"""`fmd reproduce --language`: cells that are kept, and tables made of them alone."""

import json

import pytest

from fmd_core import __main__ as command
from fmd_core.errors import DataError
from fmd_core.language import study
from fmd_core.language.unlearning import FORMS
from fmd_core.reproduction import language_page, language_study
from tests import language_models as tiny


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A model, the folder of its results, and what was said on the way."""
    place = tmp_path_factory.mktemp("language")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FMD_HOME", str(place / "home"))
        patch.setenv("FMD_DATA_DIR", str(tiny.data_folder(place / "data")))
        patch.setattr(study, "prose_lines", lambda: ["the nurse was kind .", "they is loud ."])
        tiny.trained_quickly(patch)
        model, said = str(tiny.folder(place / "model")), []
        first = language_study.study_language(model, said.append)
        assert command.main(["reproduce", "--language", model, "--folder", str(place / "out")]) == 0
        yield model, place, first, said, patch


def test_every_change_is_judged_on_every_set(made):
    _, _, told, said, _ = made
    assert list(told["scores"]) == list(language_study.SETS)
    assert list(told["changes"]) == list(FORMS)
    done = [form for form, one in told["changes"].items() if not one["why_not"]]
    assert {"published", "rows", "block", "low-rank"} == set(done)
    assert set(told["tried"]) == {f"{form}.{name}" for form in done for name in told["scores"]}
    assert len(said) == len(told["scores"]) + len(done) + len(told["tried"])
    assert told["scores"]["stereoset"]["terms"] == [4, 4]
    assert told["scores"]["crows-pairs"]["terms"] == [4, len(tiny.NOUNS)]
    assert told["scores"]["stereoset-next"]["judging"]["types"][0]["examples"] == 20


def test_what_is_kept_is_not_measured_again_and_what_is_lost_is(made):
    model, place, first, _, patch = made
    said = []
    again = language_study.study_language(model, said.append)
    assert said == []
    assert {**again, "date": ""} == {**first, "date": ""}
    next((place / "home/language").rglob("tried.block.stereoset.*.json")).write_text("half")
    without = language_study.study_language(model, said.append, measure=False)
    assert "block.stereoset" not in without["tried"]
    assert said.pop() == "the last block, trained on stereoset was skipped: it is not measured yet."
    with patch.context() as inner:
        inner.setattr("fmd_core.reproduction.language_study.LanguageStudy.change", None)  # it is kept
        back = language_study.study_language(model, said.append)
    assert len(said) == 1
    assert back["tried"]["block.stereoset"]["moved"] == first["tried"]["block.stereoset"]["moved"]


def test_a_cell_or_a_change_that_is_not_as_it_was_is_made_again(made):
    model, place, first, _, patch = made
    file = next((place / "home/language").rglob("scores.crows-pairs.*.json"))
    whole = file.read_text()
    figure = json.dumps(first["scores"]["crows-pairs"]["all"]["perplexity"])
    assert figure in whole
    file.write_text(whole.replace(figure, "1.0"))
    said = []
    again = language_study.study_language(model, said.append)
    assert said == ["crows-pairs: read and scored"]
    assert again["scores"]["crows-pairs"]["all"] == first["scores"]["crows-pairs"]["all"]
    change = next((place / "home/language").rglob("change.rows.*.safetensors"))
    content = bytearray(change.read_bytes())
    content[-4:] = bytes(4)
    change.write_bytes(bytes(content))
    with patch.context() as inner:
        inner.setattr("fmd_core.reproduction.language_study.LanguageStudy.tried", None)  # they are kept
        language_study.study_language(model, said.append)
    assert said[1:] == ["rows of the last layer, solved: chosen by the deciding terms"]


@pytest.mark.parametrize("other", ["words", "sentences", "recipe", "prose"])
def test_other_words_sentences_or_steps_have_cells_of_their_own(made, tmp_path, other):
    """With the same weights: what they came to would else be told of these."""
    patch = made[-1]
    model = tiny.folder(tmp_path / "model")
    with patch.context() as inner:
        if other == "words":
            file = model / "tokenizer.json"
            file.write_text(
                file.read_text().replace('"kind": 8', '"Kind": 8').replace('"kind":8', '"Kind":8')
            )
        elif other == "sentences":
            inner.setenv("FMD_DATA_DIR", str(tiny.data_folder(tmp_path / "data")))
            crows = tmp_path / "data/text/crows_pairs/crows_pairs_anonymized.csv"
            crows.write_text(crows.read_text().replace("was rude", "was loud"))
        elif other == "recipe":
            inner.setattr(study, "VERSION", study.VERSION + 1)
        else:
            inner.setattr(study, "prose_lines", lambda: ["the monk was calm ."])
        found = language_study.study_language(str(model), measure=False)
    kept = set(found["scores"])
    assert kept == ({"stereoset", "stereoset-next"} if other == "sentences" else set())
    assert set(
        language_study.study_language(str(tiny.folder(tmp_path / "same")), measure=False)["scores"]
    ) == set(language_study.SETS)


def test_the_tables_take_their_place_in_the_page_and_leave_its_words(made, tmp_path):
    _, place, told, _, _ = made
    page, numbers = place / "out" / language_page.MARKDOWN, place / "out" / language_page.JSON
    assert json.loads(numbers.read_text())["tried"].keys() == told["tried"].keys()
    text = page.read_text()
    assert text.count("| before |") == 3
    assert "all 40 examples" in text
    assert "−" in text or "+" in text
    own = tmp_path / language_page.MARKDOWN
    own.write_text(f"Ours above\n{language_page.BEGINS}\nold\n{language_page.ENDS}\nours below\n")
    language_page.write_language(told, tmp_path)
    assert own.read_text().startswith("Ours above\n")
    assert own.read_text().endswith("ours below\n")
    assert "old" not in own.read_text()
    own.write_text("no place")
    with pytest.raises(DataError, match="no place for the tables"):
        language_page.write_language(told, tmp_path)
    assert own.read_text() == "no place"
