"""Files that are not opened as models, in words: what they are, and code with which their owner makes one that is.

Nothing in a file can choose these words or this code.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from fmd_core.errors import ModelError

CONVERTERS = {
    "": "",
    "model": """\
from safetensors.torch import save_file
state = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in model.state_dict().items()}
save_file(state, "weights.safetensors")  # `model` is your network, built and filled as in your own code""",
    "legacy": """\
import torch
state = torch.load("old.pth", map_location="cpu", weights_only=True)  # the name of your file
torch.save(state, "weights.pt")""",
    "hugging_face": """\
from transformers import AutoModelForImageClassification as Model  # of a text: AutoModelForSequenceClassification
model = Model.from_pretrained("folder")  # the name of your own folder
model.save_pretrained("safe", max_shard_size="5GB")  # bring it with preprocessor_config.json or tokenizer.json""",
    "sklearn": """\
import joblib, skops.io
model = joblib.load("model.pkl")  # the name of your own file, which joblib or pickle wrote
skops.io.dump(model, "model.skops")""",
    "answers": """\
import pandas as pd
rows = pd.read_csv("rows.csv")  # the people to be judged; `model` is your own, built and filled as in your own code
rows.assign(answer=model.predict_proba(rows[list(model.feature_names_in_)])[:, 1]).to_csv("answers.csv", index=False)""",
    "onnx": """\
import torch
size, names = torch.zeros(1, 3, 224, 224), {"input_names": ["x"], "dynamic_axes": {"x": {0: "n"}}}  # as your pictures
torch.onnx.export(model.eval(), size, "model.onnx", dynamo=False, **names)  # `model` as in your own code""",
    "torchscript": """\
import torch
state = torch.jit.load("model.pt", map_location="cpu").state_dict()  # the name of your own file
torch.save(state, "weights.pt")""",
}
"""Code for the owner to run, by what is wrong. Fixed here: nothing in a file can choose its words."""


class IntakeRefusal(ModelError):
    """A weights file that is not used, and why. `converter` is code for its owner to run, or ''."""

    def __init__(self, reason: str, converter: str = "") -> None:
        super().__init__(reason)
        self.converter = CONVERTERS[converter]


ELSEWHERE = "FMD Studio opens PyTorch weights: a state dict or a safetensors file"
AGAIN = "save the plain weights again"
KINDS: tuple[tuple[bytes, str, str], ...] = (
    (rb"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P", "legacy", f"a bare pickle of an old PyTorch; {AGAIN}"),
    (rb"\x80[\x02-\x05]|c[\w.]+\n[\w.]+\n", "model", f"a bare pickle, which can run code; {AGAIN}"),
    (rb".{257}ustar", "model", f"a tar archive, as only the oldest PyTorch wrote; {AGAIN}"),
    (rb"\x1f\x8b|BZh|\xfd7zXZ|\x28\xb5\x2f\xfd|7z\xbc\xaf|Rar!", "", "a compressed archive; unpack it first"),
    (rb"(\xef\xbb\xbf)?\s*<", "", "a web page; the download link led to a log-in or error page"),
    (rb"version https://git-lfs", "", "a Git LFS pointer, not the file itself; fetch that with git lfs pull"),
    (rb"\x89HDF", "", f"a Keras or HDF5 file; {ELSEWHERE}"),
    (rb"\x08[\x03-\x20][\x12\x1a:B]", "", f"an ONNX file; {ELSEWHERE}, of the network before its export"),
    (rb"\x08\x01\x12|.{4}TFL3", "", f"a TensorFlow file; {ELSEWHERE}"),
    (rb"GGUF", "", f"a GGUF file of a language model; {ELSEWHERE}"),
    (rb"\x93NUMPY", "", f"a NumPy array; {ELSEWHERE}"),
    (rb"\x89PNG|\xff\xd8\xff|GIF8|%PDF|RIFF", "", f"a picture or document; {ELSEWHERE}"),
    (rb"[\t\n\r -\x7e]+$", "", f"a text file; {ELSEWHERE}"),
)
"""How other files begin (a pattern), the converter for their owner, and what they are in words."""
ARCHIVES: tuple[tuple[str, str, str], ...] = (
    (r"(^|/)constants\.pkl$|^[^/]+/code/", "torchscript", f"a TorchScript program; {AGAIN}"),
    (r"(^|/)archive_format$|(^|/)models/model\.json$", "model", f"an exported PyTorch program; {AGAIN}"),
    (r"\.weights\.h5$|(^|/)keras_metadata\.pb$", "", f"a Keras model; {ELSEWHERE}"),
    (r"\.npy$", "", f"a NumPy archive; {ELSEWHERE}"),
    (r"\.(pth?|safetensors|ckpt|bin)$", "", "a zip archive around weights; unpack it first"),
)
"""The same for zip archives, by a name in them."""


def kind_of_start(start: bytes) -> tuple[str, str] | None:
    """Converter and words for a file that begins like this and is not opened; None for an unknown kind."""
    found = (kind for kind in KINDS if re.match(kind[0], start, re.DOTALL | re.IGNORECASE))
    return next(((converter, words) for _, converter, words in found), None)


def kind_of_archive(names: Iterable[str]) -> tuple[str, str] | None:
    """The same for a zip archive with entries of these names."""
    listed = list(names)
    found = (kind for kind in ARCHIVES if any(re.search(kind[0], name) for name in listed))
    return next(((converter, words) for _, converter, words in found), None)
