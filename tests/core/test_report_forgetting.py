"""The account of forgetting in the report: what was forgotten, in which layers, and what readers can still tell."""

import json
import re
from dataclasses import replace
from datetime import UTC, datetime
from html import unescape

import pytest

import fmd_core as fmd
from app.view_models import report_comparison
from fmd_core import figures
from fmd_core.forget.forgetting import Forgetting, Reading
from fmd_core.forget.forgetting_words import forgetting_sentences
from fmd_core.forget.probes import ProbeResult
from fmd_core.measure.changes import Change
from fmd_core.report.reading import read_report
from fmd_core.report.writing import json_values, report_json

WHEN = datetime(2025, 3, 1, 12, 30, tzinfo=UTC)
SETTING = "colour forgotten by training: 20 rounds"


def reader(kind, accuracy):
    by_seed = (accuracy - 0.01, accuracy + 0.01) if kind == "mlp" else (accuracy,)
    return ProbeResult(kind, accuracy, 0.1, 0.12, 0.8, (accuracy - 0.02, accuracy + 0.03), 400, 380, by_seed)


@pytest.fixture(scope="module")
def account():
    rate = fmd.Estimate(0.82, 0.78, 0.86, 450)
    task = Change("accuracy", "", rate, rate, fmd.Estimate(0.0, -0.01, 0.01, 450), 1.0)
    readings = (
        Reading("colour", "linear", reader("linear", 0.95), reader("linear", 0.11)),
        Reading("colour", "mlp", reader("mlp", 0.97), reader("mlp", 0.43)),
    )
    return Forgetting(readings, task, (), 0.0)


@pytest.fixture(scope="module")
def evidence(demo, account):
    """An adversary in force that trained one layer and the last."""
    point = demo.path.suggested
    made = replace(point.result, strategy="adversary", strength=1.0, what=SETTING)
    return fmd.Evidence(
        demo.dataset, demo.classifier, demo.audit(), 0.1, demo.scores, 3, point=replace(point, result=made),
        tolerance=0.01, comparison=demo.comparison, forgetting=account, changed_layers=("fc",),
    )  # fmt: skip


def words(evidence):
    html = fmd.render_report(evidence, report=fmd.build_report(evidence, created=WHEN))
    body = re.sub(r"<style>.*?</style>|</?bdi>", "", html, flags=re.DOTALL)
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", body)).split())


def test_a_network_that_was_trained_on_is_not_said_to_differ_in_its_last_layer_alone(evidence):
    depth = json_values(fmd.build_report(evidence))["settings"]["depth"]
    assert depth == "retrained layers"
    thresholds = replace(evidence, changed_layers=())  # trained on, and nothing but the last layer moved
    assert json_values(fmd.build_report(thresholds))["settings"]["depth"] == "last layer"
    html = fmd.render_report(evidence, report=fmd.build_report(evidence))
    opened = read_report(report_json(fmd.build_report(evidence)).encode())
    assert opened.report.settings.depth == depth
    assert "retrained layers" not in re.sub(r"<script.*?</script>", "", html, flags=re.DOTALL)


def test_the_readers_are_in_the_file_with_their_intervals(evidence, account):
    told = json_values(fmd.build_report(evidence))["forgetting"]
    assert [(r["attribute"], r["kind"]) for r in told["readings"]] == [
        ("colour", "linear"),
        ("colour", "mlp"),
    ]
    after = told["readings"][1]["after"]
    assert after["accuracy"] == pytest.approx(
        {"value": 0.43, "low": 0.41, "high": 0.46, "n": 400, "problem": ""}
    )
    assert (after["chance"], after["taught"]) == (0.1, 380)
    assert after["by_seed"] == pytest.approx([0.42, 0.44])
    assert (told["headline"], told["sentence"]) == forgetting_sentences(account)
    assert told["accuracy"]["difference"]["value"] == 0.0


def test_it_is_read_again_as_it_was_written(evidence):
    report = fmd.build_report(evidence)
    opened = fmd.read_report(report_json(report).encode())
    assert opened.is_intact
    assert opened.report == report


def test_the_page_says_what_was_forgotten_where_and_what_readers_still_tell(evidence, account):
    text = words(evidence)
    assert "What was forgotten Model card: Model details, Quantitative analyses" in text
    assert f"{SETTING}. What changed: fc and the last layer." in text
    assert " ".join(forgetting_sentences(account)) in text
    for found in account.readings:
        ends = [figures.figure(side.estimate) for side in (found.before, found.after)]
        assert " ".join(ends) + " 10.0 0.80 0.80" in text
    assert "42.0 to 44.0 400" in text


def test_the_layers_of_an_adversary_are_told_as_they_are(evidence):
    text = words(evidence)
    assert "differs from it in fc and the last layer ." in text.replace("layer.", "layer .")
    assert "What changed fc and the last layer" in text
    assert "What may change the last layer" not in text
    assert "every layer" not in text
    many = replace(evidence, changed_layers=tuple(f"conv{n}" for n in range(9)))
    assert "What changed 9 layers, from conv0 to conv8, and the last layer" in words(many)
    assert "which was not looked at" in words(replace(evidence, changed_layers=None))


def test_readers_who_were_not_asked_are_said_to_be_missing(evidence):
    text = words(replace(evidence, forgetting=None))
    assert (
        text.count("What fresh readers can still tell was not asked in this review.") == 2
    )  # first page too
    assert json_values(fmd.build_report(replace(evidence, forgetting=None)))["forgetting"] is None


def test_each_class_and_what_was_forgotten_are_in_report_file_and_comparison(evidence, account):
    hit = Change(
        "hit rate", "glasses", *[fmd.Estimate(v, v - 0.1, v + 0.1, 40) for v in (0.4, 0.1, -0.3)], 0.01
    )
    reliance = replace(hit, name="reliance", group="pattern 2 of 7", p_value=None)
    whole = replace(account, classes=(hit,), majority=0.977, majority_class="no glasses", reliance=reliance)
    told = replace(evidence, forgetting=whole, forgotten=("pattern 2 of 7",))
    report = fmd.build_report(told)
    assert fmd.read_report(report_json(report).encode()).report == report
    text = words(told)
    assert "To be forgotten: pattern 2 of 7." in text
    assert "always answering “no glasses” would be right for 97.7 % of all" in text
    assert "glasses 40.0 (30.0 to 50.0) 10.0 (0.0 to 20.0) \N{MINUS SIGN}30.0" in text
    names = report_comparison.OPENED, report_comparison.HERE
    table = report_comparison.compare(report, fmd.build_report(evidence), names).table.set_index("What")
    assert tuple(table.loc["What was forgotten"]) == ("no", "pattern 2 of 7", "–")
    assert table.loc["Recognised of glasses, in force, %", "Opened report"] == "10.0 (0.0 to 20.0)"
    assert table.loc["Hiding pattern 2 of 7, in force, points", "Opened report"] == "10.0 (0.0 to 20.0)"


def test_a_refusal_is_in_the_comparison_of_reports(evidence):
    refused = replace(evidence, point=replace(evidence.point, refusal="accuracy falls by 3 points"))
    names = report_comparison.OPENED, report_comparison.HERE
    table = report_comparison.compare(fmd.build_report(refused), fmd.build_report(evidence), names).table
    rows = table.set_index("What")
    assert rows.loc["What the guard says", "Opened report"] == "refused: accuracy falls by 3 points"
    assert rows.loc["Applied although refused", "Opened report"].endswith("accuracy falls by 3 points")
    assert rows.loc["Applied although refused", "This review"] == "–"


def test_a_variant_that_forgets_nothing_has_no_such_section(evidence, demo):
    other = replace(evidence, point=demo.path.suggested, forgetting=None, changed_layers=None)
    assert "What was forgotten" not in words(other)
    assert "What may change the last layer" in words(other)


def test_the_comparison_of_reports_tells_the_readers(evidence):
    names = report_comparison.OPENED, report_comparison.HERE
    asked, silent = (fmd.build_report(e) for e in (evidence, replace(evidence, forgetting=None)))
    table = report_comparison.compare(asked, silent, names).table.set_index("What")
    assert tuple(table.loc["Read of colour by a linear reader, %"]) == (
        "no", "11.0 (9.0 to 14.0), by guessing 10.0", "–",
    )  # fmt: skip
    same = report_comparison.compare(asked, asked, names).table.set_index("What")
    assert same.loc["Read of colour by a small network, %", "Same?"] == "yes"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda f: f["readings"][0].update(kind="oracle"), "'forgetting.readings[0].kind' is not one of: linear, mlp"),
        (lambda f: f["readings"][0]["after"].update(chance=7), "is not a share from 0 to 1"),
        (lambda f: f["readings"][0]["after"]["accuracy"].pop("low"), "accuracy.low' is missing"),
        (lambda f: f["readings"][0]["after"].update(by_seed=[]), "by_seed' is not a list of 1 to 5,000"),
        (lambda f: f.update(readings=7), "'forgetting.readings' is not a list of 0 to 5,000"),
    ],
)  # fmt: skip
def test_a_hostile_account_is_one_sentence(evidence, change, told):
    values = json_values(fmd.build_report(evidence))
    change(values["forgetting"])
    with pytest.raises(fmd.DataError) as refusal:
        fmd.read_report(json.dumps(values).encode())
    assert told in str(refusal.value)
    assert str(refusal.value).count(". ") == 0


def test_an_account_of_nothing_renders(evidence):
    values = json_values(fmd.build_report(evidence))
    values["forgetting"]["readings"] = []
    assert fmd.render_page(fmd.read_report(json.dumps(values).encode()).report)
    values["done"]["current"] = None  # the setting still names an adversary
    assert fmd.render_page(fmd.read_report(json.dumps(values).encode()).report)


def test_a_perfect_reader_may_be_read_again(evidence, account):
    """Shares are sums of weights: rounding takes one of 1 a little beyond."""
    sure = replace(reader("linear", 0.9), by_seed=(1.0000000000000002,), auc=1.0000000000000002)
    readings = (replace(account.readings[0], after=sure), account.readings[1])
    report = fmd.build_report(replace(evidence, forgetting=replace(account, readings=readings)))
    assert fmd.read_report(report_json(report).encode()).report == report
