"""A strategy and a baseline from outside go the whole way: find, look, unlearn, guard, compare, report."""

import sys
from dataclasses import replace

import numpy as np
import pytest

import fmd_core as fmd
from fmd_core import method
from fmd_core.measure.bias_functions import GroupGap
from fmd_core.method import Method, find_method, methods, register, strategies, unregister
from fmd_core.models.feature_store import FeatureStore
from fmd_core.report import wording
from fmd_core.report.writing import json_values, report_json
from fmd_core.reproduction.experiments import Experiment, guarded
from fmd_core.unlearn.baselines import (
    BaselineInputs,
    baselines,
    find_baseline,
    register_baseline,
    unregister_baseline,
)
from tests.own_strategy import BASELINE, STRATEGY


@pytest.fixture
def own():
    register(STRATEGY)
    yield STRATEGY
    unregister(STRATEGY.name)


@pytest.fixture
def own_baseline():
    register_baseline(BASELINE)
    yield BASELINE
    unregister_baseline(BASELINE.name)


def rivals_of(problem, scores=None):
    guards = problem.features["validation"]
    levels = problem.dataset.attribute(problem.attribute).codes[guards.rows]
    return fmd.rival_heads(
        problem.head, problem.features["train"], scores or problem.scores, [problem.pairs["external"]], guards,
        levels, k=10, damping=problem.damping,
    )  # fmt: skip


@pytest.mark.usefixtures("own_baseline")
def test_the_whole_way(demo, own):
    audit, path = demo.audit(), fmd.unlearning_path(demo.head, demo.inputs, demo.guard, strategy=own.name)
    assert [p.result.strength for p in path.points] == [0.0, *own.strengths]
    assert path.blends == ()  # it does not search them
    assert {p.result.strategy for p in path.points} == {own.name}
    last = path.points[-1]
    assert last.bias < path.original.bias
    once = fmd.unlearn(demo.head, demo.inputs, strategy=own.name, strength=1.0)
    assert once.head.fingerprint == last.result.head.fingerprint

    def measured(head):
        return fmd.compare(demo.head, head, demo.dataset, demo.features["test"], demo.pairs["test"])

    found = measured(last.result.head)
    assert found.bias.difference.value < 0
    rivals = tuple((rival, measured(rival.head)) for rival in rivals_of(demo))
    assert rivals[-1][0].title == "Always the most common class of 900"
    assert rivals[-1][1].bias.after.value == 0
    evidence = fmd.Evidence(
        demo.dataset, demo.classifier, audit, 0.1, demo.scores, 3, point=last, tolerance=0.01, comparison=found,
        rivals=rivals,
    )  # fmt: skip
    made = fmd.build_report(evidence)
    report = json_values(made)
    assert report["settings"]["strategy"] == own.name
    assert report["settings"]["k"] is None
    assert report["done"]["current"]["setting"] == "Project out what twins differ in, share 1"
    html = fmd.render_report(evidence, report=made)
    assert "Project out what twins differ in (project-out)" in html
    assert "<dt>Share</dt><dd>1</dd>" in html
    assert "Always the most common class of 900" in html
    assert "Only the last layer was changed." in html
    opened = fmd.read_report(report_json(made).encode())
    assert opened.is_intact
    assert "Project out what twins differ in (project-out)" in fmd.render_page(opened.report)


def test_a_report_of_a_strategy_that_is_not_here_is_refused_with_those_that_are(demo):
    register(STRATEGY)
    point = fmd.unlearning_path(demo.head, demo.inputs, demo.guard, strategy=STRATEGY).points[-1]
    evidence = fmd.Evidence(demo.dataset, demo.classifier, demo.audit(), 0.1, demo.scores, 3, point=point)
    made = fmd.build_report(evidence)
    unregister(STRATEGY.name)
    with pytest.raises(fmd.DataError, match=r"'settings\.strategy' is not one of: iterated, paper-remove, "):
        fmd.read_report(report_json(made).encode())
    with pytest.raises(fmd.DataError, match=r"Unknown method 'project-out'\. Methods are: iterated, "):
        fmd.build_report(evidence)


def test_it_can_be_used_without_the_list(tiny):
    found = fmd.unlearn(tiny.head, tiny.inputs, strategy=STRATEGY, strength=0.5)
    assert found.strategy == STRATEGY.name
    assert np.abs(found.head.weight).sum() < np.abs(tiny.head.weight).sum()
    with pytest.raises(fmd.DataError, match="Unknown strategy 'project-out'"):
        fmd.unlearn(tiny.head, tiny.inputs, strategy=STRATEGY.name)


@pytest.mark.usefixtures("own_baseline")
def test_the_published_comparison_has_both(demo, own, tmp_path):
    rows = list(Experiment(demo.dataset, demo.classifier, "colour", (0.01,), FeatureStore(tmp_path)).rows())
    names = [row.method for row in rows]
    assert guarded(own.name, 0.01) in names
    row = next(row for row in rows if row.method == BASELINE.published)
    assert (row.pairs, row.setting) == (0, "no setting")  # it was fitted to none


# --- needs


def test_what_a_strategy_needs_is_asked_for_by_name(tiny):
    bare = fmd.UnlearningInputs(tiny.features["train"], tiny.bias("external"))
    wanted = {
        "paper-external": "paper-external needs the curvature of the training loss (curvature); give it.",
        "paper-remove": "paper-remove needs the curvature of the training loss (curvature); give it.",
        "paper-replace": "paper-replace needs the curvature of the training loss (curvature); give it.",
    }
    for strategy in strategies():
        if strategy.needs:
            with pytest.raises(fmd.DataError) as caught:
                fmd.unlearn(tiny.head, bare, strategy=strategy, k=5)
            assert str(caught.value) == wanted[strategy.name]
        else:
            assert fmd.unlearn(tiny.head, bare, strategy=strategy).head is not tiny.head
    with_curvature = replace(bare, curvature=tiny.curvature)
    with pytest.raises(
        fmd.DataError, match=r"paper-remove needs .* influence on the bias \(scores\); give it"
    ):
        fmd.unlearn(tiny.head, with_curvature, strategy="paper-remove", k=5)
    with_scores = replace(with_curvature, scores=tiny.scores)
    with pytest.raises(fmd.DataError, match=r"paper-replace needs .* own twins \(train_pairs\); give them"):
        fmd.unlearn(tiny.head, with_scores, strategy="paper-replace", k=5)


def test_a_strategy_for_twins_says_so_where_the_bias_is_a_gap(tiny):
    gap = GroupGap.of(tiny.dataset, tiny.features["external"], "mark", "demographic parity")
    with pytest.raises(fmd.DataError, match="project-out needs a bias between twins, and this is a gap"):
        fmd.unlearn(tiny.head, replace(tiny.inputs, bias=gap), strategy=STRATEGY)


def test_a_baseline_without_what_it_needs_says_so(tiny):
    harmful, twins = find_baseline("without harmful"), find_baseline("refit on twins")
    given = BaselineInputs(tiny.head, tiny.features["train"], [], 5, tiny.damping)
    with pytest.raises(fmd.DataError, match=r"'without harmful' needs .* influence"):
        harmful.fitted(given)
    with pytest.raises(fmd.DataError, match="'refit on twins' needs twins"):
        twins.fitted(given)


# --- the lists


def test_the_default_comes_first_whoever_registers_when(monkeypatch):
    own_first = {STRATEGY.name: STRATEGY, **method._known}
    monkeypatch.setattr(method, "_known", own_first)
    assert [strategy.name for strategy in strategies()][:2] == ["iterated", STRATEGY.name]


@pytest.mark.parametrize(
    ("place", "listed", "source"),
    [
        (
            "fmd_core.method.STRATEGY_MODULES",
            strategies,
            "register(replace(STRATEGY, name='listed'))",
        ),
        (
            "fmd_core.unlearn.baselines.BASELINE_MODULES",
            baselines,
            "register_baseline(replace(BASELINE, name='listed'))",
        ),
    ],
)
def test_one_line_puts_a_module_of_ours_on_the_list(place, listed, source, tmp_path, monkeypatch):
    (tmp_path / "our_newcomer.py").write_text(
        "from dataclasses import replace\n"
        "from fmd_core.unlearn.baselines import register_baseline\n"
        "from fmd_core.method import register\n"
        f"from tests.own_strategy import BASELINE, STRATEGY\n{source}\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    module, name = place.rsplit(".", 1)
    holder = sys.modules[module]  # fmd_core.unlearn by name is the function
    monkeypatch.setattr(holder, name, (*getattr(holder, name), "our_newcomer"))
    monkeypatch.setattr(holder, "_known", dict(holder._known))
    try:
        assert [each.name for each in listed()][-1] == "listed"
    finally:
        sys.modules.pop("our_newcomer", None)


def test_names_of_old_reports_are_all_known():
    names = [each.name for each in methods()]
    assert names[:5] == ["iterated", "paper-remove", "paper-replace", "paper-external", "retained"]
    assert sorted(names[5:]) == ["adversary", "erasure", "exclusion", "learn-on", "pattern", "trained-beside"]
    assert {each.name for each in methods() if each.retrains} == {
        "adversary",
        "learn-on",
        "pattern",
        "trained-beside",
    }
    assert {each.name for each in methods() if each.leaves_out_excluded} == {"exclusion"}
    assert [each.name for each in baselines()] == [
        "without harmful", "without random", "refit on twins", "thresholds moved",
    ]  # fmt: skip
    assert all(each.title for each in methods())
    assert all(each.note.endswith(".") for each in baselines())


def test_a_method_that_is_no_strategy_has_no_strengths():
    assert find_method("erasure").title_in_report == find_method("erasure").title
    with pytest.raises(fmd.DataError, match=r"Unknown strategy 'erasure'\. Choose one of: iterated, "):
        fmd.find_strategy("erasure")


def test_a_name_that_is_taken_is_refused(own):
    register(own)  # the same again is no other
    with pytest.raises(fmd.DataError, match="There is a method 'project-out' already"):
        register(replace(own, title="Another"))
    with pytest.raises(fmd.DataError, match="There is a method 'erasure' already"):
        register(replace(own, name="erasure"))
    with pytest.raises(fmd.DataError, match="There is a baseline 'without random' already"):
        register_baseline(replace(BASELINE, name="without random"))


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"name": "Two words"}, "'Two words' cannot be the name of a method"),
        ({"needs": frozenset({"luck"})}, "Unknown need 'luck' of 'project-out'. Needs are: pairs, curvature"),
        ({"strengths": ()}, r"must ascend from above 0, got \(\)"),
        ({"strengths": (0.5, 0.1)}, "must ascend"),
        ({"strengths": (0.0, 0.1)}, "must ascend"),
    ],
)
def test_a_strategy_that_makes_no_sense_is_refused(change, problem):
    with pytest.raises(fmd.DataError, match=problem):
        replace(STRATEGY, **change)


def test_a_method_needs_a_name_and_a_title_only():
    assert not Method(name="other", title="Another way").retrains
    assert wording.setting(STRATEGY, 0.5, 0, 1.0) == "Project out what twins differ in, share 0.5"
