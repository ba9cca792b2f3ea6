"""Every public value says itself in one line, and is a table where it is one."""

import dataclasses
import inspect
import re
import subprocess
import sys
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import fmd_core as fmd
from fmd_core.forget.forgetting import Seen
from fmd_core.measure.bias_functions import predictions
from fmd_core.measure.group_metrics import GroupMetrics
from fmd_core.measure.verdict.twins import TwinAnswers
from fmd_core.models.depth import find_depth
from fmd_core.report.evidence import Step
from fmd_core.report.writing import report_json
from fmd_core.showing import LONGEST, Results, one_line, table
from fmd_core.unlearn.baselines import baselines

PUBLIC = [value for name in fmd.__all__ if inspect.isclass(value := getattr(fmd, name))]
VALUES = [value for value in PUBLIC if dataclasses.is_dataclass(value)]
AS_IT_IS = {fmd.Preprocess}
"""Its dataclass repr is part of the encoder's fingerprint, by which features are kept on disk."""
SNAKE = re.compile(r"[a-z][a-z0-9_]*")


@pytest.fixture(scope="module")
def shown(tiny):
    """One of every public value."""
    report, split = tiny.audit(), tiny.features
    flags, findings = fmd.red_flags(tiny.head, tiny.dataset, split["test"]), fmd.scan(report, 0.05)
    scores, path = tiny.scores, tiny.path
    check = fmd.check_scores(
        tiny.head, split["train"], tiny.bias("external"), scores,
        held_out=tiny.bias("test"), k=5, damping=tiny.damping, draws=2, plants=4,
    )  # fmt: skip
    rivals = fmd.rival_heads(
        tiny.head, split["train"], scores, [tiny.pairs["external"]], split["validation"],
        tiny.dataset.attribute("mark").codes[split["validation"].rows], k=5, damping=tiny.damping,
    )  # fmt: skip
    erased = fmd.erase(tiny.head, tiny.dataset, split["train"], ["mark"], damping=tiny.damping)
    seen = Seen(tiny.head, split["external"], split["test"], {"mark": tiny.pairs["test"]})
    forgetting = fmd.judge_forgetting(
        seen, seen.after(erased), tiny.dataset, ["mark"], seconds=erased.seconds, seeds=(0,)
    )
    classifier = fmd.load_demo_classifier("colored_digits")
    at = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)
    line = fmd.LogLine(at, "apply", "iterated, strength 0.3", "0123456789abcdef")
    evidence = fmd.Evidence(tiny.dataset, classifier, report, 0.05, scores, 10)
    people = split["test"]
    answered = fmd.Answered(people.rows, people.labels, predictions(tiny.head, people.features))
    twins = TwinAnswers.of(tiny.head, tiny.pairs["test"])
    verdict = fmd.give_verdict(tiny.dataset, answered, [twins])
    strategy = fmd.find_strategy("iterated")
    gap = fmd.GroupGap.of(tiny.dataset, split["test"], "mark", "demographic parity")
    found = [
        tiny.dataset, tiny.dataset.target, split["train"], tiny.pairs["test"], report, report.attributes[0],
        report.attributes[0].metrics, report.attributes[0].groups[0], report.accuracy, findings[0], flags[0],
        tiny.bias("test"), gap, fmd.JointBias((tiny.bias("test"),)), scores, tiny.curvature, tiny.head,
        fmd.MLPHead(np.ones((4, 6)), np.zeros(4), fmd.LinearHead(np.zeros((3, 4)), np.zeros(3))), classifier,
        tiny.guard, tiny.inputs, path, path.points[1], path.suggested.result, tiny.comparison,
        tiny.comparison.accuracy, fmd.Candidate(tiny.head, split["test"], tiny.pairs["test"]), check, *rivals,
        erased, erased.erasure, seen, forgetting, forgetting.readings[0], forgetting.readings[0].after,
        fmd.Explanation("grad-cam", 1, np.ones((8, 8)), (), 0.5), fmd.TrainingStep(0.5, 3, 20, 0.21, 0.912, 12.0),
        fmd.Decision(), fmd.Decision("accept", "Ann", date(2026, 3, 1)), fmd.SampleRemark(12, True, note="a 7"),
        line, fmd.AuditTrail((line,), True, "It is whole."), Step(at, "apply", "mark", path.suggested.result),
        fmd.Evidence(tiny.dataset, classifier, report, 0.05, scores, 10, comparison=tiny.comparison),
        fmd.read_report(report_json(fmd.build_report(evidence)).encode()), fmd.Preprocess(),
        fmd.Aim(("mark",)), answered, twins, verdict, verdict.limits, strategy,
        strategy.prepare(tiny.head, tiny.inputs, 0), baselines()[0], find_depth("two layers"),
    ]  # fmt: skip
    return {type(value).__name__: value for value in found} | {"Findings": findings, "RedFlags": flags}


def test_there_is_one_of_every_public_value(shown):
    assert {value.__name__ for value in VALUES} <= set(shown)


@pytest.mark.parametrize("value", [value for value in VALUES if value not in AS_IT_IS])
def test_every_public_value_has_a_line_of_its_own(value):
    written = inspect.unwrap(value.__repr__).__code__.co_filename
    assert Path(written) == Path(inspect.getfile(value)), (
        "not the one that a dataclass makes, with all arrays"
    )


def test_a_line_is_short_and_holds_no_arrays(shown):
    for name, value in shown.items():
        text = repr(value)
        assert re.fullmatch(rf"{type(value).__name__}\(.+\)", text), text
        assert len(text) <= LONGEST, f"{name}: {text}"
        assert "array(" not in text, text
        assert text.isprintable(), text


def test_what_the_lines_say(shown):
    assert {
        name: repr(shown[name]) for name in ("Column", "Curvature", "Erasure", "GroupGap", "LogLine")
    } == {
        "Column": "Column(shape, 3 levels, 560 samples)",
        "Curvature": f"Curvature(cholesky, damping 0.001, of head {shown['LinearHead'].fingerprint[:8]})",
        "Erasure": "Erasure(mark, within class, 3 of 6 directions gone)",
        "GroupGap": "GroupGap(demographic parity by mark, 150 people)",
        "LogLine": "LogLine(2026-03-01 12:30, apply, hash 01234567, iterated, strength 0.3)",
    }
    assert repr(shown["Decision"]) == "Decision(accept, by Ann, 2026-03-01)"
    assert repr(fmd.Decision()) == "Decision(no decision yet)"
    assert repr(shown["TrainingStep"]) == "TrainingStep(epoch 3 of 20, loss 0.21, accuracy 91.2 %, 12 s left)"
    assert repr(shown["SampleRemark"]) == "SampleRemark(row 12, marked, a 7)"
    assert repr(fmd.Estimate(0.588, 0.548, 0.629, 450)) == "Estimate(0.588, 0.548 to 0.629, n = 450)"
    assert repr(fmd.Estimate.unknown(12)) == "Estimate(not enough people to say (n = 12))"


def test_the_line_of_scores_says_what_the_worst_does():
    effects, rows = np.full(5000, 0.001), np.arange(5000)
    scores = fmd.InfluenceScores("colour", effects, rows, 0.6)
    assert repr(scores) == "InfluenceScores(5,000 training samples, none is harmful)"
    effects[3] = -0.0041
    scores = fmd.InfluenceScores("colour", effects, rows, 0.6)
    assert repr(scores) == (
        "InfluenceScores(5,000 training samples, most harmful lowers colour bias by 0.41 points)"
    )


def test_names_from_outside_neither_break_the_line_nor_lengthen_it():
    column = fmd.Column("a\nb\u202ec" + "x" * 500, np.zeros(3, int), ("one",))
    assert repr(column).startswith("Column(a b cxxx")
    assert repr(column).endswith("…)")
    assert len(repr(column)) == LONGEST


def test_showing_works_nothing_out(shown):
    for name in ("AttributeDataset", "FeatureSet", "CounterfactualPairs", "LinearHead", "Classifier"):
        value = dataclasses.replace(shown[name])
        repr(value)
        derived = set(vars(value)) - {field.name for field in dataclasses.fields(value)}
        assert not derived, f"{name} worked out {derived}"


def test_the_line_of_a_preparation_is_part_of_fingerprints_and_stays():
    assert repr(fmd.Preprocess()) == "Preprocess(normalisation='symmetric', size=None)"
    assert repr(fmd.Preprocess("imagenet", 224)) == "Preprocess(normalisation='imagenet', size=224)"


# --- tables


def test_every_table_has_plain_columns_and_a_row_for_each_thing(shown):
    rows = {
        "AttributeDataset": 3 + 3 + 2, "CounterfactualPairs": len(shown["CounterfactualPairs"]),
        "BiasReport": 2, "AttributeBias": len(shown["AttributeBias"].groups), "GroupMetrics": 6,
        "InfluenceScores": len(shown["FeatureSet"]), "ScoreCheck": 4, "Forgetting": 2, "AuditTrail": 1,
        "UnlearningPath": 11 + 50, "Comparison": 4 + 2 + 3 + 3 + 2 + len(shown["Comparison"].intersections),
        "Findings": 2, "RedFlags": len(shown["RedFlags"]),
        "Verdict": len(shown["Verdict"].findings),
    }  # fmt: skip
    tables = {name: value.to_frame() for name, value in shown.items() if hasattr(value, "to_frame")}
    assert {name: len(frame) for name, frame in tables.items()} == rows
    for name, frame in tables.items():
        assert all(map(SNAKE.fullmatch, frame.columns)), f"{name}: {list(frame.columns)}"
        for column in [name for name in frame.columns if frame[name].dtype.kind == "O"]:
            assert {type(value) for value in frame[column]} == {str}, f"{name}: {column}"


def test_figures_in_tables_are_those_of_the_values(shown):
    report, found = shown["BiasReport"], shown["BiasReport"].to_frame().set_index("attribute")
    for bias in report.attributes:
        row = found.loc[bias.attribute]
        assert (row["bias"], row["bias_low"], row["bias_high"]) == (
            bias.bias.value,
            bias.bias.low,
            bias.bias.high,
        )
        assert row["n"] == bias.bias.n
        assert np.isnan(row["excess"]), "twins that are drawn have no placebo: not measured, and not 0"
    scores = shown["InfluenceScores"]
    order = scores.to_frame()
    np.testing.assert_array_equal(order["position"].head(5), scores.most_harmful(5))
    np.testing.assert_array_equal(order["row"], scores.rows[order["position"]])
    np.testing.assert_array_equal(order["removal_effect"], scores.removal_effect[order["position"]])
    path = shown["UnlearningPath"]
    tried = path.to_frame()
    assert tried["suggested"].sum() == 1
    chosen = tried[tried["suggested"]].iloc[0]
    assert (chosen["bias"], chosen["strength"]) == (path.suggested.bias, path.suggested.result.strength)
    assert (tried["admitted"] == (tried["refusal"] == "")).all()
    comparison = shown["Comparison"]
    first = comparison.to_frame().iloc[0]
    assert (first["before"], first["difference"]) == (
        comparison.bias.before.value,
        comparison.bias.difference.value,
    )
    composition = shown["AttributeDataset"].to_frame()
    assert composition.groupby("column")["test"].sum().tolist() == [150] * 3


def test_a_table_can_be_changed_and_the_value_stays(shown):
    pairs = shown["CounterfactualPairs"]
    frame = pairs.to_frame()
    frame.loc[0, "row"] = -1
    assert pairs.rows[0] != -1


def test_columns_of_numbers_stay_numbers_where_nothing_was_measured():
    frame = table([{"a": None, "b": "x"}, {"a": 1.5, "b": "y"}, {"a": None, "b": "z"}])
    assert frame["a"].dtype == "float64"
    assert table([{"a": None}])["a"].dtype == "float64"
    assert list(table([], ("a", "b")).columns) == ["a", "b"]
    assert table([{"a": True}, {"a": False}])["a"].dtype == bool


def test_results_are_a_tuple_and_a_table(shown):
    findings = shown["Findings"]
    assert isinstance(findings, tuple)
    assert findings == tuple(findings)
    assert findings[0].attribute == findings.to_frame()["attribute"][0]
    assert repr(Results()) == "Results(0 results)"
    assert repr(findings).startswith("Results(2 results, first: Finding(")
    pd.testing.assert_frame_equal(Results(findings).to_frame(), findings.to_frame())


def test_facts_that_are_empty_are_left_out():
    assert one_line(1.5, "", "a", "", "b") == "float(a, b)"


def test_importing_what_shows_does_not_load_pandas():
    code = "import sys, fmd_core.showing, fmd_core.figures; print('pandas' in sys.modules)"
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert answer.stdout.strip() == "False"


def test_group_metrics_of_one_group_say_that_they_are_not_known():
    unknown = fmd.Estimate.unknown(3)
    metrics = GroupMetrics(*[unknown] * 6)
    assert repr(metrics) == "GroupMetrics(demographic parity not known (n = 3), n = 3)"
    assert metrics.to_frame()["value"].isna().all()
