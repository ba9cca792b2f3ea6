"""A strategy that somebody registered is on the screens as ours are."""

from datetime import UTC, datetime

import pytest

from app.opening import address_settings
from app.record.history import History
from app.record.journal import Journal
from app.record.journal_json import dump, load
from app.record.review import Aim, Review
from app.record.variants import Recipe, describe
from app.view_models import glossary, method
from fmd_core import DataError
from fmd_core.method import register, strategies, unregister
from tests.own_strategy import STRATEGY

WHEN = datetime(2025, 3, 1, 12, 30, tzinfo=UTC)


@pytest.fixture
def own(fresh_caches):  # noqa: ARG001
    register(STRATEGY)
    yield STRATEGY
    unregister(STRATEGY.name)


def test_it_can_be_chosen_tried_and_applied(open_page, own):
    test = open_page("unlearn")
    box = test.selectbox(key="strategy")
    assert box.options == [strategy.title for strategy in strategies()]
    box.set_value(own.name).run()
    assert not test.exception
    assert not test.error
    assert any(own.note in c.value for c in test.caption)
    slider = test.select_slider(key="stop_colour_project-out_last layer")
    assert (slider.label, slider.options) == ("Share", ["0 (original)", "0.25", "0.5", "1"])
    slider.set_value("1").run()
    next(b for b in test.button if b.label.startswith("Apply")).click().run()
    assert not test.exception
    in_force = next(m.value for m in test.markdown if m.value.startswith("**In force:**"))
    assert f"{own.title}, share 1" in in_force
    test = test.switch_page("app_pages/report.py").run()
    assert not test.exception
    assert not test.error


def test_the_address_the_search_and_the_method_page_know_it(own):
    assert own.name in address_settings._strategies()
    step = next(step for step in method.STEPS if step.lists_strategies)
    assert [f.latex for f in step.all_formulas] == [s.formula for s in strategies()]
    assert [term.name for term in glossary.find(own.name)] == ["Unlearning"]
    assert glossary.find("paper-remove")[0].name == "Unlearning"
    assert glossary.find("without harmful")[0].name == "Refit"


def test_a_stored_review_that_names_an_unknown_strategy_is_refused(own):
    recipe = Recipe(Review(), Aim(("colour",)), own.name, 0, 1.0, 1.0, 0.01)
    assert describe(recipe) == f"colour: {own.title}, share 1"
    stored = dump(Journal(History().apply(recipe, at=WHEN)))
    assert load(stored).history.current == recipe
    for name in ("paper-rewind", ["iterated"], None):
        changed = dump(Journal(History().apply(recipe, at=WHEN)))
        changed["steps"][0]["after"]["variant"]["strategy"] = name
        with pytest.raises(DataError):
            load(changed)
