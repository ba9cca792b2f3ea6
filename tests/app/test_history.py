from dataclasses import replace
from datetime import UTC, datetime

import pytest

from app.record.history import Decided, History, Kept
from app.record.review import Aim, Review
from app.record.variants import Exclusion, Recipe, describe
from app.view_models import unlearn

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
    assert [(e.action, e.variant) for e in past.log] == [("apply", recipe(1))]


def test_a_refusal_is_noted_where_it_was_applied_all_the_same():
    past = History().apply(recipe(30), NOW, "8 is never answered any more").apply(recipe(1), NOW)
    assert [e.refusal for e in past.log] == ["8 is never answered any more", ""]
    assert past.refusal(recipe(30)) == "8 is never answered any more"  # whichever is in force
    assert past.refusal(recipe(1)) == past.refusal(None) == past.refusal(recipe(5)) == ""
    told = unlearn.history_table(past.undo(NOW))["What, or in force after it"].tolist()
    assert [("although the guard refuses it: 8 is never" in line) for line in told] == [True, False, True]


def test_a_double_click_applies_once():
    once = History().apply(recipe(1), NOW)
    assert once.apply(recipe(1), NOW) == once


def test_undo_and_redo_walk_the_variants():
    past = History().apply(recipe(1), NOW).apply(recipe(2), NOW)
    assert past.undo(NOW).current == recipe(1)
    assert past.undo(NOW).undo(NOW).current is None
    assert past.undo(NOW).redo(NOW).current == recipe(2)


def test_undo_takes_back_whatever_was_done_last():
    past = History().apply(recipe(1), NOW)
    past = past.done("left a pair out", replace(past.now, vetoes=(("colour", 3),)), NOW, "colour, pair 3")
    past = past.done("excluded", replace(past.now, excluded=(7,)), NOW, "training sample 7")
    assert past.last == "excluded"
    once = past.undo(NOW)
    assert once.now == Decided(recipe(1), (("colour", 3),), ())
    assert (once.last, once.next) == ("left a pair out", "excluded")
    twice = once.undo(NOW)
    assert twice.now == Decided(recipe(1))
    assert [(e.action, e.note) for e in twice.log[-2:]] == [("undo", "excluded"), ("undo", "left a pair out")]
    assert twice.redo(NOW).redo(NOW).now == past.now


def test_applying_after_undo_forgets_what_was_undone_but_not_the_log_nor_the_variant():
    past = History().apply(recipe(1), NOW).undo(NOW).apply(recipe(3), NOW)
    assert not past.can_redo
    assert past.current == recipe(3)
    assert [e.action for e in past.log] == ["apply", "undo", "apply"]
    assert past.kept == (Kept("Variant 1", recipe(1)), Kept("Variant 2", recipe(3)))


def test_back_to_the_original_is_a_step_that_leaves_the_rest_as_it_is():
    past = History().apply(recipe(1), NOW)
    past = past.done("excluded", replace(past.now, excluded=(7,)), NOW)
    back = past.original(NOW)
    assert back.now == Decided(excluded=(7,))
    assert back.undo(NOW).current == recipe(1)
    assert back.original(NOW) == back


@pytest.mark.parametrize("act", ["undo", "redo", "original"])
def test_nothing_to_do_changes_nothing(act):
    past = History()
    assert getattr(past, act)(NOW) == past


class TestNames:
    def test_variants_are_numbered_and_can_be_named(self):
        past = History().apply(recipe(1), NOW).apply(recipe(2), NOW)
        assert past.name(None) == "the original model"
        assert past.name(recipe(2)) == "Variant 2"
        named = past.rename(recipe(1), "  the   careful one ", NOW)
        assert named.name(recipe(1)) == "the careful one"
        assert named.log[-1].note == "Variant 1 is now called the careful one"
        assert named.apply(recipe(1), NOW).kept == named.kept  # a branch from it: no second copy
        assert named.apply(recipe(3), NOW).name(recipe(3)) == "Variant 1"

    @pytest.mark.parametrize("name", ["", "   ", "Variant 2"])
    def test_a_name_that_is_empty_or_taken_changes_nothing(self, name):
        past = History().apply(recipe(1), NOW).apply(recipe(2), NOW)
        assert past.rename(recipe(1), name, NOW) == past

    @pytest.mark.parametrize(
        "name",
        [
            "The original model", "the  ORIGINAL model ", "\u202ethe original model", "Ｔhe original model",
            "Model: x", "model:x", "MODEL: x", "variant 2", "A variant without a name", "\u200b",
        ],
    )  # fmt: skip
    def test_a_name_that_means_something_else_changes_nothing(self, name):
        past = History().apply(recipe(1), NOW).apply(recipe(2), NOW)
        assert past.rename(recipe(1), name, NOW) == past

    def test_marks_that_turn_text_are_dropped_from_a_name(self):
        past = History().apply(recipe(1), NOW).rename(recipe(1), "go\u202eod\x00 \u2066one", NOW)
        assert past.name(recipe(1)) == "good one"

    def test_capitals_of_its_own_name_may_change(self):
        past = History().apply(recipe(1), NOW).rename(recipe(1), "VARIANT 1", NOW)
        assert past.name(recipe(1)) == "VARIANT 1"
        assert past.apply(recipe(2), NOW).name(recipe(2)) == "Variant 2"

    def test_a_long_name_is_cut(self):
        past = History().apply(recipe(1), NOW).rename(recipe(1), "x" * 500, NOW)
        assert past.name(recipe(1)) == "x" * 60

    def test_letting_go_keeps_the_log_and_what_is_in_force(self):
        past = History().apply(recipe(1), NOW).let_go(recipe(1), NOW)
        assert past.kept == ()
        assert past.current == recipe(1)
        assert past.log[-1].note == "Variant 1"


def test_an_exclusion_is_described():
    without = Exclusion(Review(), Aim(("colour",)), (4,), 0.01)
    assert describe(without) == "colour: fitted again without the 1 that the reviewer excluded"
