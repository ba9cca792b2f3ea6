"""What Find bias says first, and that no small figure of one kind is an all-clear."""

from dataclasses import replace

import numpy as np
import pytest

import fmd_core as fmd
from app import cache
from app.record.criteria import Criteria
from app.record.review import BUNDLED, Aim, Review
from app.view_models import aiming, unlearn, verdict
from fmd_core.measure.verdict.values import Outcome
from tests.app.said import words

REVIEW = Review("colored_digits", BUNDLED)


def people(cells, levels=("men", "women")):
    """A data set and answers, from (level, truth, answer) -> count."""
    rows = np.array([key for key, count in cells.items() for _ in range(count)])
    group, truth, said = rows.T
    n = len(rows)

    class Rows:
        kind, fingerprint = "table", "rows"

    data = fmd.AttributeDataset(
        "Hair",
        fmd.Column("hair", truth, ("other", "blond")),
        {"sex": fmd.Column("sex", group, levels)},
        np.repeat("test", n),
        Rows(),
        phrases={"sex": {"men": "men", "women": "women"}, "hair": {"blond": "blond {}"}},
    )
    return data, fmd.Answered(np.arange(n), truth, said)


BLOND = {
    (0, 1, 1): 7,
    (0, 1, 0): 29,
    (1, 1, 1): 180,
    (1, 1, 0): 50,
    (0, 0, 0): 800,
    (1, 0, 0): 900,
    (1, 0, 1): 20,
}


def test_the_worst_served_come_first_and_twins_that_could_not_be_made_are_named():
    data, answered = people(BLOND)
    view = verdict.build(data, fmd.give_verdict(data, answered, None, favourable="blond"))
    assert view.headline == (
        ("Blond men are recognised ", "words"),
        ("19 %", "worse"),
        (" of the time ", "words"),
        ("(10 to 35, n = 36)", "interval"),
        (", blond women ", "words"),
        ("78 %", "better"),
        (".", "words"),
    )
    assert (
        "".join(piece for piece, _ in view.headline)
        == "Blond men are recognised 19 % of the time (10 to 35, n = 36), blond women 78 %."
    )
    assert view.decisive == "sex"
    assert view.findings.table["Verdict"][0] == "beyond the limit"
    assert "Twins" in set(view.not_tested["What"])
    assert {"men", "women"} <= set(view.groups["Group"])
    assert "Precision, %" in view.groups.columns


def test_a_model_that_says_one_thing_to_everybody_is_not_within_the_limit():
    silent = {(group, truth, 0): count for (group, truth, _), count in BLOND.items()}
    data, answered = people(silent)
    view = verdict.build(data, fmd.give_verdict(data, answered, None, favourable="blond"))
    assert "within the limit" not in "".join(piece for piece, _ in view.headline)
    assert view.warnings
    assert view.decisive == ""


def test_no_two_lines_say_the_same():
    view = verdict.build(cache.dataset(REVIEW), cache.verdict(REVIEW, None))
    said = [line.sentence for line in view.findings.rows]
    assert len(said) == len(set(said)) == verdict.MOST_SHOWN
    names = list(view.findings.table["Finding"])
    assert len(names) == len(set(names))


@pytest.mark.parametrize("attribute", ["paper"])
def test_a_small_figure_is_no_all_clear_while_another_finding_is_beyond_the_limit(attribute):
    found = cache.verdict(REVIEW, None)
    said = unlearn.within_limit(cache.audit(REVIEW, None), found, Aim((attribute,)), 0.1, attribute)
    assert found.outcome is Outcome.BEYOND
    assert "That is no all-clear" in said
    assert "little to take out" not in said
    assert found.headline in aiming.proposal(found, cache.dataset(REVIEW), Aim((attribute,)))


def test_a_single_finding_is_no_verdict_on_everything():
    data, answered = people(BLOND)
    table = verdict.build(data, fmd.give_verdict(data, answered, None, favourable="blond")).findings.table
    assert set(table["Verdict"]) <= set(verdict.WORDS.values())
    assert "within the limit" in set(table["Verdict"])


def test_accuracy_stands_beside_the_share_of_the_largest_class():
    data, answered = people(BLOND)
    said = verdict.build(data, fmd.give_verdict(data, answered, None, favourable="blond")).groups_summary
    assert said.startswith("Right for 95.0 % of 1,986; always answering “other” would be right for 86.6 %.")


def test_who_named_the_favourable_answer_is_told():
    data, answered = people(BLOND)
    own = replace(data, favourable="blond")
    assert fmd.give_verdict(own, answered, None).favourable.reason == "named with the data"
    assert (
        fmd.give_verdict(own, answered, None, favourable="other").favourable.reason
        == "chosen by the reviewer"
    )


def test_moving_the_limit_back_and_forth_leaves_screen_address_and_report_alike(open_page):
    test = open_page("find_bias")
    first = [m.value for m in test.title]
    for limit in (50, 10, 1, 10):
        test.slider(key="threshold").set_value(limit).run()
        found = cache.verdict(REVIEW, None, Criteria(fmd.Limits.of_points(limit / 100)))
        assert words(test.title[0].value) == found.headline
        assert test.table[0].value["Verdict"].tolist().count("beyond the limit") == sum(
            f.outcome is Outcome.BEYOND for f in found.findings[: verdict.MOST_ROWS]
        )
        assert not any("served worse than the others" in m.value for m in test.markdown)
    assert [m.value for m in test.title] == first
    test.slider(key="threshold").set_value(50).run()
    report = test.switch_page("app_pages/report.py").run()
    assert (
        words(report.title[0].value)
        == cache.verdict(REVIEW, None, Criteria(fmd.Limits.of_points(0.5))).headline
    )


def test_a_good_answer_that_nobody_named_is_said_to_have_been_taken():
    data, answered = people(BLOND)
    view = verdict.build(data, fmd.give_verdict(data, answered, None))
    assert view.warnings[0].startswith("Nobody has said which answer is the good one; “")
    named = verdict.build(data, fmd.give_verdict(replace(data, favourable="blond"), answered, None))
    assert not any("Nobody has said" in sentence for sentence in named.warnings)


def test_every_bar_and_row_has_the_limit_of_its_kind():
    limits = fmd.Limits(selection=0.2, equal_truth=0.3, service=0.4)
    data, answered = people(BLOND)
    found = fmd.give_verdict(data, answered, None, favourable="blond", limits=limits)
    view = verdict.build(data, found)
    assert {line.limit for line in view.findings.rows} == {0.2, 0.3, 0.4}
    assert view.findings.table["Limit, points"].tolist() == [f"{100 * f.limit:g}" for f in found.findings]
    assert "limit 0.8" in "".join(view.findings.table["Ratio"])
    assert "Ratio" not in verdict.build(cache.dataset(REVIEW), cache.verdict(REVIEW, None)).findings.table


def test_a_protected_column_that_is_not_read_is_said_before_the_verdict():
    data, answered = people(BLOND)
    view = verdict.build(
        data, fmd.give_verdict(data, answered, (), favourable="blond", not_read=["sex", "town"])
    )
    assert any("'sex' is not read, so its twins cannot differ" in sentence for sentence in view.warnings)
    assert "The model does not read sex and town." in view.not_tested_summary
