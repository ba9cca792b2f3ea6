"""What a report opens with: finding, one pair of twins, who gained and who lost, what was not tested, decision."""

import re
from dataclasses import replace
from datetime import UTC, datetime
from html import unescape
from pathlib import Path

import numpy as np
import pytest
from msgspec import structs

import fmd_core as fmd
from fmd_core.measure.bias_functions import pair_differences
from fmd_core.measure.verdict.values import Family, Outcome, WarningKind
from fmd_core.report import slope_chart
from fmd_core.report.differing import differing
from fmd_core.report.first_page import not_tested
from fmd_core.report.page import _differing_first
from fmd_core.report.twin import shown_values, twin_example
from fmd_core.report.writing import Step, report_json

WHEN = datetime(2025, 3, 1, 12, 30, tzinfo=UTC)
SAMPLES = Path(__file__).parent / "report_samples"


@pytest.fixture(scope="module")
def before(demo):
    return demo.study.evidence()


@pytest.fixture(scope="module")
def after(demo):
    return demo.study.evidence(demo.path.suggested)


def opening(html):
    """The first page alone, as text."""
    header = re.search(r"<header.*?</header>", html, flags=re.DOTALL)[0]
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", header)).replace("\N{NO-BREAK SPACE}", " ").split())


def test_it_says_everything_in_its_order(after):
    decided = replace(after, decision=fmd.Decision("needs work", "Ann"))
    text = opening(fmd.render_report(decided))
    rows = [
        "Finding", after.verdict.headline, "Before and after", "What remains", "Who gained and who lost",
        "Lost accuracy", "Gained accuracy", "Not tested", "Decision", "Needs work , by Ann",
    ]  # fmt: skip
    places = [text.index(row) for row in rows]
    assert places == sorted(places)
    assert after.verdict_after.headline in text


def test_what_became_of_whom_the_fix_was_for_comes_before_what_remains(after):
    now = after.verdict_after
    page = fmd.build_report(after).first_page
    assert (page.became, page.remains) == ("", now.headline)  # of twins the line above says it
    group = after.verdict.of(Family.SELECTION)[0]
    page = fmd.build_report(replace(after, was_for=group)).first_page
    assert page.became.startswith(f"Before: {group.sentence} Now: ")
    assert "Asked alone, " in page.became
    assert page.remains == now.headline
    text = opening(fmd.render_report(replace(after, was_for=group)))
    assert text.index("What it was for.") < text.index("What remains:")
    still = now.of(Family.SELECTION)[0]
    found = (replace(still, outcome=Outcome.BEYOND), now.worst, *now.findings[1:])
    worse = replace(after, was_for=still, verdict_after=replace(now, findings=found))
    assert (
        fmd.build_report(worse).first_page.remains == f"That is the worst still. Then: {now.worst.sentence}"
    )
    last = replace(worse, verdict_after=replace(now, findings=found[:1]))
    assert fmd.build_report(last).first_page.remains == (
        "That is the worst still. Nothing else could be said to be beyond its limit."
    )
    forgetting = fmd.build_report(replace(after, was_for=group, forgotten=("colour",))).first_page
    assert (forgetting.became, forgetting.remains) == ("", now.headline)


@pytest.mark.parametrize(
    ("decision", "told"),
    [
        (fmd.Decision(), "Finding · not decided yet"),
        (fmd.Decision(None, "Ann", notes="Later."), "Finding · not decided yet"),
        (fmd.Decision("needs work", "Ann"), "Finding · decided: needs work"),
        (fmd.Decision("reject"), "Finding · decided: reject"),
        (fmd.Decision("accept"), "Finding · decided: accept"),
    ],
)
def test_above_the_finding_stands_whether_it_was_decided(before, decision, told):
    text = opening(fmd.render_report(replace(before, decision=decision)))
    assert told in text
    assert text.count("not decided yet") == text.count("Finding · not decided yet") == ("not" in told)


def test_nothing_changed_is_told_by_what_is_next_worst(before):
    text = opening(fmd.render_report(before))
    assert text.count(before.verdict.headline) == 1
    assert "One pair of twins" in text
    assert before.verdict.findings[2].sentence in text
    for missing in ("Who gained", "What it was for", "What remains", "answer after"):
        assert missing not in text


def test_the_pair_is_the_one_that_the_original_answers_most_differently(demo, after):
    pairs, example = demo.pairs["test"], after.twin
    place = int(np.abs(pair_differences(demo.head, pairs)).argmax())
    assert example.sides[0].row == pairs.favoured.rows[place]
    made = demo.path.suggested.result.head
    for side, people in zip(example.sides, (pairs.favoured, pairs.other), strict=True):
        told = made.probabilities(people.features[[place]])[0]
        assert side.after.answer == told.argmax()
        assert side.after.sure == pytest.approx(told[example.truth])
    unhelpful = twin_example(demo.head, pairs, demo.head)  # no other pair for another change
    assert [s.row for s in unhelpful.sides] == [s.row for s in example.sides]


def test_both_are_shown_in_pictures_where_they_may_be(after):
    header = re.search(r"<header.*?</header>", fmd.render_report(after), flags=re.DOTALL)[0]
    assert header.count('src="data:image/') == 4  # two who are answered, before and after
    locked = replace(after, dataset=replace(after.dataset, shareable=False))
    header = re.search(r"<header.*?</header>", fmd.render_report(locked), flags=re.DOTALL)[0]
    assert "<img" not in header
    assert "answer after" in header


def test_records_are_told_by_their_values_where_they_differ_first(tiny, after):
    example = twin_example(tiny.head, tiny.pairs["test"])
    values = shown_values(tiny.dataset, example)
    assert [told["mark"] for told in values] == [str(side.code) for side in example.sides]
    assert shown_values(replace(tiny.dataset, shareable=False), example) == ({}, {})
    page = fmd.build_report(after).first_page
    sides = [
        structs.replace(s, values={"age": "40", "sex": sex})
        for s, sex in zip(page.twin.sides, "MF", strict=True)
    ]
    told = structs.replace(page, twin=structs.replace(page.twin, sides=sides))
    assert _differing_first(told) == [("sex", "M", "F"), ("age", "40", "40")]


def test_of_a_text_only_the_swapped_words_are_marked():
    one, other = "She said <b>no</b> to her boss.", "He said <b>no</b> to his boss."
    assert differing(one, other) == "<b>She</b> said &lt;b&gt;no&lt;/b&gt; to <b>her</b> boss."
    assert differing("Never married", "Married") == "<b>Never married</b>"
    assert differing("40", "40") == "40"


def test_groups_are_named_in_the_words_of_the_data(after):
    page = fmd.build_report(after).first_page
    assert page.gained[0].startswith(f"{after.comparison.gainers[0].who}: +")
    assert len(page.gained) == 4
    assert page.gained[-1] == f"and {len(after.comparison.gainers) - 3} more groups"
    assert not [told for told in (*page.gained, *page.lost) if "the pattern" in told]


def test_an_attribute_and_its_levels_are_called_as_people_are(after):
    phrases = {**after.dataset.phrases, "colour": {"": "ink", "green": "green ones", "red": "{} in red"}}
    page = fmd.build_report(replace(after, dataset=replace(after.dataset, phrases=phrases))).first_page
    assert (page.twin.called, page.twin.attribute) == ("ink", "colour")
    assert [side.level for side in page.twin.sides] == ["green ones", "red"]
    comparison = replace(after.comparison, called="ink")
    report = fmd.build_report(replace(after, comparison=comparison))
    assert report.measured.headline.startswith("Improved: the ink bias falls")
    assert report.measured.sentence_after.startswith("Changing only the ink ")


def test_who_lost_stands_there(after):
    found = after.comparison
    loser = replace(
        found.groups[-1], called="blond men", properties=(("sex", "male"),), p_value=0.001,
        difference=fmd.Estimate(-0.2, -0.3, -0.1, 60),
    )  # fmt: skip
    hurt = replace(after, comparison=replace(found, groups=(loser, *found.groups[:-1])))
    (told,) = fmd.build_report(hurt).first_page.lost
    assert told.startswith("blond men: \N{MINUS SIGN}20.0 points (")
    assert told in opening(fmd.render_report(hurt))


def test_that_nobody_lost_is_said_only_of_groups_that_could_be_judged(after):
    found = after.comparison
    unknown = replace(found.groups[0], difference=fmd.Estimate.unknown(7))
    some = replace(found, groups=(*found.groups, unknown), intersections=())
    (told,) = fmd.build_report(replace(after, comparison=some)).first_page.lost
    assert told.startswith("none of ")
    assert told.endswith(" by more than chance; for 1 more there are too few people to say")
    nobody = replace(found, groups=(unknown,), intersections=())
    page = fmd.build_report(replace(after, comparison=nobody)).first_page
    assert page.lost == page.gained == ["cannot be said: no group has enough people"]


def test_what_was_not_tested_is_short_here_and_whole_behind(before):
    told, report = not_tested(before.dataset, before.verdict), fmd.build_report(before)
    assert len(told) < len(before.verdict.not_tested) == len(report.found.not_tested)
    assert all("too few people" in line for line in told)
    assert f">{report.found.not_tested[-1].why}<" in fmd.render_report(before).replace(
        "\N{NO-BREAK SPACE}", " "
    )
    unread = replace(before.verdict, not_read=("paper",))
    assert (
        not_tested(before.dataset, unread)[0] == "the model does not read paper, so twins by it cannot differ"
    )


def test_warnings_of_the_data_come_before_the_twins(before):
    said = replace(
        before.verdict.warnings[0], kind=WarningKind.IDENTIFIER, sentence="The column 'id' numbers rows."
    )
    warned = replace(before, verdict=replace(before.verdict, warnings=(said,)))
    text = opening(fmd.render_report(warned))
    assert text.index("The column 'id' numbers rows.") < text.index("One pair of twins")


def test_what_was_refused_stays_visible_whatever_is_in_force(demo, before, after):
    result = demo.path.points[-1].result
    refused = Step(WHEN, "apply", "colour", result, refusal="8 is never answered any more")
    for evidence in (before, after):
        kept = replace(evidence, history=(refused,))
        html = fmd.render_report(kept)
        assert "Applied although the guard refuses it: " in opening(html)
        assert html.count("8 is never answered any more") == 2  # there, and in the history
    assert fmd.build_report(kept).done.history[0].refusal == "8 is never answered any more"
    assert "Refused" not in opening(fmd.render_report(after))


def test_it_is_read_again_as_it_was_written(after):
    report = fmd.build_report(after)
    opened = fmd.read_report(report_json(report).encode())
    assert opened.report == report
    text = opening(fmd.render_page(opened.report))
    assert "answer after" in text
    assert "Gained accuracy" in text


@pytest.mark.parametrize("name", ["fmd-report-2.json", "fmd-report-3.json"])
def test_reports_from_before_open_with_what_they_have(name):
    report = fmd.read_report((SAMPLES / name).read_bytes()).report
    assert report.first_page is None
    text = opening(fmd.render_page(report))
    assert "Decision" in text
    assert "Not tested" not in text


def test_a_hostile_pair_is_one_sentence(after):
    import json

    from fmd_core.report.writing import json_values

    values = json_values(fmd.build_report(after))
    values["first_page"]["twin"]["truth"] = 99
    with pytest.raises(
        fmd.DataError, match=r"'first_page.twin' names a class that 'data.classes' does not have"
    ):
        fmd.read_report(json.dumps(values).encode())
    values["first_page"]["twin"]["sides"] = []
    with pytest.raises(fmd.DataError, match="sides"):
        fmd.read_report(json.dumps(values).encode())


def test_who_gained_and_who_lost_are_lines_with_words_and_a_table_behind_them(after, before):
    report = fmd.build_report(after)
    page, html = report.first_page, fmd.render_page(report)
    assert f'role="img" aria-label="{page.slopes_summary}"' in html.replace("\N{NO-BREAK SPACE}", " ")
    named = [line for line in page.slopes if line.role]
    assert {line.role for line in named} == {"gains", "worst"}
    drawn = re.search(r'<div class="slopes".*?</section>', html, flags=re.DOTALL)[0]
    for line in named:
        assert f"<em>{line.change.who}</em>" in drawn
    assert drawn.count("<title>") == len(page.slopes)
    assert "Who is named on the first page" in html
    assert fmd.build_report(before).first_page.slopes == []
    assert 'class="slopes"' not in fmd.render_report(before)


def test_words_beside_the_lines_keep_apart(after):
    lines = fmd.build_report(after).first_page.slopes
    same = [structs.replace(lines[0], role=role) for role in ("pays", "pays", "gains", "worst")]
    drawn = slope_chart.drawn(same)
    for heights in ([d.name_at for d in drawn], [d.now_at for d in drawn]):
        assert min(abs(a - b) for i, a in enumerate(heights) for b in heights[:i]) >= slope_chart.GAP - 0.1
        assert all(slope_chart.TOP <= height <= slope_chart.FOOT for height in heights)
