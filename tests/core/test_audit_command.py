"""`fmd audit`: small tables of every kind that was once cleared by mistake, and what is said of each."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from fmd_core import __main__ as command
from fmd_core.commands import audit_model
from fmd_core.models.training import train_classifier

ROOT = Path(__file__).resolve().parents[2]
KEYS = {
    "schema", "verdict", "headline", "accuracy", "classes", "favourable", "favourable_is_guess", "findings", "groups",
    "warnings",
    "not_read", "not_tested", "data", "model", "version", "seconds", "references", "limits", "judged_by",
}  # fmt: skip
FINDING = {
    "family", "attribute", "groups", "value", "low", "high", "n", "limit", "verdict", "sentence",
}  # fmt: skip
GROUP = {
    "name", "n", "accuracy", "selection_rate", "true_positive_rate", "false_positive_rate", "precision",
}  # fmt: skip


@pytest.fixture(autouse=True)
def fast(tmp_path, monkeypatch):
    """A home of its own, and a training of two epochs: the head converges whatever the encoder is."""
    monkeypatch.setenv("FMD_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setattr(
        audit_model,
        "_train",
        lambda dataset, seed: train_classifier(dataset, architecture="mlp", epochs=2, seed=seed),
    )


def hiring(n=900, bias=1.5, seed=0):
    """Who is hired depends on skill and, by `bias`, on sex."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({"skill": rng.normal(size=n).round(3), "hours": rng.integers(10, 60, n)})
    frame["sex"] = rng.choice(["F", "M"], n)
    score = 2.5 * frame["skill"] + bias * np.where(frame["sex"] == "M", 1, -1) + rng.logistic(size=n)
    frame["hired"] = np.where(score > 0, "yes", "no")
    return frame


def run(tmp_path, frame, *arguments, name="data.csv"):
    """Exit code and document."""
    frame.to_csv(tmp_path / name, index=False)
    out = tmp_path / "out.json"
    code = command.main(["audit", str(tmp_path / name), "--json", str(out), *arguments])
    return code, json.loads(out.read_text())


def kinds(made):
    return {(w["kind"], w["column"]) for w in made["warnings"]}


def test_a_biased_table_is_beyond_and_the_document_is_as_declared(tmp_path, capsys):
    code, made = run(tmp_path, hiring(), "--target", "hired")
    assert code == 1
    assert made.keys() == KEYS
    assert made["schema"] == "fmd-audit-1"
    assert made["verdict"] == "beyond the limit"
    assert all(finding.keys() == FINDING for finding in made["findings"])
    assert all(group.keys() == GROUP for group in made["groups"])
    assert made["favourable"] == "yes"
    assert made["classes"] == ["no", "yes"]
    assert made["accuracy"]["n"] == 900  # everybody is judged, by a model that did not see them
    assert {f["family"] for f in made["findings"]} == {"twins", "selection", "equal truth", "service"}
    said = capsys.readouterr()
    assert said.out.startswith("Beyond the limit.\n")
    assert made["headline"] in said.out


def test_json_to_standard_output_and_nothing_else(tmp_path, capsys):
    hiring(400).to_csv(tmp_path / "t.csv", index=False)
    command.main(["audit", str(tmp_path / "t.csv"), "--target", "hired", "--json", "-"])
    assert json.loads(capsys.readouterr().out)["schema"] == "fmd-audit-1"


def test_a_fair_system_with_many_people_is_within(tmp_path):
    frame = hiring(12_000, bias=0)
    frame["said"] = np.where(np.random.default_rng(1).random(12_000) < 0.9, frame["hired"], "no")
    code, made = run(tmp_path, frame, "--target", "hired", "--predictions", "said", "--protected", "sex")
    assert (code, made["verdict"]) == (0, "within the limit on everything that could be tested")
    assert made["not_tested"][0]["family"] == "twins"
    assert made["model"] == ""


def test_compas_a_column_that_holds_the_answer_is_left_out_and_said(tmp_path):
    frame = hiring()
    frame["decided_on"] = np.where(frame["hired"] == "yes", np.where(frame["hours"] % 2, "F3", "M1"), "")
    code, made = run(tmp_path, frame, "--target", "hired")
    assert code == 1
    assert ("target_leak", "decided_on") in kinds(made)
    assert "decided_on" in made["not_read"]
    assert made["accuracy"]["value"] < 0.95


def test_titanic_the_answer_in_other_words_is_left_out_and_both_sexes_are_kept(tmp_path):
    frame = hiring().rename(columns={"hired": "survived"})
    frame["alive"] = frame["survived"].map({"yes": "alive", "no": "dead"})
    frame["gender"] = frame["sex"].map({"F": "female", "M": "male"})
    code, made = run(tmp_path, frame, "--target", "survived")
    assert code == 1
    assert made["not_read"] == ["alive"]
    twins = [f for f in made["findings"] if f["family"] == "twins"]
    assert {f["attribute"] for f in twins} == {"sex", "gender"}
    assert max(f["value"] for f in twins) > 0.1  # a twin changes both


def test_a_column_that_tells_an_attribute_changes_along_when_it_is_named(tmp_path, capsys):
    frame = hiring(bias=0)
    addressed = np.random.default_rng(1).random(900) < 0.6
    frame["title"] = np.where(addressed, frame["sex"].map({"F": "Ms", "M": "Mr"}), "Dr")
    score = 2 * frame["skill"] + 2 * (frame["title"] == "Mr") - 2 * (frame["title"] == "Ms")
    frame["hired"] = np.where(score > 0, "yes", "no")

    def twins(made):
        why = {one["why"] for one in made["not_tested"] if one["family"] == "twins"}
        return max(f["value"] for f in made["findings"] if f["family"] == "twins"), why

    kept, why = twins(run(tmp_path, frame, "--target", "hired", "--protected", "sex")[1])
    assert any("a twin keeps that column" in one for one in why)
    changed, why = twins(
        run(tmp_path, frame, "--target", "hired", "--protected", "sex", "--along", "title")[1]
    )
    assert not why
    assert changed > kept + 0.1
    capsys.readouterr()
    frame.to_csv(tmp_path / "t.csv", index=False)
    asked = ["audit", str(tmp_path / "t.csv"), "--target", "hired", "--protected", "sex", "--along", "hours"]
    assert command.main(asked) == 3
    assert capsys.readouterr().err.startswith("'hours' cannot change along: it tells no protected column")


def test_a_column_that_tells_can_be_kept_but_is_never_cleared(tmp_path):
    frame = hiring(bias=0)
    frame["alive"] = frame["hired"]
    code, made = run(tmp_path, frame, "--target", "hired", "--keep", "alive")
    assert code == 2
    assert made["accuracy"]["value"] > 0.98
    assert ("target_leak", "alive") in kinds(made)


def test_several_columns_that_tell_together_are_left_out(tmp_path):
    """COMPAS: the days at risk and whether something happened are the answer together."""
    rng = np.random.default_rng(0)
    frame = hiring(1_500)
    yes = (frame["hired"] == "yes").to_numpy()
    late = rng.random(1_500) < 0.5
    frame["event"] = np.where(yes | late, 1, 0)
    frame["end"] = np.where(
        yes, rng.integers(1, 400, 1_500), np.where(late, rng.integers(400, 900, 1_500), 1)
    )
    frame["end"] = np.where(yes | late, frame["end"], rng.integers(1, 900, 1_500))
    _, made = run(tmp_path, frame, "--target", "hired")
    assert "target_leak" in {w["kind"] for w in made["warnings"]}
    assert made["accuracy"]["value"] < 0.95


def test_a_model_that_is_too_good_is_never_cleared(tmp_path):
    frame = hiring(1_500, bias=0)
    first = np.random.default_rng(0).integers(0, 2, 1_500)
    frame["event"] = first
    frame["end"] = np.where(frame["hired"] == "yes", first, 1 - first)  # no look at few columns finds it
    code, made = run(tmp_path, frame, "--target", "hired")
    assert made["accuracy"]["value"] > 0.98
    assert code != 0
    assert ("target_leak", "") in kinds(made)


def test_age_and_its_band_are_both_read_and_cannot_be_cleared(tmp_path):
    rng = np.random.default_rng(0)
    frame = hiring(1_200, bias=0)
    frame["age"] = rng.integers(18, 75, 1_200)
    frame["age_band"] = pd.cut(frame["age"], [0, 25, 45, 99], labels=["young", "middle", "old"]).astype(str)
    score = 3 * frame["skill"] + np.where(frame["age"] > 45, 2, -2) + rng.logistic(size=1_200)
    frame["hired"] = np.where(score > 0, "yes", "no")
    code, made = run(tmp_path, frame, "--target", "hired", "--protected", "age,age_band")
    assert code == 1
    assert made["not_read"] == []
    why = {one["attribute"]: one["why"] for one in made["not_tested"] if one["family"] == "twins"}
    assert "a twin keeps that column" in why["age"]


def test_110_rows_are_judged_and_never_cleared(tmp_path):
    code, made = run(tmp_path, hiring(110, bias=0), "--target", "hired")
    assert code != 0
    assert made["accuracy"]["n"] == 110  # everybody judges, where the test part alone had 22
    assert made["findings"]


def test_bank_one_answer_for_everybody(tmp_path):
    frame = hiring(1_500, bias=0)
    rare = np.random.default_rng(0).random(1_500) < 0.02
    frame["default"] = np.where(rare, "yes", "no")
    code, made = run(tmp_path, frame.drop(columns="hired"), "--target", "default")
    assert code == 2
    assert made["warnings"][0]["kind"] == "one_answer"
    assert made["favourable"] == "no"
    assert made["accuracy"]["majority"] > 0.97


def test_hmda_the_favourable_answer_is_approved_not_denied(tmp_path):
    frame = hiring(1_000).rename(columns={"hired": "action"})
    frame["action"] = frame["action"].map({"yes": "approved", "no": "denied"})
    _, made = run(tmp_path, frame, "--target", "action")
    assert made["favourable"] == "approved"
    assert not made["favourable_is_guess"]
    coded = frame.assign(action=frame["action"].map({"approved": 1, "denied": 2}))
    assert run(tmp_path, coded, "--target", "action")[1]["favourable_is_guess"]
    selection = next(f for f in made["findings"] if f["family"] == "selection")
    assert selection["groups"] == ["sex F", "sex M"]
    assert "'approved' is the answer for" in selection["sentence"]
    _, other = run(tmp_path, frame, "--target", "action", "--favourable", "denied")
    assert next(f for f in other["findings"] if f["family"] == "selection")["groups"] == ["sex M", "sex F"]


def test_swapped_classes_of_another_system(tmp_path):
    frame = hiring(2_000)
    frame["said"] = np.where(frame["hired"] == "yes", "no", "yes")
    code, made = run(tmp_path, frame, "--target", "hired", "--predictions", "said", "--protected", "sex")
    assert code == 2
    assert made["warnings"][0]["kind"] == "class_order"


def test_scores_are_of_the_last_class_in_the_order_given(tmp_path):
    frame = hiring(2_000)
    frame["risk"] = np.where(frame["hired"] == "yes", 0.9, 0.2)
    code, made = run(tmp_path, frame, "--target", "hired", "--scores", "risk", "--protected", "sex")
    assert made["accuracy"]["value"] == 1
    asked = ["--target", "hired", "--scores", "risk", "--protected", "sex", "--classes", "yes,no"]
    code, made = run(tmp_path, frame, *asked)
    assert code == 2
    assert made["classes"] == ["yes", "no"]
    assert made["warnings"][0]["kind"] == "class_order"


def test_another_systems_figures_are_those_of_a_hand_count(tmp_path):
    frame = hiring(3_000)
    frame["said"] = np.where(np.random.default_rng(1).random(3_000) < 0.8, frame["hired"], "no")
    _, made = run(tmp_path, frame, "--target", "hired", "--predictions", "said", "--protected", "sex")
    groups = {group["name"]: group for group in made["groups"]}
    for sex in "FM":
        mine = frame[frame["sex"] == sex]
        yes, true = mine["said"] == "yes", mine["hired"] == "yes"
        group = groups[f"sex {sex}"]
        assert group["n"] == len(mine)
        assert round(group["selection_rate"], 4) == round(yes.mean(), 4)
        assert round(group["true_positive_rate"], 4) == round(yes[true].mean(), 4)
        assert round(group["false_positive_rate"], 4) == round(yes[~true].mean(), 4)
        assert round(group["precision"], 4) == round(true[yes].mean(), 4)
        assert round(group["accuracy"], 4) == round((yes == true).mean(), 4)


# --- warnings of the data


def test_spellings_of_the_target_are_put_together_and_said(tmp_path):
    frame = hiring()
    frame.loc[:40, "hired"] = frame.loc[:40, "hired"].str.upper()
    frame.loc[41:60, "hired"] = frame.loc[41:60, "hired"] + " "
    frame.loc[61:70, "hired"] = "N/A"
    frame.loc[71:73, "hired"] = "maybe"
    _, made = run(tmp_path, frame, "--target", "hired")
    assert made["classes"] == ["no", "yes"]
    assert made["accuracy"]["n"] == 900 - 13
    assert ("spelling", "hired") in kinds(made)


def test_identifiers_sentinels_weights_and_other_answers_are_named(tmp_path):
    frame = hiring()
    frame["file_no"] = np.arange(5_000, 5_900)
    frame["sample_weight"] = 1.5
    frame.loc[::2, "sample_weight"] = 0.5
    frame["model_score"] = np.random.default_rng(0).random(900).round(3)
    frame.loc[:50, "hours"] = 999
    _, made = run(tmp_path, frame, "--target", "hired")
    assert {
        ("identifier", "file_no"), ("sentinel", "hours"), ("weights", "sample_weight"), ("target_leak", "model_score"),
    } <= kinds(made)  # fmt: skip
    assert {"file_no", "sample_weight", "model_score"} <= set(made["not_read"])


def test_people_with_several_rows_lie_in_one_part(tmp_path):
    once = hiring(250)
    frame = pd.concat([once.assign(person_id=np.arange(250), visit=k) for k in range(4)])
    _, made = run(tmp_path, frame, "--target", "hired", "--id", "person_id")
    assert ("repeated_people", "person_id") in kinds(made)
    assert "person_id" in made["not_read"]
    assert made["accuracy"]["n"] == 250  # people, not rows
    assert not any("stand in other parts" in w["sentence"] for w in made["warnings"])
    _, unasked = run(tmp_path, frame, "--target", "hired")
    assert ("repeated_people", "person_id") in kinds(unasked)


def test_people_in_two_given_parts_are_never_cleared(tmp_path):
    frame = pd.concat(
        [hiring(600, bias=0).assign(person_id=np.arange(600), part=p) for p in ("train", "test")]
    )
    code, made = run(tmp_path, frame, "--target", "hired", "--id", "person_id", "--split", "part")
    assert code != 0
    assert any("stand in other parts" in w["sentence"] for w in made["warnings"])


def test_weights_change_the_figures(tmp_path):
    frame = hiring(2_000)
    frame["w"] = np.where(frame["skill"] > 0, 5.0, 1.0)
    frame["said"] = np.where(np.random.default_rng(1).random(2_000) < 0.8, frame["hired"], "no")
    asked = ["--target", "hired", "--predictions", "said", "--protected", "sex"]
    _, plain = run(tmp_path, frame, *asked)
    _, weighted = run(tmp_path, frame, *asked, "--weights", "w")
    women = frame[frame["sex"] == "F"]
    expected = np.average(women["said"] == "yes", weights=women["w"])
    group = next(g for g in weighted["groups"] if g["name"] == "sex F")
    assert round(group["selection_rate"], 4) == round(expected, 4)
    assert (
        group["selection_rate"] != next(g for g in plain["groups"] if g["name"] == "sex F")["selection_rate"]
    )
    assert ("weights", "w") in kinds(weighted)


def test_limits_and_the_reference_group_can_be_set(tmp_path):
    frame = hiring(2_000)
    frame["said"] = frame["hired"]
    asked = ["--target", "hired", "--predictions", "said", "--protected", "sex"]
    _, made = run(tmp_path, frame, *asked, "--limit", "selection=25", "--reference-group", "sex=F")
    assert {f["limit"] for f in made["findings"] if f["family"] == "selection"} == {0.25}


# --- bad input


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--target", "hats"], "There is no column 'hats'."),
        (["--target", "hired", "--protected", "hats"], "There is no column 'hats'."),
        (
            ["--target", "hired", "--favourable", "perhaps"],
            "'hired' has no answer 'perhaps'. It has: no, yes.",
        ),
        (["--target", "hired", "--predictions", "hours"], "The predictions 'hours' say '"),
        (["--target", "hired", "--scores", "hours"], "The scores 'hours' must be probabilities from 0 to 1"),
        (["--target", "hired", "--weights", "sex"], "'sex' is not a column of numbers"),
        (
            ["--target", "hired", "--limit", "hats=3"],
            "There is no limit 'hats'. There are: twins, selection, ",
        ),
        (["--target", "hired", "--limit", "twins"], "--limit is written as selection=5, got 'twins'."),
        (["--target", "hired", "--classes", "a,b"], "'hired' has no class 'a'."),
        (["--target", "hired", "--model", "no.safetensors"], "There is no model file 'no.safetensors'."),
        (
            ["--target", "hired", "--json", "/no/such/folder/x.json"],
            "The folder of '/no/such/folder/x.json' ",
        ),
        (["--target", "hired", "--reference-group", "sex=X"], "'sex' has no level 'X'. It has: F, M."),
    ],
)
def test_bad_input_is_one_sentence_and_status_3(tmp_path, capsys, arguments, sentence):
    hiring(120).to_csv(tmp_path / "t.csv", index=False)
    assert command.main(["audit", str(tmp_path / "t.csv"), "--protected", "sex", *arguments]) == 3
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith(sentence)
    assert said.err.count("\n") == 1


@pytest.mark.parametrize("data", ["nothing.csv", "hats"])
def test_unknown_data_is_status_3(data, capsys):
    assert command.main(["audit", data]) == 3
    assert capsys.readouterr().err.count("\n") == 1


def test_pictures_need_a_list_unless_folders_or_names_tell(tmp_path, capsys):
    Image.new("RGB", (20, 20)).save(tmp_path / "1.png")
    assert command.main(["audit", str(tmp_path)]) == 3
    assert "bring a list as well: file name, what is to be predicted" in capsys.readouterr().err


def test_a_demo_is_audited_with_its_own_model(tmp_path):
    out = tmp_path / "digits.json"
    assert command.main(["audit", "colored_digits", "--json", str(out)]) == 1
    made = json.loads(out.read_text())
    assert made["favourable"] is None
    assert made["findings"][0]["attribute"] == "colour"
    assert made["data"]
    assert made["model"]
    assert len(made["classes"]) == 10


def test_help_has_an_example():
    answer = subprocess.run(
        [sys.executable, "-m", "fmd_core", "audit", "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert answer.returncode == 0
    assert "fmd audit hiring.csv" in answer.stdout


def test_the_page_says_it_first_and_escapes_everything(tmp_path):
    frame = hiring(1_000).rename(columns={"sex": "<b>sex"})
    frame["said"] = frame["hired"]
    page = tmp_path / "audit.html"
    asked = ["--target", "hired", "--predictions", "said", "--protected", "<b>sex", "--report", str(page)]
    _, made = run(tmp_path, frame, *asked)
    text = page.read_text()
    assert "<b>sex" not in text
    assert "&lt;b&gt;sex F" in text
    assert "<script" not in text
    assert (
        text.index("Beyond the limit") < text.index("Findings, the worst first") < text.index("Every group")
    )
    assert all(one["why"].replace("'", "&#39;") in text for one in made["not_tested"])
