"""The benchmarks beside the field run, so that they do not rot: small sizes, and only what needs no peers."""

import json
import re
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import fmd_core as fmd
from fmd_core.measure.bias_functions import predictions
from fmd_core.models.feature_store import FeatureStore
from fmd_core.reproduction.experiments import VANILLA, Experiment
from tests.benchmarks import (
    digits,
    every_part,
    field_agreement,
    field_speed,
    growth,
    page,
    peer_methods,
    peers,
    scaling,
    since,
    timing,
    unlearning_quality,
)
from tests.benchmarks.field_speed import Run, estimate
from tests.benchmarks.fine_tuning import fine_tuned, read_sides
from tests.benchmarks.timing import Aim

pytestmark = pytest.mark.slow  # benchmarks


@pytest.fixture(autouse=True)
def little_time(monkeypatch):
    monkeypatch.setattr(timing, "BUDGET_S", 0.02)


@pytest.fixture(scope="module")
def problem():
    return digits.load(quick=True)


def table(folder, name, start):
    """Rows of the table whose title starts so."""
    found = json.loads((folder / f"{name}.json").read_text())
    return next(rows for title, rows in found.items() if title.startswith(start))


def test_scores_agree_with_refits(tmp_path, capsys):
    aims = field_agreement.main(quick=True, folder=tmp_path, peers=())
    rows = table(tmp_path, "field_agreement", "Spearman")
    assert [row["scores"].split(",")[0] for row in rows] == ["ours"] * 3
    assert float(rows[0]["leave one out"]) > 0.9
    assert all(float(rows[2][kind]) > 0.9 for kind in field_agreement.AGREEMENT)
    top = table(tmp_path, "field_agreement", "Leaving out")
    assert top[-1]["off the truth"] == "+0.0%"
    assert len(aims) == 4
    assert "Spearman with refits" in capsys.readouterr().out


def test_speed_is_measured_in_processes_of_its_own(tmp_path, capsys):
    assert field_speed.main(quick=True, folder=tmp_path, peers=()) == []  # without peers nothing is promised
    (row,) = table(tmp_path, "field_speed", "Scores of N")
    assert re.match(r"[\d.]+ (s|ms|µs), 1x, \d\.\d\d GB$", row["N = 1,000"])
    assert "Speed and memory" not in capsys.readouterr().err


def test_a_procedure_that_fails_says_why(tmp_path):
    field_speed.write_arrays(tmp_path, 300, 20, 2)
    assert "StopIteration" in field_speed.measured("nobody", 300, tmp_path).failure


def test_fewer_rows_are_scaled_in_favour_of_the_peer():
    fixed_cost = [Run(10, 6.0, 60.0), Run(20, 7.0, 70.0)]  # 5 s and 0.1 s a row
    assert estimate(fixed_cost, 20) == (7.0, 70.0, False)
    assert estimate(fixed_cost, 110) == (pytest.approx(16.0), pytest.approx(160.0), True)
    growing = [Run(10, 1.0, 10.0), Run(20, 4.0, 40.0)]  # the line would say 31 s
    assert estimate(growing, 110) == (pytest.approx(22.0), pytest.approx(220.0), True)


def test_speed_aims_name_the_fastest_peer_of_equal_agreement():
    found = field_speed.speed_aims({"exact": 50.0}, {"exact": 50.0, "rough": 2.0}, 0.5, 1000, 2)
    assert [aim.met for aim in found] == [True, True]
    assert found[0].figure == "100x (exact)"
    assert found[1].figure == "4x the fastest of all (rough)"


def test_growth_is_fitted(tmp_path, capsys):
    aims = scaling.main(quick=True, folder=tmp_path)
    assert table(tmp_path, "scaling", "Scores by samples")[-1]["samples N"] == "**slope**"
    assert len(aims) == 4
    assert scaling.slope([1, 2, 4], [3, 12, 48]) == pytest.approx(2)
    assert "Near the machine" in capsys.readouterr().out


def test_a_peer_that_is_not_here_says_so(problem):
    nobody = peers.Peer("nobody", "no-such-package", peer_methods.captum_tracin)
    groups = {"leave one out": [np.array([0])]}
    row = field_agreement.peer_row(nobody, problem, groups, {"leave one out": np.zeros(1)})
    assert row == ("nobody", "–", "no-such-package is not installed here (`make bench` installs it).")


def test_a_peer_that_fails_says_so(problem):
    def fails(*_):
        raise ValueError("out of luck")

    row = field_agreement.peer_row(peers.Peer("it", "captum", fails), problem, {"a": []}, {"a": np.zeros(0)})
    assert row == ("it", "–", "Did not run: ValueError: out of luck")


def test_peers_are_asked_about_the_bias(problem):
    import torch

    question = peers.Question.of(problem.head, problem.pairs)
    module = peer_methods.torch_head(problem.head)
    features, asked = peer_methods.asked(question)
    value = peer_methods.weighted_probability(module(features), asked)
    assert value.item() == pytest.approx(problem.bias.value(problem.head), abs=1e-5)
    value.backward()
    slope = torch.cat([module[0].weight.grad, module[0].bias.grad[:, None]], dim=1).numpy()
    expected = problem.bias.gradient(problem.head)
    np.testing.assert_allclose((problem.head.contrasts @ slope).ravel(), expected, atol=1e-4)


def test_fine_tuning_learns_from_the_pairs(demo):
    pairs = demo.pairs["external"]
    tuned, learned = fine_tuned(demo.classifier, demo.dataset, pairs, seconds=0.5)
    assert learned >= 100
    assert tuned.fingerprint != demo.classifier.fingerprint
    people = fmd.extract_features(tuned, demo.dataset, split="test")
    assert np.isfinite(people.features).all()
    assert len(predictions(tuned.head, people.features)) == 450


def test_fine_tuning_reads_both_sides(demo):
    pairs = demo.pairs["external"]
    m = len(pairs)
    shown = demo.classifier.encode([read_sides(demo.dataset, pairs, np.array([3, m + 3]))])
    expected = np.stack([pairs.favoured.features[3], pairs.other.features[3]])
    np.testing.assert_allclose(shown, expected, rtol=1e-3, atol=1e-4)


def test_the_same_twins_are_found_in_another_network(demo):
    pairs, people = demo.pairs["test"], demo.features["test"]
    doubled = fmd.FeatureSet(2 * people.features, people.labels, people.rows)
    found = unlearning_quality.encoded_anew(pairs, doubled)
    np.testing.assert_array_equal(found.rows, pairs.rows)
    np.testing.assert_array_equal(found.favoured.rows, pairs.favoured.rows)
    np.testing.assert_array_equal(
        found.other.features[0], doubled.features[doubled.rows == pairs.other.rows[0]][0]
    )


@pytest.mark.parametrize("method", ["generated", "matched"])
def test_a_network_that_did_not_change_measures_the_same(demo, tmp_path, method):
    dataset = replace(demo.dataset, pair_method=method)
    work = Experiment(dataset, demo.classifier, "colour", (0.01,), FeatureStore(tmp_path))
    twins = unlearning_quality.twins_of(work, dataset)
    row = unlearning_quality.measured_afresh(dataset, demo.classifier, twins)
    assert replace(row, method=VANILLA) == next(work.rows())


def test_the_page_holds_the_aims_once(tmp_path):
    report = field_speed.Report("Speed and memory beside the field")
    report.table("Some table", ["a"], [["b"]])
    report.aims([Aim("To be fast", False, "2x")])
    report.write(tmp_path, "field_speed")
    page.main(tmp_path, tmp_path)
    text = (tmp_path / "benchmarks.md").read_text()
    assert text.count("| To be fast | 2x | **missed** |") == 1
    assert "### Some table" in text
    assert "- Not run: scaling." in text
    assert json.loads((tmp_path / "benchmarks.json").read_text())["scaling"] == {}


def test_a_part_that_fails_loses_nothing_of_the_others(tmp_path, monkeypatch):
    monkeypatch.setattr(every_part, "results_folder", lambda **_: tmp_path)
    (tmp_path / "scaling.json").write_text('{"Old": [{"a": "b"}]}')
    pages = []

    def run(command):
        name = Path(command[1]).stem
        if name == "growth":
            return 1
        report = timing.Report(name)
        report.table(f"Of {name}", ["a"], [["b"]])
        report.write(tmp_path, name)
        pages.append((tmp_path / "benchmarks.md").exists())
        return 0

    parts = ("field_speed", "growth", "scaling")
    monkeypatch.setattr(every_part.page, "RESULTS", tmp_path)
    assert every_part.main(parts, run=run, docs=tmp_path) == 1
    text = (tmp_path / "benchmarks.md").read_text()
    assert pages == [False, True]  # it stood there before the last part began
    assert "### Of field_speed" in text
    assert "### Of scaling" in text
    assert "- Not finished: growth; it ended with 1 after 0 minutes." in text
    assert "Not run: growth" not in text
    assert "Old" not in text


def test_every_part_is_a_script_that_is_there():
    assert all((every_part.HERE / f"{part}.py").exists() for part in every_part.PARTS)
    assert set(page.REPORTS) <= set(every_part.PARTS)


def test_what_takes_too_long_is_ended_with_all_that_it_started(monkeypatch):
    monkeypatch.setattr(every_part, "LIMIT_S", 0.5)
    assert every_part.to_its_end([sys.executable, "-c", "import time; time.sleep(60)"]) == 124
    assert every_part.to_its_end([sys.executable, "-c", "raise SystemExit(3)"]) == 3


def test_older_code_is_compared_with_todays_or_it_is_said_why_not(tmp_path, monkeypatch):
    monkeypatch.setattr(since, "BEFORE", "no such commit")
    assert since.main(quick=True, folder=tmp_path) == []
    assert "could not be had from git" in table(tmp_path, "since", "Not compared")[0]["why"]
    same = np.arange(2_000.0)
    assert since.likeness(same, same) == "to the bit"
    assert "1 - Spearman" in since.likeness(same, same + np.sin(same))
    assert since.likeness(same, same[1:]).startswith("other figures")


def test_a_step_of_a_comparison_runs_by_itself(tmp_path):
    field_speed.write_arrays(_made(tmp_path / "2"), 2_000, 128, 2)
    for step in (
        "scores, 2 classes",
        "judging, 2 classes",
        "ladder, d = 128",
        "audit",
        "gaps",
        "preconditioner",
    ):
        side = since.ran(since.Asked(step, step), since.ROOT, tmp_path, quick=True)
        assert side.seconds > 0
        assert np.isfinite(side.figures).all()


def _made(folder):
    folder.mkdir()
    return folder


def test_what_is_written_by_hand_stays_on_the_page(tmp_path):
    (tmp_path / "benchmarks.md").write_text("# Old\n\n## Aims\n\nold\n\n## Changes\n\nWritten by hand.\n")
    for _ in range(2):
        page.main(tmp_path, tmp_path)
    text = (tmp_path / "benchmarks.md").read_text()
    assert text.endswith("\n\n## Changes\n\nWritten by hand.\n")
    assert "old" not in text
    assert page.written(page.DOCS / "benchmarks.md")


def test_how_large_it_can_become_is_said(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(growth, "FEATURES", growth.FEATURES[:1])
    for left_out in ("SAMPLES", "CLASSES", "BOTH", "ATTRIBUTES"):
        monkeypatch.setattr(growth, left_out, ())
    growth.main(quick=True, folder=tmp_path)
    row = table(tmp_path, "growth", "Features")[0]
    assert re.fullmatch(r"[\d.]+ (µs|ms|s), \d+ MiB", row["scores"])
    assert row["under a second"] == "all"
    monkeypatch.setattr(growth, "LIMIT_S", 0.01)
    monkeypatch.setattr(growth, "AT_ONCE_S", 0.0)
    growth.main(quick=True, folder=tmp_path)
    row = table(tmp_path, "growth", "Features")[0]
    assert row["scores"] == "over 0.01 s"
    assert row["under a second"].startswith("not scores,")
    assert "OpenBLAS" in capsys.readouterr().out or "openblas" in (tmp_path / "growth.md").read_text()
