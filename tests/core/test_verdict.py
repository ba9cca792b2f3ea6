"""The verdict: what is beyond, what is within, and when nothing may be said. Each row of the false all-clears
that gave rise to it is a test here or in test_audit_command."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from fmd_core.data import AttributeDataset, Column
from fmd_core.datasets.table_dataset import make_table_dataset
from fmd_core.errors import DataError
from fmd_core.measure.verdict import values as v
from fmd_core.measure.verdict.answered import Answered
from fmd_core.measure.verdict.favourable import suggest_favourable
from fmd_core.measure.verdict.judging import give_verdict
from fmd_core.measure.verdict.rules import is_beyond_alone_only, outcome_alone
from fmd_core.measure.verdict.sentences import alone_sentence, criteria_sentences, limit_words
from fmd_core.measure.verdict.twins import TwinAnswers
from fmd_core.measure.verdict.values import Family, Judges, Limits, Measure, Outcome, WarningKind

LEVELS = {"sex": ("Female", "Male"), "race": ("A", "B", "C")}


class NoSource:
    kind = "image"
    fingerprint = "none"


def people(labels, predicted, *, classes=("no", "yes"), target="hired", phrases=None, **attributes):
    """A data set whose rows are all test people, and what they were answered."""
    n = len(labels)
    columns = {name: Column(name, codes, LEVELS[name]) for name, codes in attributes.items()}
    dataset = AttributeDataset(
        "People", Column(target, labels, classes), columns, np.full(n, "test"), NoSource(), unit="person",
        phrases=phrases or {},
    )  # fmt: skip
    return dataset, Answered(np.arange(n), labels, predicted)


def counted(cells):
    """Rows from (sex, true class, answer) -> count."""
    rows = np.array([key for key, count in cells.items() for _ in range(count)])
    return {"sex": rows[:, 0], "labels": rows[:, 1], "predicted": rows[:, 2]}


def even(n=8_000, seed=0, accuracy=0.85, levels=2):
    """A fair model: equal rates for everybody."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, n)
    predicted = np.where(rng.random(n) < accuracy, labels, 1 - labels)
    return labels, predicted, rng.integers(0, levels, n)


def twins(n=2_000, gap=0.01, flips=0.02, attribute="sex", seed=0):
    rng = np.random.default_rng(seed)
    return TwinAnswers(attribute, np.arange(n), np.full(n, gap) + 0.01 * rng.random(n), rng.random(n) < flips)


def kinds(verdict):
    return [warning.kind for warning in verdict.warnings]


# --- the three words


def test_a_fair_model_with_many_people_is_within():
    labels, predicted, sex = even()
    dataset, answered = people(labels, predicted, sex=sex)
    verdict = give_verdict(dataset, answered, [twins()])
    assert verdict.outcome is Outcome.WITHIN
    assert verdict.headline.startswith(
        "Within the limit on everything that could be tested. The largest difference: "
    )
    assert {finding.family for finding in verdict.findings} == set(Family)


def test_few_people_make_it_unknown_and_never_within():
    labels, predicted, sex = even(n=300)
    dataset, answered = people(labels, predicted, sex=sex)
    verdict = give_verdict(dataset, answered, [twins(300)])
    assert verdict.outcome is Outcome.UNKNOWN
    assert "too few people to tell" in verdict.headline


def test_zero_groups_cannot_be_said():
    """110 rows: 'No group is served worse', over 0 of 0 groups."""
    labels, predicted, sex = even(n=22)
    dataset, answered = people(labels, predicted, sex=sex)
    verdict = give_verdict(dataset, answered, [twins(22)])
    assert verdict.outcome is Outcome.UNKNOWN
    assert not verdict.findings
    assert WarningKind.TOO_FEW in kinds(verdict)
    assert "nothing could be tested" in verdict.headline


def test_a_family_that_is_not_tested_forbids_within():
    labels, predicted, sex = even()
    dataset, answered = people(labels, predicted, sex=sex)
    verdict = give_verdict(dataset, answered, [])
    assert verdict.outcome is Outcome.UNKNOWN
    assert "twins by sex was not tested" in verdict.headline


def test_another_system_has_no_twins_and_that_is_said():
    labels, predicted, sex = even()
    dataset, answered = people(labels, predicted, sex=sex)
    verdict = give_verdict(dataset, answered, None)
    assert verdict.outcome is Outcome.WITHIN
    assert [(one.family, one.gap) for one in verdict.not_tested] == [(Family.TWINS, v.Gap.ANOTHER_SYSTEM)]
    assert verdict.detail.startswith("Twins were not tested: ")


def test_a_column_that_is_not_read_is_fair_by_construction_and_told():
    """Age and its band both left out: 0.0 (0.0 to 0.0), 'within the limit'."""
    labels, predicted, sex = even()
    dataset, answered = people(labels, predicted, sex=sex)
    verdict = give_verdict(dataset, answered, [twins(gap=0.0, flips=0.0)], not_read=["sex", "name"])
    assert verdict.outcome is Outcome.UNKNOWN
    assert not verdict.of(Family.TWINS)
    assert [(w.kind, w.column) for w in verdict.warnings] == [(WarningKind.NOT_READ, "sex")]
    assert "not read, so its twins cannot differ" in verdict.warnings[0].sentence
    assert verdict.not_read == ("sex", "name")


def test_twins_that_are_equal_to_the_last_digit_are_no_test():
    labels, predicted, sex = even()
    dataset, answered = people(labels, predicted, sex=sex)
    same = TwinAnswers("sex", np.arange(500), np.zeros(500), np.zeros(500, bool))
    verdict = give_verdict(dataset, answered, [same])
    assert verdict.outcome is Outcome.UNKNOWN
    assert verdict.not_tested[0].gap is v.Gap.NOT_READ


def test_twins_that_keep_a_column_that_tells_cannot_clear():
    labels, predicted, sex = even()
    dataset, answered = people(labels, predicted, sex=sex)
    weak = TwinAnswers("sex", np.arange(500), np.full(500, 0.01), np.zeros(500, bool), is_kept=True)
    assert give_verdict(dataset, answered, [weak]).outcome is Outcome.UNKNOWN
    strong = TwinAnswers("sex", np.arange(500), np.full(500, 0.3), np.zeros(500, bool), is_kept=True)
    assert give_verdict(dataset, answered, [strong]).outcome is Outcome.BEYOND


# --- the worst comes first, in the data's own words

PHRASES = {
    "sex": {"Female": "women", "Male": "men"},
    "hair": {"other": "{} who are not blond", "blond": "blond {}"},
}


def blond():
    """CelebA's counts: blond men recognised 7 of 36, blond women 343 of 440."""
    cells = {
        (1, 1, 1): 7, (1, 1, 0): 29, (0, 1, 1): 343, (0, 1, 0): 97,
        (1, 0, 0): 1_620, (1, 0, 1): 5, (0, 0, 0): 1_830, (0, 0, 1): 69,
    }  # fmt: skip
    return people(**counted(cells), classes=("other", "blond"), target="hair", phrases=PHRASES)


def test_the_headline_names_blond_men():
    dataset, answered = blond()
    matched = TwinAnswers(
        "sex",
        np.arange(4_000),
        np.full(4_000, 0.06),
        np.zeros(4_000, bool),
        np.full(4_000, 0.024),
        np.zeros(4_000, bool),
    )
    verdict = give_verdict(dataset, answered, [matched])
    assert verdict.outcome is Outcome.BEYOND
    assert verdict.headline == (
        "Blond men are recognised 19 % of the time (10 to 35, n = 36), blond women 78 %."
    )
    assert verdict.detail.startswith("Changing only the sex moves the answer by 3.6 points")
    worst = verdict.worst
    assert worst.groups == ("blond men", "blond women")
    assert (worst.family, worst.measure, worst.attribute) == (Family.EQUAL_TRUTH, Measure.HIT_RATE, "sex")
    assert worst.value == pytest.approx(343 / 440 - 7 / 36)
    assert verdict.attribute == "sex"


def test_without_phrases_the_fallback_is_attribute_and_level():
    dataset, answered = blond()
    plain, _ = people(
        answered.labels,
        answered.predicted,
        sex=dataset.attribute("sex").codes,
        classes=("other", "blond"),
        target="hair",
    )
    verdict = give_verdict(plain, answered, None)
    assert verdict.headline == (
        "Of sex Male with hair blond, 19 % are recognised (10 to 35, n = 36); of sex Female with hair blond, 78 %."
    )


def test_findings_are_ranked_by_the_near_end_beyond_the_limit():
    dataset, answered = blond()
    verdict = give_verdict(dataset, answered, None)
    beyond = [finding.beyond for finding in verdict.findings if finding.outcome is Outcome.BEYOND]
    assert beyond == sorted(beyond, reverse=True)
    others = [finding.outcome for finding in verdict.findings[len(beyond) :]]
    assert Outcome.BEYOND not in others


# --- a model that does not answer


def test_one_answer_for_everybody_cannot_be_said():
    """Bank: 98 % right, then 'Improved': the model answers no for everybody."""
    labels, _, sex = even()
    dataset, answered = people(
        np.where(labels * (np.arange(len(labels)) % 20 == 0), 1, 0), 0 * labels, sex=sex
    )
    verdict = give_verdict(dataset, answered, [twins(flips=0)])
    assert verdict.outcome is Outcome.UNKNOWN
    assert kinds(verdict)[0] is WarningKind.ONE_ANSWER
    assert "answers 'no' for everybody" in verdict.headline


def test_a_class_that_is_never_answered_cannot_be_said():
    """Digits at strength 30: the model never answers 8 any more."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 10, 900)
    predicted = np.where(labels == 8, 3, labels)
    dataset, answered = people(
        labels, predicted, classes=tuple("0123456789"), target="digit", sex=rng.integers(0, 2, 900)
    )
    verdict = give_verdict(dataset, answered, [twins(900)])
    assert verdict.outcome is Outcome.UNKNOWN
    assert kinds(verdict)[0] is WarningKind.ONE_ANSWER
    assert "never answers '8'" in verdict.headline


def test_swapped_classes_are_noticed():
    """0/1 with 1 in the majority, and weights that mean it the other way: 'right for 5.4 %', 'within'."""
    rng = np.random.default_rng(0)
    labels = (rng.random(4_000) < 0.8).astype(int)
    right = rng.random(4_000) < 0.946
    predicted = np.where(right, 1 - labels, labels)
    dataset, answered = people(labels, predicted, sex=rng.integers(0, 2, 4_000))
    verdict = give_verdict(dataset, answered, [twins()])
    assert verdict.outcome is Outcome.UNKNOWN
    assert kinds(verdict)[0] is WarningKind.CLASS_ORDER
    assert "in another order of the classes they would be for 94." in verdict.headline


def test_chance_level_is_said_beside_the_largest_class():
    rng = np.random.default_rng(1)
    labels = (rng.random(3_000) < 0.3).astype(int)
    predicted = (rng.random(3_000) < 0.3).astype(int)
    dataset, answered = people(labels, predicted, sex=rng.integers(0, 2, 3_000))
    verdict = give_verdict(dataset, answered, [twins()])
    assert verdict.outcome is Outcome.UNKNOWN
    assert kinds(verdict)[0] is WarningKind.CHANCE_LEVEL
    assert verdict.accuracy.majority == pytest.approx((labels == 0).mean())
    assert verdict.accuracy.majority_class == "no"


def test_a_model_that_reads_the_answer_is_never_within():
    """COMPAS: the model reads columns that contain the answer (98 % right)."""
    labels, _, sex = even()
    dataset, answered = people(labels, labels, sex=sex)
    leak = v.AuditWarning(
        WarningKind.TARGET_LEAK, "is_recid", "'is_recid' tells the answer.", forbids_within=True
    )
    verdict = give_verdict(dataset, answered, [twins()], warnings=[leak])
    assert verdict.outcome is Outcome.UNKNOWN
    assert "'is_recid' tells the answer." in verdict.headline


# --- the favourable answer


@pytest.mark.parametrize(
    ("target", "levels", "expected", "sure"),
    [
        ("two_year_recid", ("0", "1"), "0", True),
        ("action", ("approved", "denied"), "approved", True),
        ("default payment", ("no", "yes"), "no", True),
        ("survived", ("0", "1"), "1", True),
        ("Attrition", ("No", "Yes"), "No", True),
        ("income", ("up to 50K", "over 50K"), "over 50K", True),
        ("class", ("bad", "good"), "good", True),
        ("smiling", ("-1", "1"), "1", False),
        ("loan default", ("1", "2"), "1", False),  # codes: 1 is good in some tables and "yes" in others
        ("credit", ("1", "2"), "1", False),  # German credit: 1 is good
        ("action_taken", ("1", "3"), "1", False),  # HMDA: 1 is a loan, 3 a denial
        ("class", ("High", "Low"), "High", False),  # of grades; of risks the other
        ("final grade", ("High", "Low"), "High", True),
        ("risk", ("high", "low"), "low", True),
        ("two_year_recid", ("no", "yes"), "no", True),
        ("y", ("no", "yes"), "yes", False),  # a name that says nothing
        ("covid test", ("negative", "positive"), "positive", False),
        ("diabetes", ("negative", "positive"), "negative", True),
        ("LoanDefault", ("0", "1"), "0", True),
        ("loandefault", ("0", "1"), "0", True),
        ("good_risk", ("0", "1"), "1", False),
        ("no_default", ("0", "1"), "1", False),
        ("platelets", ("0", "1"), "1", False),  # 'late' inside of a word is no word
        ("outcome", ("Application denied by bank", "Loan originated"), "Loan originated", True),
        ("status", ("charged off", "fully paid"), "fully paid", True),
        ("kind", ("left hand", "right hand"), "right hand", False),
    ],
)
def test_the_favourable_answer_is_suggested_with_a_reason(target, levels, expected, sure):
    found = suggest_favourable(Column(target, np.array([0, 1]), levels))
    assert (found.level, found.is_sure) == (expected, sure)
    assert found.reason


@pytest.mark.parametrize(
    ("target", "answer", "named"),
    [
        ("eingestellt", ("nein", "ja"), "'eingestellt ja'"),
        ("score", ("-1", "1"), "'score 1'"),
        ("risk", ("high", "low"), "'risk low'"),
        ("loan", ("denied", "approved"), "'approved'"),
    ],
)
def test_an_answer_that_says_little_stands_beside_its_target(target, answer, named):
    labels, predicted, sex = even(2_000)
    dataset, answered = people(labels, predicted, sex=sex, classes=answer, target=target)
    verdict = give_verdict(dataset, answered, None, favourable=answer[1])
    assert verdict.of(Family.SELECTION)[0].sentence.startswith(f"{named} is the answer for")


def hmda():
    """Denials in the second class: by 'denied' Black applicants look privileged."""
    cells = {(0, 1, 1): 300, (0, 0, 0): 700, (1, 1, 1): 60, (1, 0, 0): 940}
    return people(**counted(cells), classes=("approved", "denied"), target="action")


def test_the_favourable_answer_decides_who_is_privileged():
    dataset, answered = hmda()
    verdict = give_verdict(dataset, answered, None)
    (found,) = verdict.of(Family.SELECTION)
    assert verdict.favourable.level == "approved"
    assert found.groups == ("sex Female", "sex Male")
    assert found.ratio.value == pytest.approx(0.7 / 0.94)
    assert "'approved' is the answer for 70 % of sex Female" in found.sentence
    (other,) = give_verdict(dataset, answered, None, favourable="denied").of(Family.SELECTION)
    assert other.groups == ("sex Male", "sex Female")


def test_an_unknown_favourable_answer_lists_what_there_is():
    dataset, answered = hmda()
    with pytest.raises(DataError, match="It has: approved, denied"):
        give_verdict(dataset, answered, None, favourable="yes")


def test_a_reference_group_can_be_chosen():
    labels, predicted, race = even(levels=3)
    dataset, answered = people(labels, predicted, race=race)
    verdict = give_verdict(dataset, answered, None, references={"race": "B"})
    assert all("race B" in f.groups for f in verdict.of(Family.SELECTION))
    assert len(verdict.of(Family.SELECTION)) == 2
    with pytest.raises(DataError, match="'race' has no level 'Z'"):
        give_verdict(dataset, answered, None, references={"race": "Z"})


def test_limits_can_be_moved_and_are_checked():
    labels, predicted, sex = even()
    dataset, answered = people(labels, predicted, sex=sex)
    tight = give_verdict(dataset, answered, [twins(gap=0.05)], limits=Limits(twins=0.02))
    assert tight.outcome is Outcome.BEYOND
    assert tight.worst.family is Family.TWINS
    with pytest.raises(DataError, match="'ratio' must lie between 0 and 1"):
        Limits(ratio=80)


def test_what_is_taken_out_has_the_limit_of_its_kind():
    limits = Limits(twins=0.01, selection=0.02, equal_truth=0.03)
    measures = ("counterfactual", "demographic parity", "equal opportunity")
    assert [limits.of_aim(measure) for measure in measures] == [0.01, 0.02, 0.03]


def test_a_reference_that_is_too_rare_is_not_replaced_in_silence():
    labels, predicted, race = even(levels=3)
    race = np.where((race == 2) & (np.arange(len(race)) >= 60), 1, race)
    dataset, answered = people(labels, predicted, race=race)
    rare = dataset.attribute("race").levels[2]
    verdict = give_verdict(dataset, answered, [twins(attribute="race")], references={"race": rare})
    why = [one for one in verdict.not_tested if "with whom others should be compared" in one.why]
    assert {one.family for one in why} == {Family.SELECTION, Family.EQUAL_TRUTH}
    assert all(rare in one.why and one.forbids_within for one in why)
    assert verdict.outcome is Outcome.UNKNOWN


def test_by_what_was_judged_is_told():
    labels, predicted, sex = even()
    dataset, answered = people(labels, predicted, sex=sex)
    level = dataset.attribute("sex").levels[1]
    verdict = give_verdict(
        dataset, answered, [twins()], limits=Limits(twins=0.02), references={"sex": level},
        judges=Judges.FEW_OF_UNKNOWN_TRAINING,
    )  # fmt: skip
    limits, good, compared, judged = criteria_sentences(dataset, verdict)
    assert limits.startswith(
        "Limits: 2 points for twins, 10 points or a ratio of 0.8 for how often an answer"
    )
    assert verdict.favourable.level in good
    assert compared == f"Others are compared by sex with sex {level}."
    assert judged == verdict.judged_by
    assert f"Only {verdict.accuracy.n:,} " in judged


# --- all groups, weights, persons


def test_every_group_has_all_its_figures_as_by_hand():
    """fairlearn's MetricFrame and aif360 give these; here they are counted."""
    rng = np.random.default_rng(5)
    labels, predicted, sex = rng.integers(0, 2, 500), rng.integers(0, 2, 500), rng.integers(0, 2, 500)
    dataset, answered = people(labels, predicted, sex=sex)
    table = {group.name: group for group in give_verdict(dataset, answered, None).groups}
    for code, name in enumerate(("sex Female", "sex Male")):
        mine = sex == code
        group = table[name]
        assert group.n == mine.sum()
        assert round(group.accuracy.value, 4) == round((labels == predicted)[mine].mean(), 4)
        assert round(group.selection_rate.value, 4) == round(predicted[mine].mean(), 4)
        assert round(group.true_positive_rate.value, 4) == round(predicted[mine & (labels == 1)].mean(), 4)
        assert round(group.false_positive_rate.value, 4) == round(predicted[mine & (labels == 0)].mean(), 4)
        assert round(group.precision.value, 4) == round(labels[mine & (predicted == 1)].mean(), 4)
    assert table["everybody"].n == 500


def test_figures_agree_with_aif360():
    from fmd_core.measure.group_metrics import import_aif360

    binary, metric = import_aif360()
    labels, predicted, sex = even(n=3_000, seed=3)
    predicted = np.where((sex == 0) & (np.arange(3_000) % 5 == 0), 0, predicted)
    dataset, answered = people(labels, predicted, sex=sex)
    verdict = give_verdict(dataset, answered, None)

    def table(answers):
        frame = pd.DataFrame({"sex": sex, "y": answers}).astype(float)
        return binary(df=frame, label_names=["y"], protected_attribute_names=["sex"])

    theirs = metric(
        table(labels), table(predicted), unprivileged_groups=[{"sex": 0}], privileged_groups=[{"sex": 1}]
    )
    (selection,) = verdict.of(Family.SELECTION)
    assert round(selection.value, 4) == round(-theirs.statistical_parity_difference(), 4)
    assert round(selection.ratio.value, 4) == round(theirs.disparate_impact(), 4)
    (hits,) = [f for f in verdict.of(Family.EQUAL_TRUTH) if f.answer == "yes"]
    assert round(hits.value, 4) == round(-theirs.equal_opportunity_difference(), 4)


def test_weights_are_in_every_figure_and_cost_evidence():
    labels, predicted, sex = even(n=1_000)
    dataset, answered = people(labels, predicted, sex=sex)
    weights = np.where(np.arange(1_000) % 2, 9.0, 1.0)
    weighted = Answered(answered.rows, labels, predicted, weights)
    group = give_verdict(dataset, weighted, None).groups[1]
    mine = sex == 0
    assert group.accuracy.value == pytest.approx(
        np.average((labels == predicted)[mine], weights=weights[mine])
    )
    assert group.accuracy.n == mine.sum()
    assert group.accuracy.effective == pytest.approx(weights[mine].sum() ** 2 / (weights[mine] ** 2).sum())
    plain = give_verdict(dataset, answered, None).groups[1]
    assert group.accuracy.high - group.accuracy.low > plain.accuracy.high - plain.accuracy.low


def test_whole_weights_equal_repeated_rows_but_not_their_evidence():
    labels, predicted, sex = even(n=400)
    dataset, answered = people(labels, predicted, sex=sex)
    doubled, twice = people(np.tile(labels, 2), np.tile(predicted, 2), sex=np.tile(sex, 2))
    weighted = Answered(answered.rows, labels, predicted, np.full(400, 2.0))
    a, b = give_verdict(dataset, weighted, None), give_verdict(doubled, twice, None)
    assert [f.value for f in a.findings] == pytest.approx([f.value for f in b.findings])
    assert a.accuracy.high - a.accuracy.low > b.accuracy.high - b.accuracy.low


def test_rows_of_one_person_count_as_one():
    labels, predicted, sex = even(n=100)
    dataset, answered = people(np.repeat(labels, 10), np.repeat(predicted, 10), sex=np.repeat(sex, 10))
    single, alone = people(labels, predicted, sex=sex)
    by_person = Answered(
        answered.rows, answered.labels, answered.predicted, persons=np.repeat(np.arange(100), 10)
    )
    many, one = give_verdict(dataset, by_person, None), give_verdict(single, alone, None)
    assert many.accuracy.low == pytest.approx(one.accuracy.low)
    assert many.accuracy.n == 100


def test_bad_weights_are_refused():
    labels, predicted, _ = even(n=40)
    with pytest.raises(DataError, match="numbers of 0 or more"):
        Answered(np.arange(40), labels, predicted, np.full(40, -1.0))


def test_one_small_group_is_found_among_many():
    """Adult: women over 50K lost most, by 9.3 points, and nobody said so."""
    labels, predicted, sex = even(n=12_000)
    rng = np.random.default_rng(2)
    race = rng.choice(3, 12_000, p=[0.8, 0.18, 0.02])
    hurt = (sex == 0) & (race == 2)
    predicted = np.where(hurt & (rng.random(12_000) < 0.6), 1 - labels, predicted)
    dataset, answered = people(labels, predicted, sex=sex, race=race)
    verdict = give_verdict(dataset, answered, None)
    assert verdict.outcome is Outcome.BEYOND
    assert any(
        f.groups[0] == "sex Female and race C" for f in verdict.findings if f.outcome is Outcome.BEYOND
    )


def test_small_groups_are_named_as_not_tested():
    labels, predicted, race = even(n=6_000)
    race = np.where(np.arange(6_000) < 12, 2, race)
    dataset, answered = people(labels, predicted, race=race)
    verdict = give_verdict(dataset, answered, None)
    assert any("C (n = 12)" in one.why and one.gap is v.Gap.TOO_FEW for one in verdict.not_tested)


def test_more_than_two_classes_look_at_every_answer():
    rng = np.random.default_rng(0)
    labels, sex = rng.integers(0, 3, 3_000), rng.integers(0, 2, 3_000)
    predicted = np.where((sex == 1) & (labels == 2) & (rng.random(3_000) < 0.7), 0, labels)
    dataset, answered = people(labels, predicted, classes=("a", "b", "c"), target="kind", sex=sex)
    verdict = give_verdict(dataset, answered, None)
    assert verdict.favourable is None
    assert {f.answer for f in verdict.of(Family.SELECTION)} == {"a", "b", "c"}
    assert verdict.worst.answer == "c"


def test_of_two_answers_of_which_none_is_good_one_stands_for_both():
    labels, predicted, sex = even(n=6_000)
    dataset, answered = people(labels, predicted, sex=sex)
    dataset = replace(dataset, favourable=None)
    verdict = give_verdict(dataset, answered, None)
    assert verdict.favourable is None
    assert [f.answer for f in verdict.of(Family.SELECTION)] == [dataset.target.levels[1]]


def test_false_alarms_are_rare_and_nothing_is_cleared_that_is_not():
    """100 models that differ by 20 points in one hit rate, 100 that do not."""
    alarms = misses = 0
    for seed in range(100):
        labels, predicted, sex = even(n=1_500, seed=seed)
        dataset, answered = people(labels, predicted, sex=sex)
        alarms += give_verdict(dataset, answered, None).outcome is Outcome.BEYOND
        rng = np.random.default_rng(seed)
        worse = np.where((sex == 0) & (labels == 1) & (rng.random(1_500) < 0.235), 0, predicted)
        dataset, answered = people(labels, worse, sex=sex)
        misses += give_verdict(dataset, answered, None).outcome is Outcome.WITHIN
    assert alarms <= 5
    assert misses == 0


def test_asked_alone_and_among_many_never_contradict_each_other():
    """Fix asks one question alone, Find many at once: Find can only say less, and says so."""
    alone_only = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        labels, predicted, sex = even(n=500, seed=seed)
        predicted = np.where((sex == 0) & (labels == 1) & (rng.random(500) < 0.2), 0, predicted)
        dataset, answered = people(labels, predicted, sex=sex, race=rng.integers(0, 3, 500))
        verdict = give_verdict(dataset, answered, None)
        for found in verdict.findings:
            alone = outcome_alone(found)
            assert found.outcome in (alone, Outcome.UNKNOWN)
            assert alone is found.outcome or alone is Outcome.BEYOND
            told = alone_sentence(found, len(verdict.findings))
            assert bool(told) == is_beyond_alone_only(found) == (alone is not found.outcome)
            alone_only += bool(told)
        if verdict.outcome is Outcome.UNKNOWN and is_beyond_alone_only(verdict.worst):
            assert verdict.headline == (
                f"Cannot be said. {verdict.worst.sentence} Asked alone, that is beyond its limit of "
                f"{limit_words(verdict.worst)}; among {len(verdict.findings)} questions it may be chance."
            )
    assert alone_only > 10


def test_what_too_few_were_asked_about_is_never_within_its_limit():
    dataset, answered = people(*even(n=2_000, seed=1)[:2], sex=even(n=2_000, seed=1)[2])
    within = next(f for f in give_verdict(dataset, answered, None).findings if f.outcome is Outcome.WITHIN)
    assert outcome_alone(within) is Outcome.WITHIN
    few = replace(within.worse, n=29, effective=29.0)
    assert outcome_alone(replace(within, worse=few)) is Outcome.UNKNOWN
    assert outcome_alone(replace(within, better=few)) is Outcome.UNKNOWN
    assert outcome_alone(replace(within, worse=None, better=None, n=29)) is Outcome.UNKNOWN


def test_a_table_says_which_columns_are_not_read():
    from fmd_core.measure.verdict.warnings import unread_columns

    frame = pd.DataFrame({"a": np.arange(60) % 7, "sex": ["F", "M"] * 30, "y": [0, 1, 1] * 20})
    split = np.array(["train"] * 30 + ["validation"] * 10 + ["test"] * 20)
    dataset = make_table_dataset("t", frame, target="y", protected=["sex"], split=split, leave_out=["sex"])
    assert unread_columns(dataset) == ("sex",)


def test_everything_shows_itself_at_a_prompt():
    dataset, answered = blond()
    text = repr(give_verdict(dataset, answered, None))
    assert text.startswith("Verdict(beyond the limit, Blond men are recognised 19 %")


def test_bundled_and_public_data_carry_phrases():
    from fmd_core.datasets.families import load_dataset
    from fmd_core.measure.verdict.sentences import group_name
    from fmd_core.measure.verdict.values import Member

    digits, faces = load_dataset("colored_digits"), load_dataset("synthetic_faces")
    assert group_name(digits, [Member("colour", "red"), Member("digit", "8")]) == "red 8s"
    assert group_name(faces, [Member("presentation", "masculine"), Member("hair colour", "blond")]) == (
        "blond masculine faces"
    )
    for dataset in (digits, faces):
        for column in (dataset.target, *dataset.attributes.values()):
            assert all(dataset.phrases[column.name].get(level) for level in column.levels)


def test_a_ratio_that_nobody_reaches_and_one_that_everybody_does():
    from fmd_core.intervals import rate_ratio

    value, low, high = rate_ratio((0.2, 0.15, 0.26), (0.4, 0.34, 0.46))
    assert low < value == 0.5 < high
    assert rate_ratio((0.0, 0.0, 0.05), (0.4, 0.34, 0.46))[:2] == (0.0, 0.0)


def test_the_study_finds_what_was_planted_and_clears_nothing_biased():
    from fmd_core.reproduction import verdict_study as study

    for planted in study.IN_ANSWERS:
        said = study.Said(planted, 6_000, study.judge_answers(3, planted, 6_000))
        assert not said.is_wrong, planted
        if planted not in (study.NEARLY, study.BARELY):
            assert said.outcome is study.right_word(planted)
    assert "False all-clears: 0 of 1" in study.verdicts_page([said])
