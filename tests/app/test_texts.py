"""The text demo through every page, and what a page shows of texts."""

import numpy as np
import pytest

from app.view_models import text_twins, texts
from app.widgets import gallery, marked_text, portraits
from fmd_core import Study, load_dataset, load_demo_classifier
from fmd_core.datasets.texts.terms import shipped_terms
from tests.app.test_permalink import visit


@pytest.fixture(scope="module")
def seen():
    data, model = load_dataset("hate_texts"), load_demo_classifier("hate_texts")
    return data, model.head, Study(data, model).features("test")


def test_one_sentence_stands_for_every_group_with_the_group_marked(seen):
    found = texts.same_sentence(*seen, "group")
    assert found.answer == "toxic"
    assert len(found.rows) == 7
    shares = [share for *_, share in found.rows]
    assert shares == sorted(shares, reverse=True)
    assert shares[0] - shares[-1] > 0.5
    said = {text[slice(*spans[0])] for text, spans, _ in found.rows}
    assert any("gay" in words for words in said)
    assert len(said) == 7


def test_the_case_map_begins_with_neutral_statements_and_counts_only_templates(seen):
    found = texts.case_map(*seen, "group")
    assert found.cases[0] == "neutral statement"
    assert found.groups[0] == "gay people"
    assert "none of them" not in found.groups
    assert found.values.shape == (len(found.cases), 7)
    assert np.isfinite(found.values).all()
    assert "neutral statement is toxic" in found.headline


def test_marked_text_is_no_markup_and_hides_from_all_readers():
    html = marked_text.marked("<b>she</b> & he\u202e", [(3, 6)])
    assert "<b>" not in html
    assert "<mark>she</mark>" in html
    assert "\u202e" not in html
    assert 'aria-hidden="true"' in marked_text.marked("x", [], blurred=True)
    assert "<script>" not in marked_text.weighed([("<script>", 1.0)], "<i>")
    assert "94 %" in marked_text.answers([("a", [], 0.94)], "toxic")


def test_a_preview_shows_twins_and_counts_who_has_none():
    found = text_twins.preview(["He came.", "It rains.", "Her hat"], shipped_terms("gender"))
    assert [twin.text if hasattr(twin, "text") else twin[0] for _, twin in found.pairs] == [
        "She came.",
        "His hat",
    ]
    assert found.summary.startswith("2 of 3 texts")
    assert "left alone" not in found.summary
    told = text_twins.preview(["A black hole.", "A black man."], shipped_terms("groups")).summary
    assert told.startswith("1 of 2 texts")
    assert "1 word in fixed phrases or names" in told


def test_every_page_works_with_texts(monkeypatch):
    drawn = []
    monkeypatch.setattr(gallery, "show", lambda tiles, **_: drawn.extend(tiles))
    test = visit("find_bias", data="hate_texts")
    assert not test.exception
    assert any("sentences about gay people" in title.value for title in test.title)
    assert any("By kind of sentence" in header.value for header in test.subheader)
    for page in ("twins", "harmful", "unlearn", "compare", "report", "model"):
        test = test.switch_page(f"app_pages/{page}.py").run()
        assert not test.exception, page
        assert not test.error, (page, [e.value for e in test.error])
    pictures = [picture for tile in drawn for picture in tile.pictures]
    assert any(picture.marks for picture in pictures)
    assert all(picture.blurred for picture in pictures if picture.text)
    test = test.switch_page("app_pages/twins.py").run()
    drawn.clear()
    test.toggle(key=portraits.SHOWN).set_value(True).run()
    assert not any(picture.blurred for tile in drawn for picture in tile.pictures)
