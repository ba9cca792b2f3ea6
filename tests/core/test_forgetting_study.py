"""The page that tells what every way to forget does."""

import json
from dataclasses import replace

import pytest

from fmd_core import DataError
from fmd_core.reproduction.forgetting_study import UNTOUCHED, ForgettingRow, write_forgetting

BEFORE = ForgettingRow("S", "sex", UNTOUCHED, 0, 0.5, 0.8, 0.8, 0.9, 0.8, 0.94, 0.2, 0.07, 0.04, 0.65, 0.0)
AFTER = replace(BEFORE, treatment="matching", mlp=0.6, accuracy=0.935, seconds=20.0)


def aim(folder, *rows):
    text, _ = write_forgetting(rows, folder)
    line = next(line for line in text.read_text().splitlines() if line.startswith("| matching"))
    return line.split("|")[-3].strip(), line.split("|")[-2].strip()


@pytest.mark.parametrize(
    ("changes", "verdict"),
    [
        ({}, ("0.33", "met")),
        ({"mlp": 0.66}, ("0.53", "missed")),  # more than half the margin is left
        ({"accuracy": 0.919}, ("0.33", "missed")),  # over 2 points
        ({"seconds": 301.0}, ("0.33", "missed")),  # over 5 minutes
    ],
)
def test_the_aim_is_half_the_margin_at_two_points_in_five_minutes(tmp_path, changes, verdict):
    assert aim(tmp_path, BEFORE, replace(AFTER, **changes)) == verdict


def test_several_seeds_are_told_by_mean_and_range_and_kept_one_by_one(tmp_path):
    rows = [BEFORE, replace(BEFORE, seed=1, mlp=0.9), AFTER]
    text, numbers = write_forgetting(rows, tmp_path)
    page = text.read_text()
    assert "| untouched | 0.800 | 0.850 (0.800 to 0.900) |" in page
    assert "matching (seed 0 only)" in page
    assert [row["mlp"] for row in json.loads(numbers.read_text())["rows"]] == [0.8, 0.9, 0.6]


def test_what_has_no_twins_has_a_dash(tmp_path):
    text, _ = write_forgetting([replace(BEFORE, bias=None)], tmp_path)
    assert " – " in text.read_text()


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="cannot be written"):
        write_forgetting([BEFORE], tmp_path / "file")
