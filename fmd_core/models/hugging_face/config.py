"""What the config.json of a classifier says: which network of the library, its settings, and its classes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fmd_core.errors import ModelError
from fmd_core.models.hugging_face.allowed import (
    MOST_LAYERS,
    MOST_WORDS,
    WIDEST,
    Check,
    Rules,
    believed,
    flag,
    nothing_or,
    number,
    one_of,
    several,
    whole,
)

TEXT = "text"
USUAL_SIDE = 224  # pixels of a picture, where a description names none
MOST_CLASSES = 22_000  # ImageNet-21k has 21,841


@dataclass(frozen=True)
class Family:
    """One `model_type`: the library's class that classifies, and its last layer."""

    kind: str
    config: str
    network: str
    head: str = "classifier"
    """Name of the last linear layer in files and in the network."""

    @property
    def title(self) -> str:
        """Such as ViT."""
        return self.config.removesuffix("Config")


def _pictures(stem: str, head: str = "classifier") -> Family:
    return Family("image", f"{stem}Config", f"{stem}ForImageClassification", head)


def _texts(stem: str, head: str = "classifier") -> Family:
    return Family(TEXT, f"{stem}Config", f"{stem}ForSequenceClassification", head)


FAMILIES: dict[str, Family] = {
    "vit": _pictures("ViT"),
    "deit": _pictures("DeiT"),
    "resnet": _pictures("ResNet", "classifier.1"),
    "convnext": _pictures("ConvNext"),
    "convnextv2": _pictures("ConvNextV2"),
    "swin": _pictures("Swin"),
    "bert": _texts("Bert"),
    "distilbert": _texts("DistilBert"),
    "roberta": _texts("Roberta", "classifier.out_proj"),
}
_COUNT, _WIDTH, _SHARE = whole(1, MOST_LAYERS), whole(1, WIDEST), number(0, 1)
_ACTIVATION = one_of(
    "gelu", "gelu_new", "gelu_fast", "gelu_pytorch_tanh", "relu", "silu", "swish", "tanh", "quick_gelu"
)
ALLOWED: dict[str, Check] = {
    **dict.fromkeys(("num_hidden_layers", "n_layers", "num_attention_heads", "n_heads", "num_stages"), _COUNT),
    **dict.fromkeys(
        ("hidden_size", "intermediate_size", "dim", "hidden_dim", "embedding_size", "embed_dim", "pooler_output_size"),
        _WIDTH,
    ),
    **dict.fromkeys(("image_size", "patch_size", "encoder_stride"), whole(1, 1024)),
    **dict.fromkeys(("depths", "num_heads"), several(1, MOST_LAYERS)),
    "hidden_sizes": several(1, WIDEST),
    "num_channels": one_of(3),
    "window_size": whole(1, 64),
    "mlp_ratio": number(0.1, 16),
    "vocab_size": whole(1, MOST_WORDS),
    "max_position_embeddings": whole(1, 16_384),
    "type_vocab_size": whole(1, 16),
    "pad_token_id": nothing_or(whole(0, MOST_WORDS)),
    **dict.fromkeys(("layer_norm_eps", "layer_scale_init_value"), number(0, 1)),
    **dict.fromkeys(
        ("hidden_dropout_prob", "attention_probs_dropout_prob", "dropout", "attention_dropout", "drop_path_rate",
         "seq_classif_dropout"), _SHARE,
    ),
    "classifier_dropout": nothing_or(_SHARE),
    **dict.fromkeys(("hidden_act", "activation", "pooler_act"), _ACTIVATION),
    **dict.fromkeys(
        ("qkv_bias", "downsample_in_first_stage", "downsample_in_bottleneck", "sinusoidal_pos_embds",
         "use_absolute_embeddings"), flag,
    ),
    "layer_type": one_of("basic", "bottleneck"),
    "is_decoder": one_of(False),
    "add_cross_attention": one_of(False),
    "position_embedding_type": one_of("absolute"),
    "problem_type": one_of(None, "single_label_classification", "multi_label_classification"),
}  # fmt: skip
"""What is taken over from a config.json, by name, and what it may be."""
RULES = Rules(
    types=FAMILIES,
    allowed=ALLOWED,
    instead="bring a plain classifier of the library, or export the model to ONNX",
    elsewhere="Others can come as ONNX.",
)
SILENT = frozenset(
    ("model_type", "id2label", "label2id", "architectures", "transformers_version", "dtype", "torch_dtype")
)
"""What is read otherwise, or says nothing about the answers."""


@dataclass(frozen=True)
class Described:
    """A config.json as far as it is believed."""

    model_type: str
    settings: Mapping[str, Any]
    """By the words of ALLOWED."""
    classes: tuple[str, ...]
    """What each output means; () where it does not say."""
    left: tuple[str, ...] = ()
    """Keys that were not taken over."""

    @property
    def family(self) -> Family:
        """The library's classes for it."""
        return FAMILIES[self.model_type]

    @property
    def side(self) -> int:
        """Pixels of a side of the pictures that it reads."""
        return int(self.settings.get("image_size", USUAL_SIDE))

    @property
    def is_multi_label(self) -> bool:
        """Whether its outputs are yes-or-no answers of their own."""
        return self.settings.get("problem_type") == "multi_label_classification"


def read_config(told: object) -> Described:
    """What a config.json says, by words that are known. ModelError for anything that a plain classifier never says."""
    config, settings = believed(told, RULES)
    left = tuple(sorted(key for key in config if key not in settings and key not in SILENT))
    return Described(config["model_type"], settings, _classes(config.get("id2label")), left)


def _classes(told: object) -> tuple[str, ...]:
    """Names of the outputs; () where there are none but the library's own LABEL_0, LABEL_1."""
    if told is None:
        return ()
    try:
        by_number = {int(number): name for number, name in told.items()}  # type: ignore[attr-defined]
    except (AttributeError, TypeError, ValueError):
        by_number = {}
    is_whole = sorted(by_number) == list(range(len(by_number))) and 0 < len(by_number) <= MOST_CLASSES
    names = [by_number[i] for i in range(len(by_number))] if is_whole else []
    if not names or not all(isinstance(name, str) and 0 < len(name) <= 200 for name in names):
        raise ModelError("The id2label of config.json does not name every output once; correct it there.")
    if len(set(names)) < len(names):
        raise ModelError("The id2label of config.json gives two outputs one name; give each its own.")
    return () if all(name == f"LABEL_{i}" for i, name in enumerate(names)) else tuple(names)
