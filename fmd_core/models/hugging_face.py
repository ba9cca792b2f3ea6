"""Classifiers of Hugging Face's transformers: a description by known words, and weights; no code of a model's own.

What a `config.json` may say is read here by an allow-list of types and keys. The network is the library's own class;
`trust_remote_code`, hub and pickles play no part, because nothing is loaded but arrays that are at hand.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from fmd_core.data import Array, InputKind, content_fingerprint
from fmd_core.errors import ModelError
from fmd_core.models.network_encoder import content_of
from fmd_core.models.preprocess import Preprocess

if TYPE_CHECKING:
    from torch import nn

STORED_AS, INNER = "hugging_face", "network"
LIBRARY = "Hugging Face models need the library transformers; install it with pip install 'fmd-studio[huggingface]'."
TEXT = "text"
MOST_LAYERS, WIDEST, MOST_WORDS = 200, 65_536, 600_000
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
Check = Callable[[Any], bool]


def _whole(low: int, high: int) -> Check:
    return lambda value: type(value) is int and low <= value <= high


def _number(low: float, high: float) -> Check:
    return lambda value: type(value) in (int, float) and low <= value <= high


def _several(low: int, high: int) -> Check:
    one = _whole(low, high)
    return lambda value: isinstance(value, list) and 1 <= len(value) <= 8 and all(map(one, value))


def _one_of(*known: Any) -> Check:  # noqa: ANN401  whatever JSON can hold
    return lambda value: any(value is one or (type(value) is type(one) and value == one) for one in known)


_COUNT, _WIDTH, _SHARE, _FLAG = _whole(1, MOST_LAYERS), _whole(1, WIDEST), _number(0, 1), _one_of(True, False)
_ACTIVATION = _one_of(
    "gelu", "gelu_new", "gelu_fast", "gelu_pytorch_tanh", "relu", "silu", "swish", "tanh", "quick_gelu"
)
ALLOWED: dict[str, Check] = {
    **dict.fromkeys(("num_hidden_layers", "n_layers", "num_attention_heads", "n_heads", "num_stages"), _COUNT),
    **dict.fromkeys(
        ("hidden_size", "intermediate_size", "dim", "hidden_dim", "embedding_size", "embed_dim", "pooler_output_size"),
        _WIDTH,
    ),
    **dict.fromkeys(("image_size", "patch_size", "encoder_stride"), _whole(1, 1024)),
    **dict.fromkeys(("depths", "num_heads"), _several(1, MOST_LAYERS)),
    "hidden_sizes": _several(1, WIDEST),
    "num_channels": _one_of(3),
    "window_size": _whole(1, 64),
    "mlp_ratio": _number(0.1, 16),
    "vocab_size": _whole(1, MOST_WORDS),
    "max_position_embeddings": _whole(1, 16_384),
    "type_vocab_size": _whole(1, 16),
    "pad_token_id": lambda value: value is None or _whole(0, MOST_WORDS)(value),
    **dict.fromkeys(("layer_norm_eps", "layer_scale_init_value"), _number(0, 1)),
    **dict.fromkeys(
        ("hidden_dropout_prob", "attention_probs_dropout_prob", "dropout", "attention_dropout", "drop_path_rate",
         "seq_classif_dropout"), _SHARE,
    ),
    "classifier_dropout": lambda value: value is None or _SHARE(value),
    **dict.fromkeys(("hidden_act", "activation", "pooler_act"), _ACTIVATION),
    **dict.fromkeys(
        ("qkv_bias", "downsample_in_first_stage", "downsample_in_bottleneck", "sinusoidal_pos_embds",
         "use_absolute_embeddings"), _FLAG,
    ),
    "layer_type": _one_of("basic", "bottleneck"),
    "is_decoder": _one_of(False),
    "add_cross_attention": _one_of(False),
    "position_embedding_type": _one_of("absolute"),
    "problem_type": _one_of(None, "single_label_classification", "multi_label_classification"),
}  # fmt: skip
"""What is taken over from a config.json, by name, and what it may be."""
REFUSED = (
    "auto_map",
    "quantization_config",
    "custom_pipelines",
    "trust_remote_code",
    "adapter_config",
    "peft_type",
)
"""What a plain classifier never says: code of its own, or weights in another form."""
COUNTERS = (".position_ids", ".relative_position_index")
"""Ends of names of what is no weight, but whole numbers that the network makes itself."""
SPARE = (".position_ids", ".pooler.dense.weight", ".pooler.dense.bias", ".relative_position_index")
"""Ends of names in a file that a classifier does not read."""


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
    def is_multi_label(self) -> bool:
        """Whether its outputs are yes-or-no answers of their own."""
        return self.settings.get("problem_type") == "multi_label_classification"


def read_config(told: object) -> Described:
    """What a config.json says, by words that are known. ModelError for anything that a plain classifier never says."""
    if not isinstance(told, dict) or not all(isinstance(key, str) for key in told):
        raise ModelError(
            "config.json is no description of a model; save the model again with save_pretrained()."
        )
    bad = next((key for key in REFUSED if told.get(key) not in (None, False)), "")
    if bad:
        raise ModelError(
            f"config.json asks for '{bad}': code of the model's own or weights in another form, which are never "
            "loaded; bring a plain classifier of the library, or export the model to ONNX."
        )
    model_type = told.get("model_type")
    if not isinstance(model_type, str) or model_type not in FAMILIES:
        raise ModelError(
            f"config.json names the model type {str(model_type)[:40]!r}, which is not opened; those that are: "
            f"{', '.join(FAMILIES)}. Others can come as ONNX."
        )
    settings = {key: value for key, value in told.items() if key in ALLOWED}
    wrong = next((key for key, value in settings.items() if not ALLOWED[key](value)), "")
    if wrong:
        raise ModelError(
            f"config.json gives '{wrong}' the value {str(told[wrong])[:40]!r}, which no classifier of this type has; "
            "save the model again with save_pretrained()."
        )
    silent = {
        "model_type",
        "id2label",
        "label2id",
        "architectures",
        "transformers_version",
        "dtype",
        "torch_dtype",
    }
    left = tuple(sorted(key for key in told if key not in settings and key not in silent))
    return Described(model_type, settings, _classes(told.get("id2label")), left)


def _classes(told: object) -> tuple[str, ...]:
    """Names of the outputs; () where there are none but the library's own LABEL_0, LABEL_1."""
    if told is None:
        return ()
    try:
        by_number = {int(number): name for number, name in told.items()}  # type: ignore[attr-defined]
    except (AttributeError, TypeError, ValueError):
        by_number = {}
    whole = sorted(by_number) == list(range(len(by_number))) and 0 < len(by_number) <= MOST_CLASSES
    names = [by_number[i] for i in range(len(by_number))] if whole else []
    if not names or not all(isinstance(name, str) and 0 < len(name) <= 200 for name in names):
        raise ModelError("The id2label of config.json does not name every output once; correct it there.")
    if len(set(names)) < len(names):
        raise ModelError("The id2label of config.json gives two outputs one name; give each its own.")
    return () if all(name == f"LABEL_{i}" for i, name in enumerate(names)) else tuple(names)


def build(described: Described, state: Mapping[str, Array], n_outputs: int) -> nn.Module:
    """The library's network with these weights, by their names in the file; in eval mode, nothing left to chance.

    Raises ModelError for weights that are missing, left over or of another shape.
    """
    transformers = library()
    import torch

    family = described.family
    config = getattr(transformers, family.config)(
        **described.settings, num_labels=n_outputs, attn_implementation="eager"
    )
    cls = getattr(transformers, family.network)
    wanted = size_of(cls, config)
    given = sum(array.size for array in state.values())
    if wanted > 1.01 * given + 100_000:  # position ids and counters are no weights
        raise ModelError(
            f"config.json describes a network of {wanted:,} numbers, but the weights are {given:,}; bring the "
            "config.json and the weights that were saved together."
        )
    tensors = {name: torch.from_numpy(np.array(array)) for name, array in state.items()}
    try:
        network, told = cls.from_pretrained(
            None, config=config, state_dict=tensors, output_loading_info=True, use_safetensors=True,
            local_files_only=True, trust_remote_code=False, dtype=torch.float32, ignore_mismatched_sizes=True,
        )  # fmt: skip
    except (RuntimeError, ValueError, TypeError, KeyError, AttributeError) as error:
        if isinstance(error, RuntimeError) and "memory" in str(error):
            raise
        raise _not_of_this_kind(family) from error
    missing = sorted(told["missing_keys"])
    extra = sorted(name for name in told["unexpected_keys"] if not name.endswith(SPARE))
    shapes = sorted(str(one[0] if isinstance(one, tuple) else one) for one in told["mismatched_keys"])
    for what, names in (("lack", missing), ("have another shape in", shapes), ("also hold", extra)):
        if names:
            listed = ", ".join(name[:80] for name in names[:3])
            raise ModelError(
                f"The weights do not fit the {family.title} that config.json describes: they {what} {listed}"
                f"{' and others' if len(names) > 3 else ''}; bring files that were saved together."
            )
    ready: nn.Module = network.eval().requires_grad_(False)
    return ready


def library() -> Any:  # noqa: ANN401  the library's module
    """transformers, kept from any network; ModelError where it is not installed."""
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    try:
        import transformers
    except ImportError as error:
        raise ModelError(LIBRARY) from error
    transformers.utils.logging.disable_progress_bar()
    transformers.utils.logging.set_verbosity_error()
    return transformers


def size_of(cls: Any, config: Any) -> int:  # noqa: ANN401  the library's classes
    """How many numbers the network has, without memory for them."""
    import torch

    try:
        with torch.device("meta"):
            empty = cls(config)
    except (
        RuntimeError,
        ValueError,
        TypeError,
        KeyError,
        AttributeError,
        ZeroDivisionError,
        IndexError,
    ) as error:
        raise ModelError(
            "config.json describes no network that can be built; save the model again with save_pretrained()."
        ) from error
    return sum(tensor.numel() for tensor in empty.state_dict().values())


def _not_of_this_kind(family: Family) -> ModelError:
    return ModelError(
        f"The weights do not fit the {family.title} that config.json describes; bring files that were saved together."
    )


def with_last_layer(
    described: Described, state: Mapping[str, Array]
) -> tuple[dict[str, Array], Array, Array]:
    """Weights without the last layer, its weight (K, d) and bias (K,). ModelError where it is missing."""
    name = described.family.head
    weight, bias = state.get(f"{name}.weight"), state.get(f"{name}.bias")
    if (
        weight is None
        or weight.ndim != 2
        or not weight.size
        or (bias is not None and bias.shape != weight.shape[:1])
    ):
        raise ModelError(
            f"The weights have no last layer '{name}' that tells classes apart, so this is a network for something "
            "else; bring a classifier that was fine-tuned for your classes."
        )
    below = {key: array for key, array in state.items() if key not in (f"{name}.weight", f"{name}.bias")}
    return below, weight, np.zeros(len(weight), weight.dtype) if bias is None else bias


@dataclass(frozen=True, eq=False)
class HuggingFaceEncoder:
    """A picture classifier of the library without its last layer."""

    described: Described
    state: Mapping[str, Array]
    """Weights by their names in the file, without the last layer."""
    n_features: int
    preprocess: Preprocess

    stored_as = STORED_AS

    @property
    def kind(self) -> InputKind:
        return self.described.family.kind

    @property
    def title(self) -> str:
        return f"{self.described.family.title} (Hugging Face)"

    @property
    def n_parameters(self) -> int:
        return sum(array.size for array in self.state.values())

    @cached_property
    def fingerprint(self) -> str:
        return content_fingerprint(
            STORED_AS, *self.stored()[0].values(), self.preprocess.content, *content_of(self.state)
        )

    @cached_property
    def module(self) -> nn.Module:
        """The network that all who read features share: to be run, not to be changed or listened to."""
        name, width = self.described.family.head, self.n_features
        last = {f"{name}.weight": np.zeros((2, width), "float32"), f"{name}.bias": np.zeros(2, "float32")}
        return _features_of(build(self.described, {**self.state, **last}, 2), name)

    def encode_batches(self, batches: Iterable[Array]) -> Iterator[Array]:
        """Features (m, d) float32 of each batch of pictures."""
        import torch

        for batch in batches:
            with torch.inference_mode():
                features = self.module(self.preprocess.apply(batch, self.kind)).numpy()
            yield features

    def as_module(self) -> nn.Module:
        """A copy of the network, from prepared pictures to features."""
        return deepcopy(self.module)

    def with_weights(self, learned: Mapping[str, Array]) -> HuggingFaceEncoder:
        """The same network with some weights replaced, by their names in `as_module().state_dict()`."""
        now = {name: tensor.numpy() for name, tensor in self.module.state_dict().items()} | dict(learned)
        return replace(self, state={name.removeprefix(f"{INNER}."): array for name, array in now.items()})

    def hidden_name(self) -> str:
        """Refused: below the last layer lies no linear layer with relu."""
        raise ModelError(
            f"{self.title} has no hidden layer right below its last one; unlearn the last layer, or all."
        )

    def stored(self) -> tuple[dict[str, str], dict[str, Array]]:
        """What the network is, as text, and its weights."""
        told = {"model_type": self.described.model_type, **self.described.settings}
        return {
            "config": json.dumps(told, sort_keys=True), "features": str(self.n_features)
        }, dict(self.state)  # fmt: skip


def _features_of(network: nn.Module, head: str) -> nn.Module:
    """The network without its last layer, from pictures alone to features alone."""
    import torch

    class Features(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            network.set_submodule(head, torch.nn.Identity())
            self.add_module(INNER, network)

        def forward(self, pictures: torch.Tensor) -> torch.Tensor:
            answers: torch.Tensor = self.get_submodule(INNER)(pixel_values=pictures).logits
            return answers

    return Features().eval().requires_grad_(False)


def restore(
    settings: Mapping[str, str], arrays: Mapping[str, Array], preprocess: Preprocess
) -> HuggingFaceEncoder:
    """The encoder that `HuggingFaceEncoder.stored` described. ModelError for another description."""
    try:
        described, width = read_config(json.loads(settings["config"])), int(settings["features"])
    except (KeyError, ValueError, RecursionError) as error:
        raise ModelError(
            "The description of the network in this file is damaged; restore the original."
        ) from error
    if described.family.kind != "image" or not 0 < width <= WIDEST:
        raise ModelError("The file describes no network for pictures; restore the original.")
    return HuggingFaceEncoder(replace(described, left=()), dict(arrays), width, preprocess)


# --- how pictures are made ready

RESAMPLES = {0: "nearest", 1: "lanczos", 2: "bilinear", 3: "bicubic", 4: "box", 5: "hamming"}


def read_preprocessor(told: object, described: Described) -> dict[str, Any]:
    """What a preprocessor_config.json says, by the words of `Preprocess`: `size`, `width`, `resize`, `scaled_to`,
    `resample`, `mean`, `spread`, `white`. ModelError for what cannot be followed."""
    if not isinstance(told, dict):
        raise ModelError("preprocessor_config.json is no description; save it again with save_pretrained().")
    found: dict[str, Any] = {}
    if told.get("do_rescale", True) is False:
        found["white"] = 255.0
    else:
        factor = _a_number(told, "rescale_factor", 1 / 255)
        found["white"] = 1.0 if math.isclose(factor, 1 / 255, rel_tol=1e-4) else factor * 255
    if told.get("do_normalize", True) is not False:
        usual = _USUAL.get(described.model_type, _IMAGENET)
        found["mean"], found["spread"] = (
            _colours(told, key, default)
            for key, default in zip(("image_mean", "image_std"), usual, strict=True)
        )
    else:
        found["mean"], found["spread"] = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)
    if told.get("do_resize", True) is not False:
        found |= _resizing(told, described)
    return found


_HALF = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
_IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
_USUAL = {"vit": _HALF}


def _a_number(told: Mapping[str, Any], key: str, default: float) -> float:
    value = told.get(key, default)
    if type(value) not in (int, float) or not 0 < value < 1e6:
        raise _odd(key, value)
    return float(value)


def _colours(told: Mapping[str, Any], key: str, default: tuple[float, ...]) -> tuple[float, ...]:
    value = told.get(key, default)
    if (
        not isinstance(value, list | tuple)
        or len(value) != 3
        or any(type(v) not in (int, float) for v in value)
    ):
        raise _odd(key, value)
    if any(not abs(v) < 1e6 for v in value) or (key == "image_std" and min(value) <= 0):
        raise _odd(key, value)
    return tuple(float(v) for v in value)


def _odd(key: str, value: object) -> ModelError:
    return ModelError(
        f"preprocessor_config.json gives '{key}' the value {str(value)[:40]!r}, which cannot be followed; correct it "
        "there."
    )


def _resizing(told: Mapping[str, Any], described: Described) -> dict[str, Any]:
    """How a picture gets its size: squashed, or its shorter side scaled and the middle cut out."""
    number = told.get("resample", 2)
    resample = RESAMPLES.get(number) if type(number) is int else None
    if resample is None:
        raise _odd("resample", number)
    size, crop = told.get("size"), told.get("crop_size")
    shorter, height, width = _sides(size, "size", described)
    found: dict[str, Any] = {"resample": resample}
    if "crop_pct" in told and described.model_type in ("convnext", "convnextv2", "resnet") and shorter:
        # As ConvNextImageProcessor does: below 384 the shorter side is scaled to size / crop_pct, then cut.
        if shorter >= 384:
            return found | {"resize": "squash", "size": shorter}
        share = told["crop_pct"] if told["crop_pct"] is not None else 224 / 256
        if type(share) not in (int, float) or not 0.1 <= share <= 1:
            raise _odd("crop_pct", share)
        return found | {"resize": "shorter side", "size": shorter, "scaled_to": int(shorter / share)}
    if told.get("do_center_crop") is True:
        _, crop_height, crop_width = _sides(crop, "crop_size", described, square=True)
        if crop_height != crop_width:
            raise _odd("crop_size", crop)
        if not shorter:
            raise ModelError(
                "preprocessor_config.json squashes pictures and then cuts out the middle, which cannot be followed; "
                "export the model to ONNX with that inside."
            )
        return found | {"resize": "shorter side", "size": crop_height, "scaled_to": shorter}
    if shorter:
        raise ModelError(
            "preprocessor_config.json scales the shorter side of a picture and cuts nothing out, so that pictures "
            "would differ in size; add do_center_crop and crop_size."
        )
    return found | {"resize": "squash", "size": height} | ({} if height == width else {"width": width})


def _sides(value: object, key: str, described: Described, square: bool = False) -> tuple[int, int, int]:
    """Shorter side (0 where both are told), height and width."""
    if value is None:
        value = int(described.settings.get("image_size", 224))
    shorter: Any
    height: Any
    width: Any
    if type(value) is int:
        shorter, height, width = 0, value, value
    elif isinstance(value, dict) and "shortest_edge" in value and not square:
        shorter = height = width = value["shortest_edge"]
    elif isinstance(value, dict):
        shorter, height, width = 0, value.get("height"), value.get("width")
    else:
        raise _odd(key, value)
    if any(type(side) is not int or not 0 <= side <= 1024 for side in (shorter, height, width)) or not height:
        raise _odd(key, value)
    return shorter, height, width


def as_preprocess(told: Mapping[str, Any]) -> Preprocess:
    """What `read_preprocessor` gave, as a value."""
    return Preprocess(**told)
