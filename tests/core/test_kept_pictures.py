"""Pictures that are decoded once for all epochs: the same ones, as many as fit."""

import threading

import numpy as np
import pytest

import fmd_core as fmd
from fmd_core.errors import DataError
from fmd_core.models import kept_pictures, training
from fmd_core.models.kept_pictures import KeptPictures

PICTURES = np.random.default_rng(0).integers(0, 256, (50, 4, 4, 3), "uint8")
ROWS = np.arange(10, 40)


@pytest.fixture
def source():
    """Reads PICTURES, and notes which."""

    class Source:
        def __init__(self):
            self.asked = []

        def read(self, rows):
            self.asked += rows.tolist()
            return PICTURES[rows]

    return Source()


def test_each_picture_is_read_once_and_comes_as_it_is(source):
    kept, rng = KeptPictures(source.read, ROWS), np.random.default_rng(1)
    for _ in range(3):
        for part in np.array_split(rng.permutation(ROWS), 4):
            np.testing.assert_array_equal(kept(part), PICTURES[part])
    assert sorted(source.asked) == ROWS.tolist()


def test_what_does_not_fit_is_read_again(source):
    kept = KeptPictures(source.read, ROWS, limit_bytes=10 * PICTURES[0].nbytes + 1)
    for _ in range(2):
        np.testing.assert_array_equal(kept(ROWS[::-1]), PICTURES[ROWS[::-1]])
    assert sorted(source.asked[len(ROWS) :]) == ROWS[10:].tolist()
    nothing = KeptPictures(source.read, ROWS, limit_bytes=0)
    np.testing.assert_array_equal(nothing(ROWS), PICTURES[ROWS])
    np.testing.assert_array_equal(nothing(ROWS), PICTURES[ROWS])


def test_pictures_may_hold_half_of_what_all_results_may(source, monkeypatch):
    monkeypatch.setattr(kept_pictures, "budget", lambda: 20 * PICTURES[0].nbytes)
    kept = KeptPictures(source.read, ROWS)
    for _ in range(2):
        kept(ROWS)
    assert sorted(source.asked[len(ROWS) :]) == ROWS[10:].tolist()


def test_what_cannot_be_read_is_said_every_time_and_spoils_nobody_else(source):
    """As a picture that does not decode: a batch of zeros would teach something."""

    def read(rows):
        if 12 in rows:
            raise DataError("Picture 12 cannot be read.")
        return source.read(rows)

    kept = KeptPictures(read, ROWS)
    np.testing.assert_array_equal(kept(ROWS[5:]), PICTURES[ROWS[5:]])
    for _ in range(2):
        with pytest.raises(DataError, match="Picture 12"):
            kept(ROWS)
    np.testing.assert_array_equal(kept(ROWS[5:]), PICTURES[ROWS[5:]])
    np.testing.assert_array_equal(kept(ROWS[:2]), PICTURES[ROWS[:2]])


def test_what_is_no_picture_is_not_kept():
    asked = []

    def read(rows):
        asked.append(len(rows))
        return np.ones((len(rows), 3), "float32")

    kept = KeptPictures(read, ROWS)
    assert kept(ROWS).shape == kept(ROWS).shape == (30, 3)
    assert asked == [30, 30]


def test_pictures_of_another_size_take_nobody_elses_place():
    """As where a reader gives pictures as large as they are."""

    def read(rows):
        side = 4 if rows.max() < 25 else 6
        return np.full((len(rows), side, side, 3), rows[:, None, None, None], "uint8")

    kept, small, large = KeptPictures(read, ROWS), ROWS[:15], ROWS[15:]
    for _ in range(2):
        for rows in (small, large):
            np.testing.assert_array_equal(kept(rows), read(rows))


def test_several_read_at_once(source):
    """Whoever comes first keeps: nobody is given a picture that another one has not finished keeping."""
    from concurrent.futures import ThreadPoolExecutor

    rng = np.random.default_rng(2)
    for _ in range(20):
        kept, meet = KeptPictures(source.read, ROWS), threading.Barrier(4, timeout=10)

        def read(rows, kept=kept, meet=meet):
            meet.wait()
            return np.array_equal(kept(rows), PICTURES[rows])

        with ThreadPoolExecutor(4) as pool:
            assert all(pool.map(read, [rng.permutation(ROWS) for _ in range(4)]))


def test_a_picture_is_the_callers_own(source):
    kept = KeptPictures(source.read, ROWS)
    kept(ROWS)
    kept(ROWS)[:] = 0
    np.testing.assert_array_equal(kept(ROWS), PICTURES[ROWS])


def test_training_reads_every_picture_once_and_learns_the_same(demo, monkeypatch):
    few = demo.dataset
    asked, read = [], type(few.source).read

    def noted(self, rows):
        asked.extend(np.atleast_1d(rows).tolist())
        return read(self, rows)

    monkeypatch.setattr(type(few.source), "read", noted)
    kept = fmd.train_classifier(few, epochs=2, seed=3)
    rows = np.concatenate([few.rows("train"), few.rows("validation")])
    assert len(asked) < 1.2 * len(rows)  # sizes are asked of single ones
    monkeypatch.setattr(training, "KeptPictures", lambda read, _rows: read)
    assert fmd.train_classifier(few, epochs=2, seed=3).fingerprint == kept.fingerprint
