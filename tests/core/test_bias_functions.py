"""What counts as bias: values, slopes, and unlearning by each."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from fmd_core import (
    AttributeDataset,
    Column,
    CounterfactualBias,
    CounterfactualPairs,
    DataError,
    FeatureSet,
    GroupGap,
    Guard,
    JointBias,
    LinearHead,
    UnlearningResult,
    audit_bias,
    bias_influence,
    compare,
    counterfactual_bias,
    unlearn,
    unlearning_path,
)
from fmd_core.heads.fitting import ConvexProblem, fit_head
from fmd_core.intervals import Estimate
from fmd_core.measure.bias_functions import MEASURES, joint
from fmd_core.measure.group_loss import GroupLoss, by_service
from fmd_core.measure.served_groups import ServedGroup
from fmd_core.method import strategies
from fmd_core.twins.pairs import placebo_pairs
from fmd_core.unlearn import guarded_path
from fmd_core.unlearn.objective import unlearning_problem

GAPS = MEASURES[1:]
UNKNOWN = Estimate.unknown(0)


def gap_of(problem, split, measure, attribute="mark"):
    return GroupGap.of(problem.dataset, problem.features[split], attribute, measure)


def slope(bias, head, step=1e-6):
    moves = step * np.eye(head.n_parameters)
    return np.array([(bias.value(head.moved(m)) - bias.value(head.moved(-m))) / (2 * step) for m in moves])


@pytest.fixture
def biases(tiny):
    twins = CounterfactualBias(tiny.pairs["external"])
    shade = CounterfactualBias(tiny.pairs_of("external", "shade"))
    matched = tiny.pairs_of("external", method="matched")
    floor = placebo_pairs(tiny.dataset, tiny.features["external"], "mark", tiny.head)
    return {
        "twins": twins,
        "beyond the placebo": CounterfactualBias(matched, floor),
        "demographic parity": gap_of(tiny, "external", GAPS[0]),
        "equal opportunity": gap_of(tiny, "external", GAPS[1]),
        "predictive equality": gap_of(tiny, "external", GAPS[2]),
        "joint": JointBias((twins, shade)),
        "joint gaps": JointBias(
            (gap_of(tiny, "external", GAPS[0]), gap_of(tiny, "external", GAPS[0], "shade"))
        ),
    }


NAMES = ["twins", "beyond the placebo", *GAPS, "joint", "joint gaps"]
WHO_COUNTS = {  # with two classes, by the true class
    "demographic parity": lambda labels: np.ones(len(labels), bool),
    "equal opportunity": lambda labels: labels == 1,
    "predictive equality": lambda labels: labels == 0,
}


@pytest.mark.parametrize("name", NAMES)
def test_every_gradient_is_the_slope(tiny, biases, name):
    head = tiny.head.moved(np.random.default_rng(0).normal(0, 0.3, tiny.head.n_parameters))
    found = biases[name].gradient(head)
    np.testing.assert_allclose(found, slope(biases[name], head), atol=1e-6)
    assert np.abs(found).max() > 1e-3


@pytest.mark.parametrize("name", NAMES)
def test_a_head_that_is_sure_of_nothing_decides_as_before(tiny, biases, name):
    head = tiny.head.moved(np.random.default_rng(0).normal(0, 0.3, tiny.head.n_parameters))
    unsure = head.moved(-0.999 * head.theta)  # the same answers, with hardly a difference in probability
    assert abs(biases[name].value(unsure)) < 0.01
    assert biases[name].decided(unsure) == pytest.approx(biases[name].decided(head))


@pytest.mark.parametrize("name", NAMES)
def test_a_head_that_is_sure_of_everything_has_the_bias_of_its_decisions(tiny, biases, name):
    head = tiny.head.moved(np.random.default_rng(0).normal(0, 0.3, tiny.head.n_parameters))
    sure = head.moved(1e6 * head.theta)
    found = biases[name].decided(head)
    assert found == pytest.approx(biases[name].decided(sure))
    if name in (*GAPS, "joint gaps"):  # twins may flip from wrong to wrong
        assert found == pytest.approx(biases[name].value(sure))


def two_classes(seed=0, n=200):
    rng = np.random.default_rng(seed)
    people = FeatureSet(rng.normal(size=(n, 3)), rng.integers(0, 2, n), np.arange(n))
    return people, rng.random(n) < 0.4, LinearHead(rng.normal(size=(2, 3)), rng.normal(size=2))


@pytest.mark.parametrize("measure", GAPS)
def test_two_classes_compare_the_mean_probability_of_class_one(measure):
    people, usual, head = two_classes()
    privileged = np.stack([~usual, usual], axis=1)
    says = head.probabilities(people.features)[:, 1]
    counted = WHO_COUNTS[measure](people.labels)
    gap = GroupGap("sex", measure, people, privileged)
    expected = says[usual & counted].mean() - says[~usual & counted].mean()
    assert gap.signed(head) == pytest.approx(expected)
    assert gap.value(head) == pytest.approx(abs(expected))
    assert gap.n_counted == counted.sum()


def two_class_problem():
    """A data set of two classes whose 200 test people have features, an attribute and twins."""
    people, usual, head = two_classes()
    labels = np.concatenate([[0, 0, 0, 1, 1, 1], people.labels])
    codes = np.concatenate([[0, 0, 0, 1, 1, 1], usual.astype(int)])  # the second level is usual for class 1
    people = replace(people, rows=np.arange(6, 206))
    dataset = AttributeDataset(
        "Two classes",
        Column("told", labels, ("no", "yes")),
        {"sex": Column("sex", codes, ("f", "m"))},
        np.repeat(["train", "test"], [6, 200]),
        SimpleNamespace(fingerprint="none"),
    )
    other = replace(people, features=-people.features)
    levels = people.labels, 1 - people.labels, codes[6:]
    return dataset, head, people, CounterfactualPairs("sex", "flipped", people, other, *levels)


@pytest.mark.parametrize("measure", GAPS)
def test_a_gap_is_told_with_the_people_who_count(measure):
    dataset, head, people, pairs = two_class_problem()
    n = int(WHO_COUNTS[measure](people.labels).sum())
    assert audit_bias(head, dataset, people, [pairs]).attributes[0].by(measure).n == n
    change = compare(head, turned(head), dataset, people, pairs, measure=measure).gap
    assert [end.n for end in (change.before, change.after, change.difference)] == [n] * 3


@pytest.mark.parametrize("measure", GAPS)
def test_many_classes_are_pooled_one_against_the_rest(tiny, measure):
    people = tiny.features["test"]
    usual_level = tiny.dataset.usual_level("mark")
    codes = tiny.dataset.attribute("mark").codes[people.rows]
    p, sides = tiny.head.probabilities(people.features), ([], [])
    for i in range(len(people)):
        for k in range(3):
            if measure == "demographic parity" or (people.labels[i] == k) == (measure == "equal opportunity"):
                sides[int(codes[i] != usual_level[k])].append(p[i, k])
    expected = np.mean(sides[0]) - np.mean(sides[1])
    assert gap_of(tiny, "test", measure).signed(tiny.head) == pytest.approx(expected)


def test_a_model_blind_to_everything_has_no_parity_gap():
    people, usual, _ = two_classes()
    blind = LinearHead(np.zeros((2, 3)), np.array([1.0, -1.0]))
    gap = GroupGap("sex", "demographic parity", people, np.stack([~usual, usual], axis=1))
    assert gap.value(blind) == pytest.approx(0, abs=1e-12)


def test_a_missing_group_is_refused_in_words():
    people, usual, _ = two_classes()
    with pytest.raises(
        DataError,
        match="demographic parity gap by 'sex' needs two groups, but nobody here goes against the pattern",
    ):
        GroupGap("sex", "demographic parity", people, np.ones((200, 2), bool))
    with pytest.raises(DataError, match="nobody here goes with the pattern"):
        GroupGap("sex", "equal opportunity", people, np.stack([usual, np.zeros(200, bool)], axis=1))


def test_several_attributes_are_their_mean(tiny, biases):
    parts = biases["joint"].parts
    assert biases["joint"].value(tiny.head) == pytest.approx(np.mean([p.value(tiny.head) for p in parts]))
    assert biases["joint"].attribute == "mark and shade"
    assert joint(parts[:1]) is parts[0]
    with pytest.raises(DataError, match="different attributes, got: mark, mark"):
        JointBias((parts[0], parts[0]))


@pytest.mark.parametrize("name", ["demographic parity", "equal opportunity", "joint"])
def test_influence_on_any_bias_is_what_a_refit_does(tiny, biases, name):
    train, bias = tiny.features["train"], biases[name]
    scores = bias_influence(tiny.head, train, bias, tiny.curvature, method="leave-one-out")
    assert (scores.measure, scores.attribute) == (bias.measure, bias.attribute)
    some, effects = np.r_[scores.most_harmful(3), scores.most_helpful(3)], []
    for position in some:
        weights = np.full(len(train), 1 / len(train))
        weights[position] = 0
        kept = ConvexProblem(train.features, train.labels, weights, tiny.damping)
        effects.append(bias.value(fit_head(tiny.head, kept)) - bias.value(tiny.head))
    np.testing.assert_allclose(scores.removal_effect[some], effects, rtol=0.15, atol=2e-6)


def inputs_for(tiny, bias):
    scores = bias_influence(tiny.head, tiny.features["train"], bias, tiny.curvature)
    twins = tuple(tiny.pairs_of("train", part.attribute) for part in bias.parts)
    return replace(tiny.inputs, bias=bias, scores=scores, train_pairs=twins)


@pytest.mark.parametrize("strategy", [strategy.name for strategy in strategies()])
@pytest.mark.parametrize("name", ["demographic parity", "equal opportunity", "joint"])
def test_every_strategy_lowers_every_bias_on_the_people_it_is_told_of(tiny, biases, name, strategy):
    bias = biases[name]
    found = unlearn(tiny.head, inputs_for(tiny, bias), strategy=strategy, strength=0.3, k=60)
    assert bias.value(found.head) < bias.value(tiny.head)


@pytest.mark.parametrize("measure", GAPS)
def test_the_guarded_path_lowers_the_gap_of_people_who_judge(tiny, measure):
    guard = Guard(tiny.features["validation"], gap_of(tiny, "validation", measure), 0.05)
    path = unlearning_path(tiny.head, inputs_for(tiny, gap_of(tiny, "external", measure)), guard)
    judge = gap_of(tiny, "test", measure)
    assert path.suggested.bias < path.original.bias
    assert judge.value(path.suggested.result.head) < judge.value(tiny.head)


def test_the_whole_external_step_takes_the_gap_to_zero_at_first_order(tiny):
    bias = gap_of(tiny, "external", GAPS[0])
    small = 1e-3
    found = unlearn(tiny.head, inputs_for(tiny, bias), strategy="paper-external", strength=small)
    fell = bias.value(tiny.head) - bias.value(found.head)
    assert fell == pytest.approx(small * found.step_share * bias.value(tiny.head), rel=0.02)


def two_shortcuts(n=400, seed=0):
    """Features (signal, a, b) and a head that leans on both a and b."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, n)
    side = 2 * labels - 1
    x = np.column_stack(
        [side + rng.normal(0, 1.5, n), *(side * rng.choice([1, -1], n, p=[0.9, 0.1]) for _ in "ab")]
    )
    people = FeatureSet(x, labels, np.arange(n))
    zero = LinearHead(np.zeros((2, 3)), np.zeros(2))
    head = fit_head(zero, ConvexProblem(x, labels, np.full(n, 1 / n), 1e-3))
    pairs = [flipped(people, column, name) for column, name in ((1, "a"), (2, "b"))]
    return people, head, pairs


def flipped(people, column, name):
    """Each sample with the attribute as usual for its class, and the other way round."""
    usual = 2 * people.labels - 1
    sides = [np.array(people.features) for _ in "co"]
    sides[0][:, column], sides[1][:, column] = usual, -usual
    own = (people.features[:, column] > 0).astype(int)
    sides = [FeatureSet(side, people.labels, people.rows) for side in sides]
    return CounterfactualPairs(name, "generated", *sides, people.labels, 1 - people.labels, own)


def test_joint_unlearning_takes_both_out():
    people, head, pairs = two_shortcuts()
    judges = two_shortcuts(seed=1)[2]

    def left(given):
        problem = unlearning_problem(joint([CounterfactualBias(p) for p in given]), people)
        after = fit_head(head, problem, anchor=head.theta, consistency=1.0)
        return {p.attribute: counterfactual_bias(after, p) for p in judges}

    before = {p.attribute: counterfactual_bias(head, p) for p in judges}
    alone, both = left(pairs[:1]), left(pairs)
    assert all(both[name] < before[name] / 2 for name in "ab")
    assert alone["a"] < before["a"] / 2
    assert alone["b"] > 2 * both["b"]


def test_no_part_of_a_joint_bias_may_rise(tiny, biases):
    worse = tiny.head.moved(0.5 * biases["joint"].parts[0].gradient(tiny.head))
    both = Guard(tiny.features["validation"], biases["joint"], 1.0)
    refusal = guarded_path._Judge(tiny.head, both).point(UnlearningResult(worse, "iterated", 1.0, 0)).refusal
    assert refusal.startswith("the mark bias rises by")


def test_the_audit_measures_the_gaps_with_intervals(tiny):
    found = audit_bias(tiny.head, tiny.dataset, tiny.features["test"], [tiny.pairs["test"]]).attributes[0]
    for measure in GAPS:
        estimate = found.by(measure)
        assert estimate.value == pytest.approx(gap_of(tiny, "test", measure).value(tiny.head))
        assert estimate.low < estimate.value < estimate.high
        assert estimate.n == 150
    assert found.by("counterfactual") is found.bias


def test_the_gap_of_too_few_people_is_unknown(tiny):
    few = tiny.features["test"].subset(np.arange(20))
    pairs = tiny.pairs["test"].subset(np.arange(20))
    found = audit_bias(tiny.head, tiny.dataset, few, [pairs]).attributes[0]
    assert found.parity_gap.value is None
    assert "not enough people" in found.parity_gap.problem


def test_a_joint_problem_is_the_mean_of_its_parts(tiny, biases):
    train, parts = tiny.features["train"], biases["joint"].parts
    few = CounterfactualBias(parts[1].pairs.subset(np.arange(30)))
    whole = unlearning_problem(JointBias((parts[0], few)), train)
    each = [unlearning_problem(part, train) for part in (parts[0], few)]
    np.testing.assert_allclose(whole.weights, np.concatenate([p.weights for p in each]) / 2)
    np.testing.assert_allclose(whole.contrast_weights, np.concatenate([p.contrast_weights for p in each]) / 2)
    assert whole.damping == max(p.damping for p in each)
    logits = tiny.head.logits(whole.features)
    apart = np.concatenate([p.contrasts @ tiny.head.logits(p.features) for p in each])
    np.testing.assert_allclose(whole.contrasts @ logits, apart)


def test_the_anchor_of_a_joint_problem_is_that_of_its_least_reliable_part(tiny, biases):
    matched = CounterfactualBias(tiny.pairs_of("external", method="matched"))
    shade = biases["joint"].parts[1]
    found = [unlearning_problem(b, tiny.features["train"]).damping for b in (matched, shade)]
    assert found[0] > found[1]
    for parts in ((matched, shade), (shade, matched)):
        assert unlearning_problem(JointBias(parts), tiny.features["train"]).damping == found[0]


def test_an_answer_that_one_group_never_has_compares_nothing(tiny):
    people = tiny.features["external"]
    gap = gap_of(tiny, "external", "equal opportunity")
    privileged = gap.privileged.copy()
    privileged[people.labels == 1, 1] = True  # every member of class 1 is usual
    problem = unlearning_problem(replace(gap, privileged=privileged), tiny.features["train"])
    assert problem.contrasts.shape == (2, len(people))
    assert np.isfinite(problem.contrasts.toarray()).all()
    np.testing.assert_allclose(problem.contrasts.sum(axis=1), 0, atol=1e-12)
    assert problem.contrast_weights.sum() == pytest.approx(1)


def turned(head):
    """A head that says the opposite: its gaps run the other way."""
    return head.moved(-2 * head.theta)


@pytest.mark.parametrize("measure", GAPS)
def test_a_gap_the_other_way_round_is_audited_in_the_direction_that_it_has(tiny, measure):
    other = turned(tiny.head)
    assert gap_of(tiny, "test", measure).signed(other) < 0
    found = (
        audit_bias(other, tiny.dataset, tiny.features["test"], [tiny.pairs["test"]]).attributes[0].by(measure)
    )
    assert 0 < found.low < found.value < found.high


@pytest.mark.parametrize("measure", GAPS)
def test_the_audit_keeps_whom_a_gap_in_probability_favours(tiny, measure):
    pairs, people = [tiny.pairs["test"]], tiny.features["test"]
    for head, favours in ((tiny.head, True), (turned(tiny.head), False)):
        assert audit_bias(head, tiny.dataset, people, pairs).attributes[0].favours(measure) is favours


def test_the_direction_is_that_of_probability_where_decisions_go_the_other_way():
    dataset, _, people, pairs = two_class_problem()
    usual = dataset.attribute("sex").codes[people.rows] == 1
    # the usual level leans towards class 1 but never gets it, of the others a few get it for sure
    leaning = np.where(usual, -0.1, np.where(np.arange(200) % 5 == 0, 0.1, -3.0))
    leaning[usual & (people.labels == 1)] = -5.0  # but not those of them who truly belong to it
    people = replace(people, features=leaning[:, None])
    pairs = replace(pairs, favoured=people, other=people)
    found = audit_bias(LinearHead([[0.0], [1.0]], [0.0, 0.0]), dataset, people, [pairs]).attributes[0]
    assert found.metrics.demographic_parity_difference.value < 0
    assert found.favours("demographic parity")
    assert not found.favours("equal opportunity")


@pytest.mark.parametrize("measure", GAPS)
def test_a_gap_that_changes_sides_changes_by_its_size(tiny, measure):
    other, gap = turned(tiny.head), gap_of(tiny, "test", measure)
    found = compare(
        tiny.head, other, tiny.dataset, tiny.features["test"], tiny.pairs["test"], measure=measure
    ).gap
    expected = gap.value(other) - gap.value(tiny.head)
    assert found.difference.value == pytest.approx(expected)
    assert found.difference.low < expected < found.difference.high
    assert found.after.low < found.after.value < found.after.high


def test_swapping_needs_the_twins_of_every_attribute(tiny, biases):
    some = replace(inputs_for(tiny, biases["joint"]), train_pairs=(tiny.pairs["train"],))
    with pytest.raises(DataError, match="needs the training samples' own twins"):
        unlearn(tiny.head, some, strategy="paper-replace", k=10)


@pytest.mark.parametrize(
    ("strategy", "missing"), [("paper-external", "curvature"), ("paper-remove", "scores")]
)
def test_what_a_strategy_needs_is_asked_for(tiny, strategy, missing):
    with pytest.raises(DataError, match=f"{strategy} needs .*\\({missing}\\); give it"):
        unlearn(tiny.head, replace(tiny.inputs, **{missing: None}), strategy=strategy, k=10)
    alone = unlearn(tiny.head, replace(tiny.inputs, curvature=None, scores=None), strength=0.1)
    np.testing.assert_allclose(alone.head.theta, unlearn(tiny.head, tiny.inputs, strength=0.1).head.theta)


def test_one_part_may_not_rise_even_where_the_mean_falls():
    people, head, pairs = two_shortcuts()
    weight = np.array(head.weight)
    weight[:, 1], weight[:, 2] = 0.0, 0.5 * weight[:, 2]
    after = LinearHead(weight, head.bias)
    both = joint([CounterfactualBias(p) for p in pairs])
    assert both.value(after) < both.value(head)
    judge = guarded_path._Judge(head, Guard(people, both, 1.0))
    found = judge._refusal(
        0.0, [0.0, 0.0], np.array([part.value(after) for part in both.parts]), np.zeros(0, int)
    )
    assert found.startswith("the b bias rises by")


# --- false alarms, and whoever is served worst


def test_equal_false_alarms_are_what_aif360_calls_the_false_positive_rate():
    dataset, head, people, pairs = two_class_problem()
    sure = head.moved(1e6 * head.theta)  # probabilities of 0 and 1: its decisions
    says, usual = (
        sure.probabilities(people.features).argmax(axis=1),
        dataset.attribute("sex").codes[people.rows] == 1,
    )
    rates = [says[(people.labels == 0) & side].mean() for side in (usual, ~usual)]
    found = audit_bias(sure, dataset, people, [pairs]).attributes[0]
    assert found.by("predictive equality").value == pytest.approx(abs(rates[0] - rates[1]))
    assert found.favours("predictive equality") == (rates[0] >= rates[1])
    assert 0.01 < found.by("predictive equality").value != found.by("equal opportunity").value


def a_group(label, level):
    return ServedGroup(label, level, UNKNOWN, f"{level} {label}")


def test_the_loss_of_a_group_is_the_mean_over_its_members_and_has_a_slope(tiny):
    people, column = tiny.features["external"], tiny.dataset.attribute("mark")
    label, level = tiny.dataset.target.levels[0], column.levels[0]
    loss = GroupLoss.of(tiny.dataset, people, "mark", a_group(label, level))
    members = (people.labels == 0) & (column.codes[people.rows] == 0)
    assert len(loss) == members.sum() > 0
    p = tiny.head.probabilities(people.features[members])[:, 0]
    assert loss.value(tiny.head) == pytest.approx(-np.log(p).mean())
    np.testing.assert_allclose(loss.gradient(tiny.head), slope(loss, tiny.head), atol=1e-6)
    others, own = loss.plants
    assert set(own.labels) == {0}
    assert 0 not in others.labels
    assert set(column.codes[others.rows]) == {0}


def test_the_loss_of_nobody_is_refused_in_words(tiny):
    people = tiny.features["external"]
    stars = people.subset(people.labels == 2)
    with pytest.raises(DataError, match="There are no dot round among these"):
        GroupLoss.of(tiny.dataset, stars, "mark", a_group("round", "dot"))


def test_whoever_is_served_worst_has_enough_people(tiny):
    people = tiny.features["test"]
    right = tiny.head.probabilities(people.features).argmax(axis=1) == people.labels
    common = tiny.dataset.attribute("shade").codes[people.rows] == 0
    rates = [right[common & (people.labels == k)].mean() for k in range(3)]  # too few have the rare shade
    worst = by_service(tiny.head, tiny.dataset, people, "shade", 30)[0]
    assert worst.accuracy.value == pytest.approx(min(rates))
    assert (worst.label, worst.level) == (tiny.dataset.target.levels[int(np.argmin(rates))], "common")
    few = people.subset(np.arange(20))
    with pytest.raises(DataError, match="have 30 images each of those who choose"):
        by_service(tiny.head, tiny.dataset, few, "mark", 30)
