"""`kill -9` at any moment: no finished step is lost, no half-written file is believed, the job is stopped.

`FMD_KILLS` says how often reviewers are killed, 10 times unless told otherwise; the real server, which takes
seconds to start, every tenth time.
"""

import hashlib
import json
import os
import random
import re
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed

from app.jobs.notes import JobNotes
from app.jobs.registry import JobRegistry
from app.session import keeping
from fmd_core.datasets.families import load_dataset
from fmd_core.models.feature_store import FeatureStore
from fmd_core.models.shelf import keep_model, load_demo_classifier, open_model, shelved_models
from tests.attacks.reviewer import ROWS, content, features_of
from tests.raw_session import Server, Visitor

pytestmark = pytest.mark.slow  # servers that are killed and disks that are full

KILLS = int(os.environ.get("FMD_KILLS", "10"))
ROOT = Path(__file__).parents[2]
BUNDLED = sorted(ROOT.glob("sample_data/*/*.safetensors"))


@pytest.fixture
def home(tmp_path, monkeypatch):
    """An installation of its own, looked at between two servers."""
    monkeypatch.setenv("FMD_HOME", str(tmp_path))
    monkeypatch.delenv("FMD_DATABASE_URL", raising=False)
    keeping.store.cache_clear()
    yield tmp_path
    keeping.store().close()
    keeping.store.cache_clear()


def digests(paths):
    return {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


def check_stopped(job):
    found = JobRegistry(notes=JobNotes()).find(job)
    assert found is not None, "the job is forgotten"
    assert (found.state, found.ended_with_server) == ("stopped", True)


def check_review(review, version, digest):
    """It stands at the last step that was kept, or one later; whether it is the later one."""
    opened, trail = keeping.open_kept(review), keeping.trail(keeping.Place(review, version))
    assert trail.is_intact, trail.sentence
    assert len(trail.lines) == opened.place.version
    assert opened.place.version in (version, version + 1), "the step under way may be there, none else"
    assert (content(opened.journal) == digest) == (opened.place.version == version)
    return opened.place.version > version


def check_files(home, data, never):
    """Whatever is offered is whole; returns how many files were half written."""
    store = FeatureStore()
    for entry in store.folder.glob("*.npy"):
        found = store.get_or_compute(entry.stem, ROWS, never)
        assert (found == features_of(entry.stem)).all(), "half-written features are believed"
    whole = list(home.glob("models/*/*.safetensors"))
    assert sorted(m.id for m in shelved_models(data)) == sorted(path.stem for path in whole)
    for path in whole:
        assert open_model(data, path.stem).fingerprint.startswith(path.stem)
    return len(list(home.rglob("*.part")))


def never():
    raise AssertionError("an entry under its final name was not whole")


def test_reviewers_killed_at_random_points_lose_no_step(home):
    data, bundled = load_dataset("colored_digits"), load_demo_classifier("colored_digits")
    own = keep_model(data, bundled.with_head(replace(bundled.head, weight=bundled.head.weight * 0.9)))
    originals = [*BUNDLED, *home.glob("models/*/*.safetensors")]
    assert len(originals) > 1
    before, luck, halves, later, last = digests(originals), random.Random(7), 0, 0, 0
    with subprocess.Popen(
        [sys.executable, "-m", "tests.attacks.reviewer", own], cwd=ROOT, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    ) as forker:  # fmt: skip
        for _ in range(KILLS):
            forker.stdin.write(f"{luck.uniform(0, 250):.3f}\n")
            forker.stdin.flush()
            answer = forker.stdout.readline()
            assert answer, "the forking process ended"
            told = json.loads(answer)
            assert told["version"] > last, "it went on where the one before was killed"
            later += check_review(told["review"], told["version"], told["content"])
            last = told["version"]
            halves += check_files(home, data, never)
            check_stopped(told["job"])
            assert digests(originals) == before
            for made in {*home.glob("models/*/*"), *home.glob("features/*")} - set(originals):
                made.unlink()
        forker.stdin.close()
    with closing(sqlite3.connect(home / "reviews.sqlite3")) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    print(
        f"{KILLS} kills, {last} steps, {later} times the step under way was kept, {halves} half-written files"
    )
    assert last > KILLS


def test_the_server_killed_while_it_unlearns_and_trains_goes_on_at_the_last_step(home):
    before, luck, address, wanted = digests(BUNDLED), random.Random(11), "", ["the original model"]
    server = Server(home)
    try:
        for _ in range(max(1, KILLS // 10)):
            visitor, trainer = Visitor(server, address), Visitor(server)
            assert in_force(unlearn_page(visitor)) in wanted
            trainer.go("model")
            trainer.fill("Rounds over the data", 100)
            trainer.press("Train")
            training = re.search(r"job=([\w-]+)", trainer.query)[1]
            begun = threading.Event()
            acknowledged, planned = [], []

            def decide(visitor=visitor, begun=begun, acknowledged=acknowledged, planned=planned):
                stops = visitor.options("Strength")[1:]
                for turn in range(1_000):
                    visitor.slide("Strength", stops[turn % len(stops)])
                    label = ("Apply this", "Apply although refused")[visitor.shows("Apply although refused")]
                    planned.append(stops[turn % len(stops)])
                    said = visitor.press(label)
                    acknowledged.append((in_force(said), visitor.query))
                    begun.set()

            reviewer = threading.Thread(target=until_the_line_breaks, args=(decide,))
            reviewer.start()
            assert begun.wait(120)
            time.sleep(luck.uniform(0, 2))
            server.kill()
            reviewer.join(60)
            assert not reviewer.is_alive()
            server.start()
            last, address = acknowledged[-1]
            assert "review=" in address
            wanted = [last, planned[-1]]
            again = Visitor(server, address)
            assert in_force(unlearn_page(again)) in wanted, "the last step is lost"
            review = re.search(r"review=([\w-]+)", address)[1]
            assert keeping.trail(keeping.Place(review, 1)).is_intact
            said = Visitor(server, f"job={training}").go("model")
            assert "Training for Coloured digits" in said
            assert "Stopped when the server ended" in said
            assert "begin it again" in said
            assert digests(BUNDLED) == before
            assert not again.exceptions
    finally:
        server.kill()


def unlearn_page(visitor):
    """The page, once the work that it waits for is done."""
    for _ in range(120):
        said = visitor.go("unlearn")
        if "**In force:**" in said:
            return said
        time.sleep(0.5)
    raise AssertionError(said[-500:])


def until_the_line_breaks(act):
    with pytest.raises((ConnectionClosed, OSError, EOFError)):
        act()


def in_force(said):
    """The strength in force, or the original."""
    found = re.findall(r"^\*\*In force:\*\* (.*)$", said, re.MULTILINE)
    assert found, said[-500:]
    strength = re.search(r"strength ([\d.]+)", found[-1])
    return strength[1] if strength else found[-1]
