"""One reader per family of data sets; each gives an `AttributeDataset`.

A data set is named by a reference, a short text that can stand in an address: the family, and
what was chosen where it differs from the default, as in "celeba?target=Smiling&protected=Male".
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl, urlencode

from fmd_core.data import AttributeDataset
from fmd_core.datasets.demos.colored_digits import load_colored_digits
from fmd_core.datasets.demos.hate_texts import load_hate_texts
from fmd_core.datasets.demos.synthetic_faces import load_synthetic_faces
from fmd_core.datasets.own.imports import open_import
from fmd_core.datasets.public.adult import load_adult
from fmd_core.datasets.public.celeba import load_celeba
from fmd_core.datasets.public.colored_mnist import load_colored_mnist
from fmd_core.errors import DataError
from fmd_core.home import data_folder, demo_folder
from fmd_core.text import split_names

LONGEST_REFERENCE = 2_000
Options = Mapping[str, str]


@dataclass(frozen=True)
class Family:
    """A kind of data set that can be opened. Every option is a text; lists are joined by commas."""

    title: str
    defaults: Options
    load: Callable[[Options], AttributeDataset]
    has_model: bool = False  # whether a trained model ships with it


def sample_folder() -> Path:
    """Where the bundled demos lie: the setting FMD_SAMPLE_DIR, else where they were installed."""
    return Path(os.environ["FMD_SAMPLE_DIR"]) if "FMD_SAMPLE_DIR" in os.environ else demo_folder()


def _celeba(options: Options) -> AttributeDataset:
    return load_celeba(
        data_folder() / "celeba",
        target=options["target"],
        protected=split_names(options["protected"]),
        size=int(_number("size", options["size"])),
    )


FAMILIES: dict[str, Family] = {
    "colored_digits": Family(
        "Coloured digits", {}, lambda _: load_colored_digits(sample_folder() / "colored_digits"), True
    ),
    "synthetic_faces": Family(
        "Synthetic faces", {}, lambda _: load_synthetic_faces(sample_folder() / "synthetic_faces"), True
    ),
    "hate_texts": Family(
        "Words and groups", {}, lambda _: load_hate_texts(sample_folder() / "hate_texts"), True
    ),
    "colored_mnist": Family(
        "Coloured MNIST",
        {"aligned": "0.99"},
        lambda o: load_colored_mnist(data_folder() / "MNIST", aligned=_number("aligned", o["aligned"])),
    ),
    "celeba": Family("CelebA", {"target": "Blond_Hair", "protected": "Male", "size": "64"}, _celeba),
    "adult": Family(
        "Adult",
        {"protected": "sex,race,age group"},
        lambda o: load_adult(data_folder() / "adult", protected=split_names(o["protected"])),
    ),
    "import": Family("Your own data", {"id": ""}, lambda o: open_import(o["id"])),
}


def reference(family: str, /, **options: str) -> str:
    """The reference of a data set, without what is default."""
    defaults = _known(family).defaults
    unknown = sorted(set(options) - set(defaults))
    if unknown:
        choices = ", ".join(defaults) or "none"
        raise DataError(f"'{family}' has no option {unknown[0][:80]!r}. Its options are: {choices}.")
    chosen = {key: value for key, value in sorted(options.items()) if value != defaults[key]}
    return f"{family}?{urlencode(chosen)}" if chosen else family


def parse_reference(text: str) -> tuple[str, dict[str, str]]:
    """Family and all options of a reference. Raises DataError for what is none."""
    if len(text) > LONGEST_REFERENCE:
        raise DataError(f"A data set's name has at most {LONGEST_REFERENCE} characters, got {len(text)}.")
    family, _, query = text.partition("?")
    options = dict(parse_qsl(query, keep_blank_values=True))
    reference(family, **options)
    return family, {**_known(family).defaults, **options}


def load_dataset(name: str, **options: str) -> AttributeDataset:
    """A data set by reference, or by family and options: load_dataset("celeba", target="Smiling").

    A reference is what `reference` writes: a name of FAMILIES, and options behind a question mark. Samples are read
    when they are asked for.

    Raises
    ------
    DataError
        For an unknown name or option, and for files that are missing, broken or changed.
    """
    family, chosen = parse_reference(reference(name, **options) if options else name)
    return FAMILIES[family].load(chosen)


def _known(name: str) -> Family:
    if name not in FAMILIES:
        raise DataError(f"Unknown data set {name[:80]!r}. Known are: {', '.join(FAMILIES)}.")
    return FAMILIES[name]


def _number(option: str, text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise DataError(f"'{option}' must be a number, got {text[:40]!r}.")
    return number
