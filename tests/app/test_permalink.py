"""The view in the address: what is written, what is read, and what is ignored with a sentence."""

from types import SimpleNamespace

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from app import cache
from app.opening import address_settings, permalink
from app.record.criteria import Criteria
from app.record.review import Review
from app.session import memory, state
from fmd_core import Limits
from fmd_core.measure.verdict.values import Family
from tests.app.test_pages import go_to_suggestion, titles


def visit(page, **address):
    """Arrive at a page by an address."""
    test = AppTest.from_file("../../app/main.py", default_timeout=150)
    for name, text in address.items():
        test.query_params[name] = text
    test.run()
    return test.switch_page(f"app_pages/{page}.py").run() if page != "start" else test


def address(test):
    return {name: text[0] if isinstance(text, list) else text for name, text in test.query_params.items()}


def test_a_view_of_defaults_has_a_plain_address(open_page):
    assert address(open_page("find_bias")) == {}


def test_the_address_follows_what_is_chosen(open_page):
    test = open_page("find_bias")
    test.slider(key="threshold").set_value(17).run()
    test.selectbox(key="attribute").set_value("paper").run()
    test.selectbox(key="measure").set_value("equal opportunity").run()
    assert address(test) == {"limit": "17", "attribute": "paper", "measure": "equal opportunity"}
    test = test.switch_page("app_pages/harmful.py").run()
    test.number_input(key="harmful_k").set_value(33).run()
    assert address(test)["k"] == "33"


def test_limits_the_good_answer_and_references_open_in_another_browser(open_page):
    test = open_page("find_bias")
    level = cache.dataset(Review()).attribute("colour").levels[1]
    test.number_input(key="limit_twins").set_value(2.5).run()
    test.number_input(key="limit_ratio").set_value(0.5).run()
    test.selectbox(key="favourable").set_value("3").run()
    test.selectbox(key="compared_colour").set_value(level).run()
    found = address(test)
    assert found == {"twins": "2.5", "ratio": "0.5", "good": "3", "against": f"colour={level}"}
    second = visit("find_bias", **found)
    assert not second.warning
    assert titles(second) == titles(test)
    chosen = Criteria(Limits(twins=0.025, ratio=0.5), "3", (("colour", level),))
    verdict = cache.verdict(Review(), None, chosen)
    assert titles(second) == verdict.headline
    assert verdict.favourable.level == "3"
    assert {finding.limit for finding in verdict.of(Family.TWINS)} == {0.025}
    moved = (
        second.slider(key="threshold").set_value(50).run()
    )  # the rest follows the slider, the twins do not
    assert (
        titles(moved)
        == cache.verdict(
            Review(), None, Criteria(Limits(0.025, 0.5, 0.5, 0.5, 0.5), "3", (("colour", level),))
        ).headline
    )
    report = moved.switch_page("app_pages/report.py").run()
    assert titles(report) == titles(moved)


def test_other_data_have_another_good_answer(monkeypatch):
    session = {"favourable": "3", "references": "colour=red"}
    monkeypatch.setattr(memory.st, "session_state", session)
    state.open_review(Review("synthetic_faces"))
    assert (session["favourable"], session["references"]) == ("", "")


def test_another_browser_opens_the_same_view(open_page):
    first = open_page("unlearn")
    first.multiselect(key="also").set_value(["paper"]).run()
    first.slider(key="tolerance").set_value(2.5).run()
    first = go_to_suggestion(first)
    found = address(first)
    assert {"also", "tolerance", "strength"} <= found.keys()
    second = visit("unlearn", **found)
    assert titles(second) == titles(first)
    assert [m.value for m in second.metric] == [m.value for m in first.metric]
    assert not second.warning


def test_another_browser_opens_the_same_comparison(open_page):
    first = open_page("find_bias")
    first.session_state["attribute"] = "paper"
    first = first.switch_page("app_pages/feature_unlearning.py").run()
    first = next(b for b in first.button if b.label.startswith("Apply")).click().run()  # the guard refuses it
    first = first.switch_page("app_pages/compare.py").run()
    found = address(first)
    assert found["compare"] == "original"
    assert found["with"].startswith("variant-")
    assert found["attribute"] == "paper"
    second = visit("compare", **found)
    assert titles(second) == titles(first)
    assert [m.value for m in second.metric] == [m.value for m in first.metric]
    assert address(second) == found
    assert [w.value for w in second.warning] == [w.value for w in first.warning]
    unknown = visit("start", **{**found, "with": "variant-" + "0" * 16})
    (note,) = unknown.warning
    assert note.value.replace("\\", "").startswith(
        "In the address, with 'variant-0000000000000000' is neither"
    )
    assert not unknown.exception


@pytest.mark.parametrize(("seen_in", "told"), [(Review().key, {"compare": "original"}), (("adult", "x"), {})])
def test_sides_stand_in_the_address_of_the_review_that_has_them(monkeypatch, seen_in, told):
    session = {"compare_first": "original", "compared": seen_in}
    monkeypatch.setattr(memory.st, "session_state", session)
    shown = SimpleNamespace(to_dict=dict, from_dict=lambda told: shown.__dict__.update(told=told), told={})
    monkeypatch.setattr(permalink.st, "query_params", shown)
    permalink.write()
    assert shown.told == told


def test_data_and_model_are_opened_by_the_address():
    test = visit("start", data="synthetic_faces", attribute="glasses")
    assert test.session_state["review"] == Review("synthetic_faces")
    assert test.selectbox(key="attribute").value == "glasses"
    assert address(test) == {"data": "synthetic_faces", "attribute": "glasses"}


HOSTILE = {
    "data": [
        "nonsense",
        "celeba?family=x",
        "import?id=../../etc/passwd",
        "import?id=",
        "adult?protected=" + "x" * 99,
    ],
    "model": ["../../etc/passwd", "0" * 32, "\u202e", "bundled/../x"],
    "attribute": ["hat", "<script>alert(1)</script>", ""],
    "measure": ["worst", "COUNTERFACTUAL"],
    "limit": ["0", "51", "-1", "1e3", "٣", "nan", "9" * 400],
    "twins": ["101", "-1", "nan", "ten", ""],
    "selection": ["1e9"],
    "recognised": ["inf"],
    "right": ["x"],
    "ratio": ["1.5", "-0.1", "nan"],
    "good": ["hired", "<b>"],
    "against": ["hat=red", "colour=mauve", "colour", "=&=", "%00=1"],
    "k": ["0", "-5", "x", "10000001", "1.5"],
    "for": ["best group", "<b>"],
    "improve": ["best group", "twins", "WORST GROUP"],
    "kind": ["Harm"],
    "also": ["hat", "paper,,", "colour;paper"],
    "how": ["rm -rf", "iterated "],
    "depth": ["three layers"],
    "forget": ["-1", "many"],
    "tolerance": ["6", "-0.5", "0.3", "inf", "nan", "x"],
    "network": ["0" * 32, "../../etc/passwd", "<b>"],
    "alike": ["0", "nan", "x", "-1"],
    "strength": [],
    "compare": ["", "nothing", "variant-" + "0" * 16, "model-../../etc/passwd", "The original model", "<b>"],
    "with": ["original,original", "model-" + "f" * 32, "\x00"],
    "review": ["", "nonsense", "a" * 22, "../../etc/passwd", "' OR 1=1 --", "\x00" * 22],
}


def test_every_name_in_the_address_is_attacked():
    assert set(HOSTILE) == permalink.NAMES


@pytest.mark.parametrize(("name", "text"), [(n, t) for n, texts in HOSTILE.items() for t in texts])
def test_a_value_that_makes_no_sense_is_ignored_with_a_sentence(monkeypatch, name, text):
    session = {}
    monkeypatch.setattr(memory.st, "session_state", session)
    (note,) = permalink._adopt({name: text})
    assert note.startswith(f"In the address, {name} ")
    assert note.endswith("; it was ignored.")
    assert len(note) < 700
    assert session.get("review", Review()) == Review()
    assert not session.keys() - {"review"}


def test_a_limit_of_likeness_comes_back_to_the_last_digit(monkeypatch):
    limit = np.float64(0.1) + np.float64(0.2)
    monkeypatch.setattr(memory.st, "session_state", {"review": Review(most_unlike=limit)})
    shown = SimpleNamespace(to_dict=dict, from_dict=lambda told: shown.__dict__.update(told=told))
    monkeypatch.setattr(permalink.st, "query_params", shown)
    permalink.write()
    assert permalink._open(shown.told) == []
    assert state.review().most_unlike == limit


def test_what_was_ignored_is_said_on_the_page():
    test = visit("start", attribute="<script>alert(1)</script>", k="0", limit="20")
    assert not test.exception
    assert len(test.warning) == 2
    assert "\\<script\\>" in test.warning[0].value
    assert test.session_state["threshold"] == 20


def test_a_strength_that_is_not_there_is_said_on_the_page():
    test = visit("unlearn", strength="99 <b>")
    assert any("There is no strength '99" in i.value for i in test.info)
    assert titles(test).startswith("Nothing has changed yet")
    assert not test.exception


def test_an_endless_value_is_ignored():
    test = visit("start", attribute="x" * 5_000)
    assert "attribute is too long" in test.warning[0].value


def test_the_sentence_goes_with_the_page():
    test = visit("start", k="x")
    assert test.warning
    assert not test.switch_page("app_pages/find_bias.py").run().warning


def test_the_address_is_read_on_arrival_only(open_page):
    test = open_page("find_bias")
    test.query_params["limit"] = "44"
    test.run()
    assert test.slider(key="threshold").value == 10


def test_other_names_are_left_alone(open_page):
    test = open_page("start")
    test.query_params["utm"] = "x"
    test.run()
    assert address(test)["utm"] == "x"
    assert cache.dataset(Review()).name


@pytest.mark.parametrize(
    "names", [["income, yearly", "sex"], ["50% rule", "100%2C", "a,b,c"], ["%", ","], ["plain"], []]
)
def test_a_comma_in_the_name_of_an_attribute_does_not_part_it(names, monkeypatch):
    monkeypatch.setattr(
        address_settings,
        "attributes",
        lambda: ("income, yearly", "sex", "50% rule", "100%2C", "a,b,c", "%", ",", "plain"),
    )
    assert not names or address_settings._several(address_settings.joined(names)) == names


def test_an_address_from_before_still_names_its_attributes(monkeypatch):
    monkeypatch.setattr(address_settings, "attributes", lambda: ("50% rule", "sex"))
    assert address_settings._several("50% rule,sex") == ["50% rule", "sex"]
