"""All scores as a file to take away."""

from __future__ import annotations

import numpy as np
import pandas as pd

from fmd_core import AttributeDataset, InfluenceScores
from fmd_core.datasets.own.sniffing import safe_cell
from fmd_core.influence.label_doubts import LabelDoubts


def csv(data: AttributeDataset, scores: InfluenceScores, doubts: LabelDoubts | None = None) -> bytes:
    """Every training sample, the most harmful first, as a file."""
    aligned = data.bias_aligned(scores.attribute)[scores.rows]
    columns = (data.target, *data.attributes.values())
    order = scores.most_harmful(len(scores.rows))
    frame = pd.DataFrame(
        {"rank": np.arange(1, len(order) + 1), "sample": scores.rows[order]}
        | {
            safe_cell(c.name): [safe_cell(c.levels[code]) for code in c.codes[scores.rows[order]]]
            for c in columns
        }
        | {"bias_aligned": aligned[order], "removal_effect_points": 100 * scores.removal_effect[order]}
        | ({} if doubts is None else _doubt_columns(data, doubts, order))
    )
    return frame.to_csv(index=False).encode()


def _doubt_columns(data: AttributeDataset, doubts: LabelDoubts, order: np.ndarray) -> dict[str, object]:
    """Whose label looks wrong, what a fit without the sample gives it, and the class that looks right instead."""
    instead = [
        safe_cell(data.target.levels[code]) if code >= 0 else "" for code in doubts.likelier[order].tolist()
    ]
    return {
        "looks_mislabelled": doubts.doubted[order],
        "label_probability_without_it": doubts.own[order],
        "likelier_label": instead,
    }
