"""The dashboard and `fmd audit` say the same of the same answers, because both ask the same Study."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import fmd_core as fmd
from app import cache
from app.record.criteria import Criteria
from app.record.review import Review
from fmd_core import __main__ as command
from fmd_core.commands import audit_model
from fmd_core.datasets.families import reference
from fmd_core.datasets.own import imports
from fmd_core.datasets.own.table import TableImport, giveaways
from fmd_core.measure.verdict.values import Family
from fmd_core.models.shelf import keep_model
from fmd_core.study import answering, fixing, people
from tests.app.test_pages import titles

COMPARED = ("family", "attribute", "groups", "value", "low", "high", "n", "limit", "verdict", "sentence")


def hiring(n=700, seed=0):
    """Who is hired depends on skill and on sex, which stands there twice; people stand in several rows, and rows
    for several people."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({"skill": rng.normal(size=n).round(3), "hours": rng.integers(10, 60, n)})
    frame["sex"] = rng.choice(["F", "M"], n)
    frame["gender"] = frame["sex"].map({"F": "female", "M": "male"})
    frame["town"] = rng.choice(["north", "south", "west"], n)
    score = 2 * frame["skill"] + 1.5 * np.where(frame["sex"] == "M", 1, -1) + rng.logistic(size=n)
    frame["hired"] = np.where(score > 0, "yes", "no")
    frame["w"] = np.where(frame["skill"] > 0, 3.0, 1.0)
    frame["who"] = np.arange(n) // 2
    return frame


def trained(data, seed):
    return fmd.train_classifier(data, architecture="mlp", epochs=2, seed=seed)


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    path = tmp_path_factory.mktemp("parity") / "hiring.csv"
    hiring().to_csv(path, index=False)
    return path


@pytest.fixture(scope="module")
def review(table):
    """The table imported with the answers that the command line gives below, and a model trained here."""
    answers = TableImport(
        "hired", {"sex": "values", "town": "values"}, favourable="yes", references={"town": "west"}, person="who",
        weights="w",
    )  # fmt: skip
    folder = imports.begin_import(table, None)
    looked = imports.open_import(imports.finish_import(folder, "hiring", answers))
    also = {one.attribute: {one.column: one.swap} for one in giveaways(looked)}
    imports.finish_import(folder, "hiring", replace(answers, also_change=also))
    named = reference("import", id=folder.name)
    data = cache.open_data(named)
    return Review(named, keep_model(data, replace(trained(data, 0), name="mlp")))


def by_command(data, *arguments, tmp_path, monkeypatch):
    monkeypatch.setattr(audit_model, "_train", trained)
    out = tmp_path / "out.json"
    command.main(["audit", str(data), "--json", str(out), *arguments])
    return json.loads(out.read_text())


def agree(made, verdict):
    told = [
        {
            "family": f.family.value, "attribute": f.attribute, "groups": list(f.groups), "value": f.value,
            "low": f.low, "high": f.high, "n": f.n, "limit": f.limit, "verdict": f.outcome.value,
            "sentence": f.sentence,
        }
        for f in verdict.findings
    ]  # fmt: skip
    assert told == [{name: finding[name] for name in COMPARED} for finding in made["findings"]]
    assert made["verdict"] == verdict.outcome.value
    assert made["headline"] == verdict.headline
    assert made["accuracy"]["n"] == verdict.accuracy.n
    assert made["warnings"] == [
        {"kind": w.kind.value, "column": w.column, "sentence": w.sentence} for w in verdict.warnings
    ]
    assert made["not_read"] == list(verdict.not_read)
    assert len(made["groups"]) == len(verdict.groups)


def test_a_small_table_with_weights_persons_references_and_limits(review, table, tmp_path, monkeypatch):
    made = by_command(
        table, "--target", "hired", "--protected", "sex,town", "--favourable", "yes", "--id", "who", "--weights", "w",
        "--reference-group", "town=west", "--limit", "twins=3", "--limit", "ratio=0.7",
        tmp_path=tmp_path, monkeypatch=monkeypatch,
    )  # fmt: skip
    verdict = cache.verdict(review, None, Criteria(fmd.Limits(twins=0.03, ratio=0.7), "yes"))
    agree(made, verdict)
    assert verdict.accuracy.n == 350  # people, all of them, where the test part has 70
    by_town = [f for f in verdict.of(Family.SELECTION) if f.attribute == "town"]
    assert len(by_town) == 2
    assert all("town west" in finding.groups for finding in by_town)
    assert made["limits"]["twins"] == 0.03
    assert made["judged_by"] == verdict.judged_by


def test_a_demo(tmp_path, monkeypatch):
    made = by_command("colored_digits", tmp_path=tmp_path, monkeypatch=monkeypatch)
    agree(made, cache.verdict(Review(), None))
    assert made["model"] == cache.classifier(Review()).fingerprint


def test_find_bias_says_who_judges_and_a_limit_asks_no_model(review, open_page, monkeypatch):
    test = open_page("start")
    test.session_state["review"] = review
    test = test.switch_page("app_pages/find_bias.py").run()
    assert any("judged by one of five models that never saw them" in c.value for c in test.caption)
    assert not any("Nobody has said which answer" in w.value for w in test.warning)
    assert titles(test) == cache.verdict(review, None).headline
    before = test.slider(key="threshold").value

    def refuse(*_):
        raise AssertionError("a limit asked the model again")

    for module, name in ((fixing, "predictions"), (answering, "fold_models"), (people, "told_twice")):
        monkeypatch.setattr(module, name, refuse)
    moved = test.slider(key="threshold").set_value(before + 30).run()
    assert (
        titles(moved).replace("\\", "")
        == cache.verdict(review, None, Criteria(fmd.Limits.of_points((before + 30) / 100))).headline
    )


def test_the_model_page_says_the_figure_and_a_group_of_find_bias(review, open_page):
    """By weights, persons and everybody of a small table, not by the rows of the test part."""
    verdict = cache.verdict(review, None)
    cache.features(review, "test")
    known = cache.so_far(review)
    assert known.right == verdict.accuracy
    assert known.least in verdict.groups
    enough = [group for group in verdict.groups if group.accuracy.is_enough]
    assert known.least.accuracy.value == min(group.accuracy.value for group in enough)
    assert known.too_few == len(verdict.groups) - len(enough)
    test = open_page("start")
    test.session_state["review"] = review
    page = test.switch_page("app_pages/model.py").run()
    assert titles(page).startswith(
        f"Right for {100 * verdict.accuracy.value:.1f} % of 350 held-out people, but for "
    )
    assert any(verdict.judged_by in html.body for html in page.main.get("html"))


def test_a_model_from_elsewhere_and_a_changed_one_are_judged_by_those_who_were_held_out(review):
    data, model = cache.dataset(review), cache.classifier(review)
    elsewhere = fmd.Study(data, replace(model, trained_on="", recipe=None)).verdict()
    assert elsewhere.accuracy.n < 100
    assert "how this model was trained is not known" in elsewhere.judged_by
    changed = cache.study(review).verdict(model.head.moved(0.1 * np.ones(model.head.n_parameters)))
    assert "a changed model" in changed.judged_by
    assert changed.accuracy.n == elsewhere.accuracy.n
    assert changed.model not in ("", cache.verdict(review, None).model)
