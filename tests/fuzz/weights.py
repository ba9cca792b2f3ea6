"""Weights to be spoilt: safetensors headers that lie, archives of PyTorch, and FMD Studio's own files."""

import io
import json
import struct
from functools import cache
from pathlib import Path
from random import Random
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile

from tests.fuzz.mutation import NUMBERS, VALUES, changed

INPUTS, CLASSES = 6, 2


@cache
def state():
    """Layers of a network for tables of 6 columns and 2 classes."""
    import torch

    from fmd_core.models.architectures import build_encoder

    torch.manual_seed(0)
    network = build_encoder("mlp", INPUTS)
    width = network(torch.zeros(1, INPUTS)).shape[1]
    head = torch.nn.Linear(width, CLASSES)
    found = dict(network.state_dict()) | {
        "head.weight": head.weight.detach(),
        "head.bias": head.bias.detach(),
    }
    return {name: tensor.contiguous() for name, tensor in found.items()}


@cache
def _sound_safetensors() -> bytes:
    from safetensors.torch import save

    return save(state())


@cache
def own_classifier() -> bytes:
    """A classifier as FMD Studio writes it."""
    from fmd_core.heads.linear import LinearHead
    from fmd_core.models.classifier import Classifier
    from fmd_core.models.files import save_classifier

    layers = {name: tensor.numpy() for name, tensor in state().items()}
    head = LinearHead(layers.pop("head.weight"), layers.pop("head.bias"))
    path = Path(__import__("tempfile").mkstemp()[1])
    save_classifier(Classifier("mlp", layers, head, 1e-3), path)
    content = path.read_bytes()
    path.unlink()
    return content


def safetensors(rng: Random) -> bytes:
    """A safetensors file, its own or ours, with a header that lies or with other bytes."""
    content = own_classifier() if rng.random() < 0.4 else _sound_safetensors()
    if rng.random() < 0.4:
        return changed(rng, content)
    (length,) = struct.unpack("<Q", content[:8])
    header, data = json.loads(content[8 : 8 + length]), content[8 + length :]
    for _ in range(rng.randint(1, 3)):
        _lie(rng, header)
    if rng.random() < 0.1:
        data = struct.pack("<d", rng.choice((float("nan"), float("inf"), 1e300))) * (len(data) // 8)
    text = json.dumps(header).encode()
    if rng.random() < 0.1:
        text = text[:-1] + b"," + text[1:]  # every name twice
    told = len(text) if rng.random() < 0.85 else rng.choice(NUMBERS)
    return struct.pack("<Q", told) + text + data


def _lie(rng: Random, header: dict) -> None:
    name = rng.choice(list(header) or [""])
    way, layer = rng.randrange(7), header.get(name)
    if way == 0:
        header.pop(name, None)
    elif way == 1:
        header[rng.choice(("", "x" * 500, "module." + name, "../../etc", "\u202e", "a\0b"))] = header.pop(
            name, None
        )
    elif way == 2 and "__metadata__" in header:
        told = header["__metadata__"]
        if isinstance(told, dict):
            key = rng.choice([*told, "format"])
            told[key] = rng.choice(
                (
                    "",
                    "0",
                    "-1",
                    "nan",
                    "inf",
                    "1e999",
                    "x" * 5_000,
                    "resnet18",
                    "imagenet",
                    "8",
                    "9999",
                    "two layers",
                )
            )
    elif isinstance(layer, dict) and "shape" in layer:
        if way in (3, 4):
            shape = layer["shape"] if isinstance(layer["shape"], list) else []
            odd = (
                [],
                [0],
                [-1],
                [1] * 9,
                [2**40] * 2,
                [rng.choice(NUMBERS)],
                shape[::-1],
                "4",
                None,
                [1.5],
                [[2]],
            )
            layer["shape"] = rng.choice(odd)
        elif way == 5:
            layer["data_offsets"] = rng.choice(
                ([0, 0], [0, 4], [4, 0], [rng.choice(NUMBERS)] * 2, [0], "0", None, [-4, 4])
            )
        else:
            layer["dtype"] = rng.choice(
                ("F64", "F16", "BF16", "I64", "U8", "BOOL", "F8_E4M3", "X", None, 3, "F4")
            )
    else:
        header[name] = rng.choice(VALUES[:10])


def archive(rng: Random) -> bytes:
    """PyTorch's archive with a spoilt pickle, spoilt bytes, or odd objects in it."""
    import torch

    kind, odd = rng.random(), dict(state())
    if kind < 0.25:
        name = rng.choice((*odd, "extra", "", 3, "a\nb", "module.0.weight"))
        odd[name] = rng.choice((
            torch.zeros(1).expand(10**6, 10**6), torch.eye(3).to_sparse(), torch.zeros(3, dtype=torch.complex64),
            torch.full((4, 6), float("nan")), torch.full((4, 6), 1e38), torch.zeros(0),
            torch.zeros(2, dtype=torch.int64), 3, "text", None, [torch.zeros(1)] * 3, {"a": torch.zeros(1)},
            torch.zeros(2, device="meta"), torch.zeros(7, 6)[::2],
            torch.zeros(3, dtype=torch.bool), float("nan"),
        ))  # fmt: skip
    elif kind < 0.35:
        odd = rng.choice(
            (
                {},
                [],
                {"state_dict": odd},
                {"model": {f"module.{k}": v for k, v in odd.items()}},
                torch.zeros(2),
                {"epoch": 3},
            )
        )
    buffer = io.BytesIO()
    torch.save(odd, buffer)
    content = buffer.getvalue()
    way = rng.random()
    if way < 0.55:
        return repacked(rng, content)
    return changed(rng, content) if way < 0.9 else content


def repacked(rng: Random, content: bytes) -> bytes:
    """The same archive packed again in order, with spoilt bytes in its pickle or another entry: the
    checksums fit, so that a reader goes on to what is in them."""
    buffer = io.BytesIO()
    with ZipFile(io.BytesIO(content)) as source, ZipFile(buffer, "w") as target:
        for entry in source.infolist():
            inner = source.read(entry)
            if entry.filename.endswith("data.pkl") and rng.random() < 0.9:
                inner = changed(rng, inner, 2, start=rng.choice((0, 2, len(inner) // 2)))
            elif rng.random() < 0.1:
                inner = rng.choice((b"", inner[:5], inner * 2, changed(rng, inner)))
            if rng.random() > 0.02:
                target.writestr(entry.filename, inner, ZIP_DEFLATED if rng.random() < 0.01 else ZIP_STORED)
    return buffer.getvalue()
