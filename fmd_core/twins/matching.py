"""Find a real person who is like another one except for an attribute.

Alike means near in the encoder's features, whitened so that every direction counts the same, and
without the directions that the answer is read from: twins who were matched on the answer itself
would hide the bias that they are to show (measured on CelebA, blond hair by sex: bias of blond
men 7 points when matched on raw features, 48 without the answer; placebo 6 and 18).

Distances are given as a share of the distance between two strangers of the same class: 0 is the
same features, 1 as unlike as any two people of that class.
"""

from __future__ import annotations

import numpy as np

from fmd_core.data import Array, FeatureSet
from fmd_core.heads.protocol import Head

NOBODY = -1


def all_but_the_answer(features: Array, head: Head) -> Array:
    """Features (n, d) whitened (Ledoit and Wolf 2004), with what `head` reads projected out, float32."""
    from sklearn.covariance import ledoit_wolf  # half a second to import

    centred = features.astype("float64") - features.mean(axis=0, dtype="float64")
    covariance, _ = ledoit_wolf(centred, assume_centered=True)
    jitter = 1e-9 * np.trace(covariance) / len(covariance) * np.eye(len(covariance))  # dead columns
    root = np.linalg.cholesky(covariance + jitter)
    white = np.linalg.solve(root, centred.T).T
    read, _ = np.linalg.qr(
        root.T @ head.answer_directions.T
    )  # the same directions among the whitened features
    return (white - white @ read @ read.T).astype("float32")


def nearest_partners(people: FeatureSet, codes: Array, usual: Array, *, same: bool) -> tuple[Array, Array]:
    """For each person the nearest other one of the same class: position (n,) and distance (n,).

    `codes` (n,) is everyone's attribute level and `usual` (n,) the one that is usual for their
    class. With `same` the partner shows the person's own level (a placebo); otherwise a different
    one, and the usual one if the person does not show it. NOBODY and infinity where none exists.
    """
    partner = np.full(len(people), NOBODY)
    distance = np.full(len(people), np.inf)
    for label in np.unique(people.labels):
        in_class = people.labels == label
        stranger = _distance_of_strangers(people.features[in_class])
        for code in np.unique(codes[in_class]):
            seekers = np.flatnonzero(in_class & (codes == code))
            if same:
                wanted = codes == code
            elif code == usual[seekers[0]]:
                wanted = codes != code
            else:
                wanted = codes == usual[seekers[0]]
            found = np.flatnonzero(in_class & wanted)
            if len(found) <= same:  # a placebo needs somebody else
                continue
            place, length = _nearest(people.features[seekers], people.features[found], skip_self=same)
            partner[seekers], distance[seekers] = found[place], length / stranger
    return partner, distance


def _nearest(seekers: Array, found: Array, *, skip_self: bool) -> tuple[Array, Array]:
    """Position in `found` of the one nearest to each seeker, and the distance."""
    from sklearn.neighbors import NearestNeighbors

    index = NearestNeighbors(n_neighbors=1, algorithm="brute").fit(found)
    if skip_self:
        length, place = index.kneighbors()  # of the fitted points themselves, each one left out
    else:
        length, place = index.kneighbors(seekers)
    return place[:, 0], length[:, 0]


def _distance_of_strangers(features: Array) -> float:
    """Root mean square distance between two people drawn at random."""
    spread = features.astype("float64").var(axis=0).sum()
    return float(np.sqrt(2 * spread)) or 1.0
