"""Models kept by task: put there whole, listed, opened again, offered for the same task elsewhere."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from safetensors import safe_open
from safetensors.numpy import save_file

import fmd_core as fmd
from fmd_core.data import SPLITS, content_fingerprint
from fmd_core.datasets.own.table import make_table_dataset
from fmd_core.errors import ModelError
from fmd_core.models import shelf as model_shelf
from fmd_core.models.architectures import build_encoder
from fmd_core.models.classifier import Classifier
from fmd_core.models.shelf import Shelved, keep_model, open_model, shelved_models

ROOT = Path(__file__).resolve().parents[2]
REFUSED = "This model is not on this machine, or was made for another task; choose another."


@pytest.fixture(autouse=True)
def shelf(tmp_path, monkeypatch):
    """The folder of all tasks, empty."""
    monkeypatch.setenv("FMD_HOME", str(tmp_path))
    return tmp_path / "models"


def table(name="Pay", seed=0, target="income", levels=("high", "low"), columns=3, first=0):
    rng, n = np.random.default_rng(seed), 60
    frame = pd.DataFrame({f"number {i}": rng.normal(size=n) for i in range(first, first + columns)})
    frame["sex"] = np.resize(["f", "m"], n)
    frame[target] = np.resize(levels, n)
    return make_table_dataset(
        name, frame, target=target, protected=["sex"], split=np.resize(np.repeat(SPLITS, 2), n)
    )


@dataclass(frozen=True, eq=False)
class Pictures:
    """Pictures that nobody looks at."""

    side: int
    kind: str = "image"
    fingerprint: str = "pictures"

    def read(self, rows):
        return np.zeros((len(rows), self.side, self.side, 3), "uint8")


def images(side=16):
    return replace(table(), name="Faces", source=Pictures(side))


def model(seed=0, name="", architecture="mlp", n_inputs=5):
    rng = np.random.default_rng(seed)
    state = {
        key: rng.normal(size=tuple(value.shape)).astype("float32")
        for key, value in build_encoder(architecture, n_inputs).state_dict().items()
    }
    head = fmd.LinearHead(rng.normal(size=(2, 64)), rng.normal(size=2))
    return Classifier(architecture, state, head, 1e-3, name=name)


def files(shelf):
    return sorted(path.relative_to(shelf) for path in shelf.rglob("*") if path.is_file())


def message(call, *arguments):
    with pytest.raises(ModelError) as caught:
        call(*arguments)
    return str(caught.value)


# --- kept and found


def test_a_model_that_was_kept_is_listed_and_opened():
    data, made = table(), model(name="the first")
    kept = keep_model(data, made)
    assert kept == made.fingerprint[:32]
    assert shelved_models(data) == (Shelved(kept, "the first", "mlp"),)
    found = open_model(data, kept)
    assert (found.fingerprint, found.name) == (made.fingerprint, "the first")
    inputs = data.source.read(data.rows("test"))
    np.testing.assert_array_equal(found.encode([inputs]), made.encode([inputs]))


def test_what_a_model_was_trained_on_is_listed():
    data = table()
    keep_model(data, replace(model(), trained_on=data.fingerprint))
    assert [found.trained_on for found in shelved_models(data)] == [data.fingerprint]
    assert [found.trained_on for found in shelved_models(table(seed=9))] == [data.fingerprint]


def test_the_same_weights_brought_again_do_not_forget_their_data():
    data = table()
    keep_model(data, replace(model(), trained_on=data.fingerprint))
    kept = keep_model(data, model(name="again"))
    assert shelved_models(data) == (Shelved(kept, "again", "mlp", data.fingerprint),)


def test_a_list_reads_no_numbers(shelf):
    data = table()
    kept = keep_model(data, replace(model(), trained_on="a" * 64))
    (path,) = shelf.rglob("*.safetensors")
    whole = path.read_bytes()
    path.write_bytes(whole[:-400] + b"\xff" * 400)  # not a number, each of them
    assert shelved_models(data) == (Shelved(kept, "", "mlp", "a" * 64),)
    with pytest.raises(ModelError):
        open_model(data, kept)


@pytest.mark.parametrize(
    "damage",
    [{"format": "other"}, {"architecture": "huge"}, {"depth": "nine layers"}, {"damping": None}],
    ids=str,
)
def test_a_header_that_is_not_ours_is_left_out_of_the_list(shelf, damage):
    data = table()
    keep_model(data, model())
    (path,) = shelf.rglob("*.safetensors")
    with safe_open(path, framework="numpy") as file:
        told = {key: value for key, value in (file.metadata() | damage).items() if value is not None}
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    save_file(tensors, path, told)
    assert shelved_models(data) == ()


def test_an_empty_shelf_is_an_empty_list(shelf):
    assert shelved_models(table()) == ()
    assert not shelf.exists()  # looking makes nothing


def test_the_latest_model_is_first(shelf):
    data = table()
    for seed in range(3):
        keep_model(data, model(seed, name=f"number {seed}"))
    by_name = {open_model(data, path.stem).name: path for path in shelf.rglob("*.safetensors")}
    for changed, name in ((300, "number 1"), (200, "number 2"), (100, "number 0")):
        os.utime(by_name[name], (changed, changed))
    assert [found.name for found in shelved_models(data)] == ["number 1", "number 2", "number 0"]


def test_a_model_kept_twice_stands_there_once(shelf):
    data = table()
    assert keep_model(data, model()) == keep_model(data, model())
    assert len(files(shelf)) == 1


def test_a_damaged_model_is_left_out_of_the_list_and_said_when_opened(shelf):
    data = table()
    bad, good = keep_model(data, model(0)), keep_model(data, model(1))
    (path,) = shelf.rglob(f"{bad}.safetensors")
    path.write_bytes(path.read_bytes()[:1000])
    assert [found.id for found in shelved_models(data)] == [good]
    assert message(open_model, data, bad) == (
        f"The weights file '{bad}.safetensors' is damaged or not a safetensors file; restore the original."
    )


def test_a_model_whose_numbers_were_changed_on_disk_is_refused(shelf):
    data = table()
    kept, other = (keep_model(data, model(seed=seed)) for seed in (0, 1))
    files = {path.stem: path for path in shelf.glob("*/*.safetensors")}
    files[kept].write_bytes(files[other].read_bytes())
    with pytest.raises(ModelError, match="was changed since it was kept"):
        open_model(data, kept)
    assert open_model(data, other).fingerprint.startswith(other)


def test_a_file_with_another_name_is_not_offered(shelf):
    data = table()
    kept = keep_model(data, model())
    (path,) = shelf.rglob("*.safetensors")
    path.with_name("my copy.safetensors").write_bytes(path.read_bytes())
    assert [found.id for found in shelved_models(data)] == [kept]


# --- by task


def test_a_model_is_offered_for_the_same_task_on_other_data():
    kept = keep_model(table(), model(name="mine"))
    other = table("Pay elsewhere", seed=9)
    assert other.fingerprint != table().fingerprint
    assert [found.name for found in shelved_models(other)] == ["mine"]
    assert open_model(other, kept).name == "mine"


@pytest.mark.parametrize(
    "other",
    [
        lambda: table(target="debt"),
        lambda: table(levels=("high", "none")),
        lambda: table(columns=4),
        lambda: table(first=1),
        lambda: images(),
    ],
    ids=["another target", "other classes", "more inputs", "as many others", "pictures"],
)
def test_a_model_for_another_task_is_neither_offered_nor_opened(other):
    kept = keep_model(table(), model())
    assert shelved_models(other()) == ()
    assert message(open_model, other(), kept) == REFUSED


def test_a_model_of_pictures_lies_where_it_always_lay(shelf):
    keep_model(images(), model(architecture="small_cnn"))
    (path,) = shelf.rglob("*.safetensors")
    assert path.parent.name == content_fingerprint("image", "", "income", "high", "low")[:16]


def test_pictures_of_another_size_are_the_same_task():
    kept = keep_model(images(16), model(architecture="small_cnn"))
    assert [found.id for found in shelved_models(images(64))] == [kept]


# --- ids from an address


@pytest.mark.parametrize(
    "model_id",
    ["", "x", "../x", "/etc/passwd", "\0", "a" * 300, "a" * 31 + "\n", "A" * 32, "a" * 32, "é" * 32, "*"],
    ids=repr,
)
def test_an_id_that_is_none_is_refused(model_id):
    keep_model(table(), model())
    assert message(open_model, table(), model_id) == REFUSED


def test_an_id_does_not_lead_out_of_the_folder_of_its_task(shelf):
    kept = keep_model(table(), model())
    (path,) = shelf.rglob("*.safetensors")
    (shelf / "x.safetensors").write_bytes(path.read_bytes())
    for model_id in ("../x", str(shelf / "x"), f"../{path.parent.name}/{kept}"):
        assert (path.parent / f"{model_id}.safetensors").is_file()  # would be found
        assert message(open_model, table(), model_id) == REFUSED


# --- whole or not at all


def test_a_model_that_cannot_be_moved_to_its_name_is_not_there(shelf, monkeypatch):
    def fail(*_):
        raise OSError("no")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="no"):
        keep_model(table(), model())
    assert files(shelf) == []
    monkeypatch.undo()
    assert shelved_models(table()) == ()


def test_a_model_half_written_is_not_there(shelf, monkeypatch):
    def stop(_, path):
        path.write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(model_shelf, "save_classifier", stop)
    with pytest.raises(KeyboardInterrupt):
        keep_model(table(), model())
    assert files(shelf) == []


def test_a_failure_leaves_the_model_that_was_there(shelf, monkeypatch):
    kept = keep_model(table(), model(name="mine"))
    with monkeypatch.context() as patch:
        patch.setattr(model_shelf, "save_classifier", lambda _, path: path.write_bytes(b"half") and 1 / 0)
        with pytest.raises(ZeroDivisionError):
            keep_model(table(), model(name="mine"))
    assert open_model(table(), kept).name == "mine"
    assert len(files(shelf)) == 1


def test_two_that_keep_the_same_model_at_once_do_not_meet(shelf, monkeypatch):
    made, save, nested = model(), model_shelf.save_classifier, []

    def save_while_another_does(classifier, path):
        save(classifier, path)
        if not nested:
            nested.append(True)
            keep_model(table(), made)

    monkeypatch.setattr(model_shelf, "save_classifier", save_while_another_does)
    kept = keep_model(table(), made)
    assert [path.name for path in files(shelf)] == [f"{kept}.safetensors"]


KILLED = """
import resource, signal, sys
from tests.core.test_model_shelf import model, table
from fmd_core.models.shelf import keep_model
signal.signal(signal.SIGXFSZ, signal.SIG_DFL)  # Python ignores it
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, 1_000))  # the system kills us in the middle of writing
keep_model(table(), model())
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no such limit")
def test_what_a_kill_left_half_written_goes_an_hour_later(shelf):
    done = subprocess.run([sys.executable, "-c", KILLED], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == -signal.SIGXFSZ, done.stderr
    (left,) = files(shelf)
    part = shelf / "another task" / f"{'a' * 32}.{'b' * 16}.part"  # killed between writing and naming
    part.parent.mkdir()
    part.write_bytes(b"half")
    kept = keep_model(table(), model())
    assert len(files(shelf)) == 3  # somebody may be writing them
    long_ago = time.time() - model_shelf.ABANDONED_SECONDS - 60
    for path in (shelf / left, part, *shelf.rglob("*.safetensors")):
        os.utime(path, (long_ago, long_ago))
    other = keep_model(table(), model(1))
    assert sorted(path.name for path in files(shelf)) == sorted(
        f"{name}.safetensors" for name in (kept, other)
    )
