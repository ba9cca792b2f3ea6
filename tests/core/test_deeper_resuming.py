"""Work that was interrupted goes on from its last kept point, and ends where it would have ended."""

import os
import time
from pathlib import Path

import numpy as np
import pytest

import fmd_core as fmd
from fmd_core.study import deeper
from fmd_core.study.deeper import IN_TURNS, deepen, interrupted, take_turns
from fmd_core.unlearn.deeper import checkpoints, objectives, training
from fmd_core.unlearn.deeper.material import BATCH, Material, scratch
from fmd_core.unlearn.deeper.settings import DeeperSettings
from fmd_core.unlearn.deeper.training import Learner, averaged, checkpoints_of, train_deeper

KEPT = (4, 8, 12)


class Killed(BaseException):
    """The process ends."""


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("FMD_HOME", str(tmp_path))


def request(hired, settings):
    data, model = hired
    return checkpoints_of(model, data, "sex", settings)


def killed_after(share):
    def progress(done):
        if done > share:
            raise Killed

    return progress


@pytest.mark.parametrize("reach", ["whole network", "last block"])
@pytest.mark.parametrize("improve", ["worst group", "twins"])
def test_the_same_network_comes_of_it(hired, reach, improve):
    data, model = hired
    settings = DeeperSettings(reach, improve, kept=KEPT)
    straight = train_deeper(model, data, "sex", settings)
    kept = request(hired, settings)
    with pytest.raises(Killed):
        train_deeper(model, data, "sex", settings, kept=kept, progress=killed_after(0.8))
    assert kept.steps == (4, 8)
    steps = []
    again = train_deeper(model, data, "sex", settings, kept=kept, progress=steps.append)
    assert {step: network.fingerprint for step, network in again.items()} == {
        step: network.fingerprint for step, network in straight.items()
    }
    assert len([share for share in steps if share > 0.3]) <= 4  # the first eight were not taken again
    kept.sweep()
    assert kept.steps == ()


def test_what_is_damaged_is_not_believed(hired):
    data, model = hired
    settings = DeeperSettings("whole network", "twins", kept=KEPT)
    kept = request(hired, settings)
    train_deeper(model, data, "sex", settings, kept=kept)
    file = kept.folder / "8.safetensors"
    content = bytearray(file.read_bytes())
    content[-3] ^= 1
    file.write_bytes(bytes(content))
    taken = []
    train_deeper(model, data, "sex", settings, kept=kept, progress=taken.append)
    assert len(taken) == 8  # from the fourth on


def test_another_request_has_points_of_its_own(hired):
    one = request(hired, DeeperSettings("whole network", "twins", kept=KEPT))
    assert one != request(hired, DeeperSettings("whole network", "groups", kept=KEPT))
    assert one == request(hired, DeeperSettings("whole network", "twins", kept=KEPT))


def test_the_recipe_is_the_one_that_the_page_tells_and_no_other_ones_points_are_taken(hired, monkeypatch):
    """Whoever changes it gives its points another name too: half of one recipe and half of another is neither."""
    page = (Path(__file__).parents[2] / "docs" / "deeper_tried.md").read_text(encoding="utf-8")
    whole, twins = DeeperSettings(), DeeperSettings(improve="twins")
    told = (
        f"The rate begins at 1e-3 (above the trunk, where twins are shown, at 5e-3) and falls to 0 as a cosine does; "
        f"the whole network takes "
        f"{whole.steps[-1]:,} steps of {BATCH} people\nfor all aims but twins ({twins.steps[-1]:,})"
    )
    assert told in page
    block = DeeperSettings("last block", "twins")
    assert (whole.rate, twins.rate, DeeperSettings("last block").rate, block.rate) == (1e-3, 1e-3, 1e-3, 5e-3)
    assert (block.steps, whole.drawn_by_group) == ((600,), 1.0)
    assert DeeperSettings(improve="worst group").drawn_by_group == 0.5
    assert f"about the last {round(1 / (1 - training.DECAY))} steps" in page
    assert (objectives.CLOSENESS, "ten times the squared distance" in page) == (10.0, True)
    assert f"| last block, {DeeperSettings('last block').steps[-1]} steps, blond" in page
    data, model = hired
    settings = DeeperSettings("whole network", "groups", kept=KEPT)
    with monkeypatch.context() as patch:
        patch.setattr(checkpoints, "FORMAT", "fmd-learning-2")  # half by group, at a constant rate
        before = request(hired, settings)
        train_deeper(model, data, "sex", settings, kept=before)
    now = request(hired, settings)
    assert now.steps == ()
    before.folder.rename(now.folder)  # were it found, it would not be believed
    taken = []
    train_deeper(model, data, "sex", settings, kept=now, progress=taken.append)
    assert len(taken) >= KEPT[-1]


@pytest.mark.parametrize(("reach", "improve"), [("last block", "twins"), ("whole network", "groups")])
def test_learning_begins_at_the_rate_of_reach_and_aim(hired, reach, improve):
    data, model = hired
    settings = DeeperSettings(reach, improve)
    (group,) = Learner(Material(model, data, "sex", reach), settings).standing().optimiser.param_groups
    assert group["lr"] == settings.rate == (5e-3 if improve == "twins" else 1e-3)


def test_what_nobody_came_back_for_goes(hired):
    data, model = hired
    settings = DeeperSettings("whole network", "twins", kept=(2,))
    old = request(hired, settings)
    train_deeper(model, data, "sex", settings, kept=old)
    os.utime(old.folder, (time.time() - 2 * checkpoints.ABANDONED_SECONDS,) * 2)
    other = DeeperSettings("whole network", "groups", kept=(2,))
    train_deeper(model, data, "sex", other, kept=request(hired, other))
    assert old.steps == ()
    assert request(hired, other).steps == (2,)


def test_two_that_learn_at_once_learn_what_they_learn_one_after_the_other(hired, monkeypatch):
    """Stopped half-way, too: what is asked to stop stops in both threads, and both go on where they were."""
    data, model = hired
    settings, found = DeeperSettings("last block", "worst group", kept=KEPT), {}
    for threads in (1, 2):
        monkeypatch.setattr(deeper, "learning_at_once", lambda _networks, threads=threads: threads)
        found[threads] = deepen(fmd.Study(data, model), "sex", settings)
    with pytest.raises(Killed):
        deepen(fmd.Study(data, model), "sex", settings, progress=killed_after(0.6))
    assert any(points.steps for points in interrupted(fmd.Study(data, model), "sex", settings))
    found[3] = deepen(fmd.Study(data, model), "sex", settings)
    one, *others = found.values()
    for other in others:
        for steps, network in one.networks.items():
            assert other.networks[steps].fingerprint == network.fingerprint
            np.testing.assert_array_equal(other.answers[steps].people, one.answers[steps].people)


def test_a_study_goes_on_too_and_leaves_nothing(hired, monkeypatch):
    """A small group: two networks learn in turns, and the first is not learned again."""
    monkeypatch.setattr(deeper, "learning_at_once", lambda _networks: 1)
    data, model = hired
    study, settings = fmd.Study(data, model), DeeperSettings("whole network", "groups", kept=KEPT)
    assert take_turns(study, "sex", "groups")
    assert not take_turns(study, "sex", "twins")
    with pytest.raises(Killed):
        deepen(study, "sex", settings, progress=killed_after(0.8))
    points = interrupted(study, "sex", settings)
    assert [found.steps for found in points] == [KEPT, (4, 8)]
    found = deepen(study, "sex", settings)
    assert [found.steps for found in points] == [(), ()]
    assert found.judged_by == ("validation", "external")
    assert len(found.asked.people) == len(data.rows("validation")) + len(data.rows("external"))


def test_nobody_judges_a_network_that_learned_from_them(hired):
    data, model = hired
    settings = DeeperSettings("whole network", "groups", kept=(20,))
    study = fmd.Study(data, model)
    found = deepen(study, "sex", settings)
    material = Material(model, data, "sex", "whole network", ("train", "external", "validation"))
    halves = []
    for seed, (teachers, judges) in enumerate(IN_TURNS):
        assert judges not in teachers
        half = train_deeper(model, data, "sex", settings, seed=seed, teachers=teachers, material=material)[20]
        halves.append(half)
        rows = data.rows(judges)
        expected = half.head.probabilities(half.encode([data.source.read(rows)])).argmax(axis=1)
        here = np.isin(found.asked.people.rows, rows)
        np.testing.assert_array_equal(found.answers[20].people[here].argmax(axis=1), expected)
    mean = averaged(halves, data)
    assert found.networks[20].fingerprint == mean.fingerprint
    name = next(iter(mean.encoder_state))
    both = [half.encoder_state[name] for half in halves]
    np.testing.assert_allclose(mean.encoder_state[name], (both[0] + both[1]) / 2, atol=1e-6)
    assert not np.array_equal(*both)


def test_scratch_lies_on_disk_and_is_an_array():
    made = scratch((5, 3), "float16")
    assert isinstance(made, np.memmap)
    made[2] = 1
    assert (made.shape, made.dtype.name, float(made.sum())) == ((5, 3), "float16", 3.0)
