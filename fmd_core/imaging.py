"""Small pictures for screens and reports."""

from __future__ import annotations

import base64
import io

from PIL import Image

from fmd_core.data import Array

DRAWING_SIDE = 64  # up to here a picture stays exact (PNG); larger ones are photographs (JPEG)


def data_uri(image: Array, side: int) -> str:
    """A uint8 image (height, width, 3) as a data URI, scaled so that its shorter side is `side` pixels;
    never enlarged more than twice."""
    picture, form = Image.fromarray(image), "JPEG" if min(image.shape[:2]) > DRAWING_SIDE else "PNG"
    factor = min(side / min(picture.size), 2)
    if factor != 1:
        size = (round(picture.width * factor), round(picture.height * factor))
        picture = picture.resize(size, Image.Resampling.BICUBIC)
    buffer = io.BytesIO()
    picture.save(buffer, form, quality=88)
    return f"data:image/{form.lower()};base64,{base64.b64encode(buffer.getvalue()).decode()}"
