"""Rebuild `sample_data/colored_digits`: the data from scikit-learn's digits, the model, and what it makes of them.

    python sample_data/build_colored_digits.py

Deterministic by SEED on one machine; another processor may round the weights differently,
so the digests in manifest.json are those of the files as shipped.
"""

from __future__ import annotations

import json
import shutil
from hashlib import sha256
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from fmd_core.data import SPLITS
from fmd_core.datasets.demos.colored_digits import INKS, PAPERS, load_colored_digits
from fmd_core.models.encoding import extract_features
from fmd_core.models.feature_store import SHIPPED, FeatureStore
from fmd_core.models.files import load_classifier, save_classifier
from fmd_core.models.training import train_classifier
from fmd_core.study.people import changeable
from fmd_core.twins.pairs import pair_counterfactuals

FOLDER = Path(__file__).parent / "colored_digits"
SEED = 7
ALIGNED_SHARE = 0.98
SPLIT_SIZES = {"train": 900, "external": 200, "validation": 247, "test": 450}
EPOCHS = 30


def split_by_image(digit: np.ndarray) -> np.ndarray:
    """Position in SPLITS for every image, with equal shares of each digit."""
    split, left = np.zeros(len(digit), "uint8"), np.arange(len(digit))
    for position, name in list(enumerate(SPLITS))[1:]:
        left, taken = train_test_split(
            left, test_size=SPLIT_SIZES[name], stratify=digit[left], random_state=SEED + position
        )
        split[taken] = position
    return split


def ink(digit: np.ndarray, split: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """In training the digit's own ink for all but 1 - ALIGNED_SHARE of each class, who get one
    of the other inks; elsewhere any ink."""
    color = rng.integers(0, len(INKS), len(digit)).astype("uint8")
    for k in range(10):
        own = rng.permutation(np.flatnonzero((split == 0) & (digit == k)))
        odd = own[: round(len(own) * (1 - ALIGNED_SHARE))]
        color[own] = k
        color[odd] = (k + rng.integers(1, len(INKS), len(odd))) % len(INKS)
    return color


def main() -> None:
    """Write digits.npz, model.safetensors and manifest.json."""
    rng, digits = np.random.default_rng(SEED), load_digits()
    digit = digits.target.astype("uint8")
    split = split_by_image(digit)
    FOLDER.mkdir(exist_ok=True)
    np.savez_compressed(
        FOLDER / "digits.npz",
        strokes=digits.images.astype("uint8"),
        digit=digit,
        color=ink(digit, split, rng),
        paper=rng.integers(0, len(PAPERS), len(digit)).astype("uint8"),
        split=split,
    )
    manifest = {
        "origin": "sklearn.datasets.load_digits (UCI Optical Recognition of Handwritten Digits, test part)",
        "licence": "CC BY 4.0 (UCI Machine Learning Repository)",
        "seed": SEED,
        "aligned_share": ALIGNED_SHARE,
        "split_sizes": SPLIT_SIZES,
        "model": {"architecture": "small_cnn", "epochs": EPOCHS, "damping": 1e-3},
        "sha256": {"digits.npz": _digest("digits.npz")},
    }
    _write(manifest)
    dataset = load_colored_digits(FOLDER)
    save_classifier(train_classifier(dataset, epochs=EPOCHS, seed=SEED), FOLDER / "model.safetensors")
    manifest["sha256"] |= {"model.safetensors": _digest("model.safetensors")}
    _write(manifest)
    write_features()


def write_features() -> None:
    """Features of every image and of the test images' twins, which the first pages need: found by what they were made
    from, so that they count for this model and these images alone."""
    dataset, model = load_colored_digits(FOLDER), load_classifier(FOLDER / "model.safetensors")
    shutil.rmtree(FOLDER / SHIPPED, ignore_errors=True)
    store = FeatureStore(FOLDER / SHIPPED)
    for split in SPLITS:
        extract_features(model, dataset, split=split, store=store)
    for attribute in changeable(dataset):
        pair_counterfactuals(dataset, model, split="test", attribute=attribute, store=store)
    for path in (FOLDER / SHIPPED).iterdir():
        path.chmod(0o644)  # a home's features are their owner's alone


def _digest(name: str) -> str:
    return sha256((FOLDER / name).read_bytes()).hexdigest()


def _write(manifest: dict) -> None:
    (FOLDER / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n")


if __name__ == "__main__":
    main()
