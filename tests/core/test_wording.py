"""Exact sentences for hand-made values."""

from dataclasses import replace

import numpy as np
import pytest

from fmd_core import AttributeBias, BiasReport, Change, Comparison, Estimate, LinearHead, figures, scan
from fmd_core.measure.bias_functions import MEASURES
from fmd_core.measure.group_metrics import GroupMetrics
from fmd_core.measure.served_groups import ServedGroup
from fmd_core.method import find_strategy, strategies
from fmd_core.report import wording
from fmd_core.unlearn.guarded_path import PathPoint, UnlearningPath
from fmd_core.unlearn.strategies import UnlearningResult

UNKNOWN = Estimate.unknown(7)
MINUS = "\N{MINUS SIGN}"


ONE_GROUP = (
    "The equal opportunity gap by 'colour' needs two groups, but nobody here goes with the pattern; choose another "
    "measure or attribute."
)


def share(value, low=None, high=None, n=450):
    return Estimate(value, value if low is None else low, value if high is None else high, n)


def audit(bias, flips=share(0.587)):  # noqa: B008  frozen
    metrics = GroupMetrics(*[UNKNOWN] * 6)
    return AttributeBias("colour", bias, flips, UNKNOWN, UNKNOWN, metrics)


def finding(bias, flips=share(0.587), measure="counterfactual"):  # noqa: B008  frozen
    return scan(BiasReport(UNKNOWN, (audit(bias, flips),)), 0.1, measure)[0]


def change(before, after, difference, group=""):
    return Change("accuracy", group, before, after, difference)


def comparison(bias, accuracy, groups=None, answers=((0, 1), (0, 0))):
    nothing = change(UNKNOWN, UNKNOWN, UNKNOWN)
    counts, (before, after) = np.zeros((2, 2), int), (np.array(a) for a in answers)
    return Comparison(
        "colour",
        bias,
        FELL,  # of flipped decisions
        accuracy,
        nothing,
        nothing,
        (NO_CHANGE,) if groups is None else groups,
        counts,
        counts,
        np.arange(2),
        before,
        after,
        np.zeros(2, int),
        ("0", "1"),
    )


FELL = change(share(0.588), share(0.0354), share(-0.5526, -0.59, -0.51))
RAISED = change(share(0.416), share(0.791), share(0.375, 0.32, 0.43))
HELD = change(share(0.852), share(0.85), share(-0.002, -0.01, 0.006))
NO_CHANGE = change(share(0.5), share(0.5), share(0.0))


# --- figures


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.588, "58.8"), (-0.1234, f"{MINUS}12.3"), (0, "0.0"), (-0.0001, "0.0"), (0.0005, "0.1"), (1, "100.0")],
)
def test_points_have_one_digit_and_no_negative_zero(value, text):
    assert figures.points(value) == text


def test_a_name_has_its_article():
    for name in ("orange 1", "elderly man", "hour", "8", "18", "uncle", "unidentified man", "Irish man"):
        assert figures.with_article(name) == f"an {name}"
    for name in ("red 3", "blond woman", "European", "union", "user", "one-eyed man", "US citizen", "180"):
        assert figures.with_article(name) == f"a {name}"


def test_more_digits_on_request():
    assert figures.points(-0.01234, digits=3) == f"{MINUS}1.234"


def test_percent_and_in_hundred():
    assert figures.percent(0.5884) == "58.8 %"
    assert figures.in_hundred(0.587) == "59 in 100"


def test_a_figure_carries_its_interval():
    assert figures.figure(share(0.588, 0.548, 0.629)) == "58.8 (54.8 to 62.9)"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (share(0.375, 0.32, 0.43), "+37.5 (32.0 to 43.0)"),
        (share(-0.1, -0.2, 0.01), f"{MINUS}10.0 ({MINUS}20.0 to 1.0)"),
        (share(0.0001, -0.1, 0.1), f"0.0 ({MINUS}10.0 to 10.0)"),
    ],
)
def test_a_difference_shows_its_sign(value, text):
    assert figures.figure(value, difference=True) == text


def test_an_unknown_figure_says_why():
    assert figures.figure(UNKNOWN) == "not enough people to say (n = 7)"


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (1, "1 point"),
        (1.0, "1 point"),
        (0, "0 points"),
        (2, "2 points"),
        (0.5, "0.5 points"),
        (7.000000000000001, "7 points"),
    ],
)
def test_one_is_not_a_plural(number, text):
    assert figures.counted(number, "point") == text


@pytest.mark.parametrize(
    ("after", "said"),
    [
        (Estimate(0.141, 0.1, 0.2, 450), "The bias is still beyond the limit of 10 points."),
        (Estimate(0.1, 0.05, 0.2, 450), ""),
        (Estimate.unknown(7), ""),
    ],
)
def test_what_is_still_beyond_the_limit_is_said(after, said):
    moved = Change("bias", "", Estimate(0.6, 0.5, 0.7, 450), after, after)
    found = comparison(moved, HELD)
    assert wording.still_beyond(found, 0.1) == said
    lag = replace(found, gap=moved, measure="worst group")
    assert wording.still_beyond(lag, 0.1) == ""  # its interval reaches the limit
    assert wording.still_beyond(lag, 0.09) == (said and "The lag is still beyond the limit of 9 points.")


@pytest.mark.parametrize(
    ("changes", "shown"),
    [
        ((0.031, -0.05), ["+3.1", f"{MINUS}5.0"]),
        ((0.02, 0.0), ["+2.0", "0.0"]),
        ((0.0199, -0.0001), ["+1.99", f"{MINUS}0.01"]),
        ((0.0019,), ["+0.190"]),
    ],
)
def test_changes_that_are_read_together_have_the_decimals_of_the_largest(changes, shown):
    text = figures.in_points(iter(changes))
    assert [text(change) for change in changes] == shown


def test_a_moment_is_told_in_utc():
    assert figures.moment("2025-03-01T23:30:00-02:00") == "2 Mar 2025, 01:30 UTC"


def test_a_refusal_is_one_sentence():
    assert wording.guard_refusal("accuracy falls") == (
        "The guard refuses this: accuracy falls, on the validation part."
    )


def test_counts_have_commas_from_a_thousand_on():
    assert [figures.count(n) for n in (7, 999, 1_000, 16_281)] == ["7", "999", "1,000", "16,281"]
    assert figures.counted(16_281, "person") == "16,281 people"


@pytest.mark.parametrize(
    ("text", "joined"),
    [
        ("right for 94.2 % of them", "right for 94.2_% of them"),
        ("(95 % interval 54.8 to 62.9, n = 450)", "(95_%_interval 54.8_to_62.9, n_=_450)"),
        (f"{MINUS}1.0 (+0.5 to {MINUS}2.0)", f"{MINUS}1.0 (+0.5_to_{MINUS}2.0)"),
        ("falls by 5.0 points, and 1 point", "falls by 5.0_points, and 1_point"),
        ("5s (28 → 96 %), 3 → wrong", "5s (28_→_96_%), 3 → wrong"),
        ("red 3 to the left, ten = 4 of plan", "red 3 to the left, ten = 4 of plan"),
    ],
)
def test_figures_do_not_break_at_the_end_of_a_line(text, joined):
    assert figures.unbroken(text) == joined.replace("_", "\N{NO-BREAK SPACE}")


# --- one attribute


@pytest.mark.parametrize(
    ("bias", "verdict", "headline"),
    [
        (share(0.588, 0.548, 0.629), "biased", "This model decides by colour."),
        (share(0.15, 0.12, 0.18), "biased", "Colour moves the answer beyond the limit of 10 points."),
        (share(0.02, 0.01, 0.03), "within the limit", "Colour stays within the limit of 10 points."),
        (share(0.05, 0.0, 0.1), "within the limit", "Colour stays within the limit of 10 points."),
        (
            share(0.1, 0.08, 0.12),
            "too close to call",
            "Whether colour stays within the limit of 10 points is too close to call.",
        ),
        (
            share(0.12, 0.1, 0.15),
            "too close to call",
            "Whether colour stays within the limit of 10 points is too close to call.",
        ),
        (
            UNKNOWN,
            "not enough people to say (n = 7)",
            "There are too few people to say (n = 7) about colour.",
        ),
        (Estimate.refused(ONE_GROUP), ONE_GROUP, ONE_GROUP),
        (Estimate.unknown(0, "not measured"), "not measured", "Colour: not measured."),
    ],
)
def test_an_attribute_at_a_limit_of_ten_points(bias, verdict, headline):
    found = finding(bias)
    assert found.words == verdict
    assert wording.attribute_headline(found) == headline


def test_the_sentence_of_an_attribute():
    found = wording.attribute_sentence(finding(share(0.588, 0.548, 0.629)))
    assert found == (
        "Changing only the colour changes the answer by 58.8 points "
        "(95 % interval 54.8 to 62.9, n = 450); for 59 in 100 it flips the decision."
    )


def test_the_sentence_without_flips():
    found = wording.attribute_sentence(finding(share(0.02, 0.01, 0.03), flips=UNKNOWN))
    assert (
        found
        == "Changing only the colour changes the answer by 2.0 points (95 % interval 1.0 to 3.0, n = 450)."
    )


def test_the_sentence_of_an_unknown_attribute():
    assert wording.attribute_sentence(finding(UNKNOWN)) == "Colour: not enough people to say (n = 7)."
    assert wording.attribute_sentence(finding(Estimate.refused(ONE_GROUP))) == ONE_GROUP


@pytest.mark.parametrize(("favours", "direction"), [(True, "more"), (False, "less")])
def test_the_sentence_of_a_group_gap_names_its_direction(favours, direction):
    even = replace(
        audit(share(0.1)),
        parity_gap=share(0.152, 0.12, 0.18),
        parity_favours=favours,
        opportunity_favours=not favours,
    )
    decisions = share(-0.2 if favours else 0.2)  # decisions may go the other way than probabilities
    uneven = replace(even, metrics=replace(even.metrics, demographic_parity_difference=decisions))
    found = scan(BiasReport(UNKNOWN, (uneven,)), 0.1, "demographic parity")[0]
    assert wording.attribute_sentence(found) == (
        f"On average a class gets 15.2 points {direction} probability where the colour is usual for the class "
        "than elsewhere (95 % interval 12.0 to 18.0, n = 450)."
    )
    assert (
        wording.attribute_headline(found)
        == "The demographic parity gap by colour is beyond the limit of 10 points."
    )


@pytest.mark.parametrize(("favours", "direction"), [(True, "more"), (False, "less")])
def test_among_those_whose_class_it_is_the_gap_has_a_direction_of_its_own(favours, direction):
    told = replace(
        audit(share(0.1)),
        opportunity_gap=share(0.152),
        parity_favours=not favours,
        opportunity_favours=favours,
    )
    found = scan(BiasReport(UNKNOWN, (told,)), 0.1, "equal opportunity")[0]
    assert f"15.2 points {direction} probability among those who truly" in wording.attribute_sentence(found)


def test_the_limit_of_one_point_is_singular():
    found = scan(BiasReport(UNKNOWN, (audit(share(0.15, 0.12, 0.18)),)), 0.01)[0]
    assert wording.attribute_headline(found) == "Colour moves the answer beyond the limit of 1 point."


def test_who_is_served_worst_is_told_of_one_class():
    served = ServedGroup("blond", "male", share(0.194, 0.1, 0.35, 36))
    found = replace(audit(share(0.1)), groups=(served,))
    assert wording.worst_served_sentence(found, share(0.95, 0.94, 0.96, 16_281)) == (
        "Served worst within one class: blond, male. The model is right for 19.4 % of them "
        "(95 % interval 10.0 to 35.0, n = 36), and for 95.0 % of all."
    )
    assert wording.worst_served_sentence(found, share(0.3, 0.2, 0.4)) == ""


# --- a comparison


@pytest.mark.parametrize(
    ("bias", "accuracy", "sentence"),
    [
        (
            FELL,
            RAISED,
            "Improved: the colour bias falls from 58.8 to 3.5 points, and accuracy rises from 41.6 % to 79.1 %.",
        ),
        (
            FELL,
            HELD,
            "Improved: the colour bias falls from 58.8 to 3.5 points, and there is no evidence that accuracy changes "
            "(from 85.2 % to 85.0 %).",
        ),
        (
            FELL,
            change(share(0.9), share(0.8), share(-0.1, -0.15, -0.05)),
            "Mixed: the colour bias falls from 58.8 to 3.5 points, but accuracy falls from 90.0 % to 80.0 %.",
        ),
        (
            change(share(0.638), share(0.6379), share(-0.0001, -0.0002, -0.0001)),
            RAISED,
            "Improved: the colour bias falls by less than 0.1 points, and accuracy rises from 41.6 % to 79.1 %.",
        ),
        (
            change(share(0.1), share(0.2), share(0.1, 0.05, 0.15)),
            change(share(0.9), share(0.8), share(-0.1, -0.15, -0.05)),
            "Worse: the colour bias rises from 10.0 to 20.0 points, and accuracy falls from 90.0 % to 80.0 %.",
        ),
        (
            change(share(0.1), share(0.09), share(-0.01, -0.03, 0.01)),
            HELD,
            "No evidence that the colour bias changes (10.0 to 9.0 points), "
            "and there is no evidence that accuracy changes (from 85.2 % to 85.0 %).",
        ),
        (
            change(UNKNOWN, UNKNOWN, UNKNOWN),
            HELD,
            "Whether it worked cannot be said: not enough people to say (n = 7).",
        ),
        (change(*[Estimate.refused(ONE_GROUP)] * 3), HELD, ONE_GROUP),
        (
            FELL,
            change(UNKNOWN, UNKNOWN, UNKNOWN),
            "Mixed: the colour bias falls from 58.8 to 3.5 points, and accuracy cannot be said; there are not enough "
            "people to say who pays.",
        ),
    ],
)
def test_the_headline_of_a_comparison(bias, accuracy, sentence):
    assert wording.comparison_headline(comparison(bias, accuracy)) == sentence


def test_the_headline_when_nothing_changed():
    found = comparison(NO_CHANGE, NO_CHANGE, answers=((0, 1), (0, 1)))
    assert found.verdict == "unchanged"
    assert wording.comparison_headline(found) == "Nothing has changed: this is the original model."


LOSS = change(share(0.9), share(0.8), share(-0.1, -0.15, -0.05), "digit: 3")
DOUBT = change(share(0.9), share(0.89), share(-0.01, -0.05, 0.03), "digit: 4")
GAIN = change(share(0.8), share(0.9), share(0.1, 0.05, 0.15), "digit: 5")
FEW = change(UNKNOWN, UNKNOWN, UNKNOWN, "digit: 6")


def test_a_class_and_level_that_fell_among_few_is_not_hidden_by_the_many_other_pairs():
    cell = replace(LOSS, group="digit: 3, colour: red", properties=(("digit", "3"), ("colour", "red")))
    hidden = replace(comparison(FELL, HELD, (GAIN,)), cells=(cell,))
    assert hidden.losers == hidden.payers == (cell,)
    assert hidden.verdict == "mixed"
    assert wording.losers_sentence(hidden).startswith("1 of 2 groups lost accuracy: digit: 3, colour: red")
    twice = replace(hidden, intersections=(replace(cell, properties=cell.properties[::-1]),))
    assert len(twice.losers) == 1


def test_the_headline_counts_the_groups_that_lost_as_the_sentence_below_it_does():
    little = change(share(0.9), share(0.895), share(-0.005, -0.009, -0.002), "digit: 4")
    found = comparison(FELL, HELD, (LOSS, little))
    assert wording.comparison_headline(found).endswith(
        "; 2 groups lose accuracy, 1 of them more than 1 point."
    )
    assert wording.losers_sentence(found).startswith("2 of 2 groups lost accuracy: ")
    assert wording.comparison_headline(comparison(FELL, HELD, (LOSS,))).endswith("; 1 group loses accuracy.")


def test_nobody_is_said_to_lose_nothing_where_no_group_has_enough_people():
    few = change(UNKNOWN, UNKNOWN, UNKNOWN, "animal: dog")
    said = wording.losers_sentence(comparison(FELL, RAISED, (few,)))
    assert said == "In no group are there enough people to say whether it lost accuracy."


def test_nobody_loses():
    found = wording.losers_sentence(comparison(FELL, HELD, (DOUBT, GAIN)))
    assert found == "None of 2 groups lost accuracy by more than chance."


def test_somebody_loses_and_some_are_too_few():
    found = wording.losers_sentence(comparison(FELL, HELD, (LOSS, DOUBT, GAIN, FEW)))
    assert found == (
        "1 of 3 groups lost accuracy: digit: 3 by 10.0 points (5.0 to 15.0). "
        "For 1 more there are not enough people to say."
    )


def test_only_the_worst_three_are_named():
    found = wording.losers_sentence(comparison(FELL, HELD, (LOSS,) * 5))
    assert found.startswith("5 of 5 groups lost accuracy: ")
    assert found.endswith("; and 2 more.")


def test_a_loss_within_what_so_many_groups_do_by_chance_is_still_told():
    doubtful = replace(LOSS, p_value=0.2)
    found = wording.losers_sentence(comparison(FELL, HELD, (doubtful, GAIN)))
    assert found == (
        "None of 2 groups lost accuracy by more than chance. Looked at alone these lost too, but of so many groups "
        "some do by chance: digit: 3 by 10.0 points (5.0 to 15.0)."
    )


def test_another_attribute_that_rises_comes_first():
    rises = change(share(0.1), share(0.2), share(0.1, 0.05, 0.15), "paper")
    doubt = change(share(0.1), share(0.2), share(0.1, -0.05, 0.15), "hat")
    found = wording.who_pays(comparison(FELL, HELD, (LOSS,)), (doubt, rises, FELL))
    assert found.startswith("The bias by paper rises 10.0 points. 1 of 1 group lost accuracy: ")


def test_several_attributes_that_rise_are_one_sentence():
    rises = [change(share(0.1), share(0.2), share(0.1, 0.05, 0.15), name) for name in ("paper", "hat")]
    found = wording.who_pays(comparison(FELL, HELD, (GAIN,)), rises)
    assert found.startswith("The bias by paper rises 10.0 points, that by hat 10.0 points. None of 1")


# --- settings and the suggestion


def result(strength):
    return UnlearningResult(LinearHead([[0.0], [0.0]], [0, 0]), "iterated", strength, 0)


def test_every_strategy_has_a_title_and_a_note_for_twins_and_for_groups():
    assert len({strategy.title for strategy in strategies()}) == len(strategies())
    for strategy in strategies():
        notes = [wording.strategy_note(strategy, measure) for measure in MEASURES]
        assert all(note.endswith(".") for note in notes)
        assert not any("twin" in note for note in notes[1:] if strategy.group_note)


def test_a_setting_names_what_was_chosen():
    iterated, remove = (find_strategy(name).title for name in ("iterated", "paper-remove"))
    assert wording.setting("iterated", 0.3, 0, 1.0) == f"{iterated}, strength 0.3"
    assert wording.setting("iterated", 0.3, 0, 0.25) == f"{iterated}, strength 0.3, 25 % of the way"
    assert wording.setting("paper-remove", 1.0, 20, 1.0) == f"{remove}, strength 1, K = 20"
    assert wording.setting("paper-remove", 0.0, 20, 1.0) == "the original model"


def test_strength_labels():
    assert [figures.strength_label(s) for s in (0, 0.02, 3.0)] == ["0 (original)", "0.02", "3"]


def path(*points, suggested):
    return UnlearningPath(points, (), points[suggested], 1.0, 0.01, 247)


RULE = (
    "On 247 validation digits accuracy may fall by at most 1 point overall, no class by more than 5 or "
    "be given up, "
    "and the bias may not rise."
)
START = PathPoint(result(strength=0.0), 0.437, 0.612, 0.6, "")
BETTER = PathPoint(result(strength=3.0), 0.749, 0.035, 0.04, "")
REFUSED = PathPoint(result(strength=9.0), 0.2, 0.01, 0.02, "accuracy falls")


TRADE = (
    "we suggest the one that trades best, a point of bias counting as much as two points of accuracy: bias from 61.2 "
    "to 3.5 points, counted in decisions from 60.0 to 4.0, accuracy from 43.7 % to 74.9 %. The larger of both counts: "
    "a model that only becomes unsure earns nothing."
)


@pytest.mark.parametrize(
    ("refused", "opening"),
    [
        (0, "Of all tried settings"),
        (1, "1 of 3 tried settings breaks that rule. Of the rest"),
        (2, "2 of 4 tried settings break that rule. Of the rest"),
    ],
)
def test_the_reason_for_a_suggestion(refused, opening):
    found = wording.suggestion_reason(path(START, BETTER, *[REFUSED] * refused, suggested=1), "digit")
    assert found == f"{RULE} {opening} {TRADE}"


def test_more_than_one_point_is_plural():
    wider = replace(path(START, BETTER, suggested=1), tolerance=0.02, people=16_281)
    assert wording.suggestion_reason(wider, "digit").startswith(
        "On 16,281 validation digits accuracy may fall by at most 2 points overall"
    )


def test_the_reason_to_leave_the_model_alone():
    assert wording.suggestion_reason(path(START, replace(REFUSED), suggested=0), "digit") == (
        f"{RULE} No strength is allowed and better, so we suggest to leave the model as it is. "
        "Another way to unlearn, more layers or feature unlearning may do better."
    )
