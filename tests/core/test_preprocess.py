"""How pictures are made ready: as torchvision and Hugging Face do it, and as it always was where nothing is said."""

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision import transforms

from fmd_core.errors import ModelError
from fmd_core.models.files import load_classifier, save_classifier
from fmd_core.models.preprocess import NORMALISATIONS, Preprocess
from fmd_core.models.shelf import load_demo_classifier

MEAN, SPREAD = NORMALISATIONS["imagenet"]


@pytest.fixture(scope="module")
def picture():
    rng = np.random.default_rng(0)
    return Image.fromarray(rng.integers(0, 256, (90, 131, 3), "uint8"))


def ready(preprocess, picture):
    return preprocess.prepared(preprocess.fitted(picture)[None])[0]


def of_torchvision(picture, *steps):
    done = transforms.Compose([*steps, transforms.ToTensor(), transforms.Normalize(MEAN, SPREAD)])
    return done(picture).numpy()


@pytest.mark.parametrize("resample", ["bilinear", "bicubic", "nearest"])
def test_squash_and_crop_are_torchvisions(picture, resample):
    how = transforms.InterpolationMode(resample)
    squash = Preprocess("imagenet", 32, "squash", resample=resample)
    np.testing.assert_allclose(
        ready(squash, picture), of_torchvision(picture, transforms.Resize((32, 32), how)), atol=1e-5
    )
    crop = Preprocess("imagenet", 32, "shorter side", 40, resample)
    np.testing.assert_allclose(
        ready(crop, picture),
        of_torchvision(picture, transforms.Resize(40, how), transforms.CenterCrop(32)),
        atol=1e-5,
    )


def test_the_longer_side_leaves_the_rest_black(picture):
    found = ready(Preprocess("unit", 32, "longer side"), picture)
    assert found.shape == (3, 32, 32)
    assert (found[:, :4] == 0).all()
    assert found[:, 16].min() > 0


def test_range_order_and_grayscale(picture):
    plain = ready(Preprocess("unit", 32, "squash"), picture)
    white = ready(
        Preprocess(size=32, resize="squash", mean=(0, 0, 0), spread=(1, 1, 1), white=255.0), picture
    )
    np.testing.assert_allclose(white, 255 * plain, rtol=1e-5)
    swapped = ready(Preprocess("unit", 32, "squash", order="BGR"), picture)
    np.testing.assert_array_equal(swapped, plain[::-1])
    grey = ready(Preprocess("unit", 32, "squash", grayscale=True), picture)
    np.testing.assert_allclose(grey[0], np.tensordot([0.299, 0.587, 0.114], plain, 1), atol=1e-6)
    assert grey.shape == (1, 32, 32)


def test_what_was_said_before_means_the_same_and_has_the_same_fingerprint():
    assert Preprocess("imagenet", 64).content == "Preprocess(normalisation='imagenet', size=64)"
    assert Preprocess("imagenet", 64).is_usual
    assert "resize='squash'" in Preprocess("imagenet", 64, "squash").content
    batch = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3), "uint8")
    usual = Preprocess("imagenet", 64)
    np.testing.assert_allclose(usual.apply(batch, "image").numpy(), usual.prepared(batch), atol=1e-5)
    assert isinstance(Preprocess("imagenet", 64, order="BGR").apply(batch, "image"), torch.Tensor)


def test_a_file_says_how_its_pictures_are_made_ready(tmp_path):
    from dataclasses import replace

    own = Preprocess(
        size=32,
        resize="shorter side",
        scaled_to=40,
        mean=(1, 2, 3),
        spread=(4, 5, 6),
        white=255.0,
        order="BGR",
    )
    save_classifier(
        replace(load_demo_classifier("colored_digits"), preprocess=own), tmp_path / "m.safetensors"
    )
    assert load_classifier(tmp_path / "m.safetensors").preprocess == own


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"mean": (0, 0, 0)}, "mean and spread together"),
        ({"mean": (0, 0, 0), "spread": (0, 1, 1)}, "must be above 0"),
        ({"mean": (float("nan"), 0, 0), "spread": (1, 1, 1)}, "must be numbers"),
        ({"resize": "squash"}, "how many pixels"),
        ({"resize": "stretch"}, "Unknown resize 'stretch'"),
        ({"resize": "shorter side", "size": 64, "scaled_to": 32}, "choose at least the 64"),
        ({"order": "GBR"}, "Unknown order 'GBR'"),
        ({"width": 5000}, "Images of 5000 pixels"),
    ],
)
def test_what_cannot_be_done_is_said(wrong, said):
    with pytest.raises(ModelError, match=said):
        Preprocess(**wrong)


@pytest.mark.parametrize("resize", ["squash", "shorter side", "longer side"])
def test_what_a_model_sees_can_be_shown_larger(resize):
    """A map of what it reads lies over all of what it reads: padded, squashed or cut as for the model."""
    slope = np.linspace(40, 250, 240)[None, :, None] * np.linspace(0.5, 1, 96)[:, None, None]
    picture = Image.fromarray(np.repeat(slope, 3, axis=2).astype("uint8"))
    seen = Preprocess(size=32, width=None, resize=resize, scaled_to=40 if resize == "shorter side" else None)
    large = seen.enlarged(256)
    assert (large.size, large.resize) == (256, resize)
    small, shown = seen.fitted(picture).astype(int), large.fitted(picture)
    again = np.asarray(Image.fromarray(shown).resize((32, 32), Image.Resampling.BOX)).astype(int)
    assert np.abs(small - again).mean() < 12
    if resize == "longer side":
        assert not shown[:70].any()  # what is padded is shown as padded
        assert shown[100:150].any()
