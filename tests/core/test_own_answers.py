"""The owner's own answers beside ours."""

import io

import numpy as np
import pandas as pd
import pytest

from fmd_core.data import SPLITS
from fmd_core.datasets.own.table import make_table_dataset
from fmd_core.errors import DataError
from fmd_core.models.own_answers import MOST_ASKED, OwnAnswers, agreement, read_answers, spread_out

N = 40
PATHS = [f"train/{i}.jpg" for i in range(20)] + [f"val/{i}.jpg" for i in range(20)]


@pytest.fixture(scope="module")
def data():
    frame = pd.DataFrame(
        {"x": np.arange(N) * 1.0, "sex": np.resize(["f", "m"], N), "y": np.resize(["no", "yes"], N)}
    )
    return make_table_dataset(
        "P", frame, target="y", protected=["sex"], split=np.resize(SPLITS, N), unit="person"
    )


@pytest.fixture(scope="module")
def ours():
    second = np.linspace(0.05, 0.95, N)
    return np.column_stack([1 - second, second])


def npy(values):
    out = io.BytesIO()
    np.save(out, values, allow_pickle=False)
    return out.getvalue()


def test_classes_and_probabilities_by_row_number(data, ours):
    said = read_answers(b"row,class\n0,no\n39,yes\n3,yes\n", "a.csv", data)
    assert said.rows.tolist() == [0, 39, 3]
    found = agreement(said, ours[said.rows])
    assert (found.n, found.flips, found.largest, found.is_equal) == (3, 1, None, False)
    lines = "\n".join(f"{row};{ours[row, 1]}" for row in range(10))
    found = agreement(read_answers(f"row;p\n{lines}".encode(), "a.csv", data), ours[:10])
    assert found.is_equal
    assert found.largest < 1e-9


def test_a_probability_for_each_class_by_its_name(data, ours):
    said = read_answers(b"row,yes,no\n0,0.05,0.95\n39,0.95,0.05\n", "a.csv", data)
    assert agreement(said, ours[said.rows]).is_equal
    turned = read_answers(b"row,no,yes\n0,0.05,0.95\n39,0.95,0.05\n", "a.csv", data)
    found = agreement(turned, ours[turned.rows])
    assert found.flips == 2
    assert found.largest == pytest.approx(0.9)


def test_file_names_are_found_by_as_much_of_the_path_as_is_needed(data):
    said = read_answers(b"file,y\nval/3.jpg,1\nC:\\pics\\train\\3.jpg,0\n", "a.csv", data, PATHS)
    assert said.rows.tolist() == [23, 3]
    assert said.classes.tolist() == [1, 0]
    with pytest.raises(DataError, match=r"1 of 1 names are no picture of 'P', or several: 3\.jpg"):
        read_answers(b"file,y\n3.jpg,1\n", "a.csv", data, PATHS)


def test_an_array_for_every_row_or_for_the_test_part(data, ours):
    assert agreement(read_answers(npy(ours), "a.npy", data), ours).is_equal
    test = data.rows("test")
    said = read_answers(npy(ours[test, 1].astype("float32")), "a.npy", data)
    assert said.rows.tolist() == test.tolist()
    assert agreement(said, ours[test]).is_equal
    classes = read_answers(npy(ours.argmax(axis=1)), "a.npy", data)
    assert agreement(classes, ours).flips == 0


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "needs a header"),
        (b"a,b\n", "needs a header"),
        (b"row,class\n0,maybe\n", "neither a class of the target nor a number"),
        (b"row,class\n99,no\n", "row number from 0 to 39"),
        (b"row,p\n0,1.5\n1,0.5\n", "lies between 0 and 1"),
        (b"row,no,yes\n0,0.9,0.9\n", "must be probabilities"),
        (b"row,class\n0,nan\n", "not numbers"),
        (b"row,class\n0,no\n1\n", "Not every line"),
        (b"\xff\xfe\x00,1\n", "no table of text"),
        (npy(np.zeros((7, 2))), "an entry for each"),
        (npy(np.zeros((N, 3))), "3 numbers for each row"),
        (npy(np.zeros((N, 2)))[:-9], "damaged"),
        (b"\x93NUMPY\x01\x00\x10\x00{'shape': (1e9,)}", "damaged"),
    ],
)
def test_a_list_that_cannot_be_compared_says_why(content, said, data):
    with pytest.raises(DataError, match=said):
        read_answers(content, "a.csv", data)


def test_objects_are_never_unpickled(data):
    out = io.BytesIO()
    np.save(out, np.array([object()] * N, dtype=object), allow_pickle=True)
    with pytest.raises(DataError, match="damaged, too large or holds objects"):
        read_answers(out.getvalue(), "a.npy", data)


def test_many_answers_are_asked_evenly():
    n = 3 * MOST_ASKED
    found = spread_out(OwnAnswers(np.arange(n), np.zeros(n, int), None))
    assert len(found.rows) == MOST_ASKED
    assert (found.rows[0], found.rows[-1]) == (0, n - 1)


def test_one_half_is_nobodys_flip():
    said = OwnAnswers(np.arange(1), None, np.array([0.50001]))
    assert agreement(said, np.array([[0.500005, 0.499995]])).flips == 0
