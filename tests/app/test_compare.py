"""Any two variants or models side by side."""

from datetime import UTC, datetime

import pytest

from app import cache
from app.cache import opened
from app.opening import model_forms
from app.record.history import History
from app.record.journal import Journal
from app.record.review import BUNDLED, Aim, Review
from app.record.variants import Recipe, Side
from app.session import memory
from app.view_models import compare
from app.view_models.models import shelved_name
from fmd_core.models.shelf import Shelved
from tests.app.test_pages import press, titles

NOW, REVIEW, AIM = datetime(2026, 1, 2, tzinfo=UTC), Review(), Aim(("colour",))


def recipe(strength: float) -> Recipe:
    return Recipe(REVIEW, AIM, "iterated", 0, strength, 1.0, 0.01)


def address(variant):
    return compare.address_of(Side(BUNDLED, variant), BUNDLED)


HISTORY = History().apply(recipe(0.1), NOW).apply(recipe(3.0), NOW)


@pytest.fixture
def page(open_page):
    test = open_page("find_bias")
    test.session_state["journals"] = {(REVIEW.data, REVIEW.model): Journal(HISTORY)}
    return test.switch_page("app_pages/compare.py").run()


def test_without_a_variant_the_page_says_how_to_get_one(open_page, monkeypatch):
    monkeypatch.setattr(model_forms, "shelved_models", lambda _data: ())  # other tests train some
    test = open_page("compare")
    assert titles(test) == "There is nothing to compare yet."
    assert any(b.label == "Make a variant" for b in test.button)


def test_with_other_models_alone_the_page_asks_which(open_page, monkeypatch):
    monkeypatch.setattr(model_forms, "on_this_machine", lambda _review: [("e" * 32, "Other")])
    test = open_page("compare")
    assert titles(test) == "Which one is better?"
    assert test.selectbox(key="compare_second").value is None
    assert not test.metric


def test_the_original_against_what_is_in_force_comes_first(page):
    found = cache.comparison(REVIEW, recipe(3.0), "colour")
    before, after = found.bias.before.value, found.bias.after.value
    assert (
        titles(page)
        .replace("\\", "")
        .startswith(
            f"Variant 2 against the original model. Mixed: the colour bias falls from {100 * before:.1f} to "
            f"{100 * after:.1f} points, and accuracy rises from {100 * found.accuracy.before.value:.1f} % to "
            f"{100 * found.accuracy.after.value:.1f} %; "
        )
    )


def test_two_variants_are_compared_with_each_other(page):
    page.selectbox(key="compare_first").set_value(address(recipe(0.1))).run()
    biases = [cache.audit(REVIEW, recipe(s)).attributes[0].bias.value for s in (0.1, 3.0)]
    assert biases == pytest.approx(
        [
            getattr(cache.side_by_side(REVIEW, *sides("Variant 1", "Variant 2"), "colour").bias, end).value
            for end in ("before", "after")
        ]
    )
    assert titles(page).startswith("Variant 2 against Variant 1. ")
    assert not page.exception


def sides(*names):
    found = compare.sides(BUNDLED, HISTORY, [])
    return [found[name] for name in names]


def test_the_same_twice_is_no_comparison(page):
    page.selectbox(key="compare_first").set_value(address(recipe(3.0))).run()
    assert titles(page) == "Which one is better?"
    assert any("choose two that differ" in html.value for html in page.get("html"))


def test_what_the_guard_refused_is_said_on_the_comparison_whichever_is_in_force(page):
    past = History().apply(recipe(3.0), NOW, "8 is never answered any more").apply(recipe(0.1), NOW)
    page.session_state["journals"] = {(REVIEW.data, REVIEW.model): Journal(past)}
    page.run()
    page.selectbox(key="compare_second").set_value(address(recipe(3.0))).run()
    assert page.warning[0].value.replace("\\", "") == (
        "Variant 1 was applied although the guard refuses it: 8 is never answered any more."
    )
    assert sum("although the guard refuses it" in m.value for m in page.markdown) == 1  # the kept variant
    page.selectbox(key="compare_second").set_value(address(recipe(0.1))).run()
    assert not page.warning


def test_a_variant_is_renamed_put_in_force_and_let_go(page):
    page = page.text_input(key="name_0_Variant 1").set_value("careful").run()
    assert [k.name for k in history(page).kept] == ["careful", "Variant 2"]
    page = page.button(key="force_0").click().run()
    assert history(page).current == recipe(0.1)
    page = page.button(key="let_go_1").click().run()
    assert [k.name for k in history(page).kept] == ["careful"]
    page = press(page, "Undo")
    assert history(page).current == recipe(3.0)
    assert not page.exception


@pytest.mark.parametrize("name", ["Variant 2", "variant 2", "   ", "The original model", "Model: other"])
def test_a_name_that_is_taken_or_none_is_one_sentence(page, name):
    page = page.text_input(key="name_0_Variant 1").set_value(name).run()
    assert [k.name for k in history(page).kept] == ["Variant 1", "Variant 2"]
    assert "it is still called Variant 1" in page.warning[0].value
    assert not page.exception


MARKUP = '<h1 style="color:red">OWNED</h1><a href="http://evil.example">x</a>'


def test_a_name_is_nowhere_read_as_markup(page):
    page = page.text_input(key="name_1_Variant 2").set_value(MARKUP[:60]).run()
    own = " ".join(element.proto.body for element in page.get("html"))
    assert "OWNED" in own
    assert "<h1" not in own
    assert "<a href" not in own
    assert any("OWNED" in html.proto.body for html in page.sidebar.get("html"))


def test_a_name_in_a_list_to_choose_from_is_as_it_was_typed(page):
    page = page.text_input(key="name_0_Variant 1").set_value("**x**").run()
    assert "**x**" in page.selectbox(key="compare_first").options
    assert not page.exception


def history(test):
    return test.session_state["journals"][REVIEW.data, REVIEW.model].history


def test_other_models_for_the_task_are_offered_once():
    found = compare.sides("a" * 32, HISTORY, [(BUNDLED, "demo"), ("a" * 32, "mine"), ("b" * 32, "other")])
    assert list(found) == [
        "The original model", "Variant 1", "Variant 2", "Model: the one that ships with the demo", "Model: other",
    ]  # fmt: skip
    assert found["Model: other"] == Side("b" * 32)
    twins = compare.sides(BUNDLED, History(), [("c" * 32, "cnn"), ("d" * 32, "cnn")])
    assert list(twins)[1:] == ["Model: cnn", "Model: cnn (dddddddd)"]


def test_another_model_is_judged_on_the_same_people(monkeypatch):
    """The same network opened under another id gives the same answers: nothing changes."""
    original = opened.open_model
    monkeypatch.setattr(opened, "open_model", lambda data, model: original(data, BUNDLED))  # noqa: ARG005
    found = cache.side_by_side(REVIEW, Side(BUNDLED), Side("e" * 32), "colour")
    assert found.verdict == "unchanged"
    assert compare.headline(found, ("The original model", "Model: x"), "digit") == (
        "The original model and Model: x give all 450 held-out digits the same answers."
    )


def test_before_anything_is_kept_no_other_model_is_asked_unasked():
    found = compare.sides("mine", History(), [("mine", "Mine"), ("other", "Other")])
    assert compare.first_choice(found, History()) == ("The original model", None)


def test_a_long_name_does_not_fill_the_headline():
    said = compare.headline(
        cache.comparison(REVIEW, recipe(3.0), "colour"), ("The original model", "Model: " + 90 * "x"), "digit"
    )
    assert said.startswith(f"Model: {40 * 'x'}… against the original model. Mixed: the colour bias falls")


def test_what_was_only_offered_gives_way_to_a_better_offer_and_a_choice_does_not(monkeypatch):
    monkeypatch.setattr(memory.st, "session_state", {})
    memory.offer("second", ("original", "other"), "other")
    memory.offer("second", ("original", "variant", "other"), "variant")
    assert memory.value("second", "") == "variant"
    memory.put("second", "other")  # the visitor chooses
    memory.offer("second", ("original", "variant", "other"), "variant")
    assert memory.value("second", "") == "other"
    memory.offer("second", ("original", "variant"), "variant")  # it is gone
    assert memory.value("second", "") == "variant"


def test_models_of_one_name_are_told_apart_by_when_they_were_kept():
    kept = [datetime(2026, 1, 2, hour, 4, tzinfo=UTC) for hour in (3, 5)]
    names = [
        shelved_name(Shelved(letter * 32, "Small CNN", "cnn", kept=at))
        for letter, at in zip("ab", kept, strict=True)
    ]
    assert names == ["Small CNN, kept 2 Jan 2026, 03:04 UTC", "Small CNN, kept 2 Jan 2026, 05:04 UTC"]
    assert shelved_name(Shelved("a" * 32, "", "cnn")) == "A model without a name"
