"""Tables: encoding, twins, answers, splits, giveaways and leaks."""

import itertools
import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from fmd_core.data import SPLITS
from fmd_core.datasets import table_dataset
from fmd_core.datasets.own.sniffing import read_table
from fmd_core.datasets.own.table import (
    Binned,
    TableImport,
    ages,
    giveaways,
    make_table_dataset,
    open_table,
    suggest_table,
    thirds,
)
from fmd_core.datasets.table_encoding import encode_categories, encode_numbers
from fmd_core.errors import DataError

N = 400


def people(seed=0, n=N):
    """Adult in small: 'home' gives 'sex' away for the married, as husband and wife do."""
    rng = np.random.default_rng(seed)
    sex, married = rng.choice(["f", "m"], n), rng.random(n) < 0.5
    age = rng.integers(18, 80, n).astype(float)
    age[::50] = np.nan
    return pd.DataFrame(
        {
            "age": age,
            "job": rng.choice(["clerk", "cook", "smith"], n),
            "home": np.where(married, np.where(sex == "m", "husband", "wife"), "alone"),
            "sex": sex,
            "hours": rng.normal(40, 5, n).round(3),
            "income": rng.choice(["low", "high"], n),
        }
    )


def splits(n=N):
    return np.resize(["train", "train", "train", "external", "validation", "test"], n)


def dataset(frame=None, **options):
    usual = {"target": "income", "classes": {"low": "low", "high": "high"}, "protected": ["sex", ages("age")]}
    frame = people() if frame is None else frame
    return make_table_dataset("People", frame, split=splits(len(frame)), **usual | options)


@pytest.fixture
def sheet(tmp_path):
    people().to_csv(tmp_path / "people.csv", index=False)
    return read_table(tmp_path / "people.csv")


ANSWERS = TableImport(target="income", protected={"sex": "values", "age": "ages"})


# --- encoding


def test_inputs_are_one_hot_categories_and_standardised_numbers():
    data, frame = dataset(), people()
    inputs = data.source.read(np.arange(N))
    assert inputs.dtype == np.float32
    assert data.source.input_names == (
        "age", "age missing", "job = clerk", "job = cook", "job = smith", "home = alone", "home = husband",
        "home = wife", "sex = f", "sex = m", "hours",
    )  # fmt: skip
    column = dict(zip(data.source.input_names, inputs.T, strict=True))
    np.testing.assert_array_equal(column["job = cook"], frame["job"] == "cook")
    train = data.rows("train")
    hours = frame["hours"].to_numpy()
    np.testing.assert_allclose(
        column["hours"], (hours - hours[train].mean()) / hours[train].std(), rtol=1e-4, atol=1e-5
    )


def test_a_missing_number_becomes_the_training_median_and_says_so():
    data, frame = dataset(), people()
    age = frame["age"].to_numpy()
    known = age[data.rows("train")]
    known = known[np.isfinite(known)]
    inputs = data.source.read(np.arange(N))
    np.testing.assert_array_equal(inputs[:, 1], np.isnan(age))
    expected = (np.median(known) - known.mean()) / known.std()
    np.testing.assert_allclose(inputs[np.isnan(age), 0], expected, rtol=1e-5)


def test_batches_give_the_same_inputs_as_all_rows_at_once():
    source = dataset().source
    whole = source.read(np.arange(N))
    parts = [source.read(np.arange(start, min(start + 7, N))) for start in range(0, N, 7)]
    np.testing.assert_array_equal(np.concatenate(parts), whole)


def test_rare_levels_share_an_input():
    codes = np.repeat([0, 1, 2], [50, 9, 3])
    column = encode_categories("job", codes, ["clerk", "cook", "smith"], np.ones(62, bool))
    assert column.input_names == ("job = clerk", "job = other")
    out = np.zeros((3, 2))
    column.write(out, np.array([0, 1, 2]))
    np.testing.assert_array_equal(out, [[1, 0], [0, 1], [0, 1]])


def test_rarity_is_judged_on_training_rows_only():
    codes, train = np.repeat([0, 1], [20, 20]), np.arange(40) < 25
    assert encode_categories("job", codes, ["a", "b"], train).slot_names == ("a", "other")


@pytest.mark.parametrize("huge", [np.inf, -np.inf, 1e300])
def test_numbers_beyond_all_measure_are_missing(huge):
    column = encode_numbers("x", np.array([1.0, 2, 3, huge]), np.ones(4, bool))
    assert np.isnan(column.own[3])
    assert column.mean == 2


def test_a_constant_number_and_exact_storage():
    constant = encode_numbers("x", np.full(5, 3.0), np.ones(5, bool))
    out = np.zeros((5, 1))
    constant.write(out, constant.own)
    np.testing.assert_array_equal(out, 0)
    assert encode_numbers("id", np.array([20230101.0, 20230102.0]), np.ones(2, bool)).own.dtype == np.float64


def test_a_column_without_a_training_number_is_refused():
    with pytest.raises(DataError, match="'x' has no number in the training rows; leave it out"):
        encode_numbers("x", np.array([np.nan, 1.0]), np.array([True, False]))


# --- twins


def test_a_twin_differs_in_its_attribute_only():
    data = dataset()
    rows, sex = np.arange(N), data.attribute("sex")
    other = 1 - sex.codes
    before, after = data.source.read(rows), data.source.counterfactual(rows, "sex", other)
    names = data.source.input_names
    changed = [name for name, moved in zip(names, (before != after).any(axis=0), strict=True) if moved]
    assert changed == ["sex = f", "sex = m"]
    np.testing.assert_array_equal(data.source.counterfactual(rows, "sex", sex.codes), before)


def test_the_twin_of_a_number_is_the_median_of_its_group():
    data, frame = dataset(), people()
    age, codes = frame["age"].to_numpy(), data.attribute("age").codes
    levels = data.attribute("age").levels
    assert levels == ("under 30", "30 to 44", "45 to 59", "60 or more", "not stated")
    train = data.split == "train"
    row = int(np.flatnonzero(codes == 0)[0])
    shown = data.source.display(row, "age", 2)
    assert float(shown["age"]) == np.median(age[train & (codes == 2)])
    assert {k: v for k, v in shown.items() if k != "age"} == {
        k: v for k, v in data.source.display(row).items() if k != "age"
    }
    assert data.source.display(row, "age", 0)["age"] == f"{age[row]:.0f}"  # its own, not the median
    assert data.source.display(row, "age", 4)["age"] == "not stated"


def test_what_is_told_to_change_together_does():
    swap = {"husband": "wife", "wife": "husband"}
    data = dataset(also_change={"sex": {"home": swap}})
    frame, sex = people(), data.attribute("sex")
    for row in range(40):
        twin = data.source.display(row, "sex", 1 - sex.codes[row])
        assert twin["home"] == swap.get(frame["home"][row], "alone")
        assert data.source.display(row, "sex", sex.codes[row])["home"] == frame["home"][row]


@pytest.mark.parametrize(("values", "words"), [([1, 0], "10"), ([0.1, 1 / 3], ("0.1", "0.3333333333"))])
def test_a_number_that_is_told_to_swap_does(values, words):
    frame = people()
    frame["flag"] = np.where(frame["home"] == "alone", np.nan, np.where(frame["sex"] == "m", *values))
    frame.loc[0, "flag"] = 7.5  # a number that no side of the swap is
    first, second = words
    swap = {first: second, second: first}
    data = dataset(frame, also_change={"sex": {"flag": swap}})
    place, sex, rows = data.source.input_names.index("flag"), data.attribute("sex"), np.arange(N)
    assert {data.source.display(row)["flag"] for row in rows} == {first, second, "7.5", "not stated"}
    for row in rows[:40]:
        own = data.source.display(row)["flag"]
        assert data.source.display(row, "sex", 1 - sex.codes[row])["flag"] == swap.get(own, own)
        assert data.source.display(row, "sex", sex.codes[row])["flag"] == own
    twins = data.source.counterfactual(rows, "sex", 1 - sex.codes)[:, place]
    inputs = data.source.read(rows)[:, place]
    one, other = (frame["flag"] == value for value in values)
    np.testing.assert_array_equal(twins[one], inputs[other][0])
    np.testing.assert_array_equal(twins[other], inputs[one][0])
    np.testing.assert_array_equal(twins[~one & ~other], inputs[~one & ~other])


def test_a_protected_column_left_out_is_reported_on_but_not_read():
    data = dataset(leave_out=["sex"])
    assert not any(name.startswith("sex") for name in data.source.input_names)
    rows = np.arange(N)
    flipped = data.source.counterfactual(rows, "sex", 1 - data.attribute("sex").codes)
    np.testing.assert_array_equal(flipped, data.source.read(rows))
    assert data.source.display(0, "sex", 0)["sex"] == "f"


def test_the_fingerprint_follows_every_value_and_setting():
    frame = people()
    other = frame.copy()
    other.loc[N - 1, "hours"] += 1
    swap = {"sex": {"home": {"husband": "wife", "wife": "husband"}}}
    prints = {
        d.fingerprint
        for d in (dataset(), dataset(other), dataset(leave_out=["job"]), dataset(also_change=swap))
    }
    assert len(prints) == 4
    assert dataset().fingerprint == dataset().fingerprint


def test_how_twins_are_made_and_what_a_sample_is_called():
    data = dataset()
    assert (data.pair_method, data.unit, data.source.kind) == ("flipped", "person", "table")


# --- refusals


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"target": "wage"}, "There is no column 'wage'. The table has: age, job"),
        ({"protected": ["race"]}, "There is no column 'race'"),
        ({"classes": {"low": "low"}}, "'income' has the value 'high', for which no class was named; named were: low."),
        ({"classes": {"low": "all", "high": "all"}}, "'income' says 'all' in every row"),
        ({"also_change": {"job": {"home": {}}}}, "'job' is not a protected column: age, sex."),
        ({"also_change": {"sex": {"income": {}}}}, "'income' cannot change with 'sex'"),
        ({"also_change": {"sex": {"sex": {}}}}, "'sex' cannot change with 'sex': it is not another column"),
        ({"also_change": {"sex": {"age": {"17": "18"}}}}, "'age' has no level '17'. It has: 18, 19, "),
        ({"also_change": {"sex": {"home": {"hubby": "wife"}}}}, "'home' has no level 'hubby'. It has: alone, husband"),
        ({"protected": [ages("job")]}, "'job' is not a column of numbers"),
    ],
)  # fmt: skip
def test_settings_that_do_not_fit_are_refused_in_words(options, message):
    with pytest.raises(DataError) as caught:
        dataset(**options)
    assert message in str(caught.value)


def test_a_protected_column_with_one_value_is_refused():
    with pytest.raises(DataError, match=r"'sex' has one value only \(f\)"):
        dataset(people().assign(sex="f"))


def test_bins_are_checked():
    assert Binned("x", (1, 2), ("a", "b", "c")).codes(np.array([0.5, 1, 2, np.nan])).tolist() == [0, 1, 2, 3]
    with pytest.raises(DataError, match="2 limits make 3 groups"):
        Binned("x", (1, 2), ("a", "b"))
    with pytest.raises(DataError, match="must rise"):
        Binned("x", (2, 1), ("a", "b", "c"))


def test_thirds_have_readable_names_and_equal_sizes():
    values = np.arange(300.0)
    assert thirds("x", values / 7).labels == ("under 14.2", "14.2 to under 28.5", "28.5 or more")
    third = thirds("x", values)
    assert third.labels == ("under 100", "100 to under 200", "200 or more")
    assert np.bincount(third.codes(values)).tolist() == [100, 100, 100]
    close = thirds("x", 1000 + np.arange(300) / 1000)
    assert close.labels == ("under 1000.1", "1000.1 to under 1000.199", "1000.199 or more")
    mostly_zero = thirds("gain", np.array([0.0] * 90 + [5.0] * 10))
    assert mostly_zero.labels == ("under 5", "5 or more")
    with pytest.raises(DataError, match="one value only"):
        thirds("x", np.ones(9))


# --- a reviewer's own file


def test_a_file_becomes_a_data_set_with_four_drawn_splits(sheet):
    data = open_table(sheet, ANSWERS)
    sizes = {split: len(data.rows(split)) for split in SPLITS}
    assert sizes == {"train": 240, "external": 40, "validation": 40, "test": 80}
    share = [(data.target.codes[data.rows(split)] == 0).mean() for split in SPLITS]
    assert np.ptp(share) < 0.03
    assert data.target.levels == ("high", "low")
    assert data.attribute("age").levels[0] == "under 30"
    assert any(note.startswith("Drawn by chance") for note in data.notes)
    np.testing.assert_array_equal(data.split, open_table(sheet, ANSWERS).split)
    assert not np.array_equal(data.split, open_table(sheet, replace(ANSWERS, seed=1)).split)


def test_classes_come_in_the_order_of_the_answers_and_others_are_skipped(tmp_path):
    frame = people()
    frame.loc[:4, "income"] = "unknown"
    frame.loc[5:7, "income"] = None
    frame.to_csv(tmp_path / "p.csv", index=False)
    data = open_table(tmp_path / "p.csv", replace(ANSWERS, classes={"low": "poor", "high": "rich"}))
    assert data.target.levels == ("poor", "rich")
    assert len(data) == N - 8
    assert "3 rows skipped: 'income' is empty." in data.notes
    assert "5 rows skipped: 'unknown' and the like have no class." in data.notes


def test_a_split_column_is_kept_and_what_it_lacks_is_drawn_from_training(tmp_path):
    frame = people().assign(part=np.resize(["train", "train", "test", "extra"], N))
    frame.to_csv(tmp_path / "p.csv", index=False)
    answers = replace(ANSWERS, split_column="part", split_values={"train": "train", "test": "test"})
    data = open_table(tmp_path / "p.csv", answers)
    assert {s: len(data.rows(s)) for s in SPLITS} == {
        "train": 150,
        "external": 25,
        "validation": 25,
        "test": 100,
    }
    assert "100 rows skipped: 'part' names no split for them." in data.notes
    kept = frame["part"][frame["part"] != "extra"].to_numpy()
    np.testing.assert_array_equal(data.split == "test", kept == "test")


def test_suggestions_open_the_file(sheet):
    settings = suggest_table(sheet)
    assert settings.target == "income"
    assert settings.protected == {"age": "ages", "sex": "values"}
    assert len(open_table(sheet, settings)) == N


def test_answers_survive_json():
    full = replace(
        ANSWERS, classes={"low": "poor <b>", "high": "rich"}, leave_out=("job",), split_values={"0": "train"},
        also_change={"sex": {"home": {"husband": "wife"}}}, seed=3,
    )  # fmt: skip
    saved = json.loads(json.dumps(full.to_dict()))
    assert TableImport.from_dict(saved) == full
    assert all(isinstance(value, str) for value in saved.values())


@pytest.mark.parametrize(
    "damage",
    [
        {"target": "3"},
        {"seed": '"1"'},
        {"protected": '{"sex": 1}'},
        {"classes": "[]"},
        {"unit": "{"},
        {"seed": None},
    ],
)
def test_damaged_answers_are_refused(damage):
    with pytest.raises(DataError, match="saved answers about this data are damaged"):
        TableImport.from_dict(ANSWERS.to_dict() | damage)
    with pytest.raises(DataError, match="saved answers"):
        TableImport.from_dict({})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"protected": {"sex": "fifths"}},
            "'fifths' is not a grouping. Choose one of: values, ages, thirds, halves, quarters, own.",
        ),
        (
            {"split_values": {"a": "dev"}},
            "'dev' is not a split. Choose one of: train, external, validation, test.",
        ),
    ],
)
def test_unknown_choices_list_the_known_ones(options, message):
    with pytest.raises(DataError) as caught:
        replace(ANSWERS, **options)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"target": ""}, "No target is chosen"),
        ({"protected": {}}, "No protected column is chosen"),
        ({"target": "sex"}, "'sex' is the target, so it cannot be protected"),
        ({"split_column": "sex"}, "'sex' is the split, so it cannot be protected"),
        ({"target": "hours"}, "different values; a target may have 20 classes"),
        ({"classes": {"x": "y"}}, "No row has a class"),
    ],
)
def test_answers_that_contradict_the_table_are_refused(sheet, options, message):
    with pytest.raises(DataError, match=message):
        open_table(sheet, replace(ANSWERS, **options))


def test_a_tiny_class_cannot_be_shared_out(tmp_path):
    frame = people()
    frame["income"] = ["rare"] * 9 + ["low", "high"] * 195 + ["low"]
    frame.to_csv(tmp_path / "p.csv", index=False)
    with pytest.raises(DataError, match="The class 'rare' has 9 rows for training; at least 10 are needed"):
        open_table(tmp_path / "p.csv", ANSWERS)


# --- giveaways and leaks


def test_a_column_that_gives_an_attribute_away_is_found_with_its_swap():
    found = giveaways(dataset())
    assert [(g.attribute, g.column) for g in found] == [("sex", "home")]
    assert found[0].swap == {"husband": "wife", "wife": "husband"}
    assert found[0].levels == {"husband": "m", "wife": "f"}
    assert 0.4 < found[0].coverage < 0.6


def test_what_changes_together_or_is_left_out_gives_nothing_away():
    assert giveaways(dataset(also_change={"sex": {"home": {"husband": "wife", "wife": "husband"}}})) == ()
    assert giveaways(dataset(leave_out=["home"])) == ()


def test_a_number_that_gives_an_attribute_away_is_found():
    frame = people()
    frame["hours"] = np.where(frame["sex"] == "m", 40.0, 20.0) + np.random.default_rng(1).random(N)
    (found,) = [g for g in giveaways(dataset(frame)) if g.column == "hours"]
    assert found.attribute == "sex"
    assert found.swap == {}  # 'from 40.2' is no value of one row


def test_two_ranges_of_numbers_cannot_be_swapped():
    rng, n = np.random.default_rng(0), 1_200
    male = rng.random(n) < 0.08
    frame = people(n=n).assign(home="alone", sex=np.where(male, "m", "f"))
    frame["hours"] = np.where(male, rng.random(n), 20.0)  # so that all tenths end at 20
    (found,) = giveaways(dataset(frame))
    assert found.levels == {"from 20": "f", "under 20": "m"}
    assert found.swap == {}


def test_the_swap_that_is_offered_for_a_number_can_be_made():
    frame = people()
    frame["is_male"] = (frame["sex"] == "m").astype(int)
    (found,) = [g for g in giveaways(dataset(frame)) if g.column == "is_male"]
    assert found.swap in ({"0": "1", "1": "0"},)
    cured = dataset(frame, also_change={"sex": {"is_male": found.swap}})
    assert "is_male" not in {g.column for g in giveaways(cured)}
    code = cured.attribute("sex").codes[0]
    assert cured.source.display(0, "sex", 1 - code)["is_male"] == str(1 - frame["is_male"][0])


def test_equal_rows_in_training_and_test_are_said(tmp_path):
    frame = pd.concat([people(n=100)] * 6, ignore_index=True)
    frame.to_csv(tmp_path / "p.csv", index=False)
    notes = open_table(tmp_path / "p.csv", ANSWERS).notes
    assert any("of 120 test " in note and "a leak" in note for note in notes)


def test_no_leak_is_said_where_there_is_none(sheet):
    assert not any("leak" in note for note in open_table(sheet, ANSWERS).notes)


def test_free_text_and_constants_are_left_out_and_said(tmp_path):
    people().assign(name=[f"person {i}" for i in range(N)], planet="earth").to_csv(
        tmp_path / "p.csv", index=False
    )
    data = open_table(tmp_path / "p.csv", ANSWERS)
    assert "Left out, since nearly every row has its own text: 'name'." in data.notes
    assert "Left out, since all rows are alike: 'planet'." in data.notes
    assert not any("planet" in name or "name =" in name for name in data.source.input_names)


def test_empty_cells_are_counted_in_the_notes(tmp_path):
    rows = [
        f"P{i},{'' if i < 7 else 20 + i % 50},{'MF'[i % 2]},{('low', 'high')[i % 3 == 0]}" for i in range(300)
    ]
    path = tmp_path / "people.csv"
    path.write_text("\n".join(["id,age,sex,income", *rows]))
    data = open_table(path, TableImport(target="income", protected={"sex": "values"}))
    assert "Empty cells are read as 'not stated': 'age' (7)." in data.notes


@pytest.mark.parametrize("own", ["other", "divers"])
def test_levels_put_together_are_said_also_where_the_file_has_such_a_level(tmp_path, own):
    frame = people()
    frame.loc[:60, "job"] = own
    frame.loc[61:65, "job"] = "pilot"
    frame.to_csv(tmp_path / "p.csv", index=False)
    answers = TableImport(target="income", protected={"job": "values"})
    data = open_table(tmp_path / "p.csv", answers)
    assert "Rare values of 'job' are put together as 'other'." in data.notes
    frame.loc[61:100, "job"] = ""
    frame.to_csv(tmp_path / "p.csv", index=False)
    assert not any("put together" in note for note in open_table(tmp_path / "p.csv", answers).notes)


def test_many_columns_with_gaps_make_a_short_note(tmp_path):
    gaps = {f"measure {i:03}": np.where(np.arange(N) % 9, np.arange(N) % 2, np.nan) for i in range(300)}
    frame = pd.concat([people(), pd.DataFrame(gaps)], axis=1)
    frame.to_csv(tmp_path / "p.csv", index=False)
    (note,) = [n for n in open_table(tmp_path / "p.csv", ANSWERS).notes if n.startswith("Empty cells")]
    assert note.startswith("Empty cells are read as 'not stated': 'age' (8), 'measure 000' (45), ")
    assert note.endswith("'measure 008' (45) and 291 more.")


# --- protected columns that tell one another; people in several rows; answers asked later


def aged(tmp_path, n=600):
    """Age and its band, both protected; who is hired is decided by the band."""
    rng = np.random.default_rng(3)
    age = rng.integers(18, 80, n)
    band = np.array(["young", "middle", "late", "old"])[np.searchsorted([30, 45, 60], age, side="right")]
    frame = pd.DataFrame(
        {"age": age, "band": band, "sex": rng.choice(["f", "m"], n), "skill": rng.normal(size=n)}
    )
    frame["hired"] = np.where((band == "old") ^ (rng.random(n) < 0.05), "no", "yes")
    frame["who"] = rng.integers(0, n // 3, n)
    path = tmp_path / "aged.csv"
    frame.to_csv(path, index=False)
    return path


AGED = TableImport("hired", {"age": "ages", "band": "values", "sex": "values"}, person="who")


def test_age_and_its_band_stay_and_a_twin_changes_both(tmp_path):
    path = aged(tmp_path)
    found = {(g.attribute, g.column): g for g in giveaways(open_table(path, AGED))}
    told = found["age", "band"]
    assert (told.is_protected, told.along) == (True, {})
    assert "leave it out" not in told.words
    data = open_table(path, replace(AGED, also_change={"age": {"band": {}}, "band": {"age": {}}}))
    assert not {("age", "band"), ("band", "age")} & {(g.attribute, g.column) for g in giveaways(data)}
    levels = data.attributes["age"].levels
    row = int(np.flatnonzero(data.attributes["age"].codes == levels.index("60 or more"))[0])
    twin = data.source.display(row, "age", levels.index("under 30"))
    assert twin["band"] == "young"
    assert float(twin["age"]) < 30
    back = data.source.display(row, "band", data.attributes["band"].levels.index("middle"))
    assert 30 <= float(back["age"]) < 45
    own = data.source.display(row, "age", levels.index("60 or more"))
    assert own == data.source.display(row)  # a row that has the level keeps its own values


def test_a_band_cut_elsewhere_than_the_groups_changes_with_the_age(tmp_path):
    """As in COMPAS: neither the age groups nor tenths of age fit the bands, but every age has its band."""
    path = aged(tmp_path, 2_000)
    frame = pd.read_csv(path)
    frame["band"] = np.array(["< 25", "25 - 50", "> 50"])[
        np.searchsorted([25, 51], frame["age"], side="right")
    ]
    frame.to_csv(path, index=False)
    found = {(g.attribute, g.column): g for g in giveaways(open_table(path, AGED))}
    assert found["band", "age"].coverage < 0.9
    assert found["age", "band"].along == found["band", "age"].along == {}
    data = open_table(path, replace(AGED, also_change={"age": {"band": {}}, "band": {"age": {}}}))
    assert not giveaways(data)
    for row in data.rows("test")[:20]:
        for code, band in enumerate(data.attributes["band"].levels):
            age = float(data.source.display(int(row), "band", code)["age"])
            assert band == ("< 25" if age < 25 else "25 - 50" if age <= 50 else "> 50")


def test_two_bands_do_not_swap_for_an_attribute_of_many_groups(tmp_path):
    path = aged(tmp_path)
    frame = pd.read_csv(path)
    frame["band"] = frame["band"].replace("late", "middle")  # so that young and old alone are sure, and
    frame["band"] = np.where(np.arange(len(frame)) % 9 == 0, "middle", frame["band"])  # no age has one band
    frame.to_csv(path, index=False)
    found = {(g.attribute, g.column): g for g in giveaways(open_table(path, AGED))}
    told = found["age", "band"]
    assert (set(told.levels), told.swap, told.along) == ({"young", "old"}, {}, None)
    assert "twins show too little" in told.words


def test_a_row_that_becomes_what_is_usual_has_no_say_in_old_fingerprints(tmp_path):
    path = aged(tmp_path)
    plain, along = (open_table(path, replace(AGED, also_change=also)) for also in ({}, {"age": {"band": {}}}))
    assert plain.fingerprint != along.fingerprint
    told = replace(AGED, favourable="yes", phrases={"sex": {"f": "women"}})
    named = open_table(path, told)
    assert (named.fingerprint, named.favourable, named.phrases["sex"]["f"]) == (
        plain.fingerprint,
        "yes",
        "women",
    )


def test_all_rows_of_a_person_are_in_one_part_and_the_person_is_not_read(tmp_path):
    path = aged(tmp_path)
    data, who = open_table(path, AGED), pd.read_csv(path)["who"].to_numpy()
    for split in SPLITS:
        assert not np.isin(who[data.rows(split)], who[data.split != split]).any()
    assert not any(name.startswith("who") for name in data.source.input_names)
    assert any(note.startswith("All rows of one person are in one part") for note in data.notes)
    alone = open_table(path, replace(AGED, person=""))
    assert np.isin(who[alone.rows("test")], who[alone.split != "test"]).any()
    with pytest.raises(DataError, match="'sex' names people, so it cannot be"):
        open_table(path, replace(AGED, person="sex"))


def test_labels_of_one_word_are_one_group_only_when_asked(tmp_path):
    frame = people()
    frame["sex"] = np.where(np.arange(N) % 7 == 0, frame["sex"].str.upper(), frame["sex"])
    path = tmp_path / "t.csv"
    frame.to_csv(path, index=False)
    answers = TableImport("income", {"sex": "values"})
    assert set(open_table(path, answers).attributes["sex"].levels) == {"F", "f", "m", "M"}
    joined = open_table(path, replace(answers, one_spelling=("sex",)))
    assert joined.attributes["sex"].levels == ("f", "m")
    assert any("'sex' spells labels in several ways" in note for note in joined.notes)


def test_answers_of_before_open_without_what_is_asked_now():
    saved = TableImport("income", {"sex": "values"}, favourable="yes", person="who").to_dict()
    assert TableImport.from_dict(saved).favourable == "yes"
    for later in ("favourable", "phrases", "person", "one_spelling"):
        del saved[later]
    assert TableImport.from_dict(saved) == TableImport("income", {"sex": "values"})


def test_the_order_of_levels_does_not_hang_on_the_order_they_come_in():
    levels = ["f", "F", "nan", "10", "9", "inf", "not stated", "Ä", "ä"]
    orders = {tuple(sorted(some, key=table_dataset.natural)) for some in itertools.permutations(levels[:7])}
    assert orders == {("9", "10", "F", "f", "inf", "nan", "not stated")}
    assert len({table_dataset.natural(level) for level in levels}) == len(levels)
