"""Before and after on the same people."""

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from scipy.stats import binomtest, false_discovery_control
from sklearn.metrics import confusion_matrix

from fmd_core import (
    Candidate,
    Change,
    DataError,
    Estimate,
    GroupGap,
    LinearHead,
    audit_bias,
    bias_changes,
    compare,
    compare_candidates,
)
from fmd_core import counterfactual_bias as predicted_bias
from fmd_core.intervals import paired_rate_differences, rate_estimate
from fmd_core.measure import changes
from fmd_core.measure.bias_functions import pair_differences, predictions
from fmd_core.measure.twin_bias import twin_bias_changes, twin_biases, twin_biases_among
from fmd_core.report import wording
from fmd_core.report.wording.people import worst_group_sentence
from fmd_core.twins.pairs import placebo_pairs


def compared(tiny, after, before=None, keep=None):
    features, pairs = tiny.features["test"], tiny.pairs["test"]
    if keep is not None:
        features, pairs = features.subset(keep), pairs.subset(keep)
    return compare(before or tiny.head, after, tiny.dataset, features, pairs)


def never_says(tiny, k):
    """The same head with class k ruled out."""
    return LinearHead(tiny.head.weight, tiny.head.bias - 50 * np.eye(3)[k])


def test_identical_heads_are_unchanged(tiny):
    found = compared(tiny, LinearHead(tiny.head.weight, tiny.head.bias))
    assert found.verdict == "unchanged"
    assert len(found.changed) == 0
    assert found.losers == ()
    for change in (found.bias, found.flips, found.accuracy):
        difference = change.difference
        assert (difference.value, difference.low, difference.high) == (0, 0, 0)
        assert change.before == change.after
    for change in (*found.groups, *found.intersections):
        if change.difference.value is not None:
            assert change.difference.value == 0
            assert -change.difference.low == pytest.approx(change.difference.high)
            assert change.before == change.after


def test_values_recomputed_by_mask(tiny):
    after = tiny.path.suggested.result.head
    found, people, pairs = compared(tiny, after), tiny.features["test"], tiny.pairs["test"]
    heads = (tiny.head, after)
    right = [predictions(h, people.features) == people.labels for h in heads]
    gaps = [
        np.abs(
            np.subtract(
                *(
                    h.probabilities(s.features)[np.arange(150), s.labels]
                    for s in (pairs.favoured, pairs.other)
                )
            )
        ).mean()
        for h in heads
    ]
    assert (found.bias.before.value, found.bias.after.value) == (
        pytest.approx(gaps[0]),
        pytest.approx(gaps[1]),
    )
    assert found.bias.difference.value == pytest.approx(gaps[1] - gaps[0])
    aligned = tiny.dataset.bias_aligned("mark")[people.rows]
    masks = [np.ones(150, bool), aligned, ~aligned]
    for change, mask in zip(
        (found.accuracy, found.aligned_accuracy, found.conflicting_accuracy), masks, strict=True
    ):
        assert change.before.value == pytest.approx(right[0][mask].mean())
        assert change.after.value == pytest.approx(right[1][mask].mean())
        assert change.difference.n == mask.sum()
    named = [c for c in found.groups if ": " in c.group]
    assert len(named) == 3 + 3 + 2  # shapes, marks, shades
    for change in named:
        name, level = change.group.split(": ")
        column = {"shape": tiny.dataset.target, **tiny.dataset.attributes}[name]
        mask = column.codes[people.rows] == column.levels.index(level)
        assert change.before.n == mask.sum()
        if mask.sum() >= 30:
            assert change.difference.value == pytest.approx(right[1][mask].mean() - right[0][mask].mean())


def test_people_with_and_against_the_pattern_are_groups_that_can_pay(tiny):
    found = compared(tiny, tiny.path.suggested.result.head)
    by_name = {c.group: c for c in found.groups}
    for name, expected in (
        ("mark with the pattern", found.aligned_accuracy),
        ("mark against the pattern", found.conflicting_accuracy),
    ):
        assert by_name[name].difference == expected.difference


def test_accuracies_carry_wilsons_interval(tiny):
    found = compared(tiny, tiny.path.suggested.result.head)
    people = tiny.features["test"]
    right = int((predictions(tiny.head, people.features) == people.labels).sum())
    assert found.accuracy.before == rate_estimate(right, 150)


def test_the_difference_is_paired_by_person(tiny):
    # One person's answer changes: far less uncertain than two accuracies from different people.
    found = compared(tiny, tiny.path.suggested.result.head)
    ends = found.bias.before, found.bias.after
    unpaired = np.hypot(*(e.high - e.low for e in ends))
    assert found.bias.difference.high - found.bias.difference.low < unpaired


def test_the_debiased_tiny_head_is_better_but_not_for_everybody(tiny):
    found = compared(tiny, tiny.path.suggested.result.head)
    assert found.judged.fell
    assert found.verdict == "mixed"  # those with the pattern pay
    assert "mark with the pattern" in {c.group for c in found.payers}
    back = compared(tiny, tiny.head, before=tiny.path.suggested.result.head)
    assert back.verdict == "mixed"  # and they would gain
    assert replace(back, groups=(), intersections=()).verdict == "worse"


def test_a_hairs_breadth_is_no_evidence(tiny):
    direction = np.random.default_rng(5).normal(size=tiny.head.n_parameters)
    signs = [compared(tiny, tiny.head.moved(1e-9 * s * direction)).bias.difference for s in (1, -1)]
    moved = [compared(tiny, tiny.head.moved(0.02 * s * direction)) for s in (1, -1)]
    assert signs[0].value != 0
    for found in moved:
        straddles = found.bias.difference.low <= 0 <= found.bias.difference.high
        assert (found.verdict == "no evidence") is straddles


def test_too_few_people_are_no_evidence(tiny):
    found = compared(tiny, tiny.path.suggested.result.head, keep=np.arange(7))
    assert found.verdict == "no evidence"
    assert found.bias.difference.problem == "not enough people to say (n = 7)"


def test_confusion_matrices_equal_scikit_learns(tiny):
    after = tiny.path.suggested.result.head
    found, people = compared(tiny, after), tiny.features["test"]
    for head, counts in ((tiny.head, found.confusion_before), (after, found.confusion_after)):
        expected = confusion_matrix(people.labels, predictions(head, people.features), labels=range(3))
        np.testing.assert_array_equal(counts, expected)


def test_changed_people_are_those_with_another_answer(tiny):
    after = tiny.path.suggested.result.head
    found, people = compared(tiny, after), tiny.features["test"]
    differs = predictions(tiny.head, people.features) != predictions(after, people.features)
    np.testing.assert_array_equal(found.changed, np.flatnonzero(differs))
    np.testing.assert_array_equal(found.rows, people.rows)


def test_groups_stand_with_the_largest_loss_first_and_unknown_last(tiny):
    found = compared(tiny, never_says(tiny, 1))
    known = [(not c.fell, c.difference.value) for c in found.groups if c.difference.value is not None]
    assert known == sorted(known)
    assert [c.difference.value for c in found.groups[len(known) :]] == [None] * (
        len(found.groups) - len(known)
    )
    assert "shape: square" in {c.group for c in found.groups[:3]}
    assert found.groups[-1].group == "shade: rare"


def test_groups_below_thirty_are_unknown(tiny):
    rare = compared(tiny, never_says(tiny, 1)).groups[-1]
    n = rare.before.n
    assert 0 < n < 30
    for estimate in (rare.before, rare.after, rare.difference):
        assert (estimate.value, estimate.problem) == (None, f"not enough people to say (n = {n})")


def test_losers_are_groups_that_lost_by_more_than_chance_adjusted_for_all(tiny):
    found, people = compared(tiny, never_says(tiny, 1)), tiny.features["test"]
    names = {c.group for c in found.losers}
    assert "shape: square" in names
    right = [predictions(h, people.features) == people.labels for h in (tiny.head, never_says(tiny, 1))]
    fell = set()
    for family in (found.groups, found.intersections):  # each adjusted for itself
        known, raw = [c for c in family if c.difference.value is not None], []
        for change in known:
            mask = members(tiny, people, change.group)
            gained, lost = (int((a & ~b & mask).sum()) for a, b in (right[::-1], right))
            raw.append(binomtest(gained, gained + lost).pvalue if gained + lost else 1.0)
        expected = false_discovery_control(raw)
        np.testing.assert_allclose([c.p_value for c in known], expected)
        fell |= {c.group for c, p in zip(known, expected, strict=True) if p < 0.05 and c.difference.value < 0}
    assert names == fell


def members(tiny, people, group):
    """Who belongs to a group, read off its name alone."""
    mask = np.ones(len(people), bool)
    for part in group.split(", "):
        if ": " not in part:
            aligned = tiny.dataset.bias_aligned("mark")[people.rows]
            return aligned if part == "mark with the pattern" else ~aligned
        name, level = part.split(": ")
        column = {"shape": tiny.dataset.target, **tiny.dataset.attributes}[name]
        mask &= column.codes[people.rows] == column.levels.index(level)
    return mask


def test_everybody_who_shares_two_properties_is_looked_at_where_there_are_enough(tiny):
    found, people = compared(tiny, never_says(tiny, 1)), tiny.features["test"]
    columns = (tiny.dataset.target, *tiny.dataset.attributes.values())
    pairs = [
        f"{a.name}: {x}, {b.name}: {y}"
        for a, b in combinations(columns, 2)
        for x in a.levels
        for y in b.levels
    ]
    sizes = {name: int(members(tiny, people, name).sum()) for name in pairs}
    assert {c.group: c.before.n for c in found.intersections} == {k: n for k, n in sizes.items() if n >= 30}
    assert found.intersections[0].fell
    assert found.losers[0].difference.value == min(
        c.difference.value for c in (*found.groups, *found.intersections) if c.fell
    )


def test_looking_at_many_groups_asks_for_more_evidence():
    n, rng = 400, np.random.default_rng(0)
    before = np.ones(n, bool)
    after = before.copy()
    after[:6] = False
    one = ("hit", np.arange(n) < 40, ())
    alone = changes.rate_changes([one], before, after)[0]
    others = [(str(i), rng.permutation(n) < 40, ()) for i in range(200)]
    others = [(name, mask & (np.arange(n) >= 6), ()) for name, mask, _ in others]
    among = changes.rate_changes([one, *others], before, after)[0]
    assert alone.p_value == pytest.approx(0.03125)
    assert alone.fell
    assert not among.fell


def test_the_interval_of_a_paired_change_covers_what_it_should():
    """Agresti and Min (2005): 95 % of intervals hold the truth, also in small groups."""
    rng, truth = np.random.default_rng(0), 0.1 - 0.05
    outcomes = rng.multinomial(60, [0.1, 0.05, 0.85], size=4000)
    value, low, high = paired_rate_differences(outcomes[:, 0], outcomes[:, 1], np.full(4000, 60))
    np.testing.assert_allclose(value, (outcomes[:, 0] - outcomes[:, 1]) / 60)
    none = paired_rate_differences(np.zeros(1), np.zeros(1), np.full(1, 60))
    assert none[1] < 0 < none[2]  # nobody of 60 changed sides, but somebody else might
    assert 0.94 < ((low <= truth) & (truth <= high)).mean() < 0.98


@pytest.mark.parametrize("measure", ["demographic parity", "equal opportunity"])
def test_a_group_gap_is_compared_by_its_own_draws(tiny, measure):
    after, people = tiny.path.suggested.result.head, tiny.features["test"]
    found = compare(tiny.head, after, tiny.dataset, people, tiny.pairs["test"], measure=measure)
    gap = GroupGap.of(tiny.dataset, people, "mark", measure)
    assert found.judged is found.gap
    assert found.gap.before.value == pytest.approx(gap.value(tiny.head))
    assert found.gap.after.value == pytest.approx(gap.value(after))
    assert found.gap.difference.value == pytest.approx(gap.value(after) - gap.value(tiny.head))
    assert replace(found, groups=(cell("square", 0.5, 0.6),), intersections=()).verdict == "improved"
    assert found.gap.difference.low < found.gap.difference.value < found.gap.difference.high < 0


def test_winners_are_not_losers(tiny):
    found = compared(tiny, tiny.head, before=never_says(tiny, 1))
    assert found.groups[-2].difference.excludes_zero
    assert found.groups[-2].difference.value > 0
    assert "shape: square" not in {c.group for c in found.losers}


def test_other_people_are_refused(tiny):
    with pytest.raises(DataError) as caught:
        compare(tiny.head, tiny.head, tiny.dataset, tiny.features["test"], tiny.pairs["validation"])
    assert str(caught.value) == "The counterfactual pairs hold people who are not among the features."


def test_another_order_of_the_same_people_compares_alike(tiny):
    turned = tiny.features["test"].subset(np.arange(150)[::-1])
    after = tiny.head.moved(np.full(tiny.head.n_parameters, 0.1))
    found = [
        compare(tiny.head, after, tiny.dataset, people, tiny.pairs["test"])
        for people in (tiny.features["test"], turned)
    ]
    assert found[0].bias.before.value == pytest.approx(found[1].bias.before.value)
    assert found[0].accuracy.after.value == found[1].accuracy.after.value


def test_people_without_a_twin_count_for_accuracy_but_not_for_the_bias(tiny):
    some = tiny.pairs["test"].subset(np.arange(0, 150, 2))
    found = compare(tiny.head, tiny.head, tiny.dataset, tiny.features["test"], some)
    assert (found.bias.before.n, found.accuracy.before.n) == (75, 150)
    assert found.bias.before.value == pytest.approx(predicted_bias(tiny.head, some))


def test_a_comparison_is_read_only(tiny):
    found = compared(tiny, tiny.head)
    for array in (found.confusion_before, found.confusion_after, found.predicted_before, found.rows):
        assert not array.flags.writeable
    with pytest.raises(AttributeError):
        found.attribute = "hat"
    assert replace(found, attribute="hat").attribute == "hat"


@pytest.mark.parametrize(
    ("lost", "gained", "p"), [(4, 0, 0.125), (6, 0, 0.03125), (9, 1, 0.021484375), (3, 3, 1.0)]
)
def test_losses_are_judged_by_mcnemars_exact_test(lost, gained, p):
    n = 60
    before, after = np.zeros(n, bool), np.zeros(n, bool)
    before[:lost], after[lost : lost + gained] = True, True
    found = changes.mean_changes([("accuracy", np.ones(n, bool), before, after)])[0]
    assert found.p_value == pytest.approx(p)
    assert found.is_beyond_chance == (p < 0.05)


WORSE = Change("accuracy", "", *[Estimate(0.5, 0.4, 0.6, 100)] * 2, Estimate(-0.2, -0.3, -0.1, 100), 0.001)


@pytest.fixture
def improved(tiny):
    """A change that helps and that nobody pays for."""
    found = replace(tiny.comparison, groups=(cell("square", 0.5, 0.6),), intersections=())
    assert (found.verdict, found.died, found.payers, found.is_worst_group_worse) == (
        "improved",
        (),
        (),
        False,
    )
    return found


def cell(name, before, after):
    ends = (Estimate(v, v - 0.1, v + 0.1, 100) for v in (before, after))
    return Change("accuracy", name, *ends, Estimate(after - before, -0.1, 0.1, 100), 0.5)


def test_nobody_is_said_to_pay_nothing_where_no_group_has_enough_people(improved):
    few = Change("accuracy", "square", *[Estimate.unknown(7)] * 3)
    found = replace(improved, groups=(few,))
    assert found.verdict == "mixed"
    assert "there are not enough people to say who pays" in wording.comparison_headline(found)


def test_whoever_pays_makes_it_mixed(improved):
    assert replace(improved, accuracy=WORSE).verdict == "mixed"
    assert replace(improved, groups=(replace(WORSE, group="square"),)).verdict == "mixed"
    assert replace(improved, intersections=(replace(WORSE, group="square, dot"),)).verdict == "mixed"


def test_a_group_may_lose_within_the_tolerance(improved):
    little = replace(WORSE, group="square", difference=Estimate(-0.009, -0.012, -0.006, 100))
    assert little.fell
    assert replace(improved, groups=(little,)).verdict == "improved"


def test_a_class_that_nobody_is_answered_any_more_is_no_improvement(improved):
    after = improved.confusion_after.copy()
    after[:, 0] += after[:, 2]
    after[:, 2] = 0
    dead = replace(improved, confusion_after=after)
    assert dead.died == (2,)
    assert dead.verdict == "mixed"
    assert "star is never answered any more" in wording.comparison_headline(dead)
    never = improved.confusion_before.copy()
    never[:, 2] = 0  # it was never answered before either
    assert replace(dead, confusion_before=never).died == ()


def test_whoever_is_served_worst_must_not_be_served_worse(improved):
    better = cell("square, dot", 0.2, 0.4), cell("star, dash", 0.9, 0.6)
    assert replace(improved, cells=better).verdict == "improved"
    worse = cell("square, dot", 0.2, 0.4), cell("star, dash", 0.9, 0.1)
    found = replace(improved, cells=worse)
    assert found.verdict == "mixed"
    assert (found.worst_before.group, found.worst_after.group) == ("square, dot", "star, dash")
    assert worst_group_sentence(found) == (
        "Served worst within one class before: square, dot, right 20.0 % to 40.0 % (n = 100). "
        "And now: star, dash, right 90.0 % to 10.0 % (n = 100)."
    )
    unknown = Estimate.unknown(15)
    few = replace(better[0], before=unknown, after=unknown, difference=unknown)
    said = worst_group_sentence(replace(improved, cells=(*worse, few)))
    assert said.endswith("(n = 100). Of 1 group there are too few to say.")


def test_fewer_flips_are_needed_of_twins_only(improved):
    same = replace(improved, flips=improved.accuracy)
    assert same.verdict == "mixed"
    assert "no evidence that fewer decisions flip" in wording.comparison_headline(same)
    assert replace(same, measure="demographic parity").verdict == "improved"


def test_a_bias_that_stays_while_somebody_pays_is_worse_and_mixed_where_somebody_gains(improved):
    stays = replace(
        improved, bias=Change("b", "", *[Estimate(0.3, 0.2, 0.4, 100)] * 2, Estimate(0.0, -0.1, 0.1, 100))
    )
    assert stays.verdict == "no evidence"
    assert replace(stays, accuracy=WORSE).verdict == "worse"
    gains = replace(WORSE, group="star", difference=Estimate(0.2, 0.1, 0.3, 100))
    assert replace(stays, accuracy=WORSE, groups=(gains,)).verdict == "mixed"


def test_who_gained_and_who_lost_are_counted_by_person(tiny):
    found = tiny.comparison
    right = [p == found.truth for p in (found.predicted_before, found.predicted_after)]
    assert len(found.gained) == (~right[0] & right[1]).sum()
    assert len(found.lost) == (right[0] & ~right[1]).sum()
    assert len(found.gained) - len(found.lost) == right[1].sum() - right[0].sum()


def test_cells_are_every_class_by_level(tiny):
    found = tiny.comparison
    names = [c.properties for c in found.cells]
    assert names == [
        (("shape", s), ("mark", m)) for s in ("round", "square", "star") for m in ("dot", "dash", "cross")
    ]
    assert sum(c.before.n for c in found.cells) == len(found.rows)


def same_change(alone, whole):
    assert (alone.name, alone.difference.n) == (whole.name, whole.difference.n)
    for found, expected in (
        (alone.before, whole.before),
        (alone.after, whole.after),
        (alone.difference, whole.difference),
    ):
        assert (found.value, found.low, found.high) == pytest.approx(
            (expected.value, expected.low, expected.high)
        )


@pytest.mark.parametrize("measure", ["counterfactual", "demographic parity", "equal opportunity"])
def test_biases_alone_change_as_in_whole_comparisons(tiny, measure):
    given = tiny.head, tiny.path.suggested.result.head, tiny.dataset, tiny.features["test"]
    twins = [tiny.pairs["test"], tiny.pairs_of("test", "shade")]
    alone = bias_changes(*given, [(pairs, None) for pairs in twins], measure)
    assert [c.group for c in alone] == ["mark", "shade"]
    for change, pairs in zip(alone, twins, strict=True):
        same_change(change, compare(*given, pairs, measure=measure).judged)
    assert bias_changes(*given, [], measure) == []


def test_the_excess_alone_changes_as_in_the_whole_comparison(tiny):
    pairs = tiny.pairs_of("test", method="matched")
    floor = placebo_pairs(tiny.dataset, tiny.features["test"], "mark", tiny.head)
    given = tiny.head, tiny.path.suggested.result.head, tiny.dataset, tiny.features["test"]
    same_change(bias_changes(*given, [(pairs, floor)])[0], compare(*given, pairs, floor).excess)


def test_answers_of_matched_twins_are_looked_up_as_they_are_computed(tiny, monkeypatch):
    people, heads = tiny.features["test"], (tiny.head, tiny.path.suggested.result.head)
    names = ("mark", "shade")
    twins = [
        (tiny.pairs_of("test", n, method="matched"), placebo_pairs(tiny.dataset, people, n, tiny.head))
        for n in names
    ]
    expected = bias_changes(*heads, tiny.dataset, people, twins)
    asked, answers = [], LinearHead.probabilities
    monkeypatch.setattr(LinearHead, "probabilities", lambda head, x: asked.append(len(x)) or answers(head, x))
    found = twin_bias_changes(*(twin_biases_among(head, people, twins, tiny.dataset) for head in heads))
    assert asked == [len(people)] * 2  # each head once, whatever there is to compare
    for looked_up, computed in zip(found, expected, strict=True):
        assert looked_up.group == computed.group
        same_change(looked_up, computed)


def test_in_whatever_order_twins_come_and_of_few_nothing_is_said(tiny):
    pairs, people = tiny.pairs["test"], tiny.features["test"]
    given = tiny.head, tiny.path.suggested.result.head, tiny.dataset, people
    mixed = pairs.subset(np.random.default_rng(0).permutation(len(pairs)))
    same_change(*(bias_changes(*given, [(some, None)])[0] for some in (mixed, pairs)))
    (measured,) = twin_biases(tiny.head, people, [(mixed, None)], tiny.dataset)
    distance = dict(zip(pairs.rows, np.abs(pair_differences(tiny.head, pairs)), strict=True))
    assert measured.values.tolist() == [distance[row] for row in measured.rows]
    few = bias_changes(*given, [(mixed.subset(slice(0, 29)), None)])[0]
    assert (few.before.value, few.after.value, few.difference.value, few.difference.n) == (None,) * 3 + (29,)
    assert bias_changes(*given, [(mixed.subset(slice(0, 30)), None)])[0].difference.value is not None


def test_nobody_is_looked_up_who_is_not_there(tiny):
    pairs, some = tiny.pairs_of("test", method="matched"), tiny.features["test"].subset(np.arange(20))
    with pytest.raises(DataError, match="not among those"):
        twin_biases_among(tiny.head, some, [(pairs, None)], tiny.dataset)


def test_an_attribute_without_two_groups_has_no_gap_but_the_others_have(tiny):
    people = tiny.features["test"]
    usual = tiny.dataset.usual_level("mark")
    codes = tiny.dataset.attribute("mark").codes
    alike = people.subset(
        np.flatnonzero((codes[people.rows] == usual[0]) & (usual[people.labels] == usual[0]))
    )
    given = tiny.head, tiny.head, tiny.dataset, alike
    keep = np.isin(tiny.pairs["test"].rows, alike.rows)
    found = bias_changes(*given, [(tiny.pairs["test"].subset(keep), None)], "equal opportunity")[0]
    assert found.before.value is None
    assert "needs two groups" in found.before.problem


@pytest.mark.parametrize("measure", ["counterfactual", "demographic parity"])
def test_models_that_read_different_features_are_compared_on_the_same_people(tiny, measure):
    """The same model seen through turned features is the same candidate."""
    people, pairs = tiny.features["test"], tiny.pairs["test"]
    after = tiny.path.suggested.result.head
    turn = np.linalg.qr(np.random.default_rng(0).normal(size=(people.features.shape[1],) * 2))[0]

    def turned(found):
        return replace(found, features=(found.features @ turn).astype(found.features.dtype))

    other = Candidate(
        LinearHead(after.weight @ turn, after.bias),
        turned(people),
        replace(pairs, favoured=turned(pairs.favoured), other=turned(pairs.other)),
    )
    found = compare_candidates(Candidate(tiny.head, people, pairs), other, tiny.dataset, measure)
    wanted = compare(tiny.head, after, tiny.dataset, people, pairs, measure=measure)
    assert found.judged.difference.value == pytest.approx(wanted.judged.difference.value, abs=1e-6)
    assert found.judged.difference.low == pytest.approx(wanted.judged.difference.low, abs=1e-5)
    np.testing.assert_array_equal(found.predicted_after, wanted.predicted_after)
    assert found.judged.difference.value < 0  # and it is told apart from the first


def test_candidates_judged_on_other_people_are_refused(tiny):
    mine, theirs = (Candidate(tiny.head, tiny.features[s], tiny.pairs[s]) for s in ("test", "validation"))
    with pytest.raises(DataError, match="not judged on the same people and twins"):
        compare_candidates(mine, theirs, tiny.dataset)


def test_people_are_called_as_the_data_call_them(tiny):
    phrases = {"mark": {"dot": "dotted shapes"}, "shape": {"square": "square {}"}}
    found = compare(
        tiny.head, tiny.path.suggested.result.head, replace(tiny.dataset, phrases=phrases),
        tiny.features["test"], tiny.pairs["test"],
    )  # fmt: skip
    named = {c.group: c.who for c in (*found.cells, *found.groups)}
    assert named["shape: square, mark: dot"] == "square dotted shapes"
    assert named["mark with the pattern"] == "mark usual for the class"
    lost = replace(WORSE, group="mark: dot", called="dotted shapes")
    assert "dotted shapes by 20.0 points" in wording.losers_sentence(replace(found, groups=(lost,)))


def test_one_figure_has_one_interval_whoever_asks(tiny):
    """Of twins that only some people have, and of placebo twins: an audit and both ends of a comparison."""
    few = tiny.pairs["test"].subset(np.arange(0, 150, 2))
    placebo = placebo_pairs(tiny.dataset, tiny.features["test"], "mark", tiny.head).subset(np.arange(40, 120))
    matched = replace(few, method="matched")
    heads = tiny.head, tiny.path.points[-1].result.head
    found = compare(*heads, tiny.dataset, tiny.features["test"], matched, placebo)
    for head, end in zip(heads, ("before", "after"), strict=True):
        alone = audit_bias(
            head, tiny.dataset, tiny.features["test"], [matched], {"mark": placebo}
        ).attributes[0]
        for name in ("bias", "flips", "excess"):
            one, other = getattr(alone, name), getattr(getattr(found, name), end)
            assert (one.low, one.high, one.n) == pytest.approx((other.low, other.high, other.n), abs=1e-9), (
                name
            )
