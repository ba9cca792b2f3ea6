"""Samples are read ahead, in order, and a stop leaves no thread behind."""

import threading
from contextlib import closing

import numpy as np
import pytest

from fmd_core import DataError
from fmd_core.models.encoding import encode_rows
from fmd_core.models.reading_ahead import read_ahead


def readers():
    return [thread for thread in threading.enumerate() if thread.name.startswith("reader")]


@pytest.mark.parametrize("count", [1, 3])
def test_the_next_is_read_while_the_last_is_worked_on(count):
    begun = {part: threading.Event() for part in range(6)}

    def read(part):
        begun[part].set()
        return part * 10

    with closing(read_ahead(read, range(6), count)) as found:
        assert next(found) == 0
        assert all(begun[part].wait(5) for part in range(1, count + 1))
        assert not any(begun[part].is_set() for part in range(count + 1, 6))  # and no more: they take memory
        assert list(found) == [10, 20, 30, 40, 50]


def test_an_error_comes_at_its_place_and_a_stop_ends_the_readers():
    def read(part):
        if part == 2:
            raise DataError("This picture is damaged.")
        return part

    found = read_ahead(read, range(5), 2)
    assert [next(found), next(found)] == [0, 1]
    with pytest.raises(DataError, match="damaged"):
        next(found)
    stopped = read_ahead(read, range(2), 2)
    next(stopped)
    stopped.close()
    assert readers() == []


def test_features_are_the_same_and_a_stop_is_heard_by_who_asked(tiny, monkeypatch):
    monkeypatch.setattr("fmd_core.models.encoding.BATCH_ROWS", 16)
    rows, told = tiny.dataset.rows("test"), []

    def stop(share):
        told.append((share, threading.current_thread()))
        if len(told) == 3:
            raise InterruptedError

    whole = encode_rows(tiny.classifier, tiny.dataset, rows)
    each = np.concatenate([encode_rows(tiny.classifier, tiny.dataset, rows[[place]]) for place in range(20)])
    np.testing.assert_allclose(whole[:20], each, rtol=1e-5, atol=1e-6)
    with pytest.raises(InterruptedError):
        encode_rows(tiny.classifier, tiny.dataset, rows, progress=stop)
    assert {thread for _, thread in told} == {threading.current_thread()}
    assert readers() == []
