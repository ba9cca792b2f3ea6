"""Small pictures as data URIs: exact up to 64 pixels, photographs beyond, never blown up."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from fmd_core.imaging import data_uri


def noise(height, width):
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), "uint8")


def decoded(uri):
    """Format and picture of a data URI, which has to name the format that it is in."""
    head, _, content = uri.partition(",")
    picture = Image.open(io.BytesIO(base64.b64decode(content, validate=True)))
    assert head == f"data:image/{picture.format.lower()};base64"
    return picture.format, np.array(picture)


@pytest.mark.parametrize(
    ("height", "width", "form"),
    [
        (32, 32, "PNG"),
        (64, 64, "PNG"),
        (64, 200, "PNG"),
        (65, 65, "JPEG"),
        (65, 90, "JPEG"),
        (300, 200, "JPEG"),
    ],
)
def test_drawings_are_exact_and_photographs_small(height, width, form):
    assert decoded(data_uri(noise(height, width), 48))[0] == form


@pytest.mark.parametrize(
    ("shape", "side", "wanted"),
    [
        ((32, 32), 64, (64, 64)),
        ((32, 32), 48, (48, 48)),
        ((32, 32), 65, (64, 64)),  # twice at most
        ((28, 28), 128, (56, 56)),
        ((64, 64), 16, (16, 16)),
        ((218, 178), 89, (109, 89)),
        ((100, 100), 150, (150, 150)),
        ((100, 120), 500, (200, 240)),
        ((40, 20), 10, (20, 10)),
        ((20, 40), 10, (10, 20)),
        ((1, 500), 1, (1, 500)),
    ],
)
def test_the_shorter_side_gets_the_size_asked_for_but_never_more_than_twice_its_own(shape, side, wanted):
    _, found = decoded(data_uri(noise(*shape), side))
    assert found.shape == (*wanted, 3)


@pytest.mark.parametrize("side", [8, 28, 64])
def test_a_drawing_at_its_own_size_is_the_same_pixel_for_pixel(side):
    image = noise(side, side)
    np.testing.assert_array_equal(decoded(data_uri(image, side))[1], image)


@pytest.mark.parametrize("side", [60, 120, 200])
def test_a_photograph_looks_like_itself(side):
    image = np.zeros((120, 120, 3), "uint8")
    image[:60, :, 0], image[:, 60:, 2] = 200, 150  # red above, blue on the right
    _, found = decoded(data_uri(image, side))
    places = (
        (np.array([0.25, 0.25, 0.75, 0.75]) * side).astype(int),
        (np.array([0.25, 0.75, 0.25, 0.75]) * side).astype(int),
    )
    wanted = [[200, 0, 0], [200, 0, 150], [0, 0, 0], [0, 0, 150]]
    np.testing.assert_allclose(found[places].astype(int), wanted, atol=12)


def test_the_picture_given_is_not_changed():
    image = noise(100, 100)
    before = image.copy()
    image.flags.writeable = False
    data_uri(image, 30)
    np.testing.assert_array_equal(image, before)
