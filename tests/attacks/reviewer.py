"""Reviewers to be killed, made by forking one process that has everything imported: not a test.

    FMD_HOME=FOLDER python reviewer.py MODEL

A line on its standard input, so many milliseconds, is one server: it goes on with the review that is kept
(or begins one), takes steps at random while a job beside it writes features and models, and is killed
with SIGKILL that long after its first step. The answer is JSON: review, version and content of the last
step whose keeping had returned, and the job.
"""

import hashlib
import json
import os
import random
import signal
import sys
import time
from dataclasses import replace

import numpy as np

from app.jobs.registry import REGISTRY
from app.record import journal_json
from app.record.journal import Remark
from app.record.review import Aim, Review
from app.record.variants import Recipe
from app.session import keeping, state
from fmd_core.datasets.families import load_dataset
from fmd_core.models.feature_store import FeatureStore
from fmd_core.models.shelf import keep_model, load_demo_classifier
from fmd_core.report.evidence import DECISIONS, Decision

ROWS, WIDTH = 2_000, 64  # of an entry of the feature store: half a megabyte


def features_of(key):
    """What stands under a key of the feature store."""
    return np.random.default_rng(int(key, 16)).standard_normal((ROWS, WIDTH), dtype=np.float32)


def write_for_ever(data, model, luck):
    """The work of a job: features in batches, and models, none twice."""

    def work(progress):
        store = FeatureStore()
        while True:
            key = f"{luck.getrandbits(128):032x}"
            store.get_or_compute(key, ROWS, lambda key=key: np.array_split(features_of(key), 20))
            changed = replace(model.head, weight=model.head.weight * np.float32(luck.uniform(0.5, 1)))
            keep_model(data, model.with_head(changed))
            progress(0.5, "writing")

    return work


def take_a_step(luck, turn):
    """One of all that a reviewer does."""
    review = Review("colored_digits", state.review().model)
    recipe = Recipe(review, Aim(("colour",)), "iterated", 0, luck.choice((0.1, 0.3, 1.0, 3.0)), 1.0, 0.01)
    row = luck.randrange(1_000)
    luck.choice(
        [
            lambda: state.apply(recipe),
            state.undo,
            state.redo,
            state.back_to_original,
            lambda: state.exclude([row, row + 1], "digit"),
            lambda: state.include(state.history().now.excluded[:1], "digit"),
            lambda: state.veto("colour", row, "test"),
            lambda: state.say(row, Remark(marked=True, note=f"note {turn}"), "digit"),
            lambda: state.decide(Decision(luck.choice(sorted(DECISIONS)), "Ann", notes=f"{turn}"), "f" * 32),
        ]
    )()


def review_on(model_id, data, model, pipe, seed):
    luck = random.Random(seed)
    kept = keeping.listed()
    if kept:
        state.adopt(keeping.open_kept(kept[0].id))
    else:
        state.open_review(Review("colored_digits", model_id))
    job = REGISTRY.start(f"write {seed}", "Training for Coloured digits", write_for_ever(data, model, luck))
    while not job.message:
        time.sleep(0.001)
    steps = random.Random(seed)
    for turn in range(1_000_000):
        before = state.place()
        take_a_step(steps, turn)
        if state.place() != before:
            assert not state.not_kept()
            told = {"review": state.place().id, "version": state.place().version, "job": job.id}
            told["content"] = content(state.journal())
            os.write(pipe, json.dumps(told).encode() + b"\n")


def content(journal):
    """A digest of a whole journal."""
    return hashlib.sha256(json.dumps(journal_json.dump(journal), sort_keys=True).encode()).hexdigest()


def trial(model_id, data, model, milliseconds, seed):
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(reader)
            review_on(model_id, data, model, writer, seed)
        finally:
            os._exit(1)
    os.close(writer)
    said = os.read(reader, 1_000)
    time.sleep(milliseconds / 1_000)
    os.kill(child, signal.SIGKILL)
    status = os.waitpid(child, 0)[1]
    while more := os.read(reader, 1_000_000):
        said += more
    os.close(reader)
    assert os.WTERMSIG(status) == signal.SIGKILL, "it ended by itself"
    return said.decode().splitlines()[-1]  # a line is written at once, so none is torn


if __name__ == "__main__":
    opened = load_dataset("colored_digits")
    original = load_demo_classifier("colored_digits")
    for number, line in enumerate(sys.stdin):
        print(trial(sys.argv[1], opened, original, float(line), number), flush=True)
