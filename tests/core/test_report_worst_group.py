"""The report on a fix for whoever is served worst: whom it was for, and no sentence that speaks of twins instead."""

import re
from dataclasses import replace
from html import unescape

import pytest

import fmd_core as fmd
from fmd_core import AttributeBias, BiasReport, Estimate, scan
from fmd_core.measure.group_metrics import GroupMetrics
from fmd_core.measure.served_groups import ServedGroup
from fmd_core.report import wording
from fmd_core.report.writing import report_json
from fmd_core.study.aim import Aim

AIM = Aim(("paper",), "worst group")


@pytest.fixture(scope="module")
def evidence(demo):
    return demo.study.evidence(demo.study.path(AIM).suggested, AIM)


@pytest.fixture(scope="module")
def report(evidence):
    return fmd.build_report(evidence)


def words(html):
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", html)).replace("\N{NO-BREAK SPACE}", " ").split())


def test_it_says_what_became_of_whom_it_was_for(evidence, report, demo):
    group = demo.study.worst_served("paper")
    assert group.who in evidence.was_for.sentence
    first = report.first_page
    assert first.became.startswith(f"Before: {evidence.was_for.sentence} Now: ")
    assert first.remains == evidence.verdict_after.headline
    assert f"What it was for. {first.became}" in words(fmd.render_report(evidence, report=report))
    assert demo.study.evidence(None, AIM).was_for is None


def test_before_and_after_are_of_the_group_that_was_named_and_not_of_whom_test_people_find_worst(
    evidence, report
):
    lag = evidence.comparison.judged
    assert report.measured.sentence_before == wording.lag_sentence(lag.before, lag.who)
    assert report.measured.sentence_after.startswith(wording.lag_sentence(lag.after, lag.who))
    found = replace(lag, before=Estimate(0.4, 0.3, 0.5, 40), after=Estimate.unknown(12))
    other = fmd.build_report(replace(evidence, comparison=replace(evidence.comparison, gap=found)))
    assert other.measured.sentence_before == (
        f"The model is right for 40.0 points fewer of {lag.who} than of everybody else (95 % interval 30.0 to 50.0, "
        "n = 40)."
    )
    assert other.measured.sentence_after == (
        f"How far {lag.who} lag behind everybody else: not enough people to say (n = 12)."
    )


def test_every_setting_is_named_and_nothing_is_called_a_bias_of_twins(evidence, report):
    text = words(fmd.render_report(evidence, report=report))
    assert "What counts as bias whoever is served worst is right less often than everybody else" in text
    assert "the group that is served worst is right than everybody else" in text
    assert "of them who have twins" not in text
    assert "of them who are of the group" in text
    assert "Lag after, points" in text
    assert f"lower the loss of {evidence.comparison.judged.who} most" in text


def test_a_report_that_was_saved_opens_with_the_same_words(report):
    saved = fmd.read_report(report_json(report).encode()).report
    assert saved.settings.measure == saved.found.measure == "worst group"
    assert saved.first_page.became == report.first_page.became
    assert "What counts as bias whoever is served worst" in words(fmd.render_page(saved))


def group(label, accuracy):
    return ServedGroup(label, "new", accuracy, f"new with {label}")


@pytest.mark.parametrize(
    ("smallest", "verdict", "said"),
    [
        (Estimate(0.9, 0.88, 0.92, 900), "within the limit", "stays within the limit of 10 points."),
        (Estimate.unknown(12), "cannot be said", "cannot be said: of 1 group there are too few."),
    ],
)
def test_nobody_lags_only_where_every_group_was_looked_at(smallest, verdict, said):
    known, nothing = Estimate(0.89, 0.87, 0.91, 900), Estimate.unknown(0)
    groups = tuple(
        sorted((group("no", known), group("yes", smallest)), key=lambda g: g.accuracy.value is None)
    )
    found = AttributeBias(
        "form", Estimate(0.0, 0.0, 0.0, 900), nothing, nothing, nothing, GroupMetrics(*[nothing] * 6), groups,
        worst_lag=Estimate(0.01, 0.0, 0.02, 900),
    )  # fmt: skip
    (of,) = scan(BiasReport(known, (found,)), 0.1, "worst group")
    assert (of.verdict, of.words) == (verdict, verdict)
    assert said in wording.attribute_headline(of)
    assert ("Of 1 group there are too few to say." in wording.attribute_sentence(of)) == (
        verdict == "cannot be said"
    )
