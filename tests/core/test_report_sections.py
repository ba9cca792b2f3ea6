"""What a report tells beside its figures: decision, settings, proof, score check, duties, caveats."""

import re
from dataclasses import replace
from datetime import UTC, date, datetime
from html import unescape

import numpy as np
import pytest
from msgspec import structs

import fmd_core as fmd
from fmd_core import figures
from fmd_core.influence.label_doubts import LabelDoubts
from fmd_core.influence.score_check import Effect, GroupCheck, ScoreCheck, SignTest
from fmd_core.models.architectures import find_architecture
from fmd_core.report.duties import ARTICLES, CARD, NO_CERTIFICATE, SECTIONS, sections_of
from fmd_core.report.evidence import LONGEST_NOTES, Remedy
from fmd_core.report.writing import json_values, report_json

WHEN = datetime(2025, 3, 1, 12, 30, tzinfo=UTC)
NAUGHTY = "<img src=x onerror=alert(1)> & {{ 7 * 7 }}"
MADE = fmd.Decision("needs work", "Dr. A", date(2025, 3, 2), "First line.\nSecond line.", "Sorting letters.")


@pytest.fixture(scope="module")
def before(demo):
    return fmd.Evidence(demo.dataset, demo.classifier, demo.audit(), 0.1, demo.scores, 5)


@pytest.fixture(scope="module")
def after(demo, before):
    rivals = fmd.rival_heads(
        demo.head,
        demo.features["train"],
        demo.scores,
        [demo.pairs["external"]],
        demo.features["validation"],
        demo.dataset.attribute("colour").codes[demo.features["validation"].rows],
        k=30,
        damping=demo.damping,
    )

    def measured(head):
        return fmd.compare(demo.head, head, demo.dataset, demo.features["test"], demo.pairs["test"])

    return replace(
        before,
        point=demo.path.suggested,
        tolerance=0.02,
        comparison=demo.comparison,
        attributes=("colour", "paper"),
        rivals=tuple((rival, measured(rival.head)) for rival in rivals),
    )


def words(html):
    body = re.sub(r"<style>.*?</style>|</?bdi>", "", html, flags=re.DOTALL)
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", body)).split())


def told_by(evidence, **options):
    """The report as JSON values."""
    return json_values(fmd.build_report(evidence, **options))


def page(evidence):
    return fmd.render_report(evidence, report=fmd.build_report(evidence, created=WHEN))


# --- the reviewer


def test_no_decision_is_fine(before):
    assert told_by(before)["decision"]["verdict"] is None
    text = words(page(before))
    assert "No decision yet." in text
    assert "The reviewer left no notes." in text
    assert "the reviewer has not said" in text


def test_a_decision_is_told_with_name_and_date(before):
    decided = replace(before, decision=MADE)
    told = told_by(decided)["decision"]
    assert (told["verdict"], told["reviewer"], told["date"]) == ("needs work", "Dr. A", "2025-03-02")
    text = words(page(decided))
    assert "Decision Needs work , by Dr. A, 2 March 2025" in text
    assert "Sorting letters." in text
    assert "No decision yet." not in text


def test_the_lines_of_the_notes_stay_lines(before):
    assert "First line.\nSecond line.</div>" in page(replace(before, decision=MADE))


def test_a_decision_is_about_the_head_in_force(before, after, demo):
    assert told_by(before)["decision"]["head_sha256"] == demo.head.fingerprint
    found = told_by(after)["decision"]["head_sha256"]
    assert found == after.point.result.head.fingerprint != demo.head.fingerprint


@pytest.mark.parametrize("field", ["reviewer", "notes", "intended_use"])
def test_what_the_reviewer_writes_is_escaped(before, field):
    html = page(replace(before, decision=replace(MADE, **{field: NAUGHTY})))
    assert "<img src=x" not in html
    assert NAUGHTY in unescape(html)  # as it was written, and nothing in it computed
    assert "&lt;img src=x" in html


def test_a_nameless_decision_says_so(before):
    assert "by a reviewer who gave no name" in words(page(replace(before, decision=fmd.Decision("accept"))))


def test_an_unknown_decision_is_refused():
    with pytest.raises(fmd.DataError, match="accept, needs work, reject"):
        fmd.Decision("maybe")


@pytest.mark.parametrize("field", ["notes", "intended_use"])
def test_notes_that_are_too_long_are_refused_with_their_length(field):
    assert getattr(fmd.Decision(**{field: "x" * LONGEST_NOTES}), field)
    with pytest.raises(fmd.DataError, match="50,001 characters"):
        fmd.Decision(**{field: "x" * (LONGEST_NOTES + 1)})


# --- settings, proof, score check


def test_every_setting_in_force_is_told(after):
    result = after.point.result
    assert told_by(after)["settings"] == {
        "measure": "counterfactual",
        "attributes": ["colour", "paper"],
        "limit": 0.1,
        "most_unlike": None,
        "left_out": [],
        "strategy": result.strategy,
        "strength": result.strength,
        "k": None,
        "blend": result.blend,
        "depth": "last layer",
        "tolerance": 0.02,
    }
    some = (("colour", 7), ("paper", 9))
    text = words(page(replace(after, most_unlike=0.4567, depth="two layers", left_out=some)))
    for told in (
        "Attributes at once colour, paper",
        "Twins that count match distance up to 0.457, but for 2 that the reviewer left out (colour 7, paper 9)",
        "What may change the last two layers, in full",
        "accuracy may fall by 2 points",
        "K not used by this strategy",
        f"Strength {result.strength:g}",
        "differs from it in the last two layers only",
    ):
        assert told in text


def test_the_original_has_no_strategy(before):
    settings = told_by(before)["settings"]
    assert [settings[name] for name in ("strategy", "strength", "k", "blend", "tolerance")] == [None] * 5
    assert settings["attributes"] == ["colour"]
    assert "Tolerance of the guard" not in page(before)


def test_simpler_fixes_stand_beside_the_variant(after):
    told = told_by(after)["measured"]["rivals"]
    assert [r["title"] for r in told] == [
        "Refit without the 30 most harmful",
        "Refit without 30 at random",
        "Plain refit on 200 twins",
        "Only the thresholds moved",
    ]
    text = words(page(after))
    for rival, (_, comparison) in zip(told, after.rivals, strict=True):
        assert rival["difference"]["value"] == comparison.judged.difference.value
        written = [figures.figure(comparison.judged.after)]
        written.append(figures.figure(comparison.judged.difference, difference=True))
        written.append(figures.figure(comparison.accuracy.difference, difference=True))
        assert " ".join([rival["title"], *written]) in text


def test_why_there_is_no_proof_is_told(after):
    why = "Leaving out 90 samples leaves class 3 without any."
    assert why in words(page(replace(after, rivals=(), no_rivals=why)))
    assert "They were not tried in this review." in words(page(replace(after, rivals=())))


def test_a_score_check_is_told_with_what_was_predicted(before):
    def group(kind, *measured):
        return GroupCheck(kind, tuple(Effect(-0.02, m - 0.001, m, m - 0.002, m + 0.003) for m in measured))

    groups = group("harmful", -0.031), group("random", 0.001, 0.003), group("helpful", 0.04)
    check = ScoreCheck("colour", 25, groups, SignTest(19, 20, 0.00002, 17), 0.6, 0.6, 0.5)
    told = told_by(replace(before, checks=(check,)))["score_checks"]
    assert told[0]["groups"][1]["measured"] == {"mean": 0.002, "least": 0.001, "most": 0.003}
    text = words(page(replace(before, checks=(check,))))
    assert f"Checked with K = 25 by the attribute colour: {check.verdict} ." in text
    assert "25 most harmful −2.0 −3.2 −3.1 −3.3 −2.8" in text
    assert "25 random, mean of 2 −2.0 +0.1 +0.2 0.0 +0.5" in text
    assert "for 19 of them (on held-out digits 17); p of guessing as well: below 0.001." in text
    assert "not the best fit of its own loss" in text
    assert "were not checked" not in text


def test_scores_that_were_not_checked_say_so(before):
    assert "they were not checked against refits" in words(page(before))


# --- duties


def test_every_duty_and_every_section_of_a_model_card_has_evidence():
    assert {a for s in SECTIONS for a in s.articles} == set(ARTICLES) == {10, 14, 15}
    assert {c for s in SECTIONS for c in s.card} == set(CARD)
    always = sections_of(has_variant=False, forgets=False)
    assert {c for s in always for c in s.card} == set(CARD)


def test_headings_name_the_duty_and_links_arrive(before, after):
    for evidence in (before, after):
        html = page(evidence)
        shown = sections_of(has_variant=evidence.comparison is not None, forgets=False)
        text = words(html)
        for s in shown:
            articles = ", ".join(f"Art. {a}" for a in s.articles)
            assert f"{s.title} Model card: {', '.join(s.card)} · EU AI Act: {articles}" in text
        ids, links = re.findall(r'id="(\w+)"', html), re.findall(r'href="#(\w+)"', html)
        assert sorted(ids) == sorted([*(s.key for s in shown), "index"])
        assert set(links) == set(ids) | {"decision"}
        titles = [s["title"] for s in told_by(evidence)["sections"]]
        assert titles == [s.title for s in shown]


def test_it_is_no_certificate(before):
    assert NO_CERTIFICATE in words(page(before))


def test_what_is_not_known_is_told(before, after, demo):
    told = told_by(before)["caveats"]
    assert "Only colour and paper could be looked at." in told[1]
    assert "450 held-out digits" in told[0]
    few = sum(g.accuracy.value is None for a in before.audit.attributes for g in a.groups)
    assert any(f"For {few} groups" in t for t in told)
    assert not any("changed" in t for t in told[3:])
    later = told_by(replace(after, depth="two layers"))["caveats"]
    assert any(t.startswith("Only the last two layers were changed.") for t in later)
    matched = replace(demo.dataset, pair_method="matched")
    assert any("placebo twins" in t for t in told_by(replace(before, dataset=matched))["caveats"])


def test_who_is_in_the_data_adds_up(before):
    data = told_by(before)["data"]
    for column in ("digit", "colour", "paper"):
        rows = [row for row in data["composition"] if row["column"] == column]
        for split, n in data["samples"].items():
            assert sum(row[split] for row in rows) == n


def test_many_attributes_run_down_the_group_metrics(before):
    audit = before.audit.attributes[0]
    many = replace(before.audit, attributes=tuple(replace(audit, attribute=f"a{i}") for i in range(5)))
    text = words(page(replace(before, audit=many)))
    assert "Group metrics (aif360) Attribute Selection rate, usual for the class, %" in text


def test_the_page_speaks_of_what_is_usual_for_a_class_and_says_what_that_is(before, after):
    for evidence in (before, after):
        text = words(page(evidence))
        assert "the pattern" not in re.sub(
            r"the glossary calls that the pattern|What is the pattern", "", text
        )
        assert "Right, usual for the class, % Right, unusual for the class, %" in text
        assert "Usual for a class is the value that stands out most among its training digits" in text


def test_the_page_calls_the_network_as_the_screens_do(before):
    text = words(page(before))
    assert f"{find_architecture('small_cnn').title}, " in text
    assert "small_cnn" not in text


def test_a_network_that_is_not_known_here_keeps_its_name(before):
    report = fmd.build_report(before)
    theirs = structs.replace(report, model=structs.replace(report.model, architecture="their_own"))
    assert "their_own, " in words(fmd.render_page(theirs))


def test_samples_without_pictures_can_be_told_apart(before):
    report = fmd.build_report(replace(before, dataset=replace(before.dataset, shareable=False)))
    first = report.taught_by.most_harmful[0]
    assert f"{first.shows['colour']} digit {first.row} " in words(fmd.render_page(report))


def test_one_point_and_one_attribute_are_not_plural(before, after):
    alone = replace(
        before, audit=replace(before.audit, attributes=before.audit.attributes[:1]), threshold=0.01
    )
    text = words(page(alone))
    assert "adjusted for looking at 1" not in text
    assert "the limit of 1 point set by" in text
    assert "accuracy may fall by 1 point " in words(page(replace(after, tolerance=0.01)))


def test_figures_do_not_break_at_the_end_of_a_line(before):
    html = page(before)
    assert "95\N{NO-BREAK SPACE}%\N{NO-BREAK SPACE}interval" in html
    assert "n\N{NO-BREAK SPACE}=\N{NO-BREAK SPACE}" in html


# --- the seal


def test_the_seal_holds_everything_but_itself(before):
    report = fmd.build_report(before, created=WHEN)
    assert report.seal == fmd.build_report(before, created=WHEN).seal
    other = fmd.build_report(replace(before, decision=MADE), created=WHEN)
    assert other.seal != report.seal
    assert fmd.read_report(report_json(report).encode()).is_intact


# --- remarks, other ways to a variant, and the audit log


def test_what_was_said_of_samples_is_in_the_report(demo, before):
    rows = [int(row) for row in demo.scores.rows[:2]]
    said = (
        fmd.SampleRemark(rows[0], marked=True, note=NAUGHTY),
        fmd.SampleRemark(rows[1], excluded=True),
    )
    found = replace(before, remarks=said)
    told = told_by(found)["taught_by"]["remarks"]
    assert [(r["row"], r["marked"], r["excluded"], r["note"]) for r in told] == [
        (rows[0], True, False, NAUGHTY), (rows[1], False, True, ""),
    ]  # fmt: skip
    html = page(found)
    assert NAUGHTY not in html
    assert NAUGHTY in words(html)
    assert f'alt="Training digit {rows[1]}"' in html
    assert "the model in force still learned from it" in words(html)
    assert "the model in force still learned from it" not in words(page(replace(before, remarks=said[:1])))
    assert "What the reviewer said of single digits" not in words(page(before))


def test_labels_that_look_wrong_are_in_the_report_where_somebody_looked(before):
    n = 30
    own = np.linspace(0.9, 0.01, n)
    found = LabelDoubts(
        np.arange(100, 100 + n), np.zeros(n, int), own, np.where(own < 0.5, 3, -1), np.where(own < 0.5, 0.6, 0.0),
        np.full(10, 0.8),
    )  # fmt: skip
    told = told_by(replace(before, doubted=found))["taught_by"]["doubted"]
    assert (told["n"], told["samples"]) == (found.n, n)
    assert [told["first"][0][name] for name in ("row", "label", "likelier")] == [129, 0, 3]
    assert [one["own"] for one in told["first"]] == sorted(one["own"] for one in told["first"])
    text = words(page(replace(before, doubted=found)))
    assert f"{found.n} of 30 training digits look mislabelled" in text
    nobody = replace(found, likelier=np.full(n, -1), other=np.zeros(n))
    assert "None of 30 training digits looks mislabelled." in words(page(replace(before, doubted=nobody)))
    assert "look mislabelled" not in words(page(before))
    assert told_by(before)["taught_by"]["doubted"] is None


def test_what_was_tried_beside_unlearning_is_in_the_report(after):
    tried = (
        Remedy("Without the 50 most harmful", after.comparison),
        Remedy("Last layer refitted on twins", None, f"There are too few twins {NAUGHTY}."),
    )
    told = told_by(replace(after, remedies=tried))["taught_by"]["remedies"]
    assert told[0]["judged"]["after"]["value"] == after.comparison.judged.after.value
    assert told[1]["judged"] is None
    text = words(page(replace(after, remedies=tried)))
    assert "What helps: leaving some out, or unlearning" in text
    assert "Without the 50 most harmful" in text
    assert "There are too few twins" in text
    assert "What helps: leaving some out" not in words(page(after))


def test_a_variant_without_a_strength_is_told_in_its_own_words(after):
    what = "colour: fitted again without the 3 that the reviewer excluded"
    result = replace(after.point.result, strategy="exclusion", strength=1.0, k=3, what=what)
    text = words(page(replace(after, point=replace(after.point, result=result))))
    assert f"In force: {what}." in text
    assert "Fit again without those that the reviewer excluded" in text
    assert "not used by this strategy" not in text
    assert "not used by this strategy" in words(page(after))


@pytest.mark.parametrize("is_intact", [True, False])
def test_the_audit_log_is_told_with_what_was_found_of_it(before, is_intact):
    lines = tuple(fmd.LogLine(WHEN, "apply", f"line {n}", f"{n:064x}") for n in range(40))
    found = replace(before, trail=fmd.AuditTrail(lines, is_intact, "What was found."))
    report = told_by(found)
    assert [line["detail"] for line in report["audit_log"]["lines"]] == [f"line {n}" for n in range(40)]
    html = page(found)
    assert ('class="refused">What was found.' in html) is not is_intact
    assert "line 39" in words(html)
    assert "line 9 " not in words(html)  # the latest 30 on the page
    assert told_by(before)["audit_log"] is None


def test_a_network_that_was_trained_on_is_told_to_have_changed_below_its_last_layer(after):
    result = replace(after.point.result, strategy="adversary", what="colour forgotten by training")
    text = words(page(replace(after, point=replace(after.point, result=result))))
    assert "differs from it in layers below the last one as well; which was not looked at." in text
    assert "The network was trained on below its last layer." in text
    assert "differs from it in the last layer only." in words(page(after))
