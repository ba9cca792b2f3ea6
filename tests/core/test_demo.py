"""The whole method on the bundled demo: what it must achieve, and its exact figures.

After an intended change of the method, the model or the data, rebuild the figures with

    FMD_REBUILD_GOLDEN=1 python -m pytest tests/core/test_demo.py
"""

import json
import os
from pathlib import Path

import pytest

from fmd_core import counterfactual_bias

GOLDEN = Path(__file__).with_name("golden_demo.json")
TOLERANCE = 0.01  # share: one point, for processors that round the encoder differently


def figures(demo):
    comparison, result = demo.comparison, demo.path.suggested.result
    changes = {
        name: getattr(comparison, name)
        for name in ("bias", "flips", "accuracy", "aligned_accuracy", "conflicting_accuracy")
    }
    return {
        "suggested": {"strategy": result.strategy, "strength": result.strength, "blend": result.blend},
        "held_out": {
            name: {"before": round(c.before.value, 4), "after": round(c.after.value, 4)}
            for name, c in changes.items()
        },
    }


def test_bias_falls_by_at_least_half_on_held_out_people(demo):
    change = demo.comparison.bias
    assert change.after.value < change.before.value / 2
    assert demo.comparison.verdict == "improved"


def test_accuracy_does_not_fall_on_held_out_people(demo):
    assert demo.comparison.accuracy.after.value >= demo.comparison.accuracy.before.value
    assert demo.comparison.conflicting_accuracy.difference.low > 0


def test_people_who_fix_guard_and_judge_are_different(demo):
    sets = [set(demo.pairs[split].rows.tolist()) for split in ("train", "external", "validation", "test")]
    assert len(set.union(*sets)) == sum(map(len, sets))
    assert set(demo.guard.features.rows.tolist()) == set(demo.guard.bias.pairs.rows.tolist()) == sets[2]


def test_nothing_done_changed_the_original_model(demo):
    from fmd_core import load_demo_classifier

    assert demo.path.suggested.result.head is not demo.head
    assert load_demo_classifier("colored_digits").fingerprint == demo.classifier.fingerprint
    assert demo.path.original.bias == counterfactual_bias(demo.head, demo.pairs["validation"])


def test_figures_equal_the_golden_ones(demo):
    found = figures(demo)
    if os.environ.get("FMD_REBUILD_GOLDEN"):
        GOLDEN.write_text(json.dumps(found, indent=2) + "\n")
    golden = json.loads(GOLDEN.read_text())
    for name, ends in golden["held_out"].items():
        assert found["held_out"][name] == pytest.approx(ends, abs=TOLERANCE), name
    assert found["suggested"] == golden["suggested"]
