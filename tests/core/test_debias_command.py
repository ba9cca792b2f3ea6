"""`fmd debias`: what it changes, what it says of whom, what it writes, and that the original stays."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from fmd_core import __main__ as command
from fmd_core.commands.audit_data import AuditData
from fmd_core.commands.audit_model import Brought, open_model
from fmd_core.commands.debias import CHANGES, _line
from fmd_core.datasets.families import load_dataset
from fmd_core.models.classifier import TrainingRecipe
from fmd_core.models.files import load_classifier, save_classifier
from fmd_core.models.shelf import load_demo_classifier
from fmd_core.study import debiasing
from fmd_core.unlearn.deeper import settings
from fmd_core.unlearn.deeper.answers import Figures, GroupRate

SHARE = {"value", "low", "high", "n", "name"}


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("FMD_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    few = {"groups": (20, 60), "twins": (60, 200)}
    monkeypatch.setattr(settings, "STEPS", few)
    monkeypatch.setattr(settings, "WHOLE_STEPS", few)


@pytest.fixture(scope="module")
def hiring(tmp_path_factory):
    rng = np.random.default_rng(0)
    n = 2400
    frame = pd.DataFrame({"sex": rng.choice(["Female", "Male"], n), "years": rng.normal(10, 4, n).round(1)})
    score = (frame.years - 10) / 2 + 1.5 * (frame.sex == "Male") + rng.logistic(size=n)
    frame["hired"] = np.where(score.rank(method="first") > n / 2, "yes", "no")  # as many as not
    place = tmp_path_factory.mktemp("hiring") / "hiring.csv"
    frame.to_csv(place, index=False)
    return str(place)


def fixed(capsys, *arguments):
    status = command.main(["debias", *arguments, "--json", "-"])
    said = capsys.readouterr()
    return status, json.loads(said.out), said.err


def test_a_table_learns_on_until_twins_are_answered_alike(hiring, tmp_path, capsys):
    out = tmp_path / "fixed.safetensors"
    status, told, spoken = fixed(
        capsys, hiring, "--target", "hired", "--attribute", "sex", "--change", "whole-network", "--tolerance", "20",
        "--out", str(out),
    )  # fmt: skip
    assert told["schema"] == "fmd-debias-1"
    assert told["after"]["bias"] < 0.85 * told["before"]["bias"]
    assert told["after"]["calibrated_bias"] < told["before"]["calibrated_bias"]
    assert told["chosen"]["change"] == "whole network"
    assert 0 < told["chosen"]["mix"] <= 1
    assert told["verdict"] in ("improved", "mixed")
    assert (
        f"from {100 * told['before']['bias']:.1f} to {100 * told['after']['bias']:.1f} points"
        in told["headline"]
    )
    others = {b["name"]: b for b in told["baselines"]}
    assert set(others) == {"refit on twins", "thresholds moved", "averaged", "boosting"}
    assert others["averaged"]["bias"] == others["averaged"]["flips"] == 0
    assert [name for name, other in others.items() if other["is_reference"]] == ["boosting"]
    assert "boosting (no fix)" in spoken
    assert set(told["after"]["worst_group"]) == SHARE
    assert sum(group["n"] for group in told["after"]["groups"]) == sum(
        g["n"] for g in told["before"]["groups"]
    )
    assert load_classifier(out).fingerprint == told["model"]
    assert status in (0, 1, 2)
    assert "Changed: whole network" in spoken


def test_where_nothing_serves_better_the_model_stays_as_it_was(hiring, tmp_path, capsys):
    out = tmp_path / "same.safetensors"
    _, told, spoken = fixed(
        capsys, hiring, "--target", "hired", "--attribute", "sex", "--change", "threshold",
        "--improve", "groups", "--out", str(out),
    )  # fmt: skip
    assert told["chosen"]["is_original"]
    assert told["before"] == told["after"]
    assert "The model stays as it was" in spoken
    assert load_classifier(out).fingerprint == told["model"]


def test_what_is_wrong_with_the_data_is_said_first(hiring, tmp_path, capsys):
    told_by = tmp_path / "leak.csv"
    frame = pd.read_csv(hiring)
    frame.assign(contract=np.where(frame.hired == "yes", "signed", "none")).to_csv(told_by, index=False)
    _, told, spoken = fixed(
        capsys, str(told_by), "--target", "hired", "--attribute", "sex", "--change", "threshold"
    )
    leak = next(warning for warning in told["warnings"] if warning["kind"] == "target_leak")
    assert leak["column"] == "contract"
    assert spoken.startswith("! ")
    assert leak["sentence"] in spoken


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["hats", "--attribute", "sex"], "Unknown data set 'hats'."),
        (
            ["colored_digits", "--attribute", "hat"],
            "Unknown attribute 'hat'. This data set has: colour, paper.",
        ),
        (
            ["colored_digits", "--attribute", "colour", "--tolerance", "200"],
            "The tolerance is a number of points from 0 to 100, got 200.",
        ),
        (
            ["colored_digits", "--attribute", "colour", "--out", "/nowhere/x"],
            "The folder of '/nowhere/x' does not",
        ),
        (
            ["colored_digits", "--attribute", "colour", "--model", "no.safetensors"],
            "There is no model file 'no.safetensors'.",
        ),
        (
            ["colored_digits", "--attribute", "colour", "--gap", "parity"],
            "--gap parity says which gap is to be closed; it goes with --improve gap.",
        ),
    ],
)
def test_bad_input_is_one_sentence(arguments, sentence, capsys):
    assert command.main(["debias", *arguments]) == 3
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert said.startswith(sentence)


def test_who_lost_are_also_groups_of_other_columns(tmp_path, capsys):
    """The headline counts them, and a reader of the document alone must not take nobody for all."""
    rng = np.random.default_rng(1)
    n = 6000
    frame = pd.DataFrame({"sex": rng.choice(["Female", "Male"], n), "years": rng.normal(10, 4, n).round(1)})
    frame["race"] = np.where(rng.random(n) < np.where(frame.sex == "Male", 0.9, 0.1), "a", "b")
    favoured = (frame.sex == "Male") & (frame.race == "a")
    score = (frame.years - 10) / 2 + 2.5 * favoured + rng.logistic(size=n)
    frame["hired"] = np.where(score.rank(method="first") > n / 2, "yes", "no")
    frame.to_csv(tmp_path / "two.csv", index=False)
    _, told, _ = fixed(
        capsys, str(tmp_path / "two.csv"), "--target", "hired", "--attribute", "sex", "--protected", "sex,race",
        "--change", "whole-network", "--tolerance", "20",
    )  # fmt: skip
    names = [one["name"] for one in told["who_lost"]]
    assert any("race" in name and "sex" not in name for name in names), names
    assert len(names) == len(set(names))
    assert "lose accuracy" in told["headline"]


def test_what_a_file_claims_of_its_training_is_not_believed(tmp_path):
    """Else other models would be trained by it and judge in its place; `fmd audit` opens a model by the same way."""
    claims = replace(
        load_demo_classifier("colored_digits"), trained_on="0" * 64, recipe=TrainingRecipe(epochs=3, seed=7)
    )
    save_classifier(claims, tmp_path / "claims.safetensors")
    opened = open_model(
        AuditData(load_dataset("colored_digits")), Brought(tmp_path / "claims.safetensors"), 0
    )
    assert (opened.trained_on, opened.recipe) == ("", None)
    assert opened.fingerprint == claims.fingerprint


@pytest.mark.parametrize(
    ("words", "improve"),
    [(("gap",), "opportunity"), (("gap", "--gap", "parity"), "parity"), (("worst-group",), "worst group")],
)
def test_what_should_improve_is_named_and_stands_in_the_document(hiring, tmp_path, capsys, words, improve):
    pytest.importorskip("onnxruntime")
    out = tmp_path / "fixed.onnx"
    _, told, spoken = fixed(
        capsys, hiring, "--target", "hired", "--attribute", "sex", "--change", "whole-network", "--tolerance", "20",
        "--improve", *words, "--out", str(out),
    )  # fmt: skip
    chosen = told["chosen"]
    assert chosen["improve"] == improve
    assert (chosen["group"] is not None) == (improve == "worst group")
    assert (
        improve != "worst group" or f"lag of {chosen['group']}" in told["headline"] or not chosen["strength"]
    )
    assert chosen["judged_by"] in (["validation"], ["validation", "external"])
    assert chosen["change"] == "whole network"
    assert {"parity_gap", "opportunity_gap"} <= set(told["before"])
    assert out.stat().st_size > 1000
    assert "validation" in spoken


def test_every_change_of_the_library_has_a_word():
    assert tuple(CHANGES.values()) == debiasing.CHANGES


def test_a_worst_group_is_told_with_how_many_are_too_small_and_one_answer_serves_nobody():
    groups = tuple(GroupRate(*group) for group in ((0, 0, 1.0, 200), (0, 1, 1.0, 150), (1, 0, 0.0, 12)))
    one = Figures(0.97, 0.67, groups, frozenset({0}), None, None, 0.0, None, 1.0)
    assert _line("always no", one).endswith("every group alike 67.0 %, one answer for everybody")
    both = replace(one, answered=frozenset({0, 1}))
    assert _line("after", both).endswith("worst group 100.0 % (of 2 large enough, 1 too small)")
    assert _line("after", replace(both, groups=groups[:2])).endswith("worst group 100.0 %")
    assert "worst group" not in _line("after", replace(both, groups=groups[2:]))
