"""The evidence pack: plain JSON, and one HTML page that needs nothing else."""

import json
import math
import re
from dataclasses import replace
from datetime import UTC, datetime
from html import unescape
from html.parser import HTMLParser

import numpy as np
import pytest
from msgspec import structs
from safetensors.numpy import load

from app.view_models import report as report_view
from fmd_core import (
    Answered,
    Column,
    Evidence,
    Limits,
    LinearHead,
    audit_bias,
    build_report,
    figures,
    give_verdict,
    render_report,
    scan,
)
from fmd_core.intervals import Estimate
from fmd_core.measure.changed_answers import OUTCOMES, changed_examples, outcome
from fmd_core.report import wording, writing
from fmd_core.report.sections import describe_row
from fmd_core.report.writing import Step, json_values, report_json

WHEN = datetime(2025, 3, 1, 12, 30, tzinfo=UTC)
NAUGHTY = "<script>alert('x')</script> & \"co\""


@pytest.fixture(scope="module")
def before(demo):
    """Evidence without any unlearning."""
    return Evidence(demo.dataset, demo.classifier, demo.audit(), 0.1, demo.scores, 20)


@pytest.fixture(scope="module")
def after(demo, before):
    """Evidence after applying the suggestion."""
    point = demo.path.suggested
    pairs = [demo.pairs_of("test", name) for name in demo.dataset.attributes]
    return replace(
        before,
        history=(Step(WHEN, "apply", "colour", point.result),),
        point=point,
        tolerance=0.01,
        comparison=demo.comparison,
        audit_after=audit_bias(point.result.head, demo.dataset, demo.features["test"], pairs),
    )


@pytest.fixture(scope="module")
def back(after):
    """Evidence after returning to the original."""
    return replace(after, point=None, tolerance=None, comparison=None, audit_after=None)


def told_by(evidence, **options):
    """The report as JSON values."""
    return json_values(build_report(evidence, **options))


def page(evidence):
    return render_report(evidence, report=build_report(evidence, created=WHEN))


class Page(HTMLParser):
    """Tags with their attributes, and the text."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.text = [], ""
        self.feed(re.sub(r"<style>.*?</style>", "", html, flags=re.DOTALL))

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data.replace("\N{NO-BREAK SPACE}", " ")

    @property
    def words(self):
        return " ".join(self.text.split())


def rows_under(html, heading):
    """Cells of the first table after a heading, by row."""
    table = html[html.index(heading) :].split("</table>")[0]
    return [
        [Page(cell).words for cell in re.findall(r"<t[dh][^>]*>(.*?)</t[dh]>", row)]
        for row in table.split("<tr>")[1:]
    ]


def leaves(value):
    if isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from leaves(part)
    else:
        yield value


@pytest.fixture(params=["before", "after"])
def evidence(request, before, after):
    return {"before": before, "after": after}[request.param]


# --- JSON


def test_json_comes_back_as_it_was(evidence):
    report = build_report(evidence, created=WHEN)
    assert json.loads(report_json(report)) == json_values(report)


def test_json_holds_plain_finite_values_only(evidence):
    for leaf in leaves(told_by(evidence)):
        assert type(leaf) in (str, int, float, bool, type(None))
        assert not isinstance(leaf, float) or math.isfinite(leaf)


def test_json_refuses_what_is_not_a_number(before):
    report = build_report(before)
    with pytest.raises(ValueError, match="not JSON compliant"):
        report_json(structs.replace(report, model=structs.replace(report.model, damping=float("nan"))))


def test_json_says_what_was_reviewed(before, demo):
    report = told_by(before, created=WHEN)
    assert report["created"] == "2025-03-01T12:30:00+00:00"
    assert report["data"]["sha256"] == demo.dataset.fingerprint
    assert report["data"]["samples"] == {"train": 900, "external": 200, "validation": 247, "test": 450}
    assert report["model"]["sha256"] == demo.classifier.fingerprint
    assert report["model"]["head_sha256"] == demo.head.fingerprint
    assert report["found"]["attributes"][0]["bias"]["value"] == before.audit.attributes[0].bias.value


def test_nothing_done_is_told_as_nothing(before):
    report = told_by(before)
    assert report["done"] == {"history": [], "current": None}
    assert report["measured"] is None


def test_what_was_done_and_measured_is_told(after, demo):
    report, result = told_by(after), after.point.result
    assert report["done"]["current"]["head_sha256"] == result.head.fingerprint
    assert report["done"]["history"][0]["at"] == "2025-03-01T12:30:00+00:00"
    measured = report["measured"]
    assert measured["headline"] == wording.comparison_headline(demo.comparison)
    assert measured["bias"]["after"]["value"] == demo.comparison.bias.after.value
    assert measured["confusion_after"] == demo.comparison.confusion_after.tolist()
    assert len(measured["changed"]) == len(demo.comparison.changed)
    assert len(measured["groups"]) == len(demo.comparison.groups)


def test_answers_are_counted_among_all_held_out_people(after):
    """Not among those alone who have a twin that counts."""
    bias = after.comparison.bias
    few = replace(bias, before=replace(bias.before, n=77))
    text = Page(page(replace(after, comparison=replace(after.comparison, bias=few)))).words
    everyone, changed = len(after.comparison.rows), len(after.comparison.changed)
    assert (
        f"Accuracy is measured on {everyone} held-out digits, bias on the 77 of them who have twins; none"
        in text
    )
    assert f"{changed} of {everyone} held-out digits get another answer" in text


def test_a_gap_without_two_groups_is_one_clean_sentence(before):
    problem = "The equal opportunity gap by 'colour' needs two groups; choose another measure or attribute."
    unknown = Estimate.refused(problem)
    audits = tuple(replace(audit, opportunity_gap=unknown) for audit in before.audit.attributes)
    evidence = replace(before, measure="equal opportunity", audit=replace(before.audit, attributes=audits))
    found = told_by(evidence)["found"]["attributes"][0]
    assert (found["headline"], found["sentence"]) == (problem, problem)


def test_the_guard_s_word_is_told(after):
    point, current = after.point, told_by(after)["done"]["current"]
    assert current["guard"] == {
        "admitted": True,
        "refusal": "",
        "validation_bias": point.bias,
        "validation_accuracy": point.accuracy,
        "tolerance": 0.01,
    }
    assert "The guard admitted this setting on validation data." in Page(page(after)).text


def test_a_setting_that_the_guard_refuses_is_told(after):
    refused = replace(after, point=replace(after.point, refusal="class <9> loses 20.0 points"))
    guard = told_by(refused)["done"]["current"]["guard"]
    assert (guard["admitted"], guard["refusal"]) == (False, "class <9> loses 20.0 points")
    text = Page(page(refused)).text
    assert "Applied although the guard refuses it: class <9> loses 20.0 points." in text
    assert "The guard admitted" not in text


def test_a_shortened_step_is_told(after):
    result = replace(after.point.result, strategy="paper-external", strength=0.5, step_share=0.0309)
    shortened = replace(after, point=replace(after.point, result=result))
    current = told_by(shortened)["done"]["current"]
    assert current["step_share"] == 0.0309
    assert current["setting"].endswith("strength 0.5, of a step shortened to 3.1 % of the published one")
    assert current["setting"] in Page(page(shortened)).text
    untouched = replace(shortened, point=replace(shortened.point, result=replace(result, strength=0)))
    assert told_by(untouched)["done"]["current"]["setting"] == "the original model"
    assert "shortened" not in page(after)


@pytest.mark.parametrize("limit", [0.07, 0.123])
def test_the_limit_is_the_reviewer_s(after, limit):
    evidence = replace(after, threshold=limit)
    report = told_by(evidence)
    assert report["found"]["threshold"] == limit
    assert report["found"]["attributes"][0]["verdict"] == scan(after.audit, limit)[0].words
    assert f"the limit of {100 * limit:g} points set by" in Page(page(evidence)).text
    assert f'class="limit" style="left:{100 * limit:.2f}%"' in page(evidence)


def test_by_what_was_judged_stands_in_the_report(after):
    limits = Limits(twins=0.03, ratio=0.5)
    evidence = replace(after, verdict=give_verdict(*few(after), (), favourable="1", limits=limits))
    criteria = told_by(evidence)["found"]["criteria"]
    assert criteria[0].startswith("Limits: 3 points for twins, 10 points or a ratio of 0.5")
    assert "The favourable answer is '1': chosen by the reviewer." in criteria
    assert all(sentence in Page(page(evidence)).text for sentence in criteria)


def few(evidence):
    """The people of a review and answers that are all right."""
    rows = evidence.dataset.rows("test")
    return evidence.dataset, Answered(rows, *[evidence.dataset.target.codes[rows]] * 2)


def test_the_verdict_follows_the_limit(after):
    verdicts = [
        told_by(replace(after, threshold=limit))["found"]["attributes"][0]["verdict"] for limit in (0.1, 0.9)
    ]
    assert verdicts == ["biased", "within the limit"]


def test_every_attribute_is_told_after(after):
    told = {a["attribute"]: a for a in told_by(after)["measured"]["attributes_after"]}
    assert sorted(told) == ["colour", "paper"]
    for found in scan(after.audit_after, after.threshold):
        assert told[found.attribute]["bias"]["value"] == found.estimate.value
        assert told[found.attribute]["verdict"] == found.words
    before = {f.attribute: f for f in scan(after.audit, 0.1)}
    later = {f.attribute: f for f in scan(after.audit_after, 0.1)}
    assert rows_under(page(after), "Every attribute before and after")[1:] == [
        [
            name,
            figures.figure(before[name].estimate),
            figures.figure(later[name].estimate),
            before[name].words,
            later[name].words,
        ]
        for name in before
    ]


def test_attributes_after_may_be_missing(after):
    evidence = replace(after, audit_after=None)
    assert told_by(evidence)["measured"]["attributes_after"] is None
    assert "Every attribute before and after" not in page(evidence)


def test_the_top_speaks_of_the_attribute_that_was_unlearned(after, demo):
    swapped = replace(after.audit, attributes=after.audit.attributes[::-1])
    text = Page(page(replace(after, audit=swapped))).words
    colour = scan(after.audit, after.threshold)[0]
    ends = demo.comparison.bias.after, demo.comparison.flips.after
    later = replace(colour, audit=replace(colour.audit, bias=ends[0], flips=ends[1]))
    assert f"Before: {wording.attribute_sentence(colour)} After: {wording.attribute_sentence(later)}" in text


def test_changed_answers_are_told_with_the_truth(after, demo):
    measured, comparison = told_by(after)["measured"], demo.comparison
    for entry in measured["changed"]:
        assert entry["truth"] == demo.dataset.target.codes[entry["row"]]
        assert entry["outcome"] == outcome(entry["truth"], entry["before"], entry["after"])
    gained, lost, _ = (measured["outcomes"][name] for name in OUTCOMES)
    assert gained - lost == np.trace(comparison.confusion_after) - np.trace(comparison.confusion_before)
    assert sum(measured["outcomes"].values()) == len(comparison.changed)
    text = Page(page(after)).text
    for name, count in measured["outcomes"].items():
        assert f"{count} {name}" in text


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [(1, 2, "now right"), (2, 1, "now wrong"), (0, 1, "wrong both times")],
)
def test_what_a_changed_answer_means(before, after, told):
    assert outcome(2, before, after) == told


@pytest.mark.parametrize(
    ("n_lost", "n_others", "shown"), [(20, 30, (6, 6)), (2, 30, (2, 10)), (20, 1, (11, 1))]
)
def test_pictures_show_losses_for_half(demo, n_lost, n_others, shown):
    labels = np.zeros(60, dtype=int)
    was = np.r_[np.zeros(n_lost, dtype=int), np.ones(60 - n_lost, dtype=int)]
    now = was.copy()
    now[: n_lost + n_others] = 2
    comparison = replace(demo.comparison, predicted_before=was, predicted_after=now)
    picked = changed_examples(comparison, labels, 12)
    assert len(set(picked.tolist())) == 12
    assert ((picked < n_lost).sum(), (picked >= n_lost).sum()) == shown
    assert (np.diff((picked < n_lost).astype(int)) >= 0).all()


def test_pictures_of_nobody(demo):
    same = replace(demo.comparison, predicted_after=demo.comparison.predicted_before)
    assert changed_examples(same, np.zeros(450, dtype=int), 12).tolist() == []


def test_no_changed_answer_means_no_pictures(after, demo):
    same = replace(demo.comparison, predicted_after=demo.comparison.predicted_before)
    text = Page(page(replace(after, comparison=same))).words
    assert (
        "0 of 450 held-out digits get another answer: 0 now right, 0 now wrong, 0 wrong both times." in text
    )


# --- Files to download


def head_in(data):
    tensors = load(data)
    return LinearHead(tensors["head.weight"], tensors["head.bias"])


def test_the_downloaded_layer_is_the_one_in_force(after, back, before, demo):
    built = report_view.build(after)
    told = json.loads(built.json)["done"]["current"]["head_sha256"]
    assert head_in(built.head).fingerprint == told == after.point.result.head.fingerprint
    assert told != demo.head.fingerprint
    for evidence in (before, back):
        assert head_in(report_view.build(evidence).head).fingerprint == demo.head.fingerprint


def test_the_note_says_why_there_is_no_before_and_after(before, after, back):
    assert report_view.build(after).note == ""
    assert report_view.build(before).note.startswith("Nothing has been unlearned yet")
    told = "The original model is in force; what was tried is in the history of the report."
    assert report_view.build(back).note == told


def test_harmful_samples_are_listed_worst_first(before, demo):
    taught = told_by(before)["taught_by"]
    assert len(taught["most_harmful"]) == len(taught["most_helpful"]) == taught["top_k"] == 20
    effects = [entry["removal_effect"] for entry in taught["most_harmful"]]
    assert effects == sorted(effects)
    first = taught["most_harmful"][0]
    row = int(demo.scores.rows[demo.scores.most_harmful(1)[0]])
    assert (first["rank"], first["row"]) == (1, row)
    assert first["shows"]["digit"] == demo.dataset.target.levels[demo.dataset.target.codes[row]]
    assert first["shows"]["colour"] == describe_row(demo.dataset, row)["colour"]


# --- HTML


def test_the_page_needs_nothing_from_outside(evidence):
    html = page(evidence)
    for tag, attributes in Page(html).tags:
        assert tag not in ("script", "link", "iframe", "object", "embed", "form", "base")
        for name, value in attributes.items():
            assert not name.startswith("on")
            if name in ("src", "href", "srcset", "action", "poster", "data"):
                assert value.startswith(("data:image/png;base64,", "#"))
    assert "<script" not in html.lower()
    assert not re.search(r"url\((?!\"data:font/woff2;base64,)|@import|https?://", html)


def test_the_page_shows_its_pictures(evidence):
    pictures = [a for tag, a in Page(page(evidence)).tags if tag == "img"]
    assert len(pictures) == (12 if evidence.comparison is None else 24)
    assert all(a["alt"] for a in pictures)


def test_the_page_shows_the_headline_and_the_figures_of_the_json(evidence):
    report, text = told_by(evidence, created=WHEN), Page(page(evidence)).text
    for attribute in evidence.audit.attributes:
        for estimate in (attribute.bias, attribute.flips, attribute.aligned_accuracy):
            assert figures.figure(estimate) in text
    assert report["found"]["attributes"][0]["sentence"] in text
    assert report["data"]["sha256"] in text
    if evidence.comparison is None:
        assert report["found"]["attributes"][0]["headline"] in text
        assert "Nothing was unlearned; the model is the original." in text
        assert "Did it work?" not in text
    else:
        assert report["measured"]["headline"] in text
        assert report["measured"]["who_pays"] in text
        assert report["done"]["current"]["head_sha256"] in text
        for change in (evidence.comparison.bias, *evidence.comparison.groups):
            assert figures.figure(change.before) in text
            assert figures.figure(change.difference, difference=True) in text


def test_going_back_to_the_original_is_told(back):
    assert told_by(back)["done"]["current"] is None
    text = Page(page(back)).text
    assert "The model is back at the original, bit for bit." in text
    assert "1 Mar 2025, 12:30 UTC" in text


def test_figures_have_real_minus_signs_and_dates_are_readable(after):
    text = Page(page(after)).words
    first = told_by(after)["taught_by"]["most_harmful"][0]["removal_effect"]
    assert f"{figures.points(first, 3)} points" in text
    assert first < 0
    assert not re.search(r"(?<!\w)-\d", text)
    assert "2025-03-01" not in text


def test_group_metrics_run_down_and_attributes_across(before):
    rows = rows_under(page(before), "Group metrics")
    assert rows[0] == ["Metric", *(a.attribute for a in before.audit.attributes)]
    parity = [figures.figure(a.metrics.demographic_parity_difference) for a in before.audit.attributes]
    assert rows[3] == ["Demographic parity difference, points", *parity]
    impact = before.audit.attributes[0].metrics.disparate_impact
    assert rows[6][:2] == [
        "Disparate impact, ratio",
        f"{impact.value:.2f} ({impact.low:.2f} to {impact.high:.2f})",
    ]


def test_names_from_the_data_are_escaped(after, demo):
    digit, colour = demo.dataset.target, demo.dataset.attribute("colour")
    levels = tuple(f"{NAUGHTY}{i}" for i in range(10))
    renamed = replace(
        demo.dataset,
        name=NAUGHTY,
        target=Column(digit.name, digit.codes, levels),
        attributes={**demo.dataset.attributes, "colour": Column("colour", colour.codes, levels)},
    )
    comparison = replace(
        demo.comparison, groups=tuple(replace(c, group=f"digit: {NAUGHTY}") for c in demo.comparison.groups)
    )
    html = page(replace(after, dataset=renamed, comparison=comparison))
    assert "<script" not in html
    assert "&lt;script&gt;" in html
    assert f"{NAUGHTY}9" in unescape(html)
    assert all(tag != "script" for tag, _ in Page(html).tags)


def test_an_attribute_name_is_escaped(before):
    audit = replace(
        before.audit, attributes=tuple(replace(a, attribute=NAUGHTY) for a in before.audit.attributes)
    )
    html = page(replace(before, audit=audit))
    assert "<script" not in html
    assert NAUGHTY in unescape(html)


def test_samples_too_few_are_told_in_words(tiny, before):
    few = np.arange(7)
    report = audit_bias(
        tiny.head, tiny.dataset, tiny.features["test"].subset(few), [tiny.pairs["test"].subset(few)]
    )
    text = Page(page(replace(before, audit=report))).text
    assert Estimate.unknown(7).problem in text
    assert not re.search(r"\b(nan|None|inf)\b", text)


def test_the_same_evidence_gives_the_same_page(after):
    assert page(after) == page(after)


def test_describing_a_row_names_every_column(demo):
    row = int(np.flatnonzero(demo.dataset.target.codes == 3)[0])
    found = describe_row(demo.dataset, row)
    assert list(found) == ["digit", "colour", "paper"]
    assert found["digit"] == "3"


def test_a_report_is_written_without_the_dashboards_libraries(before, monkeypatch):
    def version(name):
        if name == "streamlit":
            raise writing.PackageNotFoundError(name)
        return "1.0"

    monkeypatch.setattr(writing, "version", version)
    assert set(build_report(before).versions) == {"python", *writing.PACKAGES} - {"streamlit"}
