"""Small pictures for screens and reports."""

from __future__ import annotations

import base64
import io

from PIL import Image

from fmd_core.data import Array


def png_data_uri(image: Array, scale: int = 1) -> str:
    """A uint8 image (height, width, 3) as a data URI, smoothly enlarged `scale` times."""
    picture = Image.fromarray(image)
    if scale > 1:
        picture = picture.resize((picture.width * scale, picture.height * scale), Image.Resampling.BICUBIC)
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
