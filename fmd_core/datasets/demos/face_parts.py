"""What the synthetic faces are made of: vector shapes on a sheet of 256 x 256 units.

A shape is a union of polygons, less some cuts. Curves are Catmull-Rom splines through the points
given; a point given twice makes a corner. The face looks straight ahead, so that most outlines
are given as their right half, from top to bottom, and mirrored at x = 128. Shapes are found by
the name of the part, then by the levels that decide them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from fmd_core.data import Array

AXIS = 128.0
HAIR_STYLES = ("cropped", "swept", "curly", "bob", "long", "ponytail")
HATS = ("none", "beanie", "brimmed")
PRESENTATIONS = ("feminine", "masculine")
EXPRESSIONS = ("calm", "smiling")
EYE_FORMS = ("round", "almond")
NOSES = ("soft", "straight", "wide")
Points = Sequence[tuple[float, float]]
Polygons = tuple[Array, ...]
Key = tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Shape:
    """Polygons (k, 2) to fill, then polygons to empty; soft edges of `blur` units."""

    polygons: Polygons
    cuts: Polygons = ()
    blur: float = 0.0
    clip: Key | None = None  # shown only inside this other shape
    on_head: bool = True  # takes the proportions of the head; neck, clothes and backdrop do not


def curve(points: Points, closed: bool = True) -> Array:
    """Uniform Catmull-Rom spline through the points, 10 steps each; a doubled point is a corner."""
    p = list(points)
    corners = [i for i in range(len(p)) if closed and p[i] == p[i - 1]]
    if not closed or not corners:
        return _spline([p[-1], *p, *p[:2]] if closed else [p[0], *p, p[-1]])
    p, ends = p[corners[0] :] + p[: corners[0]], [i - corners[0] for i in corners[1:]]
    pieces = [p[i:j] for i, j in zip([0, *ends], [*ends, len(p)], strict=True)]
    return np.vstack([_spline([piece[0], *piece, piece[-1]]) for piece in pieces])


def _spline(points: Points) -> Array:
    p, t = np.array(points, float), np.linspace(0, 1, 10, endpoint=False)[None, :, None]
    a, b, c, d = (p[i : len(p) - 3 + i, None] for i in range(4))
    spline = b + 0.5 * t * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a)))
    return np.vstack([spline.reshape(-1, 2), p[-2]])


def mirrored(polygons: Polygons) -> Polygons:
    """The polygons and their mirror images."""
    return polygons + tuple(np.array([2 * AXIS, 0]) + p * np.array([-1, 1]) for p in polygons)


def outline(right: Points) -> Polygons:
    """A symmetric outline from its right half."""
    left = [(2 * AXIS - x, y) for x, y in reversed(right) if x != AXIS]
    return (curve([*right, *left]),)


def fill(*points: tuple[float, float]) -> Polygons:
    """What a closed curve through the points encloses."""
    return (curve(points),)


def oval(x: float, y: float, rx: float, ry: float | None = None) -> Polygons:
    """An ellipse around (x, y), or a circle."""
    angle = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    return (np.column_stack([x + rx * np.cos(angle), y + (ry or rx) * np.sin(angle)]),)


def stroke(points: Points, start: float, middle: float, end: float) -> Polygons:
    """A pen stroke through the points, with its width at the start, in the middle and at the end."""
    line = curve(points, closed=False)
    step = np.gradient(line, axis=0)
    normal = step[:, ::-1] * np.array([1, -1]) / np.maximum(np.hypot(*step.T), 1e-6)[:, None]
    width = np.interp(np.linspace(0, 1, len(line)), [0, 0.5, 1], [start, middle, end])[:, None] / 2
    body = np.vstack([line + normal * width, (line - normal * width)[::-1]])
    ends = (line[0], start), (line[-1], end)
    return (body, *(oval(x, y, width / 2)[0] for (x, y), width in ends))


def squircle(x: float, y: float, rx: float, ry: float) -> Polygons:
    """Between an oval and a rectangle."""
    unit = oval(0, 0, 1)[0]
    return (np.array([x, y]) + np.array([rx, ry]) * np.sign(unit) * np.abs(unit) ** 0.55,)


# --- head, neck, clothes

_SKULL = [(128, 60), (156, 65), (175, 86), (180, 116), (180, 134)]
_FACE = {
    "feminine": outline([*_SKULL, (175, 158), (160, 179), (143, 191), (128, 194)]),
    "masculine": outline([*_SKULL, (179, 156), (172, 177), (151, 194), (128, 197)]),
}
_NECK = {
    "feminine": outline([(128, 165), (148, 170), (148, 204), (153, 222), (170, 232), (170, 262), (128, 262)]),
    "masculine": outline(
        [(128, 165), (156, 168), (157, 204), (162, 218), (176, 226), (176, 262), (128, 262)]
    ),
}
_BODY = {
    "feminine": outline(
        [(128, 243), (145, 239), (157, 222), (157, 222), (184, 229), (206, 243), (214, 270), (128, 276)]
    ),
    "masculine": outline(
        [(128, 232), (146, 228), (159, 213), (159, 213), (198, 223), (226, 238), (235, 270), (128, 276)]
    ),
}
_OPENING = {  # of the jacket, which leaves the clothes under it to be seen
    "feminine": outline([(128, 200), (158, 205), (162, 232), (158, 280), (128, 280)]),
    "masculine": outline([(128, 190), (160, 200), (162, 216), (152, 246), (147, 280), (128, 280)]),
}
_LAPELS = {
    "feminine": mirrored(stroke([(157, 221), (162, 232), (160, 256), (158, 280)], 3, 4, 4)),
    "masculine": mirrored(stroke([(160, 212), (162, 222), (152, 246), (147, 280)], 6, 9, 4)),
}
_TRIM = {  # edge of the neckline
    "feminine": stroke([(98, 221), (109, 238), (128, 243.5), (147, 238), (158, 221)], 3, 3.5, 3),
    "masculine": stroke([(96, 212), (109, 228), (128, 233), (147, 228), (160, 212)], 7, 7, 7),
}

_SCARF = (
    *stroke([(90, 212), (106, 221), (128, 226), (150, 221), (166, 212)], 22, 23, 22),
    *fill((138, 222), (138, 222), (158, 218), (158, 218), (166, 250), (166, 250), (143, 253), (143, 253)),
)
_SCARF_FOLDS = (
    *stroke([(92, 218), (110, 228), (130, 231), (146, 227)], 1.5, 3, 1.5),
    *stroke([(140, 216), (147, 222), (150, 232)], 1.5, 3, 1),
    *stroke([(154, 228), (157, 240), (157, 251)], 1, 2.4, 1),
)

# --- hair: outlines around the skull, which ends at y = 60 on top and at x = 180 beside

_CURLS_FRONT = [
    *oval(128, 70, 40, 22), *oval(96, 70, 20), *oval(112, 60, 22), *oval(132, 56, 22), *oval(152, 62, 21),
    *oval(168, 76, 19), *oval(84, 86, 17), *oval(176, 94, 15), *oval(80, 104, 12), *oval(178, 110, 11),
    *oval(104, 82, 14), *oval(126, 80, 15), *oval(148, 82, 14),
]  # fmt: skip
_CURLS_BACK = [
    *oval(128, 96, 66, 56), *oval(70, 84, 24), *oval(62, 110, 24), *oval(62, 136, 22), *oval(72, 158, 19),
    *oval(88, 62, 26), *oval(112, 48, 25), *oval(142, 46, 25), *oval(168, 60, 26), *oval(187, 84, 24),
    *oval(195, 110, 24), *oval(194, 136, 22), *oval(184, 158, 19),
]  # fmt: skip
_HAIR_FRONT: dict[str, Polygons] = {
    "cropped": outline([
        (128, 43), (158, 46), (182, 64), (190, 94), (187, 126), (187, 126), (180, 128), (180, 128),
        (177, 108), (169, 96), (150, 92), (128, 90),
    ]),
    "swept": fill(
        (70, 128), (66, 98), (72, 66), (98, 46), (112, 44), (146, 33), (180, 45), (193, 76), (187, 128),
        (187, 128), (180, 128), (180, 128), (176, 104), (158, 100), (128, 95), (104, 78), (98, 68), (98, 68),
        (92, 88), (80, 104), (76, 128), (76, 128),
    ),
    "curly": tuple(_CURLS_FRONT),
    "bob": outline([
        (128, 42), (164, 46), (190, 74), (199, 122), (199, 170), (190, 192), (190, 192), (173, 186),
        (176, 150), (175, 118), (170, 102), (170, 102), (150, 103), (128, 104),
    ]),
    "long": outline([
        (128, 45), (130, 44), (164, 48), (189, 76), (198, 126), (204, 186), (203, 228), (190, 244), (190, 244),
        (172, 240), (176, 196), (180, 150), (174, 112), (158, 88), (136, 74), (128, 66), (128, 66),
    ]),
    "ponytail": outline([
        (128, 42), (158, 45), (183, 65), (191, 98), (186, 128), (186, 128), (180, 130), (180, 130),
        (175, 108), (157, 90), (128, 84),
    ]),
}  # fmt: skip
_HAIR_BACK: dict[str, Polygons] = {
    "cropped": (),
    "swept": (),
    "curly": tuple(_CURLS_BACK),
    "bob": outline([(128, 48), (178, 60), (196, 120), (197, 170), (186, 196), (150, 200), (128, 200)]),
    "long": outline([(128, 48), (178, 60), (196, 120), (202, 190), (198, 240), (150, 246), (128, 246)]),
    "ponytail": fill(
        (160, 62), (186, 64), (208, 88), (217, 126), (217, 166), (206, 204), (196, 216), (196, 216), (190, 196),
        (190, 160), (184, 120), (170, 90),
    ),
}  # fmt: skip
_CURLS_LIGHT = [
    (106, 54), (136, 48), (163, 58), (84, 78), (176, 86), (124, 70), (150, 74), (60, 100), (196, 100)
]  # fmt: skip
_STRANDS: dict[str, Polygons] = {  # light on the hair
    "cropped": stroke([(92, 70), (112, 58), (142, 57), (164, 68)], 2, 10, 2),
    "swept": (
        *stroke([(110, 62), (140, 52), (172, 66)], 2, 10, 2),
        *stroke([(124, 80), (150, 84), (176, 80)], 1, 6, 1),
    ),
    "curly": tuple(
        piece
        for x, y in _CURLS_LIGHT
        for piece in stroke([(x - 8, y + 3), (x, y - 2), (x + 8, y + 3)], 1, 4, 1)
    ),
    "bob": (
        *stroke([(90, 76), (112, 62), (144, 62), (168, 76)], 2, 11, 2),
        *mirrored(stroke([(190, 120), (191, 146), (188, 170)], 1, 5, 1)),
    ),
    "long": (
        *mirrored(stroke([(140, 60), (164, 68), (182, 96)], 2, 9, 2)),
        *mirrored(stroke([(190, 140), (195, 180), (193, 216)], 1, 5, 1)),
    ),
    "ponytail": (
        *stroke([(92, 74), (112, 62), (142, 61), (166, 74)], 2, 9, 2),
        *stroke([(204, 110), (208, 140), (204, 172)], 1, 7, 1),
    ),
}
_ABOVE_HEM = {  # hair that a hat presses flat; beside the hat it falls off to the sides
    "none": (),
    "beanie": (np.array([(-20.0, -20), (276, -20), (276, 98), (194, 62), (62, 62), (-20, 98)]),),
    "brimmed": (np.array([(-20.0, -20), (276, -20), (276, 88), (200, 64), (56, 64), (-20, 88)]),),
}
_HAT = {
    "beanie": outline([(128, 13), (162, 18), (182, 38), (188, 62), (128, 60)]),
    "brimmed": outline([(128, 16), (150, 12), (168, 20), (177, 55), (179, 65), (128, 69)]),
}
_HAT_BAND = {
    "beanie": stroke([(70, 62), (97, 57), (128, 55.5), (159, 57), (186, 62)], 14, 14, 14),
    "brimmed": fill(
        (75, 49), (75, 49), (128, 55), (181, 49), (181, 49), (182, 62), (182, 62), (128, 69), (74, 62), (74, 62)
    ),
}  # fmt: skip
_BRIM = fill(
    (48, 62), (80, 59), (128, 64), (176, 59), (208, 62), (204, 69), (172, 71), (128, 73), (84, 71), (52, 69)
)


# --- the face itself

_EYE = {
    "round": mirrored(fill(
        (139, 134), (139, 134), (145, 126.5), (153, 123.5), (162, 127.5), (167, 134), (167, 134), (161, 139.5),
        (153, 141), (145, 139.5),
    )),
    "almond": mirrored(fill(
        (138, 135), (138, 135), (145, 128), (154, 125), (163, 128), (168, 132), (168, 132), (161, 138),
        (152, 140), (144, 139),
    )),
}  # fmt: skip
_WING = (
    *stroke([(164, 129), (168, 128), (172, 125)], 3.4, 2.6, 0.8),
    *stroke([(160, 126), (164, 123.5), (167, 120)], 2.6, 2, 0.8),
)
_UPPER_LID = {
    "round": [(138.5, 134), (145, 126.3), (153, 123.2), (162, 127.2), (167.5, 133)],
    "almond": [(137.5, 135), (145, 127.7), (154, 124.7), (163, 127.7), (168.5, 131.5)],
}
_LID = {
    (who, form): mirrored((*stroke(lid, 1.2, *widths), *lashes))
    for form, lid in _UPPER_LID.items()
    for who, widths, lashes in (("feminine", (4, 4), _WING), ("masculine", (2.8, 1.4), ()))
}
_BROW = {
    "feminine": mirrored(stroke([(140, 110), (149, 106.5), (159, 106), (170, 111)], 3.4, 4, 1.4)),
    "masculine": mirrored(stroke([(137, 110), (148, 107.5), (160, 107.5), (172, 112)], 5.5, 7.5, 3)),
}
_NOSE = {
    "soft": stroke([(119, 156), (123, 161), (133, 161), (137, 156)], 1.5, 4, 1.5),
    "straight": stroke([(132, 136), (137, 152), (135, 159), (125, 160)], 1, 3, 3.5),
    "wide": (
        *stroke([(115, 155), (120, 160), (128, 158.5), (136, 160), (141, 155)], 2, 3.6, 2),
        *oval(122, 159, 2.6, 1.6), *oval(134, 159, 2.6, 1.6),
    ),
}  # fmt: skip
_MOUTH = {
    "calm": stroke([(111, 171.5), (119, 175.2), (128, 176), (137, 175.2), (145, 171.5)], 1.8, 2.6, 1.8),
    "smiling": fill(
        (109, 168.5), (109, 168.5), (118, 169.8), (128, 170.2), (138, 169.8), (147, 168.5), (147, 168.5), (143, 176.5),
        (136, 181.5), (128, 183), (120, 181.5), (113, 176.5),
    ),
}  # fmt: skip
_CORNERS = mirrored(stroke([(145, 168), (148.5, 167.5), (150.5, 165)], 2.2, 2.2, 1.2))
_LIPS = {
    ("feminine", "calm"): (
        *fill((110, 172.5), (110, 172.5), (121, 168.5), (128, 170), (135, 168.5), (146, 172.5), (146, 172.5),
              (128, 176)),
        *fill((112, 173), (128, 175), (144, 173), (137, 180.5), (128, 182), (119, 180.5)),
    ),
    ("feminine", "smiling"): fill(
        (105, 167), (105, 167), (119, 166.6), (128, 167.8), (137, 166.6), (151, 167), (151, 167), (146, 178.5),
        (137, 185.5), (128, 187), (119, 185.5), (110, 178.5),
    ),
    ("masculine", "calm"): stroke([(120, 181), (128, 182.3), (136, 181)], 1.5, 3, 1.5),
    ("masculine", "smiling"): (*_CORNERS, *stroke([(119, 186.5), (128, 188), (137, 186.5)], 1.5, 2.6, 1.5)),
}  # fmt: skip
_AGE_LINES = mirrored((
    *stroke([(172, 127), (178, 123)], 1.2, 2.6, 0.8), *stroke([(173, 133.5), (180, 133.5)], 1.2, 2.6, 0.8),
    *stroke([(172, 140), (178, 144)], 1.2, 2.6, 0.8), *stroke([(143, 146), (152, 149), (162, 146.5)], 0.8, 2.6, 0.8),
    *stroke([(144, 156), (150, 161), (154, 169)], 0.8, 3, 0.8),
))  # fmt: skip
_FRECKLES = tuple(
    oval(x, y, 1.75)[0]
    for x, y in [(145, 150), (152, 154), (160, 151), (167, 155), (148, 160), (156, 161), (164, 162), (135, 149),
                 (111, 151), (103, 154), (95, 150), (89, 156), (106, 160), (99, 162), (92, 163), (121, 150), (128, 146)]
)  # fmt: skip


def _jaw_shadow(jaw: Points) -> Polygons:
    outer = [(183.0, 124.0), (183.0, 124.0), *jaw]
    inner = [(128.0, 166.0), (141.0, 161.0), (156.0, 164.0), (169.0, 152.0), (175.0, 124.0), (175.0, 124.0)]
    left = [(2 * AXIS - x, y) for x, y in [*inner, *outer] if x != AXIS]
    return (curve([*outer, *reversed(left[len(inner) - 1 :]), *reversed(left[: len(inner) - 1]), *inner]),)


_STUBBLE = _jaw_shadow([(181, 157), (174, 180), (152, 193), (128, 196)])
_MOUTH_SPACE = {"calm": oval(128, 176, 22, 9.5), "smiling": oval(128, 177, 28, 15)}
_FRAMES = {
    "round": (oval(153, 132, 22, 21), oval(153, 132, 18.4, 17.4)),
    "square": (squircle(153, 131.5, 23, 18.5), squircle(153, 131.5, 19.4, 14.9)),
}
_BRIDGE = (
    *stroke([(132, 129), (128, 127), (124, 129)], 3.4, 3.4, 3.4),
    *mirrored(stroke([(174, 128), (186, 125)], 3.4, 3.2, 2.6)),
)


# --- every shape by name

SHAPES: dict[Key, Shape] = {
    ("disc",): Shape(oval(128, 116, 98), on_head=False),
    ("ears",): Shape(mirrored(oval(181, 134, 10, 14.5))),
    ("inner ears",): Shape(mirrored(oval(182.5, 134, 5, 9)), blur=2),
    ("blush",): Shape(mirrored(oval(160, 157, 14, 9)), blur=5),
    ("nose light",): Shape(oval(128, 146, 5, 11), blur=4),
    ("iris",): Shape(mirrored(oval(153, 132, 8))),
    ("pupil",): Shape(mirrored(oval(153, 132, 4))),
    ("glint",): Shape((*oval(156, 129, 2.3), *oval(106, 129, 2.3))),
    ("teeth", "smiling"): Shape(oval(128, 168, 24, 7), clip=("mouth", "smiling")),
    ("tongue", "smiling"): Shape(oval(128, 184, 11, 5), clip=("mouth", "smiling")),
    ("age lines", "visible"): Shape(_AGE_LINES),
    ("freckles", "freckles"): Shape(_FRECKLES),
    ("ear hook", "drops"): Shape(mirrored(oval(183, 150, 2.6))),
    ("ear drop", "drops"): Shape(mirrored(oval(183.5, 160, 6, 8))),
    ("ear light", "drops"): Shape((*oval(185.5, 157, 2), *oval(74.5, 157, 2))),
    ("brim", "brimmed"): Shape(_BRIM),
    ("scarf", "scarf"): Shape(_SCARF, on_head=False),
    ("scarf folds", "scarf"): Shape(_SCARF_FOLDS, on_head=False),
}
for _who in PRESENTATIONS:
    SHAPES |= {
        ("neck", _who): Shape(_NECK[_who], on_head=False),
        ("neck shade", _who): Shape(oval(128, 184, 40, 26), blur=4, clip=("neck", _who), on_head=False),
        ("body", _who): Shape(_BODY[_who], on_head=False),
        ("body light", _who): Shape(oval(84, 240, 46, 12), blur=10, clip=("body", _who), on_head=False),
        ("body shade", _who): Shape(oval(206, 262, 40, 22), blur=12, clip=("body", _who), on_head=False),
        ("trim", _who): Shape(_TRIM[_who], on_head=False),
        ("jacket", _who): Shape(_BODY[_who], _OPENING[_who], on_head=False),
        ("lapels", _who): Shape(_LAPELS[_who], clip=("body", _who), on_head=False),
        ("face", _who): Shape(_FACE[_who]),
        ("face shade", _who): Shape(oval(196, 140, 34, 90), blur=14, clip=("face", _who)),
        ("brow", _who): Shape(_BROW[_who]),
    }
    for _mood in EXPRESSIONS:
        SHAPES[("lips", _who, _mood)] = Shape(_LIPS[_who, _mood])
    SHAPES |= {("lid", _who, form): Shape(_LID[_who, form]) for form in EYE_FORMS}
for _mood in EXPRESSIONS:
    SHAPES[("mouth", _mood)] = Shape(_MOUTH[_mood])
    SHAPES[("stubble", "masculine", _mood)] = Shape(
        _STUBBLE, _MOUTH_SPACE[_mood], blur=2.5, clip=("face", "masculine")
    )
for _form in EYE_FORMS:
    SHAPES[("eye", _form)] = Shape(_EYE[_form])
    SHAPES[("eye shade", _form)] = Shape(mirrored(oval(153, 121, 18, 8)), blur=2, clip=("eye", _form))
for _nose in NOSES:
    SHAPES[("nose", _nose)] = Shape(_NOSE[_nose])
for _kind, (_rim, _lens) in _FRAMES.items():
    SHAPES[("frames", _kind)] = Shape((*mirrored(_rim), *_BRIDGE), mirrored(_lens))
    SHAPES[("lenses", _kind)] = Shape(mirrored(_lens))
for _hat in HATS[1:]:
    SHAPES[("hat", _hat)] = Shape(_HAT[_hat])
    SHAPES[("hat band", _hat)] = Shape(_HAT_BAND[_hat])
    SHAPES[("hat light", _hat)] = Shape(oval(104, 38, 20, 15), blur=9, clip=("hat", _hat))
for _style, _hat in product(HAIR_STYLES, HATS):
    _cut = _ABOVE_HEM[_hat]
    _front = _HAIR_FRONT[_style]
    SHAPES[("hair back", _style, _hat)] = Shape(_HAIR_BACK[_style], _cut)
    SHAPES[("hair front", _style, _hat)] = Shape(_front, _cut)
    SHAPES[("hair shade", _style, _hat)] = Shape(
        mirrored(oval(200, 150, 26, 62)), blur=12, clip=("hair front", _style, _hat)
    )
    SHAPES[("strands", _style, _hat)] = Shape(_STRANDS[_style], _cut, blur=1.5)
    for _who in PRESENTATIONS:
        SHAPES[("hair shadow", _style, _who)] = Shape(
            tuple(p + np.array([0, 6]) for p in _front), blur=2, clip=("face", _who)
        )
