"""Adult: UCI's raw files, what a twin changes and what the notes admit."""

import numpy as np
import pandas as pd
import pytest
import sklearn.datasets

from fmd_core.data import SPLITS
from fmd_core.datasets.public.adult import COLUMNS, TEST, TRAIN, fetch_adult, load_adult
from fmd_core.errors import DataError
from fmd_core.home import data_folder

FIRST = {
    TRAIN: "39, State-gov, 77516, Bachelors, 13, Never-married, Adm-clerical, Not-in-family, White, Male, "
    "2174, 0, 40, United-States, <=50K",
    TEST: "25, Private, 226802, 11th, 7, Never-married, Machine-op-inspct, Own-child, Black, Male, "
    "0, 0, 40, United-States, <=50K.",
}
REAL = data_folder() / "adult"
real = pytest.mark.skipif(not (REAL / TRAIN).exists(), reason="no Adult in the data folder")


def person(rng, i):
    sex = ("Male", "Female")[i % 2]
    married = i % 3 == 0
    home = ("Husband" if sex == "Male" else "Wife") if married else ("Own-child", "Unmarried")[i // 4 % 2]
    job = rng.choice(["Sales", "?"] if sex == "Male" else ["Adm-clerical", "?"])
    cells = (
        rng.integers(17, 91), rng.choice(["Private", "?"]), rng.integers(20_000, 900_000),
        ("HS-grad", "Bachelors")[i // 2 % 2], (9, 13)[i // 2 % 2],
        "Married-civ-spouse" if married else "Never-married", job, home,
        rng.choice(["White", "Black", "Other"]), sex, 0, 0, 40,
        "United-States", rng.choice(["<=50K", ">50K"]),
    )  # fmt: skip
    return ", ".join(str(cell) for cell in cells)


def write_adult(folder, *, newline="\n", train=400, test=100):
    """Small copies of the raw files, with the comment, full stops and blank line that they have."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(2)
    rows = [FIRST[TRAIN], *(person(rng, i) for i in range(train - 1))]
    tested = ["|1x3 Cross validator", FIRST[TEST], *(person(rng, i) + "." for i in range(test - 1)), ""]
    (folder / TRAIN).write_bytes((newline.join(rows) + newline).encode())
    (folder / TEST).write_bytes((newline.join(tested) + newline).encode())
    return folder


@pytest.fixture
def folder(tmp_path):
    return write_adult(tmp_path / "adult")


def counts(dataset):
    return {split: int((dataset.split == split).sum()) for split in SPLITS}


def twin(dataset, row, attribute, level):
    """Changed columns of a record: name -> (before, after)."""
    code = dataset.attribute(attribute).levels.index(level)
    before, after = dataset.source.display(row), dataset.source.display(row, attribute, code)
    return {name: (before[name], after[name]) for name in before if before[name] != after[name]}


def row_with(dataset, **values):
    records = (dataset.source.display(row) for row in range(len(dataset)))
    return next(i for i, record in enumerate(records) if values.items() <= record.items())


# --- what is read


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_the_raw_files(tmp_path, newline):
    dataset = load_adult(write_adult(tmp_path, newline=newline))
    assert counts(dataset) == {"train": 300, "external": 50, "validation": 50, "test": 100}
    assert (dataset.split[400:] == "test").all()
    assert dataset.target.levels == ("up to 50K", "over 50K")
    assert list(dataset.attributes) == ["sex", "race", "age"]
    assert dataset.attribute("sex").levels == ("Female", "Male")
    assert dataset.attribute("age").levels == ("under 30", "30 to 44", "45 to 59", "60 or more")
    assert (dataset.pair_method, dataset.unit, dataset.source.kind) == ("flipped", "person", "table")
    assert dataset.fingerprint == load_adult(write_adult(tmp_path)).fingerprint
    assert dataset.source.read(np.arange(500)).shape == (500, len(dataset.source.input_names))


def test_columns_and_missing_values(folder):
    dataset = load_adult(folder)
    record = dataset.source.display(0)
    assert (record["age"], record["education"], record["native country"]) == (
        "39",
        "Bachelors",
        "United-States",
    )
    assert not {"fnlwgt", "education num", "income"} & set(record)
    assert row_with(dataset, workclass="not stated")
    assert "Left out: the survey weight" in dataset.notes[0]
    assert any("question mark" in note for note in dataset.notes)


@pytest.mark.parametrize("spelling", ["age group", "age", "Age_Group", "AGE"])
def test_protected_attributes_by_any_spelling(folder, spelling):
    assert list(load_adult(folder, protected=[spelling, "Race", spelling]).attributes) == ["age", "race"]
    assert list(load_adult(folder, protected=spelling).attributes) == ["age"]


@pytest.mark.parametrize("protected", [["relationship"], ["sex", "income"], []])
def test_other_attributes_are_refused(folder, protected):
    with pytest.raises(DataError, match="sex, race, age"):
        load_adult(folder, protected=protected)


# --- twins


def test_a_sex_twin_changes_husband_and_wife_too(folder):
    dataset = load_adult(folder)
    husband = row_with(dataset, relationship="Husband")
    assert twin(dataset, husband, "sex", "Female") == {
        "sex": ("Male", "Female"),
        "relationship": ("Husband", "Wife"),
    }
    child = row_with(dataset, relationship="Own-child", sex="Female")
    assert twin(dataset, child, "sex", "Male") == {"sex": ("Female", "Male")}
    assert twin(dataset, husband, "sex", "Male") == {}
    assert any("from husband to wife" in note for note in dataset.notes)


def test_race_and_age_twins_change_nothing_else(folder):
    dataset = load_adult(folder)
    assert list(twin(dataset, 0, "race", "Black")) == ["race"]
    assert list(twin(dataset, 0, "age", "60 or more")) == ["age"]
    assert twin(dataset, 0, "age", "30 to 44") == {}
    assert any("median age" in note for note in dataset.notes)


def test_notes_name_the_columns_that_give_sex_away(folder):
    notes = load_adult(folder).notes
    assert any("still hint at sex" in note and "occupation" in note for note in notes)
    assert not any("relationship" in note for note in notes)  # husband and wife swap, the rest is even
    assert not any("hint at sex" in note for note in load_adult(folder, protected=["race"]).notes)


def test_without_wives_nothing_is_swapped(folder):
    for name in (TRAIN, TEST):
        (folder / name).write_text((folder / name).read_text().replace("Wife", "Unmarried"))
    dataset = load_adult(folder)
    husband = row_with(dataset, relationship="Husband")
    assert list(twin(dataset, husband, "sex", "Female")) == ["sex"]
    assert not any("husband" in note for note in dataset.notes)
    assert any("relationship" in note for note in dataset.notes)


# --- broken files


@pytest.mark.parametrize(
    ("name", "old", "new", "words"),
    [
        (TRAIN, "39, State-gov,", "39, State-gov;", "the line '39, State-gov; 77516"),
        (TEST, "25, Private", "25, a, Private", "where Adult has 15 values in each"),
        (TRAIN, "39, State-gov", "old, State-gov", "has 'old' as age"),
        (TEST, "25, Private", "?, Private", r"has '\?' as age"),
        (TRAIN, "<=50K", "rich", "'income' has the value 'rich'"),
    ],
)
def test_a_broken_file(folder, name, old, new, words):
    text = (folder / name).read_text()
    (folder / name).write_text(text.replace(old, new, 1))
    with pytest.raises(DataError, match=words):
        load_adult(folder)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("<html>503</html>", "is a web page"),
        ("", "has no lines"),
        ("|comment\n", "has no lines"),
        (None, "missing"),
    ],
)
def test_no_file(folder, content, words):
    (folder / TEST).unlink()
    if content is not None:
        (folder / TEST).write_text(content)
    with pytest.raises(DataError, match=f"'{TEST}' .*{words}"):
        load_adult(folder)


# --- download


def openml_frame(folder, order=(TEST, TRAIN)):
    """What scikit-learn gives: both parts in one table, words as categories, no full stops."""
    frames = []
    for name in order:
        lines = [line for line in (folder / name).read_text().splitlines() if line and line[0] != "|"]
        rows = [[cell.strip().rstrip(".") for cell in line.split(",")] for line in lines]
        frames.append(pd.DataFrame(rows, columns=[*COLUMNS[:-1], "class"]).replace("?", np.nan))
    frame = pd.concat(frames, ignore_index=True)
    numbers = ["age", "fnlwgt", "education-num", "capital-gain", "capital-loss", "hours-per-week"]
    words = [name for name in frame.columns if name not in numbers]
    return frame.astype(dict.fromkeys(numbers, "int64") | dict.fromkeys(words, "category"))


@pytest.fixture
def openml(monkeypatch):
    """Let scikit-learn 'fetch' a frame, or raise an error."""

    def answer(with_what):
        def fetch_openml(*, data_id, as_frame, parser, data_home):
            assert (data_id, as_frame, parser) == (1590, True, "pandas")
            assert data_home
            if isinstance(with_what, Exception):
                raise with_what
            return sklearn.utils.Bunch(frame=with_what)

        monkeypatch.setattr(sklearn.datasets, "fetch_openml", fetch_openml)

    return answer


@pytest.mark.parametrize("order", [(TRAIN, TEST), (TEST, TRAIN)])
def test_a_download_is_what_the_raw_files_are(folder, tmp_path, openml, order):
    openml(openml_frame(folder, order))
    fetch_adult(tmp_path / "new" / "adult")
    fetched = tmp_path / "new" / "adult"
    assert load_adult(fetched).fingerprint == load_adult(folder).fingerprint
    assert sorted(path.name for path in fetched.iterdir()) == [TRAIN, TEST]


def test_a_refused_download_is_explained(folder, tmp_path, openml):
    for error in (ConnectionError("no route"), ValueError("md5 checksum"), RuntimeError("openml")):
        openml(error)
        with pytest.raises(DataError, match=rf"OpenML \({type(error).__name__}\).*{TRAIN}.*yourself"):
            fetch_adult(tmp_path / "new")
    openml(openml_frame(folder).sample(frac=1, random_state=0))
    with pytest.raises(DataError, match="not in the official order"):
        fetch_adult(tmp_path / "new")
    openml(openml_frame(folder).drop(columns="fnlwgt"))
    with pytest.raises(DataError, match="no column 'fnlwgt'"):
        fetch_adult(tmp_path / "new")
    assert not (tmp_path / "new").exists()
    openml(openml_frame(folder))
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DataError, match="'file' may not be written to"):
        fetch_adult(tmp_path / "file")


# --- the real people


@real
def test_the_real_people():
    dataset = load_adult(REAL)
    assert len(dataset) == 48_842
    assert counts(dataset) == {"train": 28_561, "external": 2_000, "validation": 2_000, "test": 16_281}
    assert np.bincount(dataset.target.codes).tolist() == [37_155, 11_687]
    assert np.bincount(dataset.attribute("sex").codes).tolist() == [16_192, 32_650]
    race = dataset.attribute("race")
    assert race.levels == ("Amer-Indian-Eskimo", "Asian-Pac-Islander", "Black", "Other", "White")
    assert np.bincount(race.codes).tolist() == [470, 1_519, 4_685, 406, 41_762]
    hints = next(note for note in dataset.notes if "hint at sex" in note)
    assert "relationship 72%, marital status 72%, occupation" in hints
    assert any("are equal to a person in training" in note for note in dataset.notes)


@real
def test_a_real_download_would_give_the_same_people(tmp_path, openml):
    for name in (TRAIN, TEST):  # some thousand, for speed
        (tmp_path / name).write_text("\n".join((REAL / name).read_text().splitlines()[:4_000]))
    openml(openml_frame(tmp_path))
    fetch_adult(tmp_path / "new")
    assert load_adult(tmp_path / "new").fingerprint == load_adult(tmp_path).fingerprint
