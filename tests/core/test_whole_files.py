"""Written whole or not at all: after a kill, on a full disk, by two at once; and with the same permissions."""

import errno
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from fmd_core.errors import DataError
from fmd_core.home import room_needed
from fmd_core.running.file_lock import take_lock
from fmd_core.running.whole_files import ABANDONED_SECONDS, write_text_whole, written_whole

HALF = """
import sys, time
from pathlib import Path
from fmd_core.running.whole_files import written_whole

with written_whole(Path(sys.argv[1])) as part, part.open("w") as file:
    file.write("half")
    file.flush()
    print("half", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def path(tmp_path):
    found = tmp_path / "notes [1].json"
    found.write_text("old")
    return found


def names(path):
    return sorted(file.name for file in path.parent.iterdir())


def test_what_was_written_takes_the_place_of_the_old_file(path):
    with written_whole(path) as part:
        part.write_text("new")
        assert path.read_text() == "old", "readers meet the old file until the end"
    assert path.read_text() == "new"
    assert names(path) == [path.name]


def test_a_file_that_is_not_there_yet(tmp_path):
    with written_whole(tmp_path / "first") as part:
        part.write_text("new")
    assert (tmp_path / "first").read_text() == "new"


def test_a_writer_killed_half_way_leaves_the_old_file_whole_and_the_next_tidies_up(path):
    process = subprocess.Popen([sys.executable, "-c", HALF, str(path)], stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"half\n"
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    assert path.read_text() == "old"
    left = next(file for file in path.parent.iterdir() if file != path)
    assert left.read_text() == "half"
    with written_whole(path) as part:
        part.write_text("new")
    assert left.exists(), "it could still be somebody's"
    day_ago = left.stat().st_mtime - ABANDONED_SECONDS - 60
    os.utime(left, (day_ago, day_ago))
    (other := path.with_name(f"{path.name}.backup.part")).write_text("not ours")
    os.utime(other, (day_ago, day_ago))
    with written_whole(path) as part:
        part.write_text("newer")
    assert names(path) == [path.name, other.name]


@pytest.mark.parametrize("error", [ValueError("no"), KeyboardInterrupt(), OSError(errno.EIO, "no")])
def test_whatever_goes_wrong_passes_through_and_leaves_the_old_file(path, error):
    def fail():
        with written_whole(path) as part:
            part.write_text("half")
            raise error

    with pytest.raises(type(error)):
        fail()
    assert path.read_text() == "old"
    assert names(path) == [path.name]


def test_a_block_that_writes_nothing_is_an_error_and_no_empty_file(path):
    with pytest.raises(FileNotFoundError), written_whole(path):
        pass
    assert path.read_text() == "old"


def test_a_disk_that_is_full_at_the_last_step_leaves_the_old_file(path, monkeypatch):
    def full(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with (
        pytest.raises(DataError, match="The disk is full"),
        room_needed(DataError),
        written_whole(path) as part,
    ):
        part.write_text("new")
    assert path.read_text() == "old"
    assert names(path) == [path.name]


@pytest.mark.skipif(not os.access("/dev/full", os.W_OK), reason="no device that is always full")
def test_a_disk_that_is_full_while_writing_leaves_the_old_file(path):
    def write():
        with written_whole(path) as part:
            part.symlink_to("/dev/full")
            part.write_text("new")

    with pytest.raises(OSError, match="No space left"):
        write()
    assert path.read_text() == "old"
    assert names(path) == [path.name]


def test_only_the_last_step_is_worded_as_the_caller_asks(path, monkeypatch):
    def fail(*_):
        raise OSError(errno.EDQUOT, "Disk quota exceeded")

    with pytest.raises(OSError, match="mine"), written_whole(path, move=lambda: room_needed(DataError)):
        raise OSError(errno.ENOSPC, "mine")
    monkeypatch.setattr(os, "replace", fail)
    with (
        pytest.raises(DataError, match="The disk is full"),
        written_whole(path, move=lambda: room_needed(DataError)) as part,
    ):
        part.write_text("new")


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o644])
def test_permissions_are_kept(path, mode):
    path.chmod(mode)
    with written_whole(path) as part:
        part.write_text("new")
    assert path.stat().st_mode & 0o777 == mode


def test_a_new_file_has_the_permissions_that_its_writer_gave(tmp_path):
    with written_whole(tmp_path / "secret") as part:
        part.touch(0o600)
    assert (tmp_path / "secret").stat().st_mode & 0o777 == 0o600


def test_of_two_writers_at_once_the_last_ones_file_stays_whole(path):
    begun = threading.Barrier(2)

    def write(letter):
        with written_whole(path) as part, part.open("w") as file:
            file.write(letter * 1000)
            begun.wait(5)
            file.write(letter * 1000)

    threads = [threading.Thread(target=write, args=letter) for letter in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert path.read_text() in ("a" * 2000, "b" * 2000)
    assert names(path) == [path.name]


# --- the lock


def test_a_lock_is_refused_to_others_until_its_file_is_closed(path):
    with path.open() as mine, path.open() as other:
        assert take_lock(mine.fileno())
        assert not take_lock(other.fileno())
        mine.close()
        assert take_lock(other.fileno())
    assert path.read_text() == "old", "a lock changes nothing in the file"


def test_a_lock_ends_with_its_process(path):
    code = (
        "import sys, os\nfrom fmd_core.running.file_lock import take_lock\n"
        "print(take_lock(os.open(sys.argv[1], os.O_RDONLY)), flush=True)\nsys.stdin.read()"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", code, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with path.open() as file:
        assert holder.stdout.readline() == b"True\n"
        assert not take_lock(file.fileno())
        holder.send_signal(signal.SIGKILL)
        holder.wait()
        assert take_lock(file.fileno())
    holder.stdin.close()
    holder.stdout.close()


def test_who_waits_for_a_lock_gets_it_when_it_is_free(path):
    with path.open() as mine, path.open() as other:
        take_lock(mine.fileno())
        timer = threading.Timer(0.1, mine.close)
        timer.start()
        assert take_lock(other.fileno(), wait=True)
        assert mine.closed
        timer.join()


def test_where_the_file_system_has_no_locks_none_is_taken(path, monkeypatch):
    import filelock

    def none(_fd, *, blocking):
        raise OSError(errno.ENOSYS, f"no locks, blocking={blocking}")

    monkeypatch.setattr(filelock, "lock_descriptor", none)
    with path.open() as file:
        assert not take_lock(file.fileno())


def test_a_text_is_written_whole_and_a_device_as_it_comes(path, monkeypatch):
    write_text_whole(path, "new é")
    assert path.read_text(encoding="utf-8") == "new é"

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", full)
        with pytest.raises(OSError, match="No space"):
            write_text_whole(path, "newer")
    assert path.read_text(encoding="utf-8") == "new é"
    assert names(path) == [path.name]
    write_text_whole(Path(os.devnull), "gone")
    assert Path(os.devnull).is_char_device()
