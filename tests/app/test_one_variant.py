"""What stands on the Unlearn page is what Apply puts in force, what the address names and what the report says.

A control there redraws its part of the page alone, which AppTest does only when it is told to.
"""

import json
from functools import partial

import pytest
from streamlit.testing.v1 import local_script_runner

import fmd_core as fmd
from app import cache
from app.cache import bounded
from app.record.review import Aim, Review
from app.record.variants import Recipe, describe
from app.view_models import report
from app.view_models import unlearn as words
from app.view_models.before_after import BeforeAfter
from fmd_core.study import fixing
from tests.app.test_pages import in_force, titles
from tests.app.test_permalink import address

LAST, TWO = "last layer", "concatenated"
WAYS = (  # attribute, strategy, depth: there and back again
    ("colour", "iterated", LAST),
    ("colour", "iterated", TWO),
    ("colour", "iterated", LAST),
    ("colour", "paper-external", LAST),
    ("paper", "paper-external", LAST),
    ("paper", "iterated", LAST),
    ("colour", "iterated", LAST),
    ("colour", "iterated", TWO),
)


@pytest.fixture
def moved(monkeypatch):
    """Run what the browser runs when somebody has moved a widget: the part of the page that it stands in."""
    rerun, parse, last = local_script_runner.RerunData, local_script_runner.parse_tree_from_messages, []

    def remember(messages):
        last[:] = [m.delta for m in messages if m.WhichOneof("type") == "delta"]
        return parse(messages)

    monkeypatch.setattr(local_script_runner, "parse_tree_from_messages", remember)

    def run(test, widget):
        part = next(delta.fragment_id for delta in last if _id(delta.new_element) == widget.proto.id)
        with monkeypatch.context() as patch:
            if part:
                patch.setattr(local_script_runner, "RerunData", partial(rerun, fragment_id=part))
            return test.run()

    return run


def _id(element) -> str:
    kind = element.WhichOneof("type")
    return getattr(getattr(element, kind), "id", "") if kind else ""


@pytest.fixture
def reports(monkeypatch):
    """Every report that the Report page has written."""
    written, build = [], report.build
    monkeypatch.setattr(report, "build", lambda evidence: written.append(build(evidence)) or written[-1])
    return written


@pytest.fixture(scope="module")
def every_path_is_solved():
    """With one strength each, which is dear enough where two layers may change."""

    def solve(head, inputs, *, strategy, k, progress):  # noqa: ARG001
        return fmd.UnlearningResult(head, strategy, 0.0, k), fmd.unlearn(head, inputs, strategy=strategy, k=k)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fixing, "solve_path", solve)
        bounded.clear()
        for attribute, strategy, depth in set(WAYS):
            cache.warm(Review(depth=depth))
            cache.warm_path(Review(depth=depth), Aim((attribute,)), strategy, 0)
        yield
        bounded.clear()


def choose(test, moved, attribute, strategy, depth):
    """Go on to another way to unlearn, a control at a time."""
    for key, wanted in (("strategy", strategy), ("depth", depth)):
        if test.selectbox(key=key).value != wanted:
            test = moved(test, test.selectbox(key=key).set_value(wanted))
    if test.session_state["attribute"] != attribute:  # in the sidebar: the whole page runs
        test = test.run().selectbox(key="attribute").set_value(attribute).run()
    return test


def farthest(attribute, strategy, depth) -> tuple[str, Recipe]:
    """The last stop of a slider, and what it makes."""
    review, aim = Review(depth=depth), Aim((attribute,))
    path = cache.path(review, aim, strategy, 0, 0.01)
    name, point = list(words.stops(path).items())[-1]
    return name, Recipe(review, aim, strategy, 0, point.result.strength, point.result.blend, 0.01)


def assert_shown(test, recipe):
    """Headline, cards and curve are those of the recipe."""
    found = cache.comparison(recipe.review, recipe, recipe.aim.attribute)
    others = cache.other_biases(recipe.review, recipe, recipe.aim.attribute)
    expected = BeforeAfter(cache.dataset(recipe.review), found, others)
    assert titles(test).replace("\\", "") == expected.headline
    assert [card.value for card in test.metric] == [card.value for card in expected.cards]
    path = cache.path(recipe.review, recipe.aim, recipe.strategy, recipe.k, recipe.tolerance)
    curve = words.build_curve(path, cache.point(recipe), "digit")
    assert any(curve.summary == caption.help.replace("\\", "") for caption in test.caption)


def assert_addressed(test, recipe, stop):
    usual = {"attribute": "colour", "how": "iterated", "depth": LAST}
    chosen = {"attribute": recipe.aim.attribute, "how": recipe.strategy, "depth": recipe.review.depth}
    assert {name: address(test).get(name, usual[name]) for name in usual} == chosen
    assert address(test)["strength"] == stop


def assert_reported(written, recipe):
    """The HTML page and the JSON file speak of the recipe."""
    found, head = json.loads(written.json), cache.point(recipe).result.head.fingerprint
    chosen = {name: found["settings"][name] for name in ("attributes", "strategy", "strength", "depth")}
    assert chosen == {
        "attributes": list(recipe.aim.attributes), "strategy": recipe.strategy, "strength": recipe.strength,
        "depth": recipe.review.depth,
    }  # fmt: skip
    assert found["done"]["current"]["head_sha256"] == head
    assert head[:16] in written.html


@pytest.mark.usefixtures("every_path_is_solved")
def test_screen_sidebar_address_and_report_speak_of_one_variant(moved, open_page, reports):
    test = open_page("unlearn")
    for way in WAYS:
        stop, recipe = farthest(*way)
        test = choose(test, moved, *way)
        test = moved(test, test.select_slider[0].set_value(stop))
        assert_shown(test, recipe)
        assert_addressed(test, recipe, stop)
    test = moved(test, next(b for b in test.button if b.label.startswith("Apply")).click())
    assert in_force(test) == cache.point(recipe).result.head.fingerprint[:16]
    assert_shown(test, recipe)
    assert test.session_state["journals"][recipe.review.key].history.current == recipe
    assert_addressed(test, recipe, stop)
    test = test.switch_page("app_pages/report.py").run()
    assert describe(recipe) in [c.value.replace("\\", "") for c in test.sidebar.caption]
    assert_reported(reports[-1], recipe)
    assert_addressed(test, recipe, stop)


@pytest.mark.usefixtures("every_path_is_solved")
def test_a_depth_that_is_chosen_after_apply_changes_nothing_in_force(moved, open_page, reports):
    test = open_page("unlearn")
    stop, recipe = farthest("colour", "iterated", LAST)
    test = moved(test, test.select_slider[0].set_value(stop))
    test = moved(test, next(b for b in test.button if b.label.startswith("Apply")).click())
    test = choose(test, moved, "colour", "iterated", TWO)
    assert titles(test) == "The slider stands on the original; Variant 1 is in force."
    test = choose(test, moved, "colour", "iterated", LAST)
    assert_shown(test, recipe)  # the slider stands where it stood
    assert next(b for b in test.button if b.label.startswith("Apply")).disabled
    test = test.switch_page("app_pages/report.py").run()
    assert_reported(reports[-1], recipe)
