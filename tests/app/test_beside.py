"""Train beside it: published methods as a job, in the table and the picture of the Deeper section."""

from functools import partial

import pytest

from app import cache
from app.cache import beside as kept
from app.jobs.registry import REGISTRY
from app.record.review import Review
from app.session import memory, state
from app.unlearning import beside as section
from app.view_models import beside as words
from app.view_models import learning_on
from fmd_core.home import home_folder
from fmd_core.study.retraining import retrain
from fmd_core.unlearn.retraining.methods import METHODS
from tests.app.test_pages import press

REVIEW = Review()


@pytest.fixture(autouse=True)
def forgotten():
    """Other tests count the rows of the table, and the networks."""
    yield
    kept.trained_beside.clear()
    for made in cache.learned(REVIEW):
        if made.method:
            next((home_folder() / "learned").glob(f"*/{made.id}.safetensors")).unlink()


def test_methods_are_trained_and_stand_beside_the_simpler_fixes(open_page, monkeypatch):
    """The methods themselves are tested in the core: here one epoch of each."""
    monkeypatch.setattr(kept, "retrain", partial(retrain, epochs=1))
    monkeypatch.setattr(cache, "deeper_seconds", lambda *_: 12.0)
    test = open_page("unlearn")
    test.session_state["deeper"] = True
    test = test.run()
    assert test.multiselect(key="beside_methods").value == list(words.USUAL)
    assert any("for all that is chosen, by a few steps that were measured" in c.value for c in test.caption)
    test.multiselect(key="beside_methods").set_value(["group-dro", "removal"]).run()
    test = press(test, "Train beside it")
    job = REGISTRY.find(test.session_state["job_beside"])
    assert job.wait(150)
    assert job.state == "finished", job.error
    test = test.run()
    assert not test.exception
    found = cache.known_beside(REVIEW, "colour")
    assert list(found) == ["group-dro", "removal"]
    table = next(t.value for t in test.table if "Fix" in t.value.columns)
    names = table["Fix"].tolist()
    assert names[0] == "The original"
    assert any(name.startswith("Only the thresholds moved") for name in names)  # always shown
    for name in ("GroupDRO, as it comes", "Hurtful samples removed (D3M), as it comes"):
        assert name in names
    made = found["group-dro"].at_point(found["group-dro"].as_made)
    row = table[table["Fix"] == "GroupDRO, as it comes"].iloc[0]
    assert row["Right, %"] == f"{100 * made.accuracy:.1f}"
    assert row["Flips, %"] == f"{100 * made.flips:.1f}"
    assert any(
        "twins who get another answer, and overall accuracy in brackets" in c.value for c in test.caption
    )
    rows = words.judged(found, "twins", 0.01)
    assert [row.is_reference for row in rows] == [True] * 4  # none is called a simpler fix
    kept.trained_beside.clear()  # as when the server is started anew
    again = words.judged(cache.known_beside(REVIEW, "colour"), "twins", 0.01)
    assert [(row.title, row.after.accuracy, row.after.flips) for row in again] == [
        (row.title, row.after.accuracy, row.after.flips) for row in rows
    ]
    _put_in_force(test)


def _put_in_force(test):
    """What a method trained stands on the slider as what learned on does."""
    made = next(one for one in cache.learned(REVIEW) if one.method == "group-dro")
    test.selectbox(key="deeper_run").set_value(learning_on.named(made)).run()
    asking = REGISTRY.find(test.session_state["job_deeper_asking"])
    assert asking is None or asking.wait(150)
    test = test.run()
    test = test.button(key="show_above").click().run()
    test = test.select_slider(key=f"deeper_share_{made.id}").set_value("50 %").run()
    test = press(test, next(b.label for b in test.button if b.label.startswith("Apply")))
    assert not test.exception
    current = test.session_state["journals"][REVIEW.key].history.current
    assert (current.way, current.review.beside, current.share) == ("trained-beside", made.id, 0.5)
    assert current.what == "colour: trained beside it, GroupDRO, after 1 epoch"


def test_training_that_is_stopped_keeps_nothing_half_done(monkeypatch):
    monkeypatch.setattr(memory.st, "session_state", {"attribute": "colour"})
    monkeypatch.setattr(section.st, "rerun", lambda: None)
    monkeypatch.setattr(section.job_panel, "start_job", REGISTRY.start)
    section._start(REVIEW, "colour", ("lff",))
    job = REGISTRY.find(state.shown_job(section.PLACE))
    REGISTRY.cancel(job.id)
    assert job.wait(60)
    assert (job.state, job.result) == ("stopped", None)
    assert "lff" not in cache.known_beside(REVIEW, "colour")


class TestWords:
    def test_what_cannot_be_trained_here_says_why(self):
        methods = dict.fromkeys(METHODS, "")
        assert words.available(methods) == tuple(METHODS)
        assert learning_on.closed(methods) == ""
        shut = {**methods, "rebias": "There are no pictures.", "ldr": "There are no pictures."}
        assert learning_on.closed(shut) == "There are no pictures."
        assert "rebias" not in words.available(shut)

    def test_the_notes_name_the_publication(self):
        assert "GroupDRO: A new network is trained" in words.notes(["group-dro"])
        assert "(Sagawa et al., ICLR 2020)" in words.notes(["group-dro"])
