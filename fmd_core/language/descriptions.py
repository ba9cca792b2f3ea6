"""What a language model's config.json may say: a list of known types and words, and nothing of the model's own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from fmd_core.errors import ModelError
from fmd_core.models.hugging_face import ALLOWED as CLASSIFIERS
from fmd_core.models.hugging_face import MOST_LAYERS, MOST_WORDS, REFUSED, WIDEST, Check

Kind = Literal["causal", "masked"]


@dataclass(frozen=True)
class Family:
    """One `model_type`: how it reads, and the library's classes for it."""

    kind: Kind
    config: str
    network: str


FAMILIES: dict[str, Family] = {
    "llama": Family("causal", "LlamaConfig", "LlamaForCausalLM"),
    "mistral": Family("causal", "MistralConfig", "MistralForCausalLM"),
    "qwen2": Family("causal", "Qwen2Config", "Qwen2ForCausalLM"),
    "gpt2": Family("causal", "GPT2Config", "GPT2LMHeadModel"),
    "gpt_neox": Family("causal", "GPTNeoXConfig", "GPTNeoXForCausalLM"),
    "bert": Family("masked", "BertConfig", "BertForMaskedLM"),
    "roberta": Family("masked", "RobertaConfig", "RobertaForMaskedLM"),
    "distilbert": Family("masked", "DistilBertConfig", "DistilBertForMaskedLM"),
}


def _whole(low: int, high: int) -> Check:
    return lambda value: type(value) is int and low <= value <= high


def _number(low: float, high: float) -> Check:
    return lambda value: type(value) in (int, float) and low <= value <= high


def _flag(value: object) -> bool:
    return value is True or value is False


def _nothing_or(check: Check) -> Check:
    return lambda value: value is None or check(value)


def _rope(told: object) -> bool:
    """Places of words as most models tell them: one base, nothing stretched."""
    if not isinstance(told, dict) or set(told) - {"rope_type", "rope_theta", "partial_rotary_factor"}:
        return False
    base, share = told.get("rope_theta", 10_000.0), told.get("partial_rotary_factor", 1.0)
    return told.get("rope_type", "default") == "default" and _number(1, 1e9)(base) and _number(0, 1)(share)


_SPECIAL = _nothing_or(_whole(0, MOST_WORDS))
ALLOWED: dict[str, Check] = {
    **{key: check for key, check in CLASSIFIERS.items() if key not in ("problem_type", "image_size", "patch_size")},
    **dict.fromkeys(("n_layer", "n_head", "num_key_value_heads"), _whole(1, MOST_LAYERS)),
    **dict.fromkeys(("n_embd", "head_dim"), _whole(1, WIDEST)),
    "n_inner": _nothing_or(_whole(1, WIDEST)),
    **dict.fromkeys(("n_positions", "n_ctx", "max_position_embeddings"), _whole(1, 1 << 20)),
    **dict.fromkeys(("rms_norm_eps", "layer_norm_epsilon"), _number(0, 1)),
    **dict.fromkeys(("bos_token_id", "eos_token_id", "pad_token_id"), _SPECIAL),
    **dict.fromkeys(("embd_pdrop", "attn_pdrop", "resid_pdrop", "hidden_dropout", "rotary_pct"), _number(0, 1)),
    "activation_function": CLASSIFIERS["hidden_act"],
    "rope_theta": _number(1, 1e9),
    "rope_parameters": _rope,
    "rotary_emb_base": _number(1, 1e9),
    **dict.fromkeys(
        ("tie_word_embeddings", "attention_bias", "mlp_bias", "use_parallel_residual", "scale_attn_weights"), _flag
    ),
    "sliding_window": _nothing_or(_whole(1, 1 << 20)),
    "use_sliding_window": lambda value: value is False,
}  # fmt: skip
"""What is taken over from a config.json, by name, and what it may be."""
CHANGES_ANSWERS = (
    "rope_scaling",
    "scale_attn_by_inverse_layer_idx",
    "reorder_and_upcast_attn",
    "logits_scaling",
)
"""What would change a model's answers and is not followed: refused rather than left out."""


@dataclass(frozen=True)
class Described:
    """A config.json as far as it is believed."""

    model_type: str
    settings: Mapping[str, Any]

    @property
    def family(self) -> Family:
        """The library's classes for it."""
        return FAMILIES[self.model_type]


def read_config(told: object) -> Described:
    """What a config.json says, by words that are known. ModelError for what no plain language model says."""
    if not isinstance(told, dict) or not all(isinstance(key, str) for key in told):
        raise ModelError(
            "config.json is no description of a model; save the model again with save_pretrained()."
        )
    bad = next((key for key in REFUSED if told.get(key) not in (None, False)), "")
    if bad:
        raise ModelError(
            f"config.json asks for '{bad}': code of the model's own or weights in another form, which are never "
            "loaded; bring a plain language model of the library."
        )
    model_type = told.get("model_type")
    if not isinstance(model_type, str) or model_type not in FAMILIES:
        raise ModelError(
            f"config.json names the model type {str(model_type)[:40]!r}, which is not opened as a language model; "
            f"those that are: {', '.join(FAMILIES)}."
        )
    odd = next((key for key in CHANGES_ANSWERS if told.get(key) not in (None, False, 1.0)), "")
    if odd:
        raise ModelError(
            f"config.json sets '{odd}', which is not followed here, so its answers would be others."
        )
    settings = {key: value for key, value in told.items() if key in ALLOWED}
    wrong = next((key for key, value in settings.items() if not ALLOWED[key](value)), "")
    if wrong:
        raise ModelError(
            f"config.json gives '{wrong}' the value {str(told[wrong])[:40]!r}, which is not followed here; save the "
            "model again with save_pretrained()."
        )
    return Described(model_type, settings)
