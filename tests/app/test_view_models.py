"""Exact sentences and rows for hand-made results, without Streamlit."""

import io
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from app.record.history import History
from app.record.review import Aim, Review
from app.record.variants import Recipe
from app.view_models import (
    find_bias,
    harmful,
    proof,
    report,
    scores_file,
    start,
    training_sample,
    twins,
    unlearn,
)
from app.view_models.before_after import BeforeAfter
from fmd_core import (
    AttributeBias,
    AttributeDataset,
    BiasReport,
    Change,
    Column,
    Comparison,
    CounterfactualPairs,
    Estimate,
    FeatureSet,
    InfluenceScores,
    LinearHead,
    PathPoint,
    RedFlag,
    UnlearningPath,
    UnlearningResult,
    load_dataset,
)
from fmd_core.measure.group_metrics import GroupMetrics

SPLIT = np.array(["train"] * 4 + ["external", "validation", "test", "test"])


class Nothing:
    """A source that is never asked for an image."""

    fingerprint = "nothing"


@pytest.fixture
def data():
    """Eight animals; in training cats are mostly grey and dogs mostly brown."""
    target = Column("animal", np.array([0, 0, 1, 1, 0, 1, 0, 1]), ("cat", "dog"))
    colour = Column("colour", np.array([0, 0, 1, 0, 1, 1, 0, 1]), ("grey", "brown"))
    return AttributeDataset("Animals", target, {"colour": colour}, SPLIT, Nothing())


def estimate(value: float) -> Estimate:
    return Estimate(value, value - 0.05, value + 0.05, 100)


def attribute(name: str, bias: Estimate) -> AttributeBias:
    metrics = GroupMetrics(*[estimate(0.3)] * 6)
    return AttributeBias(name, bias, estimate(0.4), estimate(0.9), estimate(0.5), metrics)


AUDIT = BiasReport(estimate(0.8), (attribute("colour", estimate(0.6)), attribute("paper", estimate(0.1))))


@pytest.fixture(scope="module")
def demo_data():
    return load_dataset("colored_digits")


class TestStart:
    def test_accuracy_is_measured_or_said_to_be_on_its_way(self, data):
        model = SimpleNamespace(title="Small network (3 layers)", n_parameters=1234, outputs=None)
        model.name = ""
        waiting, ready = (start.build_loaded(data, model, known) for known in (None, AUDIT.accuracy))
        assert waiting.loaded[-1]["What was loaded"] == "measured when you look for the bias"
        assert ready.loaded[-1]["What was loaded"] == "80.0 (75.0 to 85.0) % of 100 held-out test images"
        assert [row["Images"] for row in ready.splits] == [4, 1, 1, 2]
        assert start.build_loaded(data, None, None).loaded[-2]["What was loaded"] == "none yet"

    def test_what_a_reader_left_out_is_shown(self, data):
        noted = replace(data, notes=("3 rows skipped: no answer.",))
        assert start.build_loaded(noted, None, None).notes == ("3 rows skipped: no answer.",)

    def test_a_card_shows_classes_in_turn(self, demo_data):
        card = start.build_card("colored_digits", demo_data)
        assert card.labels == tuple("0123456789")
        assert demo_data.split[list(card.rows)].tolist() == ["train"] * 10

    def test_a_class_that_is_shown_once_is_shown_by_a_typical_picture(self, demo_data):
        firsts, _ = start.samples(demo_data)  # the first 9 is a stroke that nobody reads as one
        shown = start.build_card("colored_digits", demo_data).rows
        for code, (row, first) in enumerate(zip(shown, firsts, strict=True)):
            train = demo_data.rows("train")
            pictures = demo_data.source.read(train[demo_data.target.codes[train] == code])
            own, other = (demo_data.source.read(np.array([r]))[0].astype(float) for r in (row, first))
            mean = pictures.mean(axis=0)
            assert np.abs(own - mean).mean() <= np.abs(other - mean).mean() + 2, code
        assert shown[9] != firsts[9]


class TestFindBias:
    def test_the_worst_attribute_makes_the_headline(self):
        view = find_bias.build_findings(AUDIT, 0.2)
        assert view.headline == "This model decides by colour."
        assert (
            view.attributes.summary
            == "Beyond the limit of 20 points: colour (1 of 2 attributes, adjusted for looking at all)."
        )
        assert view.attributes.table["Verdict"].tolist() == ["biased", "within the limit"]

    def test_an_interval_across_the_limit_is_too_close_to_call(self):
        assert find_bias.build_findings(AUDIT, 0.6).attributes.table["Verdict"][0] == "too close to call"

    def test_too_few_people_is_an_answer(self):
        few = BiasReport(estimate(0.8), (attribute("colour", Estimate.unknown(7)),))
        view = find_bias.build_findings(few, 0.2)
        assert view.attributes.table["Bias, points"][0] == "not enough people to say (n = 7)"
        assert "7" in view.headline + view.lead

    def test_service_is_of_the_attribute_in_focus(self):
        view = find_bias.build_service(AUDIT, "paper")
        assert view.groups.table["Group"].tolist() == [
            "paper usual for the class",
            "paper unusual for the class",
        ]
        assert view.metrics.table["Value"].iloc[-1] == "0.30 (0.25 to 0.35)"

    def test_one_attribute_at_one_point(self):
        alone = BiasReport(estimate(0.8), AUDIT.attributes[:1])
        found = find_bias.build_findings(alone, 0.01).attributes
        assert found.summary == "Beyond the limit of 1 point: colour (1 of 1 attribute)."

    def test_both_sides_of_everybody_at_once_have_a_verdict(self):
        flags = (flag("male: not male", -0.054, 0.0005), flag("male: male", 0.054, 0.0005))
        view = find_bias.build_flags(flags, "person")
        assert view.table["Verdict"].tolist() == ["served worse", "served better"]
        assert view.headline == (
            "Served worst over all classes together: male: not male. The model is right for 5.4 points fewer of them "
            "than of all others (95 % interval 4.1 to 6.7, n = 16,281)."
        )
        assert view.summary == (
            "Served worse by more than chance: 1 of 2 groups, of one attribute or of two; served better: 1. Adjusted "
            "for looking at all. The table has 2, the worst first; select one to review its attribute."
        )

    def test_groups_too_small_are_counted_only_where_there_are_some(self):
        few = RedFlag(("male",), "male: male", Estimate.unknown(7), Estimate.unknown(7), None)
        view = find_bias.build_flags((flag("male: not male", -0.01, 0.5), few), "person")
        assert view.summary.startswith("Served worse by more than chance: 0 of 1 group, of one")
        assert (
            "Adjusted for looking at all; for 1 more there are not enough people to say. The" in view.summary
        )
        assert view.headline == ""  # that nobody stands out over all classes is no all-clear
        assert "not enough people in any group" in find_bias.build_flags((few,), "person").headline


def flag(group, gap, p):
    moved = Estimate(gap, gap - 0.013, gap + 0.013, 16_281)
    return RedFlag(("male",), group, estimate(0.9), moved, p)


@pytest.fixture
def pairs():
    """Three pairs on one feature; the head below says cat when it is positive."""

    def side(values):
        return FeatureSet(np.array(values, "float32")[:, None], np.array([0, 0, 1]), np.array([0, 1, 2]))

    codes = np.array([0, 0, 1]), np.array([1, 1, 0]), np.array([0, 1, 1])
    return CounterfactualPairs("colour", "generated", side([2.0, 2.0, -2.0]), side([-2.0, 1.0, -2.0]), *codes)


HEAD = LinearHead(np.array([[1.0], [-1.0]]), np.zeros(2))


class TestTwins:
    def test_largest_change_comes_first(self, data, pairs):
        view = twins.build(data, HEAD, pairs, order=twins.ORDERS[0], only_flips=False, most=2)
        assert [t.row for t in view.twins] == [0, 1]
        assert view.headline == "1 of 3 twins get two different answers."
        assert (view.twins[0].favoured.answer, view.twins[0].other.answer) == ("cat", "dog")
        assert (view.twins[0].favoured.level, view.twins[0].other.level) == ("grey", "brown")

    def test_who_has_a_name_is_called_by_it(self, data, pairs):
        named = replace(data, phrases={"colour": {"": "coat", "grey": "wolves", "brown": "brown {}"}})
        view = twins.build(named, HEAD, pairs, order=twins.ORDERS[0], only_flips=False, most=1)
        assert (view.twins[0].favoured.level, view.twins[0].other.level) == ("wolves", "brown")
        assert view.lead.startswith("Each pair is one image drawn twice; only the coat differs.")

    def test_of_two_real_people_the_headline_says_what_twins_who_share_the_level_do(self, data, pairs):
        view = twins.build(
            data,
            HEAD,
            pairs,
            order=twins.ORDERS[0],
            only_flips=False,
            most=2,
            placebo=pairs.subset(np.array([1, 2])),
        )
        assert view.headline == (
            "1 of 3 twins get two different answers; of those who share the colour 0 of 2 do."
        )

    def test_smallest_first_and_as_they_come(self, data, pairs):
        def rows(order):
            return [
                t.row for t in twins.build(data, HEAD, pairs, order=order, only_flips=False, most=9).twins
            ]

        assert rows(twins.ORDERS[1]) == [2, 1, 0]
        assert rows(twins.ORDERS[2]) == [0, 1, 2]

    def test_only_flips(self, data, pairs):
        view = twins.build(data, HEAD, pairs, order=twins.ORDERS[0], only_flips=True, most=9)
        assert [t.flips for t in view.twins] == [True]


@pytest.fixture
def scores():
    return InfluenceScores("colour", np.array([-0.02, 0.01, -0.01, 0.03]), np.arange(4), 0.6)


class TestHarmful:
    def test_ranked_named_and_signed(self, data, scores):
        view = harmful.build(data, scores, k=2, kind="Harmful")
        assert [(s.rank, s.row, s.label, s.level) for s in view.samples] == [
            (1, 0, "cat", "grey"),
            (2, 2, "dog", "brown"),
        ]
        assert view.samples[0].effect_text == "−2.000 points"
        assert view.headline == "The training image that most teaches the colour bias is a grey cat."

    def test_an_attribute_is_called_as_the_data_call_it_everywhere(self, data, scores):
        """CelebA's 'male' is sex: in the headline, in what other people say, and in the chart."""
        called = replace(data, phrases={"colour": {"": "coat"}})
        view = harmful.build(called, scores, k=2, kind="Harmful")
        chart = view.composition
        for said in (view.headline, view.elsewhere, chart.summary, " ".join(chart.table.columns)):
            assert "coat" in said.lower()
            assert "colour" not in said.lower()

    def test_filter_keeps_the_rank(self, data, scores):
        view = harmful.build(data, scores, k=2, kind="Harmful", label="dog")
        assert [(s.rank, s.row) for s in view.samples] == [(2, 2)]

    def test_helpful_samples_raise_the_bias_when_removed(self, data, scores):
        view = harmful.build(data, scores, k=1, kind="Helpful")
        assert [s.row for s in view.samples] == [3]
        measured = training_sample.explain(view.samples[0], "colour", 0.0123).sentences[0]
        assert "it is helpful" in measured
        assert measured.endswith("Fitted again without it, the bias changes by +1.230 points.")
        assert training_sample.explain(view.samples[0], "colour").sentences[0].endswith("it is helpful.")

    def test_composition_counts_who_goes_with_the_pattern(self, data, scores):
        table = harmful.build(data, scores, k=2, kind="Harmful").composition.table
        assert table["Count"].tolist() == [2, 1, 3]
        assert table["of"].tolist() == [2, 2, 4]

    def test_of_a_person_the_record_is_named_and_the_pattern(self, data, scores):
        view = harmful.build(replace(data, unit="person"), scores, k=2, kind="Harmful")
        assert view.headline == "The training person who most teaches the colour bias is 0 (grey, cat)."
        why = training_sample.explain(view.samples[0], "colour", 0.0).sentences[1]
        assert why == "Its colour goes with the pattern of its class, so it repeats the shortcut."
        against = training_sample.explain(replace(view.samples[0], aligned=False), "colour", 0.0).sentences[1]
        assert against.startswith(
            "Its colour goes against the pattern of its class, and it is harmful all the same"
        )

    def test_csv_has_every_sample_worst_first(self, data, scores):
        frame = pd.read_csv(io.BytesIO(scores_file.csv(data, scores)))
        assert frame["sample"].tolist() == [0, 2, 1, 3]
        assert frame["removal_effect_points"].tolist() == pytest.approx([-2, -1, 1, 3])
        assert frame["animal"].tolist() == ["cat", "dog", "cat", "dog"]

    def test_more_than_the_gallery_shows_is_counted(self, data, monkeypatch):
        monkeypatch.setattr(harmful, "MOST_TILES", 200)
        many = InfluenceScores("colour", np.zeros(4 * 60), np.tile(np.arange(4), 60), 0.6)
        view = harmful.build(data, many, k=240, kind="Harmful")
        assert (len(view.samples), view.hidden) == (200, 40)


def point(strength, bias, accuracy, refusal="", blend=1.0):
    return PathPoint(UnlearningResult(HEAD, "iterated", strength, 0, blend), accuracy, bias, bias, refusal)


@pytest.fixture
def path():
    points = (point(0.0, 0.6, 0.4), point(0.1, 0.2, 0.7), point(1.0, 0.1, 0.3, "accuracy falls"))
    blends = (point(0.1, 0.3, 0.72, blend=0.5),)
    return UnlearningPath(points, blends, points[1], 1.0, 0.01, 50)


class TestCurve:
    def test_a_refused_choice_is_warned_of(self, path):
        warning = unlearn.build_curve(path, path.points[2], "digit").warning
        assert warning == "The guard refuses this: accuracy falls, on the validation part."
        assert unlearn.build_curve(path, path.points[1], "digit").warning == ""

    def test_a_shortened_step_is_said(self, path):
        view = unlearn.build_curve(replace(path, step_share=0.004), path.points[1], "digit")
        assert view.warning.startswith("Strength 1 is 0.4 % of the published step")

    def test_table_says_what_the_guard_says(self, path):
        table = unlearn.curve_table(path)
        assert table["Guard"].tolist() == ["allowed", "our suggestion", "accuracy falls"]

    def test_a_suggested_blend_becomes_a_stop_of_the_slider(self, path):
        names = list(unlearn.stops(replace(path, suggested=path.blends[0])))
        assert names == ["0 (original)", "0.1, 50 % of the way", "0.1", "1"]
        assert list(unlearn.stops(path)) == ["0 (original)", "0.1", "1"]


def change(before, after, group=""):
    gap = after - before
    return Change("x", group, estimate(before), estimate(after), Estimate(gap, gap - 0.05, gap + 0.05, 100))


@pytest.fixture
def comparison():
    """Four people: one gained, one lost, one wrong both times, one unchanged."""
    return Comparison(
        attribute="colour",
        bias=change(0.6, 0.1),
        flips=change(0.5, 0.1),
        accuracy=change(0.4, 0.7),
        aligned_accuracy=change(0.9, 0.7),
        conflicting_accuracy=change(0.3, 0.7),
        groups=(change(0.9, 0.7, "colour with the pattern"), change(0.3, 0.7, "animal: dog")),
        confusion_before=np.array([[2, 0], [0, 0]]),
        confusion_after=np.array([[1, 1], [0, 0]]),
        rows=np.array([0, 1, 2, 3]),
        predicted_before=np.array([1, 0, 0, 1]),
        predicted_after=np.array([0, 1, 0, 1]),
        truth=np.array([0, 0, 1, 1]),
        classes=("cat", "dog"),
    )


class TestResult:
    def test_cards_show_after_and_the_change(self, data, comparison):
        card = BeforeAfter(data, comparison).cards[0]
        assert (card.label, card.value, card.delta, card.judgement, card.rose) == (
            "Bias", "10.0 points", "\N{MINUS SIGN}50.0 points", "green", False,
        )  # fmt: skip

    @pytest.mark.parametrize(
        ("moved", "p_value", "judgement"),
        [(0.01, None, "off"), (0.2, None, "green"), (-0.2, None, "red"), (-0.2, 0.4, "off")],
    )
    def test_only_more_than_chance_is_coloured(self, data, comparison, moved, p_value, judgement):
        changed = replace(change(0.4, 0.4 + moved), p_value=p_value)
        card = BeforeAfter(data, replace(comparison, conflicting_accuracy=changed)).cards[-1]
        assert card.label == "Right, unusual for the class"
        assert (card.judgement, card.rose) == (judgement, moved > 0)

    def test_only_an_article_loses_its_capital(self, data, comparison):
        found = BeforeAfter(data, comparison, names=("The original model", "Anna's try"))
        assert found.summary.startswith("Grey is the original model, blue Anna's try, on 100 held-out")

    def test_the_bars_are_of_all_people_not_only_of_those_with_a_twin(self, data, comparison):
        few = replace(comparison.bias, before=replace(comparison.bias.before, n=40))
        found = BeforeAfter(data, replace(comparison, bias=few))
        assert " on 100 held-out test images" in found.summary

    @pytest.mark.parametrize(
        ("accuracy", "said"),
        [
            (change(0.4, 0.7), ", more than chance would, and overall accuracy rises too."),
            (
                change(0.4, 0.41),
                ", more than chance would; there is no evidence that overall accuracy changes.",
            ),
        ],
    )
    def test_the_verdict_says_what_accuracy_does(self, data, comparison, accuracy, said):
        nobody_pays = replace(comparison, groups=(change(0.3, 0.7, "animal: dog"),))
        verdict = BeforeAfter(data, replace(nobody_pays, accuracy=accuracy)).verdict
        assert verdict == f"Improved: the colour bias falls by 50.0 points{said}"

    def test_a_fall_of_accuracy_is_mixed(self, data, comparison):
        verdict = BeforeAfter(data, replace(comparison, accuracy=change(0.7, 0.4))).verdict
        assert verdict == (
            "Mixed: the colour bias falls by 50.0 points, and overall accuracy falls too; 1 group loses accuracy."
        )

    def test_people_come_before_groups(self, data, comparison):
        said = BeforeAfter(data, comparison).who_pays
        assert said.startswith("1 image is answered right now and was not; 1 is wrong now and was right. ")

    def test_a_fix_without_a_figure_does_not_end_the_summary_twice(self, comparison):
        unknown = Estimate.refused("Nobody here goes with the pattern.")
        found = replace(comparison, bias=Change("x", "", *[unknown] * 3))
        assert proof.build(found, (), "digit").chart.summary == (
            "Change of the bias: this variant Nobody here goes with the pattern."
        )

    def test_losers_are_named_first(self, data, comparison):
        view = BeforeAfter(data, comparison)
        assert "right. 1 of 2 groups lost accuracy: colour with the pattern by 20.0 points" in view.who_pays
        assert view.groups["Accuracy of"][0] == "colour with the pattern"

    def test_examples_show_gains_and_losses(self, data, comparison):
        view = BeforeAfter(data, comparison)
        assert [(e.row, e.before, e.after, e.outcome) for e in view.examples] == [
            (0, "dog", "cat", "now right"),
            (1, "cat", "dog", "now wrong"),
        ]
        assert view.examples_summary == (
            "2 of 4 held-out images get another answer: 1 now right, 1 now wrong, 0 wrong both times."
        )

    def test_confusion_names_the_commonest_mistake(self, data, comparison):
        before, after = BeforeAfter(data, comparison).confusion_summaries
        assert before == "Before: no mistakes."
        assert after == "After: 1 of 2 wrong; most often cat taken for dog (1 time)."


class TestHistoryTable:
    def test_latest_first_in_words(self):
        from datetime import UTC, datetime

        when = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
        recipe = Recipe(Review(), Aim(("colour",)), "paper-remove", 100, 0.5, 1.0, 0.01)
        table = unlearn.history_table(History().apply(recipe, when).undo(when))
        assert table["Action"].tolist() == ["undo", "apply"]
        assert table["What, or in force after it"].tolist() == [
            "the original model",
            "colour: Forget harmful samples, strength 0.5, K = 100",
        ]


def test_report_steps_carry_the_head_that_was_in_force():
    from datetime import UTC, datetime

    when = datetime(2026, 1, 2, tzinfo=UTC)
    recipe = Recipe(Review(), Aim(("colour",)), "iterated", 0, 0.5, 1.0, 0.01)
    results = {
        recipe: UnlearningResult(HEAD, "iterated", 0.5, 0),
        None: UnlearningResult(HEAD, "iterated", 0, 0),
    }
    found = report.steps(History().apply(recipe, when).undo(when), results)
    assert [(s.action, s.attribute, s.result.strength) for s in found] == [
        ("apply", "colour", 0.5),
        ("undo", "", 0),
    ]


@pytest.mark.parametrize(
    ("measure", "differs"), [("counterfactual", False), ("worst group", False), ("equal opportunity", True)]
)
def test_points_of_answers_and_of_probabilities_are_told_apart(measure, differs):
    assert bool(unlearn.counted_in(measure)) == differs
