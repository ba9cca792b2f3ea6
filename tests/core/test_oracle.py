"""What the demos say, word for word and to the digits that are shown: a change of speed changes none of it.

On the kind of processor that they were stored on, sentences, their order and who is most harmful are held exactly and
figures to a relative 1e-6; on another, which rounds the encoder differently, the figures to one point. After an
intended change of method, model or data, store them anew with

    FMD_REBUILD_GOLDEN=1 python -m pytest -m slow tests/core/test_oracle.py
"""

import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from threadpoolctl import threadpool_info

import fmd_core as fmd
from fmd_core.method import default_strategy

ORACLE = Path(__file__).with_name("golden_demos.json")
ATTRIBUTES = {"colored_digits": "colour", "synthetic_faces": "presentation", "hate_texts": "group"}
RELATIVE, ONE_POINT = 1e-6, 0.01

pytestmark = pytest.mark.slow


def kernels():
    """What multiplies matrices here."""
    blas = {pool.get("architecture", "") for pool in threadpool_info() if pool["user_api"] == "blas"}
    return [torch.backends.cpu.get_cpu_capability(), *sorted(blas)]


def told(name):
    """Sentences and figures of one demo."""
    data = fmd.load_dataset(name)
    study = fmd.Study(data, fmd.load_demo_classifier(name), aim=ATTRIBUTES[name])
    verdict, scores = study.verdict(), study.scores()
    path = study.path(strategy=default_strategy(data.pair_method))
    best, comparison = path.suggested.result, study.comparison(path.suggested)
    order = np.argsort(scores.removal_effect, kind="stable")[:20]
    return {
        "kernels": kernels(),
        "headline": verdict.headline,
        "findings": [[finding.sentence, finding.outcome.name] for finding in verdict.findings],
        "most harmful": scores.rows[order].tolist(),
        "suggestion": [best.strategy, best.strength, best.blend],
        "verdict": comparison.verdict,
        "figures": {
            "bias": comparison.bias.before.value, "bias after": comparison.bias.after.value,
            "flips": comparison.flips.before.value, "flips after": comparison.flips.after.value,
            "accuracy": comparison.accuracy.before.value, "accuracy after": comparison.accuracy.after.value,
            "most harmful": float(scores.removal_effect[order[0]]),
        },
    }  # fmt: skip


@pytest.mark.parametrize("name", list(ATTRIBUTES))
def test_a_demo_says_what_it_said(name):
    found = json.loads(json.dumps(told(name)))
    stored = json.loads(ORACLE.read_text(encoding="utf-8")) if ORACLE.exists() else {}
    if os.environ.get("FMD_REBUILD_GOLDEN"):
        text = json.dumps({**stored, name: found}, indent=1, ensure_ascii=False) + "\n"
        ORACLE.write_text(text, encoding="utf-8")
        return
    wanted = stored[name]
    figures, before = found.pop("figures"), wanted.pop("figures")
    if found["kernels"] != wanted["kernels"]:
        assert figures == pytest.approx(before, abs=ONE_POINT)
        return
    assert figures == pytest.approx(before, rel=RELATIVE)
    assert found == wanted
