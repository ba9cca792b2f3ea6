"""What the background loading leaves behind, in a process of its own."""

import asyncio
import subprocess
import sys
import threading
import tomllib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import pytest

from app import server
from app.serving import warmup

PROBE = """
import logging
logging.disable(logging.WARNING)
import gc
from app.serving import warmup
warmup._first_page.set()
warmup.PAINT_SECONDS = 0
warmup._load()
import threadpoolctl, torch
assert warmup.is_done()
print({pool["num_threads"] for pool in threadpoolctl.threadpool_info()} | {torch.get_num_threads()})
print(gc.get_freeze_count() > 100_000)
"""


ORDER = """
import logging
logging.disable(logging.WARNING)
import sys
from app import cache
from app.record.review import Review
from app.serving import warmup
class Measured:
    def set(self):
        heavy = [name for name in ("torch", "aif360", "plotly", "captum") if name in sys.modules]
        print(heavy, cache.accuracy(Review()).n)
        raise SystemExit
warmup._first_page.set()
warmup.PAINT_SECONDS = 0
warmup._measured = Measured()
warmup._load()
"""


HALF_LOADED = """
import sys, types
import numpy as np
from app.serving import warmup
from fmd_core.heads.fitting import ConvexProblem, fit_head
from fmd_core.heads.linear import LinearHead
if sys.argv[1] == "told":
    warmup._tell_scipy()
sys.modules["torch"] = types.ModuleType("torch")  # as it is while another thread loads it
labels = np.arange(60) % 3
features = np.random.default_rng(0).normal(size=(60, 2)).view(np.memmap)
head = LinearHead(np.zeros((3, 2)), np.zeros(3))
try:
    fitted = fit_head(head, ConvexProblem(features, labels, np.full(60, 1 / 60), 1e-2))
    print(fitted.probabilities(features).shape)
except AttributeError as problem:
    print(problem)
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("told", "said"), [("told", "(60, 3)"), ("not told", "module 'torch' has no attribute 'Tensor'")]
)
def test_what_is_computed_while_another_thread_loads_torch_does_not_fail(told, said):
    """The second shows that the first can fail: without our call scipy meets the half of torch."""
    done = subprocess.run(
        [sys.executable, "-c", HALF_LOADED, told], capture_output=True, text=True, check=False, timeout=300
    )
    assert done.stdout.strip() == said, done.stderr


@pytest.mark.slow
def test_the_accuracy_is_known_before_what_only_later_pages_need_is_loaded():
    done = subprocess.run(
        [sys.executable, "-c", ORDER], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.stdout.strip() == "[] 450", done.stderr


@pytest.mark.slow
def test_products_run_on_one_thread_and_the_libraries_are_frozen():
    done = subprocess.run(
        [sys.executable, "-c", PROBE], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.stdout.split("\n")[:2] == ["{1}", "True"], done.stderr


def test_loading_gives_way_to_a_page_that_is_drawn_but_not_to_one_that_waits_for_it(monkeypatch):
    monkeypatch.setattr(warmup, "LONGEST_WAIT_SECONDS", 60.0)
    monkeypatch.setattr(warmup, "_done", threading.Event())
    went_on = threading.Event()

    def load():
        warmup.give_way(0.5)
        went_on.set()
        warmup._done.set()

    with warmup.drawing():
        loader = threading.Thread(target=load, daemon=True)
        loader.start()
        assert not went_on.wait(0.2)
        warmup.wait()  # would not end if the loading waited for this page
    assert went_on.is_set()
    loader.join()


def test_loading_goes_on_when_a_page_takes_long(monkeypatch):
    monkeypatch.setattr(warmup, "LONGEST_WAIT_SECONDS", 0.05)
    with warmup.drawing():
        warmup.give_way(0.5)


def test_scipy_is_told_before_anything_else_is_loaded(monkeypatch):
    told = []

    def somebody_comes(_seconds):
        assert told == ["scipy"]
        told.append("a page")
        raise RuntimeError("the rest is not asked here")

    monkeypatch.setattr(warmup, "_tell_scipy", lambda: told.append("scipy"))
    monkeypatch.setattr(warmup, "_first_page", SimpleNamespace(wait=somebody_comes))
    monkeypatch.setattr(warmup, "_ending", threading.Event())
    warmup._load()
    assert told == ["scipy", "a page"]


@pytest.mark.parametrize("ends", [False, True])
def test_a_failure_is_told_unless_the_server_ends(monkeypatch, caplog, ends):
    def fail(_seconds):
        raise RuntimeError("can't start new thread at interpreter shutdown")

    monkeypatch.setattr(warmup, "_first_page", SimpleNamespace(wait=fail))
    monkeypatch.setattr(warmup, "_ending", threading.Event())
    if ends:
        warmup.end()
    warmup._load()
    assert bool(caplog.records) != ends


def test_the_loading_begins_and_ends_with_the_server(monkeypatch):
    told = []
    monkeypatch.setattr(warmup, "start", lambda: told.append("start"))
    monkeypatch.setattr(warmup, "end", lambda: told.append("end"))
    monkeypatch.setattr(server.logs, "begin", lambda: None)
    monkeypatch.setattr(server.os, "umask", lambda _mask: None)

    async def serve():
        async with server.lifespan(server.app):
            assert told == ["start"]

    with ThreadPoolExecutor(1) as apart:  # a browser's loop may run in this thread
        apart.submit(asyncio.run, serve()).result()
    assert told == ["start", "end"]


def test_a_rerun_is_not_followed_by_a_full_collection():
    """Of 20 visitors' processor time it took 37 %: everything that is cached was walked again."""
    settings = tomllib.loads((Path(server.__file__).parents[1] / ".streamlit/config.toml").read_text())
    assert settings["runner"]["postScriptGC"] is False
