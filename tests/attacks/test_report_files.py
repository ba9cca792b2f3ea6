"""Hostile report files: each is one clear sentence, or plain text on the page."""

import copy
import json
import re
import tracemalloc
from html import unescape
from html.parser import HTMLParser

import pytest

import fmd_core as fmd
from fmd_core.report import reading as report_reading
from fmd_core.report.writing import json_values

NAUGHTY = "\"><script>alert('x')</script><img src=x onerror=alert(1)>{{ 7 * 7 }}{% raw %}</style>"
HIDDEN = "abc\u202edef\x00\x1b[31m\ud800ghi"


@pytest.fixture(scope="module")
def report():
    """A true report of the demo, with one variant in force."""
    data, model = fmd.load_dataset("colored_digits"), fmd.load_demo_classifier("colored_digits")
    people = {s: fmd.extract_features(model, data, split=s) for s in ("train", "external", "test")}
    pairs = {
        s: fmd.pair_counterfactuals(data, model, split=s, attribute="colour") for s in ("external", "test")
    }
    curvature = fmd.fit_curvature(model.head, people["train"], damping=model.damping)
    bias = fmd.CounterfactualBias(pairs["external"])
    scores = fmd.bias_influence(model.head, people["train"], bias, curvature)
    audit = fmd.audit_bias(model.head, data, people["test"], [pairs["test"]])
    after = fmd.LinearHead(model.head.weight * 0.5, model.head.bias)
    comparison = fmd.compare(model.head, after, data, people["test"], pairs["test"])
    evidence = fmd.Evidence(data, model, audit, 0.1, scores, 3, comparison=comparison)
    return json_values(fmd.build_report(evidence))


def text_of(report):
    """JSON values as the text of a file."""
    return json.dumps(report, ensure_ascii=False)


def refusal(content):
    with pytest.raises(fmd.DataError) as caught:
        fmd.read_report(content)
    message = str(caught.value)
    assert message.endswith(".")
    assert message.count(". ") == 0, "one sentence"
    assert "Traceback" not in message
    assert len(message) < 300
    return message


class Tags(HTMLParser):
    def __init__(self, html):
        super().__init__()
        self.found = []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))


# --- no JSON at all


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "no JSON"),
        (b"not json", "no JSON (line 1)"),
        (b'{"format": ', "no JSON"),
        (b"<!doctype html><title>Sign in</title>", "a web page, not JSON"),
        (b"PK\x03\x04\xff\xfe" * 10, "no text"),
        ('{"format": "fmd-report-2"}'.encode("utf-16"), "no text"),
        (b'{"format": "fmd-report-2", "n": ' + b"9" * 5_000 + b"}", "a number that is too large"),
        (b"[]", "no report of FMD Studio"),
        (b"null", "no report of FMD Studio"),
        (b'"text"', "no report of FMD Studio"),
        (b"{}", "no report of FMD Studio"),
        (b'{"format": 3}', "no report of FMD Studio"),
        (
            b'{"format": "fmd-report-1"}',
            "has the format 'fmd-report-1', and this version opens 'fmd-report-3' and 'fmd-report-2' only",
        ),
        (b'{"format": "fmd-report-2"}', "incomplete: 'created' is missing"),
    ],
)
def test_what_is_no_report_is_one_sentence(content, told):
    assert told in refusal(content)


def test_a_byte_order_mark_is_forgiven(report):
    assert fmd.read_report(b"\xef\xbb\xbf" + text_of(report).encode()).is_intact


@pytest.mark.parametrize("name", ["NaN", "Infinity", "-Infinity"])
def test_what_is_no_number_is_refused(report, name):
    text = text_of(report | {"extra": 12345678})
    assert f"'{name}'" in refusal(text.replace("12345678", name).encode())


def test_a_number_beyond_all_is_refused(report):
    text = text_of(report | {"found": report["found"] | {"threshold": 12345678}})
    assert "'found.threshold' is not a number" in refusal(text.replace("12345678", "1e999").encode())


@pytest.mark.parametrize("opening", [b"[", b'{"a":'])
def test_deep_nesting_is_refused(opening):
    assert "nested more deeply" in refusal(opening * 100_000)
    assert "parts" in refusal(opening * 1_000_000)


def test_nesting_below_a_true_report_is_left_behind(report):
    deep = json.loads("[" * 400 + "]" * 400)
    opened = fmd.read_report(json.dumps(report | {"extra": deep}).encode())
    assert "extra" not in json_values(opened.report)


def test_a_file_too_large_is_refused_before_it_is_read(monkeypatch):
    content = b" " * (report_reading.MAX_BYTES + 1)
    monkeypatch.setattr(report_reading.json, "loads", lambda *_, **__: pytest.fail("was parsed"))
    assert (
        refusal(content) == "This file has 16,777,217 bytes; a report has 16 MiB at most, 16,777,216 bytes."
    )


def test_small_parts_by_the_million_take_little_memory(monkeypatch):
    content = b"[" + b"[]," * 1_000_000 + b"[]]"
    monkeypatch.setattr(report_reading.json, "loads", lambda *_, **__: pytest.fail("was parsed"))
    tracemalloc.start()
    assert "500,000 parts" in refusal(content)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1 << 20


# --- texts


def with_texts(value, text):
    """The same report with `text` wherever a text may stand freely, as value or as name."""
    fixed = {
        "format", "created", "at", "date", "twins", "kind", "measure", "strategy", "depth",
    }  # fmt: skip
    if isinstance(value, dict):
        return {
            key: part if key in fixed and isinstance(part, str) else with_texts(part, text)
            for key, part in value.items()
        }
    if isinstance(value, list):
        return [with_texts(part, text) for part in value]
    return text if isinstance(value, str) else value


def with_words_of_ours(hostile):
    """Give the fields that take only words of ours one of them back: else the report is refused as a whole."""
    hostile["settings"]["measure"] = hostile["found"]["measure"] = "counterfactual"
    for line in hostile["first_page"]["slopes"]:
        line["role"] = ""


def test_row_19_markup_in_every_text_and_name_stays_text(report):
    hostile = with_texts(report, NAUGHTY)
    with_words_of_ours(hostile)
    hostile["data"]["attributes"] = {NAUGHTY: [NAUGHTY]}
    hostile["versions"] = {NAUGHTY: NAUGHTY}
    hostile["measured"]["outcomes"] = {NAUGHTY: 1}
    hostile["decision"] |= {
        "notes": NAUGHTY,
        "reviewer": NAUGHTY,
        "verdict": "accept",
        "intended_use": NAUGHTY,
    }
    hostile["settings"]["attributes"] = [NAUGHTY]
    for entry in hostile["taught_by"]["most_harmful"]:
        entry["shows"] = {NAUGHTY: NAUGHTY}
    opened = fmd.read_report(json.dumps(hostile).encode())
    assert not opened.is_intact
    html = fmd.render_page(opened.report, opened=NAUGHTY)
    tags = Tags(html).found
    assert {tag for tag, _ in tags} & {"script", "img", "iframe", "object", "base", "form", "link"} == set()
    assert all(not name.startswith("on") for _, attributes in tags for name in attributes)
    assert html.count("</style>") == 1
    assert "49" not in re.sub(r"\d[\d.,]+|style=\"[^\"]*\"", "", html[html.index("<body>") :]).split()
    assert unescape(html).count(NAUGHTY) > 50  # all there, as text


def test_a_page_leads_nowhere_else(report):
    hostile = with_texts(report, "https://evil.example/ javascript:alert(1)")
    with_words_of_ours(hostile)
    html = fmd.render_page(fmd.read_report(json.dumps(hostile).encode()).report)
    for _, attributes in Tags(html).found:
        for name in ("href", "src", "srcset", "action"):
            assert attributes.get(name, "#").startswith("#")
    assert "default-src 'none'" in html


def test_hidden_marks_are_taken_out(report):
    changed = copy.deepcopy(report)
    changed["data"]["name"] = changed["decision"]["reviewer"] = HIDDEN
    changed["decision"]["notes"] = f"one\r\n{HIDDEN}\n\nthree"
    opened = fmd.read_report(json.dumps(changed).encode()).report
    assert opened.data.name == opened.decision.reviewer == "abcdef[31m?ghi"
    assert opened.decision.notes == "one\nabcdef[31m?ghi\n\nthree"
    fmd.render_page(opened).encode()  # no half of a character is left, which no browser could be sent


@pytest.mark.parametrize("place", ["name", "word"])
def test_half_of_a_character_where_a_name_or_a_word_of_ours_belongs_is_one_sentence(report, place):
    changed = copy.deepcopy(report)
    if place == "name":
        changed["data"]["\ud800"] = 1
    else:
        changed["data"]["twins"] = "generated\ud800"
    assert "half of a character" in refusal(json.dumps(changed).encode())
    changed["found"]["threshold"] = "much"  # something else is wrong as well
    assert "cannot be opened" in refusal(json.dumps(changed).encode())


@pytest.mark.parametrize("number", [10**400, -(10**400), 10**30, 2**63, 2**64])
def test_a_whole_number_beyond_all_is_refused(report, number):
    for section, field in (("found", "threshold"), ("model", "parameters"), ("model", "damping")):
        changed = report | {section: report[section] | {field: number}}
        assert f"'{section}.{field}' is not a " in refusal(json.dumps(changed).encode())


def test_a_text_of_a_million_letters_is_refused(report):
    changed = report | {"data": report["data"] | {"name": "a" * 1_000_000}}
    assert "'data.name' is not a text of at most 5,000 characters" in refusal(json.dumps(changed).encode())


def test_a_name_in_a_refusal_is_short(report):
    changed = report | {"versions": {"<b>" + "a" * 4_000: 3}}
    assert len(refusal(json.dumps(changed).encode())) < 250


# --- figures that would break the page


@pytest.mark.parametrize("value", [-1e14, 1e14, -0.5, 7.0])
def test_bars_end_where_they_end(report, value):
    changed = copy.deepcopy(report)
    changed["found"]["attributes"][0]["judged"] |= {"value": value, "low": value, "high": value}
    html = fmd.render_page(fmd.read_report(json.dumps(changed).encode()).report)
    shares = [float(x) for x in re.findall(r"(?:width|left|right):([-\d.e+]+)%", html)]
    assert shares
    assert all(0 <= share <= 100 for share in shares)


def test_more_rows_than_a_page_shows_are_refused(report):
    groups = report["measured"]["groups"][:1] * 5_001
    changed = report | {"measured": report["measured"] | {"groups": groups}}
    assert "'measured.groups' is not a list of 0 to 5,000" in refusal(json.dumps(changed).encode())


def test_a_date_at_the_end_of_time_is_refused(report):
    assert "'created' is not a date" in refusal(
        json.dumps(report | {"created": "9999-12-31T23:59:59-23:00"}).encode()
    )
