"""One reader per family of data sets; each gives an `AttributeDataset`."""

from __future__ import annotations

import os
from pathlib import Path

from fmd_core.data import AttributeDataset
from fmd_core.datasets.bundled import read_verified
from fmd_core.datasets.colored_digits import load_colored_digits
from fmd_core.errors import DataError
from fmd_core.models import Classifier, load_classifier

MODEL = "model.safetensors"
DEMOS = {"colored_digits": load_colored_digits}


def sample_folder() -> Path:
    """Where the bundled demos lie: the setting FMD_SAMPLE_DIR, else beside the package."""
    default = Path(__file__).resolve().parents[2] / "sample_data"
    return Path(os.environ.get("FMD_SAMPLE_DIR", default))


def load_dataset(name: str) -> AttributeDataset:
    """A bundled data set by name."""
    return DEMOS[_known(name)](sample_folder() / name)


def load_demo_classifier(name: str) -> Classifier:
    """The model that comes with a bundled data set, checked against its manifest."""
    folder = sample_folder() / _known(name)
    read_verified(folder, MODEL)
    return load_classifier(folder / MODEL)


def _known(name: str) -> str:
    if name not in DEMOS:
        raise DataError(f"Unknown data set '{name}'. Bundled are: {', '.join(DEMOS)}.")
    return name
