"""What learned on and is kept: nothing of it is lost, a damaged file is not believed, and who taught it is known."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import fmd_core as fmd
from fmd_core import DataError, ModelError
from fmd_core.measure.verdict.values import WarningKind
from fmd_core.models.files import load_classifier, save_classifier
from fmd_core.models.intake.intake import open_weights
from fmd_core.models.mixture import mixed_network
from fmd_core.models.shelf import keep_model, open_model
from fmd_core.models.taught import SOMEBODY, known_taught, teachers_among
from fmd_core.running import whole_arrays
from fmd_core.study import learned
from fmd_core.study.debiasing import judged_baselines
from fmd_core.study.deeper import asked, deepen, interrupted, take_turns
from fmd_core.study.learned import choosers_of, keep_learned, learned_from
from fmd_core.study.retraining import retrain
from fmd_core.unlearn.deeper.settings import DeeperSettings

SETTINGS = DeeperSettings("last layer", "groups", kept=(4, 8))
EVERYBODY_BUT_TEST = ("train", "external", "validation")


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("FMD_HOME", str(tmp_path))
    return tmp_path


@pytest.fixture(scope="module")
def study(hired):
    return fmd.Study(*hired, aim="sex")


@pytest.fixture(scope="module")
def in_turns(study, tmp_path_factory):
    """Networks that learned on in turns."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FMD_HOME", str(tmp_path_factory.mktemp("home")))
        return deepen(study, "sex", SETTINGS, tolerance=1.0)


def the_file(home):
    (file,) = (home / "learned").glob("*/*.safetensors")
    return file


# --- nothing is lost


def test_what_learned_stays_on_disk_until_it_is_on_the_shelf(study, monkeypatch):
    found = deepen(study, "sex", SETTINGS, tolerance=1.0, holds_points=True)
    points = interrupted(study, "sex", SETTINGS)
    assert [of.steps for of in points] == [(4, 8), (4, 8)]

    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(learned, "keep_arrays", full)
        with pytest.raises(ModelError, match="The disk is full"):
            keep_learned(found, "it", 1.0)
    assert [of.steps for of in points] == [(4, 8), (4, 8)]
    keep_learned(found, "it", 1.0)
    assert [of.steps for of in points] == [(), ()]


# --- nothing damaged is believed


def zero_half(file):
    content = bytearray(file.read_bytes())
    content[len(content) // 2 :] = bytes(len(content) - len(content) // 2)
    file.write_bytes(bytes(content))


def test_answers_of_which_half_is_zeroed_are_not_believed(study, in_turns, home):
    told = keep_learned(in_turns, "it", 1.0)
    network = open_model(study.data, told.id)
    kept = choosers_of(study, "sex", network, told)[2]
    np.testing.assert_array_equal(kept.people, in_turns.answered(told.steps, told.restored).people)
    assert [one.id for one in learned_from(study.data, study.model)] == [told.id]
    zero_half(the_file(home))
    assert learned_from(study.data, study.model) == ()
    with pytest.raises(ModelError, match="let it learn again"):
        choosers_of(study, "sex", network, told)


def test_values_that_are_not_numbers_are_not_believed(tmp_path):
    file = tmp_path / "arrays.safetensors"
    whole_arrays.keep_arrays(file, {"a": np.ones(3), "b": np.arange(2)}, {"what": "it"})
    arrays, told = whole_arrays.read_arrays(file)
    np.testing.assert_array_equal(arrays["b"], [0, 1])
    assert told == {"what": "it"}
    whole_arrays.keep_arrays(file, {"a": np.array([1.0, np.nan])}, {})
    with pytest.raises(whole_arrays.DamagedError):
        whole_arrays.read_arrays(file)


def test_what_was_kept_before_files_had_a_digest_is_still_read(study, in_turns, home):
    from safetensors.numpy import load_file, save_file

    told = keep_learned(in_turns, "it", 1.0)
    file = the_file(home)
    arrays, says = load_file(file), whole_arrays.read_arrays(file)[1]
    save_file(arrays, file, says | {"format": learned.UNDIGESTED})
    assert [one.id for one in learned_from(study.data, study.model)] == [told.id]
    save_file(arrays, file, says)  # of today's format, and without its digest
    assert learned_from(study.data, study.model) == ()


# --- who taught it


def test_a_network_knows_who_taught_it_wherever_it_is_opened(study, in_turns, tmp_path):
    data, network = study.data, in_turns.network(8)
    assert teachers_among(study.model, data) == ()
    assert teachers_among(network, data) == EVERYBODY_BUT_TEST
    half = mixed_network(study.model, network, 0.5)
    again = open_model(data, keep_model(data, half))
    save_classifier(half, tmp_path / "half.safetensors")
    open_weights(tmp_path / "half.safetensors", out=tmp_path / "brought.safetensors")
    brought = load_classifier(tmp_path / "brought.safetensors")
    for model in (half, again, brought, fmd.deepened(network, "two layers"), network.with_head(study.head)):
        assert teachers_among(model, data) == EVERYBODY_BUT_TEST
    asks_something_else = replace(data, target=replace(data.target, name="taken on"))
    assert teachers_among(network, asks_something_else) == EVERYBODY_BUT_TEST
    others = replace(data, split=data.split[::-1])
    assert teachers_among(network, others) == ()


def test_weights_that_come_back_without_a_word_are_known_again(study, in_turns):
    data, network = study.data, in_turns.network(8)
    keep_model(data, network)
    bare = replace(network, taught_by={}, trained_on="")
    assert teachers_among(open_model(data, keep_model(data, bare)), data) == EVERYBODY_BUT_TEST


def test_a_file_that_cannot_say_who_taught_it_was_taught_by_those_who_decide(study):
    assert known_taught("") == {}
    long = json.dumps({f"{number:064x}": ["train"] for number in range(200)})
    for text in ("{", '{"x": ["validation"]}', '{"": ["somebody"]}', "[1]", long):
        assert teachers_among(replace(study.model, taught_by=known_taught(text)), study.data) == (
            "external", "validation",
        )  # fmt: skip


def test_a_network_of_before_files_said_it_is_asked_of_what_was_kept_of_it(study, in_turns):
    told = keep_learned(in_turns, "it", 1.0)
    silent = replace(in_turns.repaired, taught_by={})
    known = learned.knowing_its_teachers(silent, told.id)
    assert known.taught_by == {SOMEBODY: ("external", "validation")}
    assert learned.knowing_its_teachers(study.model, study.model.fingerprint[:32]) is study.model


def test_nobody_guards_a_model_that_they_taught(study, in_turns):
    """Whatever is done to it: what validation people say of it would be too good."""
    taught = fmd.Study(study.data, in_turns.network(8), aim="sex")
    path = taught.path()
    before = replace(in_turns.network(8), taught_by={})
    as_if = fmd.Study(study.data, before, aim="sex").path()
    assert any(
        not point.refusal for point in (*as_if.points[1:], *as_if.blends)
    )  # else nothing is to be seen
    assert path.suggested is path.original
    said = {point.refusal for point in (*path.points, *path.blends) if point.result.strength}
    assert said == {"validation people taught this model, so they cannot judge a change of it"}
    assert path.original.refusal == ""
    assert taught.judged(taught.solutions()[3]).refusal in said
    for fix in judged_baselines(taught, "sex", "groups", 1.0).values():
        assert fix.chosen.steps == 0 or fix.chosen.refusal in said or fix.is_reference
    for learn in (lambda: deepen(taught, "sex", SETTINGS), lambda: retrain(taught, "sex", "plain")):
        with pytest.raises((ModelError, DataError), match="nobody is left to say how far"):
            learn()


def test_that_they_taught_it_is_said_before_the_verdict(study, in_turns):
    def said(model):
        verdict = fmd.Study(study.data, model, aim="sex").verdict()
        return [warning.sentence for warning in verdict.warnings if warning.kind is WarningKind.TAUGHT]

    assert said(study.model) == []
    assert said(in_turns.network(8)) == [
        "External and validation people taught this model when it learned on: nobody is left to guard a change of it, "
        "so none is admitted."
    ]
    by_external = replace(study.model, taught_by={study.data.parts_fingerprint: ("train", "external")})
    assert said(by_external) == [
        "External people taught this model when it learned on: a fix that they decide may do less to others than to "
        "them; validation people guard it."
    ]


def test_who_taught_the_model_under_review_takes_no_turn_as_a_judge(study):
    by_external = replace(study.model, taught_by={study.data.parts_fingerprint: ("train", "external")})
    again = fmd.Study(study.data, by_external, aim="sex")
    assert take_turns(study, "sex", "groups")
    assert not take_turns(again, "sex", "groups")
    assert asked(again, "external", "sex")[0].why_not
    assert not asked(again, "validation", "sex")[0].why_not


# --- groups of one or two people


@pytest.fixture(scope="module")
def with_few(study):
    """The same with one hired woman in each of two parts, and none in the others."""
    data = study.data
    women = np.flatnonzero((data.target.codes == 1) & (data.attribute("sex").codes == 0))
    keep = np.setdiff1d(np.arange(len(data)), women[2:])
    frame = pd.DataFrame(
        {
            "sex": np.array(data.attribute("sex").levels)[data.attribute("sex").codes[keep]],
            "x": data.source.read(keep)[:, -1].astype(float).round(3),
            "hired": np.array(data.target.levels)[data.target.codes[keep]],
        }
    )
    few = fmd.table(frame, target="hired", protected=["sex"])
    return (
        few,
        np.flatnonzero(np.isin(keep, women[:2])),
        fmd.train_classifier(few, architecture="mlp", epochs=1),
    )


@pytest.mark.parametrize(
    "where", [("train", "validation"), ("external", "test"), ("validation", "validation")]
)
@pytest.mark.parametrize("improve", ["groups", "opportunity"])
def test_of_groups_of_one_or_two_nothing_is_said_however_far_it_goes(with_few, where, improve):
    """All draws by group, and the end of the way."""
    data, rows, model = with_few
    split = data.split.copy()
    split[rows] = where
    few = fmd.Study(replace(data, split=split), model, aim="sex")
    found = deepen(few, "sex", DeeperSettings("last layer", improve, emphasis=1.0, kept=(3,)), tolerance=1.0)
    assert found.path.least <= 2
    end = found.path.points[-1]
    for of in (end.figures, found.judged(end), found.judged()):
        assert all(np.isfinite(of.balanced) and 0 <= group.value <= 1 for group in of.groups)
        assert of.worst.n >= 30
        assert of.decisive is not None
        assert of.decisive.n >= 10
        for gap in (of.opportunity, of.parity):
            assert gap is None or gap.people >= 10
