"""Draws synthetic faces: an ordered stack of layers, each a mask times a colour.

A mask is drawn once per shape, head and size, much larger than needed, and shrunk, which makes
its edges smooth; a batch of faces then costs a few products per layer. Nothing here is random:
what the attributes leave open (proportions, eyes, tints) follows from the seed of each face.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from fmd_core.data import Array, frozen_array
from fmd_core.datasets.demos.face_parts import (
    EXPRESSIONS,
    EYE_FORMS,
    HAIR_STYLES,
    HATS,
    NOSES,
    PRESENTATIONS,
    SHAPES,
    Key,
)

UNITS = 256  # side of the sheet that the shapes are given on
MARGIN = 8  # the sheet is drawn this much larger on every side, so that a face can be moved
MODEL_SIZE = 64
CHUNK = 64  # faces that are drawn together: small enough for the processor's cache


def _rgb(*colors: str) -> Array:
    """Colours (k, 3) float32 from hex codes."""
    return frozen_array([[int(code[i : i + 2], 16) for i in (0, 2, 4)] for code in colors], "float32")


_SKINS = {
    "light": "F8D9C4", "medium light": "EDBE98", "medium": "CE976C", "medium dark": "A06A45", "dark": "714A32",
}  # fmt: skip
_EYES = {"brown": "5B3A21", "green": "4C8C5A", "blue": "3F80C2"}
_CLOTHES = {"coral": "E2725B", "blue": "5378B5", "sage": "7FA487", "plum": "95608C", "teal": "45989A"}
_BACKDROPS = {"mint": "BFE0D2", "sky": "BDD9EE", "lilac": "D3C7EA", "peach": "F6CFBA"}
_JACKETS = _rgb(*({"feminine": "EAE3F0", "masculine": "283144"}[who] for who in PRESENTATIONS))
_HATS = _rgb("3F9FA0", "D2674F", "6676C4", "74A565", "C06A92")
_SCARVES = _rgb("B9C8D8", "B8433F", "4A6BA6", "7C4A78")
_HAIR_PATH = _rgb("120E0D", "201713", "35241B", "4D3626", "96763F", "D6B05A", "E6C368", "F2D887", "FAE9B4")
LEVELS: dict[str, tuple[str, ...]] = {
    "presentation": PRESENTATIONS,
    "hair style": HAIR_STYLES,
    "skin tone": tuple(_SKINS),
    "eye colour": tuple(_EYES),
    "glasses": ("none", "round", "square"),
    "hat": HATS,
    "scarf": ("none", "scarf"),
    "expression": EXPRESSIONS,
    "earrings": ("none", "drops"),
    "age lines": ("none", "visible"),
    "freckles": ("none", "freckles"),
    "clothes": tuple(_CLOTHES),
    "background": tuple(_BACKDROPS),
}
"""Every attribute with its levels."""
LAMP = 0.18  # how much brighter or dimmer than usual the lamp may be
_GENES = {"eye form": EYE_FORMS, "nose": NOSES}
_BUILDS = ((1.0, 1.0), (0.94, 0.99), (1.05, 1.0), (0.97, 1.035), (1.02, 0.96))  # width, height of heads


@dataclass(frozen=True)
class Layer:
    """One sheet of the stack: which shape, of which colour, how opaque."""

    part: str
    paint: str
    by: tuple[str, ...] = ()  # attributes and genes whose levels decide the shape
    opacity: float = 1.0


_HAIR = ("hair style", "hat")
LAYERS = (
    Layer("disc", "disc"),
    Layer("hair back", "hair back", _HAIR),
    Layer("neck", "skin", ("presentation",)),
    Layer("neck shade", "skin deep", ("presentation",), 0.75),
    Layer("body", "clothes", ("presentation",)),
    Layer("body light", "clothes light", ("presentation",), 0.5),
    Layer("body shade", "clothes deep", ("presentation",), 0.6),
    Layer("trim", "clothes deep", ("presentation",), 0.8),
    Layer("jacket", "jacket", ("presentation",)),
    Layer("lapels", "jacket deep", ("presentation",)),
    Layer("scarf", "scarf", ("scarf",)),
    Layer("scarf folds", "scarf deep", ("scarf",), 0.8),
    Layer("ears", "skin"),
    Layer("inner ears", "skin deep", opacity=0.7),
    Layer("face", "skin", ("presentation",)),
    Layer("face shade", "skin deep", ("presentation",), 0.45),
    Layer("hair shadow", "skin deep", ("hair style", "presentation"), 0.6),
    Layer("blush", "blush", opacity=0.42),
    Layer("nose light", "skin light", opacity=0.6),
    Layer("freckles", "freckle", ("freckles",), 0.75),
    Layer("age lines", "skin line", ("age lines",), 0.65),
    Layer("stubble", "stubble", ("presentation", "expression"), 0.9),
    Layer("nose", "skin line", ("nose",), 0.7),
    Layer("lips", "lips", ("presentation", "expression")),
    Layer("mouth", "mouth", ("expression",)),
    Layer("teeth", "white", ("expression",)),
    Layer("tongue", "tongue", ("expression",)),
    Layer("eye", "white", ("eye form",)),
    Layer("iris", "iris"),
    Layer("pupil", "ink"),
    Layer("eye shade", "ink", ("eye form",), 0.22),
    Layer("glint", "white"),
    Layer("lid", "lash", ("presentation", "eye form")),
    Layer("brow", "brow", ("presentation",)),
    Layer("hair front", "hair", _HAIR),
    Layer("hair shade", "hair deep", _HAIR, 0.7),
    Layer("strands", "hair light", _HAIR, 0.5),
    Layer("ear hook", "gold", ("earrings",)),
    Layer("ear drop", "stone", ("earrings",)),
    Layer("ear light", "white", ("earrings",), 0.8),
    Layer("hat", "hat", ("hat",)),
    Layer("hat light", "hat light", ("hat",), 0.4),
    Layer("brim", "hat", ("hat",)),
    Layer("hat band", "hat deep", ("hat",)),
    Layer("lenses", "white", ("glasses",), 0.2),
    Layer("frames", "ink", ("glasses",)),
)


def draw_faces(codes: Mapping[str, Array], seed: Array, shade: Array, size: int = MODEL_SIZE) -> Array:
    """Faces, uint8 (m, size, size, 3): `codes` (m,) of every attribute in LEVELS, `seed` (m,) for
    what they leave open, `shade` (m,) of the hair from 0 (black) to 255 (platinum)."""
    seed = seed.astype("uint64")
    looks = {**codes} | {gene: _pick(seed, gene, len(levels)) for gene, levels in _GENES.items()}
    paints = _paints(looks, seed, shade)
    build = _pick(seed, "build", len(_BUILDS))
    sheets = np.empty((len(seed), size, size, 3), "uint8")
    for head in np.unique(build):
        members = np.flatnonzero(build == head)
        for part in np.array_split(members, -(-len(members) // CHUNK)):
            own = {name: column[part] for name, column in looks.items()}
            colors = {name: color[part] for name, color in paints.items()}
            sheets[part] = _framed(_stack(own, colors, int(head), size), seed[part], size)
    return sheets


def _stack(looks: Mapping[str, Array], paints: Mapping[str, Array], build: int, size: int) -> Array:
    """All layers over each other, float32 (m, 3, side, side) with side = size and its margins."""
    side = size + 2 * MARGIN * size // UNITS
    sheets = np.empty((len(paints["backdrop"]), 3, side, side), "float32")
    sheets[:] = paints["backdrop"][:, :, None, None]
    for layer in LAYERS:
        color = paints[layer.paint][:, :, None, None]
        for key, rows in _groups(layer, looks):
            top, left, mask = _mask(key, build, size)
            place = sheets[:, :, top : top + mask.shape[0], left : left + mask.shape[1]]
            below = place[rows]
            place[rows] = below + (color[rows] - below) * (mask * np.float32(layer.opacity))
    sheets *= paints["light"][:, :, None, None]
    return np.clip(sheets, 0, 255, out=sheets)


def _groups(layer: Layer, looks: Mapping[str, Array]) -> Iterator[tuple[Key, Array | slice]]:
    """Shapes of a layer, and the faces that show each."""
    if not layer.by:
        yield (layer.part,), slice(None)
        return
    levels = [LEVELS.get(name) or _GENES[name] for name in layer.by]
    sizes = tuple(len(names) for names in levels)
    combined = np.ravel_multi_index([looks[name] for name in layer.by], sizes)
    for value in np.unique(combined):
        chosen = np.unravel_index(value, sizes)
        key = (layer.part, *(names[i] for names, i in zip(levels, chosen, strict=True)))
        if key in SHAPES and SHAPES[key].polygons:
            yield key, np.flatnonzero(combined == value)


def _framed(sheets: Array, seed: Array, size: int) -> Array:
    """Each sheet moved by up to the margin and half of them mirrored, uint8 (m, size, size, 3)."""
    unit = size // MODEL_SIZE  # moves are whole pixels of the model's size
    steps = (sheets.shape[2] - size) // unit + 1
    framed = np.empty((len(sheets), size, size, 3), "uint8")
    flips = _pick(seed, "mirror", 2)
    columns, rows = _pick(seed, "x", steps) * unit, _pick(seed, "y", steps) * unit
    for i, (x, y) in enumerate(zip(columns, rows, strict=True)):
        crop = np.rint(sheets[i, :, y : y + size, x : x + size]).astype("uint8")
        framed[i] = np.moveaxis(crop[:, :, ::-1] if flips[i] else crop, 0, 2)
    return framed


# --- masks


@lru_cache(maxsize=4096)
def _mask(key: Key, build: int, size: int) -> tuple[int, int, Array]:
    """Top, left and the part that is not empty of a shape's mask: float32 (h, w) in [0, 1]."""
    mask = _whole_mask(key, build, size)
    used_rows, used_columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if len(used_rows) == 0:
        return 0, 0, frozen_array(mask[:0, :0])
    top, left = used_rows[0], used_columns[0]
    crop = mask[top : used_rows[-1] + 1, left : used_columns[-1] + 1]
    return int(top), int(left), frozen_array(crop)


def _whole_mask(key: Key, build: int, size: int) -> Array:
    shape, side = SHAPES[key], size + 2 * MARGIN * size // UNITS
    finer = 8 if size <= 128 else 4
    image = Image.new("L", (side * finer, side * finer))
    pen = ImageDraw.Draw(image)
    for polygons, ink in ((shape.polygons, 255), (shape.cuts, 0)):
        for polygon in polygons:
            placed = (_placed(polygon, build if shape.on_head else 0) + MARGIN) * (size * finer / UNITS) - 0.5
            pen.polygon([(float(x), float(y)) for x, y in placed], fill=ink)
    image = image.reduce(finer)
    if shape.blur:
        image = image.filter(ImageFilter.GaussianBlur(shape.blur * size / UNITS))
    mask = np.asarray(image, "float32") / 255
    return mask * _whole_mask(shape.clip, build, size) if shape.clip else mask


def _placed(polygon: Array, build: int) -> Array:
    """A polygon with the proportions of a head, around the point between the eyes."""
    middle = np.array([128.0, 130.0])
    return middle + (polygon - middle) * np.array(_BUILDS[build])


# --- what follows from the seed


def _uniform(seed: Array, purpose: str) -> Array:
    """Numbers in [0, 1), (m,), that depend on seed and purpose only (splitmix64)."""
    salt = int.from_bytes(purpose.encode()[:7], "little")
    z = seed * np.uint64(0x9E3779B97F4A7C15) + np.uint64(salt * 0xBF58476D1CE4E5B9 % 2**64)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        z = (z ^ (z >> np.uint64(shift))) * np.uint64(factor)
    return ((z ^ (z >> np.uint64(31))) >> np.uint64(11)) * 2.0**-53


def _pick(seed: Array, purpose: str, n: int) -> Array:
    return (_uniform(seed, purpose) * n).astype("int64")


def _jitter(seed: Array, purpose: str, width: float) -> Array:
    """Bell-shaped numbers (m, 1) around 0, at most `width` from it."""
    parts = [_uniform(seed, purpose + tail) for tail in "abc"]
    return (np.mean(parts, axis=0)[:, None] * 2 - 1) * width


# --- colours


def hair_color(shade: Array) -> Array:
    """Colours (m, 3) along the path from black over brown and gold to platinum."""
    stops = np.linspace(0, 255, len(_HAIR_PATH))
    return np.column_stack([np.interp(shade, stops, channel) for channel in _HAIR_PATH.T])


def _mix(first: Array, second: Array | str, share: float) -> Array:
    return first * (1 - share) + (_rgb(second) if isinstance(second, str) else second) * share


def _paints(looks: Mapping[str, Array], seed: Array, shade: Array) -> dict[str, Array]:
    """Colours (m, 3) float32 of everything, and the factors `light` of the lamp."""
    skin = _rgb(*_SKINS.values())[looks["skin tone"]] * (1 + _jitter(seed, "tone", 0.07))
    hair = hair_color(shade) * (1 + _jitter(seed, "ash", 0.05) * np.array([1, 0, -1]))
    clothes = _rgb(*_CLOTHES.values())[looks["clothes"]] * (1 + _jitter(seed, "cloth", 0.08))
    backdrop = _rgb(*_BACKDROPS.values())[looks["background"]] * (1 + _jitter(seed, "back", 0.04))
    jacket = _JACKETS[looks["presentation"]] * (1 + _jitter(seed, "jacket", 0.08))
    hat = _HATS[_pick(seed, "hat", len(_HATS))]
    scarf = _SCARVES[_pick(seed, "scarf", len(_SCARVES))]
    iris = _rgb(*_EYES.values())[looks["eye colour"]]
    paints = _skin_paints(skin, looks) | {
        "hair": hair, "hair back": hair * (0.93, 0.9, 0.86), "hair deep": hair * (0.89, 0.85, 0.79),
        "hair light": _mix(hair, "FFF3DC", 0.34), "brow": _mix(hair * (0.78, 0.72, 0.66), "3A2A22", 0.25),
        "scarf": scarf, "scarf deep": scarf * (0.8, 0.78, 0.8),
        "clothes": clothes, "clothes deep": clothes * (0.8, 0.78, 0.82), "clothes light": _mix(clothes, "FFFFFF", 0.3),
        "jacket": jacket, "jacket deep": jacket * (0.8, 0.78, 0.82),
        "backdrop": backdrop, "disc": _mix(backdrop, "FFFFFF", 0.42), "iris": iris,
        "hat": hat, "hat deep": hat * 0.8, "hat light": _mix(hat, "FFFFFF", 0.4),
    }  # fmt: skip
    fixed = {
        "white": "FFFDF8",
        "ink": "2A2328",
        "lash": "2A2024",
        "gold": "E2B04A",
        "stone": "1FA7A0",
        "tongue": "E07A7F",
    }
    paints |= {name: np.broadcast_to(_rgb(code), skin.shape) for name, code in fixed.items()}
    paints["light"] = (
        1 + _jitter(seed, "lamp", LAMP) + (_jitter(seed, "warm", 0.07) + 0.02) * np.array([0.5, 0, -1])
    )
    return {name: color.astype("float32") for name, color in paints.items()}


def _skin_paints(skin: Array, looks: Mapping[str, Array]) -> dict[str, Array]:
    painted = (looks["presentation"] == PRESENTATIONS.index("feminine"))[:, None]
    smiling = (looks["expression"] == EXPRESSIONS.index("smiling"))[:, None]
    line = skin * (0.66, 0.56, 0.53)
    return {
        "skin": skin,
        "skin deep": skin * (0.86, 0.76, 0.73),
        "skin light": _mix(skin, "FFF4E6", 0.3),
        "skin line": line,
        "stubble": _mix(skin * (0.8, 0.77, 0.79), "4A4450", 0.22),
        "blush": _mix(skin, "E0614F", 0.45),
        "freckle": skin * (0.72, 0.58, 0.5),
        "lips": np.where(painted, _mix(skin, "C23B57", 0.6), skin * (0.82, 0.7, 0.68)),
        "mouth": np.where(smiling, _rgb("7C2B35"), np.where(painted, _mix(line, "8E2440", 0.6), line * 0.85)),
    }
