"""Unlearning below the last layer: who teaches, what is kept, what is mixed and what the guard lets pass."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

import fmd_core as fmd
from fmd_core import DataError, FeatureSet, ModelError
from fmd_core.heads.linear import LinearHead
from fmd_core.measure.calibration import fitted_temperature
from fmd_core.models.blocks import split_at, why_not
from fmd_core.models.files import load_classifier, save_classifier
from fmd_core.models.mixture import mixed_network
from fmd_core.models.shelf import load_demo_classifier
from fmd_core.models.side_by_side import beside
from fmd_core.models.training import suggested_architecture, train_classifier
from fmd_core.study.deeper import asked, deepen, mixture
from fmd_core.unlearn.deeper import planning, training
from fmd_core.unlearn.deeper.answers import Asked, Logits, figures_of
from fmd_core.unlearn.deeper.augmentation import augmented
from fmd_core.unlearn.deeper.choosing import SHARES, choose
from fmd_core.unlearn.deeper.material import POOL
from fmd_core.unlearn.deeper.objectives import group_weights
from fmd_core.unlearn.deeper.settings import REACHES, DeeperSettings, usual_improve
from fmd_core.unlearn.deeper.training import train_deeper

FEW = (40, 120)


@pytest.fixture(scope="module")
def study():
    data = fmd.load_dataset("colored_digits")
    return fmd.Study(data, load_demo_classifier("colored_digits"), aim="colour")


@pytest.fixture(scope="module")
def deepened(study):
    settings = DeeperSettings("last block", "twins", kept=FEW)
    return deepen(study, "colour", settings, tolerance=0.01)


def test_emphasis_shares_the_weight_between_people_and_groups():
    groups = np.array([0] * 90 + [1] * 10)
    even = group_weights(groups, 1.0)
    assert even[groups == 0].sum() == pytest.approx(even[groups == 1].sum())
    assert np.ptp(group_weights(groups, 0.0)) == 0
    half = group_weights(groups, 0.5)
    assert half.sum() == pytest.approx(1)
    assert half[groups == 1].sum() == pytest.approx(0.5 * 0.1 + 0.5 * 0.5)


def test_block_over_trunk_is_the_network():
    network = load_demo_classifier("colored_digits").as_module()
    trunk, block = split_at("last block", network, "it")
    pictures = torch.rand(4, 3, 32, 32)
    with torch.inference_mode():
        torch.testing.assert_close(block(trunk(pictures)), network(pictures))
    assert set(block.state_dict()) < set(network.state_dict())


def test_a_residual_network_is_cut_before_its_last_stage():
    import torchvision

    network = torchvision.models.resnet18(weights=None)
    network.fc = nn.Identity()
    network.eval()
    trunk, block = split_at("last block", network, "ResNet-18")
    pictures = torch.rand(2, 3, 64, 64)
    with torch.inference_mode():
        torch.testing.assert_close(block(trunk(pictures)), network(pictures))
    assert set(block.state_dict()) < set(network.state_dict())


def test_a_part_that_cannot_be_told_apart_is_refused_in_a_sentence():
    one = nn.Sequential(nn.Linear(3, 4), nn.ReLU())
    assert (
        why_not("last block", one, "It")
        == "The last block of It is all there is; let the whole network learn."
    )
    assert "cannot be told apart" in why_not("last two layers", nn.ModuleDict({"a": nn.Linear(3, 4)}), "It")
    assert why_not("last layer", one, "It") == ""


def test_augmented_pictures_stay_pictures_and_a_digit_is_not_mirrored():
    arrow = torch.zeros(400, 3, 32, 32)
    arrow[:, :, :, 20:] = 1.0  # bright on the right
    generator = torch.Generator().manual_seed(0)
    kept = augmented(arrow, generator, flip=False, colour_range=1.0)
    right, left = kept[..., 20:].mean(dim=(1, 2, 3)), kept[..., :12].mean(dim=(1, 2, 3))
    assert bool((right > left).all())
    turned = augmented(arrow, generator, flip=True, colour_range=1.0)
    mirrored = float(
        (turned[..., 20:].mean(dim=(1, 2, 3)) < turned[..., :12].mean(dim=(1, 2, 3))).float().mean()
    )
    assert 0.4 < mirrored < 0.6
    assert kept.shape == arrow.shape


def test_the_temperature_undoes_what_logits_were_multiplied_by():
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(4000, 3)) * 2
    chances = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    labels = np.array([rng.choice(3, p=p) for p in chances])
    assert fitted_temperature(5 * logits, labels) == pytest.approx(5, rel=0.1)
    assert fitted_temperature(logits + 7, labels) == pytest.approx(1, rel=0.1)


def test_the_original_is_as_it_was_and_the_same_seed_gives_the_same_network(study):
    settings = DeeperSettings("last block", "twins", kept=(5,))
    first, again, other = (
        train_deeper(study.model, study.data, "colour", settings, seed=seed)[5].fingerprint
        for seed in (0, 0, 1)
    )
    assert first == again != other
    assert study.model.fingerprint == load_demo_classifier("colored_digits").fingerprint


def test_only_the_last_block_has_changed(study, deepened):
    before, after = study.model.encoder_state, deepened.networks[FEW[1]].encoder_state
    changed = {name for name in before if not np.array_equal(before[name], after[name])}
    assert changed == {name for name in before if name.split(".")[0] in ("6", "11")}


def test_the_bias_falls_on_test_people_and_the_calibrated_one_too(deepened):
    before, after = deepened.judged(), deepened.judged_at(FEW[1], 1.0, 0.0)
    assert after.bias < before.bias / 2
    assert after.calibrated < before.calibrated
    assert after.flips < before.flips / 2
    assert after.accuracy > before.accuracy


def test_a_mixture_of_heads_is_the_mixture_of_logits(study, deepened):
    both, head = mixture(study.model, deepened.networks[FEW[1]], 0.25)
    rows = study.features("test").rows
    features = both.encode([study.data.source.read(rows)])
    one, two = (
        asked(study, "test", "colour", network)[1].people for network in (None, deepened.networks[FEW[1]])
    )
    expected = np.exp(0.75 * one + 0.25 * two)
    expected /= expected.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(head.probabilities(features), expected, atol=1e-4)
    np.testing.assert_allclose(
        both.head.probabilities(features),
        study.head.probabilities(study.features("test").features),
        atol=1e-5,
    )


def test_the_path_begins_with_the_original_and_names_every_point(deepened):
    frame = deepened.path.to_frame()
    assert len(frame) == 1 + len(SHARES) * len(FEW)
    assert frame.chosen.sum() == 1
    assert frame.iloc[0][["steps", "share"]].tolist() == [0, 0]
    assert deepened.path.chosen.figures.flips < deepened.path.original.figures.flips


def guarded(asked_people, original, repaired, **rules):
    path = choose(asked_people, original, {1: repaired}, improve="groups", **rules)
    return {point.share: point.refusal for point in path.points}, path


def as_logits(answers, n_classes, sure=4.0):
    return sure * np.eye(n_classes)[answers]


def test_the_guard_refuses_lost_accuracy_a_class_that_dies_and_a_worst_group_that_falls():
    rng = np.random.default_rng(0)
    labels, levels = rng.integers(3, size=600), rng.integers(2, size=600)
    people = Asked(FeatureSet(np.zeros((600, 1)), labels, np.arange(600)), levels, None, None)
    noisy = np.where(rng.random(600) < 0.3, (labels + 1) % 3, labels)
    right, original = (Logits(as_logits(answers, 3), None, None) for answers in (labels, noisy))
    refused, path = guarded(people, right, original)
    assert "accuracy falls by" in refused[1.0]
    assert path.chosen is path.original
    no_two = Logits(as_logits(np.where(labels == 2, 1, labels), 3), None, None)
    refused, _ = guarded(people, original, no_two, classes=("a", "b", "c"), tolerance=1.0)
    assert refused[1.0] == "c is never answered any more"
    unlucky = (labels == 0) & (levels == 1) & (rng.random(600) < 0.9)
    worse = Logits(as_logits(np.where(unlucky, 1, labels), 3), None, None)
    refused, _ = guarded(people, original, worse, tolerance=1.0)
    assert refused[1.0].startswith("the worst group falls")
    refused, path = guarded(people, original, right)
    assert refused[1.0] == ""
    assert path.chosen.figures.balanced == 1.0
    assert path.least == min(np.bincount(2 * labels + levels))


def test_among_points_that_a_handful_of_people_cannot_tell_apart_the_furthest_is_chosen():
    rng = np.random.default_rng(0)
    labels, levels = rng.integers(2, size=800), rng.integers(2, size=800)
    rare = (labels == 1) & (levels == 1)
    keep = ~rare | (np.cumsum(rare) <= 12)
    labels, levels, rare = labels[keep], levels[keep], rare[keep]
    people = Asked(FeatureSet(np.zeros((len(labels), 1)), labels, np.arange(len(labels))), levels, None, None)
    original = Logits(as_logits(np.where(rare, 0, labels), 2), None, None)
    men = np.flatnonzero(rare)

    def missing(*some):
        return Logits(
            as_logits(np.where(np.isin(np.arange(len(labels)), men[list(some)]), 0, labels), 2), None, None
        )

    path = choose(people, original, {100: missing(), 400: missing(0)}, improve="groups", shares=(1.0,))
    assert path.chosen.steps == 400
    path = choose(
        people, original, {100: missing(), 400: missing(*range(9))}, improve="groups", shares=(1.0,)
    )
    assert path.chosen.steps == 100


def test_a_network_that_is_sure_of_nothing_is_not_called_less_biased(study):
    people, logits = asked(study, "validation", "colour")
    flat = Logits(logits.people / 50, tuple(side / 50 for side in logits.twins), None)
    before, after = figures_of(people, logits), figures_of(people, flat)
    assert after.bias < before.bias / 5
    assert after.calibrated == pytest.approx(before.calibrated, abs=0.02)
    assert after.flips == before.flips


def test_bad_requests_are_told_in_a_sentence(study):
    with pytest.raises(
        DataError,
        match=r"Unknown reach 'all'\. Choose one of: last layer, last two layers, last block, whole network",
    ):
        DeeperSettings("all")
    with pytest.raises(DataError, match="Unknown aim 'x'"):
        DeeperSettings(improve="x")
    with pytest.raises(DataError, match="between 0 and 1, got 2"):
        DeeperSettings(emphasis=2)
    with pytest.raises(DataError, match="must ascend"):
        DeeperSettings(kept=(5, 3))
    people = replace(study.data, pair_method="matched")
    with pytest.raises(DataError, match="Nobody here can be shown with another colour"):
        train_deeper(study.model, people, "colour", DeeperSettings(improve="twins"))


def test_twins_by_an_attribute_that_is_not_read_are_no_figure():
    """They are answered alike whatever the model does: 0.0 points would be an all-clear for nothing."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"sex": rng.choice(["f", "m"], 400), "years": rng.normal(size=400).round(2)})
    frame["hired"] = np.where(frame.years + (frame.sex == "m") + rng.normal(size=400) > 0.5, "yes", "no")
    data = fmd.table(frame, target="hired", protected=["sex"], leave_out=["sex"])
    model = train_classifier(data, architecture=suggested_architecture(data), seed=0)
    people, answers = asked(fmd.Study(data, model), "test", "sex")
    found = figures_of(people, answers)
    assert (found.bias, found.calibrated, found.flips) == (None, None, None)
    assert usual_improve(data, "sex") == "groups"
    with pytest.raises(DataError, match="the model does not read it"):
        train_deeper(model, data, "sex", DeeperSettings("whole network", "twins"))


def test_a_group_that_nobody_stands_for_is_the_smallest(study):
    """Of pairs of digit and colour that occur only once or twice none need be among those who choose."""
    people, answers = asked(study, "validation", "colour")
    assert people.lacks_group
    assert choose(people, answers, {}, improve="groups").least == 0
    complete = replace(people, lacks_group=False)
    assert choose(complete, answers, {}, improve="groups").least > 0


def test_what_it_costs_is_told_before(study, monkeypatch):
    """Every kind of work takes a second for a batch: what is left is how much there is of each."""
    monkeypatch.setattr(planning, "usual_seconds", lambda _work, _tries: 128.0)
    n_val, n_test = len(study.data.rows("validation")), len(study.data.rows("test"))

    def needed(settings, **more):
        return planning.seconds_needed(study.model, study.data, "colour", settings, **more)

    asked = 3 * (3 * n_val + n_test)  # the original and two networks; of drawn twins both sides as well
    whole = DeeperSettings("whole network", "twins", kept=FEW)
    assert needed(whole) == 2 * 120 * 128 + 3 * asked  # read and learned from
    assert needed(whole, besides=7) == needed(whole) + 3 * 7
    block = DeeperSettings("last block", "twins", kept=FEW)
    assert needed(block) == 3 * 120 * 128 + 3 * asked  # and through what lies below
    pool = DeeperSettings("last block", "groups", kept=FEW)
    taught = len(study.data.rows("train")) + len(study.data.rows("external"))
    assert needed(pool) == taught + 2 * POOL + 120 * 128 + 3 * asked
    in_turn, together = (needed(pool, halves=2, at_once=networks) for networks in (1, 2))
    assert in_turn - together == 120 * 128  # the second learns while the first does


@pytest.mark.parametrize(("free", "threads", "at_once"), [(4, 1, 2), (1, 1, 1), (2, 2, 1), (4, 2, 2)])
def test_networks_learn_at_once_where_processors_are_free(monkeypatch, free, threads, at_once):
    monkeypatch.setattr(training, "free_cores", lambda: free)
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    assert training.learning_at_once(2) == at_once


def test_measuring_the_cost_changes_nothing(study):
    before = study.model.fingerprint
    assert (
        planning.seconds_needed(
            study.model, study.data, "colour", DeeperSettings("last block", "groups", kept=FEW)
        )
        > 0
    )
    assert study.model.fingerprint == before


def test_what_cannot_learn_on_is_told_before(study):
    assert {reach: planning.why_not(study.model, reach) for reach in REACHES} == dict.fromkeys(REACHES, "")
    deep = fmd.deepened(study.model, "two layers")
    assert planning.why_not(deep, "last block").startswith("This classifier is open at 'two layers'")
    from sklearn.linear_model import LogisticRegression

    rng = np.random.default_rng(0)
    fitted = LogisticRegression().fit(rng.normal(size=(40, 3)), rng.integers(2, size=40))
    assert "cannot be trained further here" in planning.why_not(fmd.wrap(fitted), "whole network")


def test_it_can_be_stopped(study):
    class Stop(Exception):
        pass

    def stop(share):
        if share > 0.5:
            raise Stop

    with pytest.raises(Stop):
        train_deeper(
            study.model, study.data, "colour", DeeperSettings("last block", "twins", kept=FEW), progress=stop
        )


def test_groups_of_a_table_learn_on_too():
    rng = np.random.default_rng(0)
    import pandas as pd

    n = 1200
    frame = pd.DataFrame({"sex": rng.choice(["f", "m"], n), "x": rng.normal(size=n)})
    chance = 1 / (1 + np.exp(-(2 * frame.x + 1.5 * (frame.sex == "m"))))
    frame["hired"] = np.where(rng.random(n) < chance, "yes", "no")
    data = fmd.table(frame, target="hired", protected=["sex"])
    model = fmd.train_classifier(data, architecture="mlp", epochs=5)
    found = deepen(
        fmd.Study(data, model, aim="sex"),
        "sex",
        DeeperSettings("whole network", "twins", kept=(300,)),
        tolerance=0.1,
    )
    assert found.judged_at(300, 1.0, 0.0).bias < found.judged().bias / 3


@pytest.mark.parametrize("share", [0.25, 1.0])
def test_a_mixture_is_one_file_that_opens_again_and_runs_as_plain_torch(study, deepened, share, tmp_path):
    repaired = deepened.networks[FEW[1]]
    save_classifier(mixed_network(study.model, repaired, share), tmp_path / "mixed.safetensors")
    opened = load_classifier(tmp_path / "mixed.safetensors")
    pictures = study.data.source.read(study.data.rows("test")[:50])
    _, head = mixture(study.model, repaired, share)
    expected = head.probabilities(beside(study.model, repaired)[0].encode([pictures]))
    np.testing.assert_allclose(opened.head.probabilities(opened.encode([pictures])), expected, atol=1e-5)
    features = opened.as_module()(opened.preprocess.apply(pictures)) * opened.feature_scale
    answers = features.detach().numpy() @ opened.head.weight.T + opened.head.bias
    np.testing.assert_array_equal(answers.argmax(axis=1), expected.argmax(axis=1))


def test_where_only_the_last_layer_learned_a_mixture_is_as_small_as_the_original(study):
    settings = DeeperSettings("last layer", "twins", kept=(20,))
    repaired = train_deeper(study.model, study.data, "colour", settings)[20]
    mixed = mixed_network(study.model, repaired, 0.5)
    assert mixed.architecture == study.model.architecture
    assert mixed.n_parameters == study.model.n_parameters


def test_strangers_are_not_mixed(study):
    other = replace(study.model, architecture="face_cnn")
    with pytest.raises(ModelError, match="Only a network of our list and what was made from it"):
        mixed_network(study.model, other, 0.5)


def test_a_mixture_is_not_mixed_again_into_what_no_file_can_hold(study):
    def warmer(network):
        return network.with_weights({name: 1.1 * of for name, of in network.encoder_state.items()})

    mixed = mixed_network(study.model, warmer(study.model), 0.5)
    with pytest.raises(ModelError, match="is a mixture already and cannot be mixed again"):
        mixed_network(mixed, warmer(mixed), 0.5)
    moved = mixed.with_head(LinearHead(1.1 * mixed.head.weight, mixed.head.bias))
    assert mixed_network(mixed, moved, 0.5).architecture == mixed.architecture


def test_the_guard_refuses_a_bias_that_rises_at_equal_sureness(study):
    people, logits = asked(study, "validation", "colour")
    one, two = logits.twins
    apart = Logits(
        logits.people, (2 * one - two, 2 * two - one), logits.placebo
    )  # thrice as far from each other
    path = choose(people, logits, {1: apart}, improve="twins", shares=(1.0,))
    assert path.points[1].refusal.startswith("the bias at equal sureness rises")
    assert path.chosen is path.original


def test_test_people_judge_whom_validation_people_chose_for(study, deepened):
    test, validation = (study.features(split) for split in ("test", "validation"))
    _, repaired = asked(study, "test", "colour", deepened.networks[FEW[1]])
    for found, answers in (
        (deepened.judged(), study.head.probabilities(test.features)),
        (deepened.judged_at(FEW[1], 1.0, 0.0), repaired.people),
    ):
        assert found.accuracy == pytest.approx((answers.argmax(axis=1) == test.labels).mean())
        assert sum(group.n for group in found.groups) == len(test)
    assert len(test) != len(validation)


def test_who_is_whose_twin_is_asked_of_the_study_and_not_of_the_network_that_learned_on(study, deepened):
    data = replace(study.data, pair_method="matched")
    network = deepened.networks[FEW[1]]
    one, other = (fmd.Study(data, model, aim="colour") for model in (study.model, network))
    of_study, of_network = (of.pairs("validation", "colour") for of in (one, other))
    assert not np.array_equal(of_study.other.rows, of_network.other.rows)  # else nothing is to be seen
    seen, _ = asked(one, "validation", "colour", network)
    np.testing.assert_array_equal(seen.pairs.other.rows, of_study.other.rows)
