"""What a reviewer says of a table besides its columns: numbers that mean 'not known', whose equal rows are, that
nobody is better off, other answers about the same files, and what people are called."""

from dataclasses import replace

import numpy as np
import pytest

from fmd_core.datasets.own import imports
from fmd_core.datasets.own.answers import Answers
from fmd_core.datasets.own.sniffing import read_table
from fmd_core.datasets.own.table import TableImport, open_table
from fmd_core.datasets.own.table_rows import group_levels
from fmd_core.datasets.phrases import suggest_phrases
from fmd_core.datasets.table_encoding import MISSING
from fmd_core.errors import DataError
from fmd_core.measure.verdict.judging import _favourable

N = 400
ANSWERS = TableImport("hired", {"sex": "values"})


@pytest.fixture
def path(tmp_path):
    """Hours are 999 where nobody knows them; every fifth row stands twice."""
    rng = np.random.default_rng(0)
    rows = [
        f"P{i},{999 if i % 8 == 0 else rng.integers(10, 60)},{'MF'[i % 2]},{('no', 'yes')[rng.integers(2)]}"
        for i in range(N)
    ]
    rows += [row.replace("P", "Q", 1) for row in rows[::5]]
    place = tmp_path / "t.csv"
    place.write_text("id,hours,sex,hired\n" + "\n".join(rows) + "\n")
    return place


def hours(data):
    return next(column for column in data.source.columns if column.name == "hours").own


def test_a_number_that_means_not_known_is_read_as_an_empty_cell(path):
    read = open_table(path, replace(ANSWERS, leave_out=("id",)))
    assert (hours(read) == 999).sum() == 60
    told = open_table(path, replace(ANSWERS, leave_out=("id",), not_known={"hours": "999"}))
    assert np.isnan(hours(told)).sum() == 60
    assert any(f"'hours' is 999 in 60 rows, read as '{MISSING}'" in note for note in told.notes)
    with pytest.raises(DataError, match="no column 'height'"):
        open_table(path, replace(ANSWERS, not_known={"height": "999"}))


def test_equal_rows_of_one_person_lie_in_one_part_whatever_number_they_bear(path):
    answers = replace(ANSWERS, leave_out=("id",))
    twin = N + np.arange(N // 5)
    apart = open_table(path, answers)
    assert apart.persons is None
    assert (apart.split[::5][: N // 5] != apart.split[twin]).any()
    data = open_table(path, replace(answers, equal_rows="one person"))
    assert (data.split[np.arange(0, N, 5)] == data.split[twin]).all()
    assert (data.persons[np.arange(0, N, 5)] == data.persons[twin]).all()
    with pytest.raises(DataError, match="'nobody' is not an owner of equal rows"):
        replace(answers, equal_rows="nobody")


def test_that_nobody_is_better_off_is_kept_and_nothing_is_suggested_in_its_place(path):
    answers = TableImport.from_dict(replace(ANSWERS, favourable=None).to_dict())
    assert answers.favourable is None
    said, unsaid = open_table(path, answers), open_table(path, ANSWERS)
    assert _favourable(said, "") is None
    assert _favourable(unsaid, "").level == "yes"
    with pytest.raises(DataError, match="damaged"):
        TableImport.from_dict({**ANSWERS.to_dict(), "favourable": "1"})


def test_the_groups_of_a_column_are_those_that_opening_makes(path):
    sheet = read_table(path)
    answers = replace(ANSWERS, protected={"sex": "values", "hours": "thirds"})
    levels = {name: column.levels for name, column in open_table(sheet, answers).attributes.items()}
    assert group_levels(sheet, answers) == levels


def test_other_answers_about_the_same_files_are_another_import(path, monkeypatch, tmp_path):
    monkeypatch.setenv("FMD_HOME", str(tmp_path / "home"))
    old = imports.finish_import(imports.begin_import(path, None), "staff", ANSWERS)
    answers = imports.answers_of(old)
    assert answers == ANSWERS
    new = imports.answer_again(old, replace(answers, favourable="no"))
    first, second = imports.open_import(old), imports.open_import(new)
    assert (first.favourable, second.favourable) == ("", "no")
    assert first.fingerprint == second.fingerprint  # so that models and features go with it
    imports.delete_import(old)
    assert imports.open_import(new).fingerprint == second.fingerprint
    with pytest.raises(DataError, match="deleted"):
        imports.answer_again(old, answers)
    with pytest.raises(DataError, match="no form of import"):
        imports.answer_again(new, Answers("hired", {"sex": "values"}))
    assert [kept.id for kept in imports.kept_imports()] == [new]


def test_a_header_that_stands_in_an_import_again_is_no_person(tmp_path, monkeypatch):
    monkeypatch.setenv("FMD_HOME", str(tmp_path / "home"))
    header, rows = "hours,sex,hired\n", [f"{i % 40},{'MF'[i % 2]},{i % 3 % 2}\n" for i in range(N)]
    place = tmp_path / "twice.csv"
    place.write_text(header + "".join(rows[:300]) + header + "".join(rows[300:]))
    data = imports.open_import(imports.finish_import(imports.begin_import(place, None), "staff", ANSWERS))
    assert (len(data), data.target.levels) == (N, ("0", "1"))


def test_phrases_are_suggested_where_the_words_are_plain_and_codes_are_never_guessed():
    assert suggest_phrases("Gender", ["Female", "Male", "x"]) == {"Female": "women", "Male": "men"}
    assert suggest_phrases("Patient Sex", ["F", "M"]) == {"F": "women", "M": "men"}
    assert suggest_phrases("age", ["under 30", MISSING]) == {"under 30": "{} under 30"}
    assert suggest_phrases("Male", ["-1", "1"]) == {"-1": "women", "1": "men"}
    assert suggest_phrases("race", ["Black", "A"]) == {"Black": "black {}"}
    assert suggest_phrases("size", ["M", "F"]) == suggest_phrases("sex", ["1", "2"]) == {}
