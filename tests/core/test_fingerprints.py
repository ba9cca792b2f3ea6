"""Digests as they were stored before: features on disk, shelves, journals and reports are found by them."""

from dataclasses import dataclass, replace

import numpy as np
import pytest

import fmd_core as fmd
from fmd_core.models.side_by_side import beside

STORED = {
    "last layer": (
        "5171c6eb8abe7ae5664a68db97463e04b6299690460904d81858a324402cc335",
        "6ca1a08cff3fddb1c3c961db7c7f60d9eefc6fbbf3b7f1fa8453e02f83e7ffe8",
    ),
    "concatenated": (
        "c4988e9619147916184fea81fbc209948f7b592cd7fe4311bf602cfcedfe465f",
        "e64630a8fc758770907c338b0119884645416da986fa2eea4dcccf4948fc15dd",
    ),
    "two layers": (
        "40c99dd30aa4deecb3b7b2339b2e6dea5009270b78869cdf7b51274937e1f8bf",
        "7f95d24c5432fff9b223ac37f6ec57681346eaf02afbb6d83edcb338f2fe86df",
    ),
}


def model():
    shapes = {"0.weight": (128, 5), "0.bias": (128,), "2.weight": (64, 128), "2.bias": (64,)}
    state = {k: np.linspace(-1, 1, int(np.prod(s)), dtype="float32").reshape(s) for k, s in shapes.items()}
    head = fmd.LinearHead(np.linspace(-1, 1, 192).reshape(3, 64), np.array([0.0, 0.5, -0.5]))
    return fmd.Classifier("mlp", state, head, 0.02, fmd.Preprocess("unit", 32), 0.25, "mine")


@pytest.mark.parametrize("depth", STORED)
def test_a_classifier_keeps_its_fingerprints_at_every_depth(depth):
    found = fmd.deepened(model(), depth, scale=0.5)
    assert (found.encoder_fingerprint, found.fingerprint) == STORED[depth]


def test_so_does_one_that_prepares_pictures_as_usual():
    stored = "67d98e4f9c580c40dd952b8883d0642415de985f5e9d4f35def35f4e1cf56477"
    assert replace(model(), preprocess=fmd.Preprocess()).encoder_fingerprint == stored


def test_so_do_two_networks_side_by_side():
    both, _ = beside(model(), replace(model(), name="other", feature_scale=0.5))
    assert both.encoder_fingerprint == "95980b7731ae47513beeb7d0b04a5b1b030c0c60da36d3376491d351140a3de4"
    assert both.fingerprint == "79b4ecec3ea5739dc361005b828a44f9506bf3816eb80190f6039266cc669a3d"


@pytest.mark.parametrize(
    ("name", "encoder", "whole"),
    [
        (
            "colored_digits",
            "9f5f84bb264692e92c93e0ef4bd50d0d0da5b0a03b1463c9daa901e9e8e55493",
            "a0de1846bb5c20fc7330790a58b75c30f400af31faa1accfe8471e14f3ea9b7f",
        ),
        (
            "synthetic_faces",
            "8322fbcc881bc268003661de95fc9f9d93edd7ed69509d696476f341e05a8d46",
            "4e78ea24aa76a9a97ec8b9ff0dbde18d50c9e9de9a695e281df9286abcc6c3a3",
        ),
    ],
)
def test_so_do_the_bundled_models(name, encoder, whole):
    found = fmd.load_demo_classifier(name)
    assert (found.encoder_fingerprint, found.fingerprint) == (encoder, whole)


def test_another_setting_of_how_pictures_are_prepared_orphans_nothing():
    """`repr` would name the new field, and every stored feature would be computed again."""

    @dataclass(frozen=True)
    class Preprocess(fmd.Preprocess):
        cropped: bool = False

    assert "cropped" in repr(Preprocess())
    assert (
        Preprocess().content == fmd.Preprocess().content == "Preprocess(normalisation='symmetric', size=None)"
    )
