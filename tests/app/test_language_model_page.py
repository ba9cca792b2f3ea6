"""The page for language models: chosen, scored as a job, changed, and sentences covered until asked for."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from app.jobs.registry import REGISTRY
from app.opening import language_job as jobs
from app.view_models.language_asked import Asked, Scored, Weighed
from app.view_models.language_model import DEPTHS
from fmd_core.errors import ModelError
from fmd_core.intervals import Estimate
from fmd_core.language import study
from fmd_core.language.harmful import Influence
from fmd_core.language.judging import Scores
from fmd_core.language.scores import BiasScore
from tests import language_models as tiny

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def models(tmp_path, monkeypatch, fresh_caches):  # noqa: ARG001
    data = tiny.data_folder(tmp_path / "data")
    tiny.folder(data / "models/tiny")
    tiny.folder(data / "models/evil", auto_map={"AutoModelForCausalLM": "evil.Evil"})
    monkeypatch.setenv("FMD_DATA_DIR", str(data))
    monkeypatch.setattr(study, "prose_lines", lambda: ["the nurse was kind .", "they is loud ."])
    tiny.trained_quickly(monkeypatch)
    return data / "models"


def pressed(test, key):
    """A button's job, waited for."""
    test.button(key=key).click().run()
    for job in REGISTRY.recent():
        job.wait(60)
    return test.run()


def words(test):
    return " ".join(
        [
            *(e.value for e in test.title),
            *(e.value for e in test.caption),
            *(e.value for e in test.markdown),
            *(e.value for e in test.warning),
            *(e.value for e in test.error),
            *(e.value for e in test.info),
        ]
    )


def test_a_model_is_scored_changed_and_its_corpus_weighed(models, open_page):
    test = open_page("language_model")
    assert not test.exception
    assert "Does this language model prefer stereotypes?" in words(test)
    test.selectbox(key="language_model").set_value(str(models / "tiny")).run()
    test = pressed(test, "language_score")
    assert not test.exception
    assert "stereotype" in test.title[0].value
    assert "Perplexity" in test.table[0].value.columns
    test = pressed(test, "language_change_begin")
    assert not test.exception
    assert "judged on 4 others" in words(test)
    assert len(test.table) == 2
    assert all("Perplexity" in one.value.columns for one in test.table)
    assert len(test.table[1].value) == 5  # before, and four depths
    refused = (test.table[1].value["By the rules"] == "Refused").sum()
    assert refused == sum(one.value.count(depth) for one in test.warning for depth in DEPTHS.values())
    test.multiselect(key="language_depths").set_value([]).run()
    assert test.button(key="language_change_begin").disabled
    test.multiselect(key="language_depths").set_value(["block"]).run()
    test = pressed(test, "language_change_begin")
    assert test.table[1].value[""].tolist() == ["Before", "Last block, trained"]
    test.file_uploader(key="language_corpus").upload(
        "c.txt", b"the nurse was kind .\nthe monk was loud .\n", "text/plain"
    ).run()
    test = pressed(test, "language_weigh")
    assert not test.exception
    covered = words(test)
    assert "xxx" in covered
    assert "the monk was loud" not in covered
    test.toggle(key="language_show").set_value(True).run()
    assert "was" in words(test).split("Order and sign")[1]
    test.selectbox(key="language_model").set_value(str(models / "evil")).run()
    test = pressed(test, "language_score")
    assert "auto" in words(test)
    assert not test.exception


def test_another_model_in_the_same_place_is_read_anew(models, monkeypatch):
    read = []
    monkeypatch.setattr(jobs.study.LanguageStudy, "read", lambda model, *_: read.append(model) or model)
    monkeypatch.setattr(jobs.access, "require_change", lambda: None)

    def asked():
        place = str(models / "tiny")
        return Asked(place, "tiny", "stereoset", 300, jobs.content_of(place, None))

    first = asked()
    assert [jobs._study(asked(), lambda: "one", None) for _ in range(2)] == ["one", "one"]
    assert read == ["one"]
    every = jobs.read_examples("stereoset")
    with monkeypatch.context() as other_sentences:
        other_sentences.setattr(jobs, "read_examples", lambda _name: every[1:])
        assert jobs._study(asked(), lambda: "of others", None) == "of others"
    one, other = (jobs.content_of("model.zip", SimpleNamespace(file_id=name)) for name in "ab")
    assert len({one, other, jobs.content_of("model.zip", None)}) == 3  # zips of one name
    tiny.folder(models / "tiny", "gpt2")
    assert jobs._study(asked(), lambda: "two", None) == "two"
    with pytest.raises(ModelError, match="Another model lies there"):
        jobs.weigh(first, None, "the nurse was kind .")


def test_sentences_are_shown_under_the_model_that_they_teach(models, open_page, monkeypatch):  # noqa: ARG001
    asked, one = Asked("x", "tiny", "stereoset", 300), Estimate(50.0, 40.0, 60.0, 8)
    scores = Scores((BiasScore("all", 8, 8, one, one, one, one),), 10.0, one, 1.0, 10.0)
    teach = (Influence("the monk was loud .", 1.0),)
    told = {jobs.SCORED: Scored(asked, "A sentence.", scores, 8, 1.0), jobs.CORPUS: Weighed(asked, teach)}
    monkeypatch.setattr(jobs, "result", told.get)
    test = open_page("language_model")
    assert [toggle.key for toggle in test.toggle] == ["language_show"]
    told[jobs.CORPUS] = Weighed(replace(asked, content="another zip"), teach)
    test = test.run()
    assert not test.toggle
    assert not test.exception


def test_missing_sets_are_one_sentence(tmp_path, monkeypatch, open_page):
    monkeypatch.setenv("FMD_DATA_DIR", str(tmp_path))
    test = open_page("language_model")
    assert not test.exception
    assert "FMD" in test.info[0].value
    assert not any(one.key == "language_score" for one in test.button)


def test_the_page_waits_for_no_torch():
    code = (
        "import sys\nfrom app.opening import language_job\nfrom app.view_models import language_asked\n"
        "assert not {'torch', 'transformers'} & set(sys.modules), sorted(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
