"""Find a real person who is like another one except for an attribute.

Distances are those of the encoder's features, as a share of the distance between two strangers
of the same class: 0 is the same features, 1 as unlike as any two people of that class.
"""

from __future__ import annotations

import numpy as np

from fmd_core.data import Array, FeatureSet

NOBODY = -1


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
