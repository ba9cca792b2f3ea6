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

from fmd_core import Column, Evidence, audit_bias, build_report, render_report, wording
from fmd_core.report import Step, describe_row, report_json

WHEN = datetime(2025, 3, 1, 12, 30, tzinfo=UTC)
NAUGHTY = "<script>alert('x')</script> & \"co\""


@pytest.fixture(scope="module")
def before(demo):
    """Evidence without any unlearning."""
    return Evidence(demo.dataset, demo.classifier, demo.audit(), 0.1, demo.scores, 20)


@pytest.fixture(scope="module")
def after(demo, before):
    """Evidence after applying the suggestion."""
    result = demo.path.suggested.result
    history = (Step(WHEN, "apply", "colour", result),)
    return replace(before, history=history, result=result, comparison=demo.comparison)


def page(evidence):
    return render_report(evidence, report=build_report(evidence, created=WHEN))


class Page(HTMLParser):
    """Tags with their attributes, and the text."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.text = [], ""
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data


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
    assert json.loads(report_json(report)) == json.loads(json.dumps(report))
    assert json.loads(report_json(report)) == report


def test_json_holds_plain_finite_values_only(evidence):
    for leaf in leaves(build_report(evidence)):
        assert type(leaf) in (str, int, float, bool, type(None))
        assert not isinstance(leaf, float) or math.isfinite(leaf)


def test_json_refuses_what_is_not_a_number():
    with pytest.raises(ValueError, match="not JSON compliant"):
        report_json({"bias": float("nan")})


def test_json_says_what_was_reviewed(before, demo):
    report = build_report(before, created=WHEN)
    assert report["created"] == "2025-03-01T12:30:00+00:00"
    assert report["data"]["sha256"] == demo.dataset.fingerprint
    assert report["data"]["samples"] == {"train": 900, "external": 200, "validation": 247, "test": 450}
    assert report["model"]["sha256"] == demo.classifier.fingerprint
    assert report["model"]["head_sha256"] == demo.head.fingerprint
    assert report["found"]["attributes"][0]["bias"]["value"] == before.audit.attributes[0].bias.value


def test_nothing_done_is_told_as_nothing(before):
    report = build_report(before)
    assert report["done"] == {"history": [], "current": None}
    assert report["measured"] is None


def test_what_was_done_and_measured_is_told(after, demo):
    report, result = build_report(after), after.result
    assert report["done"]["current"]["head_sha256"] == result.head.fingerprint
    assert report["done"]["history"][0]["at"] == "2025-03-01T12:30:00+00:00"
    measured = report["measured"]
    assert measured["headline"] == wording.comparison_headline(demo.comparison)
    assert measured["bias"]["after"]["value"] == demo.comparison.bias.after.value
    assert measured["confusion_after"] == demo.comparison.confusion_after.tolist()
    assert len(measured["changed"]) == len(demo.comparison.changed)
    assert len(measured["groups"]) == len(demo.comparison.groups)


def test_harmful_samples_are_listed_worst_first(before, demo):
    taught = build_report(before)["taught_by"]
    assert len(taught["most_harmful"]) == len(taught["most_helpful"]) == taught["top_k"] == 20
    effects = [entry["removal_effect"] for entry in taught["most_harmful"]]
    assert effects == sorted(effects)
    first = taught["most_harmful"][0]
    row = int(demo.scores.rows[demo.scores.most_harmful(1)[0]])
    assert (first["rank"], first["row"]) == (1, row)
    assert first["digit"] == demo.dataset.target.levels[demo.dataset.target.codes[row]]
    assert first["colour"] == describe_row(demo.dataset, row)["colour"]


# --- HTML


def test_the_page_needs_nothing_from_outside(evidence):
    html = page(evidence)
    for tag, attributes in Page(html).tags:
        assert tag not in ("script", "link", "iframe", "object", "embed", "form", "base")
        for name, value in attributes.items():
            assert not name.startswith("on")
            if name in ("src", "href", "srcset", "action", "poster", "data"):
                assert value.startswith("data:image/png;base64,")
    assert "<script" not in html.lower()
    assert not re.search(r"url\(|@import|https?://", html)


def test_the_page_shows_its_pictures(evidence):
    pictures = [a for tag, a in Page(page(evidence)).tags if tag == "img"]
    assert len(pictures) == (12 if evidence.comparison is None else 24)
    assert all(a["alt"] for a in pictures)


def test_the_page_shows_the_headline_and_the_figures_of_the_json(evidence):
    report, text = build_report(evidence, created=WHEN), Page(page(evidence)).text
    for attribute in evidence.audit.attributes:
        for estimate in (attribute.bias, attribute.flips, attribute.aligned_accuracy):
            assert wording.figure(estimate) in text
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
            assert wording.figure(change.before) in text
            assert wording.figure(change.difference, difference=True) in text


def test_going_back_to_the_original_is_told(after):
    back = replace(after, result=None, comparison=None)
    assert "The model is back at the original, bit for bit." in Page(page(back)).text


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


def test_people_too_few_are_told_in_words(tiny, before):
    few = np.arange(7)
    report = audit_bias(
        tiny.head, tiny.dataset, tiny.features["test"].subset(few), [tiny.pairs["test"].subset(few)]
    )
    text = Page(page(replace(before, audit=report))).text
    assert "not enough people to say (n = 7)" in text
    assert not re.search(r"\b(nan|None|inf)\b", text)


def test_the_same_evidence_gives_the_same_page(after):
    assert page(after) == page(after)


def test_describing_a_row_names_every_column(demo):
    row = int(np.flatnonzero(demo.dataset.target.codes == 3)[0])
    found = describe_row(demo.dataset, row)
    assert list(found) == ["digit", "colour", "paper"]
    assert found["digit"] == "3"
