"""How pictures are made ready: what a preprocessor_config.json says, in the words of `Preprocess`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from fmd_core.errors import ModelError
from fmd_core.models.hugging_face.config import Described
from fmd_core.models.preprocess import NORMALISATIONS

RESAMPLES = {0: "nearest", 1: "lanczos", 2: "bilinear", 3: "bicubic", 4: "box", 5: "hamming"}


def read_preprocessor(told: object, described: Described) -> dict[str, Any]:
    """What a preprocessor_config.json says, by the words of `Preprocess`: `size`, `width`, `resize`, `scaled_to`,
    `resample`, `mean`, `spread`, `white`. ModelError for what cannot be followed."""
    if not isinstance(told, dict):
        raise ModelError("preprocessor_config.json is no description; save it again with save_pretrained().")
    found: dict[str, Any] = {}
    if told.get("do_rescale", True) is False:
        found["white"] = 255.0
    else:
        factor = _a_number(told, "rescale_factor", 1 / 255)
        found["white"] = 1.0 if math.isclose(factor, 1 / 255, rel_tol=1e-4) else factor * 255
    if told.get("do_normalize", True) is not False:
        usual = NORMALISATIONS["symmetric" if described.model_type == "vit" else "imagenet"]
        found["mean"], found["spread"] = (
            _colours(told, key, default)
            for key, default in zip(("image_mean", "image_std"), usual, strict=True)
        )
    else:
        found["mean"], found["spread"] = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)
    if told.get("do_resize", True) is not False:
        found |= _resizing(told, described)
    return found


def _a_number(told: Mapping[str, Any], key: str, default: float) -> float:
    value = told.get(key, default)
    if type(value) not in (int, float) or not 0 < value < 1e6:
        raise _odd(key, value)
    return float(value)


def _colours(told: Mapping[str, Any], key: str, default: tuple[float, ...]) -> tuple[float, ...]:
    value = told.get(key, default)
    if (
        not isinstance(value, list | tuple)
        or len(value) != 3
        or any(type(v) not in (int, float) for v in value)
    ):
        raise _odd(key, value)
    if any(not abs(v) < 1e6 for v in value) or (key == "image_std" and min(value) <= 0):
        raise _odd(key, value)
    return tuple(float(v) for v in value)


def _odd(key: str, value: object) -> ModelError:
    return ModelError(
        f"preprocessor_config.json gives '{key}' the value {str(value)[:40]!r}, which cannot be followed; correct it "
        "there."
    )


def _resizing(told: Mapping[str, Any], described: Described) -> dict[str, Any]:
    """How a picture gets its size: squashed, or its shorter side scaled and the middle cut out."""
    number = told.get("resample", 2)
    resample = RESAMPLES.get(number) if type(number) is int else None
    if resample is None:
        raise _odd("resample", number)
    size, crop = told.get("size"), told.get("crop_size")
    shorter, height, width = _sides(size, "size", described)
    found: dict[str, Any] = {"resample": resample}
    if "crop_pct" in told and described.model_type in ("convnext", "convnextv2", "resnet") and shorter:
        # As ConvNextImageProcessor does: below 384 the shorter side is scaled to size / crop_pct, then cut.
        if shorter >= 384:
            return found | {"resize": "squash", "size": shorter}
        share = told["crop_pct"] if told["crop_pct"] is not None else 224 / 256
        if type(share) not in (int, float) or not 0.1 <= share <= 1:
            raise _odd("crop_pct", share)
        return found | {"resize": "shorter side", "size": shorter, "scaled_to": int(shorter / share)}
    if told.get("do_center_crop") is True:
        _, crop_height, crop_width = _sides(crop, "crop_size", described, square=True)
        if crop_height != crop_width:
            raise _odd("crop_size", crop)
        if not shorter:
            raise ModelError(
                "preprocessor_config.json squashes pictures and then cuts out the middle, which cannot be followed; "
                "export the model to ONNX with that inside."
            )
        return found | {"resize": "shorter side", "size": crop_height, "scaled_to": shorter}
    if shorter:
        raise ModelError(
            "preprocessor_config.json scales the shorter side of a picture and cuts nothing out, so that pictures "
            "would differ in size; add do_center_crop and crop_size."
        )
    return found | {"resize": "squash", "size": height} | ({} if height == width else {"width": width})


def _sides(value: object, key: str, described: Described, square: bool = False) -> tuple[int, int, int]:
    """Shorter side (0 where both are told), height and width."""
    if value is None:
        value = described.side
    shorter: Any
    height: Any
    width: Any
    if type(value) is int:
        shorter, height, width = 0, value, value
    elif isinstance(value, dict) and "shortest_edge" in value and not square:
        shorter = height = width = value["shortest_edge"]
    elif isinstance(value, dict):
        shorter, height, width = 0, value.get("height"), value.get("width")
    else:
        raise _odd(key, value)
    if any(type(side) is not int or not 0 <= side <= 1024 for side in (shorter, height, width)) or not height:
        raise _odd(key, value)
    return shorter, height, width
