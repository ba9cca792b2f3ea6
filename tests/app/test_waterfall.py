"""From harmful samples to unlearning: what the picture, the sentence and the table say, and when."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from app import cache
from app.record.review import Aim, Review
from app.record.variants import Retrained
from app.samples import waterfall as section
from app.view_models import blame, charts, waterfall
from fmd_core import Change, Estimate
from fmd_core.study.bridging import Stop

REVIEW = Review()


def share(value, n=100):
    return Estimate(value, value - 0.05, value + 0.05, n)


def change(name, before, after, p_value=None, called="", group=""):
    sure = Estimate(after - before, after - before - 0.01, after - before + 0.01, 100)
    return Change(name, group, share(before), share(after), sure, p_value, called=called)


def compared(bias=0.5, accuracy=0.8, men=0.25, p_value=0.5, women=0.9):
    """A comparison with the figures that the waterfall reads; the original: 64.1 points, 70 %, blond men 20 %."""
    cells = [
        change("accuracy", 0.2, men, p_value, "blond men", "blond, men"),
        change("accuracy", 0.9, women, 0.9, "blond women", "blond, women"),
    ]
    judged = change("counterfactual bias", 0.641, bias)
    worst = [min(cells, key=lambda cell, end=end: getattr(cell, end).value) for end in ("before", "after")]
    return SimpleNamespace(
        judged=judged, accuracy=change("accuracy", 0.7, accuracy, 0.01), cells=cells, worst_before=worst[0],
        worst_after=worst[1], calibrated=change("calibrated", 0.4, 0.3), verdict="mixed", rows=range(450),
        attribute="sex", measure="counterfactual", called="sex", excess=None, gap=None, has_costs=False,
    )  # fmt: skip


@pytest.fixture(autouse=True)
def names(monkeypatch):
    monkeypatch.setattr(waterfall.wording, "bias_name", lambda *_: "sex bias")


def fixes(*, p_value=0.5, men=0.25):
    return [
        waterfall.Fix("Without the 50 most harmful", compared(0.6), is_removal=True),
        waterfall.Fix("Without all 400 harmful", compared(0.45, men=men, p_value=p_value), is_removal=True),
        waterfall.Fix("Last layer refitted on twins", compared(0.2, men=0.6, p_value=0.001)),
    ]


def test_every_bar_ends_where_the_refit_does():
    steps = waterfall.build(fixes(), "bias", "person").steps
    assert [step.level for step in steps] == [0.641, 0.6, 0.45, 0.2]
    figure = charts.waterfall(steps, axis="points", unit="")
    bar = figure.data[0]
    assert list(bar.base) == pytest.approx([0, 64.1, 64.1, 64.1])  # every fix is one of the original model
    assert [b + x for b, x in zip(bar.base, bar.x, strict=True)] == pytest.approx([64.1, 60, 45, 20])


def test_worse_is_marked_whichever_way_is_good():
    worse = [
        waterfall.Fix("Without the 5 most harmful", compared(0.7, men=0.1, accuracy=0.6), is_removal=True)
    ]
    for shown in waterfall.FIGURES:
        assert waterfall.build(worse, shown, "person").steps[1].color == charts.FLAG
        assert waterfall.build(fixes(), shown, "person").steps[-1].color == charts.ACCENT


def test_the_worst_group_is_whoever_is_served_worst_after_each_fix():
    turned = [waterfall.Fix("Refit", compared(0.2, men=0.6, women=0.5))]
    assert [step.level for step in waterfall.build(turned, "worst", "person").steps] == [0.2, 0.5]
    assert (
        waterfall.build(turned, "bias", "person")
        .table["Served worst: right, %"]
        .tolist()[1]
        .endswith("blond women")
    )


def test_that_removing_cures_nobody_is_said_where_the_figures_say_so():
    assert waterfall.build(fixes(), "bias", "person").lesson == (
        "Removing explains, it does not cure groups: without all 400 harmful, there is no evidence that more of blond "
        "men (20.0 % to 25.0 %, n = 100) are answered right. Last layer refitted on twins: 60.0 %."
    )
    robbed = [waterfall.Fix("Without all 400 harmful", compared(0.1, women=0.04), is_removal=True)]
    assert waterfall.build(robbed, "bias", "person").lesson.endswith(
        "Served worst then: blond women, 4.0 % right."
    )
    assert "fewer of blond men" in waterfall.build(fixes(p_value=0.001, men=0.1), "bias", "person").lesson
    assert waterfall.build(fixes(p_value=0.001, men=0.5), "bias", "person").lesson.startswith(
        "Here removing helps:"
    )
    dear = fixes(p_value=0.001, men=0.5)
    dear[1].comparison.accuracy = change("accuracy", 0.9, 0.8, 0.001)
    assert waterfall.build(dear, "bias", "person").lesson.startswith(
        "Removing has its price: without all 400 harmful, more of blond men (20.0 % to 50.0 %, n = 100) are answered "
        "right, and overall accuracy falls from 90.0 % to 80.0 %."
    )


def test_summary_and_table_have_every_fix():
    view = waterfall.build(fixes(), "bias", "person")
    assert view.summary == (
        "On 450 held-out people the sex bias is 64.1 points, the model right for 70.0 % and for 20.0 % of blond men; "
        "without the 50 most harmful: 60.0 points, 80.0 %, 25.0 %; without all 400 harmful: 45.0 points, 80.0 %, "
        "25.0 %; last layer refitted on twins: 20.0 points, 80.0 %, 60.0 %. Every fix starts from the original model."
    )
    assert view.table["Fix"].tolist() == ["Original model", *(fix.label for fix in fixes())]
    assert view.table["Bias, points"][3].startswith("20.0 ")


def test_what_cannot_be_made_is_named_and_the_rest_shown():
    stop = Stop(
        "without all harmful", 900, None, "Leaving out these 900 would leave no example of 1 of 2 classes."
    )
    view = waterfall.build([*fixes()[:1], waterfall.fix_of(stop)], "bias", "person")
    assert view.missing == (f"Without all 900 harmful cannot be made: {stop.why_not}",)
    assert len(view.steps) == 2


def test_groups_of_a_few_are_no_groups():
    nobody = compared()
    nobody.worst_before = nobody.worst_after = None
    view = waterfall.build(
        [waterfall.Fix("Without the 5 most harmful", nobody, is_removal=True)], "worst", "person"
    )
    assert view.steps == ()
    assert "No group has enough people" in view.lesson
    assert "Served worst: right, %" not in view.table


def test_where_samples_were_asked_about_a_group_the_words_are_about_that_one():
    """Whom test people find the worst is not said to be helped in place of whom those who choose have named."""
    women = (("hair", "blond"), ("sex", "women"))
    asked = waterfall.About("blond women", women)
    tried = fixes(p_value=0.001, men=0.5)
    for fix in tried:
        fix.comparison.cells[1] = replace(fix.comparison.cells[1], properties=women)
    view = waterfall.build(tried, "bias", "person", asked)
    assert view.lesson.startswith(
        "Removing explains, it does not cure groups: without all 400 harmful, there is no evidence that more of blond "
        "women (90.0 % to 90.0 %, n = 100) are answered right."
    )
    assert "and for 90.0 % of blond women; " in view.summary
    few = Estimate.unknown(12)
    for fix in tried:
        fix.comparison.cells[1] = replace(fix.comparison.cells[1], before=few, after=few, difference=few)
    assert waterfall.build(tried, "bias", "person", asked).lesson == (
        "There are too few test people to say whether removing people helps blond women; only the bias and accuracy "
        "can be told."
    )


def test_a_network_that_learned_on_says_how_far_it_is_taken():
    assert waterfall.learned("sex: last block", 1.0, compared()).label == "Deeper: sex: last block"
    assert (
        waterfall.learned("sex: last block", 0.75, compared()).label
        == "Deeper: sex: last block, 75 % of the way"
    )


# --- harmful for what


def test_every_question_names_its_people():
    data = cache.dataset(REVIEW)
    for measure in blame.MEASURE_NAMES:
        said = blame.sentence(data, Aim(("paper",), measure), 200)
        assert said.startswith("Harmful means here: it teaches the model to ")
        assert "Scored by 200 " in said
        assert "set aside to decide the fix" in said
        assert measure == "counterfactual" or data.attribute("paper").levels[0] in said
    group = SimpleNamespace(who="blond men", accuracy=Estimate(0.19, 0.1, 0.35, 36))
    said = blame.sentence(data, Aim(("male",), "worst group"), 13, group)
    assert said == (
        "Harmful means here: it teaches the model to miss blond men, who are served worst: it is right for 19.0 % of "
        "36 external and validation digits (10.0 to 35.0). Scored by the loss of 13 of them, set aside to decide the "
        "fix. They are few: check these scores, below, before you rely on them."
    )
    assert "They are few" not in blame.sentence(data, Aim(("male",), "worst group"), 30, group)


def test_the_bias_under_review_comes_first_and_once():
    named = blame.options("equal opportunity")
    assert next(iter(named)) == ""
    assert "equal opportunity" not in named
    assert set(named) == {"", "counterfactual", "demographic parity", "predictive equality", "worst group"}
    assert len(set(named.values())) == len(named)


# --- the page


def text(test):
    return " ".join(str(part.value) for part in (*test.caption, *test.markdown, *test.info, *test.error))


def test_the_page_asks_marks_and_leads_on(open_page):
    test = open_page("harmful")
    assert not test.exception
    assert "Scored by 200 pairs of twins set aside to decide the fix" in text(test)
    table = next(t.value for t in test.table if "Fix" in t.value)
    assert table["Fix"].tolist()[1] == "Without the 50 most harmful"
    stops = cache.bridge(REVIEW, Aim(("colour",)), 50)
    assert table["Bias, points"].tolist()[1:] == [
        waterfall.figures.figure(stop.comparison.judged.after) for stop in stops
    ]
    assert "was not run in this session" in text(test)

    doubts = cache.label_doubts(REVIEW)
    assert f"{doubts.n} of 900 training digits look" in text(test)
    test.selectbox(key="harmful_shown").set_value("doubted").run()
    assert not test.exception

    test.selectbox(key="harmful_for").set_value("predictive equality").run()
    assert not test.exception
    assert "falsely to some of all groups by colour" in text(test)
    assert test.query_params["for"] == "predictive equality"

    test.selectbox(key="harmful_for").set_value("worst group").run()
    assert "No two groups of digit and colour have 10 digits each of those who choose" in text(test)
    test.selectbox(key="harmful_for").set_value("").run()
    assert "Scored by 200 pairs of twins set aside to decide the fix" in text(test)


def test_a_sample_that_looks_mislabelled_says_why_on_its_card_and_in_the_file():
    from app.view_models import harmful, scores_file, training_sample

    scores, doubts = cache.scores(REVIEW, Aim(("colour",))), cache.label_doubts(REVIEW)
    data = cache.dataset(REVIEW)
    view = harmful.build(data, scores, k=50, kind="Harmful", shown="doubted", doubts=doubts)
    assert {sample.row for sample in view.samples} == set(doubts.rows[doubts.doubted].tolist())
    assert all(sample.note.endswith("\nLooks mislabelled?") for sample in view.samples)
    told = training_sample.explain(view.samples[0], "colour").sentences[-1]
    assert told.startswith("Looks mislabelled? A fit that never saw it gives its label")
    assert "is mislabelled" not in told
    assert scores_file.csv(data, scores, doubts).count(b"True") >= doubts.n > 0
    nobody = replace(doubts, likelier=doubts.likelier * 0 - 1)
    assert harmful.build(data, scores, k=5, kind="Harmful", doubts=nobody).doubts == (
        "None of 900 training digits looks mislabelled."
    )


def test_a_network_that_learned_on_in_this_session_is_a_bar_of_its_own(open_page, monkeypatch):
    variant = Retrained(
        replace(REVIEW, beside="b" * 32), Aim(("colour",)), "learn on", "colour: last block", 0.01
    )
    trained = SimpleNamespace(variant=variant, learnt=object())
    found = cache.bridge(REVIEW, Aim(("colour",)), 50)[-1].comparison
    monkeypatch.setattr(section.state, "trained_here", lambda: (trained,))
    monkeypatch.setattr(section.cache, "comparison", lambda *_: found)
    test = open_page("harmful")
    assert not test.exception
    table = next(t.value for t in test.table if "Fix" in t.value)
    assert table["Fix"].tolist()[-1].replace("\\", "") == "Deeper: colour: last block"
    assert "was not run in this session" not in text(test)
