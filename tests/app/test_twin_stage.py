"""A move of the slider sends what twins are answered, and no picture again."""

import pytest

from app.record.review import Review
from app.view_models.stage import StageSide, StageTwin, StageView
from app.widgets import gallery, portraits, twin_stage


@pytest.fixture
def sent(monkeypatch):
    """What goes to the browser: pictures, and what is said to them."""
    found = {"pictures": [], "said": []}
    monkeypatch.setattr(twin_stage, "_component", lambda *, key, data: found["pictures"].append(data))  # noqa: ARG005
    monkeypatch.setattr(twin_stage, "_said", lambda *, key, data: found["said"].append(data))  # noqa: ARG005
    monkeypatch.setattr(
        portraits, "picture", lambda _review, row, alt, **_: gallery.Picture(f"data:{row}", alt)
    )
    return found


def stage(*answers):
    """Two twins who are truly round."""
    sides = [StageSide(i, i % 2, ("red", "blue")[i % 2], a, a == "round") for i, a in enumerate(answers)]
    return StageView(
        (StageTwin("round", (sides[0], sides[1])), StageTwin("round", (sides[2], sides[3]))), "", True
    )


def test_only_captions_are_sent_when_answers_change(sent):
    for view in (stage("round", "square", "round", "round"), stage("round", "round", "round", "square")):
        twin_stage.show(Review(), "colour", view, key="stage")
    first, second = sent["pictures"]
    assert first == second  # to Streamlit the same message, which the browser has
    assert first["twins"][0]["sides"][1] == {"src": "data:1", "alt": "round, blue"}
    said = [data["twins"] for data in sent["said"]]
    assert [[twin["differs"] for twin in twins] for twins in said] == [[True, False], [False, True]]
    assert said[0][0]["sides"][1] == {"says": "square", "wrong": True}
    assert said[0][0]["heard"] == "truly round: two answers"
    assert "src" not in repr(sent["said"])


def test_captions_find_the_pictures_that_they_belong_to(sent):
    twin_stage.show(Review(), "colour", stage(*["round"] * 4), key="stage")
    twin_stage.show(Review(), "paper", stage(*["round"] * 4), key="stage")
    pictures, said = ([data["signature"] for data in sent[kind]] for kind in ("pictures", "said"))
    assert pictures == said
    assert pictures[0] != pictures[1]
