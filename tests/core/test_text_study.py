"""docs/text.md: made of its rows alone, aims said as they are."""

import json

import pytest

from fmd_core.reproduction import text_study
from fmd_core.reproduction.text_study import TextRow, page, write_texts


def rows(after, *, accuracy=0.8):
    return [
        TextRow("Words", seed, treatment, right, bias, 0.05, 0.2, 1.0, 100, 80, (("a", low), ("b", 0.5)))
        for seed in range(3)
        for treatment, right, bias, low in (("original", 0.7, 0.3, 0.1), ("retained", accuracy, after, 0.45))
    ]


def test_aims_are_met_or_missed_by_their_figures():
    met, missed = page(rows(0.04), "d", "m"), page(rows(0.2, accuracy=0.6), "d", "m")
    assert "- Met: B at most a third of the original's (30.0 to 4.0 points)." in met
    assert "- Met: neutral statements within 10 points (5 points)." in met
    assert "- Missed: B below the original's placebo and 1 point (20.0 and 5.0 points)." in missed
    assert "- Missed: no loss of accuracy (-10.0 points)." in missed


def test_what_is_not_measured_stays_empty_and_no_aim_is_said_of_it(tmp_path):
    bare = [TextRow("Digits", 0, t, 0.5, 0.1, None, 0.1, 0.0, 9, 9) for t in ("original", "retained")]
    text, numbers = write_texts([*rows(0.04), *bare], tmp_path)
    assert len(json.loads(numbers.read_text())["rows"]) == 8
    after = text.read_text().split("## Digits")[1].split("## What")[0]
    assert "mean of 1 seed," in after
    assert "Met" not in after
    assert "| original | 50.0 | 10.0 | 0.0 |  | 10.0 | 0.0 |" in after


@pytest.mark.slow
def test_the_study_runs_on_what_ships(monkeypatch, tmp_path):
    monkeypatch.setattr(text_study, "PUBLIC", {})
    monkeypatch.setattr(text_study, "ELSEWHERE", text_study.ELSEWHERE[:1])
    found = text_study.study_texts(seeds=1, say=lambda _: None)
    assert {row.study for row in found} == {"Words and groups", "Coloured digits by colour"}
    write_texts(found, tmp_path)
