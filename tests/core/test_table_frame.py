"""A pandas DataFrame as a data set: who is in which part, what is refused, and the frame's own columns."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

import fmd_core as fmd
from fmd_core.data import SPLITS, FrameSource
from fmd_core.datasets.own.table import Binned, make_table_dataset

N = 600


@pytest.fixture
def people():
    rng = np.random.default_rng(0)
    sex = rng.choice(["f", "m"], N)
    hired = (rng.random(N) < np.where(sex == "m", 0.7, 0.3)).astype(int)
    return pd.DataFrame(
        {
            "sex": pd.Categorical(sex),
            "years": rng.integers(0, 30, N) + 4 * hired,
            "age": rng.integers(18, 80, N),
            "town": rng.choice(["a", "b", None], N),
            "id": [f"p{i}" for i in range(N)],
            "licence": rng.random(N) < 0.5,
            "married": np.where(sex == "m", "husband", "wife"),
            "hired": hired,
        },
        index=np.arange(N) * 3,
    )


def opened(frame, **options):
    return fmd.table(frame, **{"target": "hired", "protected": ["sex", "age"]} | options)


def refusal(frame, **options):
    with pytest.raises(fmd.DataError) as caught:
        opened(frame, **options)
    return str(caught.value)


# --- what comes of a frame


def test_rows_become_samples_in_their_order(people):
    data = opened(people, name="Hiring", unit="applicant")
    assert (data.name, data.unit, data.pair_method, data.source.kind) == (
        "Hiring", "applicant", "flipped", "table",
    )  # fmt: skip
    assert data.target.levels == ("0", "1")
    np.testing.assert_array_equal(data.target.codes, people["hired"])
    assert data.attributes["sex"].levels == ("f", "m")
    np.testing.assert_array_equal(data.attributes["sex"].codes, people["sex"].cat.codes)
    assert data.attributes["age"].levels == ("under 30", "30 to 44", "45 to 59", "60 or more")


def test_the_encoding_is_the_product_s_own(people):
    data = opened(people.drop(columns="town"), protected="sex")
    same = make_table_dataset(
        "Table", people.drop(columns=["id", "town"]).astype({"sex": object}), target="hired", protected=["sex"],
        split=data.split,
    )  # fmt: skip
    rows = np.arange(N)
    np.testing.assert_array_equal(data.source.read(rows), same.source.read(rows))
    assert data.source.input_names == same.source.input_names


def test_parts_are_drawn_with_the_same_mix_of_classes_by_seed(people):
    data = opened(people)
    sizes = {s: len(data.rows(s)) for s in SPLITS}
    assert sizes == {"train": 359, "external": 60, "validation": 61, "test": 120}
    for part in SPLITS:
        assert abs(data.target.codes[data.rows(part)].mean() - people["hired"].mean()) < 0.01
    np.testing.assert_array_equal(opened(people).split, data.split)
    assert (opened(people, seed=1).split != data.split).any()
    assert any("Drawn by chance" in note for note in data.notes)


def test_a_split_column_is_kept_and_is_no_input(people):
    given = np.where(np.arange(N) % 3 == 0, "test", "train")
    named, listed = opened(people.assign(part=given), split="part"), opened(people, split=given)
    assert set(np.flatnonzero(given == "test")) == set(named.rows("test"))
    np.testing.assert_array_equal(named.split, listed.split)  # what is missing is drawn out of training
    assert not any(name.startswith("part") for name in named.source.input_names)
    assert "part" not in named.source.read_frame(np.arange(2))


def test_useless_columns_and_empty_cells_are_told(people):
    notes = " ".join(opened(people.assign(planet="earth")).notes)
    assert "nearly every row has its own text: 'id'." in notes
    assert "all rows are alike: 'planet'." in notes
    assert f"'town' ({people['town'].isna().sum()})" in notes
    assert "'married' gives 'sex' away" in notes


def test_groups_of_one_s_own(people):
    young = Binned("age", (25.0,), ("young", "older"))
    assert opened(people, protected={"age": young}).attributes["age"].levels == ("young", "older")
    assert len(opened(people, protected={"years": "thirds"}).attributes["years"].levels) == 3


def test_a_later_change_of_the_frame_changes_nothing(people):
    data = opened(people)
    before, fingerprint = data.source.read_frame(np.arange(5)), data.source.fingerprint
    people["years"] = 0
    pd.testing.assert_frame_equal(data.source.read_frame(np.arange(5)), before)
    assert opened(people).source.fingerprint != fingerprint


def test_the_favourable_class_is_no_part_of_the_content(people):
    data = opened(people, favourable="1", phrases={"sex": {"f": "women"}})
    assert (data.favourable, dict(data.phrases)) == ("1", {"sex": {"f": "women"}})
    assert data.fingerprint == opened(people).fingerprint
    assert "'yes' is no class of 'hired'" in refusal(people, favourable="yes")


def test_nullable_types_and_numbers_in_objects_are_read(people):
    frame = people.assign(
        age=people["age"].astype("Int64").mask(people.index < 30),
        years=people["years"].astype(object).mask(people.index == 3, None),
        licence=people["licence"].astype("boolean").mask(people.index == 0),
        town=people["town"].astype("string"),
    )
    data = opened(frame)
    assert "not stated" in data.attributes["age"].levels
    assert {"years", "town = a", "licence = True"} <= set(data.source.input_names)
    rows = np.arange(N)
    twins = data.source.counterfactual_frame(rows, "age", np.zeros(N, int))
    pd.testing.assert_series_equal(twins.dtypes, data.source.frame.dtypes)


# --- the frame's own columns


def test_a_model_of_the_frame_gets_the_frame(people):
    source = opened(people).source
    assert isinstance(source, FrameSource)
    pd.testing.assert_frame_equal(
        source.read_frame(np.array([4, 0])), people.drop(columns="hired").iloc[[4, 0]]
    )


def test_a_twin_is_written_as_the_frame_writes_it(people):
    swap = {"sex": {"married": {"husband": "wife", "wife": "husband"}}}
    data = opened(people, also_change=swap)
    rows, own = np.arange(N), data.attributes["sex"].codes
    twins, as_they_are = data.source.counterfactual_frame(rows, "sex", 1 - own), people.drop(columns="hired")
    pd.testing.assert_series_equal(twins.dtypes, as_they_are.dtypes)
    assert (twins["sex"] != as_they_are["sex"]).all()
    assert (twins["married"] != as_they_are["married"]).all()
    rest = ["years", "age", "town", "id", "licence"]
    pd.testing.assert_frame_equal(twins[rest], as_they_are[rest])
    pd.testing.assert_frame_equal(data.source.counterfactual_frame(rows, "sex", own), as_they_are)


@pytest.mark.parametrize("levels", [[0, 1], [True, False], [1.5, 2.5]])
def test_levels_keep_their_type(people, levels):
    frame = people.assign(group=np.resize(levels, N))
    data = opened(frame, protected="group")
    rows = np.arange(N)
    twins = data.source.counterfactual_frame(rows, "group", 1 - data.attributes["group"].codes)
    assert twins["group"].dtype == frame["group"].dtype
    assert (twins["group"].to_numpy() != frame["group"].to_numpy()).all()
    assert set(twins["group"]) == set(levels)


def test_of_another_age_group_a_row_gets_its_typical_age(people):
    data = opened(people)
    rows = np.arange(N)
    twins = data.source.counterfactual_frame(rows, "age", np.full(N, 3))
    old = (data.attributes["age"].codes == 3) & (data.split == "train")
    other = data.attributes["age"].codes != 3
    assert (twins["age"].to_numpy()[other] == np.median(people["age"].to_numpy()[old])).all()
    np.testing.assert_array_equal(twins["age"].to_numpy()[~other], people["age"].to_numpy()[~other])


def test_the_twins_of_both_readings_are_the_same_people(people):
    """What a pipeline reads of a twin, encoded by the product, is what a network reads of it."""
    data = opened(people, protected="sex")
    rows, codes = np.arange(N), 1 - data.attributes["sex"].codes
    twins = data.source.counterfactual_frame(rows, "sex", codes).assign(hired=people["hired"])
    again = opened(twins, protected="sex").source
    np.testing.assert_array_equal(again.read(rows), data.source.counterfactual(rows, "sex", codes))


def test_any_table_gives_frames(people):
    frame = people.drop(columns="id").astype({"sex": object})
    data = make_table_dataset("T", frame, target="hired", protected=["sex"], split=opened(people).split)
    shown = data.source.read_frame(np.arange(N))
    assert shown["sex"].tolist() == frame["sex"].tolist()
    assert shown["age"].tolist() == frame["age"].tolist()
    assert shown["town"].isna().tolist() == frame["town"].isna().tolist()
    twins = data.source.counterfactual_frame(np.arange(N), "sex", 1 - data.attributes["sex"].codes)
    assert (twins["sex"] != shown["sex"]).all()


# --- what is refused, a sentence each


@pytest.mark.parametrize(
    ("change", "options", "words"),
    [
        ({}, {"target": "pay"}, "There is no column 'pay'. The table has: sex, years, age"),
        ({}, {"protected": ["race"]}, "There is no column 'race'. The table has: sex"),
        ({}, {"leave_out": ["race"]}, "There is no column 'race'"),
        ({}, {"split": "part"}, "There is no column 'part'"),
        ({}, {"protected": []}, "No protected column is chosen"),
        ({}, {"protected": ["hired"]}, "'hired' is the target, so it cannot be protected as well."),
        ({}, {"target": "years"}, "'years' has 34 different values; a target may have 20 classes"),
        ({"hired": 1}, {}, "'hired' says '1' in every row"),
        ({"sex": "f"}, {}, "'sex' has one value only (f)"),
        ({}, {"protected": ["id"]}, "'id' has 600 different values in 600 rows, which makes no groups"),
        ({}, {"protected": {"town": "thirds"}}, "'town' is not a column of numbers"),
        ({}, {"protected": {"age": "halves"}}, "'halves' is not a grouping. Choose one of: values, ages, thirds."),
        ({"sex": [1, "f"] * (N // 2)}, {}, "'sex' mixes types: '1' (int), 'f' (str)"),
        ({"hired": lambda f: f["hired"].where(f.index > 9)}, {}, "'hired' is empty in 4 of 600 rows"),
        ({"hired": np.arange(N) < 5}, {}, "at least 10 are needed"),
        ({}, {"split": ["train"] * 3}, "The split says something of 3 rows, but the table has 600."),
        ({}, {"split": ["train", "later"] * (N // 2)}, "The split says 'later' of a row"),
        ({}, {"also_change": {"sex": {"married": {"wife": "spouse"}}}}, "'married' has no level 'spouse'"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_one_sentence(people, change, options, words):
    assert words in refusal(people.assign(**change), **options)


def test_odd_frames_are_refused(people):
    twice = pd.concat([people, people[["age"]]], axis=1)
    assert refusal(twice) == "Two columns are called 'age'; give every column a name of its own."
    assert "A table is a pandas DataFrame, not ndarray" in refusal(people.to_numpy())
    assert "one is called 0" in refusal(people.rename(columns={"age": 0}))
    assert refusal(people.iloc[:0]) == "The table has no rows."


def test_a_column_of_several_types_may_be_left_out(people):
    odd = people.assign(odd=[1, "a"] * (N // 2), lists=[[1]] * N)
    data = opened(odd, leave_out=["odd", "lists"])
    assert data.source.fingerprint
    assert "odd" in data.source.read_frame(np.arange(2))


# --- a pipeline that was fitted on the frame


def test_a_pipeline_of_the_frame_reads_its_own_columns_of_samples_and_twins(people):
    from sklearn.compose import make_column_transformer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    data = opened(people)
    columns = make_column_transformer(
        (OneHotEncoder(), ["sex", "married"]), (StandardScaler(), ["years", "age"])
    )
    train = data.source.read_frame(data.rows("train"))
    pipeline = make_pipeline(columns, LogisticRegression()).fit(
        train, people["hired"].iloc[data.rows("train")]
    )
    model = fmd.wrap(pipeline, data=data)
    test = fmd.extract_features(model, data, split="test")
    wanted = pipeline.predict_proba(data.source.read_frame(data.rows("test")))
    np.testing.assert_allclose(model.head.probabilities(test.features), wanted, atol=1e-5)
    twins = fmd.pair_counterfactuals(data, model, split="test", attribute="sex")
    codes = twins.counterpart_codes
    wanted = pipeline.predict_proba(data.source.counterfactual_frame(twins.rows, "sex", codes))
    np.testing.assert_allclose(model.head.probabilities(twins.counterparts.features), wanted, atol=1e-5)
    assert fmd.counterfactual_bias(model.head, twins) > 0.05


def test_torch_is_not_imported_on_this_road():
    code = """
import sys, numpy as np, pandas as pd, fmd_core as fmd
rng = np.random.default_rng(0)
frame = pd.DataFrame({"sex": rng.choice(["f", "m"], 400), "x": rng.random(400), "y": rng.integers(0, 2, 400)})
data = fmd.table(frame, target="y", protected="sex")
data.fingerprint, data.source.counterfactual_frame(np.arange(3), "sex", np.zeros(3, int))
print([name for name in ("torch", "torchvision", "captum") if name in sys.modules])
"""
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert answer.stdout.strip() == "[]", answer.stderr
