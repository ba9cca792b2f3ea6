"""Features on disk: whole or not at all, computed once, bounded."""

import errno
import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

import fmd_core as fmd
from app.jobs.job import JobStopped
from fmd_core.data import frozen_array
from fmd_core.errors import DataError
from fmd_core.models import feature_store
from fmd_core.models.feature_store import FeatureStore
from fmd_core.running import file_lock

KEY, OTHER, THIRD = "a" * 64, "b" * 64, "c" * 64
FEATURES = np.random.default_rng(0).normal(size=(10, 3)).astype("float32")


@pytest.fixture
def store(tmp_path):
    return FeatureStore(tmp_path / "features")


def batches(features=FEATURES, size=4):
    return (features[start : start + size] for start in range(0, len(features), size))


def refuse():
    raise AssertionError("computed again")


def files(store):
    return sorted(path.name for path in store.folder.iterdir())


def entry(store, key=KEY):
    return store.folder / f"{key}.npy"


# --- what comes back


def test_computed_once_and_found_by_another_store_later(store):
    first = store.get_or_compute(KEY, 10, batches)
    again = FeatureStore(store.folder).get_or_compute(KEY, 10, refuse)
    np.testing.assert_array_equal(first, FEATURES)
    np.testing.assert_array_equal(again, FEATURES)
    assert files(store) == [f"{KEY}.npy"]


def test_the_entry_is_a_read_only_map_that_plain_numpy_reads(store):
    found = store.get_or_compute(KEY, 10, lambda: batches(FEATURES.astype("float64")))
    assert isinstance(found, np.memmap)
    assert (found.dtype, found.flags.writeable) == (np.float32, False)
    with pytest.raises(ValueError, match="read-only"):
        found[0, 0] = 1
    np.testing.assert_array_equal(np.load(entry(store), allow_pickle=False), FEATURES)


def test_a_feature_set_does_not_copy_it(store):
    found = store.get_or_compute(KEY, 10, batches)
    assert np.shares_memory(frozen_array(found), found)
    people = fmd.FeatureSet(found, np.zeros(10, int), np.arange(10))
    assert np.shares_memory(people.features, found)
    assert people.fingerprint == fmd.FeatureSet(FEATURES, np.zeros(10, int), np.arange(10)).fingerprint


@pytest.mark.parametrize("size", [1, 3, 10, 100])
def test_the_batch_size_does_not_matter(store, size):
    np.testing.assert_array_equal(store.get_or_compute(KEY, 10, lambda: batches(size=size)), FEATURES)


def test_slices_and_column_order_are_written_right(store):
    wide = np.asfortranarray(np.arange(60, dtype=">f8").reshape(10, 6))
    np.testing.assert_array_equal(store.get_or_compute(KEY, 10, lambda: [wide[:, ::2]]), wide[:, ::2])


def test_the_default_folder_is_in_the_home_of_the_dashboard(tmp_path, monkeypatch):
    monkeypatch.setenv("FMD_HOME", str(tmp_path))
    assert FeatureStore().folder == tmp_path / "features"


@pytest.mark.parametrize("key", ["", "../" * 8 + "a" * 16, "A" * 64, "a" * 15, "a" * 64 + "\n", "a" * 200])
def test_a_key_that_is_no_digest_is_refused(store, key):
    with pytest.raises(ValueError, match="not a hex digest"):
        store.get_or_compute(key, 10, batches)


# --- batches that do not fit


@pytest.mark.parametrize(
    ("n_rows", "parts", "sentence"),
    [
        (11, [FEATURES], "gave features for 10 samples, but there are 11"),
        (9, [FEATURES], "gave features for more than 9 samples, but there are 9"),
        (10, [], "gave features for 0 samples, but there are 10"),
        (10, [FEATURES[:5], FEATURES[5:, :2]], r"shape \(5, 2\) after 5 samples with 3 features"),
        (10, [FEATURES[0]], r"shape \(3,\) after 0 samples"),
        (10, [FEATURES[:, :0]], r"shape \(10, 0\) after 0 samples"),
    ],
)
def test_batches_that_do_not_fit_are_refused_and_nothing_stays(store, n_rows, parts, sentence):
    with pytest.raises(DataError, match=sentence):
        store.get_or_compute(KEY, n_rows, lambda: parts)
    assert files(store) == []


@pytest.mark.parametrize("error", [JobStopped(), RuntimeError("torch"), OSError(errno.ENOENT, "an image")])
def test_what_the_batches_raise_passes_through_and_nothing_stays(store, error):
    def stopped():
        yield FEATURES[:4]
        assert [name for name in files(store) if name.endswith(".part")]
        raise error

    with pytest.raises(type(error)) as caught:
        store.get_or_compute(KEY, 10, stopped)
    assert caught.value is error
    assert files(store) == []
    np.testing.assert_array_equal(store.get_or_compute(KEY, 10, batches), FEATURES)  # and no lock is held


# --- the disk


@pytest.mark.parametrize("after", [0, 1, 2])
def test_a_full_disk_is_one_sentence_and_nothing_stays(store, monkeypatch, after):
    calls, write = [], os.write

    def full(file, data):
        calls.append(1)
        if len(calls) > after:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(file, data)

    monkeypatch.setattr(feature_store.os, "write", full)
    with pytest.raises(DataError, match="The disk is full"):
        store.get_or_compute(KEY, 10, batches)
    assert files(store) == []


def test_a_disk_that_takes_only_some_bytes_at_a_time_gets_all(store, monkeypatch):
    write = os.write
    monkeypatch.setattr(feature_store.os, "write", lambda file, data: write(file, data[:7]))
    np.testing.assert_array_equal(store.get_or_compute(KEY, 10, batches), FEATURES)


def test_a_disk_that_fails_at_the_end_is_worded_too(store, monkeypatch):
    def broken(_file):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(feature_store.os, "fsync", broken)
    with pytest.raises(DataError, match=r"could not be saved.*Input/output error"):
        store.get_or_compute(KEY, 10, batches)
    assert files(store) == []


def test_a_folder_that_cannot_be_made_is_worded(tmp_path):
    (tmp_path / "features").write_text("a file stands here")
    with pytest.raises(DataError, match="could not be saved"):
        FeatureStore(tmp_path / "features").get_or_compute(KEY, 10, batches)


# --- damage


def whole(store):
    return entry(store).read_bytes()


DAMAGES = {
    "empty": lambda _: b"",
    "half": lambda data: data[: len(data) // 2],
    "header only": lambda data: data[:128],
    "half a header": lambda data: data[:40],
    "one byte less": lambda data: data[:-1],
    "one byte more": lambda data: data + b"x",
    "no npy": lambda data: b"PK\x03\x04" + data[4:],
    "noise": lambda _: bytes(range(256)) * 4,
    "another type": lambda data: data.replace(b"<f4", b"<i4"),
    "objects": lambda data: data.replace(b"'<f4'", b"'|O' "),
    "half zeroed": lambda data: data[:128] + bytes(60) + data[188:],
    "not a number": lambda data: data[:128] + np.float32("nan").tobytes() + data[132:],
    "one bit": lambda data: data[:200] + bytes([data[200] ^ 1]) + data[201:],
    "without its digest": lambda data: data[: -feature_store.DIGEST_BYTES],
    "another order": lambda data: data.replace(b"'fortran_order': False", b"'fortran_order': True "),
    "another shape": lambda data: data.replace(b"(10, 3)", b"(3, 10)"),
    "a broken header": lambda data: data.replace(b"{", b"("),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_entry_is_computed_again(store, damage):
    store.get_or_compute(KEY, 10, batches)
    damaged = DAMAGES[damage](whole(store))
    assert damaged != whole(store)
    entry(store).unlink()  # a new file: the first one is still mapped
    entry(store).write_bytes(damaged)
    fresh = FEATURES + 1
    np.testing.assert_array_equal(store.get_or_compute(KEY, 10, lambda: batches(fresh)), fresh)
    np.testing.assert_array_equal(store.get_or_compute(KEY, 10, refuse), fresh)


def test_an_entry_changed_under_a_running_process_is_computed_again(store):
    store.get_or_compute(KEY, 10, batches)
    store.get_or_compute(KEY, 10, refuse)
    with entry(store).open("r+b") as file:
        file.seek(128)
        file.write(bytes(60))
    np.testing.assert_array_equal(store.get_or_compute(KEY, 10, batches), FEATURES)


def test_an_entry_is_checked_once_in_a_process(store, monkeypatch):
    store.get_or_compute(KEY, 10, batches)
    monkeypatch.setattr(feature_store.hashlib, "sha256", refuse)
    np.testing.assert_array_equal(store.get_or_compute(KEY, 10, refuse), FEATURES)


def test_what_is_no_number_is_never_stored(store):
    bad = FEATURES.copy()
    bad[7, 1] = np.nan
    with pytest.raises(DataError, match=r"not numbers among samples 5 to 8 of 10"):
        store.get_or_compute(KEY, 10, lambda: batches(bad))
    assert files(store) == []


def test_what_a_kill_left_goes_at_the_first_look_of_the_next_process(store, monkeypatch):
    store.get_or_compute(KEY, 10, batches)
    (store.folder / "x.part").write_bytes(b"half")
    age(store.folder / "x.part", 120)
    monkeypatch.setattr(feature_store, "_SWEPT", set())
    store.get_or_compute(KEY, 10, refuse)
    assert files(store) == [f"{KEY}.npy"]


WRITER = """
import sys, time
from pathlib import Path
import numpy as np
from fmd_core.models.feature_store import FeatureStore
def slow():
    for start in range(10):
        yield np.full((1, 3), 7, "float32")
        time.sleep(float(sys.argv[3]))
FeatureStore(Path(sys.argv[1])).get_or_compute(sys.argv[2], 10, slow)
"""


def write_in_a_process(store, pause):
    return subprocess.Popen([sys.executable, "-c", WRITER, store.folder, KEY, str(pause)])


def half_written(store):
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        for part in store.folder.glob("*.part"):
            if part.stat().st_size > 128:
                return part
        time.sleep(0.01)
    raise AssertionError("the child wrote nothing")


def age(path, seconds):
    os.utime(path, (time.time() - seconds,) * 2)


def test_a_writer_killed_half_way_leaves_nothing_that_is_used(store):
    child = write_in_a_process(store, 60)
    try:
        part = half_written(store)
        age(part, 120)
        np.testing.assert_array_equal(store.get_or_compute(OTHER, 10, batches), FEATURES)
        assert part.exists()  # its writer lives
    finally:
        child.send_signal(signal.SIGKILL)
        child.wait()
    assert not entry(store).exists()
    np.testing.assert_array_equal(store.get_or_compute(KEY, 10, batches), FEATURES)  # not its sevens
    assert files(store) == [f"{KEY}.npy", f"{OTHER}.npy"]  # its lock ended with it


def test_a_half_written_entry_of_yesterday_goes_even_if_somebody_holds_it(store, monkeypatch):
    store.folder.mkdir()
    (store.folder / "x.part").write_bytes(b"half")
    age(store.folder / "x.part", 90_000)
    monkeypatch.setattr(feature_store, "take_lock", lambda _: False)
    store.get_or_compute(KEY, 10, batches)
    assert files(store) == [f"{KEY}.npy"]


def test_a_fresh_half_written_entry_is_left_to_its_writer(store):
    store.folder.mkdir()
    (store.folder / "x.part").write_bytes(b"half")
    store.get_or_compute(KEY, 10, batches)
    assert files(store) == [f"{KEY}.npy", "x.part"]


# --- many at once


def test_threads_that_ask_for_the_same_compute_once(store):
    calls, found = [], []

    def slow():
        calls.append(1)
        time.sleep(0.05)
        yield from batches()

    def ask():
        found.append(FeatureStore(store.folder).get_or_compute(KEY, 10, slow))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert calls == [1]
    assert len(found) == 8
    for each in found:
        np.testing.assert_array_equal(each, FEATURES)


def test_another_key_does_not_wait(store):
    inner = []

    def asks_for_another():
        inner.append(store.get_or_compute(OTHER, 10, batches))
        yield FEATURES

    store.get_or_compute(KEY, 10, asks_for_another)
    assert len(inner) == 1


def test_a_second_process_waits_and_takes_what_the_first_one_wrote(store):
    child = write_in_a_process(store, 0.1)
    half_written(store)
    looks = []
    mine = store.get_or_compute(KEY, 10, refuse, lambda: looks.append(time.monotonic()))
    assert child.wait(30) == 0
    np.testing.assert_array_equal(mine, np.full((10, 3), 7))
    assert looks  # it waited, and could have been stopped
    assert files(store) == [f"{KEY}.npy"]


def test_waiting_for_another_process_can_be_stopped(store):
    child = write_in_a_process(store, 60)
    try:
        half_written(store)

        def stop():
            raise JobStopped

        with pytest.raises(JobStopped):
            store.get_or_compute(KEY, 10, refuse, stop)
    finally:
        child.kill()
        child.wait()
    np.testing.assert_array_equal(
        store.get_or_compute(KEY, 10, batches), FEATURES
    )  # the dead one holds nothing


def test_two_processes_without_locks_both_get_a_whole_entry(store, monkeypatch):
    monkeypatch.setattr(file_lock, "_held", lambda *_: None)
    mapped = []

    def slower_than_the_child():
        yield FEATURES[:5]
        assert write_in_a_process(store, 0).wait(30) == 0
        mapped.append(np.lib.format.open_memmap(entry(store), mode="r"))
        yield FEATURES[5:]

    mine = store.get_or_compute(KEY, 10, slower_than_the_child)
    np.testing.assert_array_equal(mine, FEATURES)
    np.testing.assert_array_equal(mapped[0], np.full((10, 3), 7))  # theirs stays valid though replaced
    assert files(store) == [f"{KEY}.npy"]


# --- the bound


def test_what_was_used_longest_ago_goes_first(tmp_path):
    size = 128 + FEATURES.nbytes + feature_store.DIGEST_BYTES
    store = FeatureStore(tmp_path, limit_bytes=2 * size)
    mapped = store.get_or_compute(KEY, 10, batches)
    store.get_or_compute(OTHER, 10, batches)
    age(entry(store, KEY), 300)
    age(entry(store, OTHER), 200)
    store.get_or_compute(KEY, 10, refuse)  # used: now the younger one
    store.get_or_compute(THIRD, 10, batches)
    assert files(store) == [f"{KEY}.npy", f"{THIRD}.npy"]
    entry(store, KEY).unlink()
    np.testing.assert_array_equal(mapped, FEATURES)  # who has it open keeps it


def test_the_newest_stays_even_when_it_is_too_large_alone(tmp_path):
    store = FeatureStore(tmp_path, limit_bytes=10)
    for key in (KEY, OTHER):
        np.testing.assert_array_equal(store.get_or_compute(key, 10, batches), FEATURES)
        age(entry(store, key), -3600)  # a clock that ran ahead makes it no younger than the next
    assert files(store) == [f"{OTHER}.npy"]


def test_files_of_others_in_the_folder_are_left_alone(tmp_path):
    (tmp_path / "notes.txt").write_text("x" * 1000)
    store = FeatureStore(tmp_path, limit_bytes=10)
    store.get_or_compute(KEY, 10, batches)
    assert (tmp_path / "notes.txt").exists()


# --- what comes with a demo


def test_the_first_demos_features_come_with_it_and_are_what_its_model_makes(store, demo, monkeypatch):
    def refused(*_, **__):
        raise AssertionError("computed again")

    exact = demo.features["test"].features
    with monkeypatch.context() as patch:
        patch.setattr(fmd.Classifier, "encode_batches", refused)
        found = fmd.extract_features(demo.classifier, demo.dataset, split="test", store=store)
        twins = fmd.pair_counterfactuals(
            demo.dataset, demo.classifier, split="test", attribute="colour", store=store
        )
    np.testing.assert_allclose(found.features, exact, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(twins.other.features, demo.pairs["test"].other.features, rtol=1e-5, atol=1e-5)
    assert not store.folder.exists()  # nothing was written


def test_shipped_entries_count_for_their_key_alone_and_stay_as_they_are(store, tmp_path, monkeypatch):
    demos = tmp_path / "demos"
    shipped = FeatureStore(demos / "digits" / feature_store.SHIPPED)
    shipped.get_or_compute(KEY, 10, batches)
    monkeypatch.setattr(feature_store, "demo_folder", lambda: demos)
    before = entry(shipped).stat()
    np.testing.assert_array_equal(store.get_or_compute(KEY, 10, refuse), FEATURES)
    assert entry(shipped).stat().st_mtime_ns == before.st_mtime_ns
    other = store.get_or_compute(OTHER, 10, lambda: batches(2 * FEATURES))  # another model, or other data
    np.testing.assert_array_equal(other, 2 * FEATURES)
    content = bytearray(entry(shipped).read_bytes())
    content[200] ^= 1
    entry(shipped).write_bytes(content)
    np.testing.assert_array_equal(store.get_or_compute(KEY, 10, batches), FEATURES)
    assert entry(shipped).read_bytes() == bytes(
        content
    )  # of a damaged one nothing is used, and nothing removed
    assert files(store) == [f"{KEY}.npy", f"{OTHER}.npy"]
