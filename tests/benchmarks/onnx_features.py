"""How fast an ONNX file gives features beside torch: the same network, the same pictures, side by side.

    python tests/benchmarks/onnx_features.py [--pictures 256] [--side 224] [--rounds 3]

Both get as many threads as OMP_NUM_THREADS says. ONNX runs as in the product: in its limited process, pictures through
a pipe. torch runs in this one, as it does for networks of our list. Preparing pictures is counted for both.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from fmd_core.heads.linear import LinearHead
from fmd_core.models.architectures import build_encoder, find_architecture
from fmd_core.models.classifier import Classifier
from fmd_core.models.files import load_classifier
from fmd_core.models.intake import intake
from fmd_core.models.onnx_door import session
from fmd_core.models.preprocess import Preprocess

BATCH = 32


def networks(name: str, side: int, folder: Path) -> tuple[Classifier, Classifier]:
    """One network with random weights by both doors."""
    torch.manual_seed(0)
    encoder = build_encoder(name).eval()
    with torch.no_grad():
        width = encoder(torch.zeros(1, 3, side, side)).shape[1]
    head = torch.nn.Linear(width, 2)
    path = folder / "model.onnx"
    torch.onnx.export(
        torch.nn.Sequential(encoder, head).eval(), (torch.zeros(1, 3, side, side),), path, dynamo=False,
        input_names=["x"], dynamic_axes={"x": {0: "n"}}, opset_version=17,
    )  # fmt: skip
    preprocess = Preprocess("imagenet", side)
    intake.open_weights(path, n_classes=2, preparation=preprocess, out=folder / "onnx.safetensors")
    state = {key: tensor.numpy() for key, tensor in encoder.state_dict().items()}
    weight, bias = (tensor.detach().numpy() for tensor in (head.weight, head.bias))
    ours = Classifier(name, state, LinearHead(weight, bias), 1e-3, preprocess)
    return ours, load_classifier(folder / "onnx.safetensors")


def seconds(model: Classifier, pictures: np.ndarray) -> tuple[float, np.ndarray]:
    """Of all features, a batch at a time."""
    begun = time.perf_counter()
    found = model.encode(pictures[i : i + BATCH] for i in range(0, len(pictures), BATCH))
    return time.perf_counter() - begun, found


def main() -> int:
    """Print one line for each network, as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=int, default=256)
    parser.add_argument("--side", type=int, default=0, help="pixels; 0: the network's usual size")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--networks", default="small_cnn,face_cnn,resnet18")
    asked = parser.parse_args()
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "0")) or torch.get_num_threads())
    for name in asked.networks.split(","):
        side = asked.side or find_architecture(name).size
        with tempfile.TemporaryDirectory() as folder:
            by_torch, by_onnx = networks(name, side, Path(folder))
            pictures = np.random.default_rng(0).integers(0, 256, (asked.pictures, side, side, 3), "uint8")
            for model in (by_torch, by_onnx):
                seconds(model, pictures[:BATCH])  # what is built at the first call is not counted
            taken: dict[str, list[float]] = {"torch": [], "onnx": []}
            for _ in range(asked.rounds):  # in turn: the machine's other work meets both
                taken["torch"].append(seconds(by_torch, pictures)[0])
                taken["onnx"].append(seconds(by_onnx, pictures)[0])
            apart = float(
                np.abs(seconds(by_torch, pictures[:8])[1] - seconds(by_onnx, pictures[:8])[1]).max()
            )
            best = {way: min(times) for way, times in taken.items()}
            row = {
                "network": name, "side": side, "pictures": asked.pictures, "threads": torch.get_num_threads(),
                "torch_seconds": round(best["torch"], 3), "onnx_seconds": round(best["onnx"], 3),
                "torch_over_onnx": round(best["torch"] / best["onnx"], 2), "largest_difference": apart,
            }  # fmt: skip
            print(json.dumps(row), flush=True)
    session.close_all()
    return 0


if __name__ == "__main__":
    sys.exit(main())
