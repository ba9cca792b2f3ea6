"""A report opened again: what was written comes back, and nothing else is believed."""

import copy
import json
import re
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

import fmd_core as fmd
from fmd_core.report.writing import Step, json_values, seal

WHEN = datetime(2025, 3, 1, 12, 30, tzinfo=UTC)


@pytest.fixture(scope="module")
def evidence(demo):
    point = demo.path.suggested
    pairs = [demo.pairs_of("test", name) for name in demo.dataset.attributes]
    check = fmd.check_scores(
        demo.head, demo.features["train"], demo.bias("external"), demo.scores, held_out=demo.bias("test"), k=5,
        damping=demo.damping, draws=2, plants=2,
    )  # fmt: skip
    rivals = fmd.rival_heads(
        demo.head, demo.features["train"], demo.scores, [demo.pairs["external"]], demo.features["validation"],
        demo.dataset.attribute("colour").codes[demo.features["validation"].rows], k=5, damping=demo.damping,
    )  # fmt: skip
    return fmd.Evidence(
        demo.dataset, demo.classifier, demo.audit(), 0.1, demo.scores, 3,
        history=(Step(WHEN, "apply", "colour", point.result),), point=point, tolerance=0.01,
        comparison=demo.comparison,
        audit_after=fmd.audit_bias(point.result.head, demo.dataset, demo.features["test"], pairs),
        rivals=tuple((rival, demo.comparison) for rival in rivals), checks=(check,),
        decision=fmd.Decision("reject", "B", date(2025, 3, 1), "One.\n\nTwo.", "Letters."),
        remarks=(fmd.SampleRemark(int(demo.scores.rows[0]), marked=True, note="odd"),),
        trail=fmd.AuditTrail((fmd.LogLine(WHEN, "apply", "strength 1", "ab" * 32),), True, "Whole."),
    )  # fmt: skip


@pytest.fixture(scope="module")
def report(evidence):
    return json_values(fmd.build_report(evidence, created=WHEN))


@pytest.fixture(scope="module")
def small(report):
    """The same with at most one entry in every list: quick to read over and over."""

    def shortened(value):
        if isinstance(value, dict):
            return {key: shortened(part) for key, part in value.items()}
        return [shortened(part) for part in value[:1]] if isinstance(value, list) else value

    found = shortened(report)
    found["data"]["classes"] = report["data"]["classes"]
    return found


def read(report):
    return fmd.read_report(json.dumps(report).encode())


def logged(steps, review="r" * 22):
    """The audit log of a kept review, as its report holds it."""
    from fmd_core.report.log_chain import START, entry_hash

    lines, previous = [], START
    for place, (action, detail) in enumerate(steps, start=1):
        said = {
            "at": WHEN.replace(second=place),
            "action": action,
            "detail": detail,
            "content": f"{place:064x}",
        }
        at = said["at"].isoformat(timespec="microseconds")
        mark = entry_hash(review, place, **{**said, "at": at}, previous=previous)
        lines.append(fmd.LogLine(said["at"], action, detail, mark, said["content"], previous))
        previous = mark
    return fmd.AuditTrail(tuple(lines), True, "Whole.", review)


STEPS = [("created", "data: d"), ("apply", "strength 1,  two spaces and e\u0301"), ("decided", "reject")]


@pytest.fixture(scope="module")
def with_log(evidence):
    made = fmd.build_report(replace(evidence, trail=logged(STEPS)), created=WHEN)
    return json_values(made)


def test_the_log_of_a_report_is_followed_from_its_own_hashes(with_log):
    opened = read(with_log)
    assert (opened.log_fault, opened.outside, opened.cautions("This file")) == ("", (), "")


def sealed(report):
    report["seal"] = seal(report)
    return report


def change(place, name, value):
    def act(log):
        log["lines"][place][name] = value

    return act


@pytest.mark.parametrize(
    ("act", "place"),
    [
        (change(1, "detail", "strength 2"), 2), (change(1, "action", "undo"), 2), (change(2, "previous", "0" * 64), 3),
        (change(2, "content", "0" * 64), 3), (change(0, "at", "2025-03-01T12:30:02+00:00"), 1),
        (change(2, "hash", "0" * 64), 3), (lambda log: log["lines"].pop(0), 1), (lambda log: log["lines"].pop(1), 2),
        (lambda log: log.update(review="s" * 22), 1), (lambda log: log.pop("review"), 1),
        (lambda log: log["lines"].reverse(), 1),
    ],
)  # fmt: skip
def test_a_log_that_was_changed_is_found_though_the_report_is_sealed_again(with_log, act, place):
    changed = copy.deepcopy(with_log)
    act(changed["audit_log"])
    opened = read(sealed(changed))
    assert opened.is_intact
    assert opened.log_fault.startswith(f"Its audit log is broken at entry {place}: ")
    assert opened.log_fault in opened.cautions("This file")


def test_a_log_from_before_says_nothing_of_itself(report):
    assert read(report).log_fault is None


def test_a_figure_outside_its_own_interval_is_noticed(report):
    changed = copy.deepcopy(report)
    figure = changed["measured"]["bias"]["before"]
    figure["value"] = figure["high"] + 0.01
    opened = read(sealed(changed))
    assert opened.outside == ("measured.bias.before",)
    assert "lies outside its own interval" in opened.cautions("This file")
    assert read(report).outside == ()


def test_what_was_written_comes_back(report):
    opened = read(report)
    assert opened.is_intact
    assert json_values(opened.report) == report


def test_the_page_of_an_opened_report_is_the_same_but_for_pictures(evidence, report):
    opened = fmd.render_page(read(report).report)
    written = fmd.render_report(evidence, report=fmd.build_report(evidence, created=WHEN))
    assert re.sub(r"<img[^>]*>", "", written) == opened.replace(
        " Their pictures are missing here: they are in the HTML page that was saved with this report, not in its "
        "JSON.", "",
    ).replace(", without their pictures", "")  # fmt: skip
    assert "Their pictures are missing here" in opened
    assert "<img" not in opened


def test_a_table_misses_no_pictures(report):
    rows = report | {"data": report["data"] | {"kind": "table"}}
    assert "pictures are missing" not in fmd.render_page(read(rows).report)


def test_a_report_without_a_variant_opens(evidence):
    before = replace(
        evidence,
        point=None,
        comparison=None,
        audit_after=None,
        history=(),
        rivals=(),
        checks=(),
        tolerance=None,
    )
    opened = read(json_values(fmd.build_report(before)))
    assert opened.is_intact
    assert "Nothing was unlearned" in fmd.render_page(opened.report)


def test_a_changed_report_opens_but_says_so(report):
    changed = copy.deepcopy(report)
    changed["found"]["attributes"][0]["bias"]["value"] -= 0.001
    assert not read(changed).is_intact
    assert read(changed | {"seal": seal(changed)}).is_intact


def test_what_nobody_asked_for_is_left_behind(report):
    opened = read(report | {"extra": "<script>", "decision": report["decision"] | {"more": 1}})
    kept = json_values(opened.report)
    assert "extra" not in kept
    assert "more" not in kept["decision"]
    assert not opened.is_intact


# --- reports that were written before


def values_in(values, wanted):
    """Of `values` what `wanted` names, as deep as it goes."""
    if isinstance(wanted, dict):
        return {key: values_in(values[key], part) for key, part in wanted.items()}
    if isinstance(wanted, list):
        return [values_in(value, part) for value, part in zip(values, wanted, strict=True)]
    return values


@pytest.mark.parametrize("name", ["fmd-report-2", "fmd-report-3"])
def test_a_report_that_was_written_before_opens_with_its_seal_intact_and_whole(name):
    content = (Path(__file__).parent / "report_samples" / f"{name}.json").read_bytes()
    opened, raw = fmd.read_report(content), json.loads(content)
    assert opened.is_intact
    assert values_in(json_values(opened.report), raw) == raw
    assert opened.report.forgetting is None
    assert "The colour bias falls" in fmd.render_page(opened.report)
    moved = raw["measured"] | {"who_pays": "Nobody."}
    assert not read(raw | {"measured": moved}).is_intact


def test_the_seal_covers_what_it_always_covered():
    """The digest is over the same JSON text as ever: a stored one, and what nobody declares counts too."""
    digest = "aab97085cc89634df6f1c58eb523b7b824e4b194c0525538e4b9d2be656a42ce"
    assert seal({"b": 1.5, "a": ["ü", None], "seal": "x"}) == digest


def test_the_report_shows_itself_in_a_line(evidence):
    shown = repr(fmd.build_report(evidence, created=WHEN))
    assert shown.startswith("Report('Coloured digits', 2025-03-01T12:30:00+00:00, seal ")
    assert len(shown) < 110


def paths(value, place=()):
    """Every part of a report, by the way to it."""
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in parts:
        yield (*place, key)
        yield from paths(part, (*place, key))


def at(report, place):
    for key in place:
        report = report[key]
    return report


WRONG = [None, True, -1, 1e300, 2.5, "", "x" * 6_000, [], {}, [None], {"a": None}, "2025-13-45"]


@pytest.mark.slow
def test_whatever_is_missing_or_wrong_is_one_sentence_or_makes_no_difference(small):
    """No value in a file can bring the page down: it is refused in words, or it renders."""
    refused, rendered = [], 0
    for number, place in enumerate(paths(small)):
        *above, last = place
        for wrong in (KeyError, WRONG[number % len(WRONG)], WRONG[(5 * number + 3) % len(WRONG)]):
            changed = copy.deepcopy(small)
            if wrong is KeyError:
                del at(changed, above)[last]
            else:
                at(changed, above)[last] = wrong
            try:
                fmd.render_page(read(changed).report)
                rendered += 1
            except fmd.DataError as error:
                refused.append(str(error))
    assert len(refused) > 800
    assert [told for told in refused if not told.endswith(".") or ". " in told] == []
    assert rendered > 50


@pytest.mark.parametrize(
    ("place", "value", "told"),
    [
        (("found", "threshold"), "much", "'found.threshold' is not a number"),
        (("found", "threshold"), 1.5, "'found.threshold' is not a share from 0 to 1"),
        (("found", "attributes"), [], "'found.attributes' is not a list of 1 to 5,000"),
        (("found", "attributes", 0, "judged", "low"), None, "both ends of its interval"),
        (("found", "attributes", 0, "judged", "low"), 0.99, "an interval that runs upwards"),
        (("decision", "verdict"), "maybe", "not one of: accept, needs work, reject"),
        (("decision", "date"), "tomorrow", "'decision.date' is not a date"),
        (("created",), "now", "'created' is not a date with a time"),
        (("data", "samples", "train"), -1, "a whole number of 0 or more"),
        (("data", "shareable"), 1, "not true or false"),
        (("measured", "changed", 0, "after"), 10, "names a class that 'data.classes' does not have"),
        (("data", "attributes"), [], "'data.attributes' is not a record"),
    ],
)
def test_the_sentence_says_where_and_what(report, place, value, told):
    changed = copy.deepcopy(report)
    at(changed, place[:-1])[place[-1]] = value
    with pytest.raises(fmd.DataError) as refusal:
        read(changed)
    assert told in str(refusal.value)


def test_a_missing_part_is_named(report):
    changed = copy.deepcopy(report)
    del changed["measured"]["accuracy"]["after"]["low"]
    with pytest.raises(fmd.DataError, match=r"incomplete: 'measured\.accuracy\.after\.low' is missing"):
        read(changed)


def test_a_report_of_the_format_before_is_opened(report):
    older = copy.deepcopy(report) | {"format": "fmd-report-2"}
    del older["audit_log"], older["taught_by"]["remarks"]
    older["seal"] = seal(older)
    found = read(older)
    assert found.is_intact
    assert found.report.taught_by.remarks == []
    assert found.report.audit_log is None
    assert fmd.render_page(found.report)
