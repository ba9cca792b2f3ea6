"""What is measured by `fmd reproduce`: data, the bias that is taken out, the network, and how often.

Where few people of the group concerned are in one test part, as of CelebA's blond men, everybody is tested once: the
data are shared out anew into five folds by person, in the product's proportions, with a network for each. Elsewhere
the same split has a network for each seed.

The two further targets of CelebA were written down here on 30 November 2026 before a network was trained on either:
the first because high cheekbones and smiles go together in the pictures, the second because annotators rated them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from fmd_core.data import AttributeDataset
from fmd_core.datasets.public.celeba import CelebaSource, persons_of
from fmd_core.errors import DataError
from fmd_core.home import data_folder
from fmd_core.unlearn.deeper.settings import Improve

FOLDS = 5
SEEDS = 3


@dataclass(frozen=True)
class Case:
    """One bias of one data set."""

    name: str
    """As files of cells and the command call it."""
    reference: str
    attribute: str
    improve: Improve
    architecture: str
    epochs: int
    folds: int = 1
    bundled: bool = False
    """Whether seed 0 is the model that comes with the demo."""

    @property
    def family(self) -> str:
        return self.reference.partition("?")[0]

    def runs(self, seeds: int) -> range:
        """Folds, or seeds."""
        return range(self.folds if self.folds > 1 else seeds)


CASES: tuple[Case, ...] = (
    Case("celeba-blond", "celeba", "male", "groups", "face_cnn", 5, FOLDS),
    Case(
        "celeba-smiling", "celeba?target=Smiling&protected=High_Cheekbones", "high cheekbones", "groups",
        "face_cnn", 5,
    ),
    Case("celeba-attractive", "celeba?target=Attractive&protected=Male", "male", "groups", "face_cnn", 5),
    *(
        Case(f"mnist-{share}", f"colored_mnist?aligned=0.{share}", "colour", "twins", "small_cnn", 3)
        for share in ("995", "99", "98", "95")
    ),
    Case("digits", "colored_digits", "colour", "twins", "small_cnn", 20, bundled=True),
    Case("faces", "synthetic_faces", "presentation", "twins", "small_cnn", 3, bundled=True),
    *(Case(f"adult-{name}", "adult", name, "twins", "mlp", 4) for name in ("sex", "race", "age")),
)  # fmt: skip


def chosen_cases(names: Sequence[str]) -> tuple[Case, ...]:
    """Cases by their names or by their family of data; all where none is named. Raises DataError for an unknown one."""
    known = {case.name for case in CASES} | {case.family for case in CASES}
    for name in names:
        if name not in known:
            raise DataError(f"There is no case '{name}'. Choose from: {', '.join(sorted(known))}.")
    return tuple(case for case in CASES if not names or {case.name, case.family} & set(names))


def shared_out(dataset: AttributeDataset, case: Case, fold: int) -> AttributeDataset:
    """The data with another part of the people as the test, and the others shared out anew; as they are where a case
    has no folds."""
    if case.folds == 1:
        return dataset
    if not isinstance(dataset.source, CelebaSource):
        raise DataError(
            f"Who is on the samples of '{dataset.name}' is not known, so they cannot be shared out anew."
        )
    person = persons_of(data_folder() / "celeba", dataset.source.files)
    order = np.random.default_rng(0).permutation(np.unique(person))
    tested = np.array_split(order, case.folds)[fold]
    others = np.random.default_rng(fold).permutation(order[~np.isin(order, tested)])
    tenth = len(order) // 10
    split = np.full(len(dataset), "train", "<U10")
    for name, those in (
        ("test", tested),
        ("external", others[:tenth]),
        ("validation", others[tenth : 2 * tenth]),
    ):
        split[np.isin(person, those)] = name
    return replace(dataset, split=split)
