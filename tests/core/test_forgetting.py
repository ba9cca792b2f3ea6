"""The account of forgetting: the same people through two models, and what it says in words."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from fmd_core import AttributeDataset, Column, DataError, FeatureSet, LinearHead, MLPHead, ModelError, compare
from fmd_core.forget.erasure import erase
from fmd_core.forget.forgetting import Forgetting, Reading, Seen, judge_forgetting
from fmd_core.forget.forgetting_words import forgetting_sentence, is_read
from fmd_core.forget.probes import ProbeResult, probe
from fmd_core.heads.fitting import ConvexProblem, fit_head
from fmd_core.intervals import Estimate
from fmd_core.measure.changes import Change
from fmd_core.twins.pairs import placebo_pairs

D, DAMPING = 8, 1e-3
SIZES = {"train": 1200, "external": 800, "test": 800}


@pytest.fixture(scope="module")
def problem():
    """Hat shows in a mean, scarf in a spread only; both lean to a class."""
    rng, n = np.random.default_rng(0), sum(SIZES.values())
    label = rng.integers(0, 2, n)
    hat, scarf = (np.where(rng.random(n) < 0.3, label, rng.integers(0, 2, n)) for _ in range(2))
    x = rng.normal(0, 1, (n, D))
    x[:, 0] += 2.5 * label
    x[:, 1] += 2.0 * hat
    x[:, 2] *= 1 + 5 * scarf
    names = {"hat": hat, "scarf": scarf}
    dataset = AttributeDataset(
        "Made up",
        Column("shape", label, ("round", "square")),
        {name: Column(name, codes, ("no", "yes")) for name, codes in names.items()},
        np.repeat(list(SIZES), list(SIZES.values())),
        SimpleNamespace(kind="table", fingerprint="made up"),
    )
    people = {
        s: FeatureSet(x[rows].astype("float32"), label[rows], rows)
        for s in SIZES
        for rows in [dataset.rows(s)]
    }
    train = people["train"]
    weights = np.full(len(train), 1 / len(train))
    head = fit_head(
        LinearHead(np.zeros((2, D)), np.zeros(2)),
        ConvexProblem(train.features, train.labels, weights, DAMPING),
    )
    return dataset, people, Seen(head, people["external"], people["test"])


def erased(problem, name, further=0):
    dataset, people, before = problem
    return erase(before.head, dataset, people["train"], [name], damping=DAMPING, further=further)


def account(problem, name, further=0, **options):
    dataset, _, before = problem
    found = erased(problem, name, further)
    return judge_forgetting(before, before.after(found), dataset, [name], seconds=found.seconds, **options)


def test_what_was_erased_is_no_longer_read_by_others(problem):
    found = account(problem, "hat", seeds=(0,))
    for reading in found.readings:
        assert is_read(reading.before)
        assert not is_read(reading.after)
    assert [r.kind for r in found.readings] == ["linear", "mlp"]
    assert found.accuracy.after.value > found.accuracy.before.value - 0.02
    assert found.seconds > 0
    sentence = forgetting_sentence(found)
    assert sentence.startswith("The model can no longer tell hat: ")
    assert ", chance 50 %. " in sentence


def test_what_spreads_tell_is_read_by_a_network_until_they_go(problem):
    means, spreads = (account(problem, "scarf", k, seeds=(0,)) for k in (0, 1))
    assert is_read(means.reading("scarf", "mlp").after)
    assert not is_read(means.reading("scarf", "linear").after)
    assert forgetting_sentence(means).startswith("A linear reader is at chance with scarf (")
    assert not is_read(spreads.reading("scarf", "mlp").after)
    assert forgetting_sentence(spreads).startswith("The model can no longer tell scarf: ")


def test_only_people_whom_the_erasure_never_saw_can_judge_it(problem):
    """Few people, many features: those who were erased show nothing, others still do."""
    dataset, people, _ = problem
    rng = np.random.default_rng(1)
    fat = {s: np.hstack([p.features, rng.normal(0, 1, (len(p), 40))]) for s, p in people.items()}
    wide = {s: replace(p, features=fat[s]) for s, p in people.items()}
    few = wide["train"].subset(np.arange(70))
    head = LinearHead(np.zeros((2, D + 40)), np.zeros(2))
    found = erase(head, dataset, few, ["hat"], damping=DAMPING, further=0)
    margins = [
        judge_forgetting(seen, seen.after(found), dataset, ["hat"], seconds=0, seeds=(0,))
        .readings[0]
        .after.margin
        for seen in (Seen(head, teachers, wide["test"]) for teachers in (few, wide["external"]))
    ]
    assert margins[0] < 0.03
    assert margins[1] > 0.05


def test_another_encoder_is_judged_as_well(problem):
    """Half as many features, of which none shows the hat."""
    dataset, _, before = problem
    kept = [0, 2, 3, 4]

    def narrow(people):
        return FeatureSet(people.features[:, kept], people.labels, people.rows)

    head = LinearHead(before.head.weight[:, kept], before.head.bias)
    after = Seen(head, narrow(before.teachers), narrow(before.judges))
    found = judge_forgetting(before, after, dataset, ["hat"], seconds=1.5, seeds=(0,))
    right = [
        s.head.probabilities(s.judges.features).argmax(axis=1) == s.judges.labels for s in (before, after)
    ]
    assert found.accuracy.before.value == pytest.approx(right[0].mean())
    assert found.accuracy.after.value == pytest.approx(right[1].mean())
    assert is_read(found.reading("hat", "linear").before)
    assert not is_read(found.reading("hat", "linear").after)


def test_bias_and_groups_are_those_of_compare(tiny):
    """An erasure changes features and last layer; folded, it is another head on the same features."""
    train, test = tiny.features["train"], tiny.features["test"]
    found = erase(tiny.head, tiny.dataset, train, ["mark"], damping=tiny.damping, twins=[tiny.pairs["train"]])
    before = Seen(tiny.head, tiny.features["validation"], test, {"mark": tiny.pairs["test"]})
    account = judge_forgetting(before, before.after(found), tiny.dataset, ["mark"], seconds=0, seeds=(0,))
    expected = compare(tiny.head, found.head, tiny.dataset, test, tiny.pairs["test"])
    (comparison,) = account.comparisons
    assert comparison.bias.after.value == pytest.approx(expected.bias.after.value)
    assert comparison.bias.difference.low == pytest.approx(expected.bias.difference.low)
    assert comparison.groups == expected.groups
    assert comparison.bias.after.value < 0.3 * comparison.bias.before.value
    assert account.accuracy == replace(expected.accuracy, difference=account.accuracy.difference)


def test_placebo_twins_are_taken_off(tiny):
    train, test = tiny.features["train"], tiny.features["test"]
    found = erase(tiny.head, tiny.dataset, train, ["mark"], damping=tiny.damping, twins=[tiny.pairs["train"]])
    placebo = placebo_pairs(tiny.dataset, test, "mark", tiny.head)
    before = Seen(
        tiny.head, tiny.features["validation"], test, {"mark": tiny.pairs["test"]}, {"mark": placebo}
    )
    (comparison,) = judge_forgetting(
        before, before.after(found), tiny.dataset, ["mark"], seconds=0, seeds=(0,)
    ).comparisons
    expected = compare(tiny.head, found.head, tiny.dataset, test, tiny.pairs["test"], placebo)
    assert comparison.excess.after.value == pytest.approx(expected.excess.after.value)


def test_probes_read_within_the_classes(problem):
    dataset, people, before = problem
    hat = dataset.attribute("hat").codes
    found = account(problem, "hat", seeds=(0,)).reading("hat", "linear").before
    sides = [(people[s].features, hat[people[s].rows]) for s in ("external", "test")]
    strata = {"train_strata": before.teachers.labels, "test_strata": before.judges.labels}
    expected, plain = (probe(*sides[0], *sides[1], kind="linear", **s) for s in (strata, {}))
    assert (found.accuracy, found.auc, found.interval) == (expected.accuracy, expected.auc, expected.interval)
    assert found.accuracy != plain.accuracy


def test_an_unchanged_model_forgets_nothing(problem):
    dataset, _, before = problem
    found = judge_forgetting(before, before, dataset, ["hat"], seconds=0, seeds=(0,))
    for reading in found.readings:
        assert reading.before.by_seed == reading.after.by_seed
    assert found.accuracy.difference.value == 0
    assert "There is no evidence that the task lost or gained" in forgetting_sentence(found)


# --- what is refused


def test_teachers_among_the_judges_are_refused(problem):
    dataset, people, before = problem
    mixed = Seen(before.head, people["test"].subset(np.arange(300)), people["test"])
    with pytest.raises(
        DataError, match=r"^Some people both teach and judge the probes; take two splits that"
    ):
        judge_forgetting(mixed, mixed, dataset, ["hat"], seconds=0)


@pytest.mark.parametrize(
    ("who", "message"),
    [
        ("judges", r"^Before and after show different people; encode the same rows with both models"),
        ("teachers", r"^Before and after are read with different teachers; encode the same rows with both"),
    ],
)
def test_other_people_are_refused(problem, who, message):
    dataset, _, before = problem
    after = replace(before, **{who: getattr(before, who).subset(np.arange(500))})
    with pytest.raises(DataError, match=message):
        judge_forgetting(before, after, dataset, ["hat"], seconds=0, seeds=(0,))


def test_missing_twins_are_refused(tiny):
    before = Seen(tiny.head, tiny.features["validation"], tiny.features["test"], {"mark": tiny.pairs["test"]})
    with pytest.raises(DataError, match=r"^There are twins by 'mark' before, but none after; make them for"):
        judge_forgetting(before, replace(before, twins={}), tiny.dataset, ["mark"], seconds=0, seeds=(0,))


def test_two_layers_are_refused(problem):
    dataset, _, before = problem
    deep = replace(before, head=MLPHead(np.zeros((D, D)), np.zeros(D), before.head))
    with pytest.raises(ModelError, match=r"^Forgetting is judged at the last layer; open the model there"):
        judge_forgetting(deep, before, dataset, ["hat"], seconds=0)


# --- words


def result(kind, accuracy, *, chance=0.5, half=0.01):
    interval = (accuracy - half, accuracy + half)
    return ProbeResult(kind, accuracy, chance, 0.6, 0.5, interval, 1000, 1000, (accuracy,))


def told(linear, mlp, *, task=(0.9, 0.896), p=0.01):
    """The sentence on an attribute read so before and after."""
    n, ends = 4000, [Estimate(v, v - 0.01, v + 0.01, 4000) for v in task]
    moved = task[1] - task[0]
    change = Change("accuracy", "", *ends, Estimate(moved, moved - 0.001, moved + 0.001, n), p)
    readings = [
        Reading("glasses", kind, *(result(kind, a) for a in ends))
        for kind, ends in (("linear", linear), ("mlp", mlp))
    ]
    return forgetting_sentence(Forgetting(tuple(readings), change, (), 0.1))


@pytest.mark.parametrize(
    ("linear", "mlp", "sentence"),
    [
        ((0.8, 0.51), (0.85, 0.505), "The model can no longer tell glasses: 51.0 % (50.0 to 52.0; before 85 %), "
         "chance 50 %."),
        ((0.8, 0.5), (0.85, 0.519), "The model can barely tell glasses any more: 51.9 % (50.9 to 52.9; before 85 %), "
         "above chance, 50 %, by no more than 3 points."),
        ((0.8, 0.519), (0.85, 0.63), "A linear reader is barely above chance with glasses (52 %, chance 50 %), but a "
         "small network still reads it at 63 % (before 85 %)."),
        ((0.8, 0.51), (0.85, 0.63), "A linear reader is at chance with glasses (51 %, chance 50 %), but a small "
         "network still reads it at 63 % (before 85 %)."),
        ((0.8, 0.7), (0.85, 0.75), "Glasses can still be read: a linear reader tells it for 70 % (before 80 %), a "
         "small network for 75 % (before 85 %), chance 50 %."),
        ((0.51, 0.5), (0.5, 0.51), "Glasses could not be read to begin with: 51.0 % (50.0 to 52.0), chance 50 %."),
        ((0.52, 0.5), (0.5, 0.51), "Glasses could barely be read to begin with: 51.0 % (50.0 to 52.0), chance 50 %."),
    ],
)  # fmt: skip
def test_the_attribute_in_words(linear, mlp, sentence):
    assert told(linear, mlp) == f"{sentence} The task lost 0.4 points (from 90.0 % to 89.6 %)."


def test_the_task_in_words():
    read = ((0.8, 0.51), (0.85, 0.51))
    assert told(*read, task=(0.9, 0.95)).endswith(" The task gained 5.0 points (from 90.0 % to 95.0 %).")
    assert told(*read, p=0.3).endswith(
        " There is no evidence that the task lost or gained (from 90.0 % to 89.6 %)."
    )


def test_a_class_that_few_have_is_told_by_its_own_hit_rate(problem):
    """One in forty is of the rare class, and the model that is left answers with the other one for everybody."""
    dataset, people, before = problem
    rare = np.flatnonzero(people["test"].labels == 1)[:40]
    common = np.flatnonzero(people["test"].labels == 0)
    judges = people["test"].subset(np.sort(np.r_[rare, common]))
    seen = replace(before, judges=judges)
    blind = replace(seen, head=LinearHead(np.zeros((2, D)), np.array([1.0, 0.0])))
    found = judge_forgetting(seen, blind, dataset, [], seconds=0)
    said = forgetting_sentence(found)
    round_, square = found.classes
    assert (square.after.value, round_.after.value) == (0.0, 1.0)
    assert found.majority == found.accuracy.after.value == pytest.approx(len(common) / len(judges))
    assert "; always answering “round” is right for " in said
    assert f"shape square from {100 * square.before.value:.1f} % to 0.0 % (n = 40)." in said


def test_of_many_classes_those_that_lost_are_named():
    def change(name, before, after, p):
        ends = [Estimate(v, v - 0.05, v + 0.05, 100) for v in (before, after)]
        return Change("hit rate", name, *ends, Estimate(after - before, -0.5, 0.5, 100), p)

    classes = [change(str(digit), 0.8, 0.8, 1.0) for digit in range(8)]
    lost, least = change("8", 0.9, 0.5, 0.001), change("9", 0.1, 0.1, 1.0)
    found = Forgetting((), change("", 0.7, 0.7, 1.0), (), 0.0, (*classes, lost, least))
    assert forgetting_sentence(found).endswith(
        "Recognised least of 10 classes: 9 from 10.0 % to 10.0 % (n = 100). Recognised less often than before: "
        "8 from 90.0 % to 50.0 % (n = 100)."
    )


@pytest.mark.parametrize(
    ("ends", "low", "high", "said"),
    [
        ((0.3, 0.1), -0.25, -0.15, "The answers hang less on pattern 2 of 7: "),
        ((0.3, 0.29), -0.03, 0.01, "There is no evidence that the answers hang less on pattern 2 of 7: "),
        ((0.1, 0.3), 0.15, 0.25, "The answers hang more on pattern 2 of 7: "),
    ],
)
def test_a_pattern_is_told_by_what_hiding_it_does(ends, low, high, said):
    sides = [Estimate(v, v - 0.05, v + 0.05, 90) for v in ends]
    reliance = Change("reliance", "pattern 2 of 7", *sides, Estimate(ends[1] - ends[0], low, high, 90))
    task = Change("accuracy", "", *sides, Estimate(0.0, -0.1, 0.1, 90), 1.0)
    told = forgetting_sentence(Forgetting((), task, (), 0.0, reliance=reliance))
    assert told.startswith(f"{said}hiding it moves the probability of the true class by ")


def test_a_reader_beyond_chance_is_one_by_its_interval_and_by_its_size():
    assert is_read(result("mlp", 0.54, half=0.03))
    assert not is_read(result("mlp", 0.54, half=0.05))
    assert not is_read(result("mlp", 0.525, half=0.01))
    assert is_read(result("mlp", 0.14, chance=0.1, half=0.01))
