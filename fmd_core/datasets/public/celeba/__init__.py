"""CelebA: faces of celebrities with 40 yes-or-no attributes (Liu et al., ICCV 2015).

Reads the official layout, whole or any subset of its pictures, at any picture size:

    img_align_celeba/000001.jpg ...   list_eval_partition.txt (0 train, 1 validation, 2 test)
    list_attr_celeba.txt (1, -1)      identity_CelebA.txt (who is on the picture)

and Kaggle's: the same lists as .csv with a line of names, the pictures in img_align_celeba/img_align_celeba/. Kaggle
leaves out who is on the pictures; the official identity_CelebA.txt can be put beside them.

The terms of CelebA allow non-commercial research only and no passing on of the pictures.

    lists     the lists: attributes, parts, persons
    pictures  the pictures, read when they are asked for
    words     attributes and people as they are called
    loading   all of it as a data set
    download  from the authors' Google Drive
"""

from fmd_core.datasets.public.celeba.download import download_celeba
from fmd_core.datasets.public.celeba.lists import (
    celeba_attributes,
    persons_of,
)
from fmd_core.datasets.public.celeba.loading import load_celeba
from fmd_core.datasets.public.celeba.pictures import CelebaSource

__all__ = [
    "CelebaSource",
    "celeba_attributes",
    "download_celeba",
    "load_celeba",
    "persons_of",
]
