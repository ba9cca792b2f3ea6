"""`fmd reproduce --deeper`: what stands in its table, and how folds are shared out and pooled."""

import json
from dataclasses import replace

import numpy as np
import pytest

from fmd_core import DataError, load_dataset
from fmd_core import __main__ as command
from fmd_core.datasets.public.celeba import CelebaSource
from fmd_core.reproduction import deeper_study
from fmd_core.reproduction.deeper_study import DeeperRow, DeeperStudy, study_deeper
from fmd_core.unlearn.deeper import training


def row(fold, treatment, right, n=100):
    groups = (("yes, f", right, n), ("no, m", 1.0, n))
    return DeeperRow("Hats", fold, treatment, (right + 1) / 2, groups, 0.1, 0.2, 0.3, 2.0, "")


def test_the_demo_has_every_treatment_and_its_figures(tmp_path, monkeypatch):
    monkeypatch.setenv("FMD_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(training, "STEPS", {"twins": (4,), "groups": (4,)})
    monkeypatch.setattr(training, "WHOLE_STEPS", {"twins": (4,), "groups": (4,)})
    arguments = ["reproduce", "--deeper", "--data", "colored_digits", "--folder", str(tmp_path)]
    assert command.main(arguments) == 0
    rows = json.loads((tmp_path / "deeper.json").read_text())["rows"]
    treatments = [one["treatment"] for one in rows]
    assert treatments[0] == "the original"
    for reach in deeper_study.REACHES:
        assert f"{reach}, at most 1.5 points" in treatments
    assert "last-layer refit (DFR), no guard" in treatments
    assert rows[0]["accuracy"] == pytest.approx(0.373, abs=0.001)
    assert rows[0]["bias"] == pytest.approx(0.641, abs=0.001)
    page = (tmp_path / "deeper.md").read_text()
    assert page.count("| the original |") == 1
    assert "| 0.373 |" in page


def test_folds_are_pooled_by_people():
    line = deeper_study._line("this", [row(0, "this", 0.2, 50), row(1, "this", 0.8, 150)])
    assert "| 0.825 |" in line  # (10 + 120 + 200) of 400
    assert "0.650 [0.58, 0.71] yes, f | 200 |" in line


def test_everybody_of_a_fold_is_one_person_in_one_part(monkeypatch):
    person = np.repeat(np.arange(100), 5)
    monkeypatch.setattr(deeper_study, "persons_of", lambda _folder, files: person[: len(files)])
    data = load_dataset("colored_digits")
    data = replace(
        data,
        source=CelebaSource(None, np.arange(500).astype(str), np.ones(500, int), 32),
        target=replace(data.target, codes=data.target.codes[:500]),
        attributes={n: replace(c, codes=c.codes[:500]) for n, c in data.attributes.items()},
        split=data.split[:500],
    )
    study, tested = DeeperStudy("celeba", "colour", "groups", folds=5), []
    for fold in range(5):
        split = deeper_study._fold(data, study, fold).split
        for one in range(100):
            assert len(set(split[person == one])) == 1
        assert (split == "external").sum() == (split == "validation").sum() == 50
        tested.append(set(person[split == "test"]))
    assert set.union(*tested) == set(range(100))
    assert sum(map(len, tested)) == 100


def test_unknown_data_is_a_sentence():
    with pytest.raises(DataError, match=r"There is no study of 'hats'\. Choose from: colored_digits"):
        study_deeper(["hats"])
