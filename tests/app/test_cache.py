"""Who decides, who guards and who judges: the app must never mix the four parts of the data."""

from dataclasses import replace

import numpy as np
import pytest

from app import cache
from app.review import Aim, Review
from app.variants import Recipe
from fmd_core import Column, DataError, unlearn
from fmd_core.unlearning import STRENGTHS

REVIEW, AIM = Review(), Aim(("colour",))


def rows_of(split):
    return set(cache.dataset(REVIEW).rows(split).tolist())


def recipe(**changes):
    return replace(Recipe(REVIEW, AIM, "iterated", 0, 0.1, 1.0, 0.01), **changes)


def test_the_fix_is_decided_by_training_samples_and_external_twins():
    inputs = cache.inputs(REVIEW, AIM, "paper-replace")
    assert set(inputs.train.rows.tolist()) == set(inputs.train_pairs[0].rows.tolist()) == rows_of("train")
    assert set(inputs.bias.pairs.rows.tolist()) == rows_of("external")


def test_the_guard_is_validation_alone():
    guard = cache.guard(REVIEW, AIM, 0.03)
    assert set(guard.features.rows.tolist()) == set(guard.bias.pairs.rows.tolist()) == rows_of("validation")
    assert guard.tolerance == 0.03


def test_test_samples_judge():
    assert set(cache.comparison(recipe(), "colour").rows.tolist()) == rows_of("test")


def test_scores_leave_one_out():
    assert cache.scores(REVIEW, AIM).method == "leave-one-out"


def test_a_recipe_names_one_point_blends_too():
    found = [cache.point(recipe(strength=s, blend=b)) for s in (0.1, 1.0) for b in (1.0, 0.5)]
    assert [(p.result.strength, p.result.blend) for p in found] == [(0.1, 1), (0.1, 0.5), (1, 1), (1, 0.5)]
    assert len({p.result.head.fingerprint for p in found}) == 4


def test_a_recipe_of_another_k_is_another_head():
    heads = {
        cache.head(REVIEW, recipe(strategy="paper-remove", strength=1.0, k=k)).fingerprint for k in (5, 50)
    }
    assert len(heads) == 2


def test_the_path_is_the_library_s_own():
    found = cache.head(REVIEW, recipe(strength=STRENGTHS["iterated"][0]))
    alone = unlearn(
        cache.classifier(REVIEW).head,
        cache.inputs(REVIEW, AIM, "paper-replace"),
        strength=STRENGTHS["iterated"][0],
    )
    np.testing.assert_allclose(found.theta, alone.head.theta, atol=1e-5)


def test_tolerance_changes_the_verdict_and_solves_nothing(monkeypatch):
    strict = cache.path(REVIEW, AIM, "paper-external", 0, 0.0)
    monkeypatch.setattr(cache.fmd, "solve_path", None)
    loose = cache.path(REVIEW, AIM, "paper-external", 0, 0.5)
    assert any(p.refusal.startswith("accuracy falls") for p in strict.points)
    assert not any(p.refusal.startswith("accuracy falls") for p in loose.points)


@pytest.mark.usefixtures("fresh_caches")
def test_an_attribute_with_one_value_is_left_out_of_the_audit(monkeypatch, open_page):
    data = cache.dataset(REVIEW)
    flat = Column("paper", np.zeros(len(data), int), ("plain",))
    one_valued = replace(data, attributes={**data.attributes, "paper": flat})
    monkeypatch.setattr(cache, "open_data", lambda _reference: one_valued)
    with pytest.raises(DataError, match=r"^'paper' has one value only \(plain\)"):
        cache.pairs(REVIEW, "test", "paper")
    page = open_page("find_bias")
    assert not page.error
    assert not page.exception
    assert "paper" in page.info[0].value
    assert page.table[0].value["Attribute"].tolist() == ["colour"]
