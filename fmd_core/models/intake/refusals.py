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
rows = pd.read_csv("rows.csv")  # the people to be judged; `model` is your own, loaded as in your own code
rows.assign(answer=model.predict_proba(rows[[*model.feature_names_in_]])[:, 1]).to_csv("answers.csv", index=False)""",
    "onnx": """\
import torch
size, names = torch.zeros(1, 3, 224, 224), {"input_names": ["x"], "dynamic_axes": {"x": {0: "n"}}}  # as your pictures
torch.onnx.export(model.eval(), size, "model.onnx", dynamo=False, **names)  # `model` as in your own code""",
    "torchscript": """\
import torch
state = torch.jit.load("model.pt", map_location="cpu").state_dict()  # the name of your own file
torch.save(state, "weights.pt")""",
    "torchscript_onnx": """\
import torch
size, names = torch.zeros(1, 3, 224, 224), {"input_names": ["x"], "dynamic_axes": {"x": {0: "n"}}}  # as your pictures
torch.onnx.export(torch.jit.load("model.pt", "cpu").eval(), size, "model.onnx", dynamo=False, **names)""",
    "exported": """\
import torch
size, names = torch.zeros(1, 3, 224, 224), {"input_names": ["x"], "dynamic_axes": {"x": {0: "n"}}}  # as your pictures
program = torch.jit.trace(torch.export.load("model.pt2").module(), size)
torch.onnx.export(program, size, "model.onnx", dynamo=False, **names)""",
    "keras": """\
import keras  # version 3.8 or later
model = keras.saving.load_model("model.keras")  # the name of your own file
model.export("model.onnx", format="onnx")""",
    "tflite": """\
import subprocess, sys  # after: pip install tf2onnx
command = [sys.executable, "-m", "tf2onnx.convert", "--tflite", "model.tflite", "--output", "model.onnx"]
subprocess.run(command, check=True)""",
    "tensorflow": """\
import subprocess, sys  # after: pip install tf2onnx; the folder that this file lies in
command = [sys.executable, "-m", "tf2onnx.convert", "--saved-model", "folder", "--output", "model.onnx"]
subprocess.run(command, check=True)""",
    "xgboost": """\
import pandas as pd, xgboost
model, rows = xgboost.Booster(model_file="model.json"), pd.read_csv("rows.csv")  # the people to be judged
rows.assign(answer=model.predict(xgboost.DMatrix(rows[model.feature_names]))).to_csv("answers.csv", index=False)""",
    "lightgbm": """\
import pandas as pd, lightgbm
model, rows = lightgbm.Booster(model_file="model.txt"), pd.read_csv("rows.csv")  # the people to be judged
rows.assign(answer=model.predict(rows[model.feature_name()])).to_csv("answers.csv", index=False)""",
    "catboost": """\
import pandas as pd, catboost
model, rows = catboost.CatBoostClassifier().load_model("model.cbm"), pd.read_csv("rows.csv")  # the people to be judged
rows.assign(answer=model.predict_proba(rows[model.feature_names_])[:, 1]).to_csv("answers.csv", index=False)""",
    "mar": """\
import zipfile
with zipfile.ZipFile("model.mar") as archive:  # the name of your own file
    archive.extractall("unpacked")  # then bring the weights (.pt, .pth, .safetensors) that lie there""",
}
"""Code for the owner to run, by what is wrong. Fixed here: nothing in a file can choose its words."""
OWN_FILE = re.compile(r'"(?:old\.pth|model\.(?:pt|pt2|pkl|keras|tflite|json|txt|cbm|mar))"')
"""The name that stands for the owner's own file in that code."""


def with_file(code: str, name: str) -> str:
    """The same code with the name of the owner's file in it; only letters, digits, dots and the like get there."""
    safe = re.sub(r"[^A-Za-z0-9._ -]", "_", name)[:80]
    return OWN_FILE.sub(f'"{safe}"', code) if safe.strip("._ ") else code


class IntakeRefusal(ModelError):
    """A weights file that is not used, and why. `converter` is code for its owner to run, or ''."""

    def __init__(self, reason: str, converter: str = "") -> None:
        super().__init__(reason)
        self.converter = CONVERTERS[converter]


CORE_ML = ".mlmodel"
ELSEWHERE = (
    "PyTorch weights (a state dict or safetensors), ONNX, a Hugging Face folder or a skops file can be opened"
)
AGAIN = "save the plain weights again"
ANSWERS = "trees have no last layer, so bring its answers: a table with a column of them, on the Data page"
AS_ONNX = "export it to ONNX and bring that"
SKOPS = "save it as a skops file, which holds no code"
KINDS: tuple[tuple[bytes, str, str], ...] = (
    (rb"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P", "legacy", f"a bare pickle of an old PyTorch; {AGAIN}"),
    (rb"\x80[\x02-\x05].{0,200}(xgboost|lightgbm|catboost)\.", "answers", f"a pickle of trees; {ANSWERS}"),
    (rb"\x80[\x02-\x05].{0,200}sklearn\.(ensemble|tree)", "answers", f"a pickle of trees; {ANSWERS}"),
    (
        rb"\x80[\x02-\x05].{0,200}sklearn\.",
        "sklearn",
        f"a pickle of scikit-learn, which can run code; {SKOPS}",
    ),
    (rb"\x80[\x02-\x05].{0,200}keras\.", "keras", f"a pickle of Keras, which can run code; {AS_ONNX}"),
    (rb"\x80[\x02-\x05]|c[\w.]+\n[\w.]+\n", "model", f"a bare pickle, which can run code; {AGAIN}"),
    (rb".{257}ustar", "model", f"a tar archive, as only the oldest PyTorch wrote; {AGAIN}"),
    (rb"x[\x01\x9c\xda]|ZF0x", "sklearn", f"a compressed pickle of joblib, which can run code; {SKOPS}"),
    (rb"\x1f\x8b|BZh|\xfd7zXZ|\x28\xb5\x2f\xfd|7z\xbc\xaf|Rar!", "", "a compressed archive; unpack it first"),
    (
        rb"(\xef\xbb\xbf)?\s*<.{0,300}<PMML",
        "answers",
        "a PMML file; bring its answers: a table with a column of them",
    ),
    (rb"(\xef\xbb\xbf)?\s*<", "", "a web page; the download link led to a log-in or error page"),
    (rb"version https://git-lfs", "", "a Git LFS pointer, not the file itself; fetch that with git lfs pull"),
    (rb"\x89HDF", "keras", f"a Keras or HDF5 file; {AS_ONNX}"),
    (rb".{4}TFL3", "tflite", f"a TensorFlow Lite file; {AS_ONNX}"),
    (rb"\{.{0,12}learner", "xgboost", f"a model of XGBoost; {ANSWERS}"),
    (rb"tree\s+version=", "lightgbm", f"a model of LightGBM; {ANSWERS}"),
    (rb"CBM1", "catboost", f"a model of CatBoost; {ANSWERS}"),
    (rb"\x08\x01\x12|\x0a.{1,3}\x0a", "tensorflow", f"a TensorFlow file; {AS_ONNX}"),
    (rb"GGUF", "", f"a GGUF file of a language model; {ELSEWHERE}"),
    (rb"\x93NUMPY", "", f"a NumPy array; {ELSEWHERE}"),
    (rb"\x89PNG|\xff\xd8\xff|GIF8|%PDF|RIFF", "", f"a picture or document; {ELSEWHERE}"),
    (rb"[\t\n\r -\x7e]+$", "", f"a text file; {ELSEWHERE}"),
)
"""How other files begin (a pattern), the converter for their owner, and what they are in words."""
ARCHIVES: tuple[tuple[str, str, str], ...] = (
    (r"^MAR-INF/", "mar", "a TorchServe archive; bring the weights in it"),
    (
        r"(^|/)constants\.pkl$|^[^/]+/code/",
        "torchscript",
        f"a TorchScript program; {AGAIN}, or export it to ONNX",
    ),
    (r"(^|/)archive_format$|(^|/)models/model\.json$", "exported", f"an exported PyTorch program; {AS_ONNX}"),
    (r"\.weights\.h5$|(^|/)keras_metadata\.pb$", "keras", f"a Keras model; {AS_ONNX}"),
    (r"\.npy$", "", f"a NumPy archive; {ELSEWHERE}"),
    (r"\.(pth?|safetensors|ckpt|bin)$", "", "a zip archive around weights; unpack it first"),
)
"""The same for zip archives, by a name in them."""


def kind_of_start(start: bytes, suffix: str = "") -> tuple[str, str] | None:
    """Converter and words for a file that begins like this and is not opened; None for an unknown kind."""
    if suffix == CORE_ML:  # begins as an ONNX file does
        return "onnx", "a Core ML model; export the network that it was made of to ONNX and bring that"
    found = (kind for kind in KINDS if re.match(kind[0], start, re.DOTALL | re.IGNORECASE))
    return next(((converter, words) for _, converter, words in found), None)


def kind_of_archive(names: Iterable[str]) -> tuple[str, str] | None:
    """The same for a zip archive with entries of these names."""
    listed = list(names)
    found = (kind for kind in ARCHIVES if any(re.search(kind[0], name) for name in listed))
    return next(((converter, words) for _, converter, words in found), None)
