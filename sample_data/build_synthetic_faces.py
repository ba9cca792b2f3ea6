"""Rebuild `sample_data/synthetic_faces`: the people, as codes and seeds, and the model.

    python sample_data/build_synthetic_faces.py

Deterministic by SEED on one machine; another processor may round the weights differently,
so the digests in manifest.json are those of the files as shipped.
"""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path

import numpy as np

import fmd_core as fmd
from fmd_core.datasets.demos.face_drawing import LEVELS
from fmd_core.datasets.demos.synthetic_faces import load_synthetic_faces

FOLDER = Path(__file__).parent / "synthetic_faces"
SEED = 11
ALIGNED_SHARE = 0.998
SPLIT_SIZES = {"train": 4000, "external": 400, "validation": 500, "test": 900}
EPOCHS = 3
SHADE_MEAN, SHADE_SPREAD = (0.27, 0.76), 0.1  # 0 black to 1 platinum, of dark and of blond hair
SHADE_ENDS = ((0.0, 0.37), (0.67, 0.92))  # clearly brown ends well before clearly golden begins
COMMON = {"hat": 0.6, "glasses": 0.5, "scarf": 0.7, "earrings": 0.65, "age lines": 0.7, "freckles": 0.7}
"""Share of people with the first level, "none", where levels are not equally frequent."""


def shuffled(shares: list[float], n: int, rng: np.random.Generator) -> np.ndarray:
    """Codes (n,) in random order that show each level in exactly its share, up to rounding."""
    ends = np.rint(np.cumsum(shares) * n).astype(int)
    return rng.permutation(np.searchsorted(ends, np.arange(n), side="right")).astype("uint8")


def attributes(n: int, rng: np.random.Generator) -> np.ndarray:
    """Codes (n, attributes), each column drawn on its own."""
    columns = []
    for name, levels in LEVELS.items():
        first = COMMON.get(name, 1 / len(levels))
        columns.append(shuffled([first] + [(1 - first) / (len(levels) - 1)] * (len(levels) - 1), n, rng))
    return np.column_stack(columns)


def people(split: int, n: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """The arrays of one split: as many blond as dark, linked to presentation in training only."""
    codes = attributes(n, rng)
    presentation = codes[:, list(LEVELS).index("presentation")]
    feminine = presentation == LEVELS["presentation"].index("feminine")
    blond = np.zeros(n, "uint8")
    for group, aligned in ((feminine, ALIGNED_SHARE), (~feminine, 1 - ALIGNED_SHARE)):
        share = aligned if split == 0 else 0.5
        blond[group] = shuffled([1 - share, share], int(group.sum()), rng)
    light = rng.normal(np.array(SHADE_MEAN)[blond], SHADE_SPREAD)
    light = np.clip(light, *np.array(SHADE_ENDS)[blond].T)
    return {
        "attributes": codes,
        "blond": blond,
        "shade": np.rint(255 * light).astype("uint8"),
        "seed": rng.integers(0, 2**32, n, dtype="uint32"),
        "split": np.full(n, split, "uint8"),
    }


def everybody() -> dict[str, np.ndarray]:
    """The arrays of all splits, one after the other."""
    rng = np.random.default_rng(SEED)
    parts = [people(split, n, rng) for split, n in enumerate(SPLIT_SIZES.values())]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def main() -> None:
    """Write faces.npz, model.safetensors and manifest.json."""
    FOLDER.mkdir(exist_ok=True)
    np.savez_compressed(FOLDER / "faces.npz", **everybody())
    manifest = {
        "origin": "drawn by fmd_core/datasets/demos/face_drawing.py from codes and seeds; nobody's photograph",
        "licence": "MIT",
        "seed": SEED,
        "aligned_share": ALIGNED_SHARE,
        "shade_mean": SHADE_MEAN,
        "shade_spread": SHADE_SPREAD,
        "shade_ends": SHADE_ENDS,
        "split_sizes": SPLIT_SIZES,
        "model": {"architecture": "small_cnn", "epochs": EPOCHS, "damping": 1e-3},
        "sha256": {"faces.npz": _digest("faces.npz")},
    }
    _write(manifest)
    dataset = load_synthetic_faces(FOLDER)
    model = fmd.train_classifier(dataset, architecture="small_cnn", epochs=EPOCHS, seed=SEED)
    fmd.save_classifier(model, FOLDER / "model.safetensors")
    manifest["sha256"] |= {"model.safetensors": _digest("model.safetensors")}
    _write(manifest)


def _digest(name: str) -> str:
    return sha256((FOLDER / name).read_bytes()).hexdigest()


def _write(manifest: dict) -> None:
    (FOLDER / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n")


if __name__ == "__main__":
    main()
