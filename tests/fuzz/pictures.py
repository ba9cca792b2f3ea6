"""Pictures to be spoilt: every format and mode, and PNG chunks that lie with their checksum in order."""

import io
import struct
import zlib
from functools import cache
from random import Random

import numpy as np
from PIL import Image

from tests.fuzz.mutation import NUMBERS

FORMS = ("PNG", "PNG", "JPEG", "JPEG", "WEBP", "GIF", "TIFF", "BMP", "ICO", "PPM")
MODES = {
    "PNG": ("RGB", "RGBA", "P", "L", "LA", "1", "I;16"),
    "JPEG": ("RGB", "L", "CMYK"),
    "WEBP": ("RGB", "RGBA"),
}


def picture(rng: Random) -> bytes:
    """A sound picture of some format and mode."""
    form = rng.choice(FORMS)
    mode = rng.choice(MODES.get(form, ("RGB",)))
    side = rng.choice((1, 2, 17, 40, 90))
    noise = np.random.default_rng(rng.randrange(2**32)).integers(0, 255, (side, side * 2, 3)).astype("uint8")
    image = (
        Image.fromarray(noise).convert(mode)
        if mode != "I;16"
        else Image.fromarray(noise[..., 0].astype("uint16") * 257)
    )
    options = {}
    if rng.random() < 0.3 and form in ("JPEG", "PNG", "WEBP"):
        exif = Image.Exif()
        exif[0x0112] = rng.choice((0, 1, 3, 6, 8, 9, 65_535))
        options["exif"] = exif
    if form in ("PNG", "WEBP", "GIF") and rng.random() < 0.2 and mode in ("RGB", "P"):
        options |= {"save_all": True, "append_images": [image.rotate(90)]}
    if form == "JPEG":
        options |= {"progressive": rng.random() < 0.5, "quality": rng.choice((1, 50, 95))}
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    content = buffer.getvalue()
    return png_that_lies(rng, content) if form == "PNG" and rng.random() < 0.4 else content


@cache
def small_picture(shade: int) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (20, 20), (shade * 9 % 256, 0, 0)).save(buffer, "PNG")
    return buffer.getvalue()


def png_that_lies(rng: Random, content: bytes) -> bytes:
    """A PNG whose header, or another chunk, says something else, with a good checksum."""
    chunks = list(_chunks(content))
    way = rng.randrange(5)
    if way == 0:  # another size
        width, height = (
            rng.choice((0, 1, 1_000, 7_000, 13_000, 2**31 - 1, rng.choice(NUMBERS) % 2**32)) for _ in range(2)
        )
        chunks[0] = b"IHDR", struct.pack(">II", width, height) + chunks[0][1][8:]
    elif way == 1:  # another depth, colour, filter or interlacing
        chunks[0] = (
            b"IHDR",
            chunks[0][1][:8] + bytes(rng.choice((0, 1, 2, 3, 4, 6, 8, 16, 255)) for _ in range(5)),
        )
    elif way == 2:  # a text, profile or palette
        bomb = b"name\0\0" + zlib.compress(bytes(rng.choice((10, 1 << 20, 1 << 26))))
        kind = rng.choice(
            (
                b"zTXt",
                b"iCCP",
                b"iTXt",
                b"tEXt",
                b"PLTE",
                b"tRNS",
                b"eXIf",
                b"acTL",
                b"fcTL",
                b"gAMA",
                b"pHYs",
            )
        )
        chunks.insert(1, (kind, rng.choice((bomb, rng.randbytes(40), b""))))
    elif way == 3:
        del chunks[rng.randrange(len(chunks))]
    else:
        chunks.insert(rng.randrange(len(chunks) + 1), rng.choice(chunks))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )  # fmt: skip


def _chunks(content: bytes):
    place = 8
    while place < len(content):
        (length,) = struct.unpack_from(">I", content, place)
        yield content[place + 4 : place + 8], content[place + 8 : place + 8 + length]
        place += length + 12
