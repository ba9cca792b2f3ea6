"""Who decides, who guards and who judges: the app must never mix the four parts of the data."""

from dataclasses import replace
from threading import Event
from types import SimpleNamespace

import numpy as np
import pytest

import fmd_core as fmd
from app import cache
from app.cache import bounded, judgements, opened
from app.jobs import preparation
from app.jobs.job import JobStopped
from app.jobs.registry import REGISTRY
from app.record.review import Aim, Review
from app.record.variants import Recipe
from fmd_core import Column, DataError, unlearn
from fmd_core.data import SPLITS
from fmd_core.errors import NoTwinsError
from fmd_core.method import find_strategy
from fmd_core.models import feature_store
from fmd_core.study import fixing, people, teaching
from tests.app.conftest import let_go

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
    assert set(cache.comparison(REVIEW, recipe(), "colour").rows.tolist()) == rows_of("test")


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
    found = cache.head(REVIEW, recipe(strength=find_strategy("iterated").strengths[0]))
    alone = unlearn(
        cache.classifier(REVIEW).head,
        cache.inputs(REVIEW, AIM, "paper-replace"),
        strength=find_strategy("iterated").strengths[0],
    )
    np.testing.assert_allclose(found.theta, alone.head.theta, atol=1e-5)


def test_tolerance_changes_the_verdict_and_solves_nothing(monkeypatch):
    strict = cache.path(REVIEW, AIM, "paper-external", 0, 0.0)
    monkeypatch.setattr(fixing, "solve_path", None)
    loose = cache.path(REVIEW, AIM, "paper-external", 0, 0.5)
    assert any(p.refusal.startswith("accuracy falls") for p in strict.points)
    assert not any(p.refusal.startswith("accuracy falls") for p in loose.points)


@pytest.mark.usefixtures("fresh_caches")
def test_an_attribute_with_one_value_is_left_out_of_the_audit(monkeypatch, open_page):
    data = cache.dataset(REVIEW)
    flat = Column("paper", np.zeros(len(data), int), ("plain",))
    one_valued = replace(data, attributes={**data.attributes, "paper": flat})
    monkeypatch.setattr(opened, "open_data", lambda _reference: one_valued)
    with pytest.raises(DataError, match=r"^'paper' has one value only \(plain\)"):
        cache.pairs(REVIEW, "test", "paper")
    page = open_page("find_bias")
    assert not page.error
    assert not page.exception
    assert "paper" in page.info[0].value
    assert page.table[1].value["Attribute"].tolist() == ["colour"]


@pytest.mark.usefixtures("fresh_caches")
def test_an_attribute_without_twins_blocks_no_other(monkeypatch, open_page):
    real = fmd.pair_counterfactuals

    def pair(data, model, *, attribute, **options):
        if attribute == "paper":
            raise NoTwinsError("Nobody has a twin by 'paper'.")
        return real(data, model, attribute=attribute, **options)

    monkeypatch.setattr(people, "pair_counterfactuals", pair)
    assert (cache.testable(REVIEW), cache.untested(REVIEW)) == (
        ["colour"], {"paper": "Nobody has a twin by 'paper'."}
    )  # fmt: skip
    cache.warm(REVIEW)
    assert cache.is_warm(REVIEW)  # nothing is looked for again
    page = open_page("find_bias")
    assert not page.error
    assert page.info[0].value == "Not tested by paper. Nobody has a twin by 'paper'."
    assert page.table[1].value["Attribute"].tolist() == ["colour"]
    page = page.selectbox(key="attribute").set_value("paper").run()
    assert "Nobody can be compared by 'paper'" in page.error[0].value
    page = page.selectbox(key="attribute").set_value("colour").run()
    for name in ("unlearn", "report", "compare"):
        page = page.switch_page(f"app_pages/{name}.py").run()
        assert not page.error, name
        assert not page.exception, name


@pytest.mark.usefixtures("fresh_caches")
def test_without_any_twins_every_reason_is_said(monkeypatch):
    def refuse(_data, _model, *, attribute, **_options):
        raise NoTwinsError(f"Nobody has a twin by '{attribute}'.")

    monkeypatch.setattr(people, "pair_counterfactuals", refuse)
    with pytest.raises(DataError) as caught:
        cache.audit(REVIEW, None)
    for name in ("colour", "paper"):
        assert f"'{name}' cannot be tested: Nobody has a twin by '{name}'." in str(caught.value)


# --- held in memory, as long as there is room


@pytest.fixture
def memory(fresh_caches, monkeypatch):  # noqa: ARG001
    """Sets how many bytes there are; nothing is held before and after."""
    return lambda n_bytes: monkeypatch.setattr(bounded._RESULTS, "_Cache__maxsize", n_bytes)


def fingerprints(review):
    parts = [cache.features(review, split) for split in SPLITS]
    twins = [cache.pairs(review, split, a) for split in SPLITS for a in ("colour", "paper")]
    heads = [cache.head(review, replace(recipe(), review=review, strength=s)) for s in (0.1, 1.0)]
    return [part.fingerprint for part in (*parts, *twins, *heads)]


def test_real_results_stay_within_the_room_and_those_that_had_to_go_come_out_the_same(memory):
    expected = fingerprints(REVIEW)
    everything = bounded.held_bytes()
    bounded.clear()
    memory(everything // 3)
    for _ in range(2):
        assert fingerprints(REVIEW) == expected
        assert 0 < bounded.held_bytes() <= everything // 3
        assert not opened.are_read(REVIEW, "test")  # used longest ago
        assert cache.is_solved(REVIEW, AIM, "iterated", 0)  # used last


def test_what_is_said_to_cost_nothing_is_held(memory, monkeypatch):
    asked = REVIEW, AIM, "iterated", 0
    audited = []
    monkeypatch.setattr(judgements, "audit", lambda *asked: audited.append(asked))
    cache.warm(REVIEW)
    assert audited == [(REVIEW, None)]
    cache.warm_path(*asked)
    assert cache.is_warm(REVIEW)
    assert cache.is_warm(replace(REVIEW, vetoes=(("colour", 7),)))  # nobody is read again for it
    assert not cache.is_warm(replace(REVIEW, depth="concatenated"))
    assert cache.is_solved(*asked)
    assert not cache.is_solved(*asked[:3], 1)
    for step in ("pairing", "features"):
        let_go(step)
        assert not cache.is_warm(REVIEW)
        cache.warm(REVIEW)
        assert cache.is_warm(REVIEW)
    assert cache.is_solved(*asked)
    memory(bounded.held_bytes())
    bounded.kept()(lambda: bytes(bounded.held_bytes() - 2_000))()  # somebody else's
    assert not cache.is_solved(*asked)


def test_a_score_check_is_known_as_long_as_it_is_held(memory, monkeypatch):  # noqa: ARG001
    monkeypatch.setattr(teaching, "check_scores", lambda *_, k, **__: SimpleNamespace(k=k))
    for k in (12, 3):
        cache.score_check(REVIEW, AIM, k)
    assert [found.k for found in cache.known_score_checks(REVIEW, AIM)] == [3, 12]
    assert cache.known_score_checks(REVIEW, Aim(("paper",))) == ()
    let_go("score check")
    assert cache.known_score_check(REVIEW, AIM, 12) is None


def test_no_result_gets_larger_than_it_counts_for(memory):  # noqa: ARG001
    model, pairs = cache.classifier(REVIEW), cache.pairs(REVIEW, "train", "colour")
    cache.classifier(replace(REVIEW, depth="concatenated"))
    cache.warm_path(REVIEW, AIM, "paper-replace", 5)
    assert model.encoder.module is not None
    assert "counterparts" in vars(pairs) or pairs.counterparts
    assert cache.counterparts(REVIEW.data, "test", "colour") is not None
    for key, held in bounded._RESULTS.items():
        name = getattr(key[0], "__name__", key[0])
        more = bounded.ENTRY_BYTES + bounded.size_of(held.value) - held.n_bytes
        strokes = 8_000_000 if name == "open_data" else 0  # this demo enlarges them once: it is the only one
        assert more <= 0.05 * held.n_bytes + strokes, name


def test_who_has_waited_once_is_not_made_to_wait_for_ever(memory, monkeypatch, open_page):
    memory(bounded.MAP_BYTES)  # no room for any features
    monkeypatch.setattr(preparation, "PATIENCE_SECONDS", 0.0)
    done, go_on = [], Event()
    monkeypatch.setattr(cache, "warm", lambda *_: done.append(go_on.wait(60)))  # nothing of it is held
    page = open_page("twins")
    assert page.title[0].value == "Getting Coloured digits ready."
    job = next(job for job in REGISTRY.recent() if job.title.startswith("Getting"))
    go_on.set()
    assert job.wait(60)
    assert not cache.is_warm(REVIEW)
    page.run()
    assert not page.exception
    assert "of 450 twins" in page.title[0].value
    assert done == [True]
    other = REGISTRY.start("other", "Other work", lambda _: None)
    assert other.wait(60)
    page.session_state["jobs"] = (other.id,)  # as somebody who has waited for something else
    go_on.clear()
    assert page.run().title[0].value == "Getting Coloured digits ready."
    go_on.set()


# --- how far the work has come


@pytest.mark.parametrize("strategy", ["iterated", "paper-replace"])
def test_progress_goes_up_from_nothing_to_all(memory, strategy):  # noqa: ARG001
    told = []
    cache.warm_path(REVIEW, AIM, strategy, 5, told.append)
    assert told == sorted(told)
    assert (told[0], told[-1]) == (0.0, 1.0)
    assert len(set(told)) > 10


@pytest.mark.parametrize(
    ("module", "step"),
    [
        (people, "extract_features"),
        (people, "pair_counterfactuals"),
        (teaching, "fit_curvature"),
        (teaching, "bias_influence"),
        (fixing, "solve_path"),
    ],
)
def test_work_can_be_stopped_in_every_step_of_it(memory, monkeypatch, tmp_path, module, step):  # noqa: ARG001
    monkeypatch.setenv("FMD_HOME", str(tmp_path))  # where nothing was read before
    monkeypatch.setattr(feature_store, "_shipped", lambda *_: None)  # nor comes with the demo
    inside, work = [], getattr(module, step)

    def watched(*given, progress, **named):
        inside.append(True)
        try:
            return work(*given, progress=progress, **named)
        finally:
            inside.pop()

    def stop(_share):
        if inside:
            raise JobStopped

    monkeypatch.setattr(module, step, watched)
    with pytest.raises(JobStopped):
        cache.warm_path(REVIEW, AIM, "paper-remove", 5, stop)
    assert not cache.is_solved(REVIEW, AIM, "paper-remove", 5)
    cache.warm_path(REVIEW, AIM, "paper-remove", 5)
    assert cache.is_solved(REVIEW, AIM, "paper-remove", 5)
