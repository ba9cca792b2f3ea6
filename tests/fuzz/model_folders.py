"""Hugging Face zips, skops files, checkpoints and ONNX files to be spoilt, as a visitor brings them."""

import io
import json
import zipfile
from copy import deepcopy
from functools import cache
from pathlib import Path
from random import Random

from tests.fuzz import weights
from tests.fuzz.mutation import VALUES, as_json, changed, changed_tree, zip_of
from tests.model_folders import folder_files, skops_file

LAYERS = ("net.", "backbone.", "model.", "module.model.", "loss.", "encoder.net.", "")


def write_folder(rng: Random, folder: Path) -> None:
    """A zip of a Hugging Face folder with other words in its descriptions, other weights or another structure."""
    files = dict(folder_files(rng.choice(("vit", "vit", "resnet", "bert"))))
    for name in ("config.json", "preprocessor_config.json"):
        if name in files and rng.random() < 0.6:
            tree = changed_tree(rng, json.loads(files[name]))
            files[name] = as_json(rng, tree) if rng.random() < 0.4 else json.dumps(tree).encode()
    if rng.random() < 0.3:
        files["model.safetensors"] = changed(rng, files["model.safetensors"])
    if rng.random() < 0.2:
        files.pop(rng.choice(list(files)))
    if rng.random() < 0.2:
        extra = ("modeling_x.py", "pytorch_model.bin", "tokenizer.json", "vocab.txt", "a/config.json")
        files[rng.choice(extra)] = changed(rng, b'{"a": 1}')
    if rng.random() < 0.3:
        files = {f"model/{name}": content for name, content in files.items()}
    (folder / "model.zip").write_bytes(zip_of(rng, files) if rng.random() < 0.4 else _plain(files))


def write_skops(rng: Random, folder: Path) -> None:
    """A skops file with other names, values, arrays or bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(skops_file())) as source:
        files = {entry.filename: source.read(entry) for entry in source.infolist()}
    if rng.random() < 0.7:
        tree = _other_node(rng, json.loads(files["schema.json"]))
        files["schema.json"] = (
            as_json(rng, changed_tree(rng, tree)) if rng.random() < 0.3 else json.dumps(tree).encode()
        )
    for name in [name for name in files if name.endswith(".npy") and rng.random() < 0.1]:
        files[name] = changed(rng, files[name], start=rng.choice((0, 10, 120)))
    buffer = zip_of(rng, files) if rng.random() < 0.2 else _plain(files)
    (folder / "model.skops").write_bytes(buffer)


def _other_node(rng: Random, tree: dict) -> dict:
    """Another class, loader or value in a few of the nodes."""
    nodes, waiting = [], [tree]
    while waiting:
        part = waiting.pop()
        if isinstance(part, dict):
            nodes += [part] if "__loader__" in part else []
            waiting += part.values()
        elif isinstance(part, list):
            waiting += part
    for _ in range(rng.randint(1, 3)):
        node, other = rng.choice(nodes), rng.choice(nodes)
        way = rng.randrange(6)
        if way == 0:
            node.update({key: other[key] for key in ("__class__", "__module__", "__loader__")})
        elif way == 1:
            node["content"] = rng.choice(
                (deepcopy(other.get("content")), rng.choice(VALUES), json.dumps(rng.choice(VALUES)))
            )
        elif way == 2:
            node["__id__"] = other.get("__id__", 1)
        elif way == 3:
            node["__loader__"] = rng.choice(
                ("CachedNode", "ObjectNode", "TypeNode", "FunctionNode", "JsonNode", "X", None)
            )
        elif way == 4:
            node["__module__"], node["__class__"] = rng.choice(
                (
                    ("os", "system"),
                    ("builtins", "eval"),
                    ("numpy", "load"),
                    ("sklearn.base", "clone"),
                    ("", ""),
                )
            )
        else:
            node.pop(rng.choice(list(node)))
    return tree


def _plain(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def write_checkpoint(rng: Random, folder: Path) -> None:
    """A Lightning-like checkpoint with names of its own, losses, other heads, and things beside the weights."""
    import torch

    prefix = rng.choice(LAYERS)
    layers = {prefix + name: tensor for name, tensor in weights.state().items()}
    if rng.random() < 0.4:
        layers["loss.weight"] = torch.ones(2)
    if rng.random() < 0.4:
        head = [name for name in layers if ".head." in f".{name}"]
        new = rng.choice(("fc.1.", "classifier.", "head.0.", "2.", "x."))
        for name in head:
            layers[new + name.rpartition(".")[2]] = layers.pop(name)
    if rng.random() < 0.3:
        layers[rng.choice(("bert.embeddings.word_embeddings.weight", "vit.x.weight", "a.b.weight"))] = (
            torch.ones(3, 3)
        )
    whole = {
        rng.choice(("state_dict", "model_state_dict", "net", "x")): layers,
        "epoch": rng.choice(VALUES[:12]),
    }
    if rng.random() < 0.3:
        whole["hyper_parameters"] = rng.choice(({"lr": 0.1}, [1], None, {"a": {"b": torch.ones(1)}}))
    buffer = io.BytesIO()
    torch.save(whole, buffer)
    content = buffer.getvalue()
    way = rng.random()
    content = weights.repacked(rng, content) if way < 0.3 else changed(rng, content) if way < 0.4 else content
    (folder / "weights.ckpt").write_bytes(content)


@cache
def _networks() -> tuple[bytes, ...]:
    from tests import onnx_files

    ends = (("Gemm",), ("MatMul", "Softmax"), ("Gemm", "Sigmoid"))
    return tuple(onnx_files.saved(onnx_files.network(n_inputs=weights.INPUTS, end=end)) for end in ends)


def write_onnx(rng: Random, folder: Path) -> None:
    """An ONNX file with other bytes, or with other nodes, shapes and tables in it."""
    import onnx

    content = rng.choice(_networks())
    if rng.random() < 0.5:
        made = onnx.ModelProto.FromString(content)
        for _ in range(rng.randint(1, 3)):
            _other_graph(rng, made)
        content = made.SerializeToString()
    (folder / "model.onnx").write_bytes(content if rng.random() < 0.3 else changed(rng, content))


def _other_graph(rng: Random, made) -> None:
    graph, way = made.graph, rng.randrange(6)
    node, table = rng.choice(graph.node), rng.choice(graph.initializer)
    if way == 0:
        node.op_type = rng.choice(
            ("Loop", "If", "ConstantOfShape", "Expand", "Tile", "Conv", "Evil", "Transpose", "")
        )
    elif way == 1:
        node.domain = rng.choice(("evil", "com.microsoft", "ai.onnx.ml", "\u202e"))
    elif way == 2:
        table.dims[:] = rng.choice(([10**9, 10**9], [-1], [0], [2**62], []))
    elif way == 3:
        node.input[:] = rng.choice((["x"], list(node.output), [""], ["no such"]))
    elif way == 4:
        table.data_type = rng.choice((0, 2, 7, 8, 10, 16, 17, 99))
    else:
        made.opset_import[0].version = rng.choice((0, 1, 7, 13, 25, 10**6))
