"""Pairs that a reviewer leaves out leave everything."""

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from app import cache
from app.cache import opened
from app.record.history import Decided, History
from app.record.journal import Journal
from app.record.review import Aim, Review
from app.record.variants import Recipe
from app.reporting.gathering import gather
from app.samples import likeness_of_twins
from app.session import memory, state
from app.view_models import twins
from fmd_core import DataError, Decision
from fmd_core.study import study as procedure
from tests.app.conftest import let_go
from tests.app.test_pages import press, titles

REVIEW, AIM = Review(), Aim(("colour",))


def vetoed(row: int) -> Review:
    return replace(REVIEW, vetoes=(("colour", row),))


def test_a_pair_that_is_left_out_is_nowhere():
    row = int(cache.pairs(REVIEW, "external", "colour").rows[3])
    without = vetoed(row)
    assert row not in cache.pairs(without, "external", "colour").rows
    assert row in cache.pairs(without, "external", "paper").rows
    assert (
        len(cache.inputs(without, AIM, "iterated").bias)
        == len(cache.inputs(REVIEW, AIM, "iterated").bias) - 1
    )
    assert cache.scores(without, AIM).bias != cache.scores(REVIEW, AIM).bias
    heads = [cache.path(r, AIM, "iterated", 0, 0.01).points[3].result.head for r in (REVIEW, without)]
    assert heads[0].fingerprint != heads[1].fingerprint


def test_features_are_kept_and_nothing_is_prepared_again():
    without = vetoed(5)
    assert cache.features(without, "test") is cache.features(REVIEW, "test")
    cache.warm(REVIEW)
    assert cache.is_warm(without)


def test_leaving_everybody_out_is_refused():
    pairs = cache.pairs(REVIEW, "test", "colour")
    with pytest.raises(DataError, match="All 450 pairs by 'colour' were left out; take some back"):
        pairs.without(tuple(pairs.rows.tolist()))
    np.testing.assert_array_equal(pairs.without(()).rows, pairs.rows)


def test_a_pair_is_chosen_and_left_out(open_page):
    pairs, head = cache.pairs(REVIEW, "test", "colour"), cache.head(REVIEW, None)
    view = twins.build(cache.dataset(REVIEW), head, pairs, order=twins.ORDERS[0], only_flips=False, most=24)
    first, second = (t.row for t in view.twins[:2])
    test = open_page("twins")
    assert f"Digit {first}" in test.subheader[0].value  # in short: nothing is asked of it yet
    assert not any(button.label == "Leave this pair out" for button in test.button)
    test.session_state["twins_gallery"] = {"selected": second}
    test = test.run()
    assert f"Digit {second}" in test.subheader[0].value
    test = press(test, "Leave this pair out")
    journal = test.session_state["journals"][REVIEW.data, REVIEW.model]
    assert journal.history.now.vetoes == (("colour", second),)
    assert "of 449 twins" in titles(test)


def test_a_veto_on_the_page_changes_the_figures_and_stands_in_the_history(open_page):
    test = open_page("twins")
    before = titles(test)
    assert "of 450 twins" in before
    row = int(cache.pairs(REVIEW, "test", "colour").rows[0])
    vetoes = Decided(vetoes=(("colour", row),))
    history = History().done("left a pair out", vetoes, datetime.now(UTC))
    test.session_state["journals"] = {(REVIEW.data, REVIEW.model): Journal(history)}
    test.run()
    assert "of 449 twins" in titles(test)
    assert any(e.label == "Left out by colour\\: 1" or "Left out by colour" in e.label for e in test.expander)
    test = press(test, f"Take pair {row} back")
    assert titles(test) == before
    test = test.switch_page("app_pages/unlearn.py").run()
    history = next(t.value for t in test.table if "Action" in t.value.columns)
    assert history["Action"].tolist() == ["took a pair back", "left a pair out"]
    assert history.iloc[0, 2] == f"colour, pair {row}"


def test_a_pair_left_out_after_a_fix_leaves_the_fix_s_figures_too(monkeypatch):
    monkeypatch.setattr(memory.st, "session_state", {"attribute": "colour"})
    variant = Recipe(REVIEW, AIM, "iterated", 0, 3.0, 1.0, 0.01)
    state.apply(variant)
    row = int(cache.pairs(REVIEW, "test", "colour").rows[3])
    state.veto("colour", row, "test")
    found = gather(state.review(), Decision())
    assert found.left_out == (("colour", row),)
    assert found.comparison.bias.before.n == found.audit.attributes[0].bias.n == 449
    after = found.audit_after.attributes[0].bias.value
    assert after == pytest.approx(found.comparison.bias.after.value, rel=1e-5)
    assert cache.head(REVIEW, variant) is cache.head(state.review(), variant)  # the fix stays as it was made
    assert cache.comparison(REVIEW, variant, "colour").bias.before.n == 450


def test_a_report_lists_no_more_samples_than_there_are(monkeypatch):
    monkeypatch.setattr(memory.st, "session_state", {"attribute": "colour"})
    assert gather(REVIEW, Decision()).top_k == 50
    monkeypatch.setattr(procedure, "TOP_K", 10_000)
    assert gather(REVIEW, Decision()).top_k == len(cache.features(REVIEW, "train"))


@pytest.mark.parametrize(
    ("limit", "share"), [(None, 100), (0.2, 25), (0.4, 50), (0.3, likeness_of_twins.OTHER)]
)
def test_a_limit_of_likeness_is_known_again_or_named_as_it_is(limit, share):
    assert likeness_of_twins._share_of(limit, {25: 0.2, 50: 0.4, 75: 0.6}) == share


@pytest.mark.usefixtures("fresh_caches")
def test_where_no_pair_is_alike_enough_the_way_out_is_on_the_page(monkeypatch, open_page):
    matched = replace(cache.dataset(REVIEW), pair_method="matched")
    monkeypatch.setattr(opened, "open_data", lambda _reference: matched)
    test = open_page("twins")
    test.session_state["review"] = replace(REVIEW, most_unlike=1e-9)
    test = test.run()
    assert "less alike" in test.error[0].value
    choice = next(box for box in test.selectbox if box.label == "Twins that count")
    assert choice.options[0] == "Chosen before (up to 0.00)"
    assert choice.value == likeness_of_twins.OTHER
    test = choice.set_value(100).run()
    assert not test.error
    assert test.session_state["review"].most_unlike is None


def test_the_twins_of_every_part_can_be_looked_at(open_page):
    test = open_page("twins")
    test.selectbox(key="twins_split").set_value("external").run()
    assert "of 200 external twins" in titles(test)
    assert not test.exception


def test_leaving_a_pair_out_stands_in_the_history(monkeypatch):
    monkeypatch.setattr(memory.st, "session_state", {})
    state.veto("colour", 7, "external")
    assert state.review().vetoed("colour") == (7,)
    assert [(e.action, e.note) for e in state.history().log] == [
        ("left a pair out", "colour, pair 7 of the external part")
    ]


def test_who_is_whose_matched_twin_is_the_same_one_layer_deeper(monkeypatch):
    let_go("pairing")
    matched = replace(cache.dataset(REVIEW), pair_method="matched")
    monkeypatch.setattr(opened, "dataset", lambda _review: matched)
    pairs = [cache.pairs(Review(depth=d), "test", "colour") for d in ("last layer", "concatenated")]
    let_go("pairing")
    assert pairs[0].method == "matched"
    for side in ("favoured", "other"):
        np.testing.assert_array_equal(getattr(pairs[0], side).rows, getattr(pairs[1], side).rows)
    np.testing.assert_array_equal(pairs[0].distance, pairs[1].distance)
    assert pairs[1].favoured.features.shape[1] > pairs[0].favoured.features.shape[1]
