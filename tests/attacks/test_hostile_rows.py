"""Rows 1 and 19 to 25 of the hostile inputs, as far as they need no server: names and ids that lead elsewhere,
addresses, stops in the middle of work, broken machines, rude libraries, two visitors at once."""

import csv
import errno
import io
import os
import shutil
import subprocess
import sys
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from safetensors import SafetensorError
from streamlit.testing.v1 import AppTest

from app import cache, server
from app.jobs import job_panel, job_words, preparation
from app.jobs.job import ENDED_EARLY, NO_MEMORY, UNEXPECTED
from app.jobs.registry import REGISTRY, JobRegistry
from app.opening import uploads
from app.record.review import Aim, Review
from app.widgets import components
from fmd_core.datasets.families import load_dataset
from fmd_core.datasets.own import archives, imports
from fmd_core.datasets.own.archives import open_zip
from fmd_core.datasets.own.table import TableImport
from fmd_core.errors import DataError, FMDError, ModelError
from fmd_core.home import home_folder
from fmd_core.models import shelf
from fmd_core.models.feature_store import FeatureStore
from fmd_core.models.intake import intake, worker
from fmd_core.models.shelf import keep_model, load_demo_classifier, open_model
from tests.app.conftest import (  # noqa: F401  fixtures
    fresh_caches,
    libraries_are_loaded,
    open_page,
    pages_wait_for_their_data,
)
from tests.attacks.test_model_files import Bomb

REVIEW = Review()


def titles(test):
    return " ".join(title.value for title in test.title)


def visit(page="start", **address):
    """Arrive at a page by an address."""
    test = AppTest.from_file("../../app/main.py", default_timeout=60)
    for name, text in address.items():
        test.query_params[name] = text
    test.run()
    return test if page == "start" else test.switch_page(f"app_pages/{page}.py").run()


def kept_files():
    return {path for path in home_folder().rglob("*") if path.is_file()}


# --- 1: what is refused does not stay


def test_row_01_the_copy_of_a_refused_pickle_is_deleted(open_page, tmp_path):  # noqa: F811
    import torch

    marker = tmp_path / "exploded"
    torch.save({"weight": torch.zeros(1), "extra": Bomb(f"touch {marker}")}, tmp_path / "weights.pt")
    test = open_page("model")
    test.segmented_control(key="model_way").set_value("open").run()
    test.file_uploader(key="weights").upload("net.pt", (tmp_path / "weights.pt").read_bytes(), "a/b").run()
    assert not test.error, "by its table of contents it is a state dict"
    test.button(key="open_weights").click().run()
    job = next(job for job in REGISTRY.recent() if job.key.startswith("open "))
    assert job.wait(60)
    test.run()
    assert "which weights never do" in test.error[0].value
    assert not marker.exists()
    assert list((home_folder() / "uploads").iterdir()) == []


# --- 19: names on the way out


def test_row_19_formulas_from_a_table_are_quoted_in_the_exported_scores():
    from app.view_models import scores_file

    formula = '=HYPERLINK("http://evil.example")'
    data = load_dataset("colored_digits")
    aim = Aim(("colour",))
    names = (formula, "+1+1", "-1+1", "@x", "\tx", *data.target.levels[5:])
    spoilt = SimpleNamespace(
        target=SimpleNamespace(name=formula, codes=data.target.codes, levels=names), attributes={},
        bias_aligned=lambda _: np.zeros(len(data.target.codes), bool),
    )  # fmt: skip
    content = scores_file.csv(spoilt, cache.scores(REVIEW, aim))
    header, *rows = csv.reader(io.StringIO(content.decode()))
    assert f"'{formula}" in header
    cells = {cell for row in rows for cell in row}
    assert {f"'{name}" for name in names[:5]} <= cells
    plain = {cell for cell in cells if cell[:1] in ("=", "+", "@", "\t")}
    assert plain == set()
    assert all(float(cell) for cell in cells if cell.startswith("-"))


# --- 20: names and ids that lead elsewhere

ELSEWHERE = (
    "..", "../../etc/passwd", "..\\..\\boot.ini", "/etc/passwd", "\\\\host\\share\\x", "//host/share", "file:///etc/passwd",
    "a\0b", "CON", "NUL.csv", "C:\\x", "~root", "%2e%2e%2fetc", "x" * 300, "０" * 32, "0" * 31 + "\n", "A" * 32, "",
    ".",
    "0" * 32 + "/..", "*", "${HOME}", "\u202e" + "0" * 31,
)  # fmt: skip
_opened: list[str] | None = None


def _listen(event, arguments):
    if _opened is not None and event in (
        "open",
        "os.listdir",
        "os.scandir",
        "os.mkdir",
        "os.remove",
        "shutil.rmtree",
    ):
        _opened.append(str(arguments[0]))


sys.addaudithook(_listen)  # for good: Python has no way to take one away, so it looks at `_opened` first


@pytest.fixture
def opened_paths():
    """Every path that is opened, listed, made or removed during a test."""
    global _opened
    _opened = []
    yield _opened
    _opened = None


@pytest.mark.parametrize("name", ELSEWHERE, ids=repr)
def test_row_20_an_id_that_leads_elsewhere_opens_no_path(name, opened_paths):
    data = cache.dataset(REVIEW)
    before = kept_files()
    opened_paths.clear()
    for call in (
        imports.open_import, imports.delete_import, lambda x: load_dataset("import", id=x), load_dataset,
        lambda x: load_dataset(f"import?id={x}"), lambda x: open_model(data, x),
    ):  # fmt: skip
        with pytest.raises(FMDError) as caught:
            call(name)
        assert str(home_folder()) not in str(caught.value)
    with pytest.raises(ValueError, match="not a hex digest"):
        FeatureStore().get_or_compute(name, 1, lambda: pytest.fail("was computed"))
    assert REGISTRY.find(name) is None
    assert set(opened_paths) <= {str(home_folder())}, "a path was touched for it"
    assert kept_files() == before


def test_row_20_a_sound_import_or_model_elsewhere_is_not_opened(tmp_path):
    table = "sex,x,label\n" + "".join(f"{'fm'[i % 2]},{i % 7},{i // 2 % 2}\n" for i in range(120))
    (tmp_path / "t.csv").write_text(table)
    begun = imports.begin_import(tmp_path / "t.csv", None)
    imports.finish_import(begun, "sound", TableImport("label", {"sex": "values"}))
    elsewhere = home_folder() / "elsewhere"
    begun.rename(elsewhere)
    data, kept = cache.dataset(REVIEW), keep_model(cache.dataset(REVIEW), cache.classifier(REVIEW))
    (model,) = (home_folder() / "models").glob(f"*/{kept}.safetensors")
    shutil.copyfile(model, home_folder() / "models" / "stranger.safetensors")
    for place in ("../elsewhere", str(elsewhere), "x/../../elsewhere"):
        for call in (imports.open_import, imports.delete_import):
            with pytest.raises(DataError, match="not on this machine"):
                call(place)
    for place in ("../stranger", str(home_folder() / "models" / "stranger")):
        with pytest.raises(ModelError, match="not on this machine"):
            open_model(data, place)
    assert (elsewhere / imports.ANSWERS).is_file()
    assert open_model(data, kept).fingerprint.startswith(kept)
    shutil.rmtree(elsewhere)
    (home_folder() / "models" / "stranger.safetensors").unlink()


def test_row_20_the_listener_of_these_tests_hears(tmp_path, opened_paths):
    (tmp_path / "x").write_text("x")
    os.listdir(tmp_path)
    assert opened_paths[-2:] == [str(tmp_path / "x"), str(tmp_path)]


@pytest.mark.parametrize(
    "name", [*ELSEWHERE, "../x.csv", "a/../../b.parquet", "x.csv/../../y.pt", "x." + "y" * 300]
)
def test_row_20_an_uploaded_name_is_no_path(name):
    given = io.BytesIO(b"content")
    given.name, given.file_id = name, "1"
    with uploads.on_disk(given) as path:
        assert path.parent.parent == home_folder() / "uploads"
        assert path.name in {"upload0", *(f"upload0{suffix}" for suffix in uploads.SUFFIXES)}
        assert path.read_bytes() == b"content"
        assert path.stat().st_mode & 0o077 == 0 or path.parent.stat().st_mode & 0o077 == 0
    assert not path.parent.exists()
    shown = uploads.shown_name(given)
    assert len(shown) <= 60
    assert "/" not in shown
    assert shown.isprintable()


# --- 21: addresses that ask for nonsense


@pytest.mark.parametrize("text", ["-1", "1e9", "NaN"])
def test_row_21_a_silly_k_in_the_address_is_ignored_in_a_sentence(text):
    test = visit(k=text, forget=text)
    assert [warning.value.split(",")[0] for warning in test.warning] == ["In the address"] * 2
    test = test.switch_page("app_pages/harmful.py").run()
    assert not test.exception
    assert not test.error
    assert test.number_input(key="harmful_k").value == 50


def test_row_21_strangers_in_the_address_change_nothing():
    usual = visit("find_bias")
    test = visit(
        "find_bias", attribute="Unknown", measure="worst", limit="NaN", model="0" * 32, data="import?id=" + "0" * 32,
        job="A" * 22, also="a,b", strength="1e999", alike="-1", tolerance="inf", how="rm -rf /", depth="9", utm="x",
    )  # fmt: skip
    assert not test.exception
    assert titles(test) == titles(usual)
    assert [metric.value for metric in test.metric] == [metric.value for metric in usual.metric]
    assert "review" not in test.session_state  # nothing else was opened
    assert any(caption.value == job_panel.UNKNOWN for caption in test.caption)


def test_row_21_another_visitor_s_job_is_found_by_its_whole_id_only():
    registry = JobRegistry()
    job = registry.start("a", "A", lambda _: None)
    assert job.wait(5)
    assert registry.find(job.id) is job
    for wrong in (job.id[:-1], job.id + "A", job.id.swapcase() + " ", job.id[::-1] + "\n", "*"):
        assert registry.find(wrong) is None


# --- 22: stopped in the middle


@pytest.fixture
def slow_unlearning(monkeypatch):
    """Unlearning that takes until it is let go; counts how often it was begun."""
    let_go, begun = threading.Event(), []
    cache.warm(REVIEW)  # else the page first prepares, when this test is run alone

    def slow(_review, _aim, _strategy, k, progress):
        if k == 77:
            begun.append(threading.current_thread().name)
            while not let_go.wait(0.02):
                progress(0.1)

    monkeypatch.setattr(cache, "warm_path", slow)
    monkeypatch.setattr(preparation, "PATIENCE_SECONDS", 0.05)
    yield SimpleNamespace(let_go=let_go, begun=begun)
    let_go.set()


def at_work(page="unlearn"):
    """A visitor whose Unlearn page waits for work that was begun."""
    test = visit(page)
    test.selectbox(key="strategy").set_value("paper-remove").run()
    test.number_input(key="unlearn_k").set_value(77).run()
    return test


def digest(model):
    """Of every byte of a model as it is now, not of what its fingerprint was when it was first asked for."""
    return replace(model, head=replace(model.head)).fingerprint


def living():
    return [job for job in REGISTRY.recent() if job.live and job.key.startswith("solve")]


def test_row_22_double_click_two_tabs_and_page_switch_are_one_job_and_the_original_stays(slow_unlearning):
    original = cache.classifier(REVIEW)
    before = digest(original)
    first = at_work()
    (job,) = living()
    first.run()  # a second click reruns the page
    first.run()
    second = at_work()  # another tab
    second.switch_page("app_pages/find_bias.py").run()
    second.switch_page("app_pages/unlearn.py").run()
    assert living() == [job]
    third = visit("unlearn", job=job.id)  # the browser was closed, the address was kept
    assert not third.exception
    assert living() == [job]
    REGISTRY.cancel(job.id)
    assert job.wait(5)
    assert job.state == "stopped"
    assert slow_unlearning.begun == ["fmd-job"]
    first.run()
    assert titles(first).endswith("was stopped.")
    assert living() == []  # what was stopped does not begin again by itself
    assert digest(cache.classifier(REVIEW)) == before
    assert digest(load_demo_classifier(REVIEW.data)) == before


def test_row_22_no_array_of_the_original_can_be_written():
    original = cache.classifier(REVIEW)
    for array in (*original.encoder_state.values(), *original.head.arrays.values()):
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 0


# --- 23: the machine breaks


def no_room(*_, **__):
    raise OSError(errno.ENOSPC, "No space left on device")


FULL = "The disk is full"


def test_row_23_a_full_disk_is_not_called_a_damaged_zip(tmp_path, monkeypatch):
    picture = io.BytesIO()
    Image.new("RGB", (8, 8)).save(picture, "PNG")
    with archives.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("a.png", picture.getvalue())
    monkeypatch.setattr(archives.shutil, "copyfileobj", no_room)
    with pytest.raises(DataError, match=FULL):
        open_zip(tmp_path / "a.zip", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_row_23_an_import_on_a_full_disk_is_told_and_leaves_nothing(tmp_path, monkeypatch):
    (tmp_path / "t.csv").write_text("a,b\n1,2\n")
    before = kept_files()
    monkeypatch.setattr(imports.shutil, "copyfile", no_room)
    with pytest.raises(DataError, match=FULL):
        imports.begin_import(tmp_path / "t.csv", None)
    assert kept_files() == before


def test_row_23_a_model_that_finds_no_room_is_told_and_leaves_nothing(monkeypatch):
    def half(_classifier, path):
        path.write_bytes(b"half")
        raise SafetensorError(SERIALIZING)

    monkeypatch.setattr(shelf, "save_classifier", half)
    before = kept_files()
    with pytest.raises(ModelError, match=FULL):
        keep_model(cache.dataset(REVIEW), cache.classifier(REVIEW))
    assert kept_files() == before


SERIALIZING = (
    "Error while serializing: I/O error: No space left on device (os error 28)"  # seen on a full tmpfs
)


def test_row_23_weights_that_find_no_room_are_not_called_damaged(tmp_path, monkeypatch):
    def full(*_):
        raise SafetensorError(SERIALIZING)

    monkeypatch.setattr(worker, "save_classifier", full)
    weights = "sample_data/colored_digits/model.safetensors"
    request = {
        "path": weights,
        "out": str(tmp_path / "x"),
        "door": "safetensors",
        "kind": "",
        "n_classes": 10,
        "n_inputs": 0,
    }
    assert worker.answer(request)["refusal"].endswith("look whether the disk is full.")


@pytest.mark.parametrize("end", ["kill", "memory", "exit", "silence"])
def test_row_23_a_worker_that_dies_ends_in_a_sentence_and_the_next_one_works(tmp_path, monkeypatch, end):
    way = {
        "kill": "import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "memory": "raise MemoryError",
        "exit": "import sys; sys.exit(0)", "silence": "import os; os.close(1); os._exit(0)",
    }[end]  # fmt: skip
    weights = tmp_path / "w.safetensors"
    shutil.copyfile("sample_data/colored_digits/model.safetensors", weights)
    options = {"architecture": "small_cnn", "n_classes": 10, "size": None, "normalisation": "symmetric"}
    with monkeypatch.context() as patch:
        patch.setattr(intake, "WORKER", (sys.executable, "-c", way))
        with pytest.raises(intake.IntakeRefusal, match=r"^The (machine stopped the )?process that opened"):
            intake.open_weights(weights, **options, out=tmp_path / "out" / "m.safetensors")
    assert list((tmp_path / "out").iterdir()) == []
    if end == "kill":  # once is enough: it takes seconds
        intake.open_weights(weights, **options, out=tmp_path / "out" / "m.safetensors")
        assert (tmp_path / "out" / "m.safetensors").is_file()


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (MemoryError(), NO_MEMORY),
        (RuntimeError("CUDA error: device-side assert triggered at /opt/x.cu:3"), UNEXPECTED),
        (RuntimeError("CUDA out of memory. Tried to allocate 2 GiB"), NO_MEMORY),
        (OSError(errno.ENOSPC, "No space left on device"), UNEXPECTED),
    ],
)
def test_row_23_a_job_that_fails_is_marked_and_the_app_goes_on(error, sentence, open_page):  # noqa: F811
    def work(_):
        raise error

    job = REGISTRY.start(f"row 23 {error!r}", "Reading", work)
    assert job.wait(5)
    assert (job.state, job.error) == ("failed", sentence)
    test = open_page("start")
    test.query_params["job"] = job.id
    test.run()
    assert not test.exception
    assert REGISTRY.start("row 23 after", "After", lambda _: "fine").wait(5)


@pytest.mark.parametrize("jump", [timedelta(days=-400), timedelta(days=400)])
def test_row_23_a_clock_that_jumps_stops_nothing(monkeypatch, jump):
    now = datetime.now(UTC)
    times = iter([now, now + jump])
    monkeypatch.setattr("app.jobs.job.datetime", SimpleNamespace(now=lambda _: next(times, now + jump)))
    registry = JobRegistry()
    job = registry.start("a", "A", lambda progress: progress(0.5) or 1)
    assert job.wait(5)
    assert job.state == "finished"
    assert job_words.state_words(job).startswith("Finished")
    assert "-" not in job_words.state_words(job)


# --- 24: libraries that end the process or say nothing


class Silent(Exception):
    def __str__(self):
        return ""


@pytest.mark.parametrize(
    "error",
    [SystemExit(3), SystemExit("aif360: download it yourself"), KeyboardInterrupt(), Silent(), EOFError()],
)
def test_row_24_rude_errors_in_a_job_become_a_sentence(error):
    def work(_):
        raise error

    registry = JobRegistry()
    job = registry.start("a", "A", work)
    assert job.wait(5)
    assert job.state == "failed"
    assert job.error == (ENDED_EARLY if isinstance(error, SystemExit) else UNEXPECTED)
    after = registry.start("b", "B", lambda _: "fine")
    assert after.wait(5)
    assert after.result == "fine"


OUR_SIDE = "Something went wrong on our side. Go back one step, or reload the page to start over."


@pytest.mark.parametrize("error", [Silent(), EOFError(), KeyError("/srv/secret")], ids=repr)
def test_row_24_an_error_without_words_on_a_page_is_no_empty_box(error, monkeypatch):
    shown = []
    monkeypatch.setattr(components.st, "error", shown.append)
    assert (
        server.word_problem(error) is True
    )  # what the server asks for every error that a page did not expect
    assert shown == [OUR_SIDE]


RUDE_PAGE = """
from streamlit.testing.v1 import AppTest
from app import cache
from app.serving import warmup

def audit(*_, **__):
    raise SystemExit("aif360: download it yourself")

warmup._done.set()
cache.accuracy = cache.audit = audit
cache.is_warm = cache.are_read = lambda *_: True
test = AppTest.from_file("app/main.py", default_timeout=30).run()
print([error.value for error in test.error])
"""


def test_row_24_a_library_that_ends_the_process_on_a_page_becomes_a_sentence():
    answer = subprocess.run([sys.executable, "-c", RUDE_PAGE], capture_output=True, text=True, timeout=60)
    assert answer.stdout.strip() == repr([OUR_SIDE]), answer.stderr[-500:]


# --- 25: past the uploader, and two visitors at once


@pytest.mark.parametrize("name", ["people.csv", "table.parquet"])
def test_row_25_a_file_of_another_type_is_refused_by_its_content(name, open_page):  # noqa: F811
    content = b"\x7fELF\x02\x01\x01" + bytes(200)
    test = open_page("data").segmented_control(key="family").set_value("table").run()
    test.file_uploader(key="table_file").upload(name, content, "text/csv").run()
    (error,) = test.error
    assert "is a program, not a table" in error.value
    assert not test.exception
