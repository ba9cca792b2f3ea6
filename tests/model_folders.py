"""Small Hugging Face folders and skops files for tests, made with the libraries themselves."""

import io
import json
import zipfile
from functools import cache

import numpy as np

TINY = {
    "vit": {
        "image_size": 16,
        "patch_size": 8,
        "hidden_size": 16,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "intermediate_size": 32,
    },
    "deit": {
        "image_size": 16,
        "patch_size": 8,
        "hidden_size": 16,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "intermediate_size": 32,
    },
    "resnet": {
        "embedding_size": 8,
        "hidden_sizes": [8, 8, 8, 16],
        "depths": [1, 1, 1, 1],
        "layer_type": "basic",
    },
    "convnext": {"hidden_sizes": [8, 8, 8, 16], "depths": [1, 1, 1, 1]},
    "convnextv2": {"hidden_sizes": [8, 8, 8, 16], "depths": [1, 1, 1, 1]},
    "swin": {
        "image_size": 32,
        "embed_dim": 8,
        "depths": [1, 1],
        "num_heads": [2, 2],
        "window_size": 4,
        "patch_size": 2,
    },
    "bert": {"vocab_size": 30, "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2,
             "intermediate_size": 32},
    "roberta": {"vocab_size": 30, "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2,
                "intermediate_size": 32, "max_position_embeddings": 130},
    "distilbert": {"vocab_size": 30, "dim": 16, "n_layers": 1, "n_heads": 2, "hidden_dim": 32},
}  # fmt: skip
PROCESSOR = {
    "do_resize": True,
    "size": {"height": 16, "width": 16},
    "do_rescale": True,
    "rescale_factor": 1 / 255,
    "do_normalize": True,
    "image_mean": [0.5, 0.5, 0.5],
    "image_std": [0.5, 0.5, 0.5],
    "resample": 2,
}


def library_model(model_type, names=("no", "yes")):
    """A classifier of the library with random weights, in eval mode."""
    import torch
    import transformers

    from fmd_core.models.hugging_face.config import FAMILIES

    torch.manual_seed(0)
    family = FAMILIES[model_type]
    config = getattr(transformers, family.config)(
        **TINY[model_type], num_labels=len(names), id2label=dict(enumerate(names))
    )
    network = getattr(transformers, family.network)(config).eval()
    with torch.no_grad():
        for weight in network.parameters():
            weight.add_(torch.randn_like(weight) * 0.2)
    return network


@cache
def folder_files(model_type="vit"):
    """What save_pretrained writes, by name."""
    import tempfile
    from pathlib import Path

    import transformers

    transformers.utils.logging.disable_progress_bar()
    with tempfile.TemporaryDirectory() as folder:
        library_model(model_type).save_pretrained(folder)
        found = {path.name: path.read_bytes() for path in Path(folder).iterdir()}
    if "ForImage" in json.loads(found["config.json"])["architectures"][0]:
        found["preprocessor_config.json"] = json.dumps(PROCESSOR).encode()
    return found


def tokenizer_json():
    """Words of one letter, as a tokenizer of the library's writes them."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

    words = {word: i for i, word in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "a", "b", "c"])}
    found = Tokenizer(models.WordPiece(words, unk_token="[UNK]"))
    found.normalizer, found.pre_tokenizer = normalizers.BertNormalizer(), pre_tokenizers.BertPreTokenizer()
    found.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    return found.to_str()


def with_config(files, **changes):
    """The same files with other words in config.json; None takes one out."""
    told = json.loads(files["config.json"]) | changes
    return files | {"config.json": json.dumps({k: v for k, v in told.items() if v is not None}).encode()}


def zipped(files, compression=zipfile.ZIP_DEFLATED, place=""):
    """A zip of these files."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, content in files.items():
            archive.writestr(place + name, content)
    return buffer.getvalue()


def rows(n=60):
    """A table with numbers, words and gaps, and two classes."""
    import pandas as pd

    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {"age": rng.normal(40, 10, n), "hours": rng.normal(35, 9, n), "job": rng.choice(["a", "b", "c"], n)}
    )
    frame.loc[::7, "hours"] = np.nan
    return frame, np.where(frame["age"] + 5 * (frame["job"] == "a") + rng.normal(0, 5, n) > 42, "yes", "no")


def pipeline(final=None):
    """A fitted pipeline for those rows."""
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    frame, labels = rows()
    numbers = make_pipeline(SimpleImputer(), StandardScaler())
    columns = ColumnTransformer(
        [("n", numbers, ["age", "hours"]), ("w", OneHotEncoder(handle_unknown="ignore"), ["job"])]
    )
    return make_pipeline(columns, final or LogisticRegression()).fit(frame, labels)


def skops_of(thing):
    """A skops file of it."""
    import skops.io

    return skops.io.dumps(thing)


@cache
def skops_file():
    """A skops file of the pipeline."""
    return skops_of(pipeline())


def with_schema(content, change):
    """The same skops file with `change(schema)` made of its table of contents."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as source, zipfile.ZipFile(buffer, "w") as target:
        for entry in source.infolist():
            inner = source.read(entry)
            if entry.filename == "schema.json":
                told = json.loads(inner)
                inner = json.dumps(change(told) or told).encode()
            target.writestr(entry.filename, inner)
    return buffer.getvalue()
