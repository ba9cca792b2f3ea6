"""What the slider moves by itself: every stop's answers and the ring's places are sent once, and no picture again."""

import numpy as np
import pytest

from app import cache
from app.record.review import Aim, Review
from app.record.variants import Recipe
from app.unlearning import stage as drawing
from app.unlearning import trade_off
from app.view_models import stage, unlearn
from app.widgets import gallery, portraits, twin_stage
from fmd_core import CounterfactualPairs, FeatureSet
from fmd_core.measure.bias_functions import predictions

SWEEP = Review(), Aim(("colour",)), "iterated", 0


@pytest.fixture
def path():
    """The demo's path; its memory keeps it."""
    return cache.path(*SWEEP, 0.01)


def at(point):
    """The recipe of a point."""
    return Recipe(*SWEEP, point.result.strength, point.result.blend, 0.01)


@pytest.fixture
def sent(monkeypatch):
    """What goes to the browser: pictures, what is said to them, and the ring."""
    found = {"pictures": [], "said": [], "ring": []}
    for module, name, kind in (
        (twin_stage, "_component", "pictures"),
        (twin_stage, "_said", "said"),
        (trade_off, "_ring", "ring"),
    ):
        keep = found[kind].append
        monkeypatch.setattr(module, name, lambda *, data, keep=keep, **_: keep(data))
    monkeypatch.setattr(
        portraits, "picture", lambda _review, row, alt, **_: gallery.Picture(f"data:{row}", alt)
    )
    return found


def two_twins(**stops):
    """Two twins who are truly round, with what they are answered by stop."""
    sides = [stage.StageSide(i, i % 2, ("red", "blue")[i % 2]) for i in range(4)]
    twins = (stage.StageTwin("round", (sides[0], sides[1])), stage.StageTwin("round", (sides[2], sides[3])))
    return stage.StageView(twins, {name: stage.StageAnswers(said, "") for name, said in stops.items()}, True)


def show(view, attribute="colour"):
    twin_stage.show(Review(), attribute, view, key="stage", slider="slider", kind="")


def test_answers_of_every_stop_are_sent_apart_from_the_pictures(sent):
    answers = {"0": (("round", "square"), ("round", "round")), "1": (("round", "round"), ("round", "square"))}
    show(two_twins(**answers))
    assert sent["pictures"][0]["twins"][0]["sides"][1] == {"src": "data:1", "alt": "round, blue"}
    said = sent["said"][0]
    assert {stop: now["said"] for stop, now in said["stops"].items()} == answers
    assert said["truths"] == ["round", "round"]
    assert "data:" not in repr(said)


def test_a_twin_s_sides_are_who_they_are_and_what_was_before_is_counted():
    people = [FeatureSet(np.zeros((2, 1)), np.array([3, 7]), np.array(rows)) for rows in ([10, 11], [20, 21])]
    codes = np.array([0, 1]), np.array([2, 4]), np.array([0, 1])
    pairs = CounterfactualPairs("colour", "matched", *people, *codes)
    before, after = np.array([[3, 7], [3, 5]]), np.array([[3, 7], [3, 7]])
    data = cache.dataset(Review())
    view = stage.build(data, pairs, before, {"0": before, "1": after})
    levels = data.attribute("colour").levels
    assert [[(side.row, side.level) for side in twin.sides] for twin in view.twins] == [
        [(10, levels[0]), (20, levels[2])], [(11, levels[1]), (21, levels[4])],
    ]  # fmt: skip
    assert [twin.truth for twin in view.twins] == ["3", "7"]
    assert view.stops["0"].said == (("3", "3"), ("7", "5"))
    assert view.stops["0"].summary == "1 of 2 twins get one answer, as before."
    assert view.stops["1"].summary == "2 of 2 twins get one answer; before, 1."
    assert not view.redrawn


def test_answers_find_the_pictures_that_they_belong_to(sent):
    show(two_twins())
    show(two_twins(), "paper")
    pictures, said = ([data["signature"] for data in sent[kind]] for kind in ("pictures", "said"))
    assert pictures == said
    assert pictures[0] != pictures[1]


def test_a_move_of_the_slider_sends_neither_answers_nor_pictures_nor_the_ring_again(sent, path):
    for point in path.points[:3]:
        drawing.twins(path, at(point))
        trade_off.draw(unlearn.build_curve(path, point, "digit"), dict, slider=drawing.SLIDER)
    for kind, data in sent.items():
        assert data[0] == data[1] == data[2], kind
    assert list(sent["said"][0]["stops"]) == list(sent["ring"][0]["places"]) == list(unlearn.stops(path))


def test_what_is_said_at_a_stop_is_what_the_head_that_apply_would_apply_answers(sent, path):
    drawing.twins(path, at(path.points[1]))
    said, data = sent["said"][0]["stops"], cache.dataset(Review())
    best = path.suggested
    pairs = cache.stage(Review(), "colour", at(best) if best.result.strength else None, drawing.SHOWN)
    for stop, point in unlearn.stops(path).items():
        head = cache.head(Review(), at(point))
        answers = np.array([predictions(head, side.features) for side in (pairs.favoured, pairs.other)])
        told = [[data.target.levels[code] for code in pair] for pair in answers.T]
        assert [list(pair) for pair in said[stop]["said"]] == told, stop
        assert said[stop]["summary"].startswith(f"{(answers[0] == answers[1]).sum()} of 24 twins")
