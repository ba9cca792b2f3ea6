from datetime import UTC, datetime

import pytest

from app.history import History, Recipe
from app.review import Aim, Review

NOW = datetime(2026, 1, 2, tzinfo=UTC)


def recipe(strength: float) -> Recipe:
    return Recipe(Review(), Aim(("colour",)), "iterated", 0, strength, 1.0, 0.01)


def test_a_new_history_is_the_original():
    assert History().current is None
    assert not History().can_undo
    assert not History().can_redo


def test_apply_puts_in_force_and_logs():
    past = History().apply(recipe(1), NOW)
    assert past.current == recipe(1)
    assert [(e.action, e.recipe) for e in past.log] == [("apply", recipe(1))]


def test_a_double_click_applies_once():
    once = History().apply(recipe(1), NOW)
    assert once.apply(recipe(1), NOW) is once


def test_undo_and_redo_walk_the_variants():
    past = History().apply(recipe(1), NOW).apply(recipe(2), NOW)
    assert past.undo(NOW).current == recipe(1)
    assert past.undo(NOW).undo(NOW).current is None
    assert past.undo(NOW).redo(NOW).current == recipe(2)


def test_applying_after_undo_forgets_what_was_undone_but_not_the_log():
    past = History().apply(recipe(1), NOW).undo(NOW).apply(recipe(3), NOW)
    assert past.variants == (recipe(3),)
    assert [e.action for e in past.log] == ["apply", "undo", "apply"]


def test_back_to_original_can_be_taken_again():
    past = History().apply(recipe(1), NOW).apply(recipe(2), NOW).original(NOW)
    assert past.current is None
    assert past.redo(NOW).redo(NOW).current == recipe(2)


@pytest.mark.parametrize("act", ["undo", "redo", "original"])
def test_nothing_to_do_changes_nothing(act):
    past = History()
    assert getattr(past, act)(NOW) is past
